//! Where S3 is asked for: the region, and the address in it.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use url::Url;

use crate::bucket::{
    cause::Cause,
    error::BucketError,
    partition::Partition,
    settings::{Credentials, S3Settings},
};

/// The bucket's region: that of the settings, which the environment was asked with, or the environment's own.
pub(super) fn region(sdk: &SdkConfig, bucket: &str) -> Result<String, BucketError> {
    let region = sdk.region().ok_or_else(|| BucketError::NoRegion { bucket: bucket.to_owned() })?;
    Ok(region.as_ref().to_owned())
}

/// The address of S3: that of the settings, or what the AWS environment says for the region.
pub(super) fn of(sdk: &SdkConfig, region: &str, settings: &S3Settings) -> Result<Url, BucketError> {
    match &settings.endpoint {
        Some(endpoint) => Ok(endpoint.clone()),
        None => of_environment(sdk, region, &settings.bucket),
    }
}

/// Refuses an address of STS in the AWS environment at which sessions would come over the network in the clear: that of the
/// role, unless the settings say another, and that of roles of the credential chain. Where STS is asked for otherwise, the AWS
/// SDK knows.
pub(super) fn check_sts(sdk: &SdkConfig, settings: &S3Settings) -> Result<(), BucketError> {
    let of_the_settings = settings.role.as_ref().is_none_or(|role| role.sts_endpoint.is_some())
        && matches!(settings.credentials, Credentials::Static { .. });
    match configured(sdk, "STS").filter(|_| !of_the_settings) {
        Some(text) => usable(&text, "the endpoint of STS that the AWS environment names", &settings.bucket).map(drop),
        None => Ok(()),
    }
}

/// Where S3 is asked for unless the settings say: by the rules by which the AWS SDK finds STS. Without an endpoint in the
/// environment, AWS's own in the region, in its partition's domain.
fn of_environment(sdk: &SdkConfig, region: &str, bucket: &str) -> Result<Url, BucketError> {
    if let Some(text) = configured(sdk, "S3") {
        return usable(&text, "the endpoint that the AWS environment names", bucket);
    }
    let fips = if sdk.use_fips().unwrap_or_default() { "-fips" } else { "" };
    let dual_stack = if sdk.use_dual_stack().unwrap_or_default() { ".dualstack" } else { "" };
    let text = format!("https://s3{fips}{dual_stack}.{region}.{}", Partition::of(region).domain);
    usable(&text, "the region's endpoint", bucket)
}

/// The endpoint of a service that the AWS environment names: `AWS_ENDPOINT_URL_<SERVICE>`, then `AWS_ENDPOINT_URL`, or the
/// same of the profile.
fn configured(sdk: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service = key.ok().and_then(|key| sdk.service_config()?.load_config(key));
    of_service.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

fn usable(text: &str, what: &str, bucket: &str) -> Result<Url, BucketError> {
    let unusable = |why: &str| BucketError::Settings {
        location: format!("s3://{bucket}"),
        source: Cause::new(format!("{what} {why}")),
    };
    let endpoint = Url::parse(text).map_err(|error| unusable(&format!("is no URL: {error}")))?;
    if endpoint.scheme() != "https" && !sluice_net::proxy::is_loopback(&endpoint) {
        return Err(unusable(
            "would send data over the network in the clear: `http://` is for servers on this machine",
        ));
    }
    Ok(endpoint)
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
            assert_eq!(of_environment(&sdk, region, "lake").unwrap().host_str(), Some(host));
        }
        let sdk = SdkConfig::builder().use_fips(true).use_dual_stack(true).build();
        let host = "s3-fips.dualstack.us-gov-west-1.amazonaws.com";
        assert_eq!(of_environment(&sdk, "us-gov-west-1", "lake").unwrap().host_str(), Some(host));
        let sdk = SdkConfig::builder().endpoint_url("no url").build();
        let error = of_environment(&sdk, "eu-central-1", "lake").unwrap_err();
        assert!(
            sluice_model::error_chain(&error).contains("the endpoint that the AWS environment names is no URL"),
            "{error}"
        );
        let sdk = SdkConfig::builder().endpoint_url("http://lake.example:9000").build();
        let error = of_environment(&sdk, "eu-central-1", "lake").unwrap_err();
        assert!(sluice_model::error_chain(&error).contains("would send data over the network in the clear"), "{error}");
    }
}
