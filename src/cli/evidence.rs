//! `evidence`: what gates decide on.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::{Format, Reply};
use crate::adapter::fs::{self, Directory};
use crate::diag::Kind as ErrorKind;
use crate::evidence::{Envelope, Item, Kind};
use crate::model::{AssetName, CommitId, Digest};
use crate::port::{EntryKind, Files as _, FilesError};
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put a file into the evidence, bound to the commit it was made for
    Add(AddArgs),
    /// List the evidence
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The file
    file: PathBuf,
    /// What it is
    #[arg(long, value_enum)]
    kind: Kind,
    /// The commit it was made for [default: HEAD]
    #[arg(long, value_name = "SHA")]
    commit: Option<CommitId>,
    /// The image it was made for
    #[arg(long, value_name = "DIGEST")]
    index: Option<Digest>,
    /// Where the evidence is
    #[arg(long, value_name = "DIR", default_value = "evidence")]
    evidence: PathBuf,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Where the evidence is
    #[arg(long, value_name = "DIR", default_value = "evidence")]
    evidence: PathBuf,
}

/// The largest piece of evidence.
const MAX_FILE: u64 = 512 << 20;

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    match &args.command {
        Command::Add(args) => add(context, args),
        Command::List(args) => list(context, args),
    }
}

fn add(context: &Context, args: &AddArgs) -> Result<Reply, CliError> {
    let bytes = context.read(&args.file, MAX_FILE)?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name: AssetName =
        name.parse().map_err(|error| CliError::usage("evidence-name", format!("{error}")))?;
    let commit = match args.commit {
        Some(commit) => commit,
        None => Project::open(context)?.repository.head()?,
    };
    let envelope = Envelope {
        schema: Envelope::SCHEMA.to_owned(),
        kind: args.kind,
        digest: Digest::of(&bytes),
        commit,
        index: args.index,
        produced: context.now,
    };
    let item = envelope.open(name.as_str(), &bytes);
    if let Err(reason) = &item.fact {
        return Err(CliError::new(
            ErrorKind::Undecided,
            "evidence-unreadable",
            format!("{name} cannot be read as {}", args.kind),
        )
        .fact("found", reason.clone()));
    }
    let directory = context.path(&args.evidence);
    fs::write_atomic(&directory.join(name.as_str()), &bytes)?;
    let text = serde_json::to_vec_pretty(&envelope)
        .map_err(|error| CliError::new(ErrorKind::Internal, "json", error.to_string()))?;
    fs::write_atomic(&directory.join(format!("{name}{}", Envelope::SUFFIX)), &text)?;
    let wire = wire(&item);
    Reply::done("kyklos-release/evidence-add/v1", &wire, format!("{}\n", line(&wire)))
}

fn list(context: &Context, args: &ListArgs) -> Result<Reply, CliError> {
    let items = collect(&context.path(&args.evidence))?;
    let listed: Vec<v1::gate::Evidence> = items.iter().map(wire).collect();
    let text: String = listed.iter().map(|item| format!("{}\n", line(item))).collect();
    Reply::done("kyklos-release/evidence-list/v1", &listed, text)
}

/// Everything in a directory that lies in an envelope. A missing directory holds no evidence.
pub(super) fn collect(directory: &Path) -> Result<Vec<Item>, CliError> {
    let files = Directory::new(directory);
    let entries = match files.list(Path::new(".")) {
        Ok(entries) => entries,
        Err(FilesError::Missing { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut items = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
        let Some(name) = entry.name.strip_suffix(Envelope::SUFFIX) else { continue };
        let envelope = Envelope::parse(&files.read(Path::new(&entry.name), 1 << 20)?, &entry.name)?;
        // A file that is gone is unreadable, and the gate that needs it says so.
        let bytes = files.read(Path::new(name), MAX_FILE).unwrap_or_default();
        items.push(envelope.open(name, &bytes));
    }
    Ok(items)
}

fn wire(item: &Item) -> v1::gate::Evidence {
    v1::gate::Evidence {
        path: item.path.clone(),
        kind: item.kind.to_string(),
        digest: item.digest.to_string(),
        trust: serde_json::to_value(item.trust)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default(),
        commit: item.commit.map(|commit| commit.to_string()),
        problem: item.fact.as_ref().err().cloned(),
    }
}

fn line(item: &v1::gate::Evidence) -> String {
    let commit = item.commit.as_deref().map_or("", |commit| &commit[..7]);
    let problem = item.problem.as_ref().map(|problem| format!("  unreadable: {problem}")).unwrap_or_default();
    format!("{}  {}  {} for commit {commit}{problem}", item.path, item.kind, item.trust)
}
