//! One commit as a line of the notes.

use crate::format::conventional;
use crate::model::{Commit, CommitId, Person};

/// The sections of Keep a Changelog, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// New features.
    Added,
    /// Changes in what there was.
    Changed,
    /// Soon to be removed.
    Deprecated,
    /// Gone.
    Removed,
    /// Bug fixes.
    Fixed,
    /// Vulnerabilities.
    Security,
}

impl Section {
    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Added => "Added",
            Self::Changed => "Changed",
            Self::Deprecated => "Deprecated",
            Self::Removed => "Removed",
            Self::Fixed => "Fixed",
            Self::Security => "Security",
        }
    }

    /// The section of a type; `None` for types that users do not notice.
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "feat" | "feature" => Some(Self::Added),
            "fix" | "bugfix" | "hotfix" => Some(Self::Fixed),
            "security" | "sec" => Some(Self::Security),
            "deprecate" | "deprecated" => Some(Self::Deprecated),
            "remove" | "removed" => Some(Self::Removed),
            "perf" | "refactor" | "revert" | "change" => Some(Self::Changed),
            _ => None,
        }
    }
}

/// Where a commit stands in the notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In a section.
    Listed(Section),
    /// Nowhere, unless it breaks something.
    Hidden,
}

/// One commit as a line of the notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The commit.
    pub id: CommitId,
    /// The type of the message; empty when it has none.
    pub kind: String,
    /// Where it stands.
    pub place: Kind,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The first line without type and scope.
    pub description: String,
    /// What breaks, one text each; empty when nothing does.
    pub breaking: Vec<String>,
    /// What it refers to, as written.
    pub references: Vec<String>,
    /// Who wrote it.
    pub author: Person,
}

impl Entry {
    /// The line of a commit; `None` for merges, whose parents speak for themselves, and for empty messages.
    pub fn of(commit: &Commit) -> Option<Self> {
        if commit.parents.len() > 1 {
            return None;
        }
        let plain = |description: &str| Self {
            id: commit.id,
            kind: String::new(),
            place: Kind::Listed(Section::Changed),
            scopes: Vec::new(),
            description: description.to_owned(),
            breaking: Vec::new(),
            references: Vec::new(),
            author: commit.author.clone(),
        };
        let Ok(message) = conventional::parse(&commit.message) else {
            let first = commit.message.lines().next().unwrap_or_default().trim();
            return (!first.is_empty()).then(|| plain(first));
        };
        let advisory = message
            .references
            .iter()
            .any(|reference| ["CVE-", "GHSA-"].iter().any(|mark| reference.id.starts_with(mark)));
        let place = match Section::of(&message.kind) {
            Some(_) if advisory => Kind::Listed(Section::Security),
            Some(section) => Kind::Listed(section),
            None => Kind::Hidden,
        };
        Some(Self {
            kind: message.kind.to_string(),
            place,
            scopes: message.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            breaking: if message.breaking {
                message
                    .breaking_notes
                    .iter()
                    .map(|note| note.split_whitespace().collect::<Vec<_>>().join(" "))
                    .collect()
            } else {
                Vec::new()
            },
            references: message.references.iter().map(|reference| reference.id.to_owned()).collect(),
            ..plain(message.description)
        })
    }
}
