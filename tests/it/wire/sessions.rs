//! Uploads that come to nothing: the host is told, and not waited for.

use std::time::Duration;

use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Registry as _, RegistryError};

use super::{noise, wait};
use crate::support::registry::{Fault, Options, TestRegistry, wire};

/// Routes of what was sent about sessions.
fn sessions(host: &TestRegistry) -> Vec<String> {
    let routes = host.routes().into_iter().filter(|route| route.contains("/uploads/SESSION"));
    routes.map(|route| route.split('?').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_upload_that_is_dropped_is_given_up_when_the_run_ends() {
    let host = TestRegistry::start(Options::default());
    let shared = wire(None);
    let registry = host.open_on(&shared, "a");
    let (one, two) = (noise(300_000), noise(200_000));
    wait(async {
        host.fail("PUT", "uploads", 1, Fault::CutRequest);
        host.fail("PATCH", "uploads", 1, Fault::Hang);
        let content = Content::bytes(Digest::of(&one), one.clone());
        let sending = registry.put_blob(&content, None);
        // It has got so far that only the newest place of the session will do.
        let dropped = tokio::time::timeout(Duration::from_millis(400), sending).await;
        assert!(dropped.is_err(), "{dropped:?}");
        assert_eq!(host.stored("a").open_uploads(), 1);
        // What ends well is not spoken of again.
        registry.put_blob(&Content::bytes(Digest::of(&two), two.clone()), None).await.unwrap();
        assert!(!sessions(&host).iter().any(|route| route.starts_with("DELETE")));
        shared.part().await;
        assert_eq!(sessions(&host).last().unwrap(), "DELETE /v2/a/blobs/uploads/SESSION");
        assert_eq!(host.stored("a").open_uploads(), 0);
        let before = host.log().len();
        shared.part().await;
        assert_eq!(host.log().len(), before, "once");
    });
}

#[test]
fn an_upload_that_fails_is_given_up() {
    let blob = noise(1000);
    for (fault, times, ends) in [
        // Refused for good.
        (Fault::Answer(403, "", ""), 9, true),
        // Not reached any more, which is tried until there is no patience left.
        (Fault::BUSY, 99, true),
        (Fault::ResetBefore, 99, true),
        // Refused in one piece; the next way opens another.
        (Fault::Answer(413, "", ""), 1, false),
    ] {
        let host = TestRegistry::start(Options::default());
        let shared = wire(None);
        host.fail("PUT", "uploads", times, fault.clone());
        wait(async {
            let content = Content::bytes(Digest::of(&blob), blob.clone());
            let ended = host.open_on(&shared, "a").put_blob(&content, None).await;
            assert_eq!(ended.is_err(), ends, "{fault:?}: {ended:?}");
            shared.part().await;
        });
        assert_eq!(host.stored("a").open_uploads(), 0, "{fault:?}: {:#?}", host.routes());
    }
}

#[test]
fn content_that_cannot_be_read_ends_its_upload() {
    let host = TestRegistry::start(Options::default());
    let shared = wire(None);
    let wrong = Content::bytes(Digest::of(b"other"), noise(300_000));
    wait(async {
        let error = host.open_on(&shared, "a").put_blob(&wrong, None).await.unwrap_err();
        assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error}");
        shared.part().await;
    });
    let stored = host.stored("a");
    assert_eq!((stored.open_uploads(), stored.blobs.len()), (0, 0), "{:#?}", host.routes());
}

#[test]
fn a_host_that_does_not_listen_is_not_waited_for() {
    let host = TestRegistry::start(Options::default());
    let shared = wire(None);
    host.fail("PUT", "uploads", 9, Fault::Hang);
    host.fail("DELETE", "uploads", 9, Fault::Hang);
    wait(async {
        let registry = host.open_on(&shared, "a");
        let contents: Vec<Vec<u8>> = (1..=4).map(|size| noise(1000 * size)).collect();
        for bytes in &contents {
            let content = Content::bytes(Digest::of(bytes), bytes.clone());
            let sending = registry.put_blob(&content, None);
            let dropped = tokio::time::timeout(Duration::from_millis(100), sending).await;
            assert!(dropped.is_err());
        }
        // All of them together have two seconds.
        tokio::time::timeout(Duration::from_secs(6), shared.part()).await.expect("an end");
    });
    assert_eq!(sessions(&host).iter().filter(|route| route.starts_with("DELETE")).count(), 4);
}
