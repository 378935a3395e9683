//! A permission that is missing: what grants it, as a statement of a policy.
//!
//! S3 refuses a write for whatever the write takes: the write itself, its tags, its access control list, the key that it is
//! encrypted with. Within an account S3 says which of them it was; to other accounts it says no more than "Access Denied".

use super::{
    error::BucketError,
    location::{Kind, Location},
    operation::Operation,
    partition::Partition,
    settings::{Encryption, Rules},
};
use crate::policy::{KMS_ACTIONS, OF_ACCESS_POINTS, Statement};

/// What S3 puts before the action that it refuses, and before what it refuses it on.
const PERFORM: &str = "is not authorized to perform: ";
const ON: &str = " on resource: ";
/// What it says where a statement forbids the action, rather than none allows it.
const FORBIDDEN: &str = "explicit deny";

/// What writing an object takes, and what more where it has a list or tags.
const PUT: &str = "s3:PutObject";
const PUT_ACL: &str = "s3:PutObjectAcl";
const PUT_TAGS: &str = "s3:PutObjectTagging";
/// What the names of all actions on keys begin with.
const KMS: &str = "kms:";

/// A permission that is missing, or one of several of which S3 does not say which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What would mend it, in words.
    pub hint: String,
    /// Statements of a policy that grant it, as JSON, a line each. None where a statement forbids it: no other helps then.
    pub statements: Vec<String>,
}

impl Missing {
    /// What is missing, if that is why an operation failed.
    pub(super) fn of(error: &BucketError, location: &Location, rules: &Rules) -> Option<Self> {
        let BucketError::AccessDenied { action, resource, source, .. } = error else { return None };
        let Kind::S3 { bucket, prefix, region, .. } = &location.kind else { return None };
        if bucket.ends_with(OF_ACCESS_POINTS) {
            let hint = format!(
                "a policy of the identity must allow `{action}` on the access point, which it names by its ARN"
            );
            return Some(Self { hint, statements: Vec::new() });
        }
        let said = source.to_string();
        let named = named(&said);
        if said.contains(FORBIDDEN) {
            let (action, resource) = named.unwrap_or((action, resource));
            let hint =
                format!("a policy forbids `{action}` on `{resource}`, so none that allows it helps: change that one");
            return Some(Self { hint, statements: Vec::new() });
        }
        match named {
            Some((kms, key)) if kms.starts_with(KMS) => {
                let hint =
                    format!("the identity needs `{kms}` on the key `{key}`, and the key's policy must not forbid it");
                return Some(Self { hint, statements: vec![of_key(key, region)] });
            }
            Some((named, _)) if named != *action => {
                return Some(Self {
                    hint: must_allow(named, resource),
                    statements: vec![of_objects(&[named], resource)],
                });
            }
            Some(_) | None => {}
        }
        if *action == Operation::List.action() {
            return Some(Self { hint: must_allow(action, resource), statements: vec![of_list(resource, prefix)] });
        }
        let (further, key) = if *action == PUT { further(rules) } else { (Vec::new(), None) };
        let mut hint = must_allow(action, resource);
        let others: Vec<&str> = further.iter().copied().chain(key.iter().flat_map(|_| KMS_ACTIONS)).collect();
        if !others.is_empty() {
            let which = if named.is_none() { "; S3 does not say which of them is missing" } else { "" };
            hint.push_str(&format!(", and, as the file has it, `{}`{which}", others.join("` and `")));
        }
        let actions: Vec<&str> = std::iter::once(*action).chain(further).collect();
        let of_key = key.map(|key| of_key(&key, region));
        Some(Self { hint, statements: std::iter::once(of_objects(&actions, resource)).chain(of_key).collect() })
    }
}

fn must_allow(action: &str, resource: &str) -> String {
    format!("a policy of the identity must allow `{action}` on `{resource}`, and none may deny it")
}

/// The action that S3 says is missing, and on what.
fn named(said: &str) -> Option<(&str, &str)> {
    let (_, rest) = said.split_once(PERFORM)?;
    let (action, rest) = rest.split_once(ON)?;
    let resource = rest.trim_start_matches('"').split(['"', ' ']).next()?;
    Some((action, resource))
}

/// What a write takes beside itself, as the rules have it, and the key of KMS, if it is encrypted with one.
fn further(rules: &Rules) -> (Vec<&'static str>, Option<String>) {
    let acl = rules.acl.as_ref().map(|_| PUT_ACL);
    let tags = (!rules.tags.is_empty()).then_some(PUT_TAGS);
    let key = match &rules.encryption {
        Some(Encryption::Kms { key, .. } | Encryption::KmsInTwoLayers { key }) => Some(key.clone().unwrap_or_default()),
        Some(Encryption::S3) | None => None,
    };
    (acl.into_iter().chain(tags).collect(), key)
}

fn of_objects(actions: &[&str], resource: &str) -> String {
    Statement::allow(actions).on(resource).compact()
}

/// Listing is allowed on the bucket, and bounded by the prefix that is asked for.
fn of_list(resource: &str, prefix: &str) -> String {
    Statement::allow(&[Operation::List.action()]).on(resource).below(prefix).compact()
}

/// A key that is known by its id or alias alone is bounded by who uses it: S3 of this region.
fn of_key(key: &str, region: &str) -> String {
    let of_key = Statement::allow(&KMS_ACTIONS);
    if key.starts_with("arn:") {
        return of_key.on(key).compact();
    }
    let service = format!("s3.{region}.{}", Partition::of(region).domain);
    of_key.on("*").when("StringEquals", "kms:ViaService", service).compact()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bucket::cause::Cause;

    const PREFIXED: &str = "arn:aws:s3:::lake/crm/raw/*";

    fn missing(operation: Operation, said: &str, rules: &Rules) -> Missing {
        let resource = if operation == Operation::List { "arn:aws:s3:::lake" } else { PREFIXED };
        let error = BucketError::AccessDenied {
            action: operation.action(),
            location: "s3://lake/crm/raw/x".to_owned(),
            resource: resource.to_owned(),
            source: Cause::new(said),
        };
        Missing::of(&error, &Location::s3("lake", "crm/raw", "eu-west-1"), rules).unwrap()
    }

    fn refusal(action: &str, resource: &str) -> String {
        format!(
            "User: arn:aws:iam::1:role/r is not authorized to perform: {action} on resource: \"{resource}\" because no …"
        )
    }

    #[test]
    fn each_operation_has_its_statement() {
        for (operation, statement) in [
            (
                Operation::List,
                r#"{"Effect":"Allow","Action":["s3:ListBucket"],"Resource":"arn:aws:s3:::lake","Condition":{"StringLike":{"s3:prefix":"crm/raw/*"}}}"#,
            ),
            (
                Operation::Get,
                r#"{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::lake/crm/raw/*"}"#,
            ),
            (
                Operation::AbortUpload,
                r#"{"Effect":"Allow","Action":["s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::lake/crm/raw/*"}"#,
            ),
        ] {
            for said in ["Access Denied".to_owned(), refusal(operation.action(), "arn:aws:s3:::lake/crm/raw/x")] {
                let missing = missing(operation, &said, &Rules::default());
                assert_eq!(missing.statements, [statement], "{said}");
                assert!(missing.hint.contains(&format!("must allow `{}` on `arn:aws:s3:::lake", operation.action())));
                assert!(!missing.hint.contains("as the file has it"), "{}", missing.hint);
            }
        }
    }

    #[test]
    fn a_bucket_of_its_own_is_listed_whole() {
        assert!(!of_list("arn:aws:s3:::lake", "").contains("Condition"));
        assert!(of_list("arn:aws:s3:::lake", "a*b").contains("\"a${*}b/*\""), "a star in a prefix is no pattern");
    }

    fn all_rules() -> Rules {
        Rules {
            acl: Some("bucket-owner-full-control".to_owned()),
            tags: BTreeMap::from([("team".to_owned(), "crm".to_owned())]),
            encryption: Some(Encryption::Kms { key: Some("alias/lake".to_owned()), bucket_key: None }),
            ..Rules::default()
        }
    }

    #[test]
    fn a_refused_write_names_all_that_the_rules_make_it_take() {
        let missing = missing(Operation::Put, "S3 answered 403 `AccessDenied`: Access Denied", &all_rules());
        assert_eq!(
            missing.hint,
            "a policy of the identity must allow `s3:PutObject` on `arn:aws:s3:::lake/crm/raw/*`, and none may deny it, and, \
             as the file has it, `s3:PutObjectAcl` and `s3:PutObjectTagging` and `kms:GenerateDataKey` and `kms:Decrypt`; S3 \
             does not say which of them is missing"
        );
        assert_eq!(
            missing.statements,
            [
                r#"{"Effect":"Allow","Action":["s3:PutObject","s3:PutObjectAcl","s3:PutObjectTagging"],"Resource":"arn:aws:s3:::lake/crm/raw/*"}"#,
                r#"{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}}"#,
            ]
        );
        assert!(
            !super::tests::missing(Operation::Get, "Access Denied", &all_rules()).hint.contains("Acl"),
            "reads take none"
        );
    }

    #[test]
    fn what_s3_names_is_what_is_missing() {
        let tags = missing(Operation::Put, &refusal("s3:PutObjectTagging", PREFIXED), &all_rules());
        assert_eq!(
            tags.statements,
            [r#"{"Effect":"Allow","Action":["s3:PutObjectTagging"],"Resource":"arn:aws:s3:::lake/crm/raw/*"}"#]
        );
        let key = "arn:aws:kms:eu-west-1:1:key/k";
        let of_key = missing(Operation::Put, &refusal("kms:GenerateDataKey", key), &Rules::default());
        assert_eq!(
            of_key.statements,
            [
                r#"{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"arn:aws:kms:eu-west-1:1:key/k"}"#
            ]
        );
        assert!(
            of_key.hint.contains("`kms:GenerateDataKey` on the key `arn:aws:kms:eu-west-1:1:key/k`"),
            "{}",
            of_key.hint
        );
    }

    #[test]
    fn where_a_policy_forbids_no_statement_helps() {
        let said = refusal("s3:PutObject", "arn:aws:s3:::lake/x") + " with an explicit deny in a resource-based policy";
        let missing = missing(Operation::Put, &said, &Rules::default());
        assert_eq!(missing.statements, Vec::<String>::new());
        assert!(missing.hint.contains("forbids `s3:PutObject` on `arn:aws:s3:::lake/x`"), "{}", missing.hint);
    }

    #[test]
    fn nothing_is_missing_where_something_else_failed() {
        let absent = BucketError::NoSuchBucket { bucket: "lake".to_owned(), source: Cause::new("no") };
        assert_eq!(Missing::of(&absent, &Location::s3("lake", "", "eu-west-1"), &Rules::default()), None);
    }
}
