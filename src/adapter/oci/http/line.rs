//! What every request of a process goes over.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::credentials::CredentialSources;
use super::traffic::Traffic;
use crate::adapter::http::{Http, HttpError, Patience};
use crate::port::RegistryError;

/// Something that is still to be said to a host when everything else is done.
type Parting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Clients, logins, patience, and who hears of requests. How requests are sent is in `send`.
pub(super) struct Line {
    pub(super) http: Http,
    pub(super) credentials: CredentialSources,
    pub(super) patience: Patience,
    pub(super) traffic: Arc<Traffic>,
    partings: Mutex<Vec<Parting>>,
}

impl Line {
    pub(super) fn new(
        http: Http,
        credentials: CredentialSources,
        patience: Patience,
        traffic: Arc<Traffic>,
    ) -> Self {
        Self { http, credentials, patience, traffic, partings: Mutex::default() }
    }

    /// Keeps something for the end of the run: what is dropped cannot wait.
    pub(super) fn leave_behind(&self, parting: impl Future<Output = ()> + Send + 'static) {
        self.partings.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(parting));
    }

    /// Does everything that was kept for the end, side by side.
    pub(super) async fn part(&self) {
        let mut partings = tokio::task::JoinSet::new();
        for parting in std::mem::take(&mut *self.partings.lock().unwrap_or_else(PoisonError::into_inner)) {
            partings.spawn(parting);
        }
        while partings.join_next().await.is_some() {}
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { http, credentials, patience, traffic, .. } = self;
        let mut shown = f.debug_struct("Line");
        shown.field("http", http).field("credentials", credentials).field("patience", patience);
        shown.field("traffic", traffic).finish_non_exhaustive()
    }
}

/// A client that cannot be made, as an error of a registry.
pub(super) fn of_http(error: HttpError) -> RegistryError {
    match error {
        HttpError::Offline { host } => RegistryError::Offline { host },
        HttpError::Authorities { .. } | HttpError::Client { .. } => {
            RegistryError::Client { reason: error.to_string() }
        }
    }
}
