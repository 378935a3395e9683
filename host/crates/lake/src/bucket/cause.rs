//! Causes: what a service or the system said when something failed, fit to be shown.
//!
//! The object store and the AWS SDK report failures as chains of errors that repeat one another, quote whole addresses, and
//! carry the service's answer verbatim, which for a wrong signature includes the session token.
//! This module reads such a chain once and keeps what a person needs: the status, the code and the message of an answer, or
//! the innermost reason of a failed connection. Nothing else of the chain is shown anywhere.
//!
//! The object store does not export the type of its HTTP failures, so they are told by their text; tests hold the texts
//! against a live server, so that a new version that words them differently is noticed.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};
use sluice_model::printable::printable;

/// How much of a foreign text is shown, in characters: AWS's longest refusals name a principal, an action and a resource.
const LONGEST_SHOWN: usize = 1000;

/// What was said, as text without addresses and secrets. The last link of a chain of errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    /// A cause in our own words.
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The same, with the proxy (host and port) that the request went through, where it went through one.
    pub(super) fn through(self, proxy: Option<&str>) -> Self {
        match proxy {
            Some(proxy) => Self(format!("{} (through the proxy `{proxy}`)", self.0)),
            None => self,
        }
    }

    /// What a chain of errors says, each thing once, outermost first.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut words = String::new();
        for link in chain(error) {
            let link = without_queries(&link.to_string());
            if !words.contains(&link) {
                if !words.is_empty() {
                    words.push_str(": ");
                }
                words.push_str(&link);
            }
        }
        Self(printable(&words, LONGEST_SHOWN))
    }
}

/// A failure, as far as the chain of errors tells it.
#[derive(Debug)]
pub(super) enum Failure {
    /// The service answered, and it was not what was asked for.
    Answered(Answer),
    /// There was no answer.
    Unanswered(Cause),
    /// The request never left this machine, or the bucket is on it.
    Local(Cause),
}

impl Failure {
    /// Reads the object store's chain of errors.
    pub(super) fn read(error: &(dyn Error + 'static)) -> Self {
        for link in chain(error) {
            let words = link.to_string();
            if let Some(rest) = words.strip_prefix("Server returned non-2xx status code: ") {
                return Self::Answered(Answer::parse(rest));
            }
            if let Some(body) = words.strip_prefix("Server returned error response: ") {
                return Self::Answered(Answer { status: Some(200), ..Answer::of_body(body) });
            }
            if words.starts_with("Received redirect without LOCATION") {
                return Self::Answered(Answer { status: Some(301), ..Answer::default() });
            }
            if let Some(transport) = link.downcast_ref::<HttpError>() {
                let reason = transport.source().map_or_else(|| Cause::of(transport), Cause::of);
                return Self::Unanswered(match transport.kind() {
                    HttpErrorKind::Timeout => Cause::new(format!("no answer in time: {reason}")),
                    _ => reason,
                });
            }
        }
        Self::Local(Cause::of(error))
    }
}

/// A service's answer to a request it did not fulfil.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request: Option<String>,
    /// The region that the answer says the bucket is in.
    pub(super) region: Option<String>,
}

impl Answer {
    /// Parses `<status> <reason>: <body>`.
    fn parse(text: &str) -> Self {
        let status = text.get(..3).and_then(|digits| digits.parse().ok());
        let body = text.split_once(": ").map_or("", |(_, body)| body);
        Self { status, ..Self::of_body(body) }
    }

    fn of_body(body: &str) -> Self {
        Self {
            status: None,
            code: element(body, "Code"),
            message: element(body, "Message"),
            request: element(body, "RequestId"),
            region: element(body, "Region"),
        }
    }

    pub(super) fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// The answer in words: ``S3 answered 403 `AccessDenied`: … (request …)``.
    pub(super) fn cause(&self, service: &str) -> Cause {
        let status = self.status.map(|status| format!(" {status}"));
        let code = self.code.as_ref().map(|code| format!(" `{code}`"));
        let message = self.message.as_ref().map(|message| format!(": {message}"));
        let request = self.request.as_ref().map(|request| format!(" (request `{request}`)"));
        let words: String = [status, code, message, request].into_iter().flatten().collect();
        let words = format!("{service} answered{words}");
        Cause(printable(&words, LONGEST_SHOWN))
    }
}

/// Whether a conditional put was answered with 409: not that the object exists, but that requests met.
pub(super) fn is_conflict(error: &object_store::Error) -> bool {
    const CONFLICT: u16 = 409;
    matches!(Failure::read(error), Failure::Answered(Answer { status: Some(CONFLICT), .. }))
}

/// An error and its sources, outermost first.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| (*link).source())
}

/// The text of the first XML element of that name.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.trim();
    // `&amp;` last, so that `&amp;lt;` stays `&lt;`.
    let references = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    let text = references.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    (!text.is_empty()).then_some(text)
}

/// The text without the queries of the addresses in it: they hold upload ids, and signatures where a request was signed
/// that way.
fn without_queries(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Link {
        words: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn a_chain_is_told_once_and_without_queries() {
        let inner = Link { words: "connection refused", source: None };
        let middle = Link {
            words: "sending to http://host/key?token=secret failed: connection refused",
            source: Some(inner.into()),
        };
        let outer = Link { words: "cannot write", source: Some(middle.into()) };
        assert_eq!(
            Cause::of(&outer).to_string(),
            "cannot write: sending to http://host/key failed: connection refused"
        );
    }

    #[test]
    fn an_answer_keeps_what_people_need_and_no_more() {
        let error = Link {
            words: "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?><Error>\
                    <Code>SignatureDoesNotMatch</Code><Message>The signature &quot;differs&quot;.</Message>\
                    <CanonicalRequest>PUT /key x-amz-security-token:SECRET</CanonicalRequest>\
                    <RequestId>R1</RequestId></Error>",
            source: None,
        };
        let Failure::Answered(answer) = Failure::read(&error) else { panic!("expected an answer") };
        assert!(answer.has_code(&["SignatureDoesNotMatch"]));
        assert_eq!(
            answer.cause("S3").to_string(),
            "S3 answered 403 `SignatureDoesNotMatch`: The signature \"differs\". (request `R1`)"
        );
    }

    #[test]
    fn an_answer_without_a_body_is_still_an_answer() {
        let error = Link { words: "Server returned non-2xx status code: 502 Bad Gateway: ", source: None };
        let Failure::Answered(answer) = Failure::read(&error) else { panic!("expected an answer") };
        assert_eq!(answer.cause("S3").to_string(), "S3 answered 502");
    }
}
