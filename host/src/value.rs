//! Values of columns as JSON and as text, as they stand in rows that people read and in long tables.

use std::borrow::Cow;

use arrow_array::{Array, ArrayRef, cast::AsArray, types};
use jiff::{SignedDuration, civil};
use serde_json::Value;

/// The day that dates count from.
pub(crate) const EPOCH: civil::Date = civil::date(1970, 1, 1);

/// The text of a time. One that no calendar here has is the number that it is.
fn time_text(micros: i64) -> Value {
    let time = EPOCH.to_datetime(civil::Time::midnight()).checked_add(SignedDuration::from_micros(micros));
    time.map_or_else(|_| micros.into(), |time| format!("{time}Z").into())
}

/// A value of a column, as JSON.
pub(crate) fn json(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    if let Some(values) = column.as_boolean_opt() {
        Value::Bool(values.value(row))
    } else if let Some(values) = column.as_primitive_opt::<types::Int64Type>() {
        values.value(row).into()
    } else if let Some(values) = column.as_primitive_opt::<types::Float64Type>() {
        // What JSON cannot say (`NaN`) is text.
        let value = values.value(row);
        if value.is_finite() { value.into() } else { value.to_string().into() }
    } else if let Some(values) = column.as_string_opt::<i32>() {
        values.value(row).into()
    } else if let Some(values) = column.as_primitive_opt::<types::Date32Type>() {
        let date = EPOCH.checked_add(SignedDuration::from_hours(24 * i64::from(values.value(row))));
        date.map_or_else(|_| values.value(row).into(), |date| date.to_string().into())
    } else if let Some(values) = column.as_primitive_opt::<types::TimestampMicrosecondType>() {
        time_text(values.value(row))
    } else {
        Value::Null
    }
}

/// A value of a column, as text: whole numbers without a point, times in UTC; `None` where there is none.
pub(crate) fn text(column: &ArrayRef, row: usize) -> Option<Cow<'_, str>> {
    if column.is_null(row) {
        return None;
    }
    if let Some(values) = column.as_string_opt::<i32>() {
        return Some(values.value(row).into());
    }
    if let Some(values) = column.as_primitive_opt::<types::Float64Type>() {
        return Some(values.value(row).to_string().into());
    }
    Some(match json(column, row) {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn what_no_calendar_has_is_not_nothing() {
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX, i64::MIN]));
        assert_eq!([json(&times, 0), json(&times, 1)], [i64::MAX, i64::MIN]);
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![i32::MAX]));
        assert_eq!(json(&dates, 0), i32::MAX);
    }

    #[test]
    fn every_type_has_a_text() {
        let columns: [(ArrayRef, &str); 8] = [
            (Arc::new(BooleanArray::from(vec![Some(true), None])), "true"),
            (Arc::new(Int64Array::from(vec![Some(i64::MIN), None])), "-9223372036854775808"),
            (Arc::new(Float64Array::from(vec![Some(1.0), None])), "1"),
            (Arc::new(Float64Array::from(vec![Some(-0.25), None])), "-0.25"),
            (Arc::new(Float64Array::from(vec![Some(f64::NAN), None])), "NaN"),
            (Arc::new(StringArray::from(vec![Some("a\"b"), None])), "a\"b"),
            (Arc::new(Date32Array::from(vec![Some(-1), None])), "1969-12-31"),
            (
                Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500_000), None]).with_timezone("UTC")),
                "1970-01-01T00:00:01.5Z",
            ),
        ];
        for (column, expected) in columns {
            assert_eq!(text(&column, 0).as_deref(), Some(expected));
            assert_eq!(text(&column, 1), None);
        }
    }
}
