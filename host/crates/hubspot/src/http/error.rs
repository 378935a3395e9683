//! Requests that were not answered as asked, in words for a person.
//!
//! An [`HttpError`] says what was asked, how often and for how long; its [`Failure`] says what happened; the source of
//! that is the narrower cause: the system's words, or the vendor's own.
//! No token, query value, request body or HTML page is in any of it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use ::http::StatusCode;
use jiff::Timestamp;

use super::decode::Undecodable;
use super::request::Asked;
use super::retry::Fault;
use super::said::{Explanation, Said};
use super::verdict::StopReason;

/// A request that has no good answer.
#[derive(Debug)]
pub struct HttpError {
    pub(super) asked: Box<Asked>,
    /// Zero for a request that was given up because of the answer to another one.
    pub(super) attempts: u32,
    pub(super) elapsed: Duration,
    pub(super) asks_too_much: bool,
    pub(super) failure: Box<Failure>,
}

/// What happened, at the last attempt where there were several.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The name is unknown, nobody listens, or the network does not lead there.
    #[error("`{host}` could not be reached")]
    Unreachable {
        /// The server, with its port where it is an unusual one.
        host: String,
        /// The system's words.
        source: Cause,
    },
    /// The server's certificate is not trusted, or it does not speak TLS. Never tried again.
    #[error("there is no secure connection to `{host}`")]
    Untrusted {
        /// The server, with its port where it is an unusual one.
        host: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// The answer did not come, or did not end.
    #[error("there was no complete answer after {:.1} s{}", waited.as_secs_f64(), Through(proxy.as_deref()))]
    Timeout {
        /// How long the last attempt took.
        waited: Duration,
        /// The proxy that it was awaited from, where there is one: host and port.
        proxy: Option<String>,
    },
    /// The connection broke.
    #[error("the connection broke before the answer was complete")]
    CutAnswer {
        /// The system's words.
        source: Cause,
    },
    /// The answer is complete as far as HTTP goes, but cannot be decoded.
    #[error("the answer of {bytes} bytes cannot be read")]
    BrokenBody {
        /// How long the body is.
        bytes: usize,
        /// What is wrong, and where.
        source: Undecodable,
    },
    /// The body is larger than any page should be.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The server's answer is a refusal, or a fault that did not pass.
    #[error("{}", StatusText(*status))]
    Status {
        /// The status.
        status: StatusCode,
        /// Whether it is a fault that may pass.
        transient: bool,
        /// What the answer says of itself.
        source: Said,
    },
    /// No request of this run is answered any more.
    #[error("{reason}{}", BackAt(*back_at))]
    Stopped {
        /// Why.
        reason: StopReason,
        /// When requests are answered again, where that is known.
        back_at: Option<Timestamp>,
        /// What the answer that stopped the run says of itself.
        source: Said,
    },
}

/// A person's or a program's words on the cause, from the innermost error: the outer ones add nothing, and one of them
/// holds the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    pub(super) fn innermost(error: &dyn Error) -> Self {
        let mut innermost = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self(innermost.to_string())
    }

    /// The same, with the proxy that the request went through.
    pub(super) fn through(self, proxy: Option<&str>) -> Self {
        Self(format!("{}{}", self.0, Through(proxy)))
    }
}

/// Words that name the proxy a request went through; none where there is none.
struct Through<'a>(Option<&'a str>);

impl fmt::Display for Through<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |proxy| write!(formatter, " (through the proxy `{proxy}`)"))
    }
}

impl HttpError {
    /// What happened.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The status of the last answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.failure.status()
    }

    /// Whether this very request seems to be too much for the server, so that asking for less may help: the answer is too
    /// large, or the request was given up after [`super::Request::overload_attempts`].
    pub fn asks_too_much(&self) -> bool {
        self.asks_too_much
    }

    /// Whether it failed for a reason that may pass, to the last attempt.
    pub fn may_pass(&self) -> bool {
        match &*self.failure {
            Failure::Status { transient, .. } => *transient,
            failure => failure.fault().is_some(),
        }
    }

    /// What the last answer said of its failure, made fit to print.
    pub fn explanation(&self) -> Option<&Explanation> {
        self.failure.explanation()
    }

    /// What would mend it, where that does not depend on the vendor.
    pub fn hint(&self) -> Option<&'static str> {
        match &*self.failure {
            Failure::Unreachable { .. } => Some("check the address, the network, and the proxy if there is one"),
            Failure::Untrusted { .. } => Some(
                "check that the address is one that speaks https; if a proxy here opens TLS connections, \
                 its certificate belongs in the system's store",
            ),
            _ => None,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, attempts, elapsed, failure, .. } = self;
        match attempts {
            0 => write!(formatter, "{asked} was given up: {failure}"),
            1 => write!(formatter, "{asked} failed: {failure}"),
            _ => {
                let seconds = elapsed.as_secs_f64();
                write!(formatter, "{asked} failed after {attempts} attempts in {seconds:.1} s: {failure}")
            }
        }
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.source()
    }
}

impl Failure {
    /// What it counts as when it is tried again.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Unreachable { .. } => Some(Fault::Connection),
            Self::Timeout { .. } => Some(Fault::Timeout),
            Self::CutAnswer { .. } => Some(Fault::CutAnswer),
            Self::BrokenBody { source, .. } => source.is_worth_another_attempt().then_some(Fault::BrokenBody),
            Self::Status { status, .. } => Some(Fault::Status(status.as_u16())),
            Self::Untrusted { .. } | Self::TooLarge { .. } | Self::Stopped { .. } => None,
        }
    }

    /// Whether it looks like a server overloaded by what was asked: timeouts, faults of the server, answers that are too
    /// large.
    pub(super) fn is_overload(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::TooLarge { .. } => true,
            Self::Status { status, transient, .. } => *transient && status.is_server_error(),
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::CutAnswer { .. }
            | Self::BrokenBody { .. }
            | Self::Stopped { .. } => false,
        }
    }

    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    fn explanation(&self) -> Option<&Explanation> {
        match self {
            Self::Status { source, .. } | Self::Stopped { source, .. } => Some(&source.explanation),
            _ => None,
        }
    }
}

/// A status in words where it has any.
struct StatusText(StatusCode);

impl fmt::Display for StatusText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "status {}", self.0.as_u16())?;
        self.0.canonical_reason().map_or(Ok(()), |reason| write!(formatter, " {reason}"))
    }
}

/// The time from which requests are answered again, to the second.
struct BackAt(Option<Timestamp>);

impl fmt::Display for BackAt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |back_at| write!(formatter, "; requests are answered again from {back_at:.0}"))
    }
}
