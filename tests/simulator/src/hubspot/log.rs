//! What was asked, for tests that ask in turn.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Method;

/// The longest part of a request's body that is remembered, in bytes.
const BODY_KEPT: usize = 64 * 1024;

/// A request that was answered, or left hanging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Its method.
    pub method: Method,
    /// Its path, as sent.
    pub path: String,
    /// Its query, as sent, without the question mark.
    pub query: Option<String>,
    /// The first 64 KiB of its body.
    pub body: String,
    /// The length of its whole body, in bytes.
    pub bytes_in: usize,
    /// The status of the answer; `None` for a request that a fault left hanging.
    pub status: Option<u16>,
    /// The length of the answer's body as announced, in bytes.
    pub bytes_out: usize,
}

/// The newest requests.
#[derive(Debug)]
pub(super) struct Log {
    capacity: usize,
    requests: Mutex<VecDeque<LoggedRequest>>,
}

impl Log {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, requests: Mutex::default() }
    }

    /// Remembers a request, and forgets the oldest one where there is no room.
    pub(super) fn push(&self, request: LoggedRequest) {
        let mut requests = self.requests();
        requests.push_back(request);
        while requests.len() > self.capacity {
            requests.pop_front();
        }
    }

    /// All that are remembered, oldest first.
    pub(super) fn all(&self) -> Vec<LoggedRequest> {
        self.requests().iter().cloned().collect()
    }

    fn requests(&self) -> MutexGuard<'_, VecDeque<LoggedRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is remembered of a body.
pub(super) fn kept(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(BODY_KEPT)]).into_owned()
}
