//! Facts of a directory of release files, measured here and now: evidence that needs no envelope.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;

use super::approve::ApproveArgs;
use super::context::Context;
use super::error::CliError;
use super::verify::Believed;
use crate::adapter::fs::{self, Directory};
use crate::adapter::git::Repository;
use crate::attest::{self, CHECKSUMS, CHECKSUMS_BUNDLE, IMAGE_BUNDLE, RELEASE_BUNDLE};
use crate::evidence::{
    self, ApprovalFacts, ChecksumFacts, Fact, HeldBundle, Item, Kind, SbomFacts, SignatureFacts, Subject,
    Trust,
};
use crate::format::binary::{self, is_executable};
use crate::format::oci::{Document, MANIFEST_LIMIT};
use crate::format::{checksums, cyclonedx};
use crate::model::{AssetName, Digest, ReleaseManifest, Rid};
use crate::port::{EntryKind, Files as _, FilesError, Registry, SignerIdentity};
use crate::{image, sbom};

/// The bill of materials of a release.
const SBOM: &str = "sbom.json";
/// The index of the image, byte for byte.
const INDEX: &str = "image-manifest.json";
/// As many bytes as tell an executable from other files.
const HEADERS: u64 = 4096;
/// The largest lock file.
const MAX_LOCK: u64 = 64 << 20;
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
        platforms: Vec::new(),
        assets: BTreeMap::new(),
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
                Ok((digest, _)) if entry.digest == digest => facts.matching += 1,
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

/// `sbom.json` against the executables beside it. `lock` declares what a Rust executable does not tell by itself.
pub(super) fn sbom(
    dist: &Directory,
    lock: Option<&[u8]>,
    subject: &Subject,
    now: Timestamp,
) -> Result<Option<Item>, CliError> {
    let mut executables = Vec::new();
    for entry in dist.list(Path::new("."))? {
        let path = Path::new(&entry.name);
        if entry.kind == EntryKind::File && starts_like_one(dist, path)? {
            executables.push((entry.name.clone(), dist.read(path, binary::MAX_BYTES)?));
        }
    }
    if executables.is_empty() {
        return Ok(None);
    }
    let bytes = dist.read(Path::new(SBOM), cyclonedx::MAX_BYTES as u64)?;
    let (components, findings) = sbom::compare(&bytes, &executables, lock)?;
    let findings =
        findings.into_iter().map(|finding| format!("{}: {}", finding.subject, finding.message)).collect();
    let fact = Ok(Fact::Sbom(SbomFacts { components, findings }));
    Ok(Some(item(Kind::Sbom, SBOM, Digest::of(&bytes), fact, subject, now)))
}

/// Whether a file starts like an executable.
pub(super) fn starts_like_one(dist: &Directory, path: &Path) -> Result<bool, CliError> {
    let mut start = Vec::new();
    let read = dist.open(path)?.take(HEADERS).read_to_end(&mut start);
    read.map_err(|source| FilesError::io("read", path, source))?;
    Ok(is_executable(&start))
}

/// Everything that the files of a release tell by themselves. What is not there gives no evidence, and the gate that
/// needs it says so.
pub(super) fn files(
    dist: &Directory,
    lock: Option<&[u8]>,
    subject: &Subject,
    now: Timestamp,
) -> Result<Vec<Item>, CliError> {
    let has = |name: &str| fs::exists(&dist.root().join(name));
    let mut items = Vec::new();
    if has(CHECKSUMS) {
        items.push(checksums(dist, subject, now)?);
    }
    if has(&format!("CHANGELOG-{}.md", subject.tag.file_part())) {
        items.push(changelog(dist, subject, now)?);
    }
    if has(SBOM) {
        items.extend(sbom(dist, lock, subject, now)?);
    }
    Ok(items)
}

/// The files of a release with everything beside them that makes them tell more: the lock file of the commit, and the
/// signer that is expected.
pub(super) fn release(
    context: &Context,
    repository: &Repository,
    dist: &Directory,
    believed: Option<&Believed>,
    subject: &Subject,
) -> Result<Vec<Item>, CliError> {
    let lock = repository.read_file(subject.commit, "Cargo.lock", MAX_LOCK)?;
    let mut items = files(dist, lock.as_deref(), subject, context.now)?;
    if let Some(Believed { trust, signer }) = believed
        && fs::exists(&dist.root().join(CHECKSUMS))
    {
        items.push(signatures(dist, subject, trust, signer, context.now)?);
    }
    Ok(items)
}

/// What the files in a directory tell about the subject itself: which files there are, which platforms its image has, and
/// the identity of a release that was planned.
pub(super) fn widen(subject: &mut Subject, dist: &Directory) -> Result<(), CliError> {
    for entry in dist.list(Path::new("."))?.into_iter().filter(|entry| entry.kind == EntryKind::File) {
        // What cannot be an asset is refused by the plan, not here.
        let Ok(name) = entry.name.parse::<AssetName>() else { continue };
        let (digest, _) = dist.digest(Path::new(&entry.name))?;
        if entry.name == ReleaseManifest::ASSET {
            subject.rid = Some(Rid(digest));
        }
        if entry.name == INDEX && subject.index == Some(digest) {
            let index = dist.read(Path::new(INDEX), MANIFEST_LIMIT)?;
            let entries = match Document::parse(&index, None) {
                Ok(Document::Index(index)) => index.manifests,
                // The image gate says what is wrong with it.
                Ok(Document::Manifest(_)) | Err(_) => Vec::new(),
            };
            let runnable = entries.into_iter().filter(|entry| entry.runnable().is_some());
            subject.platforms = runnable.map(|entry| entry.digest).collect();
        }
        subject.assets.insert(name, digest);
    }
    Ok(())
}

/// What people say on the command line about the release of this run.
pub(super) fn approvals(approve: &ApproveArgs, subject: &Subject, now: Timestamp) -> Vec<Item> {
    let item = |facts: &ApprovalFacts| {
        let digest = Digest::of(facts.approved_by.as_bytes());
        let path = format!("--approve {}", facts.approved_by);
        self::item(Kind::Approval, &path, digest, Ok(Fact::Approval(facts.clone())), subject, now)
    };
    approve.approve.iter().map(item).collect()
}

/// The image in a registry.
pub(super) async fn image(
    registry: &dyn Registry,
    subject: &Subject,
    now: Timestamp,
) -> Result<Option<Item>, CliError> {
    let Some(index) = subject.index else { return Ok(None) };
    let root = image::fetch(registry, &index).await?;
    let expected = image::Expectations {
        // A tag such as operator/v1.2.3 names more than the version of the image.
        tag: Some(format!("v{}", subject.version)),
        revision: Some(subject.commit.to_string()),
        ..image::Expectations::default()
    };
    let facts = image::check(registry, root, &expected).await?;
    let fact = Ok(Fact::Image(Box::new(facts)));
    Ok(Some(item(Kind::Image, INDEX, index, fact, subject, now)))
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
