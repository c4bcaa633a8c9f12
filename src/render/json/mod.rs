//! The JSON answers. A wire type is declared once per version and never changes; internals may.

pub mod v1;

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::diag::Diagnostic;

/// The frame around every JSON answer, also of a failure.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Envelope<T> {
    /// `kyklos-release/<name>/v1`.
    pub schema: String,
    /// Whether the command did what it was asked for and the answer is yes.
    pub ok: bool,
    /// The answer; `null` when there is none.
    pub data: Option<T>,
    /// Findings and errors.
    pub diagnostics: Vec<Diagnostic>,
}

/// One answer that `schema` can describe.
pub struct Described {
    /// The name in `kyklos-release/<name>/v1`.
    pub name: &'static str,
    /// The JSON Schema of the whole envelope.
    pub schema: fn() -> Schema,
}
