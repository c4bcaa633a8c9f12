//! Registries: hosts on the network, the OCI image layout as a directory or a tar file, Docker archives, and memory.

mod archive;
mod docker_archive;
mod fault;
mod http;
mod layout;
mod listing;
mod memory;
mod place;
mod rehearsal;
mod tarball;

pub use archive::Archive;
pub use docker_archive::import;
pub use http::{
    Access, CredentialSources, Direction, Event, Finding, HttpRegistry, Traffic, Wire, WireSettings,
};
pub use layout::Layout;
pub use memory::Memory;
pub use rehearsal::{Rehearsal, Rehearsed};
