//! Sweeps that are dropped between any two of their requests, as a run is that is told to stop.

use std::pin::pin;

use futures::poll;

use super::{kept::KEPT, *};
use crate::table::kept::tests::{slice, write_and_keep};

/// Lets a sweep go on so many times. `None` if it was not at its end by then, and is dropped.
async fn cut<T>(sweep: impl Future<Output = T>, after: usize) -> Option<T> {
    let mut sweep = pin!(sweep);
    for _ in 0..after {
        if let std::task::Poll::Ready(swept) = poll!(sweep.as_mut()) {
            return Some(swept);
        }
        // Only then is whoever has let others go first woken.
        tokio::task::yield_now().await;
    }
    None
}

/// A bucket with two commits, the files of a run that has crashed, and a slice that another has kept.
async fn with_something_to_sweep() -> (Bucket, Commit) {
    let (bucket, _) = failing(|_, _, _| Fault::None);
    run_and_commit(&bucket, &run(1), &["contacts", "deals"]).await;
    for part in 0..3 {
        put(&bucket, &key_of("contacts", &run(2), part)).await;
    }
    write_and_keep(&bucket, &slice(&run(2), "events", &[0], KEPT)).await;
    let newest = run_and_commit(&bucket, &run(3), &["contacts"]).await;
    (bucket, newest)
}

/// All that the commits list is there, and the next run sweeps what is left.
async fn assert_all_is_well(bucket: &Bucket, after: usize) {
    let log = CommitLog::of(bucket);
    for number in [1, 2] {
        let commit = log.read(number).await.unwrap().unwrap();
        for file in commit.tables.values().flat_map(|table| &table.files) {
            assert!(bucket.get(&file.key).await.unwrap().is_some(), "{} after {after}", file.key);
        }
    }
    let base = log.latest().await.unwrap();
    let (base, swept) = sweep_before(bucket, base, unchanged(&run(5)), ours).await.unwrap();
    assert!(swept.failures.is_empty(), "{:?} after {after}", swept.failures);
    assert!(!keys(bucket).await.iter().any(|key| key.starts_with("contacts") && key.contains("00000002")), "{after}");
    // The run that was thought dead is too late, as soon as anything of it may be gone.
    let listed = base.unwrap();
    put(bucket, &key_of("contacts", &run(5), 0)).await;
    let newest = log.commit(Some(&listed), change(&run(5), &["contacts"])).await.unwrap();
    let swept = sweep_after(bucket, &newest, ours).await;
    assert!(swept.failures.is_empty(), "{:?} after {after}", swept.failures);
    let mut left = [("contacts", 1), ("contacts", 3), ("contacts", 5), ("deals", 1)]
        .map(|(table, number)| key_of(table, &run(number), 0));
    left.sort();
    assert_eq!(keys(bucket).await, left, "{after}");
}

#[tokio::test]
async fn a_sweep_before_reading_may_be_dropped_anywhere() {
    for after in 0.. {
        let (bucket, newest) = with_something_to_sweep().await;
        let sweep = sweep_before(&bucket, Some(newest), unchanged(&run(4)), ours);
        let is_whole = cut(sweep, after).await.is_some();
        assert_all_is_well(&bucket, after).await;
        if is_whole {
            assert!(after > 8, "only {after} places");
            break;
        }
    }
}

#[tokio::test]
async fn a_sweep_after_a_commit_may_be_dropped_anywhere() {
    for after in 0.. {
        let (bucket, newest) = with_something_to_sweep().await;
        let is_whole = cut(sweep_after(&bucket, &newest, ours), after).await.is_some();
        assert_all_is_well(&bucket, after).await;
        if is_whole {
            assert!(after > 8, "only {after} places");
            break;
        }
    }
}
