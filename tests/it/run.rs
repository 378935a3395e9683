//! Whole runs against simulated ends: what is requested, what lands, what is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use arrow_array::{Array, ArrayRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_simulator::{aws, data, hubspot};

use crate::{
    child::Running,
    guests::{evil, hello, test_and_build},
    harness::{CONTACTS, Workspace, data_files, is_page, on_records, portal},
};

fn run(workspace: &Workspace, sections: &[&str]) -> String {
    workspace.pipeline(sections);
    let output = workspace.sluice(&["run", "pipeline.toml", "--report", "report.json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    told
}

fn report(workspace: &Workspace) -> serde_json::Value {
    serde_json::from_slice(&fs::read(workspace.path().join("report.json")).unwrap()).unwrap()
}

/// The properties that were asked for in any request.
fn asked_for(workspace: &Workspace) -> String {
    let requests = workspace.hubspot.requests();
    let read = requests.iter().filter(|request| request.path.contains("/objects/"));
    read.flat_map(|request| [request.query.clone().unwrap_or_default(), request.body.clone(), "\n".to_owned()])
        .collect()
}

#[test]
fn everything_the_account_offers_lands_as_tables() {
    // There is a question about each pair of types, and the test is not about the account's limit.
    let workspace = Workspace::with(hubspot::Options { requests_per_10s: 5_000, ..portal() }, aws::Options::default());
    run(&workspace, &[&workspace.source("streams = [\"*\"]"), &workspace.file_sink()]);
    let commit = workspace.commit();
    let rows: BTreeMap<String, u64> = commit["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| (table["name"].as_str().unwrap().to_owned(), table["rows"].as_u64().unwrap()))
        .collect();
    assert_eq!(rows["objects_contacts"], CONTACTS);
    assert_eq!(rows["objects_companies"], CONTACTS / 5);
    assert_eq!(rows["objects_vehicle"], 437);
    for table in [
        "owners",
        "owner_teams",
        "teams",
        "users",
        "pipelines",
        "pipeline_stages",
        "property_definitions",
        "object_and_event_type_definitions",
        "association_definitions",
        "associations_companies_to_contacts",
        "lists",
        "list_memberships",
    ] {
        assert!(rows[table] > 0, "{table}");
    }
    // The awkward custom type has the name of a standard one, and gets one of its own.
    assert_eq!(rows["objects_custom_deals_2_13370002"], 61);
}

#[test]
fn both_families_of_paths_give_the_same_tables() {
    let mut seen = Vec::new();
    for version in ["2026-09", "2026-03", "v3"] {
        let workspace = Workspace::new();
        let source = workspace.source(&format!("streams = [\"contacts\", \"owners\"]\napi_version = \"{version}\""));
        run(&workspace, &[&source, &workspace.file_sink()]);
        let prefix = if version == "v3" { "/crm/v3/".to_owned() } else { format!("/{version}") };
        assert!(workspace.hubspot.requests().iter().all(|request| { request.path.contains(&prefix) }));
        let commit = workspace.commit();
        let tables = commit["tables"].as_array().unwrap().iter();
        seen.push(
            tables.map(|table| (table["name"].clone(), table["columns"].clone(), values(table))).collect::<Vec<_>>(),
        );
    }
    let [newest, others @ ..] = &seen[..] else { unreachable!() };
    let (_, _, contacts) = &newest[0];
    assert_eq!(contacts["objectId"].iter().map(|part| part.len() as u64).sum::<u64>(), CONTACTS);
    for other in others {
        for ((table, columns, values), (other_table, other_columns, other_values)) in newest.iter().zip(other) {
            assert_eq!((table, columns), (other_table, other_columns));
            assert_eq!(values.keys().collect::<Vec<_>>(), other_values.keys().collect::<Vec<_>>(), "{table}");
            for (column, value) in values.iter().filter(|(column, _)| *column != "ingestedAt") {
                assert_eq!(value, &other_values[column], "{column} of {table}");
            }
        }
        assert_eq!(newest.len(), other.len());
    }
}

/// The values of each column of a table of a commit, file by file.
fn values(table: &serde_json::Value) -> BTreeMap<String, Vec<ArrayRef>> {
    let mut values = BTreeMap::<String, Vec<ArrayRef>>::new();
    for file in table["files"].as_array().unwrap() {
        let file = fs::File::open(file["url"].as_str().unwrap()).unwrap();
        let rows = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        for batch in rows.map(Result::unwrap) {
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                values.entry(field.name().clone()).or_default().push(Arc::clone(column));
            }
        }
    }
    values
}

#[test]
fn what_is_dropped_is_never_requested() {
    let workspace = Workspace::new();
    let drop_all = "[[transform]]\nname = \"drop\"\nplugin = \"redact\"\nsettings = { rules = [{ columns = [\"property_*\"], action = \"drop\" }] }\n";
    run(&workspace, &[&workspace.source("streams = [\"contacts\"]"), drop_all, &workspace.file_sink()]);
    let asked = asked_for(&workspace);
    assert!(
        asked.contains("properties=hs_object_id&"),
        "one property is asked for, since none would mean a default set"
    );
    for property in ["email", "firstname", "intake_notes", "lifecyclestage"] {
        assert!(!asked.contains(property), "`{property}` was requested");
    }
    let columns = workspace.commit()["tables"][0]["columns"].as_array().unwrap().len();
    assert_eq!(columns, 4, "the id of the type and the record, and two times");
}

#[test]
fn sensitive_properties_are_never_requested_unless_the_file_asks() {
    let sensitive = ["diagnosis_code", "medical_notes", "insurance_member_id", "passport_number", "primary_physician"];
    let workspace = Workspace::new();
    run(&workspace, &[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let asked = asked_for(&workspace);
    assert!(asked.contains("email"));
    for property in sensitive {
        assert!(!asked.contains(property), "`{property}` was requested");
    }
    workspace.write("token", hubspot::SENSITIVE_TOKEN);
    let sink = workspace.file_sink() + "accepts = [\"sensitive\", \"highly_sensitive\", \"hipaa\"]\n";
    run(&workspace, &[&workspace.source("streams = [\"contacts\"]\nsensitive = \"include\""), &sink]);
    for property in sensitive {
        assert!(asked_for(&workspace).contains(property), "`{property}` was not requested");
    }
}

#[test]
fn very_many_properties_are_read_by_batch_and_the_url_stays_short() {
    let data = data::Options { contacts: CONTACTS, extra_properties: 900, ..data::Options::default() };
    let options = hubspot::Options { data, ..portal() };
    let workspace = Workspace::with(options, aws::Options::default());
    run(&workspace, &[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let requests = workspace.hubspot.requests();
    assert!(requests.iter().any(|request| request.path.ends_with("/batch/read")));
    assert!(requests.iter().all(|request| request.query.as_ref().is_none_or(|query| query.len() < 8000)));
    assert_eq!(workspace.commit()["tables"][0]["rows"], CONTACTS);
    assert_eq!(report(&workspace)["rows_written"], CONTACTS);
}

#[test]
fn a_run_writes_through_the_role_and_renews_its_session() {
    let account = aws::Options { session_lifetime: Some(std::time::Duration::from_secs(2)), ..aws::Options::default() };
    let slow = hubspot::Options { latency: std::time::Duration::from_millis(400), ..portal() };
    let workspace = Workspace::with(slow, account);
    let sink = workspace.s3_sink("external_id = \"sluice-external-id\"", "");
    run(&workspace, &[&workspace.source("streams = [\"contacts\", \"owners\"]\nrequests_per_10s = 100"), &sink]);
    let assumed = workspace.aws.requests().iter().filter(|request| request.service == aws::Service::Sts).count();
    assert!(assumed >= 2, "the session was renewed in mid-run: {assumed}");
    assert_eq!(workspace.aws.open_uploads().len(), 0);
    assert!(workspace.path().join("s3/bucket/crm/_sluice/commits/00000000000000000001.json").is_file());
}

#[test]
fn the_readmes_plugin_runs_as_it_stands() {
    let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(project.join("README.md")).unwrap();
    let plugin = fs::read_to_string(project.join("tests/guests/hello/src/lib.rs")).unwrap();
    assert!(readme.contains(&format!("```rust\n{plugin}```")), "the README shows another plugin than the tests build");
    assert!(plugin.lines().count() <= 25);
    let workspace = Workspace::new();
    workspace.write("lower_case.wasm", hello());
    let digest = workspace.sluice(&["plugin", "inspect", "lower_case.wasm"]);
    let told = String::from_utf8(digest.stdout).unwrap();
    let digest = told.lines().find_map(|line| line.strip_prefix("digest")).unwrap().trim();
    let transform = format!(
        "[[transform]]\nname = \"lower\"\npath = \"lower_case.wasm\"\ndigest = \"{digest}\"\nsettings = {{ columns = [\"lastName\"] }}\n"
    );
    run(&workspace, &[&workspace.source("streams = [\"owners\"]"), &transform, &workspace.file_sink()]);
    let names = texts(&workspace, "owners", "lastName");
    assert!(names.len() > 100 && names.iter().any(|name| !name.is_empty()));
    assert!(names.iter().all(|name| *name == name.to_lowercase()), "{names:?}");
}

#[test]
fn what_a_plugin_says_of_itself_cannot_reach_the_terminal() {
    let workspace = Workspace::new();
    workspace.write("evil.wasm", evil());
    let told = workspace.sluice(&["plugin", "inspect", "evil.wasm"]);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("\ndescription \\u{1b}[2Jquite\\nharmless\n"), "{told:?}");
}

/// The values of a column of text, nulls left out.
fn texts(workspace: &Workspace, table: &str, column: &str) -> Vec<String> {
    let commit = workspace.commit();
    let found = commit["tables"].as_array().unwrap().iter().find(|found| found["name"] == table).unwrap();
    let mut values = Vec::new();
    for file in found["files"].as_array().unwrap() {
        let file = fs::File::open(file["url"].as_str().unwrap()).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        for batch in reader {
            let batch = batch.unwrap();
            let array = batch.column_by_name(column).unwrap();
            let array = array.as_any().downcast_ref::<arrow_array::StringArray>().unwrap();
            values.extend(array.iter().flatten().map(str::to_owned));
        }
    }
    values
}

#[test]
fn a_second_run_replaces_its_tables_and_keeps_the_others() {
    let workspace = Workspace::new();
    run(&workspace, &[&workspace.source("streams = [\"contacts\", \"owners\"]"), &workspace.file_sink()]);
    let first = workspace.commit();
    let output = workspace.sluice(&["run", "pipeline.toml", "--only", "owners", "--quiet"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let second = workspace.commit();
    assert_eq!(second["commit"], 2);
    assert_eq!(first["tables"][0], second["tables"][0], "contacts stay as they were");
    assert_ne!(first["tables"][1]["files"], second["tables"][1]["files"]);
    assert_eq!(first["tables"][1]["rows"], second["tables"][1]["rows"]);
}

#[test]
fn tables_that_only_leaves_out_are_told_in_one_line() {
    let workspace = Workspace::new();
    let sections = [workspace.source("streams = [\"*\"]\nexclude = [\"association*\"]"), workspace.file_sink()];
    run(&workspace, &[&sections[0], &sections[1]]);
    let tables = workspace.commit()["tables"].as_array().unwrap().len();
    let output = workspace.sluice(&["run", "pipeline.toml", "--only", "owners"]);
    let told = String::from_utf8(output.stderr).unwrap();
    let kept: Vec<&str> = told.lines().filter(|line| line.contains("kept")).collect();
    let [line] = kept[..] else { panic!("{told}") };
    assert!(line.starts_with("kept as they were, since `--only` leaves out their streams: `"), "{line}");
    assert!(tables > 10 && line.ends_with(&format!("` and {} more", tables - 1 - 6)), "{line}");
}

/// A column that is cleared has an instance of its own: here thirty, in less memory than the limits of three of them.
#[test]
fn instances_take_of_the_memory_of_all_plugins_what_they_use() {
    const CLEARED: usize = 30;
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"contacts\"]");
    workspace.pipeline(&[&source, &workspace.file_sink()]);
    let plan = workspace.sluice(&["plan", "pipeline.toml", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let columns = plan["streams"][0]["tables"][0]["columns"].as_array().unwrap().iter();
    let texts = columns.filter(|column| column["type"] == "text").filter_map(|column| column["name"].as_str());
    let own = |name: &&str| name.starts_with("property_") && !name.starts_with("property_unparsed_");
    let cleared: Vec<&str> = texts.filter(own).filter(|name| *name != "property_hs_object_id").take(CLEARED).collect();
    assert_eq!(cleared.len(), CLEARED);
    let mark = format!("[[mark]]\ncolumns = {cleared:?}\nmarks = [\"phi\"]\n");
    let transform = format!(
        "[[transform]]\nname = \"scrub\"\nplugin = \"redact\"\nstreams = [\"contacts\"]\nclears = {{ phi = {cleared:?} }}\n\
         settings.rules = [{{ columns = {cleared:?}, action = {{ mask = {{ keep_last = 1 }} }} }}]\n"
    );
    run(&workspace, &[&source, &mark, &transform, &workspace.file_sink(), "[run]\nplugin_memory = \"600MiB\"\n"]);
}

/// The object types of the pages of records that have been answered, in that order.
fn types_of_pages(workspace: &Workspace) -> Vec<String> {
    let requests = workspace.hubspot.requests().into_iter();
    let pages = requests.filter(|request| is_page(request) && request.status == Some(200));
    pages.filter_map(|page| Some(page.path.split("/objects/").nth(1)?.split('/').nth(1)?.to_owned())).collect()
}

#[test]
fn a_stream_that_does_not_get_on_holds_no_other_up() {
    // After a first look, contacts get no page.
    let hang = on_records("0-1", 1..u64::MAX, hubspot::FaultAction::Hang);
    let workspace = Workspace::with(hubspot::Options { faults: vec![hang], ..portal() }, aws::Options::default());
    let source = workspace.source("streams = [\"contacts\", \"companies\", \"deals\", \"tickets\", \"owners\"]");
    workspace.pipeline(&[&source, &workspace.file_sink(), "[run]\nstreams_at_once = 2\n"]);
    let mut running = workspace.start(&["run", "pipeline.toml", "--quiet"]);
    let is_written = |table: &str| {
        let files = data_files(&workspace.path().join("tables"));
        files.iter().any(|file| file.starts_with(&format!("{table}/")) && file.ends_with(".parquet"))
    };
    let others = ["objects_companies", "objects_deals", "objects_tickets", "owners"];
    running.until("all other streams are read and written", |_| others.into_iter().all(is_written));
    let types: BTreeSet<String> = types_of_pages(&workspace).into_iter().collect();
    assert_eq!(types, ["0-2", "0-3", "0-5"].map(str::to_owned).into());
    let hangs = |request: &hubspot::LoggedRequest| is_page(request) && request.status.is_none();
    assert!(workspace.hubspot.requests().iter().any(hangs), "contacts were not begun");
    running.interrupt();
    assert_eq!(running.output().status.code(), Some(130));
}

#[test]
fn streams_side_by_side_share_the_limit_and_never_pass_it() {
    const LIMIT: u32 = 20;
    let data = data::Options { contacts: 1_000, ..data::Options::default() };
    let options = hubspot::Options { data, requests_per_10s: LIMIT, ..portal() };
    let workspace = Workspace::with(options, aws::Options::default());
    let source = "streams = [\"contacts\", \"companies\", \"deals\", \"vehicle\"]\nrequests_per_10s = 20";
    run(&workspace, &[&workspace.source(source), &workspace.file_sink()]);
    let requests = workspace.hubspot.requests();
    let (searches, counted): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.path.ends_with("/search"));
    assert!(counted.len() > LIMIT as usize, "only {} requests: the limit is not reached", counted.len());
    // The simulator refuses what passes its limits.
    assert!(counted.iter().chain(&searches).all(|request| request.status == Some(200)), "{requests:?}");
    // Had they been read one after the other, the pages of each would stand together. When the limit is reached, all streams
    // that are read wait for seconds in one line, and get their pages in turn.
    let pages = types_of_pages(&workspace);
    let mut turns = pages.clone();
    turns.dedup();
    let streams: BTreeSet<&String> = pages.iter().collect();
    assert!(streams.len() == 4 && turns.len() > 4, "{pages:?}");
}

#[test]
fn of_two_runs_at_once_one_names_the_other() {
    let slow = hubspot::Options { latency: std::time::Duration::from_millis(200), ..portal() };
    let workspace = Workspace::with(slow, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let mut first = workspace.start(&["run", "pipeline.toml", "--quiet"]);
    first.until("it begins", |_| !workspace.hubspot.requests().is_empty());
    let before = workspace.hubspot.requests().len();
    let told = workspace.told(&["run", "pipeline.toml"]);
    assert!(told.starts_with("exit code 1\n") && told.contains(&format!("process {} on host", first.id())), "{told}");
    assert!(before > 0 && first.output().status.success());
    assert_eq!(workspace.commit()["commit"], 1);
}

#[test]
fn a_run_that_may_wait_waits_for_the_other_and_tells_it_once() {
    let slow = hubspot::Options { latency: std::time::Duration::from_millis(200), ..portal() };
    let workspace = Workspace::with(slow, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let mut first = workspace.start(&["run", "pipeline.toml", "--quiet"]);
    first.until("it begins", |_| !workspace.hubspot.requests().is_empty());
    let second = workspace.sluice(&["run", "pipeline.toml", "--wait", "1m"]);
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(second.status.success(), "{told}");
    assert_eq!(told.matches("waiting for the lease: run `").count(), 1, "{told}");
    assert!(told.contains(&format!("process {} on host", first.id())), "{told}");
    assert!(first.output().status.success());
    assert_eq!(workspace.commit()["commit"], 2);
}

#[test]
fn a_run_that_waits_stops_when_it_is_interrupted() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
    let leases = workspace.path().join("tables/_sluice/leases/test");
    fs::create_dir_all(&leases).unwrap();
    let in_a_minute = |seconds| jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let entry = serde_json::json!({
        "format": 1, "run": "20261123T201500Z-00000001", "pipeline": "test", "host": "elsewhere", "pid": 7,
        "taken": in_a_minute(0).to_string(), "ends": in_a_minute(60).to_string(), "released": false,
    });
    fs::write(leases.join("00000000000000000001.json"), entry.to_string()).unwrap();
    let mut waiting = workspace.start(&["run", "pipeline.toml", "--wait", "10m"]);
    let line = "waiting for the lease: run `20261123T201500Z-00000001`";
    waiting.until("it says that it waits", |waiting| waiting.told().lines().any(|told| told.contains(line)));
    let began = std::time::Instant::now();
    waiting.interrupt();
    assert_eq!(waiting.output().status.code(), Some(130));
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(workspace.hubspot.requests().is_empty());
    for span in ["soon", "5", "0s"] {
        let refused = workspace.sluice(&["run", "pipeline.toml", "--wait", span]);
        assert_eq!(refused.status.code(), Some(2), "{span}");
    }
}

/// A port of this machine that nobody listens at.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sets all variables that name proxies, in both cases of letters, to one that is not there.
fn behind_a_dead_proxy(command: &mut std::process::Command) -> String {
    let proxy = format!("127.0.0.1:{}", closed_port());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        for name in [name.to_owned(), name.to_lowercase()] {
            command.env(name, format!("http://somebody:PASSWORD@{proxy}"));
        }
    }
    proxy
}

#[test]
fn what_is_on_this_machine_is_never_asked_for_through_a_proxy() {
    let workspace = Workspace::new();
    let sink = workspace.s3_sink("external_id = \"sluice-external-id\"", "");
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
    let mut run = workspace.command(&["run", "pipeline.toml"]);
    behind_a_dead_proxy(&mut run);
    let output = Running::start(&mut run).output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut demo = workspace.command(&["demo", "--contacts", "300", "--dir", "demo"]);
    behind_a_dead_proxy(&mut demo);
    let output = Running::start(&mut demo).output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let workspace = Workspace::new();
    let elsewhere = |section: String, own: &str| section.replace(own, "https://service.example.invalid");
    let hubspot = elsewhere(workspace.source("streams = [\"owners\"]"), &workspace.hubspot.base_url());
    let aws = elsewhere(workspace.s3_sink("external_id = \"sluice-external-id\"", ""), &workspace.aws.endpoint());
    let own = workspace.source("streams = [\"owners\"]");
    for (sections, command, unreachable) in [
        ([&hubspot, &workspace.file_sink()], "plan", "`service.example.invalid` could not be reached"),
        ([&own, &aws], "check", "STS could not be reached for credentials"),
    ] {
        workspace.pipeline(&sections.map(String::as_str));
        let mut command = workspace.command(&[command, "pipeline.toml"]);
        let proxy = behind_a_dead_proxy(&mut command);
        let output = Running::start(&mut command).output();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert!(!output.status.success(), "{told}");
        assert!(told.contains(unreachable), "{told}");
        assert!(told.contains(&format!("(through the proxy `{proxy}`)")), "{told}");
        assert!(!told.contains("PASSWORD"), "{told}");
    }
}

#[test]
fn the_demo_needs_no_account_and_runs_again_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (contacts, commit) in [(&["--contacts", "300"][..], "commit 1"), (&[], "commit 2")] {
        let mut demo = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"));
        demo.arg("demo").args(contacts).arg("--dir").arg(folder.path().join("demo"));
        demo.env_clear().env("SLUICE_CACHE_DIR", folder.path().join("cache"));
        demo.env("XDG_STATE_HOME", folder.path().join("state"));
        let output = Running::start(&mut demo).output();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        for expected in [
            "would carry the mark `phi` into the bucket",
            "objects_contacts",
            "never requested, since HubSpot marks them sensitive",
            commit,
        ] {
            assert!(told.contains(expected), "{told}");
        }
        let waited = told.split("waited ").nth(1).and_then(|rest| rest.split(" s for the limit").next());
        assert!(waited.unwrap().parse::<f64>().unwrap() < 1.0, "somebody watches, and need not wait: {told}");
    }
    let commits = folder.path().join("demo/bucket/_sluice/commits");
    assert_eq!(std::fs::read_dir(commits).unwrap().count(), 2);
}

#[test]
fn what_is_discovered_suffices_for_a_plan_without_a_token() {
    let workspace = Workspace::new();
    let mark = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_intake_notes\"]\nmarks = [\"phi\"]\n";
    let source = workspace.source("streams = [\"contacts\", \"owners\"]");
    workspace.pipeline(&[&source, mark, &(workspace.file_sink() + "accepts = [\"phi\"]\n")]);
    let discovered = workspace.sluice(&["discover", "pipeline.toml", "--format", "json"]);
    assert!(discovered.status.success(), "{}", String::from_utf8_lossy(&discovered.stderr));
    workspace.write("schema.json", &discovered.stdout);
    let described: serde_json::Value = serde_json::from_slice(&discovered.stdout).unwrap();
    let contacts = described["streams"].as_array().unwrap().iter().find(|stream| stream["name"] == "contacts").unwrap();
    assert_eq!(contacts["records"], CONTACTS);
    let table = workspace.sluice(&["discover", "pipeline.toml"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("contacts (0-1): ") && table.contains("property_medical_notes"), "{table}");

    let online = workspace.sluice(&["plan", "pipeline.toml"]);
    let before = workspace.hubspot.requests().len();
    fs::remove_file(workspace.path().join("token")).unwrap();
    let offline = workspace.sluice(&["plan", "pipeline.toml", "--offline", "--schema", "schema.json"]);
    assert!(offline.status.success(), "{}", String::from_utf8_lossy(&offline.stderr));
    // The price alone has to be asked for, and stands at the end.
    let [offline, online] = [offline, online].map(|output| {
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_once("\nprice of reading").map(|(plan, _)| plan.to_owned()).unwrap()
    });
    assert_eq!(offline, online);
    assert_eq!(workspace.hubspot.requests().len(), before, "nobody was asked");
}

/// What a command says as JSON; each line is an object with a time, a level and a message, and no text in it is JSON.
fn lines_of_json(workspace: &Workspace, arguments: &[&str]) -> Vec<serde_json::Value> {
    fn assert_no_json_in_texts(value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                assert!(serde_json::from_str::<serde_json::Map<_, _>>(text).is_err(), "JSON in a text: {text}");
            }
            serde_json::Value::Array(values) => values.iter().for_each(assert_no_json_in_texts),
            serde_json::Value::Object(members) => members.values().for_each(assert_no_json_in_texts),
            _ => {}
        }
    }
    let output = workspace.sluice(arguments);
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).unwrap();
    let parsed = told.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(["INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert_no_json_in_texts(&line);
        line
    });
    parsed.collect()
}

/// A portal that takes long enough for a run to be told of.
fn slow() -> Workspace {
    Workspace::with(
        hubspot::Options { latency: std::time::Duration::from_millis(150), ..portal() },
        aws::Options::default(),
    )
}

#[test]
fn where_nobody_watches_a_line_now_and_then_tells_how_far_a_run_is() {
    let workspace = slow();
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let every = ["--progress-every", "100ms"];
    let output = workspace.sluice(&[&["run", "pipeline.toml"], &every[..]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = told.lines().filter(|line| line.contains(" of 1 streams, ")).collect();
    assert!(lines.len() >= 3, "{told}");
    assert!(lines.iter().any(|line| line.contains(" rows/s, API budget ") && line.contains(" left")), "{told}");
    let reads = |line: &&&str| [100, 200, 300, 400].iter().any(|rows| line.contains(&format!(" {rows} rows read")));
    assert!(lines.iter().any(|line| reads(&line)), "counted with each page, long before the batch is full: {told}");

    let lines = lines_of_json(&workspace, &[&["run", "pipeline.toml", "--log", "json"], &every[..]].concat());
    let progress: Vec<_> = lines.iter().filter(|line| line["message"] == "progress").collect();
    assert!(progress.len() >= 3, "{lines:?}");
    for line in &progress {
        assert!(line["elapsed_seconds"].as_f64().unwrap() > 0.0 && line["budget_share"].is_f64(), "{line}");
    }
    let counts = progress.iter().map(|line| line["rows_read"].as_u64().unwrap()).collect::<Vec<_>>();
    assert!(counts.is_sorted() && counts.iter().any(|rows| *rows > 0 && *rows < CONTACTS), "{counts:?}");
    assert!(progress.iter().any(|line| line["seconds_left"].as_f64().is_some_and(|left| left > 0.0)), "{progress:?}");
}

#[test]
fn a_quiet_run_says_errors_and_nothing_else() {
    // The run warns that it tries again.
    let fault = on_records("0-1", 1..2, hubspot::FaultAction::CutBody { after: 20_000 });
    let options = hubspot::Options { faults: vec![fault], ..portal() };
    for log in ["text", "json"] {
        let workspace = Workspace::with(options.clone(), aws::Options::default());
        workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
        let run = ["run", "pipeline.toml", "--quiet", "--log", log, "--progress-every", "10ms"];
        let output = workspace.sluice(&run);
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
        let requests = workspace.hubspot.requests();
        assert!(requests.iter().filter(|request| request.path.ends_with("/0-1")).count() > 6, "{requests:?}");

        workspace.write("token", "pat-na1-00000000-1111-4111-8111-000000000009");
        let output = workspace.sluice(&run);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("the access token is not valid"), "{told}");
    }
}

#[test]
fn a_log_for_programs_is_json_line_by_line() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
    let lines = |arguments: &[&str]| lines_of_json(&workspace, arguments);
    let run = lines(&["run", "pipeline.toml", "--log", "json"]);
    assert!(run.iter().any(|line| line["message"] == "committed" && line["commit"] == 1), "{run:?}");
    let report = &run.last().unwrap()["report"];
    assert_eq!((&report["outcome"], &report["commit"]), (&"complete".into(), &1.into()));

    workspace.write("token", "pat-na1-00000000-1111-4111-8111-000000000009");
    let failed = lines(&["run", "pipeline.toml", "--log", "json"]);
    let last = failed.last().unwrap();
    assert_eq!(last["level"], "ERROR", "{last}");
    assert!(last["hint"].as_str().unwrap().contains("the access token is not valid"), "{last}");
    assert!(last["causes"].as_array().unwrap().iter().all(serde_json::Value::is_string), "{last}");

    // The problems of a pipeline file one by one, each with its place.
    let wrong = workspace.source("streams = [\"owners\", \"owners\"]\ncolour = 1");
    workspace.pipeline(&[&wrong, &workspace.file_sink()]);
    let refused = lines(&["run", "pipeline.toml", "--log", "json"]);
    let problem = &refused.last().unwrap()["problems"][0];
    assert_eq!((&problem["message"], &problem["line"]), (&"unknown key `colour`".into(), &8.into()), "{refused:?}");

    // A report that cannot be written is told in the same form.
    let output = workspace.sluice(&["run", "pipeline.toml", "--log", "json", "--report", "/nowhere/report.json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &told["level"]), (Some(2), &"ERROR".into()), "{told}");
}

#[test]
fn a_plugin_is_tried_on_rows_of_ones_own() {
    let workspace = Workspace::new();
    workspace.write("lower_case.wasm", hello());
    workspace.write("settings.toml", "columns = [\"name\"]\n");
    workspace.write(
        "rows.ndjson",
        "{\"objectId\":\"1\",\"name\":\"Ada\",\"amount\":1.5}\n{\"objectId\":\"2\",\"name\":null}\n",
    );
    let base = ["plugin", "run", "lower_case.wasm", "--settings", "settings.toml", "--input", "rows.ndjson"];
    let told = |more: &[&str]| {
        let output = workspace.sluice(&[&base, more].concat());
        let code = output.status.code().unwrap();
        (code, [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).join(""))
    };
    let rows =
        "{\"objectId\":\"1\",\"name\":\"ada\",\"amount\":1.5}\n{\"objectId\":\"2\",\"name\":null,\"amount\":null}\n";
    assert_eq!(told(&["--format", "ndjson"]), (0, format!("{rows}2 rows, 2 passed, the same twice\n")));
    let table = "objectId  name  amount\n1         ada   1.5\n2         –     –\n";
    assert_eq!(told(&[]), (0, format!("{table}2 rows, 2 passed, the same twice\n")));

    workspace.write("settings.toml", "colums = [\"name\"]\n");
    let (code, refused) = told(&[]);
    assert_eq!(code, 2);
    assert!(refused.contains("settings.toml: transform `plugin`"), "{refused}");
    assert!(refused.contains("unknown field `colums`, expected `columns`"), "{refused}");

    // With the columns of a real stream, types and marks included.
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let schema = workspace.sluice(&["discover", "pipeline.toml", "--format", "json"]);
    workspace.write("schema.json", schema.stdout);
    workspace.write("settings.toml", "columns = [\"property_email\"]\n");
    workspace.write(
        "rows.ndjson",
        "{\"objectTypeId\":\"0-1\",\"objectId\":\"1\",\"ingestedAt\":\"2026-11-24T00:00:00Z\",\"property_email\":\"A@B.C\",\"property_date_of_birth\":\"1980-01-31\"}\n",
    );
    let (code, passed) = told(&["--schema", "schema.json", "--stream", "contacts", "--format", "ndjson"]);
    assert_eq!(code, 0, "{passed}");
    assert!(passed.contains("\"property_email\":\"a@b.c\"") && passed.contains("\"1980-01-31\""), "{passed}");
    assert_eq!(workspace.sluice(&["plugin", "run", "lower_case.wasm", "--input", "nowhere"]).status.code(), Some(2));
}

#[test]
fn a_new_plugin_tests_builds_and_runs_as_it_was_written() {
    let workspace = Workspace::new();
    let made = workspace.sluice(&["plugin", "new", "my-plugin"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let folder = workspace.path().join("my-plugin");
    let bytes = test_and_build(&folder);
    workspace.write("my-plugin/my_plugin.wasm", bytes);
    let mut trial = workspace.command(&[
        "plugin",
        "run",
        "my_plugin.wasm",
        "--settings",
        "settings.toml",
        "--input",
        "rows.ndjson",
    ]);
    let tried = Running::start(trial.current_dir(&folder)).output();
    let told = String::from_utf8(tried.stdout).unwrap();
    assert_eq!(told, "objectId  name  amount\nA1        ada   12.5\nA2        –     3.0\n");
    for (name, told) in
        [("my-plugin", "`my-plugin` exists already"), ("My_Plugin", "`My_Plugin` is no name for a plugin")]
    {
        let refused = workspace.sluice(&["plugin", "new", name]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8(refused.stderr).unwrap().contains(told));
    }
}

#[test]
fn looking_at_tables_creates_nothing() {
    let workspace = Workspace::new();
    let typo = workspace.path().join("typo");
    let told = workspace.told(&["tables", &format!("file://{}", typo.display())]);
    assert!(
        told.starts_with("exit code 2\nerror: there is no folder `file://[FOLDER]/typo`\nhint: check the path"),
        "{told}"
    );
    assert!(!typo.exists());
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
    let told = workspace.told(&["tables", "pipeline.toml"]);
    assert!(told.contains("there is no folder"), "{told}");
    assert!(!workspace.path().join("tables").exists());
}

/// The variables that hold for the AWS command line and every SDK hold for both clients.
#[test]
fn the_endpoints_of_the_aws_environment_hold_for_s3_and_sts() {
    let workspace = Workspace::new();
    let (endpoint, nobody) = (workspace.aws.endpoint(), "http://127.0.0.1:9".to_owned());
    let sink = workspace.s3_sink("external_id = \"sluice-external-id\"", "");
    let sink = sink.replace(&format!("endpoint = \"{endpoint}\"\n"), "");
    assert!(!sink.contains("endpoint"), "{sink}");
    let profile = workspace.write("config", format!("[default]\nendpoint_url = {endpoint}\n"));
    let profile = profile.display().to_string();
    let cases: [&[(&str, &str)]; 4] = [
        &[("AWS_ENDPOINT_URL", &endpoint)],
        &[("AWS_ENDPOINT_URL_S3", &endpoint), ("AWS_ENDPOINT_URL_STS", &endpoint)],
        &[("AWS_ENDPOINT_URL", &nobody), ("AWS_ENDPOINT_URL_S3", &endpoint), ("AWS_ENDPOINT_URL_STS", &endpoint)],
        &[("AWS_CONFIG_FILE", &profile)],
    ];
    for (commit, variables) in (1..).zip(cases) {
        workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
        let mut command = workspace.command(&["run", "pipeline.toml"]);
        let output = Running::start(command.envs(variables.iter().copied())).output();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && told.contains(&format!("commit {commit} in s3://bucket/crm")), "{told}");
    }
    // What the file says holds before the environment.
    workspace.pipeline(&[
        &workspace.source("streams = [\"owners\"]"),
        &workspace.s3_sink("external_id = \"sluice-external-id\"", ""),
    ]);
    let output = Running::start(workspace.command(&["run", "pipeline.toml"]).env("AWS_ENDPOINT_URL", &nobody)).output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Keys are opaque: what is written is what is written to, in a folder as in S3.
#[test]
fn keys_are_as_they_are_written() {
    let workspace = Workspace::new();
    for prefix in ["my data", "größe und mehr", "100%", "a%20b", "a+b&c=d/e", "~x (1)"] {
        let s3 = workspace.s3_sink("external_id = \"sluice-external-id\"", "");
        let s3 = s3.replace("s3://bucket/crm", &format!("s3://bucket/{prefix}"));
        workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &s3]);
        let output = workspace.sluice(&["run", "pipeline.toml"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && told.contains(&format!("in s3://bucket/{prefix},")), "{told}");
        let folder = workspace.path().join("s3/bucket").join(prefix);
        assert!(folder.join("_sluice/commits").is_dir(), "{prefix}");
        let listed = workspace.commit()["tables"][0]["files"][0]["url"].as_str().unwrap().to_owned();
        let key = listed.strip_prefix("s3://bucket/").unwrap();
        assert!(workspace.path().join("s3/bucket").join(key).is_file(), "{listed}");
        // A second run finds what the first has committed.
        let output = workspace.sluice(&["run", "pipeline.toml"]);
        assert!(String::from_utf8(output.stderr).unwrap().contains("commit 2 in"), "{prefix}");
    }
    let folder = workspace.path().join("my tables");
    workspace.pipeline(&[
        &workspace.source("streams = [\"owners\"]"),
        &workspace.file_sink().replace("/tables\"", "/my tables\""),
    ]);
    assert!(workspace.sluice(&["run", "pipeline.toml"]).status.success());
    assert!(folder.join("_sluice/commits").is_dir());
    let url = format!("file://{}", folder.display());
    let output = workspace.sluice(&["tables", &url, "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
