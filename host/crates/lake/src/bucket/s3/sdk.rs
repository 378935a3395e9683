//! The AWS SDK's own client of a bucket, for what the object store does not know: what a bucket is, and old versions of objects.
//!
//! It has the endpoint, credentials, headers and connections of the bucket, so that what it is told holds for it.

use std::{sync::Arc, time::SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, ConfigBag, Intercept, RuntimeComponents, SharedCredentialsProvider,
        interceptors::BeforeTransmitInterceptorContextMut,
    },
    error::BoxError,
};
use http::HeaderMap;
use url::Url;

use super::headers::Headers;
use crate::bucket::identity::Renewed;

/// Makes the client.
pub(super) fn client(
    sdk: &SdkConfig,
    endpoint: &Url,
    path_style: bool,
    credentials: Arc<Renewed>,
    headers: &Headers,
) -> Client {
    let config = Builder::from(sdk)
        // The endpoint says both already, and the SDK takes no endpoint beside them.
        .use_fips(false)
        .use_dual_stack(false)
        .endpoint_url(endpoint.as_str())
        .force_path_style(path_style)
        .credentials_provider(SharedCredentialsProvider::new(OfTheBucket(credentials)))
        .interceptor(Adding(headers.of_all().clone()));
    Client::from_conf(config.build())
}

#[derive(Debug)]
struct OfTheBucket(Arc<Renewed>);

impl ProvideCredentials for OfTheBucket {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let found = self.0.current().await.map_err(CredentialsError::provider_error)?;
            Ok(aws_credential_types::Credentials::new(
                &found.key_id,
                &found.secret_key,
                found.token.clone(),
                // So that they are asked for anew with each request: who gives them knows when they end.
                Some(SystemTime::now()),
                "bucket",
            ))
        })
    }
}

/// Adds headers to each request.
#[derive(Debug)]
struct Adding(HeaderMap);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Adding {
    fn name(&self) -> &'static str {
        "headers of the bucket's rules"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        for (name, value) in &self.0 {
            headers.try_insert(name.as_str().to_owned(), value.to_str()?.to_owned())?;
        }
        Ok(())
    }
}
