//! Counters of a client, for the progress display and the report.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a client has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HttpStats {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests that were sent again, or are about to be.
    pub retries: u64,
    /// Answers that said the server was asked too often.
    pub throttled: u64,
    /// Bytes of bodies, decompressed.
    pub bytes: u64,
    /// Time by the clock in which at least one request waited for its budget.
    pub waited_for_budget: Duration,
    /// Time by the clock in which at least one request waited before another attempt.
    pub waited_for_retry: Duration,
    /// For how long no request has been answered as it should be, while that lasts and is more than a stumble.
    pub in_trouble_for: Option<Duration>,
}

/// The counters themselves. They are only added to, and read one by one: a snapshot may be a request apart in itself.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: Counter,
    pub(super) retries: Counter,
    pub(super) throttled: Counter,
    pub(super) bytes: Counter,
    pub(super) budget_wait: Waits,
    pub(super) retry_wait: Waits,
}

impl Counters {
    pub(super) fn snapshot(&self, in_trouble_for: Option<Duration>) -> HttpStats {
        HttpStats {
            requests: self.requests.get(),
            retries: self.retries.get(),
            throttled: self.throttled.get(),
            bytes: self.bytes.get(),
            waited_for_budget: self.budget_wait.so_far(),
            waited_for_retry: self.retry_wait.so_far(),
            in_trouble_for,
        }
    }
}

/// One counter.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits of one kind. However many requests wait at once, their time counts once: it is never more than the run took.
#[derive(Debug, Default)]
pub(super) struct Waits(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// Requests that wait now.
    requests: u32,
    /// Since when any has, while one does.
    since: Option<Instant>,
    /// What is over.
    past: Duration,
}

/// One request that waits, for as long as this lives: one that is given up waits no longer.
#[derive(Debug)]
#[must_use]
pub(super) struct Wait<'w>(&'w Waits);

impl Waits {
    /// Begins a wait.
    pub(super) fn begin(&self) -> Wait<'_> {
        let mut waiting = self.locked();
        waiting.requests += 1;
        waiting.since.get_or_insert_with(Instant::now);
        Wait(self)
    }

    fn so_far(&self) -> Duration {
        let waiting = self.locked();
        waiting.past + waiting.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn locked(&self) -> MutexGuard<'_, Waiting> {
        // Every change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.locked();
        waiting.requests -= 1;
        if waiting.requests == 0
            && let Some(since) = waiting.since.take()
        {
            waiting.past += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_waits_at_once_counts_once() {
        let waits = Waits::default();
        let one = async |after: u64, length: u64| {
            tokio::time::sleep(Duration::from_secs(after)).await;
            let wait = waits.begin();
            tokio::time::sleep(Duration::from_secs(length)).await;
            drop(wait);
        };
        // Eight from 0 to 20, one from 15 to 25, none to 40, one from 40 to 45.
        let eight = futures::future::join_all((0..8).map(|_| one(0, 20)));
        futures::join!(eight, one(15, 10), one(40, 5));
        assert_eq!(waits.so_far(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_counts_while_it_lasts_and_when_it_is_given_up() {
        let waits = Waits::default();
        let wait = waits.begin();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(waits.so_far(), Duration::from_secs(3));
        drop(wait);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(waits.so_far(), Duration::from_secs(3));
    }
}
