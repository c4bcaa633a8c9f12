//! The text of one release for its users, and the templates it is made with.

use crate::support::command::{Run, kyklos};
use crate::support::repository::Repository;

fn repository() -> Repository {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    repository.write("release.yaml", "name: app\n");
    repository.commit("feat: one");
    repository.tag("v0.1.0");
    repository.commit("feat(api): two (#7)");
    repository.tag("v0.2.0");
    repository
}

fn generate(repository: &Repository, line: &str) -> Run {
    kyklos(repository.path()).args("notes generate").args(line).run()
}

#[test]
fn what_is_written_by_hand_stands_in_its_section() {
    let repository = repository();
    for (name, text) in [
        ("v0.2.0/overview.md", "The second one.\n\nWith *markup* and @ada.\n"),
        ("v0.2.0/whats-new.md", "### A long story\n\nIt is long.\n"),
        ("v0.2.0/known-issues.md", "- [#521](https://github.com/acme/app/issues/521)\n"),
        ("v0.2.0/security.md", "All images were scanned.\n"),
        ("kubernetes.md", "| version | tested |\n|---|---|\n| 1.34 | yes |\n"),
        ("upgrade.md", "For all releases.\n"),
        ("v0.2.0/upgrade.md", "For this release.\n"),
        ("README.md", "What these files are.\n"),
    ] {
        repository.write(&format!(".kyklos/notes/{name}"), text);
    }
    let text = generate(&repository, "--tag v0.2.0 --release-notes").expect(0).stdout();
    for part in [
        "# app 0.2.0\n\n**Release date:** 2026-01-01, **type:** minor release, **previous version:** v0.1.0\n\n## Overview\n\nThe second one.\n\nWith *markup* and @ada.\n\n## What's New\n\n### A long story\n\nIt is long.\n\n- **api:** two ([#7](https://github.com/acme/app/pull/7))\n\n## Security\n\nAll images were scanned.\n\n## Breaking Changes\n\nNone.\n\n## Upgrade Instructions\n\nFor this release.\n\n## Known Issues\n\n- [#521]",
        "## Kubernetes Compatibility\n\n| version | tested |\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // Another release has none of it but what is for all.
    let old = generate(&repository, "--tag v0.1.0 --release-notes").expect(0).stdout();
    assert!(old.contains("For all releases.") && !old.contains("The second one"), "{old}");
    assert!(old.contains("This release brings 1 new feature."), "{old}");

    // What is committed counts where there is no work tree, and what is to be released has its texts under its tag.
    repository.commit("feat: three");
    repository.write(".kyklos/notes/v0.3.0/overview.md", "Soon.\n");
    repository.write(".kyklos/notes/unreleased/overview.md", "Later.\n");
    let soon = generate(&repository, "--unreleased --tag v0.3.0 --release-notes").expect(0).stdout();
    assert!(soon.starts_with("# app 0.3.0\n") && soon.contains("## Overview\n\nSoon.\n"), "{soon}");
    let later = generate(&repository, "--unreleased --release-notes").expect(0).stdout();
    assert!(later.starts_with("# app Unreleased\n") && later.contains("Later."), "{later}");
    repository.tag("v0.2.1");
    let bare = tempfile::tempdir().unwrap();
    let url = format!("file://{}", repository.path().display());
    repository.git(&["clone", "--quiet", "--bare", &url, bare.path().to_str().unwrap()]);
    let text =
        kyklos(bare.path()).args("notes generate --tag v0.2.1 --release-notes").run().expect(0).stdout();
    assert!(text.contains("For all releases."), "{text}");

    repository.write(".kyklos/notes/v0.2.0/overvew.md", "x");
    let wrong = generate(&repository, "--tag v0.2.0 --release-notes").expect(2);
    let expected = "help: git mv .kyklos/notes/v0.2.0/overvew.md .kyklos/notes/v0.2.0/overview.md";
    assert!(wrong.stderr().contains(expected), "{}", wrong.show());
    assert_eq!(generate(&repository, "--all --release-notes").code(), 2);
    assert_eq!(generate(&repository, "--tag v0.2.0 --dist .").code(), 2);
}

#[test]
fn files_and_image_come_from_dist() {
    let repository = repository();
    for name in ["install.yaml", "sbom.json", "checksums.txt"] {
        repository.write(&format!("dist/{name}"), name);
    }
    let digest = format!("sha256:{}", "ab".repeat(32));
    let lines = format!(
        "{digest} ghcr.io/acme/app:v0.2.0\nsha256:{} ghcr.io/acme/app:v0.2.0 linux/amd64\n",
        "cd".repeat(32)
    );
    repository.write("dist/image-digests.txt", lines);
    let text = generate(&repository, "--tag v0.2.0 --release-notes --dist dist").expect(0).stdout();
    let base = "https://github.com/acme/app/releases/download/v0.2.0";
    for part in [
        format!("## Security\n\n**Bill of materials:** [sbom.json]({base}/sbom.json)\n"),
        format!(
            "## Installation\n\n```sh\nkubectl apply -f {base}/install.yaml\n```\n\n```sh\ndocker pull ghcr.io/acme/app:v0.2.0@{digest}\n```\n"
        ),
    ] {
        assert!(text.contains(&part), "{text}");
    }
    repository.write("mine.hbs", "{{#each files}}{{name}} {{sha256 name}}\n{{/each}}{{image_ref}}\n");
    let own =
        generate(&repository, "--tag v0.2.0 --release-notes --dist dist --partial release-notes=mine.hbs");
    let own = own.expect(0).stdout();
    let sum = repository.git(&["hash-object", "--stdin"]).len();
    assert_eq!(sum, 40);
    assert!(
        own.contains("checksums.txt ")
            && own.lines().next().unwrap().ends_with(|c: char| c.is_ascii_hexdigit()),
        "{own}"
    );
    assert!(own.ends_with(&format!("ghcr.io/acme/app:v0.2.0@{digest}\n")), "{own}");
    let none =
        generate(&repository, "--tag v0.2.0 --release-notes --partial release-notes=mine.hbs").expect(2);
    assert!(none.stderr().contains("`image_ref` knows no image"), "{}", none.show());
}

#[test]
fn partials_are_replaced_alone() {
    let repository = repository();
    repository.write("t/entry.hbs", "* {{upper_first description}}{{#if pr}} in {{pr_link pr}}{{/if}}");
    repository.write("t/all.hbs", "{{#each releases}}{{version}}\n{{#each sections}}{{#each (sort_by entries \"description\")}}{{> entry}}{{/each}}{{/each}}{{/each}}");
    let flag = generate(&repository, "--tag v0.2.0 --partial entry=t/entry.hbs").expect(0).stdout();
    assert_eq!(
        flag,
        "## 0.2.0 - 2026-01-01\n\n### Added\n\n* Two in [#7](https://github.com/acme/app/pull/7)\n"
    );
    // The same from release.yaml, with a template of its own.
    repository.write(
        "release.yaml",
        "name: app\nnotes:\n  preset: keep-a-changelog\n  partials: { entry: t/entry.hbs }\n",
    );
    let settings = generate(&repository, "--tag v0.2.0").expect(0).stdout();
    assert!(settings.starts_with("## [0.2.0] - 2026-01-01\n\n### Added\n\n* Two in [#7]"), "{settings}");
    repository.write(
        "release.yaml",
        "name: app\nnotes:\n  template: t/all.hbs\n  partials: { entry: t/entry.hbs }\n",
    );
    let whole = generate(&repository, "--all").expect(0).stdout();
    assert_eq!(whole, "0.2.0\n* Two in [#7](https://github.com/acme/app/pull/7)\n0.1.0\n* One\n");
    repository.write("release.yaml", "name: app\nnotes:\n  partials: { entry: t/none.hbs }\n");
    let missing = generate(&repository, "--all").expect(2);
    assert!(missing.stderr().contains("error[notes-template-missing]"), "{}", missing.show());
}

#[test]
fn errors_of_templates_show_the_place_and_what_is_known_there() {
    let repository = repository();
    let shown = |name: &str, text: &str, flag: &str| {
        repository.write(name, text);
        let run = generate(&repository, &format!("--tag v0.2.0 {flag}")).expect(2);
        run.stderr()
    };
    insta::assert_snapshot!(shown("e.hbs", "- {{descripton}}\n", "--partial entry=e.hbs"), @r"
    error[notes-template]: the template `entry` failed: there is no `descripton` here
     --> e.hbs:1:5
      |
    1 | - {{descripton}}
      |     ^^^^^^^^^^ here
      known here  advisories, also_in, authors, breaking, description, issues, more, pr, prefix, reverts, scopes, sha, shipped, type
    help: did you mean `description`?
    help: `kyklos-release notes template show kyklos` prints a template that works
    ");
    insta::assert_snapshot!(shown("h.hbs", "{{#each releases}}\n{{uper_first version}}{{/each}}", "--template h.hbs"), @r"
    error[notes-template]: the template `template` failed: there is no helper `uper_first`
     --> h.hbs:2:3
      |
    2 | {{uper_first version}}{{/each}}
      |   ^^^^^^^^^^ here
      known here  if, unless, each, with, lookup, log, eq, ne, gt, gte, lt, lte, and, or, not, len, md, code, link, commit_link, pr_link, issue_link, advisory_link, compare_link, author, short_sha, date, upper_first, trim_prefix, truncate, indent, wrap, plural, default, group_by, where, sort_by, unique_by, join, anchor, sha256, image_ref
    help: did you mean `upper_first`?
    help: `kyklos-release notes template show kyklos` prints a template that works
    ");
    insta::assert_snapshot!(shown("c.hbs", "{{#each releases}}\n{{#if tag}}x{{/each}}\n", "--template c.hbs"), @r"
    error[notes-template]: the template `template` cannot be read: a `{{` or a block is not closed
     --> c.hbs:2:23
      |
    2 | {{#if tag}}x{{/each}}
      |                      ^ here
    help: `kyklos-release notes template show kyklos` prints a template that works
    ");
    let partial = shown("p.hbs", "{{> entri}}", "--template p.hbs");
    assert!(
        partial.contains("there is no partial `entri`") && partial.contains("did you mean `entry`?"),
        "{partial}"
    );
    assert!(partial.contains("known here  breaking, ") && partial.contains(", section, "), "{partial}");
    let name = shown("x.hbs", "x", "--partial entrie=x.hbs");
    assert!(name.contains("error[notes-no-template]") && name.contains("did you mean `entry`?"), "{name}");
    let check = |line: &str| kyklos(repository.path()).args("notes template check").args(line).run();
    assert_eq!(check("e.hbs --as entry").code(), 2);
    repository.write("good.hbs", "- {{description}} {{short_sha sha}}");
    assert_eq!(check("good.hbs --as entry").expect(0).stdout(), "- a sample 0123456\n");
    assert_eq!(check("good.hbs --as nothing").code(), 2);
    assert_eq!(generate(&repository, "--tag v0.2.0 --partial entry").code(), 2);
}

#[test]
fn a_page_that_is_too_long_is_shortened_and_says_so() {
    let repository = repository();
    for at in 0..60 {
        repository.commit(&format!("fix: mend the part with the number {at} of ä"));
    }
    let run = generate(&repository, "--unreleased --release-notes --max-chars 3000 --format json").expect(0);
    let answer = run.json();
    let body = &answer["data"]["body"];
    assert!(body["bytes"].as_u64().unwrap() <= 3000);
    assert_eq!(body["bytes"].as_u64().unwrap(), body["text"].as_str().unwrap().len() as u64);
    assert_eq!(
        (&body["limit"], &body["steps"]),
        (&3000.into(), &serde_json::json!(["contributors", "counts"]))
    );
    assert_eq!(answer["diagnostics"][0]["code"], "notes-shortened");
    assert!(run.stderr().contains(&format!("{} lines were left out", body["left_out"])), "{}", run.show());
    // The data is whole all the same.
    assert_eq!(answer["data"]["releases"][0]["sections"][0]["entries"].as_array().unwrap().len(), 60);
    let short = generate(&repository, "--unreleased --release-notes --max-chars 300").expect(2);
    assert!(short.stderr().contains("error[notes-too-long]"), "{}", short.show());
}

#[test]
fn what_breaks_is_told_in_full_to_those_who_upgrade() {
    let repository = Repository::new();
    repository.commit("feat: begin");
    repository.tag("v1.0.0");
    repository.commit("feat!: a new configuration\n\nBREAKING CHANGE: the key `a` is\nnow `b`. Before:\n\n```yaml\na: 1\n\n\n# <b>\n```\n\nAfter that:\n\n- write `b: 1`\n- restart it, @all\n\nRefs: #7");
    repository.tag("v2.0.0");
    let run = |more: &str| {
        let line = format!("notes generate --tag v2.0.0 {more}");
        kyklos(repository.path()).args(&line).run().expect(0)
    };
    let id = repository.git(&["rev-parse", "--short=7", "HEAD"]);
    // A changelog has a line, which says that there is more.
    let text = run("").stdout();
    assert!(text.contains(&format!("- the key `a` is now `b`. Before … ({id})\n")), "{text}");
    let text = run("--release-notes").stdout();
    let (_, breaking) = text.split_once("## Breaking Changes\n\n").unwrap();
    let expected = format!(
        "- the key `a` is now `b`. Before: ({id})\n\n  ```yaml\n  a: 1\n\n  # <b>\n  ```\n\n  After that:\n\n  - write `b: 1`\n  - restart it, `@all`\n\n## Upgrade"
    );
    assert!(breaking.starts_with(&expected), "{text}");
    let data = run("--format json").json();
    let note = &data["data"]["releases"][0]["sections"][1]["entries"][0]["breaking_notes"][0];
    assert!(note.as_str().unwrap().starts_with("the key `a` is\nnow `b`. Before:\n\n```yaml\n"), "{data}");
    // The same, read back.
    repository.write("data.json", run("--format json").stdout());
    let again =
        kyklos(repository.path()).args("notes generate --from-context data.json").run().expect(0).stdout();
    assert_eq!(again, run("").stdout());
}

#[test]
fn templates_that_would_not_end_are_refused() {
    let repository = repository();
    let refused = |text: &str, flag: &str| {
        repository.write("t.hbs", text);
        generate(&repository, &format!("--tag v0.2.0 {flag}=t.hbs")).expect(2).stderr()
    };
    for (text, flag, why) in [
        ("{{> entry}}", "--partial entry", "the template `entry` includes itself: entry > entry"),
        ("{{> section}}", "--partial entry", "includes itself: "),
        (
            "{{#*inline \"x\"}}{{> x}}{{/inline}}{{> x}}",
            "--template",
            "the template `x` includes itself: x > x",
        ),
        ("{{> (lookup releases 0)}}", "--template", "a partial is named by an expression"),
        (&"{{#if tag}}".repeat(20_000), "--template", "it goes deeper than 64 blocks or brackets"),
        (
            &"(".repeat(20_000).replacen('(', "{{md (", 1),
            "--template",
            "it goes deeper than 64 blocks or brackets",
        ),
    ] {
        let said = refused(text, flag);
        assert!(said.contains("error[notes-template]") && said.contains(why), "{why}: {said}");
    }
}
