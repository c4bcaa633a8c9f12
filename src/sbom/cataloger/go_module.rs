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
            purl: Purl::golang("stdlib", Some(version))?,
            version: Some(version.to_owned()),
            properties: Vec::new(),
        });
        Ok(Some(Found::new(self, Origin::Observed, main, components)))
    }
}

/// A module, or the module that replaced it. What a directory replaced stays the module it stands for, without a
/// version: the bytes are those of no version, and a path of the build machine names nothing.
fn component(module: &Module) -> Result<Component, SbomError> {
    let replacement = module.replace.as_deref();
    let local = replacement.is_some_and(|used| is_directory(&used.path));
    let used = replacement.filter(|_| !local).unwrap_or(module);
    let version = Some(used.version.as_str()).filter(|version| !local && !["", "(devel)"].contains(version));
    let mut properties = Vec::new();
    if !used.sum.is_empty() && !local {
        properties.push(("go:sum".to_owned(), used.sum.clone()));
    }
    if let Some(replacement) = replacement {
        properties.push(("go:replaces".to_owned(), format!("{}@{}", module.path, module.version)));
        if local {
            properties.push(("go:replacement".to_owned(), replacement.path.clone()));
        }
    }
    properties.sort();
    Ok(Component {
        name: used.path.clone(),
        purl: Purl::golang(&used.path, version)?,
        version: version.map(str::to_owned),
        properties,
    })
}

/// Whether a replacement is a directory (go.dev/ref/mod, "replace directive"): its path starts with `./`, `../` or a root.
fn is_directory(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    drive || [".", "/", "\\"].iter().any(|start| path.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, version: &str) -> Module {
        Module { path: path.to_owned(), version: version.to_owned(), ..Module::default() }
    }

    #[test]
    fn what_was_linked_from_no_version_has_none() {
        for version in ["(devel)", ""] {
            let found = component(&module("example.com/app", version)).unwrap();
            assert_eq!(
                (found.purl.to_string().as_str(), found.version),
                ("pkg:golang/example.com/app", None)
            );
        }
    }

    #[test]
    fn a_directory_is_told_beside_the_module_it_stands_for() {
        for path in ["../lib", "./lib", "/build/lib", r"C:\lib"] {
            let replace = Some(Box::new(module(path, "")));
            let found = component(&Module { replace, ..module("example.com/lib", "v1.2.0") }).unwrap();
            assert_eq!(
                (found.purl.to_string().as_str(), found.version),
                ("pkg:golang/example.com/lib", None)
            );
            let replaces = ("go:replaces".to_owned(), "example.com/lib@v1.2.0".to_owned());
            assert_eq!(found.properties, [("go:replacement".to_owned(), path.to_owned()), replaces]);
        }
    }

    #[test]
    fn a_fork_is_what_was_linked() {
        let fork = Module { sum: "h1:AAAA".to_owned(), ..module("example.com/fork", "v1.3.0") };
        let found =
            component(&Module { replace: Some(Box::new(fork)), ..module("example.com/lib", "v1.2.0") })
                .unwrap();
        assert_eq!(found.purl.to_string(), "pkg:golang/example.com/fork@v1.3.0");
        assert_eq!(found.version.as_deref(), Some("v1.3.0"));
        let names: Vec<&str> = found.properties.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["go:replaces", "go:sum"]);
    }
}
