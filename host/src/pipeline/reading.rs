//! All streams of a run, side by side.
//!
//! A few are read at once, each in a task of its own, so that pages are decoded on all cores and none waits for another. The
//! next begins as soon as any ends. The largest begin first, so that what is left at the end is small: a stream is read page
//! after page, and the last one alone cannot fill the account's budget.

use std::{cmp::Reverse, sync::Arc};

use jiff::Timestamp;
use sluice_hubspot::source::Source;
use sluice_lake::{
    bucket::Bucket,
    sink::{Begun, ParquetSettings},
    table::{Commit, Table},
};
use sluice_model::run_id::RunId;
use sluice_plan::{StreamPlan, spec::Spec};
use tokio::{runtime::Handle, sync::Semaphore, task::JoinSet};

use super::{
    Error, LoadedTransforms, Planned, Progress, Run, Shutdown, connect,
    memory::PluginMemory,
    stage::{Stage, Written},
};

/// Streams that are read at once unless the pipeline file says otherwise: enough that pages of a third of a second keep the
/// account's budget full (19 requests a second), with few enough batches in memory for a small machine.
const STREAMS_AT_ONCE: usize = 8;

/// What all streams of a run share.
pub(super) struct Reading {
    pub(super) planned: Arc<Planned>,
    pub(super) spec: Arc<Spec>,
    pub(super) source: Arc<dyn Source>,
    pub(super) plugins: LoadedTransforms,
    pub(super) bucket: Bucket,
    pub(super) settings: ParquetSettings,
    pub(super) run: RunId,
    pub(super) began: Timestamp,
    pub(super) progress: Arc<Progress>,
    pub(super) shutdown: Shutdown,
    pub(super) runtime: Handle,
    memory: PluginMemory,
}

impl Reading {
    /// Prepares to read all streams of a plan.
    pub(super) fn new(run: &Run<'_>, planned: &Arc<Planned>, id: &RunId, began: Timestamp, files: &Begun) -> Self {
        Self {
            planned: Arc::clone(planned),
            spec: Arc::clone(run.spec),
            source: Arc::clone(&run.source),
            plugins: run.plugins.clone(),
            bucket: run.bucket.clone(),
            settings: connect::parquet_settings(run.spec, &planned.plan, run.plugins, id, files),
            run: id.clone(),
            began,
            progress: Arc::clone(run.progress),
            shutdown: run.shutdown.clone(),
            runtime: Handle::current(),
            memory: PluginMemory::of(run.spec),
        }
    }

    /// The plan of a stream.
    pub(super) fn stream(&self, index: usize) -> &StreamPlan {
        &self.planned.plan.streams[index]
    }

    /// Reads all streams; what became of each, in the order of the plan. On an error the others are stopped, and what they
    /// have not finished is taken back. `base`: the newest commit, which knows how large they were.
    pub(super) async fn all(self, base: Option<&Commit>) -> Result<Vec<Written>, Error> {
        let at_once = self.spec.pipeline.run.streams_at_once.map_or(STREAMS_AT_ONCE, |streams| streams.get() as usize);
        let order = largest_first(&self.planned.plan.streams, base);
        let reading = Arc::new(self);
        let reserve = async |index: usize| reading.memory.reserve(reading.stream(index), &reading.plugins).await;
        let read = |index: usize| {
            let reading = Arc::clone(&reading);
            async move { reading.one(index).await }
        };
        first_cause(side_by_side(order, at_once, reserve, read).await.into_iter())
    }

    async fn one(&self, index: usize) -> Result<Written, Error> {
        let written = Stage::new(self, index).run().await;
        if written.is_err() {
            self.shutdown.stop();
        }
        written
    }
}

/// Works on all of these, begun in this order, a few at once, each in a task of its own that has what `reserve` gives it. The
/// outcomes, by index.
async fn side_by_side<R, F>(
    order: Vec<usize>,
    at_once: usize,
    reserve: impl AsyncFn(usize) -> R,
    work: impl Fn(usize) -> F,
) -> Vec<F::Output>
where
    R: Send + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)));
    let mut tasks = JoinSet::new();
    for index in order {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { unreachable!("the places are never closed") };
        let reserved = reserve(index).await;
        let work = work(index);
        tasks.spawn(async move {
            let outcome = work.await;
            drop((reserved, place));
            (index, outcome)
        });
    }
    let mut outcomes = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(outcome) => outcomes.push(outcome),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
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
        let outcomes = side_by_side(order, STREAMS_AT_ONCE, async |_| (), work).await;
        let (elapsed, sent) = outcomes.into_iter().flatten().next().unwrap();
        let allowed = f64::from(REQUESTS) * elapsed.as_secs_f64() / interval.as_secs_f64();
        assert!(f64::from(sent) >= 0.95 * allowed, "{sent} of {allowed} in {elapsed:?}");
    }

    /// The first ends only after the last has begun.
    #[tokio::test]
    async fn a_long_one_holds_none_up() {
        let last_has_begun = Arc::new(tokio::sync::Notify::new());
        let work = |item: usize| {
            let last_has_begun = Arc::clone(&last_has_begun);
            async move {
                match item {
                    0 => last_has_begun.notified().await,
                    9 => last_has_begun.notify_one(),
                    _ => {}
                }
                item * 2
            }
        };
        let done = side_by_side((0..10).collect(), 2, async |_| (), work).await;
        assert_eq!(done, (0..20).step_by(2).collect::<Vec<_>>());
    }
}
