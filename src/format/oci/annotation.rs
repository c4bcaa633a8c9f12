//! Annotation keys (image-spec, "Pre-Defined Annotation Keys").

/// The tag of an entry of an image layout's `index.json`.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// RFC 3339 time of the build.
pub const CREATED: &str = "org.opencontainers.image.created";
/// Human-readable name.
pub const TITLE: &str = "org.opencontainers.image.title";
/// What it is for, in words.
pub const DESCRIPTION: &str = "org.opencontainers.image.description";
/// SPDX licence expression.
pub const LICENSES: &str = "org.opencontainers.image.licenses";
/// URL with more about it.
pub const URL: &str = "org.opencontainers.image.url";
/// URL of the documentation.
pub const DOCUMENTATION: &str = "org.opencontainers.image.documentation";
/// URL of the source code.
pub const SOURCE: &str = "org.opencontainers.image.source";
/// Commit of the source code.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// Version of the packaged software.
pub const VERSION: &str = "org.opencontainers.image.version";
/// Reference of the base image.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// Digest of the base image.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// What an index entry that is no image is, in the words of BuildKit.
pub const DOCKER_REFERENCE_TYPE: &str = "vnd.docker.reference.type";
/// Which manifest of the index such an entry is about.
pub const DOCKER_REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
/// What a layer of an attestation states.
pub const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";
