//! Answers of `image push`, `image copy` and `image index create`.

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
        }
    }
}
