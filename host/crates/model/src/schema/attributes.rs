//! What is known of a field or a schema beyond its type.
//!
//! Clones share one map until one of them is changed: a column passes through every stage of a plan, mostly as it is.

use std::{
    collections::{BTreeMap, btree_map},
    ops::{Deref, DerefMut},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::attribute;

/// Bytes of a label that are stored, at most: HubSpot's own are a line.
const LONGEST_LABEL: usize = 1 << 10;
/// Bytes of any other text that are stored, at most.
const LONGEST_VALUE: usize = 4 << 10;

/// Texts by the names of the contract's `ATTRIBUTES.md`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Attributes(Arc<BTreeMap<String, String>>);

impl Attributes {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is stored of them, in commits and in files: whole where sluice reads it back, and cut where people read it, since
    /// whoever made the text chose its length.
    #[must_use]
    pub fn stored(&self) -> Self {
        let is_short = |(name, value): (&String, &String)| value.len() <= longest(name);
        if self.0.iter().all(is_short) {
            return self.clone();
        }
        let cut = |(name, value): (&String, &String)| (name.clone(), cut(value, longest(name)));
        self.0.iter().map(cut).collect()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How many bytes are stored of the value of an attribute.
fn longest(name: &str) -> usize {
    match name {
        attribute::LABEL => LONGEST_LABEL,
        attribute::PROPERTY
        | attribute::KEY
        | attribute::REFERENCES
        | attribute::SEPARATOR
        | attribute::OBJECT_TYPE
        | attribute::UNPARSED_OF
        | attribute::SHARED_NAME
        | attribute::CALCULATED => usize::MAX,
        _ => LONGEST_VALUE,
    }
}

/// The beginning of a text that has so many bytes at most, with a sign that there is more.
fn cut(text: &str, most: usize) -> String {
    const MORE: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let (beginning, _) = text.split_at(text.floor_char_boundary(most - MORE.len()));
    format!("{beginning}{MORE}")
}

impl Deref for Attributes {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Attributes {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl From<BTreeMap<String, String>> for Attributes {
    fn from(map: BTreeMap<String, String>) -> Self {
        Self(Arc::new(map))
    }
}

impl From<Attributes> for BTreeMap<String, String> {
    fn from(attributes: Attributes) -> Self {
        Arc::unwrap_or_clone(attributes.0)
    }
}

impl<const N: usize> From<[(String, String); N]> for Attributes {
    fn from(pairs: [(String, String); N]) -> Self {
        BTreeMap::from(pairs).into()
    }
}

impl FromIterator<(String, String)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        pairs.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl<'a> IntoIterator for &'a Attributes {
    type Item = (&'a String, &'a String);
    type IntoIter = btree_map::Iter<'a, String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_that_is_changed_leaves_the_other_as_it_was() {
        let known = Attributes::from([("label".to_owned(), "E-mail".to_owned())]);
        let mut changed = known.clone();
        changed.insert("key".to_owned(), "true".to_owned());
        assert_eq!((known.len(), changed.len()), (1, 2));
    }

    #[test]
    fn what_is_stored_is_cut_unless_it_is_read_back() {
        let long = "ü".repeat(5000);
        let names = [attribute::LABEL, "note", attribute::REFERENCES, attribute::KEY];
        let known: Attributes = names.iter().map(|name| ((*name).to_owned(), long.clone())).collect();
        let stored = known.stored();
        let lengths = names.map(|name| stored[name].len());
        assert_eq!(lengths, [1023, 4095, 10_000, 10_000]);
        assert!(stored[attribute::LABEL].ends_with("ü…") && stored["note"].starts_with("ü"));
        let short = Attributes::from([(attribute::LABEL.to_owned(), "x".repeat(1024))]);
        assert_eq!(short.stored(), short);
    }
}
