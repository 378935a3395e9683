//! The portal: one HubSpot account's worth of data, computed rather than stored.
//!
//! Everything follows from [`Options`]: the same options give the same portal, on every machine, and
//! no wall clock takes part. A record is a position in its type's layout; its id, times and values
//! are hashes of the seed, the type and that position. So a portal of a million contacts costs no
//! memory and no time to open, and the k-th live record, the first one after an id and the total are
//! each found by arithmetic.
//!
//! - `ids`: positions, fates and ids; where the arithmetic lives;
//! - `clock`: when records were created, changed and archived;
//! - `property`, `properties`: what properties there are;
//! - `values`: how their values are made, the awkward ones included;
//! - `object_type`, `object_types`, `record`: the types, and a record of one;
//! - `history`: what values were before, and where they came from;
//! - `events`, `event_types`: what happened to records, and what can happen;
//! - `associations`: which records are linked, and how;
//! - `lists`: which lists there are, and which records are in them;
//! - `owners`, `users`, `pipelines`, `schemas`: the rest of the portal.
//!
//! A portal with more contacts holds the smaller one's contacts unchanged, except for the ids of other
//! records in them.
//!
//! It knows nothing of HTTP, scopes or limits.

pub(crate) mod associations;
pub(crate) mod clock;
pub(crate) mod event_types;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod ids;
pub(crate) mod lists;
pub(crate) mod object_type;
mod object_types;
pub(crate) mod owners;
pub(crate) mod pipelines;
mod properties;
pub(crate) mod property;
pub(crate) mod random;
pub(crate) mod record;
pub(crate) mod schemas;
pub(crate) mod users;
mod values;
mod words;

use associations::{Crowd, Direction, Link, Links};
use event_types::EventType;
use ids::Section;
use lists::List;
use object_type::ObjectType;
use owners::Owner;
use pipelines::{Pipeline, Stage};
use random::Draw;
use users::User;

/// The account's number, which is in the names of its custom object types.
pub const PORTAL_ID: u64 = 48_012_345;

/// The type id of contacts.
const CONTACTS: &str = "0-1";

/// Which portal to compute.
#[derive(Clone, Debug)]
pub struct Options {
    /// Chooses all values. Default: 1.
    pub seed: u64,
    /// The number of live contacts, exactly; archived, merged and erased ones come on top. The other
    /// types scale with it: a company for every five contacts, a deal for every four, a ticket for
    /// every ten, and so on. Default: 2000.
    pub contacts: u64,
    /// Contact properties beyond the usual sixty or so, named `extra_0001` onwards, for portals with
    /// hundreds of them. Default: 0.
    pub extra_properties: usize,
    /// How many contacts are linked to one company, the payer: at most nine of ten. Default: 1200,
    /// more than two of HubSpot's pages for one record.
    pub crowd: u64,
    /// How many versions of a property's history the API gives at most.
    pub history_cap: HistoryCap,
}

/// How many of the newest versions of one property of one record the API gives; there may be more. At least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryCap {
    /// For contacts. Default: 45.
    pub contacts: usize,
    /// For the other types. Default: 20.
    pub others: usize,
}

impl Default for HistoryCap {
    fn default() -> Self {
        Self { contacts: CONTACT_VERSIONS, others: OTHER_VERSIONS }
    }
}

/// The size of the demo: large enough for every oddity to occur, small enough to be read in seconds.
const DEFAULT_CONTACTS: u64 = 2_000;
/// Three of HubSpot's pages of five hundred.
const DEFAULT_CROWD: u64 = 1_200;
/// How many versions others saw HubSpot keep of a contact's property.
const CONTACT_VERSIONS: usize = 45;
/// The same for records of other types.
const OTHER_VERSIONS: usize = 20;

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            contacts: DEFAULT_CONTACTS,
            extra_properties: 0,
            crowd: DEFAULT_CROWD,
            history_cap: HistoryCap::default(),
        }
    }
}

/// A portal.
#[derive(Debug)]
pub(crate) struct Portal {
    seed: u64,
    types: Vec<ObjectType>,
    owners: Vec<Owner>,
    users: Vec<User>,
    lists: Vec<List>,
    links: Links,
    event_types: Vec<EventType>,
    history_cap: HistoryCap,
}

impl Portal {
    pub(crate) fn new(options: &Options) -> Self {
        let owners = owners::all(options.seed);
        Self {
            seed: options.seed,
            types: object_types::all(options.contacts, options.extra_properties),
            users: users::all(options.seed, &owners),
            owners,
            lists: lists::all(),
            links: Links::new(Crowd(options.crowd)),
            event_types: event_types::all(),
            history_cap: options.history_cap,
        }
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    /// All object types: the standard ones by type id, then the custom ones.
    pub(crate) fn types(&self) -> &[ObjectType] {
        &self.types
    }

    /// The object type that a path segment means: a name, a type id or a fully qualified name.
    pub(crate) fn find_type(&self, segment: &str) -> Option<&ObjectType> {
        self.types.iter().find(|object_type| object_type.is_called(segment))
    }

    /// All owners, archived ones included, by id.
    pub(crate) fn owners(&self) -> &[Owner] {
        &self.owners
    }

    /// All users, by id.
    pub(crate) fn users(&self) -> &[User] {
        &self.users
    }

    /// All teams with their users, as HubSpot lists them.
    pub(crate) fn teams(&self) -> Vec<serde_json::Value> {
        users::teams(&self.users)
    }

    /// All types of events, by name.
    pub(crate) fn event_types(&self) -> &[EventType] {
        &self.event_types
    }

    /// How many versions of a property's history the API gives of a record of this type.
    pub(crate) fn history_cap(&self, object_type: &ObjectType) -> usize {
        if object_type.type_id() == CONTACTS { self.history_cap.contacts } else { self.history_cap.others }
    }

    /// All lists, by id.
    pub(crate) fn lists(&self) -> &[List] {
        &self.lists
    }

    /// All links in a direction, by their records. The first call for a pair computes them.
    pub(crate) fn links(&self, direction: Direction) -> &[Link] {
        self.links.all(self, direction)
    }

    /// The links of one live record in a direction, by their other ends, from the first whose id is greater than
    /// `after`.
    pub(crate) fn links_of(&self, direction: Direction, from: u64, after: u64) -> &[Link] {
        self.links.of(self, direction, from, after)
    }

    fn any_owner(&self, choice: u64) -> &Owner {
        &self.owners[Draw::new(choice).index(&self.owners)]
    }

    /// The id of some live record of the type with this name.
    fn any_live_id(&self, type_name: &str, choice: u64) -> Option<u64> {
        let layout = self.types.iter().find(|object_type| object_type.name() == type_name)?.layout();
        let rank = Draw::new(choice).below(layout.count(Section::Live));
        layout.nth(Section::Live, rank).map(|position| layout.id(position))
    }

    /// Some pipeline of a type, and a stage of that pipeline.
    fn any_stage(object_type: &ObjectType, choice: u64) -> Option<(&Pipeline, &Stage)> {
        let mut draw = Draw::new(choice);
        let pipeline = object_type.pipelines().get(draw.index(object_type.pipelines()))?;
        Some((pipeline, &pipeline.stages[draw.index(&pipeline.stages)]))
    }
}

#[cfg(test)]
mod tests {
    use super::property::ValueType;
    use super::values::DO_NOT_SYNC_ONE_IN;
    use super::*;
    use std::collections::HashSet;

    fn portal(contacts: u64) -> Portal {
        Portal::new(&Options { contacts, ..Options::default() })
    }

    fn live<'a>(portal: &'a Portal, name: &str) -> Vec<record::Record<'a>> {
        let object_type = portal.types.iter().find(|object_type| object_type.name() == name).expect("a known type");
        object_type.records(portal, Section::Live, None).collect()
    }

    fn value(record: &record::Record<'_>, name: &str) -> Option<String> {
        let (_, property) = record.object_type().property(name).expect("a known property");
        let mut text = String::new();
        record.append_value(property, &mut text).then_some(text)
    }

    #[test]
    fn as_many_live_contacts_as_asked_for() {
        for contacts in [0, 1, 7, 44, 45, 2_000] {
            assert_eq!(live(&portal(contacts), "contacts").len() as u64, contacts);
        }
        assert_eq!(portal(1_000_000).find_type("contacts").map(ObjectType::live), Some(1_000_000));
    }

    #[test]
    fn never_more_than_two_in_a_hundred_are_flagged_do_not_sync() {
        for contacts in [1, 63, 64, 127, 2_000] {
            let portal = portal(contacts);
            let flagged = live(&portal, "contacts")
                .iter()
                .filter(|record| value(record, "do_not_sync").as_deref() == Some("true"))
                .count() as u64;
            assert_eq!(flagged, contacts / DO_NOT_SYNC_ONE_IN);
            assert!(flagged * 50 <= contacts);
        }
    }

    #[test]
    fn values_depend_on_the_seed_and_on_nothing_else() {
        let (one, same) = (portal(300), portal(300));
        let other = Portal::new(&Options { seed: 2, contacts: 300, ..Options::default() });
        let emails =
            |portal: &Portal| live(portal, "contacts").iter().map(|record| value(record, "email")).collect::<Vec<_>>();
        assert_eq!(emails(&one), emails(&same));
        assert_ne!(emails(&one), emails(&other));
    }

    #[test]
    fn a_larger_portal_holds_the_smaller_ones_contacts() {
        let (small, large) = (portal(100), portal(1_000));
        for (one, other) in live(&small, "contacts").iter().zip(live(&large, "contacts")) {
            assert_eq!((one.id(), one.created(), one.modified()), (other.id(), other.created(), other.modified()));
            for property in one.object_type().properties().iter().filter(|property| property.references.is_none()) {
                assert_eq!(value(one, &property.name), value(&other, &property.name), "{}", property.name);
            }
        }
    }

    #[test]
    fn e_mail_addresses_are_unique() {
        let portal = portal(2_000);
        let emails: Vec<String> = live(&portal, "contacts")
            .iter()
            .filter_map(|record| value(record, "email"))
            .filter(|email| !email.is_empty())
            .collect();
        assert!(emails.len() > 1_800);
        assert_eq!(emails.iter().collect::<HashSet<_>>().len(), emails.len());
    }

    #[test]
    fn foreign_keys_point_to_live_records() {
        let portal = portal(500);
        let companies: HashSet<String> =
            live(&portal, "companies").iter().map(|record| record.id().to_string()).collect();
        let mut references = 0;
        for record in live(&portal, "contacts") {
            if let Some(company) = value(&record, "associatedcompanyid").filter(|text| !text.is_empty()) {
                assert!(companies.contains(&company), "{company}");
                references += 1;
            }
        }
        assert!(references > 300);
    }

    #[test]
    fn a_stage_belongs_to_the_pipeline_beside_it() {
        let portal = portal(500);
        for record in live(&portal, "deals") {
            let (pipeline, stage) = (value(&record, "pipeline"), value(&record, "dealstage"));
            let found = record
                .object_type()
                .pipelines()
                .iter()
                .find(|of| Some(&of.id) == pipeline.as_ref())
                .expect("a pipeline");
            assert!(found.stages.iter().any(|of| Some(&of.id) == stage.as_ref()));
        }
    }

    #[test]
    fn merge_winners_name_the_records_that_vanished() {
        let portal = portal(500);
        let contacts = portal.find_type("contacts").expect("contacts");
        let mut winners = 0;
        for record in live(&portal, "contacts") {
            for loser in value(&record, "hs_merged_object_ids").iter().flat_map(|ids| ids.split(';')) {
                let loser: u64 = loser.parse().expect("an id");
                assert!(contacts.record(&portal, Section::Live, loser).is_none());
                assert!(contacts.record(&portal, Section::Archived, loser).is_none());
                winners += 1;
            }
        }
        assert!(winners > 10);
    }

    #[test]
    fn every_awkward_value_of_a_number_property_occurs() {
        let portal = portal(2_000);
        let seen: HashSet<String> =
            live(&portal, "contacts").iter().filter_map(|record| value(record, "annual_income")).collect();
        for awkward in ["", "123;456", "n/a", "9007199254740993", "-17.25"] {
            assert!(seen.contains(awkward), "{awkward:?}");
        }
    }

    #[test]
    fn contacts_have_every_value_type_and_every_sensitivity() {
        let portal = portal(1);
        let properties = portal.find_type("contacts").expect("contacts").properties();
        assert!(properties.iter().filter(|property| !property.archived).count() >= 55);
        let types: HashSet<&str> = properties.iter().map(|property| property.value_type.as_str()).collect();
        assert_eq!(types.len(), 9);
        assert!(types.contains(ValueType::ObjectCoordinates.as_str()));
        let protected: Vec<&str> = properties
            .iter()
            .filter(|property| !property.categories.is_empty())
            .map(|property| property.sensitivity.as_str())
            .collect();
        assert!(protected.contains(&"sensitive") && protected.contains(&"highly_sensitive"));
    }

    #[test]
    fn custom_types_are_called_by_id_and_qualified_name_but_not_by_bare_name() {
        let portal = portal(1);
        for name in ["2-13370001", "p48012345_vehicle", "p_vehicle"] {
            assert_eq!(portal.find_type(name).map(ObjectType::type_id), Some("2-13370001"), "{name}");
        }
        assert!(portal.find_type("vehicle").is_none());
        assert_eq!(portal.find_type("deals").map(ObjectType::type_id), Some("0-3"));
        assert_eq!(portal.find_type("p48012345_Deals").map(ObjectType::type_id), Some("2-13370002"));
    }
}
