//! One stream, from its pages to its files: read by one reader, or by several, each with a slice of it.
//!
//! Two parties work at once on a slice: the reader asks for pages and decodes them, on the runtime; the worker transforms
//! batches and encodes them, on a thread that may be busy. Between them is a channel of [`DELIVERIES_AHEAD`] deliveries, so
//! that each waits for the other and neither fills the memory.
//! When all slices have been read the stream is concluded: what its source has to say decides whether it stands, or is read
//! once more. Who reads which slice, and when, is `reading`'s.

use std::sync::Arc;

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use sluice_hubspot::source::{Read, ReadRequest, Readers, Reading, Slice, Source};
use sluice_model::{ledger::Ledger, stream::StreamInfo};
use sluice_plan::StreamPlan;
use tokio::sync::mpsc;

use super::{
    Error,
    at_once::ended,
    context::Context,
    progress::StreamProgress,
    tables,
    worker::{Keys, Worker},
    written::Written,
};

/// Deliveries between reader and worker. One is enough to work at once; a second rides out an uneven page.
const DELIVERIES_AHEAD: usize = 2;

/// One reading of a stream, shared by all that read a slice of it.
pub(super) struct OneStream {
    context: Arc<Context>,
    index: usize,
    reading: Arc<dyn Reading>,
    keys: Keys,
    progress: Arc<StreamProgress>,
    /// How many records there are, asked once for all who wait for it.
    before: Shared<BoxFuture<'static, Option<u64>>>,
}

impl OneStream {
    /// Begins to read a stream, from its beginning.
    /// `keeps_ids`: whether another stream of the run is asked with the ids of its records; `takes_over`: whether what earlier
    /// runs have kept of it stands for what they have read.
    pub(super) fn open(
        context: &Arc<Context>,
        index: usize,
        readers: Readers,
        keeps_ids: bool,
        takes_over: bool,
    ) -> Self {
        let plan = &context.planned.plan.streams[index];
        let progress = context.progress.stream(index);
        progress.begin();
        let request = ReadRequest {
            stream: plan.stream.clone(),
            columns: plan.requested().cloned().collect(),
            ingested_at: context.began,
            seen: progress.seen().clone(),
            readers,
            keeps_ids,
            resumes: context.resume.covers(index).map(|slices| if takes_over { slices } else { Vec::new() }),
        };
        let reading = context.source.open(request);
        let before = count_before(&context.source, &plan.stream, &progress);
        Self { context: Arc::clone(context), index, reading, keys: Keys::of(plan), progress, before }
    }

    /// What its source has of it for readers.
    pub(super) fn reading(&self) -> &Arc<dyn Reading> {
        &self.reading
    }

    pub(super) fn name(&self) -> &str {
        &self.plan().stream.name
    }

    fn plan(&self) -> &StreamPlan {
        &self.context.planned.plan.streams[self.index]
    }

    /// Reads, transforms and writes a slice. What has been written of it is complete when this returns, or taken back on an
    /// error.
    pub(super) async fn read(&self, slice: Slice) -> Result<Written, Error> {
        let shutdown = &self.context.shutdown;
        if shutdown.is_stopping() {
            return Err(Error::Interrupted);
        }
        let (sender, receiver) = mpsc::channel(DELIVERIES_AHEAD);
        let worker = Worker::new(&self.context, self.plan(), &self.keys, &self.progress)?;
        let number = slice.number();
        let mut worker = tokio::task::spawn_blocking(move || worker.work(receiver));
        let read = tokio::select! {
            biased;
            () = shutdown.stopping() => Err(Error::Interrupted),
            // It works until the channel is closed, and the reader holds that open: it has failed.
            failed = &mut worker => return Err(ended(failed).err().unwrap_or(Error::Interrupted)),
            () = self.count_beside() => unreachable!("it never ends"),
            read = self.reading.read(slice, sender) => read.map_err(Error::Source),
        };
        // The channel is closed now: the worker comes to its end.
        // Of two failures the worker's comes first: the reader's may only follow from it.
        let end = async {
            let done = ended(worker.await)?;
            let end = move || match read {
                Ok(()) => done.seal(),
                Err(error) => {
                    done.abort();
                    Err(error)
                }
            };
            ended(tokio::task::spawn_blocking(end).await)
        };
        let written = shutdown.drained(end).await.unwrap_or(Err(Error::Interrupted))?;
        if let Some(covers) = self.reading.covers(number) {
            let keeping = self.context.resume.keep(self.index, self.plan(), &covers, &written);
            shutdown.drained(keeping).await.unwrap_or_default();
        }
        Ok(written)
    }

    /// Adds to what was written what earlier runs have written of the records that were not read again.
    pub(super) fn with_taken_over(&self, mut written: Written, read: &Read) -> Written {
        for earlier in self.context.resume.taken_over(self.index, read) {
            written.add(earlier);
        }
        written
    }

    /// Asks how many records there are, beside the reading, and then does nothing more.
    async fn count_beside(&self) {
        self.before.clone().await;
        std::future::pending::<()>().await;
    }

    /// Completes its ledger: waits for the count that was asked for when it began, and asks for another if that is not what
    /// was read.
    pub(super) async fn balance(&self, ledger: Ledger) -> Result<Ledger, Error> {
        let balanced = async {
            let before = self.before.clone().await;
            let after = match before {
                Some(before) if before != ledger.read => self.context.source.count(&self.plan().stream).await,
                _ => None,
            };
            Ledger { before, after, ..ledger }
        };
        tokio::select! {
            biased;
            () = self.context.shutdown.stopping() => Err(Error::Interrupted),
            ledger = balanced => Ok(ledger),
        }
    }

    /// What there is to say of the stream, now that all of it has been read.
    pub(super) async fn conclude(&self) -> Result<Read, Error> {
        tokio::select! {
            biased;
            () = self.context.shutdown.stopping() => Err(Error::Interrupted),
            read = self.reading.finish() => Ok(read?),
        }
    }

    /// Notes that it is complete.
    pub(super) fn done(&self) {
        self.progress.done();
    }

    /// Takes back all that has been written of it, for it to be read anew; but for what is kept in slices, which may be another
    /// run's by now: what no commit lists of it is swept.
    pub(super) async fn discard(&self, written: &Written) {
        if self.context.resume.covers(self.index).is_some() {
            return;
        }
        for table in &written.tables {
            tables::discard(&self.context.shutdown, &*self.context.sink, &table.files).await;
        }
    }
}

/// The count of a stream, once anybody waits for it. The display is told.
fn count_before(
    source: &Arc<dyn Source>,
    stream: &StreamInfo,
    progress: &Arc<StreamProgress>,
) -> Shared<BoxFuture<'static, Option<u64>>> {
    let (source, stream, progress) = (Arc::clone(source), stream.clone(), Arc::clone(progress));
    let count = async move {
        let count = source.count(&stream).await;
        if let Some(count) = count {
            progress.expect(count);
        }
        count
    };
    count.boxed().shared()
}
