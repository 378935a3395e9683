use std::{path::Path, time::Duration};

use super::*;
use crate::bucket::{
    Bucket, Settings,
    failing::{Call, Fault, failing},
};

/// A part's worth of content, of one buffer however often it is used.
fn part(fill: u8) -> Bytes {
    Bytes::from(vec![fill; PART_SIZE])
}

async fn write_all(bucket: &Bucket, key: &str, pieces: &[Bytes]) -> Result<u64, BucketError> {
    let mut upload = bucket.upload(key).unwrap();
    for piece in pieces {
        upload.write(piece.clone()).await?;
    }
    upload.finish().await
}

async fn folder(path: &Path) -> Bucket {
    Bucket::open(&Settings::File { path: path.to_owned() }).await.unwrap()
}

#[tokio::test]
async fn what_is_smaller_than_a_part_is_one_put() {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    let pieces = [Bytes::from_static(b"one "), Bytes::new(), Bytes::from_static(b"two")];
    assert_eq!(write_all(&bucket, "t/a", &pieces).await.unwrap(), 7);
    assert_eq!(bucket.get("t/a").await.unwrap().unwrap(), "one two");
    assert_eq!((store.count(Call::Put), store.count(Call::Part)), (1, 0));
}

#[tokio::test]
async fn an_upload_without_content_is_an_empty_object() {
    let bucket = Bucket::memory();
    assert_eq!(write_all(&bucket, "t/a", &[]).await.unwrap(), 0);
    assert_eq!(bucket.get("t/a").await.unwrap().unwrap(), "");
}

#[tokio::test]
async fn pieces_of_any_size_become_parts_of_one_size() {
    let temporary = tempfile::tempdir().unwrap();
    for bucket in [Bucket::memory(), folder(temporary.path()).await] {
        let pieces = [Bytes::from_static(b"ab"), part(1), part(2), Bytes::from_static(b"cd"), part(3).slice(..100)];
        let size = write_all(&bucket, "t/a", &pieces).await.unwrap();
        let content = bucket.get("t/a").await.unwrap().unwrap();
        assert_eq!(content.len() as u64, size);
        assert!(content == pieces.concat(), "the content of {} differs", bucket.describe());
    }
    let (bucket, store) = failing(|_, _, _| Fault::None);
    write_all(&bucket, "t/a", &[part(1), Bytes::from_static(b"x"), part(2)]).await.unwrap();
    assert_eq!(store.count(Call::Part), 3);
}

#[tokio::test]
async fn only_so_many_parts_are_on_their_way_at_once() {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    let piece = part(7);
    let mut uploads: Vec<Upload> = (0..4).map(|number| bucket.upload(&format!("t/{number}")).unwrap()).collect();
    for _ in 0..5 {
        for upload in &mut uploads {
            upload.write(piece.clone()).await.unwrap();
        }
    }
    for upload in uploads {
        upload.abort().await.unwrap();
    }
    assert_eq!(store.most_parts_in_flight(), PARTS_IN_FLIGHT);
}

#[tokio::test]
async fn a_part_that_fails_fails_the_upload_and_nothing_appears() {
    let (bucket, store) = failing(|call, _, count| match (call, count) {
        (Call::Part, 2) => Fault::NoAnswer,
        _ => Fault::None,
    });
    let error = write_all(&bucket, "t/a", &[part(1), part(2), part(3)]).await.unwrap_err();
    assert_eq!(error.to_string(), "`memory:///t/a` could not be reached to write it");
    assert_eq!(store.count(Call::AbortParts), 1);
    assert!(bucket.list("t").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_a_completion() {
    let (bucket, store) = failing(|call, _, _| match call {
        Call::CompleteParts => Fault::AnsweredTwice,
        _ => Fault::None,
    });
    let size = write_all(&bucket, "t/a", &[part(1), part(2)]).await.unwrap();
    assert_eq!(size, 2 * PART_SIZE as u64);
    assert_eq!(store.count(Call::AbortParts), 0);
}

#[tokio::test]
async fn an_upload_that_is_dropped_is_aborted() {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    let mut upload = bucket.upload("t/a").unwrap();
    upload.write(part(1)).await.unwrap();
    drop(upload);
    let aborted = async {
        while store.count(Call::AbortParts) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), aborted).await.unwrap();
    assert!(bucket.list("t").await.unwrap().is_empty());
}

#[tokio::test]
async fn in_a_folder_an_aborted_upload_leaves_nothing_and_one_under_way_is_not_data() {
    let temporary = tempfile::tempdir().unwrap();
    let bucket = folder(temporary.path()).await;
    let mut upload = bucket.upload("t/run=x/a.parquet").unwrap();
    upload.write(part(1)).await.unwrap();
    assert!(bucket.list("t").await.unwrap().is_empty());
    let unfinished = bucket.list_unfinished("t").await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(unfinished[0].key, "t/run=x/a.parquet");
    upload.abort().await.unwrap();
    assert!(bucket.list_unfinished("t").await.unwrap().is_empty());
}
