//! The story of a run.
//!
//! [`run`] tells it from beginning to end:
//!
//! 1. the lease is taken, before anything is asked of the source, the newest commit read, and what crashed runs left swept;
//! 2. [`plan()`] discovers what the source offers, asks the plugins for their outlines and resolves it all; the
//!    guard judges (`sluice plan` does this and stops); so are the tables judged that the run will not write (`kept`), and
//!    those that it will write are claimed, lest another pipeline is about to write one of them;
//! 3. streams are read, a few at once: pages become batches, batches go through the transforms and into the files of their
//!    table (`stream`); bounded channels between them slow whoever is ahead;
//! 4. when every stream is complete, one conditional write commits all tables;
//! 5. what is in no commit is swept again, what has had its time expires (`[sink] keep`), and the lease is released.
//!
//! The first error stops everything: readers stop, the run's files are taken back, nothing is committed, and the tables are
//! what they were. So does an interrupt; one that comes after the commit only ends the sweep. So does a panic: the lease is
//! released all the same.
//! Source, plugins and bucket are open before a run begins: [`Pipeline`] is the one way to them.

mod open;
mod plugins;

mod directions;
mod discovery;
mod planning;
mod price;
mod trial;

mod at_once;
mod context;
mod reading;
mod resume;
mod shape;
mod stream;
mod unique;
mod worker;
mod written;

mod kept;
mod ledger;
mod tables;

mod drift;
mod renamed;
mod report;

mod check;
mod error;
mod progress;
mod shutdown;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use sluice_hubspot::source::Source;
pub use sluice_lake::state::lease::LeaseError;
use sluice_lake::{
    bucket::Bucket,
    sink::Sink,
    state::lease::{Holder, Lease},
    table::{Author, Commit, CommitLog, Commits},
};
use sluice_model::{clock::Clock, error_chain, run_id::RunId};

use self::{
    at_once::caught,
    context::Context,
    resume::{Notes, Resume},
};
pub use self::{
    check::{Check, Outcome, check, exit_code as exit_code_of_checks},
    discovery::{Discovered, everything},
    drift::Drift,
    error::Error,
    kept::{Kept, KeptTable, NotWritten},
    ledger::Outside,
    open::{COMPILE, Patience, Permissions, Pipeline, engine, refuse_link},
    planning::{LeftOut, Planned, plan},
    plugins::Plugins,
    price::{Cost, Priced, Prices, price},
    progress::{Progress, StreamProgress, StreamState},
    renamed::{Renamed, of as renamed},
    report::{Ran, RanPlugin, Report, StreamReport, TableReport, TransformReport},
    shutdown::Shutdown,
};

/// What a run works with.
pub struct Run<'r> {
    /// The pipeline file.
    pub pipeline: &'r Pipeline,
    /// Where the data comes from.
    pub source: Arc<dyn Source>,
    /// The plugins.
    pub plugins: &'r Plugins,
    /// The streams to read; empty for all of the pipeline's. The others' tables stay as they are.
    pub only: &'r [String],
    /// Where the tables go.
    pub bucket: &'r Bucket,
    /// What is done while another run of the pipeline holds its lease.
    pub wait: Wait<'r>,
    /// What is told of the run while it goes on.
    pub progress: &'r Arc<Progress>,
    /// How it is told to stop.
    pub shutdown: &'r Shutdown,
}

/// How long a run waits for its pipeline's lease while another holds it.
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
        formatter.debug_struct("Run").field("pipeline", &self.pipeline.name()).finish_non_exhaustive()
    }
}

/// Runs a pipeline.
pub async fn run(run: Run<'_>) -> Result<Report, Error> {
    let mut began = Timestamp::now();
    // A run that waited begins when its waiting is over.
    let holder = || {
        began = Timestamp::now();
        let id = RunId::new(began).map_err(Error::RunId)?;
        Ok::<_, Error>(Holder::here(id, run.pipeline.name()))
    };
    let clock = Clock::system();
    // A lease whose taking is interrupted ends by itself.
    let taking = Lease::take_within(run.wait.span, run.bucket, holder, &clock, run.wait.tell);
    let (lease, holder) = unless_stopped(run.shutdown, taking).await??;
    let outcome = while_held(&run, &lease, &holder.run, began).await;
    run.plugins.tell_of_dropped_lines();
    match run.shutdown.drained(lease.release()).await {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            tracing::warn!(error = error_chain(&error), "the lease was not released; it ends by itself");
        }
        None => tracing::warn!("the lease was not released before the run had to end; it ends by itself"),
    }
    outcome
}

/// Works under the lease. When it is lost, everything stops; but a commit that has begun is waited for, if not long, since
/// nobody would know otherwise whether it was made. It cannot overwrite another run's: it is made only if it is the next.
async fn while_held(run: &Run<'_>, lease: &Lease, id: &RunId, began: Timestamp) -> Result<Report, Error> {
    let mut work = std::pin::pin!(under_lease(run, lease, id, began));
    tokio::select! {
        biased;
        lost = lease.lost() => {
            run.shutdown.stop();
            work.await.map_err(|error| match error {
                Error::StoppedInCommit { .. } => Error::StoppedInCommit { lost: Some(Box::new(lost)) },
                error if error.may_have_committed() => error,
                _ => lost.into(),
            })
        }
        outcome = &mut work => outcome,
    }
}

/// Works, and takes back all files of a run that comes to nothing, be it by a panic.
async fn under_lease(run: &Run<'_>, lease: &Lease, id: &RunId, began: Timestamp) -> Result<Report, Error> {
    let sink: Arc<dyn Sink> = Arc::new(tables::sink(run, id));
    let commits = AtomicBool::new(false);
    // Boxed: all that a run holds is thousands of bytes.
    let work = Box::pin(read_and_commit(run, lease, id, began, &sink, &commits));
    let outcome = caught(work, || commits.load(Ordering::Relaxed)).await;
    match &outcome {
        // Its files must stay: they may be listed.
        Err(error) if error.may_have_committed() => {}
        Err(_) => run.shutdown.drained(tables::take_back(&*sink)).await.unwrap_or_default(),
        Ok(_) => {}
    }
    outcome
}

/// Does all that a run is for. `commits`: set as soon as it may have committed.
async fn read_and_commit(
    run: &Run<'_>,
    lease: &Lease,
    id: &RunId,
    began: Timestamp,
    sink: &Arc<dyn Sink>,
    commits: &AtomicBool,
) -> Result<Report, Error> {
    let started = Instant::now();
    let author = tables::author(run, id);
    let log = CommitLog::of(run.bucket);
    let base = unless_stopped(run.shutdown, log.latest()).await??;
    unless_stopped(run.shutdown, lease.confirm()).await??;
    let base = unless_stopped(run.shutdown, tables::sweep_before(run.bucket, base, &author, lease)).await??;
    let planned =
        unless_stopped(run.shutdown, planning::plan(run.pipeline, &*run.source, run.plugins, base.as_ref())).await??;
    let wanted = planned.wanted(run.only)?;
    let (mut planned, wanted) = unless_stopped(run.shutdown, trial::without_unreadable(run, planned, wanted)).await??;
    let not_written = kept::judge(base.as_ref(), &planned, &wanted)
        .map_err(|problems| Error::refused(&planned.plan.file, problems))?;
    let problems = kept::without_kept(&mut planned, &wanted, &not_written.kept);
    if !problems.is_empty() {
        return Err(Error::refused(&planned.plan.file, problems));
    }
    let tables = wanted.iter().flat_map(|index| &planned.plan.streams[*index].tables);
    let tables = tables.map(|table| table.name.clone()).collect();
    unless_stopped(run.shutdown, lease.claim(tables)).await??;
    let planned = planned.only(&wanted);
    let (bucket, pipeline) = (run.bucket.clone(), run.pipeline.name().to_owned());
    let notes = Notes { bucket, sink: Arc::clone(sink), pipeline, run: id.clone() };
    let resume = unless_stopped(run.shutdown, resumable(run, notes, &planned, base.as_ref())).await??;
    let context = Arc::new(context(run, planned, began, sink, resume));
    let plan = &context.planned.plan;
    run.progress.begin(plan.streams.iter().map(|stream| stream.stream.name.clone()));
    let ended = read_all(run, lease, &context, Begun { base, author, not_written, log, started, commits }).await;
    ended.inspect_err(|_| context.resume.tell())
}

/// What a run has found out before it reads.
struct Begun<'b> {
    base: Option<Commit>,
    author: Author,
    not_written: NotWritten,
    log: CommitLog,
    started: Instant,
    commits: &'b AtomicBool,
}

/// Reads all streams, and commits what came of them.
async fn read_all(run: &Run<'_>, lease: &Lease, context: &Arc<Context>, begun: Begun<'_>) -> Result<Report, Error> {
    let Begun { base, author, mut not_written, log, started, commits } = begun;
    let (plan, sink) = (&context.planned.plan, &context.sink);
    let mut streams = reading::all(context, run.pipeline.streams_at_once(), base.as_ref()).await?;
    tables::complete(context, &mut streams).await?;
    let lost = kept::that_lost_parts(base.as_ref(), &context.planned, &streams, &mut not_written)
        .map_err(|problems| Error::refused(&plan.file, problems))?;
    for index in &lost {
        for table in &streams[*index].tables {
            tables::discard(run.shutdown, &**sink, &table.files).await;
        }
    }
    let change = tables::change(&author, plan, &streams, &lost, &not_written);
    if run.shutdown.is_stopping() {
        return Err(Error::Interrupted);
    }
    commits.store(true, Ordering::Relaxed);
    let committed = run.shutdown.drained(log.commit(base.as_ref(), change)).await;
    let committed = committed.ok_or(Error::StoppedInCommit { lost: None })?;
    let commit = committed.map_err(|error| Error::of_commit(error, plan))?;
    tracing::info!(commit = commit.number, run = %commit.author.run, "committed");
    // The commit stands: a run that is told to stop now is a success, and what it does not remove the next run does.
    drop(unless_stopped(run.shutdown, tables::sweep_after(run.bucket, &commit, lease)).await);
    let expired = unless_stopped(run.shutdown, tables::expire(run)).await.unwrap_or_default();
    let done = report::Done { base, commit, expired, written: streams, not_written, rule: run.pipeline.ledger() };
    Ok(report::of(context, done, started.elapsed()))
}

/// Judges what streams cost that are asked for record by record, if there are any, and finds out which of them are kept in
/// slices.
async fn resumable(run: &Run<'_>, notes: Notes, planned: &Planned, base: Option<&Commit>) -> Result<Resume, Error> {
    let plan = &planned.plan;
    if !plan.streams.iter().any(|stream| stream.stream.kind.is_by_record()) {
        return Ok(Resume::default());
    }
    let Some(prices) = price(run.pipeline, run.source.as_ref(), plan).await else { return Ok(Resume::default()) };
    prices.judge(&plan.file)?;
    let unknown: Vec<&str> =
        prices.streams.iter().filter(|it| it.by_record && it.price.is_none()).map(|it| it.stream.as_str()).collect();
    if !unknown.is_empty() {
        tracing::warn!(
            streams = unknown.join(", "),
            "what these cost is not known, so nothing holds them to `at_most`"
        );
    }
    Resume::of(notes, &*run.source, plan, &prices, run.pipeline.keep_after_minutes(), base).await
}

/// What all streams of the run share.
fn context(run: &Run<'_>, planned: Planned, began: Timestamp, sink: &Arc<dyn Sink>, resume: Resume) -> Context {
    Context {
        planned,
        source: Arc::clone(&run.source),
        plugins: run.plugins.clone(),
        sink: Arc::clone(sink),
        bucket: run.bucket.clone(),
        resume,
        began,
        progress: Arc::clone(run.progress),
        shutdown: run.shutdown.clone(),
    }
}

/// Waits for something that may be given up at any time, unless the run is told to stop.
async fn unless_stopped<T>(shutdown: &Shutdown, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        biased;
        () = shutdown.stopping() => Err(Error::Interrupted),
        done = work => Ok(done),
    }
}
