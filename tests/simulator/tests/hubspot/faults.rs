use std::time::Duration;

use http::Method;
use serde_json::json;
use sluice_simulator::hubspot::{Fault, FaultAction, FaultBody, Options, PathPattern};

use crate::client::{Client, roomy};

const CONTACTS: &str = "/crm/v3/objects/contacts";

/// Far longer than a request to this machine takes.
const DEADLINE: Duration = Duration::from_secs(30);

fn on_contacts(occurrences: std::ops::Range<u64>, action: FaultAction) -> Fault {
    Fault { path: PathPattern::Prefix(CONTACTS.to_owned()), method: Some(Method::GET), occurrences, action }
}

async fn client(faults: Vec<Fault>) -> Client {
    Client::new(Options { faults, ..roomy(100) }).await
}

#[tokio::test]
async fn a_status_strikes_the_requests_it_was_told_to() {
    let bad_gateway = FaultAction::Status { status: 502, body: FaultBody::Html, retry_after: None };
    let moving = FaultAction::Status { status: 477, body: FaultBody::Json, retry_after: Some(60) };
    let client = client(vec![on_contacts(1..2, bad_gateway), on_contacts(2..3, moving)]).await;
    assert_eq!(client.get(CONTACTS).await.status, 200);
    let html = client.get(CONTACTS).await;
    assert_eq!(html.status, 502);
    assert!(html.is_html());
    assert_eq!(client.get("/crm/v3/owners").await.status, 200);
    let json = client.get(CONTACTS).await;
    assert_eq!((json.status, json.header("retry-after")), (477, Some("60")));
    assert_eq!(json.json()["status"], "error");
    assert_eq!(client.get(CONTACTS).await.status, 200);
}

#[tokio::test]
async fn a_body_is_cut_in_the_middle() {
    let client = client(vec![on_contacts(0..1, FaultAction::CutBody { after: 1_000 })]).await;
    let response = client.send(Method::GET, &format!("{CONTACTS}?limit=100"), None).await.expect("the head arrives");
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.content_length().is_some_and(|length| length > 1_000));
    assert!(response.bytes().await.is_err());
    assert_eq!(client.get(CONTACTS).await.status, 200);
}

#[tokio::test]
async fn a_hanging_request_ends_with_the_server() {
    let client = client(vec![on_contacts(0..1, FaultAction::Hang)]).await;
    let url = format!("{}{CONTACTS}", client.running.base_url());
    let hanging = tokio::spawn(async move { reqwest::get(url).await?.bytes().await });
    let arrived = async {
        while client.running.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, arrived).await.expect("the request arrives");
    assert_eq!(client.running.requests()[0].status, None);
    client.running.shutdown().await;
    assert!(hanging.await.expect("no panic").is_err());
}

#[tokio::test]
async fn a_delay_comes_before_the_usual_answer() {
    let delay = Duration::from_millis(50);
    let client = client(vec![on_contacts(0..1, FaultAction::Delay(delay))]).await;
    let start = std::time::Instant::now();
    assert_eq!(client.get(CONTACTS).await.status, 200);
    assert!(start.elapsed() >= delay);
}

#[tokio::test]
async fn the_log_says_what_was_requested() {
    let client = Client::new(Options { request_log_capacity: 3, ..roomy(100) }).await;
    client.get("/crm/v3/owners").await;
    let page = client.get(&format!("{CONTACTS}?limit=5&properties=email")).await;
    client.post(&format!("{CONTACTS}/batch/read"), json!({ "inputs": [{ "id": "1" }], "properties": ["city"] })).await;
    client.get("/nowhere").await;
    let log = client.running.requests();
    let seen: Vec<(&str, &str, Option<&str>, Option<u16>)> = log
        .iter()
        .map(|request| (request.method.as_str(), request.path.as_str(), request.query.as_deref(), request.status))
        .collect();
    assert_eq!(
        seen,
        [
            ("GET", CONTACTS, Some("limit=5&properties=email"), Some(200)),
            ("POST", "/crm/v3/objects/contacts/batch/read", None, Some(404)),
            ("GET", "/nowhere", None, Some(404)),
        ]
    );
    assert_eq!(log[0].bytes_out, page.text.len());
    assert_eq!(log[1].bytes_in, log[1].body.len());
    assert!(log[1].body.contains("city"));
}

#[tokio::test]
async fn a_server_that_was_shut_down_is_gone() {
    let client = Client::with(1).await;
    let url = client.running.base_url();
    assert_eq!(client.get(CONTACTS).await.status, 200);
    client.running.shutdown().await;
    assert!(reqwest::get(url).await.is_err_and(|error| error.is_connect()));
}
