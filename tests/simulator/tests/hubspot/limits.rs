use std::time::{Duration, Instant};

use serde_json::json;
use sluice_simulator::hubspot::{self, Options};

use crate::client::{Client, roomy};

const CONTACTS: &str = "/crm/v3/objects/contacts";

#[tokio::test]
async fn the_headers_say_what_remains() {
    let client = Client::new(Options { requests_per_10s: 19, requests_per_day: 500, ..roomy(1) }).await;
    let first = client.get(CONTACTS).await;
    let fields = ["daily", "daily-remaining", "interval-milliseconds", "max", "remaining"]
        .map(|field| first.header(&format!("x-hubspot-ratelimit-{field}")).expect("a rate header").to_owned());
    assert_eq!(fields, ["500", "499", "10000", "19", "18"]);
    assert_eq!(client.get(CONTACTS).await.header("x-hubspot-ratelimit-remaining"), Some("17"));
    let ids = [&first, &client.get("/nowhere").await]
        .map(|reply| reply.header("x-hubspot-correlation-id").expect("an id").to_owned());
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn over_the_rolling_limit_is_429_until_the_window_slides() {
    let client = Client::new(Options { requests_per_10s: 2, ..roomy(1) }).await;
    assert_eq!(client.get(CONTACTS).await.status, 200);
    assert_eq!(client.get("/account-info/v3/details").await.status, 200);
    let refused = client.get(CONTACTS).await;
    assert_eq!(refused.status, 429);
    let error = refused.json();
    assert_eq!(error["policyName"], "TEN_SECONDLY_ROLLING");
    assert_eq!(error["errorType"], "RATE_LIMIT");
    assert_eq!(error["message"], "You have reached your ten_secondly_rolling limit.");
    assert_eq!(refused.header("x-hubspot-ratelimit-remaining"), Some("0"));
    let wait: u64 = refused.header("retry-after").expect("seconds to wait").parse().expect("a whole number");
    assert!((1..=10).contains(&wait), "{wait}");
    // Each token has a window of its own.
    let other = client.using(hubspot::TOKEN);
    assert_eq!(other.get(CONTACTS).await.status, 200);
}

#[tokio::test]
async fn retry_after_can_be_left_out() {
    let client = Client::new(Options { requests_per_10s: 0, retry_after: false, ..roomy(1) }).await;
    let refused = client.get(CONTACTS).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, None));
}

#[tokio::test]
async fn searches_have_a_limit_of_their_own_and_no_headers() {
    let search = "/crm/v3/objects/contacts/search";
    let client = Client::new(Options { requests_per_10s: 1, ..roomy(1) }).await;
    for _ in 0..2 {
        let found = client.post(search, json!({})).await;
        assert_eq!((found.status, found.header("x-hubspot-ratelimit-max")), (200, None));
    }
    assert_eq!(client.get(CONTACTS).await.status, 200);

    let client = Client::new(Options { searches_per_second: 0, ..roomy(1) }).await;
    let refused = client.post(search, json!({})).await;
    assert_eq!((refused.status, refused.header("x-hubspot-ratelimit-max")), (429, None));
    assert_eq!(refused.json()["policyName"], "SECONDLY");
    assert_eq!(client.get(CONTACTS).await.status, 200);
}

#[tokio::test]
async fn the_daily_limit_ends_it_and_the_usage_tells() {
    let client = Client::new(Options { requests_per_day: 2, ..roomy(1) }).await;
    let usage = client.json("/account-info/v3/api-usage/daily/private-apps").await;
    let usage = &usage["results"][0];
    assert_eq!((usage["currentUsage"].clone(), usage["usageLimit"].clone()), (json!(1), json!(2)));
    assert!(usage["resetsAt"].as_str() > usage["collectedAt"].as_str());
    assert_eq!(client.get(CONTACTS).await.status, 200);
    for reply in [client.get(CONTACTS).await, client.post("/crm/v3/objects/contacts/search", json!({})).await] {
        assert_eq!((reply.status, reply.json()["policyName"].clone()), (429, json!("DAILY")));
    }
}

#[tokio::test]
async fn a_long_url_is_414_and_html() {
    let client = Client::new(Options { max_url_length: 300, ..roomy(1) }).await;
    let padded = |length: usize| {
        let path = format!("{CONTACTS}?properties=");
        let padding = "a".repeat(length - path.len());
        path + &padding
    };
    assert_eq!(client.get(&padded(300)).await.status, 200);
    let refused = client.get(&padded(301)).await;
    assert_eq!(refused.status, 414);
    assert!(refused.is_html());
}

#[tokio::test]
async fn latency_is_added_to_every_request() {
    let latency = Duration::from_millis(50);
    let client = Client::new(Options { latency, ..roomy(1) }).await;
    let start = Instant::now();
    assert_eq!(client.get(CONTACTS).await.status, 200);
    assert!(start.elapsed() >= latency);
}
