//! Sweeps where slices are kept: what is spared, what is taken over, and what goes in the end.

use std::sync::{
    Arc, Mutex,
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
const KEPT: &str = "2026-11-23T20:17:00Z";

/// What a run that looks after its sweep may take over.
async fn of_use(bucket: &Bucket) -> Vec<KeptSlice> {
    let base = CommitLog::of(bucket).latest().await.unwrap();
    let now = unchanged(&run(0)).committed;
    kept::kept(bucket, "crm", kept::of_use_since("crm", base.as_ref(), now)).await.unwrap()
}

/// A change by a run that has written one table, and has taken files of another run over into it.
fn taking_over(run: &RunId, name: &str, files: &[DataFile]) -> Change {
    let mut change = change(run, &[name]);
    let fed = table(name, run).streams.remove(0);
    change.tables.get_mut(name).unwrap().feed(fed, files.to_vec());
    change
}

/// A run writes its own file, and commits with those that it takes over.
async fn commit_with(bucket: &Bucket, run: &RunId, name: &str, files: &[DataFile]) -> Commit {
    put(bucket, &key_of(name, run, 0)).await;
    let log = CommitLog::of(bucket);
    let base = log.latest().await.unwrap();
    log.commit(base.as_ref(), taking_over(run, name, files)).await.unwrap()
}

/// The run before reading, as far as the bucket goes. Gives how many files were removed, and fails unless all went well.
async fn swept_before(bucket: &Bucket, run: &RunId) -> u64 {
    let base = CommitLog::of(bucket).latest().await.unwrap();
    let (_, swept) = sweep_before(bucket, base, unchanged(run), ours).await.unwrap();
    assert!(swept.failures.is_empty(), "{:?}", swept.failures);
    swept.files
}

async fn swept_after(bucket: &Bucket, newest: &Commit) -> u64 {
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
    let (base, swept) =
        sweep_before(&bucket, None, unchanged_at(&second, "2026-11-23T18:00:01Z"), ours).await.unwrap();
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

/// A bucket that writes down what is removed, in order, and refuses to remove one key.
fn removals(refused: Option<String>) -> (Bucket, Arc<Mutex<Vec<String>>>) {
    let removed = Arc::new(Mutex::new(Vec::new()));
    let (bucket, _) = failing({
        let removed = Arc::clone(&removed);
        move |call, path, _| {
            if call != Call::Delete {
                return Fault::None;
            }
            removed.lock().unwrap().push(path.to_owned());
            if refused.as_deref().is_some_and(|refused| path.starts_with(refused)) { Fault::Denied } else { Fault::None }
        }
    });
    (bucket, removed)
}

#[tokio::test]
async fn notes_go_before_any_file_and_files_only_if_all_notes_are_gone() {
    let (bucket, removed) = removals(None);
    let slices = [slice(&run(1), "events", &[0], KEPT), slice(&run(2), "events", &[0], KEPT)];
    for slice in &slices {
        write_and_keep(&bucket, slice).await;
    }
    let newest = commit_with(&bucket, &run(3), "events", &[]).await;
    assert_eq!(swept_after(&bucket, &newest).await, 2);
    let order: Vec<bool> = removed.lock().unwrap().iter().map(|key| key.starts_with("_sluice/kept/")).collect();
    assert_eq!(order, [true, true, false, false]);

    let (bucket, removed) = removals(Some("_sluice/kept/crm/20261123T201500Z-00000002".to_owned()));
    for slice in &slices {
        write_and_keep(&bucket, slice).await;
    }
    let newest = commit_with(&bucket, &run(3), "events", &[]).await;
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!((swept.files, swept.failures.len()), (0, 1), "{:?}", swept.failures);
    assert!(removed.lock().unwrap().iter().all(|key| key.starts_with("_sluice/kept/")));
    assert_eq!((keys(&bucket).await.len(), note_keys(&bucket).await.len()), (3, 1));
}

#[tokio::test]
async fn a_sweep_that_dies_between_notes_and_files_is_ended_by_the_next() {
    let (bucket, _) = removals(Some("events/".to_owned()));
    write_and_keep(&bucket, &slice(&run(1), "events", &[0], KEPT)).await;
    let newest = commit_with(&bucket, &run(3), "events", &[]).await;
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!((swept.files, swept.failures.len()), (0, 1), "{:?}", swept.failures);
    assert_eq!((keys(&bucket).await.len(), note_keys(&bucket).await.len()), (2, 0));
    // It is a file that no note names now, and found like any other.
    let (_, swept) = sweep_before(&bucket, Some(newest), unchanged(&run(4)), ours).await.unwrap();
    assert_eq!((swept.files, swept.failures.len()), (0, 1));
}

/// Each time that the lease is looked at, another answer; the last one stands.
fn lease<const N: usize>(answers: [bool; N]) -> impl AsyncFn() -> bool {
    let asked = AtomicUsize::new(0);
    move || {
        let answer = answers[asked.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)];
        async move { answer }
    }
}

#[tokio::test]
async fn a_sweep_whose_lease_is_taken_over_leaves_what_the_next_run_may_have_taken_over() {
    // Before it has begun: not even notes go.
    let bucket = Bucket::memory();
    let slice = slice(&run(1), "events", &[0], KEPT);
    write_and_keep(&bucket, &slice).await;
    let newest = commit_with(&bucket, &run(2), "notes", &[]).await;
    let swept = sweep_after(&bucket, &newest, lease([false])).await;
    assert!(matches!(swept.failures[..], [SweepError::NotOurs]), "{:?}", swept.failures);
    assert_eq!(note_keys(&bucket).await.len(), 1);
    // Nor are they where there are only notes: of a slice without rows, whose run has the lease now.
    let others = Bucket::memory();
    kept::keep(&others, &KeptSlice { tables: Vec::new(), ..slice.clone() }).await.unwrap();
    let theirs = commit_with(&others, &run(2), "notes", &[]).await;
    let swept = sweep_after(&others, &theirs, lease([false])).await;
    assert!(matches!(swept.failures[..], [SweepError::NotOurs]), "{:?}", swept.failures);
    assert_eq!(note_keys(&others).await.len(), 1);
    // In the middle: the next run may have read the note before it was removed, and builds on this run's commit.
    let swept = sweep_after(&bucket, &newest, lease([true, false])).await;
    assert!(matches!(swept.failures[..], [SweepError::NotOurs]), "{:?}", swept.failures);
    assert_eq!((swept.files, note_keys(&bucket).await.len()), (0, 0));
    let next = commit_with(&bucket, &run(3), "events", &slice.tables[0].files).await;
    assert_eq!(swept_after(&bucket, &next).await, 0);
    assert!(keys(&bucket).await.contains(&slice.tables[0].files[0].key));
    // Before reading, a note whose time is over.
    let bucket = Bucket::memory();
    write_and_keep(&bucket, &slice).await;
    let late = Change { committed: slice.kept + KEPT_FOR + KEPT_FOR, ..unchanged(&run(2)) };
    let (fence, swept) = sweep_before(&bucket, None, late, lease([true, false])).await.unwrap();
    assert!(matches!(swept.failures[..], [SweepError::NotOurs]), "{:?}", swept.failures);
    assert_eq!((keys(&bucket).await.len(), note_keys(&bucket).await.len()), (1, 0));
    // Whoever sweeps next finds it.
    let (_, swept) = sweep_before(&bucket, fence, unchanged(&run(3)), ours).await.unwrap();
    assert_eq!((swept.files, keys(&bucket).await.len()), (1, 0));
}

#[tokio::test]
async fn of_a_run_that_was_thought_dead_and_the_one_that_took_its_files_over_one_commits() {
    for the_dead_is_quicker in [false, true] {
        let bucket = Bucket::memory();
        let log = CommitLog::of(&bucket);
        let base = run_and_commit(&bucket, &run(1), &["contacts"]).await;
        let slice = slice(&run(2), "events", &[0], KEPT);
        write_and_keep(&bucket, &slice).await;
        // There is nothing to remove, so there is no fence.
        assert_eq!(swept_before(&bucket, &run(3)).await, 0);
        assert_eq!(of_use(&bucket).await, std::slice::from_ref(&slice));
        let mut of_dead = change(&run(2), &["events"]);
        of_dead.tables.get_mut("events").unwrap().files.clone_from(&slice.tables[0].files);
        put(&bucket, &key_of("events", &run(3), 0)).await;
        let of_next = taking_over(&run(3), "events", &slice.tables[0].files);
        let (first, second) = if the_dead_is_quicker { (of_dead, of_next) } else { (of_next, of_dead) };
        let first = log.commit(Some(&base), first).await.unwrap();
        let error = log.commit(Some(&base), second).await.unwrap_err();
        assert!(matches!(error, LogError::Raced { .. }), "{error}");
        // The one that was thought dead sweeps nothing, for it looks at the lease.
        let swept = sweep_after(&bucket, &first, lease([!the_dead_is_quicker])).await;
        assert_eq!((swept.files, swept.failures.len()), (0, usize::from(the_dead_is_quicker)));
        let there = keys(&bucket).await;
        for file in first.tables.values().flat_map(|table| &table.files) {
            assert!(there.contains(&file.key), "{} of {there:?}", file.key);
        }
    }
}

#[tokio::test]
async fn what_a_run_without_a_lease_keeps_later_is_believed_if_it_is_there_and_goes_with_the_next_commit() {
    let at = |time: &str| time.parse::<Timestamp>().unwrap();
    let began = |time: &str| RunId::new(at(time)).unwrap();
    let bucket = Bucket::memory();
    let (without_lease, second) = (began("2026-11-23T08:00:00Z"), began("2026-11-23T15:00:00Z"));
    // Sealed; and swept as it is not noted yet.
    put(&bucket, &key_of("events", &without_lease, 0)).await;
    let committed = at("2026-11-23T18:00:00Z");
    let (base, swept) =
        sweep_before(&bucket, None, Change { committed, ..unchanged(&second) }, ours).await.unwrap();
    assert_eq!(swept.files, 1);
    assert_eq!(Reach::read(&bucket, "crm").await.unwrap().runs_from, "20261123T170000Z");
    kept::keep(&bucket, &slice(&without_lease, "events", &[0], "2026-11-23T18:00:01Z")).await.unwrap();
    let whole = slice(&without_lease, "events", &[1], "2026-11-23T18:00:02Z");
    write_and_keep(&bucket, &whole).await;
    assert_eq!(of_use(&bucket).await, [whole]);
    // However far sweeps came.
    put(&bucket, &key_of("contacts", &second, 0)).await;
    let newest = CommitLog::of(&bucket)
        .commit(base.as_ref(), Change { committed, ..change(&second, &["contacts"]) })
        .await
        .unwrap();
    swept_after(&bucket, &newest).await;
    assert_eq!(keys(&bucket).await, [key_of("contacts", &second, 0)]);
    assert_eq!(note_keys(&bucket).await, [""; 0]);
}

/// Two runs with kept slices, one of which is over its time, and leftovers; a run that takes one over and commits.
async fn sweep_take_over_and_sweep(bucket: &Bucket) -> Result<(), LogError> {
    let (base, _) = sweep_before(bucket, None, unchanged(&run(4)), ours).await?;
    let taken_over = of_use_or_none(bucket).await;
    put(bucket, &key_of("events", &run(4), 0)).await;
    let files: Vec<_> = taken_over.iter().flat_map(KeptSlice::files).cloned().collect();
    let newest = CommitLog::of(bucket).commit(base.as_ref(), taking_over(&run(4), "events", &files)).await?;
    sweep_after(bucket, &newest, ours).await;
    Ok(())
}

async fn of_use_or_none(bucket: &Bucket) -> Vec<KeptSlice> {
    kept::kept(bucket, "crm", Timestamp::MIN).await.unwrap_or_default()
}

#[tokio::test]
async fn whatever_request_fails_no_note_outlives_its_files_and_no_commit_lists_what_is_gone() {
    for fault in [Fault::Denied, Fault::NoAnswer, Fault::AnswerLost] {
        for lasting in [false, true] {
            for struck in 0.. {
                let (asked, armed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
                let (bucket, _) = failing({
                    let (asked, armed) = (Arc::clone(&asked), Arc::clone(&armed));
                    move |_, path, _| {
                        // What a run reads and writes itself is not in question.
                        if !armed.load(Ordering::SeqCst) || path.starts_with("events/pipeline=crm/run=20261123T201500Z-00000004") {
                            return Fault::None;
                        }
                        let number = asked.fetch_add(1, Ordering::SeqCst);
                        if number == struck || lasting && number > struck { fault } else { Fault::None }
                    }
                });
                write_and_keep(&bucket, &slice(&run(1), "events", &[0, 1], "2026-11-20T00:00:00Z")).await;
                write_and_keep(&bucket, &slice(&run(2), "events", &[0], KEPT)).await;
                for part in [1, 2] {
                    put(&bucket, &key_of("events", &run(2), part)).await;
                }
                armed.store(true, Ordering::SeqCst);
                let outcome = sweep_take_over_and_sweep(&bucket).await;
                armed.store(false, Ordering::SeqCst);

                let what = format!("{fault:?}, lasting: {lasting}, request {struck}: {outcome:?}");
                let there = keys(&bucket).await;
                let log = CommitLog::of(&bucket);
                let newest = log.latest().await.unwrap();
                for file in newest.iter().flat_map(|it| it.tables.values()).flat_map(|table| &table.files) {
                    assert!(there.contains(&file.key), "{what}: {} is gone", file.key);
                }
                let notes = note_keys(&bucket).await.len();
                assert_eq!(of_use_or_none(&bucket).await.len(), notes, "{what}: a note names what is gone");
                // The next run ends it.
                let last = commit_with(&bucket, &run(5), "events", &[]).await;
                swept_after(&bucket, &last).await;
                let mut listed: Vec<_> = [newest, Some(last)].into_iter().flatten().flat_map(|it| it.tables).collect();
                let listed = listed.drain(..).flat_map(|(_, table)| table.files).map(|file| file.key);
                let mut listed: Vec<String> = listed.collect();
                listed.sort();
                assert_eq!((keys(&bucket).await, note_keys(&bucket).await.len()), (listed, 0), "{what}");
                if asked.load(Ordering::SeqCst) <= struck {
                    assert!(outcome.is_ok() && struck > 15, "only {struck} requests were tried");
                    break;
                }
            }
        }
    }
}
