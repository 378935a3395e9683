//! Buckets, roles and whole runs against servers that are not ours, and with faults on the way to them.
//!
//! `tests/with-servers/run` sets up what this needs and runs it; `cargo test` of the workspace leaves it out. It starts its
//! servers itself, and fails where it cannot: nothing of it is skipped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands, which says what is wrong")]

/// Processes that end with their test.
#[path = "../../it/child.rs"]
#[expect(dead_code, reason = "what only other tests need of it")]
mod child;
/// The contract of buckets.
#[path = "../../it/bucket/contract.rs"]
mod contract;
/// Runs under each fault at each kind of request.
mod faults;
/// moto, and an account in it: who may assume which role, and do what with it.
mod moto;
/// What `sluice iam` prints, enforced by moto.
mod policy;
/// A simulated HubSpot and a pipeline from it to a bucket.
mod portal;
/// A proxy that does to requests what networks and S3 do.
mod proxy;
/// `SeaweedFS`: digests, conditional writes, sessions of seconds.
mod seaweed;
/// Servers that are started once for all tests, and end with them.
mod servers;
/// What stands in the tables of a bucket.
mod tables;
