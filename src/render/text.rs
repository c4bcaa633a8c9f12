//! Values as text for people.

use crate::diag::{Diagnostic, Severity, counted};
use crate::gate::{GateResult, State, Verdict};
use crate::verify::{Report, Verdict as Verified};

/// A word that a POSIX shell reads as exactly this text.
pub fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@+=%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Foreign text, such as the name of a file, that must not steer a terminal or begin a line of its own.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// One gate in a line.
pub fn gate(gate: &GateResult) -> String {
    let word = gate.state.word();
    match gate.state {
        State::Pass => format!("{word} {}: {}", gate.id, gate.measured),
        State::NotApplicable => format!("{word} {}: {}", gate.id, gate.expected),
        State::Fail | State::Warn | State::Error | State::Waived => {
            format!("{word} {}: expected {}; found {}", gate.id, gate.expected, gate.measured)
        }
    }
}

/// A verdict: one line per gate, what to do, and the answer.
pub fn verdict(verdict: &Verdict) -> String {
    let width = verdict.gates.iter().map(|gate| gate.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for gate in &verdict.gates {
        let measured = plain(&gate.measured);
        text.push_str(&format!("{:<6} {:<width$}  {measured}\n", gate.state.word(), gate.id));
        if !matches!(gate.state, State::Pass | State::NotApplicable) {
            text.push_str(&format!("{:6} {:width$}  expected {}\n", "", "", gate.expected));
            if !gate.remedy.is_empty() {
                text.push_str(&format!("{:6} {:width$}  {}\n", "", "", gate.remedy));
            }
        }
        if let Some(waiver) = &gate.waiver {
            let text_of = format!(
                "{} answers for it until {}: {} ({})",
                waiver.approved_by, waiver.expires, waiver.reason, waiver.issue
            );
            text.push_str(&format!("{:6} {:width$}  {text_of}\n", "", ""));
        }
    }
    let answer = match verdict.outcome {
        crate::gate::Outcome::Pass => "pass",
        crate::gate::Outcome::Fail => "fail",
        crate::gate::Outcome::Error => "cannot decide",
    };
    text.push_str(&format!(
        "{answer}: {} for commit {}\n",
        verdict.subject.tag,
        verdict.subject.commit.short()
    ));
    text
}

/// The gates that do not pass, each as a finding about the policy: `gate-fail`, `gate-error`, `gate-warn` and
/// `gate-waived`.
pub fn gate_findings<'a>(verdict: &'a Verdict, policy: &str) -> Vec<(&'a GateResult, Diagnostic)> {
    let finding = |gate: &'a GateResult| {
        let (severity, code) = match gate.state {
            State::Fail => (Severity::Error, "gate-fail"),
            State::Error => (Severity::Error, "gate-error"),
            State::Warn => (Severity::Warning, "gate-warn"),
            State::Waived => (Severity::Note, "gate-waived"),
            State::Pass | State::NotApplicable => return None,
        };
        let message = format!("{}: expected {}; found {}", gate.id, gate.expected, gate.measured);
        let found = Diagnostic::new(severity, code, message).at(policy);
        Some((gate, if gate.remedy.is_empty() { found } else { found.hinted(gate.remedy.clone()) }))
    };
    verdict.gates.iter().filter_map(finding).collect()
}

/// A verdict as a Markdown table.
pub fn verdict_markdown(verdict: &Verdict) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut text = String::from("| gate | state | expected | found |\n|---|---|---|---|\n");
    for gate in &verdict.gates {
        let (expected, measured) = (cell(&gate.expected), cell(&gate.measured));
        text.push_str(&format!("| {} | {} | {expected} | {measured} |\n", gate.id, gate.state.word()));
    }
    text
}

/// What a verification found.
pub fn report(report: &Report) -> String {
    let mut text = String::new();
    match report.verdict() {
        Verified::Verified => {
            let signed = report.subjects.iter().filter(|subject| !subject.signatures.is_empty()).count();
            let subjects = counted(report.subjects.len(), "subject", "subjects");
            text.push_str(&format!("verified: {subjects}, {signed} of them signed"));
            if let Some(signature) = report.subjects.iter().flat_map(|subject| &subject.signatures).next() {
                text.push_str(&format!(
                    "\n  signer  {}\n  issuer  {}",
                    signature.identity.subject, signature.identity.issuer
                ));
            }
            text.push('\n');
        }
        Verified::Refused => {
            text.push_str(&findings(report));
            text.push_str("refused: do not use these files\n");
        }
        Verified::Undecided => {
            text.push_str(&findings(report));
            text.push_str("undecided: not everything could be checked\n");
        }
    }
    text
}

/// The findings of a report, one per line.
pub fn findings(report: &Report) -> String {
    report
        .findings
        .iter()
        .map(|finding| {
            format!("{}: {} ({})\n", plain(&finding.subject), plain(&finding.message), finding.code)
        })
        .collect()
}
