//! Where the files of a tar archive lie. Nothing is unpacked: what is asked for is read at its place.
//!
//! Stops: entries that lead out of the archive, names that come twice (two readers would see two contents), headers
//! that make a reader take memory without end, archives that are cut. Compressed archives are refused, so nothing here
//! grows beyond the size of the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use super::fault::{failed, of_files};
use super::place::{Place, Shared};
use crate::adapter::fs as files;
use crate::port::RegistryError;

/// Most entries of an archive.
const ENTRIES: usize = 65_536;

/// Most bytes of one header extension (long names, PAX records).
const EXTENSION: u64 = 64 << 10;

/// Longest name of an entry.
const NAME: usize = 512;

/// What links in an archive are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// A reason to refuse it.
    Refused,
    /// Other names of entries. `docker save` before version 25 writes layers that occur twice this way.
    Aliases,
}

/// The regular files of an archive, by name without a leading `./`.
pub(super) fn places(path: &Path, links: Links) -> Result<BTreeMap<String, Place>, RegistryError> {
    let invalid = |reason: String| RegistryError::Invalid { what: path.display().to_string(), reason };
    let reading = |source| failed("read", path, source);
    let mut file = files::open(path).map_err(of_files)?;
    let length = file.metadata().map_err(reading)?.len();
    let mut magic = [0; 2];
    if length >= 2 {
        file.read_exact(&mut magic).map_err(reading)?;
        file.rewind().map_err(reading)?;
    }
    if magic == [0x1f, 0x8b] {
        return Err(invalid("it is compressed; unpack it with gunzip first".to_owned()));
    }
    check_headers(&file, length).map_err(|error| match error {
        Refused::Reason(reason) => invalid(reason),
        Refused::Read(source) => invalid(format!("it is not a tar archive: {source}")),
    })?;
    file.rewind().map_err(reading)?;
    let shared = Shared::new(file.try_clone().map_err(reading)?, path);
    let (mut places, mut aliases) = (BTreeMap::new(), BTreeMap::new());
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek().map_err(reading)? {
        let entry = entry.map_err(|source| invalid(format!("it is not a tar archive: {source}")))?;
        let path = inside(&entry.path_bytes()).ok_or_else(|| {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            invalid(format!("the entry `{}` leads out of it", name.escape_debug()))
        })?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if places.contains_key(&path) || aliases.contains_key(&path) {
            return Err(invalid(format!("it has two entries `{}`", path.escape_debug())));
        }
        if kind.is_file() || kind.is_contiguous() {
            let (offset, size) = (entry.raw_file_position(), entry.size());
            places.insert(path, Place { file: shared.clone(), offset, size });
        } else if (kind.is_symlink() || kind.is_hard_link()) && links == Links::Aliases {
            let target = entry.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default();
            if let Some(target) = aliased(&path, &target, kind) {
                aliases.insert(path, target);
            }
        } else {
            return Err(invalid(format!("the entry `{}` is no regular file", path.escape_debug())));
        }
    }
    // A link to a link is none: which of them came first would decide.
    let named: Vec<_> = aliases
        .into_iter()
        .filter_map(|(alias, target)| Some((alias, places.get(&target)?.clone())))
        .collect();
    places.extend(named);
    Ok(places)
}

/// Why headers are refused.
enum Refused {
    Reason(String),
    Read(io::Error),
}

/// Looks at the headers alone, before names and extensions are read into memory.
fn check_headers(file: &File, length: u64) -> Result<(), Refused> {
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries_with_seek().map_err(Refused::Read)?.raw(true);
    for (count, entry) in entries.enumerate() {
        if count == ENTRIES {
            return Err(Refused::Reason(format!("it has more than {ENTRIES} entries")));
        }
        let entry = entry.map_err(Refused::Read)?;
        let header = entry.header();
        let (kind, size) = (header.entry_type(), header.entry_size().map_err(Refused::Read)?);
        let extends = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        if extends && size > EXTENSION {
            return Err(Refused::Reason(format!("a header extension has more than {EXTENSION} bytes")));
        }
        if kind.is_gnu_sparse() {
            return Err(Refused::Reason("it holds a sparse file".to_owned()));
        }
        if entry.raw_file_position().checked_add(size).is_none_or(|end| end > length) {
            return Err(Refused::Reason("it is cut".to_owned()));
        }
    }
    Ok(())
}

/// The name of an entry without leading `./` and trailing `/`; `None` when it leads out of the archive.
fn inside(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok().filter(|name| name.len() <= NAME)?;
    let name = name.strip_prefix("./").unwrap_or(name).trim_end_matches('/');
    let good = !name.split('/').any(|part| matches!(part, "" | "." | "..")) && !name.contains(['\0', '\\']);
    // The root of an archive may be an entry of its own.
    (good || matches!(name, "" | ".")).then(|| name.to_owned())
}

/// The entry that a link names: seen from the root for hard links, from its own directory for others.
fn aliased(path: &str, target: &[u8], kind: tar::EntryType) -> Option<String> {
    let target = std::str::from_utf8(target).ok().filter(|name| name.len() <= NAME)?;
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    if kind.is_hard_link() {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" => return None,
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// An archive of entries: name, kind, content or link target.
    fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> tempfile::NamedTempFile {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            let raw = header.as_gnu_mut().unwrap();
            raw.name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            if kind.is_symlink() || kind.is_hard_link() {
                header.set_size(0);
                header.as_gnu_mut().unwrap().linkname[..content.len()].copy_from_slice(content);
                header.set_cksum();
                builder.append(&header, io::empty()).unwrap();
            } else {
                header.set_size(content.len() as u64);
                header.set_cksum();
                builder.append(&header, *content).unwrap();
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), builder.into_inner().unwrap()).unwrap();
        file
    }

    const FILE: tar::EntryType = tar::EntryType::Regular;
    const SYMLINK: tar::EntryType = tar::EntryType::Symlink;

    #[test]
    fn finds_the_bytes_of_every_file() {
        let file = archive(&[
            ("./a/", tar::EntryType::Directory, b""),
            ("./a/one", FILE, b"first"),
            ("a/two", FILE, b"second"),
        ]);
        let places = places(file.path(), Links::Refused).unwrap();
        assert_eq!(places.keys().collect::<Vec<_>>(), ["a/one", "a/two"]);
        assert_eq!(places["a/two"].read("two", 6).unwrap(), b"second");
        let mut rest = String::new();
        places["a/two"].open(2).read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "cond");
        assert!(matches!(places["a/two"].read("two", 5), Err(RegistryError::TooLarge { limit: 5, .. })));
    }

    #[test]
    fn refuses_what_leads_out_and_what_is_two_things() {
        for (entries, reason) in [
            (vec![("../x", FILE, &b"1"[..])], "the entry `../x` leads out of it"),
            (vec![("a/../../x", FILE, b"1")], "the entry `a/../../x` leads out of it"),
            (vec![("/x", FILE, b"1")], "the entry `/x` leads out of it"),
            (vec![("a\\x", FILE, b"1")], "the entry `a\\\\x` leads out of it"),
            (vec![("x", FILE, b"1"), ("./x", FILE, b"2")], "it has two entries `x`"),
            (vec![("x", SYMLINK, b"/etc/passwd")], "the entry `x` is no regular file"),
            (vec![("x", tar::EntryType::Link, b"y")], "the entry `x` is no regular file"),
            (vec![("x", tar::EntryType::Fifo, b"")], "the entry `x` is no regular file"),
            (vec![("x", tar::EntryType::GNUSparse, b"")], "it holds a sparse file"),
            (
                vec![("x", tar::EntryType::GNULongName, &[b'a'; 65_537][..])],
                "a header extension has more than 65536 bytes",
            ),
        ] {
            let file = archive(&entries);
            let error = places(file.path(), Links::Refused).unwrap_err().to_string();
            assert!(error.ends_with(reason), "{error}");
        }
    }

    #[test]
    fn refuses_archives_that_are_cut_or_compressed() {
        let file = archive(&[("x", FILE, &[7; 4096])]);
        let bytes = std::fs::read(file.path()).unwrap();
        std::fs::write(file.path(), &bytes[..2000]).unwrap();
        assert!(places(file.path(), Links::Refused).unwrap_err().to_string().ends_with("it is cut"));
        std::fs::write(file.path(), [0x1f, 0x8b, 8, 0]).unwrap();
        let error = places(file.path(), Links::Refused).unwrap_err().to_string();
        assert!(error.ends_with("unpack it with gunzip first"), "{error}");
        std::fs::write(file.path(), [b'x'; 700]).unwrap();
        let error = places(file.path(), Links::Refused).unwrap_err().to_string();
        assert!(error.contains("it is not a tar archive"), "{error}");
    }

    #[test]
    fn links_are_other_names_where_that_is_asked_for() {
        let file = archive(&[
            ("a/layer.tar", FILE, b"layer"),
            ("b/layer.tar", SYMLINK, b"../a/layer.tar"),
            ("c", SYMLINK, b"../../etc/passwd"),
            ("d", SYMLINK, b"/etc/passwd"),
            ("e", SYMLINK, b"b/layer.tar"),
        ]);
        let places = places(file.path(), Links::Aliases).unwrap();
        assert_eq!(places.keys().collect::<Vec<_>>(), ["a/layer.tar", "b/layer.tar"]);
        assert_eq!(places["b/layer.tar"].offset, places["a/layer.tar"].offset);
    }
}
