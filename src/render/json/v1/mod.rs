//! Version 1 of the answers.

pub mod image;

use schemars::schema_for;

use super::{Described, Envelope};

/// Every answer, sorted by name.
pub const ALL: &[Described] = &[
    Described { name: "image-assemble", schema: || schema_for!(Envelope<image::Assembled>) },
    Described { name: "image-check", schema: || schema_for!(Envelope<image::Checked>) },
    Described { name: "image-inspect", schema: || schema_for!(Envelope<image::Inspected>) },
    Described { name: "image-tag", schema: || schema_for!(Envelope<image::Tagged>) },
];
