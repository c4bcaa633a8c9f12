//! How many requests a registry gets, which, and in which order.

use base64::Engine as _;
use kyklos_release::adapter::oci::Memory;
use kyklos_release::diag::Hint as _;
use kyklos_release::format::oci::{MANIFEST_LIMIT, media_type};
use kyklos_release::image::{Meant, Transferred, View, Wanted, inspect, retag, transfer};
use kyklos_release::model::Digest;
use kyklos_release::port::Registry;
use serde_json::json;

use super::{has_all, job, states, tags, wait, with_attached};
use crate::support::crafted::{descriptor, with};
use crate::support::registry::{Auth, Options, TestRegistry, wire};
use crate::support::sample::Sample;

/// A number that stands for the step a route belongs to.
fn step(route: &str) -> &'static str {
    let (method, path) = route.split_once(' ').unwrap();
    let tail = path.splitn(4, '/').nth(3).unwrap_or_default();
    match method {
        "POST" if tail.contains("mount=") => "mount",
        "PUT" if tail.starts_with("blobs/uploads/") => "upload",
        "PUT" if tail.contains("?tag=") && tail.starts_with("manifests/sha256:") => "put with tags",
        "PUT" if tail.contains("?tag=") => "put tag and more",
        "PUT" if tail.starts_with("manifests/sha256-") => "put list",
        "PUT" if tail.starts_with("manifests/sha256:") => "put",
        "PUT" => "put tag",
        "HEAD" if tail.starts_with("manifests/sha256:") => "head",
        "HEAD" if tail.starts_with("manifests/") => "head tag",
        "HEAD" => "head blob",
        "GET" if tail.starts_with("manifests/sha256-") => "get list",
        "GET" if tail.starts_with("manifests/sha256:") => "get",
        "GET" if tail.starts_with("manifests/") => "get tag",
        "GET" if tail.starts_with("tags/list") => "tags",
        "GET" if tail.starts_with("referrers/") => "referrers",
        "GET" if tail.starts_with("blobs/") => "get blob",
        _ => "other",
    }
}

/// The steps of a log, equal ones in a row counted: `head tag, 3 mount, put`.
fn steps(host: &TestRegistry) -> String {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for route in host.routes() {
        let step = step(&route);
        match found.last_mut() {
            Some((last, count)) if *last == step => *count += 1,
            _ => found.push((step, 1)),
        }
    }
    let shown = found.iter().map(|(step, count)| match count {
        1 => (*step).to_owned(),
        count => format!("{count} {step}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

async fn local(sample: &Sample) -> Memory {
    let memory = Memory::new();
    sample.put(&memory, "x").await;
    memory
}

async fn push(host: &TestRegistry, sample: &Sample, wanted: &str) -> Transferred {
    let (source, to, wanted) = (local(sample).await, host.open("a"), tags(wanted));
    transfer(&job(&source, "x", &to, &wanted)).await.unwrap()
}

#[test]
fn push_and_push_again() {
    let host = TestRegistry::start(Options::default());
    let sample = Sample::new("app");
    wait(async {
        let done = push(&host, &sample, "v1.0.0").await;
        let routes = host.routes();
        assert_eq!(routes.len(), 12, "{routes:#?}");
        assert_eq!(step(&routes[0]), "head tag");
        assert!(routes[1..7].iter().all(|route| ["mount", "upload"].contains(&step(route))), "{routes:#?}");
        // The tag is looked at once more beside the platforms, and read back.
        let mut beside: Vec<&str> = routes[7..10].iter().map(|route| step(route)).collect();
        beside.sort_unstable();
        assert_eq!(beside, ["head tag", "put", "put"]);
        let last: Vec<&str> = routes[10..].iter().map(|route| step(route)).collect();
        assert_eq!(last, ["put tag", "head tag"]);
        assert_eq!((done.places[0].uploaded.len(), done.places[0].manifests.len()), (3, 3));
        has_all(&host.open("a"), &sample).await;

        host.forget();
        let done = push(&host, &sample, "v1.0.0").await;
        assert_eq!(steps(&host), "head tag");
        assert_eq!(states(&done.places[0]), "v1.0.0 Unchanged");
        assert_eq!(done.places[0].skipped.len(), 3);

        // Another tag: everything is there, and one request each tells so.
        host.forget();
        let done = push(&host, &sample, "edge").await;
        assert_eq!(steps(&host), "head tag, 3 mount, 2 put, put tag");
        assert_eq!((done.places[0].uploaded.len(), done.places[0].skipped.len()), (0, 3));
    });
}

#[test]
fn push_to_a_host_that_links_nothing() {
    let host = TestRegistry::start(Options { mounts: false, ..Options::default() });
    let sample = Sample::new("app");
    wait(async {
        push(&host, &sample, "v1.0.0").await;
        assert_eq!(host.log().len(), 12, "{:#?}", host.routes());
        host.forget();
        push(&host, &sample, "v1.0.0").await;
        assert_eq!(steps(&host), "head tag");
    });
}

#[test]
fn copy_within_a_registry() {
    let host = TestRegistry::start(Options::default());
    let sample = Sample::new("app");
    wait(async {
        sample.put(&host.open("staging"), "x").await;
        let shared = wire(None);
        let (source, to) = (host.open_on(&shared, "staging"), host.open_on(&shared, "a"));
        let wanted = tags("v1.0.0");
        host.forget();
        let done = transfer(&job(&source, "x", &to, &wanted)).await.unwrap();
        let routes = host.routes();
        assert_eq!(routes.len(), 10, "{routes:#?}");
        let mut first: Vec<&str> = routes[..2].iter().map(|route| step(route)).collect();
        first.sort_unstable();
        assert_eq!(first, ["get tag", "head tag"]);
        let rest: Vec<&str> = routes[2..].iter().map(|route| step(route)).collect();
        assert_eq!(rest, ["get", "get", "mount", "mount", "mount", "put", "put", "put tag"]);
        assert_eq!(done.places[0].mounted.len(), 3);
        has_all(&to, &sample).await;
        // Again: one look at each side.
        host.forget();
        transfer(&job(&source, "x", &to, &wanted)).await.unwrap();
        assert_eq!(host.log().len(), 2);
    });
}

#[test]
fn copy_within_a_registry_with_what_is_attached() {
    // With two things attached regctl needs 32 on a host that lists referrers and 37 on one that does not.
    for (referrers, attached, expected) in [(true, 2, 25), (false, 2, 30), (true, 3, 30), (false, 3, 37)] {
        let host = TestRegistry::start(Options { referrers, ..Options::default() });
        let mut sample = Sample::new("app");
        for subject in [sample.digest(), sample.platforms[0], sample.platforms[1]].iter().take(attached) {
            sample.attach(subject, "application/vnd.example.sbom");
        }
        wait(async {
            sample.put(&host.open("staging"), "x").await;
            let shared = wire(None);
            let (source, to) = (host.open_on(&shared, "staging"), host.open_on(&shared, "a"));
            let wanted = tags("v1.0.0");
            host.forget();
            let done = transfer(&with_attached(job(&source, "x", &to, &wanted))).await.unwrap();
            let (count, routes) = (host.log().len(), host.routes());
            assert_eq!(count, expected, "{routes:#?}");
            assert_eq!(done.places[0].attached.len(), attached);
            has_all(&to, &sample).await;
            assert_eq!(to.referrers(&sample.digest(), None).await.unwrap().len(), 1);
        });
    }
}

/// Points tags to what `x` points to; the steps, sorted where they run side by side.
async fn tagged(host: &TestRegistry, to: &dyn Registry, wanted: &str) -> String {
    host.forget();
    let wanted = tags(wanted);
    let wanted = Wanted { tags: &wanted, ..Wanted::default() };
    retag(to, &Meant::Tag("x".to_owned()), "here", &wanted).await.unwrap();
    let mut steps: Vec<&str> = host.routes().iter().map(|route| step(route)).collect();
    let reads = steps.iter().filter(|step| !step.starts_with("put")).count();
    steps[..reads].sort_unstable();
    steps.join(", ")
}

#[test]
fn tags_are_set_in_the_fewest_requests() {
    let host = TestRegistry::start(Options::default());
    wait(async {
        Sample::new("app").put(&host.open("a"), "x").await;
        for (wanted, expected) in [
            ("edge", "get tag, put tag"),
            ("v1.0.0", "get tag, head tag, put tag"),
            ("v1.0.0 edge", "get tag, head tag, put tag"),
            ("latest", "get tag, head tag, tags, put tag"),
        ] {
            assert_eq!(tagged(&host, &host.open("a"), wanted).await, expected, "{wanted}");
        }
    });
}

#[test]
fn the_tags_of_a_release() {
    for (many_tags, known, expected) in [
        // A host that shows what it is made of is not asked whether it takes several tags.
        (true, true, "get tag, tags, put with tags"),
        (false, true, "get tag, tags, put tag, put tag, put tag, put tag"),
        // Another is asked with a request that sets a tag even when it takes only one.
        (false, false, "get tag, tags, put tag and more, put tag, put tag, put tag"),
        (true, false, "get tag, tags, put tag and more, put with tags"),
    ] {
        let (distribution, olareg) = (known && !many_tags, known && many_tags);
        let host = TestRegistry::start(Options { many_tags, distribution, olareg, ..Options::default() });
        wait(async {
            Sample::new("app").put(&host.open("a"), "x").await;
            let to = host.open("a");
            assert_eq!(tagged(&host, &to, "v1.1.0 v1.1 v1 latest").await, expected);
            // What an answer has shown is not asked again.
            let again = tagged(&host, &to, "v1.2.0 v1.2 v1 latest").await;
            let one_by_one = "get tag, tags, put tag, put tag, put tag, put tag";
            assert_eq!(again, if many_tags { "get tag, tags, put with tags" } else { one_by_one });
        });
    }
}

#[test]
fn a_token_costs_two() {
    let host = TestRegistry::start(Options { auth: Auth::Bearer(None), ..Options::default() });
    let sample = Sample::new("app");
    wait(async {
        push(&host, &sample, "v1.0.0").await;
        let routes = host.routes();
        assert_eq!(routes.len(), 14, "{routes:#?}");
        assert_eq!(routes.iter().filter(|route| route.contains("token")).count(), 1);
        assert_eq!(host.log().iter().filter(|one| one.status == 401).count(), 1);
    });
}

#[test]
fn a_config_that_the_manifest_carries_is_not_asked_for() {
    let host = TestRegistry::start(Options::default());
    let (config, layer) = (br#"{"architecture":"arm64","os":"linux","config":{"User":"7"},"rootfs":{"type":"layers","diff_ids":[]}}"#, b"layer");
    let put = |data: &str| {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::MANIFEST,
            "config": with(descriptor(media_type::CONFIG, config), json!({"data": data})),
            "layers": [descriptor(media_type::LAYER, layer)],
        });
        let bytes = serde_json::to_vec(&manifest).unwrap();
        host.change("a", |stored| {
            let digest = Digest::of(&bytes).to_string();
            stored.manifests.insert(digest.clone(), (media_type::MANIFEST.to_owned(), bytes.clone()));
            stored.tags.insert("x".to_owned(), digest);
        });
    };
    wait(async {
        put(&base64::engine::general_purpose::STANDARD.encode(config));
        host.forget();
        let root = host.open("a").tagged("x", MANIFEST_LIMIT).await.unwrap().unwrap();
        let found = inspect(&host.open("a"), root, &View::default()).await.unwrap();
        assert_eq!(found.platforms[0].run.user.as_deref(), Some("7"));
        assert_eq!(steps(&host), "get tag");
        // It is believed only when it is what the digest says, and nothing else is passed on.
        put("e30=");
        let to = Memory::new();
        let wanted = tags("v1.0.0");
        let error = transfer(&job(&host.open("a"), "x", &to, &wanted)).await.unwrap_err();
        assert_eq!(error.code(), "image-document");
        assert!(to.tags().await.unwrap().is_empty());
    });
}
