//! What GitHub knows about commits: the account of an author and the pull request that brought a commit, asked for fifty
//! commits at a time. Nothing here is needed for notes; whatever fails leaves commits unknown, with the reason.
//!
//! The token goes to the host of the address and nowhere else: no redirect is followed, and without TLS only this machine
//! is spoken to.

mod cache;
mod query;

pub use cache::Cache;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use url::Url;

use crate::adapter::http::{Http, Patience, Tries, is_loopback, reason, retry_after, scrub, shown};
use crate::diag::{Hint, Kind};
use crate::model::{CommitId, KnownCommit};

/// Commits in one request.
const CHUNK: usize = 50;
/// The largest answer; fifty commits with their pull requests have about 100 KiB.
const MAX_ANSWER: usize = 8 << 20;
/// More requests than any release needs; a server that fails all the time is left alone.
const MAX_REQUESTS: usize = 500;
/// As many commits may fail one by one before the rest is given up.
const MAX_LOST: usize = 8;

/// Whom to ask, and about which repository.
#[derive(Clone)]
pub struct Source {
    url: Url,
    owner: String,
    repo: String,
    base: Option<String>,
    token: Option<HeaderValue>,
}

/// What the environment says about the source.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment<'a> {
    /// `GITHUB_GRAPHQL_URL`.
    pub graphql_url: Option<&'a str>,
    /// `GITHUB_API_URL`.
    pub api_url: Option<&'a str>,
    /// `GITHUB_REPOSITORY`, or owner and repository of the remote: `OWNER/REPO`.
    pub repository: Option<&'a str>,
    /// The branch pull requests of the release went into.
    pub base: Option<&'a str>,
    /// `GITHUB_TOKEN` or `GH_TOKEN`.
    pub token: Option<&'a str>,
}

impl Source {
    /// Reads the environment.
    pub fn new(environment: &Environment<'_>) -> Result<Self, EnrichError> {
        let address = match (environment.graphql_url, environment.api_url) {
            (Some(url), _) => url.to_owned(),
            // GitHub Enterprise Server: `/api/v3` beside `/api/graphql`.
            (None, Some(url)) => {
                let url = url.trim_end_matches('/');
                format!("{}/graphql", url.strip_suffix("/v3").unwrap_or(url))
            }
            (None, None) => "https://api.github.com/graphql".to_owned(),
        };
        let refuse = |reason| EnrichError::Address { reason };
        let url: Url = address.parse().map_err(|_| refuse("it is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a login"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(refuse("http is spoken with this machine only")),
            _ => return Err(refuse("its scheme is not https")),
        }
        let repository = environment.repository.ok_or(EnrichError::Repository)?;
        let name = |text: &str| {
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            (1..=100).contains(&text.len()) && text.bytes().all(valid) && !text.starts_with('.')
        };
        let (owner, repo) = repository
            .split_once('/')
            .filter(|(owner, repo)| name(owner) && name(repo))
            .ok_or(EnrichError::Repository)?;
        let token = match environment.token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| refuse("the token has characters that no token has"))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            url,
            owner: owner.to_owned(),
            repo: repo.to_owned(),
            base: environment.base.map(str::to_owned),
            token,
        })
    }

    /// The host that is asked, with its port.
    pub fn host(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.url.host_str().unwrap_or_default())
    }
}

/// What was found out.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// By commit; a commit the forge knows nothing about is known to be that.
    pub known: BTreeMap<CommitId, KnownCommit>,
    /// Why not everything was found out.
    pub reason: Option<String>,
    /// Requests that were sent.
    pub requests: usize,
}

/// How long an answer may take; GitHub itself gives up after ten seconds.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Asks about commits, two requests at a time.
pub async fn ask(
    http: &Http,
    source: &Source,
    patience: &Patience,
    wanted: &[CommitId],
    timeout: Duration,
) -> Answers {
    let queue: VecDeque<Vec<CommitId>> = wanted.chunks(CHUNK).map(<[CommitId]>::to_vec).collect();
    let asking = Asking {
        http,
        source,
        patience,
        timeout,
        queue: RefCell::new(queue),
        answers: RefCell::default(),
        lost: RefCell::default(),
    };
    if source.token.is_none() && !wanted.is_empty() && !is_loopback(&source.url) {
        asking.give_up("there is no token; set GITHUB_TOKEN".to_owned());
    }
    tokio::join!(asking.work(), asking.work());
    asking.answers.into_inner()
}

struct Asking<'a> {
    http: &'a Http,
    source: &'a Source,
    patience: &'a Patience,
    timeout: Duration,
    queue: RefCell<VecDeque<Vec<CommitId>>>,
    answers: RefCell<Answers>,
    lost: RefCell<usize>,
}

/// What became of one request.
enum Outcome {
    Known(BTreeMap<CommitId, KnownCommit>),
    /// Too much was asked for, or the server was not well.
    Smaller(String),
    /// Later, as the server says.
    Wait(Duration, String),
    /// It makes no sense to go on.
    Stop(String),
}

impl Asking<'_> {
    async fn work(&self) {
        loop {
            let Some(chunk) = self.queue.borrow_mut().pop_front() else { return };
            self.one(chunk).await;
        }
    }

    async fn one(&self, chunk: Vec<CommitId>) {
        let mut tries = Tries::default();
        loop {
            if self.answers.borrow().requests >= MAX_REQUESTS {
                return self.give_up("too many requests were needed".to_owned());
            }
            self.answers.borrow_mut().requests += 1;
            match self.send(&chunk).await {
                Outcome::Known(known) => {
                    self.answers.borrow_mut().known.extend(known);
                    return;
                }
                Outcome::Smaller(_) if chunk.len() > 1 => {
                    let (left, right) = chunk.split_at(chunk.len() / 2);
                    let mut queue = self.queue.borrow_mut();
                    queue.push_front(right.to_vec());
                    queue.push_front(left.to_vec());
                    return;
                }
                Outcome::Smaller(why) => {
                    *self.lost.borrow_mut() += 1;
                    if *self.lost.borrow() >= MAX_LOST {
                        return self.give_up(why);
                    }
                    self.answers.borrow_mut().reason.get_or_insert(why);
                    return;
                }
                Outcome::Wait(announced, why) => match tries.next(self.patience, Some(announced)) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return self.give_up(why),
                },
                Outcome::Stop(why) => return self.give_up(why),
            }
        }
    }

    fn give_up(&self, why: String) {
        self.queue.borrow_mut().clear();
        self.answers.borrow_mut().reason.get_or_insert(why);
    }

    async fn send(&self, chunk: &[CommitId]) -> Outcome {
        match tokio::time::timeout(self.timeout, self.exchange(chunk)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Smaller(format!("{} takes too long", self.source.host())),
        }
    }

    async fn exchange(&self, chunk: &[CommitId]) -> Outcome {
        let Source { url, owner, repo, base, token } = self.source;
        let client = match self.http.client(url) {
            Ok(client) => client,
            Err(error) => return Outcome::Stop(error.to_string()),
        };
        let mut request = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(query::request(owner, repo, chunk));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return Outcome::Stop(format!("{}: {}", shown(url), reason(&error)));
            }
            Err(error) => return Outcome::Smaller(format!("{}: {}", shown(url), reason(&error))),
        };
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let later =
            header(RETRY_AFTER).and_then(|value| retry_after(value, header(DATE), Timestamp::UNIX_EPOCH));
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(piece)) if body.len() + piece.len() > MAX_ANSWER => {
                    return Outcome::Smaller(format!(
                        "{} answers more than {MAX_ANSWER} bytes",
                        self.source.host()
                    ));
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => return Outcome::Smaller(format!("{}: {}", shown(url), reason(&error))),
            }
        }
        let told = format!("{} answers {status}", shown(url));
        match (status, later) {
            (StatusCode::OK, _) => {}
            (
                StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE,
                Some(wait),
            ) => {
                return Outcome::Wait(wait, told);
            }
            (status, _) if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                return Outcome::Smaller(told);
            }
            _ => return Outcome::Stop(told),
        }
        match query::answer(&body, chunk, base.as_deref()) {
            query::Answer::Known(known) => Outcome::Known(known),
            query::Answer::TooMuch(why) => Outcome::Smaller(scrub(&why)),
            query::Answer::Limited(why) => match later {
                Some(wait) => Outcome::Wait(wait, scrub(&why)),
                None => Outcome::Stop(scrub(&why)),
            },
            query::Answer::Refused(why) => Outcome::Stop(scrub(&why)),
        }
    }
}

/// Why nobody can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrichError {
    /// The address of the API.
    #[error("the address of the GraphQL API cannot be used: {reason}")]
    Address {
        /// Why.
        reason: &'static str,
    },
    /// Which repository is meant.
    #[error("it is not known which repository of the forge this is")]
    Repository,
}

impl Hint for EnrichError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "enrich-address",
            Self::Repository => "enrich-repository",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Address { .. } => {
                vec!["GITHUB_GRAPHQL_URL=https://HOST/api/graphql, or GITHUB_API_URL".to_owned()]
            }
            Self::Repository => vec!["GITHUB_REPOSITORY=OWNER/REPO".to_owned()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(environment: Environment<'_>) -> Result<String, EnrichError> {
        Source::new(&Environment { repository: Some("o/r"), ..environment })
            .map(|source| source.url.to_string())
    }

    #[test]
    fn addresses() {
        let of =
            |graphql_url, api_url| source(Environment { graphql_url, api_url, ..Environment::default() });
        assert_eq!(of(None, None).unwrap(), "https://api.github.com/graphql");
        assert_eq!(of(None, Some("https://api.github.com")).unwrap(), "https://api.github.com/graphql");
        assert_eq!(of(None, Some("https://git.x/api/v3/")).unwrap(), "https://git.x/api/graphql");
        assert_eq!(of(Some("http://127.0.0.1:8/g"), Some("https://x")).unwrap(), "http://127.0.0.1:8/g");
        for url in [
            "http://api.github.com/graphql",
            "http://127.0.0.1.evil.example/",
            "ftp://x/",
            "https://u:p@x/",
            "x",
        ] {
            assert!(matches!(of(Some(url), None), Err(EnrichError::Address { .. })), "{url}");
        }
        for repository in [None, Some("o"), Some("o/r/x"), Some("../x"), Some("o/\"x"), Some("/r")] {
            let found = Source::new(&Environment { repository, ..Environment::default() });
            assert_eq!(found.err(), Some(EnrichError::Repository), "{repository:?}");
        }
    }

    #[test]
    fn what_takes_too_long_is_asked_in_halves() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/graphql", listener.local_addr().unwrap());
            let environment =
                Environment { graphql_url: Some(&url), repository: Some("o/r"), ..Environment::default() };
            let source = Source::new(&environment).unwrap();
            let wanted: Vec<CommitId> = (0..4).map(|at| CommitId::from_bytes([at; 20])).collect();
            // Nobody accepts the connections: every request runs into its limit.
            let answers =
                ask(&Http::default(), &source, &Patience::new(1), &wanted, Duration::from_millis(30)).await;
            assert_eq!((answers.requests, answers.known.len()), (7, 0));
            assert!(answers.reason.unwrap().contains("takes too long"));
        });
    }
}
