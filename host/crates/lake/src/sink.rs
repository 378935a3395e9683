//! Sinks: how the rows of tables become files.
//!
//! A [`Sink`] writes all tables of one run, and gives out a [`TableWriter`] for each that wants to write one: several may
//! write a table at once, and nobody need know of the others. What they write means nothing until a commit lists it; a run
//! that comes to nothing takes it back, but for what it has kept for the next.
//!
//! - `parquet`: the sink that there is so far, Parquet files of whole tables under the keys that `table` gives out;
//! - `keys`: between which keys the rows of a file lie;
//! - `begun`: what a run has begun to write, so that it can be taken back.
//!
//! Nothing here makes anything visible: `table` does.

mod begun;
mod keys;
mod parquet;

use ::parquet::errors::ParquetError;
use async_trait::async_trait;
use sluice_model::{delivery::Delivery, schema::Field};

pub use self::{
    begun::TakenBack,
    parquet::{ParquetFiles, ParquetSettings, RunFiles},
};
use crate::{bucket::BucketError, table::DataFile};

/// What is written of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    /// Its name.
    pub name: String,
    /// Its columns, in order; the key columns among them say so.
    pub columns: Vec<Field>,
}

/// What writes the tables of one run. One contract suite holds every implementation to what is said here.
#[async_trait]
pub trait Sink: Send + Sync {
    /// A writer for a table, beside any others that the table has. Nothing is written until it is given rows. To be called on
    /// a runtime, which carries what is sent.
    fn table(&self, table: &TableSpec) -> Result<Box<dyn TableWriter>, SinkError>;

    /// Removes files that are complete and are not going to be committed.
    async fn discard(&self, files: &[DataFile]) -> TakenBack;

    /// These files are complete, and are not this run's to take back any more: they are noted for another
    /// (`table::kept`), which may have taken them over before this one knows that it has lost its lease. To be called before
    /// they are noted, and never undone: they must not be discarded either. They remain files of their table: it needs none
    /// without rows.
    fn keep(&self, files: &[DataFile]);

    /// Removes all that this run has written, finished or not, but for what it was told to keep. Only for a run that has made
    /// no commit and makes none any more, and whose writers have ended.
    async fn take_back(&self) -> TakenBack;
}

/// Writes rows of one table. Encoding is work for a processor, and all of this blocks: for a thread that may, and never for
/// one that is inside the runtime.
///
/// After an error a writer can only be given up. One that is dropped leaves what it has not sealed to [`Sink::take_back`].
pub trait TableWriter: Send {
    /// Writes the rows of a delivery, which has the columns of the table. Blocks while what is sent is behind.
    fn write(&mut self, delivery: &Delivery) -> Result<(), SinkError>;

    /// Completes what this writer has written so far: it is durable when this returns. Gives the files since the last seal, in
    /// the order in which they were begun; none, if there were no rows.
    fn seal(&mut self) -> Result<Vec<DataFile>, SinkError>;

    /// The table is whole: seals, and a table of which no writer of this run has a file gets one without rows, so that its
    /// columns are known. Of several writers of a table, for the last; the others end with a seal.
    fn finish(self: Box<Self>) -> Result<Vec<DataFile>, SinkError>;

    /// Takes back what is not sealed. What is sealed stays, and is for the run to take back.
    fn abort(self: Box<Self>);
}

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The bucket refused, or could not be reached.
    #[error("table `{table}` could not be written")]
    Bucket {
        /// The table.
        table: String,
        /// What happened.
        #[source]
        cause: BucketError,
    },
    /// The rows could not be encoded; a mistake in sluice.
    #[error("table `{table}` could not be encoded")]
    Encode {
        /// The table.
        table: String,
        /// What the Parquet writer says.
        #[source]
        cause: ParquetError,
    },
    /// The sink was given what it does not take; a mistake in sluice.
    #[error("table `{table}` could not be written: {what}, which is a mistake in sluice")]
    Misused {
        /// The table.
        table: String,
        /// What it was given.
        what: &'static str,
    },
}

#[cfg(test)]
mod tests;
