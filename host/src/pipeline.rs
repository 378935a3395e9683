//! The story of a run.
//!
//! [`run`] tells it from beginning to end:
//!
//! 1. the lease is taken, before anything is asked of the source, the newest commit read, and what crashed runs left swept;
//! 2. [`plan()`] discovers what the source offers, asks the plugins for their outlines and resolves it all; the
//!    guard judges (`sluice plan` does this and stops); so are the tables judged that the run will not write (`kept`);
//! 3. streams are read, a few at once: pages become batches, batches go through the transforms and into the files of their
//!    table ([`stage`]); bounded channels between them slow whoever is ahead;
//! 4. when every stream is complete, one conditional write commits all tables;
//! 5. what is in no commit is swept again, and the lease released.
//!
//! The first error stops everything: readers stop, the run's files are taken back, nothing is committed, and the tables are
//! what they were. So does an interrupt.
//! Source and bucket are open before a run begins: this module never asks who they are, nor reads a secret of theirs
//! ([`connect`] does, apart).

mod audit;
mod check;
mod connect;
mod discovery;
mod drift;
mod error;
mod kept;
mod memory;
mod planning;
mod plugins;
mod progress;
mod reading;
mod rehearsal;
mod renamed;
mod report;
mod shutdown;
mod stage;
mod trial;
mod unique;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use sluice_hubspot::source::Source;
use sluice_lake::state::lease::{Holder, Lease};
use sluice_lake::{
    bucket::Bucket,
    sink::Begun,
    table::{
        Author, Change, Commit, CommitLog, DataFile, Table,
        sweep::{self, Swept},
    },
};
use sluice_model::{clock::Clock, run_id::RunId};
use sluice_plan::{Plan, spec::Spec};

use self::reading::Reading;
pub use self::{
    check::{Check, Outcome, check, exit_code as exit_code_of_checks},
    connect::{bucket_settings, engine, open_source, open_source_for_run},
    discovery::{Discovered, everything},
    drift::Drift,
    error::Error,
    kept::{Kept, KeptTable, Others},
    planning::{LeftOut, Planned, plan, refused},
    plugins::{LoadedTransform, LoadedTransforms},
    progress::{Progress, StreamProgress, StreamState},
    rehearsal::{Rehearsed, rehearse},
    renamed::{Renamed, of as renamed},
    report::{Report, StreamReport, TransformReport},
    shutdown::Shutdown,
};
pub use sluice_lake::state::lease::LeaseError;

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
    /// What is done while another run holds the lease.
    pub wait: Wait<'r>,
    /// What is told of the run while it goes on.
    pub progress: &'r Arc<Progress>,
    /// How it is told to stop.
    pub shutdown: &'r Shutdown,
}

/// How long a run waits for the lease while another holds it.
#[derive(Clone, Copy)]
pub struct Wait<'r> {
    /// How long; not at all if this is zero.
    pub span: Duration,
    /// Told once, if there is anything to wait for: who holds the lease.
    pub tell: &'r dyn Fn(&LeaseError),
}

impl std::fmt::Debug for Wait<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Wait").field("span", &self.span).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Run").field("pipeline", &self.spec.pipeline.pipeline).finish_non_exhaustive()
    }
}

/// Runs a pipeline.
pub async fn run(run: Run<'_>) -> Result<Report, Error> {
    let mut began = Timestamp::now();
    // A run that waited begins when its waiting is over.
    let holder = || {
        began = Timestamp::now();
        let id = RunId::new(began).map_err(Error::RunId)?;
        Ok::<_, Error>(Holder::here(id, run.spec.pipeline.pipeline.get_ref().as_str()))
    };
    let clock = Clock::system();
    // A lease whose taking is interrupted ends by itself.
    let taking = Lease::take_within(run.wait.span, run.bucket, holder, &clock, run.wait.tell);
    let (lease, holder) = unless_stopped(run.shutdown, taking).await??;
    let outcome = while_held(&run, &lease, &holder.run, began).await;
    if let Err(error) = lease.release().await {
        tracing::warn!(error = sluice_model::error_chain(&error), "the lease was not released; it ends by itself");
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

/// Works, and takes back all files of a run that comes to nothing.
async fn under_lease(run: &Run<'_>, lease: &Lease, id: &RunId, began: Timestamp) -> Result<Report, Error> {
    let files = Begun::default();
    let outcome = read_and_commit(run, lease, id, began, &files).await;
    match &outcome {
        // Its files must stay: they may be listed.
        Err(Error::Log(error)) if error.may_have_been_made() => {}
        Err(_) => take_back(run.bucket, &files).await,
        Ok(_) => {}
    }
    outcome
}

async fn read_and_commit(
    run: &Run<'_>,
    lease: &Lease,
    id: &RunId,
    began: Timestamp,
    files: &Begun,
) -> Result<Report, Error> {
    let started = Instant::now();
    let log = CommitLog::of(run.bucket);
    let base = unless_stopped(run.shutdown, log.latest()).await??;
    unless_stopped(run.shutdown, lease.confirm()).await??;
    let base = unless_stopped(run.shutdown, sweep_before(run, base, id, lease)).await??;
    let planned = unless_stopped(run.shutdown, planning::plan(run.spec, run.source.as_ref(), run.plugins)).await??;
    let wanted = planned.wanted(run.spec, run.only)?;
    let (planned, wanted) = unless_stopped(run.shutdown, trial::without_unreadable(run, planned, wanted)).await??;
    let mut others =
        kept::judge(run.spec, base.as_ref(), &planned, &wanted).map_err(|problems| refused(run.spec, problems))?;
    let planned = Arc::new(planned.only(&wanted));
    let plan = &planned.plan;
    run.progress.begin(plan.streams.iter().map(|stream| stream.stream.name.clone()));
    let streams = Reading::new(run, &planned, id, began, files).all(base.as_ref()).await?;
    let lost = kept::that_lost_parts(run.spec, base.as_ref(), &planned, &streams, &mut others)
        .map_err(|problems| refused(run.spec, problems))?;
    for index in &lost {
        remove(run.bucket, &streams[*index].files).await;
    }
    let change = change(run, plan, id, &streams, &lost, &others);
    if run.shutdown.is_stopping() {
        return Err(Error::Interrupted);
    }
    let commit = log.commit(base.as_ref(), change).await?;
    tracing::info!(commit = commit.number, run = %id, "committed");
    sweep_after(run.bucket, &commit, lease).await;
    let done = report::Done { base, commit, written: streams, others };
    Ok(report::of(run, &planned, done, began, started.elapsed()))
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
fn change(
    run: &Run<'_>,
    plan: &Plan,
    id: &RunId,
    written: &[stage::Written],
    lost: &BTreeSet<usize>,
    others: &Others,
) -> Change {
    let read = plan.streams.iter().zip(written).enumerate().filter(|(index, _)| !lost.contains(index));
    let tables = read.map(|(_, (stream, written))| {
        let table = Table {
            run: id.clone(),
            pipeline: plan.pipeline.clone(),
            stream: stream.stream.name.clone(),
            stream_ids: stream.stream.names().filter(|name| *name != stream.stream.name).map(str::to_owned).collect(),
            parts: written.read.present.clone(),
            written: Timestamp::now(),
            columns: stream.table_columns().cloned().collect(),
            files: written.files.clone(),
            audit: audit::of(plan, stream, run.plugins, run.spec),
        };
        (stream.table.clone(), table)
    });
    Change { tables: tables.collect(), retired: others.retired.clone(), ..unchanged(run, id) }
}

/// A change of nothing, by this run.
fn unchanged(run: &Run<'_>, id: &RunId) -> Change {
    Change {
        author: Author {
            run: id.clone(),
            pipeline: run.spec.pipeline.pipeline.get_ref().as_str().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plugins: run.plugins.iter().map(|it| (it.name.clone(), it.plugin.digest().to_string())).collect(),
        },
        committed: Timestamp::now(),
        tables: BTreeMap::new(),
        retired: BTreeSet::new(),
    }
}

/// Removes the files of a table that is not to be committed.
async fn remove(bucket: &Bucket, files: &[DataFile]) {
    for file in files {
        if let Err(error) = bucket.delete(&file.key).await {
            tracing::warn!(
                error = sluice_model::error_chain(&error),
                "a file that no commit lists could not be removed"
            );
        }
    }
}

/// Takes back the files of a run that has committed nothing.
async fn take_back(bucket: &Bucket, files: &Begun) {
    let taken = files.take_back(bucket).await;
    for failure in &taken.failures {
        tracing::warn!(error = sluice_model::error_chain(failure), "a file of this run was not taken back");
    }
    if taken.left > 0 {
        tracing::warn!(left = taken.left, "not all files of this run were taken back; the next run sweeps them");
    }
}

async fn sweep_before(run: &Run<'_>, base: Option<Commit>, id: &RunId, lease: &Lease) -> Result<Option<Commit>, Error> {
    let still_ours = async || lease.confirm().await.is_ok();
    let (base, swept) = sweep::sweep_before(run.bucket, base, unchanged(run, id), still_ours).await?;
    tell_of_sweep(&swept);
    Ok(base)
}

async fn sweep_after(bucket: &Bucket, commit: &Commit, lease: &Lease) {
    tell_of_sweep(&sweep::sweep_after(bucket, commit, async || lease.confirm().await.is_ok()).await);
}

fn tell_of_sweep(swept: &Swept) {
    if swept.files > 0 {
        tracing::info!(files = swept.files, bytes = swept.bytes, "swept what earlier runs left");
    }
    for failure in &swept.failures {
        tracing::warn!(
            error = sluice_model::error_chain(failure),
            "not everything could be swept; the next run tries again"
        );
    }
}

/// What work on each of these gives, in their order, a few at once. The next begins when any ends: a long one holds none up.
async fn concurrently<I, T>(items: impl IntoIterator<Item = I>, at_once: usize, work: impl AsyncFn(I) -> T) -> Vec<T> {
    let work = &work;
    let each = items.into_iter().enumerate().map(|(index, item)| async move { (index, work(item).await) });
    let mut done: Vec<(usize, T)> = stream::iter(each).buffer_unordered(at_once).collect().await;
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
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
