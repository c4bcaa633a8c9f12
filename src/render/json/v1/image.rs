//! Answers of `image`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diag::Diagnostic;
use crate::image;
use crate::model::{Digest, Platform};

/// Answer of `image assemble`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Assembled {
    /// The target as it can be given to other commands.
    pub reference: String,
    /// Digest of the index.
    pub digest: String,
    /// Bytes of the index.
    pub size: u64,
    /// The platform manifests, sorted by platform.
    pub platforms: Vec<PlatformDigest>,
}

/// A platform manifest.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlatformDigest {
    /// `OS/ARCH[/VARIANT]`.
    pub platform: String,
    /// Digest of the manifest.
    pub digest: String,
}

impl From<&(Platform, Digest)> for PlatformDigest {
    fn from((platform, digest): &(Platform, Digest)) -> Self {
        Self { platform: platform.to_string(), digest: digest.to_string() }
    }
}

impl Assembled {
    /// The answer for an image that was stored under a reference.
    pub fn new(reference: String, assembled: &image::Assembled) -> Self {
        let image::Assembled { index, platforms, package: _ } = assembled;
        Self {
            reference,
            digest: index.digest.to_string(),
            size: index.size,
            platforms: platforms.iter().map(PlatformDigest::from).collect(),
        }
    }
}

/// Answer of `image inspect`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Inspected {
    /// The target as it was given.
    pub reference: String,
    /// Digest of the index or manifest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The platforms that can be run, in the order of the index.
    pub platforms: Vec<InspectedPlatform>,
    /// What is attached; empty without `--referrers`.
    pub referrers: Vec<Referrer>,
}

/// One platform of an image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InspectedPlatform {
    /// `OS/ARCH[/VARIANT]`.
    pub platform: String,
    /// Digest of the manifest.
    pub digest: String,
    /// Bytes of the manifest.
    pub size: u64,
    /// Bytes a consumer pulls: config and layers as stored.
    pub compressed_size: u64,
    /// How it is run.
    pub config: Run,
}

/// How an image is run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Run {
    /// The user; `null` or empty is root.
    pub user: Option<String>,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Something attached to the image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Referrer {
    /// The manifest it is attached to.
    pub subject: String,
    /// Digest of its manifest.
    pub digest: String,
    /// What it is.
    pub artifact_type: Option<String>,
    /// Bytes of its manifest.
    pub size: u64,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Inspected {
    /// The answer for an image that was asked for by a reference.
    pub fn new(reference: String, inspected: &image::Inspected) -> Self {
        let image::Inspected { digest, media_type, bytes, annotations, platforms, referrers } = inspected;
        Self {
            reference,
            digest: digest.to_string(),
            media_type: media_type.clone(),
            size: bytes.len() as u64,
            annotations: annotations.clone(),
            platforms: platforms.iter().map(InspectedPlatform::from).collect(),
            referrers: referrers.iter().map(Referrer::from).collect(),
        }
    }
}

impl From<&image::InspectedPlatform> for InspectedPlatform {
    fn from(platform: &image::InspectedPlatform) -> Self {
        let image::Run { user, entrypoint, labels } = platform.run.clone();
        Self {
            platform: platform.platform.to_string(),
            digest: platform.digest.to_string(),
            size: platform.size,
            compressed_size: platform.compressed_size,
            config: Run { user, entrypoint, labels },
        }
    }
}

impl From<&image::Attached> for Referrer {
    fn from(attached: &image::Attached) -> Self {
        let image::Attached { subject, descriptor } = attached;
        Self {
            subject: subject.to_string(),
            digest: descriptor.digest.to_string(),
            artifact_type: descriptor.artifact_type.clone(),
            size: descriptor.size,
            annotations: descriptor.annotations.clone(),
        }
    }
}

/// Answer of `image check`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checked {
    /// Digest of the index or manifest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The image it was built on, when the annotations name it.
    pub base: Option<Base>,
    /// Whether everything the image names is stored and has the right digest.
    pub complete: bool,
    /// The platforms that can be run, in the order of the index.
    pub platforms: Vec<CheckedPlatform>,
    /// What is wrong whatever the policy says.
    pub findings: Vec<Diagnostic>,
}

/// The image another one was built on.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Base {
    /// Its reference.
    pub name: String,
    /// Its digest.
    pub digest: Option<String>,
}

/// What is known about one platform.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckedPlatform {
    /// `OS/ARCH[/VARIANT]`.
    pub platform: String,
    /// Digest of the manifest.
    pub digest: String,
    /// The platform the config names.
    pub config_platform: Option<String>,
    /// Bytes a consumer pulls: config and layers as stored.
    pub compressed_size: u64,
    /// Bytes of the layers after decompression.
    pub uncompressed_size: u64,
    /// The user; `null` or empty is root.
    pub user: Option<String>,
    /// The number of the user; `null` for a name, 0 when there is no user.
    pub uid: Option<u32>,
    /// Paths of shells.
    pub shells: Vec<String>,
    /// Paths of files that run as somebody else.
    pub setuid: Vec<String>,
    /// Whether every layer was looked at.
    pub scanned: bool,
}

impl From<&image::ImageFacts> for Checked {
    fn from(facts: &image::ImageFacts) -> Self {
        let image::ImageFacts { digest, media_type, annotations, base, complete, platforms, problems } =
            facts;
        Self {
            digest: digest.to_string(),
            media_type: media_type.clone(),
            annotations: annotations.clone(),
            base: base.as_ref().map(|base| Base { name: base.name.clone(), digest: base.digest.clone() }),
            complete: *complete,
            platforms: platforms.iter().map(CheckedPlatform::from).collect(),
            findings: problems.iter().map(Diagnostic::from).collect(),
        }
    }
}

impl From<&image::PlatformFacts> for CheckedPlatform {
    fn from(facts: &image::PlatformFacts) -> Self {
        let facts = facts.clone();
        Self {
            platform: facts.platform.to_string(),
            digest: facts.digest.to_string(),
            config_platform: facts.config_platform.map(|platform| platform.to_string()),
            compressed_size: facts.compressed_size,
            uncompressed_size: facts.uncompressed_size,
            user: facts.user,
            uid: facts.uid,
            shells: facts.shells,
            setuid: facts.setuid,
            scanned: facts.scanned,
        }
    }
}

/// Answer of `image tag`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tagged {
    /// Where the tags point to.
    pub digest: String,
    /// The tags, in the order they were given.
    pub tags: Vec<TagMove>,
}

/// One tag and what happened to it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TagMove {
    /// The tag.
    pub tag: String,
    /// Whether it may move.
    pub policy: TagPolicy,
    /// What happened to it.
    pub state: TagState,
    /// Where it pointed to before; `null` when there was no such tag, or when that was not asked.
    pub previous: Option<String>,
    /// The newer version that has it; only with the state `kept`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer: Option<String>,
}

/// Whether a tag may move.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TagPolicy {
    /// Set once.
    Immutable,
    /// Moves, but never back to an older version.
    Rolling,
}

/// What happened to a tag.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TagState {
    /// There was none.
    Created,
    /// It pointed to another digest.
    Moved,
    /// It points there now; where it pointed before was not asked.
    Set,
    /// It pointed there already.
    Unchanged,
    /// It stays where it is: a newer version has it, or the image is a prerelease.
    Kept,
}

impl Tagged {
    /// The answer for tags that now point to a digest.
    pub fn new(digest: &Digest, moves: &[image::Move]) -> Self {
        Self { digest: digest.to_string(), tags: moves.iter().map(TagMove::from).collect() }
    }
}

impl From<&image::Move> for TagMove {
    fn from(change: &image::Move) -> Self {
        Self {
            tag: change.tag.clone(),
            policy: match change.policy {
                image::TagPolicy::Immutable => TagPolicy::Immutable,
                image::TagPolicy::Rolling => TagPolicy::Rolling,
            },
            state: match change.state {
                image::TagState::Created => TagState::Created,
                image::TagState::Moved => TagState::Moved,
                image::TagState::Set => TagState::Set,
                image::TagState::Unchanged => TagState::Unchanged,
                image::TagState::Kept => TagState::Kept,
            },
            previous: change.previous.map(|digest| digest.to_string()),
            newer: change.newer.as_ref().map(ToString::to_string),
        }
    }
}
