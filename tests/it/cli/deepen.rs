//! `--deepen`: clones that left history or tags out get them, from real remotes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::command::{Kyklos, kyklos};
use crate::support::git_http::{Answer, GitHttp};
use crate::support::repository::Repository;
use crate::support::skipped;

/// Two releases, and a commit behind them.
fn released() -> Repository {
    let repository = Repository::new();
    for (at, tag) in [(1, Some("v0.1.0")), (2, None), (3, Some("v0.2.0")), (4, None)] {
        repository.write("main.go", format!("package main // {at}\n"));
        repository.commit(&format!("feat: number {at}"));
        if let Some(tag) = tag {
            repository.tag(tag);
        }
    }
    repository
}

/// A clone, and the directory that keeps it.
fn clone(of: &Repository, flags: &str) -> (tempfile::TempDir, PathBuf) {
    clone_from(of, &format!("file://{}", of.path().display()), flags)
}

fn clone_from(of: &Repository, url: &str, flags: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clone");
    let mut arguments = vec!["clone", "--quiet"];
    arguments.extend(flags.split_whitespace());
    arguments.extend([url, path.to_str().unwrap()]);
    of.git(&arguments);
    (directory, path)
}

fn in_clone(of: &Repository, clone: &Path, line: &str) -> String {
    let mut arguments = vec!["-C", clone.to_str().unwrap()];
    arguments.extend(line.split_whitespace());
    of.git(&arguments)
}

fn notes(directory: &Path, line: &str) -> Kyklos {
    kyklos(directory).args("notes").args(line)
}

/// References, the edge and the configuration, to see that nothing was changed.
fn state(of: &Repository, clone: &Path) -> (String, Option<Vec<u8>>, Vec<u8>) {
    let references = in_clone(of, clone, "for-each-ref");
    (
        references,
        std::fs::read(clone.join(".git/shallow")).ok(),
        std::fs::read(clone.join(".git/config")).unwrap(),
    )
}

#[test]
fn what_a_shallow_clone_leaves_out_is_fetched_once() {
    let full = released();
    for line in
        ["generate --all --format json", "generate --latest", "generate v0.1.0..HEAD", "next --explain"]
    {
        let whole = notes(full.path(), line).run().expect(0).stdout();
        let (_keep, shallow) = clone(&full, "--depth 1");
        let refused = notes(&shallow, line).run();
        assert!(refused.code() != 0, "{line}: {}", refused.show());
        let run = notes(&shallow, line).args("--deepen").run().expect(0);
        assert_eq!(run.stdout().replace("\"name\":\"clone\"", ""), whole.replace(&name(&full), ""), "{line}");
        assert_eq!(run.stderr(), "     Fetched the rest of the history from origin\n", "{line}");
        assert!(!shallow.join(".git/shallow").exists());
        // There is nothing left to fetch.
        let again = notes(&shallow, line).args("--deepen").run().expect(0);
        assert_eq!((again.stdout(), again.stderr()), (run.stdout(), String::new()), "{line}");
    }
    // An address that is a path begins at the top of the work tree, wherever the command stands.
    let (_keep, shallow) = clone(&full, "--depth 1");
    let below = shallow.join("below");
    std::fs::create_dir(&below).unwrap();
    std::os::unix::fs::symlink(full.path(), shallow.with_file_name("full")).unwrap();
    in_clone(&full, &shallow, "remote set-url origin ../full");
    assert_eq!(notes(&below, "next --deepen").run().expect(0).stdout(), "0.3.0\n");
    let (_keep, shallow) = clone(&full, "--depth 1");
    let run = notes(&shallow, "lint --range v0.1.0..HEAD --deepen").run().expect(0);
    assert!(run.stdout().starts_with("3 messages looked at"), "{}", run.show());
}

/// The name the JSON has for a repository without one: that of its directory.
fn name(repository: &Repository) -> String {
    let name = repository.path().file_name().unwrap().to_string_lossy();
    format!("\"name\":\"{}\"", name.trim_matches(['.', '-']))
}

#[test]
fn without_the_flag_the_error_names_it() {
    let full = released();
    let (_keep, shallow) = clone(&full, "--depth 1");
    let run = notes(&shallow, "next").run().expect(3);
    insta::assert_snapshot!(run.show(), @r"
    exit 3
    --- stdout
    --- stderr
    error[git-shallow]: the repository is a shallow clone: its history is cut off
    help: git fetch --unshallow --tags
    help: in GitHub Actions: `fetch-depth: 0` for actions/checkout
    help: --deepen has git fetch it
    ");
    // Commands without the flag do not name it.
    let run = kyklos(&shallow).args("rehearse").run().expect(3);
    assert!(!run.stderr().contains("--deepen"), "{}", run.show());
}

#[test]
fn tags_that_were_not_fetched_are() {
    let full = released();
    let (_keep, bare) = clone(&full, "--no-tags");
    let run = notes(&bare, "next --deepen").run().expect(0);
    assert_eq!(
        (run.stdout().as_str(), run.stderr().as_str()),
        ("0.3.0\n", "     Fetched the tags from origin\n")
    );
    assert_eq!(in_clone(&full, &bare, "config remote.origin.tagOpt"), "--no-tags", "the configuration stays");
    // A tag that is new there is fetched when it is asked for, and one that is nowhere is an error after that.
    full.tag("v0.3.0");
    let run = notes(&bare, "generate --tag v0.3.0 --deepen").run().expect(0);
    assert!(run.stdout().contains("0.3.0") && run.stderr().contains("Fetched the tags"), "{}", run.show());
    let run = notes(&bare, "generate --tag v9.0.0 --deepen").run().expect(2);
    assert!(run.stderr().contains("error[git-no-tag]"), "{}", run.show());
    // A tag that is another one here is not overwritten.
    in_clone(&full, &bare, "tag -d v0.2.0");
    in_clone(&full, &bare, "tag v0.2.0 v0.1.0");
    let before = state(&full, &bare);
    let run = notes(&bare, "generate --tag v9.0.0 --deepen").run().expect(2);
    let warning = "warning: origin has another form of 1 tag, and what is here counts: v0.2.0\n";
    assert!(run.stderr().contains(warning) && run.stderr().contains("error[git-no-tag]"), "{}", run.show());
    assert_eq!(state(&full, &bare), before);
}

/// A runner fetches the commit of a tag, and makes a tag of it that has no object of its own.
#[test]
fn a_tag_as_runners_check_it_out() {
    let full = released();
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join("clone");
    full.git(&["init", "--quiet", here.to_str().unwrap()]);
    in_clone(&full, &here, &format!("remote add origin file://{}", full.path().display()));
    let commit = full.git(&["rev-parse", "v0.2.0^{commit}"]);
    let fetch = "fetch --quiet --no-tags --prune --no-recurse-submodules --depth=1";
    in_clone(&full, &here, &format!("{fetch} origin +{commit}:refs/tags/v0.2.0"));
    in_clone(&full, &here, "checkout --quiet --force refs/tags/v0.2.0");
    let release = |directory: &Path, more: &str| {
        let run = notes(directory, "generate --tag v0.2.0 --format json").args(more).run().expect(0);
        (run.json()["data"]["releases"][0].clone(), run.stderr())
    };
    assert_eq!(notes(&here, "generate --tag v0.2.0").run().code(), 3);
    let (told, said) = release(&here, "--deepen");
    let (whole, _) = release(full.path(), "");
    for key in ["commits", "previous_tag", "sections", "version"] {
        assert_eq!(told[key], whole[key], "{key}");
    }
    assert!(said.contains("v0.2.0"), "{said}");
}

#[test]
fn every_kind_of_clone_gets_its_history() {
    let full = released();
    full.git(&["config", "uploadpack.allowFilter", "true"]);
    let (_keep, bare) = clone(&full, "--bare --depth 1");
    assert_eq!(notes(&bare, "next --deepen").run().expect(0).stdout(), "0.3.0\n");

    let (_keep, shallow) = clone(&full, "--depth 1");
    let linked = shallow.with_file_name("linked");
    in_clone(&full, &shallow, &format!("worktree add --quiet --detach {}", linked.display()));
    // What the environment says about another repository is not about this one.
    let other = Repository::new();
    let run = notes(&linked, "next --deepen").env("GIT_DIR", other.path().join(".git")).run().expect(0);
    assert_eq!(run.stdout(), "0.3.0\n");
    assert!(!shallow.join(".git/shallow").exists());

    // A partial clone stays one: of the files only those that are checked out are there.
    for extension in [false, true] {
        let (_keep, partial) = clone(&full, "--depth 1 --filter=blob:none --no-checkout");
        if extension {
            in_clone(&full, &partial, "config core.repositoryFormatVersion 1");
            in_clone(&full, &partial, "config extensions.partialClone origin");
        }
        assert_eq!(notes(&partial, "next --deepen").run().expect(0).stdout(), "0.3.0\n");
        let objects = in_clone(&full, &partial, "rev-list --objects --all --missing=print");
        assert_eq!(objects.lines().filter(|line| line.starts_with('?')).count(), 4, "{objects}");
        assert_eq!(in_clone(&full, &partial, "config remote.origin.partialclonefilter"), "blob:none");
    }
}

#[test]
fn where_nothing_can_be_fetched_nothing_changes() {
    let full = released();
    let (_keep, shallow) = clone(&full, "--depth 1");
    let refused = |line: &str, code: i32, error: &str, hint: &str| {
        let before = state(&full, &shallow);
        let run = notes(&shallow, line).args("--format json").run().expect(code);
        let told = &run.json()["diagnostics"][0];
        assert_eq!(told["code"], error, "{line}: {told}");
        assert!(told["hint"].as_str().unwrap().contains(hint), "{line}: {told}");
        assert_eq!(state(&full, &shallow), before);
        told["message"].as_str().unwrap().to_owned()
    };
    refused("next --deepen --offline", 2, "deepen-offline", "leave one of them out");
    in_clone(&full, &shallow, "remote set-url origin file:///nowhere/at/all");
    let told = refused("next --deepen", 3, "remote-failed", "git fetch --unshallow --tags origin");
    assert!(told.contains("'/nowhere/at/all' does not appear to be a git repository"), "{told}");
    // Nobody listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    in_clone(&full, &shallow, &format!("remote set-url origin http://user:secret@{closed}/x"));
    let told = refused("next --deepen", 3, "remote-failed", "git fetch");
    assert!(!told.contains("secret"), "{told}");
    // Neither the address nor the name of a remote is a program to run.
    let pwned = shallow.join("pwned");
    in_clone(&full, &shallow, &format!("remote set-url origin ext::touch%20{}", pwned.display()));
    refused("next --deepen", 3, "remote-failed", "git fetch");
    in_clone(&full, &shallow, "remote remove origin");
    refused("next --deepen", 2, "remote-none", "git remote add origin URL");
    let config = std::fs::read_to_string(shallow.join(".git/config")).unwrap();
    let remote =
        format!("[remote \"--upload-pack=touch {}\"]\n\turl = {}\n", pwned.display(), full.path().display());
    std::fs::write(shallow.join(".git/config"), config + &remote).unwrap();
    assert_eq!(notes(&shallow, "next --deepen").run().expect(0).stdout(), "0.3.0\n");
    assert!(!pwned.exists());
    // No git at all.
    let (_keep, shallow) = clone(&full, "--depth 1");
    let run = notes(&shallow, "next --deepen").env("PATH", "/nowhere").run().expect(3);
    assert!(run.stderr().contains("error[remote-git]"), "{}", run.show());
    // A message needs no history.
    let run = notes(&shallow, "lint --title x --deepen").run().expect(2);
    assert!(run.stderr().contains("cannot be used with"), "{}", run.show());
}

#[test]
fn a_version_that_only_the_remote_has_is_taken() {
    let full = released();
    let (_keep, here) = clone(&full, "");
    let next = |more: &str| notes(&here, "next --check-remote").args(more).run();
    assert_eq!(next("").expect(0).stdout(), "0.3.0\n");
    // A prerelease of the same version, and a name that ends alike, are other tags.
    full.tag("v0.3.0-rc.1");
    full.git(&["tag", "app/v0.3.0"]);
    assert_eq!(next("").expect(0).stdout(), "0.3.0\n");
    assert_eq!(next("--pre beta").expect(0).stdout(), "0.3.0-beta.1\n");
    assert_eq!(next("--pre rc").code(), 5);
    full.git(&["tag", "v0.3.0", "v0.1.0"]);
    insta::assert_snapshot!(next("").show(), @r"
    exit 5
    --- stdout
    --- stderr
    error[next-taken]: the next version 0.3.0 is taken: the remote `origin` has the tag v0.3.0
    help: git fetch --tags origin
    ");
    assert_eq!(notes(&here, "next").run().expect(0).stdout(), "0.3.0\n", "nobody is asked without the flag");
    assert!(next("--offline").expect(2).stderr().contains("error[next-offline]"));
    in_clone(&full, &here, "remote set-url origin /nowhere");
    let told = next("").expect(3);
    assert!(told.stderr().contains("error[remote-unasked]"), "{}", told.show());
    in_clone(&full, &here, "remote remove origin");
    assert!(next("").expect(2).stderr().contains("error[remote-none]"));
}

#[test]
fn over_http_and_through_a_kill() {
    if !GitHttp::is_there() {
        return skipped("git has no git-http-backend here");
    }
    let full = released();
    let served = full.path().parent().unwrap();
    let path = full.path().file_name().unwrap().to_string_lossy().into_owned() + "/.git";
    let server = GitHttp::new(served, |_| Answer::Serve);
    let (_keep, shallow) = clone_from(&full, &format!("{}/{path}", server.url()), "--depth 1");
    let turn = |url: &str| in_clone(&full, &shallow, &format!("remote set-url origin {url}/{path}"));

    // A login is not asked for at a terminal.
    let closed = GitHttp::new(served, |_| Answer::Login);
    turn(&closed.url());
    let before = state(&full, &shallow);
    let run = notes(&shallow, "next --deepen").run().expect(3);
    assert!(run.stderr().contains("terminal prompts disabled"), "{}", run.show());
    assert_eq!(state(&full, &shallow), before);

    // Killed in the middle: what was there is there, and the next run goes on.
    let silent = GitHttp::new(served, |line| match line.starts_with("POST") {
        true => Answer::Silence,
        false => Answer::Serve,
    });
    turn(&silent.url());
    let started = notes(&shallow, "next --deepen").spawn();
    while !silent.log().iter().any(|line| line.starts_with("POST")) {
        std::thread::sleep(Duration::from_millis(10));
    }
    started.signal("-KILL");
    assert_eq!(started.wait().code(), -1);
    // git is left alone; it ends when the server does.
    silent.hang_up();
    let lock = shallow.join(".git/shallow.lock");
    for _ in 0..500 {
        if !lock.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    in_clone(&full, &shallow, "fsck --connectivity-only");
    assert_eq!(state(&full, &shallow).0, before.0);
    turn(&server.url());
    assert_eq!(notes(&shallow, "next --deepen").run().expect(0).stdout(), "0.3.0\n");
    in_clone(&full, &shallow, "fsck --connectivity-only");
}
