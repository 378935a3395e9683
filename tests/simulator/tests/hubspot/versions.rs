use serde_json::{Value, json};

use crate::client::Client;

/// The same endpoint in the numbered family and, with `{}` for the version, in the dated one.
const PATHS: &[(&str, &str)] = &[
    (
        "/crm/v3/objects/contacts?limit=20&properties=email,biography,diagnosis_code",
        "/crm/objects/{}/contacts?limit=20&properties=email,biography,diagnosis_code",
    ),
    ("/crm/v3/objects/contacts?archived=true", "/crm/objects/{}/contacts?archived=true"),
    ("/crm/v3/objects/2-13370001", "/crm/objects/{}/2-13370001"),
    ("/crm/v3/objects/deals?limit=100", "/crm/objects/{}/deals?limit=100"),
    ("/crm/v3/properties/contacts", "/crm/properties/{}/contacts"),
    ("/crm/v3/properties/contacts?dataSensitivity=sensitive", "/crm/properties/{}/contacts?dataSensitivity=sensitive"),
    ("/crm/v3/properties/deals/amount", "/crm/properties/{}/deals/amount"),
    ("/crm/v3/schemas", "/crm-object-schemas/{}/schemas"),
    ("/crm/v3/owners?limit=50", "/crm/owners/{}?limit=50"),
    ("/crm/v3/lists?listIds=5,8", "/crm/lists/{}?listIds=5,8"),
    ("/crm/v3/lists/5/memberships?limit=20", "/crm/lists/{}/5/memberships?limit=20"),
    ("/crm/v3/lists/4711", "/crm/lists/{}/4711"),
    ("/crm/v4/associations/contacts/companies/labels", "/crm/associations/{}/contacts/companies/labels"),
    ("/crm/v3/pipelines/tickets", "/crm/pipelines/{}/tickets"),
    ("/events/v3/events/event-types", "/events/event-occurrences/{}/event-types"),
    ("/events/v3/events?eventType=e_visited_page", "/events/event-occurrences/{}?eventType=e_visited_page"),
    ("/account-info/v3/details", "/account-info/{}/details"),
    ("/crm/v3/limits/records", "/crm/limits/{}/records"),
    ("/crm/v3/object-library/enablement", "/crm/object-library/{}/enablement"),
    ("/crm/v3/objects/nothing_like_it", "/crm/objects/{}/nothing_like_it"),
];

/// Removes what must differ: the links, which repeat the path, and the number of the request.
fn comparable(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("correlationId");
    }
    if let Some(next) = answer.pointer_mut("/paging/next").and_then(Value::as_object_mut) {
        next.remove("link");
    }
    answer
}

/// Applies the documented differences of 2026-09 to an older answer.
fn as_in_september_2026(answer: &mut Value) {
    match answer {
        Value::Array(items) => items.iter_mut().for_each(as_in_september_2026),
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !matches!(
                    name.as_str(),
                    "warnings" | "currencyPropertyName" | "dateDisplayHint" | "numberDisplayHint" | "textDisplayHint"
                )
            });
            fields.values_mut().for_each(as_in_september_2026);
        }
        _ => {}
    }
}

#[tokio::test]
async fn dated_answers_equal_the_numbered_ones_but_for_the_documented_differences() {
    let client = Client::with(100).await;
    for (numbered, dated) in PATHS {
        let old = client.get(numbered).await;
        let march = client.get(&dated.replace("{}", "2026-03")).await;
        let september = client.get(&dated.replace("{}", "2026-09")).await;
        assert_eq!((old.status, old.status), (march.status, september.status), "{numbered}");
        let mut expected = comparable(old.json());
        assert_eq!(comparable(march.json()), expected, "{dated}");
        as_in_september_2026(&mut expected);
        assert_eq!(comparable(september.json()), expected, "{dated}");
    }
}

#[tokio::test]
async fn september_2026_really_drops_something() {
    let client = Client::with(10).await;
    let (old, new) = ("/crm/v3/objects/contacts", "/crm/objects/2026-09/contacts");
    assert_eq!(client.json(old).await["results"][0]["warnings"], json!([]));
    assert_eq!(client.json(new).await["results"][0].get("warnings"), None);
    let (old, new) = ("/crm/v3/properties/contacts/email", "/crm/properties/2026-09/contacts/email");
    assert_eq!(client.json(old).await["textDisplayHint"], "email");
    assert_eq!(client.json(new).await.get("textDisplayHint"), None);
}

#[tokio::test]
async fn search_and_batch_read_are_alike_too() {
    let client = Client::with(100).await;
    let id = client.json("/crm/v3/objects/contacts").await["results"][3]["id"].clone();
    for (what, body) in [
        ("search", json!({ "limit": 50, "properties": ["email"] })),
        ("batch/read", json!({ "inputs": [{ "id": id }] })),
    ] {
        let mut old = client.post(&format!("/crm/v3/objects/contacts/{what}"), body.clone()).await.json();
        let march = client.post(&format!("/crm/objects/2026-03/contacts/{what}"), body.clone()).await.json();
        let september = client.post(&format!("/crm/objects/2026-09/contacts/{what}"), body).await.json();
        assert_eq!(march, old, "{what}");
        as_in_september_2026(&mut old);
        assert_eq!(september, old, "{what}");
    }
}
