mod links;
mod unreadable;

use bytes::Bytes;

use super::*;
use crate::bucket::{
    Bucket, Settings,
    failing::{Fault, failing_at},
};

async fn open_at(path: &Path) -> Result<Bucket, BucketError> {
    Bucket::open(&Settings::File { path: path.to_owned() }).await
}

#[tokio::test]
async fn a_folder_is_created_with_its_parents() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("a/b c");
    let bucket = open_at(&path).await.unwrap();
    bucket.put("t/x.json", Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(std::fs::read(path.join("t/x.json")).unwrap(), b"{}");
    assert_eq!(bucket.describe(), format!("file://{}", path.canonicalize().unwrap().display()));
}

#[tokio::test]
async fn a_file_in_the_way_is_told_as_such() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = open_at(&path).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`file://{}` is not a folder, or is within something that is not", path.display())
        );
    }
}

/// Not even root may create folders there, so this holds whoever runs the tests.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_may_not_be_created_is_told_as_such() {
    let error = open_at(Path::new("/sys/sluice")).await.unwrap_err();
    match error {
        BucketError::NotPermitted { location, operation, .. } => {
            assert_eq!((location.as_str(), operation), ("file:///sys/sluice", "write"));
        }
        BucketError::ReadOnly { location, .. } => assert_eq!(location, "file:///sys/sluice"),
        other => panic!("unexpected: {other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let (bucket, _) = failing_at(Location::folder(Path::new("/data")), |_, _, _| Fault::DiskFull);
    let error = bucket.put("t/x", Bytes::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no space left to write `file:///data/t/x`");
    assert!(error.hint().unwrap().contains("free some space"));
    assert!(!error.may_have_happened());
    let mut upload = bucket.upload("t/y").unwrap();
    upload.write(Bytes::from(vec![0; 2 * crate::bucket::PART_SIZE])).await.unwrap();
    let error = upload.finish().await.unwrap_err();
    assert_eq!(error.to_string(), "there is no space left to write `file:///data/t/y`");
}

#[test]
fn failures_of_the_system_are_told_by_what_they_mean() {
    let location = Location::folder(Path::new("/data"));
    let told = |kind: io::ErrorKind| location.judge_disk(Operation::Put, "t/x", &kind.into()).to_string();
    assert_eq!(told(io::ErrorKind::QuotaExceeded), "there is no space left to write `file:///data/t/x`");
    assert_eq!(told(io::ErrorKind::ReadOnlyFilesystem), "`file:///data/t/x` is on a read-only file system");
    assert_eq!(told(io::ErrorKind::PermissionDenied), "this process is not permitted to write `file:///data/t/x`");
    assert_eq!(told(io::ErrorKind::BrokenPipe), "cannot write `file:///data/t/x`");
}

#[test]
fn a_file_system_without_hard_links_is_told_as_such() {
    let location = Location::folder(Path::new("/data"));
    let told = |errno: rustix::io::Errno| {
        let source = Box::new(io::Error::from(errno));
        location.judge_create("t/x", &object_store::Error::Generic { store: "LocalFileSystem", source })
    };
    for errno in [rustix::io::Errno::PERM, rustix::io::Errno::OPNOTSUPP] {
        let error = told(errno);
        let message = "`file:///data/t/x` cannot be written only if it is absent: its file system makes no hard links";
        assert_eq!(error.to_string(), message);
        assert!(error.hint().unwrap().contains("FAT") && !error.hint().unwrap().contains("own"));
    }
    assert!(matches!(told(rustix::io::Errno::ACCESS), BucketError::NotPermitted { .. }));
}

#[tokio::test]
async fn looking_creates_no_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("typo/tables");
    let settings = crate::bucket::Settings::File { path: path.clone() };
    let error = Bucket::open_existing(&settings).await.unwrap_err();
    assert_eq!(error.to_string(), format!("there is no folder `file://{}`", path.display()));
    assert!(!temporary.path().join("typo").exists());
    Bucket::open(&settings).await.unwrap();
    Bucket::open_existing(&settings).await.unwrap();
}

#[tokio::test]
async fn what_a_crash_left_is_no_data_and_can_be_removed() {
    let temporary = tempfile::tempdir().unwrap();
    let bucket = open_at(temporary.path()).await.unwrap();
    bucket.put("t/run=1/whole", Bytes::from_static(b"data")).await.unwrap();
    let at = |name: &str| temporary.path().join("t").join(name);
    for (name, content) in
        [("run=1/part#1", "half"), ("run=1/part#12", "a half"), ("run=1/other#", ""), ("run=1/#01", "")]
    {
        std::fs::write(at(name), content).unwrap();
    }
    let unfinished = bucket.list_unfinished("t").await.unwrap();
    let expected = [("t/run=1/part", 1, 4), ("t/run=1/part", 12, 6)];
    let found: Vec<_> = unfinished.iter().map(|one| (one.key.as_str(), one.upload, one.bytes)).collect();
    assert_eq!(found, expected);
    let keys: Vec<_> = bucket.list("t").await.unwrap().into_iter().map(|entry| entry.key).collect();
    assert!(!keys.iter().any(|key| key.contains("part")), "{keys:?}");

    for one in &unfinished {
        bucket.delete_unfinished(one).await.unwrap();
        // A second time does no harm.
        bucket.delete_unfinished(one).await.unwrap();
    }
    assert!(!at("run=1/part#1").exists() && !at("run=1/part#12").exists());
    assert!(at("run=1/other#").exists() && at("run=1/whole").exists());
}

#[tokio::test]
async fn nothing_is_unfinished_where_there_is_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let bucket = open_at(temporary.path()).await.unwrap();
    assert!(bucket.list_unfinished("t").await.unwrap().is_empty());
    assert!(bucket.list("t").await.unwrap().is_empty());
    assert!(bucket.folders().await.unwrap().is_empty());
}
