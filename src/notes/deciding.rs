//! Which commits of a release ask for the number of the version that moved.

use memchr::memmem::Finder;
use semver::Version;

use super::bump::{Bump, BumpTable};
use super::entry::Entry;
use super::version::{core, moved, release_as};
use crate::model::{Commit, CommitId};

/// What each line of a release asks for, while the release is made.
pub(super) struct Levels<'a> {
    last: Option<&'a Version>,
    table: &'a BumpTable,
    asked: Vec<(CommitId, Bump)>,
}

impl<'a> Levels<'a> {
    pub(super) fn new(last: Option<&'a Version>, table: &'a BumpTable) -> Self {
        Self { last, table, asked: Vec::new() }
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        let Some(last) = self.last else { return };
        let level =
            self.table.of(entry, last).filter(|_| self.asked.last().is_none_or(|(id, _)| *id != entry.id));
        self.asked.extend(level.map(|level| (entry.id, level)));
    }

    /// The commits that ask for the number that moved. Within a chain of prereleases no number moves: those that ask
    /// for most. Where none does, the commit whose footer asked for this very version.
    pub(super) fn deciding(&self, version: &Version, owned: &[&Commit]) -> Vec<CommitId> {
        let Some(last) = self.last else { return Vec::new() };
        let level = if core(last) == core(version) {
            self.asked.iter().map(|(_, level)| *level).max()
        } else {
            Some(moved(Some(last), version))
        };
        let asked = self.asked.iter().filter(|(_, asked)| Some(*asked) == level);
        let ids: Vec<CommitId> = asked.map(|(id, _)| *id).collect();
        if !ids.is_empty() {
            return ids;
        }
        let text = version.to_string();
        let word = Finder::new(&text);
        let told = |commit: &&&Commit| {
            // There is one way to write a version.
            word.find(commit.message.as_bytes()).is_some() && release_as(&commit.message) == Some(&text)
        };
        owned.iter().find(told).map(|commit| commit.id).into_iter().collect()
    }
}
