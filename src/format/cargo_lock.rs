//! Cargo.lock of version 3 and 4 (the Cargo book, "Cargo.toml vs Cargo.lock").

use serde::Deserialize;

use crate::diag::{Hint, Kind};

/// The largest lock file that is read.
pub const MAX_BYTES: u64 = 32 << 20;

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CargoLock {
    /// In the order of the file: by name, then version.
    pub packages: Vec<LockedPackage>,
}

/// One package of a lock file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LockedPackage {
    /// The name of the crate.
    pub name: String,
    /// The version.
    pub version: String,
    /// Where it comes from; a package of the workspace has none.
    pub source: Option<String>,
    /// SHA-256 of the `.crate` file in lower-case hex, for packages of a registry.
    pub checksum: Option<String>,
    /// `NAME`, `NAME VERSION` or `NAME VERSION (SOURCE)`: as much as makes it unique.
    #[serde(default)]
    pub dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    version: Option<u32>,
    #[serde(default)]
    package: Vec<LockedPackage>,
}

impl CargoLock {
    /// Reads a lock file.
    pub fn parse(bytes: &[u8]) -> Result<Self, CargoLockError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(CargoLockError::TooLarge { found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| CargoLockError::NotText)?;
        if super::toml::too_deep(text).is_some() {
            return Err(CargoLockError::Deep);
        }
        let document: Document = toml::from_str(text).map_err(CargoLockError::Toml)?;
        match document.version {
            Some(3 | 4) => Ok(Self { packages: document.package }),
            found => Err(CargoLockError::Version { found }),
        }
    }

    /// The index of the package that an entry of `dependencies` names.
    pub fn resolve(&self, dependency: &str) -> Option<usize> {
        let mut words = dependency.splitn(3, ' ');
        let name = words.next()?;
        let version = words.next();
        let source = words.next().and_then(|word| word.strip_prefix('(')?.strip_suffix(')'));
        self.packages.iter().position(|package| {
            package.name == name
                && version.is_none_or(|version| package.version == version)
                && source.is_none_or(|source| package.source.as_deref() == Some(source))
        })
    }
}

/// Why bytes are not a lock file of Cargo.
#[derive(Debug, thiserror::Error)]
pub enum CargoLockError {
    /// More bytes than are read.
    #[error("the lock file has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("the lock file is not UTF-8")]
    NotText,
    /// Brackets in brackets without end.
    #[error("the lock file is nested deeper than any that Cargo writes")]
    Deep,
    /// Not TOML, or not the fields of a lock file.
    #[error("the lock file cannot be read")]
    Toml(#[source] toml::de::Error),
    /// A version this reader does not know.
    #[error("the lock file is of {}, expected version 3 or 4", found.map_or("no version".to_owned(), |n| format!("version {n}")))]
    Version {
        /// The value of `version`.
        found: Option<u32>,
    },
}

impl Hint for CargoLockError {
    fn code(&self) -> &'static str {
        "cargo-lock"
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Version { .. } => vec!["write it again with `cargo generate-lockfile`".to_owned()],
            Self::TooLarge { .. } | Self::NotText | Self::Deep | Self::Toml(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"version = 4
[[package]]
name = "app"
version = "0.1.0"
dependencies = ["a 1.0.0", "a 2.0.0 (registry+https://example.com/index)", "b"]
[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://example.com/index"
checksum = "00"
[[package]]
name = "a"
version = "2.0.0"
source = "registry+https://example.com/index"
[[package]]
name = "b"
version = "0.3.0"
"#;

    #[test]
    fn resolves_dependencies() {
        let lock = CargoLock::parse(LOCK.as_bytes()).unwrap();
        let indexes: Vec<_> =
            lock.packages[0].dependencies.iter().map(|dependency| lock.resolve(dependency)).collect();
        assert_eq!(indexes, [Some(1), Some(2), Some(3)]);
        assert_eq!(lock.resolve("c"), None);
    }

    #[test]
    fn refuses_nesting_without_end() {
        let text = format!("version = 4\nx = {}", "[{ a = b = [".repeat(4000));
        assert!(matches!(CargoLock::parse(text.as_bytes()), Err(CargoLockError::Deep)));
    }

    #[test]
    fn refuses_versions_without_checksums_in_place() {
        assert!(matches!(CargoLock::parse(b""), Err(CargoLockError::Version { found: None })));
        assert!(matches!(CargoLock::parse(b"version = 9"), Err(CargoLockError::Version { found: Some(9) })));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text: String) {
            let _ = CargoLock::parse(&bytes);
            let _ = CargoLock::parse(format!("version = 4\n{text}").as_bytes());
        }
    }
}
