//! `image check`: facts, and what is wrong whatever the policy says.

use std::fmt::Write as _;

use super::{CliError, Context, FORMATS, Opened, Reply, open, plain};
use crate::cli::Exit;
use crate::diag::{Diagnostic, Severity};
use crate::format::oci::{Document, annotation};
use crate::image::{Base, Expectations, ImageFacts, PlatformFacts, View, check, inspect};
use crate::model::{ByteSize, CommitId, Digest, Platform, Reference, Tag, Target};
use crate::port::Manifest;
use crate::render::json::v1;

/// Read every byte of an image and tell what it is and what is wrong with it
///
/// Findings of severity error make the answer no. Layers are looked at as they stream by and written nowhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kyklos-release image check oci:registry:v1.2.3\n  \
                        kyklos-release image check ghcr.io/o/r:v1.2.3 --tag v1.2.3 --require-platform \
                        linux/amd64,linux/arm64 --max-size 30MB --previous ghcr.io/o/r:v1.2.2\n  \
                        kyklos-release image check oci:registry --base gcr.io/distroless/static:nonroot")]
pub(super) struct Args {
    /// The image: oci:DIR[:TAG|@DIGEST], oci-archive:FILE, docker-archive:FILE or HOST/REPO[:TAG][@DIGEST]
    target: Target,
    /// The largest compressed size of a platform, for example 30MB
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,
    /// An image to compare sizes with, the release before for example
    #[arg(long, value_name = "TARGET")]
    previous: Option<Target>,
    /// By how many percent a platform may be larger than before
    #[arg(long, value_name = "PERCENT", requires = "previous")]
    max_growth: Option<u32>,
    /// A platform the image must have
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    require_platform: Vec<Platform>,
    /// The base: whether the image was built on what it is now, and whether its layers come first. Without it the base
    /// is looked at that the image names, if that is on the same host
    #[arg(long, value_name = "TARGET")]
    base: Option<Target>,
    /// The tag it is released under; the annotation of the version must be that, with or without v
    #[arg(long)]
    tag: Option<Tag>,
    /// The commit it is made from; the annotation of the revision must be that
    #[arg(long, value_name = "COMMIT")]
    revision: Option<CommitId>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(FORMATS)?;
    let facts = context.block_on(async {
        let opened = open(context, &args.target)?;
        let root = opened.manifest().await?;
        let expected = expectations(context, args, &opened, &root).await?;
        Ok(check(&*opened.registry, root, &expected).await?)
    })?;
    let wire = v1::image::Checked::from(&facts);
    let mut reply = Reply::done("kyklos-release/image-check/v1", &wire, text(&facts))?;
    reply.diagnostics = wire.findings;
    if !facts.is_sound() {
        reply.exit = Exit::No;
    }
    Ok(reply)
}

/// What the image is compared with. Other images are looked at first, so that one that is not there is told at once.
async fn expectations(
    context: &Context,
    args: &Args,
    opened: &Opened,
    root: &Manifest,
) -> Result<Expectations, CliError> {
    let mut expected = Expectations {
        max_size: args.max_size.map(|ByteSize(bytes)| bytes),
        max_growth: args.max_growth,
        platforms: args.require_platform.clone(),
        tag: args.tag.as_ref().map(ToString::to_string),
        revision: args.revision.as_ref().map(ToString::to_string),
        ..Expectations::default()
    };
    if let Some(target) = &args.previous {
        let previous = open(context, target)?;
        let image = inspect(&*previous.registry, previous.manifest().await?, &View::default()).await?;
        expected.previous = Some((target.to_string(), image));
    }
    if let Some(target) = &args.base {
        let image = inspect(&*opened.registry, root.clone(), &View::default()).await?;
        let recorded =
            image.base_name().and_then(|(_, digest)| digest).and_then(|digest| digest.parse().ok());
        expected.base = Some(base(context, target, recorded).await?);
    } else if let Some((target, recorded)) = base_beside(root, &args.target) {
        match base(context, &target, recorded).await {
            Ok(base) => expected.base = Some(base),
            Err(error) => {
                expected.base_unread = Some((target.to_string(), error.problem().message.clone()));
            }
        }
    }
    Ok(expected)
}

async fn base(context: &Context, target: &Target, recorded: Option<Digest>) -> Result<Base, CliError> {
    let base = open(context, target)?;
    let current = base.manifest().await?;
    Ok(Base::look(&*base.registry, target.to_string(), current, recorded).await?)
}

/// The base an image names on the host it comes from, and its digest then. What an image says leads to no other host, nor
/// from a file to the network: there `--base` says where to look.
fn base_beside(root: &Manifest, target: &Target) -> Option<(Target, Option<Digest>)> {
    let Target::Registry(image) = target else { return None };
    // What cannot be read is told by the check itself.
    let document = Document::parse(&root.bytes, Some(&root.media_type)).ok()?;
    let said = document.annotations();
    let base: Reference = said.get(annotation::BASE_NAME)?.parse().ok()?;
    let recorded = said.get(annotation::BASE_DIGEST).and_then(|digest| digest.parse().ok());
    let same = base.repository.host() == image.repository.host();
    same.then_some((Target::Registry(base), recorded))
}

// Writing to a String cannot fail.
fn text(facts: &ImageFacts) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", facts.digest);
    if let Some(base) = &facts.base {
        let digest = plain(base.digest.as_deref().unwrap_or(""));
        let state = match base.fresh {
            Some(true) => ", the current one",
            Some(false) => ", not the current one",
            None => "",
        };
        let _ = writeln!(out, "  base    {} {digest}{state}", plain(&base.name));
    }
    for one in &facts.platforms {
        platform_text(&mut out, one);
    }
    for problem in &facts.problems {
        let Diagnostic { code, severity, message, .. } = Diagnostic::from(problem);
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let _ = writeln!(out, "{severity}[{code}]: {}", plain(&message));
    }
    out
}

fn platform_text(out: &mut String, one: &PlatformFacts) {
    let user = one.user.as_deref().filter(|user| !user.is_empty()).unwrap_or("root");
    let _ = writeln!(out, "{}", one.platform);
    let before = one.previous_size.map_or_else(String::new, |before| {
        format!(", {:+} since before", i128::from(one.compressed_size) - i128::from(before))
    });
    let _ = writeln!(out, "  pulled  {} bytes{before}", one.compressed_size);
    let distroless = if one.distroless { ", distroless" } else { "" };
    let _ = writeln!(out, "  files   {} bytes unpacked{distroless}", one.uncompressed_size);
    let _ = writeln!(out, "  user    {}", plain(user));
    if let Some(program) = &one.program {
        let kind = program.architecture.as_deref().map_or_else(String::new, |kind| format!(" for {kind}"));
        let _ = writeln!(out, "  runs    {}{kind}", plain(&program.path));
    }
    let unknown = if one.scanned { "none" } else { "unknown" };
    for (label, paths) in
        [("shells", &one.shells), ("setuid", &one.setuid), ("managers", &one.package_managers)]
    {
        let paths = if paths.is_empty() { unknown.to_owned() } else { paths.join(", ") };
        let _ = writeln!(out, "  {label}  {}", plain(&paths));
    }
}
