//! `manual`: what a person has to do to finish a release. Changes nothing.

use super::context::Context;
use super::error::CliError;
use super::opened::{Opened, ReleaseArgs};
use super::{Format, Reply};
use crate::publish::manual;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Markdown, Format::Json])?;
    context.block_on(async {
        let opened = Opened::open(context, &args.release).await?;
        let document = manual(&opened.world(context), &opened.job(None)).await?;
        Reply::done("kyklos-release/manual/v1", &v1::publish::Manual { document: document.clone() }, document)
    })
}
