//! Blobs on their way in: a body that breaks is asked for again behind what has arrived.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use reqwest::{Method, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use super::HttpRegistry;
use super::answer::{Pace, length, text};
use super::send::{Ask, Reply};
use super::traffic::{Direction, Event};
use crate::adapter::http::Tries;
use crate::format::oci::Descriptor;
use crate::port::{BlobReader, Checked, Exchange, RegistryError};

/// Pieces that wait for the reader or are in its hands. Each may have what the client reads at once, 400 KiB, and the
/// client fills another meanwhile, so more would be felt in the memory of the process and not in its speed.
const PIECES: usize = 1;

/// Blobs up to this size are read before they are handed out.
const SMALL: u64 = 64 << 10;

/// Progress is told about every so many bytes.
const TOLD: u64 = 1 << 20;

impl HttpRegistry {
    /// Opens a blob behind the first `offset` bytes.
    pub(super) async fn open(
        &self,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, RegistryError> {
        let offset = offset.min(descriptor.size);
        let Some((reply, skip)) = self.ask_from(descriptor, offset).await? else { return Ok(None) };
        let (send, receive) = mpsc::channel(PIECES);
        let pieces = Arc::new(Semaphore::new(PIECES));
        let mut download = Download {
            registry: self.clone(),
            descriptor: descriptor.clone(),
            done: offset,
            skip,
            told: offset,
            pieces,
            send,
        };
        let left = descriptor.size - offset;
        let reader: Box<dyn Read + Send> = if left <= SMALL {
            let mut receive = receive;
            let (_, bytes) = tokio::join!(download.run(reply), gather(&mut receive, left));
            Box::new(Cursor::new(bytes?))
        } else {
            tokio::spawn(async move { download.run(reply).await });
            Box::new(Pieces { receive, current: Bytes::new(), held: None })
        };
        Ok(Some(match offset {
            0 => Box::new(Checked::new(reader, descriptor.digest, descriptor.size)),
            _ => Box::new(Checked::tail(reader, descriptor.digest, left)),
        }))
    }

    /// The answer that holds a blob from an offset on, and how many bytes of it come before that.
    async fn ask_from(
        &self,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<Option<(Reply, u64)>, RegistryError> {
        let mut ask = Ask::below(Method::GET, format!("blobs/{}", descriptor.digest)).may_miss();
        if offset > 0 && offset < descriptor.size {
            ask = ask.header("range", format!("bytes={offset}-"));
        }
        let Some(reply) = self.send(&ask).await? else { return Ok(None) };
        let what = descriptor.digest.to_string();
        let skip = match reply.status {
            StatusCode::PARTIAL_CONTENT => {
                let range = text(&reply.headers, "content-range").unwrap_or_default();
                let start =
                    range.strip_prefix("bytes ").and_then(|range| range.split('-').next()?.parse().ok());
                if start != Some(offset) {
                    let reason = format!("bytes from {offset} were asked for, others came");
                    return Err(RegistryError::Invalid { what, reason });
                }
                0
            }
            _ => offset,
        };
        let expected = descriptor.size - offset + skip;
        match length(&reply.headers) {
            Some(found) if found != expected => Err(RegistryError::SizeMismatch {
                what,
                expected: descriptor.size,
                found: found + offset - skip,
            }),
            _ => Ok(Some((reply, skip))),
        }
    }
}

/// What carries a blob from the client to its reader, beside both.
struct Download {
    registry: HttpRegistry,
    descriptor: Descriptor,
    /// Bytes of the blob that are on their way to the reader.
    done: u64,
    /// Bytes that come before them once more.
    skip: u64,
    told: u64,
    /// A permit for each piece that the reader may have.
    pieces: Arc<Semaphore>,
    send: mpsc::Sender<Result<Piece, RegistryError>>,
}

/// Bytes, and the permit that is given back when they are read.
struct Piece {
    bytes: Bytes,
    permit: OwnedSemaphorePermit,
}

impl Download {
    /// Carries everything; asks again as long as there is patience. Ends early when nobody reads any more.
    async fn run(&mut self, first: Reply) {
        let mut tries = Tries::default();
        let mut reply = first;
        loop {
            let before = self.done;
            let Err(reason) = self.carry(&mut reply).await else { return };
            if self.done - before >= TOLD {
                tries.reset();
            }
            let error = RegistryError::Unreached { exchange: Box::new(self.exchange()), reason };
            if !self.registry.pause(&mut tries, &error, None).await {
                return self.give_up(error).await;
            }
            match self.registry.ask_from(&self.descriptor, self.done).await {
                Ok(Some((next, skip))) => (reply, self.skip) = (next, skip),
                Ok(None) => {
                    let digest = self.descriptor.digest;
                    return self.give_up(RegistryError::NotStored { digest }).await;
                }
                Err(error) => return self.give_up(error).await,
            }
        }
    }

    /// Carries what one answer holds. An error is a body that broke.
    async fn carry(&mut self, reply: &mut Reply) -> Result<(), String> {
        let mut pace = Pace::new(self.registry.inner.line.patience.idle);
        while self.done < self.descriptor.size {
            // Room first, so that no piece waits here. Without a reader there is none.
            let begin = Instant::now();
            let room = tokio::select! {
                room = Arc::clone(&self.pieces).acquire_owned() => room.ok(),
                () = self.send.closed() => None,
            };
            let Some(permit) = room else { return Ok(()) };
            pace.rested(begin.elapsed());
            let piece = pace.piece(&mut reply.response).await?;
            let Some(mut piece) = piece else { return Err("the answer ended too early".to_owned()) };
            let skipped = usize::try_from(self.skip).map_or(piece.len(), |skip| skip.min(piece.len()));
            piece.advance(skipped);
            self.skip -= skipped as u64;
            if piece.is_empty() {
                continue;
            }
            self.done = (self.done + piece.len() as u64).min(self.descriptor.size);
            if self.send.send(Ok(Piece { bytes: piece, permit })).await.is_err() {
                return Ok(());
            }
            self.tell();
        }
        Ok(())
    }

    fn tell(&mut self) {
        let (done, size) = (self.done, self.descriptor.size);
        if done - self.told >= TOLD || done == size {
            self.told = done;
            self.registry.inner.line.traffic.tell(|| Event::Moved {
                digest: self.descriptor.digest.to_string(),
                direction: Direction::In,
                done,
                size,
            });
        }
    }

    fn exchange(&self) -> Exchange {
        Exchange {
            host: self.registry.inner.host.name.clone(),
            repository: self.registry.inner.repository.path().to_owned(),
            request: format!("GET blobs/{}", self.descriptor.digest),
            ..Exchange::default()
        }
    }

    async fn give_up(&mut self, error: RegistryError) {
        // Nobody is told when nobody reads.
        let _ = self.send.send(Err(error)).await;
    }
}

/// Collects a small blob.
async fn gather(
    receive: &mut mpsc::Receiver<Result<Piece, RegistryError>>,
    size: u64,
) -> Result<Vec<u8>, RegistryError> {
    let mut whole: Vec<u8> = Vec::new();
    while (whole.len() as u64) < size {
        match receive.recv().await {
            Some(piece) => whole.extend_from_slice(&piece?.bytes),
            None => break,
        }
    }
    receive.close();
    Ok(whole)
}

/// A stream of pieces as a reader, for a thread that may wait.
struct Pieces {
    receive: mpsc::Receiver<Result<Piece, RegistryError>>,
    current: Bytes,
    held: Option<OwnedSemaphorePermit>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            // The bytes are given back before the permit is, and that before the next are waited for.
            self.current = Bytes::new();
            self.held = None;
            match self.receive.blocking_recv() {
                Some(Ok(Piece { bytes, permit })) => (self.current, self.held) = (bytes, Some(permit)),
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Ok(0),
            }
        }
        let size = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..size]);
        Ok(size)
    }
}
