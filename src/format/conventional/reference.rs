//! Issues, pull requests, commits and advisories that a message names.

use super::{Footer, Separator};

/// One thing a message refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// What it is.
    pub kind: ReferenceKind,
    /// The word before it in lower case: `closes`, `refs`, `reverts`, `cherry-picked`, …; `None` for a bare mention.
    pub action: Option<&'static str>,
    /// The owner, for a reference into another repository.
    pub owner: Option<&'a str>,
    /// The repository, for a reference into another repository.
    pub repo: Option<&'a str>,
    /// The number without its mark, the commit id, or the name of the advisory.
    pub id: &'a str,
    /// Where it stands.
    pub source: ReferenceSource,
}

/// What a reference points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceKind {
    /// `#1`, `owner/repo#1`, or an issue URL.
    Issue,
    /// `(#1)` at the end of a first line, `!1`, or the URL of a pull or merge request.
    Pr,
    /// A commit that is reverted or was picked.
    Commit,
    /// `CVE-…` or `GHSA-…`.
    Advisory,
    /// `AB#1`.
    WorkItem,
}

impl ReferenceKind {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Pr => "pr",
            Self::Commit => "commit",
            Self::Advisory => "advisory",
            Self::WorkItem => "work_item",
        }
    }
}

/// Where in the message a reference stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceSource {
    /// The first line.
    Subject,
    /// The body.
    Body,
    /// A footer.
    Footer,
}

impl ReferenceSource {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Body => "body",
            Self::Footer => "footer",
        }
    }
}

/// The words that say what happens to the thing behind them, and the action they mean.
const ACTIONS: [(&str, &str); 19] = [
    ("close", "closes"),
    ("closes", "closes"),
    ("closed", "closes"),
    ("fix", "fixes"),
    ("fixes", "fixes"),
    ("fixed", "fixes"),
    ("resolve", "resolves"),
    ("resolves", "resolves"),
    ("resolved", "resolves"),
    ("ref", "refs"),
    ("refs", "refs"),
    ("references", "refs"),
    ("see", "refs"),
    ("issue", "refs"),
    ("related", "refs"),
    ("revert", "reverts"),
    ("reverts", "reverts"),
    ("reopens", "reopens"),
    ("implements", "implements"),
];

/// More references than any message needs; the rest is not read.
const MAX_REFERENCES: usize = 256;

pub(super) fn collect<'a>(
    description: &'a str,
    body: &[&'a str],
    footers: &[Footer<'a>],
) -> Vec<Reference<'a>> {
    let mut found = Vec::new();
    scan(description, None, ReferenceSource::Subject, &mut found);
    for text in body {
        scan(text, None, ReferenceSource::Body, &mut found);
    }
    for footer in
        footers.iter().filter(|footer| footer.separator == Separator::Hash || may_refer(footer.value))
    {
        let action = action(footer.token);
        if footer.separator == Separator::Hash {
            let digits = digits(footer.value);
            if !digits.is_empty() {
                let source = ReferenceSource::Footer;
                push(
                    &mut found,
                    Reference {
                        kind: ReferenceKind::Issue,
                        action,
                        owner: None,
                        repo: None,
                        id: digits,
                        source,
                    },
                );
            }
            scan(&footer.value[digits.len()..], action, ReferenceSource::Footer, &mut found);
        } else {
            scan(footer.value, action, ReferenceSource::Footer, &mut found);
        }
    }
    found
}

fn push<'a>(found: &mut Vec<Reference<'a>>, reference: Reference<'a>) {
    let same = |other: &Reference<'a>| {
        (other.kind, other.owner, other.repo, other.id)
            == (reference.kind, reference.owner, reference.repo, reference.id)
    };
    if let Some(at) = found.iter().position(same) {
        // The word that says more wins: a bare mention in the subject may be closed by a footer.
        found[at].action = found[at].action.or(reference.action);
    } else if found.len() < MAX_REFERENCES {
        found.push(reference);
    }
}

fn action(word: &str) -> Option<&'static str> {
    ACTIONS.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, action)| action)
}

/// Reads words from left to right. An action lasts over the commas and `and`s of a list and ends at any other word.
fn scan<'a>(
    text: &'a str,
    outer: Option<&'static str>,
    source: ReferenceSource,
    found: &mut Vec<Reference<'a>>,
) {
    if !may_refer(text) {
        return;
    }
    let mut current = outer;
    let mut fence = false;
    let (mut previous, mut before) = ("", "");
    for line in text.lines() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fence = !fence;
            continue;
        }
        if fence {
            continue;
        }
        // Text between backticks is code: every second piece.
        for (index, piece) in line.split('`').enumerate() {
            if index % 2 == 1 {
                continue;
            }
            for word in piece.split_whitespace() {
                let bare = word.trim_matches(|c: char| ",;.()[]{}<>\"'".contains(c)).trim_end_matches(':');
                let commit = commit(bare, previous);
                if let Some((kind, owner, repo, id)) = thing(word, bare, source).or(commit) {
                    let action = match (kind, before) {
                        (ReferenceKind::Commit, "from") => Some("cherry-picked"),
                        (ReferenceKind::Commit, "reverts") => Some("reverts"),
                        (ReferenceKind::Commit, _) => None,
                        _ => current,
                    };
                    push(found, Reference { kind, action, owner, repo, id, source });
                } else if let Some(action) = action(bare) {
                    current = Some(action);
                } else if !(bare.is_empty() || bare == "and" || bare == "&" || bare == "to") {
                    current = outer;
                }
                (before, previous) = (previous, bare);
            }
        }
    }
}

/// Whether there is anything a reference is made of. Most texts have nothing, and are told by one look at their bytes.
fn may_refer(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mark = |at: usize| match bytes[at] {
        b'#' | b'!' => true,
        // GH-1, CVE-2026-1, GHSA-…
        b'-' => at > 0 && b"HEA".contains(&bytes[at - 1]),
        b':' => bytes[at..].starts_with(b"://"),
        b'm' => bytes[at..].starts_with(b"mit") && bytes[..at].ends_with(b"com"),
        _ => false,
    };
    (0..bytes.len()).any(mark)
}

type Thing<'a> = (ReferenceKind, Option<&'a str>, Option<&'a str>, &'a str);

fn thing<'a>(word: &'a str, bare: &'a str, source: ReferenceSource) -> Option<Thing<'a>> {
    let number = |text: &'a str| whole_number(text);
    if let Some(id) = bare.strip_prefix('#').and_then(number) {
        let pull = source == ReferenceSource::Subject && word.starts_with('(') && word.ends_with(')');
        return Some((if pull { ReferenceKind::Pr } else { ReferenceKind::Issue }, None, None, id));
    }
    if let Some(id) = bare.strip_prefix('!').and_then(number) {
        return Some((ReferenceKind::Pr, None, None, id));
    }
    if let Some(id) = bare.strip_prefix("GH-").and_then(number) {
        return Some((ReferenceKind::Issue, None, None, id));
    }
    if let Some(id) = bare.strip_prefix("AB#").and_then(number) {
        return Some((ReferenceKind::WorkItem, None, None, id));
    }
    if is_advisory(bare) {
        return Some((ReferenceKind::Advisory, None, None, bare));
    }
    if let Some(rest) = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://")) {
        return url(rest);
    }
    let (place, kind, id) = match bare.split_once('#') {
        Some((place, id)) => (place, ReferenceKind::Issue, id),
        None => bare.split_once('!').map(|(place, id)| (place, ReferenceKind::Pr, id))?,
    };
    let (owner, repo) = place.split_once('/')?;
    let name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    (name(owner) && name(repo)).then_some(())?;
    Some((kind, Some(owner), Some(repo), number(id)?))
}

/// `host/owner/repo/issues/1` and the same with `pull`, `pulls`, `-/issues`, `-/merge_requests`.
fn url(rest: &str) -> Option<Thing<'_>> {
    let mut parts = rest.split('/');
    let (_, owner, repo) = (parts.next()?, parts.next()?, parts.next()?);
    let what = match parts.next()? {
        "-" => parts.next()?,
        what => what,
    };
    let kind = match what {
        "issues" => ReferenceKind::Issue,
        "pull" | "pulls" | "merge_requests" => ReferenceKind::Pr,
        _ => return None,
    };
    let id = digits(parts.next()?);
    (!id.is_empty() && !owner.is_empty() && !repo.is_empty()).then_some((kind, Some(owner), Some(repo), id))
}

/// The words git and people use: `This reverts commit <id>`, `cherry picked from commit <id>`.
fn commit<'a>(bare: &'a str, previous: &str) -> Option<Thing<'a>> {
    let id = bare.len() >= 7
        && bare.len() <= 40
        && bare.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (id && matches!(previous, "commit")).then_some((ReferenceKind::Commit, None, None, bare))
}

fn is_advisory(word: &str) -> bool {
    let tail = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if let Some(rest) = word.strip_prefix("CVE-") {
        return rest.split_once('-').is_some_and(|(year, id)| {
            year.len() == 4 && whole_number(year).is_some() && id.len() >= 4 && whole_number(id).is_some()
        });
    }
    word.strip_prefix("GHSA-").is_some_and(|rest| rest.len() == 14 && tail(rest))
}

fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

fn whole_number(text: &str) -> Option<&str> {
    (!text.is_empty() && text.len() <= 18 && digits(text).len() == text.len()).then_some(text)
}
