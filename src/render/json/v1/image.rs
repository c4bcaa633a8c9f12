//! Answers of `image`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diag::Diagnostic;
use crate::format::oci::Descriptor;
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
    /// Digest of the image it was built on; `null` without `--base`.
    pub base: Option<String>,
}

/// A platform manifest.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlatformDigest {
    /// `OS/ARCH[/VARIANT]`.
    pub platform: String,
    /// Digest of the manifest.
    pub digest: String,
    /// Bytes a consumer pulls: config and layers as stored.
    pub compressed_size: u64,
}

impl Assembled {
    /// The answer for an image that was stored under a reference.
    pub fn new(reference: String, assembled: &image::Assembled, base: Option<&Digest>) -> Self {
        let image::Assembled { index, platforms, sizes, package: _ } = assembled;
        let platform = |((platform, digest), size): (&(Platform, Digest), &u64)| PlatformDigest {
            platform: platform.to_string(),
            digest: digest.to_string(),
            compressed_size: *size,
        };
        Self {
            reference,
            digest: index.digest.to_string(),
            size: index.size,
            platforms: platforms.iter().zip(sizes).map(platform).collect(),
            base: base.map(ToString::to_string),
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
    /// What it is when it is no image.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The platforms that can be run, in the order of the index; those of nested indexes last.
    pub platforms: Vec<InspectedPlatform>,
    /// The entries of the index that state something about another entry.
    pub attestations: Vec<Attestation>,
    /// The entries of the index that are neither.
    pub others: Vec<Other>,
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
    /// Its media type.
    pub media_type: String,
    /// Bytes of the manifest.
    pub size: u64,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Bytes a consumer pulls: config and layers as stored.
    pub compressed_size: u64,
    /// When it was made, as the config says.
    pub created: Option<String>,
    /// How it is run.
    pub config: Run,
    /// The layers, base first.
    pub layers: Vec<Other>,
}

/// How an image is run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Run {
    /// The user; `null` or empty is root.
    pub user: Option<String>,
    /// Variables, `NAME=VALUE`.
    pub env: Vec<String>,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// More arguments, or the program where there is no entrypoint.
    pub cmd: Vec<String>,
    /// The directory it starts in.
    pub working_dir: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// An entry of an index that states something about another entry.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Attestation {
    /// Digest of its manifest.
    pub digest: String,
    /// Bytes of its manifest.
    pub size: u64,
    /// The entry it is about; `null` when it does not say so.
    pub subject: Option<String>,
    /// What it states; empty without `--referrers`.
    pub predicate_types: Vec<String>,
}

/// Content that is described and not looked into.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Other {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
}

impl From<&Descriptor> for Other {
    fn from(descriptor: &Descriptor) -> Self {
        let Descriptor { digest, media_type, size, .. } = descriptor;
        Self { digest: digest.to_string(), media_type: media_type.clone(), size: *size }
    }
}

impl From<&image::Attestation> for Attestation {
    fn from(attestation: &image::Attestation) -> Self {
        let image::Attestation { descriptor, subject, predicate_types } = attestation;
        Self {
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            subject: subject.map(|subject| subject.to_string()),
            predicate_types: predicate_types.clone(),
        }
    }
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
        let image::Inspected { digest, media_type, artifact_type, bytes, annotations, .. } = inspected;
        let image::Inspected { platforms, attestations, others, referrers, .. } = inspected;
        Self {
            reference,
            digest: digest.to_string(),
            media_type: media_type.clone(),
            size: bytes.len() as u64,
            artifact_type: artifact_type.clone(),
            annotations: annotations.clone(),
            platforms: platforms.iter().map(InspectedPlatform::from).collect(),
            attestations: attestations.iter().map(Attestation::from).collect(),
            others: others.iter().map(Other::from).collect(),
            referrers: referrers.iter().map(Referrer::from).collect(),
        }
    }
}

impl From<&image::InspectedPlatform> for InspectedPlatform {
    fn from(platform: &image::InspectedPlatform) -> Self {
        let image::Run { user, env, entrypoint, cmd, working_dir, labels } = platform.run.clone();
        Self {
            platform: platform.platform.to_string(),
            digest: platform.digest.to_string(),
            media_type: platform.media_type.clone(),
            size: platform.size,
            annotations: platform.annotations.clone(),
            compressed_size: platform.compressed_size,
            created: platform.config.created.clone(),
            config: Run { user, env, entrypoint, cmd, working_dir, labels },
            layers: platform.layers.iter().map(Other::from).collect(),
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
    /// The image its sizes were compared with.
    pub previous: Option<Previous>,
    /// Whether everything the image names is stored and has the right digest.
    pub complete: bool,
    /// The platforms that can be run, in the order of the index.
    pub platforms: Vec<CheckedPlatform>,
    /// How many manifests state something about the image: attestations of its index, and referrers.
    pub vouchers: u64,
    /// What is wrong whatever the policy says.
    pub findings: Vec<Diagnostic>,
}

/// The image another one was built on.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Base {
    /// Its reference.
    pub name: String,
    /// Its digest, as the annotations have it.
    pub digest: Option<String>,
    /// The digest the name stands for now; `null` without `--base`.
    pub current: Option<String>,
    /// Whether the two are the same; `null` when one of them is not known.
    pub fresh: Option<bool>,
    /// When the base that the name stands for now was made.
    pub created: Option<String>,
}

/// The image that sizes were compared with.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Previous {
    /// Where it was found.
    pub reference: String,
    /// Its digest.
    pub digest: String,
}

/// The program an image runs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Program {
    /// Its path, links followed; as the config names it when there is no such file.
    pub path: String,
    /// Whether there is such a file, and it can be run.
    pub found: bool,
    /// The architecture of its ELF header; `null` for a script and for another format.
    pub architecture: Option<String>,
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
    /// The same of this platform of the previous image; `null` when there is none.
    pub previous_size: Option<u64>,
    /// How many bytes more it has than before; less than 0 when it has fewer.
    pub growth: Option<i64>,
    /// Bytes of the layers after decompression.
    pub uncompressed_size: u64,
    /// The user; `null` or empty is root.
    pub user: Option<String>,
    /// The number of the user; `null` for a name, 0 when there is no user.
    pub uid: Option<u32>,
    /// The number of the group; `null` for a name, and when there is no group.
    pub gid: Option<u32>,
    /// The program that is run; `null` when the config names none.
    pub program: Option<Program>,
    /// Paths of shells.
    pub shells: Vec<String>,
    /// Paths of programs that install packages.
    pub package_managers: Vec<String>,
    /// Paths of files that run as somebody else.
    pub setuid: Vec<String>,
    /// Whether it carries the lists of packages of a distroless image.
    pub distroless: bool,
    /// Whether its first layers are those of the base; `null` without `--base`.
    pub on_base: Option<bool>,
    /// Whether every layer was looked at.
    pub scanned: bool,
}

impl From<&image::ImageFacts> for Checked {
    fn from(facts: &image::ImageFacts) -> Self {
        let image::ImageFacts { digest, media_type, annotations, base, previous, .. } = facts;
        Self {
            digest: digest.to_string(),
            media_type: media_type.clone(),
            annotations: annotations.clone(),
            base: base.as_ref().map(Base::from),
            previous: previous.as_ref().map(|image| Previous {
                reference: image.reference.clone(),
                digest: image.digest.to_string(),
            }),
            complete: facts.complete,
            platforms: facts.platforms.iter().map(CheckedPlatform::from).collect(),
            vouchers: facts.vouchers,
            findings: facts.problems.iter().map(Diagnostic::from).collect(),
        }
    }
}

impl From<&image::BaseFacts> for Base {
    fn from(facts: &image::BaseFacts) -> Self {
        let image::BaseFacts { name, digest, current, fresh, created } = facts.clone();
        Self { name, digest, current: current.map(|digest| digest.to_string()), fresh, created }
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
            previous_size: facts.previous_size,
            growth: facts.previous_size.map(|before| difference(before, facts.compressed_size)),
            uncompressed_size: facts.uncompressed_size,
            user: facts.user,
            uid: facts.uid,
            gid: facts.gid,
            program: facts.program.map(|program| Program {
                path: program.path,
                found: program.found,
                architecture: program.architecture,
            }),
            shells: facts.shells,
            package_managers: facts.package_managers,
            setuid: facts.setuid,
            distroless: facts.distroless,
            on_base: facts.on_base,
            scanned: facts.scanned,
        }
    }
}

/// How many bytes more, as far as a number can say it.
fn difference(before: u64, after: u64) -> i64 {
    i64::try_from(i128::from(after) - i128::from(before)).unwrap_or(if after > before {
        i64::MAX
    } else {
        i64::MIN
    })
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
