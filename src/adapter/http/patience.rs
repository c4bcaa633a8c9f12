//! How often something is tried again, and how long is waited in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Most answers with `Retry-After` to one request that are believed.
const ANNOUNCED: u32 = 20;

/// How often something is tried again, and how long is waited in between. One value for everything a process does: its
/// budget is shared.
#[derive(Debug)]
pub struct Patience {
    /// The waits before the second, third, … try; each is varied by a fifth.
    pub waits: Vec<Duration>,
    /// The longest `Retry-After` that is waited for; a host that wants more is given up.
    pub longest: Duration,
    /// A connection on which nothing moves for so long is broken.
    pub idle: Duration,
    /// How long all waits together may take.
    budget: Duration,
    waited: AtomicU64,
    random: AtomicU64,
}

impl Patience {
    /// Three more tries after 2, 4 and 8 seconds. `seed` varies the waits, so that many clients do not come back at the
    /// same moment.
    pub fn new(seed: u64) -> Self {
        Self {
            waits: [2, 4, 8].map(Duration::from_secs).to_vec(),
            longest: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            budget: Duration::from_secs(600),
            waited: AtomicU64::new(0),
            random: AtomicU64::new(seed | 1),
        }
    }

    /// The same number of tries with other waits and another idea of a broken connection.
    #[must_use]
    pub fn with(mut self, waits: Vec<Duration>, idle: Duration) -> Self {
        self.waits = waits;
        self.idle = idle;
        self
    }

    /// 0.8 to 1.2 (xorshift; evenly spread is enough, unpredictable is not needed).
    fn factor(&self) -> f64 {
        let mut state = self.random.load(Ordering::Relaxed);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.random.store(state, Ordering::Relaxed);
        0.8 + 0.4 * ((state >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// Takes a wait off the budget; `None` when that is used up.
    fn spend(&self, wait: Duration) -> Option<Duration> {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let before = self.waited.fetch_add(millis, Ordering::Relaxed);
        (u128::from(before) + u128::from(millis) <= self.budget.as_millis()).then_some(wait)
    }
}

/// The tries of one piece of work.
#[derive(Debug, Default)]
pub struct Tries {
    done: usize,
    announced: u32,
}

impl Tries {
    /// How long to wait before the next try; `None` when there is none left. What a host announces overrides the wait
    /// and uses up no try.
    pub fn next(&mut self, patience: &Patience, announced: Option<Duration>) -> Option<Duration> {
        if let Some(wait) = announced {
            self.announced += 1;
            if wait > patience.longest || self.announced > ANNOUNCED {
                return None;
            }
            // Nobody is helped by an answer without a pause.
            let least = patience.waits.first().map_or(Duration::ZERO, |first| *first / 20);
            return patience.spend(wait.max(least));
        }
        let wait = patience.waits.get(self.done)?.mul_f64(patience.factor());
        self.done += 1;
        patience.spend(wait)
    }

    /// The work has moved on, so the count begins again.
    pub fn reset(&mut self) {
        self.done = 0;
    }

    /// How often it was tried again because of faults.
    pub fn count(&self) -> usize {
        self.done
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); a date is compared with the host's own `Date` when there is
/// one, because clocks differ.
pub fn retry_after(value: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let parser = DateTimeParser::new();
    let read = |text: &str| parser.parse_timestamp(text.trim()).ok();
    let now = date.and_then(read).unwrap_or(now);
    let seconds = read(value)?.as_second().saturating_sub(now.as_second()).max(0);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_more_tries_and_announced_waits_are_free() {
        let patience = Patience::new(7);
        let mut tries = Tries::default();
        assert_eq!(tries.next(&patience, Some(Duration::from_secs(5))), Some(Duration::from_secs(5)));
        for expected in [2.0, 4.0, 8.0] {
            let wait = tries.next(&patience, None).unwrap().as_secs_f64();
            assert!((expected * 0.8..=expected * 1.2).contains(&wait), "{wait}");
        }
        assert_eq!(tries.next(&patience, None), None);
        assert_eq!(tries.next(&patience, Some(Duration::from_secs(121))), None);
    }

    #[test]
    fn a_host_that_says_later_for_ever_is_given_up() {
        let patience = Patience::new(7).with(vec![Duration::from_millis(1)], Duration::from_secs(1));
        let mut tries = Tries::default();
        let waits = std::iter::from_fn(|| tries.next(&patience, Some(Duration::ZERO))).count();
        assert_eq!(waits, 20);
        let patience = Patience::new(7);
        let spent = std::iter::from_fn(|| Tries::default().next(&patience, Some(Duration::from_secs(100))));
        assert_eq!(spent.count(), 6);
    }

    #[test]
    fn seconds_and_dates() {
        let now = Timestamp::UNIX_EPOCH;
        let read = |value, date| retry_after(value, date, now).map(|wait| wait.as_secs());
        assert_eq!(read("3", None), Some(3));
        assert_eq!(read("Thu, 01 Jan 1970 00:01:00 GMT", None), Some(60));
        let later = Some("Thu, 01 Jan 1970 00:00:50 GMT");
        assert_eq!(read("Thu, 01 Jan 1970 00:01:00 GMT", later), Some(10));
        assert_eq!(read("Thu, 01 Jan 1970 00:00:00 GMT", later), Some(0));
        assert_eq!(read("soon", None), None);
        assert_eq!(read("-1", None), None);
    }
}
