//! `completions`: the script a shell sources.

use clap::CommandFactory as _;

use super::context::Context;
use super::error::CliError;
use super::{Cli, Format, Reply};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release completions bash > kyklos-release.bash")]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text])?;
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kyklos-release", &mut script);
    Reply::done("kyklos-release/completions/v1", &(), script)
}
