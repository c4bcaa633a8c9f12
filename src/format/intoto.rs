//! in-toto Statement v1: what a signature speaks of, and what it says.
//!
//! Stricter than most readers: a key that stands twice is refused at any depth, and every digest of a subject that
//! this tool knows must be there and agree.

use serde_json::{Map, Value};

use super::canonical::Strict;
use crate::diag::{Hint, Kind};
use crate::model::{Digest, DigestAlgorithm};

/// The only `_type` that is read and written.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The payload type of a DSSE envelope around a statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The largest statement that is read.
pub const MAX_BYTES: usize = 16 << 20;

/// One thing a statement speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// A file name, where the statement gives one.
    pub name: Option<String>,
    /// Its SHA-256.
    pub digest: Digest,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it speaks of; never empty.
    pub subjects: Vec<Subject>,
    /// What kind of thing it says.
    pub predicate_type: String,
    /// What it says.
    pub predicate: Value,
}

impl Statement {
    /// Reads the payload of an envelope.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > MAX_BYTES {
            return Err(StatementError::TooLarge { found: bytes.len() });
        }
        let Strict(value) = serde_json::from_slice(bytes).map_err(StatementError::Json)?;
        let text = |key: &'static str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or(StatementError::Field { field: key })
        };
        let found = text("_type")?;
        if found != STATEMENT_TYPE {
            return Err(StatementError::Type { found });
        }
        let subjects = value
            .get("subject")
            .and_then(Value::as_array)
            .ok_or(StatementError::Field { field: "subject" })?;
        let subjects = subjects.iter().map(subject).collect::<Result<Vec<_>, _>>()?;
        if subjects.is_empty() {
            return Err(StatementError::Field { field: "subject" });
        }
        let predicate = value.get("predicate").cloned().unwrap_or(Value::Null);
        Ok(Self { subjects, predicate_type: text("predicateType")?, predicate })
    }

    /// The bytes that are signed: compact JSON in the order of the specification.
    pub fn to_bytes(&self) -> Vec<u8> {
        let subjects: Vec<Value> = self
            .subjects
            .iter()
            .map(|subject| {
                let mut object = Map::new();
                object.extend(subject.name.clone().map(|name| ("name".to_owned(), Value::from(name))));
                object.insert(
                    "digest".to_owned(),
                    serde_json::json!({ subject.digest.algorithm().name(): subject.digest.hex() }),
                );
                Value::Object(object)
            })
            .collect();
        serde_json::json!({
            "_type": STATEMENT_TYPE,
            "subject": subjects,
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        })
        .to_string()
        .into_bytes()
    }

    /// Whether a digest is among the subjects.
    pub fn speaks_of(&self, digest: &Digest) -> bool {
        self.subjects.iter().any(|subject| subject.digest == *digest)
    }
}

fn subject(value: &Value) -> Result<Subject, StatementError> {
    let digests = value
        .get("digest")
        .and_then(Value::as_object)
        .ok_or(StatementError::Field { field: "subject.digest" })?;
    let hex = digests
        .get("sha256")
        .and_then(Value::as_str)
        .ok_or(StatementError::Field { field: "subject.digest.sha256" })?;
    let digest = DigestAlgorithm::Sha256
        .from_hex(hex)
        .map_err(|_| StatementError::Field { field: "subject.digest.sha256" })?;
    // Another algorithm could name other bytes under the same subject, and nobody here would look.
    if let Some(other) = digests.keys().find(|key| key.as_str() != "sha256") {
        return Err(StatementError::Algorithm { found: other.clone() });
    }
    let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
    Ok(Subject { name, digest })
}

/// Why bytes are not a statement this tool believes.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Too many bytes.
    #[error("the statement has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not JSON, or a key stands twice.
    #[error("the statement is not JSON with every key once")]
    Json(#[source] serde_json::Error),
    /// Another `_type`.
    #[error("the statement is of type `{found}`, expected {STATEMENT_TYPE}")]
    Type {
        /// The value found.
        found: String,
    },
    /// A field is missing or malformed.
    #[error("`{field}` of the statement is missing or malformed")]
    Field {
        /// Its path.
        field: &'static str,
    },
    /// A digest algorithm nobody here checks.
    #[error("a subject carries a {found} digest, which is not checked here")]
    Algorithm {
        /// The algorithm.
        found: String,
    },
}

impl Hint for StatementError {
    fn code(&self) -> &'static str {
        "statement"
    }

    fn kind(&self) -> Kind {
        Kind::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            subjects: vec![Subject { name: Some("a.txt".to_owned()), digest: Digest::of(b"a") }],
            predicate_type: "https://example.com/p/v1".to_owned(),
            predicate: serde_json::json!({"z": 1, "a": [true, null]}),
        }
    }

    #[test]
    fn survives_a_round_trip() {
        let bytes = statement().to_bytes();
        assert_eq!(Statement::parse(&bytes).unwrap(), statement());
        assert!(statement().speaks_of(&Digest::of(b"a")));
        assert!(!statement().speaks_of(&Digest::of(b"b")));
    }

    #[test]
    fn refuses_what_others_accept() {
        let good = String::from_utf8(statement().to_bytes()).unwrap();
        let other_digest = r#""sha512":"00","sha256":"#;
        for (bad, why) in [
            (good.replace("Statement/v1", "Statement/v9"), "is of type"),
            (good.replace(r#""z":1"#, r#""z":1,"z":2"#), "every key once"),
            (good.replace(r#""predicateType""#, r#""predicateType":"x","predicateType""#), "every key once"),
            (good.replace(r#""sha256":"#, other_digest), "sha512"),
            (good.replace("sha256", "sha384"), "sha256"),
            (format!("{good} x"), "every key once"),
        ] {
            let error = Statement::parse(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
