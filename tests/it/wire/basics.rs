//! What goes over the wire when nothing goes wrong: which requests, in which order.

use kyklos_release::format::oci::{Descriptor, ImageManifest, MANIFEST_LIMIT, media_type};
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Manifest, Registry as _, RegistryError, Stored};

use super::{described, noise, read, wait};
use crate::support::registry::{Fault, Options, TestRegistry, wire};

const EMPTY: &[u8] = b"{}";

/// A manifest with one layer; `subject` makes it a referrer.
fn manifest(layer: &[u8], subject: Option<Descriptor>) -> Vec<u8> {
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: media_type::MANIFEST.to_owned(),
        artifact_type: subject.as_ref().map(|_| "a/b".to_owned()),
        config: Some(Descriptor::of(media_type::EMPTY, EMPTY)),
        layers: vec![described(layer)],
        subject,
        annotations: [("k".to_owned(), "v".to_owned())].into(),
    };
    serde_json::to_vec(&manifest).unwrap()
}

#[test]
fn one_request_asks_and_opens_a_session_and_one_sends() {
    let host = TestRegistry::start(Options::default());
    let registry = host.open("a/b");
    let blob = noise(3 << 20);
    let descriptor = described(&blob);
    wait(async {
        let content = Content::bytes(descriptor.digest, blob.clone());
        assert_eq!(registry.put_blob(&content, None).await.unwrap(), Stored::Uploaded);
        assert_eq!(registry.put_blob(&content, None).await.unwrap(), Stored::Already);
        assert!(registry.has_blob(&descriptor.digest).await.unwrap());
        assert!(!registry.has_blob(&Digest::of(b"other")).await.unwrap());
        assert!(read(&registry, &descriptor).await.unwrap().unwrap() == blob);
        assert_eq!(read(&registry, &described(b"other")).await.unwrap(), None);
    });
    insta::assert_snapshot!(host.routes().join("\n"), @r"
    POST /v2/a/b/blobs/uploads/?mount=sha256:968921&from=a/b
    PUT /v2/a/b/blobs/uploads/SESSION?digest=sha256:968921
    POST /v2/a/b/blobs/uploads/?mount=sha256:968921&from=a/b
    HEAD /v2/a/b/blobs/sha256:968921
    HEAD /v2/a/b/blobs/sha256:d9298a
    GET /v2/a/b/blobs/sha256:968921
    GET /v2/a/b/blobs/sha256:d9298a
    ");
    assert_eq!(host.stored("a/b").blobs.len(), 1);
}

#[test]
fn blobs_are_linked_within_a_host_and_sent_where_it_does_not_link() {
    for (mounts, expected) in [(true, Stored::Mounted), (false, Stored::Uploaded)] {
        let host = TestRegistry::start(Options { mounts, ..Options::default() });
        let wire = wire(None);
        let (from, to) = (host.open_on(&wire, "from"), host.open_on(&wire, "to"));
        let descriptor = described(b"blob");
        wait(async {
            let content = Content::bytes(descriptor.digest, b"blob".to_vec());
            assert_eq!(from.put_blob(&content, None).await.unwrap(), Stored::Uploaded);
            host.forget();
            let content = Content::stored(&from, &descriptor);
            assert_eq!(to.put_blob(&content, from.repository()).await.unwrap(), expected);
        });
        assert_eq!(to.abilities().mounts, Some(mounts));
        let routes = host.routes();
        let first = routes.first().unwrap();
        assert!(first.starts_with("POST /v2/to/blobs/uploads/?mount=sha256:"), "{first}");
        assert!(first.ends_with("&from=from"), "{first}");
        assert_eq!(routes.len(), if mounts { 1 } else { 3 }, "{routes:?}");
    }
}

#[test]
fn manifests_under_digest_tag_and_several_tags() {
    for many_tags in [false, true] {
        let host = TestRegistry::start(Options { many_tags, ..Options::default() });
        let registry = host.open("a");
        let bytes = manifest(b"layer", None);
        let digest = Digest::of(&bytes);
        wait(async {
            for blob in [EMPTY, b"layer"] {
                let content = Content::bytes(Digest::of(blob), blob.to_vec());
                registry.put_blob(&content, None).await.unwrap();
            }
            host.forget();
            let put = |tags: &str| {
                let tags: Vec<String> = tags.split_whitespace().map(str::to_owned).collect();
                let (registry, bytes) = (&registry, &bytes);
                async move {
                    registry.put(&Manifest::of(media_type::MANIFEST, bytes.to_vec()), &tags).await.unwrap()
                }
            };
            assert_eq!(put("").await.digest, digest);
            assert_eq!(put("v1").await.tags, ["v1"]);
            let expected: &[&str] = if many_tags { &["x", "y"] } else { &["x"] };
            assert_eq!(put("x y").await.tags, expected);
            assert_eq!(registry.abilities().many_tags, Some(many_tags));
            // Now that it is known, a host that takes one at a time is not given another.
            let expected: &[&str] = if many_tags { &["x", "y"] } else { &[] };
            assert_eq!(put("x y").await.tags, expected);
            assert_eq!(registry.tags().await.unwrap().len(), if many_tags { 3 } else { 2 });
            let found = registry.tagged("v1", MANIFEST_LIMIT).await.unwrap().unwrap();
            assert_eq!((found.digest, found.bytes.clone()), (digest, bytes.clone()));
            let stat = registry.stat_tag("v1").await.unwrap().unwrap();
            assert_eq!(
                (stat.digest, stat.size, stat.media_type),
                (digest, bytes.len() as u64, found.media_type)
            );
            assert_eq!(registry.stat(&digest).await.unwrap().unwrap().digest, digest);
            assert_eq!(registry.manifest(&Digest::of(b""), MANIFEST_LIMIT).await.unwrap(), None);
            assert_eq!(registry.resolve("none").await.unwrap(), None);
            registry.tag("again", &digest).await.unwrap();
            assert_eq!(registry.resolve("again").await.unwrap(), Some(digest));
        });
        // The refused question about several tags is one more.
        assert_eq!(host.log().len(), if many_tags { 14 } else { 13 }, "{:?}", host.routes());
    }
}

#[test]
fn a_manifest_whose_blobs_are_missing_names_all_of_them() {
    let host = TestRegistry::start(Options::default());
    let registry = host.open("a");
    let bytes = manifest(b"layer", None);
    let error = wait(registry.put(&Manifest::of(media_type::MANIFEST, bytes.clone()), &[])).unwrap_err();
    let RegistryError::NamedNotStored { digest, missing } = error else { panic!("{error}") };
    let mut expected = vec![Digest::of(EMPTY), Digest::of(b"layer")];
    let mut found = missing;
    expected.sort();
    found.sort();
    assert_eq!((digest, found), (Digest::of(&bytes), expected));
}

#[test]
fn referrers_by_the_host_or_by_the_fallback_tag() {
    for referrers in [true, false] {
        let host = TestRegistry::start(Options { referrers, page: 2, ..Options::default() });
        let registry = host.open("a");
        let subject = Descriptor::of(media_type::MANIFEST, b"subject, which need not be there");
        wait(async {
            let mut unlisted = Vec::new();
            let mut digests = Vec::new();
            for layer in [&b"1"[..], b"2", b"3"] {
                for blob in [EMPTY, layer] {
                    let content = Content::bytes(Digest::of(blob), blob.to_vec());
                    registry.put_blob(&content, None).await.unwrap();
                }
                let bytes = manifest(layer, Some(subject.clone()));
                let put =
                    registry.put(&Manifest::of(media_type::MANIFEST, bytes.clone()), &[]).await.unwrap();
                assert_eq!(put.unlisted.is_some(), !referrers);
                digests.push(put.digest);
                unlisted.extend(put.unlisted);
            }
            assert_eq!(registry.abilities().referrers, Some(referrers));
            host.forget();
            registry.list_referrers(&unlisted).await.unwrap();
            registry.list_referrers(&unlisted).await.unwrap();
            // Once read, merged, written and read back; the second time there is nothing to write.
            assert_eq!(host.log().len(), if referrers { 0 } else { 4 }, "{:?}", host.routes());
            digests.sort();
            let found = registry.referrers(&subject.digest, None).await.unwrap();
            assert_eq!(found.iter().map(|entry| entry.digest).collect::<Vec<_>>(), digests);
            assert!(found.iter().all(|entry| entry.artifact_type.as_deref() == Some("a/b")));
            assert!(found.iter().all(|entry| entry.annotations["k"] == "v"));
            assert_eq!(registry.referrers(&subject.digest, Some("a/b")).await.unwrap().len(), 3);
            assert_eq!(registry.referrers(&subject.digest, Some("c/d")).await.unwrap(), []);
            assert_eq!(registry.referrers(&Digest::of(b"other"), None).await.unwrap(), []);
        });
    }
}

#[test]
fn all_pages_of_tags_are_read() {
    let host = TestRegistry::start(Options { page: 3, ..Options::default() });
    host.change("a", |stored| {
        stored.tags = (0..10).map(|number| (format!("v{number}"), String::new())).collect();
    });
    let tags = wait(host.open("a").tags()).unwrap();
    assert_eq!(tags.len(), 10);
    assert_eq!(host.log().len(), 4);
    assert_eq!(wait(host.open("none").tags()).unwrap(), Vec::<String>::new());
}

#[test]
fn a_blob_goes_from_host_to_host() {
    let (left, right) = (TestRegistry::start(Options::default()), TestRegistry::start(Options::default()));
    let blob = noise(5 << 20);
    let descriptor = described(&blob);
    left.change("a", |stored| {
        stored.blobs.insert(descriptor.digest.to_string(), blob.clone().into());
    });
    let (from, to) = (left.open("a"), right.open("b"));
    let content = Content::stored(&from, &descriptor);
    assert_eq!(wait(to.put_blob(&content, from.repository())).unwrap(), Stored::Uploaded);
    assert!(*right.stored("b").blobs[&descriptor.digest.to_string()] == blob);
    assert_eq!(left.log().len(), 1);
    // Another host cannot link it, so it is not asked to.
    assert!(!right.routes()[0].contains("from=a"), "{:?}", right.routes());
}

#[test]
fn a_link_on_the_empty_page_behind_the_last_ends_the_list() {
    let host = TestRegistry::start(Options::default());
    host.change("a", |stored| stored.tags = [("v1".to_owned(), String::new())].into());
    let onward = || Fault::Header("Link", "</v2/a/tags/list?n=1000&last=v1>; rel=\"next\"".to_owned());
    host.fail("GET", "tags", 100, onward());
    assert_eq!(wait(host.open("a").tags()).unwrap(), ["v1"]);
    assert_eq!(host.log().len(), 2, "{:?}", host.routes());
}

#[test]
fn a_document_tells_its_type_where_the_host_does_not() {
    let typed = |kind: &str| format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","manifests":[]}}"#);
    let capitals = media_type::INDEX.to_ascii_uppercase();
    for (document, said, kind) in [
        (r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), "", media_type::INDEX),
        (r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), "application/json", media_type::INDEX),
        (r#"{"schemaVersion":2,"layers":[]}"#.to_owned(), "text/plain; charset=utf-8", media_type::MANIFEST),
        (typed(media_type::DOCKER_INDEX), "application/octet-stream", media_type::DOCKER_INDEX),
        // Capital letters make no other type.
        (typed(media_type::INDEX), &capitals, media_type::INDEX),
    ] {
        let host = TestRegistry::start(Options::default());
        host.change("a", |stored| {
            let digest = Digest::of(document.as_bytes()).to_string();
            stored
                .manifests
                .insert(digest.clone(), (media_type::INDEX.to_owned(), document.clone().into_bytes()));
            stored.tags.insert("x".to_owned(), digest);
        });
        host.fail("GET", "manifests", 1, Fault::Header("Content-Type", said.to_owned()));
        let found = wait(host.open("a").tagged("x", MANIFEST_LIMIT)).unwrap().unwrap();
        assert_eq!(found.media_type, kind, "{said} {document}");
    }
}

#[test]
fn a_host_that_takes_no_head_is_asked_for_the_bytes() {
    for status in [405, 501] {
        let host = TestRegistry::start(Options::default());
        let registry = host.open("a");
        let bytes = manifest(b"layer", None);
        wait(async {
            for blob in [&b"layer"[..], EMPTY] {
                registry.put_blob(&Content::bytes(Digest::of(blob), blob.to_vec()), None).await.unwrap();
            }
            let manifest = Manifest::of(media_type::MANIFEST, bytes.clone());
            let _ = registry.put(&manifest, &["v1".to_owned()]).await.unwrap();
            host.forget();
            host.fail("HEAD", "", 100, Fault::Answer(status, "Allow: GET", ""));
            assert_eq!(registry.resolve("v1").await.unwrap(), Some(Digest::of(&bytes)));
            assert_eq!(registry.stat(&Digest::of(&bytes)).await.unwrap(), Some(manifest.descriptor()));
            assert_eq!(registry.resolve("v2").await.unwrap(), None);
            assert!(registry.has_blob(&Digest::of(b"layer")).await.unwrap());
            assert!(!registry.has_blob(&Digest::of(b"other")).await.unwrap());
            // As much of it as of any manifest.
            host.fail("GET", "manifests", 1, Fault::Endless);
            let error = registry.resolve("v1").await.unwrap_err();
            assert!(matches!(error, RegistryError::TooLarge { limit: MANIFEST_LIMIT, .. }), "{error}");
        });
        let methods: Vec<String> = host.log().into_iter().map(|one| one.method).collect();
        assert_eq!(methods, ["HEAD", "GET", "GET", "GET", "GET", "GET", "GET"], "{status}");
    }
}

#[test]
fn what_is_there_is_not_sent_to_a_host_that_mounts_nothing() {
    let (big, small) = (noise(5 << 20), noise(1000));
    let content = |blob: &Vec<u8>| Content::bytes(Digest::of(blob), blob.clone());
    for (mounts, asked) in [(false, ["POST", "HEAD", "DELETE"].as_slice()), (true, &["POST"])] {
        let host = TestRegistry::start(Options { mounts, ..Options::default() });
        host.change("a", |stored| {
            for blob in [&big, &small] {
                stored.blobs.insert(Digest::of(blob).to_string(), blob.clone().into());
            }
        });
        let registry = host.open("a");
        let methods = || host.log().into_iter().map(|one| one.method).collect::<Vec<_>>();
        assert_eq!(wait(registry.put_blob(&content(&big), None)).unwrap(), Stored::Already);
        assert_eq!(methods(), asked);
        // From then on it is known how this host is asked.
        host.forget();
        assert_eq!(wait(registry.put_blob(&content(&small), None)).unwrap(), Stored::Already);
        assert_eq!(methods(), [if mounts { "POST" } else { "HEAD" }]);
    }
    // Where it is missing the answer was right, and the session it came with is used.
    let host = TestRegistry::start(Options::default());
    assert_eq!(wait(host.open("a").put_blob(&content(&big), None)).unwrap(), Stored::Uploaded);
    let methods: Vec<String> = host.log().into_iter().map(|one| one.method).collect();
    assert_eq!(methods, ["POST", "HEAD", "PUT"]);
}
