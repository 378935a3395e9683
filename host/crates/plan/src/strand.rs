//! Strands: which columns the batches of a stream hold, stage by stage.
//!
//! Batches of most streams hold whatever is needed of the stream, so there is one strand. Those of a history hold the columns
//! that are of no property and those of one property: each version of a value is a row of its own, and a plugin must see it as
//! it would see the value in its record, beside no other. So such a stream has a strand for each property.

use super::{
    Step,
    lineage::{Stage, needed},
};

/// Which columns some batches of a stream hold.
#[derive(Debug, Clone)]
pub struct Strand {
    /// The property, of a strand of a history, by HubSpot's name.
    pub property: Option<String>,
    /// For each stage, whether a batch holds each of its columns.
    held: Vec<Vec<bool>>,
}

impl Strand {
    /// The strand of a stream whose batches hold all that is needed.
    pub(super) fn whole(stages: &[Stage], steps: &[Step]) -> Self {
        let all = stages.last().map_or(0, |last| last.columns.len());
        Self { property: None, held: needed(stages, steps, vec![true; all], true) }
    }

    /// The strand of a property: `last` says which columns of the last stage it has.
    pub(super) fn of(property: String, stages: &[Stage], steps: &[Step], last: Vec<bool>) -> Self {
        Self { property: Some(property), held: needed(stages, steps, last, false) }
    }

    /// Whether a batch holds this column of a stage.
    pub(super) fn holds(&self, stage: usize, column: usize) -> bool {
        self.held[stage][column]
    }

    /// The columns of a stage that a batch holds, in order.
    pub fn columns(&self, stage: usize) -> impl Iterator<Item = usize> {
        self.held[stage].iter().enumerate().filter(|(_, held)| **held).map(|(column, _)| column)
    }
}

/// Marks as needed, of all columns, those that any strand holds.
pub(super) fn mark_needed(stages: &mut [Stage], strands: &[Strand]) {
    for (index, stage) in stages.iter_mut().enumerate() {
        for (position, column) in stage.columns.iter_mut().enumerate() {
            column.needed = strands.iter().any(|strand| strand.holds(index, position));
        }
    }
}
