mod size;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures::future::try_join_all;
use tokio::sync::Barrier;

use super::*;
use crate::{
    bucket::{
        BucketError,
        failing::{Call, Fault, failing, failing_s3},
    },
    table::change::tests::{by, change, run},
};

#[tokio::test]
async fn every_commit_can_be_read_by_its_number() {
    let log = CommitLog::of(&Bucket::memory());
    let first = log.commit(None, change(&run(1), &["contacts", "deals"])).await.unwrap();
    let second = log.commit(Some(&first), change(&run(2), &["deals"])).await.unwrap();
    assert_eq!(log.read(1).await.unwrap(), Some(first));
    assert_eq!(log.read(2).await.unwrap(), Some(second));
    assert_eq!(log.read(3).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_that_is_late_is_told_who_was_first_and_changes_nothing() {
    let log = CommitLog::of(&Bucket::memory());
    let first = log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    let error = log.commit(None, change(&run(2), &["contacts"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"another run of pipeline `crm` has committed 1 (run `20261123T201500Z-00000001`); nothing of this run was committed");
    assert_eq!(log.latest().await.unwrap(), Some(first));
}

#[tokio::test]
async fn a_run_that_is_late_for_one_of_its_tables_is_told_whose_it_is() {
    let log = CommitLog::of(&Bucket::memory());
    let first = log.commit(None, by("sales", change(&run(1), &["owners"]))).await.unwrap();
    let second = log.commit(Some(&first), by("sales", change(&run(2), &["Contacts"]))).await.unwrap();
    let error = log.commit(None, change(&run(3), &["contacts"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"pipeline `sales` has changed table `contacts` of pipeline `crm` (run `20261123T201500Z-00000002`, commit 2); nothing of this run was committed");
    insta::assert_snapshot!(error.hint().unwrap(), @"give each pipeline a folder of its own, or its tables other names");
    assert!(!error.may_have_been_made());
    assert_eq!(log.latest().await.unwrap(), Some(second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pipelines_of_one_folder_never_make_each_other_fail_whatever_is_not_answered() {
    // Of the entries of one number, the first request of a kind may get no answer, and some of those are done all the same: so
    // nobody is unlucky three times, whoever else is at work.
    let asked = Mutex::new(BTreeSet::new());
    let (bucket, store) = failing(move |call, key, _| {
        let mut asked = asked.lock().unwrap();
        let before = asked.len();
        match (call, asked.insert((call, key.to_owned()))) {
            (Call::PutIfAbsent, true) if before % 5 < 2 => Fault::AnswerLost,
            (Call::PutIfAbsent, true) if before % 5 == 2 => Fault::NoAnswer,
            (Call::Get, true) if before % 3 == 0 => Fault::NoAnswer,
            _ => Fault::None,
        }
    });
    let log = CommitLog::of(&bucket);
    let barrier = Arc::new(Barrier::new(2));
    let work = ["crm", "sales"].map(|name| {
        let (log, barrier) = (log.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            let mut made = Vec::new();
            let mut base: Option<Commit> = None;
            for round in 0..100 {
                barrier.wait().await;
                let number = if name == "crm" { round } else { 1000 + round };
                let table = format!("table_of_{name}");
                let change = by(name, change(&run(number), &[&table]));
                match log.commit(base.as_ref(), change).await {
                    Ok(commit) => {
                        made.push((commit.number, commit.author.run.clone()));
                        base = Some(commit);
                    }
                    // A commit of another that cannot be read ends the attempt, and it is certain that nothing was made.
                    Err(LogError::Bucket(_)) => {}
                    Err(other) => panic!("round {round} of {name}: {other}"),
                }
            }
            made
        })
    });
    // The first that fails ends it: the other would wait for it for ever.
    let mut made = try_join_all(work).await.unwrap().concat();
    made.sort();
    // What was told to be made is all that was.
    let newest = made.len() as u64;
    assert!(newest > 100, "only {newest} were made");
    for (number, run) in (1..).zip(&made) {
        assert_eq!(number, run.0);
        let there = loop {
            match log.read(number).await {
                Ok(there) => break there.unwrap(),
                Err(LogError::Bucket(_)) => {}
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(there.author.run, run.1);
    }
    assert!(store.count(Call::PutIfAbsent) > made.len(), "nobody was ever late");
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_below_those_that_others_have_built_on_it() {
    // While the run waits for its answer, another pipeline commits on top of what it has made.
    let inner = Arc::new(OnceLock::<Bucket>::new());
    let (bucket, _) = failing({
        let inner = Arc::clone(&inner);
        move |call, _, count| match (call, count) {
            (Call::PutIfAbsent, 1) => Fault::AnswerLost,
            (Call::PutIfAbsent, 2) => {
                let log = CommitLog::of(inner.get().unwrap());
                let other = async move {
                    let base = log.latest().await.unwrap();
                    log.commit(base.as_ref(), by("sales", change(&run(2), &["owners"]))).await.unwrap();
                };
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                std::thread::spawn(move || runtime.block_on(other)).join().unwrap();
                Fault::None
            }
            _ => Fault::None,
        }
    });
    inner.set(bucket.clone()).unwrap();
    let log = CommitLog::of(&bucket);
    let commit = log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    let newest = log.latest().await.unwrap().unwrap();
    assert_eq!((commit.number, newest.number, newest.tables.len()), (1, 2, 2));
}

#[tokio::test]
async fn an_entry_that_stands_and_cannot_be_read_may_be_ours() {
    // The bucket repeats a request by itself: what it finds there may be what its first attempt has made.
    let (bucket, _) = failing_s3(|call, _, _| if call == Call::Get { Fault::Denied } else { Fault::None });
    let log = CommitLog::of(&bucket);
    log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    let error = log.commit(None, change(&run(1), &["contacts"])).await.unwrap_err();
    assert!(error.may_have_been_made(), "{error}");
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

/// Something in between refuses what the bucket has done, and lets nobody look.
#[tokio::test]
async fn a_commit_that_is_refused_and_cannot_be_looked_at_may_have_been_made() {
    let (bucket, _) = failing_s3(|call, path, _| match call {
        Call::PutIfAbsent | Call::Get | Call::List if path.contains("commits") => Fault::Denied,
        _ => Fault::None,
    });
    let error = CommitLog::of(&bucket).commit(None, change(&run(1), &["contacts"])).await.unwrap_err();
    assert!(matches!(error, LogError::Unknown { source: Some(BucketError::AccessDenied { .. }), .. }), "{error:?}");
    assert!(error.may_have_been_made());
    // A refusal alone is one: it is not there.
    let (bucket, _) = failing_s3(|call, _, _| if call == Call::PutIfAbsent { Fault::Denied } else { Fault::None });
    let error = CommitLog::of(&bucket).commit(None, change(&run(1), &["contacts"])).await.unwrap_err();
    assert!(!error.may_have_been_made(), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_known_is_said_to_be_unknown() {
    let (bucket, _) = failing(|call, _, _| if call == Call::PutIfAbsent { Fault::NoAnswer } else { Fault::None });
    let error = CommitLog::of(&bucket).commit(None, change(&run(1), &["contacts"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"it is not known whether commit 1 was made");

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

/// Commit 2, of another pipeline, lists what the first, which has expired, has made of this pipeline's table.
async fn after_an_expired_first(bucket: &Bucket) -> CommitLog {
    let log = CommitLog::of(bucket);
    let first = log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    log.commit(Some(&first), by("sales", change(&run(2), &["deals"]))).await.unwrap();
    bucket.delete(&numbered::key(&key::commits(), 1)).await.unwrap();
    log
}

#[tokio::test]
async fn a_fence_below_what_lists_tables_of_its_pipeline_does_not_count() {
    let log = after_an_expired_first(&Bucket::memory()).await;
    let fenced = log.commit(None, change(&run(3), &[])).await;
    assert!(matches!(fenced, Err(LogError::Outlived { base: 0 })), "{fenced:?}");
    // Of a pipeline that has no table there it says nothing that is not so.
    let log = after_an_expired_first(&Bucket::memory()).await;
    assert_eq!(log.commit(None, by("third", change(&run(3), &[]))).await.unwrap().number, 1);
}

#[tokio::test]
async fn a_look_that_fails_after_the_entry_was_made_does_not_say_that_it_was_not() {
    let is_struck = Arc::new(AtomicBool::new(false));
    let strikes = Arc::clone(&is_struck);
    let (bucket, _) = failing(move |call, _, _| match call {
        Call::Get if strikes.load(Ordering::SeqCst) => Fault::Denied,
        _ => Fault::None,
    });
    let log = after_an_expired_first(&bucket).await;
    is_struck.store(true, Ordering::SeqCst);
    let error = log.commit(None, change(&run(3), &["contacts"])).await.unwrap_err();
    assert!(matches!(error, LogError::Unconfirmed { number: 1, .. }) && error.may_have_been_made(), "{error:?}");
}
