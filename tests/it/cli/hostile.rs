//! What a hostile registry can do to the process: every class of it bounded in memory, at an end, and without a request or a
//! login where none may go.
#![cfg(target_os = "linux")]

use std::path::Path;

use kyklos_release::format::oci::media_type;
use kyklos_release::model::Digest;

use super::network::login;
use crate::support::command::{Run, kyklos};
use crate::support::crafted::{gzip, zstd};
use crate::support::registry::{Auth, Fault, Options, TestRegistry};

/// Most memory of a run, in KiB.
const MOST: u64 = 64 << 10;

/// Runs a command and panics when it takes too much memory, or ends by a signal or as a bug.
fn bounded(here: &Path, line: &str, shown: &str) -> Run {
    let (run, peak) = kyklos(here).args(line).peak();
    assert!(![70, -1].contains(&run.code()), "{shown}: {line}\n{}", run.show());
    assert!(
        peak < MOST,
        "{shown}: {line}: {peak} KiB\n{}",
        run.show().chars().take(2000).collect::<String>()
    );
    run
}

/// A registry with a document under `app:v1`.
fn serving(document: &[u8], kind: &str) -> TestRegistry {
    let host = TestRegistry::start(Options { checks_named: false, ..Options::default() });
    host.change("app", |stored| {
        let digest = Digest::of(document).to_string();
        stored.manifests.insert(digest.clone(), (kind.to_owned(), document.to_vec()));
        stored.tags.insert("v1".to_owned(), digest);
    });
    host
}

/// An image of one layer that is stored as it is.
fn with_layer(layer: &[u8], kind: &str, diff_id: Digest) -> TestRegistry {
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let described = |kind: &str, bytes: &[u8]| {
        format!(r#"{{"mediaType":"{kind}","digest":"{}","size":{}}}"#, Digest::of(bytes), bytes.len())
    };
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media_type::MANIFEST,
        described(media_type::CONFIG, config.as_bytes()),
        described(kind, layer)
    );
    let host = serving(manifest.as_bytes(), media_type::MANIFEST);
    host.change("app", |stored| {
        for bytes in [layer, config.as_bytes()] {
            stored.blobs.insert(Digest::of(bytes).to_string(), bytes.to_vec().into());
        }
    });
    host
}

fn entry(fields: &str) -> String {
    format!(r#"{{"mediaType":"{}","digest":"{}","size":2{fields}}}"#, media_type::MANIFEST, Digest::of(b"{}"))
}

/// Members of an object, as many as fit into the largest document that is read.
fn members(room: usize) -> String {
    (0..room / 10).map(|key| format!(r#""{key:05x}":"""#)).collect::<Vec<_>>().join(",")
}

#[test]
fn documents_that_grow_when_they_are_read_are_refused() {
    let (index, room) = (media_type::INDEX, (8 << 20) - 1000);
    let of = |rest: &str| format!(r#"{{"schemaVersion":2,"mediaType":"{index}",{rest}}}"#);
    let listed = |entries: &str| of(&format!(r#""manifests":[{entries}]"#));
    let documents = [
        of(&format!(r#""manifests":[],"annotations":{{{}}}"#, members(room - 200_000))),
        listed(&entry(&format!(r#","annotations":{{{}}}"#, members(room - 200_000)))),
        of(&format!(r#""manifests":[],"annotations":{{"k":"{}"}}"#, "v".repeat(room))),
        of(&format!(r#""manifests":[],"annotations":{{"k":"{}"}}"#, "\\u001b".repeat(room / 6))),
        of(&format!(r#""manifests":[],"x":[{}]"#, vec!["{}"; room / 3].join(","))),
        of(&format!(r#""manifests":[],"x":{}{}"#, "[".repeat(room / 2), "]".repeat(room / 2))),
        listed(&vec![entry(""); room / 180].join(",")),
    ];
    for (number, document) in documents.iter().enumerate() {
        let host = serving(document.as_bytes(), index);
        for command in ["inspect TARGET --format json", "check TARGET", "copy TARGET oci:to:v1"] {
            let here = tempfile::tempdir().unwrap();
            let line = format!("image {}", command.replace("TARGET", &format!("{}/app:v1", host.host())));
            let run = bounded(here.path(), &line, &format!("document {number}"));
            assert_eq!(
                run.code(),
                1,
                "{number} {command}: {}",
                run.show().chars().take(400).collect::<String>()
            );
        }
    }
}

#[test]
fn configs_that_grow_when_they_are_read_are_refused() {
    let room = (8 << 20) - 1000;
    let texts = [
        format!(r#""Labels":{{{}}}"#, members(room - 200_000)),
        format!(r#""Env":["{}"]"#, "v".repeat(room)),
    ];
    for text in texts {
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{{text}}},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#
        );
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[]}}"#,
            media_type::MANIFEST,
            media_type::CONFIG,
            Digest::of(config.as_bytes()),
            config.len()
        );
        let host = serving(manifest.as_bytes(), media_type::MANIFEST);
        host.change("app", |stored| {
            let digest = Digest::of(config.as_bytes()).to_string();
            stored.blobs.insert(digest, config.clone().into_bytes().into());
        });
        let here = tempfile::tempdir().unwrap();
        for command in ["inspect", "check"] {
            let run = bounded(here.path(), &format!("image {command} {}/app:v1", host.host()), "config");
            assert_eq!(run.code(), 1, "{}", run.show().chars().take(400).collect::<String>());
        }
    }
}

#[test]
fn lists_that_never_end_end() {
    let here = tempfile::tempdir().unwrap();
    let host = with_layer(b"", media_type::LAYER, Digest::of(b""));
    let target = format!("{}/app:v1", host.host());
    let link = |to: &str| Fault::Header("Link", format!("<{to}>; rel=\"next\""));
    let referrers = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::INDEX,
        vec![entry(""); 40_000].join(",")
    );
    let tags = format!(r#"{{"tags":[{}]}}"#, vec![r#""a""#; 1_000_000].join(","));
    for (method, place, fault, line) in [
        ("GET", "referrers", Fault::Body(referrers.into_bytes()), "inspect TARGET --referrers"),
        ("GET", "referrers", Fault::Endless, "inspect TARGET --referrers"),
        ("GET", "referrers", link("/v2/app/referrers/x?n=1"), "inspect TARGET --referrers"),
        ("GET", "tags", Fault::Body(tags.into_bytes()), "tag TARGET latest"),
        ("GET", "tags", Fault::Endless, "tag TARGET latest"),
        ("GET", "tags", link("/v2/app/tags/list?x=1"), "tag TARGET latest"),
        ("GET", "manifests", Fault::WrongLength(1 << 40), "inspect TARGET"),
    ] {
        host.fail(method, place, 3000, fault.clone());
        let line = format!("image {}", line.replace("TARGET", &target));
        let run = bounded(here.path(), &line, place);
        assert_eq!(run.code(), 1, "{}", run.show().chars().take(400).collect::<String>());
        assert!(!host.stored("app").tags.contains_key("latest"));
        host.fail_no_more();
        assert!(host.log().len() < 100, "{}", host.log().len());
        host.forget();
    }
}

/// A tar of files that no honest writer writes.
fn odd_names(names: &[&str]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(1);
        header.set_mode(0o4755);
        header.set_cksum();
        archive.append(&header, &b"x"[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

#[test]
fn layers_that_unpack_to_more_than_is_good_are_findings() {
    let zeros = vec![0; 300 << 20];
    let names =
        odd_names(&["bin/sh", "../../etc/passwd", "a/../../b", "/etc/shadow", ".wh..", "a/.wh..wh..opq"]);
    for (layer, kind, plain, code) in [
        (gzip(&zeros), media_type::LAYER_GZIP, Digest::of(&zeros), 1),
        (zstd(&zeros), media_type::LAYER_ZSTD, Digest::of(&zeros), 1),
        (names.clone(), media_type::LAYER, Digest::of(&names), 1),
    ] {
        let host = with_layer(&layer, kind, plain);
        let here = tempfile::tempdir().unwrap();
        let run = bounded(here.path(), &format!("image check {}/app:v1", host.host()), kind);
        assert_eq!(run.code(), code, "{kind}: {}", run.show());
        let left: Vec<_> = std::fs::read_dir(here.path()).unwrap().collect();
        assert!(left.is_empty(), "nothing is unpacked: {left:?}");
    }
}

#[test]
fn a_login_and_a_request_go_nowhere_else() {
    let elsewhere = TestRegistry::start(Options::default());
    let away = |status: u16| {
        let place = format!("Location: http://{}/v2/x/manifests/y", elsewhere.host());
        Fault::Answer(status, place.leak(), "")
    };
    let inward = Fault::Answer(307, "Location: http://169.254.169.254/latest/meta-data", "");
    let link = Fault::Header("Link", format!("<http://{}/v2/app/tags/list>; rel=\"next\"", elsewhere.host()));
    let session = Fault::Header("Location", format!("http://{}/v2/app/blobs/uploads/x", elsewhere.host()));
    // Led away: it may be asked, without a login. Other places are not asked at all.
    for (method, place, fault, line, asked) in [
        ("GET", "manifests", away(307), "inspect TARGET", true),
        ("GET", "blobs", away(302), "inspect TARGET", true),
        ("GET", "manifests", inward, "inspect TARGET", false),
        ("GET", "tags", link, "tag TARGET latest", false),
        ("POST", "uploads", session, "push oci:local:v2 TARGET2", true),
    ] {
        let host = TestRegistry::start(Options { auth: Auth::Basic("me", "secret"), ..Options::default() });
        super::network::fill(&host);
        let here = tempfile::tempdir().unwrap();
        login(here.path(), &host.host());
        std::fs::write(here.path().join("app"), "one").unwrap();
        let assemble = "image assemble --binary linux/amd64=app -o oci:local:v2";
        let _ = kyklos(here.path()).args(assemble).run().expect(0);
        elsewhere.forget();
        // The first answer asks for the login.
        host.fail(method, place, 1, Fault::Answer(401, "WWW-Authenticate: Basic realm=\"x\"", ""));
        host.fail(method, place, 99, fault);
        let line = line.replace("TARGET2", &format!("{}/app:v2", host.host()));
        let line = format!("image {}", line.replace("TARGET", &format!("{}/app:v1", host.host())));
        let run = bounded(here.path(), &line, place);
        assert_ne!(run.code(), 0, "{line}: {}", run.show());
        let at_home = host.log().iter().any(|one| one.headers.contains_key("authorization"));
        assert!(at_home, "{line}: the login was sent where it belongs");
        assert!(!run.show().contains("secret") && !run.show().contains("bWU6c2VjcmV0"));
        let told = elsewhere.log();
        assert!(told.iter().all(|one| !one.headers.contains_key("authorization")), "{line}: {told:?}");
        assert!(asked || told.is_empty(), "{line}: {told:?}");
    }
}
