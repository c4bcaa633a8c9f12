//! Releases put into a changelog that people write as well.
//!
//! Each release has one section, found by its heading. In a section that is there already, the lines the tool wrote are
//! replaced; what else stands in it stays: text above the first heading, sections of other names, lines that name no commit
//! of the release. Lines under Unreleased that a release tells go from there. Everything else keeps its bytes.

use semver::Version;

use super::merge::{Ours, merged, without_told};
use crate::diag::{Hint, Kind};
use crate::format::changelog::{Key, Outline, Piece, blocks, key};

/// A changelog with the releases in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edited {
    /// The whole document.
    pub text: String,
    /// Sections that are new.
    pub added: Vec<Key>,
    /// Sections that were there.
    pub replaced: Vec<Key>,
    /// Pieces of such sections that people wrote.
    pub kept: usize,
    /// Pieces people wrote that are left under Unreleased although a release was put in.
    pub left_unreleased: usize,
}

/// What is put into a document.
#[derive(Debug, Clone, Copy)]
pub struct Insert<'a> {
    /// A whole changelog of the releases: title, a section each, link definitions.
    pub generated: &'a str,
    /// How many releases it tells.
    pub releases: usize,
    /// Tells what the tool wrote.
    pub ours: &'a Ours,
    /// The page of what follows the newest of the releases, for the link `[unreleased]`.
    pub head_url: Option<&'a str>,
}

/// A link definition: its label in lower case, and its line.
type Definition = (String, String);

/// A piece of a document.
#[derive(Debug, Clone)]
struct Part {
    key: Option<Key>,
    text: String,
}

/// Puts releases into a document; an empty one becomes the generated text.
///
/// # Errors
/// When the document is no changelog, has a release twice, or the template writes no headings of releases. Nothing is
/// changed then.
pub fn edit(document: &str, insert: &Insert<'_>) -> Result<Edited, EditError> {
    let (mark, old) = match document.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", document),
    };
    let (pieces, definitions) = generated(insert)?;
    // The line ends of a document are those of its first line.
    let crlf = old.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n"));
    let ends = |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
    if old.trim().is_empty() {
        let added = pieces.into_iter().filter_map(|part| part.key).collect();
        return Ok(Edited { text: format!("{mark}{}", ends(insert.generated)), added, ..Edited::default() });
    }
    if old.contains('\r') && !old.contains('\n') {
        return Err(EditError::LineEnds);
    }
    let outline = Outline::parse(old);
    if outline.sections.is_empty() && !outline.titled {
        return Err(EditError::Foreign);
    }
    let mut parts = split(old, &outline);
    let mut edited = Edited::default();
    // From the oldest on, so that each finds its neighbours.
    for piece in pieces.iter().rev() {
        let Some(wanted) = &piece.key else { continue };
        let found: Vec<usize> =
            (0..parts.len()).filter(|at| parts[*at].key.as_ref() == Some(wanted)).collect();
        match found.as_slice() {
            [] => {
                let at = place(&parts, wanted);
                insert_at(&mut parts, at, piece, &ends);
                edited.added.insert(0, wanted.clone());
            }
            [at] => {
                let old = parts[*at].text.replace("\r\n", "\n");
                let (text, kept) = merged(&old, &piece.text, insert.ours);
                edited.kept += kept;
                edited.replaced.insert(0, wanted.clone());
                let blank = &parts[*at].text[parts[*at].text.trim_end().len()..];
                parts[*at].text = format!("{}{blank}", ends(&text));
            }
            [first, second, ..] => {
                let line = |at: usize| {
                    parts[..at].iter().map(|part| part.text.matches('\n').count()).sum::<usize>() + 1
                };
                return Err(EditError::Twice {
                    key: wanted.clone(),
                    first: line(*first),
                    second: line(*second),
                });
            }
        }
    }
    told_elsewhere(&mut parts, &pieces, insert.ours, &mut edited, &ends);
    let mut tail = old[outline.definitions..].to_owned();
    define(&mut tail, &definitions, newest(&parts, &pieces).then_some(insert.head_url).flatten(), &ends);
    let expected: Vec<(Option<Key>, String)> =
        parts.iter().map(|part| (part.key.clone(), part.text.trim_end().to_owned())).collect();
    let touched = |key: &Key| edited.added.contains(key) || edited.replaced.contains(key);
    let loose = outline.definitions == old.len()
        || parts.last().is_some_and(|part| part.key.as_ref().is_some_and(touched));
    let mut text: String = parts.into_iter().map(|part| part.text).collect();
    let newline = ends("\n");
    while loose && !tail.trim().is_empty() && !text.ends_with(&newline.repeat(2)) {
        text.push_str(&newline);
    }
    text.push_str(&tail);
    check(&text, &expected, &tail)?;
    edited.text = format!("{mark}{text}");
    Ok(edited)
}

/// Reads the result: a section inside of code or of a comment that is not closed would be none.
fn check(text: &str, expected: &[(Option<Key>, String)], tail: &str) -> Result<(), EditError> {
    let outline = Outline::parse(text);
    let found = outline.sections.iter().map(|section| (&section.key, text[section.range.clone()].trim_end()));
    let wanted = expected.iter().filter_map(|(key, text)| Some((key.as_ref()?, text.as_str())));
    let defined = text[outline.definitions..].trim() == tail.trim();
    if defined && found.eq(wanted) { Ok(()) } else { Err(EditError::Open) }
}

/// The sections and the link definitions of what is put in.
fn generated(insert: &Insert<'_>) -> Result<(Vec<Part>, Vec<Definition>), EditError> {
    let text = insert.generated;
    let outline = Outline::parse(text);
    if outline.sections.len() != insert.releases {
        return Err(EditError::NoHeading { expected: insert.releases, found: outline.sections.len() });
    }
    let parts = outline
        .sections
        .into_iter()
        .map(|section| Part { key: Some(section.key), text: text[section.range].trim_end().to_owned() });
    let tail = &text[outline.definitions..];
    let definitions = blocks(tail).into_iter().filter_map(|block| match block.piece {
        Piece::Definition(label) => Some((label, tail[block.range].to_owned())),
        Piece::Heading(..) | Piece::Item | Piece::Other => None,
    });
    Ok((parts.collect(), definitions.collect()))
}

/// A document in parts: its releases, and what stands before, between and behind them.
fn split(text: &str, outline: &Outline) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = 0;
    let between = |from: usize, to: usize, parts: &mut Vec<Part>| {
        if from < to {
            parts.push(Part { key: None, text: text[from..to].to_owned() });
        }
    };
    for section in &outline.sections {
        between(at, section.range.start, &mut parts);
        parts.push(Part { key: Some(section.key.clone()), text: text[section.range.clone()].to_owned() });
        at = section.range.end;
    }
    between(at, outline.definitions, &mut parts);
    parts
}

/// Before which part a release belongs: the newest stand first, unless the document says otherwise.
fn place(parts: &[Part], wanted: &Key) -> usize {
    let releases: Vec<(usize, &Version)> = parts
        .iter()
        .enumerate()
        .filter_map(|(at, part)| match &part.key {
            Some(Key::Version(version)) => Some((at, version)),
            Some(Key::Unreleased) | None => None,
        })
        .collect();
    let unreleased = parts.iter().position(|part| part.key == Some(Key::Unreleased));
    let ascending = match releases.as_slice() {
        [(_, first), .., (_, last)] => first < last,
        _ => false,
    };
    let first = parts.iter().position(|part| part.key.is_some());
    let last = parts.iter().rposition(|part| part.key.is_some()).map(|at| at + 1);
    let wanted = match wanted {
        Key::Unreleased if ascending => return last.unwrap_or(parts.len()),
        Key::Unreleased => return first.unwrap_or(parts.len()),
        Key::Version(version) => version,
    };
    if ascending {
        let above = releases.iter().find(|(_, version)| *version > wanted).map(|(at, _)| *at);
        return above.or(unreleased).or(last).unwrap_or(parts.len());
    }
    let below = releases.iter().find(|(_, version)| *version < wanted).map(|(at, _)| *at);
    let behind = releases.last().map(|(at, _)| at + 1).or(unreleased.map(|at| at + 1));
    below.or(behind).unwrap_or(parts.len())
}

/// Puts a section between others, with a blank line around it.
fn insert_at(parts: &mut Vec<Part>, at: usize, piece: &Part, ends: &dyn Fn(&str) -> String) {
    let newline = ends("\n");
    if let Some(before) = at.checked_sub(1).map(|at| &mut parts[at]) {
        while !before.text.ends_with(&newline.repeat(2)) {
            before.text.push_str(&newline);
        }
    }
    let behind = if at < parts.len() { newline.repeat(2) } else { newline };
    parts.insert(at, Part { key: piece.key.clone(), text: format!("{}{behind}", ends(&piece.text)) });
}

/// Takes from Unreleased what a release tells that was put in.
fn told_elsewhere(
    parts: &mut [Part],
    pieces: &[Part],
    ours: &Ours,
    edited: &mut Edited,
    ends: &dyn Fn(&str) -> String,
) {
    let replaced = pieces.iter().any(|piece| piece.key == Some(Key::Unreleased));
    let Some(part) = parts.iter_mut().find(|part| part.key == Some(Key::Unreleased) && !replaced) else {
        return;
    };
    let told: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
    let (text, left) = without_told(&part.text.replace("\r\n", "\n"), &told, ours);
    edited.left_unreleased = left;
    if let Some(text) = text {
        let blank = part.text[part.text.trim_end().len()..].to_owned();
        part.text = format!("{}{blank}", ends(&text));
    }
}

/// Whether the highest release of a document was put in.
fn newest(parts: &[Part], pieces: &[Part]) -> bool {
    let highest = |parts: &[Part]| {
        let versions = parts.iter().filter_map(|part| match &part.key {
            Some(Key::Version(version)) => Some(version.clone()),
            Some(Key::Unreleased) | None => None,
        });
        versions.max()
    };
    let highest_put_in = highest(pieces);
    highest_put_in.is_some() && highest(parts) == highest_put_in
}

/// Adds link definitions to those at the end of a document, or gives them their new addresses.
fn define(
    tail: &mut String,
    definitions: &[Definition],
    head_url: Option<&str>,
    ends: &dyn Fn(&str) -> String,
) {
    let newline = ends("\n");
    for (label, line) in definitions {
        let known = blocks(tail).into_iter().find(|block| block.piece == Piece::Definition(label.clone()));
        if let Some(block) = known {
            tail.replace_range(block.range, line);
            continue;
        }
        let below = |block: &crate::format::changelog::Block| match (&block.piece, key(label)) {
            (Piece::Definition(other), Some(Key::Version(new))) => {
                matches!(key(other), Some(Key::Version(old)) if old < new)
            }
            (Piece::Definition(_), Some(Key::Unreleased)) => true,
            _ => false,
        };
        match blocks(tail).into_iter().find(below) {
            Some(block) => tail.insert_str(block.range.start, &format!("{line}{newline}")),
            None => {
                let end = tail.trim_end().len();
                if end == 0 {
                    tail.push_str(&format!("{line}{newline}"));
                } else {
                    tail.insert_str(end, &format!("{newline}{line}"));
                }
            }
        }
    }
    let unreleased =
        blocks(tail).into_iter().find(|block| block.piece == Piece::Definition("unreleased".to_owned()));
    let told = definitions.iter().any(|(label, _)| label == "unreleased");
    if let (Some(block), Some(url), false) = (unreleased, head_url, told) {
        let label = tail[block.range.clone()].split("]:").next().unwrap_or_default().to_owned();
        tail.replace_range(block.range, &format!("{label}]: {url}"));
    }
}

/// Why a changelog is left as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It has no release and no title.
    #[error("it is not a changelog: no heading names a version or calls it one")]
    Foreign,
    /// A release has two sections.
    #[error("it has two sections of {key}, at lines {first} and {second}")]
    Twice {
        /// The release.
        key: Key,
        /// 1-based.
        first: usize,
        /// 1-based.
        second: usize,
    },
    /// A section that is put in would be no section.
    #[error("a code block, a comment or an HTML block is not closed where the release belongs")]
    Open,
    /// Its lines end as no tool of today writes them.
    #[error("its lines end in a carriage return alone")]
    LineEnds,
    /// What is put in has other headings than releases.
    #[error("the template writes {found} headings of releases, and {expected} are needed")]
    NoHeading {
        /// Releases.
        expected: usize,
        /// Headings.
        found: usize,
    },
}

impl Hint for EditError {
    fn code(&self) -> &'static str {
        match self {
            Self::Foreign => "changelog-foreign",
            Self::Twice { .. } => "changelog-twice",
            Self::Open => "changelog-open",
            Self::LineEnds => "changelog-line-ends",
            Self::NoHeading { .. } => "changelog-heading",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Foreign | Self::Twice { .. } | Self::Open => Kind::Conflict,
            Self::LineEnds | Self::NoHeading { .. } => Kind::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Foreign => {
                "add a line `# Changelog` above, and a line `## Unreleased` where releases shall start"
            }
            Self::Twice { .. } => "put both into one section",
            Self::LineEnds => "perl -pi -e 's/\\r/\\n/g' CHANGELOG.md",
            Self::Open => "close the ``` or the <!-- that is open in it",
            Self::NoHeading { .. } => {
                "use the preset kyklos or keep-a-changelog: each release needs a heading `## VERSION`"
            }
        };
        vec![hint.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHA: &str = "abcdef0123456789abcdef0123456789abcdef01";

    /// A changelog of the keep-a-changelog preset with these releases, each with one line under Added.
    fn made(names: &[&str]) -> String {
        let mut text = "# Changelog\n".to_owned();
        for name in names {
            text.push_str(&format!("\n## [{name}]\n\n### Added\n\n- new in {name} (abcdef0)\n"));
        }
        text.push('\n');
        names.iter().for_each(|name| text.push_str(&format!("[{name}]: https://x/{name}\n")));
        text
    }

    fn put_into(document: &str, names: &[&str]) -> Result<Edited, EditError> {
        let ours = Ours { commits: [SHA.to_owned()].into(), numbers: ["7".to_owned()].into() };
        let generated = made(names);
        let insert = Insert {
            generated: &generated,
            releases: names.len(),
            ours: &ours,
            head_url: Some("https://x/head"),
        };
        edit(document, &insert)
    }

    /// The document with the releases in it; a second time changes nothing.
    fn with(document: &str, names: &[&str]) -> String {
        let once = put_into(document, names).unwrap().text;
        assert_eq!(put_into(&once, names).unwrap().text, once, "twice is not once");
        once
    }

    #[test]
    fn an_empty_file_becomes_a_changelog() {
        for empty in ["", "\n", "  \n\n"] {
            assert_eq!(with(empty, &["1.0.0"]), made(&["1.0.0"]));
        }
        assert_eq!(with("\u{feff}", &["1.0.0"]), format!("\u{feff}{}", made(&["1.0.0"])));
        assert_eq!(with("\r\n", &["1.0.0"]), made(&["1.0.0"]).replace('\n', "\r\n"));
    }

    #[test]
    fn releases_on_the_third_level_stay_releases() {
        let old = "# Log\n\n### 0.1.1\n\n### Bug Fixes\n\n- a\n\n### 0.1.0\n\n- b\n";
        let new = with(old, &["0.2.0"]);
        assert!(
            new.contains("- new in 0.2.0 (abcdef0)\n\n### 0.1.1\n\n### Bug Fixes\n\n- a\n\n### 0.1.0\n"),
            "{new}"
        );
        // One that is there already is found, with what people wrote in it.
        let new = with(old, &["0.1.1"]);
        assert_eq!(new.matches("0.1.1]\n").count(), 1, "{new}");
        assert!(new.contains("### Bug Fixes\n\n- a\n\n### 0.1.0\n\n- b\n"), "{new}");
    }

    #[test]
    fn a_release_stands_where_its_version_belongs() {
        let old = "# Changelog\n\nBy hand.\n\n## [Unreleased]\n\n- mine\n\n## [2.0.0]\n\n- two\n\n## [1.0.0]\n\n- one\n";
        let section = |name: &str| format!("## [{name}]\n\n### Added\n\n- new in {name} (abcdef0)\n\n");
        let at = |name: &str, before: &str| {
            let expected = old.replace(before, &format!("{}{before}", section(name)));
            assert_eq!(with(old, &[name]), format!("{expected}\n[{name}]: https://x/{name}\n"), "{name}");
        };
        at("3.0.0", "## [2.0.0]");
        at("1.10.0", "## [1.0.0]");
        at("2.0.0-rc.1", "## [1.0.0]");
        let last = with(old, &["0.9.0"]);
        assert_eq!(last, format!("{old}\n{}[0.9.0]: https://x/0.9.0\n", section("0.9.0")));
        // Oldest first stays oldest first.
        let ascending = "# History\n\n## 1.0.0\n\n- one\n\n## 2.0.0\n\n- two";
        let found = with(ascending, &["1.5.0"]);
        assert!(
            found.find("## 1.0.0") < found.find("## [1.5.0]")
                && found.find("## [1.5.0]") < found.find("## 2.0.0")
        );
        assert!(with(ascending, &["3.0.0"]).contains("- two\n\n## [3.0.0]"));
    }

    #[test]
    fn what_people_wrote_in_a_section_stays() {
        let old = "# Changelog\n\n## 1.0.0 - soon\n\nA word from us.\n\n### Added\n\n- old line (1234567)\n- a line by hand\n- theirs ([#9](https://x/9))\n- ours ([#7](https://x/7))\n\n### Thanks\n\nTo all.\n\n```\n### Added\n```\n\n## 0.9.0\n\n- x (abcdef0)\n";
        let expected = "# Changelog\n\n## [1.0.0]\n\nA word from us.\n\n### Added\n\n- new in 1.0.0 (abcdef0)\n- a line by hand\n- theirs ([#9](https://x/9))\n\n### Thanks\n\nTo all.\n\n```\n### Added\n```\n\n## 0.9.0\n\n- x (abcdef0)\n\n[1.0.0]: https://x/1.0.0\n";
        assert_eq!(with(old, &["1.0.0"]), expected);
        let edited = put_into(old, &["1.0.0"]).unwrap();
        assert_eq!((edited.kept, edited.added.len(), edited.replaced.len()), (5, 0, 1));
    }

    #[test]
    fn unreleased_is_replaced_or_left() {
        let old = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- new in 1.0.0 (abcdef0)\n- by hand\n\n### Fixed\n\n- stale (1234567)\n\n### Security\n\n## [0.1.0]\n\n- x\n\n[unreleased]: https://x/old\n[0.1.0]: https://x/0.1.0\n";
        // A release takes what it tells, and nothing else.
        let released = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- by hand\n\n### Fixed\n\n- stale (1234567)\n\n### Security\n\n## [1.0.0]\n\n### Added\n\n- new in 1.0.0 (abcdef0)\n\n## [0.1.0]\n\n- x\n\n[unreleased]: https://x/head\n[1.0.0]: https://x/1.0.0\n[0.1.0]: https://x/0.1.0\n";
        assert_eq!(with(old, &["1.0.0"]), released);
        assert_eq!(put_into(old, &["1.0.0"]).unwrap().left_unreleased, 1);
        // An older release is no reason to point elsewhere.
        assert!(
            with(old, &["0.0.1"]).contains("[unreleased]: https://x/old\n[0.1.0]: https://x/0.1.0\n[0.0.1]:")
        );
        let again = with(old, &["Unreleased"]);
        let section =
            "## [Unreleased]\n\n### Added\n\n- new in Unreleased (abcdef0)\n- by hand\n\n## [0.1.0]";
        assert!(again.contains(section), "{again}");
        let fresh = with("# Changelog\n\nText.\n\n## 1.0.0\n\n- x\n", &["Unreleased"]);
        assert!(fresh.starts_with("# Changelog\n\nText.\n\n## [Unreleased]\n\n### Added\n"), "{fresh}");
    }

    #[test]
    fn line_ends_and_the_end_of_the_file_stay() {
        let old = "# Changelog\r\n\r\n## 2.0.0\r\n\r\n- two\r\n\r\n## 1.0.0\r\n\r\n- one";
        let new = with(old, &["1.5.0"]);
        assert!(!new.replace("\r\n", "").contains('\n'), "{new:?}");
        assert!(new.starts_with("# Changelog\r\n\r\n## 2.0.0\r\n\r\n- two\r\n\r\n## [1.5.0]\r\n"), "{new:?}");
        assert_eq!(with("\u{feff}# Changelog", &["1.0.0"]).chars().next(), Some('\u{feff}'));
    }

    #[test]
    fn what_is_no_changelog_is_left_alone() {
        for foreign in
            ["# My project\n\nText.\n", "{ \"a\": 1 }\n", "fn main() {}\n", "```\n# Changelog\n```\n"]
        {
            assert_eq!(put_into(foreign, &["1.0.0"]), Err(EditError::Foreign), "{foreign}");
        }
        assert_eq!(put_into("# Changelog\n\n```\nx\n", &["1.0.0"]), Err(EditError::Open));
        assert_eq!(put_into("# Changelog\r\r## 0.1.0\r", &["1.0.0"]), Err(EditError::LineEnds));
        let twice = "# Changelog\n\n## 1.0.0\n\n- a\n\n## v1.0.0\n\n- b\n";
        let error = put_into(twice, &["1.0.0"]).unwrap_err();
        assert_eq!(error.to_string(), "it has two sections of 1.0.0, at lines 3 and 7");
        let ours = Ours::default();
        let insert = Insert { generated: "## What's Changed\n", releases: 1, ours: &ours, head_url: None };
        assert_eq!(edit("", &insert), Err(EditError::NoHeading { expected: 1, found: 0 }));
    }

    /// Documents as people write them, and as nobody does.
    fn documents() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "## [Unreleased]\n",
            "## 1.0.0\n",
            "## [0.9.0] - 2026-01-01\n",
            "1.1.0\n=====\n",
            "# 2.0.0\n",
            "### Added\n",
            "### Notes\n",
            "- by hand\n",
            "- gone (1234567)\n",
            "- mine (abcdef0)\n",
            "* star\n  goes on\n",
            "text\n",
            "\n",
            "\n\n",
            "```\n## 3.0.0\n```\n",
            "<!-- ## 4.0.0 -->\n",
            "[1.0.0]: https://a/b\n",
            "[unreleased]: https://a/c\n",
            "> quote\n",
            "    code\n",
            "1. one\n",
            "---\n",
            "## About\n",
            "| a |\n|---|\n",
            "- a\n\n  b\n",
            "<details>\n",
            "```\n",
        ]);
        (prop::collection::vec(piece, 0..14), any::<bool>(), any::<bool>()).prop_map(|(pieces, crlf, cut)| {
            let mut text = format!("# Changelog\n\n{}", pieces.concat());
            if cut {
                text.truncate(text.trim_end().len());
            }
            if crlf { text.replace('\n', "\r\n") } else { text }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn twice_is_once(document in documents(), name in prop::sample::select(vec!["1.0.0", "0.9.5", "3.0.0-rc.1", "Unreleased"])) {
            let Ok(once) = put_into(&document, &[name]) else { return Ok(()) };
            let again = put_into(&once.text, &[name]);
            prop_assert_eq!(again.map(|again| again.text), Ok(once.text));
        }

        #[test]
        fn other_sections_keep_their_bytes(document in documents()) {
            let Ok(edited) = put_into(&document, &["1.0.0"]) else { return Ok(()) };
            let sections = |text: &str| -> Vec<String> {
                let outline = Outline::parse(text);
                let others = outline.sections.iter().filter(|section| match &section.key {
                    Key::Version(version) => version.to_string() != "1.0.0",
                    Key::Unreleased => false,
                });
                others.map(|section| text[section.range.clone()].trim_end().to_owned()).collect()
            };
            prop_assert_eq!(sections(&edited.text), sections(&document));
            // And no line people wrote is lost.
            for line in ["- by hand", "* star", "text", "## About", "> quote", "[unreleased]:"] {
                let count = |text: &str| text.lines().filter(|found| found.starts_with(line)).count();
                prop_assert_eq!(count(&edited.text), count(&document), "{} in {}", line, edited.text);
            }
        }
    }
}
