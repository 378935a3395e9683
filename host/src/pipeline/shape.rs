//! The rows of a stream as they stand in one of its tables.
//!
//! A table that is as the stream is gets its batches as they are; one that several streams share, some of their columns; a
//! long one, a row for each value. Nothing is decided here: which column is made of which stands in the plan.

use std::{ops::Range, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, builder::StringBuilder};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::take::take;
use sluice_model::schema::{Field, arrow_schema};
use sluice_plan::{Shape, StreamPlan, TablePlan, name_of_value};

use super::Error;
use crate::value;

/// Rows of a stream that become one batch of a long table: with a hundred values each, some three batches of other tables.
const ROWS_OF_A_LONG_BATCH: usize = 256;

/// How batches of a stream become batches of one of its tables.
#[derive(Debug)]
pub(super) struct Shaped {
    table: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    AsIs,
    Share {
        schema: SchemaRef,
        columns: Vec<usize>,
    },
    Long {
        schema: SchemaRef,
        keys: Vec<usize>,
        /// The columns whose values it holds, each with the name that these stand under.
        values: Vec<(usize, String)>,
    },
}

impl Shaped {
    pub(super) fn of(stream: &StreamPlan, table: &TablePlan) -> Self {
        let fields: Vec<Field> = table.fields().cloned().collect();
        let schema = arrow_schema(&fields);
        let form = match table.shape {
            Shape::AsIs => Form::AsIs,
            Shape::Share => {
                Form::Share { schema, columns: table.columns.iter().flat_map(|column| &column.from).copied().collect() }
            }
            Shape::Long => {
                let keys = table.key().flat_map(|key| &table.columns[key].from).copied().collect();
                let columns = stream.last_columns().enumerate();
                let values = columns.filter_map(|(index, field)| Some((index, name_of_value(field)?.to_owned())));
                Form::Long { schema, keys, values: values.collect() }
            }
        };
        Self { table: table.name.clone(), form }
    }

    /// Gives each batch of the table that a batch of the stream becomes.
    pub(super) fn each(
        &self,
        batch: &RecordBatch,
        mut give: impl FnMut(RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let unshaped = |cause| Error::Shape { table: self.table.clone(), cause };
        match &self.form {
            Form::AsIs => give(batch.clone()),
            Form::Share { schema, columns } => {
                let columns = columns.iter().map(|&column| Arc::clone(batch.column(column))).collect();
                give(RecordBatch::try_new(Arc::clone(schema), columns).map_err(unshaped)?)
            }
            Form::Long { schema, keys, values } => {
                for first in (0..batch.num_rows()).step_by(ROWS_OF_A_LONG_BATCH) {
                    let rows = first..batch.num_rows().min(first + ROWS_OF_A_LONG_BATCH);
                    let long = long(schema, keys, values, batch, rows).map_err(unshaped)?;
                    if long.num_rows() > 0 {
                        give(long)?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// A row for each value of these rows, record by record, in the order of the columns.
fn long(
    schema: &SchemaRef,
    keys: &[usize],
    columns: &[(usize, String)],
    batch: &RecordBatch,
    rows: Range<usize>,
) -> Result<RecordBatch, ArrowError> {
    let mut of_row: Vec<u32> = Vec::new();
    let (mut names, mut values) = (StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (column, name) in columns {
            let Some(text) = value::text(batch.column(*column), row) else { continue };
            of_row.push(row as u32);
            names.append_value(name);
            values.append_value(text);
        }
    }
    let of_row = UInt32Array::from(of_row);
    let mut columns: Vec<ArrayRef> =
        keys.iter().map(|&key| take(batch.column(key), &of_row, None)).collect::<Result<_, _>>()?;
    columns.extend([Arc::new(names.finish()) as ArrayRef, Arc::new(values.finish())]);
    RecordBatch::try_new(Arc::clone(schema), columns)
}
