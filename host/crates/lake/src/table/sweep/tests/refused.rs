//! Sweeps that cannot do a part of their work, and do the rest.

use super::*;
use crate::bucket::nobody::{as_nobody, let_all};

#[tokio::test]
async fn where_the_fence_would_be_too_large_nothing_is_swept_and_the_run_goes_on() {
    let bucket = Bucket::memory();
    let mut base = run_and_commit(&bucket, &run(1), &["contacts", "deals"]).await;
    // As an earlier version may have made it. The run may be the one that retires it.
    base.tables.get_mut("deals").unwrap().streams[0].ids = vec!["x".repeat(1 << 20); 80];
    let crashed = key_of("contacts", &run(2), 0);
    put(&bucket, &crashed).await;
    let (built_on, swept) = sweep_before(&bucket, Some(base.clone()), unchanged(&run(3)), ours).await.unwrap();
    assert_eq!((swept.files, built_on.as_ref()), (0, Some(&base)));
    assert!(matches!(swept.failures[..], [SweepError::Log(LogError::TooLarge(_))]), "{:?}", swept.failures);
    assert!(keys(&bucket).await.contains(&crashed));
    let retires = Change { retired: ["deals".to_owned()].into(), ..change(&run(3), &["contacts"]) };
    let newest = CommitLog::of(&bucket).commit(built_on.as_ref(), retires).await.unwrap();
    assert_eq!(sweep_after(&bucket, &newest, ours).await.files, 1);
}

#[test]
fn a_table_that_may_not_be_looked_into_keeps_no_other_from_being_swept_and_is_looked_at_again() {
    let temporary = tempfile::tempdir().unwrap();
    let shut = temporary.path().join("deals");
    std::fs::create_dir(&shut).unwrap();
    let_all(temporary.path(), 0o777);
    let left = [key_of("contacts", &run(1), 0), key_of("deals", &run(1), 0)];
    as_nobody(async {
        let bucket = Bucket::open(&Settings::File { path: temporary.path().to_owned() }).await.unwrap();
        put(&bucket, &left[0]).await;
        let_all(&shut, 0);
        let (fence, swept) = sweep_before(&bucket, None, unchanged(&run(2)), ours).await.unwrap();
        assert!(matches!(swept.failures[..], [SweepError::Bucket(BucketError::NotPermitted { .. })]), "{swept:?}");
        assert_eq!((swept.files, keys(&bucket).await.contains(&left[0])), (1, false));
        // It is told again where there is nothing else.
        let (fence, swept) = sweep_before(&bucket, fence, unchanged(&run(3)), ours).await.unwrap();
        assert_eq!((swept.files, swept.failures.len()), (0, 1), "{swept:?}");
        let_all(&shut, 0o777);
        put(&bucket, &left[1]).await;
        // However much later, for no sweep has noted that it came further.
        let late = unchanged(&run(4));
        let late = Change { committed: late.committed + jiff::SignedDuration::from_hours(48), ..late };
        let (_, swept) = sweep_before(&bucket, fence, late, ours).await.unwrap();
        assert_eq!((swept.files, swept.failures.len()), (1, 0), "{swept:?}");
    });
}
