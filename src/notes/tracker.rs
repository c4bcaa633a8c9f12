//! References that only this repository knows: the keys of its own tracker.

use regex::{Regex, RegexBuilder};

use super::entry::{Entry, Reference};
use crate::config::{ReferenceName, TrackerSettings};
use crate::format::conventional::{ReferenceKind, ReferenceSource};

/// A pattern may compile to this many bytes; it is matched in linear time whatever it says.
const MAX_PROGRAM: usize = 256 << 10;
/// More references of one pattern than a message needs.
const MAX_FOUND: usize = 64;

/// One kind of key, and where its page is.
#[derive(Debug, Clone)]
pub struct Tracker {
    pattern: Regex,
    url: String,
    kind: ReferenceKind,
}

impl Tracker {
    /// Reads a pattern of `release.yaml`.
    ///
    /// # Errors
    /// What is wrong with the pattern, in one line.
    pub fn new(settings: &TrackerSettings) -> Result<Self, String> {
        let pattern =
            RegexBuilder::new(&settings.pattern).size_limit(MAX_PROGRAM).build().map_err(|error| {
                error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            })?;
        let kind = match settings.kind {
            ReferenceName::Issue => ReferenceKind::Issue,
            ReferenceName::Pr => ReferenceKind::Pr,
            ReferenceName::WorkItem => ReferenceKind::WorkItem,
        };
        Ok(Self { pattern, url: settings.url.clone(), kind })
    }

    /// Adds what a message refers to: the first group of the pattern, or all it matches.
    pub(super) fn refer(&self, message: &str, entry: &mut Entry) {
        let end_of_subject = message.find('\n').unwrap_or(message.len());
        for found in self.pattern.captures_iter(message).take(MAX_FOUND) {
            let Some(whole) = found.get(0) else { continue };
            let id = found.get(1).unwrap_or(whole).as_str();
            let known = |reference: &Reference| {
                reference.kind == self.kind && reference.id == id && reference.url.is_some()
            };
            if id.is_empty() || entry.references.iter().any(known) {
                continue;
            }
            let source =
                if whole.start() < end_of_subject { ReferenceSource::Subject } else { ReferenceSource::Body };
            entry.references.push(Reference {
                kind: self.kind,
                // A pull request of the forge has none; this one must not be taken for it.
                action: Some("refs"),
                owner: None,
                repo: None,
                id: id.to_owned(),
                source,
                url: Some(self.url.replace("{id}", &encoded(id))),
            });
        }
    }
}

/// An id as a part of an address: bytes that mean something there are written as `%XX` (RFC 3986).
fn encoded(id: &str) -> String {
    let mut text = String::new();
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CommitId;

    fn tracker(pattern: &str, url: &str) -> Result<Tracker, String> {
        let settings =
            TrackerSettings { pattern: pattern.to_owned(), url: url.to_owned(), kind: ReferenceName::Issue };
        Tracker::new(&settings)
    }

    #[test]
    fn keys_become_references() {
        let message = "fix: ABC-12 and ABC-12\n\nSee ABC-7, [x y/z].";
        let mut entry = Entry::of_message(CommitId::from_bytes([7; 20]), message).unwrap();
        tracker(r"\bABC-\d+\b", "https://t.example/browse/{id}").unwrap().refer(message, &mut entry);
        tracker(r"\[([^\]]+)\]", "https://t.example/{id}/view").unwrap().refer(message, &mut entry);
        let told: Vec<_> = entry
            .references
            .iter()
            .map(|found| (found.id.as_str(), found.source.as_str(), found.page(None).unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("ABC-12", "subject", "https://t.example/browse/ABC-12".to_owned()),
                ("ABC-7", "body", "https://t.example/browse/ABC-7".to_owned()),
                ("x y/z", "body", "https://t.example/x%20y%2Fz/view".to_owned()),
            ]
        );
    }

    #[test]
    fn patterns_that_are_none_say_why() {
        assert_eq!(tracker("(", "https://t.example/{id}").unwrap_err(), "unclosed group");
        assert!(tracker("(a{1000}){1000}", "https://t.example/{id}").is_err());
    }
}
