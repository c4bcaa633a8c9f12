//! Floor 1: bytes <-> model, one file per format. Readers are strict and bounded; writers are deterministic.

pub mod bundle;
pub mod canonical;
pub mod checksums;
pub mod intoto;
pub mod oci;
pub mod release_manifest;
