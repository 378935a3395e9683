use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{StreamExt, TryStreamExt};
use http::Method;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion,
};
use s3s::crypto::{Checksum, Crc32, Md5, Sha256};
use tokio::io::AsyncWriteExt;

use super::client::Account;

fn create() -> PutOptions {
    PutOptions { mode: PutMode::Create, ..PutOptions::default() }
}

#[tokio::test]
async fn an_object_is_a_plain_file_and_reads_back_whole_and_in_part() {
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let key = Path::from("objects_contacts/run=1/part-0.parquet");
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "application/vnd.apache.parquet"),
        (Attribute::Metadata("run".into()), "1"),
    ]);
    let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
    let put = bucket.put_opts(&key, "0123456789".into(), options).await.expect("put");

    assert_eq!(account.files(), [key.as_ref()]);
    assert_eq!(std::fs::read(account.folder().join(key.as_ref())).expect("a file"), b"0123456789");
    let got = bucket.get(&key).await.expect("got");
    assert_eq!(got.attributes, attributes);
    assert_eq!(got.meta.e_tag, put.e_tag);
    assert_eq!(put.e_tag.expect("an ETag"), format!("\"{}\"", hex::encode(Md5::checksum(b"0123456789"))));
    assert_eq!(got.bytes().await.expect("bytes"), "0123456789");
    assert_eq!(bucket.get_range(&key, 3..6).await.expect("a range"), "345");
    let tail = GetOptions { range: Some(object_store::GetRange::Suffix(2)), ..GetOptions::default() };
    assert_eq!(bucket.get_opts(&key, tail).await.expect("a range").bytes().await.expect("bytes"), "89");
    assert_eq!(bucket.head(&key).await.expect("properties").size, 10);

    let beyond = GetOptions { range: Some(object_store::GetRange::Offset(10)), ..GetOptions::default() };
    bucket.get_opts(&key, beyond).await.expect_err("no such range");
    assert!(matches!(bucket.head(&Path::from("other")).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn an_object_may_be_empty() {
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let key = Path::from("empty");
    bucket.put(&key, "".into()).await.expect("put");
    assert_eq!(bucket.get(&key).await.expect("got").bytes().await.expect("bytes"), "");
    assert_eq!(bucket.head(&key).await.expect("properties").size, 0);
}

#[tokio::test]
async fn reads_may_depend_on_the_etag() {
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let key = Path::from("key");
    let etag = bucket.put(&key, "text".into()).await.expect("put").e_tag;
    let if_match = |etag| GetOptions { if_match: etag, ..GetOptions::default() };
    let if_none_match = |etag| GetOptions { if_none_match: etag, ..GetOptions::default() };

    bucket.get_opts(&key, if_match(etag.clone())).await.expect("the same");
    bucket.get_opts(&key, if_none_match(Some("\"other\"".to_owned()))).await.expect("another");
    let refused = bucket.get_opts(&key, if_match(Some("\"other\"".to_owned()))).await;
    assert!(matches!(refused, Err(Error::Precondition { .. })), "{refused:?}");
    let refused = bucket.get_opts(&key, if_none_match(etag)).await;
    assert!(matches!(refused, Err(Error::NotModified { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_put_may_depend_on_what_is_there() {
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let key = Path::from("commits/00001.json");
    let update = |etag: &str| {
        let version = UpdateVersion { e_tag: Some(etag.to_owned()), version: None };
        PutOptions { mode: PutMode::Update(version), ..PutOptions::default() }
    };

    let refused = bucket.put_opts(&key, "two".into(), update("\"none\"")).await;
    assert!(matches!(refused, Err(Error::Precondition { .. })), "{refused:?}");
    let first = bucket.put_opts(&key, "one".into(), create()).await.expect("nothing there").e_tag.expect("an ETag");
    let refused = bucket.put_opts(&key, "two".into(), create()).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "{refused:?}");
    bucket.put_opts(&key, "two".into(), update(&first)).await.expect("as it was read");
    let refused = bucket.put_opts(&key, "three".into(), update(&first)).await;
    assert!(matches!(refused, Err(Error::Precondition { .. })), "{refused:?}");
    assert_eq!(bucket.get(&key).await.expect("got").bytes().await.expect("bytes"), "two");
    assert_eq!(account.waiting(), 0);
}

/// What a commit is made of, over HTTP; `folder` has the same test without the network, many more times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_writers_of_one_key_one_wins() {
    const WRITERS: usize = 100;
    const ROUNDS: usize = 5;
    let account = Account::start().await;
    let bucket = Arc::new(account.bucket().await);
    for round in 0..ROUNDS {
        let key = Path::from(format!("commits/{round}.json"));
        let writers = (0..WRITERS).map(|writer| {
            let (bucket, key) = (Arc::clone(&bucket), key.clone());
            tokio::spawn(async move {
                match bucket.put_opts(&key, writer.to_string().into(), create()).await {
                    Ok(_) => Some(writer),
                    Err(Error::AlreadyExists { .. }) => None,
                    Err(error) => panic!("{error}"),
                }
            })
        });
        let outcomes = futures::future::try_join_all(writers).await.expect("no panic");
        let winners: Vec<usize> = outcomes.into_iter().flatten().collect();
        let stored = std::fs::read_to_string(account.folder().join(key.as_ref())).expect("a file");
        assert_eq!(winners.iter().map(usize::to_string).collect::<Vec<_>>(), [stored]);
    }
    assert_eq!((account.files().len(), account.waiting()), (ROUNDS, 0));
}

#[tokio::test]
async fn listings_have_pages_prefixes_and_folders() {
    const OBJECTS: usize = 2_001;
    let account = Account::start().await;
    std::fs::create_dir(account.folder().join("many")).expect("a folder");
    for number in 0..OBJECTS {
        std::fs::write(account.folder().join(format!("many/{number:04}")), "").expect("written");
    }
    let bucket = account.bucket().await;
    for key in ["many-more", "few/1", "few/2/3"] {
        bucket.put(&Path::from(key), "text".into()).await.expect("put");
    }

    let all: Vec<String> =
        bucket.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.expect("keys");
    let mut expected: Vec<String> = (0..OBJECTS).map(|number| format!("many/{number:04}")).collect();
    expected.splice(0..0, ["few/1", "few/2/3", "many-more"].map(String::from));
    assert_eq!(all, expected);
    let pages = account.running.requests().iter().filter(|request| request.query.contains("list-type=2")).count();
    assert_eq!(pages, 3);

    let offset = Path::from("many/1998");
    let rest: Vec<_> = bucket.list_with_offset(Some(&Path::from("many")), &offset).try_collect().await.expect("keys");
    assert_eq!(rest.iter().map(|meta| meta.location.as_ref()).collect::<Vec<_>>(), ["many/1999", "many/2000"]);

    let top = bucket.list_with_delimiter(None).await.expect("a listing");
    assert_eq!(top.common_prefixes, ["few", "many"].map(Path::from));
    assert_eq!(
        top.objects.iter().map(|meta| (meta.location.as_ref(), meta.size)).collect::<Vec<_>>(),
        [("many-more", 4)]
    );
    let few = bucket.list_with_delimiter(Some(&Path::from("few"))).await.expect("a listing");
    assert_eq!((few.common_prefixes, few.objects.len()), (vec![Path::from("few/2")], 1));
    let none = bucket.list_with_delimiter(Some(&Path::from("none"))).await.expect("a listing");
    assert_eq!((none.common_prefixes.len(), none.objects.len()), (0, 0));
}

#[tokio::test]
async fn what_is_deleted_leaves_no_empty_folder() {
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let keys = ["a/b/1", "a/b/2", "a/3", "4", "5"].map(Path::from);
    for key in &keys {
        bucket.put(key, "text".into()).await.expect("put");
    }
    let many = futures::stream::iter(keys[..3].to_vec()).map(Ok).boxed();
    let deleted: Vec<Path> = bucket.delete_stream(many).try_collect().await.expect("deleted");
    assert_eq!((deleted.as_slice(), account.files()), (&keys[..3], vec!["4".to_owned(), "5".to_owned()]));

    let session = account.session().await;
    for _ in 0..2 {
        let answer = account.request(Method::DELETE, "/bucket/4", &session).send().await;
        assert_eq!(answer.status, 204, "deleting what is not there is no error");
    }
    assert_eq!(account.files(), ["5"]);
}

#[tokio::test]
async fn a_copy_is_another_object_with_the_same_content() {
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let (from, to) = (Path::from("from"), Path::from("copies/to"));
    let etag = bucket.put(&from, "text".into()).await.expect("put").e_tag;
    bucket.copy(&from, &to).await.expect("copied");
    bucket.delete(&from).await.expect("deleted");
    let copy = bucket.get(&to).await.expect("got");
    assert_eq!(copy.meta.e_tag, etag);
    assert_eq!(copy.bytes().await.expect("bytes"), "text");
    assert!(matches!(bucket.copy(&from, &to).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_body_that_is_not_as_declared_leaves_nothing() {
    let account = Account::start().await;
    let session = account.session().await;
    let put = |name: &'static str, value: String| {
        account.request(Method::PUT, "/bucket/folder/key", &session).header(name, value).body("text").send()
    };
    let (right, wrong) = (b"text".as_slice(), b"other".as_slice());
    for (name, digest) in [
        ("content-md5", BASE64.encode(Md5::checksum(wrong))),
        ("x-amz-checksum-sha256", BASE64.encode(Sha256::checksum(wrong))),
        ("x-amz-checksum-crc32", BASE64.encode(Crc32::checksum(wrong))),
    ] {
        assert_eq!(put(name, digest).await.status_and_code(), (400, "BadDigest"), "{name}");
    }
    let mut mismatched = account.request(Method::PUT, "/bucket/folder/key", &session).body("text");
    let digest = hex::encode(Sha256::checksum(wrong));
    mismatched.content_sha256 = Some(&digest);
    assert_eq!(mismatched.send().await.status_and_code(), (400, "XAmzContentSHA256Mismatch"));
    assert_eq!((account.files(), account.waiting()), (vec![], 0));

    let answer = put("content-md5", BASE64.encode(Md5::checksum(right))).await;
    assert_eq!(answer.status, 200);
    let answer = put("x-amz-checksum-crc32", BASE64.encode(Crc32::checksum(right))).await;
    assert_eq!(answer.headers["x-amz-checksum-crc32"], BASE64.encode(Crc32::checksum(right)).as_str());
}

/// The AWS SDKs send streams in chunks, with the checksum behind the body.
#[tokio::test]
async fn a_stream_carries_its_checksum_behind_it() {
    let account = Account::start().await;
    let session = account.session().await;
    let put = |trailer: String| {
        let mut request = account
            .request(Method::PUT, "/bucket/key", &session)
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", "11")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .body(format!("5\r\nhello\r\n6\r\n world\r\n0\r\n{trailer}\r\n"));
        request.content_sha256 = Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        request.send()
    };
    let trailer = |text: &[u8]| format!("x-amz-checksum-crc32:{}\r\n", BASE64.encode(Crc32::checksum(text)));

    let answer = put(trailer(b"hello, world")).await;
    assert_eq!(answer.status_and_code(), (400, "BadDigest"));
    let answer = put(String::new()).await;
    assert_eq!(answer.status_and_code(), (400, "MalformedTrailerError"));
    assert!(account.files().is_empty());
    let answer = put(trailer(b"hello world")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(std::fs::read(account.folder().join("key")).expect("a file"), b"hello world");
    let got = account.request(Method::GET, "/bucket/key", &session).send().await;
    assert_eq!((got.body.as_str(), got.headers.get("content-encoding")), ("hello world", None));
}

/// A client that dies in the middle of a put: the connection ends before the body does.
#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let account = Account::start().await;
    let session = account.session().await;
    // The head of a request whose signature is good, sent by hand with a part of its body.
    let head = account.request(Method::PUT, "/bucket/key", &session).body("0123456789").head();
    let address = account.running.endpoint().replace("http://", "");
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
    connection.write_all(head.as_bytes()).await.expect("sent");
    connection.write_all(b"01234").await.expect("sent");
    let waits_for = async |files| {
        while account.waiting() != files {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, waits_for(1)).await.expect("the first bytes arrive");
    drop(connection);
    tokio::time::timeout(limit, waits_for(0)).await.expect("they are thrown away");
    assert!(account.files().is_empty());
}

#[tokio::test]
async fn a_key_cannot_leave_the_bucket() {
    let account = Account::start().await;
    let session = account.session().await;
    for target in
        ["/bucket/..%2Fescaped", "/bucket/a/..%2F..%2Fescaped", "/bucket/%2Ftmp%2Fescaped", "/bucket/a%2F%2Fb"]
    {
        let answer = account.request(Method::PUT, target, &session).body("text").send().await;
        assert_eq!(answer.status_and_code(), (400, "InvalidArgument"), "{target}");
    }
    assert!(account.files().is_empty());
    assert_eq!(
        std::fs::read_dir(&account.options.root).expect("a folder").count(),
        2,
        "the bucket and the work folder"
    );
}

#[tokio::test]
async fn encryption_that_was_asked_for_is_answered() {
    let account = Account::start().await;
    let session = account.session().await;
    let put = account.request(Method::PUT, "/bucket/key", &session).body("text");
    let answer = put.header("x-amz-server-side-encryption", "aws:kms").send().await;
    assert_eq!(answer.headers["x-amz-server-side-encryption"], "aws:kms");
    let head = account.request(Method::HEAD, "/bucket/key", &session).send().await;
    assert_eq!(head.headers["x-amz-server-side-encryption"], "aws:kms");
}

#[tokio::test]
async fn objects_outlive_the_server_and_sessions_do_not() {
    let account = Account::start().await;
    let session = Arc::new(account.session().await);
    account.bucket_as(Arc::clone(&session), 0).put(&Path::from("a/key"), "text".into()).await.expect("put");
    let account = account.restarted().await;
    let bucket = account.bucket().await;
    assert_eq!(bucket.get(&Path::from("a/key")).await.expect("got").bytes().await.expect("bytes"), "text");
    let refused = bucket.put_opts(&Path::from("a/key"), "other".into(), create()).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "{refused:?}");
    let old = account.request(Method::GET, "/bucket/a/key", &session).send().await;
    assert_eq!(old.status_and_code(), (403, "InvalidAccessKeyId"));
}

#[tokio::test]
async fn a_readers_object_stays_whole_while_it_is_replaced() {
    const SIZE: usize = 4 * 1024 * 1024;
    let account = Account::start().await;
    let bucket = account.bucket().await;
    let key = Path::from("key");
    bucket.put(&key, vec![b'a'; SIZE].into()).await.expect("put");
    let reading = bucket.get(&key).await.expect("got");
    bucket.put(&key, vec![b'b'; 10].into()).await.expect("replaced");
    let read = reading.bytes().await.expect("bytes");
    assert!(read.len() == SIZE && read.iter().all(|byte| *byte == b'a'));
    bucket.delete(&key).await.expect("deleted");
    assert_eq!((account.files(), account.waiting()), (vec![], 0));
}

#[tokio::test]
async fn what_is_not_simulated_says_so() {
    let account = Account::start().await;
    let session = account.session().await;
    for target in ["/bucket?acl", "/bucket/key?tagging", "/bucket?policy", "/"] {
        let answer = account.request(Method::GET, target, &session).send().await;
        assert_eq!(answer.status_and_code(), (501, "NotImplemented"), "{target}");
    }
}
