//! More than anybody can hold: answers without an end, documents that grow when they are read, layers that grow when they are
//! unpacked, lists of everything.

use kyklos_release::format::oci::media_type;
use kyklos_release::model::Digest;

use super::case::{Case, Ended, PASSWORD, seen, side_by_side};
use super::images::{app, blob, fill, manifest, serving, with_layer};
use crate::support::crafted::{descriptor, gzip, zstd};
use crate::support::registry::{Auth, Fault, Options, TestRegistry};

fn entry(fields: &str) -> String {
    format!(r#"{{"mediaType":"{}","digest":"{}","size":2{fields}}}"#, media_type::MANIFEST, Digest::of(b"{}"))
}

/// Members of an object, as many as fit into so many bytes.
fn members(room: usize) -> String {
    (0..room / 10).map(|key| format!(r#""{key:05x}":"""#)).collect::<Vec<_>>().join(",")
}

fn listing(entries: usize) -> Vec<u8> {
    let entries = vec![entry(""); entries].join(",");
    format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entries}]}}"#, media_type::INDEX)
        .into_bytes()
}

/// The start of an answer whose length is not said.
macro_rules! chunked {
    () => {
        "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
    };
}

/// What goes wrong with which requests, and the line that meets it.
type Trouble = (&'static str, &'static str, &'static str, Fault, &'static str);

fn met(trouble: Trouble) -> Ended {
    let (name, method, place, fault, line) = trouble;
    let host = app(Options::default());
    host.fail(method, place, 100_000, fault);
    let ended = Case::new(name).host(&host).patient().run(line);
    assert!(host.log().len() < 100, "{name}: {} requests", host.log().len());
    assert!(!host.stored("app").tags.contains_key("latest"), "{name}");
    ended
}

#[test]
fn an_answer_without_an_end_ends_at_its_limit() {
    let tags = format!(r#"{{"tags":[{}]}}"#, vec![r#""a""#; 1_000_000].join(","));
    let troubles: Vec<Trouble> = vec![
        ("a manifest", "GET", "manifests", Fault::Endless, "image inspect HOST/app:v1"),
        ("a manifest to copy", "GET", "manifests", Fault::Endless, "image copy HOST/app:v1 oci:to:v1"),
        ("a config or layer", "GET", "blobs", Fault::Endless, "image check HOST/app:v1"),
        ("tags", "GET", "tags", Fault::Endless, "image tag HOST/app:v1 latest"),
        ("a million tags", "GET", "tags", Fault::Body(tags.into_bytes()), "image tag HOST/app:v1 latest"),
        ("referrers", "GET", "referrers", Fault::Endless, "image inspect HOST/app:v1 --referrers"),
        (
            "a million referrers",
            "GET",
            "referrers",
            Fault::Body(listing(1_000_000)),
            "image inspect HOST/app:v1 --referrers",
        ),
        (
            "as many referrers as are read",
            "GET",
            "referrers",
            Fault::Body(listing(40_000)),
            "image inspect HOST/app:v1 --referrers",
        ),
        (
            "a manifest in small chunks",
            "GET",
            "manifests",
            Fault::Stream(chunked!(), "20\r\n                                \r\n"),
            "image inspect HOST/app:v1",
        ),
        ("an error", "GET", "manifests/none", Fault::Endless, "image inspect HOST/app:none"),
        (
            "the answer to a manifest",
            "PUT",
            "manifests",
            Fault::Endless,
            "image copy HOST/app:v1 HOST/app:v2",
        ),
    ];
    let mut ends: Vec<Ended> = troubles.into_iter().map(met).collect();
    let host = app(Options { auth: Auth::Bearer(Some(("me", PASSWORD))), ..Options::default() });
    host.fail("GET", "/token", 100, Fault::Endless);
    let case = Case::new("a token").login(&[&host.host()]).host(&host);
    ends.push(case.run("image inspect HOST/app:v1"));
    insta::assert_snapshot!(seen(&ends), @r"
    # a manifest: exit 1
    error[registry-too-large]: manifests/v1 is larger than 8388608 bytes

    # a manifest to copy: exit 1
    error[registry-too-large]: manifests/v1 is larger than 8388608 bytes

    # a config or layer: exit 1
    sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
    error[image-incomplete]: sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 cannot be read: the blob has another digest than it is stored u
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses

    # tags: exit 1
    error[registry-too-large]: tags/list is larger than 4194304 bytes

    # a million tags: exit 1
    error[registry-invalid]: the list of tags of HOST/app is not valid: it consists of 1000000 parts, at most 200000 are read

    # referrers: exit 1
    error[registry-too-large]: referrers/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 is larger than 8388608 bytes

    # a million referrers: exit 1
    error[registry-too-large]: referrers/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 is larger than 8388608 bytes

    # as many referrers as are read: exit 1
    error[registry-invalid]: referrers/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 of HOST/app is not valid: it consists of 120002 parts, at most 32768 are read

    # a manifest in small chunks: exit 1
    error[registry-too-large]: manifests/v1 is larger than 8388608 bytes

    # an error: exit 2
    error[image-not-found]: the tag none of HOST/app:none is not in the registry

    # the answer to a manifest: exit 0
    sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
    HOST/app:v2
      created    v2
      skipped    2
      manifests  1
          Copied sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 to HOST/app:v2

    # a token: exit 1
    error[registry-too-large]: the answer of http://HOST/token is larger than 262144 bytes
    ");
}

#[test]
fn a_length_that_is_not_true_is_noticed() {
    let off = Fault::WrongLength;
    let troubles: Vec<Trouble> = vec![
        ("a huge manifest", "GET", "manifests", off(1 << 40), "image inspect HOST/app:v1"),
        ("a manifest with an end", "GET", "manifests", off(-5), "image inspect HOST/app:v1"),
        ("a config that is longer", "GET", "blobs", off(1), "image inspect HOST/app:v1"),
        ("a config that is shorter", "GET", "blobs", off(-1), "image inspect HOST/app:v1"),
        ("other bytes, longer", "GET", "blobs", Fault::Body(vec![b' '; 4000]), "image inspect HOST/app:v1"),
        ("other bytes, shorter", "GET", "blobs", Fault::Body(vec![b' '; 4]), "image inspect HOST/app:v1"),
        ("a manifest of nothing", "GET", "manifests", Fault::Body(Vec::new()), "image inspect HOST/app:v1"),
    ];
    let ends: Vec<Ended> = troubles.into_iter().map(met).collect();
    insta::assert_snapshot!(seen(&ends), @r"
    # a huge manifest: exit 1
    error[registry-too-large]: manifests/v1 is larger than 8388608 bytes

    # a manifest with an end: exit 1
    error[registry-digest]: manifests/v1 of HOST/app has another digest than it is stored under
      expected  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      found     sha256:7c5b3dffd46e6708731ee947229464d1f5c63f300cffb309b321c898134f9665

    # a config that is longer: exit 1
    error[registry-size]: sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b has 200 bytes, its descriptor says 199

    # a config that is shorter: exit 1
    error[registry-size]: sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b has 198 bytes, its descriptor says 199

    # other bytes, longer: exit 1
    error[registry-size]: sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b has 4000 bytes, its descriptor says 199

    # other bytes, shorter: exit 1
    error[registry-size]: sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b has 4 bytes, its descriptor says 199

    # a manifest of nothing: exit 1
    error[registry-digest]: manifests/v1 of HOST/app has another digest than it is stored under
      expected  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      found     sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    ");
}

#[test]
fn what_never_comes_whole_is_given_up() {
    let troubles: Vec<Trouble> = vec![
        ("a manifest that is cut", "GET", "manifests", Fault::CutAnswer, "image inspect HOST/app:v1"),
        ("a config that is cut", "GET", "blobs", Fault::CutAnswer, "image inspect HOST/app:v1"),
        (
            "headers without an end",
            "GET",
            "manifests",
            Fault::Stream("HTTP/1.1 200 X\r\n", "X-Padding: and so on\r\n"),
            "image inspect HOST/app:v1",
        ),
        (
            "one header without an end",
            "GET",
            "manifests",
            Fault::Stream("HTTP/1.1 200 X\r\nX-Padding: ", "and so on "),
            "image inspect HOST/app:v1",
        ),
        (
            "no line at all",
            "GET",
            "manifests",
            Fault::Stream("HTTP/1.1 200 ", "OK "),
            "image inspect HOST/app:v1",
        ),
        (
            "trailers without an end",
            "GET",
            "manifests",
            Fault::Stream(concat!(chunked!(), "2\r\n{}\r\n0\r\n"), "X-Padding: and so on\r\n"),
            "image inspect HOST/app:v1",
        ),
        (
            "a chunk of which much is said",
            "GET",
            "manifests",
            Fault::Stream(concat!(chunked!(), "1;"), "extension"),
            "image inspect HOST/app:v1",
        ),
        (
            "a chunk of any size",
            "GET",
            "manifests",
            Fault::Stream(chunked!(), "f"),
            "image inspect HOST/app:v1",
        ),
        ("endless trouble", "GET", "manifests", Fault::BUSY, "image inspect HOST/app:v1"),
        (
            "later and later",
            "GET",
            "manifests",
            Fault::Answer(429, "Retry-After: 99999", ""),
            "image inspect HOST/app:v1",
        ),
        ("resets", "GET", "manifests", Fault::ResetBefore, "image inspect HOST/app:v1"),
    ];
    let cases = troubles
        .into_iter()
        .map(|trouble| -> Box<dyn FnOnce() -> Ended + Send> { Box::new(move || met(trouble)) });
    insta::assert_snapshot!(seen(&side_by_side(cases.collect())), @r"
    # a manifest that is cut: exit 6
    warning: HOST did not answer GET manifests/v1 of app: end of file before message length reached; trying again in N s
    error[registry-unreached]: HOST did not answer GET manifests/v1 of app: end of file before message length reached
    help: run the same command again; what is stored is not sent again

    # a config that is cut: exit 6
    warning: HOST did not answer GET blobs/sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b of app: end of file before message length reached; trying again in N s
    error[registry-unreached]: HOST did not answer GET blobs/sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b of app: end of file before message length reached
    help: run the same command again; what is stored is not sent again

    # headers without an end: exit 6
    warning: HOST did not answer GET manifests/v1 of app: message head is too large; trying again in N s
    error[registry-unreached]: HOST did not answer GET manifests/v1 of app: message head is too large
    help: run the same command again; what is stored is not sent again

    # one header without an end: exit 6
    warning: HOST did not answer GET manifests/v1 of app: message head is too large; trying again in N s
    error[registry-unreached]: HOST did not answer GET manifests/v1 of app: message head is too large
    help: run the same command again; what is stored is not sent again

    # no line at all: exit 6
    warning: HOST did not answer GET manifests/v1 of app: message head is too large; trying again in N s
    error[registry-unreached]: HOST did not answer GET manifests/v1 of app: message head is too large
    help: run the same command again; what is stored is not sent again

    # trailers without an end: exit 6
    warning: HOST did not answer GET manifests/v1 of app: chunk trailers count overflow; trying again in N s
    error[registry-unreached]: HOST did not answer GET manifests/v1 of app: chunk trailers count overflow
    help: run the same command again; what is stored is not sent again

    # a chunk of which much is said: exit 6
    warning: HOST did not answer GET manifests/v1 of app: chunk extensions over limit; trying again in N s
    error[registry-unreached]: HOST did not answer GET manifests/v1 of app: chunk extensions over limit
    help: run the same command again; what is stored is not sent again

    # a chunk of any size: exit 6
    warning: HOST did not answer GET manifests/v1 of app: invalid chunk size: overflow; trying again in N s
    error[registry-unreached]: HOST did not answer GET manifests/v1 of app: invalid chunk size: overflow
    help: run the same command again; what is stored is not sent again

    # endless trouble: exit 6
    warning: HOST answered 503 to GET manifests/v1 of app; trying again in N s
    error[registry-transient]: HOST answered 503 to GET manifests/v1 of app
    help: run the same command again; what is stored is not sent again

    # later and later: exit 6
    error[registry-transient]: HOST answered 429 to GET manifests/v1 of app
    help: run the same command again; what is stored is not sent again

    # resets: exit 6
    warning: HOST did not answer GET manifests/v1 of app: connection closed before message completed; trying again in N s
    error[registry-unreached]: HOST did not answer GET manifests/v1 of app: connection closed before message completed
    help: run the same command again; what is stored is not sent again
    ");
}

/// What the three commands that read documents say, each in one line.
fn refused(name: &str, host: &TestRegistry) -> String {
    let mut said = Vec::new();
    for line in [
        "image inspect HOST/app:v1 --format json",
        "image check HOST/app:v1",
        "image copy HOST/app:v1 oci:to:v1",
    ] {
        let ended = Case::new(name).host(host).run(line);
        assert_eq!(ended.code, 1, "{line}: {}", ended.text());
        said.push(ended.text().lines().last().unwrap().to_owned());
    }
    format!("{name}: {}\n", said[2])
}

#[test]
fn documents_that_grow_when_they_are_read_are_refused() {
    let (index, room) = (media_type::INDEX, (8 << 20) - 1000);
    let of = |rest: &str| format!(r#"{{"schemaVersion":2,"mediaType":"{index}",{rest}}}"#);
    let listed = |entries: &str| of(&format!(r#""manifests":[{entries}]"#));
    let mut said = String::new();
    for (name, document) in [
        ("many annotations", of(&format!(r#""manifests":[],"annotations":{{{}}}"#, members(room - 200_000)))),
        ("an entry of them", listed(&entry(&format!(r#","annotations":{{{}}}"#, members(room - 200_000))))),
        ("a long one", of(&format!(r#""manifests":[],"annotations":{{"k":"{}"}}"#, "v".repeat(room)))),
        (
            "one of escapes",
            of(&format!(r#""manifests":[],"annotations":{{"k":"{}"}}"#, "\\u001b".repeat(room / 6))),
        ),
        ("a wide field", of(&format!(r#""manifests":[],"x":[{}]"#, vec!["{}"; room / 3].join(",")))),
        (
            "a deep field",
            of(&format!(r#""manifests":[],"x":{}{}"#, "[".repeat(room / 2), "]".repeat(room / 2))),
        ),
        ("as many entries as fit", listed(&vec![entry(""); room / 180].join(","))),
        ("a hundred thousand entries", listed(&vec![entry(""); 100_000].join(","))),
    ] {
        said.push_str(&refused(name, &serving(index, document.as_bytes())));
    }
    insta::assert_snapshot!(said, @r"
    many annotations: error[registry-too-large]: manifests/v1 is larger than 8388608 bytes
    an entry of them: error[registry-too-large]: manifests/v1 is larger than 8388608 bytes
    a long one: caused by: its annotations, labels and commands have 8387609 bytes, at most 1048576 are read
    one of escapes: caused by: its annotations, labels and commands have 1397935 bytes, at most 1048576 are read
    a wide field: caused by: it consists of 2795872 parts, at most 32768 are read
    a deep field: caused by: it is nested deeper than 32 levels
    as many entries as fit: caused by: it consists of 139793 parts, at most 32768 are read
    a hundred thousand entries: error[registry-too-large]: manifests/v1 is larger than 8388608 bytes
    ");
}

#[test]
fn configs_that_grow_when_they_are_read_are_refused() {
    let room = (8 << 20) - 1000;
    let mut ends = Vec::new();
    for (name, text) in [
        ("labels", format!(r#""Labels":{{{}}}"#, members(room - 200_000))),
        ("an environment", format!(r#""Env":["{}"]"#, "v".repeat(room))),
    ] {
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{{text}}},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#
        );
        let bytes = manifest(descriptor(media_type::CONFIG, config.as_bytes()), &[]);
        let host = serving(media_type::MANIFEST, &bytes);
        blob(&host, config.as_bytes());
        for line in ["image inspect HOST/app:v1", "image check HOST/app:v1"] {
            ends.push(Case::new(name).host(&host).run(line));
        }
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # labels: exit 1
    error[registry-too-large]: sha256:1e8989ff457dccde157bd817c469af68fdba80dff5c549c8e500c23604266e4c is larger than 8388608 bytes

    # labels: exit 1
    sha256:bcfcfceb9ae6ddcbc24f6ecd36f8b3c9b8f251c9ee8743b755305d7a8b8038ed
    error[image-incomplete]: sha256:bcfcfceb9ae6ddcbc24f6ecd36f8b3c9b8f251c9ee8743b755305d7a8b8038ed cannot be read: sha256:1e8989ff457dccde157bd817c469af68fdba80df
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses

    # an environment: exit 1
    error[image-document]: sha256:1df89ddf4dc544c70898f775342e24461c82868e54bce25ec3b28f81ce4f3aa2 is not valid
    caused by: its annotations, labels and commands have 8387608 bytes, at most 1048576 are read

    # an environment: exit 1
    sha256:1a27cb8387ef02e4d9d19428ca98f107a4e76a1de6c127ac2b86865bf6a97cfa
    error[image-incomplete]: sha256:1a27cb8387ef02e4d9d19428ca98f107a4e76a1de6c127ac2b86865bf6a97cfa cannot be read: sha256:1df89ddf4dc544c70898f775342e24461c82868e
    warning[image-annotation]: there is no annotation org.opencontainers.image.created
    warning[image-annotation]: there is no annotation org.opencontainers.image.revision
    warning[image-annotation]: there is no annotation org.opencontainers.image.source
    warning[image-annotation]: there is no annotation org.opencontainers.image.version
    note[image-annotation]: there is no annotation org.opencontainers.image.title
    note[image-annotation]: there is no annotation org.opencontainers.image.licenses
    ");
}

/// A tar of one file of zeros.
fn zeros(size: usize) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "zeros", std::io::Read::take(std::io::repeat(0), size as u64)).unwrap();
    archive.into_inner().unwrap()
}

/// A tar of very many entries.
fn crowd(entries: usize) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for number in 0..entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o4755);
        archive.append_data(&mut header, format!("{number:090}"), std::io::empty()).unwrap();
    }
    archive.into_inner().unwrap()
}

#[test]
fn layers_that_grow_when_they_are_unpacked_are_findings() {
    let nothing = vec![0; 300 << 20];
    let (file, crowd) = (zeros(300 << 20), crowd(300_000));
    let mut ends = Vec::new();
    for (name, layer, kind, plain) in [
        ("zeros in gzip", gzip(&nothing), media_type::LAYER_GZIP, &nothing),
        ("zeros in zstd", zstd(&nothing), media_type::LAYER_ZSTD, &nothing),
        ("a file of zeros in gzip", gzip(&file), media_type::LAYER_GZIP, &file),
        ("a file of zeros in zstd", zstd(&file), media_type::LAYER_ZSTD, &file),
        ("very many programs", gzip(&crowd), media_type::LAYER_GZIP, &crowd),
        ("gzip in gzip", gzip(&gzip(&file)), media_type::LAYER_GZIP, &gzip(&file)),
    ] {
        let host = with_layer(&layer, kind, plain);
        let case = Case::new(name).host(&host).patient();
        ends.push(case.run("image check HOST/app:v1"));
        assert_eq!(case.left(), Vec::<String>::new(), "nothing is unpacked");
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # zeros in gzip: exit 1
    sha256:f2171cf33ce7b477377e33c8d5151403da511de259d3bb69a3973b7da161b3e1
    linux/amd64
      pulled  305988 bytes
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
    error[image-layer]: linux/amd64: layer sha256:5b282016cc6a01fe9de5f828414d8b09f35e4dfa55f84ca380aa1fd1d00ebf4a: it cannot be read: it unpacks to more than 200 t

    # zeros in zstd: exit 1
    sha256:4f63aa51205d518707d6068809fca76485d675f2f3c4ff342199df29254b9efc
    linux/amd64
      pulled  9808 bytes
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
    error[image-layer]: linux/amd64: layer sha256:40d8745c3596b2bf7e4956b7a2ef90fb477e6fa4cd5eb70d93ae3a758aff88ef: it cannot be read: it unpacks to more than 200 t

    # a file of zeros in gzip: exit 1
    sha256:4d4bd1a377398b804d40c58732b6598019c8e33d3ec5d4df807b0f8239c4e862
    linux/amd64
      pulled  306039 bytes
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
    error[image-layer]: linux/amd64: layer sha256:8568fa6fbd9395c233d5d3449c7f1de8d2407d7dea1732918ca966e8213877cc: it cannot be read: it unpacks to more than 200 t

    # a file of zeros in zstd: exit 1
    sha256:6518cb51bbfac74107e35f969926bd7a510289bb8d01d25e71a75c7c93177780
    linux/amd64
      pulled  13906 bytes
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
    error[image-layer]: linux/amd64: layer sha256:70ff84238baf6f0e409525ea616e1896afa46646805302f3695c97fad4882ada: it cannot be read: it unpacks to more than 200 t

    # very many programs: exit 1
    sha256:e093d79cfe23e841014180f4e5d72d38dffa43546af0ab506f5b12ea1ade3372
    linux/amd64
      pulled  1869981 bytes
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
    error[image-layer]: linux/amd64: layer sha256:b86f72ef5e63ecbf66ace8670ab6c64225b41b820d862268090d4df4dd510ecb: the names of its programs and links have more th

    # gzip in gzip: exit 1
    sha256:59e881014cf8627e4c7eabebff495fbe32a201eb070d7540736c1dbd07286a6c
    linux/amd64
      pulled  1479 bytes
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
    error[image-layer]: linux/amd64: layer sha256:8994a12a32846b4f02642af03f6c9923bd36d6cfcf56daf6cc13a4e18832f0a4: it cannot be read: numeric field was not a numbe
    ");
}

#[test]
fn a_host_that_is_honest_takes_no_more_than_it_must() {
    // What the bound is worth: the same image from a host that does nothing odd.
    let host = TestRegistry::start(Options::default());
    fill(&host);
    let case = Case::new("an honest host").host(&host);
    assert_eq!(case.run("image check HOST/app:v1").code, 0);
}
