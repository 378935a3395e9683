//! The guard: no marked column reaches a table unless the pipeline file says, in a line one can review, that it may.
//!
//! It judges the plan, before any record is read. Three things are refused:
//!
//! - a column of a table that carries a mark the sink does not accept;
//! - a transform that chooses rows by a marked column, unless its `clears_rows` names the mark: which rows pass tells
//!   something of the values;
//! - a line of `clears` that clears nothing, since a reviewer would believe it did.

use super::{Origin, Plan, Step, StreamPlan, transform_place, transforms};
use crate::{
    problem::Problem,
    schema::{Mark, Marks},
    spec::Spec,
};

/// Reports everything that must not pass.
pub(super) fn judge(spec: &Spec, plan: &Plan) -> Vec<Problem> {
    let mut problems = Vec::new();
    for stream in &plan.streams {
        problems.extend(marked_columns(spec, plan, stream));
        problems.extend(rows_chosen_by_marks(spec, plan, stream));
    }
    problems.extend(idle_clears(spec, plan));
    problems
}

fn marked_columns(spec: &Spec, plan: &Plan, stream: &StreamPlan) -> Vec<Problem> {
    let last = stream.stages.len() - 1;
    let mut problems = Vec::new();
    for (index, column) in stream.stages[last].columns.iter().enumerate() {
        for mark in column.field.marks.difference(&plan.accepts) {
            let path = stream.path_of_mark(last, index, mark, &plan.transforms);
            let name = &column.field.name;
            let computed_in = computing_step(stream, last, index);
            let hint = match computed_in {
                Some(step) => format!(
                    "if `{}` may be trusted to remove what is sensitive, add to it: clears = {{ {mark} = [\"{}\"] }}",
                    plan.transforms[step.0.transform], step.1
                ),
                None => format!(
                    "leave it out (`[[source.columns]]` with `exclude = [\"{name}\"]`), drop it in a transform, or accept it in the sink: accepts = [\"{mark}\"]"
                ),
            };
            problems.push(
                Problem::new(format!(
                    "column `{name}` of table `{}` would carry the mark `{mark}` into the bucket",
                    stream.table
                ))
                .at(computed_in.and_then(|step| transform_place(spec, step.0.transform)))
                .detail(format!("path: {} → `{}.{name}`", path.join(" → "), stream.table))
                .hint(hint),
            );
        }
    }
    problems
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
        let Some(group) = step.outline.selects else { continue };
        let cleared: Marks = transforms(spec)
            .nth(step.transform)
            .map(|transform| transform.clears_rows.iter().map(|mark| mark.0.clone()).collect())
            .unwrap_or_default();
        let reads: Vec<usize> = step.outline.groups[group].iter().map(|&input| step.visible[input]).collect();
        let mut marks = stream.stages[index].marks_of(&reads);
        marks.extend(step.attachment_marks.iter().cloned());
        for mark in marks.difference(&cleared) {
            let by = reads.iter().map(|&read| &stream.stages[index].columns[read].field);
            let names: Vec<&str> =
                by.filter(|field| field.marks.contains(mark)).map(|field| field.name.as_str()).collect();
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
                    "which rows pass tells something of the values; if it may, add to `{transform}`: clears_rows = [\"{mark}\"]"
                )),
            );
        }
    }
    problems
}

/// Lines of `clears` that name no column which the transform computes.
fn idle_clears(spec: &Spec, plan: &Plan) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, transform) in transforms(spec).enumerate() {
        for (mark, names) in &transform.clears {
            for name in names {
                if !computes(plan, index, name.get_ref()) {
                    problems.push(idle_clear(spec, plan, index, &mark.0, name));
                }
            }
        }
    }
    problems
}

fn steps_of(plan: &Plan, transform: usize) -> impl Iterator<Item = &Step> {
    plan.streams.iter().flat_map(|stream| &stream.steps).filter(move |step| step.transform == transform)
}

fn computes(plan: &Plan, transform: usize, name: &str) -> bool {
    steps_of(plan, transform).any(|step| {
        (0..step.outline.groups.len()).any(|group| step.outline.computed_by(group).any(|field| field.name == name))
    })
}

fn idle_clear(spec: &Spec, plan: &Plan, index: usize, mark: &Mark, name: &toml::Spanned<String>) -> Problem {
    let transform = &plan.transforms[index];
    let kept =
        steps_of(plan, index).any(|step| step.outline.outputs.iter().any(|output| output.name() == name.get_ref()));
    let name_text = name.get_ref();
    let problem = if kept {
        Problem::new(format!("`clears` names `{name_text}`, which transform `{transform}` keeps as it is")).hint(
            format!(
                "a kept column keeps its marks: let the plugin compute `{name_text}`, or accept `{mark}` in the sink"
            ),
        )
    } else {
        Problem::new(format!("`clears` names `{name_text}`, which transform `{transform}` does not compute"))
            .hint("name a column that it computes, or remove the line")
    };
    problem.at(spec.place(name))
}
