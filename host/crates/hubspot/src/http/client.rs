//! The client: a request's way through budget, wire, verdict and decoder, and round again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use jiff::Timestamp;
#[cfg(test)]
use serde::de::DeserializeOwned;
use sluice_model::{mask::Traces, secret::Secret};
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use super::SetupError;
use super::decode::Undecodable;
use super::error::{Failure, HttpError};
use super::request::{Request, encode};
use super::retry::{Failing, Health, Jitter, PATIENCE, RetryPolicy};
use super::said::Said;
use super::stats::{Counters, HttpStats};
use super::transport::{Reply, Timeouts, Transport};
use super::verdict::{Answer, BODY_START, StopReason, Vendor, Verdict, retry_after};

/// The largest body that is read. A page of a hundred records with a thousand properties each has some five megabytes;
/// this is against answers that do not end.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// Query values of at least this many characters are removed from a server's words, should it repeat them. Shorter ones
/// (`100`, `true`) say nothing of anybody.
const SHORTEST_PRIVATE_VALUE: usize = 8;

/// How a client behaves. The default suits a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an attempt may take.
    pub timeouts: Timeouts,
    /// For how long a request is tried.
    pub retry: RetryPolicy,
    /// The random numbers of the waits.
    pub jitter: Jitter,
    /// The most bytes of a body, decompressed.
    pub largest_body: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            retry: RetryPolicy::of_a_run(PATIENCE),
            jitter: Jitter::default(),
            largest_body: LARGEST_BODY,
        }
    }
}

/// Asks one server, with one token and one policy. Cheap to clone; clones share what they know of the server.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    transport: Transport,
    token: Secret,
    vendor: Arc<dyn Vendor>,
    policy: RetryPolicy,
    jitter: Jitter,
    health: Arc<Health>,
    counters: Counters,
    /// Set once, when an answer has said that no other request will be answered.
    stop: watch::Sender<Option<Stop>>,
}

#[derive(Debug, Clone)]
struct Stop {
    reason: StopReason,
    back_at: Option<Timestamp>,
    said: Said,
}

/// The attempts at a request so far.
struct Attempts {
    started: Instant,
    count: u32,
    overloads: u32,
    /// Since its first attempt that failed.
    failing: Option<Failing>,
}

/// An attempt that brought nothing, and what follows from it.
struct Setback {
    failure: Failure,
    verdict: Verdict,
}

impl Setback {
    fn passing(failure: Failure) -> Self {
        let verdict = match failure.fault() {
            Some(_) => Verdict::Retry { at_least: Duration::ZERO },
            None => Verdict::Fail,
        };
        Self { failure, verdict }
    }
}

impl Client {
    /// A client for the server at `base`, to whose path those of the requests are added. Nothing is sent yet.
    ///
    /// A client without TLS (`http://`) sends the token in the clear; whether that is allowed is the caller's decision.
    pub fn new(base: &Url, token: &Secret, vendor: Arc<dyn Vendor>, options: Options) -> Result<Self, SetupError> {
        let Options { timeouts, retry, jitter, largest_body } = options;
        Ok(Self(Arc::new(Shared {
            transport: Transport::new(base, token, timeouts, largest_body)?,
            token: token.clone(),
            vendor,
            policy: retry,
            jitter,
            health: Health::new(),
            counters: Counters::default(),
            stop: watch::Sender::new(None),
        })))
    }

    /// Asks, and decodes the body as JSON.
    #[cfg(test)]
    pub(crate) async fn json<T: DeserializeOwned + Send>(&self, request: &Request) -> Result<T, HttpError> {
        self.decoded(request, |body| Ok(serde_json::from_slice(body)?)).await
    }

    /// Asks, and decodes the body with `decode`, which runs once for each body that came whole and may be asked again
    /// after [`Undecodable::NotJson`]. It runs on the executor's thread, and should take milliseconds.
    ///
    /// # Errors
    ///
    /// When the request cannot be answered, after all attempts that are worth making. Every wait is over by then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the request; one that is already sent stays counted in its budget.
    pub async fn decoded<T, F>(&self, request: &Request, decode: F) -> Result<T, HttpError>
    where
        T: Send,
        F: Fn(&Bytes) -> Result<T, Undecodable> + Send + Sync,
    {
        let mut stop = self.0.stop.subscribe();
        let stopped = async {
            // The sender lives in `self`, so waiting for a stop ends only with one.
            match stop.wait_for(Option::is_some).await {
                Ok(stop) => stop.clone(),
                Err(_) => None,
            }
        };
        tokio::select! {
            biased;
            Some(stop) = stopped => Err(Attempts::start().end(request, stop.into())),
            result = self.0.attempts(request, &decode) => result,
        }
    }

    /// What was done so far.
    pub fn stats(&self) -> HttpStats {
        self.0.counters.snapshot(self.0.health.trouble())
    }

    /// How many characters the URL of a request has, for servers that refuse long ones.
    pub fn url_length(&self, request: &Request) -> usize {
        self.0.transport.url_length(request)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("transport", &self.0.transport).finish_non_exhaustive()
    }
}

impl Shared {
    async fn attempts<T>(
        &self,
        request: &Request,
        decode: &(impl Fn(&Bytes) -> Result<T, Undecodable> + Sync),
    ) -> Result<T, HttpError> {
        let mut tried = Attempts::start();
        loop {
            tried.count += 1;
            let wait = match self.attempt(request, decode).await {
                Ok(value) => {
                    self.health.success();
                    return Ok(value);
                }
                Err(setback) => self.next_wait(request, &mut tried, setback)?,
            };
            let waiting = self.counters.retry_wait.begin();
            tokio::time::sleep(wait).await;
            drop(waiting);
        }
    }

    /// Waits for the budget, sends the request once, and judges and decodes what comes back.
    async fn attempt<T>(
        &self,
        request: &Request,
        decode: &(impl Fn(&Bytes) -> Result<T, Undecodable> + Sync),
    ) -> Result<T, Setback> {
        // Nobody waits for an expendable request.
        let waiting = (!request.expendable).then(|| self.counters.budget_wait.begin());
        let permit = request.budget.acquire().await;
        drop(waiting);
        self.counters.requests.add(1);

        let sent = Instant::now();
        let reply = self.transport.send(request, |status, headers| {
            permit.answered(status == StatusCode::TOO_MANY_REQUESTS, self.vendor.budget_news(headers));
        });
        let Reply { status, headers, body } = reply.await.map_err(Setback::passing)?;
        self.counters.bytes.add(body.len() as u64);
        tracing::debug!(
            method = %request.method,
            path = request.path,
            status = status.as_u16(),
            elapsed_ms = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes = body.len(),
            "answered"
        );

        let body_start = body.get(..BODY_START).unwrap_or(&body);
        let answer = Answer { status, headers: &headers, body_start };
        let verdict = self.vendor.judge(answer);
        if verdict == Verdict::Accept {
            return decode(&body).map_err(|source| Setback::passing(Failure::BrokenBody { bytes: body.len(), source }));
        }
        let verdict = self.with_the_servers_wait(verdict, &headers);
        let source = Said::new(
            self.vendor.name(),
            body_start,
            self.vendor.explain(answer),
            &Traces::of(self.token.expose()),
            &private_values(request),
        );
        let failure = match verdict {
            Verdict::Stop { reason, back_at } => Failure::Stopped { reason, back_at, source },
            _ => Failure::Status { status, transient: matches!(verdict, Verdict::Retry { .. }), source },
        };
        Err(Setback { failure, verdict })
    }

    /// Completes a verdict with what the server itself says of waiting.
    fn with_the_servers_wait(&self, verdict: Verdict, headers: &HeaderMap) -> Verdict {
        let now = Timestamp::now();
        let asked = retry_after(headers, now);
        let back_at = asked.and_then(|wait| now.checked_add(wait).ok());
        match verdict {
            Verdict::Retry { .. } | Verdict::Throttled { .. } if asked > Some(self.policy.longest_wait()) => {
                Verdict::Stop { reason: StopReason::LongWait, back_at }
            }
            Verdict::Retry { at_least } => Verdict::Retry { at_least: at_least.max(asked.unwrap_or_default()) },
            Verdict::Throttled { wait } => Verdict::Throttled { wait: wait.or(asked) },
            Verdict::Stop { reason, back_at: known } => Verdict::Stop { reason, back_at: known.or(back_at) },
            Verdict::Accept | Verdict::Fail => verdict,
        }
    }

    /// Decides whether there is another attempt, and after how long. A pause of the whole budget is not part of that wait:
    /// the budget itself makes the request wait.
    fn next_wait(&self, request: &Request, tried: &mut Attempts, setback: Setback) -> Result<Duration, HttpError> {
        let Setback { failure, verdict } = setback;
        let at_least = match verdict {
            Verdict::Retry { at_least } => at_least,
            Verdict::Throttled { wait } => {
                self.counters.throttled.add(1);
                request.budget.pause(wait.unwrap_or_else(|| request.budget.interval()));
                Duration::ZERO
            }
            Verdict::Stop { .. } | Verdict::Fail | Verdict::Accept => {
                if !request.expendable {
                    self.stop_all(&failure);
                }
                return Err(tried.end(request, failure));
            }
        };
        let Some(fault) = failure.fault().filter(|_| !request.expendable) else {
            return Err(tried.end(request, failure));
        };
        let failing = tried.failing.get_or_insert_with(|| self.health.fails());
        tried.overloads += u32::from(failure.is_overload());
        let is_too_much = request
            .overload_attempts
            .is_some_and(|most| failure.is_overload() && tried.overloads >= most && !failing.is_general());
        let failing_for = failing.time();
        if is_too_much {
            return Err(HttpError { asks_too_much: true, ..tried.end(request, failure) });
        }
        let Some(wait) = self.policy.wait(tried.count, failing_for, self.jitter.next()) else {
            return Err(tried.end(request, failure));
        };
        let wait = wait.max(at_least);
        self.counters.retries.add(1);
        tracing::info!(
            method = %request.method,
            path = request.path,
            attempt = tried.count,
            fault = %fault,
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "trying again"
        );
        if failing.is_to_be_told() {
            tracing::warn!(
                path = request.path,
                "{} has not answered as it should for {} s ({failure}); {}",
                self.vendor.name(),
                failing_for.as_secs(),
                self.policy.patience
            );
        }
        Ok(wait)
    }

    /// Tells all requests that none is answered any more, if that is what happened. The first such news stays.
    fn stop_all(&self, failure: &Failure) {
        if let Failure::Stopped { reason, back_at, source } = failure {
            let stop = Stop { reason: *reason, back_at: *back_at, said: source.clone() };
            self.stop.send_if_modified(|known| {
                let is_news = known.is_none();
                known.get_or_insert(stop);
                is_news
            });
        }
    }
}

impl Attempts {
    fn start() -> Self {
        Self { started: Instant::now(), count: 0, overloads: 0, failing: None }
    }

    /// The error that ends the request here.
    fn end(&self, request: &Request, failure: Failure) -> HttpError {
        HttpError {
            asked: Box::new(request.asked()),
            attempts: self.count,
            elapsed: self.started.elapsed(),
            asks_too_much: matches!(failure, Failure::TooLarge { .. }),
            failure: Box::new(failure),
        }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        let Stop { reason, back_at, said } = stop;
        Self::Stopped { reason, back_at, source: said }
    }
}

/// What must not be printed even if the server says it, beside the token: values of the query, as they are and as they stand
/// in the URL.
fn private_values(request: &Request) -> Vec<String> {
    let values = request.query.iter().map(|(_, value)| value);
    let long = values.filter(|value| value.chars().count() >= SHORTEST_PRIVATE_VALUE);
    long.flat_map(|value| [value.clone(), encode(value)]).collect()
}
