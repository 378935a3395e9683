//! Trying again: for how long, after what waits, and what is told meanwhile.
//!
//! A request that fails for a reason that may pass is tried again until the client's [`Patience`] with it is used up, with
//! growing random waits ([`Backoff`], "full jitter": anywhere between nothing and a ceiling that doubles). Patience is time
//! for a run: an outage of minutes is nobody's mistake, whatever it looks like (connections that fail, 5xx, HTML pages,
//! answers that break off or do not come), and a run that ends on it has to begin anew. For a look by somebody who waits, it
//! is a few attempts.
//!
//! [`Health`] knows how all requests of a client fare, for two things that no request can know by itself: whether it is this
//! request that is too much for the server, or the server that answers nobody; and when to say again that there is trouble.
//!
//! What this does not do: decide *whether* an answer is worth another attempt ([`super::verdict`]), or wait.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a run's requests may fail unless somebody says otherwise: what HubSpot's incidents and the restarts of a network
/// usually stay below.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Attempts for a look by somebody who waits. With the waits of [`Backoff::default`] the last comes 15 s after the first at
/// most, apart from the attempts themselves.
const ATTEMPTS_OF_A_LOOK: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// How long a request has failed when that is told first: longer than the stumbles that happen in every run.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// How often it is told again.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// How long and after what waits a request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How much may fail.
    pub patience: Patience,
    /// The waits between the attempts.
    pub backoff: Backoff,
}

impl RetryPolicy {
    /// For a run that nobody watches: a request may fail for so long.
    pub fn of_a_run(patience: Duration) -> Self {
        Self { patience: Patience::For(patience), backoff: Backoff::default() }
    }

    /// For a look at something, by somebody who waits for it.
    pub fn of_a_look() -> Self {
        Self { patience: Patience::Attempts(ATTEMPTS_OF_A_LOOK), backoff: Backoff::default() }
    }

    /// The longest wait that the server may ask for; a longer one ends the run.
    pub fn longest_wait(self) -> Duration {
        match self.patience {
            Patience::For(patience) => patience.max(PATIENCE),
            Patience::Attempts(_) => PATIENCE,
        }
    }

    /// The wait after the attempt of this number (from 1) of a request that has failed for so long; `None` if it has been
    /// tried enough. Where patience is time, the last attempt is made when it ends.
    pub(super) fn wait(self, attempt: u32, failing_for: Duration, random: f64) -> Option<Duration> {
        let wait = self.backoff.wait(attempt, random);
        match self.patience {
            Patience::For(patience) => {
                let left = patience.checked_sub(failing_for).filter(|left| !left.is_zero())?;
                Some(wait.min(left))
            }
            Patience::Attempts(most) => (attempt < most.get()).then_some(wait),
        }
    }
}

/// How much a request may fail before it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until so much time has passed since it failed first.
    For(Duration),
    /// So many attempts, the first included.
    Attempts(NonZeroU32),
}

impl fmt::Display for Patience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(patience) => write!(formatter, "it is asked again for up to {} s", patience.as_secs()),
            Self::Attempts(most) => write!(formatter, "it is asked {most} times"),
        }
    }
}

/// Waits that grow: each is random between zero and a ceiling, which doubles up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling of the first wait.
    pub first: Duration,
    /// The highest ceiling.
    pub longest: Duration,
}

impl Default for Backoff {
    /// One second first, as HubSpot's own advice is to wait for seconds; half a minute at most, so that a server that is
    /// back is noticed.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The wait after the attempt of this number (from 1), for a random number in `0.0..1.0`.
    pub fn wait(self, attempt: u32, random: f64) -> Duration {
        let doublings = attempt.saturating_sub(1);
        let ceiling = 2_u32.checked_pow(doublings).and_then(|factor| self.first.checked_mul(factor));
        ceiling.map_or(self.longest, |ceiling| ceiling.min(self.longest)).mul_f64(random)
    }
}

/// Where the random numbers of the waits come from.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    /// Numbers in `0.0..1.0`.
    pub fn new(source: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(super) fn next(&self) -> f64 {
        (self.0)()
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::new(fastrand::f64)
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Jitter")
    }
}

/// What went wrong in an attempt that is worth another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No connection.
    Connection,
    /// No complete answer in time.
    Timeout,
    /// The connection broke before the answer was complete.
    CutAnswer,
    /// The answer came, and is not whole.
    BrokenBody,
    /// The server answered with this status.
    Status(u16),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => formatter.write_str("failed connections"),
            Self::Timeout => formatter.write_str("timeouts"),
            Self::CutAnswer => formatter.write_str("cut answers"),
            Self::BrokenBody => formatter.write_str("broken bodies"),
            Self::Status(status) => write!(formatter, "status {status}"),
        }
    }
}

/// How the requests of a client fare, all together.
#[derive(Debug)]
pub(super) struct Health(Mutex<Fares>);

#[derive(Debug)]
struct Fares {
    /// Since when none has been answered as it should be, once one has failed.
    in_trouble_since: Option<Instant>,
    /// When a request was last answered as it should be.
    last_success: Option<Instant>,
    /// Requests that have failed and are tried on.
    failing: usize,
    /// When the last of those that are not tried on was answered or given up.
    last_ended: Option<Instant>,
    last_told: Option<Instant>,
}

/// A request that has failed, until this is dropped.
#[derive(Debug)]
pub(super) struct Failing {
    health: Arc<Health>,
    since: Instant,
}

impl Health {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Fares {
            in_trouble_since: None,
            last_success: None,
            failing: 0,
            last_ended: None,
            last_told: None,
        })))
    }

    /// Notes that a request has failed for the first time.
    pub(super) fn fails(self: &Arc<Self>) -> Failing {
        let now = Instant::now();
        let mut fares = self.fares();
        fares.failing += 1;
        fares.in_trouble_since.get_or_insert(now);
        Failing { health: Arc::clone(self), since: now }
    }

    /// Notes that a request was answered as it should be.
    pub(super) fn success(&self) {
        let mut fares = self.fares();
        fares.last_success = Some(Instant::now());
        fares.in_trouble_since = None;
    }

    /// For how long no request has been answered as it should be, where that is longer than a stumble.
    pub(super) fn trouble(&self) -> Option<Duration> {
        self.fares().in_trouble_since.map(|since| since.elapsed()).filter(|time| *time >= TOLD_AFTER)
    }

    fn fares(&self) -> MutexGuard<'_, Fares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failing {
    /// For how long it has failed.
    pub(super) fn time(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether other requests fail as well, and none has been answered since this one failed: then it is not this request
    /// that is too much for the server.
    pub(super) fn is_general(&self) -> bool {
        let fares = self.health.fares();
        let is_since = |time: Option<Instant>| time.is_some_and(|time| time >= self.since);
        let others_fail = fares.failing > 1 || is_since(fares.last_ended);
        others_fail && !is_since(fares.last_success)
    }

    /// Whether it is time to tell that there is trouble. One request tells for all.
    pub(super) fn is_to_be_told(&self) -> bool {
        let now = Instant::now();
        let mut fares = self.health.fares();
        let due = now.duration_since(self.since) >= TOLD_AFTER
            && fares.last_told.is_none_or(|told| now.duration_since(told) >= TOLD_EVERY);
        if due {
            fares.last_told = Some(now);
        }
        due
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let mut fares = self.health.fares();
        fares.failing -= 1;
        fares.last_ended = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_are_random_below_it() {
        let backoff = Backoff::default();
        let ceilings: Vec<f64> = (1..=8).map(|attempt| backoff.wait(attempt, 1.0).as_secs_f64()).collect();
        assert_eq!(ceilings, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(backoff.wait(3, 0.5), Duration::from_secs(2));
        assert_eq!(backoff.wait(3, 0.0), Duration::ZERO);
        assert_eq!(backoff.wait(u32::MAX, 1.0), backoff.longest);
    }

    /// How long a request that always fails at once is tried, and how often.
    fn tried(policy: RetryPolicy, random: f64) -> (Duration, u32) {
        let (mut time, mut attempts) = (Duration::ZERO, 1);
        while let Some(wait) = policy.wait(attempts, time, random) {
            time += wait;
            attempts += 1;
        }
        (time, attempts)
    }

    #[test]
    fn a_run_has_patience_for_as_long_as_it_is_told_and_not_a_moment_longer() {
        for patience in [Duration::from_secs(1), PATIENCE, Duration::from_hours(2)] {
            for random in [0.1, 0.5, 1.0] {
                assert_eq!(tried(RetryPolicy::of_a_run(patience), random).0, patience);
            }
        }
        assert_eq!(tried(RetryPolicy::of_a_run(Duration::ZERO), 0.5), (Duration::ZERO, 1));
        let (_, attempts) = tried(RetryPolicy::of_a_run(PATIENCE), 0.5);
        assert!((20..30).contains(&attempts), "{attempts}: a server in trouble is not pestered");
    }

    #[test]
    fn a_look_ends_soon() {
        assert_eq!(tried(RetryPolicy::of_a_look(), 1.0), (Duration::from_secs(15), 5));
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_is_told_after_a_while_and_then_every_half_minute_by_one_for_all() {
        let health = Health::new();
        let (one, other) = (health.fails(), health.fails());
        let mut told = Vec::new();
        for second in 0..=90 {
            for failing in [&one, &other] {
                if failing.is_to_be_told() {
                    told.push(second);
                }
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, [5, 35, 65]);
        assert_eq!(health.trouble(), Some(Duration::from_secs(91)));
        health.success();
        assert_eq!(health.trouble(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_is_general_as_long_as_others_fail_and_nobody_is_answered() {
        let health = Health::new();
        health.success();
        tokio::time::advance(Duration::from_secs(1)).await;
        let one = health.fails();
        assert!(!one.is_general(), "it is alone");
        let other = health.fails();
        assert!(one.is_general() && other.is_general());
        tokio::time::advance(Duration::from_secs(1)).await;
        health.success();
        assert!(!one.is_general(), "another was answered");
        tokio::time::advance(Duration::from_secs(1)).await;
        let late = health.fails();
        drop(other);
        assert!(!one.is_general() && late.is_general(), "another was given up");
    }
}
