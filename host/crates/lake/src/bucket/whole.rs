//! Objects that are held whole: read and written within what their kind may have.
//!
//! Whoever may write to the bucket may put what they like under the key of a note, and what is parsed takes many times its
//! bytes. So whoever reads one says how large those are that sluice writes, and holds itself to it; nothing else is read.

use bytes::Bytes;
use object_store::ObjectStoreExt;

use super::{Bucket, BucketError, location::Location, numbered::PAGE, operation::Operation};

/// The largest object that is read. A commit of hundreds of tables with thousands of columns has some tens of megabytes.
const LARGEST_READ: u64 = 512 << 20;

impl Bucket {
    /// The content of an object; `None` if there is none of that key. For commits, which are the largest that are read whole.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, BucketError> {
        self.get_within(LARGEST_READ, key).await
    }

    /// The same, of an object that has so many bytes at most; a larger one is [`BucketError::Oversized`], and not read.
    pub async fn get_within(&self, most: u64, key: &str) -> Result<Option<Bytes>, BucketError> {
        let denied = match self.read(most, key).await {
            Err(denied @ BucketError::AccessDenied { .. }) => denied,
            read => return read,
        };
        // S3 says that an object is absent only to those who may list the whole bucket; whoever may list a folder alone is
        // refused to read it.
        match self.is_there(key).await {
            Ok(false) => Ok(None),
            // It may have come about in between.
            Ok(true) => self.read(most, key).await,
            Err(failure) if failure.is_for_the_owner() => Err(denied),
            Err(failure) => Err(failure),
        }
    }

    async fn read(&self, most: u64, key: &str) -> Result<Option<Bytes>, BucketError> {
        let path = self.path(key)?;
        let answer = match self.store.get(&path).await {
            Ok(found) if found.meta.size > most => return Err(self.location.oversized(key, found.meta.size, most)),
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if Location::means_absent(&error) => Ok(None),
            Err(error) => Err(self.location.judge(Operation::Get, key, &error)),
        }
    }

    /// Whether there is an object of that key, by a list.
    async fn is_there(&self, key: &str) -> Result<bool, BucketError> {
        let Some((folder, _)) = key.rsplit_once('/') else { return Ok(true) };
        let mut after = key.to_owned();
        after.pop();
        loop {
            let page = self.list_after(folder, &after, PAGE).await?;
            if page.iter().any(|found| found.key == key) {
                return Ok(true);
            }
            // Whatever else lies before it may fill pages.
            match page.last() {
                Some(last) if page.len() == PAGE && last.key.as_str() < key => after.clone_from(&last.key),
                _ => return Ok(false),
            }
        }
    }

    /// Writes an object that [`Bucket::get_within`] reads again, replacing one of the same key.
    pub async fn put_within(&self, most: u64, key: &str, content: Bytes) -> Result<(), BucketError> {
        let bytes = content.len() as u64;
        if bytes > most {
            return Err(self.location.oversized(key, bytes, most));
        }
        self.put(key, content).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::failing::{Call, Fault, failing_s3};

    /// What a refused object is beside, others have put there.
    #[tokio::test]
    async fn what_may_not_be_read_is_not_taken_for_absent_whatever_lies_beside_it() {
        let (bucket, _) = failing_s3(|call, _, _| if call == Call::Get { Fault::Denied } else { Fault::None });
        let key = "log/00000000000000000012.json";
        for there in ["log/00000000000000000010.json", "log/00000000000000000012.jsoA", key] {
            bucket.put(there, Bytes::from_static(b"x")).await.unwrap();
        }
        for other in 0..=PAGE {
            bucket.put(&format!("log/00000000000000000012.jsom{other:04}"), Bytes::new()).await.unwrap();
        }
        let read = bucket.get(key).await;
        assert!(matches!(read, Err(BucketError::AccessDenied { .. })), "{read:?}");
        assert_eq!(bucket.get("log/00000000000000000011.json").await.unwrap(), None);
    }
}
