//! Content that is not what it is said to be: other bytes, another kind of document, digests that are none, images that cannot
//! be.

use kyklos_release::format::oci::{annotation, media_type};
use kyklos_release::model::Digest;
use serde_json::{Value, json};

use super::case::{Case, Ended, seen};
use super::images::{app, blob, config, document, fill, index, manifest, serving};
use crate::support::crafted::{Layer, descriptor, with};
use crate::support::registry::{Fault, Options, TestRegistry};

#[test]
fn a_digest_decides_and_not_what_a_host_says_of_it() {
    let zero = |algorithm: &str, digits: usize| format!("{algorithm}:{}", "0".repeat(digits));
    let called = |digest: String| Fault::Header("Docker-Content-Digest", digest);
    let other = manifest(descriptor(media_type::CONFIG, b"{}"), &[]);
    let mut ends = Vec::new();
    for (name, method, fault, by_digest) in [
        ("other bytes", "GET", Fault::Body(other.clone()), true),
        ("other bytes and their digest", "GET", Fault::Body(other), false),
        ("a header that lies", "GET", called(zero("sha256", 64)), true),
        ("a header that lies about a tag", "GET", called(zero("sha256", 64)), false),
        ("another algorithm that lies", "GET", called(zero("sha512", 128)), true),
        ("an algorithm that nobody can check", "GET", called(zero("blake3", 64)), true),
        ("no digest at all", "GET", called("sha256:../../x".to_owned()), true),
        ("HEAD says another", "HEAD", called(zero("sha256", 64)), false),
    ] {
        let host = app(Options::default());
        let digest = host.stored("app").tags["v1"].clone();
        host.fail(method, "manifests", 100, fault);
        let case = Case::new(name).host(&host);
        ends.push(case.run(&match by_digest {
            true => format!("image inspect HOST/app@{digest}"),
            false => "image inspect HOST/app:v1".to_owned(),
        }));
        // What cannot be checked is not asked for.
        assert!(host.log().iter().all(|one| one.method == "GET"), "{:?}", host.routes());
        let to = case.run(&format!("image copy HOST/app@{digest} oci:to:v1"));
        let kept = case.run("image inspect oci:to:v1");
        assert_eq!((to.code, kept.code), if to.code == 0 { (0, 0) } else { (1, 2) }, "{}", to.text());
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # other bytes: exit 1
    error[registry-digest]: manifests/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 of HOST/app has another digest than it is stored under
      expected  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      found     sha256:f20c43161d73848408ef247f0ec7111b19fe58ffebc0cbcaa0d2c8bda4967268

    # other bytes and their digest: exit 1
    error[registry-digest]: manifests/v1 of HOST/app has another digest than it is stored under
      expected  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      found     sha256:f20c43161d73848408ef247f0ec7111b19fe58ffebc0cbcaa0d2c8bda4967268

    # a header that lies: exit 1
    error[registry-digest]: manifests/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 of HOST/app has another digest than it is stored under
      expected  sha256:0000000000000000000000000000000000000000000000000000000000000000
      found     sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729

    # a header that lies about a tag: exit 1
    error[registry-digest]: manifests/v1 of HOST/app has another digest than it is stored under
      expected  sha256:0000000000000000000000000000000000000000000000000000000000000000
      found     sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729

    # another algorithm that lies: exit 1
    error[registry-digest]: manifests/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 of HOST/app has another digest than it is stored under
      expected  sha512:00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
      found     sha512:df3a328500a4eb8bb7eaab3049f31ebdd3099eaffc8470543cc98efc70964421197deab03a0ef5f9cf21a65d082da1d94eedb41a6a947b01dd74be9cb6e12126

    # an algorithm that nobody can check: exit 0
    HOST/app@sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      type    application/vnd.oci.image.manifest.v1+json, 400 bytes
    linux/amd64
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      pulled  279 bytes
      runs    /app as 65532

    # no digest at all: exit 0
    HOST/app@sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      type    application/vnd.oci.image.manifest.v1+json, 400 bytes
    linux/amd64
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      pulled  279 bytes
      runs    /app as 65532

    # HEAD says another: exit 0
    HOST/app:v1
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      type    application/vnd.oci.image.manifest.v1+json, 400 bytes
    linux/amd64
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      pulled  279 bytes
      runs    /app as 65532
    ");
}

#[test]
fn a_document_is_of_one_kind_or_refused() {
    let layer = Layer::of(&[("app", 0o755, b"program")]);
    let settings = config(&[&layer.plain]);
    let (config_of, layer_of) =
        (descriptor(media_type::CONFIG, &settings), descriptor(layer.media_type, &layer.stored));
    let both = json!({
        "schemaVersion": 2, "config": config_of, "layers": [layer_of],
        "manifests": [descriptor(media_type::MANIFEST, b"{}")],
    });
    let plain = manifest(config_of.clone(), std::slice::from_ref(&layer_of));
    let untyped = json!({"schemaVersion": 2, "config": config_of, "layers": [layer_of]});
    let text = |document: &Value| serde_json::to_vec(document).unwrap();
    let mut ends = Vec::new();
    for (name, kind, bytes) in [
        ("both kinds, called an index", media_type::INDEX, text(&both)),
        ("both kinds, called a manifest", media_type::MANIFEST, text(&both)),
        ("a manifest that is called an index", media_type::INDEX, plain.clone()),
        ("a manifest without a type, called an index", media_type::INDEX, text(&untyped)),
        ("a manifest that is called nothing", "text/html", plain.clone()),
        ("a manifest in a list", media_type::MANIFEST, text(&json!([plain]))),
        (
            "a manifest of an older time",
            media_type::MANIFEST,
            br#"{"schemaVersion":1,"fsLayers":[]}"#.to_vec(),
        ),
        ("a config in its place", media_type::MANIFEST, settings.clone()),
        (
            "a config as layer",
            media_type::MANIFEST,
            manifest(config_of.clone(), &[descriptor(media_type::LAYER, &settings)]),
        ),
        (
            "a layer as config",
            media_type::MANIFEST,
            manifest(descriptor(media_type::CONFIG, &layer.stored), std::slice::from_ref(&layer_of)),
        ),
        ("a config as platform", media_type::INDEX, index(&[descriptor(media_type::MANIFEST, &settings)])),
    ] {
        let host = serving(kind, &bytes);
        blob(&host, &settings);
        blob(&host, &layer.stored);
        document(&host, "", media_type::MANIFEST, &settings);
        // Whatever it is called in an answer: nobody is asked for it by a type of his choice.
        host.fail("GET", "manifests/v1", 1, Fault::Header("Content-Type", kind.to_owned()));
        ends.push(Case::new(name).host(&host).run("image check HOST/app:v1"));
    }
    // The same digest, and another type each time.
    let host = TestRegistry::start(Options::default());
    fill(&host);
    host.fail("GET", "manifests", 1, Fault::Header("Content-Type", media_type::MANIFEST.to_owned()));
    host.fail("GET", "manifests", 9, Fault::Header("Content-Type", media_type::INDEX.to_owned()));
    let case = Case::new("first a manifest").host(&host);
    assert_eq!(case.run("image check HOST/app:v1").code, 0);
    ends.push(Case::new("then an index").host(&host).run("image check HOST/app:v1"));
    insta::assert_snapshot!(seen(&ends), @r"
    # both kinds, called an index: exit 1
    error[image-document]: sha256:8bb3244b692ba4474e44eee63bba9df509164dedb8c2a239877e2358ef9f3f7b is not valid
    caused by: it has the fields of an index and of a manifest

    # both kinds, called a manifest: exit 1
    error[image-document]: sha256:8bb3244b692ba4474e44eee63bba9df509164dedb8c2a239877e2358ef9f3f7b is not valid
    caused by: it has the fields of an index and of a manifest

    # a manifest that is called an index: exit 1
    error[registry-invalid]: manifests/v1 of HOST/app is not valid: the answer says `application/vnd.oci.image.index.v1+json`, the document says `application/vnd.oci.image.manifest.v1+json`

    # a manifest without a type, called an index: exit 1
    error[image-document]: sha256:744f9ba372942bce75133ccac6d8da27b32d1593bd4dde44c3c066fc8c4e6ec2 is not valid
    caused by: it has the fields of an index and of a manifest

    # a manifest that is called nothing: exit 2
    error[image-not-found]: the tag v1 of HOST/app:v1 is not in the registry

    # a manifest in a list: exit 1
    error[registry-invalid]: manifests/v1 of HOST/app is not valid: invalid type: sequence, expected a string at line 1 column 1

    # a manifest of an older time: exit 1
    error[image-document]: sha256:cd4b5c3fd9025c5a6f7eb6af6a3e8d4d0ca56605bd805dee42589e554eba6f08 is not valid
    caused by: its schemaVersion is 1, not 2

    # a config in its place: exit 1
    error[image-document]: sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b is not valid
    caused by: it cannot be parsed: missing field `mediaType` at line 1 column 84
    caused by: missing field `mediaType` at line 1 column 84

    # a config as layer: exit 1
    sha256:e5259f03cb7fcfb936f369a63eb6fc91aa81a387e347ea01b868f13a0cc0c6d1
    linux/amd64
      pulled  398 bytes
      files   0 bytes unpacked
      user    65532
      shells  unknown
      setuid  unknown
      managers  unknown
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-layer]: linux/amd64: layer sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b: it cannot be read: numeric field was not a numbe

    # a layer as config: exit 1
    sha256:3af52babac36d265a2e2ffa263b2afe0ceb734a9b5a2f27be03830fbcf527f52
    error[image-incomplete]: sha256:3af52babac36d265a2e2ffa263b2afe0ceb734a9b5a2f27be03830fbcf527f52 cannot be read: sha256:e7deded028a4d79b570fd20cc82cd8d405c26ccf
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses

    # a config as platform: exit 1
    sha256:2474106a0707ba693807f61832d5bab91f3080cb879eb3974867f8f67aad8c48
    error[image-incomplete]: sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b cannot be read: sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses

    # then an index: exit 1
    error[registry-invalid]: manifests/v1 of HOST/app is not valid: the answer says `application/vnd.oci.image.index.v1+json`, the document says `application/vnd.oci.image.manifest.v1+json`
    ");
}

#[test]
fn words_of_an_image_do_not_steer_the_terminal() {
    let words = "\u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m";
    let settings = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"User": words, "Entrypoint": [words], "Labels": {words: words}, "Env": [words]},
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    let settings = serde_json::to_vec(&settings).unwrap();
    let document: Value =
        serde_json::from_slice(&manifest(descriptor(media_type::CONFIG, &settings), &[])).unwrap();
    let mut ends = Vec::new();
    for (name, said) in [
        ("odd words", json!({"annotations": {words: words}})),
        ("odd words of an artifact", json!({"artifactType": words})),
    ] {
        let bytes = serde_json::to_vec(&with(document.clone(), said)).unwrap();
        let host = serving(media_type::MANIFEST, &bytes);
        blob(&host, &settings);
        ends.extend(all_three(name, &host));
    }
    // A host that says them itself.
    let host = app(Options::default());
    let body = json!({"errors": [{"code": words, "message": words}]}).to_string();
    host.fail("GET", "manifests", 9, Fault::Answer(400, "", body.leak()));
    ends.push(Case::new("odd words of a host").host(&host).run("image inspect HOST/app:v1"));
    insta::assert_snapshot!(seen(&ends), @r"
    # odd words: exit 0
    HOST/app:v1
      digest  sha256:9c00b31e3e2cb15825f2e0406fa489d90a464d07ce3d7c830ae99019edf76e4f
      type    application/vnd.oci.image.manifest.v1+json, 346 bytes
      \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m = \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m
    linux/amd64
      digest  sha256:9c00b31e3e2cb15825f2e0406fa489d90a464d07ce3d7c830ae99019edf76e4f
      pulled  335 bytes
      runs    \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m as \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m

    # odd words: exit 1
    sha256:9c00b31e3e2cb15825f2e0406fa489d90a464d07ce3d7c830ae99019edf76e4f
    linux/amd64
      pulled  335 bytes
      files   0 bytes unpacked
      user    \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m
      runs    \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m
      shells  none
      setuid  none
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    warning[image-user-name]: linux/amd64: the user `\u{1b}[2J\r\nerror` is not a number
    warning[image-group-name]: linux/amd64: the group ` fake\u{202e}txt\u{200b}\u{9b}31m` is not a number
    error[image-program]: linux/amd64: the program `\u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m` is no file of the image that can be run

    # odd words: exit 0
    sha256:9c00b31e3e2cb15825f2e0406fa489d90a464d07ce3d7c830ae99019edf76e4f
    oci:to:v1
      created    v1
      uploaded   1
      manifests  1
          Copied sha256:9c00b31e3e2cb15825f2e0406fa489d90a464d07ce3d7c830ae99019edf76e4f to oci:to:v1

    # odd words of an artifact: exit 0
    HOST/app:v1
      digest  sha256:a3aa2e063bb4563d13413df412574bb65e13d5cc9e42c6d07b7897f5f93b87e9
      type    application/vnd.oci.image.manifest.v1+json, 304 bytes
      is      \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m

    # odd words of an artifact: exit 1
    sha256:a3aa2e063bb4563d13413df412574bb65e13d5cc9e42c6d07b7897f5f93b87e9
    error[image-no-platform]: it has no platform that can be run
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses

    # odd words of an artifact: exit 0
    sha256:a3aa2e063bb4563d13413df412574bb65e13d5cc9e42c6d07b7897f5f93b87e9
    oci:to:v1
      created    v1
      uploaded   1
      manifests  1
          Copied sha256:a3aa2e063bb4563d13413df412574bb65e13d5cc9e42c6d07b7897f5f93b87e9 to oci:to:v1

    # odd words of a host: exit 1
    error[registry-refused]: HOST answered 400 to GET manifests/v1 of app
      code     \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m
      message  \u{1b}[2J\r\nerror: fake\u{202e}txt\u{200b}\u{9b}31m
    ");
}

/// Digests that are none.
const ODD: [&str; 8] = [
    "",
    "sha256:",
    "sha256:../../../../etc/passwd",
    "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    "sha256:e3b0",
    "../sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/../x",
    "sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

#[test]
fn a_digest_that_is_none_reaches_no_path_and_no_url() {
    let mut ends = Vec::new();
    for digest in ODD {
        let odd = json!({"mediaType": media_type::CONFIG, "digest": digest, "size": 2});
        for (name, kind, bytes) in [
            ("config", media_type::MANIFEST, manifest(odd.clone(), &[])),
            (
                "layer",
                media_type::MANIFEST,
                manifest(descriptor(media_type::CONFIG, b"{}"), std::slice::from_ref(&odd)),
            ),
            ("platform", media_type::INDEX, index(std::slice::from_ref(&odd))),
        ] {
            let host = serving(kind, &bytes);
            let case = Case::new(format!("`{digest}` as {name}")).host(&host);
            for line in ["image inspect HOST/app:v1", "image copy HOST/app:v1 oci:to:v1"] {
                let ended = case.run(line);
                assert_eq!(ended.code, 1, "{}", ended.text());
                if name == "layer" && line.contains("inspect") {
                    ends.push(ended);
                }
            }
            assert_eq!(host.log().len(), 2, "{:?}", host.routes());
            assert_ne!(case.run("image inspect oci:to:v1").code, 0);
        }
        // The list of a layout, and the name on the command line.
        let entry = json!({"mediaType": media_type::MANIFEST, "digest": digest, "size": 2});
        let case = Case::new(format!("`{digest}` in a layout"));
        let case = case.file("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        let case = case.file("layout/index.json", index(&[entry]));
        let listed = case.run("image inspect oci:layout");
        assert_eq!(listed.code, 1, "{}", listed.text());
        let named = case.run(&format!("image inspect oci:layout@{digest}"));
        assert_eq!(named.code, 2, "{}", named.text());
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # `` as layer: exit 1
    error[image-document]: sha256:703d2a0f5057daa0147ab47eaaac5c7bff5dd3d5ca899c521b7ee2bbdcf5c696 is not valid
    caused by: it cannot be parsed: `` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 311
    caused by: `` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 311

    # `sha256:` as layer: exit 1
    error[image-document]: sha256:dd23a534a5ae713843549cecb885837fc1b88125cb96133325a380dc5488d966 is not valid
    caused by: it cannot be parsed: `sha256:` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 318
    caused by: `sha256:` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 318

    # `sha256:../../../../etc/passwd` as layer: exit 1
    error[image-document]: sha256:52ce79de0036f65e7ac9e2954293cd655f272844511051338f775417fa1d4d53 is not valid
    caused by: it cannot be parsed: `sha256:../../../../etc/passwd` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 340
    caused by: `sha256:../../../../etc/passwd` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 340

    # `sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855` as layer: exit 1
    error[image-document]: sha256:c886b9715a1871c3b3e2768899e1bd8f0fd966dccfefad000c0fdd02567eb766 is not valid
    caused by: it cannot be parsed: `sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 382
    caused by: `sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 382

    # `sha256:e3b0` as layer: exit 1
    error[image-document]: sha256:b9e47ea5f79069154d4c5c83aad3af738e1cfbc128f8376981f063f88712766c is not valid
    caused by: it cannot be parsed: `sha256:e3b0` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 322
    caused by: `sha256:e3b0` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 322

    # `../sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` as layer: exit 1
    error[image-document]: sha256:da0db621feadc2fb76943864be61f18f2553d01c4281d75e5101ebf3963e36eb is not valid
    caused by: it cannot be parsed: `../sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 385
    caused by: `../sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 385

    # `sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/../x` as layer: exit 1
    error[image-document]: sha256:33444b46301e0908919a2f9c51c5a30927b715bd9f1d59139e89a601bb120720 is not valid
    caused by: it cannot be parsed: `sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/../x` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 387
    caused by: `sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/../x` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 387

    # `sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` as layer: exit 1
    error[image-document]: sha256:c220776c6d911682db7f4c766760299050d6760c9c873a38453e690bf247a608 is not valid
    caused by: it cannot be parsed: `sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 384
    caused by: `sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` is not a digest of the form sha256:<64 hex digits> or sha512:<128 hex digits> at line 1 column 384
    ");
}

/// A child that is an honest image.
fn child(host: &TestRegistry, text: &[u8]) -> Value {
    let layer = Layer::of(&[("app", 0o755, text)]);
    let config = config(&[&layer.plain]);
    let bytes =
        manifest(descriptor(media_type::CONFIG, &config), &[descriptor(layer.media_type, &layer.stored)]);
    blob(host, &layer.stored);
    blob(host, &config);
    document(host, "", media_type::MANIFEST, &bytes);
    let platform = json!({"platform": {"architecture": "amd64", "os": "linux"}});
    with(descriptor(media_type::MANIFEST, &bytes), platform)
}

fn all_three(name: &str, host: &TestRegistry) -> Vec<Ended> {
    ["image inspect HOST/app:v1", "image check HOST/app:v1", "image copy HOST/app:v1 oci:to:v1 --referrers"]
        .map(|line| Case::new(name).host(host).run(line))
        .into()
}

#[test]
fn an_image_that_cannot_be_is_told_of() {
    let empty = || TestRegistry::start(Options { checks_named: false, ..Options::default() });
    let mut ends = Vec::new();

    // No index can hold its own digest, so a host that serves one lies about it.
    let host = empty();
    let [one, two] = [Digest::of(b"1").to_string(), Digest::of(b"2").to_string()];
    let over =
        |digest: &str| index(&[json!({"mediaType": media_type::INDEX, "digest": digest, "size": 300})]);
    host.change("app", |stored| {
        for (digest, leads_to) in [(&one, &two), (&two, &one)] {
            stored.manifests.insert(digest.clone(), (media_type::INDEX.to_owned(), over(leads_to)));
        }
    });
    document(&host, "v1", media_type::INDEX, &over(&one));
    ends.extend(all_three("a circle", &host));
    assert!(host.log().len() < 20, "{:?}", host.routes());

    let host = empty();
    let mut inner = index(&[child(&host, b"deep")]);
    for _ in 0..20 {
        document(&host, "", media_type::INDEX, &inner);
        inner = index(&[descriptor(media_type::INDEX, &inner)]);
    }
    document(&host, "v1", media_type::INDEX, &inner);
    ends.extend(all_three("deeper than anything", &host));

    let host = empty();
    let entries = [child(&host, b"one"), child(&host, b"two")];
    document(&host, "v1", media_type::INDEX, &index(&entries));
    ends.extend(all_three("a platform that is there twice", &host));

    let host = empty();
    let gone = child(&empty(), b"gone");
    document(&host, "v1", media_type::INDEX, &index(&[child(&host, b"there"), gone]));
    ends.extend(all_three("a platform that is not there", &host));

    let host = empty();
    let real = child(&host, b"real");
    let foreign = child(&host, b"foreign");
    let marks = json!({
        "platform": {"architecture": "unknown", "os": "unknown"},
        "annotations": {
            annotation::DOCKER_REFERENCE_TYPE: "attestation-manifest",
            annotation::DOCKER_REFERENCE_DIGEST: foreign["digest"],
        },
    });
    let attestation = with(child(&host, b"statement"), marks);
    document(&host, "v1", media_type::INDEX, &index(&[real, attestation]));
    ends.extend(all_three("an attestation of something else", &host));
    insta::assert_snapshot!(seen(&ends), @r"
    # a circle: exit 1
    error[registry-digest]: manifests/sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b of HOST/app has another digest than it is stored under
      expected  sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
      found     sha256:0d840448b3f4292bc2a722fc05a6e2a8ef2d9da5f3ecfaf5f4f825e35c0b4f3b

    # a circle: exit 1
    error[registry-digest]: manifests/sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b of HOST/app has another digest than it is stored under
      expected  sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
      found     sha256:0d840448b3f4292bc2a722fc05a6e2a8ef2d9da5f3ecfaf5f4f825e35c0b4f3b

    # a circle: exit 1
    error[registry-digest]: manifests/sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b of HOST/app has another digest than it is stored under
      expected  sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
      found     sha256:0d840448b3f4292bc2a722fc05a6e2a8ef2d9da5f3ecfaf5f4f825e35c0b4f3b

    # deeper than anything: exit 1
    error[image-document]: sha256:de01d888e8024e09355b172995c7e34cb371ad95d7b32c090c77cbc22776289e is not valid
    caused by: it is nested deeper than 8 levels

    # deeper than anything: exit 1
    error[image-document]: sha256:de01d888e8024e09355b172995c7e34cb371ad95d7b32c090c77cbc22776289e is not valid
    caused by: it is nested deeper than 8 levels

    # deeper than anything: exit 1
    error[image-too-much]: the image has more than 8 levels of manifests

    # a platform that is there twice: exit 0
    HOST/app:v1
      digest  sha256:2032d5d4c6b1ad157c4d2f3fe1821cf7b54de0c8d5d868b0a4cc62684994435c
      type    application/vnd.oci.image.index.v1+json, 491 bytes
    linux/amd64
      digest  sha256:59548d1ed4e5bbf578d41610d0019b6805ee852b824efb380e3cac1d68d44324
      pulled  275 bytes
      runs    /app as 65532
    linux/amd64
      digest  sha256:00e8505bb131ccb77055bc572c81dcd2770ccad227d3955e3346ecb3b40c2421
      pulled  275 bytes
      runs    /app as 65532

    # a platform that is there twice: exit 1
    sha256:2032d5d4c6b1ad157c4d2f3fe1821cf7b54de0c8d5d868b0a4cc62684994435c
    linux/amd64
      pulled  275 bytes
      files   2048 bytes unpacked
      user    65532
      runs    app
      shells  none
      setuid  none
      managers  none
    linux/amd64
      pulled  275 bytes
      files   2048 bytes unpacked
      user    65532
      runs    app
      shells  none
      setuid  none
      managers  none
    error[image-duplicate-platform]: linux/amd64: the index names it more than once
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses

    # a platform that is there twice: exit 0
    sha256:2032d5d4c6b1ad157c4d2f3fe1821cf7b54de0c8d5d868b0a4cc62684994435c
    oci:to:v1
      created    v1
      uploaded   4
      manifests  3
          Copied sha256:2032d5d4c6b1ad157c4d2f3fe1821cf7b54de0c8d5d868b0a4cc62684994435c to oci:to:v1
    warning: sha256:2032d5d4c6b1ad157c4d2f3fe1821cf7b54de0c8d5d868b0a4cc62684994435c names linux/amd64 more than once

    # a platform that is not there: exit 3
    error[registry-not-stored]: sha256:c7700e9defb09bf57ed9ff95f1fdaa20a15f0646b9256143d41f76880d464c83 is not in the registry

    # a platform that is not there: exit 1
    sha256:73b7ba63a3ae49c12e01143134a365e07e25ca68dc66362c86439e9ff7b65fcc
    linux/amd64
      pulled  277 bytes
      files   2048 bytes unpacked
      user    65532
      runs    app
      shells  none
      setuid  none
      managers  none
    error[image-incomplete]: linux/amd64: sha256:c7700e9defb09bf57ed9ff95f1fdaa20a15f0646b9256143d41f76880d464c83 cannot be read: sha256:c7700e9defb09bf57ed9ff95f1f
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses

    # a platform that is not there: exit 3
    error[registry-not-stored]: sha256:c7700e9defb09bf57ed9ff95f1fdaa20a15f0646b9256143d41f76880d464c83 is not in the registry

    # an attestation of something else: exit 0
    HOST/app:v1
      digest  sha256:3c9f4e5cf7ac513d8cf506052baa55f9166ea85748195299dd117d33f877069c
      type    application/vnd.oci.image.index.v1+json, 666 bytes
    linux/amd64
      digest  sha256:3e3e4e2b6f0f44329b0690ad59bc84ba07f015d688f4e2e283b86dd71c9a4fc5
      pulled  276 bytes
      runs    /app as 65532
    attestation of 9c309104be91
      digest  sha256:93078669ff85ddc5f01947145140e01c6c2929f3baf6ba838c238e3a01cb6de3

    # an attestation of something else: exit 1
    sha256:3c9f4e5cf7ac513d8cf506052baa55f9166ea85748195299dd117d33f877069c
    linux/amd64
      pulled  276 bytes
      files   2048 bytes unpacked
      user    65532
      runs    app
      shells  none
      setuid  none
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-attestation]: the attestation sha256:93078669ff85ddc5f01947145140e01c6c2929f3baf6ba838c238e3a01cb6de3 is about sha256:9c309104be91d57eb9123f1de3b31a

    # an attestation of something else: exit 0
    sha256:3c9f4e5cf7ac513d8cf506052baa55f9166ea85748195299dd117d33f877069c
    oci:to:v1
      created    v1
      uploaded   4
      manifests  3
          Copied sha256:3c9f4e5cf7ac513d8cf506052baa55f9166ea85748195299dd117d33f877069c to oci:to:v1
    ");
}
