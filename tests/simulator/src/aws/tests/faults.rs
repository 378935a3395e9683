use std::io;
use std::time::Duration;

use aws_sdk_sts::error::ProvideErrorMetadata;
use http::Method;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::client::Account;
use crate::aws::{Fault, FaultAction, Options, Service, start};

fn on_puts(action: FaultAction, nth: std::ops::RangeInclusive<u64>) -> Fault {
    Fault { service: Service::S3, method: Some(Method::PUT), target_contains: String::new(), nth, action }
}

fn create() -> PutOptions {
    PutOptions { mode: PutMode::Create, ..PutOptions::default() }
}

fn statuses(account: &Account) -> Vec<Option<u16>> {
    let puts = account.running.requests().into_iter().filter(|request| request.method == Method::PUT);
    puts.map(|request| request.status).collect()
}

#[tokio::test]
async fn a_client_that_tries_again_gets_through_a_busy_server() {
    let account = Account::with(|options| options.faults = vec![on_puts(FaultAction::SlowDown, 1..=2)]).await;
    let bucket = account.bucket_as(account.session().await, 3);
    bucket.put(&Path::from("key"), vec![7; 1_000_000].into()).await.expect("the third time");
    assert_eq!(statuses(&account), [Some(503), Some(503), Some(200)]);
    assert_eq!((account.files().len(), account.waiting()), (1, 0));
}

#[tokio::test]
async fn refusals_come_with_their_codes_and_do_nothing() {
    let account = Account::start().await;
    let session = account.session().await;
    for (action, expected) in [
        (FaultAction::SlowDown, (503, "SlowDown")),
        (FaultAction::InternalError, (500, "InternalError")),
        (FaultAction::AccessDenied, (403, "AccessDenied")),
        (FaultAction::NoSpace, (507, "XMinioStorageFull")),
    ] {
        account.running.add_fault(on_puts(action, 1..=1));
        let answer = account.request(Method::PUT, "/bucket/key", &session).body("text").send().await;
        assert_eq!(answer.status_and_code(), expected);
    }
    assert!(account.files().is_empty());
}

/// The hardest case of a commit: it was made, and nobody said so.
#[tokio::test]
async fn an_answer_can_be_lost_after_the_write() {
    let account = Account::start().await;
    let bucket = account.bucket().await;
    account.running.add_fault(on_puts(FaultAction::CutAfterwards, 1..=1));
    account.running.add_fault(on_puts(FaultAction::InternalErrorAfterwards, 2..=2));
    account.running.add_fault(on_puts(FaultAction::Cut, 3..=3));
    for key in ["cut-afterwards", "failed-afterwards", "cut"] {
        let put = bucket.put_opts(&Path::from(key), "text".into(), create()).await;
        assert!(matches!(put, Err(Error::Generic { .. })), "{put:?}");
    }
    assert_eq!(account.files(), ["cut-afterwards", "failed-afterwards"]);
    assert_eq!(statuses(&account), [None, Some(500), None]);
}

#[tokio::test]
async fn a_fault_can_be_meant_for_one_part_of_one_object() {
    let fault = Fault { target_contains: "wanted?partNumber=2".to_owned(), ..on_puts(FaultAction::SlowDown, 1..=9) };
    let account = Account::with(|options| options.faults = vec![fault]).await;
    let session = account.session().await;
    for (key, number, expected) in [("other", 2, 404), ("wanted", 1, 404), ("wanted", 2, 503)] {
        let target = format!("/bucket/{key}?partNumber={number}&uploadId=none");
        assert_eq!(account.request(Method::PUT, &target, &session).send().await.status, expected, "{key} {number}");
    }
}

#[tokio::test]
async fn sts_fails_in_its_own_words() {
    let fault = Fault { service: Service::Sts, method: None, ..on_puts(FaultAction::SlowDown, 1..=1) };
    let account = Account::with(|options| options.faults = vec![fault]).await;
    let sts = account.sts(account.user());
    let refused = sts.get_caller_identity().send().await.expect_err("a refusal");
    assert_eq!(refused.code(), Some("Throttling"));
    sts.get_caller_identity().send().await.expect("the second time");
    let services: Vec<_> = account.running.requests().iter().map(|request| request.service).collect();
    assert_eq!(services, [Service::Sts, Service::Sts]);
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let account = Account::start().await;
    let port = account.running.endpoint().rsplit(':').next().and_then(|port| port.parse().ok());
    let elsewhere = tempfile::tempdir().expect("a folder");
    let options = Options { root: elsewhere.path().to_owned(), ..Options::default() };
    let kind = |refused: io::Result<_>| refused.map(drop).expect_err("a refusal").kind();

    assert_eq!(kind(start(options.clone(), port).await), io::ErrorKind::AddrInUse);
    assert_eq!(kind(start(account.options.clone(), None).await), io::ErrorKind::WouldBlock);
    let unnamed = Options { bucket: "../bucket".to_owned(), ..options.clone() };
    assert_eq!(kind(start(unnamed, None).await), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_server_that_is_dropped_frees_its_port_and_folder() {
    let root = tempfile::tempdir().expect("a folder");
    let options = Options { root: root.path().to_owned(), ..Options::default() };
    let running = start(options.clone(), None).await.expect("the server starts");
    let port = running.endpoint().rsplit(':').next().and_then(|port| port.parse().ok());
    drop(running);
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    let again = loop {
        match start(options.clone(), port).await {
            Ok(running) => break running,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    };
    again.shutdown().await;
    assert_eq!(std::fs::read_dir(root.path()).expect("a folder").count(), 1, "only the bucket stays");
}
