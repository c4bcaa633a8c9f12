//! What the commits of one release say about each other: what was taken back, what stands there twice, and which pull
//! request brought what.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::format::conventional;
use crate::model::{Commit, CommitId, CommitMap, CommitSet};

use super::entry::Reference;

/// Whether two commits make the same change, wherever it stands. The last argument tells that both say the same: then
/// the same files are enough, for a pick that had to be adapted is the same line of the notes.
pub type SameChange<'a> = dyn Fn(CommitId, CommitId, bool) -> bool + 'a;

/// Commits that are not told, and what is told of others.
#[derive(Debug, Default)]
pub(super) struct Relations {
    /// Taken back and taking back within the release.
    pub cancelled: CommitSet,
    /// Says the same as an older commit of the release.
    pub duplicates: CommitMap<CommitId>,
    /// Takes back a commit that is not of this release: the digits its id starts with.
    pub reverts: CommitMap<String>,
    /// The pull request whose merge brought a commit.
    pub merged_by: CommitMap<Reference>,
    /// On the way of first parents; `None` where there is no other way.
    mainline: Option<CommitSet>,
}

impl Relations {
    /// Whether a commit is on the way of first parents.
    pub(super) fn is_on_mainline(&self, commit: CommitId) -> bool {
        self.mainline.as_ref().is_none_or(|mainline| mainline.contains(&commit))
    }
}

/// Where commits stand, found out when somebody asks.
type Places<'a> = LazyCell<CommitMap<usize>, Box<dyn FnOnce() -> CommitMap<usize> + 'a>>;

/// Reads the relations of commits, which stand children before parents; the first is the target.
pub(super) fn relations(commits: &[&Commit], same_change: &SameChange<'_>) -> Relations {
    let mut relations = Relations::default();
    let places = || commits.iter().enumerate().map(|(at, commit)| (commit.id, at)).collect();
    let place: Places<'_> = LazyCell::new(Box::new(places));
    reverts(commits, &mut relations);
    duplicates(commits, &place, same_change, &mut relations);
    merges(commits, &place, &mut relations);
    relations
}

/// From the newest to the oldest: a revert that was itself taken back takes nothing back.
fn reverts(commits: &[&Commit], relations: &mut Relations) {
    let mut ids = Ids { commits, asked: 0, sorted: Vec::new() };
    let mut subjects: Option<HashMap<&str, Vec<usize>>> = None;
    for (at, commit) in commits.iter().enumerate() {
        if relations.cancelled.contains(&commit.id) {
            continue;
        }
        let words = taken_back(&commit.message);
        for word in &words {
            match ids.find(word) {
                Some(target) if target != commit.id => {
                    relations.cancelled.insert(commit.id);
                    relations.cancelled.insert(target);
                }
                Some(_) => {}
                None => {
                    relations.reverts.insert(commit.id, (*word).to_owned());
                }
            }
        }
        if let (true, Some(named)) = (words.is_empty(), taken_back_by_name(&commit.message)) {
            let known = subjects.get_or_insert_with(|| {
                let mut known: HashMap<&str, Vec<usize>> = HashMap::new();
                for (at, commit) in commits.iter().enumerate() {
                    let (line, plain) = (first_line(&commit.message), subject(&commit.message));
                    known.entry(line).or_default().push(at);
                    if plain != line {
                        known.entry(plain).or_default().push(at);
                    }
                }
                known
            });
            // The newest one behind it that still stands.
            let target = [named.as_str(), subject(&named)].into_iter().find_map(|name| {
                let behind = known.get(name)?.iter().filter(|place| **place > at);
                behind.map(|place| commits[*place].id).find(|id| !relations.cancelled.contains(id))
            });
            if let Some(target) = target {
                relations.cancelled.extend([commit.id, target]);
            }
        }
    }
}

/// Ids that are looked for by their first digits: some by going through all, many in a sorted list.
struct Ids<'a> {
    commits: &'a [&'a Commit],
    asked: usize,
    sorted: Vec<CommitId>,
}

impl Ids<'_> {
    fn find(&mut self, digits: &str) -> Option<CommitId> {
        const SOME: usize = 8;
        self.asked += 1;
        let ids = self.commits.iter().map(|commit| commit.id);
        if self.asked <= SOME {
            let start = Start::of(digits)?;
            let mut found = ids.filter(|id| start.is_of(*id));
            return found.next().filter(|_| found.next().is_none());
        }
        if self.sorted.is_empty() {
            self.sorted = ids.collect();
            self.sorted.sort_unstable();
        }
        find(&self.sorted, digits)
    }
}

/// The first digits of an id.
struct Start {
    lowest: CommitId,
    length: usize,
}

impl Start {
    /// `None` for what is no such thing.
    fn of(digits: &str) -> Option<Self> {
        let mut text = [b'0'; 40];
        text.get_mut(..digits.len())?.copy_from_slice(digits.to_ascii_lowercase().as_bytes());
        Some(Self { lowest: CommitId::from_digits(&text)?, length: digits.len() })
    }

    fn is_of(&self, id: CommitId) -> bool {
        let (whole, half) = (self.length / 2, self.length & 1 > 0);
        let (id, lowest) = (id.as_bytes(), self.lowest.as_bytes());
        id[..whole] == lowest[..whole] && (!half || id[whole] >> 4 == lowest[whole] >> 4)
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default().trim()
}

/// The first line of the commit that `Revert "LINE"` or `Reapply "LINE"` takes back, as forges write them; they add the
/// number of the pull request behind it.
fn taken_back_by_name(message: &str) -> Option<String> {
    // Which few are.
    message.trim_start().starts_with("Re").then_some(())?;
    let first = first_line(message);
    let quoted = |start: &str| {
        let (line, rest) = first.strip_prefix(start)?.rsplit_once('"')?;
        let number = rest.trim().trim_start_matches("(#").trim_start_matches("(!").trim_end_matches(')');
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(line)
    };
    match quoted("Revert \"") {
        Some(line) => Some(line.to_owned()),
        None => quoted("Reapply \"").map(|line| format!("Revert \"{line}\"")),
    }
}

/// The commit whose id starts with some digits, when there is only one.
pub(super) fn find(sorted: &[CommitId], digits: &str) -> Option<CommitId> {
    let start = Start::of(digits)?;
    let at = sorted.partition_point(|id| *id < start.lowest);
    let mut found = sorted[at..].iter().take_while(|id| start.is_of(**id));
    found.next().filter(|_| found.next().is_none()).copied()
}

/// The ids in `This reverts commit ID`, and those a `revert:` refers to.
fn taken_back(message: &str) -> Vec<&str> {
    static WORDS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("This reverts commit "));
    let mut ids = Vec::new();
    for at in WORDS.find_iter(message.as_bytes()) {
        let after = &message[at + WORDS.needle().len()..];
        let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        ids.extend(Some(&after[..digits]).filter(|id| (7..=40).contains(&id.len())));
    }
    let start = message.as_bytes().get(..6);
    if ids.is_empty()
        && start.is_some_and(|start| start.eq_ignore_ascii_case(b"revert"))
        && let Ok(parsed) = conventional::parse(message)
    {
        for footer in parsed.footers.iter().filter(|footer| footer.token.eq_ignore_ascii_case("refs")) {
            let words = footer.value.split([',', ' ']).map(str::trim);
            ids.extend(words.filter(|word| CommitId::is_named_by(word)));
        }
    }
    ids
}

/// A cherry-pick says where it is from, or keeps author and time of writing; then the patch tells whether it is one.
fn duplicates(
    commits: &[&Commit],
    place: &Places<'_>,
    same_change: &SameChange<'_>,
    relations: &mut Relations,
) {
    let mut written: Vec<(i64, usize)> = Vec::with_capacity(commits.len());
    // Oldest first: the others are the copies.
    for (at, commit) in commits.iter().enumerate().rev().filter(|(_, commit)| commit.parents.len() == 1) {
        if relations.cancelled.contains(&commit.id) {
            continue;
        }
        let from = picked_from(&commit.message).filter(|id| place.contains_key(id) && *id != commit.id);
        if let Some(original) = from.filter(|id| !relations.cancelled.contains(id)) {
            relations.duplicates.insert(commit.id, original);
            continue;
        }
        written.push((commit.authored.as_second(), at));
    }
    // Nearly nobody writes two commits in one second.
    written.sort_by_key(|(second, _)| *second);
    for second in written.chunk_by(|one, other| one.0 == other.0).filter(|second| second.len() > 1) {
        let mut by_author: BTreeMap<&str, Vec<&Commit>> = BTreeMap::new();
        for commit in second.iter().map(|(_, at)| commits[*at]) {
            by_author.entry(&commit.author.email).or_default().push(commit);
        }
        for alike in by_author.into_values().filter(|alike| alike.len() > 1) {
            copies(&alike, commits, place, same_change, relations);
        }
    }
}

/// Copies among commits that one person wrote in one second, oldest first.
fn copies(
    alike: &[&Commit],
    commits: &[&Commit],
    place: &Places<'_>,
    same_change: &SameChange<'_>,
    relations: &mut Relations,
) {
    let mut firsts: Vec<&Commit> = Vec::new();
    for commit in alike.iter().copied() {
        let copies = |first: &&&Commit| {
            // What stands behind a commit was not adapted to it: there only the same patch is the same change.
            let adapted = || !is_behind(first, commit, commits, place);
            let alike = subject(&first.message) == subject(&commit.message);
            same_change(first.id, commit.id, alike && adapted())
        };
        match firsts.iter().find(copies) {
            Some(original) => {
                relations.duplicates.insert(commit.id, original.id);
            }
            None => firsts.push(commit),
        }
    }
}

/// Whether a commit is among the ancestors of another.
fn is_behind(old: &Commit, new: &Commit, commits: &[&Commit], place: &Places<'_>) -> bool {
    let Some(end) = place.get(&old.id) else { return false };
    let mut seen: HashSet<usize> = HashSet::new();
    let mut open: Vec<usize> = place.get(&new.id).copied().into_iter().collect();
    while let Some(at) = open.pop() {
        if at == *end {
            return true;
        }
        // Parents stand behind their children: what stands behind the old commit does not lead to it.
        let parents = commits[at].parents.iter().filter_map(|id| place.get(id)).copied();
        open.extend(parents.filter(|parent| parent <= end && seen.insert(*parent)));
    }
    false
}

/// The id in the last `(cherry picked from commit ID)`, which `git cherry-pick -x` writes.
pub(super) fn picked_from(message: &str) -> Option<CommitId> {
    static WORDS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("(cherry picked from commit "));
    let at = WORDS.find_iter(message.as_bytes()).last()? + WORDS.needle().len();
    message.get(at..at + 40)?.parse().ok()
}

/// The first line without the number of a pull request.
pub(super) fn subject(message: &str) -> &str {
    let first = message.lines().next().unwrap_or_default().trim();
    first.rsplit_once(" (#").map_or(first, |(subject, _)| subject)
}

/// Which pull request brought a commit: the one of the oldest merge that has it behind its other parents and not behind
/// its first. A merge that was taken back took what it brought with it.
fn merges(commits: &[&Commit], place: &Places<'_>, relations: &mut Relations) {
    if commits.iter().all(|commit| commit.parents.len() < 2) {
        return;
    }
    let mut mainline = CommitSet::default();
    let mut at = commits.first().map(|commit| commit.id);
    while let Some(commit) = at.and_then(|id| place.get(&id)).map(|at| commits[*at]) {
        if !mainline.insert(commit.id) {
            break;
        }
        at = commit.parents.first().copied();
    }
    let mut seen = CommitSet::default();
    for merge in commits.iter().rev().filter(|commit| commit.parents.len() > 1) {
        let number = merge_number(&merge.message);
        let cancelled = relations.cancelled.contains(&merge.id);
        let brought = if mainline.contains(&merge.id) {
            new_on_mainline(merge, commits, place, &mainline, &mut seen)
        } else if number.is_some() || cancelled {
            brought(merge, commits, place)
        } else {
            continue;
        };
        for id in brought.into_iter().filter(|id| !mainline.contains(id)) {
            if cancelled {
                relations.cancelled.insert(id);
            }
            if let Some(reference) = &number {
                relations.merged_by.entry(id).or_insert_with(|| reference.clone());
            }
        }
    }
    relations.mainline = Some(mainline);
}

/// What a merge of the main line brought: what is behind its other parents and came with no older merge.
fn new_on_mainline(
    merge: &Commit,
    commits: &[&Commit],
    place: &Places<'_>,
    mainline: &CommitSet,
    seen: &mut CommitSet,
) -> Vec<CommitId> {
    let mut open: Vec<CommitId> = merge.parents[1..].to_vec();
    let mut brought = Vec::new();
    while let Some(id) = open.pop() {
        let Some(at) = place.get(&id) else { continue };
        if !mainline.contains(&id) && seen.insert(id) {
            brought.push(id);
            open.extend(&commits[*at].parents);
        }
    }
    brought
}

/// What is behind the other parents of a merge and not behind its first: both are followed in the order of the commits,
/// until nothing is left that only the others have.
fn brought(merge: &Commit, commits: &[&Commit], place: &Places<'_>) -> Vec<CommitId> {
    let mut queue: BTreeMap<usize, bool> = BTreeMap::new();
    let (mut brought, mut open) = (Vec::new(), 0);
    let follow = |queue: &mut BTreeMap<usize, bool>, open: &mut usize, id: &CommitId, main: bool| {
        let Some(at) = place.get(id) else { return };
        let had = queue.get(at).copied();
        let now = had.unwrap_or(false) || main;
        *open += usize::from(!now && had.is_none());
        *open -= usize::from(now && had == Some(false));
        queue.insert(*at, now);
    };
    for (nth, parent) in merge.parents.iter().enumerate() {
        follow(&mut queue, &mut open, parent, nth == 0);
    }
    while open > 0 {
        let Some((at, main)) = queue.pop_first() else { break };
        if !main {
            open -= 1;
            brought.push(commits[at].id);
        }
        for parent in &commits[at].parents {
            follow(&mut queue, &mut open, parent, main);
        }
    }
    brought
}

/// The pull or merge request a merge commit tells of: GitHub, Gitea and Azure in the first line, GitLab in the last.
pub(super) fn merge_number(message: &str) -> Option<Reference> {
    let first = message.lines().next().unwrap_or_default();
    let digits = |text: &str| {
        let end = text.bytes().take_while(u8::is_ascii_digit).count();
        (end > 0).then(|| text[..end].to_owned())
    };
    let after = |mark: &str| first.strip_prefix(mark).and_then(digits);
    let gitea = || {
        let rest = first.strip_prefix("Merge pull request '")?;
        digits(rest.rsplit_once("' (#")?.1)
    };
    let gitlab = || {
        static WORDS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("See merge request "));
        WORDS.find(message.as_bytes())?;
        let line = message.lines().rev().find(|line| line.starts_with("See merge request "))?;
        digits(line.rsplit_once('!')?.1)
    };
    let id = after("Merge pull request #").or_else(|| after("Merged PR ")).or_else(gitea).or_else(gitlab)?;
    Some(Reference::pull_request(id))
}

/// What a merge says for everything it brings: the first line of the body on GitHub, of the message elsewhere.
pub(super) fn merge_title(message: &str) -> &str {
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default().trim();
    // Gitea puts the title into the first line, and who looked at it below.
    if let Some((title, _)) =
        first.strip_prefix("Merge pull request '").and_then(|rest| rest.rsplit_once("' (#"))
    {
        return title;
    }
    if first.starts_with("Merge ") {
        let body =
            lines.map(str::trim).find(|line| !line.is_empty() && !line.starts_with("See merge request"));
        return body.unwrap_or(first);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_merges() {
        let id = |message: &str| merge_number(message).map(|reference| reference.id);
        assert_eq!(id("Merge pull request #12 from o/b\n\nfeat: x"), Some("12".to_owned()));
        assert_eq!(id("Merged PR 34: feat: x"), Some("34".to_owned()));
        assert_eq!(id("Merge pull request 'feat: x' (#56) from b into main"), Some("56".to_owned()));
        assert_eq!(
            id("Merge branch 'b' into 'main'\n\nfeat: x\n\nSee merge request g/p!78"),
            Some("78".to_owned())
        );
        assert_eq!(id("Merge branch 'b'"), None);
        assert_eq!(merge_title("Merge pull request #12 from o/b\n\nfeat: x"), "feat: x");
        assert_eq!(merge_title("Merge branch 'b'"), "Merge branch 'b'");
        let gitea = "Merge pull request 'feat: it's (#4)' (#56) from b into main\n\nReviewed-on: https://x/y/pulls/56";
        assert_eq!(merge_title(gitea), "feat: it's (#4)");
    }

    #[test]
    fn ids_by_their_first_digits() {
        let id = |digits: &str| format!("{digits:0<40}").parse::<CommitId>().unwrap();
        let mut sorted = [id("a1"), id("a12"), id("a13f"), id("b")];
        sorted.sort();
        let found = |digits: &str| find(&sorted, digits);
        assert_eq!(
            (found("a12"), found("A13"), found("a13f")),
            (Some(id("a12")), Some(id("a13f")), Some(id("a13f")))
        );
        assert_eq!((found("a1"), found("c"), found("x"), found("")), (None, None, None, None));
        assert_eq!(found("b").map(|id| id.to_string()), Some(id("b").to_string()));
        assert_eq!((found(&id("b").to_string()), found(&"0".repeat(41))), (Some(id("b")), None));
    }

    #[test]
    fn what_a_revert_takes_back() {
        assert_eq!(taken_back("Revert \"x\"\n\nThis reverts commit 0123456789abcdef."), ["0123456789abcdef"]);
        assert_eq!(taken_back("revert: x\n\nRefs: 676104e, a215868"), ["676104e", "a215868"]);
        assert!(taken_back("fix: x\n\nRefs: 676104e").is_empty());
        assert!(taken_back("This reverts commit 12.").is_empty());
        let name = |message: &str| taken_back_by_name(message);
        assert_eq!(name("Revert \"feat: x (#1)\" (#2)\n\nReverts o/r#1"), Some("feat: x (#1)".to_owned()));
        assert_eq!(name("Revert \"Revert \"feat: x\"\""), Some("Revert \"feat: x\"".to_owned()));
        assert_eq!(name("Reapply \"feat: x\""), Some("Revert \"feat: x\"".to_owned()));
        assert_eq!(name("Revert \"feat: x\" and more"), None);
        assert_eq!(name("Revert the thing"), None);
        let id = "0123456789012345678901234567890123456789";
        assert_eq!(picked_from(&format!("fix: x\n\n(cherry picked from commit {id})\n")), id.parse().ok());
        assert_eq!(picked_from("fix: x\n\n(cherry picked from commit 0123)\n"), None);
    }
}
