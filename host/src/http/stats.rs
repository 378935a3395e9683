//! Counters of a client, for the progress display and the report.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a client has done so far. Times are sums over all requests, so they can exceed the run's own.
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
    /// Time that requests waited for their budget.
    pub waited_for_budget: Duration,
    /// Time that requests waited before another attempt.
    pub waited_for_retry: Duration,
}

/// The counters themselves. They are only added to, and read one by one: a snapshot may be a request apart in itself.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: Counter,
    pub(super) retries: Counter,
    pub(super) throttled: Counter,
    pub(super) bytes: Counter,
    pub(super) budget_wait_micros: Counter,
    pub(super) retry_wait_micros: Counter,
}

impl Counters {
    pub(super) fn snapshot(&self) -> HttpStats {
        HttpStats {
            requests: self.requests.get(),
            retries: self.retries.get(),
            throttled: self.throttled.get(),
            bytes: self.bytes.get(),
            waited_for_budget: Duration::from_micros(self.budget_wait_micros.get()),
            waited_for_retry: Duration::from_micros(self.retry_wait_micros.get()),
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

    pub(super) fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
