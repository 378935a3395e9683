//! `sluice iam`: what is printed, what is said beside it, and what sessions are narrowed to.

use serde_json::Value;
use sluice::pipeline::{Patience, Pipeline};
use sluice_lake::bucket;

use crate::harness::{FILTERS, Workspace};

const SOURCE: &str = "[source]\ntype = \"hubspot\"\ntoken = { env = \"NOT_SET\" }\nstreams = [\"contacts\"]\n";

const ROLE: &str = "arn:aws-us-gov:iam::123456789012:role/crm/sluice";

/// A pipeline whose secrets are nowhere, into a bucket with these further lines, through a role with these.
fn workspace(lines: &str, role: &str) -> Workspace {
    let workspace = Workspace::new();
    let keys = "credentials = { access_key_id = { env = \"NOT_SET\" }, secret_access_key = { env = \"NOT_SET\" } }";
    let sink = format!(
        "[sink]\ntype = \"parquet\"\nurl = \"s3://my-bucket/it's/50% *\"\n{keys}\n{lines}\n\
         role = {{ arn = \"{ROLE}\"{role} }}\n"
    );
    workspace.pipeline(&[SOURCE, &sink]);
    workspace
}

/// What goes to the standard output, and what to the standard error output, of a command that succeeds.
fn printed(workspace: &Workspace, arguments: &[&str]) -> (Value, String) {
    let output = workspace.sluice(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    (serde_json::from_slice(&output.stdout).unwrap(), said)
}

fn assert_text(name: &str, told: &str) {
    let filters = FILTERS.into_iter().chain([(r"[0-9a-f]{32}", "[EXTERNAL ID]")]);
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => filters.collect::<Vec<_>>(),
    }, { insta::assert_snapshot!(name, told) });
}

#[test]
fn each_document_in_each_form() {
    let lines = "region = \"us-gov-west-1\"\nacl = \"bucket-owner-full-control\"\ntags = { team = \"data\" }\n\
                 encryption = { type = \"sse-kms\", key = \"alias/sluice\" }";
    let role = ", external_id = \"an-id\", duration = \"2h\", session_tags = { team = \"data\" }, \
                source_identity = \"nightly\"";
    let workspace = workspace(lines, role);
    for document in ["policy", "trust", "role"] {
        for format in ["json", "terraform", "cloudformation"] {
            let told = workspace.told(&["iam", document, "pipeline.toml", "--format", format]);
            assert!(told.starts_with("exit code 0\n"), "{told}");
            assert_text(&format!("iam_{document}_{format}"), &told);
        }
    }
    assert_text("iam_policy_versions", &workspace.told(&["iam", "policy", "pipeline.toml", "--versions"]));
}

#[test]
fn a_policy_is_all_that_is_printed() {
    let workspace = workspace("region = \"us-gov-west-1\"", "");
    let (policy, said) = printed(&workspace, &["iam", "policy", "pipeline.toml"]);
    assert_eq!((policy["Version"].as_str(), said.as_str()), (Some("2012-10-17"), ""));
}

#[test]
fn an_external_id_is_made_once_and_then_taken_from_the_file() {
    let workspace_without = workspace("", "");
    let id_of = |workspace: &Workspace, document: &str| {
        let (printed, said) = printed(workspace, &["iam", document, "pipeline.toml"]);
        let trust = match printed["AssumeRolePolicyDocument"].as_str() {
            Some(trust) => serde_json::from_str(trust).unwrap(),
            None => printed,
        };
        let id = trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"].as_str().unwrap().to_owned();
        (id, said)
    };
    let (first, said) = id_of(&workspace_without, "trust");
    let line = format!("external_id = \"{first}\"");
    assert!(said.lines().any(|said| said == line), "{said}");
    assert!(first.len() >= 32 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{first}");
    assert_text("iam_external_id", &said);
    let (second, _) = id_of(&workspace_without, "role");
    assert_ne!(first, second, "nobody can guess the next one");

    let workspace_with = workspace("", &format!(", {line}"));
    for document in ["trust", "role"] {
        let (id, said) = id_of(&workspace_with, document);
        assert_eq!(id, first);
        assert!(!said.contains("external"), "{said}");
    }
}

#[test]
fn somebody_may_be_trusted_by_name() {
    let workspace = workspace("", ", external_id = \"an-id\"");
    let who = "arn:aws-us-gov:iam::999999999999:role/etl/runner";
    let (trust, said) = printed(&workspace, &["iam", "trust", "pipeline.toml", "--principal", who]);
    assert_eq!(trust["Statement"][0]["Principal"]["AWS"], who);
    assert_eq!(said, "");
    let (trust, said) = printed(&workspace, &["iam", "trust", "pipeline.toml"]);
    let root = "arn:aws-us-gov:iam::123456789012:root";
    assert_eq!(trust["Statement"][0]["Principal"]["AWS"], root);
    assert!(said.contains(&format!("trusts `{root}`")), "{said}");
    let session = "arn:aws-us-gov:sts::999999999999:assumed-role/runner/session";
    assert_text("iam_principal", &workspace.told(&["iam", "trust", "pipeline.toml", "--principal", session]));
}

#[test]
fn without_region_and_role_the_partition_is_a_guess_and_told() {
    let workspace = Workspace::new();
    workspace.pipeline(&[SOURCE, "[sink]\ntype = \"parquet\"\nurl = \"s3://my-bucket\"\n"]);
    let (policy, said) = printed(&workspace, &["iam", "policy", "pipeline.toml"]);
    assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::my-bucket");
    assert!(said.contains("partition `aws`"), "{said}");
    assert_text("iam_no_role", &workspace.told(&["iam", "role", "pipeline.toml"]));
    let who = "arn:aws:iam::999999999999:user/etl";
    let (trust, said) = printed(&workspace, &["iam", "trust", "pipeline.toml", "--principal", who]);
    assert_eq!(trust["Statement"][0]["Principal"]["AWS"], who);
    assert!(said.contains("external_id = "), "{said}");
}

#[test]
fn what_nothing_can_be_made_of_is_refused_with_what_mends_it() {
    let folder = Workspace::new();
    folder.pipeline(&[SOURCE, &folder.file_sink()]);
    assert_text("iam_folder", &folder.told(&["iam", "policy", "pipeline.toml"]));
    let partitions = workspace("region = \"eu-central-1\"", "");
    assert_text("iam_partitions", &partitions.told(&["iam", "role", "pipeline.toml"]));
    let key = workspace("encryption = { type = \"dsse-kms\", key = \"1234abcd\" }", "");
    assert_text("iam_key", &key.told(&["iam", "policy", "pipeline.toml"]));
}

/// What a run would send to STS.
fn session_policy(sink: &str) -> Result<Option<String>, String> {
    let workspace = Workspace::new();
    let file = workspace.pipeline(&[SOURCE, sink]);
    match Pipeline::read(&file).unwrap().bucket_settings(Patience::OfARun) {
        Ok(bucket::Settings::S3(settings)) => Ok(settings.role.unwrap().session_policy),
        Ok(bucket::Settings::File { .. }) => panic!("this is no folder"),
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            Err(error.to_string())
        }
    }
}

#[test]
fn a_session_is_narrowed_to_the_policy_of_the_role() {
    let sink = |prefix: &str, narrowed: bool| {
        format!(
            "[sink]\ntype = \"parquet\"\nurl = \"s3://my-bucket/{prefix}\"\n\
             encryption = {{ type = \"sse-kms\", key = \"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1\" }}\n\
             role = {{ arn = \"{ROLE}\", session_policy = {narrowed} }}\n"
        )
    };
    assert_eq!(session_policy(&sink("crm", false)), Ok(None));
    let narrowed = session_policy(&sink("crm", true)).unwrap().unwrap();
    let workspace = Workspace::new();
    workspace.pipeline(&[SOURCE, &sink("crm", true)]);
    let (policy, _) = printed(&workspace, &["iam", "policy", "pipeline.toml", "--versions"]);
    assert_eq!(serde_json::from_str::<Value>(&narrowed).unwrap(), policy);
    assert!(!narrowed.contains(": "), "STS counts every character: {narrowed}");

    let refused = session_policy(&sink(&"x".repeat(800), true)).unwrap_err();
    assert!(refused.contains("characters, and STS takes 2048") && refused.contains("a shorter prefix"), "{refused}");
    assert_eq!(session_policy(&sink(&"x".repeat(800), false)), Ok(None));
}
