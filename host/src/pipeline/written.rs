//! What became of a stream that was read.

use std::collections::BTreeMap;

use sluice_hubspot::source::Read;
use sluice_lake::table::DataFile;

/// What became of one stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    pub(super) rows_in: u64,
    /// The rows that passed all transforms.
    pub(super) rows_out: u64,
    /// What it has written into its tables, in the order of the plan.
    pub(super) tables: Vec<WrittenTable>,
    /// What the source says of the reading.
    pub(super) read: Read,
    /// By transform, in the order of the stream's steps.
    pub(super) steps: Vec<StepCount>,
}

/// What a stream has written into one table.
#[derive(Debug, Clone, Default)]
pub(super) struct WrittenTable {
    pub(super) rows: u64,
    pub(super) files: Vec<DataFile>,
}

/// The rows that one step let go.
#[derive(Debug, Clone, Default)]
pub(super) struct StepCount {
    pub(super) transform: String,
    pub(super) dropped: u64,
    pub(super) rejected: BTreeMap<String, u64>,
}
