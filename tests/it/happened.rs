//! Events: what has happened to records, of which records, at which price, and what is told where they cannot be read.

use std::{collections::BTreeMap, fs, path::PathBuf};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::Value;
use sluice_simulator::{
    aws, data,
    hubspot::{self, Fault, FaultAction, LoggedRequest, PathPattern},
    truth,
};

use crate::harness::{CONTACTS, Workspace, portal};

/// Types that happen, by the names of their streams: HubSpot's own, an app's, the account's.
const TYPES: &str = "[\"visited_page\", \"form_submission_v2\", \"consultation_booked\"]";

fn account() -> hubspot::Options {
    hubspot::Options { requests_per_10s: 100_000, ..portal() }
}

fn workspace(options: hubspot::Options) -> Workspace {
    Workspace::with(options, aws::Options::default())
}

/// Events of contacts, with these lines, beside what `streams` says.
fn write(workspace: &Workspace, streams: &str, events: &str, sink: &str) {
    let source = workspace.source(&format!("streams = {streams}\nevents = {{ of = \"contacts\", {events} }}"));
    workspace.pipeline(&[&source, &(workspace.file_sink() + sink)]);
}

fn occurrences(workspace: &Workspace) -> Vec<LoggedRequest> {
    let requests = workspace.hubspot.requests();
    // With a limit of one it is the trial, and without a record the look at what the newest hold.
    let is_read = |request: &LoggedRequest| {
        let query = request.query.as_deref().unwrap_or_default();
        request.path.contains("/event-occurrences/") && query.contains("objectId") && query.contains("limit=100")
    };
    requests.into_iter().filter(is_read).collect()
}

fn truth(options: &hubspot::Options, file: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    truth::write(folder.path(), &options.data).unwrap();
    let text = fs::read_to_string(folder.path().join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a table of the newest commit, by the event's id: the record, and the texts of the other columns.
fn rows(workspace: &Workspace, table: &str) -> BTreeMap<String, BTreeMap<String, Option<String>>> {
    let commit = workspace.commit();
    let table = commit["tables"].as_array().unwrap().iter().find(|it| it["name"] == table).unwrap().clone();
    let mut rows = BTreeMap::new();
    for file in table["files"].as_array().unwrap() {
        let file = fs::File::open(PathBuf::from(file["url"].as_str().unwrap())).unwrap();
        for row in SerializedFileReader::new(file).unwrap().get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let text = |value: &Field| match value {
                Field::Null => None,
                Field::Str(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            let row: BTreeMap<String, _> =
                row.get_column_iter().map(|(name, value)| (name.clone(), text(value))).collect();
            let id = row["id"].clone().unwrap();
            assert!(rows.insert(id, row).is_none(), "an event is a row once");
        }
    }
    rows
}

/// The contacts' events of a type in the truth, by id: the record.
fn expected(events: &[Value], full_name: &str) -> BTreeMap<String, String> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let of_type = events.iter().filter(|event| event["eventType"] == full_name && event["objectTypeId"] == "0-1");
    of_type.map(|event| (text(event, "id"), text(event, "objectId"))).collect()
}

#[test]
fn every_event_is_a_row_and_costs_what_was_said() {
    let options = hubspot::Options { repeated_occurrences: true, ..account() };
    let workspace = workspace(options.clone());
    write(&workspace, "[\"contacts\"]", &format!("types = {TYPES}, records = \"all\""), "layout = \"both\"\n");
    let planned = workspace.sluice(&["plan", "pipeline.toml", "--format", "json"]);
    assert!(planned.status.success(), "{}", String::from_utf8_lossy(&planned.stderr));
    let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
    let prices = planned["price"]["streams"].as_array().unwrap().iter();
    let price: u64 = prices
        .filter(|price| price["stream"].as_str().unwrap().starts_with("events:"))
        .map(|price| price["requests"].as_u64().unwrap())
        .sum();
    workspace.run(0);
    let events = truth(&options, "events.ndjson");
    let mut all = 0;
    for (name, full_name) in [
        ("visited_page", "e_visited_page"),
        ("form_submission_v2", "e_form_submission_v2"),
        ("consultation_booked", "pe48012345_consultation_booked"),
    ] {
        let found = rows(&workspace, &format!("events_{name}"));
        let expected = expected(&events, full_name);
        assert!(!expected.is_empty());
        let records = found.iter().map(|(id, row)| (id.clone(), row["objectId"].clone().unwrap()));
        assert_eq!(records.collect::<BTreeMap<_, _>>(), expected, "{name}");
        assert!(found.values().all(|row| row["objectTypeId"].as_deref() == Some("0-1")));
        all += found.len();
    }
    assert_eq!(rows(&workspace, "events").len(), all, "all of them in one table");
    // A record with more than a hundred events has another page.
    let sent = occurrences(&workspace).len() as u64;
    assert_eq!(price, 3 * CONTACTS);
    assert!(sent >= price && sent * 100 <= price * 105, "{sent} requests at the price of {price}");
    // What is withheld is never asked for.
    let of_booked = |request: &&LoggedRequest| request.query.as_ref().unwrap().contains("consultation_booked");
    let queries: Vec<String> =
        occurrences(&workspace).iter().filter(of_booked).map(|request| request.query.clone().unwrap()).collect();
    assert!(queries.iter().all(|query| query.contains("properties=") && !query.contains("complaint")), "{queries:?}");
    let booked = rows(&workspace, "events_consultation_booked").into_values().next().unwrap();
    assert!(!booked.contains_key("property_complaint"), "{booked:?}");
}

#[test]
fn of_a_list_and_of_what_has_changed_no_more_is_asked() {
    let options = account();
    let lists = truth(&options, "lists.ndjson");
    let members = truth(&options, "list_memberships.ndjson");
    let is_small = |list: &&Value| {
        let members = list["size"].as_u64().unwrap();
        list["objectTypeId"] == "0-1" && (10..200).contains(&members)
    };
    let list = lists.iter().find(is_small).unwrap();
    let in_list: Vec<&str> = members
        .iter()
        .filter(|member| member["listId"] == list["listId"])
        .map(|member| member["recordId"].as_str().unwrap())
        .collect();
    let workspace = workspace(options.clone());
    let by_id = format!("records = {{ list = {} }}", list["listId"]);
    write(&workspace, "[\"owners\"]", &format!("types = [\"visited_page\"], {by_id}"), "");
    workspace.run(0);
    let events = expected(&truth(&options, "events.ndjson"), "e_visited_page");
    let of_members: BTreeMap<_, _> =
        events.into_iter().filter(|(_, record)| in_list.contains(&record.as_str())).collect();
    let found = rows(&workspace, "events_visited_page");
    assert_eq!(found.keys().collect::<Vec<_>>(), of_members.keys().collect::<Vec<_>>());
    let pages = |record: &&&str| of_members.values().filter(|of| of == *record).count().div_ceil(100).max(1);
    assert_eq!(occurrences(&workspace).len(), in_list.iter().map(|record| pages(&record)).sum::<usize>());

    // Of those that have changed since then, whose ids the reading of the records has kept.
    let contacts = truth(&options, "contacts.ndjson");
    let mut times: Vec<&str> = contacts.iter().map(|contact| contact["updatedAt"].as_str().unwrap()).collect();
    times.sort_unstable();
    let since = times[times.len() / 2];
    let changed = times.iter().filter(|time| **time >= since).count();
    let before = occurrences(&workspace).len();
    let pages = || workspace.hubspot.requests().iter().filter(|it| crate::harness::is_page(it)).count();
    let pages_before = pages();
    let scope = format!("types = [\"visited_page\"], records = {{ changed_since = \"{since}\" }}");
    write(&workspace, "[\"contacts\"]", &scope, "");
    workspace.run(0);
    let asked = occurrences(&workspace).len() - before;
    assert!(asked >= changed && asked < changed + changed / 10, "{asked} requests about {changed} records");
    assert_eq!(pages() - pages_before, CONTACTS.div_ceil(100) as usize, "no id is listed twice");
}

#[test]
fn events_of_long_ago_are_left_out() {
    let options = account();
    let workspace = workspace(options.clone());
    let events = truth(&options, "events.ndjson");
    let visits = events.iter().filter(|event| event["eventType"] == "e_visited_page" && event["objectTypeId"] == "0-1");
    let mut times: Vec<&str> = visits.map(|event| event["occurredAt"].as_str().unwrap()).collect();
    times.sort_unstable();
    let since = times[times.len() / 2];
    let scope = format!("types = [\"visited_page\"], records = \"all\", since = \"{since}\"");
    write(&workspace, "[\"owners\"]", &scope, "");
    workspace.run(0);
    let later = times.iter().filter(|time| **time >= since).count();
    assert_eq!(rows(&workspace, "events_visited_page").len(), later);
}

#[test]
fn what_takes_too_much_of_a_day_is_refused_with_the_line_that_allows_it() {
    let workspace = workspace(hubspot::Options { requests_per_day: 2_000, ..account() });
    let of_types = |types: &str| format!("types = {types}, records = \"all\"");
    write(&workspace, "[\"contacts\"]", &of_types(TYPES), "");
    for command in ["plan", "run"] {
        let output = workspace.sluice(&[command, "pipeline.toml"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("would take 1500 requests, 75 % of what the account allows in a day"), "{told}");
        assert!(told.contains("at_most = 0.75"), "{told}");
    }
    let checked = workspace.sluice(&["check", "pipeline.toml"]);
    let told = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(2), "{told}");
    assert!(told.contains("at_most = 0.75"), "{told}");
    assert_eq!(occurrences(&workspace).len(), 0);
    let source = workspace.source(&format!(
        "streams = [\"contacts\"]\nat_most = 0.75\nevents = {{ of = \"contacts\", {} }}",
        of_types(TYPES)
    ));
    workspace.pipeline(&[&source, &workspace.file_sink()]);
    assert!(workspace.sluice(&["plan", "pipeline.toml"]).status.success());
}

#[test]
fn what_is_not_there_is_told() {
    let plain = workspace(account());
    for (scope, expected) in [
        ("types = [\"visted_page\"], records = \"all\"", "no type of events is called `visted_page`"),
        ("types = [\"visited_page\"], records = { list = \"Nobody\" }", "the account has no list `Nobody`"),
        ("types = [\"v*\"], records = { list = \"Nobody\" }", "the account has no list `Nobody`"),
    ] {
        write(&plain, "[\"contacts\"]", scope, "");
        let told = plain.run(2);
        assert!(told.contains(expected), "{told}");
    }
    let without = workspace(hubspot::Options { events: false, ..account() });
    write(&without, "[\"contacts\"]", "types = [\"*\"], records = \"all\"", "");
    let told = without.run(2);
    assert!(told.contains("`events` cannot be read"), "{told}");
    assert!(!without.path().join("tables/_sluice/commits").exists());
}

#[test]
fn a_type_of_events_that_vanishes_while_it_is_read_commits_nothing() {
    let gone = Fault {
        path: PathPattern::Contains("/event-occurrences/".to_owned()),
        method: None,
        occurrences: 100..101,
        action: FaultAction::EventTypeGone { event_type: "e_visited_page".to_owned() },
    };
    let workspace = workspace(hubspot::Options { faults: vec![gone], ..account() });
    write(&workspace, "[\"owners\"]", "types = [\"visited_page\"], records = \"all\"", "");
    let told = workspace.run(2);
    assert!(told.contains("stream `events:visited_page` cannot be read"), "{told}");
    assert!(!workspace.path().join("tables/_sluice/commits").exists());
}

/// Long streams are read in slices, side by side: one that has none at work is not over while it has some to give.
#[test]
fn several_long_streams_are_all_read_to_their_ends() {
    let options = account();
    for readers in [1, 2, 5] {
        let workspace = workspace(options.clone());
        let events = format!("events = {{ of = \"contacts\", types = {TYPES}, records = \"all\" }}");
        let source = workspace.source(&format!("streams = [\"contacts\"]\n{events}"));
        let run_spec = format!("[run]\nkeep_after = \"1ms\"\nstreams_at_once = {readers}\n");
        workspace.pipeline(&[&source, &workspace.file_sink(), &run_spec]);
        workspace.run(0);
        let events = truth(&options, "events.ndjson");
        for (name, full_name) in [("visited_page", "e_visited_page"), ("form_submission_v2", "e_form_submission_v2")] {
            let found = rows(&workspace, &format!("events_{name}"));
            assert_eq!(found.len(), expected(&events, full_name).len(), "{name} by {readers} readers");
        }
    }
}

#[test]
fn at_the_end_of_the_day_what_was_read_is_kept() {
    let data = data::Options { contacts: 400, ..data::Options::default() };
    // Some 30 requests are discovery and ids.
    let options = hubspot::Options { data, requests_per_day: 300, ..account() };
    let workspace = workspace(options);
    let source = workspace.source(
        "streams = [\"contacts\"]\nat_most = 3\n\
         events = { of = \"contacts\", types = [\"visited_page\"], records = \"all\" }",
    );
    workspace.pipeline(&[&source, &workspace.file_sink(), "[run]\nkeep_after = \"1ms\"\n"]);
    let told = workspace.run(1);
    assert!(told.contains("daily limit") && told.contains("kept for a day: the next run goes on from there"), "{told}");
    assert!(workspace.path().join("tables/_sluice/kept/test").exists());
}
