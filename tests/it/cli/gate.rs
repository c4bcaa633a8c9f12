//! `gate` and `evidence`: fails closed.

use crate::support::command::{Run, kyklos};
use crate::support::repository::Repository;

const POLICY: &str = "apiVersion: kyklos.release/v1
kind: ReleasePolicy
metadata: { name: app, expires: 2999-01-01 }
defaults: { maxAge: 24h }
profiles:
  pre-release: { gates: [unit] }
gates:
  unit: { type: tests, minTests: 2 }
";

const GOOD: &str = r#"{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"run","Package":"p","Test":"B"}
{"Action":"pass","Package":"p","Test":"B"}
{"Action":"pass","Package":"p"}
"#;

fn repository(policy: &str) -> Repository {
    let repository = Repository::new();
    repository.write("policies/release.yaml", policy);
    repository.commit("feat: start");
    repository
}

fn run(repository: &Repository) -> Run {
    kyklos(repository.path()).args("gate run --format json").run()
}

fn add(repository: &Repository, report: &str) -> Run {
    repository.write("unit.json", report);
    kyklos(repository.path()).args("evidence add unit.json --kind gotest").run()
}

fn state(run: &Run) -> String {
    run.json()["data"]["gates"][0]["state"].as_str().unwrap().to_owned()
}

#[test]
fn evidence_of_this_commit_passes() {
    let repository = repository(POLICY);
    let _ = add(&repository, GOOD).expect(0);
    let verdict = run(&repository).expect(0);
    assert_eq!(verdict.json()["data"]["verdict"], "pass");
    assert_eq!(verdict.json()["data"]["gates"][0]["measured"], "2 passed, 0 failed, 0 skipped");
    assert_eq!(verdict.json()["data"]["gates"][0]["evidence"][0]["trust"], "bound");
    insta::assert_snapshot!(kyklos(repository.path()).args("gate run").run().stdout().lines().next().unwrap(), @"pass   unit  2 passed, 0 failed, 0 skipped");
}

#[test]
fn a_failed_test_is_a_no() {
    let repository = repository(POLICY);
    let _ = add(
        &repository,
        &GOOD.replace(
            "\"pass\",\"Package\":\"p\",\"Test\":\"B\"",
            "\"fail\",\"Package\":\"p\",\"Test\":\"B\"",
        ),
    )
    .expect(0);
    let verdict = run(&repository).expect(1);
    assert_eq!(state(&verdict), "fail");
    assert_eq!(verdict.json()["data"]["gates"][0]["measured"], "1 failed: p.B; 1 passed");
}

#[test]
fn nothing_passes_without_a_fact() {
    type Spoil<'a> = &'a dyn Fn(&Repository);
    let hostile: &[(&str, Spoil<'_>)] = &[
        ("no evidence", &|_| {}),
        ("an empty file", &|repository| {
            repository.write("evidence/unit.json", "");
        }),
        ("a cut file", &|repository| {
            repository.write("evidence/unit.json", &GOOD[..100]);
        }),
        ("another file", &|repository| {
            repository.write("evidence/unit.json", GOOD.replace("\"A\"", "\"C\""));
        }),
        ("no file", &|repository| {
            std::fs::remove_file(repository.path().join("evidence/unit.json")).unwrap();
        }),
        ("garbage in the envelope", &|repository| {
            repository.write("evidence/unit.json.evidence.json", "{");
        }),
        ("another commit", &|repository| {
            repository.commit("feat: more");
        }),
        ("an old file", &|repository| {
            let path = repository.path().join("evidence/unit.json.evidence.json");
            let text = std::fs::read_to_string(&path).unwrap();
            let (before, after) = text.split_once("\"produced\": \"").unwrap();
            let rest = after.split_once('"').unwrap().1;
            std::fs::write(&path, format!("{before}\"produced\": \"2020-01-01T00:00:00Z\"{rest}")).unwrap();
        }),
    ];
    for (index, (name, spoil)) in hostile.iter().enumerate() {
        let repository = repository(POLICY);
        if index > 0 {
            let _ = add(&repository, GOOD).expect(0);
        }
        spoil(&repository);
        let verdict = run(&repository);
        assert_eq!(verdict.code(), 3, "{name}\n{}", verdict.show());
    }
}

#[test]
fn evidence_that_cannot_be_read_is_not_taken() {
    let repository = repository(POLICY);
    for report in ["", "garbage", &GOOD[..100]] {
        let run = add(&repository, report);
        assert_eq!(run.code(), 3, "{}", run.show());
        assert!(!repository.path().join("evidence").exists());
    }
}

#[test]
fn facts_anybody_could_have_typed_are_not_bound() {
    let policy = POLICY.replace("type: tests, minTests: 2", "type: checksums");
    let repository = repository(&policy);
    repository.write("sums.json", r#"{"matching":3,"mismatched":[],"missing":[],"unlisted":[]}"#);
    let _ = kyklos(repository.path()).args("evidence add sums.json --kind checksums").run().expect(0);
    let verdict = run(&repository).expect(3);
    assert_eq!(verdict.json()["data"]["gates"][0]["expected"], "sums.json to be bound");
    assert_eq!(verdict.json()["data"]["gates"][0]["measured"], "bare");
}

#[test]
fn a_waiver_shows_the_real_answer_and_an_old_one_blocks() {
    let day = |days: i64| {
        let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        now.checked_add(jiff::Span::new().days(days)).unwrap().to_string()
    };
    let policy = |expires: &str| {
        POLICY.replace("profiles:", &format!("waivers:\n  items:\n    - {{ gate: unit, reason: flaky, issue: '#1', approvedBy: Ada, expires: {expires} }}\nprofiles:"))
    };
    let bad = GOOD
        .replace("\"pass\",\"Package\":\"p\",\"Test\":\"B\"", "\"fail\",\"Package\":\"p\",\"Test\":\"B\"");
    for (expires, report, code, expected) in [
        (day(7), &bad, 0, "waived"),
        (day(-1), &bad, 3, "error"),
        (day(300), &bad, 3, "error"),
        (day(7), &GOOD.to_owned(), 3, "error"),
    ] {
        let repository = repository(&policy(&expires));
        let _ = add(&repository, report).expect(0);
        let verdict = run(&repository);
        assert_eq!(
            (verdict.code(), state(&verdict).as_str()),
            (code, expected),
            "{expires}\n{}",
            verdict.show()
        );
    }
}

#[test]
fn a_policy_that_decides_nothing_or_something_else_is_refused() {
    let cases = [
        ("gates: [unit]", "gates: []", "runs no gate"),
        ("gates: [unit]", "gates: [unti]", "did you mean `unit`?"),
        ("type: tests", "type: test", "did you mean `tests`?"),
        ("minTests: 2", "minTest: 2", "minTests"),
        ("minTests: 2", "minTests: many", "minTests"),
        ("minTests: 2", "minTests: 2, level: hard", "level"),
        ("maxAge: 24h", "maxAge: soon", "no time such as 24h"),
        ("kind: ReleasePolicy", "kind: Policy", "ReleasePolicy"),
        ("2999-01-01", "2020-01-01", "ended on 2020-01-01"),
        ("profiles:", "profile:", "did you mean `profiles`?"),
    ];
    for (from, to, told) in cases {
        let repository = repository(&POLICY.replace(from, to));
        let _ = add(&repository, GOOD).expect(0);
        let run = kyklos(repository.path()).args("gate run").run();
        assert_eq!(run.code(), 2, "{to}\n{}", run.show());
        assert!(run.stderr().contains(told), "{to}\n{}", run.show());
    }
}

#[test]
fn expressions_are_checked_before_they_are_believed() {
    let policy = |expr: &str| {
        format!(
            "apiVersion: kyklos.release/v1\nkind: ReleasePolicy\nmetadata: {{ name: app }}\nprofiles: {{ pre-release: {{ gates: [it] }} }}\ngates:\n  it: {{ type: custom, evidence: {{ todo: json }}, expr: \"{expr}\" }}\n"
        )
    };
    let many = (0..2000).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let document = format!(r#"{{"open":1,"items":[],"some":[{{"done":true}}],"many":[{many}]}}"#);
    for (expr, code) in [
        ("todo.open == 1", 0),
        ("todo.open > 1", 1),
        ("todo.opn == 1", 3),
        ("todo.items.all(i, i.done)", 3),
        ("todo.items .all(i, i.done)", 3),
        ("!todo.items.exists(i, i.done)", 3),
        ("todo.items.filter(i, !i.done).size() == 0", 3),
        ("todo.some.all(i, i.done)", 0),
        ("todo.some.all(i, i.dome)", 3),
        ("todo['open'] == 1", 2),
        ("todo.open", 3),
        ("todo.open.deep == 1", 3),
        ("tood.open == 1", 2),
        ("true", 2),
        ("todo.open ==", 2),
        ("todo.some.filter(i, !i.done).all(i, i.done)", 3),
        ("todo.some.filter(i, i.done).all(i, i.done)", 0),
        ("todo.some.all(i, true)", 2),
        ("todo.open == 1 || true", 2),
        ("todo.open == 7 ? true : false", 1),
        ("todo.some.exists(i, todo.many.all(j, j < 9999 && i.done))", 0),
        ("todo.many.all(i, todo.many.all(j, i + j >= 0))", 3),
        ("todo.some.all(i, i.done && todo.opn == 1)", 3),
        ("has(todo.opn)", 3),
        ("todo.open + 1 == 2 && todo.open - 2 < 0", 0),
    ] {
        let repository = repository(&policy(expr));
        repository.write("todo.json", &document);
        let _ = kyklos(repository.path()).args("evidence add todo.json --kind json").run().expect(0);
        let run = kyklos(repository.path()).args("gate run").run();
        assert_eq!(run.code(), code, "{expr}\n{}", run.show());
    }
}

#[test]
fn gates_explain_themselves() {
    let json =
        kyklos(std::path::Path::new("/")).args("gate explain sbom --format json").run().expect(0).json();
    assert_eq!(json["data"]["type"], "sbom");
    assert!(json["data"]["page"].as_str().unwrap().starts_with("# Gate `sbom`"), "{json}");
    let here = tempfile::tempdir().unwrap();
    let names = kyklos(here.path()).args("gate list").run().expect(0).stdout();
    assert_eq!(names, "approvals\nchangelog\nchecksums\ncustom\nimage\nsbom\nsignatures\ntests\n");
    for name in names.lines() {
        let page = kyklos(here.path()).args("gate explain").arg(name).run().expect(0).stdout();
        assert!(page.starts_with("# Gate"), "{page}");
    }
    assert!(
        kyklos(here.path())
            .args("gate explain imag")
            .run()
            .expect(2)
            .stderr()
            .contains("did you mean `image`?")
    );
}

#[test]
fn a_number_that_yaml_versions_read_differently_is_refused() {
    for written in ["010", "1_000", "yes", "1e3"] {
        let repository = repository(&POLICY.replace("minTests: 2", &format!("minTests: {written}")));
        let refused = run(&repository).expect(2);
        let message = refused.json()["diagnostics"][0]["message"].as_str().unwrap().to_owned();
        assert!(
            message.starts_with("gate `unit`: invalid type: ") && message.ends_with(", expected u64"),
            "{message}"
        );
    }
}

#[test]
fn a_verdict_is_told_in_every_format() {
    let repository = repository(
        &POLICY.replace("gates: [unit]", "gates: [unit, words, only]").replace(
            "gates:\n",
            "gates:\n  words: { type: changelog, level: warn, minEntries: 9 }\n  only: { type: image, when: image }\n",
        ),
    );
    repository.write("CHANGELOG.md", "# <1> & \"2\"\n\n- a\n");
    let _ = kyklos(repository.path()).args("evidence add CHANGELOG.md --kind changelog").run().expect(0);
    let told = |format: &str| kyklos(repository.path()).args("gate run --format").arg(format).run().expect(3);
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let plain = |run: &Run| run.stdout().replace(&commit, "COMMIT");
    insta::assert_snapshot!(plain(&told("junit")), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="pre-release of v0.1.0 at COMMIT" tests="3" failures="0" errors="1" skipped="1">
        <properties><property name="verdict" value="error"/></properties>
        <testcase classname="tests" name="unit"><error message="expected evidence of kind gotest or junit; found none">`kyklos-release evidence add FILE --kind gotest`</error></testcase>
        <testcase classname="changelog" name="words"><system-out>warning: expected a heading with 0.1.0 and at least 9 entries; found no heading of CHANGELOG.md names 0.1.0; 1 entry</system-out></testcase>
        <testcase classname="image" name="only"><skipped message="only for a release with an image"/></testcase>
      </testsuite>
    </testsuites>
    "#);
    insta::assert_snapshot!(told("github").stdout(), @r"
    ::error file=policies/release.yaml,title=gate-error::unit: expected evidence of kind gotest or junit; found none%0A`kyklos-release evidence add FILE --kind gotest`
    ::warning file=policies/release.yaml,title=gate-warn::words: expected a heading with 0.1.0 and at least 9 entries; found no heading of CHANGELOG.md names 0.1.0; 1 entry%0Awrite the missing entries, or look at `kyklos-release notes generate`
    ");
    insta::assert_snapshot!(told("markdown").stdout(), @r"
    | gate | state | expected | found |
    |---|---|---|---|
    | unit | error | evidence of kind gotest or junit | none |
    | words | warn | a heading with 0.1.0 and at least 9 entries | no heading of CHANGELOG.md names 0.1.0; 1 entry |
    | only | n/a | only for a release with an image | no image |
    ");
    let report = kyklos_release::format::junit::read(told("junit").stdout().as_bytes()).unwrap();
    assert_eq!((report.passed, report.failed.len(), report.skipped), (1, 1, 1), "our own reader agrees");
    let sarif = told("sarif").json();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let codes: Vec<_> = results.iter().map(|one| (one["ruleId"].clone(), one["level"].clone())).collect();
    assert_eq!(codes, [("gate-error".into(), "error".into()), ("gate-warn".into(), "warning".into())]);
    let answer = told("json").json();
    assert_eq!(answer["diagnostics"][0]["code"], "gate-error");
    assert_eq!(answer["diagnostics"][1]["severity"], "warning");
}

#[test]
fn sizes_and_times_that_are_read_differently_are_refused() {
    for (gate, told) in [
        ("type: image, maxSize: 010", "`maxSize` \"010\" is no size such as 50MB"),
        ("type: image, maxSize: 1_000", "`maxSize` \"1_000\" is no size such as 50MB"),
        ("type: image, maxSize: 1e6", "is no size such as 50MB"),
        ("type: image, maxGrowth: 010", "expected u32"),
        ("type: image, forbidShell: yes", "expected a boolean"),
        ("type: changelog, minEntries: 010", "expected u64"),
        ("type: tests, minTests: 1, maxFailed: 1_0", "expected u64"),
        ("type: tests, minTests: 1, maxSkipped: 007", "expected u64"),
        ("type: tests, minTests: 1, maxAge: 1_0h", "no time such as 24h"),
        ("type: tests, minTests: 1, maxAge: 24", "no time such as 24h"),
        ("type: approvals, count: 01", "expected u64"),
    ] {
        let repository = repository(&POLICY.replace("type: tests, minTests: 2", gate));
        let refused = run(&repository).expect(2);
        let message = refused.json()["diagnostics"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(told), "{gate}: {message}");
    }
}

#[test]
fn an_expression_without_end_ends_in_an_error() {
    let policy = |expr: &str| {
        format!(
            "apiVersion: kyklos.release/v1\nkind: ReleasePolicy\nmetadata: {{ name: app }}\nprofiles: {{ pre-release: {{ gates: [it] }} }}\ngates:\n  it: {{ type: custom, evidence: {{ todo: json }}, expr: '{expr}' }}\n"
        )
    };
    for (expr, told) in [
        (format!("todo{}", ".open".repeat(200_000)), "at most 4096 are read"),
        (format!("todo.open{} > 1", " + 1".repeat(1000)), "`expr` has 1002 signs"),
        (format!("todo.open == \"{}\"", "x".repeat(5000)), "at most 4096 are read"),
    ] {
        let run = kyklos(repository(&policy(&expr)).path()).args("gate run").run().expect(2);
        assert!(run.stderr().contains(told), "{}", run.show());
    }
    // As much as is read does not exhaust the stack.
    for (expr, code) in [
        (format!("todo{}", ".a".repeat(500)), 2),
        (format!("todo{}", ".a".repeat(99)), 3),
        (format!("todo.a{} > 1", "+1".repeat(498)), 2),
        (format!("todo.a{} > 1", "+1".repeat(96)), 0),
        (format!("todo.b{}", " && todo.b".repeat(160)), 0),
        (format!("{}todo.b", "!".repeat(85)), 1),
        (format!("{}todo.a > 0{}", "(".repeat(90), ")".repeat(90)), 0),
    ] {
        let repository = repository(&policy(&expr));
        repository.write("todo.json", r#"{"a":1,"b":true}"#);
        let _ = kyklos(repository.path()).args("evidence add todo.json --kind json").run().expect(0);
        let run = kyklos(repository.path()).args("gate run").run();
        assert_eq!(run.code(), code, "{}", run.stderr());
    }
}

#[test]
fn a_gate_is_waived_once() {
    let waiver = "{ gate: it, reason: r, issue: i, approvedBy: ada, expires: 2099-01-01 }";
    let repository = repository(&format!(
        "apiVersion: kyklos.release/v1\nkind: ReleasePolicy\nmetadata: {{ name: app }}\nprofiles: {{ pre-release: {{ gates: [it] }} }}\ngates: {{ it: {{ type: tests, minTests: 1 }} }}\nwaivers: {{ items: [{waiver}, {waiver}] }}\n"
    ));
    let run = kyklos(repository.path()).args("gate run").run().expect(2);
    assert!(run.stderr().contains("`it` is waived twice: nobody could tell until when"), "{}", run.show());
}

#[test]
fn evidence_with_a_key_that_stands_twice_is_not_taken() {
    let repository = Repository::new();
    repository.commit("feat: start");
    repository.write("todo.json", r#"{"open":1,"open":0}"#);
    let run = kyklos(repository.path()).args("evidence add todo.json --kind json").run().expect(3);
    assert!(run.stderr().contains("key `open` stands twice"), "{}", run.show());
}
