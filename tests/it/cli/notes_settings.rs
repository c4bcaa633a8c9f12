//! What `release.yaml` and `.kyklos/changes` make of notes.

use serde_json::Value;

use crate::support::command::kyklos;
use crate::support::repository::Repository;

/// `SECTION: DESCRIPTION` of all lines of what is not released.
fn told(repository: &Repository) -> Vec<String> {
    let answer =
        kyklos(repository.path()).args("notes generate --unreleased --format json").run().expect(0).json();
    let sections = answer["data"]["releases"][0]["sections"].as_array().unwrap().clone();
    let lines = |section: &Value| -> Vec<String> {
        let title = section["title"].as_str().unwrap().to_owned();
        let entries = section["entries"].as_array().unwrap().iter();
        entries.map(|entry| format!("{title}: {}", entry["description"].as_str().unwrap())).collect()
    };
    sections.iter().flat_map(lines).collect()
}

#[test]
fn types_stand_where_the_repository_wants_them() {
    let repository = Repository::new();
    for message in
        ["feat: one", "perf: two", "docs: three", "feat(internal): four", "fix: five", "chore: six"]
    {
        repository.commit(message);
    }
    assert_eq!(told(&repository), ["Added: four", "Added: one", "Changed: two", "Fixed: five"]);
    repository.write(
        "release.yaml",
        "name: app\nnotes:\n  sections: [Performance, Fixed]\n  types: { perf: Performance, docs: Documentation, feat(internal): hidden }\n",
    );
    assert_eq!(told(&repository), ["Performance: two", "Fixed: five", "Added: one", "Documentation: three"]);
    let text = kyklos(repository.path()).args("notes generate --unreleased").run().expect(0).stdout();
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("### ")).collect();
    assert_eq!(headings, ["### Performance", "### Fixed", "### Added", "### Documentation"]);
    repository.write("release.yaml", "name: app\nnotes:\n  type: {}\n");
    let wrong = kyklos(repository.path()).args("notes generate").run().expect(2);
    assert!(wrong.stderr().contains("unknown field `type`"), "{}", wrong.show());
}

#[test]
fn commits_that_ask_for_it_are_not_told() {
    let repository = Repository::new();
    let first = repository.commit("feat: one");
    repository.commit("fix: two\n\nChangelog: skip");
    repository.commit("feat: three");
    assert_eq!(told(&repository), ["Added: three", "Added: one"]);
    repository.write("release.yaml", format!("name: app\nnotes:\n  ignore: ['{}']\n", &first[..9]));
    assert_eq!(told(&repository), ["Added: three"]);
    let answer = kyklos(repository.path()).args("notes generate --unreleased --format json").run().json();
    let release = &answer["data"]["releases"][0];
    assert_eq!((&release["skipped"], release["commits"].as_array().unwrap().len()), (&2.into(), 3));
}

#[test]
fn lines_in_other_words() {
    let repository = Repository::new();
    let one = repository.commit("feat: one");
    repository.commit("fix: two (#12)");
    repository.commit("fix: again (#12)");
    let hidden = repository.commit("chore: four");
    repository.commit("fix: five (#13)");
    repository.write(format!(".kyklos/changes/{}.md", &one[..8]).as_str(), "The first feature\nin full\n");
    repository.write(".kyklos/changes/12.md", "fix(api)!: the whole of it\n\nBREAKING CHANGE: do this\n");
    repository.write(format!(".kyklos/changes/{hidden}.md").as_str(), "feat: worth telling\n");
    repository.write(".kyklos/changes/pr-13.md", "Changelog: skip\n");
    let expected = [
        "Added: worth telling",
        "Added: The first feature in full",
        "Fixed: the whole of it",
        "Breaking Changes: the whole of it",
    ];
    assert_eq!(told(&repository), expected);
    let answer = kyklos(repository.path()).args("notes generate --unreleased --format json").run().json();
    let line = &answer["data"]["releases"][0]["sections"][1]["entries"][0];
    assert_eq!(line["override_source"], ".kyklos/changes/12.md");
    assert_eq!((&line["breaking_notes"][0], &line["authors"][0]), (&"do this".into(), &"Ada".into()));

    // What is committed counts where there is no work tree.
    repository.commit("chore: words");
    let bare = tempfile::tempdir().unwrap();
    let url = format!("file://{}", repository.path().display());
    repository.git(&["clone", "--quiet", "--bare", &url, bare.path().to_str().unwrap()]);
    let text = kyklos(bare.path()).args("notes generate --unreleased").run().expect(0).stdout();
    assert!(text.contains("- **api:** the whole of it"), "{text}");

    repository.write(".kyklos/changes/notes.md", "x");
    let wrong = kyklos(repository.path()).args("notes generate").run().expect(2);
    assert!(wrong.stderr().contains("error[notes-change-name]"), "{}", wrong.show());
}

#[test]
fn accounts_of_people() {
    let repository = Repository::new();
    repository.write("release.yaml", "name: app\nnotes:\n  authors: { ADA@example.com: ada-l }\n");
    repository.commit("feat: one");
    let answer = kyklos(repository.path()).args("notes generate --all --format json").run().expect(0).json();
    assert_eq!(answer["data"]["releases"][0]["contributors"][0]["login"], "ada-l");
}

#[test]
fn the_data_of_a_release() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    repository.commit("feat: one");
    repository.tag("v1.0.0-rc.1");
    repository.tag("v1.0.0");
    repository.write("a", "1");
    let two = repository.commit("feat: two");
    let gone = repository.commit("fix: three");
    let back = repository.commit(&format!("Revert \"fix: three\"\n\nThis reverts commit {gone}."));
    repository.commit("Words without a type");
    repository.tag("v1.1.0");
    let answer = kyklos(repository.path()).args("notes generate --all --format json").run().expect(0).json();
    let releases = answer["data"]["releases"].as_array().unwrap();
    let (new, old) = (&releases[0], &releases[1]);
    assert_eq!(
        new["bump"],
        serde_json::json!({ "from": "1.0.0", "to": "1.1.0", "level": "minor", "reasons": [two] })
    );
    assert_eq!(new["compare_url"], "https://github.com/acme/app/compare/v1.0.0...v1.1.0");
    assert_eq!(new["cancelled"], serde_json::json!([back, gone]));
    assert_eq!(new["unconventional_count"], 1);
    assert_eq!((&new["previous_sha"], &old["previous_sha"]), (&old["target_sha"], &Value::Null));
    assert_eq!(new["contributors"][0]["role"], "author");
    assert_eq!(
        new["stats"],
        serde_json::json!({ "commits": 4, "entries": 2, "breaking": 0, "contributors": 1, "first_time": 0 })
    );
    assert_eq!((&old["aliases"], &old["bump"]), (&serde_json::json!(["v1.0.0-rc.1"]), &Value::Null));
    // The shape that programs rely on.
    for release in releases {
        for (key, kinds) in [
            ("tag", "string null"),
            ("version", "string null"),
            ("target_sha", "string"),
            ("previous_tag", "string null"),
            ("previous_sha", "string null"),
            ("since_policy", "string"),
            ("excluded_releases", "array"),
            ("date", "string null"),
            ("prerelease", "boolean"),
            ("commits", "array"),
            ("sections", "array"),
            ("contributors", "array"),
        ] {
            assert!(kinds.contains(kind(&release[key])), "{key}: {}", release[key]);
        }
        for entry in release["sections"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|section| section["entries"].as_array().unwrap())
        {
            for (key, expected) in [
                ("sha", "string"),
                ("type", "string"),
                ("scopes", "array"),
                ("description", "string"),
                ("breaking", "boolean"),
                ("references", "array"),
                ("authors", "array"),
            ] {
                assert_eq!(kind(&entry[key]), expected, "{key}");
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
