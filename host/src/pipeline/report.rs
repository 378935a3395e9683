//! What a run has done: for the person who started it, and for the audit.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Planned, Run, plugins::LoadedTransforms, stage::Written};
use crate::{
    plan::{Origin, Plan, StreamPlan, transforms},
    schema::{Field, Mark},
    source::Usage,
    spec::Spec,
    table::Commit,
};

/// What a run has done.
#[derive(Debug, Clone)]
pub struct Report {
    /// The run.
    pub run: String,
    /// Its pipeline.
    pub pipeline: String,
    /// Where the tables are.
    pub bucket: String,
    /// The number of its commit.
    pub commit: u64,
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub elapsed: Duration,
    /// What reading cost.
    pub usage: Usage,
    /// The streams, in the order of the plan.
    pub streams: Vec<StreamReport>,
    /// Streams that a glob takes in and that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
    /// The plugin of each transform, with its digest.
    pub plugins: Vec<(String, String)>,
}

/// What became of one stream.
#[derive(Debug, Clone)]
pub struct StreamReport {
    /// The stream.
    pub stream: String,
    /// Its table.
    pub table: String,
    /// Rows read.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// The table's files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Columns of the source that were never requested because HubSpot marks them sensitive.
    pub withheld: Vec<String>,
    /// What each transform let go.
    pub transforms: Vec<TransformReport>,
}

/// What one transform did to one stream.
#[derive(Debug, Clone)]
pub struct TransformReport {
    /// The transform.
    pub transform: String,
    /// Rows it filtered out.
    pub dropped: u64,
    /// Rows it rejected, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Columns of its input that it does not let pass.
    pub columns_dropped: Vec<String>,
    /// Columns that it computes.
    pub columns_computed: Vec<String>,
}

impl Report {
    /// Rows read, over all streams.
    pub fn rows_in(&self) -> u64 {
        self.streams.iter().map(|stream| stream.rows_in).sum()
    }

    /// Rows written, over all streams.
    pub fn rows_out(&self) -> u64 {
        self.streams.iter().map(|stream| stream.rows_out).sum()
    }
}

pub(super) fn of(
    run: &Run<'_>,
    planned: &Planned,
    commit: &Commit,
    written: Vec<Written>,
    began: Timestamp,
    elapsed: Duration,
) -> Report {
    let plan = &planned.plan;
    let streams = plan.streams.iter().zip(written).map(|(stream, written)| StreamReport {
        stream: stream.stream.name.clone(),
        table: stream.table.clone(),
        rows_in: written.rows_in,
        rows_out: written.rows_out,
        files: written.files.len(),
        bytes: written.files.iter().map(|file| file.bytes).sum(),
        withheld: names(stream.withheld.iter()),
        transforms: written
            .steps
            .into_iter()
            .enumerate()
            .map(|(index, counts)| TransformReport {
                transform: counts.transform,
                dropped: counts.dropped,
                rejected: counts.rejected,
                columns_dropped: names(stream.dropped_in(index)),
                columns_computed: names(stream.computed_in(index)),
            })
            .collect(),
    });
    Report {
        run: commit.author.run.to_string(),
        pipeline: plan.pipeline.clone(),
        bucket: run.bucket.describe().to_owned(),
        commit: commit.number,
        began,
        elapsed,
        usage: run.source.usage(),
        streams: streams.collect(),
        unreadable: planned.unreadable.clone(),
        plugins: run.plugins.iter().map(|it| (it.name.clone(), it.plugin.digest().to_string())).collect(),
    }
}

fn names<'f>(fields: impl Iterator<Item = &'f Field>) -> Vec<String> {
    fields.map(|field| field.name.clone()).collect()
}

/// The audit record of a run: which plugin, by digest, and which settings let which columns pass. It stands in the commit,
/// beside the tables it speaks of. It names columns, never values.
pub(super) fn audit(plan: &Plan, plugins: &LoadedTransforms, spec: &Spec) -> Value {
    let transforms: Vec<Value> = transforms(spec)
        .zip(plugins.iter())
        .map(|(transform, loaded)| {
            let clears: BTreeMap<&str, Vec<&str>> = transform
                .clears
                .iter()
                .map(|(mark, columns)| {
                    (mark.0.as_str(), columns.iter().map(|column| column.get_ref().as_str()).collect())
                })
                .collect();
            let clears_rows: Vec<&str> = transform.clears_rows.iter().map(|mark| mark.0.as_str()).collect();
            let inputs: BTreeMap<&str, String> =
                loaded.inputs.iter().map(|(name, digest)| (name.as_str(), digest.to_string())).collect();
            json!({
                "name": loaded.name,
                "plugin": loaded.plugin.name(),
                "digest": loaded.plugin.digest().to_string(),
                "inputs": inputs,
                "clears": clears,
                "clears_rows": clears_rows,
            })
        })
        .collect();
    let streams: Vec<Value> = plan.streams.iter().map(|stream| audit_stream(plan, stream)).collect();
    json!({
        "accepts": plan.accepts.iter().map(Mark::as_str).collect::<Vec<_>>(),
        "transforms": transforms,
        "streams": streams,
    })
}

fn audit_stream(plan: &Plan, stream: &StreamPlan) -> Value {
    let last = stream.stages.len() - 1;
    let columns: Vec<Value> = stream.stages[last]
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            json!({
                "name": column.field.name,
                "marks": column.field.marks.iter().map(Mark::as_str).collect::<Vec<_>>(),
                "from": stream.origins(last, index),
                "computed_by": computed_by(plan, stream, last, index),
            })
        })
        .collect();
    json!({
        "stream": stream.stream.name,
        "table": stream.table,
        "withheld": stream.withheld.iter().map(|field| &field.name).collect::<Vec<_>>(),
        "columns": columns,
    })
}

/// The transforms that computed a column on its way, last first.
fn computed_by<'p>(plan: &'p Plan, stream: &StreamPlan, stage: usize, column: usize) -> Vec<&'p str> {
    match &stream.stages[stage].columns[column].origin {
        Origin::Source => Vec::new(),
        Origin::Kept { from } => computed_by(plan, stream, stage - 1, *from),
        Origin::Computed { reads, .. } => {
            let mut names = vec![plan.transforms[stream.steps[stage - 1].transform].as_str()];
            for &read in reads {
                names.extend(computed_by(plan, stream, stage - 1, read));
            }
            names.dedup();
            names
        }
    }
}
