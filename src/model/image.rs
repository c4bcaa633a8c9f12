//! Names of images: repositories, tags, and references to one image in a registry.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
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

    /// The host without its port; an IPv6 address in brackets.
    pub fn host_name(&self) -> &str {
        match self.host.rfind(']') {
            Some(end) => &self.host[..=end],
            None => self.host.split(':').next().unwrap_or(&self.host),
        }
    }

    /// Whether the host is this machine: exactly `localhost`, an address of 127.0.0.0/8, or `[::1]`. A name that only
    /// begins like one (`127.0.0.1.evil.example`) is not.
    pub fn is_loopback(&self) -> bool {
        let name = self.host_name();
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || ipv6(name).is_some_and(|address| address.is_loopback())
    }

    /// Another repository on the same host.
    pub fn sibling(&self, path: &str) -> Result<Self, InvalidRepository> {
        format!("{}/{path}", self.host).parse()
    }
}

impl FromStr for Repository {
    type Err = InvalidRepository;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidRepository { found: text.escape_debug().take(200).collect() };
        let (host, path) = text.split_once('/').ok_or_else(invalid)?;
        let (name, port) = match host.rfind(']') {
            Some(end) => (&host[..=end], host[end + 1..].strip_prefix(':')),
            None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
        };
        let known = name.contains('.') || port.is_some() || name == "localhost" || name.starts_with('[');
        let host_ok = known
            && (name.split('.').all(label_ok) || ipv6(name).is_some())
            && host.len() == name.len() + port.map_or(0, |port| port.len() + 1)
            && port.is_none_or(|port| {
                port.bytes().all(|byte| byte.is_ascii_digit())
                    && port.parse::<u16>().is_ok_and(|number| number > 0)
            });
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

/// One label of a host name.
fn label_ok(label: &str) -> bool {
    !label.is_empty()
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// An address in brackets, as a URL has it.
fn ipv6(name: &str) -> Option<Ipv6Addr> {
    name.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
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

/// One image in a registry: `HOST[:PORT]/PATH[:TAG][@DIGEST]`, or nothing behind the path for whatever is meant there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where it is.
    pub repository: Repository,
    /// The tag.
    pub tag: Option<String>,
    /// The digest; wins over the tag.
    pub digest: Option<Digest>,
}

impl FromStr for Reference {
    type Err = InvalidReference;

    /// The host is never left out: nothing is looked for on a host that was not named. `docker.io/NAME` is
    /// `docker.io/library/NAME`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidReference { found: text.escape_debug().take(240).collect(), reason };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let digest =
                    digest.parse().map_err(|_| invalid("what follows @ is not sha256:<64 hex digits>"))?;
                (name, Some(digest))
            }
            None => (text, None),
        };
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (name, None),
        };
        if tag.is_some_and(|tag| !is_image_tag(tag)) {
            return Err(invalid("an image tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}"));
        }
        let official = path.strip_prefix("docker.io/").filter(|rest| !rest.contains('/'));
        let path = official.map_or_else(|| path.to_owned(), |rest| format!("docker.io/library/{rest}"));
        let repository = path.parse().map_err(|_| {
            invalid("a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case")
        })?;
        Ok(Self { repository, tag: tag.map(ToOwned::to_owned), digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Text that does not name an image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an image reference: {reason}")]
pub struct InvalidReference {
    /// The refused text.
    pub found: String,
    /// Which rule it breaks.
    pub reason: &'static str,
}

/// Whether text is a tag of an image (distribution-spec): `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub fn is_image_tag(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        for text in [
            "ghcr.io/kyklos/kyklos",
            "localhost/a",
            "127.0.0.1:5000/a/b",
            "[::1]:5000/a",
            "[::1]/a",
            "h:5000/a",
        ] {
            assert_eq!(text.parse::<Repository>().unwrap().to_string(), text);
        }
        for text in [
            "kyklos",
            "kyklos/kyklos",
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a/../b",
            "h.io:0/a",
            "-h.io/a",
            "h.io:/a",
            "h.io:+5/a",
            "[::1/a",
            "[x]/a",
            "[::1]x/a",
            "a]b.io/c",
            "h.io:5:5/a",
            "u@h.io/a",
            "h.io//a",
            "h.io/a/",
        ] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_this_machine() {
        for (text, expected) in [
            ("localhost/a", true),
            ("localhost:5000/a", true),
            ("127.0.0.1:5000/a", true),
            ("127.8.0.1/a", true),
            ("[::1]:5000/a", true),
            ("localhost.evil.com/a", false),
            ("127.0.0.1.evil.com/a", false),
            ("10.0.0.1/a", false),
            ("[::2]/a", false),
            ("ghcr.io/localhost", false),
        ] {
            assert_eq!(text.parse::<Repository>().unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn references() {
        let digest = Digest::of(b"");
        let full = format!("localhost:5000/a/b:v1@{digest}");
        let read: Reference = full.parse().unwrap();
        assert_eq!(
            (read.repository.host(), read.tag.as_deref(), read.digest),
            ("localhost:5000", Some("v1"), Some(digest))
        );
        for text in [&full, "ghcr.io/a", "ghcr.io/a:latest", "[::1]:5000/a:x", "docker.io/a/b"] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), *text);
        }
        assert_eq!(
            "docker.io/alpine:3".parse::<Reference>().unwrap().to_string(),
            "docker.io/library/alpine:3"
        );
        for text in [
            "alpine",
            "a/b",
            "ghcr.io/a:",
            "ghcr.io/a:-x",
            "ghcr.io/a@sha512:00",
            "ghcr.io/a@",
            "ghcr.io/a@b@c",
            "https://ghcr.io/a",
            "ghcr.io/a?x",
            "ghcr.io/a#x",
            "ghcr.io/%2e%2e",
            "ghcr.io:443",
            "",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
