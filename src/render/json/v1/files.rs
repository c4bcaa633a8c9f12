//! Answers about files: `archive`, `build-info`, `checksums`, `sbom`.

use schemars::JsonSchema;
use serde::Serialize;

/// `archive`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Archive {
    /// Where it was written.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Digest of the archive.
    pub digest: String,
    /// The commit it holds.
    pub commit: String,
}

/// One executable of `build-info`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BuildInfo {
    /// File name.
    pub file: String,
    /// `OS/ARCH`.
    pub platform: String,
    /// Bytes.
    pub size: u64,
    /// Digest of the file.
    pub digest: String,
    /// Whether it asks the loader for nothing.
    pub r#static: bool,
    /// Libraries it asks the loader for.
    pub needs: Vec<String>,
    /// `go` or `rust`, as far as the file tells.
    pub language: Option<String>,
    /// The toolchain.
    pub toolchain: Option<String>,
    /// The main module or package.
    pub main: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The commit it was built from.
    pub revision: Option<String>,
    /// The time of that commit.
    pub time: Option<String>,
    /// Whether tracked files differed from that commit.
    pub modified: Option<bool>,
}

/// One line of `checksums create`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    /// The file.
    pub name: String,
    /// Its digest.
    pub digest: String,
}

/// `checksums verify`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checked {
    /// Whether every line holds.
    pub ok: bool,
    /// Files with the listed digest.
    pub matching: Vec<String>,
    /// Files with another digest.
    pub mismatched: Vec<String>,
    /// Listed files that are not there.
    pub missing: Vec<String>,
    /// Files that are not listed.
    pub unlisted: Vec<String>,
    /// Listed files that are there and cannot be read.
    pub unreadable: Vec<String>,
}

/// `sbom verify`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SbomVerified {
    /// Components it lists.
    pub components: u64,
    /// Things that are wrong; each is a diagnostic.
    pub findings: u64,
}
