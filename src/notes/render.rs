//! Notes as Markdown, through templates. What comes from commits is escaped: it can neither bring markup, nor call
//! people, nor close issues.

use handlebars::Handlebars;
use serde_json::{Value, json};

use super::entry::Entry;
use super::release::ReleaseNotes;
use crate::diag::{Hint, Kind};

const CHANGELOG: &str = include_str!("../../templates/changelog.md.hbs");
const RELEASE_NOTES: &str = include_str!("../../templates/release-notes.md.hbs");
const MANUAL: &str = include_str!("../../templates/manual-notes.md.hbs");

/// What the documents are about beside the notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The name of the project.
    pub name: String,
    /// What is pulled, `REPOSITORY:TAG@DIGEST`.
    pub image: Option<String>,
}

/// A changelog of releases, newest first; with a title when it is a whole one.
pub fn changelog(
    releases: &[ReleaseNotes],
    title: bool,
    template: Option<&str>,
) -> Result<String, RenderError> {
    let releases: Vec<Value> = releases.iter().map(value).collect();
    render(template.unwrap_or(CHANGELOG), &json!({ "title": title, "releases": releases }))
}

/// The text of one release.
pub fn release_notes(notes: &ReleaseNotes, document: &Document) -> Result<String, RenderError> {
    let data = json!({
        "name": document.name,
        "version": version(notes),
        "prerelease": notes.version.as_ref().is_some_and(|version| !version.pre.is_empty()),
        "release": value(notes),
        "image": document.image,
    });
    render(RELEASE_NOTES, &data)
}

/// What a person fills in when notes could not be generated. `mark` tells gates that nobody did yet.
pub fn manual(name: &str, version: &str, reason: &str, mark: &str) -> Result<String, RenderError> {
    render(MANUAL, &json!({ "name": name, "version": version, "reason": reason, "mark": mark }))
}

fn render(template: &str, data: &Value) -> Result<String, RenderError> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(false);
    engine.register_escape_fn(escape);
    let text = engine
        .render_template(template, data)
        .map_err(|source| RenderError::Template { source: Box::new(source) })?;
    Ok(format!("{}\n", text.trim_end()))
}

fn version(notes: &ReleaseNotes) -> String {
    notes.version.as_ref().map_or_else(|| "Unreleased".to_owned(), ToString::to_string)
}

fn value(notes: &ReleaseNotes) -> Value {
    let line = |entry: &Entry, text: &str| {
        json!({
            "text": text,
            "scope": entry.scopes.join(", "),
            "short": entry.id.short(),
            "kind": entry.kind,
        })
    };
    let sections: Vec<Value> = notes
        .sections
        .iter()
        .map(|(section, entries)| {
            let entries: Vec<Value> = entries.iter().map(|entry| line(entry, &entry.description)).collect();
            json!({ "title": section.title(), "entries": entries })
        })
        .collect();
    let breaking: Vec<Value> =
        notes.breaking.iter().flat_map(|entry| entry.breaking.iter().map(|text| line(entry, text))).collect();
    let heading = match &notes.date {
        Some(date) => format!("{} - {date}", version(notes)),
        None => version(notes),
    };
    json!({
        "heading": heading,
        "any": !sections.is_empty() || !breaking.is_empty(),
        "sections": sections,
        "breaking": breaking,
        "contributors": notes.contributors,
    })
}

/// Text as Markdown text: no markup, no HTML, no link, no mention, no issue reference (CommonMark 0.31, section 2.4).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '{' | '}' | '!' | '&' => {
                out.push('\\');
                out.push(c);
            }
            // A backslash stops neither mentions nor references; a character without width does.
            '@' | '#' => {
                out.push('\\');
                out.push(c);
                out.push('\u{200b}');
            }
            // `https://…` would be linked by GitHub.
            ':' if text[at..].starts_with("://") => out.push_str(":\u{200b}"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.replace("www.", "www\u{200b}.")
}

/// Why notes could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template is wrong.
    #[error("the template cannot be used")]
    Template {
        /// Where and why.
        #[source]
        source: Box<handlebars::RenderError>,
    },
}

impl Hint for RenderError {
    fn code(&self) -> &'static str {
        "notes-template"
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_commit_is_markup() {
        let escaped =
            escape("<img src=x> @org/team closes org/repo#1 [a](javascript:x) `c` https://x.y www.x.y\u{1b}");
        for bad in ["<img", "@org", "#1", "](", "://", "www.x", "\u{1b}"] {
            assert!(!escaped.replace("\\<", "").replace("\\]", "").contains(bad), "{bad}: {escaped}");
        }
    }

    #[test]
    fn a_broken_template_is_told() {
        assert!(changelog(&[], true, Some("{{#each")).is_err());
        assert_eq!(changelog(&[], true, None).unwrap(), "# Changelog\n");
    }

    #[test]
    fn the_manual_template_carries_its_mark() {
        let text = manual("kyklos", "1.0.0", "shallow clone", "<!-- mark -->").unwrap();
        assert!(
            text.contains("# kyklos 1.0.0")
                && text.contains("<!-- mark -->")
                && text.contains("shallow clone")
        );
    }
}
