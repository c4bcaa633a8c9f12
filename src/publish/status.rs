//! Where a release stands, read-only.

use super::{Job, Memory, PublishError, World, diff, observe};
use crate::model::ReleaseManifest;
use crate::port::Release;

/// How far a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of it is there.
    Absent,
    /// Something is there, nobody sees it.
    Partial,
    /// Every byte is in the draft.
    Staged,
    /// Everybody sees it.
    Published,
    /// The tag belongs to another draft or release.
    Foreign,
    /// It was published and is withdrawn.
    Withdrawn,
}

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far it is.
    pub stage: Stage,
    /// Assets that are there.
    pub done: Vec<String>,
    /// Assets that are not.
    pub missing: Vec<String>,
    /// The next action in words; `None` when nothing is left or nothing can be done.
    pub next: Option<String>,
    /// What stands in the way.
    pub obstacle: Option<String>,
}

/// Looks and compares. Takes no lock and changes nothing.
pub async fn status(world: &World<'_>, job: &Job<'_>) -> Result<Status, PublishError> {
    let state = observe(world, job).await?;
    let next = diff(job, &state, &Memory::default());
    let release = state.published.first().or(state.ours.first());
    let (done, missing): (Vec<_>, Vec<_>) = job.assets().into_iter().partition(|asset| {
        release.is_some_and(|release: &Release| {
            release
                .assets
                .iter()
                .any(|stored| stored.name == asset.name.as_str() && stored.size == asset.size)
        })
    });
    let names = |assets: Vec<crate::model::ReleaseAsset>| {
        assets.into_iter().map(|asset| asset.name.to_string()).collect()
    };
    let foreign = matches!(
        next,
        Err(PublishError::ForeignDraft { .. }
            | PublishError::ForeignRelease { .. }
            | PublishError::OtherBytes { .. })
    );
    let stage = if matches!(next, Err(PublishError::Withdrawn { .. })) {
        Stage::Withdrawn
    } else if foreign {
        Stage::Foreign
    } else if !state.published.is_empty() {
        Stage::Published
    } else if missing.is_empty() {
        Stage::Staged
    } else if release.is_some() || state.images.iter().any(|image| !image.tags.is_empty()) {
        Stage::Partial
    } else {
        Stage::Absent
    };
    let describe = |manifest: &ReleaseManifest, action: super::Action| action.describe(manifest);
    let (next, obstacle) = match next {
        Ok(action) => (action.map(|action| describe(job.manifest, action)), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Status { stage, done: names(done), missing: names(missing), next, obstacle })
}
