use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sluice_simulator::hubspot::{self, Fault, FaultAction, PathPattern, Scopes, Token};

use crate::client::{Client, Truth, ids, roomy};

const READ: &str = "/crm/v4/associations/contacts/companies/batch/read";
const SOME_SCOPES: &str = "pat-eu1-00000000-0000-4000-8000-00000000000a";

/// A link as the truth has it: both ends, category, number, label.
type Line = (String, String, String, u64, Value);

fn inputs<'a>(ids: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "inputs": ids.into_iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() })
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[][..], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn lines_of(from: &str, to: &[Value]) -> Vec<Line> {
    to.iter()
        .flat_map(|one| {
            let id = one["toObjectId"].as_u64().expect("the other end is a number").to_string();
            list(one, "associationTypes").iter().map(move |kind| {
                let number = kind["typeId"].as_u64().expect("a number");
                (from.to_owned(), id.clone(), text(&kind["category"]), number, kind["label"].clone())
            })
        })
        .collect()
}

fn expected(truth: &Truth, from: &str, to: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = truth
        .lines("associations")
        .iter()
        .filter(|line| line["fromObjectTypeId"] == from && line["toObjectTypeId"] == to)
        .map(|line| {
            let number = line["typeId"].as_u64().expect("a number");
            let (from, to) = (text(&line["fromObjectId"]), text(&line["toObjectId"]));
            (from, to, text(&line["category"]), number, line["label"].clone())
        })
        .collect();
    lines.sort_by_key(|line| format!("{line:?}"));
    lines
}

/// Everything that batch reads say of these records, page by page.
async fn read_all(client: &Client, path: &str, ids: &[&str]) -> Vec<Line> {
    let mut lines = Vec::new();
    for ids in ids.chunks(1_000) {
        let mut wanted: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        while !wanted.is_empty() {
            let reply = client.post(path, json!({ "inputs": wanted })).await;
            let answer = reply.json();
            let errors = list(&answer, "errors");
            assert_eq!(reply.status, if errors.is_empty() || path.contains("2026-09") { 200 } else { 207 });
            assert_eq!(list(&answer, "results").len() + errors.len(), wanted.len(), "each input is answered for");
            assert_eq!(answer["numErrors"].as_u64().unwrap_or(0), errors.len() as u64);
            for error in errors {
                assert_eq!(error["subCategory"], "crm.associations.NO_ASSOCIATIONS_FOUND");
            }
            wanted = Vec::new();
            for result in list(&answer, "results") {
                lines.extend(lines_of(&text(&result["from"]["id"]), list(result, "to")));
                if let Some(after) = result["paging"]["next"]["after"].as_str() {
                    wanted.push(json!({ "id": result["from"]["id"], "after": after }));
                }
            }
        }
    }
    lines.sort_by_key(|line| format!("{line:?}"));
    lines
}

#[tokio::test]
async fn every_pair_reads_as_the_truth_has_it_in_every_family() {
    let (client, truth) = (Client::with(300).await, Truth::of(300));
    let files: BTreeMap<String, String> =
        truth.lines("object_types").iter().map(|line| (text(&line["objectTypeId"]), text(&line["file"]))).collect();
    let pairs: BTreeSet<(String, String)> = truth
        .lines("association_definitions")
        .iter()
        .map(|line| (text(&line["fromObjectTypeId"]), text(&line["toObjectTypeId"])))
        .collect();
    assert!(pairs.len() > 40);
    let mut total = 0;
    for (number, (from, to)) in pairs.iter().enumerate() {
        let records = truth.lines(&files[from]);
        let path = match number % 3 {
            0 => format!("/crm/v4/associations/{from}/{to}/batch/read"),
            1 => format!("/crm/associations/2026-03/{from}/{to}/batch/read"),
            _ => format!("/crm/associations/2026-09/{from}/{to}/batch/read"),
        };
        let expected = expected(&truth, from, to);
        total += expected.len();
        assert_eq!(read_all(&client, &path, &ids(&records)).await, expected, "{path}");
    }
    assert_eq!(total, truth.lines("associations").len());
}

#[tokio::test]
async fn the_payer_has_pages_of_its_own_among_the_inputs() {
    let client = Client::new(hubspot::Options { association_page: 50, ..roomy(300) }).await;
    let truth = Truth::of(300);
    let companies = truth.lines("companies");
    let path = "/crm/associations/2026-09/companies/contacts/batch/read";
    let expected = expected(&truth, "0-2", "0-1");
    assert_eq!(read_all(&client, path, &ids(&companies)).await, expected);

    let first = client.post(path, inputs(ids(&companies))).await.json();
    let unfinished: Vec<&Value> =
        list(&first, "results").iter().filter(|result| result.get("paging").is_some()).collect();
    assert_eq!(unfinished.len(), 1, "the others have fewer");
    assert_eq!(list(unfinished[0], "to").len(), 50);
    let after = unfinished[0]["paging"]["next"]["after"].clone();
    let forged = json!({ "inputs": [{ "id": companies[0]["id"], "after": after }] });
    assert_eq!(client.post(path, forged).await.status, 400, "a cursor is for its own record");

    // The default page holds five hundred.
    let client = Client::with(1_000).await;
    let companies = Truth::of(1_000).lines("companies");
    let answer = client.post(path, inputs(ids(&companies))).await.json();
    let largest = list(&answer, "results").iter().map(|result| list(result, "to").len()).max();
    assert_eq!(largest, Some(500));
}

#[tokio::test]
async fn one_record_is_answered_like_an_input_of_a_batch() {
    let client = Client::new(hubspot::Options { association_page: 50, ..roomy(200) }).await;
    let truth = Truth::of(200);
    let expected = expected(&truth, "0-2", "0-1");
    for (place, company) in truth.lines("companies").iter().enumerate() {
        let id = company["id"].as_str().expect("an id");
        let path = match place % 2 {
            0 => format!("/crm/v4/objects/companies/{id}/associations/contacts?limit=500"),
            _ => format!("/crm/objects/2026-03/0-2/{id}/associations/contact"),
        };
        let mut lines = lines_of(id, &client.all(&path).await);
        lines.sort_by_key(|line| format!("{line:?}"));
        let wanted: Vec<&Line> = expected.iter().filter(|line| line.0 == id).collect();
        assert_eq!(lines.iter().collect::<Vec<_>>(), wanted);
    }
    assert_eq!(client.get("/crm/v4/objects/companies/1/associations/contacts").await.status, 404);
    assert_eq!(client.get("/crm/v4/objects/contacts/101/associations/contacts?limit=501").await.status, 400);
    let september = client.get("/crm/objects/2026-09/companies/1/associations/contacts").await;
    assert!(september.status == 404 && september.is_html(), "2026-09 has no such end point");
}

#[tokio::test]
async fn what_a_batch_read_refuses() {
    let (client, truth) = (Client::with(60).await, Truth::of(60));
    let contacts = truth.lines("contacts");
    let id = contacts[0]["id"].as_str().expect("an id");
    let refused = |reply: crate::client::Reply| (reply.status, reply.json()["category"].clone());
    assert_eq!(client.post(READ, inputs(vec!["1"; 1_000])).await.status, 207);
    assert_eq!(refused(client.post(READ, inputs(vec!["1"; 1_001])).await), (400, json!("VALIDATION_ERROR")));
    let no_definition = "/crm/v4/associations/products/contacts/batch/read";
    assert_eq!(refused(client.post(no_definition, inputs([id])).await), (400, json!("VALIDATION_ERROR")));
    let no_type = "/crm/v4/associations/2-99/contacts/batch/read";
    assert_eq!(refused(client.post(no_type, inputs([id])).await), (404, json!("OBJECT_NOT_FOUND")));
    assert_eq!(client.get(READ).await.status, 405);
}

#[tokio::test]
async fn records_that_are_gone_are_errors_without_the_sub_category_and_links_still_name_some() {
    let (client, truth) = (Client::with(2_000).await, Truth::of(2_000));
    let (contacts, companies) = (truth.lines("contacts"), truth.lines("companies"));
    let live: BTreeSet<&str> = ids(&companies).into_iter().collect();
    let expected = expected(&truth, "0-1", "0-2");
    let gone =
        &expected.iter().find(|line| !live.contains(line.1.as_str())).expect("a link to a record that is gone").1;
    let archived = truth.lines("companies.archived");
    let archived = archived[0]["id"].as_str().expect("an id");
    let answer = client
        .post(
            "/crm/v4/associations/companies/contacts/batch/read",
            inputs([gone, archived, "nonsense", ids(&companies)[0]]),
        )
        .await;
    assert_eq!(answer.status, 207);
    let answer = answer.json();
    assert_eq!(list(&answer, "results").len() + list(&answer, "errors").len(), 4);
    for id in [gone, archived, "nonsense"] {
        let error = list(&answer, "errors")
            .iter()
            .find(|error| error["context"]["fromObjectId"] == json!([id]))
            .expect("an error for it");
        assert_eq!((&error["category"], error.get("subCategory")), (&json!("OBJECT_NOT_FOUND"), None));
    }
    let order = client.post(READ, inputs(ids(&contacts[..500]))).await.json();
    let read: Vec<String> = list(&order, "results").iter().map(|result| text(&result["from"]["id"])).collect();
    assert!(!read.is_sorted_by_key(|id| id.parse::<u64>().expect("a number")), "an order of its own");
    let kinds = list(&order, "results").iter().flat_map(|result| list(result, "to"));
    let labels: Vec<Value> =
        kinds.filter_map(|one| list(one, "associationTypes").first()).map(|kind| kind["label"].clone()).collect();
    assert!(
        labels.contains(&json!("Primary")) && labels.contains(&Value::Null),
        "the primary kind is not always first"
    );
}

#[tokio::test]
async fn labels_and_limits_are_those_of_the_truth() {
    let (client, truth) = (Client::with(1).await, Truth::of(1));
    let definitions = truth.lines("association_definitions");
    for (from, to) in
        [("0-1", "0-2"), ("0-2", "0-1"), ("0-2", "0-2"), ("0-3", "0-1"), ("2-13370001", "0-1"), ("0-7", "0-1")]
    {
        let expected: Vec<Value> = definitions
            .iter()
            .filter(|line| line["fromObjectTypeId"] == from && line["toObjectTypeId"] == to)
            .map(|line| json!({ "category": line["category"], "typeId": line["typeId"], "label": line["label"] }))
            .collect();
        for path in [
            format!("/crm/v4/associations/{from}/{to}/labels"),
            format!("/crm/associations/v4/{from}/{to}/labels"),
            format!("/crm/associations/2026-03/{from}/{to}/labels"),
            format!("/crm/associations/2026-09/{from}/{to}/labels"),
        ] {
            assert_eq!(client.json(&path).await, json!({ "results": expected }), "{path}");
        }
        assert_eq!(expected.is_empty(), from == "0-7");
    }
    let numbers = |from: &str, to: &str| -> Vec<u64> {
        let of_pair = |line: &&Value| line["fromObjectTypeId"] == from && line["toObjectTypeId"] == to;
        definitions.iter().filter(of_pair).filter_map(|line| line["typeId"].as_u64()).collect()
    };
    assert_eq!(numbers("0-1", "0-2")[..2], [279, 1]);
    assert_eq!(numbers("0-2", "0-1")[..2], [280, 2]);

    let limited: Vec<&Value> = definitions.iter().filter(|line| line.get("maxToObjectIds").is_some()).collect();
    assert!(!limited.is_empty());
    for path in [
        "/crm/associations/v4/definitions/configurations/all",
        "/crm/associations/2026-03/definitions/configurations/all",
        "/crm/associations/2026-09/definitions/configurations/all",
    ] {
        let read = client.json(path).await;
        let expected: Vec<Value> = limited
            .iter()
            .map(|line| {
                json!({
                    "category": line["category"], "typeId": line["typeId"], "label": line["label"],
                    "userEnforcedMaxToObjectIds": line["maxToObjectIds"],
                })
            })
            .collect();
        assert_eq!(list(&read, "results"), expected);
    }
}

#[tokio::test]
async fn september_can_be_without_labels() {
    let client = Client::new(hubspot::Options { labels_in_september: false, ..roomy(1) }).await;
    for (september, march) in [
        ("/crm/associations/2026-09/contacts/companies/labels", "/crm/associations/2026-03/contacts/companies/labels"),
        (
            "/crm/associations/2026-09/definitions/configurations/all",
            "/crm/associations/2026-03/definitions/configurations/all",
        ),
    ] {
        let reply = client.get(september).await;
        assert_eq!((reply.status, &reply.json()["category"]), (404, &json!("OBJECT_NOT_FOUND")));
        assert_eq!(client.get(march).await.status, 200);
    }
}

#[tokio::test]
async fn both_ends_must_be_readable() {
    let mut options = roomy(20);
    let scopes = BTreeSet::from(["crm.objects.contacts.read".to_owned()]);
    options.tokens.push(Token { text: SOME_SCOPES.to_owned(), scopes: Scopes::Only(scopes) });
    let client = Client::new(options).await.using(SOME_SCOPES);
    for (pair, missing) in [
        ("contacts/companies", vec!["crm.objects.companies.read"]),
        ("companies/contacts", vec!["crm.objects.companies.read"]),
        ("tickets/deals", vec!["tickets", "crm.objects.deals.read"]),
    ] {
        let reply = client.post(&format!("/crm/v4/associations/{pair}/batch/read"), inputs(["101"])).await;
        assert_eq!(reply.status, 403, "{pair}");
        let error = reply.json();
        assert_eq!(error["category"], "MISSING_SCOPES");
        assert_eq!(error["errors"][0]["context"]["requiredGranularScopes"], json!(missing));
    }
    assert_eq!(client.post("/crm/v4/associations/contacts/contacts/batch/read", inputs(["101"])).await.status, 207);
    assert_eq!(client.get("/crm/v4/associations/contacts/companies/labels").await.status, 200);
}

#[tokio::test]
async fn some_inputs_come_back_as_errors_of_another_category() {
    let fault = Fault {
        path: PathPattern::Contains("/associations/".to_owned()),
        method: None,
        occurrences: 1..2,
        action: FaultAction::InputErrors { category: "INTERNAL_ERROR".to_owned(), every: 4 },
    };
    let client = Client::new(hubspot::Options { faults: vec![fault], ..roomy(100) }).await;
    let contacts = Truth::of(100).lines("contacts");
    let path = "/crm/associations/2026-09/contacts/companies/batch/read";
    let usual = client.post(path, inputs(ids(&contacts))).await;
    let struck = client.post(path, inputs(ids(&contacts))).await;
    let again = client.post(path, inputs(ids(&contacts))).await;
    assert_eq!((usual.status, struck.status), (200, 207));
    assert_eq!(usual.json(), again.json());

    let (usual, struck) = (usual.json(), struck.json());
    let hit: Vec<&str> = ids(&contacts).into_iter().skip(3).step_by(4).collect();
    let errors: Vec<&Value> =
        list(&struck, "errors").iter().filter(|error| error["category"] == "INTERNAL_ERROR").collect();
    assert_eq!(errors.iter().map(|error| error["context"]["ids"][0].clone()).collect::<Vec<_>>(), hit);
    let kept: Vec<&Value> = list(&usual, "results")
        .iter()
        .filter(|result| !hit.contains(&result["from"]["id"].as_str().expect("an id")))
        .collect();
    assert_eq!(list(&struck, "results").iter().collect::<Vec<_>>(), kept);
    assert_eq!(list(&struck, "results").len() + list(&struck, "errors").len(), contacts.len());
}
