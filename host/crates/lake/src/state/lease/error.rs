//! What can go wrong with a lease, by what happened.

use super::{ATTEMPTS, CLOCK_TOLERANCE, LeaseEntry};
use crate::bucket::BucketError;

/// A lease that could not be taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run holds it.
    #[error(
        "run `{}` of pipeline `{}` holds the lease on `{bucket}`: process {} on host `{}`, since {}, until {} unless renewed",
        entry.holder.run, entry.holder.pipeline, entry.holder.pid, entry.holder.host, entry.taken, entry.ends
    )]
    Held {
        /// The bucket.
        bucket: String,
        /// The newest entry.
        entry: LeaseEntry,
    },
    /// This run held it and does no longer.
    #[error("the lease on `{bucket}` was lost: {loss}")]
    Lost {
        /// The bucket.
        bucket: String,
        /// How.
        loss: Loss,
    },
    /// The newest entry is none that this version can read.
    #[error("`{key}` in `{bucket}` is no lease that this version can read")]
    Unreadable {
        /// The bucket.
        bucket: String,
        /// The entry's key.
        key: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The store creates an object that is there: it ignores the condition on which everything depends.
    #[error("the store at `{bucket}` ignores `If-None-Match`: two runs could both commit")]
    NoConditions {
        /// The bucket.
        bucket: String,
    },
    /// A lease that ends later than any could.
    #[error(
        "the lease on `{bucket}` ends at {}, later than any lease that is taken now (run `{}` on `{}`)",
        entry.ends, entry.holder.run, entry.holder.host
    )]
    TooLong {
        /// The bucket.
        bucket: String,
        /// The entry's key.
        key: String,
        /// The entry.
        entry: LeaseEntry,
    },
    /// Other runs were always quicker.
    #[error("the leases on `{bucket}` changed hands {ATTEMPTS} times while this run looked at them")]
    Contested {
        /// The bucket.
        bucket: String,
    },
    /// A run of another pipeline is about to write a table of this run.
    #[error(
        "table `{table}` of pipeline `{pipeline}` is about to be written by run `{}` of pipeline `{}`, too: process {} on host \
         `{}`, since {}",
        entry.holder.run, entry.holder.pipeline, entry.holder.pid, entry.holder.host, entry.taken
    )]
    Claimed {
        /// The table, as this run calls it.
        table: String,
        /// The pipeline of this run.
        pipeline: String,
        /// The other's entry.
        entry: LeaseEntry,
    },
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl LeaseError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Held { .. } => format!(
                "wait for that run to end (`--wait 5m` does); if it crashed, its lease can be taken over {} seconds after \
                 its end",
                CLOCK_TOLERANCE.as_secs()
            ),
            Self::Lost { .. } => "run again: the tables are as the last commit left them".to_owned(),
            Self::Unreadable { .. } => "a newer sluice wrote it: use that version for this bucket".to_owned(),
            Self::TooLong { key, .. } => format!(
                "set the clock right, here or on that host; if neither is wrong and that run is over, remove `{key}`"
            ),
            Self::NoConditions { .. } => "use a store that honours `If-None-Match: *` on puts, as AWS does".to_owned(),
            Self::Contested { .. } => "look for a schedule that starts many runs on this bucket".to_owned(),
            Self::Claimed { .. } => "give each pipeline a folder of its own, or its tables other names".to_owned(),
            Self::Bucket(error) => return error.hint(),
        })
    }
}

/// How a lease was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// Another run took it, since it seemed to have ended.
    #[error("another run has taken it (entry {number})")]
    TakenOver {
        /// The number of the newest entry.
        number: u64,
    },
    /// Nothing renews it any more: the task that does has failed, which is a mistake in this program.
    #[error("its renewal has stopped")]
    Unattended,
}
