//! Lists: which there are, and which records are in them.
//!
//! Membership follows from a record's rank among the live ones of its type, so that the members from
//! any id on are found by arithmetic. Only live records are members, and each joins once.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::ids::Section;
use super::object_type::ObjectType;
use super::owners::FIRST_USER_ID;
use super::random::{mix, salt};
use super::record::Record;
use super::{Portal, clock};

/// More lists than HubSpot shows unless told otherwise.
const CAMPAIGNS: u64 = 18;
/// One contact in so many got a campaign's mail.
const CAMPAIGN_ONE_IN: u64 = 40;

/// Ids have gaps, for lists that were deleted.
const FIRST_ID: u64 = 5;
const ID_STEP: u64 = 3;
/// One list in so many lost a member lately.
const REMOVED_ONE_IN: u64 = 3;
/// So many records lie between the creations of two lists, which spreads them over the portal's life.
const POSITIONS_APART: u64 = 90;

/// How a list gets its members.
#[derive(Clone, Copy, Debug)]
enum Processing {
    Manual,
    Dynamic,
    Snapshot,
}

/// Which records of the type are members, by their rank.
#[derive(Clone, Copy, Debug)]
enum Members {
    Nobody,
    First(u64),
    /// Every so many, from this rank on.
    OneIn(u64, u64),
}

/// The lists that have names of their own: name, type id, processing, members, whether the filters were changed.
const NAMED: &[(&str, &str, Processing, Members, bool)] = &[
    ("Every second contact", "0-1", Processing::Dynamic, Members::OneIn(2, 0), true),
    ("VIP, \"Gold\" – Zürich", "0-1", Processing::Manual, Members::First(3), false),
    ("Nobody yet", "0-1", Processing::Dynamic, Members::Nobody, true),
    ("=SUM(A1); 100 % sicher", "0-1", Processing::Snapshot, Members::OneIn(9, 4), false),
    ("顧客 (2019)\tBerlin", "0-1", Processing::Snapshot, Members::OneIn(25, 11), true),
    ("Key accounts", "0-2", Processing::Manual, Members::First(12), false),
    ("Companies without a contract", "0-2", Processing::Dynamic, Members::OneIn(4, 1), true),
    ("Cliniques partenaires (été)", "0-2", Processing::Snapshot, Members::OneIn(15, 2), false),
    ("Deals of this quarter", "0-3", Processing::Dynamic, Members::OneIn(3, 0), true),
    ("Deals to review", "0-3", Processing::Manual, Members::First(5), false),
    ("Recalled vehicles", "2-13370001", Processing::Manual, Members::First(120), false),
    ("Vehicles due for service", "2-13370001", Processing::Dynamic, Members::OneIn(6, 5), true),
];

/// A list of records.
#[derive(Clone, Debug)]
pub(crate) struct List {
    ordinal: u64,
    name: String,
    type_id: &'static str,
    processing: Processing,
    members: Members,
    filters_changed: bool,
    /// When the last member joined, as far as it was asked for.
    last_joined: OnceLock<Option<i64>>,
}

/// That a record is in a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    pub(crate) record_id: u64,
    /// When it joined, in milliseconds since 1970.
    pub(crate) joined: i64,
}

/// All lists, by id.
pub(super) fn all() -> Vec<List> {
    let named = NAMED.iter().map(|&(name, type_id, processing, members, filters_changed)| {
        (name.to_owned(), type_id, processing, members, filters_changed)
    });
    let campaigns = (0..CAMPAIGNS).map(|month| {
        let name = format!("Campaign {}-{:02}", 2024 + month / 12, 1 + month % 12);
        (name, "0-1", Processing::Manual, Members::OneIn(CAMPAIGN_ONE_IN, month), false)
    });
    named
        .chain(campaigns)
        .zip(0..)
        .map(|((name, type_id, processing, members, filters_changed), ordinal)| List {
            ordinal,
            name,
            type_id,
            processing,
            members,
            filters_changed,
            last_joined: OnceLock::new(),
        })
        .collect()
}

impl Members {
    fn count(self, live: u64) -> u64 {
        match self {
            Self::Nobody => 0,
            Self::First(most) => live.min(most),
            Self::OneIn(step, first) => live.saturating_sub(first).div_ceil(step),
        }
    }

    /// The rank of the n-th member.
    fn nth(self, n: u64) -> u64 {
        match self {
            Self::Nobody | Self::First(_) => n,
            Self::OneIn(step, first) => first + n * step,
        }
    }

    /// How many members have a smaller rank.
    fn before(self, rank: u64) -> u64 {
        self.count(rank)
    }

    fn contains(self, rank: u64) -> bool {
        match self {
            Self::Nobody => false,
            Self::First(most) => rank < most,
            Self::OneIn(step, first) => rank >= first && (rank - first).is_multiple_of(step),
        }
    }
}

impl List {
    pub(crate) fn id(&self) -> String {
        (FIRST_ID + self.ordinal * ID_STEP).to_string()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The type of its members.
    pub(crate) fn type_id(&self) -> &'static str {
        self.type_id
    }

    pub(crate) fn processing_type(&self) -> &'static str {
        match self.processing {
            Processing::Manual => "MANUAL",
            Processing::Dynamic => "DYNAMIC",
            Processing::Snapshot => "SNAPSHOT",
        }
    }

    /// How often its definition was changed.
    pub(crate) fn version(&self) -> u64 {
        1 + self.ordinal % 4
    }

    /// How many members it has.
    pub(crate) fn size(&self, portal: &Portal) -> u64 {
        self.members.count(self.members_type(portal).live())
    }

    /// The members whose id is greater than `after`, by id.
    pub(crate) fn members<'a>(
        &'a self,
        portal: &'a Portal,
        after: Option<u64>,
    ) -> impl Iterator<Item = Membership> + use<'a> {
        let object_type = self.members_type(portal);
        let layout = object_type.layout();
        let rank = after.map_or(0, |id| layout.rank(Section::Live, layout.first_after(id)));
        (self.members.before(rank)..self.size(portal)).filter_map(move |n| {
            let position = layout.nth(Section::Live, self.members.nth(n))?;
            self.membership(&Record::new(portal, object_type, position))
        })
    }

    /// Whether a live record is a member.
    pub(crate) fn membership(&self, record: &Record<'_>) -> Option<Membership> {
        let is_member = record.object_type().type_id() == self.type_id && self.members.contains(record.rank());
        is_member.then(|| Membership { record_id: record.id(), joined: self.joined(record) })
    }

    fn joined(&self, record: &Record<'_>) -> i64 {
        let choice = mix(record.key() ^ salt("lists") ^ self.ordinal);
        record.created() + (choice % (clock::NOW - record.created()) as u64) as i64
    }

    fn members_type<'a>(&self, portal: &'a Portal) -> &'a ObjectType {
        portal.find_type(self.type_id).expect("lists are of types that the portal has")
    }

    fn created(&self) -> i64 {
        clock::created(self.ordinal * POSITIONS_APART)
    }

    /// The list as a search finds it: without its size among its own fields, but with the additional properties.
    /// The first call looks at all members.
    pub(crate) fn found(&self, portal: &Portal) -> Value {
        let mut listing = self.listing();
        listing["additionalProperties"] = self.additional(portal);
        listing
    }

    /// The list as it is fetched by its id.
    pub(crate) fn fetched(&self, portal: &Portal) -> Value {
        let mut listing = self.listing();
        listing["size"] = Value::from(self.size(portal));
        listing
    }

    fn listing(&self) -> Value {
        let (created, author) = (self.created(), (FIRST_USER_ID + self.ordinal % 3).to_string());
        let edited = created + (mix(self.ordinal ^ salt("edited")) % (clock::NOW - created) as u64) as i64;
        let mut listing = json!({
            "listId": self.id(),
            "listVersion": self.version(),
            "name": self.name,
            "objectTypeId": self.type_id,
            "processingType": self.processing_type(),
            "processingStatus": "COMPLETE",
            "createdAt": clock::instant(created),
            "updatedAt": clock::instant(edited),
            "createdById": author,
            "updatedById": author,
        });
        if self.filters_changed {
            listing["filtersUpdatedAt"] = Value::from(clock::instant(edited));
        }
        listing
    }

    /// What HubSpot always adds to a list that is found. Each is absent where it has nothing to say.
    fn additional(&self, portal: &Portal) -> Value {
        let mut additional = json!({});
        let last = self.last_joined.get_or_init(|| self.members(portal, None).map(|member| member.joined).max());
        if let Some(last) = last {
            additional["hs_list_size"] = Value::from(self.size(portal).to_string());
            additional["hs_last_record_added_at"] = Value::from(last.to_string());
        }
        if self.ordinal.is_multiple_of(REMOVED_ONE_IN) {
            let removed = self.created() + (clock::NOW - self.created()) / 2;
            additional["hs_last_record_removed_at"] = Value::from(removed.to_string());
        }
        additional
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Options;

    #[test]
    fn members_are_found_from_any_id_on_and_by_record() {
        let portal = Portal::new(&Options { contacts: 130, ..Options::default() });
        for list in portal.lists() {
            let object_type = list.members_type(&portal);
            let expected: Vec<u64> = object_type
                .records(&portal, Section::Live, None)
                .filter(|record| list.membership(record).is_some())
                .map(|record| record.id())
                .collect();
            assert_eq!(list.size(&portal), expected.len() as u64, "{}", list.name());
            for (place, id) in expected.iter().enumerate() {
                for (after, from) in [(*id, place + 1), (id - 1, place)] {
                    let read: Vec<u64> = list.members(&portal, Some(after)).map(|member| member.record_id).collect();
                    assert_eq!(read, expected[from..], "{}", list.name());
                }
            }
        }
    }
}
