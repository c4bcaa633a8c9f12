//! `status`: where a release stands. Changes nothing.

use super::context::Context;
use super::error::CliError;
use super::opened::{Opened, ReleaseArgs};
use super::{Format, Reply};
use crate::publish::status;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release status v1.2.3 --forge dir:forge")]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    context.block_on(async {
        let wire = match Opened::find(context, &args.release).await? {
            Some(opened) => {
                let status = status(&opened.world(context), &opened.job(None)).await?;
                v1::publish::Status::known(opened.rid(), &status)
            }
            None => v1::publish::Status::absent(&args.release.tag),
        };
        let text = wire.text(&args.release.tag);
        Reply::done("kyklos-release/status/v1", &wire, text)
    })
}
