//! Names of images: repositories and the targets of the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Digest;

/// `HOST[:PORT]/PATH` of an image repository (distribution-spec, "Pulling manifests": `<name>`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Repository {
    host: String,
    path: String,
}

impl Repository {
    /// The registry host with its port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository path below the host.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for Repository {
    type Err = InvalidRepository;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidRepository { found: text.escape_debug().take(200).collect() };
        let (host, path) = text.split_once('/').ok_or_else(invalid)?;
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        let host_ok = (name.contains('.') || port.is_some() || name == "localhost")
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            })
            && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0));
        let component_ok = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
                && !part.contains("..")
        };
        if host_ok && text.len() <= 255 && path.split('/').all(component_ok) {
            Ok(Self { host: host.to_owned(), path: path.to_owned() })
        } else {
            Err(invalid())
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

impl TryFrom<String> for Repository {
    type Error = InvalidRepository;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Text that does not name a repository on a registry host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an image repository of the form HOST[:PORT]/PATH in lower case")]
pub struct InvalidRepository {
    /// The refused text.
    pub found: String,
}

/// What a command is pointed at (`file:`, `dir:`, `oci:`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One file.
    File(PathBuf),
    /// A directory of files.
    Dir(PathBuf),
    /// An OCI layout directory; the tag or digest within it may be left open when it holds one image.
    Layout {
        /// The directory that holds `oci-layout`.
        path: PathBuf,
        /// The tag, `org.opencontainers.image.ref.name`.
        tag: Option<String>,
        /// The digest; wins over the tag.
        digest: Option<Digest>,
    },
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidTarget { found: text.escape_debug().take(240).collect(), reason };
        let (scheme, rest) =
            text.split_once(':').ok_or_else(|| invalid("a target starts with file:, dir: or oci:"))?;
        if rest.is_empty() {
            return Err(invalid("the path is empty"));
        }
        match scheme {
            "file" => Ok(Self::File(rest.into())),
            "dir" => Ok(Self::Dir(rest.into())),
            "oci" => {
                if let Some((path, digest)) = rest.rsplit_once('@') {
                    let digest = digest.parse().map_err(|_| invalid("what follows @ is not a digest"))?;
                    return Ok(Self::Layout { path: path.into(), tag: None, digest: Some(digest) });
                }
                let (path, tag) = match rest.rsplit_once(':') {
                    Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned())),
                    _ => (rest, None),
                };
                if tag.as_deref().is_some_and(|tag| !is_image_tag(tag)) || path.is_empty() {
                    return Err(invalid("an image tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}"));
                }
                Ok(Self::Layout { path: path.into(), tag, digest: None })
            }
            _ => Err(invalid("a target starts with file:, dir: or oci:")),
        }
    }
}

/// Whether text is a tag of an image (distribution-spec): `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub fn is_image_tag(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Dir(path) => write!(f, "dir:{}", path.display()),
            Self::Layout { path, tag, digest } => {
                write!(f, "oci:{}", path.display())?;
                match (digest, tag) {
                    (Some(digest), _) => write!(f, "@{digest}"),
                    (None, Some(tag)) => write!(f, ":{tag}"),
                    (None, None) => Ok(()),
                }
            }
        }
    }
}

/// Text that is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a target: {reason}")]
pub struct InvalidTarget {
    /// The refused text.
    pub found: String,
    /// Which rule it breaks.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        for text in ["ghcr.io/kyklos/kyklos", "localhost/a", "127.0.0.1:5000/a/b"] {
            assert_eq!(text.parse::<Repository>().unwrap().to_string(), text);
        }
        for text in
            ["kyklos", "kyklos/kyklos", "ghcr.io/", "ghcr.io/A", "ghcr.io/a/../b", "h.io:0/a", "-h.io/a"]
        {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }

    #[test]
    fn targets() {
        for text in ["file:a/b", "dir:x", "oci:reg:v1", "oci:/tmp/reg", "oci:d:v1.0"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["reg", "oci:", "oci:d@sha256:12", "tar:x", "oci:d:-x"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
