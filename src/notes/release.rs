//! The notes of one release.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use semver::Version;

use super::deciding::Levels;
use super::enrich::Enrichment;
use super::entry::{Entry, Place, Section, Status};
use super::history::{Ends, History, Share, Told, Wanted};
use super::people::{self, Contributor};
use super::relation::{Relations, SameChange, merge_number, merge_title, relations};
use super::rules::{Rules, Telling};
use super::signature::{SignatureCounts, Signed};
use crate::format::conventional;
use crate::model::{Commit, CommitId, Origin, Person, PersonMap, Tag, TagFacts};

/// What a release brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseNotes {
    /// The tag; `None` for what is not released.
    pub tag: Option<Tag>,
    /// The tag that what is not released will have, where that is known.
    pub planned_tag: Option<Tag>,
    /// The version; `None` for what is not released and has no version yet.
    pub version: Option<Version>,
    /// The commit.
    pub target: CommitId,
    /// The release before.
    pub previous: Option<Tag>,
    /// The version of the release before.
    pub previous_version: Option<Version>,
    /// The commit of the release before.
    pub previous_target: Option<CommitId>,
    /// What ended it.
    pub ends: Ends,
    /// The nearest of the releases that ended it, lowest version first.
    pub excluded: Vec<Tag>,
    /// Other release tags of the same commit.
    pub aliases: Vec<Tag>,
    /// `YYYY-MM-DD` of the tag, or of the day on which a version was planned.
    pub date: Option<String>,
    /// Every commit it owns, newest first.
    pub commits: Vec<CommitId>,
    /// Lines by section, sections in their order, lines newest first.
    pub sections: Vec<(Section, Vec<Entry>)>,
    /// Lines that break something, whatever their section.
    pub breaking: Vec<Entry>,
    /// Commits that users do not notice, and how many.
    pub hidden: usize,
    /// Commits whose message has no type.
    pub unconventional: usize,
    /// Commits that somebody asked not to tell.
    pub skipped: usize,
    /// Commits taken back within the release, and those that take them back, newest first.
    pub cancelled: Vec<CommitId>,
    /// Commits that say again what an older one of the release says, and that one.
    pub copies: Vec<(CommitId, CommitId)>,
    /// Who contributed, sorted by name.
    pub contributors: Vec<Contributor>,
    /// The commits that ask for the number of the version that moved, newest first; empty where a person decided.
    pub deciding: Vec<CommitId>,
    /// How many of its commits are signed.
    pub signatures: SignatureCounts,
    /// How many of its commits the forge was asked about in vain; `None` where it was not asked.
    pub unknown: Option<usize>,
}

impl ReleaseNotes {
    /// Puts the oldest line of each section first.
    pub fn turn(&mut self) {
        self.sections.iter_mut().for_each(|(_, entries)| entries.reverse());
        self.breaking.reverse();
    }

    /// The page with everything since the release before; up to the branch for what is not released.
    pub fn compare_url(&self, origin: Option<&Origin>) -> Option<String> {
        let to = self.address().map_or("HEAD", |tag| tag.as_str());
        Some(origin?.compare(self.previous.as_ref()?.as_str(), to))
    }

    /// The tag under which its pages are, or will be.
    pub fn address(&self) -> Option<&Tag> {
        self.tag.as_ref().or(self.planned_tag.as_ref())
    }

    /// The page of the release.
    pub fn page(&self, origin: Option<&Origin>) -> Option<String> {
        origin?.release(self.address()?.as_str())
    }

    /// The address of its whole changelog among its files.
    pub fn changelog_page(&self, origin: Option<&Origin>) -> Option<String> {
        let tag = self.address()?;
        origin?.asset(tag.as_str(), &format!("CHANGELOG-{}.md", tag.file_part()))
    }
}

/// What becomes of the bullets in the body of a squashed commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Squash {
    /// Those that break something are told as breaking.
    Breaking,
    /// Each that has a type is a line of its own.
    All,
}

/// The commit whose id starts with some digits, and the release that brought it.
pub type Older<'a> = dyn Fn(&str) -> Option<(CommitId, Option<Tag>)> + 'a;

/// The releases of other lines that brought the change of a commit as well, lowest version first.
pub type AlsoIn<'a> = dyn Fn(&Commit) -> Vec<Tag> + 'a;

/// What will be made of what is not released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The tag.
    pub tag: Tag,
    /// The version in it.
    pub version: Version,
    /// When.
    pub time: Timestamp,
}

/// How notes are made of commits.
#[derive(Clone, Copy)]
pub struct Recipe<'a> {
    /// Merges are lines, and what they bring is not.
    pub first_parent: bool,
    /// What becomes of the bullets of a squashed commit.
    pub squash: Squash,
    /// The name and address a person goes by.
    pub person: &'a dyn Fn(&Arc<Person>) -> Arc<Person>,
    /// Tells copies of a change.
    pub same_change: &'a SameChange<'a>,
    /// When a release was tagged.
    pub time: &'a dyn Fn(&TagFacts) -> Option<Timestamp>,
    /// Where lines stand, and which are not told.
    pub rules: &'a Rules,
    /// Which commits count; the others are not owned.
    pub counts: &'a dyn Fn(&Commit) -> bool,
    /// What is known about the signature of a commit.
    pub signature: &'a dyn Fn(&Commit) -> Signed,
    /// What the forge knows; `None` where it was not asked.
    pub enrichment: Option<&'a Enrichment>,
    /// The releases of other lines that brought a change as well; `None` where nobody asked.
    pub elsewhere: Option<&'a AlsoIn<'a>>,
    /// Looks for a commit where only a part of the history was read; `None` where all of it was.
    pub older: Option<&'a Older<'a>>,
    /// The first commit of a person in the whole history.
    pub first: Option<&'a HashMap<String, CommitId>>,
}

/// The first commit of everybody, by account, address or name.
pub fn first_commits(
    history: &History,
    person: &dyn Fn(&Arc<Person>) -> Arc<Person>,
) -> HashMap<String, CommitId> {
    // Few people write most commits: who they are is found out once.
    let mut known: PersonMap<[usize; 2]> = PersonMap::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut first: Vec<CommitId> = Vec::new();
    let mut met = |author: &Arc<Person>, id: CommitId| {
        let at = known.entry(Arc::as_ptr(author)).or_insert_with(|| {
            let told = person(author);
            let mut place = |key: String| {
                let next = places.len();
                *places.entry(key).or_insert(next)
            };
            let own = place(people::key(&told));
            let keys = [own, people::name_key(&told).map_or(own, place)];
            first.resize(places.len(), id);
            keys
        });
        at.iter().for_each(|at| first[*at] = id);
    };
    // As in the notes: who merges has not written what is merged.
    for commit in history.commits().iter().filter(|commit| commit.parents.len() < 2) {
        met(&commit.author, commit.id);
        history.helpers(commit.id).iter().for_each(|helper| met(helper, commit.id));
    }
    places.into_iter().map(|(key, at)| (key, first[at])).collect()
}

/// The notes of what a release owns. `planned` is for what has no tag yet.
pub fn release(
    history: &History,
    wanted: &Wanted<'_>,
    share: &Share<'_>,
    planned: Option<&Planned>,
    recipe: &Recipe<'_>,
) -> ReleaseNotes {
    let planned = planned.filter(|_| wanted.tag.is_none());
    let owned: Vec<&Commit> =
        share.commits.iter().copied().filter(|commit| (recipe.counts)(commit)).collect();
    // Merges and reverts are read from everything; a path does not change who took back what.
    let relations = relations(&share.commits, recipe.same_change);
    let told = if history.is_told_again(share) { Told::Twice } else { Told::Once };
    if told == Told::Twice {
        history.forget_lines();
    }
    let mut lines = Lines::default();
    let mut telling = Telling::new(recipe.rules);
    let mut people: Vec<(CommitId, Vec<Arc<Person>>)> = Vec::with_capacity(owned.len());
    let mut signatures = SignatureCounts::default();
    let version = wanted.tag.map(|tag| &tag.version).or(planned.map(|planned| &planned.version));
    let mut levels = Levels::new(share.previous.map(|tag| &tag.version), &recipe.rules.bump);
    for commit in &owned {
        let signed = (recipe.signature)(commit);
        signatures.add(signed.state);
        let mut wrote = vec![(recipe.person)(&commit.author)];
        let helpers = history.helpers(commit.id);
        if !helpers.is_empty() {
            // Who is one of the others is found out by what they are called here, then by what they are.
            let named = people::distinct(std::iter::once(&commit.author).chain(helpers).cloned());
            wrote = people::distinct(named.iter().map(recipe.person));
        }
        let mut made = entries(commit, &|| history.line(commit, told), recipe, &relations);
        if let Some(pull) = recipe.enrichment.and_then(|known| known.pull_request(commit.id)) {
            made.iter_mut().for_each(|entry| entry.enrich(pull));
        }
        for mut entry in telling.told(commit, made) {
            entry.authors.clone_from(&wrote);
            entry.signature.clone_from(&signed);
            if let Some(elsewhere) = recipe.elsewhere {
                entry.also_in = elsewhere(commit);
            }
            if let Some(digits) = relations.reverts.get(&commit.id) {
                entry.status = reverts(digits, history, recipe);
            }
            levels.add(&entry);
            lines.add(entry);
        }
        if commit.parents.len() < 2 {
            people.push((commit.id, wrote));
        }
    }
    let first = recipe.first.map(|first| move |key: &str| first.get(key).copied());
    let mut contributors = people::contributors(
        people.iter().map(|(id, persons)| (*id, persons.as_slice())),
        first.as_ref().map(|first| first as &people::FirstCommit<'_>),
    );
    for contributor in contributors.iter_mut().filter(|person| person.first_time == Some(true)) {
        contributor.first_pr = brought_by(contributor.first_sha, history, &relations, recipe);
    }
    // A tag without an object of its own is as old as its commit.
    let tagged = |tag: &TagFacts| match history.commit(tag.commit) {
        Some(commit) if tag.object == tag.commit => Some(commit.time),
        _ => (recipe.time)(tag),
    };
    ReleaseNotes {
        tag: wanted.tag.map(|tag| tag.tag.clone()),
        planned_tag: planned.map(|planned| planned.tag.clone()),
        version: version.cloned(),
        target: wanted.target,
        previous: share.previous.map(|tag| tag.tag.clone()),
        previous_version: share.previous.map(|tag| tag.version.clone()),
        previous_target: share.previous.map(|tag| tag.commit),
        ends: share.ends,
        excluded: share.excluded.iter().map(|tag| tag.tag.clone()).collect(),
        aliases: aliases(history, wanted),
        date: wanted
            .tag
            .map_or_else(|| planned.map(|planned| planned.time), tagged)
            .map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()),
        commits: owned.iter().map(|commit| commit.id).collect(),
        sections: recipe.rules.ordered(lines.sections),
        breaking: lines.breaking,
        hidden: lines.hidden,
        unconventional: lines.unconventional,
        skipped: telling.skipped(),
        cancelled: owned
            .iter()
            .map(|commit| commit.id)
            .filter(|id| relations.cancelled.contains(id))
            .collect(),
        copies: owned
            .iter()
            .filter_map(|commit| Some((commit.id, *relations.duplicates.get(&commit.id)?)))
            .collect(),
        contributors,
        deciding: version.map_or_else(Vec::new, |version| levels.deciding(version, &owned)),
        signatures,
        unknown: recipe
            .enrichment
            .map(|known| owned.iter().filter(|commit| known.is_missing(commit.id)).count()),
    }
}

/// The pull request that brought a commit, as far as anything tells.
fn brought_by(id: CommitId, history: &History, relations: &Relations, recipe: &Recipe<'_>) -> Option<String> {
    let told = || Some(Entry::of_message(id, &history.commit(id)?.message)?.pull_request()?.id.clone());
    let merged = || Some(relations.merged_by.get(&id)?.id.clone());
    let known = || Some(recipe.enrichment?.pull_request(id)?.number.to_string());
    told().or_else(merged).or_else(known)
}

/// The other release tags of the commit of a release, lowest version first.
fn aliases(history: &History, wanted: &Wanted<'_>) -> Vec<Tag> {
    let Some(own) = wanted.tag else { return Vec::new() };
    let others = history.tags_of(own.commit).filter(|tag| tag.tag != own.tag);
    others.map(|tag| tag.tag.clone()).collect()
}

/// What a revert takes back that is not of its release. The id alone is told where nothing knows the commit.
fn reverts(digits: &str, history: &History, recipe: &Recipe<'_>) -> Status {
    let found = match recipe.older {
        Some(older) => older(digits),
        None => history.find(digits).map(|id| (id, history.released_in(id).cloned())),
    };
    match found.or_else(|| Some((digits.parse().ok()?, None))) {
        Some((target, shipped)) => Status::Reverts { target, shipped },
        None => Status::Active,
    }
}

/// Lines while they are sorted into sections.
#[derive(Default)]
struct Lines {
    sections: BTreeMap<Section, Vec<Entry>>,
    breaking: Vec<Entry>,
    hidden: usize,
    unconventional: usize,
}

impl Lines {
    fn add(&mut self, entry: Entry) {
        self.unconventional += usize::from(entry.kind.is_empty());
        if !entry.breaking.is_empty() {
            self.breaking.push(entry.clone());
        }
        match entry.place {
            Place::Listed(ref section) => self.sections.entry(section.clone()).or_default().push(entry),
            Place::Hidden => self.hidden += 1,
        }
    }
}

/// The lines of one commit, without who wrote it. `line` is what its message says.
fn entries(
    commit: &Commit,
    line: &dyn Fn() -> Option<Entry>,
    recipe: &Recipe<'_>,
    relations: &Relations,
) -> Vec<Entry> {
    if relations.cancelled.contains(&commit.id)
        || relations.duplicates.contains_key(&commit.id)
        || (recipe.first_parent && !relations.is_on_mainline(commit.id))
    {
        return Vec::new();
    }
    if commit.parents.len() > 1 {
        if !recipe.first_parent {
            return Vec::new();
        }
        // What the merge says stands for everything it brings.
        let title = merge_title(&commit.message);
        let Some(mut entry) = Entry::of_message(commit.id, title) else { return Vec::new() };
        entry.references.extend(merge_number(&commit.message));
        // A branch without a better name stands for what it brings all the same.
        if entry.kind.is_empty() && entry.place == Place::Hidden {
            entry.place = Place::Listed(Section::Changed);
        }
        return vec![entry];
    }
    let Some(mut entry) = line() else { return Vec::new() };
    if let (None, Some(merged)) = (entry.pull_request(), relations.merged_by.get(&commit.id)) {
        entry.references.push(merged.clone());
    }
    if recipe.squash == Squash::All {
        let nested = bullets(&commit.message);
        if nested.len() > 1 {
            return nested.iter().filter_map(|message| nested_entry(&entry, message)).collect();
        }
    }
    vec![entry]
}

fn nested_entry(squashed: &Entry, message: &str) -> Option<Entry> {
    let mut entry = Entry::of_message(squashed.id, message)?;
    entry.references.extend(squashed.pull_request().cloned());
    Some(entry)
}

/// The bullets of a body that are messages with a type, with the lines that go on below them.
fn bullets(message: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in message.lines().skip(1) {
        let bullet = line.strip_prefix("* ").or_else(|| line.strip_prefix("- "));
        match bullet {
            Some(text) => {
                open = conventional::parse(text).is_ok();
                if open {
                    found.push(text.trim().to_owned());
                }
            }
            None if open && line.starts_with("  ") => {
                if let Some(last) = found.last_mut() {
                    last.push_str(if last.contains('\n') { "\n" } else { "\n\n" });
                    last.push_str(line.trim());
                }
            }
            None => open = open && line.trim().is_empty(),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bullets_of_a_squashed_body() {
        let message = "feat: all of it (#3)\n\n* feat: one\n  more of one\n* fix(api)!: two\n* words\n  no\n\nText.\n- docs: three\n";
        assert_eq!(bullets(message), ["feat: one\n\nmore of one", "fix(api)!: two", "docs: three"]);
    }
}
