//! Sinks: how the rows of a table become files.
//!
//! A [`ParquetWriter`] takes the batches of one table and leaves Parquet files in the bucket, under the keys that `table`
//! gives out. The files mean nothing until a commit lists them; [`ParquetWriter::abort`] takes back what is not finished,
//! and [`Begun::take_back`] all that a run has written.
//! Encoding is work for a processor and runs on a thread that may block; uploading is handed to the runtime, a bounded
//! number of parts at a time.
//!
//! Memory: a row group is encoded whole before it is written. It ends at [`ROW_GROUP_BYTES`] of encoded data, or at the rows
//! the pipeline file says, whichever comes first, so a writer holds about that much, and what is being uploaded.

mod begun;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties},
};
use sluice_model::{
    run_id::RunId,
    schema::{Field, arrow_schema},
};
use tokio::runtime::Handle;

pub use self::begun::{Begun, TakenBack};
use crate::{
    bucket::{Bucket, BucketError, Upload},
    table::{DataFile, key::DataKey},
};

/// Encoded bytes after which a row group ends. Readers like large groups, since statistics skip more at once; eight streams
/// at once hold one each, and the whole has to fit a small machine.
const ROW_GROUP_BYTES: usize = 16 * 1024 * 1024;

/// Finished bytes after which they are handed to the upload.
const HAND_OVER_BYTES: usize = 1024 * 1024;

/// How files are written.
#[derive(Debug, Clone)]
pub struct ParquetSettings {
    /// The zstd level, or no compression.
    pub zstd_level: Option<i32>,
    /// Rows in a row group, at most.
    pub row_group_rows: usize,
    /// The size at which a file is closed and the next begun, in bytes.
    pub file_bytes: u64,
}

impl ParquetSettings {
    /// The zstd level unless the file says otherwise: zstd's own default.
    pub const DEFAULT_ZSTD_LEVEL: i32 = 3;
    /// Rows in a row group unless the file says otherwise: Parquet writers' usual bound.
    pub const DEFAULT_ROW_GROUP_ROWS: usize = 1_000_000;
    /// The size of files unless the pipeline file says otherwise: large enough that engines do not drown in files, small
    /// enough that several are read at once.
    pub const DEFAULT_FILE_BYTES: u64 = 256 * 1024 * 1024;
}

/// The files of one run: where they go, and what is true of all of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RunFiles {
    /// Where they go.
    pub bucket: Bucket,
    /// The pipeline whose they are.
    pub pipeline: String,
    /// The run of it that writes them.
    pub run: RunId,
    /// How they are written.
    pub settings: ParquetSettings,
    /// What the metadata of each says: run, pipeline, plugins.
    pub metadata: Vec<(String, String)>,
    /// Where each is noted before it is begun.
    pub begun: Begun,
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
}

/// Writes the files of one table.
pub struct ParquetWriter {
    table: String,
    schema: SchemaRef,
    properties: WriterProperties,
    files: RunFiles,
    runtime: Handle,
    current: Option<OpenFile>,
    finished: Vec<DataFile>,
}

struct OpenFile {
    key: String,
    writer: ArrowWriter<Vec<u8>>,
    upload: Upload,
    rows: u64,
}

impl std::fmt::Debug for ParquetWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ParquetWriter").field("table", &self.table).finish_non_exhaustive()
    }
}

impl ParquetWriter {
    /// A writer for a table of these columns. Nothing is written until the first batch. Uploads run on the runtime that this
    /// is called on.
    pub fn new(table: &str, fields: &[Field], files: RunFiles) -> Result<Self, SinkError> {
        let RunFiles { settings, metadata, .. } = &files;
        let compression = match settings.zstd_level {
            Some(level) => Compression::ZSTD(
                ZstdLevel::try_new(level).map_err(|cause| SinkError::Encode { table: table.to_owned(), cause })?,
            ),
            None => Compression::UNCOMPRESSED,
        };
        let metadata = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(settings.row_group_rows))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_created_by(format!("sluice {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(metadata))
            .build();
        Ok(Self {
            table: table.to_owned(),
            schema: arrow_schema(fields),
            properties,
            files,
            runtime: Handle::current(),
            current: None,
            finished: Vec::new(),
        })
    }

    /// Appends the rows of a batch, which has the columns of the table. Blocks while the upload is behind.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        let table = self.table.clone();
        let encode = |cause| SinkError::Encode { table: table.clone(), cause };
        if *batch.schema_ref() != self.schema {
            return Err(encode(ParquetError::General("a batch has other columns than its table".to_owned())));
        }
        let file = self.open()?;
        file.writer.write(batch).map_err(encode)?;
        file.rows += batch.num_rows() as u64;
        let size = file.writer.bytes_written() + file.writer.in_progress_size();
        if file.writer.inner().len() >= HAND_OVER_BYTES {
            self.hand_over()?;
        }
        if size as u64 >= self.files.settings.file_bytes {
            self.close()?;
        }
        Ok(())
    }

    /// Finishes the last file, and gives all of them. A table without rows gets a file without rows, so that its columns
    /// are known.
    pub fn finish(mut self) -> Result<Vec<DataFile>, SinkError> {
        if self.finished.is_empty() {
            self.open()?;
        }
        self.close()?;
        Ok(std::mem::take(&mut self.finished))
    }

    /// Takes back the file that is being written. What it gives are the files that are finished: the run's to take back.
    pub fn abort(mut self) -> Vec<DataFile> {
        if let Some(file) = self.current.take() {
            abort(&self.runtime, file.upload);
        }
        std::mem::take(&mut self.finished)
    }

    fn open(&mut self) -> Result<&mut OpenFile, SinkError> {
        if self.current.is_none() {
            let part = self.finished.len() as u32;
            let RunFiles { pipeline, run, .. } = self.files.clone();
            let key = DataKey { table: self.table.clone(), pipeline, run, part }.format();
            self.files.begun.note(&key);
            let upload = self.files.bucket.upload(&key).map_err(|cause| self.refused(cause))?;
            let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&self.schema), Some(self.properties.clone()))
                .map_err(|cause| SinkError::Encode { table: self.table.clone(), cause })?;
            self.current = Some(OpenFile { key, writer, upload, rows: 0 });
        }
        match &mut self.current {
            Some(file) => Ok(file),
            None => unreachable!("the file has just been opened"),
        }
    }

    /// Hands the finished bytes of the current file to its upload.
    fn hand_over(&mut self) -> Result<(), SinkError> {
        let Some(file) = &mut self.current else { return Ok(()) };
        let bytes = Bytes::from(std::mem::take(file.writer.inner_mut()));
        let written = self.runtime.block_on(file.upload.write(bytes));
        written.map_err(|cause| self.refused(cause))
    }

    fn close(&mut self) -> Result<(), SinkError> {
        let Some(mut file) = self.current.take() else { return Ok(()) };
        let encoded = file
            .writer
            .finish()
            .map(|_| std::mem::take(file.writer.inner_mut()))
            .map_err(|cause| SinkError::Encode { table: self.table.clone(), cause });
        let mut upload = file.upload;
        let written = encoded.and_then(|bytes| {
            self.runtime.block_on(async { upload.write(Bytes::from(bytes)).await }).map_err(|cause| self.refused(cause))
        });
        if let Err(error) = written {
            abort(&self.runtime, upload);
            return Err(error);
        }
        let bytes = self.runtime.block_on(upload.finish()).map_err(|cause| self.refused(cause))?;
        tracing::info!(table = self.table, file = file.key, rows = file.rows, bytes, "file written");
        self.finished.push(DataFile { key: file.key, rows: file.rows, bytes });
        Ok(())
    }

    fn refused(&self, cause: BucketError) -> SinkError {
        SinkError::Bucket { table: self.table.clone(), cause }
    }
}

/// Takes back an upload. What cannot be taken back is left to a later sweep, or to the bucket's own lifecycle rules.
fn abort(runtime: &Handle, upload: Upload) {
    let key = upload.key().to_owned();
    if let Err(error) = runtime.block_on(upload.abort()) {
        tracing::warn!(key, error = sluice_model::error_chain(&error), "an unfinished upload was not taken back");
    }
}
