//! `notes`: changelog, release notes and the next version, from the history.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use semver::Version;

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::{Format, Reply};
use crate::format::conventional;
use crate::model::{CommitId, Tag};
use crate::notes::{self, History, ReleaseNotes, Since};
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the changelog of one release, of what is not released, or of everything
    Generate(GenerateArgs),
    /// Tell the next version
    Next(NextArgs),
    /// Parse commit messages from standard input; one JSON line per message
    Parse(ParseArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release notes generate --tag v1.2.3 -o CHANGELOG-v1.2.3.md
  kyklos-release notes generate --all -o CHANGELOG.md
  kyklos-release notes generate --unreleased --format json")]
struct GenerateArgs {
    /// The release of this tag
    #[arg(long, value_name = "TAG", conflicts_with_all = ["latest", "unreleased", "all"])]
    tag: Option<Tag>,
    /// The release with the highest version
    #[arg(long, conflicts_with_all = ["unreleased", "all"])]
    latest: bool,
    /// What follows the last release
    #[arg(long, conflicts_with = "all")]
    unreleased: bool,
    /// Every release, and what is not released; this is the default
    #[arg(long)]
    all: bool,
    /// Which earlier release ends the notes of a release
    #[arg(long, value_enum, default_value_t = SinceArg::Policy)]
    since: SinceArg,
    /// A handlebars template in place of the built-in one
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SinceArg {
    /// Stable notes from the last stable release, prerelease notes from the last release
    Policy,
    /// The last stable release
    Stable,
    /// The last release of any kind
    Tag,
}

#[derive(Debug, clap::Args)]
struct NextArgs {
    /// Make it a prerelease, for example rc
    #[arg(long, value_name = "LABEL")]
    pre: Option<String>,
    /// Name the commits that decide
    #[arg(long)]
    explain: bool,
}

#[derive(Debug, clap::Args)]
struct ParseArgs {
    /// Messages are separated by NUL bytes; without it there is one message
    #[arg(short = 'z')]
    nul: bool,
}

/// The largest template.
const MAX_TEMPLATE: u64 = 1 << 20;

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    match &args.command {
        Command::Generate(args) => generate(context, args),
        Command::Next(args) => next(context, args),
        Command::Parse(args) => parse(context, args),
    }
}

/// The history behind HEAD and every release tag.
pub(super) fn history(project: &Project, head: CommitId) -> Result<History, CliError> {
    let tags = project.repository.tags(&project.config.tag)?;
    let mut tips: Vec<CommitId> = tags.iter().map(|tag| tag.commit).collect();
    tips.push(head);
    Ok(History::new(project.repository.history(&tips)?, tags))
}

/// The version after the last release, and the time of the commit it would be made from.
pub(super) fn next_version(project: &Project, head: CommitId) -> Result<(Version, Timestamp), CliError> {
    let history = history(project, head)?;
    let next = notes::next(&history, head, None);
    let time = project.repository.commit_time(head)?;
    Ok((next.version, time))
}

fn generate(context: &Context, args: &GenerateArgs) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Markdown, Format::Json])?;
    let project = Project::open(context)?;
    let head = project.repository.head()?;
    let history = history(&project, head)?;
    let since = match args.since {
        SinceArg::Policy => Since::Policy,
        SinceArg::Stable => Since::Stable,
        SinceArg::Tag => Since::Tag,
    };
    let of = |tag: &crate::model::TagFacts| notes::release(&history, tag.commit, Some(tag), None, since);
    let unreleased = || notes::release(&history, head, None, None, Since::Tag);
    let releases: Vec<ReleaseNotes> = if let Some(tag) = &args.tag {
        vec![of(&project.repository.tag(tag, &project.config.tag)?)]
    } else if args.latest {
        let none = || CliError::usage("notes-no-release", "the repository has no release tag");
        vec![of(history.tags().last().ok_or_else(none)?)]
    } else if args.unreleased {
        vec![unreleased()]
    } else {
        let open = Some(unreleased()).filter(|notes| !notes.commits.is_empty());
        open.into_iter().chain(history.tags().iter().rev().map(of)).collect()
    };
    let whole = args.tag.is_none() && !args.latest && !args.unreleased;
    let template = match &args.template {
        Some(path) => Some(String::from_utf8_lossy(&context.read(path, MAX_TEMPLATE)?).into_owned()),
        None => None,
    };
    let text = notes::changelog(&releases, whole, template.as_deref())?;
    Reply::done("kyklos-release/notes/v1", &v1::notes::Notes::from(releases.as_slice()), text)
}

fn next(context: &Context, args: &NextArgs) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let project = Project::open(context)?;
    let head = project.repository.head()?;
    let history = history(&project, head)?;
    let label = args.pre.as_deref();
    if let Some(label) = label.filter(|label| semver::Prerelease::new(&format!("{label}.1")).is_err()) {
        return Err(CliError::usage("notes-label", format!("`{label}` is no label of a prerelease"))
            .fact("expected", "letters, digits and -"));
    }
    let next = notes::next(&history, head, label);
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

fn parse(context: &Context, args: &ParseArgs) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let input = context.stdin(64 << 20)?;
    let messages: Vec<&[u8]> = if args.nul {
        input.strip_suffix(b"\0").unwrap_or(&input).split(|byte| *byte == 0).collect()
    } else {
        vec![&input]
    };
    let mut lines = String::new();
    let mut wire = Vec::new();
    for message in messages {
        let text = String::from_utf8_lossy(message);
        let parsed = v1::notes::Parsed::from(conventional::parse(&text));
        lines.push_str(&serde_json::to_string(&parsed).unwrap_or_default());
        lines.push('\n');
        wire.push(parsed);
    }
    Reply::done("kyklos-release/notes-parse/v1", &wire, lines)
}
