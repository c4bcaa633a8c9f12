//! `kyklos-release` takes a tag to a verified, published release, and lets anyone check that release.
//!
//! ```text
//!  tag + release.yaml + repository          files, image, reports
//!           |                                        |
//!           v                                        v
//!    notes . sbom . image . attest  ---------->  evidence  -->  gate  -->  Verdict
//!           |                                                                |
//!           v                                                                v
//!         plan  =  one release manifest  -->  publish (observe, diff, act, read back)
//!                                                             |
//!                                       consumers:  verify <--+
//! ```
//!
//! | floor | modules | what lives there |
//! |---|---|---|
//! | 0 | [`model`], [`diag`] | words: values without I/O |
//! | 1 | [`format`](mod@format), [`config`], [`port`] | formats and contracts |
//! | 2 | [`notes`], [`sbom`], [`image`], [`attest`] | making the parts |
//! | 3 | [`plan`], [`evidence`], [`gate`], [`publish`], [`verify`] | the flow |
//! | 4 | [`adapter`] | the world |
//! | 5 | [`render`], [`ui`], [`cli`] | the face |
//!
//! A module imports from its own floor and below as `docs/architecture.md` says; a test reads the sources and fails
//! when one does not.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests set the world up"))]

pub mod model;

pub mod diag;

pub mod format;

pub mod config;

pub mod port;

pub mod notes;

pub mod sbom;

pub mod image;

pub mod attest;

pub mod plan;

pub mod evidence;

pub mod gate;

pub mod publish;

pub mod verify;

pub mod adapter;

pub mod render;

pub mod ui;

pub mod cli;
