//! The one error of the face: any [`Hint`] of the library turns into it.

use std::error::Error;

use super::exit::Exit;
use crate::diag::{Diagnostic, Hint, Kind, Severity};
use crate::ui::Problem;

/// What went wrong, with everything that is told about it.
#[derive(Debug)]
pub(crate) struct CliError {
    kind: Kind,
    problem: Box<Problem>,
}

impl CliError {
    /// A mistake in how the command was called.
    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, code, message)
    }

    /// An error that has no enum of its own.
    pub(crate) fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        let problem = Problem {
            code,
            message: message.into(),
            facts: Vec::new(),
            causes: Vec::new(),
            span: None,
            hints: Vec::new(),
        };
        Self { kind, problem: Box::new(problem) }
    }

    /// The same error with what to do about it.
    #[must_use]
    pub(crate) fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.problem.hints.push(hint.into());
        self
    }

    /// The same error with a labelled value.
    #[must_use]
    pub(crate) fn fact(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.problem.facts.push((label, value.into()));
        self
    }

    /// Whether it is the error of this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.problem.code == code
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.kind.into()
    }

    /// What is drawn on stderr.
    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The same as a JSON diagnostic.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let Problem { code, message, facts, causes, span, hints } = &*self.problem;
        let mut text = message.clone();
        for (label, value) in facts {
            text.push_str(&format!("; {label} {value}"));
        }
        for cause in causes {
            text.push_str(&format!("; caused by: {cause}"));
        }
        let mut diagnostic = Diagnostic::new(Severity::Error, code, text);
        if let Some(span) = span {
            let (line, column) = span.line_column();
            diagnostic.path = Some(span.path.clone());
            diagnostic.line = Some(line);
            diagnostic.column = Some(column);
        }
        if !hints.is_empty() {
            diagnostic.hint = Some(hints.join("\n"));
        }
        diagnostic
    }
}

impl<E: Hint> From<E> for CliError {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = Error::source(cause);
        }
        let problem = Box::new(Problem {
            code: error.code(),
            message: error.to_string(),
            facts: error.facts(),
            causes,
            span: error.span(),
            hints: error.hints(),
        });
        Self { kind: error.kind(), problem }
    }
}
