//! What others have put among the leases, and what no lease is called.

use std::os::unix::fs::symlink;

use bytes::Bytes;

use super::*;

const NUMBER: &str = "00000000000000000001.json";

#[tokio::test]
async fn what_no_pipeline_is_called_blocks_no_run() {
    let temporary = tempfile::tempdir().unwrap();
    let bucket = folder(temporary.path()).await;
    let leases = temporary.path().join("_sluice/leases");
    std::fs::create_dir_all(leases.join("crm")).unwrap();
    symlink(&leases, leases.join("circle")).unwrap();
    symlink(&leases, leases.join("crm/circle")).unwrap();
    for name in [&b"sales\nERROR forged"[..], b"\xff\xfe", b"sa les", b"Sales", "s\u{202e}ales".as_bytes(), &[b'a'; 65]]
    {
        let strange = leases.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name));
        std::fs::create_dir(&strange).unwrap();
        std::fs::write(strange.join(NUMBER), "{}").unwrap();
    }
    takes_and_claims(&bucket).await;
}

#[tokio::test]
async fn nor_does_it_where_keys_are_no_files() {
    let bucket = Bucket::memory();
    for name in ["sa les", "Sales", "s\u{202e}ales", "a/b", "1st"] {
        bucket.put(&format!("_sluice/leases/{name}/{NUMBER}"), Bytes::from_static(b"{}")).await.unwrap();
    }
    bucket.put(&format!("_sluice/leases/{NUMBER}"), Bytes::from_static(b"{}")).await.unwrap();
    takes_and_claims(&bucket).await;
}

async fn takes_and_claims(bucket: &Bucket) {
    let lease = Lease::take(bucket, holder(1), Clock::system()).await.unwrap();
    lease.claim(["contacts".to_owned()].into()).await.unwrap();
    lease.confirm().await.unwrap();
    lease.release().await.unwrap();
}

#[tokio::test]
async fn an_entry_that_is_larger_than_any_is_not_read() {
    let bucket = Bucket::memory();
    Lease::take(&bucket, holder(1), Clock::system()).await.unwrap().release().await.unwrap();
    let key = format!("_sluice/leases/crm/{NUMBER}");
    let released = bucket.get(&key).await.unwrap().unwrap();
    for (blanks, is_read) in [(1 << 10, true), (2 << 20, false)] {
        let larger = [&released[..], &vec![b' '; blanks]].concat();
        bucket.put(&key, Bytes::from(larger)).await.unwrap();
        match Lease::take(&bucket, holder(2), Clock::system()).await {
            Ok(lease) => {
                assert!(is_read);
                lease.release().await.unwrap();
                bucket.delete("_sluice/leases/crm/00000000000000000002.json").await.unwrap();
            }
            Err(error) => {
                assert!(!is_read && error.to_string().contains(&key) && error.hint().is_some(), "{error}");
                assert!(matches!(error, LeaseError::Bucket(BucketError::Oversized { .. })), "{error:?}");
            }
        }
    }
}
