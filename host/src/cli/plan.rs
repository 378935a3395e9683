//! `sluice plan`: what a run would do, column by column, for people and for programs.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::{Value, json};
use sluice_hubspot::source::{Day, Quota, Source, recorded::RecordedSource};
use sluice_model::{
    error_chain,
    printable::some,
    schema::{Field, Mark},
};
use sluice_plan::{Attached, AttachedFrom, Step, StreamPlan, TableColumn};

use super::{
    PlanFormat, Usage,
    output::Output,
    page::{Grid, Page},
    report::{left_out, renamed_json},
};
use crate::pipeline::{self, Cost, LeftOut, Patience, Pipeline, Planned, Priced, Prices};

/// `schema`: a file that describes the source; the source itself is asked nothing then.
pub(super) async fn plan(
    file: &Path,
    format: PlanFormat,
    schema: Option<&Path>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let (pipeline, described) = opened(file, schema)?;
    let plugins = pipeline.plugins()?;
    let source = match described {
        Some(source) => source,
        None => pipeline.source(Patience::OfALook)?,
    };
    let planned = pipeline::plan(&pipeline, &*source, &plugins, None).await;
    plugins.tell_of_dropped_lines();
    let planned = planned?;
    let prices = pipeline::price(&pipeline, &*source, &planned.plan).await;
    match format {
        PlanFormat::Table => {
            let mut page = text(&planned);
            page.append(&prices_text(prices.as_ref()));
            output.data(&page)?;
        }
        PlanFormat::Json => {
            let mut json = json(&planned);
            json["price"] = prices.as_ref().map(price_json).into();
            output.json(&json)?;
        }
    }
    Ok(prices.map_or(Ok(()), |prices| prices.judge(&planned.plan.file))?)
}

/// Opens a pipeline file: with a schema, as one that may be anybody's, beside the source that the schema describes.
pub(super) fn opened(file: &Path, schema: Option<&Path>) -> anyhow::Result<(Pipeline, Option<Arc<dyn Source>>)> {
    let Some(schema) = schema else { return Ok((Pipeline::read(file)?, None)) };
    let pipeline = Pipeline::read_offline(file)?;
    pipeline::refuse_link(schema)?;
    Ok((pipeline, Some(Arc::new(read_schema(schema)?))))
}

/// Reads a file that describes a source.
pub(super) fn read_schema(file: &Path) -> Result<RecordedSource, Usage> {
    let wrong = |why: String| Usage(format!("the schema file `{}`: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    RecordedSource::read(&text).map_err(|error| wrong(error_chain(&error)))
}

fn text(planned: &Planned) -> Page {
    let plan = &planned.plan;
    let mut page = Page::of(format!("pipeline `{}`: {} streams", plan.pipeline, plan.streams.len()));
    for transform in &plan.transforms {
        page.line(format!("  transform `{}`: plugin `{}`, {}", transform.name, transform.plugin, transform.digest));
        page.lines(transform.attachments.iter().map(attachment_text));
    }
    let accepted = marks(plan.accepts.iter());
    page.line(format!("  marks the sink accepts: {}", if accepted.is_empty() { "none" } else { &accepted }));
    for stream in &plan.streams {
        page.append(&stream_text(stream));
    }
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for LeftOut { stream, reason, .. } in &planned.unreadable {
        by_reason.entry(reason).or_default().push(stream.name.clone());
    }
    for (reason, streams) in by_reason {
        page.line("");
        page.line(format!("not read: {} ({reason})", some(&streams)));
    }
    page
}

/// What a plugin is handed beside the columns.
fn attachment_text(Attached { name, from, marks: marked, digest }: &Attached) -> String {
    let from = match from {
        AttachedFrom::File(file) => format!("file `{}`", file.display()),
        AttachedFrom::Variable(name) => format!("secret in the variable `{name}`"),
        AttachedFrom::SecretFile(file) => format!("secret in the file `{}`", file.display()),
    };
    let marked = match marks(marked.iter()) {
        marks if marks.is_empty() => "no marks".to_owned(),
        marks => format!("marked {marks}"),
    };
    // Of a marked one none is made: whoever can guess a short secret could check the guess.
    let digest = digest.map_or_else(|| "no digest, since it is marked".to_owned(), |digest| digest.to_string());
    format!("    attachment `{name}`: {from}, {marked}, {digest}")
}

/// What a run will cost.
fn prices_text(prices: Option<&Prices>) -> Page {
    let mut page = Page::of("");
    match prices {
        Some(prices) => {
            page.line("price of reading");
            page.lines(prices.lines().into_iter().map(|line| format!("  {line}")));
        }
        None => page.line(format!("price of reading: {}", Prices::UNKNOWN)),
    }
    page
}

fn stream_text(stream: &StreamPlan) -> Page {
    let tables: Vec<&str> = stream.tables.iter().map(|table| table.name.as_str()).collect();
    let mut page = Page::of("");
    page.line(format!("{} → {}", stream.stream.name, tables.join(", ")));
    page.line(format!("  requested: {} columns", stream.requested().count()));
    for renamed in pipeline::renamed(stream) {
        page.line(format!("  {renamed}"));
    }
    if !stream.withheld.is_empty() {
        page.line(format!("  never requested, since HubSpot marks them sensitive: {}", list(stream.withheld.iter())));
    }
    let not_accepted = list(stream.not_accepted());
    if !not_accepted.is_empty() {
        page.line(format!("  left out, since the sink does not accept their marks: {not_accepted}"));
    }
    for (index, step) in stream.steps.iter().enumerate() {
        page.line(format!("  {}", step.transform.name));
        let lines = [
            ("sees", list(stream.seen_in(index))),
            ("drops", list(stream.dropped_in(index))),
            ("computes", list(stream.computed_in(index))),
            ("renames", renames(stream, index)),
            ("chooses rows by", list(stream.selects_by(index))),
            ("is trusted to clear", cleared(step)),
        ];
        for (what, columns) in lines.iter().filter(|(_, columns)| !columns.is_empty()) {
            page.line(format!("    {what}: {columns}"));
        }
        if lines.iter().all(|(_, columns)| columns.is_empty()) {
            page.line("    keeps everything as it is");
        }
    }
    for table in &stream.tables {
        if stream.tables.len() > 1 {
            page.line(format!("  {}", table.name));
        }
        let mut grid = Grid::new(&["column", "type", "marks", "from"]);
        for column in &table.columns {
            let field = &column.field;
            let from: Vec<String> = stream.origins_of(column).into_iter().map(str::to_owned).collect();
            let from = if from == [field.name.clone()] { String::new() } else { some(&from) };
            grid.row(&[field.name.clone(), field.column_type.name().to_owned(), marks(field.marks.iter()), from]);
        }
        page.append(&grid.render(2));
    }
    page
}

/// What a step is trusted with.
fn cleared(step: &Step) -> String {
    let cleared = cleared_marks(step).map(|(column, mark)| format!("`{mark}` from `{column}`"));
    cleared.collect::<Vec<_>>().join(", ")
}

/// The columns that a step is trusted with, a mark at a time.
fn cleared_marks(step: &Step) -> impl Iterator<Item = (&str, &Mark)> {
    step.cleared.iter().flat_map(|(column, marks)| marks.iter().map(move |mark| (column.as_str(), mark)))
}

fn renames(stream: &StreamPlan, step: usize) -> String {
    let renamed = stream.renamed_in(step).map(|(before, after)| format!("`{before}` to `{after}`"));
    renamed.collect::<Vec<_>>().join(", ")
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

fn json(planned: &Planned) -> Value {
    let plan = &planned.plan;
    let transforms: Vec<Value> = plan
        .transforms
        .iter()
        .map(|it| {
            let attachments: Vec<Value> = it.attachments.iter().map(attachment_json).collect();
            json!({ "name": it.name, "plugin": it.plugin, "digest": it.digest.to_string(), "attachments": attachments })
        })
        .collect();
    let unreadable: Vec<Value> = planned.unreadable.iter().map(left_out).collect();
    json!({
        "pipeline": plan.pipeline,
        "accepts": names_of_marks(plan.accepts.iter()),
        "transforms": transforms,
        "streams": plan.streams.iter().map(stream_json).collect::<Vec<_>>(),
        "unreadable": unreadable,
        "renamed": plan.streams.iter().flat_map(pipeline::renamed).map(|renamed| renamed_json(&renamed)).collect::<Vec<_>>(),
    })
}

fn attachment_json(Attached { name, from, marks, digest }: &Attached) -> Value {
    let (file, variable) = match from {
        AttachedFrom::File(file) | AttachedFrom::SecretFile(file) => (Some(file.display().to_string()), None),
        AttachedFrom::Variable(name) => (None, Some(name)),
    };
    json!({
        "name": name,
        "file": file,
        "variable": variable,
        "is_secret": !matches!(from, AttachedFrom::File(_)),
        "marks": names_of_marks(marks.iter()),
        "digest": digest.map(|digest| digest.to_string()),
    })
}

fn price_json(prices: &Prices) -> Value {
    let cost =
        |cost: Cost| json!({ "requests": cost.requests, "minutes": cost.minutes, "share_of_day": cost.share_of_day });
    let streams = prices.streams.iter().map(|Priced { stream, price, .. }| {
        let mut json = price.map_or_else(|| json!({ "requests": null }), |price| cost(prices.cost(price.requests)));
        json["stream"] = stream.as_str().into();
        json["rows"] = price.and_then(|price| price.rows).into();
        json
    });
    let Quota { rate, day } = prices.quota;
    let day = day.map(|Day { limit, used, resets }| {
        json!({ "limit": limit, "used": used, "resets": resets.map(|resets| resets.to_string()) })
    });
    json!({
        "streams": streams.collect::<Vec<_>>(),
        "total": cost(prices.total()),
        "limit": { "requests": rate.requests, "seconds": rate.interval.as_secs_f64() },
        "day": day,
    })
}

fn stream_json(stream: &StreamPlan) -> Value {
    let steps: Vec<Value> = stream
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            json!({
                "transform": step.transform.name,
                "sees": names(stream.seen_in(index)),
                "drops": names(stream.dropped_in(index)),
                "computes": names(stream.computed_in(index)),
                "chooses_rows_by": names(stream.selects_by(index)),
                "clears": cleared_marks(step).map(|(column, mark)| json!({ "column": column, "mark": mark.as_str() })).collect::<Vec<_>>(),
            })
        })
        .collect();
    let column = |column: &TableColumn| {
        json!({
            "name": column.field.name,
            "type": column.field.column_type.name(),
            "nullable": column.field.nullable,
            "marks": names_of_marks(column.field.marks.iter()),
            "from": stream.origins_of(column),
        })
    };
    let tables = stream
        .tables
        .iter()
        .map(|table| json!({ "table": table.name, "columns": table.columns.iter().map(column).collect::<Vec<_>>() }));
    json!({
        "stream": stream.stream.name,
        "kind": stream.stream.kind.as_str(),
        "object_type_id": stream.stream.kind.type_id(),
        "requested": names(stream.requested()),
        "withheld": names(stream.withheld.iter()),
        "not_accepted": names(stream.not_accepted()),
        "steps": steps,
        "tables": tables.collect::<Vec<_>>(),
    })
}

fn names<'f>(fields: impl Iterator<Item = &'f Field>) -> Vec<&'f str> {
    fields.map(|field| field.name.as_str()).collect()
}

fn names_of_marks<'m>(marks: impl Iterator<Item = &'m Mark>) -> Vec<&'m str> {
    marks.map(Mark::as_str).collect()
}
