//! `verify`: whether a release is what its maker signed.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::{Exit, Format, Reply};
use crate::adapter::dir_forge::DirForge;
use crate::adapter::fs::{self, Directory};
use crate::adapter::oci::Layout;
use crate::adapter::sigstore::LocalTrust;
use crate::diag::{Diagnostic, Kind, Severity};
use crate::model::{Tag, Target};
use crate::port::{
    Files as _, FilesError, Forge as _, ForgeError, Registry, SignerIdentity, Trust as _, Visibility,
};
use crate::render::{json::v1, text};
use crate::verify::{self, Beside, Face, Published, Report, Verdict};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A release: every file, nothing extra, signatures, image and SBOM
    Release(ReleaseArgs),
    /// A file with its bundle
    File(FileArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release verify release dir:dist --trusted-root root.json --identity URI --issuer URI")]
struct ReleaseArgs {
    /// dir:DIR, a directory with the files of the release, or of a rehearsal
    target: Target,
    #[command(flatten)]
    signer: SignerArgs,
    /// The release of a rehearsal that holds several
    #[arg(long, value_name = "TAG")]
    tag: Option<Tag>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release verify file checksums.txt --trusted-root root.json --identity URI --issuer URI")]
struct FileArgs {
    /// The file
    file: PathBuf,
    /// Its bundle [default: FILE.sigstore.json]
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArgs,
    /// The type of the statement
    #[arg(long = "type", value_name = "URI")]
    predicate_type: Option<String>,
}

/// Whom to believe.
#[derive(Debug, clap::Args)]
pub(super) struct SignerArgs {
    /// The trust root
    #[arg(long, value_name = "FILE")]
    trusted_root: PathBuf,
    /// Who must have signed, exactly as in the certificate
    #[arg(long, value_name = "URI")]
    identity: String,
    /// The issuer of the identity, exactly
    #[arg(long, value_name = "URI")]
    issuer: String,
}

/// Whom to believe, for commands that can do without: all of it or nothing.
#[derive(Debug, clap::Args)]
pub(super) struct OptionalSignerArgs {
    /// The trust root, for gates that ask for signatures and for signed evidence; again for each
    /// signer who has one of their own
    #[arg(long = "trusted-root", value_name = "FILE", requires_all = ["identities", "issuers"])]
    trusted_roots: Vec<PathBuf>,
    /// Who must have signed, exactly as in the certificate; again for others who may have signed
    /// evidence
    #[arg(long = "identity", value_name = "URI", requires = "trusted_roots")]
    identities: Vec<String>,
    /// The issuer of the identity, exactly; once for all of them, or one for each
    #[arg(long = "issuer", value_name = "URI", requires = "trusted_roots")]
    issuers: Vec<String>,
}

/// A trust root and a signer who is believed under it.
pub(super) struct Believed {
    pub(super) trust: LocalTrust,
    pub(super) signer: SignerIdentity,
}

impl OptionalSignerArgs {
    /// Whom to believe: nobody when nobody was named, else the signer of the release first.
    pub(super) fn believed(&self, context: &Context) -> Result<Vec<Believed>, CliError> {
        let several = self.identities.len();
        for (flag, found) in [("--trusted-root", self.trusted_roots.len()), ("--issuer", self.issuers.len())]
        {
            if several > 0 && found != 1 && found != several {
                return Err(CliError::usage("signers", format!("{flag} does not fit the identities"))
                    .fact("expected", format!("{flag} once, or {several} times"))
                    .fact("found", format!("{found} times")));
            }
        }
        let one = |of: usize, at: usize| if of == 1 { 0 } else { at };
        self.identities
            .iter()
            .enumerate()
            .map(|(at, identity)| {
                let signer = SignerArgs {
                    trusted_root: self.trusted_roots[one(self.trusted_roots.len(), at)].clone(),
                    identity: identity.clone(),
                    issuer: self.issuers[one(self.issuers.len(), at)].clone(),
                };
                signer.believed(context)
            })
            .collect()
    }
}

/// The largest trust root and bundle.
const MAX_DOCUMENT: u64 = 32 << 20;

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    match &args.command {
        Command::Release(args) => context.block_on(release(context, args)),
        Command::File(args) => file(context, args),
    }
}

impl SignerArgs {
    /// Whom to believe.
    fn believed(&self, context: &Context) -> Result<Believed, CliError> {
        let root = context.read(&self.trusted_root, MAX_DOCUMENT)?;
        let trust = LocalTrust::from_root(&String::from_utf8_lossy(&root))?;
        let signer = SignerIdentity { subject: self.identity.clone(), issuer: self.issuer.clone() };
        Ok(Believed { trust, signer })
    }
}

async fn release(context: &Context, args: &ReleaseArgs) -> Result<Reply, CliError> {
    let Target::Dir(path) = &args.target else {
        return Err(CliError::usage("verify-target", format!("`{}` is no release", args.target))
            .fact("expected", "dir:DIR"));
    };
    let believed = args.signer.believed(context)?;
    let report = rehearsal(&context.path(path), args.tag.as_ref(), &believed).await?;
    reply(&report)
}

/// Verifies a directory: a rehearsal with its forge and registry, or the bare files of a release.
pub(super) async fn rehearsal(
    root: &Path,
    tag: Option<&Tag>,
    Believed { trust, signer }: &Believed,
) -> Result<Report, CliError> {
    if !fs::exists(root) {
        return Err(FilesError::Missing { path: root.to_owned() }.into());
    }
    if !fs::exists(&root.join("forge")) {
        let files = Directory::new(root);
        let published = Published { assets: &files, face: None, registry: None, beside: None };
        let mut report = verify::release(&published, trust, signer).await;
        bill(&files, &mut report)?;
        return Ok(report);
    }
    let forge = DirForge::new(root.join("forge"));
    match published(root, &forge, tag, trust, signer).await {
        // Somebody else than this tool wrote there: that is an answer, not a failure to look.
        Err(Unseen::Forge(ForgeError::Invalid { what, reason })) => {
            let mut report = Report::default();
            report.refuse("verify-forge", &what, reason);
            Ok(report)
        }
        Err(Unseen::Forge(error)) => Err(error.into()),
        Err(Unseen::Other(error)) => Err(error),
        Ok(report) => Ok(report),
    }
}

/// Why a published release could not be looked at.
enum Unseen {
    Forge(ForgeError),
    Other(CliError),
}

impl From<ForgeError> for Unseen {
    fn from(error: ForgeError) -> Self {
        Self::Forge(error)
    }
}

impl From<CliError> for Unseen {
    fn from(error: CliError) -> Self {
        Self::Other(error)
    }
}

/// A release in a directory forge, with its image in the layout beside it.
async fn published(
    root: &Path,
    forge: &DirForge,
    tag: Option<&Tag>,
    trust: &LocalTrust,
    signer: &SignerIdentity,
) -> Result<Report, Unseen> {
    let tag = match tag {
        Some(tag) => tag.clone(),
        None => only_release(forge)?,
    };
    let release =
        forge.releases(&tag).await?.into_iter().find(|release| release.visibility == Visibility::Published);
    let Some(release) = release else {
        let message = format!("{tag} is not published in {}", root.display());
        return Err(CliError::new(Kind::Undecided, "verify-no-release", message).into());
    };
    let files = Directory::new(forge.release_directory(&tag).join("assets"));
    let registry = root.join("registry");
    let layout = match fs::exists(&registry).then(|| Layout::open(&registry)).transpose() {
        Ok(layout) => layout,
        Err(error) => {
            let mut report = Report::default();
            report.refuse("verify-layout", "registry/oci-layout", error.to_string());
            return Ok(report);
        }
    };
    let face = Face {
        place: format!("release.json of {tag}"),
        tag: release.tag.to_string(),
        title: release.title.clone(),
        body: release.body.clone(),
        prerelease: release.prerelease,
        commit: forge.commit(&release.id)?.map(|commit| commit.to_string()),
    };
    let mut missing = Report::default();
    if layout.is_none() && files_say_image(&files) {
        missing.refuse(
            "verify-image",
            "registry",
            "the release has an image, and there is no registry".to_owned(),
        );
        return Ok(missing);
    }
    let published = Published {
        assets: &files,
        face: Some(face),
        registry: layout.as_ref().map(|layout| layout as &dyn Registry),
        beside: Some(Beside { stable: forge.published_stable().await?, latest: forge.latest().await? }),
    };
    let mut report = verify::release(&published, trust, signer).await;
    if layout.is_some() {
        verify::closed(&Directory::new(&registry), &Layout::canonical, &mut report);
    }
    bill(&files, &mut report)?;
    Ok(report)
}

/// Whether a release has an image, by its files.
fn files_say_image(files: &Directory) -> bool {
    ["image-manifest.json", "image-digests.txt"].iter().any(|name| fs::exists(&files.root().join(name)))
}

/// The tag of a forge that holds one release.
fn only_release(forge: &DirForge) -> Result<Tag, Unseen> {
    let mut tags = forge.published()?;
    match (tags.pop(), tags.is_empty()) {
        (Some(tag), true) => Ok(tag),
        (Some(_), false) => Err(CliError::usage("verify-tag", "the directory holds several releases")
            .hinted("name one with --tag TAG")
            .into()),
        (None, _) => {
            Err(CliError::new(Kind::Undecided, "verify-no-release", "nothing is published there").into())
        }
    }
}

/// `sbom.json` against the executables that are beside it.
fn bill(files: &Directory, report: &mut Report) -> Result<(), CliError> {
    // Executables are read into memory: only those whose digest somebody signed.
    if report.verdict() != Verdict::Verified {
        return Ok(());
    }
    let Ok(bytes) = files.read(Path::new("sbom.json"), MAX_DOCUMENT) else { return Ok(()) };
    let mut executables = Vec::new();
    for entry in files.list(Path::new("."))? {
        let listed = bytes
            .windows(entry.name.len() + 2)
            .any(|window| window == format!("\"{}\"", entry.name).as_bytes());
        if listed && let Ok(content) = files.read(Path::new(&entry.name), 1 << 30) {
            executables.push((entry.name, content));
        }
    }
    match crate::sbom::compare(&bytes, &executables, None) {
        Ok((_, findings)) => {
            for finding in findings {
                report.refuse(
                    "verify-sbom",
                    "sbom.json",
                    format!("{}: {}", finding.subject, finding.message),
                );
            }
        }
        Err(error) => report.refuse("verify-sbom", "sbom.json", error.to_string()),
    }
    Ok(())
}

fn file(context: &Context, args: &FileArgs) -> Result<Reply, CliError> {
    let Believed { trust, signer } = args.signer.believed(context)?;
    let path = context.path(&args.file);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let directory = Directory::new(path.parent().unwrap_or(Path::new(".")));
    let (digest, _) = directory.digest(Path::new(&name))?;
    let bundle = args.bundle.clone().unwrap_or_else(|| {
        let mut path = args.file.clone().into_os_string();
        path.push(".sigstore.json");
        path.into()
    });
    let mut report = Report::default();
    report.look_at(&name, digest);
    match fs::read(&context.path(&bundle), MAX_DOCUMENT) {
        Err(error @ (FilesError::Io { .. } | FilesError::TooLarge { .. })) => return Err(error.into()),
        Err(_) => report.unsigned(&name, format!("there is no bundle {}", bundle.display())),
        Ok(bytes) => match trust.verify(&bytes, &digest, &signer) {
            Ok(verified) => {
                report.hold(&name, &bundle.display().to_string(), &verified);
                if let Some(expected) = args
                    .predicate_type
                    .as_ref()
                    .filter(|expected| verified.predicate_type.as_ref() != Some(expected))
                {
                    let found = verified.predicate_type.as_deref().unwrap_or("a message signature");
                    report.unmet(&name, format!("expected a statement of type {expected}, found {found}"));
                }
            }
            Err(error) => report.doubt(&name, &error),
        },
    }
    reply(&report)
}

fn reply(report: &Report) -> Result<Reply, CliError> {
    let wire = v1::verify::Verified::from(report);
    let mut reply = Reply::done("kyklos-release/verify/v1", &wire, text::report(report))?;
    reply.exit = match report.verdict() {
        Verdict::Verified => Exit::Done,
        Verdict::Refused => Exit::No,
        Verdict::Undecided => Exit::Undecided,
    };
    reply.diagnostics = report
        .findings
        .iter()
        .map(|finding| {
            Diagnostic::new(Severity::Error, finding.code, finding.message.clone())
                .at(finding.subject.clone())
        })
        .collect();
    Ok(reply)
}
