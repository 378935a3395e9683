//! Identity: who we are to AWS, from the chain or from fixed keys, and as which role.
//!
//! The AWS SDK's own chain finds the base credentials (environment, profile, SSO, web identity, process, container,
//! instance), so whatever works for the AWS command line works here. A role is assumed on top of them ([`role`]).
//! Both kinds of credentials end, and runs are longer: [`renew`] keeps them fresh. Every attempt of a request to S3
//! asks it for credentials before it is signed.

mod chain;
mod connection;
mod error;
mod renew;
mod role;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use jiff::Timestamp;
use object_store::aws::AwsCredential;
use sluice_model::clock::Clock;

pub use self::error::IdentityError;
pub(super) use self::renew::Renewed;
use self::{
    renew::{Issued, Issuer},
    role::AssumedRole,
};
use super::{
    authorities::Authorities,
    cause::Cause,
    settings::{Credentials, Role, S3Settings},
};

/// How long one attempt to reach STS (or wherever credentials come from) may take. Answers come within a second; a minute
/// covers a slow proxy and still fits, with its repetitions, into the time before credentials end.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);
/// How often such a request is tried, with the SDK's own pauses between. Enough for a hiccup; what is longer is bridged by
/// the credentials in hand.
const ATTEMPTS: u32 = 3;

/// Asks the AWS environment for what the settings leave open.
pub(super) async fn environment(settings: &S3Settings, authorities: Option<&Authorities>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(connection::client(authorities))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Ok(name) = AppName::new(env!("CARGO_PKG_NAME")) {
        loader = loader.app_name(name);
    }
    if let Some(dual_stack) = settings.dual_stack {
        loader = loader.use_dual_stack(dual_stack);
    }
    if let Some(fips) = settings.fips {
        loader = loader.use_fips(fips);
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

/// Assumes the role, if there is one, on top of the base credentials, and fetches the first credentials.
pub(super) async fn credentials(
    sdk: &SdkConfig,
    role: Option<&Role>,
    clock: Clock,
) -> Result<Arc<Renewed>, IdentityError> {
    let none = || IdentityError::None { source: Cause::new("the environment offers no way to get any") };
    let base = Base { provider: sdk.credentials_provider().ok_or_else(none)?, clock: clock.clone() };
    let issuer: Box<dyn Issuer> = match role {
        None => Box::new(base),
        Some(role) => {
            // Asked once ahead of STS, so that missing credentials are not taken for a refused role.
            base.issue().await?;
            Box::new(AssumedRole::new(sdk, role.clone(), clock.clone()))
        }
    };
    let credentials = Arc::new(Renewed::new(issuer, clock));
    credentials.current().await?;
    Ok(credentials)
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
