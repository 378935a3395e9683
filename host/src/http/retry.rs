//! Trying again: how often, after how long, and at whose expense.
//!
//! Two limits hold at once. One request is tried a limited number of times, with growing random waits
//! ([`Backoff`], "full jitter": anywhere between nothing and a ceiling that doubles), which bridges about a minute of a
//! server in trouble. And all requests of a run share one [`RetryBudget`]: retries take from it, successes give back, so
//! that a dead server ends the run soon instead of every reader finding out by itself, while rare faults in a long run
//! never use it up.
//!
//! What this does not do: decide *whether* an answer is worth another attempt ([`super::verdict`]), or wait.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Attempts of one request, the first included. With the waits of [`Backoff::default`] the last comes 45 s after the
/// first on average, and 91 s at most, apart from the attempts themselves.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(8).unwrap();

/// Attempts to connect to a server that has never answered: it is more likely a mistyped address or a missing network
/// than a short trouble, and someone may be watching.
const ATTEMPTS_TO_REACH: NonZeroU32 = NonZeroU32::new(4).unwrap();

/// Retries that a run may make without a success between them: enough for eight readers to use up their attempts.
const RETRIES: u32 = 100;

/// Successes that give back one retry: a run goes on as long as fewer than one request in ten fails. HubSpot asks for
/// fewer than one in twenty over a day.
const SUCCESSES_PER_RETRY: u32 = 10;

/// The longest wait that `Retry-After` may ask for within a run; beyond it the run ends and says so.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// How often and after how long a request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts of one request, the first included.
    pub attempts: NonZeroU32,
    /// Attempts to connect, as long as the server has not answered anything.
    pub attempts_to_reach: NonZeroU32,
    /// The waits between the attempts.
    pub backoff: Backoff,
    /// Retries of all requests of the run without a success between them. Zero for none.
    pub retries: u32,
    /// The longest wait that the server may ask for; a longer one ends the run.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: ATTEMPTS,
            attempts_to_reach: ATTEMPTS_TO_REACH,
            backoff: Backoff::default(),
            retries: RETRIES,
            longest_wait: LONGEST_WAIT,
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

/// The retries that all requests of a run share.
#[derive(Debug)]
pub(super) struct RetryBudget(Mutex<Account>);

#[derive(Debug)]
struct Account {
    /// In units of which a retry costs [`SUCCESSES_PER_RETRY`], and a success gives one back.
    left: u32,
    limit: u32,
    spent: BTreeMap<Fault, u32>,
}

impl RetryBudget {
    pub(super) fn new(retries: u32) -> Self {
        let limit = retries.saturating_mul(SUCCESSES_PER_RETRY);
        Self(Mutex::new(Account { left: limit, limit, spent: BTreeMap::new() }))
    }

    /// Pays for one retry, or says what all were spent on.
    pub(super) fn spend(&self, fault: Fault) -> Result<(), RetriesSpent> {
        let mut account = self.account();
        match account.left.checked_sub(SUCCESSES_PER_RETRY) {
            Some(left) => {
                account.left = left;
                *account.spent.entry(fault).or_default() += 1;
                Ok(())
            }
            None => Err(RetriesSpent(account.spent.iter().map(|(fault, count)| (*fault, *count)).collect())),
        }
    }

    /// Gives a part of a retry back.
    pub(super) fn success(&self) {
        let mut account = self.account();
        account.left = account.limit.min(account.left + 1);
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the retries of a run were spent on, and how many on each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetriesSpent(Vec<(Fault, u32)>);

impl fmt::Display for RetriesSpent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (fault, count)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{count} on {fault}")?;
        }
        Ok(())
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

    #[test]
    fn the_default_policy_waits_as_long_as_its_documentation_says() {
        let policy = RetryPolicy::default();
        let total =
            |random| (1..policy.attempts.get()).map(|after| policy.backoff.wait(after, random)).sum::<Duration>();
        assert_eq!((total(0.5).as_secs(), total(1.0).as_secs()), (45, 91));
    }

    #[test]
    fn the_budget_names_what_it_was_spent_on() {
        let budget = RetryBudget::new(3);
        budget.spend(Fault::Status(503)).unwrap();
        budget.spend(Fault::Timeout).unwrap();
        budget.spend(Fault::Status(503)).unwrap();
        let spent = budget.spend(Fault::Connection).unwrap_err();
        assert_eq!(spent.to_string(), "1 on timeouts, 2 on status 503");
    }

    #[test]
    fn successes_give_retries_back_but_never_more_than_there_were() {
        let budget = RetryBudget::new(1);
        for _ in 0..SUCCESSES_PER_RETRY * 5 {
            budget.success();
        }
        budget.spend(Fault::Timeout).unwrap();
        budget.spend(Fault::Timeout).unwrap_err();
        for _ in 1..SUCCESSES_PER_RETRY {
            budget.success();
        }
        budget.spend(Fault::Timeout).unwrap_err();
        budget.success();
        budget.spend(Fault::Timeout).unwrap();
    }
}
