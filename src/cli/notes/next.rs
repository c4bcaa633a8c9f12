//! `notes next`: the next version.

use std::time::Duration;

use jiff::Timestamp;
use semver::Version;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use super::super::{Format, Reply};
use super::deepen::DeepenArgs;
use super::releases::{ReleaseArgs, Releases};
use super::{behind, replaced, settings};
use crate::adapter::git::{GitError, PathFilter};
use crate::adapter::remote::{RemoteError, has_tag};
use crate::diag::Kind;
use crate::model::{Commit, CommitId, TagPattern};
use crate::notes::{self, Asking, Bump, Next, NextError, Since, Wanted};
use crate::port::Progress as _;
use crate::render::json::v1;

/// How long the remote may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release notes next
  kyklos-release notes next --pre rc --explain
  kyklos-release notes next --bump major
  VERSION=$(kyklos-release notes next) || exit 0   # 1: there is nothing to release")]
pub(super) struct Args {
    /// Make it a prerelease, for example rc
    #[arg(long, value_name = "LABEL")]
    pre: Option<String>,
    /// The number that moves, whatever the commits and their footers say
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = LevelArg::Auto)]
    bump: LevelArg,
    #[command(flatten)]
    releases: ReleaseArgs,
    /// Have git ask the remote whether the version is free there as well
    #[arg(long)]
    check_remote: bool,
    /// Name the commits that decide
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    deepen: DeepenArgs,
}

/// Which number moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LevelArg {
    /// As the commits say
    Auto,
    /// The first
    Major,
    /// The middle one
    Minor,
    /// The last
    Patch,
}

/// What a version is to be, beside what commits say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    /// The label of a prerelease.
    pub(super) label: Option<&'a str>,
    pub(super) level: LevelArg,
}

/// The version after the last release, and the time of the commit it would be made from. Where nothing asks for a
/// release it is the last number that moves: what is rehearsed needs a version.
pub(in crate::cli) fn next_version(
    project: &Project,
    head: CommitId,
) -> Result<(Version, Timestamp), CliError> {
    let time = project.repository.commit_time(head)?;
    let tags = project.repository.tags(&project.config.tag)?;
    let releases = Releases { pattern: project.config.tag.clone(), paths: Vec::new(), tags };
    match find(project, head, Wish { label: None, level: LevelArg::Auto }, releases)? {
        Ok(next) => Ok((next.version, time)),
        Err(NextError::Nothing { patch, .. }) => Ok((patch, time)),
        Err(error) => Err(error.into()),
    }
}

/// The next version after some releases.
pub(super) fn find(
    project: &Project,
    head: CommitId,
    wish: Wish<'_>,
    releases: Releases,
) -> Result<Result<Next, NextError>, CliError> {
    let Releases { paths: include, tags, .. } = releases;
    let wanted = Wanted { target: head, tag: None, prerelease: false };
    let history = behind(project, tags, &wanted, Since::Stable)?;
    let filter =
        PathFilter::new(&include, &[]).map_err(|error| CliError::usage("notes-path", error.to_string()))?;
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
    let table = settings::table(&project.config.notes);
    let Wish { label, level } = wish;
    let level = match level {
        LevelArg::Auto => None,
        LevelArg::Major => Some(Bump::Major),
        LevelArg::Minor => Some(Bump::Minor),
        LevelArg::Patch => Some(Bump::Patch),
    };
    if let Some(label) = label.filter(|label| semver::Prerelease::new(&format!("{label}.1")).is_err()) {
        return Err(CliError::usage("notes-label", format!("`{label}` is no label of a prerelease"))
            .fact("expected", "letters, digits and -"));
    }
    let next = notes::next(&history, head, &Asking { label, table: &table, level, counts: &counts });
    match failed.into_inner() {
        Some(error) => Err(error.into()),
        None => Ok(next),
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    args.deepen.around(context, || tell(context, args))
}

fn tell(context: &Context, args: &Args) -> Result<Reply, CliError> {
    let project = Project::open(context)?;
    let head = project.repository.head()?;
    let wish = Wish { label: args.pre.as_deref(), level: args.bump };
    let releases = args.releases.find(context, &project)?;
    let pattern = releases.pattern.clone();
    let next = find(&project, head, wish, releases)??;
    if args.check_remote {
        free(context, &project, &next.version, &pattern)?;
    }
    let wire = v1::next::Next::from(&next);
    let mut text = format!("{}\n", next.version);
    if args.explain {
        let previous = wire.previous.as_deref().unwrap_or("nothing");
        text.push_str(&format!("{} after {previous}\n", wire.bump));
        if args.bump != LevelArg::Auto {
            text.push_str("  as --bump says\n");
        }
        if let Some(tag) = &wire.under_way {
            text.push_str(&format!("  {tag} is under way\n"));
        }
        for commit in &wire.because {
            text.push_str(&format!("  {} {}\n", &commit.sha[..7], said(commit)));
        }
        let young = next.bump == Bump::Minor && next.from.as_ref().is_some_and(|from| from.major == 0);
        if young && wire.because.iter().any(|commit| commit.breaking) {
            text.push_str("  before 1.0.0 what breaks moves the middle number\n");
        }
    }
    let mut reply = Reply::done("kyklos-release/notes-next/v1", &wire, text)?;
    // What cannot be walked was told already.
    let has = |id| project.repository.is_ancestor(id, head).unwrap_or(false);
    reply.diagnostics.extend(replaced(context, &project, has));
    Ok(reply)
}

/// A version that only the remote knows of is taken all the same.
fn free(
    context: &Context,
    project: &Project,
    version: &Version,
    pattern: &TagPattern,
) -> Result<(), CliError> {
    if context.network.offline {
        let error = CliError::usage("next-offline", "--check-remote asks, and --offline forbids that");
        return Err(error.hinted("leave one of them out"));
    }
    let tag = pattern.tag(version).map_err(|error| CliError::usage("next-tag", error.to_string()))?;
    let remote = project.repository.remote().ok_or(RemoteError::NoRemote)?;
    context.printer.working(&format!("asking {remote} for {tag}"));
    if has_tag(&project.repository, &remote, &tag, PATIENCE)? {
        let message = format!("the next version {version} is taken: the remote `{remote}` has the tag {tag}");
        return Err(
            CliError::new(Kind::Conflict, "next-taken", message).hinted(format!("git fetch --tags {remote}"))
        );
    }
    Ok(())
}

/// A commit that decides, as its first line said it, and what else makes it decide.
fn said(commit: &v1::next::Deciding) -> String {
    let v1::next::Deciding { sha: _, subject, kind, scopes, breaking, release_as } = commit;
    let scopes = if scopes.is_empty() { String::new() } else { format!("({})", scopes.join(", ")) };
    let mark = if *breaking { "!" } else { "" };
    let head = if kind.is_empty() { String::new() } else { format!("{kind}{scopes}{mark}: ") };
    let asked = release_as.as_ref().map_or_else(String::new, |version| format!(" (Release-As: {version})"));
    format!("{head}{subject}{asked}")
}
