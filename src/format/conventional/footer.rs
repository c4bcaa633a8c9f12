//! Where the body ends and the footers begin (clauses 6 to 12 and 16).

use std::borrow::Cow;

/// One footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footer<'a> {
    /// The word before the separator, or `BREAKING CHANGE`.
    pub token: &'a str,
    /// What stands between token and value.
    pub separator: Separator,
    /// The value, trimmed; it may have several lines.
    pub value: &'a str,
}

impl Footer<'_> {
    /// Whether it tells of a breaking change (clauses 12, 15 and 16: upper case only).
    pub fn is_breaking(&self) -> bool {
        BREAKING.contains(&self.token)
    }
}

/// What stands between the token and the value of a footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `: `
    Colon,
    /// ` #`
    Hash,
}

impl Separator {
    /// The characters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Colon => ": ",
            Self::Hash => " #",
        }
    }
}

const BREAKING: [&str; 2] = ["BREAKING CHANGE", "BREAKING-CHANGE"];

/// What follows the first line.
pub(super) struct Parts<'a> {
    pub(super) body: Option<Cow<'a, str>>,
    /// The body as slices of the message.
    pub(super) body_slices: Vec<&'a str>,
    pub(super) footers: Vec<Footer<'a>>,
    /// Breaking changes told in bullets of a squashed body.
    pub(super) nested_breaking: Vec<&'a str>,
}

#[derive(Clone, Copy)]
struct Line<'a> {
    start: usize,
    text: &'a str,
    fenced: bool,
}

/// Splits what follows the first line. Footers stand in the trailing paragraphs that hold nothing else, as git reads
/// trailers; a breaking footer opens the footers wherever it starts a line outside a code fence.
pub(super) fn split(rest: &str) -> Parts<'_> {
    let lines = split_lines(rest);
    let trailing = trailing_footers(&lines);
    let breaking = lines.iter().position(|line| !line.fenced && breaking_value(line.text).is_some());
    let start = breaking.map_or(trailing, |at| at.min(trailing));
    let body_end = lines.get(start).map_or(rest.len(), |line| line.start);

    let mut slices = Vec::new();
    keep(&mut slices, &rest[..body_end]);
    let footers = footers(rest, &lines[start..], &mut slices);
    let nested_breaking =
        lines[..start].iter().filter(|line| !line.fenced).filter_map(|line| nested(line.text)).collect();
    let body = match slices.as_slice() {
        [] => None,
        [one] => Some(Cow::Borrowed(*one)),
        several => Some(Cow::Owned(several.join("\n\n"))),
    };
    Parts { body, body_slices: slices, footers, nested_breaking }
}

fn split_lines(rest: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let mut fence: Option<&str> = None;
    let mut lines = Vec::with_capacity(16);
    let ends = memchr::memchr_iter(b'\n', rest.as_bytes()).map(|at| at + 1);
    for end in ends.chain([rest.len()]) {
        if start == end {
            break;
        }
        let text = trimmed(&rest[start..end]);
        let mark = fence_mark(text);
        let fenced = fence.is_some() || mark.is_some();
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        lines.push(Line { start, text, fenced });
        start = end;
    }
    lines
}

/// A line without the blanks at its end. Most have none but the end of the line.
fn trimmed(line: &str) -> &str {
    let text = line.strip_suffix('\n').unwrap_or(line);
    if text.as_bytes().last().is_some_and(u8::is_ascii_graphic) { text } else { text.trim_end() }
}

/// The mark that opens or closes a code fence, when the line begins with one.
pub(super) fn fence_mark(line: &str) -> Option<&'static str> {
    // Most lines begin with a letter.
    if line.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let text = line.trim_start();
    ["```", "~~~"].into_iter().find(|mark| text.starts_with(mark))
}

/// The lines of a text, as `str::lines` has them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = match memchr::memchr(b'\n', rest.as_bytes()) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, ""),
        };
        rest = after;
        Some(line.strip_suffix('\r').unwrap_or(line))
    })
}

/// The index of the first line of the trailing paragraphs that are footers; the number of lines when there are none.
fn trailing_footers(lines: &[Line<'_>]) -> usize {
    let mut found = lines.len();
    let mut end = lines.len();
    loop {
        while end > 0 && lines[end - 1].text.is_empty() {
            end -= 1;
        }
        let start = lines[..end].iter().rposition(|line| line.text.is_empty()).map_or(0, |at| at + 1);
        let paragraph = &lines[start..end];
        // Clause 8: a blank line stands before the footers.
        let is_footers = start > 0
            && paragraph.first().is_some_and(|line| token(line.text).is_some())
            && paragraph.iter().all(|line| !line.fenced);
        if !is_footers {
            return found;
        }
        found = start;
        end = start;
    }
}

/// The footers in the lines; paragraphs that belong to none of them are added to the slices of the body.
fn footers<'a>(rest: &'a str, lines: &[Line<'a>], body: &mut Vec<&'a str>) -> Vec<Footer<'a>> {
    let mut footers: Vec<Footer<'a>> = Vec::with_capacity(lines.len().min(8));
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let end_of = |next: usize| lines.get(next).map_or(rest.len(), |line| line.start);
        let found = if line.fenced { None } else { token(line.text) };
        let mut next = at + 1;
        if let Some((token, separator, value)) = found {
            let breaking = BREAKING.contains(&token);
            while lines.get(next).is_some_and(|line| continues(*line, breaking)) {
                next += 1;
            }
            let from = line.start + (line.text.len() - value.len());
            let value = rest[from..end_of(next)].trim();
            if !value.is_empty() {
                footers.push(Footer { token, separator, value });
            }
        } else {
            while lines.get(next).is_some_and(|line| line.fenced || token(line.text).is_none()) {
                next += 1;
            }
            keep(body, &rest[line.start..end_of(next)]);
        }
        at = next;
    }
    footers
}

/// Clause 10: a value goes on until the next token. Only a breaking note goes on over a blank line; it ends at the
/// marks that squashing leaves.
fn continues(line: Line<'_>, breaking: bool) -> bool {
    if line.fenced {
        return breaking;
    }
    if line.text.is_empty() {
        return breaking;
    }
    let rule = line.text.len() >= 3 && line.text.bytes().all(|byte| byte == b'-');
    let squashed = bullet(line.text).is_some_and(|text| super::header(text).is_ok());
    token(line.text).is_none() && !rule && !squashed
}

fn keep<'a>(slices: &mut Vec<&'a str>, text: &'a str) {
    let text = text.trim_end().trim_start_matches(['\n', '\r']);
    if !text.trim().is_empty() {
        slices.push(text);
    }
}

/// Token, separator and the rest of the line. The token starts the line.
fn token(line: &str) -> Option<(&str, Separator, &str)> {
    if let Some((token, value)) = breaking_value(line) {
        return Some((token, Separator::Colon, value));
    }
    if !line.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let end = line.bytes().position(|byte| !TOKEN[usize::from(byte)])?;
    let (token, rest) = line.split_at(end);
    let (separator, value) = match rest.strip_prefix(": ") {
        Some(value) => (Separator::Colon, value),
        None => (Separator::Hash, rest.strip_prefix(" #")?),
    };
    let gap = separator == Separator::Hash && value.starts_with(' ');
    let empty = value.chars().all(char::is_whitespace);
    (!empty && !gap).then_some((token, separator, value))
}

/// What tokens are made of.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'-';
        byte += 1;
    }
    table
};

/// Clauses 12 and 16. The value may begin on the next line.
fn breaking_value(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with('B') {
        return None;
    }
    BREAKING.into_iter().find_map(|token| {
        let rest = line.strip_prefix(token)?.strip_prefix(':')?;
        (rest.is_empty() || rest.starts_with(' ')).then(|| (&line[..token.len()], rest))
    })
}

fn bullet(line: &str) -> Option<&str> {
    line.strip_prefix("* ").or_else(|| line.strip_prefix("- ")).map(str::trim_start)
}

/// A breaking change in a bullet: `* feat!: …` or `* BREAKING CHANGE: …`.
fn nested(line: &str) -> Option<&str> {
    let text = bullet(line)?;
    if let Some((_, value)) = breaking_value(text) {
        return Some(value.trim()).filter(|value| !value.is_empty());
    }
    super::header(text).ok().filter(|header| header.breaking).map(|header| header.description)
}
