//! Floor 3: facts with digest, origin, commit and time.
//!
//! A fact that cannot be read stays in the collection as what it is: unreadable. No gate can mistake it for absent or
//! fine.

mod envelope;
mod fact;

pub use envelope::{Envelope, EnvelopeError, Witness};
pub use fact::{
    ApprovalFacts, ChangelogFacts, ChecksumFacts, Fact, HeldBundle, MANUAL_MARK, SbomFacts, SignatureFacts,
    TestFacts, read,
};

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::model::{AssetName, CommitId, Digest, ReleaseManifest, Rid, Tag};

/// What the release is about; evidence of anything else proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The tag.
    pub tag: Tag,
    /// The version in the tag.
    pub version: Version,
    /// The commit of the tag.
    pub commit: CommitId,
    /// The index of the image, when it is known.
    pub index: Option<Digest>,
    /// Whether the release has an image, known or not.
    pub has_image: bool,
    /// Platform manifests of the image, as far as they are known.
    pub platforms: Vec<Digest>,
    /// Files of the release, as far as they are known.
    pub assets: BTreeMap<AssetName, Digest>,
    /// The identity of the release, once it is planned.
    pub rid: Option<Rid>,
}

impl Subject {
    /// A release of which no more is known than its tag.
    pub fn of_tag(tag: Tag, version: Version, commit: CommitId) -> Self {
        Self {
            tag,
            version,
            commit,
            index: None,
            has_image: false,
            platforms: Vec::new(),
            assets: BTreeMap::new(),
            rid: None,
        }
    }

    /// A release that is planned.
    pub fn planned(manifest: &ReleaseManifest, rid: Rid) -> Self {
        let image = manifest.images.first();
        let platforms = image.into_iter().flat_map(|image| &image.platforms);
        let assets = manifest.assets.iter().map(|asset| (asset.name.clone(), asset.digest));
        Self {
            index: image.map(|image| image.digest),
            has_image: image.is_some(),
            platforms: platforms.map(|entry| entry.digest).collect(),
            assets: assets.chain(ReleaseManifest::ASSET.parse().ok().map(|name| (name, rid.0))).collect(),
            rid: Some(rid),
            ..Self::of_tag(manifest.tag.clone(), manifest.version.clone(), manifest.commit)
        }
    }
}

/// How well evidence is tied to the subject.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// A file that says nothing about its origin.
    Bare,
    /// Made for this commit or image, says an envelope or this very run.
    Bound,
    /// Signed by an expected identity.
    Attested,
}

/// What kind of fact an item holds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `go test -json`.
    Gotest,
    /// JUnit XML.
    Junit,
    /// `CHANGELOG-TAG.md`.
    Changelog,
    /// The comparison of `checksums.txt` with the files.
    Checksums,
    /// The answer of `image check`.
    Image,
    /// The comparison of `sbom.json` with the binaries.
    Sbom,
    /// The verification of the bundles.
    Signatures,
    /// Somebody's approval of the release.
    Approval,
    /// Any JSON document, for custom gates.
    Json,
}

impl std::fmt::Display for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bare => "bare",
            Self::Bound => "bound",
            Self::Attested => "attested",
        })
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gotest => "gotest",
            Self::Junit => "junit",
            Self::Changelog => "changelog",
            Self::Checksums => "checksums",
            Self::Image => "image",
            Self::Sbom => "sbom",
            Self::Signatures => "signatures",
            Self::Approval => "approval",
            Self::Json => "json",
        })
    }
}

/// One piece of evidence.
#[derive(Debug, Clone)]
pub struct Item {
    /// What kind of fact it holds.
    pub kind: Kind,
    /// The file, or a name for a fact measured in this run.
    pub path: String,
    /// Digest of the file.
    pub digest: Digest,
    /// How well it is tied to the subject.
    pub trust: Trust,
    /// The commit it was made for.
    pub commit: Option<CommitId>,
    /// The image it was made for.
    pub index: Option<Digest>,
    /// The platform manifests it was made for.
    pub platforms: Vec<Digest>,
    /// The files of the release it was made for.
    pub assets: BTreeMap<AssetName, Digest>,
    /// When it was made.
    pub produced: Option<Timestamp>,
    /// What it says, or why it cannot be read.
    pub fact: Result<Fact, String>,
}

/// Everything that is known about a release.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// What it is about.
    pub subject: Subject,
    /// Facts, in the order they were found.
    pub items: Vec<Item>,
}
