//! One attempt on the wire: the only file that names reqwest.
//!
//! Connections are pooled and kept alive, bodies may come compressed, and certificates are checked against the system's
//! store. Redirects are not followed (none is expected, and a token must not travel), nothing is tried again behind the
//! back of the limiter, and nothing of a URL but its path leaves this file.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::{Bytes, BytesMut};
use sluice_model::secret::Secret;
use url::Url;

use super::SetupError;
use super::error::{Cause, Failure};
use super::request::Request;
use super::verdict::BODY_START;

/// How long each part of an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To look up the name, connect and agree on keys.
    pub connect: Duration,
    /// Between two signs of life while an answer is awaited or read.
    pub idle: Duration,
    /// For the whole attempt.
    pub total: Duration,
}

impl Default for Timeouts {
    /// Connecting takes milliseconds or does not work. A page that takes more than a minute to begin is better asked for
    /// in halves, and the proxies before such servers give up after 100 s; two minutes leave time to read a large body.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_mins(1), total: Duration::from_mins(2) }
    }
}

/// How often an idle HTTP/2 connection with requests in flight is checked, and how long the check may take: a connection
/// that a network has dropped silently must not cost every stream on it the idle timeout.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Says who asks; servers block requests that do not.
const USER_AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));

/// Sends requests to one server.
pub(super) struct Transport {
    client: reqwest::Client,
    base: Url,
    /// The server as errors name it.
    host: String,
    /// The proxy that stands before it, as errors name it.
    proxy: Option<String>,
    largest_body: usize,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Whole for a success; otherwise as much of its start as came.
    pub(super) body: Bytes,
}

impl Transport {
    pub(super) fn new(base: &Url, token: &Secret, timeouts: Timeouts, largest_body: usize) -> Result<Self, SetupError> {
        let has_extras = base.query().is_some() || base.fragment().is_some();
        let has_credentials = !base.username().is_empty() || base.password().is_some();
        let Some(host) = base.host().filter(|_| matches!(base.scheme(), "http" | "https")) else {
            return Err(SetupError::BaseUrl);
        };
        if has_extras || has_credentials {
            return Err(SetupError::BaseUrl);
        }
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| SetupError::Token)?;
        if token.is_empty() {
            return Err(SetupError::Token);
        }
        authorization.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, authorization),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.idle)
            .timeout(timeouts.total)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if sluice_net::proxy::is_loopback(base) {
            // A proxy cannot reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        sluice_net::tls::set_up();
        let client = builder.build().map_err(|error| SetupError::Tls(Cause::innermost(&error)))?;
        let host = base.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        Ok(Self { client, base: base.clone(), host, proxy: sluice_net::proxy::of(base), largest_body })
    }

    /// Sends a request once. `on_head` runs when the answer's head has come, before its body is read.
    pub(super) async fn send(
        &self,
        request: &Request,
        on_head: impl FnOnce(StatusCode, &HeaderMap) + Send,
    ) -> Result<Reply, Failure> {
        let sent = Instant::now();
        let mut builder = self.client.request(request.method.clone(), request.url(&self.base));
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        if let Some(limit) = request.answer_within {
            builder = builder.timeout(limit);
        }
        let mut response = builder.send().await.map_err(|error| self.failure(&error, sent))?;
        let status = response.status();
        on_head(status, response.headers());
        let limit = if status.is_success() { self.largest_body } else { BODY_START };
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                    if status.is_success() {
                        return Err(Failure::TooLarge { limit });
                    }
                    break;
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) if status.is_success() => return Err(self.failure(&error, sent)),
                // Of a refusal that breaks off, the status says enough.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(Reply { status, headers: std::mem::take(response.headers_mut()), body: body.freeze() })
    }

    pub(super) fn url_length(&self, request: &Request) -> usize {
        request.url(&self.base).as_str().len()
    }

    /// Sorts an error by what happened, and leaves the URL behind.
    fn failure(&self, error: &reqwest::Error, sent: Instant) -> Failure {
        let proxy = self.proxy.clone();
        let source = Cause::innermost(error).through(proxy.as_deref());
        let host = self.host.clone();
        if is_untrusted(error) {
            Failure::Untrusted { host, source }
        } else if error.is_connect() {
            Failure::Unreachable { host, source }
        } else if error.is_timeout() {
            Failure::Timeout { waited: sent.elapsed(), proxy }
        } else {
            Failure::CutAnswer { source }
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transport").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Whether the other side cannot prove who it is, or does not speak TLS: neither passes by itself.
/// The error may be some layers down, inside an I/O error that does not show it as its source.
fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let inner: Option<&(dyn Error + 'static)> =
        error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as _);
    matches!(
        error.downcast_ref::<rustls::Error>(),
        Some(
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::NoCertificatesPresented
                | rustls::Error::UnsupportedNameType
                | rustls::Error::PeerIncompatible(_)
                | rustls::Error::InvalidMessage(_)
        )
    ) || inner.or_else(|| error.source()).is_some_and(is_untrusted)
}
