//! Issues, pull requests, commits and advisories that a message names.

use std::str::SplitWhitespace;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::footer::{fence_mark, lines};
use super::{Footer, Separator};

/// One thing a message refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// What it is.
    pub kind: ReferenceKind,
    /// The word before it in lower case: `closes`, `refs`, `reverts`, `cherry-picked`, …; `None` for a bare mention.
    pub action: Option<&'static str>,
    /// The owner, for a reference into another repository; `group/subgroup` on GitLab.
    pub owner: Option<&'a str>,
    /// The repository, for a reference into another repository.
    pub repo: Option<&'a str>,
    /// The number without its mark, the commit id, or the name of the advisory.
    pub id: &'a str,
    /// Where it stands.
    pub source: ReferenceSource,
    /// The address, where one was written, without what follows the id.
    pub url: Option<&'a str>,
}

/// What a reference points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceKind {
    /// `#1`, `owner/repo#1`, or an issue URL.
    Issue,
    /// `(#1)` at the end of a first line, `!1`, or the URL of a pull or merge request.
    Pr,
    /// A commit that is reverted or was picked, `owner/repo@id`, or the URL of a commit.
    Commit,
    /// `CVE-…` or `GHSA-…`.
    Advisory,
    /// `AB#1`, or the URL of a work item on Azure.
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
    /// Nowhere: the forge tells it.
    Api,
}

impl ReferenceSource {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Body => "body",
            Self::Footer => "footer",
            Self::Api => "api",
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

/// What a message names. The other arguments are parts of the message.
pub(super) fn collect<'a>(
    message: &'a str,
    description: &'a str,
    body: &[&'a str],
    footers: &[Footer<'a>],
) -> Vec<Reference<'a>> {
    let mut found = Vec::new();
    let marks = &mut Marks::of(message);
    scan(description, marks, None, ReferenceSource::Subject, &mut found);
    for text in body {
        scan(text, marks, None, ReferenceSource::Body, &mut found);
    }
    for footer in footers {
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
                        url: None,
                    },
                );
            }
            scan(&footer.value[digits.len()..], marks, action, ReferenceSource::Footer, &mut found);
        } else {
            scan(footer.value, marks, action, ReferenceSource::Footer, &mut found);
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
    // The first letter and the length tell most words apart.
    let first = word.as_bytes().first()?.to_ascii_lowercase();
    if !(3..=10).contains(&word.len()) || !b"cfirs".contains(&first) {
        return None;
    }
    ACTIONS.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, action)| action)
}

/// What the words so far say about the next one.
struct Said<'a> {
    /// The action that still lasts.
    action: Option<&'static str>,
    previous: &'a str,
    before: &'a str,
}

impl<'a> Said<'a> {
    /// Goes on over a line that names nothing: only its end counts.
    fn pass(&mut self, line: &'a str, outer: Option<&'static str>) {
        let mut words = Words::of(line);
        let Some(last) = words.next_back() else { return };
        let second = words.next_back();
        let (mut deciding, mut ahead) = (Some(bare(last)), second);
        while deciding.is_some_and(joins) {
            deciding = ahead.map(bare);
            ahead = words.next_back();
        }
        if let Some(word) = deciding {
            self.action = action(word).or(outer);
        }
        (self.before, self.previous) = (second.map_or(self.previous, bare), bare(last));
    }
}

/// Reads words from left to right. An action lasts over the commas and `and`s of a list and ends at
/// any other word and with the sentence.
fn scan<'a>(
    text: &'a str,
    marks: &mut Marks<'a>,
    outer: Option<&'static str>,
    source: ReferenceSource,
    found: &mut Vec<Reference<'a>>,
) {
    // Most texts have nothing that a reference is made of.
    if !marks.are_in(text) {
        return;
    }
    let end = marks.place(text) + text.len();
    let mut said = Said { action: outer, previous: "", before: "" };
    let mut fence = false;
    // The last line that names nothing and was not gone over yet; it says all that the lines before it could.
    let mut passed: Option<&str> = None;
    for line in lines(text) {
        let marked = marks.are_in(line);
        // Nor has what stands behind the last of it.
        if marks.first >= end && said.previous != "commit" {
            return;
        }
        if fence_mark(line).is_some() {
            fence = !fence;
            continue;
        }
        if fence {
            continue;
        }
        // A line that ends in `commit` may refer.
        if said.previous != "commit" && !marked {
            let mut words = Words::of(line);
            if words.next().is_some_and(|first| !joins(bare(first))) && words.next().is_some() {
                passed = Some(line);
                continue;
            }
            if let Some(line) = passed.take() {
                said.pass(line, outer);
            }
            said.pass(line, outer);
            continue;
        }
        if let Some(line) = passed.take() {
            said.pass(line, outer);
        }
        // Text between backticks is code: every second piece, unless nothing closes it.
        let mut pieces = line.split('`').enumerate().peekable();
        while let Some((index, piece)) = pieces.next() {
            if index % 2 == 1 && pieces.peek().is_some() {
                continue;
            }
            for word in Words::of(piece) {
                let bare = bare(word);
                let commit = commit(bare, said.previous);
                if let Some(Thing { kind, place, id, url }) = thing(word, bare, source).or(commit) {
                    let action = match (kind, said.before) {
                        (ReferenceKind::Commit, "from") if said.previous == "commit" => Some("cherry-picked"),
                        (ReferenceKind::Commit, "reverts") if said.previous == "commit" => Some("reverts"),
                        (ReferenceKind::Commit, _) => None,
                        // `build fix (#1)`: a forge wrote the number, and nothing before it is about it.
                        (ReferenceKind::Pr, _) if word.contains("(#") => None,
                        _ => said.action,
                    };
                    let (owner, repo) = place.unzip();
                    push(found, Reference { kind, action, owner, repo, id, source, url });
                } else if let Some(action) = action(bare) {
                    said.action = Some(action);
                } else if !joins(bare) {
                    said.action = outer;
                }
                // A sentence ends what its verb began.
                if word.ends_with('.') {
                    said.action = outer;
                }
                (said.before, said.previous) = (said.previous, bare);
            }
        }
    }
}

/// The words of a line. Those of a line in ASCII are found byte by byte.
enum Words<'a> {
    Plain(&'a str),
    Other(SplitWhitespace<'a>),
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        if line.is_ascii() { Self::Plain(line) } else { Self::Other(line.split_whitespace()) }
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = match self {
            Self::Plain(rest) => rest,
            Self::Other(words) => return words.next(),
        };
        let start = rest.bytes().position(|byte| !is_blank(&byte))?;
        let length = rest.as_bytes()[start..].iter().position(is_blank);
        let end = length.map_or(rest.len(), |length| start + length);
        let word = &rest[start..end];
        *rest = &rest[end..];
        Some(word)
    }
}

impl DoubleEndedIterator for Words<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let rest = match self {
            Self::Plain(rest) => rest,
            Self::Other(words) => return words.next_back(),
        };
        let end = rest.bytes().rposition(|byte| !is_blank(&byte))? + 1;
        let start = rest.as_bytes()[..end].iter().rposition(is_blank).map_or(0, |at| at + 1);
        let word = &rest[start..end];
        *rest = &rest[..start];
        Some(word)
    }
}

/// A word without what stands around words.
fn bare(word: &str) -> &str {
    const AROUND: [bool; 256] = of_bytes(b",;.()[]{}<>\"'");
    let bytes = word.as_bytes();
    let inside = |byte: &u8| !AROUND[usize::from(*byte)];
    let Some(start) = bytes.iter().position(inside) else { return "" };
    let end = bytes.iter().rposition(inside).map_or(start, |at| at + 1);
    // Only whole characters were left out: they are all of ASCII.
    word[start..end].trim_end_matches(':')
}

/// Which bytes are among some.
const fn of_bytes(some: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < some.len() {
        table[some[at] as usize] = true;
        at += 1;
    }
    table
}

/// Whether a word goes on with a list.
fn joins(word: &str) -> bool {
    matches!(word, "" | "and" | "&" | "to")
}

/// Where something is in a message that a reference is made of. It is searched once for each kind, as far as somebody
/// asks.
struct Marks<'a> {
    bytes: &'a [u8],
    /// The next ones of each kind, and the first of them; the length of the message when there is none.
    next: [usize; 3],
    first: usize,
    /// Where the last part begins that somebody asked for.
    asked: usize,
}

impl<'a> Marks<'a> {
    fn of(message: &'a str) -> Self {
        let mut marks = Self { bytes: message.as_bytes(), next: [0; 3], first: 0, asked: 0 };
        marks.search(0);
        marks
    }

    fn search(&mut self, from: usize) {
        self.next = [self.plain(from), self.joined(from), self.commit(from)];
        self.first = self.next.into_iter().min().unwrap_or(0);
    }

    /// Where a part of the message begins.
    fn place(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.bytes.as_ptr() as usize
    }

    fn plain(&self, from: usize) -> usize {
        memchr::memchr2(b'#', b'!', &self.bytes[from..]).map_or(self.bytes.len(), |at| from + at)
    }

    fn joined(&self, from: usize) -> usize {
        let mut all = memchr::memchr3_iter(b'-', b':', b'@', &self.bytes[from..]).map(|at| from + at);
        all.find(|at| is_mark(self.bytes, *at)).unwrap_or(self.bytes.len())
    }

    fn commit(&self, from: usize) -> usize {
        static COMMIT: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("commit"));
        COMMIT.find(&self.bytes[from..]).map_or(self.bytes.len(), |at| from + at)
    }

    /// Whether there is one in a part of the message. Nearly all are asked for in their order.
    fn are_in(&mut self, part: &str) -> bool {
        let start = self.place(part);
        if start < self.asked {
            self.search(start);
        }
        self.asked = start;
        if self.first < start {
            let [plain, joined, commit] = self.next;
            self.next = [
                if plain < start { self.plain(start) } else { plain },
                if joined < start { self.joined(start) } else { joined },
                if commit < start { self.commit(start) } else { commit },
            ];
            self.first = self.next.into_iter().min().unwrap_or(0);
        }
        self.first < start + part.len()
    }
}

/// Whether a mark of several characters is what it begins like.
fn is_mark(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        // GH-1, CVE-2026-1, GHSA-…
        b'-' => at > 0 && b"HEA".contains(&bytes[at - 1]),
        b':' => bytes[at..].starts_with(b"://"),
        // owner/repo@id
        b'@' => bytes[at + 1..].len() >= 7 && bytes[at + 1..at + 8].iter().all(u8::is_ascii_hexdigit),
        _ => false,
    }
}

/// What one word names.
struct Thing<'a> {
    kind: ReferenceKind,
    /// Owner and repository.
    place: Option<(&'a str, &'a str)>,
    id: &'a str,
    url: Option<&'a str>,
}

impl<'a> Thing<'a> {
    fn here(kind: ReferenceKind, id: &'a str) -> Self {
        Self { kind, place: None, id, url: None }
    }
}

fn thing<'a>(word: &'a str, bare: &'a str, source: ReferenceSource) -> Option<Thing<'a>> {
    const MARKS: [bool; 256] = of_bytes(b"#!@-:");
    // Most words have none of what things are named with.
    if !bare.bytes().any(|byte| MARKS[usize::from(byte)]) {
        return None;
    }
    let number = |text: &'a str| whole_number(text);
    if let Some(id) = bare.strip_prefix('#').and_then(number) {
        let pull = source == ReferenceSource::Subject && word.starts_with('(') && word.ends_with(')');
        return Some(Thing::here(if pull { ReferenceKind::Pr } else { ReferenceKind::Issue }, id));
    }
    // A forge puts it behind the first line; whoever writes it by hand forgets the blank.
    if source == ReferenceSource::Subject
        && let Some(id) = word.strip_suffix(')').and_then(|word| number(word.rsplit_once("(#")?.1))
    {
        return Some(Thing::here(ReferenceKind::Pr, id));
    }
    if let Some(id) = bare.strip_prefix('!').and_then(number) {
        return Some(Thing::here(ReferenceKind::Pr, id));
    }
    if let Some(id) = bare.strip_prefix("GH-").and_then(number) {
        return Some(Thing::here(ReferenceKind::Issue, id));
    }
    if let Some(id) = bare.strip_prefix("AB#").and_then(number) {
        return Some(Thing::here(ReferenceKind::WorkItem, id));
    }
    if is_advisory(bare) {
        return Some(Thing::here(ReferenceKind::Advisory, bare));
    }
    if bare.starts_with("https://") || bare.starts_with("http://") {
        return url(bare);
    }
    let (place, kind, id) = if let Some((place, id)) = bare.split_once('#') {
        (place, ReferenceKind::Issue, number(id)?)
    } else if let Some((place, id)) = bare.split_once('!') {
        (place, ReferenceKind::Pr, number(id)?)
    } else {
        let (place, id) = bare.split_once('@')?;
        (place, ReferenceKind::Commit, Some(id).filter(|id| is_commit(id))?)
    };
    Some(Thing { kind, place: Some(repository(place)?), id, url: None })
}

/// `owner/repo`, and `group/subgroup/repo` as GitLab has it.
fn repository(place: &str) -> Option<(&str, &str)> {
    let name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let (owner, repo) = place.rsplit_once('/')?;
    (owner.split('/').all(name) && name(repo)).then_some((owner, repo))
}

/// The page of an issue, a pull or merge request, a commit, a work item or an advisory.
fn url(address: &str) -> Option<Thing<'_>> {
    const PARTS: [(&str, ReferenceKind); 11] = [
        ("/-/issues/", ReferenceKind::Issue),
        ("/-/work_items/", ReferenceKind::Issue),
        ("/-/merge_requests/", ReferenceKind::Pr),
        ("/-/commit/", ReferenceKind::Commit),
        ("/issues/", ReferenceKind::Issue),
        ("/pull/", ReferenceKind::Pr),
        ("/pulls/", ReferenceKind::Pr),
        ("/pullrequest/", ReferenceKind::Pr),
        ("/merge_requests/", ReferenceKind::Pr),
        ("/commit/", ReferenceKind::Commit),
        ("/_workitems/edit/", ReferenceKind::WorkItem),
    ];
    let (_, path) = address.split_once("://")?.1.split_once('/')?;
    if let Some(id) = path.strip_prefix("advisories/").filter(|id| is_advisory(id)) {
        return Some(Thing { url: Some(address), ..Thing::here(ReferenceKind::Advisory, id) });
    }
    // The first of the parts, where it stands first.
    let mut best: Option<(usize, usize)> = None;
    for slash in memchr::memchr_iter(b'/', path.as_bytes()) {
        let after = &path[slash..];
        let upto = best.map_or(PARTS.len(), |(rank, _)| rank);
        if let Some(rank) = PARTS[..upto].iter().position(|(part, _)| after.starts_with(part)) {
            best = Some((rank, slash));
        }
    }
    let (rank, slash) = best?;
    let (part, kind) = PARTS[rank];
    let (place, rest) = (&path[..slash], &path[slash + part.len()..]);
    let id = match kind {
        ReferenceKind::Commit => {
            let end = rest.bytes().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(rest.len());
            Some(&rest[..end]).filter(|id| is_commit(id))?
        }
        _ => Some(digits(rest)).filter(|id| !id.is_empty() && id.len() <= 18)?,
    };
    let end = address.len() - rest.len() + id.len();
    Some(Thing { kind, place: Some(repository(place)?), id, url: Some(&address[..end]) })
}

/// The words git and people use: `This reverts commit <id>`, `cherry picked from commit <id>`.
fn commit<'a>(bare: &'a str, previous: &str) -> Option<Thing<'a>> {
    (previous == "commit" && is_commit(bare)).then_some(Thing::here(ReferenceKind::Commit, bare))
}

/// An id of a commit, whole or not.
fn is_commit(text: &str) -> bool {
    (7..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
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
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

fn whole_number(text: &str) -> Option<&str> {
    (!text.is_empty() && text.len() <= 18 && digits(text).len() == text.len()).then_some(text)
}
