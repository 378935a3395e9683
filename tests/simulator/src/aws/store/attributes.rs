//! The headers that S3 keeps with an object and gives back with it.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue,
};

const KEPT: [HeaderName; 5] = [CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE];
const KEPT_PREFIXES: [&str; 2] = ["x-amz-meta-", ENCRYPTION_PREFIX];
/// `x-amz-server-side-encryption` itself and its companions. Nothing is encrypted; clients check that they are answered.
const ENCRYPTION_PREFIX: &str = "x-amz-server-side-encryption";
/// How an upload was framed on its way is no property of the object.
const FRAMING: &str = "aws-chunked";

/// What of the headers of a put stays with the object.
pub(super) fn kept(request: &HeaderMap) -> HeaderMap {
    let mut kept = filtered(request, |name| {
        KEPT.contains(name) || KEPT_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
    });
    if let Some(encoding) = kept.remove(CONTENT_ENCODING) {
        let rest: Vec<&str> = encoding.to_str().unwrap_or_default().split(',').map(str::trim).collect();
        let rest = rest.into_iter().filter(|name| !name.is_empty() && *name != FRAMING).collect::<Vec<_>>().join(",");
        if let Ok(rest) = rest.parse::<HeaderValue>()
            && !rest.is_empty()
        {
            kept.insert(CONTENT_ENCODING, rest);
        }
    }
    kept
}

/// What of an object's headers also stands in the answer to the put.
pub(super) fn answered(kept: &HeaderMap) -> HeaderMap {
    filtered(kept, |name| name.as_str().starts_with(ENCRYPTION_PREFIX))
}

fn filtered(headers: &HeaderMap, keep: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    headers.iter().filter(|(name, _)| keep(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_object_is_kept_and_the_rest_is_not() {
        let request: HeaderMap = [
            ("content-type", "application/json"),
            ("content-encoding", "aws-chunked,gzip"),
            ("x-amz-meta-run", "7"),
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-security-token", "token"),
            ("content-length", "12"),
        ]
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect();
        let kept = kept(&request);
        assert_eq!(kept.len(), 4);
        assert_eq!(kept[CONTENT_ENCODING], "gzip");
        assert_eq!(answered(&kept).len(), 1);
    }
}
