//! Gate `tests`: enough tests ran and none failed.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Gate, Judgement, settings, some};
use crate::evidence::{Evidence, Fact, Item, Kind, TestFacts};

/// The gate.
pub(super) struct Tests;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// The fewest tests that must have passed.
    min_tests: u64,
    /// The most failures.
    #[serde(default)]
    max_failed: u64,
    /// The most skipped tests; no limit when left out.
    max_skipped: Option<u64>,
}

impl Gate for Tests {
    fn kind(&self) -> &'static str {
        "tests"
    }

    fn page(&self) -> &'static str {
        include_str!("../../docs/gates/tests.md")
    }

    fn needs(&self, _settings: &Value) -> Vec<Kind> {
        vec![Kind::Gotest, Kind::Junit]
    }

    fn accept(&self, value: &Value) -> Result<(), serde_json::Error> {
        let Settings { min_tests, .. } = settings(value)?;
        if min_tests == 0 {
            return Err(serde::de::Error::custom("`minTests` is 0: a report without tests would pass"));
        }
        Ok(())
    }

    fn judge(&self, value: &Value, items: &[&Item], _evidence: &Evidence) -> Judgement {
        let Ok(Settings { min_tests, max_failed, max_skipped }) = settings(value) else {
            return Judgement::unknown("settings of the gate tests".to_owned(), "other settings".to_owned());
        };
        let mut total = TestFacts::default();
        let mut seen = BTreeSet::new();
        for item in items {
            // The same report under two names counts once.
            if let Ok(Fact::Tests(facts)) = &item.fact
                && seen.insert(item.digest)
            {
                total.passed += facts.passed;
                total.skipped += facts.skipped;
                total.failed.extend(facts.failed.iter().cloned());
            }
        }
        let skipped = max_skipped.map(|most| format!(", at most {most} skipped")).unwrap_or_default();
        let expected = format!("at least {min_tests} passed, at most {max_failed} failed{skipped}");
        let measured =
            format!("{} passed, {} failed, {} skipped", total.passed, total.failed.len(), total.skipped);
        let mut wrong = Vec::new();
        if total.failed.len() as u64 > max_failed {
            wrong.push(format!("{} failed: {}", total.failed.len(), some(&total.failed)));
        }
        if total.passed < min_tests {
            wrong.push(format!("{} passed", total.passed));
        }
        if max_skipped.is_some_and(|most| total.skipped > most) {
            wrong.push(format!("{} skipped", total.skipped));
        }
        Judgement::of(expected, &wrong, measured, "mend the tests that failed, or look why they did not run")
    }
}
