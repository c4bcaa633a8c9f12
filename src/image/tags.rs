//! Tags: which never move, which only move forward.

use semver::Version;

use super::error::ImageError;
use crate::model::Digest;
use crate::port::Registry;

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

/// What happened to a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagState {
    /// There was none.
    Created,
    /// It pointed to another digest.
    Moved,
    /// It pointed there already.
    Unchanged,
}

/// One tag and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The tag.
    pub tag: String,
    /// What may happen to it.
    pub policy: TagPolicy,
    /// What happened to it.
    pub state: TagState,
    /// Where it pointed to before.
    pub previous: Option<Digest>,
}

/// Points tags to a stored manifest. All of them are looked at before the first is moved; immutable tags are set first.
/// `policy` overrides what the shape of a tag says.
pub async fn move_tags(
    registry: &dyn Registry,
    digest: &Digest,
    tags: &[String],
    policy: Option<TagPolicy>,
) -> Result<Vec<Move>, ImageError> {
    let moves = plan_moves(registry, digest, tags, policy).await?;
    for wanted in [TagPolicy::Immutable, TagPolicy::Rolling] {
        for change in moves.iter().filter(|one| one.policy == wanted && one.state != TagState::Unchanged) {
            registry.tag(&change.tag, digest).await?;
        }
    }
    Ok(moves)
}

/// What [`move_tags`] would do. Nothing is changed, and the manifest need not be stored yet.
pub async fn plan_moves(
    registry: &dyn Registry,
    digest: &Digest,
    tags: &[String],
    policy: Option<TagPolicy>,
) -> Result<Vec<Move>, ImageError> {
    let mut versions = Vec::new();
    for tag in registry.tags().await? {
        if let Some(version) = version(&tag) {
            versions.push((registry.resolve(&tag).await?, version));
        }
    }
    versions.extend(tags.iter().filter_map(|tag| Some((Some(*digest), version(tag)?))));
    let version_of = |digest: Option<Digest>| {
        let of_digest = versions.iter().filter(|(found, _)| digest.is_some() && *found == digest);
        of_digest.map(|(_, version)| version).max()
    };
    let mut moves = Vec::new();
    for tag in tags {
        let policy = policy.unwrap_or_else(|| TagPolicy::of(tag));
        let previous = registry.resolve(tag).await?;
        let state = match previous {
            None => TagState::Created,
            Some(found) if found == *digest => TagState::Unchanged,
            Some(found) if policy == TagPolicy::Immutable => {
                return Err(ImageError::TagTaken { tag: tag.clone(), expected: *digest, found });
            }
            Some(_) => TagState::Moved,
        };
        if let (TagState::Moved, Some(current), Some(new)) =
            (state, version_of(previous), version_of(Some(*digest)))
            && new < current
        {
            let (current, new) = (current.clone(), new.clone());
            return Err(ImageError::TagBackwards { tag: tag.clone(), current, new });
        }
        moves.push(Move { tag: tag.clone(), policy, state, previous });
    }
    Ok(moves)
}

/// The rolling tags a version moves, given every released version: `v1.2`, `v1` and `latest`, each only when no newer
/// stable version has it. A prerelease moves none.
pub fn rolling_tags(version: &Version, released: &[Version], prefix: &str) -> Vec<String> {
    if !version.pre.is_empty() {
        return Vec::new();
    }
    let newest = |same: &dyn Fn(&Version) -> bool| {
        released.iter().all(|other| !other.pre.is_empty() || !same(other) || other <= version)
    };
    let Version { major, minor, .. } = version;
    let mut tags = Vec::new();
    if newest(&|other| other.major == *major && other.minor == *minor) {
        tags.push(format!("{prefix}{major}.{minor}"));
    }
    if newest(&|other| other.major == *major) {
        tags.push(format!("{prefix}{major}"));
    }
    if newest(&|_| true) {
        tags.push("latest".to_owned());
    }
    tags
}

/// The version in a tag such as `v1.2.3` or `1.2.3-rc.1`.
fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolling_tags_only_move_forward() {
        for (released, version, expected) in [
            ("", "0.1.0", "v0.1 v0 latest"),
            ("0.1.0", "0.2.0-beta.1", ""),
            ("0.1.0 0.2.0", "0.1.1", "v0.1"),
            ("1.9.0 2.0.0-rc.1", "1.9.1", "v1.9 v1 latest"),
            ("1.9.1 2.0.0", "1.9.2", "v1.9 v1"),
            ("1.2.3", "1.2.3", "v1.2 v1 latest"),
        ] {
            let released: Vec<Version> =
                released.split_whitespace().map(|text| text.parse().unwrap()).collect();
            let tags = rolling_tags(&version.parse().unwrap(), &released, "v");
            assert_eq!(tags.join(" "), expected, "{version}");
        }
    }

    #[test]
    fn full_versions_are_immutable() {
        for (tag, policy) in [
            ("v1.2.3", TagPolicy::Immutable),
            ("1.2.3-rc.1", TagPolicy::Immutable),
            ("v1.2", TagPolicy::Rolling),
            ("latest", TagPolicy::Rolling),
        ] {
            assert_eq!(TagPolicy::of(tag), policy, "{tag}");
        }
    }
}
