//! What was found out before, in a file of the user's cache: one for each repository and form of the question. It is
//! replaced whole, and what cannot be read counts as empty.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Source, query};
use crate::adapter::fs;
use crate::model::{CommitId, KnownCommit};
use crate::port::FilesError;

/// The largest file; a commit has about 200 bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Titles and labels change, and pull requests are found later.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// What was found out before.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    entries: BTreeMap<CommitId, Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Seconds since 1970.
    at: i64,
    known: KnownCommit,
}

impl Cache {
    /// Opens the file of a repository in the user's directory of caches.
    pub fn open(caches: &Path, source: &Source) -> Self {
        // Names are made of letters, digits and `-_.`, and begin with none of them that leads elsewhere.
        let host = source.host().to_lowercase().replace([':', '[', ']'], "_");
        let file = format!("{}.json", source.repo.to_lowercase());
        let directory = caches.join("kyklos-release").join("commits").join(query::VERSION).join(host);
        let path = directory.join(source.owner.to_lowercase()).join(file);
        // It is not there, or it is damaged: then it is asked for again.
        let bytes = fs::read(&path, MAX_BYTES).unwrap_or_default();
        let entries: BTreeMap<CommitId, Entry> = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { path, entries }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known about a commit, however old it is.
    pub fn find(&self, id: CommitId) -> Option<KnownCommit> {
        self.entries.get(&id).map(|entry| entry.known.clone().cleaned())
    }

    /// Whether a commit was asked for a short while ago.
    pub fn is_fresh(&self, id: CommitId, now: Timestamp) -> bool {
        self.entries.get(&id).is_some_and(|entry| {
            let age = now.as_second().saturating_sub(entry.at);
            (0..FRESH.as_secs()).contains(&age)
        })
    }

    /// Adds what was found out, and writes the file.
    pub fn keep(
        &mut self,
        known: &BTreeMap<CommitId, KnownCommit>,
        now: Timestamp,
    ) -> Result<(), FilesError> {
        if known.is_empty() {
            return Ok(());
        }
        for (id, known) in known {
            self.entries.insert(*id, Entry { at: now.as_second(), known: known.clone() });
        }
        let bytes = serde_json::to_vec(&self.entries).unwrap_or_default();
        fs::write_atomic(&self.path, &bytes)
    }
}
