use std::time::{Duration, SystemTime};

use aws_sdk_sts::error::ProvideErrorMetadata;
use http::Method;
use object_store::aws::AwsCredential;

use super::client::Account;

/// What STS answers to `AssumeRole` with these parameters: the code and the message of the refusal.
async fn refusal(account: &Account, role_arn: &str, external_id: Option<&str>) -> (String, String) {
    let sts = account.sts(account.user());
    let request = sts.assume_role().role_arn(role_arn).role_session_name("test-run");
    let refused = request.set_external_id(external_id.map(str::to_owned)).send().await.expect_err("a refusal");
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(refused.code()), text(refused.message()))
}

#[tokio::test]
async fn the_role_is_given_for_the_right_external_id() {
    let account = Account::start().await;
    let sts = account.sts(account.user());
    let request = sts.assume_role().role_arn(&account.options.role_arn).role_session_name("run-1");
    let answer = request.external_id(&account.options.external_id).duration_seconds(1_800).send().await.expect("given");

    let credentials = answer.credentials().expect("credentials");
    assert!(credentials.access_key_id().starts_with("ASIA"));
    let end = SystemTime::try_from(*credentials.expiration()).expect("a time");
    let left = end.duration_since(SystemTime::now()).expect("in the future");
    assert!(left <= Duration::from_mins(30) && left > Duration::from_mins(29), "{left:?}");
    let user = answer.assumed_role_user().expect("a user");
    assert_eq!(user.arn(), "arn:aws:sts::123456789012:assumed-role/sluice-destination/run-1");
    assert!(user.assumed_role_id().ends_with(":run-1"));
}

#[tokio::test]
async fn a_wrong_or_absent_external_id_is_refused_like_a_role_that_is_not_there() {
    let account = Account::start().await;
    let (role, other) = (account.options.role_arn.as_str(), "arn:aws:iam::123456789012:role/other");
    let right = account.options.external_id.as_str();
    for (role_arn, external_id) in [(role, Some("wrong-id")), (role, None), (other, Some(right))] {
        let (code, message) = refusal(&account, role_arn, external_id).await;
        assert_eq!(code, "AccessDenied");
        let expected = format!(
            "User: arn:aws:iam::123456789012:user/sluice is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        );
        assert_eq!(message, expected);
    }
}

#[tokio::test]
async fn keys_that_are_not_the_users_are_refused() {
    let account = Account::start().await;
    let sign = |key_id: &str, secret_key: &str| {
        let credential = AwsCredential { key_id: key_id.to_owned(), secret_key: secret_key.to_owned(), token: None };
        let sts = account.sts(credential);
        async move { sts.get_caller_identity().send().await.expect_err("a refusal").code().map(str::to_owned) }
    };
    let user = account.user();
    assert_eq!(sign(&user.key_id, "another secret").await.as_deref(), Some("SignatureDoesNotMatch"));
    assert_eq!(sign("AKIANOBODY", &user.secret_key).await.as_deref(), Some("InvalidClientTokenId"));
}

#[tokio::test]
async fn a_session_knows_who_it_is_and_cannot_assume_the_role_again() {
    let account = Account::start().await;
    let arn = "arn:aws:sts::123456789012:assumed-role/sluice-destination/test-run";

    let user = account.sts(account.user()).get_caller_identity().send().await.expect("an identity");
    assert_eq!(user.arn(), Some("arn:aws:iam::123456789012:user/sluice"));
    let session = account.sts(account.session().await);
    let identity = session.get_caller_identity().send().await.expect("an identity");
    assert_eq!((identity.arn(), identity.account()), (Some(arn), Some("123456789012")));

    let request = session.assume_role().role_arn(&account.options.role_arn).role_session_name("again");
    let refused = request.external_id(&account.options.external_id).send().await.expect_err("a refusal");
    assert_eq!(refused.code(), Some("AccessDenied"));
    assert!(refused.message().is_some_and(|message| message.contains(arn)), "{refused:?}");

    account.running.expire_sessions();
    let refused = session.get_caller_identity().send().await.expect_err("a refusal");
    assert_eq!(refused.code(), Some("ExpiredToken"));
}

#[tokio::test]
async fn parameters_out_of_range_are_named() {
    let account = Account::start().await;
    let sts = account.sts(account.user());
    let request = sts.assume_role().role_arn(&account.options.role_arn).role_session_name("run-1");
    let refused = request.duration_seconds(60).send().await.expect_err("a refusal");
    assert_eq!(refused.code(), Some("ValidationError"));
    assert!(refused.message().is_some_and(|message| message.contains("durationSeconds")), "{refused:?}");
}

#[tokio::test]
async fn what_is_not_a_request_to_sts_is_said_to_be_none() {
    let account = Account::start().await;
    let user = account.user();
    let form = "application/x-www-form-urlencoded";

    let mut unknown = account.request(Method::POST, "/", &user).header("content-type", form);
    unknown.service = "sts";
    let answer = unknown.body("Action=GetFederationToken&Version=2011-06-15").send().await;
    assert_eq!(answer.status_and_code(), (400, "InvalidAction"));
    assert_eq!(answer.element("Type"), "Sender");

    let for_s3 = account.request(Method::POST, "/", &user).header("content-type", form);
    let answer = for_s3.body("Action=GetCallerIdentity&Version=2011-06-15").send().await;
    assert_eq!(answer.status_and_code(), (403, "SignatureDoesNotMatch"));

    let unsigned = reqwest::Client::new().post(account.running.endpoint()).send().await.expect("an answer");
    assert_eq!(unsigned.status(), 403);
    assert!(unsigned.text().await.expect("a body").contains("<Code>MissingAuthenticationToken</Code>"));
}
