//! OpenPGP as far as signatures of commits need it (RFC 4880, RFC 6637, RFC 9580): keys and signatures of version 4, armor.
//! Only reads; whether a signature holds is decided elsewhere. What is not understood stays unknown and proves nothing.

mod armor;
mod packet;
mod signature;

pub use signature::{PgpSignature, PgpValue};

use packet::{Packet, Reader, packets};

use crate::diag::{Hint, Kind};

/// The largest keyring.
pub const MAX_BYTES: u64 = 16 << 20;
/// More keys than a project trusts.
const MAX_CERTIFICATES: usize = 4096;

/// A public key with everything that is said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The primary key.
    pub primary: PgpKey,
    /// Signatures over the primary key alone.
    pub direct: Vec<PgpSignature>,
    /// Names, and the signatures over them.
    pub users: Vec<PgpUser>,
    /// Subkeys, and the signatures over them.
    pub subkeys: Vec<(PgpKey, Vec<PgpSignature>)>,
    /// Whether something that cannot be read may take the key back.
    pub doubtful: bool,
}

/// A name or a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgpUser {
    /// The packet tag: 13 for a name, 17 for anything else.
    pub tag: u8,
    /// The bytes that are signed.
    pub bytes: Vec<u8>,
    /// What was said about it.
    pub signatures: Vec<PgpSignature>,
}

/// One public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgpKey {
    /// Seconds since 1970.
    pub created: u32,
    /// What it can do.
    pub material: PgpMaterial,
    body: Vec<u8>,
}

/// The numbers of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PgpMaterial {
    /// Modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>),
    /// The bits of the curve and the point.
    Ecdsa(u16, Vec<u8>),
    /// The 32 bytes of the key.
    Ed25519(Vec<u8>),
    /// Nothing this reader knows: keys for encryption, for example.
    Unknown,
}

impl PgpKey {
    /// The bytes of a key as signatures and fingerprints take them (RFC 4880, section 5.2.4).
    pub fn hashed(&self) -> Vec<u8> {
        // Keys that are longer are refused.
        let length = u16::try_from(self.body.len()).unwrap_or(u16::MAX);
        let mut bytes = vec![0x99];
        bytes.extend(length.to_be_bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// Reads the body of a packet; `None` for another version than 4, or when it is damaged.
    fn read(body: &[u8]) -> Option<Self> {
        if body.len() > usize::from(u16::MAX) {
            return None;
        }
        let mut reader = Reader(body);
        if reader.byte()? != 4 {
            return None;
        }
        let created = reader.number()?;
        let algorithm = reader.byte()?;
        let material = Self::material(algorithm, &mut reader).unwrap_or(PgpMaterial::Unknown);
        Some(Self { created, material, body: body.to_vec() })
    }

    fn material(algorithm: u8, reader: &mut Reader<'_>) -> Option<PgpMaterial> {
        const ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
        const CURVES: [(u16, &[u8]); 3] = [
            (256, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]),
            (384, &[0x2b, 0x81, 0x04, 0x00, 0x22]),
            (521, &[0x2b, 0x81, 0x04, 0x00, 0x23]),
        ];
        let material = match algorithm {
            1 | 3 => {
                let modulus = reader.integer()?.to_vec();
                PgpMaterial::Rsa(modulus, reader.integer()?.to_vec())
            }
            19 => {
                let length = reader.byte()?;
                let curve = reader.take(usize::from(length))?;
                let (bits, _) = CURVES.into_iter().find(|(_, id)| *id == curve)?;
                PgpMaterial::Ecdsa(bits, reader.integer()?.to_vec())
            }
            22 => {
                let length = reader.byte()?;
                if reader.take(usize::from(length))? != ED25519 {
                    return None;
                }
                let point = reader.integer()?.strip_prefix(&[0x40])?.to_vec();
                (point.len() == 32).then_some(PgpMaterial::Ed25519(point))?
            }
            27 => PgpMaterial::Ed25519(reader.take(32)?.to_vec()),
            _ => return None,
        };
        reader.0.is_empty().then_some(material)
    }
}

/// Reads a keyring, armored or not. Keys of versions that are not known are left out; a packet that cannot be read ends
/// the reading with an error, since a revocation may stand behind it. What is said about one key in two places is put
/// together.
pub fn keyring(bytes: &[u8]) -> Result<Vec<Certificate>, PgpError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PgpError::TooLarge { found: bytes.len() });
    }
    if bytes.get(8..12) == Some(b"KBXf") {
        return Err(PgpError::Keybox);
    }
    let mut certificates = Vec::new();
    for block in armor::blocks(bytes, "PUBLIC KEY BLOCK")? {
        read_certificates(&block, &mut certificates)?;
    }
    if certificates.is_empty() {
        return Err(PgpError::Keyring { reason: "it holds no public key of version 4" });
    }
    Ok(certificates)
}

fn read_certificates(bytes: &[u8], into: &mut Vec<Certificate>) -> Result<(), PgpError> {
    // The certificate that packets belong to; `None` behind a key that is not known.
    let mut at: Option<usize> = None;
    // Where the next signature belongs.
    let mut place = Place::Primary;
    for Packet { tag, body } in packets(bytes)? {
        match (tag, at) {
            (5 | 7, _) => return Err(PgpError::Keyring { reason: "it holds secret keys" }),
            (6, _) => {
                at = PgpKey::read(body).map(|key| open(key, into)).transpose()?;
                place = Place::Primary;
            }
            (13 | 17, Some(at)) => {
                let users = &mut into[at].users;
                let known = users.iter().position(|user| user.tag == tag && user.bytes == body);
                place = Place::User(known.unwrap_or(users.len()));
                if known.is_none() {
                    users.push(PgpUser { tag, bytes: body.to_vec(), signatures: Vec::new() });
                }
            }
            (14, Some(at)) => {
                let subkeys = &mut into[at].subkeys;
                place = match PgpKey::read(body) {
                    None => Place::Nowhere,
                    Some(key) => {
                        let known = subkeys.iter().position(|(other, _)| *other == key);
                        let place = Place::Subkey(known.unwrap_or(subkeys.len()));
                        if known.is_none() {
                            subkeys.push((key, Vec::new()));
                        }
                        place
                    }
                };
            }
            (2, Some(at)) => {
                let certificate = &mut into[at];
                let signatures = match place {
                    Place::Primary => &mut certificate.direct,
                    Place::User(user) => &mut certificate.users[user].signatures,
                    Place::Subkey(subkey) => &mut certificate.subkeys[subkey].1,
                    Place::Nowhere => continue,
                };
                match PgpSignature::read(body) {
                    Some(signature) => signatures.push(signature),
                    // Signatures of other versions prove nothing; what they take back may be gone all the same.
                    None => certificate.doubtful |= may_revoke(body),
                }
            }
            // Markers, trust, padding, and what belongs to a key that is not known.
            _ => {}
        }
    }
    Ok(())
}

/// Whether a signature of any version is one that takes something back (section 5.2.1).
fn may_revoke(body: &[u8]) -> bool {
    let kind = if body.first() == Some(&3) { body.get(2) } else { body.get(1) };
    kind.is_none_or(|kind| matches!(kind, 0x20 | 0x28 | 0x30))
}

enum Place {
    Primary,
    User(usize),
    Subkey(usize),
    Nowhere,
}

/// The certificate of a primary key, a new one when it is the first time.
fn open(primary: PgpKey, into: &mut Vec<Certificate>) -> Result<usize, PgpError> {
    if let Some(at) = into.iter().position(|certificate| certificate.primary == primary) {
        return Ok(at);
    }
    if into.len() >= MAX_CERTIFICATES {
        return Err(PgpError::Keyring { reason: "it holds more than 4096 keys" });
    }
    into.push(Certificate {
        primary,
        direct: Vec::new(),
        users: Vec::new(),
        subkeys: Vec::new(),
        doubtful: false,
    });
    Ok(into.len() - 1)
}

impl PgpSignature {
    /// The first line of an armored signature.
    pub const BEGIN: &'static str = "-----BEGIN PGP SIGNATURE-----";

    /// Reads the one signature of an armored text.
    pub fn parse(text: &str) -> Result<Self, PgpError> {
        let refuse = |reason| PgpError::Signature { reason };
        if text.len() > 64 << 10 {
            return Err(refuse("it is too long"));
        }
        let blocks = armor::blocks(text.as_bytes(), "SIGNATURE")?;
        let [block] = blocks.as_slice() else { return Err(refuse("it is not one armored block")) };
        match packets(block)?.as_slice() {
            [Packet { tag: 2, body }] => Self::read(body).ok_or(refuse("it is not one of version 4")),
            _ => Err(refuse("it is not one signature")),
        }
    }
}

/// Why a keyring or a signature cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PgpError {
    /// Not a keyring.
    #[error("the OpenPGP keyring cannot be used: {reason}")]
    Keyring {
        /// Why.
        reason: &'static str,
    },
    /// Not a signature.
    #[error("the OpenPGP signature cannot be read: {reason}")]
    Signature {
        /// Why.
        reason: &'static str,
    },
    /// Damaged.
    #[error("OpenPGP data cannot be read: {reason}")]
    Data {
        /// Why.
        reason: &'static str,
    },
    /// The store of GnuPG.
    #[error("the file is a keybox of GnuPG, not an OpenPGP keyring")]
    Keybox,
    /// Too many bytes.
    #[error("the keyring has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
}

impl Hint for PgpError {
    fn code(&self) -> &'static str {
        match self {
            Self::Keyring { .. } | Self::Keybox | Self::TooLarge { .. } => "openpgp-keyring",
            Self::Signature { .. } => "openpgp-signature",
            Self::Data { .. } => "openpgp-data",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Keyring { .. } | Self::Keybox | Self::Data { .. } => {
                vec!["gpg --export --armor KEY… > keyring.asc".to_owned()]
            }
            Self::Signature { .. } | Self::TooLarge { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_keyring_is_refused() {
        assert_eq!(keyring(b""), Err(PgpError::Keyring { reason: "it holds no public key of version 4" }));
        assert_eq!(keyring(b"\0\0\0\x20\x01\x01\0\x02KBXf\0\0"), Err(PgpError::Keybox));
        // A secret key packet of three bytes.
        assert_eq!(keyring(b"\x94\x03abc"), Err(PgpError::Keyring { reason: "it holds secret keys" }));
        assert!(matches!(keyring(b"plain text"), Err(PgpError::Data { .. })));
        assert!(PgpSignature::parse("").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), tag in 0u8..20) {
            let _ = keyring(&bytes);
            let mut framed = vec![0xc0 | tag, 0xff];
            framed.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
            framed.extend(&bytes);
            let _ = keyring(&framed);
            let _ = PgpKey::read(&bytes);
            let _ = PgpSignature::read(&bytes);
            let _ = PgpSignature::read(&[&[4, 0, 22, 8], bytes.as_slice()].concat());
            let text = String::from_utf8_lossy(&bytes);
            let _ = PgpSignature::parse(&format!("{}\n\n{text}\n-----END PGP SIGNATURE-----\n", PgpSignature::BEGIN));
        }
    }
}
