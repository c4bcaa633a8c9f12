//! Floor 1: bytes <-> model, one file per format. Readers are strict and bounded; writers are deterministic.

pub mod auditable;
pub mod binary;
pub mod bundle;
pub mod canonical;
pub mod cargo_lock;
pub mod challenge;
pub mod changelog;
pub mod checksums;
pub mod cliff;
pub mod conventional;
pub mod cyclonedx;
pub mod docker_archive;
pub mod docker_config;
pub mod go_buildinfo;
pub mod gotest;
pub mod intoto;
pub mod junit;
pub mod markdown;
pub mod oci;
pub mod openpgp;
pub mod purl;
pub mod release_manifest;
pub mod source_archive;
pub mod sshsig;
pub mod withdrawal;
pub mod yaml;
