//! The sixteen clauses of Conventional Commits 1.0.0, one test each, with the cases in which readers differ.

use super::*;

/// Type, scopes, description, whether it breaks.
fn head(message: &str) -> Option<(String, Vec<&str>, &str, bool)> {
    let message = parse(message).ok()?;
    Some((message.kind.into_owned(), message.scopes, message.description, message.breaking))
}

fn plain(message: &str) -> Option<(String, String)> {
    head(message).map(|(kind, _, description, _)| (kind, description.to_owned()))
}

fn pair(kind: &str, description: &str) -> (String, String) {
    (kind.to_owned(), description.to_owned())
}

fn footers(message: &str) -> Vec<(String, &'static str, String)> {
    let message = parse(message).unwrap();
    let footers = message.footers.iter();
    footers
        .map(|footer| (footer.token.to_owned(), footer.separator.as_str(), footer.value.to_owned()))
        .collect()
}

fn footer(token: &str, separator: &'static str, value: &str) -> (String, &'static str, String) {
    (token.to_owned(), separator, value.to_owned())
}

fn breaks(message: &str) -> Vec<String> {
    let message = parse(message).unwrap();
    assert_eq!(message.breaking, !message.breaking_notes.is_empty());
    message.breaking_notes.iter().map(|note| (*note).to_owned()).collect()
}

fn body(message: &str) -> Option<String> {
    parse(message).unwrap().body.map(Cow::into_owned)
}

/// 1. A type, which is a noun, an optional scope, an optional `!`, and a colon and a space.
#[test]
fn clause_1_prefix() {
    assert_eq!(plain("feat: x"), Some(pair("feat", "x")));
    for kind in ["my-type", "build2", "добавка", "修复", "snake_case"] {
        assert_eq!(plain(&format!("{kind}: x")), Some(pair(kind, "x")));
    }
    for message in [
        "feat:x",
        "feat x",
        "feat",
        "feat:",
        "feat: ",
        "feat:\u{a0}\u{a0}",
        " feat: x",
        ": x",
        "2fa: x",
        "ruby/gemspec: x",
    ] {
        assert_eq!(plain(message), None, "{message:?}");
    }
    // What git and forges write has no type.
    for message in [
        "fixup! feat: x",
        "squash! feat: x",
        "amend! feat: x",
        "Merge branch 'x'",
        "Revert \"feat: x\"",
        "v1.2.3",
    ] {
        assert_eq!(plain(message), None, "{message:?}");
    }
    // Blanks that keyboards and editors leave.
    assert_eq!(plain("feat: x  \r\n\r\n"), Some(pair("feat", "x")));
    assert_eq!(plain("feat:\u{a0}x"), Some(pair("feat", "x")));
    assert_eq!(plain("feat:   x"), Some(pair("feat", "x")));
}

/// 2. `feat` is for a new feature. What that means is told where notes are made; here it is a type.
#[test]
fn clause_2_feat() {
    assert_eq!(plain("feat: x"), Some(pair("feat", "x")));
    assert_eq!(plain("feat(api)!: x"), Some(pair("feat", "x")));
}

/// 3. `fix` is for a bug fix.
#[test]
fn clause_3_fix() {
    assert_eq!(plain("fix: x"), Some(pair("fix", "x")));
    assert_eq!(plain("fix(api): x"), Some(pair("fix", "x")));
}

/// 4. A scope in parentheses.
#[test]
fn clause_4_scope() {
    let scopes = |message: &'static str| head(message).map(|(_, scopes, _, _)| scopes);
    assert_eq!(scopes("fix(parser): x"), Some(vec!["parser"]));
    assert_eq!(scopes("fix(a,b): x"), Some(vec!["a", "b"]));
    assert_eq!(scopes("fix(a, b): x"), Some(vec!["a", "b"]));
    assert_eq!(scopes("fix(@scope/pkg v2.0): x"), Some(vec!["@scope/pkg v2.0"]));
    assert_eq!(
        head("fix(deps): Revert \"build(deps): y\""),
        Some(("fix".to_owned(), vec!["deps"], "Revert \"build(deps): y\"", false))
    );
    for message in [
        "fix(): x",
        "fix( ): x",
        "fix(a,): x",
        "fix(a(b)): x",
        "fix(a: x",
        "fix)a(: x",
        "fix (a): x",
        "fix(a) : x",
    ] {
        assert_eq!(scopes(message), None, "{message}");
    }
}

/// 5. A description directly behind the colon and the space.
#[test]
fn clause_5_description() {
    assert_eq!(
        plain("fix: array parsing issue when multiple spaces"),
        Some(pair("fix", "array parsing issue when multiple spaces"))
    );
    assert_eq!(plain("feat: a: b"), Some(pair("feat", "a: b")));
    assert_eq!(plain("feat: \n\nbody"), None);
}

/// 6. A longer body, one blank line behind the description.
#[test]
fn clause_6_body() {
    assert_eq!(body("feat: x\n\nbody"), Some("body".to_owned()));
    assert_eq!(body("feat: x"), None);
    assert_eq!(body("feat: x\n\n\n"), None);
    // Without the blank line the type counts all the same.
    assert_eq!(
        (plain("feat: x\nbody"), body("feat: x\nbody")),
        (Some(pair("feat", "x")), Some("body".to_owned()))
    );
}

/// 7. A body is free in form, of any number of paragraphs.
#[test]
fn clause_7_free_body() {
    let text = "One.\n\n- a\n- b: c\n\n    code: x\n\n```\nkey: value\n```\n\nLast, with a colon: here.";
    assert_eq!(body(&format!("feat: x\n\n{text}")), Some(text.to_owned()));
    assert_eq!(footers(&format!("feat: x\n\n{text}")), []);
}

/// 8. Footers, one blank line behind the body: a token, `: ` or ` #`, and a value.
#[test]
fn clause_8_footers() {
    assert_eq!(
        footers("fix: x\n\nbody\n\nReviewed-by: Z\nRefs #123\nCloses: #1, #2"),
        [footer("Reviewed-by", ": ", "Z"), footer("Refs", " #", "123"), footer("Closes", ": ", "#1, #2")]
    );
    assert_eq!(footers("fix: x\n\nReviewed-by: Z"), [footer("Reviewed-by", ": ", "Z")]);
    assert_eq!(footers("fix: x\r\n\r\nReviewed-by: Z\r\nRefs: #1\r\n").len(), 2);
    // Without the blank line they are text.
    assert_eq!(footers("fix: x\n\nbody\nReviewed-by: Z"), []);
    for text in
        ["https://example.org/a", "https://example.org/a: b", "Reviewed-by:Z", "Note #", "Note:", "12: x"]
    {
        assert_eq!(footers(&format!("fix: x\n\n{text}")), [], "{text}");
    }
    // A paragraph that begins like a footer is text when more text follows.
    assert_eq!(footers("fix: x\n\nNote: this.\n\nAnd more."), []);
}

/// 9. Tokens have `-` for blanks.
#[test]
fn clause_9_tokens() {
    assert_eq!(footers("fix: x\n\nAcked-by: A"), [footer("Acked-by", ": ", "A")]);
    assert_eq!(footers("fix: x\n\nAcked by: A"), []);
}

/// 10. A value may have blanks and lines; it ends at the next token.
#[test]
fn clause_10_values() {
    assert_eq!(
        footers("fix: x\n\nReviewed-by: Z\n  of the team\nand others\nRefs: #1"),
        [footer("Reviewed-by", ": ", "Z\n  of the team\nand others"), footer("Refs", ": ", "#1")]
    );
    assert_eq!(
        footers("fix: x\n\nBREAKING CHANGE: one\n\ntwo: three\nfour\n\nRefs: #1")[0],
        footer("BREAKING CHANGE", ": ", "one")
    );
    assert_eq!(breaks("fix: x\n\nBREAKING CHANGE: one\n\ntwo\nthree\n\nRefs: #1"), ["one\n\ntwo\nthree"]);
    // Sign-offs of squashed commits belong to nobody's value.
    assert_eq!(
        footers("fix: x\n\n* one\n\nSigned-off-by: A\n\n* two\n\nSigned-off-by: B"),
        [footer("Signed-off-by", ": ", "B")]
    );
}

/// 11. What breaks is told before the colon or in a footer.
#[test]
fn clause_11_places_of_breaking_changes() {
    assert_eq!(breaks("feat!: x"), ["x"]);
    assert_eq!(breaks("feat: x\n\nBREAKING CHANGE: y"), ["y"]);
    assert_eq!(breaks("feat!: x\n\nBREAKING CHANGE: y"), ["y"]);
    assert!(breaks("feat: x\n\nthis is no BREAKING CHANGE: y").is_empty());
    assert!(breaks("feat: x\n\n```\nBREAKING CHANGE: y\n```").is_empty());
}

/// 12. `BREAKING CHANGE`, a colon, a space and a description.
#[test]
fn clause_12_breaking_footer() {
    assert_eq!(
        breaks("feat: x\n\nBREAKING CHANGE: environment variables now take precedence over files"),
        ["environment variables now take precedence over files"]
    );
    assert_eq!(breaks("feat: x\n\nBREAKING CHANGE: one\nBREAKING CHANGE: two"), ["one", "two"]);
    for text in ["BREAKING CHANGE #y", "BREAKING CHANGE:y", "BREAKING CHANGE y", "BREAKING CHANGES: y"] {
        assert!(breaks(&format!("feat: x\n\n{text}")).is_empty(), "{text}");
    }
    // More generous than the letter, for a break that is missed is worse.
    assert_eq!(breaks("feat: x\n\nbody\nBREAKING CHANGE: y"), ["y"]);
    assert_eq!(breaks("feat: x\n\n* BREAKING CHANGE: y"), ["y"]);
}

/// 13. `!` directly before the colon.
#[test]
fn clause_13_exclamation_mark() {
    assert_eq!(head("chore(a)!: x"), Some(("chore".to_owned(), vec!["a"], "x", true)));
    for message in ["feat! : x", "feat!(a): x", "feat!!: x", "feat !: x", "!feat: x"] {
        assert_eq!(head(message), None, "{message}");
    }
}

/// 14. Other types than `feat` and `fix`.
#[test]
fn clause_14_other_types() {
    assert_eq!(plain("docs: update ref docs"), Some(pair("docs", "update ref docs")));
}

/// 15. In any case, except `BREAKING CHANGE`.
#[test]
fn clause_15_case() {
    assert_eq!(plain("FEAT: x"), Some(pair("feat", "x")));
    assert_eq!(plain("Fix(API): x"), Some(pair("fix", "x")));
    assert_eq!(footers("fix: x\n\nreviewed-BY: Z"), [footer("reviewed-BY", ": ", "Z")]);
    for text in ["breaking change: y", "Breaking Change: y", "breaking-change: y", "BREAKING change: y"] {
        assert!(breaks(&format!("feat: x\n\n{text}")).is_empty(), "{text}");
    }
}

/// 16. `BREAKING-CHANGE` is `BREAKING CHANGE`.
#[test]
fn clause_16_synonym() {
    assert_eq!(breaks("feat: x\n\nBREAKING-CHANGE: y"), ["y"]);
    assert_eq!(breaks("feat: x\n\nBREAKING-CHANGE: y\nBREAKING CHANGE: z"), ["y", "z"]);
}
