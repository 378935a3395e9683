//! Runs through what HubSpot, networks and gateways do: nothing is lost, nothing is taken for absent, and what is missing is
//! known before anything is read.

use std::{collections::BTreeSet, fs, path::PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use sluice_simulator::{
    aws,
    hubspot::{self, Fault, FaultAction, FaultBody, PathPattern},
};

use crate::harness::{CONTACTS, Workspace, is_page, on_records, portal};

/// Of faults that do not pass, a second is enough.
const IMPATIENT: &str = "[run]\npatience = \"1s\"\n";

fn status(status: u16, body: FaultBody) -> FaultAction {
    FaultAction::Status { status, body, retry_after: None }
}

fn fault(path: &str, occurrences: std::ops::Range<u64>, action: FaultAction) -> Fault {
    Fault { path: PathPattern::Contains(path.to_owned()), method: None, occurrences, action }
}

fn with(faults: Vec<Fault>) -> Workspace {
    Workspace::with(hubspot::Options { faults, ..portal() }, aws::Options::default())
}

/// A run of these streams; what it says.
fn run(workspace: &Workspace, streams: &str, lines: &str, exit_code: i32) -> String {
    let source = workspace.source(&format!("streams = {streams}\n{lines}"));
    workspace.pipeline(&[&source, &workspace.file_sink(), IMPATIENT]);
    workspace.run(exit_code)
}

/// The rows of all tables as text, without the time of the run.
fn rows(workspace: &Workspace) -> BTreeSet<String> {
    let commit = workspace.commit();
    let mut rows = BTreeSet::new();
    for table in commit["tables"].as_array().unwrap() {
        for file in table["files"].as_array().unwrap() {
            let path = PathBuf::from(file["url"].as_str().unwrap());
            let file = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
            for row in file.get_row_iter(None).unwrap() {
                let row = row.unwrap();
                let values = row.get_column_iter().filter(|(name, _)| *name != "ingestedAt");
                let values: Vec<String> = values.map(|(name, value)| format!("{name}={value}")).collect();
                rows.insert(format!("{}: {}", table["name"], values.join(" ")));
            }
        }
    }
    rows
}

const STREAMS: &str = r#"["contacts", "companies", "vehicle", "owners", "pipelines", "property_definitions"]"#;

#[test]
fn a_run_through_faults_of_every_kind_ends_equal_to_the_truth() {
    let clean = Workspace::new();
    run(&clean, STREAMS, "", 0);
    let truth = rows(&clean);
    assert!(truth.len() > CONTACTS as usize);

    // Each request fails with 30 %, in one way or another.
    let kinds = [
        status(502, FaultBody::Html),
        status(503, FaultBody::Empty),
        FaultAction::CutBody { after: 10 },
        status(404, FaultBody::Html),
        status(403, FaultBody::Gateway),
        status(400, FaultBody::Text),
        status(524, FaultBody::Html),
    ];
    let flapping = (0..400_u64).filter(|number| number * 7 % 10 < 3);
    let faults = flapping.map(|number| fault("/crm", number..number + 1, kinds[number as usize % 7].clone())).collect();
    let flapping = with(faults);
    flapping.pipeline(&[&flapping.source(&format!("streams = {STREAMS}")), &flapping.file_sink()]);
    let output = flapping.sluice(&["run", "pipeline.toml", "--report", "report.json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(rows(&flapping), truth);
    assert!(flapping.report()["api"]["retries"].as_u64().unwrap() > 10);

    // Nobody is answered for a while.
    let down = with(vec![fault("/crm/objects/", 3..30, status(502, FaultBody::Html))]);
    down.pipeline(&[&down.source(&format!("streams = {STREAMS}")), &down.file_sink()]);
    let output = down.sluice(&["run", "pipeline.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(rows(&down), truth);
}

#[test]
fn what_a_gateway_says_makes_nothing_vanish() {
    for (path, streams) in [
        ("/pipelines/2026-09/0-3", r#"["pipelines"]"#),
        ("/properties/2026-09/0-1", r#"["contact*", "owners"]"#),
        ("/crm-object-schemas/", r#"["v*", "owners"]"#),
    ] {
        let clean = Workspace::new();
        run(&clean, streams, "", 0);
        for action in [
            status(404, FaultBody::Html),
            status(404, FaultBody::Empty),
            status(404, FaultBody::Gateway),
            status(400, FaultBody::Text),
            status(403, FaultBody::Html),
        ] {
            let once = with(vec![fault(path, 0..1, action.clone())]);
            once.pipeline(&[&once.source(&format!("streams = {streams}")), &once.file_sink()]);
            let output = once.sluice(&["run", "pipeline.toml", "--quiet"]);
            assert!(output.status.success(), "{path} {action:?} {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(rows(&once), rows(&clean), "{path} {action:?}");
        }
        let always = with(vec![fault(path, 0..u64::MAX, status(404, FaultBody::Html))]);
        let told = run(&always, streams, "", 1);
        assert!(told.contains("the answer is an HTML page"), "{told}");
        assert!(!always.path().join("tables/_sluice/commits").exists(), "{path}");
    }
}

#[test]
fn a_table_of_definitions_that_lost_a_part_stays_as_it_was() {
    // Not in the first run, and in every later one: HubSpot's own word.
    let workspace = with(vec![fault("/pipelines/2026-09/0-3", 1..u64::MAX, status(403, FaultBody::Json))]);
    run(&workspace, r#"["pipelines", "owners"]"#, "", 0);
    let before = workspace.commit();
    let told = run(&workspace, r#"["pipelines", "owners"]"#, "", 3);
    assert!(told.contains("`pipelines`; stream `pipelines` lacks parts that it has"), "{told}");
    assert!(told.contains("`deals`"), "{told}");
    let after = workspace.commit();
    let table = |commit: &serde_json::Value, name: &str| {
        commit["tables"].as_array().unwrap().iter().find(|table| table["name"] == name).unwrap().clone()
    };
    assert_eq!(table(&before, "pipelines"), table(&after, "pipelines"));
    assert_ne!(table(&before, "owners"), table(&after, "owners"));
    assert_eq!(workspace.report()["kept"][0]["why"], "lost_parts");
    let files = fs::read_dir(workspace.path().join("tables/pipelines")).unwrap();
    let files: usize = files.map(|run| fs::read_dir(run.unwrap().path()).unwrap().count()).sum();
    assert_eq!(files, 1, "what was read of it is taken back");
}

#[test]
fn object_types_are_those_that_the_account_has() {
    let absent = with(vec![fault("/properties/2026-09/0-7", 0..u64::MAX, status(404, FaultBody::Json))]);
    run(&absent, r#"["object_and_event_type_definitions"]"#, "", 0);
    let rows = rows(&absent);
    let has = |id: &str| rows.iter().any(|row| row.contains(&format!("objectTypeId=\"{id}\"")));
    assert!(has("0-1") && has("2-13370001") && !has("0-7"), "{rows:?}");
}

fn without_owners() -> Workspace {
    let text = hubspot::TOKEN.to_owned();
    let scopes = ["crm.objects.contacts.read", "crm.schemas.contacts.read", "crm.schemas.custom.read"];
    let token = hubspot::Token { text, scopes: hubspot::Scopes::Only(scopes.map(str::to_owned).into()) };
    Workspace::with(hubspot::Options { tokens: vec![token], ..portal() }, aws::Options::default())
}

#[test]
fn a_missing_scope_is_known_before_anything_is_read() {
    let pages = |workspace: &Workspace| workspace.hubspot.requests().iter().filter(|it| is_page(it)).count();
    let named = without_owners();
    let told = run(&named, r#"["contacts", "owners"]"#, "", 2);
    assert!(told.contains("stream `owners` cannot be read") && told.contains("crm.objects.owners.read"), "{told}");
    assert_eq!(pages(&named), 0);
    run(&named, r#"["contacts", "owners"]"#, "on_missing_scope = \"skip\"", 0);
    assert_eq!(named.report()["unreadable"][0]["stream"], "owners");
    assert_eq!(named.report()["unreadable"][0]["absent"], false);

    let by_glob = without_owners();
    run(&by_glob, r#"["contact*", "own*"]"#, "on_missing_scope = \"fail\"", 2);
    assert_eq!(pages(&by_glob), 0);
    let told = run(&by_glob, r#"["contact*", "own*"]"#, "", 0);
    assert!(told.contains("the token may not see") && told.contains("`owners`"), "{told}");
}

#[test]
fn records_that_may_not_be_seen_are_known_before_anything_is_read() {
    // The properties of tickets may be listed; in the first run (a look, then a page), their records too. How many there are
    // is asked by a search, which has nothing to do with it.
    let workspace = with(vec![on_records("0-5", 2..u64::MAX, status(403, FaultBody::Json))]);
    run(&workspace, r#"["contact*", "ticket*"]"#, "", 0);
    let pages = || workspace.hubspot.requests().iter().filter(|it| is_page(it) && it.path.ends_with("/0-5")).count();
    let before = pages();
    let told = run(&workspace, r#"["contact*", "ticket*"]"#, "", 3);
    assert!(told.contains("`objects_tickets`; stream `tickets` cannot be read"), "{told}");
    assert_eq!(pages(), before);
    run(&workspace, r#"["contacts", "tickets"]"#, "", 2);
}

#[test]
fn a_property_that_is_archived_in_mid_run_leaves_no_half_a_column() {
    // One look, then five pages a reading.
    for (known, exit_code) in [([3..6, 6..1000], 0), ([3..6, 8..1000], 3)] {
        let archived = || FaultAction::Archived { property: "phone".to_owned() };
        let pages = known.into_iter().map(|pages| on_records("0-1", pages, archived()));
        // Three lists before, and three after each reading.
        let lists = fault("/properties/2026-09/0-1", 3..u64::MAX, archived());
        let workspace = with(pages.chain([lists]).collect());
        workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
        let output = workspace.sluice(&["run", "pipeline.toml", "--quiet", "--report", "report.json"]);
        assert_eq!(output.status.code(), Some(exit_code), "{}", String::from_utf8_lossy(&output.stderr));
        let pages = workspace.hubspot.requests().iter().filter(|request| is_page(request)).count();
        assert_eq!(pages, 10, "it is read once more, and not again");
        let contacts = &workspace.report()["streams"][0];
        let phones = rows(&workspace).iter().filter(|row| !row.contains("property_phone=null")).count();
        if exit_code == 0 {
            assert_eq!((&contacts["unnamed"], phones), (&serde_json::json!(["phone"]), 0));
        } else {
            assert_eq!(contacts["cut"], serde_json::json!(["phone"]));
            assert!(phones > 0);
            assert_eq!(workspace.report()["outcome"], "partial");
        }
    }
}

#[test]
fn columns_that_came_or_went_are_told() {
    let workspace = Workspace::new();
    let without = "[[source.columns]]\nexclude = [\"property_email\"]";
    run(&workspace, r#"["contacts"]"#, "", 0);
    assert_eq!(workspace.report()["streams"][0]["tables"][0]["drift"], serde_json::json!([]));
    let told = run(&workspace, r#"["contacts"]"#, without, 0);
    assert!(told.contains("contacts: columns since the last commit, gone: `property_email`"), "{told}");
    let gone = serde_json::json!([{ "column": "property_email", "before": "text", "now": null }]);
    assert_eq!(workspace.report()["streams"][0]["tables"][0]["drift"], gone);
}

#[test]
fn clashes_of_names_stop_nothing_and_are_told() {
    let replaced = |path: &str, text: &str, by: &str| {
        fault(path, 0..u64::MAX, FaultAction::Replaced { text: text.to_owned(), by: by.to_owned() })
    };
    let workspace = with(vec![
        replaced("/properties/2026-09/0-1", r#""name":"lastname""#, r#""name":"Email""#),
        replaced("/crm-object-schemas/", r#""name":"Deals""#, r#""name":"vehicle""#),
    ]);
    let told = run(&workspace, r#"["*"]"#, "exclude = [\"association*\"]", 0);
    assert!(told.contains("contacts: property `Email` is column `property_email_"), "{told}");
    for type_id in ["2_13370001", "2_13370002"] {
        let stream = format!("custom_vehicle_{type_id}");
        assert!(told.contains(&format!("object type `vehicle` is stream `{stream}`")), "{told}");
        let tables = workspace.commit()["tables"].as_array().unwrap().clone();
        assert!(tables.iter().any(|table| table["name"] == format!("objects_{stream}")));
    }
    let renamed = &workspace.report()["streams"][0]["renamed"][0];
    assert_eq!((&renamed["property"], &renamed["shared"]), (&"Email".into(), &"property_Email".into()));
    let planned = workspace.sluice(&["plan", "pipeline.toml"]);
    let planned = String::from_utf8(planned.stdout).unwrap();
    assert!(planned.contains("property `Email` is column") && planned.contains("object type `vehicle`"), "{planned}");

    // Who names the type has to say which.
    let told = run(&workspace, r#"["vehicle"]"#, "", 2);
    assert!(told.contains("2 object types of the account are called `vehicle`"), "{told}");
    assert!(told.contains("`custom_vehicle_2_13370001` or `custom_vehicle_2_13370002`"), "{told}");
    run(&workspace, r#"["2-13370001"]"#, "", 0);
    // A line that spells the property as HubSpot does means it still, and no other.
    let rule = "[[source.columns]]\nstreams = [\"contacts\"]\nexclude = [\"property_Email\"]";
    run(&workspace, r#"["contacts"]"#, rule, 0);
    let columns = workspace.commit()["tables"][0]["columns"].to_string();
    assert!(columns.contains("\"property_email\"") && !columns.contains("property_email_969ccbd3"), "{columns}");
    // `redact` takes a name for both of the columns that it may mean.
    let transform = "[[transform]]\nname = \"scrub\"\nplugin = \"redact\"\n\
                     settings.rules = [{ columns = [\"property_Email\"], action = \"drop\" }]\n";
    let source = workspace.source("streams = [\"contacts\"]");
    workspace.pipeline(&[&source, transform, &workspace.file_sink()]);
    assert!(workspace.sluice(&["run", "pipeline.toml"]).status.success());
    let columns = workspace.commit()["tables"][0]["columns"].to_string();
    assert!(!columns.contains("\"property_email\"") && !columns.contains("property_email_969ccbd3"), "{columns}");
}
