//! Floor 3: policy and evidence to a verdict. Pure and synchronous.
//!
//! Fails closed: evidence that is missing, unreadable, stale or bound to something else is an error, and an error
//! blocks. There is no way to a pass that does not go through a fact.

mod approvals;
mod changelog;
mod checksums;
mod custom;
mod image;
mod policy;
mod run;
mod sbom;
mod signatures;
mod tests;
mod verdict;

pub use policy::{Policy, PolicyError, WrittenPolicy};
pub use run::run;
pub use verdict::{Cited, GateResult, Outcome, State, Verdict, Waived};

use serde_json::Value;

use crate::evidence::{Evidence, Item, Kind};

/// A kind of gate. Its settings are checked when the policy is loaded and never again.
pub trait Gate: Sync {
    /// The `type` in a policy.
    fn kind(&self) -> &'static str;

    /// The page of the reference, Markdown.
    fn page(&self) -> &'static str;

    /// The kinds of evidence it looks at; it is an error when there is none of them.
    fn needs(&self, settings: &Value) -> Vec<Kind>;

    /// Whether settings can be used.
    fn accept(&self, settings: &Value) -> Result<(), serde_json::Error>;

    /// Measures. `items` are the pieces of evidence it needs, each checked for origin and age, each readable.
    fn judge(&self, settings: &Value, items: &[&Item], evidence: &Evidence) -> Judgement;
}

/// Every kind of gate, by name.
pub const ALL: &[&dyn Gate] = &[
    &approvals::Approvals,
    &changelog::Changelog,
    &checksums::Checksums,
    &custom::Custom,
    &image::Image,
    &sbom::Sbom,
    &signatures::Signatures,
    &tests::Tests,
];

/// What a gate measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Yes, no, or cannot tell.
    pub answer: Answer,
    /// What the policy asks for.
    pub expected: String,
    /// What was found.
    pub measured: String,
    /// What to do about a no.
    pub remedy: String,
}

/// The three answers of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// As the policy asks.
    Yes,
    /// Not as the policy asks.
    No,
    /// The evidence does not say.
    Unknown,
}

impl Judgement {
    /// Yes when nothing is wrong, else no with what is wrong.
    fn of(expected: String, wrong: &[String], measured: String, remedy: &str) -> Self {
        if wrong.is_empty() {
            return Self { answer: Answer::Yes, expected, measured, remedy: String::new() };
        }
        Self { answer: Answer::No, expected, measured: wrong.join("; "), remedy: remedy.to_owned() }
    }

    /// The evidence does not say.
    fn unknown(expected: String, measured: String) -> Self {
        Self { answer: Answer::Unknown, expected, measured, remedy: String::new() }
    }
}

/// Settings that were accepted when the policy was loaded.
fn settings<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value.clone())
}

/// At most five of a list, and how many more there are.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{shown} and {} more", names.len() - 5) } else { shown }
}
