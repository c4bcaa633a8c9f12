//! `notes next`: the next version.

use jiff::Timestamp;
use semver::Version;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use super::super::{Format, Reply};
use super::behind;
use crate::adapter::git::{GitError, PathFilter};
use crate::model::{Commit, CommitId};
use crate::notes::{self, Asking, BumpTable, Next, NextError, Since, Wanted};
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release notes next
  kyklos-release notes next --pre rc --explain
  VERSION=$(kyklos-release notes next) || exit 0   # 1: there is nothing to release")]
pub(super) struct Args {
    /// Make it a prerelease, for example rc
    #[arg(long, value_name = "LABEL")]
    pre: Option<String>,
    /// Only a package of release.yaml: its tags and its paths
    #[arg(long, value_name = "PACKAGE")]
    package: Option<String>,
    /// Name the commits that decide
    #[arg(long)]
    explain: bool,
}

/// The version after the last release, and the time of the commit it would be made from. Where nothing asks for a
/// release it is the last number that moves: what is rehearsed needs a version.
pub(in crate::cli) fn next_version(
    project: &Project,
    head: CommitId,
) -> Result<(Version, Timestamp), CliError> {
    let time = project.repository.commit_time(head)?;
    match find(project, head, None, None)? {
        Ok(next) => Ok((next.version, time)),
        Err(NextError::Nothing { patch, .. }) => Ok((patch, time)),
        Err(error) => Err(error.into()),
    }
}

fn find(
    project: &Project,
    head: CommitId,
    label: Option<&str>,
    package: Option<&str>,
) -> Result<Result<Next, NextError>, CliError> {
    let (pattern, paths) = match package {
        Some(name) => super::generate::package(project, name)?,
        None => (project.config.tag.clone(), Vec::new()),
    };
    let tags = project.repository.tags(&pattern)?;
    let wanted = Wanted { target: head, tag: None, prerelease: false };
    let history = behind(project, tags, &wanted, Since::Stable)?;
    let filter =
        PathFilter::new(&paths, &[]).map_err(|error| CliError::usage("notes-path", error.to_string()))?;
    let failed = std::cell::RefCell::new(None::<GitError>);
    let counts = |commit: &Commit| {
        filter.is_empty()
            || project.repository.touches(commit, &filter).unwrap_or_else(|error| {
                failed.borrow_mut().get_or_insert(error);
                false
            })
    };
    let settings = &project.config.notes;
    let table = BumpTable { any: settings.bump.clone(), initial: settings.initial_bump.clone() };
    let next = notes::next(&history, head, &Asking { label, table: &table, counts: &counts });
    match failed.into_inner() {
        Some(error) => Err(error.into()),
        None => Ok(next),
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let project = Project::open(context)?;
    let head = project.repository.head()?;
    let label = args.pre.as_deref();
    if let Some(label) = label.filter(|label| semver::Prerelease::new(&format!("{label}.1")).is_err()) {
        return Err(CliError::usage("notes-label", format!("`{label}` is no label of a prerelease"))
            .fact("expected", "letters, digits and -"));
    }
    let next = find(&project, head, label, args.package.as_deref())??;
    let wire = v1::notes::Next::from(&next);
    let mut text = format!("{}\n", next.version);
    if args.explain {
        text.push_str(&format!("{} after {}\n", wire.bump, wire.previous.as_deref().unwrap_or("nothing")));
        if let Some(tag) = &wire.under_way {
            text.push_str(&format!("  {tag} is under way\n"));
        }
        for commit in &wire.because {
            text.push_str(&format!("  {} {}\n", &commit.sha[..7], commit.subject));
        }
    }
    Reply::done("kyklos-release/notes-next/v1", &wire, text)
}
