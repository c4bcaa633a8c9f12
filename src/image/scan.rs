//! Looking at what the layers of an image hold without unpacking them to disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::unpack::{LayerError, LayerLimits, Tee, Unpacked};
use super::walk::{parts, walk};
use crate::format::binary::elf_architecture;
use crate::model::{Digest, DigestAlgorithm, Hasher};
use crate::port::BlobReader;

/// What matters about the files of one or several layers, by path without a leading slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerFacts {
    /// Programs that take commands.
    pub shells: BTreeSet<String>,
    /// Programs that install packages.
    pub package_managers: BTreeSet<String>,
    /// Files that run as somebody else, with their mode bits.
    pub setuid: BTreeMap<String, u32>,
    /// Files that can be run, with the architecture in Go's words when they are ELF.
    pub programs: BTreeMap<String, Option<&'static str>>,
    /// Symbolic links and where they point to.
    pub links: BTreeMap<String, String>,
    /// What distroless images say about their packages, below `var/lib/dpkg/status.d`.
    pub distroless: BTreeSet<String>,
    /// Names that lead out of the file system of the image.
    pub outside: Vec<String>,
    /// Bytes after decompression.
    pub size: u64,
    /// Bytes of the names above.
    kept: usize,
}

impl LayerFacts {
    /// The file a path leads to through symbolic links; `None` when it leads in circles.
    pub fn real_path(&self, path: &str) -> Option<String> {
        let mut left: Vec<String> = path.split('/').rev().map(ToOwned::to_owned).collect();
        let mut real: Vec<String> = Vec::new();
        let mut hops = 0;
        while let Some(part) = left.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    real.pop();
                    continue;
                }
                _ => real.push(part),
            }
            if let Some(target) = self.links.get(&real.join("/")) {
                hops += 1;
                if hops > 40 {
                    return None;
                }
                real.pop();
                if target.starts_with('/') {
                    real.clear();
                }
                left.extend(target.split('/').rev().map(ToOwned::to_owned));
            }
        }
        Some(real.join("/"))
    }

    /// Takes a path away.
    fn remove(&mut self, path: &str) {
        self.shells.remove(path);
        self.package_managers.remove(path);
        self.setuid.remove(path);
        self.programs.remove(path);
        self.links.remove(path);
        self.distroless.remove(path);
    }

    /// Takes away what is below a directory; the empty path is the root.
    fn remove_below(&mut self, path: &str) {
        // `0` comes after `/`: everything between the two starts with the path and a slash.
        let (from, to) = match path {
            "" => (String::new(), "\u{10ffff}".to_owned()),
            path => (format!("{path}/"), format!("{path}0")),
        };
        fn cut<V>(map: &mut BTreeMap<String, V>, from: &str, to: &str) {
            let names: Vec<String> =
                map.range(from.to_owned()..to.to_owned()).map(|(name, _)| name.clone()).collect();
            names.iter().for_each(|name| drop(map.remove(name)));
        }
        for set in [&mut self.shells, &mut self.package_managers, &mut self.distroless] {
            let names: Vec<String> = set.range(from.clone()..to.clone()).cloned().collect();
            names.iter().for_each(|name| drop(set.take(name)));
        }
        cut(&mut self.setuid, &from, &to);
        cut(&mut self.programs, &from, &to);
        cut(&mut self.links, &from, &to);
    }

    /// Lays what one layer holds over what is below it.
    fn cover(&mut self, mut upper: Self) {
        self.shells.append(&mut upper.shells);
        self.package_managers.append(&mut upper.package_managers);
        self.setuid.append(&mut upper.setuid);
        self.programs.append(&mut upper.programs);
        self.links.append(&mut upper.links);
        self.distroless.append(&mut upper.distroless);
        self.outside.append(&mut upper.outside);
        self.kept += upper.kept;
    }

    /// Pays for a name that is kept. What a later layer hides is not paid back, so that work is limited as well.
    fn keep(&mut self, bytes: usize, lower: usize, limits: LayerLimits) -> Result<(), LayerError> {
        self.kept += bytes;
        if self.kept + lower > limits.kept {
            return Err(LayerError::TooManyNames { limit: limits.kept });
        }
        Ok(())
    }
}

/// Reads one layer to its end and adds what it holds to what the layers below it hold. Returns the digest of the
/// uncompressed bytes, by the algorithm of the config that should name it. After an error the facts are those of the
/// layers below.
pub fn scan(
    content: BlobReader,
    media_type: &str,
    algorithm: DigestAlgorithm,
    limits: LayerLimits,
    facts: &mut LayerFacts,
) -> Result<Digest, LayerError> {
    let unpacked = Unpacked::new(content, media_type, limits)?;
    let mut plain = Tee { inner: unpacked, hasher: Hasher::new(algorithm) };
    let mut layers = Layers { lower: facts.clone(), upper: LayerFacts::default(), limits };
    layers.read(&mut WholeBlocks { inner: &mut plain, seen: 0 })?;
    // What follows the archive belongs to the digest as well.
    io::copy(&mut plain, &mut io::sink())?;
    let Layers { mut lower, upper, .. } = layers;
    lower.cover(upper);
    let (digest, size) = plain.hasher.finish();
    lower.size += size;
    *facts = lower;
    Ok(digest)
}

/// Fills the last block of an archive with zeros. Some writers leave that out, and everything that unpacks layers takes it.
struct WholeBlocks<R> {
    inner: R,
    seen: usize,
}

impl<R: Read> Read for WholeBlocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = self.inner.read(buffer)?;
        if read == 0 {
            read = (512 - self.seen % 512) % 512;
            read = read.min(buffer.len());
            buffer[..read].fill(0);
        }
        self.seen += read;
        Ok(read)
    }
}

/// The layer that is read, and those below it.
struct Layers {
    lower: LayerFacts,
    upper: LayerFacts,
    limits: LayerLimits,
}

impl Layers {
    fn read(&mut self, plain: &mut impl Read) -> Result<(), LayerError> {
        walk(plain, self.limits, &mut |item, content| {
            let mut start = Vec::new();
            if item.header.entry_type().is_file() && item.header.mode().unwrap_or(0) & 0o111 != 0 {
                content.take(20).read_to_end(&mut start)?;
            }
            self.look_at(&item.name, &item.link, item.header, &start)
        })
    }

    fn look_at(
        &mut self,
        name: &str,
        link: &str,
        header: &tar::Header,
        start: &[u8],
    ) -> Result<(), LayerError> {
        let parts = parts(name);
        if parts.contains(&"..") {
            if self.upper.outside.len() < 100 {
                self.upper.outside.push(name.chars().take(200).collect());
            }
            return Ok(());
        }
        let path = parts.join("/");
        let (parent, base) = path.rsplit_once('/').unwrap_or(("", path.as_str()));
        // image-spec, "Whiteouts": they hide what is in the layers below, never what is in the same layer.
        if base == ".wh..wh..opq" {
            self.lower.remove_below(parent);
            return Ok(());
        }
        if let Some(hidden) = base.strip_prefix(".wh.") {
            let hidden = if parent.is_empty() { hidden.to_owned() } else { format!("{parent}/{hidden}") };
            self.lower.remove(&hidden);
            self.lower.remove_below(&hidden);
            return Ok(());
        }
        let kind = header.entry_type();
        self.lower.remove(&path);
        if kind.is_dir() {
            return Ok(());
        }
        self.lower.remove_below(&path);
        self.upper.remove(&path);
        self.keep_facts(&path, base, link, header, start)
    }

    fn keep_facts(
        &mut self,
        path: &str,
        base: &str,
        link: &str,
        header: &tar::Header,
        start: &[u8],
    ) -> Result<(), LayerError> {
        let Self { lower, upper, limits } = self;
        let kind = header.entry_type();
        let mode = header.mode().unwrap_or(0);
        let runs = kind.is_symlink() || kind.is_hard_link() || mode & 0o111 != 0;
        let is_program = kind.is_file() && runs;
        let is_setuid = !kind.is_symlink() && mode & 0o6000 != 0;
        let is_shell = runs && SHELLS.contains(&base);
        let is_manager = runs && PACKAGE_MANAGERS.contains(&base);
        let is_marker = path.starts_with("var/lib/dpkg/status.d/");
        let times = [is_program || kind.is_hard_link(), is_setuid, is_shell, is_manager, is_marker];
        let times = times.into_iter().filter(|is| *is).count();
        upper.keep(times * path.len(), lower.kept, *limits)?;
        if kind.is_symlink() {
            upper.keep(path.len() + link.len(), lower.kept, *limits)?;
            upper.links.insert(path.to_owned(), link.to_owned());
        }
        if kind.is_hard_link() {
            // The same file under another name, of this layer (POSIX.1-2001, "ustar Interchange Format").
            if let Some(program) = upper.programs.get(&parts(link).join("/")).copied() {
                upper.programs.insert(path.to_owned(), program);
            }
        }
        if is_program {
            upper.programs.insert(path.to_owned(), elf_architecture(start));
        }
        if is_setuid {
            upper.setuid.insert(path.to_owned(), mode & 0o7777);
        }
        if is_shell {
            upper.shells.insert(path.to_owned());
        }
        if is_manager {
            upper.package_managers.insert(path.to_owned());
        }
        if is_marker {
            upper.distroless.insert(path.to_owned());
        }
        Ok(())
    }
}

/// Programs that take commands from whoever gets into the container.
const SHELLS: &[&str] = &[
    "ash",
    "bash",
    "bash-static",
    "busybox",
    "busybox-static",
    "busybox.static",
    "csh",
    "dash",
    "elvish",
    "fish",
    "hush",
    "ksh",
    "ksh93",
    "loksh",
    "lksh",
    "mksh",
    "nu",
    "oksh",
    "pdksh",
    "posh",
    "pwsh",
    "rbash",
    "rksh",
    "rzsh",
    "sash",
    "sh",
    "static-sh",
    "tcsh",
    "toybox",
    "xonsh",
    "yash",
    "zsh",
    "zsh-static",
];

/// Programs that bring more programs.
const PACKAGE_MANAGERS: &[&str] = &[
    "apk",
    "apt",
    "apt-get",
    "aptitude",
    "dnf",
    "dnf5",
    "dpkg",
    "emerge",
    "microdnf",
    "nix-env",
    "opkg",
    "pacman",
    "rpm",
    "tdnf",
    "xbps-install",
    "yum",
    "zypper",
];

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use flate2::{Compression, GzBuilder};
    use proptest::prelude::*;

    use super::*;
    use crate::format::oci::media_type;

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
            scan(
                layer(lines),
                media_type::LAYER,
                DigestAlgorithm::Sha256,
                LayerLimits::default(),
                &mut facts,
            )
            .unwrap();
        }
        facts
    }

    fn shells(layers: &[&str]) -> String {
        scan_all(layers).shells.into_iter().collect::<Vec<_>>().join(" ")
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
            (&["bin/sh 755, bin0 755, bin-sh 755", ".wh.bin 644"], ""),
            (&["sh 755", "sh 755 dir"], ""),
            (&["a/sh 755, b/sh 755", "a 755"], "b/sh"),
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
    fn finds_package_managers_and_the_mark_of_distroless() {
        let facts = scan_all(&["usr/bin/apt-get 755, sbin/apk 644, var/lib/dpkg/status.d/base 644"]);
        assert_eq!(facts.package_managers.into_iter().collect::<Vec<_>>(), ["usr/bin/apt-get"]);
        assert_eq!(facts.distroless.len(), 1);
        assert_eq!(
            scan_all(&["var/lib/dpkg/status.d/base 644", "var/lib/dpkg/.wh.status.d 0"]).distroless.len(),
            0
        );
    }

    #[test]
    fn programs_are_found_through_links() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut add = |name: &str, kind, link: &str, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o755);
            header.set_size(content.len() as u64);
            if link.is_empty() {
                archive.append_data(&mut header, name, content).unwrap();
            } else {
                archive.append_link(&mut header, name, link).unwrap();
            }
        };
        let deep = format!("usr/{}bin", "lib/".repeat(40));
        let arm = [&b"\x7fELF\x02\x01\x01"[..], &[0; 9], &[2, 0, 183, 0]].concat();
        add(&format!("{deep}/app"), tar::EntryType::Regular, "", &arm);
        add("other", tar::EntryType::Link, &format!("{deep}/app"), b"");
        add("bin", tar::EntryType::Symlink, &deep, b"");
        add("run", tar::EntryType::Symlink, "/bin/../bin/app", b"");
        add("script", tar::EntryType::Regular, "", b"#!/bin/sh");
        add("round", tar::EntryType::Symlink, "round", b"");
        let bytes = archive.into_inner().unwrap();
        let mut facts = LayerFacts::default();
        let reader = Box::new(Cursor::new(bytes));
        scan(reader, media_type::LAYER, DigestAlgorithm::Sha256, LayerLimits::default(), &mut facts).unwrap();
        let find = |path: &str| facts.programs.get(&facts.real_path(path)?).copied();
        assert_eq!(find("/other"), Some(Some("arm64")));
        assert_eq!(find("/bin/app"), Some(Some("arm64")));
        // `bin/..` is the directory above the one that `bin` leads to, as a kernel sees it.
        assert_eq!(facts.real_path("/run").unwrap(), format!("{}bin/app", deep.trim_end_matches("bin")));
        assert_eq!(find("script"), Some(None));
        assert_eq!(find("round"), None);
        assert_eq!(find("nothing"), None);
    }

    #[test]
    fn bombs_end_at_the_limits() {
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::new(6));
        gzip.write_all(&vec![0; 8 << 20]).unwrap();
        let bomb = gzip.finish().unwrap();
        let limits = LayerLimits { bytes: 1 << 20, entries: 2, name: 64, kept: 64, ratio: 200 };
        let scan = |bytes: Vec<u8>, kind| {
            scan(
                Box::new(Cursor::new(bytes)),
                kind,
                DigestAlgorithm::Sha256,
                limits,
                &mut LayerFacts::default(),
            )
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

        let mut names = Vec::new();
        let long = "n".repeat(40);
        layer(&format!("{long}/sh 755, x 755")).read_to_end(&mut names).unwrap();
        let error = scan(names, media_type::LAYER).unwrap_err();
        assert!(matches!(error, LayerError::TooManyNames { limit: 64 }), "{error}");

        let error = scan(Vec::new(), "application/vnd.oci.image.layer.v1.tar+br").unwrap_err();
        assert!(matches!(error, LayerError::MediaType { .. }), "{error}");
    }

    #[test]
    fn what_grows_too_much_is_a_bomb() {
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::new(6));
        for _ in 0..65 {
            gzip.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let bomb = Box::new(Cursor::new(gzip.finish().unwrap()));
        let mut facts = LayerFacts::default();
        let error =
            scan(bomb, media_type::LAYER_GZIP, DigestAlgorithm::Sha256, LayerLimits::default(), &mut facts)
                .unwrap_err();
        assert_eq!(error.to_string(), "it cannot be read: it unpacks to more than 200 times its size");
        assert_eq!(facts, LayerFacts::default());
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
        scan(reader, media_type::LAYER, DigestAlgorithm::Sha256, LayerLimits::default(), &mut facts).unwrap();
        assert_eq!(facts.shells.into_iter().collect::<Vec<_>>(), [long]);
    }

    #[test]
    fn an_archive_may_end_in_the_middle_of_a_block_but_not_of_a_file() {
        let mut bytes = Vec::new();
        let mut header = tar::Header::new_gnu();
        header.set_path("bin/sh").unwrap();
        header.set_mode(0o755);
        header.set_size(600);
        header.set_cksum();
        bytes.extend(header.as_bytes());
        bytes.extend([7; 600]);
        let mut facts = LayerFacts::default();
        let look = |bytes: &[u8], facts: &mut LayerFacts| {
            scan(
                Box::new(Cursor::new(bytes.to_vec())),
                media_type::LAYER,
                DigestAlgorithm::Sha256,
                LayerLimits::default(),
                facts,
            )
        };
        assert_eq!(look(&bytes, &mut facts).unwrap(), Digest::of(&bytes));
        assert_eq!((facts.shells.len(), facts.size), (1, 1112));
        assert!(look(&bytes[..1000], &mut facts).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            for kind in [media_type::LAYER, media_type::LAYER_GZIP, media_type::LAYER_ZSTD] {
                let _ = scan(Box::new(Cursor::new(bytes.clone())), kind, DigestAlgorithm::Sha256, LayerLimits::default(), &mut LayerFacts::default());
            }
        }
    }
}
