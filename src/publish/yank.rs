//! Withdraws a published release. Nothing is deleted: whoever pinned it still gets it, and is told.

use super::diff::stable;
use super::stored::stored;
use super::{Job, Marker, PublishError, State, World, lock, observe};
use crate::attest::withdrawn_statement;
use crate::format::release_manifest::{self, MAX_BYTES};
use crate::format::withdrawal;
use crate::model::{Digest, ImageEntry, ReleaseManifest, RollingScope, Tag};
use crate::port::{Registry, Release, Visibility};

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Yanked {
    /// Changes in words, in order. Empty when everything was so before.
    pub changes: Vec<String>,
    /// What a consumer gets now who asks for the latest release.
    pub latest: Option<Tag>,
    /// Rolling image tags that stay, because no other stable release has an image for them.
    pub left: Vec<String>,
}

/// Gives latest and the rolling image tags back to the highest other stable release, states that the release is
/// withdrawn, and marks it as a prerelease with the reason above its text. May be run twice.
pub async fn yank(world: &World<'_>, job: &Job<'_>, reason: &str) -> Result<Yanked, PublishError> {
    // Whose it is is seen before the lock is taken, so that a refusal leaves no trace.
    ours(job, &observe(world, job).await?)?;
    lock::acquire(world, job).await?;
    let result = withdraw(world, job, reason).await;
    let freed = lock::release(world, job).await;
    result.and_then(|yanked| freed.map(|()| yanked))
}

/// The published release, when it is this one.
fn ours<'s>(job: &Job<'_>, state: &'s State) -> Result<&'s Release, PublishError> {
    let tag = &job.manifest.tag;
    let release = state.published.first().ok_or_else(|| PublishError::NotPublished { tag: tag.clone() })?;
    let found = Marker::find(&release.body).map(|marker| marker.rid);
    if found == Some(job.rid) {
        Ok(release)
    } else {
        Err(PublishError::ForeignRelease { tag: tag.clone(), expected: job.rid, found })
    }
}

async fn withdraw(world: &World<'_>, job: &Job<'_>, reason: &str) -> Result<Yanked, PublishError> {
    let state = observe(world, job).await?;
    let release = ours(job, &state)?;
    let mut yanked = Yanked::default();
    let mut others = stable(job, &state);
    others.sort_by(|(left, _), (right, _)| right.cmp(left));
    if state.latest.as_ref() == Some(&job.manifest.tag)
        && let Some((_, next)) = others.first()
        && let Some(next) = published(world, next).await?
    {
        world.forge.set_latest(&next.id).await?;
        done(world, &mut yanked, "Latest", format!("is now {}", next.tag));
    }
    for (image, seen) in job.manifest.images.iter().zip(&state.images) {
        for tag in image.rolling.iter().filter(|tag| seen.tags.get(*tag) == Some(&image.digest)) {
            let registry = observe::registry(world, image)?;
            match successor(world, registry, image, tag, &others).await? {
                Some(digest) => {
                    registry.tag(tag, &digest).await.map_err(|source| PublishError::Registry {
                        repository: image.repository.clone(),
                        source,
                    })?;
                    done(world, &mut yanked, "Tagged", format!("{}:{tag} as {digest}", image.repository));
                }
                None => yanked.left.push(format!("{}:{tag}", image.repository)),
            }
        }
    }
    let body = withdrawal::prepend(&release.body, reason);
    if release.body != body || !release.prerelease {
        let statement = withdrawn_statement(job.manifest, job.rid, reason).to_bytes();
        world.forge.state_withdrawn(&release.id, &statement).await?;
        world.forge.edit(&release.id, &body, true).await?;
        done(world, &mut yanked, "Withdrawn", format!("{} in {}", job.manifest.tag, world.forge.place()));
    }
    yanked.latest = world.forge.latest().await?;
    Ok(yanked)
}

fn done(world: &World<'_>, yanked: &mut Yanked, verb: &'static str, what: String) {
    world.progress.finished(verb, &what);
    yanked.changes.push(format!("{verb} {what}"));
}

async fn published(world: &World<'_>, tag: &Tag) -> Result<Option<Release>, PublishError> {
    let releases = world.forge.releases(tag).await?;
    Ok(releases.into_iter().find(|release| release.visibility == Visibility::Published))
}

/// The image of the highest other stable release that a rolling tag speaks of, when it is still stored.
async fn successor(
    world: &World<'_>,
    registry: &dyn Registry,
    image: &ImageEntry,
    tag: &str,
    others: &[(semver::Version, &Tag)],
) -> Result<Option<Digest>, PublishError> {
    for (_, other) in others.iter().filter(|(version, _)| RollingScope::of(tag).holds(version)) {
        let Some(manifest) = manifest(world, other).await? else { continue };
        let same = manifest.images.iter().find(|one| one.repository == image.repository);
        let Some(digest) = same.map(|one| one.digest) else { continue };
        let stored = registry
            .stat(&digest)
            .await
            .map_err(|source| PublishError::Registry { repository: image.repository.clone(), source })?;
        if stored.is_some() {
            return Ok(Some(digest));
        }
    }
    Ok(None)
}

/// The manifest of another published release; `None` when it carries none that can be read.
async fn manifest(world: &World<'_>, tag: &Tag) -> Result<Option<ReleaseManifest>, PublishError> {
    let Some(release) = published(world, tag).await? else { return Ok(None) };
    let name = ReleaseManifest::ASSET;
    let Some(bytes) = stored(world.forge, &release, name, MAX_BYTES).await? else { return Ok(None) };
    // A release that somebody made without this tool is no place for a tag to go back to.
    Ok(release_manifest::decode(&bytes).ok().map(|(manifest, _)| manifest))
}
