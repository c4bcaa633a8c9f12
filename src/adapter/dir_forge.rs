//! A directory as a forge: the same states, the same lock, the same commit point as a forge on the network.
//!
//! ```text
//! DIR/drafts/TAG.N/release.json      a draft; its files in assets/
//! DIR/releases/TAG/release.json      a published release; its files in assets/
//! DIR/releases/TAG/withdrawn.json    the statement that it is withdrawn
//! DIR/latest                         the tag a consumer gets who asks for the latest release
//! DIR/lock.json                      the holder of the lock; absent while it is free
//! ```
//!
//! Publishing is one `rename(2)` of the draft. A `/` in a tag is written `%2F`, which no tag contains.
#![expect(clippy::disallowed_methods, reason = "a forge is a part of the world")]

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::fs as files;
use crate::model::{AssetName, CommitId, Digest, Tag};
use crate::port::{
    BlobReader, Draft, Forge, ForgeError, LockHead, LockRecord, LockState, Release, ReleaseId, StoredAsset,
    StoredState, Visibility,
};

/// The statement that a release is withdrawn.
const WITHDRAWN: &str = "withdrawn.json";
/// The largest `release.json` and `lock.json` that are read.
const MAX_RECORD: u64 = 1 << 20;

/// A directory with drafts, releases and a lock.
#[derive(Debug, Clone)]
pub struct DirForge {
    root: PathBuf,
}

/// `release.json`: what a forge keeps beside the files. Whether it is a draft shows in where it lies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    tag: Tag,
    commit: CommitId,
    title: String,
    prerelease: bool,
    body: String,
}

impl Record {
    fn of(draft: &Draft) -> Self {
        Self {
            tag: draft.tag.clone(),
            commit: draft.commit,
            title: draft.title.clone(),
            prerelease: draft.prerelease,
            body: draft.body.clone(),
        }
    }
}

impl DirForge {
    /// The forge in a directory, which is created with the first draft.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A tag as the name of a directory.
    pub fn segment(tag: &Tag) -> String {
        tag.as_str().replace('/', "%2F")
    }

    /// The directory of a published release.
    pub fn release_directory(&self, tag: &Tag) -> PathBuf {
        self.root.join("releases").join(Self::segment(tag))
    }

    /// The first name that no draft of a tag has.
    pub fn next_draft(&self, tag: &Tag) -> ReleaseId {
        let name = |number: u32| format!("drafts/{}.{number}", Self::segment(tag));
        let free = (1..u32::MAX).find(|number| !files::exists(&self.root.join(name(*number))));
        ReleaseId(name(free.unwrap_or(u32::MAX)))
    }

    /// The bytes of the `release.json` of a draft.
    pub fn record(draft: &Draft) -> Result<Vec<u8>, ForgeError> {
        json(&Record::of(draft), Path::new("release.json"))
    }

    /// Tags of everything that is published, by name.
    pub fn published(&self) -> Result<Vec<Tag>, ForgeError> {
        Ok(self.list("releases")?.into_iter().map(|release| release.tag).collect())
    }

    /// The commit a release was made for.
    pub fn commit(&self, release: &ReleaseId) -> Result<Option<CommitId>, ForgeError> {
        Ok(Some(read_record(&self.directory(release)?)?.commit))
    }

    fn directory(&self, release: &ReleaseId) -> Result<PathBuf, ForgeError> {
        // An id is "drafts/NAME" or "releases/NAME"; both come from list().
        let known = release.0.split_once('/').is_some_and(|(kind, name)| {
            ["drafts", "releases"].contains(&kind)
                && !name.is_empty()
                && !name.starts_with('.')
                && !name.contains('/')
        });
        let path = self.root.join(&release.0);
        if known && path.is_dir() {
            Ok(path)
        } else {
            Err(ForgeError::NotFound { what: format!("release {}", release.0), place: self.place() })
        }
    }

    fn draft_directory(&self, release: &ReleaseId) -> Result<PathBuf, ForgeError> {
        let path = self.directory(release)?;
        if release.0.starts_with("releases/") {
            return Err(ForgeError::Published { what: release.0.clone() });
        }
        Ok(path)
    }

    fn list(&self, kind: &str) -> Result<Vec<Release>, ForgeError> {
        let parent = self.root.join(kind);
        let failed = |source| io_error("list", &parent, source);
        let entries = match fs::read_dir(&parent) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort_by_key(|name| (name.len(), name.clone()));
        names.iter().map(|name| self.load(kind, name)).collect()
    }

    fn load(&self, kind: &str, name: &str) -> Result<Release, ForgeError> {
        let directory = self.root.join(kind).join(name);
        let record = read_record(&directory)?;
        let visibility = if kind == "drafts" { Visibility::Draft } else { Visibility::Published };
        Ok(Release {
            id: ReleaseId(format!("{kind}/{name}")),
            tag: record.tag,
            visibility,
            prerelease: record.prerelease,
            title: record.title,
            body: record.body,
            assets: stored_assets(&directory.join("assets"))?,
        })
    }

    /// Runs a change of the lock while no other process can make one.
    fn exclusively<T>(&self, change: impl FnOnce() -> Result<T, ForgeError>) -> Result<T, ForgeError> {
        fs::create_dir_all(&self.root).map_err(|source| io_error("create", &self.root, source))?;
        let handle = File::open(&self.root).map_err(|source| io_error("open", &self.root, source))?;
        handle.lock().map_err(|source| io_error("lock", &self.root, source))?;
        change()
    }

    fn read_lock(&self) -> Result<Option<LockHead>, ForgeError> {
        let path = self.root.join("lock.json");
        if !files::exists(&path) {
            return Ok(None);
        }
        let bytes = read(&path)?;
        let record = parse(&path, &bytes)?;
        Ok(Some(LockHead { id: Digest::of(&bytes).hex(), record }))
    }

    /// What a killed holder left: only temporary names, only while the lock is ours.
    fn remove_left_overs(&self) -> Result<(), ForgeError> {
        let drafts = self.root.join("drafts");
        let mut places = vec![self.root.clone(), drafts.clone()];
        for release in self.list("drafts")? {
            let directory = self.root.join(&release.id.0);
            places.push(directory.join("assets"));
            places.push(directory);
        }
        for place in places {
            let entries = match fs::read_dir(&place) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io_error("list", &place, error)),
            };
            for entry in entries {
                let entry = entry.map_err(|source| io_error("list", &place, source))?;
                if !entry.file_name().to_string_lossy().starts_with(files::TEMPORARY_PREFIX) {
                    continue;
                }
                let path = entry.path();
                let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.map_err(|source| io_error("remove", &path, source))?;
            }
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl Forge for DirForge {
    fn place(&self) -> String {
        format!("dir:{}", self.root.display())
    }

    async fn releases(&self, tag: &Tag) -> Result<Vec<Release>, ForgeError> {
        let mut releases = self.list("releases")?;
        releases.extend(self.list("drafts")?);
        releases.retain(|release| release.tag == *tag);
        Ok(releases)
    }

    async fn published_stable(&self) -> Result<Vec<Tag>, ForgeError> {
        let releases = self.list("releases")?;
        Ok(releases.into_iter().filter(|release| !release.prerelease).map(|release| release.tag).collect())
    }

    async fn latest(&self) -> Result<Option<Tag>, ForgeError> {
        let path = self.root.join("latest");
        if !files::exists(&path) {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        let tag: Option<Tag> = text.strip_suffix('\n').and_then(|tag| tag.parse().ok());
        match tag.filter(|tag| self.release_directory(tag).is_dir()) {
            // What was the latest and is withdrawn is a prerelease now; the file that names it goes next.
            Some(tag) if read_record(&self.release_directory(&tag))?.prerelease => Ok(None),
            Some(tag) => Ok(Some(tag)),
            None => Err(ForgeError::Invalid {
                what: path.display().to_string(),
                reason: "it does not name a published release".to_owned(),
            }),
        }
    }

    async fn tag_commit(&self, _tag: &Tag) -> Result<Option<CommitId>, ForgeError> {
        // A directory keeps no git refs; the repository is asked for those.
        Ok(None)
    }

    async fn create_draft(&self, draft: &Draft) -> Result<ReleaseId, ForgeError> {
        let parent = self.root.join("drafts");
        let failed = |source| io_error("create a draft in", &parent, source);
        fs::create_dir_all(&parent).map_err(failed)?;
        let building =
            tempfile::Builder::new().prefix(files::TEMPORARY_PREFIX).tempdir_in(&parent).map_err(failed)?;
        let record = Record::of(draft);
        fs::create_dir(building.path().join("assets")).map_err(failed)?;
        write_record(building.path(), &record)?;
        readable(building.path()).map_err(failed)?;
        // rename(2) replaces an empty directory only; a draft is never empty.
        let id = self.next_draft(&draft.tag);
        fs::rename(building.path(), self.root.join(&id.0)).map_err(|error| match error.kind() {
            // Another run of the same release took the name, or took what was built here for a left-over.
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                ForgeError::Exists { what: id.0.clone(), place: self.place() }
            }
            io::ErrorKind::NotFound => ForgeError::NotFound { what: id.0.clone(), place: self.place() },
            _ => failed(error),
        })?;
        sync(&parent).map_err(failed)?;
        // It has its name now and must outlive the guard.
        let _ = building.keep();
        Ok(id)
    }

    async fn upload(
        &self,
        release: &ReleaseId,
        name: &AssetName,
        size: u64,
        content: BlobReader,
    ) -> Result<(), ForgeError> {
        let assets = self.draft_directory(release)?.join("assets");
        let path = assets.join(name.as_str());
        if files::exists(&path) {
            return Err(ForgeError::Exists { what: name.to_string(), place: release.0.clone() });
        }
        let failed = |source| io_error("write", &path, source);
        // A draft that another run of the same release just published is gone from here.
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => {
                ForgeError::NotFound { what: format!("the draft for {name}"), place: release.0.clone() }
            }
            _ => failed(source),
        };
        let mut file = files::temporary_in(&assets).map_err(failed)?;
        let found = io::copy(&mut content.take(size.saturating_add(1)), &mut file).map_err(failed)?;
        if found != size {
            return Err(ForgeError::SizeMismatch { name: name.clone(), expected: size, found });
        }
        file.flush().map_err(failed)?;
        files::finish(file, &path, 0o644).map_err(failed)
    }

    async fn download(&self, release: &ReleaseId, name: &AssetName) -> Result<BlobReader, ForgeError> {
        let path = self.directory(release)?.join("assets").join(name.as_str());
        let failed = |source| io_error("read", &path, source);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(Box::new(File::open(&path).map_err(failed)?)),
            Ok(_) => {
                Err(ForgeError::Invalid { what: path.display().to_string(), reason: "not a file".to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ForgeError::NotFound { what: name.to_string(), place: release.0.clone() })
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn delete_asset(&self, release: &ReleaseId, name: &AssetName) -> Result<(), ForgeError> {
        let path = self.draft_directory(release)?.join("assets").join(name.as_str());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path, error)),
            _ => Ok(()),
        }
    }

    async fn delete_draft(&self, release: &ReleaseId) -> Result<(), ForgeError> {
        let path = self.draft_directory(release)?;
        let parent = self.root.join("drafts");
        let failed = |source| io_error("remove", &path, source);
        // Out of sight in one step; a kill in between leaves a temporary name that the next holder removes.
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let doomed = parent.join(format!("{}{name}", files::TEMPORARY_PREFIX));
        fs::rename(&path, &doomed).map_err(failed)?;
        fs::remove_dir_all(&doomed).map_err(failed)?;
        sync(&parent).map_err(failed)
    }

    async fn publish(&self, release: &ReleaseId) -> Result<(), ForgeError> {
        let from = self.draft_directory(release)?;
        let record = read_record(&from)?;
        let to = self.release_directory(&record.tag);
        let parent = self.root.join("releases");
        let failed = |source| io_error("publish to", &to, source);
        fs::create_dir_all(&parent).map_err(failed)?;
        if files::exists(&to) {
            return Err(ForgeError::Exists { what: format!("release {}", record.tag), place: self.place() });
        }
        fs::rename(&from, &to).map_err(failed)?;
        sync(&parent).and_then(|()| sync(&self.root.join("drafts"))).map_err(failed)
    }

    async fn edit(&self, release: &ReleaseId, body: &str, prerelease: bool) -> Result<(), ForgeError> {
        let directory = self.directory(release)?;
        let record = Record { body: body.to_owned(), prerelease, ..read_record(&directory)? };
        write_record(&directory, &record)?;
        let path = self.root.join("latest");
        if prerelease && files::exists(&path) && read(&path)? == format!("{}\n", record.tag).as_bytes() {
            fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
        }
        Ok(())
    }

    async fn state_withdrawn(&self, release: &ReleaseId, statement: &[u8]) -> Result<(), ForgeError> {
        let path = self.directory(release)?.join(WITHDRAWN);
        if release.0.starts_with("drafts/") {
            return Err(ForgeError::NotFound { what: format!("release {}", release.0), place: self.place() });
        }
        write(&path, statement)
    }

    async fn set_latest(&self, release: &ReleaseId) -> Result<(), ForgeError> {
        let record = read_record(&self.directory(release)?)?;
        write(&self.root.join("latest"), format!("{}\n", record.tag).as_bytes())
    }

    async fn lock_head(&self) -> Result<Option<LockHead>, ForgeError> {
        self.read_lock()
    }

    async fn advance_lock(&self, parent: Option<&LockHead>, record: &LockRecord) -> Result<bool, ForgeError> {
        self.exclusively(|| {
            if self.read_lock()?.map(|head| head.id) != parent.map(|head| head.id.clone()) {
                return Ok(false);
            }
            let path = self.root.join("lock.json");
            match record.state {
                LockState::Held => {
                    self.remove_left_overs()?;
                    write(&path, &json(record, &path)?)?;
                }
                LockState::Free => {
                    fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
                }
            }
            Ok(true)
        })
    }

    async fn run_ended(&self, _run: &str) -> Result<Option<bool>, ForgeError> {
        Ok(None)
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> ForgeError {
    ForgeError::Io { action, path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<Vec<u8>, ForgeError> {
    files::read(path, MAX_RECORD).map_err(|error| match error {
        crate::port::FilesError::Io { action, path, source } => ForgeError::Io { action, path, source },
        other => ForgeError::Invalid { what: path.display().to_string(), reason: other.to_string() },
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ForgeError> {
    files::write_atomic(path, bytes).map_err(|error| match error {
        crate::port::FilesError::Io { action, path, source } => ForgeError::Io { action, path, source },
        other => ForgeError::Invalid { what: path.display().to_string(), reason: other.to_string() },
    })
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, bytes: &[u8]) -> Result<T, ForgeError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ForgeError::Invalid { what: path.display().to_string(), reason: error.to_string() })
}

fn json<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>, ForgeError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| ForgeError::Invalid {
        what: path.display().to_string(),
        reason: error.to_string(),
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads `release.json`, which is only ever written by [`write_record`]: other bytes are damage, and so is anything
/// beside it and `assets/`.
fn read_record(directory: &Path) -> Result<Record, ForgeError> {
    let path = directory.join("release.json");
    let bytes = read(&path)?;
    let record: Record = parse(&path, &bytes)?;
    let damaged = |path: &Path, reason: &str| ForgeError::Invalid {
        what: path.display().to_string(),
        reason: reason.to_owned(),
    };
    if json(&record, &path)? != bytes {
        return Err(damaged(&path, "it is not in the form in which it was written"));
    }
    for entry in fs::read_dir(directory).map_err(|source| io_error("list", directory, source))? {
        let entry = entry.map_err(|source| io_error("list", directory, source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !["release.json", "assets", WITHDRAWN].contains(&name.as_str())
            && !name.starts_with(files::TEMPORARY_PREFIX)
        {
            return Err(damaged(&entry.path(), "it does not belong to a release"));
        }
    }
    Ok(record)
}

fn write_record(directory: &Path, record: &Record) -> Result<(), ForgeError> {
    let path = directory.join("release.json");
    write(&path, &json(record, &path)?)
}

fn stored_assets(directory: &Path) -> Result<Vec<StoredAsset>, ForgeError> {
    let failed = |source| io_error("list", directory, source);
    let mut assets = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(files::TEMPORARY_PREFIX) {
            continue;
        }
        let metadata = fs::symlink_metadata(entry.path()).map_err(failed)?;
        let state = if metadata.is_file() { StoredState::Uploaded } else { StoredState::Partial };
        assets.push(StoredAsset { name, size: metadata.len(), digest: None, state });
    }
    assets.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(assets)
}

/// A temporary directory is private; a release is for everybody.
fn readable(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
