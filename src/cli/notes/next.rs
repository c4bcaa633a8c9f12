//! `notes next`: the next version.

use jiff::Timestamp;
use semver::Version;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use super::super::{Format, Reply};
use super::behind;
use crate::model::CommitId;
use crate::notes::{self, Next, Since, Wanted};
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release notes next
  kyklos-release notes next --pre rc --explain")]
pub(super) struct Args {
    /// Make it a prerelease, for example rc
    #[arg(long, value_name = "LABEL")]
    pre: Option<String>,
    /// Name the commits that decide
    #[arg(long)]
    explain: bool,
}

/// The version after the last release, and the time of the commit it would be made from.
pub(in crate::cli) fn next_version(
    project: &Project,
    head: CommitId,
) -> Result<(Version, Timestamp), CliError> {
    let next = find(project, head, None)?;
    let time = project.repository.commit_time(head)?;
    Ok((next.version, time))
}

fn find(project: &Project, head: CommitId, label: Option<&str>) -> Result<Next, CliError> {
    let tags = project.repository.tags(&project.config.tag)?;
    let wanted = Wanted { target: head, tag: None, prerelease: false };
    let history = behind(project, tags, &wanted, Since::Stable)?;
    Ok(notes::next(&history, head, label)?)
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
    let next = find(&project, head, label)?;
    let wire = v1::notes::Next::from(&next);
    let mut text = format!("{}\n", next.version);
    if args.explain {
        text.push_str(&format!("{} after {}\n", wire.bump, wire.previous.as_deref().unwrap_or("nothing")));
        for commit in &wire.because {
            text.push_str(&format!("  {} {}\n", &commit.sha[..7], commit.subject));
        }
    }
    Reply::done("kyklos-release/notes-next/v1", &wire, text)
}
