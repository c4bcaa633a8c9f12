//! Registries behind a proxy: which requests pass through it, and whose login goes where.

use std::path::Path;

use super::network::{fill, login};
use crate::support::command::{Run, kyklos};
use crate::support::forward::Forward;
use crate::support::registry::{Auth, Options, TestRegistry};

/// Inspects `app:v1` of a host, with variables of the environment.
fn inspect(here: &Path, flags: &str, host: &str, variables: &[(&str, &str)]) -> Run {
    let run = kyklos(here).args("image inspect --format json").args(flags).arg(format!("{host}/app:v1"));
    variables.iter().fold(run, |run, (name, value)| run.env(name, value)).run()
}

#[test]
fn a_host_with_tls_is_reached_through_a_tunnel_and_the_proxy_learns_no_login_of_it() {
    let here = tempfile::tempdir().unwrap();
    let (host, authority) =
        TestRegistry::start_tls(Options { auth: Auth::Basic("me", "secret"), ..Options::default() });
    fill(&host);
    std::fs::write(here.path().join("ca.pem"), authority).unwrap();
    login(here.path(), "registry.test");
    let proxy = Forward::start(&host.host(), Some("out:word"));
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        host.forget();
        let before = proxy.log().len();
        let url = proxy.url(Some("out:word"));
        let run = inspect(here.path(), "--ca-file ca.pem", "registry.test", &[(variable, &url)]).expect(0);
        assert_eq!(run.json()["data"]["reference"], "registry.test/app:v1");
        let passed = proxy.log().split_off(before);
        assert!(!passed.is_empty(), "{variable}");
        for one in &passed {
            assert_eq!(one.request, "CONNECT registry.test:443");
            assert!(one.head.to_ascii_lowercase().contains("proxy-authorization: basic "), "{}", one.head);
            assert!(!one.head.to_ascii_lowercase().contains("\nauthorization:"), "{}", one.head);
        }
        // Every request of the host is one that came through the tunnel, and none carries the login of the proxy.
        let log = host.log();
        assert_eq!(log.iter().filter(|one| one.status == 200).count(), 2, "{:?}", host.routes());
        for one in &log {
            assert!(!one.headers.keys().any(|name| name.starts_with("proxy-")), "{:?}", one.headers);
        }
        assert!(!run.show().contains("word"), "{}", run.show());
    }
}

#[test]
fn a_host_without_tls_is_asked_through_the_proxy() {
    let here = tempfile::tempdir().unwrap();
    let host = TestRegistry::start(Options::default());
    fill(&host);
    let proxy = Forward::start(&host.host(), None);
    let url = proxy.url(None);
    let _ = inspect(here.path(), "--plain-http", "registry.test:5000", &[("HTTP_PROXY", &url)]).expect(0);
    let passed: Vec<String> = proxy.log().into_iter().map(|one| one.request).collect();
    assert_eq!(passed.len(), 2, "{passed:?}");
    assert_eq!(passed[0], "GET http://registry.test:5000/v2/app/manifests/v1");
    assert!(passed[1].starts_with("GET http://registry.test:5000/v2/app/blobs/sha256:"), "{}", passed[1]);
}

#[test]
fn what_is_named_in_no_proxy_and_this_machine_are_asked_directly() {
    let here = tempfile::tempdir().unwrap();
    let host = TestRegistry::start(Options::default());
    fill(&host);
    let proxy = Forward::start(&host.host(), None);
    let url = proxy.url(None);
    // An address that leads to this machine and is not one of its own names.
    let any = host.host().replace("127.0.0.1", "0.0.0.0");
    let through = |place: &str, more: &[(&str, &str)]| {
        let before = proxy.log().len();
        let variables = [&[("HTTP_PROXY", url.as_str()), ("HTTPS_PROXY", &url)], more].concat();
        let _ = inspect(here.path(), "--plain-http", place, &variables).expect(0);
        proxy.log().len() - before
    };
    assert_eq!(through(&any, &[]), 2);
    assert_eq!(through(&any, &[("NO_PROXY", "example.com,0.0.0.0")]), 0);
    assert_eq!(through(&any, &[("NO_PROXY", "*")]), 0);
    assert_eq!(through(&any, &[("NO_PROXY", "example.com")]), 2);
    assert_eq!(through(&host.host(), &[]), 0);
}

#[test]
fn a_proxy_that_wants_a_login_is_told_of_at_once() {
    let here = tempfile::tempdir().unwrap();
    let host = TestRegistry::start(Options::default());
    let proxy = Forward::start(&host.host(), Some("out:word"));
    for (flags, variable) in [("", "HTTPS_PROXY"), ("--plain-http", "HTTP_PROXY")] {
        for login in [None, Some("out:wrong")] {
            let before = proxy.log().len();
            let run =
                inspect(here.path(), flags, "registry.test", &[(variable, &proxy.url(login))]).expect(4);
            assert_eq!(run.json()["diagnostics"][0]["code"], "registry-denied");
            assert!(run.show().contains("HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"), "{}", run.show());
            assert!(!run.show().contains("wrong"), "{}", run.show());
            assert_eq!(proxy.log().len() - before, 1);
        }
    }
    assert_eq!(host.log().len(), 0);
}
