//! The report of a run: as text for people, as JSON for programs (`json`).

mod json;

use std::collections::BTreeMap;

use sluice_hubspot::source::Unreadable;
use sluice_lake::table::expire::Gone;
use sluice_model::printable::some;
use sluice_sandbox::{LogCounts, MOST_LINES};

pub(super) use self::json::{gone_json, json, json_of_beginning, json_of_failure, ledger_json, left_out, renamed_json};
use super::{
    output::{bytes, thousands},
    page::{Grid, Page},
};
use crate::pipeline::{Drift, Kept, KeptTable, NotWritten, Outside, RanPlugin, Report, StreamReport, TransformReport};

/// The report for people.
pub(super) fn text(report: &Report) -> Page {
    let mut page = grid(report).render(0);
    for stream in &report.streams {
        for transform in &stream.transforms {
            page.lines(let_go(stream, transform));
        }
        if !stream.withheld.is_empty() {
            page.line(format!(
                "{}: never requested, since HubSpot marks them sensitive: {}",
                stream.stream,
                some(&stream.withheld)
            ));
        }
        if !stream.cut.is_empty() {
            page.line(format!(
                "{}: archived while it was read, so that their columns end in the middle: {}",
                stream.stream,
                some(&stream.cut)
            ));
        }
        if !stream.deleted.is_empty() {
            page.line(format!(
                "{}: deleted while their members were read, some of whom may stand in the table: {}",
                stream.stream,
                some(&stream.deleted)
            ));
        }
        if !stream.unnamed.is_empty() {
            page.line(format!(
                "{}: not given by HubSpot for any record, archived since the run began: {}",
                stream.stream,
                some(&stream.unnamed)
            ));
        }
        page.append(&beyond(stream));
        for renamed in &stream.renamed {
            page.line(format!("{}: {renamed}", stream.stream));
        }
        page.lines(drift(stream));
        if !stream.lacking.is_empty() {
            page.line(format!("{}: without what this token may not see: {}", stream.stream, some(&stream.lacking)));
        }
    }
    page.append(&ledgers(report));
    page.lines(undivided(report));
    page.lines(report.run.plugins.iter().filter_map(dropped_lines));
    for (why, told) in [
        (Unreadable::Forbidden, "left out, since the token may not see them (`sluice check` says what mends it)"),
        (Unreadable::Absent, "not in this account"),
    ] {
        let left_out = report.unreadable.iter().filter(|left_out| left_out.why == why);
        let names: Vec<String> = left_out.map(|left_out| left_out.stream.name.clone()).collect();
        if !names.is_empty() {
            page.line(format!("{told}: {}", some(&names)));
        }
    }
    page.append(&not_written(&report.not_written));
    if let Some(gone) = report.expired.filter(|gone| *gone != Gone::default()) {
        page.line(format!("gone, since the pipeline file keeps them no longer: {}", told_of_gone(gone)));
    }
    let usage = &report.usage;
    page.line(format!(
        "{} requests ({} retried, {} over the limit), waited {:.1} s for the limit and {:.1} s for retries",
        thousands(usage.requests),
        usage.retries,
        usage.rate_limited,
        usage.limit_wait_seconds,
        usage.retry_wait_seconds,
    ));
    page.line(format!(
        "commit {} in {}, {} rows in {:.1} s, run {}",
        report.commit,
        report.bucket,
        thousands(report.rows_out()),
        report.run.elapsed.as_secs_f64(),
        report.run.id
    ));
    page
}

/// What was not asked for again, and what HubSpot has of a stream and does not give.
fn beyond(StreamReport { stream, beyond, taken_over, .. }: &StreamReport) -> Page {
    let mut page = Page::new();
    let mut tell = |number: u64, what: &str| {
        if number > 0 {
            page.line(format!("{stream}: {} {what}", thousands(number)));
        }
    };
    tell(*taken_over as u64, "slices of an earlier run that did not come to its end were taken over");
    tell(beyond.capped, "histories have as many versions as HubSpot ever gives: older ones may be missing");
    tell(beyond.untimed, "versions were left out, since their time cannot be read");
    tell(beyond.undefined, "values were left out, since no definition names their property");
    page
}

/// What was read, and what stands in which table. Tables that several streams feed stand at the end, each once, without the
/// rows that were read for them: those were read for the tables before, or stand with their streams.
fn grid(report: &Report) -> Grid {
    let mut grid = Grid::new(&["table", "read>", "written>", "dropped>", "rejected>", "files>", "size>"]);
    let mut shared: BTreeMap<&str, (u64, usize, u64)> = BTreeMap::new();
    for stream in &report.streams {
        let own = stream.tables.iter().find(|table| !table.is_shared);
        grid.row(&[
            own.map_or_else(|| format!("({})", stream.stream), |table| table.table.clone()),
            thousands(stream.ledger.read),
            thousands(stream.ledger.written),
            thousands(stream.ledger.dropped),
            thousands(stream.ledger.rejected),
            own.map_or_else(String::new, |table| table.files.to_string()),
            own.map_or_else(String::new, |table| bytes(table.bytes)),
        ]);
        for table in stream.tables.iter().filter(|table| table.is_shared) {
            let (rows, files, size) = shared.entry(&table.table).or_default();
            *rows += table.rows;
            *files += table.files;
            *size += table.bytes;
        }
    }
    for (table, (rows, files, size)) in shared {
        let none = String::new;
        grid.row(&[table.to_owned(), none(), thousands(rows), none(), none(), files.to_string(), bytes(size)]);
    }
    grid
}

/// The streams whose ledgers do not come out even, and those that could not be counted although others of their kind are.
fn ledgers(report: &Report) -> Page {
    let outside = report.streams.iter().filter_map(|stream| Outside::of(&stream.stream, &stream.ledger));
    let mut page = Page::new();
    page.lines(outside.map(|outside| outside.to_string()));
    let uncounted = report.streams.iter().filter(|stream| stream.is_counted && stream.ledger.is_complete().is_none());
    let uncounted: Vec<String> = uncounted.map(|stream| stream.stream.clone()).collect();
    if !uncounted.is_empty() {
        page.line(format!(
            "not counted by HubSpot, so that nothing says whether all records were read: {}",
            some(&uncounted)
        ));
    }
    page
}

/// The streams that one reader had to read, and why.
fn undivided(report: &Report) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for stream in &report.streams {
        if let Some(why) = stream.undivided {
            by_reason.entry(why).or_default().push(stream.stream.clone());
        }
    }
    let told = |(why, streams): (&str, Vec<String>)| format!("read by one reader, since {why}: {}", some(&streams));
    by_reason.into_iter().map(told).collect()
}

/// That a plugin wrote more into the log than anybody reads.
fn dropped_lines(RanPlugin { transform, log, .. }: &RanPlugin) -> Option<String> {
    let LogCounts { passed, dropped, .. } = *log;
    let told = || {
        format!(
            "`{transform}` wrote {} log lines, and {} were dropped: a transform has {} of a level, and few a call",
            thousands(passed.saturating_add(dropped)),
            thousands(dropped),
            thousands(MOST_LINES)
        )
    };
    (dropped > 0).then(told)
}

/// The tables that the run did not write, and why.
fn not_written(tables: &NotWritten) -> Page {
    let mut page = Page::new();
    let mut left_out = Vec::new();
    let mut of_pipelines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for KeptTable { table, run, why } in &tables.kept {
        match why {
            Kept::NotAskedFor => left_out.push(table.clone()),
            Kept::OfPipeline(pipeline) => of_pipelines.entry(pipeline).or_default().push(table.clone()),
            Kept::LostParts { stream, parts } => page.line(format!(
                "kept as run {run} wrote it: `{table}`; stream `{stream}` lacks parts that it has (HubSpot does not show \
                 them any more): {}; excluding the stream for one run retires the table",
                some(parts)
            )),
            Kept::NotReadable { stream } => page.line(format!(
                "kept as run {run} wrote it: `{table}`; stream `{stream}` cannot be read, so the table grows old \
                 (`exclude = [\"{stream}\"]` retires it)"
            )),
        }
    }
    if !left_out.is_empty() {
        page.line(format!("kept as they were, since `--only` leaves out their streams: {}", some(&left_out)));
    }
    for (pipeline, tables) in of_pipelines {
        page.line(format!("kept as they were, since they are pipeline `{pipeline}`'s: {}", some(&tables)));
    }
    if !tables.retired.is_empty() {
        let names: Vec<String> = tables.retired.iter().cloned().collect();
        page.line(format!("retired, since the pipeline file does not speak of them any more: {}", some(&names)));
    }
    page
}

fn let_go(stream: &StreamReport, transform: &TransformReport) -> Option<String> {
    let mut parts = Vec::new();
    if !transform.columns_dropped.is_empty() {
        parts.push(format!("dropped the columns {}", some(&transform.columns_dropped)));
    }
    if !transform.columns_computed.is_empty() {
        parts.push(format!("computed {}", some(&transform.columns_computed)));
    }
    if transform.dropped > 0 {
        parts.push(format!("filtered out {} rows", thousands(transform.dropped)));
    }
    for (code, rows) in &transform.rejected {
        parts.push(format!("rejected {} rows as `{code}`", thousands(*rows)));
    }
    let (name, stream) = (&transform.transform, &stream.stream);
    (!parts.is_empty()).then(|| format!("{stream}: `{name}` {}", parts.join(", ")))
}

/// What has changed in the columns of a stream's own table.
fn drift(stream: &StreamReport) -> Option<String> {
    let own = stream.tables.iter().find(|table| !table.is_shared)?;
    let names = |is: fn(&Drift) -> bool| -> Vec<String> {
        own.drift.iter().filter(|drift| is(drift)).map(|drift| drift.column.clone()).collect()
    };
    let told = [
        ("new", names(|drift| drift.before.is_none())),
        ("gone", names(|drift| drift.now.is_none())),
        ("of another type", names(|drift| drift.before.is_some() && drift.now.is_some())),
    ];
    let told: Vec<String> = told
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", some(names)))
        .collect();
    (!told.is_empty()).then(|| format!("{}: columns since the last commit, {}", stream.stream, told.join("; ")))
}

/// What has had its time, for people.
pub(super) fn told_of_gone(gone: Gone) -> String {
    let number = |number: u64, what: &str| match number {
        1 => format!("1 {what}"),
        more => format!("{} {what}s", thousands(more)),
    };
    format!("{} and {} ({})", number(gone.commits, "commit"), number(gone.files, "file"), bytes(gone.bytes))
}

/// The exit code of a run that has committed.
pub(super) fn exit_code(report: &Report) -> u8 {
    const PARTIAL: u8 = 3;
    if report.is_partial() { PARTIAL } else { 0 }
}
