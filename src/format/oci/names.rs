//! Media types and annotation keys.

/// Media types (image-spec, "OCI Image Media Types"; Docker "Image Manifest Version 2, Schema 2").
pub mod media_type {
    /// Image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// Image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// Image config.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// The two bytes `{}` where a config or layer is required and there is none.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// Layer, tar.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// Layer, tar and gzip.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// Layer, tar and zstd.
    pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// Docker's manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker's image manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's layer, tar and gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    /// Whether documents of this type list manifests.
    pub fn is_index(media_type: &str) -> bool {
        matches!(media_type, INDEX | DOCKER_INDEX)
    }

    /// Whether content of this type is not to be passed on (image-spec, "Non-Distributable Layers"; Docker's foreign
    /// layers).
    pub fn is_foreign(media_type: &str) -> bool {
        media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
            || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar")
    }

    /// Whether documents of this type list layers.
    pub fn is_manifest(media_type: &str) -> bool {
        matches!(media_type, MANIFEST | DOCKER_MANIFEST)
    }
}

/// Annotation keys (image-spec, "Pre-Defined Annotation Keys").
pub mod annotation {
    /// The tag of an entry of an image layout's `index.json`.
    pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
    /// RFC 3339 time of the build.
    pub const CREATED: &str = "org.opencontainers.image.created";
    /// Human-readable name.
    pub const TITLE: &str = "org.opencontainers.image.title";
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
}
