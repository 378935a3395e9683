//! `If-Match` and `If-None-Match`: whether a read or a write may go on, given what is there.

use s3s::dto::ETagCondition;
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::aws::errors;

/// The conditions of a request, as its headers state them.
#[derive(Debug, Default, Clone)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl Conditions {
    /// Whether a write may go on, `current` being the `ETag` of the object that exists.
    pub(super) fn allow_write(&self, current: Option<&str>) -> S3Result<()> {
        match &self.if_none_match {
            Some(ETagCondition::Any) if current.is_some() => return Err(errors::precondition_failed()),
            Some(ETagCondition::ETag(_)) => return Err(errors::not_implemented()), // as on AWS, for writes
            _ => {}
        }
        match (&self.if_match, current) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(errors::no_such_key()),
            (Some(condition), Some(current)) if matches(condition, current) => Ok(()),
            (Some(_), Some(_)) => Err(errors::precondition_failed()),
        }
    }

    /// Whether a read of the object with this `ETag` may go on.
    pub(super) fn allow_read(&self, current: &str) -> S3Result<()> {
        if self.if_match.as_ref().is_some_and(|condition| !matches(condition, current)) {
            return Err(errors::precondition_failed());
        }
        if self.if_none_match.as_ref().is_some_and(|condition| matches(condition, current)) {
            return Err(S3Error::new(S3ErrorCode::NotModified));
        }
        Ok(())
    }
}

fn matches(condition: &ETagCondition, current: &str) -> bool {
    condition.as_etag().is_none_or(|etag| etag.value() == current)
}
