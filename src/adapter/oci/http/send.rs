//! The one way to a host: authorization, limits, redirects, tries, counting and telling are here and nowhere else.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Body, Method, Response, StatusCode};
use url::Url;

use super::HttpRegistry;
use super::answer::{self, BodyError, ERROR_LIMIT, Refusal};
use super::line::{Broken, Leaving, announced, of_http, secret};
use super::redirect::{HOPS, follow, same_origin};
use super::traffic::Event;
use crate::adapter::http::Tries;
use crate::port::{Exchange, Fault, RegistryError, TlsFault};

/// How often a 403 is tried again after this process has written something: hosts deny for a moment what they have just
/// allowed.
const FORBIDDEN_TRIES: u32 = 2;

/// How often the authorization of one request may be put right.
const CHALLENGES: usize = 2;

/// One request below `/v2/<name>/`, or to a place a host has named.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) place: Place<'a>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// Whether nothing being there is an answer (404).
    pub(super) may_miss: bool,
    /// Whether it goes on from another host, which gets no credentials and whose way back gets none either.
    pub(super) astray: bool,
}

/// Where a request goes.
pub(super) enum Place<'a> {
    /// Path and query below `/v2/<name>/`.
    Below(String),
    /// A place that was checked by [`follow`].
    At(&'a Url),
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, place: Place<'a>) -> Self {
        Self { method, place, headers: Vec::new(), body: Bytes::new(), may_miss: false, astray: false }
    }

    pub(super) fn below(method: Method, path: impl Into<String>) -> Self {
        Self::new(method, Place::Below(path.into()))
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn may_miss(mut self) -> Self {
        self.may_miss = true;
        self
    }

    pub(super) fn body(mut self, bytes: Bytes) -> Self {
        self.body = bytes;
        self
    }

    /// Method and path without query, for messages.
    fn shown(&self) -> String {
        let path = match &self.place {
            Place::Below(path) => path.split('?').next().unwrap_or_default(),
            Place::At(_) => "blobs/uploads/…",
        };
        format!("{} {path}", self.method)
    }

    /// The path a write would have made.
    fn key(&self) -> &str {
        match &self.place {
            Place::Below(path) => path.split('?').next().unwrap_or_default(),
            Place::At(_) => "",
        }
    }
}

/// A body that is made while it is sent. It can be sent once.
pub(super) struct Streamed {
    pub(super) body: Body,
    pub(super) length: u64,
    /// Counts what has left, so that a slow transfer is not taken for a broken one.
    pub(super) sent: Arc<AtomicU64>,
}

/// An answer of the 2xx class.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Where it came from, after redirects.
    pub(super) url: Url,
    pub(super) response: Response,
}

/// Why a request has no such answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// Trying again would not help.
    Final(RegistryError),
    /// It may pass; the host may have said when.
    Passing { error: RegistryError, announced: Option<Duration> },
    /// 404.
    Missing(RegistryError),
    /// 403.
    Forbidden(RegistryError),
    /// The body has to be sent to another place, and can only be sent once.
    Moved { to: Url, astray: bool, error: RegistryError },
}

impl Failed {
    fn error(&self) -> &RegistryError {
        let (Self::Final(error)
        | Self::Passing { error, .. }
        | Self::Missing(error)
        | Self::Forbidden(error)
        | Self::Moved { error, .. }) = self;
        error
    }
}

impl From<Failed> for RegistryError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Final(error)
            | Failed::Passing { error, .. }
            | Failed::Missing(error)
            | Failed::Forbidden(error)
            | Failed::Moved { error, .. } => error,
        }
    }
}

impl HttpRegistry {
    /// Sends a request that may be repeated, until there is an answer or no patience left. `None` is a 404 that the
    /// caller takes for an answer.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Option<Reply>, RegistryError> {
        let (mut tries, mut forbidden) = (Tries::default(), 0);
        loop {
            let (error, announced) = match self.once(ask, None).await {
                Ok(reply) => return Ok(Some(reply)),
                Err(Failed::Final(error) | Failed::Moved { error, .. }) => return Err(error),
                Err(Failed::Passing { error, announced }) => (error, announced),
                Err(Failed::Missing(error)) => {
                    // Written here and not there yet: the host lags behind.
                    let lags = self.inner.host.has_written(ask.key());
                    match (lags, ask.may_miss) {
                        (true, _) => (error, None),
                        (false, true) => return Ok(None),
                        (false, false) => return Err(error),
                    }
                }
                Err(Failed::Forbidden(error)) => {
                    if forbidden == FORBIDDEN_TRIES || !self.inner.host.has_written_anything() {
                        return Err(error);
                    }
                    forbidden += 1;
                    (error, None)
                }
            };
            let missing = matches!(&error, RegistryError::Answered { fault: Fault::Missing, .. });
            if !self.pause(&mut tries, &error, announced).await {
                return if missing && ask.may_miss { Ok(None) } else { Err(error) };
            }
        }
    }

    /// Waits before the next try; false when there is none left.
    pub(super) async fn pause(
        &self,
        tries: &mut Tries,
        error: &RegistryError,
        announced: Option<Duration>,
    ) -> bool {
        let Some(wait) = tries.next(&self.inner.line.patience, announced) else { return false };
        self.inner.line.traffic.tell(|| Event::Wait { reason: error.to_string(), wait });
        tokio::time::sleep(wait).await;
        true
    }

    /// Sends a request once: follows redirects and answers challenges, but does not try again.
    pub(super) async fn once(&self, ask: &Ask<'_>, stream: Option<Streamed>) -> Result<Reply, Failed> {
        let _first = self.first().await.map_err(Failed::Final)?;
        let mut stream = stream;
        let (mut hops, mut challenges, mut at_home) = (0, 0, !ask.astray);
        let mut next: Option<Url> = None;
        // What was said, and the answer to it.
        let mut challenge: Option<(Option<Arc<str>>, Failed)> = None;
        loop {
            let home = self.inner.host.home().map_err(Failed::Final)?;
            let url = match &next {
                Some(url) => url.clone(),
                None => self.url(&home, &ask.place).map_err(Failed::Final)?,
            };
            // Once a request has left the host, it has left: a way back is not trusted with credentials again.
            at_home = at_home && same_origin(&home, &url);
            let authorization = if at_home { self.authorization(&home).await? } else { None };
            if let Some((said, refusal)) = challenge.take_if(|_| next.is_none())
                && said == authorization
            {
                // There is nothing new to say.
                return Err(refusal);
            }
            let streamed = stream.take();
            let was_streamed = streamed.is_some();
            let answer = self.transmit(ask, &url, authorization.as_deref(), streamed).await;
            let response = match answer {
                Ok(response) => response,
                Err(failed) if next.is_none() && !was_streamed && self.falls_back(&home, failed.error()) => {
                    continue;
                }
                Err(failed) => return Err(failed),
            };
            if at_home {
                self.inner.host.auth.meet();
            }
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED && at_home && next.is_none() && challenges < CHALLENGES {
                let learnt =
                    self.inner.host.auth.challenged(response.headers(), authorization.as_deref()).await;
                let refusal = self.refused(ask, response).await;
                match (learnt, was_streamed) {
                    (false, _) => return Err(refusal),
                    (true, true) => {
                        let announced = Some(Duration::ZERO);
                        return Err(Failed::Passing { error: refusal.into(), announced });
                    }
                    (true, false) => {
                        challenges += 1;
                        challenge = Some((authorization, refusal));
                        continue;
                    }
                }
            }
            let location = answer::text(response.headers(), LOCATION.as_str());
            if let (true, Some(location)) = (leads_on(status), location) {
                hops += 1;
                let to = follow(&home, &url, location).map_err(Failed::Final)?;
                if was_streamed && matches!(status.as_u16(), 307 | 308) {
                    let error = self.refused(ask, response).await.into();
                    return Err(Failed::Moved { astray: !at_home || !same_origin(&home, &to), to, error });
                }
                if hops > HOPS || was_streamed {
                    return Err(self.refused(ask, response).await);
                }
                next = Some(to);
                continue;
            }
            if status.is_success() {
                let headers = response.headers().clone();
                return Ok(Reply { status, headers, url, response });
            }
            return Err(self.refused(ask, response).await);
        }
    }

    /// Held until the answer to the first request to a host is there, where requests beside it would be in vain.
    async fn first(&self) -> Result<Option<tokio::sync::MutexGuard<'_, ()>>, RegistryError> {
        let host = &self.inner.host;
        if !host.meets_first(&host.home()?) {
            return Ok(None);
        }
        let guard = host.auth.first.lock().await;
        Ok((!host.auth.met()).then_some(guard))
    }

    fn url(&self, home: &Url, place: &Place<'_>) -> Result<Url, RegistryError> {
        match place {
            Place::At(url) => Ok((*url).clone()),
            Place::Below(path) => {
                let text = format!("{home}v2/{}/{path}", self.inner.repository.path());
                Url::parse(&text).map_err(|_| RegistryError::Invalid {
                    what: self.inner.repository.to_string(),
                    reason: "it does not make a URL".to_owned(),
                })
            }
        }
    }

    async fn authorization(&self, home: &Url) -> Result<Option<Arc<str>>, Failed> {
        let (line, path) = (&self.inner.line, self.inner.repository.path());
        self.inner.host.auth.header(line, home, path, &self.scopes()).await.map_err(Failed::Final)
    }

    /// Whether a server on this machine turned out to speak without TLS. One with a certificate that is not trusted
    /// does not.
    fn falls_back(&self, home: &Url, error: &RegistryError) -> bool {
        let no_tls = match error {
            RegistryError::Insecure { fault, .. } => *fault == TlsFault::None,
            RegistryError::Unreached { reason, .. } => reason.contains("handshake eof"),
            _ => false,
        };
        no_tls && !self.inner.host.auth.met() && home.scheme() == "https" && self.inner.host.fall_back()
    }

    /// Sends one request and waits for the head of its answer.
    async fn transmit(
        &self,
        ask: &Ask<'_>,
        url: &Url,
        authorization: Option<&str>,
        stream: Option<Streamed>,
    ) -> Result<Response, Failed> {
        let line = &self.inner.line;
        let client = line.http.client(url).map_err(|error| Failed::Final(of_http(error)))?;
        let mut request = client.request(ask.method.clone(), url.clone());
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(value) = authorization {
            let value = HeaderValue::from_str(value).map_err(|_| Failed::Final(self.denied(ask)))?;
            request = request.header(AUTHORIZATION, secret(value));
        }
        let leaving =
            stream.as_ref().map(|stream| Leaving { sent: Arc::clone(&stream.sent), length: stream.length });
        request = match stream {
            Some(Streamed { body, length, .. }) => request.header(CONTENT_LENGTH, length).body(body),
            None if ask.body.is_empty() && matches!(ask.method, Method::GET | Method::HEAD) => request,
            None => request.header(CONTENT_LENGTH, ask.body.len()).body(ask.body.clone()),
        };
        // An upload may wait for the rest of a download from the same host, which must not wait for it. The semaphore is
        // never closed.
        let rest = ask.headers.iter().any(|(name, _)| *name == "range");
        let _slot = if rest { None } else { self.inner.host.slots.acquire().await.ok() };
        line.exchange(request, url, leaving).await.map_err(|broken| match broken {
            Broken::Passing(_) => {
                Failed::Passing { error: broken.into_error(self.exchange(ask)), announced: None }
            }
            Broken::Insecure { .. } | Broken::ProxyLogin(_) => {
                Failed::Final(broken.into_error(self.exchange(ask)))
            }
        })
    }

    pub(super) fn exchange(&self, ask: &Ask<'_>) -> Exchange {
        let (host, repository) = (self.inner.host.name.clone(), self.inner.repository.path().to_owned());
        Exchange { host, repository, request: ask.shown(), ..Exchange::default() }
    }

    fn denied(&self, ask: &Ask<'_>) -> RegistryError {
        let exchange = Exchange { status: Some(401), ..self.exchange(ask) };
        RegistryError::Answered { fault: Fault::Denied, exchange: Box::new(exchange) }
    }

    /// What an answer that is no success means.
    async fn refused(&self, ask: &Ask<'_>, mut response: Response) -> Failed {
        let status = response.status();
        let announced = announced(response.headers());
        if status == StatusCode::TOO_MANY_REQUESTS {
            // Half as many at a time from now on; at least one.
            let slots = &self.inner.host.slots;
            slots.forget_permits(slots.available_permits() / 2);
        }
        let read = match ask.method {
            Method::HEAD => Ok(Bytes::new()),
            _ => answer::body(&mut response, ERROR_LIMIT, self.inner.line.patience.idle).await,
        };
        // An answer whose words cannot be read still has its status.
        let mut refusal = Refusal::read(status, &read.unwrap_or_default());
        if ask.method != Method::PUT {
            refusal.missing.clear();
        }
        let (fault, missing) = (refusal.fault, refusal.missing.clone());
        let mut exchange = self.exchange(ask);
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(proxy)) =
            (status, self.inner.line.http.proxy(response.url()))
        {
            exchange.host = format!("the proxy {proxy}");
        }
        let error = refusal.into_error(exchange, status);
        let host = &self.inner.host;
        host.doubt(&missing);
        let ours =
            |digest| ["blobs", "manifests"].iter().any(|kind| host.has_written(&format!("{kind}/{digest}")));
        if !missing.is_empty() && missing.iter().all(ours) {
            // Written here and not there yet: the host lags behind.
            return Failed::Passing { error, announced };
        }
        match fault {
            Fault::Transient => Failed::Passing { error, announced },
            Fault::Missing if missing.is_empty() => Failed::Missing(error),
            Fault::Denied if status == StatusCode::FORBIDDEN => Failed::Forbidden(error),
            Fault::Missing | Fault::Denied | Fault::Conflict | Fault::Refused => Failed::Final(error),
        }
    }

    /// The body of an answer, as large as is good for it.
    pub(super) async fn read_whole(
        &self,
        reply: &mut Reply,
        limit: u64,
        what: &str,
    ) -> Result<Bytes, Failed> {
        let read = answer::body(&mut reply.response, limit, self.inner.line.patience.idle).await;
        read.map_err(|error| match error {
            BodyError::TooLarge => Failed::Final(RegistryError::TooLarge { what: what.to_owned(), limit }),
            BodyError::Broken(reason) => {
                let exchange = Exchange {
                    host: self.inner.host.name.clone(),
                    repository: self.inner.repository.path().to_owned(),
                    request: format!("GET {what}"),
                    ..Exchange::default()
                };
                let error = RegistryError::Unreached { exchange: Box::new(exchange), reason };
                Failed::Passing { error, announced: None }
            }
        })
    }

    /// Sends a request and reads the body of its answer, all of it again when it breaks.
    pub(super) async fn fetch(
        &self,
        ask: &Ask<'_>,
        limit: u64,
        what: &str,
    ) -> Result<Option<(Reply, Bytes)>, RegistryError> {
        let mut tries = Tries::default();
        loop {
            let Some(mut reply) = self.send(ask).await? else { return Ok(None) };
            match self.read_whole(&mut reply, limit, what).await {
                Ok(bytes) => return Ok(Some((reply, bytes))),
                Err(Failed::Passing { error, announced }) => {
                    if !self.pause(&mut tries, &error, announced).await {
                        return Err(error);
                    }
                }
                Err(failed) => return Err(failed.into()),
            }
        }
    }
}

/// 301, 302, 303, 307, 308.
fn leads_on(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
