//! When things happened: instants that follow from a record's position, never from a wall clock.
//!
//! The portal lives from [`OPENED`] to [`NOW`]. Creation times ascend with the position, sparse at
//! first and denser later, as in a growing company, and do not depend on how many records there are:
//! a larger portal holds the smaller one's records unchanged.

use std::fmt::Write;

use jiff::Timestamp;

/// 2016-01-01T00:00:00Z: the portal's first day, in milliseconds since 1970.
pub(crate) const OPENED: i64 = 1_451_606_400_000;
/// 2026-01-01T00:00:00Z: no record was created at or after this instant.
const LAST_CREATION: i64 = 1_767_225_600_000;
/// 2026-03-17T02:00:00Z: the bulk import that left every tenth block with one modified millisecond,
/// so that a large portal has more than 10,000 records which no time window can tell apart.
const BULK_IMPORT: i64 = 1_773_712_800_000;
/// 2026-04-01T00:00:00Z: archived records were last modified before this instant and archived after.
const ARCHIVING_BEGINS: i64 = 1_775_001_600_000;
/// 2026-06-30T00:00:00Z: the simulated present. HubSpot keeps archived records for 90 days, so the
/// recycle bin reaches back to [`ARCHIVING_BEGINS`].
pub(crate) const NOW: i64 = 1_782_777_600_000;

/// The position that lies in the middle of the portal's life: a portal of the demo's size spreads
/// over half of it, one of a million contacts over nearly all.
const HALF_LIFE_POSITION: i64 = 2_000;

/// Positions that share a fate in the bulk import: `position / 50 % 10 == 3`.
const BULK_BLOCK: u64 = 50;
const BULK_EVERY: u64 = 10;
const BULK_REMAINDER: u64 = 3;

/// When the record at `position` was created. Ascends with the position.
pub(crate) fn created(position: u64) -> i64 {
    let position = i128::from(position);
    let span = i128::from(LAST_CREATION - OPENED);
    OPENED + (span * position / (position + i128::from(HALF_LIFE_POSITION))) as i64
}

/// When the record at `position` was last modified: not before its creation.
pub(crate) fn modified(position: u64, archived: bool, key: u64) -> i64 {
    let created = created(position);
    if archived {
        return created + (key % (ARCHIVING_BEGINS - created) as u64) as i64;
    }
    if position / BULK_BLOCK % BULK_EVERY == BULK_REMAINDER {
        return BULK_IMPORT;
    }
    created + (key % (NOW - created) as u64) as i64
}

/// When an archived record was archived: after its last change, which archiving does not move.
pub(crate) fn archived(key: u64) -> i64 {
    ARCHIVING_BEGINS + (key % (NOW - ARCHIVING_BEGINS) as u64) as i64
}

/// Appends an instant as HubSpot prints it: ISO 8601 in UTC, with three digits of milliseconds, or
/// none at all where they are zero.
pub(crate) fn append_instant(milliseconds: i64, text: &mut String) {
    let instant = Timestamp::from_millisecond(milliseconds).expect("the portal's instants are within the calendar");
    let written = if milliseconds % 1000 == 0 { write!(text, "{instant:.0}") } else { write!(text, "{instant:.3}") };
    written.expect("writing to a string cannot fail");
}

/// An instant as HubSpot prints it.
pub(crate) fn instant(milliseconds: i64) -> String {
    let mut text = String::new();
    append_instant(milliseconds, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_instants_are_what_their_comments_say() {
        let named = [OPENED, LAST_CREATION, BULK_IMPORT, ARCHIVING_BEGINS, NOW].map(instant);
        assert_eq!(
            named,
            [
                "2016-01-01T00:00:00Z",
                "2026-01-01T00:00:00Z",
                "2026-03-17T02:00:00Z",
                "2026-04-01T00:00:00Z",
                "2026-06-30T00:00:00Z"
            ]
        );
    }

    #[test]
    fn milliseconds_have_three_digits_or_none() {
        assert_eq!(instant(1_767_225_600_670), "2026-01-01T00:00:00.670Z");
        assert_eq!(instant(-1_217_980_800_000), "1931-05-29T00:00:00Z");
    }

    #[test]
    fn creation_ascends_and_changes_follow_it() {
        for position in 0..100_000 {
            assert!(created(position) < created(position + 1), "position {position}");
            let key = super::super::random::mix(position);
            assert!(modified(position, false, key) >= created(position));
            assert!(modified(position, true, key) <= archived(key));
        }
        assert!(created(100_000_000) <= LAST_CREATION);
    }
}
