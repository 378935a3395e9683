//! Expiry: old commits go, and with them the files that nothing newer lists.
//!
//! Without it a bucket grows by all that each run writes, and what was erased from HubSpot stays readable in old files for
//! ever. With it a bucket holds what was the newest at any time within the span that commits are kept for:
//!
//! - **the commit that stays** is the newest of those that are older than the span. It was what readers saw when the span
//!   began, and the first of them may still be reading it. All commits below it go; it and all above stay, so the newest
//!   always does, whatever its age. A commit thus goes when the one *after* it is old enough, and whoever takes the newest
//!   commit has the whole span to read it in, however seldom runs come;
//! - **the files that go** are those that a commit which goes lists and the next does not. What a table is made of changes by
//!   being replaced: a commit lists what the one before it lists or what its own run has written, so a file that one commit
//!   has let go is in none after it. The one way back would be a note of a kept slice (`kept`), and notes are of no use after
//!   a day: hence the span is a day at least. What the commit that stays lists, or the newest, is spared whatever is said of it
//!   below;
//! - **the order**: the oldest commit first; of each the files first, then the entry. So an entry is there as long as a file
//!   that only it and older ones list, and after a crash or a refusal the next expiry goes on where this one stood. An entry
//!   of which a file could not be removed stays, and so do all above it;
//! - **who says how old a commit is** is itself. The log is read upwards, up to the first commit that is too young. A commit
//!   that says it is yet to come (a clock was wrong) says nothing, and the next decides; nor does one below a gap, which a run
//!   has made that slept for longer than the span;
//! - **what cannot be read** ends the look: nothing above it goes, since nobody knows what it lists.
//!
//! **No lease is needed.** Nobody builds on what the commit that stays does not list: runs build on the newest. Two that expire
//! at once remove the same things in the same order. A run that slept for longer than the span finds out by itself (`log`).
//!
//! **Pipelines that share a folder share its commits.** Whoever expires them does so for all, so the shortest span among the
//! pipelines of a folder holds for it.
//!
//! Only what is to the letter the key of a data file is ever removed, and entries of the log; whatever else an entry names stays.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::StreamExt;
use jiff::Timestamp;

use super::{
    commit::Commit,
    error::LogError,
    key::{self, DataKey},
    log::CommitLog,
};
use crate::bucket::{Bucket, BucketError, numbered};

/// How many files are removed at once.
const REMOVALS_AT_ONCE: usize = 16;

/// What an expiry did.
#[derive(Debug, Default)]
pub struct Expired {
    /// What is gone.
    pub gone: Gone,
    /// The number of the oldest commit that is left; `None` if there is none at all, or if the log could not be listed.
    pub oldest: Option<u64>,
    /// What did not work. Readers are none the worse for it, and the next expiry goes on.
    pub failures: Vec<LogError>,
}

/// What is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gone {
    /// Commits.
    pub commits: u64,
    /// The files that went with them, some of which an expiry that was cut short may have removed before.
    pub files: u64,
    /// Their bytes, as the commits had them.
    pub bytes: u64,
}

/// Removes the commits that are older than `keep`, as of `now`, but for the newest of them, and the files that are listed by
/// none that is left. `keep` is a day at least.
pub async fn expire(bucket: &Bucket, keep: Duration, now: Timestamp) -> Expired {
    let mut expired = Expired::default();
    let numbers = match numbered::all(bucket, &key::commits()).await {
        Ok(numbers) => numbers,
        Err(error) => {
            expired.failures.push(error.into());
            return expired;
        }
    };
    expired.oldest = numbers.first().copied();
    let Found { old, stays, failure } = find(bucket, &numbers, keep, now).await;
    let next = old.iter().skip(1).map(|old| old.number).chain(stays);
    for (old, next) in old.iter().zip(next) {
        remove(bucket, old, &mut expired).await;
        if !expired.failures.is_empty() {
            break;
        }
        expired.oldest = Some(next);
    }
    expired.failures.extend(failure);
    expired
}

/// What is to go.
struct Found {
    /// The commits, the oldest first.
    old: Vec<Old>,
    /// The number of the commit that stays.
    stays: Option<u64>,
    /// What ended the look.
    failure: Option<LogError>,
}

/// A commit that is to go.
struct Old {
    number: u64,
    /// The files that it lists and the next commit does not, with their bytes.
    files: BTreeMap<String, u64>,
}

/// Reads the log from its oldest entry up to the first that is too young.
async fn find(bucket: &Bucket, numbers: &[u64], keep: Duration, now: Timestamp) -> Found {
    let log = CommitLog::of(bucket);
    let since = now.checked_sub(keep).unwrap_or(Timestamp::MIN);
    let mut found = Found { old: Vec::new(), stays: None, failure: None };
    let (mut below, mut spared) = (0, BTreeSet::new());
    for (index, number) in numbers.iter().enumerate() {
        let commit = match log.read(*number).await {
            Ok(Some(commit)) => commit,
            // Another expiry was quicker.
            Ok(None) => continue,
            Err(error) => {
                found.failure = Some(error);
                break;
            }
        };
        let is_below_a_gap = numbers.get(index + 1).is_some_and(|next| *next != number + 1);
        if commit.committed > since && commit.committed <= now && !is_below_a_gap {
            break;
        }
        let files = files_of(&commit);
        if let Some(last) = found.old.last_mut() {
            last.files.retain(|key, _| !files.contains_key(key));
        }
        if commit.committed <= since {
            (below, spared) = (found.old.len(), files.keys().cloned().collect());
            found.stays = Some(commit.number);
        }
        found.old.push(Old { number: commit.number, files });
    }
    found.old.truncate(below);
    match numbers.last() {
        Some(newest) if !found.old.is_empty() => match log.read(*newest).await {
            Ok(newest) => spared.extend(newest.iter().flat_map(files_of).map(|(key, _)| key)),
            Err(error) => return Found { old: Vec::new(), stays: None, failure: Some(error) },
        },
        _ => {}
    }
    for old in &mut found.old {
        old.files.retain(|key, _| !spared.contains(key));
    }
    found
}

/// The data files that a commit lists, with their bytes.
fn files_of(commit: &Commit) -> BTreeMap<String, u64> {
    let files = commit.tables.values().flat_map(|table| &table.files);
    let ours = files.filter(|file| DataKey::parse(&file.key).is_some());
    ours.map(|file| (file.key.clone(), file.bytes)).collect()
}

/// Removes the files of a commit, and then its entry.
async fn remove(bucket: &Bucket, old: &Old, expired: &mut Expired) {
    let removals =
        futures::stream::iter(&old.files).map(async |(key, bytes)| bucket.delete(key).await.map(|()| *bytes));
    let mut removals = removals.buffer_unordered(REMOVALS_AT_ONCE);
    while let Some(removal) = removals.next().await {
        match removal {
            Ok(bytes) => {
                expired.gone.files += 1;
                expired.gone.bytes += bytes;
            }
            Err(error) => expired.failures.push(error.into()),
        }
    }
    if !expired.failures.is_empty() {
        return;
    }
    let entry: Result<(), BucketError> = bucket.delete(&numbered::key(&key::commits(), old.number)).await;
    match entry {
        Ok(()) => expired.gone.commits += 1,
        Err(error) => expired.failures.push(error.into()),
    }
}

#[cfg(test)]
mod tests;
