//! Which commits change a path that counts. Of each tree is kept what counts of it, as a digest: two trees differ there
//! when the digests do, and no tree is read twice.

use std::cell::RefCell;
use std::collections::HashMap;

use git2::ObjectType;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::tree::MAX_DEPTH;
use super::{GitError, Repository};
use crate::model::{Commit, CommitId, Digest, Hasher};

/// The mode of a directory in a tree.
pub(super) const DIRECTORY: &[u8] = b"40000";

/// Which paths count: those of the includes, all when there are none, without those of the excludes.
#[derive(Debug, Clone)]
pub struct PathFilter {
    include: GlobSet,
    exclude: GlobSet,
    /// What stands before the first wildcard of each include, and of each exclude.
    starts: Vec<String>,
    ends: Vec<String>,
    /// Includes without wildcards: everything below them counts.
    whole: Vec<String>,
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

const WILD: [char; 5] = ['*', '?', '[', '{', '\\'];

impl PathFilter {
    /// Reads patterns: a directory stands for everything in it, `*` stays in one directory, `**` does not.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, InvalidPattern> {
        let starts = |patterns: &[String]| {
            let start = |pattern: &String| {
                let pattern = clean(pattern);
                pattern[..pattern.find(WILD).unwrap_or(pattern.len())].to_owned()
            };
            patterns.iter().map(start).collect()
        };
        let whole = include.iter().map(|pattern| {
            let pattern = clean(pattern);
            pattern.strip_suffix("/**").unwrap_or(pattern)
        });
        Ok(Self {
            include: set(include)?,
            exclude: set(exclude)?,
            starts: starts(include),
            ends: starts(exclude),
            whole: whole.filter(|pattern| !pattern.contains(WILD)).map(str::to_owned).collect(),
        })
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    fn matches(&self, path: &str) -> bool {
        // A look at the start is cheap and tells of most paths.
        let start = || self.starts.iter().any(|start| path.starts_with(start.as_str()));
        (self.include.is_empty() || (start() && self.include.is_match(path))) && !self.exclude.is_match(path)
    }

    /// Whether something in a directory, which ends with `/`, could match.
    fn may_match_in(&self, directory: &str) -> bool {
        self.include.is_empty() || leads(&self.starts, directory)
    }

    /// Whether everything in a directory, which ends with `/`, matches.
    fn matches_all_in(&self, directory: &str) -> bool {
        let below =
            |top: &String| directory.strip_prefix(top.as_str()).is_some_and(|rest| rest.starts_with('/'));
        (self.include.is_empty() || self.whole.iter().any(below)) && !leads(&self.ends, directory)
    }
}

/// Whether a pattern with one of the starts could match something in a directory.
fn leads(starts: &[String], directory: &str) -> bool {
    starts.iter().any(|start| start.starts_with(directory) || directory.starts_with(start.as_str()))
}

fn clean(pattern: &str) -> &str {
    pattern.trim_start_matches("./").trim_end_matches('/')
}

fn set(patterns: &[String]) -> Result<GlobSet, InvalidPattern> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let clean = clean(pattern);
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

/// Looks at commits with one filter.
pub struct Paths<'a> {
    repository: &'a Repository,
    filter: &'a PathFilter,
    /// By the directory, which ends with `/`, and the tree it has.
    known: RefCell<HashMap<String, HashMap<CommitId, Option<Digest>>>>,
}

impl Repository {
    /// A look at commits with a filter.
    pub fn paths<'a>(&'a self, filter: &'a PathFilter) -> Paths<'a> {
        Paths { repository: self, filter, known: RefCell::default() }
    }

    /// The bytes of a tree.
    pub(super) fn tree_bytes(&self, id: CommitId) -> Result<Vec<u8>, GitError> {
        let odb = self.odb()?;
        let read = |kind, bytes: &[u8]| (kind == ObjectType::Tree).then(|| bytes.to_vec());
        self.object(&odb, super::oid(id), read)?.ok_or(GitError::Malformed { id })
    }
}

impl Paths<'_> {
    /// Whether a commit changes a path that counts; a merge does when it differs from every parent there.
    /// `tree_of` tells the trees of commits that were read before.
    pub fn touches(
        &self,
        commit: &Commit,
        tree_of: &dyn Fn(CommitId) -> Option<CommitId>,
    ) -> Result<bool, GitError> {
        let here = self.part(commit.tree, "", 0)?;
        if commit.parents.is_empty() {
            return Ok(here.is_some());
        }
        for parent in &commit.parents {
            let tree = match tree_of(*parent) {
                Some(tree) => tree,
                None => self.repository.read_commit(&self.repository.odb()?, *parent)?.tree,
            };
            if self.part(tree, "", 0)? == here {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What counts of a directory; `None` for nothing.
    fn part(&self, tree: CommitId, directory: &str, depth: usize) -> Result<Option<Digest>, GitError> {
        if let Some(known) = self.known.borrow().get(directory).and_then(|trees| trees.get(&tree)) {
            return Ok(*known);
        }
        if depth > MAX_DEPTH {
            return Err(GitError::TooLarge {
                what: "the depth of the tree".to_owned(),
                limit: MAX_DEPTH as u64,
            });
        }
        let bytes = self.repository.tree_bytes(tree)?;
        let mut hasher = Hasher::default();
        let mut any = false;
        let mut rest = bytes.as_slice();
        let mut path = directory.to_owned();
        while !rest.is_empty() {
            let entry = split(rest).ok_or(GitError::Malformed { id: tree })?;
            rest = entry.rest;
            path.truncate(directory.len());
            path.push_str(&String::from_utf8_lossy(entry.name));
            let mut below = None;
            let counts = if entry.mode == DIRECTORY {
                path.push('/');
                if self.filter.matches_all_in(&path) {
                    true
                } else if self.filter.may_match_in(&path) {
                    below = self.part(entry.id, &path, depth + 1)?;
                    below.is_some()
                } else {
                    false
                }
            } else {
                self.filter.matches(&path)
            };
            if counts {
                any = true;
                let counted = below.as_ref().map_or(entry.id.as_bytes().as_slice(), |part| part.as_bytes());
                for part in [entry.mode, b" ", entry.name, b"\0", counted] {
                    hasher.update(part);
                }
            }
        }
        let part = any.then(|| hasher.finish().0);
        self.known.borrow_mut().entry(directory.to_owned()).or_default().insert(tree, part);
        Ok(part)
    }
}

/// One entry of a tree.
pub(super) struct TreeEntry<'a> {
    pub(super) mode: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) id: CommitId,
    pub(super) rest: &'a [u8],
}

/// The first entry: mode, name, and the 20 bytes of an id.
pub(super) fn split(bytes: &[u8]) -> Option<TreeEntry<'_>> {
    let space = bytes.iter().take(8).position(|byte| *byte == b' ')?;
    let (mode, rest) = (&bytes[..space], &bytes[space + 1..]);
    let end = memchr::memchr(0, rest)?;
    let (name, rest) = (&rest[..end], &rest[end + 1..]);
    let (id, rest) = rest.split_first_chunk::<20>()?;
    Some(TreeEntry { mode, name, id: CommitId::from_bytes(*id), rest })
}
