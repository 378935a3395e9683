//! Failures on demand: which requests fail, and how.
//!
//! Deterministic: a fault strikes by the number of the request, never by chance, so that a test that met a failure meets it
//! again.

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode};

use super::requests::{RequestRecord, Service};
use super::{errors, sts};

/// Requests that shall fail, and how. A request fails by the first fault that strikes it.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The service whose requests are meant.
    pub service: Service,
    /// The HTTP method; `None` is any.
    pub method: Option<Method>,
    /// A text that the request's `key?query` must contain, the key decoded and the query as sent; the empty text is in all.
    pub target_contains: String,
    /// Which of the requests that match are struck, counted from 1 as they arrive.
    pub nth: RangeInclusive<u64>,
    /// What happens to them.
    pub action: FaultAction,
}

/// What becomes of a request that a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAction {
    /// Nothing is done; 503 `SlowDown` (STS: 400 `Throttling`).
    SlowDown,
    /// Nothing is done; 500 `InternalError` (STS: `InternalFailure`).
    InternalError,
    /// Nothing is done; 403 `AccessDenied`.
    AccessDenied,
    /// Nothing is done; 507, as a store answers whose disks are full.
    NoSpace,
    /// Nothing is done, and the connection is closed without an answer.
    Cut,
    /// What was asked is done, and the connection is closed without an answer.
    CutAfterwards,
    /// What was asked is done; 500 `InternalError`.
    InternalErrorAfterwards,
    /// Nothing is done, and no answer comes for as long as the client waits.
    Hang,
}

impl FaultAction {
    /// Whether the request is carried out all the same.
    pub(super) fn lets_happen(self) -> bool {
        matches!(self, Self::CutAfterwards | Self::InternalErrorAfterwards)
    }

    /// The answer in place of the true one; `None` cuts the connection.
    pub(super) fn answer(self, service: Service) -> Option<s3s::HttpResponse> {
        let error = match self {
            Self::SlowDown => errors::slow_down(),
            Self::InternalError | Self::InternalErrorAfterwards => errors::internal_error(),
            Self::AccessDenied => errors::unsigned(),
            Self::NoSpace => errors::no_space(),
            Self::Cut | Self::CutAfterwards | Self::Hang => return None,
        };
        match service {
            Service::S3 => error.to_http_response().ok(),
            Service::Sts => Some(match self {
                Self::SlowDown => sts::refusal(StatusCode::BAD_REQUEST, "Throttling", "Rate exceeded"),
                Self::AccessDenied => sts::refusal(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"),
                _ => sts::refusal(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalFailure",
                    "The request processing has failed because of an unknown error, exception or failure.",
                ),
            }),
        }
    }
}

/// The faults of a running server, each with the number of requests that it has seen.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Mutex<Vec<(Fault, u64)>>,
}

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self { armed: Mutex::new(faults.into_iter().map(|fault| (fault, 0)).collect()) }
    }

    pub(super) fn add(&self, fault: Fault) {
        self.armed().push((fault, 0));
    }

    /// Counts the request, and says what shall become of it if a fault strikes.
    pub(super) fn strike(&self, request: &RequestRecord) -> Option<FaultAction> {
        let target = format!("{}?{}", request.key, request.query);
        let mut action = None;
        for (fault, seen) in self.armed().iter_mut() {
            let matches = fault.service == request.service
                && fault.method.as_ref().is_none_or(|method| *method == request.method)
                && target.contains(&fault.target_contains);
            if matches {
                *seen += 1;
                if fault.nth.contains(seen) {
                    action = action.or(Some(fault.action));
                }
            }
        }
        action
    }

    fn armed(&self) -> MutexGuard<'_, Vec<(Fault, u64)>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_by_number_and_by_target() {
        let fault = Fault {
            service: Service::S3,
            method: Some(Method::PUT),
            target_contains: "part-1?partNumber".into(),
            nth: 2..=3,
            action: FaultAction::SlowDown,
        };
        let faults = Faults::new(vec![fault.clone(), Fault { action: FaultAction::Cut, nth: 3..=4, ..fault }]);
        let strike = |method: Method, path: &str| {
            faults.strike(&RequestRecord::of(&method, &path.parse().expect("a URI"), &http::HeaderMap::new()))
        };
        let part = "/bucket/table/part-1?partNumber=1";
        assert_eq!(strike(Method::PUT, part), None);
        assert_eq!(strike(Method::GET, part), None);
        assert_eq!(strike(Method::PUT, "/bucket/table/part-2?partNumber=1"), None);
        assert_eq!(strike(Method::POST, "/"), None);
        assert_eq!(strike(Method::PUT, part), Some(FaultAction::SlowDown));
        assert_eq!(strike(Method::PUT, part), Some(FaultAction::SlowDown));
        assert_eq!(strike(Method::PUT, part), Some(FaultAction::Cut));
        assert_eq!(strike(Method::PUT, part), None);
    }
}
