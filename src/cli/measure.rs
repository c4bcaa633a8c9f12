//! Facts of a directory of release files, measured here and now: evidence that needs no envelope.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use super::error::CliError;
use crate::adapter::fs::{self, Directory};
use crate::attest::{self, CHECKSUMS, CHECKSUMS_BUNDLE, IMAGE_BUNDLE, RELEASE_BUNDLE};
use crate::evidence::{self, ChecksumFacts, Fact, HeldBundle, Item, Kind, SignatureFacts, Subject, Trust};
use crate::format::checksums;
use crate::image;
use crate::model::{Digest, ReleaseManifest};
use crate::port::{EntryKind, Files as _, Registry, SignerIdentity};

/// The largest text that is read.
const MAX_TEXT: u64 = 32 << 20;

/// A fact of this run about the subject.
pub(super) fn item(
    kind: Kind,
    path: &str,
    digest: Digest,
    fact: Result<Fact, String>,
    subject: &Subject,
    now: Timestamp,
) -> Item {
    Item {
        kind,
        path: path.to_owned(),
        digest,
        trust: Trust::Bound,
        commit: Some(subject.commit),
        index: subject.index,
        produced: Some(now),
        fact,
    }
}

/// `checksums.txt` against the files beside it. Bundles vouch for others and are not listed.
pub(super) fn checksums(dist: &Directory, subject: &Subject, now: Timestamp) -> Result<Item, CliError> {
    let bytes = dist.read(Path::new(CHECKSUMS), MAX_TEXT)?;
    let fact = checksums::read(&bytes).map_err(|error| error.to_string()).map(|entries| {
        let mut facts = ChecksumFacts::default();
        let mut listed = BTreeSet::new();
        for entry in entries {
            let name = entry.name.to_string();
            match dist.digest(Path::new(&name)) {
                Ok((digest, _)) if digest == entry.digest => facts.matching += 1,
                Ok(_) => facts.mismatched.push(name.clone()),
                Err(_) => facts.missing.push(name.clone()),
            }
            listed.insert(name);
        }
        let files = dist.list(Path::new(".")).unwrap_or_default();
        facts.unlisted = files
            .into_iter()
            .filter(|entry| {
                entry.kind == EntryKind::File && !listed.contains(&entry.name) && !vouches(&entry.name)
            })
            .map(|entry| entry.name)
            .collect();
        Fact::Checksums(facts)
    });
    Ok(item(Kind::Checksums, CHECKSUMS, Digest::of(&bytes), fact, subject, now))
}

/// The list itself, the manifest that lists it, and the bundles stand in no list.
fn vouches(name: &str) -> bool {
    name == CHECKSUMS || name == ReleaseManifest::ASSET || attest::vouches(name)
}

/// `CHANGELOG-TAG.md`.
pub(super) fn changelog(dist: &Directory, subject: &Subject, now: Timestamp) -> Result<Item, CliError> {
    let name = format!("CHANGELOG-{}.md", subject.tag.file_part());
    let bytes = dist.read(Path::new(&name), MAX_TEXT)?;
    Ok(item(
        Kind::Changelog,
        &name,
        Digest::of(&bytes),
        evidence::read(Kind::Changelog, &bytes),
        subject,
        now,
    ))
}

/// Everything that the files of a release tell by themselves. What is not there gives no evidence, and the gate that
/// needs it says so.
pub(super) fn files(dist: &Directory, subject: &Subject, now: Timestamp) -> Result<Vec<Item>, CliError> {
    let has = |name: &str| fs::exists(&dist.root().join(name));
    let mut items = Vec::new();
    if has(CHECKSUMS) {
        items.push(checksums(dist, subject, now)?);
    }
    if has(&format!("CHANGELOG-{}.md", subject.tag.file_part())) {
        items.push(changelog(dist, subject, now)?);
    }
    Ok(items)
}

/// The image in a registry.
pub(super) async fn image(
    registry: &dyn Registry,
    subject: &Subject,
    now: Timestamp,
) -> Result<Option<Item>, CliError> {
    let Some(index) = subject.index else { return Ok(None) };
    let facts = image::check(registry, &index, image::LayerLimits::default()).await?;
    let fact = Ok(Fact::Image(Box::new(facts)));
    Ok(Some(item(Kind::Image, "image-manifest.json", index, fact, subject, now)))
}

/// The bundles of a release against what they sign.
pub(super) fn signatures(
    dist: &Directory,
    subject: &Subject,
    trust: &dyn crate::port::Trust,
    signer: &SignerIdentity,
    now: Timestamp,
) -> Result<Item, CliError> {
    let mut facts = SignatureFacts::default();
    let (checksums, _) = dist.digest(Path::new(CHECKSUMS))?;
    let mut bundles = vec![(CHECKSUMS_BUNDLE, checksums), (RELEASE_BUNDLE, checksums)];
    bundles.extend(subject.index.map(|index| (IMAGE_BUNDLE, index)));
    let mut all = Vec::new();
    for (name, digest) in bundles {
        let held = match dist.read(Path::new(name), MAX_TEXT) {
            Ok(bytes) => {
                all.extend_from_slice(&bytes);
                trust.verify(&bytes, &digest, signer).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match held {
            Ok(verified) => {
                facts.valid.push(HeldBundle { name: name.to_owned(), signer: verified.identity.subject });
            }
            Err(reason) => facts.findings.push(format!("{name}: {reason}")),
        }
    }
    Ok(item(Kind::Signatures, RELEASE_BUNDLE, Digest::of(&all), Ok(Fact::Signatures(facts)), subject, now))
}
