//! Kept slices: what a run that dies has finished already, for the run that comes after it.
//!
//! Some streams cost hours. Their slices are noted as they are finished: the files stay in the bucket, listed by no commit,
//! and a *note* says whose they are, what they cover and what became of their rows. The next run of the same plan may take a
//! slice over: its commit lists the files under the keys that they have. Which slices it takes over, and what `covers` and
//! `counts` mean, is not known here.
//!
//! ```text
//! _sluice/kept/crm/20261123T201500Z-1a2b3c4d/9f86d081884c7d65.json
//! ```
//!
//! A note is one object, written once: it is there whole or not at all. It is called by its content, so no two slices of a run
//! have one name, and a note that was damaged is found out.
//!
//! **When a note is believed.** Notes are of use for a day, and no longer than until the pipeline has written tables
//! ([`of_use_since`]): what was committed is not taken over a second time. While a note is of use, a sweep spares what it
//! names; else it removes the note, and then the files (`sweep` says why in this order). Still, a note may name what is not
//! there: a run that has lost its lease without knowing may finish a slice whose files were swept a moment ago. So a note is
//! believed only if all its files are there, with their sizes ([`kept`]).
//!
//! **Who may remove the files.** Not the run that wrote them, once it has begun to note them (`Sink::keep`): it may have lost
//! its lease, and another run may have taken them over. Only a sweep does, and of one that has lost its lease in the middle
//! see there. What is beyond this: two runs that have both lost the lease unawares, one of which notes files that the other
//! has found without a note and is still removing, while a third takes them over.

mod wire;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use sluice_model::{digest::Digest, run_id::RunId};

use super::{
    commit::{Commit, DataFile},
    key::{self, NoteKey},
};
use crate::bucket::{Bucket, BucketError};

/// How long slices are kept: what is older is too far from the rest of a run to stand beside it in one table.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// The bytes of a note, at most: those of ten thousand files.
const LARGEST: u64 = 4 << 20;
/// The bytes of all notes of a pipeline that are believed, together.
const LARGEST_TOGETHER: u64 = 16 << 20;
/// How many notes are read at once.
const READS_AT_ONCE: usize = 8;

/// What a run has kept of one finished slice.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptSlice {
    /// The run that wrote it.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// When it was finished.
    pub kept: Timestamp,
    /// The digest of the plan by which it was read.
    pub plan: String,
    /// The stream that it is a slice of.
    pub stream: String,
    /// What it covers, in the source's own words.
    pub covers: serde_json::Value,
    /// What became of its rows, in the words of whoever counted them.
    pub counts: serde_json::Value,
    /// What was written of it, for each table of the stream, in the plan's order.
    pub tables: Vec<KeptTable>,
}

/// What was written of a kept slice for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTable {
    /// The table.
    pub name: String,
    /// Its rows of the slice.
    pub rows: u64,
    /// The files that they are in, and nothing else is; none, if there were no rows.
    pub files: Vec<DataFile>,
}

impl KeptSlice {
    /// All its files.
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.tables.iter().flat_map(|table| &table.files)
    }
}

/// Notes a finished slice: one request, after which it is durable. Its files must be sealed, and given to `Sink::keep`,
/// *before*: else a run that fails in between takes back what its note names. They are not to be discarded any more either.
///
/// # Errors
/// The note would be larger than any that is read; or the bucket failed, and it is open whether the note was written. Each is
/// well: files without a note are swept by a later run. So this need not end a run.
pub async fn keep(bucket: &Bucket, slice: &KeptSlice) -> Result<(), BucketError> {
    let content = wire::write(slice);
    let (pipeline, run) = (slice.pipeline.clone(), slice.run.clone());
    let key = NoteKey { pipeline, run, number: number_of(content.as_bytes()) };
    bucket.put_within(LARGEST, &key.format(), Bytes::from(content)).await
}

/// The slices that runs of a pipeline have kept and that are no older than `since` (see [`of_use_since`]), oldest first. For
/// the run that holds the pipeline's lease, after its sweep. A note that cannot be read, that names a key which is not to the
/// letter one of ours of that pipeline and run, or of which a file is not there, is none, and is warned of.
///
/// One list where nothing is kept; a request for each note, and a list for each of its tables, where something is.
pub async fn kept(bucket: &Bucket, pipeline: &str, since: Timestamp) -> Result<Vec<KeptSlice>, BucketError> {
    let slices = notes(bucket, pipeline).await?.into_iter().filter_map(|note| note.slice);
    let mut slices: Vec<KeptSlice> = slices.filter(|slice| slice.kept >= since).collect();
    let there = files_there(bucket, &slices).await?;
    slices.retain(|slice| {
        let missing = slice.files().find(|file| there.get(&file.key) != Some(&file.bytes));
        if let Some(DataFile { key, .. }) = missing {
            tracing::warn!(run = %slice.run, key, "a kept slice is not taken over: a file of it is gone, or not as it was");
        }
        missing.is_none()
    });
    slices.sort_by_key(|slice| slice.kept);
    Ok(slices)
}

/// From when on slices that a pipeline has kept are of use: a day before `now`, or when it last wrote a table of `base`, the
/// newest commit, if that is later. By clocks: where they differ, a slice too many is read again, or one is taken over that
/// has been committed already, whose files are listed and there.
pub fn of_use_since(pipeline: &str, base: Option<&Commit>, now: Timestamp) -> Timestamp {
    let a_day_ago = now.checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
    let tables = base.into_iter().flat_map(|base| base.tables.values());
    let written = tables.filter(|table| table.pipeline == pipeline).map(|table| table.written);
    written.fold(a_day_ago, Timestamp::max)
}

/// A note as it lies in the bucket.
pub(super) struct Note {
    pub(super) key: String,
    /// What it says; `None` if it cannot be read.
    pub(super) slice: Option<KeptSlice>,
}

/// All notes of a pipeline, in the order of their keys: of their runs, that is. What else lies there is not ours. One that is
/// too large, by itself or with those before it, is one that cannot be read: what it names is read again, and nothing worse.
pub(super) async fn notes(bucket: &Bucket, pipeline: &str) -> Result<Vec<Note>, BucketError> {
    let found = bucket.list(&key::kept(pipeline)).await?;
    let mut left = LARGEST_TOGETHER;
    let keys = found.iter().filter_map(|entry| Some((NoteKey::parse(&entry.key)?, entry.bytes)));
    let keys = keys.filter(|(key, _)| key.pipeline == pipeline).map(|(key, bytes)| {
        let most = bytes.min(LARGEST);
        let is_read = most <= left;
        left -= if is_read { most } else { 0 };
        (key, is_read.then_some(most))
    });
    let read = async |(note, most): (NoteKey, Option<u64>)| {
        let key = note.format();
        let Some(most) = most else {
            not_believed(&key, "there are too many");
            return Ok(Some(Note { slice: None, key }));
        };
        match bucket.get_within(most, &key).await {
            Ok(Some(content)) => Ok(Some(Note { slice: believed(&note, &key, &content), key })),
            // It is gone by now.
            Ok(None) => Ok(None),
            Err(error @ BucketError::Oversized { .. }) => {
                not_believed(&key, &error.to_string());
                Ok(Some(Note { slice: None, key }))
            }
            Err(error) => Err(error),
        }
    };
    let notes = futures::stream::iter(keys).map(read).buffered(READS_AT_ONCE);
    notes.try_filter_map(async |note| Ok(note)).try_collect().await
}

/// What a note says, if that can be believed.
fn believed(note: &NoteKey, key: &str, content: &[u8]) -> Option<KeptSlice> {
    let read = wire::read(&note.pipeline, &note.run, content);
    let reason = match read {
        Ok(slice) if number_of(content) == note.number => return Some(slice),
        Ok(_) => "it is not what was written under its name".to_owned(),
        Err(error) => error.to_string(),
    };
    not_believed(key, &reason);
    None
}

fn not_believed(key: &str, reason: &str) {
    tracing::warn!(key, reason, "the note of a kept slice cannot be read; what it names is swept");
}

/// The number of a note in its run.
fn number_of(content: &[u8]) -> u64 {
    Digest::of(content).as_bytes().iter().take(size_of::<u64>()).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The files that runs of these slices have in the slices' tables, with their sizes.
async fn files_there(bucket: &Bucket, slices: &[KeptSlice]) -> Result<BTreeMap<String, u64>, BucketError> {
    let mut folders = BTreeSet::new();
    for KeptSlice { pipeline, run, tables, .. } in slices {
        let with_files = tables.iter().filter(|table| !table.files.is_empty());
        folders.extend(with_files.map(|table| key::of_run(&table.name, pipeline, run)));
    }
    let mut there = BTreeMap::new();
    for folder in folders {
        there.extend(bucket.list(&folder).await?.into_iter().map(|entry| (entry.key, entry.bytes)));
    }
    Ok(there)
}

#[cfg(test)]
pub(super) mod tests;
