//! Logins for registries: docker's `config.json` and the `auth.json` of containers (containers-auth.json(5)).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

/// Most bytes of a file that are read.
pub const LIMIT: u64 = 1 << 20;

/// The name under which the login of Docker Hub is kept.
pub const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A login. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// User and password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A refresh token of OAuth2.
    Identity {
        /// The token.
        token: String,
    },
    /// A token that is sent as it is.
    Bearer {
        /// The token.
        token: String,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Credential::Basic",
            Self::Identity { .. } => "Credential::Identity",
            Self::Bearer { .. } => "Credential::Bearer",
        })
    }
}

/// Where the login for a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// In the file.
    Here(Credential),
    /// In the hands of `docker-credential-NAME`, which is asked for the server.
    Helper {
        /// The name: `[A-Za-z0-9._-]+`, not beginning with a dot or dash.
        name: String,
        /// What the helper knows the host as.
        server: String,
    },
}

/// A file of logins.
#[derive(Debug, Default)]
pub struct DockerConfig {
    written: Written,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry")
    }
}

/// What a credential helper answers (docker-credential-helpers, `get`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// What is wrong with a file of logins. Says nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogin {
    /// More bytes than are read.
    #[error("it has {found} bytes, at most {LIMIT} are read")]
    TooLarge {
        /// The size in bytes.
        found: u64,
    },
    /// Not JSON, or not of this shape.
    #[error("it cannot be parsed, line {line}, column {column}")]
    Json {
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
    /// The value `auth` is not `base64(user:password)`.
    #[error("the login for `{key}` is not base64 of user:password")]
    Auth {
        /// The name of the entry.
        key: String,
    },
    /// The name of a helper would leave its directory.
    #[error("`{name}` is not the name of a credential helper")]
    Helper {
        /// The refused name.
        name: String,
    },
}

fn json<'bytes, T: Deserialize<'bytes>>(bytes: &'bytes [u8]) -> Result<T, InvalidLogin> {
    if bytes.len() as u64 > LIMIT {
        return Err(InvalidLogin::TooLarge { found: bytes.len() as u64 });
    }
    // The message of the parser may quote a secret.
    serde_json::from_slice(bytes)
        .map_err(|error| InvalidLogin::Json { line: error.line(), column: error.column() })
}

impl DockerConfig {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidLogin> {
        Ok(Self { written: json(bytes)? })
    }

    /// The login for a repository: a helper for the host first, then the entry with the longest matching path
    /// (`ghcr.io/org/image`, `ghcr.io/org`, `ghcr.io`), then the store of everything. `None`: there is none.
    pub fn login(&self, host: &str, path: &str) -> Result<Option<Login>, InvalidLogin> {
        let server = server(host);
        let names = [host, server.as_str()];
        if let Some(name) = names.iter().find_map(|name| self.written.cred_helpers.get(*name)) {
            return helper(name, server).map(Some);
        }
        let mut best: Option<(usize, &String, &Entry)> = None;
        for (key, entry) in &self.written.auths {
            let Some(length) = matches(key, host, path) else { continue };
            if best.is_none_or(|(longest, ..)| length > longest) && !entry.is_empty() {
                best = Some((length, key, entry));
            }
        }
        if let Some((_, key, entry)) = best {
            return entry.credential(key).map(|found| found.map(Login::Here));
        }
        match self.written.creds_store.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => helper(name, server).map(Some),
            None => Ok(None),
        }
    }
}

/// How docker and its helpers name a host.
fn server(host: &str) -> String {
    match host {
        "docker.io" => DOCKER_HUB.to_owned(),
        host => host.to_owned(),
    }
}

/// How much of `HOST/PATH` a key covers, in bytes; `None` when it is about something else. Keys may have a scheme and
/// the path of an old API version.
fn matches(key: &str, host: &str, path: &str) -> Option<usize> {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let bare = bare.trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    let (key_host, key_path) = bare.split_once('/').unwrap_or((bare, ""));
    let hub = ["docker.io", "index.docker.io", "registry-1.docker.io"];
    let same = key_host.eq_ignore_ascii_case(host) || (hub.contains(&host) && hub.contains(&key_host));
    let below = key_path.is_empty()
        || path.strip_prefix(key_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (same && below).then_some(key_path.len())
}

fn helper(name: &str, server: String) -> Result<Login, InvalidLogin> {
    let ok = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if ok {
        Ok(Login::Helper { name: name.to_owned(), server })
    } else {
        Err(InvalidLogin::Helper { name: name.escape_debug().take(80).collect() })
    }
}

impl Entry {
    fn is_empty(&self) -> bool {
        let Self { auth, username, password, identitytoken, registrytoken } = self;
        let all = [auth, username, password, identitytoken, registrytoken];
        all.iter().all(|value| value.as_deref().unwrap_or_default().is_empty())
    }

    fn credential(&self, key: &str) -> Result<Option<Credential>, InvalidLogin> {
        let some = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(token) = some(&self.registrytoken) {
            return Ok(Some(Credential::Bearer { token }));
        }
        if let Some(token) = some(&self.identitytoken) {
            return Ok(Some(Credential::Identity { token }));
        }
        if let Some(auth) = some(&self.auth) {
            let invalid = || InvalidLogin::Auth { key: key.escape_debug().take(80).collect() };
            let auth = auth.trim();
            let bytes = STANDARD.decode(auth).or_else(|_| STANDARD_NO_PAD.decode(auth));
            let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)?;
            let (user, password) = text.trim_end_matches('\0').split_once(':').ok_or_else(invalid)?;
            return Ok(Some(of_pair(user, password)));
        }
        match (some(&self.username), some(&self.password)) {
            (Some(user), Some(password)) => Ok(Some(of_pair(&user, &password))),
            _ => Ok(None),
        }
    }
}

/// The answer of a credential helper.
pub fn helper_answer(bytes: &[u8]) -> Result<Credential, InvalidLogin> {
    let HelperAnswer { username, secret } = json(bytes)?;
    Ok(of_pair(&username, &secret))
}

/// The user `<token>` announces a refresh token.
fn of_pair(user: &str, password: &str) -> Credential {
    if user == "<token>" {
        Credential::Identity { token: password.to_owned() }
    } else {
        Credential::Basic { user: user.to_owned(), password: password.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn basic(user: &str) -> Login {
        Login::Here(Credential::Basic { user: user.to_owned(), password: "p".to_owned() })
    }

    #[test]
    fn the_longest_path_wins_and_old_keys_are_understood() {
        let text = r#"{"auths":{
            "ghcr.io":{"auth":"YTpw"},"ghcr.io/org":{"auth":"Yjpw"},"ghcr.io/org/app":{"username":"c","password":"p"},
            "https://index.docker.io/v1/":{"auth":"ZDpw"},"https://quay.io/v2/":{"auth":"ZTpw"},"empty.io":{}},
            "other":1}"#;
        let config = DockerConfig::parse(text.as_bytes()).unwrap();
        for (host, path, user) in [
            ("ghcr.io", "x", "a"),
            ("ghcr.io", "organic", "a"),
            ("ghcr.io", "org/x", "b"),
            ("ghcr.io", "org/app", "c"),
            ("docker.io", "library/x", "d"),
            ("quay.io", "x", "e"),
        ] {
            assert_eq!(config.login(host, path).unwrap(), Some(basic(user)), "{host}/{path}");
        }
        for host in ["ghcr.io.evil.com", "evil.com", "empty.io", "io"] {
            assert_eq!(config.login(host, "x").unwrap(), None, "{host}");
        }
    }

    #[test]
    fn helpers_tokens_and_stores() {
        let text = r#"{"auths":{"a.io":{"identitytoken":"t"},"b.io":{"registrytoken":"r"},"c.io":{}},
            "credHelpers":{"d.io":"ecr-login","docker.io":"hub"},"credsStore":"desktop"}"#;
        let config = DockerConfig::parse(text.as_bytes()).unwrap();
        let helper = |name: &str, server: &str| {
            Some(Login::Helper { name: name.to_owned(), server: server.to_owned() })
        };
        let token = Credential::Identity { token: "t".to_owned() };
        assert_eq!(config.login("a.io", "x").unwrap(), Some(Login::Here(token)));
        let token = Credential::Bearer { token: "r".to_owned() };
        assert_eq!(config.login("b.io", "x").unwrap(), Some(Login::Here(token)));
        assert_eq!(config.login("c.io", "x").unwrap(), helper("desktop", "c.io"));
        assert_eq!(config.login("d.io", "x").unwrap(), helper("ecr-login", "d.io"));
        assert_eq!(config.login("docker.io", "x").unwrap(), helper("hub", DOCKER_HUB));
        let read = helper_answer(br#"{"ServerURL":"x","Username":"<token>","Secret":"s"}"#).unwrap();
        assert_eq!(read, Credential::Identity { token: "s".to_owned() });
    }

    #[test]
    fn odd_files_are_refused_without_their_content() {
        for name in ["../evil", "/bin/sh", "", ".x", "-x", "a b", "a\n"] {
            let text = serde_json::json!({"credHelpers": {"a.io": name}}).to_string();
            let answer = DockerConfig::parse(text.as_bytes()).unwrap().login("a.io", "x");
            assert!(matches!(answer, Err(InvalidLogin::Helper { .. })), "{name}");
        }
        let error = DockerConfig::parse(br#"{"auths":{"a":{"auth":"hunter2"}"#).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let config = DockerConfig::parse(br#"{"auths":{"a.io":{"auth":"hunter2!"}}}"#).unwrap();
        let error = config.login("a.io", "x").unwrap_err();
        assert_eq!(error.to_string(), "the login for `a.io` is not base64 of user:password");
        assert!(matches!(DockerConfig::parse(&[b' '; (1 << 20) + 1]), Err(InvalidLogin::TooLarge { .. })));
        assert!(!format!("{:?}", basic("a")).contains('p'), "{:?}", basic("a"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, key in "[a-z:/.]{0,20}", host in "[a-z.:]{0,9}", path in "[a-z/]{0,9}") {
            let _ = DockerConfig::parse(&bytes);
            let _ = helper_answer(&bytes);
            let text = serde_json::json!({"auths": {key: {"auth": "YTpw"}}}).to_string();
            let _ = DockerConfig::parse(text.as_bytes()).unwrap().login(&host, &path).unwrap();
        }
    }
}
