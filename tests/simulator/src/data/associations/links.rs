//! The links of a pair: computed once, when they are first asked for, and sorted both ways.
//!
//! A link follows from the seed, the pair and the record of its first type; the record at its other
//! end follows from how many there are, so a larger portal links differently. A few links name a
//! record that was merged away: one direction only.

use std::sync::OnceLock;

use super::super::Portal;
use super::super::ids::Section;
use super::super::object_type::ObjectType;
use super::super::random::{Draw, mix, salt};
use super::super::record::Record;
use super::definitions::{Definition, Direction};
use super::kinds::{Given, Pair};
use super::pairs::PAIRS;

/// One record in so many is linked to one that was merged away.
const GONE_ONE_IN: u64 = 97;
/// One link in so many is of a kind that only some are of.
const SOMETIMES_ONE_IN: u64 = 5;
/// The rank of the record that a crowd is linked to, as far as there are so many.
const PAYER_RANK: u64 = 7;
/// A crowd leaves at least one record in so many out, so that some have no link at all.
const NOT_IN_CROWD_ONE_IN: u64 = 10;

/// Sets the draws for links to merged records apart from the others.
const GONE: u64 = salt("gone");

/// How many records are linked to the payer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd(pub(crate) u64);

/// A link from one record to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) from: u64,
    pub(crate) to: u64,
    kinds: u16,
}

impl Link {
    /// What the link is, in no order that means anything: the primary kind is not always the first.
    pub(crate) fn definitions(self, direction: Direction) -> Vec<Definition> {
        let mut definitions = direction.noted(self.kinds);
        if !definitions.is_empty() {
            let turn = (mix(self.from ^ mix(self.to)) % definitions.len() as u64) as usize;
            definitions.rotate_left(turn);
        }
        definitions
    }

    fn reversed(self) -> Self {
        // The two bits of each kind change places.
        let kinds = (self.kinds & 0x5555) << 1 | (self.kinds & 0xAAAA) >> 1;
        Self { from: self.to, to: self.from, kinds }
    }
}

/// The links of all pairs, as far as they were asked for.
#[derive(Debug)]
pub(crate) struct Links {
    crowd: Crowd,
    indices: Vec<OnceLock<Index>>,
}

/// The links of one pair, each direction sorted by its records. A pair of a type with itself has all
/// in `there`.
#[derive(Debug, Default)]
struct Index {
    there: Vec<Link>,
    back: Vec<Link>,
}

impl Links {
    pub(crate) fn new(crowd: Crowd) -> Self {
        Self { crowd, indices: PAIRS.iter().map(|_| OnceLock::new()).collect() }
    }

    /// The links in a direction by the ids of their records: of live records only.
    pub(crate) fn all(&self, portal: &Portal, direction: Direction) -> &[Link] {
        let index = self.indices[direction.place].get_or_init(|| Index::of(portal, direction.pair, self.crowd));
        if direction.is_back { &index.back } else { &index.there }
    }

    /// The links of one record whose other end comes behind `after`.
    pub(crate) fn of(&self, portal: &Portal, direction: Direction, from: u64, after: u64) -> &[Link] {
        let all = self.all(portal, direction);
        let begin = all.partition_point(|link| (link.from, link.to) <= (from, after));
        let end = all.partition_point(|link| link.from <= from);
        &all[begin.min(end)..end]
    }
}

impl Index {
    fn of(portal: &Portal, pair: &'static Pair, crowd: Crowd) -> Self {
        let known = |type_id| portal.find_type(type_id).expect("pairs are made of types that the portal has");
        let (one, other) = (known(pair.one), known(pair.other));
        let maker = Maker::new(pair, one, other, crowd);
        let mut there = Vec::new();
        for record in one.records(portal, Section::Live, None) {
            maker.append(&record, &mut there);
        }
        let mut back: Vec<Link> = there.iter().map(|link| link.reversed()).collect();
        if pair.one == pair.other {
            there.append(&mut back);
            maker.append_gone(portal, one, other, false, &mut there);
            return Self { there: sorted(there), back };
        }
        maker.append_gone(portal, one, other, false, &mut there);
        maker.append_gone(portal, other, one, true, &mut back);
        Self { there: sorted(there), back: sorted(back) }
    }
}

/// By their records, one link for each two of them, of all the kinds that were given to it.
fn sorted(mut links: Vec<Link>) -> Vec<Link> {
    links.sort_unstable_by_key(|link| (link.from, link.to));
    links.dedup_by(|later, kept| {
        let same = (later.from, later.to) == (kept.from, kept.to);
        if same {
            kept.kinds |= later.kinds;
        }
        same
    });
    links
}

/// What decides about the links of a pair.
struct Maker<'a> {
    pair: &'static Pair,
    salt: u64,
    other: &'a ObjectType,
    /// The record that a crowd is linked to, and how many of how many records are in the crowd.
    payer: Option<(u64, u64, u64)>,
}

impl<'a> Maker<'a> {
    fn new(pair: &'static Pair, one: &ObjectType, other: &'a ObjectType, Crowd(crowd): Crowd) -> Self {
        let live = one.live();
        let size = crowd.min(live - live.div_ceil(NOT_IN_CROWD_ONE_IN));
        let payer = (pair.crowded && other.live() > 0)
            .then(|| nth_live(other, PAYER_RANK % other.live()))
            .flatten()
            .map(|id| (id, size, live));
        Self { pair, salt: salt(pair.one) ^ mix(salt(pair.other)), other, payer }
    }

    /// Appends the links that start from a record of the first type.
    fn append(&self, record: &Record<'_>, links: &mut Vec<Link>) {
        let mut draw = Draw::new(mix(record.key() ^ self.salt));
        let from = record.id();
        let mut link = |to: u64, given: &[Given], draw: &mut Draw| {
            if from != to || self.pair.one != self.pair.other {
                links.push(Link { from, to, kinds: self.kinds(given, draw) });
            }
        };
        let mut first: &[Given] = &[Given::Always, Given::First];
        if let Some(name) = self.pair.named_by {
            if let Some(to) = named(record, name) {
                link(to, first, &mut draw);
            }
            first = &[Given::Always];
        }
        if draw.below(100) < self.pair.percent {
            for _ in 0..=draw.below(self.pair.most) {
                if let Some(to) = nth_live(self.other, draw.below(self.other.live())) {
                    link(to, first, &mut draw);
                    first = &[Given::Always];
                }
            }
        }
        if let Some((payer, size, live)) = self.payer {
            // Spread evenly over the records.
            let (rank, next) = (record.rank(), record.rank() + 1);
            if rank * size / live != next * size / live {
                link(payer, &[Given::Always], &mut draw);
            }
        }
    }

    /// The bits of a link that is of the kinds given so, and perhaps of some that only some are of.
    fn kinds(&self, given: &[Given], draw: &mut Draw) -> u16 {
        let mut bits = 0;
        for (place, kind) in self.pair.kinds.iter().enumerate() {
            let sometimes = kind.given == Given::Sometimes && draw.below(SOMETIMES_ONE_IN) == 0;
            if sometimes || given.contains(&kind.given) {
                bits |= Pair::bit(place, false);
            }
        }
        bits
    }

    /// Appends the links that name records which were merged away.
    fn append_gone(&self, portal: &Portal, from: &ObjectType, to: &ObjectType, is_back: bool, links: &mut Vec<Link>) {
        if self.pair.percent == 0 {
            return;
        }
        for record in from.records(portal, Section::Live, None) {
            let mut draw = Draw::new(mix(record.key() ^ self.salt ^ GONE));
            if draw.below(GONE_ONE_IN) == 0
                && let Some(position) = to.layout().merged(draw.next())
            {
                links.push(Link { from: record.id(), to: to.layout().id(position), kinds: Pair::bit(0, is_back) });
            }
        }
    }
}

fn nth_live(object_type: &ObjectType, rank: u64) -> Option<u64> {
    object_type.layout().nth(Section::Live, rank).map(|position| object_type.layout().id(position))
}

/// The record that a property names.
fn named(record: &Record<'_>, property: &str) -> Option<u64> {
    let (_, property) = record.object_type().property(property)?;
    let mut text = String::new();
    record.append_value(property, &mut text).then_some(())?;
    text.parse().ok()
}
