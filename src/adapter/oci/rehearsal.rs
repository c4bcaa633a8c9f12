//! What a transfer would ask of its stores, without doing it.
//!
//! Reads go through, because the plan depends on what is there; writes are kept here and seen by later reads. Every call
//! is noted as the request it comes to: `METHOD /v2/<name>/…` for a registry on the network, `METHOD <store>/…` for a
//! store on disk, whose reads are no requests and are not noted. Requests that do not wait for one another are one step:
//! a step is one more than the last one that was over when its requests began. A test compares the steps with what a run
//! then sends.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use async_trait::async_trait;

use super::http::{MANY, PAGE, hashed_by};
use crate::format::oci::{Descriptor, Document};
use crate::model::{Digest, DigestAlgorithm, Repository};
use crate::port::{
    Abilities, BlobReader, Content, Manifest, Put, Registry, RegistryError, Stored, Unlisted, fallback_tag,
};

/// Collects the requests of several stores.
#[derive(Clone, Default)]
pub struct Rehearsal {
    notes: Rc<Notes>,
}

#[derive(Default)]
struct Notes {
    /// Steps and requests, those of a step in the order of the calls they belong to.
    requests: RefCell<Vec<(At, String)>>,
    /// The number of calls so far.
    calls: Cell<usize>,
    /// The last step of the source that is over: everything waits for what is read there.
    read: Cell<usize>,
    /// The step that what is read next waits for.
    after: Cell<Option<At>>,
    /// Whether a host is being asked if it lists referrers.
    asking: Cell<bool>,
}

/// Where in the plan a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    step: usize,
    call: usize,
}

impl At {
    /// So many steps later.
    fn later(self, steps: usize) -> Self {
        Self { step: self.step + steps, ..self }
    }
}

impl Rehearsal {
    /// The store an image comes from. `name` stands for one on disk.
    pub fn source(&self, inner: Box<dyn Registry>, name: &str) -> Rehearsed {
        Rehearsed { is_source: true, ..self.destination(inner, name) }
    }

    /// A store an image goes to, which is read and not written.
    pub fn destination(&self, inner: Box<dyn Registry>, name: &str) -> Rehearsed {
        Rehearsed {
            notes: Rc::clone(&self.notes),
            inner,
            name: name.to_owned(),
            is_source: false,
            done: Cell::new(0),
            written: RefCell::default(),
        }
    }

    /// The requests so far, step by step; those of a step do not wait for one another.
    pub fn steps(&self) -> Vec<Vec<String>> {
        let mut requests = self.notes.requests.borrow().clone();
        requests.sort_by_key(|(at, _)| *at);
        let mut steps: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (at, request) in requests {
            steps.entry(at.step).or_default().push(request);
        }
        steps.into_values().collect()
    }
}

/// A store that is read and not written.
pub struct Rehearsed {
    notes: Rc<Notes>,
    inner: Box<dyn Registry>,
    name: String,
    is_source: bool,
    /// The last step of this store that is over.
    done: Cell<usize>,
    written: RefCell<Written>,
}

#[derive(Default)]
struct Written {
    manifests: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<String, Digest>,
    referrers: BTreeMap<Digest, Vec<Descriptor>>,
    /// Subjects whose list was changed.
    listed: BTreeSet<Digest>,
}

impl Rehearsed {
    /// Where a request stands that is sent now.
    fn now(&self) -> At {
        if let Some(after) = self.notes.after.take() {
            return after.later(1);
        }
        let call = self.notes.calls.get() + 1;
        self.notes.calls.set(call);
        At { step: self.done.get().max(self.notes.read.get()) + 1, call }
    }

    fn note(&self, at: At, request: String) {
        self.notes.requests.borrow_mut().push((at, request));
    }

    /// Notes a request that changes something.
    fn write(&self, at: At, method: &str, path: &str) {
        match self.inner.repository() {
            Some(repository) => self.note(at, format!("{method} /v2/{}/{path}", repository.path())),
            None => self.note(at, format!("{method} {}/{path}", self.name)),
        }
    }

    /// Notes a request that only looks.
    fn read(&self, at: At, method: &str, path: &str) {
        if let Some(repository) = self.inner.repository() {
            self.note(at, format!("{method} /v2/{}/{path}", repository.path()));
        }
    }

    /// One request that only looks, as a step of its own.
    async fn look<T>(
        &self,
        method: &str,
        path: &str,
        answer: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let at = self.now();
        self.read(at, method, path);
        let found = answer.await?;
        self.over(at).await;
        Ok(found)
    }

    /// A step is over, and what was begun beside it has begun.
    async fn over(&self, at: At) {
        tokio::task::yield_now().await;
        self.done.set(self.done.get().max(at.step));
        if self.is_source && self.inner.repository().is_some() {
            self.notes.read.set(self.notes.read.get().max(at.step));
        }
    }

    /// Opens content that is sent after a request; where the last request stands that was needed for it.
    async fn opened(&self, content: &Content<'_>, after: At) -> Result<At, RegistryError> {
        let before = self.notes.requests.borrow().len();
        self.notes.after.set(Some(after));
        let opened = content.open(0).await;
        self.notes.after.set(None);
        drop(opened?);
        Ok(if self.notes.requests.borrow().len() > before { after.later(1) } else { after })
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
        let found = async {
            match self.kept(digest) {
                None => self.inner.manifest(digest, limit).await,
                kept => Ok(kept),
            }
        };
        self.look("GET", &format!("manifests/{digest}"), found).await
    }

    async fn tagged(&self, tag: &str, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        let found = async {
            match self.kept_tag(tag) {
                None => self.inner.tagged(tag, limit).await,
                kept => Ok(kept),
            }
        };
        self.look("GET", &format!("manifests/{tag}"), found).await
    }

    async fn stat(&self, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
        let found = async {
            match self.kept(digest) {
                None => self.inner.stat(digest).await,
                Some(kept) => Ok(Some(kept.descriptor())),
            }
        };
        self.look("HEAD", &format!("manifests/{digest}"), found).await
    }

    async fn stat_tag(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError> {
        let found = async {
            match self.kept_tag(tag) {
                None => self.inner.stat_tag(tag).await,
                Some(kept) => Ok(Some(kept.descriptor())),
            }
        };
        self.look("HEAD", &format!("manifests/{tag}"), found).await
    }

    async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let found = async {
            let mut tags = self.inner.tags().await?;
            tags.extend(self.written.borrow().tags.keys().cloned());
            tags.sort();
            tags.dedup();
            Ok(tags)
        };
        self.look("GET", &format!("tags/list?n={PAGE}"), found).await
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        self.look("HEAD", &format!("blobs/{digest}"), self.inner.has_blob(digest)).await
    }

    /// Nothing is read: what is in a blob does not change the plan.
    async fn blob_from(
        &self,
        descriptor: &Descriptor,
        _offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError> {
        self.read(self.now(), "GET", &format!("blobs/{}", descriptor.digest));
        Ok(Some(Box::new(io::empty())))
    }

    async fn put_blob(
        &self,
        content: &Content<'_>,
        mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError> {
        let (digest, at) = (content.digest(), self.now());
        let Some(repository) = self.inner.repository().cloned() else {
            if self.inner.has_blob(digest).await? {
                return Ok(Stored::Already);
            }
            let before = At { step: at.step - 1, ..at };
            let at = self.opened(content, before).await?.later(1);
            self.write(at, "PUT", &format!("blobs/{digest}"));
            self.over(at).await;
            return Ok(Stored::Uploaded);
        };
        let mount = mount.filter(|from| from.host() == repository.host());
        let mount = mount.filter(|_| self.inner.abilities().mounts != Some(false));
        // The one question answers whether it is there, links it, or opens an upload.
        let from = mount.unwrap_or(&repository);
        let hashed = hashed_by(digest);
        self.write(at, "POST", &format!("blobs/uploads/?mount={digest}&from={}{hashed}", from.path()));
        let (stored, last) = if mount.is_some() {
            (Stored::Mounted, at)
        } else if self.inner.has_blob(digest).await? {
            (Stored::Already, at)
        } else {
            let mut at = at;
            if content.size() >= MANY && self.inner.abilities().mounts_own.is_none() {
                at = at.later(1);
                self.write(at, "HEAD", &format!("blobs/{digest}"));
            }
            let last = self.opened(content, at).await?.later(1);
            self.write(last, "PUT", &format!("blobs/uploads/…?digest={digest}"));
            (Stored::Uploaded, last)
        };
        self.over(last).await;
        Ok(stored)
    }

    async fn put(&self, manifest: &Manifest, tags: &[String]) -> Result<Put, RegistryError> {
        let (digest, at) = (manifest.digest, self.now());
        // A host of which nothing is known is taken for one that takes one tag at a time.
        let taken = match (tags, self.inner.abilities().many_tags) {
            ([], _) => {
                self.write(at, "PUT", &format!("manifests/{digest}"));
                tags
            }
            (tags, many) if digest.algorithm() != DigestAlgorithm::Sha256 => {
                let new = !self.written.borrow().manifests.contains_key(&digest);
                let query =
                    if many == Some(false) { String::new() } else { format!("?tag={}", tags.join("&tag=")) };
                if new || many != Some(false) {
                    self.write(at, "PUT", &format!("manifests/{digest}{query}"));
                }
                match (tags, many) {
                    (tags, Some(true)) => tags,
                    ([tag], _) => {
                        self.write(at.later(1), "PUT", &format!("manifests/{tag}"));
                        tags
                    }
                    (_, _) => &[],
                }
            }
            ([tag], _) => {
                self.write(at, "PUT", &format!("manifests/{tag}"));
                tags
            }
            ([first, others @ ..], None) => {
                self.write(at, "PUT", &format!("manifests/{first}?tag={}", others.join("&tag=")));
                std::slice::from_ref(first)
            }
            (tags, Some(many)) => {
                self.write(at, "PUT", &format!("manifests/{digest}?tag={}", tags.join("&tag=")));
                if many { tags } else { &[] }
            }
        };
        let document = Document::parse(&manifest.bytes, Some(&manifest.media_type)).ok();
        let subject = document.as_ref().and_then(Document::subject).map(|subject| subject.digest);
        if let Some(subject) = subject
            && self.inner.abilities().referrers.is_none()
        {
            // The answer to a write would tell whether the host lists referrers; here a look has to.
            self.inner.referrers(&subject, None).await?;
        }
        self.over(at).await;
        let mut written = self.written.borrow_mut();
        written.manifests.insert(digest, manifest.clone());
        for tag in taken {
            written.tags.insert(tag.clone(), digest);
        }
        let mut unlisted = None;
        if let (Some(document), Some(subject)) = (document, subject) {
            let mut entry = manifest.descriptor();
            entry.artifact_type = document.artifact_type().map(ToOwned::to_owned);
            entry.annotations = document.annotations().clone();
            written.referrers.entry(subject).or_default().push(entry.clone());
            if self.inner.abilities().referrers == Some(false) {
                unlisted = Some(Unlisted { subject, entry });
            }
        }
        Ok(Put { digest, tags: taken.to_vec(), unlisted })
    }

    async fn list_referrers(&self, unlisted: &[Unlisted]) -> Result<(), RegistryError> {
        let mut at = self.now();
        let mut last = at;
        let subjects: BTreeSet<Digest> = unlisted.iter().map(|one| one.subject).collect();
        for subject in subjects {
            let listed = self.inner.referrers(&subject, None).await?;
            let mut entries = unlisted.iter().filter(|one| one.subject == subject).map(|one| &one.entry);
            let path = format!("manifests/{}", fallback_tag(&subject));
            self.write(at, "GET", &path);
            last = at;
            if !entries.all(|entry| listed.contains(entry)) {
                self.written.borrow_mut().listed.insert(subject);
                self.write(at.later(1), "PUT", &path);
                last = at.later(2);
                self.write(last, "GET", &path);
            }
            at = last.later(1);
        }
        self.over(last).await;
        Ok(())
    }

    async fn hold_lists(&self) -> Result<(), RegistryError> {
        let listed = self.written.borrow().listed.clone();
        for subject in &listed {
            let at = self.now();
            self.write(at, "GET", &format!("manifests/{}", fallback_tag(subject)));
            self.over(at).await;
        }
        Ok(())
    }

    async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let at = self.now();
        let known = self.inner.abilities().referrers;
        // Only one asks whether the host has such a list; the others wait for the answer.
        let first = known.is_none() && !self.notes.asking.replace(known.is_none());
        let found = self.inner.referrers(subject, artifact_type).await;
        if first {
            self.notes.asking.set(false);
        }
        let mut found = found?;
        let waited = at.later(usize::from(known.is_none()));
        let last = match self.inner.abilities().referrers {
            Some(false) => {
                if first {
                    self.read(at, "GET", &format!("referrers/{subject}"));
                }
                self.read(waited, "GET", &format!("manifests/{}", fallback_tag(subject)));
                waited
            }
            Some(true) | None => {
                let asked = if first { at } else { waited };
                self.read(asked, "GET", &format!("referrers/{subject}"));
                asked
            }
        };
        {
            let written = self.written.borrow();
            for entry in written.referrers.get(subject).into_iter().flatten() {
                if !found.iter().any(|listed| listed.digest == entry.digest) {
                    found.push(entry.clone());
                }
            }
        }
        found.retain(|entry| artifact_type.is_none() || entry.artifact_type.as_deref() == artifact_type);
        self.over(last).await;
        Ok(found)
    }
}
