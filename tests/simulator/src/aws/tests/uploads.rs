use std::collections::BTreeSet;

use http::Method;
use object_store::aws::AwsCredential;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, WriteMultipart};

use super::client::{Account, Answer};

/// The least that S3 takes for a part that is not the last.
const PART: usize = 5 * 1024 * 1024;

/// Begins an upload of `key` by hand; its id.
async fn begin(account: &Account, key: &str, session: &AwsCredential) -> String {
    let begun = account.request(Method::POST, &format!("/bucket/{key}?uploads"), session).send().await;
    begun.element("UploadId").to_owned()
}

async fn part(account: &Account, key: &str, id: &str, number: usize, text: &str, session: &AwsCredential) -> Answer {
    let target = format!("/bucket/{key}?partNumber={number}&uploadId={id}");
    account.request(Method::PUT, &target, session).body(text).send().await
}

/// Completes the upload with parts of these numbers and `ETag`s.
async fn complete(
    account: &Account,
    key: &str,
    id: &str,
    parts: &[(usize, &str)],
    only_if_absent: bool,
    session: &AwsCredential,
) -> Answer {
    let parts: Vec<String> = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat());
    let target = format!("/bucket/{key}?uploadId={id}");
    let mut request = account.request(Method::POST, &target, session).body(body);
    if only_if_absent {
        request = request.header("if-none-match", "*");
    }
    request.send().await
}

fn etag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_large_object_streams_in_by_parts() {
    const SIZE: usize = 4 * PART + 12_345;
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let key = Path::from("table/part-0.parquet");
    let content: Vec<u8> = (0..SIZE).map(|at| (at * 31 / 7) as u8).collect();

    let mut writer = WriteMultipart::new(bucket.put_multipart(&key).await.expect("begun"));
    for piece in content.chunks(1_000_003) {
        writer.wait_for_capacity(2).await.expect("capacity");
        writer.write(piece);
        assert!(account.files().is_empty(), "nothing is seen before the end");
    }
    assert_eq!(account.running.open_uploads()[0].key, key.as_ref());
    let put = writer.finish().await.expect("completed");

    assert!(put.e_tag.is_some_and(|etag| etag.ends_with("-5\"")));
    assert_eq!(bucket.get(&key).await.expect("got").bytes().await.expect("bytes"), content);
    assert_eq!(account.files(), [key.as_ref()]);
    assert_eq!((account.running.open_uploads(), account.waiting()), (vec![], 0));
}

/// An upload may take longer than a session lives; AWS ties it to the bucket, not to the session.
#[tokio::test]
async fn an_upload_goes_on_when_credentials_are_renewed() {
    let account = Account::start().await;
    let (bucket, credentials) = account.renewing_bucket().await;
    let key = Path::from("table/part-0.parquet");
    let mut upload = bucket.put_multipart(&key).await.expect("begun");
    upload.put_part(vec![1; PART].into()).await.expect("a part");

    account.running.expire_sessions();
    upload.put_part(vec![2; 10].into()).await.expect_err("the session has ended");
    credentials.replace(account.session().await);
    let mut upload = bucket.put_multipart(&key).await.expect("begun");
    upload.put_part(vec![1; PART].into()).await.expect("a part");
    account.running.expire_sessions();
    credentials.replace(account.session().await);
    upload.put_part(vec![2; 10].into()).await.expect("a part by the next session");
    upload.complete().await.expect("completed");

    assert_eq!(bucket.head(&key).await.expect("properties").size, PART as u64 + 10);
    let requests = account.running.requests();
    let last_upload = requests.iter().rev().find_map(|request| request.query.strip_prefix("uploadId="));
    let last_upload = last_upload.expect("an upload was completed");
    let keys: BTreeSet<_> = requests
        .iter()
        .filter(|request| request.query.contains(last_upload))
        .filter_map(|request| request.access_key_id.as_deref())
        .collect();
    assert_eq!(keys.len(), 2, "two sessions worked on the upload");
    assert_eq!(requests.iter().filter(|request| request.status == Some(400)).count(), 1);
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let mut upload = bucket.put_multipart(&Path::from("table/part-0")).await.expect("begun");
    upload.put_part(vec![0; 10].into()).await.expect("a part");
    assert_eq!((account.running.open_uploads()[0].parts, account.waiting()), (1, 1));
    let session = account.session().await;
    let listing = account.request(Method::GET, "/bucket?uploads&prefix=table%2F", &session).send().await;
    assert_eq!(listing.element("Key"), "table/part-0");
    let none = account.request(Method::GET, "/bucket?uploads&prefix=other", &session).send().await;
    assert_eq!((none.status, none.element("Key")), (200, ""));

    upload.abort().await.expect("aborted");
    assert_eq!((account.files(), account.running.open_uploads(), account.waiting()), (vec![], vec![], 0));
    let aborted = account.running.requests();
    assert!(aborted.iter().any(|request| request.method == Method::DELETE && request.status == Some(204)));
}

#[tokio::test]
async fn parts_are_checked_when_the_upload_is_completed() {
    let account = Account::start().await;
    let session = account.session().await;
    let id = begin(&account, "key", &session).await;
    let first = etag(&part(&account, "key", &id, 1, "first", &session).await);
    let second = etag(&part(&account, "key", &id, 2, "second", &session).await);
    let listing = account.request(Method::GET, &format!("/bucket/key?uploadId={id}"), &session).send().await;
    assert!(
        listing.body.contains("<PartNumber>2</PartNumber>") && listing.body.contains("<Size>6</Size>"),
        "{listing:?}"
    );

    for (parts, code) in [
        (vec![(1, &*first), (2, &*second)], "EntityTooSmall"),
        (vec![(2, &*second), (1, &*first)], "InvalidPartOrder"),
        (vec![(1, &*second)], "InvalidPart"),
        (vec![(3, &*second)], "InvalidPart"),
        (vec![], "MalformedXML"),
    ] {
        let answer = complete(&account, "key", &id, &parts, false, &session).await;
        assert_eq!(answer.status_and_code(), (400, code), "{parts:?}");
    }
    assert!(account.files().is_empty());
    assert_eq!(part(&account, "key", "none", 1, "x", &session).await.status_and_code(), (404, "NoSuchUpload"));
    assert_eq!(part(&account, "other", &id, 1, "x", &session).await.status_and_code(), (404, "NoSuchUpload"));
    assert_eq!(part(&account, "key", &id, 10_001, "x", &session).await.status_and_code(), (400, "InvalidArgument"));

    // A part that is sent again takes the place of the first one; the rest of the upload stays as it was.
    let again = etag(&part(&account, "key", &id, 1, "first, again", &session).await);
    let answer = complete(&account, "key", &id, &[(1, &again)], false, &session).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(std::fs::read_to_string(account.folder().join("key")).expect("a file"), "first, again");
    let answer = complete(&account, "key", &id, &[(1, &again)], false, &session).await;
    assert_eq!(answer.status_and_code(), (404, "NoSuchUpload"));
    assert_eq!(account.waiting(), 0);
}

#[tokio::test]
async fn completing_may_depend_on_there_being_nothing() {
    const UPLOADS: usize = 10;
    let account = Account::start().await;
    let session = account.session().await;
    let mut uploads = Vec::new();
    for number in 0..UPLOADS {
        let id = begin(&account, "key", &session).await;
        let etag = etag(&part(&account, "key", &id, 1, &number.to_string(), &session).await);
        uploads.push((id, etag));
    }
    let completions = uploads.iter().map(|(id, etag)| {
        let (account, session) = (&account, &session);
        async move { complete(account, "key", id, &[(1, etag)], true, session).await.status }
    });
    let statuses = futures::future::join_all(completions).await;

    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), UPLOADS - 1, "{statuses:?}");
    let winner = statuses.iter().position(|status| *status == 200).expect("a winner");
    assert_eq!(std::fs::read_to_string(account.folder().join("key")).expect("a file"), winner.to_string());
    assert_eq!(account.running.open_uploads().len(), UPLOADS - 1, "the others can still be completed or aborted");
    let (id, etag) = &uploads[(winner + 1) % UPLOADS];
    let answer = complete(&account, "key", id, &[(1, etag)], false, &session).await;
    assert_eq!(answer.status, 200);
}
