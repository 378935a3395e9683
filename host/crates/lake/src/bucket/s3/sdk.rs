//! The AWS SDK's client of the same bucket, for what the object store's own does not ask.

use std::sync::Arc;

use aws_config::{Region, SdkConfig};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use aws_sdk_s3::Client;
use url::Url;

use crate::bucket::identity::Renewed;

/// A client that signs with the same credentials and asks at the same place.
pub(super) fn client(
    sdk: &SdkConfig,
    region: &str,
    endpoint: &Url,
    path_style: bool,
    credentials: &Arc<Renewed>,
) -> Client {
    let config = aws_sdk_s3::config::Builder::from(sdk)
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint.as_str())
        .force_path_style(path_style)
        .credentials_provider(Signing(Arc::clone(credentials)));
    Client::from_conf(config.build())
}

#[derive(Debug)]
struct Signing(Arc<Renewed>);

impl ProvideCredentials for Signing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let held = self.0.current().await.map_err(CredentialsError::provider_error)?;
            Ok(Credentials::new(&held.key_id, &held.secret_key, held.token.clone(), None, "sluice"))
        })
    }
}
