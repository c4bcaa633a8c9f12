//! Signatures: the `sigstore-*` crates behind one module.

mod local;
mod root;

pub use local::{LocalTrust, Mint};
