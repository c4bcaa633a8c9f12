//! What publishing does, refuses and leaves alone.

use std::collections::BTreeMap;

use kyklos_release::adapter::dir_forge::DirForge;
use kyklos_release::adapter::fs::Directory;
use kyklos_release::adapter::oci::Layout;
use kyklos_release::diag::{Hint as _, Kind};
use kyklos_release::port::{Forge as _, LockRecord, LockState, Registry};
use kyklos_release::publish::{PublishError, Stage, World, abort, manual, publish, status};

use super::world::{Counter, End, Fixture, REPOSITORY, Run, Silent, block_on, scratch, tree};

fn quiet() -> Counter {
    Counter::new(None, End::Unwind)
}

/// Calls an operation of the stage with uncounted ports.
fn with_world<T>(
    fixture: &Fixture,
    operation: impl AsyncFnOnce(&World<'_>, &kyklos_release::publish::Job<'_>) -> T,
) -> T {
    let forge = DirForge::new(fixture.root.join("forge"));
    let layout = Layout::create(fixture.root.join("registry")).unwrap();
    let dist = Directory::new(fixture.root.join("dist"));
    let progress = Silent::default();
    let registries = BTreeMap::from([(REPOSITORY.parse().unwrap(), &layout as &dyn Registry)]);
    let world = World { forge: &forge, registries, progress: &progress };
    block_on(operation(&world, &fixture.job(&dist, Run::default())))
}

#[test]
fn a_release_is_published_once() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let counter = quiet();
    let done = fixture.publish(&counter, Run::default()).unwrap();
    let assets = fixture.plan.manifest.assets.len() + 1;
    assert_eq!(counter.count("upload"), assets);
    assert_eq!(counter.count("create_draft"), 1);
    assert_eq!(counter.count("publish"), 1);
    assert_eq!(counter.count("download"), assets);
    assert_eq!(counter.count("advance_lock"), 2);
    // attach, draft, uploads, version tag, publish, three rolling tags, latest
    assert_eq!(done.changes, fixture.plan.manifest.images[0].referrers.len() + 1 + assets + 1 + 1 + 3 + 1);
    let files = tree(&place.path().join("forge"));
    assert_eq!(files["latest"], b"v1.2.0\n");
    assert!(!files.contains_key("lock.json"));
    assert_eq!(files.keys().filter(|name| name.starts_with("drafts/")).collect::<Vec<_>>(), ["drafts/"]);
    let layout = Layout::create(place.path().join("registry")).unwrap();
    assert_eq!(block_on(layout.tags()).unwrap(), ["latest", "v1", "v1.2", "v1.2.0"]);
}

#[test]
fn the_last_file_uploaded_vouches_for_the_others() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let done = fixture.publish(&quiet(), Run::default()).unwrap();
    let words: Vec<String> =
        done.actions.iter().map(|action| action.describe(&fixture.plan.manifest)).collect();
    let uploads: Vec<&str> = words.iter().filter_map(|words| words.strip_prefix("upload ")).collect();
    assert_eq!(uploads.first(), Some(&"release-manifest.json"));
    assert_eq!(uploads[uploads.len() - 2..], ["checksums.txt", "image.sigstore.json"]);
    let position = |words_wanted: &str| words.iter().position(|words| words == words_wanted).unwrap();
    assert!(position("tag registry.example/acme/app:v1.2.0") < position("publish v1.2.0"));
    assert!(position("publish v1.2.0") < position("tag registry.example/acme/app:latest"));
    assert_eq!(words.last().map(String::as_str), Some("make v1.2.0 the latest release"));
}

#[test]
fn a_back_port_does_not_take_latest() {
    let place = scratch();
    Fixture::make_version(place.path(), "1.2.0", b"new").publish(&quiet(), Run::default()).unwrap();
    std::fs::remove_dir_all(place.path().join("dist")).unwrap();
    let old = Fixture::make_version(place.path(), "1.1.1", b"old");
    old.publish(&quiet(), Run { nonce: "eeee", ..Run::default() }).unwrap();
    assert_eq!(std::fs::read(place.path().join("forge/latest")).unwrap(), b"v1.2.0\n");
    let layout = Layout::create(place.path().join("registry")).unwrap();
    let at = |tag: &str| block_on(layout.resolve(tag)).unwrap();
    assert_eq!(at("v1.1"), Some(old.plan.manifest.images[0].digest));
    assert_eq!(at("v1"), at("v1.2.0"));
    assert_eq!(at("latest"), at("v1.2.0"));
}

#[test]
fn other_content_under_a_published_tag_is_a_conflict() {
    let place = scratch();
    Fixture::make(place.path()).publish(&quiet(), Run::default()).unwrap();
    std::fs::write(place.path().join("dist/extra.txt"), "more").unwrap();
    let other = Fixture::open(place.path(), "1.2.0");
    let before = tree(place.path());
    let error = other.publish(&quiet(), Run::default()).unwrap_err();
    assert!(matches!(error, PublishError::ForeignRelease { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(tree(place.path()) == before);
}

#[test]
fn an_image_tag_that_never_moves_stays() {
    let place = scratch();
    Fixture::make(place.path()).publish(&quiet(), Run::default()).unwrap();
    std::fs::remove_dir_all(place.path().join("forge")).unwrap();
    std::fs::remove_dir_all(place.path().join("dist")).unwrap();
    let error =
        Fixture::make_version(place.path(), "1.2.0", b"other").publish(&quiet(), Run::default()).unwrap_err();
    assert!(matches!(&error, PublishError::TagTaken { image_tag, .. } if image_tag == "v1.2.0"), "{error}");
    assert!(!place.path().join("forge/releases").exists());
}

#[test]
fn a_file_that_changed_since_the_plan_is_not_sent() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    std::fs::write(place.path().join("dist/app_linux-amd64"), b"biNary").unwrap();
    let counter = quiet();
    let error = fixture.publish(&counter, Run::default()).unwrap_err();
    assert!(
        matches!(&error, PublishError::Changed { name, .. } if name.as_str() == "app_linux-amd64"),
        "{error}"
    );
    assert!(!fixture.released().exists());
    assert!(!place.path().join("forge/lock.json").exists(), "the lock is freed");
}

#[test]
fn an_image_that_is_not_there_cannot_be_named() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    std::fs::remove_dir_all(place.path().join("registry")).unwrap();
    let counter = quiet();
    let error = fixture.publish(&counter, Run::default()).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("publish-missing", Kind::Undecided));
    assert_eq!(error.facts().len(), 3, "index and two platforms");
    assert_eq!(counter.count("create_draft"), 0);
}

#[test]
fn the_lock_of_another_release_is_respected_until_it_is_broken() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let forge = DirForge::new(place.path().join("forge"));
    let record = LockRecord {
        state: LockState::Held,
        nonce: "ffff".to_owned(),
        rid: kyklos_release::model::Digest::of(b"another release"),
        tag: "v9.9.9".parse().unwrap(),
        run: None,
    };
    assert!(block_on(forge.advance_lock(None, &record)).unwrap());
    assert!(!block_on(forge.advance_lock(None, &record)).unwrap(), "the chain moved");
    let error = fixture.publish(&quiet(), Run::default()).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("publish-locked", Kind::Conflict));
    assert!(error.hints().concat().contains("--break-lock ffff"));
    let broken = with_world(&fixture, async |world, job| {
        publish(world, &kyklos_release::publish::Job { break_lock: Some("ffff"), ..job_of(job) }).await
    });
    assert!(broken.is_ok(), "{broken:?}");
}

fn job_of<'a>(job: &kyklos_release::publish::Job<'a>) -> kyklos_release::publish::Job<'a> {
    kyklos_release::publish::Job { ..*job }
}

#[test]
fn two_runs_at_once_publish_once() {
    for _ in 0..8 {
        let place = scratch();
        let fixture = Fixture::make(place.path());
        std::thread::scope(|scope| {
            let runs: Vec<_> = ["aaaa", "bbbb"]
                .map(|nonce| {
                    let root = fixture.root.clone();
                    scope.spawn(move || {
                        let fixture = Fixture::open(&root, "1.2.0");
                        fixture
                            .publish(&quiet(), Run { nonce, ..Run::default() })
                            .map_err(|error| error.code())
                    })
                })
                .into_iter()
                .map(|run| run.join().unwrap())
                .collect();
            assert!(runs.iter().any(Result::is_ok), "{runs:?}");
        });
        assert_eq!(fixture.outside_view(), Vec::<String>::new());
        fixture.publish(&quiet(), Run { nonce: "cccc", ..Run::default() }).unwrap();
        let names: Vec<_> =
            tree(&place.path().join("forge")).into_keys().filter(|name| name.contains('.')).collect();
        assert!(!names.iter().any(|name| name.starts_with("drafts/")), "{names:?}");
    }
}

#[test]
fn a_signal_stops_between_two_steps_and_frees_the_lock() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let forge = DirForge::new(place.path().join("forge"));
    let layout = Layout::create(place.path().join("registry")).unwrap();
    let dist = Directory::new(place.path().join("dist"));
    let progress = Silent::default();
    progress.stop.set(true);
    let registries = BTreeMap::from([(REPOSITORY.parse().unwrap(), &layout as &dyn Registry)]);
    let world = World { forge: &forge, registries, progress: &progress };
    let error = block_on(publish(&world, &fixture.job(&dist, Run::default()))).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("publish-stopped", Kind::Interrupted));
    assert_eq!(block_on(forge.lock_head()).unwrap(), None);
}

#[test]
fn status_and_manual_follow_the_release() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let look = || with_world(&fixture, async |world, job| status(world, job).await.unwrap());
    let read = || with_world(&fixture, async |world, job| manual(world, job).await.unwrap());
    assert_eq!(look().stage, Stage::Absent);
    let before = tree(place.path());
    let document = read();
    assert!(document.contains("Nothing is visible to users yet"), "{document}");
    assert!(document.contains("publish v1.2.0\n"), "{document}");
    assert!(tree(place.path()) == before);
    fixture.publish(&quiet(), Run::default()).unwrap();
    let published = look();
    assert_eq!((published.stage, published.missing, published.next), (Stage::Published, Vec::new(), None));
    assert!(read().contains("Nothing is left to do"));
}

#[test]
fn abort_takes_only_our_draft() {
    let place = scratch();
    let fixture = Fixture::make(place.path());
    let nothing = with_world(&fixture, async |world, job| abort(world, job).await.unwrap());
    assert_eq!(nothing.drafts, 0);
    // Somewhere between the draft and the commit point.
    let counter = Counter::new(Some(200), End::Unwind);
    let _ =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fixture.publish(&counter, Run::default())));
    assert_eq!(
        with_world(&fixture, async |world, job| status(world, job).await.unwrap().stage),
        Stage::Partial
    );
    let aborted = with_world(&fixture, async |world, job| abort(world, job).await.unwrap());
    assert_eq!(aborted.drafts, 1);
    assert_eq!(std::fs::read_dir(place.path().join("forge/drafts")).unwrap().count(), 0);
    fixture.publish(&quiet(), Run { nonce: "bbbb", ..Run::default() }).unwrap();
    let refused = with_world(&fixture, async |world, job| abort(world, job).await.unwrap_err());
    assert_eq!(refused.kind(), Kind::Conflict);
    assert!(fixture.released().exists());
}
