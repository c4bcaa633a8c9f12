//! A two-platform image written through the registry port, and a bundle that speaks of it.

use kyklos_release::adapter::oci::Layout;
use kyklos_release::format::oci::media_type;
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Manifest, Registry as _};

/// What was stored.
pub(crate) struct StoredImage {
    /// The bytes of the index.
    pub(crate) index: Vec<u8>,
    platforms: Vec<(&'static str, Digest)>,
}

/// Stores an image with one layer per platform; the layer holds the given bytes.
pub(crate) async fn put_image(layout: &Layout, content: &[u8]) -> StoredImage {
    let mut platforms = Vec::new();
    let mut descriptors = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let layer = [content, architecture.as_bytes()].concat();
        let config = format!(
            r#"{{"architecture":"{architecture}","os":"linux","config":{{"User":"65532"}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            Digest::of(&layer)
        );
        for blob in [layer.as_slice(), config.as_bytes()] {
            layout.put_blob(&Content::bytes(Digest::of(blob), blob.to_vec()), None).await.unwrap();
        }
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
            media_type::MANIFEST,
            descriptor(media_type::CONFIG, config.as_bytes(), ""),
            descriptor(media_type::LAYER, &layer, ""),
        );
        let digest = layout
            .put(&Manifest::of(media_type::MANIFEST, manifest.as_bytes().to_vec()), &[])
            .await
            .unwrap()
            .digest;
        let platform = format!(r#","platform":{{"architecture":"{architecture}","os":"linux"}}"#);
        descriptors.push(descriptor(media_type::MANIFEST, manifest.as_bytes(), &platform));
        platforms.push((if architecture == "amd64" { "linux/amd64" } else { "linux/arm64" }, digest));
    }
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::INDEX,
        descriptors.join(",")
    );
    let _ = layout.put(&Manifest::of(media_type::INDEX, index.as_bytes().to_vec()), &[]).await.unwrap();
    StoredImage { index: index.into_bytes(), platforms }
}

fn descriptor(media_type: &str, bytes: &[u8], more: &str) -> String {
    let (digest, size) = (Digest::of(bytes), bytes.len());
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{more}}}"#)
}

impl StoredImage {
    /// `image-digests.txt`.
    pub(crate) fn digests(&self, repository: &str, tag: &str) -> String {
        let mut text = format!("{} {repository}:{tag}\n", Digest::of(&self.index));
        for (platform, digest) in &self.platforms {
            text.push_str(&format!("{digest} {repository} {platform}\n"));
        }
        text
    }

    /// A bundle with a statement about the index and every platform. Nobody signed it: publishing does not look.
    pub(crate) fn bundle(&self) -> String {
        let subject = |digest: &Digest| format!(r#"{{"digest":{{"sha256":"{}"}}}}"#, digest.hex());
        let digests =
            std::iter::once(Digest::of(&self.index)).chain(self.platforms.iter().map(|(_, digest)| *digest));
        let subjects: Vec<String> = digests.map(|digest| subject(&digest)).collect();
        let statement = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{{}}}}"#,
            subjects.join(",")
        );
        format!(
            r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{{"publicKey":{{"hint":"none"}}}},"dsseEnvelope":{{"payload":"{}","payloadType":"application/vnd.in-toto+json","signatures":[{{"sig":"AA=="}}]}}}}"#,
            base64(statement.as_bytes())
        )
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let padded = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for position in 0..4 {
            if position <= chunk.len() {
                text.push(char::from(ALPHABET[(bits >> (18 - 6 * position)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
