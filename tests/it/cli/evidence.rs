//! What evidence is worth: bare, bound, attested; and what is done to it by somebody without a key.

use std::path::Path;

use serde_json::Value;

use crate::support::command::{Run, kyklos};
use crate::support::repository::Repository;

const GOOD: &str = r#"{"Action":"start","Package":"p"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"pass","Package":"p"}
"#;

const SUMS: &str = r#"{"matching":3,"mismatched":[],"missing":[],"unlisted":[]}"#;

const ME: &str = "https://example.com/me";

/// A repository whose policy runs one gate, with the trust root `trust`.
fn repository(gate: &str) -> Repository {
    let repository = Repository::new();
    let policy = format!(
        "apiVersion: kyklos.release/v1\nkind: ReleasePolicy\nmetadata: {{ name: app }}\nprofiles: {{ pre-release: {{ gates: [it] }} }}\ngates: {{ it: {gate} }}\n"
    );
    repository.write("policies/release.yaml", policy);
    repository.write(".gitignore", "trust/\nother/\nevidence/\nout/\ndist/\n*.json\n");
    repository.commit("feat: start");
    mint(&repository, "trust", ME);
    repository
}

fn mint(repository: &Repository, place: &str, who: &str) {
    let _ = run(repository, &format!("trust create {place} --identity {who}")).expect(0);
}

fn run(repository: &Repository, line: &str) -> Run {
    kyklos(repository.path()).args(line).run()
}

/// Flags of somebody who believes one signer.
fn believe(place: &str, who: &str) -> String {
    format!(
        "--trusted-root {place}/trusted_root.json --identity {who} --issuer https://kyklos-release.invalid/local"
    )
}

fn add(repository: &Repository, name: &str, content: &str, more: &str) -> Run {
    repository.write(name, content);
    run(repository, &format!("evidence add {name} {more}"))
}

/// The answer of the gate: exit code, state, what it expected and what it found.
fn judged(repository: &Repository, more: &str) -> (i32, String, String, String) {
    let run = run(repository, &format!("gate run --format json {more}"));
    let gate = &run.json()["data"]["gates"][0];
    let text = |key: &str| gate[key].as_str().unwrap().to_owned();
    (run.code(), text("state"), text("expected"), text("measured"))
}

fn listed(repository: &Repository, more: &str) -> Vec<Value> {
    let answer = run(repository, &format!("evidence list --format json {more}")).expect(0).json();
    answer["data"].as_array().unwrap().clone()
}

#[test]
fn every_state_is_told_and_can_be_asked_for() {
    // What was added, with which flags; its trust for somebody who believes nobody, and who believes the signer.
    let cases = [
        ("tests, minTests: 1", "unit.json", GOOD, "--kind gotest", "bound", "bound"),
        ("tests, minTests: 1", "unit.json", GOOD, "--kind gotest --attest trust", "bound", "attested"),
        ("checksums", "sums.json", SUMS, "--kind checksums", "bare", "bare"),
        ("checksums", "sums.json", SUMS, "--kind checksums --attest trust", "bare", "attested"),
    ];
    let order = ["bare", "bound", "attested"];
    for (gate, name, content, flags, unknown, known) in cases {
        for (least, require) in order.iter().enumerate() {
            let repository = repository(&format!("{{ type: {gate}, require: {require} }}"));
            let _ = add(&repository, name, content, flags).expect(0);
            for (flags, trust) in [(String::new(), unknown), (believe("trust", ME), known)] {
                assert_eq!(listed(&repository, &flags)[0]["trust"], trust);
                let (code, state, expected, measured) = judged(&repository, &flags);
                if order.iter().position(|word| *word == trust).unwrap() >= least {
                    assert_eq!((code, state.as_str()), (0, "pass"), "{gate} {require}: {measured}");
                } else {
                    assert_eq!((code, state.as_str()), (3, "error"), "{gate} {require}");
                    assert_eq!((expected, measured), (format!("{name} to be {require}"), trust.to_owned()));
                }
            }
        }
    }
}

#[test]
fn the_answer_of_add_says_what_it_is() {
    let repository = repository("{ type: tests, minTests: 1 }");
    repository.write("app.bin", "app");
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let index = format!("sha256:{}", "1".repeat(64));
    let platform = format!("sha256:{}", "2".repeat(64));
    let flags = format!(
        "--kind gotest --attest trust --index {index} --platform {platform} --asset app.bin --format json"
    );
    let answer = add(&repository, "unit.json", GOOD, &flags).expect(0).json();
    assert_eq!(answer["schema"], "kyklos-release/evidence-add/v1");
    let data = &answer["data"];
    assert_eq!((&data["path"], &data["kind"]), (&"unit.json".into(), &"gotest".into()));
    assert_eq!((&data["trust"], &data["commit"]), (&"attested".into(), &commit.into()));
    assert_eq!((&data["index"], &data["platforms"][0]), (&index.into(), &platform.into()));
    let app = kyklos_release::model::Digest::of(b"app").to_string();
    assert_eq!(data["assets"], serde_json::json!({ "app.bin": app }));
    let mut same = listed(&repository, &believe("trust", ME));
    assert_eq!(same.remove(0), *data);
}

#[test]
fn a_signature_that_does_not_hold_spoils_what_it_stands_beside() {
    type Spoil<'a> = &'a dyn Fn(&Repository, &Path);
    let swap = |path: &Path, from: &str, to: &str| {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    let cases: &[(&str, &str, Spoil<'_>)] = &[
        ("another file", "its envelope is for other content", &|_, at| {
            swap(&at.join("unit.json"), "\"A\"", "\"B\"");
        }),
        ("a file and its envelope", "the signature is over other bytes", &|_, at| {
            let old = kyklos_release::model::Digest::of(GOOD.as_bytes()).to_string();
            swap(&at.join("unit.json"), "\"A\"", "\"B\"");
            let new = kyklos_release::model::Digest::of(&std::fs::read(at.join("unit.json")).unwrap());
            swap(&at.join("unit.json.evidence.json"), &old, &new.to_string());
        }),
        ("another time", "the envelope says something else than what was signed", &|_, at| {
            swap(&at.join("unit.json.evidence.json"), "\"produced\": \"20", "\"produced\": \"10");
        }),
        ("another image", "the envelope says something else than what was signed", &|_, at| {
            let index = format!("\"index\": \"sha256:{}\",\n  \"produced\"", "1".repeat(64));
            swap(&at.join("unit.json.evidence.json"), "\"produced\"", &index);
        }),
        ("a damaged bundle", "its signature does not vouch for it: ", &|_, at| {
            swap(&at.join("unit.json.evidence.sigstore.json"), "\"sig\":\"", "\"sig\":\"AAAA");
        }),
        ("no bundle at all", "its signature does not vouch for it: the bundle cannot be read", &|_, at| {
            std::fs::write(at.join("unit.json.evidence.sigstore.json"), "{}").unwrap();
        }),
        (
            "another signer",
            "not by the expected signer; expected https://example.com/me",
            &|repository, _| {
                mint(repository, "other", "https://example.com/evil");
                let all = std::fs::read_to_string(repository.path().join("other/trusted_root.json")).unwrap();
                std::fs::write(repository.path().join("trust/trusted_root.json"), all).unwrap();
                let _ = add(repository, "unit.json", GOOD, "--kind gotest --attest other").expect(0);
            },
        ),
        ("another trust root", "the signature does not hold", &|repository, _| {
            mint(repository, "other", ME);
            let _ = add(repository, "unit.json", GOOD, "--kind gotest --attest other").expect(0);
        }),
        ("a signature of something else", "the signature is over other bytes", &|repository, at| {
            let _ = add(repository, "else.json", "{}", "--kind json --attest trust").expect(0);
            let from = at.join("else.json.evidence.sigstore.json");
            std::fs::rename(from, at.join("unit.json.evidence.sigstore.json")).unwrap();
            std::fs::remove_file(at.join("else.json.evidence.json")).unwrap();
        }),
    ];
    for (name, told, spoil) in cases {
        // Nobody asked for a signature, and still: one that is there and does not hold is no reason to go on.
        let repository = repository("{ type: tests, minTests: 1 }");
        let _ = add(&repository, "unit.json", GOOD, "--kind gotest --attest trust").expect(0);
        spoil(&repository, &repository.path().join("evidence"));
        let (code, state, _, measured) = judged(&repository, &believe("trust", ME));
        assert_eq!((code, state.as_str()), (3, "error"), "{name}: {measured}");
        assert!(measured.contains(told), "{name}: {measured}");
        let problem = listed(&repository, &believe("trust", ME))[0]["problem"].as_str().unwrap().to_owned();
        assert!(problem.contains(told), "{name}: {problem}");
    }
}

#[test]
fn evidence_of_another_commit_is_not_made_fit_by_its_envelope() {
    let repository = repository("{ type: tests, minTests: 1, require: attested }");
    let _ = add(&repository, "unit.json", GOOD, "--kind gotest --attest trust").expect(0);
    let old = repository.git(&["rev-parse", "HEAD"]);
    assert_eq!(judged(&repository, &believe("trust", ME)).0, 0);
    let new = repository.commit("feat: more");
    let (code, _, expected, measured) = judged(&repository, &believe("trust", ME));
    assert_eq!(
        (code, expected, measured),
        (3, format!("unit.json for commit {new}"), format!("for commit {old}"))
    );
    let path = repository.path().join("evidence/unit.json.evidence.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&old, &new)).unwrap();
    let (code, _, _, measured) = judged(&repository, &believe("trust", ME));
    assert_eq!(code, 3);
    assert!(measured.ends_with("the envelope says something else than what was signed"), "{measured}");
    // A commit that was signed for another one by its name, and a name that is none.
    let line = format!("evidence add unit.json --kind gotest --attest trust --commit {old}");
    let _ = run(&repository, &line).expect(0);
    assert_eq!(judged(&repository, &believe("trust", ME)).3, format!("for commit {old}"));
    assert_eq!(run(&repository, "evidence add unit.json --kind gotest --commit HEAD~1").code(), 2);
}

#[test]
fn adding_again_forgets_the_old_signature() {
    let repository = repository("{ type: tests, minTests: 1 }");
    let _ = add(&repository, "unit.json", GOOD, "--kind gotest --attest trust").expect(0);
    let _ = add(&repository, "unit.json", GOOD, "--kind gotest").expect(0);
    assert!(!repository.path().join("evidence/unit.json.evidence.sigstore.json").exists());
    assert_eq!(listed(&repository, &believe("trust", ME))[0]["trust"], "bound");
}

#[test]
fn evidence_is_bound_to_files_and_platforms() {
    let repository = repository("{ type: tests, minTests: 1 }");
    repository.write("dist/app", "app");
    let _ = add(&repository, "unit.json", GOOD, "--kind gotest --asset dist/app").expect(0);
    let app = kyklos_release::model::Digest::of(b"app");
    let (code, _, expected, measured) = judged(&repository, "");
    assert_eq!(
        (code, expected.as_str(), measured),
        (3, "unit.json for app, a file of the release", format!("for {app}"))
    );
    assert_eq!(judged(&repository, "--dist dist").0, 0);
    repository.write("dist/app", "another");
    let another = kyklos_release::model::Digest::of(b"another");
    let (code, _, expected, _) = judged(&repository, "--dist dist");
    assert_eq!((code, expected), (3, format!("unit.json for app, {another}")));
    let _ = add(&repository, "unit.json", GOOD, &format!("--kind gotest --platform {app}")).expect(0);
    let (code, _, expected, _) = judged(&repository, "--dist dist");
    assert_eq!((code, expected.as_str()), (3, "unit.json for platforms of the image"));
}

#[test]
fn what_lies_in_no_envelope_is_pointed_at() {
    let repository = repository("{ type: tests, minTests: 1 }");
    assert_eq!(run(&repository, "evidence list").expect(0).show(), "exit 0\n--- stdout\n--- stderr\n");
    repository.write("evidence/unit.json", GOOD);
    let run = run(&repository, "evidence list").expect(0);
    assert_eq!(
        run.stderr(),
        "warning: unit.json lies in no envelope and proves nothing; `evidence add` it\n"
    );
    assert_eq!(judged(&repository, "").3, "none");
}

#[test]
fn evidence_is_not_called_like_what_lies_around_it() {
    let repository = repository("{ type: tests, minTests: 1 }");
    for name in ["a.evidence.json", "a.evidence.sigstore.json"] {
        let run = add(&repository, name, "{}", "--kind json").expect(2);
        assert!(run.stderr().contains("error[evidence-name]"), "{}", run.show());
    }
    let _ = add(&repository, "evidence.json", "{}", "--kind json").expect(0);
    assert_eq!(listed(&repository, "").len(), 1);
}

#[test]
fn keys_that_are_not_there_are_told() {
    let repository = repository("{ type: tests, minTests: 1 }");
    let run = add(&repository, "unit.json", GOOD, "--kind gotest --attest nowhere").expect(2);
    assert!(
        run.stderr().contains("error[file-missing]") && run.stderr().contains("nowhere"),
        "{}",
        run.show()
    );
    assert!(!repository.path().join("evidence").exists(), "nothing was added");
    assert_eq!(self::run(&repository, "evidence list --identity x").code(), 2, "half a signer is none");
}

/// A tagged release with a policy that asks for approvals.
fn approvable(version: &str, settings: &str) -> Repository {
    let repository = repository(&format!("{{ type: approvals{settings} }}"));
    repository.tag(version);
    repository.write("dist/app", "app");
    repository
}

fn publish(repository: &Repository, tag: &str, more: &str) -> Run {
    run(repository, &format!("publish {tag} --dist dist --forge dir:out/forge {more}"))
}

#[test]
fn a_release_waits_until_somebody_approves_it() {
    let repository = approvable("v1.0.0", ", when: major");
    let asked = publish(&repository, "v1.0.0", "").expect(3);
    assert!(asked.stdout().contains("expected evidence of kind approval"), "{}", asked.show());
    assert!(!repository.path().join("out").exists());
    let seen = publish(&repository, "v1.0.0", "--approve ada --dry-run").expect(0);
    assert!(seen.stdout().contains("publish v1.0.0\n"), "{}", seen.show());
    assert!(!repository.path().join("out").exists());
    let done = publish(&repository, "v1.0.0", "--approve ada").expect(0);
    assert_eq!(
        done.show(),
        "exit 0\n--- stdout\nv1.0.0 is published\n--- stderr\n".to_owned() + &done.stderr()
    );
    let empty =
        kyklos(repository.path()).args("publish v1.0.0 --forge dir:out/forge --approve").arg(" ").run();
    assert_eq!(empty.code(), 2, "{}", empty.show());
}

#[test]
fn only_a_major_version_waits_where_the_policy_says_so() {
    for (tag, code) in [("v1.0.0", 3), ("v2.0.0-rc.1", 3), ("v1.0.1", 3), ("v1.1.0", 3), ("v0.0.0", 3)] {
        let repository = approvable(tag, "");
        assert_eq!(publish(&repository, tag, "").code(), code, "{tag}");
    }
    for (tag, state) in [("v1.0.0", "error"), ("v2.0.0-rc.1", "error"), ("v1.0.1", "n/a"), ("v0.1.0", "n/a")]
    {
        let repository = approvable(tag, ", when: major");
        let (_, found, expected, measured) = judged(&repository, &format!("--tag {tag}"));
        assert_eq!(found, state, "{tag}");
        if state == "n/a" {
            assert_eq!((expected.as_str(), measured.as_str()), ("only for a new major version", &tag[1..]));
        }
    }
}

#[test]
fn approvals_are_counted_by_person() {
    let repository = approvable("v1.0.0", ", count: 2, from: [ada, grace, alan]");
    for (who, code, measured) in [
        ("--approve ada", 1, "ada"),
        ("--approve ada --approve ada", 1, "ada"),
        ("--approve ada --approve eve", 1, "ada"),
        ("--approve eve", 1, "nobody's"),
        ("--approve ada --approve grace", 0, "ada, grace"),
    ] {
        let (found, _, expected, told) = judged(&repository, &format!("--tag v1.0.0 {who}"));
        assert_eq!((found, told.as_str()), (code, measured), "{who}");
        assert_eq!(expected, "2 approvals from ada, grace, alan");
    }
    for (settings, told) in [
        (", count: 0", "a release that nobody approved would pass"),
        (", count: 2, from: [ada]", "no release could pass"),
    ] {
        let run = run(&approvable("v1.0.0", settings), "gate run --tag v1.0.0").expect(2);
        assert!(run.stderr().contains(told), "{}", run.show());
    }
}

#[test]
fn a_written_approval_is_of_one_release_and_as_good_as_its_signature() {
    let repository = approvable("v1.0.0", "");
    let rid = run(&repository, "plan v1.0.0").expect(0).stdout().trim().to_owned();
    let other = format!("sha256:{}", "0".repeat(64));
    let approval = |rid: &str| format!(r#"{{"approved_by":"ada","rid":"{rid}"}}"#);
    let flags = format!("--evidence evidence {}", believe("trust", ME));
    let _ = add(&repository, "go.json", &approval(&rid), "--kind approval").expect(0);
    let typed = publish(&repository, "v1.0.0", &flags).expect(3);
    assert!(typed.stdout().contains("expected go.json to be bound"), "{}", typed.show());
    let _ = add(&repository, "go.json", &approval(&other), "--kind approval --attest trust").expect(0);
    let stale = publish(&repository, "v1.0.0", &flags).expect(3);
    assert!(stale.stdout().contains(&format!("go.json is for the release {other}")), "{}", stale.show());
    let _ = add(&repository, "go.json", &approval(&rid), "--kind approval --attest trust").expect(0);
    // Without the files nobody knows which release it is.
    assert_eq!(judged(&repository, &format!("--tag v1.0.0 {}", believe("trust", ME))).0, 3);
    assert_eq!(judged(&repository, &format!("--tag v1.0.0 --dist dist {}", believe("trust", ME))).0, 0);
    assert!(!repository.path().join("out").exists());
    let _ = publish(&repository, "v1.0.0", &flags).expect(0);
    for bad in [r#"{"approved_by":""}"#, r#"{"approved_by":"a\nb"}"#, r#"{"by":"ada"}"#, "ada"] {
        assert_eq!(add(&repository, "go.json", bad, "--kind approval").code(), 3, "{bad}");
    }
}

#[test]
fn an_approval_that_nobody_asked_for_is_told() {
    let repository = repository("{ type: tests, minTests: 1 }");
    let _ = add(&repository, "unit.json", GOOD, "--kind gotest").expect(0);
    let run = run(&repository, "gate run --approve ada").expect(0);
    assert_eq!(run.stderr(), "warning: no gate of the profile asks for an approval\n");
}

#[test]
fn a_rehearsal_can_be_approved() {
    let repository = repository("{ type: approvals }");
    let policy = std::fs::read_to_string(repository.path().join("policies/release.yaml")).unwrap();
    repository.write("policies/release.yaml", policy.replace("pre-release", "rehearse"));
    repository.commit("chore: rehearse with approvals");
    let asked = run(&repository, "rehearse -o out").expect(3);
    assert!(asked.stdout().contains("expected evidence of kind approval"), "{}", asked.show());
    let done = run(&repository, "rehearse -o out --approve ada").expect(0);
    assert!(done.stderr().contains("Judged pass it: ada"), "{}", done.show());
}

#[test]
fn people_with_keys_of_their_own_are_believed_together() {
    let you = "https://example.com/you";
    let repository = repository("{ type: approvals, count: 2, require: attested }");
    mint(&repository, "other", you);
    let approval = |who: &str| format!(r#"{{"approved_by":"{who}"}}"#);
    let _ = add(&repository, "ada.json", &approval("ada"), "--kind approval --attest trust").expect(0);
    let _ = add(&repository, "bob.json", &approval("bob"), "--kind approval --attest other").expect(0);
    let (me, other) = (believe("trust", ME), believe("other", you));
    // One issuer holds for both.
    let both = format!("{me} --trusted-root other/trusted_root.json --identity {you}");
    assert_eq!(judged(&repository, &both), (0, "pass".into(), "2 approvals".into(), "ada, bob".into()));
    for one in [&me, &other] {
        let (code, state, _, measured) = judged(&repository, one);
        assert_eq!((code, state.as_str()), (3, "error"), "{measured}");
        assert!(measured.contains("its signature does not vouch for it"), "{measured}");
    }
    let listed = listed(&repository, &format!("{me} {other}"));
    assert!(listed.iter().all(|item| item["trust"] == "attested"), "{listed:?}");
    // Nobody becomes somebody else by a trust root of his own.
    let swapped =
        both.replace(ME, "https://example.com/x").replace(you, ME).replace("https://example.com/x", you);
    assert_eq!(judged(&repository, &swapped).0, 3);
    let odd =
        run(&repository, &format!("gate run {me} --identity {you} --identity https://example.com/z {other}"));
    assert!(odd.expect(2).stderr().contains("--trusted-root once, or 4 times"));
}

#[test]
fn evidence_of_an_image_says_nothing_about_a_release_without_one() {
    let repository = repository("{ type: tests, minTests: 1 }");
    let index = format!("sha256:{}", "a".repeat(64));
    let _ = add(&repository, "unit.json", GOOD, &format!("--kind gotest --index {index}")).expect(0);
    let (code, state, expected, measured) = judged(&repository, "");
    assert_eq!((code, state.as_str()), (3, "error"));
    assert_eq!(expected, "unit.json for a release without an image");
    assert_eq!(measured, format!("for image {index}"));
    assert_eq!(judged(&repository, &format!("--index {index}")).0, 0);
}
