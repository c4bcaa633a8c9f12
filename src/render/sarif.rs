//! Findings as SARIF 2.1.0 (OASIS), for code scanning.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::diag::{Diagnostic, Severity};
use crate::model::Digest;

/// A rule that findings may name by its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The code.
    pub code: &'static str,
    /// What it asks for, in a sentence.
    pub summary: &'static str,
    /// What breaking it usually weighs.
    pub severity: Severity,
}

/// One finding, and what it is about where that is no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The finding; its path is relative to the top of the repository.
    pub diagnostic: Diagnostic,
    /// The text at its place.
    pub excerpt: Option<String>,
    /// The kind and the full name of a thing that is no file: `commit` and its id.
    pub about: Option<(&'static str, String)>,
}

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";
const HOME: &str = "https://github.com/roguepikachu/kyklos-release";

/// One run of this tool as a document. Codes without a rule get one that says nothing but their name.
pub fn document(rules: &[Rule], findings: &[Found]) -> Vec<u8> {
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    let mut described: Vec<Value> = Vec::new();
    for rule in rules {
        index.insert(rule.code, described.len());
        described.push(json!({
            "id": rule.code,
            "shortDescription": { "text": rule.summary },
            "defaultConfiguration": { "level": level(rule.severity) },
        }));
    }
    for found in findings {
        let code = found.diagnostic.code.as_str();
        index.entry(code).or_insert_with(|| {
            described.push(json!({ "id": code }));
            described.len() - 1
        });
    }
    let results: Vec<Value> =
        findings.iter().map(|found| result(found, index[found.diagnostic.code.as_str()])).collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kyklos-release",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": HOME,
                "rules": described,
            }},
            // Columns count characters (section 3.14.17).
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    let mut bytes = format!("{document:#}").into_bytes();
    bytes.push(b'\n');
    bytes
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn result(found: &Found, rule: usize) -> Value {
    let Diagnostic { code, severity, message, path, line, column, hint } = &found.diagnostic;
    let text = match hint {
        Some(hint) => format!("{message}\n{hint}"),
        None => message.clone(),
    };
    let mut location = json!({});
    if let Some(path) = path {
        let mut place = json!({ "artifactLocation": { "uri": uri(path) } });
        if let Some(line) = line {
            let mut region = json!({ "startLine": line });
            if let Some(column) = column {
                region["startColumn"] = json!(column);
            }
            if let Some(excerpt) = &found.excerpt {
                region["snippet"] = json!({ "text": excerpt });
            }
            place["region"] = region;
        }
        location["physicalLocation"] = place;
    }
    if let Some((kind, name)) = &found.about {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": name, "kind": kind }]);
    }
    let mut result = json!({
        "ruleId": code,
        "ruleIndex": rule,
        "level": level(*severity),
        "message": { "text": text },
    });
    if location.as_object().is_some_and(|location| !location.is_empty()) {
        result["locations"] = json!([location]);
    }
    // The same finding of the next run is told as the same, wherever its line moved to.
    let about = found.about.as_ref().map_or("", |(_, name)| name.as_str());
    let excerpt = found.excerpt.as_deref().unwrap_or_default();
    let print = format!("{code}\0{}\0{about}\0{excerpt}", path.as_deref().unwrap_or_default());
    result["partialFingerprints"] = json!({ "kyklosFinding/v1": Digest::of(print.as_bytes()).to_string() });
    result
}

/// A relative path as a URI reference (RFC 3986): everything but unreserved characters and `/` is quoted.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_rules_places_and_things() {
        let mut first = Diagnostic::new(Severity::Error, "a-rule", "wrong").at("dir/a b.txt").hinted("right");
        first.line = Some(2);
        first.column = Some(5);
        let findings = [
            Found { diagnostic: first, excerpt: Some("text".to_owned()), about: None },
            Found {
                diagnostic: Diagnostic::new(Severity::Note, "other", "hm"),
                excerpt: None,
                about: Some(("commit", "0123".to_owned())),
            },
        ];
        let rules = [Rule { code: "a-rule", summary: "Be right.", severity: Severity::Warning }];
        let bytes = document(&rules, &findings);
        assert_eq!(bytes, document(&rules, &findings));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["version"], "2.1.0");
        let run = &value["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["defaultConfiguration"]["level"], "warning");
        assert_eq!(run["tool"]["driver"]["rules"][1], json!({ "id": "other" }));
        let results = run["results"].as_array().unwrap();
        assert_eq!(
            results[0]["locations"],
            json!([{ "physicalLocation": {
                "artifactLocation": { "uri": "dir/a%20b.txt" },
                "region": { "startLine": 2, "startColumn": 5, "snippet": { "text": "text" } },
            }}])
        );
        assert_eq!(
            (&results[0]["ruleIndex"], &results[0]["level"], &results[0]["message"]["text"]),
            (&json!(0), &json!("error"), &json!("wrong\nright"))
        );
        assert_eq!(
            results[1]["locations"],
            json!([{ "logicalLocations": [{ "fullyQualifiedName": "0123", "kind": "commit" }] }])
        );
        assert_ne!(results[0]["partialFingerprints"], results[1]["partialFingerprints"]);
    }

    #[test]
    fn nothing_found_is_a_run_without_results() {
        let value: Value = serde_json::from_slice(&document(&[], &[])).unwrap();
        assert_eq!(value["runs"][0]["results"], json!([]));
    }
}
