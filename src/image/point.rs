//! Tags are written here, after everything else: those that never move first, those that roll last.

use super::error::ImageError;
use super::tags::{Looked, Meant, Move, TagPolicy, Wanted, decide, look_up};
use super::together::{AT_ONCE, side_by_side};
use crate::format::oci::MANIFEST_LIMIT;
use crate::model::Digest;
use crate::port::{Hold, Manifest, Registry, RegistryError};

/// Whether a tag that never moves is read again after it was set, before others move and when they have moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadBack {
    /// The answer of the store is enough: there was no time for anybody else.
    Answer,
    /// It is read again: time has passed since it was looked at.
    Again,
}

/// Points tags to a stored manifest, `from` being how a person calls its store. The manifest is read while the tags are
/// looked up; everything is looked at before the first tag is moved.
pub async fn retag(
    registry: &dyn Registry,
    meant: &Meant,
    from: &str,
    wanted: &Wanted<'_>,
) -> Result<(Digest, Vec<Move>), ImageError> {
    let looked = Looked::new();
    let (manifest, facts) =
        tokio::join!(read_meant(registry, meant, from), look_up(registry, wanted, &looked));
    let manifest = manifest?;
    let moves = decide(registry, &manifest.digest, wanted, facts?).await?;
    point(registry, &manifest, &moves, ReadBack::Answer).await?;
    Ok((manifest.digest, moves))
}

/// The manifest that is meant; `from` is how a person calls its store.
pub(super) async fn read_meant(
    registry: &dyn Registry,
    meant: &Meant,
    from: &str,
) -> Result<Manifest, ImageError> {
    let (found, what) = match meant {
        Meant::Tag(tag) => (registry.tagged(tag, MANIFEST_LIMIT).await?, format!("the tag {tag} of {from}")),
        Meant::Digest(digest) => {
            (registry.manifest(digest, MANIFEST_LIMIT).await?, format!("{digest} of {from}"))
        }
    };
    found.ok_or(ImageError::NotFound { what })
}

/// Carries out what was planned: all tags in one request where the store takes them, else those that never move and
/// then the others side by side. A store that has no manifest under the digest yet gets it with its first tag.
pub async fn point(
    registry: &dyn Registry,
    manifest: &Manifest,
    moves: &[Move],
    read_back: ReadBack,
) -> Result<(), ImageError> {
    let _hold = hold(registry, &manifest.digest, moves).await?;
    let of = |policy| {
        let written = moves.iter().filter(move |one| one.policy == policy && one.state.is_written());
        written.map(|one| one.tag.clone()).collect::<Vec<String>>()
    };
    let (fixed, rolling) = (of(TagPolicy::Immutable), of(TagPolicy::Rolling));
    let all: Vec<String> = fixed.iter().chain(&rolling).cloned().collect();
    let mut done = Vec::new();
    if all.len() > 1 && registry.abilities().many_tags != Some(false) {
        done = put(registry, manifest, &all).await?;
    }
    for step in [&fixed, &rolling] {
        let left = step.iter().filter(|tag| !done.contains(*tag));
        side_by_side(AT_ONCE, left.map(|tag| put(registry, manifest, std::slice::from_ref(tag)))).await?;
        // No registry guards a tag against two writers: whoever looked before we wrote may write after us. It is seen when
        // the tag is read back, and once more when others have moved meanwhile.
        if read_back == ReadBack::Again && (std::ptr::eq(step, &fixed) || !rolling.is_empty()) {
            side_by_side(AT_ONCE, fixed.iter().map(|tag| read_again(registry, manifest, tag))).await?;
        }
    }
    Ok(())
}

/// Holds the tags of a store that can be held, and looks again at those that never move: since they were planned somebody
/// else may have set them. Whoever sets tags keeps the hold until they are set.
pub async fn hold(
    registry: &dyn Registry,
    digest: &Digest,
    moves: &[Move],
) -> Result<Option<Hold>, ImageError> {
    let fixed = moves.iter().filter(|one| one.policy == TagPolicy::Immutable && one.state.is_written());
    let fixed: Vec<&str> = fixed.map(|one| one.tag.as_str()).collect();
    if fixed.is_empty() {
        return Ok(None);
    }
    match hold_fixed(registry, digest, &fixed).await? {
        Held::Ours(hold) => Ok(hold),
        Held::Taken { tag, found } => Err(ImageError::TagTaken { tag, expected: *digest, found }),
    }
}

/// What came of holding tags that never move.
pub enum Held {
    /// None of them points elsewhere, and as long as this is held nobody else sets one. A store that cannot be held, and
    /// so is not looked at either, gives nothing to hold.
    Ours(Option<Hold>),
    /// One of them points elsewhere.
    Taken {
        /// The tag.
        tag: String,
        /// Where it points.
        found: Digest,
    },
}

/// Holds the tags of a store that can be held, and looks at those that are to be set and never move.
pub async fn hold_fixed(
    registry: &dyn Registry,
    digest: &Digest,
    tags: &[&str],
) -> Result<Held, RegistryError> {
    let Some(hold) = registry.hold_tags().await? else { return Ok(Held::Ours(None)) };
    for tag in tags {
        let found = registry.resolve_as(tag, digest.algorithm()).await?;
        if let Some(found) = found.filter(|found| found != digest) {
            return Ok(Held::Taken { tag: (*tag).to_owned(), found });
        }
    }
    Ok(Held::Ours(Some(hold)))
}

/// The tags that the store has set, of those it was asked for.
async fn put(
    registry: &dyn Registry,
    manifest: &Manifest,
    tags: &[String],
) -> Result<Vec<String>, ImageError> {
    let put = registry.put(manifest, tags).await?;
    if let Some(unlisted) = put.unlisted {
        registry.list_referrers(&[unlisted]).await?;
    }
    Ok(put.tags)
}

async fn read_again(registry: &dyn Registry, manifest: &Manifest, tag: &str) -> Result<(), ImageError> {
    let found = registry.resolve_as(tag, manifest.digest.algorithm()).await?;
    if found == Some(manifest.digest) {
        return Ok(());
    }
    Err(ImageError::TagRaced { tag: tag.to_owned(), expected: manifest.digest, found })
}
