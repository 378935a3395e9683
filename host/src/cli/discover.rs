//! `sluice discover`: what an account holds and a token may read, for people and, as a file to plan with, for programs.

use std::path::Path;

use sluice_hubspot::source::{
    SourceError, Unreadable,
    recorded::{NoSchema, RecordedSource, RecordedStream},
};
use sluice_model::{
    error_chain,
    printable::printable,
    schema::{Field, Mark, Schema, attribute},
};

use super::{
    PlanFormat,
    output::{Output, thousands},
    page::{Grid, Page},
};
use crate::pipeline::{self, Discovered, Patience, Pipeline};

pub(super) async fn discover(file: &Path, format: PlanFormat, output: &mut Output) -> anyhow::Result<()> {
    let pipeline = Pipeline::read(file)?;
    let source = pipeline.source(Patience::OfALook)?;
    let found = pipeline::everything(&pipeline, &*source).await?;
    let recorded = RecordedSource::of(found.into_iter().map(record).collect());
    match format {
        PlanFormat::Table => output.data(&text(&recorded)),
        PlanFormat::Json => output.written_json(&(recorded.write() + "\n")),
    }
}

fn record((discovered, records): (Discovered, Option<u64>)) -> RecordedStream {
    let Discovered { stream, schema } = discovered;
    let schema = schema.map_err(|error| match error {
        SourceError::NotReadable { why, reason, hint, .. } => NoSchema { why, reason, hint },
        other => NoSchema { why: Unreadable::Forbidden, reason: error_chain(&other), hint: None },
    });
    RecordedStream { stream, records, schema }
}

fn text(source: &RecordedSource) -> Page {
    let mut page = Page::new();
    let (mut absent, mut forbidden) = (Page::new(), Page::new());
    for RecordedStream { stream, records, schema } in source.streams() {
        let names: Vec<&str> = stream.names().skip(1).collect();
        let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        match schema {
            Ok(schema) => {
                let records = records.map_or_else(String::new, |records| format!(", {} records", thousands(records)));
                page.line(format!("{}{names}: {} columns{records}", stream.name, of_its_own(schema).count()));
                page.append(&columns(schema));
                page.line("");
            }
            Err(NoSchema { why: Unreadable::Absent, reason, .. }) => {
                absent.line(format!("{}{names}: {reason}", stream.name));
            }
            Err(NoSchema { why: Unreadable::Forbidden, reason, hint }) => {
                forbidden.line(format!("{}{names}: {reason}", stream.name));
                forbidden.lines(hint.iter().map(|hint| format!("  hint: {hint}")));
            }
        }
    }
    for (heading, streams) in [("Not readable with this token", forbidden), ("Not in this account", absent)] {
        if !streams.is_empty() {
            page.line(format!("{heading}:"));
            page.append(&streams);
        }
    }
    page
}

/// The columns of a schema without those of unparsable values.
fn of_its_own(schema: &Schema) -> impl Iterator<Item = &Field> {
    schema.fields.iter().filter(|field| !field.attributes.contains_key(attribute::UNPARSED_OF))
}

fn columns(schema: &Schema) -> Page {
    let mut grid = Grid::new(&["column", "type", "marks", "label"]);
    for field in of_its_own(schema) {
        grid.row(&[
            field.name.clone(),
            field.column_type.name().to_owned(),
            field.marks.iter().map(Mark::as_str).collect::<Vec<_>>().join(", "),
            printable(field.attributes.get(attribute::LABEL).map_or("", String::as_str), LONGEST_LABEL),
        ]);
    }
    grid.render(2)
}

/// Characters of a label that are shown.
const LONGEST_LABEL: usize = 60;
