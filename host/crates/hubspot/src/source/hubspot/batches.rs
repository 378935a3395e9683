//! Rows that are not records, on their way into batches: of links between records, of members of lists.
//!
//! What stands in a column follows from the column's role, which is found once, by its name. Each answer makes batches of its
//! own, so that one which turns out to be broken leaves nothing behind.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sluice_model::schema::{Field, arrow_schema};

use super::{columns::ColumnBuilder, decode::BATCH_ROWS};
use crate::http::Undecodable;

/// The columns that are wanted of a stream, each with its role.
#[derive(Debug)]
pub(super) struct Layout<R> {
    schema: SchemaRef,
    columns: Vec<(Field, R)>,
}

impl<R> Layout<R> {
    /// `role`: what a column of this name is.
    pub(super) fn of(fields: &[Field], role: impl Fn(&str) -> R) -> Self {
        let columns = fields.iter().map(|field| (field.clone(), role(&field.name)));
        Self { schema: arrow_schema(fields), columns: columns.collect() }
    }
}

/// Rows of one answer.
#[derive(Debug)]
pub(super) struct Batches<'l, R> {
    layout: &'l Layout<R>,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    full: Vec<RecordBatch>,
}

impl<'l, R> Batches<'l, R> {
    pub(super) fn new(layout: &'l Layout<R>) -> Self {
        let columns = layout.columns.iter().map(|(field, _)| ColumnBuilder::new(field.column_type));
        Self { columns: columns.collect(), layout, rows: 0, full: Vec::new() }
    }

    /// Takes a row: `fill` appends one value to each column.
    ///
    /// # Errors
    /// A batch cannot be built, which is a mistake of sluice: what is said of it says nothing of a row.
    pub(super) fn push(&mut self, fill: impl Fn(&R, &mut ColumnBuilder)) -> Result<(), Undecodable> {
        for ((_, role), column) in self.layout.columns.iter().zip(&mut self.columns) {
            fill(role, column);
        }
        self.rows += 1;
        if self.rows.is_multiple_of(BATCH_ROWS) { self.end_batch() } else { Ok(()) }
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// All rows.
    ///
    /// # Errors
    /// As those of [`push`](Self::push).
    pub(super) fn finish(mut self) -> Result<Vec<RecordBatch>, Undecodable> {
        if !self.rows.is_multiple_of(BATCH_ROWS) {
            self.end_batch()?;
        }
        Ok(self.full)
    }

    fn end_batch(&mut self) -> Result<(), Undecodable> {
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<_, _>>();
        let batch = columns.and_then(|columns| RecordBatch::try_new(self.layout.schema.clone(), columns));
        let unbuildable = |_| Undecodable::Unexpected { what: "its rows make no batch".to_owned() };
        self.full.push(batch.map_err(unbuildable)?);
        Ok(())
    }
}
