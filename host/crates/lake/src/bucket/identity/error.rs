//! What can go wrong with who we are: with the credentials, or with the role that is assumed on top of them.

use std::time::Duration;

use object_store::aws::AwsCredential;

use crate::bucket::{answer::Answer, cause::Cause};

/// Credentials that cannot be had or are not accepted, by who can act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// STS refuses the role to us.
    #[error("role `{role}` cannot be assumed ({})", session_words(session, *external_id))]
    RoleNotAssumable {
        /// The role's ARN.
        role: String,
        /// The session's name.
        session: String,
        /// Whether an external id was sent.
        external_id: bool,
        /// What STS answered.
        source: Cause,
    },
    /// STS does not accept a setting of the role: its ARN, the session's name, the duration.
    #[error("the settings of role `{role}` are not accepted (session `{session}`, {} s)", duration.as_secs())]
    RoleSettings {
        /// The role's ARN.
        role: String,
        /// The session's name.
        session: String,
        /// The duration asked for.
        duration: Duration,
        /// What STS answered.
        source: Cause,
    },
    /// STS does not accept what the session is narrowed to or tagged with.
    #[error("the policy or the tags of sessions of role `{role}` are not accepted")]
    SessionRules {
        /// The role's ARN.
        role: String,
        /// What STS answered.
        source: Cause,
    },
    /// The chain found no credentials, or none it could use.
    #[error("no AWS credentials were found")]
    None {
        /// What the chain said.
        source: Cause,
    },
    /// The service does not know the keys, or they do not match.
    #[error("{service} does not accept the AWS credentials")]
    Refused {
        /// `S3` or `STS`.
        service: &'static str,
        /// What it answered.
        source: Cause,
    },
    /// The credentials have ended and could not be renewed.
    #[error("the AWS credentials for {service} have expired")]
    Expired {
        /// `S3` or `STS`.
        service: &'static str,
        /// What it answered.
        source: Cause,
    },
    /// This machine's clock is too far off for requests to be accepted.
    #[error("{service} refuses requests because this machine's clock is wrong")]
    Clock {
        /// `S3` or `STS`.
        service: &'static str,
        /// What it answered.
        source: Cause,
    },
    /// What answered for STS is not STS, or does not speak as it does.
    #[error("{service} gave an answer that cannot be read")]
    Unreadable {
        /// `STS`.
        service: &'static str,
        /// The status of the answer. Its body may hold credentials.
        source: Cause,
    },
    /// STS is not active in the region, for this account.
    #[error("STS is not active in the region for this account")]
    RegionDisabled {
        /// What STS answered.
        source: Cause,
    },
    /// The service that gives credentials did not answer.
    #[error("{service} could not be reached for credentials")]
    Unreachable {
        /// `STS`, or `the AWS credential chain`.
        service: &'static str,
        /// The last failure.
        source: Cause,
    },
}

fn session_words(session: &str, external_id: bool) -> String {
    let sent = if external_id { "an external id was sent" } else { "no external id was sent" };
    format!("session `{session}`, {sent}")
}

impl IdentityError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::RoleNotAssumable { external_id: true, .. } => {
                "the role's trust policy must allow `sts:AssumeRole` to the identity that asks, with this external id, to the \
                 letter; the identity's own policy must allow it, too"
                    .to_owned()
            }
            Self::RoleNotAssumable { external_id: false, .. } => {
                "the role's trust policy must allow `sts:AssumeRole` to the identity that asks; if it asks for \
                 `sts:ExternalId`, set `external_id`; the identity's own policy must allow it, too"
                    .to_owned()
            }
            Self::RoleSettings { .. } => {
                "the duration must be at least 15 minutes and at most the role's maximum, which is one hour unless it was \
                 raised, and always one hour if the role is assumed from another role"
                    .to_owned()
            }
            Self::SessionRules { .. } => {
                "use fewer `session_tags`, a shorter prefix, or no `session_policy`: STS packs them together, and bounds what comes \
                 of it"
                    .to_owned()
            }
            Self::None { .. } => {
                "set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `credentials` in the pipeline file"
                    .to_owned()
            }
            Self::Refused { .. } => "check the access keys: they may be deleted, or of another account or store".to_owned(),
            Self::Expired { .. } => "get new credentials (with SSO: `aws sso login`) and run again".to_owned(),
            Self::Clock { .. } => "set the clock: AWS tolerates at most 15 minutes".to_owned(),
            Self::Unreadable { .. } => {
                "check `sts_endpoint`, and what stands in between: a proxy or a login page may answer in its place".to_owned()
            }
            Self::RegionDisabled { .. } => {
                "activate STS for the region in the account settings of IAM, or set `sts_endpoint` to that of another region"
                    .to_owned()
            }
            Self::Unreachable { .. } => {
                "check the network and, where one is set, `sts_endpoint` or `endpoint`; then run again".to_owned()
            }
        })
    }

    /// Whether it says that a session has ended which these are of. AWS says so; others say that they do not know its key.
    pub(in crate::bucket) fn ends(&self, used: &AwsCredential) -> bool {
        match self {
            Self::Expired { .. } => true,
            Self::Refused { .. } => used.token.is_some(),
            _ => false,
        }
    }

    /// What an answer says about our credentials, if it is about them.
    pub(in crate::bucket) fn of_answer(service: &'static str, answer: &Answer) -> Option<Self> {
        const UNKNOWN: [&str; 5] = [
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "InvalidToken",
            "UnrecognizedClientException",
        ];
        const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"];
        let source = answer.cause(service);
        if answer.has_code(&EXPIRED) {
            Some(Self::Expired { service, source })
        } else if answer.has_code(&["RequestTimeTooSkewed"]) {
            Some(Self::Clock { service, source })
        } else if answer.has_code(&UNKNOWN) {
            Some(Self::Refused { service, source })
        } else {
            None
        }
    }
}
