//! `image inspect`: what an image is.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{CliError, Context, FORMATS, Opened, Reply, open, plain};
use crate::adapter::fs::write_atomic;
use crate::cli::Format;
use crate::image::{Inspected, View, digest_lines, inspect, platform_manifest};
use crate::model::{Digest, Platform, Target};
use crate::port::Manifest;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kyklos-release image inspect oci:registry:v1.2.3 --referrers --format json"
)]
pub(super) struct Args {
    /// The image: oci:DIR[:TAG|@DIGEST], oci-archive:FILE, docker-archive:FILE or HOST/REPO[:TAG][@DIGEST]
    target: Target,
    /// Print the index, or with --platform its manifest, byte for byte
    #[arg(long)]
    raw: bool,
    /// Only this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// List what is attached to the image as well
    #[arg(long)]
    referrers: bool,
    /// Write image-manifest.json and image-digests.txt into a directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    if args.raw && args.out.is_none() && !args.referrers {
        return raw(context, args);
    }
    context.allow(if args.raw { &[Format::Text] } else { FORMATS })?;
    let view = View { platform: args.platform.clone(), referrers: args.referrers };
    let (inspected, manifest) = context.block_on(async {
        let opened = open(context, &args.target)?;
        let root = opened.manifest().await?;
        let manifest = manifest(&opened, &root, args.platform.as_ref().filter(|_| args.raw)).await?;
        Ok((inspect(&*opened.registry, root, &view).await?, manifest))
    })?;
    if let Some(directory) = &args.out {
        let platforms: Vec<(Platform, Digest)> =
            inspected.platforms.iter().map(|one| (one.platform.clone(), one.digest)).collect();
        let lines = digest_lines(&name(&args.target), &inspected.digest, &platforms);
        let directory = context.path(directory);
        write_atomic(&directory.join("image-manifest.json"), &inspected.bytes)?;
        write_atomic(&directory.join("image-digests.txt"), lines.as_bytes())?;
    }
    let wire = v1::image::Inspected::new(args.target.to_string(), &inspected);
    let text = if args.raw { manifest.bytes } else { text(&args.target, &inspected).into_bytes() };
    Reply::done("kyklos-release/image-inspect/v1", &wire, text)
}

/// The bytes alone: one request for an index, two for a platform.
fn raw(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text])?;
    let manifest = context.block_on(async {
        let opened = open(context, &args.target)?;
        let root = opened.manifest().await?;
        manifest(&opened, &root, args.platform.as_ref()).await
    })?;
    Ok(Reply::plain("kyklos-release/image-inspect/v1", manifest.bytes))
}

/// The index itself, or the manifest of a platform.
async fn manifest(
    opened: &Opened,
    root: &Manifest,
    platform: Option<&Platform>,
) -> Result<Manifest, CliError> {
    match platform {
        Some(platform) => Ok(platform_manifest(&*opened.registry, root.clone(), platform).await?),
        None => Ok(root.clone()),
    }
}

/// `REPO[:TAG]`: a digest in the target would only repeat the first column.
fn name(target: &Target) -> String {
    target.without_digest().to_string()
}

// Writing to a String cannot fail.
fn text(target: &Target, inspected: &Inspected) -> String {
    let Inspected { digest, media_type, artifact_type, bytes, annotations, .. } = inspected;
    let Inspected { platforms, attestations, others, referrers, .. } = inspected;
    let mut out = String::new();
    let _ = writeln!(out, "{target}");
    let _ = writeln!(out, "  digest  {digest}");
    let _ = writeln!(out, "  type    {}, {} bytes", plain(media_type), bytes.len());
    if let Some(kind) = artifact_type {
        let _ = writeln!(out, "  is      {}", plain(kind));
    }
    for (key, value) in annotations {
        let _ = writeln!(out, "  {} = {}", plain(key), plain(value));
    }
    for one in platforms {
        let user = one.run.user.as_deref().filter(|user| !user.is_empty()).unwrap_or("root");
        let _ = writeln!(out, "{}", one.platform);
        let _ = writeln!(out, "  digest  {}", one.digest);
        let _ = writeln!(out, "  pulled  {} bytes", one.compressed_size);
        let _ = writeln!(
            out,
            "  runs    {} as {}",
            plain(&[&one.run.entrypoint[..], &one.run.cmd[..]].concat().join(" ")),
            plain(user)
        );
    }
    for attestation in attestations {
        let subject = attestation.subject.map_or_else(|| "nothing".to_owned(), |subject| subject.short());
        let _ = writeln!(out, "attestation of {subject}");
        let _ = writeln!(out, "  digest  {}", attestation.descriptor.digest);
        for kind in &attestation.predicate_types {
            let _ = writeln!(out, "  states  {}", plain(kind));
        }
    }
    for other in others {
        let _ = writeln!(out, "other entry");
        let _ = writeln!(out, "  digest  {}", other.digest);
        let _ =
            writeln!(out, "  type    {}", plain(other.artifact_type.as_deref().unwrap_or(&other.media_type)));
    }
    for attached in referrers {
        let kind = attached.descriptor.artifact_type.as_deref().unwrap_or("unknown");
        let _ = writeln!(out, "attached to {}", attached.subject.short());
        let _ = writeln!(out, "  digest  {}", attached.descriptor.digest);
        let _ = writeln!(out, "  type    {}", plain(kind));
    }
    out
}
