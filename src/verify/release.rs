//! A release as a consumer sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use semver::Version;

use super::image;
use super::report::{Reason, Report, Signature};
use crate::attest::{
    CHECKSUMS, CHECKSUMS_BUNDLE, IMAGE_BUNDLE, IMAGE_PREDICATE, RELEASE_BUNDLE, RELEASE_PREDICATE, vouches,
};
use crate::format::bundle::is_compact;
use crate::format::{checksums, intoto, release_manifest, withdrawal};
use crate::model::{AssetName, Digest, ReleaseManifest, Rid, Tag};
use crate::port::{EntryKind, Files, FilesError, Registry, SignerIdentity, Trust};

/// The largest checksum file, bundle and statement that are read.
const MAX_DOCUMENT: u64 = 32 << 20;

/// Where a release is looked at.
pub struct Published<'a> {
    /// The directory of its assets.
    pub assets: &'a dyn Files,
    /// Title, text and marks as the forge shows them; `None` where only files are at hand.
    pub face: Option<Face>,
    /// The registry of its images; `None` where only files are at hand.
    pub registry: Option<&'a dyn Registry>,
    /// The releases beside it; `None` where only files are at hand.
    pub beside: Option<Beside>,
}

/// What a forge shows of all its releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Tags of every published stable release.
    pub stable: Vec<Tag>,
    /// The tag a consumer gets who asks for the latest release.
    pub latest: Option<Tag>,
}

/// What a forge shows of a release beside its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// Where it stands, for messages.
    pub place: String,
    /// The tag.
    pub tag: String,
    /// The title.
    pub title: String,
    /// The text.
    pub body: String,
    /// Whether it is a prerelease.
    pub prerelease: bool,
    /// The commit, when the forge shows one.
    pub commit: Option<String>,
}

/// Checks everything and reports everything; never stops at the first finding.
pub async fn release(published: &Published<'_>, trust: &dyn Trust, expected: &SignerIdentity) -> Report {
    let mut report = Report::default();
    let Some((manifest, rid)) = read_manifest(published.assets, &mut report) else { return report };
    let found = files(published.assets, &manifest, &mut report);
    listed(published.assets, &manifest, &found, &mut report);
    signatures(published.assets, &manifest, &found, trust, expected, &mut report);
    if let Some(face) = &published.face {
        self::face(published.assets, face, &manifest, rid, &mut report);
    }
    image::described(published.assets, &manifest, &mut report);
    let pattern = manifest.pattern();
    let stable = published.beside.iter().flat_map(|beside| &beside.stable);
    let stable = stable.filter_map(|tag| pattern.version(tag.as_str()));
    let newer: Vec<Version> = stable.filter(|version| *version > manifest.version).collect();
    let withdrawn = published.face.as_ref().is_some_and(|face| withdrawal::find(&face.body).is_some());
    let leads = !withdrawn && !manifest.prerelease;
    if let Some(beside) = published.beside.as_ref().filter(|_| leads && newer.is_empty())
        && beside.latest.as_ref() != Some(&manifest.tag)
    {
        let found = beside.latest.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let message = format!("expected {}, the highest stable release, found {found}", manifest.tag);
        report.fail(Reason::Tampered, "verify-latest", "forge/latest", message);
    }
    if let Some(registry) = published.registry {
        for entry in &manifest.images {
            image::stored(registry, entry, &mut report).await;
            if leads {
                image::rolled(registry, entry, &newer, &mut report).await;
            }
        }
    }
    report
}

fn read_manifest(assets: &dyn Files, report: &mut Report) -> Option<(ReleaseManifest, Rid)> {
    let name = ReleaseManifest::ASSET;
    let bytes = match assets.read(Path::new(name), release_manifest::MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(FilesError::Missing { .. }) => {
            report.fail(
                Reason::Tampered,
                "verify-missing",
                name,
                "it is missing: this is no release of kyklos-release",
            );
            return None;
        }
        Err(error) => {
            report.fail(Reason::CouldNotCheck, "verify-unreadable", name, error.to_string());
            return None;
        }
    };
    report.seen(name, Digest::of(&bytes));
    match release_manifest::decode(&bytes) {
        Ok(decoded) => Some(decoded),
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            report.fail(Reason::Tampered, "verify-manifest", name, format!("{error}{cause}"));
            None
        }
    }
}

/// Every file is listed, every listed file is there, with its size and digest.
fn files(assets: &dyn Files, manifest: &ReleaseManifest, report: &mut Report) -> BTreeMap<AssetName, Digest> {
    let mut found = BTreeMap::new();
    let entries = match assets.list(Path::new(".")) {
        Ok(entries) => entries,
        Err(error) => {
            report.fail(Reason::CouldNotCheck, "verify-unreadable", ".", error.to_string());
            return found;
        }
    };
    for entry in &entries {
        let listed = manifest.assets.iter().any(|asset| asset.name.as_str() == entry.name);
        if (!listed && entry.name != ReleaseManifest::ASSET) || entry.kind != EntryKind::File {
            report.fail(Reason::Tampered, "verify-extra", &entry.name, "it is not part of the release");
        }
    }
    for asset in &manifest.assets {
        let name = asset.name.as_str();
        match assets.digest(Path::new(name)) {
            Ok((digest, size)) => {
                report.seen(name, digest);
                if (digest, size) == (asset.digest, asset.size) {
                    found.insert(asset.name.clone(), digest);
                } else {
                    let message = format!(
                        "expected {} of {} bytes, found {digest} of {size}",
                        asset.digest, asset.size
                    );
                    report.fail(Reason::Tampered, "verify-digest", name, message);
                }
            }
            Err(FilesError::Missing { .. }) => {
                report.fail(Reason::Tampered, "verify-missing", name, "it is missing");
            }
            Err(error) => report.fail(Reason::CouldNotCheck, "verify-unreadable", name, error.to_string()),
        }
    }
    found
}

/// `checksums.txt` lists every file that is no bundle, with the digest that was found.
fn listed(
    assets: &dyn Files,
    manifest: &ReleaseManifest,
    found: &BTreeMap<AssetName, Digest>,
    report: &mut Report,
) {
    let bytes = match assets.read(Path::new(CHECKSUMS), MAX_DOCUMENT) {
        Ok(bytes) => bytes,
        Err(error) => {
            unread(&error, CHECKSUMS, report);
            return;
        }
    };
    let entries = match checksums::read(&bytes) {
        Ok(entries) => entries,
        Err(error) => {
            report.fail(Reason::Tampered, "verify-checksums", CHECKSUMS, error.to_string());
            return;
        }
    };
    let mut listed = BTreeSet::new();
    for entry in entries {
        match found.get(&entry.name) {
            Some(digest) if entry.digest == *digest => {}
            Some(digest) => {
                let message = format!("{CHECKSUMS} says {}, found {digest}", entry.digest);
                report.fail(Reason::Tampered, "verify-checksums", entry.name.as_str(), message);
            }
            None => {
                let message = format!("{CHECKSUMS} lists it, and it is not there as listed");
                report.fail(Reason::Tampered, "verify-checksums", entry.name.as_str(), message);
            }
        }
        listed.insert(entry.name);
    }
    for asset in manifest
        .assets
        .iter()
        .filter(|asset| !vouches(asset.name.as_str()) && asset.name.as_str() != CHECKSUMS)
    {
        if !listed.contains(&asset.name) {
            let message = format!("{CHECKSUMS} does not list it");
            report.fail(Reason::Tampered, "verify-checksums", asset.name.as_str(), message);
        }
    }
}

/// The three bundles of a release, each for what it speaks of.
fn signatures(
    assets: &dyn Files,
    manifest: &ReleaseManifest,
    found: &BTreeMap<AssetName, Digest>,
    trust: &dyn Trust,
    expected: &SignerIdentity,
    report: &mut Report,
) {
    let digest =
        |name: &str| found.iter().find(|(asset, _)| asset.as_str() == name).map(|(_, digest)| *digest);
    if let Some(subject) = digest(CHECKSUMS)
        && let Some((signature, _)) = bundle(assets, CHECKSUMS_BUNDLE, &subject, trust, expected, report)
    {
        report.signed(CHECKSUMS, &signature);
    }
    let first = manifest.assets.iter().find(|asset| !vouches(asset.name.as_str())).map(|asset| asset.digest);
    // Nothing is signed over this one, and white space would give the same release another identity.
    if assets.read(Path::new(RELEASE_BUNDLE), MAX_DOCUMENT).is_ok_and(|bytes| !is_compact(&bytes)) {
        let message = "it is not in the form in which it was written";
        report.fail(Reason::Tampered, "verify-bundle", RELEASE_BUNDLE, message);
    }
    match first.map(|subject| bundle(assets, RELEASE_BUNDLE, &subject, trust, expected, report)) {
        Some(Some((signature, Some(statement)))) => stated(manifest, &statement, &signature, report),
        Some(Some((_, None))) => {
            let message = "it is a message signature; the files of the release need a statement";
            report.fail(Reason::NotSigned, "verify-statement", RELEASE_BUNDLE, message);
        }
        // Told already.
        Some(None) => {}
        None => {
            report.fail(Reason::NotSigned, "verify-not-signed", ReleaseManifest::ASSET, "it lists no file");
        }
    }
    for entry in &manifest.images {
        let Some((signature, statement)) =
            bundle(assets, IMAGE_BUNDLE, &entry.digest, trust, expected, report)
        else {
            continue;
        };
        let whole = statement.is_some_and(|statement| {
            statement.predicate_type == IMAGE_PREDICATE
                && entry.platforms.iter().all(|platform| statement.speaks_of(&platform.digest))
        });
        if !whole {
            let message = "it is no statement about the index and every platform of the image";
            report.fail(Reason::PolicyUnmet, "verify-statement", IMAGE_BUNDLE, message);
        }
        let name = entry.repository.to_string();
        report.seen(&name, entry.digest);
        report.signed(&name, &signature);
    }
}

/// A document that is not there signs nothing; one that cannot be read decides nothing.
fn unread(error: &FilesError, name: &str, report: &mut Report) {
    match error {
        FilesError::Missing { .. } => {
            report.fail(Reason::NotSigned, "verify-not-signed", name, "it is missing");
        }
        FilesError::TooLarge { .. } | FilesError::NotAFile { .. } | FilesError::Io { .. } => {
            report.fail(Reason::CouldNotCheck, "verify-unreadable", name, error.to_string());
        }
    }
}

/// Reads a bundle and checks it; a bundle that is not there is a finding.
fn bundle(
    assets: &dyn Files,
    name: &str,
    subject: &Digest,
    trust: &dyn Trust,
    expected: &SignerIdentity,
    report: &mut Report,
) -> Option<(Signature, Option<intoto::Statement>)> {
    let bytes = match assets.read(Path::new(name), MAX_DOCUMENT) {
        Ok(bytes) => bytes,
        Err(error) => {
            unread(&error, name, report);
            return None;
        }
    };
    let verified = match trust.verify(&bytes, subject, expected) {
        Ok(verified) => verified,
        Err(error) => {
            report.distrust(name, &error);
            return None;
        }
    };
    let statement = match verified.statement.as_deref().map(intoto::Statement::parse).transpose() {
        Ok(statement) => statement,
        Err(error) => {
            report.fail(Reason::Tampered, "verify-statement", name, error.to_string());
            return None;
        }
    };
    Some((Signature::new(name, &verified), statement))
}

/// What was signed about the release is what the manifest says, file by file and fact by fact.
fn stated(
    manifest: &ReleaseManifest,
    statement: &intoto::Statement,
    signature: &Signature,
    report: &mut Report,
) {
    if statement.predicate_type != RELEASE_PREDICATE {
        let message =
            format!("expected a statement of type {RELEASE_PREDICATE}, found {}", statement.predicate_type);
        report.fail(Reason::PolicyUnmet, "verify-statement", RELEASE_BUNDLE, message);
        return;
    }
    let predicate = release_manifest::predicate(manifest);
    if statement.predicate != predicate {
        let name = ReleaseManifest::ASSET;
        report.fail(
            Reason::Tampered,
            "verify-facts",
            name,
            format!("it says other things than {RELEASE_BUNDLE}"),
        );
    }
    for asset in manifest.assets.iter().filter(|asset| asset.name.as_str() != RELEASE_BUNDLE) {
        let name = asset.name.as_str();
        let subject = statement.subjects.iter().find(|subject| subject.name.as_deref() == Some(name));
        match subject {
            Some(subject) if subject.digest == asset.digest => report.signed(name, signature),
            Some(subject) => {
                let message = format!(
                    "{} was signed, {} says {}",
                    subject.digest,
                    ReleaseManifest::ASSET,
                    asset.digest
                );
                report.fail(Reason::Tampered, "verify-statement", name, message);
            }
            None => report.fail(
                Reason::NotSigned,
                "verify-not-signed",
                name,
                format!("{RELEASE_BUNDLE} does not name it"),
            ),
        }
    }
    for subject in &statement.subjects {
        let name = subject.name.as_deref().unwrap_or("a subject without a name");
        if !manifest.assets.iter().any(|asset| asset.name.as_str() == name) {
            report.fail(
                Reason::Tampered,
                "verify-missing",
                name,
                "it was signed as part of the release and is missing",
            );
        }
    }
}

/// What the forge shows is what the manifest says.
fn face(assets: &dyn Files, face: &Face, manifest: &ReleaseManifest, rid: Rid, report: &mut Report) {
    let notes = match &manifest.notes {
        Some(name) => {
            assets.read(Path::new(name.as_str()), release_manifest::MAX_BODY_BYTES).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let notes = String::from_utf8_lossy(&notes).into_owned();
    let text = notes.trim_end();
    let body = match withdrawal::find(&face.body) {
        Some(withdrawn) => {
            let message = format!("it is withdrawn: {}", withdrawn.reason);
            report.fail(Reason::PolicyUnmet, "verify-withdrawn", &face.place, message);
            withdrawn.text
        }
        None => face.body.as_str(),
    };
    let prerelease = manifest.prerelease || body != face.body;
    // The marker is the last line; its nonce names the run that made the draft and is free, its check is not.
    let marker = body
        .strip_prefix(text)
        .and_then(|rest| rest.strip_prefix("\n\n<!-- kyklos-release rid="))
        .and_then(|rest| rest.strip_suffix(" -->\n"))
        .and_then(|rest| rest.split_once(" op="));
    match marker {
        Some((found, nonce)) if found == rid.to_string() => {
            if !release_manifest::is_nonce_of(nonce, rid) {
                report.fail(Reason::Tampered, "verify-notes", &face.place, "its marker is damaged");
            }
        }
        Some((found, _)) => {
            let message = format!("it is {rid}; {} was published with {found}", face.place);
            report.fail(Reason::Tampered, "verify-rid", ReleaseManifest::ASSET, message);
        }
        None => {
            let message = "its text is not the signed release notes with the marker of this release";
            report.fail(Reason::Tampered, "verify-notes", &face.place, message);
        }
    }
    let title = format!("{} {}", manifest.name, manifest.tag);
    let commit = manifest.commit.to_string();
    let shown = [
        ("title", &title, &face.title),
        ("tag", &manifest.tag.to_string(), &face.tag),
        ("prerelease", &prerelease.to_string(), &face.prerelease.to_string()),
        ("commit", &commit, face.commit.as_ref().unwrap_or(&commit)),
    ];
    for (what, expected, found) in shown {
        if expected != found {
            let message =
                format!("its {what} is not that of the release; expected {expected}, found {found}");
            report.fail(Reason::Tampered, "verify-face", &face.place, message);
        }
    }
}
