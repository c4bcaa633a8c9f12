//! Which changes of a release are in releases of other lines as well: cherry-picks and backports.

use std::collections::{BTreeSet, HashMap};

use super::history::History;
use super::relation::{SameChange, picked_from, subject};
use crate::model::{Commit, CommitId, Tag};

/// Releases that a commit does not have, and what only they have.
pub struct Elsewhere {
    history: History,
    /// The places of commits by what a copy may share with its original.
    by_origin: HashMap<CommitId, Vec<usize>>,
    by_author: HashMap<(String, i64), Vec<usize>>,
    by_subject: HashMap<String, Vec<usize>>,
}

impl Elsewhere {
    /// Commits and release tags of the other lines.
    pub fn new(history: History) -> Self {
        let mut by_origin: HashMap<CommitId, Vec<usize>> = HashMap::new();
        let mut by_author: HashMap<(String, i64), Vec<usize>> = HashMap::new();
        let mut by_subject: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, commit) in
            history.commits().iter().enumerate().filter(|(_, commit)| commit.parents.len() < 2)
        {
            by_origin.entry(commit.id).or_default().push(at);
            if let Some(origin) = picked_from(&commit.message) {
                by_origin.entry(origin).or_default().push(at);
            }
            by_author.entry(written(commit)).or_default().push(at);
            by_subject.entry(subject(&commit.message).to_owned()).or_default().push(at);
        }
        Self { history, by_origin, by_author, by_subject }
    }

    /// The releases that brought a change there, lowest version first. What says where it was picked from is believed;
    /// what was written by the same person at the same time, or says the same, is compared as a patch.
    pub fn releases(&self, commit: &Commit, same_change: &SameChange<'_>) -> Vec<Tag> {
        if commit.parents.len() > 1 {
            return Vec::new();
        }
        let commits = self.history.commits();
        let origins = [Some(commit.id), picked_from(&commit.message)];
        let mut found: BTreeSet<usize> = BTreeSet::new();
        for origin in origins.iter().flatten() {
            found.extend(self.by_origin.get(origin).into_iter().flatten());
        }
        let told = subject(&commit.message);
        let author = self.by_author.get(&written(commit)).into_iter().flatten().map(|at| (*at, true));
        let alike = self.by_subject.get(told).into_iter().flatten().map(|at| (*at, false));
        for (at, same_author) in author.chain(alike) {
            let other = &commits[at];
            if !found.contains(&at)
                && same_change(commit.id, other.id, same_author && subject(&other.message) == told)
            {
                found.insert(at);
            }
        }
        let brought: BTreeSet<&Tag> =
            found.into_iter().filter_map(|at| self.history.released_in(commits[at].id)).collect();
        let tags = self.history.tags().iter().map(|tag| &tag.tag);
        tags.filter(|tag| brought.contains(tag)).cloned().collect()
    }
}

/// Who wrote a commit, and when; both stay when it is picked.
fn written(commit: &Commit) -> (String, i64) {
    (commit.author.email.clone(), commit.authored.as_second())
}
