//! What a bucket says of itself: where it is, whether it keeps old versions, how it encrypts, what it does with uploads that
//! nobody finished.
//!
//! A run needs none of it, so nothing here is a failure: where the identity may not ask, or the store has no answer, that is
//! what is told.

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        BucketLocationConstraint, BucketVersioningStatus, ExpirationStatus, LifecycleRule, ServerSideEncryption,
        ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    },
};
use futures::join;

use super::{Bucket, cause::Cause, location::Kind};

/// The region whose buckets have no location, and an old name that one region's buckets may still have.
const UNNAMED: &str = "us-east-1";
const EUROPE: (&str, &str) = ("EU", "eu-west-1");

/// What S3 answers where nothing is set, which is an answer.
const NOTHING_SET: [&str; 2] = ["NoSuchLifecycleConfiguration", "ServerSideEncryptionConfigurationNotFoundError"];

/// What a bucket says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The region that it is in.
    pub region: Known<String>,
    /// Whether it keeps what is removed or replaced.
    pub versioning: Known<Versioning>,
    /// How it encrypts what nobody says otherwise of, in words.
    pub encryption: Known<String>,
    /// After how many days it removes the parts of uploads under our prefix that nobody finished; `None` if it does not.
    pub unfinished: Known<Option<u32>>,
}

/// What is known of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T> {
    /// The bucket says so.
    Is(T),
    /// This permission is missing to ask.
    NotAllowed(&'static str),
    /// The store does not tell.
    NotTold,
}

/// Whether a bucket keeps what is removed or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// It never has.
    Off,
    /// It does.
    On,
    /// It does no more, and has what it kept before.
    Suspended,
}

impl Versioning {
    /// Whether the bucket may have versions that are not the newest.
    pub fn keeps(self) -> bool {
        self != Self::Off
    }
}

impl Facts {
    /// For people: a line each.
    pub fn lines(&self) -> Vec<String> {
        let versioning = |versioning: &Versioning| match versioning {
            Versioning::Off => "off".to_owned(),
            Versioning::On => "on: what is removed or replaced stays as an older version".to_owned(),
            Versioning::Suspended => "suspended: versions from before are still there".to_owned(),
        };
        let unfinished = |days: &Option<u32>| match days {
            Some(days) => format!("removed after {days} days"),
            None => "kept, and paid for, for ever".to_owned(),
        };
        vec![
            line("region", &self.region, Clone::clone),
            line("versioning", &self.versioning, versioning),
            line("default encryption", &self.encryption, Clone::clone),
            line("parts of unfinished uploads", &self.unfinished, unfinished),
        ]
    }
}

fn line<T>(what: &str, known: &Known<T>, words: impl Fn(&T) -> String) -> String {
    match known {
        Known::Is(value) => format!("{what}: {}", words(value)),
        Known::NotAllowed(action) => format!("{what}: not known: `{action}` is not allowed"),
        Known::NotTold => format!("{what}: not known: the store says nothing of it that can be read"),
    }
}

impl Bucket {
    /// What the bucket says of itself; `None` of a folder.
    pub async fn facts(&self) -> Option<Facts> {
        let (client, Kind::S3 { bucket, prefix, .. }) = (self.client()?, &self.location.kind) else { return None };
        // Boxed: the SDK's futures are thousands of bytes each.
        let (location, versioning, encryption, lifecycle) = join!(
            Box::pin(client.get_bucket_location().bucket(bucket).send()),
            Box::pin(client.get_bucket_versioning().bucket(bucket).send()),
            Box::pin(client.get_bucket_encryption().bucket(bucket).send()),
            Box::pin(client.get_bucket_lifecycle_configuration().bucket(bucket).send()),
        );
        let region = known("s3:GetBucketLocation", location, |answer| {
            region(answer.as_ref().and_then(|it| it.location_constraint()).map(BucketLocationConstraint::as_str))
        });
        let versioning =
            known("s3:GetBucketVersioning", versioning, |answer| match answer.and_then(|it| it.status().cloned()) {
                Some(BucketVersioningStatus::Enabled) => Versioning::On,
                Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
                _ => Versioning::Off,
            });
        let encryption = known("s3:GetEncryptionConfiguration", encryption, |answer| {
            let rules = answer.and_then(|it| it.server_side_encryption_configuration().cloned());
            encryption_in_words(rules.as_ref().map(ServerSideEncryptionConfiguration::rules).unwrap_or_default())
        });
        let unfinished = known("s3:GetLifecycleConfiguration", lifecycle, |answer| {
            answer.and_then(|it| days_of_unfinished(it.rules(), prefix))
        });
        Some(Facts { region, versioning, encryption, unfinished })
    }
}

/// What an answer comes to; `read` is given `None` where nothing is set.
fn known<T, O, E: ProvideErrorMetadata + std::error::Error + 'static>(
    action: &'static str,
    answer: Result<O, SdkError<E, HttpResponse>>,
    read: impl FnOnce(Option<O>) -> T,
) -> Known<T> {
    let error = match answer {
        Ok(answer) => return Known::Is(read(Some(answer))),
        Err(error) => error,
    };
    let refused = match &error {
        SdkError::ServiceError(refused) => Some((refused.raw().status().as_u16(), refused.err().code())),
        _ => None,
    };
    match refused {
        Some((_, Some(code))) if NOTHING_SET.contains(&code) => Known::Is(read(None)),
        Some((401 | 403, _)) => Known::NotAllowed(action),
        _ => {
            tracing::debug!(action, error = %Cause::of(&error), "the bucket does not tell");
            Known::NotTold
        }
    }
}

fn region(constraint: Option<&str>) -> String {
    match constraint {
        None | Some("") => UNNAMED.to_owned(),
        Some(name) if name == EUROPE.0 => EUROPE.1.to_owned(),
        Some(name) => name.to_owned(),
    }
}

fn encryption_in_words(rules: &[ServerSideEncryptionRule]) -> String {
    let Some((rule, default)) =
        rules.iter().find_map(|rule| Some((rule, rule.apply_server_side_encryption_by_default()?)))
    else {
        return "none".to_owned();
    };
    let key = default
        .kms_master_key_id()
        .map_or_else(|| "AWS's own key of the account".to_owned(), |key| format!("the key `{}`", Cause::said(key)));
    let bucket_key = if rule.bucket_key_enabled() == Some(true) { ", by a key of the bucket" } else { "" };
    match default.sse_algorithm() {
        ServerSideEncryption::Aes256 => "by S3, with keys of its own (SSE-S3)".to_owned(),
        ServerSideEncryption::AwsKms => format!("by KMS, with {key}{bucket_key} (SSE-KMS)"),
        ServerSideEncryption::AwsKmsDsse => format!("by KMS in two layers, with {key} (DSSE-KMS)"),
        other => format!("`{}`", Cause::said(other.as_str())),
    }
}

/// After how many days the first rule to do so removes the parts of unfinished uploads under a prefix.
fn days_of_unfinished(rules: &[LifecycleRule], prefix: &str) -> Option<u32> {
    let holds = rules.iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled && covers(rule, prefix));
    let days = holds.filter_map(|rule| rule.abort_incomplete_multipart_upload()?.days_after_initiation());
    days.filter_map(|days| u32::try_from(days).ok()).min()
}

/// Whether a rule holds for all that is under a prefix. A rule that asks for tags or sizes removes no parts.
fn covers(rule: &LifecycleRule, prefix: &str) -> bool {
    #[expect(deprecated, reason = "rules of before 2016 have the prefix there, and S3 still gives them back so")]
    let old = rule.prefix();
    let (filter, and) = (rule.filter(), rule.filter().and_then(|filter| filter.and()));
    let of_filter = filter.and_then(|filter| filter.prefix()).or(and.and_then(|and| and.prefix()));
    let ours = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let is_narrower = filter.is_some_and(|filter| {
        filter.tag().is_some()
            || filter.object_size_greater_than().is_some()
            || filter.object_size_less_than().is_some()
            || and.is_some_and(|and| {
                !and.tags().is_empty()
                    || and.object_size_greater_than().is_some()
                    || and.object_size_less_than().is_some()
            })
    });
    !is_narrower && ours.starts_with(of_filter.or(old).unwrap_or_default())
}

#[cfg(test)]
mod tests;
