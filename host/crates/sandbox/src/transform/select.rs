//! Which rows of a batch pass.

use std::collections::BTreeMap;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;

use super::super::convert::Rejection;

/// The rows of a batch that pass, as the selecting group has it.
pub(super) struct Selection {
    rows: usize,
    /// Absent: all.
    passing: Option<BooleanBuffer>,
    /// Codes of the rejected rows, with how often each.
    rejected: BTreeMap<u32, u64>,
}

impl Selection {
    pub(super) fn all(rows: usize) -> Self {
        Self { rows, passing: None, rejected: BTreeMap::new() }
    }

    /// Takes the answer of the selecting group. A rejected row does not pass, whatever `keep` says.
    pub(super) fn take(&mut self, keep: Option<&BooleanBuffer>, rejections: &[Rejection]) {
        if keep.is_none() && rejections.is_empty() {
            return;
        }
        let mut passing = BooleanBufferBuilder::new(self.rows);
        match keep {
            Some(keep) => passing.append_buffer(keep),
            None => passing.append_n(self.rows, true),
        }
        for rejection in rejections {
            passing.set_bit(rejection.row as usize, false);
            *self.rejected.entry(rejection.code).or_default() += 1;
        }
        self.passing = Some(passing.finish());
    }

    /// Rows that do not pass and were not rejected.
    pub(super) fn dropped(&self) -> u64 {
        let passing = self.passing.as_ref().map_or(self.rows, BooleanBuffer::count_set_bits);
        (self.rows - passing) as u64 - self.rejected.values().sum::<u64>()
    }

    /// Rejected rows by the text of their code.
    pub(super) fn rejected(&self, codes: &[String]) -> BTreeMap<String, u64> {
        self.rejected.iter().map(|(&code, &rows)| (codes[code as usize].clone(), rows)).collect()
    }

    /// The rows of a batch that pass.
    pub(super) fn filter(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        match &self.passing {
            None => Ok(batch.clone()),
            Some(passing) if passing.count_set_bits() == self.rows => Ok(batch.clone()),
            Some(passing) => filter_record_batch(batch, &BooleanArray::new(passing.clone(), None)),
        }
    }
}
