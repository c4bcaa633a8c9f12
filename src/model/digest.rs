//! Digests, written `ALGORITHM:HEX` (OCI image-spec, "Digests").

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// Bytes of a stream that are hashed at a time.
const STREAM_BUFFER: usize = 64 << 10;

/// How the digest of content is computed (image-spec, "Registered Algorithms"). Releases name everything by SHA-256;
/// images may name what they consist of by either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// `sha256`.
    #[default]
    Sha256,
    /// `sha512`.
    Sha512,
}

impl DigestAlgorithm {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Sha256, Self::Sha512];

    /// The part of a digest before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Hashes bytes that are already in memory.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        Digest(match self {
            Self::Sha256 => Sum::Sha256(Sha256::digest(bytes).into()),
            Self::Sha512 => Sum::Sha512(Sha512::digest(bytes).into()),
        })
    }

    /// Hashes a stream to its end, and counts its bytes.
    pub fn digest_stream(self, stream: &mut dyn Read) -> io::Result<(Digest, u64)> {
        let mut hasher = Hasher::new(self);
        let mut buffer = vec![0; STREAM_BUFFER];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(read) => hasher.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads hexadecimal digits of either case, without the algorithm: 64 of SHA-256, 128 of SHA-512.
    pub fn from_hex(self, hex: &str) -> Result<Digest, InvalidDigest> {
        let sum = match self {
            Self::Sha256 => decode(hex).map(Sum::Sha256),
            Self::Sha512 => decode(hex).map(Sum::Sha512),
        };
        sum.map(Digest).ok_or_else(|| InvalidDigest::Form { found: cut(hex) })
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The digest of some bytes, and how it was computed. Digests of two algorithms are never equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest(Sum);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Sum {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl Digest {
    /// The SHA-256 of bytes that are already in memory.
    pub fn of(bytes: &[u8]) -> Self {
        DigestAlgorithm::Sha256.digest(bytes)
    }

    /// How it was computed.
    pub fn algorithm(&self) -> DigestAlgorithm {
        match self.0 {
            Sum::Sha256(_) => DigestAlgorithm::Sha256,
            Sum::Sha512(_) => DigestAlgorithm::Sha512,
        }
    }

    /// The lower-case hexadecimal digits without the algorithm.
    pub fn hex(&self) -> String {
        self.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first twelve hexadecimal digits, for messages.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }

    /// The raw bytes, 32 or 64.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Sum::Sha256(bytes) => bytes,
            Sum::Sha512(bytes) => bytes,
        }
    }

    /// The raw bytes of a SHA-256; `None` of another.
    pub fn sha256(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Sum::Sha256(bytes) => Some(bytes),
            Sum::Sha512(_) => None,
        }
    }
}

fn decode<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(bytes)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    /// Accepts `sha256:` and 64 or `sha512:` and 128 lower-case hexadecimal digits, nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDigest::Form { found: cut(text) };
        let (name, hex) = text.split_once(':').ok_or_else(invalid)?;
        let Some(algorithm) = DigestAlgorithm::ALL.iter().find(|algorithm| algorithm.name() == name) else {
            let known = is_algorithm(name) && !hex.is_empty() && hex.bytes().all(is_encoded);
            return Err(if known { InvalidDigest::Algorithm { found: cut(text) } } else { invalid() });
        };
        if hex.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid());
        }
        algorithm.from_hex(hex).map_err(|_| invalid())
    }
}

/// Whether text has the form that image-spec gives to the name of any algorithm.
fn is_algorithm(name: &str) -> bool {
    let component = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.split(['+', '.', '_', '-']).all(component)
}

fn is_encoded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"=_-".contains(&byte)
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Hashes what is written to it and counts the bytes. Without an algorithm it is SHA-256.
#[derive(Clone)]
pub struct Hasher {
    state: Hashing,
    length: u64,
}

#[derive(Clone)]
enum Hashing {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Nothing so far.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        let state = match algorithm {
            DigestAlgorithm::Sha256 => Hashing::Sha256(Sha256::new()),
            DigestAlgorithm::Sha512 => Hashing::Sha512(Sha512::new()),
        };
        Self { state, length: 0 }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            Hashing::Sha256(state) => state.update(bytes),
            Hashing::Sha512(state) => state.update(bytes),
        }
        self.length += bytes.len() as u64;
    }

    /// The digest and the number of bytes seen.
    pub fn finish(self) -> (Digest, u64) {
        let sum = match self.state {
            Hashing::Sha256(state) => Sum::Sha256(state.finalize().into()),
            Hashing::Sha512(state) => Sum::Sha512(state.finalize().into()),
        };
        (Digest(sum), self.length)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new(DigestAlgorithm::default())
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text that is no digest that can be checked here. The refused text is cut at 80 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// Not an algorithm and its lower-case hexadecimal digits.
    #[error("`{}` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits>", found.escape_debug())]
    Form {
        /// The refused text.
        found: String,
    },
    /// A digest of another algorithm, which could only be believed.
    #[error("`{found}` is a digest that cannot be checked: its algorithm is neither sha256 nor sha512")]
    Algorithm {
        /// The refused text.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const EMPTY_512: &str = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";

    #[test]
    fn hashes_the_empty_string() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(Hasher::default().finish(), (EMPTY.parse().unwrap(), 0));
        let long: Digest = EMPTY_512.parse().unwrap();
        assert_eq!((long, long.algorithm()), (DigestAlgorithm::Sha512.digest(b""), DigestAlgorithm::Sha512));
        assert_eq!(Hasher::new(DigestAlgorithm::Sha512).finish(), (long, 0));
        assert_eq!((long.to_string(), long.sha256()), (EMPTY_512.to_owned(), None));
    }

    #[test]
    fn refuses_other_spellings() {
        for text in [
            "",
            "sha256:",
            &EMPTY[7..],
            &EMPTY.to_uppercase(),
            &format!("sha256:{}", EMPTY[7..].to_uppercase()),
            &format!("{EMPTY}0"),
            "sha512:00",
            &EMPTY_512[..71],
            &EMPTY.replace("256", "512"),
            "sha256:../../x",
            "../x:00",
            "md5:",
            "md5:../x",
        ] {
            assert!(matches!(text.parse::<Digest>(), Err(InvalidDigest::Form { .. })), "{text}");
        }
        for text in ["md5:d41d8cd98f00b204e9800998ecf8427e", "blake3:00", "sha384:00", "sha256+b64u:x_-="] {
            assert!(matches!(text.parse::<Digest>(), Err(InvalidDigest::Algorithm { .. })), "{text}");
        }
    }
}
