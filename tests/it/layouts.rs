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

fn write(workspace: &Workspace, layout: &str) {
    let sink = format!("{}layout = \"{layout}\"\n", workspace.file_sink());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\", \"companies\", \"owners\"]"), &sink]);
}

fn run(workspace: &Workspace, layout: &str) {
    write(workspace, layout);
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
    assert_eq!(tables(&workspace), ["object_properties", "object_with_object_properties", "objects", "owners"]);
    run(&workspace, "individual");
    assert_eq!(tables(&workspace), ["objects_companies", "objects_contacts", "owners"]);
}

/// A table of all types is whole or as it was: it does not lose the records of a type that a run leaves out.
#[test]
fn tables_of_all_types_are_not_written_by_halves() {
    let workspace = Workspace::new();
    run(&workspace, "both");
    let before = workspace.commit();
    let output = workspace.sluice(&["run", "pipeline.toml", "--only", "contacts"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("`object_properties`") && told.contains("`object_with_object_properties`"), "{told}");
    let after = workspace.commit();
    let files = |commit: &serde_json::Value, table: &str| {
        let tables = commit["tables"].as_array().unwrap();
        tables.iter().find(|it| it["name"] == table).unwrap()["files"].clone()
    };
    for table in ["objects", "object_properties", "object_with_object_properties", "objects_companies"] {
        assert_eq!(files(&before, table), files(&after, table), "{table}");
    }
    assert_ne!(files(&before, "objects_contacts"), files(&after, "objects_contacts"));

    // Nor is one begun by half, where there is none yet.
    let empty = Workspace::new();
    write(&empty, "both");
    assert!(empty.sluice(&["run", "pipeline.toml", "--only", "contacts"]).status.success());
    let tables = empty.commit()["tables"].as_array().unwrap().clone();
    assert_eq!(tables.iter().map(|table| &table["name"]).collect::<Vec<_>>(), ["objects_contacts"]);

    run(&workspace, "combined");
    let output = workspace.sluice(&["run", "pipeline.toml", "--only", "contacts"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("stream `contacts` feeds `objects`, `object_properties`, `object_with_object_properties` and no table of its own"), "{told}");
}

/// What is marked in one type alone, and accepted, is written with the values of all others.
#[test]
fn a_mark_of_one_type_does_not_keep_others_from_the_table() {
    let workspace = Workspace::new();
    let marked = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_email\"]\nmarks = [\"phi\"]\n";
    let sink = format!("{}layout = \"combined\"\naccepts = [\"phi\"]\n", workspace.file_sink());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\", \"companies\"]"), marked, &sink]);
    let output = workspace.sluice(&["run", "pipeline.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let commit = workspace.commit();
    let table = commit["tables"].as_array().unwrap().iter().find(|table| table["name"] == "object_properties").unwrap();
    let value = table["columns"].as_array().unwrap().iter().find(|column| column["name"] == "value").unwrap();
    assert_eq!(value["marks"], serde_json::json!(["phi"]));
    let emails = long(&batches(&workspace, "object_properties"));
    assert!(emails.keys().any(|(_, _, name)| name == "email"));
}

/// A long table holds the values of many columns: one that has been marked since is enough for it not to be kept.
#[test]
fn what_is_marked_since_is_not_kept_in_a_table_of_all_types() {
    let workspace = Workspace::new();
    run(&workspace, "both");
    let marked = "[[mark]]\nstreams = [\"companies\"]\ncolumns = [\"property_name\"]\nmarks = [\"phi\"]\n";
    let sink = format!("{}layout = \"both\"\n", workspace.file_sink());
    let drop = "[[transform]]\nname = \"drop\"\nplugin = \"redact\"\nstreams = [\"companies\"]\nsettings = { rules = [{ columns = [\"property_name\"], action = \"drop\" }] }\n";
    let source = workspace.source("streams = [\"contacts\", \"companies\", \"owners\"]");
    workspace.pipeline(&[&source, marked, drop, &sink]);
    let output = workspace.sluice(&["run", "pipeline.toml", "--only", "contacts"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("table `object_properties` would be kept"), "{told}");
    assert!(told.contains("`value` marked `phi`"), "{told}");
    assert!(!told.contains("table `objects` would be kept"), "{told}");
}
