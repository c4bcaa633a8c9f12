//! Commits, release tags, and what each release owns.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::entry::{Entry, helpers};
use super::ownership::{Mark, attribute};
use super::relation::find;
use crate::model::{Commit, CommitId, CommitMap, Person, Tag, TagFacts};

/// Commits and release tags of a repository, or of the part of it that one release needs.
#[derive(Debug, Clone)]
pub struct History {
    commits: Vec<Commit>,
    tags: Vec<TagFacts>,
    index: CommitMap<u32>,
    /// The places of the parents of all commits, one after the other, and where those of each commit begin.
    parents: (Vec<u32>, Vec<u32>),
    /// By the place of a commit, that of the tag; a number that no tag has for what is not released.
    released: OnceCell<Vec<u32>>,
    sorted: OnceCell<Vec<CommitId>>,
    tagged: OnceCell<CommitMap<Vec<u32>>>,
    /// Who helped, of the few commits that say so.
    helpers: OnceCell<CommitMap<Vec<Arc<Person>>>>,
    /// Lines that were told once and will be told again.
    lines: RefCell<CommitMap<Entry>>,
}

/// Which earlier releases end the notes of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Stable notes reach back to the last stable release, prerelease notes to the last release of any kind.
    Policy,
    /// The last release of any kind.
    Tag,
    /// The last stable release.
    Stable,
    /// One commit, released or not.
    Commit(CommitId),
}

impl Since {
    /// Whether only stable releases end the notes.
    pub fn stable_only(self, wanted: &Wanted<'_>) -> bool {
        match self {
            Self::Policy => !wanted.prerelease,
            Self::Stable => true,
            Self::Tag | Self::Commit(_) => false,
        }
    }
}

/// Which earlier releases, or which commit, ended the notes of a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ends {
    /// Stable releases.
    Stable,
    /// Releases of any kind.
    #[default]
    Any,
    /// A commit that somebody named.
    Revision,
}

impl Ends {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Stable, Self::Any, Self::Revision];

    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Any => "tag",
            Self::Revision => "revision",
        }
    }
}

/// What is asked for: a release, or what a commit has that is not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The commit.
    pub target: CommitId,
    /// The tag; `None` for what is not released.
    pub tag: Option<&'a TagFacts>,
    /// Whether it is, or becomes, a prerelease.
    pub prerelease: bool,
}

/// How often the line of a commit is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Once, or once more.
    Once,
    /// Now and by a release that is made next.
    Twice,
}

/// What a release owns.
#[derive(Debug, Clone, Default)]
pub struct Share<'a> {
    /// Newest first, children before their parents.
    pub commits: Vec<&'a Commit>,
    /// The nearest earlier release, the one with the highest version where there are several.
    pub previous: Option<&'a TagFacts>,
    /// What ended it.
    pub ends: Ends,
    /// The nearest of the releases that ended it, lowest version first: it owns what it reaches and none of them does.
    pub excluded: Vec<&'a TagFacts>,
}

impl<'a> Wanted<'a> {
    /// A release.
    pub fn release(tag: &'a TagFacts) -> Self {
        Self { target: tag.commit, tag: Some(tag), prerelease: !tag.version.pre.is_empty() }
    }

    /// What is not released.
    pub fn unreleased(target: CommitId) -> Self {
        Self { target, tag: None, prerelease: true }
    }
}

impl History {
    /// Children stand before their parents in `commits`; tags that point elsewhere are not looked at.
    pub fn new(commits: Vec<Commit>, tags: Vec<TagFacts>) -> Self {
        let index: CommitMap<u32> = (0..).zip(&commits).map(|(at, commit)| (commit.id, at)).collect();
        let mut parents = (Vec::with_capacity(commits.len()), Vec::with_capacity(commits.len() + 1));
        for commit in &commits {
            parents.1.push(u32::try_from(parents.0.len()).unwrap_or(u32::MAX));
            parents.0.extend(commit.parents.iter().filter_map(|parent| index.get(parent)));
        }
        parents.1.push(u32::try_from(parents.0.len()).unwrap_or(u32::MAX));
        Self {
            commits,
            tags,
            index,
            parents,
            released: OnceCell::new(),
            sorted: OnceCell::new(),
            tagged: OnceCell::new(),
            helpers: OnceCell::new(),
            lines: RefCell::default(),
        }
    }

    /// The release tags, lowest version first.
    pub fn tags(&self) -> &[TagFacts] {
        &self.tags
    }

    /// One commit.
    pub fn commit(&self, id: CommitId) -> Option<&Commit> {
        self.commits.get(*self.index.get(&id)? as usize)
    }

    /// When the newest commit was made whose parents are not here: where dates follow ancestry, what is younger is here
    /// with all that has it behind it. `None` where nothing is missing.
    pub fn begins(&self) -> Option<Timestamp> {
        let commits = (0..).zip(&self.commits);
        let cut = commits.filter(|(at, commit)| self.parents(*at).len() < commit.parents.len());
        cut.map(|(_, commit)| commit.time).max()
    }

    /// The release tags of a commit, lowest version first.
    pub fn tags_of(&self, commit: CommitId) -> impl Iterator<Item = &TagFacts> {
        let tagged = self.tagged.get_or_init(|| {
            let mut tagged: CommitMap<Vec<u32>> = CommitMap::default();
            for (at, tag) in (0..).zip(&self.tags) {
                tagged.entry(tag.commit).or_default().push(at);
            }
            tagged
        });
        tagged.get(&commit).into_iter().flatten().map(|at| &self.tags[*at as usize])
    }

    /// The commit whose id starts with some digits, when there is only one.
    pub fn find(&self, digits: &str) -> Option<CommitId> {
        let sorted = self.sorted.get_or_init(|| {
            let mut ids: Vec<CommitId> = self.commits.iter().map(|commit| commit.id).collect();
            ids.sort();
            ids
        });
        find(sorted, digits)
    }

    /// The people of the `Co-authored-by` lines of a commit. The same person is the same value.
    pub(super) fn helpers(&self, commit: CommitId) -> &[Arc<Person>] {
        let all = self.helpers.get_or_init(|| {
            let mut known: HashSet<Arc<Person>> = HashSet::new();
            let mut all = CommitMap::default();
            for commit in &self.commits {
                let mut found = Vec::new();
                for person in helpers(&commit.message) {
                    let person = known.get(&person).map_or_else(|| Arc::new(person), Arc::clone);
                    known.insert(Arc::clone(&person));
                    found.push(person);
                }
                if !found.is_empty() {
                    all.insert(commit.id, found);
                }
            }
            all
        });
        all.get(&commit).map_or(&[], Vec::as_slice)
    }

    /// Whether a share is of a stable release on whose way prereleases are. Those come behind it, and tell again what it
    /// tells.
    pub(super) fn is_told_again(&self, share: &Share<'_>) -> bool {
        let is_prerelease = |tag: &TagFacts| !tag.version.pre.is_empty();
        share.ends == Ends::Stable
            && share.commits.iter().any(|commit| self.tags_of(commit.id).any(is_prerelease))
    }

    /// The line of a commit. Messages are read once where a line is kept for the next time.
    pub(super) fn line(&self, commit: &Commit, told: Told) -> Option<Entry> {
        let mut lines = self.lines.borrow_mut();
        match told {
            Told::Once => lines.remove(&commit.id).or_else(|| Entry::of_message(commit.id, &commit.message)),
            Told::Twice => {
                let line = Entry::of_message(commit.id, &commit.message)?;
                lines.insert(commit.id, line.clone());
                Some(line)
            }
        }
    }

    /// Gives back the lines that are kept.
    pub(super) fn forget_lines(&self) {
        self.lines.borrow_mut().clear();
    }

    /// Every commit, children before their parents.
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// The lowest release that owns a commit.
    pub fn released_in(&self, commit: CommitId) -> Option<&Tag> {
        let released = self.released.get_or_init(|| {
            let wanted: Vec<Wanted<'_>> = self.tags.iter().map(Wanted::release).collect();
            let mut released = vec![u32::MAX; self.commits.len()];
            for (at, share) in (0u32..).zip(self.shares(&wanted, Since::Tag)) {
                for place in share.commits.iter().filter_map(|commit| self.index.get(&commit.id)) {
                    let lowest = &mut released[*place as usize];
                    *lowest = (*lowest).min(at);
                }
            }
            released
        });
        let place = *self.index.get(&commit)?;
        self.tags.get(released[place as usize] as usize).map(|tag| &tag.tag)
    }

    /// What each of the wanted releases owns, in their order.
    pub fn shares(&self, wanted: &[Wanted<'_>], since: Since) -> Vec<Share<'_>> {
        if let Since::Commit(end) = since {
            return wanted.iter().map(|wanted| self.without(wanted.target, end)).collect();
        }
        let mut groups: BTreeMap<bool, Vec<usize>> = BTreeMap::new();
        for (at, wanted) in wanted.iter().enumerate() {
            let stable_only = since.stable_only(wanted);
            groups.entry(stable_only).or_default().push(at);
        }
        let mut shares = vec![Share::default(); wanted.len()];
        for (stable_only, members) in groups {
            self.attribute(wanted, &members, stable_only, &mut shares);
        }
        shares
    }

    fn parents(&self, at: u32) -> &[u32] {
        let (all, begin) = &self.parents;
        &all[begin[at as usize] as usize..begin[at as usize + 1] as usize]
    }

    /// What one commit has and another has not, whether that is behind it or beside it.
    fn without(&self, target: CommitId, end: CommitId) -> Share<'_> {
        let reach = |from: CommitId| {
            let mut seen = vec![false; self.commits.len()];
            let mut open: Vec<u32> = self.index.get(&from).copied().into_iter().collect();
            while let Some(at) = open.pop() {
                if !std::mem::replace(&mut seen[at as usize], true) {
                    open.extend(self.parents(at));
                }
            }
            seen
        };
        let (all, gone) = (reach(target), reach(end));
        let behind = self.index.get(&end).is_some_and(|end| all[*end as usize]);
        let owned = self.commits.iter().zip(all).zip(gone).filter(|((_, has), gone)| *has && !gone);
        Share {
            commits: owned.map(|((commit, _), _)| commit).collect(),
            previous: self.tags.iter().rfind(|tag| behind && tag.commit == end),
            ends: Ends::Revision,
            excluded: self.tags.iter().filter(|tag| tag.commit == end).collect(),
        }
    }

    fn attribute<'a>(
        &'a self,
        wanted: &[Wanted<'_>],
        members: &[usize],
        stable_only: bool,
        shares: &mut [Share<'a>],
    ) {
        let mut marks = Vec::new();
        // The tag behind a mark that ends something; the share a mark fills.
        let mut tags: Vec<Option<&TagFacts>> = Vec::new();
        let mut fills: Vec<Option<usize>> = Vec::new();
        let mut by_tag: HashMap<&str, usize> = HashMap::new();
        for member in members {
            if let Some(tag) = wanted[*member].tag {
                by_tag.insert(tag.tag.as_str(), *member);
            }
        }
        // In the order of versions, so that of two releases of one commit the lower one owns what it brings.
        for tag in &self.tags {
            let Some(position) = self.index.get(&tag.commit) else { continue };
            let ends = !stable_only || tag.version.pre.is_empty();
            let fill = by_tag.remove(tag.tag.as_str());
            if ends || fill.is_some() {
                marks.push(Mark { position: *position, ends });
                tags.push(Some(tag).filter(|_| ends));
                fills.push(fill);
            }
        }
        // What is not released, and releases that are not among the tags.
        let rest = members
            .iter()
            .filter(|member| wanted[**member].tag.is_none_or(|tag| by_tag.contains_key(tag.tag.as_str())));
        for member in rest {
            let Some(position) = self.index.get(&wanted[*member].target) else { continue };
            marks.push(Mark { position: *position, ends: false });
            tags.push(None);
            fills.push(Some(*member));
        }
        let parents = |at: u32| self.parents(at);
        for (owned, fill) in attribute(&parents, self.commits.len(), &marks).into_iter().zip(fills) {
            let Some(fill) = fill else { continue };
            let mut excluded: Vec<&TagFacts> = owned.met.iter().filter_map(|met| tags[*met]).collect();
            excluded.sort_by(|left, right| left.version.cmp(&right.version));
            shares[fill] = Share {
                commits: owned.commits.iter().map(|at| &self.commits[*at as usize]).collect(),
                previous: excluded.last().copied(),
                ends: if stable_only { Ends::Stable } else { Ends::Any },
                excluded,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use proptest::prelude::*;
    use semver::Version;

    use super::*;

    fn id(at: usize) -> CommitId {
        CommitId::from_bytes([u8::try_from(at).unwrap(); 20])
    }

    /// Commits, children first, from the steps to their parents.
    fn commits(steps: &[Vec<usize>]) -> Vec<Commit> {
        let parents = |at: usize, steps: &[usize]| {
            let parents: BTreeSet<usize> = steps.iter().map(|step| at + step).collect();
            parents.into_iter().filter(|parent| *parent < MAX).collect::<Vec<_>>()
        };
        let person = Arc::new(Person { name: "Ada".to_owned(), email: "ada@example.com".to_owned() });
        let count = steps.len();
        let commit = |(at, steps): (usize, &Vec<usize>)| Commit {
            id: id(at),
            tree: id(at),
            parents: parents(at, steps).into_iter().filter(|at| *at < count).map(id).collect(),
            author: person.clone(),
            authored: Timestamp::UNIX_EPOCH,
            time: Timestamp::UNIX_EPOCH,
            message: format!("feat: {at}"),
            signed: false,
        };
        steps.iter().enumerate().map(commit).collect()
    }

    #[test]
    fn a_history_begins_where_parents_are_missing() {
        let all = commits(&[vec![1], vec![1], vec![1]]);
        assert_eq!(History::new(all.clone(), Vec::new()).begins(), None);
        let cut = History::new(all[..2].to_vec(), Vec::new());
        assert_eq!(cut.begins(), Some(Timestamp::UNIX_EPOCH));
    }

    const MAX: usize = 60;

    /// Releases at commits, lowest version first. Several may be on one commit, and versions do not follow the history.
    fn tags(places: &[(usize, u64, u64)], count: usize) -> Vec<TagFacts> {
        let mut tags: Vec<TagFacts> = Vec::new();
        for (place, minor, label) in places {
            let name = match label {
                0 | 1 => format!("0.{minor}.0"),
                label => format!("0.{minor}.0-rc.{label}"),
            };
            let version = Version::parse(&name).unwrap();
            if tags.iter().all(|tag| tag.version != version) {
                let commit = id(place % count);
                tags.push(TagFacts {
                    tag: format!("v{name}").parse().unwrap(),
                    version,
                    commit,
                    object: commit,
                });
            }
        }
        tags.sort_by(|left, right| left.version.cmp(&right.version));
        tags
    }

    /// What a commit has.
    fn reach(history: &History, from: CommitId) -> BTreeSet<CommitId> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(&history.commit(id).unwrap().parents);
            }
        }
        seen
    }

    /// The definition, for one release.
    fn slowly(history: &History, wanted: &Wanted<'_>, since: Since) -> (BTreeSet<CommitId>, Option<Tag>) {
        let reach = |from: CommitId| reach(history, from);
        let is_earlier = |tag: &&TagFacts, of: &Wanted<'_>| {
            let behind = reach(of.target).contains(&tag.commit);
            let same = tag.commit == of.target;
            behind && (!same || of.tag.is_none_or(|of| tag.version < of.version))
        };
        let ends: Vec<&TagFacts> = match since {
            Since::Commit(end) => {
                let all = reach(wanted.target);
                let gone = reach(end);
                let tag = history.tags().iter().rfind(|tag| tag.commit == end && all.contains(&end));
                return (all.difference(&gone).copied().collect(), tag.map(|tag| tag.tag.clone()));
            }
            Since::Tag => history.tags().iter().collect(),
            Since::Stable => history.tags().iter().filter(|tag| tag.version.pre.is_empty()).collect(),
            Since::Policy => {
                let any = |tag: &&TagFacts| wanted.prerelease || tag.version.pre.is_empty();
                history.tags().iter().filter(any).collect()
            }
        };
        let earlier: Vec<&TagFacts> = ends.into_iter().filter(|tag| is_earlier(tag, wanted)).collect();
        let hidden: BTreeSet<CommitId> = earlier.iter().flat_map(|tag| reach(tag.commit)).collect();
        let nearest = earlier.iter().filter(|tag| {
            !earlier.iter().any(|other| other.tag != tag.tag && is_earlier(tag, &Wanted::release(other)))
        });
        let previous = nearest.max_by(|left, right| left.version.cmp(&right.version));
        (reach(wanted.target).difference(&hidden).copied().collect(), previous.map(|tag| tag.tag.clone()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn a_release_owns_what_no_earlier_one_has(
            steps in proptest::collection::vec(proptest::collection::vec(1usize..12, 0..4), 1..MAX),
            places in proptest::collection::vec((0usize..MAX, 1u64..6, 0u64..4), 0..12),
            end in 0usize..MAX,
        ) {
            let count = steps.len();
            let history = History::new(commits(&steps), tags(&places, count));
            let mut wanted: Vec<Wanted<'_>> = history.tags().iter().map(Wanted::release).collect();
            wanted.push(Wanted::unreleased(id(0)));
            for since in [Since::Policy, Since::Tag, Since::Stable, Since::Commit(id(end % count))] {
                let shares = history.shares(&wanted, since);
                // One at a time is the same as all at once.
                for (wanted, share) in wanted.iter().zip(&shares) {
                    let found: BTreeSet<CommitId> = share.commits.iter().map(|commit| commit.id).collect();
                    prop_assert_eq!(found.len(), share.commits.len());
                    let previous = share.previous.map(|tag| tag.tag.clone());
                    let owned = (found, previous);
                    prop_assert_eq!(&owned, &slowly(&history, wanted, since), "{:?} {:?}", wanted, since);
                    if !matches!(since, Since::Commit(_)) {
                        let gone = share.excluded.iter().flat_map(|tag| reach(&history, tag.commit)).collect();
                        let left: BTreeSet<CommitId> =
                            reach(&history, wanted.target).difference(&gone).copied().collect();
                        prop_assert_eq!(&left, &owned.0, "{:?}", share.excluded);
                    }
                    let alone = history.shares(&[*wanted], since).pop().unwrap();
                    prop_assert_eq!(&alone.commits, &share.commits);
                }
            }
        }
    }
}
