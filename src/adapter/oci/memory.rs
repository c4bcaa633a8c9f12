//! A registry in memory. It keeps every rule of one on disk, and is gone with its owner.
//!
//! Blobs may lie in files: an archive that was opened is this registry over places in the archive, and one that is
//! written collects what comes in a nameless file beside it, so memory holds manifests and not layers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};
use std::rc::Rc;

use async_trait::async_trait;
use bytes::Bytes;

use super::fault::{blocking, check_tag, failed, invalid};
use super::listing::Listing;
use super::place::{Place, Shared};
use crate::format::oci::{Descriptor, Document, MANIFEST_LIMIT, OciError, media_type};
use crate::model::{Digest, Repository};
use crate::port::{BlobReader, Checked, Content, Manifest, Put, Registry, RegistryError, Stored};

/// Most bytes of a blob that memory takes; a file takes any.
const BLOB_LIMIT: u64 = 64 << 20;

/// Buffer for what is written to a file.
const BUFFER: usize = 128 << 10;

/// A registry in memory. Its clones are the same registry.
#[derive(Clone, Default)]
pub struct Memory {
    state: Rc<RefCell<State>>,
    spill: Option<Shared>,
}

#[derive(Default)]
struct State {
    content: BTreeMap<Digest, Held>,
    /// Which content is a manifest, and of which type.
    manifests: BTreeMap<Digest, String>,
    tags: BTreeMap<String, Digest>,
    /// End of what the file holds.
    spilt: u64,
    changed: bool,
}

/// Where content is.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    Place(Place),
}

impl Held {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Place(place) => place.size,
        }
    }

    pub(super) fn open(&self, offset: u64) -> BlobReader {
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
                Box::new(Cursor::new(bytes.slice(start..)))
            }
            Self::Place(place) => Box::new(place.open(offset)),
        }
    }
}

impl Memory {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty registry that keeps blobs in a file.
    pub(super) fn over(file: Shared) -> Self {
        Self { state: Rc::default(), spill: Some(file) }
    }

    /// What somebody means who names it without tag and digest: manifests that no index names and that are attached to
    /// nothing, sorted by digest.
    pub fn roots(&self) -> Result<Vec<Digest>, RegistryError> {
        let state = self.state.borrow();
        let mut roots: BTreeSet<Digest> = state.manifests.keys().copied().collect();
        for digest in state.manifests.keys() {
            let (_, document) = state.document(digest)?;
            if document.subject().is_some() {
                roots.remove(digest);
            }
            if let Document::Index(index) = document {
                for child in index.manifests {
                    roots.remove(&child.digest);
                }
            }
        }
        roots.extend(state.tags.values());
        Ok(roots.into_iter().collect())
    }

    /// Takes content in that lies in a file, without looking at it.
    pub(super) fn hold(&self, digest: Digest, place: Place) {
        self.state.borrow_mut().content.insert(digest, Held::Place(place));
    }

    /// Says that held content is a manifest.
    pub(super) fn hold_manifest(&self, digest: Digest, media_type: &str) {
        self.state.borrow_mut().manifests.insert(digest, media_type.to_owned());
    }

    /// Takes a manifest in that was made here; everything it names is held already.
    pub(super) fn hold_made(&self, media_type: &str, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        let mut state = self.state.borrow_mut();
        state.content.insert(digest, Held::Bytes(bytes.into()));
        state.manifests.insert(digest, media_type.to_owned());
        digest
    }

    /// Points a tag without a look at where it points.
    pub(super) fn hold_tag(&self, tag: &str, digest: Digest) {
        self.state.borrow_mut().tags.insert(tag.to_owned(), digest);
    }

    /// Whether something was stored since it was opened.
    pub(super) fn is_changed(&self) -> bool {
        self.state.borrow().changed
    }

    /// Everything it holds, sorted by digest.
    pub(super) fn contents(&self) -> Vec<(Digest, Held)> {
        self.state.borrow().content.iter().map(|(digest, held)| (*digest, held.clone())).collect()
    }

    /// The `index.json` of a layout with the same content: tags, and what nothing else leads to.
    pub(super) fn index(&self) -> Result<Vec<u8>, RegistryError> {
        let state = self.state.borrow();
        let bad = |error: OciError| invalid("index.json", &error);
        let mut listing = Listing::empty();
        let mut children = BTreeSet::new();
        let mut entries = BTreeMap::new();
        for digest in state.manifests.keys() {
            let (manifest, document) = state.document(digest)?;
            let mut entry = manifest.descriptor();
            entry.artifact_type = match &document {
                Document::Index(index) => index.artifact_type.clone(),
                Document::Manifest(manifest) => manifest.artifact_type.clone(),
            };
            if let Document::Index(index) = &document {
                children.extend(index.manifests.iter().map(|child| child.digest));
            }
            listing.add(&entry).map_err(bad)?;
            entries.insert(*digest, entry);
        }
        listing.drop_untagged(&children);
        for (tag, digest) in &state.tags {
            let entry = entries.get(digest).ok_or(RegistryError::NotStored { digest: *digest })?;
            listing.tag(tag, entry, |_| true).map_err(bad)?;
        }
        listing.to_bytes().map_err(bad)
    }

    async fn take(&self, content: &Content<'_>) -> Result<Held, RegistryError> {
        let (digest, size, mut reader) = (*content.digest(), content.size(), content.open(0).await?);
        let what = digest.to_string();
        let Some(file) = self.spill.clone() else {
            if size > BLOB_LIMIT {
                return Err(RegistryError::TooLarge { what, limit: BLOB_LIMIT });
            }
            let bytes = blocking(move || {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).map_err(|source| RegistryError::of_read(source, &what))?;
                Ok(bytes)
            })
            .await?;
            return Ok(Held::Bytes(bytes.into()));
        };
        let offset = {
            let mut state = self.state.borrow_mut();
            let offset = state.spilt;
            state.spilt += size;
            offset
        };
        let place = Place { file: file.clone(), offset, size };
        blocking(move || {
            let (mut at, mut buffer) = (offset, vec![0; BUFFER]);
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(read) => {
                        file.write_at(at, &buffer[..read])
                            .map_err(|source| failed("write", file.path(), source))?;
                        at += read as u64;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(RegistryError::of_read(error, &what)),
                }
            }
        })
        .await?;
        Ok(Held::Place(place))
    }
}

impl State {
    /// The checked bytes of a manifest.
    fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        let (Some(media_type), Some(held)) = (self.manifests.get(digest), self.content.get(digest)) else {
            return Ok(None);
        };
        let (what, size) = (digest.to_string(), held.size());
        if size > limit {
            return Err(RegistryError::TooLarge { what, limit });
        }
        let mut bytes = Vec::new();
        Checked::new(held.open(0), *digest, size)
            .read_to_end(&mut bytes)
            .map_err(|source| RegistryError::of_read(source, &what))?;
        Ok(Some(Manifest { media_type: media_type.clone(), digest: *digest, bytes }))
    }

    fn document(&self, digest: &Digest) -> Result<(Manifest, Document), RegistryError> {
        let manifest = self.manifest(digest, MANIFEST_LIMIT)?;
        let manifest = manifest.ok_or(RegistryError::NotStored { digest: *digest })?;
        let document = Document::parse(&manifest.bytes, Some(&manifest.media_type))
            .map_err(|error| invalid(&digest.to_string(), &error))?;
        Ok((manifest, document))
    }

    fn check_named(&self, document: &Document) -> Result<(), RegistryError> {
        for named in document.named() {
            match self.content.get(&named.digest).map(Held::size) {
                None if media_type::is_foreign(&named.media_type) => {}
                None => return Err(RegistryError::NotStored { digest: named.digest }),
                Some(found) if found != named.size => {
                    let what = named.digest.to_string();
                    return Err(RegistryError::SizeMismatch { what, expected: named.size, found });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl Registry for Memory {
    async fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        self.state.borrow().manifest(digest, limit)
    }

    async fn tagged(&self, tag: &str, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        let state = self.state.borrow();
        match state.tags.get(tag) {
            Some(digest) => state.manifest(digest, limit),
            None => Ok(None),
        }
    }

    async fn stat(&self, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
        let manifest = self.state.borrow().manifest(digest, MANIFEST_LIMIT)?;
        Ok(manifest.map(|manifest| manifest.descriptor()))
    }

    async fn stat_tag(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError> {
        let manifest = self.tagged(tag, MANIFEST_LIMIT).await?;
        Ok(manifest.map(|manifest| manifest.descriptor()))
    }

    async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        Ok(self.state.borrow().tags.keys().cloned().collect())
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        Ok(self.state.borrow().content.contains_key(digest))
    }

    async fn blob_from(
        &self,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError> {
        let Some(held) = self.state.borrow().content.get(&descriptor.digest).cloned() else {
            return Ok(None);
        };
        let (expected, found) = (descriptor.size, held.size());
        if expected != found {
            let what = descriptor.digest.to_string();
            return Err(RegistryError::SizeMismatch { what, expected, found });
        }
        let reader = held.open(offset);
        Ok(Some(match offset.min(found) {
            0 => Box::new(Checked::new(reader, descriptor.digest, found)),
            offset => Box::new(Checked::tail(reader, descriptor.digest, found - offset)),
        }))
    }

    async fn put_blob(
        &self,
        content: &Content<'_>,
        _mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError> {
        let held = self.state.borrow().content.get(content.digest()).map(Held::size);
        if held == Some(content.size()) {
            return Ok(Stored::Already);
        }
        let held = self.take(content).await?;
        let mut state = self.state.borrow_mut();
        state.content.insert(*content.digest(), held);
        state.changed = true;
        Ok(Stored::Uploaded)
    }

    async fn put(&self, manifest: &Manifest, tags: &[String]) -> Result<Put, RegistryError> {
        for tag in tags {
            check_tag(tag)?;
        }
        manifest.check()?;
        let Manifest { media_type, digest, bytes } = manifest;
        let digest = *digest;
        let mut state = self.state.borrow_mut();
        if media_type::is_index(media_type) || media_type::is_manifest(media_type) {
            let document = Document::parse(bytes, Some(media_type))
                .map_err(|error| invalid(&digest.to_string(), &error))?;
            state.check_named(&document)?;
            state.manifests.insert(digest, media_type.to_owned());
        }
        state.content.insert(digest, Held::Bytes(bytes.clone().into()));
        for tag in tags {
            state.tags.insert(tag.clone(), digest);
        }
        state.changed = true;
        Ok(Put { digest, tags: tags.to_vec(), unlisted: None })
    }

    async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let state = self.state.borrow();
        let mut found = Vec::new();
        for digest in state.manifests.keys() {
            let (manifest, document) = state.document(digest)?;
            if document.subject().is_some_and(|of| of.digest == *subject) {
                let mut entry = manifest.descriptor();
                entry.artifact_type = document.artifact_type().map(ToOwned::to_owned);
                entry.annotations = document.annotations().clone();
                found.push(entry);
            }
        }
        found.retain(|entry| artifact_type.is_none() || entry.artifact_type.as_deref() == artifact_type);
        Ok(found)
    }
}
