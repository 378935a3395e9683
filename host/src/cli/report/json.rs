//! The report for programs: a wire form of its own, whose names stay.

use serde_json::{Value, json};
use sluice_hubspot::source::Unreadable;
use sluice_lake::table::expire::Gone;
use sluice_model::{ledger::Ledger, schema::ColumnType};
use sluice_sandbox::LogCounts;

use super::{super::judge, exit_code};
use crate::pipeline::{Drift, Kept, KeptTable, LeftOut, RanPlugin, Renamed, Report, StreamReport, TableReport};

/// The form of the JSON. Raised when a name changes its meaning or goes.
const FORMAT: u32 = 1;

/// What has another name than one would think.
pub(in crate::cli) fn renamed_json(renamed: &Renamed) -> Value {
    json!({ "property": renamed.property, "shared": renamed.shared, "name": renamed.name })
}

/// What became of the records of a stream.
pub(in crate::cli) fn ledger_json(ledger: &Ledger) -> Value {
    let Ledger { before, after, read, dropped, rejected, written } = ledger;
    json!({
        "before": before,
        "after": after,
        "read": read,
        "dropped": dropped,
        "rejected": rejected,
        "written": written,
        "complete": ledger.is_complete(),
    })
}

fn drift_json(drift: &Drift) -> Value {
    json!({
        "column": drift.column,
        "before": drift.before.map(ColumnType::name),
        "now": drift.now.map(ColumnType::name),
    })
}

/// The report for programs.
pub(in crate::cli) fn json(report: &Report) -> Value {
    let streams: Vec<Value> = report.streams.iter().map(stream_json).collect();
    let plugins: Vec<Value> = report.run.plugins.iter().map(plugin_json).collect();
    let unreadable: Vec<Value> = report.unreadable.iter().map(left_out).collect();
    let kept: Vec<Value> = report.not_written.kept.iter().map(kept_json).collect();
    json!({
        "format": FORMAT,
        "outcome": if report.is_partial() { "partial" } else { "complete" },
        "exit_code": exit_code(report),
        "run": report.run.id,
        "pipeline": report.run.pipeline,
        "bucket": report.bucket,
        "commit": report.commit,
        "began": report.run.began.to_string(),
        "elapsed_seconds": report.run.elapsed.as_secs_f64(),
        "rows_read": report.rows_in(),
        "rows_written": report.rows_out(),
        "streams": streams,
        "unreadable": unreadable,
        "kept": kept,
        "retired": report.not_written.retired,
        "expired": report.expired.map(gone_json),
        "plugins": plugins,
        "api": {
            "requests": report.usage.requests,
            "retries": report.usage.retries,
            "rate_limited": report.usage.rate_limited,
            "bytes": report.usage.bytes,
            "limit_wait_seconds": report.usage.limit_wait_seconds,
            "retry_wait_seconds": report.usage.retry_wait_seconds,
            "budget_share": report.usage.budget_share,
        },
    })
}

/// What is gone.
pub(in crate::cli) fn gone_json(gone: Gone) -> Value {
    json!({ "commits": gone.commits, "files": gone.files, "bytes": gone.bytes })
}

fn plugin_json(RanPlugin { transform, digest, log }: &RanPlugin) -> Value {
    let LogCounts { passed, dropped, withheld } = log;
    json!({
        "transform": transform,
        "digest": digest,
        "log_lines": { "passed": passed, "dropped": dropped, "withheld": withheld },
    })
}

fn kept_json(table: &KeptTable) -> Value {
    let (why, stream, pipeline) = match &table.why {
        Kept::OfPipeline(pipeline) => ("other_pipeline", None, Some(pipeline)),
        Kept::NotAskedFor => ("not_asked_for", None, None),
        Kept::NotReadable { stream } => ("not_readable", Some(stream), None),
        Kept::LostParts { stream, .. } => ("lost_parts", Some(stream), None),
    };
    json!({ "table": table.table, "run": table.run, "why": why, "stream": stream, "pipeline": pipeline })
}

fn stream_json(stream: &StreamReport) -> Value {
    let transforms: Vec<Value> = stream
        .transforms
        .iter()
        .map(|transform| {
            json!({
                "transform": transform.transform,
                "rows_dropped": transform.dropped,
                "rows_rejected": transform.rejected,
                "columns_dropped": transform.columns_dropped,
                "columns_computed": transform.columns_computed,
            })
        })
        .collect();
    json!({
        "stream": stream.stream,
        "slices": stream.slices,
        "undivided": stream.undivided,
        "rows_read": stream.ledger.read,
        "rows_written": stream.ledger.written,
        "rows_dropped": stream.ledger.dropped,
        "rows_rejected": stream.ledger.rejected,
        "ledger": ledger_json(&stream.ledger),
        "tables": stream.tables.iter().map(table_json).collect::<Vec<_>>(),
        "withheld": stream.withheld,
        "lacking": stream.lacking,
        "cut": stream.cut,
        "deleted": stream.deleted,
        "unnamed": stream.unnamed,
        "capped": stream.beyond.capped,
        "untimed": stream.beyond.untimed,
        "undefined": stream.beyond.undefined,
        "slices_taken_over": stream.taken_over,
        "renamed": stream.renamed.iter().map(renamed_json).collect::<Vec<_>>(),
        "transforms": transforms,
    })
}

fn table_json(table: &TableReport) -> Value {
    json!({
        "table": table.table,
        "rows": table.rows,
        "files": table.files,
        "bytes": table.bytes,
        "drift": table.drift.iter().map(drift_json).collect::<Vec<_>>(),
    })
}

/// A stream that is left out, and why.
pub(in crate::cli) fn left_out(LeftOut { stream, why, reason }: &LeftOut) -> Value {
    json!({ "stream": stream.name, "absent": *why == Unreadable::Absent, "reason": reason })
}

/// What stands in the place of the report until there is one.
pub(in crate::cli) fn json_of_beginning() -> Value {
    json!({ "format": FORMAT, "outcome": "running" })
}

/// The report of a run that failed.
pub(in crate::cli) fn json_of_failure(error: &anyhow::Error) -> Value {
    let (hint, exit_code) = judge(error);
    json!({
        "format": FORMAT,
        "outcome": if exit_code == 130 { "interrupted" } else { "failed" },
        "exit_code": exit_code,
        "error": error.chain().map(ToString::to_string).collect::<Vec<_>>(),
        "hint": hint,
    })
}
