//! A registry that lies, babbles and leads astray.

use std::collections::BTreeMap;

use kyklos_release::format::oci::{MANIFEST_LIMIT, media_type};
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Fault as Meaning, Manifest, Registry as _, RegistryError, Unlisted};

use super::{described, noise, read, wait};
use crate::support::registry::{Fault, Options, TestRegistry};

const IMAGE: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}"#;

/// A registry with one image under `v1`.
fn host() -> TestRegistry {
    let host = TestRegistry::start(Options::default());
    host.change("a", |stored| {
        let digest = Digest::of(IMAGE).to_string();
        stored.manifests.insert(digest.clone(), (media_type::MANIFEST.to_owned(), IMAGE.to_vec()));
        stored.tags.insert("v1".to_owned(), digest);
    });
    host
}

fn mismatch<T: std::fmt::Debug>(answer: Result<T, RegistryError>) {
    assert!(matches!(answer, Err(RegistryError::DigestMismatch { .. })), "{answer:?}");
}

#[test]
fn a_lying_digest_is_never_believed() {
    let wrong = Digest::of(b"wrong");
    let lie = || Fault::Header("Docker-Content-Digest", wrong.to_string());
    let host = host();
    let registry = host.open("a");
    wait(async {
        host.fail("GET", "manifests", 1, Fault::Body(br#"{"schemaVersion":2}"#.to_vec()));
        mismatch(registry.manifest(&Digest::of(IMAGE), MANIFEST_LIMIT).await);
        host.fail("GET", "manifests", 1, lie());
        mismatch(registry.manifest(&Digest::of(IMAGE), MANIFEST_LIMIT).await);
        host.fail("GET", "manifests", 1, lie());
        mismatch(registry.tagged("v1", MANIFEST_LIMIT).await);
        host.fail("HEAD", "manifests", 1, lie());
        mismatch(registry.stat(&Digest::of(IMAGE)).await);
        host.fail("PUT", "manifests", 1, lie());
        mismatch(registry.put(&Manifest::of(media_type::MANIFEST, IMAGE.to_vec()), &[]).await);
        host.fail("PUT", "uploads", 1, lie());
        mismatch(registry.put_blob(&Content::bytes(Digest::of(b"x"), b"x".to_vec()), None).await);
        let other = |digest: String| Fault::Header("Docker-Content-Digest", digest);
        host.fail("GET", "manifests", 1, other(format!("sha512:{:0128}", 0)));
        mismatch(registry.tagged("v1", MANIFEST_LIMIT).await);
        host.fail("HEAD", "manifests", 1, other(format!("sha512:{:0128}", 0)));
        host.fail("GET", "manifests", 1, other(format!("sha512:{:0128}", 0)));
        mismatch(registry.stat(&Digest::of(IMAGE)).await);
        // An algorithm that cannot be computed says nothing about these bytes.
        host.fail("GET", "manifests", 1, other(format!("blake3:{:064}", 0)));
        assert_eq!(registry.tagged("v1", MANIFEST_LIMIT).await.unwrap().unwrap().bytes, IMAGE);
    });
}

#[test]
fn blobs_of_other_bytes_or_another_size_are_refused() {
    for size in [1000, 300_000] {
        let blob = noise(size);
        let descriptor = described(&blob);
        let host = TestRegistry::start(Options::default());
        host.change("a", |stored| {
            stored.blobs.insert(descriptor.digest.to_string(), blob.clone().into());
        });
        let registry = host.open("a");
        let mut flipped = blob.clone();
        flipped[size / 2] ^= 1;
        wait(async {
            host.fail("GET", "blobs", 1, Fault::Body(flipped));
            mismatch(read(&registry, &descriptor).await);
            for fault in [
                Fault::Body(blob[1..].to_vec()),
                Fault::Body([&blob[..], b"x"].concat()),
                Fault::WrongLength(1),
                Fault::WrongLength(-1),
            ] {
                host.fail("GET", "blobs", 1, fault.clone());
                let answer = read(&registry, &descriptor).await;
                assert!(matches!(answer, Err(RegistryError::SizeMismatch { .. })), "{fault:?}: {answer:?}");
            }
            // More than was announced is not even looked at.
            host.fail("GET", "blobs", 1, Fault::Endless);
            mismatch(read(&registry, &descriptor).await);
            assert!(read(&registry, &descriptor).await.unwrap().unwrap() == blob);
        });
    }
}

#[test]
fn documents_of_two_kinds_or_two_types_are_refused() {
    let host = host();
    let registry = host.open("a");
    let invalid = |answer: Result<(), RegistryError>| {
        assert!(matches!(answer, Err(RegistryError::Invalid { .. })), "{answer:?}");
    };
    wait(async {
        host.fail("GET", "manifests", 1, Fault::Header("Content-Type", media_type::INDEX.to_owned()));
        invalid(registry.tagged("v1", MANIFEST_LIMIT).await.map(drop));
        host.fail(
            "GET",
            "manifests",
            1,
            Fault::Header("Content-Type", format!("{}; charset=utf-8", media_type::MANIFEST)),
        );
        assert!(registry.tagged("v1", MANIFEST_LIMIT).await.unwrap().is_some());
        for body in [
            "",
            "<html>",
            "[]",
            r#"{"schemaVersion":1}"#,
            r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
        ] {
            host.fail("GET", "referrers", 1, Fault::Body(body.into()));
            invalid(registry.referrers(&Digest::of(IMAGE), None).await.map(drop));
        }
        for body in ["", "<html>", "[]", r#"{"tags":1}"#] {
            host.fail("GET", "tags", 1, Fault::Body(body.into()));
            invalid(registry.tags().await.map(drop));
        }
        host.fail("GET", "tags", 1, Fault::Body(br#"{"tags":null}"#.to_vec()));
        assert_eq!(registry.tags().await.unwrap(), Vec::<String>::new());
    });
}

#[test]
fn a_fallback_tag_that_holds_an_image_is_not_overwritten() {
    let host = TestRegistry::start(Options { referrers: false, ..Options::default() });
    let subject = Digest::of(b"subject");
    host.change("a", |stored| {
        let digest = Digest::of(IMAGE).to_string();
        stored.manifests.insert(digest.clone(), (media_type::MANIFEST.to_owned(), IMAGE.to_vec()));
        stored.tags.insert(format!("sha256-{}", subject.hex()), digest);
    });
    let registry = host.open("a");
    let unlisted = Unlisted { subject, entry: described(b"referrer") };
    assert!(matches!(wait(registry.list_referrers(&[unlisted])), Err(RegistryError::Invalid { .. })));
    assert!(matches!(wait(registry.referrers(&subject, None)), Err(RegistryError::Invalid { .. })));
    assert!(host.log().iter().all(|one| one.method == "GET"));
}

#[test]
fn a_list_of_referrers_that_another_writer_replaces_is_merged_again() {
    let host = TestRegistry::start(Options { referrers: false, checks_named: false, ..Options::default() });
    let subject = Digest::of(b"subject");
    let entry = |text: &str| Unlisted { subject, entry: described(text.as_bytes()) };
    let registry = host.open("a");
    wait(async {
        registry.list_referrers(&[entry("other")]).await.unwrap();
        host.forget();
        host.fail("PUT", "manifests/sha256-", 1, Fault::Overtaken);
        registry.list_referrers(&[entry("ours")]).await.unwrap();
        let methods: Vec<String> = host.log().into_iter().map(|one| one.method).collect();
        // After the pause the list is read anew, and once another writer was seen it must last for a pause.
        assert_eq!(methods, ["GET", "PUT", "GET", "GET", "PUT", "GET", "GET"]);
        assert_eq!(registry.referrers(&subject, None).await.unwrap().len(), 2);
        // Somebody who never stops is told of.
        host.fail("PUT", "manifests/sha256-", 100, Fault::Overtaken);
        let error = registry.list_referrers(&[entry("more")]).await.unwrap_err();
        assert!(matches!(error, RegistryError::Answered { fault: Meaning::Transient, .. }), "{error}");
    });
}

#[test]
fn a_list_that_was_replaced_after_it_was_read_back_is_put_right_in_the_end() {
    let host = TestRegistry::start(Options { referrers: false, checks_named: false, ..Options::default() });
    let subject = Digest::of(b"subject");
    let entry = |text: &str| Unlisted { subject, entry: described(text.as_bytes()) };
    let (theirs, ours) = (host.open("a"), host.open("a"));
    wait(async {
        theirs.list_referrers(&[entry("theirs")]).await.unwrap();
        let mut before = BTreeMap::new();
        host.change("a", |stored| before = stored.tags.clone());
        ours.list_referrers(&[entry("1"), entry("2")]).await.unwrap();
        assert_eq!(ours.referrers(&subject, None).await.unwrap().len(), 3);
        host.forget();
        ours.hold_lists().await.unwrap();
        assert_eq!(host.log().len(), 1);
        // While others write it must last for a pause.
        theirs.list_referrers(&[entry("later")]).await.unwrap();
        host.forget();
        ours.hold_lists().await.unwrap();
        assert_eq!(host.log().len(), 2);
        // Another writer had read the list before.
        host.change("a", |stored| stored.tags = before.clone());
        assert_eq!(ours.referrers(&subject, None).await.unwrap().len(), 1);
        ours.hold_lists().await.unwrap();
        assert_eq!(ours.referrers(&subject, None).await.unwrap().len(), 3);
        // Who has changed nothing has nothing to hold.
        host.forget();
        let looks_only = host.open("a");
        looks_only.list_referrers(&[entry("1")]).await.unwrap();
        looks_only.hold_lists().await.unwrap();
        assert_eq!(host.log().len(), 1);
    });
}
