//! Refusals, in the codes and the words that AWS uses.
//!
//! A client reads the code, a person reads the message, and sluice's own advice depends on both; so they stand here once,
//! next to each other, and not where they happen to arise.

use std::io;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

/// No session, user or signature at all.
pub(super) fn unsigned() -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
}

/// What IAM answers when nothing allows `action`; `resource` is an ARN, as is `caller`.
pub(super) fn not_allowed(caller: &str, action: &str, resource: &str) -> S3Error {
    S3Error::with_message(
        S3ErrorCode::AccessDenied,
        format!(
            "User: {caller} is not authorized to perform: {action} on resource: \"{resource}\" \
             because no identity-based policy allows the {action} action"
        ),
    )
}

pub(super) fn unknown_access_key() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::InvalidAccessKeyId,
        "The AWS Access Key Id you provided does not exist in our records.",
    )
}

pub(super) fn wrong_token() -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidToken, "The provided token is malformed or otherwise invalid.")
}

pub(super) fn expired_token() -> S3Error {
    S3Error::with_message(S3ErrorCode::ExpiredToken, "The provided token has expired.")
}

pub(super) fn wrong_region(region: &str, expected: &str) -> S3Error {
    S3Error::with_message(
        S3ErrorCode::AuthorizationHeaderMalformed,
        format!("The authorization header is malformed; the region '{region}' is wrong; expecting '{expected}'"),
    )
}

pub(super) fn wrong_service(service: &str) -> S3Error {
    S3Error::with_message(
        S3ErrorCode::AuthorizationHeaderMalformed,
        format!(
            "The authorization header is malformed; incorrect service \"{service}\". This endpoint belongs to \"s3\"."
        ),
    )
}

pub(super) fn no_such_bucket() -> S3Error {
    S3Error::with_message(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist")
}

pub(super) fn no_such_key() -> S3Error {
    S3Error::with_message(S3ErrorCode::NoSuchKey, "The specified key does not exist.")
}

pub(super) fn no_such_upload() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
}

pub(super) fn precondition_failed() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold",
    )
}

pub(super) fn not_implemented() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NotImplemented,
        "A header or query you provided implies functionality that is not implemented.",
    )
}

pub(super) fn bad_digest(name: &str) -> S3Error {
    S3Error::with_message(
        S3ErrorCode::BadDigest,
        format!("The {name} you specified did not match the calculated checksum."),
    )
}

/// AWS never runs out of space; this is what `MinIO`, which does, says.
pub(super) fn no_space() -> S3Error {
    custom(
        "XMinioStorageFull",
        StatusCode::INSUFFICIENT_STORAGE,
        "Storage backend has reached its minimum free drive threshold. Please delete a few objects to proceed.",
    )
}

pub(super) fn slow_down() -> S3Error {
    S3Error::with_message(S3ErrorCode::SlowDown, "Please reduce your request rate.")
}

pub(super) fn internal_error() -> S3Error {
    S3Error::with_message(S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
}

/// A code that AWS knows and s3s does not name.
pub(super) fn custom(code: &str, status: StatusCode, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

/// What the folder underneath refused: a full disk is told apart, anything else is an internal error.
pub(super) fn from_disk(error: io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => no_space(),
        _ => {
            let mut refusal = internal_error();
            refusal.set_source(Box::new(error));
            refusal
        }
    }
}
