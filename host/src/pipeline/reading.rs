//! All streams of a run, side by side.
//!
//! A few are read at once, each in a task of its own, so that pages are decoded on all cores and none waits for another. The
//! next begins as soon as any ends. The largest begin first, so that what is left at the end is small: a stream is read page
//! after page, and the last one alone cannot fill the account's budget.

use std::{cmp::Reverse, sync::Arc};

use jiff::Timestamp;
use tokio::{runtime::Handle, sync::Semaphore, task::JoinSet};

use super::{
    Error, LoadedTransforms, Planned, Progress, Run, Shutdown, connect,
    memory::PluginMemory,
    stage::{Stage, Written},
};
use crate::{
    bucket::Bucket, plan::StreamPlan, run_id::RunId, sink::ParquetSettings, source::Source, spec::Spec, table::Commit,
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
    pub(super) fn new(run: &Run<'_>, planned: &Arc<Planned>, id: &RunId, began: Timestamp) -> Self {
        Self {
            planned: Arc::clone(planned),
            spec: Arc::clone(run.spec),
            source: Arc::clone(&run.source),
            plugins: run.plugins.clone(),
            bucket: run.bucket.clone(),
            settings: connect::parquet_settings(run.spec, &planned.plan, run.plugins, id),
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
        let places = Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)));
        let reading = Arc::new(self);
        let mut tasks = JoinSet::new();
        for index in order {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                unreachable!("the places are never closed")
            };
            let memory = reading.memory.reserve(reading.stream(index), &reading.plugins).await;
            let reading = Arc::clone(&reading);
            tasks.spawn(async move {
                let outcome = reading.one(index).await;
                drop((memory, place));
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
        first_cause(outcomes.into_iter().map(|(_, outcome)| outcome))
    }

    async fn one(&self, index: usize) -> Result<Written, Error> {
        let written = Stage::new(self, index).run().await;
        if written.is_err() {
            self.shutdown.stop();
        }
        written
    }
}

/// The order in which streams begin: those of unknown size, in the order of the plan (HubSpot's largest types stand first
/// there), then the others by their rows in the newest commit, the largest first.
fn largest_first(streams: &[StreamPlan], base: Option<&Commit>) -> Vec<usize> {
    let rows = |index: &usize| {
        let table = base.and_then(|base| base.tables.get(&streams[*index].table));
        table.map_or(u64::MAX, crate::table::Table::rows)
    };
    let mut order: Vec<usize> = (0..streams.len()).collect();
    order.sort_by_key(|index| Reverse(rows(index)));
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
