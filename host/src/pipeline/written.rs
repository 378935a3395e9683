//! What became of a stream that was read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_hubspot::source::Read;
use sluice_lake::table::DataFile;
use sluice_model::ledger::Ledger;

/// What became of one stream, or of a slice of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// The slices in which it was read.
    pub(super) slices: u64,
    pub(super) rows_in: u64,
    /// The rows that passed all transforms.
    pub(super) rows_out: u64,
    /// What it has written into its tables, in the order of the plan.
    pub(super) tables: Vec<WrittenTable>,
    /// What the source says of the reading.
    pub(super) read: Read,
    /// What became of its records, once all of it has been read and counted.
    pub(super) ledger: Ledger,
    /// By transform, in the order of the stream's steps.
    pub(super) steps: Vec<StepCount>,
}

impl Written {
    /// What became of its records, as far as that is known without the source's counts.
    pub(super) fn uncounted(&self) -> Ledger {
        let rejected = |step: &StepCount| step.rejected.values().sum::<u64>();
        Ledger {
            read: self.rows_in,
            dropped: self.steps.iter().map(|step| step.dropped).sum(),
            rejected: self.steps.iter().map(rejected).sum(),
            written: self.rows_out,
            ..Ledger::default()
        }
    }

    /// Adds what came of a slice.
    pub(super) fn add(&mut self, slice: Self) {
        // A reader that came too late for a slice has read nothing.
        self.slices += u64::from(slice.rows_in > 0);
        self.rows_in += slice.rows_in;
        self.rows_out += slice.rows_out;
        if self.tables.is_empty() {
            self.tables = slice.tables;
        } else {
            for (table, more) in self.tables.iter_mut().zip(slice.tables) {
                table.rows += more.rows;
                table.files.extend(more.files);
            }
        }
        if self.steps.is_empty() {
            self.steps = slice.steps;
        } else {
            for (step, more) in self.steps.iter_mut().zip(slice.steps) {
                step.dropped += more.dropped;
                for (code, rows) in more.rejected {
                    *step.rejected.entry(code).or_default() += rows;
                }
            }
        }
    }
}

/// What a stream has written into one table.
#[derive(Debug, Clone, Default)]
pub(super) struct WrittenTable {
    pub(super) rows: u64,
    pub(super) files: Vec<DataFile>,
}

/// The rows that one step let go.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct StepCount {
    pub(super) transform: String,
    pub(super) dropped: u64,
    pub(super) rejected: BTreeMap<String, u64>,
}
