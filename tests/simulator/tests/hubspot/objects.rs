use serde_json::{Value, json};

use sluice_simulator::hubspot;

use crate::client::{Client, Truth, ids, property_names, roomy};

const CONTACTS: &str = "/crm/v3/objects/contacts";

#[tokio::test]
async fn a_list_pages_through_all_live_records_by_ascending_id() {
    let (client, truth) = (Client::with(250).await, Truth::of(250));
    let contacts = truth.lines("contacts");
    let names = property_names(&contacts[0]);
    let read = client.all(&format!("{CONTACTS}?limit=100&properties={names}")).await;
    assert_eq!(ids(&read), ids(&contacts));
    for (record, truth) in read.iter().zip(&contacts) {
        for field in ["id", "archived", "createdAt", "updatedAt", "properties"] {
            assert_eq!(record[field], truth[field]);
        }
    }
}

#[tokio::test]
async fn every_type_of_the_account_answers_with_what_the_truth_holds() {
    let (client, truth) = (Client::with(120).await, Truth::of(120));
    for object_type in truth.lines("object_types") {
        let name = object_type["file"].as_str().expect("a name");
        let expected = truth.lines(name);
        let read = client.all(&format!("/crm/objects/2026-09/{name}?limit=100")).await;
        assert_eq!(ids(&read), ids(&expected), "{name}");
        let by_id = client
            .all(&format!("/crm/objects/2026-09/{}?limit=100", object_type["objectTypeId"].as_str().expect("an id")))
            .await;
        assert_eq!(by_id, read, "{name}");
    }
}

#[tokio::test]
async fn the_last_page_has_no_paging() {
    let client = Client::with(10).await;
    assert_eq!(client.json(CONTACTS).await.get("paging"), None);
    assert_eq!(client.json("/crm/v3/objects/projects").await, json!({ "results": [] }));
    let first = client.json(&format!("{CONTACTS}?limit=9")).await;
    let link = first["paging"]["next"]["link"].as_str().expect("a link");
    let path = link.strip_prefix(&client.running.base_url()).expect("a link to this server");
    let second = client.json(path).await;
    assert_eq!(second["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(second.get("paging"), None);
}

#[tokio::test]
async fn the_page_size_is_ten_unless_asked_for_and_a_hundred_at_most() {
    let client = Client::with(150).await;
    assert_eq!(client.json(CONTACTS).await["results"].as_array().map(Vec::len), Some(10));
    assert_eq!(client.json(&format!("{CONTACTS}?limit=100")).await["results"].as_array().map(Vec::len), Some(100));
    for query in ["limit=101", "limit=0", "limit=-1", "limit=ten", "archived=maybe", "after=one"] {
        let reply = client.get(&format!("{CONTACTS}?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
        assert_eq!(reply.json()["category"], "VALIDATION_ERROR", "{query}");
    }
}

#[tokio::test]
async fn any_number_is_answered_with_the_records_from_there_on() {
    let (client, truth) = (Client::with(250).await, Truth::of(250));
    let contacts = truth.lines("contacts");
    let expected = ids(&contacts);
    let first = client.json(&format!("{CONTACTS}?limit=7")).await;
    let next: u64 = expected[6].parse::<u64>().expect("a number") + 1;
    assert_eq!(first["paging"]["next"]["after"], next.to_string());
    for place in [0, 6, 100, 249] {
        let id: u64 = expected[place].parse().expect("a number");
        for (after, from) in [(id, place), (id + 1, place + 1), (id.saturating_sub(1), place)] {
            let page = client.json(&format!("{CONTACTS}?limit=100&after={after}")).await;
            let page = page["results"].as_array().expect("results");
            assert_eq!(ids(page), expected[from..expected.len().min(from + 100)], "{after}");
        }
    }
}

#[tokio::test]
async fn opaque_cursors_list_the_same_and_take_no_number() {
    let options = hubspot::Options { cursors: hubspot::Cursors::Opaque, ..roomy(250) };
    let (client, truth) = (Client::new(options).await, Truth::of(250));
    let read = client.all(&format!("{CONTACTS}?limit=100")).await;
    assert_eq!(ids(&read), ids(&truth.lines("contacts")));
    let reply = client.get(&format!("{CONTACTS}?after=151")).await;
    assert_eq!((reply.status, reply.json()["category"].clone()), (400, json!("VALIDATION_ERROR")));
}

#[tokio::test]
async fn the_always_returned_properties_differ_by_type() {
    let client = Client::with(50).await;
    for (name, expected) in [
        ("contacts", ["createdate", "hs_object_id", "lastmodifieddate"]),
        ("companies", ["createdate", "hs_lastmodifieddate", "hs_object_id"]),
        ("calls", ["hs_createdate", "hs_lastmodifieddate", "hs_object_id"]),
    ] {
        let page = client.json(&format!("/crm/v3/objects/{name}?limit=1&properties=no_such_property,fax")).await;
        let properties = page["results"][0]["properties"].as_object().expect("properties");
        assert_eq!(properties.keys().collect::<Vec<_>>(), expected, "{name}");
    }
    let defaults = client.json(&format!("{CONTACTS}?limit=1")).await;
    let names: Vec<&String> = defaults["results"][0]["properties"].as_object().expect("properties").keys().collect();
    assert_eq!(names, ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"]);
}

#[tokio::test]
async fn archived_records_are_listed_apart_and_carry_when() {
    let (client, truth) = (Client::with(300).await, Truth::of(300));
    let archived = client.all(&format!("{CONTACTS}?archived=True&limit=100")).await;
    let expected = truth.lines("contacts.archived");
    assert_eq!(ids(&archived), ids(&expected));
    for (record, truth) in archived.iter().zip(&expected) {
        assert_eq!(record["archived"], true);
        assert_eq!(record["archivedAt"], truth["archivedAt"]);
    }
    let id = archived[0]["id"].as_str().expect("an id");
    assert_eq!(client.get(&format!("{CONTACTS}/{id}")).await.status, 404);
    assert_eq!(client.json(&format!("{CONTACTS}/{id}?archived=true")).await["archived"], true);
}

#[tokio::test]
async fn one_record_by_id() {
    let client = Client::with(30).await;
    let page = client.json(&format!("{CONTACTS}?limit=1&properties=email")).await;
    let id = page["results"][0]["id"].as_str().expect("an id");
    assert_eq!(client.json(&format!("{CONTACTS}/{id}?properties=email")).await, page["results"][0]);
    for missing in ["1", "none", "18446744073709551616"] {
        let reply = client.get(&format!("{CONTACTS}/{missing}")).await;
        assert_eq!((reply.status, reply.json()["category"].clone()), (404, json!("OBJECT_NOT_FOUND")));
    }
}

#[tokio::test]
async fn custom_types_are_known_by_id_and_qualified_name_only() {
    let client = Client::with(1).await;
    let by_id = client.json("/crm/v3/objects/2-13370001").await;
    for name in ["p48012345_vehicle", "p_vehicle"] {
        assert_eq!(client.json(&format!("/crm/v3/objects/{name}")).await["results"], by_id["results"]);
    }
    assert_eq!(client.get("/crm/v3/objects/vehicle").await.status, 400);
    assert_eq!(client.get("/crm/v3/objects/2-999").await.status, 404);
    // The custom type `Deals` and the standard type `deals` are not the same.
    let custom = client.json("/crm/v3/objects/p48012345_Deals").await;
    assert_ne!(custom["results"], client.json("/crm/v3/objects/deals").await["results"]);
}

#[tokio::test]
async fn a_batch_read_answers_in_its_own_order() {
    let (client, truth) = (Client::with(100).await, Truth::of(100));
    let contacts = truth.lines("contacts");
    let inputs: Vec<Value> = ids(&contacts).into_iter().map(|id| json!({ "id": id })).collect();
    let body = json!({ "inputs": inputs, "properties": ["intake_notes", "biography"], "propertiesWithHistory": [] });
    let reply = client.post(&format!("{CONTACTS}/batch/read"), body).await;
    assert_eq!(reply.status, 200);
    let answer = reply.json();
    assert_eq!(answer["status"], "COMPLETE");
    let results = answer["results"].as_array().expect("results");
    assert_ne!(ids(results), ids(&contacts));
    assert_eq!(results.len(), contacts.len());
    for record in results {
        let truth = contacts.iter().find(|contact| contact["id"] == record["id"]).expect("a contact");
        for name in ["intake_notes", "biography"] {
            assert_eq!(record["properties"][name], truth["properties"][name]);
        }
    }
}

#[tokio::test]
async fn a_batch_read_names_the_ids_that_are_missing() {
    let client = Client::with(10).await;
    let id = client.json(CONTACTS).await["results"][0]["id"].clone();
    let body = json!({ "inputs": [{ "id": "5" }, { "id": id }, { "id": "7" }] });
    for (path, status) in [
        ("/crm/v3/objects/contacts", 207),
        ("/crm/objects/2026-03/contacts", 207),
        ("/crm/objects/2026-09/contacts", 200),
    ] {
        let reply = client.post(&format!("{path}/batch/read"), body.clone()).await;
        assert_eq!(reply.status, status, "{path}");
        let answer = reply.json();
        assert_eq!(answer["results"].as_array().map(Vec::len), Some(1));
        assert_eq!(answer["numErrors"], 1);
        assert_eq!(answer["errors"][0]["category"], "OBJECT_NOT_FOUND");
        assert_eq!(answer["errors"][0]["context"]["ids"], json!(["5", "7"]));
    }
    let none = client.post("/crm/v3/objects/contacts/batch/read", json!({ "inputs": [{ "id": "5" }] })).await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn a_batch_read_takes_a_hundred_inputs() {
    let client = Client::with(10).await;
    let inputs: Vec<Value> = (0..101).map(|id| json!({ "id": id.to_string() })).collect();
    let reply = client.post(&format!("{CONTACTS}/batch/read"), json!({ "inputs": inputs })).await;
    assert_eq!((reply.status, reply.json()["category"].clone()), (400, json!("VALIDATION_ERROR")));
    let cut = client
        .send(reqwest::Method::POST, &format!("{CONTACTS}/batch/read"), Some(json!("{")))
        .await
        .expect("an answer");
    assert_eq!(cut.status().as_u16(), 400);
}

#[tokio::test]
async fn what_is_not_simulated_is_refused_aloud() {
    let client = Client::with(10).await;
    for query in ["associations=companies", "idProperty=email"] {
        let reply = client.get(&format!("{CONTACTS}?{query}")).await;
        assert_eq!(reply.status, 501, "{query}");
    }
    let unknown = client.get("/crm/v3/lists/folders").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.is_html());
}

#[tokio::test]
async fn a_million_contacts_are_there_at_once() {
    let client = Client::with(1_000_000).await;
    let total = client.post(&format!("{CONTACTS}/search"), json!({ "limit": 1 })).await.json()["total"].clone();
    assert_eq!(total, 1_000_000);
    let page = client.json(&format!("{CONTACTS}?limit=100")).await;
    assert_eq!(page["results"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn portals_with_hundreds_of_properties() {
    let mut options = crate::client::roomy(10);
    options.data.extra_properties = 900;
    let client = Client::new(options).await;
    let definitions = client.json("/crm/v3/properties/contacts").await;
    assert!(definitions["results"].as_array().is_some_and(|list| list.len() > 940));
    let page = client.json(&format!("{CONTACTS}?properties=extra_0001,extra_0900")).await;
    assert!(page["results"][0]["properties"].as_object().is_some_and(|values| values.contains_key("extra_0900")));
}
