//! What people get for bad input: a message that names the place and the mend, an exit code, and tables as they were.
//!
//! Each case is a snapshot of what is printed. `INSTA_UPDATE=always` writes them anew; read the difference.

use std::{fs, time::Duration};

use sluice_simulator::{
    aws::{self, Action, Permissions},
    hubspot::{self, Fault, FaultAction, FaultBody, PathPattern},
};

use crate::{
    child::Running,
    guests::{evil, evil_with_a_foreign_import, with_contract_version},
    harness::{Workspace, on_records, portal},
};

/// Compares what a run says with its snapshot, without what differs from run to run.
macro_rules! assert_told {
    ($name:literal, $told:expr) => {{
        let told = $told;
        assert!(!told.contains(hubspot::TOKEN), "the token is told");
        assert!(!told.contains("panicked"), "{told}");
        insta::with_settings!({
            prepend_module_to_snapshot => false,
            omit_expression => true,
            filters => crate::harness::FILTERS,
        }, { insta::assert_snapshot!($name, told) });
    }};
}

const OWNERS: &str = "streams = [\"owners\"]";

/// A pipeline of the owners through the misbehaving guest.
fn misbehaving(settings: &str, transform_lines: &str) -> String {
    let workspace = Workspace::new();
    workspace.write("evil.wasm", evil());
    let transform =
        format!("[[transform]]\nname = \"step\"\npath = \"evil.wasm\"\nsettings = {settings}\n{transform_lines}\n");
    workspace.pipeline(&[&workspace.source(OWNERS), &transform, &workspace.file_sink()]);
    let told = workspace.told(&["run", "pipeline.toml"]);
    assert_no_tables(&workspace);
    told
}

/// After a run that failed into an empty bucket there is no commit and no file.
fn assert_no_tables(workspace: &Workspace) {
    let mut left = Vec::new();
    let mut folders = vec![workspace.path().join("tables"), workspace.path().join("s3/bucket")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.display().to_string().contains("/_sluice/leases/") {
                left.push(path);
            }
        }
    }
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn pipeline_file() {
    let workspace = Workspace::new();
    assert_told!("no_such_file", workspace.told(&["run", "nowhere.toml"]));
    workspace.write("broken.toml", "pipeline = \"crm\n");
    assert_told!("malformed_toml", workspace.told(&["run", "broken.toml"]));
    assert_told!("no_such_command", workspace.told(&["ruin"]));
}

#[test]
fn streams_and_globs() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"contcts\", \"owners\", \"owners\"]");
    workspace.pipeline(&[&source, &workspace.file_sink()]);
    assert_told!("stream_names", workspace.told(&["run", "pipeline.toml"]));
    let mark = "[[mark]]\nstreams = [\"owners\"]\ncolumns = [\"emial\"]\nmarks = [\"pii\"]\n";
    workspace.pipeline(&[&workspace.source(OWNERS), mark, &workspace.file_sink()]);
    assert_told!("idle_glob", workspace.told(&["run", "pipeline.toml"]));
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.file_sink()]);
    assert_told!("only_unknown", workspace.told(&["run", "pipeline.toml", "--only", "owner"]));
    assert_no_tables(&workspace);
}

#[test]
fn a_schema_file_that_is_none() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.file_sink()]);
    workspace.write("schema.json", "{}");
    assert_told!(
        "schema_malformed",
        workspace.told(&["plan", "pipeline.toml", "--offline", "--schema", "schema.json"])
    );
    assert_told!("schema_missing", workspace.told(&["plan", "pipeline.toml", "--offline", "--schema", "nowhere.json"]));
    assert_told!("offline_alone", workspace.told(&["plan", "pipeline.toml", "--offline"]));
}

#[test]
fn the_guard() {
    let workspace = Workspace::new();
    let mark = "[[mark]]\nstreams = [\"owners\"]\ncolumns = [\"email\"]\nmarks = [\"pii\"]\n";
    workspace.pipeline(&[&workspace.source(OWNERS), mark, &workspace.file_sink()]);
    assert_told!("guard", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
    assert!(workspace.hubspot.requests().iter().all(|request| !request.path.contains("owners")), "nothing was read");
}

#[test]
fn secrets_and_tokens() {
    let workspace = Workspace::new();
    let source = workspace.source(OWNERS).replace("{ file = \"token\" }", "{ env = \"NO_SUCH_TOKEN\" }");
    workspace.pipeline(&[&source, &workspace.file_sink()]);
    assert_told!("secret_missing", workspace.told(&["run", "pipeline.toml"]));
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.file_sink()]);
    workspace.write("token", "pat-na1-00000000-0000-4000-8000-00000000ffff");
    assert_told!("token_unknown", workspace.told(&["run", "pipeline.toml"]));
    workspace.write("token", "not-a-token-at-all");
    assert_told!("token_malformed", workspace.told(&["run", "pipeline.toml"]));
    workspace.write("token", "  \n");
    assert_told!("token_empty", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
}

/// Refused before anything is sent, wherever it stands, and told without its value.
#[test]
fn secrets_that_are_no_tokens() {
    let workspace = Workspace::new();
    let (token, account) = (hubspot::TOKEN, aws::Options::default());
    let role = "external_id = \"sluice-external-id\"";
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.s3_sink(role, "")]);
    workspace.write("token", format!("Bearer {token}\n"));
    assert_told!("token_with_bearer", workspace.told(&["run", "pipeline.toml"]));
    workspace.write("token", format!("\"{token}\"\n"));
    assert_told!("token_in_quotes", workspace.told(&["run", "pipeline.toml"]));
    workspace.write("token", format!("{token}\u{200b}\n"));
    assert_told!("token_with_zero_width_space", workspace.told(&["run", "pipeline.toml"]));
    workspace.write("token", token);
    for (name, key) in [("access-key-id", &account.access_key_id), ("secret-access-key", &account.secret_access_key)] {
        workspace.write(name, format!("{key}\u{200b}"));
        let told = workspace.told(&["run", "pipeline.toml"]);
        assert!(told.contains(&format!("`sink.credentials.{}`: `{name}` holds", name.replace('-', "_"))), "{told}");
        assert!(told.contains("character") && !told.contains(key.as_str()), "{told}");
        workspace.write(name, key);
    }
    let source = workspace.source(OWNERS).replace("{ file = \"token\" }", "{ env = \"TOKEN\" }");
    workspace.pipeline(&[&source, &workspace.s3_sink(role, "")]);
    for value in [format!("'{token}'"), format!("{token}\u{200b}"), format!("{token}\nsecond-line")] {
        let output = Running::start(workspace.command(&["run", "pipeline.toml"]).env("TOKEN", value)).output();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && told.contains("the environment variable `TOKEN`"), "{told}");
        assert!(told.contains("hint: ") && !told.contains(token) && !told.contains("second-line"), "{told}");
    }
    assert!(workspace.hubspot.requests().is_empty() && workspace.aws.requests().is_empty(), "something was sent");

    // What only stands around it does not matter.
    let mut command = workspace.command(&["run", "pipeline.toml"]);
    let output = Running::start(command.env("TOKEN", format!("\u{feff}{token}\r\n"))).output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    workspace.write("token", format!("\u{feff}{token}\r\n"));
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.s3_sink(role, "")]);
    let output = workspace.sluice(&["run", "pipeline.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_scope_is_missing() {
    let token = hubspot::Token {
        text: hubspot::TOKEN.to_owned(),
        scopes: hubspot::Scopes::Only(["crm.objects.owners.read".to_owned()].into()),
    };
    let workspace = Workspace::with(hubspot::Options { tokens: vec![token], ..portal() }, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    assert_told!("scope_missing", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
}

#[test]
fn hubspot_is_down() {
    let workspace = Workspace::new();
    // A port that was free a moment ago: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let source = workspace.source(OWNERS).replace(&workspace.hubspot.base_url(), &format!("http://{address}"));
    workspace.pipeline(&[&source, &workspace.file_sink(), IMPATIENT]);
    assert_told!("hubspot_down", workspace.told(&["run", "pipeline.toml"]).replace(&address, "[HUBSPOT]"));
    assert_no_tables(&workspace);
}

/// Of faults that do not pass, a second is enough.
const IMPATIENT: &str = "[run]\npatience = \"1s\"\n";

fn faulty(fault: Fault) -> Workspace {
    let workspace = Workspace::with(hubspot::Options { faults: vec![fault], ..portal() }, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink(), IMPATIENT]);
    workspace
}

/// How many records there are is asked for the eyes of people only.
#[test]
fn a_search_that_fails_does_not_disturb_a_run() {
    let status = |status| FaultAction::Status { status, body: FaultBody::Json, retry_after: Some(3600) };
    for action in [status(503), status(429), status(401), FaultAction::Hang] {
        let workspace = faulty(Fault {
            path: PathPattern::Contains("/search".to_owned()),
            method: None,
            occurrences: 0..u64::MAX,
            action,
        });
        let output = workspace.sluice(&["run", "pipeline.toml"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(told.contains("(0 retried"), "{told}");
        let requests = workspace.hubspot.requests();
        assert_eq!(requests.iter().filter(|request| request.path.ends_with("/search")).count(), 1);
    }
}

#[test]
fn a_page_that_breaks_off_is_asked_for_again() {
    let workspace = faulty(on_records("0-1", 1..3, FaultAction::CutBody { after: 20_000 }));
    let output = workspace.sluice(&["run", "pipeline.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(workspace.commit()["tables"][0]["rows"], crate::harness::CONTACTS);
}

#[test]
fn a_page_that_always_breaks_off() {
    // The second page, after a first look and the first page: that has been taken by then, and is not kept.
    let workspace = faulty(on_records("0-1", 2..u64::MAX, FaultAction::CutBody { after: 20_000 }));
    assert_told!("page_cut", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
}

#[test]
fn hubspot_in_trouble() {
    let html = FaultAction::Status { status: 400, body: FaultBody::Html, retry_after: None };
    let workspace = faulty(on_records("0-1", 2..u64::MAX, html));
    assert_told!("html_error", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
    let moving = FaultAction::Status { status: 477, body: FaultBody::Json, retry_after: Some(86_400) };
    let workspace = faulty(on_records("0-1", 2..u64::MAX, moving));
    assert_told!("account_moving", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
}

#[test]
fn the_daily_limit() {
    let workspace = Workspace::with(hubspot::Options { requests_per_day: 7, ..portal() }, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    assert_told!("daily_limit", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
    // HubSpot does not always say for how long.
    let silent = hubspot::Options { requests_per_day: 7, retry_after: false, ..portal() };
    let workspace = Workspace::with(silent, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    assert_told!("daily_limit_without_end", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
}

#[test]
fn plugin_files() {
    let workspace = Workspace::new();
    let told = |path: &str, lines: &str| {
        let transform = format!("[[transform]]\nname = \"step\"\npath = \"{path}\"\n{lines}\n");
        workspace.pipeline(&[&workspace.source(OWNERS), &transform, &workspace.file_sink()]);
        workspace.told(&["run", "pipeline.toml"])
    };
    assert_told!("plugin_missing", told("nowhere.wasm", ""));
    workspace.write("text.wasm", "this is no WebAssembly");
    assert_told!("plugin_not_wasm", told("text.wasm", ""));
    workspace.write("evil.wasm", evil());
    let other = format!("digest = \"sha256:{}\"", "0".repeat(64));
    assert_told!("plugin_other_digest", told("evil.wasm", &other));
    assert_told!("plugin_no_digest", told("evil.wasm", "digest = \"md5:1234\""));
    workspace.write("foreign.wasm", evil_with_a_foreign_import());
    assert_told!("plugin_foreign_import", told("foreign.wasm", ""));
    workspace.write("old.wasm", with_contract_version(evil(), "0.0.9"));
    assert_told!("plugin_contract_version", told("old.wasm", ""));
    assert_no_tables(&workspace);
}

/// Told as of a plugin that a pipeline names: which file, and what mends it.
#[test]
fn plugins_that_cannot_be_inspected() {
    let workspace = Workspace::new();
    workspace.write("text.wasm", "this is no WebAssembly");
    assert_told!("inspect_not_wasm", workspace.told(&["plugin", "inspect", "text.wasm"]));
    workspace.write("foreign.wasm", evil_with_a_foreign_import());
    assert_told!("inspect_foreign_import", workspace.told(&["plugin", "inspect", "foreign.wasm"]));
    assert_told!("inspect_missing", workspace.told(&["plugin", "inspect", "nowhere.wasm"]));
}

#[test]
fn plugins_that_misbehave() {
    assert_told!("plugin_traps", misbehaving("{ behave = \"trap\", in = \"apply\", column = \"2\" }", ""));
    assert_told!(
        "plugin_loops",
        misbehaving(
            "{ behave = \"loop\", in = \"apply\", column = \"2\" }",
            "limits = { fuel_base = 1000000, fuel_per_row = 1000, fuel_per_byte = 10 }"
        )
    );
    assert_told!(
        "plugin_grows",
        misbehaving("{ behave = \"grow\", in = \"apply\", column = \"2\" }", "limits = { memory = \"16MiB\" }")
    );
    assert_told!(
        "plugin_returns_much",
        misbehaving("{ behave = \"huge\", in = \"apply\", column = \"2\" }", "limits = { result = \"1MiB\" }")
    );
    assert_told!("plugin_refuses_settings", misbehaving("{ behave = \"refuse\", in = \"open\", column = \"2\" }", ""));
}

#[test]
fn plugins_that_do_not_fit_into_the_memory_of_the_run() {
    let workspace = Workspace::new();
    workspace.write("evil.wasm", evil());
    let settings = "{ behave = \"grow\", in = \"apply\", column = \"2\" }";
    let transform = format!(
        "[[transform]]\nname = \"step\"\npath = \"evil.wasm\"\nsettings = {settings}\nlimits = {{ memory = \"1GiB\" }}\n"
    );
    let source = workspace.source("streams = [\"owners\"]");
    workspace.pipeline(&[&source, &transform, &workspace.file_sink(), "[run]\nplugin_memory = \"64MiB\"\n"]);
    assert_told!("plugin_memory", workspace.told(&["run", "pipeline.toml", "--quiet"]));
    assert_no_tables(&workspace);
}

#[test]
fn two_columns_of_one_name() {
    let workspace = Workspace::new();
    workspace.write("evil.wasm", evil());
    let settings = "{ behave = \"same-name\", in = \"outline\", column = \"1\" }";
    let transform = format!("[[transform]]\nname = \"step\"\npath = \"evil.wasm\"\nsettings = {settings}\n");
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &transform, &workspace.file_sink()]);
    assert_told!("plugin_same_name", workspace.told(&["run", "pipeline.toml"]));
    assert_no_tables(&workspace);
}

#[test]
fn standard_plugins_refuse_settings_in_their_own_words() {
    let workspace = Workspace::new();
    let transform = "[[transform]]\nname = \"scrub\"\nplugin = \"redact\"\nsettings = { rules = [{ colums = [\"email\"], action = \"drop\" }] }\n";
    workspace.pipeline(&[&workspace.source(OWNERS), transform, &workspace.file_sink()]);
    assert_told!("settings_refused", workspace.told(&["run", "pipeline.toml"]));
}

#[test]
fn the_role_and_the_bucket() {
    let workspace = Workspace::new();
    let told = |role: &str, replace: (&str, &str)| {
        let sink = workspace.s3_sink(role, "").replace(replace.0, replace.1);
        workspace.pipeline(&[&workspace.source(OWNERS), &sink]);
        workspace.told(&["run", "pipeline.toml"])
    };
    let right = "external_id = \"sluice-external-id\"";
    assert_told!("external_id_wrong", told("external_id = \"another\"", ("", "")));
    assert_told!("external_id_absent", told("duration = \"1h\"", ("", "")));
    assert_told!("bucket_missing", told(right, ("s3://bucket/crm", "s3://no-such-bucket/crm")));
    assert_no_tables(&workspace);
}

#[test]
fn no_permission_to_write() {
    let permissions = Permissions::only([Action::GetObject, Action::ListBucket]);
    let workspace = Workspace::with(portal(), aws::Options { permissions, ..aws::Options::default() });
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.s3_sink("external_id = \"sluice-external-id\"", "")]);
    assert_told!("no_put_object", workspace.told(&["run", "pipeline.toml"]));
}

#[test]
fn a_folder_that_is_a_file() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.file_sink()]);
    workspace.write("tables", "a file");
    assert_told!("sink_is_a_file", workspace.told(&["run", "pipeline.toml"]));
}

#[test]
fn an_interrupt_leaves_the_tables_as_they_were() {
    // Pages are slow enough that the run is in the middle when it is interrupted.
    let slow = hubspot::Options { latency: Duration::from_millis(300), ..portal() };
    let workspace = Workspace::with(slow, aws::Options::default());
    workspace.pipeline(&[&workspace.source("streams = [\"contacts\"]"), &workspace.file_sink()]);
    let mut running = workspace.start(&["run", "pipeline.toml", "--report", "report.json"]);
    running.until("it reads", |_| workspace.hubspot.requests().iter().any(|request| request.path.ends_with("/0-1")));
    running.interrupt();
    let output = running.output();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_told!("interrupted", format!("exit code 130\n{told}"));
    assert_no_tables(&workspace);
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(workspace.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["outcome"], "interrupted");
    // The lease was released: the next run need not wait for it.
    let again = workspace.sluice(&["run", "pipeline.toml"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
}
