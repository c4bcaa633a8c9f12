//! Logins and tokens: who gets them, and how many are asked for.

use kyklos_release::format::oci::MANIFEST_LIMIT;
use kyklos_release::model::Digest;
use kyklos_release::port::{Content, Fault as Meaning, Registry as _, RegistryError, Stored};

use super::wait;
use crate::support::registry::{Auth, Options, TestRegistry, wire};

fn with(auth: Auth) -> TestRegistry {
    TestRegistry::start(Options { auth, ..Options::default() })
}

/// A `config.json` with one login.
fn login(host: &str, user: &str, password: &str) -> String {
    serde_json::json!({"auths": {host: {"username": user, "password": password}}}).to_string()
}

#[test]
fn a_token_costs_two_requests_however_much_is_done() {
    let host = with(Auth::Bearer(Some(("me", "secret"))));
    let wire = wire(Some(login(&host.host(), "me", "secret")));
    let (from, to) = (host.open_on(&wire, "from"), host.open_on(&wire, "to"));
    let blob = Content::bytes(Digest::of(b"x"), b"x".to_vec());
    wait(async {
        assert_eq!(from.put_blob(&blob, None).await.unwrap(), Stored::Uploaded);
        // 401, the token, then what was wanted.
        assert_eq!(host.log().len(), 4, "{:?}", host.routes());
        from.tags().await.unwrap();
        assert_eq!(host.log().len(), 5);
        host.forget();
        let to = to.clone().mounting_from(from.repository().unwrap());
        assert_eq!(to.put_blob(&blob, from.repository()).await.unwrap(), Stored::Mounted);
        assert_eq!(host.log().len(), 2, "{:?}", host.routes());
        host.expire_tokens();
        host.forget();
        from.tags().await.unwrap();
        assert_eq!(host.log().len(), 3, "one refresh: {:?}", host.routes());
    });
    let token = host.log().into_iter().find(|one| one.path.starts_with("/token")).unwrap();
    assert!(token.path.contains("repository%3Afrom%3Apull%2Cpush"), "{}", token.path);
}

#[test]
fn many_requests_at_once_ask_for_one_token() {
    let host = with(Auth::Bearer(None));
    let registry = host.open("a");
    wait(async {
        registry.tags().await.unwrap();
        host.expire_tokens();
        host.forget();
        let ask = || registry.tagged("v1", MANIFEST_LIMIT);
        let answers = tokio::join!(ask(), ask(), ask(), ask(), ask());
        assert!(answers.0.unwrap().is_none() && answers.4.unwrap().is_none());
    });
    let tokens = host.log().iter().filter(|one| one.path.starts_with("/token")).count();
    assert_eq!(tokens, 1, "{:?}", host.routes());
}

#[test]
fn basic_is_sent_when_it_is_asked_for() {
    let host = with(Auth::Basic("me", "secret"));
    let known = host.open_on(&wire(Some(login(&host.host(), "me", "secret"))), "a");
    wait(async {
        assert_eq!(known.tags().await.unwrap(), Vec::<String>::new());
        known.tags().await.unwrap();
    });
    let sent: Vec<bool> = host.log().iter().map(|one| one.headers.contains_key("authorization")).collect();
    assert_eq!(sent, [false, true, true]);
    for logins in [None, Some(login(&host.host(), "me", "wrong")), Some(login("ghcr.io", "me", "secret"))] {
        host.forget();
        let error = wait(host.open_on(&wire(logins), "a").tags()).unwrap_err();
        let RegistryError::Answered { fault: Meaning::Denied, exchange } = &error else { panic!("{error}") };
        assert_eq!((exchange.status, exchange.code.as_deref()), (Some(401), Some("UNAUTHORIZED")));
        assert!(host.log().len() <= 2, "{:?}", host.routes());
    }
}

#[test]
fn a_refresh_token_is_posted() {
    let host = with(Auth::Bearer(Some(("me", "identity"))));
    let logins = serde_json::json!({"auths": {host.host(): {"identitytoken": "identity"}}}).to_string();
    wait(host.open_on(&wire(Some(logins)), "a").tags()).unwrap();
    let token = host.log().into_iter().find(|one| one.path == "/token").unwrap();
    assert_eq!((token.method.as_str(), token.headers.contains_key("authorization")), ("POST", false));
}
