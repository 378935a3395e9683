//! The order of hits.

use std::cmp::{Ordering, Reverse};

use super::super::answer::Refusal;
use super::super::auth::Token;
use super::filter::{Kind, Scratch, Subject};
use super::request::SearchRequest;
use crate::data::object_type::ObjectType;
use crate::data::record::Record;

/// What hits are sorted by. Ties, and everything where nothing is asked for, go by creation, oldest
/// first, which is also the order of ids.
#[derive(Debug)]
pub(super) struct Order<'a>(Option<(Subject<'a>, bool)>);

impl<'a> Order<'a> {
    pub(super) fn new(object_type: &'a ObjectType, request: &SearchRequest, token: &Token) -> Result<Self, Refusal> {
        let Some((name, descending)) = request.sort()? else { return Ok(Self(None)) };
        Ok(Self(Some((Subject::new(object_type, name, token)?, descending))))
    }

    /// The order of creation, if it is that: whether the newest comes first.
    pub(super) fn by_creation(&self) -> Option<bool> {
        match self.0 {
            None | Some((Subject::Id | Subject::Created, false)) => Some(false),
            // Of what was created at one time the oldest comes first all the same.
            Some((Subject::Id, true)) => Some(true),
            Some(_) => None,
        }
    }

    pub(super) fn place<'r>(&self, record: Record<'r>, scratch: &mut Scratch) -> Hit<'r> {
        let key = match self.0 {
            None => Key::Missing,
            Some((subject, descending)) => match subject.kind() {
                Kind::Number | Kind::Time => match subject.number(&record, scratch) {
                    None => Key::Missing,
                    Some(number) => Key::Number(if descending { -number } else { number }),
                },
                Kind::Exact | Kind::Folded => match subject.text(&record, scratch) {
                    None => Key::Missing,
                    Some(text) if descending => Key::Descending(Reverse(text.to_lowercase())),
                    Some(text) => Key::Ascending(text.to_lowercase()),
                },
            },
        };
        Hit { key, record }
    }
}

/// A record with its place: a smaller hit comes first.
#[derive(Debug)]
pub(super) struct Hit<'r> {
    key: Key,
    pub(super) record: Record<'r>,
}

#[derive(Debug)]
enum Key {
    Number(f64),
    Ascending(String),
    Descending(Reverse<String>),
    /// Comes last in either direction.
    Missing,
}

impl Key {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => one.total_cmp(two),
            (Self::Ascending(one), Self::Ascending(two)) => one.cmp(two),
            (Self::Descending(one), Self::Descending(two)) => one.cmp(two),
            (Self::Missing, Self::Missing) => Ordering::Equal,
            (Self::Missing, _) => Ordering::Greater,
            // The keys of one search are all of one kind, or missing.
            _ => Ordering::Less,
        }
    }
}

impl Ord for Hit<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.compare(&other.key).then_with(|| self.record.id().cmp(&other.record.id()))
    }
}

impl PartialOrd for Hit<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Hit<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Hit<'_> {}
