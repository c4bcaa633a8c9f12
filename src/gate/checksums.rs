//! Gate `checksums`: every file is listed, and listed as it is.

use serde::Deserialize;
use serde_json::Value;

use super::{Gate, Judgement, settings, some};
use crate::diag::counted;
use crate::evidence::{Evidence, Fact, Item, Kind};

/// The gate.
pub(super) struct Checksums;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// Whether every file must be listed.
    #[serde(default = "yes")]
    closed: bool,
}

fn yes() -> bool {
    true
}

impl Gate for Checksums {
    fn kind(&self) -> &'static str {
        "checksums"
    }

    fn page(&self) -> &'static str {
        include_str!("../../docs/gates/checksums.md")
    }

    fn needs(&self, _settings: &Value) -> Vec<Kind> {
        vec![Kind::Checksums]
    }

    fn accept(&self, value: &Value) -> Result<(), serde_json::Error> {
        settings::<Settings>(value).map(drop)
    }

    fn judge(&self, value: &Value, items: &[&Item], _evidence: &Evidence) -> Judgement {
        let Ok(Settings { closed }) = settings(value) else {
            return Judgement::unknown(
                "settings of the gate checksums".to_owned(),
                "other settings".to_owned(),
            );
        };
        let expected =
            if closed { "every file listed with its digest" } else { "every listed file with its digest" };
        let mut wrong = Vec::new();
        let mut matching = 0;
        for item in items {
            let Ok(Fact::Checksums(facts)) = &item.fact else { continue };
            matching += facts.matching;
            let mut tell = |what: &str, names: &[String]| {
                if !names.is_empty() {
                    wrong.push(format!("{what}: {}", some(names)));
                }
            };
            tell("other digest", &facts.mismatched);
            tell("missing", &facts.missing);
            if closed {
                tell("not listed", &facts.unlisted);
            }
        }
        if matching == 0 {
            wrong.push("no file is listed".to_owned());
        }
        let measured = counted(matching, "file matches", "files match");
        Judgement::of(
            expected.to_owned(),
            &wrong,
            measured,
            "run `kyklos-release checksums create` over the final files",
        )
    }
}
