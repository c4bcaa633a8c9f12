//! `checksums`: the list of files with their digests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::{Exit, Format, Reply};
use crate::adapter::fs::{self, Directory};
use crate::attest;
use crate::diag::{Diagnostic, Severity};
use crate::format::checksums::{self, Entry, MAX_BYTES, Style};
use crate::model::{Algorithm, Checksum, ReleaseManifest};
use crate::port::{Files as _, FilesError};
use crate::render::json::v1::files::{Checked, Listed};
use crate::render::text::plain;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the list of files with their digests
    Create(CreateArgs),
    /// Compare the files with a list; every line is reported
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release checksums create dist/* -o checksums.txt
  kyklos-release checksums create app.tar.gz --algorithm sha512 --tag")]
struct CreateArgs {
    /// The files; only their names are listed
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How the files are hashed: sha256, sha384 or sha512
    #[arg(long, value_name = "NAME", default_value = "sha256")]
    algorithm: Algorithm,
    /// Write lines in the BSD format, `SHA256 (NAME) = HEX`
    #[arg(long)]
    tag: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release checksums verify checksums.txt
  kyklos-release checksums verify checksums.txt --dir downloads --ignore-missing")]
struct VerifyArgs {
    /// The list
    file: PathBuf,
    /// Where the files are [default: where the list is]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Say nothing about listed files that are not there
    #[arg(long)]
    ignore_missing: bool,
    /// Say no to files that are not listed; the list, its bundle, and the manifest and bundles of a
    /// release are left out
    #[arg(long)]
    closed: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    match &args.command {
        Command::Create(args) => create(context, args),
        Command::Verify(args) => verify(context, args),
    }
}

fn create(context: &Context, args: &CreateArgs) -> Result<Reply, CliError> {
    let mut entries: Vec<Entry> = Vec::new();
    for path in &args.files {
        let full = context.path(path);
        let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let directory = Directory::new(full.parent().unwrap_or(Path::new(".")));
        let digest = sum(&directory, &name, args.algorithm)?;
        let asset = name.parse().map_err(|error| CliError::usage("checksums-name", format!("{error}")))?;
        let entry = Entry { name: asset, digest };
        if entries.iter().any(|other| other.name == entry.name && other.digest != entry.digest) {
            return Err(CliError::usage("checksums-name", format!("two different files are called {name}")));
        }
        entries.push(entry);
    }
    let style = if args.tag { Style::Tagged } else { Style::Text };
    let text = checksums::write(&entries, style);
    let wire: Vec<Listed> = entries
        .iter()
        .map(|entry| Listed { name: entry.name.to_string(), digest: entry.digest.to_string() })
        .collect();
    Reply::done("kyklos-release/checksums-create/v1", &wire, text)
}

/// Whether a file is the bundle of a list, or the manifest or a bundle of a release: they are made after the list.
fn speaks_of(list: &Path, name: &str) -> bool {
    let bundle = |list: &std::ffi::OsStr| format!("{}.sigstore.json", list.to_string_lossy()) == name;
    name == ReleaseManifest::ASSET || attest::vouches(name) || list.file_name().is_some_and(bundle)
}

fn sum(directory: &Directory, name: &str, algorithm: Algorithm) -> Result<Checksum, FilesError> {
    let path = Path::new(name);
    let mut reader = directory.open(path)?;
    algorithm.of_reader(&mut reader).map_err(|source| FilesError::io("read", path, source))
}

fn verify(context: &Context, args: &VerifyArgs) -> Result<Reply, CliError> {
    let bytes = context.read(&args.file, MAX_BYTES as u64)?;
    let shown = args.file.display().to_string();
    let entries = checksums::read(&bytes).map_err(|error| CliError::from(error).fact("file", shown))?;
    let list = context.path(&args.file);
    let directory = args
        .dir
        .as_ref()
        .map_or_else(|| list.parent().unwrap_or(Path::new(".")).to_owned(), |dir| context.path(dir));
    if !fs::exists(&directory) {
        return Err(FilesError::Missing { path: directory }.into());
    }
    let files = Directory::new(directory);
    let mut checked = Checked {
        ok: true,
        matching: Vec::new(),
        mismatched: Vec::new(),
        missing: Vec::new(),
        unlisted: Vec::new(),
        unreadable: Vec::new(),
    };
    let mut listed = BTreeSet::new();
    let mut text = String::new();
    for entry in entries {
        let name = entry.name.to_string();
        let (list, word) = match sum(&files, &name, entry.digest.algorithm()) {
            Ok(found) if found == entry.digest => (&mut checked.matching, "OK"),
            Ok(_) => (&mut checked.mismatched, "FAILED"),
            Err(FilesError::Missing { .. }) if args.ignore_missing => {
                listed.insert(name);
                continue;
            }
            Err(FilesError::Missing { .. }) => (&mut checked.missing, "MISSING"),
            // A link may lead anywhere: it is not the file that was listed.
            Err(FilesError::NotAFile { .. }) => (&mut checked.mismatched, "NOT A FILE"),
            Err(_) => (&mut checked.unreadable, "UNREADABLE"),
        };
        list.push(name.clone());
        text.push_str(&format!("{name}: {word}\n"));
        listed.insert(name);
    }
    if args.closed {
        for entry in files.list(Path::new("."))? {
            let itself = list.file_name().is_some_and(|name| name.to_string_lossy() == entry.name);
            // A link or a directory is one more way to bring a file along. What speaks of the list cannot stand in it.
            if !listed.contains(&entry.name) && !itself && !speaks_of(&list, &entry.name) {
                text.push_str(&format!("{}: NOT LISTED\n", plain(&entry.name)));
                checked.unlisted.push(entry.name);
            }
        }
    }
    let wrong = checked.mismatched.len() + checked.missing.len() + checked.unlisted.len();
    // Nothing at all was looked at: that is no yes.
    let nothing = wrong == 0 && checked.matching.is_empty() && checked.unreadable.is_empty();
    checked.ok = wrong == 0 && checked.unreadable.is_empty() && !nothing;
    let exit = match (checked.ok, wrong) {
        (true, _) => Exit::Done,
        (false, 0) if !nothing => Exit::Undecided,
        (false, _) => Exit::No,
    };
    let nothing = nothing.then(|| {
        let message = "none of the listed files is there: nothing was checked";
        text.push_str(&format!("{message}\n"));
        Diagnostic::new(Severity::Error, "checksums-nothing", message)
    });
    let kinds = [
        ("checksums-mismatch", &checked.mismatched),
        ("checksums-missing", &checked.missing),
        ("checksums-unlisted", &checked.unlisted),
        ("checksums-unreadable", &checked.unreadable),
    ];
    let diagnostics = kinds
        .into_iter()
        .flat_map(|(code, names)| {
            names
                .iter()
                .map(move |name| Diagnostic::new(Severity::Error, code, name.clone()).at(name.clone()))
        })
        .chain(nothing)
        .collect();
    let mut reply = Reply::done("kyklos-release/checksums-verify/v1", &checked, text)?;
    reply.exit = exit;
    reply.diagnostics = diagnostics;
    Ok(reply)
}
