//! What every error of the library says beside its message.

use super::Span;

/// What an error means for the caller. Each kind has one exit code (`cli::exit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The answer is no: a gate failed, verification failed, drift was found.
    Refused,
    /// Usage, configuration or policy is wrong.
    Usage,
    /// Cannot decide: evidence is missing, stale, unbound or unreadable.
    Undecided,
    /// Authentication or permission.
    Denied,
    /// A lock is held, a foreign draft, an immutable tag with another digest: a person must decide.
    Conflict,
    /// Stopped half-way; safe to run again.
    Interrupted,
    /// A bug in this tool.
    Internal,
}

/// An error that a person can act on. Every error enum of the library implements it; the face turns any of them into
/// the same five parts: first line, facts, causes, place, help.
pub trait Hint: std::error::Error + Send + Sync + 'static {
    /// A stable name in kebab case.
    fn code(&self) -> &'static str;

    /// What it means for the caller.
    fn kind(&self) -> Kind;

    /// Labelled values, expected before found.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Commands to paste, or what to change.
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }

    /// The place in a file the user wrote.
    fn span(&self) -> Option<Span> {
        None
    }
}
