//! All streams of a run, side by side.
//!
//! A few are read at once, each in a task of its own, so that pages are decoded on all cores and none waits for another. The
//! next begins as soon as any ends. The largest begin first, so that what is left at the end is small: a stream is read page
//! after page, and the last one alone cannot fill the account's budget.

use std::{cmp::Reverse, sync::Arc};

use sluice_lake::table::{Commit, Table};
use sluice_plan::StreamPlan;

use super::{Error, at_once::side_by_side, context::Context, stream::OneStream, written::Written};

/// Reads all streams; what became of each, in the order of the plan. On an error the others are stopped, and what they have
/// not finished is taken back. `base`: the newest commit, which knows how large they were.
pub(super) async fn all(context: &Arc<Context>, at_once: usize, base: Option<&Commit>) -> Result<Vec<Written>, Error> {
    let order = largest_first(&context.planned.plan.streams, base);
    let read = |index: usize| {
        let context = Arc::clone(context);
        async move {
            let written = OneStream::new(&context, index).run().await;
            if written.is_err() {
                context.shutdown.stop();
            }
            written
        }
    };
    first_cause(side_by_side(order, at_once, read).await.into_iter())
}

/// The order in which streams begin: those of unknown size, in the order of the plan (HubSpot's largest types stand first
/// there), then the others by their rows in the newest commit, the largest first.
fn largest_first(streams: &[StreamPlan], base: Option<&Commit>) -> Vec<usize> {
    let rows = |stream: &StreamPlan| base.and_then(|base| base.tables.get(&stream.table)).map(Table::rows);
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

    /// Twenty streams of one to 39 pages of 300 ms, under a limit that two readers fill: it is full until one is alone.
    #[tokio::test(start_paused = true)]
    async fn the_budget_is_full_until_the_last_stream_is_alone() {
        const REQUESTS: u32 = 60;
        let pages: Vec<u64> = (0..20).map(|stream| 1 + stream * 7 % 20 * 2).collect();
        let interval = Duration::from_secs(10);
        let rate = Rate { requests: REQUESTS.try_into().unwrap(), interval };
        let budget = Budget::new(BudgetRules { name: "test", assumed: rate, ceiling: None });
        let (sent, left) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(20)));
        let began = Instant::now();
        let work = |index: usize| {
            let (budget, sent, left, pages) = (budget.clone(), Arc::clone(&sent), Arc::clone(&left), pages[index]);
            async move {
                for _ in 0..pages {
                    let permit = budget.acquire().await;
                    sent.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(300)).await;
                    permit.answered(false, None);
                }
                // What had been sent when there was only one stream left.
                (left.fetch_sub(1, Ordering::SeqCst) == 2).then(|| (began.elapsed(), sent.load(Ordering::SeqCst)))
            }
        };
        let order = in_order_of(&pages.iter().map(|pages| Some(*pages)).collect::<Vec<_>>());
        let outcomes = side_by_side(order, 8, work).await;
        let (elapsed, sent) = outcomes.into_iter().flatten().next().unwrap();
        let allowed = f64::from(REQUESTS) * elapsed.as_secs_f64() / interval.as_secs_f64();
        assert!(f64::from(sent) >= 0.95 * allowed, "{sent} of {allowed} in {elapsed:?}");
    }
}
