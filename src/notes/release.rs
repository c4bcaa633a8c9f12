//! The notes of one release.

use std::collections::BTreeMap;

use semver::Version;

use super::entry::{Entry, Kind, Section};
use super::ownership::{History, Since};
use crate::model::{CommitId, Tag, TagFacts};

/// What a release brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseNotes {
    /// The tag; `None` for what is not released.
    pub tag: Option<Tag>,
    /// The version; `None` for what is not released and has no version yet.
    pub version: Option<Version>,
    /// The commit.
    pub target: CommitId,
    /// The release before.
    pub previous: Option<Tag>,
    /// `YYYY-MM-DD` of the tag.
    pub date: Option<String>,
    /// Every commit it owns, newest first.
    pub commits: Vec<CommitId>,
    /// Lines by section, sections in their order, lines newest first.
    pub sections: Vec<(Section, Vec<Entry>)>,
    /// Lines that break something, whatever their section.
    pub breaking: Vec<Entry>,
    /// Names of the authors, sorted.
    pub contributors: Vec<String>,
}

/// The notes of a release: of a tag, or of what follows the last one up to `target`.
pub fn release(
    history: &History,
    target: CommitId,
    tag: Option<&TagFacts>,
    version: Option<&Version>,
    since: Since,
) -> ReleaseNotes {
    let version = tag.map(|tag| &tag.version).or(version);
    let prerelease = version.is_some_and(|version| !version.pre.is_empty());
    let (owned, previous) = history.owned(target, tag, prerelease, since);
    let mut sections: BTreeMap<Section, Vec<Entry>> = BTreeMap::new();
    let mut breaking = Vec::new();
    let mut contributors = Vec::new();
    for commit in &owned {
        let Some(entry) = Entry::of(commit) else { continue };
        contributors.push(entry.author.name.clone());
        if !entry.breaking.is_empty() {
            breaking.push(entry.clone());
        }
        if let Kind::Listed(section) = entry.place {
            sections.entry(section).or_default().push(entry);
        }
    }
    contributors.sort();
    contributors.dedup();
    ReleaseNotes {
        tag: tag.map(|tag| tag.tag.clone()),
        version: version.cloned(),
        target,
        previous: previous.map(|tag| tag.tag.clone()),
        date: tag.map(|tag| tag.time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()),
        commits: owned.iter().map(|commit| commit.id).collect(),
        sections: sections.into_iter().collect(),
        breaking,
        contributors,
    }
}
