//! The answer of a group, checked.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use sluice_model::schema::{ColumnType, Field};

use super::super::{
    contract,
    error::{Breach, ColumnRule},
    words::Words,
};

/// What a group makes of a batch, after every rule of the contract was checked.
#[derive(Debug)]
pub struct GroupOutcome {
    /// The rows that the plugin lets pass; absent: all. Rejected rows do not pass whatever stands here.
    pub keep: Option<BooleanBuffer>,
    /// The columns that the group computes, in the order of the outline's outputs, each with a value for every row.
    pub computed: Vec<ArrayRef>,
    /// The rows that are refused, in ascending order.
    pub rejections: Vec<Rejection>,
}

/// A row that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Index of the row in the batch.
    pub row: u32,
    /// Index into the outline's rejection codes.
    pub code: u32,
    /// Why, in the plugin's words.
    pub message: Words,
}

/// What a group must answer with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// The rows it was given; at least 1.
    pub(crate) rows: usize,
    /// The columns it computes.
    pub(crate) fields: &'a [Field],
    /// How many rejection codes the outline declares, if the group selects rows.
    pub(crate) selects: Option<usize>,
}

/// Checks all of an answer. `words`: what may be shown of a message.
pub(crate) fn check_outcome(
    outcome: contract::Outcome,
    expected: Expected<'_>,
    words: impl Fn(&str) -> Words,
) -> Result<GroupOutcome, Breach> {
    if expected.selects.is_none() && !(outcome.keep.is_empty() && outcome.rejections.is_empty()) {
        return Err(Breach::UndeclaredSelection);
    }
    if outcome.computed.len() != expected.fields.len() {
        return Err(Breach::ColumnCount { expected: expected.fields.len() });
    }
    check_rejections(&outcome.rejections, expected)?;
    let computed = expected.fields.iter().zip(outcome.computed).map(|(field, column)| {
        read_column(field, expected.rows, column)
            .map_err(|rule| Breach::Column { column: words(&format!("`{}`", field.name)), rule })
    });
    Ok(GroupOutcome {
        keep: read_keep(outcome.keep, expected.rows)?,
        computed: computed.collect::<Result<_, _>>()?,
        rejections: outcome
            .rejections
            .into_iter()
            .map(|rejection| Rejection { row: rejection.row, code: rejection.code, message: words(&rejection.message) })
            .collect(),
    })
}

fn check_rejections(rejections: &[contract::Rejection], expected: Expected<'_>) -> Result<(), Breach> {
    let declared = expected.selects.unwrap_or(0);
    for rejection in rejections {
        if rejection.row as usize >= expected.rows {
            return Err(Breach::RejectedRow { rows: expected.rows });
        }
        if rejection.code as usize >= declared {
            return Err(Breach::RejectionCode { declared });
        }
    }
    if rejections.is_sorted_by(|before, after| before.row < after.row) { Ok(()) } else { Err(Breach::RejectionOrder) }
}

fn read_keep(keep: Vec<u8>, rows: usize) -> Result<Option<BooleanBuffer>, Breach> {
    if keep.is_empty() {
        return Ok(None);
    }
    read_bitmap(keep, rows).map(Some).map_err(|expected| Breach::KeepSize { expected, rows })
}

fn read_column(field: &Field, rows: usize, column: contract::ColumnResult) -> Result<ArrayRef, ColumnRule> {
    if field.column_type == ColumnType::Text {
        let [validity, offsets, data] = exactly(column.buffers)?;
        return read_text(offsets, data, rows, read_validity(field, validity, rows)?);
    }
    let [validity, values] = exactly(column.buffers)?;
    let nulls = read_validity(field, validity, rows)?;
    Ok(match field.column_type {
        ColumnType::Boolean => {
            let values = read_bitmap(values, rows).map_err(|expected| ColumnRule::ValueSize { expected })?;
            Arc::new(BooleanArray::new(values, nulls))
        }
        ColumnType::Integer => Arc::new(Int64Array::new(read_values(values, rows)?, nulls)),
        ColumnType::Float => Arc::new(Float64Array::new(read_values(values, rows)?, nulls)),
        ColumnType::Date => Arc::new(Date32Array::new(read_values(values, rows)?, nulls)),
        ColumnType::Timestamp => {
            let array = TimestampMicrosecondArray::new(read_values(values, rows)?, nulls);
            Arc::new(array.with_data_type(field.column_type.arrow()))
        }
        ColumnType::Text => unreachable!("texts have three buffers and were read above"),
    })
}

fn exactly<const COUNT: usize>(buffers: Vec<Vec<u8>>) -> Result<[Vec<u8>; COUNT], ColumnRule> {
    buffers.try_into().map_err(|_| ColumnRule::BufferCount { expected: COUNT })
}

fn read_validity(field: &Field, validity: Vec<u8>, rows: usize) -> Result<Option<NullBuffer>, ColumnRule> {
    if validity.is_empty() {
        return Ok(None);
    }
    let present = read_bitmap(validity, rows).map_err(|expected| ColumnRule::ValiditySize { expected })?;
    let nulls = NullBuffer::new(present);
    if nulls.null_count() == 0 {
        Ok(None)
    } else if field.nullable {
        Ok(Some(nulls))
    } else {
        Err(ColumnRule::Null)
    }
}

/// A bit for each row, or else the bytes that it should have been. Bits past the last row are cleared.
fn read_bitmap(mut bytes: Vec<u8>, rows: usize) -> Result<BooleanBuffer, usize> {
    let expected = rows.div_ceil(8);
    if bytes.len() != expected {
        return Err(expected);
    }
    let rest = rows % 8;
    if rest != 0
        && let Some(last) = bytes.last_mut()
    {
        *last &= (1 << rest) - 1;
    }
    Ok(BooleanBuffer::new(Buffer::from_vec(bytes), 0, rows))
}

fn read_values<T: ArrowNativeType>(bytes: Vec<u8>, rows: usize) -> Result<ScalarBuffer<T>, ColumnRule> {
    let expected = rows * size_of::<T>();
    if bytes.len() == expected { Ok(scalars(bytes, rows)) } else { Err(ColumnRule::ValueSize { expected }) }
}

fn read_text(offsets: Vec<u8>, data: Vec<u8>, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, ColumnRule> {
    let expected = (rows + 1) * size_of::<i32>();
    if offsets.len() != expected {
        return Err(ColumnRule::OffsetSize { expected });
    }
    let offsets = scalars::<i32>(offsets, rows + 1);
    let end = offsets[rows];
    let in_data = usize::try_from(end).is_ok_and(|end| end <= data.len());
    if offsets[0] != 0 || !in_data || !offsets.is_sorted() {
        return Err(ColumnRule::Offsets);
    }
    let data = Buffer::from_vec(data).slice_with_length(0, end as usize);
    // Everything else that this constructor checks was checked above.
    let array = StringArray::try_new(OffsetBuffer::new(offsets), data, nulls).map_err(|_| ColumnRule::Utf8)?;
    Ok(Arc::new(array))
}

/// The bytes as numbers. They are copied only if the allocator did not align them, which it practically always does.
fn scalars<T: ArrowNativeType>(bytes: Vec<u8>, count: usize) -> ScalarBuffer<T> {
    let aligned = bytes.as_ptr().align_offset(align_of::<T>()) == 0;
    let buffer = if aligned { Buffer::from_vec(bytes) } else { Buffer::from(bytes.as_slice()) };
    ScalarBuffer::new(buffer, 0, count)
}
