//! Ends a run at every call of every port and goes on with a new one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use kyklos_release::publish::{Action, Memory, diff};

use super::world::{Counter, End, Ended, Fixture, Run, foreign_draft, scratch, tree};

/// The world after a run that nothing disturbed, and how many points it passed.
fn undisturbed() -> (std::collections::BTreeMap<String, Vec<u8>>, usize) {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let counter = Counter::new(None, End::Unwind);
    fixture.publish(&counter, Run::default()).unwrap();
    assert_eq!(fixture.outside_view(), Vec::<String>::new());
    (tree(place.path()), counter.points())
}

/// Goes on after a run ended, with other words in the lock and the draft, and looks at everything.
fn go_on(fixture: &Fixture, place: &Path, at: usize, expected: &std::collections::BTreeMap<String, Vec<u8>>) {
    assert_eq!(fixture.outside_view(), Vec::<String>::new(), "after the end at point {at}");
    let run = Run { nonce: "bbbb", ..Run::default() };
    fixture.publish(&Counter::new(None, End::Unwind), run).unwrap();
    let found = tree(place);
    let names: Vec<_> = found.keys().filter(|name| expected.get(*name) != found.get(*name)).collect();
    assert!(found == *expected, "the end at point {at} shows in {names:?}, or something is missing");
    let again = Counter::new(None, End::Unwind);
    let done = fixture.publish(&again, Run { nonce: "cccc", ..Run::default() }).unwrap();
    assert_eq!((done.changes, done.actions.len()), (0, 0), "after the end at point {at}");
    assert_eq!(again.count("advance_lock"), 0);
    assert!(tree(place) == *expected);
}

#[test]
fn every_call_may_be_the_last() {
    let (expected, points) = undisturbed();
    assert!(points > 200, "only {points} points");
    for at in 0..points {
        let place = scratch();
        let fixture = Fixture::make(place.path());
        let counter = Counter::new(Some(at), End::Unwind);
        let ended = catch_unwind(AssertUnwindSafe(|| fixture.publish(&counter, Run::default())));
        assert!(ended.is_err_and(|payload| payload.is::<Ended>()), "point {at} was not reached");
        go_on(&fixture, place.path(), at, &expected);
    }
}

#[test]
fn two_ends_in_a_row() {
    let (expected, points) = undisturbed();
    for first in (0..points).step_by(43) {
        for second in (0..points).step_by(61) {
            let place = scratch();
            let fixture = Fixture::make(place.path());
            for (at, nonce) in [(first, "aaaa"), (second, "dddd")] {
                let counter = Counter::new(Some(at), End::Unwind);
                let run = Run { nonce, ..Run::default() };
                let _ = catch_unwind(AssertUnwindSafe(|| fixture.publish(&counter, run)));
            }
            go_on(&fixture, place.path(), first, &expected);
        }
    }
}

#[test]
fn without_dist_a_staged_release_goes_on() {
    let (expected, points) = undisturbed();
    let mut resumed = 0;
    for at in (0..points).rev().step_by(5) {
        let place = scratch();
        let fixture = Fixture::make(place.path());
        let counter = Counter::new(Some(at), End::Unwind);
        let _ = catch_unwind(AssertUnwindSafe(|| fixture.publish(&counter, Run::default())));
        let bare = Run { nonce: "bbbb", with_dist: false, ..Run::default() };
        match fixture.publish(&Counter::new(None, End::Unwind), bare) {
            Ok(_) => {
                resumed += 1;
                assert!(tree(place.path()) == expected, "point {at}");
            }
            Err(error) => {
                assert_eq!(kyklos_release::diag::Hint::code(&error), "publish-missing", "{error}");
                assert_eq!(fixture.outside_view(), Vec::<String>::new());
                assert!(!fixture.released().exists());
            }
        }
    }
    assert!(resumed > 5, "only {resumed} runs had every byte staged");
}

const VICTIM: &str = "KYKLOS_RELEASE_TEST_VICTIM";

/// Not a test of its own: the process that [`sigkill_at_every_call`] starts.
#[test]
fn victim() {
    let Ok(order) = std::env::var(VICTIM) else { return };
    let (at, root) = order.split_once(' ').unwrap();
    let fixture = Fixture::open(Path::new(root), "1.2.0");
    let counter = Counter::new(Some(at.parse().unwrap()), End::Kill);
    let _ = fixture.publish(&counter, Run::default());
}

#[test]
#[cfg(unix)]
fn sigkill_at_every_call() {
    use std::os::unix::process::ExitStatusExt as _;
    let (expected, points) = undisturbed();
    let me = std::env::current_exe().unwrap();
    for at in 0..points {
        let place = scratch();
        let fixture = Fixture::make(place.path());
        let status = Command::new(&me)
            .args(["--exact", "flow::kill::victim", "--quiet"])
            .env(VICTIM, format!("{at} {}", place.path().display()))
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "point {at}");
        go_on(&fixture, place.path(), at, &expected);
    }
}

/// Runs with a planted fault and says what the outside view finds.
fn planted(spoil: Option<&'static str>, decide: &kyklos_release::publish::Decide) -> Vec<String> {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let run = Run { decide, spoil, ..Run::default() };
    let _ = fixture.publish(&Counter::new(None, End::Unwind), run);
    fixture.outside_view()
}

#[test]
fn a_dropped_read_back_is_caught() {
    let trusting =
        |job: &kyklos_release::publish::Job<'_>, state: &kyklos_release::publish::State, memory: &Memory| {
            let mut memory = memory.clone();
            for draft in &state.ours {
                for asset in &job.manifest.assets {
                    memory.read_back.insert((draft.id.clone(), asset.name.clone()));
                }
            }
            diff(job, state, &memory)
        };
    assert_eq!(
        planted(Some("app_linux-amd64"), &trusting),
        ["app_linux-amd64 of the published release is not as planned"]
    );
    assert_eq!(planted(Some("app_linux-amd64"), &diff), Vec::<String>::new());
}

#[test]
fn a_commit_before_the_read_back_is_caught() {
    let hasty =
        |job: &kyklos_release::publish::Job<'_>, state: &kyklos_release::publish::State, memory: &Memory| {
            Ok(match diff(job, state, memory)? {
                Some(Action::ReadBack(id, _)) => Some(Action::Publish(id)),
                other => other,
            })
        };
    assert_eq!(
        planted(Some("app_linux-amd64"), &hasty),
        ["app_linux-amd64 of the published release is not as planned"]
    );
}

#[test]
fn a_delete_without_our_marker_is_caught() {
    let reckless =
        |job: &kyklos_release::publish::Job<'_>, state: &kyklos_release::publish::State, memory: &Memory| {
            match state.foreign.first() {
                Some(draft) => Ok(Some(Action::DropDuplicate(draft.id.clone()))),
                None => diff(job, state, memory),
            }
        };
    assert!(!foreign_draft_survives(&reckless));
    assert!(foreign_draft_survives(&diff));
}

/// Publishes where somebody else keeps a draft of the same tag.
fn foreign_draft_survives(decide: &kyklos_release::publish::Decide) -> bool {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let draft = foreign_draft(place.path());
    let before = tree(&draft);
    let run = Run { decide, ..Run::default() };
    let _ = fixture.publish(&Counter::new(None, End::Unwind), run);
    draft.exists() && tree(&draft) == before
}
