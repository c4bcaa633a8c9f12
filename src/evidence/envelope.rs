//! `NAME.evidence.json` beside a file: what it is, and what it was made for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Item, Kind, Trust, read};
use crate::diag::{Hint, Kind as ErrorKind};
use crate::model::{CommitId, Digest};

/// What `evidence add` writes beside a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Always [`Envelope::SCHEMA`].
    pub schema: String,
    /// What the file is.
    pub kind: Kind,
    /// Digest of the file.
    pub digest: Digest,
    /// The commit it was made for.
    pub commit: CommitId,
    /// The image it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<Digest>,
    /// When it was added.
    pub produced: Timestamp,
}

impl Envelope {
    /// The value of `schema`.
    pub const SCHEMA: &str = "kyklos-release/evidence/v1";
    /// What the name of an envelope ends with.
    pub const SUFFIX: &str = ".evidence.json";

    /// Reads an envelope.
    pub fn parse(bytes: &[u8], path: &str) -> Result<Self, EnvelopeError> {
        let failed = |source| EnvelopeError::Json { path: path.to_owned(), source };
        let envelope: Self = serde_json::from_slice(bytes).map_err(failed)?;
        if envelope.schema != Self::SCHEMA {
            return Err(EnvelopeError::Schema { path: path.to_owned(), found: envelope.schema });
        }
        Ok(envelope)
    }

    /// Reports of other tools are bound by their envelope. Facts that this tool measures by itself and finds in a file
    /// could have been typed by anybody.
    fn trust(&self) -> Trust {
        match self.kind {
            Kind::Gotest | Kind::Junit | Kind::Changelog | Kind::Image | Kind::Json => Trust::Bound,
            Kind::Checksums | Kind::Sbom | Kind::Signatures => Trust::Bare,
        }
    }

    /// The evidence of a file in this envelope. A file with another digest is unreadable, not absent.
    pub fn open(&self, path: &str, bytes: &[u8]) -> Item {
        let digest = Digest::of(bytes);
        let fact = if digest == self.digest {
            read(self.kind, bytes)
        } else {
            Err(format!("its envelope is for other content: expected {}, found {digest}", self.digest))
        };
        Item {
            kind: self.kind,
            path: path.to_owned(),
            digest,
            trust: self.trust(),
            commit: Some(self.commit),
            index: self.index,
            produced: Some(self.produced),
            fact,
        }
    }
}

/// Why an envelope cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or not its fields.
    #[error("{path} is no envelope of evidence")]
    Json {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Another version.
    #[error("{path} is of schema `{found}`, expected {}", Envelope::SCHEMA)]
    Schema {
        /// The file.
        path: String,
        /// The value found.
        found: String,
    },
}

impl Hint for EnvelopeError {
    fn code(&self) -> &'static str {
        "evidence-envelope"
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Undecided
    }

    fn hints(&self) -> Vec<String> {
        vec!["add the file again with `kyklos-release evidence add FILE --kind KIND`".to_owned()]
    }
}
