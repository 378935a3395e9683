//! Budgets of requests: how many a server allows in a rolling window, shared by all that ask it.
//!
//! A [`Budget`] is acquired before every request, retries included, and is told when the answer begins and what it says
//! of the budget. Waiting requests stand in one line, first come first served. A pause, after the server has said that it
//! was asked too often, holds the whole line.
//! The log of the last seconds is exact ([`window`] says why the server never counts more than it allows), so a burst
//! runs at full speed and the wait comes when the window is full.
//!
//! What this does not do: bound how many requests are in flight (the readers do, by their number), or tell one kind of
//! budget from another (the caller has as many as the server has limits).

mod reserve;
mod window;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub use reserve::Reserve;
use window::{Ticket, Turn, Window};

/// So many requests in any interval of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub requests: NonZeroU32,
    /// In how long.
    pub interval: Duration,
}

impl Rate {
    /// Requests a second, over a long time. Infinite for an interval of zero.
    fn per_second(self) -> f64 {
        f64::from(self.requests.get()) / self.interval.as_secs_f64()
    }
}

/// What is known of a budget before its server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetRules {
    /// For reports and logs.
    pub name: &'static str,
    /// Holds until an answer says what the server allows.
    pub assumed: Rate,
    /// Holds whatever the server allows; `None` to use all of it.
    pub ceiling: Option<Rate>,
    /// The share of what the server allows that is left to others. The ceiling is ours alone, and nothing is left of it.
    pub reserve: Reserve,
}

/// What an answer says of the budget its request was counted in. What it does not say is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BudgetNews {
    /// How many requests the server allows in an interval.
    pub max: Option<u32>,
    /// The length of the interval.
    pub interval: Option<Duration>,
    /// How many of them were left when the server counted the request. Used only beside `max`.
    pub remaining: Option<u32>,
}

/// How much of a budget is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetUsage {
    /// The budget's name.
    pub name: &'static str,
    /// The tightest rate in force.
    pub rate: Rate,
    /// Requests started since the budget was made, retries included.
    pub requests: u64,
    /// Requests the server may count at this moment, those of others included as far as known.
    pub in_window: u32,
    /// Requests started, as a share (0 to 1) of those the rate now in force, which is what is left after the reserve, would
    /// have allowed between the first and the last of them. In the first interval: the share of one full window.
    pub share: f64,
}

/// One limit of the server. Cheap to clone; clones are the same budget.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    window: Mutex<Window>,
    /// Held by the request at the head of the line; the mutex is fair, so the line is first come first served.
    line: tokio::sync::Mutex<()>,
    /// Tells the head of the line that its turn may have moved.
    changed: Notify,
}

/// The right to send one request, which is counted whether it is sent or not.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    ticket: Ticket,
    granted: Instant,
}

impl Budget {
    /// A budget of which nothing is used yet.
    pub fn new(rules: BudgetRules) -> Self {
        Self(Arc::new(Shared {
            window: Mutex::new(Window::new(rules)),
            line: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
        }))
    }

    /// Waits for its turn, then for a place in the window.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line and uses up nothing.
    pub async fn acquire(&self) -> Permit {
        let _head_of_line = self.0.line.lock().await;
        loop {
            let now = Instant::now();
            let turn = self.window().take(now);
            match turn {
                Turn::Now(ticket) => return Permit { budget: self.clone(), ticket, granted: now },
                Turn::NotBefore(until) => tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    () = self.0.changed.notified() => {}
                },
            }
        }
    }

    /// Lets no request start for this long, counted from now.
    pub fn pause(&self, length: Duration) {
        self.window().pause(Instant::now() + length);
        self.0.changed.notify_one();
    }

    /// How long a rolling window takes to become empty.
    pub fn interval(&self) -> Duration {
        self.window().interval()
    }

    /// How much is used, for reports.
    pub fn usage(&self) -> BudgetUsage {
        self.window().usage(Instant::now())
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        // Every change to the window is complete before anything can panic.
        self.0.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Notes that the answer has begun, whether it refuses the request as one too many, and what it says of the budget.
    /// A permit that is dropped without this, because there was no answer, stays counted for a little longer.
    pub fn answered(self, refused: bool, news: Option<BudgetNews>) {
        let now = Instant::now();
        {
            let mut window = self.budget.window();
            window.answered(self.ticket, refused, now);
            if let Some(news) = news {
                window.learn(news, self.granted, now);
            }
        }
        self.budget.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures::future::join_all;

    use super::*;

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    fn rate(requests: u32, interval: Duration) -> Rate {
        Rate { requests: NonZeroU32::new(requests).unwrap(), interval }
    }

    fn budget(requests: u32, interval: Duration) -> Budget {
        let assumed = rate(requests, interval);
        Budget::new(BudgetRules { name: "test", assumed, ceiling: None, reserve: Reserve::NONE })
    }

    /// A server that counts arrivals in a rolling window, the way HubSpot documents its limits.
    #[derive(Debug, Default)]
    struct Server {
        window: VecDeque<Instant>,
        refused: u32,
        answered: u32,
    }

    impl Server {
        fn arrival(&mut self, max: usize, interval: Duration) -> BudgetNews {
            let now = Instant::now();
            while self.window.front().is_some_and(|oldest| *oldest + interval <= now) {
                self.window.pop_front();
            }
            if self.window.len() >= max {
                self.refused += 1;
            } else {
                self.window.push_back(now);
                self.answered += 1;
            }
            BudgetNews {
                max: Some(max as u32),
                interval: Some(interval),
                remaining: Some((max - self.window.len()) as u32),
            }
        }
    }

    /// Eight readers of pages that take 300 ms, for ten minutes, against 190 requests in 10 s: the budget is full, and
    /// the server never says no.
    #[tokio::test(start_paused = true)]
    async fn eight_readers_keep_the_budget_full_and_are_never_refused() {
        const READERS: u32 = 8;
        const MAX: usize = 190;
        let (way, run) = (Duration::from_millis(150), Duration::from_mins(10));
        let budget = budget(100, TEN_SECONDS);
        let server = Mutex::new(Server::default());
        let end = Instant::now() + run;
        join_all((0..READERS).map(|_| async {
            while Instant::now() < end {
                let permit = budget.acquire().await;
                tokio::time::sleep(way).await;
                let news = server.lock().unwrap().arrival(MAX, TEN_SECONDS);
                tokio::time::sleep(way).await;
                permit.answered(false, Some(news));
            }
        }))
        .await;
        let server = server.into_inner().unwrap();
        let possible = MAX as f64 * run.as_secs_f64() / TEN_SECONDS.as_secs_f64();
        let share = f64::from(server.answered) / possible;
        assert_eq!(server.refused, 0);
        assert!(share >= 0.95, "{share}");
        let usage = budget.usage();
        assert_eq!(usage.rate, rate(190, TEN_SECONDS));
        assert!((usage.share - share).abs() < 0.02, "reported {} of {share}", usage.share);
    }

    #[tokio::test(start_paused = true)]
    async fn the_requests_of_another_program_are_seen_in_time() {
        const MAX: usize = 190;
        let server = Mutex::new(Server::default());
        let end = Instant::now() + Duration::from_mins(5);
        // It takes a quarter of the budget, evenly, and never looks at an answer.
        let other = async {
            while Instant::now() < end {
                server.lock().unwrap().arrival(MAX, TEN_SECONDS);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let budget = budget(MAX as u32, TEN_SECONDS);
        let (asked, refused) = (Mutex::new(0_u32), Mutex::new(0_u32));
        let readers = join_all((0..8).map(|_| async {
            while Instant::now() < end {
                let permit = budget.acquire().await;
                tokio::time::sleep(Duration::from_millis(50)).await;
                let (is_refused, news) = {
                    let mut server = server.lock().unwrap();
                    let before = server.refused;
                    let news = server.arrival(MAX, TEN_SECONDS);
                    (server.refused > before, news)
                };
                *asked.lock().unwrap() += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
                permit.answered(is_refused, Some(news));
                if is_refused {
                    *refused.lock().unwrap() += 1;
                    budget.pause(TEN_SECONDS);
                }
            }
        }));
        futures::join!(other, readers);
        let (asked, refused) = (asked.into_inner().unwrap(), refused.into_inner().unwrap());
        assert_eq!(refused, 0);
        assert!(asked >= 4_000, "three quarters of the 5700 places are ours, and {asked} requests were made");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_requests_start_in_the_order_in_which_they_asked() {
        let budget = budget(2, Duration::from_secs(1));
        let order = Mutex::new(Vec::new());
        join_all((0..9).map(|number| {
            let (budget, order) = (&budget, &order);
            async move {
                let permit = budget.acquire().await;
                order.lock().unwrap().push(number);
                permit.answered(false, None);
            }
        }))
        .await;
        assert_eq!(order.into_inner().unwrap(), (0..9).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_gives_up_waiting_uses_up_nothing_and_holds_up_nobody() {
        let budget = budget(1, TEN_SECONDS);
        budget.acquire().await.answered(false, None);
        let start = Instant::now();
        let given_up = tokio::time::timeout(Duration::from_secs(3), budget.acquire());
        let patient = async {
            tokio::task::yield_now().await;
            budget.acquire().await;
            Instant::now() - start
        };
        let (given_up, waited) = futures::join!(given_up, patient);
        assert!(given_up.is_err());
        assert!(waited < TEN_SECONDS + Duration::from_millis(100), "{waited:?}");
        assert_eq!(budget.usage().requests, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_the_line_even_when_it_comes_late() {
        let budget = budget(1, Duration::from_secs(1));
        budget.acquire().await.answered(false, None);
        let start = Instant::now();
        let paused = async {
            tokio::task::yield_now().await;
            budget.pause(Duration::from_secs(7));
        };
        let waiting = async {
            budget.acquire().await;
            Instant::now() - start
        };
        let ((), waited) = futures::join!(paused, waiting);
        assert!(waited >= Duration::from_secs(7), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_brings_the_turn_of_a_waiting_request_forward() {
        let budget = budget(1, Duration::from_secs(1));
        let permit = budget.acquire().await;
        let start = Instant::now();
        let answer = async {
            tokio::task::yield_now().await;
            permit.answered(false, None);
        };
        let waiting = async {
            budget.acquire().await;
            Instant::now() - start
        };
        let ((), waited) = futures::join!(answer, waiting);
        assert!(waited < Duration::from_millis(1_100), "{waited:?}");
    }
}
