//! No two rows of a table have one key.
//!
//! A source gives every record once, so the keys it gives are unique. A key that plugins compute need not be: a mapping may
//! give two records one id, and whoever reads the table would take them for one. So the keys of such tables are compared
//! while they are written, and the first that comes twice ends the run.
//!
//! Remembered of a key are two hashes under secrets of the run, 128 bits together: that two different keys have the same is
//! out of the question at any number of rows. That is 16 bytes a row, twice that while the set grows, and only where a key
//! is computed.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hash, Hasher, RandomState},
};

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType},
};
use arrow_schema::{DataType, TimeUnit};
use sluice_plan::{Shape, StreamPlan, TablePlan};

/// The keys of one table so far.
#[derive(Debug)]
pub(super) struct UniqueKeys {
    columns: Vec<usize>,
    hashers: [RandomState; 2],
    seen: HashSet<[u64; 2]>,
}

impl UniqueKeys {
    /// For a table whose key, or a part of it, is computed. The rows of a history have no key of their own.
    pub(super) fn of(stream: &StreamPlan, table: &TablePlan) -> Option<Self> {
        let has_key = table.shape != Shape::History;
        (has_key && stream.computes_key(table)).then(|| Self::in_columns(table.key().collect()))
    }

    fn in_columns(columns: Vec<usize>) -> Self {
        Self { columns, hashers: [RandomState::new(), RandomState::new()], seen: HashSet::new() }
    }

    /// Takes the rows of a batch; says whether all their keys are new.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> bool {
        (0..batch.num_rows()).all(|row| {
            let hashes = [0, 1].map(|index| {
                let hasher: &RandomState = &self.hashers[index];
                let mut hasher = hasher.build_hasher();
                for &column in &self.columns {
                    hash_value(batch.column(column).as_ref(), row, &mut hasher);
                }
                hasher.finish()
            });
            self.seen.insert(hashes)
        })
    }
}

fn hash_value(column: &dyn Array, row: usize, hasher: &mut impl Hasher) {
    column.is_null(row).hash(hasher);
    if column.is_null(row) {
        return;
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).hash(hasher),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).hash(hasher),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_bits().hash(hasher),
        DataType::Utf8 => column.as_string::<i32>().value(row).hash(hasher),
        DataType::Date32 => column.as_primitive::<Date32Type>().value(row).hash(hasher),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().value(row).hash(hasher);
        }
        other => unreachable!("no column has the type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sluice_model::schema::{ColumnType, Field, arrow_schema};

    use super::*;

    /// Rows of three columns: two of the key, and one that is not.
    fn batch(rows: &[(Option<&str>, Option<i64>)]) -> RecordBatch {
        let fields = [
            Field::new("kind", ColumnType::Text),
            Field::new("other", ColumnType::Boolean),
            Field::new("id", ColumnType::Integer),
        ];
        let kinds: arrow_array::StringArray = rows.iter().map(|(kind, _)| *kind).collect();
        let others = arrow_array::BooleanArray::from(vec![true; rows.len()]);
        let ids: arrow_array::Int64Array = rows.iter().map(|(_, id)| *id).collect();
        RecordBatch::try_new(arrow_schema(&fields), vec![Arc::new(kinds), Arc::new(others), Arc::new(ids)]).unwrap()
    }

    #[test]
    fn a_key_that_comes_twice_is_found_in_a_later_batch_too() {
        let mut keys = UniqueKeys::in_columns(vec![0, 2]);
        assert!(keys.add(&batch(&[(Some("a"), Some(1)), (Some("a"), Some(2)), (Some("b"), Some(1))])));
        assert!(keys.add(&batch(&[(None, Some(1)), (Some(""), Some(1)), (Some("a"), None)])));
        assert!(!keys.add(&batch(&[(Some("c"), Some(1)), (Some("a"), Some(2))])));
    }

    #[test]
    fn a_key_of_any_type_is_told_from_another() {
        for column_type in ColumnType::ALL {
            let field = Field::new("key", column_type);
            let array = |texts: Vec<&str>| -> arrow_array::ArrayRef {
                if column_type == ColumnType::Timestamp {
                    let micros =
                        texts.into_iter().map(|text| text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
                    let times = arrow_array::TimestampMicrosecondArray::from_iter_values(micros);
                    return Arc::new(times.with_data_type(column_type.arrow()));
                }
                let texts: arrow_array::StringArray = texts.into_iter().map(Some).collect();
                arrow_cast::cast(&texts, &column_type.arrow()).unwrap()
            };
            let (one, other) = match column_type {
                ColumnType::Boolean => ("true", "false"),
                ColumnType::Integer | ColumnType::Float | ColumnType::Text => ("1", "2"),
                ColumnType::Date => ("2026-01-01", "2026-01-02"),
                ColumnType::Timestamp => ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
            };
            let batch =
                |texts| RecordBatch::try_new(arrow_schema(std::slice::from_ref(&field)), vec![array(texts)]).unwrap();
            let mut keys = UniqueKeys::in_columns(vec![0]);
            assert!(keys.add(&batch(vec![one, other])), "{column_type:?}");
            assert!(!keys.add(&batch(vec![other])), "{column_type:?}");
        }
    }
}
