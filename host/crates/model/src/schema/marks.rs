//! The sensitivity markings of a column.
//!
//! Clones share one set until one of them is changed: what a plugin computes carries the marks of all that it reads, so in a
//! plan hundreds of columns have the same.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, btree_set},
    fmt,
    ops::{BitOr, Deref, DerefMut, Sub},
    str::FromStr,
    sync::Arc,
};

use crate::printable::printable;

/// A sensitivity marking: `sensitive`, `phi`, `secret`, … One to 64 of `[a-z0-9_]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(Arc<str>);

impl Mark {
    /// HubSpot's lower level of sensitive data.
    pub const SENSITIVE: &str = "sensitive";
    /// HubSpot's higher level of sensitive data.
    pub const HIGHLY_SENSITIVE: &str = "highly_sensitive";

    const LONGEST: usize = 64;

    /// The mark as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot be a mark, made printable.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no mark: a mark is 1 to 64 of the characters `a-z`, `0-9` and `_`")]
pub struct NotAMark(String);

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let fits = (1..=Self::LONGEST).contains(&text.len());
        let legal = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if fits && legal { Ok(Self(text.into())) } else { Err(NotAMark(printable(text, 2 * Self::LONGEST))) }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A set of marks. Empty: nothing is known to be sensitive.
#[derive(Debug, Clone, Default)]
pub struct Marks(Option<Arc<BTreeSet<Mark>>>);

impl Marks {
    /// No marks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds all of these.
    pub fn add(&mut self, more: &Self) {
        if self.is_empty() {
            self.clone_from(more);
        } else if !more.is_subset(self) {
            self.extend(more.iter().cloned());
        }
    }
}

impl Deref for Marks {
    type Target = BTreeSet<Mark>;

    fn deref(&self) -> &BTreeSet<Mark> {
        static NONE: BTreeSet<Mark> = BTreeSet::new();
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Marks {
    fn deref_mut(&mut self) -> &mut BTreeSet<Mark> {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl PartialEq for Marks {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Marks {}

impl PartialOrd for Marks {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Marks {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<const N: usize> From<[Mark; N]> for Marks {
    fn from(marks: [Mark; N]) -> Self {
        marks.into_iter().collect()
    }
}

impl FromIterator<Mark> for Marks {
    fn from_iter<I: IntoIterator<Item = Mark>>(marks: I) -> Self {
        let marks: BTreeSet<Mark> = marks.into_iter().collect();
        Self((!marks.is_empty()).then(|| Arc::new(marks)))
    }
}

impl<'a> IntoIterator for &'a Marks {
    type Item = &'a Mark;
    type IntoIter = btree_set::Iter<'a, Mark>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Marks {
    type Item = Mark;
    type IntoIter = btree_set::IntoIter<Mark>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.map(Arc::unwrap_or_clone).unwrap_or_default().into_iter()
    }
}

impl BitOr for &Marks {
    type Output = Marks;

    fn bitor(self, other: &Marks) -> Marks {
        let mut all = self.clone();
        all.add(other);
        all
    }
}

impl Sub for &Marks {
    type Output = Marks;

    fn sub(self, other: &Marks) -> Marks {
        self.difference(other).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_the_same_by_what_is_in_them() {
        let [phi, secret]: [Mark; 2] = ["phi", "secret"].map(|mark| mark.parse().unwrap());
        let mut emptied = Marks::from([phi.clone()]);
        let kept = emptied.clone();
        emptied.remove(&phi);
        assert_eq!((&emptied, &kept), (&Marks::new(), &Marks::from([phi.clone()])));
        let both = &kept | &Marks::from([secret.clone()]);
        assert_eq!((both.len(), &both - &kept), (2, Marks::from([secret])));
        assert!(Marks::new() < kept && kept.cmp(&emptied).is_gt());
    }
}
