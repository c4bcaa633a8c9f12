//! What is left to do: pure, from the manifest and one observation to the next action.

use semver::Version;

use super::{Job, Marker, Memory, PublishError, State};
use crate::format::withdrawal;
use crate::model::{AssetName, ReleaseAsset, ReleaseManifest, RollingScope, Tag};
use crate::port::{Release, ReleaseId, StoredAsset, StoredState};

/// One thing that changes the world, or reads it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Removes a second draft of ours, which a lost answer left.
    DropDuplicate(ReleaseId),
    /// Attaches a referrer to an image: positions of the image and of the referrer in the manifest.
    Attach(usize, usize),
    /// Creates the draft.
    CreateDraft,
    /// Removes an asset of our draft that has other bytes than planned.
    RemoveAsset(ReleaseId, AssetName),
    /// Stores an asset in our draft.
    Upload(ReleaseId, ReleaseAsset),
    /// Puts the planned text on our draft.
    Describe(ReleaseId, String),
    /// Reads a staged asset back.
    ReadBack(ReleaseId, ReleaseAsset),
    /// Points a version tag to the image: position of the image, and the tag.
    TagVersion(usize, String),
    /// The commit point.
    Publish(ReleaseId),
    /// Moves a rolling tag forward: position of the image, and the tag.
    TagRolling(usize, String),
    /// Makes the release the latest.
    SetLatest(ReleaseId),
}

impl Action {
    /// The action in the words of `status` and `manual`.
    pub fn describe(&self, manifest: &ReleaseManifest) -> String {
        let image = |position: usize| {
            manifest.images.get(position).map(|image| image.repository.to_string()).unwrap_or_default()
        };
        match self {
            Self::DropDuplicate(id) => format!("remove the duplicate draft {}", id.0),
            Self::Attach(at, referrer) => {
                let name = manifest.images.get(*at).and_then(|image| image.referrers.get(*referrer));
                format!(
                    "attach {} to {}",
                    name.map(|entry| entry.asset.as_str()).unwrap_or_default(),
                    image(*at)
                )
            }
            Self::CreateDraft => format!("create the draft of {}", manifest.tag),
            Self::RemoveAsset(_, name) => format!("remove the damaged {name} from the draft"),
            Self::Upload(_, asset) => format!("upload {}", asset.name),
            Self::Describe(..) => "write the release notes".to_owned(),
            Self::ReadBack(_, asset) => format!("read back {}", asset.name),
            Self::TagVersion(at, tag) | Self::TagRolling(at, tag) => format!("tag {}:{tag}", image(*at)),
            Self::Publish(_) => format!("publish {}", manifest.tag),
            Self::SetLatest(_) => format!("make {} the latest release", manifest.tag),
        }
    }
}

/// The next action, `None` when the world is as planned.
pub fn diff(job: &Job<'_>, state: &State, memory: &Memory) -> Result<Option<Action>, PublishError> {
    let released = check_published(job, state)?;
    if let Some(id) = duplicate(state, released.is_some()) {
        return Ok(Some(Action::DropDuplicate(id)));
    }
    check_images(job, state)?;
    if let Some(action) = attach(state) {
        return Ok(Some(action));
    }
    if let Some(release) = released {
        if let Some(action) = tag_version(job, state)? {
            return Ok(Some(action));
        }
        return Ok(roll(job, state, release));
    }
    let Some(draft) = state.ours.first() else {
        check_staged_nothing(job)?;
        return Ok(Some(Action::CreateDraft));
    };
    if let Some(action) = stage(job, draft, memory)? {
        return Ok(Some(action));
    }
    if let Some(action) = tag_version(job, state)? {
        return Ok(Some(action));
    }
    Ok(Some(Action::Publish(draft.id.clone())))
}

/// The release that is published already, if it is this one.
fn check_published<'s>(job: &Job<'_>, state: &'s State) -> Result<Option<&'s Release>, PublishError> {
    let tag = &job.manifest.tag;
    if let Some(draft) = state.foreign.first() {
        return Err(PublishError::ForeignDraft {
            tag: tag.clone(),
            id: draft.id.0.clone(),
            rid: Marker::find(&draft.body).map(|marker| marker.rid),
            expected: job.rid,
        });
    }
    let Some(release) = state.published.first() else { return Ok(None) };
    let found = Marker::find(&release.body).map(|marker| marker.rid);
    if let Some(withdrawn) = withdrawal::find(&release.body) {
        return Err(PublishError::Withdrawn { tag: tag.clone(), reason: withdrawn.reason.to_owned() });
    }
    if found != Some(job.rid) {
        return Err(PublishError::ForeignRelease { tag: tag.clone(), expected: job.rid, found });
    }
    let planned = job.assets();
    let other = |name: &str| PublishError::OtherBytes { tag: tag.clone(), name: name.to_owned() };
    for asset in &planned {
        let stored = release.assets.iter().find(|stored| stored.name == asset.name.as_str());
        if stored.is_none_or(|stored| !fits(stored, asset)) {
            return Err(other(asset.name.as_str()));
        }
    }
    match release.assets.iter().find(|stored| !planned.iter().any(|asset| asset.name.as_str() == stored.name))
    {
        Some(stored) => Err(other(&stored.name)),
        None => Ok(Some(release)),
    }
}

fn duplicate(state: &State, published: bool) -> Option<ReleaseId> {
    state.ours.iter().skip(usize::from(!published)).next_back().map(|draft| draft.id.clone())
}

/// Everything that is published by digest must be there before anything is named.
fn check_images(job: &Job<'_>, state: &State) -> Result<(), PublishError> {
    let mut missing = Vec::new();
    for (image, seen) in job.manifest.images.iter().zip(&state.images) {
        missing.extend(seen.missing.iter().map(|digest| (image.repository.to_string(), *digest)));
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(PublishError::Missing { tag: job.manifest.tag.clone(), missing })
    }
}

fn attach(state: &State) -> Option<Action> {
    state.images.iter().enumerate().find_map(|(position, seen)| {
        seen.unattached.first().map(|referrer| Action::Attach(position, *referrer))
    })
}

fn check_staged_nothing(job: &Job<'_>) -> Result<(), PublishError> {
    if job.dist.is_some() {
        return Ok(());
    }
    let missing = job.assets().into_iter().map(|asset| (asset.name.to_string(), asset.digest)).collect();
    Err(PublishError::Missing { tag: job.manifest.tag.clone(), missing })
}

/// Brings the draft to the planned bytes, then to bytes that were read back.
fn stage(job: &Job<'_>, draft: &Release, memory: &Memory) -> Result<Option<Action>, PublishError> {
    let planned = job.assets();
    let mut absent = Vec::new();
    for stored in &draft.assets {
        let Some(asset) = planned.iter().find(|asset| asset.name.as_str() == stored.name) else {
            return Err(PublishError::ForeignAsset {
                tag: job.manifest.tag.clone(),
                name: stored.name.clone(),
            });
        };
        let spoilt = memory.spoilt.contains(&(draft.id.clone(), asset.name.clone()));
        if spoilt || !fits(stored, asset) {
            return Ok(Some(Action::RemoveAsset(draft.id.clone(), asset.name.clone())));
        }
    }
    for asset in &planned {
        if !draft.assets.iter().any(|stored| stored.name == asset.name.as_str()) {
            if job.dist.is_some() || asset.name.as_str() == ReleaseManifest::ASSET {
                return Ok(Some(Action::Upload(draft.id.clone(), asset.clone())));
            }
            absent.push((asset.name.to_string(), asset.digest));
        }
    }
    if !absent.is_empty() {
        return Err(PublishError::Missing { tag: job.manifest.tag.clone(), missing: absent });
    }
    let nonce = Marker::find(&draft.body).map(|marker| marker.nonce).unwrap_or_default();
    let body = job.body(&nonce);
    if Marker::strip(&draft.body) != Marker::strip(&body) || draft.prerelease != job.manifest.prerelease {
        return Ok(Some(Action::Describe(draft.id.clone(), body)));
    }
    let unread =
        planned.into_iter().find(|asset| !memory.read_back.contains(&(draft.id.clone(), asset.name.clone())));
    Ok(unread.map(|asset| Action::ReadBack(draft.id.clone(), asset)))
}

fn fits(stored: &StoredAsset, asset: &ReleaseAsset) -> bool {
    stored.state == StoredState::Uploaded
        && stored.size == asset.size
        && stored.digest.is_none_or(|digest| digest == asset.digest)
}

fn tag_version(job: &Job<'_>, state: &State) -> Result<Option<Action>, PublishError> {
    for (position, (image, seen)) in job.manifest.images.iter().zip(&state.images).enumerate() {
        for tag in &image.tags {
            match seen.tags.get(tag) {
                None => return Ok(Some(Action::TagVersion(position, tag.clone()))),
                Some(found) if *found == image.digest => {}
                Some(found) => {
                    return Err(PublishError::TagTaken {
                        repository: image.repository.clone(),
                        image_tag: tag.clone(),
                        expected: image.digest,
                        found: *found,
                    });
                }
            }
        }
    }
    Ok(None)
}

/// What only moves forward, after the commit point.
fn roll(job: &Job<'_>, state: &State, release: &Release) -> Option<Action> {
    if job.manifest.prerelease {
        return None;
    }
    let stable: Vec<Version> = stable(job, state).into_iter().map(|(version, _)| version).collect();
    for (position, (image, seen)) in job.manifest.images.iter().zip(&state.images).enumerate() {
        for tag in &image.rolling {
            let newer = stable
                .iter()
                .any(|version| RollingScope::of(tag).holds(version) && *version > job.manifest.version);
            if !newer && seen.tags.get(tag) != Some(&image.digest) {
                return Some(Action::TagRolling(position, tag.clone()));
            }
        }
    }
    let highest = stable.iter().all(|version| *version < job.manifest.version);
    if highest && state.latest.as_ref() != Some(&job.manifest.tag) {
        return Some(Action::SetLatest(release.id.clone()));
    }
    None
}

/// The other stable releases, their versions read with the pattern of this release's own tag.
pub(super) fn stable<'s>(job: &Job<'_>, state: &'s State) -> Vec<(Version, &'s Tag)> {
    let pattern = job.manifest.pattern();
    state
        .stable
        .iter()
        .filter_map(|tag| Some((pattern.version(tag.as_str())?, tag)))
        .filter(|(version, _)| version.pre.is_empty())
        .collect()
}
