//! What was odd about records, over all of a stream.
//!
//! Properties that some records have named and others have not, or none at all: HubSpot names each that was asked for in
//! every record, so these were archived. Each reader of a stream decodes its own part of it; only all of them together know.

use std::collections::BTreeMap;

/// What was odd about the records of a stream, or of a part of it.
#[derive(Debug, Default)]
pub(in crate::source::hubspot) struct Remarks {
    /// By the properties that a column wants, how records have named them.
    pub(super) properties: BTreeMap<String, Naming>,
    /// Values of `updatedAt` that were no times.
    pub(super) odd_times: u64,
}

/// How records have named a property.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Naming {
    /// At least one has.
    pub(super) by_some: bool,
    /// At least one has not.
    pub(super) not_by_all: bool,
}

impl Remarks {
    /// Adds those on another part.
    pub(in crate::source::hubspot) fn add(&mut self, other: Self) {
        for (property, naming) in other.properties {
            let here = self.properties.entry(property).or_default();
            here.by_some |= naming.by_some;
            here.not_by_all |= naming.not_by_all;
        }
        self.odd_times += other.odd_times;
    }

    /// The properties that no record has named, not even with an empty value.
    pub(in crate::source::hubspot) fn never_named(&self) -> Vec<String> {
        self.properties_that(|naming| !naming.by_some)
    }

    /// The properties that some records have named and others have not.
    pub(in crate::source::hubspot) fn named_by_some(&self) -> Vec<String> {
        self.properties_that(|naming| naming.by_some && naming.not_by_all)
    }

    /// How many values of `updatedAt` were no times.
    pub(in crate::source::hubspot) fn odd_times(&self) -> u64 {
        self.odd_times
    }

    fn properties_that(&self, is: impl Fn(Naming) -> bool) -> Vec<String> {
        self.properties.iter().filter(|(_, naming)| is(**naming)).map(|(name, _)| name.clone()).collect()
    }
}
