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

/// The exit code, the code of the error and the commands it names.
fn refused(directory: &Path, line: &str) -> (i32, String, Vec<String>) {
    let run = kyklos(directory).args(line).args("--format json").run();
    let error = &run.json()["diagnostics"][0];
    let hints = error["hint"].as_str().unwrap_or_default().lines().map(str::to_owned).collect();
    (run.code(), error["code"].as_str().unwrap().to_owned(), hints)
}

#[test]
fn a_shallow_clone_has_no_history() {
    let full = released();
    let (_keep, shallow) = clone(&full, &["--depth", "1"]);
    for line in [
        "notes generate --all",
        "notes next",
        "notes generate --unreleased",
        "notes generate --latest",
        "notes generate HEAD..HEAD",
        "notes generate --tag v0.1.0",
    ] {
        let (exit, code, hints) = refused(&shallow, line);
        assert_eq!((exit, code.as_str()), (3, "git-shallow"), "{line}");
        assert!(hints[0].contains("git fetch --unshallow --tags"), "{hints:?}");
    }
    // Nor has a work tree of it.
    let linked = shallow.with_file_name("linked");
    full.git(&[
        "-C",
        shallow.to_str().unwrap(),
        "worktree",
        "add",
        "--quiet",
        "--detach",
        linked.to_str().unwrap(),
    ]);
    assert_eq!(refused(&linked, "notes next").1, "git-shallow");
    full.git(&["-C", shallow.to_str().unwrap(), "fetch", "--quiet", "--unshallow", "--tags"]);
    assert_eq!(kyklos(&shallow).args("notes next").run().expect(0).stdout(), "0.1.1\n");
}

#[test]
fn a_shallow_clone_that_ends_behind_the_last_release_is_enough() {
    let full = released();
    full.git(&["checkout", "--quiet", "-b", "work", "v0.1.0"]);
    full.commit("feat: three");
    full.git(&["checkout", "--quiet", "main"]);
    full.git(&["merge", "--quiet", "--no-ff", "--message", "Merge branch 'work'", "work"]);
    full.commit("fix: four");
    let whole = kyklos(full.path()).args("notes generate --unreleased --format json").run().expect(0).json();
    // Three commits back is the release, on both ways; two is not.
    let (_keep, enough) = clone(&full, &["--depth", "4"]);
    let told = kyklos(&enough).args("notes generate --unreleased --format json").run().expect(0).json();
    assert_eq!(told["data"]["releases"][0]["commits"], whole["data"]["releases"][0]["commits"]);
    assert_eq!(told["data"]["releases"][0]["previous_tag"], "v0.1.0");
    assert_eq!(kyklos(&enough).args("notes next").run().expect(0).stdout(), "0.2.0\n");
    assert_eq!(kyklos(&enough).args("notes generate v0.1.0..HEAD").run().code(), 0);
    assert_eq!(refused(&enough, "notes generate --all").1, "git-shallow");
    assert_eq!(refused(&enough, "notes generate --tag v0.1.0").1, "git-shallow");
    let (_keep, cut) = clone(&full, &["--depth", "2"]);
    assert_eq!(refused(&cut, "notes generate --unreleased").1, "git-shallow");
    assert_eq!(refused(&cut, "notes next").1, "git-shallow");
}

#[test]
fn a_clone_without_tags_does_not_guess() {
    let full = released();
    let (_keep, bare) = clone(&full, &["--no-tags"]);
    for line in
        ["notes next", "notes generate --all", "notes generate --unreleased", "notes generate --latest"]
    {
        let (exit, code, hints) = refused(&bare, line);
        assert_eq!(
            (exit, code.as_str(), hints[0].as_str()),
            (3, "git-no-tags", "git fetch --tags origin"),
            "{line}"
        );
    }
    full.git(&["-C", bare.to_str().unwrap(), "fetch", "--quiet", "--tags", "origin"]);
    assert_eq!(kyklos(&bare).args("notes next").run().expect(0).stdout(), "0.1.1\n");
}

#[test]
fn a_partial_clone_has_commits_and_no_files() {
    let full = released();
    full.git(&["config", "uploadpack.allowFilter", "true"]);
    let (_keep, partial) = clone(&full, &["--filter=blob:none", "--no-checkout"]);
    let clone = partial.to_str().unwrap().to_owned();
    let linked = partial.with_file_name("linked");
    full.git(&[
        "-C",
        &clone,
        "worktree",
        "add",
        "--quiet",
        "--no-checkout",
        "--detach",
        linked.to_str().unwrap(),
    ]);
    let releases = |path: &Path| {
        let answer = kyklos(path).args("notes generate --format json").run().expect(0).json();
        answer["data"]["releases"].clone()
    };
    let whole = releases(full.path());
    let commits_only = || {
        // Commits are all there, and notes read nothing else.
        assert_eq!(kyklos(&partial).args("notes next").run().expect(0).stdout(), "0.1.1\n");
        assert_eq!(releases(&partial), whole);
        assert_eq!(kyklos(&linked).args("notes next").run().expect(0).stdout(), "0.1.1\n");
        let (exit, code, hints) = refused(&partial, "archive v0.1.0 -o a.tar.gz");
        assert_eq!((exit, code.as_str()), (3, "git-partial"));
        assert!(hints[0].contains("git fetch --refetch --no-filter"), "{hints:?}");
        assert!(!partial.join("a.tar.gz").exists());
    };
    commits_only();
    // As older versions of git and other programs leave it.
    full.git(&["-C", &clone, "config", "core.repositoryFormatVersion", "1"]);
    full.git(&["-C", &clone, "config", "extensions.partialClone", "origin"]);
    let config = std::fs::read(partial.join(".git/config")).unwrap();
    commits_only();
    full.git(&["-C", &clone, "pack-refs", "--all"]);
    commits_only();
    assert!(config == std::fs::read(partial.join(".git/config")).unwrap(), "the repository is only read");
}

#[test]
fn other_formats_are_named() {
    let sha256 = Repository::new();
    let path = sha256.path().join("sha256");
    sha256.git(&["init", "--quiet", "--object-format=sha256", path.to_str().unwrap()]);
    assert_eq!(refused(&path, "notes next").1, "git-sha256");

    // What `git init --ref-format=reftable` (2.45) writes into the configuration.
    let reftable = released();
    reftable.git(&["config", "core.repositoryFormatVersion", "1"]);
    reftable.git(&["config", "extensions.refStorage", "reftable"]);
    let (exit, code, hints) = refused(reftable.path(), "notes next");
    assert_eq!(
        (exit, code.as_str(), hints[0].as_str()),
        (2, "git-reftable", "git refs migrate --ref-format=files")
    );
}

#[test]
fn a_bare_repository_and_a_work_tree_are_repositories() {
    let full = released();
    let (_keep, bare) = clone(&full, &["--bare"]);
    assert_eq!(kyklos(&bare).args("notes next").run().expect(0).stdout(), "0.1.1\n");
    assert_eq!(kyklos(&bare).args("archive v0.1.0 -o a.tar.gz").run().code(), 0);

    // A submodule keeps its repository elsewhere.
    let parent = Repository::new();
    let url = full.path().to_str().unwrap();
    parent.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "part"]);
    let part = parent.path().join("part");
    assert_eq!(kyklos(&part).args("notes next").run().expect(0).stdout(), "0.1.1\n");
    assert_eq!(kyklos(&part).args("archive v0.1.0 -o ../a.tar.gz").run().code(), 0);

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
            crate::support::skipped("only root may give a repository away");
            return;
        }
    }
    let owner = || {
        let (exit, code, hints) = refused(&foreign, "notes next");
        assert_eq!((exit, code.as_str()), (2, "git-owner"));
        assert!(hints[0].starts_with("git config --global --add safe.directory "), "{hints:?}");
    };
    owner();
    // A clone that is opened another way is trusted no more.
    let config = foreign.join(".git/config");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("repositoryformatversion = 0", "repositoryformatversion = 1");
    std::fs::write(&config, text + "[extensions]\n\tpartialClone = origin\n").unwrap();
    owner();
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

#[test]
fn a_damaged_pack_is_refused_or_makes_no_difference() {
    let repository = Repository::new();
    for at in 0..12 {
        repository.write("main.go", format!("package main // {at}\n"));
        repository.commit(&format!("feat: number {at}"));
    }
    repository.tag("v0.1.0");
    repository.git(&["repack", "-a", "-d", "-q"]);
    repository.git(&["prune-packed", "-q"]);
    let packs = repository.path().join(".git/objects/pack");
    let pack = std::fs::read_dir(packs).unwrap().map(|entry| entry.unwrap().path());
    let pack = pack.into_iter().find(|path| path.extension().is_some_and(|end| end == "pack")).unwrap();
    let generate = || kyklos(repository.path()).args("notes generate --all --format json").run();
    let whole = generate().expect(0).stdout();
    let bytes = std::fs::read(&pack).unwrap();
    let mut refused = 0;
    for at in (12..bytes.len()).step_by(29) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::remove_file(&pack).unwrap();
        std::fs::write(&pack, damaged).unwrap();
        let run = generate();
        if run.code() == 0 {
            assert_eq!(run.stdout(), whole, "{at}");
        } else {
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused}");
}
