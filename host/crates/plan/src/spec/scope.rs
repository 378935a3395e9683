//! What a pipeline file says of events and of the history of properties: of these the API gives one record's, or some
//! records', at a time, so the file says of which records, and how much of a day they may take.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use toml::Spanned;

use super::values::{Glob, IN_QUOTES, deserialize_from_text, span_in_days};

/// Which properties' earlier values are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistorySpec {
    /// The streams of records whose properties these are (`contacts`).
    #[schemars(with = "Vec<Glob>")]
    pub streams: Vec<Spanned<Glob>>,
    /// The properties, by the names that HubSpot gives them (`lifecyclestage`, `hs_lead_*`). Only properties that are read
    /// themselves have a history. Calculated ones change all the time: a glob does not mean them, a name does.
    #[schemars(with = "Vec<Glob>")]
    pub properties: Vec<Spanned<Glob>>,
}

/// Which events are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsSpec {
    /// The types of events: names (`visited_page`), full names (`e_visited_page`, `pe123_signed_up`), ids of custom events
    /// (`6-1234`) or globs.
    #[schemars(with = "Vec<Glob>")]
    pub types: Vec<Spanned<Glob>>,
    /// The stream of the records that they have happened to (`contacts`).
    #[schemars(with = "String")]
    pub of: Spanned<String>,
    /// Of which of these records. Each takes a request for each type of event.
    pub records: RecordsSpec,
    /// Events that happened before are not read: a day (`2026-01-31`), an instant (`2026-01-31T12:00:00Z`), or a span
    /// before the run (`90d`). Default: all are.
    pub since: Option<Since>,
}

/// Records whose events are read: `"all"`, `{ list = "…" }`, or `{ changed_since = "30d" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordsSpec {
    /// All of them.
    All,
    /// Those in a list, by its id or name.
    List(String),
    /// Those that have changed since.
    ChangedSince(Since),
}

const ALL: &str = "all";
const LIST: &str = "list";
const CHANGED_SINCE: &str = "changed_since";
const RECORDS: &str = "\"all\", { list = \"…\" } or { changed_since = \"30d\" }";

impl<'de> Deserialize<'de> for RecordsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Records;
        impl<'de> Visitor<'de> for Records {
            type Value = RecordsSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(RECORDS)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RecordsSpec, E> {
                if text == ALL {
                    Ok(RecordsSpec::All)
                } else {
                    Err(E::custom(format!("`{text}` says no records: write {RECORDS}")))
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordsSpec, A::Error> {
                let one = match map.next_key::<String>()?.as_deref() {
                    Some(LIST) => RecordsSpec::List(map.next_value()?),
                    Some(CHANGED_SINCE) => RecordsSpec::ChangedSince(map.next_value()?),
                    Some(other) => return Err(A::Error::custom(format!("`{other}` says no records: write {RECORDS}"))),
                    None => return Err(A::Error::custom(format!("write {RECORDS}"))),
                };
                match map.next_key::<String>()? {
                    None => Ok(one),
                    Some(_) => Err(A::Error::custom(format!("write one of {RECORDS}"))),
                }
            }
        }
        deserializer.deserialize_any(Records)
    }
}

impl JsonSchema for RecordsSpec {
    fn schema_name() -> Cow<'static, str> {
        "Records".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let since = generator.subschema_for::<Since>();
        let one = |key: &str, value: Schema| {
            json_schema!({
                "type": "object", "properties": { key: value }, "required": [key], "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "Records whose events are read: all of their type, those in a list, or those that have changed since.",
            "oneOf": [
                { "const": ALL },
                one(LIST, json_schema!({ "type": "string", "description": "The list's id or name." })),
                one(CHANGED_SINCE, since),
            ],
        })
    }
}

/// An instant, or a span before the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long before the run.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

deserialize_from_text!(
    Since,
    "a day (\"2026-01-31\"), an instant (\"2026-01-31T12:00:00Z\"), or a span before the run (\"30d\")",
    None
);

impl Since {
    /// The instant, of a run that begins `now`.
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Ago(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A text that begins like an instant, and has no day, would be taken for one of today.
        let day = text.parse::<Date>().ok().filter(|_| !text.contains(['T', 't', ' ']));
        if let Some(midnight) = day.and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()) {
            return Ok(Self::At(midnight));
        }
        if let Ok(instant) = text.parse() {
            return Ok(Self::At(instant));
        }
        let span = span_in_days(text).filter(|span| !span.is_zero());
        span.map(Self::Ago).ok_or_else(|| {
            format!(
                "`{text}` is no point in time: write a day such as `2026-01-31`, an instant such as `2026-01-31T12:00:00Z`, or a span in days or less before the run, such as `30d`"
            )
        })
    }
}

/// How many times what an account allows in a day: a number above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareOfDay(pub f64);

impl<'de> Deserialize<'de> for ShareOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer)?;
        (share.is_finite() && share > 0.0).then_some(Self(share)).ok_or_else(|| {
            D::Error::custom(format!(
                "{share} is no share of a day: write a number above 0, such as 0.5; 1 is all of it"
            ))
        })
    }
}

impl JsonSchema for ShareOfDay {
    fn schema_name() -> Cow<'static, str> {
        "ShareOfDay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_instants_and_spans_are_points_in_time() {
        let now: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        for (text, instant) in [
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
            ("30d", "2026-10-27T10:00:00Z"),
            ("1d 12h", "2026-11-24T22:00:00Z"),
            ("90m", "2026-11-26T08:30:00Z"),
        ] {
            let since: Since = text.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(since.before(now), instant.parse().unwrap(), "{text}");
        }
        for text in ["", "30", "-30d", "0d", "3 months", "1y", "yesterday", "2026-13-01", "12:00"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
