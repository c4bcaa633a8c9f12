//! What is found, where, and what is proposed.

use proptest::prelude::*;

use super::*;
use crate::format::conventional;

/// `CODE LINE:COLUMN [-> SUGGESTION]`, one a finding.
fn told(message: &str, rules: &Lint) -> Vec<String> {
    match lint(message, rules, Strictness::Lenient) {
        Opinion::Ignored => vec!["ignored".to_owned()],
        Opinion::Looked(findings) => findings
            .iter()
            .map(|finding| {
                let suggestion =
                    finding.suggestion.as_ref().map(|text| format!(" -> {text}")).unwrap_or_default();
                format!("{} {}:{}{suggestion}", finding.rule.code(), finding.line, finding.column)
            })
            .collect(),
    }
}

fn usual(message: &str) -> Vec<String> {
    told(message, &Lint::default())
}

#[test]
fn what_is_right_is_silent() {
    for message in [
        "feat: add x",
        "fix(api)!: a thing (#12)\n\nbody\n\nBREAKING CHANGE: gone\nCloses: #3",
        "docs: why... (#4)",
        "feat(a, b): x\n\n```\nBREAKING CHANGE:y\nbreaking change: z\n```",
        "chore: x\n\nBreaking changes are told in footers.\n\nRefs: #1\nBREAKING-CHANGE: y",
        "feat: x\n\nNote: nothing\n\nReviewed-by: A",
    ] {
        assert_eq!(usual(message), Vec::<String>::new(), "{message}");
    }
}

#[test]
fn first_lines() {
    for (message, expected) in [
        ("", "message-empty 1:1"),
        ("feat:add x", "message-space 1:6 -> feat: add x"),
        ("feat: ", "message-description 1:6"),
        ("fix(): x", "message-scope 1:5 -> fix: x"),
        ("fix(a(b)): x", "message-scope 1:5"),
        ("feat : x", "message-colon 1:5 -> feat: x"),
        ("feat!(a): x", "message-colon 1:6 -> feat(a)!: x"),
        ("feat!!: x", "message-colon 1:6 -> feat!: x"),
        ("feat add x", "message-colon 1:5 -> feat: add x"),
        ("Fixed the thing", "message-colon 1:6 -> fix: the thing"),
        ("Add x", "message-colon 1:4 -> feat: add x"),
        ("update things", "message-colon 1:7"),
        ("12 things", "message-type 1:1"),
        (" feat: x", "subject-indent 1:1 -> feat: x"),
        ("Feat: x", "type-case 1:1 -> feat: x"),
        ("faet: x", "type-unknown 1:1 -> feat: x"),
        ("feature(a): x", "type-unknown 1:1 -> feat(a): x"),
        ("wibble: x", "type-unknown 1:1"),
        ("feat: x.", "subject-period 1:8 -> feat: x"),
        ("feat: x. (#12)", "subject-period 1:8 -> feat: x (#12)"),
        ("feat:\u{a0}x", "subject-blank 1:6 -> feat: x"),
        ("feat:  x", "subject-blank 1:7 -> feat: x"),
        ("fÖat: x", "type-case 1:1 -> föat: x"),
    ] {
        let found = usual(message);
        assert_eq!(found.first().map(String::as_str), Some(expected), "{message:?}: {found:?}");
    }
    let long = format!("feat: {}", "ä".repeat(95));
    assert_eq!(usual(&long), ["subject-long 1:101"]);
    assert_eq!(usual(&format!("feat: {} (#123456)", "ä".repeat(94))), Vec::<String>::new());
}

#[test]
fn bodies_and_breaking_changes() {
    for (message, expected) in [
        ("feat: x\nbody", vec!["body-blank-line 2:1 -> \nbody"]),
        ("feat: x\n\nbody\nBREAKING CHANGE: y", vec!["breaking-blank-line 4:1 -> \nBREAKING CHANGE: y"]),
        (
            "feat: x\nBREAKING CHANGE: y",
            vec![
                "body-blank-line 2:1 -> \nBREAKING CHANGE: y",
                "breaking-blank-line 2:1 -> \nBREAKING CHANGE: y",
            ],
        ),
        ("feat: x\n\nBREAKING CHANGE:y", vec!["breaking-separator 3:16 -> BREAKING CHANGE: y"]),
        ("feat: x\n\nBREAKING CHANGE #y", vec!["breaking-separator 3:16 -> BREAKING CHANGE: y"]),
        ("feat: x\n\nBREAKING CHANGES: y", vec!["breaking-separator 3:17 -> BREAKING CHANGE: y"]),
        ("feat: x\n\nBREAKING: y", vec!["breaking-separator 3:9 -> BREAKING CHANGE: y"]),
        ("feat: x\n\nbreaking change: y", vec!["breaking-case 3:1 -> BREAKING CHANGE: y"]),
        ("feat: x\n\nBreaking-Change: y", vec!["breaking-case 3:1 -> BREAKING CHANGE: y"]),
        ("feat: x\n\n* BREAKING CHANGE: y", vec!["breaking-bullet 3:3 -> BREAKING CHANGE: y"]),
        ("feat: x\n\n  BREAKING CHANGE: y", vec!["breaking-indent 3:1 -> BREAKING CHANGE: y"]),
        ("feat: x\n\nBREAKING CHANGE:", vec!["breaking-empty 3:17"]),
        ("feat: x\n\nReviewed by: A", vec!["footer-token 3:1 -> Reviewed-by: A"]),
    ] {
        assert_eq!(usual(message), expected, "{message:?}");
    }
}

#[test]
fn what_git_writes_is_not_looked_at() {
    for message in [
        "Merge pull request #1 from a/b",
        "Merge branch 'a' into b",
        "Merge remote-tracking branch 'origin/main'",
        "Merge abc123 into def456",
        "Merged in feature/x (pull request #2)",
        "Merged PR 12: feat: x",
        "Automatic merge from main",
        "Auto-merged a into b",
        "Revert \"feat: x\"",
        "Reapply \"feat: x\"",
        "fixup! feat: x",
        "squash! feat: x",
        "amend! feat: x",
        "v1.2.3-rc.1",
        "1.0.0",
        "chore(release): 1.0.0",
    ] {
        assert_eq!(usual(message), ["ignored"], "{message}");
        let rules = Lint { default_ignores: false, ..Lint::default() };
        assert_ne!(told(message, &rules), ["ignored"], "{message}");
    }
    assert_eq!(usual("Merging things"), ["message-colon 1:8"]);
    assert_eq!(usual("revert: x"), Vec::<String>::new());
    let rules = Lint { ignore: vec!["WIP*".to_owned()], ..Lint::default() };
    assert_eq!(told("WIP: a/b", &rules), ["ignored"]);
}

#[test]
fn settings_decide() {
    let rules = Lint {
        types: vec!["feat".to_owned()],
        scopes: Some(vec!["api".to_owned(), "docs".to_owned()]),
        require_scope: true,
        max_subject: 20,
        max_body_line: Some(10),
        severities: [(LintRule::SubjectPeriod, None), (LintRule::FooterToken, Some(Severity::Error))].into(),
        ..Lint::default()
    };
    assert_eq!(told("feat: x.", &rules), ["scope-missing 1:5"]);
    assert_eq!(told("feat(api,dcos): x", &rules), ["scope-unknown 1:10 -> feat(api,docs): x"]);
    assert_eq!(told("fix(api): x", &rules)[0].split(' ').next(), Some("type-unknown"));
    assert_eq!(told("feat(api): a long first line", &rules), ["subject-long 1:21"]);
    assert_eq!(told("feat(api): x\n\n12345 7890 2", &rules), ["body-line-long 3:11"]);
    assert_eq!(told("feat(api): x\n\nhttps://example.com/a-b c", &rules), Vec::<String>::new());
    let severity = |message: &str, strictness| match lint(message, &rules, strictness) {
        Opinion::Looked(findings) => findings[0].severity,
        Opinion::Ignored => panic!("ignored"),
    };
    assert_eq!(severity("feat(api): x\n\nAcked by: A", Strictness::Lenient), Severity::Error);
    assert_eq!(severity("feat(api): x\n\n* BREAKING CHANGE: y", Strictness::Lenient), Severity::Warning);
    assert_eq!(severity("feat(api): x\n\n* BREAKING CHANGE: y", Strictness::Letter), Severity::Error);
}

#[test]
fn a_message_without_end_is_looked_at_in_time() {
    for line in ["breaking change: x\n", "BREAKING CHANGE: x\n", "Acked by: x\n"] {
        let message = format!("feat: x\n\n{}", line.repeat(200_000));
        let Opinion::Looked(findings) = lint(&message, &Lint::default(), Strictness::Lenient) else {
            panic!("ignored")
        };
        assert!(findings.len() <= 200);
    }
}

#[test]
fn nothing_hostile_is_shown() {
    let Opinion::Looked(findings) = lint("feat:a\u{1b}[31m\u{202e}b", &Lint::default(), Strictness::Lenient)
    else {
        panic!("ignored")
    };
    assert_eq!(findings[0].excerpt, "feat:a\u{fffd}[31m\u{fffd}b");
    assert_eq!(findings[0].suggestion.as_deref(), Some("feat: a\u{fffd}[31m\u{fffd}b"));
    let Opinion::Looked(findings) = lint(&"x".repeat(1 << 20), &Lint::default(), Strictness::Lenient) else {
        panic!("ignored")
    };
    assert!(findings.iter().all(|finding| finding.excerpt.chars().count() == 161));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn never_panics(message in "(?s)[ -~\\r\\n\u{e9}\u{a0}]{0,120}|(feat|fix|Fix|BREAKING CHANGE|breaking)[(!: \\na-z)#*-]{0,40}") {
        lint(&message, &Lint::default(), Strictness::Lenient);
    }

    /// A header without a code of the reader is one the reader takes, and the other way round.
    #[test]
    fn the_reader_and_the_judge_agree(header in "[ a-zA-Z0-9()!:,\u{a0}.-]{0,24}|(feat|fix)[(!: a,)]{0,8}: ?x?") {
        let rules = Lint { default_ignores: false, ..Lint::default() };
        let Opinion::Looked(findings) = lint(&header, &rules, Strictness::Lenient) else { panic!("ignored") };
        let refused = findings.iter().any(|finding| {
            finding.rule.code().starts_with("message-") || finding.rule == LintRule::SubjectIndent
        });
        prop_assert_eq!(!refused, conventional::parse(&header).is_ok(), "{:?} {:?}", header, findings);
    }

    /// What is proposed in place of a header is right.
    #[test]
    fn a_proposed_header_is_one(header in "[a-zA-Z()!:. ]{1,24}|(feat|fix|Feature)[(!: a)]{0,6}x") {
        let rules = Lint { default_ignores: false, ..Lint::default() };
        let Opinion::Looked(findings) = lint(&header, &rules, Strictness::Lenient) else { panic!("ignored") };
        for finding in findings.iter().filter(|finding| finding.rule.code().starts_with("message-")) {
            if let Some(text) = &finding.suggestion {
                prop_assert!(conventional::parse(text).is_ok(), "{} -> {}", header, text);
            }
        }
    }
}
