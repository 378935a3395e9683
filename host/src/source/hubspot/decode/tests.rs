//! What becomes of a page, value by value.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

use super::*;
use crate::schema::unparsed_name;

/// Key columns, a text, and a number with the column of what is none.
fn decoder() -> RecordDecoder {
    let score = Field::new("property_score", ColumnType::Float)
        .with(attribute::PROPERTY, "score")
        .with(attribute::HUBSPOT_TYPE, "number");
    let unparsed = Field { name: unparsed_name("property_score"), column_type: ColumnType::Text, ..score.clone() }
        .with(attribute::UNPARSED_OF, "property_score");
    let fields = [
        Field::new(record::OBJECT_ID, ColumnType::Text).required(),
        Field::new(record::UPDATED_AT, ColumnType::Timestamp),
        Field::new("property_name", ColumnType::Text).with(attribute::PROPERTY, "name"),
        score,
        unparsed,
    ];
    RecordDecoder::new("0-1", &fields, "2026-11-23T20:15:00Z".parse().unwrap())
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::new().with_null("–");
    // arrow prints times of a named zone only with a database of zones.
    let plain = |column: &ArrayRef| match column.data_type() {
        DataType::Timestamp(unit, _) => arrow_cast::cast(column, &DataType::Timestamp(*unit, None)).unwrap(),
        _ => Arc::clone(column),
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().map(plain).collect();
    let columns: Vec<_> = columns.iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" | ");
    (0..batch.num_rows()).map(row).collect()
}

fn decoded(records: &str) -> Vec<String> {
    let mut decoder = decoder();
    let page = decoder.page(format!(r#"{{"results":[{records}]}}"#).as_bytes(), None).unwrap();
    assert_eq!(page.after, None);
    decoder.take().unwrap().map(|batch| rows(&batch)).unwrap_or_default()
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[test]
fn every_value_lands_in_its_column_and_what_does_not_fit_beside_it() {
    insta::assert_snapshot!(decoded(r#"
        {"id":"1","properties":{"name":"Ada","score":"1.5","other":"x"},"updatedAt":"2026-01-02T03:04:05.678Z"},
        {"id":"2","properties":{"score":"12;13","name":null},"archived":false},
        {"properties":{"name":"","score":""},"id":"3"},
        {"id":9007199254740993,"properties":{"name":12345678901234567890,"score":1e400}},
        {"id":"5","properties":{"name":"\ud83d cut","score":"\udc00"}},
        {"id":"6","properties":{"name":["a"],"score":{"b":1}},"updatedAt":null},
        {"id":"7"}
    "#).join("\n"), @r#"
    1 | 2026-01-02T03:04:05.678 | Ada | 1.5 | –
    2 | – | – | – | 12;13
    3 | – | – | – | –
    9007199254740993 | – | 12345678901234567890 | – | 1e400
    5 | – | ��� cut | – | ���
    6 | – | ["a"] | – | {"b":1}
    7 | – | – | – | –
    "#);
}

#[test]
fn a_property_that_comes_twice_keeps_its_first_value() {
    assert_eq!(
        decoded(r#"{"id":"1","properties":{"score":"no","score":"2","name":"a","name":"b"}}"#),
        ["1 | – | a | – | no"]
    );
}

#[test]
fn of_a_page_that_cannot_be_read_nothing_remains() {
    let mut decoder = decoder();
    let whole = br#"{"results":[{"id":"1","properties":{"name":"Ada"}}],"paging":{"next":{"after":"1"}}}"#;
    let page = decoder.page(whole, None).unwrap();
    assert_eq!(page, Page { first: Some("1".to_owned()), after: Some("1".to_owned()), missing: 0 });
    for cut in [
        &br#"{"results":[{"id":"2","properties":{"name":"Bob"}},{"id":"3""#[..],
        br#"{"results":[{"id":"2","properties":{"name":"Bob"}},{"properties":{}}]}"#,
        br#"{"results":[{"id":"2","properties":{"name":"Bob"}}]} and more"#,
        br#"{"results":[{"id":"2"}],"results":[]}"#,
        br#"{"paging":{}}"#,
    ] {
        decoder.page(cut, None).unwrap_err();
        assert_eq!(decoder.rows(), 1);
    }
    decoder.page(br#"{"results":[{"id":"4","properties":{"score":"4"}}]}"#, None).unwrap();
    assert_eq!(rows(&decoder.take().unwrap().unwrap()), ["1 | – | Ada | – | –", "4 | – | – | 4.0 | –"]);
}

#[test]
fn records_that_were_asked_for_are_all_accounted_for() {
    let mut decoder = decoder();
    let asked = ids(&["1", "2", "3"]);
    let short = br#"{"results":[{"id":"1"},{"id":"3"}]}"#;
    assert_eq!(decoder.page(short, Some(&asked)).unwrap().missing, 1);
    assert_eq!(decoder.rows(), 0);
    let other_fault =
        br#"{"results":[{"id":"1"},{"id":"3"}],"errors":[{"category":"TIMEOUT","context":{"ids":["2"]}}]}"#;
    assert_eq!(decoder.page(other_fault, Some(&asked)).unwrap().missing, 1);
    let gone =
        br#"{"errors":[{"category":"OBJECT_NOT_FOUND","context":{"ids":["2"]}}],"results":[{"id":"3"},{"id":"1"}]}"#;
    assert_eq!(decoder.page(gone, Some(&asked)).unwrap().missing, 0);
    assert_eq!(rows(&decoder.take().unwrap().unwrap()), ["3 | – | – | – | –", "1 | – | – | – | –"]);
}

#[test]
fn a_record_that_was_merged_away_is_no_row_of_its_own() {
    let mut decoder = decoder();
    let merged = br#"{"results":[{"id":"1"},{"id":"77"},{"id":"1"}],"errors":[{"category":"OBJECT_NOT_FOUND","context":{"ids":["2"]}}]}"#;
    assert_eq!(decoder.page(merged, Some(&ids(&["1", "2"]))).unwrap().missing, 0);
    assert_eq!(rows(&decoder.take().unwrap().unwrap()), ["1 | – | – | – | –"]);
}

#[test]
fn only_the_unparsable_values_can_be_wanted() {
    let column = Field::new(unparsed_name("property_score"), ColumnType::Text)
        .with(attribute::PROPERTY, "score")
        .with(attribute::HUBSPOT_TYPE, "number")
        .with(attribute::UNPARSED_OF, "property_score");
    let mut decoder = RecordDecoder::new("0-1", &[column], "2026-11-23T20:15:00Z".parse().unwrap());
    let page = br#"{"results":[{"id":"1","properties":{"score":"1"}},{"id":"2","properties":{"score":"one"}}]}"#;
    decoder.page(page, None).unwrap();
    let batch = decoder.take().unwrap().unwrap();
    let texts = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
    assert_eq!(texts.iter().collect::<Vec<_>>(), [None, Some("one")]);
}
