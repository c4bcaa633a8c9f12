//! A release as the commands of the Publish group open it: its manifest, its bytes, its forge and its registries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::archive;
use super::context::Context;
use super::error::CliError;
use super::project::Project;
use crate::adapter::dir_forge::DirForge;
use crate::adapter::fs::{self, Directory, Scratch};
use crate::adapter::git::Repository;
use crate::adapter::oci::Layout;
use crate::diag::Kind;
use crate::format::release_manifest::{self, MAX_BODY_BYTES, MAX_BYTES};
use crate::model::{Digest, ReleaseManifest, Rid, Tag};
use crate::plan::{MAX_ASSET_BYTES, plan};
use crate::port::{EntryKind, Files as _, FilesError, Forge as _, Registry};
use crate::publish::{Job, Marker, PublishError, World, stored};

/// Flags of every command that looks at a forge.
#[derive(Debug, clap::Args)]
pub(super) struct ReleaseArgs {
    /// The git tag of the release
    pub(super) tag: Tag,
    /// The directory that holds the files of the release
    #[arg(long, value_name = "DIR")]
    pub(super) dist: Option<PathBuf>,
    /// Where the release is published: dir:DIR is a directory, its images are the OCI layout `registry` beside it
    #[arg(long, value_name = "FORGE", value_parser = ForgeName::parse)]
    pub(super) forge: ForgeName,
}

/// Which forge.
#[derive(Debug, Clone)]
pub(super) enum ForgeName {
    /// A directory.
    Dir(PathBuf),
}

impl ForgeName {
    fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("dir:") {
            Some(path) if !path.is_empty() => Ok(Self::Dir(path.into())),
            _ => Err("expected dir:DIR".to_owned()),
        }
    }
}

/// What the commands work with.
pub(super) struct Opened {
    pub(super) manifest: ReleaseManifest,
    rid: Rid,
    bytes: Vec<u8>,
    notes: String,
    dist: Option<Directory>,
    forge: DirForge,
    layout: Option<Layout>,
    nonce: String,
    run: Option<String>,
    /// Whether the manifest was found on the forge although a dist was named.
    unplanned: bool,
}

/// Where a release is published, as paths.
pub(super) struct Places<'a> {
    pub(super) forge: &'a DirForge,
    pub(super) registry: Option<&'a Path>,
    pub(super) dist: Option<&'a Path>,
}

impl Opened {
    /// Finds the manifest: in dist, else in the draft or the release of the tag, else from the repository at the tag and
    /// the files of dist. `None`: nothing is staged and no dist was named.
    pub(super) async fn find(context: &Context, args: &ReleaseArgs) -> Result<Option<Self>, CliError> {
        let ForgeName::Dir(forge) = &args.forge;
        let root = context.path(forge);
        let registry = root.parent().unwrap_or(&root).join("registry");
        let layout = fs::exists(&registry).then(|| Layout::open(registry)).transpose()?;
        let forge = DirForge::new(root);
        let dist = args.dist.as_ref().map(|dist| Directory::new(context.path(dist)));
        let found = match dist.as_ref().map(planned).transpose()?.flatten() {
            Some(bytes) => Some((bytes, None)),
            None => staged(&forge, &args.tag).await?,
        };
        let found = match (found, &dist) {
            (None, Some(dist)) => Some((from_repository(context, dist, &args.tag)?, None)),
            (found, _) => found,
        };
        let Some((bytes, release)) = found else { return Ok(None) };
        let on_forge = release.is_some();
        let (manifest, rid) = release_manifest::decode(&bytes)?;
        if manifest.tag != args.tag {
            return Err(CliError::new(
                Kind::Conflict,
                "publish-other-tag",
                "the release manifest is of another tag",
            )
            .fact("expected", args.tag.to_string())
            .fact("found", manifest.tag.to_string()));
        }
        let notes = match (&manifest.notes, &dist, release) {
            (None, _, _) => String::new(),
            (Some(_), _, Some(body)) => Marker::strip(&body).to_owned(),
            (Some(name), Some(dist), None) => text(dist.read(Path::new(name.as_str()), MAX_BODY_BYTES)?),
            (Some(_), None, None) => String::new(),
        };
        Ok(Some(Self {
            unplanned: dist.is_some() && on_forge,
            manifest,
            rid,
            bytes,
            notes,
            dist,
            forge,
            layout,
            nonce: context.nonce(),
            run: context.variable("GITHUB_RUN_ID").map(str::to_owned),
        }))
    }

    /// Like [`Opened::find`], for commands that cannot do without.
    pub(super) async fn open(context: &Context, args: &ReleaseArgs) -> Result<Self, CliError> {
        match Self::find(context, args).await? {
            Some(opened) => Ok(opened),
            None => Err(nothing_staged(context, &args.tag)?),
        }
    }

    /// Where it goes.
    pub(super) fn world<'a>(&'a self, context: &'a Context) -> World<'a> {
        let layout = self.layout.as_ref().map(|layout| layout as &dyn Registry);
        let registries: BTreeMap<_, _> = self
            .manifest
            .images
            .iter()
            .filter_map(|image| Some((image.repository.clone(), layout?)))
            .collect();
        World { forge: &self.forge, registries, progress: &context.printer }
    }

    /// What is to be done.
    pub(super) fn job<'a>(&'a self, break_lock: Option<&'a str>) -> Job<'a> {
        Job {
            manifest: &self.manifest,
            rid: self.rid,
            manifest_bytes: &self.bytes,
            notes: &self.notes,
            dist: self.dist.as_ref().map(|dist| dist as &dyn crate::port::Files),
            nonce: &self.nonce,
            run: self.run.as_deref(),
            break_lock,
        }
    }

    /// The directory of its files, when one was named.
    pub(super) fn dist(&self) -> Option<&Directory> {
        self.dist.as_ref()
    }

    /// The staged files of the manifest, copied to where they can be read. What is not staged is not there.
    pub(super) async fn staged_files(&self) -> Result<Scratch, CliError> {
        let scratch = Scratch::new()?;
        let releases = self.forge.releases(&self.manifest.tag).await?;
        let ours = releases
            .iter()
            .filter(|release| Marker::find(&release.body).is_some_and(|marker| marker.rid == self.rid));
        for release in ours {
            for asset in &self.manifest.assets {
                if release.assets.iter().any(|stored| stored.name == asset.name.as_str()) {
                    let mut reader = self.forge.download(&release.id, &asset.name).await?;
                    scratch.keep(&asset.name, &mut reader, asset.size.saturating_add(1))?;
                }
            }
        }
        Ok(scratch)
    }

    /// Refuses what would be said to be published and is something else: files of a dist that is not the one on the
    /// forge, and a tag that moved since.
    pub(super) fn agrees(&self, context: &Context) -> Result<(), CliError> {
        let tag = &self.manifest.tag;
        if let Some(dist) = self.dist.as_ref().filter(|_| self.unplanned) {
            for entry in dist.list(Path::new("."))?.into_iter().filter(|entry| entry.kind == EntryKind::File)
            {
                let listed = self.manifest.assets.iter().find(|asset| asset.name.as_str() == entry.name);
                let expected = listed.map(|asset| asset.digest);
                let (found, _) = dist.digest(Path::new(&entry.name))?;
                if expected != Some(found) {
                    let name = entry.name;
                    return Err(PublishError::OtherDist { tag: tag.clone(), name, expected, found }.into());
                }
            }
        }
        // A release is published without any repository as well; one that is here and knows the tag must agree.
        let here = Repository::discover(&context.directory).ok();
        let found = here.and_then(|here| here.resolve(&format!("refs/tags/{tag}")).ok());
        match found.filter(|found| *found != self.manifest.commit) {
            Some(found) => {
                Err(PublishError::TagMoved { tag: tag.clone(), expected: self.manifest.commit, found }.into())
            }
            None => Ok(()),
        }
    }

    /// The registry of its images, when there is one.
    pub(super) fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// Where it goes, as paths.
    pub(super) fn places(&self) -> Places<'_> {
        Places {
            forge: &self.forge,
            registry: self.layout.as_ref().map(Layout::root),
            dist: self.dist.as_ref().map(Directory::root),
        }
    }

    /// The identity of the release.
    pub(super) fn rid(&self) -> Rid {
        self.rid
    }
}

/// The manifest in dist; `None` when it was not planned.
fn planned(dist: &Directory) -> Result<Option<Vec<u8>>, CliError> {
    match dist.read(Path::new(ReleaseManifest::ASSET), MAX_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FilesError::Missing { .. }) if fs::exists(dist.root()) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The manifest that `plan` would write into dist. Nothing is written.
fn from_repository(context: &Context, dist: &Directory, tag: &Tag) -> Result<Vec<u8>, CliError> {
    let place = dist.root().display();
    let project = Project::at(context, tag).map_err(|error| {
        error.hinted(format!(
            "{place} is not planned: `kyklos-release plan {tag} --dist {place}` does that, in the repository"
        ))
    })?;
    Ok(plan(&project.facts(tag)?, dist)?.bytes)
}

/// Neither dist nor forge knows the release. The repository at the tag still tells what it would consist of: the names,
/// and the digests of what a commit alone decides.
fn nothing_staged(context: &Context, tag: &Tag) -> Result<CliError, CliError> {
    let message = format!("nothing of {tag} is staged");
    let mut error = CliError::new(Kind::Undecided, "publish-no-manifest", message)
        .hinted(format!("run `kyklos-release publish {tag} --dist DIR` with the planned files"));
    // Without a repository there is only less to tell.
    let Ok(project) = Project::at(context, tag) else { return Ok(error) };
    let facts = project.facts(tag)?;
    let prefix = format!("{}-{}", facts.name, facts.tag.file_part());
    let archive = archive::archive(&project.repository, facts.commit, facts.created, &prefix)?;
    error = error.fact("missing", format!("{prefix}.tar.gz {}", Digest::of(&archive)));
    for (name, path) in &project.config.assets {
        let path = path.display().to_string();
        let missing = match project.repository.read_file(facts.commit, &path, MAX_ASSET_BYTES)? {
            Some(bytes) => format!("{name} {}", Digest::of(&bytes)),
            None => name.to_string(),
        };
        error = error.fact("missing", missing);
    }
    for platform in project.config.binaries.keys() {
        error = error.fact("missing", format!("{}-{}", facts.name, platform.file_part()));
    }
    Ok(error)
}

/// The manifest in a release of ours, with the text of that release.
async fn staged(forge: &DirForge, tag: &Tag) -> Result<Option<(Vec<u8>, Option<String>)>, CliError> {
    for release in forge.releases(tag).await? {
        let Some(marker) = Marker::find(&release.body) else { continue };
        let Some(bytes) = stored(forge, &release, ReleaseManifest::ASSET, MAX_BYTES).await? else { continue };
        if Digest::of(&bytes) == marker.rid.0 {
            return Ok(Some((bytes, Some(release.body))));
        }
    }
    Ok(None)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
