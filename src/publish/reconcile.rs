//! The loop.

use super::diff::{Action, diff};
use super::{Job, Memory, PublishError, State, World, act, lock, observe};
use crate::port::ForgeError;

/// What a finished run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Actions that changed the world. Zero when everything was there already.
    pub changes: usize,
    /// Actions in the order they were taken, reading back included.
    pub actions: Vec<Action>,
}

/// Decides on the next action; [`diff`](super::diff) is the one that is right.
pub type Decide = dyn Fn(&Job<'_>, &State, &Memory) -> Result<Option<Action>, PublishError>;

/// Publishes, or goes on publishing. Every way out frees the lock or leaves it to be taken over by the same release.
pub async fn publish(world: &World<'_>, job: &Job<'_>) -> Result<Done, PublishError> {
    drive(world, job, &diff).await
}

/// [`publish`] with another way to decide. Whoever brings one answers for the order of things.
pub async fn drive(world: &World<'_>, job: &Job<'_>, decide: &Decide) -> Result<Done, PublishError> {
    let mut held = false;
    let result = reconcile(world, job, decide, &mut held).await;
    if held || result.is_ok() {
        let freed = lock::release(world, job).await;
        return result.and_then(|done| freed.map(|()| done));
    }
    result
}

async fn reconcile(
    world: &World<'_>,
    job: &Job<'_>,
    decide: &Decide,
    held: &mut bool,
) -> Result<Done, PublishError> {
    let mut memory = Memory::default();
    let mut done = Done { changes: 0, actions: Vec::new() };
    // Every asset is removed, uploaded and read back at most twice before somebody is working against us.
    let most = 20 + 8 * (job.manifest.assets.len() + 1) + 20 * job.manifest.images.len();
    for _ in 0..most {
        // Signals are seen between two actions, never within one.
        tokio::task::yield_now().await;
        if world.progress.stop_requested() {
            return Err(PublishError::Stopped { tag: job.manifest.tag.clone() });
        }
        let state = observe(world, job).await?;
        let Some(action) = decide(job, &state, &memory)? else { return Ok(done) };
        if !*held {
            lock::acquire(world, job).await?;
            *held = true;
            // What was seen before the lock was ours may have been somebody's half-done work.
            continue;
        }
        if matches!(action, Action::Publish(_)) && !lock::confirm(world, job).await? {
            // Whoever took the lock may have finished the release. Look again, and queue again if not.
            *held = false;
            continue;
        }
        world.progress.working(&action.describe(job.manifest));
        match act::act(world, job, &mut memory, &action).await {
            Ok(()) => {}
            // Somebody did it first, or an earlier answer was lost. The next observation tells.
            Err(PublishError::Forge(ForgeError::Exists { .. } | ForgeError::NotFound { .. })) => continue,
            Err(error) => return Err(error),
        }
        done.changes += usize::from(!matches!(action, Action::ReadBack(..)));
        done.actions.push(action);
    }
    Err(PublishError::Unsettled { tag: job.manifest.tag.clone(), rounds: most })
}
