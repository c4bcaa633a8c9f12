//! Commits in the order of ancestry, each read once.

use std::collections::{BinaryHeap, HashSet};

use git2::ObjectType;
use jiff::{SignedDuration, Timestamp};

use super::{GitError, Repository, commit, oid, shallow};
use crate::model::{Commit, CommitId, CommitMap, SignedCommit, TagFacts};

/// Clocks of machines differ by less: dates run against ancestry by no more.
pub const SKEW: SignedDuration = SignedDuration::from_hours(24);
/// As many commits behind the last one that is wanted are read before the dates are believed.
const PAST_THE_END: usize = 1000;

/// Commits while they are read.
#[derive(Default)]
struct Reading {
    index: CommitMap<usize>,
    commits: Vec<Commit>,
    /// Behind a released commit.
    hidden: Vec<bool>,
    /// Where a shallow clone ends.
    ends: HashSet<CommitId>,
}

impl Repository {
    /// Every commit that can be reached from the given ones, each read once. Children stand before their parents; of
    /// commits without an order between them the newer one stands first, then the one with the greater id.
    pub fn history(&self, tips: &[CommitId]) -> Result<Vec<Commit>, GitError> {
        self.back_to(tips, Timestamp::MIN)
    }

    /// Like [`Repository::history`], and reads no further back than a moment: what was committed since then is there,
    /// with every commit that has it behind it. Where dates run against ancestry by more than a day everything is read.
    pub fn history_back_to(&self, tip: CommitId, moment: Timestamp) -> Result<Vec<Commit>, GitError> {
        self.back_to(&[tip], moment.saturating_sub(SKEW).unwrap_or(moment))
    }

    fn back_to(&self, tips: &[CommitId], moment: Timestamp) -> Result<Vec<Commit>, GitError> {
        let odb = self.odb()?;
        let mut reading = Reading::default();
        if self.is_shallow() {
            reading.ends = self.ends()?;
        }
        // By the dates of their children, which are those of packs.
        let mut pending: BinaryHeap<(Timestamp, CommitId)> =
            tips.iter().map(|id| (Timestamp::MAX, *id)).collect();
        let mut skewed = false;
        while let Some((time, id)) = pending.pop() {
            if time < moment && !skewed {
                break;
            }
            if !reading.index.contains_key(&id) {
                let commit = self.read_commit(&odb, id)?;
                skewed |= commit.time > later(time);
                if reading.ends.contains(&id) {
                    return Err(GitError::Shallow);
                }
                let unread = commit.parents.iter().filter(|id| !reading.index.contains_key(*id));
                pending.extend(unread.map(|id| (commit.time, *id)));
                reading.add(commit, false);
            }
        }
        self.packs().borrow_mut().forget();
        Ok(reading.sorted())
    }

    /// Like [`Repository::history`], and reads no further than what the tip has and neither the end nor a released
    /// commit has: the other commits that come along are the edge of it, which may be without messages. Where dates run
    /// against ancestry by more than a day everything is read. A shallow clone is enough when it ends behind all of that.
    pub fn history_since(
        &self,
        tip: CommitId,
        end: Option<CommitId>,
        released: &HashSet<CommitId>,
    ) -> Result<Vec<Commit>, GitError> {
        self.since(tip, end, released, PAST_THE_END)
    }

    fn since(
        &self,
        tip: CommitId,
        end: Option<CommitId>,
        released: &HashSet<CommitId>,
        past_the_end: usize,
    ) -> Result<Vec<Commit>, GitError> {
        let odb = self.odb()?;
        let mut reading = Reading::default();
        if self.is_shallow() {
            reading.ends = self.ends()?;
        }
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
                        skewed |= commit.time > later(time);
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
            if wanted.is_empty() && past >= past_the_end && older && !skewed {
                break;
            }
        }
        reading.finished()
    }

    /// The highest of the releases a commit has; `tags` stand lowest version first. One walk, no further than the
    /// dates of the releases make it go.
    pub fn latest<'a>(&self, of: CommitId, tags: &'a [TagFacts]) -> Result<Option<&'a TagFacts>, GitError> {
        let odb = self.odb()?;
        let ends = if self.is_shallow() { self.ends()? } else { HashSet::new() };
        let first = self.read_commit(&odb, of)?;
        let mut queue = BinaryHeap::from([(first.time, of, first.parents)]);
        let mut seen = HashSet::from([of]);
        let mut skewed = false;
        for tag in tags.iter().rev() {
            let tagged = self.read_commit(&odb, tag.commit)?.time;
            while !seen.contains(&tag.commit) {
                if !queue.peek().is_some_and(|(time, ..)| skewed || later(*time) >= tagged) {
                    break;
                }
                let Some((time, id, parents)) = queue.pop() else { break };
                for parent in parents.into_iter().filter(|_| !ends.contains(&id)) {
                    if seen.insert(parent) {
                        let commit = self.read_commit(&odb, parent)?;
                        skewed |= commit.time > later(time);
                        queue.push((commit.time, parent, commit.parents));
                    }
                }
            }
            if seen.contains(&tag.commit) {
                return Ok(Some(tag));
            }
        }
        if ends.is_empty() { Ok(None) } else { Err(GitError::Shallow) }
    }

    /// A commit with its signature taken out; `None` when it has none.
    pub fn signed_commit(&self, id: CommitId) -> Result<Option<SignedCommit>, GitError> {
        let odb = self.odb()?;
        let read = |kind, bytes: &[u8]| (kind == ObjectType::Commit).then(|| commit::unsign(bytes));
        self.object(&odb, oid(id), read)?.ok_or(GitError::Malformed { id })
    }

    pub(super) fn read_commit(&self, odb: &git2::Odb<'_>, id: CommitId) -> Result<Commit, GitError> {
        let mut people = self.people.borrow_mut();
        let read =
            |kind, bytes: &[u8]| commit::read(id, bytes, &mut people).filter(|_| kind == ObjectType::Commit);
        self.object(odb, oid(id), read)?.ok_or(GitError::Malformed { id })
    }
}

/// The latest that clocks of others can have shown.
fn later(time: Timestamp) -> Timestamp {
    time.saturating_add(SKEW).unwrap_or(time)
}

impl Reading {
    fn add(&mut self, mut commit: Commit, hidden: bool) {
        if self.ends.contains(&commit.id) {
            commit.parents.clear();
        }
        // Nobody reads what others have told.
        if hidden {
            commit.message = String::new();
        }
        if let std::collections::hash_map::Entry::Vacant(free) = self.index.entry(commit.id) {
            free.insert(self.commits.len());
            self.commits.push(commit);
            self.hidden.push(hidden);
        }
    }

    /// The commits in their order, unless the clone ends too early.
    fn finished(mut self) -> Result<Vec<Commit>, GitError> {
        let ends = std::mem::take(&mut self.ends);
        let hidden: HashSet<CommitId> = match ends.is_empty() {
            true => HashSet::new(),
            false => self
                .commits
                .iter()
                .zip(&self.hidden)
                .filter(|(_, is)| **is)
                .map(|(commit, _)| commit.id)
                .collect(),
        };
        let sorted = self.sorted();
        if !ends.is_empty() {
            let commits: Vec<&Commit> = sorted.iter().collect();
            if !shallow::is_whole(&commits, &|id| hidden.contains(&id), &ends) {
                return Err(GitError::Shallow);
            }
        }
        Ok(sorted)
    }

    /// Children before their parents, newer before older.
    fn sorted(self) -> Vec<Commit> {
        let Self { index, commits, hidden: _, ends: _ } = self;
        // The places of all parents, one after the other, and where those of each commit begin.
        let (mut parents, mut begin) = (Vec::with_capacity(commits.len()), vec![0]);
        for commit in &commits {
            parents.extend(commit.parents.iter().filter_map(|parent| index.get(parent).copied()));
            begin.push(parents.len());
        }
        drop(index);
        let mut children = vec![0u32; commits.len()];
        for parent in &parents {
            children[*parent] += 1;
        }
        let mut ready: BinaryHeap<_> = (0..commits.len())
            .filter(|at| children[*at] == 0)
            .map(|at| (commits[at].time, commits[at].id, at))
            .collect();
        // Where each commit goes; all are moved at the end, within the list.
        let mut goes = vec![usize::MAX; commits.len()];
        let mut next = 0;
        while let Some((_, _, at)) = ready.pop() {
            goes[at] = next;
            next += 1;
            for parent in parents[begin[at]..begin[at + 1]].iter().copied() {
                children[parent] -= 1;
                if children[parent] == 0 {
                    ready.push((commits[parent].time, commits[parent].id, parent));
                }
            }
        }
        arranged(commits, goes)
    }
}

/// Moves each thing to its place. Those without one, which no history has, are left out.
fn arranged<T>(mut things: Vec<T>, mut goes: Vec<usize>) -> Vec<T> {
    let placed = goes.iter().filter(|place| **place < things.len()).count();
    for (place, left) in goes.iter_mut().filter(|place| **place >= things.len()).zip(placed..) {
        *place = left;
    }
    for at in 0..things.len() {
        while goes[at] != at {
            let place = goes[at];
            things.swap(at, place);
            goes.swap(at, place);
        }
    }
    things.truncate(placed);
    things
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;

    use super::*;

    /// A repository of commits without files. Those behind others are older, by more than clocks differ.
    struct Made {
        _directory: tempfile::TempDir,
        repository: Repository,
        ids: Vec<CommitId>,
        parents: Vec<Vec<usize>>,
    }

    fn make(steps: &[Vec<usize>]) -> Made {
        let directory = tempfile::tempdir().unwrap();
        let inner = git2::Repository::init_bare(directory.path()).unwrap();
        let odb = inner.odb().unwrap();
        let tree = odb.write(ObjectType::Tree, b"").unwrap();
        let count = steps.len();
        let (mut ids, mut parents) = (vec![CommitId::from_bytes([0; 20]); count], vec![Vec::new(); count]);
        for at in (0..count).rev() {
            let behind: BTreeSet<usize> =
                steps[at].iter().map(|step| at + step).filter(|at| *at < count).collect();
            let lines: String = behind.iter().map(|at| format!("parent {}\n", ids[*at])).collect();
            let who = format!("A <a@x> {} +0000", 1_700_000_000 - 100_000 * at);
            let text = format!("tree {tree}\n{lines}author {who}\ncommitter {who}\n\nfeat: {at}\n");
            ids[at] = super::super::commit_id(odb.write(ObjectType::Commit, text.as_bytes()).unwrap());
            parents[at] = behind.into_iter().collect();
        }
        let repository = Repository::discover(directory.path()).unwrap();
        Made { _directory: directory, repository, ids, parents }
    }

    fn reach(from: &[CommitId], parents: &HashMap<CommitId, Vec<CommitId>>) -> BTreeSet<CommitId> {
        let (mut seen, mut open) = (BTreeSet::new(), from.to_vec());
        while let Some(id) = open.pop() {
            if let Some(parents) = parents.get(&id)
                && seen.insert(id)
            {
                open.extend(parents);
            }
        }
        seen
    }

    impl Made {
        fn graph(&self) -> HashMap<CommitId, Vec<CommitId>> {
            let of = |parents: &Vec<usize>| parents.iter().map(|at| self.ids[*at]).collect();
            self.ids.iter().copied().zip(self.parents.iter().map(of)).collect()
        }
    }

    /// What the tip has and the released commits do not.
    fn wanted(
        tip: CommitId,
        released: &[CommitId],
        parents: &HashMap<CommitId, Vec<CommitId>>,
    ) -> BTreeSet<CommitId> {
        let has = reach(&[tip], parents);
        let ends: Vec<CommitId> =
            released.iter().copied().filter(|id| has.contains(id) && *id != tip).collect();
        has.difference(&reach(&ends, parents)).copied().collect()
    }

    #[test]
    fn things_go_to_their_places() {
        assert_eq!(arranged(vec!['c', 'a', 'd', 'b'], vec![2, 0, 3, 1]), ['a', 'b', 'c', 'd']);
        assert_eq!(arranged(vec!['x', 'b', 'y', 'a'], vec![9, 1, 9, 0]), ['a', 'b']);
        assert!(arranged(Vec::<char>::new(), Vec::new()).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_read_is_enough_and_a_cut_is_seen(
            steps in proptest::collection::vec(proptest::collection::vec(1usize..9, 1..4), 1..50),
            tags in proptest::collection::vec(1usize..50, 0..6),
            cuts in proptest::collection::vec(1usize..50, 0..4),
        ) {
            let made = make(&steps);
            let pick = |places: &[usize]| -> Vec<CommitId> {
                places.iter().filter_map(|at| made.ids.get(*at)).copied().collect()
            };
            let (tip, tags, cuts) = (made.ids[0], pick(&tags), pick(&cuts));
            let truth = wanted(tip, &tags, &made.graph());
            let read = |commits: Vec<Commit>| {
                let parents = commits.into_iter().map(|commit| (commit.id, commit.parents)).collect();
                wanted(tip, &tags, &parents)
            };
            let released: HashSet<CommitId> = tags.iter().copied().collect();
            prop_assert_eq!(&read(made.repository.since(tip, None, &released, 0).unwrap()), &truth);

            let lines: String = cuts.iter().map(|id| format!("{id}\n")).collect();
            std::fs::write(made.repository.inner.commondir().join("shallow"), lines).unwrap();
            match made.repository.since(tip, None, &released, 0) {
                Ok(commits) => prop_assert_eq!(&read(commits), &truth),
                Err(GitError::Shallow) => {
                    let reached = reach(&[tip], &made.graph());
                    prop_assert!(cuts.iter().any(|cut| reached.contains(cut)));
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }

        #[test]
        fn what_is_young_is_there_and_little_else(
            steps in proptest::collection::vec(proptest::collection::vec(1usize..9, 1..4), 1..50),
            back in 0usize..50,
        ) {
            let made = make(&steps);
            let all = made.repository.history(&made.ids[..1]).unwrap();
            let moment = all[back % all.len()].time;
            let part = made.repository.history_back_to(made.ids[0], moment).unwrap();
            let young = |commits: &[Commit]| -> Vec<CommitId> {
                commits.iter().filter(|commit| commit.time >= moment).map(|commit| commit.id).collect()
            };
            prop_assert_eq!(young(&part), young(&all));
            // Parents are read with the young, and theirs may be as old as clocks differ.
            prop_assert!(part.iter().all(|commit| young(&part).contains(&commit.id)
                || part.iter().any(|child| child.parents.contains(&commit.id)
                    && child.time >= moment.saturating_sub(SKEW).unwrap())));
        }

        #[test]
        fn the_latest_is_the_highest_behind(
            steps in proptest::collection::vec(proptest::collection::vec(1usize..9, 0..3), 1..50),
            tags in proptest::collection::vec(0usize..50, 0..6),
        ) {
            let made = make(&steps);
            let facts = |(minor, at): (u64, &usize)| {
                let commit = *made.ids.get(*at)?;
                let version = semver::Version::new(0, minor, 0);
                Some(TagFacts { tag: format!("v{version}").parse().unwrap(), version, commit, object: commit })
            };
            let tags: Vec<TagFacts> = (0..).zip(&tags).filter_map(facts).collect();
            let reached = reach(&[made.ids[0]], &made.graph());
            let expected = tags.iter().rfind(|tag| reached.contains(&tag.commit));
            prop_assert_eq!(made.repository.latest(made.ids[0], &tags).unwrap(), expected);
        }
    }
}
