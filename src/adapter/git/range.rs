//! The commits between two, and the settings of git that a hook needs.

use git2::Sort;

use super::{GitError, Repository, commit_id, oid};
use crate::model::{Commit, CommitId};

/// More commits than a range that people look at has.
const MAX_RANGE: usize = 100_000;

impl Repository {
    /// The commits one has and another does not, newest first, children before their parents. In a shallow clone this
    /// works where the range ends before the history does; where it does not, that is the error.
    pub fn between(&self, from: CommitId, to: CommitId) -> Result<Vec<Commit>, GitError> {
        self.beside(from, &[to])
    }

    /// The commits that others have and one does not, in the same order.
    pub fn beside(&self, from: CommitId, tips: &[CommitId]) -> Result<Vec<Commit>, GitError> {
        let failed = |error| GitError::read("walk the history", error);
        let mut walk = self.inner.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(failed)?;
        for tip in tips {
            walk.push(oid(*tip)).map_err(|error| self.object_error(oid(*tip), error))?;
        }
        walk.hide(oid(from)).map_err(|error| self.object_error(oid(from), error))?;
        let odb = self.odb()?;
        let ends = self.ends()?;
        let mut commits = Vec::new();
        for id in walk {
            let id = id.map_err(|error| self.object_error(oid(from), error))?;
            let commit = self.read_commit(&odb, commit_id(id))?;
            // What lies behind the edge of a shallow clone may belong to the range.
            if ends.contains(&commit.id) {
                return Err(GitError::Shallow);
            }
            commits.push(commit);
            if commits.len() > MAX_RANGE {
                return Err(GitError::TooLarge { what: "the range".to_owned(), limit: MAX_RANGE as u64 });
            }
        }
        Ok(commits)
    }

    /// The branch that HEAD is to be merged into, by name: its upstream, else the default branch of `origin`, else
    /// `main` or `master`. `None` when there is none, or when HEAD is it.
    pub fn base(&self) -> Option<String> {
        let head = self.inner.head().ok();
        let name = head.as_ref().and_then(|head| head.name().ok().map(str::to_owned));
        let upstream = name.as_deref().and_then(|name| {
            let upstream = self.inner.branch_upstream_name(name).ok()?;
            Some(upstream.as_str().ok()?.to_owned())
        });
        let usual = ["refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master"]
            .into_iter()
            .chain(["refs/heads/main", "refs/heads/master"])
            .map(str::to_owned);
        upstream
            .into_iter()
            .chain(usual)
            .find(|base| Some(base) != name.as_ref() && self.inner.find_reference(base).is_ok())
    }

    /// The branch HEAD is on; `None` when it is on none.
    pub fn branch(&self) -> Option<String> {
        let head = self.inner.head().ok().filter(git2::Reference::is_branch)?;
        Some(head.shorthand().ok()?.to_owned())
    }

    /// The remote that is fetched from where none is named: that of the branch HEAD is on, else `origin`, else the only
    /// one there is.
    pub fn remote(&self) -> Option<String> {
        let of_branch = self.branch().and_then(|branch| self.setting(&format!("branch.{branch}.remote")));
        let remotes = self.inner.remotes().ok()?;
        let names: Vec<&str> = remotes.iter().filter_map(Result::ok).flatten().collect();
        let known = |name: &str| names.contains(&name).then(|| name.to_owned());
        let only = || (names.len() == 1).then(|| names[0].to_owned());
        of_branch.and_then(|name| known(&name)).or_else(|| known("origin")).or_else(only)
    }

    /// A setting of git, from all its files; `None` when it is not set.
    pub fn setting(&self, name: &str) -> Option<String> {
        // A setting that cannot be read is one that is not set, as git itself takes it.
        self.inner.config().ok()?.snapshot().ok()?.get_str(name).ok().map(str::to_owned)
    }
}
