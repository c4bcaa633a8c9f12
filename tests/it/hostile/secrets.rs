//! Programs that should know a login and do something else, and hosts that say what is nobody's business. Every case looks at
//! all that was said with `-v` and `--events`.

use super::case::{Case, Ended, PASSWORD, login_of_me, program, seen, side_by_side};
use super::images::{app, assembled, public};
use crate::support::registry::{Auth, Fault, Options, TestRegistry};

const SIGNATURE: &str = "c2lnbmVkLXNpZ25hdHVyZQ";

/// A run with a helper, which is a script.
fn helped(name: &str, store: &str, file: &str, script: &str) -> (Ended, bool) {
    let host = app(Options { auth: Auth::Basic("me", PASSWORD), ..Options::default() });
    let case = Case::new(name).host(&host).patient();
    let config = serde_json::json!({"credsStore": store}).to_string();
    let path = format!("{}:{}", case.here.path().join("bin").display(), std::env::var("PATH").unwrap());
    let case = case.file(".docker/config.json", config).env("PATH", &path);
    program(&case.here.path().join(file), &format!("cd {}; {script}", case.here.path().display()));
    let ended = case.run("image inspect HOST/app:v1");
    (ended, case.left().contains(&"ran".to_owned()))
}

#[test]
fn a_credential_helper_is_a_name_has_little_time_and_little_to_say() {
    let helper = "bin/docker-credential-odd";
    let (right, ran) = helped(
        "a helper",
        "odd",
        helper,
        &format!("touch ran; echo '{{\"Username\":\"me\",\"Secret\":\"{PASSWORD}\"}}'"),
    );
    assert!(ran && right.code == 0, "{}", right.text());
    // A name with a way in it would run whatever lies there.
    let mut ends = Vec::new();
    for (store, file) in [
        ("../evil", "docker-credential-../evil"),
        ("../evil", "bin/evil"),
        ("x/../../evil", "docker-credential-x/evil"),
        ("/evil", "docker-credential-/evil"),
        ("odd; touch ran", "bin/docker-credential-odd"),
        ("-odd", "bin/docker-credential--odd"),
    ] {
        let (ended, ran) = helped(store, store, file, "touch ran");
        assert!(!ran, "{store}");
        ends.push(ended);
    }
    let babble: Vec<(&str, String)> = vec![
        ("one that hangs", "exec sleep 600".to_owned()),
        ("one that leaves somebody behind", "sleep 20 & exec sleep 600".to_owned()),
        ("one that never stops", "exec yes".to_owned()),
        ("one that says it all", format!("echo password {PASSWORD}; exit 1")),
        ("one that complains", format!("echo {PASSWORD} >&2; exit 1")),
        ("one that says something else", format!("echo '{{\"Secret\":\"{PASSWORD}\"'")),
    ];
    let cases = babble.into_iter().map(|(name, script)| -> Box<dyn FnOnce() -> Ended + Send> {
        Box::new(move || helped(name, "odd", helper, &script).0)
    });
    ends.extend(side_by_side(cases.collect()));
    insta::assert_snapshot!(seen(&ends), @r"
    # ../evil: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: HERE/.docker/config.json: `../evil` is not the name of a credential helper

    # ../evil: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: HERE/.docker/config.json: `../evil` is not the name of a credential helper

    # x/../../evil: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: HERE/.docker/config.json: `x/../../evil` is not the name of a credential helper

    # /evil: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: HERE/.docker/config.json: `/evil` is not the name of a credential helper

    # odd; touch ran: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: HERE/.docker/config.json: `odd; touch ran` is not the name of a credential helper

    # -odd: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: HERE/.docker/config.json: `-odd` is not the name of a credential helper

    # one that hangs: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: docker-credential-odd did not answer in 15 seconds

    # one that leaves somebody behind: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: docker-credential-odd did not answer in 15 seconds

    # one that never stops: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: docker-credential-odd says more than 65536 bytes

    # one that says it all: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: docker-credential-odd failed

    # one that complains: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: docker-credential-odd failed

    # one that says something else: exit 4
    error[registry-credentials]: the credentials for HOST cannot be read: docker-credential-odd: it cannot be parsed, line 2, column 0
    ");
}

#[test]
fn signatures_tokens_and_passwords_are_never_said() {
    let mut ends = Vec::new();
    let query = format!("X-Amz-Credential=AKIA{SIGNATURE}&X-Amz-Signature={SIGNATURE}&sig={SIGNATURE}");

    // A blob behind a signed URL, whose storage repeats what it was asked.
    let case = Case::new("a signed URL").may_ask_elsewhere().secret(SIGNATURE);
    let host = app(Options { auth: Auth::Bearer(Some(("me", PASSWORD))), ..Options::default() });
    let echo = format!(r#"{{"errors":[{{"code":"DENIED","message":"bad request {query}"}}]}}"#);
    case.elsewhere.fail("GET", "", 9, Fault::Answer(400, "", echo.leak()));
    let place = format!("Location: http://{}/bucket/blob?{query}", case.elsewhere.host());
    host.fail("GET", "blobs", 9, Fault::Answer(307, place.leak(), ""));
    let case = case.login(&[&host.host()]).host(&host);
    ends.push(case.run("image inspect HOST/app:v1"));
    ends.push(case.run("image inspect HOST/app:v1 --format json"));

    // One that leads into a private network, so that its place is told.
    let case = Case::new("a signed URL that is not followed").secret(SIGNATURE);
    let host = app(Options::default());
    let place = format!("Location: http://169.254.169.254/x?{query}");
    host.fail("GET", "blobs", 9, Fault::Answer(307, place.leak(), ""));
    ends.push(case.host(&host).run("image inspect HOST/app:v1"));

    // A session of an upload is as good as a login.
    let case = assembled(Case::new("a session")).secret(SIGNATURE);
    let host = TestRegistry::start(Options::default());
    let session = format!("/v2/app/blobs/uploads/{SIGNATURE}?_state={SIGNATURE}");
    // Of these nobody knows anything; the next are right.
    host.fail("POST", "uploads", 2, Fault::Header("Location", session));
    ends.push(case.patient().host(&host).run("image push oci:local:v2 HOST/app:v2"));

    // A host that repeats what it was sent.
    for (name, text) in [
        ("a header", format!("got Authorization: Basic {}", login_of_me())),
        ("JSON", format!("got {{\\\"password\\\":\\\"{PASSWORD}\\\"}}")),
        ("a token", format!("Bearer token-1 and token={SIGNATURE}")),
        ("colours", format!("\\u001b[31mpassword: {PASSWORD}\\u001b[0m\\r\\nerror: fake")),
    ] {
        let case = Case::new(format!("a host that repeats {name}")).secret(SIGNATURE);
        let host = app(Options { auth: Auth::Basic("me", PASSWORD), ..Options::default() });
        let body = format!(r#"{{"errors":[{{"code":"DENIED","message":"{text}"}}]}}"#);
        host.fail("GET", "manifests", 1, Fault::Answer(401, "WWW-Authenticate: Basic realm=\"x\"", ""));
        host.fail("GET", "manifests", 9, Fault::Answer(403, "", body.leak()));
        ends.push(case.login(&[&host.host()]).host(&host).run("image inspect HOST/app:v1"));
    }

    // A token server that answers with half a token, and one that says no and repeats.
    for (name, status, body) in [
        ("half a token", 200, format!(r#"{{"token":"{SIGNATURE}"#)),
        ("a token with a line break", 200, format!(r#"{{"token":"{SIGNATURE}\nX-Evil: 1"}}"#)),
        ("no token", 200, format!(r#"{{"error":"password {PASSWORD}"}}"#)),
        ("a no", 401, format!(r#"{{"errors":[{{"code":"UNAUTHORIZED","message":"password={PASSWORD}"}}]}}"#)),
    ] {
        let auth = Auth::Realm(format!("https://registry.test/token?account=me&secret={SIGNATURE}"));
        let (host, case) = public(name, Options { auth, ..Options::default() });
        host.fail("GET", "/token", 9, Fault::Answer(status, "", body.leak()));
        ends.push(case.secret(SIGNATURE).run("image inspect registry.test/app:v1 --ca-file ca.pem"));
    }
    insta::assert_snapshot!(seen(&ends), @r#"
    # a signed URL: exit 1
    error[registry-refused]: HOST answered 400 to GET blobs/sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b of app
      code     DENIED
      message  bad request [redacted]

    # a signed URL: exit 1
    {
      "schema": "kyklos-release/error/v1",
      "ok": false,
      "data": null,
      "diagnostics": [
        {
          "code": "registry-refused",
          "severity": "error",
          "message": "HOST answered 400 to GET blobs/sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b of app; code DENIED; message
        }
      ]
    }
    error[registry-refused]: HOST answered 400 to GET blobs/sha256:c6bb9a261d63ed7f340d54e4a9bf2aeaee939a39723e867dbcdda6e0a0aa853b of app
      code     DENIED
      message  bad request [redacted]

    # a signed URL that is not followed: exit 1
    error[registry-astray]: HOST leads to http://169.254.169.254/x, which is not followed: it is an address of a private network

    # a session: exit 0
    sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
    HOST/app:v2
      created    v2
      uploaded   2
      manifests  2
    warning: HOST answered 404 to PUT blobs/uploads/… of app; trying again in N s
          Pushed sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773 to HOST/app:v2

    # a host that repeats a header: exit 4
    error[registry-denied]: HOST answered 403 to GET manifests/v1 of app
      code     DENIED
      message  got [redacted]
    help: log in with `docker login HOST`, or name a file of credentials with --authfile

    # a host that repeats JSON: exit 4
    error[registry-denied]: HOST answered 403 to GET manifests/v1 of app
      code     DENIED
      message  got {"[redacted]
    help: log in with `docker login HOST`, or name a file of credentials with --authfile

    # a host that repeats a token: exit 4
    error[registry-denied]: HOST answered 403 to GET manifests/v1 of app
      code     DENIED
      message  [redacted]
    help: log in with `docker login HOST`, or name a file of credentials with --authfile

    # a host that repeats colours: exit 4
    error[registry-denied]: HOST answered 403 to GET manifests/v1 of app
      code     DENIED
      message  \u{1b}[31m[redacted]
    help: log in with `docker login HOST`, or name a file of credentials with --authfile

    # half a token: exit 1
    error[registry-invalid]: the answer of the token server of registry.test is not valid: it is no token

    # a token with a line break: exit 1
    error[registry-invalid]: the answer of the token server of registry.test is not valid: its token cannot stand in a header

    # no token: exit 1
    error[registry-invalid]: the answer of the token server of registry.test is not valid: it holds no token

    # a no: exit 4
    error[registry-denied]: registry.test answered 401 to a token of https://registry.test/token
      code     UNAUTHORIZED
      message  [redacted]
    help: log in with `docker login registry.test`, or name a file of credentials with --authfile
    "#);
}

#[test]
fn another_writer_between_the_look_and_the_tag_is_seen_and_no_other_tag_moves() {
    let mut ends = Vec::new();
    for (name, tags) in [("one tag", ""), ("rolling tags", "--tag v1.2 --tag v1 --tag latest")] {
        let host = app(Options::default());
        let case = Case::new(name).host(&host).file("bin/app", "one");
        let line = "image assemble --binary linux/amd64=bin/app -o oci:local:v1.2.3";
        let _ = crate::support::command::kyklos(case.here.path()).args(line).run().expect(0);
        host.fail("PUT", "manifests/v1.2.3", 1, Fault::Usurped);
        ends.push(case.run(&format!("image push oci:local:v1.2.3 HOST/app:v1.2.3 {tags}")));
        assert_eq!(
            host.stored("app").tags.keys().collect::<Vec<_>>(),
            ["v1", "v1.2.3"],
            "{:?}",
            host.routes()
        );
    }
    insta::assert_snapshot!(seen(&ends), @r"
    # one tag: exit 5
    error[image-tag-raced]: the tag v1.2.3 was set by somebody else just now
      expected  sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
      found     sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
    help: find out who else publishes here; no other tag was moved

    # rolling tags: exit 5
    error[image-tag-raced]: the tag v1.2.3 was set by somebody else just now
      expected  sha256:43bf6c7613fcf3c80d0e12446c2eee1f0cfcadf50ddb0686f3eb70ae2395f773
      found     sha256:4bb307a91fd7fcf6f5590509bd4937c2c65fe10d38eca6982c49a76e4d691729
    help: find out who else publishes here; no other tag was moved
    ");
}
