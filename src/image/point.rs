//! Tags are written here, after everything else: those that never move first, those that roll last.

use super::error::ImageError;
use super::tags::{Looked, Move, TagPolicy, Wanted, plan_moves};
use super::together::side_by_side;
use crate::port::{Manifest, Registry};

/// Whether a tag that never moves is read again after it was set and before others move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadBack {
    /// The answer of the store is enough: there was no time for anybody else.
    Answer,
    /// It is read again: time has passed since it was looked at.
    Again,
}

/// Points tags to a stored manifest. Everything is looked at before the first tag is moved.
pub async fn move_tags(
    registry: &dyn Registry,
    manifest: &Manifest,
    wanted: &Wanted<'_>,
) -> Result<Vec<Move>, ImageError> {
    let moves = plan_moves(registry, &manifest.digest, wanted, &Looked::new()).await?;
    point(registry, manifest, &moves, ReadBack::Answer).await?;
    Ok(moves)
}

/// Carries out what was planned: all tags in one request where the store takes them, else those that never move and
/// then the others side by side. A store that has no manifest under the digest yet gets it with its first tag.
pub async fn point(
    registry: &dyn Registry,
    manifest: &Manifest,
    moves: &[Move],
    read_back: ReadBack,
) -> Result<(), ImageError> {
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
        side_by_side(8, left.map(|tag| put(registry, manifest, std::slice::from_ref(tag)))).await?;
        if std::ptr::eq(step, &fixed) && read_back == ReadBack::Again {
            side_by_side(8, fixed.iter().map(|tag| read_again(registry, manifest, tag))).await?;
        }
    }
    Ok(())
}

/// The tags that the store has set, of those it was asked for.
async fn put(
    registry: &dyn Registry,
    manifest: &Manifest,
    tags: &[String],
) -> Result<Vec<String>, ImageError> {
    let put = registry.put_manifest(&manifest.media_type, &manifest.bytes, tags).await?;
    if let Some(unlisted) = put.unlisted {
        registry.list_referrers(&[unlisted]).await?;
    }
    Ok(put.tags)
}

async fn read_again(registry: &dyn Registry, manifest: &Manifest, tag: &str) -> Result<(), ImageError> {
    let found = registry.resolve(tag).await?;
    if found == Some(manifest.digest) {
        return Ok(());
    }
    Err(ImageError::TagRaced { tag: tag.to_owned(), expected: manifest.digest, found })
}
