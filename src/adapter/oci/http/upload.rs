//! Blobs on their way out (distribution-spec, "Pushing Blobs").
//!
//! One request asks whether a blob is there and opens a session when it is not: a mount from the repository itself,
//! or from another one of the host. Then one request sends everything. When that breaks, the session is asked how much
//! has arrived, and the rest is sent; a host that does not take a blob in one piece gets it in one `PATCH`, then in
//! pieces of 4 MiB.

use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::header::LOCATION;
use reqwest::{Body, Method, StatusCode};
use tokio::sync::mpsc;
use url::Url;

use super::HttpRegistry;
use super::answer::text;
use super::redirect::{HOPS, follow};
use super::send::{Ask, Failed, Place, Reply, Streamed};
use super::traffic::{Direction, Event};
use super::wire::lock;
use crate::adapter::http::Tries;
use crate::model::{Digest, DigestAlgorithm, Repository};
use crate::port::{BlobReader, Content, Fault, RegistryError, Stored};

/// Bytes of a piece on its way to the socket. Half as many at a time cost a tenth more processor time, twice as many are
/// felt in the memory of the process: the client holds back 400 KiB of them.
const PIECE: usize = 128 << 10;

/// Pieces between the thread that reads and the one that sends.
const PIECES: usize = 1;

/// Bytes of one request where a host does not take more (GHCR is reported to refuse a `PATCH` above 4 MiB).
const CHUNK: u64 = 4 << 20;

/// From so many bytes on it is worth a request to find out that they need not be sent.
pub(in crate::adapter::oci) const MANY: u64 = 4 << 20;

/// Progress is told about every so many bytes.
const TOLD: u64 = 1 << 20;

/// How long a host is given to hear that an upload is given up.
const PARTING: Duration = Duration::from_secs(2);

/// How much of a blob goes into one request, from the fewest requests to the most patient ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// `PUT` with everything.
    Put,
    /// `PATCH` with everything, `PUT` with nothing.
    Patch,
    /// `PATCH` with at most [`CHUNK`], again and again.
    Chunks,
}

impl Step {
    fn of(level: u8) -> Self {
        match level {
            0 => Self::Put,
            1 => Self::Patch,
            _ => Self::Chunks,
        }
    }
}

/// An upload the host has opened. One that is dropped before it is over is left behind: the host is told at the end of
/// the run, since no other run goes on with it.
struct Session {
    registry: HttpRegistry,
    /// The newest `Location`: older ones may be refused.
    at: Url,
    /// Bytes that have arrived.
    received: u64,
    /// The least a chunk may have (`OCI-Chunk-Min-Length`).
    least: u64,
    /// Whether the host has no such session any more.
    over: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.over {
            let (registry, at) = (self.registry.clone(), self.at.clone());
            self.registry.inner.line.leave_behind(async move { registry.give_up(&at).await });
        }
    }
}

/// What came of asking for a session.
enum Begun {
    Stored(Stored),
    Session(Session),
}

impl HttpRegistry {
    /// Makes sure that a blob is stored.
    pub(super) async fn upload(
        &self,
        content: &Content<'_>,
        mount: Option<&Repository>,
    ) -> Result<Stored, RegistryError> {
        let mut tries = Tries::default();
        let mount = mount.filter(|from| from.host() == self.inner.repository.host());
        let mut session = match self.begin(content, mount, &mut tries).await? {
            Begun::Stored(stored) => return Ok(stored),
            Begun::Session(session) => session,
        };
        let mut restarted = false;
        loop {
            let failed = match self.transfer(content, &mut session).await {
                Ok(()) => break,
                Err(failed) => failed,
            };
            let level = self.inner.host.known().smaller_uploads;
            let (error, announced) = match failed {
                Failed::Passing { error, announced } => (error, announced),
                Failed::Forbidden(error) if self.inner.host.has_written_anything() => (error, None),
                // It was led on too often.
                Failed::Moved { error, .. } => return Err(error),
                // The session is gone.
                Failed::Missing(error) => (error, None),
                Failed::Final(error) if too_much(&error) && Step::of(level) < Step::Chunks => {
                    self.inner.host.learn(|known| known.smaller_uploads = level + 1);
                    self.cancel(&mut session).await;
                    match self.begin(content, None, &mut tries).await? {
                        Begun::Stored(stored) => return Ok(stored),
                        Begun::Session(new) => session = new,
                    }
                    continue;
                }
                // The host counts other bytes than were sent, which is no wonder after a broken transfer.
                Failed::Final(error) if tries.count() > 0 && !restarted && is_digest(&error) => {
                    restarted = true;
                    match self.begin(content, None, &mut tries).await? {
                        Begun::Stored(_) => break,
                        Begun::Session(new) => session = new,
                    }
                    continue;
                }
                failed @ (Failed::Final(_) | Failed::Forbidden(_)) => {
                    self.cancel(&mut session).await;
                    return Err(failed.into());
                }
            };
            if !self.pause(&mut tries, &error, announced).await {
                return Err(error);
            }
            // Whether it took effect is not known, so look before sending anything again.
            let before = session.received;
            self.look(&mut session).await?;
            match session.received {
                received if received > 0 && !session.over => {
                    if received > before {
                        tries.reset();
                    }
                }
                // None have arrived, or one: hosts say the same of both, and a new session costs no more than the doubt.
                _ => match self.begin(content, None, &mut tries).await? {
                    Begun::Stored(_) => break,
                    Begun::Session(new) => session = new,
                },
            }
        }
        session.over = true;
        self.inner.host.wrote(format!("blobs/{}", content.digest()));
        self.inner.host.trust_again(content.digest());
        Ok(Stored::Uploaded)
    }

    /// Asks for a session, unless the blob is there.
    async fn begin(
        &self,
        content: &Content<'_>,
        mount: Option<&Repository>,
        tries: &mut Tries,
    ) -> Result<Begun, RegistryError> {
        let (host, digest) = (&self.inner.host, content.digest());
        let doubted = host.doubts(digest);
        let known = host.known();
        let mount = mount.filter(|_| known.abilities.mounts != Some(false) && !doubted);
        if let Some(from) = mount {
            self.also_pull(from.path());
        }
        let from = match mount {
            Some(from) => Some(from.path()),
            None => (!known.no_self_mount && !doubted).then(|| self.inner.repository.path()),
        };
        if from.is_none() && !doubted && self.has(digest).await? {
            return Ok(Begun::Stored(Stored::Already));
        }
        let hashed = hashed_by(digest);
        let path = match from {
            Some(from) => format!("blobs/uploads/?mount={digest}&from={from}{hashed}"),
            None => format!("blobs/uploads/{}", hashed.replacen('&', "?", 1)),
        };
        let ask = Ask::below(Method::POST, path);
        loop {
            let (error, announced) = match self.once(&ask, None).await {
                Ok(reply) => return self.begun_or_there(&reply, mount, from, content).await,
                Err(Failed::Passing { error, announced }) => (error, announced),
                Err(Failed::Forbidden(error)) if from.is_none() && host.has_written_anything() => {
                    (error, None)
                }
                Err(_) if from.is_some() => {
                    // Not a host for this question: ask one by one.
                    match mount {
                        Some(_) => host.learn(|known| known.abilities.mounts = Some(false)),
                        None => host.learn(|known| known.no_self_mount = true),
                    }
                    return Box::pin(self.begin(content, None, tries)).await;
                }
                Err(failed) => return Err(failed.into()),
            };
            if !self.pause(tries, &error, announced).await {
                return Err(error);
            }
            // A mount may have happened although its answer is lost. A lost session is no harm: it ends by itself.
            if !doubted && self.has(digest).await? {
                return Ok(Begun::Stored(Stored::Already));
            }
        }
    }

    /// A host that mounts nothing answers a mount from the repository itself like one that has not the blob. So before
    /// many bytes are sent to a host that was not seen to mount, it is asked in plain words.
    async fn begun_or_there(
        &self,
        reply: &Reply,
        mount: Option<&Repository>,
        from: Option<&str>,
        content: &Content<'_>,
    ) -> Result<Begun, RegistryError> {
        let begun = self.begun(reply, mount, content)?;
        let (host, digest) = (&self.inner.host, content.digest());
        let unclear =
            from == Some(self.inner.repository.path()) && host.known().abilities.mounts_own.is_none();
        let Begun::Session(mut session) = begun else { return Ok(begun) };
        if unclear && content.size() >= MANY && self.has(digest).await? {
            host.learn(|known| known.no_self_mount = true);
            self.cancel(&mut session).await;
            return Ok(Begun::Stored(Stored::Already));
        }
        Ok(Begun::Session(session))
    }

    fn begun(
        &self,
        reply: &Reply,
        mount: Option<&Repository>,
        content: &Content<'_>,
    ) -> Result<Begun, RegistryError> {
        match (reply.status, mount) {
            (StatusCode::CREATED, Some(_)) => {
                self.inner.host.learn(|known| known.abilities.mounts = Some(true));
                self.inner.host.wrote(format!("blobs/{}", content.digest()));
                Ok(Begun::Stored(Stored::Mounted))
            }
            (StatusCode::CREATED, None) => {
                self.inner.host.learn(|known| known.abilities.mounts_own = Some(true));
                Ok(Begun::Stored(Stored::Already))
            }
            (_, mount) => {
                if mount.is_some() {
                    self.inner.host.learn(|known| known.abilities.mounts = Some(false));
                }
                let least = text(&reply.headers, "oci-chunk-min-length").and_then(|least| least.parse().ok());
                let at = self.location(reply)?;
                let (registry, least) = (self.clone(), least.unwrap_or(0));
                Ok(Begun::Session(Session { registry, at, received: 0, least, over: false }))
            }
        }
    }

    /// Sends what is missing and ends the session.
    async fn transfer(&self, content: &Content<'_>, session: &mut Session) -> Result<(), Failed> {
        let step = Step::of(self.inner.host.known().smaller_uploads);
        if step == Step::Put && session.received == 0 {
            return self.finish(content, session, content.size()).await;
        }
        while session.received < content.size() {
            let left = content.size() - session.received;
            let piece = if step == Step::Chunks { left.min(CHUNK.max(session.least)) } else { left };
            let (start, end) = (session.received, session.received + piece);
            let ask = Ask::new(Method::PATCH, Place::At(&session.at))
                .header("content-type", "application/octet-stream")
                .header("content-range", format!("{start}-{}", end - 1));
            let reply = self.stream(&ask, content, start, piece).await?;
            session.at = self.location(&reply).map_err(Failed::Final)?;
            // Some hosts append whatever comes, so what they have counts, not what was sent.
            let arrived = arrived(&reply).unwrap_or(end);
            if arrived != end {
                let request = Ask::new(Method::PATCH, Place::At(&session.at));
                let exchange = Box::new(self.exchange(&request));
                let reason = format!("{end} bytes were sent, the host counts {arrived}");
                let error = RegistryError::Unreached { exchange, reason };
                return Err(Failed::Passing { error, announced: Some(Duration::ZERO) });
            }
            session.received = end;
        }
        self.finish(content, session, 0).await
    }

    /// The `PUT` that ends a session, with the last `length` bytes.
    async fn finish(&self, content: &Content<'_>, session: &mut Session, length: u64) -> Result<(), Failed> {
        let mut at = session.at.clone();
        let query = at.query().filter(|query| !query.is_empty()).map(|query| format!("{query}&"));
        at.set_query(Some(&format!("{}digest={}", query.unwrap_or_default(), content.digest())));
        let ask = Ask::new(Method::PUT, Place::At(&at)).header("content-type", "application/octet-stream");
        let reply = match length {
            0 => self.once(&ask, None).await?,
            length => self.stream(&ask, content, content.size() - length, length).await?,
        };
        match text(&reply.headers, "docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok()) {
            // A host may call it by another algorithm, which says nothing here.
            Some(found)
                if found != *content.digest() && found.algorithm() == content.digest().algorithm() =>
            {
                Err(Failed::Final(RegistryError::DigestMismatch {
                    what: format!("what {} has stored", self.inner.host.name),
                    expected: *content.digest(),
                    found,
                }))
            }
            _ => Ok(()),
        }
    }

    /// Sends a part of the content as the body of a request, and once more to wherever a host leads it.
    async fn stream(
        &self,
        ask: &Ask<'_>,
        content: &Content<'_>,
        offset: u64,
        length: u64,
    ) -> Result<Reply, Failed> {
        let mut answer = self.stream_once(ask, content, offset, length).await;
        for _ in 0..HOPS {
            let Err(Failed::Moved { to, astray, .. }) = answer else { break };
            let mut onward = Ask::new(ask.method.clone(), Place::At(&to));
            onward.headers.clone_from(&ask.headers);
            onward.astray = astray;
            answer = self.stream_once(&onward, content, offset, length).await;
        }
        answer
    }

    async fn stream_once(
        &self,
        ask: &Ask<'_>,
        content: &Content<'_>,
        offset: u64,
        length: u64,
    ) -> Result<Reply, Failed> {
        let reader = content.open(offset).await.map_err(Failed::Final)?;
        let (send, receive) = mpsc::channel(PIECES);
        let trouble: Arc<Mutex<Option<RegistryError>>> = Arc::default();
        let sent: Arc<AtomicU64> = Arc::default();
        let feed = Feed { what: content.digest().to_string(), length, send, trouble: Arc::clone(&trouble) };
        // It ends when the other side of the channel does, or the content.
        tokio::task::spawn_blocking(move || feed.run(reader));
        let body = Outgoing {
            receive,
            left: length,
            sent: Arc::clone(&sent),
            progress: Progress {
                registry: self.clone(),
                digest: content.digest().to_string(),
                before: offset,
                size: content.size(),
                told: offset,
            },
        };
        let stream = Streamed { body: Body::wrap(body), length, sent };
        let answer = self.once(ask, Some(stream)).await;
        match lock(&trouble).take() {
            // The content itself is at fault, not the host.
            Some(error) if answer.is_err() => Err(Failed::Final(error)),
            _ => answer,
        }
    }

    /// Asks how much of a session has arrived, and whether it is still there.
    async fn look(&self, session: &mut Session) -> Result<(), RegistryError> {
        let at = session.at.clone();
        session.received = 0;
        match self.send(&Ask::new(Method::GET, Place::At(&at)).may_miss()).await {
            Ok(Some(reply)) => {
                session.at = self.location(&reply).unwrap_or(at);
                session.received = arrived(&reply).unwrap_or(0);
                Ok(())
            }
            Ok(None) => {
                session.over = true;
                Ok(())
            }
            // A host that does not answer this question is asked for a new session.
            Err(RegistryError::Answered { fault: Fault::Refused, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn cancel(&self, session: &mut Session) {
        session.over = true;
        self.give_up(&session.at.clone()).await;
    }

    /// Gives a session up. Hosts forget sessions by themselves, so it does not matter when they do not listen, and they
    /// are not waited for long.
    async fn give_up(&self, at: &Url) {
        let ask = Ask::new(Method::DELETE, Place::At(at));
        let _ = tokio::time::timeout(PARTING, self.once(&ask, None)).await;
    }

    fn location(&self, reply: &Reply) -> Result<Url, RegistryError> {
        let location = text(&reply.headers, LOCATION.as_str()).ok_or_else(|| RegistryError::Invalid {
            what: format!("the answer of {} to an upload", self.inner.host.name),
            reason: "it has no Location".to_owned(),
        })?;
        follow(&self.inner.host.home()?, &reply.url, location)
    }
}

/// What tells a host how it will have to hash, where that is not by SHA-256 (distribution-spec, "Pushing Blobs").
pub(in crate::adapter::oci) fn hashed_by(digest: &Digest) -> &'static str {
    match digest.algorithm() {
        DigestAlgorithm::Sha256 => "",
        DigestAlgorithm::Sha512 => "&digest-algorithm=sha512",
    }
}

/// Whether a host may take the blob in smaller pieces.
fn too_much(error: &RegistryError) -> bool {
    let RegistryError::Answered { exchange, .. } = error else { return false };
    matches!(exchange.status, Some(400 | 405 | 411 | 413 | 415 | 416)) && !is_digest(error)
}

/// Whether the host counts other bytes than those of the digest.
pub(super) fn is_digest(error: &RegistryError) -> bool {
    let RegistryError::Answered { exchange, .. } = error else { return false };
    exchange.code.as_deref() == Some("DIGEST_INVALID")
}

/// `Range: 0-N`: N + 1 bytes have arrived. `0-0` is what hosts say of one byte and of none; none is safe.
fn arrived(reply: &Reply) -> Option<u64> {
    let range = text(&reply.headers, "range")?;
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let last: u64 = range.strip_prefix("0-")?.parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

/// Reads content in a thread that may wait.
struct Feed {
    what: String,
    length: u64,
    send: mpsc::Sender<Bytes>,
    trouble: Arc<Mutex<Option<RegistryError>>>,
}

/// Memory of a piece that is used again when its bytes have left.
struct Lent {
    memory: Vec<u8>,
    length: usize,
    back: std::sync::mpsc::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // When nobody reads any more, nobody needs it.
        let _ = self.back.send(std::mem::take(&mut self.memory));
    }
}

impl Feed {
    fn run(self, reader: BlobReader) {
        let mut reader = reader.take(self.length);
        let mut left = self.length;
        let (back, free) = std::sync::mpsc::channel();
        let size = usize::try_from(self.length).map_or(PIECE, |length| length.clamp(1, PIECE));
        // One more turn than there are bytes: the end of the content is where its digest is checked.
        loop {
            // None has come back yet.
            let mut memory = free.try_recv().unwrap_or_else(|_| vec![0; size]);
            let most = usize::try_from(left).map_or(size, |left| left.clamp(1, size));
            let mut filled = 0;
            while filled < most {
                match reader.read(&mut memory[filled..most]) {
                    Ok(0) => break,
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        *lock(&self.trouble) = Some(RegistryError::of_read(error, &self.what));
                        return;
                    }
                }
            }
            if filled == 0 {
                return;
            }
            left -= filled as u64;
            let piece = Bytes::from_owner(Lent { memory, length: filled, back: back.clone() });
            // The request is over when nobody takes the piece.
            if self.send.blocking_send(piece).is_err() {
                return;
            }
        }
    }
}

/// A body whose pieces come from another thread.
struct Outgoing {
    receive: mpsc::Receiver<Bytes>,
    left: u64,
    sent: Arc<AtomicU64>,
    progress: Progress,
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        match self.receive.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(piece)) => {
                self.left = self.left.saturating_sub(piece.len() as u64);
                let sent = self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed) + piece.len() as u64;
                self.progress.tell(sent);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready(None) => Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the content ended too early",
            )))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Tells how far a blob is.
struct Progress {
    registry: HttpRegistry,
    digest: String,
    before: u64,
    size: u64,
    told: u64,
}

impl Progress {
    fn tell(&mut self, sent: u64) {
        let done = self.before + sent;
        if done - self.told < TOLD && done != self.size {
            return;
        }
        self.told = done;
        let (digest, size) = (self.digest.clone(), self.size);
        self.registry.inner.line.traffic.tell(|| Event::Moved {
            digest,
            direction: Direction::Out,
            done,
            size,
        });
    }
}
