//! The answer of `rehearse`.

use schemars::JsonSchema;
use serde::Serialize;

/// `rehearse`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rehearsal {
    /// The identity of the release.
    pub rid: String,
    /// The tag.
    pub tag: String,
    /// Where everything is.
    pub directory: String,
    /// How many files the release has, the manifest included.
    pub assets: usize,
    /// Digest of the index of the image.
    pub image: Option<String>,
    /// What a consumer types.
    pub verify: String,
}
