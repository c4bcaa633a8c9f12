//! Where a shallow clone ends (gitformat: the file `shallow`): commits whose parents were left out.

use std::collections::HashSet;
use std::path::PathBuf;

use super::{GitError, Repository};
use crate::adapter::fs;
use crate::model::{Commit, CommitId};

/// A clone that ends at more commits than 400,000 is none of this tool.
const MAX_SHALLOW: u64 = 16 << 20;

impl Repository {
    /// Whether it is a shallow clone.
    pub fn is_shallow(&self) -> bool {
        self.inner.is_shallow() || fs::exists(&self.shallow_file())
    }

    /// All work trees of a clone end at the same commits.
    fn shallow_file(&self) -> PathBuf {
        self.inner.commondir().join("shallow")
    }

    /// The commits the clone ends at; they have no parents here, whatever their objects say.
    pub(super) fn ends(&self) -> Result<HashSet<CommitId>, GitError> {
        let path = self.shallow_file();
        if !fs::exists(&path) {
            return Ok(HashSet::new());
        }
        let bytes = fs::read(&path, MAX_SHALLOW)
            .map_err(|_| GitError::TooLarge { what: path.display().to_string(), limit: MAX_SHALLOW })?;
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        Ok(lines.filter_map(|line| line.trim().parse().ok()).collect())
    }
}

/// Whether what was cut off cannot change which of these commits are hidden. They stand children before parents. A cut
/// that is not hidden leaves wanted commits out. A cut that is hidden could hide wanted commits behind it: those that
/// have it behind them cannot be behind it, and those that are younger are taken not to be.
pub(super) fn is_whole(
    commits: &[&Commit],
    hidden: &dyn Fn(CommitId) -> bool,
    ends: &HashSet<CommitId>,
) -> bool {
    let cuts: Vec<&Commit> = commits.iter().copied().filter(|commit| ends.contains(&commit.id)).collect();
    if cuts.iter().any(|cut| !hidden(cut.id)) {
        return false;
    }
    let wanted: Vec<&Commit> = commits.iter().copied().filter(|commit| !hidden(commit.id)).collect();
    let Some(oldest) = wanted.iter().map(|commit| commit.time).min() else { return true };
    cuts.iter().filter(|cut| cut.time >= oldest).all(|cut| {
        let mut above = HashSet::from([cut.id]);
        for commit in commits.iter().rev() {
            if commit.parents.iter().any(|parent| above.contains(parent)) {
                above.insert(commit.id);
            }
        }
        wanted.iter().all(|commit| above.contains(&commit.id) || commit.time > cut.time)
    })
}
