//! An image registry, or anything that stores content by digest and names it with tags.

mod content;
mod error;

pub use content::{BlobReader, Checked, Content};
pub use error::{Exchange, Fault, RegistryError, TlsFault};

use async_trait::async_trait;

use crate::format::oci::{Descriptor, MANIFEST_LIMIT};
use crate::model::{Digest, DigestAlgorithm, Repository};

/// A manifest or index exactly as stored. Never serialised again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// `Content-Type`, or the type the descriptor named.
    pub media_type: String,
    /// Digest of `bytes`, checked.
    pub digest: Digest,
    /// The stored bytes.
    pub bytes: Vec<u8>,
}

impl Manifest {
    /// Bytes that are in memory, under their SHA-256.
    pub fn of(media_type: &str, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.to_owned(), digest: Digest::of(&bytes), bytes }
    }

    /// Refuses bytes that are not those of the digest.
    pub fn check(&self) -> Result<(), RegistryError> {
        let found = self.digest.algorithm().digest(&self.bytes);
        if found == self.digest {
            return Ok(());
        }
        let expected = self.digest;
        Err(RegistryError::DigestMismatch { what: format!("the manifest {expected}"), expected, found })
    }

    /// Describes it: type, digest and size.
    pub fn descriptor(&self) -> Descriptor {
        let size = self.bytes.len() as u64;
        Descriptor::new(&self.media_type, self.digest, size)
    }
}

/// How a blob came to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was there.
    Already,
    /// The host linked it from another of its repositories; no byte was sent.
    Mounted,
    /// It was sent.
    Uploaded,
}

/// What came of storing a manifest.
#[must_use = "a referrer may have to be listed"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Digest of the bytes, as computed here and confirmed by the store.
    pub digest: Digest,
    /// The tags that point to it now, of those that were asked for, in their order.
    pub tags: Vec<String>,
    /// The manifest has a `subject` and the store will not list it as its referrer; [`Registry::list_referrers`] does.
    pub unlisted: Option<Unlisted>,
}

/// A referrer whose store has no referrers API (distribution-spec, "Pushing Manifests with Subject").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// What it is attached to.
    pub subject: Digest,
    /// Describes it, with `artifactType` and every annotation of the manifest.
    pub entry: Descriptor,
}

/// The tag under which a host without a referrers API lists what is attached to a manifest: algorithm and hexadecimal
/// digits, of which at most 64 are taken (distribution-spec, "Referrers Tag Schema").
pub fn fallback_tag(subject: &Digest) -> String {
    let mut hex = subject.hex();
    hex.truncate(64);
    format!("{}-{hex}", subject.algorithm())
}

/// What a store is known to be able to do; `None` until an answer has shown it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Takes several tags with one manifest (`?tag=`, answered with `OCI-Tag`).
    pub many_tags: Option<bool>,
    /// Lists referrers itself (distribution-spec, "Listing Referrers").
    pub referrers: Option<bool>,
    /// Refuses a manifest when something it names is not stored.
    pub checks_named: Option<bool>,
    /// Links blobs of other repositories of the same host.
    pub mounts: Option<bool>,
    /// Answers a mount of a blob from the repository itself by whether it is there.
    pub mounts_own: Option<bool>,
}

/// What [`Registry::hold_tags`] returns; dropping it lets go.
pub type Hold = Box<dyn std::any::Any + Send>;

impl Abilities {
    /// What a store can do that is not on the network: everything but to link blobs of others.
    pub const NEAR: Self = Self {
        many_tags: Some(true),
        referrers: Some(true),
        checks_named: Some(true),
        mounts: Some(false),
        mounts_own: Some(true),
    };
}

/// One repository of a registry. Everything read is checked against its digest before it is returned.
#[async_trait(?Send)]
pub trait Registry {
    /// Host and path; `None` for a store on disk or in memory. Two repositories of one host can mount from each other.
    fn repository(&self) -> Option<&Repository> {
        None
    }

    /// What is known of the store so far. Asks nothing.
    fn abilities(&self) -> Abilities {
        Abilities::NEAR
    }

    /// The manifest under a digest, at most `limit` bytes; `None` when there is none. One request.
    async fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError>;

    /// The manifest a tag points to, at most `limit` bytes; `None` when there is no such tag. One request.
    async fn tagged(&self, tag: &str, limit: u64) -> Result<Option<Manifest>, RegistryError>;

    /// Media type, digest and size of a stored manifest, without its bytes; `None` when there is none. One request.
    async fn stat(&self, digest: &Digest) -> Result<Option<Descriptor>, RegistryError>;

    /// The same of what a tag points to. Not checked: only bytes can be.
    async fn stat_tag(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError>;

    /// The digest a tag points to; `None` when there is no such tag.
    async fn resolve(&self, tag: &str) -> Result<Option<Digest>, RegistryError> {
        Ok(self.stat_tag(tag).await?.map(|found| found.digest))
    }

    /// The same, computed by an algorithm: a host may call a manifest by another than the one it is asked for by, and
    /// only the bytes tell whether it is the same.
    async fn resolve_as(
        &self,
        tag: &str,
        algorithm: DigestAlgorithm,
    ) -> Result<Option<Digest>, RegistryError> {
        let found = self.resolve(tag).await?;
        self.called(tag, found, algorithm).await
    }

    /// What a tag was found to point to, computed by an algorithm. No request unless it was found by another.
    async fn called(
        &self,
        tag: &str,
        found: Option<Digest>,
        algorithm: DigestAlgorithm,
    ) -> Result<Option<Digest>, RegistryError> {
        if found.is_none_or(|found| found.algorithm() == algorithm) {
            return Ok(found);
        }
        let manifest = self.tagged(tag, MANIFEST_LIMIT).await?;
        Ok(manifest.map(|manifest| algorithm.digest(&manifest.bytes)))
    }

    /// Every tag, sorted; all pages of them.
    async fn tags(&self) -> Result<Vec<String>, RegistryError>;

    /// Whether a blob is stored.
    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError>;

    /// The content of a blob. The reader fails instead of handing out the last bytes when digest or size are not those
    /// of the descriptor ([`RegistryError::of_read`] brings the reason back).
    async fn blob(&self, descriptor: &Descriptor) -> Result<Option<BlobReader>, RegistryError> {
        self.blob_from(descriptor, 0).await
    }

    /// The content of a blob behind the first `offset` bytes. From 0 as [`Registry::blob`]; from elsewhere only the
    /// size is checked, and who joins the pieces checks the digest.
    async fn blob_from(
        &self,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError>;

    /// Makes sure that a blob is stored. Sends nothing when it is there, or when the host can link it from `mount`,
    /// another of its repositories. Content of another size or digest is refused and nothing is stored.
    async fn put_blob(
        &self,
        content: &Content<'_>,
        mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError>;

    /// Stores a manifest under its digest, which is checked. Everything it names must be there already; a `subject`
    /// need not.
    ///
    /// One request: without tags under its digest, with one tag under the tag, with several under its digest with all
    /// tags, or, where it is not known whether the store takes several, under the first with the others beside it. A store
    /// that does not know several tags leaves those; [`Put::tags`] tells which point to the manifest now. A tag is
    /// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` and moves when it exists: who may move is decided above. Under a digest that
    /// is no SHA-256 the tags go with the digest, since hosts call what comes under a tag alone by its SHA-256.
    async fn put(&self, manifest: &Manifest, tags: &[String]) -> Result<Put, RegistryError>;

    /// Keeps others from pointing tags until what is returned is dropped, so that a tag can be looked at and set in one
    /// step. `None` where a store has no such thing. A holder may call everything else.
    async fn hold_tags(&self) -> Result<Option<Hold>, RegistryError> {
        Ok(None)
    }

    /// Points a tag to a stored manifest whose bytes are not at hand. With the bytes use [`Registry::put`].
    async fn tag(&self, tag: &str, digest: &Digest) -> Result<(), RegistryError> {
        let manifest = self.manifest(digest, MANIFEST_LIMIT).await?;
        let manifest = manifest.ok_or(RegistryError::NotStored { digest: *digest })?;
        let put = self.put(&manifest, &[tag.to_owned()]).await?;
        match put.unlisted {
            Some(unlisted) => self.list_referrers(&[unlisted]).await,
            None => Ok(()),
        }
    }

    /// Lists referrers where the store does not do it itself: in the index under the fallback tag of
    /// each subject, which is read, merged, written and read back until every entry is in it. Several entries of one
    /// subject cost no more than one. Where nothing is ever unlisted there is nothing to do.
    async fn list_referrers(&self, _unlisted: &[Unlisted]) -> Result<(), RegistryError> {
        Ok(())
    }

    /// Looks once more at the lists that [`Registry::list_referrers`] has changed in this run: another writer may have
    /// replaced one after it was read back. Called when all else is done, so that time has passed.
    async fn hold_lists(&self) -> Result<(), RegistryError> {
        Ok(())
    }

    /// Manifests whose `subject` is the digest, sorted by digest, each with its `artifactType` and annotations; with
    /// `artifact_type` only those.
    async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError>;
}
