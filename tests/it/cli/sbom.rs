//! `sbom` over files, directories and images.

use std::path::Path;

use kyklos_release::adapter::oci::Layout;
use kyklos_release::format::oci::media_type;
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Manifest, Registry as _};
use serde_json::Value;

use crate::support::command::{Run, kyklos};
use crate::support::elf;

fn run(directory: &Path, line: &str) -> Run {
    kyklos(directory).args(line).run()
}

/// Two executables with one dependency each, of which only the version differs, as files and as the image `oci:layout:v1`.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("dist")).unwrap();
    std::fs::write(place.path().join("dist/README"), "no executable").unwrap();
    for (architecture, version) in [("amd64", "v1.2.3"), ("arm64", "v1.2.4")] {
        let modules = elf::MODULES.replace("v1.2.3", version);
        std::fs::write(place.path().join("dist").join(architecture), elf::go(architecture, &modules))
            .unwrap();
    }
    let line = "image assemble --name app --binary linux/amd64=dist/amd64 --binary linux/arm64=dist/arm64 -o oci:layout:v1";
    let _ = run(place.path(), line).expect(0);
    place
}

fn purls(bom: &Value) -> Vec<String> {
    let components = bom["components"].as_array().unwrap().iter();
    let mut purls: Vec<String> =
        components.filter_map(|one| one["purl"].as_str()).map(str::to_owned).collect();
    purls.sort();
    purls
}

fn bom(run: Run) -> Value {
    serde_json::from_str(&run.expect(0).stdout()).unwrap()
}

#[test]
fn an_image_has_what_all_its_platforms_have_and_each_platform_its_own() {
    let place = place();
    let whole = bom(run(place.path(), "sbom generate oci:layout:v1 --name app --version 1.2.3"));
    let golang = |version: &str| format!("pkg:golang/github.com/acme/lib@{version}");
    let stdlib = "pkg:golang/stdlib@1.26.8".to_owned();
    assert_eq!(purls(&whole), [golang("v1.2.3"), golang("v1.2.4"), stdlib.clone()]);
    let inspected = run(place.path(), "image inspect oci:layout:v1 --format json").expect(0).json();
    let index = inspected["data"]["digest"].as_str().unwrap();
    assert_eq!(whole["metadata"]["component"]["purl"], format!("pkg:oci/app@{index}"));
    for (platform, version) in [("linux/amd64", "v1.2.3"), ("linux/arm64", "v1.2.4")] {
        let line = format!("sbom generate oci:layout:v1 --name app --platform {platform}");
        let one = bom(run(place.path(), &line));
        assert_eq!(purls(&one), [golang(version), stdlib.clone()], "{platform}");
        let platforms = inspected["data"]["platforms"].as_array().unwrap();
        let manifest = platforms.iter().find(|one| one["platform"] == platform).unwrap()["digest"].as_str();
        let architecture = platform.trim_start_matches("linux/");
        let expected = format!("pkg:oci/app@{}?arch={architecture}&os=linux", manifest.unwrap());
        assert_eq!(one["metadata"]["component"]["purl"], expected);
    }
}

#[test]
fn a_document_holds_against_the_image_it_was_made_from_and_no_other() {
    let place = place();
    let _ = run(place.path(), "sbom generate oci:layout:v1 -o whole.json").expect(0);
    let _ = run(place.path(), "sbom generate oci:layout:v1 --platform linux/amd64 -o amd64.json").expect(0);
    let _ = run(place.path(), "sbom generate dir:dist -o files.json").expect(0);
    for line in [
        "sbom verify whole.json --against oci:layout:v1",
        "sbom verify amd64.json --against oci:layout:v1 --platform linux/amd64",
        "sbom verify files.json --against oci:layout:v1",
        "sbom verify files.json --against dir:dist",
    ] {
        assert!(run(place.path(), line).expect(0).stdout().ends_with("nothing wrong\n"), "{line}");
    }
    let other =
        run(place.path(), "sbom verify amd64.json --against oci:layout:v1 --platform linux/arm64").expect(1);
    let text = other.stdout();
    assert!(text.contains("sbom-version: pkg:golang/github.com/acme/lib@v1.2.4: the SBOM lists pkg:golang/github.com/acme/lib@v1.2.3"), "{text}");
    assert!(text.contains("sbom-file: app: expected sha256:"), "{text}");
    let less = run(place.path(), "sbom verify amd64.json --against oci:layout:v1").expect(1).stdout();
    assert!(
        less.contains(
            "sbom-missing: pkg:golang/github.com/acme/lib@v1.2.4: it is in an executable and not in the SBOM"
        ),
        "{less}"
    );
}

#[test]
fn wrong_targets_are_told() {
    let place = place();
    for (line, code, expected) in [
        ("sbom generate oci:layout:v1 file:dist/amd64", 2, "an image stands alone"),
        ("sbom generate oci:layout:v1 --platform linux/s390x", 2, "the image has no platform linux/s390x"),
        ("sbom generate dir:layout", 3, "there is no executable in dir:layout"),
        (
            "sbom generate file:dist/amd64 --platform linux/arm64",
            3,
            "there is no executable in file:dist/amd64",
        ),
        ("sbom generate file:dist/README", 2, "error[binary-not-executable]"),
    ] {
        let run = run(place.path(), line).expect(code);
        assert!(run.stderr().contains(expected), "{line}: {}", run.show());
    }
}

/// A layer as a tar of files, whiteouts and links.
fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

#[tokio::test]
async fn what_a_later_layer_hides_or_replaces_is_not_there() {
    let place = tempfile::tempdir().unwrap();
    let layout = Layout::create(place.path().join("layout")).unwrap();
    let with = |version: &str| elf::go("amd64", &elf::MODULES.replace("v1.2.3", version));
    let (old, new, gone) = (with("v1.0.0"), with("v2.0.0"), with("v9.9.9"));
    let layers = [
        layer(&[("app", &old), ("tools/gone", &gone), ("dir/gone", &gone)]),
        layer(&[
            ("app", &old),
            ("./app", &new),
            (".wh.none", b""),
            ("tools/.wh.gone", b""),
            ("dir/.wh..wh..opq", b""),
        ]),
    ];
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}","{}"]}}}}"#,
        Digest::of(&layers[0]),
        Digest::of(&layers[1])
    );
    let mut descriptors = Vec::new();
    for (kind, bytes) in [
        (media_type::CONFIG, config.as_bytes()),
        (media_type::LAYER, &layers[0]),
        (media_type::LAYER, &layers[1]),
    ] {
        let digest = Digest::of(bytes);
        layout.put_blob(&Content::bytes(digest, bytes.to_vec()), None).await.unwrap();
        descriptors.push(format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{}}}"#, bytes.len()));
    }
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{},{}]}}"#,
        media_type::MANIFEST,
        descriptors[0],
        descriptors[1],
        descriptors[2]
    );
    let _ = layout
        .put(&Manifest::of(media_type::MANIFEST, manifest.as_bytes().to_vec()), &["v1".to_owned()])
        .await
        .unwrap();
    let bom = bom(run(place.path(), "sbom generate oci:layout:v1"));
    assert_eq!(purls(&bom), ["pkg:golang/github.com/acme/lib@v2.0.0", "pkg:golang/stdlib@1.26.8"]);
}

#[test]
fn modules_that_were_replaced_are_told_as_what_they_were_replaced_with() {
    // As the linker writes it: an empty line follows every replacement.
    let modules = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\texample.com/a\tv1.0.0\n=>\texample.com/fork\tv1.1.0\th1:AAAA=\n\ndep\texample.com/b\tv0.0.0-20200101000000-abcdefabcdef\n=>\t../b\t(devel)\t\n\nbuild\tGOOS=linux\n";
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("app"), elf::go("amd64", modules)).unwrap();
    let bom = bom(run(place.path(), "sbom generate file:app"));
    assert_eq!(
        purls(&bom),
        ["pkg:golang/example.com/b", "pkg:golang/example.com/fork@v1.1.0", "pkg:golang/stdlib@1.26.8"]
    );
    let _ = run(place.path(), "build-info app").expect(0);
}

#[test]
fn what_cannot_be_read_is_named() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("good"), elf::go("amd64", elf::MODULES)).unwrap();
    std::fs::write(place.path().join("odd"), elf::go("amd64", "what\tis\n")).unwrap();
    std::fs::write(place.path().join("text"), "text").unwrap();
    for (target, code) in [("odd", 3), ("text", 2)] {
        let told = run(place.path(), &format!("sbom generate file:good file:{target}")).expect(code).stderr();
        assert!(
            told.contains(&format!("file      {target}\n")) || told.contains(&format!("file  {target}\n")),
            "{told}"
        );
    }
}

#[test]
fn a_document_that_reads_like_an_empty_one_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let head = r#""bomFormat":"CycloneDX","specVersion":"1.6""#;
    for (rest, told) in [
        (r#""components":{}"#, "`components` of the SBOM has not the form"),
        (r#""components":[1]"#, "`components[0]` of the SBOM"),
        (r#""components":[{"type":"librarry","name":"a"}]"#, "`components[0].type`"),
        (
            r#""components":[{"type":"file","name":"a","hashes":[{"alg":"SHA-256","content":"zz"}]}]"#,
            "hashes`",
        ),
        (r#""components":[],"components":[]"#, "key `components` stands twice"),
        (r#""dependencies":"none""#, "`dependencies` of the SBOM"),
    ] {
        std::fs::write(place.path().join("bom.json"), format!("{{{head},{rest}}}")).unwrap();
        let run = run(place.path(), "sbom verify bom.json").expect(1);
        assert!(run.stdout().contains(told), "{}", run.show());
    }
}

#[test]
fn what_does_not_tell_what_is_in_it_is_told() {
    let place = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        std::fs::write(place.path().join(name), elf::elf("amd64", &[])).unwrap();
    }
    std::fs::write(place.path().join("app"), elf::go("amd64", elf::MODULES)).unwrap();
    let told = run(place.path(), "sbom generate file:one file:app file:two").expect(0).stderr();
    assert_eq!(
        told,
        "warning: one and 1 other: executables that do not tell what is in them; nothing of it is listed\n"
    );
    assert_eq!(run(place.path(), "sbom generate file:app").expect(0).stderr(), "");
}
