//! Rust: the section that cargo-auditable links into an executable.

use super::{Cataloger, Component, Found, Origin, SbomError};
use crate::format::auditable::{self, AuditableKind};
use crate::format::binary::Binary;
use crate::format::purl::Purl;

/// The cataloger.
pub(super) struct CargoAuditable;

impl Cataloger for CargoAuditable {
    fn name(&self) -> &'static str {
        "cargo-auditable"
    }

    fn find(&self, binary: &Binary<'_>, _declared: Option<&[u8]>) -> Result<Option<Found>, SbomError> {
        let Some(info) = auditable::read(binary)? else { return Ok(None) };
        let mut main = None;
        let mut components = Vec::new();
        for package in info.packages {
            let component = Component {
                purl: Purl::cargo(&package.name, &package.version)?,
                properties: vec![("cargo:source".to_owned(), package.source)],
                name: package.name,
                version: Some(package.version),
            };
            if package.root {
                main = Some(component);
            } else if package.kind == AuditableKind::Runtime {
                components.push(component);
            }
        }
        Ok(Some(Found::new(self, Origin::Observed, main, components)))
    }
}
