//! What an observed lease means: pure decisions.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sluice_model::run_id::RunId;

use super::{CLOCK_TOLERANCE, LENGTH};

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// The name of its machine.
    pub host: String,
    /// The number of its process there.
    pub pid: u32,
}

/// One entry of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseEntry {
    /// Its number; of all entries, the one of the highest number counts.
    pub number: u64,
    /// Who made it.
    pub holder: Holder,
    /// When it was made, by its holder's clock.
    pub taken: Timestamp,
    /// When it ends unless it is renewed, by its holder's clock.
    pub ends: Timestamp,
    /// The tables that its run is going to write; none before it has said so.
    pub tables: BTreeSet<String>,
    /// Whether its holder has given it back.
    pub released: bool,
}

impl LeaseEntry {
    pub(super) fn new(number: u64, holder: Holder, now: Timestamp) -> Self {
        Self { number, holder, taken: now, ends: end(now), tables: BTreeSet::new(), released: false }
    }

    pub(super) fn renewed(&self, now: Timestamp) -> Self {
        Self { ends: end(now), ..self.clone() }
    }
}

/// Whether an entry ends later than one that is made now could: a clock is wrong, or the entry was not made by a run.
pub(super) fn is_too_long(entry: &LeaseEntry, now: Timestamp) -> bool {
    let latest = end(now).checked_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
    entry.ends > latest
}

fn end(now: Timestamp) -> Timestamp {
    now.checked_add(LENGTH).unwrap_or(Timestamp::MAX)
}

/// What a run that wants the lease is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Create the entry of this number.
    Take(u64),
    /// Leave it: this entry holds.
    Held(LeaseEntry),
}

/// Decides by the newest entry, if there is any, and the time.
pub fn decide(newest: Option<&LeaseEntry>, now: Timestamp) -> Decision {
    let Some(entry) = newest else { return Decision::Take(1) };
    if is_over(entry, now) { Decision::Take(entry.number + 1) } else { Decision::Held(entry.clone()) }
}

/// Which of these tables the newest entry of another pipeline claims: the first whose name is the same but for its case.
pub(super) fn meets<'t>(entry: &LeaseEntry, tables: &'t BTreeSet<String>, now: Timestamp) -> Option<&'t str> {
    let is_claimed = |name: &&String| entry.tables.iter().any(|claimed| claimed.eq_ignore_ascii_case(name));
    if is_over(entry, now) { None } else { tables.iter().find(is_claimed).map(String::as_str) }
}

/// Whether an entry means nothing any more, by whatever clock.
fn is_over(entry: &LeaseEntry, now: Timestamp) -> bool {
    let over_for_sure = entry.ends.checked_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
    entry.released || now >= over_for_sure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> LeaseEntry {
        let holder = Holder {
            run: "20261123T201500Z-1a2b3c4d".parse().unwrap(),
            pipeline: "crm".to_owned(),
            host: "worker-1".to_owned(),
            pid: 7,
        };
        LeaseEntry::new(4, holder, "2026-11-23T20:15:00Z".parse().unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_bucket_without_entries_is_free() {
        assert_eq!(decide(None, Timestamp::UNIX_EPOCH), Decision::Take(1));
    }

    #[test]
    fn a_live_entry_holds_and_a_released_one_does_not() {
        let mut entry = entry();
        assert_eq!(decide(Some(&entry), at("2026-11-23T20:15:10Z")), Decision::Held(entry.clone()));
        entry.released = true;
        assert_eq!(decide(Some(&entry), at("2026-11-23T20:15:10Z")), Decision::Take(5));
    }

    #[test]
    fn an_ended_entry_is_taken_over_once_clocks_cannot_disagree_on_it() {
        let entry = entry();
        assert_eq!(decide(Some(&entry), at("2026-11-23T20:16:29Z")), Decision::Held(entry.clone()));
        assert_eq!(decide(Some(&entry), at("2026-11-23T20:16:30Z")), Decision::Take(5));
    }

    #[test]
    fn a_live_entry_claims_its_tables_whatever_their_case_and_one_that_is_over_claims_none() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let mut entry = LeaseEntry { tables: names(&["contacts", "Deals"]), ..entry() };
        let now = at("2026-11-23T20:15:10Z");
        assert_eq!(meets(&entry, &names(&["companies", "deals"]), now), Some("deals"));
        assert_eq!(meets(&entry, &names(&["CONTACTS"]), now), Some("CONTACTS"));
        assert_eq!(meets(&entry, &names(&["companies", "deal"]), now), None);
        assert_eq!(meets(&entry, &names(&["deals"]), at("2026-11-23T20:16:29Z")), Some("deals"));
        assert_eq!(meets(&entry, &names(&["deals"]), at("2026-11-23T20:16:30Z")), None);
        entry.released = true;
        assert_eq!(meets(&entry, &names(&["deals"]), now), None);
    }

    #[test]
    fn an_entry_that_ends_later_than_any_lease_is_known_for_it() {
        let entry = entry();
        assert!(!is_too_long(&entry, entry.taken));
        assert!(!is_too_long(&entry, at("2026-11-23T20:14:30Z")), "the clocks of two machines");
        assert!(is_too_long(&LeaseEntry { ends: at("2099-01-01T00:00:00Z"), ..entry.clone() }, entry.taken));
    }

    #[test]
    fn a_renewal_moves_the_end_and_nothing_else() {
        let renewed = entry().renewed(at("2026-11-23T20:15:15Z"));
        assert_eq!(renewed.ends, at("2026-11-23T20:16:15Z"));
        assert_eq!(LeaseEntry { ends: entry().ends, ..renewed }, entry());
    }
}
