//! The way to a host: proxies that the environment names, what goes around them, and who vouches for the other end.

use std::io::{Read as _, Write as _};

use super::case::{Case, Ended, PASSWORD, seen, side_by_side};
use super::images::{app, fill};
use crate::support::forward::{Forward, Manner, secured};
use crate::support::registry::{Auth, Options, TestRegistry, certified_for, self_signed};

/// The login of a proxy, which is nobody's business either.
const OUT: &str = "out:w0rdw0rd";

/// A world with another proxy than the usual one, under some variables.
fn behind(name: &str, proxy: &str, variables: &[&str]) -> Case {
    let case = Case::new(name)
        .env("HTTP_PROXY", "")
        .env("HTTPS_PROXY", "")
        .secret("w0rdw0rd")
        .secret("b3V0OncwcmR3MHJk");
    variables.iter().fold(case, |case, variable| case.env(variable, proxy))
}

#[test]
fn a_host_with_tls_is_reached_through_a_tunnel_and_the_proxy_learns_no_login_of_it() {
    let (host, authority) =
        TestRegistry::start_tls(Options { auth: Auth::Basic("me", PASSWORD), ..Options::default() });
    fill(&host);
    let proxy = Forward::start(&host.host(), Some(OUT));
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        host.forget();
        let before = proxy.log().len();
        let case = behind(variable, &proxy.url(Some(OUT)), &[variable]).login(&["registry.test"]);
        let case = case.file("ca.pem", &authority);
        let ended = case.run("image inspect registry.test/app:v1 --ca-file ca.pem");
        assert_eq!(ended.code, 0, "{}", ended.text());
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
        assert!(log.iter().all(|one| !one.headers.keys().any(|name| name.starts_with("proxy-"))));
    }
}

#[test]
fn a_proxy_may_be_spoken_to_with_tls() {
    let host = app(Options::default());
    let proxy = Forward::start(&host.host(), Some(OUT));
    let (secured, authority) = secured(&proxy.host());
    let line = "image inspect registry.test:5000/app:v1 --plain-http --ca-file ca.pem";
    let address = format!("https://{OUT}@{secured}");
    let case = behind("a proxy with TLS", &address, &["HTTP_PROXY"]).file("ca.pem", authority);
    let ended = case.run(line);
    assert_eq!((ended.code, proxy.log().len()), (0, 2), "{}", ended.text());
    // Nobody vouches for it, so it is not told the login.
    let (_, other) = certified_for(&["other.test"], 1975..4096);
    let case = behind("a proxy that nobody vouches for", &address, &["HTTP_PROXY"]).file("ca.pem", other);
    let ended = case.word("PROXY", &secured).run(line);
    assert_eq!(proxy.log().len(), 2);
    insta::assert_snapshot!(ended.text(), @r"
    # a proxy that nobody vouches for: exit 4
    error[registry-insecure]: the proxy PROXY is not trusted: nobody who is trusted vouches for its certificate
    help: name a certificate authority that vouches for the host with --ca-file FILE or SSL_CERT_FILE
    ");
}

#[test]
fn a_host_without_tls_is_asked_through_the_proxy() {
    let host = app(Options::default());
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = Forward::start(&host.host(), None);
        // Without a scheme it is http.
        let case = behind(variable, &proxy.host(), &[variable]);
        assert_eq!(case.run("image inspect registry.test:5000/app:v1 --plain-http").code, 0);
        let passed: Vec<String> = proxy.log().into_iter().map(|one| one.request).collect();
        assert_eq!(passed.len(), 2, "{passed:?}");
        assert_eq!(passed[0], "GET http://registry.test:5000/v2/app/manifests/v1");
        assert!(passed[1].starts_with("GET http://registry.test:5000/v2/app/blobs/sha256:"), "{}", passed[1]);
    }
}

#[test]
fn what_no_proxy_lists_and_this_machine_are_asked_directly() {
    let host = app(Options::default());
    // An address that leads to this machine and is not one of its own names.
    let any = host.host().replace("127.0.0.1", "0.0.0.0");
    let port = any.split(':').nth(1).unwrap();
    let through = |place: &str, more: &[(&str, String)]| {
        let proxy = Forward::start(&host.host(), None);
        let case = behind(place, &proxy.url(Some(OUT)), &["HTTP_PROXY", "HTTPS_PROXY"]);
        let case = more.iter().fold(case, |case, (name, value)| case.env(name, value));
        assert_eq!(case.run(&format!("image inspect {place}/app:v1 --plain-http")).code, 0);
        proxy.log().len()
    };
    assert_eq!(through(&any, &[]), 2);
    for (list, asked) in [
        ("example.com,0.0.0.0".to_owned(), 0),
        ("*".to_owned(), 0),
        ("0.0.0.0/8".to_owned(), 0),
        (format!("0.0.0.0:{port}"), 0),
        (format!("0.0.0.0/8:{port}"), 0),
        ("0.0.0.0:1".to_owned(), 2),
        ("10.0.0.0/8".to_owned(), 2),
        ("example.com".to_owned(), 2),
        (".0.0.0".to_owned(), 2),
        (String::new(), 2),
    ] {
        for variable in ["NO_PROXY", "no_proxy"] {
            assert_eq!(through(&any, &[(variable, list.clone())]), asked, "{variable}={list}");
        }
    }
    // The one in capital letters is meant.
    let both = [("NO_PROXY", "example.com".to_owned()), ("no_proxy", "*".to_owned())];
    assert_eq!(through(&any, &both), 2);
    for place in [host.host(), host.host().replace("127.0.0.1", "localhost")] {
        assert_eq!(through(&place, &[]), 0, "{place}");
    }
}

#[test]
fn a_variable_that_names_no_proxy_is_not_gone_around() {
    let mut ends = Vec::new();
    for value in ["http://out:w0rdw0rd@proxy.test:port", "socks5://out:w0rdw0rd@127.0.0.1:1080", "http://"] {
        let case = behind(value.split("://").next().unwrap(), value, &["HTTPS_PROXY"]);
        ends.push(case.run("image inspect registry.test/app:v1"));
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # http: exit 2
    error[http-proxy]: the proxy that HTTPS_PROXY names cannot be used: it is no URL
    help: set HTTPS_PROXY=http://[USER:PASSWORD@]HOST:PORT

    # socks5: exit 2
    error[http-proxy]: the proxy that HTTPS_PROXY names cannot be used: only http:// and https:// are used
    help: set HTTPS_PROXY=http://[USER:PASSWORD@]HOST:PORT

    # http: exit 2
    error[http-proxy]: the proxy that HTTPS_PROXY names cannot be used: it is no URL
    help: set HTTPS_PROXY=http://[USER:PASSWORD@]HOST:PORT
    ");
}

#[test]
fn a_proxy_that_does_not_do_its_work_is_told_of() {
    let wants = "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    let busy = "HTTP/1.1 502 X\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>Unicorn</html>";
    let page = "HTTP/1.1 200 X\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<html>Log in!</html> ";
    let line = "image inspect registry.test/app:v1";
    let plain = "image inspect registry.test/app:v1 --plain-http";
    let troubles: Vec<(&str, Manner, &str)> = vec![
        ("a tunnel needs a login", Manner::Says(wants), line),
        ("a request needs a login", Manner::Says(wants), plain),
        ("a tunnel is refused", Manner::Says(busy), line),
        ("a request is refused", Manner::Says(busy), plain),
        ("a tunnel ends on a page", Manner::Says(page), line),
        ("a request ends on a page", Manner::Says(page), plain),
        ("a tunnel ends on nothing", Manner::Says(""), line),
        ("a tunnel ends on nonsense", Manner::Says("220 mail.test ESMTP\r\n"), line),
        ("a tunnel hangs", Manner::Hangs, line),
    ];
    let mut cases: Vec<Box<dyn FnOnce() -> Ended + Send>> = Vec::new();
    for (name, manner, line) in troubles {
        cases.push(Box::new(move || {
            let proxy = Forward::with(manner, None);
            let case = behind(name, &proxy.url(Some(OUT)), &["HTTP_PROXY", "HTTPS_PROXY"]);
            let ended = case.word("PROXY", &proxy.host()).patient().run(line);
            assert!(!proxy.log().is_empty() && proxy.log().len() < 5, "{name}: {:?}", proxy.log());
            ended
        }));
    }
    cases.push(Box::new(|| {
        // A port that was free a moment ago.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let case = behind("nobody is there", &format!("http://{OUT}@{gone}"), &["HTTPS_PROXY"]);
        case.word("PROXY", &gone).patient().run(line)
    }));
    insta::assert_snapshot!(seen(&side_by_side(cases)), @r"
    # a tunnel needs a login: exit 4
    error[registry-denied]: the proxy PROXY answered 407 to GET manifests/v1 of app
    help: give the proxy its login: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT

    # a request needs a login: exit 4
    error[registry-denied]: the proxy PROXY answered 407 to GET manifests/v1 of app
    help: give the proxy its login: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT

    # a tunnel is refused: exit 6
    warning: registry.test did not answer GET manifests/v1 of app: the proxy PROXY opens no tunnel; trying again in N s
    error[registry-unreached]: registry.test did not answer GET manifests/v1 of app: the proxy PROXY opens no tunnel
    help: run the same command again; what is stored is not sent again

    # a request is refused: exit 6
    warning: registry.test answered 502 to GET manifests/v1 of app; trying again in N s
    error[registry-transient]: registry.test answered 502 to GET manifests/v1 of app
    help: run the same command again; what is stored is not sent again

    # a tunnel ends on a page: exit 6
    warning: registry.test did not answer GET manifests/v1 of app: tls handshake eof (by the proxy PROXY); trying again in N s
    error[registry-unreached]: registry.test did not answer GET manifests/v1 of app: tls handshake eof (by the proxy PROXY)
    help: run the same command again; what is stored is not sent again

    # a request ends on a page: exit 1
    error[registry-invalid]: manifests/v1 of registry.test/app is not valid: expected value at line 1 column 1

    # a tunnel ends on nothing: exit 6
    warning: registry.test did not answer GET manifests/v1 of app: the proxy PROXY opens no tunnel; trying again in N s
    error[registry-unreached]: registry.test did not answer GET manifests/v1 of app: the proxy PROXY opens no tunnel
    help: run the same command again; what is stored is not sent again

    # a tunnel ends on nonsense: exit 6
    warning: registry.test did not answer GET manifests/v1 of app: the proxy PROXY opens no tunnel; trying again in N s
    error[registry-unreached]: registry.test did not answer GET manifests/v1 of app: the proxy PROXY opens no tunnel
    help: run the same command again; what is stored is not sent again

    # a tunnel hangs: exit 6
    warning: registry.test did not answer GET manifests/v1 of app: operation timed out (by the proxy PROXY); trying again in N s
    error[registry-unreached]: registry.test did not answer GET manifests/v1 of app: operation timed out (by the proxy PROXY)
    help: run the same command again; what is stored is not sent again

    # nobody is there: exit 6
    warning: registry.test did not answer GET manifests/v1 of app: Connection refused (os error 111) (by the proxy PROXY); trying again in N s
    error[registry-unreached]: registry.test did not answer GET manifests/v1 of app: Connection refused (os error 111) (by the proxy PROXY)
    help: run the same command again; what is stored is not sent again
    ");
}

#[test]
fn a_host_that_nobody_vouches_for_is_not_spoken_to() {
    let all = ["registry.test", "127.0.0.1"];
    let (known, authority) = certified_for(&all, 1975..4096);
    let (expired, old) = certified_for(&all, 1975..2001);
    let (early, new) = certified_for(&all, 4000..4096);
    let (other, others) = certified_for(&["other.test"], 1975..4096);
    let (own, itself) = self_signed(&all);
    let mut ends = Vec::new();
    let mut met = |name: &str, config: &rustls::ServerConfig, trusted: &str, line: &str| {
        let host = TestRegistry::start_as(
            Options { auth: Auth::Basic("me", PASSWORD), ..Options::default() },
            config.clone(),
        );
        fill(&host);
        let case = Case::new(name).login(&["registry.test"]).public("registry.test:443", &host.host());
        let case = case.file("ca.pem", trusted).env("SSL_CERT_DIR", "/nonexistent");
        let system = case.here.path().join("system.pem").display().to_string();
        let case = case.env("SSL_CERT_FILE", &system);
        let case = case.file("system.pem", if line.contains("--ca-file") { "" } else { trusted });
        let ended = case.run(line);
        assert_eq!(host.log().is_empty(), ended.code != 0, "nothing is sent before it is known who listens");
        ends.push(ended);
    };
    let flag = "image inspect registry.test/app:v1 --ca-file ca.pem";
    let variable = "image inspect registry.test/app:v1";
    met("an authority that was named", &known, &authority, flag);
    met("an authority of the system", &known, &authority, variable);
    met("an authority that nobody named", &known, &others, flag);
    met("another name", &other, &others, flag);
    met("expired", &expired, &old, flag);
    met("not yet valid", &early, &new, flag);
    met("vouches for itself", &own, &authority, flag);
    met("vouches for itself and was named", &own, &itself, flag);
    // A host that does not speak TLS at all.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut client in plain.incoming().flatten() {
            // As servers of Go do.
            client.read_exact(&mut [0; 100]).unwrap();
            let text = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n";
            client.write_all(text).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            // Until the other side has gone, however it goes.
            drop(std::io::copy(&mut client, &mut std::io::sink()));
        }
    });
    let case = Case::new("no TLS").public("registry.test:443", &address);
    ends.push(case.run("image inspect registry.test/app:v1"));
    insta::assert_snapshot!(seen(&ends), @r"
    # an authority that was named: exit 0
    registry.test/app:v1
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      type    application/vnd.oci.image.manifest.v1+json, 400 bytes
    linux/amd64
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      pulled  279 bytes
      runs    /app as 65532

    # an authority of the system: exit 0
    registry.test/app:v1
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      type    application/vnd.oci.image.manifest.v1+json, 400 bytes
    linux/amd64
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      pulled  279 bytes
      runs    /app as 65532

    # an authority that nobody named: exit 4
    error[registry-insecure]: registry.test is not trusted: nobody who is trusted vouches for its certificate
    help: name a certificate authority that vouches for the host with --ca-file FILE or SSL_CERT_FILE

    # another name: exit 4
    error[registry-insecure]: registry.test is not trusted: its certificate is for other.test
    help: name the host as its certificate does

    # expired: exit 4
    error[registry-insecure]: registry.test is not trusted: its certificate has expired
    help: look at the clock of this machine, then at that of the host

    # not yet valid: exit 4
    error[registry-insecure]: registry.test is not trusted: its certificate is not valid yet
    help: look at the clock of this machine, then at that of the host

    # vouches for itself: exit 4
    error[registry-insecure]: registry.test is not trusted: nobody who is trusted vouches for its certificate
    help: name a certificate authority that vouches for the host with --ca-file FILE or SSL_CERT_FILE

    # vouches for itself and was named: exit 0
    registry.test/app:v1
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      type    application/vnd.oci.image.manifest.v1+json, 400 bytes
    linux/amd64
      digest  sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
      pulled  279 bytes
      runs    /app as 65532

    # no TLS: exit 4
    error[registry-insecure]: registry.test is not trusted: it does not speak TLS
    help: with --plain-http it is spoken to without encryption; nobody logs in to such a host
    ");
}
