//! `notes template`: the built-in templates, and a test for those of users.

use std::path::PathBuf;

use clap::Subcommand;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::{Format, Reply};
use crate::format::yaml::did_you_mean;
use crate::notes::{BUILT_IN, Preset, Writer};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the built-in templates and partials
    List,
    /// Print a built-in template
    Show {
        /// Its name
        name: String,
    },
    /// Try a template on sample data
    Check {
        /// The template
        file: PathBuf,
    },
}

/// The largest template.
pub(super) const MAX_TEMPLATE: u64 = 1 << 20;

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    match &args.command {
        Command::List => {
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            let text: String = names.iter().map(|name| format!("{name}\n")).collect();
            Reply::done("kyklos-release/notes-template-list/v1", &names, text)
        }
        Command::Show { name } => {
            let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| known == name) else {
                let error = CliError::usage("notes-no-template", format!("there is no template `{name}`"));
                return Err(match did_you_mean(name, BUILT_IN.iter().map(|(name, _)| *name)) {
                    Some(near) => error.hinted(format!("did you mean `{near}`?")),
                    None => error.hinted("`kyklos-release notes template list` names them"),
                });
            };
            Reply::done("kyklos-release/notes-template-show/v1", text, *text)
        }
        Command::Check { file } => {
            let text = String::from_utf8_lossy(&context.read(file, MAX_TEMPLATE)?).into_owned();
            let tried = Writer::new(Preset::Kyklos, None)?.with_template(&text)?.try_out()?;
            Reply::done("kyklos-release/notes-template-check/v1", &tried, tried.as_str())
        }
    }
}
