//! What a commit says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sluice_model::{ledger::Ledger, run_id::RunId, schema::Field};

use super::{audit::AuditRecord, range::KeyRange};

/// One entry of the commit log: all tables as of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Its number; the first is 1.
    pub number: u64,
    /// When it was made.
    pub committed: Timestamp,
    /// Which run made it, and with what.
    pub author: Author,
    /// Every table that a reader sees, by name.
    pub tables: BTreeMap<String, Table>,
}

/// Which run made a commit, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// The version of sluice.
    pub version: String,
    /// The digests of the plugins, by the names of their transforms.
    pub plugins: BTreeMap<String, String>,
}

/// A table as a commit lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The run that wrote it. Older than the commit's own where the table was carried over.
    pub run: RunId,
    /// The pipeline whose table it is.
    pub pipeline: String,
    /// The streams whose rows it holds.
    pub streams: Vec<FedBy>,
    /// When it was written.
    pub written: Timestamp,
    /// Its columns, in order.
    pub columns: Vec<Field>,
    /// Its files, in order. Some may be of earlier runs of the pipeline, which came to nothing and from which this one has taken
    /// over what they had finished: their keys say so.
    pub files: Vec<DataFile>,
}

impl Table {
    /// The rows in all its files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// A stream that feeds a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FedBy {
    /// The stream.
    pub stream: String,
    /// Its other names, by which a pipeline file may speak of it.
    pub ids: Vec<String>,
    /// What it is made of, where it is made of the lists of several object types: the ids of those that the table has rows of.
    pub parts: Vec<String>,
    /// What became of its records, in the run that wrote the table; `None` in commits of versions that kept no ledger.
    pub ledger: Option<Ledger>,
    /// What let which columns of its rows pass: the audit record, as the run that wrote the table made it.
    pub audit: AuditRecord,
}

impl FedBy {
    /// All names of the stream.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(&self.stream).chain(&self.ids).map(String::as_str)
    }
}

/// One file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its key in the bucket, without the bucket's prefix.
    pub key: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Between which keys its rows lie, where that is known: not of a file without rows, nor where a key column carries a mark
    /// (its values are nobody's business outside the data) or is neither text nor integer.
    pub keys: Option<KeyRange>,
}
