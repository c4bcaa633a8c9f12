//! OCI image-spec 1.1: descriptors, indexes, manifests and configs, and their Docker schema 2 twins.
//!
//! What was read is kept as bytes beside the parsed view and never serialised again, so fields unknown here survive.
//! The types serialise in a fixed key order for documents that are made here.

pub mod annotation;
mod embedded;
mod error;
pub mod media_type;

pub use embedded::embedded;
pub use error::OciError;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Digest, Platform};

/// Most bytes of a manifest or index that are read; registries refuse larger ones at 4 MiB.
pub const MANIFEST_LIMIT: u64 = 8 << 20;

/// Most bytes of an image config that are read.
pub const CONFIG_LIMIT: u64 = 8 << 20;

/// Most descriptors in one document.
pub const DESCRIPTOR_LIMIT: usize = 4096;

/// Most members of objects and elements of arrays in a document, of all of them together. A member of four bytes takes
/// half a kilobyte of memory once it is read, so a document of eight megabytes could take half a gigabyte.
pub const PARTS_LIMIT: usize = 8 * DESCRIPTOR_LIMIT;

/// Most bytes of all annotations of a document, and of all that a config says for people. They are copied into whatever is
/// said of an image.
pub const TEXT_LIMIT: u64 = 1 << 20;

/// Deepest nesting of arrays and objects in a document.
pub const DEPTH_LIMIT: usize = 32;

/// A reference to content (image-spec, "Content Descriptors").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// `mediaType`.
    pub media_type: String,
    /// Digest of the bytes.
    pub digest: Digest,
    /// Number of bytes.
    pub size: u64,
    /// `artifactType` of the manifest it points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// `platform` of the manifest it points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformFields>,
    /// `annotations`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Describes bytes that are in memory by their SHA-256.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// Type, digest and size alone.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The platform of a runnable image; `None` for attestations and other entries that nobody runs.
    pub fn runnable(&self) -> Option<Platform> {
        let other = self.artifact_type.as_deref().is_some_and(|kind| !media_type::is_config(kind));
        if other || self.annotations.contains_key(annotation::DOCKER_REFERENCE_TYPE) {
            return None;
        }
        self.platform.as_ref()?.platform().filter(|platform| platform.os() != "unknown")
    }
}

/// `platform` of a descriptor as written (image-spec, "Image Index Property Descriptions").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformFields {
    /// `GOARCH`.
    pub architecture: String,
    /// `GOOS`.
    pub os: String,
    /// Version of the operating system.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the operating system must be able to do.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl PlatformFields {
    /// The normalised platform; `None` when the fields hold other characters than a platform has.
    pub fn platform(&self) -> Option<Platform> {
        let variant = self.variant.as_deref().filter(|variant| !variant.is_empty());
        Platform::new(&self.os, &self.architecture, variant).ok().map(|platform| platform.normalised())
    }
}

impl From<&Platform> for PlatformFields {
    fn from(platform: &Platform) -> Self {
        Self {
            architecture: platform.architecture().to_owned(),
            os: platform.os().to_owned(),
            os_version: None,
            os_features: Vec::new(),
            variant: platform.variant().map(ToOwned::to_owned),
        }
    }
}

/// An image index (image-spec, "OCI Image Index Specification").
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u64,
    /// `mediaType`.
    pub media_type: String,
    /// `artifactType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What it lists, in the order of the document.
    pub manifests: Vec<Descriptor>,
    /// What it is attached to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// `annotations`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An image manifest (image-spec, "OCI Image Manifest Specification").
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u64,
    /// `mediaType`.
    pub media_type: String,
    /// `artifactType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config; image-spec after 1.1 makes it optional.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Descriptor>,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
    /// What it is attached to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// `annotations`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An index or a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, never a list of them")]
pub enum Document {
    /// Lists manifests.
    Index(ImageIndex),
    /// Lists layers.
    Manifest(ImageManifest),
}

/// Fields of both kinds of document; which of them are there tells the kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Document {
    /// Reads an index or manifest. `declared` is the type its descriptor or the `Content-Type` says; the document
    /// must not say another, and must not look like both kinds (CVE-2021-41190).
    pub fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Self, OciError> {
        let fields: Fields = json(bytes, MANIFEST_LIMIT)?;
        if fields.schema_version != 2 {
            return Err(OciError::SchemaVersion { found: fields.schema_version });
        }
        if fields.manifests.is_some() && (fields.config.is_some() || fields.layers.is_some()) {
            return Err(OciError::Ambiguous);
        }
        if let (Some(expected), Some(found)) = (declared, &fields.media_type)
            && expected != found
        {
            return Err(OciError::MediaType { expected: expected.to_owned(), found: found.clone() });
        }
        let structural = if fields.manifests.is_some() { media_type::INDEX } else { media_type::MANIFEST };
        let media_type = fields.media_type.as_deref().or(declared).unwrap_or(structural).to_owned();
        let count = fields.manifests.iter().chain(&fields.layers).map(Vec::len).max().unwrap_or(0);
        if count > DESCRIPTOR_LIMIT {
            return Err(OciError::TooMany { limit: DESCRIPTOR_LIMIT, found: count });
        }
        let annotations = fields.annotations.unwrap_or_default();
        let named = fields.manifests.iter().chain(&fields.layers).flatten().chain(&fields.config);
        let all = named.chain(&fields.subject).map(|named| &named.annotations).chain([&annotations]);
        within_text(all.flatten().flat_map(|(key, value)| [key, value]))?;
        embedded::check(bytes)?;
        let Fields { schema_version, artifact_type, manifests, config, layers, subject, .. } = fields;
        if media_type::is_index(&media_type) {
            if config.is_some() || layers.is_some() {
                return Err(OciError::Ambiguous);
            }
            let manifests = manifests.unwrap_or_default();
            Ok(Self::Index(ImageIndex {
                schema_version,
                media_type,
                artifact_type,
                manifests,
                subject,
                annotations,
            }))
        } else if media_type::is_manifest(&media_type) {
            if manifests.is_some() {
                return Err(OciError::Ambiguous);
            }
            let layers = layers.ok_or(OciError::Missing { field: "layers" })?;
            Ok(Self::Manifest(ImageManifest {
                schema_version,
                media_type,
                artifact_type,
                config,
                layers,
                subject,
                annotations,
            }))
        } else {
            Err(OciError::UnknownMediaType { found: media_type })
        }
    }

    /// `mediaType`, or the type it was read as.
    pub fn media_type(&self) -> &str {
        match self {
            Self::Index(index) => &index.media_type,
            Self::Manifest(manifest) => &manifest.media_type,
        }
    }

    /// What it is attached to.
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Index(index) => index.subject.as_ref(),
            Self::Manifest(manifest) => manifest.subject.as_ref(),
        }
    }

    /// `annotations`.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Index(index) => &index.annotations,
            Self::Manifest(manifest) => &manifest.annotations,
        }
    }

    /// What a referrers list says as `artifactType` (distribution-spec, "Listing Referrers"): the document's own, or
    /// the media type of a manifest's config.
    pub fn artifact_type(&self) -> Option<&str> {
        match self {
            Self::Index(index) => index.artifact_type.as_deref(),
            Self::Manifest(manifest) => manifest
                .artifact_type
                .as_deref()
                .or_else(|| manifest.config.as_ref().map(|config| config.media_type.as_str())),
        }
    }

    /// Everything that must be stored for the document to be whole: children, or config and layers. Not the subject.
    pub fn named(&self) -> impl Iterator<Item = &Descriptor> {
        let (manifests, config, layers): (&[Descriptor], _, &[Descriptor]) = match self {
            Self::Index(index) => (&index.manifests, None, &[]),
            Self::Manifest(manifest) => (&[], manifest.config.as_ref(), &manifest.layers),
        };
        manifests.iter().chain(config).chain(layers)
    }
}

/// An image config (image-spec, "Image JSON"), without the fields nothing here looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// `GOARCH`.
    pub architecture: String,
    /// `GOOS`.
    pub os: String,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// RFC 3339 time of the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// How the image is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Execution>,
    /// The layers as they are unpacked.
    pub rootfs: RootFs,
    /// One entry per step of the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<History>>,
}

/// How an image is run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Execution {
    /// `UID[:GID]` or names; empty means root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `NAME=VALUE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// The program and its first arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// More arguments, or the program where there is no entrypoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// The directory it starts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// The layers as they are unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digests of the uncompressed layers, base first.
    pub diff_ids: Vec<Digest>,
}

/// One step of the build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

impl ImageConfig {
    /// Reads a config of at most [`CONFIG_LIMIT`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, OciError> {
        let read: Self = json(bytes, CONFIG_LIMIT)?;
        let run = read.config.iter();
        let lists =
            run.clone().flat_map(|run| run.env.iter().chain(&run.entrypoint).chain(&run.cmd)).flatten();
        let labels =
            run.filter_map(|run| run.labels.as_ref()).flatten().flat_map(|(key, value)| [key, value]);
        let steps = read.history.iter().flatten().filter_map(|step| step.created_by.as_ref());
        within_text(lists.chain(labels).chain(steps))?;
        Ok(read)
    }

    /// The normalised platform; `None` when the fields hold other characters than a platform has.
    pub fn platform(&self) -> Option<Platform> {
        PlatformFields {
            architecture: self.architecture.clone(),
            os: self.os.clone(),
            os_version: None,
            os_features: Vec::new(),
            variant: self.variant.clone(),
        }
        .platform()
    }
}

/// The file `oci-layout` (image-spec, "oci-layout file").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutFile {
    /// Always [`LayoutFile::VERSION`].
    pub image_layout_version: String,
}

impl LayoutFile {
    /// The only version there is.
    pub const VERSION: &str = "1.0.0";

    /// Reads the file; another version is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, OciError> {
        let file: Self = json(bytes, 4096)?;
        if file.image_layout_version == Self::VERSION {
            Ok(file)
        } else {
            Err(OciError::LayoutVersion { found: file.image_layout_version })
        }
    }
}

fn within_text<'a>(texts: impl Iterator<Item = &'a String>) -> Result<(), OciError> {
    let found = texts.map(|text| text.len() as u64).sum();
    if found > TEXT_LIMIT { Err(OciError::TooMuchText { limit: TEXT_LIMIT, found }) } else { Ok(()) }
}

fn json<'bytes, T: Deserialize<'bytes>>(bytes: &'bytes [u8], limit: u64) -> Result<T, OciError> {
    json_of(bytes, limit, PARTS_LIMIT)
}

/// Parses JSON after its size, its nesting and the number of its parts have been checked.
pub fn json_of<'bytes, T: Deserialize<'bytes>>(
    bytes: &'bytes [u8],
    limit: u64,
    most: usize,
) -> Result<T, OciError> {
    if bytes.len() as u64 > limit {
        return Err(OciError::TooLarge { limit, found: bytes.len() as u64 });
    }
    let (mut depth, mut parts, mut in_string, mut escaped) = (0_usize, 1, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    return Err(OciError::TooDeep { limit: DEPTH_LIMIT });
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            b',' if !in_string => parts += 1,
            _ => {}
        }
    }
    if parts > most {
        return Err(OciError::TooManyParts { limit: most, found: parts });
    }
    Ok(serde_json::from_slice(bytes)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn index(entry: &str) -> String {
        format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entry}]}}"#, media_type::INDEX)
    }

    #[test]
    fn reads_an_index_and_normalises_platforms() {
        let text = index(&format!(
            r#"{{"mediaType":"{}","digest":"{DIGEST}","size":2,"future":[1],"platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}}"#,
            media_type::MANIFEST
        ));
        let Document::Index(index) = Document::parse(text.as_bytes(), Some(media_type::INDEX)).unwrap()
        else {
            panic!("an index");
        };
        assert_eq!(index.manifests[0].runnable().unwrap().to_string(), "linux/arm64");
    }

    #[test]
    fn refuses_documents_of_two_kinds() {
        let both = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
        assert!(matches!(Document::parse(both.as_bytes(), None), Err(OciError::Ambiguous)));
        let flipped = Document::parse(index("").as_bytes(), Some(media_type::MANIFEST));
        assert!(matches!(flipped, Err(OciError::MediaType { .. })));
        let undeclared = r#"{"schemaVersion":2,"manifests":[]}"#;
        let read = Document::parse(undeclared.as_bytes(), Some(media_type::DOCKER_MANIFEST));
        assert!(matches!(read, Err(OciError::Ambiguous)));
        let config = Document::parse(br#"{"schemaVersion":2,"layers":[]}"#, Some(media_type::CONFIG));
        assert!(matches!(config, Err(OciError::UnknownMediaType { .. })));
    }

    #[test]
    fn refuses_other_versions_depth_and_numbers() {
        let old = Document::parse(br#"{"schemaVersion":1,"layers":[]}"#, None);
        assert!(matches!(old, Err(OciError::SchemaVersion { found: 1 })));
        let deep = format!(r#"{{"schemaVersion":2,"layers":[],"x":{}{}}}"#, "[".repeat(32), "]".repeat(32));
        assert!(matches!(Document::parse(deep.as_bytes(), None), Err(OciError::TooDeep { limit: 32 })));
        let entry = format!(r#"{{"mediaType":"x","digest":"{DIGEST}","size":2}}"#);
        let many = index(&vec![entry; DESCRIPTOR_LIMIT + 1].join(","));
        assert!(matches!(Document::parse(many.as_bytes(), None), Err(OciError::TooMany { found: 4097, .. })));
        let many = index(&format!(
            r#"{{"mediaType":"x","digest":"{DIGEST}","size":2,"annotations":{{{}}}}}"#,
            (0..PARTS_LIMIT).map(|key| format!(r#""{key}":"""#)).collect::<Vec<_>>().join(",")
        ));
        let error = Document::parse(many.as_bytes(), None).unwrap_err();
        assert!(
            matches!(error, OciError::TooManyParts { limit: 32_768, found } if found > 32_768),
            "{error}"
        );
        let text = index(&format!(
            r#"{{"mediaType":"x","digest":"{DIGEST}","size":2,"annotations":{{"k":"{}"}}}}"#,
            "v".repeat(1 << 20)
        ));
        let error = Document::parse(text.as_bytes(), None).unwrap_err();
        assert!(matches!(error, OciError::TooMuchText { found: 1_048_577, .. }), "{error}");
        let config = |label: &str| {
            format!(
                r#"{{"architecture":"a","os":"o","rootfs":{{"type":"layers","diff_ids":[]}},"config":{{"Labels":{{"l":"{label}"}},"Env":["{}"]}}}}"#,
                "e".repeat(1 << 19)
            )
        };
        ImageConfig::parse(config("v").as_bytes()).unwrap();
        let error = ImageConfig::parse(config(&"v".repeat(1 << 20)).as_bytes()).unwrap_err();
        assert!(matches!(error, OciError::TooMuchText { .. }), "{error}");
        let one = index(&format!(r#"{{"mediaType":"{}","digest":"{DIGEST}","size":2}}"#, ",".repeat(60_000)));
        Document::parse(one.as_bytes(), None).unwrap();
        let negative = index(&format!(r#"{{"mediaType":"x","digest":"{DIGEST}","size":-1}}"#));
        assert!(matches!(Document::parse(negative.as_bytes(), None), Err(OciError::Json(_))));
        let traversal = index(r#"{"mediaType":"x","digest":"sha256:../../x","size":1}"#);
        assert!(matches!(Document::parse(traversal.as_bytes(), None), Err(OciError::Json(_))));
        assert!(matches!(
            LayoutFile::parse(br#"{"imageLayoutVersion":"2.0.0"}"#),
            Err(OciError::LayoutVersion { .. })
        ));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in r#"[\[\]{}":,\\a-z0-9]{0,80}"#) {
            let _ = Document::parse(&bytes, None);
            let _ = Document::parse(text.as_bytes(), Some(media_type::INDEX));
            let _ = ImageConfig::parse(text.as_bytes());
        }

        #[test]
        fn what_is_written_is_read_back(size: u64, keys in proptest::collection::btree_map("[a-z.]{1,9}", ".{0,9}", 0..4)) {
            let mut layer = Descriptor::of(media_type::LAYER_GZIP, b"layer");
            layer.size = size;
            let manifest = ImageManifest {
                schema_version: 2,
                media_type: media_type::MANIFEST.to_owned(),
                artifact_type: Some("a/b".to_owned()),
                config: Some(Descriptor::of(media_type::EMPTY, b"{}")),
                layers: vec![layer],
                subject: None,
                annotations: keys,
            };
            let bytes = serde_json::to_vec(&manifest).unwrap();
            prop_assert_eq!(Document::parse(&bytes, None).unwrap(), Document::Manifest(manifest));
        }
    }
}
