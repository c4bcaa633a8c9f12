//! The script of `manual --script` finishes what a killed run left, and may be stopped and run again itself.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Output};

use super::world::{Counter, End, Fixture, Run, foreign_draft, scratch, tree};
use crate::support::command::kyklos;

type Files = BTreeMap<String, Vec<u8>>;

/// What consumers and the next run see.
fn outcome(place: &Path) -> (Files, Files) {
    (tree(&place.join("forge")), tree(&place.join("registry")))
}

/// The world after a run that nothing disturbed, and how many points it passed.
fn undisturbed() -> ((Files, Files), usize) {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let counter = Counter::new(None, End::Unwind);
    fixture.publish(&counter, Run::default()).unwrap();
    (outcome(place.path()), counter.points())
}

/// A release whose run ended at a point.
fn killed(place: &Path, at: usize) -> Fixture {
    let fixture = Fixture::make(place);
    let counter = Counter::new(Some(at), End::Unwind);
    let ended = catch_unwind(AssertUnwindSafe(|| fixture.publish(&counter, Run::default())));
    assert!(ended.is_err(), "point {at} was not reached");
    std::fs::write(place.join("dist/release-manifest.json"), &fixture.plan.bytes).unwrap();
    fixture
}

const MANUAL: &str = "manual v1.2.0 --forge dir:forge --dist dist --script";

fn script(place: &Path) -> String {
    kyklos(place).args(MANUAL).run().expect(0).stdout()
}

/// Runs a script somewhere else, with nothing in its environment but the program it may need.
fn sh(text: &str, arguments: &[&str]) -> Output {
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("script.sh");
    std::fs::write(&path, text).unwrap();
    Command::new("sh")
        .arg(&path)
        .args(arguments)
        .current_dir(elsewhere.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("KYKLOS_RELEASE", env!("CARGO_BIN_EXE_kyklos-release"))
        .output()
        .unwrap()
}

#[track_caller]
fn ends(output: &Output, code: i32, told: &str) {
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(told), "{told}: {text}");
}

#[track_caller]
fn same(place: &Path, expected: &(Files, Files), what: &str) {
    let found = outcome(place);
    for (found, expected) in [(&found.0, &expected.0), (&found.1, &expected.1)] {
        let names: Vec<_> = found.keys().chain(expected.keys()).collect();
        let other: Vec<_> = names.iter().filter(|name| found.get(**name) != expected.get(**name)).collect();
        assert!(other.is_empty(), "{what}: {other:?}");
    }
}

#[test]
fn it_ends_where_an_undisturbed_run_ends() {
    let (expected, points) = undisturbed();
    // From the first call to the last one.
    for at in (0..points).step_by(points / 12).chain([points - 1]) {
        let place = scratch();
        let fixture = killed(place.path(), at);
        let before = tree(place.path());
        let text = script(place.path());
        assert!(tree(place.path()) == before, "making it changes nothing");
        ends(&sh(&text, &[]), 0, "v1.2.0 is published and complete\n");
        same(place.path(), &expected, &format!("after the end at point {at}"));
        ends(&sh(&text, &[]), 0, "v1.2.0 is published and complete\n");
        same(place.path(), &expected, &format!("a second time after point {at}"));
        let done = fixture.publish(&Counter::new(None, End::Unwind), Run { nonce: "cccc", ..Run::default() });
        assert_eq!(done.unwrap().changes, 0, "the tool finds nothing to do");
    }
}

#[test]
fn it_may_be_stopped_after_every_step() {
    let (expected, points) = undisturbed();
    let made = scratch();
    killed(made.path(), points / 3);
    let text = script(made.path());
    let steps: Vec<usize> = {
        let body = text.find("\nlock ").unwrap();
        let starts = text[body..].match_indices('\n').map(|(at, _)| body + at + 1);
        let step = |at: &usize| {
            let word = text[*at..].trim_start().split(' ').next().unwrap_or_default();
            ["attach", "asset", "written", "tag", "publish", "roll", "latest", "unlock"]
                .contains(&word.trim())
        };
        starts.filter(step).collect()
    };
    assert!(steps.len() > 10, "{text}");
    for at in steps {
        let place = scratch();
        killed(place.path(), points / 3);
        let text = script(place.path());
        // A stopped script leaves the block it is in.
        let stopped = format!("{}\nexit 9\n{}", &text[..at.min(text.len())], &text[at.min(text.len())..]);
        ends(&sh(&stopped, &[]), 9, "");
        ends(&sh(&text, &[]), 0, "v1.2.0 is published and complete\n");
        same(place.path(), &expected, &format!("stopped before {:?}", text[at..].lines().next()));
    }
}

#[test]
fn names_are_quoted() {
    let (expected, points) = undisturbed();
    let keep = scratch();
    let place = keep.path().join("it's a \"place\" for $HOME `id` & more");
    std::fs::create_dir(&place).unwrap();
    killed(&place, points / 2);
    ends(&sh(&script(&place), &[]), 0, "v1.2.0 is published and complete\n");
    same(&place, &expected, "in a strange place");
}

#[test]
fn what_stands_in_its_way_is_left_alone() {
    let (_, points) = undisturbed();
    let place = scratch();
    let fixture = killed(place.path(), points / 2);
    let text = script(place.path());
    let dist = place.path().join("dist/app_linux-amd64");
    let draft = place.path().join("forge/drafts/v1.2.0.1");
    let staged = draft.join("assets/app_linux-amd64");

    // Bytes that were not planned are not published, wherever they are.
    std::fs::remove_file(&staged).unwrap_or_default();
    std::fs::write(&dist, "biNary").unwrap();
    ends(&sh(&text, &[]), 5, "app_linux-amd64 is not the file that was planned");
    std::fs::remove_file(&dist).unwrap();
    ends(&sh(&text, &[]), 3, "app_linux-amd64 is missing");
    let other = scratch();
    std::fs::write(other.path().join("app_linux-amd64"), "binary").unwrap();
    std::fs::write(draft.join("assets/.extra"), "x").unwrap();
    ends(&sh(&text, &[other.path().to_str().unwrap()]), 5, "assets/.extra is not part of the release");
    std::fs::remove_file(draft.join("assets/.extra")).unwrap();
    assert!(!fixture.released().exists());

    // The lock of another release.
    let lock = place.path().join("forge/lock.json");
    std::fs::write(&lock, format!("{{\"rid\":\"sha256:{}\"}}", "0".repeat(64))).unwrap();
    ends(&sh(&text, &[]), 5, "is held for another release");
    std::fs::remove_file(&lock).unwrap();

    // A draft that somebody else made under the same name.
    let record = std::fs::read_to_string(draft.join("release.json")).unwrap();
    std::fs::write(draft.join("release.json"), record.replace("kyklos-release rid=", "by hand ")).unwrap();
    ends(&sh(&text, &[]), 5, "is not a draft of this release");
    std::fs::write(draft.join("release.json"), record).unwrap();

    // A release that came later decides anew what is the latest.
    ends(&sh(&text, &[other.path().to_str().unwrap()]), 0, "complete");
    assert!(fixture.released().exists());
    std::fs::write(place.path().join("forge/latest"), "v1.3.0\n").unwrap();
    std::fs::create_dir(place.path().join("forge/releases/v1.3.0")).unwrap();
    ends(&sh(&text, &[]), 5, "v1.3.0 was published after this script was made");
    assert_eq!(std::fs::read(place.path().join("forge/latest")).unwrap(), b"v1.3.0\n");
    std::fs::remove_dir(place.path().join("forge/releases/v1.3.0")).unwrap();
    std::fs::write(fixture.released().join("assets/app_linux-amd64"), "biNary").unwrap();
    ends(&sh(&text, &[]), 5, "holds other bytes");
}

#[test]
fn what_a_person_must_decide_is_no_script() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    std::fs::write(place.path().join("dist/release-manifest.json"), &fixture.plan.bytes).unwrap();
    let _ = foreign_draft(place.path());
    let run = kyklos(place.path()).args(MANUAL).run().expect(5);
    assert!(run.stderr().contains("error[publish-foreign-draft]"), "{}", run.show());
    std::fs::remove_dir_all(place.path().join("forge")).unwrap();
    std::fs::remove_dir_all(place.path().join("registry")).unwrap();
    let run = kyklos(place.path()).args(MANUAL).run().expect(3);
    assert!(run.stderr().contains("error[publish-missing]"), "{}", run.show());
}

#[test]
fn the_answer_for_programs_holds_it_too() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    std::fs::write(place.path().join("dist/release-manifest.json"), &fixture.plan.bytes).unwrap();
    let answer = kyklos(place.path()).args(MANUAL).args("--format json").run().expect(0).json();
    assert_eq!(answer["schema"], "kyklos-release/manual/v1");
    let document = answer["data"]["document"].as_str().unwrap();
    assert!(document.starts_with("#!/bin/sh\n# Finishes release v1.2.0 (sha256:"), "{document}");
    ends(&sh(document, &[]), 0, "v1.2.0 is published and complete\n");
    assert_eq!(fixture.outside_view(), Vec::<String>::new());
}
