//! What is there now: one look at the forge and the registries.

use std::collections::BTreeMap;

use super::{Job, Marker, PublishError, World};
use crate::model::{Digest, ImageEntry, Tag};
use crate::port::{LockHead, Registry, Release, Visibility};

/// Limit for a manifest or index that is only looked for.
const MAX_MANIFEST: u64 = 4 << 20;

/// Forge and registries at one moment.
#[derive(Debug, Clone)]
pub struct State {
    /// Published releases of the tag.
    pub published: Vec<Release>,
    /// Drafts of the tag that carry our marker, oldest first.
    pub ours: Vec<Release>,
    /// Drafts of the tag that do not.
    pub foreign: Vec<Release>,
    /// Images in the order of the manifest.
    pub images: Vec<ImageState>,
    /// Stable releases of the repository, this one not counted.
    pub stable: Vec<Tag>,
    /// What a consumer gets who asks for the latest.
    pub latest: Option<Tag>,
    /// Who holds the lock.
    pub lock: Option<LockHead>,
}

/// One image at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageState {
    /// Manifests of the image that are not stored: the index or platforms.
    pub missing: Vec<Digest>,
    /// Referrers that are not attached, as positions in the manifest's list.
    pub unattached: Vec<usize>,
    /// Where the planned tags point, for those that exist.
    pub tags: BTreeMap<String, Digest>,
}

/// Looks at everything the job is about. Changes nothing.
pub async fn observe(world: &World<'_>, job: &Job<'_>) -> Result<State, PublishError> {
    let tag = &job.manifest.tag;
    let mut state = State {
        published: Vec::new(),
        ours: Vec::new(),
        foreign: Vec::new(),
        images: Vec::new(),
        stable: world.forge.published_stable().await?,
        latest: world.forge.latest().await?,
        lock: world.forge.lock_head().await?,
    };
    state.stable.retain(|stable| stable != tag);
    for release in world.forge.releases(tag).await? {
        let ours = Marker::find(&release.body).is_some_and(|marker| marker.rid == job.rid);
        match (release.visibility, ours) {
            (Visibility::Published, _) => state.published.push(release),
            (Visibility::Draft, true) => state.ours.push(release),
            (Visibility::Draft, false) => state.foreign.push(release),
        }
    }
    for image in &job.manifest.images {
        let Ok(registry) = registry(world, image) else {
            state.images.push(ImageState { missing: digests(image).collect(), ..ImageState::default() });
            continue;
        };
        let seen = observe_image(registry, image)
            .await
            .map_err(|source| PublishError::Registry { repository: image.repository.clone(), source })?;
        state.images.push(seen);
    }
    Ok(state)
}

/// The registry of an image.
pub(super) fn registry<'a>(world: &World<'a>, image: &ImageEntry) -> Result<&'a dyn Registry, PublishError> {
    let found = world.registries.get(&image.repository).copied();
    found.ok_or_else(|| PublishError::Registry {
        repository: image.repository.clone(),
        source: crate::port::RegistryError::NotStored { digest: image.digest },
    })
}

async fn observe_image(
    registry: &dyn Registry,
    image: &ImageEntry,
) -> Result<ImageState, crate::port::RegistryError> {
    let mut seen = ImageState::default();
    for digest in digests(image) {
        if registry.manifest(&digest, MAX_MANIFEST).await?.is_none() {
            seen.missing.push(digest);
        }
    }
    for (position, referrer) in image.referrers.iter().enumerate() {
        let attached = registry.referrers(&referrer.subject, None).await?;
        if !attached.iter().any(|descriptor| descriptor.digest == referrer.digest) {
            seen.unattached.push(position);
        }
    }
    for tag in image.tags.iter().chain(&image.rolling) {
        if let Some(digest) = registry.resolve_as(tag, image.digest.algorithm()).await? {
            seen.tags.insert(tag.clone(), digest);
        }
    }
    Ok(seen)
}

/// The index and its platform manifests.
fn digests(image: &ImageEntry) -> impl Iterator<Item = Digest> {
    std::iter::once(image.digest).chain(image.platforms.iter().map(|platform| platform.digest))
}
