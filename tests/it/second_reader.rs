//! Commit messages, read by us and by git-conventional 1.1.0: where the two differ, it is in one of the ways listed here,
//! and in the direction listed here. The clauses are those of Conventional Commits 1.0.0.

use std::collections::BTreeSet;
use std::path::Path;

use kyklos_release::format::conventional;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// What both readers say of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    kind: String,
    scopes: Vec<String>,
    description: String,
    breaking: bool,
}

fn ours(message: &str) -> Option<Read> {
    let read = conventional::parse(message).ok()?;
    Some(Read {
        kind: read.kind.into_owned(),
        scopes: read.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        description: read.description.to_owned(),
        breaking: read.breaking,
    })
}

fn theirs(message: &str) -> Option<Read> {
    let read = git_conventional::Commit::parse(message).ok()?;
    let scopes = read.scope().map(|scope| scope.as_str().to_owned()).unwrap_or_default();
    Some(Read {
        kind: read.type_().as_str().to_lowercase(),
        scopes: scopes
            .split(',')
            .map(|scope| scope.trim().to_owned())
            .filter(|_| !scopes.is_empty())
            .collect(),
        description: read.description().trim().to_owned(),
        breaking: read.breaking(),
    })
}

/// The ways in which the readers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Clause 1: `feat:x`. Only they take it for a type.
    Space,
    /// Clause 1: `ruby/gemspec: x` and `2fa: x`. Only they take that for a noun.
    Noun,
    /// Clause 4: `fix(a,): x`. Only they take nothing for a scope.
    Scope,
    /// Clause 5: `feat:` and then a paragraph. Only they take that for the description.
    Description,
    /// Clause 6: no blank line before the body. Only we read on.
    BlankLine,
    /// Clause 8: `Note:` at the end is a footer without a value. Only we read on.
    Value,
    /// Clause 8: `BREAKING CHANGE: x` without a blank line before it. Only to us it breaks.
    LooseBreak,
    /// A squashed body: `* feat!: x`. Only to us it breaks.
    Bullet,
    /// Clause 10: a footer without a value takes the paragraphs behind it. Only to us a `BREAKING CHANGE` there breaks.
    Swallowed,
    /// Clause 12: `BREAKING CHANGE:x` and `BREAKING CHANGE #x`. Only to them it breaks.
    Separator,
    /// Clause 12: `BREAKING CHANGE:` and nothing. Only to them it breaks.
    Nothing,
    /// Clause 7: inside of a code fence. Only to them it breaks.
    Fence,
}

/// The difference between two answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    OnlyWeAccept,
    OnlyTheyAccept,
    OnlyWeBreak,
    OnlyTheyBreak,
    Words,
}

impl Class {
    const ALL: [Self; 12] = [
        Self::Space,
        Self::Noun,
        Self::Scope,
        Self::Description,
        Self::BlankLine,
        Self::Value,
        Self::LooseBreak,
        Self::Bullet,
        Self::Swallowed,
        Self::Separator,
        Self::Nothing,
        Self::Fence,
    ];

    fn difference(self) -> Difference {
        match self {
            Self::Space | Self::Noun | Self::Scope | Self::Description => Difference::OnlyTheyAccept,
            Self::BlankLine | Self::Value => Difference::OnlyWeAccept,
            Self::LooseBreak | Self::Bullet | Self::Swallowed => Difference::OnlyWeBreak,
            Self::Separator | Self::Nothing | Self::Fence => Difference::OnlyTheyBreak,
        }
    }

    /// Whether a message has what this class is about, by its letters alone.
    fn is_in(self, message: &str) -> bool {
        let text = message.trim_end();
        let first = text.lines().next().unwrap_or_default();
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim_end).collect();
        let behind = behind_the_colon(first);
        let notes = ["BREAKING CHANGE", "BREAKING-CHANGE"];
        let note = |line: &str| notes.iter().find_map(|note| line.strip_prefix(note).map(str::to_owned));
        match self {
            Self::Space => behind.starts_with(|c: char| c != ' ' && c != '\u{a0}'),
            Self::Noun => {
                let end = first.find(['(', '!', ':']).unwrap_or(first.len());
                let noun = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
                !first[..end].chars().all(noun) || !first.starts_with(char::is_alphabetic)
            }
            Self::Scope => first.split_once('(').is_some_and(|(_, inner)| {
                inner.split(')').next().unwrap_or_default().split(',').any(|scope| scope.trim().is_empty())
            }),
            Self::Description => first.trim_end().ends_with(':') && behind.trim().is_empty(),
            Self::BlankLine => {
                lines.first().is_some_and(|line| !line.is_empty())
                    || text.lines().nth(1).is_some_and(|line| !line.is_empty())
            }
            Self::Value => {
                let last = lines.last().copied().unwrap_or_default();
                last.ends_with(':') || last.ends_with(" #")
            }
            Self::LooseBreak => lines
                .windows(2)
                .any(|pair| !pair[0].is_empty() && note(pair[1]).is_some_and(|rest| rest.starts_with(':'))),
            Self::Bullet => lines.iter().any(|line| {
                let bullet = line.strip_prefix("* ").or_else(|| line.strip_prefix("- ")).map(str::trim_start);
                bullet.is_some_and(|text| note(text).is_some() || text.contains("!: "))
            }),
            Self::Swallowed => {
                let empty = lines.iter().position(|line| line.ends_with(':') && note(line).is_none());
                empty.is_some_and(|at| lines[at..].iter().any(|line| note(line).is_some()))
            }
            Self::Separator => lines.iter().filter_map(|line| note(line)).any(|rest| {
                rest.starts_with(" #") || (rest.starts_with(':') && rest.len() > 1 && !rest.starts_with(": "))
            }),
            Self::Nothing => lines.iter().any(|line| note(line).is_some_and(|rest| rest == ":")),
            Self::Fence => {
                let fences = |lines: &[&str]| {
                    lines
                        .iter()
                        .filter(|line| ["```", "~~~"].iter().any(|mark| line.trim_start().starts_with(mark)))
                        .count()
                };
                (0..lines.len()).any(|at| note(lines[at]).is_some() && fences(&lines[..at]) > 0)
            }
        }
    }
}

/// What stands behind the colon of a first line; one inside of a scope is not it.
fn behind_the_colon(first: &str) -> &str {
    let colon = first.find(':').unwrap_or(first.len());
    let scope = first.find('(').filter(|open| *open < colon);
    let from = scope.and_then(|open| first[open..].find(')').map(|close| open + close)).unwrap_or(0);
    first[from..].split_once(':').map_or("", |(_, behind)| behind)
}

/// Every difference between the answers to a message.
fn differences(message: &str) -> Vec<Difference> {
    match (ours(message), theirs(message)) {
        (None, None) => Vec::new(),
        (Some(_), None) => vec![Difference::OnlyWeAccept],
        (None, Some(_)) => vec![Difference::OnlyTheyAccept],
        (Some(ours), Some(theirs)) => {
            let mut found = Vec::new();
            if ours.breaking != theirs.breaking {
                found.push(if ours.breaking { Difference::OnlyWeBreak } else { Difference::OnlyTheyBreak });
            }
            if (Read { breaking: false, ..ours }) != (Read { breaking: false, ..theirs }) {
                found.push(Difference::Words);
            }
            found
        }
    }
}

/// Differences that no class explains.
fn unexplained(message: &str) -> Vec<Difference> {
    let explained: Vec<Difference> =
        Class::ALL.into_iter().filter(|class| class.is_in(message)).map(Class::difference).collect();
    differences(message).into_iter().filter(|difference| !explained.contains(difference)).collect()
}

#[test]
fn every_class_has_a_message_that_shows_it() {
    let mut shown = BTreeSet::new();
    for (class, message) in [
        (Class::Space, "feat:add x"),
        (Class::Noun, "ruby/gemspec: x"),
        (Class::Noun, "2fa: x"),
        (Class::Scope, "fix(a,): x"),
        (Class::Description, "feat:\n\nthe body"),
        (Class::BlankLine, "feat: x\nbody"),
        (Class::Value, "feat: x\n\nNote:"),
        (Class::LooseBreak, "feat: x\n\nbody\nBREAKING CHANGE: y"),
        (Class::Bullet, "feat: x\n\n* fix: a\n* feat!: b"),
        (Class::Bullet, "feat: x\n\n* BREAKING CHANGE: y"),
        (Class::Swallowed, "feat: x\n\nNote:\n\nBREAKING CHANGE: y"),
        (Class::Separator, "feat: x\n\nBREAKING CHANGE #y"),
        (Class::Separator, "feat: x\n\nBREAKING CHANGE:y"),
        (Class::Nothing, "feat: x\n\nBREAKING CHANGE:\nRefs: #1"),
        (Class::Fence, "feat: x\n\n```\n\nBREAKING CHANGE: y\n```"),
    ] {
        assert_eq!(differences(message), [class.difference()], "{message:?}");
        assert!(class.is_in(message), "{message:?}");
        shown.insert(class);
    }
    assert_eq!(shown.len(), Class::ALL.len());
}

#[test]
fn where_the_specification_is_plain_both_say_the_same() {
    for message in [
        "feat: x",
        "FEAT(Api, web)!: x",
        "fix(deps): Revert \"build(deps): y\"",
        "my-type: x",
        "добавка: x",
        "feat: x: y",
        "feat: x  ",
        "feat:\u{a0}x",
        "feat: x\n\nbody\n\nReviewed-by: Z\nRefs #123",
        "feat: x\n\nBREAKING CHANGE: y",
        "feat: x\n\nbody\n\nBREAKING-CHANGE: y",
        "feat: x\n\nBREAKING CHANGE: y\n\nstill y\n\nBREAKING CHANGE: z",
        "feat: x\n\nbreaking change: y",
        "feat: x\n\nBreaking-Change: y",
        "feat: x\r\n\r\nbody\r\n\r\nBREAKING CHANGE: y\r\n",
        "feat: x\n\n```\nBREAKING CHANGE: y\n```",
        "feat! : x",
        "feat!!: x",
        "feat!(a): x",
        "fix(): x",
        "fix(a(b)): x",
        " feat: x",
        "feat",
        "Merge branch 'x'",
        "Revert \"feat: x\"",
        "fixup! feat: x",
        "",
    ] {
        assert_eq!(differences(message), [], "{message:?}: {:?} {:?}", ours(message), theirs(message));
    }
}

#[test]
fn the_messages_of_this_repository_are_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(root.join("fuzz/corpus/conventional")).unwrap() {
        messages.extend(String::from_utf8(std::fs::read(entry.unwrap().path()).unwrap()));
    }
    // The lines of changelogs, each as a first line and as a body.
    for entry in std::fs::read_dir(root.join("testdata/notes")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines() {
            messages.extend([line.to_owned(), format!("feat: {line}"), format!("fix: x\n\n{line}")]);
        }
        messages.push(format!("docs: a changelog\n\n{text}"));
    }
    assert!(messages.len() > 100);
    for message in messages {
        assert_eq!(unexplained(&message), [], "{message:?}: {:?} {:?}", ours(&message), theirs(&message));
    }
}

/// A first line, right or nearly so.
fn header() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec![
        "feat",
        "Fix",
        "DOCS",
        "my-type",
        "build2",
        "2fa",
        "a/b",
        "修复",
        "",
        "feat ",
        "fixup! feat",
        "snake_case",
    ]);
    let scope = prop::sample::select(vec![
        "",
        "(a)",
        "(a, b)",
        "(a,b,c)",
        "()",
        "( )",
        "(a,)",
        "(a(b))",
        "(a",
        "a)",
        "(@s/p v1.0)",
        " (a)",
    ]);
    let mark = prop::sample::select(vec!["", "", "", "!", "!!", " !"]);
    let colon = prop::sample::select(vec![": ", ": ", ": ", ": ", ":", ":  ", " : ", ":\u{a0}", " ", ""]);
    let text = prop_oneof![4 => "[a-z]{1,6}( [a-zA-Z:!()#]{1,6}){0,3}", 1 => "[ -~]{0,20}"];
    (kind, scope, mark, colon, text)
        .prop_map(|(kind, scope, mark, colon, text)| format!("{kind}{scope}{mark}{colon}{text}"))
}

/// Lines as they stand in messages.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(String::new()),
        2 => "[a-z]{1,8}( [a-z]{1,8}){0,4}",
        1 => "[ -~]{0,24}",
        4 => prop::sample::select(vec![
            "BREAKING CHANGE: it breaks", "BREAKING-CHANGE: it breaks", "BREAKING CHANGE #5", "BREAKING CHANGE:tight",
            "BREAKING CHANGE:", "BREAKING CHANGE", "breaking change: no", "Breaking Change: no", "* feat!: nested",
            "- fix(a)!: nested", "* fix: nested", "* BREAKING CHANGE: nested", "```", "~~~", "---------",
            "Signed-off-by: A <a@b.c>", "Refs #12", "Closes: #1, #2", "https://example.org/a", "Note: text", "Note:",
            "  indented: x", "- item: x", "Acked by: A", "feat: another", "a!: b", "Reviewed-by:Z",
        ]).prop_map(str::to_owned),
    ]
}

proptest! {
    // A list is no proof, and the other reader does not change: the same messages every time.
    #![proptest_config(ProptestConfig { cases: 4096, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]
    #[test]
    fn every_difference_is_one_of_the_list(
        header in header(),
        lines in prop::collection::vec(line(), 0..9),
        ending in prop::sample::select(vec!["\n", "\n", "\r\n"]),
    ) {
        let mut message = header;
        for line in &lines {
            message += ending;
            message += line;
        }
        prop_assert_eq!(unexplained(&message), [], "{:?}: {:?} {:?}", &message, ours(&message), theirs(&message));
    }
}
