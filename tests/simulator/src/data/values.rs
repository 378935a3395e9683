//! How values are made: one recipe a property, one hash a value.
//!
//! HubSpot sends every value as text, or null. [`append`] writes that raw text; the API and the truth
//! files both start from it.
//!
//! The ordinary recipes give ordinary business data. The troubled ones ([`awkward`]) give what real
//! portals hold besides: numbers that are no numbers, dates in three notations, text that breaks
//! naive readers. The prose recipes ([`prose`]) plant personal data at known places, so that a
//! plugin which scrubs text has something to find, and near misses to leave alone.
//!
//! Everything is made up: e-mail addresses lie under `.example`, phone numbers in the ranges kept for
//! fiction, card numbers carry test prefixes.

mod awkward;
mod prose;

use std::fmt::Write;

use super::Portal;
use super::clock;
use super::property::Property;
use super::random::{Draw, mix, salt};
use super::record::Record;
use super::words::{self, Name};

/// Mixed into a record's key for the draws that several properties must agree on.
const PERSON: u64 = salt("person");
const PIPELINE: u64 = salt("pipeline");

/// One live record in so many is flagged `do_not_sync`: rounded down, at most 1.6 % of any portal.
pub(crate) const DO_NOT_SYNC_ONE_IN: u64 = 64;

/// Of a hundred empty values, how many are an empty text; the others are null. Both mean cleared.
const EMPTY_TEXTS_PERCENT: u64 = 25;

/// How the value of a property comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// Always null.
    Nothing,
    ObjectId,
    CreatedAt,
    ModifiedAt,
    /// The ids of the records merged into this one, joined by `;`.
    MergedIds,
    GivenName,
    FamilyName,
    EmailAddress,
    /// A name of a company, and the domain that goes with it.
    CompanyName,
    Website,
    /// The domain without the address around it.
    Domain,
    /// A phone number as people type it, in several notations.
    Phone,
    /// A phone number as HubSpot normalises it: digits with a country code.
    NormalizedPhone,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A pattern in which `#` becomes a digit and `@` a capital letter.
    Code(&'static str),
    StreetAddress,
    /// Five digits, leading zeros included.
    PostalCode,
    /// One of the property's choices.
    OneChoice,
    /// Between none and three of the property's choices, joined by `;`.
    SeveralChoices,
    /// `true` in so many records of a hundred.
    Flag(u8),
    /// `true` in one live record of [`DO_NOT_SYNC_ONE_IN`].
    DoNotSync,
    Whole(i64, i64),
    /// A decimal number between two bounds given in cents.
    Cents(i64, i64),
    /// A share between 0 and 1 with up to sixteen digits.
    Ratio,
    /// A whole number beyond 2^53, which a double cannot hold.
    BeyondDouble,
    /// A day between the starts of two years.
    Day(i64, i64),
    /// An instant after the record's creation.
    Instant,
    /// Numbers, and what people typed into a field before it became a number.
    TroubledNumber,
    TroubledDay,
    TroubledInstant,
    /// Text that breaks naive readers.
    TroubledText,
    /// The id of an owner, now and then an archived one.
    Owner,
    /// The id of a live record of the type with this name.
    Reference(&'static str),
    /// The pipeline, and the stage in it.
    Pipeline,
    Stage,
    /// A short remark without personal data.
    Remark,
    /// A call note with planted personal data.
    CallNote,
    /// A clinical note.
    ClinicalNote,
    Html,
    Coordinates,
    Settings,
}

/// Appends the raw text of `property` in `record`. False, with nothing appended, where it is null.
pub(crate) fn append(record: &Record<'_>, property: &Property, text: &mut String) -> bool {
    let mut draw = Draw::new(record.key() ^ property.salt);
    if property.filled < 100 && draw.below(100) >= u64::from(property.filled) {
        return draw.below(100) < EMPTY_TEXTS_PERCENT;
    }
    append_drawn(record, property, draw, text)
}

/// Appends a raw text for `property` in `record`, even where the record has none. False where the property never has one.
pub(crate) fn append_some(record: &Record<'_>, property: &Property, text: &mut String) -> bool {
    append_drawn(record, property, Draw::new(record.key() ^ property.salt), text)
}

fn append_drawn(record: &Record<'_>, property: &Property, mut draw: Draw, text: &mut String) -> bool {
    match property.recipe {
        Recipe::Nothing => return false,
        Recipe::ObjectId => append_number(record.id(), text),
        Recipe::CreatedAt => clock::append_instant(record.created(), text),
        Recipe::ModifiedAt => clock::append_instant(record.modified(), text),
        Recipe::MergedIds => {
            let start = text.len();
            for loser in record.merged_ids() {
                if text.len() > start {
                    text.push(';');
                }
                append_number(loser, text);
            }
            return text.len() > start;
        }
        Recipe::GivenName => text.push_str(given_name(record).written),
        Recipe::FamilyName => text.push_str(family_name(record).written),
        Recipe::EmailAddress => append_email(record, text),
        Recipe::CompanyName => append_company(record, text),
        Recipe::Website => {
            text.push_str("https://www.");
            append_domain(record, text);
        }
        Recipe::Domain => append_domain(record, text),
        Recipe::Phone => append_phone(&mut draw, text),
        Recipe::NormalizedPhone => {
            text.push_str("+1");
            append_pattern(draw.pick(words::AREA_CODES), &mut draw, text);
            append_pattern("55501##", &mut draw, text);
        }
        Recipe::Word(choices) => text.push_str(draw.pick(choices)),
        Recipe::Code(pattern) => append_pattern(pattern, &mut draw, text),
        Recipe::StreetAddress => append_address(&mut draw, text),
        Recipe::PostalCode => append_pattern("0####", &mut draw, text),
        Recipe::OneChoice => {
            let Some(choice) = property.choices.get(draw.index(&property.choices)) else {
                return false;
            };
            text.push_str(&choice.value);
        }
        Recipe::SeveralChoices => return append_several(property, &mut draw, text),
        Recipe::Flag(percent) => text.push_str(bool_text(draw.below(100) < u64::from(percent))),
        Recipe::DoNotSync => text.push_str(bool_text(record.rank() % DO_NOT_SYNC_ONE_IN == DO_NOT_SYNC_ONE_IN - 1)),
        Recipe::Whole(low, high) => put(text, format_args!("{}", draw.between(low, high))),
        Recipe::Cents(low, high) => append_cents(draw.between(low, high), text),
        Recipe::Ratio => put(text, format_args!("0.{:016}", draw.below(10_000_000_000_000_000))),
        Recipe::BeyondDouble => append_number((1 << 53) + 1 + draw.below(1 << 60), text),
        Recipe::Day(first, last) => append_day(&mut draw, first, last, text),
        Recipe::Instant => clock::append_instant(later_instant(record, &mut draw), text),
        Recipe::TroubledNumber => awkward::append_number(&mut draw, text),
        Recipe::TroubledDay => awkward::append_day(&mut draw, text),
        Recipe::TroubledInstant => awkward::append_instant(record, &mut draw, text),
        Recipe::TroubledText => awkward::append_text(record, &mut draw, text),
        Recipe::Owner => append_number(record.portal().any_owner(draw.next()).id, text),
        Recipe::Reference(to) => {
            let Some(id) = record.portal().any_live_id(to, draw.next()) else { return false };
            append_number(id, text);
        }
        Recipe::Pipeline | Recipe::Stage => {
            let Some((pipeline, stage)) = Portal::any_stage(record.object_type(), mix(record.key() ^ PIPELINE)) else {
                return false;
            };
            text.push_str(if property.recipe == Recipe::Pipeline { &pipeline.id } else { &stage.id });
        }
        Recipe::Remark => text.push_str(draw.pick(words::REMARKS)),
        Recipe::CallNote => prose::append_call_note(record, &mut draw, text),
        Recipe::ClinicalNote => prose::append_clinical_note(record, &mut draw, text),
        Recipe::Html => prose::append_html(record, &mut draw, text),
        Recipe::Coordinates => {
            let (latitude, longitude) = (draw.between(-8_999, 8_999), draw.between(-17_999, 17_999));
            put(text, format_args!(r#"{{"latitude":{},"longitude":{}}}"#, Cents(latitude), Cents(longitude)));
        }
        Recipe::Settings => {
            let (frequency, topics) = (draw.pick(words::FREQUENCIES), draw.below(5));
            put(text, format_args!(r#"{{"frequency":"{frequency}","topics":{topics},"quiet":{{"from":22,"to":7}}}}"#));
        }
    }
    true
}

pub(crate) fn append_number(number: u64, text: &mut String) {
    put(text, format_args!("{number}"));
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn person(record: &Record<'_>) -> Draw {
    Draw::new(record.key() ^ PERSON)
}

fn given_name(record: &Record<'_>) -> Name {
    person(record).pick(words::GIVEN_NAMES)
}

fn family_name(record: &Record<'_>) -> Name {
    let mut draw = person(record);
    draw.next();
    draw.pick(words::FAMILY_NAMES)
}

/// Unique, since it carries the record's id.
fn append_email(record: &Record<'_>, text: &mut String) {
    let (given, family) = (given_name(record).plain, family_name(record).plain);
    put(text, format_args!("{given}.{family}.{}@", record.id()));
    append_domain(record, text);
}

fn company(record: &Record<'_>) -> (&'static str, &'static str) {
    let mut draw = person(record);
    draw.next();
    draw.next();
    (draw.pick(words::COMPANY_STEMS), draw.pick(words::COMPANY_KINDS))
}

fn append_company(record: &Record<'_>, text: &mut String) {
    let (stem, kind) = company(record);
    put(text, format_args!("{stem} {kind}"));
}

fn append_domain(record: &Record<'_>, text: &mut String) {
    text.extend(company(record).0.chars().map(|letter| letter.to_ascii_lowercase()));
    text.push_str(".example");
}

fn append_phone(draw: &mut Draw, text: &mut String) {
    let area = draw.pick(words::AREA_CODES);
    let line = format_args!("{:02}", draw.below(100)).to_string();
    match draw.below(5) {
        0 => put(text, format_args!("({area}) 555-01{line}")),
        1 => put(text, format_args!("{area}-555-01{line}")),
        2 => put(text, format_args!("+1 {area} 555 01{line}")),
        3 => put(text, format_args!("{area}.555.01{line}")),
        _ => put(text, format_args!("+44 20 7946 0{line}1")),
    }
}

/// `#` becomes a digit, `@` a capital letter, all else stays.
fn append_pattern(pattern: &str, draw: &mut Draw, text: &mut String) {
    text.extend(pattern.chars().map(|letter| match letter {
        '#' => char::from(b'0' + draw.below(10) as u8),
        '@' => char::from(b'A' + draw.below(26) as u8),
        other => other,
    }));
}

fn append_address(draw: &mut Draw, text: &mut String) {
    let (number, street) = (1 + draw.below(9_999), draw.pick(words::STREETS));
    put(text, format_args!("{number} {street}"));
    match draw.below(8) {
        0 => put(text, format_args!("\nSuite {}, \"North\" wing", draw.below(900))),
        1 => put(text, format_args!(", Apt. #{}", draw.below(90))),
        _ => {}
    }
}

fn append_several(property: &Property, draw: &mut Draw, text: &mut String) -> bool {
    let wanted = draw.below(4) as usize;
    let first = draw.index(&property.choices);
    for (index, choice) in
        property.choices.iter().cycle().skip(first).take(wanted.min(property.choices.len())).enumerate()
    {
        if index > 0 {
            text.push(';');
        }
        text.push_str(&choice.value);
    }
    wanted > 0
}

/// A number of cents, shown as a decimal number.
struct Cents(i64);

impl std::fmt::Display for Cents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, cents) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        write!(formatter, "{sign}{whole}.{cents:02}")
    }
}

/// HubSpot sends whole amounts without a fraction.
fn append_cents(cents: i64, text: &mut String) {
    if cents % 100 == 0 {
        put(text, format_args!("{}", cents / 100));
    } else {
        put(text, format_args!("{}", Cents(cents)));
    }
}

fn append_day(draw: &mut Draw, first_year: i64, last_year: i64, text: &mut String) {
    let (year, month, day) = (draw.between(first_year, last_year), 1 + draw.below(12), 1 + draw.below(28));
    put(text, format_args!("{year:04}-{month:02}-{day:02}"));
}

/// Not later than the simulated present.
fn later_instant(record: &Record<'_>, draw: &mut Draw) -> i64 {
    record.created() + draw.below((clock::NOW - record.created()) as u64) as i64
}
