//! Reading files: bounded, never following a link out of the directory that was asked for.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::diag::{Hint, Kind};
use crate::model::Digest;

/// A directory tree that is only read. Paths are relative to its root and never leave it.
pub trait Files {
    /// The whole content of a file; more than `limit` bytes is an error.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FilesError>;

    /// The content of a file as a stream.
    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>, FilesError>;

    /// Digest and size of a file.
    fn digest(&self, path: &Path) -> Result<(Digest, u64), FilesError>;

    /// What a directory holds, sorted by name, not recursive. A missing directory is an error.
    fn list(&self, directory: &Path) -> Result<Vec<Entry>, FilesError>;
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; a name that is not UTF-8 is shown with replacement characters and is never a valid asset name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of a file, else 0.
    pub size: u64,
}

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, device, socket or pipe.
    Other,
}

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// No such file or directory.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// More bytes than the reader takes.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// Not a regular file, or a path that leaves the root.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is: `a directory`, `a symbolic link`.
        found: &'static str,
    },
    /// The system said no.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: read, write, create, rename, list.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The answer.
        #[source]
        source: io::Error,
    },
}

impl FilesError {
    /// Wraps an answer of the system; a missing file is told apart.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound && matches!(action, "read" | "list") {
            return Self::Missing { path: path.to_owned() };
        }
        Self::Io { action, path: path.to_owned(), source }
    }
}

impl Hint for FilesError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "file-missing",
            Self::TooLarge { .. } => "file-too-large",
            Self::NotAFile { .. } => "file-not-regular",
            Self::Io { .. } => "file-io",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing { .. } | Self::TooLarge { .. } | Self::NotAFile { .. } => Kind::Usage,
            Self::Io { source, .. } => weight(source),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotAFile { found, .. } => {
                vec![("expected", "a regular file".to_owned()), ("found", (*found).to_owned())]
            }
            Self::Missing { .. } | Self::TooLarge { .. } | Self::Io { .. } => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Missing { .. } => Vec::new(),
            Self::NotAFile { .. } => {
                vec!["name the file itself; links and directories are not followed".to_owned()]
            }
            Self::TooLarge { .. } => {
                vec!["a file of this kind is never that large; check that it is the right one".to_owned()]
            }
            Self::Io { source, .. } => way_out(source),
        }
    }
}

/// What an answer of the system comes to, wherever it was met: a place that cannot be the one that was meant, a place
/// where others decide, or something that may be better the next time.
pub(super) fn weight(source: &io::Error) -> Kind {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::InvalidFilename => Kind::Usage,
        _ => Kind::Interrupted,
    }
}

/// What to do about an answer of the system, wherever it was met.
pub(super) fn way_out(source: &io::Error) -> Vec<String> {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            vec![
                "free some space and run the same command again; nothing half-written was left behind"
                    .to_owned(),
            ]
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            vec!["choose a directory you may write to".to_owned()]
        }
        _ => Vec::new(),
    }
}
