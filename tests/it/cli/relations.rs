//! What commits say about each other: reverts, copies, merges, squashes, paths, people.

use serde_json::Value;

use crate::support::command::kyklos;
use crate::support::repository::Repository;

/// The descriptions of all lines of a release, newest first, by section.
fn lines(release: &Value) -> Vec<String> {
    let sections = release["sections"].as_array().unwrap().iter();
    let entries = sections
        .filter(|section| section["title"] != "Breaking Changes")
        .flat_map(|section| section["entries"].as_array().unwrap());
    entries.map(|entry| entry["description"].as_str().unwrap().to_owned()).collect()
}

fn generate(repository: &Repository, line: &str) -> Vec<Value> {
    let line = format!("notes generate {line} --format json");
    let answer = kyklos(repository.path()).args(&line).run().expect(0).json();
    answer["data"]["releases"].as_array().unwrap().clone()
}

fn unreleased(repository: &Repository, more: &str) -> Vec<String> {
    lines(&generate(repository, &format!("--unreleased {more}"))[0])
}

#[test]
fn a_revert_takes_its_commit_along() {
    let repository = Repository::new();
    repository.write("a", "1");
    let first = repository.commit("feat: one");
    repository.write("b", "1");
    let second = repository.commit("feat: two");
    let back = repository.commit(&format!("Revert \"feat: two\"\n\nThis reverts commit {second}."));
    assert_eq!(unreleased(&repository, ""), ["one"]);
    repository.commit(&format!("Reapply \"feat: two\"\n\nThis reverts commit {back}."));
    assert_eq!(unreleased(&repository, ""), ["two", "one"]);
    repository.tag("v0.1.0");
    // What an earlier release shipped is told as taken back, with that release.
    repository.commit(&format!("revert: one\n\nRefs: {first}"));
    let releases = generate(&repository, "--all");
    let entry = &releases[0]["sections"][0]["entries"][0];
    assert_eq!((&entry["reverts"], &entry["shipped_in"]), (&Value::from(first), &Value::from("v0.1.0")));
    // What was taken back moves no version.
    let feature = repository.commit("feat!: three");
    repository.commit(&format!("revert: three\n\nThis reverts commit {}.", &feature[..7]));
    assert_eq!(kyklos(repository.path()).args("notes next").run().expect(0).stdout(), "0.1.1\n");
}

#[test]
fn a_copy_is_told_once() {
    let repository = Repository::new();
    repository.write("a", "1");
    repository.commit("chore: start");
    repository.git(&["checkout", "--quiet", "-b", "work"]);
    repository.write("b", "1");
    let picked = repository.commit("fix: the thing");
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("c", "1");
    repository.commit("feat: other");
    repository.git(&["cherry-pick", "-x", &picked]);
    repository.git(&["commit", "--quiet", "--amend", "--message", "fix: the thing, in other words"]);
    repository.git(&["merge", "--quiet", "--no-ff", "--message", "Merge branch 'work'", "work"]);
    assert_eq!(unreleased(&repository, ""), ["other", "the thing"]);
    // Two commits of one second that change other files are two.
    repository.write("d", "1");
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "--message", "fix: third"]);
    repository.write("e", "1");
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "--message", "fix: third"]);
    assert_eq!(unreleased(&repository, ""), ["other", "third", "third", "the thing"]);
}

/// A main line with one merged pull request of two commits.
fn merged() -> Repository {
    let repository = Repository::new();
    repository.write("a", "1");
    repository.commit("chore: start");
    repository.git(&["checkout", "--quiet", "-b", "work"]);
    repository.write("b", "1");
    repository.commit("feat(api): one");
    repository.write("b", "2");
    repository.commit("fix(api): mend one");
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("c", "1");
    repository.commit("fix: straight (#4)");
    let message = "Merge pull request #7 from ada/work\n\nfeat(api): the whole of it";
    repository.git(&["merge", "--quiet", "--no-ff", "--message", message, "work"]);
    repository
}

#[test]
fn a_merge_lends_its_number_and_is_no_line() {
    let repository = merged();
    assert_eq!(unreleased(&repository, ""), ["one", "straight", "mend one"]);
    let release = &generate(&repository, "--unreleased")[0];
    let number = |entry: &Value| entry["references"][0]["id"].clone();
    assert_eq!(number(&release["sections"][0]["entries"][0]), "7");
    assert_eq!(number(&release["sections"][1]["entries"][0]), "4");
    assert_eq!(release["commits"].as_array().unwrap().len(), 5);
    // A line per merge, none for what it brings.
    assert_eq!(unreleased(&repository, "--first-parent"), ["the whole of it", "straight"]);
}

#[test]
fn a_squash_is_one_line_or_many() {
    let repository = Repository::new();
    repository.commit("feat: all (#3)\n\n* feat: one\n* fix(api)!: two\n* words");
    assert_eq!(unreleased(&repository, ""), ["all"]);
    assert_eq!(unreleased(&repository, "--squash all"), ["one", "two"]);
    let release = &generate(&repository, "--unreleased")[0];
    assert_eq!(release["sections"].as_array().unwrap().last().unwrap()["title"], "Breaking Changes");
}

#[test]
fn packages_have_their_own_tags_and_paths() {
    let repository = Repository::new();
    let packages =
        "name: all\npackages:\n  web: { paths: [web] }\n  api: { paths: ['srv/**'], tag: 'api-{version}' }\n";
    repository.write("release.yaml", packages);
    repository.commit("chore: start");
    repository.write("web/a", "1");
    repository.commit("feat: web one");
    repository.tag("web/v0.1.0");
    repository.write("web/a", "2");
    repository.write("srv/b", "1");
    repository.commit("feat: both");
    repository.write("srv/deep/c", "1");
    repository.commit("fix: srv only");
    assert_eq!(unreleased(&repository, "--package web"), ["both"]);
    assert_eq!(unreleased(&repository, "--package api"), ["both", "srv only"]);
    assert_eq!(unreleased(&repository, "--include-path srv --exclude-path srv/deep"), ["both"]);
    let tags: Vec<Value> =
        generate(&repository, "--all --package web").iter().map(|release| release["tag"].clone()).collect();
    assert_eq!(tags, [Value::Null, Value::from("web/v0.1.0")]);
    let unknown = kyklos(repository.path()).args("notes generate --package x").run().expect(2);
    assert!(unknown.stderr().contains("has no package `x`"), "{}", unknown.show());
    // No cache is left behind.
    let left = repository.git(&["status", "--porcelain", "--ignored"]);
    assert_eq!(left, "");
}

#[test]
fn ranges_tags_and_the_release_of_head() {
    let repository = Repository::new();
    for (message, tag) in [("feat: one", "v0.1.0"), ("fix: two", "v0.1.1"), ("feat: three", "v0.2.0-rc.1")] {
        repository.commit(message);
        repository.tag(tag);
    }
    let tags = |line: &str| -> Vec<Value> {
        generate(&repository, line).iter().map(|release| release["tag"].clone()).collect()
    };
    assert_eq!(tags("v0.1.0..v0.2.0-rc.1"), ["v0.2.0-rc.1", "v0.1.1"]);
    assert_eq!(tags("--current"), ["v0.2.0-rc.1"]);
    repository.commit("fix: four");
    assert_eq!(tags("v0.1.1"), [Value::Null, Value::from("v0.2.0-rc.1")]);
    assert_eq!(tags("--latest"), ["v0.2.0-rc.1"]);
    assert_eq!(kyklos(repository.path()).args("notes generate --current").run().code(), 2);
    assert_eq!(kyklos(repository.path()).args("notes generate nothing..HEAD").run().code(), 2);
    assert_eq!(unreleased(&repository, "--since v0.1.0"), ["three", "four", "two"]);
    let named = generate(&repository, "--unreleased --tag v0.2.0");
    assert_eq!((&named[0]["version"], &named[0]["tag"]), (&Value::from("0.2.0"), &Value::Null));
    // A release of another line ends nothing and is not the latest of this one.
    repository.git(&["checkout", "--quiet", "-b", "hotfix", "v0.1.1"]);
    repository.commit("fix: hot");
    repository.tag("v9.0.0");
    repository.git(&["checkout", "--quiet", "main"]);
    assert_eq!(tags("--latest"), ["v0.2.0-rc.1"]);
    assert_eq!(tags("--tag v9.0.0"), ["v9.0.0"]);
}

#[test]
fn the_next_version_obeys_footers_labels_and_lines() {
    let repository = Repository::new();
    let next = |line: &str| kyklos(repository.path()).args("notes next").args(line).run();
    repository.commit("feat: one");
    repository.tag("v1.2.0");
    repository.commit("feat: two");
    repository.tag("v1.3.0-rc.2");
    assert_eq!(next("--pre rc").expect(0).stdout(), "1.3.0-rc.3\n");
    let back = next("--pre beta").expect(5);
    assert!(back.stderr().contains("error[next-back]"), "{}", back.show());
    repository.commit("chore: go\n\nRelease-As: 2.0.0");
    assert_eq!(next("").expect(0).stdout(), "2.0.0\n");
    repository.commit("chore: go\n\nRelease-As: two");
    assert_eq!(next("").code(), 2);
    // A maintenance line stays below the line above it.
    repository.tag("v1.3.0");
    repository.git(&["checkout", "--quiet", "-b", "release/v1.2", "v1.2.0"]);
    repository.commit("fix: old");
    assert_eq!(next("").expect(0).stdout(), "1.2.1\n");
    repository.commit("feat: old");
    let taken = next("").expect(5);
    assert!(taken.stderr().contains("is taken by the tag v1.3.0"), "{}", taken.show());
}

#[test]
fn people_are_told_offline() {
    let repository = Repository::new();
    repository.write(".mailmap", "Ada Lovelace <ada@real.example> <ada@example.com>\n");
    repository.commit("feat: one");
    repository.tag("v0.1.0");
    let message = "feat: two\n\nCo-authored-by: Grace <123+grace@users.noreply.github.com>\nCo-Authored-By: robot[bot] <1+robot[bot]@users.noreply.github.com>";
    repository.commit(message);
    let contributors = generate(&repository, "--all")[0]["contributors"].clone();
    let told: Vec<_> = contributors
        .as_array()
        .unwrap()
        .iter()
        .map(|person| (person["name"].as_str().unwrap(), person["login"].as_str(), person["bot"] == true))
        .collect();
    assert_eq!(
        told,
        [
            ("Ada Lovelace", None, false),
            ("Grace", Some("grace"), false),
            ("robot[bot]", Some("robot[bot]"), true)
        ]
    );
    let first: Vec<bool> =
        contributors.as_array().unwrap().iter().map(|person| person["first_time"] == true).collect();
    assert_eq!(first, [false, true, true]);
}

#[test]
fn templates_fail_with_place_and_nearest_name() {
    let repository = merged();
    repository
        .write("good.hbs", "{{#each releases}}{{heading}}: {{#each sections}}{{title}} {{/each}}{{/each}}");
    repository.write("typo.hbs", "{{#each releases}}\n{{headnig}}{{/each}}");
    repository.write("open.hbs", "{{#each releases}}\n{{title\n");
    let run = |line: &str| kyklos(repository.path()).args(line).run();
    assert_eq!(
        run("notes generate --unreleased --template good.hbs").expect(0).stdout(),
        "Unreleased: Added Fixed "
    );
    let typo = run("notes generate --unreleased --template typo.hbs").expect(2);
    assert!(
        typo.stderr().contains("--> typo.hbs:2:3") && typo.stderr().contains("did you mean `heading`?"),
        "{}",
        typo.show()
    );
    let open = run("notes template check open.hbs").expect(2);
    assert!(open.stderr().contains("error[notes-template]"), "{}", open.show());
    assert_eq!(run("notes template check typo.hbs").code(), 2);
    assert_eq!(run("notes template check good.hbs").code(), 0);
    let listed = run("notes template list").expect(0).stdout();
    assert!(listed.lines().any(|name| name == "keep-a-changelog"), "{listed}");
    let shown = run("notes template show kyklos").expect(0).stdout();
    repository.write("shown.hbs", shown);
    assert_eq!(run("notes template check shown.hbs").code(), 0);
    let unknown = run("notes template show kyklo").expect(2);
    assert!(unknown.stderr().contains("did you mean `kyklos`?"), "{}", unknown.show());
}

#[test]
fn a_long_changelog_is_shortened_at_the_ends_of_lines() {
    let repository = Repository::new();
    for at in 0..40 {
        repository.commit(&format!("fix: mend the part with the number {at} of ä"));
    }
    repository.commit("feat!: keep me");
    let run = |line: &str| kyklos(repository.path()).args(line).run();
    let whole = run("notes generate --unreleased").expect(0).stdout();
    let short = run("notes generate --unreleased --max-chars 900").expect(0);
    assert!(short.stdout().len() <= 900 && whole.len() > 900, "{}", short.stdout().len());
    assert!(short.stderr().contains("lines were left out"), "{}", short.show());
    assert!(short.stdout().contains("keep me"), "{}", short.show());
    let mended = |text: &str| text.lines().filter(|line| line.contains("mend the part")).count();
    let left_out = format!("{} more lines in the whole changelog", mended(&whole) - mended(&short.stdout()));
    assert!(short.stdout().contains(&left_out), "{}", short.show());
    let exact = format!("notes generate --unreleased --max-chars {}", whole.len());
    assert_eq!(run(&exact).expect(0).stdout(), whole);
    assert_eq!(run("notes generate --unreleased --max-chars 10").code(), 2);
    assert_eq!(run("notes generate --all --max-chars 900").code(), 2);
}

#[test]
fn a_change_of_other_lines_is_told_when_somebody_asks() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    for name in ["a", "b", "c", "d"] {
        repository.write(name, "one\ntwo\nthree\n");
    }
    repository.commit("feat: begin");
    repository.tag("v1.0.0");
    // The line of 1.0 is never merged back.
    repository.write("a", "one\ntwo\nthree!\n");
    let marked = repository.commit("fix: told by its trailer (#1)");
    repository.write("b", "one\ntwo\nthree!\n");
    let same = repository.commit("fix: told by author and time (#2)");
    repository.write("c", "one\ntwo\nthree!\n");
    repository.commit("fix: told by its patch (#3)");
    repository.write("d", "one\ntwo\nthree!\n");
    repository.commit("fix: another change of one name");
    repository.branch("release/v1.0", "v1.0.0");
    repository.git(&["cherry-pick", "-x", &marked]);
    repository.git(&[
        "commit",
        "--quiet",
        "--amend",
        "--message",
        &format!("fix: in other words\n\n(cherry picked from commit {marked})"),
    ]);
    repository.tag("v1.0.1");
    repository.git(&["cherry-pick", &same]);
    repository.write("c", "one\ntwo\nthree!\n");
    repository.commit("fix: told by its patch (#33)");
    repository.write("d", "other\ntwo\nthree\n");
    repository.commit("fix: another change of one name");
    repository.tag("v1.0.2");
    repository.switch("main");
    repository.commit("feat: only here");
    repository.tag("v1.1.0");
    // A line of its own that picked one of them as well.
    repository.branch("release/v0.9", "v1.0.0");
    repository.git(&["cherry-pick", "-x", &marked]);
    repository.tag("v0.9.1");
    repository.switch("main");

    let told = |more: &str| -> Vec<(String, Value, Value)> {
        let release = &generate(&repository, &format!("--tag v1.1.0 {more}"))[0];
        let entries = release["sections"].as_array().unwrap().iter();
        let entries = entries.flat_map(|section| section["entries"].as_array().unwrap());
        let told = |entry: &Value| {
            (
                entry["description"].as_str().unwrap().to_owned(),
                entry["status"].clone(),
                entry["also_in"].clone(),
            )
        };
        entries.map(told).collect()
    };
    let one = |description: &str, tags: &[&str]| {
        let status = if tags.is_empty() { "active" } else { "also_in" };
        (description.to_owned(), Value::from(status), Value::from(tags.to_vec()))
    };
    let names = [
        "only here",
        "another change of one name",
        "told by its patch",
        "told by author and time",
        "told by its trailer",
    ];
    assert_eq!(told(""), names.map(|name| one(name, &[])));
    let lists: [&[&str]; 5] = [&[], &[], &["v1.0.2"], &["v1.0.2"], &["v0.9.1", "v1.0.1"]];
    let expected: Vec<_> = names.iter().zip(lists).map(|(name, tags)| one(name, tags)).collect();
    assert_eq!(told("--also-in"), expected);
    // From the other side: what the main line brought in a release of its own.
    let release = &generate(&repository, "--tag v1.0.2 --also-in")[0];
    assert_eq!(release["sections"][0]["entries"][1]["also_in"], serde_json::json!(["v1.1.0"]));
    let text =
        kyklos(repository.path()).args("notes generate --tag v1.1.0 --also-in").run().expect(0).stdout();
    assert!(
        text.contains(
            "- told by its trailer (also in v0.9.1, v1.0.1) ([#1](https://github.com/acme/app/pull/1))"
        ),
        "{text}"
    );
}
