//! The rule by which a bucket removes what uploads that were cut short have left: nobody else can see it.

use serde_json::{Value, json};

/// Days after which an upload is taken for cut short: more than any run takes.
const DAYS: u64 = 7;

/// A bucket's lifecycle configuration that ends unfinished uploads under a prefix, in the form that
/// `aws s3api put-bucket-lifecycle-configuration` takes.
pub fn end_unfinished_uploads(prefix: &str) -> Value {
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    json!({
        "Rules": [{
            "ID": "sluice-unfinished-uploads",
            "Status": "Enabled",
            "Filter": { "Prefix": prefix },
            "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": DAYS },
        }],
    })
}
