//! Images in memory, made by hand: two platforms that share a layer, attestations, things attached, nested indexes.

use kyklos_release::format::oci::media_type;
use kyklos_release::model::{Digest, DigestAlgorithm};
use kyklos_release::port::{Content, Manifest, Registry};

/// An image and everything that belongs to it, in the order in which it can be stored.
#[derive(Clone, Default)]
pub(crate) struct Sample {
    pub(crate) blobs: Vec<Vec<u8>>,
    /// The index of the image last, then what is attached to it.
    pub(crate) manifests: Vec<Manifest>,
    /// Digest of the index.
    pub(crate) root: Option<Digest>,
    /// Digests of the platforms.
    pub(crate) platforms: Vec<Digest>,
    /// Digests of what is attached.
    pub(crate) attached: Vec<Digest>,
    entries: Vec<String>,
    /// How everything in it is named.
    pub(crate) algorithm: DigestAlgorithm,
}

impl Sample {
    /// Two platforms, one shared layer, two configs: three blobs.
    pub(crate) fn new(text: &str) -> Self {
        Self::parts(text, DigestAlgorithm::Sha256).closed("")
    }

    /// The same, named by another algorithm all through.
    pub(crate) fn by(text: &str, algorithm: DigestAlgorithm) -> Self {
        Self::parts(text, algorithm).closed("")
    }

    /// The same with an attestation of each platform in the index, as BuildKit writes them.
    pub(crate) fn attested(text: &str) -> Self {
        let mut sample = Self::parts(text, DigestAlgorithm::Sha256);
        for platform in sample.platforms.clone() {
            let layer = format!(r#"{{"statement":"{platform}"}}"#);
            let manifest = sample.manifest(
                media_type::CONFIG,
                r#"{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}"#,
                &[("application/vnd.in-toto+json", layer.as_bytes())],
                "",
            );
            let more = format!(
                r#","platform":{{"architecture":"unknown","os":"unknown"}},"annotations":{{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"{platform}"}}"#
            );
            let entry = sample.descriptor(media_type::MANIFEST, &manifest.bytes, &more);
            sample.entries.push(entry);
        }
        sample.closed("")
    }

    fn parts(text: &str, algorithm: DigestAlgorithm) -> Self {
        let mut sample = Self { algorithm, ..Self::default() };
        let layer = format!("layer of {text}");
        for architecture in ["amd64", "arm64"] {
            let config = format!(
                r#"{{"architecture":"{architecture}","os":"linux","config":{{"User":"65532","Entrypoint":["/{text}"]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
                algorithm.digest(layer.as_bytes())
            );
            let manifest =
                sample.manifest(media_type::CONFIG, &config, &[(media_type::LAYER, layer.as_bytes())], "");
            sample.platforms.push(manifest.digest);
            let more = format!(r#","platform":{{"architecture":"{architecture}","os":"linux"}}"#);
            let entry = sample.descriptor(media_type::MANIFEST, &manifest.bytes, &more);
            sample.entries.push(entry);
        }
        sample
    }

    /// The index over everything so far.
    fn closed(mut self, more: &str) -> Self {
        let index = self.index(&self.entries.join(","), more);
        self.root = Some(index.digest);
        self
    }

    /// Attaches something to the index and to each platform, and something to what is attached to the index.
    pub(crate) fn with_attached(mut self) -> Self {
        let root = self.root.expect("an index");
        for subject in std::iter::once(root).chain(self.platforms.clone()) {
            let attached = self.attach(&subject, "application/vnd.example.sbom");
            if subject == root {
                self.attach(&attached, "application/vnd.example.signature");
            }
        }
        self
    }

    /// Attaches something to a manifest.
    pub(crate) fn attach(&mut self, subject: &Digest, kind: &str) -> Digest {
        let subject = self.manifests.iter().find(|one| one.digest == *subject).expect("a subject");
        let of = self.descriptor(&subject.media_type, &subject.bytes, "");
        let layer = format!("{kind} of {}", subject.digest);
        let more = format!(r#","artifactType":"{kind}","subject":{of},"annotations":{{"kind":"{kind}"}}"#);
        let manifest = self.manifest(media_type::EMPTY, "{}", &[(kind, layer.as_bytes())], &more);
        self.attached.push(manifest.digest);
        manifest.digest
    }

    /// Adds a manifest and its blobs.
    pub(crate) fn manifest(
        &mut self,
        config_type: &str,
        config: &str,
        layers: &[(&str, &[u8])],
        more: &str,
    ) -> Manifest {
        self.blob(config.as_bytes());
        let mut named = Vec::new();
        for (kind, layer) in layers {
            self.blob(layer);
            named.push(self.descriptor(kind, layer, ""));
        }
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]{more}}}"#,
            media_type::MANIFEST,
            self.descriptor(config_type, config.as_bytes(), ""),
            named.join(",")
        );
        self.add(media_type::MANIFEST, text)
    }

    /// Adds an index over entries, and fields behind them.
    pub(crate) fn index(&mut self, entries: &str, more: &str) -> Manifest {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entries}]{more}}}"#,
            media_type::INDEX
        );
        self.add(media_type::INDEX, text)
    }

    fn add(&mut self, kind: &str, text: String) -> Manifest {
        let bytes = text.into_bytes();
        let manifest = Manifest { media_type: kind.to_owned(), digest: self.algorithm.digest(&bytes), bytes };
        self.manifests.push(manifest.clone());
        manifest
    }

    fn descriptor(&self, kind: &str, bytes: &[u8], more: &str) -> String {
        described(self.algorithm.digest(bytes), kind, bytes, more)
    }

    fn blob(&mut self, bytes: &[u8]) {
        if !self.blobs.iter().any(|blob| blob == bytes) {
            self.blobs.push(bytes.to_vec());
        }
    }

    /// The digest of the index.
    pub(crate) fn digest(&self) -> Digest {
        self.root.expect("an index")
    }

    /// The index.
    pub(crate) fn root(&self) -> &Manifest {
        self.manifests.iter().find(|one| one.digest == self.digest()).expect("the index")
    }

    /// Stores everything, the index under tags.
    pub(crate) async fn put(&self, registry: &dyn Registry, tags: &str) {
        for blob in &self.blobs {
            let content = Content::bytes(self.algorithm.digest(blob), blob.clone());
            registry.put_blob(&content, None).await.expect("a blob");
        }
        let tags: Vec<String> = tags.split_whitespace().map(ToOwned::to_owned).collect();
        let mut unlisted = Vec::new();
        for manifest in &self.manifests {
            let tags: &[String] = if manifest.digest == self.digest() { &tags } else { &[] };
            let mut left: Vec<&[String]> = vec![tags];
            if registry.abilities().many_tags != Some(true) && tags.len() > 1 {
                left = tags.chunks(1).collect();
            }
            for tags in left {
                let put = registry.put(manifest, tags).await;
                unlisted.extend(put.expect("a manifest").unlisted);
            }
        }
        registry.list_referrers(&unlisted).await.expect("listed");
    }
}

/// A descriptor as JSON, with fields behind it.
pub(crate) fn descriptor(kind: &str, bytes: &[u8], more: &str) -> String {
    described(Digest::of(bytes), kind, bytes, more)
}

fn described(digest: Digest, kind: &str, bytes: &[u8], more: &str) -> String {
    let size = bytes.len();
    format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}{more}}}"#)
}
