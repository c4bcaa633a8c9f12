//! The next version: the table, labels, lines, what is taken, and nothing to release.

use insta::assert_snapshot;

use crate::support::command::{Run, kyklos};
use crate::support::repository::Repository;

fn run(repository: &Repository, line: &str) -> Run {
    kyklos(repository.path()).args("notes next").args(line).run()
}

fn next(repository: &Repository, line: &str) -> String {
    run(repository, line).expect(0).stdout().trim_end().to_owned()
}

/// The version after `last` and one commit.
fn after(last: &str, message: &str) -> String {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag(last);
    repository.commit(message);
    next(&repository, "")
}

#[test]
fn what_breaks_moves_the_first_number_and_before_one_the_middle() {
    for (last, message, version) in [
        ("v0.1.0", "fix: x", "0.1.1"),
        ("v0.1.0", "feat: x", "0.2.0"),
        ("v0.1.0", "feat!: x", "0.2.0"),
        ("v0.1.0", "fix: x\n\nBREAKING CHANGE: y", "0.2.0"),
        ("v1.4.2", "fix: x", "1.4.3"),
        ("v1.4.2", "build(deps): x", "1.4.3"),
        ("v1.4.2", "no type", "1.4.3"),
        ("v1.4.2", "feat: x", "1.5.0"),
        ("v1.4.2", "docs!: x", "2.0.0"),
        ("v1.4.2", "feat: x\n\n* fix!: in a squash", "2.0.0"),
        ("v9.9.9", "fix: x", "9.9.10"),
        ("v1.4.2", "chore: x\n\nRelease-As: 3.0.0", "3.0.0"),
    ] {
        assert_eq!(after(last, message), version, "{last} {message}");
    }
}

#[test]
fn the_table_is_in_release_yaml() {
    let repository = Repository::new();
    repository.write("release.yaml", "name: a\nnotes:\n  bump: {docs: patch, feat(lab): none}\n  initial_bump: {feat: patch, breaking: major}\n");
    repository.commit("feat: begin");
    repository.tag("v0.1.0");
    repository.commit("feat(lab): x");
    assert_eq!(run(&repository, "").code(), 1);
    repository.commit("docs: x");
    assert_eq!(next(&repository, ""), "0.1.1");
    repository.commit("feat: x");
    assert_eq!(next(&repository, ""), "0.1.1");
    repository.commit("feat!: x");
    assert_eq!(next(&repository, ""), "1.0.0");
}

#[test]
fn from_alpha_to_stable() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v1.0.0");
    repository.commit("feat: one");
    for (label, version) in [
        ("alpha", "1.1.0-alpha.1"),
        ("alpha", "1.1.0-alpha.2"),
        ("beta", "1.1.0-beta.1"),
        ("rc", "1.1.0-rc.1"),
        ("rc", "1.1.0-rc.2"),
    ] {
        assert_eq!(next(&repository, &format!("--pre {label}")), version);
        repository.tag(&format!("v{version}"));
        repository.commit("fix: more");
    }
    let back = run(&repository, "--pre alpha").expect(5);
    assert!(back.stderr().contains("1.1.0-alpha.3 is not above 1.1.0-rc.2"), "{}", back.show());
    assert_eq!(next(&repository, ""), "1.1.0");
    // Something bigger begins another chain.
    repository.commit("feat!: two");
    assert_eq!(next(&repository, "--pre rc"), "2.0.0-rc.1");
    repository.tag("v2.0.0-rc.1");
    // A fix does not lead back below what is under way.
    repository.commit("fix: three");
    assert_eq!(
        (next(&repository, ""), next(&repository, "--pre rc")),
        ("2.0.0".to_owned(), "2.0.0-rc.2".to_owned())
    );
    repository.tag("v2.0.0");
    repository.commit("fix: four");
    assert_eq!(next(&repository, "--pre rc"), "2.0.1-rc.1");
}

#[test]
fn a_prerelease_that_a_footer_asked_for_is_gone_on_with() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v1.0.0");
    repository.commit("chore: two\n\nRelease-As: 2.0.0-beta.1");
    assert_eq!(next(&repository, ""), "2.0.0-beta.1");
    repository.tag("v2.0.0-beta.1");
    repository.commit("fix: x");
    assert_eq!(next(&repository, "--pre beta"), "2.0.0-beta.2");
    assert_snapshot!(run(&repository, "--explain").show(), @r#"
    exit 0
    --- stdout
    2.0.0
    major after v1.0.0
      v2.0.0-beta.1 is under way
    --- stderr
    "#);
    repository.commit("chore: back\n\nRelease-As: 1.0.1");
    let back = run(&repository, "").expect(5);
    assert!(back.stderr().contains("1.0.1 is not above 2.0.0-beta.1"), "{}", back.show());
}

#[test]
fn the_first_release() {
    let repository = Repository::new();
    let empty = run(&repository, "").expect(2);
    assert!(empty.stderr().contains("no commit yet"), "{}", empty.show());
    assert_eq!(kyklos(repository.path()).args("notes generate").run().code(), 2);
    repository.commit("chore: begin");
    assert_eq!(
        (next(&repository, ""), next(&repository, "--pre rc")),
        ("0.1.0".to_owned(), "0.1.0-rc.1".to_owned())
    );
    repository.tag("v1.0.0-rc.1");
    assert_eq!(next(&repository, ""), "1.0.0");
}

#[test]
fn nothing_to_release_is_an_answer_of_its_own() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v1.0.0");
    assert_snapshot!(run(&repository, "").show(), @r#"
    exit 1
    --- stdout
    --- stderr
    error[next-nothing]: there is nothing to release after v1.0.0: no commit follows it
    "#);
    repository.commit("docs: x");
    repository.commit("chore: y");
    repository.commit("docs: z");
    assert_snapshot!(run(&repository, "").show(), @r#"
    exit 1
    --- stdout
    --- stderr
    error[next-nothing]: there is nothing to release after v1.0.0: no commit since then moves the version (1 chore, 2 docs)
    help: git commit --allow-empty -m "chore: release" -m "Release-As: VERSION"
    "#);
    let json = run(&repository, "--format json").expect(1).json();
    assert_eq!((&json["ok"], &json["diagnostics"][0]["code"]), (&false.into(), &"next-nothing".into()));
    // What was taken back is nothing.
    let feature = repository.commit("feat: x");
    repository.commit(&format!("Revert \"feat: x\"\n\nThis reverts commit {feature}."));
    assert_eq!(run(&repository, "").code(), 1);
    repository.commit("fix: x");
    repository.tag("v1.0.1-rc.1");
    // A candidate may become the release, or another candidate, as it is.
    assert_eq!(
        (next(&repository, ""), next(&repository, "--pre rc")),
        ("1.0.1".to_owned(), "1.0.1-rc.2".to_owned())
    );
}

#[test]
fn a_line_below_a_newer_one() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v1.4.0");
    repository.branch("release/v1", "main");
    repository.switch("main");
    repository.commit("feat!: two");
    repository.tag("v2.0.0");
    repository.commit("feat: three");
    repository.tag("v2.1.0");
    repository.switch("release/v1");
    repository.commit("fix: old");
    assert_eq!(next(&repository, ""), "1.4.1");
    repository.commit("feat: old");
    assert_eq!(next(&repository, ""), "1.5.0");
    repository.commit("chore: go\n\nRelease-As: 2.0.5");
    let past = run(&repository, "").expect(5);
    assert!(
        past.stderr().contains("error[next-line]") && past.stderr().contains("past 2.0.0"),
        "{}",
        past.show()
    );
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    repository.commit("fix!: old");
    let taken = run(&repository, "").expect(5);
    assert!(taken.stderr().contains("2.0.0 is taken by the tag v2.0.0"), "{}", taken.show());
}
