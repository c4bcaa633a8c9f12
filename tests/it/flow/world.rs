//! A small planned release, and ports that count every call and end the run at one of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use kyklos_release::adapter::dir_forge::DirForge;
use kyklos_release::adapter::fs::Directory;
use kyklos_release::adapter::oci::Layout;
use kyklos_release::format::oci::Descriptor;
use kyklos_release::model::{AssetName, CommitId, Digest, ReleaseManifest, Repository, Tag};
use kyklos_release::plan::{Facts, Plan, plan};
use kyklos_release::port::{
    Abilities, BlobReader, Content, Draft, Entry, Files, FilesError, Forge, ForgeError, Hold, LockHead,
    LockRecord, Manifest, Progress, Put, Registry, RegistryError, Release, ReleaseId, Stored, Unlisted,
};
use kyklos_release::publish::{Decide, Done, Job, PublishError, World, Yanked, drive, yank};

/// How a run ends at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The stack is unwound past everything; nothing of the tool's own error handling runs.
    Unwind,
    /// SIGKILL.
    Kill,
}

/// What is thrown by [`End::Unwind`].
pub(crate) struct Ended;

/// Counts the calls of all ports; two points each, before and after the effect.
pub(crate) struct Counter {
    calls: Cell<usize>,
    fatal: Option<usize>,
    end: End,
    trace: RefCell<Vec<&'static str>>,
}

impl Counter {
    pub(crate) fn new(fatal: Option<usize>, end: End) -> Self {
        Self { calls: Cell::new(0), fatal, end, trace: RefCell::default() }
    }

    /// Points passed so far.
    pub(crate) fn points(&self) -> usize {
        self.calls.get()
    }

    /// How often a call was made.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.trace.borrow().iter().filter(|call| **call == name).count()
    }

    fn point(&self) {
        let now = self.calls.get();
        self.calls.set(now + 1);
        if self.fatal != Some(now) {
            return;
        }
        match self.end {
            End::Unwind => std::panic::resume_unwind(Box::new(Ended)),
            End::Kill => {
                let me = std::process::id().to_string();
                let _ = std::process::Command::new("kill").args(["-9", &me]).status();
                std::thread::sleep(std::time::Duration::from_secs(10));
            }
        }
    }

    fn enter(&self, name: &'static str) {
        self.trace.borrow_mut().push(name);
        self.point();
    }
}

/// A port with a counter in front of it.
pub(crate) struct Counted<'a, T: ?Sized> {
    inner: &'a T,
    counter: &'a Counter,
    /// Stores other bytes of the same length for the first upload of this name.
    spoil: Cell<Option<&'static str>>,
}

impl<'a, T: ?Sized> Counted<'a, T> {
    pub(crate) fn new(inner: &'a T, counter: &'a Counter) -> Self {
        Self { inner, counter, spoil: Cell::new(None) }
    }
}

macro_rules! counted {
    ($self:ident, $name:literal, $call:expr) => {{
        $self.counter.enter($name);
        let answer = $call;
        $self.counter.point();
        answer
    }};
}

#[async_trait(?Send)]
impl Forge for Counted<'_, dyn Forge> {
    fn place(&self) -> String {
        self.inner.place()
    }
    async fn releases(&self, tag: &Tag) -> Result<Vec<Release>, ForgeError> {
        counted!(self, "releases", self.inner.releases(tag).await)
    }
    async fn published_stable(&self) -> Result<Vec<Tag>, ForgeError> {
        counted!(self, "published_stable", self.inner.published_stable().await)
    }
    async fn latest(&self) -> Result<Option<Tag>, ForgeError> {
        counted!(self, "latest", self.inner.latest().await)
    }
    async fn tag_commit(&self, tag: &Tag) -> Result<Option<CommitId>, ForgeError> {
        counted!(self, "tag_commit", self.inner.tag_commit(tag).await)
    }
    async fn create_draft(&self, draft: &Draft) -> Result<ReleaseId, ForgeError> {
        counted!(self, "create_draft", self.inner.create_draft(draft).await)
    }
    async fn upload(
        &self,
        id: &ReleaseId,
        name: &AssetName,
        size: u64,
        content: BlobReader,
    ) -> Result<(), ForgeError> {
        let content: BlobReader = if self.spoil.get() == Some(name.as_str()) {
            self.spoil.set(None);
            Box::new(std::io::repeat(b'x').take(size))
        } else {
            content
        };
        counted!(self, "upload", self.inner.upload(id, name, size, content).await)
    }
    async fn download(&self, id: &ReleaseId, name: &AssetName) -> Result<BlobReader, ForgeError> {
        counted!(self, "download", self.inner.download(id, name).await)
    }
    async fn delete_asset(&self, id: &ReleaseId, name: &AssetName) -> Result<(), ForgeError> {
        counted!(self, "delete_asset", self.inner.delete_asset(id, name).await)
    }
    async fn delete_draft(&self, id: &ReleaseId) -> Result<(), ForgeError> {
        counted!(self, "delete_draft", self.inner.delete_draft(id).await)
    }
    async fn publish(&self, id: &ReleaseId) -> Result<(), ForgeError> {
        counted!(self, "publish", self.inner.publish(id).await)
    }
    async fn edit(&self, id: &ReleaseId, body: &str, prerelease: bool) -> Result<(), ForgeError> {
        counted!(self, "edit", self.inner.edit(id, body, prerelease).await)
    }
    async fn set_latest(&self, id: &ReleaseId) -> Result<(), ForgeError> {
        counted!(self, "set_latest", self.inner.set_latest(id).await)
    }
    async fn state_withdrawn(&self, id: &ReleaseId, statement: &[u8]) -> Result<(), ForgeError> {
        counted!(self, "state_withdrawn", self.inner.state_withdrawn(id, statement).await)
    }
    async fn lock_head(&self) -> Result<Option<LockHead>, ForgeError> {
        counted!(self, "lock_head", self.inner.lock_head().await)
    }
    async fn advance_lock(&self, parent: Option<&LockHead>, record: &LockRecord) -> Result<bool, ForgeError> {
        counted!(self, "advance_lock", self.inner.advance_lock(parent, record).await)
    }
    async fn run_ended(&self, run: &str) -> Result<Option<bool>, ForgeError> {
        counted!(self, "run_ended", self.inner.run_ended(run).await)
    }
}

#[async_trait(?Send)]
impl Registry for Counted<'_, dyn Registry> {
    fn repository(&self) -> Option<&Repository> {
        self.inner.repository()
    }
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }
    async fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        counted!(self, "manifest", self.inner.manifest(digest, limit).await)
    }
    async fn tagged(&self, tag: &str, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        counted!(self, "tagged", self.inner.tagged(tag, limit).await)
    }
    async fn stat(&self, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
        counted!(self, "stat", self.inner.stat(digest).await)
    }
    async fn stat_tag(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError> {
        counted!(self, "stat_tag", self.inner.stat_tag(tag).await)
    }
    async fn resolve(&self, tag: &str) -> Result<Option<Digest>, RegistryError> {
        counted!(self, "resolve", self.inner.resolve(tag).await)
    }
    async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        counted!(self, "tags", self.inner.tags().await)
    }
    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        counted!(self, "has_blob", self.inner.has_blob(digest).await)
    }
    async fn blob(&self, descriptor: &Descriptor) -> Result<Option<BlobReader>, RegistryError> {
        counted!(self, "blob", self.inner.blob(descriptor).await)
    }
    async fn blob_from(
        &self,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError> {
        counted!(self, "blob_from", self.inner.blob_from(descriptor, offset).await)
    }
    async fn put_blob(
        &self,
        content: &Content<'_>,
        mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError> {
        counted!(self, "put_blob", self.inner.put_blob(content, mount).await)
    }
    async fn put(&self, manifest: &Manifest, tags: &[String]) -> Result<Put, RegistryError> {
        counted!(self, "put_manifest", self.inner.put(manifest, tags).await)
    }
    async fn hold_tags(&self) -> Result<Option<Hold>, RegistryError> {
        counted!(self, "hold_tags", self.inner.hold_tags().await)
    }
    async fn tag(&self, tag: &str, digest: &Digest) -> Result<(), RegistryError> {
        counted!(self, "tag", self.inner.tag(tag, digest).await)
    }
    async fn list_referrers(&self, unlisted: &[Unlisted]) -> Result<(), RegistryError> {
        counted!(self, "list_referrers", self.inner.list_referrers(unlisted).await)
    }
    async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        counted!(self, "referrers", self.inner.referrers(subject, artifact_type).await)
    }
}

impl Files for Counted<'_, dyn Files> {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FilesError> {
        counted!(self, "read", self.inner.read(path, limit))
    }
    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>, FilesError> {
        counted!(self, "open", self.inner.open(path))
    }
    fn digest(&self, path: &Path) -> Result<(Digest, u64), FilesError> {
        counted!(self, "digest", self.inner.digest(path))
    }
    fn list(&self, directory: &Path) -> Result<Vec<Entry>, FilesError> {
        counted!(self, "list", self.inner.list(directory))
    }
}

/// Says nothing, stops when told to.
#[derive(Default)]
pub(crate) struct Silent {
    pub(crate) stop: Cell<bool>,
}

impl Progress for Silent {
    fn working(&self, _on: &str) {}
    fn finished(&self, _verb: &str, _what: &str) {}
    fn warn(&self, _message: &str) {}
    fn stop_requested(&self) -> bool {
        self.stop.get()
    }
}

/// A planned release in a directory: `dist/`, `registry/`, and `forge/` once something was published.
pub(crate) struct Fixture {
    pub(crate) root: PathBuf,
    pub(crate) plan: Plan,
    notes: String,
}

/// What a run is made with beside the fixture.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) nonce: &'a str,
    pub(crate) with_dist: bool,
    pub(crate) decide: &'a Decide,
    pub(crate) spoil: Option<&'static str>,
}

impl Default for Run<'_> {
    fn default() -> Self {
        Self { nonce: "aaaa", with_dist: true, decide: &kyklos_release::publish::diff, spoil: None }
    }
}

pub(crate) const REPOSITORY: &str = "registry.example/acme/app";

impl Fixture {
    /// Makes the release `v1.2.0` in a directory.
    pub(crate) fn make(root: &Path) -> Self {
        Self::make_version(root, "1.2.0", b"binary")
    }

    /// Makes a release of another version or content.
    pub(crate) fn make_version(root: &Path, version: &str, binary: &[u8]) -> Self {
        let dist = root.join("dist");
        std::fs::create_dir_all(&dist).unwrap();
        let layout = Layout::create(root.join("registry")).unwrap();
        let image = block_on(super::super::support::image::put_image(&layout, binary));
        std::fs::write(dist.join("app_linux-amd64"), binary).unwrap();
        std::fs::write(dist.join(format!("RELEASE-NOTES-v{version}.md")), "# Notes\n\n- a change\n").unwrap();
        std::fs::write(dist.join("image-manifest.json"), &image.index).unwrap();
        std::fs::write(dist.join("image-digests.txt"), image.digests(REPOSITORY, &format!("v{version}")))
            .unwrap();
        std::fs::write(dist.join("image.sigstore.json"), image.bundle()).unwrap();
        std::fs::write(dist.join("checksums.txt"), "not looked at by publish\n").unwrap();
        Self::open(root, version)
    }

    /// Plans what lies in a directory.
    pub(crate) fn open(root: &Path, version: &str) -> Self {
        let facts = Facts {
            name: "app".to_owned(),
            tag: format!("v{version}").parse().unwrap(),
            version: version.parse().unwrap(),
            commit: "1111111111111111111111111111111111111111".parse().unwrap(),
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
            rolling: None,
        };
        let plan = plan(&facts, &Directory::new(root.join("dist"))).unwrap();
        let notes = std::fs::read_to_string(root.join(format!("dist/RELEASE-NOTES-v{version}.md"))).unwrap();
        Self { root: root.to_owned(), plan, notes }
    }

    /// Publishes through counted ports.
    pub(crate) fn publish(&self, counter: &Counter, run: Run<'_>) -> Result<Done, PublishError> {
        let forge = DirForge::new(self.root.join("forge"));
        let layout = Layout::create(self.root.join("registry")).unwrap();
        let dist = Directory::new(self.root.join("dist"));
        let forge: Counted<'_, dyn Forge> = Counted::new(&forge, counter);
        forge.spoil.set(run.spoil);
        let layout: Counted<'_, dyn Registry> = Counted::new(&layout, counter);
        let dist: Counted<'_, dyn Files> = Counted::new(&dist, counter);
        let progress = Silent::default();
        let repository: Repository = REPOSITORY.parse().unwrap();
        let world = World {
            forge: &forge,
            registries: BTreeMap::from([(repository, &layout as &dyn Registry)]),
            progress: &progress,
        };
        block_on(drive(&world, &self.job(&dist, run), run.decide))
    }

    /// Withdraws it through counted ports.
    pub(crate) fn yank(&self, counter: &Counter, reason: &str) -> Result<Yanked, PublishError> {
        let forge = DirForge::new(self.root.join("forge"));
        let layout = Layout::create(self.root.join("registry")).unwrap();
        let forge: Counted<'_, dyn Forge> = Counted::new(&forge, counter);
        let layout: Counted<'_, dyn Registry> = Counted::new(&layout, counter);
        let dist = Directory::new(self.root.join("dist"));
        let progress = Silent::default();
        let repository: Repository = REPOSITORY.parse().unwrap();
        let world = World {
            forge: &forge,
            registries: BTreeMap::from([(repository, &layout as &dyn Registry)]),
            progress: &progress,
        };
        block_on(yank(&world, &self.job(&dist, Run::default()), reason))
    }

    pub(crate) fn job<'a>(&'a self, dist: &'a dyn Files, run: Run<'a>) -> Job<'a> {
        Job {
            manifest: &self.plan.manifest,
            rid: self.plan.rid,
            manifest_bytes: &self.plan.bytes,
            notes: &self.notes,
            dist: run.with_dist.then_some(dist),
            nonce: run.nonce,
            run: None,
            break_lock: None,
        }
    }

    /// Where the published files are.
    pub(crate) fn released(&self) -> PathBuf {
        self.root.join("forge/releases").join(self.plan.manifest.tag.as_str())
    }

    /// What is wrong in the eyes of somebody who only sees what is public. Empty: nothing.
    pub(crate) fn outside_view(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let manifest = &self.plan.manifest;
        let released = self.released();
        if released.exists() {
            for asset in &manifest.assets {
                let found = std::fs::read(released.join("assets").join(asset.name.as_str()))
                    .map(|bytes| Digest::of(&bytes));
                if found.ok() != Some(asset.digest) {
                    wrong.push(format!("{} of the published release is not as planned", asset.name));
                }
            }
            let bytes =
                std::fs::read(released.join("assets").join(ReleaseManifest::ASSET)).unwrap_or_default();
            if bytes != self.plan.bytes {
                wrong.push("the published manifest is not as planned".to_owned());
            }
            let count = std::fs::read_dir(released.join("assets")).unwrap().count();
            if count != manifest.assets.len() + 1 {
                wrong.push(format!("{count} files are published"));
            }
        }
        let latest = std::fs::read_to_string(self.root.join("forge/latest")).unwrap_or_default();
        if latest.trim() == manifest.tag.as_str() && !released.exists() {
            wrong.push("latest names a release that is not published".to_owned());
        }
        let layout = Layout::create(self.root.join("registry")).unwrap();
        let image = &manifest.images[0];
        for tag in image.tags.iter().chain(&image.rolling) {
            let Some(digest) = block_on(layout.resolve(tag)).unwrap() else { continue };
            if digest != image.digest {
                wrong.push(format!("{tag} points to {digest}"));
            }
            for referrer in &image.referrers {
                let attached = block_on(layout.referrers(&referrer.subject, None)).unwrap();
                if !attached.iter().any(|descriptor| descriptor.digest == referrer.digest) {
                    wrong.push(format!("{tag} exists before {} is attached", referrer.asset));
                }
            }
            if image.rolling.contains(tag) && !released.exists() {
                wrong.push(format!("{tag} moved before the release was published"));
            }
        }
        wrong
    }
}

/// Runs a future on a runtime like the tool's own.
pub(crate) fn block_on<T>(future: impl std::future::Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Every file below a directory with its content; the nonce of a marker is the one thing that may differ.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, directory: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                into.insert(format!("{name}/"), Vec::new());
                walk(root, &path, into);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                let bytes = if name.ends_with("release.json") { without_nonce(&bytes) } else { bytes };
                into.insert(name, bytes);
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(root, root, &mut files);
    files
}

fn without_nonce(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let Some((before, after)) = text.split_once(" op=") else { return bytes.to_vec() };
    let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{before} op= {rest}").into_bytes()
}

/// A temporary directory, in memory where the system has such a place: the tests sync thousands of files.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// A draft of the same tag that somebody made by hand.
pub(crate) fn foreign_draft(place: &Path) -> PathBuf {
    let draft = place.join("forge/drafts/v1.2.0.1");
    std::fs::create_dir_all(draft.join("assets")).unwrap();
    let record = concat!(
        "{\n  \"tag\": \"v1.2.0\",\n  \"commit\": \"2222222222222222222222222222222222222222\",\n",
        "  \"title\": \"t\",\n  \"prerelease\": false,\n  \"body\": \"by hand\"\n}\n"
    );
    std::fs::write(draft.join("release.json"), record).unwrap();
    draft
}
