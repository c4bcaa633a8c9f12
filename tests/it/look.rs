//! What inspect and check tell about images that this tool did not make.

use std::path::Path;

use kyklos_release::adapter::oci::Layout;
use kyklos_release::format::oci::{annotation, media_type};
use kyklos_release::model::Digest;
use kyklos_release::port::Registry as _;
use serde_json::{Value, json};

use crate::support::command::kyklos;
use crate::support::crafted::{
    Layer, attach, descriptor, digest_of, put_attestation, put_blob, put_document, put_index, put_platform,
    with,
};
use crate::support::elf::elf;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn layout(here: &Path, name: &str) -> Layout {
    Layout::create(here.join(name)).unwrap()
}

/// The answer of a command about `oci:reg@DIGEST`.
fn ask(here: &Path, line: &str, image: &Value, code: i32) -> Value {
    let target = format!("oci:reg@{}", digest_of(image));
    kyklos(here).args(line).arg(target).args("--format json").run().expect(code).json()
}

/// The findings of a severity: codes, with the platform where there is one.
fn findings(answer: &Value, severity: &str) -> Vec<String> {
    let all = answer["diagnostics"].as_array().unwrap().iter();
    all.filter(|one| one["severity"] == severity)
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

fn message(answer: &Value, code: &str) -> String {
    let found = answer["diagnostics"].as_array().unwrap().iter().find(|one| one["code"] == code);
    found.unwrap_or_else(|| panic!("no {code} in {answer:#}"))["message"].as_str().unwrap().to_owned()
}

fn run_as(user: &str) -> Value {
    json!({"User": user, "Entrypoint": ["/app"], "Env": ["PATH=/bin"]})
}

#[test]
fn attestations_are_shown_as_such_and_not_as_platforms() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let (index, amd64, sbom) = wait(async {
        let app = Layer::of(&[("app", 0o755, &elf("amd64", &[]))]);
        let amd64 = put_platform(&store, "amd64", &[app], run_as("65532"), json!({})).await;
        let attestation = put_attestation(&store, &amd64, "https://slsa.dev/provenance/v1").await;
        put_blob(&store, b"{}").await;
        let other = with(put_document(&store, &artifact("a/b")).await, json!({"artifactType": "a/b"}));
        let index = put_index(&store, &[amd64.clone(), attestation, other], json!({})).await;
        let sbom = attach(&store, &amd64, "application/vnd.cyclonedx+json", b"{}").await;
        (index, amd64, sbom)
    });
    let data = &ask(here.path(), "image inspect --referrers", &index, 0)["data"];
    assert_eq!(data["platforms"].as_array().unwrap().len(), 1);
    assert_eq!(data["platforms"][0]["config"]["env"], json!(["PATH=/bin"]));
    assert_eq!(data["attestations"][0]["subject"], amd64["digest"]);
    assert_eq!(data["attestations"][0]["predicate_types"], json!(["https://slsa.dev/provenance/v1"]));
    assert_eq!(data["others"].as_array().unwrap().len(), 1);
    assert_eq!(data["referrers"][0]["digest"], sbom["digest"]);
    assert_eq!(data["referrers"][0]["subject"], amd64["digest"]);
    assert_eq!(data["referrers"][0]["artifact_type"], "application/vnd.cyclonedx+json");
    assert_eq!(data["referrers"][0]["annotations"]["made.by"], "a test");
    let plain = &ask(here.path(), "image inspect", &index, 0)["data"];
    assert_eq!((&plain["referrers"], &plain["attestations"][0]["predicate_types"]), (&json!([]), &json!([])));
    let checked = ask(here.path(), "image check", &index, 0);
    assert_eq!(checked["data"]["vouchers"], 2);
    assert_eq!(checked["data"]["complete"], true);
}

/// An artifact that is no image.
fn artifact(kind: &str) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": media_type::MANIFEST, "artifactType": kind,
        "config": descriptor(media_type::EMPTY, b"{}"), "layers": [],
    })
}

#[test]
fn nested_indexes_and_entries_without_a_platform_are_followed() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let (index, deep) = wait(async {
        let layers = |text: &str| [Layer::of(&[("app", 0o755, text.as_bytes())])];
        let amd64 = put_platform(&store, "amd64", &layers("a"), run_as("1"), json!({})).await;
        let mut arm64 = put_platform(&store, "arm64", &layers("b"), run_as("1"), json!({})).await;
        let riscv = put_platform(&store, "riscv64", &layers("c"), run_as("1"), json!({})).await;
        arm64.as_object_mut().unwrap().remove("platform");
        let inner = put_index(&store, &[riscv], json!({})).await;
        let index = put_index(&store, &[inner, amd64.clone(), arm64], json!({})).await;
        let mut deep = put_index(&store, &[amd64], json!({})).await;
        for _ in 0..8 {
            deep = put_index(&store, &[deep], json!({})).await;
        }
        (index, deep)
    });
    let data = &ask(here.path(), "image inspect", &index, 0)["data"];
    let platforms: Vec<&str> =
        data["platforms"].as_array().unwrap().iter().map(|one| one["platform"].as_str().unwrap()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64", "linux/riscv64"]);
    let one = &ask(here.path(), "image inspect --platform linux/riscv64", &index, 0)["data"];
    assert_eq!(one["platforms"].as_array().unwrap().len(), 1);
    let target = format!("oci:reg@{}", digest_of(&index));
    let raw =
        kyklos(here.path()).args("image inspect --raw --platform linux/arm64").arg(target).run().expect(0);
    assert_eq!(
        Digest::of(raw.stdout().as_bytes()).to_string(),
        data["platforms"][1]["digest"].as_str().unwrap()
    );
    let answer = ask(here.path(), "image inspect", &deep, 1);
    assert!(answer["diagnostics"][0]["code"] == "image-document", "{answer:#}");
}

#[test]
fn single_manifests_and_the_types_of_docker() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let layer = Layer::of(&[("app", 0o755, b"#!/bin/app")]);
    let config = json!({
        "architecture": "arm64", "os": "linux", "variant": "v8", "config": run_as("5:6"),
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer.plain).to_string()]},
    });
    let config = serde_json::to_vec(&config).unwrap();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST,
        "config": descriptor(media_type::DOCKER_CONFIG, &config),
        "layers": [descriptor(media_type::DOCKER_LAYER_GZIP, &layer.stored)],
    });
    let (manifest, list, alone) = wait(async {
        put_blob(&store, &layer.stored).await;
        put_blob(&store, &config).await;
        put_blob(&store, b"{}").await;
        let manifest = put_document(&store, &manifest).await;
        let platform = json!({"platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}});
        let list = json!({
            "schemaVersion": 2, "mediaType": media_type::DOCKER_INDEX, "manifests": [with(manifest.clone(), platform)],
        });
        let list = put_document(&store, &list).await;
        (manifest, list, put_document(&store, &artifact("a/b")).await)
    });
    for image in [&manifest, &list] {
        let data = &ask(here.path(), "image inspect", image, 0)["data"];
        assert_eq!(data["media_type"], image["mediaType"]);
        assert_eq!(data["platforms"][0]["platform"], "linux/arm64");
        assert_eq!(data["platforms"][0]["digest"], manifest["digest"]);
        let data = &ask(here.path(), "image check", image, 0)["data"];
        assert_eq!(data["platforms"][0]["uid"], 5);
        assert_eq!(data["platforms"][0]["gid"], 6);
        assert_eq!(
            data["platforms"][0]["program"],
            json!({"path": "app", "found": true, "architecture": null})
        );
    }
    let data = &ask(here.path(), "image inspect", &alone, 0)["data"];
    assert_eq!((&data["artifact_type"], &data["platforms"]), (&json!("a/b"), &json!([])));
    assert_eq!(findings(&ask(here.path(), "image check", &alone, 1), "error"), ["image-no-platform"]);
}

#[test]
fn layers_in_zstd_are_looked_at_with_their_whiteouts() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let image = wait(async {
        let elf = elf("amd64", &[]);
        let base = Layer::zstd(&[
            ("bin/sh", 0o755, b"x"),
            ("usr/bin/apt-get", 0o755, b"x"),
            ("usr/bin/su", 0o4755, b"x"),
            ("var/lib/dpkg/status.d/base", 0o644, b"x"),
        ]);
        let top = Layer::of(&[("bin/.wh.sh", 0o644, b""), ("app", 0o755, &elf)]);
        put_platform(&store, "amd64", &[base, top], run_as("65532"), json!({})).await
    });
    let answer = ask(here.path(), "image check", &image, 0);
    let platform = &answer["data"]["platforms"][0];
    assert_eq!(platform["shells"], json!([]));
    assert_eq!(platform["package_managers"], json!(["usr/bin/apt-get"]));
    assert_eq!(platform["setuid"], json!(["usr/bin/su"]));
    assert_eq!(platform["distroless"], true);
    assert_eq!(platform["program"]["architecture"], "amd64");
    let warnings = findings(&answer, "warning");
    assert!(warnings.contains(&"image-package-manager".to_owned()), "{warnings:?}");
    assert!(warnings.contains(&"image-setuid".to_owned()), "{warnings:?}");
}

#[test]
fn a_program_for_another_machine_or_none_at_all_is_an_error() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let (mislabelled, missing, grouped) = wait(async {
        let arm = Layer::of(&[("app", 0o755, &elf("arm64", &[]))]);
        let mislabelled = put_platform(&store, "amd64", &[arm], run_as("1"), json!({})).await;
        let data = Layer::of(&[("app", 0o644, b"not for running")]);
        let missing = put_platform(&store, "amd64", &[data], run_as("1"), json!({})).await;
        let script = Layer::of(&[("app", 0o755, b"#!")]);
        let grouped = put_platform(&store, "amd64", &[script], run_as("app:staff"), json!({})).await;
        (mislabelled, missing, grouped)
    });
    let answer = ask(here.path(), "image check", &mislabelled, 1);
    assert_eq!(findings(&answer, "error"), ["image-machine"]);
    assert_eq!(message(&answer, "image-machine"), "linux/amd64: the program `app` is made for arm64");
    assert_eq!(findings(&ask(here.path(), "image check", &missing, 1), "error"), ["image-program"]);
    let answer = ask(here.path(), "image check", &grouped, 0);
    assert_eq!(message(&answer, "image-user-name"), "linux/amd64: the user `app` is not a number");
    assert_eq!(message(&answer, "image-group-name"), "linux/amd64: the group `staff` is not a number");
}

#[test]
fn annotations_are_held_against_the_specification_the_release_and_each_other() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let (good, bad) = wait(async {
        let layer = || [Layer::of(&[("app", 0o755, b"#!")])];
        let all = json!({
            annotation::CREATED: "2026-01-02T03:04:05Z", annotation::REVISION: "a".repeat(40),
            annotation::SOURCE: "https://example.com/app", annotation::VERSION: "1.2.3",
            annotation::TITLE: "app", annotation::LICENSES: "MIT OR Apache-2.0",
        });
        let child = put_platform(&store, "amd64", &layer(), run_as("1"), all.clone()).await;
        let good = put_index(&store, &[child], all).await;
        let config = json!({"User": "1", "Entrypoint": ["/app"], "Labels": {annotation::VERSION: "12.5"}});
        let own = json!({annotation::VERSION: "1.2.4"});
        let child = put_platform(&store, "amd64", &layer(), config, own).await;
        let bad = json!({
            annotation::CREATED: "yesterday", annotation::REVISION: "b".repeat(40),
            annotation::SOURCE: "example.com", annotation::VERSION: "1.2.2",
            annotation::TITLE: "app", annotation::LICENSES: "Apache",
        });
        (good, put_index(&store, &[child], bad).await)
    });
    let line = format!("image check --tag v1.2.3 --revision {}", "a".repeat(40));
    assert_eq!(ask(here.path(), &line, &good, 0)["diagnostics"], json!([]));
    let answer = ask(here.path(), &line, &bad, 1);
    let mut errors = findings(&answer, "error");
    errors.sort();
    assert_eq!(
        errors,
        [
            "image-annotation-differs",
            "image-annotation-invalid",
            "image-annotation-invalid",
            "image-annotation-invalid",
            "image-annotation-revision",
            "image-annotation-version",
            "image-annotation-version",
        ]
    );
    assert_eq!(findings(&answer, "warning"), ["image-label-differs"]);
    // What was asked for and is not there is no match; nobody asked for the rest.
    let silent = wait(async {
        let layer = [Layer::of(&[("app", 0o755, b"#!")])];
        let child = put_platform(&store, "amd64", &layer, run_as("1"), json!({})).await;
        put_index(&store, &[child], json!({})).await
    });
    let _ = ask(here.path(), "image check", &silent, 0);
    let answer = ask(here.path(), &line, &silent, 1);
    assert_eq!(findings(&answer, "error"), ["image-annotation", "image-annotation"]);
    let _ = ask(here.path(), "image check --tag v1.2.3", &silent, 1);
}

#[test]
fn sizes_are_held_against_a_limit_and_the_image_before() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let (before, now) = wait(async {
        let noise = |length: usize| -> Vec<u8> {
            let mut state = 1_u32;
            let step = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            (0..length).map(step).collect()
        };
        let mut made = Vec::new();
        for length in [10_000, 15_000] {
            let layer = Layer::of(&[("app", 0o755, &noise(length))]);
            let child = put_platform(&store, "amd64", &[layer], run_as("1"), json!({})).await;
            made.push(put_index(&store, &[child], json!({})).await);
        }
        (made.remove(0), made.remove(0))
    });
    let previous = format!("image check --previous oci:reg@{}", digest_of(&before));
    let answer = ask(here.path(), &previous, &now, 0);
    let platform = &answer["data"]["platforms"][0];
    let growth = platform["compressed_size"].as_i64().unwrap() - platform["previous_size"].as_i64().unwrap();
    assert!((4_900..5_200).contains(&growth), "{platform:#}");
    assert_eq!(platform["growth"], growth);
    assert_eq!(answer["data"]["previous"]["digest"], before["digest"]);
    assert_eq!(
        findings(&ask(here.path(), &format!("{previous} --max-growth 60"), &now, 0), "error").len(),
        0
    );
    let answer = ask(here.path(), &format!("{previous} --max-growth 40"), &now, 1);
    assert_eq!(findings(&answer, "error"), ["image-growth"]);
    let answer = ask(here.path(), "image check --max-size 15kB", &now, 1);
    assert_eq!(findings(&answer, "error"), ["image-size"]);
    assert_eq!(findings(&ask(here.path(), "image check --max-size 20kB", &now, 0), "error").len(), 0);
    let answer = ask(here.path(), "image check --require-platform linux/amd64,linux/arm64/v8", &now, 1);
    assert_eq!(message(&answer, "image-platform-missing"), "linux/arm64: the image does not have it");
    let _ = kyklos(here.path()).args("image check oci:reg --max-growth 5").run().expect(2);
    let _ = kyklos(here.path()).args("image check oci:reg --max-size 5parsec").run().expect(2);
}

#[test]
fn a_base_that_moved_is_stale_and_one_that_was_never_there_is_a_lie() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let bases = layout(here.path(), "base");
    let images = wait(async {
        let [old, new] = [b"old", b"new"].map(|text| text.as_slice());
        let layer = |text: &'static [u8]| Layer::of(&[("etc/base", 0o644, text)]);
        let mut digests = Vec::new();
        for text in [old, new] {
            let child = put_platform(&bases, "amd64", &[layer(text)], json!({}), json!({})).await;
            let index = put_index(&bases, std::slice::from_ref(&child), json!({})).await;
            bases.tag("nonroot", &digest_of(&index)).await.unwrap();
            digests.push((index, child));
        }
        let mut images = Vec::new();
        for (recorded, text) in
            [(&digests[1].0, new), (&digests[1].1, new), (&digests[0].0, old), (&digests[1].0, old)]
        {
            let app = Layer::of(&[("app", 0o755, b"#!")]);
            let child = put_platform(&store, "amd64", &[layer(text), app], run_as("1"), json!({})).await;
            let named = json!({annotation::BASE_NAME: "example.com/base:nonroot", annotation::BASE_DIGEST: recorded["digest"]});
            images.push(put_index(&store, &[child], named).await);
        }
        images
    });
    let check = |image: &Value, code| ask(here.path(), "image check --base oci:base:nonroot", image, code);
    for (image, fresh) in [(0, true), (1, true), (2, false)] {
        let answer = check(&images[image], 0);
        assert_eq!(answer["data"]["base"]["fresh"], fresh, "{image}");
        assert_eq!(answer["data"]["platforms"][0]["on_base"], true, "{image}");
        assert_eq!(findings(&answer, "warning").contains(&"image-base-stale".to_owned()), !fresh);
    }
    let answer = check(&images[3], 1);
    assert_eq!(findings(&answer, "error"), ["image-base-layers"]);
    let answer = ask(here.path(), "image check", &images[2], 0);
    assert_eq!(
        (&answer["data"]["base"]["fresh"], &answer["data"]["base"]["current"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn what_is_missing_is_a_finding_and_not_the_end() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let (index, amd64, referrer) = wait(async {
        let layers = |text: &str| [Layer::of(&[("app", 0o755, text.as_bytes())])];
        let amd64 = put_platform(&store, "amd64", &layers("a"), run_as("1"), json!({})).await;
        let arm64 = put_platform(&store, "arm64", &layers("b"), run_as("1"), json!({})).await;
        let mut stray = put_attestation(&store, &amd64, "https://slsa.dev/provenance/v1").await;
        stray["annotations"][annotation::DOCKER_REFERENCE_DIGEST] = json!(Digest::of(b"swap").to_string());
        let index = put_index(&store, &[amd64.clone(), arm64, stray], json!({})).await;
        let referrer = attach(&store, &index, "a/b", b"attached").await;
        (index, amd64, referrer)
    });
    let blobs = store.root().join("blobs/sha256");
    let lose = |digest: Digest| std::fs::remove_file(blobs.join(digest.hex())).unwrap();
    lose(Digest::of(b"attached"));
    let answer = ask(here.path(), "image check", &index, 1);
    assert_eq!(answer["data"]["complete"], false);
    assert_eq!(findings(&answer, "error"), ["image-attestation", "image-referrer"]);
    assert!(message(&answer, "image-referrer").contains(&digest_of(&referrer).to_string()));
    lose(digest_of(&amd64));
    let answer = ask(here.path(), "image check", &index, 1);
    assert_eq!(answer["data"]["platforms"][0]["platform"], "linux/arm64");
    assert!(message(&answer, "image-incomplete").contains(&digest_of(&amd64).to_string()));
    // A layout that has lost a manifest cannot tell whether that was attached to something.
    assert!(findings(&answer, "error").contains(&"image-referrers".to_owned()), "{answer:#}");
    let answer = ask(here.path(), "image inspect", &index, 3);
    assert_eq!(answer["diagnostics"][0]["code"], "registry-not-stored");
}

#[test]
fn a_bomb_is_a_finding() {
    let here = tempfile::tempdir().unwrap();
    let store = layout(here.path(), "reg");
    let image = wait(async {
        let plain = vec![0; 80 << 20];
        let bomb = Layer {
            media_type: media_type::LAYER_GZIP,
            stored: crate::support::crafted::gzip(&plain),
            plain,
        };
        put_platform(&store, "amd64", &[bomb], run_as("1"), json!({})).await
    });
    let answer = ask(here.path(), "image check", &image, 1);
    assert_eq!(answer["data"]["platforms"][0]["scanned"], false);
    assert!(
        message(&answer, "image-layer").ends_with("it unpacks to more than 200 times its size"),
        "{answer:#}"
    );
}

#[test]
fn the_gate_decides_on_what_check_found() {
    let repository = crate::support::repository::Repository::new();
    let store = layout(repository.path(), "reg");
    let bases = layout(repository.path(), "base");
    let image = wait(async {
        let base = || Layer::of(&[("var/lib/dpkg/status.d/base", 0o644, b"x"), ("sbin/apk", 0o755, b"x")]);
        let below = put_platform(&bases, "amd64", &[base()], json!({}), json!({})).await;
        let app = Layer::of(&[("app", 0o755, &elf("amd64", &[]))]);
        let child = put_platform(&store, "amd64", &[base(), app], run_as("65532"), json!({})).await;
        let named =
            json!({annotation::BASE_NAME: "example.com/base", annotation::BASE_DIGEST: below["digest"]});
        put_index(&store, &[child], named).await
    });
    let policy = |settings: &str| {
        repository.write(
            "policies/release.yaml",
            format!(
                "apiVersion: kyklos.release/v1\nkind: ReleasePolicy\nmetadata: {{ name: app, expires: 2999-01-01 }}\n\
                 profiles:\n  pre-release: {{ gates: [image] }}\ngates:\n  image: {{ type: image, {settings} }}\n"
            ),
        );
        repository.commit("feat: a policy");
    };
    let decide = |check: &str, code: i32| -> String {
        let answer = ask(repository.path(), check, &image, 0);
        repository.write("image.json", answer.to_string());
        let _ = kyklos(repository.path()).args("evidence add image.json --kind image").run().expect(0);
        let run = kyklos(repository.path()).args("gate run --format json").run().expect(code);
        run.json()["data"]["gates"][0]["measured"].as_str().unwrap().to_owned()
    };
    policy("forbidPackageManager: false, distroless: true");
    assert!(decide("image check", 0).starts_with("linux/amd64 "));
    policy("distroless: true");
    assert!(decide("image check", 1).contains("linux/amd64 holds sbin/apk"));
    policy("forbidPackageManager: false, freshBase: true");
    assert!(decide("image check", 3).ends_with("what its base stands for now (`image check --base`)"));
    assert!(decide("image check --base oci:base", 0).starts_with("linux/amd64 "));
    policy("forbidPackageManager: false, maxGrowth: 0");
    assert!(decide("image check", 3).ends_with("how large it was before (`image check --previous`)"));
    assert!(decide("image check --previous oci:base", 1).contains(" before"));
    let same = format!("image check --previous oci:reg@{}", digest_of(&image));
    assert!(decide(&same, 0).starts_with("linux/amd64 "));
}

#[test]
fn an_image_on_a_base_has_its_layers_below_and_inherits_its_config() {
    let here = tempfile::tempdir().unwrap();
    let bases = layout(here.path(), "base");
    let base = wait(async {
        let config = json!({
            "User": "65532:65532", "Env": ["PATH=/bin", "SSL_CERT_FILE=/etc/ssl/ca"], "Cmd": ["--shell"],
            "Entrypoint": ["/bin/base"], "WorkingDir": "/home", "StopSignal": "SIGQUIT",
            "Labels": {"maintainer": "base", annotation::VERSION: "12"},
        });
        let mut children = Vec::new();
        for architecture in ["amd64", "arm64", "s390x"] {
            let layers = [
                Layer::of(&[("etc/ssl/ca", 0o644, b"all platforms")]),
                Layer::zstd(&[("var/lib/dpkg/status.d/base", 0o644, architecture.as_bytes())]),
            ];
            children.push(put_platform(&bases, architecture, &layers, config.clone(), json!({})).await);
        }
        let index = put_index(&bases, &children, json!({})).await;
        bases.tag("nonroot", &digest_of(&index)).await.unwrap();
        index
    });
    for architecture in ["amd64", "arm64"] {
        std::fs::write(here.path().join(architecture), elf(architecture, &[])).unwrap();
    }
    let make = |to: &str, more: &str| {
        kyklos(here.path())
            .args("image assemble --base oci:base:nonroot --name app --binary linux/amd64=amd64")
            .args("--binary linux/arm64=arm64 --label team=a --format json -o")
            .arg(to)
            .args(more)
            .run()
    };
    let answer = make("oci:reg:v1", "").expect(0).json();
    assert_eq!(answer["data"]["base"], base["digest"]);
    let again = make("oci:again:v1", "").expect(0).json();
    assert_eq!(answer["data"]["digest"], again["data"]["digest"]);

    let shown = kyklos(here.path()).args("image inspect oci:reg:v1 --format json").run().expect(0).json();
    assert_eq!(shown["data"]["annotations"][annotation::BASE_DIGEST], base["digest"]);
    assert_eq!(shown["data"]["annotations"][annotation::BASE_NAME], Value::Null);
    let amd64 = &shown["data"]["platforms"][0];
    assert_eq!(amd64["layers"].as_array().unwrap().len(), 3);
    assert_eq!(amd64["compressed_size"], answer["data"]["platforms"][0]["compressed_size"]);
    assert_eq!(
        amd64["config"],
        json!({
            "user": "65532:65532", "env": ["PATH=/bin", "SSL_CERT_FILE=/etc/ssl/ca"], "entrypoint": ["/app"],
            "cmd": [], "working_dir": "/home", "labels": {"maintainer": "base", "team": "a"},
        })
    );
    let store = layout(here.path(), "reg");
    let config = wait(async {
        let image = digest_of(&json!({"digest": amd64["digest"]}));
        let manifest = store.manifest(&image, 1 << 20).await.unwrap().unwrap();
        let manifest: Value = serde_json::from_slice(&manifest.bytes).unwrap();
        std::fs::read(store.root().join("blobs/sha256").join(digest_of(&manifest["config"]).hex())).unwrap()
    });
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["config"]["StopSignal"], "SIGQUIT");
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 3);
    assert_eq!(config["history"][0]["created_by"], "kyklos-release image assemble");

    let checked = kyklos(here.path())
        .args("image check oci:reg:v1 --base oci:base:nonroot --format json")
        .run()
        .expect(0);
    let data = &checked.json()["data"];
    assert_eq!(
        data["platforms"][1]["program"],
        json!({"path": "app", "found": true, "architecture": "arm64"})
    );
    assert_eq!(
        (&data["platforms"][1]["on_base"], &data["platforms"][1]["distroless"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(make("oci:reg:v2", "--user 7").expect(0).json()["ok"], true);
}

#[test]
fn an_image_that_is_too_large_or_lacks_its_base_is_not_stored() {
    let here = tempfile::tempdir().unwrap();
    let bases = layout(here.path(), "base");
    wait(async {
        let config = json!({"User": "root"});
        let child =
            put_platform(&bases, "amd64", &[Layer::of(&[("a", 0o644, b"a")])], config, json!({})).await;
        put_index(&bases, &[child], json!({})).await
    });
    std::fs::write(here.path().join("app"), elf("amd64", &[])).unwrap();
    let make = |line: &str| kyklos(here.path()).args("image assemble -o oci:reg --binary").args(line).run();
    insta::assert_snapshot!(make("linux/amd64=app --max-size 100B").show(), @r"
    exit 1
    --- stdout
    --- stderr
    error[image-size]: linux/amd64 has 495 bytes, at most 100 are wanted
      expected  at most 100 bytes
      found     495 bytes
    ");
    insta::assert_snapshot!(make("linux/arm64=app --base oci:base").show(), @r"
    exit 2
    --- stdout
    --- stderr
    error[image-no-platform]: the image has no platform linux/arm64
      expected  linux/arm64
      found     linux/amd64
    ");
    assert!(!here.path().join("reg").exists());
    let run = make("linux/amd64=app --base oci:base --format json").expect(0);
    assert_eq!(run.json()["diagnostics"], json!([]));
    let shown = kyklos(here.path()).args("image inspect oci:reg --format json").run().expect(0).json();
    assert_eq!(shown["data"]["platforms"][0]["config"]["user"], "65532", "root is not inherited");
    let run = make("linux/arm64=app").expect(0);
    assert_eq!(run.stderr(), "warning[image-machine]: linux/arm64: the binary is made for amd64\n");
}
