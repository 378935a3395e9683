//! What becomes of the tables that a run does not write.
//!
//! A commit lists all tables of the bucket, and a run writes those of its streams. The others are judged here, before
//! anything is read:
//!
//! - A table of another pipeline stays as it is: it is that pipeline's.
//! - A table of this pipeline whose stream was left out by `--only`, or cannot be read now, or is not offered any more, is
//!   kept as it was, and the report says so: a token that has lost a scope must not make tables vanish. It must still be one
//!   that today's file lets pass: what the sink does not accept any more is not kept in silence.
//! - A table of this pipeline whose stream the file does not speak of any more, or whose stream is written under another
//!   name now, is retired: the next commit does not list it. Its files stay as long as older commits list them.

use std::collections::BTreeSet;

use super::planning::Planned;
use crate::{
    plan::{Plan, StreamPlan, select},
    problem::Problem,
    schema::{Mark, Marks},
    spec::Spec,
    table::{Commit, Table},
};

/// The tables that a run does not write.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// Tables that stay as they were.
    pub kept: Vec<KeptTable>,
    /// Tables that the next commit does not list.
    pub retired: BTreeSet<String>,
}

/// A table that stays as it was.
#[derive(Debug, Clone)]
pub struct KeptTable {
    /// Its name.
    pub table: String,
    /// The run that wrote it.
    pub run: String,
    /// Why it is not written.
    pub why: Kept,
}

/// Why a table is not written by a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It belongs to the pipeline of this name.
    OfPipeline(String),
    /// Its stream was not asked for.
    NotAskedFor,
    /// Its stream cannot be read now, or is not offered any more, so it grows old.
    NotReadable {
        /// The stream.
        stream: String,
    },
}

/// Judges all tables of the newest commit that this run will not write. `wanted`: the streams of the plan that it reads.
pub(super) fn judge(
    spec: &Spec,
    base: Option<&Commit>,
    planned: &Planned,
    wanted: &[usize],
) -> Result<Others, Vec<Problem>> {
    let written: Vec<&StreamPlan> = wanted.iter().map(|&index| &planned.plan.streams[index]).collect();
    let mut others = Others::default();
    let mut problems = Vec::new();
    for (name, table) in base.iter().flat_map(|base| &base.tables) {
        if written.iter().any(|stream| stream.table == *name) {
            continue;
        }
        let Some(why) = why_kept(spec, planned, &written, table) else {
            others.retired.insert(name.clone());
            continue;
        };
        if !matches!(why, Kept::OfPipeline(_)) {
            problems.extend(not_acceptable(&planned.plan, name, table, &why));
        }
        others.kept.push(KeptTable { table: name.clone(), run: table.run.to_string(), why });
    }
    if problems.is_empty() { Ok(others) } else { Err(problems) }
}

fn why_kept(spec: &Spec, planned: &Planned, written: &[&StreamPlan], table: &Table) -> Option<Kept> {
    let names = || std::iter::once(table.stream.as_str()).chain(table.stream_ids.iter().map(String::as_str));
    let is_of = |stream: &StreamPlan| stream.stream.names().any(|name| names().any(|own| own == name));
    if table.pipeline != planned.plan.pipeline {
        Some(Kept::OfPipeline(table.pipeline.clone()))
    } else if written.iter().any(|stream| is_of(stream)) {
        None
    } else if planned.plan.streams.iter().any(is_of) {
        Some(Kept::NotAskedFor)
    } else {
        select::takes(spec, names()).then(|| Kept::NotReadable { stream: table.stream.clone() })
    }
}

fn not_acceptable(plan: &Plan, name: &str, table: &Table, why: &Kept) -> Option<Problem> {
    let marks: Marks =
        table.columns.iter().flat_map(|column| column.marks.difference(&plan.accepts)).cloned().collect();
    let columns: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| !column.marks.is_subset(&plan.accepts))
        .map(|column| column.name.as_str())
        .collect();
    let named: Vec<&str> = marks.iter().map(Mark::as_str).collect();
    let rewrite = match why {
        Kept::NotReadable { stream } => format!(
            "let the token read stream `{stream}`, so that its table is written anew, or retire the table: exclude = [\"{stream}\"]"
        ),
        Kept::NotAskedFor | Kept::OfPipeline(_) => "run without `--only`, so that it is written anew".to_owned(),
    };
    (!columns.is_empty()).then(|| {
        Problem::new(format!(
            "table `{name}` would be kept as run {} wrote it, with `{}` marked `{}`, which the sink does not accept any more",
            table.run,
            columns.join("`, `"),
            named.join("`, `"),
        ))
        .hint(rewrite)
    })
}
