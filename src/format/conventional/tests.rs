use proptest::prelude::*;

use super::*;

fn ok(message: &str) -> Message<'_> {
    parse(message).unwrap_or_else(|error| panic!("{message:?}: {error}"))
}

fn code(message: &str) -> (&'static str, usize) {
    let error = parse(message).expect_err(message);
    (error.code(), error.column)
}

fn footers<'a>(message: &Message<'a>) -> Vec<(&'a str, &'static str, &'a str)> {
    message.footers.iter().map(|footer| (footer.token, footer.separator.as_str(), footer.value)).collect()
}

#[test]
fn headers() {
    let message = ok("FEAT(api, web)!: say hello\r\n");
    assert_eq!((message.kind.as_ref(), message.description), ("feat", "say hello"));
    assert_eq!(message.scopes, ["api", "web"]);
    assert!(message.breaking);
    assert_eq!(message.breaking_notes, ["say hello"]);
    assert_eq!(message.body, None);
    for (text, kind) in [("my-type: x", "my-type"), ("build2: x", "build2"), ("добавка: x", "добавка")]
    {
        assert_eq!(ok(text).kind, kind);
    }
    let message = ok("fix(deps): Revert \"build(deps): y\"");
    assert_eq!(
        (message.scopes.as_slice(), message.description),
        (["deps"].as_slice(), "Revert \"build(deps): y\"")
    );
    assert_eq!(ok("feat: x: y").description, "x: y");
    assert_eq!(ok("feat:\u{a0}x").description, "x");
}

#[test]
fn numbers_behind_odd_backticks_and_words() {
    let told = |message: &'static str| -> Vec<(&'static str, &'static str, Option<&'static str>)> {
        let references = ok(message).references.into_iter();
        references.map(|reference| (reference.kind.as_str(), reference.id, reference.action)).collect()
    };
    // Nothing closes the last one: it is no code.
    assert_eq!(told("fix: take `date in `<Time>` (#33)"), [("pr", "33", None)]);
    assert_eq!(told("fix: take `a #1` and `b #2` (#3)"), [("pr", "3", None)]);
    // The number is of the request that was merged, whatever word stands before it.
    assert_eq!(told("chore: mend the build fix (#12)"), [("pr", "12", None)]);
    assert_eq!(told("chore: mend `it`(#12)"), [("pr", "12", None)]);
    assert_eq!(told("chore: mend it(#12)"), [("pr", "12", None)]);
    assert_eq!(told("chore: mend, fixes #12"), [("issue", "12", Some("fixes"))]);
    assert_eq!(told("fix: x (#5)\n\nCloses #5"), [("pr", "5", None), ("issue", "5", Some("closes"))]);
}

#[test]
fn headers_that_are_none() {
    assert_eq!(code(""), ("message-empty", 1));
    assert_eq!(code("\n\n"), ("message-empty", 1));
    assert_eq!(code("feat:add x"), ("message-space", 6));
    assert_eq!(code("feat: "), ("message-description", 6));
    assert_eq!(code("feat"), ("message-colon", 5));
    assert_eq!(code(" feat: x"), ("message-type", 1));
    assert_eq!(code("fix(): x"), ("message-scope", 5));
    assert_eq!(code("fix(a(b)): x"), ("message-scope", 5));
    assert_eq!(code("fix(a: x"), ("message-scope", 5));
    assert_eq!(code("fix(a,): x"), ("message-scope", 5));
    assert_eq!(code("feat! : x"), ("message-colon", 6));
    assert_eq!(code("feat!!: x"), ("message-colon", 6));
    assert_eq!(code("feat!(a): x"), ("message-colon", 6));
    assert_eq!(code("Merge branch 'main'"), ("message-colon", 6));
    assert_eq!(code("Revert \"feat: x\""), ("message-colon", 7));
    assert_eq!(code("fixup! feat: x"), ("message-colon", 7));
    assert_eq!(code("ruby/gemspec: x"), ("message-colon", 5));
    assert_eq!(code("öffne tür: x"), ("message-colon", 6));
}

#[test]
fn body_and_footers() {
    let message =
        ok("fix: stop it\n\nFirst.\n\nSecond\nline.\n\nReviewed-by: Z\n  of the team\nRefs #123\nCloses: #4");
    assert_eq!(message.body.as_deref(), Some("First.\n\nSecond\nline."));
    assert_eq!(
        footers(&message),
        [("Reviewed-by", ": ", "Z\n  of the team"), ("Refs", " #", "123"), ("Closes", ": ", "#4")]
    );
    assert!(!message.breaking);
    // Clause 6 asks for a blank line before the body; without it there is a body all the same.
    assert_eq!(ok("feat: x\nmore").body.as_deref(), Some("more"));
    // Clause 8 asks for one before the footers.
    assert_eq!(footers(&ok("feat: x\nSigned-off-by: A")), []);
}

#[test]
fn what_is_not_a_footer() {
    for body in [
        "https://example.org/a: b",
        "Acked by: A",
        "  indented: text",
        "* bullet: text",
        "```\nkey: value\n```",
        "Note: this is prose.\n\nMore prose.",
    ] {
        let message = format!("feat: x\n\n{body}");
        let message = ok(&message);
        assert_eq!((footers(&message), message.body.as_deref()), (vec![], Some(body)));
    }
    let message = ok("feat: x\n\nSee: this\n\nA paragraph.\n\nSigned-off-by: A\n\nCo-authored-by: B <b@x>");
    assert_eq!(message.body.as_deref(), Some("See: this\n\nA paragraph."));
    assert_eq!(footers(&message), [("Signed-off-by", ": ", "A"), ("Co-authored-by", ": ", "B <b@x>")]);
}

#[test]
fn breaking_changes() {
    let message =
        ok("feat: x\n\nbody\n\nBREAKING CHANGE: one\n\nstill one\n\nBREAKING-CHANGE: two\nRefs: #1\n\nlost?");
    assert_eq!(message.breaking_notes, ["one\n\nstill one", "two"]);
    assert_eq!(message.footers.len(), 3);
    assert_eq!(message.body.as_deref(), Some("body\n\nlost?"));
    // Missing a break is worse than the letter.
    assert_eq!(ok("feat: x\n\nbody\nBREAKING CHANGE: y").breaking_notes, ["y"]);
    assert_eq!(ok("feat: x\n\nBREAKING CHANGE:\n\n  y").breaking_notes, ["y"]);
    assert_eq!(ok("feat: x\n\n* fix: a\n* feat(b)!: c\n* BREAKING CHANGE: d").breaking_notes, ["c", "d"]);
    assert_eq!(ok("feat: x\n\nBREAKING CHANGE: y\n* fix: other\n---------\nz").breaking_notes, ["y"]);
    for text in [
        "feat: x\n\nbreaking change: y",
        "feat: x\n\nBreaking Change: y",
        "feat: x\n\nBREAKING CHANGE #y",
        "feat: x\n\nBREAKING CHANGE:y",
        "feat: x\n\n```\nBREAKING CHANGE: y\n```",
        "feat: x\n\nthis is no BREAKING CHANGE: y",
    ] {
        assert!(!ok(text).breaking, "{text}");
    }
}

#[test]
fn references() {
    let found = |message: &str| -> Vec<String> {
        ok(message)
            .references
            .iter()
            .map(|reference| {
                let place =
                    reference.owner.zip(reference.repo).map(|(owner, repo)| format!("{owner}/{repo}"));
                format!(
                    "{} {} {}{} {}",
                    reference.source.as_str(),
                    reference.action.unwrap_or("-"),
                    place.map_or(String::new(), |place| format!("{place} ")),
                    reference.kind.as_str(),
                    reference.id
                )
            })
            .collect()
    };
    assert_eq!(found("feat: x (#12)"), ["subject - pr 12"]);
    assert_eq!(found("feat: x #12"), ["subject - issue 12"]);
    assert_eq!(
        found("fix: x\n\nCloses #1, #2 and o/r#3. See `#9`, foo#4x.\n\nRefs: #5\nFixes #6, #7"),
        [
            "footer closes issue 1",
            "footer closes issue 2",
            "footer closes o/r issue 3",
            "footer refs issue 5",
            "footer fixes issue 6",
            "footer fixes issue 7"
        ]
    );
    assert_eq!(
        found(
            "fix: x (#3)\n\nhttps://git.example/o/r/pull/8#issue and https://gitlab.com/o/r/-/issues/9\n\nCloses: #3"
        ),
        ["subject - pr 3", "body - o/r pr 8", "body - o/r issue 9", "footer closes issue 3"]
    );
    assert_eq!(
        found(
            "fix: x\n\nCloses g/s/r#1, g/s/r!2 and https://dev.azure.com/o/p/_workitems/edit/3 (o/r@0123abc).\nhttps://git.example/o/r/commit/0123456789abcdef https://dev.azure.com/o/p/_git/r/pullrequest/4 https://github.com/advisories/GHSA-aaaa-bbbb-cccc https://github.com/o/r/issues/new a@b.example o/r@v1.2.3 o/r@0123abX"
        ),
        [
            "body closes g/s/r issue 1",
            "body closes g/s/r pr 2",
            "body closes o/p work_item 3",
            "body - o/r commit 0123abc",
            "body - o/r commit 0123456789abcdef",
            "body - o/p/_git/r pr 4",
            "body - advisory GHSA-aaaa-bbbb-cccc",
        ]
    );
    assert_eq!(
        found(
            "revert: x\n\nThis reverts commit 1234567890abcdef. CVE-2024-12345 GHSA-aaaa-bbbb-cccc AB#7 !8 GH-9\n\n(cherry picked from commit abcdef1)"
        ),
        [
            "body reverts commit 1234567890abcdef",
            "body - advisory CVE-2024-12345",
            "body - advisory GHSA-aaaa-bbbb-cccc",
            "body - work_item 7",
            "body - pr 8",
            "body - issue 9",
            "body cherry-picked commit abcdef1"
        ]
    );
}

proptest! {
    #[test]
    fn never_panics(message in ".{0,40}(\n.{0,30}){0,6}") {
        let _ = parse(&message);
    }

    #[test]
    fn never_panics_behind_a_header(rest in "([a-zA-Z#:\\-`*! \r\u{a0}\u{e4}]{0,20}\n|BREAKING CHANGE: |Closes #1, |```\n|\n){0,12}") {
        let message = format!("feat: x\n{rest}");
        let message = parse(&message).unwrap();
        prop_assert_eq!(message.description, "x");
        prop_assert!(message.footers.iter().all(|footer| !footer.value.is_empty()));
    }

    #[test]
    fn reads_back_what_was_written(
        kind in "[a-z]{1,8}", scope in proptest::option::of("[a-z]{1,8}"), bang: bool,
        description in "[a-z][a-z ]{0,20}[a-z]", body in proptest::option::of("[a-z]{1,9}( [a-z]{1,9}){0,4}"),
        tokens in proptest::collection::vec(("[A-Z][a-z]{1,5}(-[a-z]{1,5})?", "[a-z]{1,9}"), 0..4),
    ) {
        let mut text = kind.clone();
        if let Some(scope) = &scope {
            text += &format!("({scope})");
        }
        text += if bang { "!: " } else { ": " };
        text += &description;
        if let Some(body) = &body {
            text += &format!("\n\n{body}");
        }
        text += if tokens.is_empty() { "" } else { "\n" };
        for (token, value) in &tokens {
            text += &format!("\n{token}: {value}");
        }
        let message = parse(&text).unwrap();
        prop_assert_eq!(message.kind.as_ref(), kind);
        prop_assert_eq!(message.scopes, scope.as_deref().into_iter().collect::<Vec<_>>());
        prop_assert_eq!(message.breaking, bang);
        prop_assert_eq!(message.description, description);
        prop_assert_eq!(message.body.as_deref(), body.as_deref());
        let found: Vec<_> = message.footers.iter().map(|f| (f.token.to_owned(), f.value.to_owned())).collect();
        prop_assert_eq!(found, tokens);
    }
}
