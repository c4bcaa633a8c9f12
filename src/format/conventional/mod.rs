//! Commit messages after Conventional Commits 1.0.0, read without copying.
//!
//! The numbers in the comments are the clauses of the specification. Where the letter would lose a breaking change the
//! reader is more generous than the letter: a `BREAKING CHANGE: ` that starts a line counts without a blank line before
//! it, and so does one in a bullet of a squashed body.

mod footer;
mod reference;

pub use footer::{Footer, Separator};
pub use reference::{Reference, ReferenceKind, ReferenceSource};

use std::borrow::Cow;

/// A commit message with a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// The type in lower case: `feat`, `fix`, …
    pub kind: Cow<'a, str>,
    /// The scopes between the parentheses, split at commas.
    pub scopes: Vec<&'a str>,
    /// The text behind the colon.
    pub description: &'a str,
    /// What follows the first line, without footers; `None` when there is nothing.
    pub body: Option<Cow<'a, str>>,
    /// Whether the change breaks users: `!` or a breaking footer.
    pub breaking: bool,
    /// What breaks, one text each; the description where `!` is all there is.
    pub breaking_notes: Vec<&'a str>,
    /// The footers in order.
    pub footers: Vec<Footer<'a>>,
    /// Issues, pull requests, commits and advisories the message names, in order and without repetition.
    pub references: Vec<Reference<'a>>,
}

/// What a message without a type refers to.
pub fn references(message: &str) -> Vec<Reference<'_>> {
    let message = message.trim_end();
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    let parts = footer::split(rest);
    reference::collect(message, first.trim_end(), &parts.body_slices, &parts.footers)
}

/// Reads a message.
pub fn parse(message: &str) -> Result<Message<'_>, MessageError> {
    let message = message.trim_end();
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    let header = header(first.trim_end())?;
    let parts = footer::split(rest);
    let mut breaking_notes: Vec<&str> =
        parts.footers.iter().filter(|footer| footer.is_breaking()).map(|footer| footer.value).collect();
    breaking_notes.extend(parts.nested_breaking);
    let breaking = header.breaking || !breaking_notes.is_empty();
    if breaking && breaking_notes.is_empty() {
        breaking_notes.push(header.description);
    }
    let references = reference::collect(message, header.description, &parts.body_slices, &parts.footers);
    Ok(Message {
        kind: header.kind,
        scopes: header.scopes,
        description: header.description,
        body: parts.body,
        breaking,
        breaking_notes,
        footers: parts.footers,
        references,
    })
}

struct Header<'a> {
    kind: Cow<'a, str>,
    scopes: Vec<&'a str>,
    breaking: bool,
    description: &'a str,
}

/// Clauses 1, 4, 5 and 13: `type(scope)!: description`.
fn header(line: &str) -> Result<Header<'_>, MessageError> {
    let fail = |problem: Problem, at: usize| Err(MessageError { problem, column: column(line, at) });
    if line.is_empty() {
        return fail(Problem::Empty, 0);
    }
    let end = line.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).unwrap_or(line.len());
    if end == 0 || !line.starts_with(char::is_alphabetic) {
        return fail(Problem::Type, 0);
    }
    let (kind, mut rest) = line.split_at(end);
    let mut scopes = Vec::new();
    if let Some(inner) = rest.strip_prefix('(') {
        let Some(close) = inner.find([')', '(']).filter(|at| inner[*at..].starts_with(')')) else {
            return fail(Problem::Scope, end + 1);
        };
        scopes.extend(inner[..close].split(',').map(str::trim));
        if scopes.iter().any(|scope| scope.is_empty()) {
            return fail(Problem::Scope, end + 1);
        }
        rest = &inner[close + 1..];
    }
    let (breaking, rest) = rest.strip_prefix('!').map_or((false, rest), |rest| (true, rest));
    let at = line.len() - rest.len();
    let Some(rest) = rest.strip_prefix(':') else {
        return fail(Problem::Colon, at);
    };
    if rest.trim().is_empty() {
        return fail(Problem::Description, line.len());
    }
    if !rest.starts_with([' ', '\u{a0}']) {
        return fail(Problem::Space, at + 1);
    }
    Ok(Header { kind: lower(kind), scopes, breaking, description: rest.trim() })
}

/// Clause 15: types are the same in any case.
fn lower(kind: &str) -> Cow<'_, str> {
    if kind.chars().any(char::is_uppercase) { Cow::Owned(kind.to_lowercase()) } else { Cow::Borrowed(kind) }
}

fn column(line: &str, at: usize) -> usize {
    line.get(..at).map_or(0, |before| before.chars().count()) + 1
}

/// Why the first line of a message is not conventional. The line is always 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct MessageError {
    /// What is wrong.
    pub problem: Problem,
    /// Where, 1-based, in characters.
    pub column: usize,
}

impl MessageError {
    /// A stable name in kebab case.
    pub fn code(&self) -> &'static str {
        match self.problem {
            Problem::Empty => "message-empty",
            Problem::Type => "message-type",
            Problem::Scope => "message-scope",
            Problem::Colon => "message-colon",
            Problem::Space => "message-space",
            Problem::Description => "message-description",
        }
    }
}

/// What can be wrong with a first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No text at all.
    #[error("the message is empty")]
    Empty,
    /// The line does not begin with a letter.
    #[error("expected a type such as `feat` or `fix` at the start of the line")]
    Type,
    /// Parentheses that are empty, nested or open.
    #[error("expected a scope without parentheses, and `)` behind it")]
    Scope,
    /// Something else stands behind the type and scope.
    #[error("expected `: ` behind the type and scope")]
    Colon,
    /// No space behind the colon.
    #[error("expected a space behind the colon")]
    Space,
    /// Nothing behind the colon.
    #[error("expected a description behind the colon")]
    Description,
}

#[cfg(test)]
mod clauses;
#[cfg(test)]
mod tests;
