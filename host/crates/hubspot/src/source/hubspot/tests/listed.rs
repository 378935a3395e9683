//! Lists and their members, from a HubSpot in which lists come and go.

use arrow_array::cast::AsArray;

use super::*;

fn path(seen: &Seen) -> &str {
    seen.path_and_query.split('?').next().unwrap()
}

fn list(id: &str, type_id: &str, size: u64) -> Value {
    json!({ "listId": id, "name": id, "objectTypeId": type_id, "additionalProperties": { "hs_list_size": size.to_string() } })
}

/// A page of lists from an offset on.
fn page(seen: &Seen, lists: &[Value], page: usize) -> (u16, Value) {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let offset = usize::try_from(body["offset"].as_u64().unwrap()).unwrap();
    let end = (offset + page).min(lists.len());
    let answer = json!({
        "lists": lists.get(offset..end).unwrap_or_default(), "hasMore": end < lists.len(), "offset": end, "total": lists.len(),
    });
    (200, answer)
}

/// Reads the memberships of contacts: list and record. `ids`: the ids that are known.
async fn members(server: &Server, ids: &[&str]) -> (Result<Read, SourceError>, Vec<(String, String)>) {
    let hubspot = hubspot(server);
    if !ids.is_empty() {
        let mut known = Ids::default();
        for id in ids {
            known.insert(id);
        }
        hubspot.ids.put("0-1", known);
    }
    let stream = StreamInfo::memberships("0-1", "contacts");
    let request = ReadRequest {
        columns: ["listId", "objectId"].map(|name| Field::new(name, ColumnType::Text)).to_vec(),
        stream,
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
        let [list, record] = [0, 1].map(|column| batch.column(column).as_string::<i32>());
        rows.extend((0..batch.num_rows()).map(|row| (list.value(row).to_owned(), record.value(row).to_owned())));
    }
    (reading.await.unwrap(), rows)
}

fn rows(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(list, record)| ((*list).to_owned(), (*record).to_owned())).collect()
}

#[tokio::test]
async fn lists_that_move_under_the_offset_are_read_again() {
    let server = serve(|seen| {
        let all: Vec<Value> = (1..=5).map(|id| list(&id.to_string(), "0-1", 0)).collect();
        match (path(seen), seen.number) {
            ("/crm/v3/lists/search", 0) => page(seen, &all, 2),
            // A list before the offset has been deleted, so the third moves to where nobody looks any more. As many have come
            // as there are then.
            ("/crm/v3/lists/search", _) => page(seen, &all[1..], 2),
            _ => absent(),
        }
    })
    .await;
    let lists = hubspot(&server).lists().await.unwrap();
    let ids: Vec<&str> = lists.as_ref().as_ref().unwrap().iter().map(|list| list.id.as_str()).collect();
    assert_eq!((ids, server.seen().len()), (vec!["2", "3", "4", "5"], 4));
    let short = serve(|seen| {
        let all: Vec<Value> = (1..=5).map(|id| list(&id.to_string(), "0-1", 0)).collect();
        let mut answer = page(seen, &all[..3], 2);
        answer.1["total"] = json!(5);
        answer
    })
    .await;
    let error = hubspot(&short).lists().await.unwrap_err();
    assert!(matches!(error, SourceError::Incomplete { listed: 5, missing: 2, .. }), "{error}");
}

#[tokio::test]
async fn members_come_in_pages_and_a_deleted_list_is_named() {
    let server = serve(|seen| {
        let member = |id: &str| json!({ "recordId": id, "membershipTimestamp": "2026-02-03T04:05:06Z" });
        match seen.path_and_query.as_str() {
            "/crm/v3/lists/search" => page(
                seen,
                &[list("10", "0-1", 3), list("11", "0-2", 9), list("12", "0-1", 300), list("13", "0-1", 0)],
                20,
            ),
            "/crm/v3/lists/10/memberships?limit=250" => (
                200,
                json!({ "results": [member("1"), member("2")], "paging": { "next": { "after": "x" } }, "total": 3 }),
            ),
            // The second page begins with what the first has ended with.
            "/crm/v3/lists/10/memberships?limit=250&after=x" => {
                (200, json!({ "results": [member("2"), member("3"), member("3")] }))
            }
            "/crm/v3/lists/12/memberships?limit=250" => {
                (200, json!({ "results": [member("1")], "paging": { "next": { "after": "y" } } }))
            }
            "/crm/v3/lists/12/memberships?limit=250&after=y" => absent(),
            "/crm/v3/lists/13/memberships?limit=250" | "/crm/v3/schemas" => (200, json!({ "results": [] })),
            other => panic!("{other}"),
        }
    })
    .await;
    let (outcome, members) = members(&server, &[]).await;
    assert_eq!(outcome.unwrap().deleted, ["12"]);
    assert_eq!(members, rows(&[("10", "1"), ("10", "2"), ("10", "3"), ("12", "1")]));
}

/// Two large lists of few records: a hundred records are asked for their lists at once.
#[tokio::test]
async fn the_way_with_fewer_requests_is_gone() {
    for (answers, gone) in [(json!([]), 0), (json!([{ "category": "OBJECT_NOT_FOUND" }]), 1)] {
        let server = serve(move |seen| {
            let of = |id: &str, lists: &[&str]| {
                let lists: Value = lists.iter().map(|id| json!({ "listId": id, "listVersion": 1 })).collect();
                json!({ "objectTypeId": "0-1", "recordId": id, "recordListMemberships": lists })
            };
            match path(seen) {
                "/crm/v3/lists/search" => page(seen, &[list("10", "0-1", 900), list("12", "0-1", 900)], 20),
                "/crm/v3/lists/records/memberships/batch/read" => {
                    let mut results = vec![of("1", &["10"]), of("1", &["10", "12", "10"]), of("2", &[])];
                    results.truncate(3 - gone);
                    (207, json!({ "results": results, "errors": answers }))
                }
                "/crm/v3/schemas" => (200, json!({ "results": [] })),
                other => panic!("{other}"),
            }
        })
        .await;
        let (outcome, members) = members(&server, &["1", "2"]).await;
        outcome.unwrap();
        assert_eq!(members, rows(&[("10", "1"), ("12", "1")]));
    }
    let lacking = serve(|seen| match path(seen) {
        "/crm/v3/lists/search" => page(seen, &[list("10", "0-1", 900)], 20),
        _ => (200, json!({ "results": [] })),
    })
    .await;
    let (outcome, _) = members(&lacking, &["1", "2"]).await;
    let error = sluice_model::error_chain(&outcome.unwrap_err());
    assert!(error.contains("the lists of 2 of 2 records"), "{error}");
}

#[tokio::test]
async fn there_is_a_stream_of_members_for_each_type_that_has_lists() {
    let schemas = async |server: &Server| {
        let hubspot = hubspot(server);
        let mut outcomes = Vec::new();
        for (id, name) in [("0-1", "contacts"), ("0-2", "companies"), ("0-3", "deals")] {
            outcomes.push(match hubspot.schema(&StreamInfo::memberships(id, name)).await {
                Ok(schema) => Ok(schema.name),
                Err(SourceError::NotReadable { why, .. }) => Err(why),
                Err(error) => panic!("{error}"),
            });
        }
        outcomes
    };
    let server = serve(|seen| match path(seen) {
        "/crm/v3/lists/search" => page(seen, &[list("10", "0-2", 1), list("12", "2-9", 1)], 20),
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        "/crm/v3/lists/12/memberships" => panic!("of a type that has no stream"),
        _ => absent(),
    })
    .await;
    let table = || Ok("list_memberships".to_owned());
    // Contacts have one always.
    assert_eq!(schemas(&server).await, [table(), table(), Err(Unreadable::Absent)]);
    // Of the third type this token sees no more than that it has a list.
    let (outcome, rows) = members(&server, &[]).await;
    let lacking = outcome.unwrap().lacking;
    assert_eq!((rows.len(), lacking.len(), lacking[0].name.as_str()), (0, 1, "2-9"));
    let hidden = serve(|_| forbidden()).await;
    assert_eq!(schemas(&hidden).await, [Unreadable::Forbidden, Unreadable::Absent, Unreadable::Absent].map(Err));
}

/// Whoever wants no lists does not depend on them.
#[tokio::test]
async fn lists_are_not_asked_for_what_there_is() {
    let server = serve(|seen| match path(seen) {
        "/crm/v3/schemas" => (200, json!({ "results": [] })),
        other => panic!("{other}"),
    })
    .await;
    hubspot(&server).streams().await.unwrap();
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn more_lists_or_members_than_were_asked_for_are_refused() {
    let too_many = |most: usize, thing: fn(usize) -> Value| (0..=most).map(thing).collect::<Vec<_>>();
    let lists = serve(move |_| (200, json!({ "lists": too_many(500, |id| list(&id.to_string(), "0-1", 0)) }))).await;
    let error = hubspot(&lists).lists().await.unwrap_err();
    let words = sluice_model::error_chain(&error);
    assert!(words.contains("it is more than was asked for"), "{words}");
    for ids in [&[][..], &["1"]] {
        let server = serve(move |seen| match path(seen) {
            "/crm/v3/lists/search" => (200, json!({ "lists": [list("7", "0-1", 251), list("8", "0-1", 251)] })),
            "/crm/v3/lists/7/memberships" => {
                (200, json!({ "results": too_many(250, |id| json!({ "recordId": id.to_string() })) }))
            }
            "/crm/v3/lists/records/memberships/batch/read" => {
                (200, json!({ "results": too_many(2, |_| json!({ "recordId": "1" })) }))
            }
            _ => absent(),
        })
        .await;
        let (outcome, rows) = members(&server, ids).await;
        let words = sluice_model::error_chain(&outcome.unwrap_err());
        assert!(words.contains("it is more than was asked for"), "{words}");
        assert_eq!(rows, []);
    }
}
