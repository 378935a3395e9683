//! What happens to what is read on a thread that may be busy: transforms, then the tables that the stream feeds.
//!
//! Each reader has a worker of its own, with instances of the plugins and writers of its own. What workers share is the keys
//! of a table, where two of these could be the same.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use sluice_lake::sink::TableWriter;
use sluice_model::{delivery::Delivery, program::Program};
use sluice_plan::{StreamPlan, TablePlan};
use sluice_sandbox::{Setup, Transform, TransformError};
use tokio::sync::mpsc;

use super::{
    Error, Shutdown,
    context::Context,
    progress::StreamProgress,
    shape::Shaped,
    tables,
    unique::UniqueKeys,
    written::{StepCount, Written, WrittenTable},
};

/// The keys of a stream's tables so far, in the order of the plan; none of a table where no two can be the same.
#[derive(Debug, Clone)]
pub(super) struct Keys(Arc<[Option<TableKeys>]>);

/// The keys of a table, and how to name them.
#[derive(Debug)]
struct TableKeys {
    unique: Mutex<UniqueKeys>,
    table: String,
    columns: Vec<String>,
}

impl Keys {
    /// None yet.
    pub(super) fn of(stream: &StreamPlan) -> Self {
        Self(stream.tables.iter().map(|table| TableKeys::of(stream, table)).collect())
    }
}

impl TableKeys {
    fn of(stream: &StreamPlan, table: &TablePlan) -> Option<Self> {
        let columns = table.fields().filter(|field| field.is_key()).map(|field| field.name.clone());
        let unique = Mutex::new(UniqueKeys::of(stream, table)?);
        Some(Self { unique, table: table.name.clone(), columns: columns.collect() })
    }

    /// Takes the keys of a batch.
    fn add(&self, batch: &RecordBatch) -> Result<(), Error> {
        // Whoever panicked with them has ended the run.
        if self.unique.lock().unwrap_or_else(PoisonError::into_inner).add(batch) {
            return Ok(());
        }
        Err(Error::SameKey { table: self.table.clone(), key: self.columns.clone() })
    }
}

/// A worker that has not begun.
pub(super) struct Worker {
    stream: String,
    steps: Vec<PreparedStep>,
    tables: Vec<TableEnd>,
    keys: Keys,
    progress: Arc<StreamProgress>,
    shutdown: Shutdown,
}

/// What a step is made of, on the thread that works.
struct PreparedStep {
    /// What is done with the batches of each strand of the stream.
    program: Program,
    setup: Setup,
    /// Whether the plugin is handed anything marked, so that nothing that it says is passed on.
    withhold: bool,
}

/// The end of the way to one table.
struct TableEnd {
    /// How the batches of each strand become the table's.
    shaped: Vec<Shaped>,
    writer: Box<dyn TableWriter>,
    rows: u64,
}

/// A worker that has come to its end, and not yet completed what it has written.
pub(super) struct Worked {
    tables: Vec<TableEnd>,
    written: Written,
}

impl Worked {
    /// Completes it. Blocks.
    pub(super) fn seal(self) -> Result<Written, Error> {
        let Self { tables, mut written } = self;
        let mut left = tables.into_iter();
        for mut end in left.by_ref() {
            match end.writer.seal() {
                Ok(files) => written.tables.push(WrittenTable { rows: end.rows, files }),
                Err(error) => {
                    end.writer.abort();
                    left.for_each(|end| end.writer.abort());
                    return Err(error.into());
                }
            }
        }
        Ok(written)
    }

    /// Takes it back. Blocks.
    pub(super) fn abort(self) {
        self.tables.into_iter().for_each(|end| end.writer.abort());
    }
}

impl Worker {
    /// A worker for a stream. Nothing is written before there are rows.
    pub(super) fn new(
        context: &Context,
        stream: &StreamPlan,
        keys: &Keys,
        progress: &Arc<StreamProgress>,
    ) -> Result<Self, Error> {
        let prepared = |index| PreparedStep {
            program: stream.program(index),
            setup: context.plugins.of(&stream.steps[index].transform).clone(),
            withhold: stream.reads_marked(index),
        };
        let end = |table: &TablePlan| {
            let writer = context.sink.table(&tables::spec(table))?;
            let shaped = stream.strands.iter().map(|strand| Shaped::of(stream, strand, table)).collect();
            Ok::<_, Error>(TableEnd { shaped, writer, rows: 0 })
        };
        Ok(Self {
            stream: stream.stream.name.clone(),
            steps: (0..stream.steps.len()).map(prepared).collect(),
            tables: stream.tables.iter().map(end).collect::<Result<_, _>>()?,
            keys: keys.clone(),
            progress: Arc::clone(progress),
            shutdown: context.shutdown.clone(),
        })
    }

    /// Works until the channel is closed. On an error the unfinished files are taken back. Blocks.
    pub(super) fn work(mut self, mut deliveries: mpsc::Receiver<Delivery>) -> Result<Worked, Error> {
        let mut written = Written::default();
        let outcome = self.transforms().and_then(|mut transforms| {
            while let Some(delivery) = deliveries.blocking_recv() {
                // What waits in the channel is nobody's any more.
                if self.shutdown.is_stopping() {
                    return Err(Error::Interrupted);
                }
                self.deliver(delivery, &mut transforms, &mut written)?;
            }
            written.steps = transforms.into_iter().map(|(_, counts)| counts).collect();
            Ok(())
        });
        let done = Worked { tables: self.tables, written };
        match outcome {
            Ok(()) => Ok(done),
            Err(error) => {
                done.abort();
                Err(error)
            }
        }
    }

    fn transforms(&mut self) -> Result<Vec<(Transform, StepCount)>, Error> {
        let made = std::mem::take(&mut self.steps).into_iter().map(|step| {
            let counts = StepCount { transform: step.setup.name().to_owned(), ..StepCount::default() };
            let made = Transform::new(step.program, &step.setup, step.withhold);
            Ok((made.map_err(|cause| self.failed(cause))?, counts))
        });
        made.collect()
    }

    /// The failure of a step. A plugin that was stopped has not failed.
    fn failed(&self, cause: TransformError) -> Error {
        if cause.is_stop() {
            return Error::Interrupted;
        }
        Error::Transform { stream: self.stream.clone(), cause: Box::new(cause) }
    }

    fn deliver(
        &mut self,
        delivery: Delivery,
        transforms: &mut [(Transform, StepCount)],
        written: &mut Written,
    ) -> Result<(), Error> {
        let Delivery { mut batch, rows, strand, position } = delivery;
        let rows_in = batch.num_rows() as u64;
        for (transform, counts) in transforms {
            let transformed = transform.apply_to(strand, &batch).map_err(|cause| self.failed(cause))?;
            counts.dropped += transformed.dropped;
            for (code, rows) in transformed.rejected {
                *counts.rejected.entry(code).or_default() += rows;
            }
            batch = transformed.batch;
        }
        let rows_out = batch.num_rows() as u64;
        if rows_out > 0 {
            for (end, keys) in self.tables.iter_mut().zip(self.keys.0.iter()) {
                end.write(&Delivery { batch: batch.clone(), rows, strand, position: position.clone() }, keys.as_ref())?;
            }
        }
        written.rows_in += rows_in;
        written.rows_out += rows_out;
        self.progress.wrote(rows_out);
        Ok(())
    }
}

impl TableEnd {
    fn write(&mut self, delivery: &Delivery, keys: Option<&TableKeys>) -> Result<(), Error> {
        let Self { shaped, writer, rows: written } = self;
        shaped[delivery.strand].each(&delivery.batch, |batch| {
            if let Some(keys) = keys {
                keys.add(&batch)?;
            }
            *written += batch.num_rows() as u64;
            Ok(writer.write(&Delivery { batch, ..delivery.clone() })?)
        })
    }
}
