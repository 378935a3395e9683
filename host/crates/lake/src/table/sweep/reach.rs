//! How far the sweeps of a pipeline came. Only a saving: without it, everything is looked at.

use bytes::Bytes;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sluice_model::run_id::RunId;

use super::judged::{Judged, Judging};
use crate::{
    bucket::{Bucket, BucketError},
    table::{commit::Commit, key},
};

/// How far before the noted time of the last sweep the next one begins: by so much may the clocks of two machines differ
/// that take turns, without a file being overlooked.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);

/// Up to where the files of a pipeline are accounted for, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reach {
    /// The files of runs whose ids sort before this are accounted for; [`RunId::time_part`], or a run's whole id.
    pub(super) runs_from: String,
    /// What the sweep has judged; nothing in the notes of earlier versions.
    #[serde(default)]
    pub(super) judged: Judged,
}

impl Reach {
    /// After a sweep whose run has made this commit: runs that begin from now on, by clocks that differ no more than they
    /// may, and those that have kept slices, of which this is the first. These were spared, and are for a later sweep.
    pub(super) fn after(newest: &Commit, spared: Option<&RunId>, judging: Judging) -> Self {
        let from = newest.committed.checked_sub(OVERLAP).unwrap_or(newest.committed);
        let from = RunId::time_part(from);
        let runs_from = spared.map_or(from.clone(), |spared| from.min(spared.to_string()));
        Self { judged: judging.end(newest.number, &runs_from), runs_from }
    }

    /// That of the last sweep; nothing at all, if there was none.
    pub(super) async fn read(bucket: &Bucket, pipeline: &str) -> Result<Self, BucketError> {
        let content = bucket.get(&key::swept(pipeline)).await?;
        // One that cannot be read is none.
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default())
    }

    pub(super) async fn write(&self, bucket: &Bucket, pipeline: &str) -> Result<(), BucketError> {
        let content = serde_json::to_vec(self).unwrap_or_else(|_| unreachable!("texts and numbers are always JSON"));
        bucket.put(&key::swept(pipeline), Bytes::from(content)).await
    }
}
