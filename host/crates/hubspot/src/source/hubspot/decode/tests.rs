//! What becomes of a page, value by value.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use sluice_model::schema::unparsed_name;

use super::*;

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

/// What it has, where that is one batch.
fn one_batch(decoder: &mut RecordDecoder) -> RecordBatch {
    let [batch] = <[RecordBatch; 1]>::try_from(decoder.take().unwrap()).unwrap();
    batch
}

fn decoded(records: &str) -> Vec<String> {
    let mut decoder = decoder();
    let page = decoder.page(format!(r#"{{"results":[{records}]}}"#).as_bytes(), Wanted::Any(100)).unwrap();
    assert_eq!(page.after, None);
    decoder.take().unwrap().iter().flat_map(rows).collect()
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
        {"id":"7","properties":{}}
    "#).join("\n"), @r#"
    1 | 2026-01-02T03:04:05.678 | Ada | 1.5 | –
    2 | – | – | – | 12;13
    3 | – | – | – | –
    9007199254740993 | – | 12345678901234567890 | – | 1e400
    5 | – | � cut | – | �
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
    let page = decoder.page(whole, Wanted::Any(100)).unwrap();
    assert_eq!((page.first.as_deref(), page.after.as_deref(), page.missing), (Some("1"), Some("1"), 0));
    for cut in [
        &br#"{"results":[{"id":"2","properties":{"name":"Bob"}},{"id":"3""#[..],
        br#"{"results":[{"id":"2","properties":{"name":"Bob"}},{"properties":{}}]}"#,
        br#"{"results":[{"id":"2","properties":{"name":"Bob"}}]} and more"#,
        br#"{"results":[{"id":"2","properties":{}}],"results":[]}"#,
        br#"{"results":[{"id":"2","properties":{}}],"paging":null,"paging":{"next":{"after":"9"}}}"#,
        br#"{"results":[{"id":"2"}]}"#,
        br#"{"results":[{"id":"2","properties":{},"id":"9"}]}"#,
        br#"{"paging":{}}"#,
    ] {
        decoder.page(cut, Wanted::Any(100)).unwrap_err();
        assert_eq!(decoder.rows(), 1);
    }
    decoder.page(br#"{"results":[{"id":"4","properties":{"score":"4"}}]}"#, Wanted::Any(100)).unwrap();
    assert_eq!(rows(&one_batch(&mut decoder)), ["1 | – | Ada | – | –", "4 | – | – | 4.0 | –"]);
}

fn asked(decoder: &mut RecordDecoder, page: &[u8], ids: &[String], may_be_gone: bool) -> Page {
    decoder.page(page, Wanted::These(WantedIds { ids, may_be_gone })).unwrap()
}

#[test]
fn records_that_were_asked_for_are_all_accounted_for() {
    let mut decoder = decoder();
    let ids = ids(&["1", "2", "3"]);
    let short = br#"{"results":[{"id":"1","properties":{}},{"id":"3","properties":{}}]}"#;
    let other_fault = br#"{"results":[{"id":"1","properties":{}},{"id":"3","properties":{}}],
        "errors":[{"category":"TIMEOUT","context":{"ids":["2"]}}]}"#;
    for may_be_gone in [false, true] {
        for page in [&short[..], other_fault] {
            assert_eq!(asked(&mut decoder, page, &ids, may_be_gone).missing, 1);
            assert_eq!(decoder.rows(), 0);
        }
    }
    let gone = br#"{"errors":[{"category":"OBJECT_NOT_FOUND","context":{"ids":["2"]}}],
        "results":[{"id":"3","properties":{}},{"id":"1","properties":{}}]}"#;
    let page = asked(&mut decoder, gone, &ids, false);
    assert_eq!((page.missing, page.gone, decoder.rows()), (0, 1, 0));
    let page = asked(&mut decoder, gone, &ids, true);
    assert_eq!((page.missing, page.gone), (0, 1));
    assert_eq!(rows(&one_batch(&mut decoder)), ["3 | – | – | – | –", "1 | – | – | – | –"]);
}

#[test]
fn a_record_that_was_merged_away_is_no_row_of_its_own() {
    let mut decoder = decoder();
    let merged = br#"{"results":[{"id":"1","properties":{}},{"id":"77","properties":{}},{"id":"1","properties":{}}],
        "errors":[{"category":"OBJECT_NOT_FOUND","context":{"ids":["2"]}}]}"#;
    assert_eq!(asked(&mut decoder, merged, &ids(&["1", "2"]), true).missing, 0);
    assert_eq!(rows(&one_batch(&mut decoder)), ["1 | – | – | – | –"]);
}

#[test]
fn a_page_that_says_itself_that_records_are_missing_leaves_nothing() {
    for errors in [r#""numErrors":1"#, r#""errors":[{"category":"TIMEOUT"}]"#] {
        let mut decoder = decoder();
        let page = format!(r#"{{"results":[{{"id":"1","properties":{{}}}}],{errors}}}"#);
        let page = decoder.page(page.as_bytes(), Wanted::Any(100)).unwrap();
        assert_eq!((page.listed, page.missing, decoder.rows()), (2, 1, 0));
    }
}

#[test]
fn a_record_that_comes_again_is_no_second_row() {
    let mut decoder = decoder();
    let page = |ids: &[&str]| -> String {
        let records: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}","properties":{{}}}}"#)).collect();
        format!(r#"{{"results":[{}]}}"#, records.join(","))
    };
    decoder.page(page(&["1", "2", "1"]).as_bytes(), Wanted::Any(100)).unwrap();
    // A page that is asked for again, since it broke off, is not held for a repetition of itself.
    decoder.page(&page(&["3", "2", "4"]).as_bytes()[..60], Wanted::Any(100)).unwrap_err();
    decoder.page(page(&["3", "2", "4"]).as_bytes(), Wanted::Any(100)).unwrap();
    decoder.page(page(&[]).as_bytes(), Wanted::Any(100)).unwrap();
    decoder.page(page(&["1", "4"]).as_bytes(), Wanted::Any(100)).unwrap();
    let ids: Vec<String> = rows(&one_batch(&mut decoder)).iter().map(|row| row.replace(" | –", "")).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
}

#[test]
fn what_was_odd_about_the_records_is_known_in_the_end() {
    let mut decoder = decoder();
    let page = br#"{"results":[{"id":"1","properties":{"score":null},"updatedAt":"yesterday"}]}"#;
    decoder.page(page, Wanted::Any(100)).unwrap();
    let remarks = decoder.remarks();
    assert_eq!((remarks.never_named(), remarks.odd_times()), (vec!["name".to_owned()], 1));
}

#[test]
fn what_one_part_names_and_another_does_not_is_named_by_some() {
    let mut both = Remarks::default();
    for (properties, updated_at) in [(r#"{"name":"x"}"#, "yesterday"), (r#"{"score":"1","name":"x"}"#, "today")] {
        let mut decoder = decoder();
        let page = format!(r#"{{"results":[{{"id":"1","properties":{properties},"updatedAt":"{updated_at}"}}]}}"#);
        decoder.page(page.as_bytes(), Wanted::Any(100)).unwrap();
        both.add(decoder.remarks());
    }
    both.add(decoder().remarks());
    assert_eq!((both.never_named(), both.named_by_some()), (vec![], vec!["score".to_owned()]));
    assert_eq!(both.odd_times(), 2);
}

#[test]
fn only_the_unparsable_values_can_be_wanted() {
    let column = Field::new(unparsed_name("property_score"), ColumnType::Text)
        .with(attribute::PROPERTY, "score")
        .with(attribute::HUBSPOT_TYPE, "number")
        .with(attribute::UNPARSED_OF, "property_score");
    let mut decoder = RecordDecoder::new("0-1", &[column], "2026-11-23T20:15:00Z".parse().unwrap());
    let page = br#"{"results":[{"id":"1","properties":{"score":"1"}},{"id":"2","properties":{"score":"one"}}]}"#;
    decoder.page(page, Wanted::Any(100)).unwrap();
    let batch = one_batch(&mut decoder);
    let texts = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
    assert_eq!(texts.iter().collect::<Vec<_>>(), [None, Some("one")]);
}
