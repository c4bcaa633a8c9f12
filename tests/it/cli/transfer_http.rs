//! `image push`, `image copy`, `image tag` to registries, as a person types it.

use std::path::Path;

use crate::support::command::{Run, kyklos};
use crate::support::registry::{Fault, Options, TestRegistry};
use crate::support::second_version::SecondVersion;

fn assemble(here: &Path) {
    std::fs::write(here.join("app"), "one").unwrap();
    let _ = kyklos(here)
        .args("image assemble --binary linux/amd64=app --binary linux/arm64=app -o oci:a:v1.0.0")
        .run()
        .expect(0);
}

fn run(here: &Path, line: &str) -> Run {
    kyklos(here).args(line).args("--format json").run()
}

#[test]
fn pushes_copies_and_tags_in_the_fewest_requests() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path());
    let host = TestRegistry::start(Options::default());
    let to = |name: &str| format!("{}/{name}", host.host());
    let push = format!("image push oci:a:v1.0.0 {}", to("app:v1.0.0"));
    let first = run(here.path(), &push).expect(0).json();
    let data = &first["data"];
    assert_eq!((&data["requests"], data["uploaded"].as_array().unwrap().len()), (&12.into(), 3));
    let again = run(here.path(), &push).expect(0).json();
    assert_eq!((&again["data"]["requests"], &again["data"]["digest"]), (&1.into(), &data["digest"]));
    let line = format!("image copy {} {}", to("app:v1.0.0"), to("copy:v1.0.0"));
    let copy = run(here.path(), &line).expect(0).json();
    assert_eq!(
        (&copy["data"]["requests"], copy["data"]["mounted"].as_array().unwrap().len()),
        (&10.into(), 3)
    );
    assert_eq!(copy["data"]["digest"], data["digest"]);
    let line = format!("image tag {} edge", to("app:v1.0.0"));
    host.forget();
    let _ = run(here.path(), &line).expect(0);
    assert_eq!(host.log().len(), 2);
    let back = run(here.path(), &format!("image copy {} oci:back:v1.0.0", to("app:edge"))).expect(0).json();
    assert_eq!(back["data"]["digest"], data["digest"]);
    let index = |name: &str| std::fs::read(here.path().join(name).join("index.json")).unwrap();
    assert_eq!(index("a"), index("back"));
}

#[test]
fn a_dry_run_prints_what_a_run_sends() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path());
    let host = TestRegistry::start(Options::default());
    let line = format!("image push oci:a:v1.0.0 {}/app:v1.0.0", host.host());
    let plan = run(here.path(), &format!("{line} --dry-run")).expect(0).json();
    let plan: Vec<String> =
        plan["data"]["plan"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    assert_eq!(host.stored("app").manifests.len() + host.stored("app").blobs.len(), 0);
    host.forget();
    let sent = run(here.path(), &line).expect(0).json();
    assert_eq!(sent["data"]["requests"], plan.len());
    let methods = |line: &String| line.split(' ').next().unwrap().to_owned();
    let mut planned: Vec<String> = plan.iter().map(methods).collect();
    let mut logged: Vec<String> = host.log().iter().map(|one| one.method.clone()).collect();
    planned.sort();
    logged.sort();
    assert_eq!(planned, logged);
    let text = kyklos(here.path()).args("image copy oci:a:v1.0.0 oci:b:v1.0.0 --dry-run").run().expect(0);
    assert!(text.stdout().ends_with("PUT oci:b:v1.0.0/manifests/v1.0.0\n"), "{}", text.show());
    assert!(!here.path().join("b").exists());
}

/// A repository with mirrors.
fn declared(here: &Path, main: &TestRegistry, mirror: &TestRegistry, mode: &str) {
    let text = format!(
        "name: app\nimage:\n  repository: {}/app\n  mirrors:\n    - {{repository: {}/mirror, mode: {mode}}}\n",
        main.host(),
        mirror.host()
    );
    std::fs::write(here.join("release.yaml"), text).unwrap();
}

#[test]
fn mirrors_of_the_declared_repository_are_one_unit_with_it() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path());
    let (main, mirror) = (TestRegistry::start(Options::default()), TestRegistry::start(Options::default()));
    let push = format!("image push oci:a:v1.0.0 {}/app:v1.0.0 --tag latest", main.host());
    declared(here.path(), &main, &mirror, "required");
    mirror.fail("POST", "", 1000, Fault::Answer(403, "", r#"{"errors":[{"code":"DENIED"}]}"#));
    let refused = run(here.path(), &push).expect(4).json();
    assert_eq!(refused["diagnostics"][0]["code"], "registry-denied");
    assert!(main.stored("app").tags.is_empty(), "no tag moves anywhere");

    declared(here.path(), &main, &mirror, "best-effort");
    let degraded = run(here.path(), &push).expect(0).json();
    assert_eq!((&degraded["ok"], &degraded["data"]["verdict"]), (&true.into(), &"degraded".into()));
    assert_eq!(degraded["diagnostics"][0]["code"], "image-mirror-degraded");
    assert_eq!(main.stored("app").tags.len(), 2);
    assert!(mirror.stored("mirror").tags.is_empty());

    let mirror = TestRegistry::start(Options::default());
    declared(here.path(), &main, &mirror, "required");
    let complete = run(here.path(), &push).expect(0).json();
    assert_eq!(complete["data"]["verdict"], "complete");
    assert_eq!(complete["data"]["mirrors"][0]["tags"], serde_json::json!(["v1.0.0", "latest"]));
    assert_eq!(mirror.stored("mirror").tags, main.stored("app").tags);
    // Somewhere else there is no mirror.
    let other = format!("image push oci:a:v1.0.0 {}/other:v1.0.0", main.host());
    assert_eq!(run(here.path(), &other).expect(0).json()["data"]["mirrors"], serde_json::json!([]));
}

#[test]
fn errors_say_where_and_what_to_do() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path());
    let host = TestRegistry::start(Options::default());
    let show = |line: &str| {
        let run = kyklos(here.path()).args(line).run();
        run.show().replace(&host.host(), "HOST")
    };
    let line = format!("image copy {0}/nothing:v1 {0}/app:v1", host.host());
    insta::assert_snapshot!(show(&line), @r"
    exit 2
    --- stdout
    --- stderr
    error[image-not-found]: the tag v1 of HOST/nothing:v1 is not in the registry
    ");
    let line = format!("image push oci:a:v1.0.0 {}/app:v1.0.0 --offline", host.host());
    insta::assert_snapshot!(show(&line), @r"
    exit 2
    --- stdout
    --- stderr
    error[registry-offline]: HOST cannot be reached without the network
    help: leave --offline out, or name an image layout: oci:DIR
    ");
    assert!(host.stored("app").blobs.is_empty());
}

#[test]
fn a_probe_tells_what_it_was_answered_and_leaves_nothing() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path());
    let show = |options: Options| {
        let host = TestRegistry::start(options);
        let push = format!("image push oci:a:v1.0.0 {}/app:v1.0.0", host.host());
        let _ = kyklos(here.path()).args(&push).run().expect(0);
        let before = host.stored("app");
        let run = kyklos(here.path()).args(&format!("image probe {}/app", host.host())).run();
        let after = host.stored("app");
        assert_eq!((before.blobs.len(), before.manifests), (after.blobs.len(), after.manifests));
        assert_eq!(before.tags, after.tags);
        let text = run.show().replace(&host.host(), "HOST");
        let shortened = text.split(' ').map(|word| match word.split_once("sha256:") {
            Some((head, tail)) => format!("{head}sha256:…{}", &tail[64..]),
            None => word.to_owned(),
        });
        shortened.collect::<Vec<_>>().join(" ")
    };
    insta::assert_snapshot!(show(Options { single_post: true, ..Options::default() }), @r"
    exit 0
    --- stdout
    no       login                the host asks for none
    yes      tag-list             GET tags/list answered 200
    yes      referrers-api        GET referrers/sha256:… answered 200
    yes      upload               POST blobs/uploads/ answered 202
    yes      upload-status        GET blobs/uploads/… answered 204
    yes      single-post-upload   POST blobs/uploads/ answered 400
    yes      mount-or-upload      POST blobs/uploads/ answered 202
    yes      range                GET blobs/sha256:… answered 206
    unknown  delete               DELETE manifests/sha256:… answered 404
    unknown  several-tags         only a manifest that stays would show it
    --- stderr
    ");
    let poor = Options { referrers: false, deletes: false, distribution: true, ..Options::default() };
    insta::assert_snapshot!(show(poor), @r"
    exit 0
    --- stdout
    no       login                the host asks for none
    yes      tag-list             GET tags/list answered 200
    no       referrers-api        GET referrers/sha256:… answered 404
    yes      upload               POST blobs/uploads/ answered 202
    yes      upload-status        GET blobs/uploads/… answered 204
    no       single-post-upload   POST blobs/uploads/ answered 202
    yes      mount-or-upload      POST blobs/uploads/ answered 202
    yes      range                GET blobs/sha256:… answered 206
    unknown  delete               DELETE manifests/sha256:… answered 404
    no       several-tags         the host shows that it is made of distribution, which takes one at a time
    --- stderr
    ");
    let several = show(Options { olareg: true, many_tags: true, ..Options::default() });
    assert!(
        several.contains(
            "yes      several-tags         the host shows that it is made of olareg, which takes several"
        ),
        "{several}"
    );
    let _ = kyklos(here.path()).args("image probe oci:a").run().expect(2);
}

#[test]
fn a_host_that_speaks_http_2_is_spoken_to_over_one_connection() {
    let here = tempfile::tempdir().unwrap();
    // More than the window of a stream, and nothing that gets smaller.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    std::fs::write(here.path().join("app"), noise.take(5 << 20).collect::<Vec<u8>>()).unwrap();
    let _ =
        run(here.path(), "image assemble --binary linux/amd64=app --binary linux/arm64=app -o oci:a:v1.0.0")
            .expect(0);
    let registry = TestRegistry::start(Options::default());
    let host = SecondVersion::start(&registry);
    std::fs::write(here.path().join("ca.pem"), &host.authority).unwrap();
    let to = format!("{}/app:v1.0.0", host.host());
    let push = run(here.path(), &format!("image push --ca-file ca.pem oci:a:v1.0.0 {to}")).expect(0).json();
    // One more than with small blobs: whether the layer is there is worth a question.
    assert_eq!((&push["data"]["requests"], registry.log().len()), (&13.into(), 13));
    assert_eq!(host.connections(), 1);
    let back =
        run(here.path(), &format!("image copy --ca-file ca.pem {to} oci:back:v1.0.0")).expect(0).json();
    assert_eq!((&back["data"]["digest"], host.connections()), (&push["data"]["digest"], 2));
    let index = |name: &str| std::fs::read(here.path().join(name).join("index.json")).unwrap();
    assert_eq!(index("a"), index("back"));
    // What goes wrong is tried again as ever.
    registry.fail("GET", "manifests/v1.0.0", 1, Fault::BUSY);
    let _ = run(here.path(), &format!("image inspect --ca-file ca.pem {to}")).expect(0);
}

#[test]
#[cfg(unix)]
fn a_transfer_that_hangs_stops_when_it_is_told_to() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path());
    for (method, path) in
        [("HEAD", "manifests/v1.0.0"), ("POST", "uploads"), ("PUT", "uploads"), ("PUT", "manifests/sha256:")]
    {
        let host = TestRegistry::start(Options::default());
        host.fail(method, path, 9, Fault::Hang);
        let started = kyklos(here.path())
            .args("image push oci:a:v1.0.0")
            .arg(format!("{}/app:v1.0.0", host.host()))
            .spawn();
        while !host.log().iter().any(|one| one.method == method && one.path.contains(path)) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        started.signal("-INT");
        let run = started.wait().expect(6);
        assert_eq!(run.stdout(), "");
        // It has stopped by itself; a run that does not is ended and says so in other words.
        assert!(
            run.stderr().contains("error[interrupted]: stopped between two steps"),
            "{method}: {}",
            run.show()
        );
        let stored = host.stored("app");
        assert!(stored.tags.is_empty());
        assert_eq!(stored.open_uploads(), 0, "{method}: {:#?}", host.routes());
    }
}

#[test]
#[cfg(unix)]
fn a_second_signal_waits_for_nobody() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path());
    // Until the end, from when the host is told that the upload is given up.
    let left = |signals: &[&str]| {
        let host = TestRegistry::start(Options::default());
        host.fail("PUT", "uploads", 9, Fault::Hang);
        host.fail("DELETE", "uploads", 9, Fault::Hang);
        let started = kyklos(here.path())
            .args("image push oci:a:v1.0.0")
            .arg(format!("{}/app:v1.0.0", host.host()))
            .spawn();
        let mut since = std::time::Instant::now();
        for (method, signal) in ["PUT", "DELETE"].into_iter().zip(signals) {
            while !host.log().iter().any(|one| one.method == method && one.path.contains("uploads")) {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            started.signal(signal);
            since = std::time::Instant::now();
        }
        let _ = started.wait().expect(6);
        assert!(host.stored("app").tags.is_empty());
        since.elapsed()
    };
    let (patient, impatient) = (left(&["-INT"]), left(&["-INT", "-TERM"]));
    assert!(impatient < patient, "{impatient:?} and {patient:?}");
}

#[test]
fn the_base_an_image_names_on_its_own_host_is_looked_at() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path());
    let (host, other) = (TestRegistry::start(Options::default()), TestRegistry::start(Options::default()));
    let base = format!("{}/base:stable", host.host());
    let _ = run(here.path(), &format!("image push oci:a:v1.0.0 {base}")).expect(0);
    let make = format!("image assemble --binary linux/amd64=app --base {base} -o oci:on:v1.0.0");
    let _ = run(here.path(), &make).expect(0);
    for to in [&host, &other] {
        let _ = run(here.path(), &format!("image push oci:on:v1.0.0 {}/on:v1.0.0", to.host())).expect(0);
    }
    let check = |target: &str| run(here.path(), &format!("image check {target}")).json();
    let here_too = format!("{}/on:v1.0.0", host.host());
    let fresh = check(&here_too);
    assert_eq!(fresh["data"]["base"]["fresh"], true, "{fresh}");
    assert_eq!(fresh["data"]["platforms"][0]["on_base"], true);
    // An image does not lead to another host, nor from a file to the network.
    host.forget();
    for target in [&format!("{}/on:v1.0.0", other.host()), "oci:on:v1.0.0"] {
        assert_eq!(check(target)["data"]["base"]["fresh"], serde_json::Value::Null, "{target}");
    }
    assert_eq!(host.log().len(), 0);
    let codes = |answer: &serde_json::Value| -> Vec<String> {
        let codes = answer["diagnostics"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap());
        codes.filter(|code| code.starts_with("image-base")).map(ToOwned::to_owned).collect()
    };
    std::fs::write(here.path().join("app"), "two").unwrap();
    let _ = run(here.path(), "image assemble --binary linux/amd64=app --binary linux/arm64=app -o oci:b:v2")
        .expect(0);
    let _ = run(here.path(), &format!("image push oci:b:v2 {base}")).expect(0);
    let stale = check(&here_too);
    assert_eq!(
        (&stale["data"]["base"]["fresh"], codes(&stale)),
        (&false.into(), vec!["image-base-stale".to_owned()])
    );
    host.change("base", |stored| stored.tags.clear());
    let gone = check(&here_too);
    assert_eq!(
        (gone["data"]["base"]["fresh"].as_bool(), codes(&gone)),
        (None, vec!["image-base-unread".to_owned()])
    );
}
