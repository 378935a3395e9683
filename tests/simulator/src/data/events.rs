//! What happened to records: occurrences of events, computed from the record they happened to.
//!
//! Most contacts have a few, some none, one in [`BUSY_ONE_IN`] hundreds; companies and deals have one now and then, the other types
//! none. They lie within the two years before the portal's present, before the contact's creation too: a visitor is known by
//! name only later. Some share a millisecond.

use super::clock;
use super::event_types::EventType;
use super::ids::Section;
use super::object_type::ObjectType;
use super::property::Property;
use super::random::{Draw, mix, salt};
use super::record::Record;
use super::{CONTACTS, Portal};

const EVENTS: u64 = salt("events");

/// One contact in so many has hundreds of occurrences.
const BUSY_ONE_IN: u64 = 97;
/// Of those the one with this rank, so that small portals have one too.
const BUSY_REMAINDER: u64 = 40;
/// More than two of HubSpot's pages.
const BUSY: (i64, i64) = (210, 450);
/// The most occurrences of other contacts.
const MOST: u64 = 8;
/// One record in so many of other types has occurrences.
const OTHERS_ONE_IN: u64 = 10;
const MOST_OF_OTHERS: u64 = 3;
/// One occurrence in so many happened at the same millisecond as another one of its record.
const TIED_ONE_IN: u64 = 20;
/// Two years, in milliseconds.
const SPAN: u64 = 2 * 365 * 24 * 60 * 60 * 1000;

/// That something happened to a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occurrence<'a> {
    pub(crate) record: Record<'a>,
    pub(crate) event_type: &'a EventType,
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Tells it from all others.
    pub(crate) hash: u64,
}

impl Occurrence<'_> {
    pub(crate) fn id(&self) -> String {
        let (first, second) = (self.hash, mix(self.hash));
        format!(
            "leviathan-{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            first >> 32,
            first >> 16 & 0xFFFF,
            first >> 4 & 0xFFF,
            second >> 48 & 0xFFF,
            (second & 0xFFFF_FFFF_FFF0) | (first & 0xF),
        )
    }

    /// Occurrences are listed in the order of these, or against it.
    pub(crate) fn key(&self) -> (i64, &str, u64, u64) {
        (self.at, self.record.object_type().type_id(), self.record.id(), self.hash)
    }

    /// Its properties that have a value, as name and raw text.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&str, String)> {
        let values = self.record.redrawn(self.hash);
        let all = self.event_type.defined.iter().chain(&self.event_type.undefined);
        all.filter_map(move |property: &Property| {
            let mut text = String::new();
            values.append_value(property, &mut text).then(|| (property.name.as_ref(), text))
        })
    }
}

/// The types to whose records something can happen.
pub(crate) fn object_types(portal: &Portal) -> impl Iterator<Item = &ObjectType> {
    portal.types().iter().filter(|object_type| happening(portal, object_type).next().is_some())
}

/// Everything that happened to a record, in no order.
pub(crate) fn of(record: Record<'_>) -> impl Iterator<Item = Occurrence<'_>> {
    let (portal, object_type) = (record.portal(), record.object_type());
    let possible: Vec<(&EventType, u64)> = happening(portal, object_type).collect();
    let shares: u64 = possible.iter().map(|(_, share)| share).sum();
    let key = mix(record.key() ^ EVENTS);
    let count = if shares == 0 { 0 } else { count(&record, &mut Draw::new(key)) };
    (0..count).map(move |place| {
        let hash = mix(key ^ mix(place));
        let mut draw = Draw::new(hash);
        let is_tied = draw.below(TIED_ONE_IN) == 0;
        let mut choice = draw.below(shares);
        let (event_type, _) = possible
            .iter()
            .find(|(_, share)| {
                let chosen = choice < *share;
                choice = choice.wrapping_sub(*share);
                chosen
            })
            .expect("a choice below the sum of the shares is one of them");
        let place = if is_tied { place.saturating_sub(1) } else { place };
        let at = clock::NOW - 1 - Draw::new(mix(key ^ mix(place) ^ EVENTS)).below(SPAN) as i64;
        Occurrence { record, event_type, at, hash }
    })
}

/// Everything that happened to live records of one type, record by record.
pub(crate) fn of_type<'a>(portal: &'a Portal, object_type: &'a ObjectType) -> impl Iterator<Item = Occurrence<'a>> {
    object_type.records(portal, Section::Live, None).flat_map(of)
}

/// The events that happen to records of a type, with their shares.
fn happening<'a>(portal: &'a Portal, object_type: &'a ObjectType) -> impl Iterator<Item = (&'a EventType, u64)> {
    portal.event_types().iter().filter_map(|event_type| {
        let share = event_type.of.iter().find(|(type_id, _)| *type_id == object_type.type_id())?;
        Some((event_type, share.1))
    })
}

fn count(record: &Record<'_>, draw: &mut Draw) -> u64 {
    if record.object_type().type_id() != CONTACTS {
        if draw.below(OTHERS_ONE_IN) == 0 { 1 + draw.below(MOST_OF_OTHERS) } else { 0 }
    } else if record.rank() % BUSY_ONE_IN == BUSY_REMAINDER {
        draw.between(BUSY.0, BUSY.1).unsigned_abs()
    } else {
        draw.below(MOST + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::data::Options;

    fn portal(contacts: u64) -> Portal {
        Portal::new(&Options { contacts, ..Options::default() })
    }

    #[test]
    fn ids_are_unique_and_times_within_two_years() {
        let portal = portal(2_000);
        let mut ids = HashSet::new();
        for object_type in object_types(&portal) {
            for occurrence in of_type(&portal, object_type) {
                assert!(ids.insert(occurrence.id()));
                assert!((clock::NOW - SPAN as i64..clock::NOW).contains(&occurrence.at));
            }
        }
        assert!(ids.len() > 8_000);
    }

    #[test]
    fn contacts_have_none_or_a_few_or_hundreds_and_some_at_one_millisecond() {
        let portal = portal(500);
        let contacts = portal.find_type(CONTACTS).expect("contacts");
        let mut counts = HashSet::new();
        let mut shared = 0;
        for record in contacts.records(&portal, Section::Live, None) {
            let times: Vec<i64> = of(record).map(|occurrence| occurrence.at).collect();
            shared += times.len() - times.iter().collect::<HashSet<_>>().len();
            counts.insert(times.len());
        }
        assert!((0..=8).all(|count| counts.contains(&count)));
        assert!(counts.iter().any(|&count| count > 200));
        assert!(shared > 20);
    }

    #[test]
    fn everything_that_can_happen_does_and_only_to_three_types() {
        let portal = portal(1_000);
        let types: Vec<&str> = object_types(&portal).map(ObjectType::type_id).collect();
        assert_eq!(types, ["0-1", "0-2", "0-3"]);
        for object_type in object_types(&portal) {
            let seen: HashSet<&str> =
                of_type(&portal, object_type).map(|occurrence| occurrence.event_type.name.as_ref()).collect();
            let possible: HashSet<&str> =
                happening(&portal, object_type).map(|(event_type, _)| event_type.name.as_ref()).collect();
            assert_eq!(seen, possible);
        }
    }
}
