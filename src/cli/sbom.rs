//! `sbom`: what is in executables.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use jiff::Timestamp;
use semver::Version;

use super::context::Context;
use super::error::CliError;
use super::{Exit, Format, Reply};
use crate::diag::{Diagnostic, Kind, Severity};
use crate::format::binary::Binary;
use crate::format::cyclonedx::MAX_BYTES;
use crate::model::{AssetName, Target};
use crate::render::json::v1::files::SbomVerified;
use crate::sbom::{self, About, Executable};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the bill of materials of executables, CycloneDX 1.6
    Generate(GenerateArgs),
    /// Check a bill of materials by itself, and against executables
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct GenerateArgs {
    /// An executable, file:PATH; again for every platform
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<Target>,
    /// The name of the project [default: the name of the first file]
    #[arg(long)]
    name: Option<String>,
    /// The version [default: 0.0.0]
    #[arg(long, default_value = "0.0.0")]
    version: Version,
    /// The lock file of a Rust project that was built without cargo-auditable
    #[arg(long, value_name = "FILE")]
    cargo_lock: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// The bill of materials
    file: PathBuf,
    /// An executable it speaks of, file:PATH; again for every one
    #[arg(long, value_name = "TARGET")]
    against: Vec<Target>,
    /// The lock file of a Rust project that was built without cargo-auditable
    #[arg(long, value_name = "FILE")]
    cargo_lock: Option<PathBuf>,
}

/// The largest executable.
const MAX_BINARY: u64 = 1 << 30;
/// The largest lock file.
const MAX_LOCK: u64 = 64 << 20;

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    match &args.command {
        Command::Generate(args) => generate(context, args),
        Command::Verify(args) => verify(context, args),
    }
}

fn generate(context: &Context, args: &GenerateArgs) -> Result<Reply, CliError> {
    let files = files(context, &args.targets)?;
    let lock = lock(context, args.cargo_lock.as_deref())?;
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| files.first().map(|(name, _)| name.to_string()).unwrap_or_default());
    let seconds = context.variable("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok());
    let created =
        seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut executables = Vec::new();
    for (name, bytes) in &files {
        let platform = Binary::parse(bytes)?.platform;
        executables.push(Executable { platform, name: name.clone(), bytes, manifest: None });
    }
    let about = About { name, version: args.version.clone(), created, image: None };
    let bytes = sbom::document(&about, &executables, lock.as_deref())?;
    let wire: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    Reply::done("kyklos-release/sbom-generate/v1", &wire, bytes)
}

fn verify(context: &Context, args: &VerifyArgs) -> Result<Reply, CliError> {
    let bytes = context.read(&args.file, MAX_BYTES as u64)?;
    let files = files(context, &args.against)?;
    let lock = lock(context, args.cargo_lock.as_deref())?;
    for (name, content) in &files {
        if sbom::observe(content, lock.as_deref())?.is_none() {
            return Err(CliError::new(
                Kind::Undecided,
                "sbom-unobserved",
                format!("{name} does not tell what is in it"),
            )
            .hinted("build it with cargo-auditable, or name its lock file with --cargo-lock FILE"));
        }
    }
    let (components, findings) = sbom::compare(&bytes, &files, lock.as_deref())?;
    let mut text = String::new();
    for finding in &findings {
        text.push_str(&format!("{}: {}: {}\n", finding.code, finding.subject, finding.message));
    }
    if findings.is_empty() {
        text.push_str(&format!("{components} components, nothing wrong\n"));
    }
    let diagnostics = findings
        .iter()
        .map(|finding| {
            Diagnostic::new(
                Severity::Error,
                finding.code,
                format!("{}: {}", finding.subject, finding.message),
            )
        })
        .collect();
    let wire = SbomVerified { components, findings: findings.len() as u64 };
    let mut reply = Reply::done("kyklos-release/sbom-verify/v1", &wire, text)?;
    reply.exit = if findings.is_empty() { Exit::Done } else { Exit::No };
    reply.diagnostics = diagnostics;
    Ok(reply)
}

fn files(context: &Context, targets: &[Target]) -> Result<Vec<(AssetName, Vec<u8>)>, CliError> {
    let mut files = Vec::new();
    for target in targets {
        let Target::File(path) = target else {
            return Err(CliError::usage("sbom-target", format!("`{target}` is no file"))
                .fact("expected", "file:PATH"));
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.parse().map_err(|error| CliError::usage("sbom-name", format!("{error}")))?;
        files.push((name, context.read(path, MAX_BINARY)?));
    }
    Ok(files)
}

fn lock(context: &Context, path: Option<&Path>) -> Result<Option<Vec<u8>>, CliError> {
    path.map(|path| context.read(path, MAX_LOCK)).transpose()
}
