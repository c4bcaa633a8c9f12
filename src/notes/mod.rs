//! Floor 2: commits to changelog, release notes and the next version.
//!
//! A commit belongs to a release when it can be reached from its tag and not from an earlier release on its way:
//! ancestry decides, dates never do.

mod entry;
mod ownership;
mod release;
mod render;
mod version;

pub use entry::{Entry, Kind, Section};
pub use ownership::{History, Since};
pub use release::{ReleaseNotes, release};
pub use render::{Document, RenderError, changelog, manual, release_notes};
pub use version::{Bump, Next, next};
