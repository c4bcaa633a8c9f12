//! An OCI image layout directory as a registry (image-spec, "OCI Image Layout Specification").
//!
//! Every file appears whole by a rename. `index.json` is read, changed and renamed under an exclusive lock on the file
//! `oci-layout`, which is never replaced; the system drops the lock when its holder dies. A temporary file is locked by
//! its writer too, so the next writer can tell what a killed run left behind and removes it.
//!
//! A manifest exists when `index.json` names it or names an index that leads to it: one that a killed run stored
//! without listing it is put again.
#![expect(clippy::disallowed_methods, reason = "this is where the files of a layout are read and written")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::fault::{blocking, check_tag, failed, invalid, of_files};
use super::listing::Listing;
use crate::adapter::fs::{self as files, TEMPORARY_PREFIX};
use crate::format::oci::{
    Descriptor, Document, ImageIndex, LayoutFile, MANIFEST_LIMIT, OciError, media_type,
};
use crate::model::{Digest, DigestAlgorithm, Repository};
use crate::port::{
    BlobReader, Checked, Content, FilesError, Hold, Manifest, Put, Registry, RegistryError, Stored,
};

const LAYOUT_FILE: &str = "oci-layout";
const INDEX_FILE: &str = "index.json";
const BLOBS: &str = "blobs";

/// Read and write buffer of a blob.
const BUFFER: usize = 64 << 10;

/// Deepest nesting of indexes that is followed.
const INDEX_DEPTH: usize = 8;

/// Most manifests of one layout that are looked at.
const MANIFESTS: usize = 10_000;

/// An image layout directory.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Opens a layout that exists. Its version must be 1.0.0.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, RegistryError> {
        let layout = Self { root: root.into() };
        let bytes = layout.read(Path::new(LAYOUT_FILE), 4096)?;
        LayoutFile::parse(&bytes).map_err(|error| invalid(LAYOUT_FILE, &error))?;
        Ok(layout)
    }

    /// Opens a layout, making it first where there is nothing. A directory with other content is refused.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, RegistryError> {
        let layout = Self { root: root.into() };
        let root = layout.root.as_path();
        fs::create_dir_all(root).map_err(|source| failed("create", root, source))?;
        let marker = root.join(LAYOUT_FILE);
        if !files::exists(&marker) {
            layout.refuse_foreign()?;
            let mut file = files::temporary_in(root).map_err(|source| failed("write", &marker, source))?;
            let written = file
                .write_all(format!("{{\"imageLayoutVersion\":\"{}\"}}", LayoutFile::VERSION).as_bytes())
                .and_then(|()| readable(file.as_file()))
                .and_then(|()| file.as_file().sync_all());
            written.map_err(|source| failed("write", &marker, source))?;
            // Another process may have been faster: its file must stay, because it may be locked already, and it may
            // have taken ours for a left-over.
            match file.persist_noclobber(&marker) {
                Err(error) if !files::exists(&marker) => return Err(failed("write", &marker, error.error)),
                _ => {}
            }
        }
        let layout = Self::open(layout.root)?;
        let _lock = layout.lock()?;
        layout.make_blobs(DigestAlgorithm::Sha256)?;
        if !files::exists(&layout.root.join(INDEX_FILE)) {
            layout.save(&Listing::empty())?;
        }
        Ok(layout)
    }

    /// The bytes in which this tool writes an `index.json` with these entries, and nothing else.
    pub fn canonical(index: &ImageIndex) -> Option<Vec<u8>> {
        Listing::of(&index.manifests).ok()?.to_bytes().ok()
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What somebody means who names the layout without tag and digest: the listed manifests that are attached to
    /// nothing and named by no other, or have a tag, sorted by digest.
    pub fn roots(&self) -> Result<Vec<Digest>, RegistryError> {
        let listing = self.listing()?;
        let (mut roots, mut children) = (BTreeSet::new(), BTreeSet::new());
        for entry in listing.entries().filter(|entry| is_document(entry)) {
            let (_, document) = self.document(entry, MANIFEST_LIMIT)?;
            if document.subject().is_none() {
                roots.insert(entry.digest);
            }
            if let Document::Index(index) = document {
                children.extend(index.manifests.into_iter().map(|child| child.digest));
            }
        }
        // Some tools list the platforms beside their index.
        let tagged: BTreeSet<Digest> = listing.tags().iter().flat_map(|tag| listing.tagged(tag)).collect();
        Ok(roots.into_iter().filter(|root| tagged.contains(root) || !children.contains(root)).collect())
    }

    /// A killed run leaves nothing but our own temporary files before `oci-layout` exists.
    fn refuse_foreign(&self) -> Result<(), RegistryError> {
        let entries = fs::read_dir(&self.root).map_err(|source| failed("list", &self.root, source))?;
        for entry in entries {
            let name = entry.map_err(|source| failed("list", &self.root, source))?.file_name();
            let name = name.to_string_lossy();
            // Another process may make the same layout just now; it writes `oci-layout` first.
            if !name.starts_with(TEMPORARY_PREFIX) && !files::exists(&self.root.join(LAYOUT_FILE)) {
                let reason = format!("it holds `{}` and no file `{LAYOUT_FILE}`", name.escape_debug());
                return Err(RegistryError::Invalid { what: self.root.display().to_string(), reason });
            }
        }
        Ok(())
    }

    /// Takes the lock of all writers and clears up after dead ones.
    fn lock(&self) -> Result<File, RegistryError> {
        let path = self.root.join(LAYOUT_FILE);
        let file = files::open(&path).map_err(of_files)?;
        file.lock().map_err(|source| failed("lock", &path, source))?;
        for entry in fs::read_dir(&self.root).map_err(|source| failed("list", &self.root, source))? {
            let entry = entry.map_err(|source| failed("list", &self.root, source))?;
            if !entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
                continue;
            }
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let dead =
                OpenOptions::new().read(true).open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if !is_file || !dead {
                continue;
            }
            match fs::remove_file(entry.path()) {
                // Its writer was not dead but finished, and the file has its name by now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|source| failed("remove", &entry.path(), source))?,
            }
        }
        Ok(file)
    }

    fn make_blobs(&self, algorithm: DigestAlgorithm) -> Result<(), RegistryError> {
        let blobs = self.root.join(BLOBS).join(algorithm.name());
        if !files::exists(&blobs) {
            fs::create_dir_all(&blobs).map_err(|source| failed("create", &blobs, source))?;
        }
        self.check_directories(algorithm)
    }

    /// A link in the place of a directory would lead reads and writes out of the layout.
    fn check_directories(&self, algorithm: DigestAlgorithm) -> Result<(), RegistryError> {
        let blobs = self.root.join(BLOBS);
        for path in [blobs.clone(), blobs.join(algorithm.name())] {
            let metadata = match fs::symlink_metadata(&path) {
                // Nothing of the algorithm is there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                found => found.map_err(|source| failed("read", &path, source))?,
            };
            if !metadata.is_dir() {
                let reason = "it is not a directory inside the layout".to_owned();
                return Err(RegistryError::Invalid { what: path.display().to_string(), reason });
            }
        }
        Ok(())
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join(BLOBS).join(digest.algorithm().name()).join(digest.hex())
    }

    fn read(&self, name: &Path, limit: u64) -> Result<Vec<u8>, RegistryError> {
        files::read(&self.root.join(name), limit).map_err(of_files)
    }

    fn listing(&self) -> Result<Listing, RegistryError> {
        let bytes = self.read(Path::new(INDEX_FILE), MANIFEST_LIMIT)?;
        Listing::parse(&bytes).map_err(|error| invalid(INDEX_FILE, &error))
    }

    fn save(&self, listing: &Listing) -> Result<(), RegistryError> {
        let bytes = listing.to_bytes().map_err(|error| invalid(INDEX_FILE, &error))?;
        files::write_atomic(&self.root.join(INDEX_FILE), &bytes).map_err(of_files)
    }

    /// Size of a stored blob; a link is refused.
    fn size(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        self.check_directories(digest.algorithm())?;
        match files::open(&self.blob_path(digest)) {
            Ok(file) => {
                let path = self.blob_path(digest);
                Ok(Some(file.metadata().map_err(|source| failed("read", &path, source))?.len()))
            }
            Err(FilesError::Missing { .. }) => Ok(None),
            Err(error) => Err(of_files(error)),
        }
    }

    fn open_blob(
        &self,
        digest: &Digest,
        size: u64,
        offset: u64,
    ) -> Result<Option<Checked<File>>, RegistryError> {
        match self.size(digest)? {
            None => Ok(None),
            Some(found) if found != size => {
                Err(RegistryError::SizeMismatch { what: digest.to_string(), expected: size, found })
            }
            Some(_) => {
                let path = self.blob_path(digest);
                let mut file = files::open(&path).map_err(of_files)?;
                if offset == 0 {
                    return Ok(Some(Checked::new(file, *digest, size)));
                }
                let offset = offset.min(size);
                file.seek(io::SeekFrom::Start(offset)).map_err(|source| failed("read", &path, source))?;
                Ok(Some(Checked::tail(file, *digest, size - offset)))
            }
        }
    }

    /// The checked bytes of a listed document and what they say.
    fn document(&self, entry: &Descriptor, limit: u64) -> Result<(Vec<u8>, Document), RegistryError> {
        let what = entry.digest.to_string();
        if entry.size > limit {
            return Err(RegistryError::TooLarge { what, limit });
        }
        let reader = self.open_blob(&entry.digest, entry.size, 0)?;
        let mut reader = reader.ok_or(RegistryError::NotStored { digest: entry.digest })?;
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|source| RegistryError::of_read(source, &what))?;
        let document =
            Document::parse(&bytes, Some(&entry.media_type)).map_err(|error| invalid(&what, &error))?;
        Ok((bytes, document))
    }

    /// Every manifest that can be reached, each once, parents first; stops early when `until` says so.
    fn walk(
        &self,
        listing: &Listing,
        mut until: impl FnMut(&Descriptor) -> bool,
    ) -> Result<BTreeMap<Digest, Descriptor>, RegistryError> {
        let mut seen = BTreeMap::new();
        let mut level: Vec<Descriptor> = listing.entries().cloned().collect();
        for _ in 0..=INDEX_DEPTH {
            let mut next = Vec::new();
            for entry in level {
                if seen.contains_key(&entry.digest) {
                    continue;
                }
                if seen.len() == MANIFESTS {
                    let error = OciError::TooMany { limit: MANIFESTS, found: MANIFESTS + 1 };
                    return Err(invalid(INDEX_FILE, &error));
                }
                seen.insert(entry.digest, entry.clone());
                if until(&entry) {
                    return Ok(seen);
                }
                if media_type::is_index(&entry.media_type) {
                    next.extend(self.document(&entry, MANIFEST_LIMIT)?.1.named().cloned());
                }
            }
            if next.is_empty() {
                return Ok(seen);
            }
            level = next;
        }
        Err(invalid(INDEX_FILE, &OciError::TooDeep { limit: INDEX_DEPTH }))
    }

    fn find(&self, listing: &Listing, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
        if let Some(entry) = listing.entries().find(|entry| entry.digest == *digest) {
            return Ok(Some(entry.clone()));
        }
        Ok(self.walk(listing, |entry| entry.digest == *digest)?.remove(digest))
    }

    /// The manifests that an index leads to.
    fn children(&self, listing: &Listing) -> Result<BTreeSet<Digest>, RegistryError> {
        let mut children = BTreeSet::new();
        for entry in self.walk(listing, |_| false)?.values() {
            if media_type::is_index(&entry.media_type) {
                let (_, document) = self.document(entry, MANIFEST_LIMIT)?;
                children.extend(document.named().map(|child| child.digest));
            }
        }
        Ok(children)
    }

    fn get_manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        let Some(entry) = self.find(&self.listing()?, digest)? else { return Ok(None) };
        let (bytes, document) = self.document(&entry, limit)?;
        let media_type = document.media_type().to_owned();
        Ok(Some(Manifest { media_type, digest: *digest, bytes }))
    }

    fn find_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let mut found = Vec::new();
        for entry in self.walk(&self.listing()?, |_| false)?.into_values() {
            if !is_document(&entry) {
                continue;
            }
            let (_, document) = self.document(&entry, MANIFEST_LIMIT)?;
            if document.subject().is_some_and(|of| of.digest == *subject) {
                let artifact_type = document.artifact_type().map(ToOwned::to_owned);
                let annotations = document.annotations().clone();
                found.push(Descriptor { artifact_type, annotations, platform: None, ..entry });
            }
        }
        Ok(found)
    }

    /// Writes a blob. The reader is one of [`Content::open`], which has counted and hashed by the time it ends, or holds
    /// what was checked.
    fn store(&self, digest: &Digest, mut content: BlobReader) -> Result<(), RegistryError> {
        let target = self.blob_path(digest);
        let writing = |source| failed("write", &target, source);
        let mut file = {
            let _lock = self.lock()?;
            self.make_blobs(digest.algorithm())?;
            let file = files::temporary_in(&self.root).map_err(writing)?;
            file.as_file().try_lock().map_err(|error| writing(error.into()))?;
            file
        };
        let (mut buffer, what) = (vec![0; BUFFER], digest.to_string());
        loop {
            let read = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(RegistryError::of_read(error, &what)),
            };
            file.write_all(&buffer[..read]).map_err(writing)?;
        }
        files::finish(file, &target, 0o644).map_err(writing)
    }

    /// Stores a manifest and points tags to it, in one change of `index.json`.
    fn store_manifest(&self, manifest: &Manifest, tags: &[String]) -> Result<Digest, RegistryError> {
        for tag in tags {
            check_tag(tag)?;
        }
        manifest.check()?;
        let Manifest { media_type, bytes, .. } = manifest;
        let mut entry = manifest.descriptor();
        let what = entry.digest.to_string();
        if !is_document(&entry) {
            // An index may name it; nothing lists it on its own.
            self.store(&entry.digest, Box::new(io::Cursor::new(bytes.clone())))?;
            return Ok(entry.digest);
        }
        let document = Document::parse(bytes, Some(media_type)).map_err(|error| invalid(&what, &error))?;
        for named in document.named() {
            match self.size(&named.digest)? {
                None if media_type::is_foreign(&named.media_type) => {}
                None => return Err(RegistryError::NotStored { digest: named.digest }),
                Some(found) if found != named.size => {
                    let what = named.digest.to_string();
                    return Err(RegistryError::SizeMismatch { what, expected: named.size, found });
                }
                Some(_) => {}
            }
        }
        self.store(&entry.digest, Box::new(io::Cursor::new(bytes.clone())))?;
        let _lock = self.lock()?;
        let mut listing = self.listing()?;
        let known = self.find(&listing, &entry.digest)?;
        if known.is_none() {
            entry.artifact_type = match &document {
                Document::Index(index) => index.artifact_type.clone(),
                Document::Manifest(manifest) => manifest.artifact_type.clone(),
            };
            listing.add(&entry).map_err(|error| invalid(INDEX_FILE, &error))?;
            listing.drop_untagged(&self.children(&listing)?);
        }
        let entry = known.clone().unwrap_or(entry);
        self.point(&mut listing, tags, &entry)?;
        if known.is_none() || !tags.is_empty() {
            self.save(&listing)?;
        }
        Ok(entry.digest)
    }

    fn point(&self, listing: &mut Listing, tags: &[String], entry: &Descriptor) -> Result<(), RegistryError> {
        if tags.is_empty() {
            return Ok(());
        }
        let children = self.children(listing)?;
        for tag in tags {
            listing
                .tag(tag, entry, |left| !children.contains(left))
                .map_err(|error| invalid(INDEX_FILE, &error))?;
        }
        Ok(())
    }

    fn move_tag(&self, tag: &str, digest: &Digest) -> Result<(), RegistryError> {
        check_tag(tag)?;
        let _lock = self.lock()?;
        let mut listing = self.listing()?;
        let entry = self.find(&listing, digest)?.ok_or(RegistryError::NotStored { digest: *digest })?;
        self.point(&mut listing, &[tag.to_owned()], &entry)?;
        self.save(&listing)
    }

    /// The entry of the only manifest with a tag.
    fn tagged_entry(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError> {
        let listing = self.listing()?;
        let tagged = listing.tagged(tag);
        if tagged.len() > 1 {
            let reason = format!("{} manifests have the tag `{}`", tagged.len(), tag.escape_debug());
            return Err(RegistryError::Invalid { what: INDEX_FILE.to_owned(), reason });
        }
        Ok(listing.entries().find(|entry| tagged.contains(&entry.digest)).cloned())
    }
}

#[async_trait(?Send)]
impl Registry for Layout {
    async fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        let (layout, digest) = (self.clone(), *digest);
        blocking(move || layout.get_manifest(&digest, limit)).await
    }

    async fn tagged(&self, tag: &str, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        match self.tagged_entry(tag)? {
            Some(entry) => self.manifest(&entry.digest, limit).await,
            None => Ok(None),
        }
    }

    async fn stat(&self, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
        let (layout, digest) = (self.clone(), *digest);
        blocking(move || Ok(layout.find(&layout.listing()?, &digest)?.map(|entry| plain(&entry)))).await
    }

    async fn stat_tag(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError> {
        Ok(self.tagged_entry(tag)?.map(|entry| plain(&entry)))
    }

    async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        Ok(self.listing()?.tags().into_iter().map(ToOwned::to_owned).collect())
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        Ok(self.size(digest)?.is_some())
    }

    async fn blob_from(
        &self,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError> {
        let reader = self.open_blob(&descriptor.digest, descriptor.size, offset)?;
        Ok(reader.map(|reader| Box::new(reader) as BlobReader))
    }

    async fn put_blob(
        &self,
        content: &Content<'_>,
        _mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError> {
        if self.size(content.digest())? == Some(content.size()) {
            return Ok(Stored::Already);
        }
        let (layout, digest, reader) = (self.clone(), *content.digest(), content.open(0).await?);
        blocking(move || layout.store(&digest, reader)).await?;
        Ok(Stored::Uploaded)
    }

    async fn put(&self, manifest: &Manifest, tags: &[String]) -> Result<Put, RegistryError> {
        let (layout, manifest, wanted) = (self.clone(), manifest.clone(), tags.to_vec());
        let digest = blocking(move || layout.store_manifest(&manifest, &wanted)).await?;
        Ok(Put { digest, tags: tags.to_vec(), unlisted: None })
    }

    async fn hold_tags(&self) -> Result<Option<Hold>, RegistryError> {
        let root = self.root.clone();
        // Not the lock of the writers: a holder writes.
        let hold = blocking(move || {
            let directory = File::open(&root).map_err(|source| failed("lock", &root, source))?;
            directory.lock().map_err(|source| failed("lock", &root, source))?;
            Ok(directory)
        });
        Ok(Some(Box::new(hold.await?)))
    }

    async fn tag(&self, tag: &str, digest: &Digest) -> Result<(), RegistryError> {
        let (layout, tag, digest) = (self.clone(), tag.to_owned(), *digest);
        blocking(move || layout.move_tag(&tag, &digest)).await
    }

    async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let (layout, subject) = (self.clone(), *subject);
        let mut found = blocking(move || layout.find_referrers(&subject)).await?;
        found.retain(|entry| artifact_type.is_none() || entry.artifact_type.as_deref() == artifact_type);
        Ok(found)
    }
}

/// Type, digest and size alone: what an index says besides is about its entry.
fn plain(entry: &Descriptor) -> Descriptor {
    Descriptor { platform: None, artifact_type: None, annotations: BTreeMap::new(), ..entry.clone() }
}

/// An index may list content of types nobody here knows (image-spec, "Image Index Property Descriptions").
fn is_document(entry: &Descriptor) -> bool {
    media_type::is_index(&entry.media_type) || media_type::is_manifest(&entry.media_type)
}

/// Temporary files are private; what is published is not.
fn readable(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}
