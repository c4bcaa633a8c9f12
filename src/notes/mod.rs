//! Floor 2: commits to changelog, release notes and the next version.
//!
//! A commit belongs to a release when it can be reached from its tag and not from an earlier release on its way:
//! ancestry decides, dates never do.

mod bump;
mod deciding;
mod document;
mod edit;
mod elsewhere;
mod enrich;
mod entry;
mod fault;
mod fit;
mod helpers;
mod history;
pub mod import;
mod line;
pub mod lint;
mod merge;
mod nesting;
mod noise;
mod overrides;
mod ownership;
mod people;
mod relation;
mod release;
mod render;
mod rules;
pub mod signature;
mod template;
mod tracker;
mod version;
mod view;
mod wanted;

pub use bump::{Bump, BumpTable};
pub use document::{Document, FRAGMENTS};
pub use edit::{EditError, Edited, Insert, edit};
pub use elsewhere::Elsewhere;
pub use enrich::{AddressOf, Enrichment};
pub use entry::{Entry, Place, Reference, Section, Status};
pub use fault::RenderError;
pub use fit::{BODY, Fitted, Step};
pub use history::{Ends, History, Share, Since, Wanted};
pub use merge::Ours;
pub use overrides::{CHANGES, MAX_OVERRIDE, OverrideError, Overrides};
pub use ownership::{Mark, Owned, attribute};
pub use people::{Contributor, Role, login};
pub use relation::SameChange;
pub use release::{AlsoIn, Older, Planned, Recipe, ReleaseNotes, Squash, first_commits, release};
pub use render::{Blank, Extent, Parts, Preset, Shape, Writer, manual};
pub use rules::Rules;
pub use template::BUILT_IN;
pub use tracker::Tracker;
pub use version::{Asking, Next, NextError, next};
pub use wanted::wanted;
