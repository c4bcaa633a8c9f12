//! Files on disk: bounded reads, and writes that are whole or absent.
#![expect(clippy::disallowed_methods, reason = "this is where files are read and written")]

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Component, Path, PathBuf};

use crate::model::{AssetName, Digest, DigestAlgorithm};
use crate::port::{Entry, EntryKind, Files, FilesError};

/// Read buffer; larger ones leave the second-level cache and hash more slowly.
const BUFFER: usize = 128 << 10;

/// A directory on disk as [`Files`].
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

/// Bytes on their way out: in memory while they are few, in a temporary file without a name when they are many. Where
/// none can be made they stay in memory.
#[derive(Debug, Default)]
pub struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    refused: bool,
}

/// As many bytes as stay in memory.
const IN_MEMORY: usize = 1 << 20;

impl Spool {
    /// Gives all of it to a writer, from the beginning.
    pub fn copy_to(mut self, writer: &mut dyn io::Write) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            io::Seek::rewind(&mut file)?;
            io::copy(&mut file, writer)?;
        }
        writer.write_all(&self.memory)
    }
}

impl io::Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.extend_from_slice(bytes);
        if self.memory.len() >= IN_MEMORY && !self.refused {
            if self.file.is_none() {
                // Without room for a file everything stays in memory.
                self.file = tempfile::tempfile().ok();
                self.refused = self.file.is_none();
            }
            if let Some(file) = &mut self.file {
                file.write_all(&self.memory)?;
                self.memory.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A directory that is gone when its owner is.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// Makes one where temporary files go.
    pub fn new() -> Result<Self, FilesError> {
        let made = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir();
        made.map(Self).map_err(|source| FilesError::io("make", Path::new("a temporary directory"), source))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Copies what a reader gives into a file, at most `limit` bytes of it.
    pub fn keep(&self, name: &AssetName, reader: &mut dyn Read, limit: u64) -> Result<(), FilesError> {
        let path = self.path().join(name.as_str());
        let copied = File::create(&path).and_then(|mut file| io::copy(&mut reader.take(limit), &mut file));
        copied.map(drop).map_err(|source| FilesError::io("write", &path, source))
    }
}

impl Directory {
    /// A view of a directory. Whether it exists shows when something is read.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, FilesError> {
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if path == Path::new(".") {
            Ok(self.root.clone())
        } else if inside {
            Ok(self.root.join(path))
        } else {
            let path = self.root.join(path);
            Err(FilesError::NotAFile { path, found: "a path that leaves the directory" })
        }
    }

    fn file(&self, path: &Path) -> Result<File, FilesError> {
        open(&self.resolve(path)?)
    }
}

impl Files for Directory {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FilesError> {
        read(&self.resolve(path)?, limit)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>, FilesError> {
        Ok(Box::new(self.file(path)?))
    }

    fn digest(&self, path: &Path) -> Result<(Digest, u64), FilesError> {
        let full = self.resolve(path)?;
        let mut file = open(&full)?;
        DigestAlgorithm::Sha256
            .digest_stream(&mut file)
            .map_err(|source| FilesError::io("read", &full, source))
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>, FilesError> {
        let full = self.resolve(directory)?;
        let failed = |source| FilesError::io("list", &full, source);
        let mut entries = Vec::new();
        for entry in fs::read_dir(&full).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let metadata = fs::symlink_metadata(entry.path()).map_err(failed)?;
            let kind = if metadata.is_file() {
                EntryKind::File
            } else if metadata.is_dir() {
                EntryKind::Directory
            } else {
                EntryKind::Other
            };
            let size = if kind == EntryKind::File { metadata.len() } else { 0 };
            entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), kind, size });
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }
}

/// Opens a regular file for reading; a link is refused.
pub(crate) fn open(path: &Path) -> Result<File, FilesError> {
    let failed = |source| FilesError::io("read", path, source);
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        let found = match metadata.file_type() {
            kind if kind.is_dir() => "a directory",
            kind if kind.is_symlink() => "a symbolic link",
            _ => "a pipe, a socket or a device",
        };
        return Err(FilesError::NotAFile { path: path.to_owned(), found });
    }
    File::open(path).map_err(failed)
}

/// The whole content of a file, at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FilesError> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| FilesError::io("read", path, source))?;
    if bytes.len() as u64 > limit {
        return Err(FilesError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// The same of a file that a link may lead to: what belongs to the user of this machine, such as logins, is mounted as
/// links in containers and kept as links by those who keep such files elsewhere.
pub fn read_linked(path: &Path, limit: u64) -> Result<Vec<u8>, FilesError> {
    let real = fs::canonicalize(path).map_err(|source| FilesError::io("read", path, source))?;
    read(&real, limit)
}

/// The digest of a file, whatever its size.
pub fn digest(path: &Path) -> Result<Digest, FilesError> {
    let mut file = open(path)?;
    let (digest, _) = DigestAlgorithm::Sha256
        .digest_stream(&mut file)
        .map_err(|source| FilesError::io("read", path, source))?;
    Ok(digest)
}

/// Writes a file whole or not at all: a temporary file in the same directory, synced, then renamed over the name.
/// Missing parent directories are created.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    write_atomic_mode(path, bytes, 0o644)
}

/// [`write_atomic`] with a mode, for keys and executables.
pub fn write_atomic_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FilesError> {
    write_with(path, mode, |file| {
        file.write_all(bytes).map_err(|source| FilesError::io("write", path, source))
    })
}

/// Writes a file, whole or not at all, from what was spooled.
pub fn write_spooled(path: &Path, bytes: Spool) -> Result<(), FilesError> {
    write_with(path, 0o644, |file| {
        bytes.copy_to(file).map_err(|source| FilesError::io("write", path, source))
    })
}

/// What gives bytes piece by piece, until there is no more.
pub type Pieces<'a, E> = dyn FnMut() -> Result<Option<Vec<u8>>, E> + 'a;

/// Writes a file from pieces, whole or not at all.
pub fn write_pieces<E: From<FilesError>>(path: &Path, pieces: &mut Pieces<'_, E>) -> Result<(), E> {
    write_with(path, 0o644, |file| {
        let failed = |source| E::from(FilesError::io("write", path, source));
        let mut writer = io::BufWriter::with_capacity(BUFFER, file);
        while let Some(piece) = pieces()? {
            writer.write_all(&piece).map_err(failed)?;
        }
        writer.flush().map_err(failed)
    })
}

/// Fills a temporary file beside a name and gives it the name. Missing parent directories are created.
fn write_with<E: From<FilesError>>(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut tempfile::NamedTempFile) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |source| FilesError::io("write", path, source);
    // No name is given to a file over a directory; `.` answers that it is busy, which sounds as if it would pass.
    if path.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()).into());
    }
    let parent = parent_of(path);
    create_dir(parent)?;
    let mut file = temporary_in(parent).map_err(failed)?;
    fill(&mut file)?;
    Ok(finish(file, path, mode).map_err(failed)?)
}

/// The directory a path is in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Creates a directory and its parents.
pub fn create_dir(path: &Path) -> Result<(), FilesError> {
    fs::create_dir_all(path).map_err(|source| FilesError::io("create", path, source))
}

/// The prefix of every temporary file, so that a later run can tell what a killed one left.
pub const TEMPORARY_PREFIX: &str = ".kyklos-release-";

/// A temporary file beside its later name.
pub(crate) fn temporary_in(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(directory)
}

/// Gives a finished temporary file its name.
pub(crate) fn finish(file: tempfile::NamedTempFile, path: &Path, mode: u32) -> io::Result<()> {
    complete(&file, mode)?;
    file.persist(path).map_err(|error| error.error)?;
    keep_name(path)
}

/// The same where nothing may be under the name yet.
pub(crate) fn finish_new(file: tempfile::NamedTempFile, path: &Path, mode: u32) -> io::Result<()> {
    complete(&file, mode)?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    keep_name(path)
}

/// Whether a file that was opened is still the one under a name.
pub(crate) fn is_still_at(file: &File, path: &Path) -> bool {
    let (Ok(opened), Ok(found)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        (opened.dev(), opened.ino()) == (found.dev(), found.ino())
    }
    #[cfg(not(unix))]
    {
        (opened.len(), opened.modified().ok()) == (found.len(), found.modified().ok())
    }
}

fn complete(file: &tempfile::NamedTempFile, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = mode;
    file.as_file().sync_all()
}

fn keep_name(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Removes what a killed run left in a directory. Names that do not carry our prefix are never touched.
pub fn remove_left_overs(directory: &Path) -> Result<(), FilesError> {
    let failed = |source| FilesError::io("remove", directory, source);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Removes a file if it is there.
pub fn remove_file(path: &Path) -> Result<(), FilesError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FilesError::io("remove", path, source))
        }
        _ => Ok(()),
    }
}

/// Removes a directory with everything in it if it is there.
pub fn remove_dir(path: &Path) -> Result<(), FilesError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FilesError::io("remove", path, source))
        }
        _ => Ok(()),
    }
}

/// Whether a directory holds nothing.
pub fn is_empty(path: &Path) -> Result<bool, FilesError> {
    let mut entries = fs::read_dir(path).map_err(|source| FilesError::io("list", path, source))?;
    Ok(entries.next().is_none())
}

/// The absolute path without links.
pub fn canonical(path: &Path) -> Result<PathBuf, FilesError> {
    fs::canonicalize(path).map_err(|source| FilesError::io("read", path, source))
}

/// Holds a directory against other processes until it is dropped; the system lets go when the process dies.
#[derive(Debug)]
pub struct DirectoryLock {
    _handle: File,
}

impl DirectoryLock {
    /// Takes the lock; `None` when another process has it.
    pub fn try_take(directory: &Path) -> Result<Option<Self>, FilesError> {
        let handle = File::open(directory).map_err(|source| FilesError::io("lock", directory, source))?;
        match handle.try_lock() {
            Ok(()) => Ok(Some(Self { _handle: handle })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => Err(FilesError::io("lock", directory, source)),
        }
    }
}

/// Whether anything has this name.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_within_the_limit_and_inside_the_root() {
        let dir = tempfile::tempdir().unwrap();
        write_atomic(&dir.path().join("a/b.txt"), b"12345").unwrap();
        let files = Directory::new(dir.path());
        assert_eq!(files.read(Path::new("a/b.txt"), 5).unwrap(), b"12345");
        assert!(matches!(files.read(Path::new("a/b.txt"), 4), Err(FilesError::TooLarge { limit: 4, .. })));
        assert!(matches!(files.read(Path::new("../x"), 4), Err(FilesError::NotAFile { .. })));
        assert!(matches!(files.read(Path::new("c"), 4), Err(FilesError::Missing { .. })));
        let names: Vec<_> = files.list(Path::new("a")).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["b.txt"]);
    }
}
