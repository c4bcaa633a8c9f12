//! The next version: Semantic Versioning 2.0.0 over what the commits say.

use semver::{Prerelease, Version};

use super::Kind;
use super::entry::{Entry, Section};
use super::ownership::{History, Since};
use crate::model::{CommitId, Tag};

/// Which part of the version moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bump {
    /// The last number.
    Patch,
    /// The middle number.
    Minor,
    /// The first number.
    Major,
}

/// The next version and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The version.
    pub version: Version,
    /// The release it follows.
    pub previous: Option<Tag>,
    /// Which part moves.
    pub bump: Bump,
    /// The commits that decide.
    pub because: Vec<Entry>,
}

/// The version after the last stable release that `head` contains. Something that breaks moves the first number,
/// before 1.0.0 the middle one; a feature moves the middle one; anything else the last. The first release is 0.1.0.
/// `label` makes a prerelease, numbered after those of the same label that exist.
pub fn next(history: &History, head: CommitId, label: Option<&str>) -> Next {
    let (owned, previous) = history.owned(head, None, false, Since::Stable);
    let entries: Vec<Entry> = owned.iter().filter_map(|commit| Entry::of(commit)).collect();
    let breaks = |entry: &&Entry| !entry.breaking.is_empty();
    let adds = |entry: &&Entry| entry.place == Kind::Listed(Section::Added);
    let breaking: Vec<Entry> = entries.iter().filter(breaks).cloned().collect();
    let adding: Vec<Entry> = entries.iter().filter(adds).cloned().collect();
    let last = previous.map(|tag| tag.version.clone());
    let young = last.as_ref().is_some_and(|version| version.major == 0);
    let (bump, because) = match (breaking.is_empty(), adding.is_empty()) {
        (false, _) if young => (Bump::Minor, breaking),
        (false, _) => (Bump::Major, breaking),
        (true, false) => (Bump::Minor, adding),
        (true, true) => (Bump::Patch, entries),
    };
    let mut version = match last {
        None => Version::new(0, 1, 0),
        Some(last) => match bump {
            Bump::Major => Version::new(last.major + 1, 0, 0),
            Bump::Minor => Version::new(last.major, last.minor + 1, 0),
            Bump::Patch => Version::new(last.major, last.minor, last.patch + 1),
        },
    };
    if let Some(label) = label {
        let taken = history.tags().iter().filter(|tag| {
            (tag.version.major, tag.version.minor, tag.version.patch)
                == (version.major, version.minor, version.patch)
        });
        let numbers = taken.filter_map(|tag| {
            tag.version.pre.as_str().strip_prefix(label)?.strip_prefix('.')?.parse::<u64>().ok()
        });
        let number = numbers.max().unwrap_or(0) + 1;
        version.pre = Prerelease::new(&format!("{label}.{number}")).unwrap_or_default();
    }
    Next { version, previous: previous.map(|tag| tag.tag.clone()), bump, because }
}
