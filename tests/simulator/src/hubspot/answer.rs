//! What goes back: answers, and refusals as HubSpot words them.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");

/// The status that the edge in front of HubSpot gives to a token it cannot read. Not a registered one.
const BADLY_FORMED_TOKEN: u16 = 530;

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    fn new(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        Self { status, headers, body: body.into() }
    }

    /// A body that is JSON already.
    pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Self {
        Self::new(status, JSON, body)
    }

    pub(super) fn ok(value: &Value) -> Self {
        Self::of(StatusCode::OK, value)
    }

    pub(super) fn of(status: StatusCode, value: &Value) -> Self {
        Self::json(status, value.to_string().into_bytes())
    }

    /// A sentence, or nothing.
    pub(super) fn text(status: StatusCode, text: &'static str) -> Self {
        Self::new(status, TEXT, text)
    }

    /// A page for people, as proxies and load balancers send it.
    pub(super) fn html(status: StatusCode, title: &str) -> Self {
        let code = status.as_u16();
        let page = format!(
            "<!DOCTYPE html>\n<html><head><title>{code} {title}</title></head>\n<body><h1>{code} {title}</h1><hr>cloudflare</body></html>\n"
        );
        Self::new(status, HTML, page)
    }
}

/// Which limit a request went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    TenSecondlyRolling,
    Secondly,
    Daily,
}

impl Policy {
    fn name(self) -> &'static str {
        match self {
            Self::TenSecondlyRolling => "TEN_SECONDLY_ROLLING",
            Self::Secondly => "SECONDLY",
            Self::Daily => "DAILY",
        }
    }
}

/// Why a request gets no data. The texts follow HubSpot's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NoToken,
    UnknownToken,
    MalformedToken,
    /// The token holds none of these scopes.
    MissingScopes(Vec<String>),
    /// The request is wrong, in these words.
    Invalid(String),
    /// A thing of an account does not exist, in these words.
    NotFound(String),
    NoSuchPage,
    MethodNotAllowed,
    UrlTooLong,
    /// With the time after which a further request would pass.
    RateLimited(Policy, Duration),
    /// HubSpot's own failure.
    ServerError,
    /// The real API could answer this, the simulator cannot.
    NotSimulated(&'static str),
}

impl Refusal {
    /// The answer that carries this refusal. `retry_after` says whether rate limits tell how long.
    pub(super) fn into_answer(self, correlation_id: &str, retry_after: bool) -> Answer {
        let error = |status, category: &str, message: &str| {
            Answer::of(
                status,
                &json!({
                    "status": "error", "message": message, "correlationId": correlation_id, "category": category,
                }),
            )
        };
        match self {
            Self::NoToken => error(
                StatusCode::UNAUTHORIZED,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            ),
            Self::UnknownToken => error(
                StatusCode::UNAUTHORIZED,
                "INVALID_AUTHENTICATION",
                "The access token is invalid or has been revoked.",
            ),
            Self::MalformedToken => {
                let status = StatusCode::from_u16(BADLY_FORMED_TOKEN).expect("530 is a possible status");
                Answer::html(status, "Origin DNS error")
            }
            Self::MissingScopes(scopes) => Answer::of(
                StatusCode::FORBIDDEN,
                &json!({
                    "status": "error",
                    "message": "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: https://developers.hubspot.com/scopes.",
                    "correlationId": correlation_id,
                    "errors": [{
                        "message": "One or more of the following scopes are required.",
                        "context": { "requiredGranularScopes": scopes },
                    }],
                    "links": { "scopes": "https://developers.hubspot.com/scopes" },
                    "category": "MISSING_SCOPES",
                }),
            ),
            Self::Invalid(message) => error(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", &message),
            Self::NotFound(message) => error(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", &message),
            Self::NoSuchPage => Answer::html(StatusCode::NOT_FOUND, "Not Found"),
            Self::MethodNotAllowed => Answer::html(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
            Self::UrlTooLong => Answer::html(StatusCode::URI_TOO_LONG, "URI Too Long"),
            Self::RateLimited(policy, wait) => {
                let name = policy.name();
                let mut answer = Answer::of(
                    StatusCode::TOO_MANY_REQUESTS,
                    &json!({
                        "status": "error",
                        "message": format!("You have reached your {} limit.", name.to_lowercase()),
                        "errorType": "RATE_LIMIT",
                        "correlationId": correlation_id,
                        "policyName": name,
                    }),
                );
                if retry_after {
                    answer
                        .headers
                        .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000) as u64));
                }
                answer
            }
            Self::ServerError => error(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal error"),
            Self::NotSimulated(what) => {
                error(StatusCode::NOT_IMPLEMENTED, "NOT_SIMULATED", &format!("the simulator does not know {what}"))
            }
        }
    }
}
