//! What hostile registries hold.

use kyklos_release::format::oci::media_type;
use kyklos_release::model::Digest;
use serde_json::{Value, json};

use super::case::Case;
use crate::support::crafted::{Layer, descriptor};
use crate::support::registry::{Options, TestRegistry};

/// Stores a blob.
pub(super) fn blob(host: &TestRegistry, bytes: &[u8]) {
    host.change("app", |stored| {
        stored.blobs.insert(Digest::of(bytes).to_string(), bytes.to_vec().into());
    });
}

/// Stores a document, under a tag unless that is empty.
pub(super) fn document(host: &TestRegistry, tag: &str, kind: &str, bytes: &[u8]) {
    host.change("app", |stored| {
        let digest = Digest::of(bytes).to_string();
        stored.manifests.insert(digest.clone(), (kind.to_owned(), bytes.to_vec()));
        if !tag.is_empty() {
            stored.tags.insert(tag.to_owned(), digest);
        }
    });
}

/// A registry that stores whatever it is given, with a document under `app:v1`.
pub(super) fn serving(kind: &str, bytes: &[u8]) -> TestRegistry {
    let host = TestRegistry::start(Options { checks_named: false, ..Options::default() });
    document(&host, "v1", kind, bytes);
    host
}

/// The config of an image with these layers, each as it is unpacked.
pub(super) fn config(plain: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = plain.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"User": "65532", "Entrypoint": ["/app"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    serde_json::to_vec(&config).unwrap()
}

/// A manifest.
pub(super) fn manifest(config: Value, layers: &[Value]) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::MANIFEST, "config": config, "layers": layers,
    });
    serde_json::to_vec(&manifest).unwrap()
}

/// An index.
pub(super) fn index(entries: &[Value]) -> Vec<u8> {
    let index = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": entries});
    serde_json::to_vec(&index).unwrap()
}

/// Stores an image of one layer under `app:v1`: the layer as it is stored, its type, and as it is unpacked.
pub(super) fn fill_with(host: &TestRegistry, layer: &[u8], kind: &str, plain: &[u8]) -> Vec<u8> {
    let config = config(&[plain]);
    let manifest = manifest(descriptor(media_type::CONFIG, &config), &[descriptor(kind, layer)]);
    blob(host, layer);
    blob(host, &config);
    document(host, "v1", media_type::MANIFEST, &manifest);
    manifest
}

/// Stores an honest image under `app:v1`.
pub(super) fn fill(host: &TestRegistry) -> Vec<u8> {
    let layer = Layer::of(&[("app", 0o755, b"program")]);
    fill_with(host, &layer.stored, layer.media_type, &layer.plain)
}

/// A registry with an honest image under `app:v1`.
pub(super) fn app(options: Options) -> TestRegistry {
    let host = TestRegistry::start(options);
    fill(&host);
    host
}

/// A registry with an image of one layer under `app:v1`.
pub(super) fn with_layer(layer: &[u8], kind: &str, plain: &[u8]) -> TestRegistry {
    let host = TestRegistry::start(Options::default());
    fill_with(&host, layer, kind, plain);
    host
}

/// `registry.test` on another machine, which speaks TLS, has an honest image, and for which there is a login.
pub(super) fn public(name: &str, options: Options) -> (TestRegistry, Case) {
    let (host, authority) = TestRegistry::start_tls(options);
    fill(&host);
    let case = Case::new(name).public("registry.test:443", &host.host()).login(&["registry.test"]);
    (host, case.file("ca.pem", authority))
}

/// An image in the layout `local`, under `v2`.
pub(super) fn assembled(case: Case) -> Case {
    let case = case.file("bin/app", "one");
    let line = "image assemble --binary linux/amd64=bin/app -o oci:local:v2";
    let _ = crate::support::command::kyklos(case.here.path()).args(line).run().expect(0);
    case
}
