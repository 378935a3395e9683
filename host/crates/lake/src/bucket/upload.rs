//! Uploads: big objects, written piece by piece with bounded memory.
//!
//! Content is collected until there is a part, and parts are sent in the background, a few at a time for the whole bucket;
//! who writes faster than the network waits.
//! An object that turns out smaller than a part is one plain put: most files of a small portal are.
//!
//! The object appears when [`Upload::finish`] returns, whole, or never. An upload that is dropped is aborted in the
//! background, as far as the program still runs. What a crash leaves is invisible: on S3, parts that cost money until the
//! bucket's rule for incomplete multipart uploads removes them; in a folder, a file that the next sweep removes.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use object_store::{
    Attribute, Attributes, MultipartUpload, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload,
    path::Path as ObjectPath,
};
use tokio::{runtime::Handle, sync::Semaphore, task::JoinSet};

use super::{error::BucketError, location::Location, operation::Operation};

/// The size of a part in bytes; only the last is smaller. S3 takes 5 MiB to 5 GiB. Each open upload holds up to one part
/// that is not full, and there is one open upload for each table that is being written, so parts are small; but not so
/// small that S3's limit on their number, 10,000, binds a file that anyone wants.
pub const PART_SIZE: usize = 8 << 20;
/// The most parts an S3 upload can have.
const MOST_PARTS: u64 = 10_000;
/// The most bytes an upload can hold: 78 GiB.
pub const LARGEST_FILE: u64 = MOST_PARTS * PART_SIZE as u64;
/// How many parts of a bucket are on their way at once. One connection to S3 carries some 50 MB/s, so this fills a line of
/// 3 Gbit/s; and it is 64 MiB of memory.
pub(super) const PARTS_IN_FLIGHT: usize = 8;

/// An object that is being written.
pub struct Upload {
    object: Object,
    in_flight: Arc<Semaphore>,
    collected: Collected,
    parts: Parts,
    written: u64,
}

/// Which object it is, and where.
pub(super) struct Object {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) location: Arc<Location>,
    pub(super) key: String,
    pub(super) path: ObjectPath,
    /// Its storage class, as S3 calls it; the bucket's own without one.
    pub(super) storage_class: Option<String>,
}

impl Object {
    fn attributes(&self) -> Attributes {
        self.storage_class.iter().map(|class| (Attribute::StorageClass, class.clone())).collect()
    }
}

/// Content that is no part yet.
#[derive(Default)]
struct Collected {
    pieces: Vec<Bytes>,
    bytes: usize,
}

/// The parts of an object that is larger than one.
#[derive(Default)]
struct Parts {
    upload: Option<Box<dyn MultipartUpload>>,
    begun: u64,
    sending: JoinSet<object_store::Result<()>>,
}

impl Collected {
    fn add(&mut self, content: Bytes) {
        if !content.is_empty() {
            self.bytes += content.len();
            self.pieces.push(content);
        }
    }

    fn take(&mut self) -> PutPayload {
        std::mem::take(self).pieces.into_iter().collect()
    }
}

impl Upload {
    pub(super) fn new(object: Object, in_flight: Arc<Semaphore>) -> Self {
        Self { object, in_flight, collected: Collected::default(), parts: Parts::default(), written: 0 }
    }

    /// The object's key.
    pub fn key(&self) -> &str {
        &self.object.key
    }

    /// How many bytes have been written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds to the object. Waits while as many parts are on their way as may be.
    ///
    /// After an error, or when the future was dropped before it ended, the upload can only be aborted. An error may be that
    /// of a part begun earlier.
    pub async fn write(&mut self, mut content: Bytes) -> Result<(), BucketError> {
        self.written += content.len() as u64;
        while self.collected.bytes + content.len() >= PART_SIZE {
            let rest_of_part = content.split_to(PART_SIZE - self.collected.bytes);
            self.collected.add(rest_of_part);
            self.send_part().await?;
        }
        self.collected.add(content);
        Ok(())
    }

    /// Makes the object appear and returns its size in bytes. If that fails, the upload is aborted.
    pub async fn finish(mut self) -> Result<u64, BucketError> {
        match self.complete().await {
            Ok(()) => Ok(self.written),
            Err(error) => {
                let key = self.object.key.clone();
                if let Err(left) = self.abort().await {
                    tracing::warn!(key, error = %left, "the parts of a failed upload could not be removed");
                }
                Err(error)
            }
        }
    }

    /// Gives the object up and removes its parts. Nothing appears.
    pub async fn abort(mut self) -> Result<(), BucketError> {
        self.parts.sending.shutdown().await;
        match self.parts.upload.take() {
            Some(mut parts) => match parts.abort().await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.object.location.judge(Operation::AbortUpload, &self.object.key, &error)),
            },
            None => Ok(()),
        }
    }

    /// Begins to send what is collected as the next part.
    async fn send_part(&mut self) -> Result<(), BucketError> {
        if self.parts.begun == MOST_PARTS {
            return Err(self.object.location.too_large(&self.object.key, LARGEST_FILE));
        }
        let Ok(permit) = Arc::clone(&self.in_flight).acquire_owned().await else {
            unreachable!("the semaphore of a bucket is never closed");
        };
        while let Some(sent) = self.parts.sending.try_join_next() {
            self.check_sent(sent)?;
        }
        let payload = self.collected.take();
        let parts = match &mut self.parts.upload {
            Some(parts) => parts,
            None => match Self::begin(&self.object).await {
                Ok(parts) => self.parts.upload.insert(parts),
                Err(error) => return Err(self.judge(&error)),
            },
        };
        let part = parts.put_part(payload);
        self.parts.begun += 1;
        self.parts.sending.spawn(async move {
            let sent = part.await;
            drop(permit);
            sent
        });
        Ok(())
    }

    async fn begin(object: &Object) -> object_store::Result<Box<dyn MultipartUpload>> {
        let options = PutMultipartOptions { attributes: object.attributes(), ..PutMultipartOptions::default() };
        object.store.put_multipart_opts(&object.path, options).await
    }

    async fn complete(&mut self) -> Result<(), BucketError> {
        if self.parts.upload.is_none() {
            let payload = self.collected.take();
            let options = PutOptions { attributes: self.object.attributes(), ..PutOptions::default() };
            return match self.object.store.put_opts(&self.object.path, payload, options).await {
                Ok(_) => Ok(()),
                Err(error) => Err(self.judge(&error)),
            };
        }
        if self.collected.bytes > 0 {
            self.send_part().await?;
        }
        while let Some(sent) = self.parts.sending.join_next().await {
            self.check_sent(sent)?;
        }
        let Some(mut parts) = self.parts.upload.take() else { return Ok(()) };
        let Err(error) = parts.complete().await else { return Ok(()) };
        let failure = self.judge(&error);
        // The upload may be gone because it was completed, by a request whose answer was lost.
        if (Location::means_absent(&error) || failure.may_have_happened()) && self.is_complete().await {
            return Ok(());
        }
        self.parts.upload = Some(parts);
        Err(failure)
    }

    /// Whether the object is there with all that was written.
    async fn is_complete(&self) -> bool {
        self.object.store.head(&self.object.path).await.is_ok_and(|object| object.size == self.written)
    }

    fn check_sent(&self, sent: Result<object_store::Result<()>, tokio::task::JoinError>) -> Result<(), BucketError> {
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.judge(&error)),
            Err(error) => Err(self.judge(&object_store::Error::JoinError { source: error })),
        }
    }

    fn judge(&self, error: &object_store::Error) -> BucketError {
        self.object.location.judge(Operation::Put, &self.object.key, error)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(mut parts), Ok(runtime)) = (self.parts.upload.take(), Handle::try_current()) {
            let key = std::mem::take(&mut self.object.key);
            self.parts.sending.abort_all();
            runtime.spawn(async move {
                if let Err(error) = parts.abort().await {
                    tracing::debug!(key, %error, "the parts of an upload that was given up could not be removed");
                }
            });
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Upload")
            .field("key", &self.object.key)
            .field("written", &self.written)
            .field("parts_begun", &self.parts.begun)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
