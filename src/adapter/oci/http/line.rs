//! What every request of a process goes over.

use std::sync::Arc;

use super::credentials::CredentialSources;
use super::traffic::Traffic;
use crate::adapter::http::{Http, HttpError, Patience};
use crate::port::RegistryError;

/// Clients, logins, patience, and who hears of requests. Its methods are in `send`.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) http: Http,
    pub(super) credentials: CredentialSources,
    pub(super) patience: Patience,
    pub(super) traffic: Arc<Traffic>,
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
