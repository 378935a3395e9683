//! What a run finds of earlier ones, and what it does with tables that it does not write.

use std::{collections::BTreeSet, fs};

use sluice_simulator::{
    aws, data,
    hubspot::{self, Fault, FaultAction, FaultBody, PathPattern},
};

use crate::{
    child::Running,
    harness::{CONTACTS, Workspace, data_files, on_records, portal},
};

fn tables(workspace: &Workspace) -> Vec<String> {
    let commit = workspace.commit();
    commit["tables"].as_array().unwrap().iter().map(|table| table["name"].as_str().unwrap().to_owned()).collect()
}

fn run(workspace: &Workspace, arguments: &[&str], exit_code: i32) -> String {
    let output = workspace.sluice(&[&["run", "pipeline.toml"], arguments].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit_code), "{told}");
    told
}

#[test]
fn a_table_that_the_file_does_not_speak_of_any_more_is_retired() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\", \"owners\"]"), &workspace.file_sink()]);
    run(&workspace, &[], 0);
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
    let told = run(&workspace, &["--report", "report.json"], 0);
    assert!(told.contains("does not speak of them any more: `objects_contacts`"), "{told}");
    assert_eq!(tables(&workspace), ["owners"]);
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(workspace.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["retired"], serde_json::json!(["objects_contacts"]));
    let old = fs::read_dir(workspace.path().join("tables/objects_contacts")).unwrap().count();
    assert_eq!(old, 1, "the files stay for readers of the earlier commit");
}

#[test]
fn custom_types_that_a_token_may_not_list_any_more_keep_their_tables() {
    let refused = FaultAction::Status { status: 403, body: FaultBody::Json, retry_after: None };
    let path = PathPattern::Prefix("/crm-object-schemas/".to_owned());
    let fault = Fault { path, method: None, occurrences: 1..1000, action: refused };
    let workspace = Workspace::with(hubspot::Options { faults: vec![fault], ..portal() }, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"v*\", \"owners\"]"), &workspace.file_sink()]);
    run(&workspace, &[], 0);
    assert_eq!(tables(&workspace), ["objects_vehicle", "owners"]);
    workspace.pipeline(&[
        &workspace.source("streams = [\"*\"]\nexclude = [\"0-*\", \"association*\"]"),
        &workspace.file_sink(),
    ]);
    let told = run(&workspace, &[], 3);
    assert!(told.contains("`objects_vehicle`; stream `vehicle` cannot be read"), "{told}");
    assert!(tables(&workspace).contains(&"objects_vehicle".to_owned()));
    // Whoever means it says so.
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
    run(&workspace, &[], 0);
    assert_eq!(tables(&workspace), ["owners"]);
}

#[test]
fn a_stream_whose_table_gets_another_name_is_not_lost_by_a_run_of_others() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"vehicle\", \"owners\"]");
    workspace.pipeline(&[&source, &workspace.file_sink()]);
    run(&workspace, &[], 0);
    let rename = "[[transform]]\nname = \"rename\"\nplugin = \"remap-ids\"\nstreams = [\"vehicle\"]\n\
                  settings = { tables = { \"2-13370001\" = \"objects_fleet\" } }\n";
    workspace.pipeline(&[&source, rename, &workspace.file_sink()]);
    run(&workspace, &["--only", "owners"], 0);
    assert_eq!(tables(&workspace), ["objects_vehicle", "owners"]);
    run(&workspace, &[], 0);
    assert_eq!(tables(&workspace), ["objects_fleet", "owners"]);
}

#[test]
fn a_table_that_several_streams_feed_is_kept_for_any_of_them() {
    let workspace = Workspace::new();
    let sink = workspace.file_sink();
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\", \"owners\"]"), &sink]);
    run(&workspace, &[], 0);
    // As if contacts had fed the owners, too.
    let path = workspace.path().join("tables/_sluice/commits/00000000000000000001.json");
    let mut commit: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let contacts = commit["tables"]["objects_contacts"]["streams"][0].clone();
    commit["tables"]["owners"]["streams"].as_array_mut().unwrap().push(contacts);
    fs::write(&path, commit.to_string()).unwrap();
    let streams_of = |index: usize| {
        let commit = workspace.commit();
        let streams = commit["tables"][index]["streams"].as_array().unwrap();
        streams.iter().map(|fed| fed["stream"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(streams_of(1), ["owners", "contacts"]);

    // The table of one of them cannot be written without the other.
    let told = run(&workspace, &["--only", "owners"], 2);
    assert!(told.contains("`owners` holds a stream that `--only` leaves out"), "{told}");
    // Nor does it vanish when one of them is read for another table.
    let before = workspace.commit()["tables"][1]["run"].clone();
    run(&workspace, &["--only", "contacts"], 0);
    assert_eq!(workspace.commit()["tables"][1]["run"], before);
    // One that the file does not speak of any more has no say.
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
    run(&workspace, &[], 0);
    assert_eq!(tables(&workspace), ["owners"]);
    assert_eq!(streams_of(0), ["owners"]);
}

#[test]
fn a_table_of_another_pipeline_stays() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    run(&workspace, &[], 0);
    let sections = [workspace.source("streams = [\"owners\"]"), workspace.file_sink()].join("\n");
    workspace.write("pipeline.toml", format!("pipeline = \"second\"\n{sections}"));
    let told = run(&workspace, &[], 0);
    assert!(told.contains("kept as they were, since they are pipeline `test`'s: `objects_contacts`\n"), "{told}");
    assert_eq!(tables(&workspace), ["objects_contacts", "owners"]);
}

#[test]
fn a_table_of_another_pipeline_is_never_written_over() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"vehicle\"]"), &workspace.file_sink()]);
    run(&workspace, &[], 0);
    let rename = |table: &str| {
        format!(
            "[[transform]]\nname = \"rename\"\nplugin = \"remap-ids\"\nsettings = {{ tables = {{ \"2-13370001\" = \"{table}\" }} }}\n"
        )
    };
    for (table, exit_code) in [("objects_vehicle", 2), ("Objects_Vehicle", 2), ("fleet", 0)] {
        let sections = [workspace.source("streams = [\"vehicle\"]"), rename(table), workspace.file_sink()].join("\n");
        workspace.write("pipeline.toml", format!("pipeline = \"second\"\n{sections}"));
        let told = run(&workspace, &[], exit_code);
        let refused = told.contains(&format!(
            "stream `vehicle` would be written to table `{table}`, and `objects_vehicle` belongs to pipeline `test`"
        ));
        assert_eq!(refused, exit_code == 2, "{told}");
    }
    assert_eq!(tables(&workspace), ["fleet", "objects_vehicle"]);
}

#[test]
fn what_has_been_marked_since_is_not_kept() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"contacts\", \"owners\"]");
    workspace.pipeline(&[&source, &workspace.file_sink()]);
    run(&workspace, &[], 0);
    let mark = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_email\"]\nmarks = [\"phi\"]\n";
    let hash = "[[transform]]\nname = \"hash\"\nplugin = \"redact\"\nstreams = [\"contacts\"]\n\
                settings = { rules = [{ columns = [\"property_email\"], action = { mask = { keep_last = 0 } } }] }\n\
                clears = { phi = [\"property_email\"] }\n";
    workspace.pipeline(&[&source, mark, hash, &workspace.file_sink()]);
    let told = run(&workspace, &["--only", "owners"], 2);
    assert!(told.contains("with `property_email` marked `phi`, which the sink does not accept any more"), "{told}");
    run(&workspace, &[], 0);
    // What was cleared when it was computed is clear.
    run(&workspace, &["--only", "owners"], 0);
}

#[test]
fn what_the_sink_does_not_accept_any_more_is_not_kept() {
    let workspace = Workspace::new();
    let marks = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_email\"]\nmarks = [\"phi\"]\n";
    let source = workspace.source("streams = [\"contacts\", \"owners\"]");
    workspace.pipeline(&[&source, marks, &(workspace.file_sink() + "accepts = [\"phi\"]\n")]);
    run(&workspace, &[], 0);
    let leaves_out = "[[source.columns]]\nstreams = [\"contacts\"]\nexclude = [\"property_email\"]\n";
    workspace.pipeline(&[&source, leaves_out, &workspace.file_sink()]);
    let requests = workspace.hubspot.requests().iter().filter(|request| request.path.contains("/objects/")).count();
    let told = run(&workspace, &["--only", "owners"], 2);
    assert!(told.contains("table `objects_contacts` would be kept as run"), "{told}");
    assert!(told.contains("with `property_email` marked `phi`, which the sink does not accept any more"), "{told}");
    let after = workspace.hubspot.requests().iter().filter(|request| request.path.contains("/objects/")).count();
    assert_eq!(requests, after, "it is refused before a record is read");
    run(&workspace, &[], 0);
    run(&workspace, &["--only", "owners"], 0);
}

#[test]
fn a_table_whose_stream_cannot_be_read_any_more_grows_old_and_the_exit_code_says_so() {
    // The first run asks three times for the properties of contacts, once for each level of sensitivity.
    let refused = FaultAction::Status { status: 403, body: FaultBody::Json, retry_after: None };
    let path = PathPattern::Contains("/properties/2026-09/0-1".to_owned());
    let fault = Fault { path, method: None, occurrences: 3..1000, action: refused };
    let workspace = Workspace::with(hubspot::Options { faults: vec![fault], ..portal() }, aws::Options::default());
    let transform = "[[transform]]\nname = \"strip\"\nplugin = \"redact\"\nstreams = [\"contacts\"]\n\
                     settings = { rules = [{ columns = [\"property_email\"], action = \"drop\" }] }\n";
    workspace.pipeline(&[&workspace.source("streams = [\"contact*\", \"owners\"]"), transform, &workspace.file_sink()]);
    run(&workspace, &[], 0);
    let told = run(&workspace, &["--report", "report.json"], 3);
    assert!(told.contains("`objects_contacts`; stream `contacts` cannot be read, so the table grows old"), "{told}");
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(workspace.path().join("report.json")).unwrap()).unwrap();
    assert_eq!((&report["outcome"], &report["exit_code"]), (&"partial".into(), &3.into()));
    assert_eq!(tables(&workspace), ["objects_contacts", "owners"]);
    assert_eq!(workspace.commit()["tables"][0]["rows"], CONTACTS);
}

#[test]
fn a_run_that_can_read_nothing_is_no_success() {
    let refused = FaultAction::Status { status: 403, body: FaultBody::Json, retry_after: None };
    let path = PathPattern::Contains("/properties/2026-09/".to_owned());
    let fault = Fault { path, method: None, occurrences: 0..1000, action: refused };
    let workspace = Workspace::with(hubspot::Options { faults: vec![fault], ..portal() }, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contact*\", \"compan*\"]"), &workspace.file_sink()]);
    let told = run(&workspace, &[], 2);
    assert!(told.contains("none of the 2 streams of the pipeline can be read"), "{told}");
    assert!(told.contains("stream `contacts` cannot be read: "), "{told}");
    assert!(!workspace.path().join("tables/_sluice/commits").exists(), "nothing is committed");
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
    let told = run(&workspace, &["--report", "no/such/folder/report.json"], 2);
    assert!(told.contains("the report `no/such/folder/report.json` cannot be written"), "{told}");
    assert!(workspace.hubspot.requests().is_empty());
    workspace.write("taken.json", "x".repeat(100_000));
    run(&workspace, &["--report", "taken.json"], 0);
    serde_json::from_slice::<serde_json::Value>(&fs::read(workspace.path().join("taken.json")).unwrap()).unwrap();
}

#[test]
fn a_killed_run_leaves_the_tables_as_they_were_and_the_next_one_tidies_up() {
    // More contacts than one batch holds, so that a file is complete when the page after the batch is asked for; that one
    // is not answered. One page was asked for as a first look.
    let hang = on_records("0-1", 85..86, FaultAction::Hang);
    let data = data::Options { contacts: 9_000, ..data::Options::default() };
    let options = hubspot::Options { data, faults: vec![hang], requests_per_10s: 10_000, ..portal() };
    for bucket in ["tables", "s3/bucket/crm"] {
        let workspace = Workspace::with(options.clone(), aws::Options::default());
        let bucket = workspace.path().join(bucket);
        let sink = if bucket.ends_with("tables") {
            workspace.file_sink()
        } else {
            workspace.s3_sink("external_id = \"sluice-external-id\"", "")
        } + "file_size = \"10kB\"\n";
        workspace.pipeline(&[&workspace.source("streams = [\"companies\"]"), &sink]);
        run(&workspace, &[], 0);
        let before = workspace.commit();
        let listed = data_files(&bucket);

        workspace.pipeline(&[&workspace.source("streams = [\"contacts\", \"companies\"]"), &sink]);
        let mut killed = workspace.start(&["run", "pipeline.toml", "--quiet"]);
        let unlisted = || data_files(&bucket).into_iter().filter(|file| !listed.contains(file)).collect::<Vec<_>>();
        let is_there =
            |table: &str| unlisted().iter().any(|file| file.starts_with(table) && file.ends_with(".parquet"));
        killed.until("files of both tables", |_| is_there("objects_contacts/") && is_there("objects_companies/"));
        let process = killed.id();
        assert!(!killed.kill().success());
        let left = unlisted();
        assert!(left.len() >= 2, "{left:?}");
        assert_eq!(workspace.commit(), before);
        // Nobody knows yet that it is dead: for as long as its lease lasts, it is not raced.
        let told = run(&workspace, &[], 1);
        assert!(told.contains(&format!("process {process} on host")), "{told}");
        assert_eq!(unlisted(), left);
        // Its lease is over.
        fs::remove_dir_all(bucket.join("_sluice/leases")).unwrap();
        run(&workspace, &[], 0);
        assert_eq!(workspace.commit()["commit"], 3, "what is swept before reading takes a commit of its own");
        let kept: BTreeSet<String> = listed.iter().cloned().chain(workspace.listed_files()).collect();
        assert_eq!(
            data_files(&bucket),
            Vec::from_iter(kept),
            "those of the two commits, and nothing of the killed run"
        );
        assert_eq!(tables(&workspace), ["objects_companies", "objects_contacts"]);
    }
}

#[test]
fn a_run_whose_lease_is_taken_ends_without_a_commit() {
    let hang = Fault {
        path: PathPattern::Contains("/objects/".to_owned()),
        method: None,
        occurrences: 0..u64::MAX,
        action: FaultAction::Hang,
    };
    let workspace = Workspace::with(hubspot::Options { faults: vec![hang], ..portal() }, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let arguments = ["run", "pipeline.toml", "--report", "report.json", "--quiet"];
    let mut running = workspace.start(&arguments);
    running
        .until("it reads", |_| workspace.hubspot.requests().iter().any(|request| request.path.contains("/objects/")));
    // Somebody takes the lease, as another machine would whose clock is far ahead.
    let leases = workspace.path().join("tables/_sluice/leases/test");
    let held = fs::read_dir(&leases).unwrap().next().unwrap().unwrap().path();
    let number: u64 = held.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let mut entry: serde_json::Value = serde_json::from_slice(&fs::read(&held).unwrap()).unwrap();
    entry["run"] = "20990101T000000Z-00000000".into();
    fs::write(leases.join(format!("{:020}.json", number + 1)), entry.to_string()).unwrap();
    // It is found when the lease is next renewed; the request that hangs is not waited for.
    let output = running.output();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("was lost: another run has taken it") && told.contains("hint: run again"), "{told}");
    assert!(!workspace.path().join("tables/_sluice/commits").exists());
    assert!(!workspace.path().join("tables/objects_contacts").exists());
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(workspace.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["outcome"], "failed");
}

#[test]
fn a_run_that_fails_takes_back_all_its_files() {
    // A page is refused, after a first look: of the second stream when the first is complete; of the first, when it has
    // complete files.
    for (contacts, stream, page, bucket) in
        [(CONTACTS, "0-2", 1, "tables"), (CONTACTS, "0-2", 1, "s3/bucket/crm"), (20_000, "0-1", 180, "s3/bucket/crm")]
    {
        let refused = FaultAction::Status { status: 401, body: FaultBody::Json, retry_after: None };
        let fault = on_records(stream, page..100_000, refused);
        let data = data::Options { contacts, ..data::Options::default() };
        let options = hubspot::Options { data, faults: vec![fault], ..portal() };
        let workspace = Workspace::with(options, aws::Options::default());
        let source = workspace.source("streams = [\"contacts\", \"companies\"]\nrequests_per_10s = 1000");
        let sink = if bucket == "tables" {
            workspace.file_sink()
        } else {
            workspace.s3_sink("external_id = \"sluice-external-id\"", "")
        };
        workspace.pipeline(&[&source, &(sink + "file_size = \"10kB\"\n"), "[run]\nstreams_at_once = 1\n"]);
        let told = run(&workspace, &["--log", "json"], 2);
        assert!(told.contains("\"file\":\"objects_contacts/pipeline=test/run="), "nothing was written: {told}");
        assert_eq!(data_files(&workspace.path().join(bucket)), [""; 0], "{stream}");
        assert!(!workspace.path().join(bucket).join("_sluice/commits").exists());
        assert_eq!(workspace.aws.open_uploads().len(), 0);
    }
}

/// Somebody who may write to the bucket would have the log end where it cannot go on.
#[test]
fn an_entry_of_a_number_beyond_all_is_refused_at_once() {
    for folder in ["_sluice/commits", "_sluice/leases/test"] {
        let workspace = Workspace::new();
        workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
        run(&workspace, &[], 0);
        let listed = data_files(&workspace.path().join("tables"));
        let forged = format!("{folder}/18446744073709551614.json");
        fs::write(workspace.path().join("tables").join(&forged), "{}").unwrap();
        let told = run(&workspace, &[], 2);
        assert!(told.contains(&forged) && told.contains("numbered as no run can have done it"), "{told}");
        assert!(told.contains("\nhint: "), "{told}");
        assert_eq!(data_files(&workspace.path().join("tables")), listed);
    }
}

/// S3 does not say what is absent to whoever may list one folder, and forbids it.
#[test]
fn a_role_of_one_folder_is_enough_and_nothing_is_warned_of() {
    let permissions = aws::Permissions::all().within("crm/");
    let workspace = Workspace::with(portal(), aws::Options { permissions, ..aws::Options::default() });
    let sink = workspace.s3_sink("external_id = \"sluice-external-id\"", "");
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
    for _ in 0..3 {
        let told = run(&workspace, &[], 0);
        assert!(!told.contains("WARN") && !told.contains("warning"), "{told}");
    }
}

/// A bucket whose objects are locked, or a role that may not remove them.
#[test]
fn where_nothing_can_be_removed_runs_go_on() {
    let permissions = aws::Permissions::all().without(aws::Action::DeleteObject);
    let workspace = Workspace::with(portal(), aws::Options { permissions, ..aws::Options::default() });
    let sink = workspace.s3_sink("external_id = \"sluice-external-id\"", "");
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
    let left = workspace.path().join("s3/bucket/crm/owners/pipeline=test/run=20990101T000000Z-00000001");
    for number in 1..=4 {
        let before = workspace.aws.requests().len();
        let told = run(&workspace, &[], 0);
        let denied = workspace.aws.requests()[before..].iter().filter(|it| it.method == "DELETE").count();
        // Of old entries of the lease one is tried, and each file that a run has left, before and after.
        assert_eq!(denied, usize::from(number > 1) + 2 * usize::from(number > 2), "{told}");
        assert_eq!(told.contains("`s3:DeleteObject` is not allowed"), number > 2, "{told}");
        fs::create_dir_all(&left).unwrap();
        if number == 2 {
            fs::write(left.join("part-00000.parquet"), "rows").unwrap();
        }
    }
    assert!(left.join("part-00000.parquet").exists());
    assert_eq!(tables(&workspace), ["owners"]);
}

#[test]
fn what_a_killed_run_left_is_gone_after_a_run_that_fails_too() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
    run(&workspace, &[], 0);
    let before = workspace.commit();
    let bucket = workspace.path().join("tables");
    let listed = data_files(&bucket);
    let killed = bucket.join("objects_contacts/pipeline=test/run=20990101T000000Z-00000001");
    fs::create_dir_all(&killed).unwrap();
    for file in ["part-00000.parquet", "part-00001.parquet#1"] {
        fs::write(killed.join(file), "rows").unwrap();
    }
    workspace.write("token", "pat-na1-00000000-1111-4111-8111-000000000009");
    run(&workspace, &[], 2);
    assert_eq!(data_files(&bucket), listed);
    // What it swept cannot be committed any more, so it has taken the next number. It changes nothing.
    let after = workspace.commit();
    assert_eq!((&after["commit"], &after["tables"]), (&2.into(), &before["tables"]));
    workspace.write("token", hubspot::TOKEN);
    run(&workspace, &[], 0);
    assert_eq!(workspace.commit()["commit"], 3);
}

#[test]
fn after_a_disk_that_refused_a_file_the_next_run_works() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"contacts\", \"companies\"]");
    let narrow = "[[source.columns]]\nstreams = [\"contacts\"]\nexclude = [\"property_*\"]\n";
    workspace.pipeline(&[&source, narrow, &workspace.file_sink(), "[run]\nstreams_at_once = 1\n"]);
    // Files of at most 16 KiB stand in for a disk that is full in the middle of a run.
    let limited =
        format!("trap '' XFSZ; ulimit -f 32; exec {} run pipeline.toml --log json", env!("CARGO_BIN_EXE_sluice"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &limited]).current_dir(workspace.path());
    command.env("SLUICE_CACHE_DIR", workspace.path().join("cache")).env("XDG_STATE_HOME", workspace.path());
    let failed = Running::start(&mut command).output();
    let told = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{told}");
    assert!(
        told.contains("File too large") && told.contains("\"file\":\"objects_contacts/pipeline=test/run="),
        "{told}"
    );
    assert_eq!(data_files(&workspace.path().join("tables")), [""; 0]);
    let left: Vec<_> =
        fs::read_dir(workspace.path().join("tables")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["_sluice"], "nor are there folders of theirs");
    run(&workspace, &[], 0);
    assert_eq!(tables(&workspace), ["objects_companies", "objects_contacts"]);
}
