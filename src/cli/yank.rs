//! `yank`: withdraws a published release. Deletes nothing.

use super::context::Context;
use super::error::CliError;
use super::opened::{Opened, ReleaseArgs};
use super::{Format, Reply};
use crate::publish::yank;
use crate::render::json::v1;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release yank v1.2.3 --forge dir:forge --reason \"deletes namespaces it does not own\"

The release stays where it is, as a prerelease with the reason above its notes. Latest and the
rolling image tags go back to the highest other stable release. `verify` says no to it from then on,
and it cannot be published again.")]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Why, in one line; shown to everybody who looks at the release
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: String,
    /// End a holding of the lock that is known to be dead
    #[arg(long, value_name = "NONCE")]
    break_lock: Option<String>,
}

/// The longest reason, in bytes: the text of a release has to hold it beside the notes.
const MAX_REASON: usize = 200;

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_REASON || text.chars().any(char::is_control) {
        return Err(format!("expected one line of 1 to {MAX_REASON} bytes"));
    }
    Ok(text.to_owned())
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    context.block_on(async {
        let opened = Opened::open(context, &args.release).await?;
        let job = opened.job(args.break_lock.as_deref());
        let yanked = yank(&opened.world(context), &job, &args.reason).await?;
        let tag = &args.release.tag;
        let mut text = match yanked.changes.len() {
            0 => format!("{tag} was withdrawn before; nothing changed\n"),
            _ => format!("{tag} is withdrawn; its files and images stay for whoever pinned them\n"),
        };
        for left in &yanked.left {
            text.push_str(&format!(
                "{left} stays where it is: no other stable release has an image for it\n"
            ));
        }
        Reply::done("kyklos-release/yank/v1", &v1::publish::Yank::done(&job, &yanked), text)
    })
}
