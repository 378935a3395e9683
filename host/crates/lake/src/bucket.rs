//! Buckets: where tables, commits and the lease are kept, on S3 or in a folder.
//!
//! The only module that names the object store and the AWS crates.
//! Everything above it writes tables, commits and leases in terms of five operations on keys: get, put, put if absent,
//! list and delete, and of [`Upload`] for files too big to hold.
//! Three kinds of bucket offer them, and one contract suite holds all three to the same behaviour: S3 and its like
//! (`s3://`), a folder of this machine (`file://`), and memory for tests.
//!
//! **What can be relied on.** An object appears whole or not at all, and a list or a get that begins after a put has ended
//! sees it. Of any number of [`Bucket::put_if_absent`] for one key, exactly one creates it; there is nothing stronger (no
//! compare and swap), since a folder has nothing stronger.
//! A write that has ended survives a power cut: in a folder, the content of the file and then its folder entry are flushed
//! to the disk before the call returns, so that a commit never outlives the files it lists. (A disk that lies about
//! flushing is beyond us, and so is a network file system without hard links, where put-if-absent fails with an error.)
//!
//! **What a lost answer means.** A request that failed without an answer may have taken effect
//! ([`BucketError::may_have_happened`]). For `put` that is harmless, it is repeated; who calls `put_if_absent` must read
//! back what is there. The commit log and the lease do.
//!
//! **Who we are.** The AWS chain of credentials or fixed keys, and on top of them a role that is assumed and renewed in
//! mid-run ([`Role`]). The first credentials are fetched when the bucket is opened, so a role that cannot be assumed is known
//! before anything else is done.
//!
//! This module does not know what it stores; keys come from `table::key` and `state::lease`.

mod answer;
mod authorities;
mod cause;
mod error;
mod facts;
mod identity;
mod judge;
mod local;
mod location;
pub mod numbered;
mod operation;
mod own;
mod partition;
mod permission;
mod probe;
mod s3;
pub mod settings;
mod strange;
mod upload;
mod versions;
mod whole;

#[cfg(test)]
pub(crate) mod failing;
#[cfg(test)]
pub(crate) mod nobody;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, memory::InMemory,
    path::Path as ObjectPath,
};
use sluice_model::clock::Clock;
use tokio::sync::Semaphore;

pub use self::{
    cause::Cause,
    error::BucketError,
    facts::{Facts, Known, Versioning},
    identity::IdentityError,
    own::{OWN_FOLDER, is_pipeline_name},
    partition::Partition,
    permission::Missing,
    probe::{Probe, ProbeError},
    settings::{Credentials, Encryption, PATIENCE, PATIENCE_OF_A_LOOK, Role, Rules, S3Settings, Settings},
    upload::{LARGEST_FILE, PART_SIZE, Upload},
    versions::{Left, LeftOfAKind, OldVersions, StillThere},
};
use self::{
    identity::Renewed,
    location::Location,
    operation::Operation,
    s3::Opened,
    strange::Strange,
    upload::{Object, PARTS_IN_FLIGHT},
};

/// How often a conditional put that S3 answers with `409 ConditionalRequestConflict` is sent again. The answer means that
/// another request for the key was under way and says nothing of its outcome; AWS asks to repeat. Each time is a new
/// coincidence of two requests, so a handful is plenty.
const CONFLICT_RETRIES: u32 = 5;

/// Objects in a list, at most: a bucket with years of runs has thousands, and a list that does not end would fill the
/// memory.
const LONGEST_LIST: usize = 5_000_000;

/// An open bucket. Cheap to clone; all clones share connections, credentials and the limit on parts in flight.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    location: Arc<Location>,
    folder: Option<local::Folder>,
    on_s3: Option<OnS3>,
    parts: Arc<Semaphore>,
    strange: Arc<Strange>,
}

/// What only a bucket on S3 has.
#[derive(Clone)]
struct OnS3 {
    client: aws_sdk_s3::Client,
    credentials: Arc<Renewed>,
    storage_class: Option<String>,
}

impl OnS3 {
    /// Asks the AWS SDK's client for something, and once more in a new session where the one that it was asked in has ended.
    async fn in_a_session<T>(&self, ask: impl AsyncFn() -> Result<T, BucketError>) -> Result<T, BucketError> {
        let used = self.credentials.current().await?;
        match ask().await {
            Err(BucketError::Identity(ref error))
                if error.ends(&used) && self.credentials.instead_of(&used).await? != used =>
            {
                ask().await
            }
            answer => answer,
        }
    }
}

/// What a conditional put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object was absent and is now what was put.
    Created,
    /// There is an object of that key already. It may be our own, of a request whose answer was lost.
    Exists,
}

/// An object that a list found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key, without the bucket's prefix.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Bucket {
    /// Opens a bucket. A folder is created if it is absent; an S3 bucket is not, and whether it exists shows at the first
    /// operation. Credentials are fetched, and the role assumed, before this returns.
    pub async fn open(settings: &Settings) -> Result<Self, BucketError> {
        if let Settings::File { path } = settings {
            local::create(path).await?;
        }
        Self::open_existing(settings).await
    }

    /// Opens a bucket to look at it: nothing is created.
    pub async fn open_existing(settings: &Settings) -> Result<Self, BucketError> {
        match settings {
            Settings::S3(settings) => {
                let Opened { store, client, credentials, location } = s3::open(settings, Clock::system()).await?;
                let storage_class = settings.rules.storage_class.clone();
                let on_s3 = Some(OnS3 { client, credentials, storage_class });
                Ok(Self { on_s3, ..Self::over(Arc::new(store), location, None) })
            }
            Settings::File { path } => {
                let (store, folder, location) = local::open(path).await?;
                Ok(Self::over(Arc::new(store), location, Some(folder)))
            }
        }
    }

    /// An empty bucket in memory, for tests. It lives as long as its clones.
    pub fn memory() -> Self {
        Self::over(Arc::new(InMemory::new()), Location::memory(), None)
    }

    fn over(store: Arc<dyn ObjectStore>, location: Location, folder: Option<local::Folder>) -> Self {
        Self {
            store,
            location: Arc::new(location),
            folder,
            on_s3: None,
            parts: Arc::new(Semaphore::new(PARTS_IN_FLIGHT)),
            strange: Arc::default(),
        }
    }

    /// The bucket as people write it: `s3://bucket/prefix`, `file:///folder`. Keys follow after a `/`.
    pub fn describe(&self) -> &str {
        &self.location.description
    }

    /// The AWS SDK's client of a bucket on S3, for what only it can ask.
    fn client(&self) -> Option<&aws_sdk_s3::Client> {
        self.on_s3.as_ref().map(|on_s3| &on_s3.client)
    }

    /// Writes an object, replacing one of the same key.
    pub async fn put(&self, key: &str, content: Bytes) -> Result<(), BucketError> {
        let path = self.path(key)?;
        match self.store.put(&path, PutPayload::from_bytes(content)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.location.judge(Operation::Put, key, &error)),
        }
    }

    /// Writes an object if there is none of that key. Of several that try, exactly one is told [`Put::Created`].
    ///
    /// An error of which [`BucketError::may_have_happened`] is true leaves open whether the object was created, even
    /// later than this returns.
    pub async fn put_if_absent(&self, key: &str, content: Bytes) -> Result<Put, BucketError> {
        let path = self.path(key)?;
        for _ in 0..CONFLICT_RETRIES {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.store.put_opts(&path, PutPayload::from_bytes(content.clone()), options).await {
                Ok(_) => return Ok(Put::Created),
                Err(error) if Location::means_conflict(&error) => {}
                Err(error) if Location::means_present(&error) => return Ok(Put::Exists),
                Err(error) => return Err(self.location.judge_create(key, &error)),
            }
        }
        Err(self.location.contested(key, CONFLICT_RETRIES))
    }

    /// Begins to write a big object, which appears when the upload is finished. Nothing is sent before there is a part's
    /// worth of content.
    pub fn upload(&self, key: &str) -> Result<Upload, BucketError> {
        let path = self.path(key)?;
        let (store, location) = (Arc::clone(&self.store), Arc::clone(&self.location));
        let storage_class = self.on_s3.as_ref().and_then(|on_s3| on_s3.storage_class.clone());
        let object = Object { store, location, key: key.to_owned(), path, storage_class };
        Ok(Upload::new(object, Arc::clone(&self.parts)))
    }

    /// All objects under a folder, however deep, in the order of their keys. A request for every thousand of them on S3.
    pub async fn list(&self, folder: &str) -> Result<Vec<Entry>, BucketError> {
        let path = self.path(folder)?;
        self.collect(folder, self.store.list(Some(&path)), usize::MAX).await
    }

    /// The first so many objects under a folder whose keys sort after `after` (which need not exist), in the order of
    /// their keys. On S3, one request for every thousand that are asked for; a folder is walked whole.
    pub async fn list_after(&self, folder: &str, after: &str, at_most: usize) -> Result<Vec<Entry>, BucketError> {
        let (path, after) = (self.path(folder)?, self.path(after)?);
        self.collect(folder, self.store.list_with_offset(Some(&path), &after), at_most).await
    }

    /// The names of the folders at the top of the bucket, in order.
    pub async fn folders(&self) -> Result<Vec<String>, BucketError> {
        let prefix = self.path("")?;
        match self.store.list_with_delimiter(Some(&prefix)).await {
            Ok(found) => {
                let names = found.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned));
                let mut names: Vec<String> = names.collect();
                names.sort();
                Ok(names)
            }
            Err(error) => Err(self.location.judge(Operation::List, "", &error)),
        }
    }

    /// Removes an object. That there is none of that key is not an error. In a folder, the folders on the way to it go, too,
    /// where nothing is in them: also those that an upload has made which was given up.
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let path = self.path(key)?;
        match self.store.delete(&path).await {
            Ok(()) => Ok(()),
            Err(error) if Location::means_absent(&error) => Ok(()),
            Err(error) => Err(self.location.judge(Operation::Delete, key, &error)),
        }
    }

    /// What uploads that a crash cut short have left under a folder, in a bucket that can tell: files with a number after
    /// the key (`key#1`), which no list shows. Always empty on S3, whose own rule for incomplete multipart uploads
    /// removes theirs, where the bucket's owner has set it.
    pub async fn list_unfinished(&self, folder: &str) -> Result<Vec<Unfinished>, BucketError> {
        match &self.folder {
            Some(root) => root.list_unfinished(&self.location, folder).await,
            None => Ok(Vec::new()),
        }
    }

    /// Removes what an unfinished upload left.
    pub async fn delete_unfinished(&self, unfinished: &Unfinished) -> Result<(), BucketError> {
        match &self.folder {
            Some(root) => root.delete_unfinished(&self.location, unfinished).await,
            None => Ok(()),
        }
    }

    /// Tells, once, that what lies under a key is passed over, and why.
    pub(crate) fn pass_over(&self, key: &str, why: &str) {
        self.strange.pass_over(key, why);
    }

    /// What is there under a key is not what sluice writes.
    fn not_ours(&self, key: &str, what: &'static str) -> BucketError {
        self.location.not_ours(key, what)
    }

    /// The object's path in the store: the bucket's prefix and the key.
    fn path(&self, key: &str) -> Result<ObjectPath, BucketError> {
        let full = match (self.location.prefix(), key) {
            ("", key) => key.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, key) => format!("{prefix}/{key}"),
        };
        ObjectPath::parse(&full).map_err(|error| BucketError::Key { key: full, source: Cause::of(&error) })
    }

    async fn collect(
        &self,
        folder: &str,
        found: BoxStream<'_, object_store::Result<ObjectMeta>>,
        at_most: usize,
    ) -> Result<Vec<Entry>, BucketError> {
        // S3 and memory list in order; a folder is read in the order in which its file system has it.
        let in_order = if self.folder.is_some() { usize::MAX } else { at_most };
        let mut entries: Vec<Entry> = found
            .take(in_order.min(LONGEST_LIST + 1))
            .map_ok(|object| Entry {
                key: self.location.key_of(object.location.as_ref()).to_owned(),
                bytes: object.size,
            })
            .try_collect()
            .await
            .map_err(|error| self.location.judge(Operation::List, folder, &error))?;
        if entries.len() > LONGEST_LIST {
            return Err(self.location.not_ours(folder, "of more objects than any it fills"));
        }
        entries.sort_by(|left, right| left.key.cmp(&right.key));
        entries.truncate(at_most);
        Ok(entries)
    }
}

/// What an unfinished upload left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The key that the object would have had.
    pub key: String,
    /// The number of the upload to that key.
    pub upload: u32,
    /// Its size in bytes so far.
    pub bytes: u64,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bucket").field("location", &self.location.description).finish_non_exhaustive()
    }
}
