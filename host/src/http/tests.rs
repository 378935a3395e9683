//! The client against a server on loopback.

mod server;

use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::*;
use crate::secret::Secret;
use server::{Acme, MIDNIGHT, Reply, Server, all_statuses, answer, cut, wide_budget, with_header};

const TOKEN: &str = "pat-na1-00000000-1111-2222-3333-444444444444";
const CURSOR: &str = "MTAwMDAwMDAwMDAwMDAwMDA";

/// Three attempts without waits, and no patience.
fn options() -> Options {
    Options {
        timeouts: Timeouts { idle: Duration::from_millis(300), ..Timeouts::default() },
        retry: RetryPolicy {
            attempts: NonZeroU32::new(3).unwrap(),
            attempts_to_reach: NonZeroU32::new(2).unwrap(),
            backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO },
            ..RetryPolicy::default()
        },
        ..Options::default()
    }
}

fn client_with(base: &Url, options: Options) -> Client {
    Client::new(base, &Secret::new(TOKEN), Arc::new(Acme), options).unwrap()
}

fn client(server: &Server) -> Client {
    client_with(&server.base, options())
}

fn contacts() -> Request {
    Request::get(&wide_budget(), "/crm/contacts").parameter("limit", "100").parameter("after", CURSOR)
}

async fn ask(client: &Client) -> Result<Value, HttpError> {
    client.json(&contacts()).await
}

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

#[tokio::test]
async fn a_request_carries_what_the_server_needs_to_know() {
    let server = Server::start(|_| answer(200, "{}")).await;
    let mut base = server.base.clone();
    base.set_path("/proxy/");
    let client = client_with(&base, options());
    let budget = wide_budget();
    let get = Request::get(&budget, "/crm/contacts").parameter("properties", "email,née & more").parameter("limit", "2");
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
    let retry = RetryPolicy { attempts: NonZeroU32::new(2).unwrap(), retries: 1_000, ..options().retry };
    let mut client = client_with(&server.base, Options { retry, ..options() });
    let mut lists: [(&str, Vec<String>); 4] =
        [("accepted", vec![]), ("tried again", vec![]), ("ends the run", vec![]), ("refused", vec![])];
    for status in all_statuses() {
        let request = Request::get(&budget, format!("/{}", status.as_u16()));
        let before = server.seen().len();
        let outcome = client.decoded(&request, |_| Ok(())).await;
        let attempts = server.seen().len() - before;
        let list = match outcome.as_ref().map_err(HttpError::failure) {
            Ok(()) => 0,
            Err(Failure::Status { transient, .. }) if attempts == 2 => {
                assert!(*transient || status.as_u16() == 429, "{status}");
                1
            }
            Err(Failure::Stopped { .. }) => {
                client = client_with(&server.base, Options { retry, ..options() });
                2
            }
            Err(failure) => {
                assert!(matches!(failure, Failure::Status { transient: false, .. }), "{failure:?}");
                assert_eq!(attempts, 1, "{status}");
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
async fn a_fault_that_passes_is_not_noticed() {
    let server = Server::start(|seen| match seen.number {
        0 => answer(503, "<html>sorry</html>"),
        1 => cut(r#"{"results":["#),
        2 => answer(200, r#"{"results":["#),
        _ => answer(200, r#"{"results":[]}"#),
    })
    .await;
    let retry = RetryPolicy { attempts: NonZeroU32::new(4).unwrap(), ..options().retry };
    let client = client_with(&server.base, Options { retry, ..options() });
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
async fn a_daily_limit_ends_every_request_of_the_run() {
    let server = Server::start(|seen| match seen.path_and_query.as_str() {
        "/slow" => Reply::Hang,
        _ => answer(429, r#"{"message":"You have reached your daily limit.","policyName":"DAILY"}"#),
    })
    .await;
    let options = Options { timeouts: Timeouts::default(), ..options() };
    let client = client_with(&server.base, options);
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
async fn a_dead_server_ends_the_run_when_its_retries_are_spent() {
    let server = Server::start(|seen| match seen.number % 2 {
        0 => answer(502, "<html><body>Jane Roe, bad gateway</body></html>"),
        _ => answer(503, ""),
    })
    .await;
    let retry = RetryPolicy { attempts: NonZeroU32::new(100).unwrap(), retries: 6, ..options().retry };
    let client = client_with(&server.base, Options { retry, ..options() });
    let first = ask(&client).await.unwrap_err();
    assert_eq!(server.seen().len(), 7, "one attempt and six retries");
    let second = ask(&client).await.unwrap_err();
    assert_eq!(server.seen().len(), 8, "nothing is left for the next request");
    assert_error_snapshot!(format!("{}\n{}", chain(&first), chain(&second)), @"
    `GET /crm/contacts?limit&after` failed after 7 attempts in [TIME]: no retry is left in this run (3 on status 502, 3 on status 503)
      caused by: status 502 Bad Gateway
      caused by: the answer is an HTML page
    `GET /crm/contacts?limit&after` failed: no retry is left in this run (3 on status 502, 3 on status 503)
      caused by: status 503 Service Unavailable
      caused by: the answer is empty
    ");
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_as_many_attempts_as_the_caller_likes() {
    let server = Server::start(|_| Reply::Hang).await;
    let client = client(&server);
    let error = client.json::<Value>(&contacts().overload_attempts(2)).await.unwrap_err();
    assert!(error.is_overload());
    assert_eq!(server.seen().len(), 2);
    assert_error_snapshot!(chain(&error), @"`GET /crm/contacts?limit&after` failed after 2 attempts in [TIME]: there was no complete answer after [TIME]");
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
    let error = ask(&client(&server)).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::Timeout { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn nobody_listens() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = ask(&client_with(&base, options())).await.unwrap_err();
    assert!(!error.is_overload());
    assert_error_snapshot!(format!("{}\nhint: {}", chain(&error), error.hint().unwrap()), @"
    `GET /crm/contacts?limit&after` failed after 2 attempts in [TIME]: `127.0.0.1:[PORT]` could not be reached
      caused by: Connection refused (os error 111)
    hint: check the address, the network, and the proxy if there is one
    ");
}

#[tokio::test]
async fn a_server_that_was_reached_before_gets_all_attempts() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let client = client_with(&base, options());
    let answer_once = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut request).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await.unwrap();
    };
    let (answered, ()) = futures::join!(ask(&client), answer_once);
    answered.unwrap();
    ask(&client).await.unwrap_err();
    assert_eq!(client.stats().requests, 1 + 3);
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
async fn a_body_without_end_is_refused() {
    let server = Server::start(|_| answer(200, "x".repeat(2_000))).await;
    let client = client_with(&server.base, Options { largest_body: 1_000, ..options() });
    let error = ask(&client).await.unwrap_err();
    assert!(error.is_overload(), "a smaller page helps");
    assert_error_snapshot!(chain(&error), @"`GET /crm/contacts?limit&after` failed: the answer is larger than 1000 bytes");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start(|_| with_header(302, "location", "http://127.0.0.1:1/elsewhere", "")).await;
    let error = ask(&client(&server)).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 302);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again_and_one_of_another_form_is_not() {
    let server = Server::start(|seen| match seen.path_and_query.as_str() {
        "/broken" => answer(200, r#"{"results":[{"id":"1","email":"jane@"#),
        _ => answer(200, r#"{"results":"jane@roe.example"}"#),
    })
    .await;
    #[derive(Debug, serde::Deserialize)]
    struct Page {
        #[expect(dead_code, reason = "only deserialized")]
        results: Vec<Value>,
    }
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
    let echo = |seen: &server::Seen| {
        let authorization = seen.headers["authorization"].to_str().unwrap();
        json!({"message": format!("{} with {authorization} failed", seen.path_and_query), "category": CURSOR}).to_string()
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
    let no_retries = || Options { retry: RetryPolicy { retries: 0, ..options().retry }, ..options() };
    let cases = [
        (&server.base, "/hang", options()),
        (&server.base, "/cut", options()),
        (&server.base, "/broken", options()),
        (&server.base, "/unexpected", options()),
        (&server.base, "/large", options()),
        (&server.base, "/html", options()),
        (&server.base, "/400", options()),
        (&server.base, "/403", options()),
        (&server.base, "/503", options()),
        (&server.base, "/daily", options()),
        (&server.base, "/500", no_retries()),
        (&secure, "/tls", options()),
        (&nobody, "/nobody", options()),
    ];
    let budget = wide_budget();
    let mut kinds = std::collections::BTreeSet::new();
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
    assert_eq!(kinds.len(), 9, "one of each kind: {kinds:?}");
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
