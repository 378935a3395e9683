//! A HubSpot that gives more than it was asked for.

use super::*;

fn path(seen: &Seen) -> &str {
    seen.path_and_query.split('?').next().unwrap()
}

/// So many records, from 1 on.
fn first(records: usize) -> Value {
    (1..=records).map(|id| json!({ "id": id.to_string(), "properties": {} })).collect()
}

/// The error in all its words.
fn words(error: &SourceError) -> String {
    sluice_model::error_chain(error)
}

#[tokio::test]
async fn a_page_of_more_records_than_it_was_asked_for_ends_the_reading() {
    let server = serve(|seen| match path(seen) {
        "/crm/v3/objects/0-1" => (200, json!({ "results": first(101) })),
        _ => absent(),
    })
    .await;
    let (outcome, ids) = read_contacts(&server, false).await;
    let words = words(&outcome.unwrap_err());
    assert!(words.contains("it is more than was asked for: a list in it has more than 100 elements"), "{words}");
    assert_eq!(ids, Vec::<String>::new());
    let asked = server.seen().iter().filter(|seen| path(seen) == "/crm/v3/objects/0-1").count();
    assert_eq!(asked, 1, "it would come again");
}

#[tokio::test]
async fn more_ids_than_were_asked_for_or_values_of_more_than_twice_as_many_end_the_reading() {
    for (listed, given) in [(101, 0), (3, 7)] {
        let server = serve(move |seen| match path(seen) {
            "/crm/v3/objects/0-1" => (200, json!({ "results": first(listed) })),
            "/crm/v3/objects/0-1/batch/read" => (200, json!({ "results": first(given) })),
            _ => absent(),
        })
        .await;
        let (outcome, ids) = read_contacts(&server, true).await;
        let words = words(&outcome.unwrap_err());
        assert!(words.contains("it is more than was asked for"), "{words}");
        assert_eq!(ids, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_page_of_definitions_of_more_than_it_was_asked_for_is_refused() {
    let server = serve(|seen| {
        let asked: u64 =
            seen.path_and_query.split_once("limit=").unwrap().1.split('&').next().unwrap().parse().unwrap();
        let results: Vec<Value> = (0..=asked).map(|id| json!({ "id": id.to_string() })).collect();
        (200, json!({ "results": results }))
    })
    .await;
    let (hubspot, stream) = (hubspot(&server), single(StreamKind::Owners));
    let tried = hubspot.try_first::<api::Owner>("/crm/v3/owners".to_owned(), "owners", &stream).await;
    let request =
        ReadRequest { columns: hubspot.schema(&stream).await.unwrap().fields, stream, ..of_contacts(false).0 };
    let (read, rows) = read_by_slices(&hubspot, request).await;
    for error in [tried.unwrap_err(), read.unwrap_err()] {
        let words = words(&error);
        assert!(words.contains("it is more than was asked for"), "{words}");
    }
    assert_eq!(rows.len(), 0);
    assert_eq!(server.seen().len(), 2);
}

/// What a plugin is handed at once stays small, however large the values of a page are.
#[tokio::test]
async fn a_large_page_is_cut_into_batches_and_loses_no_row() {
    const RECORDS: usize = 41;
    const VALUE: usize = 500_000;
    let server = serve(|seen| match path(seen) {
        "/crm/v3/objects/0-1" => {
            let record = |id: usize| {
                json!({ "id": id.to_string(), "properties": { format!("property_{:050}", 0): "x".repeat(VALUE) } })
            };
            (200, json!({ "results": (1..=RECORDS).map(record).collect::<Vec<_>>() }))
        }
        _ => absent(),
    })
    .await;
    let (request, properties) = of_contacts(false);
    let (outcome, deliveries) = read_by_slices(&hubspot(&server), request).await;
    outcome.unwrap();
    let mut ids = Vec::new();
    for Delivery { batch, .. } in &deliveries {
        let column = |index: usize| batch.column(index).as_any().downcast_ref::<StringArray>().unwrap().clone();
        let bytes: usize = column(0).iter().flatten().map(str::len).sum();
        assert!(bytes < cut::BATCH_BYTES + VALUE, "{bytes}");
        ids.extend(column(properties).iter().map(|id| id.unwrap().to_owned()));
    }
    assert_eq!(ids, (1..=RECORDS).map(|id| id.to_string()).collect::<Vec<_>>());
    assert_eq!(deliveries.len(), 3);
}

/// An id becomes part of what is kept of every page.
#[tokio::test]
async fn an_id_or_a_position_of_a_length_that_none_has_is_refused() {
    for page in [
        json!({ "results": [{ "id": "7".repeat(1025), "properties": {} }] }),
        json!({ "results": records(&["1"]), "paging": { "next": { "after": "7".repeat(1025) } } }),
    ] {
        let server = serve(move |seen| match path(seen) {
            "/crm/v3/objects/0-1" => (200, page.clone()),
            _ => absent(),
        })
        .await;
        let (outcome, ids) = read_contacts(&server, false).await;
        let words = words(&outcome.unwrap_err());
        assert!(words.contains("it is not of the expected form"), "{words}");
        assert_eq!((ids.len(), server.seen().len()), (0, 1));
    }
}

/// Each list is small, and an account has hundreds.
#[tokio::test]
async fn all_definitions_of_an_account_together_are_bounded() {
    let server = serve(|seen| match level_of(seen) {
        "non_sensitive" => (200, json!({ "results": [{ "name": "x", "description": "x".repeat(10_000) }] })),
        _ => forbidden(),
    })
    .await;
    let hubspot = HubSpot { room: room::Room::of(35_000), ..hubspot(&server) };
    let mut listed = 0;
    let error = loop {
        match hubspot.properties(&format!("0-{listed}")).await {
            Ok(_) => listed += 1,
            Err(error) => break words(&error),
        }
    };
    assert!(error.contains("with it, all definitions of the account would take more than"), "{error}");
    assert_eq!(listed, 3);
    assert!(hubspot.properties("0-0").await.is_ok(), "what is known is not asked for again");
}
