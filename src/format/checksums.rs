//! `checksums.txt`: the lines of coreutils' `sha256sum`, `sha384sum` and `sha512sum` and of BSD's `sha256`, read strictly.
//!
//! `sha256sum -c` opens absolute paths and `../` as it is told, reads standard input for `-`, and never notices a
//! file that is not listed. Here a name is an [`AssetName`], stands once, and nothing but entries and comments is
//! accepted.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::diag::{Hint, Kind};
use crate::model::{Algorithm, AssetName, Checksum, InvalidAssetName};

/// The largest file that is read.
pub const MAX_BYTES: usize = 4 << 20;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub name: AssetName,
    /// Its checksum.
    pub digest: Checksum,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `HEX␠␠NAME`
    Text,
    /// `SHA256 (NAME) = HEX`, or the name of another algorithm
    Tagged,
}

/// The file: sorted by name, LF, no name twice.
pub fn write(entries: &[Entry], style: Style) -> String {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    sorted.dedup_by(|left, right| left.name == right.name);
    let mut text = String::new();
    for Entry { name, digest } in sorted {
        // Writing to a String cannot fail.
        let _ = match style {
            Style::Text => writeln!(text, "{}  {name}", digest.hex()),
            Style::Tagged => {
                let algorithm = digest.algorithm().name().to_ascii_uppercase();
                writeln!(text, "{algorithm} ({name}) = {}", digest.hex())
            }
        };
    }
    text
}

/// Reads a file of either style; CRLF, a byte order mark, blank lines and `#` comments are forgiven, nothing else.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, ChecksumsError> {
    if bytes.len() > MAX_BYTES {
        return Err(ChecksumsError::TooLarge { found: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ChecksumsError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut entries = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let (name, digest) = split(line).ok_or(ChecksumsError::Line { number })?;
        let name: AssetName = name.parse().map_err(|source| ChecksumsError::Name { number, source })?;
        // File systems that fold case must not see two entries as one.
        if !seen.insert(name.as_str().to_ascii_lowercase()) {
            return Err(ChecksumsError::Twice { number, name });
        }
        entries.push(Entry { name, digest });
    }
    if entries.is_empty() {
        return Err(ChecksumsError::Empty);
    }
    Ok(entries)
}

/// Name and checksum of a line. Lines without the name of an algorithm tell it by how many digits they have.
fn split(line: &str) -> Option<(&str, Checksum)> {
    let tagged = Algorithm::ALL.iter().find_map(|algorithm| {
        let name = algorithm.name().to_ascii_uppercase();
        Some((*algorithm, line.strip_prefix(&name)?.strip_prefix(" (")?))
    });
    if let Some((algorithm, rest)) = tagged {
        let (name, hex) = rest.rsplit_once(") = ")?;
        return Some((name, Checksum::from_hex(algorithm, hex)?));
    }
    let digits = line.find(|c: char| !c.is_ascii_hexdigit())?;
    let algorithm = Algorithm::ALL.iter().find(|algorithm| algorithm.digits() == digits)?;
    let (hex, rest) = line.split_at(digits);
    let name = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"))?;
    Some((name, Checksum::from_hex(*algorithm, hex)?))
}

/// Why bytes are not a checksum file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumsError {
    /// Too many bytes.
    #[error("the checksum file has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("the checksum file is not UTF-8 text")]
    NotText,
    /// No entry at all.
    #[error("the checksum file lists nothing")]
    Empty,
    /// A line that is no entry.
    #[error("line {number} of the checksum file is not an entry")]
    Line {
        /// 1-based.
        number: usize,
    },
    /// A name that is refused.
    #[error("line {number} of the checksum file names a file that is refused")]
    Name {
        /// 1-based.
        number: usize,
        /// Why.
        #[source]
        source: InvalidAssetName,
    },
    /// A name that stands twice.
    #[error("line {number} of the checksum file lists {name} again")]
    Twice {
        /// 1-based.
        number: usize,
        /// The name.
        name: AssetName,
    },
}

impl Hint for ChecksumsError {
    fn code(&self) -> &'static str {
        "checksums"
    }

    fn kind(&self) -> Kind {
        Kind::Undecided
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Line { .. } => {
                vec![
                    "an entry is `HEX  NAME` or `SHA256 (NAME) = HEX`, with SHA-256, SHA-384 or SHA-512"
                        .to_owned(),
                ]
            }
            Self::Name { .. } => vec!["a release is flat: file names only, no paths".to_owned()],
            Self::TooLarge { .. } | Self::NotText | Self::Empty | Self::Twice { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Digest;

    fn entry(name: &str) -> Entry {
        // Every algorithm is met.
        let algorithm = Algorithm::ALL[name.len() % 3];
        let digest = algorithm.of_reader(&mut std::io::Cursor::new(name)).unwrap();
        Entry { name: name.parse().unwrap(), digest }
    }

    #[test]
    fn both_styles_are_read_back() {
        let entries = [entry("b.txt"), entry("a.txt")];
        for style in [Style::Text, Style::Tagged] {
            let text = write(&entries, style);
            assert_eq!(read(text.as_bytes()).unwrap(), [entry("a.txt"), entry("b.txt")]);
            assert_eq!(
                read(format!("\u{feff}# c\r\n{}", text.replace('\n', "\r\n")).as_bytes()).unwrap().len(),
                2
            );
        }
    }

    #[test]
    fn refuses_what_coreutils_accepts() {
        let hex = Digest::of(b"x").hex();
        for line in [
            format!("{hex}  /etc/passwd"),
            format!("{hex}  ../x"),
            format!("{hex}  -"),
            format!("{hex} x"),
            format!("{hex}\tx"),
            format!("\\{hex}  a\\nb"),
            format!("{hex}  a\n{hex}  A"),
            format!("{hex}  a\n{hex}  a"),
            "garbage".to_owned(),
            format!("{hex}  a\ngarbage"),
            String::new(),
            format!("MD5 (x) = {}", &hex[..32]),
            format!("SHA512 (x) = {hex}"),
            format!("{hex}0  x"),
            format!("{}  x", &hex[..63]),
            format!("{hex}\u{e9}  x"),
        ] {
            assert!(read(line.as_bytes()).is_err(), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn survives_a_round_trip(names in proptest::collection::btree_set("[a-z0-9][a-z0-9_+~-]{0,20}y", 1..20)) {
            let entries: Vec<Entry> = names.iter().map(|name| entry(name)).collect();
            prop_assert_eq!(read(write(&entries, Style::Text).as_bytes()).unwrap(), entries.clone());
            prop_assert_eq!(read(write(&entries, Style::Tagged).as_bytes()).unwrap(), entries);
        }
    }
}
