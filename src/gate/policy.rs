//! The policy file: as written, then as meant. A policy that decides nothing is refused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ALL, Gate};
use crate::diag::{Hint, Kind, Span, did_you_mean};
use crate::evidence::Trust;
use crate::format::yaml::{self, YamlError};
use crate::model::Digest;

/// A policy as it stands in the file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "release policy")]
pub struct WrittenPolicy {
    /// Always `kyklos.release/v1`.
    api_version: String,
    /// Always `ReleasePolicy`.
    kind: String,
    /// Name and end of the policy.
    metadata: Metadata,
    /// What holds for gates that say nothing else.
    #[serde(default)]
    defaults: Defaults,
    /// Who answers for a gate that fails, until when.
    #[serde(default)]
    waivers: Waivers,
    /// Which gates are run together.
    profiles: BTreeMap<String, Profile>,
    /// The gates: `type`, `level`, `when`, `maxAge`, `require`, and the settings of the type.
    #[schemars(with = "BTreeMap<String, BTreeMap<String, serde_json::Value>>")]
    gates: BTreeMap<String, Map<String, Value>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Metadata {
    /// The name.
    name: String,
    /// The last day it may be used, `YYYY-MM-DD`.
    #[schemars(with = "Option<String>")]
    expires: Option<Date>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Defaults {
    /// The least trust evidence must have. Default: `bound`.
    require: Option<Trust>,
    /// The oldest evidence, such as `24h` or `7d`. No limit when left out.
    max_age: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Waivers {
    /// The longest time a waiver may run, in days. Default: 30.
    max_days: Option<u16>,
    /// Gates that cannot be waived.
    #[serde(default)]
    forbid: Vec<String>,
    /// The waivers.
    #[serde(default)]
    items: Vec<Waiver>,
}

/// Somebody answers for a gate that fails.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Waiver {
    /// The gate.
    pub(super) gate: String,
    /// Why.
    pub(super) reason: String,
    /// Where it is followed up.
    pub(super) issue: String,
    /// Who answers for it.
    pub(super) approved_by: String,
    /// The last day, `YYYY-MM-DD`.
    #[schemars(with = "String")]
    pub(super) expires: Date,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Profile {
    /// A profile whose gates are run first.
    extends: Option<String>,
    /// The gates, by name.
    #[serde(default)]
    gates: Vec<String>,
}

/// Whether a gate blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Block,
    Warn,
}

/// When a gate applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    Always,
    /// Only for a release with an image.
    Image,
    /// Only for the first release of a major version, `X.0.0` and its prereleases.
    Major,
}

/// One gate as meant.
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) gate: &'static dyn Gate,
    pub(super) level: Level,
    pub(super) when: When,
    pub(super) require: Trust,
    pub(super) max_age: Option<SignedDuration>,
    pub(super) settings: Value,
}

/// A policy as meant.
pub struct Policy {
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) expires: Option<Date>,
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) waivers: Vec<Waiver>,
    pub(super) waiver_days: u16,
    profiles: BTreeMap<String, Vec<String>>,
}

impl Policy {
    /// Reads a policy; every gate, setting, profile and waiver is checked.
    pub fn load(bytes: &[u8], path: &str) -> Result<Self, PolicyError> {
        let written: WrittenPolicy = yaml::parse(bytes, path).map_err(PolicyError::Yaml)?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        let refuse = |word: &str, reason: String, hint: Option<String>| PolicyError::Content {
            reason,
            hint,
            span: find(&text, path, word).map(Box::new),
        };
        if written.api_version != "kyklos.release/v1" || written.kind != "ReleasePolicy" {
            let reason = format!(
                "expected a ReleasePolicy of kyklos.release/v1, found a {} of {}",
                written.kind, written.api_version
            );
            return Err(refuse("apiVersion", reason, None));
        }
        let mut rules = BTreeMap::new();
        for (id, settings) in written.gates {
            let rule = rule(&id, settings, &written.defaults)
                .map_err(|(word, reason, hint)| refuse(&word, reason, hint))?;
            rules.insert(id, rule);
        }
        let profiles = profiles(&written.profiles, &rules)
            .map_err(|(word, reason, hint)| refuse(&word, reason, hint))?;
        if let Some(id) = written.waivers.forbid.iter().find(|id| !rules.contains_key(*id)) {
            return Err(refuse(id, format!("waivers of `{id}` are forbidden, and it is no gate"), None));
        }
        for waiver in &written.waivers.items {
            if !rules.contains_key(&waiver.gate) {
                return Err(refuse(
                    &waiver.gate,
                    format!("the waiver is for `{}`, which is no gate", waiver.gate),
                    None,
                ));
            }
            if written.waivers.forbid.contains(&waiver.gate) {
                return Err(refuse(&waiver.gate, format!("`{}` cannot be waived", waiver.gate), None));
            }
            if written.waivers.items.iter().filter(|other| other.gate == waiver.gate).count() > 1 {
                let reason = format!("`{}` is waived twice: nobody could tell until when", waiver.gate);
                return Err(refuse(&waiver.gate, reason, None));
            }
            let said = [&waiver.reason, &waiver.issue, &waiver.approved_by];
            if said.iter().any(|text| text.trim().is_empty()) {
                let reason = format!(
                    "the waiver of `{}` needs a reason, an issue and somebody who approved it",
                    waiver.gate
                );
                return Err(refuse(&waiver.gate, reason, None));
            }
        }
        Ok(Self {
            name: written.metadata.name,
            digest: Digest::of(bytes),
            expires: written.metadata.expires,
            rules,
            waivers: written.waivers.items,
            waiver_days: written.waivers.max_days.unwrap_or(30),
            profiles,
        })
    }

    /// Names of the profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The gates of a profile, by name; an unknown profile is an error.
    pub fn gates(&self, profile: &str) -> Result<&[String], PolicyError> {
        self.profiles.get(profile).map(Vec::as_slice).ok_or_else(|| PolicyError::Profile {
            found: profile.to_owned(),
            known: self.profiles.keys().cloned().collect(),
        })
    }

    /// Name and type of every gate.
    pub fn list(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.rules.values().map(|rule| (rule.id.as_str(), rule.gate.kind()))
    }
}

/// A word to point at, what is wrong with it, and what was probably meant.
type Refusal = (String, String, Option<String>);

fn rule(id: &str, mut settings: Map<String, Value>, defaults: &Defaults) -> Result<Rule, Refusal> {
    let Some(Value::String(kind)) = settings.remove("type") else {
        return Err((id.to_owned(), format!("the gate `{id}` has no `type`"), None));
    };
    let Some(gate) = ALL.iter().find(|gate| gate.kind() == kind) else {
        let hint = did_you_mean(&kind, ALL.iter().map(|gate| gate.kind()));
        let hint = hint.map(|name| format!("did you mean `{name}`?"));
        let known: Vec<&str> = ALL.iter().map(|gate| gate.kind()).collect();
        return Err((
            kind.clone(),
            format!("there is no gate of type `{kind}`; known are {}", known.join(", ")),
            hint,
        ));
    };
    let level = take(&mut settings, "level", Level::Block)?;
    let when = take(&mut settings, "when", When::Always)?;
    let require = take(&mut settings, "require", defaults.require.unwrap_or(Trust::Bound))?;
    let max_age = match settings.remove("maxAge").or_else(|| defaults.max_age.clone().map(Value::String)) {
        None => None,
        Some(value) => Some(age(&value).ok_or_else(|| {
            (
                value.as_str().unwrap_or("maxAge").to_owned(),
                format!("`maxAge` {value} is no time such as 24h or 7d"),
                None,
            )
        })?),
    };
    let settings = Value::Object(settings);
    if let Err(error) = gate.accept(&settings) {
        let message = error.to_string();
        let word = message.split(['`', '"']).nth(1).unwrap_or(id).to_owned();
        let hint = message.split_once("expected").and_then(|(_, names)| {
            let names = names.split('`').skip(1).step_by(2);
            did_you_mean(&word, names).map(|name| format!("did you mean `{name}`?"))
        });
        return Err((word, format!("gate `{id}`: {message}"), hint));
    }
    Ok(Rule { id: id.to_owned(), gate: *gate, level, when, require, max_age, settings })
}

fn take<T: serde::de::DeserializeOwned>(
    settings: &mut Map<String, Value>,
    key: &str,
    default: T,
) -> Result<T, Refusal> {
    match settings.remove(key) {
        None => Ok(default),
        Some(value) => {
            serde_json::from_value(value).map_err(|error| (key.to_owned(), format!("`{key}`: {error}"), None))
        }
    }
}

fn age(value: &Value) -> Option<SignedDuration> {
    let text = value.as_str()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: i64 = digits.parse().ok().filter(|count| (1..=10_000).contains(count))?;
    match unit {
        "m" => Some(SignedDuration::from_mins(count)),
        "h" => Some(SignedDuration::from_hours(count)),
        "d" => Some(SignedDuration::from_hours(24 * count)),
        _ => None,
    }
}

/// The gates of every profile, those it extends first.
fn profiles(
    written: &BTreeMap<String, Profile>,
    rules: &BTreeMap<String, Rule>,
) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
    let mut meant = BTreeMap::new();
    for name in written.keys() {
        let mut gates: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut chain = vec![name.as_str()];
        while let Some(parent) =
            written.get(chain[chain.len() - 1]).and_then(|profile| profile.extends.as_deref())
        {
            if !written.contains_key(parent) || chain.contains(&parent) {
                return Err((
                    parent.to_owned(),
                    format!("profile `{name}` extends `{parent}`, which is no other profile"),
                    None,
                ));
            }
            chain.push(parent);
        }
        for profile in chain.iter().rev() {
            for id in &written[*profile].gates {
                if !rules.contains_key(id) {
                    let hint = did_you_mean(id, rules.keys().map(String::as_str));
                    let hint = hint.map(|name| format!("did you mean `{name}`?"));
                    return Err((
                        id.clone(),
                        format!("profile `{profile}` runs `{id}`, which is no gate"),
                        hint,
                    ));
                }
                if seen.insert(id.clone()) {
                    gates.push(id.clone());
                }
            }
        }
        if gates.is_empty() {
            return Err((
                name.clone(),
                format!("profile `{name}` runs no gate: it would decide nothing"),
                None,
            ));
        }
        meant.insert(name.clone(), gates);
    }
    if meant.is_empty() {
        return Err((
            "profiles".to_owned(),
            "the policy has no profile: it would decide nothing".to_owned(),
            None,
        ));
    }
    Ok(meant)
}

/// Where a word stands in the file.
fn find(text: &str, path: &str, word: &str) -> Option<Span> {
    let is_word = |c: char| c.is_alphanumeric() || "_-".contains(c);
    let start = text
        .match_indices(word)
        .map(|(at, _)| at)
        .find(|at| !text[..*at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word))?;
    Some(Span {
        path: path.to_owned(),
        source: text.to_owned(),
        start,
        end: start + word.len(),
        label: "here".to_owned(),
    })
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not YAML, or not its keys.
    #[error("{0}")]
    Yaml(YamlError),
    /// Something in it cannot be meant.
    #[error("{reason}")]
    Content {
        /// Which rule it breaks.
        reason: String,
        /// What was probably meant.
        hint: Option<String>,
        /// Where.
        span: Option<Box<Span>>,
    },
    /// No such profile.
    #[error("the policy has no profile `{found}`")]
    Profile {
        /// What was asked for.
        found: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such gate in the profile.
    #[error("the profile runs no gate `{found}`")]
    Gate {
        /// What was asked for.
        found: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Past its last day.
    #[error("the policy `{name}` ended on {expires}")]
    Expired {
        /// Its name.
        name: String,
        /// The last day.
        expires: Date,
    },
}

impl Hint for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Yaml(_) | Self::Content { .. } => "policy",
            Self::Profile { .. } => "policy-profile",
            Self::Gate { .. } => "policy-gate",
            Self::Expired { .. } => "policy-expired",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Profile { found, known } | Self::Gate { found, known } => {
                vec![("expected", known.join(", ")), ("found", found.clone())]
            }
            Self::Yaml(_) | Self::Content { .. } | Self::Expired { .. } => Vec::new(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Yaml(error) => error.hints(),
            Self::Content { hint, .. } => hint.clone().into_iter().collect(),
            Self::Expired { .. } => vec!["look the policy over and set a new metadata.expires".to_owned()],
            Self::Profile { .. } | Self::Gate { .. } => Vec::new(),
        }
    }

    fn span(&self) -> Option<Span> {
        match self {
            Self::Yaml(error) => error.span(),
            Self::Content { span, .. } => span.as_deref().cloned(),
            Self::Profile { .. } | Self::Gate { .. } | Self::Expired { .. } => None,
        }
    }
}
