//! Keys that the object store's client cannot read: whoever may put objects into a bucket chooses them.

use super::*;
use crate::bucket::Entry;

const ODD: [&str; 9] = [
    "_sluice/leases//x.json",
    "_sluice/leases/../x.json",
    "_sluice/leases/./x.json",
    "_sluice/leases/a&#10;b.json",
    "_sluice/leases/a\nb.json",
    "_sluice/leases/&#x1;.json",
    "_sluice/leases/&#x1B;[2J&amp;.json",
    "_sluice/leases/\u{7f}.json",
    "_sluice/leases/\u{1}.json",
];

fn page(keys: impl IntoIterator<Item = String>, folders: &[&str]) -> String {
    let contents = keys.into_iter().map(|key| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-23T20:15:00.000Z</LastModified><ETag>&quot;0&quot;</ETag>\
             <Size>4</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    });
    let folders = folders.iter().map(|name| format!("<CommonPrefixes><Prefix>{name}/</Prefix></CommonPrefixes>"));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>lake</Name><Prefix></Prefix>\
         <IsTruncated>false</IsTruncated>{}{}</ListBucketResult>",
        contents.collect::<String>(),
        folders.collect::<String>()
    )
}

#[tokio::test]
async fn keys_that_no_client_can_read_fail_no_list() {
    let server = serve(|_| {
        let odd = ODD.map(str::to_owned);
        let good = ["_sluice/leases/crm/a&amp;b.json".to_owned(), "contacts/x".to_owned()];
        (200, page(odd.into_iter().chain(good), &["a&#10;b", "contacts", "", ".."]))
    })
    .await;
    let bucket = Bucket::open(&Settings::S3(S3Settings { prefix: String::new(), ..server.settings() })).await.unwrap();
    let entry = |key: &str| Entry { key: key.to_owned(), bytes: 4 };
    let expected = [entry("_sluice/leases/crm/a&b.json"), entry("contacts/x")];
    assert_eq!(bucket.list("").await.unwrap(), expected);
    assert_eq!(bucket.list_after("", "_", 9).await.unwrap(), expected);
    assert_eq!(bucket.folders().await.unwrap(), ["contacts"]);
}

#[tokio::test]
async fn a_key_that_ends_like_a_folder_is_not_taken_for_the_file_that_is_called_so() {
    let server = serve(|_| (200, page(["contacts/x/".to_owned(), "/contacts/y".to_owned()], &[]))).await;
    let bucket = Bucket::open(&Settings::S3(S3Settings { prefix: String::new(), ..server.settings() })).await.unwrap();
    assert_eq!(bucket.list("").await.unwrap(), []);
}
