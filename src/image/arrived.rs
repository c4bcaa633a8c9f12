//! What came of bringing an image to one place.

use std::collections::BTreeSet;

use super::error::ImageError;
use super::point::ReadBack;
use super::tags::{Facts, Looked, Move, TagState};
use crate::model::Digest;
use crate::port::{Put, Unlisted};

/// Whether the image must be at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Without it nothing is tagged anywhere.
    Required,
    /// Without it the rest goes on, and it is told.
    BestEffort,
}

/// What came of one place.
#[derive(Debug)]
pub struct Arrived {
    /// How a person calls it.
    pub name: String,
    /// Whether the image must be there.
    pub mode: Mode,
    /// The tags.
    pub moves: Vec<Move>,
    /// Blobs that were sent.
    pub uploaded: Vec<Digest>,
    /// Blobs that the host linked from another repository.
    pub mounted: Vec<Digest>,
    /// Blobs that were there.
    pub skipped: Vec<Digest>,
    /// Manifests that were sent.
    pub manifests: Vec<Digest>,
    /// Those of them that are attached to the image.
    pub attached: Vec<Digest>,
    /// Why the image is not there although that was tried.
    pub failure: Option<ImageError>,
    /// Whether the image was there before, so that others may be attaching to it as well.
    pub(super) was_there: bool,
    pub(super) looked: Looked,
    /// What decides about the tags, where that was asked while the last of the image was stored.
    pub(super) facts: Option<Facts>,
}

impl Arrived {
    /// The tags that point to the image now.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.moves.iter().filter(|one| one.state != TagState::Kept).map(|one| one.tag.as_str())
    }

    /// What is still known of tags: with blobs that were sent, only that a tag points to the image already.
    pub(super) fn still_good(&self, digest: &Digest) -> Looked {
        let mut looked = self.looked.clone();
        looked.retain(|_, found| self.uploaded.is_empty() || *found == Some(*digest));
        looked
    }

    /// Whether tags that never move are read again.
    pub(super) fn read_back(&self) -> ReadBack {
        if self.uploaded.is_empty() { ReadBack::Answer } else { ReadBack::Again }
    }

    /// Takes in what came of a step; answers what its store does not list.
    pub(super) fn took(&mut self, step: Vec<Sent>) -> Vec<Unlisted> {
        let mut unlisted = Vec::new();
        for Sent { put, again } in step {
            self.manifests.push(put.digest);
            self.sent_again(&again);
            unlisted.extend(put.unlisted);
        }
        unlisted
    }

    pub(super) fn sent_again(&mut self, again: &[Digest]) {
        self.skipped.retain(|digest| !again.contains(digest));
        self.mounted.retain(|digest| !again.contains(digest));
        let new = again.iter().filter(|digest| !self.uploaded.contains(digest)).copied();
        let new: Vec<Digest> = new.collect();
        self.uploaded.extend(new);
    }

    pub(super) fn new(name: &str, mode: Mode) -> Self {
        Self {
            name: name.to_owned(),
            mode,
            moves: Vec::new(),
            uploaded: Vec::new(),
            mounted: Vec::new(),
            skipped: Vec::new(),
            manifests: Vec::new(),
            attached: Vec::new(),
            failure: None,
            was_there: false,
            looked: Looked::new(),
            facts: None,
        }
    }

    /// Adds what came of another transfer to the same place. What one sent was there for the other.
    pub(super) fn merge(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.uploaded, other.uploaded),
            (&mut self.mounted, other.mounted),
            (&mut self.manifests, other.manifests),
            (&mut self.attached, other.attached),
            (&mut self.skipped, other.skipped),
        ] {
            mine.extend(theirs);
        }
        let sent: BTreeSet<Digest> = self.uploaded.iter().chain(&self.mounted).copied().collect();
        let mut seen = BTreeSet::new();
        self.skipped.retain(|digest| !sent.contains(digest) && seen.insert(*digest));
    }

    /// Remembers why the place does not get the image, or ends the transfer where it must have it.
    pub(super) fn fail(&mut self, error: ImageError) -> Result<(), ImageError> {
        match (self.mode, error) {
            (_, ImageError::Stopped) => Err(ImageError::Stopped),
            (Mode::Required, error) => Err(error),
            (Mode::BestEffort, error) => {
                self.failure = Some(error);
                Ok(())
            }
        }
    }
}

/// What came of storing one manifest.
pub(super) struct Sent {
    pub(super) put: Put,
    /// Blobs the host said to have and did not.
    pub(super) again: Vec<Digest>,
}
