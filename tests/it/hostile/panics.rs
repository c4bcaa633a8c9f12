//! Bytes that nobody foresaw. The readers have fuzz targets (`fuzz/fuzz_targets/{oci,layer,archive,challenge,reference,
//! docker_archive,docker_config}.rs`), whose corpora `corpus.rs` replays and damages; here they meet the program as a host, a
//! file or a word would bring them.

use std::path::{Path, PathBuf};

use kyklos_release::format::oci::media_type;

use super::case::{Case, Ended, seen, side_by_side};
use super::images::{app, assembled, blob, manifest, serving, with_layer};
use crate::support::crafted::descriptor;
use crate::support::registry::{Fault, Options, TestRegistry};

/// The seeds of a fuzz target: each whole, cut in the middle, and with a byte in the middle flipped.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let seed = std::fs::read(path).unwrap();
        let half = seed.len() / 2;
        let mut flipped = seed.clone();
        if let Some(byte) = flipped.get_mut(half) {
            *byte ^= 0x80;
        }
        found.extend([seed[..half].to_vec(), flipped, seed]);
    }
    assert!(found.len() >= 3);
    found
}

#[test]
fn the_seeds_of_the_fuzz_targets_are_no_bug() {
    for (number, seed) in seeds("oci").into_iter().enumerate() {
        let host = serving(media_type::MANIFEST, &seed);
        let host_of = |line: &str| {
            let ended = Case::new(format!("document {number}")).host(&host).run(line);
            assert!([0, 1, 3].contains(&ended.code), "{}", ended.text());
        };
        host_of("image check HOST/app:v1");
        // As a list, and as a config.
        let with_config = manifest(descriptor(media_type::CONFIG, &seed), &[]);
        let host = serving(media_type::MANIFEST, &with_config);
        blob(&host, &seed);
        host.fail("GET", "referrers", 9, Fault::Body(seed));
        let ended = Case::new(format!("list and config {number}")).host(&host);
        let ended = ended.run("image inspect HOST/app:v1 --referrers");
        assert!([0, 1, 3].contains(&ended.code), "{}", ended.text());
    }
    for seed in seeds("challenge") {
        let Ok(header) = String::from_utf8(seed) else { continue };
        let header = format!("WWW-Authenticate: {}", header.replace(['\r', '\n'], " "));
        let host = app(Options::default());
        host.fail("GET", "", 100, Fault::Answer(401, header.clone().leak(), ""));
        // It may name a token server anywhere; nobody there is asked.
        let case = Case::new(&header).host(&host).login(&[&host.host()]);
        let ended = case.run("image inspect HOST/app:v1");
        assert!([1, 4].contains(&ended.code), "{}", ended.text());
    }
    for seed in seeds("reference") {
        let Ok(text) = String::from_utf8(seed) else { continue };
        if text.contains('\0') || text.starts_with('-') {
            continue;
        }
        let case = Case::new(&text);
        let ended = case.run_as(&["image", "inspect", "--offline", &text]);
        assert!([1, 2, 6].contains(&ended.code), "{}", ended.text());
    }
    for seed in [seeds("docker_archive"), seeds("archive")].concat() {
        let case = Case::new("archive").file("it.tar", seed);
        for line in ["image inspect docker-archive:it.tar", "image inspect oci-archive:it.tar"] {
            let ended = case.run(line);
            assert!([0, 1, 2, 3].contains(&ended.code), "{}", ended.text());
        }
    }
    for seed in seeds("layer") {
        for kind in [media_type::LAYER, media_type::LAYER_GZIP, media_type::LAYER_ZSTD] {
            let host = with_layer(&seed, kind, &seed);
            let ended = Case::new("layer").host(&host).run("image check HOST/app:v1");
            assert_eq!(ended.code, 1, "{}", ended.text());
        }
    }
    for seed in seeds("docker_config") {
        let host = app(Options::default());
        host.fail("GET", "", 1, Fault::Answer(401, "WWW-Authenticate: Basic realm=\"x\"", ""));
        let case = Case::new("docker config").host(&host).file(".docker/config.json", seed);
        let ended = case.run("image inspect HOST/app:v1");
        assert!([0, 4].contains(&ended.code), "{}", ended.text());
    }
}

#[test]
fn an_answer_without_what_belongs_into_it_is_no_bug() {
    let none = |name| Fault::Header(name, String::new());
    let troubles = vec![
        ("no place of an upload", "POST", "uploads", none("Location")),
        ("a place that is nothing", "POST", "uploads", Fault::Header("Location", "http://[".to_owned())),
        ("no place of a manifest", "PUT", "manifests", none("Location")),
        ("no digest of a manifest", "PUT", "manifests", none("Docker-Content-Digest")),
        ("no words", "PUT", "manifests", Fault::Answer(400, "", "")),
        ("odd words", "PUT", "manifests", Fault::Answer(400, "", r#"{"errors":[{"code":7,"detail":[[]]}]}"#)),
        ("a status that nobody knows", "PUT", "manifests", Fault::Answer(299, "", "")),
        ("created by a question", "HEAD", "manifests", Fault::Answer(201, "", "")),
        ("partial without a range", "GET", "manifests", Fault::Answer(206, "", "")),
        ("nothing to read", "HEAD", "manifests", Fault::Answer(204, "", "")),
        ("a mount of something else", "POST", "uploads", Fault::Answer(201, "Location: /v2/app/blobs/x", "")),
    ];
    let met = |name: &str, method: &str, place: &str, fault: Fault| {
        let host = TestRegistry::start(Options::default());
        let case = assembled(Case::new(name)).host(&host).patient();
        host.fail(method, place, 100, fault);
        let ended = case.run("image push oci:local:v2 HOST/app:v2");
        assert!(host.log().len() < 60, "{name}: {:?}", host.routes());
        ended
    };
    let cases =
        troubles.into_iter().map(|(name, method, place, fault)| -> Box<dyn FnOnce() -> Ended + Send> {
            Box::new(move || met(name, method, place, fault))
        });
    insta::assert_snapshot!(seen(&side_by_side(cases.collect())), @r"
    # no place of an upload: exit 1
    error[registry-invalid]: the answer of HOST to an upload is not valid: it has no Location

    # a place that is nothing: exit 1
    error[registry-astray]: HOST leads to a place that is no URL, which is not followed: it is no URL

    # no place of a manifest: exit 0
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    HOST/app:v2
      created    v2
      uploaded   2
      manifests  2
          Pushed sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 to HOST/app:v2

    # no digest of a manifest: exit 0
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    HOST/app:v2
      created    v2
      uploaded   2
      manifests  2
          Pushed sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 to HOST/app:v2

    # no words: exit 1
    error[registry-refused]: HOST answered 400 to PUT manifests/sha256:8cb5b7febdc16e18e29dea71748fa82c59edb0fc8f0e3eea6274d62f2221e5e6 of app

    # odd words: exit 1
    error[registry-refused]: HOST answered 400 to PUT manifests/sha256:8cb5b7febdc16e18e29dea71748fa82c59edb0fc8f0e3eea6274d62f2221e5e6 of app

    # a status that nobody knows: exit 3
    warning: HOST answered 404 to HEAD manifests/sha256:8cb5b7febdc16e18e29dea71748fa82c59edb0fc8f0e3eea6274d62f2221e5e6 of app; trying again in N s
    error[registry-not-stored]: sha256:8cb5b7febdc16e18e29dea71748fa82c59edb0fc8f0e3eea6274d62f2221e5e6 is not in the registry

    # created by a question: exit 0
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    HOST/app:v2
      created    v2
      uploaded   2
      manifests  2
          Pushed sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 to HOST/app:v2

    # partial without a range: exit 0
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    HOST/app:v2
      created    v2
      uploaded   2
      manifests  2
          Pushed sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 to HOST/app:v2

    # nothing to read: exit 0
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    HOST/app:v2
      created    v2
      uploaded   2
      manifests  2
          Pushed sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 to HOST/app:v2

    # a mount of something else: exit 3
    error[registry-not-stored]: 2 things that sha256:8cb5b7febdc16e18e29dea71748fa82c59edb0fc8f0e3eea6274d62f2221e5e6 names are not in the registry
      missing  sha256:c464f6798f16b0bede2b04e5b2b2c5c7a5ff1a1f98ebd536a81e7e1f72ff0467
      missing  sha256:b1015f983b49e1aafc4294b1cd539fb58a5725682a778776b80783db707b2098
    ");
}
