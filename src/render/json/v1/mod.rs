//! Version 1 of the answers.

pub mod image;
pub mod publish;

use schemars::schema_for;

use super::{Described, Envelope};

/// Every answer, sorted by name.
pub const ALL: &[Described] = &[
    Described { name: "abort", schema: || schema_for!(Envelope<publish::Abort>) },
    Described { name: "image-assemble", schema: || schema_for!(Envelope<image::Assembled>) },
    Described { name: "image-check", schema: || schema_for!(Envelope<image::Checked>) },
    Described { name: "image-inspect", schema: || schema_for!(Envelope<image::Inspected>) },
    Described { name: "image-tag", schema: || schema_for!(Envelope<image::Tagged>) },
    Described { name: "manual", schema: || schema_for!(Envelope<publish::Manual>) },
    Described { name: "plan", schema: || schema_for!(Envelope<publish::Plan>) },
    Described { name: "publish", schema: || schema_for!(Envelope<publish::Publish>) },
    Described { name: "status", schema: || schema_for!(Envelope<publish::Status>) },
];
