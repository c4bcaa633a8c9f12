//! Regular expressions people write to tell the type of a commit, read for what they mean. Those that mean more are not
//! guessed.

use crate::model::TagPattern;

/// The types of the usual presets, as long as nothing else is said.
pub(super) const USUAL: &[&str] =
    &["build", "chore", "ci", "deps", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test"];

/// The types that have a heading here, which a configuration that leaves out everything else hides.
pub(super) const TOLD: &[&str] =
    &["change", "deprecate", "feat", "fix", "perf", "refactor", "remove", "revert", "security"];

/// What a pattern without an end may stand for: it takes every type that begins with it.
const KNOWN: &[&str] = &[
    "bugfix",
    "build",
    "change",
    "chore",
    "ci",
    "deprecate",
    "deprecated",
    "deps",
    "doc",
    "docs",
    "documentation",
    "feat",
    "feature",
    "fix",
    "hotfix",
    "perf",
    "performance",
    "refactor",
    "remove",
    "removed",
    "revert",
    "security",
    "style",
    "styles",
    "test",
    "tests",
];

/// What a pattern over a whole message means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// These types.
    Types(Vec<Matched>),
    /// Anything.
    Everything,
    /// A breaking change.
    Breaking,
    /// Something else.
    Unknown,
}

/// One type of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matched {
    /// `type` or `type(scope)`.
    pub(super) key: String,
    /// Whether the pattern means exactly that.
    pub(super) exact: bool,
}

pub(super) fn message(pattern: &str) -> Message {
    let text = pattern.strip_prefix("(?i)").unwrap_or(pattern);
    let plain = text.trim_start_matches('^').trim_end_matches('$');
    if matches!(plain, "" | ".*" | ".+" | "(.*)" | ".") {
        return Message::Everything;
    }
    if matches!(plain, ".*!:" | ".*!:.*" | "[^:]*!:" | "!:" | "^!") || plain.contains("BREAKING CHANGE") {
        return Message::Breaking;
    }
    let mut found: Vec<Matched> = Vec::new();
    for alternative in alternatives(text) {
        match one(alternative) {
            Some(matched) => found.extend(matched),
            None => return Message::Unknown,
        }
    }
    Message::Types(found)
}

/// Splits at `|` outside of parentheses and brackets.
fn alternatives(pattern: &str) -> Vec<&str> {
    let (mut depth, mut start, mut escaped) = (0i32, 0, false);
    let mut found = Vec::new();
    for (at, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '|' if depth == 0 => {
                found.push(&pattern[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&pattern[start..]);
    found
}

/// `^WORD…`, `^(WORD|WORD)…`: words, then what follows a type.
fn one(pattern: &str) -> Option<Vec<Matched>> {
    let rest = pattern.strip_prefix('^')?;
    let (words, rest) = match rest.strip_prefix('(') {
        Some(inner) => {
            let inner = inner.strip_prefix("?:").unwrap_or(inner);
            let (inside, rest) = inner.split_once(')')?;
            (inside.split('|').map(str::to_owned).collect::<Vec<_>>(), rest)
        }
        None => {
            let end = rest.find(|c: char| !is_letter(c)).unwrap_or(rest.len());
            let (word, rest) = rest.split_at(end);
            match rest.strip_prefix('?') {
                // `docs?` is two words.
                Some(after) => {
                    let without = word.get(..word.len().checked_sub(1)?)?;
                    (vec![word.to_owned(), without.to_owned()], after)
                }
                None => (vec![word.to_owned()], rest),
            }
        }
    };
    if !words.iter().all(|word| word.len() > 1 && word.chars().all(is_letter)) {
        return None;
    }
    let (scope, closed, exact) = tail(rest)?;
    let mut found = Vec::new();
    for word in words {
        let word = word.to_lowercase();
        let begins = KNOWN.iter().filter(|known| !closed && known.starts_with(&word) && **known != word);
        let kinds = std::iter::once(word.clone()).chain(begins.map(|known| (*known).to_owned()));
        found.extend(kinds.map(|kind| match &scope {
            Some(scope) => Matched { key: format!("{kind}({scope})"), exact },
            None => Matched { key: kind, exact },
        }));
    }
    Some(found)
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

/// What follows a type: the scope it asks for, whether the type ends here, and whether nothing more is asked for.
fn tail(rest: &str) -> Option<(Option<String>, bool, bool)> {
    const OPEN: [&str; 3] = ["", ".*", ".+"];
    const ENDS: [&str; 18] = [
        ":", ": ", ":.*", ": .*", "!?:", "!?: ", "!?:.*", "!?: .*", "\\b", "\\s*:", ":\\s", ":\\s.*",
        ":\\s+", "!?:\\s", "!?:\\s*", "[:(]", "[\\(:]", "(:|\\()",
    ];
    const ANY_SCOPE: [&str; 8] = [
        "(\\(.*\\))?",
        "(\\(.+\\))?",
        "(\\(.*?\\))?",
        "(\\(.+?\\))?",
        "(\\([^)]+\\))?",
        "(\\([^)]*\\))?",
        "(\\(\\w+\\))?",
        "(?:\\(.*\\))?",
    ];
    if OPEN.contains(&rest) {
        return Some((None, false, true));
    }
    if ENDS.contains(&rest) {
        return Some((None, true, true));
    }
    if let Some(after) = ANY_SCOPE.iter().find_map(|scope| rest.strip_prefix(scope)) {
        return (ENDS.contains(&after) || OPEN.contains(&after)).then_some((None, true, true));
    }
    let (scope, after) = rest.strip_prefix("\\(")?.split_once("\\)")?;
    let end = scope.find(|c: char| !(is_letter(c) || c == '/')).unwrap_or(scope.len());
    let (name, more) = scope.split_at(end);
    let exact = more.is_empty() && (OPEN.contains(&after) || ENDS.contains(&after));
    match (name.is_empty(), more) {
        // `\(.*\)`: any scope, which `type` takes as well.
        (true, ".*" | ".+" | "[^)]+" | "[^)]*" | "\\w+") => Some((None, true, false)),
        (true, _) => None,
        (false, "" | ".*" | ".+" | "\\w*") => Some((Some(name.to_lowercase()), true, exact)),
        (false, _) => None,
    }
}

/// The form of release tags, for the usual ways to write it.
pub(super) fn tag(pattern: &str) -> Option<String> {
    let text = pattern.trim_start_matches('^').trim_end_matches('$');
    let digit = ["[0-9]", "\\d", "([0-9]", "(\\d"].iter().filter_map(|digit| text.find(digit)).min();
    let end = digit.or_else(|| text.find(['*', '.', '(']))?;
    let prefix = text[..end].replace("\\.", ".").replace("\\-", "-").replace("\\/", "/");
    let rest = &text[end..];
    let plain = prefix.chars().all(|c| is_letter(c) || "./@".contains(c));
    // What follows may only be made of what versions are made of.
    let version = rest.chars().all(|c| c.is_ascii_alphanumeric() || "[]().\\-+*?{},_".contains(c))
        && !rest.contains("\\w");
    let form = format!("{prefix}{{version}}");
    (plain && version && !prefix.ends_with('.') && form.parse::<TagPattern>().is_ok()).then_some(form)
}

/// `^changelog: ?ignore` to `changelog: ignore`.
pub(super) fn footer(pattern: &str) -> Option<String> {
    let text = pattern.trim_start_matches('^').trim_end_matches('$');
    let (token, value) = text.split_once(':')?;
    let value = ["\\s*", "\\s+", "\\s", " ?", " *", " "]
        .iter()
        .find_map(|gap| value.strip_prefix(gap))
        .unwrap_or(value);
    let plain = |text: &str| !text.is_empty() && text.chars().all(is_letter);
    (plain(token) && plain(value)).then(|| format!("{token}: {value}"))
}

/// `https://…/$1` to `https://…/{id}`: one page for what the first group matches.
pub(super) fn page(href: &str) -> Option<String> {
    let web = href.starts_with("https://") || href.starts_with("http://");
    let (before, after) = href.split_once("${1}").or_else(|| {
        let (before, after) = href.split_once("$1")?;
        (!after.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some((before, after))
    })?;
    let plain = |text: &str| !text.contains(['$', '{', '}']);
    (web && plain(before) && plain(after)).then(|| format!("{before}{{id}}{after}"))
}

/// Whether a pattern is the one of a number: `#(\d+)`, `!(\d+)`, `GH-(\d+)`.
pub(super) fn is_number(pattern: &str) -> bool {
    let digits = ["(\\d+)", "([0-9]+)", "\\d+", "[0-9]+"];
    let marks = ["#", "!", "\\(#", "GH-", "(#", "#?"];
    marks.iter().filter_map(|mark| pattern.strip_prefix(mark)).any(|rest| {
        digits.contains(&rest)
            || digits
                .iter()
                .any(|digits| rest.strip_prefix(digits).is_some_and(|end| matches!(end, "\\)" | ")" | "\\b")))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(pattern: &str) -> String {
        match message(pattern) {
            Message::Types(matched) => {
                let keys = matched
                    .iter()
                    .map(|one| if one.exact { one.key.clone() } else { format!("~{}", one.key) });
                keys.collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_patterns_mean() {
        for (pattern, expected) in [
            ("^feat", "feat feature"),
            ("^fix:", "fix"),
            ("^doc", "doc docs documentation"),
            ("^docs?:", "docs doc"),
            ("^(feat|fix)(\\(.*\\))?!?:", "feat fix"),
            ("^(?:build|ci)", "build ci"),
            ("^chore|^ci", "chore ci"),
            ("^chore\\(release\\): prepare for", "~chore(release)"),
            ("^chore\\(deps.*\\)", "~chore(deps)"),
            ("^chore\\(deps\\)", "chore(deps)"),
            ("^fix\\(.*\\)", "~fix"),
            ("(?i)^Perf", "perf performance"),
            (".*", "Everything"),
            ("^.*", "Everything"),
            (".*!:", "Breaking"),
            ("^chore: release", "Unknown"),
            (".*deprecated", "Unknown"),
            ("^[Ff]eat", "Unknown"),
            ("^Merge branch", "Unknown"),
            ("feat", "Unknown"),
        ] {
            assert_eq!(told(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn tags_footers_and_numbers() {
        for (pattern, expected) in [
            ("v[0-9].*", Some("v{version}")),
            ("^v\\d+\\.\\d+\\.\\d+$", Some("v{version}")),
            ("[0-9]*", Some("{version}")),
            ("v*", Some("v{version}")),
            ("^pkg/v[0-9]+", Some("pkg/v{version}")),
            ("api-v[0-9]+\\.[0-9]+\\.[0-9]+(-rc\\.[0-9]+)?", Some("api-v{version}")),
            ("release", None),
            ("(v|r)[0-9]+", None),
        ] {
            assert_eq!(tag(pattern).as_deref(), expected, "{pattern}");
        }
        assert_eq!(footer("^changelog: ?ignore").as_deref(), Some("changelog: ignore"));
        assert_eq!(footer(".*"), None);
        for (href, expected) in [
            ("https://x.example/rfc$1", Some("https://x.example/rfc{id}")),
            ("https://x.example/${1}/view", Some("https://x.example/{id}/view")),
            ("https://x.example/$1/$2", None),
            ("https://x.example/$10", None),
            ("https://x.example/", None),
            ("javascript:$1", None),
        ] {
            assert_eq!(page(href).as_deref(), expected, "{href}");
        }
        assert!(is_number("#(\\d+)") && is_number("\\(#([0-9]+)\\)") && !is_number("RFC(\\d+)"));
    }

    proptest! {
        #[test]
        fn never_panics(pattern in "[\\^a-z0-9()|\\\\.*+?:! \\[\\]\u{e9}-]{0,30}") {
            message(&pattern);
            tag(&pattern);
            footer(&pattern);
            is_number(&pattern);
            page(&pattern);
        }
    }
}
