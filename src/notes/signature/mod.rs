//! Whether a commit is signed, and by somebody who is trusted.
//!
//! *Verified* is said only where everything was understood: the signature, the key, its limits and its revocations. A
//! signature that is damaged, by an unknown key, or of a kind this tool does not read is *present*, with the reason.
//! Nothing depends on the clock: a key must have been valid when the signature was made.

mod crypto;
mod openpgp;
mod ssh;

use jiff::Timestamp;

use crate::format::openpgp::{Certificate, PgpSignature};
use crate::format::sshsig::{AllowedSigner, Revoked, SshSignature};
use crate::model::SignedCommit;

/// Whose signatures are believed.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    /// Lines of a file of allowed signers.
    pub ssh: Vec<AllowedSigner>,
    /// SSH keys that are believed no more.
    pub revoked: Revoked,
    /// The keys of an OpenPGP keyring.
    pub openpgp: Vec<Certificate>,
}

/// What is known about the signature of a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SignatureState {
    /// It has none.
    #[default]
    None,
    /// It has one that proves nothing here.
    Present,
    /// Somebody who is trusted made it, over exactly this commit.
    Verified,
}

impl SignatureState {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Present => "present",
            Self::Verified => "verified",
        }
    }
}

/// What is known about the signature of a commit, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signed {
    /// In a word.
    pub state: SignatureState,
    /// `ssh` or `openpgp`; `None` for others.
    pub format: Option<&'static str>,
    /// Who made it: the principals of an allowed signer, or the first name and the fingerprint of a key.
    pub signer: Option<String>,
    /// Why it is not verified, where somebody is trusted at all.
    pub reason: Option<Doubt>,
}

/// Why a signature is not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// A kind of signature, key, hash or limit this tool does not read.
    NotUnderstood,
    /// Nobody who is trusted has the key.
    UnknownKey,
    /// The key was not valid when the signature was made.
    Expired,
    /// The key was taken back.
    Revoked,
    /// The key may not sign commits.
    NotForCommits,
    /// The signature is not one of this key over this commit.
    Wrong,
}

impl Doubt {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUnderstood => "not-understood",
            Self::UnknownKey => "unknown-key",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::NotForCommits => "not-for-commits",
            Self::Wrong => "wrong",
        }
    }
}

/// How many commits of a release are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignatureCounts {
    /// Without a signature.
    pub none: usize,
    /// With one that proves nothing here.
    pub present: usize,
    /// With one of somebody who is trusted.
    pub verified: usize,
}

impl SignatureCounts {
    /// Counts one more.
    pub fn add(&mut self, state: SignatureState) {
        match state {
            SignatureState::None => self.none += 1,
            SignatureState::Present => self.present += 1,
            SignatureState::Verified => self.verified += 1,
        }
    }
}

impl Signed {
    /// A signature nobody was asked to check.
    pub fn unchecked() -> Self {
        Self { state: SignatureState::Present, ..Self::default() }
    }

    fn doubt(format: Option<&'static str>, signer: Option<String>, reason: Doubt) -> Self {
        Self { state: SignatureState::Present, format, signer, reason: Some(reason) }
    }
}

impl Trusted {
    /// Whether anybody is trusted.
    pub fn is_empty(&self) -> bool {
        self.ssh.is_empty() && self.openpgp.is_empty()
    }

    /// Judges the signature of a commit that has one; `time` is when it was committed.
    pub fn judge(&self, commit: &SignedCommit, time: Timestamp) -> Signed {
        // Two signatures in one header: which one counts, programs disagree about.
        if !commit.single {
            return Signed::doubt(None, None, Doubt::NotUnderstood);
        }
        let Ok(text) = std::str::from_utf8(&commit.signature) else {
            return Signed::doubt(None, None, Doubt::NotUnderstood);
        };
        let text = text.trim();
        let (format, answer) = if text.starts_with(SshSignature::BEGIN) {
            ("ssh", ssh::judge(self, text, &commit.payload, time))
        } else if text.starts_with(PgpSignature::BEGIN) {
            ("openpgp", openpgp::judge(&self.openpgp, text, &commit.payload))
        } else {
            return Signed::doubt(None, None, Doubt::NotUnderstood);
        };
        match answer {
            Ok(signer) => Signed {
                state: SignatureState::Verified,
                format: Some(format),
                signer: Some(signer),
                reason: None,
            },
            Err((reason, signer)) => Signed::doubt(Some(format), signer, reason),
        }
    }
}

/// Why not, and who it was, as far as that is known.
type Doubted = (Doubt, Option<String>);

#[cfg(test)]
mod tests;
