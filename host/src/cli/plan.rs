//! `sluice plan`: what a run would do, column by column, for people and for programs.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};
use sluice_hubspot::source::{Source, Unreadable, recorded::RecordedSource};
use sluice_model::{
    outline::Output as OutlineOutput,
    printable::printable,
    schema::{Field, Mark},
};
use sluice_plan::{Plan, Step, StreamPlan};

use super::{
    PlanFormat, Usage,
    output::{Grid, Output},
    report::{renamed_json, some},
    run::{load, read_spec},
};
use crate::pipeline::{self, LeftOut, LoadedTransforms, Planned};

/// `schema`: a file that describes the source; the source itself is asked nothing then.
pub(super) async fn plan(
    file: &Path,
    format: PlanFormat,
    schema: Option<&Path>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let spec = Arc::new(read_spec(file)?);
    let engine = pipeline::engine(&spec)?;
    let plugins = load(&spec, &engine)?;
    let source: Box<dyn Source> = match schema {
        Some(schema) => Box::new(read_schema(schema)?),
        None => Box::new(pipeline::open_source(&spec)?),
    };
    let planned = pipeline::plan(&spec, source.as_ref(), &plugins).await?;
    match format {
        PlanFormat::Table => output.data(&text(&planned, &plugins)),
        PlanFormat::Json => output.data(&(serde_json::to_string_pretty(&json(&planned, &plugins))? + "\n")),
    }
}

/// Reads a file that describes a source.
pub(super) fn read_schema(file: &Path) -> Result<RecordedSource, Usage> {
    let wrong = |why: String| Usage(format!("the schema file `{}`: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    RecordedSource::read(&text).map_err(|error| wrong(sluice_model::error_chain(&error)))
}

fn text(planned: &Planned, plugins: &LoadedTransforms) -> String {
    let plan = &planned.plan;
    let mut text = format!("pipeline `{}`: {} streams\n", plan.pipeline, plan.streams.len());
    for transform in plugins.iter() {
        text.push_str(&format!(
            "  transform `{}`: plugin `{}`, {}\n",
            transform.name,
            transform.plugin.name(),
            transform.plugin.digest()
        ));
    }
    let accepted = marks(plan.accepts.iter());
    text.push_str(&format!("  marks the sink accepts: {}\n", if accepted.is_empty() { "none" } else { &accepted }));
    for stream in &plan.streams {
        text.push_str(&stream_text(plan, stream));
    }
    for LeftOut { stream, reason, .. } in &planned.unreadable {
        text.push_str(&format!("\nnot read: `{}` ({reason})\n", stream.name));
    }
    text
}

fn stream_text(plan: &Plan, stream: &StreamPlan) -> String {
    let mut text = format!("\n{} → {}\n", stream.stream.name, stream.table);
    text.push_str(&format!("  requested: {} columns\n", stream.requested().count()));
    for renamed in pipeline::renamed(stream) {
        text.push_str(&format!("  {}\n", printable(&renamed.to_string(), usize::MAX)));
    }
    if !stream.withheld.is_empty() {
        text.push_str(&format!(
            "  never requested, since HubSpot marks them sensitive: {}\n",
            list(stream.withheld.iter())
        ));
    }
    for (index, step) in stream.steps.iter().enumerate() {
        text.push_str(&format!("  {}\n", plan.transforms[step.transform]));
        let lines = [
            ("sees", list(stream.seen_in(index))),
            ("drops", list(stream.dropped_in(index))),
            ("computes", list(stream.computed_in(index))),
            ("renames", renames(stream, index).join(", ")),
            ("chooses rows by", list(stream.selects_by(index))),
            ("is trusted to clear", cleared(step)),
        ];
        for (what, columns) in lines.iter().filter(|(_, columns)| !columns.is_empty()) {
            text.push_str(&format!("    {what}: {columns}\n"));
        }
        if lines.iter().all(|(_, columns)| columns.is_empty()) {
            text.push_str("    keeps everything as it is\n");
        }
    }
    let last = stream.stages.len() - 1;
    let mut grid = Grid::new(&["column", "type", "marks", "from"]);
    for (index, field) in stream.table_columns().enumerate() {
        let from: Vec<String> = stream.origins(last, index).into_iter().map(str::to_owned).collect();
        let from = if from == [field.name.clone()] { String::new() } else { some(&from) };
        grid.row(vec![field.name.clone(), field.column_type.name().to_owned(), marks(field.marks.iter()), from]);
    }
    text + &grid.render(2)
}

/// What a step is trusted with.
fn cleared(step: &Step) -> String {
    let cleared = step.cleared.iter().map(|(column, mark)| format!("`{mark}` from `{column}`"));
    cleared.collect::<Vec<_>>().join(", ")
}

fn renames(stream: &StreamPlan, step: usize) -> Vec<String> {
    let made = &stream.steps[step];
    let input = stream.input_of(step);
    let renamed = made.outline.outputs.iter().filter_map(|output| match output {
        OutlineOutput::Keep { input: index, name } if input.fields[*index].name != *name => {
            Some(format!("`{}` to `{name}`", input.fields[*index].name))
        }
        OutlineOutput::Keep { .. } | OutlineOutput::Compute { .. } => None,
    });
    renamed.collect()
}

/// Names of columns, with their marks.
fn list<'f>(fields: impl Iterator<Item = &'f Field>) -> String {
    let names = fields.map(|field| match marks(field.marks.iter()) {
        marks if marks.is_empty() => format!("`{}`", field.name),
        marks => format!("`{}` ({marks})", field.name),
    });
    names.collect::<Vec<_>>().join(", ")
}

fn marks<'m>(marks: impl Iterator<Item = &'m Mark>) -> String {
    marks.map(Mark::as_str).collect::<Vec<_>>().join(", ")
}

fn json(planned: &Planned, plugins: &LoadedTransforms) -> Value {
    let plan = &planned.plan;
    let transforms: Vec<Value> = plugins
        .iter()
        .map(|it| json!({ "name": it.name, "plugin": it.plugin.name(), "digest": it.plugin.digest().to_string() }))
        .collect();
    let unreadable: Vec<Value> = planned.unreadable.iter().map(left_out).collect();
    json!({
        "pipeline": plan.pipeline,
        "accepts": names_of_marks(plan.accepts.iter()),
        "transforms": transforms,
        "streams": plan.streams.iter().map(|stream| stream_json(plan, stream)).collect::<Vec<_>>(),
        "unreadable": unreadable,
        "renamed": plan.streams.iter().flat_map(pipeline::renamed).map(|renamed| renamed_json(&renamed)).collect::<Vec<_>>(),
    })
}

/// A stream that is left out, and why.
pub(super) fn left_out(LeftOut { stream, why, reason }: &LeftOut) -> Value {
    json!({ "stream": stream.name, "absent": *why == Unreadable::Absent, "reason": reason })
}

fn stream_json(plan: &Plan, stream: &StreamPlan) -> Value {
    let last = stream.stages.len() - 1;
    let steps: Vec<Value> = stream
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            json!({
                "transform": plan.transforms[step.transform],
                "sees": names(stream.seen_in(index)),
                "drops": names(stream.dropped_in(index)),
                "computes": names(stream.computed_in(index)),
                "chooses_rows_by": names(stream.selects_by(index)),
                "clears": step.cleared.iter().map(|(column, mark)| json!({ "column": column, "mark": mark.as_str() })).collect::<Vec<_>>(),
            })
        })
        .collect();
    let columns: Vec<Value> = stream
        .table_columns()
        .enumerate()
        .map(|(index, field)| {
            json!({
                "name": field.name,
                "type": field.column_type.name(),
                "nullable": field.nullable,
                "marks": names_of_marks(field.marks.iter()),
                "from": stream.origins(last, index),
            })
        })
        .collect();
    json!({
        "stream": stream.stream.name,
        "kind": stream.stream.kind.as_str(),
        "object_type_id": stream.stream.object_type_id,
        "table": stream.table,
        "requested": names(stream.requested()),
        "withheld": names(stream.withheld.iter()),
        "steps": steps,
        "columns": columns,
    })
}

fn names<'f>(fields: impl Iterator<Item = &'f Field>) -> Vec<&'f str> {
    fields.map(|field| field.name.as_str()).collect()
}

fn names_of_marks<'m>(marks: impl Iterator<Item = &'m Mark>) -> Vec<&'m str> {
    marks.map(Mark::as_str).collect()
}
