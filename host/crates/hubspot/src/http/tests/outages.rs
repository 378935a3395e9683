//! A server in trouble for minutes. Time is paused: it passes as fast as everybody waits.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::server::{Reply, Seen, Server, answer, cut, wide_budget};
use super::{client_with, options};
use crate::http::{Client, Failure, Jitter, Options, Request, RetryPolicy};

/// A server that answers as it should from some time on, and before that fails in this way.
async fn down_for(outage: Duration, fail: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
    let began = Instant::now();
    Server::start(move |seen| if began.elapsed() < outage { fail(seen) } else { answer(200, "{}") }).await
}

fn client(server: &Server, patience: Duration) -> Client {
    let retry = RetryPolicy::of_a_run(patience);
    client_with(&server.base, Options { retry, jitter: Jitter::new(|| 1.0), ..options() })
}

async fn ask(client: &Client, request: &Request) -> Result<Value, crate::http::HttpError> {
    client.json(request).await
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn an_outage_of_minutes_is_waited_out_whatever_it_looks_like() {
    let every_kind = |seen: &Seen| match seen.number % 6 {
        0 => answer(502, "<html>bad gateway</html>"),
        1 => answer(503, ""),
        2 => cut("{"),
        3 => Reply::Hang,
        4 => answer(200, "<html>we are back soon</html>"),
        _ => answer(524, "<html>timeout</html>"),
    };
    for outage in [MINUTE / 2, 2 * MINUTE, 4 * MINUTE] {
        let server = down_for(outage, every_kind).await;
        let began = Instant::now();
        let client = client(&server, 5 * MINUTE);
        let value = ask(&client, &Request::get(&wide_budget(), "/")).await.unwrap();
        assert_eq!(value, json!({}));
        // The last wait may begin just before the end, and a request may hang for a minute.
        assert!((outage..outage + 2 * MINUTE).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_from_the_beginning_is_waited_out_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = url::Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let options = Options { retry: RetryPolicy::of_a_run(MINUTE), jitter: Jitter::new(|| 1.0), ..options() };
    let client = client_with(&base, options);
    let began = Instant::now();
    let error = ask(&client, &Request::get(&wide_budget(), "/")).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::Unreachable { .. }), "{error}");
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn an_outage_for_longer_than_the_patience_ends_the_request_when_it_ends() {
    let server = down_for(Duration::MAX, |_| answer(502, "")).await;
    let client = client(&server, 5 * MINUTE);
    let began = Instant::now();
    let error = ask(&client, &Request::get(&wide_budget(), "/")).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 300);
    assert_eq!(error.to_string(), "`GET /` failed after 15 attempts in 300.0 s: status 502 Bad Gateway");
}

#[tokio::test(start_paused = true)]
async fn where_each_request_may_fail_none_does() {
    let server = Server::start(|seen| match seen.number % 10 {
        0 | 1 | 5 => answer(503, ""),
        _ => answer(200, "{}"),
    })
    .await;
    let client = client(&server, 5 * MINUTE);
    for _ in 0..200 {
        ask(&client, &Request::get(&wide_budget(), "/").overload_attempts(3)).await.unwrap();
    }
    assert_eq!(client.stats().requests, 287);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_too_much_only_where_others_are_answered_or_there_are_none() {
    let server =
        Server::start(|seen| if seen.path_and_query == "/good" { answer(200, "{}") } else { answer(504, "") }).await;
    let client = client(&server, 5 * MINUTE);
    let budget = wide_budget();
    let heavy = || Request::get(&budget, "/heavy").overload_attempts(3);
    let began = Instant::now();
    let alone = ask(&client, &heavy()).await.unwrap_err();
    assert!(alone.asks_too_much() && began.elapsed() < MINUTE, "{alone}");

    let (one, other) = (heavy(), heavy());
    let (one, other) = futures::join!(ask(&client, &one), ask(&client, &other));
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert!(!error.asks_too_much(), "nobody is answered: it is the server ({error})");
    }

    let (one, other) = (heavy(), heavy());
    let good = async {
        tokio::time::sleep(MINUTE).await;
        ask(&client, &Request::get(&budget, "/good")).await.unwrap();
    };
    let (one, other, ()) = futures::join!(ask(&client, &one), ask(&client, &other), good);
    assert!(one.unwrap_err().asks_too_much() && other.unwrap_err().asks_too_much());
}
