//! Floor 4: the world. The only place with files, network, processes and environment.

pub mod fs;
pub mod oci;
