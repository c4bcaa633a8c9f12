//! A Sigstore bundle as a referrer: a manifest whose `subject` is an image, whose one layer is the bundle (cosign's
//! `BUNDLE_SPEC`, "OCI 1.1"; image-spec, "Guidelines for Artifact Usage").

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::ImageError;
use super::package::{Blob, Package};
use crate::format::oci::{Descriptor, ImageManifest, annotation, media_type};

/// Type of the referrer and of its layer.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A manifest that attaches a bundle, with the blobs it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// What is stored: the empty config and the bundle, then the manifest.
    pub package: Package,
    /// Describes the manifest, with its `artifactType` and annotations as a referrers list shows them.
    pub descriptor: Descriptor,
}

/// Makes the manifest that attaches a bundle to a manifest or index. `predicate_type` is `None` for a bundle with a
/// message signature. The same arguments give the same bytes.
pub fn referrer(
    bundle: &[u8],
    subject: &Descriptor,
    predicate_type: Option<&str>,
    created: Timestamp,
) -> Result<Referrer, ImageError> {
    let content = if predicate_type.is_some() { "dsse-envelope" } else { "message-signature" };
    let mut annotations = BTreeMap::from([
        (annotation::CREATED.to_owned(), created.to_string()),
        ("dev.sigstore.bundle.content".to_owned(), content.to_owned()),
    ]);
    if let Some(predicate_type) = predicate_type {
        annotations.insert("dev.sigstore.bundle.predicateType".to_owned(), predicate_type.to_owned());
    }
    let config = Blob::new(media_type::EMPTY, b"{}".to_vec());
    let layer = Blob::new(BUNDLE_MEDIA_TYPE, bundle.to_vec());
    let subject =
        Descriptor { artifact_type: None, platform: None, annotations: BTreeMap::new(), ..subject.clone() };
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: media_type::MANIFEST.to_owned(),
        artifact_type: Some(BUNDLE_MEDIA_TYPE.to_owned()),
        config: Some(config.descriptor()),
        layers: vec![layer.descriptor()],
        subject: Some(subject),
        annotations: annotations.clone(),
    };
    let bytes = serde_json::to_vec(&manifest).map_err(|source| ImageError::Unwritable { source })?;
    let manifest = Blob::new(media_type::MANIFEST, bytes);
    let descriptor = Descriptor {
        artifact_type: Some(BUNDLE_MEDIA_TYPE.to_owned()),
        annotations,
        ..manifest.descriptor()
    };
    Ok(Referrer { package: Package { blobs: vec![config, layer], manifests: vec![manifest] }, descriptor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_shape_that_cosign_reads() {
        let mut subject = Descriptor::of(media_type::INDEX, b"index");
        subject.annotations.insert("a".to_owned(), "b".to_owned());
        let made = referrer(b"{}\n", &subject, Some("https://slsa.dev/provenance/v1"), Timestamp::UNIX_EPOCH)
            .unwrap();
        let manifest = &made.package.manifests[0];
        insta::assert_snapshot!(String::from_utf8_lossy(&manifest.bytes), @r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"sha256:ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356","size":3}],"subject":{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6","size":5},"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://slsa.dev/provenance/v1","org.opencontainers.image.created":"1970-01-01T00:00:00Z"}}"#);
    }
}
