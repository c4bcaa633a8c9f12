//! About which commits a forge is asked.

use std::collections::HashSet;

use super::enrich::AddressOf;
use super::people::login;
use super::release::ReleaseNotes;
use crate::model::{CommitId, UnknownCommit};

/// The commits about which something is missing: the pull request of a line, or the account of somebody. One commit is
/// enough for an account.
pub fn wanted(releases: &[ReleaseNotes], author: &AddressOf<'_>) -> Vec<UnknownCommit> {
    let mut wanted = Vec::new();
    let mut seen: HashSet<CommitId> = HashSet::new();
    let mut accounts: HashSet<String> = HashSet::new();
    let mut ask = |id: CommitId, pull_request: bool| {
        let author = author(id).unwrap_or_default();
        let unknown = !author.email.is_empty() && login(&author.email).is_none();
        let account = unknown && !accounts.contains(&author.email.to_lowercase());
        if (pull_request || account) && seen.insert(id) {
            accounts.insert(author.email.to_lowercase());
            wanted.push(UnknownCommit { id, pull_request, account, author });
        }
    };
    let lines = |notes: &ReleaseNotes| -> Vec<(CommitId, bool)> {
        let listed = notes.sections.iter().flat_map(|(_, entries)| entries).chain(&notes.breaking);
        listed.map(|entry| (entry.id, entry.pull_request().is_none())).collect()
    };
    // Pull requests first: the same commits tell accounts.
    for (id, _) in releases.iter().flat_map(lines).filter(|(_, lacks)| *lacks) {
        ask(id, true);
    }
    let people = |notes: &ReleaseNotes| -> Vec<CommitId> {
        let unknown = notes.contributors.iter().filter(|person| person.login.is_none() && !person.bot);
        let written = notes.sections.iter().flat_map(|(_, entries)| entries).map(|entry| entry.id);
        unknown.map(|person| person.first_sha).chain(written).collect()
    };
    for id in releases.iter().flat_map(people) {
        ask(id, false);
    }
    wanted
}
