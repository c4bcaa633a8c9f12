//! Rust without cargo-auditable: the lock file beside the source. It names what may have been linked, for every
//! platform and feature, so the SBOM says that it is declared and not observed.

use super::{Cataloger, Component, Found, Origin, SbomError};
use crate::format::binary::Binary;
use crate::format::cargo_lock;
use crate::format::purl::Purl;

/// The cataloger.
pub(super) struct CargoLock;

impl Cataloger for CargoLock {
    fn name(&self) -> &'static str {
        "cargo-lock"
    }

    fn find(&self, _binary: &Binary<'_>, declared: Option<&[u8]>) -> Result<Option<Found>, SbomError> {
        let Some(bytes) = declared else { return Ok(None) };
        let lock = cargo_lock::CargoLock::parse(bytes)?;
        let mut components = Vec::new();
        for package in lock.packages {
            // The packages of the project itself have no source.
            if package.source.is_none() {
                continue;
            }
            let checksum = package.checksum.map(|checksum| ("cargo:checksum".to_owned(), checksum));
            components.push(Component {
                purl: Purl::cargo(&package.name, &package.version)?,
                properties: checksum.into_iter().collect(),
                name: package.name,
                version: Some(package.version),
            });
        }
        Ok(Some(Found::new(self, Origin::Declared, None, components)))
    }
}
