//! `NAME.evidence.json` beside a file: what it is, and what it was made for. `NAME.evidence.sigstore.json` beside both:
//! somebody's signature under exactly that.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Item, Kind, Trust, read};
use crate::attest::{self, EVIDENCE_PREDICATE};
use crate::diag::{Hint, Kind as ErrorKind};
use crate::format::intoto::Statement;
use crate::model::{AssetName, CommitId, Digest};
use crate::port::SignerIdentity;

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
    /// The platform manifests it was made for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<Digest>,
    /// The files of the release it was made for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub assets: BTreeMap<AssetName, Digest>,
    /// When it was added.
    pub produced: Timestamp,
}

impl Envelope {
    /// The value of `schema`.
    pub const SCHEMA: &str = "kyklos-release/evidence/v1";
    /// What the name of an envelope ends with.
    pub const SUFFIX: &str = ".evidence.json";
    /// What the name of the bundle ends with that vouches for an envelope.
    pub const BUNDLE_SUFFIX: &str = ".evidence.sigstore.json";

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
            Kind::Checksums | Kind::Sbom | Kind::Signatures | Kind::Approval => Trust::Bare,
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
            platforms: self.platforms.clone(),
            assets: self.assets.clone(),
            produced: Some(self.produced),
            fact,
        }
    }

    /// The statement that vouches for a file in this envelope, as bytes to be signed.
    pub fn statement(&self, name: &str) -> Result<Vec<u8>, serde_json::Error> {
        let platforms = self.index.iter().chain(&self.platforms).map(|digest| (None, *digest));
        let assets = self.assets.iter().map(|(name, digest)| (Some(name.to_string()), *digest));
        let made_for: Vec<_> = platforms.chain(assets).collect();
        let predicate = serde_json::to_value(self)?;
        Ok(attest::evidence_statement((name, self.digest), &made_for, predicate).to_bytes())
    }

    /// The same evidence with a bundle beside it: attested when the expected signer says exactly what this envelope
    /// says, unreadable when it does not hold. A bundle that nobody can check proves nothing and spoils nothing.
    pub fn witnessed(&self, mut item: Item, witness: &Witness<'_>) -> Item {
        if item.fact.is_err() {
            return item;
        }
        match self.vouched(witness) {
            Ok(()) => item.trust = Trust::Attested,
            Err(reason) => item.fact = Err(format!("its signature does not vouch for it: {reason}")),
        }
        item
    }

    fn vouched(&self, witness: &Witness<'_>) -> Result<(), String> {
        let Witness { bundle, trust, signer } = witness;
        let verified = trust.verify(bundle, &self.digest, signer).map_err(|error| {
            let facts = error.facts().into_iter().map(|(label, value)| format!("; {label} {value}"));
            format!("{error}{}", facts.collect::<String>())
        })?;
        let found = verified.predicate_type.as_deref().unwrap_or("a message signature");
        if found != EVIDENCE_PREDICATE {
            return Err(format!("expected a statement of type {EVIDENCE_PREDICATE}, found {found}"));
        }
        let statement = verified.statement.as_deref().map(Statement::parse);
        let signed = statement.and_then(Result::ok).map(|statement| statement.predicate);
        if signed.is_some() && signed == serde_json::to_value(self).ok() {
            Ok(())
        } else {
            Err("the envelope says something else than what was signed".to_owned())
        }
    }
}

/// A bundle beside an envelope, and whom to believe.
pub struct Witness<'a> {
    /// The bytes of the bundle.
    pub bundle: &'a [u8],
    /// What a signature must hold under.
    pub trust: &'a dyn crate::port::Trust,
    /// Who must have signed.
    pub signer: &'a SignerIdentity,
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
