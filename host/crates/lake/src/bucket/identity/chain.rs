//! What the AWS chain says when it has no credentials, in words of our own.
//!
//! The sources of the chain quote what they were given: a `credential_process` its standard error output, a metadata service
//! the fields it cannot read, a container its token. All of that may be secret. So nothing of their words is shown but names
//! of profiles, exit codes, and what STS itself refuses with.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        RequestId, assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
    },
};

use super::{connection::ThroughProxy, error::IdentityError};
use crate::bucket::{
    answer::Answer,
    cause::{Cause, chain},
};

/// What it means that the chain gives nothing.
pub(super) fn judge(error: &CredentialsError) -> IdentityError {
    if let Some(failed) = chain(error).find_map(|link| link.downcast_ref::<ThroughProxy>()) {
        return IdentityError::Unreachable { service: "the AWS credential chain", source: failed.cause() };
    }
    if let CredentialsError::ProviderTimedOut(_) = error {
        let source = Cause::new("there was no answer in time");
        return IdentityError::Unreachable { service: "the AWS credential chain", source };
    }
    IdentityError::None { source: refusal(error).unwrap_or_else(|| Cause::new(words(error))) }
}

/// What STS answered, where the chain asked it for a role.
fn refusal(error: &CredentialsError) -> Option<Cause> {
    chain(error).find_map(|link| {
        let role = link.downcast_ref::<SdkError<AssumeRoleError>>();
        let web = link.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError>>();
        role.and_then(answer).or_else(|| web.and_then(answer))
    })
}

fn answer<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<Cause> {
    let SdkError::ServiceError(refusal) = error else { return None };
    let error = refusal.err();
    let answer = Answer {
        status: refusal.raw().status().as_u16(),
        code: error.code().map(str::to_owned),
        message: error.message().map(str::to_owned),
        request: error.meta().request_id().map(str::to_owned),
        region: None,
    };
    answer.code.is_some().then(|| answer.cause("STS"))
}

fn words(error: &CredentialsError) -> String {
    let links: Vec<String> = chain(error).map(ToString::to_string).collect();
    let said = |text: &str| links.iter().any(|link| link.contains(text));
    if said("external process") {
        return process(&links);
    }
    // The errors of profile files name profiles and sections, and quote no value.
    let profile = links.iter().find_map(|link| link.strip_prefix("ProfileFile provider could not be built: "));
    if let Some(profile) = profile {
        return profile.to_owned();
    }
    if said("SSO") || said("sso") {
        return "there is no SSO session, or it has ended".to_owned();
    }
    match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "there are none in the environment, the profile, SSO, web identity, the container or the instance"
                .to_owned()
        }
        CredentialsError::InvalidConfiguration(_) => {
            "a setting of the AWS environment or profile is not valid".to_owned()
        }
        _ => {
            "where they are kept was asked and gave none that can be used; its answer is not shown, since it may hold \
              secrets"
                .to_owned()
        }
    }
}

/// What became of a `credential_process`.
fn process(links: &[String]) -> String {
    let ended = links.iter().find_map(|link| {
        let (_, rest) = link.split_once("external process exited with code ")?;
        let (status, _) = rest.split_once(". Stderr")?;
        // `exit status: 3`, or the signal that ended it.
        status.chars().all(|letter| letter.is_ascii_alphanumeric() || " :()".contains(letter)).then_some(status)
    });
    match ended {
        Some(status) => format!(
            "the `credential_process` of the profile failed ({status}); what it said is not shown, since it may hold secrets"
        ),
        None => "the `credential_process` of the profile printed nothing that can be read as credentials".to_owned(),
    }
}
