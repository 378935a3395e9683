//! Where a bucket is and who writes to it: resolved, plain data. Reading a pipeline file is not the business of this crate.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use sluice_model::secret::Secret;
use url::Url;

/// A bucket, on S3 or in a folder.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a run, and it is made once")]
pub enum Settings {
    /// S3, or a store that speaks its protocol and honours `If-None-Match`.
    S3(S3Settings),
    /// A folder of this machine.
    File {
        /// The folder. It and its parents are created if absent.
        path: PathBuf,
    },
}

/// For how long a run sends a request to S3 again. S3 asks clients to slow down for minutes at most.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// For how long somebody waits who only looks.
pub const PATIENCE_OF_A_LOOK: Duration = Duration::from_secs(10);

/// A bucket on S3.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// The bucket's name.
    pub bucket: String,
    /// What all keys start with, without slashes at its ends. May be empty.
    pub prefix: String,
    /// The bucket's region; without it, what the AWS environment says (`AWS_REGION`, the profile, the instance).
    pub region: Option<String>,
    /// The address of a store that is not AWS's.
    pub endpoint: Option<Url>,
    /// Whether the bucket's name stands in the path rather than in the host name. Always so for names with a dot in them,
    /// which AWS's certificates do not cover.
    pub path_style: bool,
    /// Whether AWS is asked for at addresses that speak IPv6, too; without it, what the AWS environment says.
    pub dual_stack: Option<bool>,
    /// Whether AWS is asked for at its FIPS addresses; without it, what the AWS environment says.
    pub fips: Option<bool>,
    /// For how long a request is sent again that fails for a reason that may pass.
    pub patience: Duration,
    /// What the bucket asks of those who use it.
    pub rules: Rules,
    /// Who we are.
    pub credentials: Credentials,
    /// The role to assume for everything that is done with the bucket.
    pub role: Option<Role>,
}

impl S3Settings {
    /// A bucket of AWS's that asks for nothing, used by whoever the AWS environment says that we are.
    pub fn of(bucket: &str, prefix: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: None,
            endpoint: None,
            path_style: false,
            dual_stack: None,
            fips: None,
            patience: PATIENCE,
            rules: Rules::default(),
            credentials: Credentials::Chain,
            role: None,
        }
    }
}

/// What a bucket, or the policy on it, asks of those who use it. None of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// How objects are encrypted where they lie; without it, as the bucket says.
    pub encryption: Option<Encryption>,
    /// The access control list that each object is written with, as S3 calls it: `bucket-owner-full-control`.
    pub acl: Option<String>,
    /// Tags of each object.
    pub tags: BTreeMap<String, String>,
    /// The storage class of what is uploaded ([`Bucket::upload`](super::Bucket::upload)), as S3 calls it: `STANDARD_IA`. Small
    /// objects, which are replaced and removed, are of the bucket's own.
    pub storage_class: Option<String>,
    /// The account, in twelve digits, that the bucket must belong to.
    pub expected_owner: Option<String>,
    /// Whether whoever asks pays.
    pub requester_pays: bool,
}

/// How objects are encrypted where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// By S3, with keys of its own.
    S3,
    /// With a key of KMS.
    Kms {
        /// The key's ARN, id or alias; without it, AWS's own key of the account for S3.
        key: Option<String>,
        /// Whether S3 asks KMS for a key of the bucket rather than for one of each object; without it, as the bucket says.
        bucket_key: Option<bool>,
    },
    /// With a key of KMS, in two layers.
    KmsInTwoLayers {
        /// The key's ARN, id or alias; without it, AWS's own key of the account for S3.
        key: Option<String>,
    },
}

/// Who we are before any role is assumed.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// What the AWS environment says: environment variables, profile, SSO, web identity, container, instance.
    Chain,
    /// Fixed keys.
    Static {
        /// The access key id.
        access_key_id: Secret,
        /// The secret access key.
        secret_access_key: Secret,
        /// The session token, for temporary keys.
        session_token: Option<Secret>,
    },
}

/// A role that is assumed by `sts:AssumeRole`, and again before its session ends.
#[derive(Debug, Clone)]
pub struct Role {
    /// The role's ARN.
    pub arn: String,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// The session's name, as `CloudTrail` shows it: 2 to 64 characters.
    pub session_name: String,
    /// How long a session lasts. AWS takes 15 minutes up to what the role allows (an hour unless it says more).
    pub duration: Duration,
    /// A policy that narrows the session, as JSON: it may do what both the role's policies and this one allow.
    pub session_policy: Option<String>,
    /// Tags of the session.
    pub session_tags: BTreeMap<String, String>,
    /// Who is behind the session.
    pub source_identity: Option<String>,
    /// The address of STS, where it is not AWS's for the region.
    pub sts_endpoint: Option<Url>,
}

impl Role {
    /// A role that asks for nothing, in sessions of this name, of an hour.
    pub fn of(arn: &str, session_name: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            external_id: None,
            session_name: session_name.to_owned(),
            duration: Duration::from_hours(1),
            session_policy: None,
            session_tags: BTreeMap::new(),
            source_identity: None,
            sts_endpoint: None,
        }
    }
}
