//! Every single request of a transfer goes wrong once, in every way there is: every run ends, digests are equal, and
//! nothing is under a tag before all of it is there.

use std::sync::{Arc, Mutex};

use kyklos_release::adapter::oci::Memory;
use kyklos_release::diag::{Hint as _, Kind};
use kyklos_release::image::{ImageError, Meant, Wanted, retag, transfer};
use kyklos_release::port::Registry as _;
use serde_json::Value;

use super::{has_all, job, tags, wait, with_attached};
use crate::support::registry::{Fault, Options, Stored, TestRegistry, wire};
use crate::support::sample::Sample;

const FAULTS: [Fault; 7] = [
    Fault::BUSY,
    Fault::LATER,
    Fault::HTML,
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::CutRequest,
    Fault::CutAnswer,
];

/// What is missing under the tags of a registry, looked at after every request. Lists of referrers are no images.
fn spectate(host: &TestRegistry) -> Arc<Mutex<Vec<String>>> {
    let missing = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&missing);
    host.watch(move |repositories| {
        for (name, stored) in repositories {
            for (tag, digest) in stored.tags.iter().filter(|(tag, _)| !tag.starts_with("sha256-")) {
                below(stored, digest, &mut |gone| {
                    found.lock().unwrap().push(format!("{name}:{tag} lacks {gone}"));
                });
            }
        }
    });
    missing
}

fn below(stored: &Stored, digest: &str, gone: &mut dyn FnMut(&str)) {
    let Some((_, bytes)) = stored.manifests.get(digest) else { return gone(digest) };
    let document: Value = serde_json::from_slice(bytes).expect("JSON");
    let digests = |key: &str| -> Vec<String> {
        let named = document[key].as_array().cloned().unwrap_or_default();
        named.iter().filter_map(|one| Some(one["digest"].as_str()?.to_owned())).collect()
    };
    for child in digests("manifests") {
        below(stored, &child, gone);
    }
    let config = document["config"]["digest"].as_str().map(ToOwned::to_owned);
    for blob in digests("layers").into_iter().chain(config) {
        if !stored.blobs.contains_key(&blob) {
            gone(&blob);
        }
    }
}

/// What is done with every fault at every request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Work {
    Push,
    Copy,
    CopyAttached,
    Tag,
    Pull,
}

async fn work(work: Work, host: &TestRegistry, sample: &Sample) -> Result<(), ImageError> {
    let shared = wire(None);
    let to = host.open_on(&shared, "a");
    let wanted = tags("v1.0.0 latest");
    match work {
        Work::Push => {
            let source = Memory::new();
            sample.put(&source, "x").await;
            transfer(&job(&source, "x", &to, &wanted)).await.map(drop)
        }
        Work::Copy => {
            let source = host.open_on(&shared, "staging");
            transfer(&job(&source, "x", &to, &wanted)).await.map(drop)
        }
        Work::CopyAttached => {
            let source = host.open_on(&shared, "staging");
            transfer(&with_attached(job(&source, "x", &to, &wanted))).await.map(drop)
        }
        Work::Tag => {
            let wanted = Wanted { tags: &wanted, ..Wanted::default() };
            retag(&to, &Meant::Tag("x".to_owned()), "here", &wanted).await.map(drop)
        }
        Work::Pull => {
            let (source, to) = (host.open_on(&shared, "staging"), Memory::new());
            transfer(&with_attached(job(&source, "x", &to, &wanted))).await?;
            has_all(&to, sample).await;
            for tag in &wanted {
                assert_eq!(to.resolve(tag).await.unwrap(), Some(sample.digest()));
            }
            Ok(())
        }
    }
}

/// Runs the work with every fault at every request, on a host with these abilities.
fn matrix(what: Work, options: &Options) {
    let sample = match what {
        Work::CopyAttached | Work::Pull => {
            let mut sample = Sample::new("app");
            for subject in [sample.digest(), sample.platforms[0]] {
                sample.attach(&subject, "application/vnd.example.sbom");
            }
            sample
        }
        Work::Push | Work::Copy | Work::Tag => Sample::new("app"),
    };
    let template = TestRegistry::start(options.clone());
    wait(sample.put(&template.open("a"), "x"));
    let template = template.stored("a");
    let mut runs = 0;
    for number in 1.. {
        let mut requests = 0;
        for fault in FAULTS {
            let host = TestRegistry::start(options.clone());
            let shown = format!("{what:?} {number} {fault:?}");
            wait(async {
                let start = match what {
                    Work::Push => "unused",
                    Work::Tag => "a",
                    Work::Copy | Work::CopyAttached | Work::Pull => "staging",
                };
                host.change(start, |stored| stored.clone_from(&template));
                host.fail_nth(number, fault.clone());
                let missing = spectate(&host);
                let ended = work(what, &host, &sample).await;
                requests = requests.max(host.log().len());
                assert!(ended.is_ok(), "{shown}: {:?}\n{:#?}", ended, host.routes());
                assert!(missing.lock().unwrap().is_empty(), "{shown}: {missing:?}");
                if what == Work::Pull {
                    // Looked at where it went to.
                    return;
                }
                let stored = host.stored("a");
                for tag in ["v1.0.0", "latest"] {
                    assert_eq!(stored.tags[tag], sample.digest().to_string(), "{shown}");
                }
                for (digest, manifest) in &template.manifests {
                    // A list of referrers has the digest of its entries, in whatever order they came.
                    let listed =
                        template.tags.iter().any(|(tag, of)| tag.starts_with("sha256-") && of == digest);
                    let attached = sample.attached.iter().any(|one| one.to_string() == *digest);
                    if !listed && (what == Work::CopyAttached || !attached) {
                        assert_eq!(stored.manifests.get(digest), Some(manifest), "{shown}");
                    }
                }
                if what == Work::CopyAttached {
                    let (source, to) = (host.open("staging"), host.open("a"));
                    for subject in [sample.digest(), sample.platforms[0]] {
                        let listed = source.referrers(&subject, None).await.unwrap();
                        assert_eq!(listed.len(), 1);
                        assert_eq!(to.referrers(&subject, None).await.unwrap(), listed, "{shown}");
                    }
                }
            });
            runs += 1;
        }
        if number > requests {
            break;
        }
    }
    assert!(runs > 20, "{runs}");
}

#[test]
fn push_survives_every_fault_at_every_request() {
    matrix(Work::Push, &Options::default());
    matrix(Work::Push, &Options { mounts: false, checks_named: false, ..Options::default() });
}

#[test]
fn copy_survives_every_fault_at_every_request() {
    matrix(Work::Copy, &Options::default());
    matrix(Work::Copy, &Options { mounts: false, digest_header: false, ..Options::default() });
}

#[test]
fn copy_of_what_is_attached_survives_every_fault_at_every_request() {
    matrix(Work::CopyAttached, &Options::default());
}

#[test]
fn copy_to_a_host_without_a_referrers_api_survives_every_fault_at_every_request() {
    matrix(Work::CopyAttached, &Options { referrers: false, ..Options::default() });
}

#[test]
fn tagging_survives_every_fault_at_every_request() {
    matrix(Work::Tag, &Options::default());
    matrix(Work::Tag, &Options { many_tags: true, ..Options::default() });
}

#[test]
fn pull_survives_every_fault_at_every_request() {
    matrix(Work::Pull, &Options::default());
    matrix(Work::Pull, &Options { referrers: false, ..Options::default() });
}

#[test]
fn push_with_several_tags_at_once_survives_every_fault_at_every_request() {
    matrix(Work::Push, &Options { many_tags: true, olareg: true, ..Options::default() });
}

#[test]
fn a_tag_that_somebody_else_sets_meanwhile_stops_the_rolling_ones() {
    let host = TestRegistry::start(Options::default());
    let (ours, theirs) = (Sample::new("ours"), Sample::new("theirs"));
    wait(async {
        theirs.put(&host.open("a"), "theirs").await;
        let (source, to, wanted) = (Memory::new(), host.open("a"), tags("v1.0.0 latest"));
        ours.put(&source, "x").await;
        let late = job(&source, "x", &to, &wanted);
        // Our version tag is gone before its answer is read.
        host.fail("PUT", "manifests/v1.0.0", 1, Fault::Overtaken);
        let error = transfer(&late).await.unwrap_err();
        assert!(matches!(&error, ImageError::TagRaced { found: None, .. }), "{error}");
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(host.stored("a").tags.keys().collect::<Vec<_>>(), ["theirs"]);
        // It is gone when the rolling ones have moved: that is told too.
        host.change("a", |stored| stored.tags.retain(|tag, _| tag == "theirs"));
        let third = Sample::new("third");
        third.put(&source, "z").await;
        host.forget();
        transfer(&job(&source, "z", &host.open("b"), &wanted)).await.unwrap();
        let requests = host.log().len();
        assert!(
            host.routes()[requests - 1].starts_with("HEAD /v2/b/manifests/v1.0.0"),
            "{:#?}",
            host.routes()
        );
        host.forget();
        let lie = Fault::Header("Docker-Content-Digest", theirs.digest().to_string());
        host.fail_nth(requests, lie);
        let error = transfer(&job(&source, "z", &host.open("c"), &wanted)).await.unwrap_err();
        assert!(
            matches!(&error, ImageError::TagRaced { found: Some(found), .. } if *found == theirs.digest())
        );
        assert_eq!(host.stored("c").tags["latest"], third.digest().to_string());
        host.change("a", |stored| stored.tags.retain(|tag, _| tag == "theirs"));
        // The tag is there by the time everything is: the look before the write sees it.
        let other = Sample::new("more");
        other.put(&source, "y").await;
        let before = host.log().len();
        let digest = theirs.digest().to_string();
        host.fail("PUT", "manifests/sha256:", 1, Fault::ResetBefore);
        let late = job(&source, "y", &to, &wanted);
        host.change("a", |stored| drop(stored.tags.insert("v1.0.0".to_owned(), digest)));
        let error = transfer(&late).await.unwrap_err();
        assert!(matches!(&error, ImageError::TagTaken { found, .. } if *found == theirs.digest()), "{error}");
        assert!(host.log().len() > before);
        assert!(!host.stored("a").tags.contains_key("latest"));
    });
}
