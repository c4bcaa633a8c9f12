//! Notes never stop a release: when they cannot be made, a person gets a template.

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use super::super::{Format, Reply};
use super::answer::SCHEMA;
use super::output::Output;
use crate::diag::{Diagnostic, Severity};
use crate::evidence::MANUAL_MARK;
use crate::model::Tag;
use crate::notes::{self, Blank};
use crate::port::Progress as _;
use crate::render::json::v1;

/// The template, and the error as a warning. A changelog that was to be changed is left as it is.
pub(super) fn run(
    context: &Context,
    output: &Output,
    tag: Option<&Tag>,
    error: &CliError,
) -> Result<Reply, CliError> {
    let reason = &error.problem().message;
    // The repository may be the very thing that failed.
    let project = Project::open(context).ok();
    let name = project.as_ref().map(|project| project.config.name.to_string());
    let directory = || context.directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.or_else(directory).unwrap_or_default();
    let pattern = project.map(|project| project.config.tag).unwrap_or_default();
    let version = tag.map(|tag| match pattern.version(tag.as_str()) {
        Some(version) => version.to_string(),
        None => tag.to_string(),
    });
    let blank = if output.release_notes { Blank::ReleaseNotes } else { Blank::Changelog };
    let text = notes::manual(blank, &name, version.as_deref().unwrap_or("Unreleased"), reason, MANUAL_MARK)?;
    let end = match &output.prepend {
        Some(path) => format!("a template is in their place, and {} is as it was", path.display()),
        None => "a template is in their place".to_owned(),
    };
    let mut warning = error.diagnostic();
    context.printer.warn(&format!("the notes could not be generated ({reason}); {end}"));
    warning.severity = Severity::Warning;
    let told =
        Diagnostic::new(Severity::Warning, "notes-manual", format!("a person has to write the notes: {end}"));
    let mut reply = if context.format == Format::Json {
        let data = v1::notes::Notes {
            name,
            repository: None,
            whole: false,
            body: Some(v1::notes::Body::manual(&text)),
            changelog: None,
            releases: Vec::new(),
        };
        Reply::done(SCHEMA, &data, text)?
    } else {
        Reply::plain(SCHEMA, text)
    };
    reply.diagnostics = vec![warning, told];
    Ok(reply)
}
