//! The source against a HubSpot that contradicts itself, leaves things out, or does not end.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use arrow_array::{Array, StringArray};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::{
    http::tests::server::{Reply, Seen, Server, answer},
    schema::{ColumnType, Field},
    source::RowsSeen,
};

fn hubspot(server: &Server) -> HubSpot {
    HubSpot::new(&settings(server)).unwrap()
}

fn settings(server: &Server) -> Settings {
    Settings {
        base_url: server.base.clone(),
        token: Secret::new("pat-na1-00000000-1111-2222-3333-444444444444"),
        paths: Paths::Numbered,
        requests_per_10s: NonZeroU32::new(10_000),
        sensitive: false,
        describes: Marks::new(),
    }
}

fn contacts() -> StreamInfo {
    StreamInfo {
        name: "contacts".to_owned(),
        kind: StreamKind::Objects,
        object_type_id: Some("0-1".to_owned()),
        fully_qualified_name: None,
    }
}

/// Serves JSON for what a request asks.
async fn serve(reply: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static) -> Server {
    Server::start(move |seen| {
        let (status, body) = reply(seen);
        match body {
            Value::Null => Reply::Answer(axum::response::Response::builder().status(status).body("".into()).unwrap()),
            body => answer(status, body.to_string()),
        }
    })
    .await
}

fn level_of(seen: &Seen) -> &'static str {
    ["highly_sensitive", "non_sensitive", "sensitive"]
        .into_iter()
        .find(|level| seen.path_and_query.contains(&format!("dataSensitivity={level}")))
        .unwrap()
}

/// Reads the keys of all contacts, with as many properties as need batch reads, if `wide`.
async fn read_contacts(server: &Server, wide: bool) -> (Result<(), SourceError>, Vec<String>) {
    let name = |number: usize| format!("property_{number:050}");
    let properties = if wide { 300 } else { 1 };
    let columns = (0..properties)
        .map(|number| Field::new(name(number), ColumnType::Text).with(attribute::PROPERTY, name(number)))
        .chain([Field::new(record::OBJECT_ID, ColumnType::Text).required()])
        .collect();
    let request = ReadRequest {
        stream: contacts(),
        columns,
        ingested_at: "2026-11-23T20:15:00Z".parse().unwrap(),
        seen: RowsSeen::default(),
    };
    let (sender, mut batches) = mpsc::channel(8);
    let outcome = hubspot(server).read(request, sender).await.map(|lacking| assert!(lacking.is_empty()));
    let mut ids = Vec::new();
    while let Some(batch) = batches.recv().await {
        let column = batch.column(properties).as_any().downcast_ref::<StringArray>().unwrap();
        ids.extend(column.iter().map(|id| id.unwrap().to_owned()));
    }
    (outcome, ids)
}

fn records(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({ "id": id, "properties": {} })).collect()
}

#[tokio::test]
async fn a_property_listed_at_two_levels_is_as_sensitive_as_the_graver_one() {
    let server = serve(|seen| {
        let property = |level: &str| json!({ "name": "diagnosis", "type": "string", "dataSensitivity": level });
        match level_of(seen) {
            "sensitive" | "non_sensitive" => (200, json!({ "results": [property("non_sensitive")] })),
            _ => (403, Value::Null),
        }
    })
    .await;
    let twice_in_one = serve(|seen| match level_of(seen) {
        "non_sensitive" => {
            let said = ["non_sensitive", "highly_sensitive"]
                .map(|level| json!({ "name": "diagnosis", "type": "string", "dataSensitivity": level }));
            (200, json!({ "results": said }))
        }
        _ => (403, Value::Null),
    })
    .await;
    let schema = hubspot(&twice_in_one).schema(&contacts()).await.unwrap();
    assert!(schema.fields.iter().any(|field| field.name == "property_diagnosis" && !field.marks.is_empty()));
    let schema = hubspot(&server).schema(&contacts()).await.unwrap();
    let marked: Vec<_> =
        schema.fields.iter().filter(|field| !field.marks.is_empty()).map(|field| &field.name).collect();
    assert_eq!(marked, ["property_diagnosis"]);
}

#[tokio::test]
async fn definitions_of_sensitive_properties_are_left_out_with_their_values() {
    let server = serve(|seen| match seen.path_and_query.split('?').next().unwrap() {
        "/crm/v3/properties/0-1" if level_of(seen) == "sensitive" => {
            (200, json!({ "results": [{ "name": "diagnosis", "label": "Diagnosis of cancer", "type": "string" }] }))
        }
        "/crm/v3/properties/0-1" if level_of(seen) == "non_sensitive" => {
            (200, json!({ "results": [{ "name": "email", "type": "string" }] }))
        }
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        _ => (403, Value::Null),
    })
    .await;
    let stream = definitions::streams().find(|stream| stream.kind == StreamKind::PropertyDefinitions).unwrap();
    let request = ReadRequest {
        columns: vec![Field::new("name", ColumnType::Text), Field::new("label", ColumnType::Text)],
        stream,
        ingested_at: "2026-11-23T20:15:00Z".parse().unwrap(),
        seen: RowsSeen::default(),
    };
    let (sender, mut batches) = mpsc::channel(8);
    hubspot(&server).read(request, sender).await.unwrap();
    let batch = batches.recv().await.unwrap();
    let names = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
    assert_eq!(names.iter().collect::<Vec<_>>(), [Some("email")]);
}

#[tokio::test]
async fn sensitive_columns_that_are_wanted_never_vanish_with_a_scope() {
    for status in [400, 403, 404] {
        let server = serve(move |seen| match level_of(seen) {
            "non_sensitive" => (200, json!({ "results": [{ "name": "email", "type": "string" }] })),
            _ => (status, json!({ "category": "MISSING_SCOPES" })),
        })
        .await;
        let wanting = HubSpot::new(&Settings { sensitive: true, ..settings(&server) }).unwrap();
        let refused = wanting.schema(&contacts()).await.unwrap_err();
        assert!(matches!(&refused, SourceError::NotReadable { hint: Some(hint), .. } if hint.contains("exclude")));
        assert!(refused.to_string().contains("its sensitive properties are not listed"), "{refused}");
        hubspot(&server).schema(&contacts()).await.unwrap();
    }
}

#[tokio::test]
async fn lists_of_several_pages_are_read_to_their_end() {
    let server = serve(|seen| match level_of(seen) {
        "non_sensitive" if seen.path_and_query.contains("after=2") => {
            (200, json!({ "results": [{ "name": "fax", "type": "string" }] }))
        }
        "non_sensitive" => {
            (200, json!({ "results": [{ "name": "email", "type": "string" }], "paging": { "next": { "after": "2" } } }))
        }
        "sensitive" => (200, json!({ "results": [], "numErrors": 1 })),
        _ => (403, Value::Null),
    })
    .await;
    let refused = hubspot(&server).schema(&contacts()).await.unwrap_err();
    assert!(matches!(refused, SourceError::Incomplete { missing: 1, .. }), "{refused}");
    let whole = serve(|seen| match (level_of(seen), seen.path_and_query.contains("after=2")) {
        ("sensitive", false) => (200, json!({ "results": [], "paging": { "next": { "after": "2" } } })),
        ("sensitive", true) => (200, json!({ "results": [{ "name": "diagnosis", "type": "string" }] })),
        ("non_sensitive", _) => (200, json!({ "results": [{ "name": "email", "type": "string" }] })),
        _ => (403, Value::Null),
    })
    .await;
    let schema = hubspot(&whole).schema(&contacts()).await.unwrap();
    assert!(schema.fields.iter().any(|field| field.name == "property_diagnosis" && !field.marks.is_empty()));
}

#[tokio::test]
async fn definitions_say_which_types_they_lack() {
    let server = serve(|seen| match seen.path_and_query.split('?').next().unwrap() {
        "/crm/v3/properties/0-1" if level_of(seen) == "non_sensitive" => {
            (200, json!({ "results": [{ "name": "email", "type": "string" }] }))
        }
        "/crm/v3/properties/0-5" => (403, json!({ "category": "MISSING_SCOPES" })),
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        _ => (404, Value::Null),
    })
    .await;
    let stream = definitions::streams().find(|stream| stream.kind == StreamKind::PropertyDefinitions).unwrap();
    let columns = vec![Field::new("name", ColumnType::Text)];
    let request = ReadRequest {
        columns,
        stream,
        ingested_at: "2026-11-23T20:15:00Z".parse().unwrap(),
        seen: RowsSeen::default(),
    };
    let (sender, _batches) = mpsc::channel(8);
    assert_eq!(hubspot(&server).read(request, sender).await.unwrap(), ["tickets"]);
}

#[tokio::test]
async fn a_property_that_says_little_of_itself_is_text() {
    let server = serve(|seen| match level_of(seen) {
        "non_sensitive" => {
            let odd = json!({ "name": "odd", "type": null, "fieldType": null, "options": null });
            (200, json!({ "results": [odd, { "name": "odder" }] }))
        }
        _ => (403, Value::Null),
    })
    .await;
    let schema = hubspot(&server).schema(&contacts()).await.unwrap();
    for name in ["property_odd", "property_odder"] {
        let field = schema.fields.iter().find(|field| field.name == name).unwrap();
        assert_eq!(field.column_type, ColumnType::Text);
    }
}

#[tokio::test]
async fn two_properties_never_share_a_column() {
    let odd = names::column("First-Name");
    let crafted = odd.strip_prefix("property_").unwrap().to_owned();
    for (pair, column) in
        [(["First-Name".to_owned(), crafted], odd), (["Vip", "vip"].map(str::to_owned), "property_vip".to_owned())]
    {
        let server = serve(move |seen| match level_of(seen) {
            "non_sensitive" => {
                let properties = pair.clone().map(|name| json!({ "name": name, "type": "string" }));
                (200, json!({ "results": properties }))
            }
            _ => (403, Value::Null),
        })
        .await;
        let refused = hubspot(&server).schema(&contacts()).await.unwrap_err();
        assert!(refused.to_string().ends_with(&format!("would both become column `{column}`")), "{refused}");
    }
}

#[tokio::test]
async fn a_custom_type_whose_id_is_no_id_is_refused() {
    let server =
        serve(|_| (200, json!({ "results": [{ "name": "car", "objectTypeId": "2-1/../0-1", "labels": {} }] }))).await;
    let refused = hubspot(&server).streams().await.unwrap_err();
    assert!(crate::error_chain(&refused).contains("two numbers with `-` between"), "{}", crate::error_chain(&refused));
}

#[tokio::test]
async fn records_that_a_batch_read_leaves_out_are_never_lost_in_silence() {
    for (status, body) in [
        (200, json!({ "results": records(&["1"]) })),
        (
            207,
            json!({ "results": records(&["1"]), "errors": [{ "category": "TIMEOUT", "context": { "ids": ["2"] } }] }),
        ),
        (404, json!({ "category": "OBJECT_NOT_FOUND" })),
    ] {
        let server = serve(move |seen| {
            if seen.path_and_query.contains("batch/read") {
                (status, body.clone())
            } else {
                (200, json!({ "results": records(&["1", "2"]) }))
            }
        })
        .await;
        let (outcome, ids) = read_contacts(&server, true).await;
        let missing = if status == 404 { 2 } else { 1 };
        assert_eq!(
            outcome.unwrap_err().to_string(),
            format!(
                "the records of stream `contacts` are not complete: of 2 records that are listed together, {missing} were not given"
            )
        );
        assert!(ids.is_empty());
    }
}

#[tokio::test]
async fn a_record_that_is_listed_and_said_to_be_gone_is_asked_for_again() {
    let asked = AtomicUsize::new(0);
    let server = serve(move |seen| {
        if !seen.path_and_query.contains("batch/read") {
            return (200, json!({ "results": records(&["1", "2"]) }));
        }
        if asked.fetch_add(1, Ordering::SeqCst) > 0 {
            return (200, json!({ "results": records(&["1", "2"]) }));
        }
        let gone = json!([{ "category": "OBJECT_NOT_FOUND", "context": { "ids": ["2"] } }]);
        (207, json!({ "results": records(&["1"]), "errors": gone }))
    })
    .await;
    let (outcome, ids) = read_contacts(&server, true).await;
    outcome.unwrap();
    assert_eq!(ids, ["1", "2"]);
}

#[tokio::test]
async fn a_record_archived_between_list_and_batch_read_is_left_out() {
    for (status, answer) in
        [(404, json!({ "category": "OBJECT_NOT_FOUND" })), (200, json!({ "results": records(&["2"]) }))]
    {
        let listings = AtomicUsize::new(0);
        let server = serve(move |seen| {
            if !seen.path_and_query.contains("batch/read") {
                let ids: &[&str] = if listings.fetch_add(1, Ordering::SeqCst) == 0 { &["1", "2"] } else { &["2"] };
                return (200, json!({ "results": records(ids) }));
            }
            if seen.body.contains(r#""id":"1""#) {
                (status, answer.clone())
            } else {
                (200, json!({ "results": records(&["2"]) }))
            }
        })
        .await;
        let (outcome, ids) = read_contacts(&server, true).await;
        outcome.unwrap();
        assert_eq!(ids, ["2"]);
    }
}

#[tokio::test]
async fn a_list_without_an_end_is_an_error() {
    let ever_new = AtomicUsize::new(0);
    let empty = serve(move |_| {
        let after = ever_new.fetch_add(1, Ordering::SeqCst).to_string();
        (200, json!({ "results": [], "paging": { "next": { "after": after } } }))
    })
    .await;
    let ever_new = AtomicUsize::new(0);
    let same_records = serve(move |_| {
        let after = ever_new.fetch_add(1, Ordering::SeqCst).to_string();
        (200, json!({ "results": records(&["1"]), "paging": { "next": { "after": after } } }))
    })
    .await;
    for server in [empty, same_records] {
        let (outcome, _) = read_contacts(&server, false).await;
        assert!(matches!(outcome, Err(SourceError::Endless { .. })), "{outcome:?}");
    }
}

/// What people see of a run moves with each page, and not only when thousands of rows make a batch.
#[tokio::test]
async fn rows_are_counted_as_their_pages_come_in() {
    let seen = RowsSeen::default();
    let at_each_page = Arc::new(Mutex::new(Vec::new()));
    let (counter, log) = (seen.clone(), Arc::clone(&at_each_page));
    let server = serve(move |request| {
        log.lock().unwrap().push(counter.get());
        let page = match request.path_and_query.split("after=").nth(1) {
            None => json!({ "results": records(&["1", "2"]), "paging": { "next": { "after": "2" } } }),
            Some("2") => json!({ "results": records(&["3", "4", "5"]), "paging": { "next": { "after": "5" } } }),
            Some(_) => json!({ "results": records(&["6"]) }),
        };
        (200, page)
    })
    .await;
    let columns = vec![Field::new(record::OBJECT_ID, ColumnType::Text).required()];
    let ingested_at = "2026-11-23T20:15:00Z".parse().unwrap();
    let request = ReadRequest { stream: contacts(), columns, ingested_at, seen: seen.clone() };
    let (sender, mut batches) = mpsc::channel(8);
    hubspot(&server).read(request, sender).await.unwrap();
    assert_eq!(*at_each_page.lock().unwrap(), [0, 2, 5], "what was counted when each page was asked for");
    assert_eq!((seen.get(), batches.recv().await.unwrap().num_rows()), (6, 6), "and all came as one batch");
}
