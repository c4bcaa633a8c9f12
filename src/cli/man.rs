//! `man`: one manual page per command.

use std::path::PathBuf;

use super::context::Context;
use super::error::CliError;
use super::{Format, Reply};
use crate::adapter::fs;
use crate::port::FilesError;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  kyklos-release man man1")]
pub(super) struct Args {
    /// The directory the pages are written to
    #[arg(value_name = "DIR")]
    pages: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text])?;
    let directory = context.path(&args.pages);
    let mut names = Vec::new();
    pages(&super::command(), &mut |name, page| {
        let path = directory.join(name);
        names.push(name.to_owned());
        fs::write_atomic(&path, page)
    })?;
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    Reply::done("kyklos-release/man/v1", &names, text)
}

/// Takes the name and the content of a page.
type Write<'a> = dyn FnMut(&str, &[u8]) -> Result<(), FilesError> + 'a;

fn pages(command: &clap::Command, write: &mut Write<'_>) -> Result<(), FilesError> {
    let man = clap_mangen::Man::new(command.clone());
    let name = man.get_filename();
    let mut page = Vec::new();
    man.render(&mut page).map_err(|source| FilesError::io("write", name.as_ref(), source))?;
    write(&name, &page)?;
    command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
        .try_for_each(|sub| pages(sub, write))
}
