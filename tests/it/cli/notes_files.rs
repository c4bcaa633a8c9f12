//! `notes generate` into files: a changelog that people edit, data that is read back, blanks for a person.

use std::path::Path;

use crate::support::command::kyklos;
use crate::support::repository::Repository;

fn repository() -> Repository {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    repository.commit("feat: one");
    repository.tag("v0.1.0");
    repository.commit("fix(api): two (#7)");
    repository.commit("feat!: three\n\nBREAKING CHANGE: do this");
    repository.tag("v0.2.0");
    repository.commit("feat: four");
    repository
}

fn read(repository: &Repository, name: &str) -> String {
    std::fs::read_to_string(repository.path().join(name)).unwrap()
}

#[test]
fn a_changelog_grows_release_by_release() {
    let repository = repository();
    let run = |line: &str| {
        kyklos(repository.path()).args("notes generate --preset keep-a-changelog").args(line).run()
    };
    // From nothing, oldest last, however the releases come.
    for line in [
        "--tag v0.2.0 -p CHANGELOG.md",
        "--tag v0.1.0 --prepend CHANGELOG.md",
        "--unreleased --prepend CHANGELOG.md",
    ] {
        let done = run(line).expect(0);
        assert_eq!(done.stdout(), "");
        assert!(done.stderr().contains("Updated CHANGELOG.md: added "), "{}", done.show());
    }
    let all = kyklos(repository.path())
        .args("notes generate --all --preset keep-a-changelog")
        .run()
        .expect(0)
        .stdout();
    assert_eq!(read(&repository, "CHANGELOG.md"), all);
    let again = run("--tag v0.2.0 --prepend CHANGELOG.md").expect(0);
    assert!(again.stderr().contains("Unchanged CHANGELOG.md"), "{}", again.show());
    assert_eq!(read(&repository, "CHANGELOG.md"), all);
    // What is released now takes the place of what was not, and the addresses follow.
    let bump = "generate --preset keep-a-changelog -u --bump --prepend CHANGELOG.md";
    let bump = kyklos(repository.path()).args("notes").args(bump).env("SOURCE_DATE_EPOCH", "1772323200");
    let done = bump.run().expect(0);
    assert!(done.stderr().contains("added 0.3.0"), "{}", done.show());
    let text = read(&repository, "CHANGELOG.md");
    assert!(text.contains("\n## [0.3.0] - 2026-03-01\n\n### Added\n\n- four ("), "{text}");
    assert!(text.contains("\n## [Unreleased]\n\n## [0.3.0]"), "{text}");
    assert!(text.contains("\n[Unreleased]: https://github.com/acme/app/compare/v0.3.0...HEAD\n"), "{text}");
    assert!(text.contains("\n[0.3.0]: https://github.com/acme/app/compare/v0.2.0...v0.3.0\n"), "{text}");
    // Nothing that follows has no section, in a file that is there or in one that is not.
    repository.tag("v0.3.0");
    for file in ["CHANGELOG.md", "NEW.md"] {
        let done = run(&format!("--unreleased --prepend {file}")).expect(0);
        let told = format!("   Unchanged {file}\nwarning: no commit follows the last release\n");
        assert_eq!(done.stderr(), told);
    }
    assert_eq!(read(&repository, "CHANGELOG.md"), text);
    assert!(!repository.path().join("NEW.md").exists());
}

#[test]
fn what_people_write_stays() {
    let repository = repository();
    let by_hand = "# Changelog\r\n\r\nWritten with care.\r\n\r\n## Unreleased\r\n\r\n### Added\r\n\r\n- by hand\r\n\r\n## 0.1.0\r\n\r\nThe first one!\r\n\r\n### Added\r\n\r\n- one, and more (#1)";
    repository.write("CHANGELOG.md", by_hand);
    let run = |line: &str| kyklos(repository.path()).args("notes generate").args(line).run();
    let done = run("--tag v0.2.0 --prepend CHANGELOG.md --format json").expect(0);
    let answer = done.json();
    assert_eq!(
        answer["data"]["changelog"],
        serde_json::json!({ "path": "CHANGELOG.md", "changed": true, "added": ["0.2.0"], "replaced": [], "kept": 0 })
    );
    assert_eq!(answer["data"]["releases"][0]["tag"], "v0.2.0");
    assert_eq!(answer["diagnostics"][0]["code"], "changelog-unreleased");
    let text = read(&repository, "CHANGELOG.md");
    let (before, rest) = by_hand.split_once("## 0.1.0").unwrap();
    assert!(
        text.starts_with(&format!("{before}## 0.2.0 - 2026-01-01\r\n\r\n### Added\r\n\r\n- three ([")),
        "{text}"
    );
    assert!(text.ends_with(&format!("## 0.1.0{rest}")), "{text}");
    assert_eq!(
        run("--tag v0.2.0 --prepend CHANGELOG.md --format json").json()["data"]["changelog"]["changed"],
        false
    );
    let told = run("--tag v0.1.0 --prepend CHANGELOG.md -o section.md").expect(0);
    assert!(told.stderr().contains("replaced 0.1.0"), "{}", told.show());
    let text = read(&repository, "CHANGELOG.md");
    assert!(
        text.contains("## 0.1.0 - 2026-01-01\r\n\r\nThe first one!\r\n\r\n### Added\r\n\r\n- one (["),
        "{text}"
    );
    assert!(text.ends_with("- one, and more (#1)"), "{text}");
    assert!(read(&repository, "section.md").contains("- one (["));
}

/// The code of the error; the file is as it was, and nothing lies beside it.
fn refused(repository: &Repository, file: &str, code: i32) -> String {
    let path = repository.path().join(file);
    let before = std::fs::read(&path).ok();
    let names = |directory: &Path| {
        let mut names: Vec<_> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let beside = names(repository.path());
    let run =
        kyklos(repository.path()).args("notes generate --tag v0.2.0 --format json --prepend").arg(file).run();
    let run = run.expect(code);
    assert_eq!(std::fs::read(&path).ok(), before);
    assert_eq!(names(repository.path()), beside);
    let error = &run.json()["diagnostics"][0];
    assert!(
        error["hint"].as_str().is_some_and(|hint| !hint.is_empty()) || code == 2 || code == 4,
        "{}",
        run.show()
    );
    error["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_file_that_cannot_be_edited_is_left_alone() {
    let repository = repository();
    repository.write("README.md", "# App\n\nWords.\n");
    assert_eq!(refused(&repository, "README.md", 5), "changelog-foreign");
    repository.write("twice.md", "# Changelog\n\n## 0.2.0\n\n- a\n\n## [v0.2.0]\n\n- b\n");
    assert_eq!(refused(&repository, "twice.md", 5), "changelog-twice");
    repository.write("open.md", "# Changelog\n\n```\nnever closed\n");
    assert_eq!(refused(&repository, "open.md", 5), "changelog-open");
    repository.write("latin.md", b"# Changelog\n\n\xe9\n");
    assert_eq!(refused(&repository, "latin.md", 2), "notes-encoding");
    std::fs::create_dir(repository.path().join("directory")).unwrap();
    let _ = refused(&repository, "directory", 2);
    let github = "notes generate --tag v0.2.0 --preset github --prepend new.md";
    let run = kyklos(repository.path()).args(github).run().expect(2);
    assert!(run.stderr().contains("error[changelog-heading]"), "{}", run.show());
    assert!(!repository.path().join("new.md").exists());
}

/// Nobody may write into a directory like this one, except root, who is asked by nobody.
#[cfg(unix)]
#[test]
fn a_directory_without_permission_keeps_its_changelog() {
    use std::os::unix::fs::PermissionsExt as _;
    let repository = repository();
    let old = "# Changelog\n";
    let path = repository.write("kept/CHANGELOG.md", old);
    let directory = path.parent().unwrap();
    let mode = |mode| std::fs::set_permissions(directory, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let probe = std::fs::write(directory.join("probe"), "").is_ok();
    let run = kyklos(repository.path()).args("notes generate --tag v0.2.0 --prepend kept/CHANGELOG.md").run();
    mode(0o755);
    if probe {
        return;
    }
    assert_ne!(run.code(), 0, "{}", run.show());
    assert_eq!(std::fs::read_to_string(path).unwrap(), old);
}

#[test]
fn data_is_read_back_without_a_repository() {
    let repository = repository();
    repository.write(".kyklos/changes/7.md", "Two, in other words\n");
    let elsewhere = tempfile::tempdir().unwrap();
    for preset in ["kyklos", "keep-a-changelog", "github"] {
        for asked in ["--all", "--latest", "--unreleased", "v0.1.0..v0.2.0"] {
            let line = format!("notes generate {asked} --preset {preset}");
            let direct = kyklos(repository.path()).args(&line).run().expect(0).stdout();
            let data = kyklos(repository.path()).args(&line).args("--format json").run().expect(0).stdout();
            let line = format!("notes generate --from-context - --preset {preset}");
            let read = kyklos(elsewhere.path()).args(&line).run_with(data.as_bytes()).expect(0).stdout();
            assert_eq!(read, direct, "{asked} {preset}");
        }
    }
    let data = kyklos(repository.path()).args("notes generate --all --format json").run().expect(0).stdout();
    std::fs::write(elsewhere.path().join("notes.json"), &data).unwrap();
    let again = kyklos(elsewhere.path())
        .args("notes generate --from-context notes.json --format json")
        .run()
        .expect(0);
    assert_eq!(again.json()["data"], serde_json::from_str::<serde_json::Value>(&data).unwrap()["data"]);
}

#[test]
fn other_data_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let refuse = |data: &str| {
        let run =
            kyklos(here.path()).args("notes generate --from-context -").run_with(data.as_bytes()).expect(2);
        run.stderr().lines().take(1).collect::<String>()
    };
    let envelope = |schema: &str, data: &str| {
        format!("{{\"schema\":\"{schema}\",\"ok\":true,\"data\":{data},\"diagnostics\":[]}}")
    };
    let notes = |data: &str| envelope("kyklos-release/notes/v1", data);
    assert!(refuse("{").contains("error[notes-context]"));
    assert!(refuse("[]").contains("error[notes-context]"));
    assert!(refuse(&envelope("kyklos-release/notes/v2", "{}")).contains("error[notes-context-schema]"));
    assert!(refuse(&envelope("kyklos-release/plan/v1", "{}")).contains("error[notes-context-schema]"));
    assert!(
        refuse("{\"schema\":\"kyklos-release/notes/v1\",\"ok\":false,\"data\":null}")
            .contains("notes-context-failed")
    );
    assert!(refuse(&notes("{}")).contains("missing field `releases`"));
    let release = |sha: &str, more: &str| {
        notes(&format!(
            "{{\"releases\":[{{\"tag\":null,\"version\":null,\"target_sha\":\"{sha}\",\"previous_tag\":null,\"date\":null,\"prerelease\":false,\"commits\":[],\"sections\":[],\"contributors\":[]{more}}}],\"of_a_later_version\":1}}"
        ))
    };
    let sha = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(
        refuse(&release("abc", "")),
        "error[notes-context-value]: `abc` cannot be `data.releases[0].target_sha` in standard input"
    );
    let run = kyklos(here.path()).args("notes generate --from-context -");
    let run = run.run_with(release(sha, ",\"new\":true").as_bytes()).expect(0);
    assert_eq!(run.stdout(), "## Unreleased\n\nNo changes that users notice.\n");
}

#[test]
fn a_release_goes_on_without_notes() {
    let repository = repository();
    repository.write("broken.hbs", "{{#each releases}}{{nothing}}{{/each}}");
    let run = |line: &str| kyklos(repository.path()).args(line).run();
    let broken = "notes generate --tag v0.2.0 --partial entry=broken.hbs";
    assert_eq!(run(broken).code(), 2);
    let blank = run(&format!("{broken} --manual-on-failure -o notes.md")).expect(0);
    assert!(blank.stderr().contains("a template is in their place"), "{}", blank.show());
    let text = read(&repository, "notes.md");
    let mark = "<!-- kyklos-release: to be written by hand -->";
    assert!(
        text.contains(" 0.2.0\n") && text.contains(mark) && text.contains("## Breaking Changes"),
        "{text}"
    );
    let data = run(&format!("{broken} --manual-on-failure --format json")).expect(0).json();
    // Data needs no template, so there is nothing to give up.
    assert_eq!((&data["ok"], &data["data"]["releases"][0]["tag"]), (&true.into(), &"v0.2.0".into()));
    let missing =
        run("notes generate --tag v9.0.0 --manual-on-failure --release-notes --format json").expect(0).json();
    assert_eq!((&missing["ok"], &missing["data"]["body"]["manual"]), (&true.into(), &true.into()));
    let codes: Vec<&str> = missing["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["git-no-tag", "notes-manual"]);
    assert!(missing["data"]["body"]["text"].as_str().unwrap().contains("## Known Issues"));
    // A changelog is not given a blank.
    repository.write("CHANGELOG.md", "# Changelog\n");
    let kept = run(&format!("{broken} --manual-on-failure --prepend CHANGELOG.md")).expect(0);
    assert!(kept.stderr().contains("CHANGELOG.md is as it was"), "{}", kept.show());
    assert_eq!(read(&repository, "CHANGELOG.md"), "# Changelog\n");
    // Outside of any repository as well.
    let nowhere = tempfile::tempdir().unwrap();
    let run = kyklos(nowhere.path()).args("notes generate --tag v1.0.0 --manual-on-failure").run().expect(0);
    assert!(run.stdout().contains(" 1.0.0\n") && run.stdout().contains(mark), "{}", run.show());
}

#[test]
fn a_rehearsal_goes_on_without_notes() {
    use crate::support::elf;
    let repository = Repository::new();
    repository.write(".gitignore", "bin/\nrehearsal/\n");
    repository.write("release.yaml", "name: app\nnotes:\n  partials: { entry: entry.hbs }\n");
    repository.write("entry.hbs", "{{nothing}}");
    repository.commit("feat: one");
    repository.write("bin/app", elf::go("amd64", elf::MODULES));
    let run = kyklos(repository.path()).args("rehearse --binary linux/amd64=bin/app").run().expect(0);
    assert!(run.stderr().contains("a template is in their place"), "{}", run.show());
    for name in ["CHANGELOG", "RELEASE-NOTES"] {
        let text = read(&repository, &format!("rehearsal/dist/{name}-v0.1.0.md"));
        assert!(text.contains("<!-- kyklos-release: to be written by hand -->"), "{text}");
        assert!(text.contains("there is no `nothing` here"), "{text}");
    }
}
