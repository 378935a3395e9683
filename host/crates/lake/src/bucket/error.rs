//! What can go wrong with a bucket, by what happened and who can act; and the reading of the object store's errors.

use std::{error::Error, io};

use rustix::io::Errno;

use super::{
    cause::{Answer, Cause, Failure, chain},
    identity::IdentityError,
    partition::Partition,
};

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
            Self::NotOurs { .. } => "look at what else writes there; a sink's folder is sluice's alone".to_owned(),
            Self::TooLarge { .. } => "set a smaller `file_size`".to_owned(),
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
    statement
}

/// What is done with a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Put,
    List,
    Delete,
    AbortUpload,
}

impl Operation {
    /// The permission it takes, as AWS policies name it.
    fn action(self) -> &'static str {
        match self {
            Self::Get => "s3:GetObject",
            Self::Put => "s3:PutObject",
            Self::List => "s3:ListBucket",
            Self::Delete => "s3:DeleteObject",
            Self::AbortUpload => "s3:AbortMultipartUpload",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Get => "read",
            Self::Put => "write",
            Self::List => "list",
            Self::Delete => "remove",
            Self::AbortUpload => "abort the upload of",
        }
    }
}

/// Where a bucket is, for messages and for reading its errors.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) description: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    S3 { bucket: String, prefix: String, region: String, proxy: Option<String> },
    Folder,
    Memory,
}

impl Place {
    pub(super) fn s3(bucket: &str, prefix: &str, region: &str) -> Self {
        let prefix = prefix.trim_matches('/').to_owned();
        let description = if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") };
        Self {
            description,
            kind: Kind::S3 { bucket: bucket.to_owned(), prefix, region: region.to_owned(), proxy: None },
        }
    }

    /// The same place, reached through a proxy: its host and port.
    pub(super) fn behind(mut self, name: Option<String>) -> Self {
        if let Kind::S3 { proxy, .. } = &mut self.kind {
            *proxy = name;
        }
        self
    }

    fn proxy(&self) -> Option<&str> {
        match &self.kind {
            Kind::S3 { proxy, .. } => proxy.as_deref(),
            Kind::Folder | Kind::Memory => None,
        }
    }

    pub(super) fn folder(path: &std::path::Path) -> Self {
        Self { description: format!("file://{}", path.display()), kind: Kind::Folder }
    }

    pub(super) fn memory() -> Self {
        Self { description: "memory://".to_owned(), kind: Kind::Memory }
    }

    /// What all keys in the store start with.
    pub(super) fn prefix(&self) -> &str {
        match &self.kind {
            Kind::S3 { prefix, .. } => prefix,
            Kind::Folder | Kind::Memory => "",
        }
    }

    /// The key of a path of the store.
    pub(super) fn key_of<'a>(&self, path: &'a str) -> &'a str {
        path.strip_prefix(self.prefix()).unwrap_or(path).trim_start_matches('/')
    }

    fn location(&self, key: &str) -> String {
        if key.is_empty() { self.description.clone() } else { format!("{}/{key}", self.description) }
    }

    /// Whether a failed get or delete says that there is no such object (and not that there is no such bucket).
    pub(super) fn means_absent(error: &object_store::Error) -> bool {
        let no_bucket = matches!(Failure::read(error), Failure::Answered(answer) if answer.has_code(&["NoSuchBucket"]));
        matches!(error, object_store::Error::NotFound { .. }) && !no_bucket
    }

    /// What a failure of the object store means.
    pub(super) fn judge(&self, operation: Operation, key: &str, error: &object_store::Error) -> BucketError {
        if let Some(identity) = chain(error).find_map(|link| link.downcast_ref::<IdentityError>()) {
            return BucketError::Identity(identity.clone());
        }
        if let (Kind::Folder, Some(system)) = (&self.kind, chain(error).find_map(|link| link.downcast_ref())) {
            return self.judge_disk(operation, key, system);
        }
        match Failure::read(error) {
            Failure::Answered(answer) => self.judge_answer(operation, key, &answer),
            Failure::Unanswered(source) => self.unavailable(operation, key, source.through(self.proxy())),
            Failure::Local(source) => {
                BucketError::Other { location: self.location(key), operation: operation.verb(), source }
            }
        }
    }

    fn judge_answer(&self, operation: Operation, key: &str, answer: &Answer) -> BucketError {
        let source = answer.cause("S3");
        let (bucket, prefix, region) = match &self.kind {
            Kind::S3 { bucket, prefix, region, .. } => (bucket.clone(), prefix.as_str(), region.clone()),
            Kind::Folder | Kind::Memory => {
                return BucketError::Other { location: self.location(key), operation: operation.verb(), source };
            }
        };
        if let Some(identity) = IdentityError::of_answer("S3", answer) {
            return BucketError::Identity(identity);
        }
        let elsewhere = answer.has_code(&[
            "AuthorizationHeaderMalformed",
            "PermanentRedirect",
            "IllegalLocationConstraintException",
        ]);
        match answer.status {
            _ if answer.has_code(&["NoSuchBucket"]) => BucketError::NoSuchBucket { bucket, source },
            _ if elsewhere => BucketError::WrongRegion { bucket, region, expected: answer.region.clone(), source },
            Some(301 | 302 | 307 | 308) => BucketError::WrongRegion { bucket, region, expected: None, source },
            Some(401 | 403) => BucketError::AccessDenied {
                action: operation.action(),
                location: self.location(key),
                resource: {
                    let arn = Partition::of(&region).arn;
                    match operation {
                        Operation::List => format!("arn:{arn}:s3:::{bucket}"),
                        _ if prefix.is_empty() => format!("arn:{arn}:s3:::{bucket}/*"),
                        _ => format!("arn:{arn}:s3:::{bucket}/{prefix}/*"),
                    }
                },
                source,
            },
            // A bare 404 to anything but a read is about the bucket: only reads are told that an object is absent.
            Some(404) if answer.code.is_none() && operation != Operation::Get => {
                BucketError::NoSuchBucket { bucket, source }
            }
            Some(501) => BucketError::Unsupported { location: self.description.clone(), what: "this request", source },
            // A success here is one whose body says `InternalError` or `SlowDown`.
            Some(200 | 408 | 429 | 500..) => self.unavailable(operation, key, source),
            _ => BucketError::Rejected { location: self.location(key), operation: operation.verb(), source },
        }
    }

    /// What the failure of a write means that was to make an object only if it was absent.
    pub(super) fn judge_create(&self, key: &str, error: &object_store::Error) -> BucketError {
        // Linux and macOS refuse a link with the first where the file system has none, others with one of the rest.
        const NO_LINKS: [Errno; 4] = [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK];
        let system = chain(error).find_map(|link| link.downcast_ref::<io::Error>()).and_then(Errno::from_io_error);
        match (&self.kind, system) {
            (Kind::Folder, Some(code)) if NO_LINKS.contains(&code) => {
                BucketError::NoHardLinks { location: self.location(key), source: code.into() }
            }
            _ => self.judge(Operation::Put, key, error),
        }
    }

    /// What a failure of the file system means.
    pub(super) fn judge_disk(&self, operation: Operation, key: &str, error: &io::Error) -> BucketError {
        let location = self.location(key);
        let source = match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), Cause::of(error)),
        };
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BucketError::NoSpace { location, source },
            io::ErrorKind::ReadOnlyFilesystem => BucketError::ReadOnly { location, source },
            io::ErrorKind::PermissionDenied => {
                BucketError::NotPermitted { location, operation: operation.verb(), source }
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => BucketError::NotAFolder { location, source },
            _ => BucketError::Other { location, operation: operation.verb(), source: Cause::of(&source) },
        }
    }

    /// A conditional put that never came to an outcome, because other requests for the key were always under way.
    pub(super) fn contested(&self, key: &str, attempts: u32) -> BucketError {
        let source = Cause::new(format!("other requests for it were under way, {attempts} times in a row"));
        self.unavailable(Operation::Put, key, source)
    }

    /// Settings from which no client can be made.
    pub(super) fn unusable(&self, error: &(dyn Error + 'static)) -> BucketError {
        BucketError::Settings { location: self.description.clone(), source: Cause::of(error) }
    }

    /// What is there is not what sluice writes.
    pub(super) fn not_ours(&self, key: &str, what: &'static str) -> BucketError {
        BucketError::NotOurs { location: self.location(key), what }
    }

    pub(super) fn too_large(&self, key: &str, limit: u64) -> BucketError {
        BucketError::TooLarge { location: self.location(key), limit }
    }

    fn unavailable(&self, operation: Operation, key: &str, source: Cause) -> BucketError {
        BucketError::Unavailable { location: self.location(key), operation: operation.verb(), source }
    }
}
