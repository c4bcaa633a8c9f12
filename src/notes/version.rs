//! The next version: Semantic Versioning 2.0.0 over what the commits say.

use semver::{Prerelease, Version};

use super::entry::{Entry, Place, Section};
use super::history::{History, Since, Wanted};
use super::relation::relations;
use crate::diag::{Hint, Kind};
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
/// What was taken back moves nothing; the newest `Release-As: VERSION` footer overrules the commits. `label` makes a
/// prerelease, numbered after those of the same label that exist.
///
/// # Errors
/// When the version exists, is not above the releases it follows, or is past the line of releases it stands in.
pub fn next(history: &History, head: CommitId, label: Option<&str>) -> Result<Next, NextError> {
    let wanted = Wanted { target: head, tag: None, prerelease: false };
    let share = history.shares(&[wanted], Since::Stable).pop().unwrap_or_default();
    let relations = relations(&share.commits, &|_, _, _| false);
    let active = share.commits.iter().filter(|commit| !relations.cancelled.contains(&commit.id));
    let entries: Vec<Entry> = active
        .clone()
        .filter(|commit| commit.parents.len() < 2)
        .filter_map(|commit| Entry::of(commit))
        .collect();
    let last = share.previous.map(|tag| tag.version.clone());
    let (bump, because) = decide(entries, last.as_ref());
    let mut version = match &last {
        None => Version::new(0, 1, 0),
        Some(last) => match bump {
            Bump::Major => Version::new(last.major + 1, 0, 0),
            Bump::Minor => Version::new(last.major, last.minor + 1, 0),
            Bump::Patch => Version::new(last.major, last.minor, last.patch + 1),
        },
    };
    let mut because = because;
    for commit in active {
        if let Some(asked) = release_as(&commit.message) {
            version = Version::parse(asked).map_err(|_| NextError::Asked {
                commit: commit.id,
                found: asked.escape_debug().take(80).collect(),
            })?;
            because = Entry::of(commit).into_iter().collect();
            break;
        }
    }
    if let Some(label) = label {
        prerelease(&mut version, label, history)?;
    }
    check(&version, last.as_ref(), history)?;
    Ok(Next { version, previous: share.previous.map(|tag| tag.tag.clone()), bump, because })
}

fn decide(entries: Vec<Entry>, last: Option<&Version>) -> (Bump, Vec<Entry>) {
    let breaking: Vec<Entry> = entries.iter().filter(|entry| !entry.breaking.is_empty()).cloned().collect();
    let adds = |entry: &&Entry| {
        entry.place == Place::Listed(Section::Added) || ["feat", "feature"].contains(&entry.kind.as_str())
    };
    let adding: Vec<Entry> = entries.iter().filter(adds).cloned().collect();
    let young = last.is_some_and(|version| version.major == 0);
    match (breaking.is_empty(), adding.is_empty()) {
        (false, _) if young => (Bump::Minor, breaking),
        (false, _) => (Bump::Major, breaking),
        (true, false) => (Bump::Minor, adding),
        (true, true) => (Bump::Patch, entries),
    }
}

/// The version in a `Release-As` footer.
fn release_as(message: &str) -> Option<&str> {
    let value =
        |line: &&str| line.split_once(':').is_some_and(|(token, _)| token.eq_ignore_ascii_case("release-as"));
    let line = message.lines().rev().find(value)?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn core(version: &Version) -> (u64, u64, u64) {
    (version.major, version.minor, version.patch)
}

/// Makes it a prerelease: the number after the highest of the same label. A label may not go back from `rc` to `beta`.
fn prerelease(version: &mut Version, label: &str, history: &History) -> Result<(), NextError> {
    let taken: Vec<&Version> =
        history.tags().iter().map(|tag| &tag.version).filter(|tag| core(tag) == core(version)).collect();
    let numbers = taken
        .iter()
        .filter_map(|tag| tag.pre.as_str().strip_prefix(label)?.strip_prefix('.')?.parse::<u64>().ok());
    let number = numbers.max().unwrap_or(0) + 1;
    version.pre = Prerelease::new(&format!("{label}.{number}")).unwrap_or_default();
    match taken.into_iter().filter(|tag| !tag.pre.is_empty()).max() {
        Some(highest) if *version < *highest => {
            Err(NextError::Back { version: version.clone(), highest: highest.clone() })
        }
        _ => Ok(()),
    }
}

fn check(version: &Version, last: Option<&Version>, history: &History) -> Result<(), NextError> {
    if let Some(taken) = history.tags().iter().find(|tag| tag.version == *version) {
        return Err(NextError::Taken { version: version.clone(), tag: taken.tag.clone() });
    }
    let Some(last) = last else { return Ok(()) };
    if version <= last {
        return Err(NextError::Back { version: version.clone(), highest: last.clone() });
    }
    // Releases of higher lines that the last release knows nothing of: this is a maintenance line below them.
    let above = history
        .tags()
        .iter()
        .map(|tag| &tag.version)
        .find(|tag| tag.pre.is_empty() && (tag.major, tag.minor) > (last.major, last.minor));
    match above {
        Some(above) if version > above => {
            Err(NextError::Line { version: version.clone(), last: last.clone(), above: above.clone() })
        }
        _ => Ok(()),
    }
}

/// Why there is no next version.
#[derive(Debug, thiserror::Error)]
pub enum NextError {
    /// A tag has it.
    #[error(
        "the next version {version} is taken by the tag {tag}, which is not in the history of this commit"
    )]
    Taken {
        /// The version.
        version: Version,
        /// The tag.
        tag: Tag,
    },
    /// It would go back.
    #[error("the next version {version} is not above {highest}")]
    Back {
        /// The version.
        version: Version,
        /// What it has to be above.
        highest: Version,
    },
    /// It would jump over a line of releases.
    #[error("the next version {version} after {last} is past {above}, which was released from another line")]
    Line {
        /// The version.
        version: Version,
        /// The release it follows.
        last: Version,
        /// The first release above.
        above: Version,
    },
    /// A footer without a version.
    #[error("`Release-As: {found}` in commit {commit} is not a version of SemVer 2.0.0")]
    Asked {
        /// The commit.
        commit: CommitId,
        /// What it says.
        found: String,
    },
}

impl Hint for NextError {
    fn code(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "next-taken",
            Self::Back { .. } => "next-back",
            Self::Line { .. } => "next-line",
            Self::Asked { .. } => "next-release-as",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Asked { .. } => Kind::Usage,
            Self::Taken { .. } | Self::Back { .. } | Self::Line { .. } => Kind::Conflict,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Taken { tag, .. } => return vec![format!("git merge {tag}"), FOOTER.to_owned()],
            Self::Back { .. } | Self::Line { .. } | Self::Asked { .. } => FOOTER,
        };
        vec![hint.to_owned()]
    }
}

const FOOTER: &str = "git commit --allow-empty -m \"chore: release\" -m \"Release-As: VERSION\"";
