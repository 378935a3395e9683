//! `sluice plugin run`: a plugin on a few rows, in the sandbox and with its limits, without HubSpot and without a bucket.

use std::{
    fs,
    path::{Path, PathBuf},
};

use arrow_array::RecordBatch;
use clap::{Args, ValueEnum};
use sluice_hubspot::source::recorded::RecordedStream;
use sluice_model::{
    error_chain,
    printable::printable,
    problem::{Place, Problem, Problems},
    schema::{Attributes, Schema, attribute},
};
use sluice_sandbox::{Attachment, LogLevel, LogSink, Plugin, Setup, Transformed};

use super::{
    Usage,
    inspect::{read_plugin, refused_plugin},
    output::{self, LogForm, Output, thousands},
    page::{Grid, Page},
    plan::read_schema,
    rows::Rows,
};
use crate::{pipeline, value};

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

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<()> {
    output::start_log(LogForm::Verbose);
    let input = arguments.input.display().to_string();
    let text = fs::read_to_string(&arguments.input)
        .map_err(|error| Usage(format!("the rows `{input}` cannot be read: {error}")))?;
    let rows = Rows::read(&input, &text)?;
    let schema = described(arguments, &rows)?;
    let batch = rows.batch(&schema.fields)?;
    let setup = setup(arguments)?;
    // What a plugin refuses is its settings, or a schema that does not fit them.
    let file = arguments.settings.as_ref().map_or(arguments.file.clone(), |file| file.display().to_string());
    let opened = || {
        let transform = setup.transform(&schema);
        transform.map_err(|error| refused_plugin(&file, error_chain(&error), error.hint()))
    };
    let first = opened()?.apply(&batch)?;
    let second = opened()?.apply(&batch)?;
    let same_twice = first == second;
    match arguments.format {
        Format::Table => output.data(&table(&first.batch)),
        Format::Ndjson => output.written_json(&ndjson(&first.batch)),
    }?;
    output.say(&summary(&first, same_twice, batch.num_rows(), setup.log_counts().dropped));
    if !same_twice {
        anyhow::bail!("a second time, the plugin did something else with the same rows: a run could not be repeated");
    }
    Ok(())
}

/// The schema of the rows, as a plugin is shown it.
fn described(arguments: &Arguments, rows: &Rows<'_>) -> Result<Schema, Usage> {
    let name = &arguments.stream;
    let Some(file) = &arguments.schema else {
        return Ok(Schema { name: name.clone(), fields: rows.fields()?, attributes: Attributes::new() });
    };
    let source = read_schema(file)?;
    let found = source.into_streams().into_iter().find(|recorded| recorded.stream.names().any(|own| own == name));
    match found {
        Some(RecordedStream { schema: Ok(mut schema), .. }) => {
            schema.fields.retain(|field| !field.attributes.contains_key(attribute::UNPARSED_OF));
            Ok(schema)
        }
        Some(_) => Err(Usage(format!("`{}` has no columns of stream `{name}`: it could not be read", file.display()))),
        None => Err(Usage(format!("`{}` describes no stream `{name}`", file.display()))),
    }
}

/// The plugin, with its settings and attachments.
fn setup(arguments: &Arguments) -> anyhow::Result<Setup> {
    let (name, bytes) = read_plugin(&arguments.file)?;
    let engine = pipeline::engine()?;
    let plugin = Plugin::load(&engine, &name, &bytes, None)
        .map_err(|error| refused_plugin(&arguments.file, error_chain(&error), error.hint()))?;
    let mut attachments = Vec::new();
    for attachment in &arguments.attachments {
        let Some((name, file)) = attachment.split_once('=') else {
            return Err(Usage(format!("`--attachment {attachment}`: write NAME=FILE")).into());
        };
        let bytes = fs::read(file).map_err(|error| Usage(format!("`{file}` cannot be read: {error}")))?;
        attachments.push(Attachment { name: name.to_owned(), bytes });
    }
    let log = LogSink::new(
        |level, message| match level {
            LogLevel::Warn => tracing::warn!("{message}"),
            LogLevel::Info => tracing::info!("{message}"),
            LogLevel::Debug => tracing::debug!("{message}"),
        },
        false,
    );
    let setup = Setup::new(plugin).named("plugin").with_attachments(attachments).with_log(log);
    Ok(match &arguments.settings {
        None => setup,
        Some(file) => setup.with_settings(&settings(file)?),
    })
}

/// Settings as they stand in a pipeline file, as the plugin gets them.
fn settings(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)
        .map_err(|error| Usage(format!("the settings `{}` cannot be read: {error}", file.display())))?;
    let settings: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // Not in the parser's words, which quote the line.
        let place = error.span().map(|span| Place::of(&text, span.start));
        let problem = Problem::new(error.message().trim_end().replace('\n', ", ")).at(place);
        Problems { file: file.display().to_string(), list: vec![problem] }
    })?;
    Ok(serde_json::to_string(&settings)?)
}

fn table(batch: &RecordBatch) -> Page {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut grid = Grid::new(&names);
    for row in 0..batch.num_rows() {
        let values = batch.columns().iter().map(|column| match value::json(column, row) {
            serde_json::Value::Null => "–".to_owned(),
            serde_json::Value::String(text) => printable(&text, LONGEST_VALUE),
            other => other.to_string(),
        });
        grid.row(&values.collect::<Vec<_>>());
    }
    grid.render(0)
}

fn ndjson(batch: &RecordBatch) -> String {
    let schema = batch.schema();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let members = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            format!("{}:{}", serde_json::Value::from(field.name().as_str()), value::json(column, row))
        });
        text.push_str(&format!("{{{}}}\n", members.collect::<Vec<_>>().join(",")));
    }
    text
}

fn summary(transformed: &Transformed, same_twice: bool, rows: usize, dropped_lines: u64) -> String {
    let mut parts =
        vec![format!("{} rows, {} passed", thousands(rows as u64), thousands(transformed.batch.num_rows() as u64))];
    if transformed.dropped > 0 {
        parts.push(format!("{} filtered out", thousands(transformed.dropped)));
    }
    for (code, rows) in &transformed.rejected {
        parts.push(format!("{} rejected as `{code}`", thousands(*rows)));
    }
    if dropped_lines > 0 {
        parts.push(format!("{} log lines dropped", thousands(dropped_lines)));
    }
    if same_twice {
        parts.push("the same twice".to_owned());
    }
    parts.join(", ")
}
