//! Floor 1: bytes <-> model, one file per format. Readers are strict and bounded; writers are deterministic.

pub mod canonical;
pub mod oci;
pub mod release_manifest;
