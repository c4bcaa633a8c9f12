//! Every request of a transfer goes wrong once, in every way there is; the transfer ends well each time.

use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kyklos_release::format::oci::{Descriptor, ImageManifest, MANIFEST_LIMIT, media_type};
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Fault as Meaning, Manifest, Registry as _, RegistryError, Unlisted};

use super::{described, noise, read, wait};
use crate::support::registry::{Fault, Options, TestRegistry, wire_with};

const FAULTS: [Fault; 7] = [
    Fault::BUSY,
    Fault::LATER,
    Fault::HTML,
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::CutRequest,
    Fault::CutAnswer,
];

/// Pushes an image and something attached to it, and reads everything back.
async fn journey(host: &TestRegistry) -> Result<(), RegistryError> {
    let registry = host.open("a");
    let layer = noise(300 << 10);
    let (config, layer_of) = (Descriptor::of(media_type::EMPTY, b"{}"), described(&layer));
    let manifest = |subject: Option<Descriptor>| {
        serde_json::to_vec(&ImageManifest {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            artifact_type: None,
            config: Some(config.clone()),
            layers: vec![layer_of.clone()],
            subject,
            annotations: [].into(),
        })
        .unwrap()
    };
    for bytes in [b"{}".to_vec(), layer.clone()] {
        registry.put_blob(&Content::bytes(Digest::of(&bytes), bytes), None).await?;
    }
    let image = manifest(None);
    let _ = registry.put(&Manifest::of(media_type::MANIFEST, image.clone()), &["v1".to_owned()]).await?;
    let attached = manifest(Some(Descriptor::of(media_type::MANIFEST, &image)));
    let put = registry.put(&Manifest::of(media_type::MANIFEST, attached.clone()), &[]).await?;
    registry.list_referrers(&put.unlisted.into_iter().collect::<Vec<Unlisted>>()).await?;
    assert_eq!(registry.resolve("v1").await?, Some(Digest::of(&image)));
    assert_eq!(
        registry.tags().await?.first().map(|tag| tag.starts_with("sha256-") || tag == "v1"),
        Some(true)
    );
    assert_eq!(registry.tagged("v1", MANIFEST_LIMIT).await?.unwrap().bytes, image);
    assert!(registry.has_blob(&layer_of.digest).await?);
    assert!(read(&registry, &layer_of).await?.unwrap() == layer);
    assert_eq!(registry.referrers(&Digest::of(&image), None).await?[0].digest, Digest::of(&attached));
    Ok(())
}

/// Looks after every request whether each tag leads to a manifest whose blobs are all there.
fn tagged_early(host: &TestRegistry) -> Arc<Mutex<Vec<String>>> {
    let early: Arc<Mutex<Vec<String>>> = Arc::default();
    let found = Arc::clone(&early);
    host.watch(move |repositories| {
        for stored in repositories.values() {
            for (tag, digest) in &stored.tags {
                let Some((_, bytes)) = stored.manifests.get(digest) else {
                    found.lock().unwrap().push(format!("{tag} leads nowhere"));
                    continue;
                };
                let text = String::from_utf8_lossy(bytes);
                let missing = |part: &&str| {
                    let digest = format!("sha256:{}", &part[..64]);
                    !stored.blobs.contains_key(&digest) && !stored.manifests.contains_key(&digest)
                };
                let parts: Vec<&str> = text.split("sha256:").skip(1).collect();
                if parts.iter().any(missing) {
                    found.lock().unwrap().push(format!("{tag} leads to something that is not there"));
                }
            }
        }
    });
    early
}

#[test]
fn every_request_may_go_wrong_once() {
    for referrers in [true, false] {
        let options = Options { referrers, ..Options::default() };
        let clean = TestRegistry::start(options.clone());
        wait(journey(&clean)).unwrap();
        let requests = clean.log().len();
        assert!(requests >= 12, "{:?}", clean.routes());
        for fault in FAULTS {
            for number in 1..=requests {
                let host = TestRegistry::start(options.clone());
                host.fail_nth(number, fault.clone());
                let early = tagged_early(&host);
                let answer = wait(journey(&host));
                assert!(answer.is_ok(), "{fault:?} at {number}: {answer:?}\n{}", host.routes().join("\n"));
                assert_eq!(host.stored("a").manifests, clean.stored("a").manifests, "{fault:?} at {number}");
                assert_eq!(host.stored("a").tags, clean.stored("a").tags, "{fault:?} at {number}");
                assert_eq!(*early.lock().unwrap(), Vec::<String>::new(), "{fault:?} at {number}");
            }
        }
    }
}

#[test]
fn a_fault_that_stays_ends_in_its_class() {
    for (fault, expected) in [
        (Fault::BUSY, Meaning::Transient),
        (Fault::LATER, Meaning::Transient),
        (Fault::HTML, Meaning::Transient),
        (
            Fault::Answer(403, "", r#"{"errors":[{"code":"DENIED","message":"no \u001b[2J"}]}"#),
            Meaning::Denied,
        ),
        (Fault::Answer(404, "", "x"), Meaning::Missing),
        (Fault::Answer(409, "", ""), Meaning::Conflict),
        (Fault::Answer(405, "", ""), Meaning::Refused),
    ] {
        let host = TestRegistry::start(Options::default());
        host.fail("PUT", "manifests", 100, fault.clone());
        let error =
            wait(host.open("a").put(&Manifest::of("x/y", b"{}".to_vec()), &["v1".to_owned()])).unwrap_err();
        let RegistryError::Answered { fault: found, exchange } = &error else { panic!("{error}") };
        assert_eq!(*found, expected, "{fault:?}");
        assert_eq!(exchange.request, "PUT manifests/v1");
        assert!(!format!("{exchange:?}").contains('\u{1b}'));
        let sent = if fault == Fault::LATER {
            21
        } else if expected == Meaning::Transient {
            4
        } else {
            1
        };
        assert_eq!(host.log().len(), sent, "{fault:?}");
    }
    let host = TestRegistry::start(Options::default());
    host.fail("GET", "tags", 100, Fault::ResetBefore);
    let error = wait(host.open("a").tags()).unwrap_err();
    assert!(matches!(error, RegistryError::Unreached { .. }), "{error}");
    assert_eq!(host.log().len(), 4);
}

#[test]
fn a_cut_upload_goes_on_where_the_host_stopped() {
    let host = TestRegistry::start(Options::default());
    let blob = noise(8 << 20);
    host.fail("PUT", "uploads", 1, Fault::CutRequest);
    host.fail("PATCH", "uploads", 2, Fault::CutRequest);
    wait(host.open("a").put_blob(&Content::bytes(Digest::of(&blob), blob.clone()), None)).unwrap();
    assert!(*host.stored("a").blobs[&Digest::of(&blob).to_string()] == blob);
    insta::assert_snapshot!(host.routes().join("\n"), @r"
    POST /v2/a/blobs/uploads/?mount=sha256:a71f93&from=a
    HEAD /v2/a/blobs/sha256:a71f93
    PUT /v2/a/blobs/uploads/SESSION?digest=sha256:a71f93
    GET /v2/a/blobs/uploads/SESSION
    PATCH /v2/a/blobs/uploads/SESSION
    GET /v2/a/blobs/uploads/SESSION
    PATCH /v2/a/blobs/uploads/SESSION
    GET /v2/a/blobs/uploads/SESSION
    PATCH /v2/a/blobs/uploads/SESSION
    PUT /v2/a/blobs/uploads/SESSION?digest=sha256:a71f93
    ");
}

#[test]
fn a_cut_download_goes_on_behind_what_arrived() {
    let host = TestRegistry::start(Options::default());
    let blob = noise(8 << 20);
    let descriptor = described(&blob);
    host.change("a", |stored| {
        stored.blobs.insert(descriptor.digest.to_string(), blob.clone().into());
    });
    host.fail("GET", "blobs", 3, Fault::CutAnswer);
    assert!(wait(read(&host.open("a"), &descriptor)).unwrap().unwrap() == blob);
    let ranges: Vec<Option<String>> =
        host.log().iter().map(|one| one.headers.get("range").cloned()).collect();
    let expected = [None, Some("bytes=4194304-"), Some("bytes=6291456-"), Some("bytes=7340032-")];
    assert_eq!(ranges, expected.map(|range| range.map(str::to_owned)));
}

#[test]
fn a_body_that_drips_is_broken() {
    let host = TestRegistry::start(Options::default());
    let blob = noise(400 << 10);
    let descriptor = described(&blob);
    let manifest = br#"{"schemaVersion":2,"layers":[],"annotations":{"k":"so that it takes a while to come, byte by byte"}}"#;
    let digest = Digest::of(manifest);
    host.change("a", |stored| {
        stored.blobs.insert(descriptor.digest.to_string(), blob.clone().into());
        stored.manifests.insert(digest.to_string(), (media_type::MANIFEST.to_owned(), manifest.to_vec()));
    });
    // What drips is too slow on any machine; what does not gets a time in which it arrives on a busy one.
    let [patient, hasty] = [Duration::from_secs(1), Duration::from_millis(150)]
        .map(|idle| host.open_on(&wire_with(None, idle), "a"));
    wait(async {
        // Once is like any other fault: the rest is asked for again.
        host.fail("GET", "blobs", 1, Fault::Drip);
        let registry = patient;
        assert!(read(&registry, &descriptor).await.unwrap().unwrap() == blob);
        assert_eq!(host.log().len(), 2, "{:?}", host.routes());
        // Always is given up after the usual number of tries, whatever its bytes.
        let registry = hasty;
        host.forget();
        host.fail("GET", "", 8, Fault::Drip);
        let error = read(&registry, &descriptor).await.unwrap_err();
        assert!(
            matches!(&error, RegistryError::Unreached { reason, .. } if reason.contains("bytes came in")),
            "{error}"
        );
        let error = registry.manifest(&digest, MANIFEST_LIMIT).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unreached { .. }), "{error}");
        assert_eq!(host.log().len(), 8, "{:?}", host.routes());
    });
}

#[test]
fn a_reader_that_takes_its_time_breaks_nothing() {
    let host = TestRegistry::start(Options::default());
    let blob = noise(8 << 20);
    let descriptor = described(&blob);
    host.change("a", |stored| {
        stored.blobs.insert(descriptor.digest.to_string(), blob.clone().into());
    });
    let registry = host.open_on(&wire_with(None, Duration::from_secs(1)), "a");
    let bytes = wait(async {
        let mut reader = registry.blob(&descriptor).await.unwrap().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; 1000];
            reader.read_exact(&mut bytes).unwrap();
            // Longer than the host may take for its bytes.
            std::thread::sleep(Duration::from_millis(1500));
            reader.read_to_end(&mut bytes).unwrap();
            bytes
        });
        read.await.unwrap()
    });
    assert!(bytes == blob);
    assert_eq!(host.log().len(), 1, "{:?}", host.routes());
}

#[test]
fn a_host_that_hangs_is_left() {
    let host = TestRegistry::start(Options::default());
    host.fail("GET", "tags", 1, Fault::Hang);
    assert_eq!(wait(host.open("a").tags()).unwrap(), Vec::<String>::new());
}

#[test]
fn what_was_just_written_may_take_a_moment_to_be_seen() {
    let host =
        TestRegistry::start(Options { checks_named: false, digest_header: false, ..Options::default() });
    let registry = host.open("a");
    let manifest = br#"{"schemaVersion":2,"layers":[]}"#;
    host.fail("HEAD", "manifests/v1", 2, Fault::Answer(404, "", ""));
    host.fail("PUT", "manifests", 1, Fault::Answer(403, "", ""));
    wait(async {
        // A 403 before anything was written is final.
        assert!(
            registry
                .put(&Manifest::of(media_type::MANIFEST, manifest.to_vec()), &["v1".to_owned()])
                .await
                .is_err()
        );
        let _ = registry
            .put(&Manifest::of(media_type::MANIFEST, manifest.to_vec()), &["v1".to_owned()])
            .await
            .unwrap();
        host.fail("PUT", "manifests", 2, Fault::Answer(403, "", ""));
        let _ = registry
            .put(&Manifest::of(media_type::MANIFEST, manifest.to_vec()), &["v2".to_owned()])
            .await
            .unwrap();
    });
    assert_eq!(host.stored("a").tags.len(), 2);
}

#[test]
fn smaller_pieces_where_a_host_does_not_take_large_ones() {
    let host = TestRegistry::start(Options::default());
    let blob = noise(9 << 20);
    host.fail("PUT", "uploads", 1, Fault::Answer(413, "", ""));
    host.fail("PATCH", "uploads", 1, Fault::Answer(413, "", ""));
    let registry = host.open("a");
    wait(registry.put_blob(&Content::bytes(Digest::of(&blob), blob.clone()), None)).unwrap();
    let sizes: Vec<usize> = host
        .log()
        .iter()
        .filter(|one| one.method == "PATCH" && one.status == 202)
        .map(|one| one.body)
        .collect();
    assert_eq!(sizes, [4 << 20, 4 << 20, 1 << 20]);
    assert!(*host.stored("a").blobs[&Digest::of(&blob).to_string()] == blob);
}

#[test]
fn content_that_is_not_what_was_announced_is_not_stored() {
    let host = TestRegistry::start(Options::default());
    let registry = host.open("a");
    for (bytes, size) in [(&b"abd"[..], 3), (b"ab", 3)] {
        let content =
            Content::opened(Digest::of(b"abc"), size, |_| Ok(Box::new(std::io::Cursor::new(bytes.to_vec()))));
        let error = wait(registry.put_blob(&content, None)).unwrap_err();
        let refused =
            matches!(error, RegistryError::DigestMismatch { .. } | RegistryError::SizeMismatch { .. });
        assert!(refused, "{error}");
    }
    assert_eq!(host.stored("a").blobs.len(), 0);
}

#[test]
fn a_manifest_that_a_host_confuses_with_another_is_sent_once_more() {
    const CONFUSED: &str = r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#;
    let bytes = br#"{"schemaVersion":2,"layers":[]}"#.to_vec();
    let manifest = Manifest::of(media_type::MANIFEST, bytes);
    for (times, ends_well) in [(1, true), (2, false)] {
        let host = TestRegistry::start(Options { checks_named: false, ..Options::default() });
        host.fail("PUT", "manifests", times, Fault::Answer(400, "Content-Type: application/json", CONFUSED));
        let put = wait(host.open("a").put(&manifest, &[]));
        assert_eq!(put.is_ok(), ends_well, "{put:?}");
        assert_eq!(host.log().len(), 2);
    }
}
