//! Work that is known whole before it begins, divided among readers: so many units (ids, lists), in an order that stays.
//!
//! Each reader has a lane, a range of units, and takes what stands at its beginning; a reader that is free gets the upper half
//! of the longest lane. All is decided under the lock of whoever owns this, so no unit is taken twice, and none is left.
//! Where parts are worth keeping, beyond the end of the run, the lanes are cut beforehand ([`Ranges::cut`]): what a part is then
//! stays, so none is divided.
//! Where units are cheap to ask for and their order is known, this is all there is to dividing a stream; records, whose ids
//! are not known before they are read, need [`super::slices`].

use std::ops::Range;

/// The lanes of one reading.
#[derive(Debug)]
pub(super) struct Ranges {
    several: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nobody has counted the units. `taken`: whether somebody is about to.
    Uncounted { taken: bool },
    Counted {
        lanes: Vec<Lane>,
        /// A lane shorter than twice this is not divided; `None`: none is.
        smallest: Option<u64>,
    },
}

#[derive(Debug)]
struct Lane {
    /// Where it began.
    begin: u64,
    left: Range<u64>,
    /// Whether a reader has it.
    taken: bool,
    /// Whether its reader has come to its end.
    finished: bool,
}

impl Lane {
    fn of(units: Range<u64>, taken: bool) -> Self {
        Self { begin: units.start, left: units, taken, finished: false }
    }
}

impl Ranges {
    /// Nothing is counted yet. `several`: whether more than one reader may have a part.
    pub(super) fn new(several: bool) -> Self {
        Self { several, state: State::Uncounted { taken: false } }
    }

    /// A lane for one more reader, by its number. The first is the whole.
    pub(super) fn hand_out(&mut self) -> Option<usize> {
        let widest = self.widest();
        match &mut self.state {
            State::Uncounted { taken } => (!std::mem::replace(taken, true)).then_some(0),
            State::Counted { lanes, .. } => {
                if !self.several && lanes.iter().any(|lane| lane.taken && !lane.finished) {
                    return None;
                }
                if let Some(free) = lanes.iter().position(|lane| !lane.taken && !lane.left.is_empty()) {
                    lanes[free].taken = true;
                    return Some(free);
                }
                let lane = &mut lanes[widest?];
                let middle = lane.left.start + (lane.left.end - lane.left.start) / 2;
                let upper = middle..lane.left.end;
                lane.left.end = middle;
                lanes.push(Lane::of(upper, true));
                Some(lanes.len() - 1)
            }
        }
    }

    /// Nobody reads this lane after all; another reader may have it.
    pub(super) fn give_back(&mut self, lane: usize) {
        match &mut self.state {
            State::Uncounted { taken } => *taken = false,
            State::Counted { lanes, .. } => lanes[lane].taken = false,
        }
    }

    /// The units are counted: the first lane has all of them. `smallest`: units that are too few for a reader of their own.
    pub(super) fn count(&mut self, units: u64, smallest: u64) {
        if let State::Uncounted { .. } = self.state {
            let lanes = vec![Lane::of(0..units, true)];
            self.state = State::Counted { lanes, smallest: Some(smallest.max(1)) };
        }
    }

    /// The units are counted, and those of `done`, which are in order and do not meet, are read already: what lies between is
    /// cut into lanes of so many units each. The first is the first lane, which has none if all is done.
    pub(super) fn cut(&mut self, units: u64, done: &[Range<u64>], each: u64) {
        if let State::Uncounted { .. } = self.state {
            let mut lanes = Vec::new();
            let mut begin = 0;
            for done in done.iter().cloned().chain(std::iter::once(units..units)) {
                while begin < done.start {
                    let end = done.start.min(begin.saturating_add(each.max(1)));
                    lanes.push(Lane::of(begin..end, false));
                    begin = end;
                }
                begin = done.end;
            }
            if lanes.is_empty() {
                lanes.push(Lane::of(units..units, true));
            }
            lanes[0].taken = true;
            self.state = State::Counted { lanes, smallest: None };
        }
    }

    /// The reader of a lane has come to its end, and nothing that it took is under way any more.
    pub(super) fn finish(&mut self, lane: usize) {
        if let State::Counted { lanes, .. } = &mut self.state {
            lanes[lane].finished = lanes[lane].left.is_empty();
        }
    }

    /// The units of a lane that was cut beforehand, once its reader has come to its end.
    pub(super) fn finished(&self, lane: usize) -> Option<Range<u64>> {
        let State::Counted { lanes, smallest: None } = &self.state else { return None };
        let lane = lanes.get(lane).filter(|lane| lane.finished && lane.begin < lane.left.end)?;
        Some(lane.begin..lane.left.end)
    }

    /// The next units of a lane, as many as `most`; none when it is over.
    pub(super) fn take(&mut self, lane: usize, most: u64) -> Range<u64> {
        let State::Counted { lanes, .. } = &mut self.state else { return 0..0 };
        let left = &mut lanes[lane].left;
        let taken = left.start..left.end.min(left.start.saturating_add(most.max(1)));
        left.start = taken.end;
        taken
    }

    /// How many units one more reader would take over.
    pub(super) fn worth(&self) -> u64 {
        match &self.state {
            State::Uncounted { taken: false } => u64::MAX,
            State::Uncounted { taken: true } => 0,
            State::Counted { lanes, .. } => {
                if !self.several && lanes.iter().any(|lane| lane.taken && !lane.finished) {
                    return 0;
                }
                let length = |lane: &Lane| lane.left.end - lane.left.start;
                let free = lanes.iter().filter(|lane| !lane.taken).map(length).max().unwrap_or(0);
                let half = self.widest().map_or(0, |widest| length(&lanes[widest]) / 2);
                free.max(half)
            }
        }
    }

    /// The longest lane, if it is worth dividing.
    fn widest(&self) -> Option<usize> {
        let State::Counted { lanes, smallest } = &self.state else { return None };
        let length = |lane: &Lane| lane.left.end - lane.left.start;
        let (widest, longest) =
            lanes.iter().enumerate().map(|(index, lane)| (index, length(lane))).max_by_key(|(_, length)| *length)?;
        let smallest = (*smallest).filter(|_| self.several)?;
        (longest >= 2 * smallest).then_some(widest)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_unit_is_taken_once_whoever_takes_when(
            units in 0_u64..500,
            smallest in 0_u64..20,
            several: bool,
            steps in prop::collection::vec((0_u8..4, 0_usize..8, 0_u64..40), 0..200),
        ) {
            let mut ranges = Ranges::new(several);
            let mut taken = vec![0_u32; units as usize];
            prop_assert_eq!(ranges.hand_out(), Some(0));
            prop_assert_eq!(ranges.hand_out(), None);
            ranges.count(units, smallest);
            let mut lanes = vec![0];
            for (what, which, most) in steps {
                match what {
                    0 => lanes.extend(ranges.hand_out()),
                    1 if !lanes.is_empty() => ranges.give_back(lanes.remove(which % lanes.len())),
                    _ if !lanes.is_empty() => {
                        for unit in ranges.take(lanes[which % lanes.len()], most) {
                            taken[unit as usize] += 1;
                        }
                    }
                    _ => {}
                }
            }
            // Whoever is left takes the rest; what was given back is handed out again.
            while let Some(lane) = lanes.pop().or_else(|| ranges.hand_out()) {
                loop {
                    let some = ranges.take(lane, 7);
                    if some.is_empty() {
                        break;
                    }
                    for unit in some {
                        taken[unit as usize] += 1;
                    }
                }
            }
            prop_assert!(taken.iter().all(|times| *times == 1), "{taken:?}");
            prop_assert_eq!(ranges.worth(), 0);
        }
    }

    proptest! {
        #[test]
        fn what_is_not_done_is_cut_into_parts_and_each_is_read_once(
            units in 0_u64..500,
            each in 0_u64..70,
            several: bool,
            ends in prop::collection::btree_set(0_u64..500, 0..12),
            steps in prop::collection::vec((0_u8..4, 0_usize..8, 0_u64..40), 0..200),
        ) {
            // Every second stretch between these is done.
            let ends: Vec<u64> = ends.into_iter().filter(|end| *end <= units).collect();
            let done: Vec<Range<u64>> = ends.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
            let mut ranges = Ranges::new(several);
            let mut taken = vec![0_u32; units as usize];
            for unit in done.iter().cloned().flatten() {
                taken[unit as usize] += 1;
            }
            prop_assert_eq!(ranges.hand_out(), Some(0));
            ranges.cut(units, &done, each);
            let (mut lanes, mut all, mut read) = (vec![0], BTreeSet::from([0]), BTreeSet::new());
            for (what, which, most) in steps {
                match what {
                    0 => {
                        let lane = ranges.hand_out();
                        prop_assert!(lane.is_none() || several || lanes.is_empty());
                        lanes.extend(lane);
                        all.extend(lane);
                    }
                    // Only what has not been read is given back.
                    1 if !lanes.is_empty() && !read.contains(&lanes[which % lanes.len()]) => {
                        ranges.give_back(lanes.remove(which % lanes.len()));
                    }
                    _ if !lanes.is_empty() => {
                        let lane = lanes[which % lanes.len()];
                        read.insert(lane);
                        for unit in ranges.take(lane, most) {
                            prop_assert_eq!(ranges.finished(lane), None);
                            taken[unit as usize] += 1;
                        }
                    }
                    _ => {}
                }
            }
            while let Some(lane) = lanes.pop().or_else(|| ranges.hand_out()) {
                all.insert(lane);
                for unit in ranges.take(lane, units) {
                    taken[unit as usize] += 1;
                }
                ranges.finish(lane);
            }
            prop_assert!(taken.iter().all(|times| *times == 1), "{taken:?}");
            // What the parts are, together with what was done, is all there is.
            let mut parts: Vec<Range<u64>> = all.iter().filter_map(|lane| ranges.finished(*lane)).collect();
            prop_assert!(parts.iter().all(|part| part.end - part.start <= each.max(1)));
            parts.extend(done.into_iter().filter(|done| !done.is_empty()));
            parts.sort_by_key(|part| part.start);
            let mut end = 0;
            for part in parts {
                prop_assert_eq!(part.start, end);
                end = part.end;
            }
            prop_assert_eq!(end, units);
        }
    }

    #[test]
    fn a_free_reader_gets_half_of_what_is_left_of_the_longest_lane() {
        let mut ranges = Ranges::new(true);
        assert_eq!(ranges.worth(), u64::MAX);
        ranges.hand_out();
        assert_eq!(ranges.worth(), 0);
        ranges.count(100, 10);
        assert_eq!(ranges.take(0, 20), 0..20);
        assert_eq!((ranges.worth(), ranges.hand_out()), (40, Some(1)));
        assert_eq!((ranges.take(1, 30), ranges.take(0, 5)), (60..90, 20..25));
        assert_eq!((ranges.hand_out(), ranges.take(2, 100)), (Some(2), 42..60));
        ranges.give_back(0);
        assert_eq!((ranges.hand_out(), ranges.take(0, 100)), (Some(0), 25..42));
    }

    #[test]
    fn one_reader_has_it_all() {
        let mut ranges = Ranges::new(false);
        ranges.hand_out();
        ranges.count(1000, 1);
        assert_eq!((ranges.hand_out(), ranges.worth()), (None, 0));
    }
}
