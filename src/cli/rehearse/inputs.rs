//! What is rehearsed: the tag, the commit, the executables and the files beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapter::fs::{self, Directory};
use crate::attest::{CHECKSUMS, CHECKSUMS_BUNDLE, IMAGE_BUNDLE, RELEASE_BUNDLE};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::notes::next_version;
use crate::cli::project::{Project, cargo_program};
use crate::diag::Kind;
use crate::format::binary::Binary;
use crate::model::{AssetName, Digest, Platform, ReleaseManifest, Tag};
use crate::plan::Facts;
use crate::port::{EntryKind, Files as _, Progress as _};

/// The largest executable of a release.
const MAX_BINARY: u64 = 1 << 30;
/// The largest other file of a release.
const MAX_ASSET: u64 = 1 << 30;

/// One executable.
pub(super) struct Executable {
    pub(super) platform: Platform,
    /// The file name it has in the release.
    pub(super) name: AssetName,
    pub(super) bytes: Vec<u8>,
}

/// Everything a rehearsal is made from.
pub(super) struct Inputs {
    pub(super) facts: Facts,
    /// Whether the tag exists; else it is HEAD that is rehearsed.
    pub(super) tagged: bool,
    pub(super) executables: Vec<Executable>,
    pub(super) assets: BTreeMap<AssetName, Vec<u8>>,
    pub(super) cargo_lock: Option<Vec<u8>>,
}

/// `OS/ARCH=PATH`.
pub(super) fn binary(text: &str) -> Result<(Platform, PathBuf), String> {
    let (platform, path) = text.split_once('=').ok_or("expected OS/ARCH=PATH")?;
    if path.is_empty() {
        return Err("the path is empty".to_owned());
    }
    Ok((platform.parse().map_err(|error| format!("{error}"))?, path.into()))
}

impl Inputs {
    /// Finds and checks everything before anything is written.
    pub(super) fn find(
        context: &Context,
        project: &Project,
        tag: Option<&Tag>,
        binaries: &[(Platform, PathBuf)],
        allow_dirty: bool,
    ) -> Result<Self, CliError> {
        let (facts, tagged) = facts(project, tag)?;
        dirty(context, project, allow_dirty)?;
        let mut paths: BTreeMap<Platform, PathBuf> = BTreeMap::new();
        for (platform, path) in binaries {
            let same = |other: &Platform| other.clone().normalised() == platform.clone().normalised();
            if paths.keys().any(same) || paths.insert(platform.clone(), context.path(path)).is_some() {
                return Err(CliError::usage(
                    "rehearse-binary",
                    format!("two executables are given for {platform}"),
                ));
            }
        }
        if paths.is_empty() {
            paths = project
                .config
                .binaries
                .iter()
                .map(|(platform, path)| (platform.clone(), project.path(path)))
                .collect();
        }
        let name = project.config.name.as_str();
        let mut executables = Vec::new();
        if paths.is_empty() {
            executables.extend(cargo_binary(context, project, name)?);
        }
        for (platform, path) in paths {
            let bytes = fs::read(&path, MAX_BINARY)?;
            executables.push(executable(context, Some(platform), name, bytes, &path)?);
        }
        if executables.is_empty() {
            context
                .printer
                .warn("no executable: name them with --binary OS/ARCH=PATH to have an image and an SBOM");
        }
        apart(&facts, &executables, project.config.assets.keys())?;
        let mut assets = BTreeMap::new();
        // Without a work tree the commit is all there is.
        let of = (tagged || project.repository.is_bare()).then_some(facts.commit);
        for (name, path) in &project.config.assets {
            assets.insert(name.clone(), project.file(of, path, MAX_ASSET)?);
        }
        let cargo_lock = match project.file(of, Path::new("Cargo.lock"), MAX_ASSET) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.is("file-missing") => None,
            Err(error) => return Err(error),
        };
        Ok(Self { facts, tagged, executables, assets, cargo_lock })
    }

    /// Tells rehearsals of the same things from others.
    pub(super) fn key(&self) -> Digest {
        let mut text = format!("{} {:?} {}\n", env!("CARGO_PKG_VERSION"), self.facts, self.tagged);
        let files = self.executables.iter().map(|executable| (executable.name.as_str(), &executable.bytes));
        for (name, bytes) in files.chain(self.assets.iter().map(|(name, bytes)| (name.as_str(), bytes))) {
            text.push_str(&format!("{} {name}\n", Digest::of(bytes)));
        }
        Digest::of(text.as_bytes())
    }
}

fn facts(project: &Project, tag: Option<&Tag>) -> Result<(Facts, bool), CliError> {
    if let Some(tag) = tag {
        return Ok((project.facts(tag)?, true));
    }
    let head = project.repository.head()?;
    let here = project.repository.tags(&project.config.tag)?.into_iter().filter(|tag| tag.commit == head);
    if let Some(found) = here.max_by(|left, right| left.version.cmp(&right.version)) {
        return Ok((project.facts(&found.tag)?, true));
    }
    let (version, time) = next_version(project, head)?;
    let tag = project
        .config
        .tag
        .tag(&version)
        .map_err(|error| CliError::usage("rehearse-tag", format!("{error}")))?;
    Ok((project.facts_of(tag, version, head, time), false))
}

/// Files that a release makes by itself, its executables aside.
pub(super) fn made_names(facts: &Facts) -> Vec<String> {
    let tag = facts.tag.file_part();
    let fixed = [
        "build-info.json",
        "sbom.json",
        "image-manifest.json",
        "image-digests.txt",
        CHECKSUMS,
        CHECKSUMS_BUNDLE,
        RELEASE_BUNDLE,
        IMAGE_BUNDLE,
        ReleaseManifest::ASSET,
    ];
    let named = [
        format!("{}-{tag}.tar.gz", facts.name),
        format!("CHANGELOG-{tag}.md"),
        format!("RELEASE-NOTES-{tag}.md"),
    ];
    fixed.into_iter().map(str::to_owned).chain(named).collect()
}

/// Refuses assets that are called like a file a release makes by itself: one of the two would be lost.
fn apart<'a>(
    facts: &Facts,
    executables: &[Executable],
    mut assets: impl Iterator<Item = &'a AssetName>,
) -> Result<(), CliError> {
    let made = made_names(facts);
    let taken = assets.find(|asset| {
        made.iter().any(|made| made == asset.as_str())
            || executables.iter().any(|executable| executable.name == **asset)
    });
    match taken {
        Some(name) => {
            let message = format!("the release makes {name} by itself, and release.yaml lists another");
            Err(CliError::usage("rehearse-asset", message)
                .hinted(format!("rename it, or take {name} out of `assets` in release.yaml")))
        }
        None => Ok(()),
    }
}

fn dirty(context: &Context, project: &Project, allowed: bool) -> Result<(), CliError> {
    let changed = project.repository.changed_files()?;
    if changed.is_empty() {
        return Ok(());
    }
    let shown = changed.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    if allowed {
        context.printer.warn(&format!("tracked files differ from the commit: {shown}"));
        return Ok(());
    }
    Err(CliError::new(
        Kind::Usage,
        "rehearse-dirty",
        match changed.len() {
            1 => "a tracked file differs from the commit".to_owned(),
            several => format!("{several} tracked files differ from the commit"),
        },
    )
    .fact("found", shown)
    .hinted("commit or stash them, or add --allow-dirty"))
}

/// The release executable of the Cargo project at the top of the work tree, when there is such a project.
fn cargo_binary(context: &Context, project: &Project, name: &str) -> Result<Option<Executable>, CliError> {
    if !fs::exists(&project.path(Path::new("Cargo.toml"))) {
        return Ok(None);
    }
    let target = context.variable("CARGO_TARGET_DIR").unwrap_or("target");
    let built = project.path(Path::new(target)).join("release");
    let program = cargo_program(&project.root());
    let path = built.join(program.as_deref().unwrap_or(name));
    if !fs::exists(&path) {
        let mut error =
            CliError::new(Kind::Usage, "rehearse-binary", format!("{} does not exist", path.display()));
        // What lies there instead; where nothing does, there is nothing to tell.
        let others = Directory::new(&built).list(Path::new(".")).unwrap_or_default();
        for other in others.iter().filter(|other| other.kind == EntryKind::File && !other.name.contains('.'))
        {
            error = error.fact("found", built.join(&other.name).display().to_string());
        }
        return Err(error.hinted(
            "build it with `cargo build --release`, or name executables with --binary OS/ARCH=PATH",
        ));
    }
    let bytes = fs::read(&path, MAX_BINARY)?;
    executable(context, None, name, bytes, &path).map(Some)
}

/// An executable that is one, for the platform it is said to be for.
fn executable(
    context: &Context,
    expected: Option<Platform>,
    name: &str,
    bytes: Vec<u8>,
    path: &Path,
) -> Result<Executable, CliError> {
    let binary = Binary::parse(&bytes)
        .map_err(|error| CliError::from(error).fact("file", path.display().to_string()))?;
    let platform = binary.platform.clone();
    if let Some(expected) =
        expected.filter(|expected| expected.clone().normalised() != platform.clone().normalised())
    {
        return Err(CliError::new(
            Kind::Usage,
            "rehearse-platform",
            format!("{} is for another platform", path.display()),
        )
        .fact("expected", expected.to_string())
        .fact("found", platform.to_string()));
    }
    if !binary.linkage.is_static() {
        context.printer.warn(&format!(
            "{} is linked dynamically: an image without a base cannot run it",
            path.display()
        ));
    }
    let name = format!("{name}-{}", platform.file_part());
    let name = name.parse().map_err(|error| CliError::usage("rehearse-name", format!("{error}")))?;
    Ok(Executable { platform, name, bytes })
}
