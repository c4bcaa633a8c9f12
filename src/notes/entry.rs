//! One commit as a line of the notes.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::noise::is_noise;
use super::people;
use super::signature::Signed;
use crate::format::conventional::{self, MessageError, Problem, ReferenceKind, ReferenceSource};
use crate::model::{Commit, CommitId, KnownPullRequest, Origin, Person, Tag};

/// What kind of change a line tells of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// New features.
    Added,
    /// Changes in what there was.
    Changed,
    /// Bug fixes.
    Fixed,
    /// Vulnerabilities.
    Security,
    /// Soon to be removed.
    Deprecated,
    /// Gone.
    Removed,
    /// A section of the user, by its heading.
    Named(Arc<str>),
}

impl Section {
    /// The sections that are always there.
    pub const USUAL: [Self; 6] =
        [Self::Added, Self::Changed, Self::Fixed, Self::Security, Self::Deprecated, Self::Removed];

    /// The section with a heading.
    pub fn named(title: &str) -> Self {
        let usual = Self::USUAL.into_iter().find(|section| section.title() == title);
        usual.unwrap_or_else(|| Self::Named(title.into()))
    }

    /// The heading.
    pub fn title(&self) -> &str {
        match self {
            Self::Added => "Added",
            Self::Changed => "Changed",
            Self::Fixed => "Fixed",
            Self::Security => "Security",
            Self::Deprecated => "Deprecated",
            Self::Removed => "Removed",
            Self::Named(title) => title,
        }
    }

    /// The section of a type; `None` for those that users do not notice and those that nobody knows.
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

/// Whether users do not notice what a type tells of.
pub(super) fn is_quiet(kind: &str) -> bool {
    const QUIET: [&str; 17] = [
        "build",
        "chore",
        "chores",
        "ci",
        "doc",
        "docs",
        "documentation",
        "example",
        "examples",
        "lint",
        "release",
        "spec",
        "style",
        "test",
        "tests",
        "typo",
        "wip",
    ];
    QUIET.contains(&kind)
}

/// Whether a type is none of the usual ones.
pub(super) fn is_unusual(kind: &str) -> bool {
    !kind.is_empty() && Section::of(kind).is_none() && !is_quiet(kind)
}

/// Where a commit stands in the notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a section.
    Listed(Section),
    /// Nowhere, unless it breaks something.
    Hidden,
}

/// What other commits make of a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing.
    #[default]
    Active,
    /// It takes back a commit of an earlier release.
    Reverts {
        /// That commit.
        target: CommitId,
        /// The release it came with, when it is known.
        shipped: Option<Tag>,
    },
}

/// One thing a commit refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What it is.
    pub kind: ReferenceKind,
    /// The word before it: `closes`, `refs`, …
    pub action: Option<&'static str>,
    /// The owner, for a reference into another repository.
    pub owner: Option<String>,
    /// The repository, for a reference into another repository.
    pub repo: Option<String>,
    /// The number without its mark, the commit id, or the name of the advisory.
    pub id: String,
    /// Where it stands.
    pub source: ReferenceSource,
    /// Its page, where the message or `release.yaml` says it.
    pub url: Option<String>,
}

/// The page of an advisory: `CVE-…` or `GHSA-…`.
pub(super) fn advisory_page(id: &str) -> String {
    let start = if id.starts_with("CVE-") { "www.cve.org/CVERecord?id=" } else { "github.com/advisories/" };
    format!("https://{start}{id}")
}

impl Reference {
    fn of(reference: &conventional::Reference<'_>) -> Self {
        Self {
            kind: reference.kind,
            action: reference.action,
            owner: reference.owner.map(str::to_owned),
            repo: reference.repo.map(str::to_owned),
            id: reference.id.to_owned(),
            source: reference.source,
            url: reference.url.map(str::to_owned),
        }
    }

    /// A pull request of this repository, told by a first line.
    pub(super) fn pull_request(id: impl Into<String>) -> Self {
        Self {
            kind: ReferenceKind::Pr,
            action: None,
            owner: None,
            repo: None,
            id: id.into(),
            source: ReferenceSource::Subject,
            url: None,
        }
    }

    /// Its page: the one that is written, that of an advisory, or one of the repository it is in, whose forge is that of
    /// the origin.
    pub fn page(&self, origin: Option<&Origin>) -> Option<String> {
        if self.url.is_some() {
            return self.url.clone();
        }
        if self.kind == ReferenceKind::Advisory {
            return Some(advisory_page(&self.id));
        }
        let origin = origin?;
        let there = match (&self.owner, &self.repo) {
            (Some(owner), Some(repo)) => origin.sibling(owner, repo),
            _ => origin.clone(),
        };
        match self.kind {
            ReferenceKind::Issue | ReferenceKind::WorkItem => Some(there.issue(&self.id)),
            ReferenceKind::Pr => Some(there.pull_request(&self.id)),
            ReferenceKind::Commit => Some(there.commit(&self.id)),
            ReferenceKind::Advisory => None,
        }
    }
}

/// One commit as a line of the notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The commit.
    pub id: CommitId,
    /// The type of the message; empty when it has none.
    pub kind: String,
    /// Where it stands.
    pub place: Place,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The first line without type, scope and the number of the pull request at its end.
    pub description: String,
    /// What breaks, one text each, as it was written; empty when nothing does.
    pub breaking: Vec<String>,
    /// What it refers to, in order and without repetition.
    pub references: Vec<Reference>,
    /// Who wrote it, then who helped.
    pub authors: Vec<Arc<Person>>,
    /// What other commits make of it.
    pub status: Status,
    /// The file that says it in other words than the commit.
    pub overridden: Option<String>,
    /// Releases of other lines that brought the same change, lowest version first; empty where nobody asked.
    pub also_in: Vec<Tag>,
    /// What is known about the signature of its commit.
    pub signature: Signed,
    /// What the forge says about the pull request that brought it.
    pub pr: Option<KnownPullRequest>,
}

impl Entry {
    /// The line of a commit; `None` for an empty message.
    pub fn of(commit: &Commit) -> Option<Self> {
        let mut entry = Self::of_message(commit.id, &commit.message)?;
        entry.authors = authors(commit);
        Some(entry)
    }

    /// The line of a message that stands for a commit.
    pub fn of_message(id: CommitId, message: &str) -> Option<Self> {
        // What Azure puts before the title of a pull request that it squashes.
        if let Some((number, message)) = merged_pr(message) {
            let mut entry = Self::of_message(id, message)?;
            entry.references.push(Reference::pull_request(number));
            return Some(entry);
        }
        let parsed = conventional::parse(message);
        if let Some(mended) = parsed.as_ref().err().and_then(|error| mended(message, error)) {
            return Self::of_message(id, &mended);
        }
        let Ok(message) = parsed else {
            let first = message.lines().next().unwrap_or_default().trim();
            let references: Vec<Reference> =
                conventional::references(message).iter().map(Reference::of).collect();
            let advisory = references.iter().any(|reference| reference.kind == ReferenceKind::Advisory);
            return (!first.is_empty()).then(|| Self {
                id,
                kind: String::new(),
                place: match advisory {
                    true => Place::Listed(Section::Security),
                    false if is_noise(first) => Place::Hidden,
                    false => Place::Listed(Section::Changed),
                },
                scopes: Vec::new(),
                description: without_number(first, &references).to_owned(),
                breaking: Vec::new(),
                references,
                authors: Vec::new(),
                status: Status::Active,
                overridden: None,
                also_in: Vec::new(),
                signature: Signed::default(),
                pr: None,
            });
        };
        let references: Vec<Reference> = message.references.iter().map(Reference::of).collect();
        let advisory = references.iter().any(|reference| reference.kind == ReferenceKind::Advisory);
        // An update that closes a hole is told; what is written about one is not.
        let words = ["docs", "doc", "test", "tests", "ci", "style"].contains(&message.kind.as_ref());
        let place = match Section::of(&message.kind) {
            _ if advisory && !words => Place::Listed(Section::Security),
            Some(section) => Place::Listed(section),
            None if is_quiet(&message.kind) => Place::Hidden,
            // The part of the program that it is about, as many projects write it.
            None => Place::Listed(Section::Changed),
        };
        let breaking = message.breaking_notes.iter().filter(|_| message.breaking);
        Some(Self {
            id,
            kind: message.kind.to_string(),
            place,
            scopes: message.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            breaking: breaking.map(|note| note.trim().to_owned()).collect(),
            description: without_number(message.description, &references).to_owned(),
            references,
            authors: Vec::new(),
            status: Status::Active,
            overridden: None,
            also_in: Vec::new(),
            signature: Signed::default(),
            pr: None,
        })
    }

    /// Adds what the forge says about the pull request. What the message says is never overruled.
    pub(super) fn enrich(&mut self, pull: &KnownPullRequest) {
        let number = pull.number.to_string();
        match self.pull_request() {
            Some(told) if told.id != number => return,
            Some(_) => {}
            None => self.references.push(Reference {
                kind: ReferenceKind::Pr,
                action: None,
                owner: None,
                repo: None,
                id: number,
                source: ReferenceSource::Api,
                url: None,
            }),
        }
        self.pr = Some(pull.clone());
    }

    /// The pull request that brought it: of those in the first line the last, for those before belong to what was
    /// picked or taken back. What a word stands before is about another one.
    pub fn pull_request(&self) -> Option<&Reference> {
        let pulls = || {
            let here =
                |reference: &&Reference| reference.kind == ReferenceKind::Pr && reference.owner.is_none();
            self.references.iter().filter(here)
        };
        let told = pulls().rfind(|pull| pull.source == ReferenceSource::Subject);
        told.or_else(|| pulls().find(|pull| pull.action.is_none()))
    }

    /// What stands before a line: the scopes, and before them a type that is none of the usual ones, for it names a part
    /// of the program. `None` for nothing.
    pub(super) fn prefix(&self) -> Option<String> {
        let changed = self.place == Place::Listed(Section::Changed);
        let part = changed && is_unusual(&self.kind);
        let part = part.then_some(self.kind.as_str());
        let parts: Vec<&str> = part.into_iter().chain(self.scopes.iter().map(String::as_str)).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// A message as it was meant: without blanks at its start, and with the space behind the colon of a type that everybody
/// knows. `notes lint` tells of both; a break that is missed is worse.
fn mended<'a>(message: &'a str, error: &MessageError) -> Option<Cow<'a, str>> {
    let trimmed = message.trim_start();
    if trimmed.len() < message.len() {
        return Some(Cow::Borrowed(trimmed)).filter(|text| !text.is_empty());
    }
    if error.problem != Problem::Space {
        return None;
    }
    let (at, _) = message.char_indices().nth(error.column - 1)?;
    let kind = message.split(|letter: char| !letter.is_alphanumeric()).next()?.to_lowercase();
    let known = Section::of(&kind).is_some() || is_quiet(&kind);
    known.then(|| Cow::Owned(format!("{} {}", &message[..at], &message[at..])))
}

/// `Merged PR 12: text` to number and text.
fn merged_pr(message: &str) -> Option<(&str, &str)> {
    let (number, text) = message.strip_prefix("Merged PR ")?.split_once(": ")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some((number, text))
}

/// `text (#12)` to `text`, when the number is told as a reference as well.
fn without_number<'a>(text: &'a str, references: &[Reference]) -> &'a str {
    let cut = || {
        let (before, number) = text.strip_suffix(')')?.rsplit_once('(')?;
        let number = number.strip_prefix(['#', '!'])?;
        references.iter().any(|reference| reference.id == number).then_some(before.trim_end())
    };
    cut().filter(|text| !text.is_empty()).unwrap_or(text)
}

/// The author, then the people of `Co-authored-by` lines.
pub(super) fn authors(commit: &Commit) -> Vec<Arc<Person>> {
    let helpers = helpers(&commit.message).into_iter().map(Arc::new);
    people::distinct(std::iter::once(Arc::clone(&commit.author)).chain(helpers))
}

/// The people of `Co-authored-by` lines.
pub(super) fn helpers(message: &str) -> Vec<Person> {
    static WORDS: LazyLock<[Finder<'_>; 2]> =
        LazyLock::new(|| [Finder::new("uthored-"), Finder::new("UTHORED-")]);
    let mut people = Vec::new();
    // Spelled in two ways by everybody; what stands before the first is not looked at.
    let first = WORDS.iter().filter_map(|word| word.find(message.as_bytes())).min();
    let start = first.map_or(message.len(), |at| message[..at].rfind('\n').map_or(0, |end| end + 1));
    for line in message[start..].lines() {
        let Some((token, value)) = line.split_once(':') else { continue };
        if !token.eq_ignore_ascii_case("co-authored-by") {
            continue;
        }
        let Some((name, email)) = value.trim().strip_suffix('>').and_then(|value| value.split_once('<'))
        else {
            continue;
        };
        let person = Person { name: name.trim().to_owned(), email: email.trim().to_owned() };
        if !person.name.is_empty() {
            people.push(person);
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: CommitId = CommitId::from_bytes([7; 20]);

    #[test]
    fn the_number_at_the_end_is_a_reference_and_no_text() {
        let entry =
            Entry::of_message(ID, "fix(api): do (less) (#12)\n\nCloses #3, #4\nFixes: other/repo#5").unwrap();
        assert_eq!(entry.description, "do (less)");
        let ids: Vec<&str> = entry.references.iter().map(|reference| reference.id.as_str()).collect();
        assert_eq!(ids, ["12", "3", "4", "5"]);
        assert_eq!(entry.pull_request().unwrap().id, "12");
        assert_eq!(entry.references[3].owner.as_deref(), Some("other"));
        let plain = Entry::of_message(ID, "Update things (#7)\n\nFixes #9").unwrap();
        assert_eq!((plain.description.as_str(), plain.references.len()), ("Update things", 2));
        assert_eq!(Entry::of_message(ID, "(#7)").unwrap().description, "(#7)");
        assert_eq!(Entry::of_message(ID, "fix: say `it`(#7)").unwrap().description, "say `it`");
    }

    #[test]
    fn the_request_in_the_first_line_is_the_one_whatever_else_is_said_about_it() {
        for message in [
            "fix: the build fix (#12)",
            "fix: x (#12)\n\nCloses https://github.com/o/r/pull/13\nCloses: !14",
            "fix: take `a in `<b>` (#12)",
        ] {
            assert_eq!(Entry::of_message(ID, message).unwrap().pull_request().unwrap().id, "12", "{message}");
        }
        assert!(Entry::of_message(ID, "fix: x\n\nCloses: !14").unwrap().pull_request().is_none());
    }

    #[test]
    fn types_that_nobody_knows_name_a_part_of_the_program() {
        let of = |message: &str| {
            let entry = Entry::of_message(ID, message).unwrap();
            (entry.prefix().unwrap_or_default(), entry.place)
        };
        let changed = Place::Listed(Section::Changed);
        assert_eq!(of("fetch-pack: use less memory"), ("fetch-pack".to_owned(), changed.clone()));
        assert_eq!(of("net(http, tls): close"), ("net, http, tls".to_owned(), changed.clone()));
        assert_eq!(of("perf(api): faster"), ("api".to_owned(), changed));
        assert_eq!(of("feat: x"), (String::new(), Place::Listed(Section::Added)));
        for message in ["docs: x", "spec: x", "wip: x", "chore(deps): x", "release: x"] {
            assert_eq!(of(message).1, Place::Hidden, "{message}");
        }
    }

    #[test]
    fn small_slips_of_a_first_line_lose_no_type() {
        let of = |message: &str| {
            let entry = Entry::of_message(ID, message).unwrap();
            (entry.kind, entry.description, entry.breaking)
        };
        let told = |kind: &str, text: &str| (kind.to_owned(), text.to_owned(), Vec::<String>::new());
        assert_eq!(of(" docs: fix links (#3)"), told("docs", "fix links"));
        assert_eq!(of("\n\nfeat: x"), told("feat", "x"));
        assert_eq!(of("fix(api):mend"), told("fix", "mend"));
        assert_eq!(of("  Feat:add ü:x"), told("feat", "add ü:x"));
        assert_eq!(of("feat!:drop").2, ["drop"]);
        // No type that anybody knows: text.
        assert_eq!(of("https://example.com is down"), told("", "https://example.com is down"));
        assert_eq!(of("time:12"), told("", "time:12"));
        assert_eq!(Entry::of_message(ID, " \n\t"), None);
    }

    #[test]
    fn a_squash_of_azure_is_the_message_behind_its_number() {
        let entry = Entry::of_message(ID, "Merged PR 12: feat(api): x\n\nRelated work items: AB#7").unwrap();
        assert_eq!((entry.kind.as_str(), entry.description.as_str()), ("feat", "x"));
        assert_eq!(entry.pull_request().unwrap().id, "12");
        assert_eq!(Entry::of_message(ID, "Merged PR x: y").unwrap().kind, "");
    }

    #[test]
    fn pages_of_references() {
        let pages = |remote: &str, message: &str| -> Vec<String> {
            let origin = Origin::from_url(remote);
            let entry = Entry::of_message(ID, message).unwrap();
            entry
                .references
                .iter()
                .map(|reference| reference.page(origin.as_ref()).unwrap_or_default())
                .collect()
        };
        let id = "0123456789012345678901234567890123456789";
        assert_eq!(
            pages(
                "git@github.com:o/r.git",
                "fix: x (#1)\n\nCloses #2, a/b#3\nRefs: CVE-2026-12345, GHSA-aaaa-bbbb-cccc, a/b@0123456"
            ),
            [
                "https://github.com/o/r/pull/1",
                "https://github.com/o/r/issues/2",
                "https://github.com/a/b/issues/3",
                "https://www.cve.org/CVERecord?id=CVE-2026-12345",
                "https://github.com/advisories/GHSA-aaaa-bbbb-cccc",
                "https://github.com/a/b/commit/0123456",
            ]
        );
        assert_eq!(
            pages("https://gitlab.com/g/s/r", "fix: x !4\n\nCloses #5, a/b/c#6, a/b!7"),
            [
                "https://gitlab.com/g/s/r/-/merge_requests/4",
                "https://gitlab.com/g/s/r/-/issues/5",
                "https://gitlab.com/a/b/c/-/issues/6",
                "https://gitlab.com/a/b/-/merge_requests/7",
            ]
        );
        assert_eq!(
            pages("https://codeberg.org/o/r", "fix: x (#1)\n\nFixes #2"),
            ["https://codeberg.org/o/r/pulls/1", "https://codeberg.org/o/r/issues/2"]
        );
        assert_eq!(
            pages("https://dev.azure.com/org/project/_git/repo", "Merged PR 12: fix: x\n\nAB#7"),
            [
                "https://dev.azure.com/org/project/_workitems/edit/7",
                "https://dev.azure.com/org/project/_git/repo/pullrequest/12",
            ]
        );
        // What is written out leads where it says, whatever the origin is.
        assert_eq!(
            pages(
                "git@github.com:o/r.git",
                &format!(
                    "fix: x\n\nRefs: https://gitlab.com/a/b/-/issues/3#note_1 https://git.example/a/b/commit/{id}."
                )
            ),
            ["https://gitlab.com/a/b/-/issues/3", format!("https://git.example/a/b/commit/{id}").as_str()]
        );
        assert_eq!(pages("/srv/git/r", "fix: x (#1)"), [""]);
    }

    #[test]
    fn advisories_are_security_whatever_the_type_says() {
        let entry = Entry::of_message(ID, "fix: a hole\n\nRefs: CVE-2026-12345").unwrap();
        assert_eq!(entry.place, Place::Listed(Section::Security));
        let hidden = Entry::of_message(ID, "docs: tell of CVE-2026-12345").unwrap();
        assert_eq!(hidden.place, Place::Hidden);
        for message in ["build(deps): x to 1.2 (GHSA-aaaa-bbbb-cccc)", "Mend the hole CVE-2026-12345"] {
            let entry = Entry::of_message(ID, message).unwrap();
            assert_eq!(entry.place, Place::Listed(Section::Security), "{message}");
        }
    }
}
