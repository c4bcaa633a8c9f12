//! SSH signatures and who may make them: `PROTOCOL.sshsig`, the file of allowed signers and the list of revoked keys of
//! OpenSSH. Only reads; whether a signature holds is decided elsewhere.

mod signers;

pub use signers::{AllowedSigner, Revoked, allowed_signers};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::diag::{Hint, Kind};

/// The largest file of signers or of revoked keys.
pub const MAX_BYTES: u64 = 4 << 20;
/// The largest signature, in characters.
const MAX_SIGNATURE: usize = 64 << 10;
/// The largest key, in bytes; RSA with 16384 bits has 2 KiB.
const MAX_KEY: usize = 16 << 10;
const MAGIC: &[u8] = b"SSHSIG";

/// A signature as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    /// The public key, as it stands in files of keys.
    pub key: Vec<u8>,
    /// What the signature is for: `git` for commits.
    pub namespace: String,
    /// How the message was hashed.
    pub hash: SshHash,
    /// The algorithm of the signature: `ssh-ed25519`, `rsa-sha2-512`, …
    pub algorithm: String,
    /// What stands behind the algorithm: the signature, for security keys followed by flags and counter.
    pub value: Vec<u8>,
}

/// How a message was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshHash {
    /// `sha256`
    Sha256,
    /// `sha512`
    Sha512,
}

impl SshHash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl SshSignature {
    /// The first line of an armored signature.
    pub const BEGIN: &'static str = "-----BEGIN SSH SIGNATURE-----";

    /// Reads an armored signature; nothing may stand around it.
    pub fn parse(text: &str) -> Result<Self, SshError> {
        let refuse = |reason| SshError::Signature { reason };
        if text.len() > MAX_SIGNATURE {
            return Err(refuse("it is too long"));
        }
        let body = text.trim().strip_prefix(Self::BEGIN).ok_or(refuse("it has no first line"))?;
        let body = body.strip_suffix("-----END SSH SIGNATURE-----").ok_or(refuse("it has no last line"))?;
        let packed: String = body.split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(packed).map_err(|_| refuse("it is not base64"))?;
        let mut reader = Reader(bytes.strip_prefix(MAGIC).ok_or(refuse("it does not begin with SSHSIG"))?);
        if reader.number() != Some(1) {
            return Err(refuse("its version is not 1"));
        }
        let short = || refuse("it ends early");
        let key = reader.string().ok_or_else(short)?.to_vec();
        let namespace = reader.text().ok_or_else(short)?;
        let reserved = reader.string().ok_or_else(short)?;
        let hash = match reader.string().ok_or_else(short)? {
            b"sha256" => SshHash::Sha256,
            b"sha512" => SshHash::Sha512,
            _ => return Err(refuse("its hash is neither sha256 nor sha512")),
        };
        let mut inner = Reader(reader.string().ok_or_else(short)?);
        if !reader.0.is_empty() || !reserved.is_empty() {
            return Err(refuse("it holds more than a signature of version 1"));
        }
        let algorithm = inner.text().ok_or_else(short)?;
        Ok(Self { key, namespace, hash, algorithm, value: inner.0.to_vec() })
    }

    /// The bytes that were signed, for a message with this digest.
    pub fn signed(&self, digest: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for part in [self.namespace.as_bytes(), b"", self.hash.name().as_bytes(), digest] {
            // A digest and two names are short.
            bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(part);
        }
        bytes
    }
}

/// A public key (RFC 4253, RFC 5656, RFC 8709, `PROTOCOL.u2f`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshKey {
    /// `ssh-ed25519`
    Ed25519(Vec<u8>),
    /// `ecdsa-sha2-nistp256` and its sisters: the bits of the curve and the point.
    Ecdsa(u16, Vec<u8>),
    /// `ssh-rsa`: modulus and exponent, without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
    /// `sk-ssh-ed25519@openssh.com`: the key and its application.
    SecurityEd25519(Vec<u8>, Vec<u8>),
    /// `sk-ecdsa-sha2-nistp256@openssh.com`: the point and its application.
    SecurityEcdsa(Vec<u8>, Vec<u8>),
}

impl SshKey {
    /// Reads a public key; `None` for algorithms that are not known, certificates among them.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_KEY {
            return None;
        }
        let mut reader = Reader(bytes);
        let key = match reader.string()? {
            b"ssh-ed25519" => Self::Ed25519(reader.string()?.to_vec()),
            b"ssh-rsa" => {
                let exponent = reader.natural()?.to_vec();
                Self::Rsa(reader.natural()?.to_vec(), exponent)
            }
            b"ecdsa-sha2-nistp256" if reader.string()? == b"nistp256" => {
                Self::Ecdsa(256, reader.string()?.to_vec())
            }
            b"ecdsa-sha2-nistp384" if reader.string()? == b"nistp384" => {
                Self::Ecdsa(384, reader.string()?.to_vec())
            }
            b"ecdsa-sha2-nistp521" if reader.string()? == b"nistp521" => {
                Self::Ecdsa(521, reader.string()?.to_vec())
            }
            b"sk-ssh-ed25519@openssh.com" => {
                let key = reader.string()?.to_vec();
                Self::SecurityEd25519(key, reader.string()?.to_vec())
            }
            b"sk-ecdsa-sha2-nistp256@openssh.com" if reader.string()? == b"nistp256" => {
                let point = reader.string()?.to_vec();
                Self::SecurityEcdsa(point, reader.string()?.to_vec())
            }
            _ => return None,
        };
        reader.0.is_empty().then_some(key)
    }
}

/// The two numbers of an ECDSA signature.
pub fn ecdsa_numbers(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut reader = Reader(value);
    let numbers = (reader.natural()?.to_vec(), reader.natural()?.to_vec());
    reader.0.is_empty().then_some(numbers)
}

/// A string with its length, and what follows it.
pub fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader(bytes);
    let text = reader.string()?;
    Some((text, reader.0))
}

/// The types of RFC 4251 section 5.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length as usize)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.string()?.to_vec()).ok()
    }

    /// A number that is not negative, without leading zeros.
    fn natural(&mut self) -> Option<&'a [u8]> {
        let bytes = self.string()?;
        if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            return None;
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(&bytes[zeros..])
    }
}

/// Why a signature or a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// Not a signature.
    #[error("the SSH signature cannot be read: {reason}")]
    Signature {
        /// Why.
        reason: &'static str,
    },
    /// A line of a file.
    #[error("line {line} cannot be read: {reason}")]
    Line {
        /// 1-based.
        line: usize,
        /// Why.
        reason: &'static str,
    },
    /// A binary list of revoked keys.
    #[error("the list of revoked keys is damaged, or has a section that is unknown")]
    Revocations,
    /// Too many bytes.
    #[error("the file has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
}

impl Hint for SshError {
    fn code(&self) -> &'static str {
        match self {
            Self::Signature { .. } => "ssh-signature",
            Self::Line { .. } | Self::TooLarge { .. } | Self::NotText => "ssh-keys",
            Self::Revocations => "ssh-revocations",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Line { .. } | Self::NotText => {
                vec![
                    "the form of a line: `PRINCIPALS [OPTIONS] TYPE KEY`, see ssh-keygen(1), ALLOWED SIGNERS"
                        .to_owned(),
                ]
            }
            Self::Revocations => vec!["ssh-keygen -Q -l -f FILE".to_owned()],
            Self::Signature { .. } | Self::TooLarge { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_whole_signatures() {
        for text in [
            "",
            "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----",
            "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAg==\n-----END SSH SIGNATURE-----",
            "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----",
            "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==",
        ] {
            assert!(SshSignature::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[ -~\\n]{0,120}") {
            let _ = allowed_signers(&bytes);
            let _ = allowed_signers(text.as_bytes());
            let _ = Revoked::parse(&bytes);
            let _ = Revoked::parse(&[b"SSHKRL\n\0".as_slice(), &bytes].concat());
            let _ = SshKey::parse(&bytes);
            let _ = ecdsa_numbers(&bytes);
            let packed = STANDARD.encode([MAGIC, &1u32.to_be_bytes(), &bytes].concat());
            let _ = SshSignature::parse(&format!("{}\n{packed}\n-----END SSH SIGNATURE-----\n", SshSignature::BEGIN));
        }
    }
}
