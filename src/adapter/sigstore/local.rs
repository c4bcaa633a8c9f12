//! A trust root on disk: a certificate authority that issued one certificate, and a transparency log that holds one
//! entry per signature.
//!
//! ```text
//! DIR/trusted_root.json   what a consumer pins
//! DIR/signer.pem          the certificate
//! DIR/signer.key          its private key, PKCS#8, mode 0600
//! DIR/log.key             the private key of the log, PKCS#8, mode 0600
//! ```
//!
//! The key of the authority is forgotten as soon as the certificate is issued. Bundles have the shape of those of
//! the public instance. There is no certificate transparency log, so clients that insist on one (sigstore-python)
//! refuse them. What the root does not give is a witness: whoever holds both keys can sign in the past.

use std::path::Path;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SanType,
};
use serde_json::json;
use sigstore_crypto::KeyPair;
use sigstore_trust_root::TrustedRoot;
use sigstore_types::{Bundle, DerCertificate, Sha256Hash};
use sigstore_verify::{Error, VerificationPolicy, Verifier};

use super::root::Root;
use crate::adapter::fs;
use crate::format::bundle::{self, Content, LogEntry, base64};
use crate::format::intoto::PAYLOAD_TYPE;
use crate::model::Digest;
use crate::port::{SignerIdentity, Trust, TrustError, Verified};

/// Fulcio's object identifier for the issuer of the identity (`1.3.6.1.4.1.57264.1.8`, DER UTF8String).
const ISSUER_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 8];
/// The largest file of a trust root.
const MAX_FILE: u64 = 1 << 20;
/// The clock of a consumer may be behind.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A trust root, with its keys when it was made or opened for signing.
pub struct LocalTrust {
    root: TrustedRoot,
    signer: Option<Signer>,
}

struct Signer {
    certificate: Vec<u8>,
    key: KeyPair,
    log_key: KeyPair,
    origin: String,
    now: Timestamp,
}

/// What a new trust root is made for.
#[derive(Debug, Clone)]
pub struct Mint {
    /// Who the certificate names.
    pub identity: SignerIdentity,
    /// The time now.
    pub now: Timestamp,
    /// How long the certificate is valid.
    pub valid_for: SignedDuration,
}

impl LocalTrust {
    /// Makes a trust root in a directory; one that is there already is opened instead, so that a run that was killed
    /// goes on with the same keys.
    pub fn create(directory: &Path, mint: &Mint) -> Result<Self, TrustError> {
        if fs::exists(&directory.join("trusted_root.json")) {
            return Self::open(directory, mint.now);
        }
        let failed = |error: rcgen::Error| TrustError::Root { reason: error.to_string() };
        let authority_key = rcgen::KeyPair::generate().map_err(failed)?;
        let key = rcgen::KeyPair::generate().map_err(failed)?;
        let log_key = rcgen::KeyPair::generate().map_err(failed)?;
        let authority = authority_params(mint).self_signed(&authority_key).map_err(failed)?;
        let issuer = Issuer::new(authority_params(mint), &authority_key);
        let certificate = signer_params(mint)?.signed_by(&key, &issuer).map_err(failed)?;
        let log = key_pair(log_key.serialized_der())?;
        let log_spki = log.public_key_der().map_err(unusable)?;
        let origin = origin(log_spki.as_bytes());
        let root = Root {
            authority: authority.der(),
            log_key: log_spki.as_bytes(),
            origin: &origin,
            since: mint.now - SKEW,
        };
        // The root last: a directory without it is made anew.
        write(&directory.join("signer.key"), key.serialize_pem().as_bytes(), 0o600)?;
        write(&directory.join("log.key"), log_key.serialize_pem().as_bytes(), 0o600)?;
        write(&directory.join("signer.pem"), certificate.pem().as_bytes(), 0o644)?;
        write(&directory.join("trusted_root.json"), root.to_json().as_bytes(), 0o644)?;
        Self::open(directory, mint.now)
    }

    /// Opens a trust root for signing.
    pub fn open(directory: &Path, now: Timestamp) -> Result<Self, TrustError> {
        let text = |name: &str| read(&directory.join(name));
        let trust = Self::from_root(&text("trusted_root.json")?)?;
        let certificate = DerCertificate::from_pem(&text("signer.pem")?).map_err(unusable)?;
        let private = |name: &str| -> Result<KeyPair, TrustError> {
            let pair = rcgen::KeyPair::from_pem(&text(name)?).map_err(unusable)?;
            key_pair(pair.serialized_der())
        };
        let log_key = private("log.key")?;
        let signer = Signer {
            certificate: certificate.as_bytes().to_vec(),
            key: private("signer.key")?,
            origin: origin(log_key.public_key_der().map_err(unusable)?.as_bytes()),
            log_key,
            now,
        };
        Ok(Self { signer: Some(signer), ..trust })
    }

    /// A trust root for checking only, from the content of `trusted_root.json`.
    pub fn from_root(text: &str) -> Result<Self, TrustError> {
        let root = TrustedRoot::from_json(text).map_err(unusable)?;
        Verifier::new(&root).map_err(unusable)?;
        Ok(Self { root, signer: None })
    }
}

#[async_trait(?Send)]
impl Trust for LocalTrust {
    async fn sign_statement(&self, statement: &[u8]) -> Result<Vec<u8>, TrustError> {
        let signer = self.signer.as_ref().ok_or(TrustError::NoKey)?;
        let signature = signer.key.sign(&sigstore_types::pae(PAYLOAD_TYPE, statement)).map_err(unusable)?;
        let envelope = json!({
            "payload": base64(statement),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "sig": base64(signature.as_bytes()) }],
        });
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": { "algorithm": "sha256", "value": Digest::of(envelope.to_string().as_bytes()).hex() },
                "payloadHash": { "algorithm": "sha256", "value": Digest::of(statement).hex() },
                "signatures": [{
                    "signature": base64(signature.as_bytes()),
                    "verifier": base64(signer.certificate_pem().as_bytes()),
                }],
            },
        });
        let entry = signer.log("dsse", body.to_string().into_bytes())?;
        let content = Content::Statement { payload: statement, signature: signature.as_bytes() };
        Ok(bundle::write(&signer.certificate, &entry, content))
    }

    async fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, TrustError> {
        let signer = self.signer.as_ref().ok_or(TrustError::NoKey)?;
        let sha256 = *digest.sha256().ok_or(TrustError::Algorithm { found: *digest })?;
        let signature = signer.key.sign_digest(&Sha256Hash::new(sha256)).map_err(unusable)?;
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": digest.hex() } },
                "signature": {
                    "content": base64(signature.as_bytes()),
                    "publicKey": { "content": base64(signer.certificate_pem().as_bytes()) },
                },
            },
        });
        let entry = signer.log("hashedrekord", body.to_string().into_bytes())?;
        let content = Content::Message { digest, signature: signature.as_bytes() };
        Ok(bundle::write(&signer.certificate, &entry, content))
    }

    fn verify(
        &self,
        bytes: &[u8],
        artifact: &Digest,
        expected: &SignerIdentity,
    ) -> Result<Verified, TrustError> {
        let payload =
            bundle::payload(bytes).map_err(|error| TrustError::Unreadable { reason: chain(&error) })?;
        let statement =
            bundle::statement(bytes).map_err(|error| TrustError::Unreadable { reason: chain(&error) })?;
        let text = std::str::from_utf8(bytes)
            .map_err(|error| TrustError::Unreadable { reason: error.to_string() })?;
        let parsed =
            Bundle::from_json(text).map_err(|error| TrustError::Unreadable { reason: error.to_string() })?;
        // The library is content with one matching subject; a statement that does not speak of this artifact at all
        // is told apart from a broken one here.
        if statement.as_ref().is_some_and(|statement| !statement.speaks_of(artifact)) {
            return Err(TrustError::WrongArtifact { expected: *artifact });
        }
        let sha256 = *artifact.sha256().ok_or(TrustError::Algorithm { found: *artifact })?;
        let verifier = Verifier::new(&self.root).map_err(unusable)?;
        // Roots without a certificate transparency log cannot vouch for one.
        let mut policy = VerificationPolicy::new(expected.subject.as_str(), expected.issuer.as_str());
        if self.root.ctlogs.is_empty() {
            policy = policy.skip_sct();
        }
        let result = verifier
            .verify(Sha256Hash::new(sha256), &parsed, &policy)
            .map_err(|error| refused(error, artifact, expected))?;
        let identity = SignerIdentity {
            subject: result.identity().map(|identity| identity.as_str().to_owned()).unwrap_or_default(),
            issuer: result.issuer().unwrap_or_default().to_owned(),
        };
        if identity != *expected {
            return Err(wrong_signer(expected, format!("{} by {}", identity.subject, identity.issuer)));
        }
        Ok(Verified {
            identity,
            time: result.integrated_time().or_else(|| result.verified_timestamps().first().copied()),
            log_index: parsed.verification_material.tlog_entries.first().map(|entry| entry.log_index.get()),
            predicate_type: statement.map(|statement| statement.predicate_type),
            statement: payload,
        })
    }
}

impl Signer {
    fn certificate_pem(&self) -> String {
        let text = base64(&self.certificate);
        let lines: Vec<&str> =
            (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// Puts an entry into a log that holds nothing else.
    fn log(&self, kind: &'static str, body: Vec<u8>) -> Result<LogEntry, TrustError> {
        let spki = self.log_key.public_key_der().map_err(unusable)?;
        let log_id = Digest::of(spki.as_bytes());
        let root = *sigstore_merkle::hash_leaf(&body).as_bytes();
        let integrated_time = self.now.as_second();
        // RFC 8785 over exactly these four fields, as Rekor signs them.
        let promise = json!({
            "body": base64(&body),
            "integratedTime": integrated_time,
            "logID": log_id.hex(),
            "logIndex": 0,
        });
        let promise = self.log_key.sign(promise.to_string().as_bytes()).map_err(unusable)?;
        let note = format!("{}\n1\n{}\n", self.origin, base64(&root));
        let signature = self.log_key.sign(note.as_bytes()).map_err(unusable)?;
        let mut signed = log_id.as_bytes()[..4].to_vec();
        signed.extend_from_slice(signature.as_bytes());
        let checkpoint = format!("{note}\n\u{2014} {} {}\n", self.origin, base64(&signed));
        Ok(LogEntry {
            log_id,
            kind,
            integrated_time,
            promise: promise.as_bytes().to_vec(),
            root,
            checkpoint,
            body,
        })
    }
}

/// A name for a log nobody can reach, different for every root.
fn origin(log_spki: &[u8]) -> String {
    format!("{}.log.kyklos-release.invalid", Digest::of(log_spki).short())
}

fn authority_params(mint: &Mint) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "kyklos-release");
    params.distinguished_name.push(DnType::CommonName, "local trust root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, mint);
    params
}

fn signer_params(mint: &Mint) -> Result<CertificateParams, TrustError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let subject = mint.identity.subject.as_str().try_into().map_err(unusable)?;
    params.subject_alt_names = vec![SanType::URI(subject)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.use_authority_key_identifier_extension = true;
    let issuer = mint.identity.issuer.as_bytes();
    let length = u8::try_from(issuer.len()).ok().filter(|length| *length < 128);
    let length = length
        .ok_or_else(|| TrustError::Root { reason: "the issuer is longer than 127 bytes".to_owned() })?;
    let mut utf8_string = vec![0x0c, length];
    utf8_string.extend_from_slice(issuer);
    params.custom_extensions = vec![CustomExtension::from_oid_content(ISSUER_OID, utf8_string)];
    valid(&mut params, mint);
    Ok(params)
}

fn valid(params: &mut CertificateParams, mint: &Mint) {
    let date = |time: Timestamp| {
        let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
        let month = u8::try_from(date.month()).unwrap_or(1);
        let day = u8::try_from(date.day()).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(date.year()), month, day)
    };
    // Whole days: one more on each side than asked for.
    let day = SignedDuration::from_hours(24);
    params.not_before = date(mint.now - day);
    params.not_after = date(mint.now + mint.valid_for + day);
}

fn key_pair(pkcs8: &[u8]) -> Result<KeyPair, TrustError> {
    KeyPair::from_pkcs8_der(pkcs8).map_err(unusable)
}

fn unusable(error: impl std::error::Error) -> TrustError {
    TrustError::Root { reason: chain(&error) }
}

/// An error with what lies behind it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn refused(error: Error, artifact: &Digest, expected: &SignerIdentity) -> TrustError {
    match error {
        Error::IdentityMismatch { actual, .. } => {
            let found = actual.map(|actual| actual.as_str().to_owned()).unwrap_or_default();
            wrong_signer(expected, found)
        }
        Error::IssuerMismatch { actual, .. } => {
            wrong_signer(expected, format!("{} by {}", expected.subject, actual.unwrap_or_default()))
        }
        Error::ArtifactMismatch(_) => TrustError::WrongArtifact { expected: *artifact },
        Error::InvalidBundle(reason) | Error::UnsupportedBundle(reason) => TrustError::Unreadable { reason },
        other => TrustError::Invalid { reason: chain(&other) },
    }
}

fn wrong_signer(expected: &SignerIdentity, found: String) -> TrustError {
    TrustError::WrongSigner { expected: format!("{} by {}", expected.subject, expected.issuer), found }
}

fn read(path: &Path) -> Result<String, TrustError> {
    let bytes = fs::read(path, MAX_FILE).map_err(TrustError::Files)?;
    String::from_utf8(bytes)
        .map_err(|_| TrustError::Root { reason: format!("{} is not text", path.display()) })
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TrustError> {
    fs::write_atomic_mode(path, bytes, mode).map_err(TrustError::Files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint(subject: &str) -> Mint {
        Mint {
            identity: SignerIdentity {
                subject: subject.to_owned(),
                issuer: "https://issuer.invalid".to_owned(),
            },
            now: Timestamp::from_second(1_767_225_600).unwrap(),
            valid_for: SignedDuration::from_hours(24 * 365),
        }
    }

    fn block_on<T>(future: impl std::future::Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    const STATEMENT: &str = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}}],"predicateType":"https://example.com/p","predicate":{}}"#;

    #[test]
    fn both_kinds_of_bundle_hold_and_name_the_signer() {
        let place = tempfile::tempdir().unwrap();
        let mint = mint("https://example.com/me");
        let trust = LocalTrust::create(place.path(), &mint).unwrap();
        let digest = Digest::of(b"a");
        let consumer =
            LocalTrust::from_root(&std::fs::read_to_string(place.path().join("trusted_root.json")).unwrap())
                .unwrap();
        let message = block_on(trust.sign_digest(&digest)).unwrap();
        let found = consumer.verify(&message, &digest, &mint.identity).unwrap();
        assert_eq!(
            (found.identity, found.time, found.log_index),
            (mint.identity.clone(), Some(mint.now), Some(0))
        );
        assert_eq!(found.predicate_type, None);
        let statement = block_on(trust.sign_statement(STATEMENT.as_bytes())).unwrap();
        let found = consumer.verify(&statement, &digest, &mint.identity).unwrap();
        assert_eq!(found.predicate_type.as_deref(), Some("https://example.com/p"));
        assert_eq!(found.statement.as_deref(), Some(STATEMENT.as_bytes()));
        assert!(matches!(block_on(consumer.sign_digest(&digest)), Err(TrustError::NoKey)));
    }

    #[test]
    fn refuses_others_by_name() {
        let (mine, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let trust = LocalTrust::create(mine.path(), &mint("https://example.com/me")).unwrap();
        let other = LocalTrust::create(theirs.path(), &mint("https://example.com/me")).unwrap();
        let digest = Digest::of(b"a");
        let me = mint("https://example.com/me").identity;
        let bundle = block_on(trust.sign_statement(STATEMENT.as_bytes())).unwrap();
        assert!(matches!(other.verify(&bundle, &digest, &me), Err(TrustError::Invalid { .. })));
        let wrong = trust.verify(&bundle, &digest, &mint("https://example.com/you").identity);
        assert!(matches!(wrong, Err(TrustError::WrongSigner { .. })), "{wrong:?}");
        let issuer = SignerIdentity { issuer: "https://other.invalid".to_owned(), ..me.clone() };
        assert!(matches!(trust.verify(&bundle, &digest, &issuer), Err(TrustError::WrongSigner { .. })));
        assert!(matches!(
            trust.verify(&bundle, &Digest::of(b"b"), &me),
            Err(TrustError::WrongArtifact { .. })
        ));
        let message = block_on(trust.sign_digest(&digest)).unwrap();
        assert!(trust.verify(&message, &Digest::of(b"b"), &me).is_err());
        assert!(matches!(trust.verify(b"{}", &digest, &me), Err(TrustError::Unreadable { .. })));
    }

    #[test]
    fn a_second_create_keeps_the_keys() {
        let place = tempfile::tempdir().unwrap();
        LocalTrust::create(place.path(), &mint("https://example.com/me")).unwrap();
        let before = std::fs::read(place.path().join("signer.key")).unwrap();
        LocalTrust::create(place.path(), &mint("https://example.com/me")).unwrap();
        assert_eq!(std::fs::read(place.path().join("signer.key")).unwrap(), before);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(place.path().join("signer.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn every_flipped_byte_of_what_was_signed_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let mint = mint("https://example.com/me");
        let trust = LocalTrust::create(place.path(), &mint).unwrap();
        let bundle = block_on(trust.sign_statement(STATEMENT.as_bytes())).unwrap();
        let start = String::from_utf8(bundle.clone()).unwrap().find("\"payload\"").unwrap() + 11;
        for at in (start..bundle.len() - 120).step_by(7) {
            let mut flipped = bundle.clone();
            flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
            assert!(trust.verify(&flipped, &Digest::of(b"a"), &mint.identity).is_err(), "byte {at}");
        }
    }
}
