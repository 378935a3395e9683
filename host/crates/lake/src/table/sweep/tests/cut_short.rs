//! Sweeps of kept slices that are cut short, lose their lease, or meet a run that has lost its own.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use jiff::Timestamp;

use super::{
    super::reach::Reach,
    kept::{KEPT, commit_with, of_use, swept_after, swept_before, taking_over},
    *,
};
use crate::table::kept::{
    self, KEPT_FOR, KeptSlice,
    tests::{note_keys, slice, write_and_keep},
};

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
            if refused.as_deref().is_some_and(|refused| path.starts_with(refused)) {
                Fault::Denied
            } else {
                Fault::None
            }
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
    // The first removal is that of the note.
    let (bucket, _) = failing(|call, _, count| match (call, count) {
        (Call::Delete, 2) => Fault::Denied,
        _ => Fault::None,
    });
    write_and_keep(&bucket, &slice(&run(1), "events", &[0], KEPT)).await;
    let newest = commit_with(&bucket, &run(3), "events", &[]).await;
    let swept = sweep_after(&bucket, &newest, ours).await;
    assert_eq!((swept.files, swept.failures.len()), (0, 1), "{:?}", swept.failures);
    assert_eq!((keys(&bucket).await.len(), note_keys(&bucket).await.len()), (2, 0));
    // It is a file that no note names now, and found like any other.
    assert_eq!(swept_before(&bucket, &run(4)).await, 1);
    assert_eq!(keys(&bucket).await, [key_of("events", &run(3), 0)]);
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
    let (base, swept) = sweep_before(&bucket, None, Change { committed, ..unchanged(&second) }, ours).await.unwrap();
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
                        if !armed.load(Ordering::SeqCst)
                            || path.starts_with("events/pipeline=crm/run=20261123T201500Z-00000004")
                        {
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
