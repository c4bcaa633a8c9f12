//! What is told about requests while they happen, and how many there were.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Something that happened on the wire. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request was sent and answered, or not.
    Request {
        /// The number of the request in this process, from 1.
        number: u64,
        /// `GET`, `PUT`, …
        method: String,
        /// Scheme, host and path; no query.
        url: String,
        /// The status of the answer.
        status: Option<u16>,
        /// Why there was no answer.
        error: Option<String>,
        /// Until the head of the answer was there.
        elapsed: Duration,
    },
    /// Something will be tried again after a wait.
    Wait {
        /// What went wrong.
        reason: String,
        /// How long.
        wait: Duration,
    },
    /// Bytes of a blob have moved.
    Moved {
        /// Its digest.
        digest: String,
        /// Whether they came or went.
        direction: Direction,
        /// Bytes so far.
        done: u64,
        /// Bytes of the whole blob.
        size: u64,
    },
}

/// Which way bytes move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a host.
    In,
    /// To a host.
    Out,
}

/// Hears of every event; called from several threads.
type Listener = Box<dyn Fn(&Event) + Send + Sync>;

/// Counts requests and passes events on.
#[derive(Default)]
pub struct Traffic {
    requests: AtomicU64,
    listener: Option<Listener>,
}

impl Traffic {
    /// Counts, and tells a listener.
    pub fn told_to(listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self { requests: AtomicU64::new(0), listener: Some(Box::new(listener)) }
    }

    /// How many requests were sent, of whatever kind: retries, redirects and tokens count.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The number of the next request.
    pub(super) fn count(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(listener) = &self.listener {
            listener(&event());
        }
    }
}

impl std::fmt::Debug for Traffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Traffic({} requests)", self.requests())
    }
}
