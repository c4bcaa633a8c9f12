//! Packs of git (gitformat-pack(5)): where an index of version 2 says an object is, what stands before its bytes, and
//! deltas. Nothing here believes a length: what an object is shows when its id is computed.

use std::ops::Range;

/// Bytes of the start of an index that have to be there: mark, version and fan-out table.
pub const INDEX_HEAD: usize = 8 + 4 * 256;
/// The most bytes that stand before those of an object: kind, length and the distance of a base.
pub const ENTRY_HEAD: usize = 32;
/// The bytes a pack begins with; version and number of objects follow.
pub const PACK_MARK: [u8; 4] = *b"PACK";
/// The digest at the end of a pack, and of its index.
pub const TRAILER: u64 = 20;

/// How an index is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// How many objects have an id whose first byte is at most the place.
    fan_out: Vec<u32>,
}

/// What an entry of a pack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A commit.
    Commit,
    /// A tree.
    Tree,
    /// The bytes of a file.
    Blob,
    /// An annotated tag.
    Tag,
    /// The difference from the entry that begins so many bytes before this one.
    Delta(u64),
    /// The difference from the object with this id, in the same pack.
    DeltaOf([u8; 20]),
}

/// What stands before the compressed bytes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// How many bytes it has when it is no longer compressed.
    pub size: u64,
    /// How many bytes stand before the compressed ones.
    pub head: usize,
}

impl Index {
    /// Reads the start of an index of so many bytes; `None` when it is none of version 2, or too short for what it
    /// counts.
    pub fn parse(head: &[u8], length: u64) -> Option<Self> {
        let table = head.get(..INDEX_HEAD)?.strip_prefix(b"\xfftOc\0\0\0\x02")?;
        let fan_out: Vec<u32> = table
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let index = Self { fan_out };
        let least = INDEX_HEAD as u64 + 28 * u64::from(index.count()) + 2 * TRAILER;
        (index.fan_out.is_sorted() && length >= least).then_some(index)
    }

    /// How many objects there are.
    pub fn count(&self) -> u32 {
        self.fan_out.last().copied().unwrap_or(0)
    }

    /// The places an id can have, in the order of ids.
    pub fn places(&self, id: &[u8; 20]) -> Range<u32> {
        let first = usize::from(id[0]);
        let from = if first == 0 { 0 } else { self.fan_out[first - 1] };
        from..self.fan_out[first]
    }

    /// Where in the index the id of a place is, 20 bytes.
    pub fn id_at(place: u32) -> u64 {
        INDEX_HEAD as u64 + 20 * u64::from(place)
    }

    /// Where in the index a place says where its object is, four bytes.
    pub fn offset_at(&self, place: u32) -> u64 {
        INDEX_HEAD as u64 + 24 * u64::from(self.count()) + 4 * u64::from(place)
    }

    /// Where in the index the place of an object is that does not fit into 31 bits, eight bytes; `Ok` with the place in
    /// the pack where it fits.
    pub fn offset(&self, word: u32) -> Result<u64, u64> {
        match word & 0x8000_0000 {
            0 => Ok(u64::from(word)),
            _ => {
                let wide = u64::from(word & 0x7fff_ffff);
                Err(INDEX_HEAD as u64 + 28 * u64::from(self.count()) + 8 * wide)
            }
        }
    }
}

/// About where an id stands among those that have the same first byte: ids are spread evenly.
pub fn guess(places: &Range<u32>, id: &[u8; 20]) -> u32 {
    let part = u64::from(u32::from_be_bytes([id[1], id[2], id[3], id[4]]));
    let at = (u64::from(places.end - places.start) * part) >> 32;
    // Less than the number of places, which fits.
    places.start + u32::try_from(at).unwrap_or(0)
}

/// Reads what stands before the bytes of an entry; `None` for what is no entry.
pub fn entry(bytes: &[u8]) -> Option<Entry> {
    let first = *bytes.first()?;
    let (mut size, mut shift, mut head, mut more) = (u64::from(first & 15), 4, 1, first & 0x80 != 0);
    while more {
        let byte = *bytes.get(head)?;
        // No object has 2^60 bytes.
        (shift < 60).then_some(())?;
        size |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        head += 1;
        more = byte & 0x80 != 0;
    }
    let kind = match (first >> 4) & 7 {
        1 => EntryKind::Commit,
        2 => EntryKind::Tree,
        3 => EntryKind::Blob,
        4 => EntryKind::Tag,
        6 => {
            let (distance, length) = distance(bytes.get(head..)?)?;
            head += length;
            EntryKind::Delta(distance)
        }
        7 => {
            let (id, _) = bytes.get(head..)?.split_first_chunk()?;
            head += id.len();
            EntryKind::DeltaOf(*id)
        }
        _ => return None,
    };
    Some(Entry { kind, size, head })
}

/// How far before an entry its base begins, and how many bytes say so.
fn distance(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut distance = 0u64;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        distance = (distance << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return (distance > 0).then_some((distance, at + 1));
        }
        distance += 1;
    }
    None
}

/// Makes an object of its base and the difference from it, into a buffer that is emptied before. `None` when the two do
/// not belong together, and when it would have more than `limit` bytes.
pub fn apply(base: &[u8], delta: &[u8], limit: u64, out: &mut Vec<u8>) -> Option<()> {
    let mut rest = delta;
    let (from, to) = (length(&mut rest)?, length(&mut rest)?);
    (from == base.len() as u64 && to <= limit).then_some(())?;
    let to = usize::try_from(to).ok()?;
    out.clear();
    out.reserve(to);
    while let Some((&order, after)) = rest.split_first() {
        rest = after;
        if order & 0x80 == 0 {
            // Zero is kept for later versions of the format.
            let (new, after) =
                rest.split_at_checked(usize::from(order)).filter(|(new, _)| !new.is_empty())?;
            out.extend_from_slice(new);
            rest = after;
        } else {
            let mut word = |bits: u8, shift: u8| -> Option<usize> {
                let mut word = 0;
                for bit in 0..bits {
                    if order & (1 << (shift + bit)) != 0 {
                        let (byte, after) = rest.split_first()?;
                        word |= usize::from(*byte) << (8 * bit);
                        rest = after;
                    }
                }
                Some(word)
            };
            let (start, size) = (word(4, 0)?, word(3, 4)?);
            let size = if size == 0 { 0x10000 } else { size };
            out.extend_from_slice(base.get(start..start.checked_add(size)?)?);
        }
        (out.len() <= to).then_some(())?;
    }
    (out.len() == to).then_some(())
}

/// A length at the start of a difference: seven bits a byte, the lowest first.
fn length(rest: &mut &[u8]) -> Option<u64> {
    let mut length = 0;
    for shift in (0..63).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_of_entries() {
        let read = |bytes: &[u8]| entry(bytes).map(|entry| (entry.kind, entry.size, entry.head));
        assert_eq!(read(&[0x1f]), Some((EntryKind::Commit, 15, 1)));
        assert_eq!(read(&[0xaf, 0x01]), Some((EntryKind::Tree, 31, 2)));
        assert_eq!(read(&[0x64, 0x81, 0x00]), Some((EntryKind::Delta(256), 4, 3)));
        let mut by_id = vec![0x74];
        by_id.extend([7; 22]);
        assert_eq!(read(&by_id), Some((EntryKind::DeltaOf([7; 20]), 4, 21)));
        // A kind that does not exist, an end too early, a length without one, a base that is itself.
        for bytes in [[0x54].as_slice(), &[0x91], &by_id[..20], &[0xff; 20], &[0x64, 0x00], &[]] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn differences() {
        let make = |delta: &[u8], limit| {
            let mut out = b"old".to_vec();
            apply(b"hello world", delta, limit, &mut out).map(|()| out)
        };
        // Five bytes from place 6, then two new ones.
        let delta = [11, 7, 0x91, 6, 5, 2, b'!', b'!'];
        assert_eq!(make(&delta, 7).as_deref(), Some(b"world!!".as_slice()));
        assert_eq!(make(&delta, 6), None);
        // Another base, a copy past its end, an order without bytes, too short, too long, the order that is kept.
        for delta in [
            [10, 5, 0x91, 6, 5].as_slice(),
            &[11, 6, 0x91, 6, 6],
            &[11, 5, 0x91, 6],
            &[11, 6, 0x91, 6, 5],
            &[11, 4, 0x91, 6, 5],
            &[11, 1, 0, 1],
            &[11],
        ] {
            assert_eq!(make(delta, 100), None, "{delta:?}");
        }
    }

    #[test]
    fn the_start_of_an_index() {
        let mut head = b"\xfftOc\0\0\0\x02".to_vec();
        for first in 0u32..256 {
            head.extend((if first < 7 { 0 } else { 3u32 }).to_be_bytes());
        }
        let whole = INDEX_HEAD as u64 + 3 * 28 + 40;
        let index = Index::parse(&head, whole).unwrap();
        assert_eq!((index.count(), index.places(&[7; 20]), index.places(&[8; 20])), (3, 0..3, 3..3));
        assert_eq!((Index::id_at(2), index.offset_at(1)), (1072, 1032 + 72 + 4));
        assert_eq!(index.offset(258), Ok(258));
        assert_eq!(index.offset(0x8000_0001), Err(1032 + 84 + 8));
        assert_eq!(guess(&(10..20), &[0x80; 20]), 15);
        assert_eq!(guess(&(10..20), &[0xff; 20]), 19);
        assert_eq!(Index::parse(&head, whole - 1), None);
        head[8 + 4 * 9 + 3] = 2;
        assert_eq!(Index::parse(&head, whole), None);
        assert_eq!(Index::parse(&head[..40], whole), None);
    }

    proptest! {
        #[test]
        fn never_panics(
            base in proptest::collection::vec(any::<u8>(), 0..64),
            delta in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut out = Vec::new();
            if apply(&base, &delta, 1 << 20, &mut out).is_some() {
                prop_assert!(out.len() <= 1 << 20);
            }
            entry(&delta);
        }
    }
}
