//! What is wrong with a commit message or the title of a pull request, where, and how it would be right.
//!
//! The header is judged by the reader of messages itself, so that what passes here is what the notes understand. Beside
//! it stand the mistakes that make a breaking change silently disappear, and those of style.

mod body;
mod cleanup;
mod header;

pub use cleanup::{Cleaned, Cleanup, Comment, Edited, clean};

use crate::config::{Lint, LintRule};
use crate::diag::Severity;
use crate::model::is_steering;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub rule: LintRule,
    /// What it weighs here.
    pub severity: Severity,
    /// One line, lower case, no period.
    pub message: String,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// The line, cut where it is long, without control characters.
    pub excerpt: String,
    /// The line as it would be right, when that can be told.
    pub suggestion: Option<String>,
}

/// How closely the letter of the specification is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// What the reader of messages understands anyway is no more than a warning.
    Lenient,
    /// It is an error.
    Letter,
}

/// What is said about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// It is none that people write by hand: a merge, a revert, …
    Ignored,
    /// What is wrong, in order of its place; nothing when it is right.
    Looked(Vec<Finding>),
}

/// Looks at one message.
pub fn lint(message: &str, rules: &Lint, strictness: Strictness) -> Opinion {
    let message = message.trim_end();
    let first = message.lines().next().unwrap_or_default();
    if (rules.default_ignores && is_made_by_git(first)) || is_ignored(first, &rules.ignore) {
        return Opinion::Ignored;
    }
    let mut found = Found { rules, strictness, message, findings: Vec::new() };
    header::check(first, &mut found);
    body::check(message, &mut found);
    found.findings.sort_by_key(|finding| (finding.line, finding.column, finding.rule));
    Opinion::Looked(found.findings)
}

/// Findings while they are collected.
struct Found<'a> {
    rules: &'a Lint,
    strictness: Strictness,
    message: &'a str,
    findings: Vec<Finding>,
}

impl Found<'_> {
    /// Adds one, unless nobody wants to know. `at` counts bytes of the line.
    fn add(&mut self, rule: LintRule, line: usize, at: usize, message: String, suggestion: Option<String>) {
        let severity = match self.rules.severities.get(&rule) {
            Some(None) => return,
            Some(Some(severity)) => *severity,
            None if self.strictness == Strictness::Letter => Severity::Error,
            None => rule.severity(),
        };
        if self.findings.len() >= MAX_FINDINGS {
            return;
        }
        let text = self.message.lines().nth(line - 1).unwrap_or_default();
        let column = text.get(..at).map_or(0, |before| before.chars().count()) + 1;
        let suggestion = suggestion.map(|text| text.split('\n').map(shown).collect::<Vec<_>>().join("\n"));
        self.findings.push(Finding {
            rule,
            severity,
            message,
            line,
            column,
            excerpt: shown(text),
            suggestion,
        });
    }
}

/// More findings than anybody reads about one message.
const MAX_FINDINGS: usize = 200;

/// As much of a line as is shown.
const SHOWN: usize = 160;

/// A line as a terminal can bear it.
pub fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if is_steering(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// First lines that git and forges write: the set that commitlint leaves out by default.
fn is_made_by_git(first: &str) -> bool {
    let first = first.trim();
    let begins = [
        "Merge pull request",
        "Merge branch ",
        "Merge tag ",
        "Merge remote-tracking branch",
        "Automatic merge",
        "Revert ",
        "revert ",
        "Reapply ",
        "reapply ",
        "amend!",
        "fixup!",
        "squash!",
    ];
    let between = |start: &str, middles: &[&str]| {
        first.strip_prefix(start).is_some_and(|rest| middles.iter().any(|middle| rest.contains(middle)))
    };
    begins.iter().any(|start| first.starts_with(start))
        || between("Merge ", &[" into "])
        || between("Merged", &[" in ", " into "])
        || between("Merged PR ", &[": "])
        || between("Auto-merged ", &[" into "])
        || is_version(first)
}

/// `v1.2.3`, also as `chore(release): 1.2.3`.
fn is_version(first: &str) -> bool {
    let text = match first.strip_prefix("chore") {
        Some(rest) => {
            let rest = match rest.strip_prefix('(') {
                Some(inner) => inner.split_once(')').map(|(_, rest)| rest),
                None => Some(rest),
            };
            rest.and_then(|rest| rest.strip_prefix(':')).unwrap_or_default().trim()
        }
        None => first,
    };
    semver::Version::parse(text.strip_prefix(['v', '=']).unwrap_or(text)).is_ok()
}

fn is_ignored(first: &str, globs: &[String]) -> bool {
    let matches = |glob: &String| {
        // What cannot be read was refused with the configuration.
        globset::Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(first))
    };
    globs.iter().any(matches)
}

#[cfg(test)]
mod tests;
