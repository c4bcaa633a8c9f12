//! The answers of `notes lint` and `notes import`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::diag::Severity;

/// `notes lint`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Linted {
    /// Messages that were looked at.
    pub checked: u64,
    /// Messages that were not: merges, reverts and the like.
    pub ignored: u64,
    /// Findings of severity `error`; with one of them the answer is no.
    pub errors: u64,
    /// Findings of severity `warning`.
    pub warnings: u64,
    /// In the order of the messages, then of their place.
    pub findings: Vec<LintFinding>,
}

/// One finding.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LintFinding {
    /// Stable, in kebab case.
    pub code: String,
    /// How much it weighs.
    pub severity: Severity,
    /// One line, lower case, no period.
    pub message: String,
    /// `commit`, `file`, `title` or `stdin`.
    pub source: String,
    /// The commit.
    pub sha: Option<String>,
    /// The message file.
    pub path: Option<String>,
    /// The first line of the message.
    pub subject: String,
    /// 1-based; in a message file the line of the file.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// The line, without control characters, cut where it is long.
    pub excerpt: String,
    /// The line as it would be right.
    pub suggestion: Option<String>,
}

/// `notes import`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Imported {
    /// Lines for `release.yaml`.
    pub yaml: String,
    /// How many settings were not carried over; each is a diagnostic.
    pub lost: u64,
    /// How many settings work in another way here; each is a diagnostic.
    pub other: u64,
}
