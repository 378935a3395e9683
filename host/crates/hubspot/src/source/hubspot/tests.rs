//! The source against a HubSpot that contradicts itself, leaves things out, or does not end.

mod counts;
mod divided;
mod events;
mod excess;
mod history;
mod linked;
mod listed;

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use arrow_array::{Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use sluice_model::{
    delivery::{Delivery, Rows},
    schema::{ColumnType, Field, Mark, attribute},
};
use tokio::sync::mpsc;

use super::*;
use crate::{
    http::{
        Backoff, Patience,
        tests::server::{Reply, Seen, Server, answer},
    },
    source::{Read, Readers, RowsSeen},
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
        reserve: Reserve::NONE,
        retry: RetryPolicy {
            patience: Patience::Attempts(NonZeroU32::new(3).unwrap()),
            backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO },
        },
        sensitive: false,
        marking: Marking::new(|_, _| {}),
        events: None,
    }
}

/// The stream of a kind that an account has one of.
fn single(kind: StreamKind) -> StreamInfo {
    StreamInfo::new(kind.as_str(), kind)
}

fn contacts() -> StreamInfo {
    StreamInfo::new("contacts", StreamKind::objects("0-1"))
}

impl HubSpot {
    /// Reads a whole stream, with one reader. The batches alone go into the channel.
    async fn read_whole(&self, request: ReadRequest, batches: mpsc::Sender<RecordBatch>) -> Result<Read, SourceError> {
        let reading = self.open(request);
        let (sender, mut deliveries) = mpsc::channel(8);
        let pass_on = async {
            while let Some(Delivery { batch, rows: Rows::Put, position: None, .. }) = deliveries.recv().await {
                batches.send(batch).await.unwrap();
            }
        };
        let (outcome, ()) = join(reading.read(reading.slice().unwrap(), sender), pass_on).await;
        outcome?;
        reading.finish().await
    }
}

/// Reads a stream slice after slice, with one reader; what it says, and what came.
async fn read_by_slices(hubspot: &HubSpot, request: ReadRequest) -> (Result<Read, SourceError>, Vec<Delivery>) {
    let reading = hubspot.open(request);
    let (sender, mut deliveries) = mpsc::channel(1024);
    let outcome = async {
        while let Some(slice) = reading.slice() {
            reading.read(slice, sender.clone()).await?;
        }
        reading.finish().await
    }
    .await;
    drop(sender);
    let mut came = Vec::new();
    while let Some(delivery) = deliveries.recv().await {
        came.push(delivery);
    }
    (outcome, came)
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

/// HubSpot's own word that the token may not see something.
fn forbidden() -> (u16, Value) {
    (403, json!({ "status": "error", "category": "MISSING_SCOPES" }))
}

/// HubSpot's own word that the account has no such thing.
fn absent() -> (u16, Value) {
    (404, json!({ "status": "error", "category": "OBJECT_NOT_FOUND" }))
}

fn level_of(seen: &Seen) -> &'static str {
    ["highly_sensitive", "non_sensitive", "sensitive"]
        .into_iter()
        .find(|level| seen.path_and_query.contains(&format!("dataSensitivity={level}")))
        .unwrap()
}

/// A stream, read whole by one reader.
fn one_reader(stream: StreamInfo, columns: Vec<Field>) -> ReadRequest {
    ReadRequest {
        stream,
        columns,
        ingested_at: "2026-11-23T20:15:00Z".parse().unwrap(),
        readers: Readers::One,
        keeps_ids: false,
        resumes: None,
        seen: RowsSeen::default(),
    }
}

/// What to ask for the keys of all contacts, with as many properties as need batch reads, if `wide`; and the place of the
/// key among the columns.
fn of_contacts(wide: bool) -> (ReadRequest, usize) {
    let name = |number: usize| format!("property_{number:050}");
    let properties = if wide { 300 } else { 1 };
    let columns = (0..properties)
        .map(|number| Field::new(name(number), ColumnType::Text).with(attribute::PROPERTY, name(number)))
        .chain([Field::new(record::OBJECT_ID, ColumnType::Text).required()])
        .collect();
    let request = one_reader(contacts(), columns);
    (request, properties)
}

/// Reads the keys of all contacts, with batch reads, if `wide`.
async fn read_contacts(server: &Server, wide: bool) -> (Result<(), SourceError>, Vec<String>) {
    let (request, properties) = of_contacts(wide);
    let (sender, mut batches) = mpsc::channel(8);
    let outcome = hubspot(server).read_whole(request, sender).await.map(drop);
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
            _ => forbidden(),
        }
    })
    .await;
    let twice_in_one = serve(|seen| match level_of(seen) {
        "non_sensitive" => {
            let said = ["non_sensitive", "highly_sensitive"]
                .map(|level| json!({ "name": "diagnosis", "type": "string", "dataSensitivity": level }));
            (200, json!({ "results": said }))
        }
        _ => forbidden(),
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
        _ => forbidden(),
    })
    .await;
    let stream = single(StreamKind::PropertyDefinitions);
    let request = one_reader(stream, vec![Field::new("name", ColumnType::Text), Field::new("label", ColumnType::Text)]);
    let (sender, mut batches) = mpsc::channel(8);
    hubspot(&server).read_whole(request, sender).await.unwrap();
    let batch = batches.recv().await.unwrap();
    let names = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
    assert_eq!(names.iter().collect::<Vec<_>>(), [Some("email")]);
}

/// Whoever marks them: what the sink makes of the marks the source does not know.
#[tokio::test]
async fn what_is_said_of_marked_properties_stands_in_columns_of_its_own() {
    let server = serve(|seen| match seen.path_and_query.split('?').next().unwrap() {
        "/crm/v3/properties/0-1" => {
            let property = |name: &str| {
                json!({ "name": name, "type": "number", "label": format!("Label of {name}"), "groupName": "a group",
                        "description": "a text", "options": [{ "label": "yes" }], "sensitiveDataCategories": [] })
            };
            let mut grave = property("grave");
            grave["sensitiveDataCategories"] = json!(["HIPAA"]);
            let listed = match level_of(seen) {
                "non_sensitive" => vec![property("email"), property("Intake notes"), grave],
                "sensitive" => vec![property("diagnosis")],
                _ => vec![],
            };
            (200, json!({ "results": listed }))
        }
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        _ => forbidden(),
    })
    .await;
    let marking = Marking::new(|_, fields| {
        let is_of_notes =
            |field: &&mut Field| field.attributes.get(attribute::PROPERTY).is_some_and(|own| own == "Intake notes");
        fields.iter_mut().filter(is_of_notes).for_each(|field| field.marks.extend("phi".parse()));
    });
    let stream = single(StreamKind::PropertyDefinitions);
    for (sensitive, marks, names, marked) in [
        (false, vec![], vec!["Intake notes", "email"], vec!["Intake notes"]),
        (
            true,
            vec!["hipaa", "sensitive"],
            vec!["Intake notes", "diagnosis", "email", "grave"],
            vec!["Intake notes", "diagnosis", "grave"],
        ),
    ] {
        let hubspot = HubSpot::new(&Settings { sensitive, marking: marking.clone(), ..settings(&server) }).unwrap();
        let schema = hubspot.schema(&stream).await.unwrap();
        assert_eq!(schema.fields.iter().filter(|field| field.is_of_marked()).count(), 4);
        for field in &schema.fields {
            let expected = if field.is_of_marked() { &marks[..] } else { &[] };
            assert_eq!(field.marks.iter().map(Mark::as_str).collect::<Vec<_>>(), expected, "{}", field.name);
        }
        let request = one_reader(stream.clone(), schema.fields.clone());
        let (sender, mut batches) = mpsc::channel(8);
        hubspot.read_whole(request, sender).await.unwrap();
        let batch = batches.recv().await.unwrap();
        let column = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_any().downcast_ref::<StringArray>().unwrap();
            column.iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
        };
        let of = column("name");
        assert_eq!(of.iter().flatten().collect::<Vec<_>>(), names);
        for pair in [
            ["label", "markedLabel"],
            ["description", "markedDescription"],
            ["groupName", "markedGroupName"],
            ["options", "markedOptions"],
        ] {
            for ((name, open), of_marked) in of.iter().flatten().zip(column(pair[0])).zip(column(pair[1])) {
                let is_marked = marked.contains(&name.as_str());
                assert_eq!((open.is_some(), of_marked.is_some()), (!is_marked, is_marked), "{name}: {pair:?}");
            }
        }
    }
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
        _ => forbidden(),
    })
    .await;
    let refused = hubspot(&server).schema(&contacts()).await.unwrap_err();
    assert!(matches!(refused, SourceError::Incomplete { missing: 1, .. }), "{refused}");
    let whole = serve(|seen| match (level_of(seen), seen.path_and_query.contains("after=2")) {
        ("sensitive", false) => (200, json!({ "results": [], "paging": { "next": { "after": "2" } } })),
        ("sensitive", true) => (200, json!({ "results": [{ "name": "diagnosis", "type": "string" }] })),
        ("non_sensitive", _) => (200, json!({ "results": [{ "name": "email", "type": "string" }] })),
        _ => forbidden(),
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
        "/crm/v3/properties/0-5" => forbidden(),
        "/crm/v3/properties/0-1" | "/crm/v3/properties/0-2" | "/crm/v3/properties/0-3" | "/crm/v3/schemas" => {
            (200, json!({ "results": [] }))
        }
        _ => absent(),
    })
    .await;
    let stream = single(StreamKind::PropertyDefinitions);
    let columns = vec![Field::new("name", ColumnType::Text)];
    let request = one_reader(stream, columns);
    let (sender, _batches) = mpsc::channel(8);
    let read = hubspot(&server).read_whole(request, sender).await.unwrap();
    let hidden = read.lacking.iter().filter(|lacking| lacking.why == Unreadable::Forbidden);
    assert_eq!(hidden.map(|lacking| lacking.name.as_str()).collect::<Vec<_>>(), ["tickets"]);
    assert_eq!(read.present, ["0-1"]);
    let lost = |before: &[&str]| read.lost(&before.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
    assert_eq!(lost(&["0-1", "0-5", "0-7", "2-1"]), ["tickets", "products"]);
}

#[tokio::test]
async fn a_property_that_says_little_of_itself_is_text() {
    let server = serve(|seen| match level_of(seen) {
        "non_sensitive" => {
            let odd = json!({ "name": "odd", "type": null, "fieldType": null, "options": null });
            (200, json!({ "results": [odd, { "name": "odder" }] }))
        }
        _ => forbidden(),
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
    for (pair, plain) in
        [(["First-Name".to_owned(), crafted], odd), (["Vip", "vip"].map(str::to_owned), "property_vip".to_owned())]
    {
        let properties = pair.clone();
        let server = serve(move |seen| match level_of(seen) {
            "non_sensitive" => {
                let properties = properties.clone().map(|name| json!({ "name": name, "type": "string" }));
                (200, json!({ "results": properties }))
            }
            _ => forbidden(),
        })
        .await;
        let schema = hubspot(&server).schema(&contacts()).await.unwrap();
        let of = |property: &String| {
            let is = |field: &&Field| field.attributes.get(attribute::PROPERTY) == Some(property);
            schema.fields.iter().find(is).unwrap()
        };
        assert_eq!(
            (of(&pair[1]).name.as_str(), of(&pair[1]).attributes.get(attribute::SHARED_NAME)),
            (plain.as_str(), None)
        );
        assert_ne!(of(&pair[0]).name.to_ascii_lowercase(), plain.to_ascii_lowercase());
        assert!(of(&pair[0]).attributes.contains_key(attribute::SHARED_NAME));
    }
}

#[tokio::test]
async fn a_custom_type_whose_id_is_no_id_is_refused() {
    let server =
        serve(|_| (200, json!({ "results": [{ "name": "car", "objectTypeId": "2-1/../0-1", "labels": {} }] }))).await;
    let refused = hubspot(&server).streams().await.unwrap_err();
    assert!(
        sluice_model::error_chain(&refused).contains("two numbers with `-` between"),
        "{}",
        sluice_model::error_chain(&refused)
    );
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

/// Answers that look like a refusal and are not HubSpot's word.
fn no_word_of_hubspots() -> [(u16, Value); 6] {
    let gateway = json!({ "message": "no Route matched with those values" });
    [
        (404, Value::Null),
        (403, Value::Null),
        (404, gateway.clone()),
        (403, gateway),
        (400, json!("bad request")),
        (404, json!({ "status": "error", "message": "no category" })),
    ]
}

#[tokio::test]
async fn that_there_is_none_is_hubspots_word_and_no_status() {
    for (status, body) in no_word_of_hubspots() {
        // Once: the next answer counts. Always: the run cannot know what the account has.
        for times in [1, usize::MAX] {
            let (asked, body) = (AtomicUsize::new(0), body.clone());
            let server = serve(move |seen| match seen.path_and_query.split('?').next().unwrap() {
                "/crm/v3/schemas" => (200, json!({ "results": [] })),
                "/crm/v3/pipelines/0-3" if asked.fetch_add(1, Ordering::SeqCst) < times => (status, body.clone()),
                "/crm/v3/pipelines/0-3" => {
                    (200, json!({ "results": [{ "id": "default", "stages": [], "label": "Sales" }] }))
                }
                _ => absent(),
            })
            .await;
            let stream = single(StreamKind::Pipelines);
            let columns = vec![Field::new("pipelineId", ColumnType::Text)];
            let request = one_reader(stream, columns);
            let (sender, _batches) = mpsc::channel(8);
            let read = hubspot(&server).read_whole(request, sender).await;
            match times {
                1 => assert_eq!(read.unwrap().present, ["0-3"], "{status}"),
                _ => assert!(matches!(read, Err(SourceError::Http { .. })), "{status} {read:?}"),
            }
        }
    }
}

#[tokio::test]
async fn contacts_are_never_absent() {
    let server = serve(|_| absent()).await;
    let refused = hubspot(&server).schema(&contacts()).await.unwrap_err();
    assert_eq!(refused.to_string(), "HubSpot says that the account has no contacts, which every account has");
    let server = serve(|_| (404, Value::Null)).await;
    let refused = hubspot(&server).schema(&contacts()).await.unwrap_err();
    assert!(matches!(refused, SourceError::Http { .. }), "{refused}");
}

#[tokio::test]
async fn a_token_that_is_rejected_is_told_as_that() {
    let server = serve(|_| (401, json!({ "status": "error", "category": "INVALID_AUTHENTICATION" }))).await;
    let refused = hubspot(&server).streams().await.unwrap_err();
    assert_eq!(refused.to_string(), "HubSpot rejected the access token (401)");
}

#[tokio::test]
async fn an_account_elsewhere_is_told_with_its_place() {
    for status in [307, 488] {
        let server = Server::start(move |_| {
            let place = "https://api-eu1.hubapi.com/crm/v3/schemas?secret=1";
            crate::http::tests::server::with_header(status, "location", place, "")
        })
        .await;
        let refused = hubspot(&server).streams().await.unwrap_err();
        let told = sluice_model::error_chain(&refused);
        assert!(told.contains("ask 'https://api-eu1.hubapi.com'") && !told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn definitions_are_asked_for_once() {
    let server = serve(|seen| match seen.path_and_query.split('?').next().unwrap() {
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        path if path.ends_with("/0-1") || path.ends_with("/0-2") || path.ends_with("/0-3") => {
            (200, json!({ "results": [{ "id": "x", "name": "x" }] }))
        }
        _ => absent(),
    })
    .await;
    let hubspot = hubspot(&server);
    hubspot.schema(&contacts()).await.unwrap();
    let of_types = [
        StreamKind::Pipelines,
        StreamKind::PipelineStages,
        StreamKind::PropertyDefinitions,
        StreamKind::TypeDefinitions,
    ];
    for stream in of_types.map(single) {
        let request = one_reader(stream, Vec::new());
        let (sender, _batches) = mpsc::channel(8);
        // Rows without a column make no batch.
        let read = hubspot.read_whole(request, sender).await;
        assert!(matches!(read, Ok(_) | Err(SourceError::Batch { .. })), "{read:?}");
    }
    let mut paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path_and_query).collect();
    let asked = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(asked, paths.len());
}

#[tokio::test]
async fn a_property_that_is_archived_in_the_middle_is_noticed() {
    // HubSpot names every property that was asked for, until it does not know it any more.
    for still_listed in [false, true] {
        let server = serve(move |seen| {
            let page = |id: &str, properties: Value, paging: Value| {
                (200, json!({ "results": [{ "id": id, "properties": properties }], "paging": paging }))
            };
            match seen.path_and_query.as_str() {
                path if path.contains("/properties/") && still_listed => {
                    (200, json!({ "results": [{ "name": "fax" }] }))
                }
                path if path.contains("/properties/") => (200, json!({ "results": [{ "name": "email" }] })),
                path if path.contains("after=2") => page("2", json!({ "email": null }), Value::Null),
                _ => page("1", json!({ "email": null, "fax": "1" }), json!({ "next": { "after": "2" } })),
            }
        })
        .await;
        let field =
            |name: &str| Field::new(format!("property_{name}"), ColumnType::Text).with(attribute::PROPERTY, name);
        let columns = vec![field("email"), field("fax"), field("never")];
        let request = one_reader(contacts(), columns);
        let (sender, _batches) = mpsc::channel(8);
        let read = hubspot(&server).read_whole(request, sender).await.unwrap();
        let expected: &[&str] = if still_listed { &[] } else { &["fax"] };
        assert_eq!(
            (read.cut.as_slice(), read.unnamed.as_slice()),
            (
                expected.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>().as_slice(),
                ["never".to_owned()].as_slice()
            )
        );
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
    let request = ReadRequest { seen: seen.clone(), ..one_reader(contacts(), columns) };
    let (sender, mut batches) = mpsc::channel(8);
    hubspot(&server).read_whole(request, sender).await.unwrap();
    assert_eq!(*at_each_page.lock().unwrap(), [0, 2, 5], "what was counted when each page was asked for");
    assert_eq!((seen.get(), batches.recv().await.unwrap().num_rows()), (6, 6), "and all came as one batch");
}

/// What has been seen in answers and stands nowhere in the documentation, each in a list with a thing that is as it should
/// be: none ends the reading, and each costs one value at most.
#[tokio::test]
async fn odd_members_of_definitions_cost_one_value() {
    let odd_lists = |path: &str| -> Option<&'static str> {
        Some(match path {
            "/crm/v3/schemas" => {
                r#"{"results":[{"objectTypeId":"2-7","name":"car","labels":{"singular":"cut \ud83d","plural":5},
                    "archived":"false","\ud83d":1},{"objectTypeId":"2-8","name":"bus","labels":null}],
                    "paging":{"next":{"after":null}},"errors":null,"numErrors":0.0}"#
            }
            "/crm/v3/properties/0-1" => {
                r#"{"results":[{"name":"email","label":"cut \ud83d","description":{"a":1},"type":"string",
                    "options":[{"label":"half \udc00","value":"x"}],"calculated":"true","createdAt":5},
                    {"name":7,"type":null}],"paging":null}"#
            }
            "/crm/v3/pipelines/0-3" => {
                r#"{"results":[{"id":123,"label":"Sales","displayOrder":1.0,"stages":null},
                    {"id":"b","displayOrder":"2","stages":[{"id":5,"label":null,"displayOrder":-1.0,"metadata":null}]}]}"#
            }
            "/crm/v3/owners" => {
                r#"{"results":[{"id":9,"email":null,"userId":"8","archived":0}],"paging":{"next":null}}"#
            }
            _ => return None,
        })
    };
    let server = Server::start(move |seen| match odd_lists(seen.path_and_query.split('?').next().unwrap()) {
        Some(body) => answer(200, body),
        None => answer(404, absent().1.to_string()),
    })
    .await;
    let hubspot = hubspot(&server);
    let streams = hubspot.streams().await.unwrap();
    assert!(["car", "bus"].iter().all(|name| streams.iter().any(|stream| stream.name == *name)));
    let schema = hubspot.schema(&contacts()).await.unwrap();
    let label = schema.fields.iter().find(|field| field.name == "property_email").unwrap();
    assert_eq!(label.attributes[attribute::LABEL], "cut \u{fffd}");
    assert!(schema.fields.iter().any(|field| field.name == "property_7"));
    let listed = hubspot.properties("0-1").await.unwrap();
    let options = listed.as_ref().as_ref().unwrap().iter().find_map(|property| property.options.as_ref()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(options.get()).unwrap()[0]["label"], "half \u{fffd}");

    let rows = async |kind: StreamKind, columns: &[(&str, ColumnType)]| -> Vec<String> {
        let stream = single(kind);
        let columns = columns.iter().map(|(name, column_type)| Field::new(*name, *column_type)).collect();
        let request = one_reader(stream, columns);
        let (sender, mut batches) = mpsc::channel(8);
        hubspot.read_whole(request, sender).await.unwrap();
        let batch = batches.recv().await.unwrap();
        let options = arrow_cast::display::FormatOptions::default().with_null("–");
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow_cast::display::ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" ");
        (0..batch.num_rows()).map(row).collect()
    };
    let pipelines = [("pipelineId", ColumnType::Text), ("displayOrder", ColumnType::Integer)];
    assert_eq!(rows(StreamKind::Pipelines, &pipelines).await, ["123 1", "b 2"]);
    let stages = [("stageId", ColumnType::Text), ("displayOrder", ColumnType::Integer), ("metadata", ColumnType::Text)];
    assert_eq!(rows(StreamKind::PipelineStages, &stages).await, ["5 -1 {}"]);
    let owners = [("ownerId", ColumnType::Text), ("userId", ColumnType::Text), ("archived", ColumnType::Boolean)];
    assert_eq!(rows(StreamKind::Owners, &owners).await, ["9 8 –"]);
}

#[tokio::test]
async fn odd_members_of_pages_cost_nothing() {
    for wide in [false, true] {
        let server = Server::start(|seen| {
            let first = r#"{"results":[{"id":1,"properties":{"cut \ud83d":"x"}}],"paging":{"next":{"after":100}}}"#;
            let last =
                r#"{"results":[{"id":2,"properties":{},"\udc00":[]}],"paging":{"next":{"after":null}},"errors":null}"#;
            let is_first = if seen.path_and_query.contains("batch/read") {
                seen.body.contains(r#""id":"1""#)
            } else {
                !seen.path_and_query.contains("after=100")
            };
            answer(200, if is_first { first } else { last })
        })
        .await;
        let (outcome, ids) = read_contacts(&server, wide).await;
        outcome.unwrap();
        assert_eq!(ids, ["1", "2"], "{wide}");
    }
}

#[tokio::test]
async fn a_daily_limit_is_recognized_whatever_stands_beside_it() {
    for members in [
        r#""errors":null"#,
        r#""errors":[null,5,{"context":null}],"context":[]"#,
        r#""message":5,"category":null,"correlationId":{}"#,
        r#""message":"half \ud83d""#,
    ] {
        let body = format!(r#"{{"status":"error","policyName":"DAILY",{members}}}"#);
        let server = Server::start(move |_| answer(429, body.clone())).await;
        let refused = hubspot(&server).streams().await.unwrap_err();
        assert!(sluice_model::error_chain(&refused).contains("the daily limit of requests is used up"), "{refused:?}");
        assert_eq!(server.seen().len(), 1, "{members}");
    }
}

#[tokio::test]
async fn a_list_never_ends_by_mistake() {
    for paging in [r#""more""#, "[1]", r#"{"next":"x"}"#, r#"{"next":{"after":{}}}"#, r#"{"next":{"after":[2]}}"#] {
        let body = format!(r#"{{"results":[{{"id":"1","name":"a","properties":{{}}}}],"paging":{paging}}}"#);
        let server = Server::start(move |_| answer(200, body.clone())).await;
        let (outcome, _) = read_contacts(&server, false).await;
        assert!(outcome.is_err(), "{paging}");
        hubspot(&server).schema(&contacts()).await.unwrap_err();
    }
    for errors in [r#"{"a":1}"#, "[null]", "5"] {
        let body = format!(r#"{{"results":[{{"name":"a"}}],"errors":{errors}}}"#);
        let server = Server::start(move |_| answer(200, body.clone())).await;
        let refused = hubspot(&server).schema(&contacts()).await.unwrap_err();
        assert!(matches!(refused, SourceError::Incomplete { .. }), "{errors} {refused}");
    }
}

/// Whatever went wrong before it: the last answer counts.
#[tokio::test]
async fn a_refusal_after_a_fault_that_passed_is_a_refusal() {
    let asked = AtomicUsize::new(0);
    let server = serve(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => (502, Value::Null),
        _ => (401, json!({ "category": "INVALID_AUTHENTICATION" })),
    })
    .await;
    let refused = hubspot(&server).streams().await.unwrap_err();
    assert_eq!(refused.to_string(), "HubSpot rejected the access token (401)");
    let SourceError::TokenRejected { cause, .. } = refused else { panic!("{refused:?}") };
    assert!(!cause.may_pass());
}
