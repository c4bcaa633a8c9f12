//! `notes import`: the configuration of another tool as the `notes:` part of a `release.yaml`.

use std::path::PathBuf;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::{nearby, usual_name};
use super::super::{Format, Reply};
use crate::diag::Severity;
use crate::format::cliff::{Cliff, MAX_BYTES};
use crate::notes::import::import;
use crate::port::Progress as _;
use crate::render::json::v1::lint::Imported;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kyklos-release notes import cliff.toml >> release.yaml
  kyklos-release notes import cliff.toml --format json

The name of the project is written where no release.yaml has one. Headings, types, skipped commits and the form of tags
are carried over. What is not, is told on stderr with its line and
with what does the same here; templates are told, not translated.")]
pub(super) struct Args {
    /// The configuration of git-cliff
    #[arg(value_name = "FILE", default_value = "cliff.toml")]
    file: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(&[Format::Text, Format::Json])?;
    let path = args.file.display().to_string();
    let cliff = Cliff::parse(&context.read(&args.file, MAX_BYTES)?, &path)?;
    let mut imported = import(&cliff, &path);
    // A file that is none yet needs its name; `>> release.yaml` has made an empty one before this runs.
    if !matches!(nearby(context), Ok(Some(_)))
        && let Some(name) = usual_name(context)
    {
        imported.yaml = format!("name: {name}\n{}", imported.yaml);
    }
    if context.format == Format::Text {
        for finding in &imported.findings {
            let place = format!("{path}:{}", finding.line.unwrap_or(1));
            let hint = finding.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            let text = format!("{place}: {}{hint}", finding.message);
            match finding.severity {
                Severity::Error | Severity::Warning => context.printer.warn(&text),
                Severity::Note => context.printer.note(&format!("note: {text}")),
            }
        }
    }
    let lost =
        |severity| imported.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let wire =
        Imported { yaml: imported.yaml.clone(), lost: lost(Severity::Warning), other: lost(Severity::Note) };
    let mut reply = Reply::done("kyklos-release/notes-import/v1", &wire, imported.yaml)?;
    reply.diagnostics = imported.findings;
    Ok(reply)
}
