//! The assumed role: one `sts:AssumeRole` for a session's credentials.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{RequestId, assume_role::AssumeRoleError},
    types::{Credentials, Tag},
};
use jiff::Timestamp;
use object_store::aws::AwsCredential;
use sluice_model::clock::Clock;

use super::{
    chain as chained,
    connection::ThroughProxy,
    error::IdentityError,
    renew::{Issued, Issuer},
};
use crate::bucket::{
    answer::Answer,
    cause::{Cause, chain},
    settings::Role,
};

/// The status of an answer that is no refusal.
const ANSWERED: u16 = 200;

/// Assumes a role, each time it is asked.
#[derive(Debug)]
pub(super) struct AssumedRole {
    client: Client,
    role: Role,
    tags: Option<Vec<Tag>>,
    clock: Clock,
}

impl AssumedRole {
    /// The requests are signed with the base credentials of `sdk` and go to STS of its region.
    pub(super) fn new(sdk: &SdkConfig, role: Role, clock: Clock) -> Self {
        let mut config = aws_sdk_sts::config::Builder::from(sdk);
        if let Some(endpoint) = &role.sts_endpoint {
            // Which the SDK takes beside neither of these.
            config = config.use_fips(false).use_dual_stack(false).endpoint_url(endpoint.as_str());
        }
        let tags = role.session_tags.iter();
        // Of a tag nothing but a missing key or value is refused here.
        let tags: Vec<Tag> =
            tags.filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect();
        let tags = (!tags.is_empty()).then_some(tags);
        Self { client: Client::from_conf(config.build()), role, tags, clock }
    }
}

#[async_trait]
impl Issuer for AssumedRole {
    async fn issue(&self) -> Result<Issued, IdentityError> {
        let asked = self.clock.now();
        let seconds = i32::try_from(self.role.duration.as_secs()).unwrap_or(i32::MAX);
        let answer = self
            .client
            .assume_role()
            .role_arn(&self.role.arn)
            .role_session_name(&self.role.session_name)
            .set_external_id(self.role.external_id.clone())
            .duration_seconds(seconds)
            .set_policy(self.role.session_policy.clone())
            .set_source_identity(self.role.source_identity.clone())
            .set_tags(self.tags.clone())
            .send()
            .await
            .map_err(|error| of_refusal(&self.role, &error))?;
        let session = answer.credentials().filter(|session| is_whole(session)).ok_or_else(|| unreadable(ANSWERED))?;
        tracing::debug!(role = self.role.arn, session = self.role.session_name, "assumed the role");
        Ok(Issued { lasts: Some(length(session, asked, self.role.duration)), credential: credential(session) })
    }
}

/// Whether nothing of a session is missing: the SDK takes an answer that was cut for a whole one with empty fields.
fn is_whole(session: &Credentials) -> bool {
    let texts = [session.access_key_id(), session.secret_access_key(), session.session_token()];
    texts.iter().all(|text| !text.is_empty()) && session.expiration().secs() > 0
}

fn credential(session: &Credentials) -> AwsCredential {
    AwsCredential {
        key_id: session.access_key_id().to_owned(),
        secret_key: session.secret_access_key().to_owned(),
        token: Some(session.session_token().to_owned()),
    }
}

/// How long a session lasts from the moment it was asked for. Never longer than what was asked for: where this machine's
/// clock is slow, the end that STS names seems further away than it is.
fn length(session: &Credentials, asked: Timestamp, duration: Duration) -> Duration {
    let ends = Timestamp::from_second(session.expiration().secs()).unwrap_or(asked);
    Duration::try_from(ends.duration_since(asked)).unwrap_or_default().min(duration)
}

fn unreadable(status: u16) -> IdentityError {
    IdentityError::Unreadable { service: "STS", source: Cause::new(format!("STS answered {status}")) }
}

/// What it means that STS did not give a session.
fn of_refusal(role: &Role, error: &SdkError<AssumeRoleError>) -> IdentityError {
    if let Some(base) = chain(error).find_map(|link| link.downcast_ref::<CredentialsError>()) {
        return chained::judge(base);
    }
    let refusal = match error {
        SdkError::ServiceError(refusal) => refusal,
        // What the parser says of it may quote it, credentials and all.
        SdkError::ResponseError(unread) => return unreadable(unread.raw().status().as_u16()),
        SdkError::TimeoutError(_) => {
            return IdentityError::Unreachable { service: "STS", source: Cause::new("there was no answer in time") };
        }
        _ => {
            if let Some(failed) = chain(error).find_map(|link| link.downcast_ref::<ThroughProxy>()) {
                return IdentityError::Unreachable { service: "STS", source: failed.cause() };
            }
            let source = std::error::Error::source(error).map_or_else(|| Cause::of(error), Cause::of);
            return IdentityError::Unreachable { service: "STS", source };
        }
    };
    let status = refusal.raw().status().as_u16();
    let answer = Answer {
        status,
        code: refusal.err().code().map(str::to_owned),
        message: refusal.err().message().map(str::to_owned),
        request: refusal.err().request_id().map(str::to_owned),
        region: None,
    };
    let source = answer.cause("STS");
    if let Some(identity) = IdentityError::of_answer("STS", &answer) {
        return identity;
    }
    if answer.has_code(&["RegionDisabledException"]) {
        return IdentityError::RegionDisabled { source };
    }
    match status {
        // Without a code, it is a page of whatever stands in between.
        ..500 if answer.code.is_none() => unreadable(status),
        400 if answer.has_code(&[
            "PackedPolicyTooLarge",
            "PackedPolicyTooLargeException",
            "MalformedPolicyDocument",
        ]) =>
        {
            IdentityError::SessionRules { role: role.arn.clone(), source }
        }
        400 => IdentityError::RoleSettings {
            role: role.arn.clone(),
            session: role.session_name.clone(),
            duration: role.duration,
            source,
        },
        // STS-like services answer an unknown role with 404; AWS says 403, and does not say whether the role exists.
        401 | 403 | 404 => IdentityError::RoleNotAssumable {
            role: role.arn.clone(),
            session: role.session_name.clone(),
            external_id: role.external_id.is_some(),
            source,
        },
        _ => IdentityError::Unreachable { service: "STS", source },
    }
}
