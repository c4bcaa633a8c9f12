//! Media types (image-spec, "OCI Image Media Types"; Docker "Image Manifest Version 2, Schema 2").

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
/// Docker's image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's layer, tar.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker's layer, tar and zstd.
pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
/// Docker's layer, tar and gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// Whether documents of this type list manifests.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, INDEX | DOCKER_INDEX)
}

/// Whether content of this type is the config of an image that can be run.
pub fn is_config(media_type: &str) -> bool {
    matches!(media_type, CONFIG | DOCKER_CONFIG)
}

/// Whether documents of this type list layers.
pub fn is_manifest(media_type: &str) -> bool {
    matches!(media_type, MANIFEST | DOCKER_MANIFEST)
}

/// Whether content of this type is not to be passed on (image-spec, "Non-Distributable Layers"; Docker's foreign
/// layers).
pub fn is_foreign(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar")
}
