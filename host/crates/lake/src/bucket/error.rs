//! What can go wrong with a bucket, by what happened and who can act.

use std::io;

use super::{cause::Cause, identity::IdentityError, operation::Operation};

/// An operation on a bucket that failed.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// There are no usable credentials, or the role cannot be assumed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No region was given and the AWS environment knows none.
    #[error("no region is set for bucket `{bucket}`")]
    NoRegion {
        /// The bucket.
        bucket: String,
    },
    /// The settings make no client, such as an endpoint without a host.
    #[error("the settings of `{location}` cannot be used")]
    Settings {
        /// The bucket.
        location: String,
        /// What is wrong with them.
        source: Cause,
    },
    /// The file with certificates of authorities cannot be used.
    #[error("the certificates in `{file}`, which the variable {variable} names, cannot be used")]
    Authorities {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        file: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// A key that no object can have, such as one with `..` in it.
    #[error("`{key}` cannot be the key of an object")]
    Key {
        /// The key with the bucket's prefix.
        key: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// There is no such bucket.
    #[error("there is no bucket `{bucket}`")]
    NoSuchBucket {
        /// The bucket.
        bucket: String,
        /// What S3 answered.
        source: Cause,
    },
    /// The bucket is in another region.
    #[error("bucket `{bucket}` is not in region `{region}`")]
    WrongRegion {
        /// The bucket.
        bucket: String,
        /// The region it was looked for in.
        region: String,
        /// The region it is in, where S3 says so.
        expected: Option<String>,
        /// What S3 answered.
        source: Cause,
    },
    /// The identity in use lacks a permission.
    #[error("`{action}` is not allowed on `{location}`")]
    AccessDenied {
        /// The permission, as policies name it: `s3:PutObject`.
        action: &'static str,
        /// The object or folder.
        location: String,
        /// What a policy statement names as its resource.
        resource: String,
        /// What S3 answered.
        source: Cause,
    },
    /// The store does not do what sluice depends on, such as conditional puts.
    #[error("the store at `{location}` does not support {what}")]
    Unsupported {
        /// The bucket.
        location: String,
        /// What it does not support.
        what: &'static str,
        /// What it answered.
        source: Cause,
    },
    /// The service did not answer, or said that it could not serve, until retries were used up.
    #[error("`{location}` could not be reached to {operation} it")]
    Unavailable {
        /// The object or folder.
        location: String,
        /// What was tried: `read`, `write`, ….
        operation: &'static str,
        /// The last failure.
        source: Cause,
    },
    /// The disk, or a quota on it, is full.
    #[error("there is no space left to write `{location}`")]
    NoSpace {
        /// The file.
        location: String,
        /// What the system said.
        source: io::Error,
    },
    /// The folder is on a file system that is mounted read-only.
    #[error("`{location}` is on a read-only file system")]
    ReadOnly {
        /// The file.
        location: String,
        /// What the system said.
        source: io::Error,
    },
    /// This process may not use the folder.
    #[error("this process is not permitted to {operation} `{location}`")]
    NotPermitted {
        /// The file.
        location: String,
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// There is no folder where a bucket was looked for.
    #[error("there is no folder `{location}`")]
    NoSuchFolder {
        /// The folder.
        location: String,
    },
    /// A file cannot be made only if it is absent: that takes a hard link.
    #[error("`{location}` cannot be written only if it is absent: its file system makes no hard links")]
    NoHardLinks {
        /// The file.
        location: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something in sluice's place that sluice cannot have written.
    #[error("`{location}` is {what}")]
    NotOurs {
        /// The object or folder.
        location: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An object that is larger than any of its kind that is read, or that would be.
    #[error("`{location}` has {bytes} bytes, and no more than {most} are read")]
    Oversized {
        /// The object.
        location: String,
        /// Its bytes.
        bytes: u64,
        /// How many are read at most.
        most: u64,
    },
    /// Something on the way to the folder is a file.
    #[error("`{location}` is not a folder, or is within something that is not")]
    NotAFolder {
        /// The folder.
        location: String,
        /// What the system said.
        source: io::Error,
    },
    /// The service understood the request and will not fulfil it.
    #[error("`{location}` was refused when this run tried to {operation} it")]
    Rejected {
        /// The object or folder.
        location: String,
        /// What was tried.
        operation: &'static str,
        /// What the service answered.
        source: Cause,
    },
    /// A file outgrew what one upload can hold.
    #[error("`{location}` is bigger than {limit} bytes, the most an upload can hold")]
    TooLarge {
        /// The object.
        location: String,
        /// The most, in bytes.
        limit: u64,
    },
    /// Anything else.
    #[error("cannot {operation} `{location}`")]
    Other {
        /// The object or folder.
        location: String,
        /// What was tried.
        operation: &'static str,
        /// What was said.
        source: Cause,
    },
}

impl BucketError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Identity(error) => return error.hint(),
            Self::NoRegion { bucket } => format!(
                "set `region` in the pipeline file, or `AWS_REGION`; `aws s3api get-bucket-location --bucket {bucket}` tells it"
            ),
            Self::NoSuchBucket { .. } => {
                "a run creates no buckets: check the name and, where one is set, the endpoint".to_owned()
            }
            Self::WrongRegion { expected: Some(region), .. } => format!("set `region = \"{region}\"`"),
            Self::WrongRegion { bucket, .. } => {
                format!("`aws s3api get-bucket-location --bucket {bucket}` tells the region to set")
            }
            Self::AccessDenied { action, resource, source, .. } => denial_hint(action, resource, &source.to_string()),
            Self::Unsupported { .. } => {
                "commits and the lease need a store that honours `If-None-Match: *` on puts, as AWS does".to_owned()
            }
            Self::Unavailable { .. } => {
                "check the network and, where one is set, the endpoint; then run again".to_owned()
            }
            Self::NoSpace { .. } => {
                "free some space and run again: the tables are as the last commit left them".to_owned()
            }
            Self::ReadOnly { .. } | Self::NotAFolder { .. } => "choose another folder, or mend this one".to_owned(),
            Self::NotPermitted { .. } => {
                "let the user that runs sluice own the folder and all that is in it".to_owned()
            }
            Self::NoSuchFolder { .. } => {
                "check the path; the first run of a pipeline makes the folder of its sink".to_owned()
            }
            Self::NoHardLinks { .. } => {
                "choose a folder on a file system that has them (FAT, exFAT and some network mounts do not): it is how of two \
                 runs only one makes a commit"
                    .to_owned()
            }
            Self::NotOurs { .. } | Self::Oversized { .. } => "look at what else writes there; a sink's folder is sluice's alone".to_owned(),
            Self::TooLarge { .. } => "set a smaller `file_size`".to_owned(),
            Self::Authorities { variable, .. } => {
                format!("let {variable} name a file of certificates as PEM, or unset it")
            }
            Self::Settings { .. } | Self::Key { .. } | Self::Rejected { .. } | Self::Other { .. } => return None,
        })
    }

    /// Whether it stays until somebody changes the settings, the identity, or what it may do.
    pub fn is_for_the_owner(&self) -> bool {
        match self {
            Self::Identity(error) => !matches!(
                error,
                IdentityError::Clock { .. } | IdentityError::Unreachable { .. } | IdentityError::Unreadable { .. }
            ),
            Self::NoRegion { .. }
            | Self::Settings { .. }
            | Self::Authorities { .. }
            | Self::Key { .. }
            | Self::NoSuchBucket { .. }
            | Self::WrongRegion { .. }
            | Self::AccessDenied { .. }
            | Self::Unsupported { .. }
            | Self::ReadOnly { .. }
            | Self::NotPermitted { .. }
            | Self::NoSuchFolder { .. }
            | Self::NoHardLinks { .. }
            | Self::NotOurs { .. }
            | Self::Oversized { .. }
            | Self::NotAFolder { .. }
            | Self::TooLarge { .. } => true,
            Self::Unavailable { .. } | Self::NoSpace { .. } | Self::Rejected { .. } | Self::Other { .. } => false,
        }
    }

    /// Whether the request may have taken effect although it failed, or may do so yet: there was no answer, or one that
    /// says nothing of it. Such a request is worth repeating.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Other { .. })
    }
}

fn denial_hint(action: &str, resource: &str, answer: &str) -> String {
    if answer.contains("kms:") {
        return "the bucket is encrypted with a KMS key: the identity needs `kms:GenerateDataKey` and `kms:Decrypt` on it"
            .to_owned();
    }
    let statement = format!("a policy of the identity must allow `{action}` on `{resource}`, and none may deny it");
    if action == Operation::Get.action() {
        // Without the right to list, S3 answers 403 rather than 404 for what is absent.
        return format!("{statement}; `s3:ListBucket` on the bucket is needed, too");
    }
    if action == Operation::DeleteVersion.action() {
        // S3 refuses both with the same code.
        return format!("{statement}; or a lock keeps it, until its time is over or its legal hold is lifted");
    }
    statement
}
