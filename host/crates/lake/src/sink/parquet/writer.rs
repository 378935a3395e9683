//! The writer of Parquet files of one table.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{arrow::ArrowWriter, errors::ParquetError, file::properties::WriterProperties};
use sluice_model::{
    delivery::{Delivery, Rows},
    error_chain,
};
use tokio::runtime::Handle;

use super::{
    super::{SinkError, TableWriter, begun::Begun, keys::FileKeys},
    RunFiles, Table,
};
use crate::{
    bucket::{BucketError, Upload},
    table::{DataFile, key::DataKey},
};

/// Finished bytes after which they are handed to the upload.
const HAND_OVER_BYTES: usize = 1024 * 1024;

/// Writes files of one table, one after the other.
pub(super) struct ParquetWriter {
    table: Arc<Table>,
    properties: WriterProperties,
    files: Arc<RunFiles>,
    begun: Begun,
    runtime: Handle,
    current: Option<OpenFile>,
    /// Complete, and not sealed yet.
    complete: Vec<DataFile>,
}

struct OpenFile {
    key: String,
    writer: ArrowWriter<Vec<u8>>,
    upload: Upload,
    rows: u64,
    keys: FileKeys,
}

impl TableWriter for ParquetWriter {
    fn write(&mut self, delivery: &Delivery) -> Result<(), SinkError> {
        let Delivery { batch, rows, position, .. } = delivery;
        if let Some(position) = position {
            match *position {}
        }
        if *rows != Rows::Put {
            return Err(self.misused("it is written whole, and was given rows to delete"));
        }
        if *batch.schema_ref() != self.table.schema {
            return Err(self.misused("a batch has other columns than its table"));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let table = Arc::clone(&self.table);
        let file = self.open()?;
        file.writer.write(batch).map_err(|cause| SinkError::Encode { table: table.spec.name.clone(), cause })?;
        file.rows += batch.num_rows() as u64;
        file.keys.add(table.keys.as_ref(), batch);
        let size = file.writer.bytes_written() + file.writer.in_progress_size();
        if file.writer.inner().len() >= HAND_OVER_BYTES {
            self.hand_over()?;
        }
        if size as u64 >= self.files.settings.file_bytes {
            self.close()?;
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<Vec<DataFile>, SinkError> {
        self.close()?;
        Ok(std::mem::take(&mut self.complete))
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<DataFile>, SinkError> {
        let mut sealed = self.seal()?;
        if let Some(part) = self.table.begin_if_none() {
            self.current = Some(self.begin(part)?);
            sealed = self.seal()?;
        }
        Ok(sealed)
    }

    fn abort(mut self: Box<Self>) {
        if let Some(file) = self.current.take() {
            self.give_up(file.upload);
        }
        let keys: Vec<String> = self.complete.drain(..).map(|file| file.key).collect();
        self.table.given_up(keys.len());
        let taken = self.runtime.block_on(self.begun.remove(&self.files.bucket, keys));
        for failure in &taken.failures {
            tracing::warn!(table = self.table.spec.name, error = error_chain(failure), "a file was not taken back");
        }
    }
}

impl ParquetWriter {
    pub(super) fn new(
        table: Arc<Table>,
        properties: WriterProperties,
        files: Arc<RunFiles>,
        begun: Begun,
        runtime: Handle,
    ) -> Self {
        Self { table, properties, files, begun, runtime, current: None, complete: Vec::new() }
    }

    /// The file that is being written; begun, if there is none.
    fn open(&mut self) -> Result<&mut OpenFile, SinkError> {
        let file = match self.current.take() {
            Some(file) => file,
            None => self.begin(self.table.begin())?,
        };
        Ok(self.current.insert(file))
    }

    fn begin(&self, part: u32) -> Result<OpenFile, SinkError> {
        let RunFiles { bucket, pipeline, run, .. } = &*self.files;
        let (table, pipeline, run) = (self.table.spec.name.clone(), pipeline.clone(), run.clone());
        let key = DataKey { table, pipeline, run, part }.format();
        self.begun.note(&key);
        let upload = bucket.upload(&key).map_err(|cause| self.refused(cause))?;
        let schema = Arc::clone(&self.table.schema);
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(self.properties.clone()))
            .map_err(|cause| self.not_encoded(cause))?;
        Ok(OpenFile { key, writer, upload, rows: 0, keys: FileKeys::NoRows })
    }

    /// Hands the finished bytes of the current file to its upload.
    fn hand_over(&mut self) -> Result<(), SinkError> {
        let Some(file) = &mut self.current else { return Ok(()) };
        let bytes = Bytes::from(std::mem::take(file.writer.inner_mut()));
        let written = self.runtime.block_on(file.upload.write(bytes));
        written.map_err(|cause| self.refused(cause))
    }

    /// Completes the current file, if there is one.
    fn close(&mut self) -> Result<(), SinkError> {
        let Some(OpenFile { key, mut writer, mut upload, rows, keys }) = self.current.take() else { return Ok(()) };
        let encoded = match writer.finish() {
            Ok(_) => Ok(Bytes::from(std::mem::take(writer.inner_mut()))),
            Err(cause) => Err(self.not_encoded(cause)),
        };
        let written = encoded.and_then(|bytes| {
            let written = self.runtime.block_on(upload.write(bytes));
            written.map_err(|cause| self.refused(cause))
        });
        if let Err(error) = written {
            self.give_up(upload);
            return Err(error);
        }
        let bytes = match self.runtime.block_on(upload.finish()) {
            Ok(bytes) => bytes,
            Err(cause) => {
                self.table.given_up(1);
                return Err(self.refused(cause));
            }
        };
        tracing::info!(table = self.table.spec.name, file = key, rows, bytes, "file written");
        self.complete.push(DataFile { key, rows, bytes, keys: keys.into_range() });
        Ok(())
    }

    /// Takes back an upload. What cannot be taken back is left to a later sweep, or to the bucket's own lifecycle rules.
    fn give_up(&self, upload: Upload) {
        self.table.given_up(1);
        let key = upload.key().to_owned();
        if let Err(error) = self.runtime.block_on(upload.abort()) {
            tracing::warn!(key, error = error_chain(&error), "an unfinished upload was not taken back");
        }
    }

    fn refused(&self, cause: BucketError) -> SinkError {
        SinkError::Bucket { table: self.table.spec.name.clone(), cause }
    }

    fn not_encoded(&self, cause: ParquetError) -> SinkError {
        SinkError::Encode { table: self.table.spec.name.clone(), cause }
    }

    fn misused(&self, what: &'static str) -> SinkError {
        SinkError::Misused { table: self.table.spec.name.clone(), what }
    }
}
