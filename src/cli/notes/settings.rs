//! What `release.yaml` and the files of the repository say about notes.

use std::path::Path;

use super::super::error::CliError;
use super::super::project::Project;
use crate::adapter::fs::{self, Directory};
use crate::config::{self, NotesPreset};
use crate::model::{CommitId, Person};
use crate::notes::{CHANGES, MAX_OVERRIDE, Overrides, Preset, Rules, Section, Tracker};
use crate::port::{EntryKind, Files as _};

/// The preset of `release.yaml`, else the usual one.
pub(super) fn preset(settings: &config::Notes) -> Preset {
    match settings.preset {
        None | Some(NotesPreset::Kyklos) => Preset::Kyklos,
        Some(NotesPreset::KeepAChangelog) => Preset::KeepAChangelog,
        Some(NotesPreset::Github) => Preset::Github,
    }
}

/// Where lines stand, and which are told otherwise, for a commit that is told about. Files of the work tree count
/// before those of the commit, so that a line can be mended after the tag.
pub(super) fn rules(project: &Project, preset: Preset, target: CommitId) -> Result<Rules, CliError> {
    let settings = &project.config.notes;
    let section = |title: &String| Section::named(title);
    let mut trackers = Vec::new();
    for tracker in &settings.references {
        trackers.push(Tracker::new(tracker).map_err(|reason| {
            let pattern = &tracker.pattern;
            CliError::usage(
                "config-value",
                format!("`{pattern}` cannot be `notes.references.pattern`: {reason}"),
            )
        })?);
    }
    Ok(Rules {
        trackers,
        types: settings
            .types
            .iter()
            .map(|(kind, title)| (kind.clone(), title.as_ref().map(section)))
            .collect(),
        order: settings.sections.iter().map(section).chain(preset.sections()).collect(),
        ignore: settings.ignore.clone(),
        skip: settings.skip.clone(),
        overrides: overrides(project, target)?,
    })
}

fn overrides(project: &Project, target: CommitId) -> Result<Overrides, CliError> {
    let mut overrides = Overrides::default();
    let directory = project.path(Path::new(CHANGES));
    if fs::exists(&directory) {
        let files = Directory::new(&directory);
        for entry in files.list(Path::new("."))? {
            if entry.kind == EntryKind::File && entry.name.ends_with(".md") {
                let bytes = files.read(Path::new(&entry.name), MAX_OVERRIDE)?;
                overrides.add(&format!("{CHANGES}/{}", entry.name), &bytes)?;
            }
        }
        return Ok(overrides);
    }
    for (path, bytes) in project.repository.files_in(target, CHANGES, MAX_OVERRIDE)? {
        if path.ends_with(".md") {
            overrides.add(&path, &bytes)?;
        }
    }
    Ok(overrides)
}

/// The name and address of a person: those of the mailmap, and the address that tells the account where
/// `release.yaml` knows it.
pub(super) fn person(project: &Project) -> impl Fn(&Person) -> Person {
    let mailmap = project.repository.mailmap();
    let accounts = project.config.notes.authors.clone();
    move |person| {
        let mut person = mailmap(person);
        if let Some(login) = accounts.get(&person.email.to_lowercase()) {
            person.email = format!("{login}@users.noreply.github.com");
        }
        person
    }
}
