//! Where a login may not go: along with a redirect, to the place of an upload, to a token server of somebody else.

use super::case::{Case, Ended, PASSWORD, login_of_me, seen};
use super::images::{app, assembled, public};
use crate::support::registry::{Auth, Fault, Options, TestRegistry};

/// What asks for a login.
const ASKS: Fault = Fault::Answer(401, "WWW-Authenticate: Basic realm=\"x\"", "");

const BASIC: Auth = Auth::Basic("me", PASSWORD);

fn led_to(status: u16, place: &str) -> Fault {
    Fault::Answer(status, format!("Location: {place}").leak(), "")
}

/// A registry that asks for the login it gets, and then answers some requests in its own way.
fn guarded(method: &str, place: &str, times: usize, fault: Fault) -> TestRegistry {
    let host = app(Options { auth: BASIC, ..Options::default() });
    host.fail(method, place, 1, ASKS);
    host.fail(method, place, times, fault);
    host
}

/// Runs a line against it; the login must have been sent there.
fn run(case: Case, host: &TestRegistry, line: &str) -> Ended {
    let ended = case.login(&[&host.host()]).host(host).run(line);
    assert!(host.log().iter().any(|one| one.headers.contains_key("authorization")), "{:?}", host.routes());
    ended
}

#[test]
fn a_redirect_takes_no_login_along() {
    let mut ends = Vec::new();
    for (name, place, asked) in [
        ("another port", "http://ELSEWHERE/v2/x", true),
        ("another name of this machine", "http://localhost:PORT/v2/x", true),
        ("link-local", "http://169.254.169.254/latest/meta-data", false),
        ("a private network", "http://10.0.0.1/x", false),
        ("a name", "http://evil.test.:80@10.0.0.1/x", false),
        ("a file", "file:///etc/passwd", false),
        ("with a password", "http://me:hunter2hunter2@ELSEWHERE/x", false),
        ("nothing", "http://[", false),
    ] {
        let mut case = Case::new(name);
        let port = case.elsewhere.host().split(':').nth(1).unwrap().to_owned();
        let place = place.replace("ELSEWHERE", &case.elsewhere.host()).replace("PORT", &port);
        if asked {
            case = case.may_ask_elsewhere().word("PORT", &port);
        }
        let host = guarded("GET", "manifests", 99, led_to(307, &place));
        ends.push(run(case, &host, "image inspect HOST/app:v1"));
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # another port: exit 2
    error[image-not-found]: the tag v1 of HOST/app:v1 is not in the registry

    # another name of this machine: exit 2
    error[image-not-found]: the tag v1 of HOST/app:v1 is not in the registry

    # link-local: exit 1
    error[registry-astray]: HOST leads to http://169.254.169.254/latest/meta-data, which is not followed: it is an address of a private network

    # a private network: exit 1
    error[registry-astray]: HOST leads to http://10.0.0.1/x, which is not followed: it is an address of a private network

    # a name: exit 1
    error[registry-astray]: HOST leads to http://10.0.0.1/x, which is not followed: it holds a user or password

    # a file: exit 1
    error[registry-astray]: HOST leads to file:///etc/passwd, which is not followed: only http and https are followed

    # with a password: exit 1
    error[registry-astray]: HOST leads to http://ELSEWHERE/x, which is not followed: it holds a user or password

    # nothing: exit 1
    error[registry-astray]: HOST leads to a place that is no URL, which is not followed: it is no URL
    ");
    // Whatever the status, and what a token allows stays at home as well.
    for (auth, status) in [301, 302, 303, 307, 308]
        .map(|status| (BASIC, status))
        .into_iter()
        .chain([(Auth::Bearer(Some(("me", PASSWORD))), 307)])
    {
        let case = Case::new(format!("a blob, {status}")).may_ask_elsewhere();
        let host = app(Options { auth, ..Options::default() });
        host.fail("GET", "blobs", 99, led_to(status, &format!("http://{}/x", case.elsewhere.host())));
        let host_name = host.host();
        let case = case.login(&[&host_name]).host(&host);
        assert_eq!(case.run("image inspect HOST/app:v1").code, 3);
        assert_eq!(case.elsewhere.log().len(), 1);
        assert!(host.log().iter().any(|one| one.headers.contains_key("authorization")));
    }
}

#[test]
fn who_has_left_or_goes_in_circles_gets_no_login() {
    let case = Case::new("there and back").may_ask_elsewhere();
    let host = guarded("GET", "manifests", 1, led_to(307, &format!("http://{}/x", case.elsewhere.host())));
    case.elsewhere.fail("GET", "", 1, led_to(307, &format!("http://{}/v2/app/manifests/v1", host.host())));
    let back = run(case, &host, "image inspect HOST/app:v1");
    let authorized: Vec<bool> =
        host.log().iter().map(|one| one.headers.contains_key("authorization")).collect();
    assert_eq!(authorized, [false, true, false]);

    let host = guarded("GET", "manifests", 99, led_to(307, "/v2/app/manifests/v1"));
    let circle = run(Case::new("a circle"), &host, "image inspect HOST/app:v1");
    assert_eq!(host.log().len(), 7);

    let host = guarded("GET", "manifests", 99, ASKS);
    let asks = run(Case::new("asked for ever"), &host, "image inspect HOST/app:v1");
    assert!(host.log().len() < 5, "{:?}", host.routes());
    insta::assert_snapshot!(seen(&[back, circle, asks]), @r"
    # there and back: exit 4
    error[registry-denied]: HOST answered 401 to GET manifests/v1 of app
      code     UNAUTHORIZED
      message  UNAUTHORIZED
    help: log in with `docker login HOST`, or name a file of credentials with --authfile

    # a circle: exit 1
    error[registry-refused]: HOST answered 307 to GET manifests/v1 of app

    # asked for ever: exit 4
    error[registry-denied]: HOST answered 401 to GET manifests/v1 of app
    help: log in with `docker login HOST`, or name a file of credentials with --authfile
    ");
}

#[test]
fn a_login_does_not_change_to_another_scheme() {
    // To TLS on another port of this machine: followed, without the login.
    let (other, authority) = TestRegistry::start_tls(Options::default());
    let case = Case::new("to TLS").file("ca.pem", authority).word("OTHER", &other.host());
    let host = guarded("GET", "manifests", 99, led_to(307, &format!("https://{}/v2/x", other.host())));
    let to = run(case, &host, "image inspect HOST/app:v1 --ca-file ca.pem");
    assert_eq!(other.log().len(), 1);
    assert!(!other.log()[0].headers.contains_key("authorization"));
    // From TLS to none, on the same host or another: not followed.
    let mut ends = vec![to];
    for place in ["http://registry.test/v2/app/manifests/v1", "http://ELSEWHERE/x", "http://evil.test/x"] {
        let (host, case) =
            public(&format!("from TLS to {place}"), Options { auth: BASIC, ..Options::default() });
        host.fail("GET", "manifests", 1, ASKS);
        host.fail("GET", "manifests", 99, led_to(307, &place.replace("ELSEWHERE", &case.elsewhere.host())));
        ends.push(case.run("image inspect registry.test/app:v1 --ca-file ca.pem"));
        assert!(host.log().iter().any(|one| one.headers.contains_key("authorization")));
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # to TLS: exit 2
    error[image-not-found]: the tag v1 of HOST/app:v1 is not in the registry

    # from TLS to http://registry.test/v2/app/manifests/v1: exit 1
    error[registry-astray]: registry.test leads to http://registry.test/v2/app/manifests/v1, which is not followed: it is without encryption

    # from TLS to http://ELSEWHERE/x: exit 1
    error[registry-astray]: registry.test leads to http://ELSEWHERE/x, which is not followed: it is without encryption

    # from TLS to http://evil.test/x: exit 1
    error[registry-astray]: registry.test leads to http://evil.test/x, which is not followed: it is without encryption
    ");
}

#[test]
fn an_upload_that_is_led_away_has_no_login() {
    let location = |place: &str| Fault::Header("Location", place.to_owned());
    let case = assembled(Case::new("another host")).may_ask_elsewhere();
    // Nobody there knows of an upload; the next places are at home again.
    let host = guarded("POST", "uploads", 2, location(&format!("http://{}/upload", case.elsewhere.host())));
    let case = case.login(&[&host.host()]).host(&host);
    let mut ends = vec![case.run("image push oci:local:v2 HOST/app:v2")];
    assert!(case.elsewhere.log().iter().any(|one| one.method == "PUT"), "{:?}", case.elsewhere.routes());
    for place in [
        "http://ELSEWHERE/upload",
        "http://registry.test/v2/app/blobs/uploads/x",
        "https://10.0.0.1/upload",
        "https://169.254.169.254/upload",
        "https://[fd00::1]/upload",
        "https://ELSEWHERE/upload",
        "file:///tmp/upload",
    ] {
        let (host, case) =
            public(&format!("from TLS to {place}"), Options { auth: BASIC, ..Options::default() });
        let case = assembled(case);
        host.fail("POST", "uploads", 1, ASKS);
        host.fail("POST", "uploads", 99, location(&place.replace("ELSEWHERE", &case.elsewhere.host())));
        ends.push(case.run("image push oci:local:v2 registry.test/app:v2 --ca-file ca.pem"));
        assert!(host.log().iter().any(|one| one.headers.contains_key("authorization")));
        assert!(!host.stored("app").tags.contains_key("v2"));
    }
    // The bytes may be led on as well; where they have left, there is no way back for the login.
    let case = assembled(Case::new("bytes that are led on and back")).may_ask_elsewhere();
    let host = app(Options { auth: BASIC, ..Options::default() });
    host.fail("PUT", "uploads", 2, led_to(307, &format!("http://{}/upload", case.elsewhere.host())));
    case.elsewhere.fail(
        "PUT",
        "",
        2,
        led_to(307, &format!("http://{}/v2/app/blobs/uploads/back", host.host())),
    );
    let case = case.login(&[&host.host()]).host(&host);
    ends.push(case.run("image push oci:local:v2 HOST/app:v2"));
    assert!(case.elsewhere.log().iter().any(|one| one.method == "PUT"), "{:?}", case.elsewhere.routes());
    let back: Vec<bool> = host
        .log()
        .iter()
        .filter(|one| one.path.contains("/back"))
        .map(|one| one.headers.contains_key("authorization"))
        .collect();
    assert!(
        !back.is_empty() && back.iter().all(|sent| !sent),
        "{:?} {:?} {}",
        host.routes(),
        case.elsewhere.log(),
        seen(&ends)
    );
    // A registry that is itself in a private network names itself, and nothing else there.
    let host = app(Options { absolute: true, ..Options::default() });
    let case = assembled(Case::new("a private registry names itself")).public("10.0.0.7:5000", &host.host());
    ends.push(case.run("image push oci:local:v2 10.0.0.7:5000/app:v2 --plain-http"));
    assert!(host.stored("app").tags.contains_key("v2"));
    let case =
        assembled(Case::new("a private registry names its neighbour")).public("10.0.0.7:5000", &host.host());
    host.change("app", |stored| drop(stored.tags.remove("v2")));
    host.change("app", |stored| stored.blobs.clear());
    host.fail("POST", "uploads", 99, location("http://10.0.0.8:5000/upload"));
    ends.push(case.run("image push oci:local:v2 10.0.0.7:5000/app:v2 --plain-http"));
    insta::assert_snapshot!(seen(&ends), @r"
    # another host: exit 0
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    HOST/app:v2
      created    v2
      uploaded   2
      manifests  2
    warning: HOST answered 404 to PUT blobs/uploads/… of app; trying again in N s
          Pushed sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 to HOST/app:v2

    # from TLS to http://ELSEWHERE/upload: exit 1
    error[registry-astray]: registry.test leads to http://ELSEWHERE/upload, which is not followed: it is without encryption

    # from TLS to http://registry.test/v2/app/blobs/uploads/x: exit 1
    error[registry-astray]: registry.test leads to http://registry.test/v2/app/blobs/uploads/…, which is not followed: it is without encryption

    # from TLS to https://10.0.0.1/upload: exit 1
    error[registry-astray]: registry.test leads to https://10.0.0.1/upload, which is not followed: it is an address of a private network

    # from TLS to https://169.254.169.254/upload: exit 1
    error[registry-astray]: registry.test leads to https://169.254.169.254/upload, which is not followed: it is an address of a private network

    # from TLS to https://[fd00::1]/upload: exit 1
    error[registry-astray]: registry.test leads to https://[fd00::1]/upload, which is not followed: it is an address of a private network

    # from TLS to https://ELSEWHERE/upload: exit 1
    error[registry-astray]: registry.test leads to https://ELSEWHERE/upload, which is not followed: it is an address of a private network

    # from TLS to file:///tmp/upload: exit 1
    error[registry-astray]: registry.test leads to file:///tmp/upload, which is not followed: only http and https are followed

    # bytes that are led on and back: exit 4
    error[registry-denied]: HOST answered 401 to PUT blobs/uploads/… of app
      code     UNAUTHORIZED
      message  UNAUTHORIZED
    help: log in with `docker login HOST`, or name a file of credentials with --authfile

    # a private registry names itself: exit 0
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    10.0.0.7:5000/app:v2
      created    v2
      uploaded   2
      manifests  2
          Pushed sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 to 10.0.0.7:5000/app:v2

    # a private registry names its neighbour: exit 1
    error[registry-astray]: 10.0.0.7:5000 leads to http://10.0.0.8:5000/upload, which is not followed: it is an address of a private network
    ");
}

#[test]
fn a_token_server_of_somebody_else_gets_no_login() {
    let mut ends = Vec::new();
    for realm in [
        "http://registry.test/token",
        "http://169.254.169.254/token",
        "https://169.254.169.254/token",
        "https://127.0.0.1/token",
        "file:///etc/passwd",
        "https://evil.test/token",
        "https://registry.test.evil.test/token",
        "https://me:hunter2hunter2@registry.test/token",
        "/token",
    ] {
        let (host, case) =
            public(realm, Options { auth: Auth::Realm(realm.to_owned()), ..Options::default() });
        ends.push(case.run("image inspect registry.test/app:v1 --ca-file ca.pem"));
        assert!(host.log().iter().all(|one| !one.headers.contains_key("authorization")));
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # http://registry.test/token: exit 1
    error[registry-astray]: registry.test leads to http://registry.test/token, which is not followed: it is without encryption

    # http://169.254.169.254/token: exit 1
    error[registry-astray]: registry.test leads to http://169.254.169.254/token, which is not followed: it is without encryption

    # https://169.254.169.254/token: exit 1
    error[registry-astray]: registry.test leads to https://169.254.169.254/token, which is not followed: it is an address of a private network

    # https://127.0.0.1/token: exit 1
    error[registry-astray]: registry.test leads to https://127.0.0.1/token, which is not followed: it is an address of a private network

    # file:///etc/passwd: exit 1
    error[registry-astray]: registry.test leads to file:///etc/passwd, which is not followed: only http and https are followed

    # https://evil.test/token: exit 1
    error[registry-astray]: registry.test leads to https://evil.test/token, which is not followed: a login is not sent to another organisation

    # https://registry.test.evil.test/token: exit 1
    error[registry-astray]: registry.test leads to https://registry.test.evil.test/token, which is not followed: a login is not sent to another organisation

    # https://me:hunter2hunter2@registry.test/token: exit 1
    error[registry-astray]: registry.test leads to https://registry.test/token, which is not followed: it holds a user or password

    # /token: exit 1
    error[registry-astray]: registry.test leads to a realm that is no URL, which is not followed: it is no URL
    ");
}

#[test]
fn a_token_server_that_belongs_to_the_registry_gets_the_login_and_nobody_else() {
    let basic = format!("Basic {}", login_of_me());
    for (registry, api, token) in [
        ("registry.test", "registry.test", "auth.registry.test"),
        ("registry.test", "registry.test", "registry.test"),
        ("docker.io", "registry-1.docker.io", "auth.docker.io"),
    ] {
        let auth = Auth::Realm(format!("https://{token}/token"));
        let (host, case) = public(token, Options { auth, ..Options::default() });
        let case = case.login(&[registry]).public(&format!("{token}:443"), &host.host());
        let case = case.public(&format!("{api}:443"), &host.host());
        assert_eq!(case.run(&format!("image inspect {registry}/ns/app:v1 --ca-file ca.pem")).code, 2);
        for one in host.log() {
            let sent = one.headers.get("authorization").map(String::as_str);
            let expected = if one.path.starts_with("/token") { Some(basic.as_str()) } else { None };
            assert!(
                sent == expected || sent.is_some_and(|sent| sent.starts_with("Bearer token-")),
                "{one:?}"
            );
            assert_eq!(one.path.starts_with("/token"), sent == Some(&basic), "{one:?}");
            assert_eq!(one.headers["host"], if one.path.starts_with("/token") { token } else { api });
        }
        assert!(host.log().iter().any(|one| one.path.starts_with("/token")), "{:?}", host.routes());
    }
    // Without a login any server may be asked for a token.
    let auth = Auth::Realm("https://evil.test/token".to_owned());
    let (host, case) = public("nobody", Options { auth, ..Options::default() });
    let case = case.login(&[]).public("evil.test:443", &host.host());
    assert_eq!(case.run("image inspect registry.test/app:v1 --ca-file ca.pem").code, 0);
    let asked = host.log().into_iter().find(|one| one.path.starts_with("/token")).unwrap();
    assert!(!asked.headers.contains_key("authorization"));
}

#[test]
fn a_token_server_does_not_hand_a_login_on() {
    let auth = Auth::Realm("https://registry.test/token".to_owned());
    let (host, case) = public("a redirect of the token server", Options { auth, ..Options::default() });
    host.fail("GET", "/token", 99, led_to(307, &format!("http://{}/token", case.elsewhere.host())));
    let away = case.run("image inspect registry.test/app:v1 --ca-file ca.pem");
    // A refresh token is posted, to the same places only.
    let auth = Auth::Realm("https://evil.test/token".to_owned());
    let (_host, case) = public("a refresh token", Options { auth, ..Options::default() });
    let logins = serde_json::json!({"auths": {"registry.test": {"identitytoken": PASSWORD}}});
    let case = case.file(".docker/config.json", logins.to_string());
    let refresh = case.run("image inspect registry.test/app:v1 --ca-file ca.pem");
    insta::assert_snapshot!(seen(&[away, refresh]), @r"
    # a redirect of the token server: exit 1
    error[registry-refused]: registry.test answered 307 to a token of https://registry.test/token

    # a refresh token: exit 1
    error[registry-astray]: registry.test leads to https://evil.test/token, which is not followed: a login is not sent to another organisation
    ");
}
