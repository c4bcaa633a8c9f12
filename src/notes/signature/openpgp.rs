//! Signatures of OpenPGP. A key counts when it was valid at the time of the signature: made before it, not expired, allowed
//! to sign, bound to its primary key in both directions, and never taken back, neither before nor after.
//!
//! A revocation counts without a look at its numbers, and whoever issued it: a keyring that holds one says enough.

use super::crypto::{self, Hash};
use super::{Doubt, Doubted};
use crate::format::openpgp::{Certificate, PgpKey, PgpMaterial, PgpSignature, PgpUser, PgpValue};

/// The flag of a key that it may sign (RFC 4880, section 5.2.3.21).
const MAY_SIGN: u8 = 2;

pub(super) fn judge(keyring: &[Certificate], text: &str, payload: &[u8]) -> Result<String, Doubted> {
    let doubt = |reason| (reason, None);
    let signature = PgpSignature::parse(text).map_err(|_| doubt(Doubt::NotUnderstood))?;
    // Text signatures are something else; a signature that ends depends on when it is looked at.
    let plain =
        signature.kind == 0 && signature.understood && signature.expires.is_none_or(|after| after == 0);
    let created = signature.created.filter(|_| plain).ok_or(doubt(Doubt::NotUnderstood))?;
    let mut worst: Option<Doubted> = None;
    for certificate in keyring {
        for key in std::iter::once(&certificate.primary).chain(certificate.subkeys.iter().map(|(key, _)| key))
        {
            if !is_named(key, &signature) {
                continue;
            }
            let signer = signer(certificate);
            match is_right(key, &signature, payload) {
                None => worst = worst.or(Some((Doubt::NotUnderstood, Some(signer)))),
                Some(false) => worst = worst.or(Some((Doubt::Wrong, Some(signer)))),
                Some(true) => match allowed(certificate, key, created) {
                    Ok(()) => return Ok(signer),
                    Err(reason) => worst = Some((reason, Some(signer))),
                },
            }
        }
    }
    Err(worst.unwrap_or(doubt(Doubt::UnknownKey)))
}

/// Whether a signature names a key as its signer.
fn is_named(key: &PgpKey, signature: &PgpSignature) -> bool {
    let fingerprint = fingerprint(key);
    match (&signature.issuer, &signature.issuer_id) {
        (Some(issuer), _) => *issuer == fingerprint,
        (None, Some(id)) => fingerprint.ends_with(id) && id.len() == 8,
        (None, None) => false,
    }
}

fn fingerprint(key: &PgpKey) -> Vec<u8> {
    crypto::sha1(&key.hashed())
}

/// The first name of a key, and its fingerprint.
fn signer(certificate: &Certificate) -> String {
    let hex: String = fingerprint(&certificate.primary).iter().map(|byte| format!("{byte:02X}")).collect();
    let name = certificate.users.iter().find(|user| user.tag == 13);
    match name {
        Some(user) => {
            let name: String =
                String::from_utf8_lossy(&user.bytes).chars().filter(|c| !c.is_control()).take(200).collect();
            format!("{name} {hex}")
        }
        None => hex,
    }
}

/// Whether the numbers are right; `None` for what is not understood.
fn is_right(key: &PgpKey, signature: &PgpSignature, thing: &[u8]) -> Option<bool> {
    let hash = match signature.hash {
        8 => Hash::Sha256,
        9 => Hash::Sha384,
        10 => Hash::Sha512,
        _ => return None,
    };
    let signed = signature.signed(thing);
    match (&key.material, &signature.value) {
        (PgpMaterial::Rsa(modulus, exponent), PgpValue::Rsa(value)) => {
            Some(crypto::rsa((modulus, exponent), hash, &signed, value))
        }
        (PgpMaterial::Ecdsa(bits, point), PgpValue::Ecdsa(r, s)) => {
            crypto::ecdsa((*bits, point), hash, &signed, (r, s))
        }
        // The digest is what is signed.
        (PgpMaterial::Ed25519(key), PgpValue::Ed25519(value)) => {
            Some(crypto::ed25519(key, &hash.of(&signed), value))
        }
        (
            PgpMaterial::Rsa(..) | PgpMaterial::Ecdsa(..) | PgpMaterial::Ed25519(_) | PgpMaterial::Unknown,
            _,
        ) => None,
    }
}

/// Whether a key of a certificate was allowed to sign at a time.
fn allowed(certificate: &Certificate, key: &PgpKey, time: u32) -> Result<(), Doubt> {
    let primary = &certificate.primary;
    if certificate.doubtful || certificate.direct.iter().any(|signature| signature.kind == 0x20) {
        return Err(Doubt::Revoked);
    }
    let own = own_signature(certificate)?;
    in_time(primary, own, time)?;
    if key == primary {
        // Without flags the primary key may sign.
        return if own.flags.is_none_or(|flags| flags & MAY_SIGN != 0) {
            Ok(())
        } else {
            Err(Doubt::NotForCommits)
        };
    }
    let signatures = certificate
        .subkeys
        .iter()
        .find(|(other, _)| other == key)
        .map(|(_, signatures)| signatures.as_slice());
    let signatures = signatures.unwrap_or_default();
    if signatures.iter().any(|signature| signature.kind == 0x28) {
        return Err(Doubt::Revoked);
    }
    let thing = [primary.hashed(), key.hashed()].concat();
    let binding = newest(signatures.iter().filter(|signature| {
        signature.kind == 0x18 && signature.understood && is_right(primary, signature, &thing) == Some(true)
    }));
    let binding = binding.ok_or(Doubt::NotUnderstood)?;
    in_time(key, binding, time)?;
    if binding.flags.is_none_or(|flags| flags & MAY_SIGN == 0) {
        return Err(Doubt::NotForCommits);
    }
    // Else anybody could claim the key of somebody else (section 5.2.1, 0x19).
    let back = binding
        .embedded
        .as_deref()
        .filter(|back| back.kind == 0x19 && back.understood && is_right(key, back, &thing) == Some(true));
    back.map(|_| ()).ok_or(Doubt::NotUnderstood)
}

/// The newest of what the primary key says about itself: directly, or with one of its names that it has not taken back.
fn own_signature(certificate: &Certificate) -> Result<&PgpSignature, Doubt> {
    let primary = &certificate.primary;
    let thing = primary.hashed();
    let direct = certificate.direct.iter().filter(|signature| {
        signature.kind == 0x1f && signature.understood && is_right(primary, signature, &thing) == Some(true)
    });
    let mut taken_back = false;
    let mut found: Vec<&PgpSignature> = direct.collect();
    for user in &certificate.users {
        if user.signatures.iter().any(|signature| signature.kind == 0x30 && may_be_of(primary, signature)) {
            taken_back = true;
            continue;
        }
        let thing = [thing.as_slice(), &named(user)].concat();
        found.extend(user.signatures.iter().filter(|signature| {
            (0x10..=0x13).contains(&signature.kind)
                && signature.understood
                && is_right(primary, signature, &thing) == Some(true)
        }));
    }
    newest(found.into_iter()).ok_or(if taken_back { Doubt::Revoked } else { Doubt::NotUnderstood })
}

/// A name as signatures take it (section 5.2.4).
fn named(user: &PgpUser) -> Vec<u8> {
    let length = u32::try_from(user.bytes.len()).unwrap_or(u32::MAX);
    let mut bytes = vec![if user.tag == 13 { 0xb4 } else { 0xd1 }];
    bytes.extend(length.to_be_bytes());
    bytes.extend(&user.bytes);
    bytes
}

/// Whether a signature is of a key, or does not say whose it is.
fn may_be_of(key: &PgpKey, signature: &PgpSignature) -> bool {
    (signature.issuer.is_none() && signature.issuer_id.is_none()) || is_named(key, signature)
}

fn newest<'a>(signatures: impl Iterator<Item = &'a PgpSignature>) -> Option<&'a PgpSignature> {
    signatures.filter(|signature| signature.created.is_some()).max_by_key(|signature| signature.created)
}

/// Whether a key lived at a time, as the signature about it says.
fn in_time(key: &PgpKey, about: &PgpSignature, time: u32) -> Result<(), Doubt> {
    let ended = about
        .key_expires
        .filter(|after| *after > 0)
        .is_some_and(|after| u64::from(time) >= u64::from(key.created) + u64::from(after));
    let early = time < key.created;
    // What is said for a while only depends on when it is looked at.
    let brief = about.expires.is_some_and(|after| after > 0);
    if ended || early || brief { Err(Doubt::Expired) } else { Ok(()) }
}
