//! What people write by hand for the notes of a release, and what its files tell.

use std::collections::BTreeMap;

use super::entry::Section;
use crate::model::{AssetName, Digest};

/// The texts that are written by hand for a release, by the names of their files without `.md`.
pub const FRAGMENTS: [&str; 13] = [
    "overview",
    "whats-new",
    "improvements",
    "bug-fixes",
    "security",
    "deprecations",
    "breaking",
    "testing",
    "upgrade",
    "known-issues",
    "kubernetes",
    "installation",
    "contributors",
];

/// What no commit tells of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The name of the project.
    pub name: String,
    /// What is pulled, `REPOSITORY:TAG@DIGEST`.
    pub image: Option<String>,
    /// The files of the release, when they are known, with their digests where they are there already.
    pub files: Vec<(AssetName, Option<Digest>)>,
    /// Texts that are written by hand, by their names in [`FRAGMENTS`]. Markdown, taken as it is.
    pub written: BTreeMap<&'static str, String>,
}

impl Document {
    /// A text that is written by hand.
    pub(super) fn written(&self, name: &str) -> Option<&str> {
        self.written.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// The text above the lines of a section.
    pub(super) fn of_section(&self, section: &Section) -> Option<&str> {
        self.written(match section {
            Section::Added => "whats-new",
            Section::Changed => "improvements",
            Section::Fixed => "bug-fixes",
            Section::Security => "security",
            Section::Deprecated => "deprecations",
            Section::Removed | Section::Named(_) => return None,
        })
    }
}
