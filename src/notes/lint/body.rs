//! What follows the first line.

use super::Found;
use crate::config::LintRule;

pub(super) fn check(message: &str, found: &mut Found<'_>) {
    let lines: Vec<&str> = message.lines().map(str::trim_end).collect();
    if let Some(second) = lines.get(1).filter(|line| !line.is_empty()) {
        let text = "expected a blank line behind the first line".to_owned();
        found.add(LintRule::BodyBlankLine, 2, 0, text, Some(format!("\n{second}")));
    }
    let mut fence: Option<&str> = None;
    // Where the paragraph of a line begins.
    let mut paragraph = 0;
    for (index, line) in lines.iter().enumerate().skip(1) {
        if line.is_empty() {
            paragraph = index + 1;
        }
        let mark = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => {
                breaking(&lines, index, paragraph, found);
                footer(&lines, index, found);
                length(line, index, found);
            }
        }
    }
}

/// The ways in which a breaking change is told and not understood.
fn breaking(lines: &[&str], index: usize, paragraph: usize, found: &mut Found<'_>) {
    let line = lines[index];
    let indent = line.len() - line.trim_start().len();
    let text = &line[indent..];
    let (bullet, text) = match text.strip_prefix("* ").or_else(|| text.strip_prefix("- ")) {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let at = line.len() - text.len();
    let Some(told) = Told::of(text) else { return };
    let number = index + 1;
    let right = format!("BREAKING CHANGE: {}", told.value);
    if told.capitals != Capitals::All {
        let word = "expected `BREAKING CHANGE` in capitals: this is body text, and breaks nothing";
        found.add(LintRule::BreakingCase, number, at, word.to_owned(), Some(right));
        return;
    }
    if told.separator != ": " {
        let word = "expected `: ` behind `BREAKING CHANGE`: this is body text, and breaks nothing";
        found.add(LintRule::BreakingSeparator, number, at + told.word, word.to_owned(), Some(right));
        return;
    }
    if told.value.is_empty() && lines.get(index + 1).is_none_or(|next| next.is_empty()) {
        let word = "expected what breaks behind `BREAKING CHANGE: `".to_owned();
        found.add(LintRule::BreakingEmpty, number, line.len(), word, None);
    }
    if bullet {
        let word = "`BREAKING CHANGE` stands in a bullet: it is a footer, behind the body";
        found.add(LintRule::BreakingBullet, number, at, word.to_owned(), Some(right));
        return;
    }
    if indent > 0 {
        let word = "`BREAKING CHANGE` does not begin its line: this is body text, and breaks nothing";
        found.add(LintRule::BreakingIndent, number, 0, word.to_owned(), Some(right));
        return;
    }
    // Clause 8: one blank line before the footers.
    let first = lines[paragraph];
    let among_footers = paragraph > 0 && (paragraph == index || is_footer(first));
    if !among_footers {
        let word = "expected a blank line before `BREAKING CHANGE`".to_owned();
        found.add(LintRule::BreakingBlankLine, number, 0, word, Some(format!("\n{line}")));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Capitals {
    All,
    NotAll,
}

/// A line that was meant to tell of a breaking change.
struct Told<'a> {
    capitals: Capitals,
    /// Bytes of the word.
    word: usize,
    separator: &'a str,
    value: &'a str,
}

impl<'a> Told<'a> {
    fn of(text: &'a str) -> Option<Self> {
        const WORDS: [&str; 5] =
            ["BREAKING CHANGES", "BREAKING-CHANGES", "BREAKING CHANGE", "BREAKING-CHANGE", "BREAKING"];
        let begins = |word: &&&str| {
            text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
                && !text[word.len()..].starts_with(|c: char| c.is_alphanumeric())
        };
        let word = WORDS.iter().find(begins)?;
        let (start, rest) = text.split_at(word.len());
        let capitals = if start == *word { Capitals::All } else { Capitals::NotAll };
        let plain = rest.trim_start_matches([' ', '\u{a0}', '\t']);
        let marked = plain.trim_start_matches([':', '#', '-', '!', '\u{2013}', '\u{2014}']);
        let value = marked.trim();
        // Prose may begin with these words. It goes on without a mark, and not in capitals.
        let mark = &plain[..plain.len() - marked.len()];
        let exact = matches!(*word, "BREAKING CHANGE" | "BREAKING-CHANGE");
        let prose = mark.is_empty() && !(capitals == Capitals::All && exact && rest.starts_with(' '));
        if prose || (*word == "BREAKING" && !mark.starts_with(':')) {
            return None;
        }
        let conforms = exact && (rest == ":" || rest.starts_with(": "));
        let separator = if conforms { ": " } else { mark };
        Some(Self { capitals, word: word.len(), separator, value })
    }
}

/// A line that opens a paragraph of footers.
fn is_footer(line: &str) -> bool {
    let Some((token, _)) = line.split_once(": ").or_else(|| line.split_once(" #")) else { return false };
    token == "BREAKING CHANGE"
        || (token.starts_with(|c: char| c.is_ascii_alphabetic())
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// Names of footers that git and people use.
const TOKENS: [&str; 8] = [
    "Acked-by",
    "Approved-by",
    "Co-authored-by",
    "Reported-by",
    "Reviewed-by",
    "Signed-off-by",
    "Suggested-by",
    "Tested-by",
];

/// Clause 9: blanks in the name of a footer are hyphens.
fn footer(lines: &[&str], index: usize, found: &mut Found<'_>) {
    let line = lines[index];
    let Some((token, value)) = line.split_once(':') else { return };
    if !token.contains(' ') || value.trim().is_empty() {
        return;
    }
    let hyphens = token.replace(' ', "-");
    if let Some(right) = TOKENS.iter().find(|known| known.eq_ignore_ascii_case(&hyphens)) {
        let message = format!("expected `{right}: ` as the name of the footer: this is body text");
        let suggestion = format!("{right}: {}", value.trim());
        found.add(LintRule::FooterToken, index + 1, 0, message, Some(suggestion));
    }
}

fn length(line: &str, index: usize, found: &mut Found<'_>) {
    let Some(most) = found.rules.max_body_line else { return };
    let length = line.chars().count();
    // A word without blanks cannot be broken: an address, a path.
    let breakable = line.trim().contains(' ') && !line.contains("://") && !is_footer(line);
    if length > most && breakable {
        let at = line.char_indices().nth(most).map_or(line.len(), |(at, _)| at);
        let message = format!("the line has {length} characters, at most {most} are allowed");
        found.add(LintRule::BodyLineLong, index + 1, at, message, None);
    }
}
