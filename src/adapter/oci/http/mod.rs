//! Registries on the network (distribution-spec 1.1): the wire layer, without a client library.
//!
//! `wire` holds what is known of each host, `line` what every request goes over, `send` is the only way to a host;
//! `manifest`, `upload`, `download` and `referrers` speak the protocol over it. `GET /v2/` is never sent: the first real
//! request tells as much.

mod answer;
mod auth;
mod credentials;
mod download;
mod line;
mod list;
mod manifest;
mod probe;
mod redirect;
mod referrers;
mod send;
mod traffic;
mod upload;
mod wire;

pub use credentials::CredentialSources;
pub(in crate::adapter::oci) use manifest::PAGE;
pub use probe::Finding;
pub use traffic::{Direction, Event, Traffic};
pub(in crate::adapter::oci) use upload::{MANY, hashed_by};
pub use wire::{Access, Wire, WireSettings};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use auth::Scopes;
use line::Line;
use list::Kept;
use wire::{Host, lock};

use crate::format::oci::Descriptor;
use crate::model::{Digest, Repository};
use crate::port::{Abilities, BlobReader, Content, Manifest, Put, Registry, RegistryError, Stored, Unlisted};

/// One repository of a registry on the network.
#[derive(Debug, Clone)]
pub struct HttpRegistry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    line: Arc<Line>,
    host: Arc<Host>,
    repository: Repository,
    /// What tokens are asked for. Grows with what is done.
    scopes: Mutex<Scopes>,
    /// What this run has listed, by subject. Each is held while the list is changed.
    listing: Mutex<BTreeMap<Digest, Arc<tokio::sync::Mutex<Kept>>>>,
}

impl HttpRegistry {
    fn new(line: Arc<Line>, host: Arc<Host>, repository: Repository, access: Access) -> Self {
        let actions = match access {
            Access::Read => "pull",
            Access::Write => "pull,push",
        };
        let scopes = Mutex::new(Scopes::from([(repository.path().to_owned(), actions)]));
        Self { inner: Arc::new(Inner { line, host, repository, scopes, listing: Mutex::default() }) }
    }

    /// The same with a login that may read another repository of the host too, so that the first token is enough for
    /// mounts from it.
    #[must_use]
    pub fn mounting_from(self, from: &Repository) -> Self {
        if from.host() == self.inner.repository.host() {
            self.also_pull(from.path());
        }
        self
    }

    fn scopes(&self) -> Scopes {
        lock(&self.inner.scopes).clone()
    }

    fn also_pull(&self, path: &str) {
        lock(&self.inner.scopes).entry(path.to_owned()).or_insert("pull");
    }

    fn will_write(&self) {
        lock(&self.inner.scopes).insert(self.inner.repository.path().to_owned(), "pull,push");
    }
}

#[async_trait(?Send)]
impl Registry for HttpRegistry {
    fn repository(&self) -> Option<&Repository> {
        Some(&self.inner.repository)
    }

    fn abilities(&self) -> Abilities {
        self.inner.host.known().abilities
    }

    async fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        self.get(&digest.to_string(), Some(digest), limit).await
    }

    async fn tagged(&self, tag: &str, limit: u64) -> Result<Option<Manifest>, RegistryError> {
        self.get(tag, None, limit).await
    }

    async fn stat(&self, digest: &Digest) -> Result<Option<Descriptor>, RegistryError> {
        self.head(&digest.to_string(), Some(digest)).await
    }

    async fn stat_tag(&self, tag: &str) -> Result<Option<Descriptor>, RegistryError> {
        self.head(tag, None).await
    }

    async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        self.list_tags().await
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        self.has(digest).await
    }

    async fn blob_from(
        &self,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError> {
        self.open(descriptor, offset).await
    }

    async fn put_blob(
        &self,
        content: &Content<'_>,
        mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError> {
        self.will_write();
        self.upload(content, mount).await
    }

    async fn put(&self, manifest: &Manifest, tags: &[String]) -> Result<Put, RegistryError> {
        self.store(manifest, tags).await
    }

    async fn list_referrers(&self, unlisted: &[Unlisted]) -> Result<(), RegistryError> {
        self.will_write();
        self.list(unlisted).await
    }

    async fn hold_lists(&self) -> Result<(), RegistryError> {
        self.hold().await
    }

    async fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        self.find_referrers(subject, artifact_type).await
    }
}
