//! `notes generate`: the changelog.

use std::collections::HashSet;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::Arc;

use regex::Regex;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use super::super::{Format, Reply};
use super::answer::answer;
use super::deepen::DeepenArgs;
use super::next::{LevelArg, Wish};
use super::output::{Output, Telling};
use super::releases::{ReleaseArgs, Releases, regex};
use super::{behind, enrich, from_context, manual, next, older, replaced, settings, signatures, whole};
use crate::adapter::git::{GitError, PathFilter};
use crate::diag::Kind;
use crate::model::{Commit, CommitId, Person, Tag, TagFacts};
use crate::notes::signature::Signed;
use crate::notes::{
    AlsoIn, Document, Elsewhere, Extent, History, Planned, Preset, Recipe, Share, Since, Squash, Wanted,
    first_commits, release,
};
use crate::port::Progress as _;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release notes generate --tag v1.2.3 -o CHANGELOG-v1.2.3.md
  kyklos-release notes generate --unreleased --format json
  kyklos-release notes generate --unreleased --bump --prepend CHANGELOG.md
  kyklos-release notes generate v1.0.0..v1.2.0
  kyklos-release notes generate --all -o CHANGELOG.md
  kyklos-release notes generate --tag v1.2.3 --prepend CHANGELOG.md
  kyklos-release notes generate --tag v1.2.3 --release-notes --dist dist -o dist/RELEASE-NOTES-v1.2.3.md
  kyklos-release notes generate --all --format json | kyklos-release notes generate --from-context -")]
pub(super) struct Args {
    /// FROM..TO, or FROM for FROM..HEAD: the releases and commits of TO that FROM does not have
    #[arg(value_name = "RANGE", conflicts_with_all = ["tag", "latest", "current", "unreleased", "all"])]
    range: Option<String>,
    /// The release of this tag; with --unreleased the tag it will have
    #[arg(short, long, value_name = "TAG", conflicts_with_all = ["latest", "current", "all"])]
    tag: Option<Tag>,
    /// The release with the highest version that HEAD has
    #[arg(short, long, conflicts_with_all = ["current", "unreleased", "all"])]
    latest: bool,
    /// The release that HEAD is
    #[arg(long, conflicts_with_all = ["unreleased", "all"])]
    current: bool,
    /// What follows the last release
    #[arg(short, long, conflicts_with = "all")]
    unreleased: bool,
    /// Give what is not released the version that `notes next` tells, or the one after which that number moves
    #[arg(long, value_enum, value_name = "LEVEL", num_args = 0..=1, default_missing_value = "auto")]
    #[arg(requires = "unreleased", conflicts_with = "tag")]
    bump: Option<LevelArg>,
    /// Make that version a prerelease, for example rc
    #[arg(long, value_name = "LABEL", requires = "bump")]
    pre: Option<String>,
    /// Every release that HEAD has, and what is not released; this is the default
    #[arg(long)]
    all: bool,
    /// What ends the notes of a release: policy (stable notes reach back to the last stable release, prerelease notes
    /// to the last release), stable, tag, or a revision; of all releases those that follow the revision
    #[arg(long, value_name = "stable|tag|REV", default_value = "policy")]
    since: String,
    #[command(flatten)]
    releases: ReleaseArgs,
    /// Only commits that change such a path; again for more
    #[arg(long, value_name = "GLOB")]
    include_path: Vec<String>,
    /// No commits that change only such paths; again for more
    #[arg(long, value_name = "GLOB")]
    exclude_path: Vec<String>,
    /// Releases that are not told, nor their commits; --ignore-tags gives those to the next release
    #[arg(long, value_name = "REGEX", value_parser = regex)]
    #[arg(conflicts_with_all = ["tag", "latest", "current", "unreleased"])]
    skip_tags: Option<Regex>,
    /// A commit that is not told, by seven digits or more of its id; again for more
    #[arg(long, value_name = "SHA")]
    skip_commit: Vec<String>,
    /// Which line of a section comes first
    #[arg(long, value_enum, default_value_t = SortArg::Newest)]
    sort: SortArg,
    /// A line per merge, none for what it brings
    #[arg(long)]
    first_parent: bool,
    /// What becomes of the bullets in the body of a squashed commit
    #[arg(long, value_enum, default_value_t = SquashArg::Breaking)]
    squash: SquashArg,
    /// Tell which changes are in releases of other branches as well: picks and backports, by their patches
    #[arg(long)]
    also_in: bool,
    /// Take the releases from an answer of `notes generate --format json`; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "range", "tag", "latest", "current", "unreleased", "all", "package", "include_path", "exclude_path",
        "first_parent", "squash", "since", "also_in", "tag_pattern", "ignore_tags", "skip_commit", "sort",
        "deepen", "skip_tags",
    ])]
    from_context: Option<PathBuf>,
    #[command(flatten)]
    deepen: DeepenArgs,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    enrich: enrich::EnrichArgs,
    #[command(flatten)]
    signatures: signatures::SignatureArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SquashArg {
    /// Those that break something are told as breaking
    Breaking,
    /// Each that has a type is a line of its own
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SortArg {
    /// The newest commit
    Newest,
    /// The oldest commit
    Oldest,
}

/// What is asked for.
enum Asked {
    One { target: CommitId, tag: Option<TagFacts>, planned: Option<Planned> },
    Range { from: CommitId, to: CommitId },
    All { head: CommitId },
}

impl Asked {
    /// What it will be called.
    fn planned(&self) -> Option<&Planned> {
        match self {
            Self::One { planned, .. } => planned.as_ref(),
            Self::Range { .. } | Self::All { .. } => None,
        }
    }

    /// The newest commit that is told about.
    fn target(&self) -> CommitId {
        match self {
            Self::One { target, .. } | Self::Range { to: target, .. } | Self::All { head: target } => *target,
        }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Markdown, Format::Json])?;
    let made = match &args.from_context {
        Some(path) => from_context::run(context, &args.output, path),
        None => args.deepen.around(context, || generate(context, args)),
    };
    match made {
        Err(error) if args.output.manual_on_failure => {
            manual::run(context, &args.output, args.tag.as_ref(), &error)
        }
        made => made,
    }
}

fn generate(context: &Context, args: &Args) -> Result<Reply, CliError> {
    let project = Project::open(context)?;
    let preset = args.output.preset.unwrap_or_else(|| settings::preset(&project.config.notes));
    let releases = args.releases.find(context, &project)?;
    let include: Vec<String> = releases.paths.iter().chain(&args.include_path).cloned().collect();
    let filter = PathFilter::new(&include, &args.exclude_path)
        .map_err(|error| CliError::usage("notes-path", error.to_string()))?;
    let since = since(&project, &args.since)?;
    let (asked, since) = match (asked(context, &project, args, &releases)?, since) {
        // Everything since a commit is what a range is.
        (Asked::All { head }, Since::Commit(from)) => (Asked::Range { from, to: head }, Since::Policy),
        asked => asked,
    };
    let tags = releases.tags;
    let mut telling = telling(context, &project, args, preset, &asked)?;
    // What is read next is kept until the end of the program, which gives all of it back at once.
    let history = ManuallyDrop::new(match &asked {
        // Who contributed for the first time is known when everything was read.
        Asked::One { target, tag, planned } if preset != Preset::Github => {
            let wanted = one(*target, tag.as_ref(), planned.as_ref());
            behind(&project, tags, &wanted, since)?
        }
        Asked::Range { from, to } if preset != Preset::Github => {
            let wanted = Wanted::unreleased(*to);
            behind(&project, tags, &wanted, Since::Commit(*from))?
        }
        Asked::One { target, .. } | Asked::Range { to: target, .. } | Asked::All { head: target } => {
            whole(&project, tags, *target)?
        }
    });
    telling.diagnostics.extend(replaced(context, &project, |id| history.commit(id).is_some()));
    let complete = matches!(asked, Asked::All { .. }) || preset == Preset::Github;
    let told = settings::person(&project);
    let mut rules = settings::rules(&project, preset, asked.target())?;
    rules.ignore.extend(settings::ignored(&args.skip_commit)?);
    let failed = std::cell::RefCell::new(None::<GitError>);
    let paths = project.repository.paths(&filter);
    let tree_of = |id| history.commit(id).map(|commit| commit.tree);
    let counts = |commit: &Commit| {
        filter.is_empty()
            || paths.touches(commit, &tree_of).unwrap_or_else(|error| {
                failed.borrow_mut().get_or_insert(error);
                false
            })
    };
    let trusted = args.signatures.trusted(context, &project)?;
    let signature = |commit: &Commit| {
        signatures::judge(&project.repository, &trusted, commit).unwrap_or_else(|error| {
            failed.borrow_mut().get_or_insert(error);
            Signed::default()
        })
    };
    telling.certain = filter.is_empty() && trusted.is_empty() && !args.output.manual_on_failure;
    let older = older(&project, &history, asked.target());
    let same_change = |one, other, alike| project.repository.same_change(one, other, alike);
    let beside = args.also_in.then(|| beside(&project, &history, asked.target())).transpose()?;
    let elsewhere = |commit: &Commit| {
        beside.as_ref().map_or_else(Vec::new, |beside| beside.releases(commit, &same_change))
    };
    let recipe = Recipe {
        first_parent: args.first_parent,
        squash: match args.squash {
            SquashArg::Breaking => Squash::Breaking,
            SquashArg::All => Squash::All,
        },
        person: &told,
        rules: &rules,
        same_change: &same_change,
        time: &|tag| project.repository.tag_time(tag).ok(),
        counts: &counts,
        signature: &signature,
        enrichment: None,
        elsewhere: beside.as_ref().map(|_| &elsewhere as &AlsoIn<'_>),
        older: (!complete).then_some(&older),
        first: None,
    };
    let mut chosen = chosen(&history, &asked, since);
    if let Some(skipped) = &args.skip_tags {
        chosen.retain(|(wanted, _)| !wanted.tag.is_some_and(|tag| skipped.is_match(tag.tag.as_str())));
    }
    let make = |(wanted, share): &(Wanted<'_>, Share<'_>), recipe: &Recipe<'_>| {
        let mut notes = release(&history, wanted, share, asked.planned(), recipe);
        if args.sort == SortArg::Oldest {
            notes.turn();
        }
        match failed.borrow_mut().take() {
            Some(error) => Err(CliError::from(error)),
            None => Ok(notes),
        }
    };
    let mut enrichment = None;
    if args.enrich.is_wanted() {
        let plain: Vec<_> = chosen.iter().map(|one| make(one, &recipe)).collect::<Result<_, _>>()?;
        let author = |id| history.commit(id).map(|commit| Person::clone(&told(&commit.author)));
        enrichment = Some(args.enrich.find(context, &project, &plain, &author)?);
    }
    let person = |person: &Arc<Person>| match &enrichment {
        Some(known) => Arc::new(known.person(Person::clone(&told(person)))),
        None => told(person),
    };
    let first = complete.then(|| first_commits(&history, &person));
    let recipe = Recipe { person: &person, enrichment: enrichment.as_ref(), first: first.as_ref(), ..recipe };
    let made = chosen.iter().map(|one| make(one, &recipe));
    // What has nothing to say about a package, or is empty behind the last release, is no release of a changelog.
    let many = !telling.single;
    let made = made.filter(|notes| {
        !many || notes.as_ref().map_or(true, |notes| notes.tag.is_some() || !notes.commits.is_empty())
    });
    let owned = std::cell::Cell::new(0);
    let mut made =
        made.inspect(|notes| owned.set(owned.get() + notes.as_ref().map_or(0, |one| one.commits.len())));
    let reply = answer(context, &args.output, &telling, &mut made)?;
    if owned.get() == 0 {
        context.printer.warn(&nothing(args, &asked, filter.is_empty()));
    }
    Ok(reply)
}

/// Why no commit is told, in words.
fn nothing(args: &Args, asked: &Asked, every_path: bool) -> String {
    match asked {
        _ if !every_path => "no commit changes such a path".to_owned(),
        Asked::One { tag: Some(tag), .. } => {
            format!("{} has no commit that no earlier release has", tag.tag)
        }
        Asked::One { tag: None, .. } => "no commit follows the last release".to_owned(),
        Asked::Range { .. } => match &args.range {
            Some(range) => format!("{range} has no commits"),
            None => format!("{}..HEAD has no commits", args.since),
        },
        Asked::All { .. } => "there are no commits".to_owned(),
    }
}

/// Everything that is known before commits are read.
fn telling(
    context: &Context,
    project: &Project,
    args: &Args,
    preset: Preset,
    asked: &Asked,
) -> Result<Telling, CliError> {
    let target = asked.target();
    let origin = project.repository.origin();
    let writer = settings::writer(project, preset, origin.clone(), target)?;
    let name = args.releases.package.clone().unwrap_or_else(|| project.config.name.to_string());
    let mut document = Document { name, ..Document::default() };
    if args.output.release_notes {
        // What is not released yet is written for the tag it will have.
        let tag = match asked {
            Asked::One { tag: Some(tag), .. } => Some(&tag.tag),
            Asked::One { tag: None, .. } | Asked::Range { .. } | Asked::All { .. } => {
                asked.planned().map(|planned| &planned.tag)
            }
        };
        document.written = settings::written(project, tag, target)?;
        if let Some(dist) = &args.output.dist {
            settings::files(context, dist, &mut document)?;
        }
    }
    Ok(Telling {
        writer: settings::overruled(context, writer, &args.output)?,
        preset,
        origin,
        document,
        extent: if matches!(asked, Asked::All { .. }) { Extent::Whole } else { Extent::Part },
        single: matches!(asked, Asked::One { .. }),
        certain: false,
        diagnostics: Vec::new(),
    })
}

/// The releases of other lines: those the target does not have, with what only they have.
fn beside(project: &Project, history: &History, target: CommitId) -> Result<Elsewhere, CliError> {
    let tips: Vec<CommitId> = history.tags().iter().map(|tag| tag.commit).collect();
    let commits = project.repository.beside(target, &tips)?;
    Ok(Elsewhere::new(History::new(commits, history.tags().to_vec())))
}

fn since(project: &Project, text: &str) -> Result<Since, CliError> {
    Ok(match text {
        "policy" => Since::Policy,
        "stable" => Since::Stable,
        "tag" => Since::Tag,
        revision => Since::Commit(project.repository.resolve(revision)?),
    })
}

/// What --tag, or --bump, makes of what is not released yet.
fn planned(
    context: &Context,
    project: &Project,
    args: &Args,
    releases: &Releases,
    head: CommitId,
) -> Result<Option<Planned>, CliError> {
    let pattern = &releases.pattern;
    // It is released now, unless whoever builds again says when.
    let time = if context.variable("SOURCE_DATE_EPOCH").is_some() { context.epoch()? } else { context.now };
    if let Some(level) = args.bump {
        let wish = Wish { label: args.pre.as_deref(), level };
        let version = next::find(project, head, wish, releases.clone())??.version;
        let tag = pattern.tag(&version).map_err(|error| CliError::usage("notes-bump", error.to_string()))?;
        return Ok(Some(Planned { tag, version, time }));
    }
    let Some(tag) = &args.tag else { return Ok(None) };
    match pattern.version(tag.as_str()) {
        Some(version) => Ok(Some(Planned { tag: tag.clone(), version, time })),
        None => Err(GitError::NotARelease { tag: tag.to_string(), pattern: pattern.to_string() }.into()),
    }
}

fn asked(context: &Context, project: &Project, args: &Args, releases: &Releases) -> Result<Asked, CliError> {
    let Releases { pattern, tags, .. } = releases;
    let repository = &project.repository;
    if let Some(range) = &args.range {
        let (from, to) = range.split_once("..").unwrap_or((range, "HEAD"));
        if from.is_empty() || to.starts_with('.') {
            let error = CliError::usage("notes-range", format!("`{range}` is no range"));
            let error = error.fact("expected", "FROM..TO");
            let symmetric = to.strip_prefix('.').filter(|_| !from.is_empty());
            return Err(match symmetric {
                Some(to) => error.hinted(format!("kyklos-release notes generate {from}..{to}")),
                None => error,
            });
        }
        let to = if to.is_empty() { "HEAD" } else { to };
        return Ok(Asked::Range { from: repository.resolve(from)?, to: repository.resolve(to)? });
    }
    if args.unreleased {
        let target = repository.head()?;
        let planned = planned(context, project, args, releases, target)?;
        return Ok(Asked::One { target, tag: None, planned });
    }
    if let Some(tag) = &args.tag {
        let facts = repository.tag(tag, pattern)?;
        return Ok(Asked::One { target: facts.commit, tag: Some(facts), planned: None });
    }
    let none = |what: &str| {
        CliError::new(Kind::Usage, "notes-no-release", what.to_owned()).hinted("git fetch --tags")
    };
    if args.current {
        let head = repository.head()?;
        let found = tags.iter().rfind(|tag| tag.commit == head);
        let found = found.ok_or_else(|| none("HEAD is no release: no release tag points to it"))?;
        let tag = Some(repository.tag(&found.tag, pattern)?);
        return Ok(Asked::One { target: head, tag, planned: None });
    }
    let head = repository.head()?;
    if args.latest {
        let found = repository.latest(head, tags)?;
        let found = found.ok_or_else(|| none("HEAD has no release tag behind it"))?;
        let tag = Some(repository.tag(&found.tag, pattern)?);
        return Ok(Asked::One { target: found.commit, tag, planned: None });
    }
    Ok(Asked::All { head })
}

/// What is not released follows the last release of any kind, unless it becomes a stable one.
fn one<'a>(target: CommitId, tag: Option<&'a TagFacts>, planned: Option<&Planned>) -> Wanted<'a> {
    let prerelease = planned.is_none_or(|planned| !planned.version.pre.is_empty());
    let unreleased = || Wanted { prerelease, ..Wanted::unreleased(target) };
    tag.map_or_else(unreleased, Wanted::release)
}

/// The releases that are told, newest first, with what they own.
fn chosen<'a>(history: &'a History, asked: &'a Asked, since: Since) -> Vec<(Wanted<'a>, Share<'a>)> {
    match asked {
        Asked::One { target, tag, planned } => {
            let wanted = one(*target, tag.as_ref(), planned.as_ref());
            let share = history.shares(&[wanted], since).pop().unwrap_or_default();
            vec![(wanted, share)]
        }
        Asked::All { head } => {
            let mut wanted = vec![Wanted::unreleased(*head)];
            let reached = history.tags().iter().rev().filter(|tag| history.commit(tag.commit).is_some());
            wanted.extend(reached.map(Wanted::release));
            let shares = history.shares(&wanted, since);
            wanted.into_iter().zip(shares).collect()
        }
        Asked::Range { from, to } => {
            let all = Wanted::unreleased(*to);
            let inside = history.shares(&[all], Since::Commit(*from)).pop().unwrap_or_default();
            let inside: HashSet<CommitId> = inside.commits.iter().map(|commit| commit.id).collect();
            let tags = history.tags().iter().rev().filter(|tag| inside.contains(&tag.commit));
            let mut wanted: Vec<Wanted<'_>> = tags.map(Wanted::release).collect();
            if wanted.iter().all(|wanted| wanted.target != *to) {
                wanted.insert(0, all);
            }
            let mut shares = history.shares(&wanted, since);
            for share in &mut shares {
                share.commits.retain(|commit| inside.contains(&commit.id));
            }
            wanted.into_iter().zip(shares).collect()
        }
    }
}
