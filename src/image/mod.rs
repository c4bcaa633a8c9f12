//! Floor 2: images. Made from binaries, looked at, checked and tagged, over any [`Registry`](crate::port::Registry).

mod assemble;
mod bundles;
mod check;
mod error;
mod inspect;
mod layer;
mod package;
mod referrer;
mod tags;

pub use assemble::{Assembled, Contents, Settings, assemble};
pub use bundles::{attachment, attachments};
pub use check::{BaseFacts, ImageFacts, PlatformFacts, Problem, check};
pub use error::ImageError;
pub use inspect::{Attached, Inspected, InspectedPlatform, Run, digest_lines, inspect};
pub use layer::{Layer, LayerError, LayerFacts, LayerLimits, scan};
pub use package::{Blob, Package};
pub use referrer::{BUNDLE_MEDIA_TYPE, Referrer, referrer};
pub use tags::{Move, TagPolicy, TagState, move_tags, plan_moves, rolling_tags};
