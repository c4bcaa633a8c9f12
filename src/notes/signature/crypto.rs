//! The mathematics, by one library.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self as aws, RsaParameters, UnparsedPublicKey, VerificationAlgorithm};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }
}

/// SHA-1, which names keys and signs nothing.
pub(super) fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

/// RSA with 2048 to 8192 bits, PKCS #1 1.5. Zeros at the front of a signature may have been left out.
pub(super) fn rsa((modulus, exponent): (&[u8], &[u8]), hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    let parameters: &RsaParameters = match hash {
        Hash::Sha256 => &aws::RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &aws::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &aws::RSA_PKCS1_2048_8192_SHA512,
    };
    let Some(missing) = modulus.len().checked_sub(signature.len()) else { return false };
    let mut padded = vec![0; missing];
    padded.extend(signature);
    let key = aws::RsaPublicKeyComponents { n: modulus, e: exponent };
    key.verify(parameters, message, &padded).is_ok()
}

/// ECDSA on the curves of NIST. `None` where curve and hash do not go together.
pub(super) fn ecdsa(
    (bits, point): (u16, &[u8]),
    hash: Hash,
    message: &[u8],
    (r, s): (&[u8], &[u8]),
) -> Option<bool> {
    let algorithm: &'static dyn VerificationAlgorithm = match (bits, hash) {
        (256, Hash::Sha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (256, Hash::Sha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (256, Hash::Sha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (384, Hash::Sha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (384, Hash::Sha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (384, Hash::Sha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (521, Hash::Sha256) => &aws::ECDSA_P521_SHA256_ASN1,
        (521, Hash::Sha384) => &aws::ECDSA_P521_SHA384_ASN1,
        (521, Hash::Sha512) => &aws::ECDSA_P521_SHA512_ASN1,
        _ => return None,
    };
    let signature = der(r, s)?;
    Some(UnparsedPublicKey::new(algorithm, point).verify(message, &signature).is_ok())
}

/// Ed25519 (RFC 8032).
pub(super) fn ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&aws::ED25519, key).verify(message, signature).is_ok()
}

/// Two numbers without leading zeros as a sequence of integers (X.690). Those of the largest curve have 66 bytes.
fn der(r: &[u8], s: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    for number in [r, s] {
        if number.is_empty() || number.len() > 66 {
            return None;
        }
        let sign = number[0] & 0x80 != 0;
        body.extend([2, u8::try_from(number.len() + usize::from(sign)).ok()?]);
        body.extend(sign.then_some(0));
        body.extend(number);
    }
    let mut bytes = vec![0x30];
    if body.len() > 127 {
        bytes.push(0x81);
    }
    bytes.push(u8::try_from(body.len()).ok()?);
    bytes.extend(body);
    Some(bytes)
}
