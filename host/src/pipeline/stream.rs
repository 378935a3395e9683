//! One stream, from its pages to its files.
//!
//! Two parties work at once: the reader asks for pages and decodes them, on the runtime; the worker transforms batches and
//! encodes them, on a thread that may be busy. Between them is a channel of [`BATCHES_AHEAD`] batches, so that each waits
//! for the other and neither fills the memory.

use std::sync::Arc;

use arrow_array::RecordBatch;
use sluice_hubspot::source::{ReadRequest, SourceError};
use sluice_lake::sink::{TableSpec, TableWriter};
use sluice_model::{delivery::Delivery, program::Program};
use sluice_plan::StreamPlan;
use sluice_sandbox::{Setup, Transform};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
};

use super::{
    Error,
    context::Context,
    progress::StreamProgress,
    unique::UniqueKeys,
    written::{StepCount, Written},
};

/// Batches between reader and worker. One is enough to work at once; a second rides out an uneven page.
const BATCHES_AHEAD: usize = 2;

/// One stream of a run.
pub(super) struct OneStream<'r> {
    context: &'r Context,
    plan: &'r StreamPlan,
    progress: Arc<StreamProgress>,
}

impl<'r> OneStream<'r> {
    pub(super) fn new(context: &'r Context, index: usize) -> Self {
        Self { context, plan: &context.planned.plan.streams[index], progress: context.progress.stream(index) }
    }

    /// Reads, transforms and writes the stream. Its files are complete or taken back when this returns.
    ///
    /// Where a property is archived while it is read, its column would end in the middle: then the stream is read once more.
    pub(super) async fn run(self) -> Result<Written, Error> {
        self.progress.begin();
        let (writer, written) = self.once().await?;
        if written.read.cut.is_empty() {
            return self.finish(writer, written).await;
        }
        tracing::warn!(
            stream = self.plan.stream.name,
            properties = written.read.cut.join(", "),
            "properties were archived while the stream was read: it is read once more"
        );
        abort(writer).await;
        self.progress.begin();
        let (writer, written) = self.once().await?;
        self.finish(writer, written).await
    }

    async fn finish(&self, writer: Box<dyn TableWriter>, mut written: Written) -> Result<Written, Error> {
        written.files = unwrapped(tokio::task::spawn_blocking(move || writer.finish()).await)?;
        self.progress.done();
        Ok(written)
    }

    /// Reads and transforms the whole stream. What has been written of it is taken back on an error.
    async fn once(&self) -> Result<(Box<dyn TableWriter>, Written), Error> {
        let shutdown = &self.context.shutdown;
        if shutdown.is_stopping() {
            return Err(Error::Interrupted);
        }
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let mut worker = self.start_worker(receiver)?;
        let request = ReadRequest {
            stream: self.plan.stream.clone(),
            columns: self.plan.requested().cloned().collect(),
            ingested_at: self.context.began,
            seen: self.progress.seen().clone(),
        };
        let read = tokio::select! {
            biased;
            () = shutdown.stopping() => Err(Error::Interrupted),
            // It works until the channel is closed, and the reader holds that open: it has failed.
            failed = &mut worker => return unwrapped(failed).and(Err(Error::Interrupted)),
            () = self.count() => unreachable!("counting never ends"),
            read = self.context.source.read(request, sender) => read.map_err(|error: SourceError| Error::Source(error)),
        };
        // The channel is closed now: the worker comes to its end.
        match (unwrapped(worker.await), read) {
            // Of two failures the worker's comes first: the reader's may only follow from it.
            (Err(error), _) => Err(error),
            (Ok(worker), Err(error)) => {
                abort(worker.writer).await;
                Err(error)
            }
            (Ok(Worker { writer, written, .. }), Ok(read)) => Ok((writer, Written { read, ..written })),
        }
    }

    /// Asks how many records there are, beside the reading and only if somebody watches, and then does nothing more.
    async fn count(&self) {
        if self.context.progress.is_watched()
            && let Some(total) = self.context.source.count(&self.plan.stream).await
        {
            self.progress.expect(total);
        }
        std::future::pending::<()>().await;
    }

    fn start_worker(&self, batches: mpsc::Receiver<RecordBatch>) -> Result<JoinHandle<Result<Worker, Error>>, Error> {
        let columns: Vec<_> = self.plan.table_columns().cloned().collect();
        let writer = self.context.sink.table(&TableSpec { name: self.plan.table.clone(), columns: columns.clone() })?;
        let steps: Vec<_> = (0..self.plan.steps.len()).map(|index| self.prepared(index)).collect();
        let (stream, progress) = (self.plan.stream.name.clone(), Arc::clone(&self.progress));
        let keys = UniqueKeys::of(self.plan).map(|unique| TableKeys {
            unique,
            table: self.plan.table.clone(),
            columns: self.plan.key_columns().map(|(index, _)| columns[index].name.clone()).collect(),
        });
        Ok(tokio::task::spawn_blocking(move || {
            let failed = |cause| Error::Transform { stream: stream.clone(), cause: Box::new(cause) };
            let mut transforms = Vec::new();
            for step in steps {
                let counts = StepCount { transform: step.setup.name().to_owned(), ..StepCount::default() };
                let transform = Transform::new(step.program, &step.setup, step.withhold).map_err(failed)?;
                transforms.push((transform, counts));
            }
            Worker { writer, keys, written: Written::default() }.work(batches, transforms, &progress, &stream)
        }))
    }

    /// One step of the stream, ready to be made on the thread that works.
    fn prepared(&self, index: usize) -> PreparedStep {
        PreparedStep {
            program: self.plan.program(index),
            setup: self.context.plugins.of(&self.plan.steps[index].transform).clone(),
            withhold: self.plan.reads_marked(index),
        }
    }
}

/// What a step is made of, on the thread that works.
struct PreparedStep {
    program: Program,
    setup: Setup,
    /// Whether the plugin is handed anything marked, so that nothing that it says is passed on.
    withhold: bool,
}

/// The keys of a table, and how to name them.
struct TableKeys {
    unique: UniqueKeys,
    table: String,
    columns: Vec<String>,
}

/// What happens on the worker's thread.
struct Worker {
    writer: Box<dyn TableWriter>,
    /// Where they could be the same: the keys so far.
    keys: Option<TableKeys>,
    written: Written,
}

impl Worker {
    /// Works until the channel is closed. On an error the unfinished file is taken back.
    fn work(
        mut self,
        mut batches: mpsc::Receiver<RecordBatch>,
        mut transforms: Vec<(Transform, StepCount)>,
        progress: &StreamProgress,
        stream: &str,
    ) -> Result<Self, Error> {
        while let Some(batch) = batches.blocking_recv() {
            if let Err(error) = self.batch(batch, &mut transforms, progress, stream) {
                self.writer.abort();
                return Err(error);
            }
        }
        self.written.steps = transforms.into_iter().map(|(_, counts)| counts).collect();
        Ok(self)
    }

    fn batch(
        &mut self,
        batch: RecordBatch,
        transforms: &mut [(Transform, StepCount)],
        progress: &StreamProgress,
        stream: &str,
    ) -> Result<(), Error> {
        let rows_in = batch.num_rows() as u64;
        let mut batch = batch;
        for (transform, counts) in transforms {
            let transformed = transform
                .apply(&batch)
                .map_err(|cause| Error::Transform { stream: stream.to_owned(), cause: Box::new(cause) })?;
            counts.dropped += transformed.dropped;
            for (code, rows) in transformed.rejected {
                *counts.rejected.entry(code).or_default() += rows;
            }
            batch = transformed.batch;
        }
        if let Some(keys) = &mut self.keys
            && !keys.unique.add(&batch)
        {
            return Err(Error::SameKey { table: keys.table.clone(), key: keys.columns.clone() });
        }
        let rows_out = batch.num_rows() as u64;
        self.writer.write(&Delivery::of_whole(batch))?;
        self.written.rows_in += rows_in;
        self.written.rows_out += rows_out;
        progress.wrote(rows_out);
        Ok(())
    }
}

/// Takes back what has been written of a table.
async fn abort(writer: Box<dyn TableWriter>) {
    unwrapped(tokio::task::spawn_blocking(move || writer.abort()).await);
}

/// What a task gave; its panic, if it had one, goes on here.
fn unwrapped<T>(outcome: Result<T, JoinError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
