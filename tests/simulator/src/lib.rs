//! A HubSpot, an S3 and an STS on loopback, for the demo and for tests.
//!
//! Nobody can test against a live HubSpot account in a pull request, and nobody should have to own
//! one, or an AWS account, to see sluice work. So this crate answers like both, over real HTTP, in
//! the process that asks for it.
//!
//! The story, in reading order:
//!
//! - [`data`] is the portal, as HubSpot calls an account: its object types, properties, records,
//!   owners and pipelines. It is computed instead of stored: each value follows from the seed and the
//!   record's place, so that a portal of a million contacts opens at once;
//! - [`truth`] writes that portal as NDJSON, past the HTTP layer, so that any program can compare
//!   what arrived with what was there;
//! - [`hubspot`] serves it, with HubSpot's paging, errors, scopes and rate limits;
//! - [`aws`] is where it goes: a bucket, and the role that may write to it.
//!
//! It shares no code with the host: it is a second, independent reading of the two APIs, so that a
//! misunderstanding in one of the readings shows as a failing test.
//! It is neither a HubSpot nor an AWS: what it does not simulate it refuses loudly, rather than
//! answer wrongly.

pub mod data;
pub mod truth;

pub mod hubspot;

pub mod aws;
