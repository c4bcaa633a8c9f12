//! Sigstore bundle v0.3 (sigstore/protobuf-specs, `sigstore_bundle.proto`, in its JSON form).

use serde_json::{Value, json};
use sigstore_types::PayloadBytes;

use super::canonical::Strict;
use super::intoto::{self, Statement, StatementError};
use crate::diag::{Hint, Kind};
use crate::model::Digest;

/// The media type of a bundle, and of the layer that carries one in a registry.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The largest bundle that is read.
pub const MAX_BYTES: usize = 32 << 20;

/// What was signed.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// The digest of an artifact.
    Message {
        /// The artifact.
        digest: &'a Digest,
        /// Over the artifact.
        signature: &'a [u8],
    },
    /// A statement in a DSSE envelope.
    Statement {
        /// Its exact bytes.
        payload: &'a [u8],
        /// Over the pre-authentication encoding of the envelope.
        signature: &'a [u8],
    },
}

/// One entry of a transparency log with one leaf (Rekor v1 shapes).
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// SHA-256 of the log's public key.
    pub log_id: Digest,
    /// `hashedrekord` or `dsse`.
    pub kind: &'static str,
    /// Seconds since 1970, covered by the promise.
    pub integrated_time: i64,
    /// The signed entry timestamp.
    pub promise: Vec<u8>,
    /// Hash of the leaf, which is the root.
    pub root: [u8; 32],
    /// The signed note over the root.
    pub checkpoint: String,
    /// What was logged.
    pub body: Vec<u8>,
}

/// The bundle as compact JSON, fields in the order of the specification.
pub fn write(certificate: &[u8], entry: &LogEntry, content: Content<'_>) -> Vec<u8> {
    let mut bundle = json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            "certificate": { "rawBytes": base64(certificate) },
            "tlogEntries": [{
                "logIndex": "0",
                "logId": { "keyId": base64(entry.log_id.as_bytes()) },
                "kindVersion": { "kind": entry.kind, "version": "0.0.1" },
                "integratedTime": entry.integrated_time.to_string(),
                "inclusionPromise": { "signedEntryTimestamp": base64(&entry.promise) },
                "inclusionProof": {
                    "logIndex": "0",
                    "rootHash": base64(&entry.root),
                    "treeSize": "1",
                    "hashes": [],
                    "checkpoint": { "envelope": entry.checkpoint },
                },
                "canonicalizedBody": base64(&entry.body),
            }],
        },
    });
    match content {
        Content::Message { digest, signature } => {
            bundle["messageSignature"] = json!({
                "messageDigest": { "algorithm": "SHA2_256", "digest": base64(digest.as_bytes()) },
                "signature": base64(signature),
            });
        }
        Content::Statement { payload, signature } => {
            bundle["dsseEnvelope"] = json!({
                "payload": base64(payload),
                "payloadType": intoto::PAYLOAD_TYPE,
                "signatures": [{ "sig": base64(signature) }],
            });
        }
    }
    bundle.to_string().into_bytes()
}

/// The bytes of the statement in a bundle, unverified; `None` for a message signature.
pub fn payload(bundle: &[u8]) -> Result<Option<Vec<u8>>, BundleError> {
    if bundle.len() > MAX_BYTES {
        return Err(BundleError::TooLarge { found: bundle.len() });
    }
    let Strict(value) = serde_json::from_slice(bundle).map_err(BundleError::Json)?;
    let message = value.get("messageSignature").is_some();
    let Some(envelope) = value.get("dsseEnvelope") else {
        return if message { Ok(None) } else { Err(BundleError::Content) };
    };
    if message {
        return Err(BundleError::Both);
    }
    let text = envelope.get("payload").and_then(Value::as_str).ok_or(BundleError::Content)?;
    let payload = PayloadBytes::from_base64(text).map_err(|_| BundleError::Content)?;
    Ok(Some(payload.as_bytes().to_vec()))
}

/// The statement of a bundle, unverified; `None` for a message signature.
pub fn statement(bundle: &[u8]) -> Result<Option<Statement>, BundleError> {
    payload(bundle)?.map(|payload| Statement::parse(&payload).map_err(BundleError::Statement)).transpose()
}

/// Whether a bundle is JSON without white space and with every key once, as [`write()`] makes it.
pub fn is_compact(bundle: &[u8]) -> bool {
    let value: Option<Value> = serde_json::from_slice(bundle).ok();
    value.is_some_and(|value| value.to_string().as_bytes() == bundle)
}

/// Standard base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    PayloadBytes::from_bytes(bytes).to_base64()
}

/// Why bytes are not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Too many bytes.
    #[error("the bundle has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not JSON.
    #[error("the bundle is not JSON with every key once")]
    Json(#[source] serde_json::Error),
    /// Neither a message signature nor an envelope.
    #[error("the bundle holds neither a message signature nor a DSSE envelope")]
    Content,
    /// A message signature beside an envelope: which of them was checked would be anybody's guess.
    #[error("the bundle holds both a message signature and a DSSE envelope")]
    Both,
    /// The payload is no statement.
    #[error("the payload of the bundle is no statement")]
    Statement(#[source] StatementError),
}

impl Hint for BundleError {
    fn code(&self) -> &'static str {
        "bundle"
    }

    fn kind(&self) -> Kind {
        Kind::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        let told = |text: &str| payload(text.as_bytes()).map_err(|error| error.to_string());
        let (message, envelope) = (r#""messageSignature":{}"#, r#""dsseEnvelope":{"payload":"e30="}"#);
        assert_eq!(told(&format!("{{{message}}}")), Ok(None));
        assert_eq!(told(&format!("{{{envelope}}}")), Ok(Some(b"{}".to_vec())));
        let both = "the bundle holds both a message signature and a DSSE envelope";
        assert_eq!(told(&format!("{{{message},{envelope}}}")).unwrap_err(), both);
        let twice = "the bundle is not JSON with every key once";
        assert_eq!(told(&format!("{{{message},{message}}}")).unwrap_err(), twice);
        assert_eq!(told(r#"{"messageSignature":{"a":1,"a":1}}"#).unwrap_err(), twice);
    }
}
