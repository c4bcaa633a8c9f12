//! What was found out before, in a file of the user's cache: one for each repository and form of the question. It is
//! replaced whole, and what cannot be read counts as empty.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Source;
use crate::adapter::fs;
use crate::model::{CommitId, KnownCommit, UnknownCommit};
use crate::port::FilesError;

/// The largest file; a commit has about 200 bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Titles and labels change, and pull requests are found later.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// What was found out before.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    /// Whether questions are about all of a commit.
    whole: bool,
    entries: BTreeMap<CommitId, Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Seconds since 1970.
    at: i64,
    known: KnownCommit,
    /// Whether the pull request was asked for.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pull_request: bool,
    /// Whether the account was asked for.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    account: bool,
}

fn yes() -> bool {
    true
}

fn is_yes(said: &bool) -> bool {
    *said
}

impl Entry {
    /// Whether it answers everything that is wanted.
    fn answers(&self, wanted: &UnknownCommit) -> bool {
        let Self { known, pull_request, account, .. } = self;
        (*pull_request || known.pull_request.is_some() || !wanted.pull_request)
            && (*account || known.login.is_some() || !wanted.account)
    }
}

impl Cache {
    /// Opens the file of a repository in the user's directory of caches.
    pub fn open(caches: &Path, source: &Source) -> Self {
        // Names are made of letters, digits and `-_.`, and begin with none of them that leads elsewhere.
        let host = source.host().to_lowercase().replace([':', '[', ']'], "_");
        let (api, place) = (source.forge.api(), &source.place);
        let file = format!("{}.json", place.repo.to_lowercase());
        let directory = caches.join("kyklos-release").join("commits").join(api.version()).join(host);
        let path = directory.join(place.owner.to_lowercase()).join(file);
        // It is not there, or it is damaged: then it is asked for again.
        let bytes = fs::read(&path, MAX_BYTES).unwrap_or_default();
        let entries: BTreeMap<CommitId, Entry> = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { path, whole: api.tells_all(), entries }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known about a commit, however old it is; `None` also when something else was asked about it.
    pub fn find(&self, wanted: &UnknownCommit) -> Option<KnownCommit> {
        let entry = self.entries.get(&wanted.id).filter(|entry| entry.answers(wanted))?;
        Some(entry.known.clone().cleaned())
    }

    /// Whether a commit was asked for a short while ago.
    pub fn is_fresh(&self, id: CommitId, now: Timestamp) -> bool {
        self.entries.get(&id).is_some_and(|entry| {
            let age = now.as_second().saturating_sub(entry.at);
            (0..FRESH.as_secs()).contains(&age)
        })
    }

    /// Adds what was found out about the commits that were asked for, and writes the file.
    pub fn keep(
        &mut self,
        known: &BTreeMap<CommitId, KnownCommit>,
        asked: &[UnknownCommit],
        now: Timestamp,
    ) -> Result<(), FilesError> {
        let mut changed = false;
        for one in asked {
            let Some(found) = known.get(&one.id) else { continue };
            let (pull_request, account) = (self.whole || one.pull_request, self.whole || one.account);
            let mut entry = Entry { at: now.as_second(), known: found.clone(), pull_request, account };
            // The other half of an earlier answer still counts, as long as that did.
            if let Some(old) = self.entries.remove(&one.id).filter(|_| !(pull_request && account)) {
                entry.at = entry.at.min(old.at);
                entry.pull_request |= old.pull_request;
                entry.account |= old.account;
                entry.known = entry.known.with(old.known);
            }
            self.entries.insert(one.id, entry);
            changed = true;
        }
        if !changed {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&self.entries).unwrap_or_default();
        fs::write_atomic(&self.path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Source, Surroundings};
    use super::*;
    use crate::model::KnownPullRequest;

    #[test]
    fn halves_of_an_answer_are_put_together() {
        let caches = tempfile::tempdir().unwrap();
        let variable = |name: &str| match name {
            "GITHUB_API_URL" => Some("https://git.x/api/v1"),
            "GITHUB_REPOSITORY" => Some("Acme/App"),
            _ => None,
        };
        let source = Source::find(&Surroundings { variable: &variable, origin: None, base: None }).unwrap();
        let id = CommitId::from_bytes([1; 20]);
        let wanted =
            |pull_request, account| UnknownCommit { pull_request, account, ..UnknownCommit::all(id) };
        let pull = KnownPullRequest { number: 7, title: "t".to_owned(), author: None, labels: Vec::new() };
        let first = KnownCommit { login: None, pull_request: Some(pull) };
        let second = KnownCommit { login: Some("ada".to_owned()), pull_request: None };
        let at = |second| Timestamp::from_second(second).unwrap();
        let day = 24 * 60 * 60;

        let mut cache = Cache::open(caches.path(), &source);
        cache.keep(&[(id, first.clone())].into(), &[wanted(true, false)], at(0)).unwrap();
        let mut cache = Cache::open(caches.path(), &source);
        assert!(cache.path().ends_with("commits/gitea-v1/git.x/acme/app.json"));
        assert_eq!(cache.find(&wanted(true, false)), Some(first.clone()));
        assert_eq!(cache.find(&wanted(false, true)), None, "nobody asked for the account");
        cache.keep(&[(id, second)].into(), &[wanted(false, true)], at(100)).unwrap();
        let cache = Cache::open(caches.path(), &source);
        let both = KnownCommit { login: Some("ada".to_owned()), ..first };
        assert_eq!(cache.find(&wanted(true, true)), Some(both));
        assert!(cache.is_fresh(id, at(day - 1)) && !cache.is_fresh(id, at(day)));
    }
}
