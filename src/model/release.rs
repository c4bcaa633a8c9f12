//! The release manifest (RM): everything that will exist, by name, size and digest.

use std::fmt;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{AssetName, CommitId, Digest, Platform, Repository, Tag, TagPattern};

/// What a release consists of. Its canonical JSON (RFC 8785, integers only) is the asset `release-manifest.json`;
/// the digest of those bytes is the [`Rid`]. It lists `checksums.txt`; neither lists the manifest itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseManifest {
    /// Always [`ReleaseManifest::SCHEMA`].
    pub schema: String,
    /// The name of the project.
    pub name: String,
    /// The git tag.
    pub tag: Tag,
    /// The version in the tag.
    pub version: Version,
    /// Whether consumers who ask for the latest stable release must not get this one.
    pub prerelease: bool,
    /// The commit the tag points to, peeled.
    pub commit: CommitId,
    /// The time of the tag: `SOURCE_DATE_EPOCH` of everything made for the release.
    pub created: Timestamp,
    /// The asset whose text is the body of the release; `None` for an empty body.
    pub notes: Option<AssetName>,
    /// Every other file of the release, sorted by name.
    pub assets: Vec<ReleaseAsset>,
    /// Every image of the release, sorted by repository.
    pub images: Vec<ImageEntry>,
}

impl ReleaseManifest {
    /// The value of `schema`.
    pub const SCHEMA: &str = "kyklos-release/release-manifest/v1";
    /// The name of the asset that holds the manifest.
    pub const ASSET: &str = "release-manifest.json";

    /// Which tags are releases of the same line of versions: those that have this one's form.
    pub fn pattern(&self) -> TagPattern {
        let prefix = self.tag.as_str().strip_suffix(&self.version.to_string());
        prefix.and_then(|prefix| format!("{prefix}{{version}}").parse().ok()).unwrap_or_default()
    }

    /// Every digest in it.
    pub fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        let images = self.images.iter().flat_map(|image| {
            let referrers = image.referrers.iter().flat_map(|referrer| [referrer.subject, referrer.digest]);
            let platforms = image.platforms.iter().map(|platform| platform.digest);
            std::iter::once(image.digest).chain(platforms).chain(referrers)
        });
        self.assets.iter().map(|asset| asset.digest).chain(images)
    }

    /// The asset of a name.
    pub fn asset(&self, name: &AssetName) -> Option<&ReleaseAsset> {
        self.assets.iter().find(|asset| asset.name == *name)
    }
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseAsset {
    /// The file name.
    pub name: AssetName,
    /// Bytes.
    pub size: u64,
    /// Digest of the bytes.
    pub digest: Digest,
}

/// One image of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageEntry {
    /// Where consumers pull it from.
    pub repository: Repository,
    /// Digest of the index.
    pub digest: Digest,
    /// The platform manifests, sorted by platform.
    pub platforms: Vec<PlatformEntry>,
    /// Tags that never move, written before the release becomes visible.
    pub tags: Vec<String>,
    /// Tags that only move forward, written after the release became visible.
    pub rolling: Vec<String>,
    /// Signatures and statements attached to the index or a platform manifest.
    pub referrers: Vec<ReferrerEntry>,
}

/// One platform manifest of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformEntry {
    /// The platform.
    pub platform: Platform,
    /// Digest of the manifest.
    pub digest: Digest,
}

/// One referrer: a bundle that is an asset of the release and is attached to an image as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferrerEntry {
    /// The manifest it is attached to.
    pub subject: Digest,
    /// The asset that holds the bytes of its layer.
    pub asset: AssetName,
    /// Digest of the referrer manifest.
    pub digest: Digest,
}

/// The identity of a release: the digest of its manifest's canonical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rid(pub Digest);

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
