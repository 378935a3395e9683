//! What a pipeline file says of the place that the tables go to: the bucket, its rules, and who writes to it.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::{
    bucket::{AccountId, KmsKey, Region, Retention, SourceIdentity, Tags},
    values::{ByteSize, CompressionLevel, MarkName, SecretRef, SessionSpan, Url},
};

/// Where the tables go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkSpec {
    /// The kind of table.
    #[serde(rename = "type")]
    #[expect(dead_code, reason = "there is one kind so far; the key keeps files readable when there are more")]
    sink_type: SinkType,
    /// The folder of the tables: `s3://bucket/prefix` or `file:///folder`.
    #[schemars(with = "Url")]
    pub url: Spanned<Url>,
    /// The bucket's region. Default: what the AWS environment says.
    pub region: Option<Region>,
    /// The address of an S3 that is not AWS's. `http://` is taken for loopback addresses only.
    pub endpoint: Option<Url>,
    /// The address of STS, where it is not AWS's. Default: `endpoint`, if that is set.
    pub sts_endpoint: Option<Url>,
    /// Whether the bucket's name stands in the path rather than in the host name.
    #[serde(default)]
    pub path_style: bool,
    /// Whether AWS is asked for at addresses that speak IPv6, too. Default: what the AWS environment says.
    pub dual_stack: Option<bool>,
    /// Whether AWS is asked for at its FIPS addresses. Default: what the AWS environment says.
    pub fips: Option<bool>,
    /// The account that the bucket must belong to: S3 refuses every request if it belongs to another.
    pub expected_bucket_owner: Option<AccountId>,
    /// Whether this account pays for its requests to a bucket whose requesters pay.
    #[serde(default)]
    pub requester_pays: bool,
    /// How objects are encrypted where they lie. Default: as the bucket says.
    pub encryption: Option<EncryptionSpec>,
    /// The access control list that each object is written with, where the bucket's policy asks for one.
    pub acl: Option<Acl>,
    /// Tags of each object.
    #[serde(default)]
    pub tags: Tags<10>,
    /// The storage class of the tables' files; commits and the lease are always of the standard class. Default: the bucket's.
    pub storage_class: Option<StorageClass>,
    /// How long commits are kept that are not the newest, from when the next was made: a day or more, such as "30d". What goes
    /// takes with it the files that no other commit lists. Pipelines that share a folder share its commits: the shortest span
    /// holds for all. Default: for ever.
    pub keep: Option<Retention>,
    /// The role that is assumed to write to the bucket.
    pub role: Option<RoleSpec>,
    /// The identity that assumes the role. Default: the AWS credential chain (environment, profile, SSO, container, ...).
    pub credentials: Option<CredentialsSpec>,
    /// How files are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// The compression level of zstd, 1 to 22. Default: 3.
    pub compression_level: Option<CompressionLevel>,
    /// Rows in a row group, at most. Default: 1000000; memory is bounded in any case.
    pub row_group_rows: Option<std::num::NonZeroU32>,
    /// The size past which a file is closed and the next begun, at the end of a batch (8192 rows). Default: `256MiB`.
    #[schemars(with = "Option<ByteSize>")]
    pub file_size: Option<Spanned<ByteSize>>,
    /// Whether records have a table for each object type, one for all types, or both.
    #[serde(default)]
    pub layout: Layout,
    /// Marks that may reach the tables. Printed and audited.
    #[serde(default)]
    pub accepts: Vec<MarkName>,
}

/// How records are laid out in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// A table for each object type, a column a property.
    #[default]
    Individual,
    /// Tables of all object types together, told apart by `objectTypeId`: `objects`, a row a record; `object_properties`, a row
    /// for each value of a property, as text; `object_with_object_properties`, a row a record with all its values as one
    /// JSON object; and `associations`, a row a link.
    Combined,
    /// All of these.
    Both,
}

/// The kinds of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkType {
    /// Parquet files, listed by a commit.
    Parquet,
}

/// How Parquet files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Zstandard.
    #[default]
    Zstd,
    /// Not at all.
    None,
}

/// A role to assume.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleSpec {
    /// The role's ARN.
    pub arn: String,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// The name of the session, as `CloudTrail` shows it. Default: `sluice-` and the pipeline's name.
    pub session_name: Option<String>,
    /// How long a session lasts before it is renewed, 15 minutes to 12 hours, as the role allows. Default: `1h`.
    pub duration: Option<SessionSpan>,
    /// Whether each session is narrowed to what this pipeline does with its bucket and prefix, whatever else the role may do.
    #[serde(default)]
    pub session_policy: bool,
    /// Tags of each session, which policies can ask for. The role's trust policy must allow `sts:TagSession`.
    #[serde(default)]
    pub session_tags: Tags<50>,
    /// Who is behind the session, as `CloudTrail` shows it whatever role is assumed after. The role's trust policy must allow
    /// `sts:SetSourceIdentity`.
    pub source_identity: Option<SourceIdentity>,
}

/// How objects are encrypted where they lie.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table with a type, such as { type = \"sse-s3\" }"
)]
pub enum EncryptionSpec {
    /// By S3, with keys of its own.
    SseS3 {},
    /// With a key of KMS.
    SseKms {
        /// The key's ARN, id or alias. Default: AWS's own key of the account for S3.
        key: Option<KmsKey>,
        /// Whether S3 asks KMS for a key of the bucket rather than for one of each object. Default: as the bucket says.
        bucket_key: Option<bool>,
    },
    /// With a key of KMS, in two layers.
    DsseKms {
        /// The key's ARN, id or alias. Default: AWS's own key of the account for S3.
        key: Option<KmsKey>,
    },
}

/// Access control lists that a policy may ask for. None of them opens an object to the public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Acl {
    /// Whoever writes the object owns it.
    Private,
    /// The bucket's owner may read it, too.
    BucketOwnerRead,
    /// The bucket's owner owns it as well.
    BucketOwnerFullControl,
}

impl Acl {
    /// As S3 calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::BucketOwnerRead => "bucket-owner-read",
            Self::BucketOwnerFullControl => "bucket-owner-full-control",
        }
    }
}

/// Storage classes from which an object can be read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageClass {
    /// For what is read often.
    Standard,
    /// For what is read seldom; a month at least is paid.
    StandardIa,
    /// The same, in one place.
    OnezoneIa,
    /// S3 finds out how often it is read.
    IntelligentTiering,
    /// For what is hardly ever read; three months at least are paid.
    GlacierIr,
}

impl StorageClass {
    /// As S3 calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::StandardIa => "STANDARD_IA",
            Self::OnezoneIa => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierIr => "GLACIER_IR",
        }
    }
}

/// Access keys, by reference.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialsSpec {
    /// The access key id.
    pub access_key_id: SecretRef,
    /// The secret access key.
    pub secret_access_key: SecretRef,
    /// The session token, for temporary credentials.
    pub session_token: Option<SecretRef>,
}
