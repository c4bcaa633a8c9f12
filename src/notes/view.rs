//! What templates see of a release.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Value, json};

use super::document::Document;
use super::entry::{Entry, Reference, Section, Status};
use super::people::Contributor;
use super::release::ReleaseNotes;
use crate::format::conventional::ReferenceKind;
use crate::format::markdown;
use crate::model::Origin;

/// In which text a release is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// One of many in a changelog.
    Changelog,
    /// By itself, for its users.
    Notes,
}

impl Face {
    /// What stands before the heading of a section.
    fn mark(self) -> &'static str {
        match self {
            Self::Changelog => "###",
            Self::Notes => "##",
        }
    }

    /// The heading of a section.
    fn title(self, section: &Section) -> &str {
        match (self, section) {
            (Self::Changelog, _) | (_, Section::Named(_) | Section::Security) => section.title(),
            (Self::Notes, Section::Added) => "What's New",
            (Self::Notes, Section::Changed) => "Improvements",
            (Self::Notes, Section::Fixed) => "Bug Fixes",
            (Self::Notes, Section::Deprecated) => "Deprecations",
            (Self::Notes, Section::Removed) => "Removals",
        }
    }
}

/// How many lines of each section are elsewhere, and of those that break something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub sections: Vec<(Section, usize)>,
    pub breaking: usize,
}

impl LeftOut {
    pub(super) fn total(&self) -> usize {
        self.sections.iter().map(|(_, count)| count).sum::<usize>() + self.breaking
    }

    pub(super) fn of(&self, section: &Section) -> usize {
        self.sections.iter().find(|(known, _)| known == section).map_or(0, |(_, count)| *count)
    }
}

/// One release.
#[derive(serde::Serialize)]
pub(super) struct View<'a> {
    heading: String,
    name: String,
    tag: Option<&'a str>,
    version: Option<String>,
    target_sha: String,
    previous_tag: Option<&'a str>,
    aliases: Vec<&'a str>,
    date: Option<&'a str>,
    prerelease: bool,
    url: Option<String>,
    compare_url: Option<String>,
    full_url: Option<String>,
    any: bool,
    mark: &'static str,
    sections: Vec<SectionView<'a>>,
    security: Option<SectionView<'a>>,
    retired: Vec<SectionView<'a>>,
    breaking: Vec<LineView<'a>>,
    breaking_left_out: usize,
    breaking_written: Option<&'a str>,
    contributors: Vec<PersonView<'a>>,
    new_contributors: Vec<PersonView<'a>>,
    left_out: usize,
}

#[derive(serde::Serialize)]
pub(super) struct SectionView<'a> {
    title: &'a str,
    mark: &'static str,
    written: Option<&'a str>,
    entries: Vec<LineView<'a>>,
    left_out: usize,
}

struct LineView<'a> {
    sha: String,
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
    /// What is written of it.
    fields: Fields,
}

/// Which fields of a line are written: all, or of those that the built-in templates ask for only such that say
/// something. There are many lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fields {
    All,
    Needed { kind: bool, scopes: bool, breaking: bool, issues: bool, authors: bool },
}

impl Serialize for LineView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all = self.fields == Fields::All;
        let mut map = serializer.serialize_map(None)?;
        if all || self.pr.is_none() {
            map.serialize_entry("sha", &self.sha)?;
        }
        let (kind, scopes, breaking, issues, authors) = match self.fields {
            Fields::All => (true, true, true, true, true),
            Fields::Needed { kind, scopes, breaking, issues, authors } => {
                (kind, scopes, breaking, issues, authors)
            }
        };
        if kind {
            map.serialize_entry("type", &self.kind)?;
        }
        if scopes {
            map.serialize_entry("scopes", &self.scopes)?;
        }
        if all || self.prefix.is_some() {
            map.serialize_entry("prefix", &self.prefix)?;
        }
        map.serialize_entry("description", &self.description)?;
        if all || self.more.is_some() {
            map.serialize_entry("more", &self.more)?;
        }
        if breaking {
            map.serialize_entry("breaking", &self.breaking)?;
        }
        if all || self.pr.is_some() {
            map.serialize_entry("pr", &self.pr)?;
        }
        if issues {
            map.serialize_entry("issues", &self.issues)?;
        }
        map.serialize_entry("advisories", &self.advisories)?;
        if authors {
            map.serialize_entry("authors", &self.authors)?;
        }
        if all || self.reverts.is_some() {
            map.serialize_entry("reverts", &self.reverts)?;
        }
        if all || self.shipped.is_some() {
            map.serialize_entry("shipped", &self.shipped)?;
        }
        if all || !self.also_in.is_empty() {
            map.serialize_entry("also_in", &self.also_in)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct PersonView<'a> {
    name: &'a str,
    login: Option<&'a str>,
    bot: bool,
    first_sha: String,
    first_pr: Option<&'a str>,
}

/// Where the pages of a release are, what is left out of it, and what is written about it by hand.
pub(super) struct Setting<'a> {
    pub origin: Option<&'a Origin>,
    pub face: Face,
    pub left_out: &'a LeftOut,
    pub document: Option<&'a Document>,
}

impl<'a> View<'a> {
    pub(super) fn of(notes: &'a ReleaseNotes, setting: &Setting<'a>) -> Self {
        let Setting { origin, face, left_out, document } = setting;
        let version = notes.version.as_ref().map(ToString::to_string);
        let name = version.clone().unwrap_or_else(|| "Unreleased".to_owned());
        let compare_url = notes.compare_url(*origin);
        let section = |section: &'a Section, entries: &'a [Entry]| SectionView {
            title: face.title(section),
            mark: face.mark(),
            written: document.and_then(|document| document.of_section(section)),
            entries: entries
                .iter()
                .map(|entry| LineView::of(entry, Cow::Borrowed(&entry.description)))
                .collect(),
            left_out: left_out.of(section),
        };
        let mut view = Self {
            heading: match &notes.date {
                Some(date) => format!("{name} - {date}"),
                None => name.clone(),
            },
            name,
            tag: notes.tag.as_ref().map(|tag| tag.as_str()),
            prerelease: notes.version.as_ref().is_some_and(|version| !version.pre.is_empty()),
            version,
            target_sha: notes.target.to_string(),
            previous_tag: notes.previous.as_ref().map(|tag| tag.as_str()),
            aliases: notes.aliases.iter().map(|tag| tag.as_str()).collect(),
            date: notes.date.as_deref(),
            url: compare_url.clone().or_else(|| notes.page(*origin)),
            full_url: notes.changelog_page(*origin).or_else(|| compare_url.clone()),
            compare_url,
            any: !notes.sections.is_empty() || !notes.breaking.is_empty() || left_out.total() > 0,
            mark: face.mark(),
            sections: Vec::new(),
            security: None,
            retired: Vec::new(),
            breaking: notes
                .breaking
                .iter()
                .flat_map(|entry| entry.breaking.iter().map(|text| LineView::of_break(entry, text, *face)))
                .collect(),
            breaking_left_out: left_out.breaking,
            breaking_written: document.and_then(|document| document.written("breaking")),
            contributors: different(&notes.contributors).map(PersonView::of).collect(),
            new_contributors: notes
                .contributors
                .iter()
                .filter(|contributor| contributor.first_time == Some(true) && !contributor.bot)
                .map(PersonView::of)
                .collect(),
            left_out: left_out.total(),
        };
        for (known, entries) in &notes.sections {
            match (face, known) {
                (Face::Notes, Section::Security) => view.security = Some(section(known, entries)),
                (Face::Notes, Section::Deprecated | Section::Removed) => {
                    view.retired.push(section(known, entries));
                }
                _ => view.sections.push(section(known, entries)),
            }
        }
        if *face == Face::Notes {
            view.add_written(notes, &section);
        }
        view
    }

    /// Leaves out what the built-in templates do not ask for: `names` tells which words are in the one of
    /// lines. They look whether something is there before they ask for it.
    pub(super) fn leave_out(&mut self, names: &dyn Fn(&str) -> bool) {
        let fields = Fields::Needed {
            kind: names("type"),
            scopes: names("scopes"),
            breaking: names("breaking"),
            issues: names("issues"),
            authors: names("authors"),
        };
        let sections = self.sections.iter_mut().chain(&mut self.security).chain(&mut self.retired);
        let lines = sections.flat_map(|section| &mut section.entries).chain(&mut self.breaking);
        lines.for_each(|line| line.fields = fields);
    }

    /// The same for everybody who contributed.
    pub(super) fn leave_out_people(&mut self) {
        self.contributors.clear();
        self.new_contributors.clear();
    }

    pub(super) fn security(&self) -> Option<&SectionView<'a>> {
        self.security.as_ref()
    }

    /// What is written by hand has its section also when no commit has one.
    fn add_written(
        &mut self,
        notes: &ReleaseNotes,
        section: &dyn Fn(&'a Section, &'a [Entry]) -> SectionView<'a>,
    ) {
        const NEW: &Section = &Section::Added;
        let missing = |known: &Section| !notes.sections.iter().any(|(section, _)| section == known);
        let written =
            |known: &'static Section| Some(section(known, &[])).filter(|view| view.written.is_some());
        for known in [NEW, &Section::Changed, &Section::Fixed].into_iter().filter(|known| missing(known)) {
            let Some(view) = written(known) else { continue };
            let at = if known == NEW { 0 } else { self.sections.len() };
            self.sections.insert(at, view);
        }
        if missing(&Section::Security) {
            self.security = written(&Section::Security);
        }
        if missing(&Section::Deprecated)
            && let Some(view) = written(&Section::Deprecated)
        {
            self.retired.insert(0, view);
        }
    }
}

impl<'a> LineView<'a> {
    /// A line of what breaks. A changelog has one line; notes have all that was written.
    fn of_break(entry: &'a Entry, note: &'a str, face: Face) -> Self {
        let (line, rest) = told(note);
        let more = (face == Face::Notes && !rest.is_empty()).then(|| markdown::blocks(rest, "  "));
        let line = if more.is_some() { line } else { in_a_line(note).unwrap_or(line) };
        Self { more, ..Self::of(entry, Cow::Owned(line)) }
    }

    fn of(entry: &'a Entry, description: Cow<'a, str>) -> Self {
        let of = |kind: ReferenceKind| {
            let here = move |reference: &&'a Reference| {
                reference.kind == kind && (reference.owner.is_none() || kind == ReferenceKind::Advisory)
            };
            entry.references.iter().filter(here).map(|reference| reference.id.as_str()).collect()
        };
        let (reverts, shipped) = match &entry.status {
            Status::Active => (None, None),
            Status::Reverts { target, shipped } => {
                (Some(target.to_string()), shipped.as_ref().map(|tag| tag.as_str()))
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
            issues: of(ReferenceKind::Issue),
            advisories: of(ReferenceKind::Advisory),
            authors: entry.authors.iter().map(|person| person.name.as_str()).collect(),
            reverts,
            shipped,
            also_in: entry.also_in.iter().map(|tag| tag.as_str()).collect(),
            fields: Fields::All,
        }
    }
}

/// A note that is longer in one line, which says that there is more.
pub(super) fn in_a_line(note: &str) -> Option<String> {
    let (line, rest) = told(note);
    (!rest.is_empty()).then(|| format!("{} …", line.trim_end_matches(':')))
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

/// People who would be told in the same words are told once.
fn different(people: &[Contributor]) -> impl Iterator<Item = &Contributor> {
    let mut told = HashSet::new();
    people.iter().filter(move |person| told.insert((&person.name, &person.login)))
}

impl<'a> PersonView<'a> {
    fn of(contributor: &'a Contributor) -> Self {
        Self {
            name: &contributor.name,
            login: contributor.login.as_deref(),
            bot: contributor.bot,
            first_sha: contributor.first_sha.to_string(),
            first_pr: contributor.first_pr.as_deref(),
        }
    }
}

/// Data with every name a template can ask for, to try a template on and to tell what is where.
pub(super) fn sample() -> Value {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let entry = json!({
        "sha": sha, "type": "feat", "scopes": ["api"], "prefix": "api", "description": "a sample", "more": "words", "breaking": true, "pr": "12",
        "issues": ["3"], "advisories": ["CVE-2026-1"], "authors": ["Ada"], "reverts": sha, "shipped": "v1.2.1",
        "also_in": ["v1.1.5"],
    });
    let person = json!({ "name": "Ada", "login": "ada", "bot": false, "first_sha": sha, "first_pr": "12" });
    let section =
        json!({ "title": "Added", "mark": "###", "written": "words", "entries": [entry], "left_out": 1 });
    let release = json!({
        "heading": "1.2.3 - 2026-01-31", "name": "1.2.3", "tag": "v1.2.3", "version": "1.2.3", "target_sha": sha,
        "previous_tag": "v1.2.2", "aliases": [], "date": "2026-01-31", "prerelease": false,
        "url": "https://example.com/tag", "compare_url": "https://example.com/compare",
        "full_url": "https://example.com/full", "any": true, "mark": "###", "sections": [section],
        "security": section, "retired": [section], "breaking": [entry], "breaking_left_out": 1,
        "breaking_written": "words", "contributors": [person], "new_contributors": [person], "left_out": 1,
    });
    let mut sample = json!({
        "title": true, "releases": [release], "release": release, "name": "app", "type": "Minor release",
        "shape": "stable", "counts": "1 new feature", "image": "host/app:v1.2.3@sha256:00",
        "files": [{ "name": "install.yaml", "url": "https://example.com/install.yaml", "sha256": "00" }],
        "install_url": "https://example.com/install.yaml", "sbom_url": "https://example.com/sbom.json",
        "issues_url": "https://example.com/issues", "checksums": true, "security": section,
    });
    let written: Value =
        super::document::FRAGMENTS.iter().map(|name| (name.replace('-', "_"), json!("words"))).collect();
    sample["written"] = written;
    sample
}
