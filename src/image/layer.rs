//! Layers: packing files reproducibly, and looking at what a layer holds without unpacking it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};

use crate::format::oci::media_type;
use crate::model::{Digest, Hasher};
use crate::port::BlobReader;

/// A packed layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// tar and gzip.
    pub bytes: Vec<u8>,
    /// Digest of the tar before compression, as configs list it.
    pub diff_id: Digest,
}

/// Packs one executable at the root of the file system: mode 0755, owner 0:0, the given time. Same input, same bytes.
pub(super) fn pack(name: &str, content: &[u8], seconds: u64) -> Result<Layer, LayerError> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(seconds);
    header.set_entry_type(tar::EntryType::Regular);
    // Neither time nor system in the gzip header: the bytes are the same wherever they are made.
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
    let mut archive = tar::Builder::new(Tee { inner: gzip, hasher: Hasher::default() });
    archive.append_data(&mut header, name, content)?;
    let Tee { inner, hasher } = archive.into_inner()?;
    Ok(Layer { bytes: inner.finish()?, diff_id: hasher.finish().0 })
}

/// Hashes what passes through.
struct Tee<T> {
    inner: T,
    hasher: Hasher,
}

impl<W: io::Write> io::Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// How much of a layer is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerLimits {
    /// Most bytes after decompression.
    pub bytes: u64,
    /// Most entries.
    pub entries: u64,
    /// Most bytes of a long name or a set of extended headers.
    pub name: u64,
}

impl Default for LayerLimits {
    fn default() -> Self {
        Self { bytes: 4 << 30, entries: 200_000, name: 64 << 10 }
    }
}

/// What matters about the files of one or several layers, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerFacts {
    /// Programs that take commands, by path without a leading slash.
    pub shells: BTreeMap<String, ()>,
    /// Files that run as somebody else, with their mode bits.
    pub setuid: BTreeMap<String, u32>,
    /// Names that lead out of the file system of the image.
    pub outside: Vec<String>,
    /// Bytes after decompression.
    pub size: u64,
}

impl LayerFacts {
    /// Takes a path away, and what is below it.
    fn remove(&mut self, path: &str, below_only: bool) {
        let below = format!("{path}/");
        let stays =
            |name: &String| !(name.starts_with(&below) || below == "/" || (!below_only && name == path));
        self.shells.retain(|name, ()| stays(name));
        self.setuid.retain(|name, _| stays(name));
    }
}

/// Reads one layer to its end and adds what it holds to what the layers below it hold. Returns the digest of the
/// uncompressed bytes. Nothing is unpacked.
pub fn scan(
    content: BlobReader,
    media_type: &str,
    limits: LayerLimits,
    facts: &mut LayerFacts,
) -> Result<Digest, LayerError> {
    let plain: BlobReader = match media_type {
        media_type::LAYER => content,
        media_type::LAYER_GZIP | media_type::DOCKER_LAYER_GZIP => Box::new(MultiGzDecoder::new(content)),
        _ => return Err(LayerError::MediaType { found: media_type.to_owned() }),
    };
    let mut plain = Bounded {
        inner: Tee { inner: plain, hasher: Hasher::default() },
        limit: limits.bytes,
        left: limits.bytes,
    };
    let mut lower = std::mem::take(facts);
    let mut upper = LayerFacts::default();
    scan_entries(&mut plain, limits, &mut lower, &mut upper)?;
    // What follows the archive belongs to the digest as well.
    io::copy(&mut plain, &mut io::sink())?;
    lower.shells.append(&mut upper.shells);
    lower.setuid.append(&mut upper.setuid);
    lower.outside.append(&mut upper.outside);
    let (digest, size) = plain.inner.hasher.finish();
    lower.size += size;
    *facts = lower;
    Ok(digest)
}

fn scan_entries(
    plain: &mut impl Read,
    limits: LayerLimits,
    lower: &mut LayerFacts,
    upper: &mut LayerFacts,
) -> Result<(), LayerError> {
    let mut archive = tar::Archive::new(plain);
    let mut long_name: Option<Vec<u8>> = None;
    let mut count = 0;
    // Raw, because the reader would otherwise hold a long name of any length in memory.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        count += 1;
        if count > limits.entries {
            return Err(LayerError::TooManyEntries { limit: limits.entries });
        }
        let header = entry.header().clone();
        let kind = header.entry_type();
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            let mut bytes = Vec::new();
            entry.by_ref().take(limits.name + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > limits.name {
                return Err(LayerError::NameTooLong { limit: limits.name });
            }
            long_name = if kind.is_gnu_longname() { Some(bytes) } else { pax_path(&bytes).or(long_name) };
            continue;
        }
        if kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
            continue;
        }
        let name = long_name.take().unwrap_or_else(|| header.path_bytes().into_owned());
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        look_at(&String::from_utf8_lossy(name), &header, lower, upper);
    }
    Ok(())
}

fn look_at(name: &str, header: &tar::Header, lower: &mut LayerFacts, upper: &mut LayerFacts) {
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        if upper.outside.len() < 100 {
            upper.outside.push(name.chars().take(200).collect());
        }
        return;
    }
    let path = parts.join("/");
    let (parent, base) = path.rsplit_once('/').unwrap_or(("", path.as_str()));
    // image-spec, "Whiteouts": they hide what is in the layers below, never what is in the same layer.
    if base == ".wh..wh..opq" {
        lower.remove(parent, true);
        return;
    }
    if let Some(hidden) = base.strip_prefix(".wh.") {
        let hidden = if parent.is_empty() { hidden.to_owned() } else { format!("{parent}/{hidden}") };
        lower.remove(&hidden, false);
        return;
    }
    let kind = header.entry_type();
    if kind.is_dir() {
        return;
    }
    lower.remove(&path, false);
    upper.remove(&path, false);
    let mode = header.mode().unwrap_or(0);
    let is_link = kind.is_symlink() || kind.is_hard_link();
    if SHELLS.contains(&base) && (is_link || mode & 0o111 != 0) {
        upper.shells.insert(path.clone(), ());
    }
    if !kind.is_symlink() && mode & 0o6000 != 0 {
        upper.setuid.insert(path, mode & 0o7777);
    }
}

/// Programs that take commands from whoever gets into the container.
const SHELLS: &[&str] = &[
    "ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "pwsh", "rbash", "sh", "tcsh", "toybox",
    "zsh",
];

/// `path` in extended headers (POSIX.1-2001, "pax Header Block").
fn pax_path(bytes: &[u8]) -> Option<Vec<u8>> {
    tar::PaxExtensions::new(bytes)
        .filter_map(Result::ok)
        .filter(|extension| extension.key_bytes() == b"path")
        .map(|extension| extension.value_bytes().to_vec())
        .last()
}

/// Fails where a stream is longer than what is looked at.
struct Bounded<R> {
    inner: R,
    limit: u64,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, LayerError::TooLarge { limit: self.limit })
        })?;
        Ok(read)
    }
}

/// Why a layer could not be packed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Not a tar layer, or compressed in a way this tool does not read.
    #[error("`{}` is not a layer this tool reads", found.escape_debug())]
    MediaType {
        /// The media type.
        found: String,
    },
    /// More bytes after decompression than are looked at.
    #[error("it unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// More entries than are looked at.
    #[error("it has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// A longer name than is looked at.
    #[error("it has a name of more than {limit} bytes")]
    NameTooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// The stream failed, or is neither gzip nor tar.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use proptest::prelude::*;

    use super::*;

    /// A tar of `path mode type` lines.
    fn layer(lines: &str) -> BlobReader {
        let mut archive = tar::Builder::new(Vec::new());
        for line in lines.split(", ").filter(|line| !line.is_empty()) {
            let mut parts = line.split(' ');
            let name = parts.next().unwrap().as_bytes();
            let mut header = tar::Header::new_ustar();
            header.as_old_mut().name[..name.len()].copy_from_slice(name);
            header.set_mode(u32::from_str_radix(parts.next().unwrap(), 8).unwrap());
            header.set_entry_type(match parts.next() {
                Some("link") => tar::EntryType::Symlink,
                Some("dir") => tar::EntryType::Directory,
                _ => tar::EntryType::Regular,
            });
            header.set_size(0);
            header.set_cksum();
            archive.append(&header, io::empty()).unwrap();
        }
        Box::new(Cursor::new(archive.into_inner().unwrap()))
    }

    fn scan_all(layers: &[&str]) -> LayerFacts {
        let mut facts = LayerFacts::default();
        for lines in layers {
            scan(layer(lines), media_type::LAYER, LayerLimits::default(), &mut facts).unwrap();
        }
        facts
    }

    fn shells(layers: &[&str]) -> String {
        scan_all(layers).shells.into_keys().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn finds_shells_and_honours_whiteouts() {
        for (layers, expected) in [
            (&["bin/sh 755, bin/busybox 755, usr/share/bash 644, app 755"][..], "bin/busybox bin/sh"),
            (&["./bin/sh 777 link, /usr/bin/../bash 755"], "bin/sh"),
            (&["bin/sh 755", "bin/.wh.sh 644"], ""),
            (&["bin/sh 755", ".wh.bin 644"], ""),
            (&["bin/sh 755", "bin/.wh..wh..opq 644"], ""),
            (&["bin/sh 755", ".wh..wh..opq 644"], ""),
            (&["bin/sh 755, bin/.wh.sh 644"], "bin/sh"),
            (&["bin/sh 755", "bin/sh 644"], ""),
            (&["bin/sh 755", "bin 755 dir"], "bin/sh"),
        ] {
            assert_eq!(shells(layers), expected, "{layers:?}");
        }
    }

    #[test]
    fn finds_setuid_files_and_paths_that_lead_out() {
        let facts = scan_all(&["su 4755, wall 2755, link 4777 link, ../etc/passwd 644, a/../../b 644"]);
        assert_eq!(
            facts.setuid.into_iter().collect::<Vec<_>>(),
            [("su".to_owned(), 0o4755), ("wall".to_owned(), 0o2755)]
        );
        assert_eq!(facts.outside, ["../etc/passwd", "a/../../b"]);
    }

    #[test]
    fn what_is_packed_is_found_again() {
        let Layer { bytes, diff_id } = pack("sh", b"content", 7).unwrap();
        let mut facts = LayerFacts::default();
        let reader = Box::new(Cursor::new(bytes.clone()));
        assert_eq!(
            scan(reader, media_type::LAYER_GZIP, LayerLimits::default(), &mut facts).unwrap(),
            diff_id
        );
        assert_eq!(facts.shells.into_keys().collect::<Vec<_>>(), ["sh"]);
        assert_eq!(
            bytes[..10],
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
            "no time and no system in the header"
        );
        let mut archive = tar::Archive::new(MultiGzDecoder::new(&bytes[..]));
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        let header = entry.header();
        assert_eq!(
            (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
            (0o755, 0, 0, 7)
        );
    }

    #[test]
    fn bombs_end_at_the_limits() {
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::new(6));
        gzip.write_all(&vec![0; 8 << 20]).unwrap();
        let bomb = gzip.finish().unwrap();
        let limits = LayerLimits { bytes: 1 << 20, entries: 2, name: 64 };
        let scan = |bytes: Vec<u8>, kind| {
            scan(Box::new(Cursor::new(bytes)), kind, limits, &mut LayerFacts::default())
        };
        let error = scan(bomb, media_type::LAYER_GZIP).unwrap_err();
        assert_eq!(error.to_string(), "it cannot be read: it unpacks to more than 1048576 bytes");

        let mut entries = Vec::new();
        layer("a 644, b 644, c 644").read_to_end(&mut entries).unwrap();
        let error = scan(entries, media_type::LAYER).unwrap_err();
        assert!(matches!(error, LayerError::TooManyEntries { limit: 2 }), "{error}");

        let mut archive = tar::Builder::new(Vec::new());
        archive.append_data(&mut tar::Header::new_gnu(), "a/".repeat(100), io::empty()).unwrap();
        let error = scan(archive.into_inner().unwrap(), media_type::LAYER).unwrap_err();
        assert!(matches!(error, LayerError::NameTooLong { limit: 64 }), "{error}");

        let error = scan(Vec::new(), "application/vnd.oci.image.layer.v1.tar+zstd").unwrap_err();
        assert!(matches!(error, LayerError::MediaType { .. }), "{error}");
    }

    #[test]
    fn long_names_count() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o755);
        let long = format!("{}bin/sh", "deep/".repeat(40));
        archive.append_data(&mut header, &long, io::empty()).unwrap();
        let mut facts = LayerFacts::default();
        let reader = Box::new(Cursor::new(archive.into_inner().unwrap()));
        scan(reader, media_type::LAYER, LayerLimits::default(), &mut facts).unwrap();
        assert_eq!(facts.shells.into_keys().collect::<Vec<_>>(), [long]);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            for kind in [media_type::LAYER, media_type::LAYER_GZIP] {
                let _ = scan(Box::new(Cursor::new(bytes.clone())), kind, LayerLimits::default(), &mut LayerFacts::default());
            }
        }
    }
}
