//! Which bundles of a release are attached to which manifests of its image.

use jiff::Timestamp;

use super::error::ImageError;
use super::referrer::{Referrer, referrer};
use crate::format::bundle;
use crate::format::oci::{Descriptor, Document};
use crate::model::{AssetName, Digest, ReferrerEntry};

/// The index and its platform manifests, as subjects.
fn subjects(index: &[u8]) -> Vec<Descriptor> {
    let Ok(document) = Document::parse(index, None) else { return Vec::new() };
    let mut subjects = vec![Descriptor::of(document.media_type(), index)];
    subjects.extend(document.named().filter(|descriptor| descriptor.runnable().is_some()).cloned());
    subjects
}

/// Every manifest of an index that a bundle's statement speaks of gets the bundle as a referrer. Bundles with message
/// signatures, and those that cannot be read, are attached to nothing.
pub fn attachments(
    index: &[u8],
    bundles: &[(AssetName, Vec<u8>)],
    created: Timestamp,
) -> Result<Vec<ReferrerEntry>, ImageError> {
    let subjects = subjects(index);
    let mut entries = Vec::new();
    for (asset, bytes) in bundles {
        let Ok(Some(statement)) = bundle::statement(bytes) else { continue };
        for subject in subjects.iter().filter(|subject| statement.speaks_of(&subject.digest)) {
            let made = referrer(bytes, subject, Some(&statement.predicate_type), created)?;
            entries.push(ReferrerEntry {
                subject: subject.digest,
                asset: asset.clone(),
                digest: made.descriptor.digest,
            });
        }
    }
    Ok(entries)
}

/// The referrer that attaches a bundle to one manifest of an index; `None` when the index does not name the subject
/// or the bundle holds no statement.
pub fn attachment(
    index: &[u8],
    subject: &Digest,
    bytes: &[u8],
    created: Timestamp,
) -> Result<Option<Referrer>, ImageError> {
    let Ok(Some(statement)) = bundle::statement(bytes) else { return Ok(None) };
    let found = subjects(index).into_iter().find(|descriptor| descriptor.digest == *subject);
    found.map(|subject| referrer(bytes, &subject, Some(&statement.predicate_type), created)).transpose()
}
