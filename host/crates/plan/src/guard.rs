//! The guard: no marked column reaches a table unless the pipeline file says, in a line one can review, that it may.
//!
//! It judges the plan, before any record is read: each table that a stream feeds, whatever its shape. Three things are
//! refused:
//!
//! - a column of a table that carries a mark the sink does not accept;
//! - a transform that chooses rows by a marked column, unless its `clears_rows` names the mark: which rows pass tells
//!   something of the values;
//! - a name in `clears` or `clears_rows` that clears nothing: a reviewer would believe it did, and it would allow tomorrow
//!   what nobody has looked at.

use std::collections::HashSet;

use sluice_model::{
    outline::Output,
    problem::{Place, Problem},
    schema::{Mark, Marks, attribute},
    stream::StreamInfo,
};

use super::{
    Origin, Plan, Stage, Step, StreamPlan, TablePlan,
    transform::{Clears, Transform},
};

/// Reports everything that must not pass.
pub(super) fn judge(plan: &Plan, unreadable: &[StreamInfo]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for stream in &plan.streams {
        let mut told = HashSet::new();
        for table in &stream.tables {
            problems.extend(marked_columns(plan, stream, table, &mut told));
        }
        problems.extend(rows_chosen_by_marks(stream));
    }
    for transform in &plan.transforms {
        let mut unknown = unreadable.iter().filter(|stream| transform.takes(stream));
        // Of a stream that cannot be read now nobody knows what a line clears.
        let known = |clears: &&Clears| !unknown.clone().any(|stream| clears.is_of(stream));
        problems.extend(transform.clears.iter().filter(known).filter_map(|clears| idle_clear(plan, transform, clears)));
        if unknown.next().is_none() {
            problems.extend(idle_clears_rows(plan, transform));
        }
    }
    problems
}

/// Columns of a table with marks that the sink does not accept: by the columns of the stream that they are from, each of
/// which is told once for all tables of the stream, since what mends the one mends the others.
fn marked_columns<'p>(
    plan: &'p Plan,
    stream: &'p StreamPlan,
    table: &'p TablePlan,
    told: &mut HashSet<(usize, &'p Mark)>,
) -> Vec<Problem> {
    let last = stream.last_stage();
    let stage = &stream.stages[last];
    let mut problems = Vec::new();
    for (column, index) in table.columns.iter().flat_map(|column| column.from.iter().map(move |&from| (column, from))) {
        for mark in stage.columns[index].field.marks.difference(&plan.accepts) {
            if goes_with_its_property(stage, index, mark) || !told.insert((index, mark)) {
                continue;
            }
            let path = stream.path_of_mark(last, index, mark);
            let name = &column.field.name;
            let computed_in = computing_step(stream, last, index);
            let hint = if let Some((step, name)) = computed_in {
                format!(
                    "if `{}` may be trusted to remove what is sensitive, add to it: clears = {{ {mark} = [\"{}.{name}\"] }}",
                    step.transform.name, stream.stream.name
                )
            } else {
                let source = stream.origins(last, index).into_iter().collect::<Vec<_>>().join("\", \"");
                format!(
                    "leave it out (`[[source.columns]]` with `exclude = [\"{source}\"]`), drop it in a transform, or accept it in the sink: accepts = [\"{mark}\"]"
                )
            };
            problems.push(
                Problem::new(format!(
                    "column `{name}` of table `{}` would carry the mark `{mark}` into the bucket",
                    table.name
                ))
                .at(computed_in.and_then(|(step, _)| step.transform.place))
                .detail(format!("path: {} → `{}.{name}`", path.join(" → "), table.name))
                .hint(hint),
            );
        }
    }
    problems
}

/// Whether a column holds the unparsable values of another that carries the mark as well: what mends the one mends both.
fn goes_with_its_property(stage: &Stage, column: usize, mark: &Mark) -> bool {
    let property = stage.columns[column].field.attributes.get(attribute::UNPARSED_OF);
    stage.columns.iter().any(|other| Some(&other.field.name) == property && other.field.marks.contains(mark))
}

/// The last step that computed a column, and the name the column had there.
fn computing_step(stream: &StreamPlan, stage: usize, column: usize) -> Option<(&Step, &str)> {
    let here = &stream.stages[stage].columns[column];
    match here.origin {
        Origin::Source => None,
        Origin::Kept { from } => computing_step(stream, stage - 1, from),
        Origin::Computed { .. } => Some((&stream.steps[stage - 1], &here.field.name)),
    }
}

fn rows_chosen_by_marks(stream: &StreamPlan) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, step) in stream.steps.iter().enumerate() {
        let transform = &step.transform;
        let cleared: Marks = transform.clears_rows.iter().map(|(mark, _)| mark.clone()).collect();
        for mark in stream.selection_marks(index).difference(&cleared) {
            let by = stream.selects_by(index).filter(|field| field.marks.contains(mark));
            let names: Vec<&str> = by.map(|field| field.name.as_str()).collect();
            let by_what =
                if names.is_empty() { "an attachment".to_owned() } else { format!("`{}`", names.join("`, `")) };
            problems.push(
                Problem::new(format!(
                    "transform `{}` would choose rows of stream `{}` by {by_what}, marked `{mark}`",
                    transform.name, stream.stream.name
                ))
                .at(transform.place)
                .hint(format!(
                    "which rows pass tells something of the values; if it may, add to `{}`: streams = [\"{}\"], clears_rows = [\"{mark}\"]",
                    transform.name, stream.stream.name
                )),
            );
        }
    }
    problems
}

/// The steps of a transform, each with its stream and index.
fn steps_of<'p>(plan: &'p Plan, transform: &'p Transform) -> impl Iterator<Item = (&'p StreamPlan, usize, &'p Step)> {
    let of_stream =
        |stream: &'p StreamPlan| stream.steps.iter().enumerate().map(move |(index, step)| (stream, index, step));
    plan.streams.iter().flat_map(of_stream).filter(move |(_, _, step)| step.transform.name == transform.name)
}

/// A name in `clears` from which no mark is cleared: a reviewer would believe that one is.
fn idle_clear(plan: &Plan, transform: &Transform, clears: &Clears) -> Option<Problem> {
    let Clears { column: named, mark, place } = clears;
    let column = &named.column;
    let steps: Vec<&Step> = steps_of(plan, transform)
        .filter(|(stream, _, _)| clears.is_of(&stream.stream))
        .map(|(_, _, step)| step)
        .collect();
    if steps.iter().any(|step| step.cleared.get(column).is_some_and(|marks| marks.contains(mark))) {
        return None;
    }
    let transform = &transform.name;
    let problem = if steps.is_empty() {
        Problem::new(format!("`clears` names `{named}`, and transform `{transform}` is for no such stream"))
            .hint("mend the stream's name, or remove the line")
    } else {
        match steps.iter().flat_map(|step| &step.outline.outputs).find(|output| output.name() == column) {
            None => Problem::new(format!("`clears` names `{named}`, which transform `{transform}` does not compute"))
                .hint("name a column that it computes, or remove the line"),
            Some(Output::Keep { .. }) => Problem::new(format!(
                "`clears` names `{named}`, which transform `{transform}` keeps as it is"
            ))
            .hint(format!(
                "a kept column keeps its marks: let the plugin compute `{column}`, or accept `{mark}` in the sink"
            )),
            Some(Output::Compute { .. }) => Problem::new(format!(
                "`clears` names `{named}`, which does not depend on anything marked `{mark}` in transform `{transform}`"
            ))
            .hint("remove the line: it would allow what nobody has looked at"),
        }
    };
    Some(problem.at(*place))
}

/// Names in `clears_rows` of marks by which no rows are chosen.
fn idle_clears_rows(plan: &Plan, transform: &Transform) -> Vec<Problem> {
    let marks: Marks = steps_of(plan, transform).flat_map(|(stream, index, _)| stream.selection_marks(index)).collect();
    let idle = transform.clears_rows.iter().filter(|(mark, _)| !marks.contains(mark));
    let problem = |(mark, place): &(Mark, Option<Place>)| {
        Problem::new(format!(
            "`clears_rows` names `{mark}`, and transform `{}` chooses no rows by anything so marked",
            transform.name
        ))
        .at(*place)
        .hint("remove it: it would allow what nobody has looked at")
    };
    idle.map(problem).collect()
}
