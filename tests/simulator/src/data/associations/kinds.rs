//! What a kind of link is made of: a category, and for each direction a number, a name and a label.

/// Who defined a kind of link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    HubSpot,
    User,
    Integrator,
}

/// A kind of link as one direction of it calls it.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) type_id: u32,
    pub(super) name: &'static str,
    pub(super) label: Option<&'static str>,
    /// How many records one record may be linked to in this way, where the account set a limit.
    pub(super) limit: Option<u32>,
}

/// Which links of a pair are of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Every link.
    Always,
    /// The link to the record that comes first: the one that a property names, where the pair has such a property.
    First,
    /// Some links.
    Sometimes,
}

/// A kind of link, seen from both sides.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) category: Category,
    pub(super) given: Given,
    pub(super) there: End,
    pub(super) back: End,
}

/// Two types that can be linked, and how their links come about: from the records of `one`.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) one: &'static str,
    pub(super) other: &'static str,
    /// The property of `one` that names the first record it is linked to.
    pub(super) named_by: Option<&'static str>,
    /// Of a hundred records of `one`, how many have links besides.
    pub(super) percent: u64,
    /// The most links that such a record has.
    pub(super) most: u64,
    /// Whether a crowd is linked to one record of `other`.
    pub(super) crowded: bool,
    /// The first kind is given to every link. At most [`MOST_KINDS`].
    pub(super) kinds: &'static [Kind],
}

/// So many kinds a pair can have: a link notes them as two bits each, of sixteen.
pub(super) const MOST_KINDS: usize = 8;

impl Pair {
    /// The bit that notes a kind: even ones for the direction from `one`, odd ones for the way back.
    pub(super) fn bit(kind: usize, is_back: bool) -> u16 {
        debug_assert!(kind < MOST_KINDS);
        1 << (2 * kind + usize::from(is_back))
    }
}

/// The label of the one record that HubSpot shows first.
pub(super) const PRIMARY: &str = "Primary";

const fn end((type_id, name): (u32, &'static str), label: Option<&'static str>) -> End {
    End { type_id, name, label, limit: None }
}

/// HubSpot's kind without a label.
pub(super) const fn plain(there: (u32, &'static str), back: (u32, &'static str)) -> Kind {
    Kind { category: Category::HubSpot, given: Given::Always, there: end(there, None), back: end(back, None) }
}

pub(super) const fn primary(there: (u32, &'static str), back: (u32, &'static str)) -> Kind {
    Kind {
        category: Category::HubSpot,
        given: Given::First,
        there: end(there, Some(PRIMARY)),
        back: end(back, Some(PRIMARY)),
    }
}

/// A kind of the portal's own: its name, and for each direction the number and the label.
pub(super) const fn labelled(name: &'static str, there: (u32, &'static str), back: (u32, &'static str)) -> Kind {
    Kind {
        category: Category::User,
        given: Given::Sometimes,
        there: end((there.0, name), Some(there.1)),
        back: end((back.0, name), Some(back.1)),
    }
}

impl Kind {
    pub(super) const fn limited(mut self, there: Option<u32>, back: Option<u32>) -> Self {
        self.there.limit = there;
        self.back.limit = back;
        self
    }

    pub(super) const fn by(mut self, category: Category, given: Given) -> Self {
        self.category = category;
        self.given = given;
        self
    }
}

pub(super) const fn pair(
    one: &'static str,
    other: &'static str,
    (percent, most): (u64, u64),
    kinds: &'static [Kind],
) -> Pair {
    Pair { one, other, named_by: None, percent, most, crowded: false, kinds }
}

/// A pair with a custom type has a plain kind of the portal's own.
pub(super) const fn custom(there: (u32, &'static str), back: (u32, &'static str)) -> Kind {
    plain(there, back).by(Category::User, Given::Always)
}
