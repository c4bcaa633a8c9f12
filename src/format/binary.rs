//! Executables: ELF, Mach-O and PE, as far as a release needs to know them.

use object::read::elf::{ElfFile, FileHeader, ProgramHeader as _};
use object::{Architecture, Endianness, File, FileKind, Object as _, ObjectKind, ObjectSection as _};
use object::{ObjectSegment as _, elf};

use crate::diag::{Hint, Kind};
use crate::model::{Digest, Platform};

/// The largest executable that is read: 1 GiB.
pub const MAX_BYTES: u64 = 1 << 30;
/// The largest section that is looked into: 64 MiB.
pub const MAX_SECTION: usize = 64 << 20;
/// The most libraries an executable may name.
const MAX_NEEDED: usize = 1024;

/// The container format of an executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryFormat {
    /// System V ABI, chapter 4.
    Elf,
    /// Apple's Mach-O, one architecture.
    MachO,
    /// Portable Executable.
    Pe,
}

impl std::fmt::Display for BinaryFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Elf => "elf",
            Self::MachO => "mach-o",
            Self::Pe => "pe",
        })
    }
}

/// What an executable asks the loader for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Linkage {
    /// The program interpreter (ELF `PT_INTERP`).
    pub interpreter: Option<String>,
    /// The shared libraries in the order of the file (ELF `DT_NEEDED`, imported libraries of Mach-O and PE).
    pub needed: Vec<String>,
}

impl Linkage {
    /// Whether nothing else has to be present for it to start.
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none() && self.needed.is_empty()
    }
}

/// An executable, parsed, with the bytes it was read from.
#[derive(Debug)]
pub struct Binary<'a> {
    /// The container format.
    pub format: BinaryFormat,
    /// Operating system and architecture in Go's words, from the header of the file.
    pub platform: Platform,
    /// What it asks the loader for.
    pub linkage: Linkage,
    /// Bytes of the file.
    pub size: u64,
    /// Digest of the file.
    pub digest: Digest,
    file: File<'a>,
}

impl<'a> Binary<'a> {
    /// Parses an executable; objects, libraries without an entry point and anything else are refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BinaryError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(BinaryError::TooLarge { found: bytes.len() as u64 });
        }
        if !is_executable(bytes) {
            return Err(BinaryError::NotExecutable { start: bytes[..bytes.len().min(8)].to_vec() });
        }
        let file = File::parse(bytes).map_err(BinaryError::Malformed)?;
        if !matches!(file.kind(), ObjectKind::Executable | ObjectKind::Dynamic) || file.entry() == 0 {
            return Err(BinaryError::NoEntry);
        }
        let format = match &file {
            File::MachO32(_) | File::MachO64(_) => BinaryFormat::MachO,
            File::Pe32(_) | File::Pe64(_) => BinaryFormat::Pe,
            _ => BinaryFormat::Elf,
        };
        let linkage = match &file {
            File::Elf32(elf) => elf_linkage(elf),
            File::Elf64(elf) => elf_linkage(elf),
            other => imported(other),
        }
        .map_err(BinaryError::Malformed)?;
        let os = match &file {
            File::Elf32(elf) => elf_os(elf.elf_header().e_ident().os_abi),
            File::Elf64(elf) => elf_os(elf.elf_header().e_ident().os_abi),
            File::Pe32(_) | File::Pe64(_) => "windows",
            _ => "darwin",
        };
        let architecture = architecture(&file)?;
        let platform = format!("{os}/{architecture}")
            .parse()
            .map_err(|_| BinaryError::Architecture { found: architecture.to_owned() })?;
        Ok(Self { format, platform, linkage, size: bytes.len() as u64, digest: Digest::of(bytes), file })
    }

    /// The bytes of a section, `None` when there is no such section or it is larger than [`MAX_SECTION`].
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        let data = self.file.section_by_name(name)?.data().ok()?;
        (data.len() <= MAX_SECTION).then_some(data)
    }

    /// `length` bytes at a virtual address, as far as they come from the file.
    pub fn memory(&self, address: u64, length: u64) -> Option<&'a [u8]> {
        if length > MAX_SECTION as u64 {
            return None;
        }
        self.file.segments().find_map(|segment| segment.data_range(address, length).ok().flatten())
    }

    /// The bytes of the writable data: where Go puts its build information when there is no section for it.
    pub fn data_segment(&self) -> Option<&'a [u8]> {
        let data = match self.format {
            BinaryFormat::Pe => self.file.section_by_name(".data")?.data().ok()?,
            BinaryFormat::Elf | BinaryFormat::MachO => {
                let writable = |segment: &object::Segment<'_, '_>| {
                    let permissions = segment.permissions();
                    permissions.writable() && !permissions.executable()
                };
                self.file.segments().find(writable)?.data().ok()?
            }
        };
        Some(&data[..data.len().min(MAX_SECTION)])
    }
}

/// Whether the first bytes are those of an ELF, Mach-O or PE file.
pub fn is_executable(bytes: &[u8]) -> bool {
    matches!(
        FileKind::parse(bytes),
        Ok(FileKind::Elf32
            | FileKind::Elf64
            | FileKind::MachO32
            | FileKind::MachO64
            | FileKind::Pe32
            | FileKind::Pe64)
    )
}

/// The architecture in Go's words of an executable whose first 20 bytes are these (System V ABI, "ELF Header"); `None` when
/// they are no ELF header. A machine nobody here knows is `unknown`.
pub fn elf_architecture(start: &[u8]) -> Option<&'static str> {
    let [0x7f, b'E', b'L', b'F', class, order, ..] = *start else { return None };
    let machine: [u8; 2] = start.get(18..20)?.try_into().ok()?;
    let little = order == 1;
    let machine = if little { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) };
    Some(match (machine, little, class == 2) {
        (3, true, false) => "386",
        (8, false, false) => "mips",
        (8, true, false) => "mipsle",
        (8, false, true) => "mips64",
        (8, true, true) => "mips64le",
        (21, false, true) => "ppc64",
        (21, true, true) => "ppc64le",
        (22, false, true) => "s390x",
        (40, true, false) => "arm",
        (62, true, true) => "amd64",
        (183, true, true) => "arm64",
        (243, true, true) => "riscv64",
        (258, true, true) => "loong64",
        _ => "unknown",
    })
}

fn elf_linkage<'a, H>(file: &ElfFile<'a, H>) -> object::read::Result<Linkage>
where
    H: FileHeader<Endian = Endianness>,
{
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut linkage = Linkage::default();
    for header in file.elf_program_headers() {
        if let Some(interpreter) = header.interpreter(file.endian(), file.data())? {
            linkage.interpreter = Some(text(interpreter));
        }
    }
    let table = file.elf_dynamic_table()?;
    for entry in table.iter().filter(|entry| entry.tag == elf::DT_NEEDED).take(MAX_NEEDED) {
        linkage.needed.push(text(table.string(entry)?));
    }
    Ok(linkage)
}

fn imported(file: &File<'_>) -> object::read::Result<Linkage> {
    let mut needed = Vec::new();
    for import in file.imports()? {
        let import = import?;
        let library = String::from_utf8_lossy(import.library()).into_owned();
        if !library.is_empty() && !needed.contains(&library) && needed.len() < MAX_NEEDED {
            needed.push(library);
        }
    }
    Ok(Linkage { interpreter: None, needed })
}

/// Linux executables carry System V as often as GNU.
fn elf_os(abi: elf::OsAbi) -> &'static str {
    match abi {
        elf::ELFOSABI_FREEBSD => "freebsd",
        elf::ELFOSABI_NETBSD => "netbsd",
        elf::ELFOSABI_OPENBSD => "openbsd",
        elf::ELFOSABI_SOLARIS => "solaris",
        _ => "linux",
    }
}

fn architecture(file: &File<'_>) -> Result<&'static str, BinaryError> {
    let little = file.endianness() == Endianness::Little;
    Ok(match (file.architecture(), little) {
        (Architecture::X86_64, _) => "amd64",
        (Architecture::Aarch64, _) => "arm64",
        (Architecture::Arm, _) => "arm",
        (Architecture::I386, _) => "386",
        (Architecture::Riscv64, _) => "riscv64",
        (Architecture::LoongArch64, _) => "loong64",
        (Architecture::S390x, _) => "s390x",
        (Architecture::PowerPc64, true) => "ppc64le",
        (Architecture::PowerPc64, false) => "ppc64",
        (Architecture::Mips64, true) => "mips64le",
        (Architecture::Mips64, false) => "mips64",
        (Architecture::Mips, true) => "mipsle",
        (Architecture::Mips, false) => "mips",
        (other, _) => return Err(BinaryError::Architecture { found: format!("{other:?}") }),
    })
}

/// Why bytes are not an executable.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// More bytes than are read.
    #[error("the file has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: u64,
    },
    /// The first bytes are none of ELF, Mach-O and PE.
    #[error("the file is not an executable")]
    NotExecutable {
        /// The first bytes, at most eight.
        start: Vec<u8>,
    },
    /// The headers contradict each other or the length of the file.
    #[error("the executable is malformed")]
    Malformed(#[source] object::read::Error),
    /// An object file, a core dump or a library.
    #[error("the file has no entry point: it is an object or a library, not an executable")]
    NoEntry,
    /// An architecture without a name in Go.
    #[error("the architecture {found} has no platform name")]
    Architecture {
        /// The name of the architecture.
        found: String,
    },
}

impl Hint for BinaryError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "binary-too-large",
            Self::NotExecutable { .. } => "binary-not-executable",
            Self::Malformed(_) => "binary-malformed",
            Self::NoEntry => "binary-no-entry",
            Self::Architecture { .. } => "binary-architecture",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotExecutable { start } => vec![
                ("expected", "the magic number of ELF, Mach-O or PE".to_owned()),
                (
                    "found",
                    if start.is_empty() { "no bytes".to_owned() } else { start.escape_ascii().to_string() },
                ),
            ],
            Self::TooLarge { .. } | Self::Malformed(_) | Self::NoEntry | Self::Architecture { .. } => {
                Vec::new()
            }
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotExecutable { start } if start.starts_with(b"#!") => {
                vec!["name the compiled program, not a script that starts it".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_refused_by_name() {
        for bytes in [&b""[..], b"#!/bin/sh\nexit 0\n", b"PK\x03\x04........", &[0x7f; 64]] {
            assert!(matches!(Binary::parse(bytes), Err(BinaryError::NotExecutable { .. })), "{bytes:?}");
        }
        let cut = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0";
        assert!(matches!(Binary::parse(cut), Err(BinaryError::Malformed(_))));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(mut bytes: Vec<u8>, elf: bool) {
            if elf {
                let mut magic = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0".to_vec();
                magic.append(&mut bytes);
                bytes = magic;
            }
            let _ = Binary::parse(&bytes);
        }
    }
}
