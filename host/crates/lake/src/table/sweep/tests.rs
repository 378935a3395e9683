mod cost;
mod cut_short;
mod dropped;
mod kept;
mod refused;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use sluice_model::run_id::RunId;

use super::{find::READS_AT_ONCE, *};
use crate::{
    bucket::{
        Settings,
        failing::{Call, Fault, failing},
    },
    table::{
        CommitLog,
        change::tests::{by, change, run},
        key::DataKey,
    },
};

fn key_of(table: &str, run: &RunId, part: u32) -> String {
    key_in("crm", table, run, part)
}

fn key_in(pipeline: &str, table: &str, run: &RunId, part: u32) -> String {
    DataKey { table: table.to_owned(), pipeline: pipeline.to_owned(), run: run.clone(), part }.format()
}

async fn put(bucket: &Bucket, key: &str) {
    bucket.put(key, Bytes::from_static(b"rows")).await.unwrap();
}

/// Writes the files of a run and commits them.
async fn run_and_commit(bucket: &Bucket, run: &RunId, tables: &[&str]) -> Commit {
    for table in tables {
        put(bucket, &key_of(table, run, 0)).await;
    }
    let log = CommitLog::of(bucket);
    let base = log.latest().await.unwrap();
    log.commit(base.as_ref(), change(run, tables)).await.unwrap()
}

async fn keys(bucket: &Bucket) -> Vec<String> {
    let all = bucket.list("").await.unwrap().into_iter().map(|entry| entry.key);
    all.filter(|key| !key.starts_with("_sluice")).collect()
}

async fn ours() -> bool {
    true
}

#[tokio::test]
async fn what_crashed_runs_left_is_removed_and_what_any_commit_lists_stays() {
    let bucket = Bucket::memory();
    run_and_commit(&bucket, &run(1), &["contacts", "deals"]).await;
    for (table, part) in [("contacts", 0), ("contacts", 1), ("notes", 0)] {
        put(&bucket, &key_of(table, &run(2), part)).await;
    }
    let newest = run_and_commit(&bucket, &run(3), &["contacts"]).await;
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!((swept.files, swept.bytes, swept.failures.len()), (3, 12, 0));
    let left = [key_of("contacts", &run(1), 0), key_of("contacts", &run(3), 0), key_of("deals", &run(1), 0)];
    assert_eq!(keys(&bucket).await, left);
}

#[tokio::test]
async fn what_runs_of_other_pipelines_write_or_left_is_theirs() {
    let bucket = Bucket::memory();
    let log = CommitLog::of(&bucket);
    // At work, in a table of its own and in one of this pipeline: whether that may be is not for a sweep to say.
    let theirs = [key_in("sales", "deals", &run(2), 0), key_in("sales", "contacts", &run(2), 0)];
    for key in &theirs {
        put(&bucket, key).await;
    }
    put(&bucket, &key_of("contacts", &run(3), 0)).await;
    let (base, swept) = sweep_before(&bucket, None, unchanged(&run(4)), ours).await.unwrap();
    assert_eq!((swept.files, swept.failures.len()), (1, 0));
    put(&bucket, &key_of("contacts", &run(5), 0)).await;
    let newest = log.commit(base.as_ref(), change(&run(4), &["contacts"])).await.unwrap();
    put(&bucket, &newest.tables["contacts"].files[0].key).await;
    assert_eq!(sweep_after(&bucket, &newest, ours).await.files, 1);
    let mut left = theirs.to_vec();
    left.push(key_of("contacts", &run(4), 0));
    left.sort();
    assert_eq!(keys(&bucket).await, left);
    // What one pipeline has noted says nothing of another's files, old ones included.
    let newest = log.commit(Some(&newest), by("sales", change(&run(6), &["notes"]))).await.unwrap();
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!((swept.files, swept.failures.len()), (2, 0));
    assert_eq!(keys(&bucket).await, [key_of("contacts", &run(4), 0)]);
}

#[tokio::test]
async fn a_run_that_was_swept_cannot_commit_whatever_others_have_committed_in_between() {
    let bucket = Bucket::memory();
    let log = CommitLog::of(&bucket);
    let base = run_and_commit(&bucket, &run(1), &["contacts"]).await;
    put(&bucket, &key_of("contacts", &run(2), 0)).await;
    log.commit(Some(&base), by("sales", change(&run(9), &["deals"]))).await.unwrap();
    let (fence, swept) = sweep_before(&bucket, Some(base.clone()), unchanged(&run(3)), ours).await.unwrap();
    let fence = fence.unwrap();
    assert_eq!((swept.files, fence.number), (1, 3));
    let newest = log.commit(Some(&fence), by("sales", change(&run(10), &["deals"]))).await.unwrap();
    let error = log.commit(Some(&base), change(&run(2), &["contacts"])).await.unwrap_err();
    assert!(matches!(&error, LogError::Raced { number: 3, run: first, .. } if *first == run(3)), "{error}");
    assert_eq!(log.latest().await.unwrap(), Some(newest));
}

#[tokio::test]
async fn nothing_is_removed_that_we_would_not_have_written() {
    let bucket = Bucket::memory();
    let theirs = [
        "_other/pipeline=crm/run=20261123T201500Z-00000002/part-00000.parquet".to_owned(),
        "contacts/export.parquet".to_owned(),
        "contacts/pipeline=crm/run=20261123T201500Z-00000002/part-00000.parquet.bak".to_owned(),
        "contacts/pipeline=crm/run=20261123T201500Z-00000002/part-0.parquet".to_owned(),
        "contacts/pipeline=crm/run=manual/part-00000.parquet".to_owned(),
        "my table/pipeline=crm/run=20261123T201500Z-00000002/part-00000.parquet".to_owned(),
        "raw/contacts/pipeline=crm/run=20261123T201500Z-00000002/part-00000.parquet".to_owned(),
        "readme.md".to_owned(),
    ];
    for key in &theirs {
        put(&bucket, key).await;
    }
    let newest = run_and_commit(&bucket, &run(3), &["deals"]).await;
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!(swept.files, 0);
    let mut expected = theirs.to_vec();
    expected.push(key_of("deals", &run(3), 0));
    expected.sort();
    assert_eq!(keys(&bucket).await, expected);
}

#[tokio::test]
async fn nothing_is_removed_once_the_lease_is_no_longer_ours() {
    let bucket = Bucket::memory();
    let newest = run_and_commit(&bucket, &run(1), &["contacts"]).await;
    put(&bucket, &key_of("contacts", &run(2), 0)).await;
    let swept = sweep_after(&bucket, &newest, async || false).await;
    assert_eq!(swept.files, 0);
    assert!(matches!(swept.failures[..], [SweepError::NotOurs]), "{:?}", swept.failures);
    assert_eq!(keys(&bucket).await.len(), 2);
    // Nor is it noted as done: the next sweep finds the file.
    assert_eq!(sweep_after(&bucket, &newest, ours).await.files, 1);
}

#[tokio::test]
async fn the_lease_is_looked_at_after_the_files_were_found() {
    static FOUND: AtomicBool = AtomicBool::new(false);
    let (bucket, _) = failing(|call, path, _| {
        if call == Call::List && path == "contacts/pipeline=crm" {
            FOUND.store(true, Ordering::SeqCst);
        }
        Fault::None
    });
    let newest = run_and_commit(&bucket, &run(1), &["contacts"]).await;
    put(&bucket, &key_of("contacts", &run(2), 0)).await;
    let swept = sweep_after(&bucket, &newest, async || FOUND.load(Ordering::SeqCst)).await;
    assert_eq!(swept.files, 1);
}

#[tokio::test]
async fn a_sweep_that_failed_in_part_goes_on_and_is_repeated() {
    let (bucket, _) = failing(|call, _, count| match (call, count) {
        (Call::Delete, 1) => Fault::Denied,
        _ => Fault::None,
    });
    let newest = run_and_commit(&bucket, &run(1), &["contacts"]).await;
    for part in 0..3 {
        put(&bucket, &key_of("contacts", &run(2), part)).await;
    }
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!((swept.files, swept.failures.len()), (2, 1));
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!((swept.files, swept.failures.len()), (1, 0));
}

#[tokio::test]
async fn a_commit_that_cannot_be_read_keeps_everything() {
    let bucket = Bucket::memory();
    run_and_commit(&bucket, &run(1), &["contacts"]).await;
    let newest = run_and_commit(&bucket, &run(2), &["contacts"]).await;
    put(&bucket, &key_of("contacts", &run(3), 0)).await;
    put(&bucket, "_sluice/commits/00000000000000000001.json").await;
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!(swept.files, 0);
    assert!(matches!(swept.failures[..], [SweepError::Log(LogError::Malformed { .. })]), "{:?}", swept.failures);
    assert_eq!(keys(&bucket).await.len(), 3);
}

#[tokio::test]
async fn a_sweep_does_not_look_again_at_what_an_earlier_one_accounted_for() {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    let at = |hour: u32| format!("2026-11-23T{hour:02}:00:00Z").parse::<jiff::Timestamp>().unwrap();
    let runs: Vec<RunId> = (0..20).map(|hour| RunId::new(at(hour)).unwrap()).collect();
    let log = CommitLog::of(&bucket);
    let mut base = None;
    let mut reads = BTreeMap::new();
    for (hour, run) in runs.iter().enumerate() {
        put(&bucket, &key_of("contacts", run, 0)).await;
        let mut change = change(run, &["contacts"]);
        change.committed = at(hour as u32);
        let newest = log.commit(base.as_ref(), change).await.unwrap();
        let before = store.count(Call::Get);
        let swept = sweep_after(&bucket, &newest, ours).await;
        assert!(swept.failures.is_empty(), "{:?}", swept.failures);
        reads.insert(hour, store.count(Call::Get) - before);
        base = Some(newest);
    }
    assert_eq!(keys(&bucket).await.len(), 20);
    // The note and one batch of older commits, however many there are.
    assert!(reads[&19] <= 1 + READS_AT_ONCE, "{reads:?}");
}

#[tokio::test]
async fn in_a_folder_unfinished_files_go_and_so_do_the_folders_they_leave() {
    let temporary = tempfile::tempdir().unwrap();
    let at = |key: &str| temporary.path().join(key);
    let bucket = Bucket::open(&Settings::File { path: temporary.path().to_owned() }).await.unwrap();
    let newest = run_and_commit(&bucket, &run(1), &["contacts"]).await;
    put(&bucket, &key_of("contacts", &run(2), 0)).await;
    let half = format!("{}#1", key_of("contacts", &run(2), 1));
    let half_of_other = format!("{}#1", key_of("deals", &run(2), 0));
    std::fs::create_dir_all(at(&half_of_other).parent().unwrap()).unwrap();
    for key in [&half, &half_of_other] {
        std::fs::write(at(key), "ro").unwrap();
    }
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!((swept.files, swept.bytes, swept.failures.len()), (3, 8, 0));
    let gone = |path: &Path| !path.exists();
    assert!(gone(&at(&half)) && gone(at(&half).parent().unwrap()) && gone(&at("deals")));
    assert_eq!(keys(&bucket).await, [key_of("contacts", &run(1), 0)]);
}

/// A change of nothing.
fn unchanged(run: &RunId) -> Change {
    change(run, &[])
}

#[tokio::test]
async fn before_reading_what_crashed_runs_left_is_removed_and_none_of_them_can_commit_any_more() {
    for commits in [0, 1] {
        let bucket = Bucket::memory();
        let log = CommitLog::of(&bucket);
        if commits == 1 {
            run_and_commit(&bucket, &run(1), &["contacts"]).await;
        }
        let base = log.latest().await.unwrap();
        // Cut off from the bucket: it lost its lease and does not know.
        put(&bucket, &key_of("contacts", &run(2), 0)).await;
        let (newest, swept) = sweep_before(&bucket, base.clone(), unchanged(&run(3)), ours).await.unwrap();
        assert_eq!((swept.files, swept.failures.len()), (1, 0));
        assert_eq!(keys(&bucket).await.len(), commits);
        let error = log.commit(base.as_ref(), change(&run(2), &["contacts"])).await.unwrap_err();
        assert!(matches!(error, LogError::Raced { .. }), "{error}");
        let newest = newest.unwrap();
        assert_eq!(log.latest().await.unwrap().as_ref(), Some(&newest));
        assert_eq!(newest.tables, base.map(|base| base.tables).unwrap_or_default(), "the tables are what they were");
        // The run that swept goes on to commit, or its own files are swept when it dies.
        put(&bucket, &key_of("contacts", &run(3), 0)).await;
        let (_, swept) = sweep_before(&bucket, Some(newest.clone()), unchanged(&run(4)), ours).await.unwrap();
        assert_eq!(swept.files, 1);
    }
}

#[tokio::test]
async fn before_reading_nothing_is_committed_if_there_is_nothing_to_sweep() {
    let bucket = Bucket::memory();
    let (newest, swept) = sweep_before(&bucket, None, unchanged(&run(1)), ours).await.unwrap();
    assert_eq!((newest, swept.files, swept.failures.len()), (None, 0, 0));
    let base = run_and_commit(&bucket, &run(1), &["contacts"]).await;
    let (newest, _) = sweep_before(&bucket, Some(base.clone()), unchanged(&run(2)), ours).await.unwrap();
    assert_eq!(newest, Some(base));
    assert_eq!(CommitLog::of(&bucket).latest().await.unwrap().unwrap().number, 1);
}

#[tokio::test]
async fn before_reading_nothing_is_removed_unless_the_lease_is_ours_and_no_other_run_has_committed() {
    let bucket = Bucket::memory();
    put(&bucket, &key_of("contacts", &run(2), 0)).await;
    let (newest, swept) = sweep_before(&bucket, None, unchanged(&run(3)), async || false).await.unwrap();
    assert!(newest.is_none() && matches!(swept.failures[..], [SweepError::NotOurs]), "{:?}", swept.failures);
    // The run that was thought dead is quicker.
    CommitLog::of(&bucket).commit(None, change(&run(2), &["contacts"])).await.unwrap();
    let error = sweep_before(&bucket, None, unchanged(&run(3)), ours).await.unwrap_err();
    assert!(matches!(error, LogError::Raced { .. }), "{error}");
    assert_eq!(keys(&bucket).await, [key_of("contacts", &run(2), 0)]);
}
