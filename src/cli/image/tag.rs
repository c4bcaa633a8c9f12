//! `image tag`: points tags to an image.

use std::fmt::Write as _;

use super::push::{Declared, policy, tag};
use super::{CliError, Context, FORMATS, Reply, open_for};
use crate::adapter::oci::Access;
use crate::image::{TagState, Wanted, retag};
use crate::model::Target;
use crate::render::json::v1;

/// Point tags to an image
///
/// A full version such as v1.2.3 is set once: setting it again to the same image changes nothing, to another image is
/// refused. Every other tag moves, but not back to an older version.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kyklos-release image tag oci:registry:v1.2.3 v1.2 latest")]
pub(super) struct Args {
    /// The image: oci:DIR[:TAG|@DIGEST]
    target: Target,
    /// The tags
    #[arg(value_name = "TAG", required = true, value_parser = tag)]
    tags: Vec<String>,
    /// None of the tags may move
    #[arg(long, conflicts_with = "rolling")]
    immutable: bool,
    /// All of the tags may move, also full versions
    #[arg(long)]
    rolling: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(FORMATS)?;
    let declared = Declared::of(context, &args.target)?;
    let policy = policy(args.immutable, args.rolling);
    let wanted = Wanted { tags: &args.tags, policy, known_as: args.target.tag(), rolling: &declared.rolling };
    let (digest, moves) = context.block_on(async {
        let opened = open_for(context, &args.target, Access::Write)?;
        let from = args.target.to_string();
        let retagged = retag(&*opened.registry, &opened.meant, &from, &wanted).await?;
        opened.finish().await?;
        Ok(retagged)
    })?;
    let mut text = String::new();
    for change in &moves {
        let state = match change.state {
            TagState::Created => "created",
            TagState::Moved => "moved",
            TagState::Set => "set",
            TagState::Unchanged => "unchanged",
            TagState::Kept => "kept",
        };
        // Writing to a String cannot fail.
        let _ = match (&change.state, &change.newer) {
            (TagState::Kept, Some(newer)) => writeln!(text, "{state:9} {}: {newer} is newer", change.tag),
            (TagState::Kept, None) => writeln!(text, "{state:9} {}: this is a prerelease", change.tag),
            _ => writeln!(text, "{state:9} {} -> {digest}", change.tag),
        };
    }
    Reply::done("kyklos-release/image-tag/v1", &v1::image::Tagged::new(&digest, &moves), text)
}
