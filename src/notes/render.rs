//! Notes as Markdown, through templates. What comes from commits is escaped: it can neither bring markup, nor call
//! people, nor close issues.

use handlebars::{Handlebars, RenderErrorReason};
use serde::Serialize;
use serde_json::{Value, json};

use super::entry::{Entry, Reference, Section, Status};
use super::people::Contributor;
use super::release::ReleaseNotes;
use super::template;
use crate::diag::{Hint, Kind, Span};
use crate::format::conventional::ReferenceKind;
use crate::format::yaml::did_you_mean;
use crate::model::Origin;

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
    /// The name of its template.
    pub fn template(self) -> &'static str {
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

/// Texts of a release that no commit tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The name of the project.
    pub name: String,
    /// What is pulled, `REPOSITORY:TAG@DIGEST`.
    pub image: Option<String>,
    /// Written by hand: what the release is about.
    pub overview: Option<String>,
    /// Written by hand: what users have to do.
    pub upgrade: Option<String>,
    /// Written by hand: what does not work.
    pub known_issues: Option<String>,
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
    /// Holes were closed.
    Security,
}

impl Shape {
    /// The shape of notes. What closes holes is that first.
    pub fn of(notes: &ReleaseNotes) -> Self {
        let version = notes.version.as_ref();
        if notes.sections.iter().any(|(section, _)| *section == Section::Security) {
            Self::Security
        } else if version.is_some_and(|version| !version.pre.is_empty()) {
            Self::Prerelease
        } else if version.is_some_and(|version| version.patch > 0) {
            Self::Patch
        } else {
            Self::Stable
        }
    }

    fn overview(self) -> &'static str {
        match self {
            Self::Stable => "overview-stable",
            Self::Prerelease => "overview-prerelease",
            Self::Patch => "overview-patch",
            Self::Security => "overview-security",
        }
    }
}

/// Writes notes of one preset.
pub struct Writer {
    engine: Handlebars<'static>,
    preset: Preset,
    origin: Option<Origin>,
}

/// The name a template of the user goes by.
const OWN: &str = "template";

impl Writer {
    /// A writer with the built-in templates. Links lead to the origin, when there is one.
    pub fn new(preset: Preset, origin: Option<Origin>) -> Result<Self, RenderError> {
        let mut writer = Self { engine: template::engine(origin.as_ref()), preset, origin };
        for (name, text) in template::BUILT_IN {
            writer.register(name, text)?;
        }
        Ok(writer)
    }

    /// Takes a template of the user, or a partial in place of a built-in one.
    pub fn register(&mut self, name: &str, text: &str) -> Result<(), RenderError> {
        self.engine
            .register_template_string(name, text)
            .map_err(|error| RenderError::syntax(name, text, &error))
    }

    /// Takes the template of the user for changelogs.
    pub fn with_template(mut self, text: &str) -> Result<Self, RenderError> {
        self.register(OWN, text)?;
        Ok(self)
    }

    /// The changelog of releases, newest first; with a title when it is a whole one.
    pub fn changelog(&self, releases: &[ReleaseNotes], title: bool) -> Result<String, RenderError> {
        if self.engine.has_template(OWN) {
            let views: Vec<View> = releases.iter().map(|notes| self.view(notes, 0)).collect();
            return self.render(OWN, &json!({ "title": title, "releases": views }));
        }
        let mut text = self.render(self.preset.template(), &json!({ "title": title, "releases": [] }))?;
        text.truncate(text.trim_end().len());
        for notes in releases {
            text.push_str(if text.is_empty() { "" } else { "\n\n" });
            text.push_str(self.section(notes, 0)?.trim());
        }
        text.push('\n');
        Ok(text)
    }

    /// One release of a changelog. `left_out` lines are said to be elsewhere.
    fn section(&self, notes: &ReleaseNotes, left_out: usize) -> Result<String, RenderError> {
        self.render(
            self.preset.template(),
            &json!({ "title": false, "releases": [self.view(notes, left_out)] }),
        )
    }

    /// The text of one release.
    pub fn release_notes(&self, notes: &ReleaseNotes, document: &Document) -> Result<String, RenderError> {
        self.shaped(notes, document, 0)
    }

    fn shaped(
        &self,
        notes: &ReleaseNotes,
        document: &Document,
        left_out: usize,
    ) -> Result<String, RenderError> {
        let overview = match &document.overview {
            Some(text) => text.clone(),
            None => {
                let data = json!({ "name": document.name, "release": self.view(notes, left_out) });
                self.render(Shape::of(notes).overview(), &data)?.trim_end().to_owned()
            }
        };
        let data = json!({
            "name": document.name,
            "overview": overview,
            "upgrade": document.upgrade,
            "known_issues": document.known_issues,
            "release": self.view(notes, left_out),
            "image": document.image,
        });
        let text = self.render("release-notes", &data)?;
        Ok(format!("{}\n", text.trim_end()))
    }

    /// The text of one release in at most `limit` bytes; what weighs least goes first. The number of lines that were left out comes
    /// along.
    pub fn body(
        &self,
        notes: &ReleaseNotes,
        document: &Document,
        limit: usize,
    ) -> Result<(String, usize), RenderError> {
        fit(notes, limit, &|notes, left_out| self.shaped(notes, document, left_out))
    }

    /// The changelog of one release in at most `limit` bytes; what weighs least goes first.
    pub fn short_changelog(
        &self,
        notes: &ReleaseNotes,
        limit: usize,
    ) -> Result<(String, usize), RenderError> {
        fit(notes, limit, &|notes, left_out| Ok(format!("{}\n", self.section(notes, left_out)?.trim_end())))
    }

    fn render(&self, name: &str, data: &impl Serialize) -> Result<String, RenderError> {
        self.engine.render(name, data).map_err(|error| RenderError::running(name, &error))
    }

    fn view<'a>(&self, notes: &'a ReleaseNotes, left_out: usize) -> View<'a> {
        let version = notes.version.as_ref().map(ToString::to_string);
        let title = version.clone().unwrap_or_else(|| "Unreleased".to_owned());
        View {
            heading: match &notes.date {
                Some(date) => format!("{title} - {date}"),
                None => title,
            },
            tag: notes.tag.as_ref().map(|tag| tag.as_str()),
            prerelease: notes.version.as_ref().is_some_and(|version| !version.pre.is_empty()),
            version,
            target_sha: notes.target.to_string(),
            previous_tag: notes.previous.as_ref().map(|tag| tag.as_str()),
            date: notes.date.as_deref(),
            compare_url: notes.compare_url(self.origin.as_ref()),
            any: !notes.sections.is_empty() || !notes.breaking.is_empty(),
            sections: notes
                .sections
                .iter()
                .map(|(section, entries)| SectionView {
                    title: section.title(),
                    entries: entries.iter().map(|entry| LineView::of(entry, &entry.description)).collect(),
                })
                .collect(),
            breaking: notes
                .breaking
                .iter()
                .flat_map(|entry| entry.breaking.iter().map(|text| LineView::of(entry, text)))
                .collect(),
            contributors: notes.contributors.iter().map(Person::of).collect(),
            new_contributors: notes
                .contributors
                .iter()
                .filter(|contributor| contributor.first_time == Some(true) && !contributor.bot)
                .map(Person::of)
                .collect(),
            left_out,
        }
    }
}

/// What a person fills in when notes could not be generated. `mark` tells gates that nobody did yet.
pub fn manual(name: &str, version: &str, reason: &str, mark: &str) -> Result<String, RenderError> {
    let writer = Writer::new(Preset::Kyklos, None)?;
    let data = json!({ "name": name, "version": version, "reason": reason, "mark": mark });
    Ok(format!("{}\n", writer.render("manual", &data)?.trim_end()))
}

/// Shortens at the ends of lines until a text fits: contributors go first, then lines of the least weight from the
/// end of their section. What breaks and what closes holes stays longest.
fn fit(
    notes: &ReleaseNotes,
    limit: usize,
    write: &dyn Fn(&ReleaseNotes, usize) -> Result<String, RenderError>,
) -> Result<(String, usize), RenderError> {
    let whole = write(notes, 0)?;
    if whole.len() <= limit {
        return Ok((whole, 0));
    }
    let mut notes = notes.clone();
    notes.contributors.clear();
    let weight = |section: &Section| match section {
        Section::Named(_) => -1,
        Section::Changed => 0,
        Section::Removed => 1,
        Section::Deprecated => 2,
        Section::Fixed => 3,
        Section::Added => 4,
        Section::Security => 6,
    };
    let lines: usize =
        notes.sections.iter().map(|(_, entries)| entries.len()).sum::<usize>() + notes.breaking.len();
    let without = |count: usize| {
        let mut short = notes.clone();
        let mut order: Vec<(i32, Option<usize>)> =
            short.sections.iter().enumerate().map(|(at, (section, _))| (weight(section), Some(at))).collect();
        order.push((5, None));
        order.sort_by_key(|(weight, _)| *weight);
        let mut left = count;
        for (_, at) in order {
            let entries = match at {
                Some(at) => &mut short.sections[at].1,
                None => &mut short.breaking,
            };
            let gone = left.min(entries.len());
            entries.truncate(entries.len() - gone);
            left -= gone;
        }
        short.sections.retain(|(_, entries)| !entries.is_empty());
        short
    };
    // The text gets shorter with every line that goes: the fewest that will do.
    let (mut low, mut high) = (0, lines);
    while low < high {
        let middle = usize::midpoint(low, high);
        if write(&without(middle), middle)?.len() <= limit {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let text = write(&without(low), low)?;
    if text.len() > limit { Err(RenderError::TooLong { limit, found: text.len() }) } else { Ok((text, low)) }
}

#[derive(Serialize)]
struct View<'a> {
    heading: String,
    tag: Option<&'a str>,
    version: Option<String>,
    target_sha: String,
    previous_tag: Option<&'a str>,
    date: Option<&'a str>,
    prerelease: bool,
    compare_url: Option<String>,
    any: bool,
    sections: Vec<SectionView<'a>>,
    breaking: Vec<LineView<'a>>,
    contributors: Vec<Person<'a>>,
    new_contributors: Vec<Person<'a>>,
    left_out: usize,
}

#[derive(Serialize)]
struct SectionView<'a> {
    title: &'a str,
    entries: Vec<LineView<'a>>,
}

#[derive(Serialize)]
struct LineView<'a> {
    sha: String,
    #[serde(rename = "type")]
    kind: &'a str,
    scopes: &'a [String],
    description: &'a str,
    pr: Option<&'a str>,
    issues: Vec<&'a str>,
    authors: Vec<&'a str>,
    reverts: Option<String>,
    shipped: Option<&'a str>,
}

impl<'a> LineView<'a> {
    fn of(entry: &'a Entry, description: &'a str) -> Self {
        let issue =
            |reference: &&Reference| reference.kind == ReferenceKind::Issue && reference.owner.is_none();
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
            description,
            pr: entry.pull_request().map(|reference| reference.id.as_str()),
            issues: entry.references.iter().filter(issue).map(|reference| reference.id.as_str()).collect(),
            authors: entry.authors.iter().map(|person| person.name.as_str()).collect(),
            reverts,
            shipped,
        }
    }
}

#[derive(Serialize)]
struct Person<'a> {
    name: &'a str,
    login: Option<&'a str>,
    bot: bool,
    first_sha: String,
}

impl<'a> Person<'a> {
    fn of(contributor: &'a Contributor) -> Self {
        Self {
            name: &contributor.name,
            login: contributor.login.as_deref(),
            bot: contributor.bot,
            first_sha: contributor.first_sha.to_string(),
        }
    }
}

/// Why notes could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template cannot be read.
    #[error("the template `{name}` cannot be read: {reason}")]
    Syntax {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
        /// Where.
        span: Box<Span>,
    },
    /// The template asks for something that is not there.
    #[error("the template `{name}` failed at line {line}, column {column}: {reason}")]
    Running {
        /// Its name.
        name: String,
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
        /// Why.
        reason: String,
        /// A name that was probably meant.
        near: Option<String>,
    },
    /// Nothing more can be left out.
    #[error("the notes have {found} bytes with every line left out, and {limit} are allowed")]
    TooLong {
        /// Bytes.
        limit: usize,
        /// Bytes.
        found: usize,
    },
}

/// Names a template can ask for.
const NAMES: [&str; 32] = [
    "title",
    "releases",
    "release",
    "heading",
    "tag",
    "version",
    "target_sha",
    "previous_tag",
    "date",
    "prerelease",
    "compare_url",
    "any",
    "sections",
    "entries",
    "breaking",
    "contributors",
    "new_contributors",
    "left_out",
    "sha",
    "type",
    "scopes",
    "description",
    "pr",
    "issues",
    "authors",
    "reverts",
    "shipped",
    "name",
    "login",
    "bot",
    "first_sha",
    "image",
];

impl RenderError {
    fn syntax(name: &str, text: &str, error: &handlebars::TemplateError) -> Self {
        let (line, column) = error.pos().unwrap_or((1, 1));
        let start_of_line: usize =
            text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = text.get(start_of_line..).unwrap_or_default();
        let inside =
            rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.trim_end().len(), |(at, _)| at);
        let start = (start_of_line + inside).min(text.len());
        let span = Span {
            path: name.to_owned(),
            source: text.to_owned(),
            start,
            end: start,
            label: "here".to_owned(),
        };
        // The parser lists the names of its rules; what it means is that a tag is open or misspelt.
        let reason = match error.reason() {
            handlebars::TemplateErrorReason::InvalidSyntax(_) => "a `{{` or a block is not closed".to_owned(),
            other => other.to_string(),
        };
        Self::Syntax { name: name.to_owned(), reason, span: Box::new(span) }
    }

    fn running(name: &str, error: &handlebars::RenderError) -> Self {
        let (reason, near) = match error.reason() {
            RenderErrorReason::MissingVariable(path) => {
                let path = path.clone().unwrap_or_default();
                let asked = path.rsplit('.').next().unwrap_or_default();
                (format!("there is no `{path}` here"), did_you_mean(asked, NAMES).map(str::to_owned))
            }
            other => (other.to_string(), None),
        };
        Self::Running {
            name: error.template_name.clone().unwrap_or_else(|| name.to_owned()),
            line: error.line_no.unwrap_or(1),
            column: error.column_no.unwrap_or(1),
            reason,
            near,
        }
    }
}

impl Hint for RenderError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } | Self::Running { .. } => "notes-template",
            Self::TooLong { .. } => "notes-too-long",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Running { near: Some(near), .. } => vec![
                format!("did you mean `{near}`?"),
                "`kyklos-release notes template show kyklos` prints a template that works".to_owned(),
            ],
            Self::Syntax { .. } | Self::Running { .. } => {
                vec!["`kyklos-release notes template show kyklos` prints a template that works".to_owned()]
            }
            Self::TooLong { .. } => Vec::new(),
        }
    }

    fn span(&self) -> Option<Span> {
        match self {
            Self::Syntax { span, .. } => Some((**span).clone()),
            Self::Running { .. } | Self::TooLong { .. } => None,
        }
    }
}

/// Data with every name a template can ask for, to try a template on.
pub(super) fn sample() -> Value {
    let entry = json!({
        "sha": "0123456789abcdef0123456789abcdef01234567", "type": "feat", "scopes": ["api"],
        "description": "a sample", "pr": "12", "issues": ["3"], "authors": ["Ada"], "reverts": null, "shipped": null,
    });
    let person = json!({ "name": "Ada", "login": "ada", "bot": false,
        "first_sha": "0123456789abcdef0123456789abcdef01234567" });
    let release = json!({
        "heading": "1.2.3 - 2026-01-31", "tag": "v1.2.3", "version": "1.2.3", "previous_tag": "v1.2.2",
        "target_sha": "0123456789abcdef0123456789abcdef01234567", "date": "2026-01-31", "prerelease": false,
        "compare_url": "https://example.com/compare", "any": true,
        "sections": [{ "title": "Added", "entries": [entry] }], "breaking": [entry],
        "contributors": [person], "new_contributors": [person], "left_out": 1,
    });
    json!({ "title": true, "releases": [release], "release": release, "name": "app", "image": "a/b:v1.2.3" })
}

impl Writer {
    /// Tries the template of the user on sample data.
    pub fn try_out(&self) -> Result<String, RenderError> {
        self.render(OWN, &sample())
    }
}
