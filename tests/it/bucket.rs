//! Buckets of every kind, and the contract that all keep.

mod contract;
mod s3;

use std::path::Path;

use sluice_lake::bucket::{Bucket, Settings};

use bytes::Bytes;

use contract::keeps_the_contract;

async fn folder(path: &Path) -> Bucket {
    Bucket::open(&Settings::File { path: path.to_owned() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract() {
    keeps_the_contract(&Bucket::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_keeps_the_contract() {
    let temporary = tempfile::tempdir().unwrap();
    keeps_the_contract(&folder(temporary.path()).await).await;
}

#[tokio::test]
async fn what_was_written_to_a_folder_is_there_when_it_is_opened_again() {
    let temporary = tempfile::tempdir().unwrap();
    folder(temporary.path()).await.put("t/x", Bytes::from_static(b"kept")).await.unwrap();
    assert_eq!(folder(temporary.path()).await.get("t/x").await.unwrap().unwrap(), "kept");
}
