//! One commit as templates see it.

use std::borrow::Cow;

use serde::Serialize;

use super::entry::{Entry, Reference, Status};
use super::helpers;
use crate::format::conventional::ReferenceKind;
use crate::format::markdown;
use crate::model::{Origin, Tag};

/// One line, or one thing that breaks.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum LineView<'a> {
    /// What a template can ask for.
    Parts(Box<Parts<'a>>),
    /// What the built-in template of a line makes of it. There are many lines, and an engine takes its time with each.
    Written {
        /// Markdown.
        line: String,
    },
}

#[derive(Serialize)]
pub(super) struct Parts<'a> {
    sha: String,
    #[serde(rename = "type")]
    kind: &'a str,
    scopes: &'a [String],
    prefix: Option<String>,
    description: Cow<'a, str>,
    /// What a breaking note says below its first lines, as Markdown that goes on an item of a list.
    more: Option<String>,
    breaking: bool,
    pr: Option<&'a str>,
    issues: Vec<&'a str>,
    advisories: Vec<&'a str>,
    authors: Vec<&'a str>,
    reverts: Option<String>,
    shipped: Option<&'a str>,
    also_in: Vec<&'a str>,
}

impl<'a> LineView<'a> {
    /// The line of a commit, for a template.
    pub(super) fn of(entry: &'a Entry) -> Self {
        Self::Parts(Box::new(Parts::of(entry, Cow::Borrowed(&entry.description))))
    }

    /// A line of what breaks, for a template.
    pub(super) fn of_break(entry: &'a Entry, note: &str) -> Self {
        Self::Parts(Box::new(Parts::of(entry, Cow::Owned(one_line(note)))))
    }

    /// All that was written about what breaks, for a template.
    pub(super) fn of_whole_break(entry: &'a Entry, note: &str) -> Self {
        let (line, rest) = told(note);
        let more = (!rest.is_empty()).then(|| markdown::blocks(rest, "  "));
        Self::Parts(Box::new(Parts { more, ..Parts::of(entry, Cow::Owned(line)) }))
    }

    /// The line of a commit, as the built-in template of a line has it.
    pub(super) fn written(entry: &Entry, origin: Option<&Origin>) -> Self {
        Self::Written { line: write(entry, &entry.description, origin) }
    }

    /// A line of what breaks, as the built-in template of a line has it.
    pub(super) fn written_break(entry: &Entry, note: &str, origin: Option<&Origin>) -> Self {
        Self::Written { line: write(entry, &one_line(note), origin) }
    }
}

impl<'a> Parts<'a> {
    fn of(entry: &'a Entry, description: Cow<'a, str>) -> Self {
        let (reverts, shipped) = match &entry.status {
            Status::Active => (None, None),
            Status::Reverts { target, shipped } => {
                (Some(target.to_string()), shipped.as_ref().map(Tag::as_str))
            }
        };
        Self {
            sha: entry.id.to_string(),
            kind: &entry.kind,
            scopes: &entry.scopes,
            prefix: entry.prefix(),
            description,
            more: None,
            breaking: !entry.breaking.is_empty(),
            pr: entry.pull_request().map(|reference| reference.id.as_str()),
            issues: told_by(entry, ReferenceKind::Issue).collect(),
            advisories: told_by(entry, ReferenceKind::Advisory).collect(),
            authors: entry.authors.iter().map(|person| person.name.as_str()).collect(),
            reverts,
            shipped,
            also_in: entry.also_in.iter().map(Tag::as_str).collect(),
        }
    }
}

/// What an entry refers to of one kind: here, or anywhere where it has no place.
fn told_by(entry: &Entry, kind: ReferenceKind) -> impl Iterator<Item = &str> {
    let here = move |reference: &&Reference| {
        reference.kind == kind && (reference.owner.is_none() || kind == ReferenceKind::Advisory)
    };
    entry.references.iter().filter(here).map(|reference| reference.id.as_str())
}

/// What `entry.md.hbs` says, word for word; a test compares the two.
fn write(entry: &Entry, description: &str, origin: Option<&Origin>) -> String {
    let mut line = String::with_capacity(description.len() + 160);
    line.push_str("- ");
    if let Some(prefix) = entry.prefix() {
        line.push_str("**");
        line.push_str(&markdown::text(&prefix));
        line.push_str(":** ");
    }
    line.push_str(&markdown::text(description));
    if let Status::Reverts { target, shipped } = &entry.status {
        line.push_str(" (takes back ");
        line.push_str(helpers::short(&target.to_string()));
        if let Some(shipped) = shipped {
            line.push_str(" of ");
            line.push_str(&markdown::text(shipped.as_str()));
        }
        line.push(')');
    }
    if !entry.also_in.is_empty() {
        let tags: Vec<&str> = entry.also_in.iter().map(Tag::as_str).collect();
        line.push_str(" (also in ");
        line.push_str(&markdown::text(&tags.join(", ")));
        line.push(')');
    }
    line.push_str(" (");
    line.push_str(&match entry.pull_request() {
        Some(pull) => helpers::pull_request_link(&pull.id, origin),
        None => helpers::commit_link(&entry.id.to_string(), origin),
    });
    for advisory in told_by(entry, ReferenceKind::Advisory) {
        line.push_str(", ");
        line.push_str(&helpers::advisory_link(advisory));
    }
    line.push(')');
    line
}

/// A note that is longer in one line, which says that there is more.
pub(super) fn in_a_line(note: &str) -> Option<String> {
    let (line, rest) = told(note);
    (!rest.is_empty()).then(|| format!("{} …", line.trim_end_matches(':')))
}

fn one_line(note: &str) -> String {
    in_a_line(note).unwrap_or_else(|| told(note).0)
}

/// What stands in one line of a note, and what does not: code, lists, tables and headings, with all that follows.
fn told(note: &str) -> (String, &str) {
    let mut at = 0;
    for line in note.split_inclusive('\n') {
        if at > 0 && markdown::opens_block(line) {
            break;
        }
        at += line.len();
    }
    let (line, rest) = note.split_at(at);
    (line.split_whitespace().collect::<Vec<_>>().join(" "), rest.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::CommitId;
    use crate::notes::{Ends, Extent, Preset, ReleaseNotes, Section, Writer};

    fn entry() -> impl Strategy<Value = Entry> {
        let words = || prop_oneof!["[a-zA-Z @#!`*_<>&:./0-9-]{1,30}", "[a-z ,()'\n]{1,60}", ".{0,20}"];
        let more = prop_oneof![
            Just(String::new()),
            Just(" (#12)".to_owned()),
            words()
                .prop_map(|text| format!("\n\n{text}\n\nCloses #3, CVE-2026-1234\nBREAKING CHANGE: {text}")),
        ];
        ("[a-z]{0,5}", "(\\([a-z, ]{1,9}\\))?!?: ", words(), more, any::<[u8; 3]>()).prop_map(
            |(kind, scopes, text, more, [a, b, c])| {
                let id = CommitId::from_bytes([a; 20]);
                let mut entry = Entry::of_message(id, &format!("{kind}{scopes}x{text}{more}")).unwrap();
                let tag: Tag = "v1.0.0+a_b".parse().unwrap();
                entry.also_in = vec![tag.clone(); usize::from(b % 3)];
                if c % 3 > 0 {
                    entry.status = Status::Reverts { target: id, shipped: Some(tag).filter(|_| c % 3 > 1) };
                }
                entry
            },
        )
    }

    fn nothing() -> ReleaseNotes {
        ReleaseNotes {
            tag: None,
            planned_tag: None,
            version: None,
            target: CommitId::from_bytes([1; 20]),
            previous: None,
            previous_version: None,
            previous_target: None,
            ends: Ends::Any,
            excluded: Vec::new(),
            aliases: Vec::new(),
            date: None,
            commits: Vec::new(),
            sections: Vec::new(),
            breaking: Vec::new(),
            hidden: 0,
            unconventional: 0,
            skipped: 0,
            cancelled: Vec::new(),
            copies: Vec::new(),
            contributors: Vec::new(),
            deciding: Vec::new(),
            signatures: Default::default(),
            unknown: None,
        }
    }

    proptest! {
        #[test]
        fn a_line_is_what_its_template_says(
            lines in proptest::collection::vec(entry(), 1..4),
            url in prop_oneof![
                Just(""),
                Just("git@github.com:o/r.git"),
                Just("https://gitlab.com/g/s/r"),
            ],
            preset in prop_oneof![Just(Preset::Kyklos), Just(Preset::KeepAChangelog), Just(Preset::Github)],
        ) {
            let breaking = lines.iter().filter(|line| !line.breaking.is_empty()).cloned().collect();
            let sections = vec![(Section::Added, lines)];
            let notes = [ReleaseNotes { sections, breaking, ..nothing() }];
            let writer = || Writer::new(preset, Origin::from_url(url)).unwrap();
            let template = include_str!("../../templates/notes/entry.md.hbs");
            // A partial of the user goes through the engine.
            let expected = writer().with_partial("entry", "entry.hbs", template).unwrap();
            prop_assert_eq!(
                writer().changelog(&notes, Extent::Part).unwrap(),
                expected.changelog(&notes, Extent::Part).unwrap()
            );
        }
    }
}
