//! `notes` and `archive`.

use insta::assert_snapshot;

use crate::support::command::kyklos;
use crate::support::repository::Repository;

fn repository() -> Repository {
    let repository = Repository::new();
    repository.commit("feat: one");
    repository.tag("v0.1.0");
    repository.commit("fix(api): two");
    repository.commit("docs: hidden");
    repository.tag("v0.1.1-rc.1");
    repository.commit("feat!: three\n\nBREAKING CHANGE: the old way is gone");
    repository
}

#[test]
fn a_release_owns_what_its_tag_reaches_and_earlier_ones_do_not() {
    let repository = repository();
    repository.tag("v0.2.0");
    let answer = kyklos(repository.path()).args("notes generate --all --format json").run().expect(0).json();
    let releases = answer["data"]["releases"].as_array().unwrap();
    let tags: Vec<_> = releases.iter().map(|release| release["tag"].as_str().unwrap()).collect();
    assert_eq!(tags, ["v0.2.0", "v0.1.1-rc.1", "v0.1.0"]);
    let commits = |at: usize| releases[at]["commits"].as_array().unwrap().len();
    // Stable notes reach back to the last stable release.
    assert_eq!((commits(0), commits(1), commits(2)), (3, 2, 1));
    assert_eq!(releases[0]["previous_tag"], "v0.1.0");
    assert_eq!(releases[0]["sections"].as_array().unwrap().last().unwrap()["title"], "Breaking Changes");
    let policies: Vec<_> = releases.iter().map(|release| release["since_policy"].as_str().unwrap()).collect();
    assert_eq!(policies, ["stable", "tag", "stable"]);
    assert_eq!(releases[0]["excluded_releases"], serde_json::json!(["v0.1.0"]));
    for (at, tag) in tags.iter().enumerate() {
        let mut arguments = vec!["rev-list", tag, "--not"];
        let excluded = releases[at]["excluded_releases"].as_array().unwrap().iter();
        arguments.extend(excluded.map(|tag| tag.as_str().unwrap()));
        let expected: Vec<String> = repository.git(&arguments).lines().map(str::to_owned).collect();
        assert_eq!(releases[at]["commits"], serde_json::json!(expected), "{tag}");
    }
}

#[test]
fn nothing_to_tell_is_said() {
    let repository = repository();
    repository.write("release.yaml", "name: app\n");
    let run = |line: &str| kyklos(repository.path()).args("notes generate").args(line).run().expect(0).show();
    assert_snapshot!(run("HEAD..HEAD"), @r"
    exit 0
    --- stdout
    --- stderr
    warning: HEAD..HEAD has no commits
    ");
    assert_snapshot!(run("HEAD..HEAD --format json"), @r#"
    exit 0
    --- stdout
    {"schema":"kyklos-release/notes/v1","ok":true,"data":{"name":"app","repository":null,"whole":false,"releases":[
    ]},"diagnostics":[]}
    --- stderr
    warning: HEAD..HEAD has no commits
    "#);
    assert_snapshot!(run("--unreleased --include-path nothing"), @r"
    exit 0
    --- stdout
    ## Unreleased

    No changes that users notice.
    --- stderr
    warning: no commit changes such a path
    ");
    repository.tag("v0.2.0");
    assert_snapshot!(run("--unreleased"), @r"
    exit 0
    --- stdout
    ## Unreleased

    No changes that users notice.
    --- stderr
    warning: no commit follows the last release
    ");
}

#[test]
fn the_next_version_says_why() {
    let repository = repository();
    let next = kyklos(repository.path()).args("notes next --explain").run().expect(0).stdout();
    let lines: Vec<&str> = next.lines().collect();
    assert_eq!(lines[..2], ["0.2.0", "minor after v0.1.0"]);
    assert!(lines[2].ends_with(" three"), "{next}");
    assert_eq!(
        kyklos(repository.path()).args("notes next --pre rc").run().expect(0).stdout(),
        "0.2.0-rc.1\n"
    );
    assert_eq!(kyklos(repository.path()).args("notes next --pre a..b").run().code(), 2);
    let fresh = Repository::new();
    fresh.commit("chore: start");
    assert_eq!(kyklos(fresh.path()).args("notes next").run().expect(0).stdout(), "0.1.0\n");
}

#[test]
fn markdown_is_what_people_expect() {
    let repository = repository();
    let text = kyklos(repository.path()).args("notes generate").run().expect(0).stdout();
    let short = |revision: &str| repository.git(&["rev-parse", revision])[..7].to_owned();
    let expected = format!(
        "# Changelog\n\n## Unreleased\n\n### Added\n\n- three ({0})\n\n### Breaking Changes\n\n- the old way is gone ({0})\n\n## 0.1.1-rc.1 - 2026-01-01\n\n### Fixed\n\n- **api:** two ({1})\n\n## 0.1.0 - 2026-01-01\n\n### Added\n\n- one ({2})\n",
        short("HEAD"),
        short("HEAD~2"),
        short("v0.1.0^{commit}")
    );
    assert_eq!(text, expected);
    assert_eq!(kyklos(repository.path()).args("notes generate").run().stdout(), text);
}

#[test]
fn messages_are_parsed_one_per_line() {
    let here = tempfile::tempdir().unwrap();
    let input = b"feat(a,b)!: x\n\nbody\n\nCloses: #1\0not conventional\0";
    let out = kyklos(here.path()).args("notes parse -z").run_with(input).expect(0).stdout();
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["ok"], &lines[0]["type"], &lines[0]["breaking"]),
        (&true.into(), &"feat".into(), &true.into())
    );
    assert_eq!(lines[0]["scopes"], serde_json::json!(["a", "b"]));
    assert_eq!((&lines[1]["ok"], &lines[1]["error"]["line"]), (&false.into(), &1.into()));
    let keys =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&lines[0]), "ok type scopes description body breaking breaking_notes footers references");
    assert_eq!(keys(&lines[0]["footers"][0]), "token separator value");
    assert_eq!(keys(&lines[0]["references"][0]), "kind action owner repo id source");
    assert_eq!(keys(&lines[1]["error"]), "code message line column");
}

#[test]
fn messages_come_from_files_and_standard_input() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("one"), "feat: one\n").unwrap();
    std::fs::write(here.path().join("two"), b"fix: caf\xe9\0docs: three\0").unwrap();
    std::fs::write(here.path().join("none"), "").unwrap();
    let told = |line: &str, stdin: &[u8]| -> Vec<String> {
        let out = kyklos(here.path()).args("notes parse").args(line).run_with(stdin).expect(0).stdout();
        let line = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["description"].as_str().or(value["error"]["code"].as_str()).unwrap().to_owned()
        };
        out.lines().map(line).collect()
    };
    assert_eq!(told("one", b"feat: no"), ["one"]);
    assert_eq!(
        told("-z one two - none", b"fix: four\0fix: five"),
        ["one", "caf\u{fffd}", "three", "four", "five"]
    );
    assert_eq!(told("none", b""), ["message-empty"]);
    assert_eq!(told("", b"feat: x\0"), ["x\0"]);
    assert!(told("-z", b"").is_empty());
    // As `git log --format=%B%x00` and `git log -z --format=%B` write them.
    assert_eq!(told("-z", b"fix: one\n\0\nfix: two\n\0\n"), ["one", "two"]);
    assert_eq!(told("-z", b"fix: one\n\0\0fix: two\n"), ["one", "message-empty", "two"]);
    let missing = kyklos(here.path()).args("notes parse one missing").run().expect(2);
    assert!(missing.stderr().contains("missing") && missing.stdout().is_empty(), "{}", missing.show());
    let json = kyklos(here.path()).args("notes parse one --format json").run().expect(0).json();
    assert_eq!(json["data"][0]["type"], "feat");
}

#[test]
fn an_archive_is_the_tree_of_the_tag_and_always_the_same() {
    let repository = Repository::new();
    repository.write("src/a.txt", "a");
    repository.commit("feat: one");
    repository.tag("v1.0.0");
    repository.write("src/a.txt", "later");
    repository.commit("feat: two");
    let make = |name: &str| {
        let _ =
            kyklos(repository.path()).args("archive v1.0.0 --prefix app-1.0.0 -o").arg(name).run().expect(0);
        std::fs::read(repository.path().join(name)).unwrap()
    };
    assert!(make("one.tar.gz") == make("two.tar.gz"));
    let listing = std::process::Command::new("tar")
        .args(["-tvzf", "one.tar.gz", "--utc"])
        .current_dir(repository.path())
        .output();
    if let Ok(listing) = listing {
        let text = String::from_utf8_lossy(&listing.stdout).into_owned();
        assert!(
            text.contains("-rw-r--r-- 0/0")
                && text.contains("2026-01-01")
                && text.contains("app-1.0.0/src/a.txt"),
            "{text}"
        );
    }
    assert!(
        kyklos(repository.path()).args("archive v9.0.0").run().expect(2).stderr().contains("no tag `v9.0.0`")
    );
}
