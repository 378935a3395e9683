//! What was read is held against what HubSpot counts, before and, where that differs, after.

use std::{fs, ops::Range, time::Instant};

use serde_json::{Value, json};
use sluice_simulator::{
    aws,
    hubspot::{self, Fault, FaultAction, FaultBody, PathPattern},
};

use crate::harness::{CONTACTS, Workspace, data_files, on_records, portal};

const STRICT: &str = "[run]\nledger = \"strict\"\n";

/// Something that happens to some of the searches for contacts.
fn searches(occurrences: Range<u64>, action: FaultAction) -> Fault {
    Fault { path: PathPattern::Contains("/0-1/search".to_owned()), method: None, occurrences, action }
}

/// A count that is not what it is.
fn counted(total: &Value) -> FaultAction {
    FaultAction::Replaced { text: format!("\"total\":{CONTACTS}"), by: format!("\"total\":{total}") }
}

fn with(faults: Vec<Fault>) -> Workspace {
    Workspace::with(hubspot::Options { faults, ..portal() }, aws::Options::default())
}

fn run(workspace: &Workspace, streams: &str, rule: &str, exit_code: i32) -> String {
    let source = workspace.source(&format!("streams = {streams}"));
    workspace.pipeline(&[&source, &workspace.file_sink(), rule]);
    workspace.run(exit_code)
}

/// How often contacts were counted.
fn counts(workspace: &Workspace) -> usize {
    workspace.hubspot.requests().iter().filter(|request| request.path.ends_with("/0-1/search")).count()
}

fn ledger(before: Option<u64>, after: Option<u64>, complete: Option<bool>) -> Value {
    json!({
        "before": before, "after": after, "read": CONTACTS, "dropped": 0, "rejected": 0, "written": CONTACTS,
        "complete": complete,
    })
}

#[test]
fn a_stream_of_which_all_that_is_counted_was_read_is_complete() {
    let workspace = Workspace::new();
    let told = run(&workspace, r#"["contacts", "owners"]"#, STRICT, 0);
    assert!(!told.contains("HubSpot counts") && !told.contains("not counted"), "{told}");
    let complete = ledger(Some(CONTACTS), None, Some(true));
    assert_eq!(workspace.report()["streams"][0]["ledger"], complete);
    assert_eq!(workspace.report()["streams"][1]["ledger"]["complete"], Value::Null, "owners are not of a kind that is");
    assert_eq!(workspace.commit()["tables"][0]["streams"][0]["ledger"], complete);
    let stored = fs::read(workspace.path().join("tables/_sluice/commits/00000000000000000001.json")).unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(stored["tables"]["objects_contacts"]["streams"][0]["ledger"], complete);
    assert_eq!(counts(&workspace), 1, "nobody has to ask again");
}

#[test]
fn what_lies_between_the_two_counts_is_complete() {
    let workspace = with(vec![searches(0..1, counted(&json!(CONTACTS - 1)))]);
    let told = run(&workspace, r#"["contacts"]"#, STRICT, 0);
    assert!(!told.contains("HubSpot counts"), "{told}");
    let between = ledger(Some(CONTACTS - 1), Some(CONTACTS), Some(true));
    assert_eq!(workspace.report()["streams"][0]["ledger"], between);
}

#[test]
fn what_lies_outside_is_told_and_where_the_file_is_strict_the_run_is_partial() {
    for (rule, exit_code, outcome) in [("", 0, "complete"), (STRICT, 3, "partial")] {
        let workspace = with(vec![searches(0..u64::MAX, counted(&json!(CONTACTS + 1)))]);
        let told = run(&workspace, r#"["contacts", "companies"]"#, rule, exit_code);
        let line = "contacts: 500 records were read, and HubSpot counts 501 before and 501 after it";
        assert_eq!(told.matches(line).count(), 2, "in the log and in the report: {told}");
        assert!(!told.contains("companies: 100 records"), "{told}");
        let report = workspace.report();
        let outside = ledger(Some(CONTACTS + 1), Some(CONTACTS + 1), Some(false));
        assert_eq!((&report["streams"][0]["ledger"], &report["outcome"]), (&outside, &json!(outcome)));
        assert_eq!(workspace.commit()["tables"][1]["streams"][0]["ledger"], outside, "the commit stands");
    }
}

#[test]
fn what_is_not_counted_is_told_and_is_no_failure() {
    for action in [
        FaultAction::Status { status: 400, body: FaultBody::Json, retry_after: None },
        FaultAction::Status { status: 502, body: FaultBody::Html, retry_after: None },
        counted(&Value::Null),
        counted(&json!(-1)),
    ] {
        let workspace = with(vec![searches(0..u64::MAX, action)]);
        let told = run(&workspace, r#"["contacts", "companies", "owners"]"#, STRICT, 0);
        let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("not counted by HubSpot")).collect();
        assert!(lines.len() == 1 && lines[0].ends_with(": `contacts`"), "{told}");
        assert_eq!(workspace.report()["streams"][0]["ledger"], ledger(None, None, None));
        assert_eq!(counts(&workspace), 1);
    }
}

/// An account has more types than its search limit has turns.
#[test]
fn every_type_of_an_account_is_counted_in_its_turn() {
    let workspace = Workspace::new();
    run(&workspace, "[\"*\"]\nexclude = [\"association*\", \"list*\"]", STRICT, 0);
    let searches: Vec<Option<u16>> = workspace
        .hubspot
        .requests()
        .iter()
        .filter(|request| request.path.ends_with("/search"))
        .map(|request| request.status)
        .collect();
    let report = workspace.report();
    let complete = report["streams"].as_array().unwrap().iter().filter(|stream| stream["ledger"]["complete"] == true);
    assert!(complete.count() == searches.len() && searches.len() > 5, "{searches:?}");
    assert!(searches.iter().all(|status| *status == Some(200)), "{searches:?}");
}

#[test]
fn a_stream_that_is_read_once_more_is_counted_anew() {
    let archived = || FaultAction::Archived { property: "phone".to_owned() };
    let lists = Fault {
        path: PathPattern::Contains("/properties/2026-09/0-1".to_owned()),
        method: None,
        occurrences: 3..1000,
        action: archived(),
    };
    let pages = [3..6, 6..1000].map(|occurrences| on_records("0-1", occurrences, archived()));
    let workspace = with(pages.into_iter().chain([lists, searches(0..1, counted(&json!(7)))]).collect());
    run(&workspace, r#"["contacts"]"#, STRICT, 0);
    assert_eq!(workspace.report()["streams"][0]["ledger"], ledger(Some(CONTACTS), None, Some(true)));
    assert_eq!(counts(&workspace), 2);
}

#[test]
fn an_interrupt_ends_the_wait_for_a_count() {
    const SOON: std::time::Duration = std::time::Duration::from_secs(5);
    let workspace = with(vec![searches(0..u64::MAX, FaultAction::Hang)]);
    workspace.pipeline(&[&workspace.source(r#"streams = ["contacts"]"#), &workspace.file_sink()]);
    let mut running = workspace.start(&["run", "pipeline.toml", "--quiet"]);
    let tables = workspace.path().join("tables");
    let is_whole = |file: &String| file.ends_with(".parquet");
    running.until("all is read, and the count awaited", |_| data_files(&tables).iter().any(is_whole));
    let interrupted = Instant::now();
    running.interrupt();
    assert_eq!(running.output().status.code(), Some(130));
    assert!(interrupted.elapsed() < SOON, "{:?}", interrupted.elapsed());
    assert!(data_files(&tables).is_empty() && !tables.join("_sluice/commits").exists());
}
