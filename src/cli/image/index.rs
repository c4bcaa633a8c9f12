//! `image index create`: one index over images that were built apart.

use std::collections::BTreeMap;

use clap::Subcommand;

use super::assemble::{Pair, pairs};
use super::push::{Declared, destination_tags, finished, policy, tag};
use super::{CliError, Context, FORMATS, Reply, open, open_destination};
use crate::image::{Attachments, Creation, Part, Wanted, compose, create};
use crate::model::Target;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: IndexCommand,
}

#[derive(Debug, Subcommand)]
enum IndexCommand {
    /// Make one index over images that were built apart
    Create(CreateArgs),
}

/// Make one index over images that were built apart
///
/// Each image is of one platform, which its config says, or an index, whose entries are taken as they are with its
/// attestations behind them. The images go along. Two images for one platform are refused.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kyklos-release image index create oci:registry:v1.2.3 oci:amd64 oci:arm64 --annotation \
                        org.opencontainers.image.version=1.2.3"
)]
struct CreateArgs {
    /// Where it goes: oci:DIR[:TAG], oci-archive:FILE[:TAG] or HOST/REPO[:TAG]
    destination: Target,
    /// The images
    #[arg(value_name = "REF", required = true)]
    images: Vec<Target>,
    /// Another tag it gets
    #[arg(long = "tag", value_name = "TAG", value_parser = tag)]
    tags: Vec<String>,
    /// An annotation of the index
    #[arg(long, value_name = "K=V")]
    annotation: Vec<Pair>,
    /// What is attached to the images as well: signatures, SBOMs, provenance
    #[arg(long)]
    referrers: bool,
    /// None of the tags may move
    #[arg(long, conflicts_with = "rolling")]
    immutable: bool,
    /// All of the tags may move, also full versions
    #[arg(long)]
    rolling: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    match &args.command {
        IndexCommand::Create(args) => run_create(context, args),
    }
}

fn run_create(context: &Context, args: &CreateArgs) -> Result<Reply, CliError> {
    context.allow(FORMATS)?;
    let tags = destination_tags(&args.destination, &args.tags);
    let declared = Declared::of(context, &args.destination)?;
    let annotations: BTreeMap<String, String> = pairs(&args.annotation);
    let done = context.block_on(async {
        let opened = args.images.iter().map(|target| open(context, target));
        let opened = opened.collect::<Result<Vec<_>, CliError>>()?;
        let parts: Vec<Part<'_>> = opened
            .iter()
            .map(|one| Part {
                source: &*one.registry,
                name: one.target.to_string(),
                meant: one.meant.clone(),
            })
            .collect();
        let composed = compose(&parts, &annotations, context.jobs()).await?;
        let near = opened.iter().find(|one| one.registry.repository().is_some());
        let near = near.map(|one| &*one.registry);
        let destination = open_destination(context, &args.destination, near)?;
        let done = create(&Creation {
            parts: &parts,
            composed: &composed,
            registry: &*destination.registry,
            name: &args.destination.to_string(),
            wanted: Wanted {
                tags: &tags,
                policy: policy(args.immutable, args.rolling),
                known_as: None,
                rolling: &declared.rolling,
            },
            attachments: if args.referrers { Attachments::Taken } else { Attachments::Left },
            jobs: context.jobs(),
            progress: &context.printer,
        })
        .await?;
        destination.finish().await?;
        Ok(done)
    })?;
    finished(context, &args.destination, "Created", "kyklos-release/image-index-create/v1", &done)
}
