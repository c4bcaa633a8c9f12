//! Flags that people know from git-cliff, and what is said about tags in another form.

use insta::assert_snapshot;

use crate::support::command::{Run, kyklos};
use crate::support::notes::told;
use crate::support::repository::Repository;

fn run(repository: &Repository, line: &str) -> Run {
    kyklos(repository.path()).args("notes").args(line).run()
}

#[test]
fn tags_in_another_form_are_named() {
    let repository = Repository::new();
    repository.write("release.yaml", "name: app\n");
    repository.commit("feat: one");
    repository.tag("1.0.0");
    repository.commit("feat: two");
    repository.tag("1.10.0");
    repository.tag("1.9.0");
    repository.tag("chart-3.0.0");
    repository.commit("fix: three");
    let warning = "warning: 3 tags look like releases and are none, such as 1.10.0; releases are called v{version}: \
                   say `tag: \"{version}\"` in release.yaml, or --tag-pattern '{version}'\n";
    for line in ["generate --unreleased", "generate --all --format json", "next", "generate -u --bump"] {
        assert_eq!(run(&repository, line).expect(0).stderr(), warning, "{line}");
    }
    assert_eq!(
        run(&repository, "next --tag-pattern {version}").expect(0).show().lines().nth(2),
        Some("1.10.1")
    );
    assert_snapshot!(told(&repository, "--latest --tag-pattern {version}"), @"1.10.0 after 1.9.0, 0: ");
    // The same in the configuration, and nothing is left to say.
    repository.write("release.yaml", "name: app\ntag: '{version}'\n");
    assert_eq!(run(&repository, "next").expect(0).show(), "exit 0\n--- stdout\n1.10.1\n--- stderr\n");
    // Older ones in another form are those of old times; one for something else is no release of this.
    repository.write("release.yaml", "name: app\n");
    repository.tag("v2.0.0");
    repository.commit("fix: four");
    assert_eq!(run(&repository, "next").expect(0).show(), "exit 0\n--- stdout\n2.0.1\n--- stderr\n");
    // What is no pattern says what is one.
    let wrong = run(&repository, "next --tag-pattern v[0-9]*").expect(2);
    assert!(wrong.stderr().contains("{version}"), "{}", wrong.show());
}

#[test]
fn tags_that_are_no_releases() {
    let repository = Repository::new();
    repository.commit("feat: one");
    repository.tag("v1.0.0");
    repository.commit("feat: two");
    repository.tag("v1.1.0-nightly.1");
    repository.commit("fix: three");
    assert_snapshot!(told(&repository, "--ignore-tags nightly"), @r"
    - after v1.0.0, 2: two, three
    v1.0.0 after -, 1: one
    ");
    assert_snapshot!(told(&repository, "--unreleased --ignore-tags ^v1.1"), @"- after v1.0.0, 2: two, three");
    assert_snapshot!(told(&repository, "--latest --ignore-tags nightly$|nightly\\."), @"v1.0.0 after -, 1: one");
    let wrong = run(&repository, "generate --ignore-tags (").expect(2);
    assert!(wrong.stderr().contains("unclosed group"), "{}", wrong.show());
}

#[test]
fn everything_since_a_commit_is_a_range() {
    let repository = Repository::new();
    for (message, tag) in [("feat: one", "v1.0.0"), ("feat: two", "v1.1.0"), ("feat: three", "v1.2.0")] {
        repository.commit(message);
        repository.tag(tag);
    }
    repository.commit("fix: four");
    assert_snapshot!(told(&repository, "--all --since v1.0.0"), @r"
    - after v1.2.0, 1: four
    v1.2.0 after v1.1.0, 1: three
    v1.1.0 after v1.0.0, 1: two
    ");
    assert_eq!(told(&repository, "--since v1.0.0"), told(&repository, "v1.0.0.."));
    assert_snapshot!(told(&repository, "--tag v1.2.0 --since v1.0.0"), @"v1.2.0 after v1.0.0, 2: two, three");
    let nothing = run(&repository, "generate --since HEAD").expect(0);
    assert_eq!(nothing.stderr(), "warning: HEAD..HEAD has no commits\n");
    let dots = run(&repository, "generate v1.0.0...v1.1.0").expect(2);
    assert!(dots.stderr().contains("help: kyklos-release notes generate v1.0.0..v1.1.0"), "{}", dots.show());
}

#[test]
fn order_and_what_is_left_out() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    repository.commit("feat: one");
    let two = repository.commit("feat: two");
    repository.commit("feat!: three");
    repository.commit("fix!: four");
    repository.tag("v1.0.0");
    let lines = |line: &str| {
        let text = run(&repository, &format!("generate --tag v1.0.0 {line}")).expect(0).stdout();
        let lines = text.lines().filter_map(|line| line.strip_prefix("- ")?.split(' ').next());
        lines.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(lines(""), "three two one four four three");
    assert_eq!(lines("--sort oldest"), "one two three four three four");
    assert_eq!(lines(&format!("--skip-commit {} --sort oldest", &two[..8])), "one three four three four");
    let wrong = run(&repository, "generate --skip-commit main").expect(2);
    assert!(wrong.stderr().contains("error[notes-skip-commit]"), "{}", wrong.show());
    let whole = |line: &str| {
        let line = format!("generate --all --preset keep-a-changelog {line}");
        let text = run(&repository, &line).expect(0).stdout();
        (
            text.starts_with("# Changelog\n"),
            text.starts_with("## [1.0.0] - "),
            text.contains("\n[1.0.0]: https"),
        )
    };
    assert_eq!(whole(""), (true, false, true));
    assert_eq!(whole("--strip header"), (false, true, true));
    assert_eq!(whole("-s footer"), (true, false, false));
    assert_eq!(whole("-s all"), (false, true, false));
    let _ = run(&repository, "generate -s all --prepend CHANGELOG.md").expect(2);
}

#[test]
fn types_that_are_none_of_the_usual_ones() {
    let repository = Repository::new();
    repository.write("release.yaml", "name: app\n");
    repository.commit("feat: begin");
    repository.tag("v1.0.0");
    repository.commit("parser(json): take less memory");
    let text = |repository: &Repository| run(repository, "generate --unreleased").expect(0).stdout();
    assert!(text(&repository).contains("### Changed\n\n- **parser, json:** take less memory ("));
    assert_eq!(run(&repository, "next").expect(0).stdout(), "1.0.1\n");
    repository.write("release.yaml", "name: app\nnotes: { types: { other: hidden } }\n");
    assert!(text(&repository).contains("No changes that users notice."));
    assert_eq!(run(&repository, "next").code(), 1);
    repository
        .write("release.yaml", "name: app\nnotes: { types: { other: Parts }, bump: { other: minor } }\n");
    assert!(text(&repository).contains("### Parts\n\n- **json:** take less memory ("));
    assert_eq!(run(&repository, "next").expect(0).stdout(), "1.1.0\n");
    // Its own name counts more.
    repository.write("release.yaml", "name: app\nnotes: { types: { other: hidden, parser: Parser } }\n");
    assert!(text(&repository).contains("### Parser\n\n- **json:** take less memory ("));
}

#[test]
fn a_level_that_is_said_counts_more_than_commits() {
    let repository = Repository::new();
    repository.commit("feat: one");
    assert_eq!(run(&repository, "next --bump major").expect(0).stdout(), "1.0.0\n");
    assert_eq!(run(&repository, "next --bump patch").expect(0).stdout(), "0.0.1\n");
    repository.tag("v0.3.0");
    assert_eq!(run(&repository, "next --bump minor").code(), 1, "no commit is no release");
    repository.commit("docs: two\n\nRelease-As: 0.9.0");
    for (level, version) in [("auto", "0.9.0"), ("major", "1.0.0"), ("minor", "0.4.0"), ("patch", "0.3.1")] {
        let line = format!("next --bump {level}");
        assert_eq!(run(&repository, &line).expect(0).stdout(), format!("{version}\n"), "{level}");
        let text = run(&repository, &format!("generate -u --bump {level}")).expect(0).stdout();
        assert!(text.contains(version), "{level}: {text}");
    }
    assert_snapshot!(run(&repository, "next --bump major --pre rc --explain").expect(0).stdout(), @r"
    1.0.0-rc.1
    major after v0.3.0
      as --bump says
    ");
    let text = run(&repository, "generate --unreleased --bump minor --pre beta").expect(0).stdout();
    assert!(text.starts_with("## 0.4.0-beta.1 - "), "{text}");
    // Without a level it is what the commits say, also before another flag.
    let text = run(&repository, "generate --bump --unreleased").expect(0).stdout();
    assert!(text.starts_with("## 0.9.0 - "), "{text}");
    assert_eq!(run(&repository, "generate -u --pre rc").code(), 2);
    assert_eq!(run(&repository, "generate -u --bump huge").code(), 2);
    // It does not run into another line either.
    repository.git(&["tag", "v1.0.0", "v0.3.0"]);
    repository.branch("old", "v0.3.0");
    repository.commit("fix: three");
    assert_eq!(run(&repository, "next --bump patch").expect(0).stdout(), "1.0.1\n");
}

#[test]
fn releases_that_are_skipped() {
    let repository = Repository::new();
    for (message, tag) in [("feat: one", "v1.0.0"), ("feat: two", "v1.1.0-rc.1"), ("fix: three", "v1.1.0")] {
        repository.commit(message);
        repository.tag(tag);
    }
    repository.commit("fix: four");
    assert_snapshot!(told(&repository, "--all --skip-tags rc"), @r"
    - after v1.1.0, 1: four
    v1.1.0 after v1.0.0, 2: two, three
    v1.0.0 after -, 1: one
    ");
    assert_snapshot!(told(&repository, "v1.0.0.. --skip-tags ^v1.1.0$"), @r"
    - after v1.1.0, 1: four
    v1.1.0-rc.1 after v1.0.0, 1: two
    ");
    assert_eq!(run(&repository, "generate --latest --skip-tags rc").code(), 2);
    assert!(run(&repository, "generate --skip-tags (").expect(2).stderr().contains("unclosed group"));
}

#[test]
fn flags_of_git_cliff_that_are_called_otherwise() {
    let repository = Repository::new();
    repository.commit("feat: one");
    for (line, tip) in [
        ("generate --context", "here it is called `--format json`"),
        ("generate -x", "here it is called `--format json`"),
        ("generate --bumped-version", "`kyklos-release notes next`"),
        ("generate --use-branch-tags", "only tags that the commit has behind it"),
        ("generate -b x", "`--template FILE`"),
        ("generate -c cliff.toml", "`kyklos-release notes import cliff.toml`"),
        ("generate --repository x", "`-C DIR`"),
        ("generate --topo-order", "dates decide nothing"),
        ("generate --count-tags x", "`--tag-pattern PATTERN`"),
        ("generate --strict", "`kyklos-release notes lint --strict`"),
        ("generate --gitlab-token x", "`--enrich`"),
        ("generate --with-commit x", "`.kyklos/changes/`"),
    ] {
        let text = run(&repository, line).expect(2);
        assert!(
            text.stderr().contains(tip) && !text.stderr().contains("from-context"),
            "{line}: {}",
            text.show()
        );
        let json = run(&repository, &format!("{line} --format=json")).expect(2).json();
        assert!(json["diagnostics"][0]["hint"].as_str().unwrap().contains(tip), "{line}: {json}");
    }
    assert_snapshot!(run(&repository, "generate --context").show(), @r"
    exit 2
    --- stdout
    --- stderr
    error: unexpected argument '--context' found

      tip: here it is called `--format json`

    For more information, try '--help'.
    ");
    // What nobody knows is told as ever.
    let other = run(&repository, "generate --latst").expect(2);
    assert!(other.stderr().contains("a similar argument exists: '--latest'"), "{}", other.show());
}

#[test]
fn what_git_shows_otherwise_is_said() {
    let repository = Repository::new();
    let one = repository.commit("feat: one");
    repository.tag("v1.0.0");
    let two = repository.commit("feat: two");
    let three = repository.commit("fix: three");
    let warning = "warning: git shows 1 commit of this history otherwise here (refs/replace, info/grafts); what was \
                   committed counts\n";
    let plain = run(&repository, "generate --unreleased").expect(0);
    assert_eq!(plain.stderr(), "");
    let made = repository.git(&["commit-tree", "-p", &one, "-m", "feat!: another", "HEAD^{tree}"]);
    repository.git(&["replace", &two, &made]);
    for packed in [false, true] {
        if packed {
            repository.git(&["pack-refs", "--all"]);
        }
        assert!(repository.git(&["log", "--format=%s"]).contains("feat!: another"));
        let run = |line: &str| run(&repository, line).expect(0);
        assert_eq!(
            (run("generate --unreleased").stderr().as_str(), run("generate --unreleased").stdout()),
            (warning, plain.stdout())
        );
        assert_eq!(run("next").show(), format!("exit 0\n--- stdout\n1.1.0\n--- stderr\n{warning}"));
        for line in ["generate -u --format json", "generate --all --format json", "next --format json"] {
            let told = run(line).json()["diagnostics"][0].clone();
            assert_eq!(
                (&told["code"], &told["hint"]),
                (&"notes-replaced".into(), &"git --no-replace-objects log".into()),
                "{line}"
            );
        }
        // It is not of this release.
        assert_eq!(run("generate --tag v1.0.0").stderr(), "");
    }
    let quiet = kyklos(repository.path()).args("notes generate -u").env("GIT_NO_REPLACE_OBJECTS", "1").run();
    assert_eq!(quiet.expect(0).stderr(), "");
    repository.git(&["config", "core.useReplaceRefs", "false"]);
    assert_eq!(run(&repository, "generate -u").expect(0).stderr(), "");
    std::fs::create_dir_all(repository.path().join(".git/info")).unwrap();
    repository.write(".git/info/grafts", format!("{three} {one}\n"));
    assert_eq!(run(&repository, "generate -u").expect(0).stderr(), warning);
}
