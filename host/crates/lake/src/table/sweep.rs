//! The sweep: removing what runs of a pipeline that failed have left.
//!
//! A run that crashes leaves files that no commit lists. They harm no reader, cost money, and may fill a disk, so each run
//! removes them, and only them, before it reads ([`sweep_before`]) and after it has committed ([`sweep_after`]):
//!
//! - a key must be one that we would have made, to the letter ([`DataKey`](super::key::DataKey)); whatever else lies in the
//!   bucket stays;
//! - it must be of a run of *our own pipeline*. Runs of other pipelines may be at work, and the lease says nothing of them;
//!   what they leave is theirs to sweep. So the files of a pipeline that is never run again stay;
//! - no commit of the log may account for it, whose older entries readers may still hold on to. A commit accounts for all
//!   files of a run whose tables it lists; and, of a run that came to nothing, for those files that were taken over from it,
//!   and no others;
//! - before a run reads, it must not be of a slice that is kept for it (`kept`). After it has committed no slice is of use to
//!   anybody, and all notes go, with the files that no commit lists;
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
//! **Files that are taken over** have two runs that may rely on them: the one that wrote them and the one that took them
//! over. Of their commits one alone can stand, as of any two of one pipeline, and neither removes files that are kept when it
//! has lost (`Sink::keep`). But a *sweep* can lose its lease in the middle, go on for a while, and remove files that the next
//! run has just taken over, and builds its commit on top of the sweep's own. So notes go first, and then the lease is looked
//! at once more: if it is still ours, nobody has had it who could have read the notes, and nobody will read them any more.
//! Only then are files removed. If a note cannot be removed, or the lease is not certain, all files stay. A crash in between
//! leaves files without a note, which are swept like any others.
//!
//! **What it costs.** A bucket that is years old holds many files and commits, nearly all of them accounted for by earlier
//! sweeps. A sweep that succeeds therefore notes how far it came (`reach`), for its pipeline, and the next lists only the
//! files of runs that began later; or of the first run of which a slice was spared, if that is earlier, so that what else it
//! has left is not overlooked, nor are the slices when their time is over. It reads older commits, newest first, only until
//! every file it found is accounted for. In the usual case that is one list for each table and a commit or two, and as many
//! more as other pipelines have made within the hour. Where a file is left that the newest commit does not account for, the
//! log is listed from its end, and what has expired is not looked for (`expire`). The notes of kept slices are one list more
//! after each commit; before reading, only where the newest commit does not account for everything. To prove that what a crashed
//! run has left is in no commit takes those that have been made since the last sweep (`judged`), and the whole log only where
//! nothing is known of one.
//!
//! **A table whose folder may not be looked into** keeps no other from being swept. It is told, and nothing is noted of how far
//! the sweep came, so that the next looks at it again.
//!
//! **A sweep that is dropped** has done what one that was killed there has: it notes how far it came last of all, and whatever
//! it removes may go in any order, but for the notes before the files.

mod find;
mod judged;
mod reach;

use std::iter;

use futures::StreamExt;

use self::{
    find::{Doomed, Found},
    reach::Reach,
};
use super::{change::Change, commit::Commit, commits::Commits, error::LogError, log::CommitLog};
use crate::bucket::{Bucket, BucketError};

/// How many files are removed at once.
const REMOVALS_AT_ONCE: usize = 16;

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// The files that were removed; notes of kept slices are none.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What did not work. The tables are none the worse for it, and the next sweep tries again.
    pub failures: Vec<SweepError>,
}

/// Something that a sweep could not do.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The lease is no longer ours, so that files may be those of another run, or taken over by one.
    #[error("nothing was swept, since the lease is not certain to be this run's any more")]
    NotOurs,
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// A commit could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Removes what failed runs of a pipeline have left, and all that was kept of them. `newest` is the commit that this run of it
/// has just made; `still_ours` looks whether this run still holds the lease.
pub async fn sweep_after(bucket: &Bucket, newest: &Commit, still_ours: impl AsyncFn() -> bool) -> Swept {
    match found_while_ours(find::after(bucket, newest), &still_ours).await {
        Ok(doomed) => remove(bucket, doomed, newest, &still_ours).await,
        Err(error) => Swept { failures: vec![error], ..Swept::default() },
    }
}

/// Removes what failed runs of a pipeline have left, before this run of it has written anything, but for the slices that they
/// have kept. `base` is the newest commit, and `unchanged` a change of nothing, made now: if there is something to remove, it
/// is committed first. Gives the commit that this run is to build on: its own, or `base`.
///
/// An error is one of that commit, and leaves open whether it was made: the run must end, for what it commits might be
/// taken for this.
pub async fn sweep_before(
    bucket: &Bucket,
    base: Option<Commit>,
    unchanged: Change,
    still_ours: impl AsyncFn() -> bool,
) -> Result<(Option<Commit>, Swept), LogError> {
    let found = find::before(bucket, &unchanged.author.pipeline, base.as_ref(), unchanged.committed);
    let doomed = match found_while_ours(found, &still_ours).await {
        Ok(doomed) => doomed,
        Err(error) => return Ok((base, Swept { failures: vec![error], ..Swept::default() })),
    };
    if doomed.is_nothing() {
        return Ok((base, Swept { failures: doomed.failures, ..Swept::default() }));
    }
    let commit = match CommitLog::of(bucket).commit(base.as_ref(), unchanged).await {
        Ok(commit) => commit,
        // Whether it stands is of no interest to anybody: it changes nothing.
        Err(LogError::Unknown { source: Some(error), .. } | LogError::Unconfirmed { source: error, .. }) => {
            return Err(error.into());
        }
        // Nothing was put. The run goes on: it may be the one that makes what all tables weigh less.
        Err(error @ LogError::TooLarge(_)) => {
            let failures = iter::once(error.into()).chain(doomed.failures).collect();
            return Ok((base, Swept { failures, ..Swept::default() }));
        }
        Err(error) => return Err(error),
    };
    let swept = remove(bucket, doomed, &commit, &still_ours).await;
    Ok((Some(commit), swept))
}

/// What is to be removed, if the lease was this run's when it had been found.
async fn found_while_ours(
    found: impl Future<Output = Result<Doomed, SweepError>>,
    still_ours: &impl AsyncFn() -> bool,
) -> Result<Doomed, SweepError> {
    let doomed = found.await?;
    if doomed.is_nothing() || still_ours().await { Ok(doomed) } else { Err(SweepError::NotOurs) }
}

/// Removes what was found, notes first, and says how far everything is accounted for. `newest` is a commit of this run.
async fn remove(bucket: &Bucket, doomed: Doomed, newest: &Commit, still_ours: &impl AsyncFn() -> bool) -> Swept {
    let Doomed { notes, files, spared, judged, failures: not_listed } = doomed;
    let has_notes = !notes.is_empty();
    let failures = remove_notes(bucket, notes).await;
    if !failures.is_empty() {
        return Swept { failures: failures.into_iter().chain(not_listed).collect(), ..Swept::default() };
    }
    if has_notes && !files.is_empty() && !still_ours().await {
        let failures = iter::once(SweepError::NotOurs).chain(not_listed).collect();
        return Swept { failures, ..Swept::default() };
    }
    let mut swept = remove_files(bucket, files).await;
    // How far it came is not noted then: what could not be listed is for a later sweep.
    swept.failures.extend(not_listed);
    if swept.failures.is_empty()
        && let Err(error) = Reach::after(newest, spared.as_ref(), judged).write(bucket, &newest.author.pipeline).await
    {
        swept.failures.push(error.into());
    }
    swept
}

/// Removes notes. Gives what did not work.
async fn remove_notes(bucket: &Bucket, notes: Vec<String>) -> Vec<SweepError> {
    let removals = futures::stream::iter(notes).map(async |key| bucket.delete(&key).await);
    let failures = removals.buffer_unordered(REMOVALS_AT_ONCE).filter_map(async |removal| removal.err());
    failures.map(SweepError::from).collect().await
}

async fn remove_files(bucket: &Bucket, files: Vec<Found>) -> Swept {
    let mut swept = Swept::default();
    let mut removals = futures::stream::iter(files)
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
    swept
}

#[cfg(test)]
mod tests;
