//! `manual`: what a person has to do to finish a release. Changes nothing.

mod script;

use super::context::Context;
use super::error::CliError;
use super::opened::{Opened, ReleaseArgs};
use super::{Format, Reply};
use crate::publish::manual;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release manual v1.2.3 --forge dir:forge --dist dist
  kyklos-release manual v1.2.3 --forge dir:forge --dist dist --script -o finish.sh && sh finish.sh")]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Write what is left as a shell script, which may be run as often as needed
    #[arg(long)]
    script: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Markdown, Format::Json])?;
    context.block_on(async {
        let opened = Opened::open(context, &args.release).await?;
        let (world, job) = (opened.world(context), opened.job(None));
        let document = match args.script {
            true => script::script(&world, &job, &opened.places()).await?,
            false => manual(&world, &job).await?,
        };
        Reply::done("kyklos-release/manual/v1", &v1::publish::Manual { document: document.clone() }, document)
    })
}
