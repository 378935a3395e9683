use std::sync::Arc;

use tokio::sync::Barrier;

use super::*;
use crate::{
    bucket::failing::{Call, Fault, failing, failing_s3},
    table::commit::tests::{change, run},
};

#[tokio::test]
async fn the_newest_commit_is_what_was_committed_last() {
    let log = CommitLog::of(&Bucket::memory());
    assert_eq!(log.latest().await.unwrap(), None);
    let first = log.commit(None, change(&run(1), &["contacts", "deals"])).await.unwrap();
    assert_eq!(log.latest().await.unwrap().as_ref(), Some(&first));
    let second = log.commit(Some(&first), change(&run(2), &["deals"])).await.unwrap();
    assert_eq!(log.latest().await.unwrap().as_ref(), Some(&second));
    assert_eq!(second.tables["contacts"], first.tables["contacts"]);
    assert_eq!(log.read(1).await.unwrap().as_ref(), Some(&first));
    assert_eq!(log.read(3).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_that_is_late_is_told_who_was_first_and_changes_nothing() {
    let log = CommitLog::of(&Bucket::memory());
    let first = log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    let error = log.commit(None, change(&run(2), &["contacts"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"another run committed 1 (run `20261123T201500Z-00000001` of pipeline `crm`); nothing of this run was committed");
    assert_eq!(log.latest().await.unwrap(), Some(first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_commit_at_once_one_succeeds() {
    for round in 0..50 {
        let bucket = Bucket::memory();
        let barrier = Arc::new(Barrier::new(8));
        let runs: Vec<_> = (0..8)
            .map(|number| {
                let (log, barrier) = (CommitLog::of(&bucket), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    log.commit(None, change(&run(number), &["contacts"])).await
                })
            })
            .collect();
        let mut made = Vec::new();
        let mut refused = Vec::new();
        for attempt in runs {
            match attempt.await.unwrap() {
                Ok(commit) => made.push(commit),
                Err(LogError::Raced { run, .. }) => refused.push(run),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((made.len(), refused.len()), (1, 7), "round {round}");
        assert!(refused.iter().all(|winner| *winner == made[0].author.run), "round {round}");
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_a_commit() {
    let (bucket, store) = failing(|call, _, count| match (call, count) {
        (Call::PutIfAbsent, 1) => Fault::AnswerLost,
        _ => Fault::None,
    });
    let log = CommitLog::of(&bucket);
    let commit = log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    assert_eq!(log.latest().await.unwrap(), Some(commit));
    assert_eq!(store.count(Call::PutIfAbsent), 2);
}

#[tokio::test]
async fn a_commit_that_did_not_arrive_is_sent_again() {
    let (bucket, _) = failing(|call, _, count| match (call, count) {
        (Call::PutIfAbsent, 1 | 2) => Fault::NoAnswer,
        _ => Fault::None,
    });
    let log = CommitLog::of(&bucket);
    let commit = log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    assert_eq!(log.latest().await.unwrap(), Some(commit));
}

#[tokio::test]
async fn an_answer_lost_to_a_commit_that_was_too_late_does_not_make_it_one() {
    let (bucket, _) = failing(|call, _, count| match (call, count) {
        (Call::PutIfAbsent, 2) => Fault::NoAnswer,
        _ => Fault::None,
    });
    let log = CommitLog::of(&bucket);
    log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    let error = log.commit(None, change(&run(2), &["contacts"])).await.unwrap_err();
    assert!(matches!(error, LogError::Raced { .. }), "{error}");
}

#[tokio::test]
async fn what_cannot_be_known_is_said_to_be_unknown() {
    let (bucket, _) = failing(|call, _, _| if call == Call::PutIfAbsent { Fault::NoAnswer } else { Fault::None });
    let error = CommitLog::of(&bucket).commit(None, change(&run(1), &["contacts"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"it is not known whether commit 1 was made: the bucket gave no answer 3 times");

    // Not even a clear refusal tells what became of the request before it.
    let (bucket, _) = failing_s3(|call, _, count| match (call, count) {
        (Call::PutIfAbsent, 1) => Fault::NoAnswer,
        (Call::PutIfAbsent, _) => Fault::Denied,
        _ => Fault::None,
    });
    let error = CommitLog::of(&bucket).commit(None, change(&run(1), &["contacts"])).await.unwrap_err();
    assert!(matches!(error, LogError::Unknown { number: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_is_told_at_once() {
    let (bucket, store) = failing_s3(|call, _, _| if call == Call::PutIfAbsent { Fault::Denied } else { Fault::None });
    let error = CommitLog::of(&bucket).commit(None, change(&run(1), &["contacts"])).await.unwrap_err();
    assert!(matches!(error, LogError::Bucket(BucketError::AccessDenied { .. })), "{error}");
    assert_eq!(store.count(Call::PutIfAbsent), 1);
}

#[tokio::test]
async fn what_another_version_or_nobody_wrote_is_told_with_its_key() {
    let bucket = Bucket::memory();
    let log = CommitLog::of(&bucket);
    bucket.put(&numbered::key("_sluice/commits", 1), Bytes::from_static(b"{\"format\": 2}")).await.unwrap();
    let error = log.latest().await.unwrap_err();
    insta::assert_snapshot!(error, @"commit `_sluice/commits/00000000000000000001.json` in `memory://` is of format 2, which this version cannot read");
    insta::assert_snapshot!(error.hint().unwrap(), @"a newer sluice wrote it: use that version for this bucket");
    bucket.put(&numbered::key("_sluice/commits", 2), Bytes::from_static(b"{")).await.unwrap();
    let error = log.latest().await.unwrap_err();
    insta::assert_snapshot!(error, @"commit `_sluice/commits/00000000000000000002.json` in `memory://` is damaged");
}
