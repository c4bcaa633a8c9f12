//! What becomes of notes: a changelog, the text of a release, a changed file, or data.

use std::io::Write as _;
use std::path::Path;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::{Format, Reply};
use super::output::{Output, Telling};
use super::prepend;
use crate::adapter::fs::{Pieces, Spool};
use crate::diag::{Diagnostic, Kind, Severity, counted};
use crate::model::Origin;
use crate::notes::{BODY, Extent, Fitted, Parts, Preset, ReleaseNotes, Step};
use crate::port::{FilesError, Progress as _};
use crate::render::json::v1;

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
        return stream(context, telling, made);
    }
    if context.format != Format::Json
        && limit.is_none()
        && output.prepend.is_none()
        && let Some(parts) = telling.writer.parts(telling.extent)
    {
        return in_parts(context, telling, parts, made);
    }
    let releases: Vec<ReleaseNotes> = made.collect::<Result<_, _>>()?;
    let mut data = None;
    if context.format == Format::Json {
        let wire = releases.iter().map(|notes| v1::notes::Release::of(notes, telling.origin.as_ref()));
        data = Some(v1::notes::Notes { releases: wire.collect(), ..head(telling) });
    }
    let mut diagnostics = Vec::new();
    let text = if let Some(path) = &output.prepend {
        let edited = prepend::prepend(context, telling, path, releases)?;
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
    reply.diagnostics = [telling.diagnostics.clone(), diagnostics].concat();
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
    let what = match (fitted.steps.as_slice(), fitted.left_out) {
        ([], _) => return None,
        ([Step::Texts], 0) => "lines of great length were shortened".to_owned(),
        ([Step::Texts, Step::Contributors], 0) => {
            "lines of great length were shortened and contributors left out".to_owned()
        }
        ([Step::Contributors], 0) => "contributors were left out".to_owned(),
        (_, 0) => "contributors and details of what breaks were left out".to_owned(),
        (_, lines) => counted(lines, "line was left out", "lines were left out"),
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

/// A changelog is written release by release.
fn in_parts(
    context: &Context,
    telling: &Telling,
    mut parts: Parts<'_>,
    made: &mut Made<'_>,
) -> Result<Reply, CliError> {
    let mut begun = false;
    let certain = telling.certain && telling.writer.is_built_in();
    let mut end = None;
    let mut pieces = || -> Result<Option<Vec<u8>>, CliError> {
        if !std::mem::replace(&mut begun, true) {
            return Ok(Some(parts.start()?.into_bytes()));
        }
        match made.next() {
            Some(notes) => Ok(Some(parts.release(&notes?)?.into_bytes())),
            None if end.replace(()).is_none() => Ok(Some(parts.end()?.into_bytes())),
            None => Ok(None),
        }
    };
    told(context, certain, &mut pieces)
}

/// JSON is written release by release, so that no more than one is held in another form.
fn stream(context: &Context, telling: &Telling, made: &mut Made<'_>) -> Result<Reply, CliError> {
    let failed = |error: serde_json::Error| CliError::new(Kind::Internal, "json", error.to_string());
    let (opening, closing) = Reply::opening(SCHEMA, &telling.diagnostics)?;
    // The list of releases comes last.
    let head = serde_json::to_string(&head(telling)).map_err(failed)?;
    let head = head.strip_suffix("]}").unwrap_or(&head);
    let mut begin = Some(format!("{opening}{head}"));
    let mut end = Some(format!("\n]}}{closing}"));
    let writer = v1::release::ReleaseWriter::new(telling.origin.as_ref());
    let mut separator = "\n";
    let mut pieces = || -> Result<Option<Vec<u8>>, CliError> {
        if let Some(begin) = begin.take() {
            return Ok(Some(begin.into_bytes()));
        }
        let Some(notes) = made.next() else { return Ok(end.take().map(String::into_bytes)) };
        let mut text = std::mem::replace(&mut separator, ",\n").as_bytes().to_vec();
        writer.write(&notes?, &mut text).map_err(failed)?;
        Ok(Some(text))
    };
    told(context, telling.certain, &mut pieces)
}

/// Tells an answer while it is made where that cannot leave half of one: into a file, and when nothing can go wrong.
fn told(context: &Context, certain: bool, pieces: &mut Pieces<'_, CliError>) -> Result<Reply, CliError> {
    if certain || context.answers_to_file() {
        context.answer_pieces(pieces)?;
        return Ok(Reply::told(SCHEMA));
    }
    let mut answer = Spool::default();
    while let Some(piece) = pieces()? {
        let unwritten = |error| FilesError::io("write", Path::new("a temporary file"), error);
        answer.write_all(&piece).map_err(unwritten)?;
    }
    Ok(Reply::written(SCHEMA, answer))
}
