//! Folders in which somebody else has put links, and names that no key of ours has.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::symlink},
};

use super::*;
use crate::bucket::Unfinished;

/// A bucket with a file of its own, beside one that is another's.
async fn two() -> (tempfile::TempDir, Bucket) {
    let temporary = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(temporary.path().join("other/deals/run=1")).unwrap();
    std::fs::write(temporary.path().join("other/deals/run=1/part"), "live").unwrap();
    let bucket = open_at(&temporary.path().join("ours")).await.unwrap();
    bucket.put("contacts/run=1/part", Bytes::from_static(b"ours")).await.unwrap();
    (temporary, bucket)
}

async fn keys(bucket: &Bucket, folder: &str) -> Vec<String> {
    bucket.list(folder).await.unwrap().into_iter().map(|entry| entry.key).collect()
}

#[tokio::test]
async fn what_lies_behind_a_link_is_not_listed_and_the_link_is_told_once() {
    let (temporary, bucket) = two().await;
    let at = |name: &str| temporary.path().join(name);
    symlink(at("other/deals"), at("ours/deals")).unwrap();
    symlink(at("other/deals/run=1"), at("ours/contacts/run=2")).unwrap();
    symlink(at("other/deals/run=1/part"), at("ours/contacts/run=1/other")).unwrap();
    std::fs::write(at("other/deals/run=1/part#3"), "half").unwrap();
    for _ in 0..2 {
        assert_eq!(keys(&bucket, "").await, ["contacts/run=1/part"]);
        assert_eq!(keys(&bucket, "deals").await, [""; 0]);
        assert_eq!(keys(&bucket, "deals/run=1").await, [""; 0]);
        assert_eq!(bucket.list_after("contacts", "contacts/run=1/a", 9).await.unwrap().len(), 1);
        assert_eq!(bucket.folders().await.unwrap(), ["contacts"]);
        assert_eq!(bucket.list_unfinished("deals").await.unwrap(), []);
        assert_eq!(bucket.list_unfinished("contacts").await.unwrap(), []);
    }
    let told = bucket.folder.as_ref().unwrap().told();
    let names = ["`contacts/run=1/other`", "`contacts/run=2`", "`deals`"];
    assert_eq!(told.len(), names.len(), "{told:?}");
    for (told, name) in told.iter().zip(names) {
        assert!(told.starts_with(name), "{told}");
    }
}

#[tokio::test]
async fn nothing_is_removed_written_or_read_through_a_link() {
    let (temporary, bucket) = two().await;
    let at = |name: &str| temporary.path().join(name);
    symlink(at("other/deals"), at("ours/deals")).unwrap();
    symlink(at("other/deals/run=1/part"), at("ours/contacts/run=1/link")).unwrap();
    for key in ["deals/run=1/part", "contacts/run=1/link"] {
        let unfinished = Unfinished { key: key.to_owned(), upload: 1, bytes: 4 };
        std::fs::write(at("other/deals/run=1/part#1"), "half").unwrap();
        let mut upload = bucket.upload(key).unwrap();
        let part = Bytes::from(vec![0; crate::bucket::PART_SIZE]);
        let mut refusals = vec![
            bucket.delete(key).await.unwrap_err(),
            bucket.put(key, Bytes::from_static(b"forged")).await.unwrap_err(),
            bucket.put_if_absent(key, Bytes::from_static(b"forged")).await.unwrap_err(),
            bucket.get(key).await.unwrap_err(),
            upload.write(part).await.unwrap_err(),
        ];
        if key.starts_with("deals") {
            refusals.push(bucket.delete_unfinished(&unfinished).await.unwrap_err());
        }
        for refusal in refusals {
            assert!(matches!(refusal, BucketError::NotOurs { .. }), "{refusal:?}");
            assert!(refusal.to_string().contains(key) && refusal.to_string().contains("symbolic link"), "{refusal}");
            assert!(refusal.is_for_the_owner() && !refusal.may_have_happened());
        }
    }
    assert_eq!(std::fs::read(at("other/deals/run=1/part")).unwrap(), b"live");
    assert!(at("other/deals/run=1/part#1").exists() && at("ours/deals").is_symlink());
    assert!(at("ours/contacts/run=1/link").is_symlink());
    // Nor do empty folders go that lie behind one.
    std::fs::create_dir(at("other/deals/run=2")).unwrap();
    bucket.delete("deals/run=2/part").await.unwrap_err();
    assert!(at("other/deals/run=2").exists());
}

#[tokio::test]
async fn the_folder_of_a_bucket_may_be_a_link_itself() {
    let (temporary, _) = two().await;
    let at = |name: &str| temporary.path().join(name);
    symlink(at("ours"), at("link")).unwrap();
    let bucket = open_at(&at("link")).await.unwrap();
    assert_eq!(keys(&bucket, "").await, ["contacts/run=1/part"]);
    bucket.delete("contacts/run=1/part").await.unwrap();
    assert!(!at("ours/contacts").exists() && at("ours").exists());
}

#[tokio::test]
async fn a_name_that_no_key_has_and_a_circle_of_links_fail_no_list() {
    let (temporary, bucket) = two().await;
    let folder = temporary.path().join("ours/contacts/run=1");
    symlink(&folder, folder.join("circle")).unwrap();
    symlink(folder.join("b"), folder.join("a")).unwrap();
    symlink(folder.join("a"), folder.join("b")).unwrap();
    for name in [&b"sales\nERROR forged"[..], b"\xff\xfe", b"\x1b[2J"] {
        let strange = folder.join(OsStr::from_bytes(name));
        std::fs::create_dir(&strange).unwrap();
        std::fs::write(strange.join("within"), "{}").unwrap();
        std::fs::write(folder.join(OsStr::from_bytes(&[name, b".json"].concat())), "{}").unwrap();
    }
    for listed in ["", "contacts", "contacts/run=1"] {
        assert_eq!(keys(&bucket, listed).await, ["contacts/run=1/part"]);
    }
    assert_eq!(bucket.folders().await.unwrap(), ["contacts"]);
    assert_eq!(bucket.list_unfinished("contacts").await.unwrap(), []);
    let told = bucket.folder.as_ref().unwrap().told();
    assert_eq!(told.len(), 9, "{told:#?}");
    assert!(!told.iter().any(|told| told.contains(char::is_control)), "{told:?}");
    assert!(told.iter().any(|told| told.contains("sales\\nERROR forged")), "{told:?}");
}

#[tokio::test]
async fn what_is_neither_file_nor_folder_is_passed_over() {
    let (temporary, bucket) = two().await;
    let socket = temporary.path().join("ours/contacts/run=1/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(keys(&bucket, "").await, ["contacts/run=1/part"]);
    let refusal = bucket.get("contacts/run=1/socket").await.unwrap_err();
    assert!(matches!(refusal, BucketError::NotOurs { .. }), "{refusal:?}");
}
