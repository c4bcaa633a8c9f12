//! A registry that is watched: every call is counted, one of them can go wrong, and after every call nothing may be
//! under a tag that is not whole.

use std::cell::{Cell, RefCell};

use async_trait::async_trait;
use kyklos_release::format::oci::{Descriptor, Document, MANIFEST_LIMIT};
use kyklos_release::model::{Digest, Repository};
use kyklos_release::port::{
    Abilities, BlobReader, Content, Manifest, Put, Registry, RegistryError, Stored, Unlisted,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The call does nothing.
    Before,
    /// The call does its work, and nobody hears of it.
    After,
}

/// A watched registry.
pub(crate) struct Spectator<'a> {
    inner: &'a dyn Registry,
    /// Number of the call that goes wrong, from 1.
    trouble: Option<(usize, Trouble)>,
    /// The calls so far.
    pub(crate) calls: RefCell<Vec<String>>,
    /// What somebody else does after this many calls.
    other: RefCell<Option<(usize, String, Manifest)>>,
    several_tags: Cell<bool>,
}

impl<'a> Spectator<'a> {
    /// Watches a registry.
    pub(crate) fn new(inner: &'a dyn Registry) -> Self {
        let (calls, other) = (RefCell::default(), RefCell::default());
        Self { inner, trouble: None, calls, other, several_tags: Cell::new(true) }
    }

    /// The same with one call that goes wrong.
    pub(crate) fn troubled(inner: &'a dyn Registry, at: usize, trouble: Trouble) -> Self {
        Self { trouble: Some((at, trouble)), ..Self::new(inner) }
    }

    /// Somebody else sets a tag right after a call.
    pub(crate) fn joined(self, after: usize, tag: &str, manifest: &Manifest) -> Self {
        *self.other.borrow_mut() = Some((after, tag.to_owned(), manifest.clone()));
        self
    }

    /// Takes one tag at a time.
    pub(crate) fn one_tag_at_a_time(self) -> Self {
        self.several_tags.set(false);
        self
    }

    fn failure(what: &str) -> RegistryError {
        RegistryError::Read { what: what.to_owned(), source: std::io::ErrorKind::ConnectionReset.into() }
    }

    fn begin(&self, call: String) -> Result<usize, RegistryError> {
        self.calls.borrow_mut().push(call.clone());
        let number = self.calls.borrow().len();
        if self.trouble == Some((number, Trouble::Before)) {
            return Err(Self::failure(&call));
        }
        Ok(number)
    }

    async fn end<T>(&self, number: usize, answer: T) -> Result<T, RegistryError> {
        let other = self.other.borrow().clone();
        if let Some((after, tag, manifest)) = other
            && after == number
        {
            let put = self.inner.put(&manifest, &[tag]).await;
            let _ = put.expect("somebody else sets a tag");
        }
        whole(self.inner).await;
        if self.trouble == Some((number, Trouble::After)) {
            return Err(Self::failure("the answer"));
        }
        Ok(answer)
    }
}

/// Panics unless everything under every tag is there.
pub(crate) async fn whole(registry: &dyn Registry) {
    for tag in registry.tags().await.expect("tags") {
        let root = registry.tagged(&tag, MANIFEST_LIMIT).await.expect("readable").expect("tagged");
        let mut open = vec![root];
        while let Some(manifest) = open.pop() {
            let document = Document::parse(&manifest.bytes, Some(&manifest.media_type)).expect("a document");
            for named in document.named() {
                match &document {
                    Document::Index(_) => {
                        let child = registry.manifest(&named.digest, MANIFEST_LIMIT).await.expect("readable");
                        open.push(child.unwrap_or_else(|| panic!("{} is not under {tag}", named.digest)));
                    }
                    Document::Manifest(_) => {
                        let there = registry.has_blob(&named.digest).await.expect("readable");
                        assert!(there, "{} is not under {tag}", named.digest);
                    }
                }
            }
        }
    }
}

#[async_trait(?Send)]
impl Registry for Spectator<'_> {
    fn repository(&self) -> Option<&Repository> {
        self.inner.repository()
    }

    fn abilities(&self) -> Abilities {
        let many_tags = if self.several_tags.get() { self.inner.abilities().many_tags } else { Some(false) };
        Abilities { many_tags, ..self.inner.abilities() }
    }

    async fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        let number = self.begin(format!("manifest {digest}"))?;
        self.end(number, self.inner.manifest(digest, limit).await?).await
    }

    async fn tagged(&self, tag: &str, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        let number = self.begin(format!("tagged {tag}"))?;
        self.end(number, self.inner.tagged(tag, limit).await?).await
    }

    async fn stat(&self, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
        let number = self.begin(format!("stat {digest}"))?;
        self.end(number, self.inner.stat(digest).await?).await
    }

    async fn stat_tag(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError> {
        let number = self.begin(format!("stat {tag}"))?;
        self.end(number, self.inner.stat_tag(tag).await?).await
    }

    async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let number = self.begin("tags".to_owned())?;
        self.end(number, self.inner.tags().await?).await
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let number = self.begin(format!("has {digest}"))?;
        self.end(number, self.inner.has_blob(digest).await?).await
    }

    async fn blob_from(
        &self,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError> {
        let number = self.begin(format!("blob {}", descriptor.digest))?;
        self.end(number, self.inner.blob_from(descriptor, offset).await?).await
    }

    async fn put_blob(
        &self,
        content: &Content<'_>,
        mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError> {
        let number = self.begin(format!("put blob {}", content.digest()))?;
        self.end(number, self.inner.put_blob(content, mount).await?).await
    }

    async fn put(&self, manifest: &Manifest, tags: &[String]) -> Result<Put, RegistryError> {
        let number = self.begin(format!("put manifest {} {}", manifest.digest, tags.join(" ")))?;
        self.end(number, self.inner.put(manifest, tags).await?).await
    }

    async fn list_referrers(&self, unlisted: &[Unlisted]) -> Result<(), RegistryError> {
        let number = self.begin("list referrers".to_owned())?;
        self.end(number, self.inner.list_referrers(unlisted).await?).await
    }

    async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let number = self.begin(format!("referrers {subject}"))?;
        self.end(number, self.inner.referrers(subject, artifact_type).await?).await
    }
}
