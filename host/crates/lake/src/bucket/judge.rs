//! What the failures of the object store and of the file system mean, told as errors of a place.

use std::{error::Error, io};

use object_store::client::{HttpError, HttpErrorKind};
use rustix::io::Errno;

use super::{
    answer::Answer,
    cause::{Cause, chain},
    error::BucketError,
    identity::IdentityError,
    local::InTheWay,
    location::{Kind, Location},
    operation::Operation,
    partition::Partition,
};
use crate::policy::literal;

impl Location {
    /// Whether a failed get or delete says that there is no such object (and not that there is no such bucket).
    pub(super) fn means_absent(error: &object_store::Error) -> bool {
        match Answer::within(error) {
            Some(answer) => answer.status == 404 && !answer.has_code(&["NoSuchBucket"]),
            None => matches!(error, object_store::Error::NotFound { .. }),
        }
    }

    /// Whether a failed conditional put says that there is such an object.
    pub(super) fn means_present(error: &object_store::Error) -> bool {
        match Answer::within(error) {
            // S3 says 412; stores are about that say 304.
            Some(answer) => matches!(answer.status, 304 | 412),
            None => matches!(error, object_store::Error::AlreadyExists { .. }),
        }
    }

    /// Whether a failed conditional put says that requests met, and not whether there is such an object.
    pub(super) fn means_conflict(error: &object_store::Error) -> bool {
        Answer::within(error).is_some_and(|answer| answer.status == 409)
    }

    /// What a failure of the object store means.
    pub(super) fn judge(&self, operation: Operation, key: &str, error: &object_store::Error) -> BucketError {
        if let Some(identity) = chain(error).find_map(|link| link.downcast_ref::<IdentityError>()) {
            return BucketError::Identity(identity.clone());
        }
        if let (Kind::Folder, Some(system)) = (&self.kind, chain(error).find_map(|link| link.downcast_ref())) {
            return self.judge_disk(operation, key, system);
        }
        if let Some(answer) = Answer::within(error) {
            return self.judge_answer(operation, key, answer);
        }
        // The innermost: the outer one says only whether it is tried again.
        if let Some(unanswered) = chain(error).filter_map(|link| link.downcast_ref::<HttpError>()).last() {
            let reason = unanswered.source().map_or_else(|| Cause::of(unanswered), Cause::of);
            let reason = match unanswered.kind() {
                HttpErrorKind::Timeout => Cause::new(format!("no answer in time: {reason}")),
                _ => reason,
            };
            return self.unavailable(operation, key, reason.through(self.proxy()));
        }
        BucketError::Other { location: self.location(key), operation: operation.verb(), source: Cause::of(error) }
    }

    pub(super) fn judge_answer(&self, operation: Operation, key: &str, answer: &Answer) -> BucketError {
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
            301 | 302 | 307 | 308 => BucketError::WrongRegion { bucket, region, expected: None, source },
            401 | 403 => BucketError::AccessDenied {
                action: operation.action(),
                location: self.location(key),
                resource: {
                    let arn = Partition::of(&region).arn;
                    match operation {
                        Operation::List | Operation::ListVersions => format!("arn:{arn}:s3:::{bucket}"),
                        _ if prefix.is_empty() => format!("arn:{arn}:s3:::{bucket}/*"),
                        _ => format!("arn:{arn}:s3:::{bucket}/{}/*", literal(prefix)),
                    }
                },
                source,
            },
            // A bare 404 to anything but a read is about the bucket: only reads are told that an object is absent.
            404 if answer.code.is_none() && operation != Operation::Get => BucketError::NoSuchBucket { bucket, source },
            501 => BucketError::Unsupported { location: self.description.clone(), what: "this request", source },
            // A success here is one whose body says `InternalError` or `SlowDown`.
            200 | 408 | 429 | 500.. => self.unavailable(operation, key, source),
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
        if let Some(InTheWay { what }) = error.get_ref().and_then(|found| found.downcast_ref()) {
            return self.not_ours(key, what);
        }
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

    /// What is there, or would be, is larger than what of its kind is read.
    pub(super) fn oversized(&self, key: &str, bytes: u64, most: u64) -> BucketError {
        BucketError::Oversized { location: self.location(key), bytes, most }
    }

    pub(super) fn too_large(&self, key: &str, limit: u64) -> BucketError {
        BucketError::TooLarge { location: self.location(key), limit }
    }

    pub(super) fn unavailable(&self, operation: Operation, key: &str, source: Cause) -> BucketError {
        BucketError::Unavailable { location: self.location(key), operation: operation.verb(), source }
    }
}
