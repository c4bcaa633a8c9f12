//! What becomes of notes: a changelog, the text of a release, a changed file, or data.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::super::context::Context;
use super::super::error::CliError;
use super::super::{Format, Reply};
use super::prepend;
use crate::adapter::fs::Spool;
use crate::diag::{Diagnostic, Kind, Severity};
use crate::model::Origin;
use crate::notes::{BODY, Document, Extent, Fitted, Preset, ReleaseNotes, Writer};
use crate::port::{FilesError, Progress as _};
use crate::render::json::v1;

/// How notes look and where they go.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// Sections, headings and their order [default: that of release.yaml, else kyklos]
    #[arg(long, value_enum)]
    pub(super) preset: Option<Preset>,
    /// A handlebars template in place of the one of the preset
    #[arg(long, value_name = "FILE", conflicts_with_all = ["release_notes", "prepend"])]
    pub(super) template: Option<PathBuf>,
    /// A file in place of a built-in partial; again for more
    #[arg(long = "partial", value_name = "NAME=FILE", value_parser = partial)]
    pub(super) partials: Vec<(String, PathBuf)>,
    /// Put the releases into a changelog, each where its version belongs; what is written by hand stays
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["max_chars", "release_notes"])]
    pub(super) prepend: Option<PathBuf>,
    /// The text of one release for its users, with what is written by hand in .kyklos/notes
    #[arg(long)]
    pub(super) release_notes: bool,
    /// The files of the release: digests, links and the image of its notes come from there
    #[arg(long, value_name = "DIR", requires = "release_notes")]
    pub(super) dist: Option<PathBuf>,
    /// The most bytes of one release; contributors, then lines of the least weight go first [default for
    /// --release-notes and for one release with --preset github: what a release page holds]
    #[arg(long, value_name = "N")]
    pub(super) max_chars: Option<usize>,
    /// When the notes cannot be made, write a template for a person to fill in, say so, and exit 0
    #[arg(long)]
    pub(super) manual_on_failure: bool,
}

/// `NAME=FILE`.
fn partial(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=FILE")?;
    if name.is_empty() || path.is_empty() {
        return Err("expected NAME=FILE".to_owned());
    }
    Ok((name.to_owned(), path.into()))
}

/// What notes are told with.
pub(super) struct Telling {
    pub(super) writer: Writer,
    pub(super) preset: Preset,
    pub(super) origin: Option<Origin>,
    pub(super) document: Document,
    pub(super) extent: Extent,
    /// Whether one release is asked for.
    pub(super) single: bool,
}

/// The name of the answer.
pub(super) const SCHEMA: &str = "kyklos-release/notes/v1";

/// Releases, newest first, one at a time.
pub(super) type Made<'a> = dyn Iterator<Item = Result<ReleaseNotes, CliError>> + 'a;

pub(super) fn answer(
    context: &Context,
    output: &Output,
    telling: &Telling,
    made: &mut Made<'_>,
) -> Result<Reply, CliError> {
    let page = output.release_notes || (telling.preset == Preset::Github && telling.single);
    let limit = output.max_chars.or_else(|| (page && output.prepend.is_none()).then_some(BODY));
    if context.format == Format::Json && limit.is_none() && output.prepend.is_none() {
        return stream(telling, made);
    }
    let releases: Vec<ReleaseNotes> = made.collect::<Result<_, _>>()?;
    let mut data = None;
    if context.format == Format::Json {
        let wire = releases.iter().map(|notes| v1::notes::Release::of(notes, telling.origin.as_ref()));
        data = Some(v1::notes::Notes { releases: wire.collect(), ..head(telling) });
    }
    let mut diagnostics = Vec::new();
    let text = if let Some(path) = &output.prepend {
        let edited = prepend::prepend(context, telling, path, &releases)?;
        diagnostics.extend(edited.diagnostics);
        if let Some(data) = &mut data {
            data.changelog = Some(edited.wire);
        }
        edited.text
    } else if let Some(limit) = limit {
        let fitted = fitted(output, telling, &releases, limit)?;
        diagnostics.extend(shortened(&fitted, limit));
        if let Some(data) = &mut data {
            data.body = Some(v1::notes::Body::of(&fitted, limit));
        }
        fitted.text
    } else {
        telling.writer.changelog(&releases, telling.extent)?
    };
    for diagnostic in &diagnostics {
        context.printer.warn(&diagnostic.message);
    }
    let mut reply = match &data {
        Some(data) => Reply::done(SCHEMA, data, text)?,
        None => Reply::plain(SCHEMA, text),
    };
    reply.diagnostics = diagnostics;
    Ok(reply)
}

/// The one release in as many bytes as are allowed.
fn fitted(
    output: &Output,
    telling: &Telling,
    releases: &[ReleaseNotes],
    limit: usize,
) -> Result<Fitted, CliError> {
    let [one] = releases else { return Err(not_one(output)) };
    if !telling.single {
        return Err(not_one(output));
    }
    Ok(if output.release_notes {
        telling.writer.body(one, &telling.document, limit)?
    } else {
        telling.writer.short_changelog(one, limit)?
    })
}

fn shortened(fitted: &Fitted, limit: usize) -> Option<Diagnostic> {
    let what = match (fitted.steps.is_empty(), fitted.left_out) {
        (true, _) => return None,
        (false, 0) => "contributors were left out".to_owned(),
        (false, lines) => format!("{lines} lines were left out"),
    };
    let message = format!("{what} to stay within {limit} bytes");
    Some(Diagnostic::new(Severity::Warning, "notes-shortened", message))
}

fn not_one(output: &Output) -> CliError {
    let flag = if output.release_notes { "--release-notes" } else { "--max-chars" };
    CliError::usage("notes-max-chars", format!("{flag} is for one release"))
        .hinted("add --tag TAG, --latest, --current or --unreleased")
}

/// What stands around the releases.
fn head(telling: &Telling) -> v1::notes::Notes {
    v1::notes::Notes {
        name: telling.document.name.clone(),
        repository: telling.origin.as_ref().map(Origin::web),
        whole: telling.extent == Extent::Whole,
        body: None,
        changelog: None,
        releases: Vec::new(),
    }
}

/// JSON is written release by release, so that no more than one is held in another form.
fn stream(telling: &Telling, made: &mut Made<'_>) -> Result<Reply, CliError> {
    let failed = |error: serde_json::Error| CliError::new(Kind::Internal, "json", error.to_string());
    let (opening, closing) = Reply::opening(SCHEMA);
    // The list of releases comes last.
    let head = serde_json::to_string(&head(telling)).map_err(failed)?;
    let head = head.strip_suffix("]}").unwrap_or(&head);
    let unwritten = |error: std::io::Error| FilesError::io("write", Path::new("a temporary file"), error);
    let mut answer = Spool::default();
    write!(answer, "{opening}{head}").map_err(unwritten)?;
    for (at, notes) in made.enumerate() {
        let wire = v1::notes::Release::of(&notes?, telling.origin.as_ref());
        let mut text = if at > 0 { b",\n".to_vec() } else { b"\n".to_vec() };
        serde_json::to_writer(&mut text, &wire).map_err(failed)?;
        answer.write_all(&text).map_err(unwritten)?;
    }
    write!(answer, "\n]}}{closing}").map_err(unwritten)?;
    Ok(Reply::written(SCHEMA, answer))
}
