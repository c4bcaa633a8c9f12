//! Git tag names and the pattern that tells which of them are releases.

use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::{Deserialize, Serialize};

/// A git tag name without letters that need quoting: `[A-Za-z0-9._+@/-]` under the rules of `git check-ref-format`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Tag(String);

impl Tag {
    /// The tag as text, without `refs/tags/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag as part of a file name: `/` and `@` become `-`.
    pub fn file_part(&self) -> String {
        self.0.replace(['/', '@'], "-")
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._+@/-".contains(c);
        let component = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.ends_with('.')
                && !part.ends_with(".lock")
        };
        let valid = text.len() <= 128
            && text.chars().all(allowed)
            && text.split('/').all(component)
            && !text.contains("..")
            && text != "@";
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTag { found: text.escape_debug().take(160).collect() })
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl TryFrom<String> for Tag {
    type Error = InvalidTag;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Text that cannot be a tag of a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a valid tag name")]
pub struct InvalidTag {
    /// The refused text, control characters escaped.
    pub found: String,
}

/// Which tags are releases: literal text around one `{version}`, for example `v{version}` or `operator/v{version}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TagPattern {
    prefix: String,
    suffix: String,
}

impl TagPattern {
    const HOLE: &str = "{version}";

    /// The version in a tag of this pattern; `None` for other tags and for text that is not SemVer 2.0.0.
    pub fn version(&self, tag: &str) -> Option<Version> {
        let inner = tag.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        Version::parse(inner).ok()
    }

    /// The tag of a version.
    pub fn tag(&self, version: &Version) -> Result<Tag, InvalidTag> {
        format!("{}{version}{}", self.prefix, self.suffix).parse()
    }
}

impl Default for TagPattern {
    fn default() -> Self {
        Self { prefix: "v".to_owned(), suffix: String::new() }
    }
}

impl FromStr for TagPattern {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTag { found: text.escape_debug().take(160).collect() };
        let (prefix, suffix) = text.split_once(Self::HOLE).ok_or_else(invalid)?;
        let pattern = Self { prefix: prefix.to_owned(), suffix: suffix.to_owned() };
        pattern.tag(&Version::new(0, 1, 0)).map_err(|_| invalid())?;
        Ok(pattern)
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.prefix, Self::HOLE, self.suffix)
    }
}

impl From<TagPattern> for String {
    fn from(pattern: TagPattern) -> Self {
        pattern.to_string()
    }
}

impl TryFrom<String> for TagPattern {
    type Error = InvalidTag;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_patterns() {
        let pattern: TagPattern = "operator/v{version}".parse().unwrap();
        assert_eq!(pattern.version("operator/v1.2.3-rc.1"), Some(Version::parse("1.2.3-rc.1").unwrap()));
        assert_eq!(pattern.version("v1.2.3"), None);
        assert_eq!(TagPattern::default().version("v1.2"), None);
        assert_eq!(pattern.tag(&Version::new(1, 0, 0)).unwrap().file_part(), "operator-v1.0.0");
        assert!("v1".parse::<TagPattern>().is_err());
    }

    #[test]
    fn refuses_hostile_tags() {
        for text in
            ["", "-x", "a..b", "a//b", "/a", "a/", "a.lock", "a b", "a\n", "a:b", "a~1", "a^", ".a", "v1/.x"]
        {
            assert!(text.parse::<Tag>().is_err(), "{text:?}");
        }
    }
}
