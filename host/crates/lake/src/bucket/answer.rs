//! Answers of S3 and STS to requests that they did not fulfil.

use std::{error::Error, fmt};

use sluice_model::mask::Traces;

use super::cause::{Cause, chain};

/// What a person and we ourselves need of such an answer. Nothing else of it is kept: what a service says of a wrong
/// signature has the session token in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request: Option<String>,
    /// The region that the answer says the bucket is in.
    pub(super) region: Option<String>,
}

impl Answer {
    /// The answer that is the reason of an error.
    pub(super) fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        chain(error).find_map(|link| link.downcast_ref())
    }

    /// The same, without traces of a token that was sent.
    pub(super) fn without(&self, token: &Traces) -> Self {
        let hidden = |text: &Option<String>| text.as_deref().map(|text| token.hide(text));
        Self {
            status: self.status,
            code: hidden(&self.code),
            message: hidden(&self.message),
            request: hidden(&self.request),
            region: hidden(&self.region),
        }
    }

    pub(super) fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// The answer in words: ``S3 answered 403 `AccessDenied`: … (request …)``.
    pub(super) fn cause(&self, service: &str) -> Cause {
        Cause::said(&format!("{service} {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "answered {}", self.status)?;
        if let Some(code) = &self.code {
            write!(formatter, " `{code}`")?;
        }
        if let Some(message) = &self.message {
            write!(formatter, ": {message}")?;
        }
        self.request.as_ref().map_or(Ok(()), |request| write!(formatter, " (request `{request}`)"))
    }
}

impl Error for Answer {}
