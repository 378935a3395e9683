//! Slices of ids that are worth keeping: what one covers, and whether one that an earlier run has kept stands for the same
//! records now.
//!
//! A slice is known by the first and the last of its ids, and by the number and the digest of all between: an id more or less
//! within it makes it another one, and what happens to ids outside of it does not matter.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::source::{Beyond, Covers, hubspot::ids::Ids};

/// Slices that a stream is cut into: the eight that a run may have at work when it is killed are a few hundredths of it.
const SLICES: u64 = 200;

/// Records of a slice: a part of the whole, in whole requests, and not too few of these for a file.
pub(super) fn records_of_a_slice(records: u64, a_request: u64, smallest_requests: u64) -> u64 {
    let a_request = a_request.max(1);
    records.div_ceil(SLICES).max(smallest_requests * a_request).next_multiple_of(a_request)
}

/// What these places among the ids cover; nothing, if there are none.
pub(super) fn covered(places: Range<u64>, ids: &Ids) -> Option<Covers> {
    if places.is_empty() {
        return None;
    }
    let id = |place: u64| ids.range(place..place + 1).next().map(std::borrow::Cow::into_owned);
    let (first, last) = (id(places.start)?, id(places.end - 1)?);
    let (records, digest) = (places.end - places.start, digest(places, ids));
    Some(Covers { first, last, records, digest, beyond: Beyond::default() })
}

/// Kept slices that hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// By their places among those that were given, in the order of the ids.
    pub(super) places: Vec<usize>,
    /// Which ids each of them covers.
    pub(super) ranges: Vec<Range<u64>>,
}

/// Which of these slices stand for the same records now. Of those that cover the same records in part, the first holds.
pub(super) fn that_hold(before: &[Covers], ids: &Ids) -> Kept {
    let range = |covers: &Covers| {
        let range = ids.place(&covers.first)?..ids.place(&covers.last)?.checked_add(1)?;
        (range.end.checked_sub(range.start)? == covers.records && covers.records > 0).then_some(range)
    };
    let mut known: Vec<(Range<u64>, usize)> =
        before.iter().enumerate().filter_map(|(place, covers)| Some((range(covers)?, place))).collect();
    known.sort_unstable_by_key(|(range, place)| (range.start, *place));
    let mut kept = Kept::default();
    for (range, place) in known {
        let is_free = kept.ranges.last().is_none_or(|last| last.end <= range.start);
        if is_free && digest(range.clone(), ids) == before[place].digest {
            kept.places.push(place);
            kept.ranges.push(range);
        }
    }
    kept
}

fn digest(places: Range<u64>, ids: &Ids) -> String {
    let mut digest = Sha256::new();
    for (index, id) in ids.range(places).enumerate() {
        if index > 0 {
            digest.update(b"\n");
        }
        digest.update(id.as_bytes());
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(all: &[&str]) -> Ids {
        let mut ids = Ids::default();
        for id in all {
            ids.insert(id);
        }
        ids
    }

    #[test]
    fn a_slice_holds_as_long_as_its_ids_are_the_same() {
        let before = ids(&["10", "20", "30", "40", "50", "x"]);
        let kept = |places: Range<u64>| covered(places, &before).unwrap();
        let slices = [kept(4..6), kept(0..2), kept(2..4)];
        assert_eq!((slices[0].first.as_str(), slices[0].last.as_str(), slices[0].records), ("50", "x", 2));
        assert_eq!(slices[1].digest, hex::encode(Sha256::digest("10\n20")));
        for (now, held) in [
            (&["10", "20", "30", "40", "50", "x"][..], &[1, 2, 0][..]),
            // What is outside of a slice does not matter, but for its place.
            (&["5", "10", "20", "25", "30", "40", "45", "50", "x", "y"], &[1, 2, 0]),
            (&["10", "15", "20", "30", "40", "50", "x"], &[2, 0]),
            (&["10", "20", "30", "40", "50"], &[1, 2]),
            (&["10", "20", "31", "40", "50", "x"], &[1, 0]),
            (&[], &[]),
        ] {
            assert_eq!(that_hold(&slices, &ids(now)).places, held, "{now:?}");
        }
        let swapped = Covers { first: "40".to_owned(), last: "10".to_owned(), ..kept(0..2) };
        let other = Covers { digest: String::new(), ..kept(0..2) };
        let none = Covers { records: 0, ..kept(0..2) };
        assert_eq!(that_hold(&[swapped, other, none], &before), Kept::default());
    }

    #[test]
    fn of_slices_that_overlap_one_holds() {
        let all = ids(&["1", "2", "3", "4", "5"]);
        let kept = |places| covered(places, &all).unwrap();
        let broken = Covers { digest: String::new(), ..kept(0..5) };
        let Kept { places, ranges } = that_hold(&[kept(1..4), broken, kept(0..2), kept(0..2), kept(4..5)], &all);
        assert_eq!((places, ranges), (vec![2, 4], vec![0..2, 4..5]));
        assert_eq!(covered(3..3, &all), None);
    }

    #[test]
    fn slices_are_made_of_whole_requests() {
        for (records, a_request, expected) in [
            (0, 50, 500),
            (100_000, 50, 500),
            (1_000_000, 50, 5000),
            (1_000_001, 50, 5050),
            (100, 1, 10),
            (2001, 1, 11),
        ] {
            assert_eq!(records_of_a_slice(records, a_request, 10), expected, "{records}");
        }
    }
}
