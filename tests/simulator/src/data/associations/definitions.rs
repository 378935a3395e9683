//! The kinds of links as somebody who reads one direction sees them.

use super::kinds::{Category, End, PRIMARY, Pair};
use super::pairs::PAIRS;

/// One kind of link in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    category: Category,
    end: &'static End,
}

impl Definition {
    pub(crate) fn category(self) -> &'static str {
        match self.category {
            Category::HubSpot => "HUBSPOT_DEFINED",
            Category::User => "USER_DEFINED",
            Category::Integrator => "INTEGRATOR_DEFINED",
        }
    }

    pub(crate) fn type_id(self) -> u32 {
        self.end.type_id
    }

    pub(crate) fn name(self) -> &'static str {
        self.end.name
    }

    pub(crate) fn label(self) -> Option<&'static str> {
        self.end.label
    }

    /// The limit that the account set, if it did.
    pub(crate) fn limit(self) -> Option<u32> {
        self.end.limit
    }

    /// Whether this is the kind that HubSpot calls primary.
    fn is_primary(self) -> bool {
        self.category == Category::HubSpot && self.end.label == Some(PRIMARY)
    }
}

/// A pair in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direction {
    /// The place of the pair among [`PAIRS`].
    pub(super) place: usize,
    pub(super) pair: &'static Pair,
    pub(super) is_back: bool,
}

impl Direction {
    pub(crate) fn from(self) -> &'static str {
        if self.is_back { self.pair.other } else { self.pair.one }
    }

    pub(crate) fn to(self) -> &'static str {
        if self.is_back { self.pair.one } else { self.pair.other }
    }

    /// Everything that a link in this direction can be. A pair of a type with itself has the kinds of
    /// both directions.
    pub(crate) fn definitions(self) -> Vec<Definition> {
        let both = self.pair.one == self.pair.other;
        let bits = (0..2 * self.pair.kinds.len()).filter(|bit| both || bit % 2 == usize::from(self.is_back));
        named(self.pair, bits)
    }

    /// Whether this is the main kind of its direction: the primary one, where there is one, and
    /// otherwise one without a label.
    pub(crate) fn is_main(self, definition: Definition) -> bool {
        if self.definitions().into_iter().any(Definition::is_primary) {
            definition.is_primary()
        } else {
            definition.label().is_none()
        }
    }

    /// What a link with these bits is.
    pub(super) fn noted(self, bits: u16) -> Vec<Definition> {
        named(self.pair, (0..2 * self.pair.kinds.len()).filter(|bit| bits >> bit & 1 == 1))
    }
}

/// The kinds of these bits; one whose two ends are the same is named once.
fn named(pair: &'static Pair, bits: impl Iterator<Item = usize>) -> Vec<Definition> {
    let mut named: Vec<Definition> = Vec::new();
    for bit in bits {
        let kind = &pair.kinds[bit / 2];
        let end = if bit % 2 == 0 { &kind.there } else { &kind.back };
        if named.iter().all(|other| (other.category, other.end.type_id) != (kind.category, end.type_id)) {
            named.push(Definition { category: kind.category, end });
        }
    }
    named
}

/// All directions of all pairs; a pair of a type with itself has one.
pub(crate) fn directions() -> impl Iterator<Item = Direction> {
    PAIRS.iter().enumerate().flat_map(|(place, pair)| {
        let back = (pair.one != pair.other).then_some(Direction { place, pair, is_back: true });
        [Direction { place, pair, is_back: false }].into_iter().chain(back)
    })
}

/// The direction from one type id to another, if records of these types can be linked.
pub(crate) fn between(from: &str, to: &str) -> Option<Direction> {
    directions().find(|direction| direction.from() == from && direction.to() == to)
}

/// What the schema of a custom type names: the types it can be linked to, and the kind.
pub(crate) fn defined_by(type_id: &str) -> impl Iterator<Item = (&'static str, Definition)> {
    directions()
        .filter(move |direction| direction.from() == type_id && !direction.is_back)
        .filter_map(|direction| Some((direction.to(), direction.definitions().first().copied()?)))
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{Given, MOST_KINDS};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_direction_has_each_number_of_a_category_once_and_its_bits_fit() {
        let mut numbers = HashSet::new();
        for direction in directions() {
            assert!(direction.pair.kinds.len() <= MOST_KINDS);
            assert_eq!(direction.pair.kinds[0].given, Given::Always);
            for definition in direction.definitions() {
                assert!(numbers.insert((definition.category(), definition.type_id())), "{definition:?}");
            }
        }
    }

    #[test]
    fn each_pair_is_there_once() {
        let mut pairs = HashSet::new();
        for pair in PAIRS {
            assert!(
                pairs.insert((pair.one, pair.other))
                    && (pair.one == pair.other || !pairs.contains(&(pair.other, pair.one)))
            );
        }
    }

    #[test]
    fn a_type_with_itself_has_the_numbers_of_both_directions() {
        let numbers: Vec<u32> =
            between("0-2", "0-2").expect("a pair").definitions().iter().map(|one| one.type_id()).collect();
        assert_eq!(numbers, [450, 14, 13]);
        assert!(between("0-7", "0-1").is_none());
    }
}
