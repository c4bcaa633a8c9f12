//! About which commits a forge is asked.

use std::collections::HashSet;

use super::enrich::AddressOf;
use super::people::login;
use super::release::ReleaseNotes;
use crate::model::CommitId;

/// The commits about which something is missing: the pull request of a line, or the account of somebody. One commit is
/// enough for an account.
pub fn wanted(releases: &[ReleaseNotes], author: &AddressOf<'_>) -> Vec<CommitId> {
    let mut wanted = Vec::new();
    let mut seen: HashSet<CommitId> = HashSet::new();
    let mut accounts: HashSet<String> = HashSet::new();
    let lines = |notes: &ReleaseNotes| -> Vec<(CommitId, bool)> {
        let listed = notes.sections.iter().flat_map(|(_, entries)| entries).chain(&notes.breaking);
        listed.map(|entry| (entry.id, entry.pull_request().is_none())).collect()
    };
    // Pull requests first: the same commits tell accounts.
    for (id, lacks) in releases.iter().flat_map(lines) {
        if lacks && seen.insert(id) {
            wanted.push(id);
            accounts.extend(author(id).map(|person| person.email.to_lowercase()));
        }
    }
    let people = |notes: &ReleaseNotes| -> Vec<CommitId> {
        let unknown = notes.contributors.iter().filter(|person| person.login.is_none() && !person.bot);
        let written = notes.sections.iter().flat_map(|(_, entries)| entries).map(|entry| entry.id);
        unknown.map(|person| person.first_sha).chain(written).collect()
    };
    for id in releases.iter().flat_map(people) {
        let Some(person) = author(id).filter(|person| login(&person.email).is_none()) else { continue };
        if !person.email.is_empty() && accounts.insert(person.email.to_lowercase()) && seen.insert(id) {
            wanted.push(id);
        }
    }
    wanted
}
