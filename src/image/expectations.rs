//! What an image is compared with.

use super::base::Base;
use super::inspect::Inspected;
use super::unpack::LayerLimits;
use crate::model::Platform;

/// What an image should be, as far as the caller says so.
#[derive(Default)]
pub struct Expectations {
    /// How much of a layer is looked at.
    pub limits: LayerLimits,
    /// The largest compressed size of a platform, in bytes.
    pub max_size: Option<u64>,
    /// By how many percent a platform may be larger than the one it is compared with.
    pub max_growth: Option<u32>,
    /// Platforms it must have.
    pub platforms: Vec<Platform>,
    /// The tag it is released under; the annotation of the version is that, with or without `v`.
    pub tag: Option<String>,
    /// The commit it is made from.
    pub revision: Option<String>,
    /// An image to compare sizes with, and where it was found.
    pub previous: Option<(String, Inspected)>,
    /// What the name of the base stands for now.
    pub base: Option<Base>,
    /// Where the base could not be looked at, and why.
    pub base_unread: Option<(String, String)>,
}
