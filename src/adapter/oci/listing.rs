//! `index.json` of an image layout: which manifests there are, and their tags.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::format::oci::{Descriptor, Document, ImageIndex, OciError, annotation, media_type};
use crate::model::Digest;

/// The entries of `index.json`. Fields nobody here knows, of the document and of its entries, are kept.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    document: Value,
    entries: Vec<(Descriptor, Value)>,
}

impl Listing {
    /// A listing without entries.
    pub(super) fn empty() -> Self {
        let document =
            serde_json::json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": []});
        Self { document, entries: Vec::new() }
    }

    /// A listing of exactly these entries.
    pub(super) fn of(entries: &[Descriptor]) -> Result<Self, OciError> {
        let mut listing = Self::empty();
        for entry in entries {
            listing.entries.push((entry.clone(), serde_json::to_value(entry)?));
        }
        Ok(listing)
    }

    /// Reads `index.json`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, OciError> {
        let Document::Index(ImageIndex { manifests, .. }) = Document::parse(bytes, Some(media_type::INDEX))?
        else {
            return Err(OciError::Missing { field: "manifests" });
        };
        let document: Value = serde_json::from_slice(bytes)?;
        let values = document["manifests"].as_array().cloned().unwrap_or_default();
        Ok(Self { document, entries: manifests.into_iter().zip(values).collect() })
    }

    /// The bytes of `index.json`: entries sorted by tag and digest, so the order of the writes does not show.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, OciError> {
        let mut entries = self.entries.clone();
        entries
            .sort_by(|(left, _), (right, _)| (tag_of(left), left.digest).cmp(&(tag_of(right), right.digest)));
        let mut document = self.document.clone();
        document["manifests"] = entries.into_iter().map(|(_, value)| value).collect();
        Ok(serde_json::to_vec(&document)?)
    }

    /// Every entry.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Descriptor> {
        self.entries.iter().map(|(descriptor, _)| descriptor)
    }

    /// Every tag, sorted.
    pub(super) fn tags(&self) -> BTreeSet<&str> {
        self.entries().filter_map(tag_of).collect()
    }

    /// The digests that carry a tag; more than one means the layout is ambiguous.
    pub(super) fn tagged(&self, tag: &str) -> BTreeSet<Digest> {
        self.entries().filter(|entry| tag_of(entry) == Some(tag)).map(|entry| entry.digest).collect()
    }

    /// Whether a manifest has an entry, tagged or not.
    pub(super) fn lists(&self, digest: &Digest) -> bool {
        self.entries().any(|entry| entry.digest == *digest)
    }

    /// Adds an entry without a tag.
    pub(super) fn add(&mut self, descriptor: &Descriptor) -> Result<(), OciError> {
        let mut entry = Descriptor { platform: None, ..descriptor.clone() };
        entry.annotations.clear();
        let value = serde_json::to_value(&entry)?;
        self.entries.push((entry, value));
        Ok(())
    }

    /// Drops the untagged entries of manifests that can be reached through an index anyway.
    pub(super) fn drop_untagged(&mut self, digests: &BTreeSet<Digest>) {
        self.entries.retain(|(entry, _)| tag_of(entry).is_some() || !digests.contains(&entry.digest));
    }

    /// Moves a tag. The manifest it leaves keeps an entry without a tag when `keep` says that nothing else names it.
    pub(super) fn tag(
        &mut self,
        tag: &str,
        descriptor: &Descriptor,
        keep: impl Fn(&Digest) -> bool,
    ) -> Result<(), OciError> {
        let mut entry = Descriptor { platform: None, ..descriptor.clone() };
        entry.annotations = [(annotation::REF_NAME.to_owned(), tag.to_owned())].into();
        let left: Vec<Descriptor> = self.entries().filter(|old| tag_of(old) == Some(tag)).cloned().collect();
        if left.len() == 1 && left[0].digest == entry.digest {
            return Ok(());
        }
        self.entries.retain(|(old, _)| tag_of(old) != Some(tag));
        self.drop_untagged(&[entry.digest].into());
        let value = serde_json::to_value(&entry)?;
        self.entries.push((entry, value));
        for old in left {
            if !self.lists(&old.digest) && keep(&old.digest) {
                self.add(&old)?;
            }
        }
        Ok(())
    }
}

fn tag_of(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(annotation::REF_NAME).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_writes_does_not_show_and_unknown_fields_stay() {
        let [one, two] = [b"1", b"2"].map(|bytes| Descriptor::of(media_type::MANIFEST, bytes));
        let start = br#"{"schemaVersion":2,"x":1,"manifests":[]}"#;
        let mut left = Listing::parse(start).unwrap();
        left.tag("a", &one, |_| true).unwrap();
        left.tag("b", &two, |_| true).unwrap();
        let mut right = Listing::parse(start).unwrap();
        right.tag("b", &two, |_| true).unwrap();
        right.add(&one).unwrap();
        right.tag("a", &one, |_| true).unwrap();
        right.tag("a", &one, |_| true).unwrap();
        assert_eq!(left.to_bytes().unwrap(), right.to_bytes().unwrap());
        assert!(left.to_bytes().unwrap().starts_with(br#"{"schemaVersion":2,"x":1,"manifests":[{"#));
    }

    #[test]
    fn a_moved_tag_leaves_its_manifest_listed() {
        let [one, two] = [b"1", b"2"].map(|bytes| Descriptor::of(media_type::MANIFEST, bytes));
        let mut listing = Listing::empty();
        listing.tag("latest", &one, |_| true).unwrap();
        listing.tag("latest", &two, |_| true).unwrap();
        assert_eq!(listing.tagged("latest"), [two.digest].into());
        assert!(listing.lists(&one.digest));
        listing.tag("latest", &one, |_| false).unwrap();
        assert!(!listing.lists(&two.digest));
        assert_eq!(listing.entries().count(), 1);
    }

    #[test]
    fn null_is_an_empty_list() {
        assert_eq!(Listing::parse(br#"{"schemaVersion":2,"manifests":null}"#).unwrap().entries().count(), 0);
    }
}
