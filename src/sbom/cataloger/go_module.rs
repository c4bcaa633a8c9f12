//! Go: the build information that the linker writes into every executable.

use super::{Cataloger, Component, Found, Origin, SbomError};
use crate::format::binary::Binary;
use crate::format::go_buildinfo::{self, GoModule as Module};
use crate::format::purl::Purl;

/// The cataloger.
pub(super) struct GoModule;

impl Cataloger for GoModule {
    fn name(&self) -> &'static str {
        "go-module"
    }

    fn find(&self, binary: &Binary<'_>, _declared: Option<&[u8]>) -> Result<Option<Found>, SbomError> {
        let Some(info) = go_buildinfo::read(binary)? else { return Ok(None) };
        let main = info.main.as_ref().map(component).transpose()?;
        let mut components = info.deps.iter().map(component).collect::<Result<Vec<_>, _>>()?;
        let toolchain = info.go_version.split(' ').next().unwrap_or_default();
        let version = toolchain.strip_prefix("go").unwrap_or(toolchain);
        components.push(Component {
            name: "stdlib".to_owned(),
            version: version.to_owned(),
            purl: Purl::golang("stdlib", version)?,
            properties: Vec::new(),
        });
        Ok(Some(Found::new(self, Origin::Observed, main, components)))
    }
}

/// A module, or what replaced it.
fn component(module: &Module) -> Result<Component, SbomError> {
    let used = module.replace.as_deref().unwrap_or(module);
    let mut properties = Vec::new();
    if !used.sum.is_empty() {
        properties.push(("go:sum".to_owned(), used.sum.clone()));
    }
    if module.replace.is_some() {
        properties.push(("go:replaces".to_owned(), format!("{}@{}", module.path, module.version)));
    }
    properties.sort();
    let version = if used.version.is_empty() { "(devel)" } else { used.version.as_str() };
    Ok(Component {
        name: used.path.clone(),
        version: version.to_owned(),
        purl: Purl::golang(&used.path, version)?,
        properties,
    })
}
