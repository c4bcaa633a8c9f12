//! Answers of `image push`, `image copy`, `image index create` and `image probe`.

use schemars::JsonSchema;
use serde::Serialize;

use super::image::TagMove;
use crate::image;
use crate::model::Digest;

/// Answer of `image push`, `image copy` and `image index create`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Transferred {
    /// The destination as it was given.
    pub reference: String,
    /// The digest of the image.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// The tags that point to it there now.
    pub tags: Vec<String>,
    /// What happened to every tag that was asked for.
    pub moves: Vec<TagMove>,
    /// Digests of blobs that were sent.
    pub uploaded: Vec<String>,
    /// Digests of blobs that the host linked from another repository.
    pub mounted: Vec<String>,
    /// Digests of blobs that were there; of the image itself when nothing was looked at because all of it was there.
    pub skipped: Vec<String>,
    /// Digests of manifests that were sent.
    pub manifests: Vec<String>,
    /// Digests of those of them that are attached to the image.
    pub attached: Vec<String>,
    /// Requests to registries, all of them; stores on disk need none.
    pub requests: u64,
    /// Whether every place has the image: `complete`, or `degraded` when a mirror that need not have it has not.
    pub verdict: Verdict,
    /// The mirrors, in the order of `release.yaml`.
    pub mirrors: Vec<Mirror>,
    /// Every request that would be sent, in order; only in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Vec<String>>,
    /// The step of each of them, from 1: the requests of a step do not wait for one another; only in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_steps: Option<Vec<usize>>,
}

/// Whether every place has the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every place has it.
    Complete,
    /// A mirror that need not have it has not.
    Degraded,
}

/// What came of one mirror.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Mirror {
    /// The repository.
    pub repository: String,
    /// Whether it must have the image.
    pub required: bool,
    /// Whether it has the image.
    pub verdict: Verdict,
    /// The tags that point to it there now.
    pub tags: Vec<String>,
    /// Digests of blobs that were sent.
    pub uploaded: Vec<String>,
    /// Digests of blobs that the host linked from another repository.
    pub mounted: Vec<String>,
    /// Digests of blobs that were there.
    pub skipped: Vec<String>,
    /// Why it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&image::Arrived> for Mirror {
    fn from(one: &image::Arrived) -> Self {
        let of = |digests: &[Digest]| digests.iter().map(ToString::to_string).collect();
        Self {
            repository: one.name.clone(),
            required: one.mode == image::Mode::Required,
            verdict: if one.failure.is_some() { Verdict::Degraded } else { Verdict::Complete },
            tags: one.tags().map(ToOwned::to_owned).collect(),
            uploaded: of(&one.uploaded),
            mounted: of(&one.mounted),
            skipped: of(&one.skipped),
            error: one.failure.as_ref().map(ToString::to_string),
        }
    }
}

impl Transferred {
    /// The answer for what came of a transfer; the first place is the destination.
    pub fn new(reference: String, transferred: &image::Transferred, requests: u64) -> Self {
        let image::Transferred { digest, media_type, places, remarks: _ } = transferred;
        let first = places.first();
        let of = |digests: fn(&image::Arrived) -> &Vec<Digest>| {
            first.map(|one| digests(one).iter().map(ToString::to_string).collect()).unwrap_or_default()
        };
        Self {
            reference,
            digest: digest.to_string(),
            media_type: media_type.clone(),
            tags: first.map(|one| one.tags().map(ToOwned::to_owned).collect()).unwrap_or_default(),
            moves: first.map(|one| one.moves.iter().map(TagMove::from).collect()).unwrap_or_default(),
            uploaded: of(|one| &one.uploaded),
            mounted: of(|one| &one.mounted),
            skipped: of(|one| &one.skipped),
            manifests: of(|one| &one.manifests),
            attached: of(|one| &one.attached),
            requests,
            verdict: if places.iter().any(|one| one.failure.is_some()) {
                Verdict::Degraded
            } else {
                Verdict::Complete
            },
            mirrors: places.iter().skip(1).map(Mirror::from).collect(),
            plan: None,
            plan_steps: None,
        }
    }
}

/// Answer of `image probe`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Probed {
    /// The repository that was asked.
    pub repository: String,
    /// What was asked, in a fixed order.
    pub capabilities: Vec<Capability>,
    /// Requests that were sent.
    pub requests: u64,
}

/// Something a registry can do or cannot.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Capability {
    /// In kebab case.
    pub name: String,
    /// Whether it can; `null` when that could not be asked.
    pub supported: Option<bool>,
    /// The request and what was answered.
    pub evidence: String,
}
