//! What all registries of a process share: the line they are reached over, and what is known of each host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use url::Url;

use super::HttpRegistry;
use super::auth::Auth;
use super::credentials::CredentialSources;
use super::line::Line;
use super::traffic::Traffic;
use crate::adapter::http::{Http, HttpSettings, Patience, is_loopback};
use crate::model::{Digest, Repository};
use crate::port::{Abilities, RegistryError};

/// How registries are reached.
#[derive(Debug)]
pub struct WireSettings {
    /// The client.
    pub http: HttpSettings,
    /// Every host is reached without encryption, not only this machine. Nobody logs in to such a host.
    pub plain_http: bool,
    /// Where logins come from.
    pub credentials: CredentialSources,
    /// Most requests to one host at a time.
    pub jobs: usize,
    /// How often things are tried again.
    pub patience: Patience,
    /// Who hears of requests.
    pub traffic: Arc<Traffic>,
}

/// What all registries of a process share. Connections, tokens and what is known of hosts live as long as it does.
#[derive(Debug)]
pub struct Wire {
    line: Arc<Line>,
    plain_http: bool,
    jobs: usize,
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
}

/// What a registry is opened for. A login that may write is asked for only when something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

impl Wire {
    /// A wire on which nothing was sent yet.
    pub fn new(settings: WireSettings) -> Arc<Self> {
        let WireSettings { http, plain_http, credentials, jobs, patience, traffic } = settings;
        Arc::new(Self {
            line: Arc::new(Line::new(Http::new(http), credentials, patience, traffic)),
            plain_http,
            jobs: jobs.max(1),
            hosts: Mutex::default(),
        })
    }

    /// One repository. Nothing is sent.
    pub fn repository(&self, repository: Repository, access: Access) -> HttpRegistry {
        let host = Arc::clone(
            lock(&self.hosts)
                .entry(repository.host().to_ascii_lowercase())
                .or_insert_with(|| Arc::new(self.host(&repository))),
        );
        HttpRegistry::new(Arc::clone(&self.line), host, repository, access)
    }

    /// Tells hosts of uploads that were left open; hosts that do not listen are not waited for longer than two seconds.
    /// To be called when everything else is done: an upload is never gone on with by another run, which knows nothing of
    /// this one.
    pub async fn part(&self) {
        self.line.part().await;
    }

    /// The number of requests so far.
    pub fn requests(&self) -> u64 {
        self.line.traffic.requests()
    }

    fn host(&self, repository: &Repository) -> Host {
        let name = repository.host().to_ascii_lowercase();
        let api = if name == "docker.io" { "registry-1.docker.io" } else { name.as_str() };
        let local = repository.is_loopback();
        // Who names certificate authorities may well mean a server with TLS on this machine; when it has none, the first
        // request falls back.
        let secure = !self.plain_http && (!local || self.line.http.has_authorities());
        Host {
            auth: Auth::new(&name),
            home: Mutex::new(home(if secure { "https" } else { "http" }, api)),
            may_fall_back: local && secure,
            name,
            known: Mutex::default(),
            wrote: Mutex::default(),
            doubted: Mutex::default(),
            slots: Semaphore::new(self.jobs),
            listing: tokio::sync::Mutex::default(),
        }
    }
}

/// A host of a [`Repository`] is a host of a URL: its characters were checked.
fn home(scheme: &str, api: &str) -> Option<Url> {
    Url::parse(&format!("{scheme}://{api}/")).ok()
}

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    /// As in references, with its port.
    pub(super) name: String,
    pub(super) auth: Auth,
    home: Mutex<Option<Url>>,
    may_fall_back: bool,
    known: Mutex<Known>,
    /// Paths that this process has written: a 404 on one of them is a host that lags behind.
    wrote: Mutex<BTreeSet<String>>,
    /// Blobs that the host said to have and then did not know.
    doubted: Mutex<BTreeSet<Digest>>,
    pub(super) slots: Semaphore,
    /// Held by the first who asks whether the host lists referrers.
    pub(super) listing: tokio::sync::Mutex<()>,
}

/// What answers have shown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) abilities: Abilities,
    /// Whether a mount from the repository itself says nothing of whether a blob is there.
    pub(super) no_self_mount: bool,
    /// Whether the host takes no `HEAD`.
    pub(super) no_head: bool,
    /// How much of a blob goes into one request.
    pub(super) smaller_uploads: u8,
}

impl Host {
    /// Where its API is.
    pub(super) fn home(&self) -> Result<Url, RegistryError> {
        lock(&self.home).clone().ok_or_else(|| RegistryError::Invalid {
            what: self.name.clone(),
            reason: "it is not the host of a URL".to_owned(),
        })
    }

    /// Without encryption from now on, where that is allowed and new.
    pub(super) fn fall_back(&self) -> bool {
        let mut home = lock(&self.home);
        match &mut *home {
            Some(url) if self.may_fall_back && url.scheme() == "https" => url.set_scheme("http").is_ok(),
            _ => false,
        }
    }

    /// Whether the first request to the host should be answered before the second is sent: where a login will be asked
    /// for, many at a time would all be refused.
    pub(super) fn meets_first(&self, home: &Url) -> bool {
        !self.auth.met() && !is_loopback(home)
    }

    pub(super) fn known(&self) -> Known {
        *lock(&self.known)
    }

    pub(super) fn learn(&self, change: impl FnOnce(&mut Known)) {
        change(&mut lock(&self.known));
    }

    pub(super) fn wrote(&self, path: String) {
        lock(&self.wrote).insert(path);
    }

    pub(super) fn has_written(&self, path: &str) -> bool {
        lock(&self.wrote).contains(path)
    }

    pub(super) fn has_written_anything(&self) -> bool {
        !lock(&self.wrote).is_empty()
    }

    pub(super) fn doubt(&self, digests: &[Digest]) {
        lock(&self.doubted).extend(digests);
    }

    pub(super) fn doubts(&self, digest: &Digest) -> bool {
        lock(&self.doubted).contains(digest)
    }

    pub(super) fn trust_again(&self, digest: &Digest) {
        lock(&self.doubted).remove(digest);
    }
}

/// What a thread that panicked has left is as good as before: every change here is a single one.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
