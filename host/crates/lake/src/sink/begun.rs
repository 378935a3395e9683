//! What a run has begun to write, so that one that fails can take it back.
//!
//! A key is noted before anything is sent: of a file whose last request was not answered, nobody knows whether it appeared.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use tokio::time;

use crate::bucket::{Bucket, BucketError};

/// How many files are removed at once.
const REMOVALS_AT_ONCE: usize = 16;
/// How long taking back may last. What a bucket that does not answer keeps is swept by a later run, and somebody waits for
/// this one to end.
const AT_MOST: Duration = Duration::from_secs(30);

/// The keys of all files that a run has begun. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Begun(Arc<Mutex<Vec<String>>>);

/// What became of a run's files.
#[derive(Debug, Default)]
pub struct TakenBack {
    /// The files that are there no more.
    pub files: usize,
    /// The files that may still be there.
    pub left: usize,
    /// Why, where the bucket said.
    pub failures: Vec<BucketError>,
}

impl Begun {
    pub(super) fn note(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(key.to_owned());
    }

    /// Removes all files of the run, finished or not. Only for a run that has made no commit and makes none any more, and
    /// whose writers have ended.
    pub async fn take_back(&self, bucket: &Bucket) -> TakenBack {
        let keys = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut taken = TakenBack { left: keys.len(), ..TakenBack::default() };
        let mut removals =
            futures::stream::iter(keys).map(async |key| bucket.delete(&key).await).buffer_unordered(REMOVALS_AT_ONCE);
        let all = async {
            while let Some(removal) = removals.next().await {
                match removal {
                    Ok(()) => {
                        taken.files += 1;
                        taken.left -= 1;
                    }
                    Err(error) => taken.failures.push(error),
                }
            }
        };
        // What is not removed in time is counted as left.
        drop(time::timeout(AT_MOST, all).await);
        taken
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::bucket::failing::{Call, Fault, failing};

    async fn begun(bucket: &Bucket, keys: &[&str]) -> Begun {
        let begun = Begun::default();
        for key in keys {
            begun.note(key);
            bucket.put(key, Bytes::from_static(b"rows")).await.unwrap();
        }
        begun
    }

    #[tokio::test]
    async fn what_was_begun_is_removed_and_nothing_else() {
        let bucket = Bucket::memory();
        bucket.put("theirs", Bytes::from_static(b"rows")).await.unwrap();
        let begun = begun(&bucket, &["a", "b"]).await;
        // Begun, and never there.
        begun.clone().note("c");
        let taken = begun.take_back(&bucket).await;
        assert_eq!((taken.files, taken.left, taken.failures.len()), (3, 0, 0));
        let keys: Vec<_> = bucket.list("").await.unwrap().into_iter().map(|entry| entry.key).collect();
        assert_eq!(keys, ["theirs"]);
    }

    #[tokio::test]
    async fn what_cannot_be_removed_is_counted() {
        let (bucket, _) = failing(|call, path, _| match (call, path) {
            (Call::Delete, "a") => Fault::Denied,
            _ => Fault::None,
        });
        let taken = begun(&bucket, &["a", "b"]).await.take_back(&bucket).await;
        assert_eq!((taken.files, taken.left, taken.failures.len()), (1, 1, 1));
    }
}
