//! Repositories with the extension `partialClone`, as some programs leave them behind a clone without files. The library
//! underneath refuses them, and only unsafe code could tell it not to. So a copy of the references and the configuration
//! without that one line is opened, in a temporary directory; the objects stay where they are. The repository itself is
//! not changed.
#![expect(clippy::disallowed_methods, reason = "the copy is made here")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use git2::{Config, Repository};

use super::GitError;
use crate::adapter::fs::Scratch;

const EXTENSION: &str = "extensions.partialClone";
/// References lie no deeper.
const MAX_DEPTH: usize = 32;
/// One file of a repository that is copied: references of a million tags.
const MAX_FILE: u64 = 256 << 20;

/// The copy, the directory that keeps it, and the git directory it stands for.
pub(super) fn open(directory: &Path) -> Result<(Repository, Scratch, PathBuf), GitError> {
    let failed = |error| GitError::read("open the partial clone", error);
    let none: [&OsStr; 0] = [];
    let home = Repository::discover_path(directory, none).map_err(failed)?;
    let scratch = Scratch::new().map_err(|error| failed(git2::Error::from_str(&error.to_string())))?;
    trusted(&home, scratch.path())?;
    let copied =
        copy(&home, scratch.path()).map_err(|error| failed(git2::Error::from_str(&error.to_string())))?;
    let configured = || -> Result<Repository, git2::Error> {
        let mut config = Config::open(&scratch.path().join("config"))?;
        config.remove_multivar(EXTENSION, ".*")?;
        if let Some(top) = work_tree(&home, &copied, &config) {
            config.set_str("core.worktree", &top.to_string_lossy())?;
            config.set_bool("core.bare", false)?;
        }
        Repository::open(scratch.path())
    };
    let inner = configured().map_err(failed)?;
    Ok((inner, scratch, home))
}

/// Copies what is small, and points at the objects. Gives the directory all work trees share.
fn copy(home: &Path, to: &Path) -> io::Result<PathBuf> {
    let common = match fs::read_to_string(home.join("commondir")) {
        Ok(path) => home.join(path.trim_end()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => home.to_owned(),
        Err(error) => return Err(error),
    };
    for (from, name) in
        [(home, "HEAD"), (home, "index"), (&common, "config"), (&common, "packed-refs"), (&common, "shallow")]
    {
        let from = from.join(name);
        if from.exists() {
            copy_file(&from, &to.join(name))?;
        }
    }
    copy_references(&common.join("refs"), &to.join("refs"), 0)?;
    fs::create_dir_all(to.join("objects/info"))?;
    let objects = fs::canonicalize(common.join("objects"))?;
    fs::write(to.join("objects/info/alternates"), format!("{}\n", objects.display()))?;
    Ok(common)
}

fn copy_references(from: &Path, to: &Path, depth: usize) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if depth > MAX_DEPTH {
        return Err(io::Error::other("the references lie too deep"));
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_references(&path, &name, depth + 1)?;
        } else if entry.file_type()?.is_file() {
            copy_file(&path, &name)?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    if fs::metadata(from)?.len() > MAX_FILE {
        return Err(io::Error::other(format!("{} is larger than {MAX_FILE} bytes", from.display())));
    }
    fs::copy(from, to).map(drop)
}

/// The top of the work tree; `None` for a bare repository.
fn work_tree(home: &Path, common: &Path, config: &Config) -> Option<PathBuf> {
    // A linked work tree says where it is; a bare repository and one that says nothing do not.
    if let Ok(link) = fs::read_to_string(home.join("gitdir")) {
        return Path::new(link.trim_end()).parent().map(Path::to_owned);
    }
    if config.get_bool("core.bare").unwrap_or(false) {
        return None;
    }
    let top = match config.get_string("core.worktree") {
        Ok(path) => common.join(path),
        Err(_) => home.parent()?.to_owned(),
    };
    fs::canonicalize(top).ok()
}

/// The copy is ours, so the library does not ask whose repository it copies; git's rule is kept all the same
/// (`safe.directory`, against configurations that other users plant).
#[cfg(unix)]
fn trusted(home: &Path, ours: &Path) -> Result<(), GitError> {
    use std::os::unix::fs::MetadataExt as _;
    let top = if home.file_name().is_some_and(|name| name == ".git") { home.parent() } else { None };
    let top = top.unwrap_or(home);
    let owner = |path: &Path| fs::metadata(path).map(|metadata| metadata.uid()).ok();
    let told = || {
        let config = Config::open_default().ok()?;
        let mut entries = config.multivar("safe.directory", None).ok()?;
        while let Some(Ok(entry)) = entries.next() {
            let value = entry.value().ok()?;
            if value == "*" || Path::new(value) == top {
                return Some(());
            }
        }
        None
    };
    if (owner(home) == owner(ours) && owner(top) == owner(ours)) || told().is_some() {
        return Ok(());
    }
    Err(GitError::Owner { path: top.to_owned() })
}

#[cfg(not(unix))]
fn trusted(_home: &Path, _ours: &Path) -> Result<(), GitError> {
    Ok(())
}
