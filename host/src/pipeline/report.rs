//! What a run has done.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use sluice_hubspot::source::{Beyond, Read, Unreadable, Usage};
use sluice_lake::table::{Commit, expire::Gone};
use sluice_model::{ledger::Ledger, schema::Field};
use sluice_plan::{StreamPlan, spec::LedgerRule};
use sluice_sandbox::LogCounts;

use super::{
    LeftOut,
    context::Context,
    drift::{self, Drift},
    kept::NotWritten,
    renamed::{self, Renamed},
    written::{Written, WrittenTable},
};

/// What a run has done.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which run it was.
    pub run: Ran,
    /// Where the tables are.
    pub bucket: String,
    /// The number of its commit.
    pub commit: u64,
    /// What reading cost.
    pub usage: Usage,
    /// The streams, in the order of the plan.
    pub streams: Vec<StreamReport>,
    /// Streams that could not be read, and were left out.
    pub unreadable: Vec<LeftOut>,
    /// The tables of the bucket that the run did not write.
    pub not_written: NotWritten,
    /// What has had its time and is gone; `None` if the file keeps all for ever.
    pub expired: Option<Gone>,
    /// What a stream does of which not as many records were read as the source counts.
    pub rule: LedgerRule,
}

/// A run, and with what and how long it ran.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its id.
    pub id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// The transforms and their plugins.
    pub plugins: Vec<RanPlugin>,
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub elapsed: Duration,
}

/// A transform that was part of a run.
#[derive(Debug, Clone)]
pub struct RanPlugin {
    /// The transform.
    pub transform: String,
    /// The digest of its plugin.
    pub digest: String,
    /// What became of its log lines, those of the plan included.
    pub log: LogCounts,
}

/// What became of one stream.
#[derive(Debug, Clone)]
pub struct StreamReport {
    /// The stream.
    pub stream: String,
    /// The slices in which it was read.
    pub slices: u64,
    /// Why one reader read it, where several could have.
    pub undivided: Option<&'static str>,
    /// What became of its records.
    pub ledger: Ledger,
    /// Whether the source counts streams of its kind.
    pub is_counted: bool,
    /// What it has written into its tables.
    pub tables: Vec<TableReport>,
    /// Columns of the source that were never requested because HubSpot marks them sensitive.
    pub withheld: Vec<String>,
    /// For a stream that is made of the lists of several object types: those that this identity may not see.
    pub lacking: Vec<String>,
    /// Properties that were archived while the stream was read, twice: their columns end in the middle.
    pub cut: Vec<String>,
    /// Lists that were deleted while their members were read.
    pub deleted: Vec<String>,
    /// Properties that were listed and that no record names: archived since the run began.
    pub unnamed: Vec<String>,
    /// What the source has of it and does not give.
    pub beyond: Beyond,
    /// Slices that an earlier run had finished, and this one took over.
    pub taken_over: usize,
    /// What has another name than one would think.
    pub renamed: Vec<Renamed>,
    /// What each transform let go.
    pub transforms: Vec<TransformReport>,
}

/// What one stream has written into one table, which others may feed as well.
#[derive(Debug, Clone)]
pub struct TableReport {
    /// The table.
    pub table: String,
    /// Whether others may feed it.
    pub is_shared: bool,
    /// Rows written.
    pub rows: u64,
    /// Files written.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How the table's columns differ from those that it had before.
    pub drift: Vec<Drift>,
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
        self.streams.iter().map(|stream| stream.ledger.read).sum()
    }

    /// Whether not all is as it should be: a table of this pipeline grows old because its stream cannot be read, a column ends
    /// in the middle, or, where the file is strict about it, not as many records were read as the source counts.
    pub fn is_partial(&self) -> bool {
        let is_outside = |stream: &StreamReport| stream.ledger.is_complete() == Some(false);
        self.not_written.kept.iter().any(|table| table.why.is_old())
            || self.streams.iter().any(|stream| !stream.cut.is_empty())
            || (self.rule == LedgerRule::Strict && self.streams.iter().any(is_outside))
    }

    /// Rows written, over all streams.
    pub fn rows_out(&self) -> u64 {
        self.streams.iter().map(|stream| stream.ledger.written).sum()
    }
}

/// What a run has done, before it is told.
pub(super) struct Done {
    /// The newest commit when it began.
    pub(super) base: Option<Commit>,
    /// The commit it has made.
    pub(super) commit: Commit,
    /// What has had its time and is gone.
    pub(super) expired: Option<Gone>,
    /// What became of the streams, in the order of the plan.
    pub(super) written: Vec<Written>,
    /// The tables that it did not write.
    pub(super) not_written: NotWritten,
    /// What a stream does whose ledger does not come out even.
    pub(super) rule: LedgerRule,
}

pub(super) fn of(context: &Context, done: Done, elapsed: Duration) -> Report {
    let Done { base, commit, expired, written, not_written, rule } = done;
    let plan = &context.planned.plan;
    let is_kept = |stream: &StreamPlan| {
        stream.tables.iter().all(|table| not_written.kept.iter().any(|kept| kept.table == table.name))
    };
    let read = plan.streams.iter().zip(written).filter(|(stream, _)| !is_kept(stream));
    let streams: Vec<StreamReport> = read
        .map(|(stream, written)| StreamReport {
            stream: stream.stream.name.clone(),
            slices: written.slices,
            undivided: written.read.undivided,
            ledger: written.ledger,
            is_counted: context.source.is_counted(&stream.stream),
            tables: tables(base.as_ref(), stream, &written.tables),
            withheld: names(stream.withheld.iter()),
            lacking: hidden(&written.read),
            cut: written.read.cut,
            deleted: written.read.deleted,
            unnamed: written.read.unnamed,
            beyond: written.read.beyond,
            taken_over: written.read.taken_over.len(),
            renamed: renamed::of(stream),
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
        })
        .collect();
    Report {
        run: Ran {
            id: commit.author.run.to_string(),
            pipeline: plan.pipeline.clone(),
            plugins: plan
                .transforms
                .iter()
                .map(|transform| RanPlugin {
                    transform: transform.name.clone(),
                    digest: transform.digest.to_string(),
                    log: context.plugins.log_counts(transform),
                })
                .collect(),
            began: context.began,
            elapsed,
        },
        bucket: context.bucket.describe().to_owned(),
        commit: commit.number,
        usage: context.source.usage(),
        streams,
        unreadable: context.planned.unreadable.clone(),
        not_written,
        expired,
        rule,
    }
}

fn tables(base: Option<&Commit>, stream: &StreamPlan, written: &[WrittenTable]) -> Vec<TableReport> {
    let of = stream.tables.iter().zip(written).map(|(table, written)| TableReport {
        table: table.name.clone(),
        is_shared: table.shape.is_shared(),
        rows: written.rows,
        files: written.files.len(),
        bytes: written.files.iter().map(|file| file.bytes).sum(),
        drift: drift::of(base, table),
    });
    of.collect()
}

/// What a stream is made of and this identity may not see.
fn hidden(read: &Read) -> Vec<String> {
    let hidden = read.lacking.iter().filter(|lacking| lacking.why == Unreadable::Forbidden);
    hidden.map(|lacking| lacking.name.clone()).collect()
}

fn names<'f>(fields: impl Iterator<Item = &'f Field>) -> Vec<String> {
    fields.map(|field| field.name.clone()).collect()
}
