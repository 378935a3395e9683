//! The contract of buckets: one suite, run by every kind, here and against servers that are not ours.

use std::sync::Arc;

use sluice_lake::bucket::{Bucket, PART_SIZE, Put};

use bytes::Bytes;
use tokio::sync::Barrier;

/// Everything that buckets promise. The bucket must be empty; it is not afterwards.
pub(crate) async fn keeps_the_contract(bucket: &Bucket) {
    keeps_the_contract_but_for_folders(bucket).await;
    folders_are_nothing_but_keys(bucket).await;
}

/// The same, but for what a store gets wrong that takes keys for files in folders. The rest of the program relies on no more.
pub(crate) async fn keeps_the_contract_but_for_folders(bucket: &Bucket) {
    what_is_put_is_got(bucket).await;
    absence_is_not_an_error(bucket).await;
    lists_are_in_order_and_of_one_folder(bucket).await;
    one_of_many_creates(bucket).await;
    uploads_appear_whole_or_not_at_all(bucket).await;
}

async fn what_is_put_is_got(bucket: &Bucket) {
    let key = "contract/run=20261123T201500Z-1a2b3c4d/part-00000.parquet";
    bucket.put(key, Bytes::from_static(b"first")).await.unwrap();
    assert_eq!(bucket.get(key).await.unwrap().unwrap(), "first");
    bucket.put(key, Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(bucket.get(key).await.unwrap().unwrap(), "second");
    bucket.put(key, Bytes::new()).await.unwrap();
    assert_eq!(bucket.get(key).await.unwrap().unwrap(), "");
    bucket.delete(key).await.unwrap();
    assert_eq!(bucket.get(key).await.unwrap(), None);
}

async fn absence_is_not_an_error(bucket: &Bucket) {
    assert_eq!(bucket.get("absent/x").await.unwrap(), None);
    bucket.delete("absent/x").await.unwrap();
    assert!(bucket.list("absent").await.unwrap().is_empty());
    assert!(bucket.list_after("absent", "absent/x", 10).await.unwrap().is_empty());
    assert!(bucket.list_unfinished("absent").await.unwrap().is_empty());
}

async fn lists_are_in_order_and_of_one_folder(bucket: &Bucket) {
    for key in ["lists/b/2", "lists/a", "lists/b/10", "lists/b/1", "lists-too/x", "lists/c/d/e"] {
        bucket.put(key, Bytes::from(key)).await.unwrap();
    }
    let keys = |found: Vec<sluice_lake::bucket::Entry>| found.into_iter().map(|entry| entry.key).collect::<Vec<_>>();
    let all = bucket.list("lists").await.unwrap();
    assert!(all.iter().all(|entry| entry.bytes == entry.key.len() as u64), "{all:?}");
    assert_eq!(keys(all), ["lists/a", "lists/b/1", "lists/b/10", "lists/b/2", "lists/c/d/e"]);
    assert_eq!(keys(bucket.list("lists/b").await.unwrap()), ["lists/b/1", "lists/b/10", "lists/b/2"]);
    let after = bucket.list_after("lists", "lists/b/1", usize::MAX).await.unwrap();
    assert_eq!(keys(after), ["lists/b/10", "lists/b/2", "lists/c/d/e"]);
    // What to begin after need not exist, and the first so many are the first.
    assert_eq!(keys(bucket.list_after("lists", "lists/b/0", 2).await.unwrap()), ["lists/b/1", "lists/b/10"]);
    let folders = bucket.folders().await.unwrap();
    assert!(["lists", "lists-too"].iter().all(|folder| folders.iter().any(|found| found == folder)), "{folders:?}");
}

/// After the lists above.
async fn folders_are_nothing_but_keys(bucket: &Bucket) {
    let after = bucket.list_after("lists", "lists/b", 2).await.unwrap();
    assert_eq!(after.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), ["lists/b/1", "lists/b/10"]);
    // One goes with the last key in it.
    let mut folders = bucket.folders().await.unwrap();
    folders.retain(|folder| !["race", "uploads"].contains(&folder.as_str()));
    assert_eq!(folders, ["lists", "lists-too"]);
}

async fn one_of_many_creates(bucket: &Bucket) {
    const TRIES: usize = 8;
    for round in 0..20 {
        let key = format!("race/{round}");
        let barrier = Arc::new(Barrier::new(TRIES));
        let tries: Vec<_> = (0..TRIES)
            .map(|number| {
                let (bucket, key, barrier) = (bucket.clone(), key.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    let content = Bytes::from(format!("of {number}"));
                    (content.clone(), bucket.put_if_absent(&key, content).await.unwrap())
                })
            })
            .collect();
        let mut created = Vec::new();
        for attempt in tries {
            if let (content, Put::Created) = attempt.await.unwrap() {
                created.push(content);
            }
        }
        assert_eq!(created.len(), 1, "{key} was created {} times", created.len());
        assert_eq!(bucket.get(&key).await.unwrap().unwrap(), created[0]);
    }
}

async fn uploads_appear_whole_or_not_at_all(bucket: &Bucket) {
    let part = Bytes::from(vec![7; PART_SIZE]);
    let mut upload = bucket.upload("uploads/big").unwrap();
    for piece in [Bytes::from_static(b"begin"), part.clone(), part.clone(), Bytes::from_static(b"end")] {
        upload.write(piece).await.unwrap();
        assert!(bucket.list("uploads").await.unwrap().is_empty());
    }
    assert_eq!(upload.finish().await.unwrap(), 2 * PART_SIZE as u64 + 8);
    let content = bucket.get("uploads/big").await.unwrap().unwrap();
    assert_eq!(content.len(), 2 * PART_SIZE + 8);
    assert!(content.starts_with(b"begin\x07") && content.ends_with(b"\x07end"));

    let mut upload = bucket.upload("uploads/aborted").unwrap();
    upload.write(part).await.unwrap();
    upload.abort().await.unwrap();
    let left = bucket.list("uploads").await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(bucket.list_unfinished("uploads").await.unwrap().is_empty());
}
