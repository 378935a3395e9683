//! All streams of a run, side by side, and slices of them.
//!
//! A few readers work at once, each in a task of its own, so that pages are decoded on all cores and none waits for another.
//! A reader that has nothing to do takes the next stream that has not begun, the largest first. When all have begun, it takes
//! half of what is left of the one that has most left, if its source can read that apart: so the account's budget is full to
//! the end, and what runs at once, and with it the memory, is bounded by the number of readers.
//!
//! A stream that is asked with the ids of other streams' records begins when these have been read.
//!
//! A stream is read once more from its beginning where what was read does not stand: where its slices cannot be trusted, by
//! one reader; where a property was archived meanwhile, so that its column would end in the middle. Each happens once to a
//! stream at most.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use sluice_hubspot::source::{Readers, SourceError};
use sluice_lake::table::{Commit, Table};
use sluice_plan::StreamPlan;

use super::{
    Error,
    at_once::{Jobs, caught, side_by_side},
    context::Context,
    ledger::Outside,
    stream::OneStream,
    written::Written,
};

/// Reads all streams; what became of each, in the order of the plan. On an error the others are stopped, and what they have
/// not finished is taken back. `base`: the newest commit, which knows how large they were.
pub(super) async fn all(context: &Arc<Context>, at_once: usize, base: Option<&Commit>) -> Result<Vec<Written>, Error> {
    let first = |index| Attempt { index, readers: Readers::Several, undivided: None, was_cut: false };
    let waiting = largest_first(&context.planned.plan.streams, base).into_iter().map(first);
    let mut streams = Streams {
        graph: Graph::of(context),
        context: Arc::clone(context),
        waiting: waiting.collect(),
        begun: BTreeMap::new(),
        outcomes: BTreeMap::new(),
    };
    side_by_side(&mut streams, at_once).await;
    let Streams { waiting, mut outcomes, .. } = streams;
    outcomes.extend(waiting.into_iter().map(|attempt| (attempt.index, Err(Error::Interrupted))));
    first_cause(outcomes.into_values())
}

/// A reading of a stream that is to begin.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    index: usize,
    readers: Readers,
    /// Why it was found that one reader has to read it.
    undivided: Option<&'static str>,
    /// Whether it has been read before, and a column ended in the middle.
    was_cut: bool,
}

/// The streams of a run while they are read.
struct Streams {
    context: Arc<Context>,
    graph: Graph,
    /// Those that are to begin.
    waiting: VecDeque<Attempt>,
    /// Those that have begun, by their index in the plan.
    begun: BTreeMap<usize, Begun>,
    outcomes: BTreeMap<usize, Result<Written, Error>>,
}

/// A stream that is being read.
struct Begun {
    attempt: Attempt,
    stream: Arc<OneStream>,
    /// Jobs that are about it: slices that are being read, or its conclusion.
    jobs: usize,
    /// What has come of the slices that have been read.
    written: Written,
    /// Why its slices cannot be trusted.
    out_of_order: Option<&'static str>,
    failure: Option<Error>,
}

/// What came of a job.
enum Done {
    Slice(Result<Written, Error>),
    Conclusion(Result<Conclusion, Error>),
}

/// What becomes of a stream that has been read.
enum Conclusion {
    Stands(Box<Written>),
    IsReadAgain(Attempt),
}

impl Jobs for Streams {
    type Job = BoxFuture<'static, (usize, Done)>;

    fn next(&mut self) -> Option<Self::Job> {
        if let Some(job) = self.next_conclusion() {
            return Some(job);
        }
        if self.context.shutdown.is_stopping() {
            return None;
        }
        if let Some(attempt) = self.next_attempt() {
            let keeps_ids = self.graph.is_needed(attempt.index);
            // What was kept before a property was archived has values of it, and what is read now has not.
            let takes_over = !attempt.was_cut;
            let stream = OneStream::open(&self.context, attempt.index, attempt.readers, keeps_ids, takes_over);
            let stream = Arc::new(stream);
            let (written, out_of_order, failure) = (Written::default(), None, None);
            self.begun.insert(attempt.index, Begun { attempt, stream, jobs: 0, written, out_of_order, failure });
            let whole = self.next_slice(attempt.index);
            return Some(whole.unwrap_or_else(|| unreachable!("whoever is first may read the whole")));
        }
        let worth = self.begun.iter().filter(|(_, begun)| begun.is_sound()).map(|(index, begun)| {
            let worth = begun.stream.reading().worth();
            (worth, *index)
        });
        let (worth, index) = worth.max()?;
        if worth > 0 { self.next_slice(index) } else { None }
    }

    async fn changed(&self) {
        // A run that stops hands nothing out any more, whatever there is.
        let sound = self.begun.values().filter(|begun| begun.is_sound() && !self.context.shutdown.is_stopping());
        let mut changes: FuturesUnordered<_> = sound.map(|begun| begun.stream.reading().changed()).collect();
        if changes.next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    fn ended(&mut self, (index, done): (usize, Done)) {
        let Some(begun) = self.begun.get_mut(&index) else { unreachable!("jobs are about streams that have begun") };
        begun.jobs -= 1;
        match done {
            Done::Slice(Ok(written)) => begun.written.add(written),
            Done::Slice(Err(Error::Source(SourceError::OutOfOrder { why, .. }))) => begun.out_of_order = Some(why),
            Done::Slice(Err(error)) | Done::Conclusion(Err(error)) => begun.fail(error),
            Done::Conclusion(Ok(Conclusion::Stands(written))) => {
                self.begun.remove(&index);
                self.outcomes.insert(index, Ok(*written));
                return;
            }
            Done::Conclusion(Ok(Conclusion::IsReadAgain(attempt))) => {
                self.begun.remove(&index);
                self.waiting.push_front(attempt);
                return;
            }
        }
        if begun.failure.is_some() {
            self.context.shutdown.stop();
        }
        if begun.jobs == 0
            && let Some(failure) = begun.failure.take()
        {
            self.begun.remove(&index);
            self.outcomes.insert(index, Err(failure));
        }
    }
}

impl Streams {
    /// The next reading that may begin: of a stream that waits for no other.
    fn next_attempt(&mut self) -> Option<Attempt> {
        let is_ready =
            |attempt: &Attempt| self.graph.is_ready(attempt.index, |index| self.outcomes.contains_key(&index));
        let position = self.waiting.iter().position(is_ready)?;
        self.waiting.remove(position)
    }

    /// The conclusion of a stream of which all has been read, or nothing more will be: that all that was handed out has been
    /// read is not enough, since there may be slices that nobody has had yet.
    fn next_conclusion(&mut self) -> Option<BoxFuture<'static, (usize, Done)>> {
        let is_stopping = self.context.shutdown.is_stopping();
        let is_over = |begun: &Begun| is_stopping || !begun.is_sound() || begun.stream.reading().worth() == 0;
        let (&index, begun) = self.begun.iter_mut().find(|(_, begun)| begun.jobs == 0 && is_over(begun))?;
        begun.jobs = 1;
        let (stream, attempt) = (Arc::clone(&begun.stream), begun.attempt);
        let (written, out_of_order) = (std::mem::take(&mut begun.written), begun.out_of_order);
        Some(Box::pin(async move {
            (index, Done::Conclusion(caught(concluded(&stream, attempt, written, out_of_order), || false).await))
        }))
    }

    /// A slice of a stream that has begun, for one more reader.
    fn next_slice(&mut self, index: usize) -> Option<BoxFuture<'static, (usize, Done)>> {
        let begun = self.begun.get_mut(&index)?;
        let slice = begun.stream.reading().slice()?;
        begun.jobs += 1;
        let stream = Arc::clone(&begun.stream);
        Some(Box::pin(async move { (index, Done::Slice(caught(stream.read(slice), || false).await)) }))
    }
}

/// Which streams wait for which, by their index in the plan: those that are asked with the ids of others' records.
#[derive(Debug, Default)]
struct Graph {
    waits_for: Vec<Vec<usize>>,
}

impl Graph {
    fn of(context: &Context) -> Self {
        let streams = &context.planned.plan.streams;
        let read =
            |type_id: &String| streams.iter().position(|stream| stream.stream.kind.type_id() == Some(type_id.as_str()));
        let waits_for =
            streams.iter().map(|stream| context.source.needs(&stream.stream).iter().filter_map(read).collect());
        Self { waits_for: waits_for.collect() }
    }

    /// Whether a stream may begin, given which have been read.
    fn is_ready(&self, index: usize, is_read: impl Fn(usize) -> bool) -> bool {
        self.waits_for[index].iter().all(|needed| is_read(*needed))
    }

    /// Whether any other waits for a stream.
    fn is_needed(&self, index: usize) -> bool {
        self.waits_for.iter().any(|needed| needed.contains(&index))
    }
}

impl Begun {
    /// Whether further readers would be of use.
    fn is_sound(&self) -> bool {
        self.out_of_order.is_none() && self.failure.is_none()
    }

    /// Notes a failure. Of several, the one that stopped the others.
    fn fail(&mut self, error: Error) {
        if matches!(self.failure, None | Some(Error::Interrupted)) {
            self.failure = Some(error);
        }
    }
}

/// Decides whether a stream stands, now that all of it has been read.
async fn concluded(
    stream: &OneStream,
    attempt: Attempt,
    written: Written,
    out_of_order: Option<&'static str>,
) -> Result<Conclusion, Error> {
    let again = if let Some(why) = out_of_order {
        tracing::warn!(
            stream = stream.name(),
            why,
            "a stream cannot be divided: one reader reads it, from its beginning"
        );
        Attempt { readers: Readers::One, undivided: Some(why), ..attempt }
    } else {
        let mut read = stream.conclude().await?;
        if read.cut.is_empty() || attempt.was_cut {
            read.undivided = attempt.undivided.or(read.undivided);
            let written = stream.with_taken_over(written, &read);
            let ledger = stream.balance(written.uncounted()).await?;
            if let Some(outside) = Outside::of(stream.name(), &ledger) {
                tracing::warn!("{outside}");
            }
            stream.done();
            return Ok(Conclusion::Stands(Box::new(Written { read, ledger, ..written })));
        }
        tracing::warn!(
            stream = stream.name(),
            properties = read.cut.join(", "),
            "properties were archived while the stream was read: it is read once more"
        );
        Attempt { was_cut: true, ..attempt }
    };
    stream.discard(&written).await;
    Ok(Conclusion::IsReadAgain(again))
}

/// The order in which streams begin: those of unknown size, in the order of the plan (HubSpot's largest types stand first
/// there), then the others by their rows in the newest commit, the largest first.
fn largest_first(streams: &[StreamPlan], base: Option<&Commit>) -> Vec<usize> {
    let rows = |stream: &StreamPlan| base.and_then(|base| base.tables.get(&stream.tables[0].name)).map(Table::rows);
    in_order_of(&streams.iter().map(rows).collect::<Vec<_>>())
}

fn in_order_of(rows: &[Option<u64>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|index| Reverse(rows[*index].unwrap_or(u64::MAX)));
    order
}

/// All results, or the error that stopped the others: they were only interrupted.
fn first_cause(outcomes: impl Iterator<Item = Result<Written, Error>>) -> Result<Vec<Written>, Error> {
    let mut interrupted = None;
    let mut written = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(stream) => written.push(stream),
            Err(Error::Interrupted) => interrupted = Some(Error::Interrupted),
            Err(cause) => return Err(cause),
        }
    }
    interrupted.map_or(Ok(written), Err)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use sluice_hubspot::http::{Budget, BudgetRules, Rate, Reserve};
    use tokio::time::{Instant, sleep};

    use super::*;

    #[test]
    fn a_stream_that_is_asked_with_ids_of_others_begins_when_these_have_been_read() {
        let graph = Graph { waits_for: vec![vec![2, 1], vec![], vec![]] };
        assert_eq!([0, 1, 2].map(|index| graph.is_ready(index, |_| false)), [false, true, true]);
        assert_eq!([0, 1, 2].map(|index| graph.is_ready(index, |read| read == 1)), [false, true, true]);
        assert!(graph.is_ready(0, |read| read > 0));
        assert_eq!([0, 1, 2].map(|index| graph.is_needed(index)), [false, true, true]);
    }

    #[test]
    fn the_largest_begin_first_and_those_of_unknown_size_before_them() {
        assert_eq!(in_order_of(&[Some(3), None, Some(70), Some(3), None]), [1, 4, 2, 0, 3]);
    }

    /// Streams of so many pages, under one budget.
    struct Pages {
        waiting: VecDeque<u64>,
        budget: Budget,
        sent: Arc<AtomicU32>,
        began: Instant,
        left: usize,
        /// When there was only one stream left, and what had been sent by then.
        alone: Option<(Duration, u32)>,
    }

    impl Jobs for Pages {
        type Job = BoxFuture<'static, ()>;

        fn next(&mut self) -> Option<Self::Job> {
            let pages = self.waiting.pop_front()?;
            let (budget, sent) = (self.budget.clone(), Arc::clone(&self.sent));
            Some(Box::pin(async move {
                for _ in 0..pages {
                    let permit = budget.acquire().await;
                    sent.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(300)).await;
                    permit.answered(false, None);
                }
            }))
        }

        async fn changed(&self) {
            std::future::pending::<()>().await;
        }

        fn ended(&mut self, (): ()) {
            self.left -= 1;
            if self.left == 1 {
                self.alone = Some((self.began.elapsed(), self.sent.load(Ordering::SeqCst)));
            }
        }
    }

    /// Twenty streams of one to 39 pages of 300 ms, under a limit that two readers fill: it is full until one is alone.
    #[tokio::test(start_paused = true)]
    async fn the_budget_is_full_until_the_last_stream_is_alone() {
        const REQUESTS: u32 = 60;
        let pages: Vec<u64> = (0..20).map(|stream| 1 + stream * 7 % 20 * 2).collect();
        let interval = Duration::from_secs(10);
        let rate = Rate { requests: REQUESTS.try_into().unwrap(), interval };
        let order = in_order_of(&pages.iter().map(|pages| Some(*pages)).collect::<Vec<_>>());
        let mut streams = Pages {
            waiting: order.into_iter().map(|index| pages[index]).collect(),
            budget: Budget::new(BudgetRules { name: "test", assumed: rate, ceiling: None, reserve: Reserve::NONE }),
            sent: Arc::default(),
            began: Instant::now(),
            left: pages.len(),
            alone: None,
        };
        side_by_side(&mut streams, 8).await;
        let (elapsed, sent) = streams.alone.unwrap();
        let allowed = f64::from(REQUESTS) * elapsed.as_secs_f64() / interval.as_secs_f64();
        assert!(f64::from(sent) >= 0.95 * allowed, "{sent} of {allowed} in {elapsed:?}");
    }
}
