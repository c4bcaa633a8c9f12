//! Answers of `gate` and `evidence`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::gate::{Cited, GateResult, Outcome, State, Waived};

/// `gate run`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Verdict {
    /// The answer.
    pub verdict: Outcome,
    /// What was judged.
    pub subject: Subject,
    /// The profile.
    pub profile: String,
    /// Digest of the policy file.
    pub policy: String,
    /// One per gate, in the order of the profile.
    pub gates: Vec<Gate>,
}

/// What was judged.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Subject {
    /// The tag.
    pub tag: String,
    /// The commit.
    pub commit: String,
    /// The index of the image.
    pub index: Option<String>,
}

/// One gate.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Gate {
    /// The name in the policy.
    pub id: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The answer.
    pub state: State,
    /// What the policy asks for.
    pub expected: String,
    /// What was found.
    pub measured: String,
    /// What it looked at.
    pub evidence: Vec<Cited>,
    /// What to do about a no.
    pub remedy: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waived>,
}

impl From<&crate::gate::Verdict> for Verdict {
    fn from(verdict: &crate::gate::Verdict) -> Self {
        let gate = |gate: &GateResult| Gate {
            id: gate.id.clone(),
            kind: gate.kind.clone(),
            state: gate.state,
            expected: gate.expected.clone(),
            measured: gate.measured.clone(),
            evidence: gate.evidence.clone(),
            remedy: gate.remedy.clone(),
            waiver: gate.waiver.clone(),
        };
        Self {
            verdict: verdict.outcome,
            subject: Subject {
                tag: verdict.subject.tag.to_string(),
                commit: verdict.subject.commit.to_string(),
                index: verdict.subject.index.map(|index| index.to_string()),
            },
            profile: verdict.profile.clone(),
            policy: verdict.policy.to_string(),
            gates: verdict.gates.iter().map(gate).collect(),
        }
    }
}

/// One line of `gate list`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    /// The name in the policy; the type itself without one.
    pub id: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `gate explain`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Explained {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its page, Markdown.
    pub page: String,
}

/// One line of `evidence list`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Evidence {
    /// The file.
    pub path: String,
    /// What it is.
    pub kind: String,
    /// Its digest.
    pub digest: String,
    /// How well it is tied to what it was made for.
    pub trust: String,
    /// The commit it was made for.
    pub commit: Option<String>,
    /// The image it was made for.
    pub index: Option<String>,
    /// The platform manifests it was made for.
    pub platforms: Vec<String>,
    /// The files of the release it was made for, by name and digest.
    pub assets: BTreeMap<String, String>,
    /// When it was made.
    pub produced: Option<String>,
    /// Why it cannot be read.
    pub problem: Option<String>,
}
