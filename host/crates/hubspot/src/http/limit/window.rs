//! A rolling window of requests, as pure arithmetic on instants.
//!
//! The server counts a request when it *arrives*, and we only know that this lies between sending it and its answer.
//! So every request stands in the log with the latest instant at which the server can have counted it: [`ARRIVAL_GUARD`]
//! after sending, or its answer, whichever comes first. It leaves the window one interval (and [`CLOCK_MARGIN`]) after
//! that. As no request arrives before it is sent, the server never has more of ours in its window than we have in ours,
//! and a full log here is the only thing that makes anyone wait: there is no smoothing and no burst at a boundary.
//!
//! What answers say is taken in: a new rate replaces the one assumed; and if the server counts more requests than we can
//! have made, others use the same budget, and as many places are left to them.
//!
//! Nothing here waits or reads a clock; [`super::Budget`] does.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use super::{BudgetNews, BudgetRules, BudgetUsage, Rate};

/// How long after sending a request that is not answered yet is taken to have arrived.
/// Longer than the way to the server on an open connection, and than opening one on an ordinary day. The price is a
/// window longer by at most this: 5 % of ten seconds.
const ARRIVAL_GUARD: Duration = Duration::from_millis(500);

/// Added to every interval, because the server's clock ticks and rounds in its own way. 0.1 % of ten seconds.
const CLOCK_MARGIN: Duration = Duration::from_millis(10);

/// How old the server's count of requests may be to be compared with ours. An answer that took longer says what was
/// true when its request arrived, and the log does not reach back so far.
const FRESH_COUNT: Duration = Duration::from_secs(2);

/// Intervals above this are not believed: a header in another unit would stop the run for a day.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);

/// The log of one budget.
#[derive(Debug)]
pub(super) struct Window {
    rules: BudgetRules,
    learned: Option<Rate>,
    log: Vec<Entry>,
    others: Option<Others>,
    paused_until: Option<Instant>,
    started: u64,
    first_start: Option<Instant>,
    last_start: Option<Instant>,
}

/// Names one request of ours in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// Whether a request may start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may, and stands in the log.
    Now(Ticket),
    /// Not before this instant; ask again then, or when something changes.
    NotBefore(Instant),
}

/// A request that the server may still count.
#[derive(Debug)]
struct Entry {
    ticket: Ticket,
    sent: Instant,
    answered: Option<Instant>,
    /// Its answer said that it was one too many. It keeps its place, but is not among those the server counts.
    refused: bool,
}

/// How many requests in the server's window are not ours, at most, and when it was last certain that there are any.
#[derive(Debug, Clone, Copy)]
struct Others {
    count: usize,
    seen: Instant,
}

impl Window {
    pub(super) fn new(rules: BudgetRules) -> Self {
        Self {
            rules,
            learned: None,
            log: Vec::new(),
            others: None,
            paused_until: None,
            started: 0,
            first_start: None,
            last_start: None,
        }
    }

    /// Starts a request if all rates in force allow it.
    pub(super) fn take(&mut self, now: Instant) -> Turn {
        self.forget(now);
        let full_until = self.rates().filter_map(|(rate, others)| self.full_until(rate, others, now));
        let held_until = full_until.chain(self.paused_until.filter(|until| *until > now)).max();
        if let Some(until) = held_until {
            return Turn::NotBefore(until);
        }
        let ticket = Ticket(self.started);
        self.log.push(Entry { ticket, sent: now, answered: None, refused: false });
        self.started += 1;
        self.first_start.get_or_insert(now);
        self.last_start = Some(now);
        Turn::Now(ticket)
    }

    /// Notes that a request was answered, and whether it was refused as one too many.
    pub(super) fn answered(&mut self, ticket: Ticket, refused: bool, now: Instant) {
        if let Some(entry) = self.log.iter_mut().rfind(|entry| entry.ticket == ticket) {
            entry.answered = Some(now);
            entry.refused = refused;
        }
    }

    /// Takes in what an answer says of the budget. `sent` is when its request was sent.
    pub(super) fn learn(&mut self, news: BudgetNews, sent: Instant, now: Instant) {
        let known = self.learned.unwrap_or(self.rules.assumed);
        let interval = news.interval.filter(|said| !said.is_zero() && *said <= LONGEST_INTERVAL);
        let requests = news.max.and_then(NonZeroU32::new);
        let rate = Rate { requests: requests.unwrap_or(known.requests), interval: interval.unwrap_or(known.interval) };
        if requests.is_some() {
            self.learned = Some(rate);
        }
        let Some(remaining) = news.remaining.filter(|_| requests.is_some() && now - sent <= FRESH_COUNT) else {
            return;
        };
        let counted_there = rate.requests.get().saturating_sub(remaining) as usize;
        // Requests under way at the same time may or may not have arrived before this one, so all is known within bounds.
        // Nothing is left to others before it is certain that there are any; then, as many places as they can have.
        let ours = || self.log.iter().filter(|entry| !entry.refused);
        let ours_at_most = ours().filter(|entry| entry.leaves(rate.interval) > sent).count();
        let ours_at_least = ours().filter(|entry| entry.is_surely_in_window(rate.interval, sent, now)).count();
        let at_least = counted_there.saturating_sub(ours_at_most);
        let at_most = counted_there.saturating_sub(ours_at_least).max(at_least);
        if at_least > 0 {
            self.others = Some(Others { count: at_most, seen: now });
        } else if let Some(known) = &mut self.others {
            known.count = known.count.min(at_most);
        }
    }

    /// Lets nothing start before `until`. Of several pauses the longest holds.
    pub(super) fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// The interval after which a window that others filled is surely empty.
    pub(super) fn interval(&self) -> Duration {
        self.rates().map(|(rate, _)| rate.interval).max().unwrap_or_default()
    }

    pub(super) fn usage(&self, now: Instant) -> BudgetUsage {
        let rates = self.rates().map(|(rate, _)| rate);
        let rate = rates.min_by(|left, right| left.per_second().total_cmp(&right.per_second()));
        let rate = rate.unwrap_or(self.rules.assumed);
        let ours = self.log.iter().filter(|entry| entry.leaves(rate.interval) > now).count();
        let others = self.others.filter(|known| known.seen + rate.interval > now).map_or(0, |known| known.count);
        let reading = self.last_start.zip(self.first_start).map_or(Duration::ZERO, |(last, first)| last - first);
        let possible = (rate.per_second() * reading.as_secs_f64()).max(f64::from(rate.requests.get()));
        BudgetUsage {
            name: self.rules.name,
            rate,
            requests: self.started,
            in_window: u32::try_from(ours + others).unwrap_or(u32::MAX),
            share: (self.started as f64 / possible).min(1.0),
        }
    }

    /// The rates that hold at the same time, each with the requests of others that count in it: the server's own rate is
    /// for everybody; what is left of it after the reserve, and the ceiling, are for us.
    fn rates(&self) -> impl Iterator<Item = (Rate, Option<Others>)> + use<> {
        let server = self.learned.unwrap_or(self.rules.assumed);
        let ours = [Some(self.rules.reserve.leaves(server)), self.rules.ceiling];
        std::iter::once((server, self.others)).chain(ours.into_iter().flatten().map(|rate| (rate, None)))
    }

    /// When the next request may start under this rate; `None` if one may start now.
    fn full_until(&self, rate: Rate, others: Option<Others>, now: Instant) -> Option<Instant> {
        let others = others.map(|others| (others.count, others.seen + rate.interval)).filter(|(_, until)| *until > now);
        let taken_by_others = others.map_or(0, |(count, _)| count);
        let places = (rate.requests.get() as usize).saturating_sub(taken_by_others);
        let leaves = self.log.iter().map(|entry| entry.leaves(rate.interval));
        let mut ahead: Vec<Instant> = leaves.filter(|leaves| *leaves > now).collect();
        let must_leave_first = ahead.len().checked_sub(places)?;
        let one_leaves = (must_leave_first < ahead.len()).then(|| *ahead.select_nth_unstable(must_leave_first).1);
        // Either is reason enough to look again.
        one_leaves.into_iter().chain(others.map(|(_, until)| until)).min()
    }

    /// Drops what no rate and no fresh count can ask about any more.
    fn forget(&mut self, now: Instant) {
        let kept_for = self.interval() + FRESH_COUNT;
        self.log.retain(|entry| entry.leaves(kept_for) > now);
    }
}

impl Entry {
    /// When the server has surely forgotten it, in a window of this interval.
    fn leaves(&self, interval: Duration) -> Instant {
        let guarded = self.sent + ARRIVAL_GUARD;
        self.answered.map_or(guarded, |answered| guarded.min(answered)) + interval + CLOCK_MARGIN
    }

    /// Whether a request sent at `sent` and answered at `answered` found it in the server's window.
    fn is_surely_in_window(&self, interval: Duration, sent: Instant, answered: Instant) -> bool {
        self.answered.is_some_and(|own| own <= sent) && self.sent + interval > answered
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Reserve;
    use super::*;

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    fn rate(requests: u32) -> Rate {
        Rate { requests: NonZeroU32::new(requests).unwrap(), interval: TEN_SECONDS }
    }

    fn rules(requests: u32) -> BudgetRules {
        BudgetRules { name: "general", assumed: rate(requests), ceiling: None, reserve: Reserve::NONE }
    }

    fn window(requests: u32) -> Window {
        Window::new(rules(requests))
    }

    fn says(max: u32, remaining: Option<u32>) -> BudgetNews {
        BudgetNews { max: Some(max), interval: Some(TEN_SECONDS), remaining }
    }

    /// Starts as many requests as the window allows at this instant; each is answered at once.
    fn fill(window: &mut Window, now: Instant) -> usize {
        let mut started = 0;
        while let Turn::Now(ticket) = window.take(now) {
            window.answered(ticket, false, now);
            started += 1;
        }
        started
    }

    #[test]
    fn a_full_window_frees_one_place_for_each_request_that_leaves_it() {
        let start = Instant::now();
        let mut window = window(2);
        let (early, late) = (start, start + Duration::from_secs(4));
        let Turn::Now(first) = window.take(early) else { panic!("the window is empty") };
        window.answered(first, false, early);
        let Turn::Now(second) = window.take(late) else { panic!("one place is free") };
        window.answered(second, false, late);

        let first_leaves = early + TEN_SECONDS + CLOCK_MARGIN;
        assert_eq!(window.take(late), Turn::NotBefore(first_leaves));
        assert!(matches!(window.take(first_leaves), Turn::Now(_)));
        assert_eq!(window.take(first_leaves), Turn::NotBefore(late + TEN_SECONDS + CLOCK_MARGIN));
    }

    #[test]
    fn an_unanswered_request_is_taken_to_arrive_within_the_guard() {
        let start = Instant::now();
        let mut window = window(1);
        let Turn::Now(ticket) = window.take(start) else { panic!("the window is empty") };
        let guarded = start + ARRIVAL_GUARD + TEN_SECONDS + CLOCK_MARGIN;
        assert_eq!(window.take(start), Turn::NotBefore(guarded));
        window.answered(ticket, false, start + Duration::from_secs(3));
        assert_eq!(window.take(start), Turn::NotBefore(guarded), "an answer after the guard changes nothing");
        window.answered(ticket, false, start);
        assert_eq!(window.take(start), Turn::NotBefore(guarded - ARRIVAL_GUARD));
    }

    #[test]
    fn the_servers_rate_replaces_the_assumed_one_but_not_the_ceiling() {
        let now = Instant::now();
        let mut open = window(3);
        open.learn(says(5, None), now, now);
        assert_eq!(fill(&mut open, now), 5, "without a ceiling the account's own maximum holds");
        open.learn(says(2, None), now, now);
        assert_eq!(fill(&mut open, now + TEN_SECONDS * 2), 2, "and it may fall again");

        let mut capped = Window::new(BudgetRules { ceiling: Some(rate(4)), ..rules(3) });
        capped.learn(says(250, None), now, now);
        assert_eq!(fill(&mut capped, now), 4);
    }

    #[test]
    fn a_share_of_what_the_server_allows_is_left_to_others() {
        let now = Instant::now();
        let a_tenth = BudgetRules { reserve: Reserve::of(0.1), ..rules(100) };
        assert_eq!(fill(&mut Window::new(a_tenth), now), 90, "of what is assumed, too");
        let mut window = Window::new(a_tenth);
        window.learn(says(190, None), now, now);
        assert_eq!(window.usage(now).rate, rate(171));
        assert_eq!(fill(&mut window, now), 171);
        let usage = window.usage(now);
        assert!((usage.share - 1.0).abs() < f64::EPSILON, "the share is one of what is left: {usage:?}");

        let mut shared = Window::new(a_tenth);
        shared.learn(says(190, Some(180)), now, now);
        assert_eq!(fill(&mut shared, now), 171, "others take their share, and no more");
        let mut crowded = Window::new(a_tenth);
        crowded.learn(says(190, Some(150)), now, now);
        assert_eq!(fill(&mut crowded, now), 150, "others take more than that");
        let mut capped = Window::new(BudgetRules { ceiling: Some(rate(20)), ..a_tenth });
        capped.learn(says(190, None), now, now);
        assert_eq!(fill(&mut capped, now), 20, "nothing is left of what is ours alone");
    }

    #[test]
    fn places_are_left_to_others_as_long_as_they_may_be_there() {
        let now = Instant::now();
        let mut window = window(10);
        let Turn::Now(ticket) = window.take(now) else { panic!("the window is empty") };
        window.answered(ticket, false, now);
        window.learn(says(10, Some(4)), now, now);
        assert_eq!(fill(&mut window, now), 4, "one is ours, five are someone else's");
        let soon = now + Duration::from_secs(1);
        window.learn(says(10, Some(2)), soon, soon);
        assert_eq!(fill(&mut window, soon), 2, "five are ours, three are someone else's");
        let later = now + TEN_SECONDS * 2;
        assert_eq!(fill(&mut window, later), 10, "after an interval without news they may be gone");
    }

    #[test]
    fn requests_under_way_are_not_taken_for_those_of_others() {
        let now = Instant::now();
        let mut window = window(10);
        for _ in 0..3 {
            assert!(matches!(window.take(now), Turn::Now(_)));
        }
        window.learn(says(10, Some(7)), now, now);
        assert_eq!(fill(&mut window, now), 7);
    }

    #[test]
    fn others_who_take_everything_are_asked_about_again() {
        let now = Instant::now();
        let mut window = window(10);
        window.learn(says(10, Some(0)), now, now);
        assert_eq!(window.take(now), Turn::NotBefore(now + TEN_SECONDS));
        assert!(matches!(window.take(now + TEN_SECONDS), Turn::Now(_)));
    }

    #[test]
    fn an_old_count_is_not_compared() {
        let now = Instant::now();
        let mut window = window(10);
        window.learn(says(10, Some(0)), now, now + FRESH_COUNT + CLOCK_MARGIN);
        assert_eq!(fill(&mut window, now), 10);
    }

    #[test]
    fn senseless_news_change_nothing() {
        let now = Instant::now();
        let mut window = window(3);
        for news in [
            BudgetNews { max: Some(0), interval: Some(TEN_SECONDS), remaining: Some(0) },
            BudgetNews { max: None, interval: Some(Duration::ZERO), remaining: Some(0) },
            BudgetNews { max: Some(3), interval: Some(Duration::from_hours(24)), remaining: Some(u32::MAX) },
            BudgetNews::default(),
        ] {
            window.learn(news, now, now);
            assert_eq!(window.usage(now).rate, rate(3), "{news:?}");
        }
        assert_eq!(fill(&mut window, now), 3);
    }

    #[test]
    fn the_longest_pause_holds() {
        let now = Instant::now();
        let mut window = window(3);
        window.pause(now + Duration::from_secs(7));
        window.pause(now + Duration::from_secs(2));
        assert_eq!(window.take(now), Turn::NotBefore(now + Duration::from_secs(7)));
        assert!(matches!(window.take(now + Duration::from_secs(7)), Turn::Now(_)));
    }

    /// What happens next in a random history.
    #[derive(Debug, Clone)]
    enum Step {
        Pass(Duration),
        Ask { way_there: Duration, way_back: Duration },
        Learn(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0_u64..3_000).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
            12 => (0..=ARRIVAL_GUARD.as_millis() as u64, 0_u64..2_000).prop_map(|(there, back)| Step::Ask {
                way_there: Duration::from_millis(there),
                way_back: Duration::from_millis(back),
            }),
            1 => (1_u32..12).prop_map(Step::Learn),
        ];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        /// At no start are there more starts in the interval before it than the rate then in force allows, and at no
        /// arrival has the server more arrivals in its window than any rate of that time.
        #[test]
        fn no_window_holds_more_than_its_rate(steps in steps()) {
            let beginning = Instant::now();
            let mut now = beginning;
            let mut window = window(5);
            let mut max = 5;
            let mut starts: Vec<(Instant, u32)> = Vec::new();
            let mut arrivals: Vec<(Instant, u32)> = Vec::new();
            let mut answers: Vec<(Instant, Ticket)> = Vec::new();
            for step in steps {
                match step {
                    Step::Pass(time) => now += time,
                    Step::Learn(requests) => {
                        window.learn(says(requests, None), now, now);
                        max = requests;
                    }
                    Step::Ask { way_there, way_back } => {
                        for (at, ticket) in answers.extract_if(.., |(at, _)| *at <= now) {
                            window.answered(ticket, false, at);
                        }
                        let ticket = loop {
                            match window.take(now) {
                                Turn::Now(ticket) => break ticket,
                                Turn::NotBefore(until) => {
                                    prop_assert!(until > now, "a wait that does not end");
                                    now = until;
                                }
                            }
                        };
                        starts.push((now, max));
                        arrivals.push((now + way_there, max));
                        answers.push((now + way_there + way_back, ticket));
                    }
                }
            }
            for (index, (at, allowed)) in starts.iter().enumerate() {
                let within = starts[..=index].iter().filter(|(start, _)| *start + TEN_SECONDS > *at).count();
                prop_assert!(within <= *allowed as usize, "{within} starts where {allowed} are allowed");
            }
            for (at, _) in &arrivals {
                let within = arrivals.iter().filter(|(other, _)| *other <= *at && *other + TEN_SECONDS > *at);
                let allowed = within.clone().map(|(_, allowed)| *allowed).max().unwrap();
                let counted = within.count();
                prop_assert!(counted <= allowed as usize, "{counted} arrivals where {allowed} are allowed");
            }
        }
    }
}
