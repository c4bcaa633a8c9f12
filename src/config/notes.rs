//! `notes:` of `release.yaml`: how changelogs and release notes are written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::inside;
use super::lint::WrittenLint;
use crate::model::CommitId;

/// How notes are made, and what is asked of the messages they are made from. Flags of `notes generate` overrule it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenNotes {
    /// Sections, headings and their order. Default: `kyklos`.
    pub preset: Option<NotesPreset>,
    /// A handlebars template in place of the one of the preset.
    pub template: Option<String>,
    /// Files in place of built-in partials, by name: `header`, `section`, `entry`, `contributors`, `footer` and the
    /// others of `notes template list`.
    #[serde(default)]
    pub partials: BTreeMap<String, String>,
    /// Headings in their order. Sections that are not named follow.
    #[serde(default)]
    pub sections: Vec<String>,
    /// The heading under which a type stands, or `hidden`: `perf: Performance`. `type(scope)` is more than `type`;
    /// `untyped` stands for messages without a type, and `other` for types that are none of the usual ones.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    /// Commits that are not told, by id or at least seven digits of it.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The footer of commits that are not told. Default: `Changelog: skip`.
    pub skip: Option<String>,
    /// Accounts on the forge by address: `ada@example.com: ada`.
    #[serde(default)]
    pub authors: BTreeMap<String, String>,
    /// Which number of the version a type moves: `docs: patch`. `type(scope)` is more than `type`; `breaking` stands
    /// for what breaks users, whatever its type, `untyped` for messages without a type, and `other` for types that are
    /// none of the usual ones. Default: `breaking` major, `feat` and deprecations minor, quiet types such as `docs` and
    /// `chore` none unless their scope is `deps`, everything else patch.
    #[serde(default)]
    pub bump: BTreeMap<String, BumpLevel>,
    /// The same before 1.0.0, where it differs. Default: `breaking` minor.
    #[serde(default)]
    pub initial_bump: BTreeMap<String, BumpLevel>,
    /// Keys of other trackers in messages, and their pages.
    #[serde(default)]
    pub references: Vec<TrackerSettings>,
    /// What `notes lint` asks of commit messages and pull request titles.
    #[serde(default)]
    pub lint: WrittenLint,
}

/// How a changelog looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotesPreset {
    /// Added, Changed, Fixed, Security, Deprecated, Removed, Breaking Changes.
    Kyklos,
    /// The sections and headings of keepachangelog.com 1.1.0.
    KeepAChangelog,
    /// What the release page of GitHub generates.
    Github,
}

/// Keys of a tracker in messages: `{pattern: '\bABC-[0-9]+', url: 'https://tracker.example/browse/{id}'}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackerSettings {
    /// A regular expression. What its first group matches is the id, else all it matches.
    pub pattern: String,
    /// The page, with `{id}` for the id.
    pub url: String,
    /// What it is. Default: `issue`.
    #[serde(default)]
    pub kind: ReferenceName,
}

/// What a key of a tracker stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceName {
    /// An issue.
    #[default]
    Issue,
    /// A pull or merge request.
    Pr,
    /// A work item.
    WorkItem,
}

/// Which number of a version moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BumpLevel {
    /// The first.
    Major,
    /// The second.
    Minor,
    /// The third.
    Patch,
    /// No number: it alone is no reason for a release.
    None,
}

/// How changelogs and release notes are written, as it is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// How a changelog looks, when it is said.
    pub preset: Option<NotesPreset>,
    /// A template in place of the one of the preset.
    pub template: Option<PathBuf>,
    /// Files in place of built-in partials.
    pub partials: BTreeMap<String, PathBuf>,
    /// Headings in their order.
    pub sections: Vec<String>,
    /// The heading of a type or of `type(scope)`, in lower case; `None` for types that are not told.
    pub types: BTreeMap<String, Option<String>>,
    /// The first digits of commits that are not told, in lower case.
    pub ignore: Vec<String>,
    /// Token and value of the footer of commits that are not told, when it is said.
    pub skip: Option<(String, String)>,
    /// Accounts by address in lower case.
    pub authors: BTreeMap<String, String>,
    /// Which number of the version a type or `type(scope)` in lower case moves, and `breaking`.
    pub bump: BTreeMap<String, BumpLevel>,
    /// The same before 1.0.0, where it differs.
    pub initial_bump: BTreeMap<String, BumpLevel>,
    /// Keys of other trackers in messages.
    pub references: Vec<TrackerSettings>,
}

/// What stands for messages without a type, beside the types.
pub const UNTYPED: &str = "untyped";
/// What stands for types that are none of the usual ones.
pub const OTHER: &str = "other";
/// What stands for no heading.
const HIDDEN: &str = "hidden";
/// The longest heading.
const MAX_TITLE: usize = 80;

/// Refuses a value: key, value, reason.
type Refuse<'a, E> = dyn Fn(&'static str, &str, String) -> E + 'a;

impl WrittenNotes {
    pub(super) fn mean<E>(&self, refuse: &Refuse<'_, E>) -> Result<Notes, E> {
        let path = |key, text: &String| {
            let reason = "it is not a relative path inside the repository";
            inside(text).ok_or_else(|| refuse(key, text, reason.to_owned()))
        };
        let mut notes = Notes {
            preset: self.preset,
            template: self.template.as_ref().map(|text| path("notes.template", text)).transpose()?,
            ..Notes::default()
        };
        for (name, file) in &self.partials {
            notes.partials.insert(name.clone(), path("notes.partials", file)?);
        }
        for title in &self.sections {
            notes.sections.push(heading(title).map_err(|reason| refuse("notes.sections", title, reason))?);
        }
        for (kind, title) in &self.types {
            let title = match title.as_str() {
                HIDDEN => None,
                title => Some(heading(title).map_err(|reason| refuse("notes.types", title, reason))?),
            };
            notes.types.insert(kind.to_lowercase(), title);
        }
        for digits in &self.ignore {
            let lower = digits.to_ascii_lowercase();
            if !CommitId::is_named_by(&lower) {
                let reason = "expected 7 to 40 hexadecimal digits; a number needs quotes".to_owned();
                return Err(refuse("notes.ignore", digits, reason));
            }
            notes.ignore.push(lower);
        }
        if let Some(footer) = &self.skip {
            let parts = footer.split_once(':').map(|(token, value)| (token.trim(), value.trim()));
            let (token, value) = parts
                .filter(|(token, value)| !token.is_empty() && !token.contains(' ') && !value.is_empty())
                .ok_or_else(|| refuse("notes.skip", footer, "expected `TOKEN: VALUE`".to_owned()))?;
            notes.skip = Some((token.to_owned(), value.to_owned()));
        }
        for (address, login) in &self.authors {
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_[]".contains(&byte);
            if login.is_empty() || !login.bytes().all(valid) {
                let reason = "an account has letters, digits, - and _".to_owned();
                return Err(refuse("notes.authors", login, reason));
            }
            notes.authors.insert(address.to_lowercase(), login.clone());
        }
        let lower = |table: &BTreeMap<String, BumpLevel>| {
            table.iter().map(|(kind, level)| (kind.to_lowercase(), *level)).collect()
        };
        for tracker in &self.references {
            let web = tracker.url.starts_with("https://") || tracker.url.starts_with("http://");
            if !web || !tracker.url.contains("{id}") || tracker.url.contains(char::is_whitespace) {
                let reason = "expected an address of the web with `{id}` in it".to_owned();
                return Err(refuse("notes.references.url", &tracker.url, reason));
            }
        }
        notes.references.clone_from(&self.references);
        (notes.bump, notes.initial_bump) = (lower(&self.bump), lower(&self.initial_bump));
        Ok(notes)
    }
}

/// A heading is one short line.
fn heading(title: &str) -> Result<String, String> {
    let clean = title.trim();
    if clean.is_empty() || clean.len() > MAX_TITLE || clean.chars().any(char::is_control) {
        return Err(format!("a heading is one line of 1 to {MAX_TITLE} bytes"));
    }
    Ok(clean.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[test]
    fn settings_of_notes() {
        let load = |text: &str| Config::load(format!("name: a\nnotes:\n{text}").as_bytes(), "release.yaml");
        let notes = load(
            "  preset: keep-a-changelog\n  template: t/all.hbs\n  partials: {entry: t/entry.hbs}\n  sections: [Added, Performance]\n  types: {perf: Performance, Docs: Documentation, feat(api): hidden}\n  ignore: ['0123ABC']\n  skip: 'Notes: none'\n  authors: {Ada@Example.com: ada-l}\n",
        )
        .unwrap()
        .notes;
        assert_eq!(notes.preset, Some(super::NotesPreset::KeepAChangelog));
        assert_eq!(notes.types["perf"].as_deref(), Some("Performance"));
        assert_eq!(
            (notes.types["docs"].as_deref(), notes.types["feat(api)"].as_deref()),
            (Some("Documentation"), None)
        );
        assert_eq!(
            (notes.ignore[0].as_str(), notes.authors["ada@example.com"].as_str()),
            ("0123abc", "ada-l")
        );
        assert_eq!(notes.skip, Some(("Notes".to_owned(), "none".to_owned())));
        for (text, message) in [
            ("  template: /etc/x\n", "`/etc/x` cannot be `notes.template`"),
            ("  ignore: [abc]\n", "7 to 40 hexadecimal digits"),
            ("  skip: never\n", "expected `TOKEN: VALUE`"),
            ("  authors: {a@b.c: 'x y'}\n", "letters, digits"),
            ("  sections: ['']\n", "a heading is one line"),
            ("  references: [{pattern: x, url: 'javascript:{id}'}]\n", "cannot be `notes.references.url`"),
            ("  bump: {docs: huge}\n", "unknown variant `huge`"),
            ("  presett: kyklos\n", "unknown field `presett`"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
