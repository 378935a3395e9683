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
//! it does.

use bytes::Bytes;
use sluice_model::run_id::RunId;

use super::{
    commit::{Author, Change, Commit, Obstacle, next, obstacle},
    key,
    wire::{self, Unreadable},
};
use crate::bucket::{Bucket, BucketError, Put, numbered};

/// How often a commit of one number is tried when the bucket gives no answer. The bucket repeats each request for minutes by
/// itself; what has not worked three times is not going to.
const ATTEMPTS: u32 = 3;

/// A commit that could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another run of the same pipeline was first.
    #[error(
        "another run of pipeline `{pipeline}` has committed {number} (run `{run}`); nothing of this run was committed"
    )]
    Raced {
        /// The number of its commit.
        number: u64,
        /// That run.
        run: RunId,
        /// The pipeline of both.
        pipeline: String,
    },
    /// A run of another pipeline was first, with a table of this run.
    #[error(
        "pipeline `{other}` has changed table `{table}` of pipeline `{pipeline}` (run `{run}`, commit {number}); nothing of \
         this run was committed"
    )]
    TablesMeet {
        /// The table, as this run calls it.
        table: String,
        /// The pipeline of this run.
        pipeline: String,
        /// The pipeline that was first.
        other: String,
        /// The run of it that was.
        run: RunId,
        /// The number of its commit.
        number: u64,
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
    /// The change was late for this commit, which is in its way.
    fn late(change: &Change, first: Commit, obstacle: Obstacle) -> Self {
        let (number, Author { run, pipeline: other, .. }) = (first.number, first.author);
        let pipeline = change.author.pipeline.clone();
        match obstacle {
            Obstacle::OwnPipeline => Self::Raced { number, run, pipeline },
            Obstacle::Table(table) => Self::TablesMeet { table, pipeline, other, run, number },
        }
    }

    /// Whether the commit that failed with this may stand all the same, or may come to: its files must stay.
    pub fn may_have_been_made(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::Newer { .. } | Self::Malformed { .. } => true,
            // Refused, or never asked for; the one that may have been made is `Unknown`.
            Self::Raced { .. } | Self::TablesMeet { .. } | Self::Bucket(_) => false,
        }
    }

    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Raced { .. } => "run again, and not two runs of one pipeline at a time".to_owned(),
            Self::TablesMeet { .. } => "give each pipeline a folder of its own, or its tables other names".to_owned(),
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
    /// when this run had taken the lease. Where there are newer ones by now, the change is made on the newest, unless one
    /// of them is by the same pipeline or has to do with the same tables. Gives this run's commit, which need not be the
    /// newest any more.
    ///
    /// Cancelling leaves open whether the commit was made.
    pub async fn commit(&self, base: Option<&Commit>, change: Change) -> Result<Commit, LogError> {
        let mut commit = next(base, change.clone());
        let mut base = base.cloned();
        while let Made::Late(first) = self.create(&commit).await? {
            let newest = self.newest_since(base.as_ref(), first, &change).await?;
            tracing::info!(late_for = commit.number, newest = newest.number, "the commit is made again on a newer one");
            commit = next(Some(&newest), change.clone());
            base = Some(newest);
        }
        Ok(commit)
    }

    /// Creates the entry of a commit, or says which stands in its place.
    async fn create(&self, commit: &Commit) -> Result<Made, LogError> {
        let key = numbered::key(&key::commits(), commit.number);
        let content = Bytes::from(wire::write(commit));
        let mut unanswered = None;
        for attempt in 1..=ATTEMPTS {
            let failure = match self.bucket.put_if_absent(&key, content.clone()).await {
                Ok(Put::Created) => return Ok(Made::Ours),
                Ok(Put::Exists) => match self.read(commit.number).await {
                    Ok(Some(there)) if there.author.run == commit.author.run => return Ok(Made::Ours),
                    Ok(Some(there)) => return Ok(Made::Late(there)),
                    // Removed in between, by someone who has no business to.
                    Ok(None) => continue,
                    // Whose it is stays open, ours included.
                    Err(LogError::Bucket(error)) => error,
                    Err(error) => return Err(error),
                },
                Err(error) if unanswered.is_none() && !error.may_have_happened() => return Err(error.into()),
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
            match self.read(newest.number + 1).await? {
                Some(newer) => newest = newer,
                None => return Ok(newest),
            }
        }
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
