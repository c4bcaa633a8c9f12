//! The text of a list of referrers (distribution-spec, "Referrers Tag Schema"). What others wrote into it stays as they
//! wrote it, byte for byte: only entries are added, and those of this run put right.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

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
        self.index.manifests.iter().any(|listed| {
            listed.digest == entry.digest
                && listed.artifact_type == entry.artifact_type
                && listed.annotations == entry.annotations
        })
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
    let Some(written) = Written::find(bytes).filter(|written| written.entries.len() == listed.len()) else {
        // It says that it lists manifests in a way that is not looked for here.
        let index = ImageIndex { manifests: merged(listed, entries), ..list.index.clone() };
        return Ok(Some(Manifest::of(&index.media_type, serde_json::to_vec(&index)?)));
    };
    let mut text = Vec::with_capacity(bytes.len() + 512 * entries.len());
    text.extend_from_slice(&bytes[..written.inside.start]);
    for (position, entry) in merged(listed, entries).iter().enumerate() {
        if position > 0 {
            text.push(b',');
        }
        match listed.iter().position(|one| one == entry) {
            Some(position) => text.extend_from_slice(&bytes[written.entries[position].clone()]),
            None => serde_json::to_writer(&mut text, entry)?,
        }
    }
    text.extend_from_slice(&bytes[written.inside.end..]);
    Ok(Some(Manifest::of(&list.index.media_type, text)))
}

fn new(entries: &[Descriptor]) -> ImageIndex {
    ImageIndex {
        schema_version: 2,
        media_type: media_type::INDEX.to_owned(),
        artifact_type: None,
        manifests: merged(&[], entries),
        subject: None,
        annotations: BTreeMap::new(),
    }
}

/// What is listed, put right where it is of this run, then what is missing.
fn merged(listed: &[Descriptor], entries: &[Descriptor]) -> Vec<Descriptor> {
    let right = |one: &Descriptor| {
        let better = entries.iter().find(|entry| {
            entry.digest == one.digest
                && (entry.artifact_type != one.artifact_type || entry.annotations != one.annotations)
        });
        better.unwrap_or(one).clone()
    };
    let mut seen = BTreeSet::new();
    let all = listed.iter().map(right).chain(entries.iter().cloned());
    all.filter(|entry| seen.insert(entry.digest)).collect()
}

/// Where in a JSON object the entries of `manifests` are.
struct Written {
    /// What is between its brackets.
    inside: Range<usize>,
    entries: Vec<Range<usize>>,
}

impl Written {
    /// The text must be valid JSON.
    fn find(text: &[u8]) -> Option<Self> {
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        let mut string = 0..0;
        let mut named = false;
        let mut open = None;
        let mut entries = Vec::new();
        for (at, byte) in text.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => {
                    in_string = !in_string;
                    if in_string { string.start = at + 1 } else { string.end = at }
                }
                _ if in_string => {}
                b':' if depth == 1 => named = text.get(string.clone()) == Some(b"manifests"),
                b'[' | b'{' => {
                    depth += 1;
                    if depth == 2 && named && *byte == b'[' {
                        open = Some(at + 1);
                        entries.push(at + 1..at + 1);
                    }
                }
                b',' if depth == 2 && open.is_some() => {
                    entries.last_mut()?.end = at;
                    entries.push(at + 1..at + 1);
                }
                b']' if depth == 2 && open.is_some() => {
                    entries.last_mut()?.end = at;
                    if text[open?..at].trim_ascii().is_empty() {
                        entries.clear();
                    }
                    return Some(Self { inside: open?..at, entries });
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        None
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
        // A name that is written in another way is not looked for, but nothing goes wrong.
        let other = read(
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","m\u0061nifests":[]}"#,
        );
        let after = with(Some(&other), std::slice::from_ref(&ours)).unwrap().unwrap();
        assert_eq!(read(text(&after)).index.manifests, [ours]);
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
