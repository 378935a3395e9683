//! What a pipeline does with its bucket, and the policy that allows it.

use super::{
    arn::{Key, RoleArn},
    error::IamError,
};
use crate::{
    bucket::{Encryption, Partition, Rules},
    policy::{Document, KMS_ACTIONS, OF_ACCESS_POINTS, Statement, literal},
};

/// Characters of a session's policy that STS takes, at most.
const LONGEST_SESSION_POLICY: usize = 2048;

/// What a pipeline does with its bucket, as far as permissions differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    partition: Partition,
    bucket: String,
    prefix: String,
    acl: bool,
    tags: bool,
    key: Option<Key>,
    versions: bool,
}

impl Access {
    /// What is done with a bucket under a prefix, by these rules. The partition is that of region, role and key, which must
    /// agree; where none of them says one, that of most regions.
    pub fn of(
        bucket: &str,
        prefix: &str,
        region: Option<&str>,
        role: Option<&RoleArn>,
        rules: &Rules,
    ) -> Result<Self, IamError> {
        if bucket.ends_with(OF_ACCESS_POINTS) {
            return Err(IamError::AccessPoint { alias: bucket.to_owned() });
        }
        let key = match &rules.encryption {
            Some(Encryption::Kms { key, .. } | Encryption::KmsInTwoLayers { key }) => key.as_deref(),
            Some(Encryption::S3) | None => None,
        };
        let key = key.map(|key| Key::parse(key, region, role)).transpose()?;
        let partition = agreed(&[
            ("region", region.map(Partition::of)),
            ("role", role.map(|role| role.partition)),
            ("KMS key", key.as_ref().and_then(|key| key.partition)),
        ])?;
        Ok(Self {
            partition: partition.unwrap_or_else(|| Partition::of("")),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            acl: rules.acl.is_some(),
            tags: !rules.tags.is_empty(),
            key,
            versions: false,
        })
    }

    /// The same, and earlier versions of objects are listed and removed, in a bucket that keeps them.
    #[must_use]
    pub fn with_versions(mut self) -> Self {
        self.versions = true;
        self
    }

    /// The partition that all names are in.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The policy that allows this, and no more.
    pub fn policy(&self) -> Document {
        let bucket = format!("arn:{}:s3:::{}", self.partition.arn, self.bucket);
        let folder = if self.prefix.is_empty() { String::new() } else { literal(&self.prefix) + "/" };
        let mut statements = vec![
            Statement::allow(&["s3:ListBucket"]).named("ListTheFolder").on(&bucket).below(&self.prefix),
            Statement::allow(&[
                "s3:GetBucketLocation",
                "s3:GetBucketVersioning",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
            ])
            .named("LookAtTheBucket")
            .on(&bucket),
        ];
        let mut actions = vec!["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];
        actions.extend(self.acl.then_some("s3:PutObjectAcl"));
        actions.extend(self.tags.then_some("s3:PutObjectTagging"));
        statements.push(Statement::allow(&actions).named("UseTheFolder").on(format!("{bucket}/{folder}*")));
        if self.versions {
            let list = Statement::allow(&["s3:ListBucketVersions"]).named("ListVersionsInTheFolder").on(&bucket);
            statements.push(list.below(&self.prefix));
            let remove = Statement::allow(&["s3:DeleteObjectVersion"]).named("RemoveVersionsFromTheFolder");
            statements.push(remove.on(format!("{bucket}/{folder}*")));
        }
        statements.extend(self.key.as_ref().map(|key| {
            // What is read is decrypted, and so are the parts of an upload before they are one object.
            let statement = Statement::allow(&KMS_ACTIONS).named("UseTheKey");
            let statement = statement.on(key.resource(self.partition));
            match key.alias() {
                Some(alias) => statement.when("ForAnyValue:StringEquals", "kms:ResourceAliases", alias),
                None => statement,
            }
        }));
        Document::of(statements)
    }
}

/// The partition that all these are in, as far as they say one.
pub(super) fn agreed(all: &[(&'static str, Option<Partition>)]) -> Result<Option<Partition>, IamError> {
    let mut known: Option<(&'static str, Partition)> = None;
    for (what, partition) in all {
        let Some(partition) = partition else { continue };
        match known {
            Some((one, of_one)) if of_one != *partition => {
                return Err(IamError::Partitions { one, of_one: of_one.arn, other: what, of_other: partition.arn });
            }
            Some(_) => {}
            None => known = Some((what, *partition)),
        }
    }
    Ok(known.map(|(_, partition)| partition))
}

/// The policy that a session is narrowed to, in as few characters as it can be written: that of the pipeline's role, with the
/// removal of old versions and the use of whatever key the bucket encrypts with by default, both of which are for the role's own
/// policies to allow.
pub fn session_policy(access: &Access) -> Result<String, IamError> {
    let mut policy = access.clone().with_versions().policy();
    if access.key.is_none() {
        policy.add(Statement::allow(&KMS_ACTIONS).on("*"));
    }
    let policy = policy.compact();
    let characters = policy.chars().count();
    if characters > LONGEST_SESSION_POLICY {
        return Err(IamError::SessionPolicy { characters, most: LONGEST_SESSION_POLICY });
    }
    Ok(policy)
}
