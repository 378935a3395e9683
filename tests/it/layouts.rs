//! A table for each object type, tables of all, or both.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
};

use arrow_array::{Array, RecordBatch, cast::AsArray};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::harness::{CONTACTS, Workspace};

/// The rows of a table in the folder of a test.
fn batches(workspace: &Workspace, table: &str) -> Vec<RecordBatch> {
    let prefix = format!("{table}/");
    let of_table = workspace.listed_files().into_iter().filter(|file| file.starts_with(&prefix));
    let read = |file: String| {
        let file = File::open(workspace.path().join("tables").join(file)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap)
    };
    of_table.flat_map(read).collect()
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> String {
    batch.column_by_name(column).unwrap().as_string::<i32>().value(row).to_owned()
}

/// The key of a record.
fn key(batch: &RecordBatch, row: usize) -> (String, String) {
    (text(batch, "objectTypeId", row), text(batch, "objectId", row))
}

/// The keys of a table's rows, each once.
fn keys(batches: &[RecordBatch]) -> BTreeSet<(String, String)> {
    let all: Vec<_> = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| key(batch, row))).collect();
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(distinct.len(), all.len(), "a key twice");
    distinct
}

/// The values of properties that are texts: by key and the property's name.
fn texts(batches: &[RecordBatch]) -> BTreeMap<(String, String, String), String> {
    let mut values = BTreeMap::new();
    for batch in batches {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = field.name().strip_prefix("property_").filter(|_| *field.data_type() == DataType::Utf8);
            let Some(name) = name.map(|name| name.strip_prefix("unparsed_").unwrap_or(name)) else { continue };
            for row in (0..batch.num_rows()).filter(|row| column.is_valid(*row)) {
                let (type_id, id) = key(batch, row);
                values.insert((type_id, id, name.to_owned()), column.as_string::<i32>().value(row).to_owned());
            }
        }
    }
    values
}

/// The rows of a long table.
fn long(batches: &[RecordBatch]) -> BTreeMap<(String, String, String), String> {
    let mut values = BTreeMap::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let (type_id, id) = key(batch, row);
            let before = values.insert((type_id, id, text(batch, "name", row)), text(batch, "value", row));
            assert_eq!(before, None, "two values of one property of one record");
        }
    }
    values
}

fn run(workspace: &Workspace, layout: &str) {
    let sink = format!("{}layout = \"{layout}\"\n", workspace.file_sink());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\", \"companies\", \"owners\"]"), &sink]);
    let output = workspace.sluice(&["run", "pipeline.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn tables_of_all_types_hold_what_those_of_each_type_hold() {
    let workspace = Workspace::new();
    run(&workspace, "both");
    let each = ["objects_contacts", "objects_companies"].map(|table| batches(&workspace, table)).concat();
    assert_eq!(keys(&each).len() as u64, CONTACTS + CONTACTS / 5);
    assert_eq!(keys(&batches(&workspace, "objects")), keys(&each));
    let long = long(&batches(&workspace, "object_properties"));
    let texts = texts(&each);
    let of_texts: BTreeMap<_, _> = long.iter().filter(|(key, _)| texts.contains_key(key)).collect();
    assert_eq!(of_texts, texts.iter().collect());
    // Those of other types are text as well.
    let numbers = long.iter().filter(|((_, _, name), value)| name == "annualrevenue" && value.parse::<f64>().is_ok());
    assert!(numbers.count() > 0);
}

#[test]
fn a_layout_that_is_left_is_left_behind() {
    let workspace = Workspace::new();
    run(&workspace, "combined");
    let tables = |workspace: &Workspace| -> Vec<String> {
        let commit = workspace.commit();
        let tables = commit["tables"].as_array().unwrap().iter();
        tables.map(|table| table["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(tables(&workspace), ["object_properties", "objects", "owners"]);
    run(&workspace, "individual");
    assert_eq!(tables(&workspace), ["objects_companies", "objects_contacts", "owners"]);
}
