//! What `sluice iam` prints, enforced by moto: a whole run is allowed with it, and with any part of it missing `sluice check`
//! says which.

use std::sync::LazyLock;

use serde_json::{Value, json};
use sluice_lake::bucket::S3Settings;

use crate::{
    moto::{self, BUCKET, EXTERNAL_ID, Moto},
    portal::Portal,
    tables::Tables,
};

/// The role that has all of the policy.
const WHOLE: &str = "whole";
const PREFIX: &str = "crm/raw";

/// moto with a role of the whole printed policy, and one for each part of it that is left out.
static ENFORCED: LazyLock<Enforced> = LazyLock::new(Enforced::start);

struct Enforced {
    moto: Moto,
    portal: Portal,
    /// Each part that a role lacks, with the role's name.
    parts: Vec<(Part, String)>,
}

/// A part of the policy.
#[derive(Debug, Clone)]
enum Part {
    /// A statement, by its name.
    Statement(String),
    /// One action of a statement that has several.
    Action(String),
}

impl Enforced {
    fn start() -> Self {
        let portal = Portal::small();
        // The documents do not depend on where moto is.
        let file = moto::settings_at("http://127.0.0.1:1", moto::role_at("http://127.0.0.1:1", WHOLE), PREFIX);
        let printed = |words: &[&str], after: &[&str]| -> Value {
            let output = portal.said(words, after, "printed", &file);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let policy = printed(&["iam", "policy"], &[]);
        let trust = printed(&["iam", "trust"], &["--principal", "arn:aws:iam::123456789012:user/sluice"]);
        assert!(trust.to_string().contains(EXTERNAL_ID), "{trust}");
        let statements = policy["Statement"].as_array().unwrap();
        let mut roles = vec![role(WHOLE, &trust, statements)];
        let mut parts = Vec::new();
        for (part, rest) in without_each(statements) {
            let name = format!("without-{}", parts.len());
            roles.push(role(&name, &trust, &rest));
            parts.push((part, name));
        }
        let account = json!({ "buckets": [BUCKET], "user": "sluice", "roles": roles });
        Self { moto: Moto::start("moto-of-policies", &account), portal, parts }
    }

    fn settings(&self, role: &str, prefix: &str) -> S3Settings {
        self.moto.settings(self.moto.role(role), prefix)
    }

    /// What `sluice check` says of the bucket with a role: each check and its outcome, and the exit code.
    fn checked(&self, role: &str) -> (Vec<Value>, i32) {
        let output = self.portal.said(&["check"], &["--format", "json"], role, &self.settings(role, PREFIX));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        (told["checks"].as_array().unwrap().clone(), output.status.code().unwrap())
    }
}

fn role(name: &str, trust: &Value, statements: &[Value]) -> Value {
    json!({ "name": name, "trust": trust, "allows": statements })
}

/// The policy without each of its statements, and without each action of those that have several.
fn without_each(statements: &[Value]) -> Vec<(Part, Vec<Value>)> {
    let mut all = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        let mut rest = statements.to_vec();
        rest.remove(index);
        all.push((Part::Statement(statement["Sid"].as_str().unwrap().to_owned()), rest));
        let actions = statement["Action"].as_array().unwrap();
        for action in actions.iter().filter(|_| actions.len() > 1) {
            let mut rest = statements.to_vec();
            rest[index]["Action"] = actions.iter().filter(|other| *other != action).cloned().collect();
            all.push((Part::Action(action.as_str().unwrap().to_owned()), rest));
        }
    }
    all
}

/// The names of the checks that have failed.
fn failed(checks: &[Value]) -> Vec<&str> {
    let failed = checks.iter().filter(|check| check["outcome"] == "failed");
    failed.map(|check| check["check"].as_str().unwrap()).collect()
}

#[test]
fn with_the_printed_policy_a_whole_run_is_allowed() {
    let settings = ENFORCED.settings(WHOLE, PREFIX);
    for commit in 1..=2 {
        ENFORCED.portal.run_well("policy", &settings, "");
        ENFORCED.portal.runtime.block_on(async {
            let tables = Tables::of(&ENFORCED.moto.open(WHOLE, PREFIX).await).await;
            assert_eq!(tables.commit, commit);
            ENFORCED.portal.assert_true(&tables);
        });
    }
    let (checks, code) = ENFORCED.checked(WHOLE);
    assert_eq!((failed(&checks), code), (Vec::new(), 0), "{checks:?}");
    assert!(!json!(checks).to_string().contains("is not allowed"), "nothing is left unknown: {checks:?}");
}

#[test]
fn with_the_printed_policy_nothing_else_is_allowed() {
    for elsewhere in ["crm", "crm/rawer", "other", ""] {
        let output = ENFORCED.portal.run("elsewhere", &ENFORCED.settings(WHOLE, elsewhere), "");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{elsewhere}: {told}");
        assert!(told.contains("is not allowed on"), "{elsewhere}: {told}");
    }
}

#[test]
fn with_any_part_missing_check_says_which() {
    assert!(ENFORCED.parts.len() > 9, "{:?}", ENFORCED.parts);
    for (part, role) in &ENFORCED.parts {
        let (checks, code) = ENFORCED.checked(role);
        let told = json!(checks).to_string();
        let failed = failed(&checks);
        let expected = match part {
            Part::Statement(name) => match name.as_str() {
                "ListTheFolder" => (vec!["bucket: list"], vec!["s3:ListBucket"]),
                "UseTheFolder" => (vec!["bucket: write", "bucket: remove"], vec!["s3:PutObject", "s3:DeleteObject"]),
                "LookAtTheBucket" => (vec![], vec!["s3:GetBucketLocation", "s3:GetBucketVersioning"]),
                other => panic!("what is `{other}` for?"),
            },
            Part::Action(action) => match action.as_str() {
                "s3:GetObject" => (vec!["bucket: read"], vec!["s3:GetObject"]),
                "s3:PutObject" => (vec!["bucket: write"], vec!["s3:PutObject"]),
                "s3:DeleteObject" => (vec!["bucket: remove"], vec!["s3:DeleteObject"]),
                "s3:AbortMultipartUpload" => {
                    (vec!["bucket: begin a large object and give it up"], vec!["s3:AbortMultipartUpload"])
                }
                of_the_bucket => (vec![], vec![of_the_bucket]),
            },
        };
        let (lines, actions) = expected;
        assert_eq!(failed, lines, "{part:?}: {told}");
        assert_eq!(code, if lines.is_empty() { 0 } else { 2 }, "{part:?}: {told}");
        for action in actions {
            assert!(told.contains(&format!("`{action}`")), "{part:?}: `{action}` is not named: {told}");
        }
        // What mends it stands beside it, as a policy has it.
        for check in checks.iter().filter(|check| check["outcome"] == "failed") {
            let statements = check["statements"].as_array().unwrap();
            assert!(!statements.is_empty(), "{part:?}: {check}");
            for statement in statements {
                serde_json::from_str::<Value>(statement.as_str().unwrap()).unwrap();
            }
        }
    }
}
