//! The files of a commit, read from the objects: what is in the work tree does not matter.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid};

use super::{GitError, Repository, oid};
use crate::model::CommitId;

/// More files than a source tree has.
const MAX_FILES: usize = 1_000_000;
/// Deeper than a source tree is.
pub(super) const MAX_DEPTH: usize = 128;

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// The path from the root of the tree, with `/`.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Bytes of the file, or of the target of a link; 0 for a submodule.
    pub size: u64,
    /// The object id in hexadecimal digits.
    pub blob: String,
}

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file, mode 644.
    Regular,
    /// A file, mode 755.
    Executable,
    /// A symbolic link; its bytes are the target.
    Link,
    /// A commit of another repository.
    Submodule,
}

impl Repository {
    /// The files of a commit, sorted by path as bytes.
    pub fn files(&self, commit: CommitId) -> Result<Vec<TreeFile>, GitError> {
        let mut files = Vec::new();
        self.walk(commit, self.tree_of(commit)?, "", 0, &mut files)?;
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }

    /// The bytes of one file of a commit; `None` when the commit has no such file.
    pub fn read_file(&self, commit: CommitId, path: &str, limit: u64) -> Result<Option<Vec<u8>>, GitError> {
        let tree = self.tree_of(commit)?;
        let tree = self.inner.find_tree(tree).map_err(|error| self.object_error(tree, error))?;
        let entry = match tree.get_path(Path::new(path)) {
            Ok(entry) => entry,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(GitError::read("read a tree", error)),
        };
        if entry.kind() != Some(ObjectType::Blob) || entry.filemode() == 0o120_000 {
            return Ok(None);
        }
        self.blob(entry.id(), path, limit).map(Some)
    }

    /// The regular files directly in a directory of a commit, with their paths, sorted; none when there is no such
    /// directory.
    pub fn files_in(
        &self,
        commit: CommitId,
        directory: &str,
        limit: u64,
    ) -> Result<Vec<(String, Vec<u8>)>, GitError> {
        let top = self.tree_of(commit)?;
        let top = self.inner.find_tree(top).map_err(|error| self.object_error(top, error))?;
        let entry = match top.get_path(Path::new(directory)) {
            Ok(entry) if entry.kind() == Some(ObjectType::Tree) => entry,
            Ok(_) => return Ok(Vec::new()),
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(GitError::read("read a tree", error)),
        };
        let tree = self.inner.find_tree(entry.id()).map_err(|error| self.object_error(entry.id(), error))?;
        let mut files = Vec::new();
        for entry in tree.iter() {
            if entry.kind() == Some(ObjectType::Blob) && entry.filemode() != 0o120_000 {
                let path = format!("{directory}/{}", String::from_utf8_lossy(entry.name_bytes()));
                let bytes = self.blob(entry.id(), &path, limit)?;
                files.push((path, bytes));
            }
        }
        files.sort();
        Ok(files)
    }

    /// The bytes of a file that [`Repository::files`] told.
    pub fn read_blob(&self, file: &TreeFile) -> Result<Vec<u8>, GitError> {
        let id = Oid::from_str(&file.blob).map_err(|error| GitError::read("read an object", error))?;
        self.blob(id, &file.path, file.size)
    }

    fn blob(&self, id: Oid, path: &str, limit: u64) -> Result<Vec<u8>, GitError> {
        let odb = self.odb()?;
        let (size, _) = odb.read_header(id).map_err(|error| self.object_error(id, error))?;
        if size as u64 > limit {
            return Err(GitError::TooLarge { what: path.to_owned(), limit });
        }
        Ok(odb.read(id).map_err(|error| self.object_error(id, error))?.data().to_vec())
    }

    pub(super) fn tree_of(&self, commit: CommitId) -> Result<Oid, GitError> {
        let id = oid(commit);
        let found = self.inner.find_commit(id).map_err(|error| self.object_error(id, error))?;
        Ok(found.tree_id())
    }

    fn walk(
        &self,
        commit: CommitId,
        tree: Oid,
        prefix: &str,
        depth: usize,
        files: &mut Vec<TreeFile>,
    ) -> Result<(), GitError> {
        if depth > MAX_DEPTH {
            return Err(GitError::TooLarge {
                what: "the depth of the tree".to_owned(),
                limit: MAX_DEPTH as u64,
            });
        }
        let odb = self.odb()?;
        let found = self.inner.find_tree(tree).map_err(|error| self.object_error(tree, error))?;
        for entry in &found {
            let name = entry.name_bytes();
            let name = match std::str::from_utf8(name) {
                Ok(name) if is_plain(name) => name,
                _ => {
                    let path = format!("{prefix}{}", name.escape_ascii());
                    return Err(GitError::Path { path, commit });
                }
            };
            let path = format!("{prefix}{name}");
            let kind = match entry.filemode() {
                0o040_000 => {
                    self.walk(commit, entry.id(), &format!("{path}/"), depth + 1, files)?;
                    continue;
                }
                0o120_000 => FileKind::Link,
                0o160_000 => FileKind::Submodule,
                mode if mode & 0o111 != 0 => FileKind::Executable,
                _ => FileKind::Regular,
            };
            let size = match kind {
                FileKind::Submodule => 0,
                _ => {
                    odb.read_header(entry.id()).map_err(|error| self.object_error(entry.id(), error))?.0
                        as u64
                }
            };
            if files.len() >= MAX_FILES {
                return Err(GitError::TooLarge {
                    what: "the number of files".to_owned(),
                    limit: MAX_FILES as u64,
                });
            }
            files.push(TreeFile { path, kind, size, blob: entry.id().to_string() });
        }
        Ok(())
    }
}

/// A name that stays where it is unpacked: git itself refuses the others, an object made by hand may hold them.
fn is_plain(name: &str) -> bool {
    !(name.is_empty()
        || name == "."
        || name == ".."
        || name.eq_ignore_ascii_case(".git")
        || name.contains(['/', '\\', '\0']))
}
