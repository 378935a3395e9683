//! A request's way through the stations, and what the stations share.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::{Answer, Refusal};
use super::auth::{self, Token};
use super::cursor::Cursors;
use super::faults::{self, FaultAction, Faults, Gone};
use super::limits::{Limits, Standing};
use super::log::{self, Log, LoggedRequest};
use super::query::Query;
use super::route::{self, Endpoint, Version};
use super::{Options, account, associations, definitions, events, lists, objects, owners, people, search};
use crate::data::Portal;

/// The longest body that is read: far above what any endpoint accepts.
const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// The state that all requests share.
pub(super) struct Server {
    options: Options,
    base_url: String,
    portal: Portal,
    limits: Limits,
    faults: Faults,
    gone: Mutex<Gone>,
    log: Log,
    answered: AtomicU64,
    stopped: watch::Receiver<()>,
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// A request that was let through to an endpoint.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) portal: &'a Portal,
    pub(super) token: &'a Token,
    pub(super) version: Version,
    pub(super) cursors: Cursors,
    /// The most links of one record that an answer holds.
    pub(super) association_page: usize,
    /// Whether 2026-09 has the labels of associations and their limits.
    pub(super) labels_in_september: bool,
    /// Whether the account has the product that keeps events.
    pub(super) has_events: bool,
    /// Whether an occurrence may be on two neighbouring pages.
    pub(super) repeated_occurrences: bool,
    pub(super) gone: Gone,
    pub(super) query: Query,
    pub(super) body: &'a [u8],
    /// The URL without its query.
    url: String,
}

impl Call<'_> {
    /// The `paging` of an answer that goes on behind `after`.
    pub(super) fn paging(&self, after: &str) -> Value {
        let link = format!("{}?{}", self.url, self.query.with_after(after));
        json!({ "next": { "after": after, "link": link } })
    }
}

/// Reads a JSON body.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        Refusal::Invalid(format!("Invalid input JSON on line {}, column {}: {error}", error.line(), error.column()))
    })
}

/// Answers one request.
pub(super) async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LONGEST_BODY).await else {
        // The client went away, or sends without end: nobody waits for an answer.
        return no_answer();
    };
    let number = server.answered.fetch_add(1, Ordering::Relaxed);
    let correlation_id = format!("00000000-0000-4000-8000-{number:012x}");

    let log = |answer: Option<&Answer>| {
        server.log.push(LoggedRequest {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            body: log::kept(&body),
            bytes_in: body.len(),
            status: answer.map(|answer| answer.status.as_u16()),
            bytes_out: answer.map_or(0, |answer| answer.body.len()),
        });
    };

    let mut cut_after = None;
    let answer = match server.faults.strike(&parts.method, parts.uri.path()) {
        Some(&FaultAction::Status { status, body, retry_after }) => {
            faults::answer(status, body, retry_after, &correlation_id)
        }
        Some(FaultAction::Hang) => {
            log(None);
            stopped(server.stopped.clone()).await;
            return no_answer();
        }
        action => {
            match action {
                Some(FaultAction::Delay(delay)) => tokio::time::sleep(*delay).await,
                Some(FaultAction::CutBody { after }) => cut_after = Some(*after),
                Some(FaultAction::ListDeleted { list_id }) => server.lose(|gone| gone.lists.insert(list_id.clone())),
                Some(FaultAction::EventTypeGone { event_type }) => {
                    server.lose(|gone| gone.event_types.insert(event_type.clone()));
                }
                _ => {}
            }
            // Even a sleep of no time waits for the next tick of the timer, about a millisecond.
            if !server.options.latency.is_zero() {
                tokio::time::sleep(server.options.latency).await;
            }
            let answer = server.answer(&parts, &body, &correlation_id).await;
            match action {
                Some(FaultAction::Archived { property }) => faults::without(answer, property),
                Some(FaultAction::Replaced { text, by }) => faults::replaced(answer, text, by),
                Some(FaultAction::InputErrors { category, every }) => {
                    faults::with_input_errors(answer, &body, category, *every)
                }
                _ => answer,
            }
        }
    };
    log(Some(&answer));
    let mut response = match cut_after {
        Some(after) if after < answer.body.len() => broken(&answer, after),
        _ => respond(&answer, Body::from(answer.body.clone())),
    };
    let id = HeaderValue::try_from(correlation_id).expect("a correlation id is plain text");
    response.headers_mut().insert("x-hubspot-correlation-id", id);
    response
}

/// Resolves when the server is asked to stop.
pub(super) async fn stopped(mut signal: watch::Receiver<()>) {
    // Nothing is ever sent: the sender is dropped.
    while signal.changed().await.is_ok() {}
}

/// The nearest thing to no answer at all: a head, and then the connection breaks.
fn no_answer() -> Response {
    broken(&Answer::of(StatusCode::INTERNAL_SERVER_ERROR, &Value::Null), 0)
}

/// A response that announces the whole body and breaks off after so many bytes.
fn broken(answer: &Answer, after: usize) -> Response {
    let begun = answer.body.slice(..after.min(answer.body.len()));
    let pieces = stream::once(async { Ok(begun) }).chain(stream::once(async {
        // Lets the connection send what it has: at an error it forgets what is still in its buffer.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    }));
    let mut response = respond(answer, Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
    response
}

fn respond(answer: &Answer, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    response
}

impl Server {
    pub(super) fn new(options: Options, base_url: String, stopped: watch::Receiver<()>) -> Self {
        Self {
            portal: Portal::new(&options.data),
            limits: Limits::new(&options),
            faults: Faults::new(options.faults.clone()),
            gone: Mutex::default(),
            log: Log::new(options.request_log_capacity),
            answered: AtomicU64::new(0),
            options,
            base_url,
            stopped,
        }
    }

    pub(super) fn requests(&self) -> Vec<LoggedRequest> {
        self.log.all()
    }

    fn lose(&self, what: impl FnOnce(&mut Gone) -> bool) {
        what(&mut self.gone.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The answer to a request that no fault took away, with the headers that HubSpot adds.
    async fn answer(self: &Arc<Self>, parts: &Parts, body: &Bytes, correlation_id: &str) -> Answer {
        let mut headers = HeaderMap::new();
        let answer = match self.admit(parts, &mut headers) {
            Ok((version, endpoint)) if endpoint.may_take_long() => {
                // Too long for a thread that serves connections.
                let (server, parts, body) = (Arc::clone(self), parts.clone(), body.clone());
                let scan = tokio::task::spawn_blocking(move || {
                    server.dispatch(&server.call(version, &parts, &body)?, &endpoint)
                });
                scan.await.unwrap_or(Err(Refusal::ServerError))
            }
            Ok((version, endpoint)) => self.call(version, parts, body).and_then(|call| self.dispatch(&call, &endpoint)),
            Err(refusal) => Err(refusal),
        };
        let mut answer = answer.unwrap_or_else(|refusal| refusal.into_answer(correlation_id, self.options.retry_after));
        answer.headers.extend(headers);
        answer
    }

    /// Everything before the endpoint: URL, route, token, limits. Adds the rate-limit headers.
    fn admit(&self, parts: &Parts, headers: &mut HeaderMap) -> Result<(Version, Endpoint), Refusal> {
        if parts.uri.path_and_query().is_some_and(|url| url.as_str().len() > self.options.max_url_length) {
            return Err(Refusal::UrlTooLong);
        }
        let (version, endpoint) = route::route(&parts.method, parts.uri.path())?;
        let token = auth::authenticate(&self.options.tokens, &parts.headers)?;
        let is_search = matches!(endpoint, Endpoint::Search { .. });
        let (verdict, standing): (_, Standing) = self.limits.admit(&token.text, is_search, Instant::now());
        standing.add_headers(headers);
        verdict.map(|()| (version, endpoint))
    }

    fn call<'a>(&'a self, version: Version, parts: &Parts, body: &'a [u8]) -> Result<Call<'a>, Refusal> {
        Ok(Call {
            portal: &self.portal,
            token: auth::authenticate(&self.options.tokens, &parts.headers)?,
            version,
            cursors: self.options.cursors,
            association_page: self.options.association_page,
            labels_in_september: self.options.labels_in_september,
            has_events: self.options.events,
            repeated_occurrences: self.options.repeated_occurrences,
            gone: self.gone.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            query: parts.uri.query().map(Query::parse).unwrap_or_default(),
            body,
            url: format!("{}{}", self.base_url, parts.uri.path()),
        })
    }

    fn dispatch(&self, call: &Call<'_>, endpoint: &Endpoint) -> Result<Answer, Refusal> {
        match endpoint {
            Endpoint::ListObjects { object_type } => objects::list(call, object_type),
            Endpoint::GetObject { object_type, id } => objects::get(call, object_type, id),
            Endpoint::BatchRead { object_type } => objects::batch_read(call, object_type),
            Endpoint::Search { object_type } => search::search(call, object_type),
            Endpoint::ListProperties { object_type } => definitions::list_properties(call, object_type),
            Endpoint::GetProperty { object_type, name } => definitions::get_property(call, object_type, name),
            Endpoint::ListPipelines { object_type } => definitions::list_pipelines(call, object_type),
            Endpoint::ListSchemas => definitions::list_schemas(call),
            Endpoint::GetSchema { object_type } => definitions::get_schema(call, object_type),
            Endpoint::ListOwners => owners::list(call),
            Endpoint::ListUsers => people::users(call),
            Endpoint::ListTeams => people::teams(call),
            Endpoint::ReadAssociations { from, to } => associations::batch_read(call, from, to),
            Endpoint::AssociationsOfRecord { from, id, to } => associations::of_record(call, from, id, to),
            Endpoint::AssociationLabels { from, to } => associations::labels(call, from, to),
            Endpoint::AssociationLimits => associations::configurations(call),
            Endpoint::SearchLists => lists::search(call),
            Endpoint::GetList { id } => lists::get(call, id),
            Endpoint::GetLists => lists::get_many(call),
            Endpoint::Memberships { id } => lists::memberships(call, id),
            Endpoint::MembershipsByTime { id } => lists::memberships_by_time(call, id),
            Endpoint::ReadMemberships => lists::batch_read(call),
            Endpoint::MembershipsOfRecord { object_type, id } => lists::of_record(call, object_type, id),
            Endpoint::AccountDetails => Ok(account::details()),
            Endpoint::DailyUsage => account::daily_usage(&self.limits),
            Endpoint::RecordLimits => account::record_limits(call),
            Endpoint::ObjectLibrary => Ok(account::object_library(call)),
            Endpoint::EventTypes => events::types(call),
            Endpoint::EventOccurrences => events::occurrences(call),
            Endpoint::EventDefinitions => events::definitions(call),
            Endpoint::TokenInfo => account::token_info(call, &self.options.tokens),
        }
    }
}
