//! Columns under construction.
//!
//! These are Arrow's own buffers in the making, and unlike Arrow's builders they can be cut back to an earlier row: a page
//! that breaks in the middle leaves nothing behind when it is asked for again.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use sluice_model::schema::ColumnType;

use super::value;

/// A column under construction.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    present: BooleanBufferBuilder,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Integer(Vec<i64>),
    Float(Vec<f64>),
    Text { ends: Vec<i32>, bytes: Vec<u8> },
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
}

impl ColumnBuilder {
    pub(super) fn new(column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            ColumnType::Integer => Values::Integer(Vec::new()),
            ColumnType::Float => Values::Float(Vec::new()),
            ColumnType::Text => Values::Text { ends: vec![0], bytes: Vec::new() },
            ColumnType::Date => Values::Date(Vec::new()),
            ColumnType::Timestamp => Values::Timestamp(Vec::new()),
        };
        Self { present: BooleanBufferBuilder::new(0), values }
    }

    /// Rows so far.
    pub(super) fn len(&self) -> usize {
        self.present.len()
    }

    /// Bytes of values so far: what bounds a batch beside its rows.
    pub(super) fn byte_len(&self) -> usize {
        match &self.values {
            Values::Boolean(values) => values.len() / 8,
            Values::Integer(values) | Values::Timestamp(values) => values.len() * 8,
            Values::Float(values) => values.len() * 8,
            Values::Text { ends, bytes } => ends.len() * 4 + bytes.len(),
            Values::Date(values) => values.len() * 4,
        }
    }

    /// Appends a value as it stands on the wire. `false`: it does not fit the type, and a null was appended.
    pub(super) fn append(&mut self, text: &str) -> bool {
        let fits = match &mut self.values {
            Values::Boolean(values) => push_or(value::boolean(text), |value| values.append(value), || false),
            Values::Integer(values) => push_or(value::integer(text), |value| values.push(value), || 0),
            Values::Float(values) => push_or(value::float(text), |value| values.push(value), || 0.0),
            Values::Date(values) => push_or(value::date(text), |value| values.push(value), || 0),
            Values::Timestamp(values) => push_or(value::timestamp(text), |value| values.push(value), || 0),
            Values::Text { ends, bytes } => {
                bytes.extend_from_slice(text.as_bytes());
                ends.push(bytes.len() as i32);
                true
            }
        };
        self.present.append(fits);
        fits
    }

    /// Appends a text, or nothing, to a column of texts or of what texts are read as.
    pub(super) fn append_or_null(&mut self, text: Option<&str>) {
        match text {
            Some(text) => drop(self.append(text)),
            None => self.append_null(),
        }
    }

    /// Appends a point in time, in microseconds.
    pub(super) fn append_micros(&mut self, micros: i64) {
        match &mut self.values {
            Values::Timestamp(values) => {
                values.push(micros);
                self.present.append(true);
            }
            _ => self.append_null(),
        }
    }

    pub(super) fn append_null(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::Integer(values) | Values::Timestamp(values) => values.push(0),
            Values::Float(values) => values.push(0.0),
            Values::Text { ends, bytes } => ends.push(bytes.len() as i32),
            Values::Date(values) => values.push(0),
        }
        self.present.append(false);
    }

    /// Goes back to an earlier number of rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.present.truncate(rows);
        match &mut self.values {
            Values::Boolean(values) => values.truncate(rows),
            Values::Integer(values) | Values::Timestamp(values) => values.truncate(rows),
            Values::Float(values) => values.truncate(rows),
            Values::Text { ends, bytes } => {
                ends.truncate(rows + 1);
                bytes.truncate(ends.last().map_or(0, |&end| end as usize));
            }
            Values::Date(values) => values.truncate(rows),
        }
    }

    /// The finished column; the builder starts anew.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = Some(NullBuffer::new(self.present.finish())).filter(|nulls| nulls.null_count() > 0);
        Ok(match &mut self.values {
            Values::Boolean(values) => Arc::new(BooleanArray::new(finish_bits(values), nulls)),
            Values::Integer(values) => Arc::new(Int64Array::try_new(take(values), nulls)?),
            Values::Float(values) => Arc::new(Float64Array::try_new(take(values), nulls)?),
            Values::Date(values) => Arc::new(Date32Array::try_new(take(values), nulls)?),
            Values::Timestamp(values) => {
                Arc::new(TimestampMicrosecondArray::try_new(take(values), nulls)?.with_timezone("UTC"))
            }
            Values::Text { ends, bytes } => {
                let ends = std::mem::replace(ends, vec![0]);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(std::mem::take(bytes)), nulls)?)
            }
        })
    }
}

/// Appends a value, or a filler where there is none; says which.
fn push_or<T>(value: Option<T>, push: impl FnOnce(T), filler: impl FnOnce() -> T) -> bool {
    let present = value.is_some();
    push(value.unwrap_or_else(filler));
    present
}

fn take<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(std::mem::take(values))
}

fn finish_bits(bits: &mut BooleanBufferBuilder) -> BooleanBuffer {
    bits.finish()
}
