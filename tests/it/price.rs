//! What a plan says that a run will cost, against what the run asks.

use http::Method;
use serde_json::Value;
use sluice_simulator::{
    aws, data,
    hubspot::{self, Fault, FaultAction, FaultBody, PathPattern},
};

use crate::harness::{CONTACTS, Workspace, portal};

fn planned(workspace: &Workspace) -> Value {
    let output = workspace.sluice(&["plan", "pipeline.toml", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["price"].clone()
}

/// Requests that have brought rows of records so far: pages, lists of ids, and batches of values. Not the looks of a trial,
/// which ask for one record, and not searches.
fn asked(workspace: &Workspace, type_id: &str) -> u64 {
    let is_page = |request: &&hubspot::LoggedRequest| {
        let lists =
            request.method == Method::GET && request.query.as_deref().is_some_and(|it| it.contains("limit=100"));
        let is_batch = |id: &str| request.path.ends_with(&format!("/{id}/batch/read"));
        let is_trial = request.body.matches("\"id\"").count() == 1;
        (request.path.ends_with(&format!("/{type_id}")) && request.path.contains("/objects/") && lists)
            || (is_batch(type_id) && !is_trial)
    };
    workspace.hubspot.requests().iter().filter(is_page).count() as u64
}

#[test]
fn a_run_asks_what_its_price_says() {
    for extra_properties in [0, 900] {
        let data = data::Options { contacts: CONTACTS, extra_properties, ..data::Options::default() };
        let workspace = Workspace::with(hubspot::Options { data, ..portal() }, aws::Options::default());
        let source = workspace.source("streams = [\"contacts\", \"companies\", \"deals\"]");
        workspace.pipeline(&[&source, &workspace.file_sink()]);
        let price = planned(&workspace);
        let types = ["0-1", "0-2", "0-3"];
        assert!(types.iter().all(|type_id| asked(&workspace, type_id) == 0), "a price reads nothing");
        let output = workspace.sluice(&["run", "pipeline.toml"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (stream, type_id) in price["streams"].as_array().unwrap().iter().zip(types) {
            assert_eq!(stream["requests"], asked(&workspace, type_id), "{extra_properties} {stream}");
        }
        let contacts = &price["streams"][0];
        let requests = if extra_properties == 0 { 5 } else { 10 };
        assert_eq!((&contacts["rows"], &contacts["requests"]), (&CONTACTS.into(), &requests.into()));
        let total: u64 = types.iter().map(|type_id| asked(&workspace, type_id)).sum();
        assert_eq!(price["total"]["requests"], total);
        assert_eq!(price["limit"]["requests"], 171);
        assert_eq!(price["total"]["share_of_day"], total as f64 / price["day"]["limit"].as_f64().unwrap());
    }
}

/// With the ids of records that are read anyway, and with ids that have to be listed.
#[test]
fn links_and_members_cost_what_is_said() {
    for (streams, of_links, of_members) in [
        (r#"["companies", "contacts", "associations:companies:contacts", "list_memberships:contacts"]"#, 1, 5),
        (
            r#"["associations:companies:contacts", "associations:companies:companies", "list_memberships:contacts"]"#,
            2,
            23,
        ),
    ] {
        let workspace = Workspace::new();
        workspace.pipeline(&[&workspace.source(&format!("streams = {streams}")), &workspace.file_sink()]);
        let price = planned(&workspace);
        let of = |stream: &str| {
            let mut streams = price["streams"].as_array().unwrap().iter();
            streams.find(|it| it["stream"] == stream).unwrap()["requests"].as_u64().unwrap()
        };
        assert_eq!((of("associations:companies:contacts"), of("list_memberships:contacts")), (of_links, of_members));
        let before = workspace.hubspot.requests().len();
        let output = workspace.sluice(&["run", "pipeline.toml"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let trial = |request: &hubspot::LoggedRequest| request.body == r#"{"inputs":[{"id":"1"}]}"#;
        let requests = workspace.hubspot.requests();
        let asked = |parts: &[&str]| {
            let asked = requests[before..].iter().filter(|it| parts.iter().any(|part| it.path.contains(part)));
            asked.filter(|it| !trial(it)).count() as u64
        };
        let listed = requests[before..].iter().filter(|it| {
            it.path.ends_with("/0-2")
                && it.query.as_deref().is_some_and(|query| query.contains("properties=hs_object_id&"))
        });
        assert_eq!(asked(&["/0-2/0-1/batch/read"]) + listed.count() as u64, of_links, "{streams}");
        assert_eq!(asked(&["/memberships"]), of_members, "{streams}");
    }
}

#[test]
fn what_is_not_told_has_no_price_and_is_no_failure() {
    let forbidden = |path: &str| Fault {
        path: PathPattern::Contains(path.to_owned()),
        method: None,
        occurrences: 0..u64::MAX,
        action: FaultAction::Status { status: 403, body: FaultBody::Json, retry_after: None },
    };
    let faults = vec![forbidden("/account-info/"), forbidden("/0-2/search")];
    let workspace = Workspace::with(hubspot::Options { faults, ..portal() }, aws::Options::default());
    let source = workspace.source("streams = [\"contacts\", \"companies\"]");
    workspace.pipeline(&[&source, &workspace.file_sink()]);
    let price = planned(&workspace);
    assert_eq!((&price["day"], &price["total"]["share_of_day"]), (&Value::Null, &Value::Null));
    assert_eq!((&price["streams"][1]["requests"], &price["total"]["requests"]), (&Value::Null, &5.into()));
    let told = workspace.told(&["plan", "pipeline.toml"]);
    assert!(told.contains("HubSpot does not count them: companies"), "{told}");
    assert!(told.contains("HubSpot does not tell this token"), "{told}");
}

#[test]
fn a_check_says_when_the_day_has_too_little_left() {
    let options = hubspot::Options { requests_per_day: 52, ..portal() };
    let data = data::Options { contacts: 5_000, ..options.data.clone() };
    let workspace = Workspace::with(hubspot::Options { data, ..options }, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let told = workspace.told(&["check", "pipeline.toml"]);
    assert!(told.starts_with("exit code 0\n"), "{told}");
    assert!(told.contains("contacts: 5000 rows, 50 requests, 0.0 min"), "{told}");
    assert!(told.contains("a run needs more than is left today: "), "{told}");
}

#[test]
fn a_plan_that_asks_nobody_has_no_price() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    workspace.write("schema.json", workspace.sluice(&["discover", "pipeline.toml", "--format", "json"]).stdout);
    let offline = ["plan", "pipeline.toml", "--offline", "--schema", "schema.json"];
    let told = workspace.told(&offline);
    assert!(told.contains("price of reading: not known, since nobody is asked"), "{told}");
    let json = workspace.sluice(&[&offline[..], &["--format", "json"]].concat());
    assert_eq!(serde_json::from_slice::<Value>(&json.stdout).unwrap()["price"], Value::Null);
}
