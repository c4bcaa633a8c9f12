//! CycloneDX 1.6 in JSON: a deterministic writer, and a reader that takes 1.4 to 1.7 and loses nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::canonical::Strict;
use crate::model::Digest;

/// The largest document that is read.
pub const MAX_BYTES: usize = 256 << 20;

/// A document to write.
#[derive(Debug, Clone)]
pub struct Bom {
    /// The time of the document.
    pub created: Timestamp,
    /// What it is about.
    pub root: Node,
    /// Its components.
    pub nodes: Vec<Node>,
    /// What depends on what, by reference.
    pub edges: BTreeMap<String, BTreeSet<String>>,
    /// How complete the content of components is known.
    pub aggregates: Vec<Aggregate>,
}

/// One component.
#[derive(Debug, Clone)]
pub struct Node {
    /// `bom-ref`.
    pub reference: String,
    /// `type`.
    pub kind: &'static str,
    /// `name`.
    pub name: String,
    /// `version`.
    pub version: Option<String>,
    /// `purl`.
    pub purl: Option<String>,
    /// SHA-256 of its bytes.
    pub digest: Option<Digest>,
    /// `properties`, sorted.
    pub properties: Vec<(String, String)>,
}

/// How complete the content of a component is known (`compositions`).
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// The component.
    pub reference: String,
    /// Whether nothing is missing.
    pub complete: bool,
}

/// The document as JSON. The serial number is made from the content (RFC 9562, version 8).
pub fn write(bom: &Bom) -> Vec<u8> {
    let mut nodes: Vec<&Node> = bom.nodes.iter().collect();
    nodes.sort_by(|left, right| left.reference.cmp(&right.reference));
    let components: Vec<Value> = nodes.into_iter().map(node).collect();
    let dependencies: Vec<Value> =
        bom.edges.iter().map(|(reference, on)| json!({ "ref": reference, "dependsOn": on })).collect();
    let assemblies = |complete: bool| -> Vec<&String> {
        bom.aggregates
            .iter()
            .filter(|aggregate| aggregate.complete == complete)
            .map(|aggregate| &aggregate.reference)
            .collect()
    };
    let mut compositions = Vec::new();
    for (complete, word) in [(true, "complete"), (false, "incomplete")] {
        let assemblies = assemblies(complete);
        if !assemblies.is_empty() {
            compositions
                .push(json!({ "aggregate": word, "assemblies": assemblies, "dependencies": assemblies }));
        }
    }
    let mut document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "",
        "version": 1,
        "metadata": {
            "timestamp": bom.created.to_string(),
            "tools": { "components": [{ "type": "application", "name": "kyklos-release", "version": env!("CARGO_PKG_VERSION") }] },
            "component": node(&bom.root),
        },
        "components": components,
        "dependencies": dependencies,
        "compositions": compositions,
    });
    let content = document.to_string();
    document["serialNumber"] = format!("urn:uuid:{}", uuid(&Digest::of(content.as_bytes()))).into();
    format!("{document:#}\n").into_bytes()
}

fn node(node: &Node) -> Value {
    let mut object = Map::new();
    object.insert("type".to_owned(), node.kind.into());
    object.insert("bom-ref".to_owned(), node.reference.clone().into());
    object.insert("name".to_owned(), node.name.clone().into());
    object.extend(node.version.clone().map(|version| ("version".to_owned(), version.into())));
    object.extend(
        node.digest
            .map(|digest| ("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": digest.hex() }]))),
    );
    object.extend(node.purl.clone().map(|purl| ("purl".to_owned(), purl.into())));
    if !node.properties.is_empty() {
        let properties: Vec<Value> =
            node.properties.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        object.insert("properties".to_owned(), properties.into());
    }
    Value::Object(object)
}

fn uuid(digest: &Digest) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Reads a document: its format and version are known, references are unique, and every dependency resolves.
pub fn parse(bytes: &[u8]) -> Result<Value, CyclonedxError> {
    if bytes.len() > MAX_BYTES {
        return Err(CyclonedxError::TooLarge { found: bytes.len() });
    }
    let Strict(bom) = serde_json::from_slice(bytes).map_err(CyclonedxError::Json)?;
    if bom["bomFormat"] != "CycloneDX" {
        return Err(CyclonedxError::Format);
    }
    let version = bom["specVersion"].as_str().unwrap_or_default();
    if !["1.4", "1.5", "1.6", "1.7"].contains(&version) {
        return Err(CyclonedxError::Version { found: version.to_owned() });
    }
    shape(&bom)?;
    let mut references = BTreeSet::new();
    let mut collect = |component: &Value| match component["bom-ref"].as_str() {
        Some(reference) if !references.insert(reference.to_owned()) => {
            Err(CyclonedxError::Twice { reference: reference.to_owned() })
        }
        _ => Ok(()),
    };
    collect(&bom["metadata"]["component"])?;
    for component in bom["components"].as_array().into_iter().flatten() {
        if component["type"].as_str().is_none() || component["name"].as_str().is_none_or(str::is_empty) {
            return Err(CyclonedxError::Component { found: component["name"].to_string() });
        }
        collect(component)?;
    }
    for dependency in bom["dependencies"].as_array().into_iter().flatten() {
        let on = dependency["dependsOn"].as_array().into_iter().flatten();
        for reference in std::iter::once(&dependency["ref"]).chain(on) {
            let reference = reference.as_str().unwrap_or_default();
            if !references.contains(reference) {
                return Err(CyclonedxError::Dangling { reference: reference.to_owned() });
            }
        }
    }
    Ok(bom)
}

/// What a component may be (CycloneDX 1.7, `component.type`).
const TYPES: &[&str] = &[
    "application",
    "framework",
    "library",
    "container",
    "platform",
    "operating-system",
    "device",
    "device-driver",
    "firmware",
    "file",
    "machine-learning-model",
    "data",
    "cryptographic-asset",
];

/// Lists are lists, and what is in them has the form that the specification gives it: what is read as nothing would be
/// taken for an SBOM without components.
fn shape(bom: &Value) -> Result<(), CyclonedxError> {
    let wrong = |place: String| Err(CyclonedxError::Shape { place });
    if !bom["metadata"]["component"].is_null() {
        component(&bom["metadata"]["component"], "metadata.component")?;
    }
    for (key, inner) in [("components", "hashes"), ("dependencies", "dependsOn")] {
        if !(bom[key].is_null() || bom[key].is_array()) {
            return wrong(key.to_owned());
        }
        for (index, entry) in bom[key].as_array().into_iter().flatten().enumerate() {
            let place = format!("{key}[{index}]");
            if !entry.is_object() {
                return wrong(place);
            }
            if !(entry[inner].is_null() || entry[inner].is_array()) {
                return wrong(format!("{place}.{inner}"));
            }
            if key == "components" {
                component(entry, &place)?;
            }
        }
    }
    Ok(())
}

fn component(component: &Value, place: &str) -> Result<(), CyclonedxError> {
    let wrong = |field: &str| Err(CyclonedxError::Shape { place: format!("{place}.{field}") });
    if component["type"].as_str().is_some_and(|kind| !TYPES.contains(&kind)) {
        return wrong("type");
    }
    for field in ["bom-ref", "version", "purl", "name", "type"] {
        if !(component[field].is_null() || component[field].is_string()) {
            return wrong(field);
        }
    }
    for hash in component["hashes"].as_array().into_iter().flatten() {
        let hex = |text: &str| {
            [32, 40, 64, 96, 128].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        if hash["alg"].as_str().is_none() || !hash["content"].as_str().is_some_and(hex) {
            return wrong("hashes");
        }
    }
    Ok(())
}

/// Why bytes are no CycloneDX document.
#[derive(Debug, thiserror::Error)]
pub enum CyclonedxError {
    /// Too many bytes.
    #[error("the SBOM has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not JSON.
    #[error("the SBOM is not JSON: {0}")]
    Json(serde_json::Error),
    /// Another format.
    #[error("the document does not say that it is CycloneDX")]
    Format,
    /// A version that is not read.
    #[error("the SBOM is of CycloneDX `{found}`, read are 1.4 to 1.7")]
    Version {
        /// The version.
        found: String,
    },
    /// A component without type or name.
    #[error("component {found} of the SBOM has no type or no name")]
    Component {
        /// Its name.
        found: String,
    },
    /// A part that has not the form the specification gives it.
    #[error("`{place}` of the SBOM has not the form of its specification")]
    Shape {
        /// Where.
        place: String,
    },
    /// A reference that stands twice.
    #[error("the reference `{reference}` stands twice in the SBOM")]
    Twice {
        /// The reference.
        reference: String,
    },
    /// A reference to nothing.
    #[error("the SBOM refers to `{reference}`, which is no component")]
    Dangling {
        /// The reference.
        reference: String,
    },
}
