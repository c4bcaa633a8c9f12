//! Signing and checking signatures. Bytes in, bytes out; formats are in `format::{intoto,bundle}`.

use async_trait::async_trait;
use jiff::Timestamp;

use super::files::FilesError;
use crate::diag::{Hint, Kind};
use crate::model::Digest;

/// A trust root, with or without the key that signs under it.
#[async_trait(?Send)]
pub trait Trust {
    /// Signs an in-toto statement (its exact bytes) and returns a Sigstore bundle v0.3 with a DSSE envelope.
    async fn sign_statement(&self, statement: &[u8]) -> Result<Vec<u8>, TrustError>;

    /// Signs the digest of an artifact and returns a Sigstore bundle v0.3 with a message signature.
    async fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, TrustError>;

    /// Checks that a bundle is a valid signature over the artifact with this digest by exactly the expected signer.
    /// For a DSSE bundle the digest must be a subject of the statement.
    fn verify(
        &self,
        bundle: &[u8],
        artifact: &Digest,
        expected: &SignerIdentity,
    ) -> Result<Verified, TrustError>;
}

/// Who signs, as the certificate says. Compared as a whole, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerIdentity {
    /// Subject alternative name.
    pub subject: String,
    /// OpenID Connect issuer.
    pub issuer: String,
}

/// A signature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who signed.
    pub identity: SignerIdentity,
    /// The trusted time of signing, when there is one.
    pub time: Option<Timestamp>,
    /// Index in the transparency log.
    pub log_index: Option<u64>,
    /// `predicateType` of a statement; `None` for a message signature.
    pub predicate_type: Option<String>,
    /// The bytes of the statement; `None` for a message signature.
    pub statement: Option<Vec<u8>>,
}

/// Why something could not be signed or a signature does not hold.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// This trust root was opened for checking only.
    #[error("there is no signing key here")]
    NoKey,
    /// The bundle is not a Sigstore bundle this tool accepts.
    #[error("the bundle cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The signature, certificate chain, log entry or time does not hold.
    #[error("the signature does not hold: {reason}")]
    Invalid {
        /// Which check failed.
        reason: String,
    },
    /// The signature is over other bytes.
    #[error("the signature is over other bytes")]
    WrongArtifact {
        /// The digest of the artifact.
        expected: Digest,
    },
    /// A digest of another algorithm than signatures are made over.
    #[error("signatures are made over sha256 digests, this is {}", found.algorithm())]
    Algorithm {
        /// The digest.
        found: Digest,
    },
    /// A valid signature by somebody else.
    #[error("it is signed, but not by the expected signer")]
    WrongSigner {
        /// Who was expected.
        expected: String,
        /// Who signed.
        found: String,
    },
    /// A file of the trust root cannot be read or written.
    #[error("the files of the trust root cannot be used")]
    Files(#[source] FilesError),
    /// The trust root itself cannot be used.
    #[error("the trust root cannot be used: {reason}")]
    Root {
        /// What is wrong with it.
        reason: String,
    },
}

impl Hint for TrustError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "sign-no-key",
            Self::Unreadable { .. } => "verify-bundle",
            Self::Invalid { .. } => "verify-signature",
            Self::WrongArtifact { .. } => "verify-artifact",
            Self::Algorithm { .. } => "verify-algorithm",
            Self::WrongSigner { .. } => "verify-identity",
            Self::Files(error) => error.code(),
            Self::Root { .. } => "trust-root",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Files(error) => error.kind(),
            Self::NoKey | Self::Root { .. } => Kind::Usage,
            Self::Unreadable { .. }
            | Self::Invalid { .. }
            | Self::WrongArtifact { .. }
            | Self::Algorithm { .. }
            | Self::WrongSigner { .. } => Kind::Refused,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::WrongSigner { expected, found } => {
                vec![("expected", expected.clone()), ("found", found.clone())]
            }
            Self::WrongArtifact { expected } => vec![("expected", expected.to_string())],
            Self::Algorithm { found } => {
                vec![("expected", "sha256:<64 hex digits>".to_owned()), ("found", found.to_string())]
            }
            Self::NoKey
            | Self::Unreadable { .. }
            | Self::Invalid { .. }
            | Self::Files(_)
            | Self::Root { .. } => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Files(error) => error.hints(),
            Self::NoKey
            | Self::Unreadable { .. }
            | Self::Invalid { .. }
            | Self::WrongArtifact { .. }
            | Self::Algorithm { .. }
            | Self::WrongSigner { .. }
            | Self::Root { .. } => Vec::new(),
        }
    }
}
