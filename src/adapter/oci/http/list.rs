//! The text of a list of referrers (distribution-spec, "Referrers Tag Schema"). What others wrote into it stays as they
//! wrote it, byte for byte: only entries are added, and those of this run put right.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::format::oci::{Descriptor, ImageIndex, media_type};
use crate::model::Digest;
use crate::port::Manifest;

/// What a run has put into a list.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) entries: Vec<Descriptor>,
    /// The list as it was read last.
    pub(super) seen: Option<Digest>,
}

/// A list as it is stored.
pub(super) struct List {
    pub(super) manifest: Manifest,
    pub(super) index: ImageIndex,
}

impl List {
    /// Whether an entry is in the list with the type and the annotations of its manifest.
    pub(super) fn holds(&self, entry: &Descriptor) -> bool {
        self.index.manifests.iter().any(|listed| is(listed, entry))
    }
}

/// The list with the entries in it, each digest once; `None` when nothing is missing.
pub(super) fn with(list: Option<&List>, entries: &[Descriptor]) -> serde_json::Result<Option<Manifest>> {
    let Some(list) = list else {
        return Ok(Some(Manifest::of(media_type::INDEX, serde_json::to_vec(&new(entries))?)));
    };
    if entries.iter().all(|entry| list.holds(entry)) {
        return Ok(None);
    }
    let listed = &list.index.manifests;
    let bytes = &list.manifest.bytes;
    let Some(written) = Written::find(bytes)? else {
        let index = ImageIndex { manifests: new(entries).manifests, ..list.index.clone() };
        return Ok(Some(Manifest::of(&index.media_type, serde_json::to_vec(&index)?)));
    };
    let mut text = Vec::with_capacity(bytes.len() + 512 * entries.len());
    text.extend_from_slice(&bytes[..written.inside.start]);
    for (at, piece) in merged(listed, entries).enumerate() {
        if at > 0 {
            text.push(b',');
        }
        match piece {
            Piece::There(position) => text.extend_from_slice(&bytes[written.entries[position].clone()]),
            Piece::Ours(entry) => serde_json::to_writer(&mut text, entry)?,
        }
    }
    text.extend_from_slice(&bytes[written.inside.end..]);
    Ok(Some(Manifest::of(&list.index.media_type, text)))
}

fn new(entries: &[Descriptor]) -> ImageIndex {
    let mut seen = BTreeSet::new();
    ImageIndex {
        schema_version: 2,
        media_type: media_type::INDEX.to_owned(),
        artifact_type: None,
        manifests: entries.iter().filter(|entry| seen.insert(entry.digest)).cloned().collect(),
        subject: None,
        annotations: BTreeMap::new(),
    }
}

/// An entry of the list as it should be.
enum Piece<'a> {
    /// One that is there, by its position.
    There(usize),
    /// One of this run.
    Ours(&'a Descriptor),
}

/// What is listed, put right where it is of this run, then what is missing.
fn merged<'a>(listed: &'a [Descriptor], entries: &'a [Descriptor]) -> impl Iterator<Item = Piece<'a>> {
    let there = listed.iter().enumerate().map(|(at, one)| {
        let better = entries.iter().find(|entry| entry.digest == one.digest && !is(one, entry));
        (one.digest, better.map_or(Piece::There(at), Piece::Ours))
    });
    let ours = entries.iter().map(|entry| (entry.digest, Piece::Ours(entry)));
    let mut seen = BTreeSet::new();
    there.chain(ours).filter(move |(digest, _)| seen.insert(*digest)).map(|(_, piece)| piece)
}

/// Whether a listed entry is of a manifest, with its type and its annotations.
fn is(listed: &Descriptor, entry: &Descriptor) -> bool {
    listed.digest == entry.digest
        && listed.artifact_type == entry.artifact_type
        && listed.annotations == entry.annotations
}

/// Where in the text of a list its entries are, with the blanks around them.
struct Written {
    /// What is between the brackets.
    inside: Range<usize>,
    entries: Vec<Range<usize>>,
}

#[derive(Deserialize)]
struct Fields<'text> {
    #[serde(borrow)]
    manifests: Option<&'text RawValue>,
}

impl Written {
    /// `None` when there is no list in it.
    fn find(text: &[u8]) -> serde_json::Result<Option<Self>> {
        let start = |part: &RawValue| part.get().as_ptr() as usize - text.as_ptr() as usize;
        let Fields { manifests } = serde_json::from_slice(text)?;
        let Some(manifests) = manifests else { return Ok(None) };
        let inside = start(manifests) + 1..start(manifests) + manifests.get().len() - 1;
        let found: Vec<&RawValue> = serde_json::from_str(manifests.get())?;
        let mut from = inside.start;
        let mut entries = Vec::with_capacity(found.len());
        for entry in found {
            let behind = start(entry) + entry.get().len();
            // Behind an entry are blanks, then a comma or the bracket.
            let blanks = text[behind..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            entries.push(from..behind + blanks);
            from = behind + blanks + 1;
        }
        Ok(Some(Self { inside, entries }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::oci::Document;

    fn entry(bytes: &[u8]) -> Descriptor {
        let mut entry = Descriptor::of(media_type::MANIFEST, bytes);
        entry.artifact_type = Some("a/b".to_owned());
        entry.annotations.insert("k".to_owned(), "v],{[\\\"".to_owned());
        entry
    }

    fn read(text: &str) -> List {
        let manifest = Manifest::of(media_type::INDEX, text.as_bytes().to_vec());
        match Document::parse(&manifest.bytes, None).unwrap() {
            Document::Index(index) => List { manifest, index },
            Document::Manifest(_) => panic!("{text}"),
        }
    }

    fn text(manifest: &Manifest) -> &str {
        std::str::from_utf8(&manifest.bytes).unwrap()
    }

    #[test]
    fn a_list_is_completed_and_holds_each_digest_once() {
        let good = entry(b"1");
        let first = with(None, std::slice::from_ref(&good)).unwrap().unwrap();
        let list = read(text(&first));
        assert_eq!(list.index.manifests, std::slice::from_ref(&good));
        assert_eq!(with(Some(&list), std::slice::from_ref(&good)).unwrap(), None);
        let bare = serde_json::to_string(&Descriptor::of(media_type::MANIFEST, b"1")).unwrap();
        let poor = read(&format!(r#"{{"schemaVersion":2,"manifests":[{bare},{bare}]}}"#));
        let put_right = with(Some(&poor), std::slice::from_ref(&good)).unwrap().unwrap();
        assert_eq!(read(text(&put_right)).index.manifests, [good]);
    }

    #[test]
    fn what_others_wrote_stays_as_they_wrote_it() {
        let theirs = r#"{ "size": 1, "x": [1, {"manifests": []}], "mediaType": "m/t", "digest":
            "sha256:e7f6c011776e8db7cd330b54174fd76f7d0216b612387a5ffcfb81e6f0919683" }"#;
        let before = format!(
            r#"{{"y":{{"manifests":[0]}},"z":["manifests",[]], "schemaVersion" : 2,"manifests": [{theirs}
            ],"annotations":{{"a":"b"}}}}"#
        );
        let ours = entry(b"2");
        let after = with(Some(&read(&before)), std::slice::from_ref(&ours)).unwrap().unwrap();
        let theirs = format!("{theirs}\n            ");
        let expected =
            before.replace(&theirs, &format!("{},{}", theirs, serde_json::to_string(&ours).unwrap()));
        assert_eq!(text(&after), expected);
        let empty = r#"{"schemaVersion":2,"manifests":[ ]}"#;
        let after = with(Some(&read(empty)), std::slice::from_ref(&ours)).unwrap().unwrap();
        let expected =
            format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, serde_json::to_string(&ours).unwrap());
        assert_eq!(text(&after), expected);
        // A name that is written in another way, a list that is none and one that is not there.
        for other in [r#","m\u0061nifests":[]"#, r#","manifests":null"#, ""] {
            let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json""#;
            let other = read(&format!("{index}{other}}}"));
            let after = with(Some(&other), std::slice::from_ref(&ours)).unwrap().unwrap();
            assert_eq!(read(text(&after)).index.manifests, std::slice::from_ref(&ours));
        }
    }

    proptest! {
        #[test]
        fn every_list_keeps_its_entries_in_order_and_gets_what_is_missing(
            listed in prop::collection::vec((0_u8..6, any::<bool>(), ".{0,6}"), 0..6),
            ours in prop::collection::vec(0_u8..6, 1..4),
        ) {
            let listed: Vec<Descriptor> = listed.iter().map(|(number, full, note)| {
                let mut one = if *full { entry(&[*number]) } else { Descriptor::of("m/t", &[*number]) };
                one.annotations.insert(format!("n{note}"), note.clone());
                one
            }).collect();
            let ours: Vec<Descriptor> = ours.iter().map(|number| entry(&[*number])).collect();
            let index = ImageIndex { manifests: listed.clone(), ..new(&[]) };
            let before = read(&serde_json::to_string(&index).unwrap());
            let after = with(Some(&before), &ours).unwrap();
            let after = after.map_or(before, |after| read(text(&after)));
            let digests = |all: &[Descriptor]| {
                let mut seen = BTreeSet::new();
                all.iter().map(|one| one.digest).filter(|one| seen.insert(*one)).collect::<Vec<_>>()
            };
            let expected: Vec<Descriptor> = listed.into_iter().chain(ours.clone()).collect();
            prop_assert_eq!(digests(&after.index.manifests), digests(&expected));
            prop_assert!(ours.iter().all(|one| after.holds(one)));
            prop_assert_eq!(with(Some(&after), &ours).unwrap(), None);
        }
    }
}
