//! The documents, statement by statement, for each partition, prefix and kind of key.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::bucket::{Encryption, Rules};

const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

fn role(partition: &str) -> RoleArn {
    RoleArn::parse(&format!("arn:{partition}:iam::123456789012:role/teams/crm/sluice")).unwrap()
}

fn with_key(key: Option<&str>) -> Rules {
    let encryption = Some(Encryption::Kms { key: key.map(str::to_owned), bucket_key: None });
    Rules { encryption, ..Rules::default() }
}

fn json_of(document: &Document) -> Value {
    let value: Value = serde_json::from_str(&document.pretty()).unwrap();
    assert_eq!(value, serde_json::from_str::<Value>(&document.compact()).unwrap());
    value
}

/// The policy's statements by their names, which differ.
fn statements(document: &Document) -> BTreeMap<String, Value> {
    let document = json_of(document);
    let all = document["Statement"].as_array().unwrap();
    let named: BTreeMap<String, Value> =
        all.iter().map(|statement| (statement["Sid"].as_str().unwrap().to_owned(), statement.clone())).collect();
    assert_eq!(named.len(), all.len(), "{document:#}");
    named
}

fn policy(bucket: &str, prefix: &str, region: &str, rules: &Rules) -> BTreeMap<String, Value> {
    statements(&Access::of(bucket, prefix, Some(region), None, rules).unwrap().policy())
}

#[test]
fn a_policy_in_full() {
    let access = Access::of("my-bucket", "hubspot/crm", Some("eu-central-1"), None, &Rules::default()).unwrap();
    let expected = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ListTheFolder",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": "arn:aws:s3:::my-bucket",
                "Condition": { "StringLike": { "s3:prefix": "hubspot/crm/*" } },
            },
            {
                "Sid": "LookAtTheBucket",
                "Effect": "Allow",
                "Action": [
                    "s3:GetBucketLocation",
                    "s3:GetBucketVersioning",
                    "s3:GetEncryptionConfiguration",
                    "s3:GetLifecycleConfiguration",
                ],
                "Resource": "arn:aws:s3:::my-bucket",
            },
            {
                "Sid": "UseTheFolder",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": "arn:aws:s3:::my-bucket/hubspot/crm/*",
            },
        ],
    });
    assert_eq!(json_of(&access.policy()), expected);
    // A session may also do what the role's own policies are asked about, which it may not do by this alone.
    let of_a_session: Value = serde_json::from_str(&session_policy(&access).unwrap()).unwrap();
    let statements = of_a_session["Statement"].as_array().unwrap();
    assert_eq!(statements[..3], expected["Statement"].as_array().unwrap()[..]);
    let further: Vec<_> = statements[3..].iter().flat_map(|it| it["Action"].as_array().unwrap()).collect();
    assert_eq!(further, ["s3:ListBucketVersions", "s3:DeleteObjectVersion", "kms:GenerateDataKey", "kms:Decrypt"]);
}

#[test]
fn every_name_is_of_the_buckets_partition() {
    let of = |region: Option<&str>, role: Option<&RoleArn>| {
        let rules = with_key(region.is_some().then_some(KEY).filter(|_| role.is_some()));
        Access::of("b", "p", region, role, &rules).unwrap().policy().compact()
    };
    for (region, partition) in [
        ("eu-central-1", "aws"),
        ("us-gov-west-1", "aws-us-gov"),
        ("cn-northwest-1", "aws-cn"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ] {
        let role = role(partition);
        for (policy, names) in
            [(of(Some(region), None), 3), (of(None, Some(&role)), 3), (of(Some(region), Some(&role)), 4)]
        {
            assert_eq!(policy.matches(&format!("\"arn:{partition}:")).count(), names, "{policy}");
            assert_eq!(policy.matches("\"arn:").count(), names, "{policy}");
        }
    }
    assert!(of(None, None).contains("arn:aws:s3:::b/p/*"));
}

#[test]
fn what_is_of_two_partitions_is_refused() {
    let of = |region, role: Option<&RoleArn>, key| {
        Access::of("b", "p", region, role, &with_key(key)).unwrap_err().to_string()
    };
    assert_eq!(
        of(Some("cn-north-1"), Some(&role("aws")), None),
        "the region is in the partition `aws-cn`, and the role in `aws`"
    );
    let key = "arn:aws:kms:eu-central-1:123456789012:key/1";
    assert_eq!(
        of(None, Some(&role("aws-us-gov")), Some(key)),
        "the role is in the partition `aws-us-gov`, and the KMS key in `aws`"
    );
    let principal = Principal::parse("arn:aws-cn:iam::123456789012:root").unwrap();
    let error = Trust::of(principal, Some(&role("aws")), "an-id".to_owned()).unwrap_err();
    assert_eq!(error.to_string(), "the role is in the partition `aws`, and the one who assumes it in `aws-cn`");
}

#[test]
fn an_access_point_has_another_name_in_policies() {
    let error = Access::of("lake-x1y2-s3alias", "p", None, None, &Rules::default()).unwrap_err();
    assert_eq!(error.to_string(), "`lake-x1y2-s3alias` is the alias of an access point, whose ARN policies name");
}

#[test]
fn without_a_prefix_the_whole_bucket_is_the_folder() {
    let policy = policy("b", "", "eu-central-1", &Rules::default());
    assert_eq!(policy["ListTheFolder"].get("Condition"), None);
    assert_eq!(policy["UseTheFolder"]["Resource"], "arn:aws:s3:::b/*");
}

#[test]
fn what_a_pattern_is_made_of_stands_for_itself() {
    let policy = policy("b", "50% * ${x}/a?b$", "eu-central-1", &Rules::default());
    let expected = "50% ${*} ${$}{x}/a${?}b${$}/*";
    assert_eq!(policy["ListTheFolder"]["Condition"]["StringLike"]["s3:prefix"], expected);
    assert_eq!(policy["UseTheFolder"]["Resource"], format!("arn:aws:s3:::b/{expected}"));
}

proptest! {
    /// IAM replaces its variables and takes what is left of stars and question marks for patterns.
    #[test]
    fn only_the_last_star_is_a_pattern(prefix in "[a-z*?${}%/. ]{1,20}[a-z*?$}]") {
        let policy = policy("b", &prefix, "eu-central-1", &Rules::default());
        let resource = policy["UseTheFolder"]["Resource"].as_str().unwrap();
        let folder = resource.strip_prefix("arn:aws:s3:::b/").unwrap().strip_suffix("/*").unwrap();
        let mut read = String::new();
        let mut rest = folder;
        while let Some(character) = rest.chars().next() {
            let variable = ["${*}", "${?}", "${$}"].into_iter().find(|variable| rest.starts_with(variable));
            prop_assert!(variable.is_some() || !"*?$".contains(character), "{folder}");
            read.push(variable.map_or(character, |variable| variable.chars().nth(2).unwrap()));
            rest = rest.split_at(variable.map_or(character.len_utf8(), str::len)).1;
        }
        prop_assert_eq!(read, prefix);
    }
}

#[test]
fn rules_of_the_bucket_ask_for_actions_of_their_own() {
    let tags = BTreeMap::from([("team".to_owned(), "data".to_owned())]);
    let acl = Some("bucket-owner-full-control".to_owned());
    let plain = json!(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]);
    for (rules, more) in [
        (Rules::default(), vec![]),
        (Rules { acl: acl.clone(), ..Rules::default() }, vec!["s3:PutObjectAcl"]),
        (Rules { tags: tags.clone(), ..Rules::default() }, vec!["s3:PutObjectTagging"]),
        (Rules { acl, tags, ..Rules::default() }, vec!["s3:PutObjectAcl", "s3:PutObjectTagging"]),
        // None of these is asked for by a permission.
        (
            Rules {
                storage_class: Some("STANDARD_IA".to_owned()),
                expected_owner: Some("123456789012".to_owned()),
                requester_pays: true,
                encryption: Some(Encryption::S3),
                ..Rules::default()
            },
            vec![],
        ),
    ] {
        let policy = policy("b", "p", "eu-central-1", &rules);
        let mut expected = plain.as_array().unwrap().clone();
        expected.extend(more.into_iter().map(Value::from));
        assert_eq!(policy["UseTheFolder"]["Action"], Value::from(expected), "{rules:?}");
        assert_eq!(policy.len(), 3, "{rules:?}");
    }
}

#[test]
fn a_key_is_named_in_full() {
    let arn = format!("arn:aws-cn:kms:cn-north-1:999999999999:key/{KEY}");
    let alias_arn = "arn:aws-cn:kms:cn-north-1:999999999999:alias/sluice";
    let role = role("aws-cn");
    for (key, resource, alias) in [
        (arn.as_str(), arn.as_str(), None),
        (KEY, &format!("arn:aws-cn:kms:cn-northwest-1:123456789012:key/{KEY}"), None),
        ("alias/sluice", "arn:aws-cn:kms:cn-northwest-1:123456789012:key/*", Some("alias/sluice")),
        (alias_arn, "arn:aws-cn:kms:cn-north-1:999999999999:key/*", Some("alias/sluice")),
    ] {
        for encryption in [
            Encryption::Kms { key: Some(key.to_owned()), bucket_key: Some(true) },
            Encryption::KmsInTwoLayers { key: Some(key.to_owned()) },
        ] {
            let rules = Rules { encryption: Some(encryption), ..Rules::default() };
            let access = Access::of("b", "p", Some("cn-northwest-1"), Some(&role), &rules).unwrap();
            let mut expected = json!({
                "Sid": "UseTheKey",
                "Effect": "Allow",
                "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
                "Resource": resource,
            });
            if let Some(alias) = alias {
                expected["Condition"] = json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": alias } });
            }
            assert_eq!(statements(&access.policy())["UseTheKey"], expected);
        }
    }
    let with_awss_own = policy("b", "p", "eu-central-1", &with_key(None));
    assert_eq!(with_awss_own.len(), 3, "AWS's own key asks for no permission");
}

#[test]
fn a_key_that_cannot_be_named_in_full_is_refused() {
    let of = |key, region, role: Option<&RoleArn>| {
        let error = Access::of("b", "p", region, role, &with_key(Some(key))).unwrap_err();
        format!("{error}\nhint: {}", error.hint())
    };
    let role = role("aws");
    insta::assert_snapshot!(of("alias/sluice", None, Some(&role)), @r"
    the region of the KMS key `alias/sluice` is not known, and a policy names a key in full
    hint: set `region` under [sink], or write the key's ARN
    ");
    insta::assert_snapshot!(of("1234", Some("eu-central-1"), None), @r"
    the account of the KMS key `1234` is not known, and a policy names a key in full
    hint: set `role` under [sink], whose account it is then, or write the key's ARN
    ");
    for key in [
        "arn:aws:kms:eu-central-1:123456789012:key/",
        "arn:aws:kms:eu-central-1:123456789012:1234",
        "arn:aws:kms::123456789012:key/1234",
        "arn:aws:s3:eu-central-1:123456789012:key/1234",
        "arn:aws:kms:eu-central-1:12:key/1234",
        "arn:nowhere:kms:eu-central-1:123456789012:key/1234",
    ] {
        assert!(of(key, None, None).starts_with(&format!("`{key}` is no KMS key's ARN: ")), "{key}");
    }
}

#[test]
fn versions_are_listed_and_removed_where_that_is_asked_for() {
    let access = Access::of("b", "p", None, None, &Rules::default()).unwrap().with_versions();
    let policy = statements(&access.policy());
    assert_eq!(
        policy["ListVersionsInTheFolder"],
        json!({
            "Sid": "ListVersionsInTheFolder",
            "Effect": "Allow",
            "Action": ["s3:ListBucketVersions"],
            "Resource": "arn:aws:s3:::b",
            "Condition": { "StringLike": { "s3:prefix": "p/*" } },
        })
    );
    assert_eq!(
        policy["RemoveVersionsFromTheFolder"],
        json!({
            "Sid": "RemoveVersionsFromTheFolder",
            "Effect": "Allow",
            "Action": ["s3:DeleteObjectVersion"],
            "Resource": "arn:aws:s3:::b/p/*",
        })
    );
    assert_eq!(policy.len(), 5);
}

#[test]
fn a_session_policy_that_sts_would_refuse_is_refused() {
    let of = |length: usize| {
        let access = Access::of("b", &"p".repeat(length), Some("eu-central-1"), None, &Rules::default()).unwrap();
        session_policy(&access)
    };
    let shortest = of(1).unwrap().chars().count();
    // The prefix stands in the policy four times.
    let longest = (2048 - shortest) / 4 + 1;
    assert!(of(longest).unwrap().chars().count() <= 2048);
    let error = of(longest + 1).unwrap_err();
    assert!(matches!(error, IamError::SessionPolicy { characters: 2049..=2052, most: 2048 }), "{error:?}");
}

#[test]
fn trust_is_in_who_names_the_external_id_and_nobody_else() {
    let trust = Trust::of(Principal::account_of(&role("aws-cn")), Some(&role("aws-cn")), "an-id".to_owned()).unwrap();
    let assume = json!({
        "Sid": "AssumeTheRole",
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws-cn:iam::123456789012:root" },
        "Action": ["sts:AssumeRole"],
        "Condition": { "StringEquals": { "sts:ExternalId": "an-id" } },
    });
    assert_eq!(json_of(&trust.policy()), json!({ "Version": "2012-10-17", "Statement": [assume] }));

    let tags = [("team", "data"), ("cost center", "a/b")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let trust = trust.with_tags(tags.into()).with_source_identity(Some("nightly".to_owned()));
    let tag = json!({
        "Sid": "TagTheSession",
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws-cn:iam::123456789012:root" },
        "Action": ["sts:TagSession"],
        "Condition": {
            "StringEquals": { "aws:RequestTag/team": "data", "aws:RequestTag/cost center": "a/b" },
            "ForAllValues:StringEquals": { "aws:TagKeys": ["cost center", "team"] },
        },
    });
    let say = json!({
        "Sid": "SayWhoIsBehindIt",
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws-cn:iam::123456789012:root" },
        "Action": ["sts:SetSourceIdentity"],
        "Condition": { "StringEquals": { "sts:SourceIdentity": "nightly" } },
    });
    assert_eq!(json_of(&trust.policy())["Statement"], json!([assume, tag, say]));
}

#[test]
fn roles_and_those_who_assume_them_are_named_as_iam_names_them() {
    let role = role("aws-us-gov");
    assert_eq!((role.path.as_str(), role.name.as_str()), ("/teams/crm/", "sluice"));
    assert_eq!(RoleArn::parse("arn:aws:iam::123456789012:role/s").unwrap().path, "/");
    for arn in [
        "arn:aws:iam::123456789012:user/s",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a//s",
        "arn:aws:iam::123456789012:role/s*",
        "arn:aws:iam:eu-central-1:123456789012:role/s",
        "arn:aws:sts::123456789012:assumed-role/s/t",
        "arn:aws:iam::12345678901:role/s",
        "arn:azure:iam::123456789012:role/s",
        "role/s",
        "",
    ] {
        assert!(matches!(RoleArn::parse(arn), Err(IamError::Role { .. })), "{arn}");
    }
    for who in ["role/s", "role/aws-reserved/sso.amazonaws.com/s_1", "user/a/b", "root"] {
        assert!(Principal::parse(&format!("arn:aws:iam::123456789012:{who}")).is_ok(), "{who}");
    }
    for who in ["*", "123456789012", "arn:aws:iam::123456789012:group/g", "arn:aws:iam::123456789012:user/*"] {
        assert!(matches!(Principal::parse(who), Err(IamError::Principal { .. })), "{who}");
    }
    let root = Principal::account_of(&role);
    for id in ["", "x", "a b", "${x}", &"x".repeat(1225)] {
        assert_eq!(Trust::of(root.clone(), None, id.to_owned()), Err(IamError::ExternalId), "{id}");
    }
}

/// What a role is made of, in each form.
struct Forms {
    role: RoleArn,
    trust: Document,
    policy: Document,
}

impl Forms {
    fn new() -> Self {
        let role = role("aws");
        let trust = Trust::of(Principal::account_of(&role), Some(&role), "an-id".to_owned()).unwrap().policy();
        let policy = Access::of("b", "a*%{b}", None, Some(&role), &Rules::default()).unwrap().policy();
        Self { role, trust, policy }
    }

    fn handover(&self) -> Handover<'_> {
        Handover { pipeline: "crm", role: Some(&self.role), session: Duration::from_hours(2) }
    }
}

fn parsed(text: &str) -> Value {
    assert!(text.ends_with("}\n"), "{text}");
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_command_line_makes_a_role_by_its_name() {
    let forms = Forms::new();
    let made = parsed(&forms.handover().role(&forms.trust, &forms.policy, Form::Json).unwrap());
    let expected = json!({
        "Path": "/teams/crm/",
        "RoleName": "sluice",
        "AssumeRolePolicyDocument": forms.trust.compact(),
        "Description": "Writes the tables of the pipeline crm",
        "MaxSessionDuration": 7200,
    });
    assert_eq!(made, expected);
    let short = Handover { session: Duration::from_mins(15), ..forms.handover() };
    let made = parsed(&short.role(&forms.trust, &forms.policy, Form::Json).unwrap());
    assert_eq!(made["MaxSessionDuration"], 3600, "no role allows less");
    assert_eq!(parsed(&forms.handover().policy(&forms.policy, Form::Json)), json_of(&forms.policy));
    assert_eq!(parsed(&forms.handover().trust(&forms.trust, Form::Json).unwrap()), json_of(&forms.trust));
}

#[test]
fn terraform_takes_texts_as_they_are() {
    let forms = Forms::new();
    let role = json!({
        "sluice": {
            "name": "sluice",
            "path": "/teams/crm/",
            "description": "Writes the tables of the pipeline crm",
            "max_session_duration": 7200,
            "assume_role_policy": forms.trust.compact(),
        }
    });
    assert_eq!(forms.policy.compact().matches("a${*}%{b}/*").count(), 2);
    let policy = forms.policy.compact().replace("a${*}%{b}", "a$${*}%%{b}");
    let of = |role: &str| json!({ "sluice": { "name": "sluice-crm", "role": role, "policy": policy } });
    let handover = forms.handover();
    assert_eq!(
        parsed(&handover.role(&forms.trust, &forms.policy, Form::Terraform).unwrap()),
        json!({ "resource": { "aws_iam_role": role, "aws_iam_role_policy": of("${aws_iam_role.sluice.name}") } })
    );
    assert_eq!(
        parsed(&handover.trust(&forms.trust, Form::Terraform).unwrap()),
        json!({ "resource": { "aws_iam_role": role } })
    );
    assert_eq!(
        parsed(&handover.policy(&forms.policy, Form::Terraform)),
        json!({ "resource": { "aws_iam_role_policy": of("sluice") } })
    );
    assert_eq!(
        parsed(&Handover { role: None, ..handover }.policy(&forms.policy, Form::Terraform)),
        json!({ "resource": { "aws_iam_policy": { "sluice": { "name": "sluice-crm", "policy": policy } } } })
    );
}

#[test]
fn cloudformation_takes_documents_as_they_are() {
    let forms = Forms::new();
    let template = |name: &str, kind: &str, properties: Value| {
        json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Resources": { name: { "Type": kind, "Properties": properties } },
        })
    };
    let mut role = json!({
        "RoleName": "sluice",
        "Path": "/teams/crm/",
        "Description": "Writes the tables of the pipeline crm",
        "MaxSessionDuration": 7200,
        "AssumeRolePolicyDocument": json_of(&forms.trust),
    });
    let handover = forms.handover();
    assert_eq!(
        parsed(&handover.trust(&forms.trust, Form::CloudFormation).unwrap()),
        template("Role", "AWS::IAM::Role", role.clone())
    );
    let policy = json_of(&forms.policy);
    role["Policies"] = json!([{ "PolicyName": "sluice-crm", "PolicyDocument": policy }]);
    assert_eq!(
        parsed(&handover.role(&forms.trust, &forms.policy, Form::CloudFormation).unwrap()),
        template("Role", "AWS::IAM::Role", role)
    );
    let properties = json!({ "RoleName": "sluice", "PolicyName": "sluice-crm", "PolicyDocument": policy });
    assert_eq!(
        parsed(&handover.policy(&forms.policy, Form::CloudFormation)),
        template("Policy", "AWS::IAM::RolePolicy", properties)
    );
    let properties = json!({ "ManagedPolicyName": "sluice-crm", "PolicyDocument": policy });
    assert_eq!(
        parsed(&Handover { role: None, ..handover }.policy(&forms.policy, Form::CloudFormation)),
        template("Policy", "AWS::IAM::ManagedPolicy", properties)
    );
}

#[test]
fn a_role_without_a_name_is_not_made() {
    let forms = Forms::new();
    let nameless = Handover { role: None, ..forms.handover() };
    for form in [Form::Json, Form::Terraform, Form::CloudFormation] {
        assert_eq!(nameless.role(&forms.trust, &forms.policy, form), Err(IamError::NoRole));
        assert_eq!(nameless.trust(&forms.trust, form).is_ok(), form == Form::Json);
    }
}

#[test]
fn unfinished_uploads_end_in_the_folder_alone() {
    for (prefix, below) in [("", ""), ("hubspot/*", "hubspot/*/")] {
        let rule = json!({
            "ID": "sluice-unfinished-uploads",
            "Status": "Enabled",
            "Filter": { "Prefix": below },
            "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 },
        });
        assert_eq!(end_unfinished_uploads(prefix), json!({ "Rules": [rule] }));
    }
}
