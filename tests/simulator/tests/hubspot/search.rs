use serde_json::{Value, json};

use crate::client::{Client, Reply, Truth, ids};

const SEARCH: &str = "/crm/v3/objects/contacts/search";

fn filtered(filters: &Value) -> Value {
    json!({ "filterGroups": [{ "filters": filters }], "limit": 200 })
}

fn on(property: &str, operator: &str, value: &str) -> Value {
    json!({ "propertyName": property, "operator": operator, "value": value })
}

async fn all_hits(client: &Client, mut body: Value) -> (u64, Vec<Value>) {
    let mut hits = Vec::new();
    loop {
        let reply = client.post(SEARCH, body.clone()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let page = reply.json();
        hits.extend(page["results"].as_array().expect("results").iter().cloned());
        match page["paging"]["next"].get("after") {
            Some(after) => body["after"] = after.clone(),
            None => return (page["total"].as_u64().expect("a total"), hits),
        }
    }
}

async fn refused(client: &Client, body: Value) -> Reply {
    client.post(SEARCH, body).await
}

#[tokio::test]
async fn without_filters_everything_live_by_creation() {
    let (client, truth) = (Client::with(450).await, Truth::of(450));
    let (total, hits) = all_hits(&client, json!({ "limit": 200 })).await;
    assert_eq!(total, 450);
    assert_eq!(ids(&hits), ids(&truth.lines("contacts")));
}

/// Whether a line of the truth should be a hit.
type Expected<'a> = Box<dyn Fn(&Value) -> bool + 'a>;

#[tokio::test]
async fn operators_agree_with_the_truth() {
    let (client, truth) = (Client::with(400).await, Truth::of(400));
    let contacts = truth.lines("contacts");
    let value = |record: &Value, name: &str| {
        record["properties"][name].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let number = |record: &Value, name: &str| value(record, name).and_then(|text| text.parse::<f64>().ok());
    let middle = contacts[200]["id"].as_str().expect("an id");
    let modified = contacts[200]["updatedAt"].as_str().expect("a time");

    let cases: Vec<(Value, Expected<'_>)> = vec![
        (json!([on("hs_object_id", "GT", middle)]), Box::new(|r| number(r, "hs_object_id") > middle.parse().ok())),
        (json!([on("hs_object_id", "LTE", middle)]), Box::new(|r| number(r, "hs_object_id") <= middle.parse().ok())),
        (json!([on("hs_object_id", "EQ", middle)]), Box::new(|r| r["id"] == middle)),
        (json!([on("lastmodifieddate", "EQ", modified)]), Box::new(|r| r["updatedAt"] == modified)),
        (
            json!([{ "propertyName": "hs_object_id", "operator": "IN", "values": [contacts[3]["id"], contacts[9]["id"], "1"] }]),
            Box::new(|r| r["id"] == contacts[3]["id"] || r["id"] == contacts[9]["id"]),
        ),
        (
            json!([{ "propertyName": "num_notes", "operator": "BETWEEN", "value": "10", "highValue": "20" }]),
            Box::new(|r| number(r, "num_notes").is_some_and(|n| (10.0..=20.0).contains(&n))),
        ),
        (
            json!([on("lifecyclestage", "EQ", "customer")]),
            Box::new(|r| value(r, "lifecyclestage").as_deref() == Some("customer")),
        ),
        (json!([on("lifecyclestage", "EQ", "Customer")]), Box::new(|_| false)),
        (
            json!([on("lifecyclestage", "NEQ", "customer")]),
            Box::new(|r| value(r, "lifecyclestage").is_some_and(|stage| stage != "customer")),
        ),
        (json!([on("city", "EQ", "bOSTON")]), Box::new(|r| value(r, "city").as_deref() == Some("Boston"))),
        (
            json!([{ "propertyName": "city", "operator": "IN", "values": ["boston", "Chicago"] }]),
            Box::new(|r| value(r, "city").as_deref() == Some("Boston")),
        ),
        (
            json!([{ "propertyName": "referred_by", "operator": "HAS_PROPERTY" }]),
            Box::new(|r| value(r, "referred_by").is_some()),
        ),
        (
            json!([{ "propertyName": "referred_by", "operator": "NOT_HAS_PROPERTY" }]),
            Box::new(|r| value(r, "referred_by").is_none()),
        ),
        (
            json!([on("email", "CONTAINS_TOKEN", "*@orchard.example")]),
            Box::new(|r| value(r, "email").is_some_and(|email| email.ends_with("@orchard.example"))),
        ),
        (
            json!([on("is_vip", "EQ", "true"), on("hs_object_id", "GT", middle)]),
            Box::new(|r| {
                value(r, "is_vip").as_deref() == Some("true") && number(r, "hs_object_id") > middle.parse().ok()
            }),
        ),
    ];
    for (filters, expected) in cases {
        let (total, hits) = all_hits(&client, filtered(&filters)).await;
        let wanted: Vec<&str> = contacts
            .iter()
            .filter(|record| expected(record))
            .map(|record| record["id"].as_str().expect("an id"))
            .collect();
        assert_eq!(ids(&hits), wanted, "{filters}");
        assert_eq!(total, wanted.len() as u64, "{filters}");
    }
}

#[tokio::test]
async fn groups_are_alternatives_and_the_older_form_is_one_group() {
    let client = Client::with(200).await;
    let page = client.json("/crm/v3/objects/contacts?limit=2").await;
    let (one, two) = (page["results"][0]["id"].clone(), page["results"][1]["id"].clone());
    let eq = |id: &Value| json!([{ "propertyName": "hs_object_id", "operator": "EQ", "value": id }]);
    let either = json!({ "filterGroups": [{ "filters": eq(&one) }, { "filters": eq(&two) }] });
    assert_eq!(all_hits(&client, either).await.0, 2);
    assert_eq!(all_hits(&client, json!({ "filters": eq(&two) })).await.0, 1);
}

#[tokio::test]
async fn one_sort_in_either_direction() {
    let client = Client::with(600).await;
    let by = |direction: &str| json!({ "sorts": [{ "propertyName": "lastmodifieddate", "direction": direction }], "limit": 200 });
    let (_, ascending) = all_hits(&client, by("ASCENDING")).await;
    let times: Vec<(i64, u64)> = ascending
        .iter()
        .map(|hit| {
            let time: jiff::Timestamp = hit["updatedAt"].as_str().expect("a time").parse().expect("a time");
            (time.as_millisecond(), hit["id"].as_str().expect("an id").parse().expect("an id"))
        })
        .collect();
    assert!(times.is_sorted(), "ties go by id");
    assert_eq!(times.len(), 600);
    let bulk = times.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    assert!(bulk > 30, "a bulk import left many records with one modified time");

    let (_, descending) = all_hits(&client, by("DESCENDING")).await;
    let newest_first: Vec<&Value> = descending.iter().map(|hit| &hit["updatedAt"]).collect();
    let mut expected: Vec<&Value> = ascending.iter().map(|hit| &hit["updatedAt"]).collect();
    expected.reverse();
    assert_eq!(newest_first, expected);

    let by_id = json!({ "sorts": [{ "propertyName": "hs_object_id", "direction": "DESCENDING" }] });
    let (total, newest_first) = all_hits(&client, by_id).await;
    let mut expected = ids(&ascending);
    expected.sort_by_key(|id| std::cmp::Reverse(id.parse::<u64>().expect("a number")));
    assert_eq!((total, ids(&newest_first)), (600, expected), "the highest id first");

    let two = json!({ "sorts": [{ "propertyName": "email" }, { "propertyName": "city" }] });
    assert_eq!(refused(&client, two).await.status, 400);
}

#[tokio::test]
async fn contacts_keep_their_modified_time_in_a_property_of_another_name() {
    let client = Client::with(100).await;
    let wrong = filtered(&json!([on("hs_lastmodifieddate", "GT", "1451606400000")]));
    assert_eq!(all_hits(&client, wrong).await.0, 0);
    let right = filtered(&json!([on("lastmodifieddate", "GT", "1451606400000")]));
    assert_eq!(all_hits(&client, right).await.0, 100);
}

#[tokio::test]
async fn no_search_shows_more_than_ten_thousand_hits_but_the_total_is_true() {
    let client = Client::with(12_000).await;
    let last = client.post(SEARCH, json!({ "limit": 200, "after": "9800" })).await.json();
    assert_eq!(last["total"], 12_000);
    assert_eq!(last["results"].as_array().map(Vec::len), Some(200));
    assert_eq!(last["paging"]["next"]["after"], "10000");
    for after in [json!("10000"), json!("9801"), json!(9_999)] {
        let beyond = client.post(SEARCH, json!({ "limit": 200, "after": after })).await;
        assert_eq!((beyond.status, beyond.json()["category"].clone()), (400, json!("VALIDATION_ERROR")));
    }
}

#[tokio::test]
async fn archived_records_are_never_found() {
    let (client, truth) = (Client::with(300).await, Truth::of(300));
    for archived in truth.lines("contacts.archived") {
        let id = archived["id"].as_str().expect("an id");
        assert_eq!(all_hits(&client, filtered(&json!([on("hs_object_id", "EQ", id)]))).await.0, 0);
    }
}

#[tokio::test]
async fn what_search_refuses() {
    let client = Client::with(10).await;
    let filter = on("hs_object_id", "GT", "1");
    let group = |filters: usize| json!({ "filters": vec![filter.clone(); filters] });
    let long = json!({ "properties": vec!["a_property_name_of_some_length"; 100] });
    for (what, body) in [
        ("201 hits a page", json!({ "limit": 201 })),
        ("six groups", json!({ "filterGroups": vec![group(1); 6] })),
        ("seven filters in a group", json!({ "filterGroups": [group(7)] })),
        ("nineteen filters", json!({ "filterGroups": [group(6), group(6), group(6), group(1)] })),
        ("a body of more than 3,000 characters", long),
        ("an unknown property", filtered(&json!([on("nothing_like_it", "EQ", "1")]))),
        ("a highly sensitive property", filtered(&json!([on("diagnosis_code", "EQ", "I10")]))),
        ("an unknown operator", filtered(&json!([on("email", "LIKE", "a")]))),
        ("text for a number", filtered(&json!([on("num_notes", "GT", "many")]))),
        ("an offset that is none", json!({ "after": "abc" })),
    ] {
        let reply = refused(&client, body).await;
        assert_eq!((reply.status, reply.json()["category"].clone()), (400, json!("VALIDATION_ERROR")), "{what}");
    }
}

#[tokio::test]
async fn a_time_filter_from_the_epoch_breaks_the_server() {
    let client = Client::with(10).await;
    let from = |value: &str| filtered(&json!([on("lastmodifieddate", "GTE", value)]));
    assert_eq!(refused(&client, from("0")).await.status, 500);
    assert_eq!(refused(&client, from("1000")).await.status, 200);
}

#[tokio::test]
async fn times_have_the_resolution_of_a_millisecond() {
    let (client, truth) = (Client::with(100).await, Truth::of(100));
    let contact = &truth.lines("contacts")[42];
    let time: jiff::Timestamp = contact["updatedAt"].as_str().expect("a time").parse().expect("a time");
    let at = time.as_millisecond();
    let within = |low: i64, high: i64| {
        let (low, high) = (low.to_string(), high.to_string());
        filtered(
            &json!([{ "propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": low, "highValue": high }]),
        )
    };
    assert_eq!(all_hits(&client, within(at, at)).await.0, 1);
    assert_eq!(all_hits(&client, within(at + 1, at + 1)).await.0, 0);
}
