//! Ids. HubSpot writes them as texts; they are compared, counted with and kept as the numbers that they are, of which a
//! compressed bitmap holds millions in little space. What is no number is kept as it is.

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use roaring::RoaringTreemap;

/// The ids of records of one type, each once.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Ids {
    numbers: RoaringTreemap,
    others: BTreeSet<String>,
}

impl Ids {
    /// Whether it is one of them.
    pub fn contains(&self, id: &str) -> bool {
        match number(id) {
            Some(number) => self.numbers.contains(number),
            None => self.others.contains(id),
        }
    }

    /// All of them: numbers in their order, then what is none.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let numbers = self.numbers.iter().map(|number| Cow::Owned(number.to_string()));
        numbers.chain(self.others.iter().map(|id| Cow::Borrowed(id.as_str())))
    }

    /// Those of these places in the order of [`Ids::iter`], counted from 0; fewer, if it ends before.
    pub(super) fn range(&self, places: Range<u64>) -> impl Iterator<Item = Cow<'_, str>> {
        let wanted = usize::try_from(places.end.saturating_sub(places.start)).unwrap_or(usize::MAX);
        let numbers = self.numbers.select(places.start).map(|first| {
            let mut numbers = self.numbers.iter();
            numbers.advance_to(first);
            numbers
        });
        let skipped = usize::try_from(places.start.saturating_sub(self.numbers.len())).unwrap_or(usize::MAX);
        let others = self.others.iter().skip(skipped).map(|id| Cow::Borrowed(id.as_str()));
        numbers.into_iter().flatten().map(|number| Cow::Owned(number.to_string())).chain(others).take(wanted)
    }

    /// The place of one in the order of [`Ids::iter`], counted from 0.
    pub(super) fn place(&self, id: &str) -> Option<u64> {
        match number(id) {
            Some(number) if self.numbers.contains(number) => Some(self.numbers.rank(number) - 1),
            Some(_) => None,
            None => Some(self.numbers.len() + self.others.iter().position(|other| other == id)? as u64),
        }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.numbers.len() + self.others.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes one.
    pub(super) fn insert(&mut self, id: &str) {
        match number(id) {
            Some(number) => drop(self.numbers.insert(number)),
            None => drop(self.others.insert(id.to_owned())),
        }
    }

    /// Takes all of others.
    pub(super) fn add(&mut self, more: Self) {
        self.numbers |= more.numbers;
        self.others.extend(more.others);
    }

    /// Takes these.
    pub(super) fn extend(&mut self, numbers: impl IntoIterator<Item = u64>, others: impl IntoIterator<Item = String>) {
        self.numbers.extend(numbers);
        self.others.extend(others);
    }
}

/// The number that an id is the only way to write; `None` for any other text.
pub(super) fn number(id: &str) -> Option<u64> {
    let is_canonical = id.bytes().all(|byte| byte.is_ascii_digit()) && (id == "0" || !id.starts_with('0'));
    if is_canonical { id.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_once_whatever_they_look_like() {
        let mut ids = Ids::default();
        for id in ["10", "9", "18446744073709551616", "x", "9", "09"] {
            ids.insert(id);
        }
        let mut more = Ids::default();
        more.insert("x");
        more.insert("11");
        ids.add(more);
        assert_eq!(ids.iter().collect::<Vec<_>>(), ["9", "10", "11", "09", "18446744073709551616", "x"]);
        assert_eq!(ids.len(), 6);
        assert_eq!(ids.range(1..5).collect::<Vec<_>>(), ["10", "11", "09", "18446744073709551616"]);
        assert_eq!(ids.range(5..9).collect::<Vec<_>>(), ["x"]);
        assert_eq!(ids.range(1..2).collect::<Vec<_>>(), ["10"]);
        assert_eq!((ids.range(6..9).count(), ids.range(2..2).count()), (0, 0));
        let places: Vec<Option<u64>> = ids.iter().map(|id| ids.place(&id)).collect();
        assert_eq!(places, (0..6).map(Some).collect::<Vec<_>>());
        assert_eq!((ids.place("8"), ids.place("y")), (None, None));
        assert!(ids.contains("09") && ids.contains("10") && !ids.contains("010"));
    }

    #[test]
    fn a_number_is_written_in_one_way() {
        for (id, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("07", None),
            ("00", None),
            ("+7", None),
            ("7 ", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(number(id), expected, "{id}");
        }
    }
}
