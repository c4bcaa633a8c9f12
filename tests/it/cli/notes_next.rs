//! The next version: the table, labels, lines, what is taken, and nothing to release.

use insta::assert_snapshot;
use serde_json::json;

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

/// Releases come from branches, and the main line goes on above all of them.
#[test]
fn a_main_line_whose_releases_come_from_branches() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v4.3.0");
    repository.branch("4.x", "main");
    repository.commit("feat: old line");
    repository.tag("v4.4.0");
    repository.switch("main");
    repository.commit("feat!: new line");
    let refused = run(&repository, "").expect(5);
    assert!(refused.stderr().contains("5.0.0 after 4.3.0 is past 4.4.0"), "{}", refused.show());
    assert!(refused.stderr().contains("Release-As: VERSION"), "{}", refused.show());
    // What the error asks for helps.
    repository.commit("chore: release\n\nRelease-As: 5.0.0");
    assert_eq!(next(&repository, ""), "5.0.0");
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    // So does the tag of a prerelease.
    repository.tag("v5.0.0-beta.1");
    repository.commit("fix: more");
    assert_eq!(next(&repository, ""), "5.0.0");
    assert_eq!(next(&repository, "--pre beta"), "5.0.0-beta.2");
}

#[test]
fn the_data_of_a_release_names_the_commits_that_moved_its_version() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v0.1.0");
    let reasons = |repository: &Repository, tag: &str, more: &str| {
        repository.tag(tag);
        let line = format!("notes generate --tag {tag} --format json {more}");
        let answer = kyklos(repository.path()).args(&line).run().expect(0).json();
        let bump = &answer["data"]["releases"][0]["bump"];
        (bump["level"].as_str().unwrap().to_owned(), bump["reasons"].clone())
    };
    let fix = repository.commit("fix: one");
    let hidden = repository.commit("chore(deps): a dependency");
    repository.commit("docs: words");
    assert_eq!(reasons(&repository, "v0.1.1", ""), ("patch".to_owned(), json!([hidden, fix])));
    // What breaks moves the middle number before 1.0.0, as a feature does.
    let feature = repository.commit("feat: two");
    let breaks = repository.commit("refactor!: three");
    repository.commit("fix: four");
    assert_eq!(reasons(&repository, "v0.2.0", ""), ("minor".to_owned(), json!([breaks, feature])));
    // A person decided: in a footer, or by the tag alone.
    let asked = repository.commit("chore: release\n\nRelease-As: 1.0.0");
    repository.commit("fix: five");
    assert_eq!(reasons(&repository, "v1.0.0", ""), ("major".to_owned(), json!([asked])));
    repository.commit("fix: six");
    assert_eq!(reasons(&repository, "v2.0.0", ""), ("major".to_owned(), json!([])));
    // No number moves within a chain of prereleases.
    repository.commit("feat: seven");
    repository.tag("v2.1.0-rc.1");
    let eight = repository.commit("fix: eight");
    assert_eq!(reasons(&repository, "v2.1.0-rc.2", ""), ("prerelease".to_owned(), json!([eight])));
    // What data says is said again of it.
    let answer = kyklos(repository.path()).args("notes generate --all --format json").run().expect(0);
    repository.write("data.json", answer.stdout());
    let again = kyklos(repository.path())
        .args("notes generate --from-context data.json --format json")
        .run()
        .expect(0)
        .json();
    assert_eq!(again["data"]["releases"], answer.json()["data"]["releases"]);
}

#[test]
fn the_explanation_says_what_each_commit_says() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v0.1.0");
    repository.commit("fix(api, web)!: stricter");
    repository.commit("feat: more\n\nBREAKING CHANGE: less of the old");
    repository.commit("fix: small");
    assert_snapshot!(run(&repository, "--explain").show(), @r"
    exit 0
    --- stdout
    0.2.0
    minor after v0.1.0
      8a1b067 feat!: more
      c576de6 fix(api, web)!: stricter
      before 1.0.0 what breaks moves the middle number
    --- stderr
    ");
    repository.commit("chore: go\n\nRelease-As: 1.0.0");
    assert_snapshot!(run(&repository, "--explain").show(), @r"
    exit 0
    --- stdout
    1.0.0
    major after v0.1.0
      85ab538 chore: go (Release-As: 1.0.0)
    --- stderr
    ");
    let answer = run(&repository, "--format json").expect(0).json();
    assert_eq!(answer["data"]["from"], "0.1.0");
    assert_eq!(answer["data"]["because"][0]["release_as"], "1.0.0");
}

#[test]
fn what_is_not_released_is_told_as_what_it_becomes() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v1.0.0");
    repository.commit("feat: one");
    repository.tag("v1.1.0-rc.1");
    repository.commit("fix: two");
    let told = |line: &str| {
        let line = format!("notes generate {line} --format json");
        let answer = kyklos(repository.path()).args(&line).run().expect(0).json();
        let release = answer["data"]["releases"][0].clone();
        (
            release["version"].clone(),
            release["previous_tag"].clone(),
            release["commits"].as_array().unwrap().len(),
        )
    };
    let rc = json!("v1.1.0-rc.1");
    assert_eq!(told("--unreleased"), (json!(null), rc.clone(), 1));
    // A stable release tells what its candidates told, before it has a tag as well.
    assert_eq!(told("-u -t v1.1.0"), (json!("1.1.0"), json!("v1.0.0"), 2));
    assert_eq!(told("-u -t v1.1.0 --since tag"), (json!("1.1.0"), rc.clone(), 1));
    assert_eq!(told("-u -t v1.1.0-rc.2"), (json!("1.1.0-rc.2"), rc, 1));
    assert_eq!(told("-u --bump"), (json!("1.1.0"), json!("v1.0.0"), 2));
    assert_eq!(told("-l"), (json!("1.1.0-rc.1"), json!("v1.0.0"), 1));
    // It is dated, and its addresses are those of its tag.
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    let text = |line: &str| {
        let run = kyklos(repository.path()).args("notes generate --unreleased --bump").args(line);
        run.env("SOURCE_DATE_EPOCH", "1772323200").run().expect(0).stdout()
    };
    let notes = text("--release-notes");
    let facts =
        " 1.1.0\n\n**Release date:** 2026-03-01, **type:** minor release, **previous version:** v1.0.0";
    assert!(notes.contains(facts), "{notes}");
    assert!(text("").starts_with("## 1.1.0 - 2026-03-01\n"), "{}", text(""));
    let kept = text("--preset keep-a-changelog");
    assert!(kept.contains("\n[1.1.0]: https://github.com/acme/app/compare/v1.0.0...v1.1.0\n"), "{kept}");
    let data: serde_json::Value = serde_json::from_str(&text("--format json")).unwrap();
    let release = &data["data"]["releases"][0];
    assert_eq!(
        (&release["tag"], &release["planned_tag"], &release["date"]),
        (&json!(null), &json!("v1.1.0"), &json!("2026-03-01"))
    );
    repository.write("data.json", data.to_string());
    let again = kyklos(repository.path()).args("notes generate --from-context data.json").run().expect(0);
    assert_eq!(again.stdout(), text(""));
    let today = kyklos(repository.path()).args("notes generate -u -t v1.1.0").run().expect(0).stdout();
    let heading = today.lines().next().unwrap();
    assert!(heading.starts_with("## 1.1.0 - 20") && heading.len() == 21, "{heading}");
    let wrong = kyklos(repository.path()).args("notes generate -u --bump").env("SOURCE_DATE_EPOCH", "soon");
    assert!(wrong.run().expect(2).stderr().contains("SOURCE_DATE_EPOCH is not a time"));
    repository.tag("v1.1.0");
    let nothing = kyklos(repository.path()).args("notes generate --unreleased --bump").run().expect(1);
    assert!(nothing.stderr().contains("nothing to release after v1.1.0"), "{}", nothing.show());
    let _ = kyklos(repository.path()).args("notes generate --bump").run().expect(2);
    let _ = kyklos(repository.path()).args("notes generate --unreleased --bump --tag v2.0.0").run().expect(2);
}
