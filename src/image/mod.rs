//! Floor 2: images. Made from binaries, looked at, checked and tagged, over any [`Registry`](crate::port::Registry).

mod arrived;
mod assemble;
mod base;
mod bundles;
mod check;
mod complete;
mod contents;
mod error;
mod expectations;
mod facts;
mod foundation;
mod graph;
mod index;
mod inspect;
mod labels;
mod layer;
mod package;
mod point;
mod programs;
mod referrer;
mod scan;
mod tags;
mod together;
mod transfer;
mod unpack;
mod walk;

pub use arrived::{Arrived, Mode};
pub use assemble::{Assembled, Contents, Settings, assemble, assemble_on};
pub use base::Base;
pub use bundles::{attachment, attachments};
pub use check::check;
pub use error::ImageError;
pub use expectations::Expectations;
pub use facts::{BaseFacts, ImageFacts, PlatformFacts, PreviousFacts, Problem, ProgramFacts};
pub use foundation::Foundation;
pub use graph::{Attachments, Graph, GraphLimits, Node, Remark, gather};
pub use index::{Composed, Creation, Part, compose, create};
pub use inspect::{
    Attached, Attestation, Inspected, InspectedPlatform, Run, View, digest_lines, fetch, inspect,
    platform_manifest,
};
pub use layer::Layer;
pub use package::{Blob, Package};
pub use point::{Held, ReadBack, hold, hold_fixed, point, retag};
pub use programs::{Program, programs};
pub use referrer::{BUNDLE_MEDIA_TYPE, Referrer, referrer};
pub use scan::{LayerFacts, scan};
pub use tags::{Facts, Looked, Meant, Move, TagPolicy, TagState, Wanted, decide, look_up, plan_moves};
pub use transfer::{Place, Transfer, Transferred, transfer};
pub use unpack::{LayerError, LayerLimits};
