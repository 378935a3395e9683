//! The contract of what makes tables visible: one suite, run over each implementation.

mod memory;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sluice_model::run_id::RunId;
use tokio::sync::Barrier;

use self::memory::MemoryCommits;
use super::*;
use crate::{
    bucket::{
        Bucket, Settings,
        failing::{Fault, failing},
    },
    table::change::tests::{by, change, run},
};

/// A log without commits.
type Empty<'e> = dyn Fn() -> Arc<dyn Commits> + 'e;

/// Everything that is promised of [`Commits`].
async fn keeps_the_contract(empty: &Empty<'_>) {
    the_newest_commit_is_what_was_committed_last(&*empty()).await;
    a_retired_table_is_gone_and_others_stay(&*empty()).await;
    who_is_late_is_committed_on_the_newest(&*empty()).await;
    who_is_late_for_its_own_pipeline_has_lost(&*empty()).await;
    who_is_late_for_one_of_its_tables_is_told_whose_it_is(&*empty()).await;
    pipelines_side_by_side_never_make_each_other_fail(empty()).await;
    of_many_runs_of_one_pipeline_at_once_one_succeeds(empty).await;
}

fn writers(commit: &Commit) -> Vec<(&str, RunId)> {
    commit.tables.iter().map(|(name, table)| (name.as_str(), table.run.clone())).collect()
}

async fn the_newest_commit_is_what_was_committed_last(log: &dyn Commits) {
    assert_eq!(log.latest().await.unwrap(), None);
    let first = log.commit(None, change(&run(1), &["contacts", "deals"])).await.unwrap();
    assert_eq!(log.latest().await.unwrap().as_ref(), Some(&first));
    assert_eq!(first.tables, change(&run(1), &["contacts", "deals"]).tables);
    let second = log.commit(Some(&first), change(&run(2), &["deals"])).await.unwrap();
    assert_eq!(log.latest().await.unwrap().as_ref(), Some(&second));
    assert!(second.number > first.number);
    assert_eq!(writers(&second), [("contacts", run(1)), ("deals", run(2))]);
    // One that changes nothing is a commit, too.
    let third = log.commit(Some(&second), change(&run(3), &[])).await.unwrap();
    assert_eq!((log.latest().await.unwrap().unwrap().author.run, &third.tables), (run(3), &second.tables));
}

async fn a_retired_table_is_gone_and_others_stay(log: &dyn Commits) {
    let first = log.commit(None, change(&run(1), &["contacts", "deals"])).await.unwrap();
    let retires = Change { retired: BTreeSet::from(["deals".to_owned()]), ..change(&run(2), &[]) };
    log.commit(Some(&first), retires).await.unwrap();
    assert_eq!(writers(&log.latest().await.unwrap().unwrap()), [("contacts", run(1))]);
}

async fn who_is_late_is_committed_on_the_newest(log: &dyn Commits) {
    let base = log.commit(None, change(&run(1), &["contacts", "deals"])).await.unwrap();
    let mut newest = base.clone();
    for number in 2..5 {
        newest = log.commit(Some(&newest), by("sales", change(&run(number), &["owners"]))).await.unwrap();
    }
    let mut late = change(&run(9), &["contacts", "notes"]);
    late.retired.insert("deals".to_owned());
    let commit = log.commit(Some(&base), late).await.unwrap();
    assert_eq!(log.latest().await.unwrap().as_ref(), Some(&commit));
    assert!(commit.number > newest.number && commit.author.run == run(9));
    assert_eq!(writers(&commit), [("contacts", run(9)), ("notes", run(9)), ("owners", run(4))]);
}

async fn who_is_late_for_its_own_pipeline_has_lost(log: &dyn Commits) {
    // The first commit in between is nobody's business. The second changes nothing, and that is what it is for.
    let first = log.commit(None, by("sales", change(&run(1), &["owners"]))).await.unwrap();
    let fence = log.commit(Some(&first), change(&run(2), &[])).await.unwrap();
    let error = log.commit(None, change(&run(3), &["contacts"])).await.unwrap_err();
    assert!(matches!(&error, LogError::Raced { run: first, pipeline, .. } if *first == run(2) && pipeline == "crm"));
    assert!(!error.may_have_been_made());
    assert_eq!(log.latest().await.unwrap(), Some(fence));
}

async fn who_is_late_for_one_of_its_tables_is_told_whose_it_is(log: &dyn Commits) {
    let first = log.commit(None, by("sales", change(&run(1), &["owners"]))).await.unwrap();
    let second = log.commit(Some(&first), by("sales", change(&run(2), &["Contacts"]))).await.unwrap();
    let error = log.commit(None, change(&run(3), &["companies", "contacts"])).await.unwrap_err();
    let LogError::TablesMeet { table, pipeline, other, run: first, .. } = &error else { panic!("{error}") };
    assert_eq!((table.as_str(), pipeline.as_str(), other.as_str(), first), ("contacts", "crm", "sales", &run(2)));
    assert!(!error.may_have_been_made());
    assert_eq!(log.latest().await.unwrap(), Some(second));
}

/// Each run after run, all at once: all succeed, and each finds its table as it left it.
async fn pipelines_side_by_side_never_make_each_other_fail(log: Arc<dyn Commits>) {
    const PIPELINES: u32 = 4;
    const ROUNDS: u32 = 50;
    let barrier = Arc::new(Barrier::new(PIPELINES as usize));
    let work = (0..PIPELINES).map(|pipeline| {
        let (log, barrier) = (Arc::clone(&log), Arc::clone(&barrier));
        tokio::spawn(async move {
            let (name, table) = (format!("p{pipeline}"), format!("t{pipeline}"));
            let mut before = None;
            for round in 0..ROUNDS {
                let base = log.latest().await.unwrap();
                let listed = base.as_ref().and_then(|base| base.tables.get(&table).cloned());
                assert_eq!(listed, before, "round {round} of {name}");
                barrier.wait().await;
                let change = by(&name, change(&run(pipeline * ROUNDS + round), &[&table]));
                before = Some(change.tables[&table].clone());
                log.commit(base.as_ref(), change).await.unwrap();
            }
        })
    });
    for pipeline in work.collect::<Vec<_>>() {
        pipeline.await.unwrap();
    }
    let newest = log.latest().await.unwrap().unwrap();
    let last = (0..PIPELINES).map(|pipeline| run((pipeline + 1) * ROUNDS - 1)).collect::<Vec<_>>();
    assert_eq!(writers(&newest).into_iter().map(|(_, run)| run).collect::<Vec<_>>(), last);
}

async fn of_many_runs_of_one_pipeline_at_once_one_succeeds(empty: &Empty<'_>) {
    for round in 0..20 {
        let (log, barrier) = (empty(), Arc::new(Barrier::new(8)));
        let runs: Vec<_> = (0..8)
            .map(|number| {
                let (log, barrier) = (Arc::clone(&log), Arc::clone(&barrier));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_in_memory_keep_the_contract() {
    keeps_the_contract(&|| Arc::new(MemoryCommits::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_of_a_bucket_in_memory_keeps_the_contract() {
    keeps_the_contract(&|| Arc::new(CommitLog::of(&Bucket::memory()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_of_a_folder_keeps_the_contract() {
    let temporary = tempfile::tempdir().unwrap();
    let mut buckets = Vec::new();
    for number in 0..30 {
        let settings = Settings::File { path: temporary.path().join(number.to_string()) };
        buckets.push(Bucket::open(&settings).await.unwrap());
    }
    let next = AtomicUsize::new(0);
    keeps_the_contract(&|| Arc::new(CommitLog::of(&buckets[next.fetch_add(1, Ordering::Relaxed)]))).await;
}

/// The contract where one request, or each from one on, is refused, not answered, or done without an answer.
#[tokio::test]
async fn whatever_request_fails_what_is_said_of_a_commit_is_true() {
    let mut outcomes = BTreeSet::new();
    for fault in [Fault::Denied, Fault::NoAnswer, Fault::AnswerLost] {
        for lasting in [false, true] {
            for struck in 0.. {
                // Faults begin when the run commits, and end when it is told: what others see is not in question.
                let (asked, armed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
                let (bucket, _) = failing({
                    let (asked, armed) = (Arc::clone(&asked), Arc::clone(&armed));
                    move |_, _, _| {
                        let number = asked.fetch_add(1, Ordering::SeqCst);
                        let strikes = number == struck || lasting && number > struck;
                        if armed.load(Ordering::SeqCst) == 1 && strikes { fault } else { Fault::None }
                    }
                });
                let log = CommitLog::of(&bucket);
                let base = log.commit(None, by("sales", change(&run(1), &["owners"]))).await.unwrap();
                let newest = log.commit(Some(&base), by("sales", change(&run(2), &["owners"]))).await.unwrap();
                asked.store(0, Ordering::SeqCst);
                armed.store(1, Ordering::SeqCst);
                let outcome = log.commit(Some(&base), change(&run(3), &["contacts"])).await;
                armed.store(0, Ordering::SeqCst);

                let there = log.latest().await.unwrap().unwrap();
                let what = format!("{fault:?}, lasting: {lasting}, request {struck}: {outcome:?}");
                match &outcome {
                    Ok(commit) => assert_eq!(there, *commit, "{what}"),
                    Err(error) if error.may_have_been_made() => {
                        assert!(there == newest || there.author.run == run(3), "{what}");
                    }
                    Err(_) => assert_eq!(there, newest, "{what}"),
                }
                let told = match &outcome {
                    Ok(_) => "made",
                    Err(error) if error.may_have_been_made() => "unknown",
                    Err(_) => "not made",
                };
                if asked.load(Ordering::SeqCst) <= struck {
                    assert!(outcome.is_ok(), "{what}");
                    assert!(struck >= 4, "only {struck} requests were tried");
                    break;
                }
                outcomes.insert((format!("{fault:?}"), told));
            }
        }
    }
    // Each kind of answer is one that is given.
    for told in ["made", "unknown", "not made"] {
        assert!(outcomes.iter().any(|(_, it)| *it == told), "{told}: {outcomes:?}");
    }
}
