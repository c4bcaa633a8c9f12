//! What the users of a repository say about their notes: where types stand, what is not told, what is told in other
//! words.

use std::collections::{BTreeMap, HashSet};

use super::bump::BumpTable;
use super::entry::{Entry, Place, Section, is_unusual};
use super::overrides::{Overrides, SoughtFooter};
use super::relation::merge_number;
use super::tracker::Tracker;
use crate::config::{OTHER, UNTYPED};
use crate::model::Commit;

/// The footer of commits that are not told.
const SKIP: (&str, &str) = ("Changelog", "skip");

/// Where lines stand, and which are not told. The default is what the types say.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The section of a type or of `type(scope)`, in lower case; `None` for types that are not told.
    pub types: BTreeMap<String, Option<Section>>,
    /// The sections in their order; the others follow in the usual one.
    pub order: Vec<Section>,
    /// The first digits of commits that are not told, in lower case.
    pub ignore: Vec<String>,
    /// Token and value of the footer of commits that are not told; `None` = `Changelog: skip`.
    pub skip: Option<(String, String)>,
    /// Which number of the version each type moves.
    pub bump: BumpTable,
    /// Keys of other trackers.
    pub trackers: Vec<Tracker>,
    /// What is told in other words.
    pub overrides: Overrides,
}

impl Rules {
    /// Whether somebody asked not to tell a commit, by its id.
    fn ignores(&self, commit: &Commit) -> bool {
        if self.ignore.is_empty() {
            return false;
        }
        let id = commit.id.to_string();
        self.ignore.iter().any(|digits| id.starts_with(digits))
    }

    /// The footer of commits that are not told.
    fn skip(&self) -> SoughtFooter<'_> {
        match &self.skip {
            Some((token, value)) => SoughtFooter::new(token, value),
            None => SoughtFooter::new(SKIP.0, SKIP.1),
        }
    }

    /// Puts a line where its type belongs. What closes a hole stays under that heading.
    pub(super) fn place(&self, entry: &mut Entry) {
        let noise = entry.kind.is_empty() && entry.place == Place::Hidden;
        if self.types.is_empty() || noise || entry.place == Place::Listed(Section::Security) {
            return;
        }
        let scoped = entry.scopes.iter().map(|scope| format!("{}({})", entry.kind, scope.to_lowercase()));
        let found = scoped.filter_map(|key| self.types.get(&key)).next();
        let kind = if entry.kind.is_empty() { UNTYPED } else { &entry.kind };
        let other = || self.types.get(OTHER).filter(|_| is_unusual(&entry.kind));
        match found.or_else(|| self.types.get(kind)).or_else(other) {
            Some(Some(section)) => entry.place = Place::Listed(section.clone()),
            Some(None) => entry.place = Place::Hidden,
            None => {}
        }
    }

    /// Sections in the order that is asked for.
    pub(super) fn ordered<T>(&self, sections: BTreeMap<Section, T>) -> Vec<(Section, T)> {
        let mut sections: Vec<(Section, T)> = sections.into_iter().collect();
        let rank = |section: &Section| self.order.iter().position(|known| known == section);
        sections.sort_by_key(|(section, _)| rank(section).unwrap_or(usize::MAX));
        sections
    }
}

/// One pass over the commits of a release.
pub(super) struct Telling<'a> {
    rules: &'a Rules,
    skip: SoughtFooter<'a>,
    /// Pull requests that were told in other words.
    told: HashSet<String>,
    skipped: usize,
}

impl<'a> Telling<'a> {
    pub(super) fn new(rules: &'a Rules) -> Self {
        Self { rules, skip: rules.skip(), told: HashSet::new(), skipped: 0 }
    }

    /// How many commits somebody asked not to tell.
    pub(super) fn skipped(&self) -> usize {
        self.skipped
    }

    /// The lines of a commit as they are told. What is written about a commit counts more than what is written about
    /// its pull request, and both count more than the commit.
    pub(super) fn told(&mut self, commit: &Commit, mut entries: Vec<Entry>) -> Vec<Entry> {
        if self.rules.ignores(commit) || self.skip.is_in(&commit.message) {
            self.skipped += 1;
            return Vec::new();
        }
        let several = entries.len() > 1;
        for entry in &mut entries {
            self.rules.place(entry);
            if self.rules.trackers.is_empty() {
                continue;
            }
            let message = if several { entry.description.clone() } else { commit.message.clone() };
            for tracker in &self.rules.trackers {
                tracker.refer(&message, entry);
            }
        }
        let overrides = &self.rules.overrides;
        if overrides.is_empty() {
            return entries;
        }
        if let Some(text) = overrides.of_commit(commit.id) {
            return self.replaced(text.apply(commit, entries));
        }
        let number = entries.iter().find_map(|entry| Some(entry.pull_request()?.id.clone()));
        let number =
            number.or_else(|| Some(merge_number(&commit.message)?.id).filter(|_| !entries.is_empty()));
        let Some(number) = number else { return entries };
        let Some(text) = overrides.of_pull_request(&number) else { return entries };
        if self.told.insert(number) {
            return self.replaced(text.apply(commit, entries));
        }
        // The rest of a pull request that is told in other words; beside them it stays.
        if text.adds() { entries } else { Vec::new() }
    }

    fn replaced(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        for entry in entries.iter_mut().filter(|entry| entry.overridden.is_some()) {
            self.rules.place(entry);
        }
        self.skipped += usize::from(entries.is_empty());
        entries
    }
}
