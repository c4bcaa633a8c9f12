//! Which commits a release owns.

use std::collections::{HashMap, HashSet};

use crate::model::{Commit, CommitId, TagFacts};

/// Commits and release tags of a repository.
#[derive(Debug, Clone)]
pub struct History {
    commits: Vec<Commit>,
    tags: Vec<TagFacts>,
    index: HashMap<CommitId, usize>,
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
}

impl History {
    /// Children stand before their parents in `commits`; tags that point elsewhere are not looked at.
    pub fn new(commits: Vec<Commit>, tags: Vec<TagFacts>) -> Self {
        let index = commits.iter().enumerate().map(|(at, commit)| (commit.id, at)).collect();
        Self { commits, tags, index }
    }

    /// The release tags, lowest version first.
    pub fn tags(&self) -> &[TagFacts] {
        &self.tags
    }

    /// The commits a release at `target` owns, newest first, and the nearest earlier release. `own` is the tag of the
    /// release itself, which does not end it; other tags on the same commit with a higher version do not either.
    pub fn owned(
        &self,
        target: CommitId,
        own: Option<&TagFacts>,
        prerelease: bool,
        since: Since,
    ) -> (Vec<&Commit>, Option<&TagFacts>) {
        let reachable = self.reach(target, &HashSet::new());
        let stable_only = match since {
            Since::Policy => !prerelease,
            Since::Tag => false,
            Since::Stable => true,
        };
        let earlier: Vec<&TagFacts> = self
            .tags
            .iter()
            .filter(|tag| {
                own.is_none_or(|own| {
                    tag.tag != own.tag && (tag.commit != own.commit || tag.version < own.version)
                })
            })
            .filter(|tag| reachable.contains(&tag.commit) && (!stable_only || tag.version.pre.is_empty()))
            .collect();
        let mut released = HashSet::new();
        for tag in &earlier {
            let more = self.reach(tag.commit, &released);
            released.extend(more);
        }
        let owned = self
            .commits
            .iter()
            .filter(|commit| reachable.contains(&commit.id) && !released.contains(&commit.id))
            .collect();
        (owned, earlier.into_iter().max_by(|left, right| left.version.cmp(&right.version)))
    }

    /// Everything that can be reached from a commit, not walking into what is known already.
    fn reach(&self, from: CommitId, known: &HashSet<CommitId>) -> HashSet<CommitId> {
        let mut seen = HashSet::new();
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            if known.contains(&id) || !seen.insert(id) {
                continue;
            }
            if let Some(at) = self.index.get(&id) {
                open.extend(&self.commits[*at].parents);
            }
        }
        seen
    }
}
