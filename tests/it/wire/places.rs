//! Where a host leads requests, and what of them goes along. Places that must not be reached are listeners that count.

use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Registry as _, RegistryError, Stored};

use super::{described, read, wait};
use crate::support::registry::{Auth, Fault, Options, TestRegistry, wire};

/// An answer that leads somewhere else.
fn led_to(status: u16, place: &str) -> Fault {
    Fault::Answer(status, format!("Location: {place}").leak(), "")
}

fn with_login() -> (TestRegistry, kyklos_release::adapter::oci::HttpRegistry) {
    let host = TestRegistry::start(Options { auth: Auth::Basic("me", "secret"), ..Options::default() });
    let logins = serde_json::json!({"auths": {host.host(): {"username": "me", "password": "secret"}}});
    let registry = host.open_on(&wire(Some(logins.to_string())), "a");
    // It is known by now that a login is wanted.
    wait(registry.tags()).unwrap();
    host.forget();
    (host, registry)
}

fn authorized(host: &TestRegistry) -> Vec<bool> {
    host.log().iter().map(|one| one.headers.contains_key("authorization")).collect()
}

#[test]
fn a_blob_may_be_elsewhere_but_the_login_stays() {
    let (host, registry) = with_login();
    let storage = TestRegistry::start(Options::default());
    let descriptor = described(b"blob");
    storage.change("a", |stored| {
        stored.blobs.insert(descriptor.digest.to_string(), b"blob".to_vec().into());
    });
    for status in [301, 302, 303, 307, 308] {
        let place = format!("http://{}/v2/a/blobs/{}?X-Amz-Signature=x", storage.host(), descriptor.digest);
        host.fail("GET", "blobs", 1, led_to(status, &place));
        assert_eq!(wait(read(&registry, &descriptor)).unwrap().unwrap(), b"blob", "{status}");
    }
    assert_eq!(authorized(&host), [true; 5]);
    assert_eq!(authorized(&storage), [false; 5]);
}

#[test]
fn an_upload_that_is_sent_elsewhere_goes_without_a_login() {
    let (host, registry) = with_login();
    let storage = TestRegistry::start(Options::default());
    let elsewhere = storage.open("a");
    let blob = Content::bytes(Digest::of(b"blob"), b"blob".to_vec());
    // A session of the other host, as a registry that hands uploads over would name it.
    let (session, _) = wait(async {
        storage.fail("PUT", "uploads", 1, Fault::ResetBefore);
        storage.fail("GET", "uploads", 1, Fault::Answer(410, "", ""));
        let other = Content::bytes(Digest::of(b"other"), b"other".to_vec());
        let _ = elsewhere.put_blob(&other, None).await;
        (storage.log()[1].path.split("&digest").next().unwrap().to_owned(), ())
    });
    storage.forget();
    host.fail("POST", "uploads", 1, Fault::Header("Location", format!("http://{}{session}", storage.host())));
    assert_eq!(wait(registry.put_blob(&blob, None)).unwrap(), Stored::Uploaded);
    assert_eq!(authorized(&storage), vec![false; storage.log().len()]);
    assert!(!storage.log().is_empty());
    assert_eq!(storage.stored("a").blobs.len(), 2, "{:?}", storage.routes());
    // Never without TLS where there was TLS, never into a private network.
    for place in ["http://169.254.169.254/upload", "file:///tmp/x"] {
        host.fail("POST", "uploads", 1, Fault::Header("Location", place.to_owned()));
        let error = wait(registry.put_blob(&blob, None)).unwrap_err();
        assert!(matches!(error, RegistryError::Astray { .. }), "{error}");
    }
}

#[test]
fn the_bytes_of_an_upload_follow_a_host_that_leads_them_on() {
    let (host, registry) = with_login();
    let storage = TestRegistry::start(Options::default());
    let blob = Content::bytes(Digest::of(b"blob"), b"blob".to_vec());
    for status in [307, 308] {
        host.change("a", |stored| stored.blobs.clear());
        host.fail("PUT", "uploads", 1, led_to(status, &format!("http://{}/v2/a/x", storage.host())));
        let place = format!("http://{}/v2/a/y", host.host());
        storage.fail("PUT", "x", 1, led_to(status, &place));
        host.fail("PUT", "a/y", 1, Fault::Answer(201, "", ""));
        host.forget();
        storage.forget();
        assert_eq!(wait(registry.put_blob(&blob, None)).unwrap(), Stored::Uploaded, "{status}");
        let sent = |host: &TestRegistry| -> Vec<(String, usize)> {
            let puts = host.log().into_iter().filter(|one| one.method == "PUT");
            puts.map(|one| (one.path.split('/').nth(3).unwrap().to_owned(), one.body)).collect()
        };
        assert_eq!(sent(&host), [("blobs".to_owned(), 4), ("y".to_owned(), 4)]);
        assert_eq!(sent(&storage), [("x".to_owned(), 4)]);
        // The way back is without a login as well.
        assert_eq!(authorized(&storage), [false]);
        assert_eq!(authorized(&host).last(), Some(&false));
    }
    // Another method would be another request.
    host.change("a", |stored| stored.blobs.clear());
    host.fail("PUT", "uploads", 1, led_to(303, &format!("http://{}/v2/a/x", storage.host())));
    let error = wait(registry.put_blob(&blob, None)).unwrap_err();
    assert!(matches!(error, RegistryError::Answered { .. }), "{error}");
}
