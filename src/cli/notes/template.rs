//! `notes template`: the built-in templates, and a test for those of users.

use std::path::PathBuf;

use clap::Subcommand;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::{Format, Reply};
use super::settings;
use crate::diag::did_you_mean;
use crate::notes::{BUILT_IN, Preset, Writer};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the built-in templates and partials
    #[command(after_help = "Example:\n  kyklos-release notes template list")]
    List,
    /// Print a built-in template
    #[command(after_help = "Example:\n  kyklos-release notes template show kyklos > notes.md.hbs")]
    Show {
        /// Its name
        name: String,
    },
    /// Try a template on sample data
    #[command(after_help = "Example:\n  kyklos-release notes template check notes.md.hbs")]
    Check {
        /// The template
        file: PathBuf,
        /// Try it as the partial of this name
        #[arg(long = "as", value_name = "PARTIAL")]
        partial: Option<String>,
    },
}

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
        Command::Check { file, partial } => {
            let path = file.display().to_string();
            let text = settings::utf8(&path, context.read(file, settings::MAX_TEMPLATE)?)?;
            let writer = Writer::new(Preset::Kyklos, None)?;
            let writer = match partial {
                Some(name) => writer.with_partial(name, &path, &text)?,
                None => writer.with_template(&path, &text)?,
            };
            let tried = writer.try_out(partial.as_deref())?;
            Reply::done("kyklos-release/notes-template-check/v1", &tried, tried.as_str())
        }
    }
}
