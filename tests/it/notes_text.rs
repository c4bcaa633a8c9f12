//! What a reader of Markdown makes of notes, whatever commits, names, scopes and tags say; and how much fits.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use kyklos_release::model::{Commit, CommitId, Origin, Person, TagFacts};
use kyklos_release::notes::signature::Signed;
use kyklos_release::notes::{
    AlsoIn, BODY, Document, Extent, History, Insert, Ours, Preset, Recipe, ReleaseNotes, RenderError, Rules,
    Section, Since, Squash, Wanted, Writer, edit, first_commits, release,
};
use proptest::prelude::*;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

const PRESETS: [Preset; 3] = [Preset::Kyklos, Preset::KeepAChangelog, Preset::Github];

fn id(number: usize) -> CommitId {
    format!("{number:040x}").parse().unwrap()
}

/// The notes of a version with these messages and authors, newest first.
fn notes(version: &str, commits: &[(String, String)]) -> ReleaseNotes {
    named("v", version, None, commits)
}

/// The same where tags begin with something else; with `base` the oldest commit is the release before.
fn named(start: &str, version: &str, base: Option<&str>, commits: &[(String, String)]) -> ReleaseNotes {
    let people = commits.iter().enumerate().map(|(at, (message, name))| Commit {
        id: id(at + 1),
        tree: CommitId::from_bytes([0; 20]),
        parents: if at + 1 < commits.len() { vec![id(at + 2)] } else { Vec::new() },
        author: Person { name: name.clone(), email: format!("{at}+user-{at}@users.noreply.github.com") }
            .into(),
        authored: Timestamp::UNIX_EPOCH,
        time: Timestamp::UNIX_EPOCH,
        message: message.clone(),
        signed: false,
    });
    let tagged = |version: &str, at: usize| TagFacts {
        tag: format!("{start}{version}").parse().unwrap(),
        version: version.parse().unwrap(),
        commit: id(at),
        object: id(at),
    };
    let tag = tagged(version, 1);
    let tags = base.map(|base| tagged(base, commits.len())).into_iter().chain([tag.clone()]);
    let history = History::new(people.collect(), tags.collect());
    let wanted = Wanted::release(&tag);
    let share = history.shares(&[wanted], Since::Policy).pop().unwrap();
    let rules = Rules {
        types: [("docs".to_owned(), Some(Section::Named(Arc::from("*Docs* <b> @all"))))].into(),
        ..Rules::default()
    };
    let person = Arc::clone;
    let first: HashMap<String, CommitId> = first_commits(&history, &person);
    let elsewhere = |_: &Commit| vec![tag.tag.clone()];
    let recipe = Recipe {
        first_parent: false,
        squash: Squash::All,
        person: &person,
        same_change: &|_, _, _| false,
        time: &|_| None,
        rules: &rules,
        counts: &|_| true,
        signature: &|_| Signed::default(),
        older: None,
        enrichment: None,
        elsewhere: base.map(|_| &elsewhere as &AlsoIn<'_>),
        first: Some(&first),
    };
    release(&history, &wanted, &share, None, &recipe)
}

fn document() -> Document {
    let files = ["install.yaml", "sbom.json", "checksums.txt"];
    Document {
        name: "app".to_owned(),
        image: Some(format!("ghcr.io/acme/app:v1.2.0@sha256:{}", "0".repeat(64))),
        files: files.iter().map(|name| (name.parse().unwrap(), None)).collect(),
        ..Document::default()
    }
}

/// Everything that is written about a release: each preset whole and short, and the text of the release.
fn texts(notes: &ReleaseNotes) -> Vec<String> {
    let origin = Origin::from_url("https://github.com/acme/app").unwrap();
    let mut texts = Vec::new();
    for preset in PRESETS {
        for origin in [Some(origin.clone()), None] {
            let writer = Writer::new(preset, origin).unwrap();
            texts.push(writer.changelog(std::slice::from_ref(notes), Extent::Whole).unwrap());
            texts.push(writer.release_notes(notes, &document()).unwrap());
            // What cannot be so short is an error, which is no text.
            texts.extend(writer.short_changelog(notes, 900).ok().map(|fitted| fitted.text));
        }
    }
    texts
}

const TITLES: [&str; 30] = [
    "1.2.1 - 1970-01-01",
    "[1.2.1] - 1970-01-01",
    "app 1.2.1",
    "Changelog",
    "1.2.0 - 1970-01-01",
    "[1.2.0] - 1970-01-01",
    "1.2.0",
    "What's Changed",
    "New Contributors",
    "Added",
    "Changed",
    "Fixed",
    "Security",
    "Deprecated",
    "Removed",
    "Breaking Changes",
    "app 1.2.0",
    "Overview",
    "What's New",
    "Improvements",
    "Bug Fixes",
    "Deprecations",
    "Removals",
    "Upgrade Instructions",
    "Known Issues",
    "Installation",
    "Contributors",
    "*Docs* <b> `@all`",
    "Testing",
    "Kubernetes Compatibility",
];

const LINKS: [&str; 7] = [
    "https://github.com/acme/app/",
    "https://github.com/user-",
    "https://github.com/advisories/GHSA-",
    "https://www.cve.org/CVERecord?id=CVE-",
    "https://keepachangelog.com/",
    "https://semver.org/",
    "#breaking-changes",
];

/// Everything in a text that should not be there.
fn hostile(text: &str) -> Vec<String> {
    hostile_beside(text, &LINKS, &|title| TITLES.contains(&title))
}

/// The same with other links and headings.
pub(crate) fn hostile_beside(text: &str, allowed: &[&str], is_title: &dyn Fn(&str) -> bool) -> Vec<String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let closing =
        regex::Regex::new(r"(?i)\b(close[sd]?|fix(es|ed)?|resolve[sd]?):?\s+(#|gh-|[\w-]+/[\w.-]+#)\d")
            .unwrap();
    let mut found = Vec::new();
    // What a block shows, and the same without its code spans, which close nothing.
    let (mut block, mut plain) = (String::new(), String::new());
    let (mut lists, mut links, mut code) = (0, 0, false);
    // Notes tell of what breaks in more than one line, below the item.
    let deepest = if text.contains("## Overview") { 2 } else { 1 };
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => found.push(format!("HTML {html}")),
            Event::Start(Tag::Link { dest_url, .. }) => {
                links += 1;
                if !allowed.iter().any(|allowed| dest_url.starts_with(allowed)) {
                    found.push(format!("link {dest_url}"));
                }
            }
            Event::End(TagEnd::Link) => links -= 1,
            Event::Start(Tag::List(None)) => {
                lists += 1;
                if lists > deepest {
                    found.push("list in a list".to_owned());
                }
            }
            Event::End(TagEnd::List(_)) => lists -= 1,
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language)))
                if &*language == "sh" || (lists == 1 && deepest == 2) =>
            {
                if !language.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+_".contains(&byte)) {
                    found.push(format!("language {language}"));
                }
                code = true;
            }
            Event::End(TagEnd::CodeBlock) => code = false,
            Event::Start(Tag::Paragraph | Tag::Item | Tag::Heading { .. } | Tag::Strong) => {}
            Event::Start(other) => found.push(format!("{other:?}")),
            Event::Text(text) if !code => {
                let odd = |c: char| {
                    c.is_control()
                        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
                };
                // No forge calls anybody who stands in the text of a link.
                if text.contains(odd) || (links == 0 && text.contains('@')) {
                    found.push(format!("text {text:?}"));
                }
                if links == 0 && (text.contains("://") || text.to_lowercase().contains("www.")) {
                    found.push(format!("address {text:?}"));
                }
                block.push_str(&text);
                plain.push_str(&text);
            }
            Event::Code(code) => {
                block.push_str(&format!("`{code}`"));
                plain.push('`');
            }
            Event::End(TagEnd::Heading(_)) => {
                if !is_title(&block) {
                    found.push(format!("heading {block}"));
                }
                block.clear();
                plain.clear();
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item) => {
                if closing.is_match(&plain) {
                    found.push(format!("closes {plain}"));
                }
                block.clear();
                plain.clear();
            }
            Event::Rule | Event::TaskListMarker(_) | Event::FootnoteReference(_) => {
                found.push(format!("{event:?}"));
            }
            Event::InlineMath(_) | Event::DisplayMath(_) => found.push(format!("{event:?}")),
            Event::Text(_) | Event::SoftBreak | Event::HardBreak | Event::End(_) => {}
        }
    }
    found
}

/// What has been seen in messages, and worse.
const HOSTILE: [&str; 30] = [
    "<img src=x onerror=alert(1)>",
    "-->",
    "<!--",
    "</details>",
    "<details>",
    "[x](javascript:alert(1))",
    "![x](https://evil/x.png)",
    "[x]: https://evil",
    "`unclosed",
    "``",
    "```",
    "===",
    "---",
    "# heading",
    "> quote",
    "- item",
    "1. one",
    "| a | b |",
    "@org/team",
    "@ada",
    "closes org/repo#1",
    "Fixes #12",
    "resolves GH-3",
    "https://evil.example",
    "www.evil.example",
    "~~x~~",
    "**b** _i_ $x$",
    "\u{202e}evil\u{2066}",
    "[^1]",
    "- [ ] task",
];

fn hostile_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => prop::sample::select(HOSTILE.to_vec()).prop_map(str::to_owned),
        2 => "[ -~]{1,12}".prop_map(|text| text),
        1 => "[\\p{L}\\p{N}\u{200b}\u{feff}é]{1,6}".prop_map(|text| text),
        1 => "[`*_<>\\[\\]()!|~#@:&\\\\]{1,8}".prop_map(|text| text),
    ];
    prop::collection::vec(word, 1..5).prop_map(|words| words.join(" "))
}

fn hostile_commits() -> impl Strategy<Value = Vec<(String, String)>> {
    let kind =
        prop::sample::select(vec!["feat", "fix", "perf", "security", "deprecate", "remove", "docs", "chore"]);
    let message = (kind, hostile_text(), hostile_text(), hostile_text(), 0..5u8).prop_map(
        |(kind, scope, subject, body, form)| match form {
            0 => format!("{kind}: {subject}\n\n{body}\n\nCloses #3, #4\nRefs: CVE-2026-12345"),
            1 => format!(
                "{kind}({})!: {subject}\n\nBREAKING CHANGE: {body}\n\n{subject}\n- {scope}\n\n```{scope}\n{body}\n```\n{scope}",
                scope.replace(['(', ')', '\n'], "")
            ),
            2 => format!("{subject}\n\n{body}"),
            3 => format!(
                "{kind}: {subject} (#7)\n\n* feat: {body}\n* fix({}): {scope}",
                scope.replace(['(', ')'], "")
            ),
            _ => format!("{kind}: {subject}\n\nCo-authored-by: {body} <a@b.c>\nFixes: org/repo#9"),
        },
    );
    prop::collection::vec((message, hostile_text()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn notes_bring_nothing_but_text(commits in hostile_commits()) {
        for text in texts(&notes("1.2.0", &commits)) {
            prop_assert_eq!(hostile(&text), Vec::<String>::new(), "{}", text);
        }
    }
}

/// What tags, branches, repositories and projects may be called.
fn hostile_name() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        2 => prop::sample::select(vec![
            "@org/pkg@", "pkg@v", "v", "release-", "a_b_c/", "__x__", "~x~", "www.evil.example/", "1.", "+", "@all/",
            "fixes/", "GH-1/", "http/", "-", "--", "_",
        ]).prop_map(str::to_owned),
        1 => "[A-Za-z0-9._+@/-]{0,9}",
    ];
    prop::collection::vec(word, 0..3).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]
    #[test]
    fn names_bring_nothing_but_text(
        start in hostile_name().prop_filter("a tag", |start| format!("{start}1.2.0").parse::<kyklos_release::model::Tag>().is_ok()),
        owner in "[A-Za-z0-9._~-]{1,6}(/[A-Za-z0-9._~-]{1,6}){0,2}",
        repo in "[A-Za-z0-9._~-]{1,8}",
        host in prop::sample::select(vec!["github.com", "gitlab.example", "codeberg.org", "dev.azure.com", "git.x:8443"]),
        project in hostile_text(),
        commits in hostile_commits(),
        branch in hostile_text(),
    ) {
        let Some(origin) = Origin::from_url(&format!("https://{host}/{owner}/{repo}")) else { return Ok(()) };
        let mut commits = commits;
        commits.insert(0, (format!("Merge branch '{branch}'"), "Ada".to_owned()));
        commits.insert(0, (format!("Revert \"{branch}\"\n\nThis reverts commit {}.", "ab".repeat(20)), "Ada".to_owned()));
        let notes = named(&start, "1.2.0", Some("1.1.0"), &commits);
        prop_assert!(notes.previous.is_some());
        let document = Document { name: project.clone(), ..document() };
        let web = format!("https://{host}/");
        let allowed: Vec<&str> = LINKS.iter().copied().chain([web.as_str()]).collect();
        let shown = kyklos_release::format::markdown::text(&project);
        let is_title = |title: &str| TITLES.contains(&title) || title.ends_with(" 1.2.0") || title == "1.2.0";
        for preset in PRESETS {
            for origin in [Some(origin.clone()), None] {
                let writer = Writer::new(preset, origin).unwrap();
                let whole = writer.release_notes(&notes, &document).unwrap();
                prop_assert!(whole.starts_with(format!("# {shown} 1.2.0").trim_end()), "{}", whole);
                let mut texts = vec![writer.changelog(std::slice::from_ref(&notes), Extent::Whole).unwrap(), whole.clone()];
                texts.extend(writer.body(&notes, &document, whole.len() - 200).ok().map(|fitted| fitted.text));
                for text in texts {
                    prop_assert_eq!(hostile_beside(&text, &allowed, &is_title), Vec::<String>::new(), "{}", text);
                }
            }
        }
    }

    #[test]
    fn a_changelog_that_is_added_to_gets_nothing_but_text(
        commits in hostile_commits(),
        old in prop::sample::select(vec![
            "",
            "# Changelog\n",
            "# Changelog\n\nWith care.\n\n## 1.1.0\n\n- old\n",
            "# Changelog\r\n\r\n## [Unreleased]\r\n\r\n- mine\r\n\r\n## [1.1.0] - 2026-01-01\r\n\r\n- old\r\n\r\n[1.1.0]: https://github.com/acme/app/x\r\n",
            "# Changelog\n\n## 1.2.0\n\n### Added\n\n- mine\n\n## 1.1.0\n\n```\n## 1.0.0\n```\n",
        ]),
    ) {
        let notes = notes("1.2.0", &commits);
        let entries = notes.sections.iter().flat_map(|(_, entries)| entries).chain(&notes.breaking);
        let ours = Ours {
            commits: notes.commits.iter().map(ToString::to_string).collect(),
            numbers: entries.filter_map(|entry| Some(entry.pull_request()?.id.clone())).collect(),
        };
        let is_title = |title: &str| TITLES.contains(&title) || ["1.1.0", "1.1.0 - 2026-01-01", "[Unreleased]"].contains(&title);
        for preset in [Preset::Kyklos, Preset::KeepAChangelog] {
            let writer = Writer::new(preset, Origin::from_url("https://github.com/acme/app")).unwrap();
            let generated = writer.changelog(std::slice::from_ref(&notes), Extent::Whole).unwrap();
            let insert = Insert { generated: &generated, releases: 1, ours: &ours, head_url: Some("https://github.com/acme/app/compare/v1.2.0...HEAD") };
            let once = edit(old, &insert).unwrap().text;
            let text = once.replace('\r', "");
            let found = hostile_beside(&text.replace("```\n## 1.0.0\n```\n", ""), &LINKS, &is_title);
            prop_assert_eq!(found, Vec::<String>::new(), "{}", once);
            prop_assert_eq!(edit(&once, &insert).unwrap().text, once);
        }
    }
}

#[test]
fn advisories_lead_to_their_pages_in_every_preset() {
    let commit = |message: &str| (message.to_owned(), "Ada".to_owned());
    let notes = notes(
        "1.2.1",
        &[
            commit("fix: a hole\n\nRefs: GHSA-aaaa-bbbb-cccc, CVE-2026-12345"),
            commit("chore(deps): an update for cve-2026-1 and CVE-2026-99999"),
            commit("An old hole, CVE-2025-1000"),
            commit("docs: how CVE-2026-12345 came to be"),
            commit("feat!: stricter\n\nBREAKING CHANGE: closes CVE-2026-7777"),
        ],
    );
    let link = |id: &str| {
        let page = if id.starts_with("CVE") { "www.cve.org/CVERecord?id=" } else { "github.com/advisories/" };
        format!("[{id}](https://{page}{id})")
    };
    for preset in PRESETS {
        let writer = Writer::new(preset, Origin::from_url("https://github.com/acme/app")).unwrap();
        for text in [
            writer.changelog(std::slice::from_ref(&notes), Extent::Part).unwrap(),
            writer.release_notes(&notes, &document()).unwrap(),
        ] {
            let (_, behind) = text.split_once("# Security\n\n").unwrap();
            let section: Vec<&str> = behind.lines().take_while(|line| line.starts_with("- ")).collect();
            let expected: [&[&str]; 4] = [
                &["GHSA-aaaa-bbbb-cccc", "CVE-2026-12345"],
                &["CVE-2026-99999"],
                &["CVE-2025-1000"],
                &["CVE-2026-7777"],
            ];
            assert_eq!(section.len(), expected.len(), "{text}");
            for (line, ids) in section.iter().zip(expected) {
                assert!(ids.iter().all(|id| line.contains(&link(id))), "{line}");
            }
            assert_eq!(hostile(&text), Vec::<String>::new());
        }
    }
}

#[test]
fn what_messages_say_is_told_and_not_done() {
    for (subject, expected) in [
        ("<b>bold</b> & <script>", "\\<b>bold\\</b> & \\<script>"),
        ("end --> it", "end --> it"),
        ("</details> text", "\\</details> text"),
        ("see [x](javascript:alert(1))", "see \\[x\\](javascript:alert(1))"),
        ("see [x]: https://evil", "see \\[x\\]: `https://evil`"),
        ("an `unclosed span", "an \\`unclosed span"),
        ("keep `a <b>` code", "keep `a <b>` code"),
        ("=== under", "\\=== under"),
        ("thank @ada and @org/team", "thank `@ada` and `@org/team`"),
        ("closes org/repo#1 and fixes #2", "closes `org/repo#1` and fixes `#2`"),
        ("turn \u{202e}around\u{2069}", "turn  around"),
        ("![i](https://evil/x.png)", "`![i](https://evil/x.png`)"),
    ] {
        let notes = notes("1.2.0", &[(format!("feat: {subject}"), "Ev|il <b>".to_owned())]);
        let writer = Writer::new(Preset::Kyklos, None).unwrap();
        let text = writer.changelog(std::slice::from_ref(&notes), Extent::Part).unwrap();
        let line = text.lines().find(|line| line.starts_with("- ")).unwrap();
        let told = line.trim_start_matches("- ").trim_end_matches(" (0000000)");
        assert_eq!(
            told.split_whitespace().collect::<Vec<_>>(),
            expected.split_whitespace().collect::<Vec<_>>(),
            "{subject}"
        );
        for text in texts(&notes) {
            assert_eq!(hostile(&text), Vec::<String>::new(), "{text}");
        }
    }
    // A line of a million letters is one line.
    let long = notes("1.2.0", &[(format!("feat: {}", "`a ".repeat(400_000)), "Ada".to_owned())]);
    let writer = Writer::new(Preset::Github, None).unwrap();
    let fitted = writer.short_changelog(&long, BODY).unwrap();
    let steps: Vec<&str> = fitted.steps.iter().map(|step| step.as_str()).collect();
    assert_eq!((steps.as_slice(), fitted.left_out), (&["texts"][..], 0));
    assert!(fitted.text.len() < 1000 && fitted.text.contains(" … ("), "{}", fitted.text);
    assert_eq!(hostile(&fitted.text), Vec::<String>::new(), "{}", fitted.text);
}

#[test]
fn one_line_of_great_length_pushes_no_other_off_the_page() {
    let many = |letter: &str| letter.repeat(200_000);
    for long in [
        format!("feat: {}", many("ü ")),
        format!("feat: {}", many("x")),
        format!("feat({}): scoped", many("a,b")),
        format!("{}: a type", many("y")),
        format!("feat: x\n\nBREAKING CHANGE: {}", many("z ")),
        format!("feat!: {}", many("<b> ")),
    ] {
        let mut commits = vec![(long, "Ada".to_owned())];
        commits.extend((0..50).map(|at| (format!("fix: number {at}"), "Grace".to_owned())));
        let notes = notes("1.2.0", &commits);
        for preset in PRESETS {
            let writer = Writer::new(preset, None).unwrap();
            let page = writer.body(&notes, &document(), BODY).unwrap();
            for fitted in [page, writer.short_changelog(&notes, BODY).unwrap()] {
                let steps: Vec<&str> = fitted.steps.iter().map(|step| step.as_str()).collect();
                assert_eq!(
                    (steps.as_slice(), fitted.left_out),
                    (&["texts"][..], 0),
                    "{}",
                    commits[0].0.len()
                );
                assert!((0..50).all(|at| fitted.text.contains(&format!("number {at} "))));
                assert!(fitted.text.len() < 9000 && fitted.text.contains('…'), "{}", fitted.text.len());
                assert_eq!(hostile(&fitted.text), Vec::<String>::new());
            }
        }
    }
}

/// A release with so many lines of letters that take more than one byte.
fn large(lines: usize) -> ReleaseNotes {
    let mut commits = vec![
        ("feat!: the greatest\n\nBREAKING CHANGE: look at this".to_owned(), "Ada".to_owned()),
        ("fix: a hole\n\nRefs: GHSA-aaaa-bbbb-cccc".to_owned(), "Ada".to_owned()),
    ];
    for at in 0..lines {
        let kind = ["refactor", "fix", "feat"][at % 3];
        commits.push((format!("{kind}: größer, schöner, 更好 {at}"), format!("Ädä {at}")));
    }
    notes("1.2.0", &commits)
}

#[test]
fn a_page_holds_what_it_holds() {
    let origin = Origin::from_url("https://github.com/acme/app").unwrap();
    let writer = Writer::new(Preset::Kyklos, Some(origin)).unwrap();
    let small = large(40);
    let whole = writer.release_notes(&small, &document()).unwrap();
    let exact = writer.body(&small, &document(), whole.len()).unwrap();
    assert_eq!((exact.text.as_str(), exact.steps.len(), exact.left_out), (whole.as_str(), 0, 0));
    let short = writer.body(&small, &document(), whole.len() - 1).unwrap();
    let steps: Vec<&str> = short.steps.iter().map(|step| step.as_str()).collect();
    assert_eq!((steps.as_slice(), short.left_out), (&["contributors"][..], 0));

    let big = large(1150);
    let whole = writer.release_notes(&big, &document()).unwrap();
    assert!(whole.len() > 140_000, "{}", whole.len());
    for limit in [BODY, 125_000, 20_000] {
        let fitted = writer.body(&big, &document(), limit).unwrap();
        // As full as lines allow, and not one byte more.
        assert!(
            fitted.text.len() <= limit && fitted.text.len() + 400 > limit,
            "{} of {limit}",
            fitted.text.len()
        );
        assert_eq!(hostile(&fitted.text), Vec::<String>::new());
        for line in
            fitted.text.lines().filter(|line| line.starts_with("- ") && !line.contains(" more change"))
        {
            assert!(whole.contains(&format!("{line}\n")), "{line}");
        }
        assert!(fitted.text.contains("look at this") && fitted.text.contains("GHSA-aaaa-bbbb-cccc"));
        let counted =
            fitted.text.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(" more change"));
        let counted: usize = counted.map(|(count, _)| count.parse::<usize>().unwrap()).sum();
        assert_eq!(counted, fitted.left_out);
        let link = "[changelog of this release](https://github.com/acme/app/releases/download/v1.2.0/CHANGELOG-v1.2.0.md)";
        assert!(
            fitted.text.contains(&format!("{} more lines in the {link}.", fitted.left_out)),
            "{}",
            fitted.text
        );
    }
    // Features stay as long as there is anything else to leave out.
    let fitted = writer.body(&big, &document(), 60_000).unwrap();
    assert!(fitted.text.matches("größer").count() >= 300, "{}", fitted.text);
    let error = writer.body(&small, &document(), 500).unwrap_err();
    assert!(matches!(error, RenderError::TooLong { limit: 500, .. }), "{error}");
}

#[test]
fn counts_and_shapes_of_release_notes() {
    let commit = |message: &str| (message.to_owned(), "Ada".to_owned());
    let told = |version: &str, messages: &[&str]| {
        let commits: Vec<_> = messages.iter().map(|message| commit(message)).collect();
        let writer = Writer::new(Preset::Kyklos, None).unwrap();
        let text = writer.release_notes(&notes(version, &commits), &Document::default()).unwrap();
        let headings: Vec<String> =
            text.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
        (text, headings.join(", "))
    };
    let (text, headings) =
        told("1.2.0", &["feat: a", "feat: b", "fix: c", "perf: d", "deprecate: e", "remove: f", "docs: g"]);
    assert!(
        text.contains(
            "2 new features, 1 improvement, 1 bug fix, 1 deprecation, 1 removal and 1 other change."
        ),
        "{text}"
    );
    assert!(text.contains("**type:** minor release"), "{text}");
    assert_eq!(
        headings,
        "Overview, What's New, Improvements, Bug Fixes, \\*Docs\\* \\<b> `@all`, Deprecations, Removals, Breaking Changes, Upgrade Instructions, Known Issues, Contributors"
    );
    let (text, headings) = told("1.2.0-rc.1", &["feat: a"]);
    assert!(text.contains("This is a prerelease") && text.contains("**type:** prerelease"), "{text}");
    assert_eq!(
        headings,
        "Overview, What's New, Breaking Changes, Testing, Known Issues, Upgrade Instructions, Contributors"
    );
    let (text, headings) = told("1.2.1", &["fix: a", "fix: b\n\nRefs: CVE-2026-12345"]);
    assert!(text.contains("closes security holes") && text.contains("**type:** security release"), "{text}");
    assert_eq!(
        headings,
        "Overview, Security, Upgrade Instructions, Bug Fixes, Breaking Changes, Known Issues, Contributors"
    );
    let (text, _) = told("1.2.1", &["fix: a"]);
    assert!(
        text.contains("This is a maintenance release.\nThis release brings 1 bug fix.")
            && text.contains("None.\n"),
        "{text}"
    );
    let (text, _) = told("2.0.0", &["feat!: a"]);
    assert!(text.contains("**type:** major release") && text.contains("Something breaks"), "{text}");
}

#[test]
fn details_of_what_breaks_go_before_lines_go() {
    let note = format!("feat!: a\n\nBREAKING CHANGE: the first line.\n\n```\n{}```\n", "code\n".repeat(60));
    let commits = [(note, "Ada".to_owned()), ("fix: b".to_owned(), "Ada".to_owned())];
    let notes = notes("2.0.0", &commits);
    let writer = Writer::new(Preset::Kyklos, None).unwrap();
    let whole = writer.release_notes(&notes, &Document::default()).unwrap();
    assert!(whole.contains("  code\n  code\n"), "{whole}");
    let fitted = writer.body(&notes, &Document::default(), whole.len() - 200).unwrap();
    let steps: Vec<&str> = fitted.steps.iter().map(|step| step.as_str()).collect();
    assert_eq!((steps.as_slice(), fitted.left_out), (&["contributors", "details"][..], 0));
    assert!(
        fitted.text.contains("- the first line. … (0000000)\n") && fitted.text.contains("- b ("),
        "{}",
        fitted.text
    );
    // A changelog has one line of it in any case.
    let changelog = writer.changelog(std::slice::from_ref(&notes), Extent::Part).unwrap();
    assert!(changelog.contains("- the first line. … (0000000)\n"), "{changelog}");
    let short = writer.short_changelog(&notes, changelog.len() - 10).map(|fitted| fitted.steps.len());
    assert!(!matches!(short, Ok(0)), "{short:?}");
}
