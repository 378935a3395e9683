//! Runs that stood still for longer than commits are kept, while what they build on expired.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::bucket::failing::{failing, over};

/// Others' nightly commits on top of what there is, and an expiry that leaves the last of them.
async fn others_go_on(bucket: &Bucket, nights: i64) {
    let log = CommitLog::of(bucket);
    for number in 0..nights {
        let at = night(100 + number);
        let change = by("sales", change(&run(u32::try_from(500 + number).unwrap()), &["owners"]));
        let base = log.latest().await.unwrap();
        log.commit(base.as_ref(), written(bucket, at, change).await).await.unwrap();
    }
    assert_eq!(expire(bucket, KEEP, night(200)).await.failures.len(), 0);
}

/// What all readers see is what others have committed, and all of it is there.
async fn assert_untouched(bucket: &Bucket, newest: u64) {
    let seen = CommitLog::of(bucket).latest().await.unwrap().unwrap();
    assert_eq!(seen.number, newest);
    let keys: Vec<String> = bucket.list("").await.unwrap().into_iter().map(|entry| entry.key).collect();
    assert!(files_of(&seen).keys().all(|key| keys.contains(key)), "{keys:?}");
}

#[tokio::test]
async fn a_run_whose_number_has_been_taken_and_is_free_again_is_told() {
    for others in [1, 2, 5] {
        let bucket = Bucket::memory();
        nights(&bucket, &[&["contacts"], &["contacts"]]).await;
        let log = CommitLog::of(&bucket);
        let base = log.latest().await.unwrap().unwrap();
        let late = written(&bucket, night(1), change(&run(9), &["deals"])).await;
        others_go_on(&bucket, others).await;
        assert_eq!(numbers(&bucket).await, [u64::try_from(2 + others).unwrap()]);
        let outcome = log.commit(Some(&base), late).await;
        if others == 1 {
            // Its number is the one that stays: it comes after it, as whoever is late.
            assert_eq!(outcome.unwrap().number, 4);
            continue;
        }
        let error = outcome.unwrap_err();
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"commit 2, which this run builds on, has expired meanwhile: the run stood still for longer than commits are kept, and it is not known whether what it has committed counts");
        }
        assert!(error.may_have_been_made() && error.hint().is_some());
        assert_untouched(&bucket, u64::try_from(2 + others).unwrap()).await;
        // What it has left goes like any old commit.
        let expired = expire(&bucket, KEEP, night(200)).await;
        assert_eq!((expired.gone.commits, numbers(&bucket).await.len()), (1, 1), "{expired:?}");
        assert_eq!(files(&bucket).await.iter().filter(|file| file.ends_with("00000009")).count(), 0);
        assert_untouched(&bucket, u64::try_from(2 + others).unwrap()).await;
    }
}

#[tokio::test]
async fn a_run_that_found_an_empty_log_is_told_too() {
    for others in [2, 5] {
        let bucket = Bucket::memory();
        others_go_on(&bucket, others).await;
        let error = CommitLog::of(&bucket).commit(None, change(&run(9), &["deals"])).await.unwrap_err();
        assert!(matches!(error, LogError::Outlived { base: 0 }), "{error}");
        assert_untouched(&bucket, u64::try_from(others).unwrap()).await;
    }
}

#[tokio::test]
async fn a_commit_that_was_made_and_expired_while_its_answer_was_waited_for_keeps_its_files() {
    // The first attempt is made; then the machine sleeps, others build on it, and it expires.
    let inner = Arc::new(OnceLock::<Bucket>::new());
    let puts = Arc::new(AtomicUsize::new(0));
    let (bucket, _) = failing(|_, _, _| Fault::None);
    nights(&bucket, &[&["contacts"]]).await;
    inner.set(bucket.clone()).unwrap();
    let sleepy = over(&bucket, {
        let (inner, puts) = (Arc::clone(&inner), Arc::clone(&puts));
        move |call, _, _| {
            if call != Call::PutIfAbsent {
                return Fault::None;
            }
            if puts.fetch_add(1, Ordering::SeqCst) == 0 {
                return Fault::AnswerLost;
            }
            let bucket = inner.get().unwrap().clone();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            std::thread::spawn(move || runtime.block_on(others_go_on(&bucket, 4))).join().unwrap();
            Fault::None
        }
    });
    let log = CommitLog::of(&sleepy);
    let base = log.latest().await.unwrap();
    let change = written(&bucket, night(1), change(&run(9), &["deals"])).await;
    let error = log.commit(base.as_ref(), change).await.unwrap_err();
    assert!(matches!(error, LogError::Outlived { base: 1 }) && error.may_have_been_made(), "{error}");
    // The newest commit carries its table: whoever took its files back would destroy it.
    assert_untouched(&bucket, 6).await;
    assert!(CommitLog::of(&bucket).latest().await.unwrap().unwrap().tables.contains_key("deals"));
    expire(&bucket, KEEP, night(300)).await;
    assert_eq!(numbers(&bucket).await, [6]);
    assert_untouched(&bucket, 6).await;
}

#[tokio::test]
async fn who_is_late_while_the_log_expires_under_it_makes_no_entry_in_the_gap() {
    let inner = Arc::new(OnceLock::<Bucket>::new());
    let (bucket, _) = failing(|_, _, _| Fault::None);
    nights(&bucket, &[&["contacts"]]).await;
    let base = CommitLog::of(&bucket).latest().await.unwrap();
    // Others have been quicker; when the run has read the first of theirs, it sleeps.
    others_go_on(&bucket, 1).await;
    inner.set(bucket.clone()).unwrap();
    let reads = Arc::new(Mutex::new(0));
    let sleepy = over(&bucket, {
        let (inner, reads) = (Arc::clone(&inner), Arc::clone(&reads));
        move |call, path, _| {
            let mut reads = reads.lock().unwrap();
            if call == Call::Get && path.starts_with("_sluice/commits/") {
                *reads += 1;
                if *reads == 2 {
                    let bucket = inner.get().unwrap().clone();
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    std::thread::spawn(move || runtime.block_on(others_go_on(&bucket, 4))).join().unwrap();
                }
            }
            Fault::None
        }
    });
    let error = CommitLog::of(&sleepy).commit(base.as_ref(), change(&run(9), &["deals"])).await.unwrap_err();
    assert!(matches!(error, LogError::Outlived { base: 2 }), "{error}");
    assert_eq!(numbers(&bucket).await, [6]);
}

#[tokio::test]
async fn where_it_cannot_be_seen_whether_a_commit_counts_that_is_said() {
    let (bucket, _) =
        failing_s3(|call, _, count| if call == Call::List && count > 1 { Fault::Denied } else { Fault::None });
    let log = CommitLog::of(&bucket);
    let base = log.latest().await.unwrap();
    let error = log.commit(base.as_ref(), change(&run(1), &["contacts"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"commit 1 was made, and it could not be seen whether it counts");
    assert!(error.may_have_been_made());
}
