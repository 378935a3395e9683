//! Folders of numbered entries: the shape of the commit log and of the lease.
//!
//! Entry `n` of a folder is the object `<folder>/<n in 20 digits>.json`, so that a list in the order of keys is one in the
//! order of numbers. Entries are made by [`Bucket::put_if_absent`] of the newest number plus one: whoever is second is told
//! so. Entries may be removed, the lowest first; the newest never is, so that no number is given twice.
//!
//! A number that no run can have come to is nobody's of ours: whoever wrote it would have the log end there, and who looks
//! for what lies below it search for ever. A folder with one is refused, with its key.

use bytes::Bytes;
use futures::{Stream, stream};

use super::{Bucket, BucketError, Put};

/// How many keys S3 lists in one answer.
pub(super) const PAGE: usize = 1000;

/// The digits of a number in a key: all that a `u64` needs, so that keys always sort as numbers do.
const DIGITS: usize = 20;

/// The greatest number that an entry can have: with one every second, what thirty thousand years give.
const MOST: u64 = 1 << 40;

/// The key of an entry.
pub fn key(folder: &str, number: u64) -> String {
    format!("{folder}/{number:0DIGITS$}.json")
}

/// The number of an entry by its key; `None` for what else may lie in the folder.
pub fn number(folder: &str, key: &str) -> Option<u64> {
    let digits = key.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".json")?;
    let legal = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if legal { digits.parse().ok() } else { None }
}

/// The numbers of all entries of a folder, ascending. For folders that stay small.
pub async fn all(bucket: &Bucket, folder: &str) -> Result<Vec<u64>, BucketError> {
    let entries = bucket.list(folder).await?;
    let numbers: Vec<u64> = entries.iter().filter_map(|entry| number(folder, &entry.key)).collect();
    possible(bucket, folder, numbers.last().copied())?;
    Ok(numbers)
}

/// The same number, if it is one that an entry can have.
fn possible(bucket: &Bucket, folder: &str, number: Option<u64>) -> Result<Option<u64>, BucketError> {
    match number {
        Some(number) if number > MOST => {
            Err(bucket.not_ours(&key(folder, number), "numbered as no run can have done it"))
        }
        number => Ok(number),
    }
}

/// Creates an entry, if it is absent. Whoever makes one after the last that can be would be refused by it ever after.
pub async fn create(bucket: &Bucket, folder: &str, number: u64, content: Bytes) -> Result<Put, BucketError> {
    if number > MOST {
        return Err(bucket.not_ours(&key(folder, number - 1), "numbered as no run can have done it: none can follow"));
    }
    bucket.put_if_absent(&key(folder, number), content).await
}

/// The number of the newest entry of a folder of any size; `None` if it has none.
///
/// A list is answered a thousand keys at a time, oldest first, and cannot be asked for its end. So this asks for what comes
/// after ever bigger numbers until nothing does, then halves the distance: one request up to a thousand entries, about
/// twice the binary logarithm of their thousands beyond (a dozen for a hundred thousand).
pub async fn newest(bucket: &Bucket, folder: &str) -> Result<Option<u64>, BucketError> {
    let mut newest = None;
    // Nothing is at or above this.
    let mut end: Option<u64> = None;
    let mut step = PAGE as u64;
    let mut after = 0;
    loop {
        let Page { last, is_last } = page_after(bucket, folder, after).await?;
        match last {
            Some(last) => newest = Some(last),
            None => end = Some(after + 1),
        }
        let known = newest.unwrap_or(0);
        if (is_last && last.is_some()) || end == Some(known + 1) {
            return possible(bucket, folder, newest);
        }
        after = match end {
            None => {
                let probe = known.saturating_add(step);
                step = step.saturating_mul(2);
                probe
            }
            // A page from the newest that is known reaches the end.
            Some(end) if end - known - 1 <= PAGE as u64 => known,
            Some(end) => known + (end - known) / 2,
        };
    }
}

/// A page of a folder that has entries, unless none has any more.
struct Page {
    /// The greatest of their numbers.
    last: Option<u64>,
    /// Whether no other comes after it.
    is_last: bool,
}

/// The next page after a number. What else lies in the folder may fill pages of its own.
async fn page_after(bucket: &Bucket, folder: &str, after: u64) -> Result<Page, BucketError> {
    let mut after = key(folder, after);
    loop {
        let page = bucket.list_after(folder, &after, PAGE).await?;
        let last = page.iter().rev().find_map(|entry| number(folder, &entry.key));
        match page.last() {
            Some(strange) if last.is_none() && page.len() == PAGE => after.clone_from(&strange.key),
            _ => return Ok(Page { last, is_last: page.len() < PAGE }),
        }
    }
}

/// The lowest number of an entry above one; `None` if there is none. One request, unless a thousand objects that are no entries
/// lie before it.
pub async fn first_above(bucket: &Bucket, folder: &str, above: u64) -> Result<Option<u64>, BucketError> {
    let mut after = key(folder, above);
    loop {
        let page = bucket.list_after(folder, &after, PAGE).await?;
        let first = page.iter().find_map(|entry| number(folder, &entry.key));
        match page.last() {
            Some(last) if first.is_none() && page.len() == PAGE => after.clone_from(&last.key),
            _ => return possible(bucket, folder, first),
        }
    }
}

/// The numbers of all entries between two, both left out, the greatest first. They are asked for a thousand at a time, so that
/// who stops early has not paid for the rest. What is counted is entries and not numbers: where a thousand numbers have none,
/// all entries that are left are asked for at once, for there may be as many such gaps as whoever writes there likes.
pub fn below<'b>(
    bucket: &'b Bucket,
    folder: &'b str,
    above: u64,
    end: u64,
) -> impl Stream<Item = Result<u64, BucketError>> + use<'b> {
    let first = above.saturating_add(1);
    stream::try_unfold((end, Vec::new()), move |(mut end, mut numbers)| async move {
        while numbers.is_empty() && end > first {
            let from = end.saturating_sub(PAGE as u64).max(first);
            numbers = between(bucket, folder, from, end).await?;
            end = from;
            if numbers.is_empty() && end > first {
                (numbers, end) = (between(bucket, folder, first, end).await?, first);
            }
        }
        Ok(numbers.pop().map(|number| (number, (end, numbers))))
    })
}

/// The numbers of all entries from one on and below another, ascending.
async fn between(bucket: &Bucket, folder: &str, from: u64, end: u64) -> Result<Vec<u64>, BucketError> {
    let last_key = key(folder, end - 1);
    let mut after = key(folder, from - 1);
    let mut numbers = Vec::new();
    loop {
        let page = bucket.list_after(folder, &after, PAGE).await?;
        numbers.extend(page.iter().filter_map(|entry| number(folder, &entry.key)).filter(|number| *number < end));
        match page.last() {
            // What else lies in the folder may have filled the page.
            Some(last) if page.len() == PAGE && last.key < last_key => after.clone_from(&last.key),
            _ => return Ok(numbers),
        }
    }
}

#[cfg(test)]
mod tests;
