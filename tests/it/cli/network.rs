//! The flags of the network, and where logins are.

use std::io::Write as _;
use std::path::Path;

use kyklos_release::format::oci::media_type;
use kyklos_release::model::Digest;

use crate::support::command::kyklos;
use crate::support::registry::{Auth, Fault, Options, TestRegistry};

const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{"User":"65532"},"rootfs":{"type":"layers","diff_ids":[]}}"#;

/// An image of one platform under `app:v1`.
fn host(options: Options) -> TestRegistry {
    let host = TestRegistry::start(options);
    fill(&host);
    host
}

fn fill(host: &TestRegistry) {
    host.change("app", |stored| {
        let config = Digest::of(CONFIG.as_bytes());
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{config}","size":{}}},"layers":[]}}"#,
            media_type::MANIFEST,
            media_type::CONFIG,
            CONFIG.len()
        );
        let digest = Digest::of(manifest.as_bytes()).to_string();
        stored.blobs.insert(config.to_string(), CONFIG.as_bytes().to_vec().into());
        stored.manifests.insert(digest.clone(), (media_type::MANIFEST.to_owned(), manifest.into_bytes()));
        stored.tags.insert("v1".to_owned(), digest);
    });
}

fn login(here: &Path, host: &str) {
    let logins = serde_json::json!({"auths": {host: {"auth": "bWU6c2VjcmV0"}}});
    std::fs::create_dir_all(here.join(".docker")).unwrap();
    std::fs::write(here.join(".docker/config.json"), logins.to_string()).unwrap();
}

#[test]
fn offline_opens_no_connection() {
    let here = tempfile::tempdir().unwrap();
    let host = host(Options::default());
    let run = kyklos(here.path())
        .args("image inspect --offline")
        .arg(format!("{}/app:v1", host.host()))
        .run()
        .show()
        .replace(&host.host(), "HOST");
    insta::assert_snapshot!(run, @r"
    exit 2
    --- stdout
    --- stderr
    error[registry-offline]: HOST cannot be reached without the network
    help: leave --offline out, or name an image layout: oci:DIR
    ");
    assert_eq!(host.log().len(), 0);
}

#[test]
fn logins_are_found_and_never_shown() {
    let here = tempfile::tempdir().unwrap();
    let host = host(Options { auth: Auth::Bearer(Some(("me", "secret"))), ..Options::default() });
    login(here.path(), &host.host());
    let run = kyklos(here.path())
        .args("-v image inspect --events events.ndjson")
        .arg(format!("{}/app:v1", host.host()))
        .run()
        .expect(0);
    let events = std::fs::read_to_string(here.path().join("events.ndjson")).unwrap();
    for secret in ["secret", "bWU6c2VjcmV0", "token-", "Bearer", "scope="] {
        assert!(
            !run.show().contains(secret) && !events.contains(secret),
            "{secret}\n{}\n{events}",
            run.show()
        );
    }
    let statuses: Vec<u64> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["event"] == "request")
        .map(|event| event["status"].as_u64().unwrap())
        .collect();
    // The real request is refused, a token is asked for, and no more is needed for manifest and config.
    assert_eq!(statuses, [401, 200, 200, 200]);
    assert_eq!(run.stderr().matches("GET http://").count(), 4, "{}", run.stderr());
}

#[test]
fn a_file_of_logins_that_was_named_is_the_only_one() {
    let here = tempfile::tempdir().unwrap();
    let host = host(Options { auth: Auth::Basic("me", "secret"), ..Options::default() });
    let inspect = |more: &str| {
        let target = format!("{}/app:v1", host.host());
        kyklos(here.path()).args("image inspect").args(more).arg(target)
    };
    let denied = inspect("").run().expect(4).show().replace(&host.host(), "HOST");
    insta::assert_snapshot!(denied, @r"
    exit 4
    --- stdout
    --- stderr
    error[registry-denied]: HOST answered 401 to GET manifests/v1 of app
      code     UNAUTHORIZED
      message  UNAUTHORIZED
    help: log in with `docker login HOST`, or name a file of credentials with --authfile
    ");
    login(here.path(), &host.host());
    let _ = inspect("").run().expect(0);
    std::fs::write(here.path().join("empty.json"), "{}").unwrap();
    let _ = inspect("--authfile empty.json").run().expect(4);
    let _ = inspect("--authfile none.json").run().expect(4);
    let logins = std::fs::read_to_string(here.path().join(".docker/config.json")).unwrap();
    std::fs::remove_dir_all(here.path().join(".docker")).unwrap();
    let _ = inspect("").env("DOCKER_AUTH_CONFIG", &logins).run().expect(0);
    std::fs::write(here.path().join("auth.json"), &logins).unwrap();
    let _ = inspect("").env("REGISTRY_AUTH_FILE", here.path().join("auth.json")).run().expect(0);
    // Where podman keeps them, and then where docker does; the first that knows the host is believed.
    let wrong = logins.replace("bWU6c2VjcmV0", "bWU6d3Jvbmc=");
    let places = ["run/containers/auth.json", "config/containers/auth.json", "docker/config.json"];
    for (at, place) in places.iter().enumerate() {
        for (other, path) in places.iter().enumerate() {
            let path = here.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(
                path,
                if other < at {
                    "{}"
                } else if other == at {
                    &logins
                } else {
                    &wrong
                },
            )
            .unwrap();
        }
        let command = inspect("").env("XDG_RUNTIME_DIR", here.path().join("run"));
        let command = command.env("XDG_CONFIG_HOME", here.path().join("config"));
        let run = command.env("DOCKER_CONFIG", here.path().join("docker")).run();
        assert_eq!(run.code(), 0, "{place}: {}", run.show());
    }
    // The token of a forge is not for registries.
    host.forget();
    let _ = inspect("").env("GITHUB_TOKEN", "ghp_x").run().expect(4);
    assert!(host.log().iter().all(|one| !one.headers.contains_key("authorization")));
}

#[cfg(unix)]
#[test]
fn logins_and_authorities_may_be_links() {
    use std::os::unix::fs::symlink;
    let here = tempfile::tempdir().unwrap();
    let (host, authority) =
        TestRegistry::start_tls(Options { auth: Auth::Basic("me", "secret"), ..Options::default() });
    fill(&host);
    // As Kubernetes mounts what it keeps: a link to a link to a directory.
    login(&here.path().join("mounted/1"), &host.host());
    std::fs::write(here.path().join("mounted/1/ca.pem"), authority).unwrap();
    symlink("1", here.path().join("mounted/..data")).unwrap();
    symlink("mounted/..data/.docker", here.path().join(".docker")).unwrap();
    symlink("mounted/..data/ca.pem", here.path().join("ca.pem")).unwrap();
    symlink("mounted/..data/.docker/config.json", here.path().join("auth.json")).unwrap();
    for more in ["", "--authfile auth.json"] {
        let target = format!("{}/app:v1", host.host());
        let _ =
            kyklos(here.path()).args("image inspect --ca-file ca.pem").args(more).arg(target).run().expect(0);
    }
    // A link to nothing is nothing.
    std::fs::remove_dir_all(here.path().join("mounted/1/.docker")).unwrap();
    std::fs::remove_file(here.path().join(".docker")).unwrap();
    std::fs::create_dir(here.path().join(".docker")).unwrap();
    symlink("nowhere", here.path().join(".docker/config.json")).unwrap();
    let target = format!("{}/app:v1", host.host());
    let _ = kyklos(here.path()).args("image inspect --ca-file ca.pem").arg(target).run().expect(4);
}

#[cfg(unix)]
#[test]
fn a_credential_helper_is_asked() {
    use std::os::unix::fs::PermissionsExt as _;
    let here = tempfile::tempdir().unwrap();
    let host = host(Options { auth: Auth::Basic("me", "secret"), ..Options::default() });
    let helper = here.path().join("docker-credential-test");
    std::fs::write(&helper, "#!/bin/sh\necho '{\"Username\":\"me\",\"Secret\":\"secret\"}'\n").unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", here.path().display(), std::env::var("PATH").unwrap());
    let inspect = |store: &str| {
        std::fs::write(here.path().join("config.json"), format!(r#"{{"credsStore":"{store}"}}"#)).unwrap();
        let target = format!("{}/app:v1", host.host());
        let command = kyklos(here.path()).args("image inspect").arg(target);
        command.env("DOCKER_CONFIG", here.path()).env("PATH", &path).run()
    };
    let _ = inspect("test").expect(0);
    assert!(
        inspect("../docker-credential-test")
            .expect(4)
            .stderr()
            .contains("is not the name of a credential helper")
    );
    assert!(inspect("none").expect(4).stderr().contains("docker-credential-none cannot be started"));
}

#[test]
fn a_system_without_certificate_authorities_can_still_be_used() {
    let here = tempfile::tempdir().unwrap();
    let host = host(Options::default());
    let nowhere = |command: crate::support::command::Kyklos| {
        command.env("SSL_CERT_FILE", "/nonexistent/file").env("SSL_CERT_DIR", "/nonexistent/directory")
    };
    let target = format!("{}/app:v1", host.host());
    let _ = nowhere(kyklos(here.path()).args("image inspect").arg(&target)).run().expect(0);
    // With a certificate authority the host is spoken to with TLS first; it has none.
    let key = rcgen::KeyPair::generate().unwrap();
    let authority =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(here.path().join("ca.pem"), authority.pem()).unwrap();
    let run = nowhere(kyklos(here.path()).args("image inspect --ca-file ca.pem").arg(&target)).run();
    let _ = run.expect(0);
    std::fs::write(here.path().join("ca.pem"), "nothing").unwrap();
    let run = kyklos(here.path()).args("image inspect --ca-file ca.pem").arg(&target).run().expect(2);
    assert!(run.stderr().contains("it holds no certificate"), "{}", run.stderr());
}

#[test]
fn a_closed_pipe_is_no_reason_to_fail() {
    let here = tempfile::tempdir().unwrap();
    let mut events = std::fs::File::create(here.path().join("events")).unwrap();
    events.write_all(b"before\n").unwrap();
    let host = host(Options::default());
    let target = format!("{}/app:v1", host.host());
    let _ = kyklos(here.path()).args("image inspect -q --events events").arg(&target).run().expect(0);
    let text = std::fs::read_to_string(here.path().join("events")).unwrap();
    assert!(text.starts_with("before\n{"), "{text}");
    // Nothing can be below a file.
    let run = kyklos(here.path()).args("image inspect --events events/x").arg(&target).run();
    assert!(run.code() != 0 && run.code() != 70, "{}", run.show());
}

#[test]
fn a_certificate_authority_that_was_named_is_trusted() {
    let here = tempfile::tempdir().unwrap();
    let (host, authority) = TestRegistry::start_tls(Options::default());
    fill(&host);
    std::fs::write(here.path().join("ca.pem"), authority).unwrap();
    let port = host.host().split(':').nth(1).unwrap().to_owned();
    for name in ["127.0.0.1", "localhost"] {
        let target = format!("{name}:{port}/app:v1");
        let inspect = |more: &str| kyklos(here.path()).args("-v image inspect").args(more).arg(&target).run();
        let run = inspect("--ca-file ca.pem").expect(0);
        assert!(
            run.stderr().contains(&format!("GET https://{name}:{port}/v2/app/manifests/v1 200")),
            "{}",
            run.stderr()
        );
    }
    assert!(host.log().iter().all(|one| one.path != "/v2/"));
}

#[test]
fn a_blob_that_a_host_only_said_to_have_is_sent() {
    let here = tempfile::tempdir().unwrap();
    let from = host(Options::default());
    let _ = kyklos(here.path())
        .args("image index create")
        .arg(format!("{}/app:v2", from.host()))
        .arg(format!("{}/app:v1", from.host()))
        .run()
        .expect(0);
    let to = TestRegistry::start(Options::default());
    to.fail("POST", "uploads", 1, Fault::Answer(201, "Location: /v2/b/blobs/x", ""));
    let run = kyklos(here.path())
        .args("image copy")
        .arg(format!("{}/app:v2", from.host()))
        .arg(format!("{}/b:v2", to.host()))
        .run()
        .expect(0);
    assert_eq!(to.stored("b").blobs, from.stored("app").blobs, "{}\n{:?}", run.show(), to.routes());
    assert_eq!(to.stored("b").tags["v2"], from.stored("app").tags["v2"]);
}
