//! Releases put into a changelog that people write as well.

use std::path::Path;

use super::super::context::Context;
use super::super::error::CliError;
use super::output::Telling;
use super::settings;
use crate::adapter::fs;
use crate::diag::{Diagnostic, Severity, counted};
use crate::format::changelog::{Key, MAX_BYTES};
use crate::notes::{Extent, Insert, Ours, ReleaseNotes, edit};
use crate::port::Progress as _;
use crate::render::json::v1;

/// What was done.
pub(super) struct Done {
    pub(super) wire: v1::notes::Changelog,
    /// What was put in, for `--output`.
    pub(super) text: String,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Changes the file, whole or not at all. One that would stay the same is not written.
pub(super) fn prepend(
    context: &Context,
    telling: &Telling,
    path: &Path,
    mut releases: Vec<ReleaseNotes>,
) -> Result<Done, CliError> {
    let shown = path.display().to_string();
    let full = context.path(path);
    let there = fs::exists(&full);
    let old = if there { settings::utf8(&shown, fs::read(&full, MAX_BYTES)?)? } else { String::new() };
    // What is not released has a section as soon as there is anything in it.
    releases.retain(|notes| notes.address().is_some() || !notes.commits.is_empty());
    if releases.is_empty() {
        context.printer.finished("Unchanged", &shown);
        let wire = v1::notes::Changelog {
            path: shown,
            changed: false,
            added: Vec::new(),
            replaced: Vec::new(),
            kept: 0,
        };
        return Ok(Done { wire, text: String::new(), diagnostics: Vec::new() });
    }
    let generated = telling.writer.changelog(&releases, Extent::Whole)?;
    let newest =
        releases.iter().filter(|notes| notes.address().is_some()).max_by_key(|notes| notes.version.clone());
    let head_url =
        newest.and_then(|notes| Some(telling.origin.as_ref()?.compare(notes.address()?.as_str(), "HEAD")));
    let insert = Insert {
        generated: &generated,
        releases: releases.len(),
        ours: &ours(&releases),
        head_url: head_url.as_deref(),
    };
    let edited = edit(&old, &insert).map_err(|error| {
        let foreign = matches!(error, crate::notes::EditError::Foreign);
        let error = CliError::from(error).fact("file", shown.clone());
        let whole =
            format!("kyklos-release notes generate --all -o {shown} writes it anew; nothing was changed");
        if foreign { error.hinted(whole) } else { error }
    })?;
    let changed = !there || edited.text != old;
    if changed {
        fs::write_atomic(&full, edited.text.as_bytes())?;
    }
    let names = |keys: &[Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (added, replaced) = (names(&edited.added), names(&edited.replaced));
    if changed {
        let said =
            [("added", &added), ("replaced", &replaced)].into_iter().filter(|(_, keys)| !keys.is_empty());
        let said: Vec<String> = said.map(|(verb, keys)| format!("{verb} {}", keys.join(", "))).collect();
        context.printer.finished("Updated", &format!("{shown}: {}", said.join("; ")));
    } else {
        context.printer.finished("Unchanged", &shown);
    }
    let left = edited.left_unreleased;
    let warning = (left > 0 && !edited.added.is_empty()).then(|| {
        let lines = counted(
            left,
            "line under Unreleased names no commit of the release and stays there",
            "lines under Unreleased name no commit of the release and stay there",
        );
        Diagnostic::new(Severity::Warning, "changelog-unreleased", lines).at(shown.clone())
    });
    Ok(Done {
        wire: v1::notes::Changelog { path: shown, changed, added, replaced, kept: edited.kept as u64 },
        text: if context.output.is_some() { generated } else { String::new() },
        diagnostics: warning.into_iter().collect(),
    })
}

/// What tells lines of the tool from those of people.
fn ours(releases: &[ReleaseNotes]) -> Ours {
    let mut ours = Ours::default();
    for notes in releases {
        ours.commits.extend(notes.commits.iter().map(ToString::to_string));
        let entries = notes.sections.iter().flat_map(|(_, entries)| entries).chain(&notes.breaking);
        ours.numbers.extend(entries.filter_map(|entry| Some(entry.pull_request()?.id.clone())));
    }
    ours
}
