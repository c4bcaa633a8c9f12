//! What `release.yaml`, the files of the repository and the command line say about notes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::project::Project;
use super::output::{Output, Strip};
use crate::adapter::fs::{self, Directory};
use crate::config::{self, NotesPreset};
use crate::diag::{Kind, did_you_mean};
use crate::model::{AssetName, CommitId, Digest, Origin, Person, PersonMap, Tag, TagPattern};
use crate::notes::{
    BumpTable, CHANGES, Document, FRAGMENTS, MAX_OVERRIDE, Overrides, Preset, Rules, Section, Tracker, Writer,
};
use crate::port::{EntryKind, Files as _};

/// The largest template.
pub(super) const MAX_TEMPLATE: u64 = 1 << 20;
/// Where the texts of release notes are that are written by hand, from the top of the repository: `TAG/NAME.md` for
/// one release, `NAME.md` for all.
const WRITTEN: &str = ".kyklos/notes";
/// The largest of these texts.
const MAX_WRITTEN: u64 = 64 << 10;
/// The largest list of image digests that is read.
const MAX_DIGESTS: u64 = 1 << 20;

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
        bump: table(settings),
        overrides: overrides(project, target)?,
    })
}

/// The ids of commits that the command line leaves out, in lower case.
pub(super) fn ignored(ids: &[String]) -> Result<Vec<String>, CliError> {
    let mut ignored = Vec::with_capacity(ids.len());
    for id in ids {
        let lower = id.to_ascii_lowercase();
        if !CommitId::is_named_by(&lower) {
            return Err(CliError::usage("notes-skip-commit", format!("`{id}` is no id of a commit"))
                .fact("expected", "7 to 40 hexadecimal digits"));
        }
        ignored.push(lower);
    }
    Ok(ignored)
}

/// The tags and the paths of a package.
pub(super) fn package(project: &Project, name: &str) -> Result<(TagPattern, Vec<String>), CliError> {
    let packages = &project.config.packages;
    if let Some(package) = packages.get(name) {
        return Ok((package.tag.clone(), package.paths.clone()));
    }
    let known: Vec<&str> = packages.keys().map(String::as_str).collect();
    Err(CliError::usage("notes-package", format!("release.yaml has no package `{name}`"))
        .fact("known", if known.is_empty() { "none".to_owned() } else { known.join(", ") }))
}

/// Which number of the version each type moves.
pub(super) fn table(settings: &config::Notes) -> BumpTable {
    let mut any = settings.bump.clone();
    // What is left out of the notes is no reason for a release, unless somebody says so.
    for key in [config::UNTYPED, config::OTHER] {
        if settings.types.get(key).is_some_and(Option::is_none) {
            any.entry(key.to_owned()).or_insert(config::BumpLevel::None);
        }
    }
    BumpTable { any, initial: settings.initial_bump.clone() }
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
pub(super) fn person(project: &Project) -> impl Fn(&Arc<Person>) -> Arc<Person> {
    let mailmap = project.repository.mailmap();
    let accounts = project.config.notes.authors.clone();
    // Whoever was asked about is kept, so that nobody else comes to the same place.
    let known = RefCell::new(PersonMap::<(Arc<Person>, Arc<Person>)>::default());
    move |person| {
        let mut known = known.borrow_mut();
        let (_, told) = known.entry(Arc::as_ptr(person)).or_insert_with(|| {
            let mut told = mailmap(person);
            if !accounts.is_empty()
                && let Some(login) = accounts.get(&told.email.to_lowercase())
            {
                told.email = format!("{login}@users.noreply.github.com");
            }
            let told = if told == **person { Arc::clone(person) } else { Arc::new(told) };
            (Arc::clone(person), told)
        });
        Arc::clone(told)
    }
}

/// A writer with the templates that `release.yaml` names.
pub(super) fn writer(
    project: &Project,
    preset: Preset,
    origin: Option<Origin>,
    target: CommitId,
) -> Result<Writer, CliError> {
    let settings = &project.config.notes;
    let mut writer = Writer::new(preset, origin)?;
    let text = |path: &Path| -> Result<(String, String), CliError> {
        let name = path.display().to_string();
        let bytes = file(project, &name, target, MAX_TEMPLATE)?.ok_or_else(|| {
            CliError::usage(
                "notes-template-missing",
                format!("release.yaml names {name}, which does not exist"),
            )
            .hinted(format!("git add {name}, or take it out of `notes:`"))
        })?;
        Ok((utf8(&name, bytes)?, name))
    };
    for (name, path) in &settings.partials {
        let (text, path) = text(path)?;
        writer = writer.with_partial(name, &path, &text)?;
    }
    if let Some(path) = &settings.template {
        let (text, path) = text(path)?;
        writer = writer.with_template(&path, &text)?;
    }
    Ok(writer)
}

/// The templates of the command line count more than those of `release.yaml`.
pub(super) fn overruled(context: &Context, writer: Writer, output: &Output) -> Result<Writer, CliError> {
    let mut writer = writer;
    let text = |path: &Path| -> Result<(String, String), CliError> {
        let name = path.display().to_string();
        Ok((utf8(&name, context.read(path, MAX_TEMPLATE)?)?, name))
    };
    for (name, path) in &output.partials {
        let (text, path) = text(path)?;
        writer = writer.with_partial(name, &path, &text)?;
    }
    if let Some(path) = &output.template {
        let (text, path) = text(path)?;
        writer = writer.with_template(&path, &text)?;
    }
    Ok(match output.strip {
        None => writer,
        Some(Strip::Header) => writer.without("header")?,
        Some(Strip::Footer) => writer.without("links")?,
        Some(Strip::All) => writer.without("header")?.without("links")?,
    })
}

/// The texts that are written by hand for a release; those of the release count more than those for all.
pub(super) fn written(
    project: &Project,
    tag: Option<&Tag>,
    target: CommitId,
) -> Result<BTreeMap<&'static str, String>, CliError> {
    let own = format!("{WRITTEN}/{}", tag.map_or("unreleased", |tag| tag.as_str()));
    for directory in [own.as_str(), WRITTEN] {
        known_names(project, directory)?;
    }
    let mut written = BTreeMap::new();
    for name in FRAGMENTS {
        for directory in [own.as_str(), WRITTEN] {
            let path = format!("{directory}/{name}.md");
            if let Some(bytes) = file(project, &path, target, MAX_WRITTEN)? {
                written.insert(name, utf8(&path, bytes)?);
                break;
            }
        }
    }
    Ok(written)
}

/// A text whose name is misspelt would be missing without a word.
fn known_names(project: &Project, directory: &str) -> Result<(), CliError> {
    let full = project.path(Path::new(directory));
    if !fs::exists(&full) {
        return Ok(());
    }
    for entry in Directory::new(&full).list(Path::new("."))? {
        let Some(name) = entry.name.strip_suffix(".md").filter(|_| entry.kind == EntryKind::File) else {
            continue;
        };
        if FRAGMENTS.contains(&name) || name == "README" {
            continue;
        }
        let message = format!("{directory}/{} is no text of release notes", entry.name);
        let error = CliError::usage("notes-text-name", message).fact("known", FRAGMENTS.join(", "));
        return Err(match did_you_mean(name, FRAGMENTS) {
            Some(near) => error.hinted(format!("git mv {directory}/{} {directory}/{near}.md", entry.name)),
            None => error,
        });
    }
    Ok(())
}

/// The names and digests of the files of a release, and its image.
pub(super) fn files(context: &Context, dist: &Path, document: &mut Document) -> Result<(), CliError> {
    let directory = Directory::new(context.path(dist));
    for entry in directory.list(Path::new("."))? {
        if entry.kind != EntryKind::File {
            continue;
        }
        let name: AssetName = entry.name.parse().map_err(|error| {
            CliError::new(Kind::Usage, "notes-dist", format!("{}: {error}", dist.display()))
        })?;
        let (digest, _) = directory.digest(Path::new(&entry.name))?;
        document.files.push((name, Some(digest)));
    }
    let list = "image-digests.txt";
    if document.files.iter().any(|(name, _)| name.as_str() == list) {
        let text = utf8(list, directory.read(Path::new(list), MAX_DIGESTS)?)?;
        document.image = text.lines().next().and_then(image);
    }
    Ok(())
}

/// The image in the first line of `image-digests.txt`, which is about the index.
fn image(line: &str) -> Option<String> {
    let (digest, name) = line.split_once(' ')?;
    let digest: Digest = digest.parse().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then(|| format!("{name}@{digest}"))
}

/// A file of the repository: of the work tree, else of a commit.
fn file(project: &Project, path: &str, target: CommitId, limit: u64) -> Result<Option<Vec<u8>>, CliError> {
    let full = project.path(Path::new(path));
    if fs::exists(&full) {
        return Ok(Some(fs::read(&full, limit)?));
    }
    Ok(project.repository.read_file(target, path, limit)?)
}

/// A text, or the line that is none.
pub(super) fn utf8(path: &str, bytes: Vec<u8>) -> Result<String, CliError> {
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        CliError::usage("notes-encoding", format!("{path} is not UTF-8"))
            .fact("line", line.to_string())
            .hinted(format!("iconv -f latin1 -t utf-8 {path}"))
    })
}
