//! Rows as NDJSON, read into columns for a plugin to be tried on.
//!
//! The types of columns are those of a schema, where there is one, or else of the values: `true`, whole numbers, numbers,
//! text. Dates and times are text in JSON, so only a schema makes them what they are.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use jiff::{civil, fmt::temporal::Pieces};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use sluice_model::{
    schema::{ColumnType, Field, arrow_schema, attribute},
    stream::StreamKind,
};

use super::Usage;
use crate::value::EPOCH;

/// Microseconds of a day.
const MICROS_A_DAY: i64 = 86_400_000_000;

/// The microseconds of the years 1 to 9999: the times that tables hold. jiff's own instants end a day before.
const TIMES: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// One row: names and values, in the order of the line.
struct Row(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Row;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a JSON object, one a line")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Row(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Rows that were read, and where they came from, for messages.
pub(super) struct Rows<'t> {
    file: &'t str,
    /// Each with the number of its line.
    lines: Vec<(usize, BTreeMap<String, Value>)>,
    /// The names of columns, in the order in which they come.
    names: Vec<String>,
}

impl<'t> Rows<'t> {
    /// Reads a row a line; empty lines do not count.
    pub(super) fn read(file: &'t str, text: &str) -> Result<Self, Usage> {
        let mut rows = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let Row(members) =
                serde_json::from_str(line).map_err(|error| Usage(format!("{file}:{}: {error}", index + 1)))?;
            for (name, _) in &members {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            rows.push((index + 1, members.into_iter().collect()));
        }
        if rows.is_empty() {
            return Err(Usage(format!("`{file}` has no rows: write a JSON object a line")));
        }
        Ok(Self { file, lines: rows, names })
    }

    /// Fields for the columns that the rows have, by their values. They are taken for rows of records: these have the keys.
    pub(super) fn fields(&self) -> Result<Vec<Field>, Usage> {
        let field = |name: &String| {
            let mut known = None;
            for (line, row) in &self.lines {
                let Some(value) = row.get(name).filter(|value| !value.is_null()) else { continue };
                let here = type_of(value).ok_or_else(|| self.wrong(*line, name, "a list or an object is no value"))?;
                known = match known {
                    None => Some(here),
                    Some(before) => Some(
                        common(before, here)
                            .ok_or_else(|| self.wrong(*line, name, "another type than in the lines before"))?,
                    ),
                };
            }
            let mut field = Field::new(name, known.unwrap_or(ColumnType::Text));
            if StreamKind::KEY_OF_RECORDS.contains(&name.as_str()) {
                field = field.required().with(attribute::KEY, "true");
            }
            Ok(field)
        };
        self.names.iter().map(field).collect()
    }

    /// The rows as a batch with these columns. What a row lacks is null.
    pub(super) fn batch(&self, fields: &[Field]) -> Result<RecordBatch, Usage> {
        if let Some(name) = self.names.iter().find(|name| !fields.iter().any(|field| field.name == **name)) {
            return Err(Usage(format!("`{}`: the stream has no column `{name}`", self.file)));
        }
        let columns = fields.iter().map(|field| self.column(field)).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(arrow_schema(fields), columns)
            .map_err(|error| Usage(format!("`{}` does not fit the stream: {error}", self.file)))
    }

    fn column(&self, field: &Field) -> Result<ArrayRef, Usage> {
        let name = &field.name;
        let values = || self.lines.iter().map(|(line, row)| (*line, row.get(name).filter(|value| !value.is_null())));
        macro_rules! collected {
            ($array:ty, $read:expr) => {{
                let read = $read;
                let column = values().map(|(line, value)| {
                    let wrong = || self.wrong(line, name, &format!("no {}", field.column_type.name()));
                    value.map(|value| read(value).ok_or_else(wrong)).transpose()
                });
                column.collect::<Result<$array, Usage>>()?
            }};
        }
        Ok(match field.column_type {
            ColumnType::Boolean => Arc::new(collected!(BooleanArray, Value::as_bool)),
            ColumnType::Integer => Arc::new(collected!(Int64Array, Value::as_i64)),
            ColumnType::Float => Arc::new(collected!(Float64Array, Value::as_f64)),
            ColumnType::Text => Arc::new(collected!(StringArray, Value::as_str)),
            ColumnType::Date => Arc::new(collected!(Date32Array, days)),
            ColumnType::Timestamp => Arc::new(collected!(TimestampMicrosecondArray, micros).with_timezone("UTC")),
        })
    }

    fn wrong(&self, line: usize, column: &str, why: &str) -> Usage {
        Usage(format!("{}:{line}: column `{column}`: {why}", self.file))
    }
}

fn type_of(value: &Value) -> Option<ColumnType> {
    match value {
        Value::Bool(_) => Some(ColumnType::Boolean),
        Value::Number(number) if number.is_i64() => Some(ColumnType::Integer),
        Value::Number(_) => Some(ColumnType::Float),
        Value::String(_) => Some(ColumnType::Text),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The type that holds values of both.
fn common(one: ColumnType, other: ColumnType) -> Option<ColumnType> {
    use ColumnType::{Float, Integer};
    match (one, other) {
        (one, other) if one == other => Some(one),
        (Integer | Float, Integer | Float) => Some(Float),
        _ => None,
    }
}

fn days(value: &Value) -> Option<i32> {
    let date: civil::Date = value.as_str()?.parse().ok()?;
    i32::try_from(date.duration_since(EPOCH).as_hours() / 24).ok()
}

/// Microseconds since 1970-01-01T00:00:00Z of a date and a time with its offset. What is finer is cut.
fn micros(value: &Value) -> Option<i64> {
    let pieces = Pieces::parse(value.as_str()?).ok()?;
    let (time, offset) = (pieces.time()?, pieces.to_numeric_offset()?);
    let days = pieces.date().duration_since(EPOCH).as_hours() / 24;
    let of_day = time.duration_since(civil::Time::midnight()).as_micros();
    let of_offset = i64::from(offset.seconds()) * 1_000_000;
    let micros = days * MICROS_A_DAY + i64::try_from(of_day).ok()? - of_offset;
    Some(micros).filter(|micros| TIMES.contains(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn read(text: &str) -> Result<Vec<(String, ColumnType)>, String> {
        let fields = Rows::read("rows.ndjson", text).and_then(|rows| rows.fields()).map_err(|error| error.0)?;
        Ok(fields.into_iter().map(|field| (field.name, field.column_type)).collect())
    }

    #[test]
    fn types_are_those_of_the_values() {
        use ColumnType::{Boolean, Float, Integer, Text};
        let text = "{\"b\": 1, \"a\": null, \"t\": \"x\", \"f\": true}\n\n{\"b\": 1.5, \"z\": 7}";
        let expected = [("b", Float), ("a", Text), ("t", Text), ("f", Boolean), ("z", Integer)];
        assert_eq!(read(text).unwrap(), expected.map(|(name, column_type)| (name.to_owned(), column_type)));
    }

    #[test]
    fn what_is_no_row_is_told_with_its_line() {
        for (text, told) in [
            ("", "`rows.ndjson` has no rows: write a JSON object a line"),
            ("{}\n[1]", "rows.ndjson:2: invalid type: sequence, expected a JSON object, one a line at line 1 column 0"),
            ("{\"a\": 1}\n{\"a\": \"x\"}", "rows.ndjson:2: column `a`: another type than in the lines before"),
            ("{\"a\": [1]}", "rows.ndjson:1: column `a`: a list or an object is no value"),
        ] {
            assert_eq!(read(text).unwrap_err(), told);
        }
    }

    #[test]
    fn values_are_what_they_were() {
        let fields = [
            Field::new("day", ColumnType::Date),
            Field::new("time", ColumnType::Timestamp),
            Field::new("number", ColumnType::Float),
            Field::new("absent", ColumnType::Integer),
        ];
        let text = r#"{"day":"2026-01-31","time":"2026-01-31T10:00:00Z","number":1}"#;
        let rows = Rows::read("rows.ndjson", text).unwrap();
        let batch = rows.batch(&fields).unwrap();
        let values: Vec<String> = batch.columns().iter().map(|column| json(column, 0).to_string()).collect();
        assert_eq!(values, ["\"2026-01-31\"", "\"2026-01-31T10:00:00Z\"", "1.0", "null"]);
        assert_eq!(rows.batch(&fields[..2]).unwrap_err().0, "`rows.ndjson`: the stream has no column `number`");
        let wrong = [Field::new("day", ColumnType::Boolean), fields[1].clone(), fields[2].clone()];
        assert_eq!(rows.batch(&wrong).unwrap_err().0, "rows.ndjson:1: column `day`: no boolean");
    }

    #[test]
    fn times_of_all_years_are_what_they_were() {
        let times = |texts: &[&str]| {
            let lines: Vec<String> = texts.iter().map(|text| format!("{{\"time\":\"{text}\"}}")).collect();
            let rows = Rows::read("rows.ndjson", &lines.join("\n")).unwrap();
            let batch = rows.batch(&[Field::new("time", ColumnType::Timestamp)]).map_err(|error| error.0)?;
            Ok::<_, String>((0..texts.len()).map(|row| json(batch.column(0), row)).collect::<Vec<_>>())
        };
        let same = [
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "9999-12-30T22:00:00Z",
            "9999-12-31T23:59:59.999999Z",
        ];
        assert_eq!(times(&same).unwrap(), same);
        assert_eq!(times(&["9999-12-31T20:30:00.1234567-02:00"]).unwrap(), ["9999-12-31T22:30:00.123456Z"]);
        assert_eq!(times(&["2026-01-31T10:00:00+05:30"]).unwrap(), ["2026-01-31T04:30:00Z"]);
        for no_time in ["9999-12-31T23:59:59-00:01", "0000-12-31T23:59:59Z", "2026-01-31", "2026-01-31T10:00:00", "x"] {
            assert_eq!(times(&[no_time]).unwrap_err(), "rows.ndjson:1: column `time`: no timestamp", "{no_time}");
        }
    }
}
