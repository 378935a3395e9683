//! The headers that a bucket's rules ask for.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use url::form_urlencoded;

use crate::bucket::settings::{Encryption, Rules};

/// The headers of a bucket's requests.
#[derive(Debug, Clone, Default)]
pub(in crate::bucket) struct Headers {
    /// Of all.
    always: HeaderMap,
    /// Of those that make an object: of a put, and of the beginning of an upload in parts.
    of_objects: HeaderMap,
}

/// A setting that no header can carry.
#[derive(Debug, thiserror::Error)]
#[error("`{setting}` holds characters that S3 cannot be sent")]
pub(in crate::bucket) struct NotAHeader {
    setting: &'static str,
}

impl Headers {
    pub(in crate::bucket) fn of(rules: &Rules) -> Result<Self, NotAHeader> {
        let mut headers = Self::default();
        if let Some(account) = &rules.expected_owner {
            add(&mut headers.always, "x-amz-expected-bucket-owner", account, "expected_bucket_owner")?;
        }
        if rules.requester_pays {
            add(&mut headers.always, "x-amz-request-payer", "requester", "requester_pays")?;
        }
        if let Some(acl) = &rules.acl {
            add(&mut headers.of_objects, "x-amz-acl", acl, "acl")?;
        }
        if !rules.tags.is_empty() {
            add(&mut headers.of_objects, "x-amz-tagging", &query(&rules.tags), "tags")?;
        }
        if let Some(encryption) = &rules.encryption {
            headers.add_encryption(encryption)?;
        }
        Ok(headers)
    }

    fn add_encryption(&mut self, encryption: &Encryption) -> Result<(), NotAHeader> {
        const SETTING: &str = "encryption";
        let (algorithm, key, bucket_key) = match encryption {
            Encryption::S3 => ("AES256", None, None),
            Encryption::Kms { key, bucket_key } => ("aws:kms", key.as_deref(), *bucket_key),
            Encryption::KmsInTwoLayers { key } => ("aws:kms:dsse", key.as_deref(), None),
        };
        let headers = &mut self.of_objects;
        add(headers, "x-amz-server-side-encryption", algorithm, SETTING)?;
        if let Some(key) = key {
            add(headers, "x-amz-server-side-encryption-aws-kms-key-id", key, SETTING)?;
        }
        if let Some(bucket_key) = bucket_key {
            let text = if bucket_key { "true" } else { "false" };
            add(headers, "x-amz-server-side-encryption-bucket-key-enabled", text, SETTING)?;
        }
        Ok(())
    }

    /// Those of every request, whatever it asks for.
    pub(in crate::bucket) fn of_all(&self) -> &HeaderMap {
        &self.always
    }

    /// Adds to a request's own headers.
    pub(super) fn add_to(&self, method: &Method, target: &Uri, own: &mut HeaderMap) {
        own.extend(self.always.clone());
        if makes_an_object(method, target) {
            own.extend(self.of_objects.clone());
        }
    }
}

fn add(headers: &mut HeaderMap, name: &'static str, value: &str, setting: &'static str) -> Result<(), NotAHeader> {
    let value = HeaderValue::from_str(value).map_err(|_| NotAHeader { setting })?;
    headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

fn query(tags: &BTreeMap<String, String>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(tags).finish()
}

/// A put of an object has no query, and that of a part has; an upload begins with a post whose query is `uploads`.
fn makes_an_object(method: &Method, target: &Uri) -> bool {
    let query = target.query().unwrap_or_default();
    match *method {
        Method::PUT => query.is_empty(),
        Method::POST => query == "uploads" || query == "uploads=",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_an_object_is_told_from_what_does_not() {
        for (method, target, makes) in [
            (Method::PUT, "http://x/b/k", true),
            (Method::POST, "http://x/b/k?uploads=", true),
            (Method::POST, "http://x/b/k?uploads", true),
            (Method::PUT, "http://x/b/k?partNumber=1&uploadId=u", false),
            (Method::POST, "http://x/b/k?uploadId=u", false),
            (Method::GET, "http://x/b/k", false),
            (Method::DELETE, "http://x/b/k", false),
        ] {
            assert_eq!(makes_an_object(&method, &target.parse().unwrap()), makes, "{method} {target}");
        }
    }

    #[test]
    fn what_no_header_can_carry_is_told() {
        let rules = Rules { acl: Some("a\nb".to_owned()), ..Rules::default() };
        assert_eq!(Headers::of(&rules).unwrap_err().to_string(), "`acl` holds characters that S3 cannot be sent");
    }
}
