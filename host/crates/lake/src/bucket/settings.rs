//! Where a bucket is and who writes to it: resolved, plain data. Reading a pipeline file is not the business of this crate.

use std::{path::PathBuf, time::Duration};

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
    /// Who we are.
    pub credentials: Credentials,
    /// The role to assume for everything that is done with the bucket.
    pub role: Option<Role>,
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
    /// The address of STS, where it is not AWS's for the region.
    pub sts_endpoint: Option<Url>,
}
