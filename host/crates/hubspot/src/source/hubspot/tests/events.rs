//! Events, from a HubSpot whose types vanish, whose pages overlap and whose occurrences have more than is defined.

use std::collections::BTreeSet;

use arrow_array::{cast::AsArray, types::Float64Type};

use super::*;
use crate::source::Covers;

const OCCURRENCES: &str = "/events/v3/events";

fn path(seen: &Seen) -> &str {
    seen.path_and_query.split('?').next().unwrap()
}

/// The value of a parameter, as it stands in the query.
fn parameter<'s>(seen: &'s Seen, name: &str) -> Option<&'s str> {
    let query = seen.path_and_query.split_once('?')?.1;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn occurrence(id: &str, of: &str, properties: &Value) -> Value {
    json!({ "id": id, "eventType": "pe1_signed_up", "objectId": of, "objectType": "CONTACT",
            "occurredAt": "2026-02-03T04:05:06Z", "properties": properties })
}

fn list(id: &str, name: &str, type_id: &str) -> Value {
    json!({ "listId": id, "name": name, "objectTypeId": type_id, "additionalProperties": { "hs_list_size": "3" } })
}

/// A HubSpot with contacts 1 to 6, changed on the days 1 to 6 of a month, whose occurrences are told by `occurrences`.
async fn with_events(occurrences: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static) -> Server {
    serve(move |seen| match path(seen) {
        "/crm/v3/objects/0-1" => {
            let record = |id: u64| json!({ "id": id, "updatedAt": format!("2026-03-0{id}T00:00:00Z"), "properties": {} });
            (200, json!({ "results": (1..=6).map(record).collect::<Vec<_>>() }))
        }
        "/crm/v3/objects/0-1/search" => {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let changed = body["filterGroups"][0]["filters"][0].clone();
            if changed.is_object() {
                assert_eq!(
                    changed,
                    json!({ "propertyName": "lastmodifieddate", "operator": "GTE", "value": "1772582400000" })
                );
                return (200, json!({ "total": 3, "results": [] }));
            }
            (200, json!({ "total": 6, "results": [] }))
        }
        "/crm/v3/lists/search" => {
            let lists = [
                list("10", "patients", "0-1"),
                list("11", "twice", "0-1"),
                list("12", "twice", "0-1"),
                list("13", "firms", "0-2"),
            ];
            (200, json!({ "lists": lists, "hasMore": false, "offset": 4, "total": 4 }))
        }
        "/crm/v3/lists/10/memberships" => match parameter(seen, "after") {
            None => (
                200,
                json!({ "results": [{ "recordId": "5" }, { "recordId": "2" }], "paging": { "next": { "after": "x" } } }),
            ),
            Some(_) => (200, json!({ "results": [{ "recordId": 2 }, { "recordId": 9 }] })),
        },
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        "/events/v3/events/event-types" => {
            (200, json!({ "eventTypes": ["e_visited_page", "pe1_signed_up", "pe1_gone", "pe1_signed_up"] }))
        }
        "/events/v3/event-definitions" => {
            assert_eq!(parameter(seen, "includeProperties"), Some("true"));
            let properties = json!([
                { "name": "score", "type": "number" },
                { "name": "diagnosis", "type": "string", "dataSensitivity": "sensitive" },
            ]);
            let definition = json!({ "id": 1, "fullyQualifiedName": "pe1_signed_up", "name": "signed_up", "objectTypeId": "6-7",
                                     "properties": properties });
            (200, json!({ "results": [definition], "total": 1 }))
        }
        OCCURRENCES => occurrences(seen),
        other => panic!("{other}"),
    })
    .await
}

fn of_contacts(records: EventRecords) -> EventScope {
    EventScope { of: "0-1".to_owned(), records, since: None }
}

fn reader_of(server: &Server, scope: EventScope) -> HubSpot {
    HubSpot::new(&Settings { events: Some(scope), ..settings(server) }).unwrap()
}

async fn stream(hubspot: &HubSpot, name: &str) -> StreamInfo {
    let streams = hubspot.streams().await.unwrap();
    streams.into_iter().find(|stream| stream.names().any(|it| it == name)).unwrap()
}

/// To read all columns of the account's own events.
async fn request(hubspot: &HubSpot) -> ReadRequest {
    let stream = stream(hubspot, "events:signed_up").await;
    ReadRequest {
        columns: hubspot.schema(&stream).await.unwrap().fields,
        stream,
        ingested_at: "2026-11-23T20:15:00Z".parse().unwrap(),
        readers: Readers::One,
        keeps_ids: false,
        resumes: None,
        seen: RowsSeen::default(),
    }
}

async fn read(hubspot: &HubSpot, request: ReadRequest) -> (Result<Read, SourceError>, Vec<RecordBatch>) {
    let (outcome, deliveries) = read_by_slices(hubspot, request).await;
    let batch = |Delivery { batch, strand, .. }| {
        assert_eq!(strand, 0);
        batch
    };
    (outcome, deliveries.into_iter().map(batch).collect())
}

fn texts(batches: &[RecordBatch], column: &str) -> Vec<String> {
    let text = |batch: &RecordBatch| -> Vec<String> {
        let column = batch.column_by_name(column).unwrap().as_string::<i32>().clone();
        column.iter().map(|text| text.unwrap_or("-").to_owned()).collect()
    };
    batches.iter().flat_map(text).collect()
}

/// The records that were asked for what happened to them.
fn asked(server: &Server) -> Vec<String> {
    let seen = server.seen();
    let of_records = seen.iter().filter(|seen| path(seen) == OCCURRENCES && parameter(seen, "after").is_none());
    of_records.filter_map(|seen| parameter(seen, "objectId")).map(str::to_owned).collect()
}

fn none(_: &Seen) -> (u16, Value) {
    (200, json!({ "results": [] }))
}

#[tokio::test]
async fn there_is_a_stream_for_each_type_if_somebody_says_of_which_records() {
    let server = with_events(|seen| {
        assert_eq!((parameter(seen, "eventType"), parameter(seen, "objectId")), (Some("e_visited_page"), None));
        (200, json!({ "results": [{ "properties": { "url": "x", "b": 1 } }, { "properties": { "a": null } }, {}] }))
    })
    .await;
    assert!(hubspot(&server).streams().await.unwrap().iter().all(|it| !matches!(it.kind, StreamKind::Events { .. })));
    let nobody = reader_of(&server, EventScope { of: "unicorns".to_owned(), ..of_contacts(EventRecords::All) });
    assert!(nobody.streams().await.unwrap().iter().all(|it| !matches!(it.kind, StreamKind::Events { .. })));
    let hubspot = reader_of(&server, of_contacts(EventRecords::All));
    let all = hubspot.streams().await.unwrap();
    let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).filter(|name| name.starts_with("events:")).collect();
    assert_eq!(names, ["events:visited_page", "events:signed_up", "events:gone"]);
    let own = stream(&hubspot, "events:6-7").await;
    assert_eq!((own.name.as_str(), hubspot.needs(&own)), ("events:signed_up", vec!["0-1".to_owned()]));
    let schema = hubspot.schema(&own).await.unwrap();
    let columns: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        columns,
        [
            "id",
            "eventTypeId",
            "objectTypeId",
            "objectId",
            "occurredAt",
            "property_diagnosis",
            "property_score",
            "property_unparsed_score",
            "ingestedAt",
        ]
    );
    assert_eq!(schema.fields[3].attributes[attribute::REFERENCES], "0-1");
    assert!(!schema.fields[5].marks.is_empty() && schema.fields[6].column_type == ColumnType::Float);
    // What HubSpot's own have, their occurrences tell; asked for once.
    for _ in 0..2 {
        let sampled = hubspot.schema(&stream(&hubspot, "events:e_visited_page").await).await.unwrap();
        let properties: Vec<&str> = sampled.fields[5..8].iter().map(|field| field.name.as_str()).collect();
        assert_eq!(properties, ["property_a", "property_b", "property_url"]);
    }
    assert_eq!(server.seen().iter().filter(|seen| path(seen) == OCCURRENCES).count(), 1);
    // Nothing would tell what of an event without a definition is sensitive.
    let gone = hubspot.schema(&stream(&hubspot, "events:gone").await).await;
    assert!(matches!(gone, Err(SourceError::NotReadable { why: Unreadable::Absent, .. })), "{gone:?}");
}

#[tokio::test]
async fn where_types_are_not_to_be_seen_it_is_said() {
    let server = serve(|seen| match path(seen) {
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        _ => forbidden(),
    })
    .await;
    let error = reader_of(&server, of_contacts(EventRecords::All)).streams().await.unwrap_err();
    assert!(
        matches!(&error, SourceError::NotReadable { stream, why: Unreadable::Forbidden, .. } if stream == "events")
    );
    // Of definitions that are not to be seen only the account's own events depend.
    let server = serve(|seen| match path(seen) {
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        "/events/v3/events/event-types" => (200, json!({ "eventTypes": ["e_visited_page", "pe1_signed_up"] })),
        _ => forbidden(),
    })
    .await;
    let hubspot = reader_of(&server, of_contacts(EventRecords::All));
    let own = hubspot.schema(&stream(&hubspot, "events:signed_up").await).await;
    assert!(matches!(own, Err(SourceError::NotReadable { why: Unreadable::Forbidden, .. })), "{own:?}");
    let sampled = hubspot.schema(&stream(&hubspot, "events:visited_page").await).await.unwrap();
    assert!(sampled.fields.iter().all(|field| !field.attributes.contains_key(attribute::PROPERTY)));
}

#[tokio::test]
async fn what_repeats_is_one_occurrence_and_what_nothing_names_is_counted() {
    let server = with_events(|seen| {
        assert_eq!((parameter(seen, "objectType"), parameter(seen, "eventType")), (Some("0-1"), Some("pe1_signed_up")));
        let plain = json!({});
        match (parameter(seen, "objectId").unwrap(), parameter(seen, "after")) {
            ("1", None) => {
                let odd = json!({ "score": "n/a", "more": "x", "empty": "", "none": null });
                let page =
                    [occurrence("a", "1", &json!({ "score": 7.5, "diagnosis": "flu" })), occurrence("b", "1", &odd)];
                (200, json!({ "results": page, "paging": { "next": { "after": "p" } } }))
            }
            ("1", Some("p")) => {
                let of_other_type =
                    json!({ "id": "o", "eventType": "e_visited_page", "objectId": "1", "properties": {} });
                let page = [occurrence("b", "1", &plain), occurrence("c", "1", &plain), of_other_type];
                (200, json!({ "results": page }))
            }
            // Merged into the second is a record that has no page of its own, and one that has.
            ("2", None) => (200, json!({ "results": [occurrence("d", "99", &plain), occurrence("a", "1", &plain)] })),
            ("3", None) => absent(),
            _ => (200, json!({ "results": [] })),
        }
    })
    .await;
    let hubspot = reader_of(&server, of_contacts(EventRecords::All));
    let (outcome, batches) = read(&hubspot, request(&hubspot).await).await;
    assert_eq!(outcome.unwrap().beyond.undefined, 1);
    assert_eq!(batches.len(), 1, "rows of many records make one batch");
    assert_eq!(texts(&batches, "id"), ["a", "b", "c", "d"]);
    assert_eq!(texts(&batches, "objectId"), ["1", "1", "1", "99"]);
    assert_eq!(texts(&batches, "property_unparsed_score"), ["-", "n/a", "-", "-"]);
    assert_eq!(
        (texts(&batches, "objectTypeId"), texts(&batches, "eventTypeId")),
        (vec!["0-1".to_owned(); 4], vec!["6-7".to_owned(); 4])
    );
    let scores = batches[0].column_by_name("property_score").unwrap().as_primitive::<Float64Type>();
    assert_eq!(scores.iter().collect::<Vec<_>>(), [Some(7.5), None, None, None]);
}

#[tokio::test]
async fn pages_without_an_end_are_an_error() {
    for stands_still in [true, false] {
        let server = with_events(move |seen| {
            let after = if stands_still { "p".to_owned() } else { seen.number.to_string() };
            (200, json!({ "results": [occurrence("a", "1", &json!({}))], "paging": { "next": { "after": after } } }))
        })
        .await;
        let hubspot = reader_of(&server, of_contacts(EventRecords::All));
        let (outcome, _) = read(&hubspot, request(&hubspot).await).await;
        assert!(matches!(outcome, Err(SourceError::Endless { .. })), "{outcome:?}");
    }
}

/// HubSpot says the same of a record that is gone and of a type that is; of a status alone nothing is believed.
#[tokio::test]
async fn a_type_that_vanishes_is_none_and_a_wrong_question_is_no_record_without_events() {
    let invalid = || (400, json!({ "status": "error", "category": "VALIDATION_ERROR" }));
    for (answer, vanishes, expected) in [
        (absent(), true, Some(Unreadable::Absent)),
        (invalid(), true, Some(Unreadable::Absent)),
        (invalid(), false, Some(Unreadable::Absent)),
        (forbidden(), false, Some(Unreadable::Forbidden)),
        ((404, Value::Null), true, None),
    ] {
        let lists = std::sync::Arc::new(AtomicUsize::new(0));
        let server = serve(move |seen| match path(seen) {
            "/events/v3/events/event-types" if vanishes && lists.fetch_add(1, Ordering::SeqCst) > 0 => {
                (200, json!({ "eventTypes": [] }))
            }
            "/events/v3/events/event-types" => (200, json!({ "eventTypes": ["e_signed_up"] })),
            "/crm/v3/schemas" | "/events/v3/event-definitions" => (200, json!({ "results": [] })),
            "/crm/v3/objects/0-1" => (200, json!({ "results": records(&["1"]) })),
            OCCURRENCES if parameter(seen, "objectId").is_none() => none(seen),
            OCCURRENCES => answer.clone(),
            other => panic!("{other}"),
        })
        .await;
        let hubspot = reader_of(&server, of_contacts(EventRecords::All));
        let wanted = request(&hubspot).await;
        let tried = hubspot.try_read(&wanted).await;
        for outcome in [tried, read(&hubspot, wanted).await.0.map(drop)] {
            match (outcome, expected) {
                (Err(SourceError::NotReadable { why, .. }), Some(expected)) => assert_eq!(why, expected),
                (Err(SourceError::Http { .. }), None) => {}
                (other, _) => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_records_are_those_that_somebody_has_said_and_cost_what_the_price_says() {
    let fourth = "2026-03-04T00:00:00Z".parse().unwrap();
    for (records, expected) in [
        (EventRecords::All, vec!["1", "2", "3", "4", "5", "6"]),
        (EventRecords::ChangedSince(fourth), vec!["4", "5", "6"]),
        (EventRecords::InList("10".to_owned()), vec!["2", "5", "9"]),
        (EventRecords::InList("patients".to_owned()), vec!["2", "5", "9"]),
    ] {
        for are_read_before in [false, true] {
            let server = with_events(none).await;
            let since = Some("2026-01-01T00:00:00Z".parse().unwrap());
            let hubspot = reader_of(&server, EventScope { since, ..of_contacts(records.clone()) });
            let wanted = request(&hubspot).await;
            let price = hubspot.price(&wanted, are_read_before).await.unwrap();
            if are_read_before {
                let (sender, _batches) = mpsc::channel(8);
                let (records, _) = super::of_contacts(false);
                hubspot.read_whole(ReadRequest { keeps_ids: true, ..records }, sender).await.unwrap();
            }
            let before = server.seen().len();
            read(&hubspot, wanted).await.0.unwrap();
            assert_eq!(asked(&server), expected);
            let mut sent = (server.seen().len() - before) as u64;
            if let EventRecords::InList(_) = records {
                // The small pages of this server are one for HubSpot.
                sent -= 1;
            }
            assert_eq!(sent, price.requests, "{records:?}");
            let all_say_since = |seen: &Seen| parameter(seen, "occurredAfter") == Some("2026-01-01T00%3A00%3A00Z");
            assert!(server.seen().iter().filter(|seen| path(seen) == OCCURRENCES).all(all_say_since));
            let listings = server.seen().iter().filter(|seen| path(seen) == "/crm/v3/objects/0-1").count();
            assert!(listings <= 1, "no id is listed twice");
        }
    }
}

#[tokio::test]
async fn a_list_that_is_not_there_or_not_one_is_said() {
    let server = with_events(none).await;
    for (name, reason, hint) in [
        ("patient", "no list `patient`", Some("did you mean `patients`?")),
        ("firms", "no list `firms`", None),
        ("twice", "2 lists are called `twice`", Some("name one by its id: `11` or `12`")),
    ] {
        let hubspot = reader_of(&server, of_contacts(EventRecords::InList(name.to_owned())));
        let stream = stream(&hubspot, "events:signed_up").await;
        assert_eq!(hubspot.needs(&stream), Vec::<String>::new());
        match hubspot.schema(&stream).await.unwrap_err() {
            SourceError::NoSuch { what: said, hint: advice } => {
                assert!(said.contains(reason), "{said}");
                assert_eq!(advice.as_deref(), hint);
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn slices_of_records_that_were_kept_are_not_asked_for_again() {
    let server = with_events(none).await;
    let hubspot = reader_of(&server, of_contacts(EventRecords::All));
    let mut known = Ids::default();
    known.extend(1..=35, []);
    hubspot.ids.put("0-1", known);
    let wanted = ReadRequest { resumes: Some(Vec::new()), ..request(&hubspot).await };
    let reading = hubspot.open(wanted.clone());
    let (sender, _rows) = mpsc::channel(8);
    let mut covers: Vec<Covers> = Vec::new();
    for _ in 0..2 {
        let slice = reading.slice().unwrap();
        let number = slice.number();
        reading.read(slice, sender.clone()).await.unwrap();
        covers.extend(reading.covers(number));
    }
    assert_eq!(covers.iter().map(|it| (it.first.as_str(), it.records)).collect::<Vec<_>>(), [("1", 10), ("11", 10)]);
    let before = asked(&server).len();
    let (outcome, _) = read(&hubspot, ReadRequest { resumes: Some(covers[1..].to_vec()), ..wanted }).await;
    assert_eq!(outcome.unwrap().taken_over, [0]);
    let again: BTreeSet<u64> = asked(&server)[before..].iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(again, (1..=10).chain(21..=35).collect());
}

#[tokio::test]
async fn what_is_left_out_is_not_asked_for_even_where_a_url_cannot_say_so() {
    // All is wanted that is known of: no names. Without the sensitive one: the names of the others.
    let server = with_events(none).await;
    let hubspot = reader_of(&server, of_contacts(EventRecords::All));
    let all = request(&hubspot).await;
    hubspot.try_read(&all).await.unwrap();
    let is_sensitive = |field: &Field| field.name == "property_diagnosis";
    let columns: Vec<Field> = all.columns.iter().filter(|field| !is_sensitive(field)).cloned().collect();
    hubspot.try_read(&ReadRequest { columns: columns.clone(), ..all.clone() }).await.unwrap();
    let without_any = columns.iter().filter(|field| !field.attributes.contains_key(attribute::PROPERTY)).cloned();
    hubspot.try_read(&ReadRequest { columns: without_any.collect(), ..all.clone() }).await.unwrap();
    let seen = server.seen();
    let asked = seen.iter().filter(|seen| path(seen) == OCCURRENCES).map(|seen| parameter(seen, "properties"));
    assert_eq!(asked.collect::<Vec<_>>(), [None, Some("score"), Some("none")]);

    let many = (0..500).map(|number| {
        let name = format!("a_property_with_a_long_name_{number}");
        Field::new(format!("property_{name}"), ColumnType::Text).with(attribute::PROPERTY, name)
    });
    let columns = columns.into_iter().chain(many).collect();
    let refused = hubspot.try_read(&ReadRequest { columns, ..all }).await;
    assert!(
        matches!(&refused, Err(SourceError::NoSuch { what, .. }) if what.contains("no URL can hold")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn more_occurrences_than_were_asked_for_are_refused() {
    let server = with_events(|_| {
        let all: Vec<Value> = (0..=100).map(|id: u64| occurrence(&id.to_string(), "1", &json!({}))).collect();
        (200, json!({ "results": all }))
    })
    .await;
    let hubspot = reader_of(&server, of_contacts(EventRecords::All));
    let (outcome, batches) = read(&hubspot, request(&hubspot).await).await;
    let words = sluice_model::error_chain(&outcome.unwrap_err());
    assert!(words.contains("it is more than was asked for"), "{words}");
    assert_eq!(batches, []);
}
