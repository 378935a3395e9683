//! Against a server on loopback that answers what a test says, in AWS's words: what the errors of the object store and of
//! the AWS SDK look like from here, and that their versions of today still say so.

mod keys;
mod rules;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use object_store::ObjectStoreExt;
use sluice_model::secret::Secret;

use crate::bucket::{
    Bucket, BucketError, Credentials, Encryption, IdentityError, PART_SIZE, Put, Role, Rules, S3Settings, Settings,
    operation::Operation,
};

use super::*;

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    path_and_query: String,
    token: Option<String>,
    headers: http::HeaderMap,
    body: String,
}

impl Seen {
    fn is_sts(&self) -> bool {
        self.body.contains("Action=AssumeRole")
    }
}

type Log = Arc<Mutex<Vec<Seen>>>;
type Answers = dyn Fn(&Seen) -> (u16, String) + Send + Sync;

#[derive(Clone)]
struct Server {
    address: SocketAddr,
    seen: Log,
}

async fn serve(answers: impl Fn(&Seen) -> (u16, String) + Send + Sync + 'static) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { address: listener.local_addr().unwrap(), seen: Arc::default() };
    let answers: Arc<Answers> = Arc::new(answers);
    let router = Router::new().fallback(answer).with_state((answers, Arc::clone(&server.seen)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    server
}

async fn answer(State((answers, log)): State<(Arc<Answers>, Log)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 2 * PART_SIZE).await.unwrap();
    let seen = Seen {
        method: head.method.to_string(),
        path_and_query: head.uri.to_string(),
        token: head.headers.get("x-amz-security-token").map(|token| token.to_str().unwrap().to_owned()),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let (status, body) = answers(&seen);
    log.lock().unwrap().push(seen);
    let builder = Response::builder().status(status).header("etag", "\"0\"").header("x-amzn-requestid", "R1");
    builder.body(Body::from(body)).unwrap()
}

impl Server {
    fn settings(&self) -> S3Settings {
        S3Settings {
            region: Some("eu-west-1".to_owned()),
            endpoint: Some(self.url()),
            path_style: true,
            credentials: Credentials::Static {
                access_key_id: Secret::new("AKIDEXAMPLE"),
                secret_access_key: Secret::new("SECRETEXAMPLE"),
                session_token: None,
            },
            ..S3Settings::of("lake", "crm/raw")
        }
    }

    fn with_role(&self, external_id: Option<&str>) -> Settings {
        let role = Role {
            external_id: external_id.map(str::to_owned),
            duration: Duration::from_mins(15),
            sts_endpoint: Some(self.url()),
            ..Role::of("arn:aws:iam::123456789012:role/writer", "sluice-crm")
        };
        Settings::S3(S3Settings { role: Some(role), ..self.settings() })
    }

    fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn s3_error(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message><RequestId>R1</RequestId></Error>"
    )
}

fn sts_error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>R1</RequestId></ErrorResponse>"
    )
}

fn session(number: usize, ends: &str) -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>token-{number}</SessionToken><Expiration>{ends}</Expiration></Credentials>\
         </AssumeRoleResult></AssumeRoleResponse>"
    )
}

/// An error and its causes, as a person is shown them.
fn told(error: &BucketError) -> String {
    let mut lines = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        lines.push(format!("caused by: {cause}"));
        source = cause.source();
    }
    lines.extend(error.hint().map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}

/// What is told when every request gets this answer, for a put.
async fn told_for(status: u16, body: String) -> String {
    let server = serve(move |_| (status, body.clone())).await;
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    told(&bucket.put("contacts/x", Bytes::from_static(b"1")).await.unwrap_err())
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let refusal = "User: arn:aws:sts::1:assumed-role/writer/s is not authorized to perform the action";
    let body = s3_error("AccessDenied", refusal);
    insta::assert_snapshot!(told_for(403, body.clone()).await, @r"
    `s3:PutObject` is not allowed on `s3://lake/crm/raw/contacts/x`
    caused by: S3 answered 403 `AccessDenied`: User: arn:aws:sts::1:assumed-role/writer/s is not authorized to perform the action (request `R1`)
    hint: a policy of the identity must allow `s3:PutObject` on `arn:aws:s3:::lake/crm/raw/*`, and none may deny it
    ");
    let server = serve(move |_| (403, body.clone())).await;
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    let denied = |error: BucketError| match error {
        BucketError::AccessDenied { action, resource, location, .. } => format!("{action} {resource} {location}"),
        other => panic!("unexpected: {other:?}"),
    };
    let list = denied(bucket.list("_sluice/commits").await.unwrap_err());
    assert_eq!(list, "s3:ListBucket arn:aws:s3:::lake s3://lake/crm/raw/_sluice/commits");
    let get = bucket.get("x").await.unwrap_err();
    assert!(get.hint().unwrap().contains("`s3:ListBucket`"));
    assert_eq!(denied(get), "s3:GetObject arn:aws:s3:::lake/crm/raw/* s3://lake/crm/raw/x");
    let delete = denied(bucket.delete("x").await.unwrap_err());
    assert_eq!(delete, "s3:DeleteObject arn:aws:s3:::lake/crm/raw/* s3://lake/crm/raw/x");
    for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let server = serve(|_| (403, s3_error("AccessDenied", ""))).await;
        let settings = S3Settings { region: Some(region.to_owned()), ..server.settings() };
        let bucket = Bucket::open(&Settings::S3(settings)).await.unwrap();
        let hint = bucket.put("x", Bytes::new()).await.unwrap_err().hint().unwrap();
        assert!(hint.contains(&format!("`arn:{partition}:s3:::lake/crm/raw/*`")), "{hint}");
    }
}

#[tokio::test]
async fn a_missing_right_to_the_key_of_an_encrypted_bucket_is_named() {
    let body = s3_error("AccessDenied", "not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:…");
    let told = told_for(403, body).await;
    assert!(told.ends_with("the identity needs `kms:GenerateDataKey` and `kms:Decrypt` on it"), "{told}");
}

#[tokio::test]
async fn a_missing_bucket_is_told_apart_from_a_missing_object() {
    let missing = s3_error("NoSuchBucket", "The specified bucket does not exist");
    let server = serve(move |seen| {
        let absent = seen.path_and_query.contains("there");
        (404, if absent { s3_error("NoSuchKey", "The specified key does not exist.") } else { missing.clone() })
    })
    .await;
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    assert_eq!(bucket.get("not-there").await.unwrap(), None);
    bucket.delete("not-there").await.unwrap();
    for error in [
        bucket.get("x").await.unwrap_err(),
        bucket.put("x", Bytes::new()).await.unwrap_err(),
        bucket.put_if_absent("x", Bytes::new()).await.unwrap_err(),
        bucket.list("x").await.unwrap_err(),
        bucket.delete("x").await.unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "there is no bucket `lake`");
    }
}

#[tokio::test]
async fn a_wrong_region_is_named_and_the_right_one_where_it_is_told() {
    let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'eu-west-1' is wrong; expecting \
                'us-east-2'</Message><Region>us-east-2</Region></Error>";
    insta::assert_snapshot!(told_for(400, body.to_owned()).await, @r#"
    bucket `lake` is not in region `eu-west-1`
    caused by: S3 answered 400 `AuthorizationHeaderMalformed`: the region 'eu-west-1' is wrong; expecting 'us-east-2'
    hint: set `region = "us-east-2"`
    "#);
    let told = told_for(301, s3_error("PermanentRedirect", "elsewhere")).await;
    assert!(told.starts_with("bucket `lake` is not in region `eu-west-1`\ncaused by: S3 answered 301\n"), "{told}");
}

#[tokio::test]
async fn credentials_that_are_not_accepted_are_told_without_their_secrets() {
    let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message>\
                <CanonicalRequest>PUT x-amz-security-token:TOKEN</CanonicalRequest></Error>";
    insta::assert_snapshot!(told_for(403, body.to_owned()).await, @r"
    S3 does not accept the AWS credentials
    caused by: S3 answered 403 `SignatureDoesNotMatch`: The signature does not match.
    hint: check the access keys: they may be deleted, or of another account or store
    ");
    let told = told_for(400, s3_error("ExpiredToken", "The provided token has expired.")).await;
    assert!(told.starts_with("the AWS credentials for S3 have expired\n"), "{told}");
    let told = told_for(403, s3_error("RequestTimeTooSkewed", "too large")).await;
    assert!(told.starts_with("S3 refuses requests because this machine's clock is wrong\n"), "{told}");
}

/// Who repeats what was sent may write it otherwise.
#[tokio::test]
async fn a_session_token_that_is_repeated_is_not_shown() {
    const TOKEN: &str = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDexample";
    let (first, second) = TOKEN.split_at(30);
    for said in [TOKEN.to_owned(), TOKEN.to_uppercase(), format!("{first} and {second}")] {
        let body = s3_error("AccessDenied", &format!("nobody is {said}, says S3"));
        let server = serve(move |_| (403, body.clone())).await;
        let credentials = Credentials::Static {
            access_key_id: Secret::new("AKIDEXAMPLE"),
            secret_access_key: Secret::new("SECRETEXAMPLE"),
            session_token: Some(Secret::new(TOKEN)),
        };
        let bucket = Bucket::open(&Settings::S3(S3Settings { credentials, ..server.settings() })).await.unwrap();
        let told = told(&bucket.put("contacts/x", Bytes::from_static(b"1")).await.unwrap_err()).to_lowercase();
        assert!(server.seen().iter().any(|seen| seen.token.as_deref() == Some(TOKEN)));
        assert!(told.contains("nobody is …") && told.contains(", says s3"), "{told}");
        assert!(!["iqojb3jp", "dexample"].iter().any(|part| told.contains(part)), "{told}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_told_and_not_tried_again() {
    insta::assert_snapshot!(told_for(400, s3_error("InvalidArgument", "no")).await, @r"
    `s3://lake/crm/raw/contacts/x` was refused when this run tried to write it
    caused by: S3 answered 400 `InvalidArgument`: no (request `R1`)
    ");
}

#[tokio::test]
async fn a_conditional_put_tells_what_was_there() {
    let server = serve(|seen| {
        if seen.path_and_query.contains("there") {
            (412, s3_error("PreconditionFailed", "At least one of the conditions did not hold"))
        } else {
            (200, String::new())
        }
    })
    .await;
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    assert_eq!(bucket.put_if_absent("there", Bytes::new()).await.unwrap(), Put::Exists);
    assert_eq!(bucket.put_if_absent("new", Bytes::new()).await.unwrap(), Put::Created);
}

#[tokio::test]
async fn requests_that_meet_are_repeated_and_are_no_proof_that_the_object_is_there() {
    let conflicts = Arc::new(Mutex::new(2));
    let server = serve(move |_| {
        let mut left = conflicts.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            (409, s3_error("ConditionalRequestConflict", "The conditional request cannot succeed due to a conflict"))
        } else {
            (200, String::new())
        }
    })
    .await;
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    assert_eq!(bucket.put_if_absent("x", Bytes::new()).await.unwrap(), Put::Created);
    assert_eq!(server.seen().len(), 3);

    let server = serve(|_| (409, s3_error("ConditionalRequestConflict", "always"))).await;
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    let error = bucket.put_if_absent("x", Bytes::new()).await.unwrap_err();
    assert!(error.may_have_happened(), "{error:?}");
}

#[tokio::test]
async fn a_hiccup_is_not_noticed() {
    let hiccups = Arc::new(Mutex::new(2));
    let server = serve(move |_| {
        let mut left = hiccups.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            (503, s3_error("SlowDown", "Please reduce your request rate."))
        } else {
            (200, String::new())
        }
    })
    .await;
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    bucket.put("x", Bytes::new()).await.unwrap();
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn the_session_of_the_role_is_what_signs() {
    let server =
        serve(|seen| (200, if seen.is_sts() { session(1, "2999-01-01T00:00:00Z") } else { String::new() })).await;
    let bucket = Bucket::open(&server.with_role(Some("ext-42"))).await.unwrap();
    bucket.put("x", Bytes::new()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for expected in [
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fwriter",
        "RoleSessionName=sluice-crm",
        "ExternalId=ext-42",
        "DurationSeconds=900",
    ] {
        assert!(seen[0].body.contains(expected), "{expected} is not in {}", seen[0].body);
    }
    assert_eq!(seen[0].token, None);
    assert_eq!((seen[1].method.as_str(), seen[1].path_and_query.as_str()), ("PUT", "/lake/crm/raw/x"));
    assert_eq!(seen[1].token.as_deref(), Some("token-1"));
}

#[tokio::test]
async fn a_session_near_its_end_is_renewed_in_mid_run() {
    let sessions = Arc::new(Mutex::new(0));
    let server = serve(move |seen| {
        if !seen.is_sts() {
            return (200, String::new());
        }
        let mut sessions = sessions.lock().unwrap();
        *sessions += 1;
        // The first has ended before it is used, by any clock.
        (200, session(*sessions, if *sessions == 1 { "2020-01-01T00:00:00Z" } else { "2999-01-01T00:00:00Z" }))
    })
    .await;
    let bucket = Bucket::open(&server.with_role(None)).await.unwrap();
    bucket.put("x", Bytes::new()).await.unwrap();
    bucket.put("y", Bytes::new()).await.unwrap();
    let tokens: Vec<_> =
        server.seen().into_iter().filter(|seen| !seen.is_sts()).map(|seen| seen.token.unwrap()).collect();
    assert_eq!(tokens, ["token-2", "token-2"]);
}

#[tokio::test]
async fn a_role_that_is_refused_is_named_with_what_was_sent() {
    let refusal = "User: arn:aws:iam::1:user/etl is not authorized to perform: sts:AssumeRole on resource: writer";
    let server = serve(move |_| (403, sts_error("AccessDenied", refusal))).await;
    let error = Bucket::open(&server.with_role(Some("wrong"))).await.unwrap_err();
    insta::assert_snapshot!(told(&error), @r"
    role `arn:aws:iam::123456789012:role/writer` cannot be assumed (session `sluice-crm`, an external id was sent)
    caused by: STS answered 403 `AccessDenied`: User: arn:aws:iam::1:user/etl is not authorized to perform: sts:AssumeRole on resource: writer (request `R1`)
    hint: the role's trust policy must allow `sts:AssumeRole` to the identity that asks, with this external id, to the letter; the identity's own policy must allow it, too
    ");
    assert!(!told(&error).contains("wrong"), "the external id is nobody else's business");
    let error = Bucket::open(&server.with_role(None)).await.unwrap_err();
    assert!(told(&error).contains("no external id was sent"));
    assert!(error.hint().unwrap().contains("set `external_id`"));
}

#[tokio::test]
async fn settings_and_keys_that_sts_refuses_are_told_apart_from_a_refused_role() {
    let open = async |status, code, message| {
        let server = serve(move |_| (status, sts_error(code, message))).await;
        Bucket::open(&server.with_role(None)).await.unwrap_err()
    };
    let error = open(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration").await;
    insta::assert_snapshot!(told(&error), @r"
    the settings of role `arn:aws:iam::123456789012:role/writer` are not accepted (session `sluice-crm`, 900 s)
    caused by: STS answered 400 `ValidationError`: The requested DurationSeconds exceeds the MaxSessionDuration (request `R1`)
    hint: the duration must be at least 15 minutes and at most the role's maximum, which is one hour unless it was raised, and always one hour if the role is assumed from another role
    ");
    let error = open(403, "InvalidClientTokenId", "The security token included in the request is invalid.").await;
    assert!(matches!(error, BucketError::Identity(IdentityError::Refused { service: "STS", .. })), "{error:?}");
    let error = open(403, "ExpiredToken", "The security token included in the request is expired").await;
    assert!(matches!(error, BucketError::Identity(IdentityError::Expired { service: "STS", .. })), "{error:?}");
    let error = open(403, "RegionDisabledException", "STS is not activated in this region for account:1.").await;
    assert!(matches!(error, BucketError::Identity(IdentityError::RegionDisabled { .. })), "{error:?}");
    assert!(!told(&error).contains("trust policy") && error.hint().unwrap().contains("region"), "{}", told(&error));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { address: listener.local_addr().unwrap(), seen: Arc::default() };
    drop(listener);
    let error = Bucket::open(&server.with_role(None)).await.unwrap_err();
    let told = told(&error);
    assert!(told.starts_with("STS could not be reached for credentials\n"), "{told}");
    assert!(told.contains("onnection refused"), "{told}");
}

/// A request through a proxy has the whole address in its first line.
#[tokio::test]
async fn this_machine_is_asked_directly_by_name_and_by_number() {
    for host in ["127.0.0.1", "localhost"] {
        let server = serve(|_| (200, String::new())).await;
        let endpoint = format!("http://{host}:{}", server.address.port());
        let settings = S3Settings { endpoint: Some(endpoint.parse().unwrap()), ..server.settings() };
        Bucket::open(&Settings::S3(settings)).await.unwrap().put("x", Bytes::new()).await.unwrap();
        assert_eq!(server.seen()[0].path_and_query, "/lake/crm/raw/x", "{host}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    drop(listener);
    let store = AmazonS3Builder::new()
        .with_bucket_name("lake")
        .with_region("eu-west-1")
        .with_access_key_id("AKIDEXAMPLE")
        .with_secret_access_key("SECRETEXAMPLE")
        .with_client_options(ClientOptions::new().with_proxy_url(format!("http://user:PASSWORD@{proxy}")))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build()
        .unwrap();
    let error = store.get(&"key".into()).await.unwrap_err();
    let location = Location::s3("lake", "", "eu-west-1").behind(Some(proxy.clone()));
    let told = told(&location.judge(Operation::Get, "key", &error));
    assert!(told.starts_with("`s3://lake/key` could not be reached to read it\n"), "{told}");
    assert!(told.contains(&format!("(through the proxy `{proxy}`)")), "{told}");
    assert!(!told.contains("PASSWORD"), "{told}");
}

#[test]
fn the_bucket_goes_into_the_host_name_unless_it_goes_into_the_path() {
    let endpoint = |url: &str, path_style| address(&Url::parse(url).unwrap(), "lake", path_style);
    assert_eq!(endpoint("https://s3.example.com/", false), "https://lake.s3.example.com");
    assert_eq!(endpoint("https://s3.example.com:9000", true), "https://s3.example.com:9000");
}

#[tokio::test]
async fn no_setting_shows_a_secret() {
    let server = serve(|_| (200, String::new())).await;
    let shown = format!("{:?}", server.settings());
    assert!(!shown.contains("SECRETEXAMPLE") && !shown.contains("AKIDEXAMPLE"), "{shown}");
    let bucket = Bucket::open(&Settings::S3(server.settings())).await.unwrap();
    assert_eq!(format!("{bucket:?}"), "Bucket { location: \"s3://lake/crm/raw\", .. }");
}
