//! Text of others as Markdown text (CommonMark 0.31, GFM): it brings no markup, no link, no mention, and closes no issue.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::model::is_steering;

/// Text as it stands in one line of a paragraph or a list. Code spans stay; what a forge would turn into a link or a
/// mention becomes one.
pub fn text(text: &str) -> String {
    let clean: Cow<'_, str> = match text.contains(is_steering) {
        true => text.chars().map(|c| if is_steering(c) { ' ' } else { c }).collect(),
        false => text.into(),
    };
    let mut out = String::with_capacity(clean.len() + 8);
    let mut rest = clean.trim();
    // What would open a block at the start of a line.
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let ends = |rest: &str| rest.chars().next().is_none_or(char::is_whitespace);
    if digits > 0 && digits < 10 && rest[digits..].starts_with(['.', ')']) && ends(&rest[digits + 1..]) {
        out.push_str(&rest[..digits]);
        out.push('\\');
        out.push_str(&rest[digits..=digits]);
        rest = &rest[digits + 1..];
    } else if rest.starts_with(['-', '+', '#', '>', '=']) && !is_risky(first_word(rest)) {
        out.push('\\');
        out.push_str(&rest[..1]);
        rest = &rest[1..];
    }
    let mut ends: Option<HashMap<usize, usize>> = None;
    while !rest.is_empty() {
        if rest.starts_with('`') {
            let ends = ends.get_or_insert_with(|| last_fences(rest));
            rest = code_span(rest, ends, &mut out);
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '`').unwrap_or(rest.len());
        word(&rest[..end], &mut out);
        rest = &rest[end..];
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            out.push(' ');
            rest = &rest[blank..];
        }
    }
    out
}

/// Whether a line begins what is no running text: code, an item of a list, a table, a heading, a quotation, a rule.
pub fn opens_block(line: &str) -> bool {
    let line = line.trim();
    fence(line).is_some() || item(line).is_some() || line.starts_with(['|', '#', '>']) || is_rule(line)
}

/// A part of a text of several paragraphs.
enum Part {
    Text(String),
    Item(String),
    Code(String),
}

/// Text of several paragraphs, each line behind `indent`: items of lists, and code in fences, stay what they are; all else
/// is text.
pub fn blocks(text: &str, indent: &str) -> String {
    let mut parts: Vec<Part> = Vec::new();
    // Whether the next line goes on with the last part.
    let mut open = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some((mark, language)) = fence(line) {
            let inside =
                |line: &&str| line.trim().strip_prefix(mark).is_none_or(|rest| !rest.trim().is_empty());
            let code: Vec<&str> = lines.by_ref().take_while(inside).collect();
            parts.push(Part::Code(fenced(&code, language)));
            open = false;
        } else if let Some(rest) = item(line) {
            parts.push(Part::Item(rest.to_owned()));
            open = true;
        } else if line.is_empty() || is_rule(line) {
            open = false;
        } else if let (true, Some(Part::Text(last) | Part::Item(last))) = (open, parts.last_mut()) {
            last.push(' ');
            last.push_str(line);
        } else {
            parts.push(Part::Text(line.to_owned()));
            open = true;
        }
    }
    let mut out = String::new();
    let mut after_item = false;
    for part in parts {
        let (is_item, shown) = match part {
            Part::Code(code) => (false, code),
            Part::Text(text) => (false, self::text(&text)),
            Part::Item(text) => (true, format!("- {}", self::text(&text))),
        };
        if shown.trim_end_matches(['-', ' ']).is_empty() {
            continue;
        }
        out.push_str(match out.is_empty() {
            true => "",
            false if is_item && after_item => "\n",
            false => "\n\n",
        });
        let lines = shown.split('\n');
        let lines = lines.map(|line| if line.is_empty() { String::new() } else { format!("{indent}{line}") });
        out.push_str(&lines.collect::<Vec<_>>().join("\n"));
        after_item = is_item;
    }
    out
}

fn is_rule(line: &str) -> bool {
    line.len() > 2 && line.bytes().all(|byte| b"-=*_".contains(&byte))
}

/// The marks and the language of a line that opens a fence.
fn fence(line: &str) -> Option<(&str, &str)> {
    let mark = line.chars().next().filter(|c| ['`', '~'].contains(c))?;
    let width = line.bytes().take_while(|byte| char::from(*byte) == mark).count();
    let rest = line[width..].trim();
    (width > 2 && !rest.contains('`')).then_some((&line[..width], rest))
}

/// What stands behind the mark of an item.
fn item(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let behind = match digits {
        0 => line.strip_prefix(['-', '*', '+'])?,
        1..=9 => line[digits..].strip_prefix(['.', ')'])?,
        _ => return None,
    };
    Some(behind.strip_prefix([' ', '\t'])?.trim()).filter(|text| !text.is_empty())
}

/// Lines of code in a fence that is longer than any in them.
fn fenced(code: &[&str], language: &str) -> String {
    let clean = |c: char| if is_steering(c) && c != '\t' { ' ' } else { c };
    let code: Vec<String> = code.iter().map(|line| line.trim_end().chars().map(clean).collect()).collect();
    let longest = code.iter().map(|line| line.bytes().filter(|byte| *byte == b'`').count()).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    let language: String =
        language.chars().take_while(|c| c.is_ascii_alphanumeric() || ['-', '+', '_'].contains(c)).collect();
    format!("{fence}{language}\n{}\n{fence}", code.join("\n"))
}

/// Text as a code span, with a fence long enough (CommonMark section 6.1).
pub fn code(text: &str) -> String {
    let clean: String = text.chars().map(|c| if is_steering(c) { ' ' } else { c }).collect();
    let (mut longest, mut run) = (0, 0);
    for c in clean.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad =
        if clean.starts_with('`') || clean.ends_with('`') || clean.trim().is_empty() { " " } else { "" };
    format!("{fence}{pad}{clean}{pad}{fence}")
}

/// A link; only its text when the address is none of the web or of mail.
pub fn link(text: &str, url: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>()[]\\\"'`".contains(&byte);
    let allowed = ["https://", "http://", "mailto:"].iter().any(|scheme| url.starts_with(scheme));
    if !allowed || !url.bytes().all(plain) {
        return self::text(text);
    }
    format!("[{}]({url})", if text == url { address(url) } else { self::text(text) })
}

/// An address as the text of its own link. In there nothing becomes a link or a mention; markup is markup.
fn address(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let bytes = url.as_bytes();
    let word = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    for (at, c) in url.char_indices() {
        let active = match c {
            '*' | '~' | '|' | '$' => true,
            '_' => !word(at.checked_sub(1)) || !word(at.checked_add(1)),
            '&' => word(at.checked_add(1)) || url[at + 1..].starts_with('#'),
            _ => false,
        };
        out.extend(active.then_some('\\'));
        out.push(c);
    }
    out
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| c.is_whitespace() || c == '`').next().unwrap_or_default()
}

/// How many bytes stand behind the last run of backticks of each length: nothing behind it closes such a run.
fn last_fences(text: &str) -> HashMap<usize, usize> {
    let mut last = HashMap::new();
    let mut run = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'`' {
            run += 1;
        } else if run > 0 {
            last.insert(run, text.len() - at);
            run = 0;
        }
    }
    if run > 0 {
        last.insert(run, 0);
    }
    last
}

/// A code span that is closed stays one; backticks that close nothing are text.
fn code_span<'a>(rest: &'a str, ends: &HashMap<usize, usize>, out: &mut String) -> &'a str {
    let fence = rest.bytes().take_while(|byte| *byte == b'`').count();
    let inside = &rest[fence..];
    let mut at = 0;
    let closes = ends.get(&fence).is_some_and(|end| *end < inside.len());
    while let Some(found) = inside[at..].find('`').filter(|_| closes) {
        let start = at + found;
        let run = inside[start..].bytes().take_while(|byte| *byte == b'`').count();
        if run == fence {
            span(&inside[..start], out);
            return &inside[start + run..];
        }
        at = start + run;
    }
    out.push_str(&"\\`".repeat(fence));
    inside
}

/// Two code spans side by side would be one.
fn span(text: &str, out: &mut String) {
    if out.ends_with('`') {
        out.push(' ');
    }
    out.push_str(&code(text));
}

/// Whether a forge would make something of a word: a link, a mention, a reference.
fn is_risky(word: &str) -> bool {
    let bytes = word.as_bytes();
    // Most words have nothing of what that takes.
    if !bytes.iter().any(|byte| b"@#!:.-".contains(byte)) {
        return false;
    }
    let number = |mark: u8| bytes.windows(2).any(|pair| pair[0] == mark && pair[1].is_ascii_digit());
    let lower = word.to_ascii_lowercase();
    bytes.contains(&b'@')
        || number(b'#')
        || number(b'!')
        || word.contains("://")
        || lower.contains("www.")
        || lower.strip_prefix("gh-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn word(word: &str, out: &mut String) {
    let opening = word.len() - word.trim_start_matches(['(', '[', '{', '"', '\'', ',']).len();
    let core = word[opening..].trim_end_matches([')', ']', '}', '"', '\'', '.', ',', ';', ':', '!', '?']);
    if !is_risky(core) {
        return plain(word, out);
    }
    plain(&word[..opening], out);
    span(core, out);
    plain(&word[opening + core.len()..], out);
}

fn plain(word: &str, out: &mut String) {
    if !word.bytes().any(|byte| b"\\*[]<|~$_&".contains(&byte)) {
        out.push_str(word);
        return;
    }
    let mut before = None;
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        let inside = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
        let active = match c {
            '\\' | '*' | '[' | ']' | '<' | '|' | '~' | '$' => true,
            // Between letters it is no emphasis.
            '_' => !(inside(before.as_ref()) && inside(rest.peek())),
            '&' => rest.peek().is_some_and(|next| next.is_alphanumeric() || *next == '#'),
            _ => false,
        };
        if active {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_stays_text() {
        for (given, expected) in [
            ("a plain word, and an_identifier", "a plain word, and an_identifier"),
            ("<img src=x onerror=1>", "\\<img src=x onerror=1>"),
            ("thank @org/team, closes o/r#1", "thank `@org/team`, closes `o/r#1`"),
            ("mail ada@example.com (see https://x.y/z).", "mail `ada@example.com` (see `https://x.y/z`)."),
            ("[a](javascript:x) ![b](c)", "\\[a\\](javascript:x) !\\[b\\](c)"),
            ("use `a <b>` and ``c`d`` but not `", "use `a <b>` and ``c`d`` but not \\`"),
            ("_em_ *em* ~~x~~ a|b", "\\_em\\_ \\*em\\* \\~\\~x\\~\\~ a\\|b"),
            ("# heading", "\\# heading"),
            ("- item", "\\- item"),
            ("1. item", "1\\. item"),
            ("1.2.0 and 2)x", "1.2.0 and 2)x"),
            ("#12 first", "`#12` first"),
            ("a\u{202e}b\u{1b}[0m\nc", "a b \\[0m c"),
            ("&lt; & AT&T", "\\&lt; & AT\\&T"),
            ("[x]: https://evil", "\\[x\\]: `https://evil`"),
        ] {
            assert_eq!(text(given), expected, "{given}");
        }
        // Many fences that nothing closes are passed over once each.
        let open: String = (1..1500).map(|run| format!("{} ", "`".repeat(run))).collect();
        let shown = text(&open);
        assert_eq!(
            (shown.matches("\\`").count(), shown.matches('`').count()),
            (open.len() - 1499, open.len() - 1499)
        );
        assert_eq!(text("``a` b`` `c"), "``a` b`` \\`c");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(link("x", "javascript:alert(1)"), "x");
        assert_eq!(
            link("https://a/~x/a_b/__c__?d&e", "https://a/~x/a_b/__c__?d&e"),
            "[https://a/\\~x/a_b/\\_\\_c\\_\\_?d\\&e](https://a/~x/a_b/__c__?d&e)"
        );
        assert_eq!(link("#1", "https://a/b/1"), "[`#1`](https://a/b/1)");
    }

    #[test]
    fn parts_of_a_longer_text() {
        for (given, expected) in [
            ("One\nline.\n\nAnother <b>.", "  One line.\n\n  Another \\<b>."),
            ("- a\n  goes on\n* b\n1. c\n\nd", "  - a goes on\n  - b\n  - c\n\n  d"),
            (
                "```yaml {x}\na:\n  - `b`\n\n# c\n```\nafter",
                "  ```yaml\n  a:\n    - `b`\n\n  # c\n  ```\n\n  after",
            ),
            ("~~~\n```\n</details>\n~~~", "  ````\n  ```\n  </details>\n  ````"),
            ("```open <b>\nx", "  ```open\n  x\n  ```"),
            ("```a``` <b>", "  `a` \\<b>"),
            ("# h\n> q\n| a |\n---\n===", "  \\# h > q \\| a \\|"),
            ("```\n\u{202e}x\u{1b}[0m\n```", "  ```\n   x [0m\n  ```"),
            ("- \n-\n\u{200b}", "  \\- -"),
            ("", ""),
        ] {
            assert_eq!(blocks(given, "  "), expected, "{given}");
        }
        assert!(["```x", "- a", "2. b", "| a", "> q", "# h", "---"].iter().all(|line| opens_block(line)));
        assert!(!["text - a", "-x", "2.b", "`a`", "--"].iter().any(|line| opens_block(line)));
    }

    /// What a reader of Markdown makes of text in a list.
    fn parsed(text: &str) -> Vec<String> {
        use pulldown_cmark::{Event, Options, Parser, Tag};
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_MATH
            | Options::ENABLE_GFM;
        let source = format!("- {text}\n");
        let active = Parser::new_ext(&source, options).filter_map(|event| match event {
            Event::Text(_) | Event::Code(_) | Event::End(_) => None,
            Event::Start(Tag::List(None) | Tag::Item) => None,
            other => Some(format!("{other:?}")),
        });
        active.collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn nothing_is_markup(given in "[ -~\\n\u{e9}\u{202e}]{1,60}") {
            prop_assert_eq!(parsed(&text(&given)), Vec::<String>::new(), "{}", text(&given));
        }

        #[test]
        fn nothing_of_a_few_marks_is_markup(given in "[ab1 `*_\\[\\]()<>!#@&;:/.|~$=+-]{1,24}") {
            prop_assert_eq!(parsed(&text(&given)), Vec::<String>::new(), "{}", text(&given));
        }
    }
}
