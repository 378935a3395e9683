//! The guard: no marked column reaches a table unless the pipeline file says, in a line one can review, that it may.
//!
//! It judges the plan, before any record is read. Three things are refused:
//!
//! - a column of a table that carries a mark the sink does not accept;
//! - a transform that chooses rows by a marked column, unless its `clears_rows` names the mark: which rows pass tells
//!   something of the values;
//! - a name in `clears` or `clears_rows` that clears nothing: a reviewer would believe it did, and it would allow tomorrow
//!   what nobody has looked at.

use sluice_model::{
    outline::Output,
    problem::Problem,
    schema::{Mark, Marks, attribute},
    stream::StreamInfo,
};

use super::{Origin, Plan, Stage, Step, StreamPlan, rules, transform_place, transforms};
use crate::spec::{ClearedColumn, MarkName, Spec, TransformSpec};

/// Reports everything that must not pass.
pub(super) fn judge(spec: &Spec, plan: &Plan, unreadable: &[StreamInfo]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for stream in &plan.streams {
        problems.extend(marked_columns(spec, plan, stream));
        problems.extend(rows_chosen_by_marks(spec, plan, stream));
    }
    for (index, transform) in transforms(spec).enumerate() {
        // Of a stream that cannot be read now nobody knows what a line clears.
        let known = |column: &ClearedColumn| {
            !unreadable.iter().any(|stream| rules::takes(transform, stream) && rules::is_of(column, stream))
        };
        problems.extend(idle_clears(spec, plan, index, transform, known));
        if !unreadable.iter().any(|stream| rules::takes(transform, stream)) {
            problems.extend(idle_clears_rows(spec, plan, index, transform));
        }
    }
    problems
}

fn marked_columns(spec: &Spec, plan: &Plan, stream: &StreamPlan) -> Vec<Problem> {
    let last = stream.stages.len() - 1;
    let stage = &stream.stages[last];
    let mut problems = Vec::new();
    for (index, column) in stage.columns.iter().enumerate() {
        for mark in column.field.marks.difference(&plan.accepts) {
            if goes_with_its_property(stage, index, mark) {
                continue;
            }
            let path = stream.path_of_mark(last, index, mark, &plan.transforms);
            let name = &column.field.name;
            let computed_in = computing_step(stream, last, index);
            let hint = if let Some((step, name)) = computed_in {
                format!(
                    "if `{}` may be trusted to remove what is sensitive, add to it: clears = {{ {mark} = [\"{}.{name}\"] }}",
                    plan.transforms[step.transform], stream.stream.name
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
                    stream.table
                ))
                .at(computed_in.and_then(|(step, _)| transform_place(spec, step.transform)))
                .detail(format!("path: {} → `{}.{name}`", path.join(" → "), stream.table))
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

fn rows_chosen_by_marks(spec: &Spec, plan: &Plan, stream: &StreamPlan) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, step) in stream.steps.iter().enumerate() {
        let cleared: Marks = transforms(spec)
            .nth(step.transform)
            .map(|transform| transform.clears_rows.iter().map(|mark| mark.get_ref().0.clone()).collect())
            .unwrap_or_default();
        for mark in stream.selection_marks(index).difference(&cleared) {
            let by = stream.selects_by(index).filter(|field| field.marks.contains(mark));
            let names: Vec<&str> = by.map(|field| field.name.as_str()).collect();
            let by_what =
                if names.is_empty() { "an attachment".to_owned() } else { format!("`{}`", names.join("`, `")) };
            let transform = &plan.transforms[step.transform];
            problems.push(
                Problem::new(format!(
                    "transform `{transform}` would choose rows of stream `{}` by {by_what}, marked `{mark}`",
                    stream.stream.name
                ))
                .at(transform_place(spec, step.transform))
                .hint(format!(
                    "which rows pass tells something of the values; if it may, add to `{transform}`: streams = [\"{}\"], clears_rows = [\"{mark}\"]",
                    stream.stream.name
                )),
            );
        }
    }
    problems
}

/// Names in `clears` from which no mark is cleared: a reviewer would believe that one is.
fn idle_clears<'s>(
    spec: &'s Spec,
    plan: &Plan,
    index: usize,
    transform: &'s TransformSpec,
    known: impl Fn(&ClearedColumn) -> bool,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (mark, columns) in &transform.clears {
        for column in columns.iter().filter(|column| known(column.get_ref())) {
            let named = column.get_ref();
            let steps: Vec<&Step> = steps_of(plan, index)
                .filter(|(stream, _)| rules::is_of(named, &stream.stream))
                .map(|(_, step)| step)
                .collect();
            if !steps.iter().any(|step| step.cleared.contains(&(named.column.clone(), mark.0.clone()))) {
                problems.push(idle_clear(&plan.transforms[index], &steps, named, &mark.0).at(spec.place(column)));
            }
        }
    }
    problems
}

fn steps_of(plan: &Plan, transform: usize) -> impl Iterator<Item = (&StreamPlan, &Step)> {
    let steps = plan.streams.iter().flat_map(|stream| stream.steps.iter().map(move |step| (stream, step)));
    steps.filter(move |(_, step)| step.transform == transform)
}

fn idle_clear(transform: &str, steps: &[&Step], named: &ClearedColumn, mark: &Mark) -> Problem {
    let column = &named.column;
    if steps.is_empty() {
        return Problem::new(format!("`clears` names `{named}`, and transform `{transform}` is for no such stream"))
            .hint("mend the stream's name, or remove the line");
    }
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
}

/// Names in `clears_rows` of marks by which no rows are chosen.
fn idle_clears_rows(spec: &Spec, plan: &Plan, index: usize, transform: &TransformSpec) -> Vec<Problem> {
    let mut marks = Marks::new();
    for stream in &plan.streams {
        for step in (0..stream.steps.len()).filter(|&step| stream.steps[step].transform == index) {
            marks.extend(stream.selection_marks(step));
        }
    }
    let idle = transform.clears_rows.iter().filter(|mark| !marks.contains(&mark.get_ref().0));
    let problem = |mark: &toml::Spanned<MarkName>| {
        Problem::new(format!(
            "`clears_rows` names `{}`, and transform `{}` chooses no rows by anything so marked",
            mark.get_ref().0,
            plan.transforms[index]
        ))
        .at(spec.place(mark))
        .hint("remove it: it would allow what nobody has looked at")
    };
    idle.map(problem).collect()
}
