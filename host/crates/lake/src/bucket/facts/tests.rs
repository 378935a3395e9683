//! Against a server on loopback that answers as S3 does, by the query of the request.

use axum::{Router, body::Body, extract::State, http::Uri, response::Response};
use sluice_model::secret::Secret;

use super::*;
use crate::bucket::{Credentials, S3Settings, Settings};

/// A status and a body for each of the four questions, in the order of [`Facts`].
type Answers = [(u16, &'static str); 4];

const QUESTIONS: [&str; 4] = ["location", "versioning", "encryption", "lifecycle"];
const ACTIONS: [&str; 4] =
    ["s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration"];

async fn facts(answers: Answers) -> Facts {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(answers);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = Settings::S3(S3Settings {
        region: Some("eu-west-1".to_owned()),
        endpoint: Some(format!("http://{address}").parse().unwrap()),
        path_style: true,
        credentials: Credentials::Static {
            access_key_id: Secret::new("AKIDEXAMPLE"),
            secret_access_key: Secret::new("SECRETEXAMPLE"),
            session_token: None,
        },
        ..S3Settings::of("lake", "crm/raw")
    });
    let facts = Bucket::open(&settings).await.unwrap().facts().await.unwrap();
    server.abort();
    facts
}

async fn answer(State(answers): State<Answers>, uri: Uri) -> Response {
    assert_eq!(uri.path().trim_end_matches('/'), "/lake");
    let query = uri.query().unwrap_or_default();
    let asked = QUESTIONS.iter().position(|question| query.split('&').any(|part| part.starts_with(question)));
    let (status, body) = answers[asked.unwrap_or_else(|| panic!("nobody asks for {query}"))];
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
const NOT_IMPLEMENTED: &str = "<Error><Code>NotImplemented</Code><Message>Not here</Message></Error>";

const ALL_SET: Answers = [
    (200, "<LocationConstraint>EU</LocationConstraint>"),
    (200, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    (
        200,
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms\
         </SSEAlgorithm><KMSMasterKeyID>arn:aws:kms:eu-west-1:1:key/k</KMSMasterKeyID>\
         </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>\
         </ServerSideEncryptionConfiguration>",
    ),
    (
        200,
        "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>crm/</Prefix></Filter>\
         <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>\
         </Rule></LifecycleConfiguration>",
    ),
];

#[tokio::test]
async fn a_bucket_says_what_is_set() {
    assert_eq!(
        facts(ALL_SET).await.lines(),
        [
            "region: eu-west-1",
            "versioning: on: what is removed or replaced stays as an older version",
            "default encryption: by KMS, with the key `arn:aws:kms:eu-west-1:1:key/k`, by a key of the bucket (SSE-KMS)",
            "parts of unfinished uploads: removed after 7 days",
        ]
    );
}

#[tokio::test]
async fn that_nothing_is_set_is_an_answer() {
    let nothing = [
        (200, "<LocationConstraint/>"),
        (200, "<VersioningConfiguration/>"),
        (404, "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code></Error>"),
        (404, "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>"),
    ];
    let expected = Facts {
        region: Known::Is("us-east-1".to_owned()),
        versioning: Known::Is(Versioning::Off),
        encryption: Known::Is("none".to_owned()),
        unfinished: Known::Is(None),
    };
    assert_eq!(facts(nothing).await, expected);
}

#[tokio::test]
async fn what_may_not_be_asked_is_told_with_the_permission_and_hides_nothing_else() {
    let all = facts(ALL_SET).await.lines();
    for (at, action) in ACTIONS.iter().enumerate() {
        let mut answers = ALL_SET;
        answers[at] = (403, DENIED);
        let lines = facts(answers).await.lines();
        for (line, full) in lines.iter().zip(&all) {
            let is_denied = line.ends_with(&format!("not known: `{action}` is not allowed"));
            assert!(is_denied || line == full, "{line}");
        }
        assert_eq!(lines.iter().zip(&all).filter(|(line, full)| line != full).count(), 1, "{lines:?}");
    }
}

#[tokio::test]
async fn a_store_that_lacks_the_questions_does_not_tell() {
    let lines = facts([(501, NOT_IMPLEMENTED), (501, NOT_IMPLEMENTED), (405, ""), (400, DENIED)]).await.lines();
    assert!(
        lines.iter().all(|line| line.ends_with("not known: the store says nothing of it that can be read")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_folder_has_no_facts() {
    assert_eq!(Bucket::memory().facts().await, None);
}

/// Days after which parts under `crm/raw/` go, with one rule of this inside.
async fn days(rule: &'static str) -> Known<Option<u32>> {
    let mut answers = ALL_SET;
    answers[3] = (200, rule);
    facts(answers).await.unfinished
}

#[tokio::test]
async fn a_rule_counts_where_it_holds_for_all_that_is_ours() {
    macro_rules! rule {
        ($status:literal, $filter:literal) => {
            concat!(
                "<LifecycleConfiguration><Rule><Status>",
                $status,
                "</Status>",
                $filter,
                "<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation>",
                "</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"
            )
        };
    }
    for holds in [
        rule!("Enabled", "<Filter/>"),
        rule!("Enabled", "<Filter><Prefix>crm/raw/</Prefix></Filter>"),
        rule!("Enabled", "<Prefix>crm</Prefix>"),
    ] {
        assert_eq!(days(holds).await, Known::Is(Some(3)), "{holds}");
    }
    for does_not in [
        rule!("Disabled", "<Filter/>"),
        rule!("Enabled", "<Filter><Prefix>crm/raw/contacts</Prefix></Filter>"),
        rule!("Enabled", "<Prefix>other/</Prefix>"),
        rule!("Enabled", "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>"),
        "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/></Rule></LifecycleConfiguration>",
    ] {
        assert_eq!(days(does_not).await, Known::Is(None), "{does_not}");
    }
}
