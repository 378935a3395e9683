//! One list of records, read by several readers at once: whose records are whose.
//!
//! HubSpot lists records by ascending id, and the cursor of a page is in practice the number of an id, so that one can begin
//! in the middle. Neither is promised. So nothing here rests on it: a number is asked for only where the account's own
//! cursors are numbers of ids, and what comes back is *proven by the data*.
//!
//! - Readers have *slices*: disjoint ranges of ids, each known by the first record that was found in it. A slice is its
//!   reader's up to the first record of the next one. Whatever a server says, no record is two readers'.
//! - The ids of a slice ascend strictly, and it goes on until it *meets* the next slice: the record that one began with, or,
//!   should that be gone meanwhile, a later one of its first page, before any id that is not of it. So nothing between two
//!   slices is skipped that one reader would have read. The last slice ends where the list does.
//! - A further reader asks for a page from the middle of the longest piece that is left. What came is judged under the same
//!   lock as the pages of all others ([`Slices::claim`]): it begins a slice, or its reader gives up, without having kept a
//!   row, because the one before it has come there already, or because there was nothing. In that case the piece is known to
//!   be shorter than was thought (ids are not evenly spread), and the next middle is nearer.
//!
//! A page that does not fit ends all that: as long as there is one reader, it stays alone and takes the list as it comes;
//! once there are several, what they have cannot be trusted, and the list has to be read anew by one ([`OutOfOrder`]).
//!
//! This is bookkeeping alone: no request, no waiting, no clock. How much is left is estimated, and decides only where to
//! split and whether it is worth it.

mod claims;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Records that each half of a split must have, as far as one can tell: 25 pages. A file of its own comes with each slice,
/// and what a reader gains on fewer pages is a matter of seconds.
pub(super) const SMALLEST_SLICE: u64 = 25 * 100;

/// Records of a slice, at least, before its own density counts and not that of the whole list: a page.
const TELLING_RECORDS: u64 = 100;

/// Of the smallest slice, the part that a list has to have had before anybody asks where it ends: seven pages.
const A_WHILE: u64 = 4;

/// The first slice is known by this instead of its first record: it begins where the list does.
const BEGINNING: u64 = 0;

/// Why an account's cursors cannot be computed.
const NO_NUMBERS: &str = "its cursors are not the numbers of ids";

/// What is known of a list's slices.
#[derive(Debug)]
pub(super) struct Slices {
    /// Records that half of a split must have.
    smallest: u64,
    /// Whether the first slice has a reader.
    begun: bool,
    splitting: Splitting,
    /// By the id of their first record.
    states: BTreeMap<u64, SliceState>,
    /// Where readers have begun to look for a slice of their own.
    looked_for: BTreeSet<u64>,
    /// Records of the whole list, where somebody has counted them.
    total: Option<u64>,
    broken: Option<OutOfOrder>,
}

/// Whether there may be more slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Splitting {
    /// The form of the cursors is not known yet.
    NotYet,
    Allowed,
    /// Not any more, or never, and why, unless one reader is all that was wanted.
    Over(Option<&'static str>),
}

#[derive(Debug)]
struct SliceState {
    /// The id of its first record.
    begins: u64,
    /// The highest id that its reader has taken; what is above may become another's.
    claimed: u64,
    /// Records that have come.
    records: u64,
    /// Where its records are thought to end; before that there are none of another's. Absent where it is not known.
    horizon: Option<u64>,
    /// The ids of its first page, until the slice before it has met it.
    first_page: Vec<u64>,
    /// Whether its last page has been claimed.
    ended: bool,
    /// Whether all of it has come.
    finished: bool,
}

/// A reader's place.
#[derive(Debug)]
pub(super) struct Lane {
    /// The number that it begins to ask with.
    from: u64,
    /// Its slice, once it has one.
    slice: Option<u64>,
    /// The last id of which the record has come.
    position: Option<u64>,
}

/// What a page lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed<'p> {
    /// How many records.
    pub(super) records: usize,
    /// Their ids; absent if one of them is no number.
    pub(super) ids: Option<&'p [u64]>,
    /// Where the next page begins.
    pub(super) next: Next,
}

/// Where the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is none.
    End,
    /// At this number.
    Number(u64),
    /// Elsewhere.
    Opaque,
}

/// What of a page is its reader's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Claim {
    /// Which of its records, in the order of the page.
    pub(super) kept: Range<usize>,
    /// The id of the last of them, if that counts.
    last_id: Option<u64>,
    /// Whether the slice ends with it.
    pub(super) is_last: bool,
}

/// The list is not what several readers can read. Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfOrder(pub(super) &'static str);

/// A stretch of ids that nobody has read.
struct Piece {
    low: u64,
    high: u64,
    /// About how many records are in it.
    records: u64,
}

impl Lane {
    /// The number that it begins to ask with; `None` for the beginning of the list.
    pub(super) fn from(&self) -> Option<u64> {
        (self.from != BEGINNING).then_some(self.from)
    }

    /// The last id of which the record has come; `None` before, and where ids do not count.
    pub(super) fn position(&self) -> Option<u64> {
        self.position
    }
}

impl Slices {
    /// A list of which nothing is known. `several`: whether more than one reader may read it; `smallest`: how many records
    /// half of a split must have.
    pub(super) fn new(several: bool, smallest: u64) -> Self {
        let first = SliceState {
            begins: BEGINNING,
            claimed: BEGINNING,
            records: 0,
            horizon: None,
            first_page: Vec::new(),
            ended: false,
            finished: false,
        };
        Self {
            smallest,
            begun: false,
            splitting: if several { Splitting::NotYet } else { Splitting::Over(None) },
            states: BTreeMap::from([(BEGINNING, first)]),
            looked_for: BTreeSet::new(),
            total: None,
            broken: None,
        }
    }

    /// Where one more reader may begin: at the beginning, then in the middle of the longest piece that is left. `None` while
    /// there is nothing that is known and worth it.
    pub(super) fn hand_out(&mut self) -> Option<u64> {
        if !self.begun {
            self.begun = true;
            return Some(BEGINNING);
        }
        let middle = self.longest()?.middle();
        self.looked_for.insert(middle);
        Some(middle)
    }

    /// Takes back what was handed out and has not been read.
    pub(super) fn give_back(&mut self, from: u64) {
        if from == BEGINNING {
            self.begun = false;
        } else {
            self.looked_for.remove(&from);
        }
    }

    /// The place of a reader that begins there.
    pub(super) fn lane(from: u64) -> Lane {
        Lane { from, slice: (from == BEGINNING).then_some(BEGINNING), position: None }
    }

    /// About how many records a further reader would have; 0 if it would have none.
    pub(super) fn worth(&self) -> u64 {
        if self.begun { self.longest().map_or(0, |piece| piece.records / 2) } else { u64::MAX }
    }

    /// Whether there is more than one slice, so that ids which ascend are what keeps records from coming twice.
    pub(super) fn are_several(&self) -> bool {
        self.states.len() > 1
    }

    /// Whether it is worth knowing where the list ends: it may be divided, and has gone on for a while, which most lists do
    /// not.
    pub(super) fn is_end_of_interest(&self) -> bool {
        self.may_split() && self.records() >= self.smallest / A_WHILE
    }

    fn may_split(&self) -> bool {
        self.splitting == Splitting::Allowed && self.broken.is_none()
    }

    /// Notes that there is a record of this id, the last as far as is known, and how many there are, if that is known: for
    /// the places of splits, and nothing else.
    pub(super) fn reaches_to(&mut self, last: u64, total: Option<u64>) {
        if let Some(mut slice) = self.states.last_entry() {
            let horizon = &mut slice.get_mut().horizon;
            *horizon = (*horizon).max(Some(last.saturating_add(1)));
        }
        self.total = total.or(self.total);
    }

    /// Notes that all that was claimed with a page has come.
    pub(super) fn came(&mut self, lane: &mut Lane, claim: &Claim) {
        lane.position = claim.last_id.or(lane.position);
        if let Some(slice) = lane.slice.and_then(|slice| self.states.get_mut(&slice)) {
            slice.records += claim.kept.len() as u64;
        }
    }

    /// Notes that a slice has been read to its end.
    pub(super) fn finish(&mut self, lane: &Lane) {
        let Some(key) = lane.slice else { return };
        if let Some(slice) = self.states.get_mut(&key) {
            slice.finished = true;
        }
        if let Some((_, next)) = self.behind_mut(key) {
            next.first_page = Vec::new();
        }
    }

    /// Whether all slices have been read to their ends; why they cannot be trusted, if they cannot.
    pub(super) fn are_finished(&self) -> Result<bool, OutOfOrder> {
        match self.broken {
            Some(out_of_order) => Err(out_of_order),
            None => Ok(self.states.values().all(|slice| slice.finished)),
        }
    }

    /// How many records have come.
    pub(super) fn records(&self) -> u64 {
        self.states.values().map(|slice| slice.records).sum()
    }

    /// Why there was one reader, where several would have been welcome.
    pub(super) fn why_one(&self) -> Option<&'static str> {
        match self.splitting {
            Splitting::Over(why) if !self.are_several() => why,
            _ => None,
        }
    }

    /// The slice behind another.
    fn behind_mut(&mut self, slice: u64) -> Option<(u64, &mut SliceState)> {
        let above = slice.checked_add(1)?;
        self.states.range_mut(above..).next().map(|(first, state)| (*first, state))
    }

    /// The longest piece, if half of it is worth a reader.
    fn longest(&self) -> Option<Piece> {
        if !self.may_split() {
            return None;
        }
        let left = self.total.map_or(u64::MAX, |total| total.saturating_sub(self.records()));
        let overall = density(
            self.records(),
            self.states.values().map(|slice| u128::from(slice.claimed - slice.begins) + 1).sum(),
        );
        let mut longest: Option<Piece> = None;
        for slice in self.states.values().filter(|slice| !slice.ended) {
            let Some(horizon) = slice.horizon.filter(|horizon| *horizon > slice.claimed) else { continue };
            let density = match slice.records {
                TELLING_RECORDS.. => density(slice.records, u128::from(slice.claimed - slice.begins) + 1),
                _ => overall,
            };
            let looked_for = self.looked_for.range(slice.claimed..horizon).copied();
            let mut low = slice.claimed;
            for high in looked_for.chain([horizon]) {
                let records = (((high - low) as f64 * density) as u64).min(left);
                if longest.as_ref().is_none_or(|longest| records > longest.records) {
                    longest = Some(Piece { low, high, records });
                }
                low = high;
            }
        }
        longest.filter(|piece| piece.records / 2 >= self.smallest && piece.middle() > piece.low)
    }
}

impl Piece {
    fn middle(&self) -> u64 {
        self.low + (self.high - self.low) / 2
    }
}

/// Records for each id.
fn density(records: u64, ids: u128) -> f64 {
    records as f64 / ids as f64
}
