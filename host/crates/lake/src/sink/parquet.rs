//! Parquet files of whole tables: snapshots.
//!
//! The files of a table are numbered by one counter, however many write it, so that no two have one key.
//! A writer closes a file when it is large enough, and begins the next. Uploading is handed to the runtime, a bounded number of
//! parts at a time.
//!
//! A snapshot is written whole, and starts again after a crash, but for what was kept: it is given rows that are there, and
//! no others.
//!
//! Memory: a row group is encoded whole before it is written. It ends at [`ROW_GROUP_BYTES`] of encoded data, or at the rows
//! the pipeline file says, whichever comes first, so a writer holds about that much, and what is being uploaded.

mod writer;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use parquet::{
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties},
};
use sluice_model::{run_id::RunId, schema::arrow_schema};
use tokio::runtime::Handle;

use self::writer::ParquetWriter;
use super::{
    Sink, SinkError, TableSpec, TableWriter,
    begun::{Begun, TakenBack},
    keys::KeyColumns,
};
use crate::{
    bucket::Bucket,
    table::{DataFile, key::DataKey},
};

/// Encoded bytes after which a row group ends. Readers like large groups, since statistics skip more at once; eight streams
/// at once hold one each, and the whole has to fit a small machine.
const ROW_GROUP_BYTES: usize = 16 * 1024 * 1024;

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

/// What is true of all files of a run.
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
}

/// The sink that writes the tables of one run as Parquet files.
#[derive(Debug)]
pub struct ParquetFiles {
    files: Arc<RunFiles>,
    begun: Begun,
    tables: Mutex<BTreeMap<String, Arc<Table>>>,
}

/// What the writers of one table share.
#[derive(Debug)]
struct Table {
    spec: TableSpec,
    schema: SchemaRef,
    keys: Option<KeyColumns>,
    /// The number of the next file. None is given out twice, not even that of a file that was taken back.
    next_part: AtomicU32,
    /// Its files that are open or complete, and not taken back.
    files: Mutex<usize>,
}

impl ParquetFiles {
    /// A sink for a run that has written nothing yet.
    pub fn new(files: RunFiles) -> Self {
        Self { files: Arc::new(files), begun: Begun::default(), tables: Mutex::default() }
    }

    /// What the writers of a table share, whoever comes first.
    fn shared(&self, spec: &TableSpec) -> Result<Arc<Table>, SinkError> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.entry(spec.name.clone()).or_insert_with(|| Arc::new(Table::new(spec)));
        if table.spec == *spec {
            Ok(Arc::clone(table))
        } else {
            let what = "two that write it have different columns";
            Err(SinkError::Misused { table: spec.name.clone(), what })
        }
    }

    fn properties(&self) -> Result<WriterProperties, ParquetError> {
        let RunFiles { settings, metadata, .. } = &*self.files;
        let compression = match settings.zstd_level {
            Some(level) => Compression::ZSTD(ZstdLevel::try_new(level)?),
            None => Compression::UNCOMPRESSED,
        };
        let metadata = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        Ok(WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(settings.row_group_rows))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_created_by(format!("sluice {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(metadata))
            .build())
    }
}

#[async_trait]
impl Sink for ParquetFiles {
    fn table(&self, table: &TableSpec) -> Result<Box<dyn TableWriter>, SinkError> {
        let properties = self.properties().map_err(|cause| SinkError::Encode { table: table.name.clone(), cause })?;
        let (files, begun) = (Arc::clone(&self.files), self.begun.clone());
        Ok(Box::new(ParquetWriter::new(self.shared(table)?, properties, files, begun, Handle::current())))
    }

    async fn discard(&self, files: &[DataFile]) -> TakenBack {
        for table in files.iter().filter_map(|file| DataKey::parse(&file.key)).map(|key| key.table) {
            if let Some(table) = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(&table) {
                table.given_up(1);
            }
        }
        self.begun.remove(&self.files.bucket, files.iter().map(|file| file.key.clone()).collect()).await
    }

    fn keep(&self, files: &[DataFile]) {
        for file in files {
            self.begun.keep(&file.key);
        }
    }

    async fn take_back(&self) -> TakenBack {
        self.begun.take_back(&self.files.bucket).await
    }
}

impl Table {
    fn new(spec: &TableSpec) -> Self {
        Self {
            spec: spec.clone(),
            schema: arrow_schema(&spec.columns),
            keys: KeyColumns::of(&spec.columns),
            next_part: AtomicU32::new(0),
            files: Mutex::default(),
        }
    }

    /// The number of a file that is begun.
    fn begin(&self) -> u32 {
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.next_part.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the table's file without rows; `None` if there is any file of it. Told to one writer, of however many
    /// ask at once.
    fn begin_if_none(&self) -> Option<u32> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if *files > 0 {
            return None;
        }
        *files += 1;
        Some(self.next_part.fetch_add(1, Ordering::Relaxed))
    }

    /// So many of its files are not there any more.
    fn given_up(&self, files: usize) {
        let mut there = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        *there = there.saturating_sub(files);
    }
}
