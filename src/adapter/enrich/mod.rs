//! What a forge knows about commits: the account of an author and the pull request that brought a commit. Every kind of
//! forge is a file with the requests and the answers, `api::Api`; who is asked, and with which token, stands in `source`;
//! here is asked, two requests at a time. Nothing here is needed for notes; whatever fails leaves commits unknown, with the
//! reason.
//!
//! The token goes to the host of the address and nowhere else: no redirect is followed, and without TLS only this machine
//! is spoken to.

mod api;
mod azure;
mod cache;
mod gitea;
mod github;
mod gitlab;
mod source;

pub use cache::Cache;
pub use source::{EnrichError, Forge, Source, Surroundings};

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};

use crate::adapter::http::{Http, Patience, Tries, is_loopback, reason, retry_after, scrub, shown};
use crate::model::{CommitId, KnownCommit, UnknownCommit};
use api::{Answer, Reply, Request};
use source::Token;

/// The largest answer; fifty commits with their pull requests have about 100 KiB.
const MAX_ANSWER: usize = 8 << 20;
/// The most requests of a run. Where each is about one commit, a few hundred take a minute, and servers allow as many.
const MAX_REQUESTS: usize = 500;
/// As many commits may fail one by one before the rest is given up.
const MAX_LOST: usize = 8;

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

/// Asks about commits, two requests at a time, those first that stand first. What is found out is in `answers` at every
/// moment, also when nobody waits for the end.
pub async fn ask(
    http: &Http,
    source: &Source,
    patience: &Patience,
    wanted: &[UnknownCommit],
    timeout: Duration,
    answers: &RefCell<Answers>,
) {
    let size = source.forge.api().chunk();
    let chunks = wanted.chunks(size).map(|chunk| Chunk { asked: chunk.to_vec(), again: size > 1 });
    let queue = RefCell::new(chunks.collect());
    let asking = Asking { http, source, patience, timeout, queue, answers, lost: RefCell::default() };
    let sent = matches!(source.token, Token::Sent(..));
    let missing = source.forge.needs_token().filter(|_| !sent && !wanted.is_empty());
    if let Some(variable) = missing.filter(|_| !is_loopback(&source.place.api)) {
        asking.give_up(format!("there is no token; set {variable}"));
    }
    tokio::join!(asking.work(), asking.work());
    let mut answers = answers.borrow_mut();
    if let (Some(reason), Token::Withheld(withheld)) = (&mut answers.reason, &source.token) {
        reason.push_str(&format!("; {withheld}"));
    }
}

struct Asking<'a> {
    http: &'a Http,
    source: &'a Source,
    patience: &'a Patience,
    timeout: Duration,
    queue: RefCell<VecDeque<Chunk>>,
    answers: &'a RefCell<Answers>,
    lost: RefCell<usize>,
}

/// Commits of one question.
struct Chunk {
    asked: Vec<UnknownCommit>,
    /// Whether it failed before, or is asked for in parts when it does.
    again: bool,
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

/// Why a question has no answer.
enum Failure {
    /// This question.
    Here(String),
    /// No other one would have an answer either.
    Everywhere(String),
}

impl Asking<'_> {
    async fn work(&self) {
        loop {
            let Some(chunk) = self.queue.borrow_mut().pop_front() else { return };
            self.one(chunk).await;
        }
    }

    async fn one(&self, chunk: Chunk) {
        // What no request is about is known to be nothing.
        let mut known: BTreeMap<CommitId, KnownCommit> =
            chunk.asked.iter().map(|one| (one.id, KnownCommit::default())).collect();
        for request in self.source.forge.api().requests(&self.source.place, &chunk.asked) {
            match self.request(&request, &chunk.asked).await {
                Ok(mut found) => {
                    // What an answer leaves out is not known.
                    known = known
                        .into_iter()
                        .filter_map(|(id, old)| Some((id, found.remove(&id)?.with(old))))
                        .collect();
                }
                Err(Failure::Here(why)) => return self.failed(chunk, why),
                Err(Failure::Everywhere(why)) => return self.give_up(why),
            }
        }
        self.answers.borrow_mut().known.extend(known);
    }

    /// A question about many is asked in halves, one about one commit again, after all the others.
    fn failed(&self, chunk: Chunk, why: String) {
        let Chunk { asked, again } = chunk;
        if asked.len() > 1 {
            let (left, right) = asked.split_at(asked.len() / 2);
            for half in [right, left] {
                self.queue.borrow_mut().push_front(Chunk { asked: half.to_vec(), again });
            }
            return;
        }
        if !again {
            return self.queue.borrow_mut().push_back(Chunk { asked, again: true });
        }
        *self.lost.borrow_mut() += 1;
        if *self.lost.borrow() >= MAX_LOST {
            return self.give_up(why);
        }
        self.answers.borrow_mut().reason.get_or_insert(why);
    }

    async fn request(
        &self,
        request: &Request,
        asked: &[UnknownCommit],
    ) -> Result<BTreeMap<CommitId, KnownCommit>, Failure> {
        let mut tries = Tries::default();
        loop {
            if self.answers.borrow().requests >= MAX_REQUESTS {
                let told = format!("a run sends {MAX_REQUESTS} requests at most, and the next one goes on");
                return Err(Failure::Everywhere(told));
            }
            self.answers.borrow_mut().requests += 1;
            match self.send(request, asked).await {
                Outcome::Known(known) => return Ok(known),
                Outcome::Smaller(why) => return Err(Failure::Here(why)),
                Outcome::Wait(announced, why) => match tries.next(self.patience, Some(announced)) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(Failure::Everywhere(why)),
                },
                Outcome::Stop(why) => return Err(Failure::Everywhere(why)),
            }
        }
    }

    fn give_up(&self, why: String) {
        self.queue.borrow_mut().clear();
        self.answers.borrow_mut().reason.get_or_insert(why);
    }

    async fn send(&self, request: &Request, asked: &[UnknownCommit]) -> Outcome {
        match tokio::time::timeout(self.timeout, self.exchange(request, asked)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Smaller(format!("{} takes too long", self.source.host())),
        }
    }

    async fn exchange(&self, request: &Request, asked: &[UnknownCommit]) -> Outcome {
        let Request { url, body } = request;
        let client = match self.http.client(url) {
            Ok(client) => client,
            Err(error) => return Outcome::Stop(error.to_string()),
        };
        let mut sent = match body {
            Some(body) => {
                client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body.clone())
            }
            None => client.get(url.clone()),
        };
        sent = sent.header(ACCEPT, "application/json");
        if let Token::Sent(name, token) = &self.source.token {
            sent = sent.header(name, token.clone());
        }
        let mut response = match sent.send().await {
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
            (StatusCode::OK | StatusCode::NOT_FOUND, _) => {}
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
        let Source { forge, place, .. } = self.source;
        match forge.api().answer(place, request, &Reply { status, body }, asked) {
            Answer::Known(known) => Outcome::Known(known),
            Answer::TooMuch(why) => Outcome::Smaller(scrub(&why)),
            Answer::Limited(why) => match later {
                Some(wait) => Outcome::Wait(wait, scrub(&why)),
                None => Outcome::Stop(scrub(&why)),
            },
            Answer::Refused(why) => Outcome::Stop(scrub(&why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_asked_in_halves() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/graphql", listener.local_addr().unwrap());
            let variable = |name: &str| match name {
                "GITHUB_GRAPHQL_URL" => Some(url.as_str()),
                "GITHUB_REPOSITORY" => Some("o/r"),
                _ => None,
            };
            let source =
                Source::find(&Surroundings { variable: &variable, origin: None, base: None }).unwrap();
            let wanted: Vec<UnknownCommit> =
                (0..4).map(|at| UnknownCommit::all(CommitId::from_bytes([at; 20]))).collect();
            // Nobody accepts the connections: every request runs into its limit.
            let answers = RefCell::default();
            let (http, patience, limit) = (Http::default(), Patience::new(1), Duration::from_millis(30));
            ask(&http, &source, &patience, &wanted, limit, &answers).await;
            let Answers { known, reason, requests } = answers.into_inner();
            assert_eq!((requests, known.len()), (7, 0));
            assert!(reason.unwrap().contains("takes too long"));
        });
    }
}
