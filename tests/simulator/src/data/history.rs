//! What a property of a record held before, and where each value came from.
//!
//! A history is computed like everything else: from the record and the property, version by version, newest first. The
//! newest version is the record's present value, an emptied one as `""`; each older one differs from the one that followed it.
//! Most values were set once or a few times; some were changed far more often than the API tells, calculated ones and the
//! time of the last change always.
//!
//! A property that holds numbers or days today may have been a text field once: old versions hold what people typed, and
//! milliseconds since 1970.
//!
//! How many of the versions are given is [`Portal::history_cap`](super::Portal::history_cap); this module knows them all.

use super::clock;
use super::owners::FIRST_USER_ID;
use super::property::{Property, ValueType};
use super::random::{Draw, mix, salt};
use super::record::Record;
use super::values::{self, Recipe};

/// Mixed into a property's salt for the draws of its history.
const HISTORY: u64 = salt("history");

/// Of so many properties without a value, one had a value that was cleared; the others were never set.
const CLEARED_ONE_IN: u64 = 4;
/// Of so many older versions, one is a value that was cleared for a while.
const CLEARED_BEFORE_ONE_IN: u64 = 12;
/// Of so many older versions of a typed property, one does not fit the type.
const MISFIT_ONE_IN: u64 = 8;
/// Other values are tried so often before a version is an empty text, to differ from the next one.
const ATTEMPTS: u64 = 4;

/// How often, of a hundred, a property was set once, and a few times; the others were set often.
const ONCE_PERCENT: u64 = 55;
const A_FEW_TIMES_PERCENT: u64 = 41;
const A_FEW: (i64, i64) = (2, 4);
/// Of so many that were set often, one was set more often than the API tells of any type.
const ENDLESS_ONE_IN: u64 = 4;
const OFTEN: (i64, i64) = (5, 19);
const ENDLESS: (i64, i64) = (46, 120);
/// What a machine writes changes with every run of the machine.
const CALCULATED: (i64, i64) = (10, 90);
const LAST_CHANGES: (i64, i64) = (30, 150);

/// What number properties held when they were text.
const MISFIT_NUMBERS: &[&str] = &["n/a", "123;456", "about 40", "1,234.50"];
const MISFIT_FLAGS: &[&str] = &["yes", "1"];
const MISFIT_CHOICES: &[&str] = &["former option", "Former Option 2"];

/// More users than the portal has teams, fewer than it has owners: each of them is one of the first owners.
const USERS: u64 = 40;

/// A value that a property had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// The raw text; empty where the value was cleared.
    pub(crate) value: String,
    /// Since when it was so, in milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) source: Source,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) kind: &'static str,
    pub(crate) id: Option<String>,
    pub(crate) label: Option<&'static str>,
    pub(crate) user: Option<u64>,
}

/// The history of one property of one record.
#[derive(Clone, Debug)]
pub(crate) struct History<'a> {
    record: Record<'a>,
    property: &'a Property,
    /// The present value; empty where there is none.
    present: String,
    length: usize,
    /// When the newest version began, and how far apart the versions are, in milliseconds.
    newest: i64,
    apart: i64,
}

impl<'a> History<'a> {
    pub(crate) fn new(record: Record<'a>, property: &'a Property) -> Self {
        let mut draw = Draw::new(record.key() ^ mix(property.salt ^ HISTORY));
        let mut present = String::new();
        let has_value = record.append_value(property, &mut present);
        let cleared = present.is_empty() && (has_value || draw.below(CLEARED_ONE_IN) == 0);
        let span = record.modified() - record.created();
        // Each version begins at a millisecond of its own.
        let wanted = length(&mut draw, property, &present, cleared).min(span + 1);
        let newest = match property.recipe {
            Recipe::ModifiedAt => record.modified(),
            Recipe::ObjectId | Recipe::CreatedAt => record.created(),
            _ => record.modified() - draw.below((span + 1 - wanted).max(0) as u64 + 1) as i64,
        };
        let apart = if wanted > 1 { (newest - record.created()) / wanted } else { 0 };
        let length = if apart == 0 { wanted.min(1) } else { wanted };
        Self { record, property, present, length: length as usize, newest, apart }
    }

    pub(crate) fn record(&self) -> Record<'a> {
        self.record
    }

    pub(crate) fn property(&self) -> &'a Property {
        self.property
    }

    /// How many versions there are; none where the property was never set.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// All versions, newest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = Version> {
        let mut following: Option<String> = None;
        (0..self.length).map(move |place| {
            let mut draw = Draw::new(mix(self.record.key() ^ self.property.salt ^ HISTORY) ^ place as u64);
            let at = self.at(place, &mut draw);
            let value = match &following {
                None => self.present.clone(),
                Some(following) => self.older(place, at, following, &mut draw),
            };
            following = Some(value.clone());
            Version { value, at, source: self.source(&mut draw) }
        })
    }

    /// Versions descend: each begins within a stretch of its own.
    fn at(&self, place: usize, draw: &mut Draw) -> i64 {
        match place {
            0 => self.newest,
            _ => self.newest - self.apart * place as i64 - draw.below(self.apart as u64) as i64,
        }
    }

    /// A value that is not `following`, the one after it.
    fn older(&self, place: usize, at: i64, following: &str, draw: &mut Draw) -> String {
        let mut text = String::new();
        if self.property.recipe == Recipe::ModifiedAt {
            clock::append_instant(at, &mut text);
            return text;
        }
        if !following.is_empty() && draw.below(CLEARED_BEFORE_ONE_IN) == 0 {
            return text;
        }
        if draw.below(MISFIT_ONE_IN) == 0
            && let Some(misfit) = misfit(self.property.value_type, at, draw)
            && misfit != following
        {
            return misfit;
        }
        for attempt in 0..ATTEMPTS {
            let other = self.record.redrawn(mix(place as u64) ^ attempt);
            text.clear();
            if values::append_some(&other, self.property, &mut text) && !text.is_empty() && text != following {
                return text;
            }
        }
        if following.is_empty() { MISFIT_NUMBERS[0].to_owned() } else { String::new() }
    }

    fn source(&self, draw: &mut Draw) -> Source {
        let plain = |kind| Source { kind, id: None, label: None, user: None };
        if self.property.calculated || self.property.recipe == Recipe::ModifiedAt {
            return Source {
                id: (draw.below(2) == 0).then(|| "CalculatedPropertyComputer".to_owned()),
                ..plain("CALCULATED")
            };
        }
        let user = FIRST_USER_ID + draw.below(USERS);
        let number = draw.below(1_000_000);
        match draw.below(8) {
            0..=2 => Source { id: Some(format!("userId:{user}")), user: Some(user), ..plain("CRM_UI") },
            3 => Source {
                id: Some(number.to_string()),
                label: Some("patients 2024, \"final\".csv"),
                user: Some(user),
                ..plain("IMPORT")
            },
            4 => Source { id: Some(number.to_string()), label: Some("Booking bridge"), ..plain("INTEGRATION") },
            5 => Source { label: Some("Website form"), ..plain("FORM") },
            6 => Source {
                id: Some(format!("workflowId:{number};actionExecutionIndex:0")),
                ..plain("AUTOMATION_PLATFORM")
            },
            _ => plain("API"),
        }
    }
}

/// How many versions there would be if there were time enough.
fn length(draw: &mut Draw, property: &Property, present: &str, cleared: bool) -> i64 {
    if present.is_empty() && !cleared {
        return 0;
    }
    let length = match property.recipe {
        Recipe::Nothing => 0,
        Recipe::ObjectId | Recipe::CreatedAt | Recipe::MergedIds => present.len().min(1) as i64,
        Recipe::ModifiedAt => draw.between(LAST_CHANGES.0, LAST_CHANGES.1),
        _ if property.calculated => draw.between(CALCULATED.0, CALCULATED.1),
        _ => match draw.below(100) {
            percent if percent < ONCE_PERCENT => 1,
            percent if percent < ONCE_PERCENT + A_FEW_TIMES_PERCENT => draw.between(A_FEW.0, A_FEW.1),
            _ if draw.below(ENDLESS_ONE_IN) == 0 => draw.between(ENDLESS.0, ENDLESS.1),
            _ => draw.between(OFTEN.0, OFTEN.1),
        },
    };
    // What was cleared had been set.
    if cleared && length == 1 { 2 } else { length }
}

/// A text that does not fit the type, as old versions hold it.
fn misfit(value_type: ValueType, at: i64, draw: &mut Draw) -> Option<String> {
    let text = match value_type {
        ValueType::Number => draw.pick(MISFIT_NUMBERS),
        ValueType::Bool => draw.pick(MISFIT_FLAGS),
        ValueType::Enumeration => draw.pick(MISFIT_CHOICES),
        ValueType::Date | ValueType::DateTime => return Some(at.to_string()),
        ValueType::String | ValueType::PhoneNumber | ValueType::ObjectCoordinates | ValueType::Json => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::data::ids::Section;
    use crate::data::{Options, Portal};

    fn each_history(mut check: impl FnMut(&History<'_>, &[Version])) {
        let portal = Portal::new(&Options { contacts: 200, ..Options::default() });
        for object_type in portal.types() {
            for section in [Section::Live, Section::Archived] {
                for record in object_type.records(&portal, section, None).take(200) {
                    for property in object_type.properties() {
                        let history = History::new(record, property);
                        check(&history, &history.versions().collect::<Vec<_>>());
                    }
                }
            }
        }
    }

    #[test]
    fn the_newest_is_the_present_one_and_each_older_one_differs() {
        each_history(|history, versions| {
            let (record, name) = (&history.record, &history.property.name);
            assert_eq!(versions.len(), history.len(), "{name}");
            let mut present = String::new();
            record.append_value(history.property, &mut present);
            match versions.first() {
                Some(newest) => assert_eq!(newest.value, present, "{name}"),
                None => assert_eq!(present, "", "{name}"),
            }
            for version in versions {
                assert!((record.created()..=record.modified()).contains(&version.at), "{name}");
            }
            for pair in versions.windows(2) {
                assert!(pair[0].at > pair[1].at, "{name}");
                assert_ne!(pair[0].value, pair[1].value, "{name}");
            }
        });
    }

    #[test]
    fn every_kind_of_history_occurs() {
        let (mut kinds, mut sources) = (HashSet::new(), HashSet::new());
        each_history(|history, versions| {
            kinds.insert(match versions.len() {
                0 => "never set",
                1 => "once",
                2..=4 => "a few times",
                5..=20 => "often",
                _ => "more often than is told",
            });
            sources.extend(versions.iter().map(|version| version.source.kind));
            for (place, version) in versions.iter().enumerate() {
                let numeric = version.value.parse::<f64>().is_ok();
                match (history.property.value_type, place) {
                    (_, 0) if version.value.is_empty() && versions.len() > 1 => drop(kinds.insert("cleared")),
                    (_, 1..) if version.value.is_empty() => drop(kinds.insert("cleared before")),
                    (ValueType::Number, 1..) if version.value == "n/a" => drop(kinds.insert("no number")),
                    (ValueType::Date | ValueType::DateTime, 1..) if numeric => drop(kinds.insert("milliseconds")),
                    _ => {}
                }
            }
        });
        assert_eq!(kinds.len(), 9, "{kinds:?}");
        assert_eq!(sources.len(), 7, "{sources:?}");
    }
}
