//! What a command is pointed at.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Digest, Reference, is_image_tag};

/// What a command is pointed at: a scheme and a path, or a reference to an image in a registry without a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `file:PATH`, one file.
    File(PathBuf),
    /// `dir:PATH`, a directory of files.
    Dir(PathBuf),
    /// `oci:DIR[:TAG|@DIGEST]`, an image layout directory.
    Layout(Inside),
    /// `oci-archive:FILE[:TAG|@DIGEST]`, an image layout in a tar file.
    LayoutTar(Inside),
    /// `docker-archive:FILE[:TAG]`, what `docker save` writes.
    DockerArchive(Inside),
    /// `HOST[:PORT]/PATH[:TAG][@DIGEST]`.
    Registry(Reference),
}

/// An image in something on disk. Tag and digest may be left open where there is only one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The directory or file.
    pub path: PathBuf,
    /// The tag, `org.opencontainers.image.ref.name`.
    pub tag: Option<String>,
    /// The digest; wins over the tag.
    pub digest: Option<Digest>,
}

const FORMS: &str =
    "a target starts with file:, dir:, oci:, oci-archive: or docker-archive:, or is HOST[:PORT]/PATH";

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidTarget { found: text.escape_debug().take(240).collect(), reason };
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        if ["file", "dir", "oci", "oci-archive", "docker-archive"].contains(&scheme) && rest.is_empty() {
            return Err(invalid("the path is empty"));
        }
        match scheme {
            "file" => Ok(Self::File(rest.into())),
            "dir" => Ok(Self::Dir(rest.into())),
            "oci" => inside(rest).map(Self::Layout).map_err(invalid),
            "oci-archive" => inside(rest).map(Self::LayoutTar).map_err(invalid),
            "docker-archive" => inside(rest).map(Self::DockerArchive).map_err(invalid),
            _ => match text.parse::<Reference>() {
                Ok(reference) => Ok(Self::Registry(reference)),
                Err(error) if text.contains('/') && !text.contains("://") => Err(invalid(error.reason)),
                Err(_) => Err(invalid(FORMS)),
            },
        }
    }
}

fn inside(rest: &str) -> Result<Inside, &'static str> {
    if let Some((path, digest)) = rest.rsplit_once('@') {
        let digest = digest.parse().map_err(|_| "what follows @ is not a digest")?;
        return Ok(Inside { path: path.into(), tag: None, digest: Some(digest) });
    }
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned())),
        _ => (rest, None),
    };
    if tag.as_deref().is_some_and(|tag| !is_image_tag(tag)) || path.is_empty() {
        return Err("an image tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}");
    }
    Ok(Inside { path: path.into(), tag, digest: None })
}

impl Target {
    /// The tag within it.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::File(_) | Self::Dir(_) => None,
            Self::Layout(inside) | Self::LayoutTar(inside) | Self::DockerArchive(inside) => {
                inside.tag.as_deref()
            }
            Self::Registry(reference) => reference.tag.as_deref(),
        }
    }

    /// The digest within it.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::File(_) | Self::Dir(_) => None,
            Self::Layout(inside) | Self::LayoutTar(inside) | Self::DockerArchive(inside) => inside.digest,
            Self::Registry(reference) => reference.digest,
        }
    }

    /// The same target without its digest.
    #[must_use]
    pub fn without_digest(&self) -> Self {
        let mut other = self.clone();
        match &mut other {
            Self::File(_) | Self::Dir(_) => {}
            Self::Layout(inside) | Self::LayoutTar(inside) | Self::DockerArchive(inside) => {
                inside.digest = None;
            }
            Self::Registry(reference) => reference.digest = None,
        }
        other
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, tag, digest } = self;
        write!(f, "{}", path.display())?;
        match (digest, tag) {
            (Some(digest), _) => write!(f, "@{digest}"),
            (None, Some(tag)) => write!(f, ":{tag}"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Dir(path) => write!(f, "dir:{}", path.display()),
            Self::Layout(inside) => write!(f, "oci:{inside}"),
            Self::LayoutTar(inside) => write!(f, "oci-archive:{inside}"),
            Self::DockerArchive(inside) => write!(f, "docker-archive:{inside}"),
            Self::Registry(reference) => write!(f, "{reference}"),
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
    fn targets() {
        for text in [
            "file:a/b",
            "dir:x",
            "oci:reg:v1",
            "oci:/tmp/reg",
            "oci:d:v1.0",
            "oci-archive:a.tar:v1",
            "docker-archive:a.tar",
            "ghcr.io/a/b:v1",
            "localhost:5000/a",
            "[::1]:5000/a",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in [
            "reg",
            "oci:",
            "oci:d@sha256:12",
            "tar:x",
            "oci:d:-x",
            "docker://ghcr.io/a",
            "ghcr.io",
            "kyklos/kyklos",
            "ghcr.io/A",
            "oci-archive:",
            "ghcr.io/a@sha256:12",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        let digest = Digest::of(b"");
        let target: Target = format!("ghcr.io/a:v1@{digest}").parse().unwrap();
        assert_eq!(
            (target.tag(), target.without_digest().to_string()),
            (Some("v1"), "ghcr.io/a:v1".to_owned())
        );
    }
}
