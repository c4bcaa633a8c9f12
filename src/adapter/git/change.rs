//! What a commit changes, and who people are.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

use git2::{ObjectType, Oid};

use super::paths::{DIRECTORY, TreeEntry, split};
use super::tree::MAX_DEPTH;
use super::{Repository, oid};
use crate::model::{CommitId, Person};

/// What as many commits change, and as many files move, is kept: copies are looked for in groups.
const KEPT: usize = 64;
/// A file with a zero byte before this place is no text, as git sees it.
const TEXT: usize = 8000;

/// One file that a commit changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    path: String,
    from: Option<CommitId>,
    to: Option<CommitId>,
}

/// What was found out about commits and is asked for again: they are compared in groups, each with each.
#[derive(Default)]
pub(super) struct Changes {
    /// What commits change, by commit; `None` for merges and where something is missing.
    files: HashMap<CommitId, Option<Rc<[Changed]>>>,
    /// By how much the sum of lines moves from one file to another; `None` for what is no text.
    moved: HashMap<(Option<CommitId>, Option<CommitId>), Option<u64>>,
}

impl Repository {
    /// Whether two commits make the same change: the same files from the same bytes to the same bytes, or patches with
    /// the same `git patch-id --stable`. Merges, commits that change nothing, and commits whose files are missing make
    /// the same change as none. `alike` commits need only change the same files.
    pub fn same_change(&self, one: CommitId, other: CommitId, alike: bool) -> bool {
        let (Some(left), Some(right)) = (self.changed(one), self.changed(other)) else { return false };
        if left.is_empty() || !left.iter().map(|file| &file.path).eq(right.iter().map(|file| &file.path)) {
            return false;
        }
        alike
            || left == right
            || (left.iter().zip(right.iter()).all(|(left, right)| self.may_be_alike(left, right))
                && self.patch_id(one).is_some_and(|patch| Some(patch) == self.patch_id(other)))
    }

    /// Whether two changes of a file can have the same patch: then they add and take away the same lines, so that what
    /// lines of the file sum up to moves by the same. This is quicker to see than a patch is made.
    fn may_be_alike(&self, left: &Changed, right: &Changed) -> bool {
        if (left.from, left.to) == (right.from, right.to) {
            return true;
        }
        match (self.moved(left), self.moved(right)) {
            (Some(left), Some(right)) => left == right,
            _ => true,
        }
    }

    /// By how much the sum of the lines of a file moves; `None` for what is no text.
    fn moved(&self, file: &Changed) -> Option<u64> {
        let key = (file.from, file.to);
        if let Some(known) = self.changes.borrow().moved.get(&key) {
            return *known;
        }
        let found = self.find_moved(file);
        let moved = &mut self.changes.borrow_mut().moved;
        if moved.len() >= KEPT {
            moved.clear();
        }
        moved.insert(key, found);
        found
    }

    fn find_moved(&self, file: &Changed) -> Option<u64> {
        let odb = self.odb().ok()?;
        let is_text =
            |kind, bytes: &[u8]| kind == ObjectType::Blob && !bytes[..bytes.len().min(TEXT)].contains(&0);
        let old = match file.from {
            Some(id) => {
                let read = |kind, bytes: &[u8]| is_text(kind, bytes).then(|| bytes.to_vec());
                self.object(&odb, oid(id), read).ok()??
            }
            None => Vec::new(),
        };
        match file.to {
            Some(id) => {
                let read = |kind, bytes: &[u8]| is_text(kind, bytes).then(|| moved(&old, bytes));
                self.object(&odb, oid(id), read).ok()?
            }
            None => Some(moved(&old, &[])),
        }
    }

    fn patch_id(&self, id: CommitId) -> Option<Oid> {
        let commit = self.inner.find_commit(oid(id)).ok()?;
        let parent = commit.parent(0).ok().and_then(|parent| parent.tree().ok());
        let tree = commit.tree().ok()?;
        self.inner.diff_tree_to_tree(parent.as_ref(), Some(&tree), None).ok()?.patchid(None).ok()
    }

    /// The files a commit changes, in the order of its tree; `None` for merges.
    fn changed(&self, id: CommitId) -> Option<Rc<[Changed]>> {
        if let Some(known) = self.changes.borrow().files.get(&id) {
            return known.clone();
        }
        let found = self.find_changed(id).map(Rc::from);
        let files = &mut self.changes.borrow_mut().files;
        if files.len() >= KEPT {
            files.clear();
        }
        files.insert(id, found.clone());
        found
    }

    fn find_changed(&self, id: CommitId) -> Option<Vec<Changed>> {
        let odb = self.odb().ok()?;
        let commit = self.read_commit(&odb, id).ok()?;
        if commit.parents.len() > 1 {
            return None;
        }
        // In a shallow clone the parent is not there.
        let parent = commit.parents.first().and_then(|parent| self.read_commit(&odb, *parent).ok());
        let old = parent.and_then(|parent| self.tree_bytes(parent.tree).ok());
        let mut files = Vec::new();
        let new = self.tree_bytes(commit.tree).ok();
        self.collect(&old.unwrap_or_default(), &new.unwrap_or_default(), "", &mut files)?;
        Some(files)
    }

    /// Adds the files in which two directories differ. `None` when something is missing, or no tree.
    fn collect(&self, old: &[u8], new: &[u8], prefix: &str, files: &mut Vec<Changed>) -> Option<()> {
        // No path is without a name between its slashes.
        (prefix.len() <= 2 * MAX_DEPTH || prefix.split('/').count() <= MAX_DEPTH).then_some(())?;
        let below = |entry: Option<&TreeEntry<'_>>| -> Option<Vec<u8>> {
            entry.map_or(Some(Vec::new()), |entry| self.tree_bytes(entry.id).ok())
        };
        let (mut old, mut new) = (old, new);
        while !(old.is_empty() && new.is_empty()) {
            let left = first(old)?;
            // Nearly every entry is the same in both.
            if let Some(left) = &left
                && let Some(rest) = new.strip_prefix(&old[..old.len() - left.rest.len()])
            {
                (old, new) = (left.rest, rest);
                continue;
            }
            let right = first(new)?;
            let order = match (&left, &right) {
                (Some(left), Some(right)) => in_order(left, right),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            let (from, to) = (left.filter(|_| order.is_le()), right.filter(|_| order.is_ge()));
            old = from.as_ref().map_or(old, |entry| entry.rest);
            new = to.as_ref().map_or(new, |entry| entry.rest);
            let (id, other) = (from.as_ref().map(|entry| entry.id), to.as_ref().map(|entry| entry.id));
            let Some(entry) = to.as_ref().or(from.as_ref()).filter(|_| id != other) else { continue };
            let path = format!("{prefix}{}", String::from_utf8_lossy(entry.name));
            if entry.mode == DIRECTORY {
                self.collect(&below(from.as_ref())?, &below(to.as_ref())?, &format!("{path}/"), files)?;
            } else {
                files.push(Changed { path, from: id, to: other });
            }
        }
        Some(())
    }

    /// The names and addresses of `.mailmap` (gitmailmap(5)); people it does not know stay who they are.
    pub fn mailmap(&self) -> impl Fn(&Person) -> Person {
        let map = self.inner.mailmap().ok();
        move |person: &Person| {
            let resolve = || {
                let signature =
                    git2::Signature::new(&person.name, &person.email, &git2::Time::new(0, 0)).ok()?;
                let real = map.as_ref()?.resolve_signature(&signature).ok()?;
                Some(Person { name: real.name().ok()?.to_owned(), email: real.email().ok()?.to_owned() })
            };
            resolve().unwrap_or_else(|| person.clone())
        }
    }
}

/// The first entry of a tree, if it has one; `None` for what is no tree.
fn first(tree: &[u8]) -> Option<Option<TreeEntry<'_>>> {
    if tree.is_empty() { Some(None) } else { split(tree).map(Some) }
}

/// The order of entries: a directory stands as if its name ended with `/`.
fn in_order(left: &TreeEntry<'_>, right: &TreeEntry<'_>) -> Ordering {
    let name = |entry: &TreeEntry<'_>| (entry.mode == DIRECTORY).then_some(b'/');
    left.name.iter().copied().chain(name(left)).cmp(right.name.iter().copied().chain(name(right)))
}

/// By how much the sum of lines moves from one text to another. Lines that both begin or end with need not be summed up.
fn moved(old: &[u8], new: &[u8]) -> u64 {
    let start = alike(old.as_chunks().0.iter(), new.as_chunks().0.iter());
    let start = memchr::memrchr(b'\n', &old[..start]).map_or(0, |at| at + 1);
    let (old, new) = (&old[start..], &new[start..]);
    let end = alike(old.as_rchunks().1.iter().rev(), new.as_rchunks().1.iter().rev());
    let (old_end, new_end) = (old.len() - end, new.len() - end);
    // The first line of what is alike may be a part of another one.
    let line = memchr::memchr(b'\n', &old[old_end..]).map_or(end, |at| at + 1);
    let sum = |text: &[u8], end: usize| sum_of_lines(&text[..end + line]);
    sum(new, new_end).wrapping_sub(sum(old, old_end))
}

/// How many bytes two texts have in common, at least; looked at in blocks.
fn alike<'a>(old: impl Iterator<Item = &'a [u8; 32]>, new: impl Iterator<Item = &'a [u8; 32]>) -> usize {
    32 * old.zip(new).take_while(|(old, new)| old == new).count()
}

/// The sum of the lines of a text, each by what is not blank in it, as patch ids see lines.
fn sum_of_lines(bytes: &[u8]) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    let mut sum = 0u64;
    let mut line = START;
    for byte in bytes {
        match byte {
            b'\n' => {
                sum = sum.wrapping_add(line);
                line = START;
            }
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => {}
            byte => line = (line ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3),
        }
    }
    if bytes.last().is_some_and(|byte| *byte != b'\n') { sum.wrapping_add(line) } else { sum }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_alike_does_not_count(
            lines in proptest::collection::vec("[ab]{0,20}\n?", 0..20),
            old in "[ab\n]{0,40}",
            new in "[ab\n]{0,40}",
            more in proptest::collection::vec("[ab]{0,20}\n?", 0..20),
        ) {
            let text = |middle: String| lines.concat() + &middle + &more.concat();
            let (old, new) = (text(old), text(new));
            let expected = sum_of_lines(new.as_bytes()).wrapping_sub(sum_of_lines(old.as_bytes()));
            prop_assert_eq!(moved(old.as_bytes(), new.as_bytes()), expected);
        }
    }

    #[test]
    fn lines_that_come_and_go_move_the_sum_wherever_they_stand() {
        let moved =
            |from: &str, to: &str| sum_of_lines(to.as_bytes()).wrapping_sub(sum_of_lines(from.as_bytes()));
        assert_eq!(moved("a\nb\n", "a\nx\nb\n"), moved("c\n", "x\nc\n"));
        assert_eq!(moved("a\n", "a\n  x y\n"), moved("", "xy"));
        assert_eq!(moved("a\nb\n", "b\n"), moved("q\na\n", "q\n"));
        assert_ne!(moved("a\n", "a\nx\n"), moved("a\n", "a\ny\n"));
        assert_ne!(moved("", "ab"), moved("", "a\nb"));
    }
}
