//! The Security Token Service: `AssumeRole` and `GetCallerIdentity`.
//!
//! Both are a form posted to `/` and signed for the service `sts`. The signature is checked by s3s before this module sees
//! the request; what remains is who calls, whether the parameters are in range, and whether the role's trust policy lets the
//! caller in: the one user, with the one external id. Answers and refusals have the shapes and codes of AWS.
//!
//! Session policies, source identities, tags and multi-factor devices are not simulated; a request that asks for a session
//! policy is refused rather than given more than it asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use jiff::Timestamp;
use s3s::route::S3Route;
use s3s::xml::{SerResult, Serializer};
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::names::Names;
use super::sessions::{Caller, Credentials, Rejection, Sessions};

/// The kind of every answer of STS; those of S3 have another one.
pub(super) const CONTENT_TYPE: &str = "text/xml";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const VERSION: &str = "2011-06-15";
/// The range of `DurationSeconds` that AWS accepts: a quarter of an hour to twelve hours.
const SESSION_SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;
/// What AWS takes where a request does not say.
const DEFAULT_SESSION_SECONDS: u64 = 3_600;
/// The range of lengths of `RoleSessionName` and, below, of `ExternalId`.
const SESSION_NAME_LETTERS: std::ops::RangeInclusive<usize> = 2..=64;
const EXTERNAL_ID_LETTERS: std::ops::RangeInclusive<usize> = 2..=1224;
/// STS requests are short forms; s3s reads no more of one either.
pub(super) const LONGEST_BODY: usize = 8_192;

/// The service, as a route that s3s tries before it takes a request for one to S3.
pub(super) struct Sts {
    pub(super) names: Arc<Names>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) external_id: String,
    /// How long every session lives, whatever its request asks for.
    pub(super) session_lifetime: Option<Duration>,
}

/// A refusal, before it is put into XML.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "ValidationError", message: message.into() }
    }

    fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, code, message: message.into() }
    }
}

/// A well-formed `AssumeRole`.
#[derive(Debug, PartialEq, Eq)]
struct AssumeRole {
    role_arn: String,
    session_name: String,
    external_id: Option<String>,
    duration: Duration,
}

impl AssumeRole {
    fn parse(form: &HashMap<String, String>) -> Result<Self, Refusal> {
        let required = |name: &str, member: &str| {
            form.get(name).cloned().ok_or_else(|| {
                Refusal::invalid(format!(
                    "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
                ))
            })
        };
        if form.keys().any(|name| name.starts_with("Policy")) {
            return Err(Refusal::invalid("the simulator does not apply session policies"));
        }
        let session_name = required("RoleSessionName", "roleSessionName")?;
        let external_id = form.get("ExternalId").cloned();
        check_text("roleSessionName", &session_name, &SESSION_NAME_LETTERS, "_=,.@-")?;
        if let Some(external_id) = &external_id {
            check_text("externalId", external_id, &EXTERNAL_ID_LETTERS, "_=,.@:/+-\\")?;
        }
        let seconds = match form.get("DurationSeconds") {
            None => DEFAULT_SESSION_SECONDS,
            Some(text) => text.parse().ok().filter(|seconds| SESSION_SECONDS.contains(seconds)).ok_or_else(|| {
                Refusal::invalid(format!(
                    "1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: \
                     Member must have value between {} and {}",
                    SESSION_SECONDS.start(),
                    SESSION_SECONDS.end()
                ))
            })?,
        };
        Ok(Self {
            role_arn: required("RoleArn", "roleArn")?,
            session_name,
            external_id,
            duration: Duration::from_secs(seconds),
        })
    }
}

/// A text of letters, digits and `others`, of a length in `letters`.
fn check_text(
    member: &str,
    text: &str,
    letters: &std::ops::RangeInclusive<usize>,
    others: &str,
) -> Result<(), Refusal> {
    let constraint = if text.len() < *letters.start() {
        format!("Member must have length greater than or equal to {}", letters.start())
    } else if text.len() > *letters.end() {
        format!("Member must have length less than or equal to {}", letters.end())
    } else if !text.chars().all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter)) {
        format!("Member must satisfy regular expression pattern: [\\w{others}]*")
    } else {
        return Ok(());
    };
    Err(Refusal::invalid(format!(
        "1 validation error detected: Value '{text}' at '{member}' failed to satisfy constraint: {constraint}"
    )))
}

impl Sts {
    fn answer(&self, request: &S3Request<Body>, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let caller = self.caller(request)?;
        let form: HashMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
        let action = form.get("Action").map_or("", String::as_str);
        match (action, form.get("Version").map_or("", String::as_str)) {
            ("AssumeRole", VERSION) => {
                let asked = AssumeRole::parse(&form)?;
                let issued = self.assume(&caller, &asked)?;
                Ok(self.assumed(&asked, &issued))
            }
            ("GetCallerIdentity", VERSION) => Ok(self.identity(&caller)),
            (action, version) => Err(Refusal {
                status: StatusCode::BAD_REQUEST,
                code: "InvalidAction",
                message: format!("Could not find operation {action} for version {version}"),
            }),
        }
    }

    fn caller(&self, request: &S3Request<Body>) -> Result<Caller, Refusal> {
        let Some(credentials) = &request.credentials else {
            return Err(Refusal::forbidden("MissingAuthenticationToken", "Request is missing Authentication Token"));
        };
        if request.service.as_deref() != Some("sts") {
            return Err(Refusal::forbidden(
                "SignatureDoesNotMatch",
                "Credential should be scoped to correct service: 'sts'. ",
            ));
        }
        let token = request.headers.get(super::SECURITY_TOKEN).and_then(|token| token.to_str().ok());
        self.sessions.caller(&credentials.access_key, token).map_err(|rejection| match rejection {
            Rejection::UnknownKey | Rejection::WrongToken => {
                Refusal::forbidden("InvalidClientTokenId", "The security token included in the request is invalid.")
            }
            Rejection::Expired => {
                Refusal::forbidden("ExpiredToken", "The security token included in the request is expired")
            }
        })
    }

    /// The trust policy: only the user, only this role, only with this external id. AWS does not say which of the three it was.
    fn assume(&self, caller: &Caller, asked: &AssumeRole) -> Result<Credentials, Refusal> {
        let trusted = *caller == Caller::User
            && asked.role_arn == self.names.role_arn
            && asked.external_id.as_ref() == Some(&self.external_id);
        if !trusted {
            return Err(Refusal::forbidden(
                "AccessDenied",
                format!(
                    "User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
                    self.names.arn_of(caller),
                    asked.role_arn
                ),
            ));
        }
        Ok(self.sessions.issue(&asked.session_name, self.session_lifetime.unwrap_or(asked.duration)))
    }

    fn assumed(&self, asked: &AssumeRole, issued: &Credentials) -> Vec<u8> {
        respond("AssumeRole", |xml| {
            xml.element("AssumedRoleUser", |xml| {
                xml.content("AssumedRoleId", &role_user_id(&asked.session_name))?;
                xml.content("Arn", &self.names.assumed_role_arn(&asked.session_name))
            })?;
            xml.element("Credentials", |xml| {
                xml.content("AccessKeyId", &issued.access_key_id)?;
                xml.content("SecretAccessKey", &issued.secret_access_key)?;
                xml.content("SessionToken", &issued.session_token)?;
                xml.content("Expiration", &whole_seconds(issued.expires))
            })
        })
    }

    fn identity(&self, caller: &Caller) -> Vec<u8> {
        let user_id = match caller {
            Caller::User => "AIDAEXAMPLEEXAMPLE000".to_owned(),
            Caller::Role { session_name } => role_user_id(session_name),
        };
        respond("GetCallerIdentity", |xml| {
            xml.content("Arn", &self.names.arn_of(caller))?;
            xml.content("UserId", &user_id)?;
            xml.content("Account", &self.names.account)
        })
    }
}

#[async_trait::async_trait]
impl S3Route for Sts {
    fn is_match(&self, method: &Method, uri: &Uri, _headers: &HeaderMap, _extensions: &mut Extensions) -> bool {
        method == Method::POST && uri.path() == "/"
    }

    /// An unsigned request gets STS's own refusal, from `call`.
    async fn check_access(&self, _request: &mut S3Request<Body>) -> S3Result<()> {
        Ok(())
    }

    async fn call(&self, mut request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let read = request.input.store_all_limited(LONGEST_BODY).await;
        let body = read.map_err(|error| S3Error::with_source(S3ErrorCode::InvalidRequest, error))?;
        let response = match self.answer(&request, &body) {
            Ok(xml) => xml_response(StatusCode::OK, xml),
            Err(no) => refusal(no.status, no.code, &no.message),
        };
        let (head, body) = response.into_parts();
        Ok(S3Response { output: body, status: Some(head.status), headers: head.headers, extensions: head.extensions })
    }
}

/// The role's unique id, which AWS makes up and nothing here looks at, and the session's name.
fn role_user_id(session_name: &str) -> String {
    format!("AROAEXAMPLEEXAMPLE000:{session_name}")
}

/// A refusal in the shape of the query protocol.
pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
    let xml = document("ErrorResponse", |xml| {
        xml.element("Error", |xml| {
            xml.content("Type", kind)?;
            xml.content("Code", code)?;
            xml.content("Message", message)
        })
    });
    xml_response(status, xml)
}

/// What s3s refused before the route was reached (the signature, mostly) speaks of S3; STS says the same in its own shape.
pub(super) fn in_the_words_of_sts(status: StatusCode, s3_error: &str) -> HttpResponse {
    let between = |open: &str, close: &str| Some(s3_error.split_once(open)?.1.split_once(close)?.0);
    match between("<Code>", "</Code>").unwrap_or("InternalFailure") {
        "InvalidAccessKeyId" => refusal(
            StatusCode::FORBIDDEN,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
        "SignatureDoesNotMatch" => refusal(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ),
        code => refusal(status, code, between("<Message>", "</Message>").unwrap_or_default()),
    }
}

fn respond(action: &str, result: impl FnOnce(&mut Serializer<&mut Vec<u8>>) -> SerResult) -> Vec<u8> {
    document(&format!("{action}Response"), |xml| xml.element(&format!("{action}Result"), result))
}

fn document(root: &str, content: impl FnOnce(&mut Serializer<&mut Vec<u8>>) -> SerResult) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = Serializer::new(&mut bytes).element_with_ns(root, NAMESPACE, content);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    bytes
}

fn xml_response(status: StatusCode, xml: Vec<u8>) -> HttpResponse {
    let mut response = HttpResponse::new(Body::from(xml));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// AWS gives the end of a session in whole seconds, so a client never believes in more time than there is.
fn whole_seconds(time: std::time::SystemTime) -> String {
    let seconds = Timestamp::try_from(time).map_or(0, Timestamp::as_second);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        let mut form: HashMap<String, String> =
            [("RoleArn", "arn"), ("RoleSessionName", "run-1")].map(|(name, value)| (name.into(), value.into())).into();
        form.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        form
    }

    #[test]
    fn parameters_are_held_to_the_limits_of_aws() {
        let accepted = AssumeRole::parse(&form(&[("DurationSeconds", "900")])).expect("accepted");
        assert_eq!(accepted.duration, Duration::from_mins(15));
        assert_eq!(AssumeRole::parse(&form(&[])).expect("accepted").duration, Duration::from_hours(1));
        let too_long = "x".repeat(65);
        for refused in [
            ("DurationSeconds", "899"),
            ("DurationSeconds", "43201"),
            ("DurationSeconds", "soon"),
            ("RoleSessionName", "x"),
            ("RoleSessionName", too_long.as_str()),
            ("RoleSessionName", "two words"),
            ("ExternalId", "x"),
            ("Policy", "{}"),
        ] {
            let refusal = AssumeRole::parse(&form(&[refused])).expect_err(refused.0);
            assert_eq!(refusal.code, "ValidationError", "{refused:?}");
        }
    }

    #[test]
    fn the_end_of_a_session_is_told_in_whole_seconds_rounded_down() {
        let time = std::time::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(whole_seconds(time), "1970-01-01T00:00:01Z");
    }
}
