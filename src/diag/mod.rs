//! Floor 0: how anything says what is wrong. Raises nothing itself.

mod clean;
mod count;
mod hint;
mod near;
mod span;

pub use clean::clean;
pub use count::counted;
pub use hint::{Hint, Kind};
pub use near::{did_you_mean, perhaps};
pub use span::Span;

use serde::{Deserialize, Serialize};

/// How much a finding weighs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The answer is no, or there is no answer.
    Error,
    /// Worth a look; changes no answer.
    Warning,
    /// For the record.
    Note,
}

/// One finding, as it stands in every JSON answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Diagnostic {
    /// Stable, in kebab case.
    pub code: String,
    /// How much it weighs.
    pub severity: Severity,
    /// One line, lower case, no period.
    pub message: String,
    /// The file it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// 1-based.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// 1-based, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// A command to paste, or what to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A finding without place and hint.
    pub fn new(severity: Severity, code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            message: message.into(),
            path: None,
            line: None,
            column: None,
            hint: None,
        }
    }

    /// The same finding about a file.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same finding with what to do about it.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
