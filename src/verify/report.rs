//! What was checked and what came of it.

use jiff::Timestamp;

use crate::model::Digest;
use crate::port::{SignerIdentity, TrustError, Verified};

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every check passed.
    Verified,
    /// Something could not be checked, nothing was refused.
    Undecided,
    /// At least one check failed.
    Refused,
}

/// Why a check failed; the gravest of a report is its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A source of facts could not be read.
    CouldNotCheck,
    /// Everything is genuine, and it is not what was asked for.
    PolicyUnmet,
    /// There is no signature.
    NotSigned,
    /// A valid signature by somebody else.
    WrongSigner,
    /// Bytes are not what was signed.
    Tampered,
}

/// One failed check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable, in kebab case.
    pub code: &'static str,
    /// The file or image it is about.
    pub subject: String,
    /// What was expected and what was found.
    pub message: String,
    /// What it means.
    pub reason: Reason,
}

/// One file or image that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its digest, as found.
    pub digest: Digest,
    /// Signatures that hold.
    pub signatures: Vec<Signature>,
}

/// A signature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The file it stands in.
    pub place: String,
    /// Who signed.
    pub identity: SignerIdentity,
    /// The trusted time.
    pub time: Option<Timestamp>,
    /// Index in the transparency log.
    pub log_index: Option<u64>,
    /// Type of the statement; `None` for a message signature.
    pub predicate_type: Option<String>,
}

impl Signature {
    /// A verified bundle and where it stood.
    pub fn new(place: &str, verified: &Verified) -> Self {
        Self {
            place: place.to_owned(),
            identity: verified.identity.clone(),
            time: verified.time,
            log_index: verified.log_index,
            predicate_type: verified.predicate_type.clone(),
        }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files and images in the order they were looked at.
    pub subjects: Vec<Subject>,
    /// Failed checks in the order they were made.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The answer.
    pub fn verdict(&self) -> Verdict {
        match self.reason() {
            None => Verdict::Verified,
            Some(Reason::CouldNotCheck) => Verdict::Undecided,
            Some(Reason::PolicyUnmet | Reason::NotSigned | Reason::WrongSigner | Reason::Tampered) => {
                Verdict::Refused
            }
        }
    }

    /// The gravest reason; `None` when every check passed.
    pub fn reason(&self) -> Option<Reason> {
        self.findings.iter().map(|finding| finding.reason).max()
    }

    /// Whether a subject has no finding.
    pub fn is_clean(&self, name: &str) -> bool {
        !self.findings.iter().any(|finding| finding.subject == name)
    }

    /// A check outside of this module that failed because bytes are not what they should be.
    pub fn refuse(&mut self, code: &'static str, subject: &str, message: String) {
        self.fail(Reason::Tampered, code, subject, message);
    }

    /// A file that is looked at.
    pub fn look_at(&mut self, name: &str, digest: Digest) {
        self.seen(name, digest);
    }

    /// A signature that holds.
    pub fn hold(&mut self, name: &str, place: &str, verified: &Verified) {
        self.signed(name, &Signature::new(place, verified));
    }

    /// A file without a signature.
    pub fn unsigned(&mut self, name: &str, message: String) {
        self.fail(Reason::NotSigned, "verify-not-signed", name, message);
    }

    /// A genuine file that is not what was asked for.
    pub fn unmet(&mut self, name: &str, message: String) {
        self.fail(Reason::PolicyUnmet, "verify-policy", name, message);
    }

    /// A signature that does not hold.
    pub fn doubt(&mut self, name: &str, error: &TrustError) {
        self.distrust(name, error);
    }

    pub(super) fn fail(
        &mut self,
        reason: Reason,
        code: &'static str,
        subject: &str,
        message: impl Into<String>,
    ) {
        self.findings.push(Finding { code, subject: subject.to_owned(), message: message.into(), reason });
    }

    /// A bundle that does not hold.
    pub(super) fn distrust(&mut self, subject: &str, error: &TrustError) {
        let reason = match error {
            TrustError::WrongSigner { .. } => Reason::WrongSigner,
            TrustError::NoKey | TrustError::Files(_) | TrustError::Root { .. } => Reason::CouldNotCheck,
            TrustError::Unreadable { .. }
            | TrustError::Invalid { .. }
            | TrustError::WrongArtifact { .. }
            | TrustError::Algorithm { .. } => Reason::Tampered,
        };
        let facts: String = crate::diag::Hint::facts(error)
            .into_iter()
            .map(|(label, value)| format!("; {label} {value}"))
            .collect();
        self.fail(reason, crate::diag::Hint::code(error), subject, format!("{error}{facts}"));
    }

    pub(super) fn seen(&mut self, name: &str, digest: Digest) {
        self.subjects.push(Subject { name: name.to_owned(), digest, signatures: Vec::new() });
    }

    pub(super) fn signed(&mut self, name: &str, signature: &Signature) {
        if let Some(subject) = self.subjects.iter_mut().find(|subject| subject.name == name) {
            subject.signatures.push(signature.clone());
        }
    }
}
