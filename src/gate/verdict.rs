//! What the gates say together.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::evidence::{Subject, Trust};
use crate::model::Digest;

/// The answer of one gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As the policy asks.
    Pass,
    /// Not as the policy asks; blocks.
    Fail,
    /// Not as the policy asks; does not block.
    Warn,
    /// Cannot tell; blocks.
    Error,
    /// Not as the policy asks, and somebody answers for it until a day.
    Waived,
    /// Does not apply to this release.
    #[serde(rename = "n/a")]
    NotApplicable,
}

impl State {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Waived => "waived",
            Self::NotApplicable => "n/a",
        }
    }
}

/// The answer of all gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing blocks.
    Pass,
    /// At least one gate failed.
    Fail,
    /// Nothing failed, and at least one gate cannot tell.
    Error,
}

/// The answers of all gates of a profile. Never changed once made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The answer.
    pub outcome: Outcome,
    /// What was judged.
    pub subject: Subject,
    /// The profile.
    pub profile: String,
    /// Digest of the policy file.
    pub policy: Digest,
    /// One line per gate, in the order of the profile.
    pub gates: Vec<GateResult>,
}

/// The answer of one gate with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateResult {
    /// The name in the policy.
    pub id: String,
    /// The type.
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
    pub waiver: Option<Waived>,
}

/// A piece of evidence a gate looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Cited {
    /// The file.
    pub path: String,
    /// Its digest.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// How well it is tied to the subject.
    pub trust: Trust,
}

/// A waiver that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waived {
    /// Why.
    pub reason: String,
    /// Where it is followed up.
    pub issue: String,
    /// Who answers for it.
    pub approved_by: String,
    /// The last day.
    #[schemars(with = "String")]
    pub expires: Date,
}

impl Verdict {
    /// The answer of a list of gates.
    pub(super) fn outcome(gates: &[GateResult]) -> Outcome {
        // Nothing was decided: that is no yes.
        let nothing = gates.iter().all(|gate| gate.state == State::NotApplicable);
        if gates.iter().any(|gate| gate.state == State::Fail) {
            Outcome::Fail
        } else if nothing || gates.iter().any(|gate| gate.state == State::Error) {
            Outcome::Error
        } else {
            Outcome::Pass
        }
    }
}
