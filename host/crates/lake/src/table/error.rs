//! What can go wrong with commits, by what happened.

use sluice_model::run_id::RunId;

use super::{
    change::{Change, Obstacle},
    commit::{Author, Commit},
    weight::TooLarge,
};
use crate::bucket::BucketError;

/// How often a commit of one number is tried when the bucket gives no answer. The bucket repeats each request for minutes by
/// itself; what has not worked three times is not going to.
pub(super) const ATTEMPTS: u32 = 3;

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
    /// The bucket gave no answer, however often it was asked, or refused the commit and then a look at it: so it is open whether
    /// it was made.
    #[error("it is not known whether commit {number} was made")]
    Unknown {
        /// The commit's number.
        number: u64,
        /// The last failure.
        source: Option<BucketError>,
    },
    /// What the run builds on is kept no longer, so its entry, if it made one, stands below the newest and counts for nothing.
    #[error(
        "commit {base}, which this run builds on, has expired meanwhile: the run stood still for longer than commits are kept, \
         and it is not known whether what it has committed counts"
    )]
    Outlived {
        /// The number of that commit; 0 if the log was empty when the run looked.
        base: u64,
    },
    /// The entry was made, and the bucket did not let the run see whether it counts.
    #[error("commit {number} was made, and it could not be seen whether it counts")]
    Unconfirmed {
        /// The commit's number.
        number: u64,
        /// What failed.
        source: BucketError,
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
    /// An entry that is larger than any that can be read.
    #[error("commit `{key}` in `{bucket}` cannot be read")]
    Oversized {
        /// The bucket.
        bucket: String,
        /// The entry's key.
        key: String,
        /// How large it is.
        source: BucketError,
    },
    /// The commit would be larger than what can be read again by far.
    #[error("the commit is too large, and nothing of this run was committed")]
    TooLarge(#[from] TooLarge),
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl LogError {
    /// The change was late for this commit, which is in its way.
    pub(super) fn late(change: &Change, first: Commit, obstacle: Obstacle) -> Self {
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
            Self::Unknown { .. }
            | Self::Unconfirmed { .. }
            // An earlier attempt, whose answer was lost before the run stood still, may have been built on since.
            | Self::Outlived { .. }
            | Self::Newer { .. }
            | Self::Malformed { .. }
            | Self::Oversized { .. } => true,
            // Refused, or never asked for; the one that may have been made is `Unknown`.
            Self::Raced { .. } | Self::TablesMeet { .. } | Self::TooLarge(_) | Self::Bucket(_) => false,
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
            Self::Outlived { .. } => {
                "run again; expiry removes what this run has left, unless a commit lists it by now".to_owned()
            }
            Self::Unconfirmed { number, .. } => {
                format!(
                    "all is well, unless this run stood still for days; the newest commit is {number} or one after it"
                )
            }
            Self::Newer { .. } => "a newer sluice wrote it: use that version for this bucket".to_owned(),
            Self::Malformed { key, .. } => format!("restore `{key}` from a version or a copy of the bucket"),
            Self::Oversized { key, .. } => format!(
                "an earlier version has made it, or somebody else. If it is the newest, copy `{key}` elsewhere and remove it: \
                 readers then see the commit before it, and the next run writes its tables anew"
            ),
            Self::TooLarge(error) => error.hint(),
            Self::Bucket(error) => return error.hint(),
        })
    }
}
