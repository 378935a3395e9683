//! The rate limits, really enforced: sliding windows over the times of admitted requests.
//!
//! Refused requests do not count. The windows slide: at no moment do the last ten seconds hold more
//! than the limit, which a limiter with fixed windows would break at their borders.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::Options;
use super::answer::{Policy, Refusal};

const ROLLING: Duration = Duration::from_secs(10);
const SEARCH: Duration = Duration::from_secs(1);

/// How long a client that went over the daily limit is told to wait: the day's end is far away.
const DAY: Duration = Duration::from_hours(24);

/// All limits of the account.
#[derive(Debug)]
pub(super) struct Limits {
    per_10s: u32,
    searches_per_second: u32,
    per_day: u64,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    rolling_by_token: HashMap<String, Window>,
    searches: Window,
    today: u64,
}

impl Limits {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            per_10s: options.requests_per_10s,
            searches_per_second: options.searches_per_second,
            per_day: options.requests_per_day,
            counts: Mutex::default(),
        }
    }

    /// Counts a request if every limit that concerns it has room, and says what remains. Searches
    /// have a limit of their own and are not told what remains.
    pub(super) fn admit(&self, token: &str, is_search: bool, now: Instant) -> (Result<(), Refusal>, Standing) {
        let mut counts = self.counts();
        let mut verdict = Ok(());
        if counts.today >= self.per_day {
            verdict = Err(Refusal::RateLimited(Policy::Daily, DAY));
        } else if is_search {
            verdict = counts
                .searches
                .admit(SEARCH, self.searches_per_second, now)
                .map_err(|wait| Refusal::RateLimited(Policy::Secondly, wait));
        }
        let rolling = counts.rolling_by_token.entry(token.to_owned()).or_default();
        if !is_search && verdict.is_ok() {
            verdict = rolling
                .admit(ROLLING, self.per_10s, now)
                .map_err(|wait| Refusal::RateLimited(Policy::TenSecondlyRolling, wait));
        }
        let rolling_remaining = self.per_10s.saturating_sub(rolling.admitted.len() as u32);
        counts.today += u64::from(verdict.is_ok());
        let standing = Standing {
            daily: (self.per_day, self.per_day.saturating_sub(counts.today)),
            rolling: (self.per_10s, rolling_remaining),
            shown: !is_search,
        };
        (verdict, standing)
    }

    /// Requests admitted since the server started, and how many it admits in all.
    pub(super) fn daily_usage(&self) -> (u64, u64) {
        (self.counts().today, self.per_day)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a token has left after a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// The limit, and what remains of it.
    daily: (u64, u64),
    rolling: (u32, u32),
    shown: bool,
}

impl Standing {
    /// Adds the rate-limit headers, unless the endpoint has none.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        if !self.shown {
            return;
        }
        let fields = [
            ("x-hubspot-ratelimit-daily", self.daily.0),
            ("x-hubspot-ratelimit-daily-remaining", self.daily.1),
            ("x-hubspot-ratelimit-interval-milliseconds", ROLLING.as_millis() as u64),
            ("x-hubspot-ratelimit-max", u64::from(self.rolling.0)),
            ("x-hubspot-ratelimit-remaining", u64::from(self.rolling.1)),
        ];
        headers.extend(fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(value))));
    }
}

/// The times of the requests admitted within one span.
#[derive(Debug, Default)]
struct Window {
    admitted: VecDeque<Instant>,
}

impl Window {
    /// Admits a request if fewer than `max` were admitted in the `span` that ends now. Otherwise
    /// says how long until the oldest of them has left the span.
    fn admit(&mut self, span: Duration, max: u32, now: Instant) -> Result<(), Duration> {
        while self.admitted.front().is_some_and(|&oldest| now.duration_since(oldest) >= span) {
            self.admitted.pop_front();
        }
        if (self.admitted.len() as u64) < u64::from(max) {
            self.admitted.push_back(now);
            return Ok(());
        }
        let oldest = self.admitted.front().copied().unwrap_or(now);
        Err(span.saturating_sub(now.duration_since(oldest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_10s: u32, searches: u32, per_day: u64) -> Limits {
        Limits::new(&Options {
            requests_per_10s: per_10s,
            searches_per_second: searches,
            requests_per_day: per_day,
            ..Options::default()
        })
    }

    #[test]
    fn the_window_slides() {
        let limits = limits(2, 5, 1_000);
        let start = Instant::now();
        let at = |millis| limits.admit("token", false, start + Duration::from_millis(millis)).0;
        assert_eq!(at(0), Ok(()));
        assert_eq!(at(9_000), Ok(()));
        let wait = Duration::from_millis(100);
        assert_eq!(at(9_900), Err(Refusal::RateLimited(Policy::TenSecondlyRolling, wait)));
        assert_eq!(at(10_000), Ok(()));
        let wait = Duration::from_secs(8);
        assert_eq!(at(11_000), Err(Refusal::RateLimited(Policy::TenSecondlyRolling, wait)));
        assert_eq!(at(19_000), Ok(()));
    }

    #[test]
    fn tokens_have_windows_of_their_own_and_share_the_searches() {
        let limits = limits(1, 1, 1_000);
        let now = Instant::now();
        assert_eq!(limits.admit("one", false, now).0, Ok(()));
        assert_eq!(limits.admit("two", false, now).0, Ok(()));
        assert_eq!(limits.admit("one", true, now).0, Ok(()));
        let wait = Duration::from_secs(1);
        assert_eq!(limits.admit("two", true, now).0, Err(Refusal::RateLimited(Policy::Secondly, wait)));
    }

    #[test]
    fn the_day_counts_what_was_admitted() {
        let limits = limits(2, 5, 3);
        let now = Instant::now();
        let first_three = ["one", "one", "one", "two"].map(|token| limits.admit(token, false, now).0.is_ok());
        assert_eq!(first_three, [true, true, false, true]);
        assert_eq!(limits.admit("three", false, now).0, Err(Refusal::RateLimited(Policy::Daily, DAY)));
        assert_eq!(limits.daily_usage(), (3, 3));
    }
}
