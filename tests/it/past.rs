//! Histories: what properties held before, on the way of their records, and what a run keeps of a long one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::Value;
use sluice_simulator::{
    aws, data,
    hubspot::{self, Fault, FaultAction, FaultBody, LoggedRequest, PathPattern},
    truth,
};

use crate::harness::{CONTACTS, Workspace, data_files, portal};

const TABLE: &str = "object_properties_history";

/// Contacts, and what these properties of theirs were before.
fn history_of(workspace: &Workspace, properties: &str) -> String {
    let history = format!("[[source.history]]\nstreams = [\"contacts\"]\nproperties = {properties}\n");
    workspace.source(&format!("streams = [\"contacts\"]\n{history}"))
}

fn account(contacts: u64) -> hubspot::Options {
    let data = data::Options { contacts, ..data::Options::default() };
    hubspot::Options { data, requests_per_10s: 100_000, ..portal() }
}

fn workspace(faults: Vec<Fault>) -> Workspace {
    Workspace::with(hubspot::Options { faults, ..account(CONTACTS) }, aws::Options::default())
}

/// What the report says of the history.
fn of_history(workspace: &Workspace) -> Value {
    let report = workspace.report();
    let streams = report["streams"].as_array().unwrap();
    streams.iter().find(|stream| stream["stream"] == "object_properties_history:contacts").unwrap().clone()
}

/// Whether a request asks for versions.
fn asks_for_versions(request: &LoggedRequest) -> bool {
    request.path.ends_with("/0-1/batch/read")
}

/// The lines of a file of the truth about the history of properties of contacts.
fn truth_of(options: &hubspot::Options, properties: &[&str], file: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let chosen: Vec<_> = properties.iter().map(|property| ("contacts".to_owned(), (*property).to_owned())).collect();
    truth::write_history(folder.path(), &options.data, &chosen).unwrap();
    let text = fs::read_to_string(folder.path().join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of the table of histories: record, name, value.
fn versions(workspace: &Workspace) -> Vec<(String, String, Option<String>)> {
    let commit = workspace.commit();
    let tables = commit["tables"].as_array().unwrap();
    let table = tables.iter().find(|table| table["name"] == TABLE).unwrap();
    let mut rows = Vec::new();
    for file in table["files"].as_array().unwrap() {
        let file = fs::File::open(PathBuf::from(file["url"].as_str().unwrap())).unwrap();
        for row in SerializedFileReader::new(file).unwrap().get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let text = |named: &str| {
                let (_, value) = row.get_column_iter().find(|(name, _)| *name == named).unwrap();
                match value {
                    Field::Str(text) => Some(text.clone()),
                    Field::Null => None,
                    other => panic!("{named} is {other}"),
                }
            };
            rows.push((text("objectId").unwrap(), text("name").unwrap(), text("value")));
        }
    }
    rows
}

#[test]
fn every_version_is_a_row_and_costs_what_was_said() {
    let options = account(CONTACTS);
    let workspace = Workspace::with(options.clone(), aws::Options::default());
    workspace.pipeline(&[&history_of(&workspace, "[\"phone\", \"lifecyclestage\"]"), &workspace.file_sink()]);
    let planned = workspace.sluice(&["plan", "pipeline.toml", "--format", "json"]);
    let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
    let prices = planned["price"]["streams"].as_array().unwrap();
    let price = prices.iter().find(|price| price["stream"] == "object_properties_history:contacts").unwrap();
    workspace.run(0);
    let mut expected: Vec<_> = truth_of(&options, &["phone", "lifecyclestage"], "property_history.ndjson")
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("objectId"), text("name"), Some(text("value")).filter(|value| !value.is_empty()))
        })
        .collect();
    let mut found = versions(&workspace);
    expected.sort();
    found.sort();
    assert!(expected.len() > CONTACTS as usize);
    assert_eq!(found, expected);
    let requests = workspace.hubspot.requests();
    let sent = requests.iter().filter(|it| asks_for_versions(it)).count() as u64;
    assert_eq!((sent, price["requests"].as_u64()), (CONTACTS.div_ceil(50), Some(sent)));
    let capped = truth_of(&options, &["phone", "lifecyclestage"], "property_history_capped.ndjson").len();
    assert!(capped > 0);
    assert_eq!(of_history(&workspace)["capped"].as_u64(), Some(capped as u64));
}

/// What stood in a marked property at any time is nowhere: not in the bucket, not in what is said or logged.
#[test]
fn a_marked_past_is_nowhere() {
    let options = account(CONTACTS);
    let lines = truth_of(&options, &["phone"], "property_history.ndjson");
    let past: BTreeSet<&str> =
        lines.iter().filter_map(|line| line["value"].as_str()).filter(|it| it.len() > 6).collect();
    assert!(past.len() > 100, "{}", past.len());
    // People write numbers into texts, too.
    let only = "[[source.columns]]\ninclude = [\"property_phone\"]\n";
    let mark = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_phone\"]\nmarks = [\"phi\"]\n";
    let masked = "[[transform]]\nname = \"mask\"\nplugin = \"redact\"\nstreams = [\"contacts\"]\n\
                  settings = { rules = [{ columns = [\"property_phone\"], action = { mask = { text = \"XXX\" } } }] }\n\
                  clears = { phi = [\"contacts.property_phone\"] }\n";
    let everywhere = |workspace: &Workspace, output: &std::process::Output| {
        let mut all = [output.stdout.clone(), output.stderr.clone()].concat();
        let tables = workspace.path().join("tables");
        let mut files: Vec<PathBuf> = data_files(&tables).iter().map(|key| tables.join(key)).collect();
        files.extend(["report.json"].map(|name| workspace.path().join(name)).into_iter().filter(|path| path.exists()));
        for folder in ["_sluice/commits", "_sluice/leases/test"] {
            files.extend(fs::read_dir(tables.join(folder)).into_iter().flatten().map(|entry| entry.unwrap().path()));
        }
        for file in files {
            all.extend(fs::read(file).unwrap());
        }
        all
    };
    let found = |all: &[u8]| {
        let text = String::from_utf8_lossy(all);
        past.iter().find(|value| text.contains(**value)).map(|value| (*value).to_owned())
    };
    for (transform, exit_code) in [(masked, 0), ("", 2)] {
        let workspace = Workspace::with(options.clone(), aws::Options::default());
        let uncompressed = workspace.file_sink() + "compression = \"none\"\n";
        workspace.pipeline(&[&history_of(&workspace, "[\"phone\"]"), only, mark, transform, &uncompressed]);
        let mut command = workspace.command(&["run", "pipeline.toml", "--report", "report.json", "--log", "json"]);
        let output = crate::child::Running::start(command.env("SLUICE_LOG", "trace").env("RUST_LOG", "trace")).output();
        assert_eq!(output.status.code(), Some(exit_code), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(found(&everywhere(&workspace, &output)), None);
        let asked = workspace.hubspot.requests().iter().filter(|it| asks_for_versions(it)).count();
        if exit_code == 0 {
            let rows = versions(&workspace);
            assert_eq!(rows.len(), lines.len());
            assert!(
                rows.iter().any(|(_, _, value)| value.as_deref().is_some_and(|value| value == "XXX")),
                "{:?}",
                rows.first()
            );
        } else {
            assert_eq!(asked, 0, "what the guard refuses is not asked for");
        }
    }
    // The search finds what is there.
    let workspace = Workspace::with(options.clone(), aws::Options::default());
    let uncompressed = workspace.file_sink() + "compression = \"none\"\n";
    workspace.pipeline(&[&history_of(&workspace, "[\"phone\"]"), only, &uncompressed]);
    let output = workspace.sluice(&["run", "pipeline.toml"]);
    assert!(found(&everywhere(&workspace, &output)).is_some());
}

#[test]
fn a_property_that_does_not_reach_the_tables_is_not_asked_for() {
    let workspace = workspace(Vec::new());
    let strip = "[[transform]]\nname = \"strip\"\nplugin = \"redact\"\nstreams = [\"contacts\"]\n\
                 settings = { rules = [{ columns = [\"property_phone\"], action = \"drop\" }] }\n";
    workspace.pipeline(&[&history_of(&workspace, "[\"*phone\"]"), strip, &workspace.file_sink()]);
    workspace.run(0);
    let names: BTreeSet<_> = versions(&workspace).into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["mobilephone"]);
}

/// Slow enough by its own limit that it counts as long; the simulator answers at once.
const LONG: &str = "[run]\nkeep_after = \"1ms\"\nstreams_at_once = 4\n";
const READERS: u64 = 4;

/// 4,000 contacts are 80 requests, in slices of ten.
const RECORDS: u64 = 4_000;
const REQUESTS: u64 = RECORDS / 50;
const PROPERTIES: [&str; 2] = ["phone", "lifecyclestage"];

fn long_history(workspace: &Workspace, sink: &str) {
    workspace.pipeline(&[&history_of(workspace, &format!("{PROPERTIES:?}")), sink, LONG]);
}

/// An account in which something happens to so many requests for versions, when sixty have been asked for.
fn after_sixty(requests: u64, action: FaultAction) -> hubspot::Options {
    let path = PathPattern::Contains("/0-1/batch/read".to_owned());
    hubspot::Options {
        faults: vec![Fault { path, method: None, occurrences: 60..60 + requests, action }],
        ..account(RECORDS)
    }
}

fn asked(workspace: &Workspace) -> u64 {
    workspace.hubspot.requests().iter().filter(|it| asks_for_versions(it)).count() as u64
}

/// The notes of kept slices in a bucket.
fn notes(bucket: &Path) -> usize {
    let runs = fs::read_dir(bucket.join("_sluice/kept/test")).into_iter().flatten().flatten();
    runs.map(|run| fs::read_dir(run.path()).into_iter().flatten().count()).sum()
}

/// The table is whole, and there is nothing in the bucket but what commits list.
fn assert_whole_and_tidy(workspace: &Workspace, bucket: &Path) {
    let expected = truth_of(&account(RECORDS), &PROPERTIES, "property_history.ndjson").len() as u64;
    assert_eq!(of_history(workspace)["ledger"]["read"], expected);
    let commit = workspace.commit();
    let table = commit["tables"].as_array().unwrap().iter().find(|table| table["name"] == TABLE).unwrap().clone();
    assert_eq!(table["rows"], expected);
    let listed: BTreeSet<String> = workspace.listed_files().into_iter().collect();
    assert_eq!(data_files(bucket), Vec::from_iter(listed));
    assert_eq!(notes(bucket), 0);
}

#[test]
fn a_run_that_was_refused_is_gone_on_with() {
    let refused = FaultAction::Status { status: 401, body: FaultBody::Json, retry_after: None };
    let workspace = Workspace::with(after_sixty(1, refused), aws::Options::default());
    let bucket = workspace.path().join("tables");
    long_history(&workspace, &workspace.file_sink());
    let told = workspace.run(2);
    assert!(told.contains("kept for a day"), "{told}");
    let (before, kept) = (asked(&workspace), notes(&bucket));
    assert!(kept >= 2, "{kept}");

    workspace.run(0);
    assert_eq!(of_history(&workspace)["slices_taken_over"], kept);
    assert_eq!(asked(&workspace) - before, REQUESTS - 10 * kept as u64, "what was finished is not asked for again");
    assert_whole_and_tidy(&workspace, &bucket);
    assert_eq!(
        versions(&workspace).into_iter().map(|(record, ..)| record).collect::<BTreeSet<_>>().len() as u64,
        RECORDS
    );
}

#[test]
fn a_run_that_was_killed_is_gone_on_with() {
    for bucket in ["tables", "s3/bucket/crm"] {
        let workspace = Workspace::with(after_sixty(READERS, FaultAction::Hang), aws::Options::default());
        let sink = if bucket == "tables" {
            workspace.file_sink()
        } else {
            workspace.s3_sink("external_id = \"sluice-external-id\"", "")
        };
        let bucket = workspace.path().join(bucket);
        long_history(&workspace, &sink);
        let mut killed = workspace.start(&["run", "pipeline.toml", "--quiet"]);
        // What a reader has finished it has noted before it asks for more.
        killed.until("no reader is answered any more", |_| asked(&workspace) == 60 + READERS);
        assert!(!killed.kill().success());
        let (before, kept) = (asked(&workspace), notes(&bucket));
        fs::remove_dir_all(bucket.join("_sluice/leases")).unwrap();
        workspace.run(0);
        assert_eq!(of_history(&workspace)["slices_taken_over"], kept);
        assert_eq!(asked(&workspace) - before, REQUESTS - 10 * kept as u64);
        assert_whole_and_tidy(&workspace, &bucket);
    }
}

/// Slices that nobody has had yet are of the stream, however few readers there are.
#[test]
fn one_reader_reads_all_slices_of_a_long_stream() {
    let workspace = Workspace::with(account(RECORDS), aws::Options::default());
    let one = "[run]\nkeep_after = \"1ms\"\nstreams_at_once = 1\n";
    workspace.pipeline(&[&history_of(&workspace, &format!("{PROPERTIES:?}")), &workspace.file_sink(), one]);
    workspace.run(0);
    assert_eq!(of_history(&workspace)["slices"], 8);
    assert_whole_and_tidy(&workspace, &workspace.path().join("tables"));
}

/// Of a property that is archived in mid run there is no half a past, whatever was finished and noted before.
#[test]
fn a_property_that_is_archived_in_mid_run_has_no_past_at_all() {
    let archived = || FaultAction::Archived { property: "phone".to_owned() };
    let fault = |path: &str, occurrences| Fault {
        path: PathPattern::Contains(path.to_owned()),
        method: None,
        occurrences,
        action: archived(),
    };
    // The lists before the run know it; what is asked after thirty requests for versions does not.
    let faults = vec![fault("/0-1/batch/read", 30..u64::MAX), fault("/properties/2026-09/0-1", 3..u64::MAX)];
    let workspace = Workspace::with(hubspot::Options { faults, ..account(RECORDS) }, aws::Options::default());
    long_history(&workspace, &workspace.file_sink());
    let told = workspace.run(0);
    assert!(told.contains("it is read once more"), "{told}");
    assert_eq!(asked(&workspace), 2 * REQUESTS);
    let stream = of_history(&workspace);
    assert_eq!((&stream["unnamed"], &stream["cut"]), (&serde_json::json!(["phone"]), &serde_json::json!([])));
    let names: BTreeSet<String> = versions(&workspace).into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["lifecyclestage"]);
    let bucket = workspace.path().join("tables");
    assert_eq!(data_files(&bucket), Vec::from_iter(workspace.listed_files().into_iter().collect::<BTreeSet<_>>()));
    assert_eq!(notes(&bucket), 0);
}

/// That a question is refused says nothing of the records that it was about.
#[test]
fn a_request_that_is_refused_is_no_empty_past() {
    let invalid = FaultAction::Status { status: 400, body: FaultBody::Json, retry_after: None };
    let path = PathPattern::Contains("/0-1/batch/read".to_owned());
    let workspace = workspace(vec![Fault { path, method: None, occurrences: 0..u64::MAX, action: invalid }]);
    workspace.pipeline(&[&history_of(&workspace, "[\"phone\"]"), &workspace.file_sink()]);
    let told = workspace.run(2);
    assert!(told.contains("stream `object_properties_history:contacts` cannot be read"), "{told}");
    assert!(!workspace.path().join("tables/_sluice/commits").exists());
}

/// A note names records, so there is none where a table must not tell their ids.
#[test]
fn what_has_keys_of_its_own_is_not_kept() {
    let refused = FaultAction::Status { status: 401, body: FaultBody::Json, retry_after: None };
    let workspace = Workspace::with(after_sixty(1, refused), aws::Options::default());
    let marked = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"objectId\"]\nmarks = [\"phi\"]\n";
    let sink = workspace.file_sink() + "accepts = [\"phi\"]\n";
    workspace.pipeline(&[&history_of(&workspace, &format!("{PROPERTIES:?}")), marked, &sink, LONG]);
    let told = workspace.run(2);
    assert!(told.contains("the next begins this stream anew"), "{told}");
    let bucket = workspace.path().join("tables");
    assert_eq!((notes(&bucket), data_files(&bucket).len()), (0, 0));
}

#[test]
fn what_another_plan_would_write_otherwise_is_read_anew() {
    let refused = FaultAction::Status { status: 401, body: FaultBody::Json, retry_after: None };
    let workspace = Workspace::with(after_sixty(1, refused), aws::Options::default());
    long_history(&workspace, &workspace.file_sink());
    workspace.run(2);
    let before = asked(&workspace);
    let mask = "[[transform]]\nname = \"mask\"\nplugin = \"redact\"\nstreams = [\"contacts\"]\n\
                settings = { rules = [{ columns = [\"property_phone\"], action = { mask = { text = \"XXX\" } } }] }\n";
    workspace.pipeline(&[&history_of(&workspace, &format!("{PROPERTIES:?}")), mask, &workspace.file_sink(), LONG]);
    workspace.run(0);
    assert_eq!(of_history(&workspace)["slices_taken_over"], 0);
    assert_eq!(asked(&workspace) - before, REQUESTS);
    assert_whole_and_tidy(&workspace, &workspace.path().join("tables"));
    let phones = versions(&workspace).into_iter().filter(|(_, name, _)| name == "phone");
    assert!(
        phones.filter_map(|(.., value)| value).all(|value| value == "XXX"),
        "nothing of the unmasked slices stands there"
    );
}
