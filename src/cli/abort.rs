//! `abort`: gives a release up before its commit point. Removes only what carries our marker.

use super::context::Context;
use super::error::CliError;
use super::opened::{Opened, ReleaseArgs};
use super::{Format, Reply};
use crate::publish::abort;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release abort v1.2.3 --forge dir:forge")]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
    /// End a holding of the lock that is known to be dead
    #[arg(long, value_name = "NONCE")]
    break_lock: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    context.block_on(async {
        let drafts = match Opened::find(context, &args.release).await? {
            Some(opened) => {
                let job = opened.job(args.break_lock.as_deref());
                abort(&opened.world(context), &job).await?.drafts
            }
            None => 0,
        };
        let text = match drafts {
            0 => format!("nothing of {} was there\n", args.release.tag),
            _ => format!("{} is given up; its images stay where they are, under no tag\n", args.release.tag),
        };
        Reply::done("kyklos-release/abort/v1", &v1::publish::Abort { drafts }, text)
    })
}
