//! Signatures of OpenSSH (`PROTOCOL.sshsig`), judged as git does: the key must be in the file of allowed signers, for the
//! namespace `git`, at the time of the commit.

use jiff::Timestamp;

use super::crypto::{self, Hash};
use super::{Doubt, Doubted, Trusted};
use crate::format::sshsig::{self, AllowedSigner, SshHash, SshKey, SshSignature};

const NAMESPACE: &str = "git";

/// The flag of a security key that somebody touched it.
const PRESENT: u8 = 1;

pub(super) fn judge(
    trusted: &Trusted,
    text: &str,
    payload: &[u8],
    time: Timestamp,
) -> Result<String, Doubted> {
    let doubt = |reason| (reason, None);
    let signature = SshSignature::parse(text).map_err(|_| doubt(Doubt::NotUnderstood))?;
    let key = SshKey::parse(&signature.key).ok_or(doubt(Doubt::NotUnderstood))?;
    let named: Vec<&AllowedSigner> =
        trusted.ssh.iter().filter(|signer| signer.key == signature.key).collect();
    let Some(first) = named.first() else { return Err(doubt(Doubt::UnknownKey)) };
    let signer = first.principals.clone();
    let doubt = |reason| (reason, Some(signer.clone()));
    // A signature for something else is none of this commit, whatever else is true.
    if signature.namespace != NAMESPACE {
        return Err(doubt(Doubt::NotForCommits));
    }
    let digests = (crypto::sha1(&signature.key), Hash::Sha256.of(&signature.key));
    if trusted.revoked.has(&signature.key, (&digests.0, &digests.1)) {
        return Err(doubt(Doubt::Revoked));
    }
    let digest = match signature.hash {
        SshHash::Sha256 => Hash::Sha256.of(payload),
        SshHash::Sha512 => Hash::Sha512.of(payload),
    };
    if !holds(&key, &signature, &signature.signed(&digest)).ok_or(doubt(Doubt::NotUnderstood))? {
        return Err(doubt(Doubt::Wrong));
    }
    if let Some(signer) = named.iter().find(|signer| signer.may_sign(NAMESPACE, time)) {
        return Ok(signer.principals.clone());
    }
    let in_time = |signer: &&AllowedSigner| {
        AllowedSigner { namespaces: None, ..(*signer).clone() }.may_sign(NAMESPACE, time)
    };
    Err(doubt(if named.iter().any(in_time) || named.iter().all(|signer| signer.cert_authority) {
        Doubt::NotForCommits
    } else {
        Doubt::Expired
    }))
}

/// Whether the numbers are right; `None` where algorithm and key do not go together.
fn holds(key: &SshKey, signature: &SshSignature, signed: &[u8]) -> Option<bool> {
    let algorithm = signature.algorithm.as_str();
    let string = |bytes| sshsig::string(bytes);
    match key {
        SshKey::Ed25519(key) if algorithm == "ssh-ed25519" => {
            let (value, rest) = string(&signature.value)?;
            rest.is_empty().then(|| crypto::ed25519(key, signed, value))
        }
        SshKey::Rsa(modulus, exponent) => {
            // `ssh-rsa` is SHA-1.
            let hash = match algorithm {
                "rsa-sha2-256" => Hash::Sha256,
                "rsa-sha2-512" => Hash::Sha512,
                _ => return None,
            };
            let (value, rest) = string(&signature.value)?;
            rest.is_empty().then(|| crypto::rsa((modulus, exponent), hash, signed, value))
        }
        SshKey::Ecdsa(bits, point) => {
            let hash = match (bits, algorithm) {
                (256, "ecdsa-sha2-nistp256") => Hash::Sha256,
                (384, "ecdsa-sha2-nistp384") => Hash::Sha384,
                (521, "ecdsa-sha2-nistp521") => Hash::Sha512,
                _ => return None,
            };
            let (value, rest) = string(&signature.value)?;
            let (r, s) = sshsig::ecdsa_numbers(value).filter(|_| rest.is_empty())?;
            crypto::ecdsa((*bits, point), hash, signed, (&r, &s))
        }
        SshKey::SecurityEd25519(key, application) if algorithm == "sk-ssh-ed25519@openssh.com" => {
            let (value, message) = security_key(signature, application, signed)?;
            Some(crypto::ed25519(key, &message, value))
        }
        SshKey::SecurityEcdsa(point, application) if algorithm == "sk-ecdsa-sha2-nistp256@openssh.com" => {
            let (value, message) = security_key(signature, application, signed)?;
            let (r, s) = sshsig::ecdsa_numbers(value)?;
            crypto::ecdsa((256, point), Hash::Sha256, &message, (&r, &s))
        }
        SshKey::Ed25519(_) | SshKey::SecurityEd25519(..) | SshKey::SecurityEcdsa(..) => None,
    }
}

/// What a security key signs: the application, its flags and counter, and the digest of what is signed
/// (`PROTOCOL.u2f`). A key that nobody touched proves nothing.
fn security_key<'a>(
    signature: &'a SshSignature,
    application: &[u8],
    signed: &[u8],
) -> Option<(&'a [u8], Vec<u8>)> {
    let (value, rest) = sshsig::string(&signature.value)?;
    let flags = *rest.first().filter(|_| rest.len() == 5)?;
    if flags & PRESENT == 0 {
        return None;
    }
    let mut message = Hash::Sha256.of(application);
    message.extend(rest);
    message.extend(Hash::Sha256.of(signed));
    Some((value, message))
}
