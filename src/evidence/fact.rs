//! What evidence can say.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Kind;
use crate::format::canonical::Strict;
use crate::format::{gotest, junit};
use crate::image::ImageFacts;
use crate::model::Rid;

/// What one piece of evidence says.
#[derive(Debug, Clone)]
pub enum Fact {
    /// Test results.
    Tests(TestFacts),
    /// A changelog.
    Changelog(ChangelogFacts),
    /// Checksums against files.
    Checksums(ChecksumFacts),
    /// An image.
    Image(Box<ImageFacts>),
    /// An SBOM against binaries.
    Sbom(SbomFacts),
    /// Bundles against what they sign.
    Signatures(SignatureFacts),
    /// An approval.
    Approval(ApprovalFacts),
    /// Any JSON document.
    Json(Value),
}

impl Fact {
    /// The same as JSON, for expressions.
    pub fn to_json(&self) -> Value {
        let value = match self {
            Self::Tests(facts) => serde_json::to_value(facts),
            Self::Changelog(facts) => serde_json::to_value(facts),
            Self::Checksums(facts) => serde_json::to_value(facts),
            Self::Image(facts) => serde_json::to_value(facts),
            Self::Sbom(facts) => serde_json::to_value(facts),
            Self::Signatures(facts) => serde_json::to_value(facts),
            Self::Approval(facts) => serde_json::to_value(facts),
            Self::Json(value) => return value.clone(),
        };
        // These are plain structs; a value that cannot be JSON fails every field check behind it.
        value.unwrap_or(Value::Null)
    }
}

/// Counted test results of one report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestFacts {
    /// Tests that ended well.
    pub passed: u64,
    /// Tests and packages that did not, by name.
    pub failed: Vec<String>,
    /// Tests that were skipped.
    pub skipped: u64,
}

/// A changelog as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangelogFacts {
    /// The headings, without `#`.
    pub headings: Vec<String>,
    /// List entries.
    pub entries: u64,
    /// Whether generation failed and this is the template for a person to fill in.
    pub manual: bool,
}

/// The comparison of a checksum file with the files beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksumFacts {
    /// Files whose digest is the listed one.
    pub matching: u64,
    /// Files with another digest.
    pub mismatched: Vec<String>,
    /// Listed files that are not there.
    pub missing: Vec<String>,
    /// Files that are not listed.
    pub unlisted: Vec<String>,
}

/// The comparison of an SBOM with what is in the binaries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SbomFacts {
    /// Components it lists.
    pub components: u64,
    /// What is missing, extra, of another version or not valid.
    pub findings: Vec<String>,
}

/// The verification of a release's bundles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureFacts {
    /// Bundles that hold.
    pub valid: Vec<HeldBundle>,
    /// What does not hold.
    pub findings: Vec<String>,
}

/// A bundle that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBundle {
    /// The file.
    pub name: String,
    /// Subject alternative name of the certificate.
    pub signer: String,
}

/// Somebody's yes to a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalFacts {
    /// Who.
    pub approved_by: String,
    /// The identity of the release that was looked at; `None`: whatever is made of the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<Rid>,
}

impl ApprovalFacts {
    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 200;

    /// An approval by somebody who has a name.
    pub fn by(name: &str, rid: Option<Rid>) -> Result<Self, String> {
        let name = name.trim();
        if name.is_empty() || name.len() > Self::MAX_NAME || name.chars().any(char::is_control) {
            return Err(format!("expected a name of 1 to {} bytes in one line", Self::MAX_NAME));
        }
        Ok(Self { approved_by: name.to_owned(), rid })
    }
}

/// Stands in a changelog that nobody wrote yet.
pub const MANUAL_MARK: &str = "<!-- kyklos-release: to be written by hand -->";

/// Reads a file of a kind.
pub fn read(kind: Kind, bytes: &[u8]) -> Result<Fact, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let json = |error: serde_json::Error| error.to_string();
    match kind {
        Kind::Gotest => {
            let run = gotest::read(bytes).map_err(|error| error.to_string())?;
            Ok(Fact::Tests(TestFacts { passed: run.passed, failed: run.failed, skipped: run.skipped }))
        }
        Kind::Junit => {
            let run = junit::read(bytes).map_err(|error| error.to_string())?;
            Ok(Fact::Tests(TestFacts { passed: run.passed, failed: run.failed, skipped: run.skipped }))
        }
        Kind::Changelog => Ok(Fact::Changelog(changelog(&String::from_utf8_lossy(bytes)))),
        Kind::Checksums => serde_json::from_slice(bytes).map(Fact::Checksums).map_err(json),
        Kind::Image => image(bytes).map(Fact::Image).map_err(json),
        Kind::Sbom => serde_json::from_slice(bytes).map(Fact::Sbom).map_err(json),
        Kind::Signatures => serde_json::from_slice(bytes).map(Fact::Signatures).map_err(json),
        Kind::Approval => {
            let ApprovalFacts { approved_by, rid } = serde_json::from_slice(bytes).map_err(json)?;
            ApprovalFacts::by(&approved_by, rid).map(Fact::Approval)
        }
        Kind::Json => serde_json::from_slice(bytes).map(|Strict(value)| Fact::Json(value)).map_err(json),
    }
}

/// The answer of `image check --format json`, or only its `data`.
fn image(bytes: &[u8]) -> serde_json::Result<Box<ImageFacts>> {
    #[derive(Deserialize)]
    struct Answer {
        data: Box<ImageFacts>,
    }
    // Which of the two it is tells the error that people see.
    match serde_json::from_slice::<Answer>(bytes) {
        Ok(answer) => Ok(answer.data),
        Err(error) if has_data(bytes) => Err(error),
        Err(_) => serde_json::from_slice(bytes),
    }
}

fn has_data(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|value| value.get("data").is_some())
}

fn changelog(text: &str) -> ChangelogFacts {
    let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_owned());
    ChangelogFacts {
        headings: text.lines().filter_map(heading).collect(),
        entries: text.lines().filter(|line| line.starts_with("- ") || line.starts_with("* ")).count() as u64,
        manual: text.contains(MANUAL_MARK),
    }
}
