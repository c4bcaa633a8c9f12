//! Images as other builders make them, byte by byte: attestations, nested indexes, Docker's types, layers of any kind.

use kyklos_release::format::oci::{annotation, media_type};
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Manifest, Registry};
use serde_json::{Value, json};

/// A file of a layer: path, mode, content.
pub(crate) type File<'a> = (&'a str, u32, &'a [u8]);

/// A tar of files, in their order. A path that ends in `/` is a directory.
pub(crate) fn tar(files: &[File<'_>]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        if path.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        archive.append_data(&mut header, path, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

/// The same bytes in gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The same bytes in zstd.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A layer as it is stored, and as it is unpacked.
pub(crate) struct Layer {
    pub(crate) media_type: &'static str,
    pub(crate) stored: Vec<u8>,
    pub(crate) plain: Vec<u8>,
}

impl Layer {
    /// Files in gzip.
    pub(crate) fn of(files: &[File<'_>]) -> Self {
        let plain = tar(files);
        Self { media_type: media_type::LAYER_GZIP, stored: gzip(&plain), plain }
    }

    /// Files in zstd.
    pub(crate) fn zstd(files: &[File<'_>]) -> Self {
        let plain = tar(files);
        Self { media_type: media_type::LAYER_ZSTD, stored: zstd(&plain), plain }
    }
}

/// A descriptor as JSON.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len()})
}

/// A descriptor with more fields.
pub(crate) fn with(mut descriptor: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut descriptor, more) else { panic!("objects") };
    fields.extend(more);
    descriptor
}

/// The digest of a descriptor.
pub(crate) fn digest_of(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

/// Stores a blob.
pub(crate) async fn put_blob(registry: &dyn Registry, bytes: &[u8]) {
    registry.put_blob(&Content::bytes(Digest::of(bytes), bytes.to_vec()), None).await.unwrap();
}

/// Stores a document and describes it.
pub(crate) async fn put_document(registry: &dyn Registry, document: &Value) -> Value {
    let kind = document["mediaType"].as_str().unwrap().to_owned();
    let bytes = serde_json::to_vec(document).unwrap();
    let put = registry.put(&Manifest::of(&kind, bytes.clone()), &[]).await.unwrap();
    registry.list_referrers(&put.unlisted.into_iter().collect::<Vec<_>>()).await.unwrap();
    descriptor(&kind, &bytes)
}

/// Stores one platform: its layers, its config with these fields, its manifest. The descriptor names the platform.
pub(crate) async fn put_platform(
    registry: &dyn Registry,
    architecture: &str,
    layers: &[Layer],
    config: Value,
    annotations: Value,
) -> Value {
    let mut described = Vec::new();
    for layer in layers {
        put_blob(registry, &layer.stored).await;
        described.push(descriptor(layer.media_type, &layer.stored));
    }
    let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(&layer.plain).to_string()).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = serde_json::to_vec(&config).unwrap();
    put_blob(registry, &config).await;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::MANIFEST,
        "config": descriptor(media_type::CONFIG, &config), "layers": described, "annotations": annotations,
    });
    let platform = json!({"platform": {"architecture": architecture, "os": "linux"}});
    with(put_document(registry, &manifest).await, platform)
}

/// Stores an index.
pub(crate) async fn put_index(registry: &dyn Registry, manifests: &[Value], annotations: Value) -> Value {
    let index = json!({
        "schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": manifests, "annotations": annotations,
    });
    put_document(registry, &index).await
}

/// Stores an attestation as BuildKit does, and gives its entry for the index.
pub(crate) async fn put_attestation(registry: &dyn Registry, subject: &Value, predicate_type: &str) -> Value {
    let statement = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type});
    let statement = serde_json::to_vec(&statement).unwrap();
    let config =
        br#"{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    put_blob(registry, &statement).await;
    put_blob(registry, config).await;
    let layer = json!({"annotations": {annotation::PREDICATE_TYPE: predicate_type}});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::MANIFEST,
        "config": descriptor(media_type::CONFIG, config),
        "layers": [with(descriptor("application/vnd.in-toto+json", &statement), layer)],
    });
    let entry = json!({
        "platform": {"architecture": "unknown", "os": "unknown"},
        "annotations": {
            annotation::DOCKER_REFERENCE_TYPE: "attestation-manifest",
            annotation::DOCKER_REFERENCE_DIGEST: subject["digest"],
        },
    });
    with(put_document(registry, &manifest).await, entry)
}

/// Stores an artifact that is attached to something.
pub(crate) async fn attach(
    registry: &dyn Registry,
    subject: &Value,
    artifact_type: &str,
    content: &[u8],
) -> Value {
    put_blob(registry, content).await;
    put_blob(registry, b"{}").await;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::MANIFEST, "artifactType": artifact_type,
        "config": descriptor(media_type::EMPTY, b"{}"),
        "layers": [descriptor("text/plain", content)],
        "subject": {"mediaType": subject["mediaType"], "digest": subject["digest"], "size": subject["size"]},
        "annotations": {"made.by": "a test"},
    });
    put_document(registry, &manifest).await
}
