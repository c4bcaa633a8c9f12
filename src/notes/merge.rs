//! One section of a changelog: what the tool wrote is replaced, what people wrote stays.

use std::collections::BTreeSet;

use crate::format::changelog::{Block, Piece, blocks};

/// What the tool wrote, told from what people wrote.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// The commits of the releases, 40 hexadecimal digits each.
    pub commits: BTreeSet<String>,
    /// The numbers of their pull requests.
    pub numbers: BTreeSet<String>,
}

/// A heading with what stands under it.
struct Group {
    /// The line of the heading and its text; `None` for what stands above the first one.
    heading: Option<(String, String)>,
    pieces: Vec<(Piece, String)>,
}

/// The new text of a section with what people wrote in the old one, and how much that is. Line ends are `\n`; there is
/// none at the end.
pub(super) fn merged(old: &str, new: &str, ours: &Ours) -> (String, usize) {
    let (_, old) = groups(old);
    let (heading, mut new) = groups(new);
    let said: Vec<Vec<String>> =
        new.iter().map(|group| group.pieces.iter().map(|(_, text)| text.clone()).collect()).collect();
    let mut kept = 0;
    let mut last = Vec::new();
    for group in old {
        let title = group.heading.as_ref().map(|(_, title)| title.clone());
        let same = new.iter().position(|new| new.heading.as_ref().map(|(_, title)| title) == title.as_ref());
        let told = |text: &String| same.is_some_and(|at| said[at].contains(text));
        let pieces: Vec<(Piece, String)> = group
            .pieces
            .into_iter()
            .filter(|(piece, text)| !told(text) && !is_ours(piece, text, ours))
            .collect();
        if pieces.is_empty() {
            continue;
        }
        kept += pieces.len();
        match same {
            // Text stands above what the tool says, items stand below: behind an item, text could become a part of it.
            Some(at) => {
                let (items, mut all): (Vec<_>, Vec<_>) =
                    pieces.into_iter().partition(|(piece, _)| *piece == Piece::Item);
                all.append(&mut new[at].pieces);
                all.extend(items);
                new[at].pieces = all;
            }
            None => last.push(Group { heading: group.heading, pieces }),
        }
    }
    new.extend(last);
    (written(&heading, &new), kept)
}

/// Unreleased without what releases tell; `None` when nothing goes. The number is what people wrote and is left.
pub(super) fn without_told(old: &str, told: &[&str], ours: &Ours) -> (Option<String>, usize) {
    let (heading, old) = groups(old);
    let told: Vec<(Piece, String)> =
        told.iter().flat_map(|text| groups(text).1).flat_map(|group| group.pieces).collect();
    let mut gone = false;
    let mut left = 0;
    let mut groups = Vec::new();
    for group in old {
        let before = group.pieces.len();
        // A line of another commit may be of one that is still to be released.
        let goes = |(piece, text): &(Piece, String)| {
            *piece == Piece::Item
                && (told.iter().any(|(_, other)| other == text)
                    || (!text.contains('\n') && (names_commit(text, ours) || ends_in_number(text, ours))))
        };
        let pieces: Vec<(Piece, String)> = group.pieces.into_iter().filter(|piece| !goes(piece)).collect();
        gone |= pieces.len() < before;
        left += pieces
            .iter()
            .filter(|(piece, text)| *piece == Piece::Item && !is_ours(piece, text, ours))
            .count();
        // A heading without lines goes with the last of them; one that never had any stays.
        if !pieces.is_empty() || before == 0 {
            groups.push(Group { heading: group.heading, pieces });
        }
    }
    (gone.then(|| written(&heading, &groups)), left)
}

/// The line of the heading of a section, and what stands under it.
fn groups(text: &str) -> (String, Vec<Group>) {
    let mut blocks = blocks(text).into_iter();
    let source = |block: &Block| text[block.range.clone()].to_owned();
    let (heading, level) = match blocks.next() {
        Some(block) => {
            let level = match &block.piece {
                Piece::Heading(level, _) => *level,
                Piece::Item | Piece::Definition(_) | Piece::Other => 0,
            };
            (source(&block), level)
        }
        None => (String::new(), 0),
    };
    let mut groups = vec![Group { heading: None, pieces: Vec::new() }];
    for block in blocks {
        match &block.piece {
            // Lower headings belong to the text of the one above.
            Piece::Heading(found, title) if *found <= level + 1 => {
                groups.push(Group { heading: Some((source(&block), title.clone())), pieces: Vec::new() });
            }
            piece => {
                if let Some(group) = groups.last_mut() {
                    group.pieces.push((piece.clone(), source(&block)));
                }
            }
        }
    }
    (heading, groups)
}

/// A section as text: items line by line, everything else with a blank line around it.
fn written(heading: &str, groups: &[Group]) -> String {
    let mut text = heading.to_owned();
    for group in groups {
        if let Some((line, _)) = &group.heading {
            text.push_str("\n\n");
            text.push_str(line);
        }
        let mut before: Option<&Piece> = None;
        for (piece, source) in &group.pieces {
            let close = matches!(
                (before, piece),
                (Some(Piece::Item), Piece::Item) | (Some(Piece::Definition(_)), Piece::Definition(_))
            );
            text.push_str(if close { "\n" } else { "\n\n" });
            text.push_str(source);
            before = Some(piece);
        }
    }
    text
}

/// Whether the tool wrote it: a line that ends in a commit, that names a commit of the releases or ends in one of their
/// pull requests, and the few sentences of the built-in templates.
fn is_ours(piece: &Piece, text: &str, ours: &Ours) -> bool {
    match piece {
        // The tool writes one line; who wrote more below it wrote the item.
        Piece::Item if text.contains('\n') => false,
        Piece::Item => {
            ends_in_commit(text) || names_commit(text, ours) || ends_in_number(text, ours) || is_count(text)
        }
        Piece::Other => {
            text == "No changes that users notice."
                || (text.starts_with(|c: char| c.is_ascii_digit()) && text.contains("whole changelog"))
        }
        Piece::Heading(..) | Piece::Definition(_) => false,
    }
}

/// `- 12 more changes`
fn is_count(text: &str) -> bool {
    let rest = text.strip_prefix("- ").and_then(|text| text.split_once(" more change"));
    rest.is_some_and(|(count, end)| {
        count.bytes().all(|byte| byte.is_ascii_digit()) && ["", "s"].contains(&end)
    })
}

/// What stands in the last parentheses: `(…)` at the end of the text, parentheses inside of it balanced.
fn last_group(text: &str) -> Option<&str> {
    let inside = text.trim_end().strip_suffix(')')?;
    let mut depth = 1;
    for (at, c) in inside.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&inside[at + 1..]);
        }
    }
    None
}

/// `(0123abc)` or `([0123abc](…))`, as the built-in templates end a line.
fn ends_in_commit(text: &str) -> bool {
    let Some(group) = last_group(text) else { return false };
    let word = group.split(", ").next().unwrap_or(group);
    let word = word.strip_prefix('[').and_then(|word| word.split("](").next()).unwrap_or(word);
    word.len() == 7 && is_hex(word)
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn names_commit(text: &str, ours: &Ours) -> bool {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| (7..=40).contains(&word.len()) && is_hex(word)).any(|word| {
        let next = ours.commits.range(word.to_owned()..).next();
        next.is_some_and(|commit| commit.starts_with(word))
    })
}

fn ends_in_number(text: &str, ours: &Ours) -> bool {
    let Some(group) = last_group(text) else { return false };
    let word = group.split(", ").next().unwrap_or(group);
    let word = word.strip_prefix('[').and_then(|word| word.split("](").next()).unwrap_or(word);
    word.strip_prefix('#').is_some_and(|number| ours.numbers.contains(number))
}
