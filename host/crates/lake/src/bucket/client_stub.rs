//! A stand-in for the AWS SDK's client of a bucket, to be replaced by the bucket's own.

use aws_sdk_s3::{Client, config::Builder};

use super::{identity, settings::S3Settings};

/// Makes a client of the settings' endpoint and base credentials.
pub(super) async fn client(settings: &S3Settings) -> Client {
    let sdk = identity::environment(settings).await;
    let mut config = Builder::from(&sdk).force_path_style(settings.path_style);
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}
