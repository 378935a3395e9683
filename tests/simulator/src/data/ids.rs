//! Where the records of a type sit: arithmetic instead of an index.
//!
//! The records of a type occupy positions 0, 1, 2, …. Every block of fifty positions has the same
//! pattern of fates: most are live, a few archived, merged away or erased. So the number of live
//! records before a position, and the position of the k-th live one, follow from a division and a
//! table of fifty entries, and a portal of any size needs no memory and no start-up time.
//!
//! Ids ascend with the position and leave gaps: each position owns a range of `stride` ids and uses
//! one of them, chosen by hash. Ids of archived, merged and erased records are gone from the live
//! list and never used again, as in HubSpot.

use super::random::mix;

/// Positions in one block: long enough for every fate to be rare, short enough for a table.
const BLOCK: usize = 50;

/// Archived: in the recycle bin, listed only with `archived=true`.
const ARCHIVED_OFFSETS: [usize; 2] = [7, 31];
/// Merged away: gone from every list, named by the winner.
const MERGED_OFFSETS: [usize; 3] = [18, 19, 44];
/// Erased for privacy: gone without a trace.
const ERASED_OFFSETS: [usize; 1] = [37];

/// A merge that minted a new id for the winner: both of the old records vanish.
const NEW_WINNER: (usize, [usize; 2]) = (20, [18, 19]);
/// A merge in which the winner kept its id and a younger record vanished.
const KEPT_WINNER: (usize, usize) = (12, 44);

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Live,
    Archived,
    Merged,
    Erased,
}

/// The fates that can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Live,
    Archived,
}

/// The positions and ids of one object type's records.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    positions: u64,
    first_id: u64,
    stride: u64,
    salt: u64,
}

impl Layout {
    /// A layout with exactly `live` live records, and as many others as the pattern puts between
    /// them. `stride` is at least 1.
    pub(crate) fn new(live: u64, first_id: u64, stride: u64, salt: u64) -> Self {
        let positions = if live == 0 { 0 } else { LIVE.nth(live - 1) + 1 };
        Self { positions, first_id, stride, salt }
    }

    /// How many records stand in `section`.
    pub(crate) fn count(&self, section: Section) -> u64 {
        pattern(section).rank(self.positions)
    }

    /// The position of the `rank`-th record of `section`, counted from 0.
    pub(crate) fn nth(&self, section: Section, rank: u64) -> Option<u64> {
        (rank < self.count(section)).then(|| pattern(section).nth(rank))
    }

    /// How many records of `section` come before `position`.
    pub(crate) fn rank(&self, section: Section, position: u64) -> u64 {
        pattern(section).rank(position.min(self.positions))
    }

    pub(crate) fn fate(position: u64) -> Fate {
        let offset = (position % BLOCK as u64) as usize;
        if ARCHIVED_OFFSETS.contains(&offset) {
            Fate::Archived
        } else if MERGED_OFFSETS.contains(&offset) {
            Fate::Merged
        } else if ERASED_OFFSETS.contains(&offset) {
            Fate::Erased
        } else {
            Fate::Live
        }
    }

    pub(crate) fn id(&self, position: u64) -> u64 {
        self.first_id + position * self.stride + mix(self.salt ^ position) % self.stride
    }

    /// The position whose id is exactly `id`.
    pub(crate) fn position_of(&self, id: u64) -> Option<u64> {
        let position = id.checked_sub(self.first_id)? / self.stride;
        (position < self.positions && self.id(position) == id).then_some(position)
    }

    /// The first position whose id is greater than `id`; one past the last if there is none.
    pub(crate) fn first_after(&self, id: u64) -> u64 {
        let Some(offset) = id.checked_sub(self.first_id) else { return 0 };
        let position = (offset / self.stride).min(self.positions);
        if position < self.positions && self.id(position) <= id { position + 1 } else { position }
    }

    /// The positions that were merged into the record at `position`, ascending.
    pub(crate) fn merged_into(&self, position: u64) -> impl Iterator<Item = u64> + use<> {
        let offset = (position % BLOCK as u64) as usize;
        let block = position - offset as u64;
        let losers: &'static [usize] = if offset == NEW_WINNER.0 {
            const { &NEW_WINNER.1 }
        } else if offset == KEPT_WINNER.0 {
            const { &[KEPT_WINNER.1] }
        } else {
            &[]
        };
        let end = self.positions;
        losers.iter().map(move |&loser| block + loser as u64).filter(move |&loser| loser < end)
    }

    /// The position of some record that was merged away, if any was.
    pub(crate) fn merged(&self, choice: u64) -> Option<u64> {
        let offset = MERGED_OFFSETS[0] as u64;
        let blocks = self.positions.saturating_sub(offset).div_ceil(BLOCK as u64);
        (blocks > 0).then(|| choice % blocks * BLOCK as u64 + offset)
    }
}

/// One section's places in a block, counted once at compile time.
struct Pattern {
    /// How many of the section's places lie before each offset; the last entry counts them all.
    before: [u8; BLOCK + 1],
    /// The section's offsets, ascending; only the first `before[BLOCK]` entries are used.
    offsets: [u8; BLOCK],
}

static LIVE: Pattern = Pattern::of(Section::Live);
static ARCHIVED: Pattern = Pattern::of(Section::Archived);

fn pattern(section: Section) -> &'static Pattern {
    match section {
        Section::Live => &LIVE,
        Section::Archived => &ARCHIVED,
    }
}

impl Pattern {
    const fn of(section: Section) -> Self {
        let mut before = [0; BLOCK + 1];
        let mut offsets = [0; BLOCK];
        let mut offset = 0;
        while offset < BLOCK {
            let archived = holds(&ARCHIVED_OFFSETS, offset);
            let gone = holds(&MERGED_OFFSETS, offset) || holds(&ERASED_OFFSETS, offset);
            let belongs = match section {
                Section::Live => !archived && !gone,
                Section::Archived => archived,
            };
            if belongs {
                offsets[before[offset] as usize] = offset as u8;
            }
            before[offset + 1] = before[offset] + belongs as u8;
            offset += 1;
        }
        Self { before, offsets }
    }

    fn per_block(&self) -> u64 {
        u64::from(self.before[BLOCK])
    }

    fn rank(&self, position: u64) -> u64 {
        position / BLOCK as u64 * self.per_block() + u64::from(self.before[(position % BLOCK as u64) as usize])
    }

    fn nth(&self, rank: u64) -> u64 {
        rank / self.per_block() * BLOCK as u64 + u64::from(self.offsets[(rank % self.per_block()) as usize])
    }
}

const fn holds(offsets: &[usize], offset: usize) -> bool {
    let mut index = 0;
    while index < offsets.len() {
        if offsets[index] == offset {
            return true;
        }
        index += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same questions, answered by walking over every position.
    struct Enumerated(Vec<(u64, Fate)>);

    impl Enumerated {
        fn of(layout: &Layout) -> Self {
            Self((0..layout.positions).map(|position| (layout.id(position), Layout::fate(position))).collect())
        }

        fn ids(&self, fate: Fate) -> Vec<u64> {
            self.0.iter().filter(|(_, of)| *of == fate).map(|(id, _)| *id).collect()
        }
    }

    proptest! {
        #[test]
        fn arithmetic_agrees_with_enumeration(live in 0_u64..700, stride in 1_u64..60, salt: u64, probe in 0_u64..60_000) {
            let layout = Layout::new(live, 101, stride, salt);
            let naive = Enumerated::of(&layout);
            prop_assert_eq!(naive.ids(Fate::Live).len() as u64, live);

            for (section, fate) in [(Section::Live, Fate::Live), (Section::Archived, Fate::Archived)] {
                let ids = naive.ids(fate);
                prop_assert_eq!(layout.count(section), ids.len() as u64);
                for (rank, &id) in ids.iter().enumerate() {
                    let position = layout.nth(section, rank as u64).expect("a position for every rank");
                    prop_assert_eq!(layout.id(position), id);
                    prop_assert_eq!(layout.rank(section, position), rank as u64);
                }
                prop_assert_eq!(layout.nth(section, ids.len() as u64), None);

                let next = layout.nth(section, layout.rank(section, layout.first_after(probe)));
                let expected = ids.iter().copied().find(|&id| id > probe);
                prop_assert_eq!(next.map(|position| layout.id(position)), expected);
            }

            let found = layout.position_of(probe).map(|position| layout.id(position));
            let expected = naive.0.iter().map(|(id, _)| *id).find(|&id| id == probe);
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn ids_ascend(salt: u64, stride in 1_u64..60) {
            let layout = Layout::new(500, 101, stride, salt);
            let ids: Vec<u64> = (0..layout.positions).map(|position| layout.id(position)).collect();
            prop_assert!(ids.is_sorted_by(|earlier, later| earlier < later));
        }
    }

    #[test]
    fn every_merged_record_has_one_live_winner() {
        let layout = Layout::new(440, 101, 50, 0);
        let mut losers: Vec<u64> = Vec::new();
        for position in 0..layout.positions {
            for loser in layout.merged_into(position) {
                assert_eq!((Layout::fate(position), Layout::fate(loser)), (Fate::Live, Fate::Merged));
                losers.push(loser);
            }
        }
        losers.sort_unstable();
        let merged: Vec<u64> =
            (0..layout.positions).filter(|&position| Layout::fate(position) == Fate::Merged).collect();
        assert_eq!(losers, merged);
    }

    #[test]
    fn some_merged_record_is_one_that_was_merged() {
        for live in [1, 18, 19, 44, 45, 500] {
            let layout = Layout::new(live, 101, 50, 0);
            let any = (0..layout.positions).any(|position| Layout::fate(position) == Fate::Merged);
            for choice in 0..100 {
                let merged = layout.merged(choice);
                assert_eq!(merged.is_some(), any, "{live}");
                assert!(merged.is_none_or(|at| at < layout.positions && Layout::fate(at) == Fate::Merged), "{live}");
            }
        }
    }

    #[test]
    fn a_larger_portal_begins_with_the_smaller_one() {
        let (small, large) = (Layout::new(100, 101, 50, 7), Layout::new(100_000, 101, 50, 7));
        for rank in 0..100 {
            let position = small.nth(Section::Live, rank).expect("a hundred live records");
            assert_eq!(large.nth(Section::Live, rank), Some(position));
            assert_eq!(large.id(position), small.id(position));
        }
    }
}
