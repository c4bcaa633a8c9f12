//! Why a registry did not do what it was asked for.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::super::files::{way_out, weight};
use crate::diag::{Hint, Kind};
use crate::model::Digest;

/// One request to a host and what came of it. Text of the host is escaped and cut; nothing here is secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// The host with its port.
    pub host: String,
    /// The repository path on it.
    pub repository: String,
    /// Method and path below the repository, without query: `PUT manifests/v1.2.3`.
    pub request: String,
    /// The status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// The host's own error code (distribution-spec, "Error Codes").
    pub code: Option<String>,
    /// The host's own words.
    pub message: Option<String>,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, repository, request, status, .. } = self;
        match status {
            Some(status) => write!(f, "{host} answered {status} to {request} of {repository}"),
            None => write!(f, "{host} did not answer {request} of {repository}"),
        }
    }
}

/// What a refusal of a host means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A fault that passes; what could be tried again was.
    Transient,
    /// Credentials are missing, wrong, or do not allow it (401, 403).
    Denied,
    /// Somebody else was faster, or the host keeps what it has (409, 412).
    Conflict,
    /// There is no such repository (404).
    Missing,
    /// The host will not do it however often it is asked.
    Refused,
}

/// Why a connection is not secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// Nobody who is trusted vouches for the certificate.
    Issuer,
    /// The certificate is for other names.
    Name,
    /// The certificate is not valid now.
    Time,
    /// The host does not speak TLS.
    None,
    /// Anything else.
    Other,
}

/// Why a registry did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Content does not have the digest it is stored under.
    #[error("{what} has another digest than it is stored under")]
    DigestMismatch {
        /// Which content.
        what: String,
        /// The digest it was asked by.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// Content has another size than its descriptor says.
    #[error("{what} has {found} bytes, its descriptor says {expected}")]
    SizeMismatch {
        /// Which content.
        what: String,
        /// The size in the descriptor.
        expected: u64,
        /// The size seen; at least one more than expected when reading was stopped.
        found: u64,
    },
    /// More bytes than the reader takes.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// Which content.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The document is not what the specification asks for.
    #[error("{what} is not valid: {reason}")]
    Invalid {
        /// Which document.
        what: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// Something a manifest names is not stored.
    #[error("{digest} is not in the registry")]
    NotStored {
        /// The missing content.
        digest: Digest,
    },
    /// Several things a manifest names are not stored.
    #[error("{} things that {digest} names are not in the registry", missing.len())]
    NamedNotStored {
        /// The manifest.
        digest: Digest,
        /// The missing content, at least one.
        missing: Vec<Digest>,
    },
    /// The host refused, or did not answer.
    #[error("{exchange}")]
    Answered {
        /// What it means.
        fault: Fault,
        /// What was asked and answered.
        exchange: Box<Exchange>,
    },
    /// The host could not be reached, or the connection broke, as often as it was tried.
    #[error("{exchange}: {reason}")]
    Unreached {
        /// What was asked.
        exchange: Box<Exchange>,
        /// What broke.
        reason: String,
    },
    /// The host cannot be spoken to securely. Nothing was sent.
    #[error("{host} is not trusted: {reason}")]
    Insecure {
        /// The host with its port.
        host: String,
        /// What is missing.
        fault: TlsFault,
        /// The same in words.
        reason: String,
    },
    /// A host may not be reached.
    #[error("{host} cannot be reached without the network")]
    Offline {
        /// The host with its port.
        host: String,
    },
    /// The host leads to a place that gets no request of ours.
    #[error("{host} leads to {place}, which is not followed: {reason}")]
    Astray {
        /// The host with its port.
        host: String,
        /// Scheme and host of the place.
        place: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// Credentials could not be found out.
    #[error("the credentials for {host} cannot be read: {reason}")]
    Credentials {
        /// The host with its port.
        host: String,
        /// What is wrong; no secret.
        reason: String,
    },
    /// The client itself could not be made.
    #[error("the HTTP client cannot be made: {reason}")]
    Client {
        /// What is wrong.
        reason: String,
    },
    /// A stream of content could not be read to its end.
    #[error("cannot read {what}")]
    Read {
        /// Which content.
        what: String,
        /// The answer of the stream.
        #[source]
        source: io::Error,
    },
    /// Somebody else has written to a store that is written as a whole.
    #[error("{} was written by somebody else meanwhile; nothing was changed", path.display())]
    Changed {
        /// Where.
        path: PathBuf,
    },
    /// The store could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The answer of the system.
        #[source]
        source: io::Error,
    },
}

impl RegistryError {
    /// The reason a [`BlobReader`](super::BlobReader) failed: what the registry said, or the answer of the stream.
    pub fn of_read(source: io::Error, what: &str) -> Self {
        source.downcast::<Self>().unwrap_or_else(|source| Self::Read { what: what.to_owned(), source })
    }
}

impl Hint for RegistryError {
    fn code(&self) -> &'static str {
        match self {
            Self::DigestMismatch { .. } => "registry-digest",
            Self::SizeMismatch { .. } => "registry-size",
            Self::TooLarge { .. } => "registry-too-large",
            Self::Invalid { .. } => "registry-invalid",
            Self::NotStored { .. } | Self::NamedNotStored { .. } => "registry-not-stored",
            Self::Answered { fault, .. } => match fault {
                Fault::Transient => "registry-transient",
                Fault::Denied => "registry-denied",
                Fault::Conflict => "registry-conflict",
                Fault::Missing => "registry-no-repository",
                Fault::Refused => "registry-refused",
            },
            Self::Unreached { .. } => "registry-unreached",
            Self::Insecure { .. } => "registry-insecure",
            Self::Offline { .. } => "registry-offline",
            Self::Astray { .. } => "registry-astray",
            Self::Credentials { .. } => "registry-credentials",
            Self::Client { .. } => "registry-client",
            Self::Read { .. } => "registry-read",
            Self::Changed { .. } => "registry-changed",
            Self::Io { .. } => "registry-io",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::DigestMismatch { .. } | Self::SizeMismatch { .. } => Kind::Refused,
            Self::TooLarge { .. } | Self::Invalid { .. } | Self::Astray { .. } => Kind::Refused,
            Self::NotStored { .. } | Self::NamedNotStored { .. } => Kind::Undecided,
            Self::Answered { fault, .. } => match fault {
                Fault::Transient => Kind::Interrupted,
                Fault::Denied => Kind::Denied,
                Fault::Conflict => Kind::Conflict,
                Fault::Missing => Kind::Undecided,
                Fault::Refused => Kind::Refused,
            },
            Self::Unreached { .. } => Kind::Interrupted,
            Self::Offline { .. } | Self::Client { .. } => Kind::Usage,
            Self::Credentials { .. } | Self::Insecure { .. } => Kind::Denied,
            Self::Read { .. } | Self::Changed { .. } => Kind::Interrupted,
            Self::Io { source, .. } => weight(source),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::DigestMismatch { expected, found, .. } => {
                vec![("expected", expected.to_string()), ("found", found.to_string())]
            }
            Self::NamedNotStored { missing, .. } => {
                missing.iter().take(8).map(|digest| ("missing", digest.to_string())).collect()
            }
            Self::Answered { exchange, .. } | Self::Unreached { exchange, .. } => {
                let code = exchange.code.clone().map(|code| ("code", code));
                code.into_iter().chain(exchange.message.clone().map(|text| ("message", text))).collect()
            }
            Self::SizeMismatch { .. }
            | Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::NotStored { .. }
            | Self::Insecure { .. }
            | Self::Offline { .. }
            | Self::Astray { .. }
            | Self::Credentials { .. }
            | Self::Client { .. }
            | Self::Read { .. }
            | Self::Changed { .. }
            | Self::Io { .. } => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        let again = || vec!["run the same command again; what is stored is not sent again".to_owned()];
        match self {
            Self::Answered { fault, exchange } => match fault {
                Fault::Transient => again(),
                Fault::Denied if exchange.status == Some(407) => {
                    vec!["give the proxy its login: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT".to_owned()]
                }
                Fault::Denied => vec![format!(
                    "log in with `docker login {}`, or name a file of credentials with --authfile",
                    exchange.host
                )],
                Fault::Missing | Fault::Conflict | Fault::Refused => Vec::new(),
            },
            Self::Unreached { .. } => again(),
            Self::Insecure { fault, .. } => match fault {
                TlsFault::Issuer => vec![
                    "name a certificate authority that vouches for the host with --ca-file FILE or SSL_CERT_FILE"
                        .to_owned(),
                ],
                TlsFault::Name => vec!["name the host as its certificate does".to_owned()],
                TlsFault::Time => vec!["look at the clock of this machine, then at that of the host".to_owned()],
                TlsFault::None => vec![
                    "with --plain-http it is spoken to without encryption; nobody logs in to such a host".to_owned(),
                ],
                TlsFault::Other => Vec::new(),
            },
            Self::Io { source, .. } => way_out(source),
            Self::Changed { .. } => {
                vec!["run the same command again; it adds to what is there now".to_owned()]
            }
            Self::Offline { .. } => vec!["leave --offline out, or name an image layout: oci:DIR".to_owned()],
            Self::DigestMismatch { .. }
            | Self::SizeMismatch { .. }
            | Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::NotStored { .. }
            | Self::NamedNotStored { .. }
            | Self::Astray { .. }
            | Self::Credentials { .. }
            | Self::Client { .. }
            | Self::Read { .. } => Vec::new(),
        }
    }
}
