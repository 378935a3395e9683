//! The sweep: removing what runs of a pipeline that failed have left.
//!
//! A run that crashes leaves files that no commit lists. They harm no reader, cost money, and may fill a disk, so each run
//! removes them, and only them, before it reads ([`sweep_before`]) and after it has committed ([`sweep_after`]):
//!
//! - a key must be one that we would have made, to the letter ([`DataKey`]); whatever else lies in the bucket stays;
//! - it must be of a run of *our own pipeline*. Runs of other pipelines may be at work, and the lease says nothing of them;
//!   what they leave is theirs to sweep. So the files of a pipeline that is never run again stay;
//! - its run must be in no commit of the log, whose older entries readers may still hold on to;
//! - its run must not be one that still works. It is not ours, and a run takes its pipeline's lease before it writes its
//!   first file: so if the lease is still ours *after* the files were found, no file of theirs is of a run that has the
//!   lease. Hence `still_ours` is asked in between, and nothing is decided by clocks.
//!
//! A run whose lease was taken over without its knowledge may find its files gone. So it must not be able to commit any
//! more: it loses to every commit of its own pipeline that is newer than the one it builds on ([`Commits::commit`]), and the
//! run that removes its files has made one, which that run cannot build on: the lease was taken over from it, and a run looks
//! at the lease after it has read what it builds on. After a commit that is so by itself. Before reading, there is none yet,
//! and a run that finds something to remove first makes one that changes nothing: the fence. It stands in the log after a
//! crash, and only then. If it is the run without a lease that is quicker, then the fence is what loses, and nothing is
//! removed. Commits of other pipelines in between make no difference to any of this.
//!
//! **What it costs.** A bucket that is years old holds many files and commits, nearly all of them accounted for by earlier
//! sweeps. A sweep that succeeds therefore notes its time, for its pipeline, and the next lists only the files of runs that
//! began later; it reads older commits, newest first, only until every run it found is accounted for. In the usual case that
//! is one list for each table and a commit or two, and as many more as other pipelines have made within the hour. The whole
//! log is read only to prove that a crashed run is in none of it.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sluice_model::run_id::RunId;

use super::{
    change::Change,
    commit::Commit,
    commits::Commits,
    error::LogError,
    key::{self, DataKey},
    log::CommitLog,
};
use crate::bucket::{Bucket, BucketError, Unfinished};

/// How far before the noted time of the last sweep the next one begins: by so much may the clocks of two machines differ
/// that take turns, without a file being overlooked.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// How many older commits are read at once.
const READS_AT_ONCE: usize = 8;
/// How many files are removed at once.
const REMOVALS_AT_ONCE: usize = 16;

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// The files that were removed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What did not work. The tables are none the worse for it, and the next sweep tries again.
    pub failures: Vec<SweepError>,
}

/// Something that a sweep could not do.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The lease is no longer ours, so that files may be those of another run.
    #[error("nothing was swept, since the lease is not certain to be this run's any more")]
    NotOurs,
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// A commit could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Removes what failed runs of a pipeline have left. `newest` is the commit that this run of it has just made; `still_ours`
/// looks whether this run still holds the lease.
pub async fn sweep_after(bucket: &Bucket, newest: &Commit, still_ours: impl AsyncFnOnce() -> bool) -> Swept {
    match find_ours(bucket, &newest.author.pipeline, Some(newest), still_ours).await {
        Ok(doomed) => remove(bucket, doomed, newest).await,
        Err(error) => Swept { failures: vec![error], ..Swept::default() },
    }
}

/// Removes what failed runs of a pipeline have left, before this run of it has written anything. `base` is the newest commit,
/// and `unchanged` a change of nothing: if there is something to remove, it is committed first. Gives the commit that this
/// run is to build on: its own, or `base`.
///
/// An error is one of that commit, and leaves open whether it was made: the run must end, for what it commits might be
/// taken for this.
pub async fn sweep_before(
    bucket: &Bucket,
    base: Option<Commit>,
    unchanged: Change,
    still_ours: impl AsyncFnOnce() -> bool,
) -> Result<(Option<Commit>, Swept), LogError> {
    let doomed = match find_ours(bucket, &unchanged.author.pipeline, base.as_ref(), still_ours).await {
        Ok(doomed) => doomed,
        Err(error) => return Ok((base, Swept { failures: vec![error], ..Swept::default() })),
    };
    if doomed.is_empty() {
        return Ok((base, Swept::default()));
    }
    let commit = match CommitLog::of(bucket).commit(base.as_ref(), unchanged).await {
        Ok(commit) => commit,
        // Whether it stands is of no interest to anybody: it changes nothing.
        Err(LogError::Unknown { source: Some(error), .. }) => return Err(error.into()),
        Err(error) => return Err(error),
    };
    let swept = remove(bucket, doomed, &commit).await;
    Ok((Some(commit), swept))
}

/// The files of a pipeline that no commit accounts for, found while the lease was this run's.
async fn find_ours(
    bucket: &Bucket,
    pipeline: &str,
    newest: Option<&Commit>,
    still_ours: impl AsyncFnOnce() -> bool,
) -> Result<Vec<Found>, SweepError> {
    let doomed = find(bucket, pipeline, newest).await?;
    if doomed.is_empty() || still_ours().await { Ok(doomed) } else { Err(SweepError::NotOurs) }
}

/// Removes what was found, and notes how far everything is accounted for. `newest` is a commit of this run.
async fn remove(bucket: &Bucket, doomed: Vec<Found>, newest: &Commit) -> Swept {
    let mut swept = Swept::default();
    let mut removals = futures::stream::iter(doomed)
        .map(async |found| found.remove(bucket).await.map(|()| found.bytes()))
        .buffer_unordered(REMOVALS_AT_ONCE);
    while let Some(removal) = removals.next().await {
        match removal {
            Ok(bytes) => {
                swept.files += 1;
                swept.bytes += bytes;
            }
            Err(error) => swept.failures.push(error.into()),
        }
    }
    if swept.failures.is_empty()
        && let Err(error) = Note::after(newest).write(bucket, &newest.author.pipeline).await
    {
        swept.failures.push(error.into());
    }
    swept
}

/// A file under a key of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    run: RunId,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    File { key: String, bytes: u64 },
    Unfinished(Unfinished),
}

impl Found {
    fn bytes(&self) -> u64 {
        match &self.what {
            What::File { bytes, .. } => *bytes,
            What::Unfinished(unfinished) => unfinished.bytes,
        }
    }

    async fn remove(&self, bucket: &Bucket) -> Result<(), BucketError> {
        match &self.what {
            What::File { key, .. } => bucket.delete(key).await,
            What::Unfinished(unfinished) => bucket.delete_unfinished(unfinished).await,
        }
    }
}

/// The files of a pipeline that no commit accounts for.
async fn find(bucket: &Bucket, pipeline: &str, newest: Option<&Commit>) -> Result<Vec<Found>, SweepError> {
    let note = Note::read(bucket, pipeline).await?;
    let found = list(bucket, pipeline, note.as_ref()).await?;
    let mut listed = newest.map(runs_of).unwrap_or_default();
    let log = CommitLog::of(bucket);
    let numbers = (1..newest.map_or(1, |newest| newest.number)).rev();
    let mut older = futures::stream::iter(numbers).map(|number| log.read(number)).buffered(READS_AT_ONCE);
    while !unlisted(&found, &listed).is_empty()
        && let Some(commit) = older.try_next().await?
    {
        listed.extend(commit.iter().flat_map(runs_of));
    }
    Ok(unlisted(&found, &listed))
}

/// All files of a pipeline, of runs from the note on.
async fn list(bucket: &Bucket, pipeline: &str, note: Option<&Note>) -> Result<Vec<Found>, BucketError> {
    let mut found = Vec::new();
    for table in bucket.folders().await? {
        if !key::is_table_name(&table) {
            continue;
        }
        let folder = key::of_pipeline(&table, pipeline);
        let from = key::runs_from(&folder, note.map_or("", |note| note.runs_from.as_str()));
        for entry in bucket.list_after(&folder, &from, usize::MAX).await? {
            if let Some(key) = DataKey::parse(&entry.key) {
                found.push(Found { run: key.run, what: What::File { key: entry.key, bytes: entry.bytes } });
            }
        }
        for unfinished in bucket.list_unfinished(&folder).await? {
            if let Some(key) = DataKey::parse(&unfinished.key) {
                found.push(Found { run: key.run, what: What::Unfinished(unfinished) });
            }
        }
    }
    Ok(found)
}

/// The runs that a commit accounts for: all whose tables it lists. Its author is one of them, unless the commit changes
/// nothing.
fn runs_of(commit: &Commit) -> BTreeSet<RunId> {
    let files = commit.tables.values().flat_map(|table| &table.files);
    let of_files = files.filter_map(|file| DataKey::parse(&file.key)).map(|key| key.run);
    let of_tables = commit.tables.values().map(|table| table.run.clone());
    of_files.chain(of_tables).collect()
}

/// What was found of runs that no commit lists.
fn unlisted(found: &[Found], listed: &BTreeSet<RunId>) -> Vec<Found> {
    found.iter().filter(|found| !listed.contains(&found.run)).cloned().collect()
}

/// How far the last sweep of a pipeline came. Only a saving: without it, everything is looked at.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// The files of runs that began before this are accounted for: [`RunId::time_part`].
    runs_from: String,
}

impl Note {
    /// Runs that begin from now on, by clocks that differ no more than they may.
    fn after(newest: &Commit) -> Self {
        let from = newest.committed.checked_sub(OVERLAP).unwrap_or(newest.committed);
        Self { runs_from: RunId::time_part(from) }
    }

    async fn read(bucket: &Bucket, pipeline: &str) -> Result<Option<Self>, BucketError> {
        let content = bucket.get(&key::swept(pipeline)).await?;
        // A note that cannot be read is none.
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    async fn write(&self, bucket: &Bucket, pipeline: &str) -> Result<(), BucketError> {
        let content = serde_json::to_vec(self).unwrap_or_else(|_| unreachable!("a text is always JSON"));
        bucket.put(&key::swept(pipeline), Bytes::from(content)).await
    }
}

#[cfg(test)]
mod tests;
