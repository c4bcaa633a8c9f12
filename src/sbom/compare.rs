//! An SBOM against the executables it speaks of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cataloger::{SbomError, observe};
use super::document::libraries;
use crate::format::cyclonedx::{self, CyclonedxError};
use crate::format::purl::Purl;
use crate::model::Digest;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `sbom-missing`, `sbom-extra`, `sbom-version`, `sbom-file` or `sbom-invalid`.
    pub code: &'static str,
    /// The package URL or file name.
    pub subject: String,
    /// Expected and found.
    pub message: String,
}

fn finding(code: &'static str, subject: &str, message: impl Into<String>) -> Finding {
    Finding { code, subject: subject.to_owned(), message: message.into() }
}

/// What is wrong with an SBOM: by itself, and against executables when there are some. The number of components it
/// lists comes along.
pub fn compare(
    bytes: &[u8],
    executables: &[(String, Vec<u8>)],
    declared: Option<&[u8]>,
) -> Result<(u64, Vec<Finding>), SbomError> {
    let bom = match cyclonedx::parse(bytes) {
        Ok(bom) => bom,
        Err(error) => return Ok((0, vec![invalid(&error)])),
    };
    let listed = libraries(&bom);
    let mut findings = own(&bom);
    if !executables.is_empty() {
        files(&bom, executables, &mut findings);
        let mut expected = BTreeSet::new();
        let mut told = true;
        for (_, bytes) in executables {
            let found = observe(bytes, declared)?;
            told &= found.is_some();
            for component in found.into_iter().flat_map(|found| found.components) {
                expected.insert(component.purl.to_string());
            }
        }
        // An executable that does not tell what is in it can neither confirm nor refute what was declared for it.
        if told {
            against(&listed, &expected, &mut findings);
        }
    }
    Ok((listed.len() as u64, findings))
}

fn invalid(error: &CyclonedxError) -> Finding {
    finding("sbom-invalid", "document", error.to_string())
}

/// Every reference resolves, every package URL is one and agrees with name and version.
fn own(bom: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for component in bom["components"].as_array().into_iter().flatten() {
        let Some(text) = component["purl"].as_str() else { continue };
        match text.parse::<Purl>() {
            Ok(purl) if purl.version() != component["version"].as_str() => {
                let version = &component["version"];
                findings.push(finding("sbom-invalid", text, format!("its version field says {version}")));
            }
            Ok(_) => {}
            Err(error) => findings.push(finding("sbom-invalid", text, error.to_string())),
        }
    }
    findings
}

fn files(bom: &Value, executables: &[(String, Vec<u8>)], findings: &mut Vec<Finding>) {
    let components: Vec<&Value> = bom["components"].as_array().into_iter().flatten().collect();
    let listed: BTreeMap<&str, &str> = components
        .iter()
        .filter(|component| component["type"] == "file")
        .filter_map(|component| {
            Some((component["name"].as_str()?, component["hashes"][0]["content"].as_str()?))
        })
        .collect();
    // An executable goes by its name in the document; one that has another name there, as in an image, by its digest.
    let mut matched = BTreeSet::new();
    for (name, bytes) in executables {
        let found = Digest::of(bytes).hex();
        match listed.get(name.as_str()) {
            Some(hex) if *hex == found => {}
            Some(hex) => {
                findings.push(finding(
                    "sbom-file",
                    name,
                    format!("expected sha256:{found}, the SBOM says sha256:{hex}"),
                ));
            }
            None => match listed.iter().find(|(_, hex)| **hex == found) {
                Some((other, _)) => {
                    matched.insert(*other);
                }
                None => findings.push(finding("sbom-file", name, "the SBOM does not list it")),
            },
        }
        matched.insert(name.as_str());
    }
    for name in listed.keys().filter(|name| !matched.contains(*name)) {
        findings.push(finding("sbom-file", name, "the SBOM lists it, and it is not there"));
    }
}

fn against(listed: &BTreeSet<String>, expected: &BTreeSet<String>, findings: &mut Vec<Finding>) {
    let stem = |purl: &str| purl.rsplit_once('@').map_or(purl, |(stem, _)| stem).to_owned();
    let extra: Vec<&String> = listed.difference(expected).collect();
    let mut replaced = Vec::new();
    for purl in expected.difference(listed) {
        match extra.iter().find(|other| stem(other) == stem(purl) && !replaced.contains(*other)) {
            Some(other) => {
                replaced.push(*other);
                findings.push(finding("sbom-version", purl, format!("the SBOM lists {other}")));
            }
            None => {
                findings.push(finding("sbom-missing", purl, "it is in an executable and not in the SBOM"));
            }
        }
    }
    for purl in extra.into_iter().filter(|purl| !replaced.contains(purl)) {
        findings.push(finding("sbom-extra", purl, "it is in the SBOM and in no executable"));
    }
}
