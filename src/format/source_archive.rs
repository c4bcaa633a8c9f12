//! `NAME-TAG.tar.gz`: the files of a tag as a tar file in GNU format, compressed with gzip. The same files, prefix and
//! time give the same bytes: entries are sorted, belong to user and group 0, have one of two modes and one time, and
//! the gzip header (RFC 1952) has neither time nor name.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use tar::{Builder, EntryType, Header};

use crate::diag::{Hint, Kind};

/// One entry of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A file and whether it may be executed.
    File {
        /// The content.
        bytes: &'a [u8],
        /// Mode 755 instead of 644.
        executable: bool,
    },
    /// A symbolic link and its target.
    Link {
        /// The target as the link has it, relative to the directory of the link.
        target: &'a [u8],
    },
    /// An empty directory: the place of a submodule.
    Directory,
}

/// Writes an archive, one entry after the other.
pub struct SourceArchive<W: Write> {
    builder: Builder<GzEncoder<W>>,
    prefix: String,
    seconds: u64,
    last: Option<String>,
}

impl<W: Write> SourceArchive<W> {
    /// Begins an archive. Every path gets the prefix, for example `name-1.2.3/`; a time before 1970 becomes 1970.
    pub fn new(writer: W, prefix: &str, time: Timestamp) -> Result<Self, SourceArchiveError> {
        if !prefix.is_empty() && !inside(prefix.strip_suffix('/').unwrap_or(prefix)) {
            return Err(SourceArchiveError::Path { path: prefix.to_owned() });
        }
        // 255 = no operating system: the archive does not tell where it was made.
        let gzip = GzBuilder::new().mtime(0).operating_system(255).write(writer, Compression::best());
        Ok(Self {
            builder: Builder::new(gzip),
            prefix: prefix.to_owned(),
            seconds: u64::try_from(time.as_second()).unwrap_or(0),
            last: None,
        })
    }

    /// Adds one entry. Paths come sorted as bytes, without repetition, and stay below the prefix; so do the targets of
    /// links.
    pub fn add(&mut self, path: &str, entry: Entry<'_>) -> Result<(), SourceArchiveError> {
        if !inside(path) {
            return Err(SourceArchiveError::Path { path: path.to_owned() });
        }
        if let Some(last) = self.last.as_ref().filter(|last| last.as_str() >= path) {
            return Err(SourceArchiveError::Order { before: last.clone(), found: path.to_owned() });
        }
        let failed = |source| SourceArchiveError::Write { path: path.to_owned(), source };
        let mut header = Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.seconds);
        header.set_mode(0o644);
        let name = format!("{}{path}", self.prefix);
        match entry {
            Entry::File { bytes, executable } => {
                header.set_entry_type(EntryType::Regular);
                header.set_mode(if executable { 0o755 } else { 0o644 });
                header.set_size(bytes.len() as u64);
                self.builder.append_data(&mut header, &name, bytes).map_err(failed)?;
            }
            Entry::Link { target } => {
                let target = std::str::from_utf8(target)
                    .ok()
                    .filter(|target| stays(path, target))
                    .ok_or_else(|| SourceArchiveError::Link {
                        path: path.to_owned(),
                        target: String::from_utf8_lossy(target).escape_debug().take(200).collect(),
                    })?;
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                self.builder.append_link(&mut header, &name, target).map_err(failed)?;
            }
            Entry::Directory => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                self.builder.append_data(&mut header, format!("{name}/"), io::empty()).map_err(failed)?;
            }
        }
        self.last = Some(path.to_owned());
        Ok(())
    }

    /// Ends the archive and gives the writer back.
    pub fn finish(self) -> Result<W, SourceArchiveError> {
        let failed = |source| SourceArchiveError::Write { path: "the end".to_owned(), source };
        self.builder.into_inner().and_then(GzEncoder::finish).map_err(failed)
    }
}

fn is_plain(part: &str) -> bool {
    !(part.is_empty() || part == "." || part == ".." || part.contains(['\\', '\0']))
}

fn inside(path: &str) -> bool {
    path.split('/').all(is_plain)
}

/// Whether the target of a link is below the root of the tree.
fn stays(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains(['\\', '\0']) {
        return false;
    }
    let mut depth = path.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SourceArchiveError {
    /// A path that would be unpacked somewhere else.
    #[error("`{path}` is not a path below the root of an archive")]
    Path {
        /// The path.
        path: String,
    },
    /// A link whose target is not in the archive.
    #[error("the link `{path}` points out of the tree, to `{target}`")]
    Link {
        /// The path of the link.
        path: String,
        /// Its target.
        target: String,
    },
    /// Entries that are not sorted.
    #[error("`{found}` stands behind `{before}`, entries come sorted")]
    Order {
        /// The path before.
        before: String,
        /// The path refused.
        found: String,
    },
    /// The writer said no.
    #[error("cannot write `{path}` into the archive")]
    Write {
        /// The path.
        path: String,
        /// The answer.
        #[source]
        source: io::Error,
    },
}

impl Hint for SourceArchiveError {
    fn code(&self) -> &'static str {
        match self {
            Self::Path { .. } => "archive-path",
            Self::Link { .. } => "archive-link",
            Self::Order { .. } => "archive-order",
            Self::Write { .. } => "archive-write",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Path { .. } | Self::Link { .. } => Kind::Usage,
            Self::Order { .. } => Kind::Internal,
            Self::Write { .. } => Kind::Interrupted,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Link { .. } => vec!["make the link relative and point it into the repository".to_owned()],
            Self::Path { .. } | Self::Order { .. } | Self::Write { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn archive() -> Vec<u8> {
        let time = Timestamp::from_second(1_700_000_000).unwrap();
        let mut archive = SourceArchive::new(Vec::new(), "engine-v1.0.0/", time).unwrap();
        let long = format!("a/{}.txt", "x".repeat(150));
        archive.add(&long, Entry::File { bytes: b"long", executable: false }).unwrap();
        archive.add("bin/run", Entry::File { bytes: b"#!/bin/sh\n", executable: true }).unwrap();
        archive.add("docs/latest", Entry::Link { target: b"../bin/run" }).unwrap();
        archive.add("vendor/sub", Entry::Directory).unwrap();
        archive.finish().unwrap()
    }

    #[test]
    fn twice_the_same_bytes_and_no_trace_of_the_machine() {
        let bytes = archive();
        assert_eq!(bytes, archive());
        assert_eq!(bytes[4..8], [0; 4], "time of the gzip header");
        assert_eq!(bytes[9], 255, "operating system of the gzip header");
    }

    #[test]
    fn holds_what_was_added() {
        let bytes = archive();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
        let mut archive = tar::Archive::new(plain.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.mtime().unwrap(), 1_700_000_000);
            let name = entry.path().unwrap().display().to_string();
            let target = entry.link_name().unwrap().map(|target| target.display().to_string());
            seen.push((name, header.mode().unwrap(), target));
        }
        let long = format!("engine-v1.0.0/a/{}.txt", "x".repeat(150));
        assert_eq!(
            seen,
            [
                (long, 0o644, None),
                ("engine-v1.0.0/bin/run".into(), 0o755, None),
                ("engine-v1.0.0/docs/latest".into(), 0o777, Some("../bin/run".into())),
                ("engine-v1.0.0/vendor/sub/".into(), 0o755, None),
            ]
        );
    }

    #[test]
    fn refuses_what_leaves_the_tree_and_what_is_not_sorted() {
        let mut archive = SourceArchive::new(Vec::new(), "", Timestamp::UNIX_EPOCH).unwrap();
        let file = Entry::File { bytes: b"", executable: false };
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a\\b"] {
            assert!(matches!(archive.add(path, file), Err(SourceArchiveError::Path { .. })), "{path}");
        }
        for target in ["/etc/passwd", "../../x", "../b/../../x", ""] {
            let link = Entry::Link { target: target.as_bytes() };
            assert!(matches!(archive.add("a/link", link), Err(SourceArchiveError::Link { .. })), "{target}");
        }
        archive.add("b", file).unwrap();
        assert!(matches!(archive.add("a", file), Err(SourceArchiveError::Order { .. })));
        assert!(SourceArchive::new(Vec::new(), "../", Timestamp::UNIX_EPOCH).is_err());
    }
}
