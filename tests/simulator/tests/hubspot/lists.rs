use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_simulator::hubspot::{self, Fault, FaultAction, PathPattern, Scopes, Token};

use crate::client::{Client, Truth, ids, roomy};

const SEARCH: &str = "/crm/v3/lists/search";
const NO_LISTS: &str = "pat-eu1-00000000-0000-4000-8000-00000000000b";

fn found(answer: &Value) -> Vec<Value> {
    answer["lists"].as_array().expect("lists").clone()
}

fn list_ids(lists: &[Value]) -> Vec<String> {
    lists.iter().map(|list| list["listId"].as_str().expect("an id").to_owned()).collect()
}

async fn search_all(client: &Client, path: &str, count: Option<usize>) -> Vec<Value> {
    let (mut lists, mut offset) = (Vec::new(), json!(0));
    loop {
        let answer = client.post(path, json!({ "offset": offset, "count": count })).await.json();
        lists.extend(found(&answer));
        offset = answer["offset"].clone();
        assert_eq!(offset, lists.len());
        if answer["hasMore"] == false {
            assert_eq!(answer["total"], lists.len());
            return lists;
        }
    }
}

#[tokio::test]
async fn a_search_pages_by_offset_and_finds_what_the_truth_has() {
    let (client, truth) = (Client::with(200).await, Truth::of(200));
    let expected = truth.lines("lists");
    assert_eq!(expected.len(), 30);
    let kinds: BTreeSet<&str> = expected.iter().filter_map(|list| list["processingType"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["DYNAMIC", "MANUAL", "SNAPSHOT"]));
    let first = client.post(SEARCH, json!({})).await.json();
    assert_eq!((found(&first).len(), &first["hasMore"], &first["total"]), (20, &json!(true), &json!(30)));
    for (path, count) in
        [(SEARCH, None), ("/crm/lists/2026-03/search", Some(7)), ("/crm/lists/2026-09/search", Some(500))]
    {
        let mut read = search_all(&client, path, count).await;
        for (list, expected) in read.iter_mut().zip(&expected) {
            assert_eq!(list.get("size"), None, "only a list that is fetched has its size");
            let size = list["additionalProperties"].get("hs_list_size").cloned();
            assert_eq!(size, (expected["size"] != 0).then(|| json!(expected["size"].to_string())));
            list["size"] = expected["size"].clone();
        }
        assert_eq!(read, expected, "{path}");
    }
    assert!(expected.iter().any(|list| list["size"] == 0));
    for count in [0, 501] {
        assert_eq!(client.post(SEARCH, json!({ "count": count })).await.status, 400, "{count}");
    }
    assert_eq!(client.post(SEARCH, json!({ "sort": "name" })).await.status, 501);
}

#[tokio::test]
async fn a_search_is_narrowed() {
    let client = Client::with(50).await;
    let names = async |request: Value| -> Vec<Value> {
        found(&client.post(SEARCH, request).await.json()).iter().map(|list| list["name"].clone()).collect()
    };
    assert_eq!(names(json!({ "query": "vip, \"GOLD" })).await, ["VIP, \"Gold\" – Zürich"]);
    assert_eq!(names(json!({ "listIds": ["11", "4711"] })).await, ["Nobody yet"]);
    assert_eq!(names(json!({ "objectTypeId": "0-3" })).await, ["Deals of this quarter", "Deals to review"]);
    let chosen = json!({ "objectTypeId": "2-13370001", "processingTypes": ["DYNAMIC", "SNAPSHOT"] });
    assert_eq!(names(chosen).await, ["Vehicles due for service"]);
}

#[tokio::test]
async fn lists_are_fetched_one_or_many() {
    let (client, truth) = (Client::with(200).await, Truth::of(200));
    let expected: Vec<Value> = truth
        .lines("lists")
        .into_iter()
        .map(|mut list| {
            list.as_object_mut().expect("a list").remove("additionalProperties");
            list
        })
        .collect();
    for list in &expected {
        let id = list["listId"].as_str().expect("an id");
        assert_eq!(client.json(&format!("/crm/lists/2026-09/{id}")).await, json!({ "list": list }));
    }
    let two = client.json("/crm/v3/lists?listIds=5&listIds=8&listIds=4711&includeFilters=false").await;
    assert_eq!(two, json!({ "lists": expected[..2] }));
    let reply = client.get("/crm/v3/lists/4711").await;
    assert_eq!((reply.status, &reply.json()["category"]), (404, &json!("OBJECT_NOT_FOUND")));
    assert_eq!(client.get("/crm/v3/lists/5?includeFilters=true").await.status, 501);
}

#[tokio::test]
async fn members_page_by_id_or_by_time() {
    let (client, truth) = (Client::with(300).await, Truth::of(300));
    let members = truth.lines("list_memberships");
    for id in list_ids(&truth.lines("lists")) {
        let expected: Vec<Value> = members
            .iter()
            .filter(|line| line["listId"] == id)
            .map(|line| json!({ "recordId": line["recordId"], "membershipTimestamp": line["membershipTimestamp"] }))
            .collect();
        let path = format!("/crm/lists/2026-09/{id}/memberships");
        assert_eq!(client.all(&format!("{path}?limit=7")).await, expected, "{id}");
        let number = |member: &Value| member["recordId"].as_str().expect("an id").parse::<u64>().expect("a number");
        assert!(expected.is_sorted_by_key(number));

        let by_time = client.all(&format!("/crm/v3/lists/{id}/memberships/join-order?limit=13")).await;
        let joined = |member: &Value| member["membershipTimestamp"].as_str().expect("an instant").to_owned();
        let at = |member: &Value| joined(member).parse::<jiff::Timestamp>().expect("an instant");
        assert!(by_time.is_sorted_by_key(at), "{id}");
        let sorted = |mut members: Vec<Value>| {
            members.sort_by_key(number);
            members
        };
        assert_eq!(sorted(by_time), expected);
        assert_eq!(client.json(&path).await["total"], expected.len());
    }
    let half = client.json("/crm/v3/lists/5/memberships").await;
    assert_eq!(half["results"].as_array().map(Vec::len), Some(100));
    assert_eq!(client.json("/crm/v3/lists/5/memberships?limit=250").await.get("paging"), None);
    for query in ["limit=251", "after=151"] {
        assert_eq!(client.get(&format!("/crm/v3/lists/5/memberships?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(client.get("/crm/v3/lists/4711/memberships").await.status, 404);
    assert_eq!(client.get("/crm/v3/lists/5/memberships?before=x").await.status, 501);
}

#[tokio::test]
async fn records_know_their_lists() {
    let (client, truth) = (Client::with(90).await, Truth::of(90));
    let members = truth.lines("list_memberships");
    for (type_id, file) in [("0-1", "contacts"), ("2-13370001", "p48012345_vehicle")] {
        let records = truth.lines(file);
        let wanted: Vec<&str> = ids(&records).into_iter().take(99).chain(["1"]).collect();
        let inputs: Vec<Value> = wanted.iter().map(|id| json!({ "objectTypeId": type_id, "recordId": id })).collect();
        let path = "/crm/lists/2026-09/records/memberships/batch/read";
        let read = client.post(path, json!({ "inputs": inputs })).await.json();
        let results = read["results"].as_array().expect("results");
        assert_eq!(results.len(), wanted.len());
        for result in results {
            let expected: Vec<Value> = members
                .iter()
                .filter(|line| line["objectTypeId"] == type_id && line["recordId"] == result["recordId"])
                .map(|line| json!([line["listId"], line["membershipTimestamp"]]))
                .collect();
            let lists: Vec<Value> = result["recordListMemberships"]
                .as_array()
                .expect("lists")
                .iter()
                .map(|list| json!([list["listId"], list["lastAddedTimestamp"]]))
                .collect();
            assert_eq!(lists, expected);
            let id = result["recordId"].as_str().expect("an id");
            let one = client.json(&format!("/crm/v3/lists/records/{type_id}/{id}/memberships")).await;
            assert_eq!(one["results"], result["recordListMemberships"]);
        }
        let many = vec![inputs[0].clone(); 101];
        assert_eq!(client.post(path, json!({ "inputs": many })).await.status, 400);
    }
}

#[tokio::test]
async fn a_list_is_deleted_while_it_is_read() {
    let deleted = Fault {
        path: PathPattern::Contains("/lists/5/memberships".to_owned()),
        method: None,
        occurrences: 1..2,
        action: FaultAction::ListDeleted { list_id: "5".to_owned() },
    };
    let client = Client::new(hubspot::Options { faults: vec![deleted], ..roomy(300) }).await;
    let record = Truth::of(300).lines("contacts")[0]["id"].as_str().expect("an id").to_owned();
    let of_record = format!("/crm/v3/lists/records/0-1/{record}/memberships");
    assert_eq!(client.post(SEARCH, json!({})).await.json()["total"], 30);
    assert!(client.get(&of_record).await.text.contains("\"listId\":\"5\""));
    let page = client.json("/crm/v3/lists/5/memberships?limit=50").await;
    let after = page["paging"]["next"]["after"].as_str().expect("more").replace('=', "%3D");
    for path in [
        format!("/crm/v3/lists/5/memberships?limit=50&after={after}"),
        "/crm/v3/lists/5/memberships".to_owned(),
        "/crm/v3/lists/5/memberships/join-order".to_owned(),
        "/crm/lists/2026-09/5".to_owned(),
    ] {
        let reply = client.get(&path).await;
        assert_eq!((reply.status, &reply.json()["category"]), (404, &json!("OBJECT_NOT_FOUND")), "{path}");
    }
    let rest = client.post(SEARCH, json!({ "count": 500 })).await.json();
    assert_eq!(rest["total"], 29);
    assert!(!list_ids(&found(&rest)).contains(&"5".to_owned()));
    assert!(!client.get(&of_record).await.text.contains("\"listId\":\"5\""));
    assert_eq!(client.get("/crm/v3/lists/8/memberships").await.status, 200);
}

#[tokio::test]
async fn lists_need_their_scope_and_the_usual_token_has_it() {
    let mut options = roomy(10);
    let scopes = BTreeSet::from(["crm.objects.contacts.read".to_owned()]);
    options.tokens.push(Token { text: NO_LISTS.to_owned(), scopes: Scopes::Only(scopes) });
    let client = Client::new(options).await.using(NO_LISTS);
    for path in ["/crm/v3/lists?listIds=5", "/crm/v3/lists/5", "/crm/v3/lists/5/memberships"] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 403, "{path}");
        let scopes = reply.json()["errors"][0]["context"]["requiredGranularScopes"].clone();
        assert_eq!(scopes, json!(["crm.lists.read"]));
    }
    let client = client.using(hubspot::TOKEN);
    assert_eq!(client.get("/crm/v3/lists/5").await.status, 200);
}
