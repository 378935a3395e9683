//! Between which keys the rows of a file lie, found while they are written.

use std::cmp::Ordering;

use arrow_array::{Array, Int64Array, RecordBatch, StringArray, cast::AsArray, types::Int64Type};
use arrow_schema::DataType;
use sluice_model::schema::{ColumnType, Field};

use crate::table::range::{KeyPart, KeyRange, text_order};

/// The longest text in a key whose range is told, in bytes. Ids have some twenty; and whoever computes a key of kilobytes must
/// not have it in a commit for every file, since each run reads a commit whole.
const LONGEST_TEXT: usize = 256;

/// The key columns of a table: their indices.
#[derive(Debug)]
pub(super) struct KeyColumns(Vec<usize>);

impl KeyColumns {
    /// Those of a table whose ranges may be told: there are some, none carries a mark, and all are text or integers.
    pub(super) fn of(columns: &[Field]) -> Option<Self> {
        let keys = || columns.iter().enumerate().filter(|(_, field)| field.is_key());
        let may_be_told = |field: &Field| {
            field.marks.is_empty() && matches!(field.column_type, ColumnType::Text | ColumnType::Integer)
        };
        let told = keys().next().is_some() && keys().all(|(_, field)| may_be_told(field));
        told.then(|| Self(keys().map(|(index, _)| index).collect()))
    }

    /// The range of a batch that has rows; `None` if a row lacks a part of its key, or one at the ends is too long.
    fn range(&self, batch: &RecordBatch) -> Option<KeyRange> {
        let columns: Vec<Values> =
            self.0.iter().map(|index| Values::of(batch.column(*index))).collect::<Option<_>>()?;
        let order = |one: &usize, other: &usize| {
            let orders = columns.iter().map(|column| column.order(*one, *other));
            orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        let key = |row: usize| columns.iter().map(|column| column.part(row)).collect::<Option<Vec<_>>>();
        let (least, greatest) = ((0..batch.num_rows()).min_by(order)?, (0..batch.num_rows()).max_by(order)?);
        KeyRange::new(key(least)?, key(greatest)?)
    }
}

/// The values of one key column in a batch.
enum Values<'b> {
    Integer(&'b Int64Array),
    Text(&'b StringArray),
}

impl<'b> Values<'b> {
    fn of(column: &'b dyn Array) -> Option<Self> {
        match column.data_type() {
            _ if column.null_count() > 0 => None,
            DataType::Int64 => Some(Self::Integer(column.as_primitive::<Int64Type>())),
            DataType::Utf8 => Some(Self::Text(column.as_string::<i32>())),
            _ => None,
        }
    }

    fn order(&self, one: usize, other: usize) -> Ordering {
        match self {
            Self::Integer(values) => values.value(one).cmp(&values.value(other)),
            Self::Text(values) => text_order(values.value(one), values.value(other)),
        }
    }

    fn part(&self, row: usize) -> Option<KeyPart> {
        match self {
            Self::Integer(values) => Some(KeyPart::Integer(values.value(row))),
            Self::Text(values) => {
                let value = values.value(row);
                (value.len() <= LONGEST_TEXT).then(|| KeyPart::Text(value.to_owned()))
            }
        }
    }
}

/// What is known of the keys of a file that is being written.
#[derive(Debug)]
pub(super) enum FileKeys {
    NoRows,
    Range(KeyRange),
    /// Of some rows they are not known, and so not of the file.
    Unknown,
}

impl FileKeys {
    /// Adds the rows of a batch.
    pub(super) fn add(&mut self, columns: Option<&KeyColumns>, batch: &RecordBatch) {
        let known = std::mem::replace(self, Self::Unknown);
        *self = match (known, columns.and_then(|columns| columns.range(batch))) {
            (Self::Unknown, _) | (_, None) => Self::Unknown,
            (Self::NoRows, Some(range)) => Self::Range(range),
            (Self::Range(mut known), Some(range)) => {
                known.cover(range);
                Self::Range(known)
            }
        };
    }

    pub(super) fn into_range(self) -> Option<KeyRange> {
        match self {
            Self::Range(range) => Some(range),
            Self::NoRows | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::ArrayRef;
    use sluice_model::schema::{arrow_schema, attribute};

    use super::*;

    fn key(name: &str, column_type: ColumnType) -> Field {
        Field::new(name, column_type).with(attribute::KEY, "true")
    }

    /// A key of a text and an integer, with another column before, between and behind.
    fn columns() -> Vec<Field> {
        let other = |name| Field::new(name, ColumnType::Text);
        vec![other("a"), key("id", ColumnType::Text), other("b"), key("part", ColumnType::Integer), other("c")]
    }

    fn batch(rows: &[(Option<&str>, i64)]) -> RecordBatch {
        let ids: ArrayRef = Arc::new(rows.iter().map(|(id, _)| *id).collect::<StringArray>());
        let parts: ArrayRef = Arc::new(rows.iter().map(|(_, part)| Some(*part)).collect::<Int64Array>());
        let other: ArrayRef = Arc::new(rows.iter().map(|_| Some("zzz")).collect::<StringArray>());
        let arrays = vec![Arc::clone(&other), ids, Arc::clone(&other), parts, other];
        RecordBatch::try_new(arrow_schema(&columns()), arrays).unwrap()
    }

    fn range_of(batches: &[RecordBatch]) -> Option<KeyRange> {
        let keys = KeyColumns::of(&columns());
        let mut known = FileKeys::NoRows;
        for batch in batches {
            known.add(keys.as_ref(), batch);
        }
        known.into_range()
    }

    fn range(least: (&str, i64), greatest: (&str, i64)) -> Option<KeyRange> {
        let key = |(id, part): (&str, i64)| vec![KeyPart::Text(id.to_owned()), KeyPart::Integer(part)];
        KeyRange::new(key(least), key(greatest))
    }

    #[test]
    fn the_range_is_that_of_the_rows_of_all_batches_in_whatever_order_they_come() {
        let batches = [
            batch(&[(Some("1000"), 1), (Some("999"), 7), (Some("999"), -7)]),
            batch(&[(Some("1000"), 2)]),
            batch(&[(Some("998"), 9)]),
        ];
        assert_eq!(range_of(&batches[..1]), range(("999", -7), ("1000", 1)));
        assert_eq!(range_of(&batches), range(("998", 9), ("1000", 2)));
        // Beyond what a float holds.
        let long = batch(&[(Some("9007199254740993"), 0), (Some("9007199254740992"), 0)]);
        assert_eq!(range_of(&[long]), range(("9007199254740992", 0), ("9007199254740993", 0)));
    }

    #[test]
    fn a_file_has_no_range_if_any_row_has_no_whole_key() {
        assert_eq!(range_of(&[]), None);
        let good = batch(&[(Some("1"), 1)]);
        let long = "x".repeat(LONGEST_TEXT + 1);
        for bad in [batch(&[(Some("1"), 1), (None, 1)]), batch(&[(Some(&long), 1)])] {
            assert_eq!(range_of(&[good.clone(), bad.clone(), good.clone()]), None);
            assert_eq!(range_of(&[bad]), None);
        }
        assert!(range_of(&[batch(&[(long.get(1..), 1)])]).is_some());
    }

    #[test]
    fn ranges_are_told_of_text_and_integers_without_marks_alone() {
        assert!(KeyColumns::of(&columns()).is_some());
        assert!(KeyColumns::of(&[Field::new("id", ColumnType::Text)]).is_none(), "no key");
        let mut marked = columns();
        marked[3].marks.insert("phi".parse().unwrap());
        assert!(KeyColumns::of(&marked).is_none());
        let mut others_marked = columns();
        others_marked[0].marks.insert("phi".parse().unwrap());
        assert!(KeyColumns::of(&others_marked).is_some());
        for column_type in ColumnType::ALL {
            let told = matches!(column_type, ColumnType::Text | ColumnType::Integer);
            assert_eq!(KeyColumns::of(&[key("id", column_type)]).is_some(), told, "{column_type:?}");
        }
    }
}
