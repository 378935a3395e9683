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

/// The bytes of a note, at most: those of a hundred thousand runs since the sweep before.
const LARGEST: u64 = 4 << 20;

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
        let key = key::swept(pipeline);
        let content = match bucket.get_within(LARGEST, &key).await {
            Err(error @ BucketError::Oversized { .. }) => {
                tracing::warn!(key, %error, "the note of the last sweep is none; everything is looked at");
                None
            }
            content => content?,
        };
        // One that cannot be read is none.
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default())
    }

    pub(super) async fn write(&self, bucket: &Bucket, pipeline: &str) -> Result<(), BucketError> {
        let mut content = self.stored();
        if content.len() as u64 > LARGEST {
            // The next sweep proves again what this one has judged.
            content = Self { runs_from: self.runs_from.clone(), judged: Judged::default() }.stored();
        }
        bucket.put_within(LARGEST, &key::swept(pipeline), Bytes::from(content)).await
    }

    fn stored(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|_| unreachable!("texts and numbers are always JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sweep_that_has_judged_too_much_notes_how_far_it_came_and_can_be_read() {
        let bucket = Bucket::memory();
        for (runs, is_noted) in [(1000, true), (150_000, false)] {
            let mut judging = Judging::default();
            for run in 0..runs {
                judging.add_run(&format!("20261123T201500Z-{run:08x}").parse().unwrap());
            }
            let runs_from = "20261123T20".to_owned();
            let reach = Reach { judged: judging.end(7, &runs_from), runs_from };
            reach.write(&bucket, "crm").await.unwrap();
            let judged = if is_noted { reach.judged } else { Judged::default() };
            assert_eq!(Reach::read(&bucket, "crm").await.unwrap(), Reach { judged, ..reach });
        }
    }
}
