//! What a commit changes, and who people are.

use std::collections::HashMap;

use git2::{Oid, Tree};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{GitError, Repository, oid};
use crate::model::{Commit, CommitId, Person};

/// Which paths count: those of the includes, all when there are none, without those of the excludes.
#[derive(Debug, Clone)]
pub struct PathFilter {
    include: GlobSet,
    exclude: GlobSet,
    /// What stands before the first wildcard of each include.
    starts: Vec<String>,
}

/// A pattern that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is no pattern of paths: {reason}")]
pub struct InvalidPattern {
    /// The pattern.
    pub pattern: String,
    /// Why.
    pub reason: String,
}

impl PathFilter {
    /// Reads patterns: a directory stands for everything in it, `*` stays in one directory, `**` does not.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, InvalidPattern> {
        let starts = include.iter().map(|pattern| {
            let end = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
            pattern[..end].trim_start_matches("./").to_owned()
        });
        Ok(Self { include: set(include)?, exclude: set(exclude)?, starts: starts.collect() })
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    fn matches(&self, path: &str) -> bool {
        (self.include.is_empty() || self.include.is_match(path)) && !self.exclude.is_match(path)
    }

    /// Whether something in a directory, which ends with `/`, could match.
    fn may_match_in(&self, directory: &str) -> bool {
        self.include.is_empty()
            || self
                .starts
                .iter()
                .any(|start| start.starts_with(directory) || directory.starts_with(start.as_str()))
    }
}

fn set(patterns: &[String]) -> Result<GlobSet, InvalidPattern> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let clean = pattern.trim_start_matches("./").trim_end_matches('/');
        for text in [clean.to_owned(), format!("{clean}/**")] {
            let glob = GlobBuilder::new(&text).literal_separator(true).build();
            set.add(glob.map_err(|error| InvalidPattern {
                pattern: pattern.clone(),
                reason: error.kind().to_string(),
            })?);
        }
    }
    set.build().map_err(|error| InvalidPattern { pattern: patterns.join(" "), reason: error.to_string() })
}

/// One file that a commit changes.
#[derive(Debug, PartialEq, Eq)]
struct Changed {
    path: String,
    from: Option<Oid>,
    to: Option<Oid>,
}

impl Repository {
    /// Whether a commit changes a path that counts; a merge does when it differs from every parent there. Directories
    /// with the same object id are not looked into.
    pub fn touches(&self, commit: &Commit, filter: &PathFilter) -> Result<bool, GitError> {
        let tree = self.tree_at(commit.id)?;
        if commit.parents.is_empty() {
            return self.differs(None, Some(&tree), "", filter);
        }
        for parent in &commit.parents {
            let parent = self.tree_at(*parent)?;
            if !self.differs(Some(&parent), Some(&tree), "", filter)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether two commits make the same change: the same files from the same bytes to the same bytes, or patches with
    /// the same `git patch-id --stable`. Merges, commits that change nothing, and commits whose files are missing make
    /// the same change as none. `alike` commits need only change the same files.
    pub fn same_change(&self, one: CommitId, other: CommitId, alike: bool) -> bool {
        let (Some(left), Some(right)) = (self.changed(one), self.changed(other)) else { return false };
        let paths = |files: &[Changed]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        if left.is_empty() || paths(&left) != paths(&right) {
            return false;
        }
        alike || left == right || self.patch_id(one).is_some_and(|patch| Some(patch) == self.patch_id(other))
    }

    fn patch_id(&self, id: CommitId) -> Option<Oid> {
        let commit = self.inner.find_commit(oid(id)).ok()?;
        let parent = commit.parent(0).ok().and_then(|parent| parent.tree().ok());
        let tree = commit.tree().ok()?;
        self.inner.diff_tree_to_tree(parent.as_ref(), Some(&tree), None).ok()?.patchid(None).ok()
    }

    /// The files a commit changes, in the order of its tree; `None` for merges.
    fn changed(&self, id: CommitId) -> Option<Vec<Changed>> {
        let commit = self.inner.find_commit(oid(id)).ok()?;
        if commit.parent_count() > 1 {
            return None;
        }
        let old = commit.parent(0).ok().and_then(|parent| parent.tree().ok());
        let mut files = Vec::new();
        self.collect(old.as_ref(), commit.tree().ok().as_ref(), "", &mut files)?;
        Some(files)
    }

    fn collect(
        &self,
        old: Option<&Tree<'_>>,
        new: Option<&Tree<'_>>,
        prefix: &str,
        files: &mut Vec<Changed>,
    ) -> Option<()> {
        let subtree = |entry: Option<&git2::TreeEntry<'_>>| {
            let entry = entry.filter(|entry| entry.kind() == Some(git2::ObjectType::Tree));
            entry.map(|entry| self.inner.find_tree(entry.id())).transpose().ok()
        };
        for (tree, other, added) in [(new, old, true), (old, new, false)] {
            for entry in tree.into_iter().flat_map(|tree| tree.iter()) {
                let there = other.and_then(|other| {
                    std::str::from_utf8(entry.name_bytes()).ok().and_then(|name| other.get_name(name))
                });
                // What both trees have is looked at once.
                if there.as_ref().is_some_and(|there| !added || there.id() == entry.id()) {
                    continue;
                }
                let path = format!("{prefix}{}", String::from_utf8_lossy(entry.name_bytes()));
                let (from, to) = if added { (there.as_ref(), Some(&entry)) } else { (Some(&entry), None) };
                let blob = |entry: Option<&git2::TreeEntry<'_>>| {
                    entry
                        .filter(|entry| entry.kind() != Some(git2::ObjectType::Tree))
                        .map(git2::TreeEntry::id)
                };
                if blob(from).is_some() || blob(to).is_some() {
                    files.push(Changed { path: path.clone(), from: blob(from), to: blob(to) });
                }
                let (from, to) = (subtree(from)?, subtree(to)?);
                if from.is_some() || to.is_some() {
                    self.collect(from.as_ref(), to.as_ref(), &format!("{path}/"), files)?;
                }
            }
        }
        Some(())
    }

    /// The names and addresses of `.mailmap` (gitmailmap(5)); people it does not know stay who they are.
    pub fn mailmap(&self) -> impl Fn(&Person) -> Person {
        let map = self.inner.mailmap().ok();
        let known = std::cell::RefCell::new(HashMap::<Person, Person>::new());
        move |person: &Person| {
            let Some(map) = &map else { return person.clone() };
            if let Some(found) = known.borrow().get(person) {
                return found.clone();
            }
            let resolve = || {
                let signature =
                    git2::Signature::new(&person.name, &person.email, &git2::Time::new(0, 0)).ok()?;
                let real = map.resolve_signature(&signature).ok()?;
                Some(Person { name: real.name().ok()?.to_owned(), email: real.email().ok()?.to_owned() })
            };
            let found = resolve().unwrap_or_else(|| person.clone());
            known.borrow_mut().insert(person.clone(), found.clone());
            found
        }
    }

    fn tree_at(&self, commit: CommitId) -> Result<Tree<'_>, GitError> {
        let id = self.tree_of(commit)?;
        self.tree(id)
    }

    fn tree(&self, id: Oid) -> Result<Tree<'_>, GitError> {
        self.inner.find_tree(id).map_err(|error| self.object_error(id, error))
    }

    fn differs(
        &self,
        old: Option<&Tree<'_>>,
        new: Option<&Tree<'_>>,
        prefix: &str,
        filter: &PathFilter,
    ) -> Result<bool, GitError> {
        for (tree, other) in [(new, old), (old, new)] {
            let Some(tree) = tree else { continue };
            for entry in tree {
                let there = other.and_then(|other| {
                    std::str::from_utf8(entry.name_bytes()).ok().and_then(|name| other.get_name(name))
                });
                let same = there
                    .as_ref()
                    .is_some_and(|there| there.id() == entry.id() && there.filemode() == entry.filemode());
                if same {
                    continue;
                }
                let path = format!("{prefix}{}", String::from_utf8_lossy(entry.name_bytes()));
                if entry.kind() != Some(git2::ObjectType::Tree) {
                    if filter.matches(&path) {
                        return Ok(true);
                    }
                    continue;
                }
                let inside = format!("{path}/");
                if !filter.may_match_in(&inside) {
                    continue;
                }
                let tree = self.tree(entry.id())?;
                let there = there.filter(|there| there.kind() == Some(git2::ObjectType::Tree));
                let there = there.map(|there| self.tree(there.id())).transpose()?;
                if self.differs(there.as_ref(), Some(&tree), &inside, filter)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
