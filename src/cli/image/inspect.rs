//! `image inspect`: what an image is.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{CliError, Context, FORMATS, Reply, open, plain};
use crate::adapter::fs::write_atomic;
use crate::cli::Format;
use crate::image::{Inspected, digest_lines, inspect};
use crate::model::{Digest, Platform, Target};
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kyklos-release image inspect oci:registry:v1.2.3 --referrers --format json"
)]
pub(super) struct Args {
    /// The image: oci:DIR[:TAG|@DIGEST]
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
    context.allow(if args.raw { &[Format::Text] } else { FORMATS })?;
    let (inspected, raw) = context.block_on(async {
        let opened = open(context, &args.target)?;
        let registry = &*opened.registry;
        let mut inspected = inspect(registry, &opened.digest().await?, args.referrers).await?;
        let mut raw = inspected.bytes.clone();
        if let Some(platform) = &args.platform {
            inspected = inspected.only(platform)?;
            if args.raw {
                raw = inspect(registry, &inspected.platforms[0].digest, false).await?.bytes;
            }
        }
        Ok((inspected, raw))
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
    let text = if args.raw { raw } else { text(&args.target, &inspected).into_bytes() };
    Reply::done("kyklos-release/image-inspect/v1", &wire, text)
}

/// `REPO[:TAG]`: a digest in the target would only repeat the first column.
fn name(target: &Target) -> String {
    target.without_digest().to_string()
}

// Writing to a String cannot fail.
fn text(target: &Target, inspected: &Inspected) -> String {
    let Inspected { digest, media_type, bytes, annotations, platforms, referrers } = inspected;
    let mut out = String::new();
    let _ = writeln!(out, "{target}");
    let _ = writeln!(out, "  digest  {digest}");
    let _ = writeln!(out, "  type    {}, {} bytes", plain(media_type), bytes.len());
    for (key, value) in annotations {
        let _ = writeln!(out, "  {} = {}", plain(key), plain(value));
    }
    for one in platforms {
        let user = one.run.user.as_deref().filter(|user| !user.is_empty()).unwrap_or("root");
        let _ = writeln!(out, "{}", one.platform);
        let _ = writeln!(out, "  digest  {}", one.digest);
        let _ = writeln!(out, "  pulled  {} bytes", one.compressed_size);
        let _ = writeln!(out, "  runs    {} as {}", plain(&one.run.entrypoint.join(" ")), plain(user));
    }
    for attached in referrers {
        let kind = attached.descriptor.artifact_type.as_deref().unwrap_or("unknown");
        let _ = writeln!(out, "attached to {}", attached.subject.short());
        let _ = writeln!(out, "  digest  {}", attached.descriptor.digest);
        let _ = writeln!(out, "  type    {}", plain(kind));
    }
    out
}
