//! `publish`: from planned files to a published release. Running it again goes on where the last run stopped.

use super::context::Context;
use super::error::CliError;
use super::opened::{Opened, ReleaseArgs};
use super::{Format, Reply};
use crate::publish::{foresee, observe, publish};
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Print what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    /// End a holding of the lock that is known to be dead
    #[arg(long, value_name = "NONCE")]
    break_lock: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    context.block_on(async {
        let opened = Opened::open(context, &args.release).await?;
        let world = opened.world(context);
        let job = opened.job(args.break_lock.as_deref());
        if args.dry_run {
            let actions = foresee(&job, &observe(&world, &job).await?)?;
            let wire = v1::publish::Publish::foreseen(&job, &actions);
            let text: String = wire.actions.iter().map(|action| format!("{action}\n")).collect();
            return Reply::done("kyklos-release/publish/v1", &wire, text);
        }
        let done = publish(&world, &job).await?;
        let wire = v1::publish::Publish::done(&job, &done);
        let text = if done.changes == 0 {
            format!("{} was published before; nothing changed\n", opened.manifest.tag)
        } else {
            format!("{} is published\n", opened.manifest.tag)
        };
        Reply::done("kyklos-release/publish/v1", &wire, text)
    })
}
