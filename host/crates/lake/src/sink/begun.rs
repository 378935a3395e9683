//! What a run has begun to write, so that one that fails can take it back.
//!
//! A key is noted before anything is sent: of a file whose last request was not answered, nobody knows whether it appeared.

use std::{
    collections::BTreeSet,
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

/// The keys of all files that a run has begun, and neither removed again nor kept. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(super) struct Begun(Arc<Mutex<BTreeSet<String>>>);

/// What became of files that were to be removed.
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
    }

    /// This file is not the run's to take back any more.
    pub(super) fn keep(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Removes all files of the run, finished or not, but for those that are kept.
    pub(super) async fn take_back(&self, bucket: &Bucket) -> TakenBack {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        self.remove(bucket, keys).await
    }

    /// Removes these files of the run. What stays, for whatever reason, is still begun.
    pub(super) async fn remove(&self, bucket: &Bucket, keys: Vec<String>) -> TakenBack {
        let mut taken = TakenBack { left: keys.len(), ..TakenBack::default() };
        let remove = async |key: String| bucket.delete(&key).await.map(|()| key);
        let mut removals = futures::stream::iter(keys).map(remove).buffer_unordered(REMOVALS_AT_ONCE);
        let all = async {
            while let Some(removal) = removals.next().await {
                match removal {
                    Ok(key) => {
                        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
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
        assert_eq!(begun.take_back(&bucket).await.files, 0);
    }

    #[tokio::test]
    async fn what_is_kept_stays() {
        let bucket = Bucket::memory();
        let begun = begun(&bucket, &["a", "b"]).await;
        begun.clone().keep("a");
        let taken = begun.take_back(&bucket).await;
        assert_eq!((taken.files, taken.left, taken.failures.len()), (1, 0, 0));
        let keys: Vec<_> = bucket.list("").await.unwrap().into_iter().map(|entry| entry.key).collect();
        assert_eq!(keys, ["a"]);
    }

    #[tokio::test]
    async fn what_cannot_be_removed_is_counted() {
        let (bucket, _) = failing(|call, path, _| match (call, path) {
            (Call::Delete, "a") => Fault::Denied,
            _ => Fault::None,
        });
        let begun = begun(&bucket, &["a", "b"]).await;
        let taken = begun.take_back(&bucket).await;
        assert_eq!((taken.files, taken.left, taken.failures.len()), (1, 1, 1));
        // And is tried again, where there is another chance.
        let taken = begun.take_back(&bucket).await;
        assert_eq!((taken.files, taken.left, taken.failures.len()), (0, 1, 1));
    }
}
