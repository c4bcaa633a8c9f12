//! Commits and trees straight from the packs, where nearly all of them are. Half of the time of a whole history goes
//! into reading; this reads once, into buffers that are used again, and maps nothing into memory.
//!
//! An answer is one only when the SHA-1 of what was read is the id that was asked for. Whatever is not found, not
//! understood or not what it should be is left to the library, which tells what is wrong. What this does not do is
//! look for the patterns of collisions in SHA-1: git does when objects come in.
#![expect(clippy::disallowed_methods, reason = "this is where files are read")]

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use aws_lc_rs::digest;
use flate2::{Decompress, FlushDecompress, Status};
use git2::ObjectType;
use libdeflater::Decompressor;

use crate::format::pack::{self, ENTRY_HEAD, Entry, EntryKind, INDEX_HEAD, Index, PACK_MARK, TRAILER};
use crate::model::CommitId;

/// Objects that are larger are left to the library.
const MAX_OBJECT: u64 = 64 << 20;
/// Differences from differences: git makes 50 at most, 4095 when it is told to.
const MAX_CHAIN: usize = 4096;
/// Directories of objects beside the own one.
const MAX_ALTERNATES: usize = 16;
/// The largest list of them.
const MAX_LIST: u64 = 64 << 10;
/// A pack is read in pieces of this size, and as many are kept.
const PIECE: u64 = 16 << 10;
const PIECES: usize = 16;
/// As much of the next piece is read along, so that few objects are cut.
const ALONG: u64 = 2 << 10;
/// Objects up to this size are read in one go where all of them is in a piece.
const SMALL: usize = 64 << 10;
/// Ids that are looked at at once: about where one should be, it nearly always is.
const IDS: u32 = 96;
/// Who asks for more objects than this asks for many; then the index is read once, as long as it is not too large.
const MANY: u32 = 512;
const MAX_TABLE: u32 = 4 << 20;
/// An index is read in pieces of so many places.
const PLACES: u32 = 4096;
/// Bytes of bases that are kept for the next difference.
const KEPT: usize = 1 << 20;

/// The packs of a repository.
pub(super) struct Packs {
    packs: Vec<Pack>,
    /// The pack that had the last object; objects that belong together lie together.
    last: usize,
    inflater: Inflate,
    bases: Bases,
    /// The object that was read last.
    object: Vec<u8>,
    spare: Vec<u8>,
}

struct Pack {
    index: Index,
    ids: File,
    data: File,
    /// Bytes of the pack without its trailer.
    end: u64,
    pieces: Vec<Piece>,
    block: Vec<u8>,
    asked: u32,
    table: Option<Table>,
}

/// An index in memory, eight bytes an object.
struct Table {
    /// Bytes 1 to 4 of the ids.
    ids: Vec<u32>,
    /// What the index says about where the objects are.
    offsets: Vec<u32>,
}

/// What makes objects of compressed bytes, used again for each.
#[derive(Default)]
struct Inflate {
    whole: Decompressor,
    stream: Option<Decompress>,
}

/// A part of a pack, by its number; those without bytes were never read.
#[derive(Default, Clone)]
struct Piece {
    number: u64,
    bytes: Vec<u8>,
}

/// Objects that others differ from, the oldest first.
#[derive(Default)]
struct Bases {
    objects: HashMap<Place, (EntryKind, Rc<[u8]>)>,
    order: VecDeque<Place>,
    bytes: usize,
}

/// A pack, and where in it an entry begins.
type Place = (usize, u64);

impl Packs {
    /// The packs in a directory of objects and in those it names. What cannot be opened is not there.
    pub(super) fn open(objects: &Path) -> Self {
        let mut directories = vec![objects.to_owned()];
        let mut at = 0;
        while let Some(directory) = directories.get(at).cloned() {
            directories.extend(alternates(&directory));
            directories.truncate(MAX_ALTERNATES);
            at += 1;
        }
        let packs = directories.iter().flat_map(|directory| in_directory(&directory.join("pack")));
        Self {
            packs: packs.collect(),
            last: 0,
            inflater: Inflate::default(),
            bases: Bases::default(),
            object: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// An object, when it is here and has that id.
    pub(super) fn read(&mut self, id: CommitId) -> Option<(ObjectType, &[u8])> {
        let (pack, offset) = self.find(id)?;
        self.last = pack;
        let kind = object_type(self.unpack(pack, offset)?)?;
        is(id, kind.str(), &self.object).then_some((kind, self.object.as_slice()))
    }

    /// Gives back what is kept for differences from it.
    pub(super) fn forget(&mut self) {
        self.bases = Bases::default();
    }

    /// What an object is, by what stands before its bytes.
    pub(super) fn kind(&mut self, id: CommitId) -> Option<ObjectType> {
        let (pack, mut at) = self.find(id)?;
        for _ in 0..MAX_CHAIN {
            match self.packs.get_mut(pack)?.head(at)?.kind {
                EntryKind::Delta(distance) => at = at.checked_sub(distance)?,
                EntryKind::DeltaOf(base) => at = self.packs.get_mut(pack)?.find(&base)?,
                kind => return object_type(kind),
            }
        }
        None
    }

    fn find(&mut self, id: CommitId) -> Option<(usize, u64)> {
        let last = self.last;
        let order = std::iter::once(last).chain((0..self.packs.len()).filter(|at| *at != last));
        for at in order {
            if let Some(offset) = self.packs.get_mut(at)?.find(id.as_bytes()) {
                return Some((at, offset));
            }
        }
        None
    }

    /// Reads an entry into `object`, through the differences it stands for.
    fn unpack(&mut self, pack: usize, offset: u64) -> Option<EntryKind> {
        let mut chain: Vec<(u64, Entry)> = Vec::new();
        let mut at = offset;
        let (kind, mut base) = loop {
            if let Some((kind, bytes)) = self.bases.objects.get(&(pack, at)) {
                break (*kind, Some(Rc::clone(bytes)));
            }
            let entry = self.packs.get_mut(pack)?.entry(at)?;
            (entry.size <= MAX_OBJECT && chain.len() < MAX_CHAIN).then_some(())?;
            let base = match entry.kind {
                EntryKind::Delta(distance) => at.checked_sub(distance)?,
                EntryKind::DeltaOf(base) => self.packs.get_mut(pack)?.find(&base)?,
                EntryKind::Commit | EntryKind::Tree | EntryKind::Blob | EntryKind::Tag => {
                    self.inflater.read(self.packs.get_mut(pack)?, at, &entry, &mut self.object)?;
                    break (entry.kind, None);
                }
            };
            chain.push((at, entry));
            at = base;
        };
        if let (true, Some(whole)) = (chain.is_empty(), &base) {
            self.object.clear();
            self.object.extend_from_slice(whole);
        }
        // The nearest to the base comes first; each result is the next base.
        let mut under = at;
        while let Some((at, entry)) = chain.pop() {
            let old = match base.take() {
                Some(kept) => kept,
                None => self.bases.keep((pack, under), kind, &self.object),
            };
            self.inflater.read(self.packs.get_mut(pack)?, at, &entry, &mut self.spare)?;
            pack::apply(&old, &self.spare, MAX_OBJECT, &mut self.object)?;
            under = at;
        }
        // Trees differ from each other; commits hardly ever do.
        if kind == EntryKind::Tree && !self.bases.objects.contains_key(&(pack, offset)) {
            self.bases.keep((pack, offset), kind, &self.object);
        }
        Some(kind)
    }
}

impl Pack {
    fn open(index: &Path) -> Option<Self> {
        let (ids, data) = (File::open(index).ok()?, File::open(index.with_extension("pack")).ok()?);
        let mut head = [0; INDEX_HEAD];
        fill(&ids, &mut head, 0)?;
        let parsed = Index::parse(&head, ids.metadata().ok()?.len())?;
        let mut mark = [0; 4];
        fill(&data, &mut mark, 0)?;
        let end = data.metadata().ok()?.len().checked_sub(TRAILER)?;
        (mark == PACK_MARK).then(|| Self {
            index: parsed,
            ids,
            data,
            end,
            pieces: vec![Piece::default(); PIECES],
            block: Vec::new(),
            asked: 0,
            table: None,
        })
    }

    /// Where an object begins; for one that is not in the pack something else may come out, which its id shows.
    fn find(&mut self, id: &[u8; 20]) -> Option<u64> {
        self.asked = self.asked.saturating_add(1);
        if self.asked == MANY && self.index.count() <= MAX_TABLE {
            self.table = Table::read(&self.index, &self.ids);
        }
        if let Some(table) = &self.table
            && let Found::Word(word) = table.find(self.index.places(id), id)?
        {
            return self.offset(word);
        }
        let mut places = self.index.places(id);
        while !places.is_empty() {
            let middle = pack::guess(&places, id);
            let first = middle.saturating_sub(IDS / 2).clamp(places.start, places.end - 1);
            let last = first.saturating_add(IDS).min(places.end);
            self.block.resize((last - first) as usize * id.len(), 0);
            fill(&self.ids, &mut self.block, Index::id_at(first))?;
            let (ids, _) = self.block.as_chunks::<20>();
            match ids.binary_search(id) {
                Ok(at) => {
                    let mut word = [0; 4];
                    fill(&self.ids, &mut word, self.index.offset_at(first + u32::try_from(at).ok()?))?;
                    return self.offset(u32::from_be_bytes(word));
                }
                Err(0) => places.end = first,
                Err(at) if at == ids.len() => places.start = last,
                Err(_) => return None,
            }
        }
        None
    }

    fn offset(&self, word: u32) -> Option<u64> {
        match self.index.offset(word) {
            Ok(offset) => Some(offset),
            Err(at) => {
                let mut word = [0; 8];
                fill(&self.ids, &mut word, at)?;
                Some(u64::from_be_bytes(word))
            }
        }
    }

    /// The same for an entry whose bytes are not read.
    fn head(&mut self, at: u64) -> Option<Entry> {
        let mut head = [0; ENTRY_HEAD];
        let length =
            usize::try_from(self.end.checked_sub(at)?).map_or(ENTRY_HEAD, |rest| rest.min(ENTRY_HEAD));
        fill(&self.data, &mut head[..length], at)?;
        pack::entry(&head[..length])
    }

    /// What stands before the bytes of an entry.
    fn entry(&mut self, at: u64) -> Option<Entry> {
        pack::entry(self.bytes(at)?)
    }

    /// The bytes from a place to the end of the piece it is in, and those that were read along: at least one, and
    /// [`ALONG`] unless the pack ends.
    fn bytes(&mut self, at: u64) -> Option<&[u8]> {
        (at < self.end).then_some(())?;
        let number = at / PIECE;
        let slot = usize::try_from(number % PIECES as u64).ok()?;
        let piece = &mut self.pieces[slot];
        if piece.number != number || piece.bytes.is_empty() {
            let start = number * PIECE;
            piece.number = number;
            let length = (PIECE + ALONG).min(self.end - start);
            piece.bytes.resize(usize::try_from(length).ok()?, 0);
            if fill(&self.data, &mut piece.bytes, start).is_none() {
                piece.bytes.clear();
                return None;
            }
        }
        piece.bytes.get(usize::try_from(at % PIECE).ok()?..)
    }
}

/// What a table knows.
enum Found {
    /// What the index says about the object.
    Word(u32),
    /// Several ids are alike as far as the table has them.
    Unclear,
}

impl Table {
    fn read(index: &Index, file: &File) -> Option<Self> {
        let count = index.count();
        let mut table =
            Self { ids: Vec::with_capacity(count as usize), offsets: Vec::with_capacity(count as usize) };
        let mut bytes = Vec::new();
        for first in (0..count).step_by(PLACES as usize) {
            let places = PLACES.min(count - first) as usize;
            bytes.resize(places * 20, 0);
            fill(file, &mut bytes, Index::id_at(first))?;
            let (ids, _) = bytes.as_chunks::<20>();
            table.ids.extend(ids.iter().map(|id| u32::from_be_bytes([id[1], id[2], id[3], id[4]])));
            bytes.resize(places * 4, 0);
            fill(file, &mut bytes, index.offset_at(first))?;
            let (words, _) = bytes.as_chunks::<4>();
            table.offsets.extend(words.iter().copied().map(u32::from_be_bytes));
        }
        Some(table)
    }

    fn find(&self, places: Range<u32>, id: &[u8; 20]) -> Option<Found> {
        let ids = self.ids.get(places.start as usize..places.end as usize)?;
        let wanted = u32::from_be_bytes([id[1], id[2], id[3], id[4]]);
        let guess = (pack::guess(&places, id) - places.start) as usize;
        let (mut low, mut high) = (guess.saturating_sub(64), (guess + 64).min(ids.len()));
        if ids.get(low).is_none_or(|first| *first >= wanted) {
            low = 0;
        }
        if high == 0 || ids[high - 1] < wanted {
            high = ids.len();
        }
        let at = low + ids[low..high].partition_point(|id| *id < wanted);
        if ids.get(at) != Some(&wanted) {
            return None;
        }
        let alike = ids.get(at + 1) == Some(&wanted);
        let word = self.offsets[places.start as usize + at];
        Some(if alike { Found::Unclear } else { Found::Word(word) })
    }
}

impl Bases {
    fn keep(&mut self, place: Place, kind: EntryKind, bytes: &[u8]) -> Rc<[u8]> {
        let kept: Rc<[u8]> = bytes.into();
        if kept.len() > KEPT {
            return kept;
        }
        if self.objects.insert(place, (kind, Rc::clone(&kept))).is_none() {
            self.order.push_back(place);
            self.bytes += kept.len();
        }
        while self.bytes > KEPT {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some((_, gone)) = self.objects.remove(&oldest) {
                self.bytes -= gone.len();
            }
        }
        kept
    }
}

impl Inflate {
    /// The bytes of an entry, as many as its head says.
    fn read(&mut self, pack: &mut Pack, at: u64, entry: &Entry, out: &mut Vec<u8>) -> Option<()> {
        let size = usize::try_from(entry.size).ok()?;
        let start = at + entry.head as u64;
        if size <= SMALL {
            out.clear();
            out.resize(size, 0);
            if self.whole.zlib_decompress(pack.bytes(start)?, out) == Ok(size) {
                return Some(());
            }
        }
        // What is large, goes on in another piece, or is damaged.
        let stream = self.stream.get_or_insert_with(|| Decompress::new(true));
        stream.reset(true);
        out.clear();
        // One byte more, so that the end of what is compressed is seen.
        out.reserve(size + 1);
        loop {
            let input = pack.bytes(start + stream.total_in())?;
            let before = stream.total_in();
            match stream.decompress_vec(input, out, FlushDecompress::None).ok()? {
                Status::StreamEnd => return (out.len() == size).then_some(()),
                Status::Ok | Status::BufError if out.len() <= size && stream.total_in() > before => {}
                Status::Ok | Status::BufError => return None,
            }
        }
    }
}

fn object_type(kind: EntryKind) -> Option<ObjectType> {
    match kind {
        EntryKind::Commit => Some(ObjectType::Commit),
        EntryKind::Tree => Some(ObjectType::Tree),
        EntryKind::Blob => Some(ObjectType::Blob),
        EntryKind::Tag => Some(ObjectType::Tag),
        EntryKind::Delta(_) | EntryKind::DeltaOf(_) => None,
    }
}

/// Whether an object has an id.
fn is(id: CommitId, kind: &str, bytes: &[u8]) -> bool {
    let mut head = [0; 32];
    let mut rest = head.as_mut_slice();
    if write!(rest, "{kind} {}\0", bytes.len()).is_err() {
        return false;
    }
    let left = rest.len();
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(&head[..head.len() - left]);
    hash.update(bytes);
    hash.finish().as_ref() == id.as_bytes()
}

fn in_directory(directory: &Path) -> Vec<Pack> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "idx")).collect();
    paths.sort();
    paths.iter().filter_map(|path| Pack::open(path)).collect()
}

/// The other directories that one names (gitrepository-layout(5)).
fn alternates(objects: &Path) -> Vec<PathBuf> {
    let list = objects.join("info/alternates");
    let Ok(bytes) = crate::adapter::fs::read(&list, MAX_LIST) else { return Vec::new() };
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| objects.join(line)).collect()
}

/// Reads as many bytes as there is room for.
fn fill(file: &File, bytes: &mut [u8], at: u64) -> Option<()> {
    #[cfg(unix)]
    let read = std::os::unix::fs::FileExt::read_exact_at(file, bytes, at);
    #[cfg(not(unix))]
    let read = {
        use io::{Read as _, Seek as _};
        let mut file = file;
        file.seek(io::SeekFrom::Start(at)).and_then(|_| file.read_exact(bytes))
    };
    let read: io::Result<()> = read;
    // What cannot be read here is read by the library, which says why it cannot.
    read.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs of objects, a directory of objects for each, and their ids.
    fn packed(objects: &[(ObjectType, Vec<u8>)]) -> (tempfile::TempDir, Vec<CommitId>) {
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let inner = git2::Repository::init_bare(source.path()).unwrap();
        let mut builder = inner.packbuilder().unwrap();
        let mut ids = Vec::new();
        for (kind, bytes) in objects {
            let id = inner.odb().unwrap().write(*kind, bytes).unwrap();
            builder.insert_object(id, None).unwrap();
            ids.push(super::super::commit_id(id));
        }
        std::fs::create_dir(target.path().join("pack")).unwrap();
        builder.write(&target.path().join("pack"), 0).unwrap();
        (target, ids)
    }

    fn commit(at: u32) -> (ObjectType, Vec<u8>) {
        let who = format!("A <a@x> {at} +0000");
        let text = format!(
            "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor {who}\ncommitter {who}\n\nfeat: {at}\n"
        );
        (ObjectType::Commit, text.into_bytes())
    }

    /// Text of which some is the same for every number.
    fn file(at: u32) -> (ObjectType, Vec<u8>) {
        let mut state = 7u32;
        let mut text = String::new();
        for line in 0..900 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(&format!("{state:08x} {}\n", if line == at % 900 { at } else { 0 }));
        }
        (ObjectType::Blob, text.into_bytes())
    }

    fn path_of(directory: &Path, end: &str) -> PathBuf {
        let mut paths = fs::read_dir(directory.join("pack")).unwrap().map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|found| found == end)).unwrap()
    }

    #[test]
    fn objects_are_those_that_were_packed() {
        let mut objects: Vec<_> = (0..300).map(commit).collect();
        objects.extend((0..60).map(file));
        let noise: Vec<u8> = (0..40_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        objects.push((ObjectType::Blob, noise));
        let (directory, ids) = packed(&objects);
        // Differences are there: the files are much longer than the pack.
        assert!(fs::metadata(path_of(directory.path(), "pack")).unwrap().len() < 300_000);
        let mut packs = Packs::open(directory.path());
        // Often enough that the index is read as a whole.
        for round in 0..3 {
            for (id, (kind, bytes)) in ids.iter().zip(&objects) {
                let found = packs.read(*id).map(|(kind, bytes)| (kind, bytes.to_vec()));
                assert_eq!(found, Some((*kind, bytes.clone())), "{round}");
                assert_eq!(packs.kind(*id), Some(*kind));
            }
            assert_eq!(packs.read(CommitId::from_bytes([7; 20])), None);
        }
        assert!(packs.packs[0].table.is_some());
    }

    #[test]
    fn alternates_are_followed() {
        let (directory, ids) = packed(&[commit(1)]);
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir(other.path().join("info")).unwrap();
        let line = format!("# none\n{}\n", directory.path().display());
        std::fs::write(other.path().join("info/alternates"), line).unwrap();
        assert!(Packs::open(other.path()).read(ids[0]).is_some());
        assert!(Packs::open(Path::new("/nowhere")).read(ids[0]).is_none());
    }

    #[test]
    fn what_is_not_what_its_id_says_is_not_here() {
        let (right, ids) = packed(&[commit(1)]);
        let (wrong, others) = packed(&[commit(2)]);
        assert!(Packs::open(right.path()).read(ids[0]).is_some());
        // The same place, another commit.
        let pack = path_of(right.path(), "pack");
        std::fs::remove_file(&pack).unwrap();
        std::fs::copy(path_of(wrong.path(), "pack"), &pack).unwrap();
        let mut packs = Packs::open(right.path());
        assert_eq!(packs.find(ids[0]), Some((0, 12)));
        assert_eq!(packs.read(ids[0]), None);
        assert_eq!(packs.read(others[0]), None);
        // Bytes that are missing, or no pack.
        let bytes = std::fs::read(&pack).unwrap();
        for bytes in [&bytes[..bytes.len() - 30], &bytes[..10], b"KCAP and so on, and more than twenty"] {
            std::fs::remove_file(&pack).unwrap();
            std::fs::write(&pack, bytes).unwrap();
            assert_eq!(Packs::open(right.path()).read(ids[0]), None);
        }
    }
}
