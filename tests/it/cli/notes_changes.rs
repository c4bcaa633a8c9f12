//! What becomes of merges, squashes, reverts, copies and paths.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::command::kyklos;
use crate::support::notes::{entries, generate, told};
use crate::support::repository::Repository;

fn number_of(entry: &Value) -> &str {
    entry["references"][0]["id"].as_str().unwrap_or("-")
}

/// Descriptions and the first reference of each.
fn numbers(repository: &Repository, line: &str) -> String {
    let entries = entries(&generate(repository, line)[0]);
    let line = |entry: &Value| format!("{} #{}\n", entry["description"].as_str().unwrap(), number_of(entry));
    entries.iter().map(line).collect()
}

#[test]
fn merges_say_which_pull_request_brought_a_commit() {
    let repository = Repository::new();
    repository.commit("feat: one");
    repository.branch("develop", "main");
    repository.commit("feat: on develop");
    repository.branch("feature", "develop");
    repository.commit("feat: in a feature");
    repository.switch("develop");
    repository.commit("fix: beside it");
    // The main line is merged into the branch; that is nobody's pull request.
    repository.switch("main");
    repository.commit("fix: on main");
    repository.switch("feature");
    repository.merge("Merge branch 'main' into feature", &["main"]);
    repository.commit("fix: in a feature");
    repository.switch("develop");
    repository.merge("Merge pull request #5 from o/feature\n\nfeat: the feature", &["feature"]);
    repository.switch("main");
    repository.merge("Merge pull request #9 from o/develop\n\nfeat: all of develop", &["develop"]);
    assert_snapshot!(numbers(&repository, "--unreleased"), @r#"
    in a feature #5
    on develop #9
    one #-
    in a feature #5
    on main #-
    beside it #9
    "#);
    assert_snapshot!(numbers(&repository, "--unreleased --first-parent"), @r#"
    all of develop #9
    one #-
    on main #-
    "#);
}

#[test]
fn a_squash_with_sign_offs_and_rules() {
    let repository = Repository::new();
    let message = "feat: the whole (#3)\n\n* feat: one\n\n  with words\n\nSigned-off-by: Ada <ada@example.com>\n\n* fix(api)!: two\n\n---------\n\nSigned-off-by: Ada <ada@example.com>\nCo-authored-by: Grace <grace@example.com>\n";
    repository.commit(message);
    let release = &generate(&repository, "--unreleased")[0];
    assert_eq!(entries(release).len(), 1);
    let breaking = release["sections"].as_array().unwrap().last().unwrap();
    assert_eq!(breaking["title"], "Breaking Changes");
    assert_eq!(breaking["entries"][0]["breaking_notes"], serde_json::json!(["two"]));
    assert_eq!(breaking["entries"][0]["authors"], serde_json::json!(["Ada", "Grace"]));
    assert_snapshot!(told(&repository, "--unreleased --squash all"), @r#"- after -, 1: two, one"#);
    assert_eq!(
        kyklos(repository.path()).args("notes next --explain").run().expect(0).stdout().lines().next(),
        Some("0.1.0")
    );
}

#[test]
fn reverts() {
    let repository = Repository::new();
    let one = repository.commit("feat: one");
    repository.commit("feat: two (#2)");
    repository.tag("v1.0.0");
    let three = repository.commit("feat: three");
    let four = repository.commit("fix: four");
    repository.commit("feat: five (#5)");
    repository.commit("fix: six");
    // By seven digits; by the button of a forge, which says no id; and one that was itself taken back.
    repository.commit(&format!("revert: three\n\nThis reverts commit {}.", &three[..7]));
    repository.commit("Revert \"feat: five (#5)\" (#7)\n\nReverts o/r#5");
    let back = repository.commit(&format!("Revert \"fix: four\"\n\nThis reverts commit {four}."));
    repository.commit(&format!("Revert \"Revert \"fix: four\"\"\n\nThis reverts commit {back}."));
    assert_snapshot!(told(&repository, "--unreleased"), @r#"- after v1.0.0, 8: four, six"#);
    // Of a release: told, with that release, however much of the history is read.
    repository.commit(&format!("Revert \"feat: one\"\n\nThis reverts commit {}.", &one[..9]));
    for line in ["--unreleased", "--all", "v1.0.0..HEAD"] {
        let entries = entries(&generate(&repository, line)[0]);
        let entry = entries.iter().find(|entry| entry["description"] == "Revert \"feat: one\"").unwrap();
        assert_eq!(
            (&entry["reverts"], &entry["shipped_in"]),
            (&one.clone().into(), &"v1.0.0".into()),
            "{line}"
        );
    }
    repository.commit("Reapply \"feat: five (#5)\" (#8)");
    assert_snapshot!(told(&repository, "--unreleased"), @r#"- after v1.0.0, 10: four, five, six, Revert "feat: one""#);
}

#[test]
fn a_revert_of_a_merge_takes_back_what_it_brought() {
    for main_line in [true, false] {
        let repository = Repository::new();
        repository.commit("feat: one");
        repository.branch("work", "main");
        repository.commit("feat: in the branch");
        repository.commit("fix: in the branch");
        repository.switch("main");
        repository.commit("fix: on main");
        let merge = repository.merge("Merge branch 'work'", &["work"]);
        let revert = format!(
            "Revert \"Merge branch 'work'\"\n\nThis reverts commit {merge}, reversing\nchanges made to {merge}."
        );
        let revert = repository.commit(&revert);
        if !main_line {
            // The same, seen from a branch that merged it.
            repository.branch("other", "main~3");
            repository.commit("feat: other");
            repository.merge("Merge main", &["main"]);
        }
        let lines = told(&repository, "--unreleased");
        assert!(!lines.contains("in the branch") && lines.contains("on main"), "{lines}");
        repository.commit(&format!("Reapply \"Merge branch 'work'\"\n\nThis reverts commit {revert}."));
        let lines = told(&repository, "--unreleased");
        assert_eq!(lines.matches("in the branch").count(), 2, "{lines}");
    }
}

#[test]
fn cherry_picks() {
    let repository = Repository::new();
    repository.write("a", "1\n");
    repository.commit("chore: start");
    repository.branch("work", "main");
    for (file, message) in [("b", "fix: with an x"), ("c", "fix: without"), ("d", "fix: in other words")] {
        repository.write(file, "1\n");
        repository.commit(message);
    }
    let picked = |at: &str| repository.git(&["rev-parse", at]);
    let ids = [picked("work~2"), picked("work~1"), picked("work")];
    repository.switch("main");
    repository.set_clock(500);
    repository.git(&["cherry-pick", "-x", &ids[0]]);
    // Adapted, and by another author: only the trailer tells.
    repository.write("b", "2\n");
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "--amend", "--no-edit", "--reset-author"]);
    repository.git(&["cherry-pick", &ids[1]]);
    repository.git(&["cherry-pick", &ids[2]]);
    repository.git(&["commit", "--quiet", "--amend", "--message", "fix: said otherwise"]);
    repository.merge("Merge branch 'work'", &["-X", "ours", "work"]);
    let release = &generate(&repository, "--unreleased")[0];
    assert_snapshot!(told(&repository, "--unreleased"), @r#"- after -, 8: with an x, without, in other words"#);
    assert_eq!(release["commits"].as_array().unwrap().len(), 8);
    // Two lines of releases that have the same change both tell it.
    repository.branch("release/v1", "HEAD~1");
    repository.tag("v1.0.0");
    assert_snapshot!(told(&repository, "--tag v1.0.0"), @r#"v1.0.0 after -, 4: with an x, without, said otherwise"#);
}

#[test]
fn packages_of_one_repository() {
    let repository = Repository::new();
    repository.write(
        "release.yaml",
        "name: all\npackages: { a: { paths: [a] }, b: { paths: [b], tag: 'b@{version}' } }\n",
    );
    repository.write("a/one", "1\n2\n3\n");
    repository.write("b/one", "1\n");
    repository.commit("feat: begin both");
    repository.tag("a/v1.0.0");
    repository.write("a/two", "1\n");
    repository.commit("feat: only a");
    repository.write("b/two", "1\n");
    repository.commit("feat: only b");
    repository.tag("b@1.0.0");
    repository.write("a/one", "4\n2\n3\n");
    repository.write("b/one", "2\n");
    repository.commit("fix: both");
    repository.git(&["mv", "a/two", "b/three"]);
    repository.commit("refactor: from a to b");
    repository.write("README.md", "x\n");
    repository.commit("fix: neither");
    repository.branch("work", "main~2");
    repository.write("a/four", "1\n");
    repository.commit("feat: a in a branch");
    repository.switch("main");
    repository.merge("Merge branch 'work'", &["work"]);
    // The notes of a package go by its name.
    let line = "notes generate --unreleased --package b --release-notes";
    let text = kyklos(repository.path()).args(line).run().expect(0).stdout();
    assert!(text.starts_with("# b Unreleased\n"), "{text}");
    assert_snapshot!(told(&repository, "--package a"), @r#"
    - after a/v1.0.0, 5: only a, both, from a to b, a in a branch
    a/v1.0.0 after -, 1: begin both
    "#);
    assert_snapshot!(told(&repository, "--package b"), @r#"
    - after b@1.0.0, 2: both, from a to b
    b@1.0.0 after -, 2: begin both, only b
    "#);
    assert_snapshot!(told(&repository, "--unreleased --package a"), @r#"- after a/v1.0.0, 5: only a, both, from a to b, a in a branch"#);
    let next = |name: &str| {
        kyklos(repository.path()).args("notes next --package").arg(name).run().expect(0).stdout()
    };
    assert_eq!((next("a"), next("b")), ("1.1.0\n".to_owned(), "1.0.1\n".to_owned()));
}

#[test]
fn the_last_number_of_a_first_line_brought_it() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    let one = repository.commit("feat: one (#1)");
    repository.tag("v1.0.0");
    repository.commit("fix: picked (#2) (#3)");
    repository.commit(&format!("Revert \"feat: one (#1)\" (#4)\n\nThis reverts commit {one}."));
    let text = kyklos(repository.path()).args("notes generate --unreleased").run().expect(0).stdout();
    assert!(text.contains("- picked (`#2`) ([#3](https://github.com/acme/app/pull/3))"), "{text}");
    assert!(text.contains("of v1.0.0) ([#4](https://github.com/acme/app/pull/4))"), "{text}");
}

#[test]
fn two_changes_of_one_second_are_two() {
    let repository = Repository::new();
    let commit = || {
        repository.git(&["add", "--all"]);
        repository.git(&["commit", "--quiet", "--message", "fix: the same words"]);
    };
    repository.write("a", "one\n");
    commit();
    repository.write("a", "one\ntwo\n");
    commit();
    repository.write("a", "one\ntwo\nthree\n");
    commit();
    let answer =
        kyklos(repository.path()).args("notes generate --unreleased --format json").run().expect(0).json();
    assert_eq!(answer["data"]["releases"][0]["stats"]["entries"], 3, "{answer}");
}
