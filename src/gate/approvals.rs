//! Gate `approvals`: enough people said yes to this release.
//!
//! Stops a release that nobody looked at. It does not tell who typed a name: an approval that must not be taken on trust
//! is signed, and the policy asks for `require: attested`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Gate, Judgement, settings};
use crate::diag::counted;
use crate::evidence::{Evidence, Fact, Item, Kind};

/// The gate.
pub(super) struct Approvals;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// How many different people.
    #[serde(default = "one")]
    count: u64,
    /// The only people whose approval counts; anybody's when left out.
    from: Option<Vec<String>>,
}

fn one() -> u64 {
    1
}

impl Gate for Approvals {
    fn kind(&self) -> &'static str {
        "approvals"
    }

    fn page(&self) -> &'static str {
        include_str!("../../docs/gates/approvals.md")
    }

    fn needs(&self, _settings: &Value) -> Vec<Kind> {
        vec![Kind::Approval]
    }

    fn accept(&self, value: &Value) -> Result<(), serde_json::Error> {
        let refuse = |message: &str| Err(serde::de::Error::custom(message));
        let Settings { count, from } = settings(value)?;
        if count == 0 {
            return refuse("`count` is 0: a release that nobody approved would pass");
        }
        if from.is_some_and(|from| (from.len() as u64) < count) {
            return refuse("`from` names fewer people than `count` asks for: no release could pass");
        }
        Ok(())
    }

    fn judge(&self, value: &Value, items: &[&Item], evidence: &Evidence) -> Judgement {
        let Ok(Settings { count, from }) = settings(value) else {
            return Judgement::unknown(
                "settings of the gate approvals".to_owned(),
                "other settings".to_owned(),
            );
        };
        let whom = from.as_ref().map(|from| format!(" from {}", from.join(", "))).unwrap_or_default();
        let expected = counted(count, "approval", "approvals") + &whom;
        let mut people = BTreeSet::new();
        for item in items {
            let Ok(Fact::Approval(facts)) = &item.fact else { continue };
            if let Some(rid) = facts.rid.filter(|rid| Some(*rid) != evidence.subject.rid) {
                let found = format!("{} is for the release {rid}", item.path);
                return Judgement::unknown(expected, found);
            }
            if from.as_ref().is_none_or(|from| from.contains(&facts.approved_by)) {
                people.insert(facts.approved_by.as_str());
            }
        }
        let names: Vec<&str> = people.into_iter().collect();
        let measured = if names.is_empty() { "nobody's".to_owned() } else { names.join(", ") };
        let wrong: Vec<String> =
            ((names.len() as u64) < count).then(|| measured.clone()).into_iter().collect();
        Judgement::of(expected, &wrong, measured, "ask for it, then `--approve WHO`")
    }
}
