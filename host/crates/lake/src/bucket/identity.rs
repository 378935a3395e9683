//! Identity: who we are to AWS, from the chain or from fixed keys, and as which role.
//!
//! The AWS SDK's own chain finds the base credentials (environment, profile, SSO, web identity, process, container,
//! instance), so whatever works for the AWS command line works here. A role is assumed on top of them ([`role`]).
//! Both kinds of credentials end, and runs are longer: [`renew`] keeps them fresh. The object store asks it for credentials
//! before every request it signs.

mod chain;
mod connection;
mod renew;
mod role;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_types::service_config::ServiceConfigKey;
use jiff::Timestamp;
use object_store::aws::AwsCredential;
use sluice_model::clock::Clock;
use url::Url;

use self::{
    renew::{Issued, Issuer, Renewed},
    role::AssumedRole,
};
use super::{
    cause::{Answer, Cause},
    error::BucketError,
    partition::Partition,
    settings::{Credentials, S3Settings},
};

/// How long one attempt to reach STS (or wherever credentials come from) may take. Answers come within a second; a minute
/// covers a slow proxy and still fits, with its repetitions, into the time before credentials end.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);
/// How often such a request is tried, with the SDK's own pauses between. Enough for a hiccup; what is longer is bridged by
/// the credentials in hand.
const ATTEMPTS: u32 = 3;

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
            Self::Unreachable { .. } => return None,
        })
    }

    /// What an answer says about our credentials, if it is about them.
    pub(super) fn of_answer(service: &'static str, answer: &Answer) -> Option<Self> {
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

/// Who we are to S3, and where.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) region: String,
    /// Where S3 is asked for.
    pub(super) endpoint: Url,
    pub(super) credentials: Arc<Renewed>,
}

impl Identity {
    /// Finds region and base credentials, assumes the role if there is one, and fetches the first credentials.
    pub(super) async fn resolve(settings: &S3Settings, clock: Clock) -> Result<Self, BucketError> {
        let sdk = load(settings).await;
        let region =
            sdk.region().ok_or_else(|| BucketError::NoRegion { bucket: settings.bucket.clone() })?.as_ref().to_owned();
        let endpoint = match &settings.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => s3_endpoint(&sdk, &region, &settings.bucket)?,
        };
        let none = || IdentityError::None { source: Cause::new("the environment offers no way to get any") };
        let base = Base { provider: sdk.credentials_provider().ok_or_else(none)?, clock: clock.clone() };
        let issuer: Box<dyn Issuer> = match &settings.role {
            None => Box::new(base),
            Some(role) => {
                // Asked once ahead of STS, so that missing credentials are not taken for a refused role.
                base.issue().await?;
                Box::new(AssumedRole::new(&sdk, role.clone(), clock.clone()))
            }
        };
        let credentials = Arc::new(Renewed::new(issuer, clock));
        credentials.current().await?;
        Ok(Self { region, endpoint, credentials })
    }
}

/// Where S3 is asked for unless the settings say: by the rules by which the AWS SDK finds STS. `AWS_ENDPOINT_URL_S3`, then
/// `AWS_ENDPOINT_URL`, or the same of the profile; without either, AWS's own in the region, in its partition's domain.
fn s3_endpoint(sdk: &SdkConfig, region: &str, bucket: &str) -> Result<Url, BucketError> {
    let key = ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service = key.ok().and_then(|key| sdk.service_config()?.load_config(key));
    let configured = of_service.or_else(|| sdk.endpoint_url().map(str::to_owned));
    let is_set = configured.is_some();
    let text = configured.unwrap_or_else(|| {
        let fips = if sdk.use_fips().unwrap_or_default() { "-fips" } else { "" };
        let dual_stack = if sdk.use_dual_stack().unwrap_or_default() { ".dualstack" } else { "" };
        format!("https://s3{fips}{dual_stack}.{region}.{}", Partition::of(region).domain)
    });
    let what = if is_set { "the endpoint that the AWS environment names" } else { "the region's endpoint" };
    let unusable = |why: &str| BucketError::Settings {
        location: format!("s3://{bucket}"),
        source: Cause::new(format!("{what} {why}")),
    };
    let endpoint = Url::parse(&text).map_err(|error| unusable(&format!("is no URL: {error}")))?;
    if endpoint.scheme() != "https" && !sluice_proxy::is_loopback(&endpoint) {
        return Err(unusable(
            "would send data over the network in the clear: `http://` is for servers on this machine",
        ));
    }
    Ok(endpoint)
}

/// Asks the AWS environment for what the settings leave open.
async fn load(settings: &S3Settings) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(connection::client())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Ok(name) = AppName::new(env!("CARGO_PKG_NAME")) {
        loader = loader.app_name(name);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Credentials::Static { access_key_id, secret_access_key, session_token } = &settings.credentials {
        loader = loader.credentials_provider(aws_credential_types::Credentials::new(
            access_key_id.expose(),
            secret_access_key.expose(),
            session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "pipeline file",
        ));
    }
    loader.load().await
}

/// The base credentials: what the chain, or fixed keys, give.
#[derive(Debug)]
struct Base {
    provider: SharedCredentialsProvider,
    clock: Clock,
}

#[async_trait]
impl Issuer for Base {
    async fn issue(&self) -> Result<Issued, IdentityError> {
        let now = self.clock.now();
        let found = self.provider.provide_credentials().await.map_err(|error| chain::judge(&error))?;
        let ends = found.expiry().and_then(|ends| Timestamp::try_from(ends).ok());
        let lasts = ends.map(|ends| Duration::try_from(ends.duration_since(now)).unwrap_or_default());
        Ok(Issued {
            credential: AwsCredential {
                key_id: found.access_key_id().to_owned(),
                secret_key: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
            },
            lasts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_is_where_the_region_is() {
        for (region, host) in [
            ("eu-central-1", "s3.eu-central-1.amazonaws.com"),
            ("us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ] {
            let sdk = SdkConfig::builder().build();
            assert_eq!(s3_endpoint(&sdk, region, "lake").unwrap().host_str(), Some(host));
        }
        let sdk = SdkConfig::builder().use_fips(true).use_dual_stack(true).build();
        let host = "s3-fips.dualstack.us-gov-west-1.amazonaws.com";
        assert_eq!(s3_endpoint(&sdk, "us-gov-west-1", "lake").unwrap().host_str(), Some(host));
        let sdk = SdkConfig::builder().endpoint_url("no url").build();
        let error = s3_endpoint(&sdk, "eu-central-1", "lake").unwrap_err();
        assert!(
            sluice_model::error_chain(&error).contains("the endpoint that the AWS environment names is no URL"),
            "{error}"
        );
        let sdk = SdkConfig::builder().endpoint_url("http://lake.example:9000").build();
        let error = s3_endpoint(&sdk, "eu-central-1", "lake").unwrap_err();
        assert!(sluice_model::error_chain(&error).contains("would send data over the network in the clear"), "{error}");
    }
}
