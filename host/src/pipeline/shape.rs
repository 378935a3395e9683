//! The rows of a stream as they stand in one of its tables.
//!
//! A table gets the columns that it holds, under the names that they have there; a long one, a row for each value; a packed one,
//! a JSON object of all values of a record. Nothing is decided here: which column is made of which stands in the plan.

mod history;

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, builder::StringBuilder};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::take::take;
use serde_json::Value;
use sluice_model::schema::{Field, arrow_schema};
use sluice_plan::{PROPERTIES, Shape, Strand, StreamPlan, TableColumn, TablePlan, name_of_value};

use self::history::History;
use super::Error;
use crate::value;

/// Rows of a stream that become one batch of a long table: with a hundred values each, some three batches of other tables.
const ROWS_OF_A_LONG_BATCH: usize = 256;

/// How the batches of one strand of a stream become batches of one of its tables.
#[derive(Debug)]
pub(super) struct Shaped {
    table: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The stream's own.
    AsIs,
    Columns {
        schema: SchemaRef,
        columns: Vec<usize>,
    },
    Packed {
        schema: SchemaRef,
        /// The columns of the table, but for the one of all values.
        columns: Vec<Option<usize>>,
        values: Vec<(usize, String)>,
    },
    Long {
        schema: SchemaRef,
        keys: Vec<usize>,
        /// The columns whose values it holds, each with the name that these stand under.
        values: Vec<(usize, String)>,
    },
    History(History),
}

impl Shaped {
    pub(super) fn of(stream: &StreamPlan, strand: &Strand, table: &TablePlan) -> Self {
        let fields: Vec<Field> = table.fields().cloned().collect();
        let schema = arrow_schema(&fields);
        let held: Vec<usize> = strand.columns(stream.last_stage()).collect();
        let position = |column: usize| held.binary_search(&column).ok();
        let positions = |columns: &[TableColumn]| -> Vec<usize> {
            columns.iter().flat_map(|column| &column.from).filter_map(|from| position(*from)).collect()
        };
        let fields_held = || {
            let fields: Vec<&Field> = stream.last_columns().collect();
            held.iter().map(|column| fields[*column]).enumerate().collect::<Vec<_>>()
        };
        let values = || {
            let named =
                fields_held().into_iter().map(|(position, field)| Some((position, name_of_value(field)?.to_owned())));
            named.flatten().collect()
        };
        let form = match table.shape {
            Shape::AsIs if table.fields().eq(stream.last_columns()) => Form::AsIs,
            Shape::AsIs | Shape::Share => Form::Columns { schema, columns: positions(&table.columns) },
            Shape::Long => {
                let keys = table.key().flat_map(|key| &table.columns[key].from).filter_map(|key| position(*key));
                Form::Long { schema, keys: keys.collect(), values: values() }
            }
            Shape::History => Form::History(History::of(schema, table, &fields_held())),
            Shape::Packed => {
                let column = |column: &TableColumn| match column.field.name.as_str() {
                    PROPERTIES => None,
                    _ => column.from.first().and_then(|from| position(*from)),
                };
                Form::Packed { schema, columns: table.columns.iter().map(column).collect(), values: values() }
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
            Form::Columns { schema, columns } => {
                let columns = columns.iter().map(|&column| Arc::clone(batch.column(column))).collect();
                give(RecordBatch::try_new(Arc::clone(schema), columns).map_err(unshaped)?)
            }
            Form::Packed { schema, columns, values } => {
                for first in (0..batch.num_rows()).step_by(ROWS_OF_A_LONG_BATCH) {
                    let rows = batch.slice(first, ROWS_OF_A_LONG_BATCH.min(batch.num_rows() - first));
                    give(packed(schema, columns, values, &rows).map_err(unshaped)?)?;
                }
                Ok(())
            }
            Form::History(history) => give(history.versions(batch).map_err(unshaped)?),
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

/// The same rows, with one JSON object of all their values. What is empty has no member.
fn packed(
    schema: &SchemaRef,
    columns: &[Option<usize>],
    values: &[(usize, String)],
    batch: &RecordBatch,
) -> Result<RecordBatch, ArrowError> {
    let mut packed = StringBuilder::new();
    for row in 0..batch.num_rows() {
        let members = values.iter().map(|(column, name)| (name, value::json(batch.column(*column), row)));
        let object: BTreeMap<&String, Value> = members.filter(|(_, value)| !value.is_null()).collect();
        packed.append_value(serde_json::to_string(&object).map_err(|error| ArrowError::JsonError(error.to_string()))?);
    }
    let packed: ArrayRef = Arc::new(packed.finish());
    let columns = columns.iter().map(|column| match column {
        Some(column) => Arc::clone(batch.column(*column)),
        None => Arc::clone(&packed),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect())
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
