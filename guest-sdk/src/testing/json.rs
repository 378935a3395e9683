//! Rows as JSON, and the contract's columns, one into the other.

use serde_json::Value;

use crate::column::{Builder, View};
use crate::value::Value as ColumnValue;
use crate::{Column, DataType, Date, Field, Timestamp, contract};

/// The values of a field, one for each row.
pub(super) fn to_column(field: &Field, rows: &[Value]) -> Result<contract::Column, String> {
    let values = Values { field, rows };
    let column = match &field.data_type {
        DataType::Boolean => values.build::<bool>(Value::as_bool),
        DataType::Int64 => values.build::<i64>(Value::as_i64),
        DataType::Float64 => values.build::<f64>(Value::as_f64),
        DataType::Text => values.build::<str>(Value::as_str),
        DataType::Date => values.build::<Date>(|value| value.as_str()?.parse().ok()),
        DataType::Timestamp => values.build::<Timestamp>(|value| value.as_str()?.parse().ok()),
        // Whatever it is, it can only be kept, so it is never looked into.
        DataType::Other(_) => return Ok(contract::Column { buffers: Vec::new() }),
    };
    column.map(contract::Column::from)
}

/// The values of a checked column, one for each row.
pub(super) fn from_column(field: &Field, column: &contract::Column, rows: usize) -> Result<Vec<Value>, String> {
    match &field.data_type {
        DataType::Boolean => read::<bool>(field, column, rows, Value::from),
        DataType::Int64 => read::<i64>(field, column, rows, Value::from),
        DataType::Float64 => read::<f64>(field, column, rows, Value::from),
        DataType::Text => read::<str>(field, column, rows, |text| Value::from(text)),
        DataType::Date => read::<Date>(field, column, rows, |date| Value::from(date.to_string())),
        DataType::Timestamp => read::<Timestamp>(field, column, rows, |timestamp| Value::from(timestamp.to_string())),
        DataType::Other(_) => Ok(vec![Value::Null; rows]),
    }
}

struct Values<'test> {
    field: &'test Field,
    rows: &'test [Value],
}

impl Values<'_> {
    /// A column of the values; `read` answers `None` for one of another type.
    fn build<T: ColumnValue + ?Sized>(&self, read: impl Fn(&Value) -> Option<T::Ref<'_>>) -> Result<Column, String> {
        let name = &self.field.name;
        let mut builder = Builder::<T>::with_capacity(self.rows.len());
        for (row, values) in self.rows.iter().enumerate() {
            let values = values.as_object().ok_or_else(|| format!("row {row} is not an object"))?;
            match values.get(name) {
                None | Some(Value::Null) if self.field.nullable => builder.push_null(),
                None | Some(Value::Null) => return Err(format!("row {row} has no `{name}`, which is not nullable")),
                Some(value) => {
                    builder.push(read(value).ok_or_else(|| {
                        format!("row {row} has `{name}` = {value}; the column holds {}", T::DATA_TYPE)
                    })?);
                }
            }
        }
        Ok(builder.finish())
    }
}

fn read<T: ColumnValue + ?Sized>(
    field: &Field,
    column: &contract::Column,
    rows: usize,
    value: impl Fn(T::Ref<'_>) -> Value,
) -> Result<Vec<Value>, String> {
    let view = View::<T>::new(&column.buffers, rows).map_err(|problem| format!("column `{}` {problem}", field.name))?;
    Ok(view.iter().map(|present| present.map_or(Value::Null, &value)).collect())
}
