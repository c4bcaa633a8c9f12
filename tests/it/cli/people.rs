//! Who contributed, told without a network: the mailmap, addresses that hide another, programs, co-authors, names in
//! other encodings, and names that are markup.

use serde_json::{Value, json};

use crate::support::command::kyklos;
use crate::support::repository::Repository;

fn commit_as(repository: &Repository, author: &str, message: &str) {
    let author = format!("--author={author}");
    repository.git(&["commit", "--quiet", "--allow-empty", &author, "--message", message]);
}

/// The newest release of everything.
fn newest(repository: &Repository) -> Value {
    let run = kyklos(repository.path()).args("notes generate --all --format json").run().expect(0);
    run.json()["data"]["releases"][0].clone()
}

/// Name, account, program, first time.
fn told(release: &Value) -> Vec<Value> {
    let people = release["contributors"].as_array().unwrap().iter();
    people
        .map(|person| json!([person["name"], person["login"], person["bot"], person["first_time"]]))
        .collect()
}

#[test]
fn a_person_is_one_whatever_the_address() {
    let repository = Repository::new();
    repository.write(".mailmap", "Ada Lovelace <ada@new.example>\nAda Lovelace <ada@new.example> <ada@example.com>\nGrace Hopper <123+grace@users.noreply.github.com>\nGrace Hopper <123+grace@users.noreply.github.com> <g@old.example>\n");
    repository.git(&["add", ".mailmap"]);
    commit_as(&repository, "Ada <ada@example.com>", "feat: one");
    repository.tag("v0.1.0");
    commit_as(&repository, "A. L. <ADA@new.example>", "feat: two");
    commit_as(
        &repository,
        "G <g@old.example>",
        "feat: three\n\nCo-authored-by: Grace <grace@users.noreply.github.com>",
    );
    commit_as(
        &repository,
        "grace <123+grace@users.noreply.github.com>",
        "feat: four\n\nco-authored-by: Linus <7-linus@users.noreply.gitlab.com>\nCO-AUTHORED-BY: Ada <ada@new.example>",
    );
    commit_as(
        &repository,
        "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>",
        "fix: five",
    );
    commit_as(&repository, "Renovate Bot <bot@renovateapp.com>", "fix: six");
    let release = newest(&repository);
    assert_eq!(
        told(&release),
        [
            json!(["Ada Lovelace", null, false, false]),
            json!(["Grace Hopper", "grace", false, true]),
            json!(["Linus", "linus", false, true]),
            json!(["Renovate Bot", null, true, true]),
            json!(["dependabot[bot]", "dependabot[bot]", true, true]),
        ]
    );
    // Nobody stands twice beside a line.
    let entries = release["sections"][0]["entries"].as_array().unwrap();
    let authors: Vec<&Value> = entries.iter().map(|entry| &entry["authors"]).collect();
    assert_eq!(authors[0].as_array().unwrap().len(), 3, "{authors:?}");
    assert_eq!(authors[1].as_array().unwrap().len(), 1, "{authors:?}");
}

#[test]
fn who_only_merged_before_contributes_for_the_first_time() {
    let repository = Repository::new();
    commit_as(&repository, "Ada <ada@example.com>", "feat: one");
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    commit_as(&repository, "Grace <grace@example.com>", "feat: two");
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git(&[
        "-c",
        "user.name=Eve",
        "-c",
        "user.email=eve@example.com",
        "merge",
        "--quiet",
        "--no-ff",
        "--no-commit",
        "side",
    ]);
    commit_as(&repository, "Eve <eve@example.com>", "Merge branch 'side'");
    commit_as(&repository, "Eve <eve@example.com>", "fix: three");
    let firsts = told(&newest(&repository));
    assert_eq!(firsts[1], json!(["Eve", null, false, true]));
    assert_eq!(firsts.len(), 3);
}

#[test]
fn names_in_other_encodings_and_names_that_are_markup() {
    let repository = Repository::new();
    repository.commit("feat: zero");
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    let parent = repository.git(&["rev-parse", "HEAD"]);
    let object = |name: &[u8], encoding: &str, parent: &str, subject: &[u8]| {
        let mut bytes = format!("tree {tree}\nparent {parent}\nauthor ").into_bytes();
        bytes.extend(name);
        bytes.extend(b" <x@example.com> 1767225700 +0000\ncommitter C <c@example.com> 1767225700 +0000\n");
        bytes.extend(encoding.as_bytes());
        bytes.push(b'\n');
        bytes.extend(subject);
        let file = repository.write(".git/object", bytes);
        repository.git(&["hash-object", "-w", "-t", "commit", file.to_str().unwrap()])
    };
    let latin = object(b"J\xf6rg", "encoding ISO-8859-1\n", &parent, b"feat: \xfcber\n");
    repository.git(&["update-ref", "HEAD", &latin]);
    let release = newest(&repository);
    assert_eq!(told(&release)[1], json!(["J\u{f6}rg", null, false, true]));
    assert_eq!(release["sections"][0]["entries"][0]["description"], "\u{fc}ber");
    // Bytes that are no UTF-8, and nobody says what they are.
    let raw = object(b"J\xf6rg", "", &parent, b"feat: x\n");
    repository.git(&["update-ref", "HEAD", &raw]);
    assert_eq!(told(&newest(&repository))[1][0], "J\u{fffd}rg");

    let hostile = object(
        "Ev|il *b* `c` [x](javascript:y) @org/team <img>\u{202e}".as_bytes(),
        "",
        &parent,
        b"feat: x\n",
    );
    repository.git(&["update-ref", "HEAD", &hostile]);
    let run = kyklos(repository.path()).args("notes generate --all --preset github").run().expect(0);
    let text = run.stdout();
    let events = pulldown_cmark::Parser::new_ext(&text, pulldown_cmark::Options::ENABLE_GFM);
    for event in events {
        use pulldown_cmark::{Event, Tag};
        match &event {
            Event::Html(_) | Event::InlineHtml(_) => panic!("{event:?}\n{text}"),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                assert!(dest_url.starts_with("https://"), "{event:?}\n{text}");
            }
            Event::Text(plain) => assert!(!plain.contains("@org"), "{event:?}\n{text}"),
            _ => {}
        }
    }
    assert!(!text.contains('\u{202e}'), "{text}");
}

#[test]
fn newcomers_are_told_with_the_pull_request_that_brought_them() {
    let repository = Repository::new();
    repository.git(&["remote", "add", "origin", "https://github.com/acme/app.git"]);
    commit_as(&repository, "Ada Lovelace <ada@home.example>", "feat: begin");
    repository.tag("v0.1.0");
    // The same person from another machine, and a person of the same first name.
    commit_as(&repository, "Ada Lovelace <ada@work.example>", "feat: one (#2)");
    commit_as(&repository, "Ada <a@other.example>", "docs: told nowhere else (#3)");
    commit_as(&repository, "Ada <a@other.example>", "feat: two (#4)");
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    commit_as(&repository, "Grace <1+grace@users.noreply.github.com>", "fix: three");
    repository.git(&["checkout", "--quiet", "main"]);
    commit_as(&repository, "Linus <l@example.com>", "fix: straight");
    repository.git(&[
        "merge",
        "--quiet",
        "--no-ff",
        "--message",
        "Merge pull request #5 from grace/side",
        "side",
    ]);
    repository.tag("v0.2.0");
    let run = kyklos(repository.path()).args("notes generate --tag v0.2.0 --preset github").run().expect(0);
    let text = run.stdout();
    let (_, newcomers) = text.split_once("## New Contributors\n\n").unwrap();
    let linus = repository.git(&["rev-parse", "HEAD^1"]);
    let expected = [
        "- Ada made their first contribution in [#3](https://github.com/acme/app/pull/3)".to_owned(),
        "- Grace ([grace](https://github.com/grace)) made their first contribution in [#5](https://github.com/acme/app/pull/5)".to_owned(),
        format!("- Linus made their first contribution in [{}](https://github.com/acme/app/commit/{linus})", &linus[..7]),
    ];
    assert_eq!(newcomers.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>(), expected, "{text}");
    // Programs are data, and not thanked.
    commit_as(
        &repository,
        "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>",
        "fix: five",
    );
    let only = kyklos(repository.path())
        .args("notes generate --unreleased --release-notes")
        .run()
        .expect(0)
        .stdout();
    assert!(!only.contains("Contributors") && !only.contains("dependabot"), "{only}");
}

#[test]
fn what_git_and_release_tools_write_is_no_line() {
    let repository = Repository::new();
    commit_as(&repository, "Ada <ada@example.com>", "feat: begin");
    repository.tag("v1.0.0");
    commit_as(&repository, "Ada <ada@example.com>", "v1.0.1");
    commit_as(&repository, "Ada <ada@example.com>", "Merge branch 'main' into squashed");
    commit_as(&repository, "Ada <ada@example.com>", "fixup! feat: begin");
    let nothing = kyklos(repository.path()).args("notes next").run().expect(1);
    assert!(nothing.stderr().contains("nothing to release after v1.0.0"), "{}", nothing.show());
    commit_as(&repository, "Ada <ada@example.com>", "Words about something");
    let release = &newest(&repository);
    assert_eq!(release["stats"]["entries"], 1);
    assert_eq!((&release["hidden"], &release["unconventional_count"]), (&json!(3), &json!(4)));
}
