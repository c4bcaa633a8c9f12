//! What the commits of one release say about each other: what was taken back, what stands there twice, and which pull
//! request brought what.

use std::collections::{HashMap, HashSet};

use crate::format::conventional::{self, ReferenceKind, ReferenceSource};
use crate::model::{Commit, CommitId};

use super::entry::Reference;

/// Whether two commits make the same change, wherever it stands. The last argument tells that both say the same: then
/// the same files are enough, for a pick that had to be adapted is the same line of the notes.
pub type SameChange<'a> = dyn Fn(CommitId, CommitId, bool) -> bool + 'a;

/// Commits that are not told, and what is told of others.
#[derive(Debug, Default)]
pub(super) struct Relations {
    /// Taken back and taking back within the release.
    pub cancelled: HashSet<CommitId>,
    /// Says the same as an older commit of the release.
    pub duplicates: HashMap<CommitId, CommitId>,
    /// Takes back a commit that is not of this release.
    pub reverts: HashMap<CommitId, CommitId>,
    /// The pull request whose merge brought a commit.
    pub merged_by: HashMap<CommitId, Reference>,
    /// On the way of first parents.
    pub mainline: HashSet<CommitId>,
}

/// Reads the relations of commits, which stand children before parents; the first is the target.
pub(super) fn relations(commits: &[&Commit], same_change: &SameChange<'_>) -> Relations {
    let mut relations = Relations::default();
    let owned: HashMap<CommitId, &Commit> = commits.iter().map(|commit| (commit.id, *commit)).collect();
    reverts(commits, &owned, &mut relations);
    duplicates(commits, same_change, &mut relations);
    merges(commits, &owned, &mut relations);
    relations
}

/// From the newest to the oldest: a revert that was itself taken back takes nothing back.
fn reverts(commits: &[&Commit], owned: &HashMap<CommitId, &Commit>, relations: &mut Relations) {
    let mut sorted: Option<Vec<CommitId>> = None;
    for commit in commits {
        if relations.cancelled.contains(&commit.id) {
            continue;
        }
        for word in taken_back(&commit.message) {
            let known = sorted.get_or_insert_with(|| {
                let mut ids: Vec<CommitId> = owned.keys().copied().collect();
                ids.sort();
                ids
            });
            match find(known, word) {
                Some(target) if target != commit.id => {
                    relations.cancelled.insert(commit.id);
                    relations.cancelled.insert(target);
                }
                Some(_) => {}
                None => {
                    if let Ok(target) = word.parse() {
                        relations.reverts.insert(commit.id, target);
                    }
                }
            }
        }
    }
}

/// The commit whose id starts with some digits, when there is only one.
fn find(sorted: &[CommitId], digits: &str) -> Option<CommitId> {
    let digits = digits.to_ascii_lowercase();
    let lowest = format!("{digits:0<40}").parse::<CommitId>().ok()?;
    let at = sorted.partition_point(|id| *id < lowest);
    let mut found = sorted[at..].iter().take_while(|id| id.to_string().starts_with(&digits));
    found.next().filter(|_| found.next().is_none()).copied()
}

/// The ids in `This reverts commit ID`, and those a `revert:` refers to.
fn taken_back(message: &str) -> Vec<&str> {
    let mut ids = Vec::new();
    let mut rest = message;
    while let Some((_, after)) = rest.split_once("This reverts commit ") {
        let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        ids.extend(Some(&after[..digits]).filter(|id| (7..=40).contains(&id.len())));
        rest = after;
    }
    let start = message.as_bytes().get(..6);
    if ids.is_empty()
        && start.is_some_and(|start| start.eq_ignore_ascii_case(b"revert"))
        && let Ok(parsed) = conventional::parse(message)
    {
        for footer in parsed.footers.iter().filter(|footer| footer.token.eq_ignore_ascii_case("refs")) {
            let words = footer.value.split([',', ' ']).map(str::trim);
            ids.extend(words.filter(|word| {
                (7..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
            }));
        }
    }
    ids
}

/// A cherry-pick keeps author and time of writing; whether it is one, the patch tells.
fn duplicates(commits: &[&Commit], same_change: &SameChange<'_>, relations: &mut Relations) {
    let mut alike: HashMap<(&str, i64), Vec<&Commit>> = HashMap::new();
    // Oldest first: the others are the copies.
    for commit in commits.iter().rev().filter(|commit| commit.parents.len() == 1) {
        if !relations.cancelled.contains(&commit.id) {
            alike
                .entry((commit.author.email.as_str(), commit.authored.as_second()))
                .or_default()
                .push(commit);
        }
    }
    for group in alike.into_values().filter(|group| group.len() > 1) {
        let mut firsts: Vec<&Commit> = Vec::new();
        for commit in group {
            let copies = |first: &&&Commit| {
                same_change(first.id, commit.id, subject(&first.message) == subject(&commit.message))
            };
            match firsts.iter().find(copies) {
                Some(original) => {
                    relations.duplicates.insert(commit.id, original.id);
                }
                None => firsts.push(commit),
            }
        }
    }
}

/// The first line without the number of a pull request.
fn subject(message: &str) -> &str {
    let first = message.lines().next().unwrap_or_default().trim();
    first.rsplit_once(" (#").map_or(first, |(subject, _)| subject)
}

/// What a merge brought: everything behind its other parents that was not there before.
fn merges(commits: &[&Commit], owned: &HashMap<CommitId, &Commit>, relations: &mut Relations) {
    let mut at = commits.first().map(|commit| commit.id);
    let mut mainline = Vec::new();
    while let Some(commit) = at.and_then(|id| owned.get(&id)) {
        if !relations.mainline.insert(commit.id) {
            break;
        }
        mainline.push(*commit);
        at = commit.parents.first().copied();
    }
    let mut brought: HashSet<CommitId> = HashSet::new();
    for merge in mainline.iter().rev().filter(|commit| commit.parents.len() > 1) {
        let number = merge_number(&merge.message);
        let mut open: Vec<CommitId> = merge.parents[1..].to_vec();
        while let Some(id) = open.pop() {
            let Some(commit) = owned.get(&id) else { continue };
            if relations.mainline.contains(&id) || !brought.insert(id) {
                continue;
            }
            // A merge that was taken back took what it brought with it.
            if relations.cancelled.contains(&merge.id) {
                relations.cancelled.insert(id);
            }
            if let Some(reference) = &number {
                relations.merged_by.insert(id, reference.clone());
            }
            open.extend(&commit.parents);
        }
    }
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
        let line = message.lines().rev().find(|line| line.starts_with("See merge request "))?;
        digits(line.rsplit_once('!')?.1)
    };
    let id = after("Merge pull request #").or_else(|| after("Merged PR ")).or_else(gitea).or_else(gitlab)?;
    Some(Reference {
        kind: ReferenceKind::Pr,
        action: None,
        owner: None,
        repo: None,
        id,
        source: ReferenceSource::Subject,
    })
}

/// What a merge says for everything it brings: the first line of the body on GitHub, of the message elsewhere.
pub(super) fn merge_title(message: &str) -> &str {
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default().trim();
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
    }

    #[test]
    fn what_a_revert_takes_back() {
        assert_eq!(taken_back("Revert \"x\"\n\nThis reverts commit 0123456789abcdef."), ["0123456789abcdef"]);
        assert_eq!(taken_back("revert: x\n\nRefs: 676104e, a215868"), ["676104e", "a215868"]);
        assert!(taken_back("fix: x\n\nRefs: 676104e").is_empty());
        assert!(taken_back("This reverts commit 12.").is_empty());
    }
}
