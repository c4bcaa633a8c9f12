//! Floor 2: images. Made from binaries, looked at, checked and tagged, over any [`Registry`](crate::port::Registry).

mod assemble;
mod bundles;
mod check;
mod error;
mod graph;
mod inspect;
mod layer;
mod package;
mod point;
mod pool;
mod referrer;
mod tags;
mod transfer;

pub use assemble::{Assembled, Contents, Settings, assemble};
pub use bundles::{attachment, attachments};
pub use check::{BaseFacts, ImageFacts, PlatformFacts, Problem, check};
pub use error::ImageError;
pub use graph::{Attachments, Graph, GraphLimits, Node, Remark, gather};
pub use inspect::{Attached, Inspected, InspectedPlatform, Run, digest_lines, inspect};
pub use layer::{Layer, LayerError, LayerFacts, LayerLimits, scan};
pub use package::{Blob, Package};
pub use point::{ReadBack, move_tags, point};
pub use referrer::{BUNDLE_MEDIA_TYPE, Referrer, referrer};
pub use tags::{Looked, Move, TagPolicy, TagState, Wanted, plan_moves};
pub use transfer::{Arrived, LOOK_AGAIN_AFTER, Meant, Mode, Place, Transfer, Transferred, transfer};
