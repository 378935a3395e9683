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
    output::{Grid, Output, thousands},
};
use crate::pipeline::{self, Discovered, Patience, Pipeline};

pub(super) async fn discover(file: &Path, format: PlanFormat, output: &mut Output) -> anyhow::Result<()> {
    let pipeline = Pipeline::read(file)?;
    let source = pipeline.source(Patience::OfALook)?;
    let found = pipeline::everything(&pipeline, &*source).await?;
    let recorded = RecordedSource::of(found.into_iter().map(record).collect());
    match format {
        PlanFormat::Table => output.data(&text(&recorded)),
        PlanFormat::Json => output.data(&(recorded.write() + "\n")),
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

fn text(source: &RecordedSource) -> String {
    let mut text = String::new();
    let (mut absent, mut forbidden) = (String::new(), String::new());
    for RecordedStream { stream, records, schema } in source.streams() {
        let names: Vec<&str> = stream.names().skip(1).collect();
        let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        match schema {
            Ok(schema) => {
                let records = records.map_or_else(String::new, |records| format!(", {} records", thousands(records)));
                text.push_str(&format!("{}{names}: {} columns{records}\n", stream.name, of_its_own(schema).count()));
                text.push_str(&columns(schema));
                text.push('\n');
            }
            Err(NoSchema { why: Unreadable::Absent, reason, .. }) => {
                absent.push_str(&format!("{}{names}: {reason}\n", stream.name));
            }
            Err(NoSchema { why: Unreadable::Forbidden, reason, hint }) => {
                forbidden.push_str(&format!("{}{names}: {reason}\n", stream.name));
                forbidden.extend(hint.iter().map(|hint| format!("  hint: {hint}\n")));
            }
        }
    }
    for (heading, streams) in [("Not readable with this token", forbidden), ("Not in this account", absent)] {
        if !streams.is_empty() {
            text.push_str(&format!("{heading}:\n{streams}"));
        }
    }
    text
}

/// The columns of a schema without those of unparsable values.
fn of_its_own(schema: &Schema) -> impl Iterator<Item = &Field> {
    schema.fields.iter().filter(|field| !field.attributes.contains_key(attribute::UNPARSED_OF))
}

fn columns(schema: &Schema) -> String {
    let mut grid = Grid::new(&["column", "type", "marks", "label"]);
    for field in of_its_own(schema) {
        grid.row(vec![
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
