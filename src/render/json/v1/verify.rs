//! Answers of `verify` and `trust`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::verify::{Reason, Report, Verdict};

/// `verify`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Verified {
    /// The answer.
    pub verdict: Answer,
    /// The gravest reason of a no.
    pub reason: Option<Why>,
    /// What was looked at.
    pub subjects: Vec<Subject>,
}

/// The answer.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Every check passed.
    Verified,
    /// At least one check failed.
    Refused,
    /// Not everything could be checked.
    Undecided,
}

/// Why the answer is no.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// There is no signature.
    NotSigned,
    /// A valid signature by somebody else.
    WrongSigner,
    /// Bytes are not what was signed.
    Tampered,
    /// Genuine, and not what was asked for.
    PolicyUnmet,
    /// A source of facts could not be read.
    CouldNotCheck,
}

/// One file or image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// The answer for it alone.
    pub verdict: Answer,
    /// Signatures that hold.
    pub signatures: Vec<Signature>,
}

/// A signature that holds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Signature {
    /// The file it stands in.
    pub place: String,
    /// Who signed.
    pub identity: String,
    /// The issuer of the identity.
    pub issuer: String,
    /// The trusted time.
    pub time: Option<String>,
    /// Index in the transparency log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// Type of the statement; `null` for a message signature.
    pub predicate_type: Option<String>,
}

impl From<&Report> for Verified {
    fn from(report: &Report) -> Self {
        let answer = |verdict| match verdict {
            Verdict::Verified => Answer::Verified,
            Verdict::Refused => Answer::Refused,
            Verdict::Undecided => Answer::Undecided,
        };
        let why = |reason| match reason {
            Reason::NotSigned => Why::NotSigned,
            Reason::WrongSigner => Why::WrongSigner,
            Reason::Tampered => Why::Tampered,
            Reason::PolicyUnmet => Why::PolicyUnmet,
            Reason::CouldNotCheck => Why::CouldNotCheck,
        };
        let signature = |signature: &crate::verify::Signature| Signature {
            place: signature.place.clone(),
            identity: signature.identity.subject.clone(),
            issuer: signature.identity.issuer.clone(),
            time: signature.time.map(|time| time.to_string()),
            log_index: signature.log_index,
            predicate_type: signature.predicate_type.clone(),
        };
        let subject = |subject: &crate::verify::Subject| Subject {
            name: subject.name.clone(),
            digest: subject.digest.to_string(),
            verdict: if report.is_clean(&subject.name) { Answer::Verified } else { Answer::Refused },
            signatures: subject.signatures.iter().map(signature).collect(),
        };
        Self {
            verdict: answer(report.verdict()),
            reason: report.reason().map(why),
            subjects: report.subjects.iter().map(subject).collect(),
        }
    }
}

/// `trust create`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrustRoot {
    /// The file a consumer pins.
    pub trusted_root: String,
    /// Who the certificate names.
    pub identity: String,
    /// The issuer of the identity.
    pub issuer: String,
}
