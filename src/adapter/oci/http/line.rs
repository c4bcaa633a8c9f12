//! What every request of a process goes over.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::{Instant, timeout};
use url::Url;

use super::answer::{self, BodyError, LEAST, Refusal};
use super::credentials::CredentialSources;
use super::traffic::{Event, Traffic};
use crate::adapter::http::{
    Http, HttpError, Patience, Tries, cause, host_of, reason, retry_after, scrub, shown,
};
use crate::port::{Exchange, Fault, RegistryError, TlsFault};

/// Something that is still to be said to a host when everything else is done.
type Parting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Clients, logins, patience, and who hears of requests. When a request is sent, and what its answer means, is in `send`.
pub(super) struct Line {
    pub(super) http: Http,
    pub(super) credentials: CredentialSources,
    pub(super) patience: Patience,
    pub(super) traffic: Arc<Traffic>,
    partings: Mutex<Vec<Parting>>,
}

impl Line {
    pub(super) fn new(
        http: Http,
        credentials: CredentialSources,
        patience: Patience,
        traffic: Arc<Traffic>,
    ) -> Self {
        Self { http, credentials, patience, traffic, partings: Mutex::default() }
    }

    /// Keeps something for the end of the run: what is dropped cannot wait.
    pub(super) fn leave_behind(&self, parting: impl Future<Output = ()> + Send + 'static) {
        self.partings.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(parting));
    }

    /// Does everything that was kept for the end, side by side.
    pub(super) async fn part(&self) {
        let mut partings = tokio::task::JoinSet::new();
        for parting in std::mem::take(&mut *self.partings.lock().unwrap_or_else(PoisonError::into_inner)) {
            partings.spawn(parting);
        }
        while partings.join_next().await.is_some() {}
    }

    /// Sends a request and waits for the head of the answer. Counted and told.
    pub(super) async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
        url: &Url,
        leaving: Option<Leaving>,
    ) -> Result<Response, Broken> {
        let number = self.traffic.count();
        let begin = Instant::now();
        let (client, request) = request.build_split();
        let request = request.map_err(|error| Broken::Passing(reason(&error)))?;
        let method = request.method().to_string();
        let answer = self.waited(client.execute(request), url, leaving).await;
        self.traffic.tell(|| Event::Request {
            number,
            method,
            url: shown(url),
            status: answer.as_ref().ok().map(|response| response.status().as_u16()),
            error: answer.as_ref().err().map(|broken| broken.reason().to_owned()),
            elapsed: begin.elapsed(),
        });
        answer
    }

    /// Waits as long as something moves, and not too slowly.
    async fn waited(
        &self,
        answer: impl Future<Output = reqwest::Result<Response>>,
        url: &Url,
        leaving: Option<Leaving>,
    ) -> Result<Response, Broken> {
        tokio::pin!(answer);
        let mut before = 0;
        loop {
            match timeout(self.patience.idle, &mut answer).await {
                Ok(answer) => {
                    return answer.map_err(|error| self.broken(url, &error));
                }
                Err(_) => {
                    let now = leaving.as_ref().map_or(0, |body| body.sent.load(Ordering::Relaxed));
                    let rest = leaving.as_ref().is_some_and(|body| now == body.length);
                    // The last bytes may be few, and the host may need a while to count them all.
                    if now - before < LEAST && !(rest && now > before) {
                        let idle = self.patience.idle;
                        let reason = format!("no answer in {idle:?}, and {} bytes left", now - before);
                        return Err(Broken::Passing(reason));
                    }
                    before = now;
                }
            }
        }
    }

    /// Asks a token server: a form is posted, anything else is a GET. No redirect is followed.
    pub(super) async fn token(
        &self,
        host: &str,
        url: Url,
        authorization: Option<String>,
        form: Option<String>,
        limit: u64,
    ) -> Result<Bytes, RegistryError> {
        let client = self.http.client(&url).map_err(of_http)?;
        let request = || {
            let request = match &form {
                Some(form) => client
                    .post(url.clone())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form.clone()),
                None => client.get(url.clone()),
            };
            match authorization.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
                Some(value) => request.header(AUTHORIZATION, secret(value)),
                None => request,
            }
        };
        let told = Exchange {
            host: host.to_owned(),
            repository: shown(&url),
            request: "a token".to_owned(),
            ..Exchange::default()
        };
        let mut tries = Tries::default();
        loop {
            let (error, wait) = match self.exchange(request(), &url, None).await {
                Err(broken @ Broken::Passing(_)) => (broken.into_error(told.clone()), None),
                Err(broken @ (Broken::Insecure { .. } | Broken::ProxyLogin(_))) => {
                    return Err(broken.into_error(told));
                }
                Ok(mut response) => {
                    let (status, wait) = (response.status(), announced(response.headers()));
                    match answer::body(&mut response, limit, self.patience.idle).await {
                        Ok(body) if status.is_success() => return Ok(body),
                        Err(BodyError::TooLarge) if status.is_success() => {
                            let what = format!("the answer of {}", shown(&url));
                            return Err(RegistryError::TooLarge { what, limit });
                        }
                        Err(BodyError::Broken(reason)) if status.is_success() => {
                            (RegistryError::Unreached { exchange: Box::new(told.clone()), reason }, None)
                        }
                        read => {
                            let mut refusal = Refusal::read(status, &read.unwrap_or_default());
                            let passing = refusal.fault == Fault::Transient;
                            if matches!(status.as_u16(), 400 | 401 | 403) {
                                // A token server that does not know who asks says so with any of these.
                                refusal.fault = Fault::Denied;
                            }
                            let error = refusal.into_error(told.clone(), status);
                            if !passing {
                                return Err(error);
                            }
                            (error, wait)
                        }
                    }
                }
            };
            let Some(wait) = tries.next(&self.patience, wait) else { return Err(error) };
            self.traffic.tell(|| Event::Wait { reason: error.to_string(), wait });
            tokio::time::sleep(wait).await;
        }
    }

    /// What the client says of a request without an answer, and what is on the way.
    fn broken(&self, url: &Url, error: &reqwest::Error) -> Broken {
        let cause = cause(error);
        let (reason, proxy) = (scrub(&cause), self.http.proxy(url));
        match (tls_fault(&cause), proxy) {
            (Some(TlsFault::None), Some(proxy)) if url.scheme() == "http" => {
                Broken::Passing(format!("the proxy {proxy} does not speak TLS"))
            }
            (Some(fault), proxy) => {
                // Where the host itself is spoken to without TLS, it was somebody on the way.
                let proxy = proxy.filter(|_| url.scheme() == "http");
                let host = proxy.map_or_else(|| host_of(url), |proxy| format!("the proxy {proxy}"));
                Broken::Insecure { host, fault, reason: scrub(&in_words(fault, &cause)) }
            }
            (None, Some(proxy)) if reason.contains("proxy authorization required") => {
                Broken::ProxyLogin(proxy)
            }
            (None, Some(proxy)) if reason.contains("tunnel error") => {
                Broken::Passing(format!("the proxy {proxy} opens no tunnel"))
            }
            (None, Some(proxy)) => Broken::Passing(format!("{reason} (by the proxy {proxy})")),
            (None, None) => Broken::Passing(reason),
        }
    }
}

/// What the TLS library says of a peer that is not to be trusted; `None` for anything else.
fn tls_fault(reason: &str) -> Option<TlsFault> {
    let certificate = reason.contains("invalid peer certificate");
    [
        (certificate && reason.contains("not valid for"), TlsFault::Name),
        (certificate && (reason.contains("expired") || reason.contains("not valid yet")), TlsFault::Time),
        (certificate && ISSUER.iter().any(|word| reason.contains(word)), TlsFault::Issuer),
        (reason.contains("received corrupt message"), TlsFault::None),
        (certificate || reason.contains("received fatal alert"), TlsFault::Other),
    ]
    .into_iter()
    .find_map(|(is, fault)| is.then_some(fault))
}

/// What the TLS library says when nobody who is trusted vouches for a certificate. A bad signature is of an authority that
/// only has the name of a trusted one.
const ISSUER: &[&str] = &["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"];

/// The same for a person.
fn in_words(fault: TlsFault, reason: &str) -> String {
    match fault {
        TlsFault::Issuer => "nobody who is trusted vouches for its certificate".to_owned(),
        TlsFault::Name => {
            let names = reason.split_once("only valid for ").map(|(_, names)| names).unwrap_or_default();
            let name =
                |text: &str| text.trim_start_matches(|c| c != '(').trim_matches(['(', ')', '"']).to_owned();
            let names: Vec<String> = names.split(", ").take(4).map(name).collect();
            format!("its certificate is for {}", names.join(", "))
        }
        TlsFault::Time if reason.contains("not valid yet") => "its certificate is not valid yet".to_owned(),
        TlsFault::Time => "its certificate has expired".to_owned(),
        TlsFault::None => "it does not speak TLS".to_owned(),
        TlsFault::Other => reason.to_owned(),
    }
}

/// How far a body is that is being sent.
pub(super) struct Leaving {
    pub(super) sent: Arc<AtomicU64>,
    pub(super) length: u64,
}

/// Why a request has no answer.
pub(super) enum Broken {
    /// It may have one next time.
    Passing(String),
    /// The host cannot be spoken to securely.
    Insecure { host: String, fault: TlsFault, reason: String },
    /// A proxy that opens no tunnel without a login.
    ProxyLogin(String),
}

impl Broken {
    fn reason(&self) -> &str {
        match self {
            Self::Passing(reason) | Self::Insecure { reason, .. } => reason,
            Self::ProxyLogin(_) => "the proxy wants a login",
        }
    }

    pub(super) fn into_error(self, exchange: Exchange) -> RegistryError {
        match self {
            Self::Passing(reason) => RegistryError::Unreached { exchange: Box::new(exchange), reason },
            Self::Insecure { host, fault, reason } => RegistryError::Insecure { host, fault, reason },
            Self::ProxyLogin(proxy) => {
                // A tunnel that is not opened has no answer of the host.
                let exchange = Exchange { host: format!("the proxy {proxy}"), status: Some(407), ..exchange };
                RegistryError::Answered { fault: Fault::Denied, exchange: Box::new(exchange) }
            }
        }
    }
}

pub(super) fn secret(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[expect(clippy::disallowed_methods, reason = "a date in an answer is compared with the clock")]
pub(super) fn announced(headers: &HeaderMap) -> Option<Duration> {
    let value = answer::text(headers, "retry-after")?;
    retry_after(value, answer::text(headers, "date"), jiff::Timestamp::now())
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { http, credentials, patience, traffic, .. } = self;
        let mut shown = f.debug_struct("Line");
        shown.field("http", http).field("credentials", credentials).field("patience", patience);
        shown.field("traffic", traffic).finish_non_exhaustive()
    }
}

/// A client that cannot be made, as an error of a registry.
pub(super) fn of_http(error: HttpError) -> RegistryError {
    match error {
        HttpError::Offline { host } => RegistryError::Offline { host },
        HttpError::Authorities { .. } | HttpError::Proxy { .. } | HttpError::Client { .. } => {
            RegistryError::Client { reason: error.to_string() }
        }
    }
}
