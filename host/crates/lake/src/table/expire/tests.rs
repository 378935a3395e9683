mod cut_short;
mod year;
mod zombie;

use bytes::Bytes;
use jiff::{SignedDuration, ToSpan};
use sluice_model::run_id::RunId;

use super::*;
use crate::{
    bucket::failing::{Call, Fault, failing_s3},
    table::{
        Change, Commits, DataFile,
        change::tests::{by, change, run},
    },
};

/// How long commits are kept here: some nights.
const KEEP: Duration = Duration::from_hours(3 * 24);

/// A night, counted from 0, at which commit `night + 1` is made.
fn night(number: i64) -> Timestamp {
    let first: Timestamp = "2026-01-01T02:00:00Z".parse().unwrap();
    first + (number * 24).hours()
}

/// A change that a run makes at a time, and whose files are written first.
async fn written(bucket: &Bucket, at: Timestamp, mut change: Change) -> Change {
    change.committed = at;
    for table in change.tables.values_mut() {
        table.written = at;
        for file in &table.files {
            bucket.put(&file.key, Bytes::from(vec![0; usize::try_from(file.bytes).unwrap()])).await.unwrap();
        }
    }
    change
}

/// Commits what a run of `crm` has written at a time, on the newest.
async fn commit(bucket: &Bucket, at: Timestamp, run: &RunId, tables: &[&str]) -> Commit {
    let log = CommitLog::of(bucket);
    let base = log.latest().await.unwrap();
    log.commit(base.as_ref(), written(bucket, at, change(run, tables)).await).await.unwrap()
}

/// A commit a night, from the first on, each of a run that writes these tables.
async fn nights(bucket: &Bucket, tables: &[&[&str]]) {
    for (number, tables) in (0..).zip(tables) {
        commit(bucket, night(number), &run(u32::try_from(number).unwrap()), tables).await;
    }
}

/// So many nights, each of which writes one table.
async fn of_contacts(bucket: &Bucket, number: usize) {
    nights(bucket, &vec![["contacts"].as_slice(); number]).await;
}

/// The data files of a bucket, by table and run.
async fn files(bucket: &Bucket) -> Vec<String> {
    let all = bucket.list("").await.unwrap().into_iter().filter_map(|entry| DataKey::parse(&entry.key));
    let random = |run: &RunId| run.as_str().rsplit('-').next().unwrap_or_default().to_owned();
    all.map(|key| format!("{} {}", key.table, random(&key.run))).collect()
}

async fn numbers(bucket: &Bucket) -> Vec<u64> {
    numbered::all(bucket, &key::commits()).await.unwrap()
}

fn counts(expired: &Expired) -> (u64, u64, u64) {
    assert!(expired.failures.is_empty(), "{:?}", expired.failures);
    (expired.gone.commits, expired.gone.files, expired.gone.bytes)
}

/// As commits say that a file of these tests is long.
const FILE: u64 = 1000;

#[tokio::test]
async fn what_was_the_newest_within_the_span_stays_and_all_before_it_goes() {
    let bucket = Bucket::memory();
    nights(&bucket, &[&["contacts", "deals"], &["contacts"], &["contacts", "deals"], &["contacts"], &["contacts"]])
        .await;
    // To the second: the second commit was seen until the third was made.
    let before = expire(&bucket, KEEP, night(5) - SignedDuration::from_secs(1)).await;
    assert_eq!((counts(&before), before.oldest), ((1, 1, FILE), Some(2)));
    let expired = expire(&bucket, KEEP, night(5)).await;
    assert_eq!((counts(&expired), expired.oldest), ((1, 2, 2 * FILE), Some(3)));
    assert_eq!(numbers(&bucket).await, [3, 4, 5]);
    let left = ["contacts 00000002", "contacts 00000003", "contacts 00000004", "deals 00000002"];
    assert_eq!(files(&bucket).await, left);
    // Nothing is left to do.
    assert_eq!(counts(&expire(&bucket, KEEP, night(5)).await), (0, 0, 0));
}

#[tokio::test]
async fn the_newest_commit_stays_however_old_it_is() {
    let bucket = Bucket::memory();
    let none = expire(&bucket, KEEP, night(0)).await;
    assert_eq!((counts(&none), none.oldest), ((0, 0, 0), None));
    nights(&bucket, &[&["contacts"], &["contacts"]]).await;
    let expired = expire(&bucket, KEEP, night(1000)).await;
    assert_eq!((counts(&expired), expired.oldest), ((1, 1, FILE), Some(2)));
    let newest = CommitLog::of(&bucket).latest().await.unwrap().unwrap();
    assert_eq!((newest.number, files(&bucket).await), (2, vec!["contacts 00000001".to_owned()]));
}

#[tokio::test]
async fn who_took_the_newest_commit_of_a_pipeline_that_stood_still_has_the_whole_span() {
    let bucket = Bucket::memory();
    nights(&bucket, &[&["contacts"]]).await;
    // Nobody runs it for a year; a reader begins, and a minute later a run commits.
    commit(&bucket, night(365), &run(1), &["contacts"]).await;
    assert_eq!(counts(&expire(&bucket, KEEP, night(365)).await), (0, 0, 0));
    assert_eq!(counts(&expire(&bucket, KEEP, night(367)).await), (0, 0, 0));
    assert_eq!(counts(&expire(&bucket, KEEP, night(368)).await), (1, 1, FILE));
}

#[tokio::test]
async fn a_retired_tables_files_go_with_the_last_commit_that_lists_them() {
    let bucket = Bucket::memory();
    nights(&bucket, &[&["contacts", "deals"], &["contacts"]]).await;
    let log = CommitLog::of(&bucket);
    let mut retires = written(&bucket, night(2), change(&run(2), &["contacts"])).await;
    retires.retired.insert("deals".to_owned());
    let base = log.latest().await.unwrap();
    log.commit(base.as_ref(), retires).await.unwrap();
    commit(&bucket, night(3), &run(3), &["contacts"]).await;
    // The second commit lists the table, the third does not.
    assert_eq!(counts(&expire(&bucket, KEEP, night(4)).await), (1, 1, FILE));
    assert!(files(&bucket).await.contains(&"deals 00000000".to_owned()));
    assert_eq!(counts(&expire(&bucket, KEEP, night(5)).await), (1, 2, 2 * FILE));
    assert_eq!(files(&bucket).await, ["contacts 00000002", "contacts 00000003"]);
}

#[tokio::test]
async fn pipelines_of_one_folder_have_one_log_and_the_shortest_span_holds() {
    let bucket = Bucket::memory();
    let log = CommitLog::of(&bucket);
    for number in 0..6 {
        let (pipeline, table) = if number % 2 == 0 { ("crm", "contacts") } else { ("sales", "owners") };
        let change = by(pipeline, change(&run(number), &[table]));
        let base = log.latest().await.unwrap();
        log.commit(base.as_ref(), written(&bucket, night(number.into()), change).await).await.unwrap();
    }
    assert_eq!(counts(&expire(&bucket, Duration::from_hours(24 * 30), night(6)).await), (0, 0, 0));
    // Commit 4, of the other pipeline, stays, with the table of commit 3 that it carries.
    assert_eq!(counts(&expire(&bucket, KEEP, night(6)).await), (3, 2, 2 * FILE));
    let left = ["contacts 00000002", "contacts 00000004", "owners 00000003", "owners 00000005"];
    assert_eq!((numbers(&bucket).await, files(&bucket).await), (vec![4, 5, 6], left.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn only_data_files_are_removed_whatever_a_commit_names() {
    let bucket = Bucket::memory();
    nights(&bucket, &[&["contacts"], &["contacts"]]).await;
    let mut commit = CommitLog::of(&bucket).read(1).await.unwrap().unwrap();
    let table = commit.tables.get_mut("contacts").unwrap();
    let ours = table.files[0].clone();
    for foreign in ["readme.md", "_sluice/leases/crm/00000000000000000001.json", "contacts/part-00000.parquet"] {
        table.files.push(DataFile { key: foreign.to_owned(), ..ours.clone() });
    }
    assert_eq!(files_of(&commit).into_keys().collect::<Vec<_>>(), std::slice::from_ref(&ours.key));

    // An entry that names such a thing is damaged, and nothing goes.
    let entry = numbered::key(&key::commits(), 1);
    let stored = bucket.get(&entry).await.unwrap().unwrap();
    let stored = String::from_utf8(stored.to_vec()).unwrap().replace(&ours.key, "readme.md");
    bucket.put(&entry, Bytes::from(stored)).await.unwrap();
    let before = bucket.list("").await.unwrap();
    let expired = expire(&bucket, KEEP, night(9)).await;
    assert!(matches!(expired.failures[..], [LogError::Malformed { .. }]), "{expired:?}");
    assert_eq!(bucket.list("").await.unwrap(), before);
}

/// A run that slept for longer than commits are kept has made an entry in the gap, dated when it woke.
#[tokio::test]
async fn an_entry_below_a_gap_delays_nothing() {
    let bucket = Bucket::memory();
    nights(&bucket, &[["contacts"].as_slice(); 9]).await;
    let stray = bucket.get(&numbered::key(&key::commits(), 9)).await.unwrap().unwrap();
    assert_eq!(expire(&bucket, KEEP, night(8)).await.gone.commits, 5);
    let left = numbers(&bucket).await;
    let mut stray: serde_json::Value = serde_json::from_slice(&stray).unwrap();
    stray["number"] = 2.into();
    bucket.put(&numbered::key(&key::commits(), 2), Bytes::from(stray.to_string())).await.unwrap();
    let expired = expire(&bucket, KEEP, night(9)).await;
    assert!(expired.failures.is_empty() && expired.gone.commits > 0, "{expired:?}");
    assert!(!numbers(&bucket).await.contains(&2));
    assert_eq!(numbers(&bucket).await, left[1..]);
    let newest = CommitLog::of(&bucket).latest().await.unwrap().unwrap();
    for file in files_of(&newest).keys() {
        assert!(bucket.get(file).await.unwrap().is_some(), "{file} is listed and gone");
    }
}

#[tokio::test]
async fn a_commit_that_is_yet_to_come_says_nothing_and_the_next_decides() {
    let bucket = Bucket::memory();
    nights(&bucket, &[&["contacts"]]).await;
    commit(&bucket, night(100_000), &run(1), &["contacts"]).await;
    commit(&bucket, night(2), &run(2), &["contacts"]).await;
    commit(&bucket, night(100_000), &run(3), &["contacts"]).await;
    assert_eq!(counts(&expire(&bucket, KEEP, night(4)).await), (0, 0, 0));
    assert_eq!(counts(&expire(&bucket, KEEP, night(5)).await), (2, 2, 2 * FILE));
    assert_eq!(numbers(&bucket).await, [3, 4]);
}

#[tokio::test]
async fn nothing_above_an_entry_that_cannot_be_read_goes() {
    for (content, expected) in [
        (
            "{\"format\": 2}",
            "commit `_sluice/commits/00000000000000000003.json` in `memory://` is of format 2, which this version cannot read",
        ),
        ("{", "commit `_sluice/commits/00000000000000000003.json` in `memory://` is damaged"),
    ] {
        let bucket = Bucket::memory();
        of_contacts(&bucket, 6).await;
        bucket.put(&numbered::key(&key::commits(), 3), Bytes::from_static(content.as_bytes())).await.unwrap();
        let expired = expire(&bucket, KEEP, night(100)).await;
        assert_eq!(
            (expired.gone.commits, expired.gone.files, expired.oldest),
            (1, 1, Some(2)),
            "{:?}",
            expired.failures
        );
        let told: Vec<String> = expired.failures.iter().map(ToString::to_string).collect();
        assert_eq!(told, [expected]);
        assert!(expired.failures[0].hint().is_some());
        assert_eq!((numbers(&bucket).await, files(&bucket).await.len()), (vec![2, 3, 4, 5, 6], 5));
    }
}

#[tokio::test]
async fn a_file_that_may_not_be_removed_keeps_its_commit_and_all_above() {
    let (bucket, _) =
        failing_s3(
            |call, path, _| {
                if call == Call::Delete && path.contains("-00000001/") { Fault::Denied } else { Fault::None }
            },
        );
    of_contacts(&bucket, 4).await;
    let expired = expire(&bucket, KEEP, night(100)).await;
    assert_eq!((expired.gone.commits, expired.gone.files, expired.oldest), (1, 1, Some(2)));
    assert!(matches!(
        &expired.failures[..],
        [LogError::Bucket(BucketError::AccessDenied { action: "s3:DeleteObject", .. })]
    ));
    assert_eq!(numbers(&bucket).await, [2, 3, 4]);
}

#[tokio::test]
async fn a_night_costs_four_reads_however_long_the_log() {
    let (bucket, store) = failing_s3(|_, _, _| Fault::None);
    of_contacts(&bucket, 40).await;
    expire(&bucket, Duration::from_hours(30 * 24), night(39)).await;
    commit(&bucket, night(40), &run(40), &["contacts"]).await;
    let (reads, lists) = (store.count(Call::Get), store.count(Call::List));
    assert_eq!(counts(&expire(&bucket, Duration::from_hours(30 * 24), night(40)).await), (1, 1, FILE));
    assert_eq!((store.count(Call::Get) - reads, store.count(Call::List) - lists), (4, 1));
}
