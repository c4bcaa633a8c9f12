//! Images that are named by SHA-512, all of them or in part, and by what nobody here can compute.

use kyklos_release::adapter::oci::{Archive, Layout, Memory};
use kyklos_release::diag::{Hint as _, Kind};
use kyklos_release::format::oci::{MANIFEST_LIMIT, media_type};
use kyklos_release::image::transfer;
use kyklos_release::model::{Digest, DigestAlgorithm};
use kyklos_release::port::{Registry, RegistryError, fallback_tag};

use super::{archived, has_all, job, states, tags, wait, with_attached};
use crate::support::registry::{Options, Stored, TestRegistry};
use crate::support::sample::Sample;
use crate::support::spectator::whole;

fn by_sha512() -> Sample {
    Sample::by("app", DigestAlgorithm::Sha512).with_attached()
}

#[test]
fn an_image_of_sha512_goes_from_any_store_to_any_other() {
    let here = tempfile::tempdir().unwrap();
    let sample = by_sha512();
    let listing = || TestRegistry::start(Options { many_tags: true, ..Options::default() });
    let bare = || TestRegistry::start(Options { referrers: false, ..Options::default() });
    let (from, from_bare) = (listing(), bare());
    wait(async {
        let memory = Memory::new();
        sample.put(&memory, "v1.0.0").await;
        let layout = Layout::create(here.path().join("a")).unwrap();
        sample.put(&layout, "v1.0.0 latest").await;
        let archive = archived(&sample, &here.path().join("a.tar")).await;
        let (host, bare_host) = (from.open("a"), from_bare.open("a"));
        sample.put(&host, "v1.0.0").await;
        sample.put(&bare_host, "v1.0.0").await;
        let sources: [(&dyn Registry, bool); 5] = [
            (&memory, true),
            (&layout, true),
            (archive.registry(), true),
            (&host, true),
            // It calls by its SHA-256 what a tag points to.
            (&bare_host, false),
        ];
        for (number, (source, named)) in sources.into_iter().enumerate() {
            let to_layout = Layout::create(here.path().join(format!("to-{number}"))).unwrap();
            let to_memory = Memory::new();
            let to_archive = Archive::extend(here.path().join(format!("to-{number}.tar"))).unwrap();
            let (first, second) = (listing(), bare());
            let (to_host, to_bare) = (first.open("a"), second.open("a"));
            let places: [&dyn Registry; 5] =
                [&to_layout, &to_memory, to_archive.registry(), &to_host, &to_bare];
            for (place, to) in places.into_iter().enumerate() {
                let wanted = tags("v1.0.0 latest");
                let mut job = with_attached(job(source, "v1.0.0", to, &wanted));
                if !named {
                    job.meant = kyklos_release::image::Meant::Digest(sample.digest());
                }
                let done = transfer(&job).await.unwrap();
                let shown = format!("{number} to {place}");
                assert_eq!(done.digest, sample.digest(), "{shown}");
                assert_eq!(states(&done.places[0]), "v1.0.0 Created, latest Created", "{shown}");
                assert_eq!(done.places[0].attached.len(), sample.attached.len(), "{shown}");
                has_all(to, &sample).await;
                for tag in &wanted {
                    let found = to.resolve_as(tag, DigestAlgorithm::Sha512).await.unwrap();
                    assert_eq!(found, Some(sample.digest()), "{shown}");
                }
                for subject in [sample.digest(), sample.platforms[0]] {
                    assert_eq!(to.referrers(&subject, None).await.unwrap().len(), 1, "{shown}");
                }
                // Again, nothing is sent and nothing is a conflict.
                let again = transfer(&job).await.unwrap();
                assert_eq!(states(&again.places[0]), "v1.0.0 Unchanged, latest Unchanged", "{shown}");
                assert_eq!(again.places[0].uploaded, [], "{shown}");
            }
            whole(&to_layout).await;
            to_archive.write().await.unwrap();
            let read = |name: &str| std::fs::read(here.path().join(name)).unwrap();
            assert!(read("a.tar") == read(&format!("to-{number}.tar")), "the same content, the same file");
            let hex = sample.digest().hex();
            assert_eq!(read(&format!("to-{number}/blobs/sha512/{hex}")), sample.root().bytes);
            let listed = second.stored("a").tags.into_keys().filter(|tag| tag.starts_with("sha512-"));
            let listed: Vec<String> = listed.collect();
            assert_eq!((listed.len(), listed[0].len()), (4, "sha512-".len() + 64), "{listed:?}");
            assert!(listed.contains(&fallback_tag(&sample.digest())));
            let opened = first.routes().into_iter().filter(|route| route.starts_with("POST"));
            assert!(opened.into_iter().all(|route| route.contains("digest-algorithm=sha512")));
        }
    });
}

#[test]
fn a_host_that_knows_only_sha256_gets_the_blobs_and_refuses_the_manifests() {
    let host = TestRegistry::start(Options { sha256_only: true, ..Options::default() });
    let (sample, wanted) = (Sample::by("app", DigestAlgorithm::Sha512), tags("v1.0.0"));
    wait(async {
        let source = Memory::new();
        sample.put(&source, "x").await;
        let to = host.open("a");
        let error = transfer(&job(&source, "x", &to, &wanted)).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), ("registry-refused", Kind::Refused));
        let Stored { blobs, tags, .. } = host.stored("a");
        assert_eq!((blobs.len(), tags.len()), (3, 0));
        // An index by SHA-256 over the same blobs is fine.
        let mut mixed = Sample::new("mixed");
        let layer = DigestAlgorithm::Sha512.digest(b"x");
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{layer}","size":1}},"layers":[]}}"#,
            media_type::MANIFEST,
            media_type::CONFIG
        );
        mixed.blobs = vec![b"x".to_vec()];
        let source = Memory::new();
        let content = kyklos_release::port::Content::bytes(layer, b"x".to_vec());
        source.put_blob(&content, None).await.unwrap();
        let manifest = kyklos_release::port::Manifest::of(media_type::MANIFEST, manifest.into_bytes());
        let _ = source.put(&manifest, &tags_of("y")).await.unwrap();
        let done = transfer(&job(&source, "y", &to, &wanted)).await.unwrap();
        assert_eq!(done.places[0].uploaded, [layer]);
        assert_eq!(to.resolve("v1.0.0").await.unwrap(), Some(manifest.digest));
        let back = Memory::new();
        transfer(&job(&to, "v1.0.0", &back, &wanted)).await.unwrap();
        assert!(back.has_blob(&layer).await.unwrap());
    });
}

fn tags_of(tag: &str) -> Vec<String> {
    vec![tag.to_owned()]
}

#[test]
fn other_bytes_than_a_sha512_says_are_never_stored() {
    let here = tempfile::tempdir().unwrap();
    let sample = Sample::by("app", DigestAlgorithm::Sha512);
    let wanted = tags("v1.0.0");
    let layer = sample.algorithm.digest(b"layer of app");
    let child = sample.platforms[1];
    let host = TestRegistry::start(Options { many_tags: true, ..Options::default() });
    wait(async {
        let layout = Layout::create(here.path().join("a")).unwrap();
        sample.put(&layout, "x").await;
        sample.put(&host.open("a"), "x").await;
        for (digest, other) in [(layer, &b"LAYER of app"[..]), (child, b"{}")] {
            let path = here.path().join("a/blobs/sha512").join(digest.hex());
            let right = std::fs::read(&path).unwrap();
            let mut wrong = right.clone();
            wrong[..other.len()].copy_from_slice(other);
            std::fs::write(&path, &wrong).unwrap();
            host.change("a", |stored| {
                stored.blobs.entry(digest.to_string()).and_modify(|bytes| *bytes = wrong.clone().into());
                stored.manifests.entry(digest.to_string()).and_modify(|(_, bytes)| bytes.clone_from(&wrong));
            });
            let archive = here.path().join("a.tar");
            let mut builder = tar::Builder::new(std::fs::File::create(&archive).unwrap());
            builder.append_dir_all(".", here.path().join("a")).unwrap();
            builder.finish().unwrap();
            let archive = Archive::open(&archive).unwrap();
            let far = host.open("a");
            let sources: [&dyn Registry; 3] = [&layout, archive.registry(), &far];
            for source in sources {
                let to = Layout::create(here.path().join("to")).unwrap();
                let error = transfer(&job(source, "x", &to, &wanted)).await.unwrap_err();
                assert_eq!((error.code(), error.kind()), ("registry-digest", Kind::Refused), "{error}");
                let facts = error.facts();
                let found = DigestAlgorithm::Sha512.digest(&wrong);
                assert_eq!(facts, [("expected", digest.to_string()), ("found", found.to_string())]);
                assert!(!to.has_blob(&digest).await.unwrap());
                assert!(to.tags().await.unwrap().is_empty());
            }
            std::fs::write(&path, &right).unwrap();
            host.change("a", |stored| {
                stored.blobs.entry(digest.to_string()).and_modify(|bytes| *bytes = right.clone().into());
                stored.manifests.entry(digest.to_string()).and_modify(|(_, bytes)| bytes.clone_from(&right));
            });
        }
        // A store is not made to lie either.
        let memory = Memory::new();
        let mut manifest = sample.root().clone();
        manifest.bytes.push(b' ');
        let answers = [
            memory.put(&manifest, &[]).await,
            layout.put(&manifest, &[]).await,
            host.open("a").put(&manifest, &[]).await,
        ];
        for answer in answers {
            assert!(matches!(answer, Err(RegistryError::DigestMismatch { .. })), "{answer:?}");
        }
    });
}

#[test]
fn algorithms_nobody_can_compute_are_refused_before_anything_is_stored() {
    for unknown in
        ["blake3:af1349b9f5f9a1a6a0404dea36dcc949", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha384:00"]
    {
        let host = TestRegistry::start(Options::default());
        host.change("a", |stored| {
            let manifest = format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","layers":[{{"mediaType":"{}","digest":"{unknown}","size":3}}]}}"#,
                media_type::MANIFEST,
                media_type::LAYER
            );
            let digest = Digest::of(manifest.as_bytes()).to_string();
            stored.manifests.insert(digest.clone(), (media_type::MANIFEST.to_owned(), manifest.into_bytes()));
            stored.tags.insert("x".to_owned(), digest);
        });
        let (source, to, wanted) = (host.open("a"), Memory::new(), tags("v1.0.0"));
        let error = wait(transfer(&job(&source, "x", &to, &wanted))).unwrap_err();
        assert_eq!((error.code(), error.kind()), ("image-document", Kind::Refused));
        let reason = std::error::Error::source(&error).unwrap().to_string();
        let expected = format!(
            "`{unknown}` is a digest that cannot be checked: its algorithm is neither sha256 nor sha512"
        );
        assert!(reason.contains(&expected), "{reason}");
        assert_eq!(host.log().len(), 1);
        assert!(wait(to.tags()).unwrap().is_empty());
        assert!(
            wait(source.tagged("x", MANIFEST_LIMIT)).unwrap().is_some(),
            "the document itself can be read"
        );
    }
}
