//! Version 1 of the answers.

use super::Described;

/// Every answer, sorted by name.
pub const ALL: &[Described] = &[];
