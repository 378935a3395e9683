//! One large stream, read by several readers: what they bring is what one brings, or one has to bring it.

use std::{collections::BTreeMap, fs, path::Path};

use arrow_array::{Array, cast::AsArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_simulator::{
    aws, data,
    hubspot::{self, Cursors, Fault, FaultAction, FaultBody},
};

use crate::harness::{Workspace, data_files, on_records};

/// Contacts: 120 pages, enough for several readers.
const CONTACTS: u64 = 12_000;

/// A request for a page that comes when readers have taken several slices, and before they are done.
const LATE: u64 = 70;

fn workspace(cursors: Cursors, faults: Vec<Fault>) -> Workspace {
    let data = data::Options { contacts: CONTACTS, ..data::Options::default() };
    let options = hubspot::Options { data, cursors, faults, requests_per_10s: 100_000, ..hubspot::Options::default() };
    Workspace::with(options, aws::Options::default())
}

fn write_pipeline(workspace: &Workspace, lines: &str) {
    let columns =
        "[[source.columns]]\nstreams = [\"contacts\"]\ninclude = [\"property_email\", \"property_annual_income\"]\n";
    let source = workspace.source("streams = [\"contacts\"]\nrequests_per_10s = 100000");
    workspace.pipeline(&[&source, columns, &workspace.file_sink(), lines]);
}

/// Runs; what it says, and its report.
fn run(workspace: &Workspace, lines: &str, exit_code: i32) -> (String, serde_json::Value) {
    write_pipeline(workspace, lines);
    let output = workspace.sluice(&["run", "pipeline.toml", "--report", "report.json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit_code), "{told}");
    let report = serde_json::from_slice(&fs::read(workspace.path().join("report.json")).unwrap()).unwrap();
    (told, report)
}

/// The ids and addresses of all contacts in the table, file by file.
fn contacts(workspace: &Workspace) -> Vec<Vec<(u64, Option<String>)>> {
    let file = |file: &String| {
        let file = fs::File::open(workspace.path().join("tables").join(file)).unwrap();
        let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let mut rows = Vec::new();
        for batch in batches.map(Result::unwrap) {
            let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            let (ids, emails) = (text("objectId"), text("property_email"));
            let email = |row| emails.is_valid(row).then(|| emails.value(row).to_owned());
            rows.extend((0..batch.num_rows()).map(|row| (ids.value(row).parse().unwrap(), email(row))));
        }
        rows
    };
    workspace.listed_files().iter().map(file).collect()
}

fn sorted(files: &[Vec<(u64, Option<String>)>]) -> Vec<(u64, Option<String>)> {
    let mut all = files.concat();
    all.sort_unstable();
    all
}

/// The same contacts, read by one reader.
fn by_one_reader() -> Vec<(u64, Option<String>)> {
    let workspace = workspace(Cursors::Opaque, Vec::new());
    let (told, report) = run(&workspace, "", 0);
    assert!(told.contains("read by one reader, since its cursors are not the numbers of ids: `contacts`"), "{told}");
    let stream = &report["streams"][0];
    assert_eq!((&stream["slices"], &stream["tables"][0]["files"]), (&1.into(), &1.into()), "{stream}");
    let all = sorted(&contacts(&workspace));
    let distinct: BTreeMap<u64, _> = all.iter().cloned().collect();
    assert_eq!((all.len() as u64, distinct.len() as u64), (CONTACTS, CONTACTS));
    all
}

#[test]
fn several_readers_bring_what_one_brings_and_each_file_holds_a_range_of_ids() {
    let workspace = workspace(Cursors::Numeric, Vec::new());
    let (told, report) = run(&workspace, "", 0);
    assert!(!told.contains("read by one reader"), "{told}");
    let stream = &report["streams"][0];
    assert!(stream["slices"].as_u64().unwrap() > 1, "{stream}");
    assert_eq!((&stream["rows_read"], &stream["undivided"]), (&CONTACTS.into(), &serde_json::Value::Null));
    let files = contacts(&workspace);
    assert_eq!(files.len() as u64, stream["slices"].as_u64().unwrap(), "a file for each slice");
    assert_eq!(sorted(&files), by_one_reader());
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for file in &files {
        assert!(file.is_sorted(), "ids ascend in a file");
        ranges.push((file[0].0, file[file.len() - 1].0));
    }
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|two| two[0].1 < two[1].0), "{ranges:?}");
}

/// A page whose records are numbered anew fits nowhere. Whatever has been read is thrown away, and nothing of it stays.
#[test]
fn a_list_that_is_out_of_order_is_read_by_one_reader() {
    let odd = FaultAction::Replaced { text: "\"id\":\"".to_owned(), by: "\"id\":\"1".to_owned() };
    let workspace = workspace(Cursors::Numeric, vec![on_records("0-1", LATE..LATE + 1, odd)]);
    let (told, report) = run(&workspace, "", 0);
    assert!(told.contains("read by one reader, since ") && told.contains(": `contacts`\n"), "{told}");
    let stream = &report["streams"][0];
    assert_eq!((&stream["slices"], &stream["rows_read"]), (&1.into(), &CONTACTS.into()), "{stream}");
    assert!(stream["undivided"].is_string(), "{stream}");
    assert_eq!(sorted(&contacts(&workspace)), by_one_reader());
    assert_eq!(data_files(&tables(&workspace)), workspace.listed_files(), "nothing of the first reading is left");
}

/// One slice fails while others go on: the stream fails as a whole, and nothing of it is there.
#[test]
fn a_slice_that_fails_ends_the_run_and_leaves_nothing() {
    let gone = FaultAction::Status { status: 500, body: FaultBody::Json, retry_after: None };
    let workspace = workspace(Cursors::Numeric, vec![on_records("0-1", LATE..u64::MAX, gone)]);
    let (told, _) = run(&workspace, "[run]\npatience = \"1s\"\n", 1);
    assert!(told.contains("the records of stream `contacts` could not be read"), "{told}");
    assert_eq!(data_files(&tables(&workspace)), Vec::<String>::new());
    assert!(!tables(&workspace).join("_sluice/commits").exists(), "nothing was committed");
}

/// Pages that break off, or are refused for a while, cost requests and nothing else.
#[test]
fn trouble_in_a_slice_is_waited_out() {
    let cut = on_records("0-1", 20..24, FaultAction::CutBody { after: 2_000 });
    let busy = on_records("0-1", 40..50, FaultAction::Status { status: 503, body: FaultBody::Html, retry_after: None });
    let workspace = workspace(Cursors::Numeric, vec![cut, busy]);
    let (_, report) = run(&workspace, "", 0);
    assert!(report["streams"][0]["slices"].as_u64().unwrap() > 1, "{report}");
    assert_eq!(sorted(&contacts(&workspace)), by_one_reader());
}

fn tables(workspace: &Workspace) -> std::path::PathBuf {
    Path::new(workspace.path()).join("tables")
}
