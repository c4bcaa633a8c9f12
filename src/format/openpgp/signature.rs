//! Signature packets of version 4 (RFC 4880, section 5.2.3).

use super::packet::Reader;

/// More subpackets than anybody writes.
const MAX_SUBPACKETS: usize = 256;

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgpSignature {
    /// What is signed: 0 a document, 0x10 to 0x13 a name, 0x18 a subkey, … (section 5.2.1).
    pub kind: u8,
    /// The hash algorithm (section 9.4): 8, 9, 10 are SHA-256, SHA-384, SHA-512.
    pub hash: u8,
    /// The numbers.
    pub value: PgpValue,
    /// Seconds since 1970.
    pub created: Option<u32>,
    /// Seconds after its creation at which the signature ends.
    pub expires: Option<u32>,
    /// Seconds after the creation of the key at which the key ends.
    pub key_expires: Option<u32>,
    /// What the key may be used for: 2 is signing (section 5.2.3.21).
    pub flags: Option<u8>,
    /// The fingerprint of the signer.
    pub issuer: Option<Vec<u8>>,
    /// The last eight bytes of it; also believed where it is not signed, since it only names.
    pub issuer_id: Option<Vec<u8>>,
    /// The signature of a subkey over its primary key.
    pub embedded: Option<Box<PgpSignature>>,
    /// Whether everything that is marked as critical was understood.
    pub understood: bool,
    /// What is hashed behind the thing that is signed.
    trailer: Vec<u8>,
}

/// The numbers of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PgpValue {
    /// RSA: one number.
    Rsa(Vec<u8>),
    /// ECDSA: two numbers.
    Ecdsa(Vec<u8>, Vec<u8>),
    /// Ed25519: 64 bytes.
    Ed25519(Vec<u8>),
    /// Nothing this reader knows.
    Unknown,
}

impl PgpSignature {
    /// The bytes that were signed, hashed as the signature says.
    pub fn signed(&self, thing: &[u8]) -> Vec<u8> {
        let length = u32::try_from(self.trailer.len()).unwrap_or(u32::MAX);
        let mut bytes = thing.to_vec();
        bytes.extend(&self.trailer);
        bytes.extend([4, 0xff]);
        bytes.extend(length.to_be_bytes());
        bytes
    }

    /// Reads the body of a packet; `None` for another version than 4, or when it is damaged.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        Self::nested(body, 0)
    }

    fn nested(body: &[u8], depth: usize) -> Option<Self> {
        let mut reader = Reader(body);
        if reader.byte()? != 4 {
            return None;
        }
        let (kind, algorithm, hash) = (reader.byte()?, reader.byte()?, reader.byte()?);
        let length = reader.short()?;
        let hashed = reader.take(usize::from(length))?;
        let trailer = body[..6 + hashed.len()].to_vec();
        let length = reader.short()?;
        let unhashed = reader.take(usize::from(length))?;
        // The first bytes of the hash; whoever verifies sees all of them.
        reader.take(2)?;
        let value = value(algorithm, &mut reader).unwrap_or(PgpValue::Unknown);
        let mut signature = Self {
            kind,
            hash,
            value,
            created: None,
            expires: None,
            key_expires: None,
            flags: None,
            issuer: None,
            issuer_id: None,
            embedded: None,
            understood: true,
            trailer,
        };
        signature.hashed(hashed, depth)?;
        signature.unhashed(unhashed, depth)?;
        Some(signature)
    }

    fn hashed(&mut self, area: &[u8], depth: usize) -> Option<()> {
        for (critical, kind, data) in subpackets(area)? {
            let mut reader = Reader(data);
            match kind {
                2 => self.created = Some(reader.number()?),
                3 => self.expires = Some(reader.number()?),
                9 => self.key_expires = Some(reader.number()?),
                16 => self.issuer_id = Some(data.to_vec()),
                27 => self.flags = Some(data.first().copied().unwrap_or(0)),
                32 if depth == 0 => self.embedded = Self::nested(data, 1).map(Box::new),
                33 if data.first() == Some(&4) => self.issuer = Some(data[1..].to_vec()),
                // What only informs, and preferences.
                4..=7 | 11 | 12 | 21..=26 | 28..=32 | 34 | 35 => {}
                // Notations and what is newer.
                _ => self.understood &= !critical,
            }
        }
        Some(())
    }

    /// What is not signed names the signer, and holds the signature of a subkey, which proves itself.
    fn unhashed(&mut self, area: &[u8], depth: usize) -> Option<()> {
        for (_, kind, data) in subpackets(area)? {
            match kind {
                16 if self.issuer_id.is_none() => self.issuer_id = Some(data.to_vec()),
                32 if depth == 0 && self.embedded.is_none() => {
                    self.embedded = Self::nested(data, 1).map(Box::new);
                }
                _ => {}
            }
        }
        Some(())
    }
}

fn value(algorithm: u8, reader: &mut Reader<'_>) -> Option<PgpValue> {
    let value = match algorithm {
        1 | 3 => PgpValue::Rsa(reader.integer()?.to_vec()),
        19 => {
            let first = reader.integer()?.to_vec();
            PgpValue::Ecdsa(first, reader.integer()?.to_vec())
        }
        22 => {
            let mut bytes = Vec::with_capacity(64);
            for number in [reader.integer()?, reader.integer()?] {
                bytes.extend(vec![0; 32usize.checked_sub(number.len())?]);
                bytes.extend(number);
            }
            PgpValue::Ed25519(bytes)
        }
        27 => PgpValue::Ed25519(reader.take(64)?.to_vec()),
        _ => return None,
    };
    reader.0.is_empty().then_some(value)
}

/// Whether it is critical, its kind, its data.
type Subpacket<'a> = (bool, u8, &'a [u8]);

fn subpackets(area: &[u8]) -> Option<Vec<Subpacket<'_>>> {
    let mut reader = Reader(area);
    let mut found = Vec::new();
    while !reader.0.is_empty() {
        let length = match reader.byte()? {
            first @ 0..=191 => u32::from(first),
            first @ 192..=254 => ((u32::from(first) - 192) << 8) + u32::from(reader.byte()?) + 192,
            255 => reader.number()?,
        };
        let (kind, data) = reader.take(length as usize)?.split_first()?;
        found.push((kind & 0x80 != 0, kind & 0x7f, data));
        if found.len() > MAX_SUBPACKETS {
            return None;
        }
    }
    Some(found)
}
