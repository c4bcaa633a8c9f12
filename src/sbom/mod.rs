//! Floor 2: what is in the bytes, as a bill of materials.
//!
//! Making and checking share the catalogers: an SBOM is right when it lists what they find in the binaries.

pub mod cataloger;
mod compare;
mod document;

pub use cataloger::{Cataloger, Component, Found, Origin, SbomError, observe};
pub use compare::{Finding, compare};
pub use document::{About, Executable, ImageSubject, document};
