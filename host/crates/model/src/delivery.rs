//! Deliveries: what goes from a source through the transforms into tables.

use arrow_array::RecordBatch;

/// Rows of one stream, what is to become of them, and how far they reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The rows.
    pub batch: RecordBatch,
    /// What is to become of them.
    pub rows: Rows,
    /// Which of the columns that were asked for they have, of a history: those that are of no property, and those of the
    /// property of this number, in the order in which properties stand among the columns. 0, and all columns, of any other
    /// stream.
    pub strand: usize,
    /// How far the source has got with them; `None` from a source that reads whole streams, since a stream that is read whole
    /// starts again after a crash.
    pub position: Option<Position>,
}

/// What is to become of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// They are put into the table, each in place of the row of its key, if there is one.
    Put,
    /// The rows of their keys are deleted; all other columns are empty.
    Delete,
}

/// How far a source has got in a stream, in its own order. No source has positions yet: there is no value of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {}

impl Delivery {
    /// Rows of a stream that is read whole.
    pub fn of_whole(batch: RecordBatch) -> Self {
        Self { batch, rows: Rows::Put, strand: 0, position: None }
    }

    /// The same rows, of the property of this number.
    #[must_use]
    pub fn of_strand(self, strand: usize) -> Self {
        Self { strand, ..self }
    }
}
