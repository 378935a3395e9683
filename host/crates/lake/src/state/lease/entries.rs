//! The entries of leases in a bucket: the edge at which decisions become requests.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{LeaseEntry, LeaseError, wire};
use crate::bucket::{Bucket, BucketError, OWN_FOLDER, Put, is_pipeline_name, numbered};

/// The bytes of an entry, at most: those of ten thousand tables that are claimed.
const LARGEST: u64 = 1 << 20;

/// The entries of one pipeline's lease.
#[derive(Debug, Clone)]
pub(super) struct Entries {
    bucket: Bucket,
    pub(super) pipeline: String,
}

/// What a look at the entries found.
pub(super) struct Observed {
    pub(super) numbers: Vec<u64>,
    pub(super) newest: Option<LeaseEntry>,
}

/// What a look at the entries of other pipelines found.
pub(super) enum Others<T> {
    /// What was looked for.
    With(T),
    /// Nothing of the kind.
    Without,
    /// One was removed in the meantime, as a newer one was there.
    Changed,
}

/// Whether a key is that of an entry of a pipeline's lease.
pub fn is_of(pipeline: &str, key: &str) -> bool {
    numbered::number(&folder_of(pipeline), key).is_some()
}

/// The folder of the leases of all pipelines.
fn folder_of_all() -> String {
    format!("{OWN_FOLDER}/leases")
}

/// The folder of a pipeline's lease.
fn folder_of(pipeline: &str) -> String {
    format!("{}/{pipeline}", folder_of_all())
}

impl Entries {
    pub(super) fn of(bucket: &Bucket, pipeline: &str) -> Self {
        Self { bucket: bucket.clone(), pipeline: pipeline.to_owned() }
    }

    fn folder(&self) -> String {
        folder_of(&self.pipeline)
    }

    pub(super) fn key(&self, number: u64) -> String {
        numbered::key(&self.folder(), number)
    }

    pub(super) fn describe(&self) -> String {
        self.bucket.describe().to_owned()
    }

    pub(super) async fn newest(&self) -> Result<Option<u64>, BucketError> {
        Ok(numbered::all(&self.bucket, &self.folder()).await?.last().copied())
    }

    /// All pipelines that have entries, each with the number of its newest.
    async fn newest_of_all(&self) -> Result<BTreeMap<String, u64>, BucketError> {
        let all = folder_of_all();
        let mut newest = BTreeMap::new();
        for found in self.bucket.list(&all).await? {
            let Some((folder, _)) = found.key.rsplit_once('/') else { continue };
            let pipeline = folder.strip_prefix(&all).and_then(|rest| rest.strip_prefix('/'));
            if pipeline.is_some_and(|name| !is_pipeline_name(name)) {
                self.bucket.pass_over(&found.key, "no lease, since no pipeline can be called so");
                continue;
            }
            if let (Some(pipeline), Some(number)) = (pipeline, numbered::number(folder, &found.key)) {
                // They come in the order of their numbers.
                newest.insert(pipeline.to_owned(), number);
            }
        }
        Ok(newest)
    }

    /// All numbers, and the newest entry; `None` if that was removed in the meantime, as a newer one was there.
    pub(super) async fn observe(&self) -> Result<Option<Observed>, LeaseError> {
        let numbers = numbered::all(&self.bucket, &self.folder()).await?;
        let Some(number) = numbers.last().copied() else {
            return Ok(Some(Observed { numbers, newest: None }));
        };
        let newest = self.read(number).await?;
        Ok(newest.map(|newest| Observed { numbers, newest: Some(newest) }))
    }

    /// The entry of a number; `None` if there is none.
    pub(super) async fn read(&self, number: u64) -> Result<Option<LeaseEntry>, LeaseError> {
        let key = self.key(number);
        let Some(content) = self.bucket.get_within(LARGEST, &key).await? else { return Ok(None) };
        match wire::read(&self.pipeline, number, &content) {
            Ok(entry) => Ok(Some(entry)),
            Err(source) => Err(LeaseError::Unreadable { bucket: self.describe(), key, source }),
        }
    }

    /// The number of this pipeline's newest entry, and what is found in the newest entries of all other pipelines, of which
    /// one at a time is held.
    pub(super) async fn find_in_others<T>(
        &self,
        find: impl Fn(LeaseEntry) -> Option<T>,
    ) -> Result<(Option<u64>, Others<T>), LeaseError> {
        let mut newest = self.newest_of_all().await?;
        let own = newest.remove(&self.pipeline);
        for (pipeline, number) in newest {
            let Some(entry) = Self::of(&self.bucket, &pipeline).read(number).await? else {
                return Ok((own, Others::Changed));
            };
            if let Some(found) = find(entry) {
                return Ok((own, Others::With(found)));
            }
        }
        Ok((own, Others::Without))
    }

    /// Whether an entry that was created is the lease: it is the newest, and the store would not have created it twice.
    pub(super) async fn settle(&self, entry: &LeaseEntry) -> Result<bool, LeaseError> {
        if self.newest().await? != Some(entry.number) {
            return Ok(false);
        }
        // Asked once more if there is no answer: the entry is there whatever has become of that request.
        let created = match self.create(entry).await {
            Err(error) if error.may_have_happened() => self.create(entry).await?,
            answered => answered?,
        };
        match created {
            Put::Exists => Ok(true),
            Put::Created => Err(LeaseError::NoConditions { bucket: self.describe() }),
        }
    }

    pub(super) async fn create(&self, entry: &LeaseEntry) -> Result<Put, BucketError> {
        numbered::create(&self.bucket, &self.folder(), entry.number, Bytes::from(wire::write(entry))).await
    }

    pub(super) async fn overwrite(&self, entry: &LeaseEntry) -> Result<(), BucketError> {
        self.bucket.put_within(LARGEST, &self.key(entry.number), Bytes::from(wire::write(entry))).await
    }

    /// Removes an entry that means nothing any more; says whether that worked. What stays is removed by the next taker.
    pub(super) async fn forget(&self, number: u64) -> bool {
        let removed = self.bucket.delete(&self.key(number)).await;
        if let Err(error) = &removed {
            tracing::debug!(number, %error, "an old lease entry was not removed");
        }
        removed.is_ok()
    }
}
