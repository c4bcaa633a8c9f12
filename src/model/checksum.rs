//! Checksums that people publish beside files: SHA-256, and the longer SHA-2 for those who ask for it.

use std::fmt;
use std::io;
use std::str::FromStr;

use sha2::{Sha256, Sha384, Sha512};

use super::Digest;

/// How a checksum is computed (FIPS 180-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// What every other part of a release is named by.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them, the shortest first.
    pub const ALL: &[Self] = &[Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name on the command line and in digests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Hexadecimal digits of a checksum.
    pub fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }

    /// Reads everything once and gives its checksum.
    pub fn of_reader(self, reader: &mut dyn io::Read) -> io::Result<Checksum> {
        let hex = match self {
            Self::Sha256 => sum::<Sha256>(reader),
            Self::Sha384 => sum::<Sha384>(reader),
            Self::Sha512 => sum::<Sha512>(reader),
        };
        Ok(Checksum { algorithm: self, hex: hex? })
    }
}

fn sum<H: sha2::Digest>(reader: &mut dyn io::Read) -> io::Result<String> {
    let mut hasher = H::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// As much as is read at once.
const BUFFER: usize = 128 << 10;

impl FromStr for Algorithm {
    type Err = InvalidAlgorithm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|algorithm| algorithm.name() == text);
        found.copied().ok_or_else(|| InvalidAlgorithm { found: text.chars().take(40).collect() })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of [`Algorithm::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is none of sha256, sha384 and sha512")]
pub struct InvalidAlgorithm {
    /// The refused text, cut at 40 characters.
    pub found: String,
}

/// A checksum: lower-case hexadecimal digits, as many as its algorithm gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checksum {
    algorithm: Algorithm,
    hex: String,
}

impl Checksum {
    /// Reads hexadecimal digits of either case; `None` unless they are as many as the algorithm gives.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let valid = hex.len() == algorithm.digits() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        valid.then(|| Self { algorithm, hex: hex.to_ascii_lowercase() })
    }

    /// How it was computed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits without the algorithm.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl From<Digest> for Checksum {
    fn from(digest: Digest) -> Self {
        Self { algorithm: Algorithm::Sha256, hex: digest.hex() }
    }
}

/// Equal to the SHA-256 it is; a checksum of another algorithm is equal to no digest.
impl PartialEq<Digest> for Checksum {
    fn eq(&self, other: &Digest) -> bool {
        self.algorithm == Algorithm::Sha256 && self.hex == other.hex()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_values_of_the_standard() {
        // FIPS 180-4, the message "abc".
        for (algorithm, hex) in [
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Algorithm::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                Algorithm::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            let sum = algorithm.of_reader(&mut io::Cursor::new(b"abc")).unwrap();
            assert_eq!((sum.hex(), sum.hex().len()), (hex, algorithm.digits()));
            assert_eq!(Checksum::from_hex(algorithm, &hex.to_uppercase()), Some(sum.clone()));
            assert_eq!(sum == Digest::of(b"abc"), algorithm == Algorithm::Sha256);
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        assert_eq!(Checksum::from_hex(Algorithm::Sha512, &"0".repeat(64)), None);
        assert!("md5".parse::<Algorithm>().is_err());
    }
}
