//! The first line.

use super::Found;
use crate::config::LintRule;
use crate::diag::did_you_mean;
use crate::format::conventional::{self, Problem};

pub(super) fn check(first: &str, found: &mut Found<'_>) {
    // As the reader of messages takes the line.
    let line = first.trim_end();
    if found.message.is_empty() {
        found.add(LintRule::MessageEmpty, 1, 0, Problem::Empty.to_string(), None);
        return;
    }
    let indent = line.len() - line.trim_start().len();
    if indent > 0 {
        let text = line.trim_start();
        found.add(
            LintRule::SubjectIndent,
            1,
            0,
            "the first line begins with a blank".to_owned(),
            Some(text.to_owned()),
        );
    }
    let text = &line[indent..];
    match conventional::parse(text) {
        Ok(message) => {
            let raw_end = text.find(['(', '!', ':']).unwrap_or(text.len());
            kind(&text[..raw_end], text, indent, found);
            scopes(&message.scopes, text, indent, found);
            description(message.description, text, indent, found);
        }
        Err(error) => {
            let at = text.char_indices().nth(error.column - 1).map_or(text.len(), |(at, _)| at);
            refused(error.problem, at, text, indent, found);
        }
    }
    length(text, indent, found);
}

/// The type, which can be read.
fn kind(raw: &str, text: &str, indent: usize, found: &mut Found<'_>) {
    let small = raw.to_lowercase();
    if raw != small {
        let message = format!("expected the type in small letters, `{small}`");
        found.add(LintRule::TypeCase, 1, indent, message, Some(format!("{small}{}", &text[raw.len()..])));
    }
    if found.rules.types.contains(&small) {
        return;
    }
    let near = nearest_type(&small, &found.rules.types);
    let message = match &near {
        Some(near) => format!("`{}` is not one of the types, did you mean `{near}`?", super::shown(&small)),
        None => {
            format!("`{}` is not one of the types {}", super::shown(&small), found.rules.types.join(", "))
        }
    };
    let suggestion = near.map(|near| format!("{near}{}", &text[raw.len()..]));
    found.add(LintRule::TypeUnknown, 1, indent, message, suggestion);
}

/// What people write in place of the usual types.
const SYNONYMS: [(&str, &str); 14] = [
    ("feature", "feat"),
    ("features", "feat"),
    ("add", "feat"),
    ("new", "feat"),
    ("bug", "fix"),
    ("bugfix", "fix"),
    ("hotfix", "fix"),
    ("documentation", "docs"),
    ("doc", "docs"),
    ("tests", "test"),
    ("performance", "perf"),
    ("cleanup", "refactor"),
    ("dependencies", "deps"),
    ("dep", "deps"),
];

fn nearest_type(word: &str, types: &[String]) -> Option<String> {
    let known = |name: &str| types.iter().any(|kind| kind == name);
    let synonym = SYNONYMS.iter().find(|(other, kind)| *other == word && known(kind));
    if let Some((_, kind)) = synonym {
        return Some((*kind).to_owned());
    }
    let near = did_you_mean(word, types.iter().map(String::as_str))?;
    // Three edits make any short word of any other: it begins in the same way, or has the same letters.
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let begins = word.chars().take(2).eq(near.chars().take(2));
    (begins || letters(word) == letters(near)).then(|| near.to_owned())
}

fn scopes(scopes: &[&str], text: &str, indent: usize, found: &mut Found<'_>) {
    if scopes.is_empty() && found.rules.require_scope {
        let at = text.find(['!', ':']).unwrap_or(0);
        found.add(
            LintRule::ScopeMissing,
            1,
            indent + at,
            "expected a scope, `type(scope): …`".to_owned(),
            None,
        );
    }
    let Some(known) = found.rules.scopes.clone() else { return };
    let mut from = 0;
    for scope in scopes {
        let at = text.get(from..).and_then(|rest| rest.find(scope)).map_or(from, |at| from + at);
        from = at + scope.len();
        if known.iter().any(|name| name == scope) {
            continue;
        }
        let near = did_you_mean(scope, known.iter().map(String::as_str));
        let told = super::shown(scope);
        let message = match near {
            Some(near) => format!("`{told}` is not one of the scopes, did you mean `{near}`?"),
            None => format!("`{told}` is not one of the scopes {}", known.join(", ")),
        };
        let suggestion = near.map(|near| format!("{}{near}{}", &text[..at], &text[at + scope.len()..]));
        found.add(LintRule::ScopeUnknown, 1, indent + at, message, suggestion);
    }
}

fn description(description: &str, text: &str, indent: usize, found: &mut Found<'_>) {
    let start = text.len() - text.trim_end().len();
    let end = text.len() - start;
    if let Some(at) = text.find(":\u{a0}") {
        let message = "expected a plain space behind the colon, found a no-break space".to_owned();
        let suggestion = format!("{} {}", &text[..=at], text[at + 1..].trim_start());
        found.add(LintRule::SubjectBlank, 1, indent + at + 1, message, Some(suggestion));
    } else if let Some(at) = text.find(":  ").filter(|at| text[at + 1..].trim_start() == description) {
        let message = "expected one space behind the colon".to_owned();
        let suggestion = format!("{} {description}", &text[..=at]);
        found.add(LintRule::SubjectBlank, 1, indent + at + 2, message, Some(suggestion));
    }
    let bare = without_number(&text[..end]);
    let period = bare.ends_with('.') && !bare.ends_with("..");
    if period || bare.ends_with('。') {
        let cut = bare.trim_end_matches(['.', '。']);
        let suggestion = format!("{cut}{}", &text[bare.len()..]);
        let message = "the first line ends with a period".to_owned();
        found.add(LintRule::SubjectPeriod, 1, indent + cut.len(), message, Some(suggestion));
    }
}

/// Without the ` (#12)` that a forge puts behind a title when it squashes.
fn without_number(text: &str) -> &str {
    let cut = || {
        let (before, number) = text.strip_suffix(')')?.rsplit_once(" (")?;
        let digits = number.strip_prefix(['#', '!'])?;
        (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(before)
    };
    cut().unwrap_or(text)
}

fn length(text: &str, indent: usize, found: &mut Found<'_>) {
    let bare = without_number(text);
    let (length, most) = (bare.chars().count(), found.rules.max_subject);
    if length > most {
        let at = bare.char_indices().nth(most).map_or(bare.len(), |(at, _)| at);
        let message = format!("the first line has {length} characters, at most {most} are allowed");
        found.add(LintRule::SubjectLong, 1, indent + at, message, None);
    }
}

/// A line the reader of messages does not take, and what it was probably meant to be.
fn refused(problem: Problem, at: usize, text: &str, indent: usize, found: &mut Found<'_>) {
    let rule = match problem {
        Problem::Empty => LintRule::MessageEmpty,
        Problem::Type => LintRule::MessageType,
        Problem::Scope => LintRule::MessageScope,
        Problem::Colon => LintRule::MessageColon,
        Problem::Space => LintRule::MessageSpace,
        Problem::Description => LintRule::MessageDescription,
    };
    let suggestion = match problem {
        Problem::Empty | Problem::Description | Problem::Type => None,
        Problem::Space => Some(format!("{} {}", &text[..at], &text[at..])),
        Problem::Scope => empty_scope(text),
        Problem::Colon => colon(text, at, found),
    };
    let suggestion = suggestion.filter(|text| conventional::parse(text).is_ok());
    found.add(rule, 1, indent + at, problem.to_string(), suggestion);
}

/// `fix(): x` to `fix: x`.
fn empty_scope(text: &str) -> Option<String> {
    let (kind, rest) = text.split_once('(')?;
    let (inner, rest) = rest.split_once(')')?;
    inner.trim().is_empty().then(|| format!("{kind}{rest}"))
}

/// Words before the colon that should not be there, marks in the wrong order, or no colon at all.
fn colon(text: &str, at: usize, found: &Found<'_>) -> Option<String> {
    let types = &found.rules.types;
    if let Some((before, after)) = text.split_once(':')
        && before.len() < 40
    {
        let compact: String = before.chars().filter(|c| !c.is_whitespace()).collect();
        let breaking = compact.contains('!');
        let plain = compact.replace('!', "");
        let mark = if breaking { "!" } else { "" };
        let fixed = format!("{plain}{mark}: {}", after.trim());
        let kind = plain.split('(').next().unwrap_or_default().to_lowercase();
        if types.contains(&kind) {
            return Some(fixed);
        }
    }
    let (word, rest) = (&text[..at], text[at..].trim());
    let small = word.to_lowercase();
    if types.contains(&small) {
        // `feat add x`, `fix the thing`.
        let mark = if rest.starts_with('!') { "!" } else { "" };
        return Some(format!("{small}{mark}: {}", rest.trim_start_matches(['!', '-', ' '])));
    }
    // `Fixed the thing` says what it is.
    let kind = match small.as_str() {
        "fixed" | "fixes" | "fixing" => "fix",
        "add" | "adds" | "added" | "implement" | "implements" | "introduce" => "feat",
        "document" | "documents" => "docs",
        "reverted" | "reverts" => "revert",
        _ => return None,
    };
    let keep = if kind == "feat" || kind == "docs" { format!("{small} {rest}") } else { rest.to_owned() };
    types.iter().any(|known| known == kind).then(|| format!("{kind}: {keep}"))
}
