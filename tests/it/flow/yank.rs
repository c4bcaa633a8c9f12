//! A release that is withdrawn: nothing is lost, nobody is led to it any more, and it stays so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use kyklos_release::adapter::oci::Layout;
use kyklos_release::diag::{Hint as _, Kind};
use kyklos_release::port::Registry as _;
use kyklos_release::publish::PublishError;

use super::world::{Counter, End, Fixture, Run, block_on, scratch, tree};

fn quiet() -> Counter {
    Counter::new(None, End::Unwind)
}

/// Two stable releases, the second of which is the latest.
fn two(place: &Path) -> (Fixture, Fixture) {
    let old = Fixture::make_version(place, "1.1.0", b"old");
    old.publish(&quiet(), Run::default()).unwrap();
    std::fs::remove_dir_all(place.join("dist")).unwrap();
    let new = Fixture::make_version(place, "1.2.0", b"new");
    new.publish(&quiet(), Run { nonce: "bbbb", ..Run::default() }).unwrap();
    (old, new)
}

/// Copies a directory with everything in it.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
fn what_leads_to_it_goes_back_to_the_release_before() {
    let place = scratch();
    let (old, new) = two(place.path());
    let before = tree(&new.released().join("assets"));
    let yanked = new.yank(&quiet(), "it eats data").unwrap();
    let digest = old.plan.manifest.images[0].digest;
    let forge = place.path().join("forge");
    assert_eq!(
        yanked.changes,
        [
            "Latest is now v1.1.0".to_owned(),
            format!("Tagged registry.example/acme/app:latest as {digest}"),
            format!("Tagged registry.example/acme/app:v1 as {digest}"),
            format!("Withdrawn v1.2.0 in dir:{}", forge.display()),
        ]
    );
    assert_eq!(yanked.left, ["registry.example/acme/app:v1.2"]);
    assert_eq!(yanked.latest.map(|tag| tag.to_string()).as_deref(), Some("v1.1.0"));
    assert!(tree(&new.released().join("assets")) == before, "every file is still there");
    let layout = Layout::open(place.path().join("registry")).unwrap();
    let at = |tag: &str| block_on(layout.resolve(tag)).unwrap();
    assert_eq!((at("v1"), at("latest")), (Some(digest), Some(digest)));
    assert_eq!(at("v1.2.0"), Some(new.plan.manifest.images[0].digest), "who pinned it still gets it");
    let statement = std::fs::read_to_string(new.released().join("withdrawn.json")).unwrap();
    assert!(statement.contains("/withdrawn/v1") && statement.contains("it eats data"), "{statement}");
    let again = new.yank(&quiet(), "it eats data").unwrap();
    assert_eq!(again.changes, Vec::<String>::new());
}

#[test]
fn it_is_never_published_again() {
    let place = scratch();
    let (_, new) = two(place.path());
    new.yank(&quiet(), "it eats data").unwrap();
    let before = tree(place.path());
    let error = new.publish(&quiet(), Run { nonce: "cccc", ..Run::default() }).unwrap_err();
    assert!(matches!(&error, PublishError::Withdrawn { reason, .. } if reason == "it eats data"), "{error}");
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(tree(place.path()) == before);
}

#[test]
fn the_last_stable_release_leaves_no_latest() {
    let place = scratch();
    let only = Fixture::make(place.path());
    only.publish(&quiet(), Run::default()).unwrap();
    let yanked = only.yank(&quiet(), "wrong key").unwrap();
    assert_eq!(yanked.latest, None);
    assert_eq!(yanked.left.len(), 3, "no other image to point to");
    assert!(!place.path().join("forge/latest").exists());
}

#[test]
fn what_is_not_published_is_not_withdrawn() {
    let place = scratch();
    let error = Fixture::make(place.path()).yank(&quiet(), "early").unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Usage, "publish-not-published"));
    assert!(!place.path().join("forge").exists(), "not even a lock was left");
}

#[test]
fn every_call_may_be_the_last() {
    let undisturbed = scratch();
    let counter = quiet();
    let (_, new) = two(undisturbed.path());
    new.yank(&counter, "it eats data").unwrap();
    let expected = tree(undisturbed.path());
    assert!(counter.points() > 20, "only {} points", counter.points());
    let published = scratch();
    two(published.path());
    for at in 0..counter.points() {
        let place = scratch();
        copy(published.path(), place.path());
        let new = Fixture::open(place.path(), "1.2.0");
        let ended =
            catch_unwind(AssertUnwindSafe(|| new.yank(&Counter::new(Some(at), End::Unwind), "it eats data")));
        assert!(ended.is_err(), "point {at} was not reached");
        new.yank(&quiet(), "it eats data").unwrap();
        assert!(tree(place.path()) == expected, "the end at point {at} shows");
    }
}
