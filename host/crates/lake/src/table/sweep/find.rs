//! What a sweep is to remove: the files that no commit accounts for and no note spares, and the notes that are of no use.

use std::{collections::BTreeSet, pin::pin};

use futures::TryStreamExt;
use jiff::Timestamp;
use sluice_model::run_id::RunId;

use super::{SweepError, judged::Judging, reach::Reach};
use crate::{
    bucket::{Bucket, BucketError, Unfinished, numbered},
    table::{
        commit::Commit,
        error::LogError,
        kept::{self, Note},
        key::{self, DataKey},
        log::CommitLog,
    },
};

/// How many older commits are read at once.
pub(super) const READS_AT_ONCE: usize = 8;

/// What is to be removed.
#[derive(Debug, Default)]
pub(super) struct Doomed {
    /// The keys of notes. To be removed first.
    pub(super) notes: Vec<String>,
    pub(super) files: Vec<Found>,
    /// The first of the runs that have kept what is spared.
    pub(super) spared: Option<RunId>,
    /// What the sweep has judged.
    pub(super) judged: Judging,
    /// Why the files of some tables are not among these.
    pub(super) failures: Vec<SweepError>,
}

impl Doomed {
    pub(super) fn is_nothing(&self) -> bool {
        self.notes.is_empty() && self.files.is_empty()
    }
}

/// A file under a key of ours.
#[derive(Debug)]
pub(super) struct Found {
    run: RunId,
    what: What,
    /// A note named it that is of no use any more, so that it counts by itself, whatever its run has committed.
    was_kept: bool,
}

#[derive(Debug)]
enum What {
    File { key: String, bytes: u64 },
    Unfinished(Unfinished),
}

impl Found {
    pub(super) fn bytes(&self) -> u64 {
        match &self.what {
            What::File { bytes, .. } => *bytes,
            What::Unfinished(unfinished) => unfinished.bytes,
        }
    }

    pub(super) async fn remove(&self, bucket: &Bucket) -> Result<(), BucketError> {
        match &self.what {
            What::File { key, .. } => bucket.delete(key).await,
            What::Unfinished(unfinished) => bucket.delete_unfinished(unfinished).await,
        }
    }

    /// Whether it is a complete file of one of these keys.
    fn is_file_of(&self, keys: &BTreeSet<String>) -> bool {
        matches!(&self.what, What::File { key, .. } if keys.contains(key))
    }
}

/// What is to be removed before a run reads.
pub(super) async fn before(
    bucket: &Bucket,
    pipeline: &str,
    newest: Option<&Commit>,
    now: Timestamp,
) -> Result<Doomed, SweepError> {
    let Listed { reach, mut found, failures } = list(bucket, pipeline).await?;
    let mut judging = judging(&reach, newest);
    Accounted::by(newest).leave(&mut found, &mut judging);
    if found.is_empty() {
        return Ok(Doomed { failures, ..Doomed::default() });
    }
    // After the files: what has been noted in between is spared.
    let notes = kept::notes(bucket, pipeline).await?;
    let since = kept::of_use_since(pipeline, newest, now);
    let is_of_use = |note: &Note| note.slice.as_ref().is_some_and(|slice| slice.kept >= since);
    let (spared, useless): (Vec<_>, Vec<_>) = notes.into_iter().partition(is_of_use);
    let to_spare = keys_of(&spared);
    let first = spared.into_iter().filter_map(|note| note.slice).map(|slice| slice.run).min();
    Ok(Doomed { spared: first, failures, ..but_for(&to_spare, bucket, newest, (found, judging), useless).await? })
}

/// What is to be removed after a run has made this commit. No note is of use then.
pub(super) async fn after(bucket: &Bucket, newest: &Commit) -> Result<Doomed, SweepError> {
    let pipeline = &newest.author.pipeline;
    let Listed { reach, found, failures } = list(bucket, pipeline).await?;
    let notes = kept::notes(bucket, pipeline).await?;
    let judging = judging(&reach, Some(newest));
    Ok(Doomed { failures, ..but_for(&BTreeSet::new(), bucket, Some(newest), (found, judging), notes).await? })
}

fn judging(reach: &Reach, newest: Option<&Commit>) -> Judging {
    Judging::after(&reach.judged, &reach.runs_from, newest.map_or(0, |newest| newest.number))
}

/// What is listed of a pipeline.
struct Listed {
    /// How far earlier sweeps came.
    reach: Reach,
    /// The files of runs that none of these has accounted for.
    found: Vec<Found>,
    /// Why those of some tables are not among these.
    failures: Vec<SweepError>,
}

/// All files of a pipeline, of runs that no sweep has accounted for, and how far these came. A folder that another user has
/// made among the tables, and into which this one may not look, is no reason to leave what lies in all others.
async fn list(bucket: &Bucket, pipeline: &str) -> Result<Listed, BucketError> {
    let reach = Reach::read(bucket, pipeline).await?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for table in bucket.folders().await? {
        if !key::is_table_name(&table) {
            continue;
        }
        match list_table(bucket, &key::of_pipeline(&table, pipeline), &reach).await {
            Ok(of_table) => found.extend(of_table),
            Err(error @ BucketError::NotPermitted { .. }) => failures.push(error.into()),
            Err(error) => return Err(error),
        }
    }
    Ok(Listed { reach, found, failures })
}

/// Those of one table, by the folder that they are in.
async fn list_table(bucket: &Bucket, folder: &str, reach: &Reach) -> Result<Vec<Found>, BucketError> {
    let mut found = Vec::new();
    let from = key::runs_from(folder, &reach.runs_from);
    for entry in bucket.list_after(folder, &from, usize::MAX).await? {
        if let Some(key) = DataKey::parse(&entry.key) {
            let what = What::File { key: entry.key, bytes: entry.bytes };
            found.push(Found { run: key.run, what, was_kept: false });
        }
    }
    for unfinished in bucket.list_unfinished(folder).await? {
        if let Some(key) = DataKey::parse(&unfinished.key) {
            found.push(Found { run: key.run, what: What::Unfinished(unfinished), was_kept: false });
        }
    }
    Ok(found)
}

/// What is to be removed of these files, and of those that notes of no use name, with the notes: all that is in no commit and
/// not to be spared. Files that are noted are looked at wherever earlier sweeps came: a run that has lost its lease may have
/// noted them later.
async fn but_for(
    to_spare: &BTreeSet<String>,
    bucket: &Bucket,
    newest: Option<&Commit>,
    (mut found, mut judging): (Vec<Found>, Judging),
    notes: Vec<Note>,
) -> Result<Doomed, SweepError> {
    let were_kept = keys_of(&notes);
    found.retain(|found| !found.is_file_of(&were_kept));
    found.extend(named(&notes).map(|(run, key, bytes)| {
        let what = What::File { key: key.to_owned(), bytes };
        Found { run: run.clone(), what, was_kept: true }
    }));
    for spared in found.extract_if(.., |found| found.is_file_of(to_spare)) {
        judging.spare(&spared.run);
    }
    Accounted { runs: judging.runs(), files: judging.files() }.leave(&mut found, &mut judging);
    Accounted::by(newest).leave(&mut found, &mut judging);
    read_older(bucket, newest, &mut found, &mut judging).await?;
    let notes = notes.into_iter().map(|note| note.key).collect();
    Ok(Doomed { notes, files: found, spared: None, judged: judging, failures: Vec::new() })
}

/// Leaves what no older commit accounts for: reads them, the newest first, as far as one may that accounts for what is left.
async fn read_older(
    bucket: &Bucket,
    newest: Option<&Commit>,
    found: &mut Vec<Found>,
    judging: &mut Judging,
) -> Result<(), SweepError> {
    let (log, commits) = (CommitLog::of(bucket), key::commits());
    let end = newest.map_or(1, |newest| newest.number);
    let above = |found: &[Found], judging: &Judging| found.iter().map(|it| judging.listed_above(&it.run)).min();
    let lowest = above(found, judging).unwrap_or(end);
    let numbers = numbered::below(bucket, &commits, lowest, end);
    let read = async |number| Ok::<_, LogError>((number, log.read(number).await?));
    let mut older = pin!(numbers.map_err(LogError::from).map_ok(read).try_buffered(READS_AT_ONCE));
    let mut next = end;
    while above(found, judging).is_some_and(|above| next > above + 1)
        && let Some((number, commit)) = older.try_next().await?
    {
        Accounted::by(commit.as_ref()).leave(found, judging);
        next = number;
    }
    Ok(())
}

/// The files that notes name: their runs, keys and bytes.
fn named(notes: &[Note]) -> impl Iterator<Item = (&RunId, &str, u64)> {
    let slices = notes.iter().filter_map(|note| note.slice.as_ref());
    slices.flat_map(|slice| slice.files().map(|file| (&slice.run, file.key.as_str(), file.bytes)))
}

fn keys_of(notes: &[Note]) -> BTreeSet<String> {
    named(notes).map(|(_, key, _)| key.to_owned()).collect()
}

/// What a commit accounts for, or several do.
#[derive(Default)]
struct Accounted {
    /// The runs that have written its tables, whole. Its author is one of them, unless the commit changes nothing.
    runs: BTreeSet<RunId>,
    /// The files of its tables, which may have been taken over from other runs. Of those runs, it accounts for nothing else.
    files: BTreeSet<String>,
}

impl Accounted {
    fn by(commit: Option<&Commit>) -> Self {
        let mut accounted = Self::default();
        for table in commit.into_iter().flat_map(|commit| commit.tables.values()) {
            accounted.runs.insert(table.run.clone());
            accounted.files.extend(table.files.iter().map(|file| file.key.clone()));
        }
        accounted
    }

    /// Leaves what is not accounted for, and notes what is.
    fn leave(&self, found: &mut Vec<Found>, judging: &mut Judging) {
        found.retain(|it| {
            if !it.was_kept && self.runs.contains(&it.run) {
                judging.add_run(&it.run);
                return false;
            }
            match &it.what {
                What::File { key, .. } if self.files.contains(key) => {
                    judging.add_file(key);
                    false
                }
                _ => true,
            }
        });
    }
}
