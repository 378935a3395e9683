//! What was asked of the server: the record that tests read.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Method, Uri, header};

/// How many requests are remembered; the oldest are forgotten first. A demo makes a few hundred, a long simulation must not
/// grow without end.
const REMEMBERED_REQUESTS: usize = 10_000;

/// The two services behind the one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// The bucket.
    S3,
    /// The Security Token Service: `POST /`.
    Sts,
}

/// One request, as it came in and as it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Which service it was for.
    pub service: Service,
    /// The HTTP method.
    pub method: Method,
    /// The bucket, decoded; empty for requests to STS.
    pub bucket: String,
    /// The key, decoded; empty where the request is about the bucket.
    pub key: String,
    /// The query as it was sent, without the question mark; empty if there was none.
    pub query: String,
    /// Whose signature it carries, whether it was good or not; `None` for an unsigned request.
    pub access_key_id: Option<String>,
    /// The HTTP status of the answer; `None` where a fault cut the connection instead.
    pub status: Option<u16>,
}

impl RequestRecord {
    /// The request that these heads of it describe, not yet answered.
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = percent_decoded(uri.path().trim_start_matches('/'));
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let service = if path.is_empty() && *method == Method::POST { Service::Sts } else { Service::S3 };
        Self {
            service,
            method: method.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            access_key_id: Scope::of(headers).map(|scope| scope.access_key_id),
            status: None,
        }
    }
}

/// The newest requests, in the order of their answers.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    records: Mutex<VecDeque<RequestRecord>>,
}

impl RequestLog {
    pub(super) fn push(&self, record: RequestRecord) {
        let mut records = self.records();
        if records.len() == REMEMBERED_REQUESTS {
            records.pop_front();
        }
        records.push_back(record);
    }

    pub(super) fn all(&self) -> Vec<RequestRecord> {
        self.records().iter().cloned().collect()
    }

    fn records(&self) -> MutexGuard<'_, VecDeque<RequestRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a signature says it is for: the `Credential` of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) access_key_id: String,
    pub(super) region: String,
    pub(super) service: String,
}

impl Scope {
    /// `None` where there is no such header, or another form of it.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (_, credential) = authorization.split_once("Credential=")?;
        let mut parts = credential.split(',').next()?.trim().split('/').map(str::to_owned);
        let (access_key_id, _date, region, service) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Some(Self { access_key_id, region, service })
    }
}

/// The decoder of forms, with the three letters that mean something else in a form than in a path out of its way.
fn percent_decoded(path: &str) -> String {
    let form = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(form.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_from_a_signature() {
        let mut headers = HeaderMap::new();
        assert_eq!(Scope::of(&headers), None);
        let signature =
            "AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=00";
        headers.insert(header::AUTHORIZATION, signature.parse().expect("a header"));
        let scope = Scope::of(&headers).expect("a scope");
        assert_eq!((&*scope.access_key_id, &*scope.region, &*scope.service), ("AKIA", "eu-west-1", "s3"));
    }

    #[test]
    fn a_path_is_split_and_decoded() {
        let uri = "/bucket/a+b/run%3D1/%C3%A9=&?uploadId=7".parse().expect("a URI");
        let record = RequestRecord::of(&Method::POST, &uri, &HeaderMap::new());
        assert_eq!((&*record.bucket, &*record.key, &*record.query), ("bucket", "a+b/run=1/é=&", "uploadId=7"));
        assert_eq!(record.service, Service::S3);
        assert_eq!(RequestRecord::of(&Method::POST, &Uri::default(), &HeaderMap::new()).service, Service::Sts);
    }

    #[test]
    fn the_log_forgets_the_oldest_first() {
        let log = RequestLog::default();
        for number in 0..=REMEMBERED_REQUESTS {
            let uri = format!("/bucket/{number}").parse().expect("a URI");
            log.push(RequestRecord::of(&Method::PUT, &uri, &HeaderMap::new()));
        }
        let records = log.all();
        assert_eq!(records.len(), REMEMBERED_REQUESTS);
        assert_eq!((&*records[0].bucket, &*records[0].key), ("bucket", "1"));
    }
}
