//! Links between records, from a HubSpot that says them twice, in pages, in halves, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use sluice_model::stream::End;

use super::*;

fn end(type_id: &str, name: &str, singular: &str) -> End {
    End { type_id: type_id.to_owned(), name: name.to_owned(), singular: singular.to_owned() }
}

/// Links from contacts to companies.
fn of_contacts() -> StreamInfo {
    StreamInfo::associations(end("0-1", "contacts", "contact"), end("0-2", "companies", "company"))
}

fn path(seen: &Seen) -> &str {
    seen.path_and_query.split('?').next().unwrap()
}

/// What is asked of a batch: ids, each with where its next page begins.
fn inputs(seen: &Seen) -> Vec<(String, Option<String>)> {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    body["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| (text(&input["id"]).unwrap(), text(&input["after"])))
        .collect()
}

fn link(to: u64, types: &[u64]) -> Value {
    let types: Value =
        types.iter().map(|it| json!({ "category": "HUBSPOT_DEFINED", "typeId": it, "label": label(*it) })).collect();
    json!({ "toObjectId": to, "associationTypes": types })
}

fn label(type_id: u64) -> Value {
    if type_id == 1 { json!("Primary") } else { Value::Null }
}

fn none(id: &str) -> Value {
    json!({ "category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
            "context": { "fromObjectId": [id], "fromObjectType": ["contact"] } })
}

/// A HubSpot with contacts 1 to `contacts`, whose links are told by `links`.
async fn with_links(contacts: u64, links: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static) -> Server {
    serve(move |seen| match path(seen) {
        "/crm/v3/objects/0-1" => {
            let after = seen.path_and_query.rsplit_once("after=").map_or(1, |(_, after)| after.parse::<u64>().unwrap());
            let all: Vec<String> = (after..=contacts).take(100).map(|id| id.to_string()).collect();
            let mut page = json!({ "results": records(&all.iter().map(String::as_str).collect::<Vec<_>>()) });
            if after + 100 <= contacts {
                page["paging"] = json!({ "next": { "after": (after + 100).to_string() } });
            }
            (200, page)
        }
        "/crm/v4/associations/0-1/0-2/labels" => {
            let types = [1, 279].map(|it| json!({ "category": "HUBSPOT_DEFINED", "typeId": it, "label": label(it) }));
            (200, json!({ "results": types }))
        }
        "/crm/v4/associations/0-1/0-2/batch/read" => links(seen),
        _ => absent(),
    })
    .await
}

/// Reads all links: from, to, type, label, and whether it is the main one.
async fn read(server: &Server) -> (Result<Read, SourceError>, Vec<(String, String, String, Option<String>, bool)>) {
    let hubspot = hubspot(server);
    let names = ["fromObjectId", "toObjectId", "associationTypeId", "label"];
    let mut columns: Vec<Field> = names.iter().map(|name| Field::new(*name, ColumnType::Text)).collect();
    columns.push(Field::new("isMainAssociationDefinition", ColumnType::Boolean));
    let request = ReadRequest {
        stream: of_contacts(),
        columns,
        ingested_at: "2026-11-23T20:15:00Z".parse().unwrap(),
        readers: Readers::One,
        keeps_ids: false,
        resumes: None,
        seen: RowsSeen::default(),
    };
    let (sender, mut batches) = mpsc::channel(64);
    let reading = tokio::spawn(async move { hubspot.read_whole(request, sender).await });
    let mut rows = Vec::new();
    while let Some(batch) = batches.recv().await {
        let text = |column: usize, row: usize| {
            let column = batch.column(column).as_string::<i32>();
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        for row in 0..batch.num_rows() {
            let [from, to, id] = [0, 1, 2].map(|column| text(column, row).unwrap());
            rows.push((from, to, id, text(3, row), batch.column(4).as_boolean().value(row)));
        }
    }
    rows.sort();
    (reading.await.unwrap(), rows)
}

#[tokio::test]
async fn what_is_said_twice_is_one_link_and_nothing_is_as_good_an_answer_as_any() {
    let server = with_links(3, |_| {
        let twice = json!([link(70, &[279, 1, 279]), link(80, &[279]), link(70, &[279])]);
        let again = json!([link(70, &[279]), link(90, &[279])]);
        let results = json!([{ "from": { "id": 1 }, "to": twice }, { "from": { "id": "1" }, "to": again }]);
        let gone = json!({ "category": "OBJECT_NOT_FOUND", "context": { "ids": ["3"] } });
        (207, json!({ "status": "COMPLETE", "results": results, "numErrors": 2, "errors": [none("2"), gone] }))
    })
    .await;
    let (outcome, rows) = read(&server).await;
    outcome.unwrap();
    let row = |to: &str, id: &str, label: Option<&str>| {
        ("1".to_owned(), to.to_owned(), id.to_owned(), label.map(str::to_owned), label.is_some())
    };
    assert_eq!(
        rows,
        [row("70", "1", Some("Primary")), row("70", "279", None), row("80", "279", None), row("90", "279", None)]
    );
    assert_eq!(server.seen().iter().filter(|seen| path(seen).ends_with("batch/read")).count(), 1);
}

/// What a page says again of a link may say more of it.
#[tokio::test]
async fn a_link_whose_meanings_come_on_two_pages_has_both() {
    let server = with_links(1, |seen| {
        let (to, next) = match inputs(seen)[0].1.as_deref() {
            None => (json!([link(70, &[279]), link(80, &[1])]), Some("2")),
            Some(_) => (json!([link(80, &[1, 279]), link(70, &[279])]), None),
        };
        let mut result = json!({ "from": { "id": "1" }, "to": to });
        if let Some(next) = next {
            result["paging"] = json!({ "next": { "after": next } });
        }
        (200, json!({ "results": [result] }))
    })
    .await;
    let (outcome, rows) = read(&server).await;
    outcome.unwrap();
    let links: Vec<_> = rows.iter().map(|row| (row.1.as_str(), row.2.as_str())).collect();
    assert_eq!(links, [("70", "279"), ("80", "1"), ("80", "279")]);
}

/// A record with forty thousand links comes in eighty pages and more, which overlap.
#[tokio::test]
async fn a_record_with_very_many_links_is_followed_to_its_end() {
    const LINKS: u64 = 40_000;
    const PAGE: u64 = 500;
    let server = with_links(1500, |seen| {
        let (mut results, mut errors) = (Vec::new(), Vec::new());
        for (id, after) in inputs(seen) {
            if id != "7" {
                assert_eq!(after, None);
                errors.push(none(&id));
                continue;
            }
            let begin: u64 = after.map_or(1, |after| after.parse().unwrap());
            let end = (begin + PAGE).min(LINKS + 1);
            let to: Vec<Value> = (begin.saturating_sub(3).max(1)..end).map(|to| link(to, &[279])).collect();
            let mut result = json!({ "from": { "id": id }, "to": to });
            if end <= LINKS {
                result["paging"] = json!({ "next": { "after": end.to_string() } });
            }
            results.push(result);
        }
        (207, json!({ "results": results, "errors": errors }))
    })
    .await;
    let (outcome, rows) = read(&server).await;
    outcome.unwrap();
    let to: BTreeSet<u64> = rows.iter().map(|row| row.1.parse().unwrap()).collect();
    assert_eq!((rows.len() as u64, to.len() as u64, to.last()), (LINKS, LINKS, Some(&LINKS)));
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for seen in server.seen().iter().filter(|seen| path(seen).ends_with("batch/read")) {
        assert!(inputs(seen).len() <= 1000);
        for (id, _) in inputs(seen) {
            *asked.entry(id).or_default() += 1;
        }
    }
    assert_eq!((asked.len(), asked["7"], asked.values().filter(|&&times| times > 1).count()), (1500, 80, 1));
}

#[tokio::test]
async fn a_record_whose_links_do_not_end_is_an_error() {
    for stands_still in [true, false] {
        let server = with_links(1, move |seen| {
            let after = if stands_still { "a".to_owned() } else { seen.number.to_string() };
            let same =
                json!({ "from": { "id": "1" }, "to": [link(70, &[279])], "paging": { "next": { "after": after } } });
            (200, json!({ "results": [same] }))
        })
        .await;
        let (outcome, rows) = read(&server).await;
        assert!(matches!(outcome, Err(SourceError::Endless { .. })), "{outcome:?}");
        assert_eq!(rows.len(), 1, "what has come is not delivered again");
    }
}

/// Real errors among those that say that there is nothing, and records that are not spoken of at all.
#[tokio::test]
async fn an_answer_that_lacks_a_record_is_asked_for_again() {
    for (left_out, told) in [
        (json!([none("1"), { "category": "INTERNAL_ERROR", "context": { "fromObjectId": ["2"] } }]), "INTERNAL_ERROR"),
        (json!([none("1"), { "message": "?" }]), "an error without a category"),
        (json!([none("1")]), "it does not say why"),
    ] {
        for mends in [true, false] {
            let answers = std::sync::Arc::new(AtomicUsize::new(0));
            let left_out = left_out.clone();
            let server = with_links(2, move |_| {
                if mends && answers.fetch_add(1, Ordering::SeqCst) > 0 {
                    let linked = json!({ "from": { "id": "2" }, "to": [link(80, &[279])] });
                    return (207, json!({ "results": [linked], "errors": [none("1")] }));
                }
                (207, json!({ "results": [], "errors": left_out }))
            })
            .await;
            let (outcome, rows) = read(&server).await;
            if mends {
                outcome.unwrap();
                assert_eq!(rows.len(), 1);
            } else {
                let error = sluice_model::error_chain(&outcome.unwrap_err());
                assert!(error.contains("the links of 1 of 2 records") && error.contains(told), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn an_association_of_which_an_end_may_not_be_read_is_named() {
    let property = |seen: &Seen| (200, json!({ "results": [{ "name": path(seen), "type": "string" }] }));
    let server = serve(move |seen| match path(seen) {
        "/crm/v3/properties/0-1" => property(seen),
        "/crm/v3/properties/0-2" => forbidden(),
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        other => panic!("{other}"),
    })
    .await;
    match hubspot(&server).schema(&of_contacts()).await.unwrap_err() {
        SourceError::NotReadable { stream, why: Unreadable::Forbidden, reason, .. } => {
            assert_eq!(stream, "associations:contacts:companies");
            assert!(reason.starts_with("its end `companies`: "), "{reason}");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_pair_without_a_definition_is_asked_for_once_and_not_there() {
    let server = serve(move |seen| match path(seen) {
        "/crm/v3/properties/0-1"
        | "/crm/v3/properties/0-2"
        | "/crm/v4/associations/0-1/0-2/labels"
        | "/crm/v3/schemas" => (200, json!({ "results": [] })),
        other => panic!("{other}"),
    })
    .await;
    let hubspot = hubspot(&server);
    let StreamKind::Associations { from, to } = of_contacts().kind else { unreachable!() };
    for stream in [StreamInfo::associations(from.clone(), to.clone()), StreamInfo::associations(to, from)] {
        let refused = hubspot.schema(&stream).await.unwrap_err();
        let SourceError::NotReadable { why, reason, .. } = refused else { panic!("{refused}") };
        assert_eq!(why, Unreadable::Absent);
        assert!(reason.starts_with("the account defines no association of"), "{reason}");
    }
    assert_eq!(server.seen().iter().filter(|seen| path(seen).ends_with("labels")).count(), 1);
}

/// Sources differ on whether the newer version serves labels: HubSpot's own word decides, and nobody else's.
#[tokio::test]
async fn what_the_newer_version_does_not_have_the_older_one_is_asked_for() {
    for (newer, asks_older) in [(absent(), true), ((404, Value::Null), false), (forbidden(), false)] {
        let server = serve(move |seen| match path(seen) {
            "/crm/associations/2026-03/0-1/0-2/labels" => {
                (200, json!({ "results": [{ "category": "HUBSPOT_DEFINED", "typeId": 279, "label": null }] }))
            }
            "/crm/associations/2026-09/0-1/0-2/labels" => newer.clone(),
            other => panic!("{other}"),
        })
        .await;
        let hubspot = HubSpot::new(&Settings { paths: Paths::Dated("2026-09"), ..settings(&server) }).unwrap();
        let types = hubspot.association_types("0-1", "0-2").await;
        assert_eq!(matches!(types.as_deref(), Ok(Ok(types)) if types.len() == 1), asks_older, "{types:?}");
        let older = server.seen().iter().filter(|seen| path(seen).contains("2026-03")).count();
        assert_eq!(older, usize::from(asks_older));
    }
}

/// The trial asks about a record that nobody may have.
#[tokio::test]
async fn that_there_is_no_such_record_is_no_refusal() {
    for (answer, is_readable) in
        [(absent(), true), ((207, json!({ "results": [], "errors": [none("1")] })), true), (forbidden(), false)]
    {
        let server = with_links(0, move |_| answer.clone()).await;
        let request = ReadRequest {
            stream: of_contacts(),
            columns: Vec::new(),
            ingested_at: "2026-11-23T20:15:00Z".parse().unwrap(),
            readers: Readers::One,
            keeps_ids: false,
            resumes: None,
            seen: RowsSeen::default(),
        };
        assert_eq!(hubspot(&server).try_read(&request).await.is_ok(), is_readable);
    }
}

#[tokio::test]
async fn an_answer_about_more_than_twice_as_many_records_as_were_asked_for_is_refused() {
    let server = with_links(1, |_| {
        let results: Vec<Value> = (1..=3).map(|_| json!({ "from": { "id": "1" }, "to": [link(70, &[279])] })).collect();
        (200, json!({ "results": results }))
    })
    .await;
    let (outcome, rows) = read(&server).await;
    let words = sluice_model::error_chain(&outcome.unwrap_err());
    assert!(words.contains("it is more than was asked for"), "{words}");
    assert_eq!(rows, []);
}
