//! One record: a position in a type's layout, and what follows from it.

use super::clock;
use super::ids::{Fate, Layout, Section};
use super::object_type::ObjectType;
use super::property::Property;
use super::random::mix;
use super::{Portal, values};

/// A record of the portal. Costs a few hashes to make; its values are computed when asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    portal: &'a Portal,
    object_type: &'a ObjectType,
    position: u64,
    key: u64,
}

impl<'a> Record<'a> {
    pub(super) fn new(portal: &'a Portal, object_type: &'a ObjectType, position: u64) -> Self {
        Self { portal, object_type, position, key: mix(portal.seed() ^ object_type.salt() ^ mix(position)) }
    }

    pub(crate) fn portal(&self) -> &'a Portal {
        self.portal
    }

    pub(crate) fn object_type(&self) -> &'a ObjectType {
        self.object_type
    }

    /// What all draws of this record start from.
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// The same record with other values, for what it held at another time. Its id and its creation are the same; of its last
    /// change this one knows nothing.
    pub(crate) fn redrawn(&self, choice: u64) -> Self {
        Self { key: mix(self.key ^ mix(choice)), ..*self }
    }

    pub(crate) fn id(&self) -> u64 {
        self.object_type.layout().id(self.position)
    }

    /// How many live records of the type have a smaller id.
    pub(crate) fn rank(&self) -> u64 {
        self.object_type.layout().rank(Section::Live, self.position)
    }

    pub(crate) fn is_archived(&self) -> bool {
        Layout::fate(self.position) == Fate::Archived
    }

    /// Whether the record is listed in `section`. Merged and erased ones are in none.
    pub(crate) fn stands_in(&self, section: Section) -> bool {
        match Layout::fate(self.position) {
            Fate::Live => section == Section::Live,
            Fate::Archived => section == Section::Archived,
            Fate::Merged | Fate::Erased => false,
        }
    }

    /// When the record was created, in milliseconds since 1970.
    pub(crate) fn created(&self) -> i64 {
        clock::created(self.position)
    }

    /// When the record was last modified, in milliseconds since 1970. Archiving does not move it.
    pub(crate) fn modified(&self) -> i64 {
        clock::modified(self.position, self.is_archived(), self.key)
    }

    /// When the record was archived, in milliseconds since 1970.
    pub(crate) fn archived(&self) -> Option<i64> {
        self.is_archived().then(|| clock::archived(self.key))
    }

    /// The ids of the records that were merged into this one, ascending.
    pub(crate) fn merged_ids(&self) -> impl Iterator<Item = u64> + use<'a> {
        let layout = self.object_type.layout();
        layout.merged_into(self.position).map(|loser| layout.id(loser))
    }

    /// Appends the raw text of `property`. False, with nothing appended, where it is null.
    pub(crate) fn append_value(&self, property: &Property, text: &mut String) -> bool {
        values::append(self, property, text)
    }
}
