//! sluice moves HubSpot data to S3 and lets its owner decide, in code, what may pass.
//!
//! Data flow, in ten lines:
//!
//! 1. [`cli`] asks [`pipeline`] to read a pipeline file into a [`spec`](sluice_plan::spec); a mistake is reported with line
//!    and column.
//! 2. The [`source`](sluice_hubspot::source) discovers its streams and their schemas; every field knows its HubSpot type,
//!    label text and marks.
//! 3. The plugins are loaded once by the [sandbox](sluice_sandbox), and a fresh instance gives its
//!    [`outline`](sluice_model::outline) of each stream it applies to.
//! 4. A [plan](sluice_plan) joins all of it, column by column from source to table; the guard judges it. `sluice plan` stops
//!    here.
//! 5. [`pipeline`] takes the lease ([`state`](sluice_lake::state)) and reads the newest commit.
//! 6. The source fetches pages through [`http`](sluice_hubspot::http) under one rate limiter, and emits batches.
//! 7. Bounded channels carry batches through the [`Transform`](sluice_sandbox::Transform)s; a full channel slows the source.
//! 8. The [`sink`](sluice_lake::sink) encodes Parquet and uploads to the [`bucket`](sluice_lake::bucket) with the assumed
//!    role's credentials.
//! 9. One conditional write commits all files together ([`table`](sluice_lake::table)).
//! 10. The report says what was read, dropped and written; the exit code says who must act.

pub mod cli;
pub mod pipeline;

pub mod environment;
pub mod standard;
mod value;
