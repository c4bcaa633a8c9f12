//! A second client, written by others: it reads what we push, and we read what it pushes.

use kyklos_release::format::oci::{MANIFEST_LIMIT, media_type};
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Manifest, Registry as _};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::{described, noise, read, wait};
use crate::support::registry::{Options, TestRegistry};

fn manifest(config: &[u8], layer: &[u8]) -> Vec<u8> {
    let descriptor = |media_type: &str, bytes: &[u8]| serde_json::json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()});
    serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::MANIFEST,
        "config": descriptor(media_type::CONFIG, config),
        "layers": [descriptor(media_type::LAYER, layer)],
        "annotations": {"z": "1", "a": "2"},
    }))
    .unwrap()
}

#[test]
fn both_directions() {
    let host = TestRegistry::start(Options::default());
    let ours = host.open("a");
    let settings = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
    let theirs = Client::try_from(settings).unwrap();
    let (config, layer) = (br#"{"architecture":"amd64","os":"linux"}"#.to_vec(), noise(5 << 20));
    let bytes = manifest(&config, &layer);
    let name = |tag: &str| -> Reference { format!("{}/a:{tag}", host.host()).parse().unwrap() };
    wait(async {
        for blob in [&config, &layer] {
            ours.put_blob(&Content::bytes(Digest::of(blob), blob.clone()), None).await.unwrap();
        }
        let _ =
            ours.put(&Manifest::of(media_type::MANIFEST, bytes.clone()), &["ours".to_owned()]).await.unwrap();
        let accepted = [media_type::MANIFEST];
        let found =
            theirs.pull_manifest_raw(&name("ours"), &RegistryAuth::Anonymous, &accepted).await.unwrap();
        assert_eq!((&found.0[..], found.1), (&bytes[..], Digest::of(&bytes).to_string()));
        let of_layer = OciDescriptor {
            media_type: media_type::LAYER.to_owned(),
            digest: Digest::of(&layer).to_string(),
            size: layer.len() as i64,
            ..OciDescriptor::default()
        };
        let mut pulled = Vec::new();
        theirs.pull_blob(&name("ours"), &of_layer, &mut pulled).await.unwrap();
        assert!(pulled == layer);

        let other = noise(6 << 20);
        let bytes = manifest(&config, &other);
        theirs.push_blob(&name("theirs"), other.clone(), &Digest::of(&other).to_string()).await.unwrap();
        let media_type = media_type::MANIFEST.parse().unwrap();
        theirs.push_manifest_raw(&name("theirs"), bytes.clone(), media_type).await.unwrap();
        assert_eq!(ours.tagged("theirs", MANIFEST_LIMIT).await.unwrap().unwrap().bytes, bytes);
        assert!(read(&ours, &described(&other)).await.unwrap().unwrap() == other);
        assert_eq!(ours.tags().await.unwrap(), ["ours", "theirs"]);
    });
}
