//! What is done with a bucket, in the words of messages and of AWS policies.

/// What is done with a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Put,
    List,
    Delete,
    AbortUpload,
    ListVersions,
    DeleteVersion,
}

impl Operation {
    /// The permission it takes, as AWS policies name it.
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Get => "s3:GetObject",
            Self::Put => "s3:PutObject",
            Self::List => "s3:ListBucket",
            Self::Delete => "s3:DeleteObject",
            Self::AbortUpload => "s3:AbortMultipartUpload",
            Self::ListVersions => "s3:ListBucketVersions",
            Self::DeleteVersion => "s3:DeleteObjectVersion",
        }
    }

    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Get => "read",
            Self::Put => "write",
            Self::List => "list",
            Self::Delete => "remove",
            Self::AbortUpload => "abort the upload of",
            Self::ListVersions => "list the old versions of",
            Self::DeleteVersion => "remove an old version of",
        }
    }
}
