//! HubSpot, read as Arrow batches.
//!
//! [`source`] says what a source is (streams, their schemas, batches into a bounded channel) and is one twice: HubSpot itself,
//! and a file that describes an account, for plans without a token.
//! Beneath it is [`http`]: one client with the account's limits, retries and verdicts, that knows no vendor.

pub mod http;
pub mod source;
