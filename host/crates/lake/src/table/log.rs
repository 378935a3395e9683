//! The commit log: numbered entries in a bucket, of which the newest is what readers see.
//!
//! A commit succeeds for the run whose entry is created, of all that try the same number. The answer to that request can be
//! lost while the entry stands, so an entry that exists already is read back: if it is of the same run, the commit has
//! succeeded, whatever others have built on it since.
//!
//! **Who was late** is not lost, as long as what has been committed meanwhile is none of its business. It reads all commits
//! since the one it builds on, and makes its own anew on the newest, unless
//!
//! - one of them is by its own pipeline: then it has lost the lease without knowing, and its files may have been swept
//!   (`sweep`: that commit is the fence); or
//! - a table that it writes or retires is not what it was.
//!
//! So of two pipelines in one folder, neither can make the other fail. Each time that a run is late another has succeeded,
//! hence this needs no count; only requests without an answer are counted.
//!
//! Entries are never changed and never removed here, and a reader may hold on to an older one: its files stay as long as
//! it does. `expire` removes old ones, the oldest first and never the newest.
//!
//! **A number that has expired must not be taken anew.** A run that stood still for longer than commits are kept, in a
//! machine that slept, could make an entry of a number that was free when it looked, taken meanwhile, and is free again. It
//! would stand far below the newest, and the run would believe it had committed. So after its entry was made a run looks
//! whether what it builds on is still there: entries go oldest first, so a number that has been free twice has nothing before
//! it. And who is late and finds no further commit looks whether there is one beyond a gap. The entry stays where it is: it
//! may be the run's second attempt at a commit that was made, built on, and has expired; and as any old entry, it expires
//! with the files that nothing later lists.

use async_trait::async_trait;

use super::{
    change::{Change, next, obstacle},
    commit::Commit,
    commits::Commits,
    error::{ATTEMPTS, LogError},
    key, weight,
    wire::{self, Unreadable},
};
use crate::bucket::{Bucket, BucketError, Put, numbered};

/// The commit log of a bucket.
#[derive(Debug, Clone)]
pub struct CommitLog {
    bucket: Bucket,
}

impl CommitLog {
    /// The log of this bucket; an empty one for a bucket that has none yet.
    pub fn of(bucket: &Bucket) -> Self {
        Self { bucket: bucket.clone() }
    }

    /// The commit of a number; `None` if there is none.
    pub async fn read(&self, number: u64) -> Result<Option<Commit>, LogError> {
        let key = numbered::key(&key::commits(), number);
        let bucket = || self.bucket.describe().to_owned();
        let content = match self.bucket.get(&key).await {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(None),
            Err(source @ BucketError::Oversized { .. }) => {
                return Err(LogError::Oversized { bucket: bucket(), key, source });
            }
            Err(error) => return Err(error.into()),
        };
        match wire::read(number, &content) {
            Ok(commit) => Ok(Some(commit)),
            Err(Unreadable::Newer(format)) => Err(LogError::Newer { bucket: bucket(), key, format }),
            Err(Unreadable::Malformed(source)) => Err(LogError::Malformed { bucket: bucket(), key, source }),
        }
    }

    /// Creates the entry of a commit, or says which stands in its place.
    async fn create(&self, commit: &Commit) -> Result<Made, LogError> {
        let content = weight::entry(commit)?;
        let mut unanswered = None;
        for attempt in 1..=ATTEMPTS {
            let failure = match numbered::create(&self.bucket, &key::commits(), commit.number, content.clone()).await {
                Ok(Put::Created) => return Ok(Made::Ours),
                Ok(Put::Exists) => match self.read(commit.number).await {
                    Ok(Some(there)) if there.author.run == commit.author.run => return Ok(Made::Ours),
                    Ok(Some(there)) => return Ok(Made::Late(there)),
                    // Expired in between: what is made now is not what comes after its base.
                    Ok(None) => continue,
                    // Whose it is stays open, ours included.
                    Err(LogError::Bucket(error)) => error,
                    Err(error) => return Err(error),
                },
                // Something in between may refuse what the bucket has done: what takes files back must know better.
                Err(error) if unanswered.is_none() && !error.may_have_happened() => {
                    return match self.read(commit.number).await {
                        Ok(Some(there)) if there.author.run == commit.author.run => Ok(Made::Ours),
                        Ok(_) => Err(error.into()),
                        Err(_) => Err(LogError::Unknown { number: commit.number, source: Some(error) }),
                    };
                }
                Err(error) => error,
            };
            tracing::warn!(number = commit.number, attempt, error = %failure, "the commit was not answered");
            unanswered = Some(failure);
        }
        Err(LogError::Unknown { number: commit.number, source: unanswered })
    }

    /// Reads all commits after `base`, of which `first` is the first, and gives the newest; an error, if the change may not
    /// be made on it. Until this returns, and after, nothing of the change is in the log.
    async fn newest_since(&self, base: Option<&Commit>, first: Commit, change: &Change) -> Result<Commit, LogError> {
        let mut newest = first;
        loop {
            if let Some(obstacle) = obstacle(base, change, &newest) {
                return Err(LogError::late(change, newest, obstacle));
            }
            newest = match self.read(newest.number + 1).await? {
                Some(newer) => newer,
                None if self.first_above(newest.number).await?.is_none() => return Ok(newest),
                // It was made between the two looks, or there is a gap.
                None => match self.read(newest.number + 1).await? {
                    Some(newer) => newer,
                    None => return Err(LogError::Outlived { base: newest.number }),
                },
            };
        }
    }

    /// The lowest number of a commit above one.
    async fn first_above(&self, number: u64) -> Result<Option<u64>, BucketError> {
        numbered::first_above(&self.bucket, &key::commits(), number).await
    }

    /// Whether an entry that was made comes after the commit that it builds on, which was the newest when it was read. Where
    /// it builds on nothing, only others that have been built on it may be above.
    async fn counts(&self, commit: &Commit) -> Result<bool, LogError> {
        let above = async |number| {
            let unconfirmed = |source| LogError::Unconfirmed { number: commit.number, source };
            self.first_above(number).await.map_err(unconfirmed)
        };
        if let Some(before_base) = commit.number.checked_sub(2) {
            return Ok(above(before_base).await? == Some(commit.number - 1));
        }
        if above(commit.number).await?.is_none() {
            return Ok(true);
        }
        let next = match self.read(commit.number + 1).await {
            Err(LogError::Bucket(source)) => return Err(LogError::Unconfirmed { number: commit.number, source }),
            read => read?,
        };
        let Some(next) = next else { return Ok(false) };
        let mut tables = next.tables.values();
        // What has been built on one that changes nothing has nothing of its pipeline; what has been built on another's first
        // commit, may.
        Ok(if commit.tables.is_empty() {
            tables.all(|table| table.pipeline != commit.author.pipeline)
        } else {
            tables.any(|table| table.run == commit.author.run)
        })
    }
}

#[async_trait]
impl Commits for CommitLog {
    /// Costs two requests up to a thousand commits, and a dozen or so for a hundred thousand ([`numbered::newest`]).
    async fn latest(&self) -> Result<Option<Commit>, LogError> {
        let Some(number) = numbered::newest(&self.bucket, &key::commits()).await? else { return Ok(None) };
        self.read(number).await
    }

    async fn commit(&self, base: Option<&Commit>, change: Change) -> Result<Commit, LogError> {
        let mut commit = next(base, change.clone());
        let mut base = base.cloned();
        while let Made::Late(first) = self.create(&commit).await? {
            let newest = self.newest_since(base.as_ref(), first, &change).await?;
            tracing::info!(late_for = commit.number, newest = newest.number, "the commit is made again on a newer one");
            commit = next(Some(&newest), change.clone());
            base = Some(newest);
        }
        if self.counts(&commit).await? { Ok(commit) } else { Err(LogError::Outlived { base: commit.number - 1 }) }
    }
}

/// What came of the attempt to create an entry.
enum Made {
    /// It is there.
    Ours,
    /// This one was there before.
    Late(Commit),
}

#[cfg(test)]
mod tests;
