//! Notes as Markdown, through templates. What comes from commits is escaped: it can neither bring markup, nor call
//! people, nor close issues.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use handlebars::Handlebars;
use serde::Serialize;
use serde_json::{Value, json};

use super::document::{Document, FRAGMENTS};
use super::entry::Section;
use super::fault::{RenderError, Source, start};
use super::fit::{Fitted, fit};
use super::nesting::{DEEPEST, Endless, endless, partials, too_deep};
use super::release::ReleaseNotes;
use super::template::{self, BUILT_IN};
use super::view::{Face, LeftOut, Lines, Setting, View, sample};
use crate::diag::{counted, did_you_mean};
use crate::model::{Digest, Origin};

/// How a changelog looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Added, Changed, Fixed, Security, Deprecated, Removed, Breaking Changes
    Kyklos,
    /// The sections and headings of keepachangelog.com 1.1.0
    KeepAChangelog,
    /// What the release page of GitHub generates
    Github,
}

impl Preset {
    /// The name of its template, and of the partials that are its own.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kyklos => "kyklos",
            Self::KeepAChangelog => "keep-a-changelog",
            Self::Github => "github",
        }
    }

    /// The sections in their order.
    pub fn sections(self) -> [Section; 6] {
        use Section::{Added, Changed, Deprecated, Fixed, Removed, Security};
        match self {
            Self::Kyklos | Self::Github => [Added, Changed, Fixed, Security, Deprecated, Removed],
            Self::KeepAChangelog => [Added, Changed, Deprecated, Removed, Fixed, Security],
        }
    }
}

/// How much of a changelog is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it, with a title.
    Whole,
    /// Some releases.
    Part,
}

/// What kind of release notes speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Anything else.
    Stable,
    /// A version with a label.
    Prerelease,
    /// Only the last number moved.
    Patch,
    /// Only the last number moved, and holes were closed.
    Security,
}

impl Shape {
    /// The shape of notes.
    pub fn of(notes: &ReleaseNotes) -> Self {
        let secures = notes.sections.iter().any(|(section, _)| *section == Section::Security);
        match &notes.version {
            Some(version) if !version.pre.is_empty() => Self::Prerelease,
            Some(version) if version.patch > 0 && secures => Self::Security,
            Some(version) if version.patch > 0 => Self::Patch,
            Some(_) | None => Self::Stable,
        }
    }

    /// The name in templates, and the template.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Stable => ("stable", "release-notes"),
            Self::Prerelease => ("prerelease", "release-notes-prerelease"),
            Self::Patch => ("patch", "release-notes-patch"),
            Self::Security => ("security", "release-notes-security"),
        }
    }
}

/// Writes notes of one preset.
pub struct Writer {
    /// Built-in templates are read when they are needed first.
    engine: RefCell<Handlebars<'static>>,
    /// Whether the templates are known to end.
    checked: Cell<bool>,
    origin: Option<Origin>,
    sources: BTreeMap<String, Source>,
    /// Partials that are the user's.
    own: BTreeSet<String>,
}

/// The name the template of the user goes by.
const OWN: &str = "template";
/// The template of a release with the built-in partials in their places: an engine copies what a partial is given.
const FLAT: &str = "release with its partials";
/// Partials are no deeper in each other.
const MAX_DEPTH: usize = 8;

impl Writer {
    /// A writer with the built-in templates. Links lead to the origin, when there is one.
    pub fn new(preset: Preset, origin: Option<Origin>) -> Result<Self, RenderError> {
        let engine = RefCell::new(template::engine(origin.as_ref()));
        let checked = Cell::new(false);
        let mut writer = Self { engine, checked, origin, sources: BTreeMap::new(), own: BTreeSet::new() };
        let own = format!("{}/", preset.name());
        let mut take = |known: &str, name: &str, text: &str| {
            let path = format!("the built-in template {known}");
            writer
                .sources
                .insert(name.to_owned(), Source { name: name.to_owned(), path, text: text.to_owned() });
        };
        for (name, text) in BUILT_IN {
            take(name, name, text);
        }
        for (name, text) in BUILT_IN {
            if let Some(partial) = name.strip_prefix(&own) {
                take(name, partial, text);
            }
        }
        writer.flatten();
        Ok(writer)
    }

    /// Puts built-in partials that stand on a line of their own into that line; those of the user stay partials, so that
    /// what is wrong in them is told where it stands.
    fn flatten(&mut self) {
        let name = "release";
        self.engine.get_mut().unregister_template(FLAT);
        self.sources.remove(FLAT);
        if !self.own.contains(name) {
            let text = self.flat(name, 0);
            let source = Source { text, ..self.sources.get(name).cloned().unwrap_or_default() };
            self.sources.insert(FLAT.to_owned(), source);
        }
    }

    fn flat(&self, name: &str, depth: usize) -> String {
        // Without partials of the user lines come as they are written.
        if name == "entry" && self.own.is_empty() {
            return "{{{line}}}\n".to_owned();
        }
        let text = self.sources.get(name).map_or("", |source| source.text.as_str());
        let mut flat = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let partial = line.strip_prefix("{{> ").and_then(|line| line.strip_suffix("}}\n"));
            match partial.filter(|name| depth < MAX_DEPTH && !self.own.contains(*name)) {
                Some(partial) => flat.push_str(&self.flat(partial, depth + 1)),
                None => flat.push_str(line),
            }
        }
        flat
    }

    fn register(&mut self, name: &str, path: &str, text: &str) -> Result<(), RenderError> {
        let source = Source { name: name.to_owned(), path: path.to_owned(), text: text.to_owned() };
        read(self.engine.get_mut(), name, &source)?;
        self.checked.set(false);
        self.sources.insert(name.to_owned(), source);
        Ok(())
    }

    /// Takes a partial of the user in place of a built-in one. `path` is what the user knows it by.
    ///
    /// # Errors
    /// A name that no built-in template has, and text that is no template.
    pub fn with_partial(mut self, name: &str, path: &str, text: &str) -> Result<Self, RenderError> {
        let known = || BUILT_IN.iter().map(|(name, _)| *name).filter(|name| !name.contains('/'));
        if !known().any(|known| known == name) {
            let near = did_you_mean(name, known()).map(str::to_owned);
            return Err(RenderError::NoPartial { name: name.to_owned(), near });
        }
        // Lines of lists stand one below the other, whether the file ends in a line end or not.
        let text =
            if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
        self.register(name, path, &text)?;
        self.own.insert(name.to_owned());
        self.flatten();
        Ok(self)
    }

    /// Leaves a built-in partial empty.
    pub fn without(mut self, name: &str) -> Result<Self, RenderError> {
        self.register(name, &format!("the built-in template {name}"), "")?;
        self.flatten();
        Ok(self)
    }

    /// Whether every template is a built-in one.
    pub fn is_built_in(&self) -> bool {
        self.own.is_empty() && !self.has_own()
    }

    fn has_own(&self) -> bool {
        self.sources.contains_key(OWN)
    }

    /// Takes the template of the user for changelogs. `path` is what the user knows it by.
    pub fn with_template(mut self, path: &str, text: &str) -> Result<Self, RenderError> {
        self.register(OWN, path, text)?;
        Ok(self)
    }

    /// The changelog of releases, newest first.
    pub fn changelog(&self, releases: &[ReleaseNotes], extent: Extent) -> Result<String, RenderError> {
        let nothing = LeftOut::default();
        if self.has_own() {
            let views: Vec<View<'_>> =
                releases.iter().map(|notes| self.view(notes, &nothing, Lines::Parts)).collect();
            return self.render(OWN, &json!({ "title": extent == Extent::Whole, "releases": views }));
        }
        let mut parts = Parts::new(self, extent);
        let mut text = parts.start()?;
        for notes in releases {
            text.push_str(&parts.release(notes)?);
        }
        text.push_str(&parts.end()?);
        Ok(text)
    }

    /// A changelog in parts, release by release, so that no more than one is held; `None` where a template of the user
    /// wants all releases at once.
    pub fn parts(&self, extent: Extent) -> Option<Parts<'_>> {
        if self.has_own() { None } else { Some(Parts::new(self, extent)) }
    }

    /// One release of a changelog, with what stands behind all of them.
    fn single(&self, notes: &ReleaseNotes, left_out: &LeftOut) -> Result<String, RenderError> {
        if self.has_own() {
            let views = [self.view(notes, left_out, Lines::Parts)];
            return self.render(OWN, &json!({ "title": false, "releases": views }));
        }
        let text = self.one(notes, left_out)?;
        let links = self.links(&[Link::of(notes, self.origin.as_ref())])?;
        Ok(format!("{}\n", format!("{}\n\n{}", text.trim(), links.trim()).trim_end()))
    }

    fn one(&self, notes: &ReleaseNotes, left_out: &LeftOut) -> Result<String, RenderError> {
        let Some(flat) = self.sources.get(FLAT) else {
            return self.render("release", &self.view(notes, left_out, Lines::Parts));
        };
        // A partial of the user may ask for anything.
        if !self.own.is_empty() {
            return self.render(FLAT, &self.view(notes, left_out, Lines::Parts));
        }
        let mut view = self.view(notes, left_out, Lines::Written);
        if !flat.text.contains("contributors") {
            view.leave_out_people();
        }
        self.render(FLAT, &view)
    }

    fn links(&self, releases: &[Link]) -> Result<String, RenderError> {
        self.render("links", &json!({ "releases": releases }))
    }

    /// The text of one release.
    pub fn release_notes(&self, notes: &ReleaseNotes, document: &Document) -> Result<String, RenderError> {
        self.shaped(notes, document, &LeftOut::default())
    }

    fn shaped(
        &self,
        notes: &ReleaseNotes,
        document: &Document,
        left_out: &LeftOut,
    ) -> Result<String, RenderError> {
        let origin = self.origin.as_ref();
        let (face, lines) = (Face::Notes, Lines::Parts);
        let setting = Setting { origin, face, lines, left_out, document: Some(document) };
        let release = View::of(notes, &setting);
        let (shape, template) = Shape::of(notes).names();
        let page = |name: &str| Some(origin?.asset(notes.address()?.as_str(), name)).flatten();
        let has = |name: &str| document.files.iter().any(|(file, _)| file.as_str() == name);
        let files: Vec<Value> = document
            .files
            .iter()
            .map(|(name, digest)| json!({ "name": name, "url": page(name.as_str()), "sha256": digest.as_ref().map(Digest::hex) }))
            .collect();
        let written: Value = FRAGMENTS
            .iter()
            .map(|name| {
                (name.replace('-', "_"), document.written(name).map_or(Value::Null, |text| json!(text)))
            })
            .collect();
        let data = json!({
            "name": document.name,
            "type": kind(notes),
            "shape": shape,
            "counts": counts(notes, left_out),
            "security": release.security(),
            "release": release,
            "written": written,
            "image": document.image,
            "files": files,
            "install_url": page("install.yaml").filter(|_| has("install.yaml")),
            "sbom_url": page("sbom.json").filter(|_| has("sbom.json")),
            "issues_url": origin.map(|origin| format!("{}/issues", origin.web())),
            "checksums": has("checksums.txt"),
        });
        let text = self.render(template, &data)?;
        Ok(format!("{}\n", text.trim_end()))
    }

    /// The text of one release in at most `limit` bytes; what weighs least goes first.
    pub fn body(
        &self,
        notes: &ReleaseNotes,
        document: &Document,
        limit: usize,
    ) -> Result<Fitted, RenderError> {
        fit(notes, limit, &|notes, left_out| self.shaped(notes, document, left_out))
    }

    /// The changelog of one release in at most `limit` bytes; what weighs least goes first.
    pub fn short_changelog(&self, notes: &ReleaseNotes, limit: usize) -> Result<Fitted, RenderError> {
        fit(notes, limit, &|notes, left_out| self.single(notes, left_out))
    }

    /// Tries the template of the user, or a partial, on sample data.
    pub fn try_out(&self, partial: Option<&str>) -> Result<String, RenderError> {
        self.render(partial.unwrap_or(OWN), &partial.map_or_else(sample, |name| start(name, &sample())))
    }

    fn view<'a>(&'a self, notes: &'a ReleaseNotes, left_out: &'a LeftOut, lines: Lines) -> View<'a> {
        let origin = self.origin.as_ref();
        View::of(notes, &Setting { origin, face: Face::Changelog, lines, left_out, document: None })
    }

    /// Reads a template, and the partials it can come to.
    fn prepare(&self, name: &str) -> Result<(), RenderError> {
        let mut engine = self.engine.borrow_mut();
        let mut open = vec![name];
        if !self.is_built_in() {
            open.extend(self.sources.keys().map(String::as_str));
        }
        while let Some(name) = open.pop() {
            let Some(source) = self.sources.get(name).filter(|_| !engine.has_template(name)) else {
                continue;
            };
            read(&mut engine, name, source)?;
            open.extend(partials(&source.text));
        }
        if self.is_built_in() || self.checked.get() {
            return Ok(());
        }
        let templates = engine.get_templates().iter().map(|(name, template)| (name.as_str(), template));
        match endless(templates) {
            None => self.checked.set(true),
            Some(Endless::Circle(chain)) => return Err(RenderError::Circle { chain }),
            Some(Endless::Refused(name, reason)) => return Err(self.refused(&name, reason)),
        }
        Ok(())
    }

    fn refused(&self, name: &str, reason: &str) -> RenderError {
        RenderError::refused(&self.sources.get(name).cloned().unwrap_or_default(), 0, reason)
    }

    fn render(&self, name: &str, data: &impl Serialize) -> Result<String, RenderError> {
        self.prepare(name)?;
        match self.engine.borrow().render(name, data) {
            Ok(text) => Ok(tidy(&text)),
            Err(error) => {
                let failed = error.template_name.as_deref().unwrap_or(name);
                let failed = if failed == FLAT { "release" } else { failed };
                let source = self.sources.get(failed).cloned().unwrap_or_default();
                let names = self.sources.keys().map(String::as_str);
                let templates: Vec<&str> = names.filter(|name| *name != FLAT).collect();
                Err(RenderError::running(&source, &templates, &error))
            }
        }
    }
}

/// Takes a template into the engine.
fn read(engine: &mut Handlebars<'static>, name: &str, source: &Source) -> Result<(), RenderError> {
    if let Some(at) = too_deep(&source.text) {
        let reason = format!("it goes deeper than {DEEPEST} blocks or brackets");
        return Err(RenderError::refused(source, at, &reason));
    }
    engine.register_template_string(name, &source.text).map_err(|error| RenderError::syntax(source, &error))
}

/// A changelog while it is written.
pub struct Parts<'a> {
    writer: &'a Writer,
    extent: Extent,
    any: bool,
    /// What stands behind all releases is about these; `None` where nothing stands there.
    links: Option<Vec<Link>>,
}

/// What the end of a changelog sees of a release.
#[derive(Serialize)]
struct Link {
    name: String,
    version: Option<String>,
    tag: Option<String>,
    previous_tag: Option<String>,
    date: Option<String>,
    compare_url: Option<String>,
    url: Option<String>,
}

impl Link {
    fn of(notes: &ReleaseNotes, origin: Option<&Origin>) -> Self {
        let version = notes.version.as_ref().map(ToString::to_string);
        let compare_url = notes.compare_url(origin);
        Self {
            name: version.clone().unwrap_or_else(|| "Unreleased".to_owned()),
            version,
            tag: notes.tag.as_ref().map(ToString::to_string),
            previous_tag: notes.previous.as_ref().map(ToString::to_string),
            date: notes.date.clone(),
            url: compare_url.clone().or_else(|| notes.page(origin)),
            compare_url,
        }
    }
}

impl<'a> Parts<'a> {
    fn new(writer: &'a Writer, extent: Extent) -> Self {
        let linked = writer.sources.get("links").is_some_and(|source| !source.text.trim().is_empty());
        Self { writer, extent, any: false, links: linked.then(Vec::new) }
    }

    /// What stands above the releases.
    pub fn start(&mut self) -> Result<String, RenderError> {
        match self.extent {
            Extent::Whole => Ok(self.part(&self.writer.render("header", &json!({ "title": true }))?)),
            Extent::Part => Ok(String::new()),
        }
    }

    /// The next release.
    pub fn release(&mut self, notes: &ReleaseNotes) -> Result<String, RenderError> {
        if let Some(links) = &mut self.links {
            links.push(Link::of(notes, self.writer.origin.as_ref()));
        }
        let text = self.writer.one(notes, &LeftOut::default())?;
        Ok(self.part(&text))
    }

    /// What stands below the releases.
    pub fn end(&mut self) -> Result<String, RenderError> {
        let links = match self.links.take() {
            Some(links) => self.writer.links(&links)?,
            None => String::new(),
        };
        let end = self.part(&links);
        // Where nothing is told there is nothing, not an empty line.
        Ok(if self.any { format!("{end}\n") } else { String::new() })
    }

    /// A part with a blank line before it, unless it is the first.
    fn part(&mut self, text: &str) -> String {
        let text = text.trim();
        if text.is_empty() {
            return String::new();
        }
        let before = if std::mem::replace(&mut self.any, true) { "\n\n" } else { "" };
        format!("{before}{text}")
    }
}

/// One blank line where there are several, outside of code.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<(u8, usize)> = None;
    let mut blank = true;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if fence.is_none() && trimmed.is_empty() {
            if !blank {
                out.push_str(line);
            }
            blank = true;
            continue;
        }
        blank = false;
        let first = trimmed.bytes().next().filter(|first| b"`~".contains(first));
        let width = trimmed.bytes().take_while(|byte| Some(*byte) == first).count();
        match (fence, first) {
            (None, Some(mark)) if width > 2 => fence = Some((mark, width)),
            // As long as the one that opened it, and nothing behind it.
            (Some((open, long)), Some(mark)) if open == mark && width >= long && width == trimmed.len() => {
                fence = None;
            }
            _ => {}
        }
        out.push_str(line);
    }
    out
}

/// What kind of release it is, in words.
fn kind(notes: &ReleaseNotes) -> &'static str {
    match (Shape::of(notes), &notes.version) {
        (Shape::Security, _) => "security release",
        (Shape::Patch, _) => "patch release",
        (Shape::Prerelease, _) => "prerelease",
        (Shape::Stable, Some(version)) if version.minor == 0 && version.major > 0 => "major release",
        (Shape::Stable, Some(_)) => "minor release",
        (Shape::Stable, None) => "not released",
    }
}

/// What a release brings, counted: `1 new feature and 2 fixes`. `None` for nothing.
fn counts(notes: &ReleaseNotes, left_out: &LeftOut) -> Option<String> {
    let mut others = 0;
    let mut parts = Vec::new();
    let mut add = |count: usize, one: &str, many: &str| {
        if count > 0 {
            parts.push(counted(count, one, many));
        }
    };
    for (section, entries) in &notes.sections {
        let count = entries.len() + left_out.of(section);
        match section {
            Section::Added => add(count, "new feature", "new features"),
            Section::Changed => add(count, "improvement", "improvements"),
            Section::Fixed => add(count, "bug fix", "bug fixes"),
            Section::Security => add(count, "security fix", "security fixes"),
            Section::Deprecated => add(count, "deprecation", "deprecations"),
            Section::Removed => add(count, "removal", "removals"),
            Section::Named(_) => others += count,
        }
    }
    add(others, "other change", "other changes");
    let last = parts.pop()?;
    Some(if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) })
}

/// What a person fills in when notes could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// For a changelog.
    Changelog,
    /// For the notes of a release.
    ReleaseNotes,
}

/// The blank of a release. `mark` tells gates that nobody filled it in yet.
pub fn manual(
    blank: Blank,
    name: &str,
    version: &str,
    reason: &str,
    mark: &str,
) -> Result<String, RenderError> {
    let writer = Writer::new(Preset::Kyklos, None)?;
    let template = match blank {
        Blank::Changelog => "manual",
        Blank::ReleaseNotes => "manual-release-notes",
    };
    let data = json!({ "name": name, "version": version, "reason": reason, "mark": mark });
    Ok(format!("{}\n", writer.render(template, &data)?.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_are_found() {
        let text = "{{> one}}\n{{~#>two x}}{{/two}}{{#each a}}{{ b }}{{/each}}{{>three~}}";
        assert_eq!(partials(text).collect::<Vec<_>>(), ["one", "two", "three"]);
        let named = BUILT_IN.iter().flat_map(|(_, text)| partials(text));
        for name in named {
            assert!(BUILT_IN.iter().any(|(known, _)| *known == name), "{name}");
        }
    }

    #[test]
    fn blank_lines_are_collapsed_outside_of_code() {
        assert_eq!(tidy("\n\na\n\n\nb\n"), "a\n\nb\n");
        assert_eq!(tidy("```\n\n\n```\n\n\nx"), "```\n\n\n```\n\nx");
        assert_eq!(tidy("````\n```\n\n\n````\n\n\nx"), "````\n```\n\n\n````\n\nx");
    }
}
