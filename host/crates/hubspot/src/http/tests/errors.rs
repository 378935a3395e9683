//! What ends a request, and what is said of it.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::future::join_all;
use serde_json::{Value, json};
use sluice_model::secret::Secret;
use url::Url;

use super::server::{Acme, MIDNIGHT, Reply, Seen, Server, answer, cut, wide_budget, with_header};
use super::{CURSOR, TOKEN, ask, client, client_with, contacts, impatient, options};
use crate::http::{Client, Failure, HttpError, Options, Request, StopReason};

/// The whole chain, as a person reads it.
fn chain(error: &HttpError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, "\n  caused by: {cause}").unwrap();
        source = cause.source();
    }
    text
}

/// Compares error texts without what differs from run to run.
macro_rules! assert_error_snapshot {
    ($text:expr, @$snapshot:literal) => {
        insta::with_settings!({filters => vec![
            (r"\d+\.\d s", "[TIME]"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
            (r"from \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "from [INSTANT]"),
        ]}, { insta::assert_snapshot!($text, @$snapshot) })
    };
}

#[derive(Debug, serde::Deserialize)]
struct Page {
    #[expect(dead_code, reason = "only deserialized")]
    results: Vec<Value>,
}

#[tokio::test]
async fn a_daily_limit_ends_every_request_of_the_run() {
    let server = Server::start(|seen| match seen.path_and_query.as_str() {
        "/slow" => Reply::Hang,
        _ => answer(429, r#"{"message":"You have reached your daily limit.","policyName":"DAILY"}"#),
    })
    .await;
    let client = client(&server);
    let budget = wide_budget();
    let paths = ["/slow", "/contacts", "/companies"];
    let errors = join_all(paths.map(|path| {
        let (client, request) = (client.clone(), Request::get(&budget, path));
        async move { client.json::<Value>(&request).await.unwrap_err() }
    }))
    .await;
    let later = ask(&client).await.unwrap_err();
    for error in errors.iter().chain([&later]) {
        let Failure::Stopped { reason, back_at, .. } = error.failure() else { panic!("{error:?}") };
        assert_eq!((*reason, back_at.unwrap().to_string()), (StopReason::DailyLimit, MIDNIGHT.to_owned()));
    }
    assert!(server.seen().iter().all(|seen| !seen.path_and_query.starts_with("/crm")), "nothing is sent after it");
    assert_error_snapshot!(format!("{}\n{}", chain(&errors[1]), chain(&later)), @"
    `GET /contacts` failed: the daily limit of requests is used up; requests are answered again from [INSTANT]
      caused by: Acme says `You have reached your daily limit.`
    `GET /crm/contacts?limit&after` was given up: the daily limit of requests is used up; requests are answered again from [INSTANT]
      caused by: Acme says `You have reached your daily limit.`
    ");
}

#[tokio::test]
async fn a_wait_of_hours_ends_the_run() {
    let server = Server::start(|_| with_header(429, "retry-after", "86400", "{}")).await;
    let error = ask(&client(&server)).await.unwrap_err();
    assert_error_snapshot!(chain(&error), @"
    `GET /crm/contacts?limit&after` failed: the server asks for a longer wait than a run makes; requests are answered again from [INSTANT]
      caused by: the answer does not say why
    ");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_move_of_the_account_ends_the_run_and_says_for_how_long() {
    let server = Server::start(|_| with_header(477, "retry-after", "3600", "")).await;
    let error = ask(&client(&server)).await.unwrap_err();
    assert_error_snapshot!(chain(&error), @"
    `GET /crm/contacts?limit&after` failed: the account is being moved to another data centre; requests are answered again from [INSTANT]
      caused by: the answer is empty
    ");
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_as_many_attempts_as_the_caller_likes() {
    let server = Server::start(|_| Reply::Hang).await;
    let client = client_with(&server.base, impatient());
    let error = client.json::<Value>(&contacts().overload_attempts(2)).await.unwrap_err();
    assert!(error.asks_too_much());
    assert_eq!(server.seen().len(), 2);
    assert_error_snapshot!(chain(&error), @"`GET /crm/contacts?limit&after` failed after 2 attempts in [TIME]: there was no complete answer after [TIME]");
}

#[tokio::test]
async fn nobody_listens() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = ask(&client_with(&base, options())).await.unwrap_err();
    assert!(!error.asks_too_much());
    assert_error_snapshot!(format!("{}\nhint: {}", chain(&error), error.hint().unwrap()), @"
    `GET /crm/contacts?limit&after` failed after 3 attempts in [TIME]: `127.0.0.1:[PORT]` could not be reached
      caused by: Connection refused (os error 111)
    hint: check the address, the network, and the proxy if there is one
    ");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_at_once() {
    let server = Server::start(|_| answer(200, "{}")).await;
    let mut base = server.base.clone();
    base.set_scheme("https").unwrap();
    let error = ask(&client_with(&base, options())).await.unwrap_err();
    assert_error_snapshot!(chain(&error), @"
    `GET /crm/contacts?limit&after` failed: there is no secure connection to `127.0.0.1:[PORT]`
      caused by: received corrupt message of type InvalidContentType
    ");
}

#[tokio::test]
async fn a_body_without_end_is_refused() {
    let server = Server::start(|_| answer(200, "x".repeat(2_000))).await;
    let client = client_with(&server.base, Options { largest_body: 1_000, ..options() });
    let error = ask(&client).await.unwrap_err();
    assert!(error.asks_too_much(), "a smaller page helps");
    assert_error_snapshot!(chain(&error), @"`GET /crm/contacts?limit&after` failed: the answer is larger than 1000 bytes");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again_and_one_of_another_form_is_not() {
    let server = Server::start(|seen| match seen.path_and_query.as_str() {
        "/broken" => answer(200, r#"{"results":[{"id":"1","email":"jane@"#),
        _ => answer(200, r#"{"results":"jane@roe.example"}"#),
    })
    .await;
    let client = client(&server);
    let budget = wide_budget();
    let broken = client.json::<Page>(&Request::get(&budget, "/broken")).await.unwrap_err();
    assert_eq!(server.seen().len(), 3);
    let unexpected = client.json::<Page>(&Request::get(&budget, "/unexpected")).await.unwrap_err();
    assert_eq!(server.seen().len(), 4);
    assert_error_snapshot!(format!("{}\n{}", chain(&broken), chain(&unexpected)), @"
    `GET /broken` failed after 3 attempts in [TIME]: the answer of 36 bytes cannot be read
      caused by: it is not whole JSON: EOF while parsing a string at line 1 column 36
    `GET /unexpected` failed: the answer of 30 bytes cannot be read
      caused by: it is not of the expected form: expected a sequence at line 1 column 29
    ");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_vendors_words() {
    let server = Server::start(|seen| match seen.path_and_query.as_str() {
        "/scopes" => answer(
            403,
            json!({"message": "This app hasn't been granted all required\n scopes.", "category": "MISSING_SCOPES",
                   "correlationId": "c033cdaa", "scopes": ["crm.objects.deals.read", "crm.schemas.deals.read"]})
            .to_string(),
        ),
        "/html" => answer(404, "  <!DOCTYPE html><p>Jane Roe</p>"),
        "/long" => answer(400, json!({"message": "x".repeat(2_000)}).to_string()),
        "/wrapped" => answer(400, json!({"message": "<p>Jane Roe</p>", "correlationId": "c1"}).to_string()),
        _ => answer(401, ""),
    })
    .await;
    let client = client(&server);
    let budget = wide_budget();
    let mut texts = Vec::new();
    for path in ["/scopes", "/html", "/long", "/wrapped", "/empty"] {
        let error = client.json::<Value>(&Request::get(&budget, path)).await.unwrap_err();
        texts.push(chain(&error).replace(&"x".repeat(500), "[500 × x]"));
        if path == "/scopes" {
            assert_eq!(error.explanation().unwrap().required_scopes.len(), 2);
        }
    }
    assert_error_snapshot!(texts.join("\n"), @"
    `GET /scopes` failed: status 403 Forbidden
      caused by: Acme says `This app hasn't been granted all required scopes.` (category `MISSING_SCOPES`, required scope `crm.objects.deals.read`, required scope `crm.schemas.deals.read`, correlation id `c033cdaa`)
    `GET /html` failed: status 404 Not Found
      caused by: the answer is an HTML page
    `GET /long` failed: status 400 Bad Request
      caused by: Acme says `[500 × x]…`
    `GET /wrapped` failed: status 400 Bad Request
      caused by: the answer does not say why (correlation id `c1`)
    `GET /empty` failed: status 401 Unauthorized
      caused by: the answer is empty
    ");
    assert_eq!(server.seen().len(), 5, "none is tried again");
}

/// Every kind of failure, from a server that repeats whatever it is told: no text of any error holds the token, a query
/// value or a body.
#[tokio::test]
async fn no_error_shows_a_token_or_a_value() {
    const SEARCHED: &str = "jane@roe.example";
    let echo = |seen: &Seen| {
        let authorization = seen.headers["authorization"].to_str().unwrap();
        json!({"message": format!("{} with {authorization} failed", seen.path_and_query), "category": CURSOR})
            .to_string()
    };
    let server = Server::start(move |seen| match seen.path_and_query.split('?').next().unwrap() {
        "/hang" => Reply::Hang,
        "/cut" => cut(r#"{"email":"jane@roe.example"#),
        "/broken" => answer(200, r#"{"email":"jane@roe.example"#),
        "/unexpected" => answer(200, r#"{"email":"jane@roe.example"}"#),
        "/large" => answer(200, "jane@roe.example".repeat(1_000)),
        "/html" => answer(502, "<html>jane@roe.example</html>"),
        "/daily" => with_header(429, "x-test", "1", echo(seen).replace("failed", "DAILY")),
        path => answer(path.trim_start_matches('/').parse().unwrap(), echo(seen)),
    })
    .await;
    let mut secure = server.base.clone();
    secure.set_scheme("https").unwrap();
    let nobody = Url::parse("http://127.0.0.1:1").unwrap();
    let options = || Options { largest_body: 10_000, ..options() };
    let cases = [
        (&server.base, "/hang", impatient()),
        (&server.base, "/cut", options()),
        (&server.base, "/broken", options()),
        (&server.base, "/unexpected", options()),
        (&server.base, "/large", options()),
        (&server.base, "/html", options()),
        (&server.base, "/400", options()),
        (&server.base, "/403", options()),
        (&server.base, "/503", options()),
        (&server.base, "/daily", options()),
        (&server.base, "/500", options()),
        (&secure, "/tls", options()),
        (&nobody, "/nobody", options()),
    ];
    let budget = wide_budget();
    let mut kinds = BTreeSet::new();
    for (base, path, options) in cases {
        let request = Request::post(&budget, path, &json!({"email": SEARCHED}))
            .parameter("after", CURSOR)
            .parameter("email", SEARCHED);
        let client = client_with(base, options);
        let error = client.json::<Vec<String>>(&request).await.unwrap_err();
        let debug = format!("{error:?} {request:?} {client:?}");
        kinds.insert(format!("{:?}", error.failure()).split(' ').next().unwrap().to_owned());
        for text in [chain(&error), debug] {
            for private in [TOKEN, CURSOR, SEARCHED, "jane", "roe.example"] {
                assert!(!text.contains(private), "`{private}` in: {text}");
            }
        }
    }
    assert_eq!(kinds.len(), 8, "one of each kind: {kinds:?}");
}

/// A server that repeats the token otherwise than it was sent.
#[tokio::test]
async fn no_error_shows_a_part_or_an_encoding_of_the_token() {
    let halves = TOKEN.split_at(TOKEN.len() / 2);
    let written = [
        halves.0.to_owned(),
        halves.1.to_owned(),
        TOKEN.to_uppercase(),
        BASE64.encode(TOKEN),
        BASE64.encode(format!("Bearer {TOKEN}")),
        TOKEN.replace('-', "%2D"),
        TOKEN.replace('-', r"\u002d"),
    ];
    let echoed = written.clone();
    let server = Server::start(move |_| answer(400, json!({ "message": echoed.join(", ") }).to_string())).await;
    let error = ask(&client(&server)).await.unwrap_err();
    let text = chain(&error);
    assert!(text.contains("Acme says `"), "{text}");
    for private in written.iter().map(|written| written.get(12..20).unwrap()) {
        assert!(!text.contains(private), "`{private}` in: {text}");
    }
}

#[test]
fn a_client_is_not_made_from_nonsense() {
    let made = |base: &str, token: &str| {
        Client::new(&Url::parse(base).unwrap(), &Secret::new(token), Arc::new(Acme), Options::default())
            .map_err(|error| format!("{error}{error:?}"))
    };
    for base in [
        "ftp://api.example",
        "https://user:hunter2@api.example",
        "https://api.example/?key=hunter2",
        "https://api.example/#hunter2",
        "mailto:jane@roe.example",
    ] {
        let error = made(base, TOKEN).unwrap_err();
        assert!(error.contains("base URL") && !error.contains("hunter2"), "{error}");
    }
    for token in ["", "hunter2\nx"] {
        let error = made("https://api.example", token).unwrap_err();
        assert!(error.contains("the token") && !error.contains("hunter2"), "{error}");
    }
    made("https://api.example", TOKEN).unwrap();
}
