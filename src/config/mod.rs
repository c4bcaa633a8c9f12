//! Floor 1: `release.yaml`: as written, then as meant. Knows no gate.

mod lint;
mod meant;
mod notes;
mod written;

use meant::inside;

pub use lint::{Lint, LintRule, WrittenLint, WrittenSeverity};
pub use meant::{Config, ConfigError, Image, Mirror};
pub use notes::{
    BumpLevel, Notes, NotesPreset, OTHER, ReferenceName, TrackerSettings, UNTYPED, WrittenNotes,
};
pub use written::{WrittenConfig, WrittenImage, WrittenMirror, WrittenMode};
