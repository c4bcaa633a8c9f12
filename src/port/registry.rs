//! An image registry, or anything that stores content by digest and names it with tags.

use std::io;
use std::io::Read;
use std::path::PathBuf;

use async_trait::async_trait;

use crate::diag::{Hint, Kind};
use crate::format::oci::Descriptor;
use crate::model::Digest;

/// A stream of a blob's bytes. The receiver counts and hashes; the sender promises nothing.
///
/// Reading may block until the runtime has made progress elsewhere, so it is read in `spawn_blocking` and never to the
/// end into memory unless its size is known to be small.
pub type BlobReader = Box<dyn Read + Send>;

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

/// One repository of a registry. Everything read is checked against its digest before it is returned.
#[async_trait(?Send)]
pub trait Registry {
    /// The manifest under a digest, at most `limit` bytes; `None` when there is none.
    async fn manifest(&self, digest: &Digest, limit: u64) -> Result<Option<Manifest>, RegistryError>;

    /// The digest a tag points to; `None` when there is no such tag.
    async fn resolve(&self, tag: &str) -> Result<Option<Digest>, RegistryError>;

    /// Every tag, sorted.
    async fn tags(&self) -> Result<Vec<String>, RegistryError>;

    /// Whether a blob is stored.
    async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError>;

    /// The content of a blob. The reader fails instead of handing out the last bytes when digest or size are not those
    /// of the descriptor ([`RegistryError::of_read`] brings the reason back).
    async fn blob(&self, descriptor: &Descriptor) -> Result<Option<BlobReader>, RegistryError>;

    /// Stores a blob. Content of another size or digest is refused and nothing is stored.
    async fn put_blob(&self, digest: &Digest, size: u64, content: BlobReader) -> Result<(), RegistryError>;

    /// Stores a manifest under its digest. Everything it names must be there already.
    async fn put_manifest(&self, media_type: &str, bytes: &[u8]) -> Result<Digest, RegistryError>;

    /// Points a tag (`[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`) to a stored manifest, moving it when it exists. Who may move is decided above.
    async fn tag(&self, tag: &str, digest: &Digest) -> Result<(), RegistryError>;

    /// Manifests whose `subject` is the digest, sorted by digest, each with its `artifactType` and annotations.
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError>;
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
    /// A stream of content could not be read to its end.
    #[error("cannot read {what}")]
    Read {
        /// Which content.
        what: String,
        /// The answer of the stream.
        #[source]
        source: io::Error,
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
    /// The reason a [`BlobReader`] failed: what the registry said, or the answer of the stream.
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
            Self::NotStored { .. } => "registry-not-stored",
            Self::Read { .. } => "registry-read",
            Self::Io { .. } => "registry-io",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::DigestMismatch { .. } | Self::SizeMismatch { .. } => Kind::Refused,
            Self::TooLarge { .. } | Self::Invalid { .. } => Kind::Refused,
            Self::NotStored { .. } => Kind::Undecided,
            Self::Read { .. } => Kind::Interrupted,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Kind::Usage,
                _ => Kind::Interrupted,
            },
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::DigestMismatch { expected, found, .. } => {
                vec![("expected", expected.to_string()), ("found", found.to_string())]
            }
            Self::SizeMismatch { .. }
            | Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::NotStored { .. }
            | Self::Read { .. }
            | Self::Io { .. } => Vec::new(),
        }
    }
}
