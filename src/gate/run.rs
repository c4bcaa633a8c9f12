//! Runs the gates of a profile.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::policy::{Level, Policy, PolicyError, Rule, Waiver, When};
use super::verdict::{Cited, GateResult, State, Verdict, Waived};
use super::{Answer, Judgement};
use crate::diag::counted;
use crate::evidence::{Evidence, Item, Kind};

/// The clock of the machine that made the evidence may be ahead.
const SKEW_MINUTES: i64 = 5;

/// Judges evidence. `only` names the gates to run, all of the profile when empty.
pub fn run(
    policy: &Policy,
    profile: &str,
    only: &[String],
    evidence: &Evidence,
    now: Timestamp,
) -> Result<Verdict, PolicyError> {
    let today = now.to_zoned(TimeZone::UTC).date();
    if let Some(expires) = policy.expires.filter(|expires| *expires < today) {
        return Err(PolicyError::Expired { name: policy.name.clone(), expires });
    }
    let ids = policy.gates(profile)?;
    if let Some(found) = only.iter().find(|id| !ids.contains(id)) {
        return Err(PolicyError::Gate { found: found.clone(), known: ids.to_vec() });
    }
    let mut gates: Vec<GateResult> = ids
        .iter()
        .filter(|id| only.is_empty() || only.contains(id))
        .map(|id| judge(policy, &policy.rules[id.as_str()], evidence, now, today))
        .collect();
    for waiver in policy.waivers.iter().filter(|waiver| ids.contains(&waiver.gate)) {
        if let Some(gate) = gates.iter_mut().find(|gate| gate.id == waiver.gate && gate.waiver.is_none())
            && matches!(gate.state, State::Pass | State::NotApplicable)
        {
            gate.state = State::Error;
            gate.expected = "no waiver for a gate that passes".to_owned();
            gate.remedy = format!("remove the waiver of {} from the policy", gate.id);
        }
    }
    Ok(Verdict {
        outcome: Verdict::outcome(&gates),
        subject: evidence.subject.clone(),
        profile: profile.to_owned(),
        policy: policy.digest,
        gates,
    })
}

fn judge(policy: &Policy, rule: &Rule, evidence: &Evidence, now: Timestamp, today: Date) -> GateResult {
    let kinds = rule.gate.needs(&rule.settings);
    let items: Vec<&Item> = evidence.items.iter().filter(|item| kinds.contains(&item.kind)).collect();
    let cited = items
        .iter()
        .map(|item| Cited { path: item.path.clone(), digest: item.digest, trust: item.trust })
        .collect();
    let mut result = GateResult {
        id: rule.id.clone(),
        kind: rule.gate.kind().to_owned(),
        state: State::Error,
        expected: String::new(),
        measured: String::new(),
        evidence: cited,
        remedy: String::new(),
        waiver: None,
    };
    if rule.when == When::Image && evidence.subject.index.is_none() {
        if evidence.subject.has_image {
            result.expected = "the index of the image".to_owned();
            result.measured = "none is named".to_owned();
            result.remedy = "`kyklos-release gate run --index DIGEST`".to_owned();
            return result;
        }
        result.state = State::NotApplicable;
        result.expected = "only for a release with an image".to_owned();
        result.measured = "no image".to_owned();
        return result;
    }
    if rule.when == When::Major && !is_major(&evidence.subject.version) {
        result.state = State::NotApplicable;
        result.expected = "only for a new major version".to_owned();
        result.measured = evidence.subject.version.to_string();
        return result;
    }
    if items.is_empty() {
        let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        result.expected = format!("evidence of kind {}", names.join(" or "));
        result.measured = "none".to_owned();
        result.remedy =
            format!("`kyklos-release evidence add FILE --kind {}`", names.first().map_or("", String::as_str));
        return result;
    }
    if let Some((expected, measured)) = items.iter().find_map(|item| distrust(item, rule, evidence, now)) {
        result.expected = expected;
        result.measured = measured;
        return result;
    }
    let Judgement { answer, expected, measured, remedy } = rule.gate.judge(&rule.settings, &items, evidence);
    result.expected = expected;
    result.measured = measured;
    result.remedy = remedy;
    result.state = match (answer, rule.level) {
        (Answer::Yes, _) => State::Pass,
        (Answer::No, Level::Warn) => State::Warn,
        (Answer::No, Level::Block) => State::Fail,
        (Answer::Unknown, _) => State::Error,
    };
    if result.state == State::Fail
        && let Some(waiver) = policy.waivers.iter().find(|waiver| waiver.gate == rule.id)
    {
        waive(policy, waiver, today, &mut result);
    }
    result
}

/// `X.0.0`, a prerelease of it included; `0.0.0` begins nothing.
fn is_major(version: &semver::Version) -> bool {
    version.major > 0 && version.minor == 0 && version.patch == 0
}

/// Why evidence is not looked at: expected, and found.
fn distrust(item: &Item, rule: &Rule, evidence: &Evidence, now: Timestamp) -> Option<(String, String)> {
    let path = &item.path;
    if let Err(reason) = &item.fact {
        return Some((format!("{path} to be readable"), reason.clone()));
    }
    if item.trust < rule.require {
        return Some((format!("{path} to be {}", rule.require), item.trust.to_string()));
    }
    if let Some(commit) = item.commit.filter(|commit| *commit != evidence.subject.commit) {
        return Some((
            format!("{path} for commit {}", evidence.subject.commit),
            format!("for commit {commit}"),
        ));
    }
    match (item.index, evidence.subject.index) {
        (Some(index), Some(subject)) if index != subject => {
            return Some((format!("{path} for image {subject}"), format!("for image {index}")));
        }
        // Whether it is the image of this release cannot be told, or there is none.
        (Some(index), None) => {
            let expected = if evidence.subject.has_image {
                format!("the index that {path} is for, named with --index DIGEST")
            } else {
                format!("{path} for a release without an image")
            };
            return Some((expected, format!("for image {index}")));
        }
        (Some(_) | None, _) => {}
    }
    if let Some(digest) = item.platforms.iter().find(|digest| !evidence.subject.platforms.contains(digest)) {
        return Some((format!("{path} for platforms of the image"), format!("for {digest}")));
    }
    for (name, digest) in &item.assets {
        let expected = evidence.subject.assets.get(name);
        if expected != Some(digest) {
            let expected = expected.map_or_else(|| "a file of the release".to_owned(), ToString::to_string);
            return Some((format!("{path} for {name}, {expected}"), format!("for {digest}")));
        }
    }
    let about_image = [Kind::Image, Kind::Sbom, Kind::Signatures].contains(&item.kind);
    if about_image && let (None, Some(subject)) = (item.index, evidence.subject.index) {
        return Some((format!("{path} for image {subject}"), "bound to no image".to_owned()));
    }
    match (item.produced, rule.max_age) {
        (None, None) => None,
        (None, Some(_)) => Some((format!("{path} with the time it was made"), "no time".to_owned())),
        (Some(produced), _) if produced > now + jiff::SignedDuration::from_mins(SKEW_MINUTES) => {
            Some((format!("{path} from the past"), format!("made at {produced}, it is {now}")))
        }
        (Some(produced), Some(max_age)) if now.duration_since(produced) > max_age => Some((
            format!("{path} not older than {}", counted(max_age.as_hours(), "hour", "hours")),
            format!("made at {produced}"),
        )),
        (Some(_), _) => None,
    }
}

/// Applies a waiver; one that is past its day or runs too long is an error, because somebody relies on it.
fn waive(policy: &Policy, waiver: &Waiver, today: Date, result: &mut GateResult) {
    let latest = today.saturating_add(jiff::Span::new().days(i64::from(policy.waiver_days)));
    if waiver.expires < today || waiver.expires > latest {
        result.state = State::Error;
        result.expected = format!("a waiver that ends between {today} and {latest}");
        result.measured = format!("{} (the waiver ends on {})", result.measured, waiver.expires);
        return;
    }
    result.state = State::Waived;
    result.waiver = Some(Waived {
        reason: waiver.reason.clone(),
        issue: waiver.issue.clone(),
        approved_by: waiver.approved_by.clone(),
        expires: waiver.expires,
    });
}
