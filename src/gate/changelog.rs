//! Gate `changelog`: the changelog of the version says something.

use serde::Deserialize;
use serde_json::Value;

use super::{Gate, Judgement, settings};
use crate::diag::counted;
use crate::evidence::{Evidence, Fact, Item, Kind};

/// The gate.
pub(super) struct Changelog;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// The fewest entries.
    #[serde(default = "one")]
    min_entries: u64,
}

fn one() -> u64 {
    1
}

impl Gate for Changelog {
    fn kind(&self) -> &'static str {
        "changelog"
    }

    fn page(&self) -> &'static str {
        include_str!("../../docs/gates/changelog.md")
    }

    fn needs(&self, _settings: &Value) -> Vec<Kind> {
        vec![Kind::Changelog]
    }

    fn accept(&self, value: &Value) -> Result<(), serde_json::Error> {
        let Settings { min_entries } = settings(value)?;
        if min_entries == 0 {
            return Err(serde::de::Error::custom("`minEntries` is 0: an empty changelog would pass"));
        }
        Ok(())
    }

    fn judge(&self, value: &Value, items: &[&Item], evidence: &Evidence) -> Judgement {
        let Ok(Settings { min_entries }) = settings(value) else {
            return Judgement::unknown(
                "settings of the gate changelog".to_owned(),
                "other settings".to_owned(),
            );
        };
        let tag = evidence.subject.tag.as_str();
        let name = tag.rsplit('/').next().unwrap_or(tag);
        let version = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        let names = |heading: &String| {
            heading
                .split([' ', '[', ']', '(', ')'])
                .any(|word| word == version || word.strip_prefix('v') == Some(version))
        };
        let expected =
            format!("a heading with {version} and at least {}", counted(min_entries, "entry", "entries"));
        let mut wrong = Vec::new();
        let mut entries = 0;
        for item in items {
            let Ok(Fact::Changelog(facts)) = &item.fact else { continue };
            entries += facts.entries;
            if facts.manual {
                wrong.push(format!("{} is the template for a person to fill in", item.path));
            }
            if !facts.headings.iter().any(names) {
                wrong.push(format!("no heading of {} names {version}", item.path));
            }
        }
        if entries < min_entries {
            wrong.push(counted(entries, "entry", "entries"));
        }
        let remedy = "write the missing entries, or look at `kyklos-release notes generate`";
        Judgement::of(expected, &wrong, counted(entries, "entry", "entries"), remedy)
    }
}
