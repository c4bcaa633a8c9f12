//! `notes lint`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::command::{Run, kyklos};
use crate::support::repository::Repository;

fn title(text: &str) -> Run {
    let here = tempfile::tempdir().unwrap();
    kyklos(here.path()).args("notes lint --title").arg(text).run()
}

#[test]
fn a_title_is_right_or_told_how_to_be() {
    insta::assert_snapshot!(title("feat:add retries").show(), @r"
    exit 1
    --- stdout
    feat:add retries
      1:6  error[message-space]: expected a space behind the colon
           write  feat: add retries
    1 message looked at, 0 ignored: 1 error, 0 warnings
    --- stderr
    ");
    insta::assert_snapshot!(title("feat: add retries (#12)").show(), @r"
    exit 0
    --- stdout
    1 message looked at, 0 ignored: 0 errors, 0 warnings
    --- stderr
    ");
    insta::assert_snapshot!(title("fixup! feat: add retries").show(), @r"
    exit 0
    --- stdout
    0 messages looked at, 1 ignored: 0 errors, 0 warnings
    --- stderr
    ");
}

#[test]
fn a_range_is_what_the_base_has_not() {
    let repository = Repository::new();
    repository.commit("this is not looked at");
    repository.git(&["checkout", "--quiet", "-b", "topic"]);
    repository.commit("feat: good");
    let wrong = repository.commit("Feat: bad.\n\nbreaking change: everything");
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.commit("fix: side");
    repository.git(&["checkout", "--quiet", "topic"]);
    repository.commit("fix: more");
    repository.git(&["merge", "--quiet", "--no-ff", "--message", "all of it", "side"]);

    let run = kyklos(repository.path()).args("notes lint --format json").run().expect(1);
    let answer = run.json();
    assert_eq!((&answer["schema"], &answer["ok"]), (&"kyklos-release/notes-lint/v1".into(), &false.into()));
    let data = &answer["data"];
    let counts: Vec<u64> =
        ["checked", "ignored", "errors", "warnings"].map(|name| data[name].as_u64().unwrap()).into();
    assert_eq!(counts, [4, 1, 3, 0]);
    let findings = data["findings"].as_array().unwrap();
    let told: Vec<String> = findings
        .iter()
        .map(|finding| {
            format!("{} {}:{} {}", finding["code"], finding["line"], finding["column"], finding["suggestion"])
        })
        .collect();
    assert_eq!(
        told,
        [
            "\"type-case\" 1:1 \"feat: bad.\"",
            "\"subject-period\" 1:10 \"Feat: bad\"",
            "\"breaking-case\" 3:1 \"BREAKING CHANGE: everything\"",
        ]
    );
    assert_eq!(
        (&findings[2]["sha"], &findings[2]["source"]),
        (&Value::from(wrong.clone()), &"commit".into())
    );
    assert_eq!(findings[2]["excerpt"], "breaking change: everything");
    let diagnostic = &answer["diagnostics"][0];
    assert_eq!((&diagnostic["code"], &diagnostic["severity"]), (&"type-case".into(), &"error".into()));
    assert!(diagnostic["message"].as_str().unwrap().starts_with(&wrong[..7]), "{diagnostic}");

    // Ranges that are named, and those that are none.
    let line = format!("notes lint --range {wrong}..HEAD");
    assert!(kyklos(repository.path()).args(&line).run().expect(0).stdout().starts_with("2 messages"));
    assert_eq!(kyklos(repository.path()).args("notes lint --range nowhere..HEAD").run().code(), 2);
    assert_eq!(kyklos(repository.path()).args("notes lint --range ..HEAD").run().code(), 2);
    assert_eq!(kyklos(repository.path()).args("notes lint --range HEAD~1 --title x").run().code(), 2);

    // On the base itself there is nothing to compare with.
    repository.git(&["checkout", "--quiet", "main"]);
    let run = kyklos(repository.path()).args("notes lint").run().expect(2);
    assert!(run.stderr().contains("error[notes-no-base]") && run.stderr().contains("--range HEAD~1..HEAD"));
}

#[test]
fn the_base_is_the_upstream_and_in_a_workflow_the_target() {
    let origin = Repository::new();
    origin.commit("one");
    let clones = tempfile::tempdir().unwrap();
    let clone = clones.path().join("clone");
    let url = format!("file://{}", origin.path().display());
    origin.git(&["clone", "--quiet", &url, clone.to_str().unwrap()]);
    let git = |arguments: &[&str]| origin.git(&[&["-C", clone.to_str().unwrap()], arguments].concat());
    git(&["commit", "--quiet", "--allow-empty", "--message", "wrong"]);
    assert!(kyklos(&clone).args("notes lint").run().expect(1).stdout().contains("1 message looked at"));
    // A workflow stands on a commit of its own.
    git(&["push", "--quiet", "origin", "HEAD:refs/heads/dev"]);
    git(&["fetch", "--quiet"]);
    git(&["checkout", "--quiet", "--detach"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "feat: right"]);
    assert!(kyklos(&clone).args("notes lint").run().expect(1).stdout().contains("2 messages looked at"));
    let run = kyklos(&clone).args("notes lint").env("GITHUB_BASE_REF", "dev").run().expect(0);
    assert_eq!(run.stdout(), "1 message looked at, 0 ignored: 0 errors, 0 warnings\n");
}

#[test]
fn a_shallow_clone_has_what_it_has() {
    let full = Repository::new();
    for number in 0..6 {
        full.commit(&format!("feat: number {number}"));
    }
    let clones = tempfile::tempdir().unwrap();
    let clone = clones.path().join("clone");
    let url = format!("file://{}", full.path().display());
    full.git(&["clone", "--quiet", "--depth", "4", &url, clone.to_str().unwrap()]);
    let run = kyklos(&clone).args("notes lint --range HEAD~2..HEAD").run().expect(0);
    assert!(run.stdout().starts_with("2 messages looked at"), "{}", run.show());
    let beyond = full.git(&["rev-parse", "HEAD~5"]);
    let run = kyklos(&clone).args("notes lint --range").arg(format!("{beyond}..HEAD")).run().expect(3);
    assert!(run.stderr().contains("error[git-shallow]"), "{}", run.show());
    assert!(run.stderr().contains("git fetch --unshallow --tags"), "{}", run.show());
}

#[test]
fn release_yaml_decides_what_is_asked() {
    let repository = Repository::new();
    repository.write(
        "release.yaml",
        "name: app\nnotes:\n  lint:\n    types: [feat]\n    scopes: [api]\n    max_subject: 30\n    rules: {scope-unknown: warning, subject-period: off}\n",
    );
    let lint = |title: &str| kyklos(repository.path()).args("notes lint --title").arg(title).run();
    assert_eq!(lint("feat(api): x.").code(), 0);
    let run = lint("feat(apo): x").expect(0);
    assert!(run.stdout().contains("warning[scope-unknown]") && run.stdout().contains("write  feat(api): x"));
    assert!(lint("fix(api): x").expect(1).stdout().contains("`fix` is not one of the types feat"));
    assert!(lint("feat(api): a line of thirty-one chars").expect(1).stdout().contains("error[subject-long]"));
    repository.write("release.yaml", "name: app\nnotes:\n  lint:\n    rules: {subject-perod: off}\n");
    let run = lint("feat: x").expect(2);
    assert!(run.stderr().contains("did you mean `subject-period`?"), "{}", run.show());
    assert!(run.stderr().contains("release.yaml:4"), "{}", run.show());
}

#[test]
fn strict_is_the_letter() {
    let message = b"feat: x\n\n* BREAKING CHANGE: y\n";
    let here = tempfile::tempdir().unwrap();
    let lint =
        |more: &str| kyklos(here.path()).args("notes lint --message-file -").args(more).run_with(message);
    assert!(lint("").expect(0).stdout().contains("3:3  warning[breaking-bullet]"));
    assert!(lint("--strict").expect(1).stdout().contains("3:3  error[breaking-bullet]"));
}

#[test]
fn annotations_stay_commands() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("a,b:c.txt"), "feat: 100%.\r\n::error::x\n").unwrap();
    let run = kyklos(here.path()).args("notes lint --format github --message-file a,b:c.txt").run().expect(1);
    insta::assert_snapshot!(run.stdout(), @r"
    ::error file=a%2Cb%3Ac.txt,line=1,col=11,title=subject-period::the first line ends with a period%0Awrite `feat: 100%25`
    ::error file=a%2Cb%3Ac.txt,line=2,col=1,title=body-blank-line::expected a blank line behind the first line%0Awrite `::error::x`
    ");
}

#[test]
fn sarif_names_rules_and_commits() {
    let repository = Repository::new();
    repository.commit("feat: x");
    let sha = repository.commit("feat:y");
    let run =
        kyklos(repository.path()).args("notes lint --format sarif --range HEAD~1..HEAD").run().expect(1);
    let document = run.json();
    assert_eq!(document["version"], "2.1.0");
    let result = &document["runs"][0]["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"message-space".into(), &"error".into()));
    let index = result["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(document["runs"][0]["tool"]["driver"]["rules"][index]["id"], "message-space");
    assert_eq!(result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], sha.as_str());
    assert_eq!(kyklos(repository.path()).args("notes lint --title x --format markdown").run().code(), 2);
}

#[test]
fn what_cannot_be_read_is_told() {
    let here = tempfile::tempdir().unwrap();
    let run = kyklos(here.path()).args("notes lint --message-file missing").run().expect(2);
    assert!(run.stderr().contains("missing"), "{}", run.show());
    let run = kyklos(here.path()).args("notes lint").run().expect(2);
    assert!(run.stderr().contains("error[git-no-repository]"), "{}", run.show());
    let run = kyklos(here.path()).args("notes lint --message-file -").run_with(b"feat: \xff\xfe x").expect(0);
    assert!(run.stdout().starts_with("1 message"));
    let run = kyklos(here.path()).args("notes lint --message-file -").run_with(b"\n\n").expect(1);
    assert!(run.stdout().contains("error[message-empty]"), "{}", run.show());
}

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lint.md")).unwrap()
}

/// The block of the page that stands behind a line.
fn block(page: &str, before: &str) -> String {
    let rest = &page[page.find(before).unwrap() + before.len()..];
    let body = rest.split_once("\n```").unwrap().1;
    body.split_once('\n').unwrap().1.split_once("\n```").unwrap().0.to_owned() + "\n"
}

/// `git commit` with the hook of the page, in a repository with nothing else.
fn hooked(arguments: &[&str], editor: Option<&str>) -> (bool, String) {
    let repository = Repository::new();
    let hook = repository
        .write(".git/hooks/commit-msg", block(&page(), "tests/it/cli/lint.rs with a real git. -->"));
    executable(&hook);
    let binary = Path::new(env!("CARGO_BIN_EXE_kyklos-release")).parent().unwrap().to_owned();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths: Vec<PathBuf> = std::iter::once(binary).chain(std::env::split_paths(&paths)).collect();
    let mut command = Command::new("git");
    command.args(["commit", "--allow-empty"]).args(arguments).current_dir(repository.path());
    command.env_clear().env("PATH", std::env::join_paths(paths).unwrap()).env("HOME", repository.path());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
    }
    if let Some(text) = editor {
        repository.write("file", "content\n");
        repository.git(&["add", "file"]);
        let script = repository.write(
            "editor",
            format!("#!/bin/sh\n{{ printf '{text}'; cat \"$1\"; }} > \"$1.new\" && mv \"$1.new\" \"$1\"\n"),
        );
        executable(&script);
        command.env("GIT_EDITOR", script);
    }
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

#[cfg(unix)]
fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[test]
fn the_hook_of_the_page_works_with_git() {
    let (committed, said) = hooked(&["-m", "feat: x"], None);
    assert!(committed, "{said}");
    let (committed, said) = hooked(&["-m", "feat:x"], None);
    assert!(!committed && said.contains("error[message-space]") && said.contains("write  feat: x"), "{said}");
    // Without an editor a line with `#` is part of the message, and stands where the blank line should.
    let (committed, said) = hooked(&["-m", "feat: x\n#12"], None);
    assert!(!committed && said.contains("error[body-blank-line]"), "{said}");
    // With one the comments and what stands behind the scissors of --verbose are none.
    let (committed, said) = hooked(&["--verbose"], Some("feat: x\\n"));
    assert!(committed, "{said}");
    let (committed, said) = hooked(&["--verbose"], Some("wrong\\n"));
    assert!(!committed && said.contains("error[message-colon]"), "{said}");
    let (committed, said) = hooked(&["--verbose", "--cleanup=scissors"], Some("feat: x\\n\\n#12\\n"));
    assert!(committed, "{said}");
}

#[test]
fn the_page_tells_every_code_and_what_it_weighs() {
    use kyklos_release::config::LintRule;
    let page = page();
    let (before, table) = page.split_once("## Codes\n\n").unwrap();
    let mut expected = String::from("| code | weighs | what is asked for |\n|---|---|---|\n");
    for rule in LintRule::ALL {
        let weighs = format!("{:?}", rule.severity()).to_lowercase();
        expected.push_str(&format!("| `{}` | {weighs} | {} |\n", rule.code(), rule.summary()));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lint.md"),
            format!("{before}## Codes\n\n{expected}"),
        )
        .unwrap();
        return;
    }
    assert_eq!(table, expected);
    let settings = block(&page, "everything may be left out.");
    kyklos_release::config::Config::load(settings.as_bytes(), "release.yaml").unwrap();
    let entry =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.pre-commit-hooks.yaml")).unwrap();
    assert!(entry.contains("entry: kyklos-release notes lint --message-file\n"));
    assert!(
        page.contains("id: kyklos-release-commit-msg\n") && entry.contains("id: kyklos-release-commit-msg\n")
    );
}
