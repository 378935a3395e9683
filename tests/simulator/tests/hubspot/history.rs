use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_simulator::data::{self, HistoryCap};
use sluice_simulator::hubspot::{self, Fault, FaultAction, Options, PathPattern};
use sluice_simulator::truth;

use crate::client::{Client, Truth, ids, lines, roomy};

const BATCH: &str = "/crm/objects/2026-09/contacts/batch/read";
/// The most records a request with history may ask for.
const LARGEST: usize = 50;

fn inputs(ids: &[&str]) -> Vec<Value> {
    ids.iter().map(|id| json!({ "id": id })).collect()
}

/// The versions of the truth, by record and property, in the order in which they stand there.
fn expected(data: &data::Options, properties: &[(&str, &str)]) -> BTreeMap<(String, String), Vec<Value>> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let properties: Vec<(String, String)> =
        properties.iter().map(|(object_type, name)| ((*object_type).to_owned(), (*name).to_owned())).collect();
    truth::write_history(dir.path(), data, &properties).expect("the history is written");
    let mut by_property: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    for mut line in lines(&dir.path().join("property_history.ndjson")) {
        let fields = line.as_object_mut().expect("an object");
        let text = |value: Option<Value>| value.and_then(|value| Some(value.as_str()?.to_owned())).expect("text");
        fields.remove("objectTypeId");
        let key = (text(fields.remove("objectId")), text(fields.remove("name")));
        fields.retain(|_, value| !value.is_null());
        by_property.entry(key).or_default().push(line);
    }
    by_property
}

async fn given(client: &Client, path: &str, ids: &[&str], names: &[&str]) -> BTreeMap<(String, String), Vec<Value>> {
    let mut found = BTreeMap::new();
    for ids in ids.chunks(LARGEST) {
        let reply = client.post(path, json!({ "inputs": inputs(ids), "propertiesWithHistory": names })).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        for record in reply.json()["results"].as_array().expect("results") {
            let histories = record["propertiesWithHistory"].as_object().expect("histories");
            assert_eq!(histories.len(), names.len());
            for (name, versions) in histories {
                let versions = versions.as_array().expect("versions").clone();
                if !versions.is_empty() {
                    found.insert((record["id"].as_str().expect("an id").to_owned(), name.clone()), versions);
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn batches_give_what_the_truth_holds() {
    let (client, truth) = (Client::with(300).await, Truth::of(300));
    let data = roomy(300).data;
    let contacts = truth.lines("contacts");
    let names = ["phone", "annual_income", "contract_end", "lastmodifieddate", "hubspotscore", "diagnosis_code"];
    let pairs = names.map(|name| ("contacts", name));
    assert_eq!(given(&client, BATCH, &ids(&contacts), &names).await, expected(&data, &pairs));

    let deals = truth.lines("deals");
    let path = "/crm/v3/objects/0-3/batch/read";
    assert_eq!(given(&client, path, &ids(&deals), &["amount"]).await, expected(&data, &[("0-3", "amount")]));
}

#[tokio::test]
async fn a_history_stands_beside_the_value_and_begins_with_it() {
    let client = Client::with(120).await;
    let names = "properties=phone,is_vip,email&propertiesWithHistory=phone,is_vip,no_such_property,old_segment";
    let page = client.json(&format!("/crm/v3/objects/contacts?limit=50&{names}")).await;
    for record in page["results"].as_array().expect("results") {
        let histories = record["propertiesWithHistory"].as_object().expect("histories");
        assert_eq!(histories.keys().collect::<Vec<_>>(), ["is_vip", "phone"]);
        for (name, versions) in histories {
            let value = record["properties"][name].as_str().unwrap_or_default();
            let newest = versions[0]["value"].as_str().unwrap_or_default();
            assert_eq!(newest, value, "{name}");
            for version in versions.as_array().expect("versions") {
                assert!(version["timestamp"].as_str() <= record["updatedAt"].as_str());
                assert!(version["sourceType"].is_string());
            }
        }
        let id = record["id"].as_str().expect("an id");
        assert_eq!(client.json(&format!("/crm/v3/objects/contacts/{id}?{names}")).await, *record);
    }
    assert_eq!(client.json("/crm/v3/objects/contacts").await["results"][0].get("propertiesWithHistory"), None);
}

#[tokio::test]
async fn pages_of_any_size_give_the_same() {
    let client = Client::with(120).await;
    let path = "/crm/objects/2026-09/contacts?propertiesWithHistory=phone,hubspotscore";
    let all = client.all(&format!("{path}&limit=50")).await;
    assert_eq!(all.len(), 120);
    assert_eq!(client.all(&format!("{path}&limit=7")).await, all);
    let batched = given(&client, BATCH, &ids(&all)[..10], &["phone", "hubspotscore"]).await;
    for ((id, name), versions) in batched {
        let listed = all.iter().find(|record| record["id"] == id.as_str()).expect("the record");
        assert_eq!(listed["propertiesWithHistory"][name.as_str()], json!(versions));
    }
}

#[tokio::test]
async fn fifty_records_at_most() {
    let client = Client::with(100).await;
    let numbers: Vec<String> = (0..=LARGEST).map(|id| id.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let refused = client.post(BATCH, json!({ "inputs": inputs(&numbers), "propertiesWithHistory": ["phone"] })).await;
    assert_eq!((refused.status, refused.json()["category"].clone()), (400, json!("VALIDATION_ERROR")));
    // No history, no such limit: the ids are not there.
    assert_eq!(client.post(BATCH, json!({ "inputs": inputs(&numbers) })).await.status, 404);
    let list = "/crm/v3/objects/contacts?propertiesWithHistory=phone";
    assert_eq!(client.get(&format!("{list}&limit=51")).await.status, 400);
    assert_eq!(client.json(&format!("{list}&limit=50")).await["results"].as_array().map(Vec::len), Some(50));
}

#[tokio::test]
async fn a_sensitive_history_needs_the_scope_of_the_value() {
    let client = Client::with(20).await.using(hubspot::TOKEN);
    let truth = Truth::of(20);
    let contacts = truth.lines("contacts");
    let ask = |name: &str| json!({ "inputs": inputs(&ids(&contacts)), "propertiesWithHistory": [name] });
    assert_eq!(client.post(BATCH, ask("phone")).await.status, 200);
    let refused = client.post(BATCH, ask("diagnosis_code")).await;
    assert_eq!((refused.status, refused.json()["category"].clone()), (403, json!("MISSING_SCOPES")));
}

#[tokio::test]
async fn a_record_that_is_gone_is_missing_as_ever() {
    let (client, truth) = (Client::with(100).await, Truth::of(100));
    let (contacts, archived) = (truth.lines("contacts"), truth.lines("contacts.archived"));
    let asked = [ids(&contacts)[0], ids(&archived)[0]];
    let body = json!({ "inputs": inputs(&asked), "propertiesWithHistory": ["phone"] });
    let reply = client.post("/crm/v3/objects/contacts/batch/read", body).await;
    assert_eq!(reply.status, 207);
    assert_eq!(ids(reply.json()["results"].as_array().expect("results")), asked[..1]);
    assert_eq!(reply.json()["errors"][0]["context"]["ids"], json!([asked[1]]));
}

#[tokio::test]
async fn the_cap_cuts_the_oldest_and_the_truth_counts_them() {
    let history_cap = HistoryCap { contacts: 3, others: 2 };
    let data = data::Options { history_cap, ..roomy(200).data };
    let client = Client::new(Options { data: data.clone(), ..roomy(200) }).await;
    let uncapped = Client::with(200).await;
    let truth = Truth::of(200);
    let mut capped = BTreeMap::new();
    for (object_type, cap) in [("contacts", 3), ("companies", 2)] {
        let records = truth.lines(object_type);
        let path = format!("/crm/v3/objects/{object_type}/batch/read");
        let short = given(&client, &path, &ids(&records), &["hubspot_owner_id"]).await;
        assert_eq!(short, expected(&data, &[(object_type, "hubspot_owner_id")]));
        for (key, long) in given(&uncapped, &path, &ids(&records), &["hubspot_owner_id"]).await {
            assert_eq!(short[&key], long[..long.len().min(cap)]);
            if long.len() > cap {
                capped.insert(key.0, cap);
            }
        }
    }
    assert!(!capped.is_empty());
    let dir = tempfile::tempdir().expect("a temporary folder");
    let chosen = ["contacts", "companies"].map(|object_type| (object_type.to_owned(), "hubspot_owner_id".to_owned()));
    truth::write_history(dir.path(), &data, &chosen).expect("the history is written");
    let told = lines(&dir.path().join("property_history_capped.ndjson"));
    assert_eq!(told.len(), capped.len());
    for line in told {
        assert_eq!(line["given"], capped[line["objectId"].as_str().expect("an id")]);
        assert!(line["versions"].as_u64() > line["given"].as_u64());
    }
}

#[tokio::test]
async fn what_nobody_can_read_is_no_truth() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (object_type, name) in [("contacts", "no_such_property"), ("contacts", "old_segment"), ("nothing", "*")] {
        let chosen = [(object_type.to_owned(), name.to_owned())];
        let refused = truth::write_history(dir.path(), &data::Options::default(), &chosen);
        assert_eq!(
            refused.map_err(|error| error.kind()),
            Err(std::io::ErrorKind::InvalidInput),
            "{object_type}.{name}"
        );
    }
    let all = [("contacts", "*"), ("0-1", "medical_notes")].map(|(of, name)| (of.to_owned(), name.to_owned()));
    truth::write_history(dir.path(), &roomy(5).data, &all).expect("the history is written");
    let written = lines(&dir.path().join("property_history.ndjson"));
    assert!(written.iter().any(|line| line["name"] == "medical_notes"));
    assert_eq!(written.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), written.len());
}

#[tokio::test]
async fn faults_strike_histories_too() {
    let truth = Truth::of(20);
    let contacts = truth.lines("contacts");
    let fault = |occurrences, action| Fault {
        path: PathPattern::Contains("batch/read".to_owned()),
        method: None,
        occurrences,
        action,
    };
    let faults = vec![
        fault(0..1, FaultAction::Archived { property: "phone".to_owned() }),
        fault(1..2, FaultAction::InputErrors { category: "INTERNAL_ERROR".to_owned(), every: 4 }),
    ];
    let client = Client::new(Options { faults, ..roomy(20) }).await;
    let body = json!({ "inputs": inputs(&ids(&contacts)), "propertiesWithHistory": ["phone", "email"] });
    let archived = client.post(BATCH, body.clone()).await.json();
    let histories =
        |answer: &Value| answer["results"][0]["propertiesWithHistory"].as_object().expect("histories").len();
    assert_eq!(histories(&archived), 1);
    let errors = client.post(BATCH, body.clone()).await;
    assert_eq!((errors.status, errors.json()["numErrors"].clone()), (207, json!(5)));
    assert_eq!(errors.json()["results"].as_array().map(Vec::len), Some(15));
    assert_eq!(histories(&client.post(BATCH, body).await.json()), 2);
}

#[tokio::test]
async fn the_last_of_a_million_costs_what_the_first_costs() {
    let client = Client::with(1_000_000).await;
    let time = async |after: u64| {
        let start = Instant::now();
        let path = format!("/crm/v3/objects/contacts?limit=50&propertiesWithHistory=phone,hubspotscore&after={after}");
        assert_eq!(client.json(&path).await["results"].as_array().map(Vec::len), Some(50));
        start.elapsed()
    };
    let first = time(0).await;
    // Ids stand fifty apart, so this is about the nine hundred thousandth.
    let late = time(51_000_000).await;
    assert!(late < first * 10 + Duration::from_millis(250), "{first:?}, {late:?}");
}
