//! What inspect and check ask a registry for: how often, and what in which order.

use kyklos_release::port::{Content, Registry as _};
use serde_json::{Value, json};

use crate::support::command::{Run, kyklos};
use crate::support::crafted::{Layer, attach, digest_of, put_attestation, put_index, put_platform};
use crate::support::elf::elf;
use crate::support::registry::{Fault, Options, TestRegistry};

/// A registry with an image of two platforms under `a/b:v1`, and nothing in its log.
fn image(
    options: Options,
    more: impl AsyncFnOnce(&dyn kyklos_release::port::Registry, &Value),
) -> TestRegistry {
    let host = TestRegistry::start(options);
    let store = host.open("a/b");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = || json!({"User": "65532", "Entrypoint": ["/app"]});
        let mut children = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let layer = Layer::of(&[("app", 0o755, &elf(architecture, &[]))]);
            children.push(put_platform(&store, architecture, &[layer], config(), json!({})).await);
        }
        let index = put_index(&store, &children, json!({})).await;
        store.tag("v1", &digest_of(&index)).await.unwrap();
        more(&store, &index).await;
    });
    host.forget();
    host
}

fn plain() -> TestRegistry {
    image(Options::default(), async |_, _| {})
}

fn ask(host: &TestRegistry, line: &str) -> Run {
    let here = tempfile::tempdir().unwrap();
    kyklos(here.path()).args(line).arg(format!("{}/a/b:v1", host.host())).run()
}

/// Routes without the names of what is asked for: requests that run side by side have no order.
fn kinds(host: &TestRegistry) -> Vec<String> {
    let kind = |route: &String| match route.split_once("sha256:") {
        Some((head, _)) => format!("{head}DIGEST"),
        None => route.clone(),
    };
    host.routes().iter().map(kind).collect()
}

const INDEX: &str = "GET /v2/a/b/manifests/v1";
const CHILD: &str = "GET /v2/a/b/manifests/DIGEST";
const BLOB: &str = "GET /v2/a/b/blobs/DIGEST";
const REFERRERS: &str = "GET /v2/a/b/referrers/DIGEST";

#[test]
fn two_platforms_with_their_configs_are_five_requests() {
    let host = plain();
    let answer = ask(&host, "image inspect --format json").expect(0).json();
    assert_eq!(answer["data"]["platforms"].as_array().unwrap().len(), 2);
    let mut routes = kinds(&host);
    assert_eq!(routes.remove(0), INDEX);
    routes.sort();
    assert_eq!(routes, [BLOB, BLOB, CHILD, CHILD]);
}

#[test]
fn the_raw_index_is_one_request_and_a_platform_two_or_three() {
    let host = plain();
    let raw = ask(&host, "image inspect --raw").expect(0).stdout();
    assert_eq!(kinds(&host), [INDEX]);
    host.forget();
    let platform = ask(&host, "image inspect --raw --platform linux/arm64").expect(0).stdout();
    assert_eq!(kinds(&host), [INDEX, CHILD]);
    assert!(raw.contains(&kyklos_release::model::Digest::of(platform.as_bytes()).to_string()));
    host.forget();
    let one = ask(&host, "image inspect --platform linux/arm64 --format json").expect(0).json();
    assert_eq!(one["data"]["platforms"][0]["platform"], "linux/arm64");
    assert_eq!(kinds(&host), [INDEX, CHILD, BLOB]);
}

#[test]
fn referrers_cost_one_request_for_each_subject_and_are_the_same_without_their_api() {
    let mut answers = Vec::new();
    for referrers in [true, false] {
        let host = image(Options { referrers, ..Options::default() }, async |store, index| {
            attach(store, index, "a/one", b"one").await;
            attach(store, index, "a/two", b"two").await;
        });
        let answer = ask(&host, "image inspect --referrers --format json").expect(0).json();
        let mut routes = kinds(&host);
        assert_eq!(routes.remove(0), INDEX);
        routes.sort();
        if referrers {
            assert_eq!(routes, [BLOB, BLOB, CHILD, CHILD, REFERRERS, REFERRERS, REFERRERS]);
        } else {
            let asked = routes.iter().filter(|route| *route == REFERRERS).count();
            assert_eq!(asked, 1, "that there is no API is found out once: {routes:?}");
        }
        answers.push(answer["data"]["referrers"].clone());
    }
    assert_eq!(answers[0].as_array().unwrap().len(), 2);
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn check_reads_every_layer_once() {
    let host = image(Options::default(), async |store, index| {
        attach(store, index, "a/one", b"one").await;
    });
    let answer = ask(&host, "image check --format json").expect(0).json();
    assert_eq!(answer["data"]["complete"], true);
    assert_eq!(answer["data"]["vouchers"], 1);
    assert_eq!(answer["data"]["platforms"][1]["program"]["architecture"], "arm64");
    let routes = kinds(&host);
    let count = |kind: &str| routes.iter().filter(|route| *route == kind).count();
    // Two configs, two layers, and what the referrer names: its layer and the empty config.
    assert_eq!((count(INDEX), count(CHILD), count(BLOB), count(REFERRERS)), (1, 3, 6, 3), "{routes:?}");
}

#[test]
fn a_layer_that_is_not_what_it_was_is_a_finding_and_a_closed_door_is_not() {
    let host = image(Options::default(), async |store, index| {
        let orphan = put_attestation(store, &json!({"digest": index["digest"]}), "a/b").await;
        assert_ne!(orphan["digest"], index["digest"]);
        store
            .put_blob(&Content::bytes(kyklos_release::model::Digest::of(b"x"), &b"x"[..]), None)
            .await
            .unwrap();
    });
    host.change("a/b", |stored| {
        for bytes in stored.blobs.values_mut().filter(|bytes| bytes.starts_with(&[0x1f, 0x8b])) {
            let mut damaged = bytes.to_vec();
            let last = damaged.len() - 1;
            damaged[last] ^= 1;
            *bytes = std::sync::Arc::new(damaged);
        }
    });
    let answer = ask(&host, "image check --format json").expect(1).json();
    assert_eq!(answer["data"]["complete"], false);
    let codes: Vec<&str> = answer["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["severity"] == "error")
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["image-layer", "image-layer"]);
    host.fail("GET", "/blobs/", 100, Fault::Answer(403, "", r#"{"errors":[{"code":"DENIED"}]}"#));
    let answer = ask(&host, "image check --format json").expect(4).json();
    assert_eq!(answer["diagnostics"][0]["code"], "registry-denied");
    let answer = ask(&host, "image inspect --offline --format json").json();
    assert_eq!(answer["diagnostics"][0]["code"], "registry-offline");
}
