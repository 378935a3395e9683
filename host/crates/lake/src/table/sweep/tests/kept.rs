//! Sweeps where slices are kept: what is spared, what is taken over, and what goes in the end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use jiff::{SignedDuration, Timestamp};

use super::{super::reach::Reach, *};
use crate::table::{
    DataFile,
    change::tests::table,
    kept::{
        self, KEPT_FOR, KeptSlice,
        tests::{note_keys, slice, write_and_keep},
    },
};

/// When slices are finished unless a test says otherwise: after the tables of [`table`] were written, and before `unchanged`
/// is made.
pub(super) const KEPT: &str = "2026-11-23T20:17:00Z";

/// What a run that looks after its sweep may take over.
pub(super) async fn of_use(bucket: &Bucket) -> Vec<KeptSlice> {
    let base = CommitLog::of(bucket).latest().await.unwrap();
    let now = unchanged(&run(0)).committed;
    kept::kept(bucket, "crm", kept::of_use_since("crm", base.as_ref(), now)).await.unwrap()
}

/// A change by a run that has written one table, and has taken files of another run over into it.
pub(super) fn taking_over(run: &RunId, name: &str, files: &[DataFile]) -> Change {
    let mut change = change(run, &[name]);
    let fed = table(name, run).streams.remove(0);
    change.tables.get_mut(name).unwrap().feed(fed, files.to_vec());
    change
}

/// A run writes its own file, and commits with those that it takes over.
pub(super) async fn commit_with(bucket: &Bucket, run: &RunId, name: &str, files: &[DataFile]) -> Commit {
    put(bucket, &key_of(name, run, 0)).await;
    let log = CommitLog::of(bucket);
    let base = log.latest().await.unwrap();
    log.commit(base.as_ref(), taking_over(run, name, files)).await.unwrap()
}

/// The run before reading, as far as the bucket goes. Gives how many files were removed, and fails unless all went well.
pub(super) async fn swept_before(bucket: &Bucket, run: &RunId) -> u64 {
    let base = CommitLog::of(bucket).latest().await.unwrap();
    let (_, swept) = sweep_before(bucket, base, unchanged(run), ours).await.unwrap();
    assert!(swept.failures.is_empty(), "{:?}", swept.failures);
    swept.files
}

pub(super) async fn swept_after(bucket: &Bucket, newest: &Commit) -> u64 {
    let swept = sweep_after(bucket, newest, ours).await;
    assert!(swept.failures.is_empty(), "{:?}", swept.failures);
    swept.files
}

async fn in_folder(temporary: &tempfile::TempDir) -> Bucket {
    Bucket::open(&Settings::File { path: temporary.path().to_owned() }).await.unwrap()
}

/// A run dies with two slices finished and one begun; the next takes one over, and the one after that takes nothing over.
async fn goes_from_run_to_run(bucket: &Bucket) {
    let slices = [slice(&run(1), "events", &[0, 1], KEPT), slice(&run(1), "events", &[3], KEPT)];
    for slice in &slices {
        write_and_keep(bucket, slice).await;
    }
    put(bucket, &key_of("events", &run(1), 2)).await;
    assert_eq!(swept_before(bucket, &run(2)).await, 1);
    let noted: Vec<_> = slices.iter().flat_map(KeptSlice::files).cloned().collect();
    assert_eq!(keys(bucket).await, noted.iter().map(|file| file.key.clone()).collect::<Vec<_>>());
    assert_eq!(swept_before(bucket, &run(3)).await, 0, "nor by whoever comes next");
    let mut left = of_use(bucket).await;
    left.sort_by_key(|slice| slice.tables[0].files.len());
    assert_eq!(left, [slices[1].clone(), slices[0].clone()]);

    let newest = commit_with(bucket, &run(3), "events", &noted[..2]).await;
    assert_eq!(swept_after(bucket, &newest).await, 1, "what was not taken over goes");
    let listed = [noted[0].key.clone(), noted[1].key.clone(), key_of("events", &run(3), 0)];
    assert_eq!(keys(bucket).await, listed);
    assert_eq!(note_keys(bucket).await, [""; 0]);

    // What the run of these files leaves later on is still nobody's; and a reader of the older commit finds what it lists.
    put(bucket, &key_of("events", &run(1), 4)).await;
    assert_eq!(swept_before(bucket, &run(4)).await, 1);
    let newest = commit_with(bucket, &run(4), "events", &[]).await;
    put(bucket, &key_of("events", &run(1), 5)).await;
    assert_eq!(swept_after(bucket, &newest).await, 1);
    let all = [&listed[..], &[key_of("events", &run(4), 0)]].concat();
    assert_eq!(keys(bucket).await, all);
}

#[tokio::test]
async fn kept_slices_are_spared_before_reading_and_go_after_the_commit_unless_it_lists_them() {
    goes_from_run_to_run(&Bucket::memory()).await;
    let temporary = tempfile::tempdir().unwrap();
    goes_from_run_to_run(&in_folder(&temporary).await).await;
    assert!(!temporary.path().join("_sluice/kept").exists(), "nor are folders left");
}

#[tokio::test]
async fn unfinished_files_of_a_run_that_has_kept_slices_go() {
    let temporary = tempfile::tempdir().unwrap();
    let bucket = in_folder(&temporary).await;
    let slice = slice(&run(1), "events", &[0], KEPT);
    write_and_keep(&bucket, &slice).await;
    // Of another file, and of the one that was kept.
    let halves = [1, 0].map(|part| temporary.path().join(format!("{}#1", key_of("events", &run(1), part))));
    for half in &halves {
        std::fs::write(half, "ro").unwrap();
    }
    assert_eq!(swept_before(&bucket, &run(2)).await, 2);
    assert!(halves.iter().all(|half| !half.exists()));
    assert_eq!(of_use(&bucket).await, [slice]);
}

#[tokio::test]
async fn what_is_older_than_a_day_goes_before_reading_with_its_note() {
    let now = unchanged(&run(0)).committed;
    let (fresh, old) = (now - KEPT_FOR, now - KEPT_FOR - SignedDuration::from_nanos(1));
    let bucket = Bucket::memory();
    let fresh = slice(&run(1), "events", &[0], &fresh.to_string());
    // One file is in both: what any note of use names is spared.
    let old = slice(&run(1), "events", &[0, 1], &old.to_string());
    for slice in [&fresh, &old] {
        write_and_keep(&bucket, slice).await;
    }
    assert_eq!(swept_before(&bucket, &run(2)).await, 1);
    assert_eq!(note_keys(&bucket).await.len(), 1);
    assert_eq!(keys(&bucket).await, [key_of("events", &run(1), 0)]);
    assert_eq!(of_use(&bucket).await, [fresh]);
    // Nobody commits what is gone.
    let error = CommitLog::of(&bucket).commit(None, change(&run(1), &["events"])).await.unwrap_err();
    assert!(matches!(error, LogError::Raced { .. }), "{error}");
}

/// Times of real runs, days apart.
#[tokio::test]
async fn how_far_sweeps_came_hides_neither_what_is_kept_nor_what_else_its_run_has_left() {
    let at = |time: &str| time.parse::<Timestamp>().unwrap();
    let began = |time: &str| RunId::new(at(time)).unwrap();
    let unchanged_at = |run: &RunId, time: &str| Change { committed: at(time), ..unchanged(run) };
    let bucket = Bucket::memory();
    let dead = began("2026-11-23T08:00:00Z");
    write_and_keep(&bucket, &slice(&dead, "events", &[0], "2026-11-23T17:00:00Z")).await;
    put(&bucket, &key_of("events", &dead, 1)).await;
    let second = began("2026-11-23T18:00:00Z");
    let (base, swept) = sweep_before(&bucket, None, unchanged_at(&second, "2026-11-23T18:00:01Z"), ours).await.unwrap();
    assert_eq!((swept.files, swept.failures.len()), (1, 0));
    // Half of a removal that was told as done, say.
    put(&bucket, &key_of("events", &dead, 2)).await;
    let third = began("2026-11-24T16:00:00Z");
    let (base, swept) = sweep_before(&bucket, base, unchanged_at(&third, "2026-11-24T16:00:01Z"), ours).await.unwrap();
    assert_eq!(swept.files, 1);
    assert_eq!(keys(&bucket).await, [key_of("events", &dead, 0)]);
    let (_, swept) = sweep_before(&bucket, base, unchanged_at(&third, "2026-11-24T17:00:01Z"), ours).await.unwrap();
    assert_eq!((swept.files, keys(&bucket).await.len(), note_keys(&bucket).await.len()), (1, 0, 0));
    // From then on it is the time that counts.
    assert_eq!(Reach::read(&bucket, "crm").await.unwrap().runs_from, "20261124T160001Z");
}

#[tokio::test]
async fn a_note_that_cannot_be_believed_goes_and_so_do_its_files_by_the_rules_of_others() {
    let bucket = Bucket::memory();
    write_and_keep(&bucket, &slice(&run(1), "events", &[0], KEPT)).await;
    put(&bucket, &note_keys(&bucket).await.remove(0)).await;
    // Files that are not its run's are in no danger from it, whoever wrote it.
    let theirs = key_in("sales", "events", &run(1), 0);
    let mut greedy = slice(&run(9), "events", &[0], "2026-11-20T00:00:00Z");
    greedy.tables[0].files[0].key.clone_from(&theirs);
    put(&bucket, &theirs).await;
    kept::keep(&bucket, &greedy).await.unwrap();
    put(&bucket, "_sluice/kept/crm/notes.json").await;
    put(&bucket, "_sluice/kept/crm2/20261123T201500Z-00000001/0000000000000000.json").await;
    assert_eq!(swept_before(&bucket, &run(2)).await, 1);
    assert_eq!(keys(&bucket).await, [theirs]);
    let not_ours = ["_sluice/kept/crm/notes.json", "_sluice/kept/crm2/20261123T201500Z-00000001/0000000000000000.json"];
    assert_eq!(note_keys(&bucket).await, not_ours);
}

#[tokio::test]
async fn what_was_kept_and_is_not_committed_goes_even_if_its_run_has_committed() {
    let bucket = Bucket::memory();
    let slices = [slice(&run(1), "events", &[1], KEPT), slice(&run(1), "history", &[0], KEPT)];
    for slice in &slices {
        write_and_keep(&bucket, slice).await;
    }
    // Its stream `history` could not be read to its end.
    let newest = commit_with(&bucket, &run(1), "events", &slices[0].tables[0].files).await;
    assert_eq!(swept_after(&bucket, &newest).await, 1);
    assert_eq!(keys(&bucket).await, [key_of("events", &run(1), 0), key_of("events", &run(1), 1)]);
    assert_eq!(note_keys(&bucket).await, [""; 0]);
}

#[tokio::test]
async fn what_was_committed_is_not_taken_over_again_if_the_run_dies_before_its_notes_are_gone() {
    let bucket = Bucket::memory();
    let slice = slice(&run(1), "events", &[1], KEPT);
    write_and_keep(&bucket, &slice).await;
    let mut change = taking_over(&run(2), "events", &slice.tables[0].files);
    change.tables.get_mut("events").unwrap().written = change.committed;
    put(&bucket, &key_of("events", &run(2), 0)).await;
    assert_eq!(of_use(&bucket).await.len(), 1);
    CommitLog::of(&bucket).commit(None, change).await.unwrap();
    assert_eq!(swept_before(&bucket, &run(3)).await, 0);
    assert_eq!(of_use(&bucket).await, []);
    // And the note goes with the next commit, but for the files: they are listed.
    let newest = commit_with(&bucket, &run(3), "events", &[]).await;
    assert_eq!(swept_after(&bucket, &newest).await, 0);
    assert_eq!((keys(&bucket).await.len(), note_keys(&bucket).await.len()), (3, 0));
}

#[tokio::test]
async fn a_bucket_in_which_nothing_is_kept_costs_one_list_after_a_commit_and_none_before() {
    let lists = Arc::new(AtomicUsize::new(0));
    let (bucket, _) = failing({
        let lists = Arc::clone(&lists);
        move |call, path, _| {
            let is_one = call == Call::List && path == "_sluice/kept/crm";
            lists.fetch_add(usize::from(is_one), Ordering::SeqCst);
            Fault::None
        }
    });
    let newest = run_and_commit(&bucket, &run(1), &["contacts"]).await;
    swept_after(&bucket, &newest).await;
    assert_eq!(lists.swap(0, Ordering::SeqCst), 1);
    swept_before(&bucket, &run(2)).await;
    assert_eq!(lists.load(Ordering::SeqCst), 0);
    // Only where a run has left something.
    put(&bucket, &key_of("contacts", &run(2), 0)).await;
    swept_before(&bucket, &run(3)).await;
    assert_eq!(lists.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn slices_that_are_kept_do_not_make_a_sweep_read_the_log() {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    for number in 1..20 {
        run_and_commit(&bucket, &run(number), &["contacts"]).await;
    }
    bucket.delete(&key_of("contacts", &run(1), 0)).await.unwrap();
    for number in 2..19 {
        bucket.delete(&key_of("contacts", &run(number), 0)).await.unwrap();
    }
    write_and_keep(&bucket, &slice(&run(20), "events", &[0], KEPT)).await;
    let base = CommitLog::of(&bucket).latest().await.unwrap();
    let before = store.count(Call::Get);
    let (after, swept) = sweep_before(&bucket, base.clone(), unchanged(&run(21)), ours).await.unwrap();
    assert_eq!((after, swept.files, swept.failures.len()), (base, 0, 0));
    assert_eq!(store.count(Call::Get) - before, 2, "how far sweeps came, and the note");
}
