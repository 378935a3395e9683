//! Text that is not ours on the process's two outputs: it steers no terminal, begins no line, and commands no CI.
//!
//! A text that tries all of it is put wherever text comes from: commits and leases, HubSpot's answers, the pipeline file, the
//! schema file, a plugin, names of files, the command line. Each command is asked for text and for JSON, and its outputs are
//! looked at byte for byte.

use std::{fs, process::Output};

use serde_json::{Value, json};
use sluice_simulator::{
    aws, data,
    hubspot::{self, Fault, FaultAction, PathPattern, Scopes, Token},
};

use crate::{guests::evil, harness::Workspace};

/// A bell, colours, the CSI of one character, a line end of each kind, the commands of two CIs (one of them after blanks, which
/// they pass over, and one in the middle of a line), a turned reading direction, a blank without width, a filler, a tag.
const HOSTILE: &str = "h\u{7}\u{1b}[31m\u{9b}2J\r\n::error::forged1\nforged4: a line\n  ::warning::forged2\n##[error]forged3 \
                       ##vso[task.complete result=Succeeded]\u{85}\u{2028}\u{202e}\u{200b}\u{3164}\u{e0041}h";

/// As a text of JSON, without its quotes. TOML's are the same, but for characters of two halves.
fn escaped() -> String {
    let mut escaped = String::new();
    for character in HOSTILE.chars() {
        match character {
            ' '..='~' => escaped.push(character),
            other if u32::from(other) > 0xffff => {}
            other => escaped.push_str(&format!("\\u{:04x}", u32::from(other))),
        }
    }
    escaped
}

/// Fails if an output of a command holds what a terminal or a CI obeys, or a line that is not ours; gives both together.
#[track_caller]
fn assert_clean(case: &str, output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8(bytes.clone()).unwrap());
    for text in &both {
        for character in text.chars() {
            let steers = match character {
                '\n' => false,
                '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{3164}'
                | '\u{e0000}'..='\u{e0fff}' => true,
                other => other.is_control(),
            };
            assert!(!steers, "{case}: {character:?} in {text:?}");
        }
        for line in text.lines() {
            assert!(!line.trim_start().starts_with("::"), "{case}: a command of GitHub's in {text}");
            assert!(!line.trim_start().starts_with("forged"), "{case}: a line that is not ours in {text}");
        }
        assert!(!text.contains("##[") && !text.contains("##vso["), "{case}: a command of Azure's in {text}");
    }
    let both = both.concat();
    assert!(!both.contains("panicked"), "{case}: {both}");
    both
}

/// Runs commands, each of which must show the text, made printable.
#[track_caller]
fn assert_shown(workspace: &Workspace, case: &str, commands: &[&[&str]]) {
    for arguments in commands {
        let told = assert_clean(&format!("{case}, {arguments:?}"), &workspace.sluice(arguments));
        assert!(told.contains("forged1"), "{case}, {arguments:?}: the text is not shown, so nothing is tried: {told}");
    }
}

const OWNERS: &str = "streams = [\"owners\"]";

const PLAN: &[&str] = &["plan", "pipeline.toml"];
const CHECK: &[&str] = &["check", "pipeline.toml"];
const RUN: &[&str] = &["run", "pipeline.toml"];
const RUN_AS_JSON: &[&str] = &["run", "pipeline.toml", "--log", "json"];
const TABLES: &[&str] = &["tables", "pipeline.toml"];
const TABLES_AS_JSON: &[&str] = &["tables", "pipeline.toml", "--format", "json"];
const DUCKDB: &[&str] = &["tables", "pipeline.toml", "--format", "duckdb"];
const EXPIRE: &[&str] = &["expire", "pipeline.toml", "--keep", "1d"];

/// A workspace whose bucket has a commit, and the commit.
fn committed() -> (Workspace, std::path::PathBuf, Value) {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.file_sink()]);
    workspace.run(0);
    let commits = workspace.path().join("tables/_sluice/commits");
    let newest = fs::read_dir(commits).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let commit = serde_json::from_slice(&fs::read(&newest).unwrap()).unwrap();
    (workspace, newest, commit)
}

#[test]
fn a_forged_commit() {
    let (workspace, newest, commit) = committed();
    let places = [
        "/run",
        "/pipeline",
        "/sluice",
        "/committed",
        "/tables/owners/run",
        "/tables/owners/written",
        "/tables/owners/pipeline",
        "/tables/owners/streams/0/name",
        "/tables/owners/columns/0/name",
        "/tables/owners/columns/0/type",
        "/tables/owners/files/0/path",
    ];
    let mut forged: Vec<(String, Value)> = Vec::new();
    for place in places {
        let mut commit = commit.clone();
        *commit.pointer_mut(place).unwrap() = HOSTILE.into();
        forged.push((place.to_owned(), commit));
    }
    let mut marked = commit.clone();
    marked["tables"]["owners"]["columns"][0]["marks"] = json!([HOSTILE]);
    forged.push(("a mark".to_owned(), marked));
    let mut named = commit.clone();
    named["tables"][HOSTILE] = commit["tables"]["owners"].clone();
    forged.push(("a table's name".to_owned(), named));
    let mut nameless = commit.clone();
    // The type is shown beside a name that is none, too.
    nameless["tables"]["owners"]["columns"][0] = json!({ "name": "x", "type": HOSTILE, "nullable": HOSTILE });
    forged.push(("a member of another type".to_owned(), nameless));
    let mut shown = 0;
    for (case, commit) in forged {
        fs::write(&newest, commit.to_string()).unwrap();
        for arguments in [TABLES, TABLES_AS_JSON, DUCKDB, EXPIRE, RUN, RUN_AS_JSON, CHECK] {
            let told = assert_clean(&format!("{case}, {arguments:?}"), &workspace.sluice(arguments));
            shown += usize::from(told.contains("forged1"));
        }
    }
    assert!(shown > 10, "the text is shown {shown} times, so hardly anything is tried");
}

#[test]
fn a_commit_with_hostile_words_where_any_may_stand() {
    let (workspace, newest, mut commit) = committed();
    commit["tables"]["owners"]["columns"][0]["attributes"] = json!({ "label": HOSTILE, HOSTILE: "x" });
    commit["plugins"] = json!({ HOSTILE: HOSTILE });
    fs::write(&newest, commit.to_string()).unwrap();
    for arguments in [TABLES, TABLES_AS_JSON, DUCKDB, CHECK, RUN] {
        assert_clean(&format!("{arguments:?}"), &workspace.sluice(arguments));
    }
}

#[test]
fn a_forged_lease() {
    let (workspace, ..) = committed();
    let leases = workspace.path().join("tables/_sluice/leases/test");
    let newest = fs::read_dir(leases).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let lease: Value = serde_json::from_slice(&fs::read(&newest).unwrap()).unwrap();
    for member in ["run", "pipeline", "host", "taken", "ends"] {
        let mut lease = lease.clone();
        lease[member] = HOSTILE.into();
        lease["released"] = false.into();
        if member != "ends" {
            lease["ends"] = "2999-01-01T00:00:00Z".into();
        }
        fs::write(&newest, lease.to_string()).unwrap();
        for arguments in [RUN, RUN_AS_JSON, CHECK] {
            assert_clean(&format!("{member}, {arguments:?}"), &workspace.sluice(arguments));
        }
    }
}

#[test]
fn the_text_of_a_pipeline_file() {
    let workspace = Workspace::new();
    let (source, sink) = (workspace.source(OWNERS), workspace.file_sink());
    let hostile = escaped();
    let spec = |sections: &[&str]| format!("pipeline = \"test\"\n\n{}", sections.join("\n"));
    let mark = |columns: &str, marks: &str| {
        format!("[[mark]]\nstreams = [\"owners\"]\ncolumns = [\"{columns}\"]\nmarks = [\"{marks}\"]\n")
    };
    let cases = [
        ("a pipeline's name", spec(&[&source, &sink]).replace("\"test\"", &format!("\"{hostile}\""))),
        ("an unknown key", spec(&[&source, &sink, &format!("\"{hostile}\" = 1")])),
        ("an unknown word", spec(&[&source.replace("\"hubspot\"", &format!("\"{hostile}\"")), &sink])),
        ("a number for a name", spec(&[&source, &sink]).replace("\"test\"", &format!("{{ \"{hostile}\" = 1 }}"))),
        ("a stream", spec(&[&workspace.source(&format!("streams = [\"{hostile}\"]")), &sink])),
        ("a glob", spec(&[&source, &mark(&hostile, "pii"), &sink])),
        ("a mark", spec(&[&source, &mark("email", &hostile), &sink])),
        ("a file of a secret", spec(&[&source.replace("\"token\"", &format!("\"{hostile}\"")), &sink])),
        (
            "a variable of a secret",
            spec(&[
                &source.replace("file = \"token\"", &format!("env = \"{}\"", hostile.replace(['=', ' '], ""))),
                &sink,
            ]),
        ),
        ("a server", spec(&[&source.replace("http://", &format!("http://{hostile}")), &sink])),
        ("a sink", spec(&[&source, &sink.replace("file://", &format!("{hostile}://"))])),
        ("a plugin", spec(&[&source, &format!("[[transform]]\nname = \"step\"\npath = \"{hostile}.wasm\"\n"), &sink])),
        (
            "a standard plugin",
            spec(&[&source, &format!("[[transform]]\nname = \"step\"\nplugin = \"{hostile}\"\n"), &sink]),
        ),
        ("what is no TOML", HOSTILE.to_owned()),
    ];
    let mut shown = 0;
    for (case, text) in cases {
        workspace.write("pipeline.toml", text);
        let discover: &[&str] = &["discover", "pipeline.toml"];
        let iam: &[&str] = &["iam", "policy", "pipeline.toml"];
        for arguments in [PLAN, CHECK, RUN, RUN_AS_JSON, discover, iam, TABLES] {
            let told = assert_clean(&format!("{case}, {arguments:?}"), &workspace.sluice(arguments));
            shown += usize::from(told.contains("forged1"));
        }
    }
    assert!(shown > 40, "the text is shown {shown} times, so hardly anything is tried");
}

#[test]
fn a_schema_file() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source("streams = [\"*\"]"), &workspace.file_sink()]);
    let column = json!({ "name": "id", "type": "text", "nullable": false, "attributes": { "key": "true" } });
    let stream = json!({ "name": "contacts", "kind": "objects", "object_type_id": "0-1", "columns": [column] });
    let with = |changes: &[(&str, Value)]| {
        let mut stream = stream.clone();
        for (place, value) in changes {
            let (parent, member) = place.rsplit_once('/').unwrap();
            stream.pointer_mut(parent).unwrap()[member] = value.clone();
        }
        json!({ "format": 1, "streams": [stream] }).to_string()
    };
    let unreadable = |member: &str| {
        let mut stream =
            json!({ "name": "contacts", "kind": "objects", "object_type_id": "0-1", "not_readable": "x", "hint": "y" });
        stream[member] = HOSTILE.into();
        json!({ "format": 1, "streams": [stream] }).to_string()
    };
    let cases = [
        ("a name", with(&[("/name", HOSTILE.into())])),
        ("a kind", with(&[("/kind", HOSTILE.into())])),
        ("a type's id", with(&[("/object_type_id", HOSTILE.into())])),
        ("a full name", with(&[("/fully_qualified_name", HOSTILE.into())])),
        ("further names", with(&[("/further_names", json!([HOSTILE])), ("/name", HOSTILE.into())])),
        ("a shared name", with(&[("/shared_name", HOSTILE.into())])),
        ("a column", with(&[("/columns/0/name", HOSTILE.into())])),
        ("a column's type", with(&[("/columns/0/type", HOSTILE.into())])),
        ("a mark", with(&[("/columns/0/marks", json!([HOSTILE]))])),
        ("a label", with(&[("/columns/0/attributes", json!({ "key": "true", "label": HOSTILE }))])),
        ("a reason", unreadable("not_readable")),
        ("a hint", unreadable("hint")),
        ("what is no JSON", HOSTILE.to_owned()),
    ];
    let mut shown = 0;
    for (case, text) in cases {
        workspace.write("schema.json", text);
        for command in ["plan", "check"] {
            for format in ["table", "json"] {
                let arguments = [command, "pipeline.toml", "--offline", "--schema", "schema.json", "--format", format];
                let told = assert_clean(&format!("{case}, {arguments:?}"), &workspace.sluice(&arguments));
                shown += usize::from(told.contains("forged1"));
            }
        }
    }
    assert!(shown > 20, "the text is shown {shown} times, so hardly anything is tried");
}

#[test]
fn the_answers_of_hubspot() {
    let replaced = |path: &str, text: &str, by: &str| Fault {
        path: PathPattern::Contains(path.to_owned()),
        method: None,
        occurrences: 0..u64::MAX,
        action: FaultAction::Replaced { text: text.to_owned(), by: by.to_owned() },
    };
    let hostile = escaped();
    let discover: &[&str] = &["discover", "pipeline.toml"];
    let discover_as_json: &[&str] = &["discover", "pipeline.toml", "--format", "json"];
    let plan_as_json: &[&str] = &["plan", "pipeline.toml", "--format", "json"];
    // Each with the commands that show it.
    let cases: [(&str, Fault, &[&[&str]]); 7] = [
        ("a label", replaced("/properties/", "Phone Number", &hostile), &[discover, discover_as_json]),
        ("a property", replaced("/properties/", "\"phone\"", &format!("\"{hostile}\"")), &[PLAN, plan_as_json]),
        ("a full name", replaced("/crm-object-schemas/", "_vehicle\"", &format!("_{hostile}\"")), &[discover_as_json]),
        ("a name", replaced("/crm-object-schemas/", "\"vehicle\"", &format!("\"{hostile}\"")), &[discover, CHECK]),
        ("a category", replaced("/", "\"category\":\"", &format!("\"category\":\"{hostile}")), &[CHECK, RUN]),
        ("a message", replaced("/", "\"message\":\"", &format!("\"message\":\"{hostile}")), &[CHECK, RUN_AS_JSON]),
        ("an email", replaced("/owners/", "@", &format!("{hostile}@")), &[RUN, TABLES_AS_JSON]),
    ];
    let scopes = ["contacts", "owners", "custom"].map(|name| format!("crm.objects.{name}.read"));
    let scopes = scopes.into_iter().chain(["contacts", "custom"].map(|name| format!("crm.schemas.{name}.read")));
    let scopes = Scopes::Only(scopes.collect());
    let mut shown = 0;
    for (case, fault, commands) in cases {
        let data = data::Options { contacts: 20, ..data::Options::default() };
        let requests_per_10s = 10_000;
        // What the token may not see is not counted, and counts come five a second.
        let tokens = vec![Token { text: hubspot::TOKEN.to_owned(), scopes: scopes.clone() }];
        let faults = vec![fault];
        let options = hubspot::Options { data, tokens, requests_per_10s, faults, ..hubspot::Options::default() };
        let workspace = Workspace::with(options, aws::Options::default());
        let streams = "streams = [\"contacts\", \"owners\", \"*vehicle\"]";
        let source = workspace.source(&format!("{streams}\nrequests_per_10s = {requests_per_10s}"));
        // Some of these answers look like an outage.
        workspace.pipeline(&[&source, &workspace.file_sink(), "[run]\npatience = \"1s\"\n"]);
        for arguments in commands {
            let told = assert_clean(&format!("{case}, {arguments:?}"), &workspace.sluice(arguments));
            shown += usize::from(told.contains("forged1"));
        }
    }
    assert!(shown > 9, "the text is shown {shown} times, so hardly anything is tried");
}

#[test]
fn a_plugin_and_the_names_of_files() {
    let workspace = Workspace::new();
    workspace.write("evil.wasm", evil());
    let name: String = HOSTILE.replace('/', "");
    workspace.write(&format!("{name}.wasm"), evil());
    let file = format!("{name}.wasm");
    assert_shown(&workspace, "a plugin's file", &[&["plugin", "inspect", &file]]);
    workspace.write(&name, "x");
    let rows = workspace.write("rows.ndjson", format!("{}\n", json!({ "id": HOSTILE, HOSTILE: HOSTILE })));
    let rows = rows.to_str().unwrap();
    let rehearse: &[&str] = &["plugin", "run", "evil.wasm", "--input", rows];
    let as_json: &[&str] = &["plugin", "run", "evil.wasm", "--input", rows, "--format", "ndjson"];
    assert_shown(&workspace, "rows", &[rehearse, as_json, &["plugin", "run", "evil.wasm", "--input", &name]]);
    let settings = workspace.write("settings.toml", HOSTILE);
    assert_clean("settings", &workspace.sluice(&[rehearse, &["--settings", settings.to_str().unwrap()]].concat()));
    let say = workspace.write("say.toml", "behave = \"say\"\nin = \"open\"\n");
    assert_clean("a log", &workspace.sluice(&[rehearse, &["--settings", say.to_str().unwrap()]].concat()));
}

#[test]
fn the_command_line() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&workspace.source(OWNERS), &workspace.file_sink()]);
    let commands: [&[&str]; 9] = [
        &[HOSTILE],
        &["plan", HOSTILE],
        &["plan", "pipeline.toml", "--format", HOSTILE],
        &["plan", "pipeline.toml", "--offline", "--schema", HOSTILE],
        &["run", "pipeline.toml", "--only", HOSTILE],
        &["run", HOSTILE, "--log", "json"],
        &["tables", "file://forged1/\u{1b}[31m\n::error::forged1"],
        &["plugin", "new", HOSTILE],
        &["plugin", "inspect", HOSTILE],
    ];
    assert_shown(&workspace, "the command line", &commands);
}
