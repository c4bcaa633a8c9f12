//! Names that lead out: of a directory, of a layout, of an archive, of a layer. Nothing that a registry names becomes a path.

use std::os::unix::fs::symlink;
use std::path::Path;

use kyklos_release::format::oci::{annotation, media_type};
use kyklos_release::model::Digest;
use serde_json::json;

use super::case::{Case, Ended, seen};
use super::images::{app, assembled, blob, config, manifest, serving, with_layer};
use crate::support::crafted::{descriptor, gzip, with};
use crate::support::registry::Options;

/// Every file below a directory.
fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_title_is_no_file_name() {
    for title in [
        "../x",
        "../../../../tmp/x",
        "/etc/x",
        "a\0b",
        "..\\x",
        "C:\\x",
        "CON",
        "NUL.txt",
        "a:b",
        "~/x",
        "\u{202e}x",
    ] {
        let titled = |kind: &str, bytes: &[u8]| {
            let title = json!({"annotations": {annotation::TITLE: title, annotation::REF_NAME: title}});
            with(descriptor(kind, bytes), title)
        };
        let settings = config(&[b"layer"]);
        let bytes = manifest(titled(media_type::CONFIG, &settings), &[titled(media_type::LAYER, b"layer")]);
        let host = serving(media_type::MANIFEST, &bytes);
        blob(&host, &settings);
        blob(&host, b"layer");
        let case = Case::new(format!("the title {}", title.escape_debug())).host(&host);
        assert_eq!(case.run("image inspect HOST/app:v1 --out out --referrers").code, 0);
        assert_eq!(case.run("image copy HOST/app:v1 oci:to:v1").code, 0);
        assert_eq!(case.run("image copy HOST/app:v1 oci-archive:to.tar:v1").code, 0);
        let check = case.run("image check oci:to:v1");
        assert_eq!(check.code, 1, "{}", check.text());
        assert_eq!(case.left(), ["out", "to", "to.tar"]);
        assert_eq!(files(&case.here.path().join("out")), ["image-digests.txt", "image-manifest.json"]);
        let blobs =
            [&bytes[..], &settings, b"layer"].map(|one| format!("blobs/sha256/{}", Digest::of(one).hex()));
        let mut expected: Vec<String> =
            blobs.into_iter().chain(["index.json".to_owned(), "oci-layout".to_owned()]).collect();
        expected.sort();
        assert_eq!(files(&case.here.path().join("to")), expected);
    }
}

/// Puts a link in the place of a file or directory of a layout, to where that is now.
fn linked(case: &Case, name: &str) {
    let (path, aside) = (case.here.path().join("local").join(name), case.here.path().join("aside"));
    std::fs::rename(&path, &aside).unwrap();
    symlink(&aside, &path).unwrap();
}

#[test]
fn a_link_in_a_layout_is_not_followed() {
    let host = app(Options::default());
    let mut ends = Vec::new();
    for name in ["a blob", "index.json", "oci-layout", "blobs", "blobs/sha256"] {
        let case = assembled(Case::new(format!("a link for {name}"))).host(&host);
        let layer = std::fs::read_dir(case.here.path().join("local/blobs/sha256")).unwrap();
        let blob = layer.map(|one| one.unwrap()).max_by_key(|one| one.metadata().unwrap().len()).unwrap();
        let blob = format!("blobs/sha256/{}", blob.file_name().to_string_lossy());
        linked(&case, if name == "a blob" { &blob } else { name });
        ends.push(case.run("image check oci:local:v2"));
        assert_ne!(ends.last().unwrap().code, 0);
        assert_ne!(case.run("image push oci:local:v2 HOST/other:v2").code, 0);
        // Nothing is written through it either.
        let aside = files(case.here.path());
        let copied = case.run("image copy HOST/app:v1 oci:local:v3").code;
        assert_eq!(copied == 0, name == "a blob", "nothing of the image is where the link is");
        let new: Vec<String> = files(case.here.path())
            .into_iter()
            .filter(|one| !aside.contains(one) && one.starts_with("aside"))
            .collect();
        assert_eq!(new, Vec::<String>::new(), "{name}");
    }
    assert_eq!(host.stored("other").tags.len(), 0);
    insta::assert_snapshot!(seen(&ends), @r"
    # a link for a blob: exit 1
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    error[image-incomplete]: linux/amd64: sha256:8cb5b7febdc16e18e29dea71748fa82c59edb0fc8f0e3eea6274d62f2221e5e6 cannot be read: HERE/local/blobs/sha256
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-referrers]: what is attached to sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 cannot be read: HERE/local/blobs/

    # a link for index.json: exit 1
    error[registry-invalid]: HERE/local/index.json is not valid: it is not a regular file inside the layout

    # a link for oci-layout: exit 1
    error[registry-invalid]: HERE/local/oci-layout is not valid: it is not a regular file inside the layout

    # a link for blobs: exit 1
    error[registry-invalid]: HERE/local/blobs is not valid: it is not a directory inside the layout

    # a link for blobs/sha256: exit 1
    error[registry-invalid]: HERE/local/blobs/sha256 is not valid: it is not a directory inside the layout
    ");
}

/// An entry of a tar as no library writes it: name, kind, link, content.
type Entry<'a> = (&'a str, tar::EntryType, &'a str, &'a [u8]);

fn raw_tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind, link, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o4755);
        header.set_cksum();
        archive.append(&header, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

const FILE: tar::EntryType = tar::EntryType::Regular;
const SYMLINK: tar::EntryType = tar::EntryType::Symlink;
const LINK: tar::EntryType = tar::EntryType::Link;

#[test]
fn an_archive_holds_each_file_once_and_no_links() {
    let config = config(&[]);
    let bytes = manifest(descriptor(media_type::CONFIG, &config), &[]);
    let entry =
        with(descriptor(media_type::MANIFEST, &bytes), json!({"annotations": {annotation::REF_NAME: "v1"}}));
    let index = super::images::index(&[entry]);
    let layout = br#"{"imageLayoutVersion":"1.0.0"}"#;
    let [config_name, name] = [&config, &bytes].map(|one| format!("blobs/sha256/{}", Digest::of(one).hex()));
    let honest: Vec<Entry<'_>> = vec![
        ("oci-layout", FILE, "", layout),
        ("index.json", FILE, "", &index),
        (&config_name, FILE, "", &config),
    ];
    let right: Entry<'_> = (&name, FILE, "", &bytes);
    let mut ends = Vec::new();
    for (what, more) in [
        ("nothing odd", vec![right]),
        ("nothing of the manifest", vec![]),
        ("a symbolic link", vec![(name.as_str(), SYMLINK, "/etc/passwd", &b""[..])]),
        (
            "a symbolic link out of it",
            vec![right, ("blobs/sha256/x", SYMLINK, "../../../../etc/passwd", b"")],
        ),
        ("a hard link", vec![(name.as_str(), LINK, config_name.as_str(), b"")]),
        ("an index twice", vec![right, ("index.json", FILE, "", br#"{"schemaVersion":2,"manifests":[]}"#)]),
        ("an index twice, written otherwise", vec![right, ("./index.json", FILE, "", b"{}")]),
        ("a way out", vec![right, ("../x", FILE, "", b"x")]),
        ("a way out and in", vec![right, ("blobs/../../x", FILE, "", b"x")]),
        ("an absolute name", vec![right, ("/tmp/x", FILE, "", b"x")]),
        ("a name of Windows", vec![right, ("..\\x", FILE, "", b"x")]),
        ("a device", vec![right, ("dev", tar::EntryType::Char, "", b"")]),
        ("a pipe", vec![right, ("pipe", tar::EntryType::Fifo, "", b"")]),
        ("a blob of another digest", vec![(name.as_str(), FILE, "", &config[..])]),
        ("a blob with no digest for a name", vec![right, ("blobs/sha256/../x", FILE, "", b"x")]),
    ] {
        let case = Case::new(what).file("it.tar", raw_tar(&[honest.clone(), more].concat()));
        ends.push(case.run("image inspect oci-archive:it.tar:v1"));
        assert_eq!(case.run("image inspect docker-archive:it.tar").code, 1);
        assert_eq!(case.left(), ["it.tar"]);
    }
    let case = Case::new("cut").file("it.tar", &raw_tar(&honest)[..1600]);
    ends.push(case.run("image inspect oci-archive:it.tar:v1"));
    let case = Case::new("compressed").file("it.tar", gzip(&raw_tar(&honest)));
    ends.push(case.run("image inspect oci-archive:it.tar:v1"));
    insta::assert_snapshot!(seen(&ends), @r"
    # nothing odd: exit 0
    oci-archive:it.tar:v1
      digest  sha256:9f06c649902f4e8d4f3dfe531c65df73b37cb73fd59473c792db635edb343012
      type    application/vnd.oci.image.manifest.v1+json, 248 bytes
    linux/amd64
      digest  sha256:9f06c649902f4e8d4f3dfe531c65df73b37cb73fd59473c792db635edb343012
      pulled  126 bytes
      runs    /app as 65532

    # nothing of the manifest: exit 2
    error[image-not-found]: the tag v1 of oci-archive:it.tar:v1 is not in the registry

    # a symbolic link: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `blobs/sha256/9f06c649902f4e8d4f3dfe531c65df73b37cb73fd59473c792db635edb343012` is no regular file

    # a symbolic link out of it: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `blobs/sha256/x` is no regular file

    # a hard link: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `blobs/sha256/9f06c649902f4e8d4f3dfe531c65df73b37cb73fd59473c792db635edb343012` is no regular file

    # an index twice: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: it has two entries `index.json`

    # an index twice, written otherwise: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: it has two entries `index.json`

    # a way out: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `../x` leads out of it

    # a way out and in: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `blobs/../../x` leads out of it

    # an absolute name: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `/tmp/x` leads out of it

    # a name of Windows: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `..\\x` leads out of it

    # a device: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `dev` is no regular file

    # a pipe: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `pipe` is no regular file

    # a blob of another digest: exit 1
    error[registry-digest]: the blob has another digest than it is stored under
      expected  sha256:9f06c649902f4e8d4f3dfe531c65df73b37cb73fd59473c792db635edb343012
      found     sha256:cdaea8eda6a29f0814511250e07c7211d940283ea5d5b290b7a97342607c8dcd

    # a blob with no digest for a name: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: the entry `blobs/sha256/../x` leads out of it

    # cut: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: it is cut

    # compressed: exit 1
    error[registry-invalid]: HERE/it.tar is not valid: it is compressed; unpack it with gunzip first
    ");
}

#[test]
fn names_in_a_layer_stay_in_the_layer() {
    let tricks: Vec<(&str, Vec<Entry<'_>>)> = vec![
        (
            "ways out",
            vec![
                ("../../etc/passwd", FILE, "", b"x"),
                ("a/../../b", FILE, "", b"x"),
                ("/etc/shadow", FILE, "", b"x"),
            ],
        ),
        (
            "links out",
            vec![
                ("bin", SYMLINK, "/../../tmp", b""),
                ("bin/sh", FILE, "", b"x"),
                ("x", LINK, "../../y", b""),
            ],
        ),
        (
            "whiteouts of nothing",
            vec![(".wh..", FILE, "", b""), (".wh...", FILE, "", b""), ("a/.wh.../../x", FILE, "", b"")],
        ),
        ("a whiteout of everything", vec![("bin/sh", FILE, "", b"x"), (".wh..wh..opq", FILE, "", b"")]),
        ("a whiteout in the same layer", vec![("bin/sh", FILE, "", b"x"), ("bin/.wh.sh", FILE, "", b"")]),
        ("a link in a circle", vec![("app", SYMLINK, "other", b""), ("other", SYMLINK, "app", b"")]),
        ("a file twice", vec![("bin/sh", FILE, "", b"x"), ("bin/sh", SYMLINK, "app", b"")]),
        (
            "devices",
            vec![("dev/mem", tar::EntryType::Char, "", b""), ("sda", tar::EntryType::Block, "", b"")],
        ),
    ];
    let mut ends: Vec<Ended> = Vec::new();
    for (what, entries) in tricks {
        let layer = raw_tar(&entries);
        let host = with_layer(&gzip(&layer), media_type::LAYER_GZIP, &layer);
        let case = Case::new(what).host(&host);
        ends.push(case.run("image check HOST/app:v1"));
        assert_eq!(case.left(), Vec::<String>::new(), "nothing is unpacked");
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # ways out: exit 1
    sha256:9f20689df8e7e35b26c66dd02267a449dbe6346a3db99b316190a31b5aa94d6a
    linux/amd64
      pulled  333 bytes
      files   4096 bytes unpacked
      user    65532
      runs    /app
      shells  none
      setuid  etc/shadow
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-path]: linux/amd64: a layer names `../../etc/passwd`, outside of the image
    error[image-path]: linux/amd64: a layer names `a/../../b`, outside of the image
    error[image-program]: linux/amd64: the program `/app` is no file of the image that can be run
    warning[image-setuid]: linux/amd64: it holds a setuid file: etc/shadow

    # links out: exit 1
    sha256:01dbb0746ddd0f84a27ad32bf1ad8e2c6d01fbeba1d78d72a3af663dd8c9127b
    linux/amd64
      pulled  324 bytes
      files   3072 bytes unpacked
      user    65532
      runs    /app
      shells  bin/sh
      setuid  bin/sh, x
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-program]: linux/amd64: the program `/app` is no file of the image that can be run
    warning[image-shell]: linux/amd64: it holds a shell: bin/sh
    warning[image-setuid]: linux/amd64: it holds a setuid file: bin/sh and 1 more

    # whiteouts of nothing: exit 1
    sha256:a75514e4acf9020a58f1fd93f3631b26438ede166edf39883dd4a75ff100e4e4
    linux/amd64
      pulled  300 bytes
      files   2560 bytes unpacked
      user    65532
      runs    /app
      shells  none
      setuid  none
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-path]: linux/amd64: a layer names `a/.wh.../../x`, outside of the image
    error[image-program]: linux/amd64: the program `/app` is no file of the image that can be run

    # a whiteout of everything: exit 1
    sha256:6a29cc9fd0aef17ff38bdb4476aefcc6c9d1383622dd1d2eaa6709d6e48e3cdf
    linux/amd64
      pulled  300 bytes
      files   2560 bytes unpacked
      user    65532
      runs    /app
      shells  bin/sh
      setuid  bin/sh
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-program]: linux/amd64: the program `/app` is no file of the image that can be run
    warning[image-shell]: linux/amd64: it holds a shell: bin/sh
    warning[image-setuid]: linux/amd64: it holds a setuid file: bin/sh

    # a whiteout in the same layer: exit 1
    sha256:080f86a8b4826fa2e60e7ee98099f5e36d6ce91428a0c24cd1fec55de9ec5a1c
    linux/amd64
      pulled  304 bytes
      files   2560 bytes unpacked
      user    65532
      runs    /app
      shells  bin/sh
      setuid  bin/sh
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-program]: linux/amd64: the program `/app` is no file of the image that can be run
    warning[image-shell]: linux/amd64: it holds a shell: bin/sh
    warning[image-setuid]: linux/amd64: it holds a setuid file: bin/sh

    # a link in a circle: exit 1
    sha256:60b029340e503138b853c4e79f7e0bd670441d62c3bb297ae8c3006a1b7a20af
    linux/amd64
      pulled  282 bytes
      files   2048 bytes unpacked
      user    65532
      runs    /app
      shells  none
      setuid  none
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-program]: linux/amd64: the program `/app` is no file of the image that can be run

    # a file twice: exit 1
    sha256:58e6d5b1fdee8e13c7ddeaecfa82dee723308680e305ead3abddf1a16b91e075
    linux/amd64
      pulled  300 bytes
      files   2560 bytes unpacked
      user    65532
      runs    /app
      shells  bin/sh
      setuid  none
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-program]: linux/amd64: the program `/app` is no file of the image that can be run
    warning[image-shell]: linux/amd64: it holds a shell: bin/sh

    # devices: exit 1
    sha256:9bcf85c84e9ac7dacb14bab9407a41f4e940102ded567e2e84460ef0dc44ed91
    linux/amd64
      pulled  287 bytes
      files   2048 bytes unpacked
      user    65532
      runs    /app
      shells  none
      setuid  dev/mem, sda
      managers  none
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    error[image-program]: linux/amd64: the program `/app` is no file of the image that can be run
    warning[image-setuid]: linux/amd64: it holds a setuid file: dev/mem and 1 more
    ");
}
