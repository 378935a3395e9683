//! `sluice plugin run`: a plugin on a few rows, in the sandbox and with its limits, without HubSpot and without a bucket.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use sluice_hubspot::source::recorded::{RecordedSource, RecordedStream};
use sluice_model::{
    printable::printable,
    schema::{Attributes, Mark, Schema},
    stream::{StreamInfo, StreamKind},
};
use sluice_plan::spec::Spec;

use super::{
    Usage,
    output::{self, Grid, LogForm, Output, thousands},
    plan::read_schema,
    rows::{self, Rows},
    run::load,
};
use crate::{
    pipeline::{self, Rehearsed},
    standard,
};

/// Characters of a value in a table.
const LONGEST_VALUE: usize = 60;

/// What can be typed behind `sluice plugin run`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A WebAssembly file, or the name of a standard plugin.
    file: String,
    /// The plugin's settings, as they stand under `settings` in a pipeline file. Default: none.
    #[arg(long, value_name = "FILE.toml")]
    settings: Option<PathBuf>,
    /// The rows: a JSON object a line.
    #[arg(long, value_name = "ROWS.ndjson")]
    input: PathBuf,
    /// A file for the plugin, under a name. May be given several times.
    #[arg(long = "attachment", value_name = "NAME=FILE")]
    attachments: Vec<String>,
    /// What `sluice discover --format json` wrote: the rows are of one of its streams, with its columns, types and marks.
    #[arg(long, value_name = "FILE.json", requires = "stream")]
    schema: Option<PathBuf>,
    /// The stream that the rows are of.
    #[arg(long, default_value = "rows")]
    stream: String,
    /// How to print what passes.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// A JSON object a line.
    Ndjson,
}

pub(super) async fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<()> {
    output::start_log(LogForm::Verbose);
    let input = arguments.input.display().to_string();
    let text = fs::read_to_string(&arguments.input)
        .map_err(|error| Usage(format!("the rows `{input}` cannot be read: {error}")))?;
    let rows = Rows::read(&input, &text)?;
    let (stream, schema) = described(arguments, &rows)?;
    let batch = rows.batch(&schema.fields)?;
    let spec = Arc::new(spec(arguments, &schema)?);
    let engine = pipeline::engine(&spec)?;
    let plugins = load(&spec, &engine).map_err(without_places)?;
    let source = RecordedSource::of(vec![RecordedStream { stream, records: None, schema: Ok(schema) }]);
    let planned = pipeline::plan(&spec, &source, &plugins).await.map_err(without_places)?;
    let Some(rehearsed) = pipeline::rehearse(&spec, &planned, &plugins, &batch)? else {
        anyhow::bail!("the plan has no stream");
    };
    output.data(&match arguments.format {
        Format::Table => table(&rehearsed),
        Format::Ndjson => ndjson(&rehearsed),
    })?;
    output.say(&summary(&rehearsed, batch.num_rows()));
    if !rehearsed.same_twice {
        anyhow::bail!("a second time, the plugin did something else with the same rows: a run could not be repeated");
    }
    Ok(())
}

/// A refusal without places: nobody has written the pipeline file that they point into.
fn without_places(error: pipeline::Error) -> pipeline::Error {
    match error {
        pipeline::Error::Refused(mut problems) => {
            problems.list.iter_mut().for_each(|problem| problem.place = None);
            pipeline::Error::Refused(problems)
        }
        other => other,
    }
}

/// The stream that the rows are of, and its schema.
fn described(arguments: &Arguments, rows: &Rows<'_>) -> Result<(StreamInfo, Schema), Usage> {
    let name = &arguments.stream;
    if let Some(file) = &arguments.schema {
        let source = read_schema(file)?;
        let found = source.into_streams().into_iter().find(|recorded| recorded.stream.names().any(|own| own == name));
        return match found {
            Some(RecordedStream { stream, schema: Ok(schema), .. }) => Ok((stream, schema)),
            Some(_) => {
                Err(Usage(format!("`{}` has no columns of stream `{name}`: it could not be read", file.display())))
            }
            None => Err(Usage(format!("`{}` describes no stream `{name}`", file.display()))),
        };
    }
    let stream = StreamInfo {
        name: name.clone(),
        kind: StreamKind::Objects,
        object_type_id: None,
        fully_qualified_name: None,
        shared_name: None,
    };
    Ok((stream, Schema { name: name.clone(), fields: rows.fields()?, attributes: Attributes::new() }))
}

/// The pipeline file that has the plugin as its only step, and lets everything pass.
fn spec(arguments: &Arguments, schema: &Schema) -> anyhow::Result<Spec> {
    let (settings_file, settings) = match &arguments.settings {
        None => (Path::new("settings"), toml::Table::new()),
        Some(file) => {
            let text = fs::read_to_string(file)
                .map_err(|error| Usage(format!("the settings `{}` cannot be read: {error}", file.display())))?;
            let settings = text
                .parse()
                .map_err(|error: toml::de::Error| Usage(format!("the settings `{}`: {error}", file.display())))?;
            (file.as_path(), settings)
        }
    };
    let absolute = |file: &str| -> Result<String, Usage> {
        let path = fs::canonicalize(file).map_err(|error| Usage(format!("`{file}` cannot be read: {error}")))?;
        Ok(path.display().to_string())
    };
    let mut transform =
        toml::Table::from_iter([("name".to_owned(), "plugin".into()), ("settings".to_owned(), settings.into())]);
    if standard::find(&arguments.file).is_some() {
        transform.insert("plugin".to_owned(), arguments.file.clone().into());
    } else {
        transform.insert("path".to_owned(), absolute(&arguments.file)?.into());
    }
    let mut attachments = Vec::new();
    for attachment in &arguments.attachments {
        let Some((name, file)) = attachment.split_once('=') else {
            return Err(Usage(format!("`--attachment {attachment}`: write NAME=FILE")).into());
        };
        let entries = [("name".to_owned(), name.into()), ("file".to_owned(), absolute(file)?.into())];
        attachments.push(toml::Value::Table(toml::Table::from_iter(entries)));
    }
    transform.insert("attachments".to_owned(), attachments.into());
    let marks = schema.fields.iter().flat_map(|field| field.marks.iter().map(Mark::as_str));
    let accepts: std::collections::BTreeSet<&str> = marks.collect();
    let mut pipeline = toml::toml! {
        pipeline = "rehearsal"
        source = { type = "hubspot", token = { env = "NONE" }, sensitive = "include" }
        sink = { type = "parquet", url = "file:///" }
    };
    pipeline.insert("transform".to_owned(), vec![toml::Value::Table(transform)].into());
    if let Some(sink) = pipeline.get_mut("sink").and_then(toml::Value::as_table_mut) {
        let accepts: Vec<toml::Value> = accepts.into_iter().map(Into::into).collect();
        sink.insert("accepts".to_owned(), accepts.into());
    }
    Ok(Spec::read(settings_file, &toml::to_string(&pipeline)?, &standard::NAMES)?)
}

fn table(rehearsed: &Rehearsed) -> String {
    let batch = &rehearsed.rows;
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut grid = Grid::new(&names);
    for row in 0..batch.num_rows() {
        let values = batch.columns().iter().map(|column| match rows::json(column, row) {
            serde_json::Value::Null => "–".to_owned(),
            serde_json::Value::String(text) => printable(&text, LONGEST_VALUE),
            other => other.to_string(),
        });
        grid.row(values.collect());
    }
    grid.render(0)
}

fn ndjson(rehearsed: &Rehearsed) -> String {
    let batch = &rehearsed.rows;
    let schema = batch.schema();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let members = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            format!("{}:{}", serde_json::Value::from(field.name().as_str()), rows::json(column, row))
        });
        text.push_str(&format!("{{{}}}\n", members.collect::<Vec<_>>().join(",")));
    }
    text
}

fn summary(rehearsed: &Rehearsed, rows: usize) -> String {
    let mut parts =
        vec![format!("{} rows, {} passed", thousands(rows as u64), thousands(rehearsed.rows.num_rows() as u64))];
    if rehearsed.dropped > 0 {
        parts.push(format!("{} filtered out", thousands(rehearsed.dropped)));
    }
    for (code, rows) in &rehearsed.rejected {
        parts.push(format!("{} rejected as `{code}`", thousands(*rows)));
    }
    if rehearsed.same_twice {
        parts.push("the same twice".to_owned());
    }
    parts.join(", ")
}
