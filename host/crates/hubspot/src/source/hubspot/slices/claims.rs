//! Pages, judged: what of each is its reader's.
//!
//! Everything that keeps records from being lost or coming twice is here, and all of it is decided by ids that have come.

use super::{BEGINNING, Claim, Lane, Listed, NO_NUMBERS, Next, OutOfOrder, SliceState, Slices, Splitting};

const NO_ORDER: &str = "its ids are not ascending numbers";
const PASSED: &str = "its records go past where the next part of it begins, without the record that it begins with";
const ENDED_EARLY: &str = "it ends before the next part of it begins";
const MISPLACED: &str = "a page does not begin where it was asked for";

impl Slices {
    /// What of a page is its reader's; `None` if nothing is, and it is to give up. The same page may be claimed again,
    /// listed anew, as long as not all of it has come ([`Slices::came`]).
    pub(in super::super) fn claim(&mut self, lane: &mut Lane, page: Listed<'_>) -> Result<Option<Claim>, OutOfOrder> {
        if let Some(out_of_order) = self.broken {
            return Err(out_of_order);
        }
        match lane.slice {
            Some(slice) => self.claim_of(slice, lane.position, page).map(Some),
            None => Ok(self.claim_new(lane, page)),
        }
    }

    /// What of a page is a slice's.
    fn claim_of(&mut self, first: u64, position: Option<u64>, page: Listed<'_>) -> Result<Claim, OutOfOrder> {
        let is_end = page.next == Next::End;
        let ids = page.ids.filter(|ids| ascend(position, ids));
        let alone = !self.are_several();
        if alone && ids.is_none() {
            self.stop_splitting(NO_ORDER);
        }
        if alone && matches!(self.splitting, Splitting::Over(_)) {
            return Ok(Claim { kept: 0..page.records, last_id: None, is_last: is_end });
        }
        let Some(ids) = ids else { return Err(self.breaks(NO_ORDER)) };
        // What has been made before the slice's first record since that was found: the slice before will find it, too.
        let start = ids.partition_point(|id| *id < first);
        let (end, is_last) = match self.behind_mut(first) {
            None => (ids.len(), is_end),
            Some((next, state)) => match meeting(ids, next, state, is_end) {
                Ok(met) => met,
                Err(why) => return Err(self.breaks(why)),
            },
        };
        let kept = start..end;
        let last_id = ids.get(kept.clone()).and_then(<[u64]>::last).copied();
        if self.splitting == Splitting::NotYet
            && let (Some(last), false) = (ids.last(), is_end)
        {
            match page.next {
                Next::Number(next) if next >= *last => self.splitting = Splitting::Allowed,
                _ => self.stop_splitting(NO_NUMBERS),
            }
        }
        if let Some(slice) = self.states.get_mut(&first) {
            if let (BEGINNING, BEGINNING, Some(begins)) = (slice.begins, slice.claimed, ids.first()) {
                slice.begins = *begins;
            }
            slice.claimed = slice.claimed.max(last_id.unwrap_or_default());
            slice.ended |= is_last;
        }
        Ok(Claim { kept, last_id, is_last })
    }

    /// What of the first page from the middle of a piece is a new slice's.
    fn claim_new(&mut self, lane: &mut Lane, page: Listed<'_>) -> Option<Claim> {
        let is_end = page.next == Next::End;
        if page.records == 0 && !is_end {
            return Some(Claim { kept: 0..0, last_id: None, is_last: false });
        }
        self.looked_for.remove(&lane.from);
        if self.splitting != Splitting::Allowed {
            return None;
        }
        let Some(ids) = page.ids.filter(|ids| ascend(None, ids)) else {
            self.stop_splitting(NO_ORDER);
            return None;
        };
        let owner = self.owner(lane.from);
        let Some(&first) = ids.first() else {
            self.nothing_from(lane.from, owner);
            return None;
        };
        if first < lane.from {
            self.stop_splitting(MISPLACED);
            return None;
        }
        if self.owner(first) != owner {
            self.nothing_from(lane.from, owner);
            return None;
        }
        if self.states.get(&owner).is_none_or(|before| before.ended || before.claimed >= first) {
            return None;
        }
        let (end, is_last) = match self.behind_mut(owner) {
            None => (ids.len(), is_end),
            Some((next, state)) => match meeting(ids, next, state, is_end) {
                Ok(met) => met,
                // Whoever reads up to there will see whether that is so.
                Err(why) => {
                    self.stop_splitting(why);
                    return None;
                }
            },
        };
        let horizon =
            self.states.get_mut(&owner)?.horizon.replace(first).map(|horizon| horizon.max(first.saturating_add(1)));
        let first_page = ids.get(..end).unwrap_or_default().to_vec();
        let claimed = first_page.last().copied().unwrap_or(first);
        let slice =
            SliceState { begins: first, claimed, records: 0, horizon, first_page, ended: is_last, finished: false };
        self.states.insert(first, slice);
        lane.slice = Some(first);
        Some(Claim { kept: 0..end, last_id: Some(claimed), is_last })
    }

    /// Notes that from there to the end of the slice that owns it is nothing.
    fn nothing_from(&mut self, from: u64, owner: u64) {
        if let Some(slice) = self.states.get_mut(&owner) {
            slice.horizon = slice.horizon.map(|horizon| horizon.min(from));
        }
    }

    /// The slice that an id belongs to.
    fn owner(&self, id: u64) -> u64 {
        self.states.range(..=id).next_back().map_or(BEGINNING, |(first, _)| *first)
    }

    /// There will be no further slices.
    fn stop_splitting(&mut self, why: &'static str) {
        if !matches!(self.splitting, Splitting::Over(_)) {
            self.splitting = Splitting::Over(Some(why));
        }
    }

    /// The slices cannot be trusted, now and for good.
    fn breaks(&mut self, why: &'static str) -> OutOfOrder {
        *self.broken.insert(OutOfOrder(why))
    }
}

/// Whether these ids ascend strictly, from above a position on.
fn ascend(position: Option<u64>, ids: &[u64]) -> bool {
    position.is_none_or(|position| ids.first().is_none_or(|first| *first > position))
        && ids.is_sorted_by(|one, other| one < other)
}

/// How many of these ids lie before the next slice, and whether they meet it.
fn meeting(ids: &[u64], next: u64, state: &SliceState, is_end: bool) -> Result<(usize, bool), &'static str> {
    let end = ids.partition_point(|id| *id < next);
    match ids.get(end) {
        Some(id) if state.first_page.binary_search(id).is_ok() => Ok((end, true)),
        Some(_) => Err(PASSED),
        None if is_end => Err(ENDED_EARLY),
        None => Ok((end, false)),
    }
}
