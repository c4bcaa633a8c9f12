//! Gate `sbom`: the bill of materials is what is in the binaries.

use serde::Deserialize;
use serde_json::Value;

use super::{Gate, Judgement, settings, some};
use crate::diag::counted;
use crate::evidence::{Evidence, Fact, Item, Kind};

/// The gate.
pub(super) struct Sbom;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// The fewest components.
    #[serde(default = "one")]
    min_components: u64,
}

fn one() -> u64 {
    1
}

impl Gate for Sbom {
    fn kind(&self) -> &'static str {
        "sbom"
    }

    fn page(&self) -> &'static str {
        include_str!("../../docs/gates/sbom.md")
    }

    fn needs(&self, _settings: &Value) -> Vec<Kind> {
        vec![Kind::Sbom]
    }

    fn accept(&self, value: &Value) -> Result<(), serde_json::Error> {
        settings::<Settings>(value).map(drop)
    }

    fn judge(&self, value: &Value, items: &[&Item], _evidence: &Evidence) -> Judgement {
        let Ok(Settings { min_components }) = settings(value) else {
            return Judgement::unknown("settings of the gate sbom".to_owned(), "other settings".to_owned());
        };
        let mut wrong = Vec::new();
        let mut components = 0;
        for item in items {
            let Ok(Fact::Sbom(facts)) = &item.fact else { continue };
            components += facts.components;
            if !facts.findings.is_empty() {
                wrong.push(some(&facts.findings));
            }
        }
        if components < min_components {
            wrong.push(counted(components, "component", "components"));
        }
        let expected = format!(
            "at least {}, each as in the binaries",
            counted(min_components, "component", "components")
        );
        Judgement::of(
            expected,
            &wrong,
            counted(components, "component", "components"),
            "run `kyklos-release sbom generate` over the final binaries",
        )
    }
}
