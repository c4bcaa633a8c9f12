//! `kyklos-release/notes/v1` read back, for `notes generate --from-context`.
//!
//! A reader takes what it knows: fields that a later version adds are passed over, a field of the contract that is missing
//! is an error, and so is another number behind the last slash of `schema`.

use std::sync::Arc;

use jiff::civil::Date;
use semver::Version;
use serde::Deserialize;

use crate::diag::{Hint, Kind, Span};
use crate::format::conventional::{ReferenceKind, ReferenceSource};
use crate::model::{CommitId, KnownCommit, KnownPullRequest, Person, Tag};
use crate::notes::signature::{Doubt, SignatureCounts, SignatureState, Signed};
use crate::notes::{Contributor, Ends, Entry, Place, Reference, ReleaseNotes, Role, Section, Status};

/// The answer that is read.
const SCHEMA: &str = "kyklos-release/notes/v1";
/// The section whose lines stand in another one as well.
const BREAKING: &str = "Breaking Changes";

/// Releases and what stands around them.
#[derive(Debug)]
pub struct Given {
    /// The name of the project; empty where it is not told.
    pub name: String,
    /// The page of the repository.
    pub repository: Option<String>,
    /// Whether it is a whole changelog.
    pub whole: bool,
    /// Newest first.
    pub releases: Vec<ReleaseNotes>,
}

/// Reads an answer of `notes generate`. `path` is the name the user knows it by.
///
/// # Errors
/// What is no JSON, another answer, an answer of a failure, a missing field, and values that cannot be meant.
pub fn read(bytes: &[u8], path: &str) -> Result<Given, ContextError> {
    let json = |error: serde_json::Error| ContextError::json(bytes, path, &error);
    // The name first: of another answer nothing else is known.
    let named: Named = serde_json::from_slice(bytes).map_err(json)?;
    if named.schema != SCHEMA {
        return Err(ContextError::Schema { path: path.to_owned(), found: named.schema });
    }
    if !named.ok {
        return Err(ContextError::Failed { path: path.to_owned() });
    }
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(json)?;
    let data = envelope.data;
    let releases = data.releases.iter().enumerate().map(|(at, release)| {
        release.mean().map_err(|(field, found)| ContextError::Value {
            path: path.to_owned(),
            field: format!("data.releases[{at}].{field}"),
            found: found.escape_debug().take(80).collect(),
        })
    });
    Ok(Given {
        name: data.name,
        repository: data.repository,
        whole: data.whole,
        releases: releases.collect::<Result<_, _>>()?,
    })
}

#[derive(Deserialize)]
struct Named {
    schema: String,
    #[serde(default)]
    ok: bool,
}

#[derive(Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    name: String,
    repository: Option<String>,
    #[serde(default)]
    whole: bool,
    releases: Vec<Release>,
}

#[derive(Deserialize)]
struct Release {
    tag: Option<String>,
    planned_tag: Option<String>,
    version: Option<String>,
    target_sha: String,
    previous_tag: Option<String>,
    previous_sha: Option<String>,
    date: Option<String>,
    #[serde(default)]
    since_policy: String,
    #[serde(default)]
    excluded_releases: Vec<String>,
    #[serde(default)]
    aliases: Vec<String>,
    bump: Option<Moved>,
    #[serde(default)]
    hidden: usize,
    #[serde(default)]
    unconventional_count: usize,
    #[serde(default)]
    skipped: usize,
    #[serde(default)]
    commit_signatures: Counted,
    enrichment: Option<Found>,
    #[serde(default)]
    cancelled: Vec<String>,
    #[serde(default)]
    duplicates: Vec<Duplicate>,
    commits: Vec<String>,
    sections: Vec<Lines>,
    contributors: Vec<Somebody>,
}

#[derive(Deserialize)]
struct Found {
    missing: usize,
}

#[derive(Default, Deserialize)]
struct Counted {
    none: usize,
    present: usize,
    verified: usize,
}

#[derive(Deserialize)]
struct Moved {
    from: String,
    #[serde(default)]
    reasons: Vec<String>,
}

#[derive(Deserialize)]
struct Duplicate {
    sha: String,
    duplicate_of: String,
}

#[derive(Deserialize)]
struct Lines {
    title: String,
    entries: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    sha: String,
    #[serde(rename = "type")]
    kind: String,
    scopes: Vec<String>,
    description: String,
    breaking: bool,
    #[serde(default)]
    breaking_notes: Vec<String>,
    references: Vec<Mentioned>,
    authors: Vec<String>,
    reverts: Option<String>,
    shipped_in: Option<String>,
    #[serde(default)]
    also_in: Vec<String>,
    override_source: Option<String>,
    pr: Option<KnownPullRequest>,
    #[serde(default)]
    signature: String,
    signer: Option<String>,
    signature_doubt: Option<String>,
}

#[derive(Deserialize)]
struct Mentioned {
    kind: String,
    action: Option<String>,
    owner: Option<String>,
    repo: Option<String>,
    id: String,
    #[serde(default)]
    source: String,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Somebody {
    name: String,
    login: Option<String>,
    #[serde(default)]
    bot: bool,
    #[serde(default)]
    role: String,
    first_time: Option<bool>,
    first_sha: String,
    first_pr: Option<String>,
}

/// A field and what stands there.
type Wrong = (&'static str, String);

fn parsed<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|_| (field, text.to_owned()))
}

fn optional<T: std::str::FromStr>(field: &'static str, text: Option<&String>) -> Result<Option<T>, Wrong> {
    text.map(|text| parsed(field, text)).transpose()
}

impl Release {
    fn mean(&self) -> Result<ReleaseNotes, Wrong> {
        let ids = |field, texts: &[String]| {
            texts.iter().map(|text| parsed::<CommitId>(field, text)).collect::<Result<Vec<_>, _>>()
        };
        let tags = |field, texts: &[String]| {
            texts.iter().map(|text| parsed::<Tag>(field, text)).collect::<Result<Vec<_>, _>>()
        };
        let mut sections = Vec::new();
        let mut breaking = Vec::new();
        for lines in &self.sections {
            let section = Section::named(&lines.title);
            let entries =
                lines.entries.iter().map(|line| line.mean(&section)).collect::<Result<Vec<_>, _>>()?;
            if lines.title == BREAKING { breaking = entries } else { sections.push((section, entries)) }
        }
        let day: Option<Date> = optional("date", self.date.as_ref())?;
        let copies = self.duplicates.iter().map(|copy| {
            Ok((parsed("duplicates.sha", &copy.sha)?, parsed("duplicates.duplicate_of", &copy.duplicate_of)?))
        });
        Ok(ReleaseNotes {
            tag: optional("tag", self.tag.as_ref())?,
            planned_tag: optional("planned_tag", self.planned_tag.as_ref())?,
            version: optional::<Version>("version", self.version.as_ref())?,
            target: parsed("target_sha", &self.target_sha)?,
            previous: optional("previous_tag", self.previous_tag.as_ref())?,
            previous_target: optional("previous_sha", self.previous_sha.as_ref())?,
            previous_version: optional("bump.from", self.bump.as_ref().map(|bump| &bump.from))?,
            ends: Ends::ALL.into_iter().find(|ends| ends.as_str() == self.since_policy).unwrap_or_default(),
            excluded: tags("excluded_releases", &self.excluded_releases)?,
            aliases: tags("aliases", &self.aliases)?,
            date: day.map(|day| day.to_string()),
            commits: ids("commits", &self.commits)?,
            deciding: match &self.bump {
                Some(bump) => ids("bump.reasons", &bump.reasons)?,
                None => Vec::new(),
            },
            sections,
            breaking,
            hidden: self.hidden,
            unconventional: self.unconventional_count,
            skipped: self.skipped,
            signatures: SignatureCounts {
                none: self.commit_signatures.none,
                present: self.commit_signatures.present,
                verified: self.commit_signatures.verified,
            },
            unknown: self.enrichment.as_ref().map(|enrichment| enrichment.missing),
            cancelled: ids("cancelled", &self.cancelled)?,
            copies: copies.collect::<Result<_, _>>()?,
            contributors: self.contributors.iter().map(Somebody::mean).collect::<Result<_, _>>()?,
        })
    }
}

impl Line {
    fn mean(&self, section: &Section) -> Result<Entry, Wrong> {
        let notes = match (self.breaking, self.breaking_notes.is_empty()) {
            (false, _) => Vec::new(),
            (true, true) => vec![self.description.clone()],
            (true, false) => self.breaking_notes.clone(),
        };
        let reverts: Option<CommitId> = optional("sections.entries.reverts", self.reverts.as_ref())?;
        let shipped = optional("sections.entries.shipped_in", self.shipped_in.as_ref())?;
        Ok(Entry {
            id: parsed("sections.entries.sha", &self.sha)?,
            kind: self.kind.clone(),
            place: Place::Listed(section.clone()),
            scopes: self.scopes.clone(),
            description: self.description.clone(),
            breaking: notes,
            references: self.references.iter().map(Mentioned::mean).collect::<Result<_, _>>()?,
            authors: self
                .authors
                .iter()
                .map(|name| Arc::new(Person { name: name.clone(), email: String::new() }))
                .collect(),
            status: match reverts {
                Some(target) => Status::Reverts { target, shipped },
                None => Status::Active,
            },
            also_in: self
                .also_in
                .iter()
                .map(|tag| parsed("sections.entries.also_in", tag))
                .collect::<Result<_, _>>()?,
            overridden: self.override_source.clone(),
            signature: self.signed(),
            pr: self
                .pr
                .clone()
                .and_then(|pr| KnownCommit { login: None, pull_request: Some(pr) }.cleaned().pull_request),
        })
    }
}

impl Line {
    /// What whoever wrote the data found out.
    fn signed(&self) -> Signed {
        use Doubt::{Expired, NotForCommits, NotUnderstood, Revoked, UnknownKey, Wrong};
        let states = [SignatureState::Present, SignatureState::Verified];
        let doubts = [NotUnderstood, UnknownKey, Expired, Revoked, NotForCommits, Wrong];
        Signed {
            state: states.into_iter().find(|state| state.as_str() == self.signature).unwrap_or_default(),
            format: None,
            signer: self.signer.clone(),
            reason: doubts.into_iter().find(|doubt| Some(doubt.as_str()) == self.signature_doubt.as_deref()),
        }
    }
}

impl Mentioned {
    fn mean(&self) -> Result<Reference, Wrong> {
        use ReferenceKind::{Advisory, Commit, Issue, Pr, WorkItem};
        let kind =
            [Issue, Pr, Commit, Advisory, WorkItem].into_iter().find(|kind| kind.as_str() == self.kind);
        let source = match self.source.as_str() {
            "subject" => ReferenceSource::Subject,
            "footer" => ReferenceSource::Footer,
            "api" => ReferenceSource::Api,
            _ => ReferenceSource::Body,
        };
        const ACTIONS: [&str; 7] =
            ["closes", "fixes", "resolves", "reverts", "reopens", "implements", "cherry-picked"];
        let action = |text: &str| ACTIONS.into_iter().find(|action| *action == text).unwrap_or("refs");
        Ok(Reference {
            kind: kind.ok_or_else(|| ("sections.entries.references.kind", self.kind.clone()))?,
            action: self.action.as_deref().map(action),
            owner: self.owner.clone(),
            repo: self.repo.clone(),
            id: self.id.clone(),
            source,
            url: self.url.clone(),
        })
    }
}

impl Somebody {
    fn mean(&self) -> Result<Contributor, Wrong> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.[]".contains(&byte);
        if let Some(login) = self.login.as_ref().filter(|login| !login.bytes().all(valid)) {
            return Err(("contributors.login", login.clone()));
        }
        Ok(Contributor {
            name: self.name.clone(),
            login: self.login.clone(),
            bot: self.bot,
            role: if self.role == Role::CoAuthor.as_str() { Role::CoAuthor } else { Role::Author },
            first_time: self.first_time,
            first_sha: parsed("contributors.first_sha", &self.first_sha)?,
            first_pr: self.first_pr.clone(),
        })
    }
}

/// Why data cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// Not JSON, or not its fields.
    #[error("{path} is no answer of `notes generate`: {reason}")]
    Json {
        /// The file.
        path: String,
        /// Why.
        reason: String,
        /// Where.
        span: Box<Span>,
    },
    /// Another answer.
    #[error("{path} is another answer than {SCHEMA}")]
    Schema {
        /// The file.
        path: String,
        /// What it says it is.
        found: String,
    },
    /// The answer of a command that failed.
    #[error("{path} is the answer of a command that failed")]
    Failed {
        /// The file.
        path: String,
    },
    /// A value that cannot be meant.
    #[error("`{found}` cannot be `{field}` in {path}")]
    Value {
        /// The file.
        path: String,
        /// Where in the data.
        field: String,
        /// What stands there.
        found: String,
    },
}

impl ContextError {
    fn json(bytes: &[u8], path: &str, error: &serde_json::Error) -> Self {
        // The excerpt is the one line; data can be large.
        let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
        let text = String::from_utf8_lossy(line);
        let column = error.column().saturating_sub(1);
        let from = column.saturating_sub(40);
        let shown: String = text.chars().skip(from).take(80).collect();
        let start = shown.char_indices().nth(column - from).map_or(shown.len(), |(at, _)| at);
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        let span = Span { path: path.to_owned(), source: shown, start, end: start, label: "here".to_owned() };
        Self::Json { path: path.to_owned(), reason, span: Box::new(span) }
    }
}

impl Hint for ContextError {
    fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "notes-context",
            Self::Schema { .. } => "notes-context-schema",
            Self::Failed { .. } => "notes-context-failed",
            Self::Value { .. } => "notes-context-value",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Schema { found, .. } => {
                vec![("expected", SCHEMA.to_owned()), ("found", found.escape_debug().take(80).collect())]
            }
            Self::Json { .. } | Self::Failed { .. } | Self::Value { .. } => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        let newer = match self {
            Self::Schema { found, .. } if found.starts_with("kyklos-release/notes/v") => {
                vec!["a newer kyklos-release wrote it: render it with that one".to_owned()]
            }
            _ => Vec::new(),
        };
        newer
            .into_iter()
            .chain(["kyklos-release notes generate --format json writes it".to_owned()])
            .collect()
    }

    fn span(&self) -> Option<Span> {
        match self {
            Self::Json { span, .. } => Some((**span).clone()),
            Self::Schema { .. } | Self::Failed { .. } | Self::Value { .. } => None,
        }
    }
}
