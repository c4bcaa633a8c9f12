//! Commits, release tags, and what each release owns.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use super::ownership::{Mark, attribute};
use crate::model::{Commit, CommitId, Tag, TagFacts};

/// Commits and release tags of a repository, or of the part of it that one release needs.
#[derive(Debug, Clone)]
pub struct History {
    commits: Vec<Commit>,
    tags: Vec<TagFacts>,
    index: HashMap<CommitId, u32>,
    released: OnceCell<HashMap<CommitId, u32>>,
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

/// What a release owns.
#[derive(Debug, Clone, Default)]
pub struct Share<'a> {
    /// Newest first, children before their parents.
    pub commits: Vec<&'a Commit>,
    /// The nearest earlier release, the one with the highest version where there are several.
    pub previous: Option<&'a TagFacts>,
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
        let index = (0..).zip(&commits).map(|(at, commit)| (commit.id, at)).collect();
        Self { commits, tags, index, released: OnceCell::new() }
    }

    /// The release tags, lowest version first.
    pub fn tags(&self) -> &[TagFacts] {
        &self.tags
    }

    /// One commit.
    pub fn commit(&self, id: CommitId) -> Option<&Commit> {
        self.commits.get(*self.index.get(&id)? as usize)
    }

    /// Every commit, children before their parents.
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// The lowest release that owns a commit.
    pub fn released_in(&self, commit: CommitId) -> Option<&Tag> {
        let released = self.released.get_or_init(|| {
            let wanted: Vec<Wanted<'_>> = self.tags.iter().map(Wanted::release).collect();
            let mut released = HashMap::new();
            for (at, share) in (0u32..).zip(self.shares(&wanted, Since::Tag)) {
                for commit in share.commits {
                    released.entry(commit.id).or_insert(at);
                }
            }
            released
        });
        self.tags.get(*released.get(&commit)? as usize).map(|tag| &tag.tag)
    }

    /// What each of the wanted releases owns, in their order.
    pub fn shares(&self, wanted: &[Wanted<'_>], since: Since) -> Vec<Share<'_>> {
        let mut groups: BTreeMap<bool, Vec<usize>> = BTreeMap::new();
        for (at, wanted) in wanted.iter().enumerate() {
            let stable_only = since.stable_only(wanted);
            groups.entry(stable_only).or_default().push(at);
        }
        let mut shares = vec![Share::default(); wanted.len()];
        for (stable_only, members) in groups {
            self.attribute(wanted, &members, since, stable_only, &mut shares);
        }
        shares
    }

    fn attribute<'a>(
        &'a self,
        wanted: &[Wanted<'_>],
        members: &[usize],
        since: Since,
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
        match since {
            Since::Commit(end) => {
                if let Some(position) = self.index.get(&end) {
                    marks.push(Mark { position: *position, ends: true });
                    tags.push(self.tags.iter().rfind(|tag| tag.commit == end));
                    fills.push(None);
                }
            }
            Since::Policy | Since::Tag | Since::Stable => {
                for tag in self.tags.iter().filter(|tag| !stable_only || tag.version.pre.is_empty()) {
                    let Some(position) = self.index.get(&tag.commit) else { continue };
                    marks.push(Mark { position: *position, ends: true });
                    tags.push(Some(tag));
                    fills.push(by_tag.remove(tag.tag.as_str()));
                }
            }
        }
        // What is not released, and releases that end nothing here.
        let rest = members
            .iter()
            .filter(|member| wanted[**member].tag.is_none_or(|tag| by_tag.contains_key(tag.tag.as_str())));
        for member in rest {
            let Some(position) = self.index.get(&wanted[*member].target) else { continue };
            marks.push(Mark { position: *position, ends: false });
            tags.push(None);
            fills.push(Some(*member));
        }
        let parents = |at: u32| {
            let commit = &self.commits[at as usize];
            commit.parents.iter().filter_map(|parent| self.index.get(parent).copied()).collect()
        };
        for (owned, fill) in attribute(&parents, self.commits.len(), &marks).into_iter().zip(fills) {
            let Some(fill) = fill else { continue };
            let previous = owned.met.iter().filter_map(|met| tags[*met]);
            shares[fill] = Share {
                commits: owned.commits.iter().map(|at| &self.commits[*at as usize]).collect(),
                previous: previous.max_by(|left, right| left.version.cmp(&right.version)),
            };
        }
    }
}
