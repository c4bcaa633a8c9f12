//! A verdict as JUnit XML, for whatever draws test reports: one case per gate.

use crate::gate::{GateResult, Outcome, State, Verdict};

/// The document. A gate that warns passes and says so; one that is waived or does not apply is skipped.
pub fn document(verdict: &Verdict) -> Vec<u8> {
    let count = |states: &[State]| verdict.gates.iter().filter(|gate| states.contains(&gate.state)).count();
    let (failures, errors) = (count(&[State::Fail]), count(&[State::Error]));
    let skipped = count(&[State::Waived, State::NotApplicable]);
    let name = format!("{} of {} at {}", verdict.profile, verdict.subject.tag, verdict.subject.commit);
    let outcome = match verdict.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Error => "error",
    };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" \
         skipped=\"{skipped}\">\n    <properties><property name=\"verdict\" value=\"{outcome}\"/></properties>\n",
        escaped(&name),
        verdict.gates.len(),
    ));
    for gate in &verdict.gates {
        out.push_str(&case(gate));
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out.into_bytes()
}

fn case(gate: &GateResult) -> String {
    let GateResult { id, kind, state, expected, measured, evidence: _, remedy, waiver } = gate;
    let found = format!("expected {expected}; found {measured}");
    let body = match state {
        State::Pass => format!("<system-out>{}</system-out>", escaped(measured)),
        State::Warn => format!("<system-out>warning: {}</system-out>", escaped(&found)),
        State::Fail => format!("<failure message=\"{}\">{}</failure>", escaped(&found), escaped(remedy)),
        State::Error => format!("<error message=\"{}\">{}</error>", escaped(&found), escaped(remedy)),
        State::NotApplicable => format!("<skipped message=\"{}\"/>", escaped(expected)),
        State::Waived => {
            let by = waiver.as_ref().map(|waiver| {
                format!("{} answers for it until {}; {found}", waiver.approved_by, waiver.expires)
            });
            format!("<skipped message=\"{}\"/>", escaped(&by.unwrap_or(found)))
        }
    };
    format!("    <testcase classname=\"{}\" name=\"{}\">{body}</testcase>\n", escaped(kind), escaped(id))
}

/// Text for an attribute or an element; what XML 1.0 has no character for becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
