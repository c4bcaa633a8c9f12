//! `image tag`: points tags to an image.

use std::fmt::Write as _;

use super::{CliError, Context, FORMATS, Reply, open};
use crate::image::{TagPolicy, TagState, move_tags};
use crate::model::{Target, is_image_tag};
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

fn tag(text: &str) -> Result<String, &'static str> {
    if is_image_tag(text) { Ok(text.to_owned()) } else { Err("a tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}") }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(FORMATS)?;
    let policy = match (args.immutable, args.rolling) {
        (true, _) => Some(TagPolicy::Immutable),
        (false, true) => Some(TagPolicy::Rolling),
        (false, false) => None,
    };
    let (digest, moves) = context.block_on(async {
        let opened = open(context, &args.target)?;
        let digest = opened.digest().await?;
        Ok((digest, move_tags(&*opened.registry, &digest, &args.tags, policy).await?))
    })?;
    let mut text = String::new();
    for change in &moves {
        let state = match change.state {
            TagState::Created => "created",
            TagState::Moved => "moved",
            TagState::Unchanged => "unchanged",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{state:9} {} -> {digest}", change.tag);
    }
    Reply::done("kyklos-release/image-tag/v1", &v1::image::Tagged::new(&digest, &moves), text)
}
