//! `sbom`: what is in executables, as files or in an image.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use semver::Version;

use super::context::Context;
use super::error::CliError;
use super::measure::starts_like_one;
use super::{Exit, Format, Reply, image};
use crate::adapter::fs::Directory;
use crate::diag::{Diagnostic, Kind, Severity, counted};
use crate::format::binary::Binary;
use crate::format::cyclonedx::MAX_BYTES;
use crate::image::{LayerLimits, programs};
use crate::model::{Digest, Platform, Target};
use crate::port::{EntryKind, Files as _, Progress as _};
use crate::render::json::v1::files::SbomVerified;
use crate::sbom::{self, About, Executable, ImageSubject};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the bill of materials of executables or of an image, CycloneDX 1.6
    Generate(GenerateArgs),
    /// Check a bill of materials by itself, and against executables or an image
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release sbom generate file:bin/app --name app --version 1.2.3 -o sbom.json
  kyklos-release sbom generate oci:registry:v1.2.3 --platform linux/amd64")]
struct GenerateArgs {
    /// Executables, file:PATH and dir:DIR, or one image
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<Target>,
    /// Only this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// The name of the project [default: the name of the first file]
    #[arg(long)]
    name: Option<String>,
    /// The version
    #[arg(long, default_value = "0.0.0")]
    version: Version,
    /// The lock file of a Rust project that was built without cargo-auditable
    #[arg(long, value_name = "FILE")]
    cargo_lock: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release sbom verify sbom.json
  kyklos-release sbom verify sbom.json --against file:bin/app")]
struct VerifyArgs {
    /// The bill of materials
    file: PathBuf,
    /// What it speaks of: every executable, file:PATH and dir:DIR, or one image
    #[arg(long, value_name = "TARGET")]
    against: Vec<Target>,
    /// Only this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
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

/// What a bill of materials is about.
#[derive(Default)]
struct Subject {
    files: Vec<File>,
    image: Option<ImageSubject>,
}

/// An executable, its name in the document, and the manifest of its platform.
struct File {
    name: String,
    bytes: Vec<u8>,
    manifest: Option<Digest>,
}

fn generate(context: &Context, args: &GenerateArgs) -> Result<Reply, CliError> {
    let subject = subject(context, &args.targets, args.platform.as_ref())?;
    let lock = lock(context, args.cargo_lock.as_deref())?;
    let own = subject.files.first().and_then(|file| file.name.rsplit('/').next()).unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(|| own.to_owned());
    let created = context.epoch()?;
    let mut executables = Vec::new();
    for File { name, bytes, manifest } in &subject.files {
        let platform = Binary::parse(bytes).map_err(|error| of(name, error))?.platform;
        executables.push(Executable { platform, name: name.clone(), bytes, manifest: *manifest });
    }
    let about = About { name, version: args.version.clone(), created, image: subject.image };
    let bytes = document(&about, &executables, lock.as_deref())?;
    let wire: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let silent = silent(&wire);
    if let Some(first) = silent.first() {
        let others = silent.len() - 1;
        let others =
            if others == 0 { String::new() } else { format!(" and {}", counted(others, "other", "others")) };
        context.printer.warn(&format!(
            "{first}{others}: executables that do not tell what is in them; nothing of it is listed"
        ));
    }
    Reply::done("kyklos-release/sbom-generate/v1", &wire, bytes)
}

/// The document, or an error that names the executable it is about.
pub(super) fn document(
    about: &About,
    executables: &[Executable<'_>],
    lock: Option<&[u8]>,
) -> Result<Vec<u8>, CliError> {
    sbom::document(about, executables, lock).map_err(|error| {
        let culprit = executables.iter().find(|executable| sbom::observe(executable.bytes, lock).is_err());
        match culprit {
            Some(executable) => of(&executable.name, error),
            None => error.into(),
        }
    })
}

/// The executables of a document whose content nobody knows.
fn silent(bom: &serde_json::Value) -> Vec<&str> {
    let told = |component: &serde_json::Value| {
        let properties = component["properties"].as_array().into_iter().flatten();
        properties.into_iter().any(|property| property["name"] == "kyklos-release:content")
    };
    let components = bom["components"].as_array().into_iter().flatten();
    let files = components.filter(|component| component["type"] == "file" && !told(component));
    files.filter_map(|component| component["name"].as_str()).collect()
}

/// An error with the file it is about.
fn of(name: &str, error: impl Into<CliError>) -> CliError {
    error.into().fact("file", name)
}

fn verify(context: &Context, args: &VerifyArgs) -> Result<Reply, CliError> {
    let bytes = context.read(&args.file, MAX_BYTES as u64)?;
    let subject = subject(context, &args.against, args.platform.as_ref())?;
    let lock = lock(context, args.cargo_lock.as_deref())?;
    for File { name, bytes, .. } in &subject.files {
        if sbom::observe(bytes, lock.as_deref()).map_err(|error| of(name, error))?.is_none() {
            return Err(CliError::new(
                Kind::Undecided,
                "sbom-unobserved",
                format!("{name} does not tell what is in it"),
            )
            .hinted("build it with cargo-auditable, or name its lock file with --cargo-lock FILE"));
        }
    }
    let files: Vec<(String, Vec<u8>)> =
        subject.files.into_iter().map(|file| (file.name, file.bytes)).collect();
    let (components, findings) = sbom::compare(&bytes, &files, lock.as_deref())?;
    let mut text = String::new();
    for finding in &findings {
        text.push_str(&format!("{}: {}: {}\n", finding.code, finding.subject, finding.message));
    }
    if findings.is_empty() {
        let components = counted(components, "component", "components");
        text.push_str(&format!("{components}, nothing wrong\n"));
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

/// Everything the targets name: files, the executables of a directory, or those of one image.
fn subject(context: &Context, targets: &[Target], platform: Option<&Platform>) -> Result<Subject, CliError> {
    let mut subject = Subject::default();
    for target in targets {
        match target {
            Target::File(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let bytes = context.read(path, MAX_BINARY)?;
                subject.files.push(File { name, bytes, manifest: None });
            }
            Target::Dir(path) => subject.files.extend(in_directory(&Directory::new(context.path(path)))?),
            Target::Layout(_) | Target::LayoutTar(_) | Target::DockerArchive(_) | Target::Registry(_) => {
                if targets.len() > 1 {
                    return Err(CliError::usage("sbom-target", "an image stands alone")
                        .fact("found", target.to_string())
                        .hinted("write one document per image, or name files"));
                }
                return context.block_on(in_image(context, target, platform));
            }
        }
    }
    if let Some(platform) = platform {
        let mut kept = Vec::new();
        for file in subject.files {
            let binary = Binary::parse(&file.bytes).map_err(|error| of(&file.name, error))?;
            if binary.platform.normalised() == platform.clone().normalised() {
                kept.push(file);
            }
        }
        subject.files = kept;
    }
    if subject.files.is_empty() && !targets.is_empty() {
        let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
        return Err(nothing(&names.join(", ")));
    }
    Ok(subject)
}

/// The files of a directory that are executables.
fn in_directory(directory: &Directory) -> Result<Vec<File>, CliError> {
    let mut files = Vec::new();
    for entry in directory.list(Path::new("."))?.into_iter().filter(|entry| entry.kind == EntryKind::File) {
        let path = Path::new(&entry.name);
        if starts_like_one(directory, path)? {
            let bytes = directory.read(path, MAX_BINARY)?;
            files.push(File { name: entry.name, bytes, manifest: None });
        }
    }
    Ok(files)
}

async fn in_image(
    context: &Context,
    target: &Target,
    platform: Option<&Platform>,
) -> Result<Subject, CliError> {
    let opened = image::open(context, target)?;
    let root = opened.manifest().await?;
    let index = root.digest;
    let programs = programs(opened.registry.as_ref(), root, platform, LayerLimits::default()).await?;
    let Some(first) = programs.first() else { return Err(nothing(&target.to_string())) };
    let image = ImageSubject {
        repository: opened.registry.repository().cloned(),
        digest: platform.map_or(index, |_| first.manifest),
        platform: platform.map(|_| first.platform.clone()),
    };
    let files = programs.into_iter().map(|program| File {
        name: match platform {
            Some(_) => program.path,
            None => format!("{}/{}", program.platform, program.path),
        },
        bytes: program.bytes,
        manifest: Some(program.manifest),
    });
    Ok(Subject { files: files.collect(), image: Some(image) })
}

fn nothing(place: &str) -> CliError {
    CliError::new(Kind::Undecided, "sbom-no-executable", format!("there is no executable in {place}"))
        .fact("expected", "ELF, Mach-O or PE")
}

fn lock(context: &Context, path: Option<&Path>) -> Result<Option<Vec<u8>>, CliError> {
    path.map(|path| context.read(path, MAX_LOCK)).transpose()
}
