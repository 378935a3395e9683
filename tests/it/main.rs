//! Tests at sluice's boundaries: the binary, the pipeline with simulated ends, and what the project promises of itself.
//!
//! One binary, so that the heavy libraries are linked once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands, which says what is wrong")]

/// What people get for bad input.
mod bad_input;
/// The contract of buckets, and S3 as the simulator has it.
mod bucket;
/// `sluice check`, with one thing wrong at a time.
mod check;
/// Processes that end with their test.
mod child;
/// Compiled code: whose is run, and what compiling may take.
mod compiled;
/// Runs that fail or are killed at each step of theirs.
mod crashes;
/// What is said of properties that the file marks.
mod definitions;
/// How long data is kept.
mod expire;
/// Text that is not ours, on the two outputs.
mod foreign;
/// The plugins of `tests/guests`, built for the tests.
mod guests;
/// What has happened to records.
mod happened;
/// A folder, simulated ends, the binary.
mod harness;
/// Components that are heavy to compile.
mod heavy;
/// Plugins that are small and ask for much.
mod hostile;
/// What AWS must be told of a pipeline.
mod iam;
/// What a run finds of earlier ones.
mod later_runs;
/// A table for each object type, tables of all, or both.
mod layouts;
/// What was read, against what HubSpot counts.
mod ledger;
/// Associations, lists and people.
mod linked;
/// What properties were before, and what is kept of a long stream.
mod past;
/// What a plan says that a run will cost, and what it costs.
mod price;
/// What `SECURITY.md` promises, and the tests behind it.
mod promises;
/// What a stranger's pipeline file may reach, and anybody's.
mod pull_requests;
/// Whole runs against simulated ends.
mod run;
/// Plugins against the sandbox: what they are refused, and how that is told.
mod sandbox;
/// What is said and logged holds no secret.
mod secrets;
/// Keys of the pipeline file, each by its effect.
mod settings;
/// Pipelines that share a folder.
mod shared_folders;
/// One large stream, read by several readers.
mod slices;
/// The contract of sources.
mod sources;
/// Golden pipeline files: each `tests/ui/spec/*.toml` with the errors it gets.
mod spec;
/// Runs that are told to stop, or panic, and what a crash leaves.
mod stopping;
/// What the commands say when all is well.
mod texts;
/// What the project says of itself: import rules, generated files, module stories.
mod tidy;
/// Certificates of an authority of one's own.
mod tls;
/// Runs through what HubSpot, networks and gateways do.
mod trouble;
