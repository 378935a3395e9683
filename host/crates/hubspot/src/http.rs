//! Asking a web API: one client, one budget for each of its limits, one patience with a server in trouble.
//!
//! The story of a request, told in `client`: it waits in its [`Budget`]'s line, is sent once (`transport`), and its answer is
//! judged ([`Verdict`]), first by the [`Vendor`], who knows what its own statuses, headers and texts mean.
//! An accepted body is decoded by the caller, inside the attempt: a body that breaks off is asked for again.
//! A fault that may pass is tried again (`retry`), after a wait, back through the budget's line, for as long as the client
//! has patience. An answer that says no request will be answered today ends them all at once.
//! What is left is an [`HttpError`] for a person: what was asked, how often, what happened, in the vendor's words.
//!
//! What this does not do: know a vendor (paths, headers and texts come from the caller), page through answers (the caller
//! has the loop, and [`PageSize`] for it), renew tokens, bound the requests in flight (as many as callers ask at once), or
//! send anything that changes the server: every request may be sent twice.

mod client;
mod decode;
mod error;
mod limit;
mod page;
mod request;
mod retry;
mod said;
mod stats;
#[cfg(test)]
pub(crate) mod tests;
mod transport;
mod verdict;

pub use client::{Client, Options};
pub use decode::Undecodable;
pub use error::{Cause, Failure, HttpError};
pub use limit::{Budget, BudgetNews, BudgetRules, BudgetUsage, Permit, Rate, Reserve};
pub use page::PageSize;
pub use request::{Asked, Request};
pub use retry::{Backoff, Fault, Jitter, PATIENCE, Patience, RetryPolicy};
pub use said::{Explanation, Said};
pub use stats::HttpStats;
pub use transport::Timeouts;
pub use verdict::{Answer, BODY_START, LOCKED_WAIT, StopReason, Vendor, Verdict};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL is of another form. It is not shown, as it may hold a password.
    #[error("the base URL is not `https://host[:port][/path]`, without user name, query and fragment")]
    BaseUrl,
    /// The token cannot be sent.
    #[error("the token is empty or has characters that no token has")]
    Token,
    /// The certificates of the system cannot be read.
    #[error("secure connections cannot be set up")]
    Tls(#[source] Cause),
}
