//! `image`: from binaries to a tagged, checked layout.

use std::path::Path;

use crate::support::command::kyklos;

fn assemble(here: &Path, text: &str, to: &str) {
    std::fs::create_dir_all(here.join("dist")).unwrap();
    for architecture in ["amd64", "arm64"] {
        std::fs::write(here.join(format!("dist/app-{architecture}")), format!("{text} {architecture}"))
            .unwrap();
    }
    let _ = kyklos(here)
        .args("image assemble --name app --binary linux/arm64=dist/app-arm64 --binary linux/amd64=dist/app-amd64")
        .args("--annotation org.opencontainers.image.version=1.0.0 --label a=b -o")
        .arg(to)
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .run()
        .expect(0);
}

#[test]
fn assembles_the_same_image_twice() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:left:v1.0.0");
    assemble(here.path(), "one", "oci:right:v1.0.0");
    let read = |name: &str| std::fs::read(here.path().join(name).join("index.json")).unwrap();
    assert_eq!(read("left"), read("right"));
    insta::assert_snapshot!(kyklos(here.path()).args("image inspect oci:left").run().show(), @r"
    exit 0
    --- stdout
    oci:left
      digest  sha256:db798492be1e67824e62f802e23b69f37704691e67e89a6852db29da414a3259
      type    application/vnd.oci.image.index.v1+json, 608 bytes
      org.opencontainers.image.created = 2026-01-01T00:00:00Z
      org.opencontainers.image.version = 1.0.0
    linux/amd64
      digest  sha256:571fcc237a4c0ce1b1d290e636dfbf08428be04f62251c76f7866d9a06bd318b
      pulled  459 bytes
      runs    /app as 65532
    linux/arm64
      digest  sha256:96f66da40190baa0df23ed2a3bdd34922b9229ff0f4a900e8989780c2add3bdd
      pulled  458 bytes
      runs    /app as 65532
    --- stderr
    ");
}

#[test]
fn inspect_answers_in_json_and_writes_the_release_files() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:reg:v1.0.0");
    let run =
        kyklos(here.path()).args("image inspect oci:reg:v1.0.0 --referrers --out dist --format json").run();
    let answer = run.expect(0).json();
    assert_eq!(answer["schema"], "kyklos-release/image-inspect/v1");
    let data = &answer["data"];
    assert_eq!(data["platforms"][1]["platform"], "linux/arm64");
    assert_eq!(data["platforms"][1]["config"]["user"], "65532");
    assert_eq!(data["platforms"][1]["config"]["entrypoint"], serde_json::json!(["/app"]));
    assert_eq!(data["annotations"]["org.opencontainers.image.created"], "2026-01-01T00:00:00Z");
    assert_eq!(data["referrers"], serde_json::json!([]));
    let [index, amd64, arm64] =
        [&data["digest"], &data["platforms"][0]["digest"], &data["platforms"][1]["digest"]]
            .map(|v| v.as_str().unwrap());
    assert_eq!(
        std::fs::read_to_string(here.path().join("dist/image-digests.txt")).unwrap(),
        format!(
            "{index} oci:reg:v1.0.0\n{amd64} oci:reg:v1.0.0 linux/amd64\n{arm64} oci:reg:v1.0.0 linux/arm64\n"
        )
    );
    let raw = kyklos(here.path()).args("image inspect oci:reg --raw").run().expect(0).stdout();
    assert_eq!(std::fs::read_to_string(here.path().join("dist/image-manifest.json")).unwrap(), raw);
    let blob = here.path().join("reg/blobs/sha256").join(&arm64[7..]);
    let raw =
        kyklos(here.path()).args("image inspect oci:reg --raw --platform linux/arm64/v8").run().expect(0);
    assert_eq!(raw.stdout(), std::fs::read_to_string(blob).unwrap());
}

#[test]
fn a_platform_that_is_not_there_is_named_with_those_that_are() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:reg:v1.0.0");
    let run = kyklos(here.path()).args("image inspect oci:reg --platform linux/s390x").run();
    insta::assert_snapshot!(run.show(), @r"
    exit 2
    --- stdout
    --- stderr
    error[image-no-platform]: the image has no platform linux/s390x
      expected  linux/s390x
      found     linux/amd64, linux/arm64
    ");
}

#[test]
fn check_tells_facts_and_findings() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:reg:v1.0.0");
    insta::assert_snapshot!(kyklos(here.path()).args("image check oci:reg:v1.0.0").run().show(), @r"
    exit 0
    --- stdout
    sha256:db798492be1e67824e62f802e23b69f37704691e67e89a6852db29da414a3259
    linux/amd64
      pulled  459 bytes
      files   2048 bytes unpacked
      user    65532
      runs    app
      shells  none
      setuid  none
      managers  none
    linux/arm64
      pulled  458 bytes
      files   2048 bytes unpacked
      user    65532
      runs    app
      shells  none
      setuid  none
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    --- stderr
    ");
}

#[test]
fn check_says_no_to_root_and_to_damage() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("sh"), "a shell").unwrap();
    let _ = kyklos(here.path())
        .args("image assemble --user 0 --binary linux/amd64=sh -o oci:reg")
        .run()
        .expect(0);
    let answer = kyklos(here.path()).args("image check oci:reg --format json").run().expect(1).json();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["data"]["complete"], true);
    assert_eq!(answer["data"]["platforms"][0]["shells"], serde_json::json!(["sh"]));
    assert_eq!(answer["data"]["platforms"][0]["uid"], 0);
    let codes: Vec<&str> =
        answer["diagnostics"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"image-root") && codes.contains(&"image-shell"), "{codes:?}");

    let manifest = answer["data"]["platforms"][0]["digest"].as_str().unwrap();
    let blobs = here.path().join("reg/blobs/sha256");
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(blobs.join(&manifest[7..])).unwrap()).unwrap();
    let layer = blobs.join(&manifest["layers"][0]["digest"].as_str().unwrap()[7..]);
    let mut bytes = std::fs::read(&layer).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&layer, bytes).unwrap();
    let answer = kyklos(here.path()).args("image check oci:reg --format json").run().expect(1).json();
    assert_eq!(answer["data"]["complete"], false);
    assert_eq!(answer["data"]["platforms"][0]["scanned"], false);
}

#[test]
fn a_version_tag_never_moves() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:reg:v1.0.0");
    assemble(here.path(), "two", "oci:reg:edge");
    let tag = |line: &str| kyklos(here.path()).args("image tag").args(line).run();
    insta::assert_snapshot!(tag("oci:reg:edge v1.0.0 latest").show(), @r"
    exit 5
    --- stdout
    --- stderr
    error[image-tag-taken]: the tag v1.0.0 points to another image and never moves
      expected  sha256:e492428901aa263084994ddfc85de9e7ee1c86f5ac5be03f410afddd32b9c19d
      found     sha256:db798492be1e67824e62f802e23b69f37704691e67e89a6852db29da414a3259
    help: release a new version; a version tag is never moved
    ");
    insta::assert_snapshot!(tag("oci:reg:v1.0.0 v1.0.0 v1.0 latest").show(), @r"
    exit 0
    --- stdout
    unchanged v1.0.0 -> sha256:db798492be1e67824e62f802e23b69f37704691e67e89a6852db29da414a3259
    created   v1.0 -> sha256:db798492be1e67824e62f802e23b69f37704691e67e89a6852db29da414a3259
    created   latest -> sha256:db798492be1e67824e62f802e23b69f37704691e67e89a6852db29da414a3259
    --- stderr
    ");
    let answer = tag("oci:reg:edge latest --format json").expect(0).json();
    assert_eq!(answer["data"]["tags"][0]["state"], "moved");
    assert_eq!(answer["data"]["tags"][0]["policy"], "rolling");
    let _ = tag("oci:reg:edge latest v1.0 --immutable").expect(5);
    let _ = tag("oci:reg:edge v1.0.0 --rolling").expect(0);
}

#[test]
fn a_refused_image_leaves_the_layout_as_it_was() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:reg:v1.0.0");
    let count = || std::fs::read_dir(here.path().join("reg/blobs/sha256")).unwrap().count();
    let before = count();
    let run = kyklos(here.path())
        .args("image assemble --user 7 --binary linux/amd64=dist/app-amd64 -o oci:reg:v1.0.0")
        .run();
    assert!(run.expect(5).stderr().starts_with("error[image-tag-taken]"));
    assert_eq!(count(), before);
}

#[test]
fn processes_that_write_at_once_lose_nothing() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("app"), "a binary").unwrap();
    std::thread::scope(|scope| {
        for user in 1..5 {
            let here = here.path();
            scope.spawn(move || {
                let line =
                    format!("image assemble --user {user} --binary linux/amd64=app -o oci:reg:v{user}");
                let _ = kyklos(here).args(&line).run().expect(0);
            });
        }
    });
    for user in 1..5 {
        let _ = kyklos(here.path()).args(&format!("image check oci:reg:v{user}")).run().expect(0);
    }
}

#[test]
fn usage() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:reg:v1.0.0");
    for (line, code) in [
        ("image inspect file:reg", 2),
        ("image inspect oci:nothing", 2),
        ("image inspect oci:reg:v2", 2),
        ("image inspect oci:reg --raw --format json", 2),
        ("image tag oci:reg a/b", 2),
        ("image assemble --binary linux/amd64=dist/app-amd64", 2),
        ("image assemble --binary linux/amd64=dist/nothing -o oci:reg", 2),
        ("image assemble --binary linux/amd64=dist/app-amd64 --user root -o oci:reg", 2),
        ("image assemble --binary linux/amd64=dist/app-amd64 -o dir:reg", 2),
    ] {
        let run = kyklos(here.path()).args(line).run();
        assert_eq!(run.code(), code, "{line}\n{}", run.show());
    }
}
