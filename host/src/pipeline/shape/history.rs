//! Versions of one property's values, as they stand in the table of all histories.
//!
//! A batch holds versions of one property; after the transforms there may be several columns that are made of it, or one of
//! another name. Each version is a row for each of these, whether there is a value or not: that a value was cleared is a
//! version, too.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, builder::StringBuilder};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::take::take;
use sluice_model::schema::{Field, attribute};
use sluice_plan::{NAME, TablePlan, VALUE, name_of_value};

use crate::value;

/// How batches of versions become batches of the table.
#[derive(Debug)]
pub(super) struct History {
    schema: SchemaRef,
    columns: Vec<Column>,
    values: Vec<Value>,
}

/// What stands in a column of the table.
#[derive(Debug, Clone, Copy)]
enum Column {
    Name,
    Value,
    /// What stands at this position of the batch.
    Held(usize),
}

/// A column of a property, by positions in the batch.
#[derive(Debug)]
struct Value {
    column: usize,
    /// What does not fit its type.
    unparsed: Option<usize>,
    name: String,
}

impl History {
    /// `held`: the columns of a batch, by position.
    pub(super) fn of(schema: SchemaRef, table: &TablePlan, held: &[(usize, &Field)]) -> Self {
        let position = |named: &str| held.iter().find(|(_, field)| field.name == named).map(|(position, _)| *position);
        let column = |field: &Field| match field.name.as_str() {
            NAME => Column::Name,
            VALUE => Column::Value,
            name => position(name).map_or_else(|| unreachable!("every batch of a history has `{name}`"), Column::Held),
        };
        let value = |(column, field): &(usize, &Field)| {
            let is_companion = field.attributes.contains_key(attribute::UNPARSED_OF);
            let name = name_of_value(field).filter(|_| !is_companion)?.to_owned();
            let is_its = |other: &&(usize, &Field)| other.1.attributes.get(attribute::UNPARSED_OF) == Some(&field.name);
            Some(Value { column: *column, unparsed: held.iter().find(is_its).map(|(position, _)| *position), name })
        };
        Self { columns: table.fields().map(column).collect(), values: held.iter().filter_map(value).collect(), schema }
    }

    /// The rows of the table that a batch of versions becomes.
    pub(super) fn versions(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut of_row: Vec<u32> = Vec::new();
        let (mut names, mut values) = (StringBuilder::new(), StringBuilder::new());
        for row in 0..batch.num_rows() {
            for Value { column, unparsed, name } in &self.values {
                let unparsed = || unparsed.and_then(|unparsed| value::text(batch.column(unparsed), row));
                of_row.push(row as u32);
                names.append_value(name);
                values.append_option(value::text(batch.column(*column), row).or_else(unparsed));
            }
        }
        let of_row = UInt32Array::from(of_row);
        let (names, values): (ArrayRef, ArrayRef) = (Arc::new(names.finish()), Arc::new(values.finish()));
        let column = |column: &Column| match column {
            Column::Name => Ok(Arc::clone(&names)),
            Column::Value => Ok(Arc::clone(&values)),
            Column::Held(position) => take(batch.column(*position), &of_row, None),
        };
        RecordBatch::try_new(Arc::clone(&self.schema), self.columns.iter().map(column).collect::<Result<_, _>>()?)
    }
}
