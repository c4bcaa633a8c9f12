//! `image push`, `image copy`: stores on disk, as a person types it.

use std::path::Path;

use crate::support::command::kyklos;

fn assemble(here: &Path, text: &str, to: &str) {
    std::fs::write(here.join("app"), text).unwrap();
    let _ = kyklos(here)
        .args("image assemble --binary linux/amd64=app --binary linux/arm64=app -o")
        .arg(to)
        .run()
        .expect(0);
}

#[test]
fn an_image_goes_to_an_archive_and_back() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:a:v1.0.0");
    let run = kyklos(here.path()).args("image push oci:a:v1.0.0 oci-archive:a.tar:v1.0.0 --tag latest").run();
    insta::assert_snapshot!(run.show(), @r"
    exit 0
    --- stdout
    sha256:c496edb5b0fd7b935a75d0bfc4606d749fc180c9a1694939a786edb154fc4833
    oci-archive:a.tar:v1.0.0
      created    v1.0.0
      created    latest
      uploaded   3
      manifests  3
    --- stderr
          Pushed sha256:c496edb5b0fd7b935a75d0bfc4606d749fc180c9a1694939a786edb154fc4833 to oci-archive:a.tar:v1.0.0
    ");
    let run = kyklos(here.path())
        .args("image copy oci-archive:a.tar:latest oci:b:v1.0.0 --tag v1.0.0 --format json")
        .run()
        .expect(0)
        .json();
    let data = &run["data"];
    assert_eq!(data["tags"], serde_json::json!(["v1.0.0"]));
    assert_eq!((data["uploaded"].as_array().unwrap().len(), &data["mounted"]), (3, &serde_json::json!([])));
    assert_eq!(data["requests"], 0);
    let index = |name: &str| std::fs::read(here.path().join(name).join("index.json")).unwrap();
    assert_eq!(index("a"), index("b"));
    let again = kyklos(here.path()).args("image copy oci:a:v1.0.0 oci:b:v1.0.0 --format json").run();
    let again = again.expect(0).json();
    assert_eq!(again["data"]["uploaded"], serde_json::json!([]));
    assert_eq!(again["data"]["moves"][0]["state"], "unchanged");
    let _ = kyklos(here.path()).args("image check oci-archive:a.tar:v1.0.0").run().expect(0);
    let _ = kyklos(here.path()).args("image tag oci-archive:a.tar:latest edge").run().expect(0);
    let _ = kyklos(here.path()).args("image inspect oci-archive:a.tar:edge").run().expect(0);
}

#[test]
fn an_older_version_leaves_the_tags_of_a_newer_one_alone() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "two", "oci:a:v0.2.0");
    assemble(here.path(), "one", "oci:a:fix");
    let _ = kyklos(here.path()).args("image tag oci:a:v0.2.0 v0.2 v0 latest").run().expect(0);
    let run =
        kyklos(here.path()).args("image copy oci:a:fix oci:a:v0.1.1 --tag v0.1 --tag v0 --tag latest").run();
    insta::assert_snapshot!(run.show(), @r"
    exit 0
    --- stdout
    sha256:c496edb5b0fd7b935a75d0bfc4606d749fc180c9a1694939a786edb154fc4833
    oci:a:v0.1.1
      created    v0.1.1
      created    v0.1
      kept       v0
      kept       latest
      skipped    3
      manifests  3
    --- stderr
          Copied sha256:c496edb5b0fd7b935a75d0bfc4606d749fc180c9a1694939a786edb154fc4833 to oci:a:v0.1.1
    warning: oci:a:v0.1.1: the tag v0 stays where it is: 0.2.0 is newer
    warning: oci:a:v0.1.1: the tag latest stays where it is: 0.2.0 is newer
    ");
    let run = kyklos(here.path()).args("image copy oci:a:fix oci:a:latest --tag v0.2.0").run();
    insta::assert_snapshot!(run.show(), @r"
    exit 5
    --- stdout
    --- stderr
    error[image-tag-taken]: the tag v0.2.0 points to another image and never moves
      expected  sha256:c496edb5b0fd7b935a75d0bfc4606d749fc180c9a1694939a786edb154fc4833
      found     sha256:02eda1ebefd2bba5316fc704306a1c40837a68339a88f56799dc205456801913
    help: release a new version; a version tag is never moved
    ");
    let run = kyklos(here.path()).args("image tag oci:a:v0.1.1 latest").run();
    insta::assert_snapshot!(run.show(), @r"
    exit 5
    --- stdout
    --- stderr
    error[image-tag-backwards]: the tag latest would go back from 0.2.0 to 0.1.1
    help: nothing was moved; leave the tag out
    ");
}

#[test]
fn an_index_is_made_over_images_that_were_built_apart() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("app"), "one").unwrap();
    for (line, to) in [
        ("--binary linux/amd64=app", "a"),
        ("--binary linux/arm64=app", "b"),
        ("--binary linux/amd64=app --user 7", "c"),
    ] {
        let _ = kyklos(here.path()).args(&format!("image assemble {line} -o oci:{to}:x")).run().expect(0);
    }
    let create = |line: &str| kyklos(here.path()).args(&format!("image index create {line}")).run();
    let line = "oci:r:v1.0.0 oci:b:x oci:a:x oci:a:x --annotation k=v --format json";
    let made = create(line).expect(0).json();
    let digest = made["data"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(made["data"]["tags"], serde_json::json!(["v1.0.0"]));
    let raw = kyklos(here.path()).args("image inspect oci:r:v1.0.0 --raw").run().expect(0).stdout();
    let index: serde_json::Value = serde_json::from_str(&raw).unwrap();
    let platforms: Vec<_> =
        index["manifests"].as_array().unwrap().iter().map(|one| &one["platform"]["architecture"]).collect();
    assert_eq!(platforms, ["arm64", "amd64"]);
    assert_eq!(index["annotations"], serde_json::json!({"k": "v"}));
    let check = kyklos(here.path()).args("image check oci:r:v1.0.0 --format json").run().expect(0).json();
    assert_eq!(check["data"]["complete"], true);
    // The same again is the same index; a manifest of one platform serves as well as an index.
    let again = create(line).expect(0).json();
    assert_eq!(
        (&again["data"]["digest"], &again["data"]["moves"][0]["state"]),
        (&made["data"]["digest"], &"unchanged".into())
    );
    let child = index["manifests"][0]["digest"].as_str().unwrap();
    let plain =
        create(&format!("oci:r:plain oci:r@{child} oci:a:x --annotation k=v --format json")).expect(0).json();
    assert_eq!(plain["data"]["digest"], digest);
    insta::assert_snapshot!(create("oci:r:x oci:a:x oci:c:x").show(), @r"
    exit 2
    --- stdout
    --- stderr
    error[image-two-for-platform]: there are two images for linux/amd64
      first   sha256:8cb5b7febdc16e18e29dea71748fa82c59edb0fc8f0e3eea6274d62f2221e5e6
      second  sha256:ab6ae92c6e08777197bad23efd5611ad6eb2ae34c643c396b148eeb1d12565a1
    ");
    let _ = create("oci:r:v1.0.0 oci:a:x").expect(5);
}

#[test]
fn usage() {
    let here = tempfile::tempdir().unwrap();
    assemble(here.path(), "one", "oci:a:v1.0.0");
    std::fs::write(here.path().join("x.tar.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    for (line, code) in [
        ("image push oci:a file:b", 2),
        ("image push dir:a oci:b", 2),
        ("image push oci:a docker-archive:b.tar", 2),
        ("image push oci:nothing oci:b", 2),
        ("image push oci:a:v9 oci:b", 2),
        ("image push oci-archive:nothing.tar oci:b", 2),
        ("image push oci-archive:x.tar.gz oci:b", 1),
        ("image push oci:a oci:b:v1.0.0+x", 2),
        ("image push oci:a oci:b --tag v1.0.0+x", 2),
        ("image push oci:a oci:b --platform linux/s390x", 2),
        ("image push oci:a oci:b --platform linux/amd64 --all-platforms", 2),
        ("image push oci:a oci:b --immutable --rolling", 2),
        ("image push oci:a oci:b@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", 1),
    ] {
        let run = kyklos(here.path()).args(line).run();
        assert_eq!(run.code(), code, "{line}\n{}", run.show());
    }
}
