//! Shapes of histories: which release owns what, and what the release before it is.

use insta::assert_snapshot;

use crate::support::command::kyklos;
use crate::support::notes::{generate, told};
use crate::support::repository::Repository;

fn next(repository: &Repository) -> String {
    kyklos(repository.path()).args("notes next").run().expect(0).stdout()
}

#[test]
fn a_line_of_releases() {
    let repository = Repository::new();
    for (message, tag) in [("feat: one", "v1.0.0"), ("fix: two", "v1.0.1"), ("feat: three", "v1.1.0")] {
        repository.commit(message);
        repository.tag(tag);
    }
    repository.commit("fix: four");
    assert_snapshot!(told(&repository, ""), @r#"
    - after v1.1.0, 1: four
    v1.1.0 after v1.0.1, 1: three
    v1.0.1 after v1.0.0, 1: two
    v1.0.0 after -, 1: one
    "#);
    assert_eq!(next(&repository), "1.1.1\n");
}

/// A release branch with its own candidates while the main line goes on, merged back, and a hotfix from the release
/// before that is the newest tag by its date.
#[test]
fn git_flow() {
    let repository = Repository::new();
    repository.commit("feat: zero");
    repository.tag("v0.1.0");
    repository.commit("feat: one");
    repository.branch("release/v0.2", "main");
    repository.commit("fix: in beta");
    repository.tag("v0.2.0-beta.1");
    repository.switch("main");
    repository.commit("feat: during the freeze");
    repository.switch("release/v0.2");
    repository.commit("fix: in rc");
    repository.tag("v0.2.0-rc.1");
    repository.commit("docs: ready");
    repository.tag("v0.2.0");
    repository.switch("main");
    repository.merge("Merge branch 'release/v0.2'", &["release/v0.2"]);
    repository.commit("fix: later");
    repository.branch("hotfix/v0.1", "v0.1.0");
    repository.commit("fix: hot");
    repository.tag("v0.1.1");
    repository.switch("main");
    assert_snapshot!(told(&repository, ""), @r#"
    - after v0.2.0, 3: during the freeze, later
    v0.2.0 after v0.1.0, 4: one, in beta, in rc
    v0.2.0-rc.1 after v0.2.0-beta.1, 1: in rc
    v0.2.0-beta.1 after v0.1.0, 2: one, in beta
    v0.1.0 after -, 1: zero
    "#);
    assert_snapshot!(told(&repository, "--unreleased"), @r#"- after v0.2.0, 3: during the freeze, later"#);
    assert_snapshot!(told(&repository, "--latest"), @r#"v0.2.0 after v0.1.0, 4: one, in beta, in rc"#);
    assert_snapshot!(told(&repository, "--tag v0.2.0"), @r#"v0.2.0 after v0.1.0, 4: one, in beta, in rc"#);
    assert_snapshot!(told(&repository, "--tag v0.2.0-rc.1"), @r#"v0.2.0-rc.1 after v0.2.0-beta.1, 1: in rc"#);
    assert_snapshot!(told(&repository, "--tag v0.1.1"), @r#"v0.1.1 after v0.1.0, 1: hot"#);
    assert_eq!(next(&repository), "0.3.0\n");
    repository.switch("hotfix/v0.1");
    assert_snapshot!(told(&repository, ""), @r#"
    v0.1.1 after v0.1.0, 1: hot
    v0.1.0 after -, 1: zero
    "#);
}

#[test]
fn a_stable_release_tells_what_its_candidates_told() {
    let repository = Repository::new();
    repository.commit("feat: zero");
    repository.tag("v1.0.0");
    for (message, tag) in
        [("feat: one", "v1.1.0-rc.1"), ("fix: two", "v1.1.0-rc.2"), ("fix: three", "v1.1.0")]
    {
        repository.commit(message);
        repository.tag(tag);
    }
    assert_snapshot!(told(&repository, ""), @r#"
    v1.1.0 after v1.0.0, 3: one, two, three
    v1.1.0-rc.2 after v1.1.0-rc.1, 1: two
    v1.1.0-rc.1 after v1.0.0, 1: one
    v1.0.0 after -, 1: zero
    "#);
    assert_snapshot!(told(&repository, "--since tag"), @r#"
    v1.1.0 after v1.1.0-rc.2, 1: three
    v1.1.0-rc.2 after v1.1.0-rc.1, 1: two
    v1.1.0-rc.1 after v1.0.0, 1: one
    v1.0.0 after -, 1: zero
    "#);
    assert_snapshot!(told(&repository, "--tag v1.1.0-rc.2 --since stable"), @r#"v1.1.0-rc.2 after v1.0.0, 2: one, two"#);
}

#[test]
fn several_tags_of_one_commit() {
    let repository = Repository::new();
    repository.commit("feat: one");
    repository.tag("v1.0.0-rc.1");
    repository.tag("v1.0.0");
    repository.commit("fix: two");
    repository.tag("v1.0.2");
    repository.tag("v1.0.1");
    repository.tag("noise");
    assert_snapshot!(told(&repository, ""), @r#"
    v1.0.2 after v1.0.1, 0: 
    v1.0.1 after v1.0.0, 1: two
    v1.0.0 after -, 1: one
    v1.0.0-rc.1 after -, 1: one
    "#);
    // `--current` is the highest; the others of its commit are named.
    let current = &generate(&repository, "--current")[0];
    assert_eq!((&current["tag"], &current["aliases"]), (&"v1.0.2".into(), &serde_json::json!(["v1.0.1"])));
    assert_eq!(current["previous_tag"], "v1.0.1");
}

#[test]
fn kinds_of_tags() {
    let repository = Repository::new();
    repository.commit("feat: one");
    repository.git(&["tag", "v1.0.0"]);
    repository.commit("fix: two");
    repository.tag("v1.0.1");
    repository.commit("fix: three");
    repository.tag("inner");
    repository.git(&["tag", "--annotate", "--message", "outer", "middle", "inner"]);
    repository.git(&["tag", "--annotate", "--message", "outer", "v1.0.2", "middle"]);
    repository.write("a", "1");
    let blob = repository.git(&["hash-object", "-w", "a"]);
    repository.git(&["tag", "v9.0.0", &blob]);
    repository.git(&["tag", "v9.0.1", "HEAD^{tree}"]);
    repository.git(&["tag", "--annotate", "--message", "of a blob", "v9.0.2", &blob]);
    let expected = told(&repository, "");
    assert_snapshot!(expected, @r#"
    v1.0.2 after v1.0.1, 1: three
    v1.0.1 after v1.0.0, 1: two
    v1.0.0 after -, 1: one
    "#);
    // Packed references are stored with what they peel to.
    repository.git(&["pack-refs", "--all"]);
    assert_eq!(told(&repository, ""), expected);
    repository.commit("fix: four");
    assert_eq!(next(&repository), "1.0.3\n");
}

#[test]
fn names_of_tags() {
    let repository = Repository::new();
    for (message, tags) in [
        ("feat: one", ["v1.9.0", "pkg@1.0.0", "@scope/pkg@1.0.0"]),
        ("feat: two", ["v1.10.0", "pkg@1.1.0-rc.1", "1.0.0"]),
        ("feat: three", ["v1.11", "nightly", "pkg/v1.0.0"]),
        ("feat: four", ["v1.10.0+build.5", "v01.2.3", "vv1.2.3"]),
    ] {
        repository.commit(message);
        for tag in tags {
            repository.tag(tag);
        }
    }
    assert_snapshot!(told(&repository, ""), @r#"
    v1.10.0+build.5 after v1.10.0, 2: three, four
    v1.10.0 after v1.9.0, 1: two
    v1.9.0 after -, 1: one
    "#);
    assert_snapshot!(told(&repository, "--latest"), @r#"v1.10.0+build.5 after v1.10.0, 2: three, four"#);
    let of = |pattern: &str| {
        repository.write("release.yaml", format!("name: pkg\ntag: \"{pattern}\"\n"));
        told(&repository, "--latest")
    };
    let patterns = ["pkg@{version}", "@scope/pkg@{version}", "{version}", "pkg/v{version}"];
    assert_snapshot!(patterns.map(of).concat(), @r#"
    pkg@1.1.0-rc.1 after pkg@1.0.0, 1: two
    @scope/pkg@1.0.0 after -, 1: one
    1.0.0 after -, 2: one, two
    pkg/v1.0.0 after -, 3: one, two, three
    "#);
}

#[test]
fn dates_that_run_any_way() {
    let repository = Repository::new();
    // Every commit is older than its parent, by more than a day.
    repository.set_clock(90_000);
    repository.commit("feat: one");
    repository.set_clock(60_000);
    repository.tag("v1.0.0");
    repository.commit("feat: two");
    repository.set_clock(30_000);
    repository.commit("feat: three");
    repository.tag("v1.1.0");
    repository.set_clock(29_999);
    // The same second as its parent.
    repository.commit("feat: four");
    // Far in the future, then back.
    repository.set_clock(30_000_000);
    repository.commit("feat: five");
    repository.set_clock(0);
    repository.commit("feat: six");
    assert_snapshot!(told(&repository, ""), @r#"
    - after v1.1.0, 3: four, five, six
    v1.1.0 after v1.0.0, 2: two, three
    v1.0.0 after -, 1: one
    "#);
    assert_snapshot!(told(&repository, "--unreleased"), @r#"- after v1.1.0, 3: four, five, six"#);
    assert_snapshot!(told(&repository, "--tag v1.1.0"), @r#"v1.1.0 after v1.0.0, 2: two, three"#);
    assert_eq!(next(&repository), "1.2.0\n");
}

#[test]
fn roots_octopuses_and_criss_crosses() {
    let repository = Repository::new();
    repository.commit("feat: one");
    repository.tag("v1.0.0");
    // A second root.
    repository.git(&["checkout", "--quiet", "--orphan", "other"]);
    repository.commit("feat: other root");
    repository.switch("main");
    repository.merge("Merge other", &["--allow-unrelated-histories", "other"]);
    for name in ["a", "b", "c"] {
        repository.branch(name, "main");
        repository.commit(&format!("feat: {name}"));
    }
    repository.switch("main");
    repository.merge("Merge branches 'a', 'b' and 'c'", &["a", "b", "c"]);
    repository.tag("v1.1.0");
    // Two lines that merge each other.
    repository.branch("left", "main");
    let left = repository.commit("fix: left");
    repository.branch("right", "main");
    let right = repository.commit("fix: right");
    repository.switch("left");
    repository.merge("Merge right into left", &[&right]);
    repository.switch("right");
    repository.merge("Merge left into right", &[&left]);
    repository.tag("v1.1.1");
    repository.switch("main");
    repository.merge("Merge left", &["left"]);
    repository.merge("Merge right", &["right"]);
    repository.commit("fix: last");
    assert_snapshot!(told(&repository, ""), @r#"
    - after v1.1.1, 4: last
    v1.1.1 after v1.1.0, 3: left, right
    v1.1.0 after v1.0.0, 6: other root, a, b, c
    v1.0.0 after -, 1: one
    "#);
    assert_snapshot!(told(&repository, "--first-parent"), @r#"
    - after v1.1.1, 4: Merge left, Merge right, last
    v1.1.1 after v1.1.0, 3: right, Merge left into right
    v1.1.0 after v1.0.0, 6: Merge other, Merge branches 'a', 'b' and 'c'
    v1.0.0 after -, 1: one
    "#);
}
