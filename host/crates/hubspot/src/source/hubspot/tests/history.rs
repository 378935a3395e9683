//! The history of properties, from a HubSpot that leaves out records, versions and times.

use std::collections::BTreeMap;

use arrow_array::{
    cast::AsArray,
    types::{Float64Type, TimestampMicrosecondType},
};

use super::*;
use crate::source::{Beyond, Covers, Slice};

const BATCH_READ: &str = "/crm/v3/objects/0-1/batch/read";

fn path(seen: &Seen) -> &str {
    seen.path_and_query.split('?').next().unwrap()
}

fn asked(seen: &Seen) -> Vec<String> {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    body["inputs"].as_array().unwrap().iter().map(|input| input["id"].as_str().unwrap().to_owned()).collect()
}

fn of(id: &str, history: &Value) -> Value {
    json!({ "id": id, "properties": { "hs_object_id": id }, "propertiesWithHistory": history })
}

fn version(value: &str, timestamp: &str) -> Value {
    json!({ "value": value, "timestamp": timestamp, "sourceType": "CRM_UI", "sourceId": "userId:7",
            "sourceLabel": "x", "updatedByUserId": 7 })
}

/// A history of two values for each record of an answer.
fn good(seen: &Seen) -> (u16, Value) {
    let history = json!({ "phone": [version("2", "2026-02-01T00:00:00Z"), version("1", "2026-01-01T00:00:00Z")] });
    let results: Vec<Value> = asked(seen).iter().map(|id| of(id, &history)).collect();
    (200, json!({ "results": results }))
}

/// A HubSpot with contacts 1 to `contacts`, whose history is told by `history`.
async fn with_history(contacts: u64, history: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static) -> Server {
    serve(move |seen| match path(seen) {
        "/crm/v3/objects/0-1" => {
            let after = seen.path_and_query.rsplit_once("after=").map_or(0, |(_, after)| after.parse::<u64>().unwrap());
            let all: Vec<String> = (after.max(1)..=contacts).take(100).map(|id| id.to_string()).collect();
            let mut page = json!({ "results": records(&all.iter().map(String::as_str).collect::<Vec<_>>()) });
            let next = after.max(1) + 100;
            if next <= contacts {
                page["paging"] = json!({ "next": { "after": next.to_string() } });
            }
            (200, page)
        }
        "/crm/v3/objects/0-1/search" => (200, json!({ "total": contacts, "results": [{ "id": contacts }] })),
        "/crm/v3/properties/0-1" => match level_of(seen) {
            "non_sensitive" => (
                200,
                json!({ "results": [
                { "name": "phone", "type": "string" },
                { "name": "score", "type": "number", "calculated": true },
                { "name": "lastmodifieddate", "type": "datetime" },
            ] }),
            ),
            "sensitive" => (200, json!({ "results": [{ "name": "diagnosis", "type": "string" }] })),
            _ => forbidden(),
        },
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        BATCH_READ => history(seen),
        other => panic!("{other}"),
    })
    .await
}

fn stream() -> StreamInfo {
    StreamInfo::history(&contacts(), "0-1")
}

/// To read all columns of these properties, and these that are of none.
async fn request(hubspot: &HubSpot, names: &[&str]) -> ReadRequest {
    let schema = hubspot.schema(&stream()).await.unwrap();
    let columns = names.iter().map(|name| schema.fields[schema.index_of(name).unwrap()].clone()).collect();
    ReadRequest {
        stream: stream(),
        columns,
        ingested_at: "2026-11-23T20:15:00Z".parse().unwrap(),
        readers: Readers::One,
        keeps_ids: false,
        resumes: None,
        seen: RowsSeen::default(),
    }
}

/// Reads all of it; deliveries by their strands.
async fn read(
    hubspot: &HubSpot,
    request: ReadRequest,
) -> (Result<Read, SourceError>, BTreeMap<usize, Vec<RecordBatch>>) {
    let (outcome, deliveries) = read_by_slices(hubspot, request).await;
    let mut strands: BTreeMap<usize, Vec<RecordBatch>> = BTreeMap::new();
    for Delivery { batch, strand, .. } in deliveries {
        strands.entry(strand).or_default().push(batch);
    }
    (outcome, strands)
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

fn batch_reads(server: &Server) -> usize {
    server.seen().iter().filter(|seen| path(seen) == BATCH_READ).count()
}

#[tokio::test]
async fn the_columns_of_a_history_are_those_of_the_records() {
    let server = with_history(0, good).await;
    let hubspot = hubspot(&server);
    let streams = hubspot.streams().await.unwrap();
    assert_eq!(
        streams.iter().filter(|it| matches!(it.kind, StreamKind::History { .. })).count(),
        types::STANDARD.len()
    );
    let (history, objects) = (hubspot.schema(&stream()).await.unwrap(), hubspot.schema(&contacts()).await.unwrap());
    assert_eq!(history.attributes[attribute::OBJECT_TYPE_ID], "0-1");
    assert_eq!(history.attributes[attribute::KIND], "object_properties_history");
    let keys: Vec<&str> = history.fields.iter().filter(|it| it.is_key()).map(|it| it.name.as_str()).collect();
    assert_eq!(keys, ["objectTypeId", "objectId", "updatedAt"]);
    let properties = |schema: &Schema| -> Vec<Field> {
        let of_properties = schema.fields.iter().filter(|field| field.attributes.contains_key(attribute::PROPERTY));
        of_properties.cloned().collect()
    };
    let (mut past, present) = (properties(&history), properties(&objects));
    let calculated: Vec<String> = past
        .iter_mut()
        .filter_map(|field| field.attributes.remove(attribute::CALCULATED).map(|_| field.name.clone()))
        .collect();
    assert_eq!(past, present);
    assert_eq!(
        calculated,
        [
            "property_lastmodifieddate",
            "property_unparsed_lastmodifieddate",
            "property_score",
            "property_unparsed_score"
        ]
    );
    assert!(past.iter().any(|field| field.name == "property_diagnosis" && !field.marks.is_empty()));
}

#[tokio::test]
async fn a_strand_is_a_property_and_has_its_columns_and_those_of_none() {
    let server = with_history(2, |seen| {
        let scores = [version("7.5", "2026-03-01T00:00:00Z"), version("n/a", "1767225600000"), version("", "2025-01-01")];
        let phones = [version("1", "2026-01-01T00:00:00Z"), version("1", "2026-01-01T00:00:00Z")];
        let odd = json!({ "value": null, "timestamp": "2025-01-01T00:00:00Z", "updatedByUserId": "" });
        let mut history = json!({ "phone": phones, "score": scores, "unasked": phones });
        history["phone"].as_array_mut().unwrap().push(odd);
        assert_eq!(asked(seen), ["1", "2"]);
        (200, json!({ "results": [of("2", &json!({ "phone": null, "score": [] })), of("9", &history), of("1", &history)] }))
    })
    .await;
    let hubspot = hubspot(&server);
    let columns = [
        "property_unparsed_score",
        "updatedAt",
        "property_phone",
        "objectId",
        "updatedByUserId",
        "property_score",
        "sourceId",
    ];
    let wanted = request(&hubspot, &columns).await;
    let seen = wanted.seen.clone();
    let (outcome, strands) = read(&hubspot, wanted).await;
    let said = outcome.unwrap();
    assert_eq!((said.unnamed, said.cut, said.beyond, seen.get()), (vec![], vec![], Beyond::default(), 5));
    let names = |strand: usize| -> Vec<String> {
        strands[&strand][0].schema().fields().iter().map(|field| field.name().clone()).collect()
    };
    assert_eq!(
        names(0),
        ["property_unparsed_score", "updatedAt", "objectId", "updatedByUserId", "property_score", "sourceId"]
    );
    assert_eq!(names(1), ["updatedAt", "property_phone", "objectId", "updatedByUserId", "sourceId"]);
    let scores = &strands[&0][0];
    let typed = scores.column_by_name("property_score").unwrap().as_primitive::<Float64Type>();
    assert_eq!(typed.iter().collect::<Vec<_>>(), [Some(7.5), None, None]);
    assert_eq!(texts(scores, "property_unparsed_score"), [None, Some("n/a".to_owned()), None]);
    assert_eq!((texts(scores, "objectId"), texts(scores, "updatedByUserId")), (some(&["1"; 3]), some(&["7"; 3])));
    let times = scores.column_by_name("updatedAt").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.value(1), 1_767_225_600_000_000);
    let phones = &strands[&1][0];
    assert_eq!(texts(phones, "property_phone"), [Some("1".to_owned()), None], "what is said twice is one version");
    assert_eq!(texts(phones, "updatedByUserId"), [Some("7".to_owned()), None]);
    let body: Value = serde_json::from_str(&server.seen().last().unwrap().body).unwrap();
    assert_eq!(
        (&body["properties"], &body["propertiesWithHistory"]),
        (&json!(["hs_object_id"]), &json!(["score", "phone"]))
    );
}

#[tokio::test]
async fn fifty_are_asked_for_at_once_and_no_more_requests_are_sent_than_the_price_says() {
    let server = with_history(1230, good).await;
    let hubspot = hubspot(&server);
    for (resumes, kept) in [(None, false), (Some(Vec::new()), true)] {
        let wanted = ReadRequest { resumes, ..request(&hubspot, &["objectId", "property_phone"]).await };
        let price = hubspot.price(&wanted, kept).await.unwrap();
        let sent = || server.seen().iter().filter(|seen| !path(seen).ends_with("/search")).count() as u64;
        let before = sent();
        let (outcome, strands) = read(&hubspot, wanted).await;
        outcome.unwrap();
        assert_eq!(sent() - before, price.requests);
        assert_eq!(strands[&0].iter().map(RecordBatch::num_rows).sum::<usize>(), 2 * 1230);
    }
    assert!(server.seen().iter().filter(|seen| path(seen) == BATCH_READ).all(|seen| asked(seen).len() <= 50));
    // Without a property there is nothing to read.
    let wanted = request(&hubspot, &["objectId"]).await;
    let (price, before) = (hubspot.price(&wanted, false).await.unwrap(), server.seen().len());
    let (outcome, strands) = read(&hubspot, wanted).await;
    assert_eq!((outcome.unwrap(), strands.len(), price.requests), (Read::default(), 0, 0));
    assert_eq!(server.seen().len(), before);
}

#[tokio::test]
async fn a_record_that_neither_comes_nor_is_gone_is_asked_for_again() {
    let gone = json!({ "category": "OBJECT_NOT_FOUND", "context": { "ids": ["2"] } });
    let broken = json!({ "category": "INTERNAL_ERROR", "context": { "ids": ["2"] } });
    for (errors, told) in [
        (json!([gone]), None),
        (json!([broken]), Some("the versions of 1 of 2 records (INTERNAL_ERROR)")),
        (json!([gone, { "message": "?" }]), None),
        (json!([{ "category": "OBJECT_NOT_FOUND" }]), Some("the versions of 1 of 2 records (it does not say why)")),
        (json!([]), Some("the versions of 1 of 2 records (it does not say why)")),
    ] {
        let server = with_history(2, move |_| {
            let history = json!({ "phone": [version("1", "2026-01-01T00:00:00Z")] });
            (207, json!({ "results": [of("1", &history)], "errors": errors }))
        })
        .await;
        let hubspot = hubspot(&server);
        let wanted = request(&hubspot, &["objectId", "property_phone"]).await;
        let (outcome, strands) = read(&hubspot, wanted).await;
        match told {
            None => {
                outcome.unwrap();
                assert_eq!((texts(&strands[&0][0], "objectId"), batch_reads(&server)), (some(&["1"]), 1));
            }
            Some(told) => {
                let error = sluice_model::error_chain(&outcome.unwrap_err());
                assert!(error.contains(told), "{error}");
                assert_eq!((strands.len(), batch_reads(&server)), (0, 3), "nothing of it is left behind");
            }
        }
    }
}

/// HubSpot answers 404 where none of the records is there, and where there is no such type.
#[tokio::test]
async fn that_none_is_there_is_believed_as_long_as_there_is_the_type() {
    let server = with_history(1, |_| absent()).await;
    let hubspot_of_one = hubspot(&server);
    let wanted = request(&hubspot_of_one, &["objectId", "property_phone"]).await;
    let (outcome, strands) = read(&hubspot_of_one, wanted.clone()).await;
    assert_eq!((outcome.unwrap(), strands.len()), (Read::default(), 0));
    let vanished = serve(|_| absent()).await;
    let other = hubspot(&vanished);
    let mut known = Ids::default();
    known.insert("1");
    other.ids.put("0-1", known);
    let (outcome, _) = read(&other, wanted.clone()).await;
    assert!(matches!(outcome, Err(SourceError::NotReadable { why: Unreadable::Absent, .. })), "{outcome:?}");
    let refused = with_history(1, |_| forbidden()).await;
    let (outcome, _) = read(&hubspot(&refused), wanted).await;
    assert!(matches!(outcome, Err(SourceError::NotReadable { why: Unreadable::Forbidden, .. })), "{outcome:?}");
}

#[tokio::test]
async fn what_hubspot_does_not_give_is_counted_and_named() {
    let server = with_history(2, |seen| {
        let long: Vec<Value> = (0..45).map(|second| version("x", &format!("2026-01-01T00:00:{second:02}Z"))).collect();
        let untimed = [version("x", "yesterday"), json!({ "value": "y" }), version("z", "2026-01-01T00:00:00Z")];
        let of_first = of("1", &json!({ "phone": long, "score": untimed }));
        let of_second = of("2", &json!({ "phone": &long[1..] }));
        assert_eq!(asked(seen).len(), 2);
        (200, json!({ "results": [of_first, of_second] }))
    })
    .await;
    let hubspot = hubspot(&server);
    let names = ["property_phone", "property_score", "property_diagnosis"];
    let mut wanted = request(&hubspot, &names).await;
    wanted.columns.push(Field::new("property_old", ColumnType::Text).with(attribute::PROPERTY, "old"));
    let (outcome, strands) = read(&hubspot, wanted).await;
    let said = outcome.unwrap();
    assert_eq!(said.beyond, Beyond { capped: 1, untimed: 2, undefined: 0 });
    assert_eq!(said.unnamed, ["diagnosis", "old"]);
    // That some records lack what the account still has is as good as that they have no versions of it.
    assert_eq!(said.cut, Vec::<String>::new());
    let rows: Vec<usize> = strands.values().map(|batches| batches.iter().map(RecordBatch::num_rows).sum()).collect();
    assert_eq!(rows, [89, 1]);
}

#[tokio::test]
async fn a_property_that_is_archived_in_the_middle_is_noticed() {
    let server = with_history(60, |seen| {
        let history = if asked(seen).contains(&"1".to_owned()) {
            json!({ "phone": [], "old": [version("x", "2026-01-01T00:00:00Z")] })
        } else {
            json!({ "phone": [] })
        };
        (200, json!({ "results": asked(seen).iter().map(|id| of(id, &history)).collect::<Vec<_>>() }))
    })
    .await;
    let hubspot = hubspot(&server);
    let mut wanted = request(&hubspot, &["property_phone"]).await;
    wanted.columns.push(Field::new("property_old", ColumnType::Text).with(attribute::PROPERTY, "old"));
    let (outcome, _) = read(&hubspot, wanted).await;
    assert_eq!(outcome.unwrap().cut, ["old"]);
}

#[tokio::test]
async fn where_answers_are_too_much_for_the_server_fewer_records_are_asked_for() {
    let server = with_history(40, |seen| if asked(seen).len() > 12 { (504, Value::Null) } else { good(seen) }).await;
    let hubspot = hubspot(&server);
    let wanted = request(&hubspot, &["objectId", "property_phone"]).await;
    let (outcome, strands) = read(&hubspot, wanted).await;
    outcome.unwrap();
    let ids: std::collections::BTreeSet<_> = strands[&0].iter().flat_map(|batch| texts(batch, "objectId")).collect();
    assert_eq!((ids.len(), strands[&0].iter().map(RecordBatch::num_rows).sum::<usize>()), (40, 80));
}

/// Reads slices until `most` are finished, and says what they cover; then nobody wants more.
async fn some_slices(hubspot: &HubSpot, wanted: ReadRequest, most: usize) -> Vec<Covers> {
    let reading = hubspot.open(wanted);
    let (sender, mut deliveries) = mpsc::channel(1024);
    let (mut covers, mut numbers) = (Vec::new(), std::collections::BTreeSet::new());
    while covers.len() < most {
        let slice = reading.slice().unwrap();
        let number = Slice::number(&slice);
        assert!(numbers.insert(number) && reading.covers(number).is_none());
        reading.read(slice, sender.clone()).await.unwrap();
        covers.extend(reading.covers(number));
    }
    // The rows of the last one have no taker, so it has not been read to its end.
    deliveries.close();
    let slice = reading.slice().unwrap();
    let number = slice.number();
    reading.read(slice, sender).await.unwrap();
    assert_eq!(reading.covers(number), None);
    covers
}

#[tokio::test]
async fn slices_that_were_kept_are_not_read_again_as_long_as_their_ids_are_the_same() {
    let server = with_history(2600, good).await;
    let first = hubspot(&server);
    let wanted = request(&first, &["objectId", "property_phone"]).await;
    let covers = some_slices(&first, ReadRequest { resumes: Some(Vec::new()), ..wanted.clone() }, 3).await;
    assert_eq!(covers.iter().map(|it| it.records).collect::<Vec<_>>(), [500, 500, 500]);
    assert_eq!((covers[1].first.as_str(), covers[1].last.as_str()), ("501", "1000"));
    // The same account; one without the record 501; one that has another record between those of the third.
    for (without, more, held, requests) in
        [(None, None, vec![0, 1, 2], 22), (Some(501), None, vec![0, 2], 32), (None, Some("1200x"), vec![0, 1, 2], 23)]
    {
        let second = hubspot(&server);
        let mut known = Ids::default();
        known.extend((1..=2600).filter(|id| Some(*id) != without), more.map(str::to_owned));
        second.ids.put("0-1", known.clone());
        let before = batch_reads(&server);
        let (outcome, strands) =
            read(&second, ReadRequest { resumes: Some(covers.clone()), readers: Readers::Several, ..wanted.clone() })
                .await;
        assert_eq!((outcome.unwrap().taken_over, batch_reads(&server) - before), (held.clone(), requests));
        let read: usize = strands[&0].iter().map(RecordBatch::num_rows).sum();
        assert_eq!(read as u64, 2 * (known.len() - 500 * held.len() as u64));
    }
    // All is there: nothing is asked for, and nothing is covered anew.
    let third = hubspot(&server);
    let mut known = Ids::default();
    known.extend(1..=1500, []);
    third.ids.put("0-1", known);
    let before = batch_reads(&server);
    let (outcome, strands) = read(&third, ReadRequest { resumes: Some(covers), ..wanted }).await;
    assert_eq!((outcome.unwrap().taken_over, strands.len(), batch_reads(&server)), (vec![0, 1, 2], 0, before));
}

#[tokio::test]
async fn the_history_of_more_than_twice_as_many_records_as_were_asked_for_is_refused() {
    let server = with_history(2, |_| {
        let results: Vec<Value> = ["1", "2", "3", "4", "5"].map(|id| of(id, &json!({}))).to_vec();
        (200, json!({ "results": results }))
    })
    .await;
    let hubspot = hubspot(&server);
    let wanted = request(&hubspot, &["objectId", "property_phone"]).await;
    let (outcome, strands) = read(&hubspot, wanted).await;
    let words = sluice_model::error_chain(&outcome.unwrap_err());
    assert!(words.contains("it is more than was asked for"), "{words}");
    assert_eq!((strands.len(), batch_reads(&server)), (0, 1));
}

/// Text of three bytes a version must not become a struct of a hundred.
#[tokio::test]
async fn more_versions_or_properties_than_any_record_has_are_refused() {
    let versions: Value = (0..=10_000).map(|_| json!({})).collect();
    let properties: serde_json::Map<String, Value> = (0..=10_000).map(|name| (name.to_string(), json!([]))).collect();
    for history in [json!({ "phone": versions }), Value::Object(properties)] {
        let server = with_history(1, move |_| (200, json!({ "results": [of("1", &history)] }))).await;
        let hubspot = hubspot(&server);
        let wanted = request(&hubspot, &["objectId", "property_phone"]).await;
        let (outcome, strands) = read(&hubspot, wanted).await;
        let words = sluice_model::error_chain(&outcome.unwrap_err());
        assert!(words.contains("expected no more than 10000"), "{words}");
        assert_eq!(strands.len(), 0);
    }
}
