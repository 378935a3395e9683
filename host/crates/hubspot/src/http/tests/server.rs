//! A server on loopback that answers as a test says, and a vendor whose words it speaks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::http::{HeaderMap, Method, StatusCode};
use axum::body::{Body, to_bytes};
use axum::extract::Request as Incoming;
use axum::response::Response;
use url::Url;

use crate::http::{Answer, Budget, BudgetNews, BudgetRules, Explanation, Rate, Reserve, StopReason, Vendor, Verdict};

/// The end of the day, to the vendor of these tests.
pub(crate) const MIDNIGHT: &str = "2026-03-02T00:00:00Z";

/// What the server saw of one request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// How many came before.
    pub(crate) number: usize,
    pub(crate) at: Instant,
    pub(crate) method: Method,
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What the server does with a request.
pub(crate) enum Reply {
    Answer(Response),
    /// Says nothing, for ever.
    Hang,
}

/// An answer with this status and body.
pub(crate) fn answer(status: u16, body: impl Into<Body>) -> Reply {
    with_header(status, "x-test", "1", body)
}

/// An answer with one header more.
pub(crate) fn with_header(status: u16, name: &str, value: &str, body: impl Into<Body>) -> Reply {
    Reply::Answer(Response::builder().status(status).header(name, value).body(body.into()).unwrap())
}

/// The head of a success, the beginning of its body, and a broken connection.
pub(crate) fn cut(body: &'static str) -> Reply {
    let broken = std::io::Error::other("the connection breaks here");
    answer(200, Body::from_stream(futures::stream::iter([Ok(body), Err(broken)])))
}

/// A server that listens until the test is over.
pub(crate) struct Server {
    pub(crate) base: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) async fn start(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (seen, count) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (log, reply) = (Arc::clone(&seen), Arc::new(reply));
        let router = axum::Router::new().fallback(move |incoming: Incoming| {
            let (log, count, reply) = (Arc::clone(&log), Arc::clone(&count), Arc::clone(&reply));
            async move {
                let (head, body) = incoming.into_parts();
                let request = Seen {
                    number: count.fetch_add(1, Ordering::SeqCst),
                    at: Instant::now(),
                    method: head.method,
                    path_and_query: head.uri.to_string(),
                    headers: head.headers,
                    body: String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap(),
                };
                log.lock().unwrap().push(request.clone());
                match reply(&request) {
                    Reply::Answer(response) => response,
                    Reply::Hang => std::future::pending().await,
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A budget that is never full.
pub(crate) fn wide_budget() -> Budget {
    let requests = 1_000_000.try_into().unwrap();
    Budget::new(BudgetRules {
        name: "wide",
        assumed: Rate { requests, interval: Duration::from_millis(1) },
        ceiling: None,
        reserve: Reserve::NONE,
    })
}

/// A vendor in whose API 429 with `DAILY` in the body is a daily limit, and 477 a move of the account.
#[derive(Debug)]
pub(crate) struct Acme;

impl Vendor for Acme {
    fn name(&self) -> &'static str {
        "Acme"
    }

    fn judge(&self, answer: Answer<'_>) -> Verdict {
        match answer.status.as_u16() {
            429 if String::from_utf8_lossy(answer.body_start).contains("DAILY") => {
                Verdict::Stop { reason: StopReason::DailyLimit, back_at: Some(MIDNIGHT.parse().unwrap()) }
            }
            477 => Verdict::Stop { reason: StopReason::AccountMoving, back_at: None },
            // The wait of the general table has a test of its own.
            423 => Verdict::Retry { at_least: Duration::ZERO },
            _ => Verdict::of_status(answer.status),
        }
    }

    fn budget_news(&self, headers: &HeaderMap) -> Option<BudgetNews> {
        let max = headers.get("x-max")?.to_str().ok()?.parse().ok();
        Some(BudgetNews { max, interval: Some(Duration::from_mins(1)), remaining: None })
    }

    fn explain(&self, answer: Answer<'_>) -> Explanation {
        let body: serde_json::Value = serde_json::from_slice(answer.body_start).unwrap_or_default();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        Explanation {
            message: text("message"),
            category: text("category"),
            correlation_id: text("correlationId"),
            required_scopes: body["scopes"]
                .as_array()
                .map(|scopes| scopes.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect())
                .unwrap_or_default(),
        }
    }
}

/// Every status a server can end an answer with.
pub(crate) fn all_statuses() -> impl Iterator<Item = StatusCode> {
    (200..600).map(|status| StatusCode::from_u16(status).unwrap())
}
