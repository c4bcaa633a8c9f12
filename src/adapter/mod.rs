//! Floor 4: the world. The only place with files, network, processes and environment.

pub mod dir_forge;
pub mod enrich;
pub mod fs;
pub mod git;
pub mod http;
pub mod oci;
pub mod remote;
pub mod sigstore;
