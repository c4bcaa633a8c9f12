//! `sbom.json`: the executables of a release and what is in them, CycloneDX 1.6.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use semver::Version;
use serde_json::Value;

use super::cataloger::{Component, Found, Origin, SbomError, observe};
use crate::format::cyclonedx::{self, Aggregate, Bom, Node};
use crate::format::purl::Purl;
use crate::model::{Digest, Platform, Repository};

/// What the SBOM is about.
#[derive(Debug, Clone)]
pub struct About {
    /// The name of the project.
    pub name: String,
    /// The version.
    pub version: Version,
    /// The time of everything in it.
    pub created: Timestamp,
    /// The image it is about; else it is about the executables alone.
    pub image: Option<ImageSubject>,
}

/// An image, or one platform of it.
#[derive(Debug, Clone)]
pub struct ImageSubject {
    /// Where it is pulled from; `None` for an image that is only on disk.
    pub repository: Option<Repository>,
    /// The digest of the index, or of the manifest of the platform.
    pub digest: Digest,
    /// The platform, when it is about one.
    pub platform: Option<Platform>,
}

/// One executable of the release.
#[derive(Debug, Clone)]
pub struct Executable<'a> {
    /// The platform.
    pub platform: Platform,
    /// The file name in the release, or platform and path in the image.
    pub name: String,
    /// The file.
    pub bytes: &'a [u8],
    /// Digest of the platform's manifest, when there is an image.
    pub manifest: Option<Digest>,
}

/// The document. The same arguments give the same bytes.
pub fn document(
    about: &About,
    executables: &[Executable<'_>],
    declared: Option<&[u8]>,
) -> Result<Vec<u8>, SbomError> {
    let version = about.version.to_string();
    let purl = match &about.image {
        Some(image) => {
            Purl::oci(&about.name, image.repository.as_ref(), &image.digest, image.platform.as_ref())?
        }
        None => Purl::new("generic", &about.name, Some(&version))?,
    };
    let root = Node {
        reference: purl.to_string(),
        kind: if about.image.is_some() { "container" } else { "application" },
        name: about.name.clone(),
        version: Some(version),
        purl: Some(purl.to_string()),
        digest: about.image.as_ref().map(|image| image.digest),
        properties: Vec::new(),
    };
    let mut nodes = Vec::new();
    let mut edges: BTreeMap<String, BTreeSet<String>> =
        BTreeMap::from([(root.reference.clone(), BTreeSet::new())]);
    let mut shared: BTreeMap<String, (Component, BTreeSet<String>)> = BTreeMap::new();
    let mut aggregates = Vec::new();
    for executable in executables {
        let found = observe(executable.bytes, declared)?;
        let node = file(executable, found.as_ref());
        let reference = node.reference.clone();
        let origin = found.as_ref().map(|found| found.origin);
        aggregates
            .push(Aggregate { reference: reference.clone(), complete: origin == Some(Origin::Observed) });
        edges.entry(root.reference.clone()).or_default().insert(reference.clone());
        let below = edges.entry(reference).or_default();
        for component in found.into_iter().flat_map(|found| found.components) {
            let key = component.purl.to_string();
            below.insert(key.clone());
            let entry = shared.entry(key).or_insert_with(|| (component, BTreeSet::new()));
            entry.1.insert(executable.platform.to_string());
        }
        nodes.push(node);
    }
    for (reference, (component, platforms)) in shared {
        let mut properties = component.properties;
        properties.push((
            "kyklos-release:platforms".to_owned(),
            platforms.into_iter().collect::<Vec<_>>().join(","),
        ));
        properties.sort();
        edges.entry(reference.clone()).or_default();
        nodes.push(Node {
            purl: Some(reference.clone()),
            reference,
            kind: "library",
            name: component.name,
            version: component.version,
            digest: None,
            properties,
        });
    }
    Ok(cyclonedx::write(&Bom { created: about.created, root, nodes, edges, aggregates }))
}

/// An executable as a component: what it is, where it came from, and how its content is known.
fn file(executable: &Executable<'_>, found: Option<&Found>) -> Node {
    let mut properties = vec![("kyklos-release:platform".to_owned(), executable.platform.to_string())];
    if let Some(manifest) = executable.manifest {
        properties.push(("kyklos-release:manifest".to_owned(), manifest.to_string()));
    }
    if let Some(found) = found {
        let origin = match found.origin {
            Origin::Observed => "observed",
            Origin::Declared => "declared",
        };
        properties.push(("kyklos-release:content".to_owned(), origin.to_owned()));
        properties.push(("kyklos-release:cataloger".to_owned(), found.cataloger.to_owned()));
        properties
            .extend(found.main.iter().map(|main| ("kyklos-release:main".to_owned(), main.purl.to_string())));
    }
    properties.sort();
    Node {
        reference: format!("file:{}", executable.name),
        kind: "file",
        name: executable.name.clone(),
        version: None,
        purl: None,
        digest: Some(Digest::of(executable.bytes)),
        properties,
    }
}

/// The package URLs a document lists: what [`super::compare`] holds against the bytes.
pub(super) fn libraries(bom: &Value) -> BTreeSet<String> {
    let components = bom["components"].as_array().into_iter().flatten();
    components
        .filter(|component| component["type"] == "library")
        .filter_map(|component| component["purl"].as_str().map(str::to_owned))
        .collect()
}
