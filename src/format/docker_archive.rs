//! `manifest.json` of a Docker archive: what `docker save` writes and `docker load` reads (Docker Image Specification
//! v1.2, "Combined Image JSON + Filesystem Changeset Format"). Read only: images are written as OCI content.

use serde::Deserialize;

/// Most bytes of `manifest.json` that are read.
pub const MANIFEST_LIMIT: u64 = 4 << 20;

/// Most images of one archive.
pub const IMAGE_LIMIT: usize = 1024;

/// Most layers of one image.
pub const LAYER_LIMIT: usize = 4096;

/// One image of an archive: paths of entries, relative to the root of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SavedImage {
    /// The entry with the image config.
    pub config: String,
    /// `NAME:TAG` of every name of the image.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub repo_tags: Vec<String>,
    /// The entries with the layers, base first.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub layers: Vec<String>,
}

impl SavedImage {
    /// The tags without the names they belong to, sorted, each once.
    pub fn tags(&self) -> Vec<&str> {
        let split = |name: &str| name.rsplit_once(':').is_some_and(|(_, tag)| !tag.contains('/'));
        let named = self.repo_tags.iter().filter(|name| split(name));
        let mut tags: Vec<&str> = named.filter_map(|name| Some(name.rsplit_once(':')?.1)).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }
}

/// Reads `manifest.json`: at least one image, every entry a relative path inside the archive.
pub fn read(bytes: &[u8]) -> Result<Vec<SavedImage>, DockerArchiveError> {
    if bytes.len() as u64 > MANIFEST_LIMIT {
        return Err(DockerArchiveError::TooLarge { limit: MANIFEST_LIMIT, found: bytes.len() as u64 });
    }
    let images: Vec<SavedImage> = serde_json::from_slice(bytes)?;
    if images.is_empty() {
        return Err(DockerArchiveError::Empty);
    }
    if images.len() > IMAGE_LIMIT {
        return Err(DockerArchiveError::TooMany { what: "images", limit: IMAGE_LIMIT, found: images.len() });
    }
    for image in &images {
        if image.layers.len() > LAYER_LIMIT {
            let found = image.layers.len();
            return Err(DockerArchiveError::TooMany { what: "layers", limit: LAYER_LIMIT, found });
        }
        if let Some(name) = image.layers.iter().chain([&image.config]).find(|name| !inside(name)) {
            return Err(DockerArchiveError::Name { found: name.escape_debug().take(200).collect() });
        }
    }
    Ok(images)
}

/// Old archives name layers `ID/layer.tar`, new ones `blobs/sha256/HEX`; nothing else has business in a name.
fn inside(name: &str) -> bool {
    name.len() <= 512
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !name.contains(['\0', '\\'])
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Which rule of the format `manifest.json` breaks.
#[derive(Debug, thiserror::Error)]
pub enum DockerArchiveError {
    /// Not JSON, or not with the fields of the format.
    #[error("it cannot be parsed: {0}")]
    Json(#[from] serde_json::Error),
    /// More bytes than the reader takes.
    #[error("it has {found} bytes, at most {limit} are read")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// The size in bytes.
        found: u64,
    },
    /// More images or layers than the reader takes.
    #[error("it names {found} {what}, at most {limit} are read")]
    TooMany {
        /// Images or layers.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// A name that is no path inside the archive.
    #[error("`{found}` is not a path inside the archive")]
    Name {
        /// The refused name, escaped and cut.
        found: String,
    },
    /// No image at all.
    #[error("it names no image")]
    Empty,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_images_and_their_tags() {
        let text = r#"[{"Config":"blobs/sha256/ab","RepoTags":["localhost:5000/a/b:v1","c:v1","c:2","localhost:5000/d"],"Layers":["x/layer.tar"],"LayerSources":{}},{"Config":"c.json","RepoTags":null,"Layers":null}]"#;
        let images = read(text.as_bytes()).unwrap();
        assert_eq!(images[0].tags(), ["2", "v1"]);
        assert_eq!((images[0].layers.len(), images[1].layers.len(), images[1].tags().len()), (1, 0, 0));
    }

    #[test]
    fn refuses_names_that_lead_out_and_empty_lists() {
        for name in ["../x", "/x", "a//b", "a/./b", "a\\b", "", "a\0b"] {
            let text = serde_json::json!([{ "Config": "c.json", "Layers": [name] }]).to_string();
            assert!(matches!(read(text.as_bytes()), Err(DockerArchiveError::Name { .. })), "{name:?}");
        }
        assert!(matches!(read(b"[]"), Err(DockerArchiveError::Empty)));
        let many = serde_json::json!([{ "Config": "c", "Layers": vec!["l"; LAYER_LIMIT + 1] }]).to_string();
        assert!(matches!(read(many.as_bytes()), Err(DockerArchiveError::TooMany { found: 4097, .. })));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in r#"[\[\]{}":,A-Za-z]{0,80}"#) {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
        }
    }
}
