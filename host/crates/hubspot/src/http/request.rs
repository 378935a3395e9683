//! Requests: what is asked, and the part of it that may be shown.

use std::fmt;
use std::time::Duration;

use ::http::Method;
use bytes::Bytes;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::limit::Budget;

/// One question to the server.
///
/// Every request is a *read*: it is sent again after any fault, a `POST` too, which here only carries a question that is
/// too long for a URL. Nothing that changes the server's state may be sent with it.
///
/// `Debug` shows the method, the path and the names of the query's parameters; their values and the body may hold what a
/// log must not.
#[derive(Clone)]
pub struct Request {
    pub(super) budget: Budget,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Bytes>,
    pub(super) overload_attempts: Option<u32>,
    pub(super) expendable: bool,
    pub(super) answer_within: Option<Duration>,
}

impl Request {
    /// Asks with `GET` for a path below the base URL, such as `/crm/objects/2026-09/contacts`. The path is shown in logs
    /// and errors. The request is counted in `budget`.
    pub fn get(budget: &Budget, path: impl Into<String>) -> Self {
        Self {
            budget: budget.clone(),
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            body: None,
            overload_attempts: None,
            expendable: false,
            answer_within: None,
        }
    }

    /// Asks with `POST` and a JSON body; a read all the same.
    pub fn post(budget: &Budget, path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self { method: Method::POST, body: Some(body.to_string().into()), ..Self::get(budget, path) }
    }

    /// Adds a parameter to the query. Its name is shown in logs and errors, its value is not.
    #[must_use]
    pub fn parameter(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Gives up after this many attempts (at least one) that show a server overloaded by this very request, for a caller who
    /// can then ask for less ([`super::HttpError::asks_too_much`]): time-outs and faults of the server, while others are
    /// answered or there are none.
    #[must_use]
    pub fn overload_attempts(mut self, attempts: u32) -> Self {
        self.overload_attempts = Some(attempts);
        self
    }

    /// Asks once and no more, and whatever the answer says, it stops no other request: for what would be good to know and
    /// can be done without.
    #[must_use]
    pub fn expendable(mut self) -> Self {
        self.expendable = true;
        self
    }

    /// Waits for the whole answer no longer than this, from when it is sent, in place of what the client waits for any.
    #[must_use]
    pub fn answer_within(mut self, limit: Duration) -> Self {
        self.answer_within = Some(limit);
        self
    }

    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), self.path));
        if !self.query.is_empty() {
            let pairs: Vec<String> =
                self.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
            url.set_query(Some(&pairs.join("&")));
        }
        url
    }

    pub(super) fn asked(&self) -> Asked {
        Asked {
            method: self.method.clone(),
            path: self.path.clone(),
            parameters: self.query.iter().map(|(name, _)| *name).collect(),
        }
    }
}

/// A value as it stands in a query. A comma may stay as it is, and long lists of names are what makes URLs long.
pub(super) fn encode(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace("%2C", ",")
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({})", self.asked())
    }
}

/// What of a request may be shown: method, path, and the names of the query's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    method: Method,
    path: String,
    parameters: Vec<&'static str>,
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{} {}", self.method, self.path)?;
        for (index, name) in self.parameters.iter().enumerate() {
            write!(formatter, "{}{name}", if index == 0 { '?' } else { '&' })?;
        }
        formatter.write_str("`")
    }
}
