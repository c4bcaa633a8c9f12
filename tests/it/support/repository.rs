//! Real git repositories with fixed names and times.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository in a temporary directory. Every commit is one minute after the one before.
pub(crate) struct Repository {
    directory: tempfile::TempDir,
    clock: std::cell::Cell<u32>,
}

impl Repository {
    /// An empty repository on the branch `main`.
    pub(crate) fn new() -> Self {
        let repository =
            Self { directory: tempfile::tempdir().expect("a temporary directory"), clock: 0.into() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Sets the clock, in minutes since 2026; the next commit is one later.
    pub(crate) fn set_clock(&self, minutes: u32) {
        self.clock.set(minutes);
    }

    /// Runs git and returns what it printed, trimmed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let seconds = 1_767_225_600 + 60 * u64::from(self.clock.get());
        let date = format!("{seconds} +0000");
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
            .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .expect("git starts");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Writes a file in the work tree.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let full = self.path().join(path);
        std::fs::create_dir_all(full.parent().expect("a parent")).expect("a directory");
        std::fs::write(&full, content).expect("a file");
        full
    }

    /// Commits everything with a message and returns the commit id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.clock.set(self.clock.get() + 1);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Makes a branch at a revision and goes there.
    pub(crate) fn branch(&self, name: &str, at: &str) {
        self.git(&["checkout", "--quiet", "-b", name, at]);
    }

    /// Goes to a branch.
    pub(crate) fn switch(&self, name: &str) {
        self.git(&["checkout", "--quiet", name]);
    }

    /// Merges branches into the one that is checked out, never by moving it forward.
    pub(crate) fn merge(&self, message: &str, branches: &[&str]) -> String {
        self.clock.set(self.clock.get() + 1);
        let mut arguments = vec!["merge", "--quiet", "--no-ff", "--message", message];
        arguments.extend(branches);
        self.git(&arguments);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Makes an annotated tag at HEAD.
    pub(crate) fn tag(&self, name: &str) {
        self.git(&["tag", "--annotate", "--message", name, name]);
    }
}
