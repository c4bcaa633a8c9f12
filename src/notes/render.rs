//! Notes as Markdown, through templates. What comes from commits is escaped: it can neither bring markup, nor call
//! people, nor close issues.

use std::collections::BTreeMap;

use handlebars::Handlebars;
use serde::Serialize;
use serde_json::{Value, json};

use super::document::{Document, FRAGMENTS};
use super::entry::Section;
use super::fault::{RenderError, Source, start};
use super::fit::{Fitted, fit};
use super::release::ReleaseNotes;
use super::template::{self, BUILT_IN};
use super::view::{Face, LeftOut, Setting, View, sample};
use crate::format::yaml::did_you_mean;
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
    engine: Handlebars<'static>,
    origin: Option<Origin>,
    sources: BTreeMap<String, Source>,
}

/// The name the template of the user goes by.
const OWN: &str = "template";

impl Writer {
    /// A writer with the built-in templates. Links lead to the origin, when there is one.
    pub fn new(preset: Preset, origin: Option<Origin>) -> Result<Self, RenderError> {
        let mut writer = Self { engine: template::engine(origin.as_ref()), origin, sources: BTreeMap::new() };
        let own = format!("{}/", preset.name());
        for (name, text) in BUILT_IN {
            writer.register(name, &format!("the built-in template {name}"), text)?;
        }
        for (name, text) in BUILT_IN {
            if let Some(partial) = name.strip_prefix(&own) {
                writer.register(partial, &format!("the built-in template {name}"), text)?;
            }
        }
        Ok(writer)
    }

    fn register(&mut self, name: &str, path: &str, text: &str) -> Result<(), RenderError> {
        let source = Source { name: name.to_owned(), path: path.to_owned(), text: text.to_owned() };
        self.engine
            .register_template_string(name, text)
            .map_err(|error| RenderError::syntax(&source, &error))?;
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
        Ok(self)
    }

    /// Takes the template of the user for changelogs. `path` is what the user knows it by.
    pub fn with_template(mut self, path: &str, text: &str) -> Result<Self, RenderError> {
        self.register(OWN, path, text)?;
        Ok(self)
    }

    /// The changelog of releases, newest first.
    pub fn changelog(&self, releases: &[ReleaseNotes], extent: Extent) -> Result<String, RenderError> {
        let nothing = LeftOut::default();
        let title = extent == Extent::Whole;
        if self.engine.has_template(OWN) {
            let views: Vec<View<'_>> = releases.iter().map(|notes| self.view(notes, &nothing)).collect();
            return self.render(OWN, &json!({ "title": title, "releases": views }));
        }
        // Release by release, so that no more than one is held in another form.
        let mut text = String::new();
        let mut add = |part: String| {
            let part = part.trim();
            if !part.is_empty() {
                text.push_str(if text.is_empty() { "" } else { "\n\n" });
                text.push_str(part);
            }
        };
        if title {
            add(self.render("header", &json!({ "title": true }))?);
        }
        for notes in releases {
            add(self.render("release", &self.view(notes, &nothing))?);
        }
        add(self.links(releases)?);
        text.push('\n');
        Ok(text)
    }

    /// One release of a changelog, with what stands behind all of them.
    fn single(&self, notes: &ReleaseNotes, left_out: &LeftOut) -> Result<String, RenderError> {
        if self.engine.has_template(OWN) {
            let views = [self.view(notes, left_out)];
            return self.render(OWN, &json!({ "title": false, "releases": views }));
        }
        let text = self.render("release", &self.view(notes, left_out))?;
        let links = self.links(std::slice::from_ref(notes))?;
        Ok(format!("{}\n", format!("{}\n\n{}", text.trim(), links.trim()).trim_end()))
    }

    fn links(&self, releases: &[ReleaseNotes]) -> Result<String, RenderError> {
        let light: Vec<Value> = releases
            .iter()
            .map(|notes| {
                let compare = notes.compare_url(self.origin.as_ref());
                json!({
                    "name": notes.version.as_ref().map_or_else(|| "Unreleased".to_owned(), ToString::to_string),
                    "version": notes.version,
                    "tag": notes.tag,
                    "previous_tag": notes.previous,
                    "date": notes.date,
                    "compare_url": compare,
                    "url": compare.clone().or_else(|| notes.page(self.origin.as_ref())),
                })
            })
            .collect();
        self.render("links", &json!({ "releases": light }))
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
        let setting = Setting { origin, face: Face::Notes, left_out, document: Some(document) };
        let release = View::of(notes, &setting);
        let (shape, template) = Shape::of(notes).names();
        let page = |name: &str| Some(origin?.asset(notes.tag.as_ref()?.as_str(), name)).flatten();
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

    fn view<'a>(&'a self, notes: &'a ReleaseNotes, left_out: &'a LeftOut) -> View<'a> {
        let setting =
            Setting { origin: self.origin.as_ref(), face: Face::Changelog, left_out, document: None };
        View::of(notes, &setting)
    }

    fn render(&self, name: &str, data: &impl Serialize) -> Result<String, RenderError> {
        match self.engine.render(name, data) {
            Ok(text) => Ok(tidy(&text)),
            Err(error) => {
                let failed = error.template_name.as_deref().unwrap_or(name);
                let source = self.sources.get(failed).cloned().unwrap_or_default();
                let templates: Vec<&str> = self.sources.keys().map(String::as_str).collect();
                Err(RenderError::running(&source, &templates, &error))
            }
        }
    }
}

/// One blank line where there are several, outside of code.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
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
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
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
            parts.push(format!("{count} {}", if count == 1 { one } else { many }));
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
    fn blank_lines_are_collapsed_outside_of_code() {
        assert_eq!(tidy("\n\na\n\n\nb\n"), "a\n\nb\n");
        assert_eq!(tidy("```\n\n\n```\n\n\nx"), "```\n\n\n```\n\nx");
    }
}
