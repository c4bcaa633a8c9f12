//! The image of a release, read from `image-manifest.json`, `image-digests.txt` and the bundles that speak of it.

use std::path::Path;

use semver::Version;

use super::{Facts, PlanError};
use crate::diag::{Hint, Kind};
use crate::format::oci::{Document, MANIFEST_LIMIT};
use crate::image;
use crate::model::{AssetName, Digest, ImageEntry, Platform, PlatformEntry, ReleaseAsset, Repository};
use crate::port::Files;

/// The largest `image-digests.txt` that is read.
const MAX_DIGESTS: u64 = 1 << 20;
/// The largest bundle that is read.
const MAX_BUNDLE: u64 = 32 << 20;

/// Images of dist: none without `image-manifest.json`.
pub(super) fn images(
    facts: &Facts,
    dist: &dyn Files,
    assets: &[ReleaseAsset],
) -> Result<Vec<ImageEntry>, PlanError> {
    let has = |name: &str| assets.iter().any(|asset| asset.name.as_str() == name);
    match (has("image-manifest.json"), has("image-digests.txt")) {
        (false, false) => return Ok(Vec::new()),
        (true, true) => {}
        (true, false) => return Err(ImageError::Half { missing: "image-digests.txt" }.into()),
        (false, true) => return Err(ImageError::Half { missing: "image-manifest.json" }.into()),
    }
    let index = dist.read(Path::new("image-manifest.json"), MANIFEST_LIMIT)?;
    let digests = dist.read(Path::new("image-digests.txt"), MAX_DIGESTS)?;
    let repository = repository(&String::from_utf8_lossy(&digests), &Digest::of(&index))?;
    let manifests = match Document::parse(&index, None) {
        Ok(Document::Index(index)) => index.manifests,
        Ok(Document::Manifest(_)) => return Err(ImageError::NotAnIndex.into()),
        Err(source) => return Err(ImageError::Unreadable { source }.into()),
    };
    let mut entries: Vec<PlatformEntry> = manifests
        .into_iter()
        .filter_map(|descriptor| {
            Some(PlatformEntry { platform: descriptor.runnable()?, digest: descriptor.digest })
        })
        .collect();
    entries.sort_by(|left, right| left.platform.cmp(&right.platform));
    if let Some(entry) = entries.iter().find(|entry| entry.digest.sha256().is_none()) {
        let (platform, found) = (entry.platform.clone(), entry.digest);
        return Err(ImageError::Algorithm { platform, found }.into());
    }
    Ok(vec![ImageEntry {
        repository,
        digest: Digest::of(&index),
        platforms: entries,
        tags: vec![facts.tag.file_part()],
        rolling: rolling(facts),
        referrers: image::attachments(&index, &bundles(dist, assets)?, facts.created)
            .map_err(|source| ImageError::Attachment { source })?,
    }])
}

/// The repository in the line of the index.
fn repository(digests: &str, index: &Digest) -> Result<Repository, ImageError> {
    let line = digests.lines().find(|line| line.split(' ').next() == Some(&index.to_string()));
    let found = line.ok_or(ImageError::OtherIndex { expected: *index })?;
    let mut name = found.split(' ').nth(1).unwrap_or_default();
    if let Some((repository, tag)) = name.rsplit_once(':')
        && !tag.contains('/')
    {
        name = repository;
    }
    name.parse().map_err(|_| ImageError::Repository { found: name.to_owned() })
}

/// `latest`, `vMAJOR` and `vMAJOR.MINOR` in the spelling of the tag, unless the configuration says otherwise. A
/// prerelease moves nothing.
fn rolling(facts: &Facts) -> Vec<String> {
    let Version { major, minor, pre, .. } = &facts.version;
    if !pre.is_empty() {
        return Vec::new();
    }
    let tag = facts.tag.file_part();
    let prefix = tag.strip_suffix(&facts.version.to_string()).unwrap_or("v");
    let names = facts.rolling.clone();
    names.unwrap_or_else(|| {
        vec!["latest".to_owned(), format!("{prefix}{major}"), format!("{prefix}{major}.{minor}")]
    })
}

/// Every bundle of dist.
fn bundles(dist: &dyn Files, assets: &[ReleaseAsset]) -> Result<Vec<(AssetName, Vec<u8>)>, PlanError> {
    let mut bundles = Vec::new();
    for asset in assets.iter().filter(|asset| asset.name.as_str().ends_with(".sigstore.json")) {
        bundles.push((asset.name.clone(), dist.read(Path::new(asset.name.as_str()), MAX_BUNDLE)?));
    }
    Ok(bundles)
}

/// Why the image files of dist do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// One of the two files is missing.
    #[error("dist holds one half of an image: {missing} is missing")]
    Half {
        /// The missing file.
        missing: &'static str,
    },
    /// `image-manifest.json` is a manifest of one platform.
    #[error("image-manifest.json is no index")]
    NotAnIndex,
    /// A platform is named by another algorithm than releases are.
    #[error("the index names {platform} by {}, releases are named by sha256", found.algorithm())]
    Algorithm {
        /// The platform.
        platform: Platform,
        /// Its digest.
        found: Digest,
    },
    /// `image-manifest.json` cannot be read.
    #[error("image-manifest.json cannot be read")]
    Unreadable {
        /// Why.
        #[source]
        source: crate::format::oci::OciError,
    },
    /// `image-digests.txt` is about another image.
    #[error("image-digests.txt does not name the index {expected}")]
    OtherIndex {
        /// The digest of `image-manifest.json`.
        expected: Digest,
    },
    /// A bundle cannot be attached.
    #[error("a bundle cannot be attached to the image")]
    Attachment {
        /// Why.
        #[source]
        source: image::ImageError,
    },
    /// `image-digests.txt` names no repository.
    #[error("image-digests.txt names `{found}`, which is no image repository")]
    Repository {
        /// The text found.
        found: String,
    },
}

impl Hint for ImageError {
    fn code(&self) -> &'static str {
        "plan-image"
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        vec!["write both files with `kyklos-release image inspect TARGET --out DIST`".to_owned()]
    }
}
