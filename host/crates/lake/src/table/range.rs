//! Key ranges: between which keys the rows of a data file lie.
//!
//! A key is the values of a table's key columns, in the order of the columns. Integers have their own order; texts, that of
//! their length, and of their bytes where they are equally long: ids are texts, and so their order is that of the numbers
//! that they are. Only the order of the file's own writer counts, so this one stands for ever.

use std::cmp::Ordering;

/// One value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// Of an integer column.
    Integer(i64),
    /// Of a text column.
    Text(String),
}

/// The least and the greatest key of a file's rows; both are keys of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    least: Vec<KeyPart>,
    greatest: Vec<KeyPart>,
}

impl KeyRange {
    /// A range; `None` if these are no keys of one table, or the first comes after the second.
    pub fn new(least: Vec<KeyPart>, greatest: Vec<KeyPart>) -> Option<Self> {
        let same_kind = |(one, other): (&KeyPart, &KeyPart)| is_text(one) == is_text(other);
        let comparable = least.len() == greatest.len() && least.iter().zip(&greatest).all(same_kind);
        (comparable && !least.is_empty() && least <= greatest).then_some(Self { least, greatest })
    }

    /// The least key.
    pub fn least(&self) -> &[KeyPart] {
        &self.least
    }

    /// The greatest key.
    pub fn greatest(&self) -> &[KeyPart] {
        &self.greatest
    }

    /// Widens the range so that it covers another of the same table.
    pub fn cover(&mut self, other: Self) {
        if other.least < self.least {
            self.least = other.least;
        }
        if other.greatest > self.greatest {
            self.greatest = other.greatest;
        }
    }
}

/// The order of two texts in keys.
pub fn text_order(one: &str, other: &str) -> Ordering {
    (one.len(), one.as_bytes()).cmp(&(other.len(), other.as_bytes()))
}

impl Ord for KeyPart {
    /// The order of two values of one column. (One column has values of one kind.)
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => text_order(one, other),
            (one, other) => is_text(one).cmp(&is_text(other)),
        }
    }
}

impl PartialOrd for KeyPart {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn is_text(part: &KeyPart) -> bool {
    matches!(part, KeyPart::Text(_))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> KeyPart {
        KeyPart::Text(text.to_owned())
    }

    #[test]
    fn ids_are_in_the_order_of_their_numbers_and_the_first_column_counts_first() {
        let range = KeyRange::new(vec![text("0-1"), text("999")], vec![text("0-1"), text("1000")]).unwrap();
        let mut wider = range.clone();
        wider.cover(range.clone());
        assert_eq!(wider, range);
        wider.cover(KeyRange::new(vec![text("0-1"), text("98")], vec![text("0-2"), text("7")]).unwrap());
        assert_eq!((wider.least(), wider.greatest()), (&[text("0-1"), text("98")][..], &[text("0-2"), text("7")][..]));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (least, greatest) in [
            (vec![], vec![]),
            (vec![text("10")], vec![text("9")]),
            (vec![KeyPart::Integer(3)], vec![KeyPart::Integer(2)]),
            (vec![KeyPart::Integer(3)], vec![text("4")]),
            (vec![text("1")], vec![text("1"), text("2")]),
        ] {
            assert_eq!(KeyRange::new(least.clone(), greatest.clone()), None, "{least:?} to {greatest:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_written_as_texts_keep_their_order(one: u64, other: u64) {
            prop_assert_eq!(text(&one.to_string()).cmp(&text(&other.to_string())), one.cmp(&other));
        }
    }
}
