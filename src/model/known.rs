//! What a forge knows about a commit, beside what git does.

use serde::{Deserialize, Serialize};

use super::{CommitId, Person, is_steering};

/// What a forge is asked about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCommit {
    /// The commit.
    pub id: CommitId,
    /// Whether the pull request that brought it is wanted.
    pub pull_request: bool,
    /// Whether the account of its author is wanted. One commit is enough for everybody of the same address.
    pub account: bool,
    /// The author, as notes know it.
    pub author: Person,
}

impl UnknownCommit {
    /// A commit of which nothing is known.
    pub fn all(id: CommitId) -> Self {
        Self { id, pull_request: true, account: true, author: Person::default() }
    }
}

/// What a forge knows about a commit. Texts are foreign: one line, without control characters, bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCommit {
    /// The account of its author.
    pub login: Option<String>,
    /// The pull request that brought it.
    pub pull_request: Option<KnownPullRequest>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPullRequest {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// The account that opened it.
    pub author: Option<String>,
    /// Its labels, sorted.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// The longest title that is kept, in characters; forges allow 256.
const MAX_TITLE: usize = 300;
/// The longest label.
const MAX_LABEL: usize = 100;
/// More labels than anybody looks at.
const MAX_LABELS: usize = 20;

impl KnownCommit {
    /// What two answers about the same commit say together; the first counts more.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { login: self.login.or(other.login), pull_request: self.pull_request.or(other.pull_request) }
    }

    /// The same with everything left out that is not what it should be. Answers of a forge and files of a cache go
    /// through here before anybody sees them.
    #[must_use]
    pub fn cleaned(self) -> Self {
        let login = self.login.filter(|login| is_login(login));
        let pull_request = self.pull_request.filter(|pull| pull.number > 0).map(|pull| {
            let labels = pull.labels.iter().take(MAX_LABELS).map(|label| line(label, MAX_LABEL));
            let mut labels: Vec<String> = labels.filter(|label| !label.is_empty()).collect();
            labels.sort();
            labels.dedup();
            KnownPullRequest {
                number: pull.number,
                title: line(&pull.title, MAX_TITLE),
                author: pull.author.filter(|login| is_login(login)),
                labels,
            }
        });
        Self { login, pull_request }
    }
}

/// Whether a text may be the name of an account.
fn is_login(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.[]".contains(&byte);
    (1..=80).contains(&text.len()) && text.bytes().all(valid)
}

/// One line without control characters and without those that change the direction of text.
fn line(text: &str, longest: usize) -> String {
    let clean: String = text.chars().map(|c| if is_steering(c) { ' ' } else { c }).take(longest).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_one_bounded_line() {
        let pull = |number, title: &str| KnownPullRequest {
            number,
            title: title.to_owned(),
            author: Some("a b".to_owned()),
            labels: vec!["b".to_owned(), "a\u{202e}".to_owned(), "b".to_owned(), "\n".to_owned()],
        };
        let known = KnownCommit {
            login: Some("ada-l".to_owned()),
            pull_request: Some(pull(7, "a\nb\u{202e}\u{1b}[31m c")),
        };
        let clean = known.cleaned();
        assert_eq!(clean.login.as_deref(), Some("ada-l"));
        let pull_request = clean.pull_request.unwrap();
        assert_eq!((pull_request.title.as_str(), pull_request.author), ("a b [31m c", None));
        assert_eq!(pull_request.labels, ["a", "b"]);
        for login in ["", "a/b", "<b>", &"a".repeat(81)] {
            let known = KnownCommit { login: Some(login.to_owned()), pull_request: Some(pull(0, "x")) };
            assert_eq!(known.cleaned(), KnownCommit::default(), "{login}");
        }
        let long = KnownCommit { login: None, pull_request: Some(pull(1, &"é".repeat(1000))) }.cleaned();
        assert_eq!(long.pull_request.unwrap().title.chars().count(), 300);
    }
}
