//! What a sweep reads of a long log.

use jiff::Timestamp;

use super::*;
use crate::bucket::failing::FailingStore;

fn at(hour: i64) -> Timestamp {
    "2026-11-01T00:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_hours(hour)
}

/// What the run of an hour does: sweeps, writes a file, commits, and sweeps again. Another pipeline commits in between.
async fn hour(bucket: &Bucket, hour: i64) -> Commit {
    let log = CommitLog::of(bucket);
    let run = RunId::new(at(hour)).unwrap();
    let timed = |run: &RunId, tables: &[&str]| Change { committed: at(hour), ..change(run, tables) };
    let base = log.latest().await.unwrap();
    let (base, swept) = sweep_before(bucket, base, timed(&run, &[]), ours).await.unwrap();
    assert!(swept.failures.is_empty(), "{:?}", swept.failures);
    put(bucket, &key_of("contacts", &run, 0)).await;
    let newest = log.commit(base.as_ref(), timed(&run, &["contacts"])).await.unwrap();
    let other = by("sales", timed(&RunId::new(at(hour)).unwrap(), &["deals"]));
    log.commit(Some(&newest), other).await.unwrap();
    let swept = sweep_after(bucket, &newest, ours).await;
    assert!(swept.failures.is_empty(), "{:?}", swept.failures);
    newest
}

/// A log of four hundred commits, and a file of a run that has crashed after them.
async fn long_log() -> (Bucket, Arc<FailingStore>, String) {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    for number in 0..200 {
        hour(&bucket, number).await;
    }
    let crashed = key_of("contacts", &RunId::new(at(200)).unwrap(), 0);
    put(&bucket, &crashed).await;
    (bucket, store, crashed)
}

#[tokio::test]
async fn a_run_that_crashed_makes_no_sweep_read_the_whole_log() {
    let (bucket, store, crashed) = long_log().await;
    let before = store.count(Call::Get);
    hour(&bucket, 201).await;
    let read = store.count(Call::Get) - before;
    assert!(read <= 30, "{read} reads");
    let left = keys(&bucket).await;
    assert!(!left.contains(&crashed));
    // All that any commit lists stays.
    assert_eq!(left.len(), 201);
}

#[tokio::test]
async fn what_a_note_says_that_is_of_another_log_is_not_believed() {
    let (bucket, _, crashed) = long_log().await;
    let swept = "_sluice/swept/crm.json";
    let listed = keys(&bucket).await.len() - 1;
    // Nothing was accounted for by then, or by a commit that there is not.
    for forged in [r#"{"runs_from": ""}"#, r#"{"runs_from": "", "judged": {"commit": 4000000}}"#, "{"] {
        bucket.put(swept, Bytes::from(forged)).await.unwrap();
        put(&bucket, &crashed).await;
        let newest = CommitLog::of(&bucket).latest().await.unwrap();
        let run = RunId::new(at(300)).unwrap();
        let (_, swept) = sweep_before(&bucket, newest, unchanged(&run), ours).await.unwrap();
        assert_eq!((swept.files, swept.failures.len()), (1, 0), "{forged}");
        assert_eq!(keys(&bucket).await.len(), listed, "{forged}");
    }
}

#[tokio::test]
async fn a_sweep_below_a_commit_whose_number_is_forged_asks_for_what_is_there() {
    // Whoever counts down from it is refused at last.
    let (bucket, store) = failing(|call, _, count| match call {
        Call::List if count > 400 => Fault::Denied,
        _ => Fault::None,
    });
    for number in 0..3 {
        hour(&bucket, number).await;
    }
    let newest = CommitLog::of(&bucket).latest().await.unwrap().unwrap();
    let key = |number: u64| format!("_sluice/commits/{number:020}.json");
    let content = bucket.get(&key(newest.number)).await.unwrap().unwrap();
    let mut forged: serde_json::Value = serde_json::from_slice(&content).unwrap();
    forged["number"] = (1_u64 << 39).into();
    bucket.put(&key(1 << 39), Bytes::from(forged.to_string())).await.unwrap();
    bucket.delete("_sluice/swept/crm.json").await.unwrap();
    let crashed = key_of("contacts", &RunId::new(at(200)).unwrap(), 0);
    put(&bucket, &crashed).await;

    let base = CommitLog::of(&bucket).latest().await.unwrap();
    assert_eq!(base.as_ref().map(|base| base.number), Some(1 << 39));
    let (lists, reads) = (store.count(Call::List), store.count(Call::Get));
    let run = RunId::new(at(201)).unwrap();
    let (_, swept) = sweep_before(&bucket, base, unchanged(&run), ours).await.unwrap();
    assert_eq!((swept.files, swept.failures.len()), (1, 0), "{:?}", swept.failures);
    // The folders, those of the four tables' files, and the log, twice.
    assert!(store.count(Call::List) - lists <= 8, "{} lists", store.count(Call::List) - lists);
    assert!(store.count(Call::Get) - reads <= 8, "{} reads", store.count(Call::Get) - reads);
    assert!(!keys(&bucket).await.contains(&crashed));
}

#[tokio::test]
async fn a_note_that_is_larger_than_any_sweep_writes_says_nothing() {
    let (bucket, _) = failing(|_, _, _| Fault::None);
    let crashed = key_of("contacts", &run(1), 0);
    for (blanks, files) in [(1 << 20, 0), (5 << 20, 1)] {
        put(&bucket, &crashed).await;
        // By what it says, all is accounted for.
        let note = format!(r#"{{"runs_from": "9"{}}}"#, " ".repeat(blanks));
        bucket.put("_sluice/swept/crm.json", Bytes::from(note)).await.unwrap();
        let (_, swept) = sweep_before(&bucket, None, unchanged(&run(2)), ours).await.unwrap();
        assert_eq!((swept.files, swept.failures.len()), (files, 0), "{blanks}");
    }
}

#[tokio::test]
async fn numbers_in_a_note_that_no_commit_has_are_not_counted_up_from() {
    let (bucket, _, crashed) = long_log().await;
    let crashed_run = DataKey::parse(&crashed).unwrap().run;
    let open = format!(r#"{{"{crashed_run}": {}}}"#, u64::MAX);
    let note = format!(r#"{{"runs_from": "", "judged": {{"commit": 1, "from": "", "open": {open}}}}}"#);
    bucket.put("_sluice/swept/crm.json", Bytes::from(note)).await.unwrap();
    let newest = CommitLog::of(&bucket).latest().await.unwrap();
    let (_, swept) = sweep_before(&bucket, newest, unchanged(&RunId::new(at(300)).unwrap()), ours).await.unwrap();
    assert_eq!((swept.files, swept.failures.len()), (1, 0), "{:?}", swept.failures);
}
