//! The story of a run.
//!
//! [`run`] tells it from beginning to end:
//!
//! 1. the lease is taken, before anything is asked of the source, and the newest commit read;
//! 2. [`plan()`] discovers what the source offers, asks the plugins for their outlines and resolves it all; the
//!    guard judges (`sluice plan` does this and stops); so are the tables judged that the run will not write (`kept`);
//! 3. streams are read, a few at once: pages become batches, batches go through the transforms and into the files of their
//!    table ([`stage`]); bounded channels between them slow whoever is ahead;
//! 4. when every stream is complete, one conditional write commits all tables;
//! 5. what crashed runs left is swept, and the lease released.
//!
//! The first error stops everything: readers stop, unfinished files are taken back, nothing is committed, and the tables are
//! what they were. So does an interrupt.
//! Source and bucket are open before a run begins: this module never asks who they are, nor reads a secret of theirs
//! ([`connect`] does, apart).

mod audit;
mod check;
mod connect;
mod discovery;
mod error;
mod kept;
mod memory;
mod planning;
mod plugins;
mod progress;
mod rehearsal;
mod report;
mod shutdown;
mod stage;
mod unique;

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio::runtime::Handle;

pub use self::{
    check::{Check, Outcome, check, exit_code as exit_code_of_checks},
    connect::{bucket_settings, engine, open_source},
    discovery::{Discovered, everything},
    error::Error,
    kept::{Kept, KeptTable, Others},
    planning::{Planned, plan, refused},
    plugins::{LoadedTransform, LoadedTransforms},
    progress::{Progress, StreamProgress, StreamState},
    rehearsal::{Rehearsed, rehearse},
    report::{Report, StreamReport, TransformReport},
    shutdown::Shutdown,
};
use crate::{
    bucket::Bucket,
    clock::Clock,
    plan::Plan,
    run_id::RunId,
    source::Source,
    spec::Spec,
    state::lease::{Holder, Lease},
    table::{Author, Change, Commit, CommitLog, Table, sweep},
};

/// Streams that are read at once unless the pipeline file says otherwise: enough that pages of a third of a second keep the
/// account's budget full (19 requests a second), with few enough batches in memory for a small machine.
const STREAMS_AT_ONCE: usize = 8;

/// What a run works with.
pub struct Run<'r> {
    /// The pipeline file.
    pub spec: &'r Arc<Spec>,
    /// Where the data comes from.
    pub source: Arc<dyn Source>,
    /// The plugins.
    pub plugins: &'r LoadedTransforms,
    /// The streams to read; empty for all of the pipeline's. The others' tables stay as they are.
    pub only: &'r [String],
    /// Where the tables go.
    pub bucket: &'r Bucket,
    /// What is told of the run while it goes on.
    pub progress: &'r Arc<Progress>,
    /// How it is told to stop.
    pub shutdown: &'r Shutdown,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Run").field("pipeline", &self.spec.pipeline.pipeline).finish_non_exhaustive()
    }
}

/// Runs a pipeline.
pub async fn run(run: Run<'_>) -> Result<Report, Error> {
    let began = Timestamp::now();
    let id = RunId::new(began).map_err(Error::RunId)?;
    let holder = Holder::here(id.clone(), run.spec.pipeline.pipeline.get_ref().as_str());
    // A lease whose taking is interrupted ends by itself.
    let lease = unless_stopped(run.shutdown, Lease::take(run.bucket, holder, Clock::system())).await??;
    let outcome = while_held(&run, &lease, &id, began).await;
    if let Err(error) = lease.release().await {
        tracing::warn!(error = crate::error_chain(&error), "the lease was not released; it ends by itself");
    }
    outcome
}

/// Works under the lease. When it is lost, everything stops; but a commit that has begun is let end, since nobody would know
/// otherwise whether it was made. It cannot overwrite another run's: it is made only if it is the next.
async fn while_held(run: &Run<'_>, lease: &Lease, id: &RunId, began: Timestamp) -> Result<Report, Error> {
    let mut work = std::pin::pin!(under_lease(run, lease, id, began));
    tokio::select! {
        biased;
        lost = lease.lost() => {
            run.shutdown.stop();
            work.await.map_err(|_| lost.into())
        }
        outcome = &mut work => outcome,
    }
}

async fn under_lease(run: &Run<'_>, lease: &Lease, id: &RunId, began: Timestamp) -> Result<Report, Error> {
    let started = Instant::now();
    let log = CommitLog::of(run.bucket);
    let base = unless_stopped(run.shutdown, log.latest()).await??;
    unless_stopped(run.shutdown, lease.confirm()).await??;
    let planned = unless_stopped(run.shutdown, planning::plan(run.spec, run.source.as_ref(), run.plugins)).await??;
    let wanted = planned.wanted(run.spec, run.only)?;
    let others =
        kept::judge(run.spec, base.as_ref(), &planned, &wanted).map_err(|problems| refused(run.spec, problems))?;
    let planned = planned.only(&wanted);
    let plan = &planned.plan;
    run.progress.begin(plan.streams.iter().map(|stream| stream.stream.name.clone()));
    let streams = read_streams(run, plan, id, began).await?;
    let change = change(run, plan, id, &streams, &others);
    if run.shutdown.is_stopping() {
        return Err(Error::Interrupted);
    }
    let commit = log.commit(base.as_ref(), change).await?;
    tracing::info!(commit = commit.number, run = %id, "committed");
    sweep_after(run.bucket, &commit, lease).await;
    Ok(report::of(run, &planned, &commit, streams, others, began, started.elapsed()))
}

/// Waits for something that may be given up at any time, unless the run is told to stop.
async fn unless_stopped<T>(shutdown: &Shutdown, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        biased;
        () = shutdown.stopping() => Err(Error::Interrupted),
        done = work => Ok(done),
    }
}

/// What the run changes: its tables, each with its audit record.
fn change(run: &Run<'_>, plan: &Plan, id: &RunId, written: &[stage::Written], others: &Others) -> Change {
    let tables = plan.streams.iter().zip(written).map(|(stream, written)| {
        let table = Table {
            run: id.clone(),
            pipeline: plan.pipeline.clone(),
            stream: stream.stream.name.clone(),
            stream_ids: stream.stream.names().filter(|name| *name != stream.stream.name).map(str::to_owned).collect(),
            written: Timestamp::now(),
            columns: stream.table_columns().cloned().collect(),
            files: written.files.clone(),
            audit: audit::of(plan, stream, run.plugins, run.spec),
        };
        (stream.table.clone(), table)
    });
    Change {
        author: Author {
            run: id.clone(),
            pipeline: plan.pipeline.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plugins: run.plugins.iter().map(|it| (it.name.clone(), it.plugin.digest().to_string())).collect(),
        },
        committed: Timestamp::now(),
        tables: tables.collect(),
        retired: others.retired.clone(),
    }
}

async fn sweep_after(bucket: &Bucket, commit: &Commit, lease: &Lease) {
    let swept = sweep::sweep(bucket, commit, async || lease.confirm().await.is_ok()).await;
    if swept.files > 0 {
        tracing::info!(files = swept.files, bytes = swept.bytes, "swept what earlier runs left");
    }
    for failure in &swept.failures {
        tracing::warn!(error = crate::error_chain(failure), "not everything could be swept; the next run tries again");
    }
}

/// Reads all streams, a few at once. On an error the others are stopped, and what they have not finished is taken back.
async fn read_streams(run: &Run<'_>, plan: &Plan, id: &RunId, began: Timestamp) -> Result<Vec<stage::Written>, Error> {
    let at_once = run.spec.pipeline.run.streams_at_once.map_or(STREAMS_AT_ONCE, |streams| streams.get() as usize);
    let settings = connect::parquet_settings(run.spec, plan, run.plugins, id);
    let memory = memory::PluginMemory::of(run.spec);
    let one = async |index: usize| {
        let reserved = memory.reserve(&plan.streams[index], run.plugins).await;
        let stage = stage::Stage {
            plan: &plan.streams[index],
            spec: run.spec,
            source: &run.source,
            plugins: run.plugins,
            bucket: run.bucket,
            settings: &settings,
            run: id,
            began,
            progress: run.progress.stream(index),
            shutdown: run.shutdown,
            runtime: Handle::current(),
        };
        let written = stage.run().await;
        drop(reserved);
        if written.is_err() {
            run.shutdown.stop();
        }
        written
    };
    first_cause(concurrently(0..plan.streams.len(), at_once, one).await)
}

/// What work on each of these gives, in their order, a few at once. The next begins when any ends: a long one holds none up.
async fn concurrently<I, T>(items: impl IntoIterator<Item = I>, at_once: usize, work: impl AsyncFn(I) -> T) -> Vec<T> {
    let work = &work;
    let each = items.into_iter().enumerate().map(|(index, item)| async move { (index, work(item).await) });
    let mut done: Vec<(usize, T)> = stream::iter(each).buffer_unordered(at_once).collect().await;
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// All results, or the error that stopped the others: they were only interrupted.
fn first_cause(outcomes: Vec<Result<stage::Written, Error>>) -> Result<Vec<stage::Written>, Error> {
    let mut interrupted = None;
    let mut written = Vec::with_capacity(outcomes.len());
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
    use tokio::sync::Notify;

    use super::*;

    /// The first ends only after the last has begun.
    #[tokio::test]
    async fn a_long_one_holds_none_up() {
        let last_has_begun = Notify::new();
        let work = async |item: usize| {
            match item {
                0 => last_has_begun.notified().await,
                9 => last_has_begun.notify_one(),
                _ => {}
            }
            item * 2
        };
        assert_eq!(concurrently(0..10, 2, work).await, (0..20).step_by(2).collect::<Vec<_>>());
    }
}
