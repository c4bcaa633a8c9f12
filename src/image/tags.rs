//! Tags: which never move, which only move forward.
//!
//! A full version (`v1.2.3`, also with a prerelease) is set once. `latest`, `v1`, `v1.2` and the rolling names of the
//! configuration belong to the newest stable version they speak of; a prerelease moves none of them. Which versions there
//! are is what the tag list of the registry says. Every other tag moves freely.

use std::collections::BTreeMap;

use semver::Version;

use super::error::ImageError;
use super::together::{AT_ONCE, side_by_side};
use crate::model::{Digest, RollingScope};
use crate::port::Registry;

/// Most versions whose digest is asked for when nothing else tells which version an image is.
const ASKED: usize = 64;

/// What in a store is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// What a tag points to.
    Tag(String),
    /// One manifest.
    Digest(Digest),
}

/// What may happen to a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagPolicy {
    /// Set once; setting it again to the same digest is no change.
    Immutable,
    /// Moves, but never back to an older version.
    Rolling,
}

impl TagPolicy {
    /// A full version never moves; everything else does.
    pub fn of(tag: &str) -> Self {
        if version(tag).is_some() { Self::Immutable } else { Self::Rolling }
    }
}

/// Which versions a tag speaks of; `None` for a tag that moves freely.
fn scope(tag: &str, rolling: &[String]) -> Option<RollingScope> {
    match RollingScope::of(tag) {
        RollingScope::All if tag != "latest" && !rolling.iter().any(|name| name == tag) => None,
        scope => Some(scope),
    }
}

/// Which tags are to point to an image, and what is known about both.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The tags.
    pub tags: &'a [String],
    /// What may happen to all of them, whatever their shape says.
    pub policy: Option<TagPolicy>,
    /// A tag the image is known by, which may be a version.
    pub known_as: Option<&'a str>,
    /// Rolling names of the configuration.
    pub rolling: &'a [String],
}

impl Wanted<'_> {
    /// The tag that stands for the rest: the first that never moves, else the first.
    pub fn first(&self) -> Option<&str> {
        let fixed = self.tags.iter().find(|tag| self.policy_of(tag) == TagPolicy::Immutable);
        fixed.or(self.tags.first()).map(String::as_str)
    }

    fn policy_of(&self, tag: &str) -> TagPolicy {
        self.policy.unwrap_or_else(|| TagPolicy::of(tag))
    }

    fn scope_of(&self, tag: &str) -> Option<RollingScope> {
        match self.policy_of(tag) {
            TagPolicy::Immutable => None,
            TagPolicy::Rolling => scope(tag, self.rolling),
        }
    }

    /// The version of the image, as far as its names tell.
    fn version(&self) -> Option<Version> {
        self.tags.iter().map(String::as_str).chain(self.known_as).filter_map(version).max()
    }
}

/// What happened to a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagState {
    /// There was none.
    Created,
    /// It pointed to another digest.
    Moved,
    /// It points there now; where it pointed before was not asked.
    Set,
    /// It pointed there already.
    Unchanged,
    /// It stays where it is: a newer version has it, or the image is a prerelease.
    Kept,
}

impl TagState {
    /// Whether the tag has to be written.
    pub fn is_written(self) -> bool {
        match self {
            Self::Created | Self::Moved | Self::Set => true,
            Self::Unchanged | Self::Kept => false,
        }
    }
}

/// One tag and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The tag.
    pub tag: String,
    /// What may happen to it.
    pub policy: TagPolicy,
    /// What happens to it.
    pub state: TagState,
    /// Where it pointed to before, when that was asked.
    pub previous: Option<Digest>,
    /// The newer version that has it.
    pub newer: Option<Version>,
}

/// What looking at a registry has shown about its tags: `None` is a tag that is not there.
pub type Looked = BTreeMap<String, Option<Digest>>;

/// What decides where tags may point, as a registry tells it.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Every tag, where that was asked.
    listed: Option<Vec<String>>,
    looked: Looked,
}

/// What pointing the tags to a digest comes to. Nothing is changed, and the manifest need not be stored yet.
///
/// A store on disk is asked for every tag; a host only for what decides: the tag list when a rolling tag of a version is
/// wanted, and tags that never move. Refused as a whole when a tag that never moves points elsewhere, or when there is no
/// tag that may be set.
pub async fn plan_moves(
    registry: &dyn Registry,
    digest: &Digest,
    wanted: &Wanted<'_>,
    looked: &Looked,
) -> Result<Vec<Move>, ImageError> {
    let left = unsettled(wanted, digest, looked);
    let facts = look_up(registry, &Wanted { tags: &left, ..*wanted }, looked).await?;
    decide(registry, digest, wanted, facts).await
}

/// The tags that are not known to point to a digest already.
pub(super) fn unsettled(wanted: &Wanted<'_>, digest: &Digest, looked: &Looked) -> Vec<String> {
    let settled = |tag: &String| looked.get(tag) == Some(&Some(*digest));
    wanted.tags.iter().filter(|tag| !settled(tag)).cloned().collect()
}

/// Asks a registry for what decides. Which image it is about need not be known yet.
pub async fn look_up(
    registry: &dyn Registry,
    wanted: &Wanted<'_>,
    looked: &Looked,
) -> Result<Facts, ImageError> {
    let mut looked = looked.clone();
    if wanted.tags.is_empty() {
        return Ok(Facts { listed: None, looked });
    }
    let near = registry.repository().is_none();
    let listed = if near || wanted.tags.iter().any(|tag| wanted.scope_of(tag).is_some()) {
        Some(registry.tags().await?)
    } else {
        None
    };
    let fixed = |tag: &str| wanted.policy_of(tag) == TagPolicy::Immutable;
    let unknown = wanted.tags.iter().filter(|tag| !looked.contains_key(*tag) && (near || fixed(tag)));
    let asked = unknown.map(|tag| {
        let absent = listed.as_ref().is_some_and(|listed| !listed.contains(tag));
        async move { Ok::<_, ImageError>((tag, if absent { None } else { registry.resolve(tag).await? })) }
    });
    for (tag, found) in side_by_side(AT_ONCE, asked).await? {
        looked.insert(tag.clone(), found);
    }
    Ok(Facts { listed, looked })
}

/// What pointing the tags to a digest comes to, given the facts.
pub async fn decide(
    registry: &dyn Registry,
    digest: &Digest,
    wanted: &Wanted<'_>,
    facts: Facts,
) -> Result<Vec<Move>, ImageError> {
    let Facts { listed, mut looked } = facts;
    for (tag, found) in looked.iter_mut() {
        *found = registry.called(tag, *found, digest.algorithm()).await?;
    }
    let all = listed.as_deref().unwrap_or_default();
    let scopes: Vec<Option<RollingScope>> = wanted.tags.iter().map(|tag| wanted.scope_of(tag)).collect();
    let version = match wanted.version() {
        None => version_of(registry, digest, all, &scopes).await?,
        known => known,
    };
    let released: Vec<Version> = all.iter().filter_map(|tag| self::version(tag)).collect();
    let mut moves = Vec::new();
    for (tag, scope) in wanted.tags.iter().zip(&scopes) {
        let there = looked.get(tag).copied();
        let policy = wanted.policy_of(tag);
        let (state, newer) = match (there, keeps(*scope, version.as_ref(), &released)) {
            (Some(Some(found)), _) if found == *digest => (TagState::Unchanged, None),
            (Some(Some(found)), _) if policy == TagPolicy::Immutable => {
                return Err(ImageError::TagTaken { tag: tag.clone(), expected: *digest, found });
            }
            (_, Some(newer)) => (TagState::Kept, newer.cloned()),
            (Some(None), None) => (TagState::Created, None),
            (Some(Some(_)), None) => (TagState::Moved, None),
            (None, None) if listed.is_some() && !all.contains(tag) => (TagState::Created, None),
            (None, None) => (TagState::Set, None),
        };
        moves.push(Move { tag: tag.clone(), policy, state, previous: there.flatten(), newer });
    }
    if let (Some(version), Some(kept)) = (version, moves.iter().find(|one| one.state == TagState::Kept))
        && moves.iter().all(|one| one.state == TagState::Kept)
    {
        return Err(match &kept.newer {
            Some(current) => {
                ImageError::TagBackwards { tag: kept.tag.clone(), current: current.clone(), new: version }
            }
            None => ImageError::TagPrerelease { tag: kept.tag.clone(), version },
        });
    }
    Ok(moves)
}

/// Why a rolling tag stays where it is: the newest of the newer stable versions it speaks of, or `Some(None)` because
/// the image is a prerelease. An image without a version is moved by hand and goes wherever it is told to.
fn keeps<'a>(
    scope: Option<RollingScope>,
    version: Option<&Version>,
    released: &'a [Version],
) -> Option<Option<&'a Version>> {
    let (scope, version) = (scope?, version?);
    let stable = released.iter().filter(|other| other.pre.is_empty() && scope.holds(other));
    let newer = stable.filter(|other| *other > version).max();
    match newer {
        Some(newer) => Some(Some(newer)),
        None if !version.pre.is_empty() => Some(None),
        None => None,
    }
}

/// The newest version that points to the digest, of those that could keep a tag.
async fn version_of(
    registry: &dyn Registry,
    digest: &Digest,
    listed: &[String],
    scopes: &[Option<RollingScope>],
) -> Result<Option<Version>, ImageError> {
    let mut candidates: Vec<(Version, &String)> = listed
        .iter()
        .filter_map(|tag| Some((version(tag)?, tag)))
        .filter(|(version, _)| scopes.iter().flatten().any(|scope| scope.holds(version)))
        .collect();
    candidates.sort_by(|left, right| right.cmp(left));
    candidates.truncate(ASKED);
    let asked = candidates.into_iter().map(|(version, tag)| async move {
        let found = registry.resolve_as(tag, digest.algorithm()).await?;
        Ok::<_, ImageError>((found == Some(*digest)).then_some(version))
    });
    Ok(side_by_side(AT_ONCE, asked).await?.into_iter().flatten().max())
}

/// The version in a tag such as `v1.2.3` or `1.2.3-rc.1`.
fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the four tags of a release those that move and those that are kept.
    fn decided(released: &str, release: &str) -> (String, String) {
        let released: Vec<Version> = released.split_whitespace().filter_map(version).collect();
        let own = version(release).unwrap();
        let Version { major, minor, .. } = own;
        let tags =
            [release.to_owned(), format!("v{major}.{minor}"), format!("v{major}"), "latest".to_owned()];
        let (moved, kept): (Vec<String>, Vec<String>) = tags.into_iter().partition(|tag| {
            let scope = match TagPolicy::of(tag) {
                TagPolicy::Immutable => None,
                TagPolicy::Rolling => scope(tag, &[]),
            };
            keeps(scope, Some(&own), &released).is_none()
        });
        (moved.join(" "), kept.join(" "))
    }

    #[test]
    fn rolling_tags_only_move_forward() {
        for (released, release, moved, kept) in [
            ("", "v0.1.0", "v0.1.0 v0.1 v0 latest", ""),
            ("v0.1.0", "v0.2.0-beta.1", "v0.2.0-beta.1", "v0.2 v0 latest"),
            ("", "v0.2.0-beta.1", "v0.2.0-beta.1", "v0.2 v0 latest"),
            ("v0.1.0 v0.2.0", "v0.1.1", "v0.1.1 v0.1", "v0 latest"),
            ("v1.9.0 v2.0.0-rc.1", "v1.9.1", "v1.9.1 v1.9 v1 latest", ""),
            ("v1.9.1 v2.0.0", "v1.9.2", "v1.9.2 v1.9 v1", "latest"),
            ("v1.2.3", "v1.2.3", "v1.2.3 v1.2 v1 latest", ""),
            ("1.10.0 v1.9.9", "v1.9.10", "v1.9.10 v1.9", "v1 latest"),
            ("latest v1 edge sha256-abc", "v1.0.0", "v1.0.0 v1.0 v1 latest", ""),
            ("v2.0.0", "v2.0.0-rc.2", "v2.0.0-rc.2", "v2.0 v2 latest"),
        ] {
            assert_eq!(decided(released, release), (moved.to_owned(), kept.to_owned()), "{release}");
        }
    }

    #[test]
    fn tags_tell_what_they_speak_of() {
        let rolling = ["stable".to_owned()];
        for (tag, expected, policy) in [
            ("v1.2.3", None, TagPolicy::Immutable),
            ("1.2.3-rc.1", None, TagPolicy::Immutable),
            ("v1.2", Some(RollingScope::Minor(1, 2)), TagPolicy::Rolling),
            ("1", Some(RollingScope::Major(1)), TagPolicy::Rolling),
            ("latest", Some(RollingScope::All), TagPolicy::Rolling),
            ("stable", Some(RollingScope::All), TagPolicy::Rolling),
            ("edge", None, TagPolicy::Rolling),
            ("v1.2.3.4", None, TagPolicy::Rolling),
            ("main-1a2b3c4", None, TagPolicy::Rolling),
        ] {
            assert_eq!((scope(tag, &rolling), TagPolicy::of(tag)), (expected, policy), "{tag}");
        }
    }

    #[test]
    fn the_tag_that_never_moves_stands_for_the_rest() {
        let tags = ["latest", "v1", "v1.2.3"].map(ToOwned::to_owned);
        let wanted = Wanted { tags: &tags, ..Wanted::default() };
        assert_eq!((wanted.first(), wanted.version()), (Some("v1.2.3"), Some(Version::new(1, 2, 3))));
        let wanted = Wanted { tags: &tags[..2], known_as: Some("v0.9.0"), ..Wanted::default() };
        assert_eq!((wanted.first(), wanted.version()), (Some("latest"), Some(Version::new(0, 9, 0))));
    }
}
