//! What a pipeline file says that permissions follow from: the bucket, its rules, and the role.
//!
//! No secret is looked up, so that whoever makes the role needs none.

use std::time::Duration;

use sluice_lake::iam::{Access, Handover, IamError, Principal, RoleArn, Trust, session_policy};
use sluice_model::problem::Problem;
use sluice_plan::spec::{RoleSpec, SinkSpec};

use super::{Pipeline, SESSION, rules_of_bucket};
use crate::pipeline::Error;

/// What permissions follow from.
#[derive(Debug)]
pub struct Permissions<'p> {
    pipeline: &'p Pipeline,
    /// What is done with the bucket.
    pub access: Access,
    /// The role, where the file names one.
    pub role: Option<RoleArn>,
    /// What all keys in the bucket begin with.
    pub prefix: &'p str,
    /// The bucket.
    pub bucket: &'p str,
    /// Whether something in the file says which partition the bucket is in.
    pub partition_is_said: bool,
}

impl Pipeline {
    /// What permissions follow from. A pipeline that writes to a folder needs none.
    pub fn permissions(&self) -> Result<Permissions<'_>, Error> {
        let sink = self.sink();
        let url = sink.url.get_ref();
        if url.scheme() != "s3" {
            let folder = Problem::new("the tables go to a folder of this machine: there is nothing for IAM to allow");
            let folder = folder.at(self.spec.place(&sink.url));
            return Err(self.refused(folder.hint("this is for a sink whose `url` begins with `s3://`")));
        }
        let (bucket, prefix) = place(sink);
        let role = sink.role.as_ref().map(|role| RoleArn::parse(&role.arn)).transpose();
        let role = role.map_err(|error| self.not_allowable(&error))?;
        let rules = rules_of_bucket(sink);
        let access =
            Access::of(bucket, prefix, sink.region.as_ref().map(|region| region.0.as_str()), role.as_ref(), &rules);
        let access = access.map_err(|error| self.not_allowable(&error))?;
        let partition_is_said = role.is_some() || sink.region.is_some();
        Ok(Permissions { pipeline: self, access, role, prefix, bucket, partition_is_said })
    }

    /// The policy that sessions of a role are narrowed to, if the file says that they are.
    pub(super) fn session_policy(&self, role: &RoleSpec) -> Result<Option<String>, Error> {
        if !role.session_policy {
            return Ok(None);
        }
        session_policy(&self.permissions()?.access).map(Some).map_err(|error| self.not_allowable(&error))
    }

    fn not_allowable(&self, error: &IamError) -> Error {
        let problem = Problem::new(error.to_string()).at(self.spec.place(&self.spec.pipeline.sink));
        self.refused(problem.hint(error.hint()))
    }
}

impl Permissions<'_> {
    /// The external id in the file.
    pub fn external_id(&self) -> Option<&str> {
        self.in_file().and_then(|role| role.external_id.as_deref())
    }

    /// Whoever may assume the role if nobody is named: those in its account whom its administrators let.
    pub fn account(&self) -> Result<Principal, Error> {
        let account = self.role.as_ref().map(Principal::account_of).ok_or(IamError::NoRole);
        account.map_err(|error| self.pipeline.not_allowable(&error))
    }

    /// Who may assume the role, and on which terms: those of the file, with this external id.
    pub fn trust(&self, principal: Principal, external_id: String) -> Result<Trust, Error> {
        let trust = Trust::of(principal, self.role.as_ref(), external_id);
        let trust = trust.map_err(|error| self.pipeline.not_allowable(&error))?;
        Ok(match self.in_file() {
            Some(role) => trust
                .with_tags(role.session_tags.0.clone())
                .with_source_identity(role.source_identity.as_ref().map(|identity| identity.0.clone())),
            None => trust,
        })
    }

    /// How the documents are handed to AWS.
    pub fn handover(&self) -> Handover<'_> {
        let session: Option<Duration> = self.in_file().and_then(|role| role.duration).map(|duration| duration.0);
        Handover { pipeline: self.pipeline.name(), role: self.role.as_ref(), session: session.unwrap_or(SESSION) }
    }

    /// A document, or why it cannot be made of this file.
    pub fn made(&self, document: Result<String, IamError>) -> Result<String, Error> {
        document.map_err(|error| self.pipeline.not_allowable(&error))
    }

    fn in_file(&self) -> Option<&RoleSpec> {
        self.pipeline.sink().role.as_ref()
    }
}

/// The bucket, and what all keys in it begin with.
fn place(sink: &SinkSpec) -> (&str, &str) {
    let url = sink.url.get_ref();
    let prefix = url.prefix().unwrap_or_else(|why| unreachable!("such a file is not read: {why}"));
    (url.host_str().unwrap_or_default(), prefix)
}
