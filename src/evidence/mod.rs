//! Floor 3: facts with digest, origin, commit and time.
//!
//! A fact that cannot be read stays in the collection as what it is: unreadable. No gate can mistake it for absent or
//! fine.

mod envelope;
mod fact;

pub use envelope::{Envelope, EnvelopeError};
pub use fact::{
    ChangelogFacts, ChecksumFacts, Fact, HeldBundle, MANUAL_MARK, SbomFacts, SignatureFacts, TestFacts, read,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{CommitId, Digest, Tag};

/// What the release is about; evidence of anything else proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The tag.
    pub tag: Tag,
    /// The commit of the tag.
    pub commit: CommitId,
    /// The index of the image, when it is known.
    pub index: Option<Digest>,
    /// Whether the release has an image, known or not.
    pub has_image: bool,
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
    /// Any JSON document, for custom gates.
    Json,
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
