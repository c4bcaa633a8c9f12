//! What templates see of a release.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::document::Document;
use super::entry::{Entry, Section};
use super::line::LineView;
use super::people::Contributor;
use super::release::ReleaseNotes;
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

/// What templates see of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Its parts.
    Parts,
    /// What the built-in template makes of them, which is for a changelog.
    Written,
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
    pub lines: Lines,
    pub left_out: &'a LeftOut,
    pub document: Option<&'a Document>,
}

impl<'a> View<'a> {
    pub(super) fn of(notes: &'a ReleaseNotes, setting: &Setting<'a>) -> Self {
        let Setting { origin, face, lines, left_out, document } = setting;
        let line = |entry: &'a Entry| match lines {
            Lines::Parts => LineView::of(entry),
            Lines::Written => LineView::written(entry, *origin),
        };
        // A changelog has one line of what breaks; notes have all that was written.
        let broken = |entry: &'a Entry, note: &str| match (lines, face) {
            (Lines::Written, _) => LineView::written_break(entry, note, *origin),
            (Lines::Parts, Face::Changelog) => LineView::of_break(entry, note),
            (Lines::Parts, Face::Notes) => LineView::of_whole_break(entry, note),
        };
        let version = notes.version.as_ref().map(ToString::to_string);
        let name = version.clone().unwrap_or_else(|| "Unreleased".to_owned());
        let compare_url = notes.compare_url(*origin);
        let section = |section: &'a Section, entries: &'a [Entry]| SectionView {
            title: face.title(section),
            mark: face.mark(),
            written: document.and_then(|document| document.of_section(section)),
            entries: entries.iter().map(line).collect(),
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
                .flat_map(|entry| entry.breaking.iter().map(|note| broken(entry, note)))
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

    /// Leaves out who contributed, for a template that does not ask for them.
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
