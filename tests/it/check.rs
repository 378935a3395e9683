//! `sluice check` finds each thing that is wrong, says what mends it, and tries the rest all the same.

use sluice_simulator::{
    aws::{self, Action, Permissions},
    hubspot::{self, Scopes, Token},
};

use crate::harness::{Workspace, portal};

const EXTERNAL_ID: &str = "external_id = \"sluice-external-id\"";

/// Checks a pipeline; gives what is told, and what failed.
fn check(workspace: &Workspace, source: &str, transforms: &str, sink: &str) -> (String, Vec<String>) {
    workspace.pipeline(&[source, transforms, sink]);
    let told = workspace.told(&["check", "pipeline.toml"]);
    let failed = told.lines().filter_map(|line| line.strip_prefix("FAIL ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(told.starts_with("exit code 0\n"), failed.is_empty(), "{told}");
    assert!(!told.contains(hubspot::TOKEN), "the token is told");
    (told, failed)
}

fn streams(workspace: &Workspace) -> String {
    workspace.source("streams = [\"contacts\", \"owners\"]")
}

/// Checks a pipeline of contacts and owners into S3, with nothing wrong but what the workspace brings.
fn check_all(workspace: &Workspace) -> (String, Vec<String>) {
    check(workspace, &streams(workspace), "", &workspace.s3_sink(EXTERNAL_ID, ""))
}

fn with_scopes(scopes: &[&str]) -> Workspace {
    let scopes = Scopes::Only(scopes.iter().map(|&scope| scope.to_owned()).collect());
    let token = Token { text: hubspot::TOKEN.to_owned(), scopes };
    Workspace::with(hubspot::Options { tokens: vec![token], ..portal() }, aws::Options::default())
}

fn with_permissions(permissions: Permissions) -> Workspace {
    Workspace::with(portal(), aws::Options { permissions, ..aws::Options::default() })
}

#[test]
fn where_nothing_is_wrong_nothing_is_found_and_nothing_is_left() {
    let workspace = Workspace::new();
    let (told, failed) = check_all(&workspace);
    assert!(failed.is_empty(), "{told}");
    let lines: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("ok   ")).collect();
    assert_eq!(
        lines,
        [
            "plugins",
            "token",
            "plan and guard",
            "price",
            "stream `contacts`",
            "stream `owners`",
            "role and bucket",
            "bucket: list",
            "bucket: write",
            "bucket: write only what is absent",
            "bucket: read",
            "bucket: begin a large object and give it up",
            "bucket: remove"
        ]
    );
    assert!(workspace.aws.open_uploads().is_empty());
    let (told, failed) = check(&workspace, &streams(&workspace), "", &workspace.file_sink());
    assert!(failed.is_empty(), "{told}");
    let mut folders = vec![workspace.path().join("s3/bucket"), workspace.path().join("tables")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.is_dir(), "{} is left", path.display());
            folders.push(path);
        }
    }
}

#[test]
fn a_wrong_token() {
    let workspace = Workspace::new();
    workspace.write("token", "pat-na1-00000000-1111-4111-8111-000000000009");
    let (told, failed) = check_all(&workspace);
    assert_eq!(failed, ["token"], "{told}");
    assert!(told.contains("the access token is not valid") && told.contains("-    plan and guard"), "{told}");
    assert!(told.contains("ok   bucket: remove"), "the bucket is tried all the same: {told}");
}

#[test]
fn each_missing_scope() {
    let contacts = ["crm.objects.contacts.read", "crm.schemas.contacts.read"];
    let (told, failed) = check_all(&with_scopes(&contacts));
    assert_eq!(failed, ["stream `owners`"], "{told}");
    assert!(told.contains("hint: grant the token the scope `crm.objects.owners.read`"), "{told}");

    let (told, failed) = check_all(&with_scopes(&["crm.objects.owners.read"]));
    assert_eq!(failed, ["plan and guard"], "{told}");
    assert!(told.contains("grant the token the scope `crm.objects.contacts.read`"), "{told}");

    let (told, failed) = check_all(&with_scopes(&["crm.objects.owners.read", "crm.schemas.contacts.read"]));
    assert_eq!(failed, ["stream `contacts`"], "its properties may be listed, its records not be read: {told}");
    assert!(told.contains("grant the token the scope `crm.objects.contacts.read`"), "{told}");
}

#[test]
fn sensitive_values_that_the_token_may_not_read() {
    let workspace = Workspace::new();
    let source = workspace.source("streams = [\"contacts\"]\nsensitive = \"include\"");
    let accepts = "accepts = [\"sensitive\", \"highly_sensitive\", \"hipaa\"]";
    let (told, failed) = check(&workspace, &source, "", &workspace.s3_sink(EXTERNAL_ID, accepts));
    assert_eq!(failed, ["stream `contacts`"], "{told}");
    assert!(told.contains("sensitive.read"), "{told}");
}

#[test]
fn a_wrong_role_external_id_or_bucket() {
    let workspace = Workspace::new();
    let of = |sink: &str| check(&workspace, &streams(&workspace), "", sink);
    for (sink, told_as) in [
        (workspace.s3_sink("external_id = \"another\"", ""), "external id"),
        (workspace.s3_sink(EXTERNAL_ID, "").replace("role/sluice-destination", "role/nobody"), "role/nobody"),
    ] {
        let (told, failed) = of(&sink);
        assert_eq!(failed, ["role and bucket"], "{told}");
        assert!(told.contains(told_as) && told.contains("hint: "), "{told}");
    }
    let (told, failed) = of(&workspace.s3_sink(EXTERNAL_ID, "").replace("s3://bucket/", "s3://no-such-bucket/"));
    assert!(failed.contains(&"bucket: list".to_owned()), "{told}");
    assert!(told.contains("a run creates no buckets"), "{told}");
}

#[test]
fn each_missing_permission() {
    for (action, name, found) in [
        (Action::ListBucket, "s3:ListBucket", "bucket: list"),
        (Action::PutObject, "s3:PutObject", "bucket: write"),
        (Action::GetObject, "s3:GetObject", "bucket: read"),
        (Action::AbortMultipartUpload, "s3:AbortMultipartUpload", "bucket: begin a large object and give it up"),
        (Action::DeleteObject, "s3:DeleteObject", "bucket: remove"),
    ] {
        let (told, failed) = check_all(&with_permissions(Permissions::all().without(action)));
        assert_eq!(failed[0], found, "{told}");
        assert!(told.contains(&format!("must allow `{name}` on `arn:aws:s3:::bucket")), "{told}");
    }
}

#[test]
fn a_plugin_that_does_not_load_and_a_guard_that_refuses() {
    let workspace = Workspace::new();
    let absent = "[[transform]]\nname = \"mine\"\npath = \"mine.wasm\"\n";
    let (told, failed) = check(&workspace, &streams(&workspace), absent, &workspace.s3_sink(EXTERNAL_ID, ""));
    assert_eq!(failed, ["plugins"], "{told}");
    assert!(told.contains("mine.wasm` cannot be read"), "{told}");

    let mark = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_email\"]\nmarks = [\"phi\"]\n";
    let (told, failed) = check(&workspace, &streams(&workspace), mark, &workspace.s3_sink(EXTERNAL_ID, ""));
    assert_eq!(failed, ["plan and guard"], "{told}");
    assert!(told.contains("would carry the mark `phi` into the bucket"), "{told}");
}

#[test]
fn as_json_and_without_asking_anybody() {
    let workspace = Workspace::new();
    workspace.pipeline(&[&streams(&workspace), &workspace.s3_sink(EXTERNAL_ID, "")]);
    let schema = workspace.sluice(&["discover", "pipeline.toml", "--format", "json"]);
    workspace.write("schema.json", schema.stdout);
    let (hubspot, aws) = (workspace.hubspot.requests().len(), workspace.aws.requests().len());
    let output =
        workspace.sluice(&["check", "pipeline.toml", "--format", "json", "--offline", "--schema", "schema.json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["ok"]), (Some(0), &true.into()), "{told}");
    let checks: Vec<&str> =
        told["checks"].as_array().unwrap().iter().map(|check| check["check"].as_str().unwrap()).collect();
    assert_eq!(checks, ["plugins", "plan and guard", "price"]);
    assert_eq!(told["checks"][2]["notes"], serde_json::json!(["not known, since nobody is asked"]));
    assert_eq!((hubspot, aws), (workspace.hubspot.requests().len(), workspace.aws.requests().len()));
}

/// 1 where the world failed, 2 where somebody must act, and a run says the same.
#[test]
fn the_exit_code_says_who_must_act_as_that_of_a_run() {
    let workspace = Workspace::new();
    // A port that was free a moment ago: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let down = streams(&workspace).replace(&workspace.hubspot.base_url(), &nobody);
    let (source, sink) = (streams(&workspace), workspace.s3_sink(EXTERNAL_ID, ""));
    let no_bucket = sink.replace(&workspace.aws.endpoint(), &nobody);
    let other_id = workspace.s3_sink("external_id = \"another\"", "");
    let code = |command: &str, source: &str, sink: &str| {
        workspace.pipeline(&[source, sink, "[run]\npatience = \"1s\"\n"]);
        workspace.sluice(&[command, "pipeline.toml"]).status.code().unwrap()
    };
    for (source, sink, expected) in [
        (&source, &sink, 0),
        (&down, &sink, 1),
        (&source, &no_bucket, 1),
        (&source, &other_id, 2),
        (&source, &sink.replace("s3://bucket/", "s3://no-such-bucket/"), 2),
    ] {
        assert_eq!(code("check", source, sink), expected, "{source}{sink}");
        assert_eq!(code("run", source, sink), expected, "{source}{sink}");
    }
    assert_eq!(code("check", &down, &other_id), 2, "what somebody must mend is the graver");
    workspace.write("token", "pat-na1-00000000-1111-4111-8111-000000000009");
    assert_eq!([code("check", &source, &sink), code("run", &source, &sink)], [2, 2]);
    assert_eq!(code("check", &source, &no_bucket), 2, "what somebody must mend is the graver");
    let json = workspace.sluice(&["check", "pipeline.toml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["exit_code"], &json["checks"][1]["exit_code"]), (&2.into(), &2.into()), "{json}");

    for workspace in [
        with_scopes(&["crm.objects.contacts.read", "crm.schemas.contacts.read"]),
        with_permissions(Permissions::all().without(Action::PutObject)),
    ] {
        workspace.pipeline(&[&streams(&workspace), &workspace.s3_sink(EXTERNAL_ID, "")]);
        let codes = ["check", "run"].map(|command| workspace.sluice(&[command, "pipeline.toml"]).status.code());
        assert_eq!(codes, [Some(2), Some(2)]);
    }
}
