//! What a release owns, against git itself: `git rev-list TAG --not <earlier releases it has>` on random histories with
//! merges, several roots, and dates that run any way.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use kyklos_release::adapter::git;
use kyklos_release::model::{CommitId, TagFacts, TagPattern};
use kyklos_release::notes::{History, Since, Wanted};
use proptest::prelude::*;

use crate::support::repository::Repository;

/// Makes the commits, oldest first, from the steps to their parents and their dates.
fn import(commits: &[(Vec<usize>, i64)], tags: &[(usize, u8, u8)]) -> Repository {
    let repository = Repository::new();
    let mut text = String::new();
    for (at, (steps, date)) in commits.iter().enumerate() {
        let seconds = 1_700_000_000 + date * 3600;
        let mut parents: Vec<usize> = steps.iter().filter_map(|step| at.checked_sub(*step)).collect();
        parents.dedup();
        text += &format!("commit refs/heads/c{at}\nmark :{}\n", at + 1);
        text += &format!("committer Ada <ada@example.com> {seconds} +0000\ndata 7\nfeat: x\n");
        for (place, parent) in parents.iter().enumerate() {
            text += &format!("{} :{}\n", if place == 0 { "from" } else { "merge" }, parent + 1);
        }
        text.push('\n');
    }
    text += &format!("reset refs/heads/main\nfrom :{}\n\n", commits.len());
    let mut names = HashSet::new();
    for (at, minor, label) in tags {
        let name = if *label == 0 { format!("v0.{minor}.0") } else { format!("v0.{minor}.0-rc.{label}") };
        if names.insert(name.clone()) {
            text += &format!("reset refs/tags/{name}\nfrom :{}\n\n", at % commits.len() + 1);
        }
    }
    let mut child = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(repository.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    repository
}

/// What git says: the earlier releases are those behind the tag, and of one commit those with a lower version.
fn expected(repository: &Repository, tags: &[TagFacts], tag: &TagFacts, stable_only: bool) -> Vec<String> {
    let merged = repository.git(&["tag", "--merged", tag.tag.as_str()]);
    let merged: HashSet<&str> = merged.lines().collect();
    let earlier = tags.iter().filter(|other| {
        merged.contains(other.tag.as_str())
            && (other.commit != tag.commit || other.version < tag.version)
            && (!stable_only || other.version.pre.is_empty())
    });
    let ends: Vec<String> = earlier.map(|other| format!("^{}", other.commit)).collect();
    let mut arguments = vec!["rev-list", tag.tag.as_str()];
    arguments.extend(ends.iter().map(String::as_str));
    let mut lines: Vec<String> = repository.git(&arguments).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn sorted<'a>(commits: impl Iterator<Item = &'a CommitId>) -> Vec<String> {
    let mut lines: Vec<String> = commits.map(ToString::to_string).collect();
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]
    #[test]
    fn releases_own_what_git_says(
        commits in proptest::collection::vec((proptest::collection::vec(1usize..9, 0..4), -40i64..40), 2..40),
        tags in proptest::collection::vec((0usize..40, 1u8..5, 0u8..3), 1..7),
    ) {
        let repository = import(&commits, &tags);
        let opened = git::Repository::discover(repository.path()).unwrap();
        let tags = opened.tags(&TagPattern::default()).unwrap();
        let tips: Vec<CommitId> = tags.iter().map(|tag| tag.commit).collect();
        let whole = History::new(opened.history(&tips).unwrap(), tags.clone());
        for since in [Since::Tag, Since::Policy] {
            let wanted: Vec<Wanted<'_>> = tags.iter().map(Wanted::release).collect();
            let shares = whole.shares(&wanted, since);
            for ((tag, wanted), share) in tags.iter().zip(&wanted).zip(&shares) {
                let stable_only = since.stable_only(wanted);
                let expected = expected(&repository, &tags, tag, stable_only);
                prop_assert_eq!(sorted(share.commits.iter().map(|commit| &commit.id)), &expected[..], "{:?}", tag);
                // The same from no more than one release needs.
                let ends = tags.iter().filter(|tag| !stable_only || tag.version.pre.is_empty());
                let ends: HashSet<CommitId> = ends.map(|tag| tag.commit).collect();
                let part = opened.history_since(tag.commit, None, &ends).unwrap();
                let part = History::new(part, tags.clone());
                let share = part.shares(&[*wanted], since).pop().unwrap();
                prop_assert_eq!(sorted(share.commits.iter().map(|commit| &commit.id)), expected, "{:?}", tag);
            }
        }
    }
}
