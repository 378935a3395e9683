//! What AWS must be told of a pipeline: what its role may do, who may assume it, and the forms in which that is handed over.
//!
//! Pure: from what a pipeline file says to documents. Nobody is asked, so nothing here knows whether a role or a bucket
//! exists.
//!
//! - [`Access`] is what a pipeline does with its bucket, as far as permissions differ; [`Access::policy`], the policy that
//!   allows this and no more. A role has it, and a session is narrowed to it ([`session_policy`]).
//! - [`Trust`] is who may assume the role, and on which terms; [`Trust::policy`], the policy that says so.
//! - [`Handover`] is these as the AWS command line, Terraform and `CloudFormation` take them.
//!
//! **What is allowed and why.** Listing is bound to the folder by the prefix that the request names. What the bucket is
//! (its region, versioning, encryption, rules) is asked without a prefix, so it stands in a statement of its own: under the
//! condition it would never be allowed. An upload that is given up is an action of its own, too. Objects are read, written
//! and removed below the folder only. AWS's own KMS key for S3 needs no permission; a key of the account's does.

mod access;
mod arn;
mod error;
mod handover;
mod lifecycle;
mod trust;

#[cfg(test)]
mod tests;

pub use crate::policy::Document;

pub use self::{
    access::{Access, session_policy},
    arn::{Principal, RoleArn},
    error::IamError,
    handover::{Form, Handover},
    lifecycle::end_unfinished_uploads,
    trust::Trust,
};
