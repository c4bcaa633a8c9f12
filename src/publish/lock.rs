//! One release at a time: a record on the forge that only moves by compare-and-swap.

use super::{Job, PublishError, World};
use crate::model::Rid;
use crate::port::{LockHead, LockRecord, LockState};

/// How often a lost race is looked at again before it is a conflict.
const RACES: usize = 3;

/// Takes the lock, or says who has it.
pub(super) async fn acquire(world: &World<'_>, job: &Job<'_>) -> Result<(), PublishError> {
    for _ in 0..RACES {
        let head = world.forge.lock_head().await?;
        if let Some(head) = &head
            && head.record.state == LockState::Held
            && !may_take_over(world, job, &head.record).await?
        {
            return Err(held(job, &head.record));
        }
        if world.forge.advance_lock(head.as_ref(), &record(job, LockState::Held)).await? {
            return Ok(());
        }
    }
    match world.forge.lock_head().await? {
        Some(LockHead { record, .. }) => Err(held(job, &record)),
        None => Err(PublishError::Unsettled { tag: job.manifest.tag.clone(), rounds: RACES }),
    }
}

/// Whether the lock is still held for this release. Asked before the commit point. Another run of the same release
/// may hold it by now: both do the same things, and the forge lets only one of them commit.
pub(super) async fn confirm(world: &World<'_>, job: &Job<'_>) -> Result<bool, PublishError> {
    let head = world.forge.lock_head().await?;
    Ok(head.is_some_and(|head| head.record.state == LockState::Held && head.record.rid == job.rid.0))
}

/// Frees the lock if it is held by this run, or by a dead run that worked on the same release.
pub(super) async fn release(world: &World<'_>, job: &Job<'_>) -> Result<(), PublishError> {
    let Some(head) = world.forge.lock_head().await? else { return Ok(()) };
    let ours = head.record.nonce == job.nonce;
    if head.record.state == LockState::Held && (ours || may_take_over(world, job, &head.record).await?) {
        // Losing this race means that somebody else holds it now, which is as good as free for us.
        world.forge.advance_lock(Some(&head), &record(job, LockState::Free)).await?;
    }
    Ok(())
}

/// A holder whose CI run has ended is dead. Without a run nobody can tell, and the same release converges.
async fn may_take_over(world: &World<'_>, job: &Job<'_>, held: &LockRecord) -> Result<bool, PublishError> {
    if job.break_lock == Some(held.nonce.as_str()) || held.nonce == job.nonce {
        return Ok(true);
    }
    let ended = match held.run.as_deref() {
        Some(run) if job.run == Some(run) => Some(true),
        Some(run) => world.forge.run_ended(run).await?,
        None => None,
    };
    Ok(ended.unwrap_or(held.rid == job.rid.0))
}

fn record(job: &Job<'_>, state: LockState) -> LockRecord {
    LockRecord {
        state,
        nonce: job.nonce.to_owned(),
        rid: job.rid.0,
        tag: job.manifest.tag.clone(),
        run: job.run.map(str::to_owned),
    }
}

fn held(job: &Job<'_>, record: &LockRecord) -> PublishError {
    PublishError::Locked {
        tag: record.tag.clone(),
        nonce: record.nonce.clone(),
        run: record.run.clone(),
        found: Rid(record.rid),
        expected: job.rid,
    }
}
