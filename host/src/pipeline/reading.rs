//! All streams of a run, side by side.
//!
//! A few are read at once, each in a task of its own, so that pages are decoded on all cores and none waits for another. The
//! next begins as soon as any ends. The largest begin first, so that what is left at the end is small: a stream is read page
//! after page, and the last one alone cannot fill the account's budget.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use futures::future::BoxFuture;

use sluice_lake::table::{Commit, Table};
use sluice_plan::StreamPlan;

use super::{
    Error,
    at_once::{Jobs, side_by_side},
    context::Context,
    stream::OneStream,
    written::Written,
};

/// Reads all streams; what became of each, in the order of the plan. On an error the others are stopped, and what they have
/// not finished is taken back. `base`: the newest commit, which knows how large they were.
pub(super) async fn all(context: &Arc<Context>, at_once: usize, base: Option<&Commit>) -> Result<Vec<Written>, Error> {
    let waiting = largest_first(&context.planned.plan.streams, base).into();
    let mut streams = Streams { context: Arc::clone(context), waiting, outcomes: BTreeMap::new() };
    side_by_side(&mut streams, at_once).await;
    first_cause(streams.outcomes.into_values())
}

/// The streams of a run while they are read.
struct Streams {
    context: Arc<Context>,
    /// Those that have not begun, by their index in the plan.
    waiting: VecDeque<usize>,
    outcomes: BTreeMap<usize, Result<Written, Error>>,
}

impl Jobs for Streams {
    type Job = BoxFuture<'static, (usize, Result<Written, Error>)>;

    fn next(&mut self) -> Option<Self::Job> {
        let index = self.waiting.pop_front()?;
        let context = Arc::clone(&self.context);
        Some(Box::pin(async move {
            let written = OneStream::new(&context, index).run().await;
            if written.is_err() {
                context.shutdown.stop();
            }
            (index, written)
        }))
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    fn ended(&mut self, (index, written): (usize, Result<Written, Error>)) {
        self.outcomes.insert(index, written);
    }
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

    use sluice_hubspot::http::{Budget, BudgetRules, Rate};
    use tokio::time::{Instant, sleep};

    use super::*;

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
            budget: Budget::new(BudgetRules { name: "test", assumed: rate, ceiling: None }),
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
