//! Opening a bucket on S3 or on a store that speaks its protocol.

mod answers;
mod endpoint;
mod headers;
mod keys;
mod sdk;
mod signing;

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, Certificate, ClientOptions, HeaderValue, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, Checksum, S3ConditionalPut},
    client::{HttpClient, HttpConnector, ReqwestConnector},
};
use sluice_model::clock::Clock;
use url::Url;

use self::{answers::Reading, headers::Headers, signing::Signing};
use super::{
    authorities::Authorities,
    error::BucketError,
    identity::{self, Renewed},
    location::Location,
    settings::S3Settings,
};

/// How long one request may take, its body included: a part of [`PART_SIZE`](super::PART_SIZE) takes 67 s on a line of
/// 1 Mbit/s, the slowest that makes sense.
pub(in crate::bucket) const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);
/// How long it may take to connect: more than the three seconds after which a lost packet is sent again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is tried again at most: with the pauses below, which are some seconds each, the time is used up first.
const RETRIES: usize = 200;
/// The first pause before a request is tried again; S3's hiccups are over in less.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause; longer ones would only lengthen the run after S3 is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// By how much a pause may be longer than the one before it, which is drawn from all lengths up to that: at two, pauses would
/// be as long as the first for ever.
const PAUSE_GROWTH: f64 = 3.0;

/// This machine's own addresses, as a list of hosts that no proxy is asked for; one of `*` would leave out addresses.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// A bucket on S3, as its two clients see it.
pub(super) struct Opened {
    /// The object store's client, for all that a run does.
    pub(super) store: AmazonS3,
    /// The AWS SDK's, for what that one does not know.
    pub(super) client: aws_sdk_s3::Client,
    /// What both are signed with.
    pub(super) credentials: Arc<Renewed>,
    pub(super) location: Location,
}

/// Fetches credentials and makes the clients. Nothing is asked of S3 yet.
pub(super) async fn open(settings: &S3Settings, clock: Clock) -> Result<Opened, BucketError> {
    let authorities = Authorities::of_environment()?;
    let sdk = identity::environment(settings, authorities.as_ref()).await;
    let region = endpoint::region(&sdk, &settings.bucket)?;
    let endpoint = endpoint::of(&sdk, &region, settings)?;
    endpoint::check_sts(&sdk, settings)?;
    let location = Location::s3(&settings.bucket, &settings.prefix, &region);
    let headers = Headers::of(&settings.rules).map_err(|error| location.unusable(&error))?;
    let options = client_options(&endpoint, authorities.as_ref()).map_err(|error| location.unusable(&error))?;
    let credentials = identity::credentials(&sdk, settings.role.as_ref(), clock).await?;
    // A name with dots is not covered by the certificate for `*.s3.<region>.amazonaws.com`.
    let path_style = settings.path_style || settings.bucket.contains('.');
    let location = location.behind(sluice_net::proxy::of(&endpoint));
    let client = sdk::client(&sdk, &endpoint, path_style, Arc::clone(&credentials), &headers);
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.bucket)
        .with_region(&region)
        // Its client signs, each attempt of its own.
        .with_skip_signature(true)
        .with_virtual_hosted_style_request(!path_style)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Whose digest everything is signed with in any case. Buckets with an object lock take no put without one.
        .with_checksum_algorithm(Checksum::SHA256)
        // Deleting many objects in one request is what stores that are not AWS's most often lack.
        .with_disable_bulk_delete(true)
        .with_client_options(options)
        .with_http_connector(Connector { credentials: Arc::clone(&credentials), region, headers })
        .with_retry(retries(settings.patience))
        .with_endpoint(address(&endpoint, &settings.bucket, path_style));
    let store = builder.build().map_err(|error| location.unusable(&error))?;
    Ok(Opened { store, client, credentials, location })
}

/// Makes the object store's own client, which signs what it sends and reads what is answered.
#[derive(Debug)]
struct Connector {
    credentials: Arc<Renewed>,
    region: String,
    headers: Headers,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        sluice_net::tls::set_up();
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Signing {
            client: HttpClient::new(Reading::of(client)),
            credentials: Arc::clone(&self.credentials),
            region: self.region.clone(),
            headers: self.headers.clone(),
        }))
    }
}

fn client_options(endpoint: &Url, authorities: Option<&Authorities>) -> object_store::Result<ClientOptions> {
    let plain = endpoint.scheme() == "http";
    let trusted = authorities.map(|authorities| Certificate::from_pem_bundle(authorities.pem())).transpose()?;
    let options = trusted.into_iter().flatten().fold(ClientOptions::new(), ClientOptions::with_root_certificate);
    let options = if sluice_net::proxy::is_loopback(endpoint) {
        // A proxy that is given keeps the client from those of the environment; no request goes through this one.
        options.with_proxy_url(endpoint.as_str()).with_proxy_excludes(LOOPBACK)
    } else {
        options
    };
    Ok(options
        .with_user_agent(HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))))
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_allow_http(plain))
}

fn retries(patience: Duration) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: PAUSE_GROWTH },
        max_retries: RETRIES,
        retry_timeout: patience,
    }
}

/// The endpoint as the object store wants it: with the bucket in the host name, unless it goes into the path.
fn address(endpoint: &Url, bucket: &str, path_style: bool) -> String {
    let mut address = endpoint.clone();
    if !path_style && let Some(host) = endpoint.host_str() {
        // An endpoint whose host cannot take a label in front (an IP address) keeps its host, and S3 will say so.
        let with_bucket = format!("{bucket}.{host}");
        if address.set_host(Some(&with_bucket)).is_err() {
            return endpoint.to_string();
        }
    }
    address.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests;
