use std::sync::Arc;
use std::time::Duration;

use http::Method;
use object_store::aws::AwsCredential;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::client::{Account, Answer};
use crate::aws::{Action, Permissions};

async fn get(account: &Account, credential: &AwsCredential) -> Answer {
    account.request(Method::GET, "/bucket/key", credential).send().await
}

async fn put(account: &Account, target: &str, credential: &AwsCredential) -> Answer {
    account.request(Method::PUT, target, credential).body("text").send().await
}

#[tokio::test]
async fn the_users_own_keys_may_not_touch_the_bucket() {
    let account = Account::start().await;
    let answer = put(&account, "/bucket/key", &account.user()).await;
    assert_eq!(answer.status_and_code(), (403, "AccessDenied"));
    assert_eq!(
        answer.element("Message").replace("&quot;", "\""),
        "User: arn:aws:iam::123456789012:user/sluice is not authorized to perform: s3:PutObject on resource: \
         \"arn:aws:s3:::bucket/key\" because no identity-based policy allows the s3:PutObject action"
    );
    assert!(account.files().is_empty());
}

#[tokio::test]
async fn a_session_is_good_only_whole() {
    let account = Account::start().await;
    let (session, other) = (account.session().await, account.session().await);
    assert_eq!(get(&account, &session).await.status_and_code(), (404, "NoSuchKey"));

    let forged = "ASIAAAAAAAAAAAAAAAAA".to_owned();
    for (key_id, secret_key, token, expected) in [
        (&session.key_id, &session.secret_key, None, (403, "InvalidAccessKeyId")),
        (&session.key_id, &session.secret_key, other.token.as_ref(), (400, "InvalidToken")),
        (&session.key_id, &other.secret_key, session.token.as_ref(), (403, "SignatureDoesNotMatch")),
        (&forged, &session.secret_key, session.token.as_ref(), (403, "InvalidAccessKeyId")),
        (&account.user().key_id, &account.user().secret_key, session.token.as_ref(), (400, "InvalidToken")),
    ] {
        let (key_id, secret_key, token) = (key_id.clone(), secret_key.clone(), token.cloned());
        let pieced_together = AwsCredential { key_id, secret_key, token };
        assert_eq!(get(&account, &pieced_together).await.status_and_code(), expected);
    }

    let unsigned = reqwest::get(format!("{}/bucket/key", account.running.endpoint())).await.expect("an answer");
    assert_eq!(unsigned.status(), 403);
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    let account = Account::with(|options| options.session_lifetime = Some(Duration::from_millis(200))).await;
    let session = account.session().await;
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    let answer = loop {
        let answer = get(&account, &session).await;
        if answer.element("Code") != "NoSuchKey" || tokio::time::Instant::now() > deadline {
            break answer;
        }
    };
    assert_eq!(answer.status_and_code(), (400, "ExpiredToken"));
    assert_eq!(answer.element("Message"), "The provided token has expired.");
}

#[tokio::test]
async fn where_a_session_ends_the_next_one_goes_on() {
    let account = Account::start().await;
    let session = account.session().await;
    assert_eq!(put(&account, "/bucket/key", &session).await.status, 200);
    account.running.expire_sessions();
    assert_eq!(put(&account, "/bucket/key", &session).await.status_and_code(), (400, "ExpiredToken"));
    let renewed = account.session().await;
    assert_eq!(put(&account, "/bucket/key", &renewed).await.status, 200);
}

#[tokio::test]
async fn a_signature_for_another_region_or_service_is_refused() {
    let account = Account::with(|options| options.region = "eu-central-1".to_owned()).await;
    let session = account.session().await;
    let mut elsewhere = account.request(Method::GET, "/bucket/key", &session);
    elsewhere.region = "us-east-1";
    let answer = elsewhere.send().await;
    assert_eq!(answer.status_and_code(), (400, "AuthorizationHeaderMalformed"));
    assert!(answer.element("Message").contains("eu-central-1"));
    let mut for_sts = account.request(Method::GET, "/bucket/key", &session);
    for_sts.service = "sts";
    assert_eq!(for_sts.send().await.status_and_code(), (400, "AuthorizationHeaderMalformed"));

    let location = account.request(Method::GET, "/bucket?location", &session).send().await;
    assert!(location.body.contains(">eu-central-1</LocationConstraint>"), "{location:?}");
    let head = account.request(Method::HEAD, "/bucket", &session).send().await;
    assert_eq!((head.status, &head.headers["x-amz-bucket-region"]), (200, &"eu-central-1".parse().expect("a header")));
}

#[tokio::test]
async fn another_bucket_does_not_exist_for_reads_and_writes() {
    let account = Account::start().await;
    let session = account.session().await;
    assert_eq!(put(&account, "/another/key", &session).await.status_and_code(), (404, "NoSuchBucket"));
    let listing = account.request(Method::GET, "/another?list-type=2", &session).send().await;
    assert_eq!(listing.status_and_code(), (404, "NoSuchBucket"));

    std::fs::remove_dir(account.folder()).expect("removed");
    for target in ["/bucket/key", "/bucket/folder/key"] {
        assert_eq!(put(&account, target, &session).await.status_and_code(), (404, "NoSuchBucket"));
    }
    let begun = account.request(Method::POST, "/bucket/key?uploads", &session).send().await;
    assert_eq!(begun.status_and_code(), (404, "NoSuchBucket"));
    assert!(!account.folder().exists());
    assert_eq!(account.waiting(), 0);
}

#[tokio::test]
async fn an_action_that_is_not_allowed_is_named() {
    let account = Account::with(|options| options.permissions = Permissions::all().without(Action::PutObject)).await;
    let session = account.session().await;
    for (method, target) in [(Method::PUT, "/bucket/key"), (Method::POST, "/bucket/key?uploads")] {
        let answer = account.request(method, target, &session).send().await;
        assert_eq!(answer.status_and_code(), (403, "AccessDenied"));
        let message = answer.element("Message");
        assert!(message.contains("assumed-role/sluice-destination/test-run"), "{message}");
        assert!(message.contains("s3:PutObject") && message.contains("arn:aws:s3:::bucket/key"), "{message}");
    }
    assert_eq!(get(&account, &session).await.status, 404);
    assert!(account.files().is_empty());
}

#[tokio::test]
async fn who_may_not_list_does_not_learn_what_is_missing() {
    let account = Account::with(|options| options.permissions = Permissions::all().without(Action::ListBucket)).await;
    let session = account.session().await;
    assert_eq!(get(&account, &session).await.status_and_code(), (403, "AccessDenied"));
    assert_eq!(put(&account, "/bucket/key", &session).await.status, 200);
    assert_eq!(get(&account, &session).await.status, 200);
}

#[tokio::test]
async fn a_prefix_is_the_whole_world() {
    let account = Account::with(|options| options.permissions = Permissions::all().within("tables/")).await;
    std::fs::write(account.folder().join("foreign"), "text").expect("written");
    let session = Arc::new(account.session().await);
    let bucket = account.bucket_as(Arc::clone(&session), 0);
    let (inside, outside) = (Path::from("tables/inside"), Path::from("foreign"));

    bucket.put(&inside, "text".into()).await.expect("allowed");
    bucket.get(&outside).await.expect_err("another's object");
    bucket.copy(&outside, &Path::from("tables/copy")).await.expect_err("another's object");
    bucket.list_with_delimiter(Some(&Path::from("tables"))).await.expect("allowed");
    bucket.list_with_delimiter(None).await.expect_err("the whole bucket");

    // Of many keys to delete, each is judged on its own.
    let delete = "<Delete><Object><Key>foreign</Key></Object><Object><Key>tables/inside</Key></Object></Delete>";
    let answer = account.request(Method::POST, "/bucket?delete", &session).body(delete).send().await;
    assert_eq!(
        (answer.status_and_code(), answer.element("Deleted")),
        ((200, "AccessDenied"), "<Key>tables/inside</Key>")
    );
    assert_eq!(account.files(), ["foreign"]);
}
