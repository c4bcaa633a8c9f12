//! Signatures of security keys, which no test machine has. The other kinds are made by `ssh-keygen` and `gpg` in
//! `tests/it/cli/signatures.rs`.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::crypto::Hash;
use super::*;

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A commit signed by a security key, with these flags.
fn touched(flags: u8, payload: &[u8]) -> (SignedCommit, AllowedSigner) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let kind = b"sk-ssh-ed25519@openssh.com";
    let key = [string(kind), string(pair.public_key().as_ref()), string(b"ssh:")].concat();
    let mut signed = b"SSHSIG".to_vec();
    for part in [b"git".as_slice(), b"", b"sha512", &Hash::Sha512.of(payload)] {
        signed.extend(string(part));
    }
    let mut message = Hash::Sha256.of(b"ssh:");
    message.extend([flags, 0, 0, 0, 9]);
    message.extend(Hash::Sha256.of(&signed));
    let value = pair.sign(&message);
    let inner = [string(kind), string(value.as_ref()), vec![flags, 0, 0, 0, 9]].concat();
    let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
    for part in [key.as_slice(), b"git", b"", b"sha512", &inner] {
        blob.extend(string(part));
    }
    let armored =
        format!("{}\n{}\n-----END SSH SIGNATURE-----\n", SshSignature::BEGIN, STANDARD.encode(blob));
    let signer = AllowedSigner {
        principals: "ada".to_owned(),
        cert_authority: false,
        namespaces: Some("git".to_owned()),
        valid_after: None,
        valid_before: None,
        key,
    };
    let commit = SignedCommit { payload: payload.to_vec(), signature: armored.into_bytes(), single: true };
    (commit, signer)
}

#[test]
fn a_security_key_counts_when_it_was_touched() {
    let (commit, signer) = touched(1, b"tree");
    let trusted = Trusted { ssh: vec![signer.clone()], ..Trusted::default() };
    let judge = |commit: &SignedCommit| trusted.judge(commit, Timestamp::UNIX_EPOCH);
    assert_eq!(judge(&commit).state, SignatureState::Verified);
    let other = SignedCommit { payload: b"tree ".to_vec(), ..commit.clone() };
    assert_eq!(judge(&other).reason, Some(Doubt::Wrong));
    assert_eq!(judge(&touched(0, b"tree").0).reason, Some(Doubt::NotUnderstood));
    let twice = SignedCommit { single: false, ..commit.clone() };
    assert_eq!(judge(&twice).reason, Some(Doubt::NotUnderstood));
    let authority = AllowedSigner { cert_authority: true, ..signer };
    let trusted = Trusted { ssh: vec![authority], ..Trusted::default() };
    assert_eq!(trusted.judge(&commit, Timestamp::UNIX_EPOCH).reason, Some(Doubt::NotForCommits));
    let nobody = Trusted::default().judge(&commit, Timestamp::UNIX_EPOCH);
    assert_eq!((nobody.state, nobody.reason), (SignatureState::Present, Some(Doubt::UnknownKey)));
}
