//! Gate `signatures`: every bundle holds and is by the expected signer.

use serde::Deserialize;
use serde_json::Value;

use super::{Gate, Judgement, settings, some};
use crate::diag::counted;
use crate::evidence::{Evidence, Fact, Item, Kind};

/// The gate.
pub(super) struct Signatures;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// Bundles that must be there and hold.
    required: Vec<String>,
    /// The only signer; any expected one when left out.
    signer: Option<String>,
}

impl Gate for Signatures {
    fn kind(&self) -> &'static str {
        "signatures"
    }

    fn page(&self) -> &'static str {
        include_str!("../../docs/gates/signatures.md")
    }

    fn needs(&self, _settings: &Value) -> Vec<Kind> {
        vec![Kind::Signatures]
    }

    fn accept(&self, value: &Value) -> Result<(), serde_json::Error> {
        let Settings { required, .. } = settings(value)?;
        if required.is_empty() {
            return Err(serde::de::Error::custom(
                "`required` names no bundle: the gate would decide nothing",
            ));
        }
        Ok(())
    }

    fn judge(&self, value: &Value, items: &[&Item], _evidence: &Evidence) -> Judgement {
        let Ok(Settings { required, signer }) = settings(value) else {
            return Judgement::unknown(
                "settings of the gate signatures".to_owned(),
                "other settings".to_owned(),
            );
        };
        let mut wrong = Vec::new();
        let mut valid = Vec::new();
        for item in items {
            let Ok(Fact::Signatures(facts)) = &item.fact else { continue };
            valid.extend(facts.valid.iter().map(|bundle| bundle.name.clone()));
            if !facts.findings.is_empty() {
                wrong.push(some(&facts.findings));
            }
            if let Some(signer) = &signer {
                let others = facts.valid.iter().filter(|bundle| bundle.signer != *signer);
                wrong.extend(others.map(|bundle| format!("{} is signed by {}", bundle.name, bundle.signer)));
            }
        }
        wrong.extend(
            required.iter().filter(|name| !valid.contains(name)).map(|name| format!("{name} is missing")),
        );
        let by = signer.map(|signer| format!(", signed by {signer}")).unwrap_or_default();
        let expected = format!("{}{by}", required.join(", "));
        Judgement::of(
            expected,
            &wrong,
            counted(valid.len(), "bundle holds", "bundles hold"),
            "sign the final files again",
        )
    }
}
