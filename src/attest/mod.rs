//! Floor 2: checksums, statements and signatures over `port::trust`.
//!
//! A release carries three bundles: one over `checksums.txt` (a message signature, for people who check by hand), one
//! statement over the image, and, made last, one statement over every file with the facts of the release. The last one
//! covers the other two, and its own bytes have one form, so that a signed release has one identity.

use serde_json::{Value, json};

use crate::format::checksums::{self, Entry, Style};
use crate::format::intoto::{Statement, Subject};
use crate::model::{AssetName, Digest, ImageEntry, ReleaseManifest, Rid};

/// The list of files with their digests.
pub const CHECKSUMS: &str = "checksums.txt";
/// The signature over [`CHECKSUMS`].
pub const CHECKSUMS_BUNDLE: &str = "checksums.txt.sigstore.json";
/// The statement over every other file, the other two bundles included, and the facts of the release.
pub const RELEASE_BUNDLE: &str = "release.sigstore.json";
/// The statement over the image: the index and every platform manifest.
pub const IMAGE_BUNDLE: &str = "image.sigstore.json";
/// What [`RELEASE_BUNDLE`] says: the release manifest without its files and bundles, which are the subjects.
pub const RELEASE_PREDICATE: &str = "https://github.com/roguepikachu/kyklos-release/release/v1";
/// What [`IMAGE_BUNDLE`] says: cosign's "this image is mine" (cosign `specs/BUNDLE_SPEC.md`).
pub const IMAGE_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// What a statement about a withdrawn release says: the release and the reason.
pub const WITHDRAWN_PREDICATE: &str = "https://github.com/roguepikachu/kyklos-release/withdrawn/v1";

/// What a statement about a piece of evidence says: its envelope.
pub const EVIDENCE_PREDICATE: &str = "https://github.com/roguepikachu/kyklos-release/evidence/v1";

/// Whether a file vouches for others and is vouched for by nothing but its own signature: exactly these, so that no
/// other file escapes the list of what was signed by its name.
pub fn vouches(name: &str) -> bool {
    [CHECKSUMS_BUNDLE, RELEASE_BUNDLE, IMAGE_BUNDLE].contains(&name)
}

/// `checksums.txt` of files.
pub fn checksums(files: &[(AssetName, Digest)]) -> String {
    let entries: Vec<Entry> =
        files.iter().map(|(name, digest)| Entry { name: name.clone(), digest: (*digest).into() }).collect();
    checksums::write(&entries, Style::Text)
}

/// The statement over the files of a release. `facts` is the predicate.
pub fn release_statement(files: &[(AssetName, Digest)], facts: Value) -> Statement {
    let subjects = files
        .iter()
        .map(|(name, digest)| Subject { name: Some(name.to_string()), digest: *digest })
        .collect();
    Statement { subjects, predicate_type: RELEASE_PREDICATE.to_owned(), predicate: facts }
}

/// The statement over an image: the index first, then every platform manifest.
pub fn image_statement(image: &ImageEntry) -> Statement {
    let digests = std::iter::once(image.digest).chain(image.platforms.iter().map(|platform| platform.digest));
    Statement {
        subjects: digests.map(|digest| Subject { name: None, digest }).collect(),
        predicate_type: IMAGE_PREDICATE.to_owned(),
        predicate: json!({}),
    }
}

/// The statement about a piece of evidence: about the file, and about the image and the files it was made for. `envelope`
/// is the predicate; the commit stands in it, because a commit has no SHA-256.
pub fn evidence_statement(
    file: (&str, Digest),
    made_for: &[(Option<String>, Digest)],
    envelope: Value,
) -> Statement {
    let (name, digest) = file;
    let mut subjects = vec![Subject { name: Some(name.to_owned()), digest }];
    subjects.extend(made_for.iter().map(|(name, digest)| Subject { name: name.clone(), digest: *digest }));
    Statement { subjects, predicate_type: EVIDENCE_PREDICATE.to_owned(), predicate: envelope }
}

/// The statement that a release is withdrawn: about its manifest, every file and every image of it.
pub fn withdrawn_statement(manifest: &ReleaseManifest, rid: Rid, reason: &str) -> Statement {
    let mut subjects = vec![Subject { name: Some(ReleaseManifest::ASSET.to_owned()), digest: rid.0 }];
    let files = manifest.assets.iter();
    subjects.extend(files.map(|asset| Subject { name: Some(asset.name.to_string()), digest: asset.digest }));
    let images = manifest.images.iter();
    subjects.extend(
        images.map(|image| Subject { name: Some(image.repository.to_string()), digest: image.digest }),
    );
    Statement {
        subjects,
        predicate_type: WITHDRAWN_PREDICATE.to_owned(),
        predicate: json!({ "rid": rid, "tag": manifest.tag, "reason": reason }),
    }
}
