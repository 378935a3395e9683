//! `sluice check` finds each thing that is wrong, says what mends it, and tries the rest all the same.

use sluice_simulator::{
    aws::{self, Action, Permissions},
    hubspot::{self, Fault, FaultAction, FaultBody, PathPattern, Scopes, Token},
};

use crate::{
    child::Running,
    harness::{Workspace, portal},
};

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

/// What contacts and owners take, and no more.
const NEEDED: [&str; 3] = ["crm.objects.contacts.read", "crm.objects.owners.read", "crm.schemas.contacts.read"];

/// Checks the same pipeline again for programs: the checks by name, and the exit code.
fn as_json(workspace: &Workspace) -> (Vec<serde_json::Value>, i64) {
    let output = workspace.sluice(&["check", "pipeline.toml", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["exit_code"].as_i64(), output.status.code().map(i64::from), "{told}");
    (told["checks"].as_array().unwrap().clone(), told["exit_code"].as_i64().unwrap())
}

/// The one check that has failed, as programs are told it; it ends with the code of those whose owner must act.
fn the_failure(workspace: &Workspace) -> serde_json::Value {
    let (checks, exit_code) = as_json(workspace);
    let failed: Vec<_> = checks.into_iter().filter(|check| check["outcome"] == "failed").collect();
    assert_eq!((failed.len(), exit_code), (1, 2), "{failed:?}");
    failed[0].clone()
}

fn with_permissions(permissions: Permissions) -> Workspace {
    Workspace::with(portal(), aws::Options { permissions, ..aws::Options::default() })
}

#[test]
fn where_nothing_is_wrong_nothing_is_found_and_nothing_is_left() {
    let workspace = with_scopes(&NEEDED);
    let (told, failed) = check_all(&workspace);
    assert!(failed.is_empty(), "{told}");
    // An API version near its end is a warning, and which day it is nobody knows.
    let lines = told.lines().filter_map(|line| line.strip_prefix("ok   ").or_else(|| line.strip_prefix("warn API")));
    assert_eq!(
        lines.map(|line| if line == " version" { "API version" } else { line }).collect::<Vec<_>>(),
        [
            "plugins",
            "token",
            "plan and guard",
            "API version",
            "scopes",
            "price",
            "stream `contacts`",
            "stream `owners`",
            "role and bucket",
            "bucket: settings",
            "bucket: list",
            "bucket: write",
            "bucket: write only what is absent",
            "bucket: read",
            "bucket: begin a large object and give it up",
            "bucket: remove"
        ]
    );
    for permission in ["s3:ListBucket", "s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:DeleteObject"] {
        assert!(told.contains(&format!("`{permission}` is granted")), "{told}");
    }
    assert!(told.contains("the token has no scope that the streams do not need"), "{told}");
    assert!(workspace.aws.open_uploads().is_empty());
    let (told, failed) = check(&workspace, &streams(&workspace), "", &workspace.file_sink());
    assert!(failed.is_empty() && !told.contains("is granted"), "a folder has no permissions: {told}");
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
    assert_eq!(the_failure(&workspace)["check"], "token");
}

#[test]
fn each_missing_scope() {
    let contacts = ["crm.objects.contacts.read", "crm.schemas.contacts.read"];
    let workspace = with_scopes(&contacts);
    let (told, failed) = check_all(&workspace);
    assert_eq!(failed, ["stream `owners`"], "{told}");
    assert_eq!(the_failure(&workspace)["hint"], "grant the token the scope `crm.objects.owners.read`");
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
        let failure = the_failure(&workspace);
        assert!(
            failure["hint"].is_string() && failure["error"].as_str().unwrap().contains("sts:AssumeRole"),
            "{failure}"
        );
    }
    let (told, failed) = of(&workspace.s3_sink(EXTERNAL_ID, "").replace("s3://bucket/", "s3://no-such-bucket/"));
    assert_eq!(failed, ["bucket: list"], "what else is done with it depends on that: {told}");
    assert!(
        told.contains("there is no bucket `no-such-bucket`") && told.contains("a run creates no buckets"),
        "{told}"
    );
    assert!(told.contains("-    bucket: write\n"), "{told}");
    let failure = the_failure(&workspace);
    assert_eq!((&failure["check"], &failure["statements"]), (&"bucket: list".into(), &serde_json::json!([])));
}

#[test]
fn each_missing_permission() {
    let objects = "arn:aws:s3:::bucket/crm/*";
    let allow = |action: &str, resource: &str, condition: &str| {
        format!(r#"{{"Effect":"Allow","Action":["{action}"],"Resource":"{resource}"{condition}}}"#)
    };
    let listed = r#","Condition":{"StringLike":{"s3:prefix":"crm/*"}}"#;
    for (action, name, found, without, statement, left) in [
        (
            Action::ListBucket,
            "s3:ListBucket",
            "bucket: list",
            "a run cannot find the newest commit: it ends with exit code 2 and reads nothing",
            allow("s3:ListBucket", "arn:aws:s3:::bucket", listed),
            None,
        ),
        (
            Action::PutObject,
            "s3:PutObject",
            "bucket: write",
            "a run can write no table: it ends with exit code 2 before it reads anything",
            allow("s3:PutObject", objects, ""),
            None,
        ),
        (
            Action::GetObject,
            "s3:GetObject",
            "bucket: read",
            "a run cannot read the newest commit: it ends with exit code 2 and reads nothing",
            allow("s3:GetObject", objects, ""),
            None,
        ),
        (
            Action::AbortMultipartUpload,
            "s3:AbortMultipartUpload",
            "bucket: begin a large object and give it up",
            "parts of uploads that a run gives up are paid for until a lifecycle rule of the bucket removes them",
            allow("s3:AbortMultipartUpload", objects, ""),
            Some("the parts of an upload of `s3://bucket/crm/_sluice/probe/"),
        ),
        (
            Action::DeleteObject,
            "s3:DeleteObject",
            "bucket: remove",
            "what no commit lists any more piles up: files, of which each run warns, old entries of the lease, and all that \
                 `keep` should remove",
            allow("s3:DeleteObject", objects, ""),
            Some("`s3://bucket/crm/_sluice/probe/"),
        ),
    ] {
        let workspace = with_permissions(Permissions::all().without(action));
        let (told, failed) = check_all(&workspace);
        assert_eq!(failed, [found], "{told}");
        let failure = the_failure(&workspace);
        assert_eq!(failure["check"], found);
        assert_eq!(failure["without"], without);
        assert_eq!(failure["statements"], serde_json::json!([statement]));
        let text = |key: &str| failure[key].as_str().unwrap_or_default().to_owned();
        assert!(text("error").starts_with(&format!("`{name}` is not allowed on `s3://bucket/crm")), "{failure}");
        assert!(text("hint").contains(&format!("must allow `{name}` on `arn:aws:s3:::bucket")), "{failure}");
        assert!(!told.contains(&format!("`{name}` is granted")), "{told}");
        match left {
            Some(left) => assert!(text("left").starts_with(left), "{failure}"),
            None => assert!(failure["left"].is_null(), "{failure}"),
        }
        for line in [format!("without it: {without}"), format!("statement: {statement}")] {
            assert!(told.lines().any(|told| told.trim() == line), "{line}: {told}");
        }
    }
}

#[test]
fn what_a_bucket_does_not_let_be_asked_is_no_failure() {
    let workspace = with_permissions(Permissions::all().without(Action::GetBucketLocation));
    let (told, failed) = check_all(&workspace);
    assert!(failed.is_empty(), "{told}");
    assert!(told.contains("region: not known: `s3:GetBucketLocation` is not allowed"), "{told}");
    assert!(told.contains("versioning: not known: the store says nothing of it that can be read"), "{told}");
    let (told, _) = check_all(&Workspace::new());
    assert!(told.contains("region: us-east-1"), "{told}");
}

#[test]
fn a_token_with_more_scopes_than_the_streams_need_is_a_warning() {
    let workspace = Workspace::new();
    let (told, failed) = check_all(&workspace);
    assert!(failed.is_empty() && told.starts_with("exit code 0\n"), "{told}");
    assert!(told.contains("warn scopes\n       warning: the token may change data, which no run does: "), "{told}");
    let (checks, _) = as_json(&workspace);
    let scopes = checks.iter().find(|check| check["check"] == "scopes").unwrap();
    let warnings: Vec<&str> = scopes["warnings"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!((warnings.len(), &scopes["outcome"]), (2, &"ok".into()), "{scopes}");
    assert!(warnings[0].contains("`crm.objects.contacts.write`"), "{scopes}");
    assert!(warnings[1].contains("`crm.objects.deals.read`"), "{scopes}");
    for needed in NEEDED {
        assert!(!scopes.to_string().contains(&format!("`{needed}`")), "{needed}: {scopes}");
    }

    workspace.write("token", hubspot::SENSITIVE_TOKEN);
    let mut command = workspace.command(&["check", "pipeline.toml"]);
    let output = Running::start(command.env("SLUICE_LOG", "trace")).output();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(told.contains("sensitive values that the streams do not ask for: `crm.objects.appointments"), "{told}");
    assert!(!told.contains(hubspot::SENSITIVE_TOKEN), "the token is told");
}

#[test]
fn scopes_that_are_not_told_are_no_failure() {
    for body in [FaultBody::Json, FaultBody::Html] {
        let path = PathPattern::Contains("access-token-info".to_owned());
        let action = FaultAction::Status { status: 404, body, retry_after: None };
        let fault = Fault { path, method: None, occurrences: 0..u64::MAX, action };
        let workspace = Workspace::with(hubspot::Options { faults: vec![fault], ..portal() }, aws::Options::default());
        let (told, failed) = check_all(&workspace);
        assert!(failed.is_empty() && told.contains("ok   scopes\n       not told: "), "{told}");
        let asked = workspace.hubspot.requests().into_iter().filter(|it| it.path.contains("access-token-info"));
        assert_eq!(asked.count(), 1, "it is asked once");
    }
}

#[test]
fn a_plugin_that_does_not_load_and_a_guard_that_refuses() {
    let workspace = Workspace::new();
    let absent = "[[transform]]\nname = \"mine\"\npath = \"mine.wasm\"\n";
    let (told, failed) = check(&workspace, &streams(&workspace), absent, &workspace.s3_sink(EXTERNAL_ID, ""));
    assert_eq!(failed, ["plugins"], "{told}");
    assert!(told.contains("mine.wasm` cannot be read"), "{told}");
    assert_eq!(the_failure(&workspace)["check"], "plugins");

    let mark = "[[mark]]\nstreams = [\"contacts\"]\ncolumns = [\"property_email\"]\nmarks = [\"phi\"]\n";
    let (told, failed) = check(&workspace, &streams(&workspace), mark, &workspace.s3_sink(EXTERNAL_ID, ""));
    assert_eq!(failed, ["plan and guard"], "{told}");
    assert!(told.contains("would carry the mark `phi` into the bucket"), "{told}");
    assert_eq!(the_failure(&workspace)["check"], "plan and guard");
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
    assert_eq!(checks, ["plugins", "plan and guard", "API version", "price"]);
    assert_eq!(told["checks"][3]["notes"], serde_json::json!(["not known, since nobody is asked"]));
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
