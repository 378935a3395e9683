//! Rows cut into batches of a size that whoever works on them can hold.
//!
//! A page comes whole, and its values may be large: a hundred records of a page can be 64 MiB of text. What is delivered of it
//! are parts that share its memory, each complete with the row that makes it [`BATCH_ROWS`] or [`BATCH_BYTES`]; a last one that
//! is hardly anything goes with the one before. A row is never cut: one cell of 64 MiB makes a batch of that, and of
//! what stood before it.

use arrow_array::{RecordBatch, cast::AsArray};

/// Rows after which a batch is complete: enough that a call into a plugin costs next to nothing a row, and few enough that a
/// batch of the widest streams stays small.
pub(super) const BATCH_ROWS: usize = 8192;

/// Bytes after which a batch is complete, whatever its rows.
pub(super) const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that a value takes which is no text.
const FIXED_BYTES: usize = 8;

/// The part of a batch that is not worth a batch of its own: a call into a plugin costs too much for what an ordinary page
/// brings beyond the bound.
const SCRAP: usize = 8;

/// The parts of a batch, in the order of its rows.
pub(super) fn cut(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    ends(batch, BATCH_ROWS, BATCH_BYTES).into_iter().scan(0, |start, end| {
        let part = batch.slice(*start, end - *start);
        *start = end;
        Some(part)
    })
}

/// Where each part ends.
fn ends(batch: &RecordBatch, most_rows: usize, most_bytes: usize) -> Vec<usize> {
    let texts: Vec<&[i32]> =
        batch.columns().iter().filter_map(|column| Some(column.as_string_opt::<i32>()?.value_offsets())).collect();
    let fixed = (batch.num_columns() - texts.len()) * FIXED_BYTES;
    let bytes_of = |row: usize| {
        let text = |offsets: &&[i32]| offsets.get(row..row + 2).map_or(0, |ends| (ends[1] - ends[0]) as usize);
        fixed + texts.iter().map(text).sum::<usize>()
    };
    let (mut ends, mut rows, mut bytes) = (Vec::new(), 0, 0);
    for row in 0..batch.num_rows() {
        rows += 1;
        bytes += bytes_of(row);
        if rows == most_rows || bytes >= most_bytes {
            ends.push(row + 1);
            (rows, bytes) = (0, 0);
        }
    }
    if rows > 0 {
        if bytes < most_bytes / SCRAP && rows < most_rows / SCRAP {
            ends.pop();
        }
        ends.push(batch.num_rows());
    }
    ends
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(lengths: &[usize]) -> RecordBatch {
        let texts: StringArray = lengths.iter().map(|length| Some("x".repeat(*length))).collect();
        let numbers = Int64Array::from_iter_values(0..lengths.len() as i64);
        RecordBatch::try_from_iter([("text", Arc::new(texts) as _), ("number", Arc::new(numbers) as _)]).unwrap()
    }

    #[test]
    fn a_part_ends_with_the_row_that_completes_it() {
        assert_eq!(ends(&batch(&[0, 0, 0, 0, 0]), 2, 1000), [2, 4, 5]);
        assert_eq!(ends(&batch(&[10, 10, 10, 10]), 99, 36), [2, 4]);
        assert_eq!(ends(&batch(&[1, 500, 1, 1]), 99, 100), [2, 4]);
        assert_eq!(ends(&batch(&[]), 2, 10), Vec::<usize>::new());
        assert_eq!(ends(&batch(&[10, 10, 10, 10]).slice(1, 3), 99, 36), [2, 3]);
    }

    #[test]
    fn a_last_part_that_is_hardly_anything_goes_with_the_one_before() {
        assert_eq!(ends(&batch(&[300, 300, 300, 0]), 99, 300), [1, 2, 4]);
        assert_eq!(ends(&batch(&[300, 300, 300, 40]), 99, 300), [1, 2, 3, 4]);
        assert_eq!(ends(&batch(&[0; 17]), 16, 999), [17]);
        assert_eq!(ends(&batch(&[0]), 16, 999), [1]);
    }

    proptest! {
        #[test]
        fn no_row_is_lost_or_comes_twice(lengths in prop::collection::vec(0_usize..50, 0..60), rows in 1_usize..9, bytes in 1_usize..200) {
            let batch = batch(&lengths);
            let ends = ends(&batch, rows, bytes);
            prop_assert!(ends.is_sorted_by(|one, next| one < next));
            prop_assert_eq!(ends.last().copied().unwrap_or(0), lengths.len());
            let mut start = 0;
            for end in ends {
                prop_assert!(end - start <= rows + rows / SCRAP);
                let but_last: usize = lengths[start..end - 1].iter().map(|length| length + FIXED_BYTES).sum();
                prop_assert!(but_last < bytes + bytes / SCRAP + 50);
                start = end;
            }
        }
    }
}
