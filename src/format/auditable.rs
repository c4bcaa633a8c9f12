//! The `.dep-v0` section of Rust executables built with cargo-auditable: zlib over JSON.

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use serde::Deserialize;

use super::binary::Binary;
use crate::diag::{Hint, Kind};

/// The section of ELF, Mach-O and PE files.
pub const SECTION: &str = ".dep-v0";
/// The largest list that is read, inflated.
pub const MAX_BYTES: u64 = 16 << 20;
/// The most packages that are read.
const MAX_PACKAGES: usize = 50_000;

/// The packages an executable was built from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AuditableInfo {
    /// In the order of the file; `dependencies` are indexes into it.
    pub packages: Vec<AuditablePackage>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AuditablePackage {
    /// The name of the crate.
    pub name: String,
    /// The version.
    pub version: String,
    /// `crates.io`, `git`, `local`, `registry` or another word.
    pub source: String,
    /// Whether it ran in the build or is part of the executable.
    #[serde(default)]
    pub kind: AuditableKind,
    /// Indexes of the packages it depends on.
    #[serde(default)]
    pub dependencies: Vec<usize>,
    /// Whether it is the crate of the executable.
    #[serde(default)]
    pub root: bool,
}

/// How a package took part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditableKind {
    /// Build scripts and procedural macros.
    Build,
    /// Part of the executable.
    #[default]
    Runtime,
}

/// Reads the list of an executable; `None` when it carries none.
pub fn read(binary: &Binary<'_>) -> Result<Option<AuditableInfo>, AuditableError> {
    binary.section(SECTION).map(decode).transpose()
}

/// Reads the content of the section.
pub fn decode(section: &[u8]) -> Result<AuditableInfo, AuditableError> {
    let mut json = Vec::new();
    ZlibDecoder::new(section).take(MAX_BYTES + 1).read_to_end(&mut json).map_err(AuditableError::Deflate)?;
    if json.len() as u64 > MAX_BYTES {
        return Err(AuditableError::TooLarge);
    }
    let info: AuditableInfo = serde_json::from_slice(&json).map_err(AuditableError::Json)?;
    if info.packages.len() > MAX_PACKAGES {
        return Err(AuditableError::TooMany { found: info.packages.len() });
    }
    let count = info.packages.len();
    let wrong =
        |package: &AuditablePackage| package.dependencies.iter().copied().find(|&index| index >= count);
    if let Some(index) = info.packages.iter().find_map(wrong) {
        return Err(AuditableError::Index { found: index, count });
    }
    Ok(info)
}

/// Why a `.dep-v0` section could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditableError {
    /// Not zlib.
    #[error("the section {SECTION} cannot be inflated")]
    Deflate(#[source] std::io::Error),
    /// More bytes than are read.
    #[error("the section {SECTION} inflates to more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not the JSON of cargo-auditable.
    #[error("the section {SECTION} does not hold the JSON of cargo-auditable")]
    Json(#[source] serde_json::Error),
    /// More packages than are read.
    #[error("the section {SECTION} lists {found} packages, at most {MAX_PACKAGES} are read")]
    TooMany {
        /// Packages.
        found: usize,
    },
    /// A dependency that is not in the list.
    #[error("the section {SECTION} points to package {found} of {count}")]
    Index {
        /// The index.
        found: usize,
        /// Packages in the list.
        count: usize,
    },
}

impl Hint for AuditableError {
    fn code(&self) -> &'static str {
        "auditable"
    }

    fn kind(&self) -> Kind {
        Kind::Undecided
    }

    fn hints(&self) -> Vec<String> {
        vec!["build again with `cargo auditable build --release`".to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn section(json: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(json).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn reads_packages() {
        let json =
            br#"{"packages":[{"name":"a","version":"1.0.0","source":"local","dependencies":[1],"root":true},
            {"name":"b","version":"2.0.0","source":"crates.io","kind":"build"}],"format":1}"#;
        let info = decode(&section(json)).unwrap();
        assert!(info.packages[0].root);
        assert_eq!(info.packages[0].kind, AuditableKind::Runtime);
        assert_eq!(info.packages[1].kind, AuditableKind::Build);
    }

    #[test]
    fn refuses_bombs_and_dangling_indexes() {
        let bomb = section(&vec![b' '; usize::try_from(MAX_BYTES).unwrap() + 1]);
        assert!(matches!(decode(&bomb), Err(AuditableError::TooLarge)));
        let json = br#"{"packages":[{"name":"a","version":"1.0.0","source":"local","dependencies":[1]}]}"#;
        assert!(matches!(decode(&section(json)), Err(AuditableError::Index { found: 1, count: 1 })));
        assert!(matches!(decode(b"nonsense"), Err(AuditableError::Deflate(_))));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = decode(&bytes);
            let _ = decode(&section(&bytes));
        }
    }
}
