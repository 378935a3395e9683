//! Deliveries: what goes from a source through the transforms into tables.

use arrow_array::RecordBatch;

/// Rows of one stream, what is to become of them, and how far they reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The rows.
    pub batch: RecordBatch,
    /// What is to become of them.
    pub rows: Rows,
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
        Self { batch, rows: Rows::Put, position: None }
    }
}
