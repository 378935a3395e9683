//! What becomes of the tables that a run does not write.
//!
//! A commit lists all tables of the bucket, and a run writes those of its streams. The others are judged here, before
//! anything is read:
//!
//! - A table of another pipeline stays as it is: it is that pipeline's.
//! - A table of this pipeline with a stream that was left out by `--only`, or cannot be read now, or is not offered any more,
//!   is kept as it was, and the report says so: a token that has lost a scope must not make tables vanish. It must still be
//!   one that today's file lets pass: what the sink does not accept any more is not kept in silence.
//!   So is one that several streams feed, of which only some are read: it is written whole or not at all.
//! - A table of this pipeline of whose streams the file does not speak any more, or that are written under another name now,
//!   is retired: the next commit does not list it. Its files stay as long as older commits list them.

use std::collections::BTreeSet;

use sluice_lake::table::{Commit, FedBy, NotAnAudit, Table};
use sluice_model::{
    audit::{Audit, ColumnAudit, SourceColumn},
    printable::printable,
    problem::Problem,
    schema::{ColumnType, Field, Mark, Marks, attribute},
    stream::{StreamInfo, StreamKind, group_of},
};
use sluice_plan::{Plan, StreamPlan, TablePlan};

use super::{planning::Planned, written::Written};

/// How much is shown of what is wrong with an audit record, in characters.
const LONGEST_REASON: usize = 200;

/// The tables that a run does not write.
#[derive(Debug, Clone, Default)]
pub struct NotWritten {
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
    /// What its stream is made of is not all there now: the service does not show some parts that the table has.
    LostParts {
        /// The stream.
        stream: String,
        /// The names of those parts.
        parts: Vec<String>,
    },
}

impl Kept {
    fn is_of_another(&self) -> bool {
        matches!(self, Self::OfPipeline(_))
    }

    /// Whether the table grows old although nobody has asked for that.
    pub fn is_old(&self) -> bool {
        match self {
            Self::OfPipeline(_) | Self::NotAskedFor => false,
            Self::NotReadable { .. } | Self::LostParts { .. } => true,
        }
    }
}

/// Judges all tables of the newest commit that this run will not write. `wanted`: the streams of the plan that it reads.
pub(super) fn judge(base: Option<&Commit>, planned: &Planned, wanted: &[usize]) -> Result<NotWritten, Vec<Problem>> {
    let written: Vec<&StreamPlan> = wanted.iter().map(|&index| &planned.plan.streams[index]).collect();
    let halves = halves(planned, wanted);
    let mut not_written = NotWritten::default();
    let mut problems = Vec::new();
    for (name, table) in base.iter().flat_map(|base| &base.tables) {
        let successor = written.iter().find_map(|stream| {
            let table = stream.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))?;
            Some((*stream, table))
        });
        let half = || halves.contains(name.as_str()).then_some(Kept::NotAskedFor);
        match (why_kept(planned, &written, table).or_else(half), successor) {
            // Whole or not at all: what streams that are not read have brought to it would be gone.
            (Some(why), Some((_, own))) if own.shape.is_shared() && own.name == *name && !why.is_of_another() => {
                problems.extend(not_acceptable(planned, name, table, &why));
                not_written.kept.push(KeptTable { table: name.clone(), run: table.run.to_string(), why });
            }
            (Some(why), Some(successor)) => problems.push(taken(name, &why, successor)),
            (Some(why), None) => {
                if !why.is_of_another() {
                    problems.extend(not_acceptable(planned, name, table, &why));
                }
                not_written.kept.push(KeptTable { table: name.clone(), run: table.run.to_string(), why });
            }
            (None, Some((_, table))) if table.name == *name => {}
            (None, _) => {
                not_written.retired.insert(name.clone());
            }
        }
    }
    if problems.is_empty() { Ok(not_written) } else { Err(problems) }
}

/// The tables that streams share of which not all are read.
fn halves<'p>(planned: &'p Planned, wanted: &[usize]) -> BTreeSet<&'p str> {
    let not_read = planned.plan.streams.iter().enumerate().filter(|(index, _)| !wanted.contains(index));
    let tables = not_read.flat_map(|(_, stream)| &stream.tables).filter(|table| table.shape.is_shared());
    tables.map(|table| table.name.as_str()).collect()
}

/// Takes from the streams that are read the tables that are not written: those that stay as they were, and those of which not
/// all streams are read. One that has none left is not to be read.
pub(super) fn without_kept(planned: &mut Planned, wanted: &[usize], kept: &[KeptTable]) -> Vec<Problem> {
    let halves: BTreeSet<String> = halves(planned, wanted).into_iter().map(str::to_owned).collect();
    let is_kept = |table: &TablePlan| halves.contains(&table.name) || kept.iter().any(|kept| kept.table == table.name);
    let mut problems = Vec::new();
    for &index in wanted {
        let stream = &mut planned.plan.streams[index];
        let before: Vec<String> = stream.tables.iter().map(|table| table.name.clone()).collect();
        stream.tables.retain(|table| !is_kept(table));
        if stream.tables.is_empty() {
            let name = &stream.stream.name;
            problems.push(
                Problem::new(format!(
                    "stream `{name}` feeds `{}` and no table of its own, and these are written only when all of their streams are read",
                    before.join("`, `")
                ))
                .hint("run without `--only`, let the token read the streams that the report names, or set layout = \"both\""),
            );
        }
    }
    problems
}

/// Judges the tables whose streams have been read and lack parts that the tables have: those stay as they were. The indices
/// of their streams in the plan.
pub(super) fn that_lost_parts(
    base: Option<&Commit>,
    planned: &Planned,
    written: &[Written],
    not_written: &mut NotWritten,
) -> Result<BTreeSet<usize>, Vec<Problem>> {
    let mut indices = BTreeSet::new();
    let mut problems = Vec::new();
    for (stream, written) in planned.plan.streams.iter().zip(written) {
        let name = &stream.tables[0].name;
        let Some(table) = base.and_then(|base| base.tables.get(name)) else { continue };
        let fed = table.streams.iter().filter(|fed| feeds(stream, fed));
        let parts: Vec<String> = fed.flat_map(|fed| written.read.lost(&fed.parts)).collect();
        if parts.is_empty() {
            continue;
        }
        let why = Kept::LostParts { stream: stream.stream.name.clone(), parts };
        problems.extend(not_acceptable(planned, name, table, &why));
        not_written.kept.push(KeptTable { table: name.clone(), run: table.run.to_string(), why });
        // What other streams have read for the same table would stand there without the rest.
        let feeds_it = |stream: &StreamPlan| stream.tables[0].name == *name;
        let streams = planned.plan.streams.iter().enumerate();
        indices.extend(streams.filter(|(_, stream)| feeds_it(stream)).map(|(index, _)| index));
    }
    if problems.is_empty() { Ok(indices) } else { Err(problems) }
}

/// A table that stays, and whose name this run would take.
fn taken(name: &str, why: &Kept, (stream, table): (&StreamPlan, &TablePlan)) -> Problem {
    let (whose, mend) = match why {
        Kept::OfPipeline(pipeline) => (
            format!("belongs to pipeline `{pipeline}`"),
            format!(
                "give each pipeline a folder of its own, or its tables other names; if `{pipeline}` is what this pipeline was called before, call it so again"
            ),
        ),
        Kept::NotAskedFor => ("holds a stream that `--only` leaves out".to_owned(), "run without `--only`".to_owned()),
        Kept::NotReadable { stream } => (
            format!("holds stream `{stream}`, which cannot be read now"),
            format!("let the token read `{stream}`, or retire its table: exclude = [\"{stream}\"]"),
        ),
        Kept::LostParts { .. } => unreachable!("that is known only when its own stream has been read"),
    };
    let stream = &stream.stream.name;
    Problem::new(format!("stream `{stream}` would be written to table `{}`, and `{name}` {whose}", table.name))
        .hint(mend)
}

/// Why a table stays as it was: because any of its streams is not read; `None` if the run writes or retires it.
fn why_kept(planned: &Planned, written: &[&StreamPlan], table: &Table) -> Option<Kept> {
    if table.pipeline != planned.plan.pipeline {
        return Some(Kept::OfPipeline(table.pipeline.clone()));
    }
    let mut whys: Vec<Kept> = table.streams.iter().filter_map(|fed| why_not_read(planned, written, fed)).collect();
    // Of several reasons, one by which the table grows old.
    whys.sort_by_key(|why| !why.is_old());
    whys.into_iter().next()
}

/// Why a stream that feeds a table is not read, although the file speaks of it.
fn why_not_read(planned: &Planned, written: &[&StreamPlan], fed: &FedBy) -> Option<Kept> {
    if written.iter().any(|stream| feeds(stream, fed)) {
        None
    } else if planned.plan.streams.iter().any(|stream| feeds(stream, fed)) {
        Some(Kept::NotAskedFor)
    } else if is_told_by_others(planned, fed) {
        None
    } else {
        planned.plan.rules.takes(fed.names()).then(|| Kept::NotReadable { stream: fed.stream.clone() })
    }
}

/// Whether a stream has fed memberships of a type that is not offered any more, while those of others are read. These know
/// whether its lists are gone, and so its rows, or only hidden ([`that_lost_parts`]).
fn is_told_by_others(planned: &Planned, fed: &FedBy) -> bool {
    let is_of_members = |stream: &StreamInfo| {
        matches!(stream.kind, StreamKind::Memberships { .. })
            && stream.group().is_some_and(|group| group_of(&fed.stream) == Some(group))
    };
    planned.plan.streams.iter().any(|stream| is_of_members(&stream.stream))
        && !planned.unreadable.iter().any(|it| is_of_members(&it.stream))
}

/// Whether a stream of the plan is the one that has fed a table.
fn feeds(stream: &StreamPlan, fed: &FedBy) -> bool {
    stream.stream.names().any(|name| fed.names().any(|own| own == name))
}

/// What speaks against keeping a table: marks that the sink does not accept any more, or an audit record that nobody can read,
/// so that nobody knows what marks it should have.
fn not_acceptable(planned: &Planned, name: &str, table: &Table, why: &Kept) -> Option<Problem> {
    let plan = &planned.plan;
    let rewrite = match why {
        Kept::NotReadable { stream } | Kept::LostParts { stream, .. } => format!(
            "let the token read stream `{stream}`, so that its table is written anew, or retire the table: exclude = [\"{stream}\"]"
        ),
        Kept::NotAskedFor | Kept::OfPipeline(_) => "run without `--only`, so that it is written anew".to_owned(),
    };
    let read = table.streams.iter().map(|fed| Ok((fed, fed.audit.read()?))).collect::<Result<Vec<_>, NotAnAudit>>();
    let audits = match read {
        Ok(audits) => audits,
        Err(error) => {
            let why = printable(&error.to_string(), LONGEST_REASON);
            let kept = format!("table `{name}` would be kept as run {} wrote it", table.run);
            return Some(Problem::new(format!("{kept}, and its audit record cannot be read: {why}")).hint(rewrite));
        }
    };
    let refused: Vec<(&str, Marks)> = table
        .columns
        .iter()
        .map(|column| {
            let marks = &column.marks | &marks_of_today(plan, &audits, column);
            (column.name.as_str(), &marks - &plan.accepts)
        })
        .filter(|(_, marks)| !marks.is_empty())
        .collect();
    let columns: Vec<&str> = refused.iter().map(|(column, _)| *column).collect();
    let marks: Marks = refused.iter().flat_map(|(_, marks)| marks.clone()).collect();
    let named: Vec<&str> = marks.iter().map(Mark::as_str).collect();
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

/// The marks that the columns of the source which a stored column depends on have today, but those that were cleared from it
/// when it was computed. A column that the audit record does not speak of is its own origin.
fn marks_of_today(plan: &Plan, audits: &[(&FedBy, Audit)], column: &Field) -> Marks {
    let itself = ColumnAudit {
        name: column.name.clone(),
        from: [SourceColumn { name: column.name.clone(), property: None }].into(),
        ..ColumnAudit::default()
    };
    let mut marks = Marks::new();
    for (fed, audit) in audits {
        let stream = stream_of(fed);
        let today = plan.streams.iter().find(|known| feeds(known, fed));
        let recorded: Vec<&ColumnAudit> = audit.column(&column.name).collect();
        let recorded = if recorded.is_empty() { vec![&itself] } else { recorded };
        for recorded in recorded {
            let of_origins = recorded.from.iter().map(|origin| marks_of_origin(plan, &stream, today, origin));
            marks.extend(of_origins.flat_map(|marks| &marks - &recorded.cleared));
        }
    }
    marks
}

/// The marks that a column of the source has today. `today`: its stream, if it is read.
fn marks_of_origin(plan: &Plan, stream: &StreamInfo, today: Option<&StreamPlan>, origin: &SourceColumn) -> Marks {
    let SourceColumn { name, property } = origin;
    let in_source = today.into_iter().flat_map(StreamPlan::in_source).filter(|field| field.name == *name);
    let mut marks: Marks = in_source.flat_map(|field| field.marks.clone()).collect();
    let mut field = Field::new(name, ColumnType::Text);
    field.attributes.extend(property.iter().map(|property| (attribute::PROPERTY.to_owned(), property.clone())));
    let mut field = [field];
    plan.rules.add_marks(stream, &mut field);
    marks.extend(field.into_iter().flat_map(|field| field.marks));
    marks
}

/// A stream that has fed a table, as the rules of a pipeline file see it.
fn stream_of(fed: &FedBy) -> StreamInfo {
    if group_of(&fed.stream) == Some(StreamKind::HISTORY) {
        // By its names the rules know of which records it is.
        let kind = StreamKind::History { type_id: String::new() };
        return StreamInfo { further_names: fed.ids.clone(), ..StreamInfo::new(&fed.stream, kind) };
    }
    let mut ids = fed.ids.iter().cloned();
    let single = StreamKind::single(&fed.stream);
    let kind = single.unwrap_or_else(|| StreamKind::objects(ids.next().unwrap_or_default()));
    StreamInfo { fully_qualified_name: ids.next(), ..StreamInfo::new(&fed.stream, kind) }
}
