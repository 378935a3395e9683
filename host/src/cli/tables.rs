//! `sluice tables`: what the newest commit holds, and how to read it with other programs.

use std::path::Path;

use serde_json::{Value, json};
use sluice_lake::{
    bucket::{Bucket, PATIENCE_OF_A_LOOK, S3Settings, Settings},
    table::{Commit, CommitLog, Commits, Table, audit_json},
};
use sluice_model::{printable::printable, schema::Mark};
use sluice_plan::spec::Url;

use super::{
    TablesFormat, Usage,
    output::{Output, bytes, thousands},
    page::{Grid, Page},
    report::ledger_json,
};
use crate::pipeline::{self, Patience, Pipeline};

/// Characters of a pipeline's name that are shown.
const LONGEST_NAME: usize = 64;

pub(super) async fn tables(place: &str, format: TablesFormat, output: &mut Output) -> anyhow::Result<()> {
    super::output::start_log(super::output::LogForm::Text);
    let settings = match place.split_once("://") {
        Some(_) => settings_of_url(place)?,
        None => Pipeline::read(Path::new(place))?.bucket_settings(Patience::OfALook)?,
    };
    let root = root(&settings);
    let bucket = Bucket::open_existing(&settings).await.map_err(pipeline::Error::from)?;
    let Some(commit) = CommitLog::of(&bucket).latest().await.map_err(pipeline::Error::from)? else {
        anyhow::bail!("there is no commit in `{}` yet", bucket.describe());
    };
    match format {
        TablesFormat::Table => output.data(&text(&commit, bucket.describe())),
        TablesFormat::Json => output.json(&json(&commit, &root)),
        TablesFormat::Duckdb => output.data(&duckdb(&commit, &root)),
    }
}

/// A bucket given by its URL alone is opened with what the AWS environment says.
fn settings_of_url(text: &str) -> Result<Settings, Usage> {
    let wrong = |why: &str| Usage(format!("`{text}` is no sink's URL: {why}"));
    let url: Url = text.parse().map_err(|error: String| wrong(&error))?;
    match url.scheme() {
        "file" => Ok(Settings::File { path: url.folder().map_err(|why| wrong(&why))? }),
        "s3" => {
            let bucket = url.host_str().filter(|name| !name.is_empty()).ok_or_else(|| wrong("it names no bucket"))?;
            let prefix = url.prefix().map_err(|why| wrong(&why))?;
            Ok(Settings::S3(S3Settings { patience: PATIENCE_OF_A_LOOK, ..S3Settings::of(bucket, prefix) }))
        }
        _ => Err(wrong("use `s3://…` or `file:///…`")),
    }
}

/// What stands before a file's key, for other programs: a folder, or `s3://bucket/prefix`.
fn root(settings: &Settings) -> String {
    match settings {
        Settings::File { path } => path.display().to_string(),
        Settings::S3(s3) if s3.prefix.is_empty() => format!("s3://{}", s3.bucket),
        Settings::S3(s3) => format!("s3://{}/{}", s3.bucket, s3.prefix),
    }
}

fn text(commit: &Commit, place: &str) -> Page {
    let mut grid = Grid::new(&["table", "columns>", "rows>", "files>", "size>", "written"]);
    for (name, table) in &commit.tables {
        grid.row(&[
            name.clone(),
            table.columns.len().to_string(),
            thousands(table.rows()),
            table.files.len().to_string(),
            bytes(table.bytes()),
            format!("{:.0}", table.written),
        ]);
    }
    let mut page = Page::of(format!("commit {} in {place}, {:.0}", commit.number, commit.committed));
    page.append(&grid.render(0));
    page
}

fn json(commit: &Commit, root: &str) -> Value {
    let tables: Vec<Value> = commit
        .tables
        .iter()
        .map(|(name, table)| {
            let columns: Vec<Value> = table
                .columns
                .iter()
                .map(|field| {
                    json!({
                        "name": field.name,
                        "type": field.column_type.name(),
                        "marks": field.marks.iter().map(Mark::as_str).collect::<Vec<_>>(),
                    })
                })
                .collect();
            let streams: Vec<Value> = table
                .streams
                .iter()
                .map(|fed| {
                    let ledger = fed.ledger.as_ref().map(ledger_json);
                    json!({ "stream": fed.stream, "ledger": ledger, "audit": audit_json(&fed.audit) })
                })
                .collect();
            let files: Vec<Value> = table
                .files
                .iter()
                .map(|file| json!({ "url": format!("{root}/{}", file.key), "rows": file.rows, "bytes": file.bytes }))
                .collect();
            json!({
                "name": name,
                "run": table.run.as_str(),
                "pipeline": table.pipeline,
                "streams": streams,
                "rows": table.rows(),
                "columns": columns,
                "files": files,
            })
        })
        .collect();
    json!({
        "commit": commit.number,
        "committed": commit.committed.to_string(),
        "run": commit.author.run.as_str(),
        "pipeline": commit.author.pipeline,
        "tables": tables,
    })
}

fn duckdb(commit: &Commit, root: &str) -> Page {
    // The pipeline's name comes from the bucket, and a comment ends with its line.
    let pipeline = printable(&commit.author.pipeline, LONGEST_NAME);
    let mut sql = Page::of(format!("-- commit {} of pipeline {pipeline}, {:.0}", commit.number, commit.committed));
    for (name, table) in &commit.tables {
        sql.lines(view(name, table, root));
    }
    sql
}

/// The lines of a view. Whatever the folder is called, it is one line of a text.
fn view(name: &str, table: &Table, root: &str) -> Vec<String> {
    let mut lines = vec![format!("CREATE OR REPLACE VIEW \"{name}\" AS SELECT * FROM read_parquet([")];
    lines.extend(table.files.iter().enumerate().map(|(index, file)| {
        let comma = if index + 1 < table.files.len() { "," } else { "" };
        format!("    '{}'{comma}", format!("{root}/{}", file.key).replace('\'', "''"))
    }));
    // Our folders look like partitions (`run=…`); pipeline and run are no columns of the table.
    lines.push("], hive_partitioning = false);".to_owned());
    lines
}
