//! A plan tried on a few rows, without a bucket: what a plugin's author looks at while writing it.
//!
//! The rows go through the same steps as in a run, in sandboxes with the same limits, and twice: a plugin must do the same
//! each time.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use sluice_hubspot::source::SourceError;
use sluice_plan::{StreamPlan, spec::Spec};

use super::{Error, LoadedTransforms, Planned, stage::PreparedStep};

/// What became of the rows.
#[derive(Debug, PartialEq)]
pub struct Rehearsed {
    /// The rows that passed.
    pub rows: RecordBatch,
    /// How many were filtered out.
    pub dropped: u64,
    /// How many were rejected, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Whether a second time gave the same.
    pub same_twice: bool,
}

/// Sends rows of the plan's first stream through its steps. The rows have all columns of its source, by name.
pub fn rehearse(
    spec: &Spec,
    planned: &Planned,
    plugins: &LoadedTransforms,
    rows: &RecordBatch,
) -> Result<Option<Rehearsed>, Error> {
    let Some(stream) = planned.plan.streams.first() else { return Ok(None) };
    let first = once(spec, stream, plugins, rows)?;
    let second = once(spec, stream, plugins, rows)?;
    Ok(Some(Rehearsed { same_twice: first == second, ..first }))
}

fn once(spec: &Spec, stream: &StreamPlan, plugins: &LoadedTransforms, rows: &RecordBatch) -> Result<Rehearsed, Error> {
    let failed = |cause| Error::Transform { stream: stream.stream.name.clone(), cause: Box::new(cause) };
    let requested = stream.requested().filter_map(|field| rows.schema_ref().index_of(&field.name).ok());
    let rows = rows
        .project(&requested.collect::<Vec<_>>())
        .map_err(|cause| Error::Source(SourceError::Batch { stream: stream.stream.name.clone(), cause }))?;
    let mut done = Rehearsed { rows, dropped: 0, rejected: BTreeMap::new(), same_twice: true };
    for index in 0..stream.steps.len() {
        let mut transform = PreparedStep::of(stream, index, spec, plugins).make(plugins).map_err(failed)?;
        let transformed = transform.apply(&done.rows).map_err(failed)?;
        done.rows = transformed.batch;
        done.dropped += transformed.dropped;
        for (code, rows) in transformed.rejected {
            *done.rejected.entry(code).or_default() += rows;
        }
    }
    Ok(done)
}
