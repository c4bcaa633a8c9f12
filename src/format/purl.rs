//! Package URLs (ECMA-427): `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`.
//!
//! A [`Purl`] is held decoded and normalised; printing it gives the canonical form.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::model::{Digest, Platform, Repository};

/// The longest purl that is read, in bytes.
pub const MAX_BYTES: usize = 8192;

/// A package URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    kind: String,
    namespace: Vec<String>,
    name: String,
    version: Option<String>,
    qualifiers: BTreeMap<String, String>,
    subpath: Vec<String>,
}

impl Purl {
    /// A package of a type, for example `generic`. The path is the namespace and the name, separated by `/`.
    pub fn new(kind: &str, path: &str, version: Option<&str>) -> Result<Self, InvalidPurl> {
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        Self {
            kind: kind.to_owned(),
            namespace: segments(namespace),
            name: name.to_owned(),
            version: version.filter(|version| !version.is_empty()).map(str::to_owned),
            qualifiers: BTreeMap::new(),
            subpath: Vec::new(),
        }
        .normalised()
        .map_err(|reason| InvalidPurl { found: shown(&format!("pkg:{kind}/{path}")), reason })
    }

    /// A Go module.
    pub fn golang(module: &str, version: Option<&str>) -> Result<Self, InvalidPurl> {
        Self::new("golang", module, version)
    }

    /// A crate.
    pub fn cargo(name: &str, version: &str) -> Result<Self, InvalidPurl> {
        Self::new("cargo", name, Some(version))
    }

    /// An image by digest, called like the last part of its repository, else `name`; the platform only for a platform
    /// manifest.
    pub fn oci(
        name: &str,
        repository: Option<&Repository>,
        digest: &Digest,
        platform: Option<&Platform>,
    ) -> Result<Self, InvalidPurl> {
        let name = repository.map_or(name, |repository| {
            repository.path().rsplit_once('/').map_or(repository.path(), |(_, name)| name)
        });
        let mut purl = Self::new("oci", &name.to_ascii_lowercase(), Some(&digest.to_string()))?;
        purl.qualifiers
            .extend(repository.map(|repository| ("repository_url".to_owned(), repository.to_string())));
        if let Some(platform) = platform {
            purl.qualifiers.insert("arch".to_owned(), platform.architecture().to_owned());
            purl.qualifiers.insert("os".to_owned(), platform.os().to_owned());
        }
        Ok(purl)
    }

    /// The same package with a qualifier.
    pub fn with(mut self, key: &str, value: &str) -> Result<Self, InvalidPurl> {
        self.qualifiers.insert(key.to_owned(), value.to_owned());
        let found = shown(key);
        self.normalised().map_err(|reason| InvalidPurl { found, reason })
    }

    /// The type, for example `golang`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Namespace and name, separated by `/`.
    pub fn path(&self) -> String {
        self.namespace.iter().chain([&self.name]).map(String::as_str).collect::<Vec<_>>().join("/")
    }

    /// The name without the namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// A qualifier.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.get(key).map(String::as_str)
    }

    /// Applies the rules of the type, so that two spellings of one package are equal.
    fn normalised(mut self) -> Result<Self, &'static str> {
        self.kind.make_ascii_lowercase();
        let first = self.kind.chars().next();
        if !first.is_some_and(|c| c.is_ascii_lowercase())
            || !self.kind.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        {
            return Err("the type is a letter followed by letters, digits, . and -");
        }
        if self.name.is_empty() {
            return Err("the name is empty");
        }
        match self.kind.as_str() {
            "golang" | "github" | "bitbucket" | "composer" => {
                self.namespace.iter_mut().for_each(|part| *part = part.to_lowercase());
                self.name = self.name.to_lowercase();
            }
            "deb" | "apk" | "rpm" => {
                self.namespace.iter_mut().for_each(|part| *part = part.to_lowercase());
                if self.kind != "rpm" {
                    self.name = self.name.to_lowercase();
                }
            }
            "oci" => self.name = self.name.to_lowercase(),
            "pypi" => self.name = self.name.to_lowercase().replace('_', "-"),
            _ => {}
        }
        let without = matches!(self.kind.as_str(), "oci" | "cargo" | "pypi" | "gem" | "nuget");
        if without && !self.namespace.is_empty() {
            return Err("this type has no namespace");
        }
        let mut qualifiers = BTreeMap::new();
        for (key, value) in std::mem::take(&mut self.qualifiers) {
            let key = key.to_ascii_lowercase();
            let first = key.chars().next();
            if !first.is_some_and(|c| c.is_ascii_lowercase())
                || !key.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
            {
                return Err("the key of a qualifier is a letter followed by letters, digits, . - and _");
            }
            if !value.is_empty() && qualifiers.insert(key, value).is_some() {
                return Err("a qualifier stands twice");
            }
        }
        self.qualifiers = qualifiers;
        Ok(self)
    }
}

fn segments(text: &str) -> Vec<String> {
    text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn shown(text: &str) -> String {
    text.escape_debug().take(200).collect()
}

impl FromStr for Purl {
    type Err = InvalidPurl;

    /// Parses from the right, as the specification describes, and normalises.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| InvalidPurl { found: shown(text), reason })
    }
}

fn parse(text: &str) -> Result<Purl, &'static str> {
    if text.len() > MAX_BYTES {
        return Err("it is longer than 8192 bytes");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("white space has to be percent-encoded");
    }
    let (scheme, rest) = text.split_once(':').ok_or("it does not start with pkg:")?;
    if !scheme.eq_ignore_ascii_case("pkg") {
        return Err("it does not start with pkg:");
    }
    let (rest, subpath) = rest.split_once('#').map_or((rest, ""), |(rest, subpath)| (rest, subpath));
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
    let rest = rest.trim_matches('/');
    let (kind, rest) = rest.split_once('/').ok_or("there is no name")?;
    let (path, version) = match rest.rfind('@') {
        // An npm scope whose @ was not encoded.
        Some(at) if rest[at..].contains('/') && (at == 0 || rest[..at].ends_with('/')) => (rest, None),
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
    let part = |part: &str| {
        let part = decode(part)?;
        if part.contains('/') { Err("a segment of the namespace contains /") } else { Ok(part) }
    };
    let namespace = segments(namespace).iter().map(|segment| part(segment)).collect::<Result<Vec<_>, _>>()?;
    let mut qualifiers = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("a qualifier has no value")?;
        if qualifiers.insert(key.to_ascii_lowercase(), decode(value)?).is_some() {
            return Err("a qualifier stands twice");
        }
    }
    let mut path = Vec::new();
    for segment in segments(subpath) {
        let segment = part(&segment)?;
        if segment == "." || segment == ".." {
            return Err("the subpath contains . or ..");
        }
        path.push(segment);
    }
    let version = version.map(decode).transpose()?.filter(|version| !version.is_empty());
    Purl { kind: kind.to_owned(), namespace, name: decode(name)?, version, qualifiers, subpath: path }
        .normalised()
}

fn decode(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digit = |at: usize| rest.get(at).and_then(|digit| char::from(*digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                return Err("a percent sign is not followed by two hexadecimal digits");
            };
            bytes.push((high * 16 + low) as u8);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| "the decoded text is not UTF-8")
}

struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                write!(f, "{}", char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        self.namespace.iter().try_for_each(|part| write!(f, "{}/", Encoded(part)))?;
        write!(f, "{}", Encoded(&self.name))?;
        self.version.iter().try_for_each(|version| write!(f, "@{}", Encoded(version)))?;
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            write!(f, "{}{key}={}", if index == 0 { '?' } else { '&' }, Encoded(value))?;
        }
        for (index, part) in self.subpath.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { '#' } else { '/' }, Encoded(part))?;
        }
        Ok(())
    }
}

/// Text that is not a package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a package URL: {reason}")]
pub struct InvalidPurl {
    /// The refused text, escaped, at most 200 characters.
    pub found: String,
    /// Which rule it breaks.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn builds_the_types_of_a_release() {
        let go = Purl::golang("github.com/Masterminds/semver/v3", Some("v3.2.1+incompatible")).unwrap();
        assert_eq!(go.to_string(), "pkg:golang/github.com/masterminds/semver/v3@v3.2.1%2Bincompatible");
        assert_eq!(Purl::golang("example.com/a", None).unwrap().to_string(), "pkg:golang/example.com/a");
        assert_eq!(Purl::cargo("serde_json", "1.0.1").unwrap().to_string(), "pkg:cargo/serde_json@1.0.1");
        let repository: Repository = "ghcr.io/kyklos/kyklos".parse().unwrap();
        let digest = Digest::of(b"");
        let platform: Platform = "linux/arm64".parse().unwrap();
        assert_eq!(
            Purl::oci("app", Some(&repository), &digest, Some(&platform)).unwrap().to_string(),
            format!("pkg:oci/kyklos@{digest}?arch=arm64&os=linux&repository_url=ghcr.io%2Fkyklos%2Fkyklos")
        );
        assert_eq!(
            Purl::new("generic", "my app", Some("1 2")).unwrap().to_string(),
            "pkg:generic/my%20app@1%202"
        );
    }

    #[test]
    fn reads_other_spellings_into_the_canonical_one() {
        for (text, canonical) in [
            (
                "pkg:oci/Debian@sha256%3A24?tag=latest&arch=amd64",
                "pkg:oci/debian@sha256:24?arch=amd64&tag=latest",
            ),
            ("PKG:GoLang//Github.com/A/B@V1", "pkg:golang/github.com/a/b@V1"),
            ("pkg:npm/%40angular/animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
            ("pkg:npm/@angular/animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
            ("pkg:pypi/Django_Package@1.11", "pkg:pypi/django-package@1.11"),
            ("pkg:deb/debian/curl@7.50.3-1?arch=i386&empty=", "pkg:deb/debian/curl@7.50.3-1?arch=i386"),
            (
                "pkg:golang/google.golang.org/genproto#googleapis/api/annotations",
                "pkg:golang/google.golang.org/genproto#googleapis/api/annotations",
            ),
        ] {
            assert_eq!(text.parse::<Purl>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn refuses_what_is_no_purl() {
        for text in [
            "",
            "pkg:",
            "pkg:golang",
            "pkg:golang/",
            "golang/a@1",
            "pkg:1x/a",
            "pkg:cargo/a b",
            "pkg:cargo/a%2",
            "pkg:cargo/a%ff",
            "pkg:oci/ns/a",
            "pkg:generic/a?x",
            "pkg:generic/a?x=1&X=2",
            "pkg:generic/a?1=b",
            "pkg:generic/a#../b",
            "pkg:generic/@1",
            "pkg:generic/a%2fb/c",
        ] {
            assert!(text.parse::<Purl>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text: String) {
            let _ = text.parse::<Purl>();
            let _ = format!("pkg:{text}").parse::<Purl>();
        }

        #[test]
        fn what_is_built_is_read_back(
            kind in "generic|golang|npm",
            path in "[^/\\x00]{1,9}(/[^/\\x00]{1,9}){0,3}",
            version in "(\\PC){0,12}",
            value in "(\\PC){0,12}",
        ) {
            let purl = Purl::new(&kind, &path, Some(&version)).unwrap().with("key", &value).unwrap();
            prop_assert_eq!(purl.to_string().parse::<Purl>().unwrap(), purl);
        }
    }
}
