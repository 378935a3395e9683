//! What holds for the links of a whole portal.

use std::collections::{HashMap, HashSet};

use super::super::ids::Section;
use super::super::record::Record;
use super::super::{Options, Portal};
use super::{Definition, between, directions};

fn portal_of(contacts: u64) -> Portal {
    Portal::new(&Options { contacts, ..Options::default() })
}

fn live<'a>(portal: &'a Portal, type_id: &str) -> impl Iterator<Item = Record<'a>> {
    portal.find_type(type_id).expect("a type").records(portal, Section::Live, None)
}

#[test]
fn links_agree_in_both_directions_and_but_for_the_gone_name_live_records() {
    let portal = portal_of(2_000);
    let mut gone = 0;
    for direction in directions() {
        let (from, to) = (direction.from(), direction.to());
        let (from_type, to_type) = (portal.find_type(from).expect("a type"), portal.find_type(to).expect("a type"));
        let way_back = between(to, from).expect("every pair can be asked from both sides");
        for link in portal.links(direction) {
            assert!(from_type.record(&portal, Section::Live, link.from).is_some());
            let kinds = link.definitions(direction).len();
            assert!(kinds > 0);
            let back = portal.links_of(way_back, link.to, 0).iter().find(|back| back.to == link.from);
            if to_type.record(&portal, Section::Live, link.to).is_some() {
                let back = back.expect("what one says, the other says");
                assert_eq!(back.definitions(way_back).len(), kinds);
            } else {
                assert!(back.is_none() && to_type.record(&portal, Section::Archived, link.to).is_none());
                gone += 1;
            }
        }
    }
    assert!(gone > 10, "{gone}");
}

#[test]
fn the_primary_company_is_the_one_that_the_contact_names() {
    let portal = portal_of(500);
    let direction = between("0-1", "0-2").expect("contacts and companies");
    for record in live(&portal, "0-1") {
        let (_, property) = record.object_type().property("associatedcompanyid").expect("a property");
        let mut named = String::new();
        record.append_value(property, &mut named);
        let primary: Vec<String> = portal
            .links_of(direction, record.id(), 0)
            .iter()
            .filter(|link| link.definitions(direction).iter().any(|definition| direction.is_main(*definition)))
            .map(|link| link.to.to_string())
            .collect();
        assert_eq!(primary, Vec::from_iter((!named.is_empty()).then_some(named)));
    }
}

#[test]
fn a_crowd_is_linked_to_one_company_and_some_records_to_none() {
    for (contacts, crowd, expected) in [(2_000, 1_200, 1_200), (100, 1_200, 90), (500, 0, 0), (0, 5, 0)] {
        let portal = Portal::new(&Options { contacts, crowd, ..Options::default() });
        let direction = between("0-2", "0-1").expect("companies and contacts");
        let linked = |id| portal.links_of(direction, id, 0).len() as u64;
        let most = live(&portal, "0-2").map(|company| linked(company.id())).max().unwrap_or_default();
        // The payer has contacts of its own besides.
        assert!((expected..expected + 40).contains(&most), "{contacts}: {most}");
    }
    let portal = portal_of(2_000);
    for (from, to) in [("0-1", "0-2"), ("0-3", "0-1"), ("0-48", "0-1"), ("2-13370001", "0-1")] {
        let direction = between(from, to).expect("a pair");
        let object_type = portal.find_type(from).expect("a type");
        let without = object_type
            .records(&portal, Section::Live, None)
            .filter(|record| portal.links_of(direction, record.id(), 0).is_empty())
            .count() as u64;
        assert!(0 < without && without < object_type.live(), "{from} to {to}: {without}");
    }
}

#[test]
fn links_of_several_kinds_and_every_kind_of_a_linked_pair_occur() {
    let portal = portal_of(2_000);
    for direction in directions() {
        let links = portal.links(direction);
        let seen: HashSet<u32> =
            links.iter().flat_map(|link| link.definitions(direction)).map(Definition::type_id).collect();
        let defined: HashSet<u32> = direction.definitions().into_iter().map(Definition::type_id).collect();
        assert!(links.is_empty() || seen == defined, "{} to {}", direction.from(), direction.to());
        if (direction.from(), direction.to()) == ("0-1", "0-2") {
            assert!(links.iter().any(|link| link.definitions(direction).len() > 2));
            assert!(links.iter().any(|link| link.definitions(direction).len() == 1));
        }
    }
}

#[test]
fn limits_that_are_set_hold() {
    let portal = portal_of(2_000);
    for direction in directions() {
        let mut counts = HashMap::new();
        for link in portal.links(direction) {
            for definition in link.definitions(direction).iter().filter(|definition| definition.limit().is_some()) {
                let count = counts.entry((link.from, definition.type_id())).or_insert(0);
                *count += 1;
                assert!(Some(*count) <= definition.limit(), "{definition:?}");
            }
        }
    }
}
