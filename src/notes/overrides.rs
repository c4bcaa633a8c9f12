//! `.kyklos/changes/`: lines in other words than those of their commits.
//!
//! A file is named after a commit (seven or more digits of its id) or a pull request (its number) and holds messages as
//! commits have them, separated by lines of `---`. They stand in place of the lines of that commit or pull request; with
//! the footer `Changelog: add` beside them, and `Changelog: skip` takes the lines away. Text without a type keeps type,
//! scope and section.

use std::collections::BTreeMap;

use memchr::memmem::Finder;

use super::entry::{Entry, authors};
use crate::diag::{Hint, Kind};
use crate::format::conventional;
use crate::model::{Commit, CommitId};

/// Where the files are, from the top of the repository.
pub const CHANGES: &str = ".kyklos/changes";
/// The largest file.
pub const MAX_OVERRIDE: u64 = 64 << 10;

/// Everything that is told in other words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    commits: BTreeMap<String, Override>,
    pull_requests: BTreeMap<String, Override>,
}

/// What is told of one commit or pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    path: String,
    action: Action,
    messages: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Replace,
    Add,
    Skip,
}

impl Overrides {
    /// Takes a file. Its name without directory and `.md` tells what it is about.
    ///
    /// # Errors
    /// A name that is neither, text that is not UTF-8, and a file without text.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), OverrideError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let name = name.strip_suffix(".md").unwrap_or(name).to_ascii_lowercase();
        let number = name.strip_prefix("pr-").unwrap_or(&name);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let text =
            std::str::from_utf8(bytes).map_err(|_| OverrideError::NotText { path: path.to_owned() })?;
        let read = Override::read(path, text)?;
        if digits(number) && (number.len() < 7 || number.len() < name.len()) {
            self.pull_requests.insert(number.trim_start_matches('0').to_owned(), read);
        } else if CommitId::is_named_by(&name) {
            self.commits.insert(name, read);
        } else {
            return Err(OverrideError::Name { path: path.to_owned() });
        }
        Ok(())
    }

    /// Whether nothing is told in other words.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.pull_requests.is_empty()
    }

    pub(super) fn of_commit(&self, id: CommitId) -> Option<&Override> {
        if self.commits.is_empty() {
            return None;
        }
        let id = id.to_string();
        self.commits.iter().find(|(digits, _)| id.starts_with(digits.as_str())).map(|(_, text)| text)
    }

    pub(super) fn of_pull_request(&self, number: &str) -> Option<&Override> {
        self.pull_requests.get(number.trim_start_matches('0'))
    }
}

impl Override {
    fn read(path: &str, text: &str) -> Result<Self, OverrideError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let mut messages = vec![String::new()];
        for line in text.lines() {
            if line.trim_end() == "---" {
                messages.push(String::new());
            } else if let Some(last) = messages.last_mut() {
                last.push_str(line);
                last.push('\n');
            }
        }
        let mut messages: Vec<String> = messages
            .iter()
            .map(|message| message.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect();
        let alone = |value: &str| {
            let line = messages.first().filter(|_| messages.len() == 1)?;
            line.split_once(':').filter(|(token, text)| {
                token.trim().eq_ignore_ascii_case("changelog") && text.trim().eq_ignore_ascii_case(value)
            })
        };
        let asks = |value: &str| {
            let footer = SoughtFooter::new("Changelog", value);
            messages.iter().any(|message| footer.is_in(message))
        };
        let action = if asks("skip") || alone("skip").is_some() {
            Action::Skip
        } else if asks("add") {
            Action::Add
        } else {
            Action::Replace
        };
        if action == Action::Skip {
            messages.clear();
        } else if messages.is_empty() {
            return Err(OverrideError::Empty { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), action, messages })
    }

    /// Whether the lines of the commits stay beside it.
    pub(super) fn adds(&self) -> bool {
        self.action == Action::Add
    }

    /// The lines in place of those of a commit.
    pub(super) fn apply(&self, commit: &Commit, entries: Vec<Entry>) -> Vec<Entry> {
        let mut told: Vec<Entry> = Vec::new();
        for message in &self.messages {
            let Some(mut entry) = Entry::of_message(commit.id, message) else { continue };
            if conventional::parse(message).is_err()
                && let Some(first) = entries.first()
            {
                // Only other words: everything else stays as it is.
                entry.kind.clone_from(&first.kind);
                entry.place = first.place.clone();
                entry.scopes.clone_from(&first.scopes);
                entry.breaking.clone_from(&first.breaking);
                let words = message.split("\n\n").next().unwrap_or(message);
                entry.description = words.split_whitespace().collect::<Vec<_>>().join(" ");
            }
            match entries.first() {
                Some(first) => {
                    entry.authors.clone_from(&first.authors);
                    for reference in &first.references {
                        if !entry.references.contains(reference) {
                            entry.references.push(reference.clone());
                        }
                    }
                }
                None => entry.authors = authors(commit),
            }
            entry.overridden = Some(self.path.clone());
            told.push(entry);
        }
        match self.action {
            Action::Skip => Vec::new(),
            Action::Replace => told,
            Action::Add => entries.into_iter().chain(told).collect(),
        }
    }
}

/// A footer that is looked for.
pub(super) struct SoughtFooter<'a> {
    token: &'a str,
    value: &'a str,
    /// The token without its first letter: few letters are spelled in two ways.
    tail: Finder<'a>,
}

impl<'a> SoughtFooter<'a> {
    pub(super) fn new(token: &'a str, value: &'a str) -> Self {
        Self { token, value, tail: Finder::new(token.get(1..).unwrap_or_default()) }
    }

    /// Whether a message ends in it.
    pub(super) fn is_in(&self, message: &str) -> bool {
        let equal = |(found, text): (&str, &str)| {
            found.trim().eq_ignore_ascii_case(self.token) && text.trim().eq_ignore_ascii_case(self.value)
        };
        // A footer starts a line; that is cheaper to see than what the message is.
        let may_be = |at: usize| {
            let start =
                at.checked_sub(1).filter(|start| *start == 0 || message.as_bytes()[start - 1] == b'\n')?;
            let line = message.get(start..)?.lines().next()?;
            let rest = line.get(self.token.len()..)?.trim_start().strip_prefix([':', '#'])?;
            rest.trim().eq_ignore_ascii_case(self.value).then_some(())
        };
        if !self.tail.find_iter(message.as_bytes()).any(|at| may_be(at).is_some()) {
            return false;
        }
        match conventional::parse(message) {
            Ok(message) => message.footers.iter().any(|footer| equal((footer.token, footer.value))),
            // A message without a type has its footers in the last paragraph.
            Err(_) => {
                let last = message.trim_end().rsplit("\n\n").next().filter(|last| last.len() < message.len());
                last.is_some_and(|last| last.lines().filter_map(|line| line.split_once(':')).any(equal))
            }
        }
    }
}

/// Why a file of `.kyklos/changes` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OverrideError {
    /// Its name tells neither a commit nor a pull request.
    #[error("{path} is named after no commit and no pull request")]
    Name {
        /// The file.
        path: String,
    },
    /// It says nothing.
    #[error("{path} says nothing")]
    Empty {
        /// The file.
        path: String,
    },
    /// It is not UTF-8.
    #[error("{path} is not UTF-8")]
    NotText {
        /// The file.
        path: String,
    },
}

impl Hint for OverrideError {
    fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "notes-change-name",
            Self::Empty { .. } => "notes-change-empty",
            Self::NotText { .. } => "notes-change-text",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Name { path } => {
                format!(
                    "git mv {path} {CHANGES}/NAME.md, NAME being 7 to 40 digits of a commit id or a number"
                )
            }
            Self::Empty { path } => format!("printf 'Changelog: skip\\n' > {path} takes the lines away"),
            Self::NotText { path } => format!("iconv -f latin1 -t utf-8 {path}"),
        };
        vec![hint]
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::Person;

    #[test]
    fn footers_that_ask_not_to_be_told() {
        let has_footer =
            |message: &str, token: &str, value: &str| SoughtFooter::new(token, value).is_in(message);
        assert!(has_footer("fix: x\n\nChangelog: skip", "Changelog", "skip"));
        assert!(has_footer("fix: x\n\nbody\n\nchangelog: Skip\nRefs: #1\n", "Changelog", "skip"));
        assert!(has_footer("Words\n\nChangelog: skip\n", "Changelog", "skip"));
        assert!(!has_footer("fix: x\n\nChangelog: skipped", "Changelog", "skip"));
        assert!(!has_footer("Changelog: skip", "Changelog", "skip"));
        assert!(!has_footer("fix: say Changelog: skip", "Changelog", "skip"));
    }

    fn commit(message: &str) -> Commit {
        let ada = Person { name: "Ada".to_owned(), email: "ada@example.com".to_owned() }.into();
        Commit {
            id: CommitId::from_bytes([7; 20]),
            tree: CommitId::from_bytes([8; 20]),
            parents: Vec::new(),
            author: ada,
            authored: Timestamp::UNIX_EPOCH,
            time: Timestamp::UNIX_EPOCH,
            message: message.to_owned(),
            signed: false,
        }
    }

    fn told(file: &str, message: &str) -> Vec<String> {
        let mut overrides = Overrides::default();
        overrides.add(".kyklos/changes/0707070.md", file.as_bytes()).unwrap();
        let commit = commit(message);
        let entries = Entry::of(&commit).into_iter().collect();
        let told = overrides.of_commit(commit.id).unwrap().apply(&commit, entries);
        told.iter().map(|entry| format!("{} {:?} {}", entry.kind, entry.scopes, entry.description)).collect()
    }

    #[test]
    fn a_file_replaces_adds_and_takes_away() {
        let message = "fix(api): x (#3)";
        assert_eq!(told("feat: in other words\n", message), ["feat [] in other words"]);
        assert_eq!(told("Only other\nwords\r\n", message), ["fix [\"api\"] Only other words"]);
        assert_eq!(told("feat: a\n---\nfix(b): c\n", message), ["feat [] a", "fix [\"b\"] c"]);
        assert_eq!(told("feat: a\n\nChangelog: add\n", message), ["fix [\"api\"] x", "feat [] a"]);
        assert!(told("Changelog: skip\n", message).is_empty());
        assert!(told("fix: x\n\nchangelog: skip\n", message).is_empty());
    }

    #[test]
    fn names_and_text_are_checked() {
        let mut overrides = Overrides::default();
        let mut add = |path: &str, text: &[u8]| overrides.add(path, text).map_err(|error| error.code());
        assert_eq!(add("12.md", b"x"), Ok(()));
        assert_eq!(add("pr-1234567.md", b"x"), Ok(()));
        assert_eq!(add("1234567.md", b"x"), Ok(()));
        assert_eq!(add("README.md", b"x"), Err("notes-change-name"));
        assert_eq!(add("12.md", b"\n---\n"), Err("notes-change-empty"));
        assert_eq!(add("12.md", b"\xff"), Err("notes-change-text"));
        assert!(overrides.of_pull_request("12").is_some() && overrides.of_pull_request("1234567").is_some());
        assert!(overrides.of_pull_request("13").is_none());
    }
}
