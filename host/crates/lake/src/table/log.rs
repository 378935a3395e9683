//! The commit log: numbered entries in a bucket, of which the newest is what readers see.
//!
//! A commit succeeds for the run whose entry is created, of all that try the same number. The answer to that request can be
//! lost while the entry stands, so an entry that exists already is read back: if it is of the same run, the commit has
//! succeeded.
//!
//! Entries are never changed and never removed here, and a reader may hold on to an older one: its files stay as long as
//! it does.

use bytes::Bytes;
use sluice_model::run_id::RunId;

use super::{
    commit::{Change, Commit, next},
    key,
    wire::{self, Unreadable},
};
use crate::bucket::{Bucket, BucketError, Put, numbered};

/// How often a commit is tried when the bucket gives no answer. The bucket repeats each request for minutes by itself; what
/// has not worked three times is not going to.
const ATTEMPTS: u32 = 3;

/// A commit that could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another run was first.
    #[error("another run committed {number} (run `{run}` of pipeline `{pipeline}`); nothing of this run was committed")]
    Raced {
        /// The number this run tried to commit.
        number: u64,
        /// The run that has it.
        run: RunId,
        /// Its pipeline.
        pipeline: String,
    },
    /// The bucket gave no answer, so it is open whether the commit was made.
    #[error("it is not known whether commit {number} was made: the bucket gave no answer {ATTEMPTS} times")]
    Unknown {
        /// The commit's number.
        number: u64,
        /// The last failure.
        source: Option<BucketError>,
    },
    /// An entry of a version that writes another format.
    #[error("commit `{key}` in `{bucket}` is of format {format}, which this version cannot read")]
    Newer {
        /// The bucket.
        bucket: String,
        /// The entry's key.
        key: String,
        /// Its format.
        format: u32,
    },
    /// An entry that is not what any version writes.
    #[error("commit `{key}` in `{bucket}` is damaged")]
    Malformed {
        /// The bucket.
        bucket: String,
        /// The entry's key.
        key: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl LogError {
    /// Whether the commit that failed with this may stand all the same, or may come to: its files must stay.
    pub fn may_have_been_made(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::Newer { .. } | Self::Malformed { .. } => true,
            // Refused, or never asked for; the one that may have been made is `Unknown`.
            Self::Raced { .. } | Self::Bucket(_) => false,
        }
    }

    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Raced { .. } => "run again, and not two runs on one bucket at a time".to_owned(),
            Self::Unknown { number, .. } => {
                format!("look at the newest commit: if it is {number} and of this run, all is well; else run again")
            }
            Self::Newer { .. } => "a newer sluice wrote it: use that version for this bucket".to_owned(),
            Self::Malformed { key, .. } => format!("restore `{key}` from a version or a copy of the bucket"),
            Self::Bucket(error) => return error.hint(),
        })
    }
}

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

    /// The newest commit; `None` before the first. Costs two requests up to a thousand commits, and a dozen or so for a
    /// hundred thousand ([`numbered::newest`]).
    pub async fn latest(&self) -> Result<Option<Commit>, LogError> {
        let Some(number) = numbered::newest(&self.bucket, &key::commits()).await? else { return Ok(None) };
        self.read(number).await
    }

    /// The commit of a number; `None` if there is none.
    pub async fn read(&self, number: u64) -> Result<Option<Commit>, LogError> {
        let key = numbered::key(&key::commits(), number);
        let Some(content) = self.bucket.get(&key).await? else { return Ok(None) };
        let bucket = || self.bucket.describe().to_owned();
        match wire::read(number, &content) {
            Ok(commit) => Ok(Some(commit)),
            Err(Unreadable::Newer(format)) => Err(LogError::Newer { bucket: bucket(), key, format }),
            Err(Unreadable::Malformed(source)) => Err(LogError::Malformed { bucket: bucket(), key, source }),
        }
    }

    /// Makes a change visible: all its tables at once, or nothing. `base` is the commit that [`CommitLog::latest`] gave
    /// when this run had taken the lease; if there is a newer one by now, the change is refused.
    ///
    /// Cancelling leaves open whether the commit was made.
    pub async fn commit(&self, base: Option<&Commit>, change: Change) -> Result<Commit, LogError> {
        let commit = next(base, change);
        let key = numbered::key(&key::commits(), commit.number);
        let content = Bytes::from(wire::write(&commit));
        let mut unanswered = None;
        for attempt in 1..=ATTEMPTS {
            let failure = match self.bucket.put_if_absent(&key, content.clone()).await {
                Ok(Put::Created) => return Ok(commit),
                Ok(Put::Exists) => match self.read(commit.number).await {
                    Ok(Some(there)) if there.author.run == commit.author.run => return Ok(commit),
                    Ok(Some(there)) => {
                        let (run, pipeline) = (there.author.run, there.author.pipeline);
                        return Err(LogError::Raced { number: commit.number, run, pipeline });
                    }
                    // Removed in between, by someone who has no business to.
                    Ok(None) => continue,
                    Err(LogError::Bucket(error)) => error,
                    Err(error) => return Err(error),
                },
                Err(error) => error,
            };
            if unanswered.is_none() && !failure.may_have_happened() {
                return Err(failure.into());
            }
            tracing::warn!(number = commit.number, attempt, error = %failure, "the commit was not answered");
            unanswered = Some(failure);
        }
        Err(LogError::Unknown { number: commit.number, source: unanswered })
    }
}

#[cfg(test)]
mod tests;
