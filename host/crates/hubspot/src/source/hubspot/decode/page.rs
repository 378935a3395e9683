//! The JSON of a page, walked once: each value goes from the text to its column, with no record in between.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Page, RecordDecoder, raw};
use crate::source::hubspot::{ids::number, json, paging::Paging, value};

/// A page that is being decoded.
pub(super) struct PageSeed<'d> {
    pub(super) decoder: &'d mut RecordDecoder,
    /// The records that were asked for and have not come; `None` where no particular ones were.
    pub(super) awaited: Option<BTreeSet<&'d str>>,
}

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = Page;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Page, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = Page;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a page of records")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Page, A::Error> {
        let mut results = None;
        let mut paging: Option<Option<Paging>> = None;
        let mut errors: Vec<RecordError> = Vec::new();
        let mut counted = 0;
        while let Some(key) = map.next_key::<Name<'de>>()? {
            match &*key.0 {
                "results" if results.is_none() => {
                    let records = RecordsSeed { decoder: self.decoder, awaited: &mut self.awaited };
                    results = Some(map.next_value_seed(records)?);
                }
                "results" => return Err(A::Error::duplicate_field("results")),
                "paging" if paging.is_none() => paging = Some(map.next_value()?),
                "paging" => return Err(A::Error::duplicate_field("paging")),
                "errors" => errors = map.next_value::<Errors>()?.0,
                "numErrors" => counted = map.next_value::<Count>()?.0,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Records { first, listed, ids } = results.ok_or_else(|| A::Error::missing_field("results"))?;
        let after = Paging::after(paging.flatten());
        let Some(mut awaited) = self.awaited else {
            let missing = errors.len().max(counted);
            return Ok(Page { first, after, ids, listed: listed + missing, missing, gone: 0 });
        };
        let absent = awaited.len();
        for gone in errors.iter().filter(|error| error.category.as_deref() == Some(NOT_FOUND)) {
            for id in &gone.context.ids {
                awaited.remove(id.as_str());
            }
        }
        Ok(Page { first, after, ids, listed, missing: awaited.len(), gone: absent - awaited.len() })
    }
}

/// What HubSpot says of records that are not there any more.
const NOT_FOUND: &str = "OBJECT_NOT_FOUND";

/// Why some of the records that were asked for are not in the answer.
#[derive(Default, Deserialize)]
struct RecordError {
    #[serde(default, deserialize_with = "json::word")]
    category: Option<String>,
    #[serde(default, deserialize_with = "json::or_default")]
    context: RecordErrorContext,
}

#[derive(Default, Deserialize)]
struct RecordErrorContext {
    #[serde(default, deserialize_with = "json::texts")]
    ids: Vec<String>,
}

#[derive(Deserialize)]
struct Errors(#[serde(deserialize_with = "json::each_or_default")] Vec<RecordError>);

#[derive(Deserialize)]
struct Count(#[serde(deserialize_with = "json::count")] usize);

/// The records of a page.
struct Records {
    /// The id of the first.
    first: Option<String>,
    /// How many there are.
    listed: usize,
    /// Their ids, if all of them are numbers.
    ids: Option<Vec<u64>>,
}

struct RecordsSeed<'d, 'w> {
    decoder: &'d mut RecordDecoder,
    awaited: &'d mut Option<BTreeSet<&'w str>>,
}

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_, '_> {
    type Value = Records;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Records, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_, '_> {
    type Value = Records;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Records, A::Error> {
        let mut records = Records { first: None, listed: 0, ids: Some(Vec::new()) };
        loop {
            let row = self.decoder.rows();
            let Some(id) = seq.next_element_seed(RecordSeed { decoder: self.decoder })? else {
                return Ok(records);
            };
            records.listed += 1;
            match (number(&id), &mut records.ids) {
                (Some(number), Some(ids)) => ids.push(number),
                (_, ids) => *ids = None,
            }
            // A record that was not asked for was merged into another since its id was listed, and that one has a row of
            // its own.
            let wanted = self.awaited.as_mut().is_none_or(|awaited| awaited.remove(&*id));
            if !(wanted && self.decoder.seen.as_mut().is_none_or(|seen| seen.is_new(&id))) {
                self.decoder.truncate(row);
            }
            if records.first.is_none() {
                records.first = Some(id.into_owned());
            }
        }
    }
}

struct RecordSeed<'d> {
    decoder: &'d mut RecordDecoder,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    /// The record's id.
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cow<'de, str>, A::Error> {
        let row = self.decoder.rows();
        let mut id = None;
        let mut updated_at = None;
        let mut has_properties = false;
        while let Some(key) = map.next_key::<Name<'de>>()? {
            match &*key.0 {
                "id" if id.is_none() => id = raw::id(map.next_value::<&'de RawValue>()?),
                "id" => return Err(A::Error::duplicate_field("id")),
                "updatedAt" => {
                    if let Some(text) = raw::text(map.next_value::<&'de RawValue>()?) {
                        updated_at = value::timestamp(&text);
                        self.decoder.note_time(updated_at.is_some());
                    }
                }
                "properties" => {
                    has_properties = true;
                    map.next_value_seed(PropertiesSeed { decoder: self.decoder, row })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let id = id.ok_or_else(|| A::Error::missing_field("id"))?;
        if !has_properties {
            return Err(A::Error::missing_field("properties"));
        }
        self.decoder.finish_row(row, &id, updated_at);
        Ok(id)
    }
}

struct PropertiesSeed<'d> {
    decoder: &'d mut RecordDecoder,
    row: usize,
}

impl<'de> DeserializeSeed<'de> for PropertiesSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PropertiesSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the properties of a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut position = 0;
        let mut named = 0;
        self.decoder.begun += 1;
        while let Some(key) = map.next_key::<Name<'de>>()? {
            let slot = self.decoder.slot(position, &key.0);
            position += 1;
            match slot {
                Some(slot) => {
                    self.decoder.named[slot.number].last = self.decoder.begun;
                    named += 1;
                    if let Some(text) = raw::text(map.next_value::<&'de RawValue>()?) {
                        self.decoder.fill(slot, self.row, &text);
                    }
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.decoder.note_missed(named);
        Ok(())
    }
}

/// The name of a member, borrowed from the page where it has no escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}
