//! A changelog in Markdown that people write by hand: where its releases are (CommonMark 0.31, keepachangelog.com).
//!
//! Headings inside of code, comments and lists are none of the document; nothing is decided by looking at lines.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use semver::Version;

/// The largest changelog that is read, in bytes.
pub const MAX_BYTES: u64 = 16 << 20;

/// What a section is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// What is not released.
    Unreleased,
    /// A release.
    Version(Version),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreleased => f.write_str("Unreleased"),
            Self::Version(version) => write!(f, "{version}"),
        }
    }
}

/// One release in a document: from its heading to the next heading of the same level, of a higher one, or of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub key: Key,
    /// All of it.
    pub range: Range<usize>,
}

/// A document by its parts. Every byte belongs to one of them or stands between two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// Whether a heading calls it a changelog.
    pub titled: bool,
    /// The releases in the order of the document.
    pub sections: Vec<Section>,
    /// Where the link definitions at the end start; the length of the text where there are none.
    pub definitions: usize,
}

/// A piece of the body of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A heading: level and text.
    Heading(u8, String),
    /// An item of a list.
    Item,
    /// A link definition: its label in lower case.
    Definition(String),
    /// Anything else.
    Other,
}

/// A top-level block with its place, blank space at its end left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is.
    pub piece: Piece,
    /// Where it is.
    pub range: Range<usize>,
}

/// The top-level blocks of a text, lists item by item, link definitions line by line.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut depth = 0usize;
    let mut heading: Option<(u8, String, Range<usize>)> = None;
    // A block begins where its line begins, and ends where its text ends.
    let whole = |range: Range<usize>| {
        let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let start = if text[start..range.start].trim().is_empty() { start } else { range.start };
        let end = range.start + text[range.clone()].trim_end().len();
        start..end.max(start)
    };
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                match (&tag, depth) {
                    (Tag::Heading { level, .. }, 0) => heading = Some((number(*level), String::new(), range)),
                    (Tag::Item, 1) => found.push(Block { piece: Piece::Item, range: whole(range) }),
                    // The items stand for their list.
                    (Tag::List(_), 0) => {}
                    (_, 0) => found.push(Block { piece: Piece::Other, range: whole(range) }),
                    _ => {}
                }
                depth += 1;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                if let (0, TagEnd::Heading(_), Some((level, title, range))) =
                    (depth, end, heading.take_if(|_| depth == 0))
                {
                    found.push(Block { piece: Piece::Heading(level, title), range: whole(range) });
                }
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some((_, title, _)) = &mut heading {
                    title.push_str(&part);
                }
            }
            Event::Rule if depth == 0 => found.push(Block { piece: Piece::Other, range: whole(range) }),
            _ => {}
        }
    }
    found.sort_by_key(|block| block.range.start);
    with_definitions(text, found)
}

/// What no block covers are link definitions and blank lines.
fn with_definitions(text: &str, found: Vec<Block>) -> Vec<Block> {
    let mut all = Vec::with_capacity(found.len());
    let mut at = 0;
    let gap = |from: usize, to: usize, all: &mut Vec<Block>| {
        let mut start = from;
        for line in text[from..to.max(from)].split_inclusive('\n') {
            let clean = line.trim();
            if !clean.is_empty() {
                let label = clean.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
                let inside = start + line.len() - line.trim_start().len();
                let piece = match label {
                    Some((label, _)) => Piece::Definition(label.trim().to_lowercase()),
                    // The title of the definition above, or its address.
                    None => Piece::Other,
                };
                all.push(Block { piece, range: inside..inside + clean.len() });
            }
            start += line.len();
        }
    };
    for block in found {
        if block.range.start >= at {
            gap(at, block.range.start, &mut all);
            at = block.range.end;
            all.push(block);
        }
    }
    gap(at, text.len(), &mut all);
    all
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

impl Outline {
    /// Reads a document. Any text is one; the byte order mark is none of it.
    pub fn parse(text: &str) -> Self {
        let blocks = blocks(text);
        let keys: Vec<(Option<Key>, u8, bool, usize)> = blocks
            .iter()
            .filter_map(|block| match &block.piece {
                Piece::Heading(level, title) => {
                    Some((key(title), *level, is_plain(title), block.range.start))
                }
                Piece::Item | Piece::Definition(_) | Piece::Other => None,
            })
            .collect();
        // Releases stand under the two highest headings, or one level lower where none does. Some tools write patch
        // releases one level lower than others: a heading that is a version and nothing more is one there too.
        let high = keys.iter().any(|(key, level, ..)| key.is_some() && *level <= 2);
        let is_release = |key: &Option<Key>, level: u8, plain: bool| {
            key.is_some() && (level <= 2 || (level == 3 && (!high || plain)))
        };
        let last = blocks.iter().rposition(|block| !matches!(block.piece, Piece::Definition(_)));
        let after = last.map_or(0, |at| at + 1);
        let definitions = blocks.get(after).map_or(text.len(), |block| block.range.start);
        let mut sections = Vec::new();
        for (at, (found, level, plain, start)) in keys.iter().enumerate() {
            let Some(key) = found.clone().filter(|_| is_release(found, *level, *plain)) else { continue };
            // The parts of a release on the third level stand on that level as well.
            let above = (*level).min(2);
            let ends = |(found, other, plain, _): &&(Option<Key>, u8, bool, usize)| {
                *other <= above || is_release(found, *other, *plain)
            };
            let end = keys[at + 1..].iter().find(ends).map_or(definitions, |(.., start)| *start);
            sections.push(Section { key, range: *start..end });
        }
        let titled = blocks.iter().any(|block| match &block.piece {
            Piece::Heading(_, title) => is_title(title),
            Piece::Item | Piece::Definition(_) | Piece::Other => false,
        });
        Self { titled, sections, definitions }
    }
}

/// Whether a heading calls a document a changelog.
fn is_title(title: &str) -> bool {
    let letters: String = title.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    ["changelog", "changes", "history", "releasenotes", "releases", "news"]
        .iter()
        .any(|word| letters.contains(word))
}

/// What a heading is about: `1.2.3`, `[v1.2.3] - 2026-01-31`, `Version 1.2`, `app@1.2.3`, `Unreleased`.
pub fn key(title: &str) -> Option<Key> {
    let mut words = title.split_whitespace().map(|word| word.trim_matches(|c: char| "[](){}:,".contains(c)));
    let first = words.next()?;
    if first.eq_ignore_ascii_case("unreleased") {
        return Some(Key::Unreleased);
    }
    let word = match first.to_ascii_lowercase().as_str() {
        "version" | "release" => words.next()?,
        _ => first,
    };
    // `[1.2.3](address)` without a space behind it.
    let word = word.split("](").next().unwrap_or(word);
    let tail = word.rsplit(['@', '/']).next().unwrap_or(word);
    let tail = tail.rsplit_once("-v").map_or(tail, |(before, after)| {
        if before.chars().any(|c| c.is_ascii_digit()) && version(tail).is_some() { tail } else { after }
    });
    version(tail).map(Key::Version)
}

/// Whether a heading is a version of three numbers and nothing more but a date or a mark: `[1.2.3] (Mar 3, 2026)`.
fn is_plain(title: &str) -> bool {
    let mut words = title.split_whitespace().map(|word| word.trim_matches(|c: char| "[](){}:,".contains(c)));
    let three = |word: &str| Version::parse(word.strip_prefix(['v', 'V']).unwrap_or(word)).is_ok();
    words.next().is_some_and(three) && words.all(|word| !word.starts_with(char::is_lowercase))
}

/// A version, also one of two numbers.
fn version(text: &str) -> Option<Version> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let two = || {
        let (major, minor) = text.split_once('.')?;
        Some(Version::new(major.parse().ok()?, minor.parse().ok()?, 0))
    };
    Version::parse(text).ok().or_else(two)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(text: &str) -> Vec<String> {
        Outline::parse(text).sections.iter().map(|section| section.key.to_string()).collect()
    }

    #[test]
    fn headings_of_releases() {
        for (title, expected) in [
            ("1.2.3", Some("1.2.3")),
            ("[1.2.3] - 2026-01-31", Some("1.2.3")),
            ("v1.2.3-rc.1 (2026-01-31)", Some("1.2.3-rc.1")),
            ("Version 1.2", Some("1.2.0")),
            ("app@2.0.0", Some("2.0.0")),
            ("operator/v0.1.0", Some("0.1.0")),
            ("app-v0.1.0", Some("0.1.0")),
            ("1.0.0-v2", Some("1.0.0-v2")),
            ("[Unreleased]", Some("Unreleased")),
            ("UNRELEASED - soon", Some("Unreleased")),
            ("2026-01-31", None),
            ("Upgrading from 1.0.0 to 2.0.0", None),
            ("1 Introduction", None),
            ("", None),
        ] {
            assert_eq!(key(title).map(|key| key.to_string()).as_deref(), expected, "{title}");
        }
    }

    #[test]
    fn only_headings_of_the_document_count() {
        let text = "# Changelog\n\nText.\n\n```md\n## 9.0.0\n```\n\n<!--\n## 8.0.0\n-->\n\n    ## 7.0.0\n\n- ## 6.0.0\n\n> ## 5.0.0\n\n1.2.0 (2026)\n------------\n\n- x\n\n### 1.1 and later\n\n## 1.1.0 ##\n\ny\n\n## Older\n\nz\n\n[1.2.0]: https://a/b\n[1.1.0]: https://a/c\n";
        assert_eq!(keys(text), ["1.2.0", "1.1.0"]);
        let outline = Outline::parse(text);
        assert!(outline.titled);
        assert_eq!(
            &text[outline.sections[0].range.clone()],
            "1.2.0 (2026)\n------------\n\n- x\n\n### 1.1 and later\n\n"
        );
        assert_eq!(&text[outline.sections[1].range.clone()], "## 1.1.0 ##\n\ny\n\n");
        assert_eq!(&text[outline.definitions..], "[1.2.0]: https://a/b\n[1.1.0]: https://a/c\n");
    }

    #[test]
    fn levels_of_releases() {
        assert_eq!(keys("# 1.1.0\n\n## 1.0.1\n\n### 1.0 x\n\n# 1.0.0\n"), ["1.1.0", "1.0.1", "1.0.0"]);
        assert_eq!(keys("## Releases\n\n### 1.1.0\n\n### 1.0.0\n"), ["1.1.0", "1.0.0"]);
        let mixed = "# Log\n\n### [1.0.1](https://x) (2020-02-02)\n\n### Bug Fixes\n\n- a\n\n## 1.0.0\n\n### Features\n\n### 1.0.0 for users\n";
        assert_eq!(keys(mixed), ["1.0.1", "1.0.0"]);
        let first = Outline::parse(mixed).sections[0].range.clone();
        assert_eq!(&mixed[first], "### [1.0.1](https://x) (2020-02-02)\n\n### Bug Fixes\n\n- a\n\n");
        assert_eq!(keys("# Title\r\n\r\n## [2.0.0] - x\r\n- a\r\n## Unreleased"), ["2.0.0", "Unreleased"]);
        assert!(keys("no heading\n").is_empty());
    }

    #[test]
    fn blocks_of_a_section() {
        let text = "## 1.0.0\n\nIntro\ngoes on.\n\n### Added\n\n- one\n  more\n- two\n\n[1.0.0]: https://a/b\n\n| a |\n|---|\n| b |\n";
        let found: Vec<(Piece, &str)> =
            blocks(text).into_iter().map(|block| (block.piece, &text[block.range])).collect();
        assert_eq!(
            found,
            [
                (Piece::Heading(2, "1.0.0".to_owned()), "## 1.0.0"),
                (Piece::Other, "Intro\ngoes on."),
                (Piece::Heading(3, "Added".to_owned()), "### Added"),
                (Piece::Item, "- one\n  more"),
                (Piece::Item, "- two"),
                (Piece::Definition("1.0.0".to_owned()), "[1.0.0]: https://a/b"),
                (Piece::Other, "| a |\n|---|\n| b |"),
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn no_text_is_lost(text in "([#\\-=>*+ `~\\[\\]()<!.:0-9a-z\\r\\n\\t]|\n\n|## 1.0.0\n|```\n|\\[a\\]: b\n|- |é){0,60}") {
            let outline = Outline::parse(&text);
            let mut at = 0;
            for section in &outline.sections {
                prop_assert!(section.range.start >= at && section.range.end <= outline.definitions);
                at = section.range.end;
            }
            // Between blocks there is nothing but blank space.
            let mut at = 0;
            for block in blocks(&text) {
                prop_assert!(block.range.start >= at, "{:?}", block);
                prop_assert!(text[at..block.range.start].trim().is_empty(), "{:?}", &text[at..block.range.start]);
                at = block.range.end;
            }
            prop_assert!(text[at..].trim().is_empty());
        }
    }
}
