//! Names of release assets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a file in a release: `[A-Za-z0-9._+~-]`, 1 to 200 bytes, no leading `.` or `-`, no trailing `.`,
/// not a device name of Windows. Forges rewrite names outside this set, so they are refused before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AssetName(String);

impl AssetName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 200;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AssetName {
    type Err = InvalidAssetName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._+~-".contains(c);
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > Self::MAX_BYTES {
            "it is longer than 200 bytes"
        } else if !text.chars().all(allowed) {
            "only letters, digits and . _ + ~ - are allowed"
        } else if text.starts_with(['.', '-']) {
            "it starts with . or -"
        } else if text.ends_with('.') {
            "it ends with ."
        } else if is_device(text) {
            "it is a device name on Windows"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(InvalidAssetName { found: text.escape_debug().take(240).collect(), reason })
    }
}

fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && matches!(rest.as_bytes()[0], b'1'..=b'9'))
    };
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

impl fmt::Display for AssetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<AssetName> for String {
    fn from(name: AssetName) -> Self {
        name.0
    }
}

impl TryFrom<String> for AssetName {
    type Error = InvalidAssetName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A file name that cannot be an asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` cannot be the name of a release asset: {reason}")]
pub struct InvalidAssetName {
    /// The refused name, control characters escaped.
    pub found: String,
    /// Which rule it breaks.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_names_of_a_release() {
        for name in [
            "checksums.txt",
            "kyklos-v0.1.0.tar.gz",
            "CHANGELOG-v0.1.0-rc.1+build.5.md",
            "kyklos_linux-amd64",
        ] {
            assert_eq!(name.parse::<AssetName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_hostile_names() {
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "-rf",
            ".env",
            "x.",
            "a b",
            "a\nb",
            "nul",
            "COM1.txt",
            "é",
            &"a".repeat(201),
        ] {
            assert!(name.parse::<AssetName>().is_err(), "{name:?}");
        }
    }
}
