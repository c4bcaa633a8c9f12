//! Repositories that cannot be read as they are: each ends in an error with the command that repairs it.

use std::path::{Path, PathBuf};

use crate::support::command::kyklos;
use crate::support::repository::Repository;

fn released() -> Repository {
    let repository = Repository::new();
    repository.write("main.go", "package main\n");
    repository.commit("feat: one");
    repository.tag("v0.1.0");
    repository.write("main.go", "package main // two\n");
    repository.commit("fix: two");
    repository
}

/// Clones and returns the directory that keeps it and its path.
fn clone(of: &Repository, flags: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clone");
    let url = format!("file://{}", of.path().display());
    let mut arguments = vec!["clone", "--quiet"];
    arguments.extend(flags);
    arguments.extend([url.as_str(), path.to_str().unwrap()]);
    of.git(&arguments);
    (directory, path)
}

/// The code of the error and the commands it names.
fn refused(directory: &Path, line: &str) -> (String, Vec<String>) {
    let run = kyklos(directory).args(line).args("--format json").run().expect(2);
    let error = &run.json()["diagnostics"][0];
    let hints = error["hint"].as_str().unwrap_or_default().lines().map(str::to_owned).collect();
    (error["code"].as_str().unwrap().to_owned(), hints)
}

#[test]
fn a_shallow_clone_has_no_history() {
    let full = released();
    let (_keep, shallow) = clone(&full, &["--depth", "1"]);
    for line in ["notes generate --all", "notes next", "notes generate --unreleased"] {
        let (code, hints) = refused(&shallow, line);
        assert_eq!(code, "git-shallow", "{line}");
        assert!(hints[0].contains("git fetch --unshallow --tags"), "{hints:?}");
    }
    full.git(&["-C", shallow.to_str().unwrap(), "fetch", "--quiet", "--unshallow", "--tags"]);
    assert_eq!(kyklos(&shallow).args("notes next").run().expect(0).stdout(), "0.1.1\n");
}

#[test]
fn a_partial_clone_has_commits_and_no_files() {
    let full = released();
    full.git(&["config", "uploadpack.allowFilter", "true"]);
    let (_keep, partial) = clone(&full, &["--filter=blob:none", "--no-checkout"]);
    // Commits are all there, and notes read nothing else.
    assert_eq!(kyklos(&partial).args("notes next").run().expect(0).stdout(), "0.1.1\n");
    let (code, hints) = refused(&partial, "archive v0.1.0 -o a.tar.gz");
    assert_eq!(code, "git-partial");
    assert!(hints[0].contains("git fetch --refetch --no-filter"), "{hints:?}");
    assert!(!partial.join("a.tar.gz").exists());
    // As older versions of git and other programs leave it; the second command of the hint repairs it.
    let clone = partial.to_str().unwrap();
    full.git(&["-C", clone, "config", "core.repositoryFormatVersion", "1"]);
    full.git(&["-C", clone, "config", "extensions.partialClone", "origin"]);
    let (code, hints) = refused(&partial, "notes next");
    assert_eq!(code, "git-partial");
    assert_eq!(hints.last().unwrap(), "git config --unset extensions.partialClone");
    full.git(&["-C", clone, "config", "--unset", "extensions.partialClone"]);
    assert_eq!(kyklos(&partial).args("notes next").run().expect(0).stdout(), "0.1.1\n");
}

#[test]
fn other_formats_are_named() {
    let sha256 = Repository::new();
    let path = sha256.path().join("sha256");
    sha256.git(&["init", "--quiet", "--object-format=sha256", path.to_str().unwrap()]);
    assert_eq!(refused(&path, "notes next").0, "git-sha256");

    // What `git init --ref-format=reftable` (2.45) writes into the configuration.
    let reftable = released();
    reftable.git(&["config", "core.repositoryFormatVersion", "1"]);
    reftable.git(&["config", "extensions.refStorage", "reftable"]);
    let (code, hints) = refused(reftable.path(), "notes next");
    assert_eq!((code.as_str(), hints[0].as_str()), ("git-reftable", "git refs migrate --ref-format=files"));
}

#[test]
fn a_bare_repository_and_a_work_tree_are_repositories() {
    let full = released();
    let (_keep, bare) = clone(&full, &["--bare"]);
    assert_eq!(kyklos(&bare).args("notes next").run().expect(0).stdout(), "0.1.1\n");
    assert_eq!(kyklos(&bare).args("archive v0.1.0 -o a.tar.gz").run().code(), 0);

    let linked = full.path().join("linked");
    full.git(&["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap(), "v0.1.0"]);
    assert_eq!(kyklos(&linked).args("notes generate --unreleased").run().expect(0).code(), 0);
}

/// Only root can give a directory away; elsewhere there is nothing to test with.
#[cfg(unix)]
#[test]
fn a_repository_of_another_user_is_not_trusted() {
    let full = released();
    let (_keep, foreign) = clone(&full, &[]);
    for path in [foreign.clone(), foreign.join(".git"), foreign.join(".git/config")] {
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
            return;
        }
    }
    let (code, hints) = refused(&foreign, "notes next");
    assert_eq!(code, "git-owner");
    assert!(hints[0].starts_with("git config --global --add safe.directory "), "{hints:?}");
}

#[test]
fn tags_with_a_directory_in_their_name() {
    let repository = Repository::new();
    repository.write("release.yaml", "name: operator\ntag: operator/v{version}\n");
    repository.commit("feat: one");
    for tag in ["operator/v0.1.0", "v9.0.0", "operator/v1", "other/v3.0.0"] {
        repository.tag(tag);
    }
    repository.commit("fix: two");
    assert_eq!(kyklos(repository.path()).args("notes next").run().expect(0).stdout(), "0.1.1\n");
    let notes =
        kyklos(repository.path()).args("notes generate --latest --format json").run().expect(0).json();
    assert_eq!(notes["data"]["releases"][0]["tag"], "operator/v0.1.0");
    assert_eq!(kyklos(repository.path()).args("archive operator/v0.1.0").run().code(), 0);
    assert!(repository.path().join("operator-operator-v0.1.0.tar.gz").exists());
}
