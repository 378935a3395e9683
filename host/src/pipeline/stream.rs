//! One stream, from its pages to its files.
//!
//! Two parties work at once: the reader asks for pages and decodes them, on the runtime; the worker transforms batches and
//! encodes them, on a thread that may be busy. Between them is a channel of [`BATCHES_AHEAD`] batches, so that each waits
//! for the other and neither fills the memory.

use std::sync::Arc;

use sluice_hubspot::source::{DeliverySender, Read, ReadRequest, Readers, SourceError};
use sluice_lake::sink::TableWriter;
use sluice_plan::StreamPlan;
use tokio::{sync::mpsc, task::JoinError};

use super::{
    Error,
    context::Context,
    progress::StreamProgress,
    worker::{Keys, Worked, Worker},
    written::Written,
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
        let (writers, written) = self.once().await?;
        if written.read.cut.is_empty() {
            return self.finish(writers, written).await;
        }
        tracing::warn!(
            stream = self.plan.stream.name,
            properties = written.read.cut.join(", "),
            "properties were archived while the stream was read: it is read once more"
        );
        abort(writers).await;
        self.progress.begin();
        let (writers, written) = self.once().await?;
        self.finish(writers, written).await
    }

    async fn finish(&self, writers: Vec<Box<dyn TableWriter>>, mut written: Written) -> Result<Written, Error> {
        let finish = move || writers.into_iter().map(TableWriter::finish).collect::<Result<Vec<_>, _>>();
        let files = unwrapped(tokio::task::spawn_blocking(finish).await)?;
        for (table, files) in written.tables.iter_mut().zip(files) {
            table.files = files;
        }
        self.progress.done();
        Ok(written)
    }

    /// Reads and transforms the whole stream. What has been written of it is taken back on an error.
    async fn once(&self) -> Result<(Vec<Box<dyn TableWriter>>, Written), Error> {
        let shutdown = &self.context.shutdown;
        if shutdown.is_stopping() {
            return Err(Error::Interrupted);
        }
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let worker = Worker::new(self.context, self.plan, &Keys::of(self.plan), &self.progress)?;
        let mut worker = tokio::task::spawn_blocking(move || worker.work(receiver));
        let request = ReadRequest {
            stream: self.plan.stream.clone(),
            columns: self.plan.requested().cloned().collect(),
            ingested_at: self.context.began,
            readers: Readers::One,
            seen: self.progress.seen().clone(),
        };
        let read = tokio::select! {
            biased;
            () = shutdown.stopping() => Err(Error::Interrupted),
            // It works until the channel is closed, and the reader holds that open: it has failed.
            failed = &mut worker => return unwrapped(failed).and(Err(Error::Interrupted)),
            () = self.count() => unreachable!("counting never ends"),
            read = self.read(request, sender) => read.map_err(Error::Source),
        };
        // The channel is closed now: the worker comes to its end.
        match (unwrapped(worker.await), read) {
            // Of two failures the worker's comes first: the reader's may only follow from it.
            (Err(error), _) => Err(error),
            (Ok(done), Err(error)) => {
                abort(done.writers).await;
                Err(error)
            }
            (Ok(Worked { writers, written }), Ok(read)) => Ok((writers, Written { read, ..written })),
        }
    }

    /// Reads the whole stream. The channel is closed when this returns.
    async fn read(&self, request: ReadRequest, deliveries: DeliverySender) -> Result<Read, SourceError> {
        let reading = self.context.source.open(request);
        while let Some(slice) = reading.slice() {
            reading.read(slice, deliveries.clone()).await?;
        }
        reading.finish().await
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
}

/// Takes back what has been written of tables.
async fn abort(writers: Vec<Box<dyn TableWriter>>) {
    unwrapped(tokio::task::spawn_blocking(move || writers.into_iter().for_each(TableWriter::abort)).await);
}

/// What a task gave; its panic, if it had one, goes on here.
fn unwrapped<T>(outcome: Result<T, JoinError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
