//! Commits in the order of ancestry, each read once.

use std::collections::{BinaryHeap, HashMap, HashSet};

use git2::ObjectType;
use jiff::{SignedDuration, Timestamp};

use super::{GitError, Repository, commit, oid};
use crate::model::{Commit, CommitId};

/// Clocks of machines differ by less.
const SKEW: SignedDuration = SignedDuration::from_hours(24);
/// As many commits behind the last one that is wanted are read before the dates are believed.
const PAST_THE_END: usize = 1000;

/// Commits while they are read.
#[derive(Default)]
struct Reading {
    index: HashMap<CommitId, usize>,
    commits: Vec<Commit>,
    /// Behind a released commit.
    hidden: Vec<bool>,
}

impl Repository {
    /// Every commit that can be reached from the given ones, each read once. Children stand before their parents; of
    /// commits without an order between them the newer one stands first, then the one with the greater id.
    pub fn history(&self, tips: &[CommitId]) -> Result<Vec<Commit>, GitError> {
        self.unshallow()?;
        let odb = self.odb()?;
        let mut reading = Reading::default();
        let mut pending: Vec<CommitId> = tips.to_vec();
        while let Some(id) = pending.pop() {
            if !reading.index.contains_key(&id) {
                let commit = self.read_commit(&odb, id)?;
                pending.extend(commit.parents.iter().filter(|id| !reading.index.contains_key(*id)));
                reading.add(commit, false);
            }
        }
        Ok(reading.sorted())
    }

    /// Like [`Repository::history`], and reads no further than what the tip has and neither the end nor a released
    /// commit has: the other commits that come along are the edge of it. Where dates run against ancestry by more than
    /// a day everything is read.
    pub fn history_since(
        &self,
        tip: CommitId,
        end: Option<CommitId>,
        released: &HashSet<CommitId>,
    ) -> Result<Vec<Commit>, GitError> {
        self.unshallow()?;
        let odb = self.odb()?;
        let mut reading = Reading::default();
        let mut queue: BinaryHeap<(Timestamp, CommitId)> = BinaryHeap::new();
        // Commits in the queue that no released one is known to have.
        let mut wanted = HashSet::from([tip]);
        for (id, hidden) in [(Some(tip), false), (end, true)] {
            let Some(id) = id.filter(|id| !reading.index.contains_key(id)) else { continue };
            let commit = self.read_commit(&odb, id)?;
            queue.push((commit.time, id));
            reading.add(commit, hidden);
        }
        let (mut oldest, mut past, mut skewed) = (Timestamp::MAX, 0, false);
        while let Some((time, id)) = queue.pop() {
            wanted.remove(&id);
            let at = reading.index[&id];
            let hidden = reading.hidden[at] || (released.contains(&id) && id != tip);
            reading.hidden[at] = hidden;
            if hidden {
                past += 1;
            } else {
                oldest = oldest.min(time);
                past = 0;
            }
            for parent in reading.commits[at].parents.clone() {
                match reading.index.get(&parent) {
                    None => {
                        let commit = self.read_commit(&odb, parent)?;
                        skewed |= commit.time > time + SKEW;
                        queue.push((commit.time, parent));
                        if !hidden {
                            wanted.insert(parent);
                        }
                        reading.add(commit, hidden);
                    }
                    Some(seen) if hidden && !reading.hidden[*seen] => {
                        reading.hidden[*seen] = true;
                        wanted.remove(&parent);
                        queue.push((reading.commits[*seen].time, parent));
                    }
                    Some(_) => {}
                }
            }
            let older =
                queue.peek().is_none_or(|(next, _)| *next < oldest.saturating_sub(SKEW).unwrap_or(oldest));
            if wanted.is_empty() && past >= PAST_THE_END && older && !skewed {
                break;
            }
        }
        Ok(reading.sorted())
    }

    fn unshallow(&self) -> Result<(), GitError> {
        if self.is_shallow() { Err(GitError::Shallow) } else { Ok(()) }
    }

    pub(super) fn read_commit(&self, odb: &git2::Odb<'_>, id: CommitId) -> Result<Commit, GitError> {
        let found = oid(id);
        let object = odb.read(found).map_err(|error| self.object_error(found, error))?;
        commit::read(id, object.data())
            .filter(|_| object.kind() == ObjectType::Commit)
            .ok_or(GitError::Malformed { id })
    }
}

impl Reading {
    fn add(&mut self, commit: Commit, hidden: bool) {
        if let std::collections::hash_map::Entry::Vacant(free) = self.index.entry(commit.id) {
            free.insert(self.commits.len());
            self.commits.push(commit);
            self.hidden.push(hidden);
        }
    }

    /// Children before their parents, newer before older.
    fn sorted(self) -> Vec<Commit> {
        let Self { index, commits, .. } = self;
        let mut children = vec![0u32; commits.len()];
        let known = |commit: &Commit| -> Vec<usize> {
            commit.parents.iter().filter_map(|parent| index.get(parent).copied()).collect()
        };
        for commit in &commits {
            for parent in known(commit) {
                children[parent] += 1;
            }
        }
        let mut ready: BinaryHeap<_> = (0..commits.len())
            .filter(|at| children[*at] == 0)
            .map(|at| (commits[at].time, commits[at].id, at))
            .collect();
        let mut slots: Vec<Option<Commit>> = commits.into_iter().map(Some).collect();
        let mut sorted = Vec::with_capacity(slots.len());
        while let Some((_, _, at)) = ready.pop() {
            let Some(commit) = slots[at].take() else { continue };
            for parent in known(&commit) {
                children[parent] -= 1;
                if let (0, Some(waiting)) = (children[parent], &slots[parent]) {
                    ready.push((waiting.time, waiting.id, parent));
                }
            }
            sorted.push(commit);
        }
        sorted
    }
}
