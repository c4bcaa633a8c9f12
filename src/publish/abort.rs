//! Gives a release up before its commit point.

use super::{Job, PublishError, World, lock, observe};
use crate::diag::counted;

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aborted {
    /// Drafts that carried our marker.
    pub drafts: usize,
}

/// Removes what carries our marker and nothing else. A published release is a conflict; nothing there is fine.
pub async fn abort(world: &World<'_>, job: &Job<'_>) -> Result<Aborted, PublishError> {
    let state = observe(world, job).await?;
    if let Some(release) = state.published.first() {
        return Err(PublishError::AlreadyPublished { tag: release.tag.clone() });
    }
    if state.ours.is_empty() {
        lock::release(world, job).await?;
        return Ok(Aborted { drafts: 0 });
    }
    lock::acquire(world, job).await?;
    // Once more under the lock: a draft may have been published in between.
    let state = observe(world, job).await?;
    let mut drafts = 0;
    for draft in &state.ours {
        world.forge.delete_draft(&draft.id).await?;
        drafts += 1;
    }
    lock::release(world, job).await?;
    let removed = counted(drafts, "draft", "drafts");
    world.progress.finished("Removed", &format!("{removed} of {}", job.manifest.tag));
    Ok(Aborted { drafts })
}
