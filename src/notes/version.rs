//! The next version: Semantic Versioning 2.0.0 over what the commits say.

use std::collections::BTreeMap;

use semver::{Prerelease, Version};

use super::bump::{Bump, BumpTable};
use super::entry::Entry;
use super::history::{History, Since, Wanted};
use super::relation::relations;
use crate::diag::{Hint, Kind};
use crate::model::{Commit, CommitId, Tag, TagFacts};

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
    /// The prerelease under way, when it is that which decides.
    pub under_way: Option<Tag>,
    /// The version of the release it follows.
    pub from: Option<Version>,
    /// Whether the footer of a commit asked for it.
    pub told: bool,
}

/// What the next version is made of.
pub struct Asking<'a> {
    /// Makes a prerelease, numbered after those of the same label that exist.
    pub label: Option<&'a str>,
    /// Which number each type of commit moves.
    pub table: &'a BumpTable,
    /// The number that moves, whatever the commits say.
    pub level: Option<Bump>,
    /// Which commits count.
    pub counts: &'a dyn Fn(&Commit) -> bool,
}

/// The version after the last stable release that `head` contains: the commits since then move one of its numbers. The
/// first release is 0.1.0. What was taken back moves nothing; a prerelease that `head` contains is gone on with when the
/// commits do not ask for more; the newest `Release-As: VERSION` footer that was not obeyed yet overrules all of it.
///
/// # Errors
/// When there is nothing to release, or the version exists, is not above the releases it follows, or is past the line of
/// releases it stands in.
pub fn next(history: &History, head: CommitId, asking: &Asking<'_>) -> Result<Next, NextError> {
    let wanted = Wanted { target: head, tag: None, prerelease: false };
    let share = history.shares(&[wanted], Since::Stable).pop().unwrap_or_default();
    let relations = relations(&share.commits, &|_, _, _| false);
    let counted = share.commits.iter().copied().filter(|commit| (asking.counts)(commit));
    let active: Vec<&Commit> = counted.filter(|commit| !relations.cancelled.contains(&commit.id)).collect();
    let last = share.previous.map(|tag| &tag.version);
    let entries: Vec<Entry> = active
        .iter()
        .filter(|commit| commit.parents.len() < 2)
        .filter_map(|commit| Entry::of(commit))
        .collect();
    let asked = if asking.level.is_none() { asked(&active, history)? } else { None };
    let told = asked.is_some();
    let said = told || asking.level.is_some();
    let zero = Version::new(0, 0, 0);
    let decided = match (asked, asking.level) {
        (Some((version, commit)), _) => Some((version, Entry::of(commit).into_iter().collect())),
        (None, Some(level)) => {
            (!active.is_empty()).then(|| (raised(last.unwrap_or(&zero), level), Vec::new()))
        }
        (None, None) => decide(&entries, last, asking.table),
    };
    // A prerelease this commit has.
    let under_way = history.tags().iter().rfind(|tag| {
        history.commit(tag.commit).is_some() && last.is_none_or(|last| core(&tag.version) > core(last))
    });
    let goes_on = under_way.filter(|tag| {
        !active.is_empty()
            && !said
            && decided.as_ref().is_none_or(|(version, _)| core(version) < core(&tag.version))
    });
    let (mut version, because) = match (decided, goes_on) {
        (_, Some(tag)) => (Version::new(tag.version.major, tag.version.minor, tag.version.patch), Vec::new()),
        (Some(decided), None) => decided,
        (None, None) => return Err(nothing(share.previous.map(|tag| &tag.tag), last, &active, &entries)),
    };
    if let Some(label) = asking.label {
        prerelease(&mut version, label, history)?;
    }
    check(&version, last, under_way.map(|tag| &tag.version), said, history)?;
    Ok(Next {
        bump: moved(last, &version),
        version,
        previous: share.previous.map(|tag| tag.tag.clone()),
        because,
        under_way: goes_on.map(|tag| tag.tag.clone()),
        from: last.cloned(),
        told,
    })
}

/// The version the newest `Release-As` footer asks for that no release obeyed yet.
fn asked<'a>(active: &[&'a Commit], history: &History) -> Result<Option<(Version, &'a Commit)>, NextError> {
    for commit in active {
        let Some(asked) = release_as(&commit.message) else { continue };
        let version = Version::parse(asked).map_err(|_| NextError::Asked {
            commit: commit.id,
            found: asked.escape_debug().take(80).collect(),
        })?;
        let obeyed = |tag: &TagFacts| tag.version == version && history.commit(tag.commit).is_some();
        return Ok((!history.tags().iter().any(obeyed)).then_some((version, *commit)));
    }
    Ok(None)
}

/// The version the commits ask for, and those that decide; `None` when there is no reason for a release.
fn decide(entries: &[Entry], last: Option<&Version>, table: &BumpTable) -> Option<(Version, Vec<Entry>)> {
    let first = Version::new(0, 0, 0);
    let from = last.unwrap_or(&first);
    let levels: Vec<Option<Bump>> = entries.iter().map(|entry| table.of(entry, from)).collect();
    let highest = levels.iter().flatten().max().copied();
    let deciding = || {
        let deciding =
            entries.iter().zip(&levels).filter(|(_, level)| highest.is_some() && **level == highest);
        deciding.map(|(entry, _)| entry.clone()).collect()
    };
    let Some(last) = last else {
        // Whatever there is, is released for the first time.
        let because: Vec<Entry> = if highest.is_some() { deciding() } else { entries.to_vec() };
        return (!entries.is_empty()).then(|| (Version::new(0, 1, 0), because));
    };
    Some((raised(last, highest?), deciding()))
}

fn raised(last: &Version, bump: Bump) -> Version {
    match bump {
        Bump::Major => Version::new(last.major + 1, 0, 0),
        Bump::Minor => Version::new(last.major, last.minor + 1, 0),
        Bump::Patch => Version::new(last.major, last.minor, last.patch + 1),
    }
}

/// Which part of the last version is another one.
pub(super) fn moved(last: Option<&Version>, version: &Version) -> Bump {
    let last = last.map_or((0, 0, 0), core);
    if version.major != last.0 {
        Bump::Major
    } else if version.minor != last.1 {
        Bump::Minor
    } else {
        Bump::Patch
    }
}

fn nothing(
    previous: Option<&Tag>,
    last: Option<&Version>,
    active: &[&Commit],
    entries: &[Entry],
) -> NextError {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        let kind = if entry.kind.is_empty() { "without a type" } else { entry.kind.as_str() };
        *kinds.entry(kind).or_default() += 1;
    }
    NextError::Nothing {
        previous: previous.cloned(),
        patch: last.map_or(Version::new(0, 1, 0), |last| raised(last, Bump::Patch)),
        commits: active.len(),
        kinds: kinds
            .into_iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// The version in a `Release-As` footer, without the `v` of tags.
pub(super) fn release_as(message: &str) -> Option<&str> {
    const TOKEN: &str = "release-as:";
    let has = |start: &usize| {
        let line = message.as_bytes()[*start..].get(..TOKEN.len());
        line.is_some_and(|line| line.eq_ignore_ascii_case(TOKEN.as_bytes()))
    };
    let mut starts =
        std::iter::once(0).chain(memchr::memchr_iter(b'\n', message.as_bytes()).map(|end| end + 1));
    let start = starts.rfind(has)?;
    let said = message[start + TOKEN.len()..].lines().next().unwrap_or_default().trim();
    let number = said.strip_prefix(['v', 'V']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    Some(number.unwrap_or(said))
}

pub(super) fn core(version: &Version) -> (u64, u64, u64) {
    (version.major, version.minor, version.patch)
}

/// Makes it a prerelease: the number after the highest of the same label. A label may not go back from `rc` to `beta`.
fn prerelease(version: &mut Version, label: &str, history: &History) -> Result<(), NextError> {
    let taken: Vec<&Version> =
        history.tags().iter().map(|tag| &tag.version).filter(|tag| core(tag) == core(version)).collect();
    let numbers = taken
        .iter()
        .filter_map(|tag| tag.pre.as_str().strip_prefix(label)?.strip_prefix('.')?.parse::<u64>().ok());
    let number = numbers.max().unwrap_or(0).saturating_add(1);
    version.pre = Prerelease::new(&format!("{label}.{number}")).unwrap_or_default();
    match taken.into_iter().filter(|tag| !tag.pre.is_empty()).max() {
        Some(highest) if *version < *highest => {
            Err(NextError::Back { version: version.clone(), highest: highest.clone() })
        }
        _ => Ok(()),
    }
}

fn check(
    version: &Version,
    last: Option<&Version>,
    under_way: Option<&Version>,
    told: bool,
    history: &History,
) -> Result<(), NextError> {
    if let Some(taken) = history.tags().iter().find(|tag| tag.version == *version) {
        return Err(NextError::Taken { version: version.clone(), tag: taken.tag.clone() });
    }
    if let Some(highest) = last.max(under_way).filter(|highest| version <= highest) {
        return Err(NextError::Back { version: version.clone(), highest: highest.clone() });
    }
    let Some(last) = last else { return Ok(()) };
    // Somebody said that this line goes on above all others, in a footer or with the tag of a prerelease.
    let highest =
        history.tags().iter().map(|tag| &tag.version).filter(|version| version.pre.is_empty()).max();
    let begun = told || under_way.is_some_and(|under_way| core(under_way) == core(version));
    if begun && highest.is_none_or(|highest| version > highest) {
        return Ok(());
    }
    // Releases of higher lines that the last release knows nothing of: this is a maintenance line below them.
    let above = history.tags().iter().find(|tag| {
        let line = (tag.version.major, tag.version.minor) > (last.major, last.minor);
        line && tag.version.pre.is_empty() && history.commit(tag.commit).is_none()
    });
    match above.map(|tag| &tag.version) {
        Some(above) if version > above => {
            Err(NextError::Line { version: version.clone(), last: last.clone(), above: above.clone() })
        }
        _ => Ok(()),
    }
}

/// Why there is no next version.
#[derive(Debug, thiserror::Error)]
pub enum NextError {
    /// No commit, or none that moves a number.
    #[error("there is nothing to release{}", why(previous.as_ref(), *commits, kinds))]
    Nothing {
        /// The last release.
        previous: Option<Tag>,
        /// The version where one is needed all the same.
        patch: Version,
        /// How many commits there are.
        commits: usize,
        /// How many of which type.
        kinds: String,
    },
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

fn why(previous: Option<&Tag>, commits: usize, kinds: &str) -> String {
    let after = previous.map_or(String::new(), |tag| format!(" after {tag}"));
    match (commits, kinds) {
        (0, _) => format!("{after}: no commit follows it"),
        (_, "") => format!("{after}: the commits since then are merges"),
        _ => format!("{after}: no commit since then moves the version ({kinds})"),
    }
}

impl Hint for NextError {
    fn code(&self) -> &'static str {
        match self {
            Self::Nothing { .. } => "next-nothing",
            Self::Taken { .. } => "next-taken",
            Self::Back { .. } => "next-back",
            Self::Line { .. } => "next-line",
            Self::Asked { .. } => "next-release-as",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Nothing { .. } => Kind::Refused,
            Self::Asked { .. } => Kind::Usage,
            Self::Taken { .. } | Self::Back { .. } | Self::Line { .. } => Kind::Conflict,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Taken { tag, .. } => return vec![format!("git merge {tag}"), FOOTER.to_owned()],
            Self::Nothing { commits: 0, .. } => return Vec::new(),
            Self::Nothing { .. } | Self::Back { .. } | Self::Line { .. } | Self::Asked { .. } => FOOTER,
        };
        vec![hint.to_owned()]
    }
}

const FOOTER: &str = "git commit --allow-empty -m \"chore: release\" -m \"Release-As: VERSION\"";
