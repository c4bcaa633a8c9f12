//! Answers of `notes`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::format::conventional::{Message, MessageError};
use crate::model::{CommitId, Origin};
use crate::notes::{self, Entry, Fitted, ReleaseNotes, Status};

/// `notes generate`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Notes {
    /// The name of the project.
    pub name: String,
    /// The page of the repository, where it has one.
    pub repository: Option<String>,
    /// Whether it is a whole changelog, which has a title.
    pub whole: bool,
    /// The text of the one release, where a number of bytes or release notes were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// The file the releases were put into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changelog: Option<Changelog>,
    /// Newest first.
    pub releases: Vec<Release>,
}

/// The text of one release.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Body {
    /// Markdown.
    pub text: String,
    /// Its bytes.
    pub bytes: u64,
    /// The bytes that were allowed; `null` for a template that is to be filled in by hand.
    pub limit: Option<u64>,
    /// How many lines were left out.
    pub left_out: u64,
    /// What was done to stay within the limit, in order: `texts`, `contributors`, `details`, `counts`, `lines`.
    pub steps: Vec<String>,
    /// Whether it is a template for a person to fill in, because the notes could not be made.
    pub manual: bool,
}

/// A changelog that releases were put into.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changelog {
    /// The file.
    pub path: String,
    /// Whether its bytes changed.
    pub changed: bool,
    /// Headings of sections that are new.
    pub added: Vec<String>,
    /// Headings of sections that were there.
    pub replaced: Vec<String>,
    /// Lines of such sections that are written by hand and stayed.
    pub kept: u64,
}

/// One release.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Release {
    /// `null` for what is not released.
    pub tag: Option<String>,
    /// The tag that it will have; only of what is not released, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_tag: Option<String>,
    /// The version in the tag.
    pub version: Option<String>,
    /// The commit.
    pub target_sha: String,
    /// The release before.
    pub previous_tag: Option<String>,
    /// Its commit.
    pub previous_sha: Option<String>,
    /// What ended the notes: `stable` releases, a release of any kind (`tag`), or a `revision` that was named.
    pub since_policy: String,
    /// The nearest releases that ended them, lowest version first: `git rev-list TAG --not` these is what the release
    /// owns, where neither paths nor a range were asked for.
    pub excluded_releases: Vec<String>,
    /// Other release tags of the same commit.
    pub aliases: Vec<String>,
    /// The page with everything since the release before.
    pub compare_url: Option<String>,
    /// How the version moved since the release before.
    pub bump: Option<Moved>,
    /// `YYYY-MM-DD` of the tag, or of the day on which a version was planned.
    pub date: Option<String>,
    /// Whether it is a prerelease.
    pub prerelease: bool,
    /// Every commit it owns, newest first.
    pub commits: Vec<String>,
    /// Sections in their order.
    pub sections: Vec<Section>,
    /// Commits that take back, or were taken back, within the release.
    pub cancelled: Vec<String>,
    /// Commits that say again what another one of the release says.
    pub duplicates: Vec<Duplicate>,
    /// Commits of types that users do not notice.
    pub hidden: u64,
    /// Commits whose message has no type.
    pub unconventional_count: u64,
    /// Commits that somebody asked not to tell.
    pub skipped: u64,
    /// Numbers of the release.
    pub stats: Stats,
    /// Who contributed, sorted by name.
    pub contributors: Vec<Contributor>,
    /// How many of the commits are signed.
    pub commit_signatures: CommitSignatures,
    /// What the forge told; only where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrichment: Option<Enriched>,
}

/// What a forge told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Enriched {
    /// `complete`, or `degraded` when pull requests or accounts of some commits are not known.
    pub state: String,
    /// How many commits.
    pub missing: u64,
}

/// A pull request, as the forge tells it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Its title, as one line.
    pub title: String,
    /// The account that opened it.
    pub author: Option<String>,
    /// Its labels, sorted.
    pub labels: Vec<String>,
}

/// How many commits are signed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CommitSignatures {
    /// Without a signature.
    pub none: u64,
    /// With one that was not checked, or proves nothing.
    pub present: u64,
    /// With one of somebody who is trusted.
    pub verified: u64,
}

/// How a version moved.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moved {
    /// The version before.
    pub from: String,
    /// The version.
    pub to: String,
    /// `major`, `minor`, `patch` or `prerelease`.
    pub level: String,
    /// The commits that ask for it, newest first; within a chain of prereleases those that ask for most. Empty where a
    /// person decided.
    pub reasons: Vec<String>,
}

/// A commit that says again what another one says.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Duplicate {
    /// The commit that is not told.
    pub sha: String,
    /// The commit that is told.
    pub duplicate_of: String,
}

/// Numbers of a release.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stats {
    /// Commits it owns.
    pub commits: u64,
    /// Lines in its sections.
    pub entries: u64,
    /// Lines that break something.
    pub breaking: u64,
    /// People, programs left out.
    pub contributors: u64,
    /// People whose first contribution it is; `null` where only a part of the history was read.
    pub first_time: Option<u64>,
}

/// Somebody who wrote, or helped to write, a commit.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contributor {
    /// The name.
    pub name: String,
    /// The account on the forge, when the address tells it.
    pub login: Option<String>,
    /// Whether it is a program.
    pub bot: bool,
    /// `author`, or `co-author` for who helped with commits of others alone.
    pub role: String,
    /// Whether it is the first contribution; `null` where only a part of the history was read.
    pub first_time: Option<bool>,
    /// The oldest commit of this person in the release.
    pub first_sha: String,
    /// The pull request that brought it; only of somebody who contributed for the first time.
    pub first_pr: Option<String>,
}

/// One section.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// Its lines, newest first.
    pub entries: Vec<Line>,
}

/// One commit as a line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Line {
    /// The commit.
    pub sha: String,
    /// The type; empty for a message without one.
    #[serde(rename = "type")]
    pub kind: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The first line without type and scope.
    pub description: String,
    /// Whether it breaks something.
    pub breaking: bool,
    /// What breaks.
    pub breaking_notes: Vec<String>,
    /// What it refers to.
    pub references: Vec<Reference>,
    /// Who wrote it, then who helped.
    pub authors: Vec<String>,
    /// `active`, `reverts` when it takes back a commit of an earlier release, or `also_in` when releases of other lines
    /// brought the change as well.
    pub status: String,
    /// The commit of an earlier release that it takes back.
    pub reverts: Option<String>,
    /// The release that commit came with.
    pub shipped_in: Option<String>,
    /// Releases of other lines that brought the same change, lowest version first; only with `--also-in`.
    pub also_in: Vec<String>,
    /// The file of `.kyklos/changes` that says it in other words.
    pub override_source: Option<String>,
    /// The pull request that brought it; only where the forge was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr: Option<PullRequest>,
    /// `none`, `present` or `verified`.
    pub signature: String,
    /// Whose signature it is, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Why a signature that was checked is not verified: `not-understood`, `unknown-key`, `expired`, `revoked`,
    /// `not-for-commits` or `wrong`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_doubt: Option<String>,
}

impl Body {
    /// A text and what was done to it.
    pub fn of(fitted: &Fitted, limit: usize) -> Self {
        Self {
            bytes: fitted.text.len() as u64,
            text: fitted.text.clone(),
            limit: Some(limit as u64),
            left_out: fitted.left_out as u64,
            steps: fitted.steps.iter().map(|step| step.as_str().to_owned()).collect(),
            manual: false,
        }
    }

    /// A template for a person to fill in.
    pub fn manual(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            bytes: text.len() as u64,
            limit: None,
            left_out: 0,
            steps: Vec::new(),
            manual: true,
        }
    }
}

impl Line {
    fn of(entry: &Entry, origin: Option<&Origin>) -> Self {
        let (reverts, shipped_in) = match &entry.status {
            Status::Active => (None, None),
            Status::Reverts { target, shipped } => {
                (Some(target.to_string()), shipped.as_ref().map(ToString::to_string))
            }
        };
        let status = match (reverts.is_some(), entry.also_in.is_empty()) {
            (true, _) => "reverts",
            (false, false) => "also_in",
            (false, true) => "active",
        };
        Self {
            sha: entry.id.to_string(),
            kind: entry.kind.clone(),
            scopes: entry.scopes.clone(),
            description: entry.description.clone(),
            breaking: !entry.breaking.is_empty(),
            breaking_notes: entry.breaking.clone(),
            references: entry.references.iter().map(|reference| Reference::of(reference, origin)).collect(),
            authors: entry.authors.iter().map(|person| person.name.clone()).collect(),
            status: status.to_owned(),
            reverts,
            shipped_in,
            also_in: entry.also_in.iter().map(ToString::to_string).collect(),
            override_source: entry.overridden.clone(),
            pr: entry.pr.as_ref().map(|pull| PullRequest {
                number: pull.number,
                title: pull.title.clone(),
                author: pull.author.clone(),
                labels: pull.labels.clone(),
            }),
            signature: entry.signature.state.as_str().to_owned(),
            signer: entry.signature.signer.clone(),
            signature_doubt: entry.signature.reason.map(|doubt| doubt.as_str().to_owned()),
        }
    }
}

impl Reference {
    fn of(reference: &notes::Reference, origin: Option<&Origin>) -> Self {
        Self {
            kind: reference.kind.as_str().to_owned(),
            action: reference.action.map(str::to_owned),
            owner: reference.owner.clone(),
            repo: reference.repo.clone(),
            id: reference.id.clone(),
            source: reference.source.as_str().to_owned(),
            url: reference.page(origin),
        }
    }
}

impl Release {
    /// One release. Addresses are those of the origin, when there is one.
    pub fn of(notes: &ReleaseNotes, origin: Option<&Origin>) -> Self {
        let lines = |entries: &[Entry]| entries.iter().map(|entry| Line::of(entry, origin)).collect();
        let breaking = (!notes.breaking.is_empty())
            .then(|| Section { title: "Breaking Changes".to_owned(), entries: lines(&notes.breaking) });
        let sections = notes
            .sections
            .iter()
            .map(|(section, entries)| Section { title: section.title().to_owned(), entries: lines(entries) });
        Self {
            tag: notes.tag.as_ref().map(ToString::to_string),
            planned_tag: notes.planned_tag.as_ref().map(ToString::to_string),
            version: notes.version.as_ref().map(ToString::to_string),
            target_sha: notes.target.to_string(),
            previous_tag: notes.previous.as_ref().map(ToString::to_string),
            previous_sha: notes.previous_target.as_ref().map(ToString::to_string),
            since_policy: notes.ends.as_str().to_owned(),
            excluded_releases: notes.excluded.iter().map(ToString::to_string).collect(),
            aliases: notes.aliases.iter().map(ToString::to_string).collect(),
            compare_url: notes.compare_url(origin),
            bump: Moved::of(notes),
            date: notes.date.clone(),
            prerelease: notes.version.as_ref().is_some_and(|version| !version.pre.is_empty()),
            commits: notes.commits.iter().map(ToString::to_string).collect(),
            sections: sections.chain(breaking).collect(),
            hidden: notes.hidden as u64,
            unconventional_count: notes.unconventional as u64,
            skipped: notes.skipped as u64,
            cancelled: notes.cancelled.iter().map(ToString::to_string).collect(),
            duplicates: notes.copies.iter().map(Duplicate::of).collect(),
            stats: Stats::of(notes),
            contributors: notes.contributors.iter().map(Contributor::of).collect(),
            commit_signatures: CommitSignatures::of(notes),
            enrichment: Enriched::of(notes),
        }
    }
}

impl Moved {
    pub(super) fn of(notes: &ReleaseNotes) -> Option<Self> {
        let (from, to) = (notes.previous_version.as_ref()?, notes.version.as_ref()?);
        let level = if from.major != to.major {
            "major"
        } else if from.minor != to.minor {
            "minor"
        } else if from.patch != to.patch {
            "patch"
        } else {
            "prerelease"
        };
        let reasons = notes.deciding.iter().map(ToString::to_string).collect();
        Some(Self { from: from.to_string(), to: to.to_string(), level: level.to_owned(), reasons })
    }
}

impl Duplicate {
    fn of((copy, original): &(CommitId, CommitId)) -> Self {
        Self { sha: copy.to_string(), duplicate_of: original.to_string() }
    }
}

impl Stats {
    pub(super) fn of(notes: &ReleaseNotes) -> Self {
        let people = notes.contributors.iter().filter(|contributor| !contributor.bot);
        let first: Option<Vec<bool>> = people.clone().map(|contributor| contributor.first_time).collect();
        Self {
            commits: notes.commits.len() as u64,
            entries: notes.sections.iter().map(|(_, entries)| entries.len() as u64).sum(),
            breaking: notes.breaking.len() as u64,
            contributors: people.count() as u64,
            first_time: first.map(|first| first.into_iter().filter(|first| *first).count() as u64),
        }
    }
}

impl Contributor {
    fn of(contributor: &notes::Contributor) -> Self {
        Self {
            name: contributor.name.clone(),
            login: contributor.login.clone(),
            bot: contributor.bot,
            role: contributor.role.as_str().to_owned(),
            first_time: contributor.first_time,
            first_sha: contributor.first_sha.to_string(),
            first_pr: contributor.first_pr.clone(),
        }
    }
}

/// One line of `notes parse`.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Parsed {
    /// Whether the message has a type.
    pub ok: bool,
    /// The type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The text behind the colon.
    pub description: Option<String>,
    /// What follows the first line, without footers.
    pub body: Option<String>,
    /// Whether it breaks something.
    pub breaking: bool,
    /// What breaks.
    pub breaking_notes: Vec<String>,
    /// The footers in order.
    pub footers: Vec<Footer>,
    /// What it refers to.
    pub references: Vec<Reference>,
    /// Why it has no type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ParseError>,
}

/// A footer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Footer {
    /// Its name.
    pub token: String,
    /// `: ` or ` #`.
    pub separator: String,
    /// Its text.
    pub value: String,
}

/// A reference.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reference {
    /// `issue`, `pr`, `commit` and so on.
    pub kind: String,
    /// The word before it.
    pub action: Option<String>,
    /// The owner of another repository.
    pub owner: Option<String>,
    /// Another repository.
    pub repo: Option<String>,
    /// The number, id or name.
    pub id: String,
    /// Where it stands.
    pub source: String,
    /// Its page; only in notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Why a message has no type.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ParseError {
    /// Stable.
    pub code: String,
    /// One line.
    pub message: String,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
}

impl From<Result<Message<'_>, MessageError>> for Parsed {
    fn from(parsed: Result<Message<'_>, MessageError>) -> Self {
        let message = match parsed {
            Ok(message) => message,
            Err(error) => {
                let error = ParseError {
                    code: error.code().to_owned(),
                    message: error.to_string(),
                    // Only first lines are refused.
                    line: 1,
                    column: u32::try_from(error.column).unwrap_or(u32::MAX),
                };
                return Self { error: Some(error), ..Self::default() };
            }
        };
        let footers = message.footers.iter().map(|footer| Footer {
            token: footer.token.to_string(),
            separator: footer.separator.as_str().to_owned(),
            value: footer.value.to_string(),
        });
        let references = message.references.iter().map(|reference| Reference {
            kind: reference.kind.as_str().to_owned(),
            action: reference.action.map(str::to_owned),
            owner: reference.owner.map(str::to_owned),
            repo: reference.repo.map(str::to_owned),
            id: reference.id.to_owned(),
            source: reference.source.as_str().to_owned(),
            url: None,
        });
        Self {
            ok: true,
            kind: Some(message.kind.to_string()),
            scopes: message.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            description: Some(message.description.to_owned()),
            body: message.body.as_ref().map(ToString::to_string),
            breaking: message.breaking,
            breaking_notes: message.breaking_notes.iter().map(|note| (*note).to_owned()).collect(),
            footers: footers.collect(),
            references: references.collect(),
            error: None,
        }
    }
}
