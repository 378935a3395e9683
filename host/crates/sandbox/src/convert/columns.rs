//! Arrow arrays as the contract's buffers.

use std::ops::Deref;

use arrow_array::{Array, cast::AsArray, types};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, ToByteSlice, bit_util};
use sluice_model::schema::ColumnType;

/// One buffer of a column: where possible the array's own memory.
#[derive(Debug)]
pub(crate) enum Bytes<'a> {
    /// Part of the array.
    Borrowed(&'a [u8]),
    /// Made anew, since the array's own starts elsewhere.
    Owned(Buffer),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(buffer) => buffer.as_slice(),
        }
    }
}

/// The buffers of an array, in the contract's order; `None` if the array is of another type.
pub(crate) fn buffers_of(array: &dyn Array, column_type: ColumnType) -> Option<Vec<Bytes<'_>>> {
    if *array.data_type() != column_type.arrow() {
        return None;
    }
    let mut buffers = vec![validity_of(array)];
    match column_type {
        ColumnType::Boolean => buffers.push(bitmap(array.as_boolean().values())),
        ColumnType::Integer => buffers.push(values(array.as_primitive::<types::Int64Type>().values())),
        ColumnType::Float => buffers.push(values(array.as_primitive::<types::Float64Type>().values())),
        ColumnType::Date => buffers.push(values(array.as_primitive::<types::Date32Type>().values())),
        ColumnType::Timestamp => {
            buffers.push(values(array.as_primitive::<types::TimestampMicrosecondType>().values()));
        }
        ColumnType::Text => buffers.extend(text(array)),
    }
    Some(buffers)
}

fn validity_of(array: &dyn Array) -> Bytes<'_> {
    match array.nulls() {
        Some(nulls) if nulls.null_count() > 0 => bitmap(nulls.inner()),
        _ => Bytes::Borrowed(&[]),
    }
}

fn values<T: ArrowNativeType>(values: &[T]) -> Bytes<'_> {
    Bytes::Borrowed(values.to_byte_slice())
}

/// A bitmap that starts at a whole byte and has no bits of rows that are not part of the array.
fn bitmap(bits: &BooleanBuffer) -> Bytes<'_> {
    let starts_at_a_byte = bits.offset().is_multiple_of(8);
    let size = bits.len().div_ceil(8);
    if starts_at_a_byte {
        let start = bits.offset() / 8;
        let bytes = &bits.values()[start..start + size];
        let rest = bits.len() % 8;
        if rest == 0 || bytes.last().is_none_or(|last| last >> rest == 0) {
            return Bytes::Borrowed(bytes);
        }
    }
    let mut bytes = vec![0; size];
    for row in bits.set_indices() {
        bit_util::set_bit(&mut bytes, row);
    }
    Bytes::Owned(Buffer::from_vec(bytes))
}

/// Offsets and data of a text array.
fn text(array: &dyn Array) -> [Bytes<'_>; 2] {
    let array = array.as_string::<i32>();
    let offsets = array.value_offsets();
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let data = &array.value_data()[first as usize..last as usize];
    let offsets = if first == 0 {
        values(offsets)
    } else {
        Bytes::Owned(offsets.iter().map(|offset| offset - first).collect::<Vec<i32>>().into())
    };
    [offsets, Bytes::Borrowed(data)]
}
