//! What is sent, how often, after what.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, all_statuses, answer, cut, wide_budget, with_header};
use super::{TOKEN, ask, attempts, client, client_with, impatient, options};
use crate::http::{Budget, BudgetRules, Failure, HttpError, Options, Rate, Request, Reserve};

#[tokio::test]
async fn a_request_carries_what_the_server_needs_to_know() {
    let server = Server::start(|_| answer(200, "{}")).await;
    let mut base = server.base.clone();
    base.set_path("/proxy/");
    let client = client_with(&base, options());
    let budget = wide_budget();
    let get =
        Request::get(&budget, "/crm/contacts").parameter("properties", "email,née & more").parameter("limit", "2");
    let post = Request::post(&budget, "/crm/contacts/search", &json!({"limit": 2}));
    client.json::<Value>(&get).await.unwrap();
    client.json::<Value>(&post).await.unwrap();

    let seen = server.seen();
    let header = |index: usize, name: &str| seen[index].headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(seen[0].method, "GET");
    assert_eq!(seen[0].path_and_query, "/proxy/crm/contacts?properties=email,n%C3%A9e+%26+more&limit=2");
    assert_eq!(header(0, "authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(header(0, "user-agent"), Some(concat!("sluice/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(header(0, "accept-encoding"), Some("gzip"));
    assert_eq!((&seen[1].method, seen[1].body.as_str()), (&::http::Method::POST, r#"{"limit":2}"#));
    assert_eq!(header(1, "content-type"), Some("application/json"));
    assert_eq!(client.url_length(&get), server.base.as_str().len() - 1 + seen[0].path_and_query.len());
}

#[tokio::test]
async fn every_status_is_accepted_tried_again_or_refused() {
    let server = Server::start(|seen| {
        let status = seen.path_and_query.trim_start_matches('/').parse().unwrap();
        answer(status, if status == 204 || status == 205 || status == 304 { "" } else { "{}" })
    })
    .await;
    let budget = wide_budget();
    let retry = attempts(2);
    let mut client = client_with(&server.base, Options { retry, ..options() });
    let mut lists: [(&str, Vec<String>); 4] =
        [("accepted", vec![]), ("tried again", vec![]), ("ends the run", vec![]), ("refused", vec![])];
    for status in all_statuses() {
        let request = Request::get(&budget, format!("/{}", status.as_u16()));
        let before = server.seen().len();
        let outcome = client.decoded(&request, |_| Ok(())).await;
        let sent = server.seen().len() - before;
        let list = match outcome.as_ref().map_err(HttpError::failure) {
            Ok(()) => 0,
            Err(Failure::Status { transient, .. }) if sent == 2 => {
                assert!(*transient || status.as_u16() == 429, "{status}");
                1
            }
            Err(Failure::Stopped { .. }) => {
                client = client_with(&server.base, Options { retry, ..options() });
                2
            }
            Err(failure) => {
                assert!(matches!(failure, Failure::Status { transient: false, .. }), "{failure:?}");
                assert_eq!(sent, 1, "{status}");
                3
            }
        };
        lists[list].1.push(status.as_str().to_owned());
    }
    let shown = lists.map(|(name, statuses)| match statuses.as_slice() {
        [first, .., last] if statuses.len() > 20 => format!("{name}: {first} to {last}, {} of them", statuses.len()),
        _ => format!("{name}: {}", statuses.join(" ")),
    });
    insta::assert_snapshot!(shown.join("\n"), @"
    accepted: 200 to 299, 100 of them
    tried again: 408 423 429 500 502 503 504 520 521 522 523 524 525 526
    ends the run: 477
    refused: 300 to 599, 285 of them
    ");
}

#[tokio::test]
async fn an_expendable_request_is_sent_once_and_stops_no_other() {
    let server = Server::start(|seen| match seen.path_and_query.as_str() {
        "/good" => answer(200, "{}"),
        "/long" => with_header(503, "retry-after", "3600", "{}"),
        _ => answer(503, "{}"),
    })
    .await;
    let client = client_with(&server.base, options());
    let budget = wide_budget();
    for path in ["/bad", "/long"] {
        let before = server.seen().len();
        client.json::<Value>(&Request::get(&budget, path).expendable()).await.unwrap_err();
        assert_eq!(server.seen().len() - before, 1, "{path}");
    }
    client.json::<Value>(&Request::get(&budget, "/good")).await.unwrap();
}

#[tokio::test]
async fn a_fault_that_passes_is_not_noticed() {
    let server = Server::start(|seen| match seen.number {
        0 => answer(503, "<html>sorry</html>"),
        1 => cut(r#"{"results":["#),
        2 => answer(200, r#"{"results":["#),
        _ => answer(200, r#"{"results":[]}"#),
    })
    .await;
    let client = client_with(&server.base, Options { retry: attempts(4), ..options() });
    assert_eq!(ask(&client).await.unwrap(), json!({"results": []}));
    let stats = client.stats();
    assert_eq!((stats.requests, stats.retries, stats.throttled), (4, 3, 0));
    assert_eq!(stats.bytes, 18 + 12 + 14, "the cut body is not counted");
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_kept_for_the_whole_budget() {
    let server = Server::start(|seen| match seen.number {
        0 => with_header(429, "retry-after", "1", r#"{"message":"slow down"}"#),
        _ => answer(200, "{}"),
    })
    .await;
    let client = client(&server);
    let budget = wide_budget();
    let ask = async || client.json::<Value>(&Request::get(&budget, "/crm/contacts")).await;
    ask().await.unwrap();
    let [refused, next] = [server.seen()[0].at, server.seen()[1].at];
    assert!(next - refused >= Duration::from_secs(1), "{:?}", next - refused);
    assert_eq!(client.stats().throttled, 1);
    assert!(client.stats().waited_for_budget >= Duration::from_millis(900), "{:?}", client.stats());
}

/// Eight requests that wait together wait no longer than it takes; one that nobody waits for does not count.
#[tokio::test]
async fn what_waited_is_told_as_time_of_the_run() {
    let server = Server::start(|_| answer(200, "{}")).await;
    let client = client(&server);
    let rate = Rate { requests: 2.try_into().unwrap(), interval: Duration::from_millis(200) };
    let budget = || Budget::new(BudgetRules { name: "test", assumed: rate, ceiling: None, reserve: Reserve::NONE });
    let all = async |request: Request| {
        let began = std::time::Instant::now();
        let asked = (0..8).map(|_| client.json::<Value>(&request));
        assert!(futures::future::join_all(asked).await.iter().all(Result::is_ok));
        began.elapsed()
    };
    let took = all(Request::get(&budget(), "/crm/contacts").expendable()).await;
    assert!(took >= Duration::from_millis(600) && client.stats().waited_for_budget.is_zero(), "{:?}", client.stats());
    let took = all(Request::get(&budget(), "/crm/contacts")).await;
    let waited = client.stats().waited_for_budget;
    assert!(waited >= Duration::from_millis(600) && waited <= took, "{waited:?} of {took:?}");
}

#[tokio::test]
async fn a_fault_may_ask_for_a_wait_too() {
    let server = Server::start(|seen| match seen.number {
        0 => with_header(503, "retry-after", "1", ""),
        _ => answer(200, "{}"),
    })
    .await;
    let client = client(&server);
    ask(&client).await.unwrap();
    let [refused, next] = [server.seen()[0].at, server.seen()[1].at];
    assert!(next - refused >= Duration::from_secs(1), "{:?}", next - refused);
    assert!(client.stats().waited_for_retry >= Duration::from_secs(1));
}

#[tokio::test]
async fn what_the_server_allows_is_learned_from_its_answers() {
    let server = Server::start(|_| with_header(200, "x-max", "2", "{}")).await;
    let client = client(&server);
    let budget = wide_budget();
    let request = Request::get(&budget, "/crm/contacts");
    for _ in 0..2 {
        client.json::<Value>(&request).await.unwrap();
    }
    assert_eq!(budget.usage().rate, Rate { requests: 2.try_into().unwrap(), interval: Duration::from_mins(1) });
    assert_eq!(budget.usage().in_window, 2);
    let third = tokio::time::timeout(Duration::from_millis(50), client.json::<Value>(&request)).await;
    assert!(third.is_err(), "the third waits for a minute");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_a_timeout() {
    let server = Server::start(|_| {
        let silence = futures::StreamExt::chain(
            futures::stream::iter([Ok::<_, std::io::Error>(r#"{"results":["#)]),
            futures::stream::pending(),
        );
        answer(200, axum::body::Body::from_stream(silence))
    })
    .await;
    let error = ask(&client_with(&server.base, impatient())).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::Timeout { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_compressed_body_is_unpacked_and_a_cut_one_noticed() {
    /// `{"ok":true,"padding":"xxx…"}` with two hundred letters, compressed by gzip.
    const COMPRESSED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xabV\xca\xcfV\xb2*)*M\xd5Q*HLI\xc9\xccKW\xb2R\xaa\x18&@\xa9\x16\x00\x8f\x9f\x9bp\xe0\x00\x00\x00";
    let server = Server::start(|seen| match seen.number {
        0 => with_header(200, "content-encoding", "gzip", COMPRESSED),
        _ => with_header(200, "content-encoding", "gzip", &COMPRESSED[..30]),
    })
    .await;
    let client = client(&server);
    assert_eq!(ask(&client).await.unwrap()["ok"], json!(true));
    let error = ask(&client).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::CutAnswer { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 1 + 3);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start(|_| with_header(302, "location", "http://127.0.0.1:1/elsewhere", "")).await;
    let error = ask(&client(&server)).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 302);
    assert_eq!(server.seen().len(), 1);
}
