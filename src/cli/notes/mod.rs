//! `notes`: changelog, release notes and the next version, from the history.

mod answer;
mod deepen;
mod enrich;
mod from_context;
mod generate;
mod git_cliff;
mod import;
mod lint;
mod manual;
mod next;
mod output;
mod parse;
mod prepend;
mod releases;
mod settings;
mod signatures;
mod template;

pub(super) use git_cliff::tip;
pub(super) use next::next_version;

use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;

use clap::Subcommand;
use jiff::Timestamp;

use super::Reply;
use super::context::Context;
use super::error::CliError;
use super::project::Project;
use crate::adapter::git::SKEW;
use crate::diag::{Diagnostic, Severity, counted};
use crate::model::{CommitId, Tag, TagFacts};
use crate::notes::{
    BODY, Document, Extent, Fitted, History, Planned, Preset, Recipe, Since, Squash, Wanted, release,
};
use crate::plan::Facts;
use crate::port::Progress as _;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the changelog of one release, of what is not released, or of everything
    Generate(Box<generate::Args>),
    /// Carry the configuration of git-cliff over to release.yaml
    Import(import::Args),
    /// Tell what is wrong with commit messages or the title of a pull request
    Lint(lint::Args),
    /// Tell the next version
    Next(next::Args),
    /// Parse commit messages of files or standard input; one JSON line per message
    Parse(parse::Args),
    /// List, show and try templates
    Template(template::Args),
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    match &args.command {
        Command::Generate(args) => generate::run(context, args),
        Command::Import(args) => import::run(context, args),
        Command::Lint(args) => lint::run(context, args),
        Command::Next(args) => next::run(context, args),
        Command::Parse(args) => parse::run(context, args),
        Command::Template(args) => template::run(context, args),
    }
}

/// Everything a commit has, releases and commits.
fn whole(project: &Project, tags: Vec<TagFacts>, head: CommitId) -> Result<History, CliError> {
    Ok(History::new(project.repository.history(&[head])?, tags))
}

/// As much of the history as one release needs.
fn behind(
    project: &Project,
    tags: Vec<TagFacts>,
    wanted: &Wanted<'_>,
    since: Since,
) -> Result<History, CliError> {
    let end = match since {
        Since::Commit(end) => Some(end),
        Since::Policy | Since::Tag | Since::Stable => None,
    };
    let stable_only = since.stable_only(wanted);
    let ends = tags.iter().filter(|_| end.is_none()).filter(|tag| !stable_only || tag.version.pre.is_empty());
    let released: HashSet<CommitId> = ends.map(|tag| tag.commit).collect();
    Ok(History::new(project.repository.history_since(wanted.target, end, &released)?, tags))
}

/// Says that git shows commits that a history has otherwise than they were made, which notes never do: what `refs/replace` and
/// `info/grafts` say is known here and nowhere else. Whoever told git to leave that out knows.
fn replaced(context: &Context, project: &Project, has: impl Fn(CommitId) -> bool) -> Option<Diagnostic> {
    if context.variable("GIT_NO_REPLACE_OBJECTS").is_some() {
        return None;
    }
    let replaced = project.repository.replaced();
    let shown = replaced.into_iter().filter(|id| has(*id)).count();
    let commits = counted(shown, "commit", "commits");
    let message = format!(
        "git shows {commits} of this history otherwise here (refs/replace, info/grafts); what was committed counts"
    );
    (shown > 0).then(|| {
        context.printer.warn(&message);
        let mut diagnostic = Diagnostic::new(Severity::Warning, "notes-replaced", message);
        diagnostic.hint = Some("git --no-replace-objects log".to_owned());
        diagnostic
    })
}

/// Looks for commits in what a commit has, with the release that brought them. As much is read as is asked for, which is
/// everything for what is not found; where it cannot be read, as in a shallow clone, nothing is found.
fn older<'a>(
    project: &'a Project,
    history: &'a History,
    head: CommitId,
) -> impl Fn(&str) -> Option<(CommitId, Option<Tag>)> + 'a {
    let tags = || history.tags().to_vec();
    let found = |history: &History, digits: &str| {
        let id = history.find(digits)?;
        Some((id, history.released_in(id).cloned()))
    };
    let young = RefCell::new(None::<(Timestamp, History)>);
    let all = OnceCell::<Option<History>>::new();
    move |digits| {
        // Most of what is taken back is young. What a shallow clone has not may be young as well.
        let time = project.repository.time_of(digits);
        if let Some(time) = time.filter(|_| all.get().is_none() && !project.repository.is_shallow()) {
            let before = time.saturating_sub(SKEW).unwrap_or(time);
            if history.begins().is_none_or(|begins| begins < before)
                && let Some(told) = found(history, digits)
            {
                return Some(told);
            }
            let mut young = young.borrow_mut();
            if young.as_ref().is_none_or(|(since, _)| time < *since) {
                // Whoever asks again is answered from twice as far back, so that nothing is read many times.
                let again = || time.saturating_sub(history.commit(head)?.time.duration_since(time)).ok();
                let since = young.as_ref().and_then(|_| again()).unwrap_or(time);
                let commits = project.repository.history_back_to(head, since).ok();
                *young = commits.map(|commits| (since, History::new(commits, tags())));
            }
            let told = young.as_ref().and_then(|(_, history)| found(history, digits));
            if told.is_some() {
                return told;
            }
        }
        let all = all.get_or_init(|| whole(project, tags(), head).ok()).as_ref()?;
        found(all, digits)
    }
}

/// The texts of one release, as a rehearsal makes them.
pub(super) struct Texts {
    pub(super) changelog: String,
    pub(super) body: Fitted,
}

/// Changelog and text of a release. `document` brings what no commit tells; what is written by hand is added.
pub(super) fn texts(project: &Project, facts: &Facts, document: Document) -> Result<Texts, CliError> {
    let tags = project.repository.tags(&project.config.tag)?;
    let known = tags.iter().find(|known| known.tag == facts.tag).cloned();
    let wanted =
        Wanted { target: facts.commit, tag: known.as_ref(), prerelease: !facts.version.pre.is_empty() };
    let history = behind(project, tags, &wanted, Since::Policy)?;
    let share = history.shares(&[wanted], Since::Policy).pop().unwrap_or_default();
    // The page of a forge names no version, and this file is found by its heading.
    let preset = match settings::preset(&project.config.notes) {
        Preset::Github | Preset::Kyklos => Preset::Kyklos,
        Preset::KeepAChangelog => Preset::KeepAChangelog,
    };
    let rules = settings::rules(project, preset, facts.commit)?;
    let person = settings::person(project);
    let recipe = Recipe {
        first_parent: false,
        squash: Squash::Breaking,
        person: &person,
        rules: &rules,
        same_change: &|one, other, alike| project.repository.same_change(one, other, alike),
        time: &|tag| project.repository.tag_time(tag).ok(),
        counts: &|_| true,
        signature: &signatures::unchecked,
        enrichment: None,
        elsewhere: None,
        older: Some(&older(project, &history, facts.commit)),
        first: None,
    };
    let planned = Planned { tag: facts.tag.clone(), version: facts.version.clone(), time: facts.created };
    let notes = release(&history, &wanted, &share, Some(&planned), &recipe);
    let writer = settings::writer(project, preset, project.repository.origin(), facts.commit)?;
    let written = settings::written(project, Some(&facts.tag), facts.commit)?;
    let document = Document { written, ..document };
    Ok(Texts {
        changelog: writer.changelog(std::slice::from_ref(&notes), Extent::Part)?,
        body: writer.body(&notes, &document, BODY)?,
    })
}
