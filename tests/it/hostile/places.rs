//! Places that are named and not gone to: foreign layers, the next page of a list, hosts that only look like this machine.

use kyklos_release::format::oci::media_type;
use serde_json::json;

use super::case::{Case, seen};
use super::images::{app, blob, config, document, fill, manifest, serving};
use crate::support::crafted::{descriptor, with};
use crate::support::registry::{Fault, Options, TestRegistry};

#[test]
fn a_layer_that_is_said_to_be_elsewhere_is_not_looked_for_there() {
    let mut ends = Vec::new();
    for (name, line) in [
        ("inspect", "image inspect HOST/app:v1"),
        ("check", "image check HOST/app:v1"),
        ("copy to a layout", "image copy HOST/app:v1 oci:copied:v1 --referrers"),
        ("copy to a host", "image copy HOST/app:v1 HOST/other:v1"),
        ("as a base", "image assemble --base HOST/app:v1 --binary linux/amd64=app -o oci:made:v1"),
    ] {
        let case = Case::new(name).file("app", "one");
        let place = case.elsewhere.host();
        let urls = json!({"urls": [
            format!("http://{place}/layer"), "http://169.254.169.254/layer", "https://evil.test/layer",
        ]});
        let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        let config = config(&[b"layer"]);
        let layers = [with(descriptor(foreign, b"layer"), urls)];
        let bytes = manifest(descriptor(media_type::CONFIG, &config), &layers);
        let host = serving(media_type::MANIFEST, &bytes);
        blob(&host, &config);
        ends.push(case.host(&host).run(line));
    }
    // The document holds the address of the second host, so its digest is another each time.
    let digest = regex::Regex::new("sha256:[0-9a-f]{64}").unwrap();
    insta::assert_snapshot!(digest.replace_all(&seen(&ends), "DIGEST"), @r"
    # inspect: exit 0
    HOST/app:v1
      digest  DIGEST
      type    application/vnd.oci.image.manifest.v1+json, 513 bytes
    linux/amd64
      digest  DIGEST
      pulled  204 bytes
      runs    /app as 65532

    # check: exit 1
    DIGEST
    linux/amd64
      pulled  204 bytes
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
    error[image-layer]: linux/amd64: layer DIGEST: it is not stored

    # copy to a layout: exit 0
    DIGEST
    oci:copied:v1
      created    v1
      uploaded   1
      manifests  1
          Copied DIGEST to oci:copied:v1
    warning: the layer DIGEST (application/vnd.oci.image.layer.nondistributable.v1.tar+gzip) is not passed on

    # copy to a host: exit 0
    DIGEST
    HOST/other:v1
      created    v1
      mounted    1
      manifests  1
          Copied DIGEST to HOST/other:v1
    warning: the layer DIGEST (application/vnd.oci.image.layer.nondistributable.v1.tar+gzip) is not passed on

    # as a base: exit 1
    error[image-base-layer]: the layer DIGEST of the base cannot be used: its type is `application/vnd.oci.image.layer.nondistributable.v1.tar+gzip`
    ");
}

/// Something that is attached to `app:v1`, so that there is a list of it.
fn attach(host: &TestRegistry, subject: &[u8]) {
    let subject = descriptor(media_type::MANIFEST, subject);
    let bytes = json!({
        "schemaVersion": 2, "mediaType": media_type::MANIFEST, "artifactType": "a/b",
        "config": descriptor(media_type::EMPTY, b"{}"), "layers": [descriptor("a/b", b"{}")],
        "subject": subject,
    });
    blob(host, b"{}");
    document(host, "", media_type::MANIFEST, &serde_json::to_vec(&bytes).unwrap());
}

#[test]
fn the_next_page_is_on_the_same_host_and_there_is_a_last_one() {
    let mut ends = Vec::new();
    for (list, line, most) in [
        ("tags", "image tag HOST/app:v1 latest", 1100),
        ("referrers", "image inspect HOST/app:v1 --referrers", 300),
    ] {
        let link = |place: &str| Fault::Header("Link", format!("<{place}>; rel=\"next\""));
        for (name, fault) in [
            ("another host", link("http://ELSEWHERE/v2/app/tags/list")),
            ("link-local", link("http://169.254.169.254/latest")),
            ("a file", link("file:///etc/passwd")),
            ("itself", link("?n=1000")),
            ("itself in other words", link("/v2/app/../app/x/../tags/list?n=1000")),
            ("one behind the other for ever", Fault::Pages),
        ] {
            let case = Case::new(format!("{list}, {name}"));
            let fault = match fault {
                Fault::Header(header, text) => {
                    Fault::Header(header, text.replace("ELSEWHERE", &case.elsewhere.host()))
                }
                other => other,
            };
            let host = TestRegistry::start(Options { checks_named: false, ..Options::default() });
            attach(&host, &fill(&host));
            host.fail("GET", list, 100_000, fault);
            ends.push(case.host(&host).run(line));
            assert!(host.log().len() < most, "{list}, {name}: {} requests", host.log().len());
            assert!(!host.stored("app").tags.contains_key("latest"));
        }
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # tags, another host: exit 1
    error[registry-astray]: HOST leads to http://ELSEWHERE/v2/app/tags/list, which is not followed: the next page is on another host

    # tags, link-local: exit 1
    error[registry-astray]: HOST leads to http://169.254.169.254/latest, which is not followed: it is an address of a private network

    # tags, a file: exit 1
    error[registry-astray]: HOST leads to file:///etc/passwd, which is not followed: only http and https are followed

    # tags, itself: exit 1
    error[registry-invalid]: the list of tags of HOST/app is not valid: its pages go round in a circle

    # tags, itself in other words: exit 1
    error[registry-invalid]: the list of tags of HOST/app is not valid: its pages go round in a circle

    # tags, one behind the other for ever: exit 1
    error[registry-invalid]: the list of tags of HOST/app is not valid: it has more than 1000 pages

    # referrers, another host: exit 1
    error[registry-astray]: HOST leads to http://ELSEWHERE/v2/app/tags/list, which is not followed: the next page is on another host

    # referrers, link-local: exit 1
    error[registry-astray]: HOST leads to http://169.254.169.254/latest, which is not followed: it is an address of a private network

    # referrers, a file: exit 1
    error[registry-astray]: HOST leads to file:///etc/passwd, which is not followed: only http and https are followed

    # referrers, itself: exit 1
    error[registry-invalid]: referrers/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 of HOST/app is not valid: its pages do not end after 1

    # referrers, itself in other words: exit 1
    error[registry-invalid]: referrers/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 of HOST/app is not valid: it cannot be parsed: missing field `schemaVersion` at line 1 column 28

    # referrers, one behind the other for ever: exit 1
    error[registry-invalid]: referrers/sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729 of HOST/app is not valid: its pages do not end after 201
    ");
}

#[test]
fn what_only_looks_like_this_machine_is_asked_with_tls() {
    let mut ends = Vec::new();
    for name in [
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "127.0.0.1.nip.test",
        "xn--lcalhost-n8a.test",
        "0.0.0.0",
        "192.168.0.1",
    ] {
        // It has a certificate, but not for this name.
        let (host, authority) = TestRegistry::start_tls(Options::default());
        let case = Case::new(name).file("ca.pem", authority).login(&[&format!("{name}:5000")]);
        let case = case.public(&format!("{name}:5000"), &host.host());
        ends.push(case.run(&format!("image inspect {name}:5000/app:v1 --ca-file ca.pem")));
        assert_eq!(case.passed(), [format!("CONNECT {name}:5000")], "and nothing without TLS");
        assert_eq!(host.log().len(), 0);
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # localhost.evil.test: exit 4
    error[registry-insecure]: localhost.evil.test:5000 is not trusted: its certificate is for localhost, 127.0.0.1, registry.test, auth.registry.test
    help: name the host as its certificate does

    # 127.0.0.1.evil.test: exit 4
    error[registry-insecure]: 127.0.0.1.evil.test:5000 is not trusted: its certificate is for localhost, 127.0.0.1, registry.test, auth.registry.test
    help: name the host as its certificate does

    # 127.0.0.1.nip.test: exit 4
    error[registry-insecure]: 127.0.0.1.nip.test:5000 is not trusted: its certificate is for localhost, 127.0.0.1, registry.test, auth.registry.test
    help: name the host as its certificate does

    # xn--lcalhost-n8a.test: exit 4
    error[registry-insecure]: xn--lcalhost-n8a.test:5000 is not trusted: its certificate is for localhost, 127.0.0.1, registry.test, auth.registry.test
    help: name the host as its certificate does

    # 0.0.0.0: exit 4
    error[registry-insecure]: 0.0.0.0:5000 is not trusted: its certificate is for localhost, 127.0.0.1, registry.test, auth.registry.test
    help: name the host as its certificate does

    # 192.168.0.1: exit 4
    error[registry-insecure]: 192.168.0.1:5000 is not trusted: its certificate is for localhost, 127.0.0.1, registry.test, auth.registry.test
    help: name the host as its certificate does
    ");
}

#[test]
fn a_reference_means_one_image_on_one_host_or_is_refused() {
    let host = app(Options::default());
    let manifest = host.stored("app").tags["v1"].clone();
    let mut ends = Vec::new();
    for reference in [
        "http://HOST/app:v1",
        "HOST/app:v1@sha256:",
        "HOST/app:v1@sha256:../../x",
        "HOST/app@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        "HOST/app@sha256:e3b0",
        "HOST/app@md5:d41d8cd98f00b204e9800998ecf8427e",
        "HOST/app:../x",
        "HOST/../app:v1",
        "HOST/app%2e%2e/x:v1",
        "HOST//app:v1",
        "HOST/app?x=1:v1",
        "user:word@HOST/app:v1",
        "HOST/app:v1#x",
        "oci:../x@sha256:../../x",
        "[::1]:5000/app:v1",
        "[::1%lo]:5000/app:v1",
        "localhost:0/app:v1",
        "localhost:99999/app:v1",
    ] {
        let case = Case::new(reference).host(&host);
        ends.push(case.run(&format!("image inspect {reference} --offline")));
    }
    assert_eq!(host.connections(), 0, "{:?}", host.routes());
    // The digest decides, whatever the tag.
    let case = Case::new("a tag and a digest").host(&host);
    let both = case.run(&format!("image inspect HOST/app:none@{manifest} --format json"));
    assert_eq!(
        (both.code, host.log()[0].path.as_str()),
        (0, format!("/v2/app/manifests/{manifest}").as_str())
    );
    insta::assert_snapshot!(seen(&ends), @r"
    # http://HOST/app:v1: exit 2
    error: invalid value 'http://HOST/app:v1' for '<TARGET>': `http://HOST/app:v1` is not a target: a target starts with file:, dir:, oci:, oci-archive: or docker-archive:, or is HOST[:PORT]/PATH

    For more information, try '--help'.

    # HOST/app:v1@sha256:: exit 2
    error: invalid value 'HOST/app:v1@sha256:' for '<TARGET>': `HOST/app:v1@sha256:` is not a target: what follows @ is not sha256:<64 hex digits>

    For more information, try '--help'.

    # HOST/app:v1@sha256:../../x: exit 2
    error: invalid value 'HOST/app:v1@sha256:../../x' for '<TARGET>': `HOST/app:v1@sha256:../../x` is not a target: what follows @ is not sha256:<64 hex digits>

    For more information, try '--help'.

    # HOST/app@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855: exit 2
    error: invalid value 'HOST/app@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855' for '<TARGET>': `HOST/app@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855` is not a target: what follows @ is not sha256:<64 hex digits>

    For more information, try '--help'.

    # HOST/app@sha256:e3b0: exit 2
    error: invalid value 'HOST/app@sha256:e3b0' for '<TARGET>': `HOST/app@sha256:e3b0` is not a target: what follows @ is not sha256:<64 hex digits>

    For more information, try '--help'.

    # HOST/app@md5:d41d8cd98f00b204e9800998ecf8427e: exit 2
    error: invalid value 'HOST/app@md5:d41d8cd98f00b204e9800998ecf8427e' for '<TARGET>': `HOST/app@md5:d41d8cd98f00b204e9800998ecf8427e` is not a target: what follows @ is not sha256:<64 hex digits>

    For more information, try '--help'.

    # HOST/app:../x: exit 2
    error: invalid value 'HOST/app:../x' for '<TARGET>': `HOST/app:../x` is not a target: a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case

    For more information, try '--help'.

    # HOST/../app:v1: exit 2
    error: invalid value 'HOST/../app:v1' for '<TARGET>': `HOST/../app:v1` is not a target: a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case

    For more information, try '--help'.

    # HOST/app%2e%2e/x:v1: exit 2
    error: invalid value 'HOST/app%2e%2e/x:v1' for '<TARGET>': `HOST/app%2e%2e/x:v1` is not a target: a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case

    For more information, try '--help'.

    # HOST//app:v1: exit 2
    error: invalid value 'HOST//app:v1' for '<TARGET>': `HOST//app:v1` is not a target: a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case

    For more information, try '--help'.

    # HOST/app?x=1:v1: exit 2
    error: invalid value 'HOST/app?x=1:v1' for '<TARGET>': `HOST/app?x=1:v1` is not a target: a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case

    For more information, try '--help'.

    # user:word@HOST/app:v1: exit 2
    error: invalid value 'user:word@HOST/app:v1' for '<TARGET>': `user:word@HOST/app:v1` is not a target: what follows @ is not sha256:<64 hex digits>

    For more information, try '--help'.

    # HOST/app:v1#x: exit 2
    error: invalid value 'HOST/app:v1#x' for '<TARGET>': `HOST/app:v1#x` is not a target: an image tag is [A-Za-z0-9_][A-Za-z0-9._-]{0,127}

    For more information, try '--help'.

    # oci:../x@sha256:../../x: exit 2
    error: invalid value 'oci:../x@sha256:../../x' for '<TARGET>': `oci:../x@sha256:../../x` is not a target: what follows @ is not a digest

    For more information, try '--help'.

    # [::1]:5000/app:v1: exit 2
    error[registry-offline]: [::1]:5000 cannot be reached without the network
    help: leave --offline out, or name an image layout: oci:DIR

    # [::1%lo]:5000/app:v1: exit 2
    error: invalid value '[::1%lo]:5000/app:v1' for '<TARGET>': `[::1%lo]:5000/app:v1` is not a target: a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case

    For more information, try '--help'.

    # localhost:0/app:v1: exit 2
    error: invalid value 'localhost:0/app:v1' for '<TARGET>': `localhost:0/app:v1` is not a target: a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case

    For more information, try '--help'.

    # localhost:99999/app:v1: exit 2
    error: invalid value 'localhost:99999/app:v1' for '<TARGET>': `localhost:99999/app:v1` is not a target: a registry reference is HOST[:PORT]/PATH[:TAG][@DIGEST], the path in lower case

    For more information, try '--help'.
    ");
}
