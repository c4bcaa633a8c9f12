//! Images that cannot be, hosts that claim what they do not have, and two who write at once.

use kyklos_release::adapter::oci::{Archive, Memory};
use kyklos_release::diag::{Hint as _, Kind};
use kyklos_release::format::oci::{MANIFEST_LIMIT, media_type};
use kyklos_release::image::transfer;
use kyklos_release::model::Digest;
use kyklos_release::port::{Registry as _, RegistryError};

use super::{has_all, job, tags, wait, with_attached};
use crate::support::registry::{Fault, Options, TestRegistry, wire};
use crate::support::sample::{Sample, descriptor};

/// An index over one entry that is said to have a digest and a size.
fn over(digest: &str, size: usize) -> Vec<u8> {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{0}","manifests":[{{"mediaType":"{0}","digest":"{digest}","size":{size}}}]}}"#,
        media_type::INDEX
    )
    .into_bytes()
}

#[test]
fn indexes_that_lead_back_to_themselves_end() {
    // No index can hold its own digest, so a host that serves one lies about it.
    let [first, second] = [Digest::of(b"1").to_string(), Digest::of(b"2").to_string()];
    let size = over(&first, 300).len();
    for (lies, what) in
        [(vec![(&first, &first)], "itself"), (vec![(&first, &second), (&second, &first)], "another")]
    {
        let host = TestRegistry::start(Options::default());
        host.change("a", |stored| {
            for (digest, leads_to) in &lies {
                let index = (media_type::INDEX.to_owned(), over(leads_to, size));
                stored.manifests.insert((*digest).clone(), index);
            }
            let root = over(&first, size);
            let digest = Digest::of(&root).to_string();
            stored.manifests.insert(digest.clone(), (media_type::INDEX.to_owned(), root));
            stored.tags.insert("x".to_owned(), digest);
        });
        let to = Memory::new();
        let wanted = tags("v1.0.0");
        for attached in [false, true] {
            host.forget();
            let source = host.open("a");
            let job = job(&source, "x", &to, &wanted);
            let error = wait(transfer(&if attached { with_attached(job) } else { job })).unwrap_err();
            assert_eq!((error.code(), error.kind()), ("registry-digest", Kind::Refused), "{what}");
            assert!(host.log().len() <= 4, "{what}: {:?}", host.routes());
            assert!(wait(to.tags()).unwrap().is_empty());
        }
    }
}

#[test]
fn a_list_of_referrers_that_names_its_subject_ends() {
    // What is listed for the image is the image: it is not attached to itself.
    let host = TestRegistry::start(Options { referrers: false, ..Options::default() });
    let sample = Sample::new("app");
    let (to, wanted) = (Memory::new(), tags("v1.0.0"));
    wait(async {
        sample.put(&host.open("a"), "x").await;
        host.change("a", |stored| {
            let root = &stored.manifests[&sample.digest().to_string()];
            let entry = descriptor(&root.0, &root.1, "");
            let list =
                format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entry}]}}"#, media_type::INDEX);
            let digest = Digest::of(list.as_bytes()).to_string();
            stored.manifests.insert(digest.clone(), (media_type::INDEX.to_owned(), list.into_bytes()));
            stored.tags.insert(format!("sha256-{}", sample.digest().hex()), digest);
        });
        let source = host.open("a");
        let done = transfer(&with_attached(job(&source, "x", &to, &wanted))).await.unwrap();
        assert_eq!(done.places[0].attached, []);
        has_all(&to, &sample).await;
    });
}

#[test]
fn a_blob_that_a_host_claimed_to_have_is_sent_when_it_turns_out_not_to() {
    let sample = Sample::new("app");
    for (from, manifests) in [(sample.digest(), 3), (sample.platforms[0], 1)] {
        let host = TestRegistry::start(Options::default());
        host.fail("POST", "mount=", 1, Fault::Answer(201, "", ""));
        wait(async {
            let source = Memory::new();
            sample.put(&source, "x").await;
            source.tag("one", &from).await.unwrap();
            let (to, wanted) = (host.open("a"), tags("v1.0.0"));
            let done = transfer(&job(&source, "one", &to, &wanted)).await.unwrap();
            let one = &done.places[0];
            assert_eq!((one.manifests.len(), one.skipped.len()), (manifests, 0), "{:#?}", host.routes());
            assert_eq!(one.uploaded.len(), if manifests == 1 { 2 } else { 3 });
            assert_eq!(to.resolve("v1.0.0").await.unwrap(), Some(from));
        });
    }
}

#[test]
fn who_adds_to_an_archive_that_changed_meanwhile_is_told() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("images.tar");
    let [first, second, third] = ["first", "second", "third"].map(Sample::new);
    wait(async {
        let held = |digest: Digest| {
            let path = path.clone();
            async move {
                let archive = Archive::open(path).unwrap();
                archive.registry().manifest(&digest, MANIFEST_LIMIT).await.unwrap().is_some()
            }
        };
        // Both begin with no archive at all, then both with the one that is there.
        for (faster, slower) in [(&first, &second), (&second, &third)] {
            let (one, two) = (Archive::extend(&path).unwrap(), Archive::extend(&path).unwrap());
            faster.put(one.registry(), "").await;
            slower.put(two.registry(), "").await;
            one.write().await.unwrap();
            let error = two.write().await.unwrap_err();
            assert!(matches!(error, RegistryError::Changed { .. }), "{error}");
            assert_eq!((error.code(), error.kind()), ("registry-changed", Kind::Interrupted));
            assert!(held(faster.digest()).await && !held(slower.digest()).await);
        }
        // Again, it adds to what is there.
        let two = Archive::extend(&path).unwrap();
        third.put(two.registry(), "").await;
        two.write().await.unwrap();
        assert!(held(first.digest()).await && held(second.digest()).await && held(third.digest()).await);
        let left = std::fs::read_dir(here.path()).unwrap().count();
        assert_eq!(left, 1, "nothing but the archive");
    });
}

#[test]
fn subjects_that_share_a_host_are_asked_for_its_list_once() {
    // The first question shows that the host has no such list; nobody else asks it again.
    let host = TestRegistry::start(Options { referrers: false, ..Options::default() });
    let sample = Sample::new("app").with_attached();
    wait(async {
        sample.put(&host.open("a"), "x").await;
        let (source, to, wanted) = (host.open_on(&wire(None), "a"), Memory::new(), tags("v1.0.0"));
        host.forget();
        transfer(&with_attached(job(&source, "x", &to, &wanted))).await.unwrap();
        has_all(&to, &sample).await;
        let asked = host.routes().iter().filter(|route| route.contains("/referrers/")).count();
        assert_eq!(asked, 1, "{:#?}", host.routes());
    });
}
