//! Who we say we are (distribution's token authentication; RFC 6750, RFC 7617).
//!
//! A login goes to the host it is for, and to a token server that plainly belongs to it; never without encryption,
//! except to this machine. A token is asked for once, however many requests wait for it, and covers everything the
//! repository is opened for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use serde::Deserialize;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use url::Url;

use super::line::Line;
use crate::adapter::http::{host_of, is_inward, is_loopback, shown};
use crate::format::challenge::{self, Challenge};
use crate::format::docker_config::Credential;
use crate::port::RegistryError;

/// Most bytes of a token server's answer.
const TOKEN_LIMIT: u64 = 256 << 10;

/// How long a token is good when the server does not say (distribution, "Token Response Fields").
const TOKEN_LIFE: u64 = 60;

/// A token that has less left is not used any more.
const MARGIN: Duration = Duration::from_secs(5);

/// What a token is to allow: repository paths with `pull` or `pull,push`.
pub(super) type Scopes = BTreeMap<String, &'static str>;

/// What is known of how a host wants to be spoken to.
#[derive(Debug)]
pub(super) struct Auth {
    host: String,
    /// Whether an answer of the host has been seen.
    met: AtomicBool,
    /// Held by the first request to a host until it is answered.
    pub(super) first: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    scheme: Scheme,
    /// Logins by repository path; `None` is known to be none.
    logins: BTreeMap<String, Option<Credential>>,
    tokens: Vec<Token>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Scheme {
    /// Nothing was asked for yet.
    #[default]
    Open,
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

struct Token {
    scopes: Scopes,
    header: Arc<str>,
    until: Instant,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// The answer of a token server (distribution, "Token Response Fields"; RFC 6749, 5.1).
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Hosts whose challenge is always the same: asking for it would cost a request.
const KNOWN: &[(&str, &str, &str)] = &[
    ("ghcr.io", "https://ghcr.io/token", "ghcr.io"),
    ("docker.io", "https://auth.docker.io/token", "registry.docker.io"),
];

impl Auth {
    pub(super) fn new(host: &str) -> Self {
        let known = KNOWN.iter().find(|(name, ..)| *name == host);
        let scheme = known.map(|(_, realm, service)| Scheme::Bearer {
            realm: (*realm).to_owned(),
            service: Some((*service).to_owned()),
        });
        Self {
            host: host.to_owned(),
            met: AtomicBool::new(known.is_some()),
            first: Mutex::default(),
            state: Mutex::new(State { scheme: scheme.unwrap_or_default(), ..State::default() }),
        }
    }

    pub(super) fn met(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }

    pub(super) fn meet(&self) {
        self.met.store(true, Ordering::Relaxed);
    }

    /// The value of `Authorization` for a request to the host; `None` to send none.
    pub(super) async fn header(
        &self,
        line: &Line,
        home: &Url,
        path: &str,
        scopes: &Scopes,
    ) -> Result<Option<Arc<str>>, RegistryError> {
        let mut state = self.state.lock().await;
        match state.scheme.clone() {
            Scheme::Open => Ok(None),
            Scheme::Basic => match self.login(line, home, path, &mut state).await? {
                Some(credential) => Ok(basic(&credential).map(Arc::from)),
                None => Ok(None),
            },
            Scheme::Bearer { realm, service } => {
                let soon = Instant::now() + MARGIN;
                state.tokens.retain(|token| token.until > soon);
                let covering = state.tokens.iter().find(|token| covers(&token.scopes, scopes));
                if let Some(token) = covering {
                    return Ok(Some(Arc::clone(&token.header)));
                }
                let login = self.login(line, home, path, &mut state).await?;
                if let Some(Credential::Bearer { token }) = &login {
                    return Ok(Some(format!("Bearer {token}").into()));
                }
                let token =
                    self.fetch(line, home, &realm, service.as_deref(), scopes, login.as_ref()).await?;
                let header = Arc::clone(&token.header);
                state.tokens.push(token);
                Ok(Some(header))
            }
        }
    }

    /// What the host asks for: `none`, `basic` or `bearer`.
    pub(super) async fn asked_for(&self) -> &'static str {
        match self.state.lock().await.scheme {
            Scheme::Open => "none",
            Scheme::Basic => "basic",
            Scheme::Bearer { .. } => "bearer",
        }
    }

    /// Learns from a 401. Whether there is something new to try.
    pub(super) async fn challenged(&self, headers: &HeaderMap, used: Option<&str>) -> bool {
        let mut state = self.state.lock().await;
        let challenges: Vec<Challenge> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .take(8)
            .filter_map(|value| value.to_str().ok())
            .flat_map(challenge::parse)
            .collect();
        let scheme = choose(&challenges);
        let before = state.tokens.len();
        state.tokens.retain(|token| used != Some(&*token.header));
        let dropped = before != state.tokens.len();
        match scheme {
            Some(scheme) if scheme != state.scheme => {
                state.scheme = scheme;
                state.tokens.clear();
                true
            }
            // Somebody else may have learnt or refreshed while this request was on its way.
            Some(_) => dropped || used.is_none() || !state.tokens.is_empty(),
            None => false,
        }
    }

    async fn login(
        &self,
        line: &Line,
        home: &Url,
        path: &str,
        state: &mut MutexGuard<'_, State>,
    ) -> Result<Option<Credential>, RegistryError> {
        if let Some(known) = state.logins.get(path) {
            return Ok(known.clone());
        }
        let (sources, host, of) = (line.credentials.clone(), self.host.clone(), path.to_owned());
        let found = tokio::task::spawn_blocking(move || sources.find(&host, &of)).await;
        let found = found.map_err(|_| self.failed("the search for them was stopped"))??;
        if found.is_some() && home.scheme() != "https" && !is_loopback(home) {
            return Err(self.failed("they are not sent without encryption"));
        }
        state.logins.insert(path.to_owned(), found.clone());
        Ok(found)
    }

    fn failed(&self, reason: &str) -> RegistryError {
        RegistryError::Credentials { host: self.host.clone(), reason: reason.to_owned() }
    }

    /// Asks the token server.
    async fn fetch(
        &self,
        line: &Line,
        home: &Url,
        realm: &str,
        service: Option<&str>,
        scopes: &Scopes,
        login: Option<&Credential>,
    ) -> Result<Token, RegistryError> {
        let url = self.realm(home, realm, login.is_some())?;
        let scope_texts = scopes.iter().map(|(path, actions)| format!("repository:{path}:{actions}"));
        let answer = match login {
            Some(Credential::Identity { token }) => {
                let scope = scope_texts.collect::<Vec<_>>().join(" ");
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("grant_type", "refresh_token")
                    .append_pair("client_id", "kyklos-release")
                    .append_pair("service", service.unwrap_or(&self.host))
                    .append_pair("scope", &scope)
                    .append_pair("refresh_token", token)
                    .finish();
                line.token(&self.host, url, None, Some(form), TOKEN_LIMIT).await?
            }
            login => {
                let mut url = url;
                {
                    let mut query = url.query_pairs_mut();
                    if let Some(service) = service {
                        query.append_pair("service", service);
                    }
                    for scope in scope_texts {
                        query.append_pair("scope", &scope);
                    }
                }
                line.token(&self.host, url, login.and_then(basic), None, TOKEN_LIMIT).await?
            }
        };
        self.read(&answer, scopes)
    }

    fn read(&self, answer: &[u8], scopes: &Scopes) -> Result<Token, RegistryError> {
        let odd = |reason: &str| RegistryError::Invalid {
            what: format!("the answer of the token server of {}", self.host),
            reason: reason.to_owned(),
        };
        // The message of the parser may quote the token.
        let answer: TokenAnswer = serde_json::from_slice(answer).map_err(|_| odd("it is no token"))?;
        let token = answer.token.filter(|token| !token.is_empty()).or(answer.access_token);
        let token = token.filter(|token| !token.is_empty()).ok_or_else(|| odd("it holds no token"))?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(odd("its token cannot stand in a header"));
        }
        // Tokens that live for days are asked for again after an hour; that is no loss.
        let life = Duration::from_secs(answer.expires_in.unwrap_or(TOKEN_LIFE).clamp(TOKEN_LIFE, 3600));
        let header = format!("Bearer {token}").into();
        Ok(Token { scopes: scopes.clone(), header, until: Instant::now() + life })
    }

    /// The URL of a token server, when it may be asked.
    fn realm(&self, home: &Url, realm: &str, with_login: bool) -> Result<Url, RegistryError> {
        let astray = |place: String, reason| RegistryError::Astray { host: self.host.clone(), place, reason };
        let url =
            Url::parse(realm).map_err(|_| astray("a realm that is no URL".to_owned(), "it is no URL"))?;
        let refuse = |reason| Err(astray(shown(&url), reason));
        let local = is_loopback(&url) && is_loopback(home);
        match url.scheme() {
            "https" => {}
            "http" if local || (home.scheme() == "http" && !with_login) => {}
            "http" => return refuse("it is without encryption"),
            _ => return refuse("only http and https are followed"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it holds a user or password");
        }
        if is_inward(&url) && !local && url.host() != home.host() {
            return refuse("it is an address of a private network");
        }
        if with_login && !local && !related(&host_name(&self.host), url.host_str().unwrap_or_default()) {
            return refuse("a login is not sent to another organisation");
        }
        Ok(url)
    }
}

fn host_name(host: &str) -> String {
    Url::parse(&format!("https://{host}/")).ok().map(|url| host_of(&url)).map_or_else(
        || host.to_owned(),
        |host| match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
            _ => host,
        },
    )
}

/// Whether a token server belongs to a registry: the same host, one above or below it, or a neighbour below a domain
/// that somebody can own. Without the list of public suffixes this is careful rather than complete.
fn related(registry: &str, realm: &str) -> bool {
    const PAIRS: &[(&str, &str)] =
        &[("docker.io", "auth.docker.io"), ("registry-1.docker.io", "auth.docker.io")];
    /// Second-level labels under which everybody registers.
    const PUBLIC: &[&str] = &["co", "com", "net", "org", "gov", "edu", "ac"];
    /// Domains that give names away.
    const SHARED: &[&str] = &[
        "github.io",
        "gitlab.io",
        "azurecr.io",
        "amazonaws.com",
        "cloudfront.net",
        "herokuapp.com",
        "netlify.app",
        "vercel.app",
        "pages.dev",
        "workers.dev",
        "run.app",
        "web.app",
        "appspot.com",
        "nip.io",
        "sslip.io",
    ];
    if registry == realm || PAIRS.contains(&(registry, realm)) {
        return true;
    }
    let labels = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (left, right) = (labels(registry), labels(realm));
    let number =
        |labels: &[String]| labels.last().is_none_or(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if number(&left) || number(&right) {
        return false;
    }
    let below = |name: &str, parent: &str| name.strip_suffix(parent).is_some_and(|head| head.ends_with('.'));
    let owned = |labels: &[String]| {
        let name = labels.join(".");
        labels.len() >= 2
            && !PUBLIC.contains(&labels[labels.len() - 2].as_str())
            && !SHARED.iter().any(|shared| name == *shared || below(&name, shared))
    };
    if (below(registry, realm) && owned(&right)) || (below(realm, registry) && owned(&left)) {
        return true;
    }
    let common: Vec<String> = {
        let shared = left.iter().rev().zip(right.iter().rev()).take_while(|(left, right)| left == right);
        let mut common: Vec<String> = shared.map(|(label, _)| label.clone()).collect();
        common.reverse();
        common
    };
    owned(&common)
}

/// Whether a token with some scopes does for others.
fn covers(have: &Scopes, need: &Scopes) -> bool {
    need.iter().all(|(path, actions)| have.get(path).is_some_and(|have| have.len() >= actions.len()))
}

/// `Basic` for a user and password.
fn basic(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Basic { user, password } => {
            Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        }
        Credential::Identity { .. } | Credential::Bearer { .. } => None,
    }
}

/// The strongest challenge that can be answered.
fn choose(challenges: &[Challenge]) -> Option<Scheme> {
    let bearer = challenges.iter().find(|challenge| challenge.scheme == "bearer").and_then(|challenge| {
        let realm = challenge.parameters.get("realm")?.clone();
        Some(Scheme::Bearer { realm, service: challenge.parameters.get("service").cloned() })
    });
    let basic = challenges.iter().any(|challenge| challenge.scheme == "basic").then_some(Scheme::Basic);
    bearer.or(basic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_servers_that_belong_to_a_registry() {
        for (registry, realm, expected) in [
            ("ghcr.io", "ghcr.io", true),
            ("docker.io", "auth.docker.io", true),
            ("registry.gitlab.com", "gitlab.com", true),
            ("registry.example.com", "auth.example.com", true),
            ("ghcr.io", "auth.ghcr.io", true),
            ("ghcr.io", "evil.io", false),
            ("ghcr.io", "ghcr.io.evil.com", false),
            ("ghcr.io", "evilghcr.io", false),
            ("mine.azurecr.io", "evil.azurecr.io", false),
            ("a.co.uk", "b.co.uk", false),
            ("1.dkr.ecr.eu-west-1.amazonaws.com", "2.dkr.ecr.eu-west-1.amazonaws.com", false),
            ("10.0.0.1", "10.0.0.2", false),
            ("ghcr.io", "169.254.169.254", false),
            ("io", "evil.io", false),
        ] {
            assert_eq!(related(registry, realm), expected, "{registry} {realm}");
        }
    }

    #[test]
    fn realms_that_get_a_login() {
        let auth = Auth::new("ghcr.io");
        let home: Url = "https://ghcr.io/".parse().unwrap();
        for (realm, anonymous, login) in [
            ("https://ghcr.io/token", true, true),
            ("https://evil.io/token", true, false),
            ("http://ghcr.io/token", false, false),
            ("https://169.254.169.254/token", false, false),
            ("http://127.0.0.1/token", false, false),
            ("file:///etc/passwd", false, false),
            ("https://u@ghcr.io/token", false, false),
            ("token", false, false),
        ] {
            assert_eq!(auth.realm(&home, realm, false).is_ok(), anonymous, "{realm}");
            assert_eq!(auth.realm(&home, realm, true).is_ok(), login, "{realm}");
        }
        let home: Url = "http://127.0.0.1:5000/".parse().unwrap();
        assert!(Auth::new("127.0.0.1:5000").realm(&home, "http://127.0.0.1:5001/token", true).is_ok());
    }

    #[test]
    fn bearer_is_preferred_and_needs_a_realm() {
        let chosen = |header: &str| choose(&challenge::parse(header));
        assert_eq!(chosen("Basic realm=x"), Some(Scheme::Basic));
        assert_eq!(chosen("Bearer service=x, Basic realm=x"), Some(Scheme::Basic));
        let bearer = Scheme::Bearer { realm: "https://a/b".to_owned(), service: None };
        assert_eq!(chosen("Basic realm=x, Bearer realm=\"https://a/b\""), Some(bearer));
        assert_eq!(chosen("Negotiate"), None);
    }

    #[test]
    fn a_token_for_more_does_for_less() {
        let scopes = |list: &[(&str, &'static str)]| -> Scopes {
            list.iter().map(|(path, actions)| ((*path).to_owned(), *actions)).collect()
        };
        let have = scopes(&[("a", "pull,push"), ("b", "pull")]);
        assert!(covers(&have, &scopes(&[("a", "pull")])));
        assert!(covers(&have, &scopes(&[("a", "pull,push"), ("b", "pull")])));
        assert!(!covers(&have, &scopes(&[("b", "pull,push")])));
        assert!(!covers(&have, &scopes(&[("c", "pull")])));
    }
}
