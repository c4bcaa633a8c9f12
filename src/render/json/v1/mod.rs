//! Version 1 of the answers.

pub mod context;
pub mod files;
pub mod gate;
pub mod image;
pub mod lint;
pub mod next;
pub mod notes;
pub mod publish;
pub mod rehearse;
pub mod release;
pub mod transfer;
pub mod verify;

use schemars::schema_for;

use super::{Described, Envelope};

/// Every answer, sorted by name.
pub const ALL: &[Described] = &[
    Described { name: "abort", schema: || schema_for!(Envelope<publish::Abort>) },
    Described { name: "archive", schema: || schema_for!(Envelope<files::Archive>) },
    Described { name: "build-info", schema: || schema_for!(Envelope<Vec<files::BuildInfo>>) },
    Described { name: "checksums-create", schema: || schema_for!(Envelope<Vec<files::Listed>>) },
    Described { name: "checksums-verify", schema: || schema_for!(Envelope<files::Checked>) },
    Described { name: "error", schema: || schema_for!(Envelope<()>) },
    Described { name: "evidence-add", schema: || schema_for!(Envelope<gate::Evidence>) },
    Described { name: "evidence-list", schema: || schema_for!(Envelope<Vec<gate::Evidence>>) },
    Described { name: "gate-explain", schema: || schema_for!(Envelope<gate::Explained>) },
    Described { name: "gate-list", schema: || schema_for!(Envelope<Vec<gate::Listed>>) },
    Described { name: "gate-run", schema: || schema_for!(Envelope<gate::Verdict>) },
    Described { name: "image-assemble", schema: || schema_for!(Envelope<image::Assembled>) },
    Described { name: "image-check", schema: || schema_for!(Envelope<image::Checked>) },
    Described { name: "image-copy", schema: || schema_for!(Envelope<transfer::Transferred>) },
    Described { name: "image-index-create", schema: || schema_for!(Envelope<transfer::Transferred>) },
    Described { name: "image-inspect", schema: || schema_for!(Envelope<image::Inspected>) },
    Described { name: "image-probe", schema: || schema_for!(Envelope<transfer::Probed>) },
    Described { name: "image-push", schema: || schema_for!(Envelope<transfer::Transferred>) },
    Described { name: "image-tag", schema: || schema_for!(Envelope<image::Tagged>) },
    Described { name: "init", schema: || schema_for!(Envelope<Vec<String>>) },
    Described { name: "manual", schema: || schema_for!(Envelope<publish::Manual>) },
    Described { name: "notes", schema: || schema_for!(Envelope<notes::Notes>) },
    Described { name: "notes-import", schema: || schema_for!(Envelope<lint::Imported>) },
    Described { name: "notes-lint", schema: || schema_for!(Envelope<lint::Linted>) },
    Described { name: "notes-next", schema: || schema_for!(Envelope<next::Next>) },
    Described { name: "notes-parse", schema: || schema_for!(Envelope<Vec<notes::Parsed>>) },
    Described { name: "notes-template-check", schema: || schema_for!(Envelope<String>) },
    Described { name: "notes-template-list", schema: || schema_for!(Envelope<Vec<String>>) },
    Described { name: "notes-template-show", schema: || schema_for!(Envelope<String>) },
    Described { name: "plan", schema: || schema_for!(Envelope<publish::Plan>) },
    Described { name: "publish", schema: || schema_for!(Envelope<publish::Publish>) },
    Described { name: "rehearse", schema: || schema_for!(Envelope<rehearse::Rehearsal>) },
    Described { name: "sbom-generate", schema: || schema_for!(Envelope<serde_json::Value>) },
    Described { name: "sbom-verify", schema: || schema_for!(Envelope<files::SbomVerified>) },
    Described { name: "schema", schema: || schema_for!(Envelope<serde_json::Value>) },
    Described { name: "status", schema: || schema_for!(Envelope<publish::Status>) },
    Described { name: "trust-create", schema: || schema_for!(Envelope<verify::TrustRoot>) },
    Described { name: "verify", schema: || schema_for!(Envelope<verify::Verified>) },
    Described { name: "yank", schema: || schema_for!(Envelope<publish::Yank>) },
];
