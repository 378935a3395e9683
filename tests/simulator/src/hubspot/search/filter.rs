//! Whether a record is a hit.
//!
//! Numbers and times are compared as numbers (times in milliseconds), enumerations and booleans as
//! they are, other text without regard to case, since HubSpot's index holds it in lower case.
//! A record without a value for a property is a hit of `NOT_HAS_PROPERTY` alone.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::answer::Refusal;
use super::super::auth::Token;
use super::request::{Filter, Operator, SearchRequest};
use crate::data::object_type::ObjectType;
use crate::data::property::{Property, Sensitivity, ValueType};
use crate::data::record::Record;

/// A time filter below one second after 1970 fails inside HubSpot.
const EARLIEST_TIME_FILTER_MS: f64 = 1_000.0;

/// A buffer for values, to use again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch(String);

/// What makes a record a hit: one of several groups of filters.
#[derive(Debug)]
pub(super) struct Conditions<'a>(Vec<Vec<Condition<'a>>>);

impl<'a> Conditions<'a> {
    pub(super) fn new(object_type: &'a ObjectType, request: &SearchRequest, token: &Token) -> Result<Self, Refusal> {
        let group = |filters: &[Filter]| {
            filters.iter().map(|filter| Condition::new(object_type, filter, token)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self(request.groups()?.into_iter().map(group).collect::<Result<_, _>>()?))
    }

    /// Whether every record is a hit.
    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn hold(&self, record: &Record<'_>, scratch: &mut Scratch) -> bool {
        self.are_none() || self.0.iter().any(|group| group.iter().all(|condition| condition.holds(record, scratch)))
    }

    /// The lowest and the highest id that can be a hit.
    pub(super) fn id_bounds(&self) -> (u64, u64) {
        let bounds = self.0.iter().map(|group| {
            group.iter().fold((0, u64::MAX), |(low, high), condition| {
                let (lowest, highest) = condition.id_bounds();
                (low.max(lowest), high.min(highest))
            })
        });
        bounds.reduce(|(low, high), (lowest, highest)| (low.min(lowest), high.max(highest))).unwrap_or((0, u64::MAX))
    }
}

/// A property that can be searched by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    Id,
    Created,
    Modified,
    Other(&'a Property),
}

impl<'a> Subject<'a> {
    pub(super) fn new(object_type: &'a ObjectType, name: &str, token: &Token) -> Result<Self, Refusal> {
        let Some((_, property)) = object_type.property(name).filter(|(_, property)| !property.archived) else {
            return Err(Refusal::Invalid(format!(
                "There was a problem with the request: property {name} does not exist."
            )));
        };
        if property.sensitivity == Sensitivity::HighlySensitive {
            return Err(Refusal::Invalid(format!("Property {name} is highly sensitive and cannot be searched.")));
        }
        if property.sensitivity == Sensitivity::Sensitive {
            token.require_one_of(object_type.scopes().sensitive(property.sensitivity))?;
        }
        let (created, modified) = object_type.time_names();
        Ok(match name {
            "hs_object_id" => Self::Id,
            name if name == created => Self::Created,
            name if name == modified => Self::Modified,
            _ => Self::Other(property),
        })
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Id => Kind::Number,
            Self::Created | Self::Modified => Kind::Time,
            Self::Other(property) => match property.value_type {
                ValueType::Number => Kind::Number,
                ValueType::Date | ValueType::DateTime => Kind::Time,
                ValueType::Bool | ValueType::Enumeration => Kind::Exact,
                ValueType::String | ValueType::PhoneNumber | ValueType::ObjectCoordinates | ValueType::Json => {
                    Kind::Folded
                }
            },
        }
    }

    /// The value as a number, if it is one.
    pub(super) fn number(self, record: &Record<'_>, scratch: &mut Scratch) -> Option<f64> {
        match self {
            Self::Id => Some(record.id() as f64),
            Self::Created => Some(record.created() as f64),
            Self::Modified => Some(record.modified() as f64),
            Self::Other(_) => self.kind().parse(self.text(record, scratch)?),
        }
    }

    /// The value as text, if there is one.
    pub(super) fn text<'s>(self, record: &Record<'_>, scratch: &'s mut Scratch) -> Option<&'s str> {
        scratch.0.clear();
        match self {
            Self::Id => scratch.0.push_str(&record.id().to_string()),
            Self::Created => scratch.0.push_str(&record.created().to_string()),
            Self::Modified => scratch.0.push_str(&record.modified().to_string()),
            Self::Other(property) => {
                record.append_value(property, &mut scratch.0);
            }
        }
        Some(scratch.0.as_str()).filter(|text| !text.is_empty())
    }
}

/// How values of a property compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    /// Milliseconds since 1970.
    Time,
    /// Text, as it is.
    Exact,
    /// Text, in lower case.
    Folded,
}

impl Kind {
    /// The number that a text means. Times are milliseconds since 1970, or ISO 8601.
    fn parse(self, text: &str) -> Option<f64> {
        let text = text.trim();
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        if self != Self::Time || number.is_some() {
            return number;
        }
        let instant = text.parse::<Timestamp>().ok().or_else(|| {
            let midnight = text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
            Some(midnight.timestamp())
        })?;
        Some(instant.as_millisecond() as f64)
    }
}

/// One filter, ready to be asked.
#[derive(Debug)]
struct Condition<'a> {
    subject: Subject<'a>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    HasValue(bool),
    Within(RangeInclusive<f64>),
    Below(f64),
    Above(f64),
    NumberIn { numbers: Vec<f64>, wanted: bool },
    TextIn { texts: Vec<String>, wanted: bool, fold: bool },
    Token { pattern: String, wanted: bool },
}

impl<'a> Condition<'a> {
    fn new(object_type: &'a ObjectType, filter: &Filter, token: &Token) -> Result<Self, Refusal> {
        let name = filter.property_name.as_str();
        if name.starts_with("associations.") {
            return Err(Refusal::NotSimulated("filters by association"));
        }
        let subject = Subject::new(object_type, name, token)?;
        let kind = subject.kind();
        let numeric = matches!(kind, Kind::Number | Kind::Time);
        let missing = |field: &str| Refusal::Invalid(format!("The filter on {name} needs {field}."));
        let value = || filter.value.as_deref().ok_or_else(|| missing("a value"));
        let number = |text: &str| {
            let parsed = kind.parse(text).filter(|_| numeric);
            let parsed = parsed.ok_or_else(|| Refusal::Invalid(format!("{text} is not a value for {name}.")))?;
            if kind == Kind::Time && (0.0..EARLIEST_TIME_FILTER_MS).contains(&parsed) {
                return Err(Refusal::ServerError);
            }
            Ok(parsed)
        };
        let fold = kind == Kind::Folded;
        let folded = |text: &str| if fold { text.to_lowercase() } else { text.to_owned() };
        let among = |texts: &[&str], wanted: bool| {
            if numeric {
                let numbers = texts.iter().map(|text| number(text)).collect::<Result<_, _>>()?;
                Ok(Test::NumberIn { numbers, wanted })
            } else {
                Ok(Test::TextIn { texts: texts.iter().map(|text| (*text).to_owned()).collect(), wanted, fold })
            }
        };
        let values = || {
            let values = filter.values.as_ref().ok_or_else(|| missing("values"))?;
            Ok::<_, Refusal>(values.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let test = match filter.operator {
            Operator::HasProperty => Test::HasValue(true),
            Operator::NotHasProperty => Test::HasValue(false),
            Operator::Eq => among(&[folded(value()?).as_str()], true)?,
            Operator::Neq => among(&[folded(value()?).as_str()], false)?,
            // The values of a list are compared as they are sent, so that upper case finds nothing.
            Operator::In => among(&values()?, true)?,
            Operator::NotIn => among(&values()?, false)?,
            Operator::Lt => Test::Below(number(value()?)?),
            Operator::Gt => Test::Above(number(value()?)?),
            Operator::Lte => Test::Within(f64::NEG_INFINITY..=number(value()?)?),
            Operator::Gte => Test::Within(number(value()?)?..=f64::INFINITY),
            Operator::Between => {
                let high = filter.high_value.as_deref().ok_or_else(|| missing("a highValue"))?;
                Test::Within(number(value()?)?..=number(high)?)
            }
            Operator::ContainsToken => Test::Token { pattern: value()?.to_lowercase(), wanted: true },
            Operator::NotContainsToken => Test::Token { pattern: value()?.to_lowercase(), wanted: false },
        };
        Ok(Self { subject, test })
    }

    fn holds(&self, record: &Record<'_>, scratch: &mut Scratch) -> bool {
        let subject = self.subject;
        match &self.test {
            Test::HasValue(wanted) => subject.text(record, scratch).is_some() == *wanted,
            Test::Within(range) => subject.number(record, scratch).is_some_and(|number| range.contains(&number)),
            Test::Below(bound) => subject.number(record, scratch).is_some_and(|number| number < *bound),
            Test::Above(bound) => subject.number(record, scratch).is_some_and(|number| number > *bound),
            Test::NumberIn { numbers, wanted } => subject
                .number(record, scratch)
                .is_some_and(|number| numbers.iter().any(|one| one.total_cmp(&number).is_eq()) == *wanted),
            Test::TextIn { texts, wanted, fold } => subject.text(record, scratch).is_some_and(|text| {
                let found =
                    if *fold { texts.contains(&text.to_lowercase()) } else { texts.iter().any(|one| one == text) };
                found == *wanted
            }),
            Test::Token { pattern, wanted } => subject
                .text(record, scratch)
                .is_some_and(|text| contains_token(&text.to_lowercase(), pattern) == *wanted),
        }
    }

    fn id_bounds(&self) -> (u64, u64) {
        // Going from a bound to the whole numbers beside it may let one id too many through, which
        // the test itself then rejects.
        match (&self.subject, &self.test) {
            (Subject::Id, Test::Within(range)) => (range.start().floor() as u64, range.end().ceil() as u64),
            (Subject::Id, Test::Below(bound)) => (0, bound.ceil() as u64),
            (Subject::Id, Test::Above(bound)) => (bound.floor() as u64, u64::MAX),
            (Subject::Id, Test::NumberIn { numbers, wanted: true }) => {
                let lowest = numbers.iter().copied().fold(f64::INFINITY, f64::min);
                let highest = numbers.iter().copied().fold(0.0, f64::max);
                (lowest.floor() as u64, highest.ceil() as u64)
            }
            _ => (0, u64::MAX),
        }
    }
}

/// Whether one of the words of `text` matches `pattern`, in which `*` stands for anything. A pattern
/// with `*` may also match the text as a whole.
fn contains_token(text: &str, pattern: &str) -> bool {
    let mut words = text.split(|letter: char| !letter.is_alphanumeric());
    if pattern.contains('*') {
        matches_wildcards(text, pattern) || words.any(|word| matches_wildcards(word, pattern))
    } else {
        text == pattern || words.any(|word| word == pattern)
    }
}

fn matches_wildcards(text: &str, pattern: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return text == pattern };
    let Some(rest) = text.strip_prefix(before) else { return false };
    let mut starts = rest.char_indices().map(|(start, _)| start).chain([rest.len()]);
    starts.any(|start| rest.get(start..).is_some_and(|tail| matches_wildcards(tail, after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_wildcards_reach_across() {
        for (text, pattern, expected) in [
            ("ann@orchard.example", "orchard", true),
            ("ann@orchard.example", "orch", false),
            ("ann@orchard.example", "orch*", true),
            ("ann@orchard.example", "*@orchard.example", true),
            ("ann@orchard.example", "*@other.example", false),
            ("ann", "*", true),
        ] {
            assert_eq!(contains_token(text, pattern), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn times_are_milliseconds_or_iso() {
        for text in ["1767225600000", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01"] {
            assert_eq!(Kind::Time.parse(text), Some(1_767_225_600_000.0), "{text}");
        }
        assert_eq!(Kind::Time.parse("yesterday"), None);
        assert_eq!(Kind::Number.parse("2026-01-01"), None);
        assert_eq!(Kind::Number.parse("NaN"), None);
    }
}
