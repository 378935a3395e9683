use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_simulator::hubspot::{self, Fault, FaultAction, FaultBody, Options, PathPattern, Scopes, Token};

use crate::client::{Client, Truth, ids, roomy};

const EVENTS: &str = "/events/event-occurrences/2026-09";
const TYPES: &str = "/events/event-occurrences/2026-09/event-types";
const DEFINITIONS: &str = "/events/custom/2026-09/event-definitions";
const CONSULTATION: &str = "pe48012345_consultation_booked";

/// The occurrences of the truth as the API lists them, newest first.
fn expected(truth: &Truth, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let singular: BTreeMap<&str, &str> = [("0-1", "CONTACT"), ("0-2", "COMPANY"), ("0-3", "DEAL")].into();
    let mut lines: Vec<Value> = truth.lines("events").into_iter().filter(wanted).collect();
    for line in &mut lines {
        let fields = line.as_object_mut().expect("an object");
        fields.remove("eventTypeId");
        let type_id = fields.remove("objectTypeId").expect("an id");
        fields.insert("objectType".to_owned(), json!(singular[type_id.as_str().expect("text")]));
    }
    lines
}

fn sorted(mut occurrences: Vec<Value>) -> Vec<Value> {
    occurrences.sort_by_key(|occurrence| occurrence["id"].to_string());
    occurrences
}

/// The contact with the most occurrences.
fn busiest(truth: &Truth) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in truth.lines("events").iter().filter(|line| line["objectTypeId"] == "0-1") {
        *counts.entry(line["objectId"].as_str().expect("an id").to_owned()).or_default() += 1;
    }
    let (id, count) = counts.into_iter().max_by_key(|(_, count)| *count).expect("somebody");
    assert!(count > 200, "{count}");
    id
}

fn instant(occurrence: &Value) -> jiff::Timestamp {
    occurrence["occurredAt"].as_str().expect("text").parse().expect("an instant")
}

#[tokio::test]
async fn the_names_of_all_types_and_the_definitions_of_the_accounts_own() {
    let (client, truth) = (Client::with(10).await, Truth::of(10));
    let types = truth.lines("event_types");
    let names: Vec<&Value> = types.iter().map(|line| &line["eventType"]).collect();
    for path in [TYPES, "/events/event-occurrences/2026-03/event-types", "/events/v3/events/event-types"] {
        assert_eq!(client.json(path).await, json!({ "eventTypes": names }), "{path}");
    }
    assert!(names.len() >= 30);

    let mut expected = truth.lines("event_definitions");
    expected.sort_by_key(|definition| definition["id"].to_string());
    let own = names.iter().filter(|name| name.as_str().is_some_and(|name| name.starts_with("pe")));
    assert_eq!(own.count(), expected.len());
    for path in ["/events/v3/event-definitions", "/events/2026-03/event-definitions", DEFINITIONS] {
        for limit in [1, 3, 100] {
            let all = client.all(&format!("{path}?includeProperties=true&limit={limit}")).await;
            assert_eq!(all, expected, "{path}, {limit}");
        }
    }
    let bare = client.json(DEFINITIONS).await;
    assert_eq!((bare["total"].clone(), bare["results"][0]["properties"].clone()), (json!(expected.len()), json!([])));
    let full = client.json(&format!("{DEFINITIONS}?includeProperties=true")).await;
    let properties = full["results"][0]["properties"].as_array().expect("properties");
    let kinds: BTreeSet<&str> = properties.iter().filter_map(|property| property["type"].as_str()).collect();
    assert_eq!(kinds, ["bool", "datetime", "enumeration", "number", "string"].into());
    assert_eq!(properties.iter().filter(|property| property["dataSensitivity"] == "sensitive").count(), 1);
}

#[tokio::test]
async fn what_happened_to_each_record_is_the_truth_whatever_the_page() {
    let (client, truth) = (Client::with(120).await, Truth::of(120));
    let happened = truth.lines("events");
    for (object_type, file, limit) in
        [("contact", "contacts", 100), ("0-1", "contacts", 7), ("company", "companies", 2), ("0-3", "deals", 1)]
    {
        let records = truth.lines(file);
        let mut found = Vec::new();
        for id in ids(&records) {
            let read = client.all(&format!("{EVENTS}?objectType={object_type}&objectId={id}&limit={limit}")).await;
            assert!(read.windows(2).all(|pair| instant(&pair[0]) >= instant(&pair[1])));
            found.extend(read);
        }
        let type_id = match file {
            "contacts" => "0-1",
            "companies" => "0-2",
            _ => "0-3",
        };
        assert!(happened.iter().any(|line| line["objectTypeId"] == type_id), "{file}");
        assert_eq!(sorted(found), sorted(expected(&truth, |line| line["objectTypeId"] == type_id)), "{file}");
    }
}

#[tokio::test]
async fn a_type_without_a_record_lists_the_account() {
    let (client, truth) = (Client::with(200).await, Truth::of(200));
    for (path, limit) in [(EVENTS, 100), ("/events/v3/events", 13)] {
        for name in ["e_visited_page", CONSULTATION, "ae7654321_chat-rated"] {
            let read = client.all(&format!("{path}?eventType={name}&limit={limit}")).await;
            assert!(read.windows(2).all(|pair| instant(&pair[0]) >= instant(&pair[1])));
            assert_eq!(sorted(read), sorted(expected(&truth, |line| line["eventType"] == name)), "{name}");
        }
    }
    let of_deals = client.all(&format!("{EVENTS}?eventType=ae7654321_chat-rated&objectType=deal")).await;
    let is_wanted = |line: &Value| line["eventType"] == "ae7654321_chat-rated" && line["objectTypeId"] == "0-3";
    assert_eq!(sorted(of_deals), sorted(expected(&truth, is_wanted)));
}

#[tokio::test]
async fn a_window_takes_its_beginning_and_not_its_end() {
    let (client, truth) = (Client::with(100).await, Truth::of(100));
    let path = format!("{EVENTS}?objectType=contact&objectId={}&limit=50", busiest(&truth));
    let all = client.all(&path).await;
    let at = |place: usize| all[place]["occurredAt"].as_str().expect("text");
    let window = client.all(&format!("{path}&occurredAfter={}&occurredBefore={}", at(150), at(20))).await;
    let (from, until) = (instant(&all[150]), instant(&all[20]));
    let inside: Vec<&Value> = all.iter().filter(|one| from <= instant(one) && instant(one) < until).collect();
    assert_eq!(window.iter().collect::<Vec<_>>(), inside);
    assert!(
        window.iter().any(|one| one["id"] == all[150]["id"]) && window.iter().all(|one| one["id"] != all[20]["id"])
    );

    let mut reversed = client.all(&format!("{path}&sort=occurredAt")).await;
    reversed.reverse();
    assert_eq!(reversed, all);
    assert_eq!(client.all(&format!("{path}&sort=-occurredAt")).await, all);
    let of_type = client.all(&format!("{path}&eventType={CONSULTATION}&properties=fee&properties=room")).await;
    assert!(!of_type.is_empty());
    for occurrence in of_type {
        let names: Vec<&String> = occurrence["properties"].as_object().expect("properties").keys().collect();
        assert!(names.iter().all(|name| ["fee", "room"].contains(&name.as_str())), "{names:?}");
        assert_eq!(occurrence["eventType"], CONSULTATION);
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_in_hubspots_form() {
    let (client, truth) = (Client::with(100).await, Truth::of(100));
    let id = busiest(&truth);
    let of_contact = format!("objectType=contact&objectId={id}");
    let taken = client.json(&format!("{EVENTS}?{of_contact}&limit=1")).await["paging"]["next"]["after"].clone();
    let taken = taken.as_str().expect("a cursor").replace('=', "%3D");
    for query in [
        "",
        "objectType=contact",
        "objectId=151",
        "objectType=contact&objectId=one",
        "objectType=nothing&objectId=1",
        "eventType=e_nothing",
        "eventType=e_visited_page&limit=101",
        "eventType=e_visited_page&limit=0",
        "eventType=e_visited_page&sort=id",
        "eventType=e_visited_page&occurredAfter=yesterday",
        "eventType=e_visited_page&after=MTUx",
        &format!("objectType=contact&objectId=1&after={taken}"),
    ] {
        let reply = client.get(&format!("{EVENTS}?{query}")).await;
        assert_eq!((reply.status, reply.json()["category"].clone()), (400, json!("VALIDATION_ERROR")), "{query}");
    }
    let archived = truth.lines("contacts.archived");
    for gone in ["1", ids(&archived)[0]] {
        let reply = client.json(&format!("{EVENTS}?objectType=contact&objectId={gone}")).await;
        assert_eq!(reply, json!({ "results": [] }), "{gone}");
    }
    let nothing = client.json(&format!("{EVENTS}?{of_contact}&eventType=e_workflow_enrolled")).await;
    assert_eq!(nothing, json!({ "results": [] }));
}

#[tokio::test]
async fn events_need_their_scopes_and_the_product() {
    let scopes = |names: &[&str]| Scopes::Only(names.iter().map(|&name| name.to_owned()).collect());
    let token = |scopes| Token { text: hubspot::SENSITIVE_TOKEN.to_owned(), scopes };
    let visits = format!("{EVENTS}?eventType=e_visited_page");
    let paths = [visits.as_str(), TYPES, DEFINITIONS];
    for (options, statuses) in [
        (roomy(10), [200, 200, 200]),
        (Options { events: false, ..roomy(10) }, [403, 403, 403]),
        (Options { tokens: vec![token(scopes(&["oauth"]))], ..roomy(10) }, [200, 200, 403]),
        (
            Options { tokens: vec![token(scopes(&["behavioral_events.event_definitions.read_write"]))], ..roomy(10) },
            [403, 403, 200],
        ),
    ] {
        let client = Client::new(options).await;
        for (path, status) in paths.iter().zip(statuses) {
            let reply = client.get(path).await;
            assert_eq!(reply.status, status, "{path}");
            assert!(status == 200 || reply.json()["category"] == "MISSING_SCOPES", "{path}");
        }
    }
}

#[tokio::test]
async fn an_occurrence_comes_twice_only_where_that_is_asked_for() {
    let truth = Truth::of(100);
    let path = format!("{EVENTS}?objectType=contact&objectId={}&limit=10", busiest(&truth));
    let once = Client::with(100).await.all(&path).await;
    let client = Client::new(Options { repeated_occurrences: true, ..roomy(100) }).await;
    let mut twice = client.all(&path).await;
    assert!(twice.len() > once.len());
    twice.dedup();
    assert_eq!(twice, once);
}

#[tokio::test]
async fn a_type_that_vanishes_stays_away() {
    let gone = FaultAction::EventTypeGone { event_type: CONSULTATION.to_owned() };
    let path = PathPattern::Prefix(EVENTS.to_owned());
    let faults = vec![Fault { path, method: None, occurrences: 2..3, action: gone }];
    let (client, truth) = (Client::new(Options { faults, ..roomy(100) }).await, Truth::of(100));
    let names = async || client.json(TYPES).await["eventTypes"].as_array().expect("names").len();
    let of_type = format!("{EVENTS}?eventType={CONSULTATION}");
    let before = names().await;
    assert_eq!(client.get(&of_type).await.status, 200);
    let refused = client.get(&of_type).await;
    assert_eq!((refused.status, refused.json()["category"].clone()), (400, json!("VALIDATION_ERROR")));
    assert_eq!(names().await, before - 1);
    let definitions = client.all(DEFINITIONS).await;
    assert_eq!(definitions.len(), truth.lines("event_definitions").len() - 1);
    let of_record = client.all(&format!("{EVENTS}?objectType=contact&objectId={}&limit=100", busiest(&truth))).await;
    assert!(!of_record.is_empty() && of_record.iter().all(|occurrence| occurrence["eventType"] != CONSULTATION));
}

#[tokio::test]
async fn other_faults_and_the_limits_strike_events_too() {
    let fault = |path: &str, occurrences, action| Fault {
        path: PathPattern::Prefix(path.to_owned()),
        method: None,
        occurrences,
        action,
    };
    let faults = vec![
        fault(TYPES, 0..1, FaultAction::Status { status: 502, body: FaultBody::Html, retry_after: None }),
        fault(TYPES, 1..2, FaultAction::Replaced { text: "e_visited_page".to_owned(), by: "e_seen".to_owned() }),
        fault(DEFINITIONS, 0..1, FaultAction::Archived { property: "fee".to_owned() }),
    ];
    let client = Client::new(Options { faults, requests_per_day: 4, ..roomy(10) }).await;
    assert_eq!(client.get(TYPES).await.status, 502);
    assert!(client.get(TYPES).await.text.contains("\"e_seen\""));
    let with_properties = format!("{DEFINITIONS}?includeProperties=true");
    let count = async || client.json(&with_properties).await["results"][0]["properties"].as_array().map(Vec::len);
    assert_eq!(count().await.map(|count| count + 1), count().await);
    let visits = client.get(&format!("{EVENTS}?eventType=e_visited_page")).await;
    assert_eq!((visits.status, visits.header("x-hubspot-ratelimit-daily-remaining")), (200, Some("0")));
    for path in [TYPES, DEFINITIONS, EVENTS] {
        let refused = client.get(path).await;
        assert_eq!((refused.status, refused.json()["policyName"].clone()), (429, json!("DAILY")), "{path}");
    }
}

#[tokio::test]
async fn the_last_of_a_million_costs_what_the_first_costs() {
    let client = Client::with(1_000_000).await;
    let time = async |after: u64| {
        let list = client.json(&format!("/crm/v3/objects/contacts?limit=50&after={after}")).await;
        let start = Instant::now();
        for id in ids(list["results"].as_array().expect("results")) {
            client.json(&format!("{EVENTS}?objectType=contact&objectId={id}&limit=100")).await;
        }
        start.elapsed()
    };
    let first = time(0).await;
    // Ids stand fifty apart, so this is about the nine hundred thousandth.
    let late = time(51_000_000).await;
    assert!(late < first * 10 + Duration::from_millis(250), "{first:?}, {late:?}");
}
