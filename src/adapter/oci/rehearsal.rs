//! What a transfer would ask of its stores, without doing it.
//!
//! Reads go through, because the plan depends on what is there; writes are kept here and seen by later reads. Every call
//! is noted as the request it comes to: `METHOD /v2/<name>/…` for a registry on the network, `METHOD <store>/…` for a
//! store on disk, whose reads are no requests and are not noted. A test compares the notes with what a run then sends.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use async_trait::async_trait;

use crate::format::oci::{Descriptor, Document};
use crate::model::{Digest, Repository};
use crate::port::{Abilities, BlobReader, Content, Manifest, Put, Registry, RegistryError, Stored, Unlisted};

/// Collects the requests of several stores in the order in which they would be sent.
#[derive(Clone, Default)]
pub struct Rehearsal {
    notes: Rc<RefCell<Vec<String>>>,
}

impl Rehearsal {
    /// A store that is read and not written. `name` stands for one on disk.
    pub fn of(&self, inner: Box<dyn Registry>, name: &str) -> Rehearsed {
        Rehearsed { rehearsal: self.clone(), inner, name: name.to_owned(), written: RefCell::default() }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }
}

/// A store that is read and not written.
pub struct Rehearsed {
    rehearsal: Rehearsal,
    inner: Box<dyn Registry>,
    name: String,
    written: RefCell<Written>,
}

#[derive(Default)]
struct Written {
    manifests: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<String, Digest>,
    referrers: BTreeMap<Digest, Vec<Descriptor>>,
}

impl Rehearsed {
    fn note(&self, request: String) {
        self.rehearsal.notes.borrow_mut().push(request);
    }

    /// Notes a request that changes something.
    fn write(&self, method: &str, path: &str) {
        match self.inner.repository() {
            Some(repository) => self.note(format!("{method} /v2/{}/{path}", repository.path())),
            None => self.note(format!("{method} {}/{path}", self.name)),
        }
    }

    /// Notes a request that only looks.
    fn read(&self, method: &str, path: &str) {
        if let Some(repository) = self.inner.repository() {
            self.note(format!("{method} /v2/{}/{path}", repository.path()));
        }
    }

    fn kept(&self, digest: &Digest) -> Option<Manifest> {
        self.written.borrow().manifests.get(digest).cloned()
    }

    fn kept_tag(&self, tag: &str) -> Option<Manifest> {
        let digest = self.written.borrow().tags.get(tag).copied();
        digest.and_then(|digest| self.kept(&digest))
    }
}

#[async_trait(?Send)]
impl Registry for Rehearsed {
    fn repository(&self) -> Option<&Repository> {
        self.inner.repository()
    }

    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        self.read("GET", &format!("manifests/{digest}"));
        match self.kept(digest) {
            None => self.inner.manifest(digest, limit).await,
            kept => Ok(kept),
        }
    }

    async fn tagged(&self, tag: &str, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        self.read("GET", &format!("manifests/{tag}"));
        match self.kept_tag(tag) {
            None => self.inner.tagged(tag, limit).await,
            kept => Ok(kept),
        }
    }

    async fn stat(&self, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
        self.read("HEAD", &format!("manifests/{digest}"));
        match self.kept(digest) {
            None => self.inner.stat(digest).await,
            Some(kept) => Ok(Some(Descriptor::of(&kept.media_type, &kept.bytes))),
        }
    }

    async fn stat_tag(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError> {
        self.read("HEAD", &format!("manifests/{tag}"));
        match self.kept_tag(tag) {
            None => self.inner.stat_tag(tag).await,
            Some(kept) => Ok(Some(Descriptor::of(&kept.media_type, &kept.bytes))),
        }
    }

    async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        self.read("GET", "tags/list");
        let mut tags = self.inner.tags().await?;
        tags.extend(self.written.borrow().tags.keys().cloned());
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        self.read("HEAD", &format!("blobs/{digest}"));
        self.inner.has_blob(digest).await
    }

    /// Nothing is read: what is in a blob does not change the plan.
    async fn blob_from(
        &self,
        descriptor: &Descriptor,
        _offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError> {
        self.read("GET", &format!("blobs/{}", descriptor.digest));
        Ok(Some(Box::new(io::empty())))
    }

    async fn put_blob(
        &self,
        content: &Content<'_>,
        mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError> {
        let digest = content.digest();
        let Some(repository) = self.inner.repository().cloned() else {
            if self.inner.has_blob(digest).await? {
                return Ok(Stored::Already);
            }
            self.write("PUT", &format!("blobs/{digest}"));
            return Ok(Stored::Uploaded);
        };
        let mount = mount.filter(|from| from.host() == repository.host());
        let mount = mount.filter(|_| self.inner.abilities().mounts != Some(false));
        // The one question answers whether it is there, links it, or opens an upload.
        let from = mount.unwrap_or(&repository);
        self.write("POST", &format!("blobs/uploads/?mount={digest}&from={}", from.path()));
        if mount.is_some() {
            return Ok(Stored::Mounted);
        }
        if self.inner.has_blob(digest).await? {
            return Ok(Stored::Already);
        }
        drop(content.open(0).await?);
        self.write("PUT", &format!("blobs/uploads/…?digest={digest}"));
        Ok(Stored::Uploaded)
    }

    async fn put_manifest(
        &self,
        media_type: &str,
        bytes: &[u8],
        tags: &[String],
    ) -> Result<Put, RegistryError> {
        let digest = Digest::of(bytes);
        match (tags, self.inner.repository().is_some()) {
            ([tag], _) => self.write("PUT", &format!("manifests/{tag}")),
            ([], _) => self.write("PUT", &format!("manifests/{digest}")),
            (tags, _) => self.write("PUT", &format!("manifests/{digest}?tag={}", tags.join("&tag="))),
        }
        let document = Document::parse(bytes, Some(media_type)).ok();
        let subject = document.as_ref().and_then(Document::subject).map(|subject| subject.digest);
        if let Some(subject) = subject
            && self.inner.abilities().referrers.is_none()
        {
            // The answer to a write would tell whether the host lists referrers; here a look has to.
            self.inner.referrers(&subject, None).await?;
        }
        let mut written = self.written.borrow_mut();
        let manifest = Manifest { media_type: media_type.to_owned(), digest, bytes: bytes.to_vec() };
        written.manifests.insert(digest, manifest);
        for tag in tags {
            written.tags.insert(tag.clone(), digest);
        }
        let mut unlisted = None;
        if let (Some(document), Some(subject)) = (document, subject) {
            let mut entry = Descriptor::of(media_type, bytes);
            entry.artifact_type = document.artifact_type().map(ToOwned::to_owned);
            entry.annotations = document.annotations().clone();
            written.referrers.entry(subject).or_default().push(entry.clone());
            if self.inner.abilities().referrers == Some(false) {
                unlisted = Some(Unlisted { subject, entry });
            }
        }
        Ok(Put { digest, tags: tags.to_vec(), unlisted })
    }

    async fn list_referrers(&self, unlisted: &[Unlisted]) -> Result<(), RegistryError> {
        let subjects: std::collections::BTreeSet<Digest> = unlisted.iter().map(|one| one.subject).collect();
        for subject in subjects {
            let path = format!("manifests/sha256-{}", subject.hex());
            for method in ["GET", "PUT", "GET"] {
                self.write(method, &path);
            }
        }
        Ok(())
    }

    async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let known = self.inner.abilities().referrers;
        let mut found = self.inner.referrers(subject, artifact_type).await?;
        if known != Some(false) {
            self.read("GET", &format!("referrers/{subject}"));
        }
        if self.inner.abilities().referrers == Some(false) {
            self.read("GET", &format!("manifests/sha256-{}", subject.hex()));
        }
        let written = self.written.borrow();
        for entry in written.referrers.get(subject).into_iter().flatten() {
            if !found.iter().any(|listed| listed.digest == entry.digest) {
                found.push(entry.clone());
            }
        }
        found.retain(|entry| artifact_type.is_none() || entry.artifact_type.as_deref() == artifact_type);
        Ok(found)
    }
}
