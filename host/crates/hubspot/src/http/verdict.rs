//! Verdicts: what an answer means for the request, decided from its status, headers and the start of its body.
//!
//! [`Verdict::of_status`] is the table that holds for any server. What only one vendor says (which text is a daily limit,
//! which made-up status a maintenance) its [`Vendor`] judges first.

use std::fmt;
use std::time::Duration;

use ::http::header::{DATE, RETRY_AFTER};
use ::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::limit::BudgetNews;
use super::said::Explanation;

/// The least wait before a record or account that another job has locked is asked for again.
pub const LOCKED_WAIT: Duration = Duration::from_secs(2);

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The body is what was asked for.
    Accept,
    /// No answer to this request will ever be better.
    Fail,
    /// The server's fault, perhaps gone by the next attempt.
    Retry {
        /// Wait at least this long; zero leaves it to backoff. A longer `Retry-After` holds.
        at_least: Duration,
    },
    /// Asked too often: the whole budget is paused, then the request is made again.
    Throttled {
        /// How long; `None` for what `Retry-After` says, or else the budget's interval.
        wait: Option<Duration>,
    },
    /// No request of this run will be answered for a long time.
    Stop {
        /// Why.
        reason: StopReason,
        /// When requests are answered again; `None` for what `Retry-After` says, if anything.
        back_at: Option<Timestamp>,
    },
}

/// Why no request is answered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The requests of the day are used up.
    DailyLimit,
    /// The account is being moved to another place.
    AccountMoving,
    /// The server asks to wait for longer than a run does.
    LongWait,
}

impl fmt::Display for StopReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::DailyLimit => "the daily limit of requests is used up",
            Self::AccountMoving => "the account is being moved to another data centre",
            Self::LongWait => "the server asks for a longer wait than a run makes",
        })
    }
}

/// An answer as far as it matters for the verdict.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The first bytes of the body, at most [`BODY_START`] of them.
    pub body_start: &'a [u8],
}

/// How much of a body is kept for judging it: error bodies are far shorter, pages of records far longer.
pub const BODY_START: usize = 64 * 1024;

/// What one vendor's answers mean.
pub trait Vendor: fmt::Debug + Send + Sync + 'static {
    /// The vendor's name, for messages: "HubSpot".
    fn name(&self) -> &'static str;

    /// What an answer means. [`Verdict::of_status`] is the table to fall back to.
    fn judge(&self, answer: Answer<'_>) -> Verdict {
        Verdict::of_status(answer.status)
    }

    /// What an answer's headers say of the budget its request was counted in.
    fn budget_news(&self, headers: &HeaderMap) -> Option<BudgetNews>;

    /// What an answer that is not accepted says of itself. Nothing that it finds has to be safe to print: it is made so.
    fn explain(&self, answer: Answer<'_>) -> Explanation;
}

impl Verdict {
    /// What a status means by itself.
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Accept,
            423 => Self::Retry { at_least: LOCKED_WAIT },
            429 => Self::Throttled { wait: None },
            // 408 is a server's own timeout; 520 to 526 are those of a proxy (Cloudflare's) before a server in trouble.
            408 | 500 | 502 | 503 | 504 | 520..=526 => Self::Retry { at_least: Duration::ZERO },
            _ => Self::Fail,
        }
    }
}

/// How long the server asks to wait: `Retry-After`, in seconds or as a date. A date is taken relative to the server's own
/// `Date`, so that a clock that is wrong here does not matter, and to `now` if there is none. A date that is past is zero.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    static DATES: DateTimeParser = DateTimeParser::new();
    let date = |name| headers.get(name).and_then(|value| DATES.parse_timestamp(value.as_bytes()).ok());
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(RETRY_AFTER)?;
    let wait = until.duration_since(date(DATE).unwrap_or(now));
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(entries: &[(::http::HeaderName, &'static str)]) -> HeaderMap {
        entries.iter().map(|(name, value)| (name.clone(), ::http::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let wait = |entries: &[_]| retry_after(&headers(entries), now);
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[(RETRY_AFTER, " 7 ")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(wait(&[(RETRY_AFTER, "-3")]), None);
        let date = (RETRY_AFTER, "Sun, 01 Mar 2026 12:00:30 GMT");
        assert_eq!(wait(std::slice::from_ref(&date)), Some(Duration::from_secs(30)));
        let server_clock = (DATE, "Sun, 01 Mar 2026 12:00:10 GMT");
        assert_eq!(wait(&[date.clone(), server_clock]), Some(Duration::from_secs(20)));
        let later_clock = (DATE, "Sun, 01 Mar 2026 13:00:00 GMT");
        assert_eq!(wait(&[date, later_clock]), Some(Duration::ZERO));
    }
}
