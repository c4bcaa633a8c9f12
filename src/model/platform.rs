//! Operating system and architecture of an image or a binary, in Go's words (OCI image-spec, "image index").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `OS/ARCH[/VARIANT]`, each part `[a-z0-9][a-z0-9._-]*`, for example `linux/arm64` or `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    /// A platform from its parts.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Result<Self, InvalidPlatform> {
        let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
        let text = format!("{os}/{architecture}{variant}");
        if os.contains('/') || architecture.contains('/') {
            return Err(InvalidPlatform { found: text.escape_debug().take(120).collect() });
        }
        text.parse()
    }

    /// The spelling in which two names of the same platform are equal: `arm64/v8` is `arm64`, `arm` is `arm/v7`.
    /// What kernels call an architecture is what Go calls it: `x86_64` is `amd64`, `aarch64` is `arm64`.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        let (architecture, variant) = match self.architecture.as_str() {
            "x86_64" | "x86-64" => ("amd64", None),
            "aarch64" => ("arm64", None),
            "i386" | "i686" => ("386", None),
            "armhf" => ("arm", Some("v7")),
            "armel" => ("arm", Some("v6")),
            other => (other, None),
        };
        self.variant = self.variant.or_else(|| variant.map(ToOwned::to_owned));
        self.architecture = architecture.to_owned();
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("arm64", Some("v8")) | ("amd64", Some("v1")) => self.variant = None,
            ("arm", None) => self.variant = Some("v7".to_owned()),
            _ => {}
        }
        self
    }

    /// The operating system, for example `linux`.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The architecture, for example `arm64`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The variant of the architecture, for example `v7`.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// The platform as part of a file name: `linux-arm64`.
    pub fn file_part(&self) -> String {
        self.to_string().replace('/', "-")
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let parts: Vec<&str> = text.split('/').collect();
        let well_formed = parts.iter().all(|part| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.len() <= 32
                && part.chars().all(allowed)
        });
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] if well_formed => (os, architecture, None),
            [os, architecture, variant] if well_formed => (os, architecture, Some((*variant).to_owned())),
            _ => return Err(InvalidPlatform { found: text.escape_debug().take(120).collect() }),
        };
        Ok(Self { os: (*os).to_owned(), architecture: (*architecture).to_owned(), variant })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Text that is not `OS/ARCH[/VARIANT]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a platform of the form OS/ARCH[/VARIANT]")]
pub struct InvalidPlatform {
    /// The refused text.
    pub found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        let arm: Platform = "linux/arm/v7".parse().unwrap();
        assert_eq!((arm.os(), arm.architecture(), arm.variant()), ("linux", "arm", Some("v7")));
        assert_eq!(arm.file_part(), "linux-arm-v7");
        for (written, meant) in [
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/i386", "linux/386"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/arm/v6", "linux/arm/v6"),
        ] {
            assert_eq!(written.parse::<Platform>().unwrap().normalised().to_string(), meant);
        }
        assert!(Platform::new("linux", "a/b", None).is_err());
        for text in ["linux", "linux/", "Linux/amd64", "a/b/c/d", "../x", ""] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
