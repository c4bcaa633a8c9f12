//! `evidence`: what gates decide on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::project::Project;
use super::verify::{Believed, OptionalSignerArgs};
use super::{Format, Reply};
use crate::adapter::fs::{self, Directory};
use crate::adapter::sigstore::LocalTrust;
use crate::diag::Kind as ErrorKind;
use crate::evidence::{Envelope, Item, Kind, Trust, Witness};
use crate::model::{AssetName, CommitId, Digest};
use crate::port::{EntryKind, Files as _, FilesError, Progress as _, Trust as _};
use crate::render::{json::v1, text::plain};

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
#[command(after_help = "Examples:
  kyklos-release evidence add unit.json --kind gotest
  kyklos-release evidence add go.json --kind approval --attest trust

Signed evidence is `attested` for whoever names the trust root and the signer, unsigned evidence is
`bound` to what it was made for, and facts that anybody could have typed are `bare`.")]
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
    /// The manifest of a platform it was made for; again for every platform
    #[arg(long = "platform", value_name = "DIGEST")]
    platforms: Vec<Digest>,
    /// A file of the release it was made for; again for every file
    #[arg(long = "asset", value_name = "FILE")]
    assets: Vec<PathBuf>,
    /// Sign it with the keys of the trust root in this directory
    #[arg(long, value_name = "DIR")]
    attest: Option<PathBuf>,
    /// Where the evidence is
    #[arg(long, value_name = "DIR", default_value = "evidence")]
    evidence: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release evidence list --evidence evidence")]
struct ListArgs {
    /// Where the evidence is
    #[arg(long, value_name = "DIR", default_value = "evidence")]
    evidence: PathBuf,
    #[command(flatten)]
    signer: OptionalSignerArgs,
}

/// The largest piece of evidence.
const MAX_FILE: u64 = 512 << 20;
/// The largest bundle.
const MAX_BUNDLE: u64 = 32 << 20;

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    match &args.command {
        Command::Add(args) => add(context, args),
        Command::List(args) => list(context, args),
    }
}

fn add(context: &Context, args: &AddArgs) -> Result<Reply, CliError> {
    let bytes = context.read(&args.file, MAX_FILE)?;
    let name = asset_name(&args.file)?;
    if let Some(suffix) =
        [Envelope::SUFFIX, Envelope::BUNDLE_SUFFIX].into_iter().find(|suffix| name.as_str().ends_with(suffix))
    {
        let message = format!("{name} has the name of what lies around evidence");
        return Err(CliError::usage("evidence-name", message)
            .hinted(format!("rename it: no evidence ends with {suffix}")));
    }
    let commit = match args.commit {
        Some(commit) => commit,
        None => Project::open(context)?.repository.head()?,
    };
    let mut assets = BTreeMap::new();
    for path in &args.assets {
        assets.insert(asset_name(path)?, fs::digest(&context.path(path))?);
    }
    let envelope = Envelope {
        schema: Envelope::SCHEMA.to_owned(),
        kind: args.kind,
        digest: Digest::of(&bytes),
        commit,
        index: args.index,
        platforms: args.platforms.clone(),
        assets,
        produced: context.now,
    };
    let mut item = envelope.open(name.as_str(), &bytes);
    if let Err(reason) = &item.fact {
        return Err(CliError::new(
            ErrorKind::Undecided,
            "evidence-unreadable",
            format!("{name} cannot be read as {}", args.kind),
        )
        .fact("found", reason.clone()));
    }
    let no_json = |error: serde_json::Error| CliError::new(ErrorKind::Internal, "json", error.to_string());
    let bundle = match &args.attest {
        Some(keys) => {
            let trust = LocalTrust::open(&context.path(keys), context.now)?;
            let statement = envelope.statement(name.as_str()).map_err(no_json)?;
            item.trust = Trust::Attested;
            Some(context.block_on(async { Ok(trust.sign_statement(&statement).await?) })?)
        }
        None => None,
    };
    let directory = context.path(&args.evidence);
    let place = |suffix: &str| directory.join(format!("{name}{suffix}"));
    // An older signature is about an older envelope. It goes first, and the new one comes last.
    fs::remove_file(&place(Envelope::BUNDLE_SUFFIX))?;
    fs::write_atomic(&place(""), &bytes)?;
    fs::write_atomic(&place(Envelope::SUFFIX), &serde_json::to_vec_pretty(&envelope).map_err(no_json)?)?;
    if let Some(bundle) = bundle {
        fs::write_atomic(&place(Envelope::BUNDLE_SUFFIX), &bundle)?;
    }
    let wire = wire(&item);
    Reply::done("kyklos-release/evidence-add/v1", &wire, format!("{}\n", line(&wire)))
}

/// The name a file has in the evidence or in a release.
fn asset_name(path: &Path) -> Result<AssetName, CliError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.parse().map_err(|error| CliError::usage("evidence-name", format!("{error}")))
}

fn list(context: &Context, args: &ListArgs) -> Result<Reply, CliError> {
    let believed = args.signer.believed(context)?;
    let items = collect(&context.path(&args.evidence), &believed)?;
    for name in strays(&context.path(&args.evidence), &items)? {
        context.printer.warn(&format!("{name} lies in no envelope and proves nothing; `evidence add` it"));
    }
    let listed: Vec<v1::gate::Evidence> = items.iter().map(wire).collect();
    let text: String = listed.iter().map(|item| format!("{}\n", line(item))).collect();
    Reply::done("kyklos-release/evidence-list/v1", &listed, text)
}

/// Everything in a directory that lies in an envelope. A missing directory holds no evidence. Signatures are looked at when
/// somebody is believed; each piece may have been signed by another of them.
pub(super) fn collect(directory: &Path, believed: &[Believed]) -> Result<Vec<Item>, CliError> {
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
        let item = envelope.open(name, &bytes);
        let bundle = format!("{name}{}", Envelope::BUNDLE_SUFFIX);
        let signed = entries.iter().any(|entry| entry.name == bundle);
        if !signed || believed.is_empty() {
            items.push(item);
            continue;
        }
        let bundle = files.read(Path::new(&bundle), MAX_BUNDLE)?;
        let mut seen = believed.iter().map(|Believed { trust, signer }| {
            envelope.witnessed(item.clone(), &Witness { bundle: &bundle, trust, signer })
        });
        // Where nobody vouches for it, the first of them tells why.
        let first = seen.next();
        let vouched = first.as_ref().is_some_and(|item| item.fact.is_ok());
        let other = if vouched { None } else { seen.find(|item| item.fact.is_ok()) };
        items.extend(other.or(first));
    }
    Ok(items)
}

/// Files that no envelope speaks of.
fn strays(directory: &Path, items: &[Item]) -> Result<Vec<String>, CliError> {
    if !fs::exists(directory) {
        return Ok(Vec::new());
    }
    let ours = |name: &str| name.ends_with(Envelope::SUFFIX) || name.ends_with(Envelope::BUNDLE_SUFFIX);
    let names = Directory::new(directory).list(Path::new("."))?.into_iter().map(|entry| entry.name);
    Ok(names.filter(|name| !ours(name) && !items.iter().any(|item| item.path == *name)).collect())
}

fn wire(item: &Item) -> v1::gate::Evidence {
    v1::gate::Evidence {
        path: item.path.clone(),
        kind: item.kind.to_string(),
        digest: item.digest.to_string(),
        trust: item.trust.to_string(),
        commit: item.commit.map(|commit| commit.to_string()),
        index: item.index.map(|index| index.to_string()),
        platforms: item.platforms.iter().map(ToString::to_string).collect(),
        assets: item.assets.iter().map(|(name, digest)| (name.to_string(), digest.to_string())).collect(),
        produced: item.produced.map(|time| time.to_string()),
        problem: item.fact.as_ref().err().cloned(),
    }
}

fn line(item: &v1::gate::Evidence) -> String {
    let commit = item.commit.as_deref().map_or("", |commit| &commit[..7]);
    let problem =
        item.problem.as_ref().map(|problem| format!("  unreadable: {}", plain(problem))).unwrap_or_default();
    format!("{}  {}  {} for commit {commit}{problem}", plain(&item.path), item.kind, item.trust)
}
